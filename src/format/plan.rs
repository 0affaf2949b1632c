//! The plan of a batch: JSON Lines that never change, closed by a hash over all of them.
//!
//! | line | what |
//! |---|---|
//! | first | schema, time, the manifest's folder, the plan that this one replaces the rest of |
//! | input | a file of operators: path and SHA-256; before the first cluster that is picked from it |
//! | cluster | operators with their keys, numbered from 0; before the first row that names it |
//! | row | one validator, numbered from 0 |
//! | last | how many rows, and the plan's hash: the SHA-256 of all bytes before this line |
//!
//! A line has one spelling only: it must be the one that this file writes.

use std::fmt;

use dvkey_ceremony::{Address, Nonce, OperatorId, PublicKey};
use serde::Serialize;

use super::json::{self, Field, FieldError, Json, JsonError};
use super::network::Network;
use super::operators::read_id;
use crate::crypto::digest::{Sha256Digest, Sha256Running};

/// The schema that is written.
pub const SCHEMA: &str = "dvkey.batch-plan/1";

/// The longest line that is read, in bytes: 13 operators with their keys need some 12,000.
pub const MAX_LINE: u64 = 64 << 10;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// UTC, as JavaScript writes it.
    pub created_at: String,
    /// The folder of the manifest, seen from the folder of the plan; all paths below are relative to it.
    pub base: String,
    /// The hash of the plan whose rest this one is.
    pub continues: Option<Sha256Digest>,
}

/// A file of operators that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its path.
    pub path: String,
    /// Its digest.
    pub digest: Sha256Digest,
}

/// The operators of some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCluster {
    /// Ascending by id.
    pub operators: Vec<PlannedOperator>,
}

/// An operator as the plan has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOperator {
    /// Its id.
    pub id: OperatorId,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub fingerprint: Sha256Digest,
    /// Its key, as it is written to keyshares.
    pub key: String,
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 0.
    pub row: u32,
    /// The path of its keystore.
    pub keystore: String,
    /// The digest of the keystore's file.
    pub digest: Sha256Digest,
    /// The public key that the keystore names, not decoded.
    pub public_key: [u8; PublicKey::BYTES],
    /// The number of its cluster.
    pub cluster: u32,
    /// Who registers.
    pub owner: Address,
    /// The registration nonce.
    pub nonce: Nonce,
    /// Where.
    pub network: Network,
    /// A file with the password.
    pub password_file: Option<String>,
    /// What the owner of the batch calls it.
    pub tag: Option<String>,
}

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The first.
    Header(Header),
    /// A file of operators.
    Input(Input),
    /// A cluster.
    Cluster(PlannedCluster),
    /// A validator.
    Row(Box<Row>),
    /// The last: how many rows there are, and the plan's hash.
    End {
        /// How many rows.
        rows: u32,
        /// The plan's hash.
        hash: Sha256Digest,
    },
}

/// Why a file is not a plan, or not as it was written.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// A line is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The first line is that of another file.
    #[error("the first line does not start a plan")]
    NotAPlan,
    /// A later version of the format.
    #[error("the schema {0:?} is not known")]
    Schema(String),
    /// A value that a plan cannot have.
    #[error("{0} is not what a plan can have there")]
    Value(&'static str),
    /// A line in another spelling than it was written in.
    #[error("the line is not as it was written")]
    Spelling,
    /// A line where it cannot stand, or a number out of turn.
    #[error("the line is out of turn")]
    Order,
    /// Two rows of one owner have the same nonce.
    #[error("an earlier row has nonce {nonce} of {owner}, too")]
    NonceTwice {
        /// The nonce.
        nonce: Nonce,
        /// The owner.
        owner: Address,
    },
    /// Two rows are of the same validator.
    #[error("an earlier row is of the same validator")]
    ValidatorTwice,
    /// There is no last line.
    #[error("the plan ends in the middle")]
    Truncated,
    /// The hash is that of other lines.
    #[error("the plan was changed: its hash is {found}, it says {said}")]
    Changed {
        /// The hash of what is there.
        found: Sha256Digest,
        /// The hash in the last line.
        said: Sha256Digest,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenHeader<'a> {
    schema: &'a str,
    created_at: &'a str,
    base: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<String>,
}

#[derive(Serialize)]
struct WrittenInput<'a> {
    input: &'a str,
    sha256: String,
}

