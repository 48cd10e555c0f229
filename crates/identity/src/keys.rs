//! Identifiers and secrets as IAM makes them.

use base::{AccountId, IdSource};
use sigv4::SecretKey;

const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The 16 characters of an access key id stand for 80 bits: one that is set, the account's number in 40, and
/// 39 of chance.
const KEY_BITS: u32 = 80;
const ACCOUNT_SHIFT: u32 = 39;
const ACCOUNT_MASK: u128 = (1 << 40) - 1;

/// The kinds of access keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `AKIA…`: of a user or root, until it is deleted.
    LongTerm,
    /// `ASIA…`: of a session.
    Temporary,
}

impl KeyKind {
    /// What access key ids of this kind begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::LongTerm => "AKIA",
            Self::Temporary => "ASIA",
        }
    }
}

/// A new access key of somebody in `account`: an id of 20 characters that tells the account, as AWS's do,
/// and a secret of 40.
pub fn new_access_key(
    ids: &dyn IdSource,
    kind: KeyKind,
    account: &AccountId,
) -> (String, SecretKey) {
    let number = account.as_str().parse::<u128>().unwrap_or_default() & ACCOUNT_MASK;
    let chance = u128::from(ids.next_u64()) & ((1 << ACCOUNT_SHIFT) - 1);
    let bits = (1 << (KEY_BITS - 1)) | (number << ACCOUNT_SHIFT) | chance;
    let mut id = kind.prefix().to_owned();
    for shift in (0..KEY_BITS / 5).rev() {
        let digit = usize::try_from((bits >> (shift * 5)) & 31).unwrap_or_default();
        id.extend(ID_ALPHABET.get(digit).map(|byte| char::from(*byte)));
    }
    (id, SecretKey::new(text(ids, SECRET_ALPHABET, 40)))
}

/// The account that an access key id of [`new_access_key`] tells; `None` for a text that is none.
pub fn account_of_key(access_key_id: &str) -> Option<AccountId> {
    let digits =
        access_key_id.strip_prefix("AKIA").or_else(|| access_key_id.strip_prefix("ASIA"))?;
    if digits.len() != 16 {
        return None;
    }
    let bits = digits.bytes().try_fold(0_u128, |bits, byte| {
        let digit = ID_ALPHABET.iter().position(|one| *one == byte)?;
        Some((bits << 5) | u128::try_from(digit).ok()?)
    })?;
    let number = (bits >> ACCOUNT_SHIFT) & ACCOUNT_MASK;
    (bits >> (KEY_BITS - 1) == 1).then(|| format!("{number:012}").parse().ok()).flatten()
}

/// A unique id as IAM spells them: `prefix` (`AIDA`, `AROA`, …) and 17 characters.
pub fn unique_id(ids: &dyn IdSource, prefix: &str) -> String {
    format!("{prefix}{}", text(ids, ID_ALPHABET, 17))
}

/// `length` characters of `alphabet`, whose size divides 256, each equally likely.
fn text(ids: &dyn IdSource, alphabet: &[u8], length: usize) -> String {
    let bytes = std::iter::repeat_with(|| ids.next_u64().to_ne_bytes()).flatten();
    bytes
        .filter_map(|byte| alphabet.get(usize::from(byte) % alphabet.len()))
        .map(|byte| char::from(*byte))
        .take(length)
        .collect()
}

#[cfg(test)]
mod tests {
    use base::SeededIds;

    use super::*;

    #[test]
    fn a_key_tells_its_account() {
        for account in ["000000000001", "123456789012", "999999999999"] {
            let account: AccountId = account.parse().unwrap();
            let ids = SeededIds::new(1);
            let (id, secret) = new_access_key(&ids, KeyKind::Temporary, &account);
            assert_eq!((id.len(), secret.expose().len()), (20, 40), "{id}");
            assert!(id.starts_with("ASIA"), "{id}");
            assert_eq!(account_of_key(&id), Some(account.clone()));
            assert_ne!(new_access_key(&ids, KeyKind::Temporary, &account).0, id);
        }
        // An example that AWS's own keys are documented with elsewhere.
        assert_eq!(account_of_key("ASIAQNZGKIQY56JQ7WML").unwrap().as_str(), "029608264753");
        for none in ["", "AKIA", "AKIAIOSFODNN7EXAMPL1", "AROAQNZGKIQY56JQ7WML"] {
            assert_eq!(account_of_key(none), None, "{none}");
        }
    }

    #[test]
    fn a_unique_id_has_21_characters() {
        let id = unique_id(&SeededIds::new(1), "AIDA");
        assert!(id.len() == 21 && id.starts_with("AIDA"), "{id}");
    }
}
