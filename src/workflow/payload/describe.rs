//! Describe: bytes or a file of any origin, back to what a signer would sign.

use dvkey_ceremony::Address;

use crate::format::amount::Wei;
use crate::format::contract::call::{CallError, Decoded};
use crate::format::contract::revert::{Revert, RevertError};
use crate::format::contract::selector_of;
use crate::format::json::{self, Field, Json, JsonError};
use crate::format::payload_file::{self, CALLDATA_SCHEMA, PayloadFileError, Target, UNSIGNED_SCHEMA};
use crate::format::safe::{Batch, Checksum, SafeError};
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
    Transaction(Box<Transaction>),
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
    /// What it says.
    pub decoded: Decoded,
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
    /// A call of a batch.
    #[error("call {position}: {problem}")]
    CallOf {
        /// From 1.
        position: usize,
        /// What is wrong with it.
        problem: CallError,
    },
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
    let call = DescribedCall { chain_id: None, to: None, value: None, bytes, decoded };
    Described::Calls { container: Container::Calldata, calls: vec![call] }
}

fn from_raw(bytes: &[u8]) -> Result<Described, DescribeError> {
    let raw = Raw::decode(bytes)?;
    let calls = vec![call(target(&raw.transaction))?];
    Ok(Described::Calls { container: Container::Raw(Box::new(raw)), calls })
}

fn from_document(document: &Json) -> Result<Described, DescribeError> {
    if let Some(text) = document.as_str() {
        return from_hex(text.trim());
    }
    match document.get("schema").and_then(Json::as_str) {
        Some(CALLDATA_SCHEMA) => {
            let calls = vec![call(payload_file::read_calldata(document)?)?];
            return Ok(Described::Calls { container: Container::CalldataFile, calls });
        }
        Some(UNSIGNED_SCHEMA) => {
            return from_transaction(payload_file::read_unsigned(document)?);
        }
        _ => {}
    }
    if Batch::is_batch(document) {
        let (batch, checksum) = Batch::from_json(document)?;
        let mut calls = Vec::with_capacity(batch.calls.len());
        for (position, one) in batch.calls.iter().enumerate() {
            let target =
                Target { chain_id: Some(batch.chain_id), to: Some(one.to), value: one.value, data: one.data.clone() };
            let problem = |problem| DescribeError::CallOf { position: position + 1, problem };
            let decoded = Decoded::from_calldata(&target.data).map_err(problem)?;
            calls.push(DescribedCall {
                chain_id: target.chain_id,
                to: target.to,
                value: Some(target.value),
                bytes: target.data.len(),
                decoded,
            });
        }
        return Ok(Described::Calls { container: Container::Safe(Box::new(batch), checksum), calls });
    }
    // What a node answers: an error with revert data, or a transaction by its hash.
    if let Some(error) = document.get("error") {
        return from_error(error);
    }
    let inner = document.get("result").or_else(|| document.get("transaction")).unwrap_or(document);
    if let Some(text) = inner.as_str() {
        return from_hex(text);
    }
    let has = |name: &str| inner.get(name).is_some();
    if has("to") && (has("data") || has("input")) {
        return from_transaction(Transaction::from_json(&Field::root(inner))?);
    }
    match inner.get("data").and_then(Json::as_str) {
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

fn from_transaction(transaction: Transaction) -> Result<Described, DescribeError> {
    let calls = vec![call(target(&transaction))?];
    Ok(Described::Calls { container: Container::Transaction(Box::new(transaction)), calls })
}

fn target(transaction: &Transaction) -> Target {
    Target {
        chain_id: transaction.chain_id,
        to: transaction.to,
        value: transaction.value,
        data: transaction.data.clone(),
    }
}

fn call(target: Target) -> Result<DescribedCall, CallError> {
    let decoded = Decoded::from_calldata(&target.data)?;
    Ok(DescribedCall {
        chain_id: target.chain_id,
        to: target.to,
        value: Some(target.value),
        bytes: target.data.len(),
        decoded,
    })
}
