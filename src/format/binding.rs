//! What an operator's server hands to the laptop of a ceremony: the RSA key's signature over a card's keys. Public.

use dvkey_ceremony::OperatorId;
use dvkey_ceremony::agdkg::card::OperatorBinding;
use serde::Serialize;

use super::json::{self, Field, FieldError, FieldProblem, Json, JsonError};

/// The schema of the file.
pub const SCHEMA: &str = "dvkey.ceremony-binding/1";

/// The largest file that is read as one, in bytes.
pub const MAX_BYTES: u64 = 16 << 10;

/// The longest key and signature, in bytes; the card has the same bound.
const MAX_PART: usize = 600;

/// Why bytes are no binding.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BindingError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema: &'static str,
    chain_id: u64,
    operator_id: u64,
    operator_key: String,
    signature: String,
}

/// The file.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write(binding: &OperatorBinding) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&Written {
        schema: SCHEMA,
        chain_id: binding.chain_id,
        operator_id: binding.operator.get(),
        operator_key: format!("0x{}", hex::encode(&binding.spki)),
        signature: format!("0x{}", hex::encode(&binding.signature)),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Whether a document says that it is a binding.
#[must_use]
pub fn is_binding(document: &Json) -> bool {
    document.get("schema").and_then(Json::as_str) == Some(SCHEMA)
}

/// Reads the file. Whether the signature holds is for the card to say.
///
/// # Errors
/// [`BindingError`].
pub fn parse(bytes: &[u8]) -> Result<OperatorBinding, BindingError> {
    let document = json::parse(bytes)?;
    let root = Field::root(&document);
    if !is_binding(&document) {
        let schema = root.get("schema")?;
        let found = schema.text().unwrap_or_default().chars().take(40).collect();
        return Err(schema.error(FieldProblem::Unsupported { found, wanted: SCHEMA }).into());
    }
    let id = root.get("operatorId")?;
    let operator = OperatorId::try_from(id.integer()?).map_err(|_| {
        id.error(FieldProblem::Unsupported { found: "0".to_owned(), wanted: "an operator id from 1 up" })
    })?;
    Ok(OperatorBinding {
        chain_id: root.get("chainId")?.integer()?,
        operator,
        spki: root.get("operatorKey")?.hex_up_to(MAX_PART)?,
        signature: root.get("signature")?.hex_up_to(MAX_PART)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let binding = OperatorBinding {
            chain_id: 560_048,
            operator: OperatorId::try_from(u64::MAX).unwrap(),
            spki: vec![1; 294],
            signature: vec![2; 256],
        };
        let bytes = write(&binding).unwrap();
        assert_eq!(parse(&bytes).unwrap(), binding);
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("dvkey.ceremony-binding/1", "dvkey.ceremony-binding/2"),
            ("\"operatorId\": 18446744073709551615", "\"operatorId\": 0"),
            ("\"chainId\"", "\"chain\""),
            ("0x0101", "0x010"),
            ("0x0202", "0xzz02"),
            ("{", "["),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(parse(changed.as_bytes()).is_err(), "{from}");
        }
        let long = text.replacen("0x0101", &format!("0x{}", "01".repeat(600)), 1);
        assert!(matches!(parse(long.as_bytes()), Err(BindingError::Field(_))));
    }
}
