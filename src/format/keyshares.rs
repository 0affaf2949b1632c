//! The keyshares.json of ssv-keys, the SSV SDK, ssv-dkg and others: read with all its variants, written in one.

use std::io::{self, BufRead};

use dvkey_ceremony::{Address, Nonce, OperatorId, PublicKey, SharePublicKey, Signature};
use serde::Serialize;

use super::json::{self, Field, FieldError, FieldProblem, Json};
use super::operators::{Operator, OperatorsError, WRAPS_ELSEWHERE, read_id};
use super::text::shown;
use crate::crypto::operator_key::SEALED_BYTES;

/// The largest file that is read as keyshares, in bytes: some 6,000 validators of 13 operators.
pub const MAX_BYTES: u64 = 128 << 20;

/// The version string that is written.
pub const VERSION: &str = "v1.2.0";

/// The bytes of `sharesData` for n operators: signature, n share public keys, n sealed shares.
#[must_use]
pub fn shares_data_length(n: usize) -> usize {
    Signature::BYTES + n * (PublicKey::BYTES + SEALED_BYTES)
}

/// A keyshares file, as far as its structure holds. Whether the content is right is for the workflow `verify` to say.
#[derive(Clone, Debug)]
pub struct KeysharesFile {
    /// The `version` string.
    pub version: Option<String>,
    /// One result for each validator.
    pub items: Vec<Result<Item, ItemError>>,
    /// What is unusual and harmless.
    pub oddities: Vec<Oddity>,
}

/// One validator of the file.
#[derive(Clone, Debug)]
pub struct Item {
    /// What describes the registration; absent in some files.
    pub data: Option<Data>,
    /// What is sent to the contract.
    pub payload: Payload,
}

/// The descriptive half of an item. Each field may be absent.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The owner's nonce; any integer, since the file may be wrong.
    pub nonce: Option<u64>,
    /// The owner's address, as written.
    pub owner: Option<String>,
    /// The validator public key.
    pub public_key: Option<Vec<u8>>,
    /// The operators, in the file's order; keys as written, where they are.
    pub operators: Option<Vec<(OperatorId, Option<String>)>>,
}

/// The half that is sent to the contract.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The validator public key, not yet decoded.
    pub public_key: Vec<u8>,
    /// The operator ids, in the file's order.
    pub operator_ids: Vec<OperatorId>,
    /// Signature, share public keys, sealed shares.
    pub shares_data: Vec<u8>,
}

/// Why an item cannot be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ItemError {
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// An operator id is none.
    #[error(transparent)]
    Operator(#[from] OperatorsError),
    /// Two fields hold what should stand once: readers differ in which of them they take.
    #[error("both {0} and {1}: readers differ in which of them they take")]
    TwoOfOne(&'static str, &'static str),
}

/// A difference from the usual form that changes nothing on chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// A byte order mark at the start.
    ByteOrderMark,
    /// No version string.
    NoVersion,
    /// A version other than the one that is written here.
    OtherVersion(String),
    /// No creation time.
    NoCreatedAt,
    /// One item at the top level instead of a list.
    SingleItem,
    /// The payload's field is called `shares`, as before version 1.0.1.
    OldFieldName,
    /// No `data`.
    NoData,
    /// A descriptive field is missing.
    MissingField(&'static str),
    /// A field that the format does not have.
    UnknownField(String),
    /// The nonce is a string.
    NonceAsText,
    /// The nonce is written with a fraction of zero.
    NonceAsFraction,
    /// Ids of the payload are strings.
    IdsAsText,
    /// Ids in `data` are strings.
    DataIdsAsText,
    /// Hexadecimal in upper case.
    UpperCaseHex,
    /// `sharesData` without 0x.
    NoHexPrefix,
    /// A public key without 0x.
    NoKeyPrefix,
    /// Hexadecimal that begins with 0X.
    UpperCasePrefix,
    /// An operator id that other readers take for another number.
    WrappingId,
    /// An operator key in another form than PEM or base64 of it.
    OperatorKeyForm,
    /// The items have different operators.
    SeveralClusters,
    /// The descriptive operators are in another order than the payload's.
    OperatorsUnsorted,
    /// The owner address has mixed case whose checksum does not hold.
    OwnerChecksum,
}