#[derive(Serialize)]
struct WrittenCluster<'a> {
    cluster: u32,
    operators: Vec<WrittenOperator<'a>>,
}

#[derive(Serialize)]
struct WrittenOperator<'a> {
    id: u64,
    sha256: String,
    key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRow<'a> {
    row: u32,
    keystore: &'a str,
    sha256: String,
    public_key: String,
    cluster: u32,
    owner: String,
    nonce: u16,
    network: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenEnd {
    rows: u32,
    sha256: String,
}

/// Where in a plan one is: what lines have come, and their hash.
#[derive(Clone, Default)]
pub struct Progress {
    hash: Sha256Running,
    started: bool,
    clusters: u32,
    rows: u32,
    ended: bool,
}

impl Progress {
    /// How many rows have come.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// How many clusters have come.
    #[must_use]
    pub fn clusters(&self) -> u32 {
        self.clusters
    }

    /// The line for the next item, with its line feed.
    ///
    /// # Errors
    /// Those of the JSON writer, which strings and integers do not cause.
    pub fn write(&mut self, item: &Item) -> Result<String, serde_json::Error> {
        let mut line = spell(item, self.clusters)?;
        line.push('\n');
        self.advance(item, line.as_bytes());
        Ok(line)
    }

    /// The last line, with its line feed; and the plan's hash.
    ///
    /// # Errors
    /// As [`Progress::write`].
    pub fn close(&mut self) -> Result<(String, Sha256Digest), serde_json::Error> {
        let hash = self.hash.digest();
        Ok((self.write(&Item::End { rows: self.rows, hash })?, hash))
    }

    /// Reads the next line, given without its line feed.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn read(&mut self, line: &[u8]) -> Result<Item, PlanError> {
        if self.ended {
            return Err(PlanError::Order);
        }
        let document =
            json::parse(line).map_err(|error| if self.started { error.into() } else { PlanError::NotAPlan })?;
        let root = Field::root(&document);
        let item = if self.started { read_item(&root)? } else { Item::Header(read_header(&root)?) };
        let in_turn = match &item {
            Item::Row(row) => row.row == self.rows && row.cluster < self.clusters,
            Item::End { rows, .. } => *rows == self.rows,
            Item::Cluster(_) => root.get("cluster")?.small_integer()? == self.clusters,
            Item::Header(_) | Item::Input(_) => true,
        };
        if !in_turn {
            return Err(PlanError::Order);
        }
        if let Item::End { hash: said, .. } = item {
            let found = self.hash.digest();
            if found != said {
                return Err(PlanError::Changed { found, said });
            }
        }
        let spelled = spell(&item, self.clusters).map_err(|_| PlanError::Spelling)?;
        if spelled.as_bytes() != line {
            return Err(PlanError::Spelling);
        }
        self.advance(&item, &[line, b"\n"].concat());
        Ok(item)
    }

    /// Reads one line of a plan that was read as a whole before: it must be a row.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn read_row_again(line: &[u8]) -> Result<Row, PlanError> {
        let document = json::parse(line)?;
        read_row(&Field::root(&document))
    }

    /// To be called after the last line.
    ///
    /// # Errors
    /// [`PlanError::Truncated`].
    pub fn must_be_complete(&self) -> Result<(), PlanError> {
        match (self.started, self.ended) {
            (_, true) => Ok(()),
            (true, false) => Err(PlanError::Truncated),
            (false, false) => Err(PlanError::NotAPlan),
        }
    }

    fn advance(&mut self, item: &Item, line: &[u8]) {
        self.hash.update(line);
        match item {
            Item::Header(_) => self.started = true,
            Item::Input(_) => {}
            Item::Cluster(_) => self.clusters = self.clusters.saturating_add(1),
            Item::Row(_) => self.rows = self.rows.saturating_add(1),
            Item::End { .. } => self.ended = true,
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("rows", &self.rows).field("ended", &self.ended).finish_non_exhaustive()
    }
}

