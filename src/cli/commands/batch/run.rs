//! `dvkey batch run`: do the rows of a shard, show how it goes, end with what is left.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use super::{SCHEMA, SHOWN, ending, load, unclaimed_in_words, warn_of_superseded};
use crate::cli::args::RunArguments;
use crate::cli::commands::unlock::kdf_path;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, row_code};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::progress::Progress;
use crate::cli::ui::prompt;
use crate::cli::ui::words::{count, printable};
use crate::crypto::password::{Password, Reading};
use crate::format::plan::Row;
use crate::machine::memory::{Budget, format_size};
use crate::machine::password::{KeystoreFacts, PasswordSource, Passwords as Opened};
use crate::store::read::Source;
use crate::workflow::batch::run::{Event, Outcome, Request, RowPasswords, RunPorts, run as run_batch};
use crate::workflow::batch::status::Counts;
use crate::workflow::batch::{LoadedPlan, Shard};
use crate::workflow::unlock::RefusalCause;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonBegin {
    schema: &'static str,
    event: &'static str,
    plan: String,
    shard: String,
    kept: u32,
    left: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRow<'a> {
    schema: &'static str,
    event: &'static str,
    row: u32,
    keystore: &'a str,
    public_key: String,
    nonce: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_reading: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct JsonEnd {
    schema: &'static str,
    event: &'static str,
    rows: u32,
    kept: u32,
    done: u32,
    refused: u32,
    superseded: u32,
    pending: u32,
}

pub(super) fn run(arguments: &RunArguments, passwords: Option<Opened>, printer: &Printer) -> Result<Exit, Failure> {
    let plan = load(&arguments.plan, arguments.base.as_deref())?;
    let kdf = kdf_path()?;
    let passwords = supply(arguments, &plan, passwords, printer)?;
    let budget = Budget::new(arguments.effort.memory_or_default());
    let jobs = arguments.effort.jobs_or_default();
    printer.detail(&format!(
        "{}, up to {} for key derivation ({}, {} at once)",
        count(jobs, "worker"),
        format_size(budget.total()),
        kdf.path().name(),
        kdf.path().lanes()
    ));
    printer.set_resumable();
    let shown =
        Shown { printer, plan: &plan, shard: arguments.shard, progress: Mutex::new(None), refused: Mutex::default() };
    let ports = RunPorts {
        passwords: &passwords,
        memory: &budget,
        kdf,
        jobs,
        fail_fast: arguments.fail_fast,
        now: &|| humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        code: &|problem| row_code(problem).text(),
        events: &|event| shown.hear(&event),
    };
    let request =
        Request { work: arguments.work.clone(), shard: arguments.shard, limits: arguments.effort.kdf_limits() };
    let outcome = run_batch(&plan, &request, &ports);
    *shown.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let outcome = outcome.map_err(|error| Failure::batch_run(&error))?;
    end(outcome, arguments, printer)
}

fn end(outcome: Outcome, arguments: &RunArguments, printer: &Printer) -> Result<Exit, Failure> {
    let pending = outcome.pending();
    let Outcome { rows, kept, done, refused, superseded, taken } = outcome;
    warn_of_superseded(&taken, printer);
    printer.object(&JsonEnd { schema: SCHEMA, event: "end", rows, kept, done, refused, superseded, pending });
    let all = whole(rows);
    let what = if arguments.shard == Shard::WHOLE {
        count(all, "row")
    } else {
        format!("the {} of shard {}/{}", count(all, "row"), arguments.shard.number(), arguments.shard.of())
    };
    let finished = kept.saturating_add(done);
    if !printer.json() && (finished > 0 || superseded == 0) {
        let before = if kept == 0 { String::new() } else { format!(", {kept} of them by earlier runs") };
        printer.message(&format!("{} {finished} of {what}{before}", tone(Tone::Good, "done:")));
    }
    ending(Counts { done: finished, pending, refused, superseded }, &what, &taken)
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What people see while it runs.
struct Shown<'a> {
    printer: &'a Printer,
    plan: &'a LoadedPlan,
    shard: Shard,
    progress: Mutex<Option<Progress<'a>>>,
    refused: Mutex<usize>,
}

impl Shown<'_> {
    fn hear(&self, event: &Event<'_>) {
        let printer = self.printer;
        match event {
            Event::NoLock => printer.warning(
                "this file system has no locks: make sure that no other run does the same shard in this folder",
            ),
            Event::Waits => {
                printer.warning("another run, or a merge that makes a new plan, has the work folder; waiting for it");
            }
            Event::Cut(bytes) => printer.warning(&format!(
                "the journal ended in {} that are no line, as an interrupted write leaves them, and were cut off; rows \
                 that they were about are done again",
                count(usize::try_from(*bytes).unwrap_or(usize::MAX), "byte")
            )),
            Event::DamagedLine(line) => {
                printer
                    .warning(&format!("line {line} of the journal is damaged; a row that it was about is done again"));
            }
            Event::Unclaimed(lines) => printer.warning(&unclaimed_in_words(*lines)),
            Event::Redo { row, problem } => {
                printer.warning(&format!("the result of row {row} is not kept, and made again: {problem}"));
            }
            Event::SetAside { row, path } => printer.warning(&format!(
                "where the result of row {row} belongs was something other than a file; it is {} now",
                printable(&path.display().to_string())
            )),
            Event::Begin { kept, left } => {
                printer.object(&JsonBegin {
                    schema: SCHEMA,
                    event: "begin",
                    plan: self.plan.hash.to_string(),
                    shard: format!("{}/{}", self.shard.number(), self.shard.of()),
                    kept: *kept,
                    left: *left,
                });
                if *kept > 0 {
                    printer.message(&format!(
                        "{} of earlier runs judged and kept, {left} to do",
                        count(whole(*kept), "result")
                    ));
                }
                let progress = Progress::start(printer, whole(*left), "splitting");
                *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
            }
            Event::Done { row, reading } => {
                self.step(row);
                if *reading == Reading::Wealdtech {
                    printer.warning(&format!(
                        "{} opened only with the wealdtech reading of its password (combining marks left out)",
                        printable(&row.keystore)
                    ));
                }
                let reading = Some(reading.name());
                printer.object(&JsonRow { password_reading: reading, ..json_row("done", row) });
                printer.detail(&format!("row {}, nonce {}: {}", row.row, row.nonce, printable(&row.keystore)));
            }
            Event::Refused { row, problem } => {
                self.step(row);
                let (code, reason) = (row_code(problem).text(), problem.to_string());
                let line = format!(
                    "row {}, nonce {} refused: {}",
                    row.row,
                    row.nonce,
                    printable(&once(&row.keystore, &reason))
                );
                printer.object(&JsonRow { code: Some(code), reason: Some(reason), ..json_row("refused", row) });
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *refused += 1;
                // Each is in the journal, and `status` lists them.
                match *refused {
                    number if number <= SHOWN || printer.verbose() => printer.warning(&format!("{line} ({code})")),
                    number if number == SHOWN + 1 => {
                        printer.warning("more rows were refused; `dvkey batch status --verbose` lists them all");
                    }
                    _ => {}
                }
            }
        }
    }

    fn step(&self, row: &Row) {
        if let Some(progress) = &*self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            progress.done(whole(row.row));
        }
    }
}

