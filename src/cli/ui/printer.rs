//! Results on stdout, messages on stderr, colour on terminals only.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use serde::Serialize;

use super::words::{folded, printable};
use crate::cli::args::OutputArguments;
use crate::cli::report::Failure;

const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How a word is to be shown.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Bad,
    Odd,
    Faint,
    Bold,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => GOOD,
            Self::Bad => BAD,
            Self::Odd => ODD,
            Self::Faint => FAINT,
            Self::Bold => BOLD,
        }
    }
}

/// Where everything goes that people read.
#[derive(Clone)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    verbose: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
    results_lost: Arc<AtomicBool>,
    resumable: Arc<AtomicBool>,
    left: Arc<Mutex<Option<&'static str>>>,
}

impl Printer {
    pub(crate) fn new(output: &OutputArguments) -> Self {
        Self {
            json: output.json,
            quiet: output.quiet,
            verbose: output.verbose,
            bar: Arc::default(),
            results_lost: Arc::default(),
            resumable: Arc::default(),
            left: Arc::default(),
        }
    }

    /// Whether results are JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn verbose(&self) -> bool {
        self.verbose
    }

    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether somebody sits there who can answer.
    pub(crate) fn interactive(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Keeps messages from tearing a progress bar apart, while there is one.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// A line of the result, on stdout.
    pub(crate) fn result(&self, line: &str) {
        self.around_the_bar(|| self.note(writeln!(anstream::stdout(), "{line}")));
    }

    /// A whole text as the result, on stdout.
    pub(crate) fn text(&self, text: &[u8]) {
        let mut stdout = std::io::stdout();
        self.note(stdout.write_all(text).and_then(|()| stdout.flush()));
    }

    /// Whether a result could not be written to stdout, for another reason than that its reader had read enough.
    pub(crate) fn results_lost(&self) -> bool {
        self.note(std::io::stdout().flush());
        self.results_lost.load(Ordering::Relaxed)
    }

    fn note(&self, written: std::io::Result<()>) {
        if written.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
            self.results_lost.store(true, Ordering::Relaxed);
        }
    }

    /// An object of the result, on stdout, in JSON mode.
    pub(crate) fn object(&self, object: &impl Serialize) {
        if self.json
            && let Ok(line) = serde_json::to_string(object)
        {
            self.result(&line);
        }
    }

    /// A message on stderr; silenced by --quiet. At a terminal that is too narrow for it, a sentence is broken between words.
    pub(crate) fn message(&self, line: &str) {
        if self.quiet {
            return;
        }
        let text = line.trim_start();
        let indent = line.get(..line.len() - text.len()).unwrap_or_default();
        // In a table blanks have a meaning, and a command is copied as it stands.
        let stays = text.contains("  ") || text.strip_prefix("next: ").unwrap_or(text).starts_with("dvkey ");
        match stderr_width().filter(|width| line.chars().count() > *width && !stays) {
            Some(width) => folded(indent, text, width).iter().for_each(|line| self.say(line)),
            None => self.say(line),
        }
    }

    /// A detail on stderr; shown with --verbose.
    pub(crate) fn detail(&self, line: &str) {
        if self.verbose {
            self.say(&tone(Tone::Faint, line));
        }
    }

    /// Something to think about, on stderr; never silenced.
    pub(crate) fn warning(&self, line: &str) {
        self.say_behind("warning:", Tone::Odd, line);
    }

    /// A failure, on stderr; in JSON mode as an object on stdout, too.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.object(&failure.as_json());
        self.say_behind("error:", Tone::Bad, &printable(&failure.headline));
        for cause in &failure.causes {
            let cause = printable(cause);
            match stderr_width().filter(|width| cause.chars().count() + 2 > *width) {
                Some(width) => folded("  ", &cause, width).iter().for_each(|line| self.say(line)),
                None => self.say(&format!("  {cause}")),
            }
        }
        if let Some(hint) = &failure.hint {
            self.say_behind("hint:", Tone::Bold, hint);
        }
        self.say(&tone(Tone::Faint, &format!("code: {0} (dvkey explain {0})", failure.code.text())));
    }

    /// From here on, what is done stays when the work is interrupted.
    pub(crate) fn set_resumable(&self) {
        self.resumable.store(true, Ordering::Relaxed);
    }

    /// What an interrupt from here on leaves, where that is neither a file nor nothing.
    pub(crate) fn set_left(&self, what: &'static str) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// The last words after Ctrl-C.
    pub(crate) fn interrupted(&self, published: &[PathBuf]) {
        // The bar is not asked: whoever was interrupted may hold it. Its line is wiped as any other.
        let wipe = if std::io::stderr().is_terminal() { "\r\u{1b}[2K" } else { "" };
        let _ = match published {
            [] if self.resumable.load(Ordering::Relaxed) => {
                writeln!(anstream::stderr(), "{wipe}\ninterrupted; what is done is kept; the same command goes on")
            }
            [] => {
                let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                writeln!(anstream::stderr(), "{wipe}\ninterrupted; {}", left.unwrap_or("nothing was left behind"))
            }
            files => {
                let files: Vec<_> =
                    files.iter().map(|file| format!("  {}", printable(&file.display().to_string()))).collect();
                writeln!(
                    anstream::stderr(),
                    "{wipe}\ninterrupted, after these had been written whole:\n{}",
                    files.join("\n")
                )
            }
        };
    }

    /// A text behind a word in a tone. At a terminal, lines that are too long for it are broken between words.
    fn say_behind(&self, word: &str, how: Tone, text: &str) {
        self.say(&format!("{} {}", tone(how, word), behind(word.chars().count() + 1, text, stderr_width())));
    }

    /// A line on stderr that --quiet does not silence.
    pub(crate) fn say(&self, line: &str) {
        self.around_the_bar(|| {
            let _ = writeln!(anstream::stderr(), "{line}");
        });
    }

    /// Does something to the terminal while no progress bar is drawn.
    pub(crate) fn around_the_bar<T>(&self, act: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }
}

/// The lines of a text whose first stands behind so many columns. A line that is a command is copied as it stands.
fn behind(columns: usize, text: &str, width: Option<usize>) -> String {
    let indent = " ".repeat(columns);
    let lines = text.split('\n').enumerate().map(|(number, line)| {
        let first = if number == 0 { columns } else { 0 };
        let is_short = |width: &usize| line.chars().count() + first <= *width || line.starts_with("dvkey ");
        match width.filter(|width| !is_short(width)) {
            Some(width) => folded(&indent, line, width).join("\n").split_off(first),
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The columns of the terminal behind stderr.
fn stderr_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0))
}

/// A word in a tone. Colour is stripped again where the output is no terminal.
pub(crate) fn tone(tone: Tone, text: &str) -> String {
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// Where a bug was hit; nothing of the panic's message, which could hold anything.
pub(crate) fn bug_at(file: &str, line: u32) {
    let _ = writeln!(anstream::stderr(), "panicked at {file}:{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_a_hint_is_broken_nowhere() {
        let text = "a sentence that is too long, and then:\ndvkey ceremony recover --bundle ceremony.bn";
        let told = "a sentence that\n      is too long, and\n      then:\ndvkey ceremony recover --bundle ceremony.bn";
        assert_eq!(behind(6, text, Some(22)), told);
        assert_eq!(behind(6, text, None), text);
    }
}
