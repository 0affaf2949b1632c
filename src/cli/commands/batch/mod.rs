//! `dvkey batch`: plan, run, status, merge, recipe.

mod merge;
mod plan;
mod recipe;
mod run;
mod status;

use std::path::Path;

use dvkey_ceremony::OperatorId;
use serde::Serialize;

use crate::cli::args::BatchCommand;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::{count, printable};
use crate::format::journal::Superseded;
use crate::machine::password::Passwords as Opened;
use crate::store::output_dir::OutputDir;
use crate::workflow::batch::LoadedPlan;
use crate::workflow::batch::plan::Hole;
use crate::workflow::batch::shard::{AllWork, Unclaimed};
use crate::workflow::batch::status::Counts;

/// The schema of everything that these commands say in JSON.
const SCHEMA: &str = "dvkey.batch/1";

/// How many rows are listed without --verbose.
const SHOWN: usize = 20;

pub(in crate::cli) fn run(
    command: &BatchCommand,
    passwords: Option<Opened>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    match command {
        BatchCommand::Plan(arguments) => plan::run(arguments, printer),
        BatchCommand::Run(arguments) => run::run(arguments, passwords, printer),
        BatchCommand::Status(arguments) => status::run(arguments, printer),
        BatchCommand::Merge(arguments) => merge::run(arguments, printer),
        BatchCommand::Recipe(arguments) => recipe::run(arguments, printer),
    }
}

fn load(path: &Path, base: Option<&Path>) -> Result<LoadedPlan, Failure> {
    LoadedPlan::load(path, base).map_err(|error| Failure::batch_load(&error))
}

/// The folder and the name of a file that is to be written, the folder proven to take it.
fn place_for(path: &Path, overwrite: bool) -> Result<(OutputDir, &str), Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name =
        name.ok_or_else(|| Failure::new(Code::OutputParent, format!("{}: not the name of a file", path.display())))?;
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let headline = format!("{}: no such directory", folder.display());
        return Err(Failure::new(Code::OutputParent, headline).hint("create the folder first"));
    }
    let output = OutputDir::prepare(folder, &[name], overwrite).map_err(|error| Failure::write_once(&error))?;
    Ok((output, name))
}

/// How a batch, or a shard of it, ends: done, to be gone on with, refused in part, or no more its own.
fn ending(counts: Counts, what: &str, taken: &[Superseded]) -> Result<Exit, Failure> {
    let Counts { pending, refused, superseded, .. } = counts;
    let unfinished = |headline| {
        Failure::new(Code::BatchUnfinished, headline)
            .hint("`dvkey batch run` with the same plan and --work does the rest and keeps what is done; then merge")
    };
    match (pending, refused) {
        (0, 0) if superseded == 0 => Ok(Exit::Done),
        (0, 0) => Err(Failure::superseded(&share(superseded, counts.rows(), what), taken)),
        (0, _) => Err(Failure::new(Code::BatchRefused, format!("{refused} of {what} refused")).hint(
            "their nonces stay theirs: mend what is wrong and run again, or look at `dvkey explain batch.refused`",
        )),
        (_, 0) => Err(unfinished(format!("{pending} of {what} still to be done"))),
        (_, _) => Err(unfinished(format!("{pending} of {what} still to be done, and {refused} refused"))),
    }
}

/// `5 of 8 rows`, or `all of the 3 rows of shard 1/2`.
fn share(some: u32, all: u32, what: &str) -> String {
    if some == all { format!("all of {what}") } else { format!("{some} of {what}") }
}

fn numbers(operators: &[OperatorId]) -> Vec<u64> {
    operators.iter().map(|id| id.get()).collect()
}

/// Lines of journals that cannot be relied on, and folders that were named twice.
fn warn_of_work(work: &AllWork, printer: &Printer) {
    // The names come from other machines.
    let shown = |folder: &Path| printable(&folder.display().to_string());
    for (other, folder) in &work.same {
        printer.warning(&format!("{}: the same folder as {}, which is read once", shown(other), shown(folder)));
    }
    for (folder, line) in &work.damaged {
        printer.warning(&format!("{}: line {line} of the journal is damaged", shown(folder)));
    }
    for folder in &work.unopened {
        printer.warning(&format!("{}: there are results, and no journal says of which plan", shown(folder)));
    }
    for (folder, unclaimed) in &work.unclaimed {
        printer.warning(&format!("{}: {}", shown(folder), unclaimed_in_words(*unclaimed)));
    }
}

fn unclaimed_in_words(Unclaimed { first, lines }: Unclaimed) -> String {
    let lines = count(usize::try_from(lines).unwrap_or(usize::MAX), "line");
    format!(
        "{lines} of the journal, from line {first} on, before any that names the plan: refusals among them do not count, \
         and results only if they name the plan themselves"
    )
}

/// Rows that this plan has no more.
fn warn_of_superseded(superseded: &[Superseded], printer: &Printer) {
    for Superseded { network, owner, from, by } in superseded {
        printer.object(&JsonSuperseded {
            schema: SCHEMA,
            event: "superseded",
            network: network.name(),
            owner: owner.to_checksum(),
            from_nonce: from.get(),
            by: by.to_string(),
        });
        printer.warning(&format!("plan {by} has the rows of {owner} on {network} from nonce {from} on, not this one"));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonSuperseded {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    owner: String,
    from_nonce: u16,
    by: String,
}

/// Nonces that the plan passes over must be registered by somebody else first.
fn warn_of_holes(holes: &[Hole], printer: &Printer) {
    for Hole { network, owner, first, last } in holes {
        let which = if first == last { format!("nonce {first} is") } else { format!("nonces {first} to {last} are") };
        printer.warning(&format!(
            "{which} in no row of {owner} on {network}: what stands behind is void unless others register them first"
        ));
    }
}
