//! The folder of one participant of a ceremony: the vault, the journal, what came in, what goes out.
//!
//! | name | what | secret |
//! |---|---|---|
//! | `vault.agv` | the root, under a passphrase; 0600 | yes |
//! | `home` | the digest of the vault that was made here; a copied vault has none, or another's | no |
//! | `journal.agj` | what was done | no |
//! | `inbox/` | where people put files, under any names; never written to | no |
//! | `files/` | every file that was taken in, and one's own: durable, by content | no |
//! | `outbox/` | what others need | no |
//!
//! Every file appears whole or not at all, and writing what is there already changes nothing.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use rustix::fs::{rmdir, unlink};

use super::atomic::Mode;
use super::read::{ReadError, Source, exists, read_bounded};
use super::work_dir::{LOCK_FILE, Lock, WorkDir};
use super::write_error::WriteError;
use crate::crypto::digest::Sha256Digest;
use crate::machine::interrupt::{Leftover, critical, published};

/// The vault.
pub const VAULT: &str = "vault.agv";
/// The journal.
pub const JOURNAL: &str = "journal.agj";
/// Where people put files.
pub const INBOX: &str = "inbox";
/// What others need.
pub const OUTBOX: &str = "outbox";
/// What was taken in.
pub const KEPT: &str = "files";
/// Says that the vault was made again from words, or the folder or its vault brought here as a copy, so that a journal
/// that knows more may exist elsewhere.
pub const RESTORED: &str = "restored";

/// Says which vault was made here. Its name has nothing of the vault's, so that nobody copies both by one pattern.
pub const HOME: &str = "home";

/// Larger than any vault or journal.
const MOST_BYTES: u64 = 16 << 20;

/// A folder that this process alone works in.
pub struct CeremonyDir {
    /// Gone before the lock is.
    new: RefCell<New>,
    root: WorkDir,
    kept: WorkDir,
    outbox: WorkDir,
    _lock: Lock,
    writes_left: Cell<Option<usize>>,
}

/// What was made for a vault that is not there yet. Without one it is nothing, and goes when this is dropped, or when an
/// interrupt ends the process; what was there before stays.
#[derive(Default)]
struct New {
    folders: Vec<(PathBuf, Leftover)>,
    files: Vec<(PathBuf, Leftover)>,
}

impl New {
    fn folder(&mut self, path: &Path) {
        self.folders.push((path.to_path_buf(), Leftover::empty_dir(path.to_path_buf())));
    }

    fn file(&mut self, path: &Path) {
        self.files.push((path.to_path_buf(), Leftover::file(path.to_path_buf())));
    }
}

impl Drop for New {
    fn drop(&mut self) {
        critical(|| {
            for (path, _promise) in self.files.drain(..) {
                let _ = unlink(&path);
            }
            // Refused by the system unless empty.
            for (path, _promise) in self.folders.drain(..).rev() {
                let _ = rmdir(&path);
            }
        });
    }
}

/// Why the folder cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyDirError {
    /// No vault in it.
    #[error("{}: no vault is in this folder", .0.display())]
    NoVault(PathBuf),
    /// A vault is in it already.
    #[error("{}: a vault is in this folder already", .0.display())]
    VaultThere(PathBuf),
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was read back differs from what was written.
    #[error("{}: came back from the disk other than it was written", .0.display())]
    ReadBack(PathBuf),
}

impl CeremonyDir {
    /// Makes the folder for a new vault, or takes one that has none. Unless the vault is written into it, all that was made
    /// goes again.
    ///
    /// # Errors
    /// [`CeremonyDirError::VaultThere`], [`CeremonyDirError::Write`].
    pub fn create(path: &Path) -> Result<Self, CeremonyDirError> {
        critical(|| {
            let folder = Self::at(path, true)?;
            match read_bounded(&Source::File(path.join(VAULT)), MOST_BYTES) {
                Err(ReadError::NotFound { .. }) => {}
                _ => return Err(CeremonyDirError::VaultThere(path.to_path_buf())),
            }
            Ok(folder)
        })
    }

    /// Opens the folder of a participant. Nobody else works in it until this is dropped.
    ///
    /// # Errors
    /// [`CeremonyDirError::NoVault`]; [`WriteError::InUse`]; otherwise as the system reports it.
    pub fn open(path: &Path) -> Result<Self, CeremonyDirError> {
        match read_bounded(&Source::File(path.join(VAULT)), MOST_BYTES) {
            Ok(_) => {}
            Err(ReadError::NotFound { .. } | ReadError::NotADirectory { .. }) => {
                return Err(CeremonyDirError::NoVault(path.to_path_buf()));
            }
            Err(error) => return Err(error.into()),
        }
        Self::at(path, false)
    }

