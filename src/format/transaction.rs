//! EIP-1559 transactions that nobody has signed yet: JSON, RLP and the hash that a signer signs; and foreign ones, read.

use alloy_primitives::keccak256;
use alloy_rlp::{BufMut, Decodable, Encodable, Header};
use dvkey_ceremony::Address;

use super::amount::Wei;
use super::contract::MAX_CALLDATA;
use super::json::{Field, FieldError, FieldProblem, Json};

/// The EIP-2718 type of an EIP-1559 transaction.
pub const TYPE: u8 = 2;

/// The largest transaction that the network passes on, in bytes.
pub const MAX_BYTES: usize = 128 << 10;

/// A transaction as far as it is known. What is absent was not given, and is not invented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The EIP-155 chain id.
    pub chain_id: Option<u64>,
    /// Who sends it. Not part of the bytes.
    pub from: Option<Address>,
    /// The sender's transaction count; not the registration nonce.
    pub nonce: Option<u64>,
    /// For whoever builds the block, for each unit of gas.
    pub max_priority_fee: Option<Wei>,
    /// The most for each unit of gas.
    pub max_fee: Option<Wei>,
    /// What each unit of gas costs, in those before EIP-1559.
    pub gas_price: Option<Wei>,
    /// The gas limit.
    pub gas: Option<u64>,
    /// Who is called; none creates a contract.
    pub to: Option<Address>,
    /// The ether that goes with it.
    pub value: Wei,
    /// The calldata.
    pub data: Vec<u8>,
}

/// A foreign transaction, and what else its form carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The transaction.
    pub transaction: Transaction,
    /// Whether a signature is part of it.
    pub signed: bool,
    /// The type: 0 for those before EIP-2718, or 2.
    pub kind: u8,
    /// The names of the fields of an object that are not understood here.
    pub unread: Vec<String>,
}

/// The fields that make a transaction one of another type: blobs (EIP-4844), and accounts that are given code (EIP-7702).
const OTHER_TYPES: [&str; 10] = [
    "authorizationList",
    "blobVersionedHashes",
    "blobs",
    "blobSidecar",
    "blobWrapperVersion",
    "commitments",
    "kzg",
    "maxFeePerBlobGas",
    "proofs",
    "sidecars",
];

/// The fields that are read, and those that nodes and libraries add to a transaction that is in a block or was signed.
const KNOWN: [&str; 28] = [
    "type",
    "chainId",
    "from",
    "nonce",
    "maxPriorityFeePerGas",
    "maxFeePerGas",
    "gasPrice",
    "gas",
    "gasLimit",
    "to",
    "value",
    "data",
    "input",
    "accessList",
    "r",
    "s",
    "v",
    "yParity",
    "signature",
    "hash",
    "blockHash",
    "blockNumber",
    "blockTimestamp",
    "transactionIndex",
    "index",
    "creates",
    "sig",
    "typeHex",
];

