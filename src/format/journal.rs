//! The journal of a batch's shard: one line for every row that is done or refused, each with a checksum of its own.
//!
//! A line is 16 hexadecimal digits, a blank, and a JSON object; the digits are the first 8 bytes of the object's
//! SHA-256. Lines are only ever appended; the last line about a row counts. The objects are, by their first field:
//!
//! | object | says |
//! |---|---|
//! | `journal`, `plan`, `shard`, `of` | whose journal it is |
//! | `row`, `done`, `at` | the row has its result, with that SHA-256 |
//! | `row`, `refused`, `reason`, `at` | the row was refused |
//! | `superseded`, `network`, `owner`, `from`, `at` | from that nonce on, the owner's rows are another plan's |

use dvkey_ceremony::{Address, Nonce};
use serde::Serialize;

use super::json::{self, Field};
use super::network::Network;
use crate::crypto::digest::Sha256Digest;

/// The name of the file in its shard's folder.
pub const FILE_NAME: &str = "journal";

/// The schema that is written.
pub const SCHEMA: &str = "dvkey.batch-journal/1";

/// The longest line that is read, in bytes.
pub const MAX_LINE: u64 = 64 << 10;

/// The longest reason that is written, in characters.
const MAX_REASON: usize = 1000;

/// A decision about the rows of one owner: from a nonce on, another plan has them, and this one has them no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Where.
    pub network: Network,
    /// Whose.
    pub owner: Address,
    /// The first nonce that is taken from the plan; all behind it are taken, too.
    pub from: Nonce,
    /// The hash of the plan that has the rows now.
    pub by: Sha256Digest,
}

impl Superseded {
    /// Whether it takes this nonce.
    #[must_use]
    pub fn takes(&self, network: Network, owner: Address, nonce: Nonce) -> bool {
        (self.network, self.owner) == (network, owner) && self.from <= nonce
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Whose journal it is.
    Opened {
        /// The plan's hash.
        plan: Sha256Digest,
        /// Which shard, from 1.
        shard: u32,
        /// Of how many.
        of: u32,
    },
    /// A row has its result.
    Done {
        /// The row.
        row: u32,
        /// The digest of its result's file.
        result: Sha256Digest,
        /// When, in UTC.
        at: String,
    },
    /// A row was refused.
    Refused {
        /// The row.
        row: u32,
        /// The error's code.
        code: String,
        /// The error in words.
        reason: String,
        /// When, in UTC.
        at: String,
    },
    /// Another plan was made for these rows.
    Superseded {
        /// Which rows, and by which plan.
        rows: Superseded,
        /// When, in UTC.
        at: String,
    },
}

/// A line that does not say what it said when it was written.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the line is damaged")]
pub struct DamagedLine;

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Opened { journal: &'a str, plan: String, shard: u32, of: u32 },
    Done { row: u32, done: String, at: &'a str },
    Refused { row: u32, refused: &'a str, reason: String, at: &'a str },
    Superseded { superseded: String, network: &'a str, owner: String, from: u16, at: &'a str },
}

impl Entry {
    /// The line, with its line feed.
    ///
    /// # Errors
    /// Those of the JSON writer, which strings and integers do not cause.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(&match self {
            Self::Opened { plan, shard, of } => {
                Written::Opened { journal: SCHEMA, plan: plan.to_string(), shard: *shard, of: *of }
            }
            Self::Done { row, result, at } => Written::Done { row: *row, done: result.to_string(), at },
            Self::Refused { row, code, reason, at } => {
                let reason = reason.chars().take(MAX_REASON).collect();
                Written::Refused { row: *row, refused: code, reason, at }
            }
            Self::Superseded { rows: Superseded { network, owner, from, by }, at } => Written::Superseded {
                superseded: by.to_string(),
                network: network.name(),
                owner: owner.to_checksum(),
                from: from.get(),
                at,
            },
        })?;
        Ok(format!("{} {text}\n", checksum(&text)))
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// [`DamagedLine`].
    pub fn parse(line: &[u8]) -> Result<Self, DamagedLine> {
        let text = std::str::from_utf8(line).map_err(|_| DamagedLine)?;
        let (sum, text) = text.split_once(' ').ok_or(DamagedLine)?;
        if sum != checksum(text) {
            return Err(DamagedLine);
        }
        let document = json::parse(text.as_bytes()).map_err(|_| DamagedLine)?;
        read(&Field::root(&document)).ok_or(DamagedLine)
    }
}

fn read(root: &Field<'_>) -> Option<Entry> {
    let number = |name: &str| root.get(name).ok()?.small_integer().ok();
    let text = |name: &str| root.get(name).ok()?.text().ok().map(str::to_owned);
    if let Some(schema) = text("journal") {
        let plan = Sha256Digest::from_hex(&text("plan")?)?;
        return (schema == SCHEMA).then_some(Entry::Opened { plan, shard: number("shard")?, of: number("of")? });
    }
    if let Some(by) = text("superseded") {
        let by = Sha256Digest::from_hex(&by)?;
        let (network, owner) = (text("network")?.parse().ok()?, text("owner")?.parse().ok()?);
        let from = Nonce::try_from(u64::from(number("from")?)).ok()?;
        return Some(Entry::Superseded { rows: Superseded { network, owner, from, by }, at: text("at")? });
    }
    let (row, at) = (number("row")?, text("at")?);
    match text("done") {
        Some(result) => Some(Entry::Done { row, result: Sha256Digest::from_hex(&result)?, at }),
        None => Some(Entry::Refused { row, code: text("refused")?, reason: text("reason")?, at }),
    }
}

fn checksum(text: &str) -> String {
    Sha256Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> [Entry; 4] {
        let digest = Sha256Digest::of(b"x");
        let at = || "2026-11-21T04:00:00.000Z".to_owned();
        [
            Entry::Opened { plan: digest, shard: 2, of: 3 },
            Entry::Done { row: 17, result: digest, at: at() },
            Entry::Refused { row: 18, code: "keystore.wrong-password".into(), reason: "a\nb \"c\"".into(), at: at() },
            Entry::Superseded {
                rows: Superseded {
                    network: Network::Hoodi,
                    owner: Address::from_bytes([7; 20]),
                    from: Nonce::from(10),
                    by: digest,
                },
                at: at(),
            },
        ]
    }

    #[test]
    fn lines_come_back() {
        for entry in entries() {
            let line = entry.to_line().unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Entry::parse(line.trim_end_matches('\n').as_bytes()), Ok(entry));
        }
    }

    #[test]
    fn any_other_byte_is_noticed() {
        for entry in entries() {
            let line = entry.to_line().unwrap();
            let line = line.trim_end_matches('\n').as_bytes();
            for position in 0..line.len() {
                let mut damaged = line.to_vec();
                damaged[position] ^= 1;
                assert_eq!(Entry::parse(&damaged), Err(DamagedLine), "byte {position}");
                assert_eq!(Entry::parse(&line[..position]), Err(DamagedLine), "cut at {position}");
            }
        }
    }

    #[test]
    fn a_right_checksum_does_not_make_a_line_lawful() {
        for text in ["{}", "7", r#"{"row":1}"#, r#"{"row":-1,"done":"","at":""}"#, r#"{"journal":"other/1"}"#] {
            assert_eq!(Entry::parse(format!("{} {text}", checksum(text)).as_bytes()), Err(DamagedLine), "{text}");
        }
    }
}