/// Why a document is not a keyshares file at all.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a keyshares file: neither a list `shares` nor one item of `data` and `payload`")]
pub struct NotKeyshares;

/// Whether a document claims to be a keyshares file.
#[must_use]
pub fn is_keyshares(document: &Json) -> bool {
    document.get("shares").is_some_and(|shares| matches!(shares, Json::Array(_) | Json::Null)) || is_single(document)
}

fn is_single(document: &Json) -> bool {
    let looks_like_a_payload = |payload: &Json| payload.get("operatorIds").is_some();
    document.get("payload").is_some_and(looks_like_a_payload)
}

impl KeysharesFile {
    /// Reads the structure of a document.
    ///
    /// # Errors
    /// [`NotKeyshares`] when it is something else. What is wrong inside an item is that item's error.
    pub fn from_json(document: &Json, byte_order_mark: bool) -> Result<Self, NotKeyshares> {
        if !is_keyshares(document) {
            return Err(NotKeyshares);
        }
        let root = Field::root(document);
        let mut oddities = Vec::new();
        if byte_order_mark {
            oddities.push(Oddity::ByteOrderMark);
        }
        let version = document.get("version").and_then(Json::as_str).map(str::to_owned);
        match &version {
            None => oddities.push(Oddity::NoVersion),
            Some(version) if version != VERSION => {
                oddities.push(Oddity::OtherVersion(version.chars().take(40).collect()));
            }
            Some(_) => {}
        }
        if document.get("createdAt").is_none() {
            oddities.push(Oddity::NoCreatedAt);
        }
        if is_single(document) && document.get("shares").is_some() {
            let items = vec![Err(ItemError::TwoOfOne("shares", "payload"))];
            return Ok(Self { version, items, oddities });
        }
        let elements = if is_single(document) {
            oddities.push(Oddity::SingleItem);
            unknown_fields(&root, &["version", "createdAt", "data", "payload"], &mut oddities);
            vec![root]
        } else {
            unknown_fields(&root, &["version", "createdAt", "shares"], &mut oddities);
            // `null` is how the peers write an empty list.
            root.get("shares").and_then(|shares| shares.elements()).unwrap_or_default()
        };
        let items: Vec<_> = elements.iter().map(|element| read_item(element, &mut oddities)).collect();
        let mut clusters = items.iter().flatten().map(|item| &item.payload.operator_ids);
        if let Some(first) = clusters.next()
            && clusters.any(|cluster| cluster != first)
        {
            oddities.push(Oddity::SeveralClusters);
        }
        oddities.sort();
        oddities.dedup();
        Ok(Self { version, items, oddities })
    }
}

/// The parts of a `sharesData` of the right length.
#[derive(Clone, Debug)]
pub struct SharesData<'a> {
    /// The owner:nonce signature, compressed.
    pub signature: &'a [u8],
    /// The share public keys, compressed, in the order of the ids.
    pub share_public_keys: Vec<&'a [u8]>,
    /// The sealed shares, in the order of the ids.
    pub sealed_shares: Vec<&'a [u8; SEALED_BYTES]>,
}

impl<'a> SharesData<'a> {
    /// Cuts the bytes for `n` operators; `None` unless the length is exactly right.
    #[must_use]
    pub fn cut(bytes: &'a [u8], n: usize) -> Option<Self> {
        if bytes.len() != shares_data_length(n) {
            return None;
        }
        let (signature, rest) = bytes.split_at_checked(Signature::BYTES)?;
        let (keys, sealed) = rest.split_at_checked(n * PublicKey::BYTES)?;
        let (sealed, _) = sealed.as_chunks();
        Some(Self {
            signature,
            share_public_keys: keys.chunks_exact(PublicKey::BYTES).collect(),
            sealed_shares: sealed.iter().collect(),
        })
    }
}

