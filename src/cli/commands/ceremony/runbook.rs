//! `dvkey ceremony runbook`: the script of a plan, for a printer.

use dvkey_ceremony::agdkg::plan::{Plan, Waivers};

use super::{read_plan, told, write_new};
use crate::cli::args::ceremony::RunbookArguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::workflow::ceremony::runbook;

pub(super) fn run(arguments: &RunbookArguments, printer: &Printer) -> Result<Exit, Failure> {
    let waivers = Waivers { two_quorums: true, unbound_operators: true };
    let plan = Plan::parse(&read_plan(&arguments.plan)?, waivers, &CeremonyRsa)
        .map_err(|fault| Failure::fault(&fault, None))?;
    let script = if arguments.html { runbook::html(&plan) } else { runbook::text(&plan) };
    match &arguments.out {
        Some(out) => {
            write_new(out, script.as_bytes())?;
            told("runbook", if arguments.html { "html" } else { "text" }, out, printer);
        }
        None => printer.text(script.as_bytes()),
    }
    Ok(Exit::Done)
}
