//! Reads files, pipes and directories without ever taking in more than a stated limit.
#![expect(clippy::disallowed_methods, reason = "this file is the door through which all input is read")]

use std::cmp::Ordering;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto::digest::{Sha256Digest, Sha256Running};
use dvkey_ceremony::SecretBytes;

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path: a regular file, a FIFO or `/dev/fd/N`.
    Path(PathBuf),
    /// A path at which only a regular file will do, or a link to one. A pipe would be waited for, for ever if nobody writes,
    /// and a device may never end: whoever may name files for others to read must not be able to name these.
    File(PathBuf),
    /// Standard input, up to its end.
    Stdin,
}

impl Source {
    /// The source an argument names: `-` is standard input, all else is a path.
    #[must_use]
    pub fn from_arg(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::Path(argument.to_path_buf()) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) | Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing has that name.
    #[error("{origin}: not found")]
    NotFound {
        /// What was to be read.
        origin: Source,
    },
    /// The operating system does not let this user read it.
    #[error("{origin}: permission denied")]
    PermissionDenied {
        /// What was to be read.
        origin: Source,
    },
    /// A file was expected and a directory found.
    #[error("{origin}: is a directory")]
    IsDirectory {
        /// What was to be read.
        origin: Source,
    },
    /// A regular file was expected, and something else found: a pipe, a device, a socket; or a link where none is followed.
    #[error("{origin}: not a regular file")]
    NotAFile {
        /// What was to be read.
        origin: Source,
    },
    /// A directory was expected, here or as an earlier part of the path.
    #[error("{origin}: not a directory")]
    NotADirectory {
        /// What was to be read.
        origin: Source,
    },
    /// There are more bytes than the limit.
    #[error("{origin}: larger than {limit} bytes")]
    TooLarge {
        /// What was to be read.
        origin: Source,
        /// The most that would have been accepted.
        limit: u64,
    },
    /// Anything else the operating system reported.
    #[error("{origin}: {error}")]
    Io {
        /// What was to be read.
        origin: Source,
        /// The report itself.
        error: io::Error,
    },
}

impl ReadError {
    /// The variant that fits an operating system error met while reading `origin`.
    #[must_use]
    pub fn from_io(origin: &Source, error: io::Error) -> Self {
        let origin = origin.clone();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { origin },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { origin },
            io::ErrorKind::IsADirectory => Self::IsDirectory { origin },
            io::ErrorKind::NotADirectory => Self::NotADirectory { origin },
            _ => Self::Io { origin, error },
        }
    }
}

/// Reads `source` to its end, at most `limit` bytes.
///
/// # Errors
/// [`ReadError::TooLarge`] before anything is allocated when a regular file says so itself, and
/// at the first byte beyond the limit otherwise; the other variants as the system reports them.
pub fn read_bounded(source: &Source, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = open(source, limit)?;
    // What the file says of itself saves most of the reads; of a pipe it says 0.
    let said = file.metadata().map_or(0, |facts| facts.len().min(limit));
    let mut bytes = Vec::with_capacity(usize::try_from(said).unwrap_or(0).saturating_add(1));
    let taken = (&file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| ReadError::from_io(source, error))?;
    if u64::try_from(taken).unwrap_or(u64::MAX) > limit {
        return Err(too_large(source, limit));
    }
    Ok(bytes)
}

/// Whether there is a regular file with just these bytes at `path`, and no link to one.
///
/// # Errors
/// [`ReadError::NotFound`] where nothing has that name; otherwise as the system reports it.
pub fn holds_itself(path: &Path, bytes: &[u8]) -> Result<bool, ReadError> {
    let file = open_regular(path, Links::Refused)?;
    let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut found = Vec::new();
    let origin = || Source::File(path.to_path_buf());
    (&file).take(most).read_to_end(&mut found).map_err(|error| ReadError::from_io(&origin(), error))?;
    Ok(found == bytes)
}

