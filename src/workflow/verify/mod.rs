//! Verify: judge files and folders of any origin with public data only.

mod across;
pub mod ceremony;
pub mod check;
pub mod deposit;
pub mod keyshares;
pub mod proofs;
pub mod signed;
mod tally;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dvkey_ceremony::PublicKey;

use crate::crypto::digest::Sha256Digest;
use crate::format::deposit::DepositFile;
use crate::format::detect::{Detected, Kind, detect};
use crate::format::json::{self, JsonError};
use crate::format::keyshares::{Item, KeysharesFile, MAX_BYTES};
use crate::format::proofs::ProofsFile;
use crate::format::provenance::{self, Claims};
use crate::store::atomic::LEFT_OVER;
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};

use ceremony::Ceremony;
use check::{Report, Verdict};
use keyshares::{Beside, Expected, Unclear};
use proofs::Company;
use signed::Bundled;

/// What was found at one path.
#[derive(Debug, Default)]
pub struct Findings {
    /// An answer for each file that calls for one.
    pub answers: Vec<Answer>,
    /// What else lies in a folder: name and kind. Not looked at further.
    pub strays: Vec<(String, &'static str)>,
}

/// The answer about one file.
#[derive(Debug)]
pub struct Answer {
    /// The file, as it was named.
    pub file: String,
    /// What was found out.
    pub outcome: Outcome,
}

/// What was found out about a file.
#[derive(Debug)]
pub enum Outcome {
    /// It was judged.
    Judged(Box<Report>),
    /// It cannot be judged.
    CannotJudge(CannotJudge),
}

/// Why a file cannot be judged at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CannotJudge {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] Arc<ReadError>),
    /// It claims to be something that is judged, and is no JSON.
    #[error(transparent)]
    Broken(#[from] JsonError),
    /// It is of a kind that holds nothing to judge.
    #[error("this is {}", .0.words())]
    Kind(Kind),
    /// It was given as proofs, and is something else.
    #[error("this is no file of proofs")]
    NoProofs,
    /// A folder without anything that is judged.
    #[error("there is nothing to judge in this folder: neither keyshares nor deposit data nor proofs")]
    NothingToJudge,
}

/// Three answers, as exit codes know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overall {
    /// All files are valid.
    Valid,
    /// Nothing is known to be wrong; something could not be judged.
    CannotJudge,
    /// Some file is not valid.
    NotValid,
}

impl Outcome {
    /// The answer in short.
    #[must_use]
    pub fn overall(&self) -> Overall {
        match self {
            Self::CannotJudge(_) => Overall::CannotJudge,
            Self::Judged(report) => match report.verdict {
                Verdict::Valid => Overall::Valid,
                Verdict::NotValid => Overall::NotValid,
                Verdict::CannotJudge(_) => Overall::CannotJudge,
            },
        }
    }
}

/// The answer about all files together: one no is a no.
#[must_use]
pub fn overall(findings: &[Findings]) -> Overall {
    let answers = findings.iter().flat_map(|findings| &findings.answers);
    answers.map(|answer| answer.outcome.overall()).max().unwrap_or(Overall::CannotJudge)
}

/// Judges files, and everything in folders that can be judged. Folders inside are not entered, but those of a ceremony.
///
/// All files together are one company: proofs are compared with the keyshares of the same validator, wherever they lie.
/// `proofs` names a file with the proofs that every validator must have.
#[must_use]
pub fn verify(paths: &[PathBuf], proofs: Option<&Path>, expected: &Expected<'_>, jobs: usize) -> Vec<Findings> {
    let looked: Vec<_> = paths.iter().map(|path| look(path)).collect();
    let demanded = proofs.map(look_at_proofs);
    let mut company = Company::default();
    let mut required = BTreeSet::new();
    for found in looked.iter().flat_map(|(found, _)| found) {
        for item in found.seen.items() {
            company.add(item);
            required.extend(PublicKey::from_bytes(&item.payload.public_key));
        }
        if let Seen::Deposits(file) = &found.seen {
            required.extend(file.entries.iter().flatten().flat_map(|entry| PublicKey::from_bytes(&entry.public_key)));
        }
    }
    let judge = |found: &Found, company: &Company<'_>| {
        let outcome = match &found.seen {
            Seen::CannotJudge(why) => Outcome::CannotJudge(why.clone()),
            Seen::Keyshares(file, beside) => judged(keyshares::judge(file, expected, beside.as_deref(), jobs)),
            Seen::Deposits(file) => judged(deposit::judge(file, expected, jobs)),
            Seen::Proofs(file) => judged(proofs::judge(file, company, expected, jobs)),
            Seen::Ceremony(ceremony) => judged(ceremony.judge(expected, jobs)),
        };
        Answer { file: found.file.clone(), outcome }
    };
    let mut findings: Vec<_> = looked
        .iter()
        .map(|(found, strays)| Findings {
            answers: found.iter().map(|found| judge(found, &company)).collect(),
            strays: strays.clone(),
        })
        .collect();
    across::compare(&looked, &mut findings);
    if let Some(demanded) = demanded {
        let company = Company { required, keyshares: company.keyshares };
        findings.push(Findings { answers: vec![judge(&demanded, &company)], strays: Vec::new() });
    }
    findings
}