    fn at(path: &Path, for_new: bool) -> Result<Self, CeremonyDirError> {
        let mut new = New::default();
        let (was_there, was_locked) = (exists(path), exists(&path.join(LOCK_FILE)));
        let root = WorkDir::open(path)?;
        let lock = root.lock()?;
        // Not before it is locked: what others make meanwhile is theirs.
        if for_new {
            if !was_there {
                new.folder(path);
            }
            if !was_locked {
                new.file(&path.join(LOCK_FILE));
            }
            [KEPT, OUTBOX, INBOX].map(|name| path.join(name)).iter().filter(|path| !exists(path)).for_each(|path| {
                new.folder(path);
            });
        }
        let (kept, outbox) = (WorkDir::open(&path.join(KEPT))?, WorkDir::open(&path.join(OUTBOX))?);
        // People are told to put files there; a copied vault has none.
        WorkDir::open(&path.join(INBOX))?;
        for dir in [&root, &kept, &outbox] {
            dir.sweep();
        }
        Ok(Self { new: RefCell::new(new), root, kept, outbox, _lock: lock, writes_left: Cell::new(None) })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// The path of the inbox.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.path().join(INBOX)
    }

    /// The path of what was taken in.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.path().join(KEPT)
    }

    /// The path of the outbox.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.path().join(OUTBOX)
    }

    /// The sealed vault.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn vault(&self) -> Result<Vec<u8>, ReadError> {
        read_bounded(&Source::File(self.path().join(VAULT)), MOST_BYTES)
    }

    /// The journal's text; empty when there is none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn journal(&self) -> Result<Vec<u8>, ReadError> {
        match read_bounded(&Source::File(self.path().join(JOURNAL)), MOST_BYTES) {
            Err(ReadError::NotFound { .. }) => Ok(Vec::new()),
            read => read,
        }
    }

    /// Whether a journal that knows more may exist elsewhere.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        let read = read_bounded(&Source::File(self.path().join(RESTORED)), MOST_BYTES);
        // Whatever it is that has the name, and whether it can be read: somebody may have written it.
        !matches!(read, Err(ReadError::NotFound { .. }))
    }

    /// Whether the vault is the one that was made in this folder, and not a copy of one that was made elsewhere.
    #[must_use]
    pub fn is_home(&self) -> bool {
        self.vault().is_ok_and(|sealed| holds(&self.root, HOME, &home_of(&sealed)))
    }

    /// Writes the sealed vault, 0600, where none is, and before it notes that this is its home.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn write_vault(&self, sealed: &[u8]) -> Result<(), CeremonyDirError> {
        // The note of a vault that is here already stays, too. Nobody else works in this folder meanwhile.
        if exists(&self.path().join(VAULT)) {
            return Err(CeremonyDirError::VaultThere(self.path().to_path_buf()));
        }
        self.put(&self.root, HOME, &home_of(sealed))?;
        self.spend(&self.root, VAULT)?;
        let mut staged = self.root.stage_as(VAULT, sealed, Mode::Secret)?;
        if staged.read_back()? != sealed {
            return Err(CeremonyDirError::ReadBack(self.path().join(VAULT)));
        }
        critical(|| {
            if let Err(error) = self.root.publish_new(staged) {
                // What is perhaps not durable is not there, either; what has the name already is somebody's.
                if !matches!(error, WriteError::Exists { .. }) {
                    let _ = self.root.remove(VAULT);
                }
                return Err(error.into());
            }
            // From here on it is somebody's.
            let mut new = self.new.borrow_mut();
            (new.folders, new.files) = (Vec::new(), Vec::new());
            published(&[self.path().join(VAULT)]);
            Ok(())
        })
    }

    /// Notes that a journal that knows more may exist elsewhere.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn mark_restored(&self) -> Result<(), CeremonyDirError> {
        let text = b"This folder was made from backup words, or is a copy. A journal that knows more may exist.\n";
        self.put(&self.root, RESTORED, text).map(drop)
    }

    /// Writes the journal anew, whole, durably.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn write_journal(&self, text: &[u8]) -> Result<(), CeremonyDirError> {
        self.put(&self.root, JOURNAL, text).map(drop)
    }

    /// Keeps a file durably, and says whether it is new.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<bool, CeremonyDirError> {
        self.put(&self.kept, name, bytes)
    }

    /// Whether the outbox has this content under this name.
    #[must_use]
    pub fn is_out(&self, name: &str, bytes: &[u8]) -> bool {
        holds(&self.outbox, name, bytes)
    }

    /// Puts a file into the outbox, and says whether it is new.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn export(&self, name: &str, bytes: &[u8]) -> Result<bool, CeremonyDirError> {
        self.put(&self.outbox, name, bytes)
    }

    /// Takes a file out of the outbox.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn withdraw(&self, name: &str) -> Result<(), CeremonyDirError> {
        Ok(self.outbox.remove(name)?)
    }

    /// Keeps a file no longer.
    ///
    /// # Errors
    /// [`CeremonyDirError`].
    pub fn drop_kept(&self, name: &str) -> Result<(), CeremonyDirError> {
        Ok(self.kept.remove(name)?)
    }

    /// For tests: after so many more writes the disk is full.
    pub fn fail_after(&self, writes: usize) {
        self.writes_left.set(Some(writes));
    }

    fn spend(&self, dir: &WorkDir, name: &str) -> Result<(), WriteError> {
        match self.writes_left.get() {
            Some(0) => Err(WriteError::NoSpace { path: dir.path().join(name) }),
            left => {
                self.writes_left.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn put(&self, dir: &WorkDir, name: &str, bytes: &[u8]) -> Result<bool, CeremonyDirError> {
        if holds(dir, name, bytes) {
            return Ok(false);
        }
        self.spend(dir, name)?;
        let mut new = self.new.borrow_mut();
        let path = dir.path().join(name);
        if (!new.folders.is_empty() || !new.files.is_empty()) && !exists(&path) {
            new.file(&path);
        }
        put(dir, name, bytes)?;
        Ok(true)
    }
}

/// Copies a file into a folder that is there, such as a storage medium; `false` if the same content has the name already.
///
/// # Errors
/// [`CeremonyDirError`]; nothing is left behind.
pub fn hand_over(folder: &Path, name: &str, bytes: &[u8]) -> Result<bool, CeremonyDirError> {
    let present = read_bounded(&Source::File(folder.join(name)), MOST_BYTES);
    if present.is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    put(&WorkDir::open(folder)?, name, bytes)?;
    Ok(true)
}

/// As `sha256sum` writes it.
fn home_of(sealed: &[u8]) -> Vec<u8> {
    format!("{}  {VAULT}\n", Sha256Digest::of(sealed)).into_bytes()
}

fn holds(dir: &WorkDir, name: &str, bytes: &[u8]) -> bool {
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    read_bounded(&Source::File(dir.path().join(name)), limit).is_ok_and(|found| found == bytes)
}

fn put(dir: &WorkDir, name: &str, bytes: &[u8]) -> Result<(), CeremonyDirError> {
    let mut staged = dir.stage(name, bytes)?;
    if staged.read_back()? != bytes {
        return Err(CeremonyDirError::ReadBack(dir.path().join(name)));
    }
    Ok(dir.publish(vec![staged])?)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_vault_one_process_and_nothing_is_written_twice() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("alice");
        assert!(matches!(CeremonyDir::open(&path), Err(CeremonyDirError::NoVault(_))));
        assert!(!path.exists());
        let folder = CeremonyDir::create(&path).unwrap();
        assert!(matches!(CeremonyDir::create(&path), Err(CeremonyDirError::Write(WriteError::InUse { .. }))));
        folder.write_vault(b"sealed").unwrap();
        assert_eq!(std::fs::metadata(path.join(VAULT)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(folder.write_vault(b"other").is_err());
        assert!(folder.keep("a", b"1").unwrap());
        assert!(!folder.keep("a", b"1").unwrap());
        // Damaged on the disk: written again.
        std::fs::write(path.join(KEPT).join("a"), b"2").unwrap();
        assert!(folder.keep("a", b"1").unwrap());
        assert!(folder.is_home());
        assert!(!folder.is_restored());
        folder.mark_restored().unwrap();
        assert!(folder.is_restored());
        folder.fail_after(1);
        folder.export("x", b"x").unwrap();
        assert!(matches!(folder.export("y", b"y"), Err(CeremonyDirError::Write(WriteError::NoSpace { .. }))));
        // What is there costs no write.
        assert!(!folder.export("x", b"x").unwrap());
        drop(folder);
        assert!(matches!(CeremonyDir::create(&path), Err(CeremonyDirError::VaultThere(_))));
        let folder = CeremonyDir::open(&path).unwrap();
        assert_eq!(folder.vault().unwrap(), b"sealed");
        assert!(folder.is_home());
        std::fs::write(path.join(VAULT), "another's").unwrap();
        assert!(!folder.is_home());
        std::fs::write(path.join(VAULT), "sealed").unwrap();
        std::fs::remove_file(path.join(HOME)).unwrap();
        assert!(!folder.is_home());
    }
}
