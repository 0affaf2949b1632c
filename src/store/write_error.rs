//! What stood in the way of a write.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use thiserror::Error;

/// Why a file or directory could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The name is taken and replacing was not asked for.
    #[error("{path}: already exists", path = path.display())]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// Replacing was asked for, but what has the name is not a file.
    #[error("{path}: exists and is not a file", path = path.display())]
    NotAFile {
        /// What exists.
        path: PathBuf,
    },
    /// A name that is empty, is `.` or `..`, or holds a separator or a NUL.
    #[error("{name:?}: not a plain file name")]
    BadName {
        /// The name.
        name: String,
    },
    /// Another process of this program is about to write there.
    #[error("{path}: another dvkey is writing to this folder", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The directory in which the output directory would be created is missing.
    #[error("{path}: no such directory", path = path.display())]
    ParentMissing {
        /// The missing directory.
        path: PathBuf,
    },
    /// What stands behind the last line of a log is longer than what an interrupted write leaves.
    #[error("{path}: more than {limit} bytes behind the last line feed, which no interrupted write has left", path = path.display())]
    LongUnfinished {
        /// The log.
        path: PathBuf,
        /// The most that is cut off.
        limit: u64,
    },
    /// The file system is mounted read-only.
    #[error("{path}: read-only file system", path = path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// The operating system does not let this user write there.
    #[error("{path}: permission denied", path = path.display())]
    PermissionDenied {
        /// What was to be written.
        path: PathBuf,
    },
    /// The device or the user's quota is full.
    #[error("{path}: no space left", path = path.display())]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// A directory was expected and something else found.
    #[error("{path}: not a directory", path = path.display())]
    NotADirectory {
        /// What was found.
        path: PathBuf,
    },
    /// The file system can neither rename without replacing nor hold a second name for a file,
    /// so nothing can appear there whole and without the risk of replacing something.
    #[error("{path}: the file system cannot publish a file without the risk of replacing one", path = path.display())]
    NoAtomicPublish {
        /// What was to be written.
        path: PathBuf,
    },
    /// Publishing failed and some of its files could not be taken back.
    #[error("{cause}; not taken back: {}", join(remaining))]
    NotTakenBack {
        /// Files left behind.
        remaining: Vec<PathBuf>,
        /// The failure that made taking back necessary.
        cause: Box<WriteError>,
    },
    /// Anything else the operating system reported.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// The report itself.
        error: io::Error,
    },
}

fn join(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

impl WriteError {
    /// The variant that fits a system error met while writing `path`.
    #[must_use]
    pub fn from_errno(path: &Path, errno: Errno) -> Self {
        let path = path.to_path_buf();
        match errno {
            Errno::EXIST => Self::Exists { path },
            Errno::ROFS => Self::ReadOnly { path },
            Errno::ACCESS | Errno::PERM => Self::PermissionDenied { path },
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace { path },
            Errno::NOTDIR => Self::NotADirectory { path },
            other => Self::Io { path, error: other.into() },
        }
    }

    /// The variant that fits an error of the standard library met while writing `path`.
    #[must_use]
    pub fn from_io(path: &Path, error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => Self::from_errno(path, errno),
            None => Self::Io { path: path.to_path_buf(), error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_become_facts() {
        let at = |errno| WriteError::from_errno(Path::new("out/a"), errno);
        assert!(matches!(at(Errno::DQUOT), WriteError::NoSpace { .. }));
        assert!(matches!(at(Errno::NOSPC), WriteError::NoSpace { .. }));
        assert!(matches!(at(Errno::PERM), WriteError::PermissionDenied { .. }));
        assert!(matches!(at(Errno::ROFS), WriteError::ReadOnly { .. }));
        assert!(matches!(at(Errno::IO), WriteError::Io { .. }));
        assert_eq!(at(Errno::EXIST).to_string(), "out/a: already exists");
    }

    #[test]
    fn what_stays_behind_is_named() {
        let error = WriteError::NotTakenBack {
            remaining: vec!["a".into(), "b".into()],
            cause: Box::new(WriteError::NoSpace { path: "c".into() }),
        };
        assert_eq!(error.to_string(), "c: no space left; not taken back: a, b");
    }
}