fn judged(report: Report) -> Outcome {
    Outcome::Judged(Box::new(report))
}

/// A file, or a ceremony's folder, that was read and is still to be judged.
struct Found {
    file: String,
    seen: Seen,
}

enum Seen {
    CannotJudge(CannotJudge),
    Keyshares(Box<KeysharesFile>, Option<Box<Beside>>),
    Deposits(DepositFile),
    Proofs(ProofsFile),
    Ceremony(Box<Ceremony>),
}

impl Seen {
    fn items(&self) -> Box<dyn Iterator<Item = &Item> + '_> {
        match self {
            Self::Keyshares(file, _) => Box::new(file.items.iter().flatten()),
            Self::Ceremony(ceremony) => Box::new(ceremony.items()),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The keyshares items that can be read, with their positions.
    fn positions(&self) -> Box<dyn Iterator<Item = (usize, &Item)> + '_> {
        let file = match self {
            Self::Keyshares(file, _) => file,
            Self::Ceremony(ceremony) => ceremony.keyshares(),
            _ => return Box::new(std::iter::empty()),
        };
        Box::new(file.items.iter().enumerate().filter_map(|(position, item)| Some((position, item.as_ref().ok()?))))
    }
}

type Strays = Vec<(String, &'static str)>;

fn look(path: &Path) -> (Vec<Found>, Strays) {
    let source = Source::from_arg(path);
    let seen = match read_bounded(&source, MAX_BYTES) {
        Ok(bytes) => look_at_bytes(&bytes, path).unwrap_or_else(|why| Seen::CannotJudge(clearer(why, &bytes))),
        Err(ReadError::IsDirectory { .. }) => return look_at_folder(path),
        Err(error) => Seen::CannotJudge(Arc::new(error).into()),
    };
    (vec![Found { file: source.to_string(), seen }], Vec::new())
}

/// What was meant as JSON is told why it is none, rather than that it is text.
fn clearer(why: CannotJudge, bytes: &[u8]) -> CannotJudge {
    let meant = bytes.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
    match why {
        CannotJudge::Kind(Kind::OtherText) if meant => detect(bytes).broken.map_or(why, CannotJudge::Broken),
        why => why,
    }
}

/// What is given as proofs must be proofs.
fn look_at_proofs(path: &Path) -> Found {
    let (found, _) = look(path);
    let file = Source::from_arg(path).to_string();
    let seen = match found.into_iter().next().map(|found| found.seen) {
        Some(seen @ (Seen::Proofs(_) | Seen::CannotJudge(_))) => seen,
        _ => Seen::CannotJudge(CannotJudge::NoProofs),
    };
    Found { file, seen }
}

fn look_at_folder(folder: &Path) -> (Vec<Found>, Strays) {
    let mut all = Vec::new();
    let mut strays = Vec::new();
    let found = |path: &Path, seen| Found { file: path.display().to_string(), seen };
    let cannot = |path: &Path, why| found(path, Seen::CannotJudge(why));
    let entries = match list_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return (vec![cannot(folder, Arc::new(error).into())], strays),
    };
    match ceremony::read(folder, &entries) {
        Ok(Some(ceremony)) => return (vec![found(folder, Seen::Ceremony(Box::new(ceremony)))], strays),
        Ok(None) => {}
        Err(error) => return (vec![cannot(folder, Arc::new(error).into())], strays),
    }
    for entry in entries {
        if entry.name.starts_with(LEFT_OVER) || entry.name.starts_with("._") {
            let what =
                if entry.name.starts_with("._") { "what macOS keeps beside a file" } else { "left by a killed run" };
            strays.push((entry.name, what));
            continue;
        }
        if entry.kind != EntryKind::File {
            let what = if entry.kind == EntryKind::Dir { "a folder" } else { "no regular file" };
            strays.push((entry.name, what));
            continue;
        }
        let bytes = match read_bounded(&Source::File(entry.path.clone()), MAX_BYTES) {
            Ok(bytes) => bytes,
            // Too large for anything that is judged, and not even called JSON.
            Err(ReadError::TooLarge { .. }) if !is_json_by_name(&entry.name) => {
                strays.push((entry.name, "a large file"));
                continue;
            }
            Err(error) => {
                all.push(cannot(&entry.path, Arc::new(error).into()));
                continue;
            }
        };
        let claims_to_be_json = is_json_by_name(&entry.name);
        match look_at_bytes(&bytes, &entry.path) {
            Ok(seen) => all.push(found(&entry.path, seen)),
            // It was read together with the file that it describes.
            Err(CannotJudge::Kind(Kind::Provenance)) if entry.name == provenance::FILE_NAME => {}
            // A file that is called JSON and is none may have been the one that mattered.
            Err(CannotJudge::Kind(kind)) if claims_to_be_json && !kind.is_json() => {
                let why = detect(&bytes).broken.map_or(CannotJudge::Kind(kind), CannotJudge::Broken);
                all.push(cannot(&entry.path, why));
            }
            Err(CannotJudge::Kind(kind)) => strays.push((entry.name, kind.words())),
            Err(why) => all.push(cannot(&entry.path, why)),
        }
    }
    if all.is_empty() {
        all.push(cannot(folder, CannotJudge::NothingToJudge));
    }
    (all, strays)
}

