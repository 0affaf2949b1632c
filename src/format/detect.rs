//! What a file is, told from its content alone.

use super::ceremony_file::CeremonyFile;
use super::contract::call::Decoded;
use super::json::{self, Json, JsonError};
use super::receipt::ClusterEvent;
use super::safe::Batch;
use super::transaction::Raw;
use super::{armor, cluster_snapshot, journal, keyshares, operator_keystore, payload_file, plan, row_result};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An EIP-2335 keystore, or something that claims to be one.
    Keystore,
    /// The wallet of an account (keystore version 1 or 3).
    AccountWallet,
    /// A keyshares file.
    Keyshares,
    /// A provenance file of ours.
    Provenance,
    /// A list of operators.
    Operators,
    /// Deposit data as the launchpad takes it.
    DepositData,
    /// Proofs of an ssv-dkg ceremony.
    Proofs,
    /// Calldata for the SSV contract, as hexadecimal text.
    Calldata,
    /// Our file of calldata with its target.
    CalldataFile,
    /// Our file of a transaction that nobody has signed.
    UnsignedTransaction,
    /// A transaction object of any origin.
    Transaction,
    /// The bytes of a transaction, as they are or as hexadecimal text.
    RawTransaction,
    /// A batch for the Safe Transaction Builder.
    SafeBatch,
    /// The receipt of a transaction.
    Receipt,
    /// An event of a contract, or several.
    Event,
    /// The snapshot of a cluster, or several.
    ClusterSnapshot,
    /// What a batch is made from.
    Manifest,
    /// A frozen batch.
    BatchPlan,
    /// What a batch has done so far.
    BatchJournal,
    /// What became of a row of a batch.
    BatchResult,
    /// A node's encrypted operator key.
    OperatorKeystore,
    /// An RSA private key in the open.
    OperatorPrivateKey,
    /// An RSA public key.
    OperatorPublicKey,
    /// A file of an air-gapped ceremony, public.
    Ceremony,
    /// The vault of a participant of one.
    CeremonyVault,
    /// JSON of no known kind.
    OtherJson,
    /// Text of no known kind.
    OtherText,
    /// Bytes that are no text.
    Binary,
}

