//! Puts a set of files into one directory: all of them, or none.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    Access, AtFlags, FileType, FlockOperation, Mode as Bits, OFlags, access, fchmod, flock, lstat, mkdirat, open,
    openat, stat, unlinkat,
};
use rustix::io::Errno;

use crate::machine::interrupt::{Leftover, critical, published};
use crate::store::atomic::{Dir, Mode, Staged, Undo, begin, is_swept, stage};
use crate::store::read::list_dir;
use crate::store::write_error::WriteError;

/// A directory that is proven to take files now. If it was created here and nothing has been
/// published when this is dropped, it is removed again.
pub struct OutputDir {
    dir: Arc<Dir>,
    overwrite: bool,
    created: Option<Created>,
}

struct Created {
    parent: Arc<Dir>,
    name: OsString,
    _promise: Leftover,
}

impl OutputDir {
    /// Finds out whether [`OutputDir::prepare`] stands a chance, and changes nothing at all.
    ///
    /// # Errors
    /// [`WriteError`]: a name that is taken (without `overwrite`; a dangling link counts) or
    /// taken by something other than a file (with it), a name that is no plain file name, a path
    /// that is no directory, a missing parent directory, no permission, a read-only file system.
    pub fn check(path: &Path, names: &[&str], overwrite: bool) -> Result<(), WriteError> {
        names.iter().try_for_each(|name| plain_name(name))?;
        let failed = |errno| WriteError::from_errno(path, errno);
        let must_admit = |dir: &Path| {
            access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| WriteError::from_errno(dir, errno))
        };
        match stat(path) {
            Ok(facts) if is_dir(facts.st_mode) => {
                let dir = open_existing(path)?;
                must_be_free(&dir, names, overwrite)?;
                must_admit(path)
            }
            Ok(_) => Err(failed(Errno::NOTDIR)),
            // A dangling link: creating its target elsewhere would be a surprise.
            Err(Errno::NOENT) if lstat(path).is_ok() => Err(failed(Errno::NOTDIR)),
            Err(Errno::NOENT) => {
                let parent = parent_of(path);
                match stat(parent) {
                    Ok(facts) if is_dir(facts.st_mode) => must_admit(parent),
                    Ok(_) => Err(WriteError::from_errno(parent, Errno::NOTDIR)),
                    Err(Errno::NOENT) => Err(WriteError::ParentMissing { path: parent.to_path_buf() }),
                    Err(errno) => Err(WriteError::from_errno(parent, errno)),
                }
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Creates the directory (0755) if it is missing, though not its parents, and proves that it
    /// takes files now, by writing one aside and letting go of it.
    ///
    /// # Errors
    /// As [`OutputDir::check`], and [`WriteError::NoSpace`].
    pub fn prepare(path: &Path, names: &[&str], overwrite: bool) -> Result<Self, WriteError> {
        Self::check(path, names, overwrite)?;
        let (dir, created) = match open_existing(path) {
            Ok(dir) => (dir, None),
            Err(_) => create(path)?,
        };
        let mut prepared = Self { dir: Arc::new(dir), overwrite, created };
        // Held until the directory is let go of, however the process ends. Where there are no locks, the names themselves
        // decide, without overwriting.
        let lock = flock(&prepared.dir.fd, FlockOperation::NonBlockingLockExclusive);
        if lock == Err(Errno::WOULDBLOCK) {
            // Whoever made the directory, it is the other's now.
            prepared.created = None;
            return Err(WriteError::InUse { path: path.to_path_buf() });
        }
        must_be_free(&prepared.dir, names, overwrite)?;
        if lock.is_ok() {
            sweep(&prepared.dir);
        }
        let proof = stage(&prepared.dir, "proof", &[0; 512], Mode::Secret).map_err(|error| about(path, error))?;
        drop(proof);
        Ok(prepared)
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir.path
    }

    /// Whether the directory did not exist before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.created.is_some()
    }

    /// Writes `bytes` aside, durably, to become `name`. On Linux file systems that can, the file
    /// has no name until it is published, so even a killed process leaves nothing.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is left behind.
    pub fn stage(&self, name: &str, bytes: &[u8], mode: Mode) -> Result<Staged, WriteError> {
        plain_name(name)?;
        stage(&self.dir, name, bytes, mode)
    }

    /// Begins a file that is too large to be held at once: append to it, then finish it.
    ///
    /// # Errors
    /// As [`OutputDir::stage`].
    pub fn begin(&self, name: &str, mode: Mode) -> Result<Staged, WriteError> {
        plain_name(name)?;
        begin(&self.dir, name, mode)
    }

    /// Makes the files visible in the given order, each in one step, and returns their paths.
    ///
    /// Interrupts wait meanwhile. Without `overwrite`, nothing is ever replaced: a name taken
    /// since [`OutputDir::prepare`] is a refusal.
    ///
    /// # Errors
    /// [`WriteError`]; the files already published are taken back and what they replaced is put
    /// back, so that the directory is as it was. [`WriteError::NotTakenBack`] says where that
    /// failed.
    pub fn publish(self, staged: Vec<Staged>) -> Result<Vec<PathBuf>, WriteError> {
        self.publish_with(staged, |_| Ok(()))
    }

    /// As [`OutputDir::publish`], asking `before` ahead of every file, by its position, whether
    /// to go on. Tests use it to fail at every point.
    ///
    /// # Errors
    /// As [`OutputDir::publish`]; an error of `before` counts as a failure of that file.
    pub fn publish_with(
        mut self,
        staged: Vec<Staged>,
        mut before: impl FnMut(usize) -> Result<(), WriteError>,
    ) -> Result<Vec<PathBuf>, WriteError> {
        critical(|| {
            let mut done: Vec<Undo> = Vec::with_capacity(staged.len());
            let count = staged.len();
            let outcome = staged
                .into_iter()
                .enumerate()
                .try_for_each(|(position, file)| {
                    before(position)?;
                    done.push(file.publish(self.overwrite)?);
                    Ok(())
                })
                .and_then(|()| before(count))
                .and_then(|()| self.dir.sync())
                .and_then(|()| match &self.created {
                    Some(created) => created.parent.sync(),
                    None => Ok(()),
                });
            match outcome {
                Ok(()) => {
                    let paths: Vec<_> = done.iter().map(Undo::path).collect();
                    published(&paths);
                    done.into_iter().for_each(Undo::settle);
                    if count > 0 {
                        self.created = None;
                    }
                    Ok(paths)
                }
                Err(cause) => Err(take_back(done, cause)),
            }
        })
    }
}

impl Drop for OutputDir {
    fn drop(&mut self) {
        if let Some(created) = &self.created {
            // Refused by the system unless the directory is empty.
            let _ = unlinkat(&created.parent.fd, &created.name, AtFlags::REMOVEDIR);
        }
    }
}

/// Removes what a killed run left hidden here. What cannot be removed stays, and harms nobody.
fn sweep(dir: &Dir) {
    let Ok(entries) = list_dir(&dir.path) else { return };
    for entry in entries.iter().filter(|entry| is_swept(&entry.name)) {
        let _ = unlinkat(&dir.fd, entry.name.as_str(), AtFlags::empty());
    }
}

fn take_back(done: Vec<Undo>, cause: WriteError) -> WriteError {
    let mut remaining = Vec::new();
    for undo in done.into_iter().rev() {
        let path = undo.path();
        if undo.take_back().is_err() {
            remaining.push(path);
        }
    }
    if remaining.is_empty() { cause } else { WriteError::NotTakenBack { remaining, cause: Box::new(cause) } }
}

fn create(path: &Path) -> Result<(Dir, Option<Created>), WriteError> {
    let failed = |errno| WriteError::from_errno(path, errno);
    let parent = Arc::new(open_existing(parent_of(path))?);
    let name = path.file_name().map(OsStr::to_os_string).ok_or_else(|| failed(Errno::NOENT))?;
    let bits = Bits::from_raw_mode(0o755);
    // Critical, so that no directory can appear after an interrupt has cleaned up.
    let promise = critical(|| mkdirat(&parent.fd, &name, bits).map(|()| Leftover::empty_dir(path.to_path_buf())))
        .map_err(failed)?;
    let created = Created { parent, name, _promise: promise };
    let give_up = |errno| {
        let _ = unlinkat(&created.parent.fd, &created.name, AtFlags::REMOVEDIR);
        failed(errno)
    };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = openat(&created.parent.fd, &created.name, flags, Bits::empty()).map_err(give_up)?;
    // The umask may have taken bits away. File systems without permissions refuse to care.
    let _ = fchmod(&fd, bits);
    Ok((named(fd, path), Some(created)))
}

fn open_existing(path: &Path) -> Result<Dir, WriteError> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = open(path, flags, Bits::empty()).map_err(|errno| WriteError::from_errno(path, errno))?;
    Ok(named(fd, path))
}

