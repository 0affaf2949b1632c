//! Deposit data as deposit-cli, ssv-dkg and others write it and the launchpad reads it: read with its variants, written in one.

use dvkey_ceremony::{DepositData, ForkVersion, Gwei};
use serde::Serialize;

use super::json::{self, Field, FieldError, FieldProblem, Json, JsonError};
use super::network::Network;
use super::text::shown;

/// The largest file that is read as deposit data, in bytes: more than 100,000 deposits.
pub const MAX_BYTES: u64 = 128 << 20;

/// The version of deposit-cli whose form is written. The launchpad refuses files below [`OLDEST_CLI`].
pub const CLI_VERSION: &str = "2.8.0";

/// The oldest version that the launchpad and ssv-dkg take.
pub const OLDEST_CLI: (u64, u64, u64) = (2, 7, 0);

/// A file of deposit data, as far as its structure holds. Whether it is right is for the workflow `verify` to say.
#[derive(Clone, Debug)]
pub struct DepositFile {
    /// One result for each deposit.
    pub entries: Vec<Result<Entry, FieldError>>,
    /// What is unusual.
    pub oddities: Vec<Oddity>,
}

/// One deposit, as the file has it: nothing is decoded, nothing is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The validator public key.
    pub public_key: [u8; 48],
    /// The withdrawal credentials.
    pub credentials: [u8; 32],
    /// The amount.
    pub amount: Gwei,
    /// The signature.
    pub signature: [u8; 96],
    /// `hash_tree_root(DepositMessage)`, as claimed.
    pub message_root: [u8; 32],
    /// `hash_tree_root(DepositData)`, as claimed.
    pub data_root: [u8; 32],
    /// The genesis fork version of the network.
    pub fork_version: ForkVersion,
    /// The name of the network, where it is named.
    pub network_name: Option<String>,
}

/// A difference from the usual form or content. The chain minds none of them; some readers and most owners do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// A byte order mark at the start.
    ByteOrderMark,
    /// One deposit at the top level instead of a list.
    SingleEntry,
    /// An amount is a string.
    AmountAsText,
    /// Hexadecimal with 0x.
    HexPrefix,
    /// Hexadecimal in upper case.
    UpperCaseHex,
    /// No name of a network.
    NoNetworkName,
    /// No version of deposit-cli.
    NoCliVersion,
    /// A version of deposit-cli that is too old, or is none.
    OldCliVersion(String),
    /// A field that the format does not have.
    UnknownField(String),
    /// Credentials of a BLS key (0x00): nothing is paid out before they are changed.
    BlsCredentials,
    /// More than the 32 ETH that count with 0x01 credentials: the rest is paid back and never earns.
    MoreThanCounts,
}

/// Why bytes are not deposit data.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DepositFileError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Neither a list nor one deposit.
    #[error("not deposit data: neither a list of deposits nor a single one")]
    Shape,
}

impl DepositFile {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`DepositFileError`]. What is wrong inside a deposit is that deposit's error.
    pub fn parse(bytes: &[u8]) -> Result<Self, DepositFileError> {
        Self::from_json(&json::parse(bytes)?, json::has_byte_order_mark(bytes))
    }

    /// As [`DepositFile::parse`], from a document.
    ///
    /// # Errors
    /// [`DepositFileError::Shape`].
    pub fn from_json(document: &Json, byte_order_mark: bool) -> Result<Self, DepositFileError> {
        let mut oddities = Vec::new();
        if byte_order_mark {
            oddities.push(Oddity::ByteOrderMark);
        }
        let root = Field::root(document);
        let elements = match document {
            Json::Array(_) => root.elements().unwrap_or_default(),
            Json::Object(_) => {
                oddities.push(Oddity::SingleEntry);
                vec![root]
            }
            _ => return Err(DepositFileError::Shape),
        };
        let entries = elements.iter().map(|element| read_entry(element, &mut oddities)).collect();
        oddities.sort();
        oddities.dedup();
        Ok(Self { entries, oddities })
    }
}

/// The fields, in the order in which deposit-cli writes them.
const FIELDS: [&str; 9] = [
    "pubkey",
    "withdrawal_credentials",
    "amount",
    "signature",
    "deposit_message_root",
    "deposit_data_root",
    "fork_version",
    "network_name",
    "deposit_cli_version",
];

