//! The program from outside: what it prints, what it writes, what it refuses, how it ends.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test touches the disk, runs programs and fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod about;
mod batch;
mod ceremony;
mod crash;
mod deposit;
mod foreign_ceremonies;
mod hostile;
mod ids;
mod kdf;
mod keystore_maker;
mod leaks;
mod open;
mod passwords;
mod recover;
mod refusals;
mod split;
mod terminal;
mod tx;
mod tx_cluster;
mod tx_decode;
mod verify;

use std::path::Path;

use assert_cmd::assert::Assert;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const OWNER: &str = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494";

/// A folder for one test, with the demo fixtures in it.
pub(crate) fn workshop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&support::fixture("split"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The program, to be run in `folder`, with nobody to ask.
pub(crate) fn dvkey(folder: &Path) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("dvkey").unwrap();
    command.current_dir(folder).env_remove("NO_COLOR").timeout(std::time::Duration::from_secs(300));
    command
}

/// Splits the demo keystore with these options instead of, or besides, the usual ones.
pub(crate) fn split(folder: &Path, keystores: &str, options: &[&str]) -> assert_cmd::Command {
    let usual = [
        ("--operators", "operators.json"),
        ("--owner", OWNER),
        ("--nonce", "7"),
        ("--network", "hoodi"),
        ("--password-file", "password.txt"),
        ("--out", "out"),
    ];
    let mut command = dvkey(folder);
    command.arg("split").arg(keystores);
    let replaces_password = options.iter().any(|option| option.starts_with("--password"));
    for (name, value) in usual {
        let replaced = options.contains(&name) || options.iter().any(|option| option.starts_with(&format!("{name}=")));
        if replaced || (name == "--password-file" && replaces_password) {
            continue;
        }
        command.args([name, value]);
    }
    command.args(options);
    command
}

/// Ends with this exit code, names this error code, and leaves no output folder behind.
pub(crate) fn refused(folder: &Path, mut command: assert_cmd::Command, exit: i32, code: &str) -> String {
    let assert = command.assert().code(exit);
    let text = stderr(&assert);
    assert!(text.contains(&format!("code: {code} ")), "{code} was expected:\n{text}");
    assert!(text.starts_with("error: ") || text.contains("\nerror: "), "{text}");
    assert!(!folder.join("out").exists(), "something was written");
    text
}

pub(crate) fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub(crate) fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// JSON lines.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}
