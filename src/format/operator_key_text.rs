//! Operators' public keys in every text form they are passed around in.

use base64ct::{Base64, Encoding};

use crate::crypto::operator_key::{OperatorKeyError, OperatorPublicKey};

/// The most wrappings around a key: hex, ABI string, base64, PEM.
const MAX_WRAPPINGS: usize = 5;

/// The longest text that is looked at, in bytes; the longest lawful form has 1,500.
const MAX_TEXT: usize = 16 << 10;

/// A public key with the text that other programs compare it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKeyText {
    /// The key.
    pub key: OperatorPublicKey,
    /// base64 of the PEM text: as it was given when it was given that way, otherwise in the canonical form of 612
    /// characters.
    pub text: String,
}

/// Why a text is not an operator's public key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperatorKeyTextError {
    /// Nothing there.
    #[error("the key is empty")]
    Empty,
    /// Longer than any form of a key.
    #[error("the key has {0} characters, more than any key")]
    TooLong(usize),
    /// A private key, which must not be in an operator list.
    #[error("this is a PRIVATE key; it must not be in a list of operators")]
    PrivateKey,
    /// None of the known forms.
    #[error("neither PEM, base64 of PEM, ABI-encoded, hexadecimal, nor DER")]
    UnknownForm,
    /// A PEM frame around something damaged.
    #[error("the PEM text is damaged")]
    DamagedPem,
    /// The wrapping was understood; the key inside is not usable.
    #[error(transparent)]
    Key(#[from] OperatorKeyError),
}

impl OperatorKeyText {
    /// Reads a key in any of these forms, nested as they come: PEM (`RSA PUBLIC KEY` or `PUBLIC KEY`, around a
    /// SubjectPublicKeyInfo or PKCS #1), base64 of PEM, base64 of DER, and hexadecimal of a DER, of a text form, or of
    /// an ABI-encoded string as the contract's events carry it.
    ///
    /// # Errors
    /// [`OperatorKeyTextError`].
    pub fn parse(text: &str) -> Result<Self, OperatorKeyTextError> {
        let mut current = text.trim().to_owned();
        if current.len() > MAX_TEXT {
            return Err(OperatorKeyTextError::TooLong(current.len()));
        }
        for _ in 0..MAX_WRAPPINGS {
            match unwrap(&current)? {
                Layer::Der(der) => {
                    let key = OperatorPublicKey::from_der(&der)?;
                    return Ok(Self { text: canonical_text(&key), key });
                }
                Layer::Pem(der) => {
                    let key = OperatorPublicKey::from_der(&der)?;
                    return Ok(Self { text: canonical_text(&key), key });
                }
                Layer::Text { inner, base64 } => {
                    if base64 && is_ssv_pem(&inner) {
                        // The form in which the key was registered; other programs compare it letter by letter.
                        let Layer::Pem(der) = unwrap(inner.trim())? else {
                            return Err(OperatorKeyTextError::DamagedPem);
                        };
                        let text = current.split_ascii_whitespace().collect();
                        return Ok(Self { key: OperatorPublicKey::from_der(&der)?, text });
                    }
                    current = inner.trim().to_owned();
                }
            }
        }
        Err(OperatorKeyTextError::UnknownForm)
    }
}

/// The canonical form: base64 of the PEM text with the label `RSA PUBLIC KEY` around the SubjectPublicKeyInfo.
#[must_use]
pub fn canonical_text(key: &OperatorPublicKey) -> String {
    let body = Base64::encode_string(&key.to_spki_der());
    let mut pem = String::from("-----BEGIN RSA PUBLIC KEY-----\n");
    for (position, character) in body.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END RSA PUBLIC KEY-----\n");
    Base64::encode_string(pem.as_bytes())
}

enum Layer {
    Der(Vec<u8>),
    Pem(Vec<u8>),
    Text { inner: String, base64: bool },
}

fn is_ssv_pem(text: &str) -> bool {
    let Some(body) = text.strip_prefix("-----BEGIN RSA PUBLIC KEY-----") else { return false };
    let Some(body) = body.trim_end().strip_suffix("-----END RSA PUBLIC KEY-----") else { return false };
    // A PKCS #1 body under this label is not what nodes read: it is rewritten, not kept.
    body.trim_start().starts_with("MIIBI")
}

fn unwrap(text: &str) -> Result<Layer, OperatorKeyTextError> {
    if text.is_empty() {
        return Err(OperatorKeyTextError::Empty);
    }
    if text.starts_with("-----BEGIN ") {
        return pem_body(text).map(Layer::Pem);
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if let Ok(bytes) = hex::decode(digits) {
        return from_bytes(abi_string(&bytes).unwrap_or(&bytes), false);
    }
    let compact: String = text.split_ascii_whitespace().collect();
    match Base64::decode_vec(&compact) {
        Ok(bytes) => from_bytes(&bytes, true),
        Err(_) => Err(OperatorKeyTextError::UnknownForm),
    }
}

fn from_bytes(bytes: &[u8], base64: bool) -> Result<Layer, OperatorKeyTextError> {
    if bytes.first() == Some(&0x30) && std::str::from_utf8(bytes).is_err() {
        return Ok(Layer::Der(bytes.to_vec()));
    }
    let inner = std::str::from_utf8(bytes).map_err(|_| OperatorKeyTextError::UnknownForm)?;
    Ok(Layer::Text { inner: inner.to_owned(), base64 })
}

fn pem_body(text: &str) -> Result<Vec<u8>, OperatorKeyTextError> {
    let rest = text.strip_prefix("-----BEGIN ").ok_or(OperatorKeyTextError::UnknownForm)?;
    let (label, rest) = rest.split_once("-----").ok_or(OperatorKeyTextError::DamagedPem)?;
    match label {
        "RSA PUBLIC KEY" | "PUBLIC KEY" => {}
        _ if label.ends_with("PRIVATE KEY") => return Err(OperatorKeyTextError::PrivateKey),
        _ => return Err(OperatorKeyTextError::UnknownForm),
    }
    let (body, end) = rest.split_once("-----END ").ok_or(OperatorKeyTextError::DamagedPem)?;
    if end.trim_end().strip_suffix("-----") != Some(label) {
        return Err(OperatorKeyTextError::DamagedPem);
    }
    let compact: String = body.split_ascii_whitespace().collect();
    Base64::decode_vec(&compact).map_err(|_| OperatorKeyTextError::DamagedPem)
}

/// The content of an ABI-encoded single `string`: offset 32, length, bytes padded with zeros to a whole word.
fn abi_string(bytes: &[u8]) -> Option<&[u8]> {
    let (offset, rest) = bytes.split_at_checked(32)?;
    let (length, rest) = rest.split_at_checked(32)?;
    let word = |word: &[u8]| -> Option<usize> {
        let (high, low) = word.split_at_checked(24)?;
        let low = u64::from_be_bytes(low.try_into().ok()?);
        high.iter().all(|byte| *byte == 0).then(|| usize::try_from(low).ok()).flatten()
    };
    let length = word(length)?;
    if word(offset)? != 32 || length > rest.len() || rest.len() - length >= 32 {
        return None;
    }
    let (content, padding) = rest.split_at_checked(length)?;
    padding.iter().all(|byte| *byte == 0).then_some(content)
}
