//! Verify: judge files and folders of any origin with public data only.

pub mod check;
pub mod keyshares;

use std::path::Path;

use crate::crypto::digest::Sha256Digest;
use crate::format::detect::{Detected, Kind, detect};
use crate::format::json::{self, JsonError};
use crate::format::keyshares::{KeysharesFile, MAX_BYTES};
use crate::format::provenance::{self, Claims};
use crate::store::atomic::LEFT_OVER;
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded};

use check::{Report, Verdict};
use keyshares::{Beside, Expected, Unclear, judge};

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
#[derive(Debug, thiserror::Error)]
pub enum CannotJudge {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It claims to be a keyshares file, and is no JSON.
    #[error(transparent)]
    Broken(#[from] JsonError),
    /// It is of a kind that holds nothing to judge, or that is not judged yet.
    #[error("this is {}", .0.words())]
    Kind(Kind),
    /// A folder of an ssv-dkg ceremony, which is not judged yet.
    #[error("this is the folder of one validator of an ssv-dkg ceremony")]
    CeremonyFolder,
    /// A folder without a keyshares file.
    #[error("there is no keyshares file in this folder")]
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

/// Judges a file, or everything in a folder that can be judged. Folders inside are not entered.
#[must_use]
pub fn verify(path: &Path, expected: &Expected<'_>, jobs: usize) -> Findings {
    let source = Source::from_arg(path);
    let mut findings = Findings::default();
    match read_bounded(&source, MAX_BYTES) {
        Ok(bytes) => {
            let outcome = match judge_bytes(&bytes, path, expected, jobs) {
                Ok(report) => Outcome::Judged(report),
                Err(why) => Outcome::CannotJudge(why),
            };
            findings.answers.push(Answer { file: source.to_string(), outcome });
        }
        Err(ReadError::IsDirectory { .. }) => verify_folder(path, expected, jobs, &mut findings),
        Err(error) => {
            let outcome = Outcome::CannotJudge(error.into());
            findings.answers.push(Answer { file: source.to_string(), outcome });
        }
    }
    findings
}

fn verify_folder(folder: &Path, expected: &Expected<'_>, jobs: usize, findings: &mut Findings) {
    let answer = |path: &Path, outcome| Answer { file: path.display().to_string(), outcome };
    let entries = match list_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return findings.answers.push(answer(folder, Outcome::CannotJudge(error.into()))),
    };
    for entry in entries {
        if entry.name.starts_with(LEFT_OVER) || entry.name.starts_with("._") {
            let what =
                if entry.name.starts_with("._") { "what macOS keeps beside a file" } else { "left by a killed run" };
            findings.strays.push((entry.name, what));
            continue;
        }
        if entry.kind != EntryKind::File {
            if is_ceremony_folder(&entry.name) {
                findings.answers.push(answer(&entry.path, Outcome::CannotJudge(CannotJudge::CeremonyFolder)));
            } else {
                let what = if entry.kind == EntryKind::Dir { "a folder" } else { "no regular file" };
                findings.strays.push((entry.name, what));
            }
            continue;
        }
        let bytes = match read_bounded(&Source::Path(entry.path.clone()), MAX_BYTES) {
            Ok(bytes) => bytes,
            // Too large for anything that is judged, and not even called JSON.
            Err(ReadError::TooLarge { .. }) if !is_json_by_name(&entry.name) => {
                findings.strays.push((entry.name, "a large file"));
                continue;
            }
            Err(error) => {
                findings.answers.push(answer(&entry.path, Outcome::CannotJudge(error.into())));
                continue;
            }
        };
        let claims_to_be_json = is_json_by_name(&entry.name);
        match judge_bytes(&bytes, &entry.path, expected, jobs) {
            Ok(report) => findings.answers.push(answer(&entry.path, Outcome::Judged(report))),
            // It was read together with the file that it describes.
            Err(CannotJudge::Kind(Kind::Provenance)) => {}
            // A file that is called JSON and is none may have been the one that matters.
            Err(CannotJudge::Kind(kind)) if claims_to_be_json && !kind.is_json() => {
                let why = detect(&bytes).broken.map_or(CannotJudge::Kind(kind), CannotJudge::Broken);
                findings.answers.push(answer(&entry.path, Outcome::CannotJudge(why)));
            }
            Err(why @ (CannotJudge::Kind(Kind::DepositData | Kind::Proofs) | CannotJudge::Broken(_))) => {
                findings.answers.push(answer(&entry.path, Outcome::CannotJudge(why)));
            }
            Err(CannotJudge::Kind(kind)) => findings.strays.push((entry.name, kind.words())),
            Err(why) => findings.answers.push(answer(&entry.path, Outcome::CannotJudge(why))),
        }
    }
    if findings.answers.is_empty() {
        findings.answers.push(answer(folder, Outcome::CannotJudge(CannotJudge::NothingToJudge)));
    }
}

fn is_json_by_name(name: &str) -> bool {
    name.to_lowercase().ends_with(".json")
}

/// ssv-dkg names the folder of a validator by its nonce and public key.
fn is_ceremony_folder(name: &str) -> bool {
    let Some((nonce, key)) = name.split_once("-0x") else { return false };
    nonce.len() == 6
        && nonce.bytes().all(|byte| byte.is_ascii_digit())
        && key.len() == 96
        && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn judge_bytes(bytes: &[u8], path: &Path, expected: &Expected<'_>, jobs: usize) -> Result<Box<Report>, CannotJudge> {
    let Detected { kind, document, broken } = detect(bytes);
    if kind != Kind::Keyshares {
        return Err(CannotJudge::Kind(kind));
    }
    let Some(document) = document else {
        return Err(broken.map_or(CannotJudge::Kind(kind), CannotJudge::Broken));
    };
    let file = KeysharesFile::from_json(&document, json::has_byte_order_mark(bytes))
        .map_err(|_| CannotJudge::Kind(Kind::OtherJson))?;
    let beside = provenance_beside(path, bytes);
    Ok(Box::new(judge(&file, expected, beside.as_ref(), jobs)))
}

/// Reads the provenance in the same folder, if there is one.
pub(crate) fn provenance_beside(path: &Path, bytes: &[u8]) -> Option<Beside> {
    let name = path.file_name()?.to_str()?.to_owned();
    if Source::from_arg(path) == Source::Stdin {
        return None;
    }
    let source = Source::Path(path.with_file_name(provenance::FILE_NAME));
    let claims = match read_bounded(&source, provenance::MAX_BYTES) {
        // A file of somebody else's that happens to have the name says nothing about this one.
        Ok(bytes) if detect(&bytes).kind == Kind::OtherJson => return None,
        Ok(bytes) => Claims::parse(&bytes).map_err(|_| Unclear),
        Err(ReadError::NotFound { .. } | ReadError::IsDirectory { .. }) => return None,
        Err(_) => Err(Unclear),
    };
    Some(Beside { claims, name, sha256: Sha256Digest::of(bytes).to_string() })
}
