//! The proofs.json of ssv-dkg: what each operator signed about the share that it holds.

use dvkey_ceremony::Address;

use super::json::{self, Field, FieldError, Json, JsonError};
use crate::crypto::operator_key::SEALED_BYTES;

/// The largest file that is read as proofs, in bytes.
pub const MAX_BYTES: u64 = 128 << 20;

/// A file of proofs, as far as its structure holds. Whether it is right is for the workflow `verify` to say.
#[derive(Clone, Debug)]
pub struct ProofsFile {
    /// The proofs of each validator, in the order of its operators.
    pub validators: Vec<Vec<Result<SignedProof, FieldError>>>,
}

/// An operator's statement and its signature, as the file has them: no point is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedProof {
    /// The validator public key.
    pub validator: [u8; 48],
    /// The share, sealed to the operator's key.
    pub encrypted_share: [u8; SEALED_BYTES],
    /// The share public key.
    pub share: [u8; 48],
    /// The account that registers.
    pub owner: Address,
    /// The operator's signature, RSASSA-PSS.
    pub signature: [u8; SEALED_BYTES],
}

/// Why bytes are not proofs.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofsFileError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Neither a list of proofs nor a list of such lists.
    #[error("not proofs: neither a list of proofs nor a list of such lists")]
    Shape,
}

impl ProofsFile {
    /// Reads a whole file: a list of proofs for one validator, or a list of such lists.
    ///
    /// # Errors
    /// [`ProofsFileError`]. What is wrong inside a proof is that proof's error.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofsFileError> {
        Self::from_json(&json::parse(bytes)?)
    }

    /// As [`ProofsFile::parse`], from a document.
    ///
    /// # Errors
    /// [`ProofsFileError::Shape`].
    pub fn from_json(document: &Json) -> Result<Self, ProofsFileError> {
        let Json::Array(elements) = document else { return Err(ProofsFileError::Shape) };
        let nested = elements.iter().filter(|element| matches!(element, Json::Array(_))).count();
        let fields = Field::root(document).elements().unwrap_or_default();
        let validators = match nested {
            0 if fields.is_empty() => Vec::new(),
            0 => vec![read_all(&fields)],
            _ if nested == fields.len() => {
                fields.iter().map(|group| read_all(&group.elements().unwrap_or_default())).collect()
            }
            _ => return Err(ProofsFileError::Shape),
        };
        Ok(Self { validators })
    }
}

/// Writes proofs as ssv-dkg does: a list of lists, one for each validator, hexadecimal without 0x.
///
/// # Errors
/// Those of the JSON writer, which strings do not cause.
pub fn write(validators: &[Vec<SignedProof>]) -> Result<Vec<u8>, serde_json::Error> {
    let written = |proof: &SignedProof| {
        serde_json::json!({
            "proof": {
                "validator": hex::encode(proof.validator),
                "encrypted_share": hex::encode(proof.encrypted_share),
                "share_pub": hex::encode(proof.share),
                "owner": hex::encode(proof.owner.as_bytes()),
            },
            "signature": hex::encode(proof.signature),
        })
    };
    let lists: Vec<Vec<_>> = validators.iter().map(|list| list.iter().map(written).collect()).collect();
    serde_json::to_vec_pretty(&lists)
}

fn read_all(proofs: &[Field<'_>]) -> Vec<Result<SignedProof, FieldError>> {
    proofs.iter().map(read_proof).collect()
}

fn read_proof(signed: &Field<'_>) -> Result<SignedProof, FieldError> {
    let proof = signed.get("proof")?;
    Ok(SignedProof {
        validator: proof.get("validator")?.hex()?,
        encrypted_share: proof.get("encrypted_share")?.hex()?,
        share: proof.get("share_pub")?.hex()?,
        owner: Address::from_bytes(proof.get("owner")?.hex()?),
        signature: signed.get("signature")?.hex()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(change: impl Fn(String) -> String) -> String {
        let text = format!(
            r#"{{"proof":{{"validator":"{}","encrypted_share":"{}","share_pub":"{}","owner":"{}"}},"signature":"{}"}}"#,
            "aa".repeat(48),
            "bb".repeat(256),
            "cc".repeat(48),
            "dd".repeat(20),
            "ee".repeat(256)
        );
        change(text)
    }

    #[test]
    fn flat_and_nested_lists_are_read() {
        let one = proof(|text| text);
        for (text, groups) in [
            ("[]".to_owned(), vec![]),
            ("[[]]".to_owned(), vec![0]),
            (format!("[{one}]"), vec![1]),
            (format!("[{one},{one}]"), vec![2]),
            (format!("[[{one}],[{one},{one}]]"), vec![1, 2]),
        ] {
            let file = ProofsFile::parse(text.as_bytes()).unwrap();
            assert_eq!(file.validators.iter().map(Vec::len).collect::<Vec<_>>(), groups);
            assert!(file.validators.iter().flatten().all(Result::is_ok));
        }
        for text in ["{}", "7", &format!("[{one},[{one}]]")] {
            assert_eq!(ProofsFile::parse(text.as_bytes()).unwrap_err(), ProofsFileError::Shape, "{text}");
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let one = SignedProof {
            validator: [1; 48],
            encrypted_share: [2; SEALED_BYTES],
            share: [3; 48],
            owner: Address::from_bytes([4; 20]),
            signature: [5; SEALED_BYTES],
        };
        let lists = vec![vec![one.clone(), one.clone()], vec![one]];
        let read = ProofsFile::parse(&write(&lists).unwrap()).unwrap().validators;
        let read: Vec<Vec<_>> = read.into_iter().map(|list| list.into_iter().map(Result::unwrap).collect()).collect();
        assert_eq!(read, lists);
    }

    #[test]
    fn what_is_no_proof_says_where() {
        for (from, to, said) in [
            ("\"owner\"", "\"Owner\"", "[0].proof.owner: is missing"),
            ("\"proof\"", "\"prof\"", "[0].proof: is missing"),
            ("\"signature\":\"ee", "\"signature\":\"", "[0].signature: has 255 bytes instead of 256"),
            ("\"share_pub\":\"cc", "\"share_pub\":\"cz", "[0].proof.share_pub: is not hexadecimal"),
            (
                "encrypted_share\":\"",
                "encrypted_share\":\"00",
                "[0].proof.encrypted_share: has 257 bytes instead of 256",
            ),
        ] {
            let text = proof(|text| text.replacen(from, to, 1));
            let file = ProofsFile::parse(format!("[{text}]").as_bytes()).unwrap();
            assert_eq!(file.validators[0][0].clone().unwrap_err().to_string(), said);
        }
    }
}
