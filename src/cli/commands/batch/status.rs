//! `dvkey batch status`: what is done, pending and refused; for people, for scripts, for Prometheus.

use std::fmt::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::run::once;
use super::{SCHEMA, SHOWN, ending, load, numbers, place_for, warn_of_superseded, warn_of_work};
use crate::cli::args::StatusArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, ids, printable};
use crate::store::atomic::Mode;
use crate::store::read::{FileState, ReadError, Source, read_head};
use crate::workflow::batch::LoadedPlan;
use crate::workflow::batch::shard::AllWork;
use crate::workflow::batch::status::{Counts, State, Status, status};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRow<'a> {
    schema: &'static str,
    event: &'static str,
    row: u32,
    state: &'static str,
    keystore: &'a str,
    public_key: String,
    network: &'static str,
    owner: String,
    nonce: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonGroup {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    owner: String,
    operator_ids: Vec<u64>,
    done: u32,
    pending: u32,
    refused: u32,
    superseded: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonStatus<'a> {
    schema: &'static str,
    event: &'static str,
    plan: String,
    rows: u32,
    done: u32,
    pending: u32,
    refused: u32,
    superseded: u32,
    damaged_lines: usize,
    last_entry: Option<&'a str>,
}

pub(super) fn run(arguments: &StatusArguments, printer: &Printer) -> Result<Exit, Failure> {
    let plan = load(&arguments.plan, None)?;
    let work = AllWork::read(&arguments.work, &plan).map_err(|error| Failure::batch_work(&error))?;
    // Whoever scrapes standard output wants nothing else there.
    let alone = arguments.metrics.as_deref() == Some(Path::new("-"));
    let mut listed = 0;
    let found = status(&plan, &work, &mut |row, state| {
        if alone {
            return;
        }
        let (name, code, reason) = match state {
            State::Done => ("done", None, None),
            State::Pending => ("pending", None, None),
            State::Damaged(problem) => ("pending", None, Some(problem.to_string())),
            State::Superseded(_) => ("superseded", None, None),
            State::Refused { code, reason } => ("refused", Some(*code), Some((*reason).to_owned())),
        };
        if let Some(reason) = &reason {
            listed += 1;
            if !printer.json() && (listed <= SHOWN || printer.verbose()) {
                let what = code.map_or_else(|| "to be done again".to_owned(), |code| format!("{name} ({code})"));
                let text = printable(&once(&row.keystore, reason));
                printer.result(&format!("row {}, nonce {} of {}, {what}: {text}", row.row, row.nonce, row.owner));
            }
        }
        printer.object(&JsonRow {
            schema: SCHEMA,
            event: "row",
            row: row.row,
            state: name,
            keystore: &row.keystore,
            public_key: format!("0x{}", hex::encode(row.public_key)),
            network: row.network.name(),
            owner: row.owner.to_checksum(),
            nonce: row.nonce.get(),
            tag: row.tag.as_deref(),
            code,
            reason,
        });
    })
    .map_err(|error| Failure::batch_status(&error))?;
    if listed > SHOWN && !printer.verbose() && !printer.json() {
        printer.result(&format!("and {} more; --verbose shows all", listed - SHOWN));
    }
    warn_of_work(&work, printer);
    if !alone {
        show(&plan, &work, &found, printer);
    }
    if let Some(path) = &arguments.metrics {
        write_metrics(path, &plan, &found, printer)?;
    }
    ending(found.all, &count(whole(plan.rows), "row"), &work.superseded)
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn show(plan: &LoadedPlan, work: &AllWork, found: &Status, printer: &Printer) {
    for ((network, owner, operators), counts) in &found.groups {
        let Counts { done, pending, refused, superseded } = *counts;
        printer.object(&JsonGroup {
            schema: SCHEMA,
            event: "cluster",
            network: network.name(),
            owner: owner.to_checksum(),
            operator_ids: numbers(operators),
            done,
            pending,
            refused,
            superseded,
        });
        if !printer.json() {
            let counts = in_words(*counts);
            printer.result(&format!("{owner} on {network}, operators {}: {counts}", ids(operators)));
        }
    }
    warn_of_superseded(&work.superseded, printer);
    let Counts { done, pending, refused, superseded } = found.all;
    printer.object(&JsonStatus {
        schema: SCHEMA,
        event: "status",
        plan: plan.hash.to_string(),
        rows: plan.rows,
        done,
        pending,
        refused,
        superseded,
        damaged_lines: found.damaged_lines,
        last_entry: found.last.as_deref(),
    });
    if !printer.json() {
        printer.result(&tone(Tone::Bold, &format!("{}: {}", count(whole(plan.rows), "row"), in_words(found.all))));
        if let Some(last) = &found.last {
            printer.detail(&format!("last entry {last}"));
        }
    }
}

fn in_words(counts: Counts) -> String {
    let Counts { done, pending, refused, superseded } = counts;
    let taken = if superseded == 0 { String::new() } else { format!(", {superseded} superseded") };
    format!("{done} done, {pending} pending, {refused} refused{taken}")
}

/// How a file of metrics begins.
const FIRST_METRIC: &str = "# HELP dvkey_batch_rows";

/// Every scrape replaces the file of the one before, and nothing else: a keystore, a plan or a link stays what it is.
fn must_be_metrics(path: &Path) -> Result<(), Failure> {
    let head = match read_head(&Source::File(path.to_path_buf()), 64) {
        Err(ReadError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(Failure::read(Code::FileUnreadable, &error)),
        Ok(head) => head,
    };
    let is_ours = head.is_empty() || head.starts_with(FIRST_METRIC.as_bytes());
    if is_ours && FileState::of(path).is_some() {
        return Ok(());
    }
    let headline = format!("{}: is no file of metrics, and is not replaced", path.display());
    Err(Failure::new(Code::OutputExists, headline).hint("give --metrics a name of its own, or - for standard output"))
}

/// The text format of Prometheus, for the collector of text files of its node exporter.
fn write_metrics(path: &Path, plan: &LoadedPlan, found: &Status, printer: &Printer) -> Result<(), Failure> {
    let hash = plan.hash.to_string();
    let short = hash.get(..16).unwrap_or_default();
    let mut text = format!("{FIRST_METRIC} Rows of a batch by state.\n# TYPE dvkey_batch_rows gauge\n");
    for ((network, owner, operators), counts) in &found.groups {
        let operators = operators.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let Counts { done, pending, refused, superseded } = *counts;
        let states = [("done", done), ("pending", pending), ("refused", refused), ("superseded", superseded)];
        for (state, value) in states {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "dvkey_batch_rows{{plan=\"{short}\",network=\"{network}\",owner=\"{owner}\",operators=\"{operators}\",\
                 state=\"{state}\"}} {value}"
            );
        }
    }
    text += "# HELP dvkey_batch_damaged_lines Damaged lines in journals.\n# TYPE dvkey_batch_damaged_lines gauge\n";
    let _ = writeln!(text, "dvkey_batch_damaged_lines{{plan=\"{short}\"}} {}", found.damaged_lines);
    let last = found.last.as_ref().and_then(|last| humantime::parse_rfc3339(last).ok());
    if let Some(last) = last.and_then(|last| last.duration_since(UNIX_EPOCH).ok()) {
        text += "# HELP dvkey_batch_last_entry_timestamp_seconds When a row was last done or refused.\n\
                 # TYPE dvkey_batch_last_entry_timestamp_seconds gauge\n";
        let _ = writeln!(text, "dvkey_batch_last_entry_timestamp_seconds{{plan=\"{short}\"}} {}", last.as_secs());
    }
    if path == Path::new("-") {
        text.lines().for_each(|line| printer.result(line));
        return Ok(());
    }
    must_be_metrics(path)?;
    let (output, name) = place_for(path, true)?;
    let failed = |error| Failure::write(&error);
    let staged = output.stage(name, text.as_bytes(), Mode::Public).map_err(failed)?;
    output.publish(vec![staged]).map(drop).map_err(failed)
}
