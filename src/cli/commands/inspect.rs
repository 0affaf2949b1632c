//! `dvkey inspect`: what a file is, in words.

use serde::Serialize;

use super::super::codes::Code;
use crate::cli::args::InspectArguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::printable;
use crate::workflow::inspect::{Description, inspect};

pub(in crate::cli) fn run(arguments: &InspectArguments, printer: &Printer) -> Result<Exit, Failure> {
    let mut unreadable = None;
    for path in &arguments.paths {
        let descriptions = match inspect(path) {
            Ok(descriptions) => descriptions,
            Err(error) => {
                // The others are still worth describing.
                if let Some(earlier) = unreadable.replace(Failure::read(Code::FileUnreadable, &error)) {
                    printer.failure(&earlier);
                }
                continue;
            }
        };
        for description in &descriptions {
            if printer.json() {
                printer.object(&json(description));
            } else {
                show(description, printer);
            }
        }
    }
    unreadable.map_or(Ok(Exit::Done), Err)
}

fn show(description: &Description, printer: &Printer) {
    let file = printable(&description.file);
    printer.result(&format!("{}: {}", tone(Tone::Bold, &file), description.kind.words()));
    if let Some(problem) = &description.problem {
        printer.result(&format!("  {} {}", tone(Tone::Bad, "but:"), printable(problem)));
    }
    for (name, value) in &description.facts {
        printer.result(&format!("  {name:<14} {}", printable(value)));
    }
}

#[derive(Serialize)]
struct JsonDescription<'a> {
    schema: &'static str,
    file: &'a str,
    kind: &'static str,
    words: &'static str,
    problem: Option<&'a str>,
    facts: Vec<JsonFact<'a>>,
}

#[derive(Serialize)]
struct JsonFact<'a> {
    name: &'static str,
    value: &'a str,
}

fn json(description: &Description) -> JsonDescription<'_> {
    JsonDescription {
        schema: "dvkey.inspect/1",
        file: &description.file,
        kind: description.kind.id(),
        words: description.kind.words(),
        problem: description.problem.as_deref(),
        facts: description.facts.iter().map(|(name, value)| JsonFact { name, value }).collect(),
    }
}