impl Kind {
    /// The kind in words, with an article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Keystore => "a validator keystore (EIP-2335)",
            Self::AccountWallet => "an account's wallet (keystore version 1 or 3), not a validator's",
            Self::Keyshares => "a keyshares file for the SSV Network",
            Self::Provenance => "the provenance of files that dvkey wrote",
            Self::Operators => "a list of SSV operators",
            Self::DepositData => "deposit data",
            Self::Proofs => "proofs of an ssv-dkg ceremony",
            Self::Calldata => "calldata for the SSV contract",
            Self::CalldataFile => "calldata for the SSV contract with its target, of dvkey tx",
            Self::UnsignedTransaction => "an unsigned transaction, of dvkey tx",
            Self::Transaction => "a transaction as JSON",
            Self::RawTransaction => "a raw transaction",
            Self::SafeBatch => "a batch for the Safe Transaction Builder",
            Self::Receipt => "the receipt of a transaction",
            Self::Event => "events of a contract",
            Self::ClusterSnapshot => "the snapshot of an SSV cluster",
            Self::Manifest => "the manifest of a batch",
            Self::BatchPlan => "the plan of a batch",
            Self::BatchJournal => "the journal of a batch",
            Self::BatchResult => "the result of a row of a batch",
            Self::OperatorKeystore => "an operator's encrypted private key",
            Self::OperatorPrivateKey => "an operator's private key, NOT encrypted",
            Self::OperatorPublicKey => "an operator's public key",
            Self::Ceremony => "a file of an air-gapped ceremony",
            Self::CeremonyVault => "the vault of a participant of a ceremony, which is SECRET",
            Self::OtherJson => "JSON of no kind that dvkey knows",
            Self::OtherText => "text of no kind that dvkey knows",
            Self::Binary => "a binary file of no kind that dvkey knows",
        }
    }

    /// Whether such a file is one JSON document.
    #[must_use]
    pub fn is_json(self) -> bool {
        !matches!(
            self,
            Self::Calldata
                | Self::RawTransaction
                | Self::Manifest
                | Self::BatchPlan
                | Self::BatchJournal
                | Self::OperatorPrivateKey
                | Self::OperatorPublicKey
                | Self::Ceremony
                | Self::CeremonyVault
                | Self::OtherText
                | Self::Binary
        )
    }

    /// Whether such a file has nothing to do with keys, shares and operators.
    #[must_use]
    pub fn is_other_document(self) -> bool {
        matches!(
            self,
            Self::CalldataFile
                | Self::UnsignedTransaction
                | Self::Transaction
                | Self::SafeBatch
                | Self::Receipt
                | Self::Event
                | Self::ClusterSnapshot
                | Self::BatchResult
                | Self::OtherJson
        )
    }

    /// A short stable name.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Keystore => "keystore",
            Self::AccountWallet => "account-wallet",
            Self::Keyshares => "keyshares",
            Self::Provenance => "provenance",
            Self::Operators => "operators",
            Self::DepositData => "deposit-data",
            Self::Proofs => "proofs",
            Self::Calldata => "calldata",
            Self::CalldataFile => "calldata-file",
            Self::UnsignedTransaction => "unsigned-transaction",
            Self::Transaction => "transaction",
            Self::RawTransaction => "raw-transaction",
            Self::SafeBatch => "safe-batch",
            Self::Receipt => "receipt",
            Self::Event => "event",
            Self::ClusterSnapshot => "cluster-snapshot",
            Self::Manifest => "batch-manifest",
            Self::BatchPlan => "batch-plan",
            Self::BatchJournal => "batch-journal",
            Self::BatchResult => "batch-result",
            Self::OperatorKeystore => "operator-keystore",
            Self::OperatorPrivateKey => "operator-private-key",
            Self::OperatorPublicKey => "operator-public-key",
            Self::Ceremony => "ceremony",
            Self::CeremonyVault => "ceremony-vault",
            Self::OtherJson => "json",
            Self::OtherText => "text",
            Self::Binary => "binary",
        }
    }
}

/// What a file is, and its document when it is JSON.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The kind.
    pub kind: Kind,
    /// The document, for JSON.
    pub document: Option<Json>,
    /// Why it is not JSON, for what looks like it or claims to be.
    pub broken: Option<JsonError>,
}

/// Tells what `bytes` are.
///
/// A broken file keeps the kind that its text claims: a truncated keystore is a keystore, so that nobody passes it over
/// as a stray.
#[must_use]
pub fn detect(bytes: &[u8]) -> Detected {
    let ceremony = match CeremonyFile::of(bytes) {
        Some(CeremonyFile::Vault) => Some(Kind::CeremonyVault),
        Some(_) => Some(Kind::Ceremony),
        None => None,
    };
    if let Some(kind) = ceremony {
        return Detected { kind, document: None, broken: None };
    }
    match json::parse(bytes) {
        Ok(document) if matches!(document, Json::Object(_) | Json::Array(_)) => match json_kind(&document) {
            // A line is a whole document, and a file of one line is one, too.
            kind @ (Kind::Manifest | Kind::BatchPlan) => Detected { kind, document: None, broken: None },
            kind => Detected { kind, document: Some(document), broken: None },
        },
        Ok(_) => Detected { kind: Kind::OtherText, document: None, broken: None },
        Err(error) => Detected { kind: text_kind(bytes), document: None, broken: Some(error) },
    }
}

