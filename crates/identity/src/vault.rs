//! Secrets that are kept or handed out sealed: AES-256-GCM with a key that is not in the store.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base::IdSource;
use iam::Sealed;
use zeroize::Zeroizing;

/// The first byte of what is sealed: how the rest is to be read.
const VERSION: u8 = 1;

/// The key of a [`Vault`]. Overwritten when dropped; neither printed nor compared.
pub struct VaultKey(Zeroizing<[u8; 32]>);

impl VaultKey {
    /// A new key.
    pub fn generate(ids: &dyn IdSource) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        for chunk in key.chunks_mut(8) {
            chunk.copy_from_slice(&ids.next_u64().to_ne_bytes());
        }
        Self(key)
    }

    /// The key in a text of 64 hexadecimal digits; `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, key.as_mut_slice()).ok()?;
        Some(Self(key))
    }

    /// The key as 64 hexadecimal digits, for the file that keeps it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKey(hidden)")
    }
}

/// Seals and opens secrets.
///
/// Nonces are 96 random bits: one key is good for 2³² seals.
pub struct Vault {
    key: LessSafeKey,
}

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Nothing can be made of the key, or what is to be sealed is too long.
    #[error("the secret cannot be sealed: its length or the key is wrong")]
    Seal,
    /// It was changed, sealed for another purpose or with another key.
    #[error(
        "a sealed secret cannot be opened: it was made for another purpose, with another \
         `identity.key`, or is damaged"
    )]
    Open,
}

impl Vault {
    /// A vault with this key.
    ///
    /// # Errors
    /// [`VaultError::Seal`] when the cipher does not take the key.
    pub fn new(key: &VaultKey) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&AES_256_GCM, key.0.as_slice()).map_err(|_| VaultError::Seal)?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    /// Seals `plaintext` for `purpose`: it opens for the same purpose only. Purposes in use:
    /// `access-key/ID`, `mfa/SERIAL`, `session/ID`.
    ///
    /// # Errors
    /// [`VaultError::Seal`] when it is too long for the cipher (64 GiB).
    pub fn seal(
        &self,
        purpose: &str,
        plaintext: &[u8],
        ids: &dyn IdSource,
    ) -> Result<Sealed, VaultError> {
        let random = [ids.next_u64().to_ne_bytes(), ids.next_u64().to_ne_bytes()].concat();
        let (nonce, _) = random.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Seal)?;
        let mut bytes = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        bytes.push(VERSION);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(plaintext);
        let (_, text) = bytes.split_at_mut(1 + NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(purpose.as_bytes()), text);
        bytes.extend_from_slice(tag.map_err(|_| VaultError::Seal)?.as_ref());
        Ok(Sealed(bytes))
    }

    /// What was sealed for `purpose`.
    ///
    /// # Errors
    /// [`VaultError::Open`].
    pub fn open(&self, purpose: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let Some((&VERSION, rest)) = sealed.0.split_first() else { return Err(VaultError::Open) };
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Open)?;
        let mut bytes = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(purpose.as_bytes());
        let opened = self.key.open_in_place(nonce, aad, bytes.as_mut_slice());
        let length = opened.map_err(|_| VaultError::Open)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    fn vault(seed: u64) -> Vault {
        Vault::new(&VaultKey::generate(&SeededIds::new(seed))).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let ids = SeededIds::new(9);
        let vault = vault(1);
        let sealed = vault.seal("mfa/one", b"secret", &ids).unwrap();
        assert!(!sealed.0.windows(6).any(|window| window == b"secret"));
        assert_eq!(vault.open("mfa/one", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(vault.open("mfa/two", &sealed), Err(VaultError::Open));
        assert_eq!(self::vault(2).open("mfa/one", &sealed), Err(VaultError::Open));
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let vault = vault(1);
        let sealed = vault.seal("x", b"secret", &SeededIds::new(9)).unwrap();
        for place in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[place] ^= 1;
            assert_eq!(vault.open("x", &changed), Err(VaultError::Open), "byte {place}");
            changed.0.truncate(place);
            assert_eq!(vault.open("x", &changed), Err(VaultError::Open), "cut at {place}");
        }
    }

    #[test]
    fn a_key_is_the_same_after_it_was_written() {
        let key = VaultKey::generate(&SeededIds::new(1));
        let sealed = Vault::new(&key).unwrap().seal("x", b"y", &SeededIds::new(2)).unwrap();
        let read = VaultKey::from_hex(&key.to_hex()).unwrap();
        assert_eq!(Vault::new(&read).unwrap().open("x", &sealed).unwrap().as_slice(), b"y");
        assert!(VaultKey::from_hex("12").is_none());
    }
}