fn named(fd: OwnedFd, path: &Path) -> Dir {
    Dir { fd, path: path.to_path_buf() }
}

fn must_be_free(dir: &Dir, names: &[&str], overwrite: bool) -> Result<(), WriteError> {
    for name in names {
        let path = || dir.path.join(name);
        match dir.kind(name)? {
            Some(_) if !overwrite => return Err(WriteError::Exists { path: path() }),
            None | Some(FileType::RegularFile | FileType::Symlink) => {}
            Some(_) => return Err(WriteError::NotAFile { path: path() }),
        }
    }
    Ok(())
}

fn plain_name(name: &str) -> Result<(), WriteError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        Err(WriteError::BadName { name: name.into() })
    } else {
        Ok(())
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn is_dir(raw_mode: rustix::fs::RawMode) -> bool {
    FileType::from_raw_mode(raw_mode) == FileType::Directory
}

/// The same failure, told of the directory instead of the file that was only a proof.
fn about(dir: &Path, error: WriteError) -> WriteError {
    let path = dir.to_path_buf();
    match error {
        WriteError::NoSpace { .. } => WriteError::NoSpace { path },
        WriteError::ReadOnly { .. } => WriteError::ReadOnly { path },
        WriteError::PermissionDenied { .. } => WriteError::PermissionDenied { path },
        WriteError::Io { error, .. } => WriteError::Io { path, error },
        other => other,
    }
}

#[cfg(test)]
mod tests;