fn json_kind(document: &Json) -> Kind {
    let has = |name: &str| document.get(name).is_some();
    let schema = document.get("schema").and_then(Json::as_str);
    // What carries shares as well is judged as shares, whatever it calls itself.
    if schema.is_some_and(|schema| schema.starts_with("dvkey.provenance/")) && !has("shares") && !has("payload") {
        return Kind::Provenance;
    }
    if let Json::Array(elements) = document
        && elements.iter().any(|element| element.get("crypto").is_some())
    {
        // Keystores in a list are read by nobody; they are keystores all the same, and broken ones.
        return Kind::Keystore;
    }
    if keyshares::is_keyshares(document) || (has("shares") && has("version")) {
        return Kind::Keyshares;
    }
    if has("crypto") || has("Crypto") {
        // An account's wallet says so by its version and its address. In doubt it is a keystore, and a broken one.
        let account = version_is(document, &["1", "3"]) && (has("address") || has("Crypto")) && !has("pubkey");
        return if account { Kind::AccountWallet } else { Kind::Keystore };
    }
    if version_is(document, &["4"]) && ["uuid", "path", "pubkey"].iter().any(|name| has(name)) {
        return Kind::Keystore;
    }
    if operator_keystore::is_encrypted_key_file(document) {
        return Kind::OperatorKeystore;
    }
    if ["keystore", "operators", "owner", "network"].iter().all(|name| has(name)) {
        return Kind::Manifest;
    }
    let sample = match document {
        Json::Array(elements) => elements.first().unwrap_or(document),
        _ => document,
    };
    // ssv-dkg writes the proofs of many validators as a list of lists.
    let sample = match sample {
        Json::Array(elements) => elements.first().unwrap_or(sample),
        _ => sample,
    };
    let any = |names: &[&str]| names.iter().any(|name| sample.get(name).is_some());
    if any(&["deposit_data_root", "deposit_message_root"]) {
        return Kind::DepositData;
    }
    if any(&["proof"]) && any(&["signature"]) {
        return Kind::Proofs;
    }
    let keys = ["operatorKey", "public_key", "publicKey", "pubkey", "operator_key"];
    if has("operators") || (any(&["id", "operatorId"]) && any(&keys)) || is_id_map(document) {
        return Kind::Operators;
    }
    if document.get("data").is_some_and(|data| data.get("operators").is_some()) {
        return Kind::Operators;
    }
    other_json_kind(document, schema)
}

/// What has nothing secret in it: transactions and what became of them.
fn other_json_kind(document: &Json, schema: Option<&str>) -> Kind {
    match schema {
        Some(payload_file::CALLDATA_SCHEMA) => return Kind::CalldataFile,
        Some(payload_file::UNSIGNED_SCHEMA) => return Kind::UnsignedTransaction,
        Some(cluster_snapshot::SCHEMA) => return Kind::ClusterSnapshot,
        Some(row_result::SCHEMA) => return Kind::BatchResult,
        Some(plan::SCHEMA) => return Kind::BatchPlan,
        _ => {}
    }
    if Batch::is_batch(document) {
        return Kind::SafeBatch;
    }
    let first = match document {
        Json::Array(elements) => elements.first().unwrap_or(document),
        _ => document,
    };
    if ClusterEvent::is_event(first) {
        return Kind::Event;
    }
    let inner = ["result", "data", "transaction", "tx"].iter().find_map(|name| document.get(name));
    let inner = inner.filter(|value| matches!(value, Json::Object(_))).unwrap_or(document);
    let has = |name: &str| inner.get(name).is_some();
    if has("logs") && has("status") {
        return Kind::Receipt;
    }
    if has("to") && (has("data") || has("input")) {
        return Kind::Transaction;
    }
    let is_cluster = |value: &Json| value.get("validatorCount").is_some() && value.get("networkFeeIndex").is_some();
    let holds = |name: &str| match inner.get(name) {
        Some(Json::Array(elements)) => elements.first().is_some_and(is_cluster),
        other => other.is_some_and(is_cluster),
    };
    if is_cluster(inner) || ["cluster", "clusters", "cluster snapshot"].iter().any(|name| holds(name)) {
        return Kind::ClusterSnapshot;
    }
    Kind::OtherJson
}

