//! A folder that a long run works in: locked, with small files that appear whole, and logs that only grow.
#![expect(clippy::disallowed_methods, reason = "this file is a door through which results are written")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode as Bits, OFlags, flock, fstat, mkdir, open, renameat, statat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use super::atomic::{Dir, Mode, Staged, Undo, is_same, is_swept, stage};
use super::read::list_dir;
use super::write_error::WriteError;
use crate::machine::interrupt::{Leftover, critical};

/// The file that a lock is taken on. It stays, empty, when the lock is let go of.
pub(super) const LOCK_FILE: &str = "lock";

/// The same for a folder whose content is handed on: hidden, and gone with the lock.
const HIDDEN_LOCK_FILE: &str = ".dvkey-lock";

/// The most that is cut off behind the last line feed of a log, in bytes. A group of lines is appended at once, and a power
/// failure may leave zeros for as many bytes; a longer rest is nobody's unfinished line.
pub const MAX_UNFINISHED: u64 = 1 << 20;

/// A folder that is there.
pub struct WorkDir {
    dir: Arc<Dir>,
    /// Whether it was not there before.
    is_new: bool,
}

/// The right to work in a folder, until it is dropped or the process ends, however it ends.
pub struct Lock {
    /// `None` where the file system has no locks.
    file: Option<File>,
    /// What goes with the lock.
    passing: Option<Passing>,
}

/// The file of a lock that passes, and its folder where nothing came into it that was not there before.
struct Passing {
    dir: Arc<Dir>,
    is_new: bool,
    /// An interrupt removes them, too.
    promises: Vec<Leftover>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held: whoever has opened the file before finds out that it has no name any more.
        if let Some(Passing { dir, is_new, promises }) = self.passing.take() {
            critical(|| {
                drop(promises);
                let _ = unlinkat(&dir.fd, HIDDEN_LOCK_FILE, AtFlags::empty());
                if is_new {
                    // Refused by the system where something is in it.
                    let _ = std::fs::remove_dir(&dir.path);
                }
            });
        }
    }
}

impl Lock {
    /// Whether the system keeps others out. Some network file systems have no locks.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.file.is_some()
    }
}