fn is_json_by_name(name: &str) -> bool {
    name.to_lowercase().ends_with(".json")
}

fn look_at_bytes(bytes: &[u8], path: &Path) -> Result<Seen, CannotJudge> {
    let Detected { kind, document, broken } = detect(bytes);
    if !matches!(kind, Kind::Keyshares | Kind::DepositData | Kind::Proofs) {
        return Err(CannotJudge::Kind(kind));
    }
    let Some(document) = document else {
        return Err(broken.map_or(CannotJudge::Kind(kind), CannotJudge::Broken));
    };
    let mark = json::has_byte_order_mark(bytes);
    let other = || CannotJudge::Kind(Kind::OtherJson);
    Ok(match kind {
        Kind::DepositData => Seen::Deposits(DepositFile::from_json(&document, mark).map_err(|_| other())?),
        Kind::Proofs => Seen::Proofs(ProofsFile::from_json(&document).map_err(|_| other())?),
        _ => {
            let file = KeysharesFile::from_json(&document, mark).map_err(|_| other())?;
            Seen::Keyshares(Box::new(file), beside(path, bytes).map(Box::new))
        }
    })
}

/// Reads the provenance and the ceremony's bundle in the same folder, if there are such.
pub(crate) fn beside(path: &Path, bytes: &[u8]) -> Option<Beside> {
    let name = path.file_name()?.to_str()?.to_owned();
    if Source::from_arg(path) == Source::Stdin {
        return None;
    }
    let source = Source::File(path.with_file_name(provenance::FILE_NAME));
    let claims = match read_bounded(&source, provenance::MAX_BYTES) {
        // A file of somebody else's that happens to have the name says nothing about this one.
        Ok(bytes) if detect(&bytes).kind.is_other_document() => None,
        Ok(bytes) => Some(Claims::parse(&bytes).map_err(|_| Unclear)),
        Err(ReadError::NotFound { .. } | ReadError::IsDirectory { .. }) => None,
        Err(_) => Some(Err(Unclear)),
    };
    let bundled = Bundled::in_folder(path.parent().unwrap_or(Path::new("")));
    if claims.is_none() && bundled.is_none() {
        return None;
    }
    Some(Beside { claims, bundled, name, sha256: Sha256Digest::of(bytes).to_string() })
}
