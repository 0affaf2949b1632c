//! Floor 5: arguments, prompts, rendering, exit codes; the only floor that talks to people.

mod args;
mod codes;
mod commands;
mod exit;
mod report;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::machine::{harden, interrupt, offline, password_helper};

use args::{Arguments, BatchCommand, Command};
use codes::Code;
use exit::Exit;
use report::Failure;
use ui::printer::Printer;

/// Runs the program with these arguments, the first being its own name.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    if arguments.get(1).is_some_and(|argument| argument == password_helper::HELPER_ARGUMENT) && arguments.len() == 2 {
        return password_helper::helper_main();
    }
    quiet_panics();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout with 0; everything else to stderr with 2. A closed pipe is no reason to panic.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    let printer = Printer::new(&arguments.output);
    let outcome = std::panic::catch_unwind(|| dispatch(arguments, &printer));
    let exit = match outcome {
        Ok(Ok(_)) if printer.results_lost() => {
            let failure = Failure::new(Code::OutputFailed, "the results could not be written to stdout");
            printer.failure(&failure);
            failure.exit
        }
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            printer.failure(&failure);
            failure.exit
        }
        Err(_) => {
            let failure = Failure::bug();
            printer.failure(&failure);
            failure.exit
        }
    };
    exit.into()
}

/// The order matters: no core dumps first; signals before anything can be left behind; the password command's process
/// while the network is still there; then the filter; and only then anything secret.
fn dispatch(arguments: Arguments, printer: &Printer) -> Result<Exit, Failure> {
    if let Err(error) = harden::forbid_core_dumps() {
        printer.warning(&format!("core dumps could not be switched off: {error}"));
    }
    let interrupted = printer.clone();
    // Held until the end: dropping it would give the signals back.
    let _signals =
        interrupt::install(move |_, published| interrupted.interrupted(published)).map_err(Failure::signals)?;
    let helper = match &arguments.command {
        Command::Split(split) => split.passwords.command()?,
        Command::Deposit(deposit) => deposit.passwords.command()?,
        Command::Batch(batch) => match &batch.command {
            BatchCommand::Run(run) => run.passwords.command()?,
            _ => None,
        },
        _ => None,
    };
    let passwords = helper.map(|source| source.open().map_err(|error| Failure::password(&error))).transpose()?;
    let offline = match offline::go_offline().map_err(Failure::offline)? {
        offline::Offline::Enforced => {
            printer.detail("offline: the right to open a socket is dropped");
            true
        }
        offline::Offline::NotEnforced(reason @ offline::NotEnforced::Platform) => {
            printer.detail(&format!("offline: no command opens a socket; not enforced by the system ({reason})"));
            false
        }
        offline::Offline::NotEnforced(reason) => {
            printer.warning(&format!("no command opens a socket, but the system does not enforce it: {reason}"));
            false
        }
    };
    match arguments.command {
        Command::Split(split) => commands::split::run(&split, passwords, offline, printer),
        Command::Deposit(deposit) => commands::deposit::run(&deposit, passwords, printer),
        Command::Verify(verify) => commands::verify::run(&verify, printer),
        Command::Open(open) => commands::open::run(&open, printer),
        Command::Recover(recover) => commands::recover::run(&recover, printer),
        Command::Tx(tx) => commands::tx::run(&tx.command, printer),
        Command::Batch(batch) => commands::batch::run(&batch.command, passwords, printer),
        Command::Ceremony(ceremony) => commands::ceremony::run(&ceremony.command, printer),
        Command::Inspect(inspect) => commands::inspect::run(&inspect, printer),
        Command::Self_ => commands::about::this_program(printer),
        Command::Explain { code } => commands::about::explain(code.as_deref(), printer),
        Command::Completions { shell } => commands::about::completions(shell, printer),
        Command::Man { command } => commands::about::man(command.as_deref(), printer),
    }
}

/// A panic is a bug. Its message could hold anything, so that only its place is shown.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            ui::printer::bug_at(place.file(), place.line());
        }
    }));
}