/// Why bytes or a document are no transaction.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TransactionError {
    /// Not the encoding of a transaction.
    #[error("not the RLP of a transaction: {0}")]
    Rlp(String),
    /// Another type than 0 and 2.
    #[error("a transaction of type {0}, which is not read here")]
    Kind(u8),
    /// A number that is none, or too large.
    #[error("the {0} is too large")]
    Number(&'static str),
    /// More calldata than a transaction can carry.
    #[error("{0} bytes of calldata are more than a transaction can carry")]
    TooLong(usize),
    /// An access list: nothing that calls the SSV contract needs one, and it is not shown.
    #[error("an access list that is not empty, which is not read here")]
    AccessList,
    /// A field of a type that is not read here.
    #[error("{0} makes it a transaction of a type that is not read here")]
    OtherType(&'static str),
    /// The price of gas in two ways: a node would refuse it, and a library take one of them.
    #[error("gasPrice and the fees of EIP-1559 exclude each other")]
    TwoPrices,
    /// A field of the document.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The document gives one thing under two names, and they differ.
    #[error("{0} and {1} differ")]
    Differ(&'static str, &'static str),
}

impl Transaction {
    /// `0x02 || rlp([chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gasLimit, to, value, data, accessList])`, when
    /// everything is known.
    #[must_use]
    pub fn unsigned_rlp(&self) -> Option<Vec<u8>> {
        let (chain_id, nonce, gas) = (self.chain_id?, self.nonce?, self.gas?);
        let (priority, max, to) = (self.max_priority_fee?.get(), self.max_fee?.get(), self.to?);
        let mut fields: Vec<u8> = Vec::with_capacity(self.data.len() + 128);
        chain_id.encode(&mut fields);
        nonce.encode(&mut fields);
        priority.encode(&mut fields);
        max.encode(&mut fields);
        gas.encode(&mut fields);
        to.as_bytes().as_slice().encode(&mut fields);
        self.value.get().encode(&mut fields);
        self.data.as_slice().encode(&mut fields);
        Header { list: true, payload_length: 0 }.encode(&mut fields);
        let mut out = vec![TYPE];
        Header { list: true, payload_length: fields.len() }.encode(&mut out);
        out.put_slice(&fields);
        Some(out)
    }

    /// keccak256 of the unsigned RLP: what the sender's key signs.
    #[must_use]
    pub fn signing_hash(&self) -> Option<[u8; 32]> {
        self.unsigned_rlp().map(|rlp| keccak256(rlp).0)
    }

    /// Which of the parts that the bytes need are not known, by their names in JSON.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        [
            ("chainId", self.chain_id.is_none()),
            ("nonce", self.nonce.is_none()),
            ("maxPriorityFeePerGas", self.max_priority_fee.is_none()),
            ("maxFeePerGas", self.max_fee.is_none()),
            ("gas", self.gas.is_none()),
            ("to", self.to.is_none()),
        ]
        .into_iter()
        .filter(|(_, missing)| *missing)
        .map(|(name, _)| name)
        .collect()
    }

    /// The object that signers take: quantities in hexadecimal, what is not known left out.
    ///
    /// One shape for all of them. No `type`: JSON-RPC writes it `"0x2"`, ethers takes only the number 2, and everybody infers
    /// EIP-1559 from the fees. The gas limit under both names: ethers reads `gasLimit` alone and would sign 0 without it, nodes
    /// read `gas` alone. No `from`: it is not part of the bytes, and ethers refuses an unsigned transaction that has it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                object.insert(name.to_owned(), value.into());
            }
        };
        put("chainId", self.chain_id.map(|id| format!("{id:#x}")));
        put("nonce", self.nonce.map(|nonce| format!("{nonce:#x}")));
        put("maxPriorityFeePerGas", self.max_priority_fee.map(|fee| format!("{:#x}", fee.get())));
        put("maxFeePerGas", self.max_fee.map(|fee| format!("{:#x}", fee.get())));
        put("gas", self.gas.map(|gas| format!("{gas:#x}")));
        put("gasLimit", self.gas.map(|gas| format!("{gas:#x}")));
        put("to", self.to.map(|to| to.to_checksum()));
        put("value", Some(format!("{:#x}", self.value.get())));
        put("data", Some(format!("0x{}", hex::encode(&self.data))));
        object.insert("accessList".to_owned(), serde_json::Value::Array(Vec::new()));
        object.into()
    }

    /// Reads a transaction object of any library: JSON-RPC, ethers, viem, web3; quantities as hexadecimal, as decimal
    /// strings or as numbers; `gas` or `gasLimit`, `data` or `input`.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn from_json(object: &Field<'_>) -> Result<Self, TransactionError> {
        for name in OTHER_TYPES {
            let empty = |field: &Field<'_>| matches!(field.value, Json::Array(list) if list.is_empty());
            if object.optional(name)?.is_some_and(|field| !empty(&field)) {
                return Err(TransactionError::OtherType(name));
            }
        }
        if let Some(list) = object.optional("accessList")?
            && !list.elements()?.is_empty()
        {
            return Err(TransactionError::AccessList);
        }
        let small = |name: &'static str| -> Result<Option<u64>, TransactionError> {
            let Some(field) = object.optional(name)? else { return Ok(None) };
            u64::try_from(quantity(&field)?).map(Some).map_err(|_| TransactionError::Number(name))
        };
        let wei = |name: &str| -> Result<Option<Wei>, FieldError> {
            object.optional(name)?.map(|field| quantity(&field).map(Wei::new)).transpose()
        };
        let gas = one_of("gas", small("gas")?, "gasLimit", small("gasLimit")?)?;
        let data = |name: &str| -> Result<Option<Vec<u8>>, FieldError> {
            object.optional(name)?.map(|field| field.hex_up_to(MAX_CALLDATA)).transpose()
        };
        let data = one_of("data", data("data")?, "input", data("input")?)?;
        Ok(Self {
            chain_id: small("chainId")?,
            from: address(object, "from")?,
            nonce: small("nonce")?,
            max_priority_fee: wei("maxPriorityFeePerGas")?,
            max_fee: wei("maxFeePerGas")?,
            gas_price: wei("gasPrice")?,
            gas,
            to: address(object, "to")?,
            value: wei("value")?.unwrap_or_default(),
            data: data.ok_or_else(|| object.missing("data"))?,
        })
    }
}

