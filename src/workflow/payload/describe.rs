//! Describe: bytes or a file of any origin, back to what a signer would sign.

use dvkey_ceremony::Address;

use crate::format::amount::Wei;
use crate::format::contract::call::{CallError, Decoded};
use crate::format::contract::revert::{Revert, RevertError};
use crate::format::contract::selector_of;
use crate::format::json::{self, Field, Json, JsonError};
use crate::format::payload_file::{self, CALLDATA_SCHEMA, PayloadFileError, Target, UNSIGNED_SCHEMA};
use crate::format::safe::{Batch, Beside, Checksum, SafeError};
use crate::format::transaction::{Raw, Transaction, TransactionError};

/// What an input is.
#[derive(Debug)]
pub enum Described {
    /// Calls, in order.
    Calls {
        /// What holds them.
        container: Container,
        /// The calls.
        calls: Vec<DescribedCall>,
    },
    /// A refusal by the contract.
    Revert(Revert),
}

/// What holds a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Container {
    /// Nothing: calldata alone.
    Calldata,
    /// Our file of calldata with its target.
    CalldataFile,
    /// A transaction object or our file of one.
    Transaction(Box<Raw>),
    /// Raw bytes.
    Raw(Box<Raw>),
    /// A batch for the Safe Transaction Builder.
    Safe(Box<Batch>, Checksum),
}

/// A call and where it goes.
#[derive(Debug)]
pub struct DescribedCall {
    /// The chain, where it is known.
    pub chain_id: Option<u64>,
    /// Who is called, where it is known.
    pub to: Option<Address>,
    /// The ether that goes with it, where it is known.
    pub value: Option<Wei>,
    /// The size of the calldata in bytes.
    pub bytes: usize,
    /// What it says, or why that cannot be told: in a batch, the other calls can be read all the same.
    pub decoded: Result<Decoded, CallError>,
    /// What a batch says beside the calldata.
    pub beside: Beside,
}

