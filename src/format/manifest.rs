//! The manifest of a batch: one line a validator, or a folder of them, as CSV or as JSON Lines; read line by line.

use dvkey_ceremony::address::AddressError;
use dvkey_ceremony::identifier::IdentifierError;
use dvkey_ceremony::message::NonceTooLarge;
use dvkey_ceremony::{Address, Nonce, OperatorId};

use super::json::{self, Field, FieldError, Json, JsonError};
use super::network::{Network, UnknownNetwork};
use super::text::shown;

/// The longest line that is read, in bytes.
pub const MAX_LINE: u64 = 64 << 10;

/// The columns, in the order in which they are documented. Those that are not required may be empty or absent.
const COLUMNS: [(&str, Column, bool); 8] = [
    ("keystore", Column::Keystore, true),
    ("operators", Column::Operators, true),
    ("operator_ids", Column::OperatorIds, false),
    ("owner", Column::Owner, true),
    ("nonce", Column::Nonce, false),
    ("network", Column::Network, true),
    ("password_file", Column::PasswordFile, false),
    ("tag", Column::Tag, false),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Keystore,
    Operators,
    OperatorIds,
    Owner,
    Nonce,
    Network,
    PasswordFile,
    Tag,
}

/// One line of a manifest. Paths are relative to its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRow {
    /// A keystore, or a folder of them.
    pub keystore: String,
    /// The file with the operators and their keys.
    pub operators: String,
    /// Which of them; all, when none are named.
    pub operator_ids: Vec<OperatorId>,
    /// Who registers.
    pub owner: Address,
    /// The nonce of the first validator of this line; the next one of the owner, when none is named.
    pub nonce: Option<Nonce>,
    /// Where it will be registered.
    pub network: Network,
    /// A file with the password.
    pub password_file: Option<String>,
    /// What the owner of the batch calls it.
    pub tag: Option<String>,
}