/// The first bytes of `source`, at most `most`, however long it is.
///
/// # Errors
/// As the system reports it.
pub fn read_head(source: &Source, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let file = open(source, u64::MAX)?;
    (&file).take(most).read_to_end(&mut bytes).map_err(|error| ReadError::from_io(source, error))?;
    Ok(bytes)
}

/// The digest of a regular file of any length.
///
/// # Errors
/// [`ReadError`] as the system reports it.
pub fn digest_of(path: &Path) -> Result<Sha256Digest, ReadError> {
    digest_within(path, u64::MAX)
}

/// The digest of a regular file of at most `limit` bytes.
///
/// # Errors
/// [`ReadError::TooLarge`], before anything is read if the file says so itself; otherwise as the system reports it.
pub fn digest_within(path: &Path, limit: u64) -> Result<Sha256Digest, ReadError> {
    let source = Source::File(path.to_path_buf());
    let mut file = open(&source, limit)?;
    let mut running = Sha256Running::default();
    let mut buffer = vec![0; 64 << 10];
    let mut left = limit;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(running.digest()),
            Ok(count) => {
                let rest = left.checked_sub(u64::try_from(count).unwrap_or(u64::MAX));
                left = rest.ok_or_else(|| too_large(&source, limit))?;
                running.update(buffer.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::from_io(&source, error)),
        }
    }
}

/// Opens a regular file of any length, to be read from its start.
///
/// # Errors
/// [`ReadError`] as the system reports it.
pub fn read_file(path: &Path) -> Result<impl Read + use<>, ReadError> {
    open(&Source::File(path.to_path_buf()), u64::MAX)
}

/// Reads a secret to its end, at most `limit` bytes.
///
/// The bytes go from the kernel into one buffer, allocated once at its full size and wiped on
/// every way out. A growing or shared buffer would leave copies of the secret on the heap.
///
/// # Errors
/// As [`read_bounded`].
pub fn read_secret(source: &Source, limit: u64) -> Result<SecretBytes, ReadError> {
    let file = open(source, limit)?;
    let room =
        usize::try_from(limit).ok().and_then(|limit| limit.checked_add(1)).ok_or_else(|| too_large(source, limit))?;
    let mut buffer = Zeroizing::new(vec![0_u8; room]);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..)
        && !rest.is_empty()
    {
        match (&file).read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::from_io(source, error)),
        }
    }
    if filled == room {
        return Err(too_large(source, limit));
    }
    buffer.truncate(filled);
    Ok(SecretBytes::new(std::mem::take(&mut *buffer)))
}

fn too_large(source: &Source, limit: u64) -> ReadError {
    ReadError::TooLarge { origin: source.clone(), limit }
}

fn open(source: &Source, limit: u64) -> Result<File, ReadError> {
    let failed = |error| ReadError::from_io(source, error);
    let file = match source {
        Source::Path(path) | Source::File(path) if is_own_descriptor(path) => {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        Source::Path(path) => File::open(path).map_err(failed)?,
        Source::File(path) => open_regular(path, Links::Followed)?,
        // A duplicate of the descriptor: std's own reader keeps a process-wide buffer in which
        // a piped password would stay behind.
        Source::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?),
    };
    // Asked of the open file, not of the path: what was measured is what is read.
    let facts = file.metadata().map_err(failed)?;
    if facts.is_dir() {
        return Err(ReadError::IsDirectory { origin: source.clone() });
    }
    // Redirected standard input may be part-read already, so its length says nothing.
    if facts.is_file() && facts.len() > limit && *source != Source::Stdin {
        return Err(too_large(source, limit));
    }
    Ok(file)
}

/// Whether a link may stand in the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// It may: Kubernetes mounts secrets so.
    Followed,
    /// It may not: nobody else's file is to be taken for the one that was written here.
    Refused,
}

