//! What goes over the pipes between the main process and the password helper.
//!
//! Integers are little-endian. A request is a length and that many bytes: milliseconds allowed, the number of arguments,
//! each with its length, and for each of three environment values a flag and a length. An answer is a status byte, a value
//! and a length, and that many bytes of password.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use dvkey_ceremony::SecretBytes;
use rustix::io::Errno;
use thiserror::Error;
use zeroize::Zeroizing;

/// The most a command may print.
pub const MAX_OUTPUT: usize = 4096;

/// Why a command gave no password.
#[derive(Debug, Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("no such program")]
    NotFound,
    /// The program could not be started.
    #[error("could not be started: {error}")]
    NotStarted {
        /// The system's report.
        error: io::Error,
    },
    /// It ended with a status other than zero.
    #[error("ended with status {code}")]
    Failed {
        /// The status.
        code: i32,
    },
    /// It was ended by a signal.
    #[error("ended by signal {signal}")]
    Signalled {
        /// The signal.
        signal: i32,
    },
    /// It did not end in time and was killed.
    #[error("not done after {seconds} s")]
    TimedOut {
        /// The time it had.
        seconds: u64,
    },
    /// It printed nothing.
    #[error("printed nothing")]
    Empty,
    /// It printed more than [`MAX_OUTPUT`] bytes and was killed.
    #[error("printed more than {MAX_OUTPUT} bytes")]
    TooMuch,
    /// Reading what it printed failed.
    #[error("could not be read: {error}")]
    Unread {
        /// The system's report.
        error: io::Error,
    },
    /// The helper process cannot be spoken to any more.
    #[error("the password helper is gone: {error}")]
    HelperGone {
        /// The system's report.
        error: io::Error,
    },
}

/// One command with its facts, as sent to the helper.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// How long the command may take.
    pub time_allowed: Duration,
    /// The program and its arguments.
    pub arguments: Vec<OsString>,
    /// Values for the environment variables, in their order; a missing one is taken out of the environment.
    pub values: [Option<OsString>; 3],
}

impl Request {
    /// The bytes after the length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut number = |value: usize, more: &[u8]| {
            bytes.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(more);
        };
        let millis = usize::try_from(self.time_allowed.as_millis()).unwrap_or(usize::MAX);
        number(millis, &[]);
        number(self.arguments.len(), &[]);
        for argument in &self.arguments {
            number(argument.len(), argument.as_bytes());
        }
        for value in &self.values {
            number(usize::from(value.is_some()), &[]);
            let value = value.as_deref().unwrap_or_default();
            number(value.len(), value.as_bytes());
        }
        bytes
    }

    /// Reads what [`Request::encode`] writes, and nothing else.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        fn number(bytes: &mut &[u8]) -> Option<usize> {
            let (number, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            usize::try_from(u32::from_le_bytes(*number)).ok()
        }
        fn text(bytes: &mut &[u8]) -> Option<OsString> {
            let length = number(bytes)?;
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some(OsString::from_vec(text.to_vec()))
        }
        let bytes = &mut bytes;
        let time_allowed = Duration::from_millis(u64::try_from(number(bytes)?).ok()?);
        let count = number(bytes)?;
        let arguments = (0..count).map(|_| text(bytes)).collect::<Option<_>>()?;
        let mut values = [None, None, None];
        for value in &mut values {
            *value = match (number(bytes)?, text(bytes)?) {
                (1, sent) => Some(sent),
                (0, sent) if sent.is_empty() => None,
                _ => return None,
            };
        }
        bytes.is_empty().then_some(Self { time_allowed, arguments, values })
    }
}

/// What the helper can answer, besides a password, as numbers on the pipe.
const STATUS_PASSWORD: u8 = 0;
const STATUS_NOT_FOUND: u8 = 1;
const STATUS_NOT_STARTED: u8 = 2;
const STATUS_FAILED: u8 = 3;
const STATUS_SIGNALLED: u8 = 4;
const STATUS_TIMED_OUT: u8 = 5;
const STATUS_EMPTY: u8 = 6;
const STATUS_TOO_MUCH: u8 = 7;
const STATUS_UNREAD: u8 = 8;

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
}

