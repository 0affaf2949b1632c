//! What dvkey says about itself: `self`, `explain`, `completions`, `man`.
#![expect(clippy::disallowed_methods, reason = "`self` names and hashes the running program's own file")]

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use super::super::codes::Code;
use crate::cli::args::Arguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::crypto::digest::Sha256Digest;
use crate::store::read::{Source, read_bounded};
use crate::workflow::verify::check::Check;

/// No build of this program is larger.
const MAX_PROGRAM: u64 = 1 << 30;

#[derive(Serialize)]
struct JsonSelf<'a> {
    schema: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    target: String,
    build: &'static str,
    path: &'a str,
    sha256: String,
}

pub(in crate::cli) fn this_program(printer: &Printer) -> Result<Exit, Failure> {
    let unreadable =
        |error: String| Failure::new(Code::FileUnreadable, "the program's own file cannot be read").cause(error);
    let path = std::env::current_exe().map_err(|error| unreadable(error.to_string()))?;
    let bytes =
        read_bounded(&Source::Path(path.clone()), MAX_PROGRAM).map_err(|error| unreadable(error.to_string()))?;
    let path = path.display().to_string();
    let facts = JsonSelf {
        schema: "dvkey.self/1",
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("DVKEY_COMMIT"),
        target: format!("{}-{}{}", std::env::consts::ARCH, std::env::consts::OS, environment()),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        path: &path,
        sha256: Sha256Digest::of(&bytes).to_string(),
    };
    if printer.json() {
        printer.object(&facts);
    } else {
        printer.result(&format!("dvkey {}", facts.version));
        printer.result(&format!("  commit   {}", facts.commit.unwrap_or("not recorded in this build")));
        printer.result(&format!("  build    {}, {}", facts.target, facts.build));
        printer.result(&format!("  program  {path}"));
        printer.result(&format!("  SHA-256  {}", facts.sha256));
    }
    Ok(Exit::Done)
}

fn environment() -> &'static str {
    if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    }
}

pub(in crate::cli) fn explain(code: Option<&str>, printer: &Printer) -> Result<Exit, Failure> {
    let Some(text) = code else {
        for code in Code::ALL {
            let first = code.page().and_then(|page| page.lines().next()).unwrap_or_default();
            printer.result(&format!("{:<26} {first}", code.text()));
        }
        return Ok(Exit::Done);
    };
    // The numbered checks are explained together.
    let is_check = Check::ALL.iter().any(|check| check.id() == text);
    let text = if is_check { Code::VerifyNotValid.text() } else { text };
    match Code::find(text).and_then(|code| Some((code, code.page()?))) {
        Some((code, page)) => {
            printer.result(&format!("{} (exit code {})\n\n{page}", code.text(), code.exit().code()));
            Ok(Exit::Done)
        }
        None => {
            let shown: String = text.chars().take(60).collect();
            Err(Failure::new(Code::ExplainUnknown, format!("there is no error code {shown:?}"))
                .hint("`dvkey explain` lists them all"))
        }
    }
}

pub(in crate::cli) fn completions(shell: Shell, printer: &Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "dvkey", &mut script);
    printer.text(&script);
    Ok(Exit::Done)
}

pub(in crate::cli) fn man(name: Option<&str>, printer: &Printer) -> Result<Exit, Failure> {
    let mut program = Arguments::command();
    program.build();
    let command = match name {
        None => program,
        Some(name) => {
            let found = program.get_subcommands().find(|command| command.get_name() == name).cloned();
            found.ok_or_else(|| {
                let shown: String = name.chars().take(60).collect();
                Failure::new(Code::ExplainUnknown, format!("there is no command {shown:?}"))
                    .hint("`dvkey --help` lists them all")
            })?
        }
    };
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(command).render(&mut page);
    printer.text(&page);
    Ok(Exit::Done)
}