fn read_entry(entry: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<Entry, FieldError> {
    for (name, _) in entry.entries()? {
        if let Some(known) = FIELDS.into_iter().find(|known| *known != name && known.eq_ignore_ascii_case(name)) {
            let path = shown(name, 40);
            return Err(FieldError { path, problem: FieldProblem::Spelling { known } });
        }
        // A few are enough for a message.
        if !FIELDS.contains(&name) && oddities.len() < 10_000 {
            oddities.push(Oddity::UnknownField(shown(name, 40)));
        }
    }
    let network_name = entry.optional("network_name")?.map(|name| name.text()).transpose()?;
    if network_name.is_none() {
        oddities.push(Oddity::NoNetworkName);
    }
    match entry.optional("deposit_cli_version")?.map(|version| version.text()).transpose()? {
        None => oddities.push(Oddity::NoCliVersion),
        Some(version) if cli_version(version).is_none_or(|version| version < OLDEST_CLI) => {
            oddities.push(Oddity::OldCliVersion(shown(version, 40)));
        }
        Some(_) => {}
    }
    Ok(Entry {
        public_key: noted_hex(&entry.get("pubkey")?, oddities)?,
        credentials: noted_hex(&entry.get("withdrawal_credentials")?, oddities)?,
        amount: read_amount(&entry.get("amount")?, oddities)?,
        signature: noted_hex(&entry.get("signature")?, oddities)?,
        message_root: noted_hex(&entry.get("deposit_message_root")?, oddities)?,
        data_root: noted_hex(&entry.get("deposit_data_root")?, oddities)?,
        fork_version: ForkVersion::from_bytes(noted_hex(&entry.get("fork_version")?, oddities)?),
        network_name: network_name.map(|name| name.chars().take(40).collect()),
    })
}

/// Gwei: a JSON number, or its plain digits as a string.
fn read_amount(field: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<Gwei, FieldError> {
    let Some(text) = field.value.as_str() else { return field.integer().map(Gwei::new) };
    oddities.push(Oddity::AmountAsText);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| digits && (text == "0" || !text.starts_with('0')));
    parsed.map(Gwei::new).ok_or_else(|| {
        let found = text.chars().take(40).collect();
        field.error(FieldProblem::Unsupported { found, wanted: "an amount is a whole number of Gwei" })
    })
}

fn noted_hex<const N: usize>(field: &Field<'_>, oddities: &mut Vec<Oddity>) -> Result<[u8; N], FieldError> {
    let text = field.text()?;
    if text.starts_with("0x") || text.starts_with("0X") {
        oddities.push(Oddity::HexPrefix);
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        oddities.push(Oddity::UpperCaseHex);
    }
    field.hex()
}

/// `2.7.0`, and nothing behind it.
fn cli_version(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

/// The name that deposit-cli gives its file: `deposit_data-`, the Unix time in seconds, `.json`.
#[must_use]
pub fn file_name(unix_seconds: u64) -> String {
    format!("deposit_data-{unix_seconds}.json")
}

/// Writes the file as deposit-cli does: one line, its fields in its order, hexadecimal without 0x.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write(deposits: &[DepositData], network: Network) -> Result<Vec<u8>, serde_json::Error> {
    let written = |deposit: &DepositData| Written {
        pubkey: hex::encode(deposit.message.public_key.as_bytes()),
        withdrawal_credentials: hex::encode(deposit.message.credentials.to_bytes()),
        amount: deposit.message.amount.get(),
        signature: hex::encode(deposit.signature.as_bytes()),
        deposit_message_root: hex::encode(deposit.message.root()),
        deposit_data_root: hex::encode(deposit.root()),
        fork_version: hex::encode(network.genesis_fork_version().as_bytes()),
        network_name: network.name(),
        deposit_cli_version: CLI_VERSION,
    };
    serde_json::to_vec(&deposits.iter().map(written).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Written {
    pubkey: String,
    withdrawal_credentials: String,
    amount: u64,
    signature: String,
    deposit_message_root: String,
    deposit_data_root: String,
    fork_version: String,
    network_name: &'static str,
    deposit_cli_version: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use dvkey_ceremony::{Address, DepositMessage, SecretKey, WithdrawalCredentials};

    fn deposit() -> DepositData {
        let key = SecretKey::from_be_bytes(&[7; 32]).unwrap();
        let credentials = WithdrawalCredentials::Compounding(Address::from_bytes([0xab; 20]));
        let message = DepositMessage { public_key: key.public_key(), credentials, amount: Gwei::new(1_500_000_000) };
        message.sign(&key, Network::Hoodi.genesis_fork_version())
    }

    #[test]
    fn what_is_written_is_read_and_nothing_is_odd() {
        let deposit = deposit();
        let bytes = write(&[deposit, deposit], Network::Hoodi).unwrap();
        let file = DepositFile::parse(&bytes).unwrap();
        assert_eq!(file.oddities, []);
        assert_eq!(file.entries.len(), 2);
        let entry = file.entries[1].clone().unwrap();
        assert_eq!(entry.public_key, *deposit.message.public_key.as_bytes());
        assert_eq!(entry.credentials, deposit.message.credentials.to_bytes());
        assert_eq!(entry.amount, Gwei::new(1_500_000_000));
        assert_eq!(entry.signature, *deposit.signature.as_bytes());
        assert_eq!((entry.message_root, entry.data_root), (deposit.message.root(), deposit.root()));
        assert_eq!(entry.fork_version, Network::Hoodi.genesis_fork_version());
        assert_eq!(entry.network_name.as_deref(), Some("hoodi"));
        // Order is part of the form.
        let text = String::from_utf8(bytes).unwrap();
        let places: Vec<_> = FIELDS.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn variants_are_read_and_named() {
        let text = String::from_utf8(write(&[deposit()], Network::Mainnet).unwrap()).unwrap();
        for (from, to, oddity) in [
            ("\"amount\":1500000000", "\"amount\":\"1500000000\"", Oddity::AmountAsText),
            ("\"fork_version\":\"", "\"fork_version\":\"0x", Oddity::HexPrefix),
            ("\"withdrawal_credentials\":\"02", "\"withdrawal_credentials\":\"0X02", Oddity::HexPrefix),
            ("abab", "ABAB", Oddity::UpperCaseHex),
            (",\"network_name\":\"mainnet\"", "", Oddity::NoNetworkName),
            (",\"deposit_cli_version\":\"2.8.0\"", "", Oddity::NoCliVersion),
            ("\"2.8.0\"", "\"2.6.9\"", Oddity::OldCliVersion("2.6.9".into())),
            ("\"2.8.0\"", "\"2.8\"", Oddity::OldCliVersion("2.8".into())),
            ("\"amount\"", "\"more\":1,\"amount\"", Oddity::UnknownField("more".into())),
            ("[", "\u{feff}[", Oddity::ByteOrderMark),
        ] {
            assert!(text.contains(from), "{from}");
            let file = DepositFile::parse(text.replacen(from, to, 1).as_bytes()).unwrap();
            assert!(file.entries[0].is_ok(), "{to}: {:?}", file.entries[0]);
            assert!(file.oddities.contains(&oddity), "{to}: {:?}", file.oddities);
        }
        let file = DepositFile::parse(text.trim_matches(['[', ']']).as_bytes()).unwrap();
        assert_eq!((file.entries.len(), file.oddities), (1, vec![Oddity::SingleEntry]));
        assert_eq!(DepositFile::parse(b"7").unwrap_err(), DepositFileError::Shape);
    }

    #[test]
    fn what_is_no_deposit_says_where() {
        let text = String::from_utf8(write(&[deposit()], Network::Mainnet).unwrap()).unwrap();
        for (from, to, said) in [
            ("\"pubkey\":\"", "\"pubkey\":\"00", "[0].pubkey: has 49 bytes instead of 48"),
            ("\"signature\":", "\"signatur\":", "[0].signature: is missing"),
            ("1500000000", "-1", "[0].amount: should be a whole number, is -1"),
            ("1500000000", "1.5", "[0].amount: should be a whole number, is 1.5"),
            ("1500000000", "\"0x20\"", "[0].amount: is \"0x20\"; an amount is a whole number of Gwei"),
            ("\"00000000\"", "\"0000000g\"", "[0].fork_version: is not hexadecimal"),
            ("\"mainnet\"", "1", "[0].network_name: should be a string, is a number"),
        ] {
            assert!(text.contains(from), "{from}");
            let file = DepositFile::parse(text.replacen(from, to, 1).as_bytes()).unwrap();
            assert_eq!(file.entries[0].clone().unwrap_err().to_string(), said);
        }
        assert!(DepositFile::parse(b"[1]").unwrap().entries[0].is_err());
    }
}