/// Why a line is not a row.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestError {
    /// UTF-16, which spreadsheets call Unicode.
    #[error("the text is UTF-16 or UTF-32; manifests are UTF-8")]
    Utf16,
    /// Not UTF-8.
    #[error("not UTF-8 text: the byte at position {0} does not fit")]
    NotUtf8(usize),
    /// The first line names no column.
    #[error("the first line is not a header such as keystore,operators,operator_ids,owner,nonce,network")]
    NoHeader,
    /// Columns are separated by something else.
    #[error("the columns of the header are separated by {0:?}, not by commas")]
    Separator(char),
    /// A column that a manifest does not have.
    #[error("there is no column {0:?}")]
    UnknownColumn(String),
    /// A column stands twice.
    #[error("the column {0:?} stands twice")]
    RepeatedColumn(&'static str),
    /// A column that must be there.
    #[error("the column {0:?} is missing")]
    MissingColumn(&'static str),
    /// Another number of cells than the header has.
    #[error("{found} cells, the header has {wanted}")]
    Cells {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A quotation mark inside a bare cell, none at the end of a quoted one, or text behind it.
    #[error("a quotation mark is out of place in cell {0}")]
    Quote(usize),
    /// The line is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A required cell is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The owner is no address.
    #[error("the owner is not an address: {0}")]
    Owner(#[from] AddressError),
    /// The owner is the zero address.
    #[error("the owner is the zero address, which nobody can register with")]
    ZeroOwner,
    /// The nonce is not a plain number.
    #[error("{0:?} is not a nonce; a nonce is a plain number from 0 to 65535")]
    Nonce(String),
    /// The nonce does not fit.
    #[error(transparent)]
    NonceTooLarge(#[from] NonceTooLarge),
    /// The network is not known.
    #[error(transparent)]
    Network(#[from] UnknownNetwork),
    /// An operator id is none.
    #[error("operator id {text:?}: {problem}")]
    OperatorId {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: IdentifierError,
    },
}

impl ManifestError {
    /// Whether the whole file is of another kind, so that its other lines mean nothing.
    #[must_use]
    pub fn is_about_the_file(&self) -> bool {
        matches!(
            self,
            Self::Utf16
                | Self::NoHeader
                | Self::Separator(_)
                | Self::UnknownColumn(_)
                | Self::RepeatedColumn(_)
                | Self::MissingColumn(_)
        )
    }
}

#[derive(Debug)]
enum Form {
    Csv(Vec<Column>),
    JsonLines,
}

/// Reads a manifest line by line. The first line that is not blank decides: `{` starts JSON Lines, all else a header.
#[derive(Debug, Default)]
pub struct ManifestParser {
    form: Option<Form>,
    seen_a_line: bool,
}

impl ManifestParser {
    /// Takes the next line, without its line feed. `None` for the header and for blank lines.
    ///
    /// # Errors
    /// [`ManifestError`]; the next line may be taken unless it [is about the file](ManifestError::is_about_the_file).
    pub fn line(&mut self, bytes: &[u8]) -> Result<Option<ManifestRow>, ManifestError> {
        let mut bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if !std::mem::replace(&mut self.seen_a_line, true) {
            if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, ..] | [_, 0, ..] = bytes {
                return Err(ManifestError::Utf16);
            }
            bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| ManifestError::NotUtf8(error.valid_up_to()))?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        match &self.form {
            None if text.trim_start().starts_with('{') => {
                self.form = Some(Form::JsonLines);
                read_object(text).map(Some)
            }
            None => {
                self.form = Some(Form::Csv(header(text)?));
                Ok(None)
            }
            Some(Form::JsonLines) => read_object(text).map(Some),
            Some(Form::Csv(columns)) => read_cells(text, columns).map(Some),
        }
    }
}

fn header(text: &str) -> Result<Vec<Column>, ManifestError> {
    let names = cells(text).map_err(|_| ManifestError::NoHeader)?;
    let known = |name: &str| COLUMNS.iter().find(|(known, _, _)| *known == name.trim());
    if names.iter().all(|name| known(name).is_none()) {
        let separator = [';', '\t', '|'].into_iter().find(|separator| {
            text.split(*separator).filter(|name| known(name.trim_matches('"')).is_some()).count() > 1
        });
        return Err(separator.map_or(ManifestError::NoHeader, ManifestError::Separator));
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        let (name, column, _) = known(name).ok_or_else(|| ManifestError::UnknownColumn(shown(name, 40)))?;
        if columns.contains(column) {
            return Err(ManifestError::RepeatedColumn(name));
        }
        columns.push(*column);
    }
    match COLUMNS.iter().find(|(_, column, required)| *required && !columns.contains(column)) {
        Some((name, _, _)) => Err(ManifestError::MissingColumn(name)),
        None => Ok(columns),
    }
}

/// The cells of a line, as RFC 4180 has them, without line feeds in quotes; blanks around bare cells do not count.
fn cells(line: &str) -> Result<Vec<String>, ManifestError> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let out_of_place = ManifestError::Quote(cells.len() + 1);
        let (cell, more) = if let Some(mut quoted) = rest.trim_start().strip_prefix('"') {
            let mut cell = String::new();
            loop {
                let (part, behind) = quoted.split_once('"').ok_or_else(|| out_of_place.clone())?;
                cell.push_str(part);
                match behind.strip_prefix('"') {
                    Some(behind) => {
                        cell.push('"');
                        quoted = behind;
                    }
                    None => {
                        let behind = behind.trim_start();
                        break match behind.strip_prefix(',') {
                            Some(more) => (cell, Some(more)),
                            None if behind.is_empty() => (cell, None),
                            None => return Err(out_of_place),
                        };
                    }
                }
            }
        } else {
            let (cell, more) = rest.split_once(',').map_or((rest, None), |(cell, more)| (cell, Some(more)));
            if cell.contains('"') {
                return Err(out_of_place);
            }
            (cell.trim().to_owned(), more)
        };
        cells.push(cell);
        match more {
            Some(more) => rest = more,
            None => return Ok(cells),
        }
    }
}

fn read_cells(text: &str, columns: &[Column]) -> Result<ManifestRow, ManifestError> {
    let cells = cells(text)?;
    if cells.len() != columns.len() {
        return Err(ManifestError::Cells { found: cells.len(), wanted: columns.len() });
    }
    let cell = |wanted: Column| {
        let found = columns.iter().zip(&cells).find(|(column, _)| **column == wanted);
        found.map(|(_, cell)| cell.clone()).filter(|cell| !cell.is_empty())
    };
    let ids = cell(Column::OperatorIds);
    row(cell, &ids.map(|ids| split_ids(&ids)).unwrap_or_default())
}

fn split_ids(text: &str) -> Vec<String> {
    text.split(';').map(|id| id.trim().to_owned()).collect()
}

fn read_object(text: &str) -> Result<ManifestRow, ManifestError> {
    let document = json::parse(text.as_bytes())?;
    let root = Field::root(&document);
    for (name, _) in root.entries()? {
        if !COLUMNS.iter().any(|(known, _, _)| *known == name) {
            return Err(ManifestError::UnknownColumn(shown(name, 40)));
        }
    }
    let mut values = Vec::new();
    for (name, column, _) in COLUMNS {
        let Some(field) = root.optional(name)? else { continue };
        let value = match (column, field.value) {
            (Column::OperatorIds, Json::Array(_)) => continue,
            (Column::Nonce, Json::Number(_)) => field.integer()?.to_string(),
            _ => field.text()?.to_owned(),
        };
        values.push((column, value));
    }
    let mut ids = Vec::new();
    match root.optional("operator_ids")? {
        Some(field) if matches!(field.value, Json::Array(_)) => {
            for element in field.elements()? {
                ids.push(match element.value {
                    Json::String(text) => text.clone(),
                    _ => element.integer()?.to_string(),
                });
            }
        }
        Some(field) if !field.text()?.is_empty() => ids = split_ids(field.text()?),
        _ => {}
    }
    let cell = |wanted: Column| {
        let found = values.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    row(cell, &ids)
}

fn row(cell: impl Fn(Column) -> Option<String>, ids: &[String]) -> Result<ManifestRow, ManifestError> {
    let required = |column: Column, name| cell(column).ok_or(ManifestError::Empty(name));
    let owner: Address = required(Column::Owner, "owner")?.parse()?;
    if owner.is_zero() {
        return Err(ManifestError::ZeroOwner);
    }
    let mut operator_ids = Vec::with_capacity(ids.len());
    for text in ids {
        let parsed = text.parse().map_err(|problem| ManifestError::OperatorId { text: shown(text, 40), problem });
        operator_ids.push(parsed?);
    }
    Ok(ManifestRow {
        keystore: required(Column::Keystore, "keystore")?,
        operators: required(Column::Operators, "operators")?,
        operator_ids,
        owner,
        nonce: cell(Column::Nonce).map(|text| read_nonce(&text)).transpose()?,
        network: required(Column::Network, "network")?.parse()?,
        password_file: cell(Column::PasswordFile),
        tag: cell(Column::Tag),
    })
}

fn read_nonce(text: &str) -> Result<Nonce, ManifestError> {
    let canonical =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number: Option<u64> = if canonical { text.parse().ok() } else { None };
    let number = number.ok_or_else(|| ManifestError::Nonce(shown(text, 40)))?;
    Ok(Nonce::try_from(number)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "0x81592c3de184a3e2c0dcb5a261bc107bfa91f494";

    fn read(lines: &[&str]) -> Vec<Result<Option<ManifestRow>, ManifestError>> {
        let mut parser = ManifestParser::default();
        lines.iter().map(|line| parser.line(line.as_bytes())).collect()
    }

    fn only_row(lines: &[&str]) -> ManifestRow {
        read(lines).pop().unwrap().unwrap().unwrap()
    }

    #[test]
    fn both_forms_say_the_same() {
        let from_csv = only_row(&[
            "\u{feff}keystore,operators,operator_ids,owner,nonce,network,password_file,tag\r",
            &format!(" \"k,1.json\" , ops.json,56; 12;34;78,{OWNER},7,hoodi,,\"a \"\"b\"\"\"\r"),
        ]);
        let objects = [
            format!(
                r#"{{"keystore":"k,1.json","operators":"ops.json","operator_ids":[56,"12",34,78],"owner":"{OWNER}","nonce":7,"network":"hoodi","tag":"a \"b\""}}"#
            ),
            format!(
                r#"{{"tag":"a \"b\"","keystore":"k,1.json","operators":"ops.json","operator_ids":"56;12;34;78","owner":"{OWNER}","nonce":"7","network":"hoodi","password_file":null}}"#
            ),
        ];
        for object in &objects {
            assert_eq!(only_row(&["", object]), from_csv);
        }
        assert_eq!(from_csv.keystore, "k,1.json");
        assert_eq!(from_csv.operator_ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [56, 12, 34, 78]);
        assert_eq!(from_csv.tag.as_deref(), Some("a \"b\""));
        assert_eq!(from_csv.nonce, Some(Nonce::from(7)));
        assert_eq!(from_csv.password_file, None);
    }

    #[test]
    fn optional_columns_may_be_absent_and_others_not() {
        let row = only_row(&["network,owner,operators,keystore", &format!("mainnet,{OWNER},o,k")]);
        assert_eq!((row.nonce, row.operator_ids.len()), (None, 0));
        let first = |line: &str| read(&[line]).pop().unwrap().unwrap_err();
        assert_eq!(first("keystore,operators,owner"), ManifestError::MissingColumn("network"));
        assert_eq!(first("keystore,operators,owner,network,nonse"), ManifestError::UnknownColumn("nonse".into()));
        assert_eq!(first("keystore,keystore"), ManifestError::RepeatedColumn("keystore"));
        assert_eq!(first("keystore;operators;owner;network"), ManifestError::Separator(';'));
        assert_eq!(first("k1.json,operators.json"), ManifestError::NoHeader);
        assert_eq!(first("\u{0}k"), ManifestError::NoHeader);
        assert!(matches!(ManifestParser::default().line(b"\xff\xfek\0"), Err(ManifestError::Utf16)));
        assert!(matches!(ManifestParser::default().line(b"\xc3\x28"), Err(ManifestError::NotUtf8(0))));
    }

    #[test]
    fn every_cell_is_judged() {
        let header = "keystore,operators,operator_ids,owner,nonce,network";
        let row = |line: String| read(&[header, &line]).pop().unwrap().unwrap_err();
        let zero = "0x0000000000000000000000000000000000000000";
        assert_eq!(row("a,b,c".into()), ManifestError::Cells { found: 3, wanted: 6 });
        assert_eq!(row(format!(",o,,{OWNER},1,hoodi")), ManifestError::Empty("keystore"));
        assert_eq!(row(format!("k,o,,{zero},1,hoodi")), ManifestError::ZeroOwner);
        assert!(matches!(row("k,o,,0x12,1,hoodi".into()), ManifestError::Owner(AddressError::Form)));
        for nonce in ["-1", "01", "1e3", "0x1", "18446744073709551616", "1.0"] {
            assert_eq!(row(format!("k,o,,{OWNER},{nonce},hoodi")), ManifestError::Nonce(nonce.into()));
        }
        assert_eq!(row(format!("k,o,,{OWNER},65536,hoodi")), ManifestError::NonceTooLarge(NonceTooLarge(65536)));
        assert!(matches!(row(format!("k,o,,{OWNER},1,goerli")), ManifestError::Network(_)));
        for ids in ["0", "1;;2", "4x", "4294967296x", "+1"] {
            assert!(matches!(row(format!("k,o,{ids},{OWNER},1,hoodi")), ManifestError::OperatorId { .. }), "{ids}");
        }
        for line in ["\"k,o,,x,1,hoodi", "k\"k,o,,x,1,hoodi", "\"k\"k,o,,x,1,hoodi"] {
            assert_eq!(row(line.into()), ManifestError::Quote(1), "{line}");
        }
        let object = |text: &str| read(&[text]).pop().unwrap().unwrap_err();
        assert!(matches!(
            object(r#"{"keystore":"a","keystore":"b"}"#),
            ManifestError::Json(JsonError::DuplicateKey { .. })
        ));
        assert!(matches!(object(r#"{"keystore":7}"#), ManifestError::Field(_)));
        assert!(matches!(object(r#"{"nonce":-7}"#), ManifestError::Field(_)));
        assert!(matches!(object(r#"{"keystores":"a"}"#), ManifestError::UnknownColumn(_)));
    }
}
