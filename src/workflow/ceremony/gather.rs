//! Every file of a ceremony below some paths: by content, whatever it is called, loose, armoured or in bundles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dvkey_ceremony::agdkg::bundle::Bundle;
use dvkey_ceremony::agdkg::card::OperatorBinding;

use crate::crypto::digest::Sha256Digest;
use crate::format::ceremony_file::{CeremonyFile, EXTENSION};
use crate::format::{armor, binding};
use crate::store::read::{EntryKind, ReadError, Source, list_dir, read_bounded, read_head};

/// Folders inside of folders are entered so deep.
const DEPTH: usize = 5;
/// No medium of a ceremony holds more files.
const MOST_FILES: usize = 20_000;
/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 64 << 10;
/// The largest text that is searched for armoured files.
const MOST_TEXT: u64 = 64 << 20;

/// One file of a ceremony.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Where it was found.
    pub origin: String,
    /// What it says it is.
    pub kind: CeremonyFile,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Why something was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A vault: secret, and at the wrong place.
    Vault,
    /// Larger than any file of its kind.
    TooLarge,
    /// The system does not give it out.
    Unreadable(String),
    /// It says that it is a file of a ceremony, and cannot be read as one.
    Damaged(String),
    /// It, and others after it, so many in all, are more than are looked at.
    TooMany {
        /// How many were not looked at.
        left: usize,
        /// How many were.
        most: usize,
    },
}

/// What was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The files, each content once, in the order of their names.
    pub blobs: Vec<Blob>,
    /// Bindings of operators.
    pub bindings: Vec<(String, OperatorBinding)>,
    /// What was left alone, and why.
    pub aside: Vec<(String, Aside)>,
    /// How many other files there are.
    pub others: usize,
    seen: BTreeSet<Sha256Digest>,
    files: usize,
    /// So many are looked at; all, where they were taken in before.
    most: Option<usize>,
    /// The first that was not looked at, and how many there are.
    left: Option<(String, usize)>,
}

/// Gathers below these paths. A folder that is not there holds nothing.
///
/// # Errors
/// [`ReadError`] for a path that was named and cannot be read at all.
pub fn gather(paths: &[PathBuf]) -> Result<Gathered, ReadError> {
    let mut gathered = Gathered { most: Some(MOST_FILES), ..Gathered::default() };
    for path in paths {
        match list_dir(path) {
            Ok(_) => gathered.enter(path, 0),
            Err(ReadError::NotADirectory { .. }) => gathered.look(path),
            Err(error) => return Err(error),
        }
    }
    Ok(gathered.ended())
}

/// As [`gather`], for places that may be absent: an inbox that nobody made, a medium that is not plugged in.
#[must_use]
pub fn gather_if_there(paths: &[PathBuf]) -> Gathered {
    let mut gathered = Gathered { most: Some(MOST_FILES), ..Gathered::default() };
    for path in paths {
        match list_dir(path) {
            Ok(_) => gathered.enter(path, 0),
            Err(ReadError::NotADirectory { .. }) => gathered.look(path),
            Err(ReadError::NotFound { .. }) => {}
            Err(error) => gathered.aside.push((path.display().to_string(), Aside::Unreadable(error.to_string()))),
        }
    }
    gathered.ended()
}

/// As [`gather_if_there`], for what was kept before: all of it, however much that is.
#[must_use]
pub fn gather_kept(folder: &Path) -> Gathered {
    let mut gathered = Gathered::default();
    gathered.enter(folder, 0);
    gathered
}

impl Gathered {
    /// The files of one kind.
    pub fn of(&self, kind: CeremonyFile) -> impl Iterator<Item = &Blob> {
        self.blobs.iter().filter(move |blob| blob.kind == kind)
    }

