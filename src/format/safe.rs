//! Batches for the Safe Transaction Builder, with the checksum that it verifies.

use alloy_primitives::keccak256;
use dvkey_ceremony::Address;
use serde::Serialize;

use super::amount::Wei;
use super::contract::MAX_CALLDATA;
use super::json::{self, Field, FieldError, FieldProblem, Json, JsonError};

/// The largest file that is read as a batch, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;

/// The most transactions that one batch holds here.
pub const MAX_CALLS: usize = 100;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The chain.
    pub chain_id: u64,
    /// The Safe that the batch is for.
    pub safe: Option<Address>,
    /// What the app shows as its name.
    pub name: String,
    /// What it is for, in words.
    pub description: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at: u64,
    /// What is called, in order.
    pub calls: Vec<SafeCall>,
}

/// One transaction of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeCall {
    /// Who is called.
    pub to: Address,
    /// The ether that goes with it.
    pub value: Wei,
    /// The calldata.
    pub data: Vec<u8>,
    /// What a foreign batch says beside the calldata; nothing in what is written here.
    pub beside: Beside,
}

/// What stands beside the calldata of a call, and may say something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// `operation` 1: the Safe does not call the target, it runs the target's code as its own.
    pub delegates: bool,
    /// The signature of `contractMethod`, which the app shows.
    pub method: Option<String>,
    /// Whether `contractInputsValues` has values for it.
    pub values: bool,
}

/// Whether the checksum of a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It holds.
    Holds,
    /// It holds by the rule of the app's first versions, which counted the name.
    HoldsByOldRule,
    /// There is none.
    Absent,
    /// It does not hold: the file was changed after it was made.
    Broken,
}

/// Why a document is no batch that is read here.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SafeError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A transaction by method and arguments instead of calldata.
    #[error("transaction {0} has no calldata, only a method and its arguments, which are not read here")]
    NoCalldata(usize),
    /// No transaction, or more than a batch has.
    #[error("a batch of {0} transactions")]
    Count(usize),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    version: &'static str,
    chain_id: String,
    created_at: u64,
    meta: Meta<'a>,
    transactions: Vec<FileCall>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    name: &'a str,
    description: &'a str,
    created_from_safe_address: String,
    created_from_owner_address: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileCall {
    to: String,
    value: String,
    data: String,
    contract_method: Option<()>,
    contract_inputs_values: Option<()>,
}

impl Batch {
    /// The file, with its checksum.
    ///
    /// # Errors
    /// Those of the JSON writer, which strings and integers do not cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let calls = self.calls.iter().map(|call| FileCall {
            to: call.to.to_checksum(),
            value: call.value.get().to_string(),
            data: format!("0x{}", hex::encode(&call.data)),
            contract_method: None,
            contract_inputs_values: None,
        });
        let mut file = File {
            version: "1.0",
            chain_id: self.chain_id.to_string(),
            created_at: self.created_at,
            meta: Meta {
                name: &self.name,
                description: &self.description,
                created_from_safe_address: self.safe.map(|safe| safe.to_checksum()).unwrap_or_default(),
                created_from_owner_address: "",
                checksum: None,
            },
            transactions: calls.collect(),
        };
        // The checksum is over the document itself, so that it is computed from what a reader will see.
        if let Ok(document) = json::parse(&serde_json::to_vec(&file)?) {
            file.meta.checksum = Some(checksum(&document));
        }
        let mut bytes = serde_json::to_vec_pretty(&file)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a batch, ours or the app's.
    ///
    /// # Errors
    /// [`SafeError`]. A broken checksum is told, and no error.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Checksum), SafeError> {
        Self::from_json(&json::parse(bytes)?)
    }

    /// As [`Batch::parse`], from a document.
    ///
    /// # Errors
    /// [`SafeError`].
    pub fn from_json(document: &Json) -> Result<(Self, Checksum), SafeError> {
        let root = Field::root(document);
        let chain = root.get("chainId")?;
        let chain_id = super::transaction::quantity(&chain)?;
        let chain_id = u64::try_from(chain_id)
            .map_err(|_| chain.error(FieldProblem::Kind { wanted: "a chain id", found: chain_id.to_string() }))?;
        let meta = root.optional("meta")?;
        let text = |name: &str| -> Result<String, FieldError> {
            let Some(meta) = &meta else { return Ok(String::new()) };
            let text = meta.optional(name)?.map(|field| field.text()).transpose()?;
            Ok(text.unwrap_or_default().chars().take(1000).collect())
        };
        let safe = match text("createdFromSafeAddress")? {
            empty if empty.is_empty() => None,
            _ => meta
                .as_ref()
                .map(|meta| super::transaction::address(meta, "createdFromSafeAddress"))
                .transpose()?
                .flatten(),
        };
        let created_at = root.optional("createdAt")?.map(|created| created.integer()).transpose()?;
        let transactions = root.get("transactions")?.elements()?;
        if transactions.is_empty() || transactions.len() > MAX_CALLS {
            return Err(SafeError::Count(transactions.len()));
        }
        let mut calls = Vec::with_capacity(transactions.len());
        for (position, call) in transactions.iter().enumerate() {
            let data = call.optional("data")?.ok_or(SafeError::NoCalldata(position + 1))?;
            calls.push(SafeCall {
                to: super::transaction::address(call, "to")?.ok_or_else(|| call.missing("to"))?,
                value: Wei::new(super::transaction::quantity(&call.get("value")?)?),
                data: data.hex_up_to(MAX_CALLDATA)?,
                beside: Beside::read(call)?,
            });
        }
        let batch = Self {
            chain_id,
            safe,
            name: text("name")?,
            description: text("description")?,
            created_at: created_at.unwrap_or_default(),
            calls,
        };
        Ok((batch, verify(document)))
    }

    /// Whether a document claims to be a batch.
    #[must_use]
    pub fn is_batch(document: &Json) -> bool {
        matches!(document.get("transactions"), Some(Json::Array(_))) && document.get("chainId").is_some()
    }
}

