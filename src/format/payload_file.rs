//! Our own files for what is to be sent: calldata with its target, and unsigned transactions with their bytes.

use alloy_primitives::keccak256;
use dvkey_ceremony::Address;
use serde::Serialize;

use super::amount::Wei;
use super::contract::MAX_CALLDATA;
use super::contract::call::{AnyCall, Decoded};
use super::json::{self, Field, FieldError, Json, JsonError};
use super::network::Network;
use super::transaction::{Raw, Transaction, TransactionError, address, quantity};

/// The schema of a calldata file.
pub const CALLDATA_SCHEMA: &str = "dvkey.calldata/1";

/// The schema of an unsigned transaction.
pub const UNSIGNED_SCHEMA: &str = "dvkey.unsigned/1";

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// A call with its target, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The chain.
    pub chain_id: Option<u64>,
    /// The contract.
    pub to: Option<Address>,
    /// The ether that goes with it.
    pub value: Wei,
    /// The calldata.
    pub data: Vec<u8>,
}

/// Why a file of ours cannot be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PayloadFileError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The transaction in it.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A part does not follow from the rest.
    #[error("the {0} in it is not that of the rest")]
    Contradiction(&'static str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CalldataFile {
    schema: &'static str,
    network: &'static str,
    chain_id: u64,
    to: String,
    function: &'static str,
    value: String,
    data: String,
    keccak256: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnsignedFile {
    schema: &'static str,
    network: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    transaction: serde_json::Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rlp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_hash: Option<String>,
}

/// Writes a calldata file.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write_calldata(
    network: Network,
    function: &'static str,
    value: Wei,
    data: &[u8],
) -> Result<Vec<u8>, serde_json::Error> {
    with_newline(&CalldataFile {
        schema: CALLDATA_SCHEMA,
        network: network.name(),
        chain_id: network.chain_id(),
        to: network.ssv_contract().to_owned(),
        function,
        value: value.get().to_string(),
        data: format!("0x{}", hex::encode(data)),
        keccak256: keccak256(data).to_string(),
    })
}

/// Writes an unsigned transaction: with bytes and hash when everything is known, and else with the list of what is not.
///
/// # Errors
/// Those of the JSON writer.
pub fn write_unsigned(network: Network, transaction: &Transaction) -> Result<Vec<u8>, serde_json::Error> {
    with_newline(&UnsignedFile {
        schema: UNSIGNED_SCHEMA,
        network: network.name(),
        from: transaction.from.map(|from| from.to_checksum()),
        transaction: transaction.to_json(),
        missing: transaction.missing(),
        rlp: transaction.unsigned_rlp().map(|rlp| format!("0x{}", hex::encode(rlp))),
        signing_hash: transaction.signing_hash().map(|hash| format!("0x{}", hex::encode(hash))),
    })
}

fn with_newline(file: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(file)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a calldata file.
///
/// # Errors
/// [`PayloadFileError`].
pub fn read_calldata(document: &Json) -> Result<Target, PayloadFileError> {
    let root = Field::root(document);
    let data = root.get("data")?.hex_up_to(MAX_CALLDATA)?;
    if root.get("keccak256")?.hex::<32>()? != keccak256(&data).0 {
        return Err(PayloadFileError::Contradiction("hash"));
    }
    let chain_id = root.get("chainId")?.integer()?;
    must_be_of(&root, Some(chain_id))?;
    // What is no call at all is for the reader to refuse by its own name.
    let signature = match Decoded::from_calldata(&data).map(|decoded| decoded.call) {
        Ok(AnyCall::Current(call)) => Some(call.signature()),
        Ok(AnyCall::Legacy(call)) => Some(call.signature()),
        Err(_) => None,
    };
    if signature.is_some_and(|signature| root.get("function").and_then(|named| named.text()) != Ok(signature)) {
        return Err(PayloadFileError::Contradiction("function"));
    }
    Ok(Target {
        chain_id: Some(chain_id),
        to: address(&root, "to")?,
        value: Wei::new(quantity(&root.get("value")?)?),
        data,
    })
}

/// The network that a file names is the one of its chain.
fn must_be_of(root: &Field<'_>, chain_id: Option<u64>) -> Result<(), PayloadFileError> {
    let named = root.get("network")?.text()?;
    let fits = |network: Network| network.name() == named && Some(network.chain_id()) == chain_id;
    if Network::ALL.into_iter().any(fits) { Ok(()) } else { Err(PayloadFileError::Contradiction("network")) }
}

/// Reads an unsigned transaction: what its bytes and its hash say has to be what its fields say.
///
/// # Errors
/// [`PayloadFileError`].
pub fn read_unsigned(document: &Json) -> Result<Transaction, PayloadFileError> {
    let root = Field::root(document);
    let Raw { mut transaction, signed, kind, .. } = Raw::from_json(&root.get("transaction")?)?;
    if signed || kind != super::transaction::TYPE {
        return Err(PayloadFileError::Contradiction("kind of the transaction"));
    }
    must_be_of(&root, transaction.chain_id)?;
    if let Some(from) = address(&root, "from")? {
        // It stands beside the transaction; inside, it has to be the same.
        if transaction.from.replace(from).is_some_and(|inside| inside != from) {
            return Err(PayloadFileError::Contradiction("sender"));
        }
    }
    match root.optional("rlp")? {
        Some(rlp) => {
            let raw = Raw::decode(&rlp.hex_up_to(super::transaction::MAX_BYTES)?)?;
            if raw.signed || raw.transaction != (Transaction { from: None, ..transaction.clone() }) {
                return Err(PayloadFileError::Contradiction("RLP"));
            }
        }
        None if transaction.missing().is_empty() => return Err(root.missing("rlp").into()),
        None => {}
    }
    if let Some(hash) = root.optional("signingHash")?
        && Some(hash.hex::<32>()?) != transaction.signing_hash()
    {
        return Err(PayloadFileError::Contradiction("signing hash"));
    }
    Ok(transaction)
}

/// Reads a file of ours from its bytes.
///
/// # Errors
/// [`PayloadFileError`].
pub fn parse(bytes: &[u8]) -> Result<Target, PayloadFileError> {
    let document = json::parse(bytes)?;
    if document.get("schema").and_then(Json::as_str) == Some(CALLDATA_SCHEMA) {
        return read_calldata(&document);
    }
    let transaction = read_unsigned(&document)?;
    Ok(Target { chain_id: transaction.chain_id, to: transaction.to, value: transaction.value, data: transaction.data })
}
