//! Carries one file from "written aside" to "visible under its name", and back if need be.
#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side"))]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, OFlags, fchmod, fstat, fsync, linkat, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::crypto::digest::{Sha256Digest, Sha256Running};
use crate::machine::interrupt::{Leftover, critical};
use crate::store::write_error::WriteError;

/// Who may read a file once it is visible. Independent of the umask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everybody: 0644.
    Public,
    /// The owner alone: 0600.
    Secret,
}

impl Mode {
    fn bits(self) -> rustix::fs::Mode {
        rustix::fs::Mode::from_raw_mode(match self {
            Self::Public => 0o644,
            Self::Secret => 0o600,
        })
    }
}

/// An open directory. All work is relative to it, so that renaming or replacing a part of its
/// path during the run cannot divert a file elsewhere.
pub(crate) struct Dir {
    pub(crate) fd: OwnedFd,
    pub(crate) path: PathBuf,
}

impl Dir {
    fn failed(&self, name: &str) -> impl Fn(Errno) -> WriteError + use<> {
        let path = self.path.join(name);
        move |errno| WriteError::from_errno(&path, errno)
    }

    /// What kind of thing has `name`, symbolic links not followed.
    pub(crate) fn kind(&self, name: &str) -> Result<Option<FileType>, WriteError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => Ok(Some(FileType::from_raw_mode(facts.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed(name)(errno)),
        }
    }

    /// Makes the names in the directory durable.
    pub(crate) fn sync(&self) -> Result<(), WriteError> {
        match fsync(&self.fd) {
            // Some network and FUSE file systems have no such call for directories.
            Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) | Ok(()) => Ok(()),
            Err(errno) => Err(WriteError::from_errno(&self.path, errno)),
        }
    }

    /// Tries hidden names until `make` succeeds with one that was free. `make` must fail with
    /// EEXIST on a taken name, so a name planted by somebody else costs one more try.
    fn with_free_name<T>(kind: &str, mut make: impl FnMut(&str) -> Result<T, Errno>) -> Result<(String, T), Errno> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        for _ in 0..1000 {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{LEFT_OVER}{}-{number}.{kind}", std::process::id());
            match make(&name) {
                Ok(result) => return Ok((name, result)),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::EXIST)
    }
}

/// How the hidden names of files on their way start.
pub const LEFT_OVER: &str = ".dvkey-";

/// The end of a hidden name whose content was never published, and can be made again.
const EXPENDABLE: &str = "tmp";

/// The end of a hidden name that may hold an earlier result which stands nowhere else: never swept away.
const PRECIOUS: &str = "old";

/// Whether a file of this name was left by a run that was killed, and is of no use to anybody.
pub(crate) fn is_swept(name: &str) -> bool {
    let parts = name.strip_prefix(LEFT_OVER).and_then(|rest| rest.strip_suffix(EXPENDABLE)?.strip_suffix('.'));
    let Some((process, number)) = parts.and_then(|rest| rest.split_once('-')) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let process = process.parse().ok().filter(|_| digits(number)).and_then(rustix::process::Pid::from_raw);
    process.is_some_and(|process| rustix::process::test_kill_process(process) == Err(Errno::SRCH))
}

/// Where the bytes of a staged file are.
enum Place {
    /// In a file without a name: gone with the process, however it ends.
    Unnamed,
    /// In a hidden file of the directory.
    Hidden { name: String, _promise: Leftover },
    /// Under the final name.
    Published,
}

/// A file written aside and durable, but not visible under its name. Dropping it removes it.
pub struct Staged {
    dir: Arc<Dir>,
    name: String,
    mode: Mode,
    file: File,
    length: u64,
    place: Place,
}

/// How to take a published file back.
pub(crate) struct Undo {
    staged: Staged,
    /// The hidden name of what the file replaced.
    replaced: Option<String>,
}

/// Writes `bytes` aside for `name`.
pub(crate) fn stage(dir: &Arc<Dir>, name: &str, bytes: &[u8], mode: Mode) -> Result<Staged, WriteError> {
    let mut staged = begin(dir, name, mode)?;
    staged.append(bytes)?;
    staged.finish()?;
    Ok(staged)
}