impl Beside {
    fn read(call: &Field<'_>) -> Result<Self, FieldError> {
        let delegates = match call.optional("operation")? {
            None => false,
            Some(operation) => match super::transaction::quantity(&operation)? {
                0 => false,
                1 => true,
                other => {
                    let found = other.to_string();
                    return Err(operation.error(FieldProblem::Unsupported { found, wanted: "an operation is 0 or 1" }));
                }
            },
        };
        let method = match call.optional("contractMethod")? {
            None => None,
            Some(method) => {
                let name = super::text::shown(method.get("name")?.text()?, 60);
                let mut types = Vec::new();
                for input in method.optional("inputs")?.map(|inputs| inputs.elements()).transpose()?.unwrap_or_default()
                {
                    types.push(Self::kind_of(&input, 0)?);
                }
                Some(format!("{name}({})", types.join(",")))
            }
        };
        let values = call.optional("contractInputsValues")?;
        let values = values.is_some_and(|values| !matches!(values.value, Json::Object(fields) if fields.is_empty()));
        Ok(Self { delegates, method, values })
    }

    /// The type of an argument as a signature has it: a tuple by its parts.
    fn kind_of(input: &Field<'_>, depth: usize) -> Result<String, FieldError> {
        let kind = super::text::shown(input.get("type")?.text()?, 60);
        let Some(behind) = kind.strip_prefix("tuple").filter(|_| depth < 4) else { return Ok(kind) };
        let parts = input.get("components")?.elements()?;
        let parts: Vec<_> = parts.iter().map(|part| Self::kind_of(part, depth + 1)).collect::<Result<_, _>>()?;
        Ok(format!("({}){behind}", parts.join(",")))
    }
}

/// The checksum of a document by the rule in use: keccak256 of its serialisation with `meta.name` null and without
/// `meta.checksum`.
#[must_use]
pub fn checksum(document: &Json) -> String {
    sum(document, |name, _| match name {
        "checksum" => Altered::Left,
        "name" => Altered::Is(Json::Null),
        _ => Altered::Kept,
    })
}

/// The checksum by the rule of the app's first versions: `meta.name` counts, `meta.checksum` is empty.
#[must_use]
pub fn checksum_by_old_rule(document: &Json) -> String {
    sum(document, |name, _| match name {
        "checksum" => Altered::Is(Json::String(String::new())),
        _ => Altered::Kept,
    })
}

fn verify(document: &Json) -> Checksum {
    let given = document.get("meta").and_then(|meta| meta.get("checksum")).and_then(Json::as_str);
    match given {
        None | Some("") => Checksum::Absent,
        Some(given) if given == checksum(document) => Checksum::Holds,
        Some(given) if given == checksum_by_old_rule(document) => Checksum::HoldsByOldRule,
        Some(_) => Checksum::Broken,
    }
}

/// What becomes of a field of `meta` before it is summed.
enum Altered {
    Kept,
    Left,
    Is(Json),
}

fn sum(document: &Json, alter: impl Fn(&str, &Json) -> Altered) -> String {
    let Json::Object(fields) = document else { return serialised(document) };
    let mut fields = fields.clone();
    if let Some((_, Json::Object(meta))) = fields.iter_mut().find(|(name, _)| name == "meta") {
        let altered = meta.drain(..).filter_map(|(name, value)| match alter(&name, &value) {
            Altered::Kept => Some((name, value)),
            Altered::Left => None,
            Altered::Is(other) => Some((name, other)),
        });
        *meta = altered.collect();
    }
    let text = serialised(&Json::Object(fields));
    format!("0x{}", hex::encode(keccak256(text)))
}

/// The app's own serialisation: `[a,b]`; `{` + the sorted keys as a JSON array + each value in that order with a comma
/// behind it + `}`; everything else as JSON.
fn serialised(value: &Json) -> String {
    match value {
        Json::Array(elements) => format!("[{}]", elements.iter().map(serialised).collect::<Vec<_>>().join(",")),
        Json::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // JavaScript sorts by UTF-16 units.
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            let keys: Vec<_> = fields.iter().map(|(name, _)| quoted(name)).collect();
            let values: String = fields.iter().map(|(_, value)| serialised(value) + ",").collect();
            format!("{{[{}]{values}}}", keys.join(","))
        }
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quoted(text),
    }
}

/// A JSON string as JavaScript writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