impl Raw {
    /// Reads a transaction object, and tells its type and whether it was signed.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn from_json(object: &Field<'_>) -> Result<Self, TransactionError> {
        let mut transaction = Transaction::from_json(object)?;
        let mut signed = false;
        for name in ["r", "s", "signature"] {
            signed |= object.optional(name)?.is_some_and(|field| !is_zero(field.value));
        }
        let fees = transaction.max_fee.is_some() || transaction.max_priority_fee.is_some();
        let kind = match stated_kind(object)? {
            Some(kind) => kind,
            None if transaction.gas_price.is_some() && !fees => 0,
            None => TYPE,
        };
        if kind == TYPE && signed {
            // A node says beside the fees what was paid in the end.
            transaction.gas_price = None;
        }
        let priced = transaction.gas_price.is_some();
        if if kind == TYPE { priced } else { fees } {
            return Err(TransactionError::TwoPrices);
        }
        let known = |name: &str| KNOWN.contains(&name);
        let unread = object.entries()?.into_iter().filter(|(name, field)| !known(name) && *field.value != Json::Null);
        let unread = unread.map(|(name, _)| super::text::shown(name, 40)).collect();
        Ok(Self { transaction, signed, kind, unread })
    }

    /// The hash that its sender signs: for what this program could have written, and nobody has signed.
    #[must_use]
    pub fn signing_hash(&self) -> Option<[u8; 32]> {
        self.transaction.signing_hash().filter(|_| self.kind == TYPE && !self.signed)
    }

    /// Reads raw bytes: type 2 or the form before types, signed or not.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TransactionError> {
        if bytes.len() > MAX_BYTES {
            return Err(TransactionError::TooLong(bytes.len()));
        }
        match bytes {
            [TYPE, rest @ ..] => decode_1559(rest),
            [kind @ (1 | 3..0x80), ..] => Err(TransactionError::Kind(*kind)),
            _ => decode_legacy(bytes),
        }
    }
}

/// The type that an object names, as a number, as JSON-RPC writes it, or by the name that a library has for it.
fn stated_kind(object: &Field<'_>) -> Result<Option<u8>, TransactionError> {
    let Some(kind) = object.optional("type")? else { return Ok(None) };
    match kind.value {
        Json::String(text) if ["eip1559", "0x2", "0x02", "2"].contains(&text.as_str()) => Ok(Some(TYPE)),
        Json::String(text) if ["legacy", "0x0", "0x00", "0"].contains(&text.as_str()) => Ok(Some(0)),
        Json::Number(number) if number.as_u64() == Some(TYPE.into()) => Ok(Some(TYPE)),
        Json::Number(number) if number.as_u64() == Some(0) => Ok(Some(0)),
        other => {
            let found = match other {
                Json::String(text) => text.chars().take(20).collect(),
                Json::Number(number) => number.to_string(),
                other => other.kind().to_owned(),
            };
            let wanted = "transactions of type 0 and 2 are read";
            Err(kind.error(FieldProblem::Unsupported { found, wanted }).into())
        }
    }
}

/// Half a signature that is not there yet.
fn is_zero(value: &Json) -> bool {
    match value {
        Json::String(text) => text.strip_prefix("0x").unwrap_or(text).bytes().all(|byte| byte == b'0'),
        Json::Number(number) => number.as_u64() == Some(0),
        _ => false,
    }
}

fn decode_1559(mut bytes: &[u8]) -> Result<Raw, TransactionError> {
    let mut fields = payload(&mut bytes)?;
    end(bytes)?;
    let transaction = Transaction {
        chain_id: Some(decode(&mut fields)?),
        from: None,
        nonce: Some(decode(&mut fields)?),
        max_priority_fee: Some(Wei::new(decode(&mut fields)?)),
        max_fee: Some(Wei::new(decode(&mut fields)?)),
        gas_price: None,
        gas: Some(decode(&mut fields)?),
        to: to(&mut fields)?,
        value: Wei::new(decode(&mut fields)?),
        data: text(&mut fields)?.to_vec(),
    };
    if !payload(&mut fields)?.is_empty() {
        return Err(TransactionError::AccessList);
    }
    let signed = !fields.is_empty();
    if signed {
        let parity: u8 = decode(&mut fields)?;
        half_of_signature(&mut fields)?;
        half_of_signature(&mut fields)?;
        if parity > 1 {
            return Err(TransactionError::Rlp("the parity of the signature is neither 0 nor 1".to_owned()));
        }
    }
    end(fields)?;
    Ok(Raw { transaction, signed, kind: TYPE, unread: Vec::new() })
}