/// Opens a regular file, and waits for nobody.
pub(super) fn open_regular(path: &Path, links: Links) -> Result<File, ReadError> {
    let origin = Source::File(path.to_path_buf());
    let failed = |error| ReadError::from_io(&origin, error);
    let looked = match links {
        Links::Followed => std::fs::metadata(path),
        Links::Refused => std::fs::symlink_metadata(path),
    };
    // Looked at first, since to open a pipe or a device does something to it; and once more when it is open, since it may
    // be another one by then, which for want of waiting does no harm.
    let must_be_regular = |facts: &Metadata| match (facts.is_file(), facts.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(ReadError::IsDirectory { origin: origin.clone() }),
        _ => Err(ReadError::NotAFile { origin: origin.clone() }),
    };
    must_be_regular(&looked.map_err(failed)?)?;
    let flags = if links == Links::Refused { OFlags::NONBLOCK | OFlags::NOFOLLOW } else { OFlags::NONBLOCK };
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(failed)?;
    must_be_regular(&file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// Whether the path names a descriptor that this process opened itself, and not one it was given.
///
/// To read such a one would be to take the bytes that another thread waits for. All of them are marked to be closed when
/// a program is started, which is just what one that was inherited cannot be.
fn is_own_descriptor(path: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    let Some(number) = path.parent().filter(|parent| folders.contains(parent)).and(path.file_name()) else {
        return false;
    };
    let facts = std::fs::read_to_string(Path::new("/proc/self/fdinfo").join(number)).unwrap_or_default();
    let flags = facts.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & OFlags::CLOEXEC.bits() != 0)
}

/// Whether there is a regular file at `path` that this user may read, without reading it.
///
/// # Errors
/// [`ReadError`] as the system reports it; [`ReadError::IsDirectory`], [`ReadError::NotAFile`].
pub fn must_be_readable(path: &Path) -> Result<(), ReadError> {
    open(&Source::File(path.to_path_buf()), u64::MAX).map(drop)
}

/// Whether `path`, which need not be there yet, is this folder or would be below it, whatever links lead there.
#[must_use]
pub fn is_within(path: &Path, folder: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let there = path.ancestors().find_map(|ancestor| std::fs::canonicalize(ancestor).ok());
    let folder = std::fs::canonicalize(folder);
    there.zip(folder.ok()).is_some_and(|(there, folder)| there.starts_with(folder))
}

/// The way from one folder to another, both of which are there: the shortest chain of `..` and names.
///
/// # Errors
/// [`ReadError`] as the system reports it.
pub fn way_between(from: &Path, to: &Path) -> Result<PathBuf, ReadError> {
    let whole = |path: &Path| {
        let path = if path == Path::new("") { Path::new(".") } else { path };
        std::fs::canonicalize(path).map_err(|error| ReadError::from_io(&Source::Path(path.to_path_buf()), error))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    Ok(if way.as_os_str().is_empty() { PathBuf::from(".") } else { way })
}

/// Whether there is something at `path`; links are followed.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// What makes a file or folder one, whatever its paths: device and number. `None` where there is none.
#[must_use]
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.dev(), facts.ino()))
}

/// The same of a file that has several names on its disk, so that it is met more than once. `None` of any other: a file
/// system that makes up its numbers, as those of storage media do, gives each file one name.
#[must_use]
pub fn identity_of_many_names(path: &Path) -> Option<(u64, u64)> {
    let facts = std::fs::symlink_metadata(path).ok().filter(|facts| facts.is_file() && facts.nlink() > 1)?;
    Some((facts.dev(), facts.ino()))
}

/// How long a file is, in bytes. `None` where there is none.
#[must_use]
pub fn length(path: &Path) -> Option<u64> {
    Some(std::fs::metadata(path).ok()?.len())
}

