//! Judges the folder of an ssv-dkg ceremony as a whole: its names, its files, what they say about each other and alone.

use std::path::{Path, PathBuf};

use dvkey_ceremony::PublicKey;

use super::check::{Check, CheckResult, Report, Subject, Verdict};
use super::keyshares::Expected;
use super::proofs::Company;
use super::tally::Results;
use super::{deposit, keyshares, proofs};
use crate::format::deposit::DepositFile;
use crate::format::json::{self, FieldError, FieldProblem, Json};
use crate::format::keyshares::{Item, ItemError, KeysharesFile, MAX_BYTES};
use crate::format::proofs::ProofsFile;
use crate::format::text::shown;
use crate::store::read::{DirEntryFact, EntryKind, ReadError, Source, list_dir, read_bounded, real_name};

/// What ssv-dkg leaves where writing failed.
const FAILED: &str = "FAILED";

/// The files of a validator, and of all validators together.
const FILES: [&str; 3] = ["deposit_data.json", "keyshares.json", "proofs.json"];

/// What is wrong with the folder of a ceremony.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FolderReason {
    /// Something that no ceremony writes.
    #[error("{0:?} does not belong to a ceremony")]
    Stray(String),
    /// A mark that writing was not finished.
    #[error("the file FAILED says that this ceremony was not finished")]
    Failed,
    /// A file of a validator is missing or cannot be read.
    #[error("{0}: {1}")]
    File(&'static str, String),
    /// A file of one validator that holds none, or several.
    #[error("{file} holds {found} validators instead of one")]
    NotOne {
        /// The file.
        file: &'static str,
        /// How many it holds.
        found: usize,
    },
    /// The folder of a validator is not named as such folders are.
    #[error("a validator's folder is named {0}")]
    Form(String),
    /// The folder's name has another key than a file in it.
    #[error("the folder's name has another key than {0}")]
    OtherKey(&'static str),
    /// The folder's name has another nonce than the keyshares.
    #[error("the folder's name has the nonce {named}, the keyshares have {found}")]
    OtherNonce {
        /// The folder's.
        named: u64,
        /// The keyshares'.
        found: u64,
    },
    /// A file is about another validator than the keyshares.
    #[error("{0} is about another validator than keyshares.json")]
    OtherValidator(&'static str),
    /// Several validators, and no file for all of them.
    #[error("{0} for all validators is missing")]
    NoAggregate(&'static str),
    /// One validator, and a file for all.
    #[error("{0} for all validators is there, and there is one validator only")]
    NeedlessAggregate(&'static str),
    /// A file for all validators cannot be read.
    #[error("{0} for all validators: {1}")]
    BrokenAggregate(&'static str, String),
    /// A file for all validators differs from the single ones.
    #[error("{0} for all validators does not hold what the single files hold")]
    OtherAggregate(&'static str),
}

/// What was read of a ceremony's folder.
pub struct Ceremony {
    parts: Vec<Part>,
    strays: Vec<String>,
    /// The three files for all validators: absent, unreadable, or read.
    aggregates: [Option<Result<Json, String>>; 3],
    /// Whether the folder is that of one validator, which has no place for files for all.
    single: bool,
    deposits: DepositFile,
    keyshares: KeysharesFile,
    proofs: ProofsFile,
}

/// One validator's folder.
struct Part {
    name: Name,
    strays: Vec<String>,
    files: [Result<Json, String>; 3],
    /// How many validators each file holds.
    counts: [usize; 3],
}

/// `<nonce>-0x<key>`
struct Name {
    nonce: u64,
    key: Vec<u8>,
    written: String,
}

impl Name {
    /// The name of a validator's folder, in any spelling; nobody but ssv-dkg has a folder of this form.
    fn parse(text: &str) -> Option<Self> {
        let (nonce, key) = text.split_once("-0x").filter(|_| Self::is_meant(text))?;
        let key = hex::decode(key).ok().filter(|key| key.len() == PublicKey::BYTES)?;
        Some(Self { nonce: nonce.parse().ok()?, key, written: text.to_owned() })
    }

    /// Whether the name is meant as that of a validator's folder, damaged as it may be.
    fn is_meant(text: &str) -> bool {
        let nonce = text.split_once("-0x").map_or("", |(nonce, _)| nonce);
        !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// As ssv-dkg writes it: at least six digits, lower case.
    fn canonical(&self) -> String {
        format!("{:06}-0x{}", self.nonce, hex::encode(&self.key))
    }
}

/// Reads the folder if it is that of a ceremony, or of one validator of a ceremony; `None` if it is neither.
///
/// # Errors
/// [`ReadError`] when a folder cannot be listed.
pub fn read(folder: &Path, entries: &[DirEntryFact]) -> Result<Option<Ceremony>, ReadError> {
    // `.`, or a link with a name of its own, is still that folder.
    let own_name = folder.file_name().and_then(|name| Name::parse(name.to_str()?));
    let own_name = own_name.or_else(|| Name::parse(&real_name(folder)?));
    let mut folders: Vec<(Name, PathBuf)> = Vec::new();
    let mut strays = Vec::new();
    let mut aggregates = [None, None, None];
    let single = own_name.is_some();
    if let Some(name) = own_name {
        folders.push((name, folder.to_path_buf()));
    } else {
        for entry in entries {
            match (entry.kind, Name::parse(&entry.name), place(&entry.name)) {
                (EntryKind::Dir, Some(name), _) => folders.push((name, entry.path.clone())),
                (EntryKind::File, _, Some(place)) => {
                    if let Some(slot) = aggregates.get_mut(place) {
                        *slot = Some(read_json(&entry.path));
                    }
                }
                _ if is_left_by_a_desktop(&entry.name) => {}
                _ => strays.push(entry.name.clone()),
            }
        }
    }
    // What is left of a ceremony is judged as one, too: its files alone would pass for whole.
    let is_remnant = |entry: &DirEntryFact| match entry.kind {
        EntryKind::File => entry.name == FAILED,
        _ => Name::is_meant(&entry.name),
    };
    if folders.is_empty() && !entries.iter().any(is_remnant) {
        return Ok(None);
    }
    // By number: as text, nonces beyond 999999 would come before smaller ones.
    folders.sort_by(|(a, _), (b, _)| (a.nonce, &a.key).cmp(&(b.nonce, &b.key)));
    let mut ceremony = Ceremony {
        parts: Vec::with_capacity(folders.len()),
        strays,
        aggregates,
        single,
        deposits: DepositFile { entries: Vec::new(), oddities: Vec::new() },
        keyshares: KeysharesFile { version: None, items: Vec::new(), oddities: Vec::new() },
        proofs: ProofsFile { validators: Vec::new() },
    };
    for (name, path) in folders {
        ceremony.read_part(name, &path)?;
    }
    ceremony.deposits.oddities.sort();
    ceremony.deposits.oddities.dedup();
    ceremony.keyshares.oddities.sort();
    ceremony.keyshares.oddities.dedup();
    Ok(Some(ceremony))
}

fn place(name: &str) -> Option<usize> {
    FILES.iter().position(|file| *file == name)
}

/// What file managers leave in any folder that somebody looks at; ssv-dkg overlooks it, too.
fn is_left_by_a_desktop(name: &str) -> bool {
    name.ends_with(".DS_Store") || name.ends_with("Thumbs.db")
}

fn read_json(path: &Path) -> Result<Json, String> {
    let bytes = read_bounded(&Source::File(path.to_path_buf()), MAX_BYTES).map_err(|error| match error {
        ReadError::NotFound { .. } => "is missing".to_owned(),
        ReadError::IsDirectory { .. } => "is a folder".to_owned(),
        ReadError::PermissionDenied { .. } => "permission denied".to_owned(),
        ReadError::TooLarge { limit, .. } => format!("larger than {limit} bytes"),
        _ => "cannot be read".to_owned(),
    })?;
    json::parse(&bytes).map_err(|error| error.to_string())
}

impl Ceremony {
    /// The keyshares of the validators.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.keyshares.items.iter().flatten()
    }

    pub(super) fn keyshares(&self) -> &KeysharesFile {
        &self.keyshares
    }

    /// Reads the three files of one validator. What is missing leaves an error in its place, so that positions stay.
    fn read_part(&mut self, name: Name, folder: &Path) -> Result<(), ReadError> {
        let entries = list_dir(folder)?;
        let known = |entry: &&DirEntryFact| {
            (entry.kind == EntryKind::File && place(&entry.name).is_some()) || is_left_by_a_desktop(&entry.name)
        };
        let strays = entries.iter().filter(|entry| !known(entry)).map(|entry| entry.name.clone()).collect();
        let files = FILES.map(|file| {
            let there = entries.iter().find(|entry| entry.name == file);
            match there.map(|entry| (entry.kind, &entry.path)) {
                Some((EntryKind::File, path)) => read_json(path),
                Some(_) => Err("is no regular file".to_owned()),
                None => Err("is missing".to_owned()),
            }
        });
        let [deposits, keyshares, proofs] = &files;
        let unread = |file: &str| FieldError { path: file.to_owned(), problem: FieldProblem::Missing };
        let mut counts = [0; 3];
        let [deposit_count, keyshares_count, proof_count] = &mut counts;

        let read = deposits.as_ref().ok().and_then(|json| DepositFile::from_json(json, false).ok());
        let DepositFile { entries, oddities } = read.unwrap_or(DepositFile { entries: vec![], oddities: vec![] });
        *deposit_count = entries.len();
        self.deposits.entries.push(entries.into_iter().next().unwrap_or_else(|| Err(unread("deposit_data.json"))));
        self.deposits.oddities.extend(oddities);

        let read = keyshares.as_ref().ok().and_then(|json| KeysharesFile::from_json(json, false).ok());
        let (items, oddities) = read.map_or((vec![], vec![]), |file| {
            self.keyshares.version = self.keyshares.version.take().or(file.version);
            (file.items, file.oddities)
        });
        *keyshares_count = items.len();
        let item = items.into_iter().next();
        self.keyshares.items.push(item.unwrap_or_else(|| Err(ItemError::Field(unread("keyshares.json")))));
        self.keyshares.oddities.extend(oddities);

        let read = proofs.as_ref().ok().and_then(|json| ProofsFile::from_json(json).ok());
        let lists = read.map(|file| file.validators).unwrap_or_default();
        *proof_count = lists.len();
        self.proofs.validators.push(lists.into_iter().next().unwrap_or_else(|| vec![Err(unread("proofs.json"))]));

        self.parts.push(Part { name, strays, files, counts });
        Ok(())
    }

    /// Judges everything: each file by its own checks, and the folder by those of its own.
    #[must_use]
    pub fn judge(&self, expected: &Expected<'_>, jobs: usize) -> Report {
        // Keyshares name no network; the deposits do. The number is that of the folders, said once.
        let of_keyshares = Expected { network: None, ..*expected };
        let shares = keyshares::judge(&self.keyshares, &of_keyshares, None, jobs);
        let of_others = Expected { validators: None, ..*expected };
        let deposits = deposit::judge(&self.deposits, &of_others, jobs);
        let mut company = Company::default();
        for item in self.items() {
            company.add(item);
        }
        let signed = proofs::judge(&self.proofs, &company, &of_others, jobs);
        let mut results = Results::default();
        self.look_at_the_folder(expected, &mut results);

        let failed = results.failed_positions();
        let folder = results.verdict(&[], |_| true);
        let verdicts = [shares.verdict, deposits.verdict, signed.verdict, folder];
        let validators = shares.validators.iter().enumerate().map(|(position, line)| {
            let good = |report: &Report| report.validators.get(position).is_some_and(|line| line.good);
            let good = line.good && good(&deposits) && good(&signed) && !failed.contains(&position);
            super::check::ValidatorLine { good, ..line.clone() }
        });
        let validators = validators.collect();
        let (shares_oddities, deposit_oddities) =
            (shares.keyshares_oddities().to_vec(), deposits.deposit_oddities().to_vec());
        let lines = deposits.deposits().to_vec();
        let mut checks: Vec<(Check, CheckResult)> =
            [shares.checks, deposits.checks, signed.checks, results.into_checks()].into_iter().flatten().collect();
        checks.sort_by_key(|(check, _)| *check);
        Report {
            verdict: worst(&verdicts),
            checks,
            validators,
            owner: shares.owner,
            network: deposits.network,
            subject: Subject::Ceremony(lines, shares_oddities, deposit_oddities),
        }
    }

    fn look_at_the_folder(&self, expected: &Expected<'_>, results: &mut Results) {
        for name in &self.strays {
            let reason = if name == FAILED { FolderReason::Failed } else { FolderReason::Stray(shown(name, 60)) };
            results.failed(Check::Strays, None, reason);
        }
        if self.strays.is_empty() {
            results.held(Check::Strays);
        }
        for (position, part) in self.parts.iter().enumerate() {
            let at = Some(position);
            results.record(Check::Files, at, part.has_its_files());
            results.record(Check::OneEach, at, part.holds_one());
            results.record(Check::FolderName, at, self.is_named_rightly(position, part, expected));
            results.record(Check::OneValidator, at, self.is_about_one(position));
        }
        for (place, file) in FILES.into_iter().enumerate() {
            self.look_at_the_aggregate(place, file, results);
        }
    }

    fn is_named_rightly(&self, position: usize, part: &Part, expected: &Expected<'_>) -> Result<(), FolderReason> {
        if part.name.written != part.name.canonical() {
            return Err(FolderReason::Form(shown(&part.name.written, 60)));
        }
        if let Some(Ok(item)) = self.keyshares.items.get(position) {
            if item.payload.public_key != part.name.key {
                return Err(FolderReason::OtherKey("keyshares.json"));
            }
            let asked = expected.nonce.map(|first| u64::from(first.get()) + position as u64);
            match item.data.as_ref().and_then(|data| data.nonce).or(asked) {
                Some(found) if found != part.name.nonce => {
                    return Err(FolderReason::OtherNonce { named: part.name.nonce, found });
                }
                _ => {}
            }
        }
        match self.deposits.entries.get(position) {
            Some(Ok(entry)) if entry.public_key.as_slice() != part.name.key => {
                Err(FolderReason::OtherKey("deposit_data.json"))
            }
            _ => Ok(()),
        }
    }

    fn is_about_one(&self, position: usize) -> Result<(), FolderReason> {
        let Some(Ok(item)) = self.keyshares.items.get(position) else { return Ok(()) };
        let key = item.payload.public_key.as_slice();
        if let Some(Ok(entry)) = self.deposits.entries.get(position)
            && entry.public_key.as_slice() != key
        {
            return Err(FolderReason::OtherValidator("deposit_data.json"));
        }
        let lists = self.proofs.validators.get(position).into_iter().flatten().flatten();
        match lists.into_iter().all(|proof| proof.validator.as_slice() == key) {
            true => Ok(()),
            false => Err(FolderReason::OtherValidator("proofs.json")),
        }
    }

    fn look_at_the_aggregate(&self, place: usize, file: &'static str, results: &mut Results) {
        let aggregate = self.aggregates.get(place).and_then(Option::as_ref);
        match (aggregate, self.parts.len()) {
            _ if self.single => {}
            (None, 1) => results.held(Check::Aggregates),
            (Some(_), 1) => results.failed(Check::Aggregates, None, FolderReason::NeedlessAggregate(file)),
            (None, _) => results.failed(Check::Aggregates, None, FolderReason::NoAggregate(file)),
            (Some(read), _) => {
                results.held(Check::Aggregates);
                let outcome = match read {
                    Err(problem) => Err(FolderReason::BrokenAggregate(file, problem.clone())),
                    Ok(json) if self.is_the_sum(place, json) => Ok(()),
                    Ok(_) => Err(FolderReason::OtherAggregate(file)),
                };
                results.record(Check::AggregatesAgree, None, outcome);
            }
        }
    }

    /// Whether the file for all validators holds what the single files hold, in their order.
    fn is_the_sum(&self, place: usize, aggregate: &Json) -> bool {
        let parts: Vec<_> = self.parts.iter().filter_map(|part| part.files.get(place)?.as_ref().ok()).collect();
        if parts.len() != self.parts.len() {
            // What is missing is another check's.
            return true;
        }
        let shares = |json: &Json| json.get("shares").cloned();
        let whole: Option<Vec<&Json>> = match FILES.get(place) {
            // A list of lists.
            Some(&"proofs.json") => Some(parts.clone()),
            Some(&"keyshares.json") => None,
            _ => Some(parts.iter().flat_map(|part| elements(part)).collect()),
        };
        let same = |all: &[Json], singles: &[&Json]| {
            all.len() == singles.len() && all.iter().zip(singles).all(|(all, single)| all.says_the_same(single))
        };
        if let Some(whole) = whole {
            return matches!(aggregate, Json::Array(all) if same(all, &whole));
        }
        let version = aggregate.get("version");
        let singles: Vec<_> = parts.iter().filter_map(|part| shares(part)).collect();
        let singles: Vec<_> = singles.iter().flat_map(elements).collect();
        parts.iter().all(|part| part.get("version") == version)
            && shares(aggregate).is_some_and(|all| same(elements(&all), &singles))
    }
}

/// The elements of a list; anything else is a list of itself.
fn elements(json: &Json) -> &[Json] {
    match json {
        Json::Array(elements) => elements,
        single => std::slice::from_ref(single),
    }
}

impl Part {
    fn has_its_files(&self) -> Result<(), FolderReason> {
        for (file, read) in FILES.iter().zip(&self.files) {
            if let Err(problem) = read {
                return Err(FolderReason::File(file, problem.clone()));
            }
        }
        match self.strays.first() {
            Some(stray) => Err(FolderReason::Stray(shown(stray, 60))),
            None => Ok(()),
        }
    }

    fn holds_one(&self) -> Result<(), FolderReason> {
        for ((file, found), read) in FILES.into_iter().zip(self.counts).zip(&self.files) {
            if read.is_ok() && found != 1 {
                return Err(FolderReason::NotOne { file, found });
            }
        }
        Ok(())
    }
}

/// One no is a no; what could not be told comes next.
fn worst(verdicts: &[Verdict]) -> Verdict {
    let no = verdicts.iter().find(|verdict| **verdict == Verdict::NotValid);
    let unknown = || verdicts.iter().find(|verdict| matches!(verdict, Verdict::CannotJudge(_)));
    *no.or_else(unknown).unwrap_or(&Verdict::Valid)
}
