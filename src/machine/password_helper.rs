//! Runs password commands in a process of its own, which keeps the network the main process
//! gives up.
//!
//! The helper sees passwords, never a keystore or a key. It is this same program, started with
//! [`HELPER_ARGUMENT`], and lives on two pipes, on which [`message`]s go back and forth.
#![expect(clippy::disallowed_methods, reason = "this file is the door through which other programs are started")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::machine::harden::forbid_core_dumps;
use dvkey_ceremony::SecretBytes;
use message::{CommandError, MAX_OUTPUT, Request, receive_answer, send_answer};

pub mod message;

/// The single argument that makes this program the helper.
pub const HELPER_ARGUMENT: &str = "__password-helper";

/// How long a command may take.
pub const TIME_ALLOWED: Duration = Duration::from_mins(1);

/// The environment variables in which a command finds the facts, in the order they are sent.
pub(crate) const VARIABLES: [&str; 3] = ["DVKEY_PUBKEY", "DVKEY_KEYSTORE", "DVKEY_INDEX"];

/// Far above what an operating system accepts as arguments of use; bounds a broken request.
const MAX_REQUEST: usize = 1 << 20;

/// The helper process, seen from the main process. Threads may share it; it runs one command at
/// a time. It ends when this is dropped or the main process ends in any way.
pub struct PasswordHelper {
    pipes: Mutex<Option<(ChildStdin, ChildStdout)>>,
    child: Child,
}

impl PasswordHelper {
    /// Starts the helper. Must be called before the process goes offline: what it starts
    /// afterwards has no network either.
    ///
    /// # Errors
    /// The system's report when the program cannot be started once more.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(HELPER_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        Ok(Self { pipes: Mutex::new(pipes), child })
    }

    /// Has one command run and returns what it printed.
    pub(crate) fn run(&self, request: &Request) -> Result<SecretBytes, CommandError> {
        let mut guard = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken, and put back only after a whole exchange: after a broken one, the next request
        // could be given the password of this one.
        let (mut to, mut from) =
            guard.take().ok_or_else(|| CommandError::HelperGone { error: io::ErrorKind::BrokenPipe.into() })?;
        let answer = exchange(&mut to, &mut from, request).map_err(|error| CommandError::HelperGone { error })?;
        *guard = Some((to, from));
        answer
    }
}

impl Drop for PasswordHelper {
    fn drop(&mut self) {
        // The helper ends at the end of its input.
        *self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.child.wait();
    }
}

fn exchange(mut to: impl Write, from: impl Read, request: &Request) -> io::Result<Result<SecretBytes, CommandError>> {
    let bytes = request.encode();
    if bytes.len() > MAX_REQUEST {
        return Ok(Err(CommandError::NotStarted { error: Errno::TOOBIG.into() }));
    }
    to.write_all(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    to.write_all(&bytes)?;
    receive_answer(from)
}

/// The helper process itself: answers requests on standard input until its end.
///
/// Fails without having run anything if the process cannot be hardened.
#[must_use]
pub fn helper_main() -> ExitCode {
    // Duplicates of the descriptors: std's own standard streams keep buffers in which passwords
    // would stay behind.
    let pipes = || -> io::Result<(File, File)> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Ok((input.into(), output.into()))
    };
    let outcome = forbid_core_dumps()
        .map_err(io::Error::other)
        .and_then(|()| pipes())
        .and_then(|(input, output)| serve(&input, &output));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(mut input: &File, output: &File) -> io::Result<()> {
    loop {
        let mut length = [0_u8; 4];
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0_u8; length];
        input.read_exact(&mut bytes)?;
        let request = Request::decode(&bytes).ok_or(io::ErrorKind::InvalidData)?;
        match run_command(&request, input) {
            Outcome::Answer(answer) => send_answer(output, &answer)?,
            Outcome::NobodyIsListening => return Ok(()),
        }
    }
}

enum Outcome {
    Answer(Result<SecretBytes, CommandError>),
    NobodyIsListening,
}

/// A child process that never outlives the attention paid to it. Only it is killed: what it may
/// have started (an agent, say) is its own affair.
struct Attended(Child);