/// Why an input cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// Neither JSON nor hexadecimal nor bytes of a transaction.
    #[error("neither hexadecimal nor JSON nor the bytes of a transaction")]
    UnknownForm,
    /// An odd number of digits, or a character that is none.
    #[error("the hexadecimal text is damaged: {0}")]
    Hex(String),
    /// Broken JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// JSON of another kind.
    #[error("the document is no transaction, no batch and no error of a node")]
    OtherJson,
    /// Empty revert data: there is nothing to decode.
    #[error("there is no data: the contract gave no reason, or none was called")]
    NoData,
    /// The selector is neither a function nor an error.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It says what it is in several ways, of which another program may take another.
    #[error("it has {0}: readers differ in which of them they take")]
    Ambiguous(String),
    /// Revert data.
    #[error(transparent)]
    Revert(#[from] RevertError),
    /// A transaction.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A file of ours.
    #[error(transparent)]
    File(#[from] PayloadFileError),
    /// A batch.
    #[error(transparent)]
    Safe(#[from] SafeError),
}

/// Describes hexadecimal text, a JSON document, or the bytes of a raw transaction.
///
/// # Errors
/// [`DescribeError`].
pub fn describe(input: &[u8]) -> Result<Described, DescribeError> {
    let text = std::str::from_utf8(input).ok().map(str::trim);
    match text {
        Some(text) if text.starts_with(['{', '[', '"', '\u{feff}']) => from_document(&json::parse(input)?),
        Some(text) if !text.is_empty() && (text.starts_with("0x") || text.bytes().all(|b| b.is_ascii_hexdigit())) => {
            from_hex(text)
        }
        _ if matches!(input, [2 | 0xc0.., ..]) => from_raw(input),
        _ => Err(DescribeError::UnknownForm),
    }
}

fn from_hex(text: &str) -> Result<Described, DescribeError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    from_bytes(&hex::decode(digits).map_err(|error| DescribeError::Hex(error.to_string()))?)
}

/// Calldata, revert data or a raw transaction: selectors and the first bytes of transactions do not overlap.
fn from_bytes(bytes: &[u8]) -> Result<Described, DescribeError> {
    if bytes.is_empty() {
        return Err(DescribeError::NoData);
    }
    match selector_of(bytes) {
        Some(selector) if Revert::has(selector) => Ok(Described::Revert(Revert::decode(bytes)?)),
        Some(_) => match Decoded::from_calldata(bytes) {
            Err(CallError::UnknownSelector(_)) if matches!(bytes, [1..=4 | 0xc0.., ..]) => {
                // The start fits a transaction, and a selector that nobody knows as well.
                from_raw(bytes).or_else(|error| match error {
                    DescribeError::Transaction(TransactionError::Rlp(_)) => {
                        Ok(Decoded::from_calldata(bytes).map(|decoded| alone(decoded, bytes.len()))?)
                    }
                    other => Err(other),
                })
            }
            decoded => Ok(alone(decoded?, bytes.len())),
        },
        None => Err(CallError::TooShort(bytes.len()).into()),
    }
}

fn alone(decoded: Decoded, bytes: usize) -> Described {
    let (decoded, beside) = (Ok(decoded), Beside::default());
    let call = DescribedCall { chain_id: None, to: None, value: None, bytes, decoded, beside };
    Described::Calls { container: Container::Calldata, calls: vec![call] }
}

fn from_raw(bytes: &[u8]) -> Result<Described, DescribeError> {
    let raw = Raw::decode(bytes)?;
    let calls = vec![readable(target(&raw.transaction))?];
    Ok(Described::Calls { container: Container::Raw(Box::new(raw)), calls })
}

fn from_document(document: &Json) -> Result<Described, DescribeError> {
    if let Some(text) = document.as_str() {
        return from_hex(text.trim());
    }
    let holds = |name: &&str| document.get(name).is_some_and(|value| *value != Json::Null);
    let mut parts: Vec<&str> =
        ["transactions", "error", "result", "transaction", "tx", "data"].into_iter().filter(holds).collect();
    // Both names of calldata stand side by side in what some libraries write; they are compared.
    if parts.is_empty() && holds(&"input") {
        parts.push("input");
    }
    let [part] = parts.as_slice() else {
        return Err(match parts.as_slice() {
            [] => DescribeError::OtherJson,
            several => DescribeError::Ambiguous(several.join(" and ")),
        });
    };
    match (document.get("schema").and_then(Json::as_str), *part) {
        (Some(CALLDATA_SCHEMA), "data") => {
            let calls = vec![readable(payload_file::read_calldata(document)?)?];
            Ok(Described::Calls { container: Container::CalldataFile, calls })
        }
        (Some(UNSIGNED_SCHEMA), "transaction") => {
            let transaction = payload_file::read_unsigned(document)?;
            let kind = crate::format::transaction::TYPE;
            from_transaction(Raw { transaction, signed: false, kind, unread: Vec::new() })
        }
        (Some(CALLDATA_SCHEMA | UNSIGNED_SCHEMA), _) => Err(DescribeError::OtherJson),
        (_, "transactions") if Batch::is_batch(document) => from_batch(document),
        // What a node answers: an error with revert data, or a transaction by its hash.
        (_, "error") => from_error(document.get("error").unwrap_or(document)),
        (_, "data" | "input") => from_object(document),
        (_, name) => from_object(document.get(name).unwrap_or(document)),
    }
}

fn from_batch(document: &Json) -> Result<Described, DescribeError> {
    let (batch, checksum) = Batch::from_json(document)?;
    let calls = batch.calls.iter().map(|one| {
        let (chain_id, to) = (Some(batch.chain_id), Some(one.to));
        let described = call(Target { chain_id, to, value: one.value, data: one.data.clone() });
        DescribedCall { beside: one.beside.clone(), ..described }
    });
    let calls = calls.collect();
    Ok(Described::Calls { container: Container::Safe(Box::new(batch), checksum), calls })
}

/// A transaction object, or the bytes of one as a text.
fn from_object(object: &Json) -> Result<Described, DescribeError> {
    if let Some(text) = object.as_str() {
        return from_hex(text.trim());
    }
    let has = |name: &str| object.get(name).is_some();
    if has("to") && (has("data") || has("input")) {
        return from_transaction(Raw::from_json(&Field::root(object))?);
    }
    match object.get("data").and_then(Json::as_str) {
        Some(text) => from_hex(text),
        None => Err(DescribeError::OtherJson),
    }
}

/// Nodes differ in how deep they put the data of an error.
fn from_error(error: &Json) -> Result<Described, DescribeError> {
    let mut here = error;
    for _ in 0..4 {
        match here {
            Json::String(text) => {
                // Some put words before the digits.
                let start = text.find("0x").ok_or(DescribeError::NoData)?;
                return from_hex(text.get(start..).unwrap_or_default().trim());
            }
            _ => here = here.get("data").ok_or(DescribeError::NoData)?,
        }
    }
    Err(DescribeError::NoData)
}

fn from_transaction(raw: Raw) -> Result<Described, DescribeError> {
    let calls = vec![readable(target(&raw.transaction))?];
    Ok(Described::Calls { container: Container::Transaction(Box::new(raw)), calls })
}

fn target(transaction: &Transaction) -> Target {
    Target {
        chain_id: transaction.chain_id,
        to: transaction.to,
        value: transaction.value,
        data: transaction.data.clone(),
    }
}

fn call(target: Target) -> DescribedCall {
    DescribedCall {
        chain_id: target.chain_id,
        to: target.to,
        value: Some(target.value),
        bytes: target.data.len(),
        decoded: Decoded::from_calldata(&target.data),
        beside: Beside::default(),
    }
}

/// A call that stands alone: when it cannot be read, there is nothing to show.
fn readable(target: Target) -> Result<DescribedCall, CallError> {
    let described = call(target);
    match &described.decoded {
        Ok(_) => Ok(described),
        Err(error) => Err(error.clone()),
    }
}