impl WorkDir {
    /// Opens the folder, and makes it (0755) if it is missing, though not its parents.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let failed = |errno| WriteError::from_errno(path, errno);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let mut is_new = false;
        let fd = match open(path, flags, Bits::empty()) {
            Err(Errno::NOENT) => {
                match mkdir(path, Bits::from_raw_mode(0o755)) {
                    Ok(()) => is_new = true,
                    // Another worker has made it meanwhile.
                    Err(Errno::EXIST) => {}
                    Err(Errno::NOENT) => {
                        let parent = path.parent().unwrap_or(path).to_path_buf();
                        return Err(WriteError::ParentMissing { path: parent });
                    }
                    Err(errno) => return Err(failed(errno)),
                }
                open(path, flags, Bits::empty()).map_err(failed)?
            }
            opened => opened.map_err(failed)?,
        };
        Ok(Self { dir: Arc::new(Dir { fd, path: path.to_path_buf() }), is_new })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir.path
    }

    /// Keeps every other run out of this folder. The lock is on a file of its own, opened for writing, which NFS needs.
    ///
    /// # Errors
    /// [`WriteError::InUse`] while another process has it; otherwise as the system reports it.
    pub fn lock(&self) -> Result<Lock, WriteError> {
        self.take_lock(LOCK_FILE, FlockOperation::NonBlockingLockExclusive)
    }

    /// As [`WorkDir::lock`], for a folder that holds results and nothing else: the file is gone with the lock, and so is
    /// the folder, if it was made for this and is empty still.
    ///
    /// # Errors
    /// As [`WorkDir::lock`]; [`WriteError::Exists`] where somebody keeps something in a file of the lock's name.
    pub fn lock_results(&self) -> Result<Lock, WriteError> {
        for _ in 0..100 {
            let mut lock = self.take_lock(HIDDEN_LOCK_FILE, FlockOperation::NonBlockingLockExclusive)?;
            // The one that was opened may be that of a lock that was let go of since, and have no name any more.
            let named = statat(&self.dir.fd, HIDDEN_LOCK_FILE, AtFlags::SYMLINK_NOFOLLOW);
            let is_named = |file| fstat(file).is_ok_and(|own| named.is_ok_and(|named| is_same(&named, &own)));
            if lock.file.as_ref().is_none_or(is_named) {
                let path = self.dir.path.join(HIDDEN_LOCK_FILE);
                if named.is_ok_and(|named| named.st_size != 0) {
                    return Err(WriteError::Exists { path });
                }
                let mut promises = vec![Leftover::file(path)];
                if self.is_new {
                    promises.push(Leftover::empty_dir(self.dir.path.clone()));
                }
                lock.passing = Some(Passing { dir: Arc::clone(&self.dir), is_new: self.is_new, promises });
                return Ok(lock);
            }
        }
        Err(WriteError::InUse { path: self.dir.path.clone() })
    }

    /// As [`WorkDir::lock`], for a moment: if somebody has the lock, says so once, and waits for it.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn wait_for_lock(&self, waits: impl FnOnce()) -> Result<Lock, WriteError> {
        match self.lock() {
            Err(WriteError::InUse { .. }) => {
                waits();
                self.take_lock(LOCK_FILE, FlockOperation::LockExclusive)
            }
            taken => taken,
        }
    }

    fn take_lock(&self, name: &str, operation: FlockOperation) -> Result<Lock, WriteError> {
        let path = self.dir.path.join(name);
        let file = match open_own(&path, OpenOptions::new().create(true).truncate(false).write(true)) {
            // Another user's, who works in a folder beside this one. What can be read can be locked, if not on NFS.
            Err(WriteError::PermissionDenied { .. }) => open_own(&path, OpenOptions::new().read(true))?,
            opened => opened?,
        };
        match retry_on_intr(|| flock(&file, operation)) {
            Ok(()) => Ok(Lock { file: Some(file), passing: None }),
            Err(Errno::WOULDBLOCK) => Err(WriteError::InUse { path: self.dir.path.clone() }),
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK | Errno::INVAL) => Ok(Lock { file: None, passing: None }),
            Err(errno) => Err(WriteError::from_errno(&path, errno)),
        }
    }

    /// Removes what killed runs left hidden here. Only for whoever has the lock.
    pub fn sweep(&self) {
        let Ok(entries) = list_dir(&self.dir.path) else { return };
        for entry in entries.iter().filter(|entry| is_swept(&entry.name)) {
            let _ = unlinkat(&self.dir.fd, entry.name.as_str(), AtFlags::empty());
        }
    }

    /// Removes a file. One that is not there is no error.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn remove(&self, name: &str) -> Result<(), WriteError> {
        match unlinkat(&self.dir.fd, name, AtFlags::empty()) {
            Ok(()) => self.dir.sync(),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(WriteError::from_errno(&self.dir.path.join(name), errno)),
        }
    }

    /// Writes `bytes` aside, durably, to become `name`.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is left behind.
    pub fn stage(&self, name: &str, bytes: &[u8]) -> Result<Staged, WriteError> {
        self.stage_as(name, bytes, Mode::Public)
    }

    /// As [`WorkDir::stage`], for these readers.
    ///
    /// # Errors
    /// As [`WorkDir::stage`].
    pub fn stage_as(&self, name: &str, bytes: &[u8], mode: Mode) -> Result<Staged, WriteError> {
        stage(&self.dir, name, bytes, mode)
    }

    /// As [`WorkDir::publish`], for one file whose name must be free.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or as the system reports it.
    pub fn publish_new(&self, staged: Staged) -> Result<(), WriteError> {
        critical(|| {
            Undo::settle(staged.publish(false)?);
            self.dir.sync()
        })
    }

    /// Makes the files visible, each in one step, and their names durable. What has a name already is replaced.
    /// Interrupts wait meanwhile.
    ///
    /// # Errors
    /// [`WriteError`]; the files before the one that failed stay.
    pub fn publish(&self, staged: Vec<Staged>) -> Result<(), WriteError> {
        critical(|| {
            for file in staged {
                Undo::settle(file.publish(true)?);
            }
            self.dir.sync()
        })
    }

    /// Makes a name free that something other than a file or a link has, which cannot be replaced by a file: a folder, a
    /// pipe, a device. It gets another name beside it, which is returned.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn set_aside(&self, name: &str) -> Result<Option<PathBuf>, WriteError> {
        match self.dir.kind(name)? {
            None | Some(FileType::RegularFile | FileType::Symlink) => return Ok(None),
            Some(_) => {}
        }
        let mut aside = format!("{name}.aside");
        let mut number = 1_u32;
        while self.dir.kind(&aside)?.is_some() {
            number = number.saturating_add(1);
            aside = format!("{name}.aside-{number}");
        }
        let failed = |errno| WriteError::from_errno(&self.dir.path.join(name), errno);
        renameat(&self.dir.fd, name, &self.dir.fd, aside.as_str()).map_err(failed)?;
        Ok(Some(self.dir.path.join(aside)))
    }

    /// Opens a file to append to, and makes it if it is missing.
    ///
    /// # Errors
    /// [`WriteError::NotAFile`] for a link, a pipe or a device in its place; otherwise as the system reports it.
    pub fn log(&self, name: &str) -> Result<Log, WriteError> {
        let path = self.dir.path.join(name);
        let file = open_own(&path, OpenOptions::new().create(true).read(true).append(true))?;
        self.dir.sync()?;
        Ok(Log { file, path, is_torn: false })
    }
}

