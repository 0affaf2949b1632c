//! Turns SIGINT, SIGQUIT, SIGTERM and SIGHUP into an orderly exit that leaves nothing half done behind.
#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door through which leftovers are removed and the terminal is reset"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use thiserror::Error;

/// The exit status of an interrupted process.
pub const EXIT_INTERRUPTED: i32 = 130;

/// Which signal asked for the exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT or SIGQUIT: somebody pressed Ctrl-C or Ctrl-\.
    Int,
    /// SIGTERM: somebody asked the process to end.
    Term,
    /// SIGHUP: the terminal went away.
    Hup,
}

/// Why interrupts cannot be handled.
#[derive(Debug, Error)]
pub enum InterruptError {
    /// A handler is in place already.
    #[error("signal handling is already installed")]
    AlreadyInstalled,
    /// The operating system refused a pipe, a thread or a signal handler.
    #[error("signal handling: {error}")]
    System {
        /// Its report.
        #[from]
        error: io::Error,
    },
}

/// Who holds the right to finish first. `closing` is set by the exit and never taken back.
struct Critical {
    held: usize,
    closing: bool,
}

static CRITICAL: Mutex<Critical> = Mutex::new(Critical { held: 0, closing: false });
static CRITICAL_CHANGED: Condvar = Condvar::new();

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A panicking thread must not be able to disable the clean-up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` so that an interrupt waits for its end.
///
/// Sections may nest within a thread and overlap between threads. Once an exit has begun, a new
/// section never starts: its thread waits for the end of the process.
pub fn critical<T>(f: impl FnOnce() -> T) -> T {
    struct Section;
    impl Drop for Section {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get().saturating_sub(1));
            let mut state = lock(&CRITICAL);
            state.held = state.held.saturating_sub(1);
            drop(state);
            CRITICAL_CHANGED.notify_all();
        }
    }
    let mut state = lock(&CRITICAL);
    // A nested section is part of one the exit is already waiting for; waiting here would be a
    // deadlock.
    while state.closing && DEPTH.get() == 0 {
        state = CRITICAL_CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state.held = state.held.saturating_add(1);
    drop(state);
    DEPTH.set(DEPTH.get().saturating_add(1));
    let _section = Section;
    f()
}

/// Ends the process as SIGINT does, for a Ctrl-C that arrived as a key. Returns only if no handler is installed and the
/// signal is ignored.
pub fn interrupt_now() {
    if signal_hook::low_level::raise(SIGINT).is_ok() {
        // The handler's thread cleans up and ends the process; until then this one has nothing to do.
        std::thread::sleep(std::time::Duration::from_secs(10));
    }
}

#[derive(Default)]
struct Registry {
    next: u64,
    files: BTreeMap<u64, PathBuf>,
    dirs: BTreeMap<u64, PathBuf>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, files: BTreeMap::new(), dirs: BTreeMap::new() });

/// The promise that something on disk is removed if an interrupt ends the process. Dropping it
/// withdraws the promise and touches nothing on disk.
#[must_use = "dropping it withdraws the promise"]
pub struct Leftover(u64);

impl Leftover {
    /// Promises the removal of a temporary file.
    pub fn file(path: PathBuf) -> Self {
        Self::register(path, |registry| &mut registry.files)
    }

    /// Promises the removal of a directory, should it be empty.
    pub fn empty_dir(path: PathBuf) -> Self {
        Self::register(path, |registry| &mut registry.dirs)
    }

    fn register(path: PathBuf, list: fn(&mut Registry) -> &mut BTreeMap<u64, PathBuf>) -> Self {
        // The working directory may change before the signal comes.
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut registry = lock(&REGISTRY);
        let id = registry.next;
        registry.next = id.wrapping_add(1);
        list(&mut registry).insert(id, path);
        Self(id)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let mut registry = lock(&REGISTRY);
        registry.files.remove(&self.0);
        registry.dirs.remove(&self.0);
    }
}

static PUBLISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Tells what an interrupt from here on finds done. To be called in the [`critical`] section that does it.
pub fn published(files: &[PathBuf]) {
    lock(&PUBLISHED).extend_from_slice(files);
}

static TERMINAL: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// Remembers the state of the terminal until dropped. Without a terminal it does nothing.
#[must_use = "dropping it forgets the state"]
pub struct TerminalMemory(());

/// Saves the state of the controlling terminal, or of standard input where there is none, so
/// that an interrupt during a prompt does not leave the terminal without echo.
pub fn remember_terminal() -> TerminalMemory {
    let terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map(OwnedFd::from)
        .or_else(|_| io::stdin().as_fd().try_clone_to_owned())
        .ok()
        .filter(|terminal| isatty(terminal));
    *lock(&TERMINAL) = terminal.and_then(|terminal| {
        let state = tcgetattr(&terminal).ok()?;
        Some((terminal, state))
    });
    TerminalMemory(())
}

impl Drop for TerminalMemory {
    fn drop(&mut self) {
        *lock(&TERMINAL) = None;
    }
}

/// The page that is open, and the state that the terminal had before.
static PAGE: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// Clears the page and shows the screen from before (xterm's private mode 1049).
const CLOSE_PAGE: &[u8] = b"\x1b[2J\x1b[H\x1b[?1049l";

/// A screen of its own for what nobody should find there later. It is gone when this is dropped, and when an interrupt
/// ends the process.
#[must_use = "dropping it closes the page"]
pub struct Page(());

/// Opens a page on the terminal behind standard input. Ctrl-Z, which would leave it standing, does nothing meanwhile.
pub fn open_page() -> Page {
    let terminal = io::stdin().as_fd().try_clone_to_owned().ok().filter(|terminal| isatty(terminal));
    *lock(&PAGE) = terminal.and_then(|terminal| {
        let state = tcgetattr(&terminal).ok()?;
        let mut without_stop = state.clone();
        // The value that stands for no character (_POSIX_VDISABLE).
        without_stop.special_codes[SpecialCodeIndex::VSUSP] = if cfg!(target_os = "linux") { 0 } else { 0xff };
        tcsetattr(&terminal, OptionalActions::Now, &without_stop).ok()?;
        let _ = io::stderr().write_all(b"\x1b[?1049h\x1b[2J\x1b[H");
        Some((terminal, state))
    });
    Page(())
}

impl Drop for Page {
    fn drop(&mut self) {
        close_page();
    }
}

fn close_page() {
    if let Some((terminal, state)) = lock(&PAGE).take() {
        let _ = io::stderr().write_all(CLOSE_PAGE);
        let _ = tcsetattr(&terminal, OptionalActions::Now, &state);
    }
}

fn restore_terminal() {
    if let Some((terminal, state)) = lock(&TERMINAL).take() {
        // In the background, changing the terminal would stop the process instead of ending it.
        if tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp()) {
            let _ = tcsetattr(&terminal, OptionalActions::Now, &state);
        }
    }
}

/// Keeps the handling of signals in place. Dropping it gives the signals their default effect.
#[must_use = "dropping it ends the handling"]
pub struct Guard {
    actions: Vec<(i32, SigId)>,
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Starts the thread that answers SIGINT, SIGQUIT, SIGTERM and SIGHUP.
///
/// On the first signal it waits for [`critical`] sections, removes every [`Leftover`], restores
/// a remembered terminal, closes a [`Page`], calls `on_interrupt` with the files that were [`published`], and ends the process with
/// [`EXIT_INTERRUPTED`].
/// Further signals change nothing. A signal the process was started to ignore (`nohup`, a
/// background job) stays ignored.
///
/// # Errors
/// [`InterruptError::AlreadyInstalled`] while another [`Guard`] lives;
/// [`InterruptError::System`] when the operating system refuses.
pub fn install(on_interrupt: impl Fn(Interrupt, &[PathBuf]) + Send + 'static) -> Result<Guard, InterruptError> {
    if INSTALLED.swap(true, Ordering::AcqRel) {
        return Err(InterruptError::AlreadyInstalled);
    }
    // From here on the guard's drop undoes whatever was reached.
    let mut guard = Guard { actions: Vec::new() };
    // A pipe, not a socket pair: a process that gave up its sockets must still hear signals.
    let (wake, wakes) = io::pipe()?;
    let which = Arc::new(AtomicUsize::new(0));
    std::thread::Builder::new().name("interrupts".into()).spawn({
        let which = Arc::clone(&which);
        move || attend(wake, &which, on_interrupt)
    })?;
    let ignored = ignored_signals();
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        if is_set(ignored, signal) {
            continue;
        }
        let number = usize::try_from(signal).unwrap_or(0);
        // Actions run in this order, so the thread wakes to a number already in place.
        let flag = signal_hook::flag::register_usize(signal, Arc::clone(&which), number)?;
        guard.actions.push((signal, flag));
        let wake = signal_hook::low_level::pipe::register(signal, wakes.try_clone()?)?;
        guard.actions.push((signal, wake));
    }
    // A file that outgrows the user's limit is an error of the write, which cleans up behind itself.
    let heard = signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    guard.actions.push((SIGXFSZ, heard));
    Ok(guard)
}

impl Drop for Guard {
    fn drop(&mut self) {
        let always = Arc::new(AtomicBool::new(true));
        for (signal, action) in self.actions.drain(..) {
            signal_hook::low_level::unregister(action);
            let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&always));
        }
        INSTALLED.store(false, Ordering::Release);
    }
}

fn attend(mut wake: PipeReader, which: &AtomicUsize, on_interrupt: impl Fn(Interrupt, &[PathBuf])) {
    let mut byte = [0_u8];
    // The end of the pipe means that the guard is gone.
    if wake.read_exact(&mut byte).is_err() {
        return;
    }
    let interrupt = match i32::try_from(which.load(Ordering::Acquire)) {
        Ok(SIGTERM) => Interrupt::Term,
        Ok(SIGHUP) => Interrupt::Hup,
        _ => Interrupt::Int,
    };
    let mut state = lock(&CRITICAL);
    state.closing = true;
    while state.held > 0 {
        state = CRITICAL_CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    drop(state);
    remove_leftovers();
    restore_terminal();
    close_page();
    on_interrupt(interrupt, &lock(&PUBLISHED));
    std::process::exit(EXIT_INTERRUPTED);
}

fn remove_leftovers() {
    let registry = lock(&REGISTRY);
    for file in registry.files.values() {
        let _ = std::fs::remove_file(file);
    }
    // The last that was promised first: it may be inside of one from before.
    for dir in registry.dirs.values().rev() {
        // Refused by the system unless empty: published files are never touched.
        let _ = std::fs::remove_dir(dir);
    }
}

/// The mask of signals this process was started to ignore; empty where it cannot be learnt.
fn ignored_signals() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .unwrap_or(0)
}

fn is_set(mask: u64, signal: i32) -> bool {
    u32::try_from(signal)
        .ok()
        .and_then(|signal| mask.checked_shr(signal.checked_sub(1)?))
        .is_some_and(|shifted| shifted & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    const CHILD: &str = "DVKEY_TEST_INTERRUPT_CHILD";

    /// Runs [`interrupted_process`] of this test binary as a process of its own.
    fn start(dir: &Path, scene: &str) -> (Child, impl BufRead) {
        let module = module_path!().split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(format!("{module}::interrupted_process"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir)
            .env("DVKEY_TEST_SCENE", scene)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        expect_line(&mut lines, "ready");
        (child, lines)
    }

    fn expect_line(lines: &mut impl BufRead, wanted: &str) {
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if line.trim() == wanted {
                return;
            }
            line.clear();
        }
        panic!("the child never said {wanted}");
    }

    fn send(child: &Child, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    #[test]
    fn interrupted_process() {
        let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else {
            return;
        };
        let say = |word: &str| {
            let mut out = io::stdout();
            writeln!(out, "\n{word}").unwrap();
            out.flush().unwrap();
        };
        let made = dir.join("made");
        std::fs::create_dir(&made).unwrap();
        std::fs::write(made.join("temp"), b"x").unwrap();
        let _dir = Leftover::empty_dir(made.clone());
        let _file = Leftover::file(made.join("temp"));
        let _terminal = remember_terminal();
        let _guard = install(move |interrupt, published| say(&format!("{interrupt:?}\n{published:?}"))).unwrap();
        assert!(matches!(install(|_, _| {}), Err(InterruptError::AlreadyInstalled)));
        if std::env::var("DVKEY_TEST_SCENE").unwrap() == "critical" {
            critical(|| {
                say("ready");
                std::thread::sleep(Duration::from_millis(300));
                critical(|| std::fs::write(dir.join("finished"), b"x").unwrap());
                published(&["finished".into()]);
            });
        } else {
            say("ready");
        }
        std::thread::sleep(Duration::from_secs(20));
    }

    #[test]
    fn a_signal_cleans_up_and_exits_130() {
        for (signal, name) in [(Signal::INT, "Int"), (Signal::TERM, "Term"), (Signal::HUP, "Hup")] {
            let dir = tempfile::tempdir().unwrap();
            let (mut child, mut lines) = start(dir.path(), "plain");
            assert!(dir.path().join("made/temp").exists());
            send(&child, signal);
            expect_line(&mut lines, name);
            expect_line(&mut lines, "[]");
            assert_eq!(child.wait().unwrap().code(), Some(EXIT_INTERRUPTED));
            assert!(!dir.path().join("made").exists());
        }
    }

    #[test]
    fn a_critical_section_is_finished_first() {
        let dir = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let (mut child, mut lines) = start(dir.path(), "critical");
        send(&child, Signal::INT);
        send(&child, Signal::INT);
        send(&child, Signal::TERM);
        expect_line(&mut lines, "[\"finished\"]");
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_INTERRUPTED));
        assert!(dir.path().join("finished").exists());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_withdrawn_promise_is_forgotten() {
        let path = PathBuf::from("/nonexistent/withdrawn");
        let leftover = Leftover::file(path.clone());
        assert!(lock(&REGISTRY).files.values().any(|file| *file == path));
        drop(leftover);
        assert!(!lock(&REGISTRY).files.values().any(|file| *file == path));
    }

    #[test]
    fn masks_are_read_by_signal_number() {
        assert!(is_set(0b1, 1));
        assert!(is_set(0b10, 2));
        assert!(!is_set(0b10, 1));
        assert!(!is_set(u64::MAX, 0));
        assert!(!is_set(u64::MAX, 65));
    }
}
