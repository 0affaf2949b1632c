//! Finds keystores by their content; a broken one is an error, a stray is named and left alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dvkey_ceremony::PublicKey;

use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::KdfLimits;
use crate::format::detect::{Kind, detect};
use crate::format::json::JsonError;
use crate::format::keystore::{Keystore, KeystoreError, MAX_BYTES};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, natural_cmp, read_bounded};

/// The keystores that were found, by file name in natural order, and what else was there.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The keystores.
    pub keystores: Vec<FoundKeystore>,
    /// The rest.
    pub strays: Vec<Stray>,
}

/// A keystore and where it was found.
#[derive(Debug)]
pub struct FoundKeystore {
    /// The path.
    pub path: PathBuf,
    /// The file name.
    pub name: String,
    /// The content.
    pub keystore: Keystore,
    /// The public key that the file names, decoded.
    pub public_key: Option<PublicKey>,
    /// The digest of the content.
    pub digest: Sha256Digest,
}

/// Something in a folder that is no keystore.
#[derive(Debug, PartialEq, Eq)]
pub struct Stray {
    /// The file name.
    pub name: String,
    /// What it is, in words.
    pub what: &'static str,
}

/// Why there is no inventory: everything that is wrong, at once.
#[derive(Debug, thiserror::Error)]
#[error("{} of the files cannot be used", .0.len())]
pub struct InventoryError(pub Vec<(PathBuf, InventoryProblem)>);

/// What is wrong with one file.
#[derive(Debug, thiserror::Error)]
pub enum InventoryProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It claims to be a keystore and is broken.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// It names a public key that is no point of the group.
    #[error("the public key in the file is no key")]
    PublicKey,
    /// It is something else, and was named on its own.
    #[error("this is {}", .0.words())]
    OtherKind(Kind),
    /// It is no keystore, because it is not even JSON.
    #[error("no keystore: {0}")]
    NotJson(JsonError),
    /// A pipe, a device, or a link that leads nowhere.
    #[error("no regular file, or a link that leads nowhere")]
    NotAFile,
    /// The same validator stands in another file, too.
    #[error("the same validator as in {}", .0.display())]
    SameValidator(PathBuf),
    /// A folder without a keystore.
    #[error("there is no keystore in this folder")]
    EmptyFolder,
}

/// One thing that was found.
#[derive(Debug)]
pub enum Found {
    /// A keystore.
    Keystore(Box<FoundKeystore>),
    /// Something else in a folder, to be left alone.
    Stray(Stray),
    /// Something that cannot be used, and cannot be passed over.
    Problem(PathBuf, InventoryProblem),
}

/// Reads every path: keystores, and folders of them. Folders inside are not entered.
///
/// # Errors
/// [`InventoryError`] with every file that is wrong.
pub fn inventory(paths: &[PathBuf], limits: KdfLimits) -> Result<Inventory, InventoryError> {
    let mut found = Inventory::default();
    let mut problems = Vec::new();
    for path in paths {
        find(path, Source::Path, limits, &mut |thing| match thing {
            Found::Keystore(keystore) => found.keystores.push(*keystore),
            Found::Stray(stray) => found.strays.push(stray),
            Found::Problem(path, problem) => problems.push((path, problem)),
        });
    }
    found.keystores.sort_by(|a, b| natural_cmp(&a.name, &b.name).then_with(|| a.path.cmp(&b.path)));
    refuse_repeated(&found.keystores, &mut problems);
    if problems.is_empty() { Ok(found) } else { Err(InventoryError(problems)) }
}

/// Tells `heard` of the keystore at `path`, or of everything in the folder there, in natural order, one at a time.
///
/// `source` says what a path may lead to: [`Source::Path`] or [`Source::File`].
pub fn find(path: &Path, source: fn(PathBuf) -> Source, limits: KdfLimits, heard: &mut dyn FnMut(Found)) {
    let entries = match list_dir(path) {
        Ok(entries) => entries,
        Err(ReadError::NotADirectory { .. }) => {
            return heard(match read_keystore(&source(path.to_path_buf()), path, limits) {
                Ok(keystore) => Found::Keystore(Box::new(keystore)),
                Err(problem) => Found::Problem(path.to_path_buf(), problem),
            });
        }
        Err(error) => return heard(Found::Problem(path.to_path_buf(), error.into())),
    };
    let mut is_empty = true;
    for entry in entries {
        if entry.kind == EntryKind::Dir {
            heard(Found::Stray(Stray { name: entry.name, what: "a folder" }));
            continue;
        }
        let result = match entry.kind {
            EntryKind::File => read_keystore(&Source::File(entry.path.clone()), &entry.path, limits),
            _ => Err(InventoryProblem::NotAFile),
        };
        heard(match result {
            Ok(keystore) => {
                is_empty = false;
                Found::Keystore(Box::new(keystore))
            }
            Err(problem) => match stray(&entry.name, &problem) {
                Some(what) => Found::Stray(Stray { name: entry.name, what }),
                None => {
                    is_empty = false;
                    Found::Problem(entry.path, problem)
                }
            },
        });
    }
    if is_empty {
        heard(Found::Problem(path.to_path_buf(), InventoryProblem::EmptyFolder));
    }
}