/// Opens a file that is this program's own. A link would lead what is written to somebody else's file, and a pipe would be
/// waited for.
fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File, WriteError> {
    let not_a_file = || WriteError::NotAFile { path: path.to_path_buf() };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file =
        options.mode(0o644).custom_flags(flags).open(path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP | Errno::NXIO) => not_a_file(),
            _ => WriteError::from_io(path, error),
        })?;
    let facts = file.metadata().map_err(|error| WriteError::from_io(path, error))?;
    if facts.is_file() { Ok(file) } else { Err(not_a_file()) }
}

/// A file that only grows.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// Whether a part of a line may stand at its end, so that what is appended would not be told from it.
    is_torn: bool,
}

impl Log {
    /// Cuts off what stands behind the last line feed: the rest of a line that a killed run, or a full disk, left. Returns
    /// how many bytes that were.
    ///
    /// # Errors
    /// [`WriteError::LongUnfinished`] beyond [`MAX_UNFINISHED`]; otherwise as the system reports it.
    pub fn drop_unfinished_line(&mut self) -> Result<u64, WriteError> {
        let failed = |error| WriteError::from_io(&self.path, error);
        let length = self.file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut end = length;
        let mut buffer = vec![0_u8; 64 << 10];
        let keep = loop {
            let start = end.saturating_sub(64 << 10);
            let count = usize::try_from(end - start).unwrap_or(0);
            let block = buffer.get_mut(..count).unwrap_or_default();
            self.file.seek(SeekFrom::Start(start)).map_err(failed)?;
            self.file.read_exact(block).map_err(failed)?;
            if let Some(feed) = block.iter().rposition(|byte| *byte == b'\n') {
                break start.saturating_add(u64::try_from(feed).unwrap_or(0)).saturating_add(1);
            }
            if start == 0 {
                break 0;
            }
            if length - start > MAX_UNFINISHED {
                return Err(WriteError::LongUnfinished { path: self.path.clone(), limit: MAX_UNFINISHED });
            }
            end = start;
        };
        if length - keep > MAX_UNFINISHED {
            return Err(WriteError::LongUnfinished { path: self.path.clone(), limit: MAX_UNFINISHED });
        }
        if keep < length {
            self.file.set_len(keep).map_err(failed)?;
        }
        Ok(length - keep)
    }

