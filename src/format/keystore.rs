//! EIP-2335 keystores, version 4.

use dvkey_ceremony::bls::SecretKeyError;
use dvkey_ceremony::{PublicKey, SecretBytes, SecretKey};

use super::json::{Field, FieldError, FieldProblem, Json, JsonError};
use crate::crypto::kdf::group::Deriver;
use crate::crypto::kdf::{Kdf, KdfError, KdfLimits};
use crate::crypto::keystore_cipher::{Envelope, EnvelopeError};
use crate::crypto::password::{Password, Reading};

/// The largest file that is read as a keystore, in bytes; real ones have less than 1,000.
pub const MAX_BYTES: u64 = 1 << 20;

/// The longest salt that is taken; 32 bytes are usual.
const MAX_SALT: usize = 1024;

/// A parsed keystore. Nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    /// The encrypted secret.
    pub envelope: Envelope,
    /// The public key that the file names, if it names one: 48 bytes, not yet decoded.
    pub public_key: Option<[u8; 48]>,
    /// The derivation path as the file has it.
    pub path: String,
    /// The unique name of the file's content.
    pub uuid: String,
}

/// Why a file is not a keystore that can be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Version 1 or 3: the wallet of an account, not a validator key.
    #[error("a version {0} keystore holds an account's key, not a validator's")]
    AccountWallet(u64),
    /// The derivation asks for too much, or for something unlawful.
    #[error(transparent)]
    Kdf(#[from] KdfError),
    /// The secret has another length than 32 bytes.
    #[error("the encrypted secret has {0} bytes, a validator key has 32")]
    SecretLength(usize),
}

/// Why a keystore gives no validator key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnlockError {
    /// Wrong password, or a refused derivation.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The secret is no validator key.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// The secret belongs to another public key than the file names.
    #[error("the secret belongs to the public key {found}, the file names another")]
    PublicKeyDiffers {
        /// The public key of the secret, as a short form for messages.
        found: ShortKey,
    },
}

/// The first and last bytes of a public key, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortKey([u8; 48]);

impl std::fmt::Display for ShortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = hex::encode(self.0);
        let (start, end) = (text.get(..8).unwrap_or_default(), text.get(88..).unwrap_or_default());
        write!(f, "0x{start}…{end}")
    }
}

/// A validator key and how its password was read.
pub struct Unlocked {
    /// The key.
    pub secret_key: SecretKey,
    /// Its public half.
    pub public_key: PublicKey,
    /// Which reading of the password opened the file.
    pub reading: Reading,
}

impl Keystore {
    /// Reads a keystore and bounds what its derivation may ask for. Takes no memory for the derivation.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn parse(bytes: &[u8], limits: KdfLimits) -> Result<Self, KeystoreError> {
        Self::from_json(&super::json::parse(bytes)?, limits)
    }

    /// As [`Keystore::parse`], from a document.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn from_json(document: &Json, limits: KdfLimits) -> Result<Self, KeystoreError> {
        let root = Field::root(document);
        let version = root.get("version")?;
        match version_number(&version)? {
            4 => {}
            old @ (1 | 3) => return Err(KeystoreError::AccountWallet(old)),
            other => {
                let problem = FieldProblem::Unsupported { found: other.to_string(), wanted: "4 is supported" };
                return Err(version.error(problem).into());
            }
        }
        let envelope = envelope(&root.get("crypto")?, limits)?;
        if envelope.ciphertext.len() != 32 {
            return Err(KeystoreError::SecretLength(envelope.ciphertext.len()));
        }
        let public_key = match root.optional("pubkey")? {
            Some(field) if !field.text()?.is_empty() => Some(field.hex()?),
            _ => None,
        };
        let text = |name| Ok::<_, FieldError>(root.optional(name)?.map(|f| f.text()).transpose()?.unwrap_or_default());
        Ok(Self { envelope, public_key, path: text("path")?.to_owned(), uuid: text("uuid")?.to_owned() })
    }

    /// Decrypts, and checks that the secret is a validator key and the one that the file names.
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn unlock(&self, password: &Password) -> Result<Unlocked, UnlockError> {
        self.unlocked(self.envelope.open(password))
    }

    /// As [`Keystore::unlock`], for several at once; the results come in the order of the keystores.
    pub fn unlock_all(keystores: &[(&Self, &Password)], deriver: &mut Deriver) -> Vec<Result<Unlocked, UnlockError>> {
        let envelopes: Vec<_> = keystores.iter().map(|(keystore, password)| (&keystore.envelope, *password)).collect();
        let opened = Envelope::open_all(&envelopes, deriver);
        keystores.iter().zip(opened).map(|((keystore, _), opened)| keystore.unlocked(opened)).collect()
    }

    fn unlocked(&self, opened: Result<(SecretBytes, Reading), EnvelopeError>) -> Result<Unlocked, UnlockError> {
        let (secret, reading) = opened?;
        let secret_key = SecretKey::from_be_bytes(secret.expose())?;
        let public_key = secret_key.public_key();
        if self.public_key.is_some_and(|named| named != *public_key.as_bytes()) {
            return Err(UnlockError::PublicKeyDiffers { found: ShortKey(*public_key.as_bytes()) });
        }
        Ok(Unlocked { secret_key, public_key, reading })
    }
}