/// Opens a file that is written aside for `name`, and is still empty.
pub(crate) fn begin(dir: &Arc<Dir>, name: &str, mode: Mode) -> Result<Staged, WriteError> {
    let failed = dir.failed(name);
    let (file, place) = match open_unnamed(dir).map_err(&failed)? {
        Some(file) => (file, Place::Unnamed),
        None => open_hidden(dir).map_err(&failed)?,
    };
    Ok(Staged { dir: Arc::clone(dir), name: name.to_owned(), mode, file, length: 0, place })
}

/// Opens a file without a name; `None` where the file system has no such thing, or where it
/// could not be given a name later because `/proc` is missing.
#[cfg(target_os = "linux")]
fn open_unnamed(dir: &Dir) -> Result<Option<File>, Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match openat(&dir.fd, ".", flags, Mode::Secret.bits()) {
        Ok(fd) => {
            let link = descriptor_path(&fd);
            let same = statat(rustix::fs::CWD, link, AtFlags::empty())
                .is_ok_and(|seen| fstat(&fd).is_ok_and(|own| is_same(&seen, &own)));
            Ok(same.then(|| File::from(fd)))
        }
        // EISDIR and ENOENT come from kernels that do not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_unnamed(_dir: &Dir) -> Result<Option<File>, Errno> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn descriptor_path(fd: &impl std::os::fd::AsRawFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn open_hidden(dir: &Dir) -> Result<(File, Place), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
    // Critical, so that no file can appear after an interrupt has cleaned up.
    let (name, (fd, promise)) = critical(|| {
        Dir::with_free_name(EXPENDABLE, |name| {
            let fd = openat(&dir.fd, name, flags, Mode::Secret.bits())?;
            Ok((fd, Leftover::file(dir.path.join(name))))
        })
    })?;
    let place = Place::Hidden { name, _promise: promise };
    Ok((File::from(fd), place))
}

