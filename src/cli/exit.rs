//! Exit codes, as documented in `dvkey --help`.

use std::process::ExitCode;

/// How the program ends. 130 (interrupted) is given by the signal handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or the answer is yes.
    Done,
    /// It cannot be done as asked: the input is bad, missing or unreadable. Or: it cannot be judged.
    Refused,
    /// The command line is wrong.
    Usage,
    /// The answer is no.
    No,
    /// A participant of a ceremony is at fault; signed files prove it.
    Participant,
    /// Some of it is still to be done; the same command goes on.
    Unfinished,
    /// The machine stands in the way: disk full, no permission to write.
    Environment,
    /// A bug in dvkey.
    Bug,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::No => 3,
            Self::Participant => 4,
            Self::Unfinished => 5,
            Self::Environment => 6,
            Self::Bug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
