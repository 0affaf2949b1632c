//! `inspect`, `self`, `explain`, `completions`, `man` and the help texts.

use std::path::PathBuf;

use crate::dvkey;
use crate::support::fixture;
use crate::{objects, split, stdout, workshop};

#[test]
fn inspect_says_what_files_are() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    for (path, words) in [
        ("keystore-demo.json", "a validator keystore (EIP-2335)"),
        ("operators.json", "a list of SSV operators"),
        ("out/keyshares.json", "a keyshares file for the SSV Network"),
        ("out/provenance.json", "the provenance of files that dvkey wrote"),
        ("keystores/deposit_data-1700000000.json", "deposit data"),
        ("node-12/encrypted_private_key.json", "an operator's encrypted private key"),
        ("operator-12.pem", "an operator's private key, NOT encrypted"),
        ("password.txt", "text of no kind that dvkey knows"),
    ] {
        let said = stdout(&dvkey(folder.path()).args(["inspect", path]).assert().success());
        assert!(said.starts_with(&format!("{path}: {words}\n")), "{said}");
    }
    let said = stdout(&dvkey(folder.path()).args(["inspect", "--json", "."]).assert().success());
    assert!(objects(&said).len() >= 5, "{said}");
    let assert = dvkey(folder.path()).args(["inspect", "absent", "operators.json"]).assert().code(1);
    assert!(stdout(&assert).contains("a list of SSV operators"));
    // A program that contains a keystore is none.
    std::fs::write(folder.path().join("lib.py"), "K = {\"crypto\": {\"kdf\": {}, \"cipher\": {}}}").unwrap();
    let said = stdout(&dvkey(folder.path()).args(["inspect", "lib.py"]).assert().success());
    assert!(said.contains("text of no kind"), "{said}");
}

#[test]
fn a_private_key_is_not_even_hashed() {
    let folder = workshop();
    let said = stdout(&dvkey(folder.path()).args(["inspect", "operator-12.pem"]).assert().success());
    assert!(!said.contains("SHA-256"), "{said}");
}

#[test]
fn self_hashes_the_program() {
    let program = assert_cmd::cargo::cargo_bin("dvkey");
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(program).unwrap()));
    let folder = workshop();
    let said = stdout(&dvkey(folder.path()).arg("self").assert().success());
    assert!(said.contains(&digest), "{said}");
    assert!(said.starts_with(&format!("dvkey {}\n", env!("CARGO_PKG_VERSION"))), "{said}");
}

#[test]
fn codes_are_explained() {
    let folder = workshop();
    let list = stdout(&dvkey(folder.path()).arg("explain").assert().success());
    assert!(list.lines().count() > 40);
    for line in list.lines() {
        let code = line.split_whitespace().next().unwrap();
        let page = stdout(&dvkey(folder.path()).args(["explain", code]).assert().success());
        assert!(page.starts_with(&format!("{code} (exit code ")), "{page}");
    }
    dvkey(folder.path()).args(["explain", "no.such-code"]).assert().code(1);
    assert!(stdout(&dvkey(folder.path()).args(["explain", "K09"]).assert().success()).contains("K09"));
}

#[test]
fn completions_and_manual_pages() {
    let folder = workshop();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&dvkey(folder.path()).args(["completions", shell]).assert().success());
        assert!(script.contains("dvkey"), "{shell}");
    }
    let page = stdout(&dvkey(folder.path()).arg("man").assert().success());
    assert!(page.contains(".TH dvkey 1"), "{page}");
    for command in ["split", "verify", "deposit", "open", "recover", "tx", "ceremony", "inspect"] {
        let page = stdout(&dvkey(folder.path()).args(["man", command]).assert().success());
        assert!(page.contains(&format!(".TH dvkey-{command} 1")), "{page}");
    }
    dvkey(folder.path()).args(["man", "nonsense"]).assert().code(1);
}

/// The help texts are part of the program's surface: a change must be seen. Set `UPDATE_SNAPSHOTS` to accept it.
#[test]
fn help_is_what_it_was() {
    let folder = workshop();
    for command in [
        "",
        "split",
        "verify",
        "deposit",
        "open",
        "recover",
        "tx",
        "tx register",
        "tx next",
        "tx decode",
        "inspect",
        "explain",
        "ceremony",
        "ceremony identity new",
        "ceremony identity bind",
        "ceremony plan new",
        "ceremony plan accept",
        "ceremony step",
        "ceremony status",
        "ceremony assemble",
        "ceremony verify",
        "ceremony rehearse",
        "ceremony recover",
    ] {
        let mut run = dvkey(folder.path());
        run.args(command.split_whitespace()).arg("--help");
        let said = stdout(&run.assert().success());
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{command}: a line is too long");
        let name = if command.is_empty() { "dvkey" } else { command };
        snapshot(&format!("help-{}.txt", name.replace(' ', "-")), &said);
    }
}

fn snapshot(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, recorded, "{name} changed; UPDATE_SNAPSHOTS=1 accepts it");
    assert!(fixture("split").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_written_are_no_success() {
    use std::process::{Command, Stdio};
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for arguments in [&["explain"][..], &["man"], &["self"], &["--json", "self"]] {
        let program = assert_cmd::cargo::cargo_bin("dvkey");
        let output = Command::new(program).args(arguments).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("code: output.failed "));
    }
}