fn spell(item: &Item, clusters: u32) -> Result<String, serde_json::Error> {
    match item {
        Item::Header(header) => serde_json::to_string(&WrittenHeader {
            schema: SCHEMA,
            created_at: &header.created_at,
            base: &header.base,
            continues: header.continues.map(|hash| hash.to_string()),
        }),
        Item::Input(input) => {
            serde_json::to_string(&WrittenInput { input: &input.path, sha256: input.digest.to_string() })
        }
        Item::Cluster(cluster) => serde_json::to_string(&WrittenCluster {
            cluster: clusters,
            operators: cluster
                .operators
                .iter()
                .map(|operator| WrittenOperator {
                    id: operator.id.get(),
                    sha256: operator.fingerprint.to_string(),
                    key: &operator.key,
                })
                .collect(),
        }),
        Item::Row(row) => serde_json::to_string(&WrittenRow {
            row: row.row,
            keystore: &row.keystore,
            sha256: row.digest.to_string(),
            public_key: format!("0x{}", hex::encode(row.public_key)),
            cluster: row.cluster,
            owner: row.owner.to_checksum(),
            nonce: row.nonce.get(),
            network: row.network.name(),
            password_file: row.password_file.as_deref(),
            tag: row.tag.as_deref(),
        }),
        Item::End { rows, hash } => serde_json::to_string(&WrittenEnd { rows: *rows, sha256: hash.to_string() }),
    }
}

fn read_header(root: &Field<'_>) -> Result<Header, PlanError> {
    let schema = root.value.get("schema").and_then(Json::as_str).ok_or(PlanError::NotAPlan)?;
    if schema != SCHEMA {
        let later = schema.starts_with("dvkey.batch-plan/");
        return Err(if later { PlanError::Schema(schema.chars().take(60).collect()) } else { PlanError::NotAPlan });
    }
    Ok(Header {
        created_at: root.get("createdAt")?.text()?.to_owned(),
        base: root.get("base")?.text()?.to_owned(),
        continues: root.optional("continues")?.map(|field| digest(&field, "continues")).transpose()?,
    })
}

fn read_item(root: &Field<'_>) -> Result<Item, PlanError> {
    if root.value.get("row").is_some() {
        return Ok(Item::Row(Box::new(read_row(root)?)));
    }
    if let Some(rows) = root.optional("rows")? {
        return Ok(Item::End { rows: rows.small_integer()?, hash: digest(&root.get("sha256")?, "sha256")? });
    }
    if let Some(path) = root.optional("input")? {
        let digest = digest(&root.get("sha256")?, "sha256")?;
        return Ok(Item::Input(Input { path: path.text()?.to_owned(), digest }));
    }
    let mut operators = Vec::new();
    for operator in root.get("operators")?.elements()? {
        operators.push(PlannedOperator {
            id: read_id(&operator.get("id")?).map_err(|_| PlanError::Value("id"))?,
            fingerprint: digest(&operator.get("sha256")?, "sha256")?,
            key: operator.get("key")?.text()?.to_owned(),
        });
    }
    Ok(Item::Cluster(PlannedCluster { operators }))
}

fn read_row(root: &Field<'_>) -> Result<Row, PlanError> {
    let owned = |name: &str| -> Result<String, PlanError> { Ok(root.get(name)?.text()?.to_owned()) };
    let optional = |name: &str| -> Result<Option<String>, PlanError> {
        Ok(root.optional(name)?.map(|field| field.text().map(str::to_owned)).transpose()?)
    };
    let owner: Address = owned("owner")?.parse().map_err(|_| PlanError::Value("owner"))?;
    Ok(Row {
        row: root.get("row")?.small_integer()?,
        keystore: owned("keystore")?,
        digest: digest(&root.get("sha256")?, "sha256")?,
        public_key: root.get("publicKey")?.hex()?,
        cluster: root.get("cluster")?.small_integer()?,
        owner,
        nonce: Nonce::try_from(root.get("nonce")?.integer()?).map_err(|_| PlanError::Value("nonce"))?,
        network: owned("network")?.parse().map_err(|_| PlanError::Value("network"))?,
        password_file: optional("passwordFile")?,
        tag: optional("tag")?,
    })
}