    fn enter(&mut self, folder: &Path, depth: usize) {
        let entries = match list_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.aside.push((folder.display().to_string(), Aside::Unreadable(error.to_string())));
                return;
            }
        };
        // What is hidden is the desktop's or a killed run's.
        for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
            match entry.kind {
                EntryKind::Dir if depth < DEPTH => self.enter(&entry.path, depth + 1),
                EntryKind::File => self.look(&entry.path),
                _ => {}
            }
        }
    }

    /// What was not looked at is told as one.
    fn ended(mut self) -> Self {
        if let Some((origin, left)) = self.left.take() {
            self.aside.push((origin, Aside::TooMany { left, most: self.files }));
        }
        self
    }

    fn look(&mut self, path: &Path) {
        if self.most.is_some_and(|most| self.files >= most) {
            self.left.get_or_insert_with(|| (path.display().to_string(), 0)).1 += 1;
            return;
        }
        self.files += 1;
        let origin = path.display().to_string();
        if let Err(aside) = self.take(path, &origin) {
            self.aside.push((origin, aside));
        }
    }

    fn take(&mut self, path: &Path, origin: &str) -> Result<(), Aside> {
        let source = Source::from_arg(path);
        let unreadable = |error: ReadError| match error {
            ReadError::TooLarge { .. } => Aside::TooLarge,
            other => Aside::Unreadable(other.to_string()),
        };
        let head = read_head(&source, HEAD).map_err(unreadable)?;
        if let Some(kind) = CeremonyFile::of(&head) {
            if kind == CeremonyFile::Vault {
                return Err(Aside::Vault);
            }
            let bytes = read_bounded(&source, kind.most_bytes()).map_err(unreadable)?;
            return self.add(origin, kind, bytes);
        }
        if armor::is_armored(&head) {
            let text = read_bounded(&source, MOST_TEXT).map_err(unreadable)?;
            for block in armor::decode_all(&text) {
                let bytes = block.map_err(|error| Aside::Damaged(error.to_string()))?;
                let Some(kind) = CeremonyFile::of(&bytes) else { continue };
                if kind == CeremonyFile::Vault {
                    return Err(Aside::Vault);
                }
                self.add(origin, kind, bytes)?;
            }
            return Ok(());
        }
        let short = u64::try_from(head.len()).is_ok_and(|length| length <= binding::MAX_BYTES);
        if short
            && head.first() == Some(&b'{')
            && let Ok(found) = binding::parse(&head)
        {
            self.bindings.push((origin.to_owned(), found));
            return Ok(());
        }
        // A name proves nothing, but whoever gave it expected a file of a ceremony here.
        if path.extension().is_some_and(|end| end == EXTENSION) {
            let what = if head.is_empty() { "empty" } else { "not a file of a ceremony, whatever its name says" };
            return Err(Aside::Damaged(what.to_owned()));
        }
        self.others += 1;
        Ok(())
    }

    fn add(&mut self, origin: &str, kind: CeremonyFile, bytes: Vec<u8>) -> Result<(), Aside> {
        if kind != CeremonyFile::Bundle {
            if self.seen.insert(Sha256Digest::of(&bytes)) {
                self.blobs.push(Blob { origin: origin.to_owned(), kind, bytes });
            }
            return Ok(());
        }
        let bundle = Bundle::parse(&bytes).map_err(|fault| Aside::Damaged(fault.check.refusal().to_owned()))?;
        let Bundle { plans, precommits, deals, certifies, complaints, certificates, others } = bundle;
        for file in [plans, precommits, deals, certifies, complaints, certificates, others].into_iter().flatten() {
            let Some(kind) = CeremonyFile::of(file).filter(|kind| *kind != CeremonyFile::Bundle) else { continue };
            if kind == CeremonyFile::Vault {
                return Err(Aside::Vault);
            }
            if u64::try_from(file.len()).unwrap_or(u64::MAX) > kind.most_bytes() {
                return Err(Aside::TooLarge);
            }
            self.add(origin, kind, file.to_vec())?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side")]
mod tests {
    use dvkey_ceremony::agdkg::bundle;

    use super::*;

    #[test]
    fn names_and_wrappings_do_not_matter() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        let file = |kind: &str, text: &str| [b"AGDKG1".as_slice(), kind.as_bytes(), text.as_bytes()].concat();
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("holiday.jpg"), file("R1", "deal of one")).unwrap();
        std::fs::write(at("a/b/copy"), file("R1", "deal of one")).unwrap();
        std::fs::write(at("mail.txt"), armor::encode(&file("R2", "certify")).unwrap()).unwrap();
        let bundled = bundle::encode(&[&file("R1", "deal of two"), &file("CT", "x"), &file("BN", "no"), b"?"]).unwrap();
        std::fs::write(at("all"), bundled).unwrap();
        std::fs::write(at("vault"), file("VT", "secret")).unwrap();
        std::fs::write(at("damaged.agdkg"), b"AGDKG1").unwrap();
        std::fs::write(at("cut.txt"), "-----BEGIN AGDKG1CD-----\nQUdE").unwrap();
        std::fs::write(at("card"), file("CD", &"x".repeat(5000))).unwrap();
        std::fs::write(at("torn"), b"AGDKG1BN\x00\x00\x00\x05").unwrap();
        std::fs::write(at(".hidden"), file("R1", "hidden")).unwrap();
        std::fs::write(at("notes"), "nothing").unwrap();
        let found = gather(&[outer.path().to_path_buf()]).unwrap();
        let mut texts: Vec<_> = found.blobs.iter().map(|blob| blob.bytes[8..].to_vec()).collect();
        texts.sort();
        assert_eq!(texts, [b"certify".to_vec(), b"deal of one".to_vec(), b"deal of two".to_vec(), b"x".to_vec()]);
        let mut aside: Vec<_> = found
            .aside
            .iter()
            .map(|(origin, aside)| (origin.rsplit('/').next().unwrap().to_owned(), matches!(aside, Aside::Vault)))
            .collect();
        aside.sort();
        let named = [("card", false), ("cut.txt", false), ("damaged.agdkg", false), ("torn", false), ("vault", true)];
        assert_eq!(aside, named.map(|(name, vault)| (name.to_owned(), vault)));
        assert_eq!(found.others, 1);
        // What is beyond the bound is told, not overlooked.
        let mut few = Gathered { most: Some(3), ..Gathered::default() };
        few.enter(outer.path(), 0);
        let few = few.ended();
        let told = few.aside.last().unwrap();
        assert_eq!(told.1, Aside::TooMany { left: 7, most: 3 });
        assert!(told.0.starts_with(&outer.path().display().to_string()));
        assert!(gather(&[at("absent")]).is_err());
        assert!(gather_if_there(&[at("absent")]).blobs.is_empty());
    }
}