fn read_item(item: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<Item, ItemError> {
    if !item.path().is_empty() {
        unknown_fields(item, &["data", "payload"], oddities);
    }
    let payload = read_payload(&item.get("payload")?, oddities)?;
    let data = match item.optional("data")? {
        None => {
            oddities.push(Oddity::NoData);
            None
        }
        Some(data) => Some(read_data(&data, &payload.operator_ids, oddities)?),
    };
    Ok(Item { data, payload })
}

fn read_payload(payload: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<Payload, ItemError> {
    let (new, old) = (payload.optional("sharesData")?, payload.optional("shares")?);
    if let (Some(new), Some(old)) = (new, old)
        && new.value != old.value
    {
        return Err(ItemError::TwoOfOne("payload.sharesData", "payload.shares"));
    }
    let shares_data = match payload.optional("sharesData")? {
        Some(field) => field,
        None => match payload.optional("shares")? {
            Some(field) => {
                oddities.push(Oddity::OldFieldName);
                field
            }
            None => payload.get("sharesData")?,
        },
    };
    unknown_fields(payload, &["publicKey", "operatorIds", "sharesData", "shares", "amount", "cluster"], oddities);
    let mut operator_ids = Vec::new();
    for element in payload.get("operatorIds")?.elements()? {
        if element.value.as_str().is_some() {
            oddities.push(Oddity::IdsAsText);
        }
        let id = read_id(&element)?;
        if id.get() >= WRAPS_ELSEWHERE {
            oddities.push(Oddity::WrappingId);
        }
        operator_ids.push(id);
    }
    Ok(Payload {
        public_key: noted_hex(&payload.get("publicKey")?, Oddity::NoKeyPrefix, oddities)?,
        operator_ids,
        shares_data: noted_hex(&shares_data, Oddity::NoHexPrefix, oddities)?,
    })
}

fn read_data(data: &Field<'_>, payload_ids: &[OperatorId], oddities: &mut Vec<Oddity>) -> Result<Data, ItemError> {
    unknown_fields(data, &["ownerNonce", "ownerAddress", "publicKey", "operators"], oddities);
    let mut read = Data::default();
    for (name, field) in
        ["ownerNonce", "ownerAddress", "publicKey", "operators"].map(|name| (name, data.optional(name)))
    {
        let Some(field) = field? else {
            oddities.push(Oddity::MissingField(name));
            continue;
        };
        match name {
            "ownerNonce" => read.nonce = Some(read_nonce(&field, oddities)?),
            "ownerAddress" => {
                let text = field.text()?;
                if matches!(text.parse::<Address>(), Err(dvkey_ceremony::address::AddressError::Checksum { .. })) {
                    oddities.push(Oddity::OwnerChecksum);
                }
                read.owner = Some(text.chars().take(64).collect());
            }
            "publicKey" => read.public_key = Some(noted_hex(&field, Oddity::NoKeyPrefix, oddities)?),
            _ => {
                let mut operators = Vec::new();
                for operator in field.elements()? {
                    unknown_fields(&operator, &["id", "operatorKey"], oddities);
                    let id = operator.get("id")?;
                    if id.value.as_str().is_some() {
                        oddities.push(Oddity::DataIdsAsText);
                    }
                    let key = operator.optional("operatorKey")?.map(|key| key.text().map(str::to_owned)).transpose()?;
                    match &key {
                        None => oddities.push(Oddity::MissingField("operators[].operatorKey")),
                        Some(text) if !is_usual_key_text(text) => oddities.push(Oddity::OperatorKeyForm),
                        Some(_) => {}
                    }
                    operators.push((read_id(&id)?, key));
                }
                let mut sorted: Vec<_> = operators.iter().map(|(id, _)| *id).collect();
                let in_order = sorted == payload_ids;
                sorted.sort_unstable();
                if !in_order && sorted == payload_ids {
                    oddities.push(Oddity::OperatorsUnsorted);
                }
                read.operators = Some(operators);
            }
        }
    }
    Ok(read)
}

fn read_nonce(field: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<u64, FieldError> {
    let text = match field.value {
        Json::String(text) => {
            oddities.push(Oddity::NonceAsText);
            text.clone()
        }
        Json::Number(number) if number.is_f64() => {
            // `7.0` is the integer 7 to every reader in JavaScript.
            let text = number.to_string();
            let Some(whole) = text.strip_suffix(".0") else { return field.integer() };
            oddities.push(Oddity::NonceAsFraction);
            whole.to_owned()
        }
        _ => return field.integer(),
    };
    let canonical =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let parsed = if canonical { text.parse().ok() } else { None };
    parsed.ok_or_else(|| {
        let found = text.chars().take(40).collect();
        field.error(FieldProblem::Unsupported { found, wanted: "a nonce is a whole number" })
    })
}

/// PEM, or base64 of it, which is how operators register.
fn is_usual_key_text(text: &str) -> bool {
    text.starts_with("LS0tLS1CRUdJTiBSU0EgUFVCTElDIEtFWS0tLS0t") || text.starts_with("-----BEGIN RSA PUBLIC KEY-----")
}

fn noted_hex(field: &Field<'_>, no_prefix: Oddity, oddities: &mut Vec<Oddity>) -> Result<Vec<u8>, FieldError> {
    let text = field.text()?;
    let digits = match text.strip_prefix("0X") {
        Some(digits) => {
            oddities.push(Oddity::UpperCasePrefix);
            digits
        }
        None => {
            if !text.starts_with("0x") {
                oddities.push(no_prefix);
            }
            text
        }
    };
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        oddities.push(Oddity::UpperCaseHex);
    }
    field.hex_up_to(1 << 20)
}

fn unknown_fields(object: &Field<'_>, known: &[&str], oddities: &mut Vec<Oddity>) {
    for (name, _) in object.entries().unwrap_or_default() {
        // A few are enough for a message.
        if !known.contains(&name) && oddities.len() < 10_000 {
            oddities.push(Oddity::UnknownField(shown(name, 40)));
        }
    }
}

/// A validator as it is written to the file.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// The validator public key.
    pub public_key: PublicKey,
    /// The registration nonce.
    pub nonce: Nonce,
    /// The owner:nonce signature.
    pub signature: Signature,
    /// The share public keys, ascending by operator.
    pub share_public_keys: Vec<SharePublicKey>,
    /// The sealed shares, ascending by operator.
    pub sealed_shares: Vec<[u8; SEALED_BYTES]>,
}

impl NewItem {
    /// The validator's, and those of its shares.
    pub fn public_keys(&self) -> impl Iterator<Item = PublicKey> {
        std::iter::once(self.public_key).chain(self.share_public_keys.iter().map(|share| share.public_key))
    }
}

/// Writes the file as ssv-keys 1.2.0 does: two-space indentation, fields in its order, no newline at the end.
///
/// `owner` is the text of the address as it was given; `created_at` is UTC as JavaScript writes it.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write(
    items: &[NewItem],
    owner: &str,
    operators: &[Operator],
    created_at: &str,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut writer = Writer::new(owner, operators);
    let mut text = Writer::start(created_at)?;
    for item in items {
        text += &writer.item(item.public_key.as_bytes(), item.nonce, &shares_data(item))?;
    }
    text += writer.end();
    Ok(text.into_bytes())
}