impl Drop for Attended {
    fn drop(&mut self) {
        // Both do nothing once the child has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_command(request: &Request, requests: &File) -> Outcome {
    let [program, arguments @ ..] = request.arguments.as_slice() else {
        return Outcome::Answer(Err(CommandError::NotFound));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for (name, value) in VARIABLES.iter().zip(&request.values) {
        match value {
            Some(value) => command.env(name, OsStr::new(value)),
            None => command.env_remove(name),
        };
    }
    match command.spawn() {
        Ok(mut child) => match child.stdout.take() {
            Some(stdout) => attend(Attended(child), stdout, request.time_allowed, requests),
            None => Outcome::Answer(Err(unread(Errno::BADF.into()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Answer(Err(CommandError::NotFound)),
        Err(error) => Outcome::Answer(Err(CommandError::NotStarted { error })),
    }
}

fn unread(error: io::Error) -> CommandError {
    CommandError::Unread { error }
}

/// Collects what the child prints until it has ended, too much has come, time is up, or the main
/// process is gone.
fn attend(mut child: Attended, mut stdout: ChildStdout, time_allowed: Duration, requests: &File) -> Outcome {
    let deadline = Instant::now() + time_allowed;
    let mut buffer = Zeroizing::new(vec![0_u8; MAX_OUTPUT + 1]);
    let mut filled = 0_usize;
    let mut is_open = true;
    let mut ended: Option<ExitStatus> = None;
    loop {
        if let (Some(status), false) = (ended, is_open) {
            buffer.truncate(filled);
            return Outcome::Answer(judge(status, buffer));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Outcome::Answer(Err(CommandError::TimedOut { seconds: time_allowed.as_secs() }));
        }
        // Neither the end of a child nor its silence wakes a poll, hence the short naps. After
        // its end only what is in the pipe counts: something it left running may hold the pipe
        // open for ever.
        let nap = match (ended, is_open) {
            (Some(_), _) => Duration::ZERO,
            (None, true) => left.min(Duration::from_millis(20)),
            (None, false) => left.min(Duration::from_millis(2)),
        };
        let (gone, readable) = match wait_for(requests, is_open.then_some(&stdout), nap) {
            Ok(ready) => ready,
            Err(errno) => return Outcome::Answer(Err(unread(errno.into()))),
        };
        // No request may come before the answer, so anything here is the end of the pipe.
        if gone {
            return Outcome::NobodyIsListening;
        }
        if readable {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            match stdout.read(room) {
                Ok(0) => is_open = false,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Outcome::Answer(Err(unread(error))),
            }
            if filled > MAX_OUTPUT {
                return Outcome::Answer(Err(CommandError::TooMuch));
            }
        } else if ended.is_some() {
            is_open = false;
        }
        if ended.is_none() {
            ended = match child.0.try_wait() {
                Ok(status) => status,
                Err(error) => return Outcome::Answer(Err(unread(error))),
            };
        }
    }
}

/// Waits for either pipe, for `nap` at most, and says which of them has something.
fn wait_for(requests: &File, stdout: Option<&ChildStdout>, nap: Duration) -> Result<(bool, bool), Errno> {
    let nap = Timespec { tv_sec: 0, tv_nsec: nap.subsec_nanos().into() };
    let watch = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut fds: Vec<_> = [Some(requests.as_fd()), stdout.map(AsFd::as_fd)].into_iter().flatten().map(watch).collect();
    match poll(&mut fds, Some(&nap)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok((false, false)),
        Err(errno) => return Err(errno),
    }
    let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    Ok((is_ready(0), is_ready(1)))
}

fn judge(status: ExitStatus, mut output: Zeroizing<Vec<u8>>) -> Result<SecretBytes, CommandError> {
    match (status.code(), status.signal()) {
        (Some(0), _) if output.is_empty() => Err(CommandError::Empty),
        (Some(0), _) => Ok(SecretBytes::new(std::mem::take(&mut *output))),
        (Some(code), _) => Err(CommandError::Failed { code }),
        (None, signal) => Err(CommandError::Signalled { signal: signal.unwrap_or(0) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The helper's loop in a thread, with the main process's side of the pipes.
    struct Served {
        to: Option<io::PipeWriter>,
        from: io::PipeReader,
        helper: Option<std::thread::JoinHandle<io::Result<()>>>,
    }

    impl Served {
        fn new() -> Self {
            let (input, to) = io::pipe().unwrap();
            let (from, output) = io::pipe().unwrap();
            let as_file = |fd: std::os::fd::OwnedFd| File::from(fd);
            let (input, output) = (as_file(input.into()), as_file(output.into()));
            let helper = std::thread::spawn(move || serve(&input, &output));
            Self { to: Some(to), from, helper: Some(helper) }
        }

        fn ask(&mut self, script: &str, time_allowed: Duration) -> Result<Vec<u8>, CommandError> {
            let request = Request {
                time_allowed,
                arguments: ["/bin/sh", "-c", script, "arg0", "two words"].map(Into::into).into(),
                values: [None, Some("a file".into()), Some("7".into())],
            };
            self.send(&request)
        }

        fn send(&mut self, request: &Request) -> Result<Vec<u8>, CommandError> {
            let answer = exchange(self.to.as_ref().unwrap(), &self.from, request).unwrap();
            answer.map(|secret| secret.expose().to_vec())
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            self.to = None;
            let helper = self.helper.take().unwrap();
            assert!(std::thread::panicking() || helper.join().unwrap().is_ok());
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn commands_answer_in_turn() {
        let mut helper = Served::new();
        let script = "printf '%s|%s|%s|%s\\n' \"$1\" \"${DVKEY_PUBKEY-none}\" \
                      \"$DVKEY_KEYSTORE\" \"$DVKEY_INDEX\"";
        assert_eq!(helper.ask(script, LONG).unwrap(), b"two words|none|a file|7\n");
        assert_eq!(helper.ask("cat; printf x", LONG).unwrap(), b"x");
        let full = helper.ask("head -c 4096 /dev/zero", LONG).unwrap();
        assert_eq!(full.len(), MAX_OUTPUT);
    }

    #[test]
    fn failures_are_typed_and_do_not_end_the_helper() {
        use CommandError as E;
        let mut helper = Served::new();
        let mut ask = |script: &str| helper.ask(script, LONG);
        assert!(matches!(ask("echo secret; exit 3"), Err(E::Failed { code: 3 })));
        assert!(matches!(ask("kill -9 $$"), Err(E::Signalled { signal: 9 })));
        assert!(matches!(ask("true"), Err(E::Empty)));
        assert!(matches!(ask("head -c 4097 /dev/zero"), Err(E::TooMuch)));
        assert!(matches!(ask("cat /dev/zero"), Err(E::TooMuch)));
        let mut start = |program: &str| {
            helper.send(&Request { time_allowed: LONG, arguments: vec![program.into()], values: [None, None, None] })
        };
        assert!(matches!(start("/nonexistent/program"), Err(E::NotFound)));
        assert!(matches!(start("/"), Err(E::NotStarted { .. })));
        let huge = "x".repeat(MAX_REQUEST);
        assert!(matches!(start(&huge), Err(E::NotStarted { .. })));
        assert_eq!(helper.ask("printf still", LONG).unwrap(), b"still");
    }

    #[test]
    fn slow_commands_are_killed_and_left_overs_do_not_hold_up() {
        let mut helper = Served::new();
        let begun = Instant::now();
        let short = Duration::from_millis(1100);
        let slow = helper.ask("exec sleep 30", short);
        assert!(matches!(slow, Err(CommandError::TimedOut { seconds: 1 })));
        let shut = helper.ask("exec >&-; exec sleep 30", short);
        assert!(matches!(shut, Err(CommandError::TimedOut { .. })));
        let left = helper.ask("sleep 5 & printf quick", LONG);
        assert_eq!(left.unwrap(), b"quick");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn the_end_of_the_main_process_ends_a_running_command() {
        let mut helper = Served::new();
        let begun = Instant::now();
        let request =
            Request { time_allowed: LONG, arguments: vec!["sleep".into(), "30".into()], values: [None, None, None] }
                .encode();
        let mut to = helper.to.take().unwrap();
        to.write_all(&u32::try_from(request.len()).unwrap().to_le_bytes()).unwrap();
        to.write_all(&request).unwrap();
        drop(to);
        drop(helper);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
