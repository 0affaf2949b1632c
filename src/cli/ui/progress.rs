//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of one piece of work with a known number of steps.
pub(crate) struct Progress<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
    total: usize,
    state: Mutex<State>,
}

struct State {
    done: HashSet<usize>,
    started: Instant,
    last_line: Instant,
}

impl<'a> Progress<'a> {
    pub(crate) fn start(printer: &'a Printer, total: usize, what: &'static str) -> Self {
        let shown = !printer.quiet() && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}  {per_sec}  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(what);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        printer.set_bar(bar.clone());
        let now = Instant::now();
        Self { printer, bar, total, state: Mutex::new(State { done: HashSet::new(), started: now, last_line: now }) }
    }

    /// The step with this number is done; said twice, it counts once.
    pub(crate) fn done(&self, step: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done.insert(step);
        let done = state.done.len();
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        } else if state.last_line.elapsed() >= LINE_EVERY && done < self.total {
            state.last_line = Instant::now();
            let per_step = state.started.elapsed() / u32::try_from(done).unwrap_or(u32::MAX);
            let left = per_step * u32::try_from(self.total - done).unwrap_or(u32::MAX);
            let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
            self.printer.message(&format!("{done} of {}, about {left} left", self.total));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.printer.set_bar(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