/// Writes the file piece by piece; the pieces together are what [`write`] gives.
#[derive(Debug)]
pub struct Writer<'a> {
    owner: &'a str,
    operators: Vec<WrittenOperator<'a>>,
    items: usize,
}

impl<'a> Writer<'a> {
    /// A file for these operators, ascending by id, and this owner, as it is to be written.
    #[must_use]
    pub fn new(owner: &'a str, operators: &'a [Operator]) -> Self {
        let operators = operators
            .iter()
            .map(|operator| WrittenOperator { id: operator.id.get(), operator_key: &operator.key.text })
            .collect();
        Self { owner, operators, items: 0 }
    }

    /// The piece before the first item.
    ///
    /// # Errors
    /// As [`write`].
    pub fn start(created_at: &str) -> Result<String, serde_json::Error> {
        let (version, created_at) = (serde_json::to_string(VERSION)?, serde_json::to_string(created_at)?);
        Ok(format!("{{\n  \"version\": {version},\n  \"createdAt\": {created_at},\n  \"shares\": ["))
    }

    /// The piece of the next item.
    ///
    /// # Errors
    /// As [`write`].
    pub fn item(
        &mut self,
        public_key: &[u8; PublicKey::BYTES],
        nonce: Nonce,
        shares_data: &[u8],
    ) -> Result<String, serde_json::Error> {
        let public_key = format!("0x{}", hex::encode(public_key));
        let item = serde_json::to_string_pretty(&WrittenItem {
            data: WrittenData {
                owner_nonce: nonce.get(),
                owner_address: self.owner,
                public_key: public_key.clone(),
                operators: &self.operators,
            },
            payload: WrittenPayload {
                public_key,
                operator_ids: self.operators.iter().map(|operator| operator.id).collect(),
                shares_data: format!("0x{}", hex::encode(shares_data)),
            },
        })?;
        let mut text = String::with_capacity(item.len() + 256);
        if self.items > 0 {
            text.push(',');
        }
        for line in item.lines() {
            text += "\n    ";
            text += line;
        }
        self.items += 1;
        Ok(text)
    }

