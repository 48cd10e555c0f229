//! What certificates of the node protocol say.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use node_proto::digest_of;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use webpki::EndEntityCert;

/// The name in the control plane's certificate. Not its host's: what counts is the authority, which
/// issues for one control plane only.
pub(crate) const SERVER_NAME: &str = "control-plane.portcullis.internal";
/// What comes before the instance's id in the name of a node's certificate.
const NODE_URI: &str = "spiffe://portcullis.internal/node/";
/// An uncompressed point of P-256.
const POINT_BYTES: usize = 65;

/// The name in the certificate of a node.
pub(crate) fn node_uri(instance_id: &str) -> String {
    format!("{NODE_URI}{instance_id}")
}

/// SHA-256 of the public key (SubjectPublicKeyInfo) in a certificate.
pub(crate) fn key_digest(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(digest_of(certificate.subject_public_key_info().as_ref()))
}

/// A node as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertifiedNode {
    /// The container instance's id.
    pub(crate) instance_id: String,
    /// SHA-256 of its public key.
    pub(crate) key_digest: String,
    /// Its public key.
    pub(crate) key: NodePublicKey,
}

impl CertifiedNode {
    /// What a certificate that was verified says; `None` when it is not one of a node.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let mut names = parsed.valid_uri_names();
        let instance_id = names.next()?.strip_prefix(NODE_URI)?.to_owned();
        if names.next().is_some() {
            return None;
        }
        let information = parsed.subject_public_key_info();
        let information = information.as_ref();
        // The point is the end of the structure.
        let point = information.get(information.len().checked_sub(POINT_BYTES)?..)?;
        let key = NodePublicKey::new(point.to_vec())?;
        // Guards against keys of other kinds, whose structure ends otherwise.
        if key.subject_public_key_info() != information {
            return None;
        }
        Some(Self { instance_id, key_digest: digest_of(information), key })
    }
}

/// A node's public key: a point on P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodePublicKey(Vec<u8>);

impl NodePublicKey {
    /// An uncompressed point. Whether it is on the curve shows when a signature is verified.
    pub(crate) fn new(point: Vec<u8>) -> Option<Self> {
        (point.len() == POINT_BYTES && point.first() == Some(&4)).then_some(Self(point))
    }

    /// Whether `signature` of `message` was made with the private key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(message, signature).is_ok()
    }

    /// SHA-256 of the key as certificates hold it.
    pub(crate) fn digest(&self) -> String {
        digest_of(&self.subject_public_key_info())
    }
}

impl PublicKeyData for NodePublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What a joining node signs to prove that it has the private key: for this token and this instance,
/// and good for nothing else.
pub(crate) fn proof_message(token_id: &str, instance_id: &str, public_key: &str) -> Vec<u8> {
    format!("portcullis node join 1\n{token_id}\n{instance_id}\n{public_key}\n").into_bytes()
}

/// The public key, in hexadecimal, and the proof.
pub(crate) fn prove(
    key: &PrivatePkcs8KeyDer<'_>,
    token_id: &str,
    instance_id: &str,
) -> Option<(String, String)> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_pkcs8_der());
    let key = key.ok()?;
    let public = hex::encode(key.public_key());
    let message = proof_message(token_id, instance_id, &public);
    let signature = key.sign(&SystemRandom::new(), &message).ok()?;
    Some((public, hex::encode(signature)))
}
