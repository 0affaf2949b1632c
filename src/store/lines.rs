//! Reads a file line by line, so that its length does not matter, only that of its longest line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::read::{Links, ReadError, Source, open_regular};

/// The lines of a file, one at a time.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    origin: Source,
    limit: u64,
    buffer: Vec<u8>,
    number: u64,
    offset: u64,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// Its bytes, without the line feed.
    pub bytes: &'a [u8],
    /// Whether a line feed ended it. Only the last line of a file may lack one.
    pub ended: bool,
}

impl Lines {
    /// Opens a regular file, or a link to one, whose lines have at most `limit` bytes.
    ///
    /// # Errors
    /// [`ReadError::NotAFile`], [`ReadError::IsDirectory`], or as the system reports it.
    pub fn open(path: &Path, limit: u64) -> Result<Self, ReadError> {
        Self::open_with(path, limit, Links::Followed)
    }

    /// As [`Lines::open`], for a file that this program keeps for itself: a link in its place is refused.
    ///
    /// # Errors
    /// As [`Lines::open`].
    pub fn open_own(path: &Path, limit: u64) -> Result<Self, ReadError> {
        Self::open_with(path, limit, Links::Refused)
    }

    fn open_with(path: &Path, limit: u64, links: Links) -> Result<Self, ReadError> {
        let file = open_regular(path, links)?;
        let origin = Source::File(path.to_path_buf());
        let reader = BufReader::with_capacity(64 << 10, file);
        Ok(Self { reader, origin, limit, buffer: Vec::new(), number: 0, offset: 0 })
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] for a line beyond the limit; otherwise as the system reports it.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.offset = self.offset.saturating_add(u64::try_from(self.buffer.len()).unwrap_or(u64::MAX));
        self.buffer.clear();
        let taken = (&mut self.reader)
            .take(self.limit.saturating_add(2))
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| ReadError::from_io(&self.origin, error))?;
        if taken == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let (bytes, ended) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (self.buffer.as_slice(), false),
        };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > self.limit {
            return Err(ReadError::TooLarge { origin: self.origin.clone(), limit: self.limit });
        }
        Ok(Some(Line { number: self.number, offset: self.offset, bytes, ended }))
    }

    /// Passes over the rest of a line that was too large. Says whether a line feed ended it.
    ///
    /// # Errors
    /// [`ReadError`] as the system reports it.
    pub fn skip_rest(&mut self) -> Result<bool, ReadError> {
        let mut ended = self.buffer.ends_with(b"\n");
        while !ended {
            let read = self.reader.fill_buf().map_err(|error| ReadError::from_io(&self.origin, error))?;
            if read.is_empty() {
                return Ok(false);
            }
            let feed = read.iter().position(|byte| *byte == b'\n');
            let passed = feed.map_or(read.len(), |place| place.saturating_add(1));
            ended = feed.is_some();
            self.reader.consume(passed);
            self.offset = self.offset.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        }
        Ok(true)
    }

    /// Goes to where a line starts. The numbers of lines mean nothing from then on.
    ///
    /// # Errors
    /// [`ReadError`] as the system reports it.
    pub fn go_to(&mut self, offset: u64) -> Result<(), ReadError> {
        self.reader.seek(SeekFrom::Start(offset)).map_err(|error| ReadError::from_io(&self.origin, error))?;
        self.buffer.clear();
        self.offset = offset;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what is read")]
mod tests {
    use super::*;

    #[test]
    fn lines_have_numbers_places_and_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, b"one\n\r\n\nfour").unwrap();
        let mut lines = Lines::open(&path, 4).unwrap();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            seen.push((line.number, line.offset, line.bytes.to_vec(), line.ended));
        }
        let expected: [(u64, u64, &[u8], bool); 4] =
            [(1, 0, b"one", true), (2, 4, b"\r", true), (3, 6, b"", true), (4, 7, b"four", false)];
        assert_eq!(seen, expected.map(|(number, offset, bytes, ended)| (number, offset, bytes.to_vec(), ended)));
        lines.go_to(4).unwrap();
        assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"\r");
        assert_eq!(lines.next_line().unwrap().unwrap().offset, 6);
        let mut short = Lines::open(&path, 3).unwrap();
        for _ in 0..3 {
            assert!(short.next_line().unwrap().is_some());
        }
        assert!(matches!(short.next_line(), Err(ReadError::TooLarge { limit: 3, .. })));
        assert!(matches!(Lines::open(dir.path(), 3), Err(ReadError::IsDirectory { .. })));
        assert!(matches!(Lines::open(&dir.path().join("absent"), 3), Err(ReadError::NotFound { .. })));
    }

    #[test]
    fn a_line_that_is_too_large_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        for length in [4, 5, 6, 200_000] {
            std::fs::write(&path, format!("{}\ntwo\n{}", "x".repeat(length), "y".repeat(length))).unwrap();
            let mut lines = Lines::open(&path, 3).unwrap();
            assert!(matches!(lines.next_line(), Err(ReadError::TooLarge { .. })));
            assert!(lines.skip_rest().unwrap());
            let line = lines.next_line().unwrap().unwrap();
            assert_eq!((line.number, line.offset, line.bytes), (2, length as u64 + 1, b"two".as_slice()));
            assert!(matches!(lines.next_line(), Err(ReadError::TooLarge { .. })));
            assert!(!lines.skip_rest().unwrap());
            assert_eq!(lines.next_line().unwrap(), None);
        }
    }

    #[test]
    fn a_device_has_no_lines_and_a_link_is_not_ours() {
        assert!(matches!(Lines::open(Path::new("/dev/zero"), 1000), Err(ReadError::NotAFile { .. })));
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("lines"), dir.path().join("link"));
        std::fs::write(&path, b"one\n").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(Lines::open(&link, 9).unwrap().next_line().unwrap().unwrap().bytes, b"one");
        assert!(matches!(Lines::open_own(&link, 9), Err(ReadError::NotAFile { .. })));
        assert_eq!(Lines::open_own(&path, 9).unwrap().next_line().unwrap().unwrap().bytes, b"one");
    }
}