/// What a text or bytes are that are no single document, and hold nothing secret.
fn public_kind(bytes: &[u8]) -> Option<Kind> {
    let trimmed = bytes.trim_ascii();
    if let Some(digits) = std::str::from_utf8(trimmed).ok().and_then(|text| text.strip_prefix("0x")) {
        let bytes = hex::decode(digits).ok()?;
        // Nothing that a secret could look like: the bytes are all accounted for.
        if Decoded::from_calldata(&bytes).is_ok_and(|decoded| decoded.canonical) {
            return Some(Kind::Calldata);
        }
        return (bytes.len() > 64 && Raw::decode(&bytes).is_ok()).then_some(Kind::RawTransaction);
    }
    if bytes.len() > 64 && matches!(bytes, [2 | 0xf8..=0xfa, ..]) && Raw::decode(bytes).is_ok() {
        return Some(Kind::RawTransaction);
    }
    let line = trimmed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(trimmed).split(|byte| *byte == b'\n').next()?;
    let line = line.get(..64 << 10).unwrap_or(line).trim_ascii();
    if let Ok(journal::Entry::Opened { .. }) = journal::Entry::parse(line) {
        return Some(Kind::BatchJournal);
    }
    if line.starts_with(b"{") {
        let kind = json_kind(&json::parse(line).ok()?);
        return matches!(kind, Kind::Manifest | Kind::BatchPlan).then_some(kind);
    }
    let columns: Vec<_> =
        std::str::from_utf8(line).ok()?.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let all = ["keystore", "operators", "owner", "network"].iter().all(|name| columns.contains(name));
    all.then_some(Kind::Manifest)
}

fn version_is(document: &Json, versions: &[&str]) -> bool {
    match document.get("version") {
        Some(Json::Number(number)) => versions.contains(&number.to_string().as_str()),
        Some(Json::String(text)) => versions.contains(&text.as_str()),
        _ => false,
    }
}

fn is_id_map(document: &Json) -> bool {
    let Json::Object(fields) = document else { return false };
    let id = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    !fields.is_empty() && fields.iter().all(|(name, value)| id(name) && value.as_str().is_some())
}

