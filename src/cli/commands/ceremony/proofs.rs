//! `dvkey ceremony proofs add`: an operator signs, on its own server, that it holds its shares.

use serde::Serialize;

use super::{collected, numbers, told, write_new};
use crate::cli::args::ceremony::ProofsAddArguments;
use crate::cli::codes::Code;
use crate::cli::commands::open::read_operator_key;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, all_named, named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::count;
use crate::format::proofs::{self, ProofsFile};
use crate::store::read::{Source, read_bounded};
use crate::workflow::ceremony::CeremonyError;
use crate::workflow::ceremony::proofs::add as add_to;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonAdded {
    schema: &'static str,
    operator: u64,
    missing: Vec<u64>,
    strangers: usize,
}

pub(super) fn add(arguments: &ProofsAddArguments, printer: &Printer) -> Result<Exit, Failure> {
    let collection = collected(&arguments.bundle, &arguments.which, printer)?;
    let plan = &collection.plan;
    let mut before = Vec::new();
    for path in &arguments.proofs {
        let bytes = read_bounded(&Source::from_arg(path), proofs::MAX_BYTES)
            .map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
        let file = ProofsFile::parse(&bytes)
            .map_err(|error| Failure::new(Code::FileUnreadable, format!("{}: {error}", path.display())))?;
        before.push(file);
    }
    let key = read_operator_key(&arguments.key, arguments.password_file.as_deref(), arguments.no_input, printer)?;
    let added = add_to(&collection, &key, &before).map_err(|error| match error {
        CeremonyError::NoOperatorKey => {
            Failure::new(Code::CeremonyOperator, "this key is of none of the operators in the plan")
        }
        other => Failure::ceremony(&other, Some(plan)),
    })?;
    let bytes = proofs::write(&added.lists).map_err(|error| super::failed(&error.into()))?;
    write_new(&arguments.out, &bytes)?;
    printer.object(&JsonAdded {
        schema: "dvkey.ceremony-proofs/1",
        operator: added.operator.get(),
        missing: numbers(&added.missing),
        strangers: added.strangers,
    });
    if added.strangers > 0 {
        printer.warning(&format!(
            "{} of the given files are wrong, or of another ceremony; left out",
            count(added.strangers, "proof")
        ));
    }
    printer.message(&format!("{} the proofs of {}", tone(Tone::Good, "added:"), named(Some(plan), added.operator)));
    match added.missing.as_slice() {
        [] => printer.message("complete: dvkey verify keyshares.json --proofs FILE judges them"),
        missing => printer.message(&format!(
            "next: with this file as --proofs, the operator {} does the same",
            all_named(Some(plan), missing.get(..1).unwrap_or_default())
        )),
    }
    told("proofs", "proofs", &arguments.out, printer);
    Ok(Exit::Done)
}