/// A reason with its keystore, named once.
pub(super) fn once(keystore: &str, reason: &str) -> String {
    if reason.contains(keystore) { reason.to_owned() } else { format!("{keystore}: {reason}") }
}

fn json_row<'a>(event: &'static str, row: &'a Row) -> JsonRow<'a> {
    JsonRow {
        schema: SCHEMA,
        event,
        row: row.row,
        keystore: &row.keystore,
        public_key: format!("0x{}", hex::encode(row.public_key)),
        nonce: row.nonce.get(),
        tag: row.tag.as_deref(),
        password_reading: None,
        code: None,
        reason: None,
    }
}

/// Where the passwords come from: a row's own file, the source that was named, or what was typed.
struct Supply<'a> {
    plan: &'a LoadedPlan,
    opened: Option<Opened>,
    typed: Option<Password>,
}

fn supply<'a>(
    arguments: &RunArguments,
    plan: &'a LoadedPlan,
    opened: Option<Opened>,
    printer: &Printer,
) -> Result<Supply<'a>, Failure> {
    let opened = match (opened, arguments.passwords.source_for_many()) {
        (Some(opened), _) => Some(opened),
        (None, Some(source)) => Some(source.open().map_err(|error| Failure::password(&error))?),
        (None, None) => None,
    };
    let mut typed = None;
    if opened.is_none() && needs_a_source(plan, arguments.shard)? {
        if arguments.no_input || !printer.interactive() {
            return Err(Failure::no_password_source());
        }
        typed = Some(prompt::password("Password of all keystores that have no file of their own:")?);
    }
    Ok(Supply { plan, opened, typed })
}

fn needs_a_source(plan: &LoadedPlan, shard: Shard) -> Result<bool, Failure> {
    let failed = |error| Failure::batch_load(&error);
    let mut rows = plan.rows().map_err(failed)?;
    while let Some((_, row)) = rows.next_row().map_err(failed)? {
        if shard.has(row.row) && row.password_file.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl RowPasswords for Supply<'_> {
    fn get(&self, row: &Row, keystore: &Path) -> Result<Password, RefusalCause> {
        let public_key = hex::encode(row.public_key);
        let index = usize::try_from(row.row).unwrap_or(usize::MAX);
        let facts = KeystoreFacts { file: keystore, public_key: Some(&public_key), index };
        let own;
        let opened = match (&row.password_file, &self.opened) {
            (Some(file), _) => {
                own = PasswordSource::File(Source::File(self.plan.base.join(file))).open()?;
                &own
            }
            (None, Some(opened)) => opened,
            (None, None) => return self.typed.as_ref().map(Password::duplicate).ok_or(RefusalCause::NotTried),
        };
        Ok(Password::new(opened.get(&facts)?)?)
    }
}