/// Writes an answer.
///
/// # Errors
/// The pipe's.
pub fn send_answer(mut pipe: impl Write, answer: &Result<SecretBytes, CommandError>) -> io::Result<()> {
    let (status, value) = match answer {
        Ok(_) => (STATUS_PASSWORD, 0),
        Err(CommandError::NotFound) => (STATUS_NOT_FOUND, 0),
        Err(CommandError::NotStarted { error }) => (STATUS_NOT_STARTED, errno_of(error)),
        Err(CommandError::Failed { code }) => (STATUS_FAILED, *code),
        Err(CommandError::Signalled { signal }) => (STATUS_SIGNALLED, *signal),
        Err(CommandError::TimedOut { seconds }) => (STATUS_TIMED_OUT, i32::try_from(*seconds).unwrap_or(i32::MAX)),
        Err(CommandError::Empty) => (STATUS_EMPTY, 0),
        Err(CommandError::TooMuch) => (STATUS_TOO_MUCH, 0),
        Err(CommandError::Unread { error } | CommandError::HelperGone { error }) => (STATUS_UNREAD, errno_of(error)),
    };
    let password = answer.as_ref().map_or(&[][..], SecretBytes::expose);
    pipe.write_all(&[status])?;
    pipe.write_all(&value.to_le_bytes())?;
    pipe.write_all(&u32::try_from(password.len()).unwrap_or(0).to_le_bytes())?;
    pipe.write_all(password)
}

/// Reads an answer. The outer result is about the pipe, the inner one about the command.
///
/// # Errors
/// The pipe's, or that what came is no answer.
pub fn receive_answer(mut pipe: impl Read) -> io::Result<Result<SecretBytes, CommandError>> {
    let mut status = [0_u8; 1];
    let mut value = [0_u8; 4];
    let mut length = [0_u8; 4];
    pipe.read_exact(&mut status)?;
    pipe.read_exact(&mut value)?;
    pipe.read_exact(&mut length)?;
    let value = i32::from_le_bytes(value);
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_OUTPUT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut password = Zeroizing::new(vec![0_u8; length]);
    pipe.read_exact(&mut password)?;
    let error = || io::Error::from_raw_os_error(value);
    Ok(match status {
        [STATUS_PASSWORD] => Ok(SecretBytes::new(std::mem::take(&mut *password))),
        [STATUS_NOT_FOUND] => Err(CommandError::NotFound),
        [STATUS_NOT_STARTED] => Err(CommandError::NotStarted { error: error() }),
        [STATUS_FAILED] => Err(CommandError::Failed { code: value }),
        [STATUS_SIGNALLED] => Err(CommandError::Signalled { signal: value }),
        [STATUS_TIMED_OUT] => Err(CommandError::TimedOut { seconds: u64::try_from(value).unwrap_or(0) }),
        [STATUS_EMPTY] => Err(CommandError::Empty),
        [STATUS_TOO_MUCH] => Err(CommandError::TooMuch),
        [STATUS_UNREAD] => Err(CommandError::Unread { error: error() }),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_messages_are_refused() {
        let request = Request {
            time_allowed: Duration::from_secs(20),
            arguments: vec!["a".into(), OsString::from_vec(vec![0xff])],
            values: [None, Some("".into()), Some("c".into())],
        };
        let bytes = request.encode();
        let read = Request::decode(&bytes).unwrap();
        assert_eq!(
            (read.time_allowed, read.arguments, read.values),
            (request.time_allowed, request.arguments, request.values)
        );
        for end in 0..bytes.len() {
            assert!(Request::decode(&bytes[..end]).is_none());
        }
        assert!(Request::decode(&[&bytes[..], b"x"].concat()).is_none());
        assert!(receive_answer(&[99, 0, 0, 0, 0, 0, 0, 0, 0][..]).is_err());
        assert!(receive_answer(&[0, 0, 0, 0, 0, 255, 255, 0, 0][..]).is_err());
        assert!(receive_answer(&[0, 0, 0, 0, 0, 4, 0, 0, 0, 1][..]).is_err());
    }
}