    /// Appends whole lines and makes them durable. Interrupts wait meanwhile.
    ///
    /// # Errors
    /// [`WriteError`]; of these lines the first ones may have been appended, but no part of one. Where a part could not be
    /// taken back, nothing is appended any more, since the next line would be glued to it.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        if self.is_torn {
            let error = io::Error::other("an earlier line could not be taken back");
            return Err(WriteError::from_io(&self.path, error));
        }
        critical(|| {
            self.file.write_all(lines).and_then(|()| self.file.sync_data()).map_err(|error| {
                self.is_torn = self.drop_unfinished_line().is_err() || self.file.sync_data().is_err();
                WriteError::from_io(&self.path, error)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lock_at_a_time() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("work");
        let first = WorkDir::open(&path).unwrap();
        let lock = first.lock().unwrap();
        assert!(lock.is_held());
        let second = WorkDir::open(&path).unwrap();
        assert!(matches!(second.lock(), Err(WriteError::InUse { .. })));
        let results = second.lock_results().unwrap();
        assert!(matches!(first.lock_results(), Err(WriteError::InUse { .. })));
        assert!(path.join(HIDDEN_LOCK_FILE).exists());
        drop((lock, results));
        assert!(!path.join(HIDDEN_LOCK_FILE).exists());
        assert!(second.lock().unwrap().is_held());
        assert!(matches!(WorkDir::open(&outer.path().join("a/b")), Err(WriteError::ParentMissing { .. })));
        std::fs::write(outer.path().join("file"), b"").unwrap();
        assert!(matches!(WorkDir::open(&outer.path().join("file")), Err(WriteError::NotADirectory { .. })));
    }

    #[test]
    fn what_was_made_for_a_lock_and_stayed_empty_goes_with_it() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("results");
        drop(WorkDir::open(&path).unwrap().lock_results().unwrap());
        assert!(!path.exists());
        let lock = WorkDir::open(&path).unwrap().lock_results().unwrap();
        std::fs::write(path.join("one"), b"").unwrap();
        drop(lock);
        assert!(path.join("one").exists());
        std::fs::remove_file(path.join("one")).unwrap();
        drop(WorkDir::open(&path).unwrap().lock_results().unwrap());
        assert!(path.exists(), "it was there before");
        // Somebody's own file of that name is no lock, and stays.
        std::fs::write(path.join(HIDDEN_LOCK_FILE), b"x").unwrap();
        assert!(matches!(WorkDir::open(&path).unwrap().lock_results(), Err(WriteError::Exists { .. })));
        assert_eq!(std::fs::read(path.join(HIDDEN_LOCK_FILE)).unwrap(), b"x");
    }

    #[test]
    fn whoever_waits_for_a_lock_says_so_first() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        drop(dir.wait_for_lock(|| panic!("nobody has it")).unwrap());
        let held = dir.lock().unwrap();
        std::thread::scope(|scope| {
            let (told, heard) = std::sync::mpsc::channel();
            let waits = scope.spawn(|| dir.wait_for_lock(move || told.send(()).unwrap()).unwrap().is_held());
            heard.recv().unwrap();
            drop(held);
            assert!(waits.join().unwrap());
        });
    }

    /// One lock at a time, though its file comes and goes.
    #[test]
    fn a_lock_that_passes_is_one_lock() {
        let outer = tempfile::tempdir().unwrap();
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let dir = WorkDir::open(outer.path()).unwrap();
                    let mut held = 0;
                    while held < 200 {
                        let Ok(lock) = dir.lock_results() else { continue };
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        held += 1;
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_appear_whole_and_are_replaced() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        for content in [b"first".as_slice(), b"second"] {
            let mut staged = dir.stage("row", content).unwrap();
            assert_eq!(staged.read_back().unwrap(), content);
            dir.publish(vec![staged]).unwrap();
            assert_eq!(std::fs::read(outer.path().join("row")).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_makes_way_and_is_not_lost() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        let path = outer.path().join("row");
        assert_eq!(dir.set_aside("row").unwrap(), None);
        std::fs::write(&path, b"x").unwrap();
        assert_eq!(dir.set_aside("row").unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        for name in ["row.aside", "row.aside-2"] {
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("kept"), name).unwrap();
            assert_eq!(dir.set_aside("row").unwrap(), Some(outer.path().join(name)));
            assert_eq!(std::fs::read_to_string(outer.path().join(name).join("kept")).unwrap(), name);
            assert!(!path.exists());
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Bits::RWXU).unwrap();
        assert_eq!(dir.set_aside("row").unwrap(), Some(outer.path().join("row.aside-3")));
    }

    #[test]
    fn logs_grow_and_lose_only_an_unfinished_line() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        let path = outer.path().join("log");
        dir.log("log").unwrap().append(b"one\ntwo\n").unwrap();
        for (content, kept) in [("one\ntwo\nthr", "one\ntwo\n"), ("one\ntwo\n", "one\ntwo\n"), ("on", ""), ("", "")] {
            std::fs::write(&path, content).unwrap();
            let mut log = dir.log("log").unwrap();
            log.drop_unfinished_line().unwrap();
            log.append(b"more\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{kept}more\n"));
        }
    }

    /// Across blocks and at their edges; and what is longer than any line of ours is not thrown away.
    #[test]
    fn unfinished_lines_of_any_length_are_found_in_blocks() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        let path = outer.path().join("log");
        let most = usize::try_from(MAX_UNFINISHED).unwrap();
        for kept in ["", "one\n"] {
            for rest in [1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 200_000, most, most + 1, 3 * most] {
                let text = format!("{kept}{}", "x".repeat(rest));
                std::fs::write(&path, &text).unwrap();
                let outcome = dir.log("log").unwrap().drop_unfinished_line();
                let now = std::fs::read_to_string(&path).unwrap();
                if rest <= most {
                    assert!(outcome.is_ok() && now == kept, "{rest}");
                } else {
                    assert!(matches!(outcome, Err(WriteError::LongUnfinished { limit: MAX_UNFINISHED, .. })), "{rest}");
                    assert!(now == text, "{rest}");
                }
            }
        }
    }

    /// A device that is always full, and cannot be cut off either.
    #[test]
    fn a_log_that_may_be_torn_takes_no_more() {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut log = Log { file, path, is_torn: false };
        assert!(matches!(log.append(b"one\n"), Err(WriteError::NoSpace { .. })));
        let again = log.append(b"two\n").unwrap_err();
        assert!(!matches!(again, WriteError::NoSpace { .. }), "it was tried again: {again}");
    }

    #[test]
    fn links_and_pipes_are_neither_logs_nor_locks() {
        let outer = tempfile::tempdir().unwrap();
        let dir = WorkDir::open(outer.path()).unwrap();
        let other = outer.path().join("other");
        std::fs::write(&other, b"somebody else's\n").unwrap();
        for name in ["log", LOCK_FILE] {
            let path = outer.path().join(name);
            let refused = || match name {
                LOCK_FILE => dir.lock().map(drop),
                _ => dir.log(name).map(drop),
            };
            for to in [other.as_path(), &outer.path().join("nowhere"), Path::new("/dev/full")] {
                std::os::unix::fs::symlink(to, &path).unwrap();
                assert!(matches!(refused(), Err(WriteError::NotAFile { .. })), "{name} {}", to.display());
                std::fs::remove_file(&path).unwrap();
            }
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, Bits::RWXU).unwrap();
            assert!(matches!(refused(), Err(WriteError::NotAFile { .. })), "{name}");
            std::fs::remove_file(&path).unwrap();
            assert!(refused().is_ok());
        }
        assert!(!outer.path().join("nowhere").exists());
        assert_eq!(std::fs::read(&other).unwrap(), b"somebody else's\n");
    }
}
