//! Operators' RSA private keys as they lie on disk: PEM, base64 of PEM, or the node's encrypted key file.

use base64ct::{Base64, Encoding};
use dvkey_ceremony::SecretBytes;

use super::json::{self, Field, Json};
use super::keystore::{KeystoreError, envelope};
use crate::crypto::kdf::KdfLimits;
use crate::crypto::keystore_cipher::{Envelope, EnvelopeError};
use crate::crypto::operator_key::{OperatorKeyError, OperatorPrivateKey};
use crate::crypto::password::Password;

/// The largest file that is read as an operator's key, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

const LABELS: [&str; 2] = ["RSA PRIVATE KEY", "PRIVATE KEY"];

/// An operator's key file.
pub enum OperatorKeyFile {
    /// A key that lies open.
    Open(OperatorPrivateKey),
    /// The node's file: the `crypto` module of EIP-2335 as the whole document, around the PEM text.
    Encrypted(Envelope),
}

/// Why a file gives no operator key.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperatorKeyFileError {
    /// A public key where the private one is needed.
    #[error("this is a public key; the private one is needed")]
    PublicKey,
    /// A validator's keystore.
    #[error("this is a validator's keystore; the operator's own RSA key is needed")]
    ValidatorKeystore,
    /// An encrypted PEM, which nodes do not write.
    #[error("an encrypted PEM file; the node's own encrypted file is JSON")]
    EncryptedPem,
    /// Neither PEM nor base64 of PEM nor JSON.
    #[error("neither PEM, base64 of PEM, nor a node's encrypted key file")]
    Unknown,
    /// The PEM body is damaged.
    #[error("the PEM text is damaged")]
    Damaged,
    /// The encrypted file is not right.
    #[error(transparent)]
    Encrypted(#[from] KeystoreError),
    /// Wrong password.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// No usable RSA key inside.
    #[error(transparent)]
    Key(#[from] OperatorKeyError),
}

impl OperatorKeyFile {
    /// Reads a key file of any of the three forms.
    ///
    /// # Errors
    /// [`OperatorKeyFileError`].
    pub fn parse(bytes: &SecretBytes, limits: KdfLimits) -> Result<Self, OperatorKeyFileError> {
        let text = bytes.expose().trim_ascii();
        if text.starts_with(b"{") {
            let document = json::parse(text).map_err(KeystoreError::Json)?;
            return Ok(Self::Encrypted(encrypted_envelope(&document, limits)?));
        }
        if text.starts_with(b"-----BEGIN") {
            return pem_key(text).map(Self::Open);
        }
        let text = std::str::from_utf8(text).map_err(|_| OperatorKeyFileError::Unknown)?;
        let decoded = Base64::decode_vec(text).map(SecretBytes::new).map_err(|_| OperatorKeyFileError::Unknown)?;
        if !decoded.expose().starts_with(b"-----BEGIN") {
            return Err(OperatorKeyFileError::Unknown);
        }
        pem_key(decoded.expose()).map(Self::Open)
    }
}

/// Whether a document is a node's encrypted key file.
#[must_use]
pub fn is_encrypted_key_file(document: &Json) -> bool {
    document.get("crypto").is_none() && ["checksum", "cipher", "kdf"].iter().all(|name| document.get(name).is_some())
}

fn encrypted_envelope(document: &Json, limits: KdfLimits) -> Result<Envelope, OperatorKeyFileError> {
    let root = Field::root(document);
    if document.get("pubkey").is_some() && document.get("path").is_some() {
        return Err(OperatorKeyFileError::ValidatorKeystore);
    }
    // Some writers wrap the three modules as a keystore does.
    let crypto = root.optional("crypto").map_err(KeystoreError::from)?.unwrap_or(root);
    Ok(envelope(&crypto, limits)?)
}

/// Opens a node's encrypted key file.
///
/// # Errors
/// [`OperatorKeyFileError`].
pub fn decrypt(envelope: &Envelope, password: &Password) -> Result<OperatorPrivateKey, OperatorKeyFileError> {
    let (plaintext, _) = envelope.open(password)?;
    pem_key(plaintext.expose().trim_ascii())
}

fn pem_key(text: &[u8]) -> Result<OperatorPrivateKey, OperatorKeyFileError> {
    let text = std::str::from_utf8(text).map_err(|_| OperatorKeyFileError::Damaged)?;
    let body = text.strip_prefix("-----BEGIN ").ok_or(OperatorKeyFileError::Unknown)?;
    let (label, body) = body.split_once("-----").ok_or(OperatorKeyFileError::Damaged)?;
    if label.ends_with("PUBLIC KEY") {
        return Err(OperatorKeyFileError::PublicKey);
    }
    if label == "ENCRYPTED PRIVATE KEY" || body.contains("Proc-Type:") {
        return Err(OperatorKeyFileError::EncryptedPem);
    }
    if !LABELS.contains(&label) {
        return Err(OperatorKeyFileError::Unknown);
    }
    let (body, end) = body.split_once("-----END ").ok_or(OperatorKeyFileError::Damaged)?;
    if end.trim_end().strip_suffix("-----") != Some(label) {
        return Err(OperatorKeyFileError::Damaged);
    }
    // Reserved in full: the filtered copy of the private key must not be reallocated.
    let mut compact = SecretBytes::with_capacity(body.len());
    for line in body.split_ascii_whitespace() {
        compact.extend(line.as_bytes()).map_err(|_| OperatorKeyFileError::Damaged)?;
    }
    let compact = std::str::from_utf8(compact.expose()).map_err(|_| OperatorKeyFileError::Damaged)?;
    let der = Base64::decode_vec(compact).map(SecretBytes::new).map_err(|_| OperatorKeyFileError::Damaged)?;
    Ok(OperatorPrivateKey::from_der(&der)?)
}