/// `rlp([nonce, gasPrice, gasLimit, to, value, data, v, r, s])`; unsigned without the last three, or with (chainId, 0, 0).
fn decode_legacy(mut bytes: &[u8]) -> Result<Raw, TransactionError> {
    let mut fields = payload(&mut bytes)?;
    end(bytes)?;
    let nonce = decode(&mut fields)?;
    let price: u128 = decode(&mut fields)?;
    let mut transaction = Transaction {
        chain_id: None,
        from: None,
        nonce: Some(nonce),
        max_priority_fee: None,
        max_fee: None,
        gas_price: Some(Wei::new(price)),
        gas: Some(decode(&mut fields)?),
        to: to(&mut fields)?,
        value: Wei::new(decode(&mut fields)?),
        data: text(&mut fields)?.to_vec(),
    };
    let mut signed = false;
    if !fields.is_empty() {
        let v: u64 = decode(&mut fields)?;
        let (r, s) = (half_of_signature(&mut fields)?, half_of_signature(&mut fields)?);
        signed = !(r.is_empty() && s.is_empty());
        // EIP-155: v is chainId * 2 + 35 or 36 once signed.
        transaction.chain_id = if signed { v.checked_sub(35).map(|v| v / 2) } else { Some(v) };
    }
    end(fields)?;
    Ok(Raw { transaction, signed, kind: 0, unread: Vec::new() })
}

/// The payload of the list at the start.
fn payload<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], TransactionError> {
    Header::decode_bytes(bytes, true).map_err(rlp)
}

/// An integer of at most 256 bits, without leading zeros.
fn half_of_signature<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], TransactionError> {
    match text(bytes)? {
        [0, ..] => Err(TransactionError::Rlp("a number has leading zeros".to_owned())),
        half if half.len() > 32 => Err(TransactionError::Rlp("a number has more than 256 bits".to_owned())),
        half => Ok(half),
    }
}

fn text<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], TransactionError> {
    Header::decode_bytes(bytes, false).map_err(rlp)
}

fn decode<T: Decodable>(bytes: &mut &[u8]) -> Result<T, TransactionError> {
    T::decode(bytes).map_err(rlp)
}

fn to(bytes: &mut &[u8]) -> Result<Option<Address>, TransactionError> {
    match text(bytes)? {
        [] => Ok(None),
        found => {
            let address = found.try_into().map_err(|_| TransactionError::Rlp("an address has 20 bytes".to_owned()))?;
            Ok(Some(Address::from_bytes(address)))
        }
    }
}

fn end(rest: &[u8]) -> Result<(), TransactionError> {
    if rest.is_empty() { Ok(()) } else { Err(TransactionError::Rlp("bytes are left over".to_owned())) }
}

fn rlp(error: alloy_rlp::Error) -> TransactionError {
    TransactionError::Rlp(error.to_string())
}

fn one_of<T: PartialEq>(
    name: &'static str,
    value: Option<T>,
    other_name: &'static str,
    other: Option<T>,
) -> Result<Option<T>, TransactionError> {
    match (value, other) {
        (Some(value), Some(other)) if value != other => Err(TransactionError::Differ(name, other_name)),
        (value, other) => Ok(value.or(other)),
    }
}

/// An address of a document, in any case of its letters that is lawful.
pub(super) fn address(object: &Field<'_>, name: &str) -> Result<Option<Address>, FieldError> {
    let Some(field) = object.optional(name)? else { return Ok(None) };
    let text = field.text()?;
    let address = text.parse().map_err(|_| {
        let found = text.chars().take(50).collect();
        field.error(FieldProblem::Unsupported { found, wanted: "an address is 0x and 40 hexadecimal digits" })
    })?;
    Ok(Some(address))
}

/// A quantity: `0x…`, a string of decimal digits, or a JSON number.
pub(super) fn quantity(field: &Field<'_>) -> Result<u128, FieldError> {
    let unsupported = |text: &str| {
        let found = text.chars().take(50).collect();
        field.error(FieldProblem::Unsupported { found, wanted: "a quantity is a whole number below 2^128" })
    };
    match field.value {
        Json::String(text) => match text.strip_prefix("0x") {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                u128::from_str_radix(digits, 16).map_err(|_| unsupported(text))
            }
            Some(_) => Err(unsupported(text)),
            None => Wei::from_decimal(text).map(Wei::get).map_err(|_| unsupported(text)),
        },
        _ => field.integer().map(u128::from),
    }
}