/// What tells a file from another of its name, and from itself before it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    identity: (u64, u64),
    length: u64,
    /// Seconds and nanoseconds.
    written: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    /// Asked of the open file, since a network file system answers from memory what is asked of a path. `None` where no
    /// regular file can be opened; a link is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let facts = open_regular(path, Links::Refused).ok()?.metadata().ok()?;
        Some(Self {
            identity: (facts.dev(), facts.ino()),
            length: facts.len(),
            written: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        })
    }
}

/// The name of a folder or file itself, behind `.`, `..` and links; `None` where there is none, or it is no UTF-8.
#[must_use]
pub fn real_name(path: &Path) -> Option<String> {
    std::fs::canonicalize(path).ok()?.file_name()?.to_str().map(str::to_owned)
}

/// What a directory entry is once symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A link, where none is followed: [`list_unlinked`].
    Link,
    /// Anything else, a dangling link included.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntryFact {
    /// The name, with bytes that are not UTF-8 replaced.
    pub name: String,
    /// The exact path.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
}

/// The entries of a directory in natural order (`… 9, 10, 11`).
///
/// # Errors
/// [`ReadError::NotFound`], [`ReadError::NotADirectory`], [`ReadError::PermissionDenied`] or
/// [`ReadError::Io`] for the directory itself. An entry that cannot be examined is
/// [`EntryKind::Other`].
pub fn list_dir(path: &Path) -> Result<Vec<DirEntryFact>, ReadError> {
    let kind = |facts: &Metadata| match (facts.is_file(), facts.is_dir()) {
        (true, _) => EntryKind::File,
        (_, true) => EntryKind::Dir,
        _ => EntryKind::Other,
    };
    entries(path, |path| std::fs::metadata(path).map_or(EntryKind::Other, |facts| kind(&facts)))
}

/// As [`list_dir`], where a link is an [`EntryKind::Link`] whatever it leads to: links lead in circles, and out of a medium
/// over the whole machine. `path` itself may be one.
///
/// # Errors
/// As [`list_dir`].
pub fn list_unlinked(path: &Path) -> Result<Vec<DirEntryFact>, ReadError> {
    let kind = |facts: &Metadata| match (facts.is_file(), facts.is_dir()) {
        (true, _) => EntryKind::File,
        (_, true) => EntryKind::Dir,
        _ if facts.is_symlink() => EntryKind::Link,
        _ => EntryKind::Other,
    };
    entries(path, |path| std::fs::symlink_metadata(path).map_or(EntryKind::Other, |facts| kind(&facts)))
}

fn entries(path: &Path, kind: impl Fn(&Path) -> EntryKind) -> Result<Vec<DirEntryFact>, ReadError> {
    let origin = Source::Path(path.to_path_buf());
    let failed = |error| ReadError::from_io(&origin, error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(DirEntryFact { name, kind: kind(&path), path });
    }
    entries.sort_by(|a, b| natural_cmp(&a.name, &b.name).then_with(|| a.path.cmp(&b.path)));
    Ok(entries)
}

/// Compares names with runs of digits taken as numbers of any length.
///
/// Names equal in that sense are ordered by their first differing count of leading zeros, fewer
/// first. This is a total order: only identical strings compare equal.
#[must_use]
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let mut zeros = Ordering::Equal;
    loop {
        let (Some((&first_a, rest_a)), Some((&first_b, rest_b))) = (a.split_first(), b.split_first()) else {
            return a.len().cmp(&b.len()).then(zeros);
        };
        if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (run_a, after_a) = take_while(a, u8::is_ascii_digit);
            let (run_b, after_b) = take_while(b, u8::is_ascii_digit);
            let (zeros_a, number_a) = take_while(run_a, |&byte| byte == b'0');
            let (zeros_b, number_b) = take_while(run_b, |&byte| byte == b'0');
            // Without leading zeros the longer number is the larger one.
            let order = number_a.len().cmp(&number_b.len());
            let order = order.then_with(|| number_a.cmp(number_b));
            if order.is_ne() {
                return order;
            }
            zeros = zeros.then(zeros_a.len().cmp(&zeros_b.len()));
            (a, b) = (after_a, after_b);
        } else if first_a == first_b {
            (a, b) = (rest_a, rest_b);
        } else {
            return first_a.cmp(&first_b);
        }
    }
}

