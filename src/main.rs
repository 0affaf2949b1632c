//! The program: hands its arguments to the command line floor.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the arguments of the program are read here, once")]
fn main() -> ExitCode {
    dvkey::cli::run(std::env::args_os().collect())
}
