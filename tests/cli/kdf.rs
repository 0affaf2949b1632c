//! Key derivation as the program does it: every path, in groups, within the memory it may take.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::keystore_maker::{keystore, scrypt_keystore, secret};
use crate::{OWNER, objects, read_json, refused, split, stderr, stdout, workshop};

const PATHS: [&str; 4] = ["crate", "scalar", "avx2", "avx512"];

fn has(path: &str) -> bool {
    dvkey::crypto::kdf::Path::named(path).unwrap().is_supported()
}

/// A folder of keystores with mixed derivations: 13 with one table of 1 MiB, three with 16 MiB, two with PBKDF2.
fn mixed(folder: &Path) {
    std::fs::create_dir(folder.join("mixed")).unwrap();
    std::fs::write(folder.join("pw"), "pw").unwrap();
    for number in 1..=18 {
        let made = match number {
            1..=13 => scrypt_keystore(&secret(number), b"pw", 1 << 10),
            14..=16 => scrypt_keystore(&secret(number), b"pw", 1 << 14),
            _ => keystore(&secret(number), b"pw"),
        };
        std::fs::write(folder.join(format!("mixed/{number}.json")), made.to_string()).unwrap();
    }
}

#[test]
fn every_path_makes_the_same_validators() {
    let folder = workshop();
    mixed(folder.path());
    let mut public_keys = Vec::new();
    for path in PATHS {
        let mut command = split(folder.path(), "mixed", &["--password-file", "pw", "--force", "-v", "--jobs", "2"]);
        command.env("DVKEY_KDF", path);
        if !has(path) {
            let said = refused(folder.path(), command, 1, "machine.kdf");
            assert!(said.contains("this CPU has no"), "{said}");
            continue;
        }
        let messages = stderr(&command.assert().success());
        assert!(messages.contains(&format!("for key derivation ({path}, ")), "{messages}");
        let written = read_json(&folder.path().join("out/keyshares.json"));
        let items = written["shares"].as_array().unwrap();
        public_keys.push(items.iter().map(|item| item["payload"]["publicKey"].clone()).collect::<Vec<_>>());
        assert_eq!(items.len(), 18);
        let provenance = read_json(&folder.path().join("out/provenance.json"));
        assert_eq!(provenance["run"]["keyDerivation"], path);
        std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    }
    assert!(public_keys.len() >= 2 && public_keys.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_path_that_is_none_is_refused_before_a_password_is_read() {
    let folder = workshop();
    for word in ["", "AVX2", "sse", "avx512 "] {
        let mut command = split(folder.path(), "keystore-demo.json", &["--password-file", "missing"]);
        command.env("DVKEY_KDF", word);
        let said = refused(folder.path(), command, 1, "machine.kdf");
        assert!(said.contains("one of crate, scalar, avx2, avx512"), "{said}");
    }
}

#[test]
fn one_that_fails_among_others_is_reported_alone() {
    let folder = workshop();
    mixed(folder.path());
    for number in [4, 15, 18] {
        let made = scrypt_keystore(&secret(number), b"another", if number == 15 { 1 << 14 } else { 1 << 10 });
        std::fs::write(folder.path().join(format!("mixed/{number}.json")), made.to_string()).unwrap();
    }
    for path in PATHS.into_iter().filter(|path| has(path)) {
        let mut command = split(folder.path(), "mixed", &["--password-file", "pw", "--json"]);
        command.env("DVKEY_KDF", path);
        let assert = command.assert().code(1);
        let events = objects(&stdout(&assert));
        let opened = events.iter().filter(|event| event["event"] == "validator").count();
        assert_eq!(opened, 15, "{path}: each of the others was opened, and once");
        let said = stderr(&assert);
        for number in 1..=18 {
            assert_eq!(said.contains(&format!("mixed/{number}.json")), [4, 15, 18].contains(&number), "{path}: {said}");
        }
    }
}

/// A lane group that holds wealdtech keystores: they alone are derived a second time, with the other reading.
#[test]
fn the_other_reading_is_tried_in_groups() {
    let folder = workshop();
    std::fs::create_dir(folder.path().join("mixed")).unwrap();
    std::fs::write(folder.path().join("pw"), "ñ").unwrap();
    for number in 1..=9 {
        let password = if [3, 6, 9].contains(&number) { "n" } else { "n\u{303}" };
        let made = scrypt_keystore(&secret(number), password.as_bytes(), 1 << 8);
        std::fs::write(folder.path().join(format!("mixed/{number}.json")), made.to_string()).unwrap();
    }
    let assert = split(folder.path(), "mixed", &["--password-file", "pw", "--json"]).assert().success();
    for event in objects(&stdout(&assert)).iter().filter(|event| event["event"] == "validator") {
        let number: usize = event["keystore"].as_str().unwrap().trim_end_matches(".json").parse().unwrap();
        let reading = if [3, 6, 9].contains(&number) { "wealdtech" } else { "EIP-2335" };
        assert_eq!(event["passwordReading"], reading, "{number}");
    }
}

/// 24 keystores of 16 MiB: whatever the number of workers, the tables stay within the budget.
#[cfg(target_os = "linux")]
#[test]
fn the_memory_stays_within_the_budget() {
    let folder = workshop();
    std::fs::create_dir(folder.path().join("many")).unwrap();
    std::fs::write(folder.path().join("pw"), "pw").unwrap();
    for number in 1..=24 {
        let made = scrypt_keystore(&secret(number), b"pw", 1 << 14);
        std::fs::write(folder.path().join(format!("many/{number}.json")), made.to_string()).unwrap();
    }
    for (budget, jobs) in [(16, 4), (40, 2), (112, 1), (128, 3)] {
        let memory = format!("{budget}MiB");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_dvkey"))
            .current_dir(folder.path())
            .args(["split", "many", "--operators", "operators.json", "--owner", OWNER, "--nonce", "0", "--force"])
            .args(["--network", "hoodi", "--password-file", "pw", "--out", "out", "--no-input", "-q"])
            .args(["--memory", &memory, "--jobs", &jobs.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut peak = 0;
        let status = loop {
            peak = peak.max(peak_mib(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        assert!(status.success());
        assert!(peak > 0 && peak <= budget + 60, "{peak} MiB at the highest, under a budget of {budget} MiB");
    }
    let said =
        refused_with(folder.path(), split(folder.path(), "many", &["--password-file", "pw", "--memory", "15MiB"]));
    assert!(said.contains("16777216") || said.contains("16 MiB"), "{said}");
}

#[cfg(target_os = "linux")]
fn refused_with(folder: &Path, command: assert_cmd::Command) -> String {
    std::fs::remove_dir_all(folder.join("out")).unwrap();
    refused(folder, command, 1, "keystore.memory")
}

/// The most memory that a process has had at once.
#[cfg(target_os = "linux")]
fn peak_mib(process: u32) -> u64 {
    let mut text = String::new();
    let opened = std::fs::File::open(format!("/proc/{process}/status"));
    let _ = opened.and_then(|mut file| file.read_to_string(&mut text));
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).map_or(0, |kib: u64| kib / 1024)
}