/// Writes a keystore around an encrypted validator key.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write(
    envelope: &Envelope,
    public_key: &PublicKey,
    uuid: &str,
    description: &str,
) -> Result<Vec<u8>, serde_json::Error> {
    let (function, params) = match &envelope.kdf {
        Kdf::Scrypt { log_n, r, p, salt } => {
            let n = 1u64.checked_shl(u32::from(*log_n)).unwrap_or(0);
            ("scrypt", serde_json::json!({"dklen": 32, "n": n, "r": r, "p": p, "salt": hex::encode(salt)}))
        }
        Kdf::Pbkdf2 { c, salt } => {
            let salt = hex::encode(salt);
            ("pbkdf2", serde_json::json!({"dklen": 32, "c": c, "prf": "hmac-sha256", "salt": salt}))
        }
    };
    serde_json::to_vec_pretty(&serde_json::json!({
        "crypto": {
            "kdf": {"function": function, "params": params, "message": ""},
            "checksum": {"function": "sha256", "params": {}, "message": hex::encode(envelope.checksum)},
            "cipher": {
                "function": "aes-128-ctr",
                "params": {"iv": hex::encode(envelope.iv)},
                "message": hex::encode(&envelope.ciphertext),
            },
        },
        "description": description,
        "pubkey": hex::encode(public_key.as_bytes()),
        "path": "",
        "uuid": uuid,
        "version": 4,
    }))
}

/// EIP-2335 wants the number 4; some writers quote it.
fn version_number(field: &Field<'_>) -> Result<u64, FieldError> {
    match field.value.as_str() {
        Some("4") => Ok(4),
        Some("3") => Ok(3),
        Some("1") => Ok(1),
        _ => field.integer(),
    }
}

/// Reads a `crypto` module: kdf, checksum and cipher, each with function, params and message.
pub(super) fn envelope(crypto: &Field<'_>, limits: KdfLimits) -> Result<Envelope, KeystoreError> {
    let kdf_module = crypto.get("kdf")?;
    let parameters = kdf_module.get("params")?;
    let derived = parameters.get("dklen")?;
    if !(32..=1024).contains(&derived.integer()?) {
        let found = derived.integer()?.to_string();
        return Err(derived
            .error(FieldProblem::Unsupported { found, wanted: "32 to 1024 bytes are supported" })
            .into());
    }
    let salt = parameters.get("salt")?.hex_up_to(MAX_SALT)?;
    let function = kdf_module.get("function")?;
    let kdf = match function.text()? {
        "scrypt" => Kdf::scrypt(
            parameters.get("n")?.integer()?,
            parameters.get("r")?.small_integer()?,
            parameters.get("p")?.small_integer()?,
            salt,
        )?,
        "pbkdf2" => {
            only(&parameters.get("prf")?, "hmac-sha256", "hmac-sha256 is supported")?;
            Kdf::Pbkdf2 { c: parameters.get("c")?.small_integer()?, salt }
        }
        _ => return Err(unsupported(&function, "scrypt and pbkdf2 are supported")?.into()),
    };
    kdf.check(limits)?;

    let checksum = crypto.get("checksum")?;
    only(&checksum.get("function")?, "sha256", "sha256 is supported")?;
    let cipher = crypto.get("cipher")?;
    only(&cipher.get("function")?, "aes-128-ctr", "aes-128-ctr is supported")?;
    Ok(Envelope {
        kdf,
        checksum: checksum.get("message")?.hex()?,
        iv: cipher.get("params")?.get("iv")?.hex()?,
        ciphertext: cipher.get("message")?.hex_up_to(64 << 10)?,
    })
}

fn only(field: &Field<'_>, value: &str, wanted: &'static str) -> Result<(), FieldError> {
    if field.text()? == value { Ok(()) } else { Err(unsupported(field, wanted)?) }
}

fn unsupported(field: &Field<'_>, wanted: &'static str) -> Result<FieldError, FieldError> {
    let found = field.text()?.chars().take(40).collect();
    Ok(field.error(FieldProblem::Unsupported { found, wanted }))
}
