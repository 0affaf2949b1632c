//! Every command with a known key and a known password: neither may show up anywhere.

use std::path::Path;

use base64ct::Encoding;

use crate::dvkey;
use crate::keystore_maker::{keystore, secret};
use crate::{split, workshop};

const PASSWORD: &str = "correct horse battery staple 7391";

/// The forms in which a secret could slip out.
pub(crate) fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut reversed = secret.to_vec();
    reversed.reverse();
    let mut forms = Vec::new();
    for bytes in [secret.to_vec(), reversed] {
        forms.push(hex::encode(&bytes).into_bytes());
        forms.push(hex::encode_upper(&bytes).into_bytes());
        // Without the last letters, which depend on what stands behind.
        forms.push(base64ct::Base64::encode_string(&bytes).trim_end_matches('=').as_bytes()[..bytes.len()].to_vec());
        // A digest would let others test their guesses.
        forms.push(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)).into_bytes());
        forms.push(format!("{bytes:?}").trim_matches(['[', ']']).as_bytes().to_vec());
        forms.push(bytes);
    }
    forms
}

fn search(place: &str, haystack: &[u8], needles: &[Vec<u8>]) {
    for needle in needles {
        assert!(!haystack.windows(needle.len()).any(|window| window == needle), "a secret shows up in {place}");
    }
}

fn search_files(folder: &Path, needles: &[Vec<u8>]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            search_files(&entry.path(), needles);
        } else if name != "pw" {
            search(&name, &std::fs::read(entry.path()).unwrap(), needles);
        }
    }
}

#[test]
fn neither_key_nor_password_nor_share_is_shown() {
    let folder = workshop();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    let mut needles = forms(PASSWORD.as_bytes());
    for number in 1..=2 {
        needles.extend(forms(&secret(number)));
        let keystore = keystore(&secret(number), PASSWORD.as_bytes());
        std::fs::write(folder.path().join(format!("mine/{number}.json")), keystore.to_string()).unwrap();
    }
    std::fs::write(folder.path().join("pw"), PASSWORD).unwrap();
    // The search itself works.
    assert!(std::panic::catch_unwind(|| search("x", &secret(1), &forms(&secret(1)))).is_err());

    let run = |mut command: assert_cmd::Command| {
        let output = command.output().unwrap();
        search("stdout", &output.stdout, &needles);
        search("stderr", &output.stderr, &needles);
        search_files(folder.path(), &needles);
        output.status.code()
    };
    let password = ["--password-file", "pw"];
    for options in [&["-v"][..], &["--json", "--force"], &["-q", "--force"], &["--dry-run", "-v", "--force"]] {
        assert_eq!(run(split(folder.path(), "mine", &[&password, options].concat())), Some(0));
    }
    let from_command = ["--password-command", "cat pw", "--force", "-v"];
    assert_eq!(run(split(folder.path(), "mine", &from_command)), Some(0));
    // A wrong password, and a right one for only some: whatever is said, it is not the password.
    assert_eq!(run(split(folder.path(), "keystore-demo.json", &[&password[..], &["--force"]].concat())), Some(1));
    std::fs::copy(folder.path().join("keystore-demo.json"), folder.path().join("mine/3.json")).unwrap();
    assert_eq!(run(split(folder.path(), "mine", &[&password[..], &["--force", "-v"]].concat())), Some(1));
    // A failing command that prints the password on both channels, and a password that is no text.
    let failing = ["--password-command", "sh -c 'cat pw; exit 3'", "--force", "-v"];
    assert_eq!(run(split(folder.path(), "mine", &failing)), Some(1));

    let confirm = format!("withdrawal={}", crate::OWNER);
    let deposit = ["deposit", "--network", "hoodi", "--withdrawal", crate::OWNER, "--out", "out", "-v"];
    for (keystore, exit) in [("mine/1.json", 0), ("mine", 1)] {
        let mut command = dvkey(folder.path());
        command.args(deposit).args([keystore, "--confirm", &confirm]).args(password);
        assert_eq!(run(command), Some(exit));
    }
    // The one file that holds the key holds it encrypted, under a password that is in no other file.
    let keys = ["--key", "12=operator-12.pem", "--key", "34=operator-34.pem", "--key", "56=operator-56.pem"];
    let mut command = split(folder.path(), "mine/1.json", &[&password[..], &["--force"]].concat());
    command.assert().success();
    for json in [&["--json"][..], &["-v"], &["--no-input"]] {
        let mut command = dvkey(folder.path());
        command.args(["recover", "out/keyshares.json", "--new-password-file", "pw"]).args(keys).args(json);
        // The second and the third find the keystore of the first, and replace nothing.
        assert_eq!(run(command), Some(i32::from(json != ["--json"])));
    }

    // Batches: what is planned, made, journaled, merged and said, with right, wrong and failing sources of passwords.
    let header = "keystore,operators,owner,nonce,network\n";
    let rows = format!("{header}mine,operators.json,{},7,hoodi\n", crate::OWNER);
    std::fs::write(folder.path().join("manifest.csv"), rows).unwrap();
    let batch = |arguments: &[&str]| {
        let mut command = dvkey(folder.path());
        command.arg("batch").args(arguments);
        run(command)
    };
    assert_eq!(batch(&["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl", "-v"]), Some(0));
    let go = ["run", "plan.jsonl", "--work", "work", "--no-input", "-v"];
    assert_eq!(batch(&[&go[..], &failing[..2]].concat()), Some(1));
    assert_eq!(batch(&[&go[..], &["--password-file", "manifest.csv"]].concat()), Some(1));
    assert_eq!(batch(&[&go[..], &password].concat()), Some(1));
    assert_eq!(batch(&[&go[..], &["--json"], &from_command[..2]].concat()), Some(1));
    assert_eq!(batch(&["status", "plan.jsonl", "--work", "work", "-v", "--metrics", "m.prom"]), Some(1));
    assert_eq!(batch(&["merge", "plan.jsonl", "--work", "work", "--out", "merged", "-v"]), Some(1));
    let next = format!("{}=7", crate::OWNER);
    let compact = ["merge", "plan.jsonl", "--work", "work", "--out", "next", "--compact", "--next-nonce", &next];
    assert_eq!(batch(&compact), Some(0));

    for arguments in [
        &["verify", "out", "-v"][..],
        &["verify", "mine/1.json"],
        &["inspect", "mine", "out", "pw"],
        &["open", "out/keyshares.json", "--key", "operator-12.pem", "-v"],
        &["open", "out/keyshares.json", "--key", "mine/1.json", "--password-file", "pw"],
    ] {
        let mut command = dvkey(folder.path());
        command.args(arguments);
        run(command);
    }
}

/// The arguments of a process are public; a password among them is refused before it could be used.
#[test]
fn there_is_no_option_that_takes_a_password() {
    let folder = workshop();
    for option in ["--password", "--pass", "--passphrase", "-p"] {
        dvkey(folder.path()).args(["split", "keystore-demo.json", option, "secret"]).assert().code(2);
    }
}

/// A debugger or another process of the same user cannot read the memory of a running split, and it dumps no core.
#[cfg(target_os = "linux")]
#[test]
fn the_process_is_closed_to_others() {
    use std::process::{Command, Stdio};
    let folder = workshop();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder.path())
        .args(["verify", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<_> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let filtered = status.lines().find(|line| line.starts_with("Seccomp:")).unwrap();
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert_eq!(filtered.split_whitespace().nth(1), Some("2"), "the offline filter is not in force");
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}