/// What a file in a folder is, if it may be left alone. A file that is called a keystore, or JSON, and cannot be read as
/// what its name says, may be the keystore that is missing: passing it over would move every nonce behind it.
fn stray(name: &str, problem: &InventoryProblem) -> Option<&'static str> {
    let name = name.to_lowercase();
    if name.starts_with("._") {
        return Some("what macOS keeps beside a file");
    }
    let called_json = name.ends_with(".json");
    let ending = name.rsplit_once("keystore").map(|(_, ending)| ending);
    let called_keystore = ending.is_some_and(|ending| {
        !ending.contains('.')
            || [".json", ".json.bak", ".json.old", ".json.txt"].iter().any(|known| ending.ends_with(known))
    });
    match problem {
        InventoryProblem::OtherKind(Kind::AccountWallet) => Some(Kind::AccountWallet.words()),
        // A password may be kept as KEYSTORE.json.txt; a keystore that was saved as text is something else.
        InventoryProblem::NotJson(error) if name.ends_with(".txt") && !is_other_encoding(error) => {
            Some(Kind::OtherText.words())
        }
        // A password of digits is a JSON number.
        InventoryProblem::OtherKind(Kind::OtherText) if name.ends_with(".txt") => Some(Kind::OtherText.words()),
        InventoryProblem::OtherKind(kind) if !called_keystore && (kind.is_json() || !called_json) => Some(kind.words()),
        InventoryProblem::NotJson(_) if !called_keystore && !called_json => Some(Kind::OtherText.words()),
        InventoryProblem::Read(ReadError::TooLarge { .. }) if !called_keystore => {
            Some("a file too large for a keystore")
        }
        InventoryProblem::NotAFile if !called_keystore && !called_json => Some("no regular file"),
        _ => None,
    }
}

fn is_other_encoding(error: &JsonError) -> bool {
    matches!(error, JsonError::Utf16 | JsonError::NotUtf8(_))
}

/// Reads one keystore, which is known by its path.
///
/// # Errors
/// [`InventoryProblem`].
pub fn read_keystore(source: &Source, path: &Path, limits: KdfLimits) -> Result<FoundKeystore, InventoryProblem> {
    let bytes = read_bounded(source, MAX_BYTES)?;
    let detected = detect(&bytes);
    let document = match (detected.kind, detected.document) {
        (Kind::Keystore, Some(document)) => document,
        (Kind::Keystore, None) => {
            return Err(detected
                .broken
                .map_or(InventoryProblem::OtherKind(Kind::OtherJson), |error| KeystoreError::from(error).into()));
        }
        (Kind::OtherText | Kind::Binary, None) => {
            return Err(detected
                .broken
                .map_or(InventoryProblem::OtherKind(Kind::OtherText), InventoryProblem::NotJson));
        }
        (kind, _) => return Err(InventoryProblem::OtherKind(kind)),
    };
    let keystore = Keystore::from_json(&document, limits)?;
    let public_key = match keystore.public_key {
        Some(bytes) => Some(PublicKey::from_bytes(&bytes).map_err(|_| InventoryProblem::PublicKey)?),
        None => None,
    };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(FoundKeystore { path: path.to_path_buf(), name, keystore, public_key, digest: Sha256Digest::of(&bytes) })
}

/// The same validator twice would be registered twice: the second registration reverts and spoils every nonce behind it.
fn refuse_repeated(keystores: &[FoundKeystore], problems: &mut Vec<(PathBuf, InventoryProblem)>) {
    let mut by_key = HashMap::new();
    let mut by_digest = HashMap::new();
    for found in keystores {
        let same_key = found.public_key.and_then(|key| by_key.insert(key, &found.path));
        let same_content = by_digest.insert(found.digest, &found.path);
        if let Some(earlier) = same_key.or(same_content) {
            problems.push((found.path.clone(), InventoryProblem::SameValidator(earlier.clone())));
        }
    }
}