    /// The piece after the last item.
    #[must_use]
    pub fn end(&self) -> &'static str {
        if self.items == 0 { "]\n}" } else { "\n  ]\n}" }
    }

    /// How many items a file can have that is still read as one; their length depends on the operators only.
    ///
    /// # Errors
    /// As [`write`].
    pub fn most_items(owner: &str, operators: &[Operator]) -> Result<usize, serde_json::Error> {
        let mut writer = Writer::new(owner, operators);
        let longest = vec![0; shares_data_length(operators.len())];
        let item = writer.item(&[0; PublicKey::BYTES], Nonce::from(u16::MAX), &longest)?.len() as u64 + 1;
        Ok(usize::try_from((MAX_BYTES - 1024) / item).unwrap_or(usize::MAX))
    }
}

/// Reads a file that [`write`] or [`Writer`] wrote, a few items at a time, each time as a file of its own.
#[derive(Debug)]
pub struct Pieces<R> {
    reader: R,
    start: Vec<u8>,
    is_at_end: bool,
}

impl<R: BufRead> Pieces<R> {
    /// Reads the piece before the first item.
    ///
    /// # Errors
    /// Those of the reader; `InvalidData` for a file of another form.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let mut start = Vec::new();
        while !start.ends_with(b"\n  \"shares\": [\n") {
            if start.len() > 4096 || reader.read_until(b'\n', &mut start)? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(Self { reader, start, is_at_end: false })
    }

    /// The next `most` items, or those that are left, as a file; `None` behind the last one.
    ///
    /// # Errors
    /// As [`Pieces::new`].
    pub fn next_piece(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        if self.is_at_end {
            return Ok(None);
        }
        let mut piece = self.start.clone();
        let mut items = 0;
        let mut line = Vec::new();
        while items < most && !self.is_at_end {
            line.clear();
            if self.reader.read_until(b'\n', &mut line)? == 0 || line.len() > MAX_ITEM_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match line.as_slice() {
                b"    },\n" => {
                    items += 1;
                    // What follows the last item of a piece is not a comma.
                    piece.extend_from_slice(if items < most { b"    },\n" } else { b"    }\n" });
                }
                b"    }\n" => {
                    piece.extend_from_slice(&line);
                    line.clear();
                    self.reader.read_to_end(&mut line)?;
                    if line != b"  ]\n}" {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    self.is_at_end = true;
                }
                _ => piece.extend_from_slice(&line),
            }
        }
        piece.extend_from_slice(b"  ]\n}");
        Ok(Some(piece))
    }
}

/// No line of an item is longer, with 13 operators.
const MAX_ITEM_LINE: usize = 64 << 10;

/// The `sharesData` of a validator: signature || share public keys || sealed shares.
#[must_use]
pub fn shares_data(item: &NewItem) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(shares_data_length(item.sealed_shares.len()));
    bytes.extend_from_slice(item.signature.as_bytes());
    for share in &item.share_public_keys {
        bytes.extend_from_slice(share.public_key.as_bytes());
    }
    for sealed in &item.sealed_shares {
        bytes.extend_from_slice(sealed);
    }
    bytes
}

#[derive(Serialize)]
struct WrittenItem<'a> {
    data: WrittenData<'a>,
    payload: WrittenPayload,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenData<'a> {
    owner_nonce: u16,
    owner_address: &'a str,
    public_key: String,
    operators: &'a [WrittenOperator<'a>],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOperator<'a> {
    id: u64,
    operator_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenPayload {
    public_key: String,
    operator_ids: Vec<u64>,
    shares_data: String,
}

/// Reads a whole file.
///
/// # Errors
/// [`KeysharesError`].
pub fn parse(bytes: &[u8]) -> Result<KeysharesFile, KeysharesError> {
    let document = json::parse(bytes)?;
    Ok(KeysharesFile::from_json(&document, json::has_byte_order_mark(bytes))?)
}

/// Why bytes are not a keyshares file.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeysharesError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] json::JsonError),
    /// Something else.
    #[error(transparent)]
    NotKeyshares(#[from] NotKeyshares),
}