fn take_while(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().take_while(|byte| belongs(byte)).count();
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        std::fs::write(&path, bytes).unwrap();
        (dir, Source::Path(path))
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Source::from_arg(Path::new("-")), Source::Stdin);
        assert_eq!(Source::from_arg(Path::new("./-")), Source::Path(PathBuf::from("./-")));
    }

    #[test]
    fn the_limit_is_exact() {
        let (_dir, source) = file(b"12345");
        assert_eq!(read_bounded(&source, 5).unwrap(), b"12345");
        assert_eq!(read_secret(&source, 5).unwrap().expose(), b"12345");
        assert!(matches!(read_bounded(&source, 4), Err(ReadError::TooLarge { limit: 4, .. })));
        assert!(matches!(read_secret(&source, 4), Err(ReadError::TooLarge { limit: 4, .. })));
    }

    #[test]
    fn the_limit_of_a_digest_is_exact() {
        let (dir, source) = file(b"12345");
        let (Source::Path(path), digest) = (source, Sha256Digest::of(b"12345")) else { panic!() };
        assert_eq!((digest_within(&path, 5).unwrap(), digest_of(&path).unwrap()), (digest, digest));
        assert!(matches!(digest_within(&path, 4), Err(ReadError::TooLarge { limit: 4, .. })));
        // Nobody reads a terabyte of holes.
        let sparse = dir.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(digest_within(&sparse, 1 << 30), Err(ReadError::TooLarge { .. })));
    }

    #[test]
    fn an_endless_source_is_cut_off() {
        let endless = Source::Path("/dev/zero".into());
        assert!(matches!(read_bounded(&endless, 1000), Err(ReadError::TooLarge { .. })));
        assert!(matches!(read_secret(&endless, 1000), Err(ReadError::TooLarge { .. })));
    }

    /// Nobody writes to the pipe: whoever opened it as it is would wait for ever.
    #[test]
    fn a_file_is_no_pipe_and_no_device() {
        let (dir, source) = file(b"x");
        let Source::Path(path) = &source else { panic!() };
        let at = |name: &str| dir.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        for (name, to) in [("link", path.clone()), ("to-pipe", at("pipe")), ("lost", at("nowhere"))] {
            std::os::unix::fs::symlink(to, at(name)).unwrap();
        }
        let read = |path: PathBuf| read_bounded(&Source::File(path), 9);
        assert_eq!(read(path.clone()).unwrap(), b"x");
        assert_eq!(read(at("link")).unwrap(), b"x");
        for path in [at("pipe"), at("to-pipe"), "/dev/null".into(), "/dev/zero".into()] {
            assert!(matches!(read(path.clone()), Err(ReadError::NotAFile { .. })), "{}", path.display());
        }
        assert!(matches!(read(at("lost")), Err(ReadError::NotFound { .. })));
        assert!(matches!(read(dir.path().into()), Err(ReadError::IsDirectory { .. })));
        assert!(open_regular(path, Links::Refused).is_ok());
        for link in ["link", "to-pipe", "lost"] {
            assert!(matches!(open_regular(&at(link), Links::Refused), Err(ReadError::NotAFile { .. })), "{link}");
        }
    }

    #[test]
    fn a_pipe_by_descriptor_is_read_in_pieces() {
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::Path(format!("/dev/fd/{}", reader.as_raw_fd()).into());
        // Its own pipe is not read, and does not make it wait; one that was handed down is.
        assert!(matches!(read_secret(&source, 100), Err(ReadError::NotFound { .. })));
        rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).unwrap();
        let writing = std::thread::spawn(move || {
            for piece in [b"one", b"two"] {
                writer.write_all(piece).unwrap();
            }
        });
        assert_eq!(read_secret(&source, 100).unwrap().expose(), b"onetwo");
        writing.join().unwrap();
    }

    #[test]
    fn failures_are_typed() {
        let (dir, source) = file(b"x");
        let missing = Source::Path(dir.path().join("missing"));
        let Source::Path(path) = &source else { panic!() };
        let below = Source::Path(path.join("below"));
        let itself = Source::Path(dir.path().to_path_buf());
        assert!(matches!(read_bounded(&missing, 9), Err(ReadError::NotFound { .. })));
        assert!(matches!(read_bounded(&below, 9), Err(ReadError::NotADirectory { .. })));
        assert!(matches!(read_secret(&itself, 9), Err(ReadError::IsDirectory { .. })));
        assert!(matches!(list_dir(path), Err(ReadError::NotADirectory { .. })));
    }

    #[test]
    fn ways_lead_there() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["a/b", "a/c/d"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let way = |from: &str, to: &str| way_between(&dir.path().join(from), &dir.path().join(to)).unwrap();
        assert_eq!(way("a/b", "a/c/d"), Path::new("../c/d"));
        assert_eq!(way("a", "a"), Path::new("."));
        assert_eq!(way("a/b", "."), Path::new("../.."));
        assert_eq!(way(".", "a/b"), Path::new("a/b"));
        assert!(way_between(dir.path(), &dir.path().join("absent")).is_err());
    }

    #[test]
    fn listings_are_natural_and_survive_odd_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["k10", "k9", "k09"] {
            std::fs::write(dir.path().join(name), b"").unwrap();
        }
        std::fs::write(dir.path().join(OsStr::from_bytes(b"k\xff")), b"").unwrap();
        std::fs::create_dir(dir.path().join("k1")).unwrap();
        std::os::unix::fs::symlink("k9", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("lost")).unwrap();
        let found = list_dir(dir.path()).unwrap();
        let names: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.kind)).collect();
        assert_eq!(
            names,
            [
                ("k1", EntryKind::Dir),
                ("k9", EntryKind::File),
                ("k09", EntryKind::File),
                ("k10", EntryKind::File),
                ("k\u{fffd}", EntryKind::File),
                ("link", EntryKind::File),
                ("lost", EntryKind::Other),
            ]
        );
        let unlinked = list_unlinked(dir.path()).unwrap();
        let links: Vec<_> = unlinked.iter().filter(|entry| entry.kind == EntryKind::Link).collect();
        assert_eq!(links.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["link", "lost"]);
        assert_eq!(unlinked.len(), found.len());
        assert!(identity_of_many_names(&dir.path().join("k9")).is_none());
        std::fs::hard_link(dir.path().join("k9"), dir.path().join("again")).unwrap();
        let [one, other] = ["k9", "again"].map(|name| identity_of_many_names(&dir.path().join(name)).unwrap());
        assert_eq!(one, other);
    }

    #[test]
    fn natural_order_is_total() {
        let mut names = vec![
            "",
            "0",
            "00",
            "1",
            "01",
            "1a",
            "01a",
            "2",
            "10",
            "a",
            "a0",
            "a1b02",
            "a1b2",
            "a01b2",
            "a99999999999999999999999998",
            "a99999999999999999999999999",
            "a:",
            "a/",
            "é",
        ];
        for a in &names {
            for b in &names {
                assert_eq!(natural_cmp(a, b), natural_cmp(b, a).reverse());
                assert_eq!(natural_cmp(a, b).is_eq(), a == b);
                for c in &names {
                    if natural_cmp(a, b).is_le() && natural_cmp(b, c).is_le() {
                        assert!(natural_cmp(a, c).is_le(), "{a} {b} {c}");
                    }
                }
            }
        }
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(names.first(), Some(&""));
        assert!(natural_cmp("share-9.json", "share-10.json").is_lt());
    }
}