fn digest(field: &Field<'_>, name: &'static str) -> Result<Sha256Digest, PlanError> {
    Sha256Digest::from_hex(field.text()?).ok_or(PlanError::Value(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let digest = Sha256Digest::of(b"x");
        let operator = |id: u64| PlannedOperator {
            id: OperatorId::try_from(id).unwrap(),
            fingerprint: digest,
            key: "LS0t".to_owned(),
        };
        let row = |row: u8, nonce: u16| {
            Item::Row(Box::new(Row {
                row: row.into(),
                keystore: format!("keystores/ü \"{row}\".json"),
                digest,
                public_key: [row; 48],
                cluster: 0,
                owner: "0x81592c3de184a3e2c0dcb5a261bc107bfa91f494".parse().unwrap(),
                nonce: Nonce::from(nonce),
                network: Network::Hoodi,
                password_file: (row == 0).then(|| "pw".to_owned()),
                tag: (row == 1).then(|| "batch 1".to_owned()),
            }))
        };
        vec![
            Item::Header(Header { created_at: "2026".into(), base: "..".into(), continues: Some(digest) }),
            Item::Input(Input { path: "operators.json".into(), digest }),
            Item::Cluster(PlannedCluster { operators: vec![operator(1), operator(u64::MAX)] }),
            row(0, 65535),
            row(1, 0),
        ]
    }

    fn written() -> Vec<String> {
        let mut progress = Progress::default();
        let mut lines: Vec<_> = items().iter().map(|item| progress.write(item).unwrap()).collect();
        lines.push(progress.close().unwrap().0);
        lines
    }

    fn read(lines: &[String]) -> Result<Vec<Item>, PlanError> {
        let mut progress = Progress::default();
        let read: Result<Vec<_>, _> =
            lines.iter().map(|line| progress.read(line.trim_end_matches('\n').as_bytes())).collect();
        let read = read?;
        progress.must_be_complete()?;
        Ok(read)
    }

    #[test]
    fn a_plan_comes_back() {
        let read = read(&written()).unwrap();
        assert_eq!(read[..5], items());
        let Item::End { rows: 2, hash } = read[5] else { panic!("{:?}", read[5]) };
        assert_eq!(hash, Sha256Digest::of(written()[..5].concat().as_bytes()));
    }

    #[test]
    fn every_change_is_noticed() {
        let lines = written();
        for (position, line) in lines.iter().enumerate() {
            for at in 0..line.len() - 1 {
                let mut changed = lines.clone();
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= 1;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                changed[position] = text;
                assert!(read(&changed).is_err(), "line {position}, byte {at}");
            }
            let mut without = lines.clone();
            without.remove(position);
            assert!(read(&without).is_err(), "without line {position}");
            let mut twice = lines.clone();
            twice.insert(position, line.clone());
            assert!(read(&twice).is_err(), "line {position} twice");
        }
        let mut swapped = lines.clone();
        swapped.swap(3, 4);
        assert_eq!(read(&swapped), Err(PlanError::Order));
        let spaced: Vec<_> = lines.iter().map(|line| line.replace("{\"row\":", "{ \"row\":")).collect();
        assert_eq!(read(&spaced), Err(PlanError::Spelling));
        assert_eq!(read(&[lines[0].replace("plan/1", "plan/2")]), Err(PlanError::Schema("dvkey.batch-plan/2".into())));
        assert_eq!(read(&["{}".into()]), Err(PlanError::NotAPlan));
        assert_eq!(read(&[]), Err(PlanError::NotAPlan));
        let other = lines.iter().map(|line| line.replace(":65535", ":65534")).collect::<Vec<_>>();
        assert!(matches!(read(&other), Err(PlanError::Changed { .. })));
    }
}