/// What a text that is not JSON claims to be.
fn text_kind(bytes: &[u8]) -> Kind {
    if let Some(kind) = public_kind(bytes) {
        return kind;
    }
    let start = bytes.get(..64 << 10).unwrap_or(bytes);
    let contains = |needle: &str| start.windows(needle.len()).any(|window| window == needle.as_bytes());
    let trimmed = bytes.trim_ascii_start();
    if trimmed.starts_with(b"-----BEGIN AGDKG1") && armor::is_armored(start) {
        return Kind::Ceremony;
    }
    if trimmed.starts_with(b"-----BEGIN") {
        return if contains("PRIVATE KEY-----") {
            Kind::OperatorPrivateKey
        } else if contains("PUBLIC KEY-----") {
            Kind::OperatorPublicKey
        } else {
            Kind::OtherText
        };
    }
    // base64 of "-----BEGIN RSA P": the next letters tell private from public.
    if trimmed.starts_with(b"LS0tLS1CRUdJTi") {
        return if contains("LS0tLS1CRUdJTiBSU0EgUFVCTE") || contains("LS0tLS1CRUdJTiBQVUJMSU") {
            Kind::OperatorPublicKey
        } else {
            Kind::OperatorPrivateKey
        };
    }
    let object = trimmed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(trimmed).starts_with(b"{");
    if object && (contains("\"sharesData\"") || contains("\"operatorIds\"")) {
        return Kind::Keyshares;
    }
    if object && contains("\"crypto\"") && (contains("\"kdf\"") || contains("\"cipher\"")) {
        return Kind::Keystore;
    }
    if std::str::from_utf8(start).is_ok_and(|text| !text.contains('\0')) { Kind::OtherText } else { Kind::Binary }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content() {
        for (text, kind) in [
            (r#"{"crypto":{"kdf":{}},"version":4}"#, Kind::Keystore),
            (r#"{"crypto":{"kdf":{},"ciph"#, Kind::Keystore),
            (r#"{"address":"00","crypto":{},"version":3}"#, Kind::AccountWallet),
            (r#"{"address":"00","crypto":{},"version":4}"#, Kind::Keystore),
            (r#"{"crypto":{},"version":3}"#, Kind::Keystore),
            (r#"{"pubkey":"00","uuid":"00","version":4}"#, Kind::Keystore),
            (r#"{"version":"v1.2.0","shares":null}"#, Kind::Keyshares),
            (r#"{"data":{},"payload":{"operatorIds":[]}}"#, Kind::Keyshares),
            (r#"{"shares":[{"payload":{"sharesData":"0x"#, Kind::Keyshares),
            (r#"{"schema":"dvkey.provenance/1"}"#, Kind::Provenance),
            (r#"{"schema":"dvkey.provenance/1","shares":[]}"#, Kind::Keyshares),
            (r#"{"schema":"dvkey.provenance/1","payload":{"operatorIds":[]}}"#, Kind::Keyshares),
            (r#"[{"id":1,"public_key":"k"}]"#, Kind::Operators),
            (r#"{"operators":[]}"#, Kind::Operators),
            (r#"{"1":"k"}"#, Kind::Operators),
            (r#"[{"pubkey":"aa","deposit_data_root":"bb"}]"#, Kind::DepositData),
            (r#"[{"proof":{},"signature":"aa"}]"#, Kind::Proofs),
            (r#"[[{"proof":{},"signature":"aa"}]]"#, Kind::Proofs),
            (r#"{"checksum":{},"cipher":{},"kdf":{}}"#, Kind::OperatorKeystore),
            (r#"{"schema":"dvkey.calldata/1"}"#, Kind::CalldataFile),
            (r#"{"schema":"dvkey.unsigned/1","transaction":{}}"#, Kind::UnsignedTransaction),
            (r#"{"schema":"dvkey.cluster/1"}"#, Kind::ClusterSnapshot),
            (r#"{"schema":"dvkey.batch-result/1"}"#, Kind::BatchResult),
            ("{\"schema\":\"dvkey.batch-plan/1\"}\n{\"input\":1}\n", Kind::BatchPlan),
            (r#"{"schema":"dvkey.batch-plan/1"}"#, Kind::BatchPlan),
            ("keystore,operators,owner,network\na,b,c,d\n", Kind::Manifest),
            (r#"{"keystore":"a","operators":"b","owner":"c","network":"d"}"#, Kind::Manifest),
            ("{\"keystore\":\"a\",\"operators\":\"b\",\"owner\":\"c\",\"network\":\"d\"}\n{}\n", Kind::Manifest),
            (r#"{"chainId":"1","transactions":[]}"#, Kind::SafeBatch),
            (r#"{"jsonrpc":"2.0","result":{"status":"0x1","logs":[]}}"#, Kind::Receipt),
            (r#"[{"topics":[],"data":"0x"}]"#, Kind::Event),
            (r#"{"eventName":"ValidatorAdded","args":{}}"#, Kind::Event),
            (r#"{"result":{"to":"0x","input":"0x"}}"#, Kind::Transaction),
            (r#"{"data":{"clusters":[{"validatorCount":1,"networkFeeIndex":2}]}}"#, Kind::ClusterSnapshot),
            (r#"{"block":1,"cluster snapshot":{"validatorCount":1,"networkFeeIndex":2}}"#, Kind::ClusterSnapshot),
            ("0x0d8e6e2c\n", Kind::Calldata),
            // A call and what may be a secret behind it; and the digits of a key.
            ("0x0d8e6e2c00000000000000000000000000000000000000000000000000000000", Kind::OtherText),
            ("0x02f8618d05ac3be9888e148a50e452b41098c88beb2a816a532bcdad5172586f", Kind::OtherText),
            ("-----BEGIN RSA PRIVATE KEY-----\n", Kind::OperatorPrivateKey),
            ("-----BEGIN RSA PUBLIC KEY-----\n", Kind::OperatorPublicKey),
            ("LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ", Kind::OperatorPrivateKey),
            ("LS0tLS1CRUdJTiBSU0EgUFVCTElDIEtFWS0tLS0tCk", Kind::OperatorPublicKey),
            ("{}", Kind::OtherJson),
            ("[]", Kind::OtherJson),
            ("7", Kind::OtherText),
            ("hello", Kind::OtherText),
            ("", Kind::OtherText),
        ] {
            assert_eq!(detect(text.as_bytes()).kind, kind, "{text}");
        }
        assert_eq!(detect(b"\x7fELF\0\0").kind, Kind::Binary);
    }
}
