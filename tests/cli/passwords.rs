//! Every source of passwords, and both readings of them.

use std::process::{Command, Stdio};

use crate::keystore_maker::{keystore, secret};
use crate::support::text;
use crate::{OWNER, read_json, refused, split, stderr, workshop};

#[test]
fn a_wrong_password_is_a_refusal() {
    let folder = workshop();
    std::fs::write(folder.path().join("wrong"), "wrong").unwrap();
    let options = ["--password-file", "wrong"];
    refused(folder.path(), split(folder.path(), "keystore-demo.json", &options), 1, "keystore.wrong-password");
    let said = refused(folder.path(), split(folder.path(), "keystores", &options), 1, "keystore.wrong-password");
    assert!(said.contains("3 of 3 keystores could not be used; nothing was written"), "{said}");
}

#[test]
fn one_final_newline_is_not_part_of_a_password() {
    let folder = workshop();
    let password = std::fs::read_to_string(folder.path().join("password.txt")).unwrap();
    let password = password.trim_end();
    for end in ["", "\n", "\r\n"] {
        std::fs::write(folder.path().join("typed"), format!("{password}{end}")).unwrap();
        split(folder.path(), "keystore-demo.json", &["--password-file", "typed", "--force"]).assert().success();
    }
}

#[test]
fn a_folder_of_passwords() {
    let folder = workshop();
    let password = std::fs::read(folder.path().join("password.txt")).unwrap();
    let passwords = folder.path().join("passwords");
    std::fs::create_dir(&passwords).unwrap();
    let keystore = |n: &str| format!("keystore-m_12381_3600_{n}_0_0-1700000000");
    let public_key = |n: &str| {
        let file = read_json(&folder.path().join("keystores").join(format!("{}.json", keystore(n))));
        text(&file["pubkey"]).to_owned()
    };
    std::fs::write(passwords.join(format!("0x{}", public_key("9"))), &password).unwrap();
    std::fs::write(passwords.join(format!("{}.txt", keystore("10"))), &password).unwrap();
    let options = ["--password-dir", "passwords"];
    let said = refused(folder.path(), split(folder.path(), "keystores", &options), 1, "password.source");
    assert!(said.contains("_11_0_0"), "{said}");
    std::fs::write(passwords.join(public_key("11")), &password).unwrap();
    split(folder.path(), "keystores", &options).assert().success();
}

#[test]
fn a_command_prints_the_password() {
    let folder = workshop();
    let command = ["--password-command", "cat password.txt"];
    split(folder.path(), "keystores", &command).assert().success();
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();

    // The public key, the file and the environment reach the command.
    let password = std::fs::read(folder.path().join("password.txt")).unwrap();
    let file = read_json(&folder.path().join("keystore-demo.json"));
    std::fs::write(folder.path().join(text(&file["pubkey"])), password).unwrap();
    let command = ["--password-command", r#"sh -c 'test "$DVKEY_PUBKEY" = "$0" && cat "$DVKEY_PUBKEY"' {pubkey}"#];
    split(folder.path(), "keystore-demo.json", &command).assert().success();
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();

    for (failing, code) in [
        ("false", "password.command"),
        ("true", "password.command"),
        ("no-such-program", "password.command"),
        ("cat {secret}", "password.command"),
        ("cat 'open", "password.command"),
        ("", "password.command"),
    ] {
        let command = split(folder.path(), "keystore-demo.json", &["--password-command", failing]);
        refused(folder.path(), command, 1, code);
    }
}

/// The main process cannot open a socket any more; the password command can.
#[test]
fn a_password_command_keeps_the_network() {
    let folder = workshop();
    let script = "import socket, sys\nsocket.socket().close()\nsys.stdout.write(open('password.txt').read())\n";
    std::fs::write(folder.path().join("fetch.py"), script).unwrap();
    split(folder.path(), "keystore-demo.json", &["--password-command", "python3 fetch.py"]).assert().success();
}

#[test]
fn a_descriptor_and_stdin() {
    let folder = workshop();
    let password = std::fs::read(folder.path().join("password.txt")).unwrap();
    split(folder.path(), "keystore-demo.json", &["--password-fd", "0"])
        .write_stdin(password.clone())
        .assert()
        .success();
    split(folder.path(), "keystore-demo.json", &["--password-file", "-", "--force"])
        .write_stdin(password)
        .assert()
        .success();
    let script = format!(
        "exec {} split keystore-demo.json --operators operators.json --owner {OWNER} --nonce 7 --network hoodi \
         --out out --force --password-fd 9 9< password.txt",
        env!("CARGO_BIN_EXE_dvkey")
    );
    let status = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    let command = split(folder.path(), "keystore-demo.json", &["--password-fd", "77"]);
    refused(folder.path(), command, 1, "password.source");
}

#[test]
fn passwords_are_read_as_the_eip_says() {
    let folder = workshop();
    // What the derivation takes, and what people type.
    for (bytes, typed) in [
        ("n\u{303}", "ñ"),
        ("pa\u{308}sswo\u{308}rd-fi123", "pässwörd-ﬁ123"),
        ("abcde", "a\tb\nc\x7fd\u{85}e"),
        (" spaces stay ", " spaces stay "),
        ("", "\t"),
    ] {
        std::fs::write(folder.path().join("key.json"), keystore(&secret(1), bytes.as_bytes()).to_string()).unwrap();
        std::fs::write(folder.path().join("pw"), typed).unwrap();
        let assert = split(folder.path(), "key.json", &["--password-file", "pw", "--force"]).assert().success();
        assert!(!stderr(&assert).contains("warning"), "{typed:?}");
    }
}

#[test]
fn the_other_reading_is_tried_and_named() {
    let folder = workshop();
    std::fs::write(folder.path().join("key.json"), keystore(&secret(1), b"manana").to_string()).unwrap();
    std::fs::write(folder.path().join("pw"), "mañana").unwrap();
    let assert = split(folder.path(), "key.json", &["--password-file", "pw"]).assert().success();
    assert!(stderr(&assert).contains("wealdtech reading"), "{}", stderr(&assert));
    let provenance = read_json(&folder.path().join("out/provenance.json"));
    assert_eq!(provenance["validators"][0]["passwordReading"], "wealdtech");
}

#[test]
fn a_password_that_is_no_text_is_refused() {
    let folder = workshop();
    std::fs::write(folder.path().join("pw"), b"caf\xe9").unwrap();
    let command = split(folder.path(), "keystore-demo.json", &["--password-file", "pw"]);
    refused(folder.path(), command, 1, "password.encoding");
    std::fs::write(folder.path().join("pw"), vec![b'a'; 5000]).unwrap();
    let command = split(folder.path(), "keystore-demo.json", &["--password-file", "pw"]);
    refused(folder.path(), command, 1, "password.source");
}

/// A descriptor that nobody opened is refused, and not one of the program's own is read in its place.
#[test]
fn a_descriptor_that_was_not_handed_down() {
    let folder = workshop();
    for number in ["3", "4", "5", "6", "7", "8", "9", "99"] {
        refused(
            folder.path(),
            split(folder.path(), "keystore-demo.json", &["--password-fd", number]),
            1,
            "password.source",
        );
    }
}