pub(crate) fn is_same(a: &rustix::fs::Stat, b: &rustix::fs::Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

impl Staged {
    /// The name the file will have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the file system took the permissions asked for. FAT and its like have none of
    /// their own and give every file those of the mount.
    #[must_use]
    pub fn mode_is_kept(&self) -> bool {
        fstat(&self.file).is_ok_and(|facts| rustix::fs::Mode::from_raw_mode(facts.st_mode) == self.mode.bits())
    }

    /// Reads the bytes back from the file itself, past the cache where the system allows.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it. Too many bytes are not an error: one more than
    /// were written is returned, so that a comparison fails.
    pub fn read_back(&mut self) -> Result<Vec<u8>, WriteError> {
        let path = self.path();
        // One read for the content and one for the end; a growing vector would take ten.
        let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0).saturating_add(1));
        self.reader()?.read_to_end(&mut bytes).map_err(|error| WriteError::from_io(&path, error))?;
        Ok(bytes)
    }

    /// The digest of the bytes that [`Staged::read_back`] would return.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn digest_back(&mut self) -> Result<Sha256Digest, WriteError> {
        let path = self.path();
        let mut reader = self.reader()?;
        let mut running = Sha256Running::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(running.digest()),
                Ok(count) => running.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(WriteError::from_io(&path, error)),
            }
        }
    }

    /// As [`Staged::read_back`], for a file too large to be held at once.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn reader(&mut self) -> Result<impl Read, WriteError> {
        #[cfg(target_os = "linux")]
        {
            // Advice only: clean pages are dropped, and the bytes come from the device.
            let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
        }
        let path = self.path();
        self.file.seek(SeekFrom::Start(0)).map_err(|error| WriteError::from_io(&path, error))?;
        Ok((&self.file).take(self.length.saturating_add(1)))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path.join(&self.name)
    }

    /// Appends to a file that is not [finished](Staged::finish).
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write_all(bytes).map_err(|error| WriteError::from_io(&self.path(), error))?;
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes the file durable, with its permissions.
    ///
    /// # Errors
    /// [`WriteError`] as the system reports it.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        let path = self.path();
        let failed = |error| WriteError::from_io(&path, error);
        match fchmod(&self.file, self.mode.bits()) {
            // A file system without permissions of its own; see `mode_is_kept`.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(errno) => return Err(WriteError::from_errno(&path, errno)),
        }
        self.file.sync_all().map_err(failed)
    }

    /// Makes the file visible. With `overwrite`, what has the name is set aside, not lost, until
    /// [`Undo::settle`].
    pub(crate) fn publish(mut self, overwrite: bool) -> Result<Undo, WriteError> {
        let replaced = match self.dir.kind(&self.name)? {
            Some(FileType::RegularFile | FileType::Symlink) if overwrite => Some(self.replace()?),
            Some(_) if overwrite => return Err(WriteError::NotAFile { path: self.path() }),
            Some(_) => return Err(WriteError::Exists { path: self.path() }),
            None => {
                self.appear()?;
                None
            }
        };
        Ok(Undo { staged: self, replaced })
    }

    /// Gives the file its name if that is free. The kernel decides, in one step: between a look
    /// and a rename, somebody else could take the name.
    fn appear(&mut self) -> Result<(), WriteError> {
        if matches!(self.place, Place::Unnamed) {
            match self.link_unnamed(&self.name) {
                Ok(()) => {
                    self.place = Place::Published;
                    return Ok(());
                }
                Err(errno) if is_refused_link(errno) => self.hide(EXPENDABLE)?,
                Err(errno) => return Err(self.dir.failed(&self.name)(errno)),
            }
        }
        let Place::Hidden { name: hidden, .. } = &self.place else {
            return Ok(());
        };
        self.rename_to_free_name(hidden)?;
        self.place = Place::Published;
        Ok(())
    }

    fn rename_to_free_name(&self, hidden: &str) -> Result<(), WriteError> {
        let failed = self.dir.failed(&self.name);
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        match rustix::fs::renameat_with(
            &self.dir.fd,
            hidden,
            &self.dir.fd,
            &self.name,
            rustix::fs::RenameFlags::NOREPLACE,
        ) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return done.map_err(failed),
        }
        // File systems that cannot rename so (NFS) can give the file a second name instead.
        match self.link(hidden, &self.name) {
            Ok(()) => {
                let _ = unlinkat(&self.dir.fd, hidden, AtFlags::empty());
                Ok(())
            }
            Err(errno) if is_refused_link(errno) => Err(WriteError::NoAtomicPublish { path: self.path() }),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Takes the name from the file that has it, and returns the hidden name that one has now.
    fn replace(&mut self) -> Result<String, WriteError> {
        // From the exchange on the hidden name has the old content, which stands nowhere else.
        self.hide(PRECIOUS)?;
        self.become_precious()?;
        let failed = self.dir.failed(&self.name);
        let Place::Hidden { name: hidden, .. } = &self.place else {
            return Err(failed(Errno::INVAL));
        };
        let dir = &self.dir.fd;
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        match rustix::fs::renameat_with(dir, hidden, dir, &self.name, rustix::fs::RenameFlags::EXCHANGE) {
            Ok(()) => {
                let aside = hidden.clone();
                // Withdraws the promise to remove what is now the user's own file.
                self.place = Place::Published;
                return Ok(aside);
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let linked = Dir::with_free_name(PRECIOUS, |aside| self.link(&self.name, aside));
        let aside = match linked {
            Ok((aside, ())) => {
                if let Err(errno) = rustix::fs::renameat(dir, hidden, dir, &self.name) {
                    // The old file still has its name; only the second one goes.
                    let _ = unlinkat(dir, &aside, AtFlags::empty());
                    return Err(failed(errno));
                }
                aside
            }
            Err(errno) if is_refused_link(errno) => self.replace_by_steps(hidden)?,
            Err(errno) => return Err(failed(errno)),
        };
        self.place = Place::Published;
        Ok(aside)
    }

    /// The way for file systems that neither exchange names nor link: the old file steps aside
    /// first. Its name is missing for an instant, its content never.
    fn replace_by_steps(&self, hidden: &str) -> Result<String, WriteError> {
        let failed = self.dir.failed(&self.name);
        let dir = &self.dir.fd;
        let (aside, ()) = Dir::with_free_name(PRECIOUS, |aside| match statat(dir, aside, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => rustix::fs::renameat(dir, &self.name, dir, aside),
            Ok(_) => Err(Errno::EXIST),
            Err(errno) => Err(errno),
        })
        .map_err(&failed)?;
        match rustix::fs::renameat(dir, hidden, dir, &self.name) {
            Ok(()) => Ok(aside),
            Err(errno) => match rustix::fs::renameat(dir, &aside, dir, &self.name) {
                Ok(()) => Err(failed(errno)),
                Err(_) => Err(WriteError::NotTakenBack {
                    remaining: vec![self.dir.path.join(&aside)],
                    cause: Box::new(failed(errno)),
                }),
            },
        }
    }

    /// Gives a hidden file the kind of name that is never swept away.
    fn become_precious(&mut self) -> Result<(), WriteError> {
        let Place::Hidden { name: hidden, .. } = &self.place else { return Ok(()) };
        if hidden.ends_with(PRECIOUS) {
            return Ok(());
        }
        let dir = &self.dir.fd;
        let (name, promise) =
            Dir::with_free_name(PRECIOUS, |name| match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    let promise = Leftover::file(self.dir.path.join(name));
                    rustix::fs::renameat(dir, hidden, dir, name).map(|()| promise)
                }
                Ok(_) => Err(Errno::EXIST),
                Err(errno) => Err(errno),
            })
            .map_err(self.dir.failed(&self.name))?;
        self.place = Place::Hidden { name, _promise: promise };
        Ok(())
    }

    /// Gives an unnamed file a hidden name.
    fn hide(&mut self, kind: &str) -> Result<(), WriteError> {
        if !matches!(self.place, Place::Unnamed) {
            return Ok(());
        }
        let failed = self.dir.failed(&self.name);
        let linked = Dir::with_free_name(kind, |name| {
            let promise = Leftover::file(self.dir.path.join(name));
            self.link_unnamed(name).map(|()| promise)
        });
        match linked {
            Ok((name, promise)) => {
                self.place = Place::Hidden { name, _promise: promise };
                Ok(())
            }
            // A security policy may forbid the link and still allow an ordinary file.
            Err(errno) if is_refused_link(errno) => {
                let bytes = zeroize::Zeroizing::new(self.read_back()?);
                let (file, place) = open_hidden(&self.dir).map_err(failed)?;
                self.file = file;
                self.place = place;
                self.length = 0;
                self.append(&bytes)?;
                self.finish()
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    fn link(&self, from: &str, to: &str) -> Result<(), Errno> {
        linkat(&self.dir.fd, from, &self.dir.fd, to, AtFlags::empty())
    }

    #[cfg(target_os = "linux")]
    fn link_unnamed(&self, name: &str) -> Result<(), Errno> {
        linkat(rustix::fs::CWD, descriptor_path(&self.file), &self.dir.fd, name, AtFlags::SYMLINK_FOLLOW)
    }

    #[cfg(not(target_os = "linux"))]
    fn link_unnamed(&self, _name: &str) -> Result<(), Errno> {
        Err(Errno::NOTSUP)
    }
}

/// Whether this says "no links here" and not "no room" or "name taken".
fn is_refused_link(errno: Errno) -> bool {
    // The second code is the first one's twin on Linux and a number of its own elsewhere.
    errno == Errno::NOTSUP
        || matches!(
            errno,
            Errno::PERM
                | Errno::ACCESS
                | Errno::NOENT
                | Errno::OPNOTSUPP
                | Errno::NOSYS
                | Errno::XDEV
                | Errno::INVAL
                | Errno::LOOP
                | Errno::MLINK
        )
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Place::Hidden { name, .. } = &self.place {
            let _ = unlinkat(&self.dir.fd, name, AtFlags::empty());
        }
    }
}

impl Undo {
    pub(crate) fn path(&self) -> PathBuf {
        self.staged.path()
    }

    /// Accepts the file for good: what it replaced is removed.
    pub(crate) fn settle(self) {
        if let Some(replaced) = &self.replaced {
            let _ = unlinkat(&self.staged.dir.fd, replaced, AtFlags::empty());
        }
    }

    /// Takes the file back and gives its name to what it replaced.
    pub(crate) fn take_back(self) -> Result<(), WriteError> {
        let Staged { dir, name, file, .. } = &self.staged;
        let failed = dir.failed(name);
        let own = fstat(file).map_err(&failed)?;
        match statat(&dir.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Somebody else has put a file there meanwhile; that one is not ours to remove.
            Ok(seen) if !is_same(&seen, &own) => Err(failed(Errno::EXIST)),
            Err(errno) if errno != Errno::NOENT => Err(failed(errno)),
            found => match &self.replaced {
                Some(replaced) => rustix::fs::renameat(&dir.fd, replaced, &dir.fd, name),
                None if found.is_ok() => unlinkat(&dir.fd, name, AtFlags::empty()),
                None => Ok(()),
            }
            .map_err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn dir(path: &Path) -> Arc<Dir> {
        let fd = File::options().read(true).open(path).unwrap().into();
        Arc::new(Dir { fd, path: path.to_path_buf() })
    }

    fn count(path: &Path) -> usize {
        std::fs::read_dir(path).unwrap().count()
    }

    /// A staged file in the fallback place, whatever this file system can do.
    fn hidden(dir: &Arc<Dir>, bytes: &[u8]) -> Staged {
        let (file, place) = open_hidden(dir).unwrap();
        let mut staged =
            Staged { dir: Arc::clone(dir), name: "file".into(), mode: Mode::Public, file, length: 0, place };
        staged.append(bytes).unwrap();
        staged.finish().unwrap();
        staged
    }

    #[test]
    fn an_unpublished_file_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let dir = dir(home.path());
        drop(stage(&dir, "file", b"x", Mode::Secret).unwrap());
        assert_eq!(count(home.path()), 0);
        let staged = hidden(&dir, b"x");
        assert_eq!(count(home.path()), 1);
        drop(staged);
        assert_eq!(count(home.path()), 0);
    }

    #[test]
    fn reading_back_shows_what_the_file_holds() {
        let home = tempfile::tempdir().unwrap();
        let dir = dir(home.path());
        let mut staged = hidden(&dir, b"as written");
        assert_eq!(staged.read_back().unwrap(), b"as written");
        let name = std::fs::read_dir(home.path()).unwrap().next().unwrap().unwrap();
        std::fs::write(name.path(), b"as tampered with, longer").unwrap();
        assert_eq!(staged.read_back().unwrap(), b"as tampered");
    }

    #[test]
    fn planted_names_are_stepped_over() {
        let mut tried = Vec::new();
        let (name, ()) = Dir::with_free_name(EXPENDABLE, |name| {
            tried.push(name.to_owned());
            if tried.len() < 3 { Err(Errno::EXIST) } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(tried.last(), Some(&name));
        assert!(Dir::with_free_name(EXPENDABLE, |_| Err::<(), _>(Errno::EXIST)).is_err());
    }

    #[test]
    fn a_file_of_somebody_else_is_not_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let dir = dir(home.path());
        let path = home.path().join("file");
        let undo = hidden(&dir, b"ours").publish(false).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        assert!(undo.take_back().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn what_was_replaced_comes_back_or_goes_for_good() {
        let home = tempfile::tempdir().unwrap();
        let dir = dir(home.path());
        let path = home.path().join("file");
        std::fs::write(&path, b"old").unwrap();
        let undo = stage(&dir, "file", b"new", Mode::Public).unwrap().publish(true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        undo.take_back().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(count(home.path()), 1);
        hidden(&dir, b"new").publish(true).unwrap().settle();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(count(home.path()), 1);
    }
}
