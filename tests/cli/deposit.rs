//! `dvkey deposit` from outside: what it writes, what it refuses, what a person is asked.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::{OWNER, dvkey, objects, read_json, stderr, stdout, workshop};

fn deposit(folder: &std::path::Path, keystores: &str, options: &[&str]) -> assert_cmd::Command {
    let mut command = dvkey(folder);
    command.args(["deposit", keystores, "--out", "out"]).args(options);
    command
}

fn confirmed() -> String {
    format!("withdrawal={OWNER}")
}

#[test]
fn the_file_is_valid_and_readable_by_all() {
    let folder = workshop();
    let confirm = confirmed();
    let usual = ["--network", "hoodi", "--withdrawal", OWNER, "--password-file", "password.txt", "--confirm", &confirm];
    let assert = deposit(folder.path(), "keystores", &usual).assert().success();
    let file = folder.path().join(stdout(&assert).trim());
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("deposit_data-") && name.ends_with(".json"), "{name}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    // The very deposits that an outside program made of these keystores; only the version of deposit-cli differs.
    let mut theirs = read_json(&folder.path().join("keystores/deposit_data-1700000000.json"));
    for entry in theirs.as_array_mut().unwrap() {
        entry["deposit_cli_version"] = "2.8.0".into();
    }
    assert_eq!(read_json(&file), theirs);
    let messages = stderr(&assert);
    assert!(messages.contains(&format!("withdrawal  {OWNER}")), "{messages}");
    let verify = ["verify", "out", "--withdrawal", OWNER, "--amount", "32ether", "--network", "hoodi"];
    dvkey(folder.path()).args(verify).args(["--validators", "3"]).assert().success();
    dvkey(folder.path()).args(verify).args(["--validators", "2"]).assert().code(3);
}

#[test]
fn json_tells_the_plan_and_the_result() {
    let folder = workshop();
    let confirm = confirmed();
    let assert = deposit(folder.path(), "keystore-demo.json", &["--json", "--type", "0x02", "--amount", "2048ether"])
        .args(["--network", "mainnet", "--withdrawal", OWNER, "--password-file", "password.txt", "--confirm", &confirm])
        .assert()
        .success();
    let lines = objects(&stdout(&assert));
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["plan", "validator", "done"]);
    assert_eq!(lines[0]["amount"], 2_048_000_000_000u64);
    let credentials = format!("0x02{}{}", "00".repeat(11), OWNER[2..].to_lowercase());
    assert_eq!(lines[0]["withdrawalCredentials"], Value::from(credentials));
    let file = read_json(std::path::Path::new(&folder.path().join(lines[2]["file"].as_str().unwrap())));
    let theirs = read_json(&crate::support::fixture("deposit/deposits.json"));
    assert!(theirs.as_array().unwrap().contains(&file[0]), "not what ethstaker-deposit-cli makes: {file}");
}

#[test]
fn what_is_missing_or_contradicts_itself_is_refused() {
    let folder = workshop();
    let confirm = confirmed();
    let other = "withdrawal=0x52908400098527886E0F7030069857D2E4169EE7";
    let lido = "0xB9D7934878B5FB9610B3fE8A5e441e8fad7E293f";
    for (options, code) in [
        (&["--withdrawal", OWNER, "--confirm", &confirm][..], "input.missing"),
        (&["--network", "hoodi"], "input.missing"),
        (&["--network", "hoodi", "--withdrawal", OWNER], "input.missing"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--confirm", other], "confirm.differs"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--confirm", OWNER], "confirm.differs"),
        (&["--network", "hoodi", "--withdrawal", "0x00"], "deposit.address"),
        (&["--network", "hoodi", "--withdrawal", "0x0000000000000000000000000000000000000000"], "deposit.address"),
        (&["--network", "hoodi", "--withdrawal", "0x81592C3DE184A3E2c0DCB5a261BC107Bfa91f494"], "deposit.address"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--amount", "32"], "deposit.amount"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--amount", "33ether"], "deposit.amount"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--amount", "0.999999999ether"], "deposit.amount"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--amount", "1.0000000001ether"], "deposit.amount"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--type", "0x02", "--amount", "2049ether"], "deposit.amount"),
        (&["--network", "hoodi", "--withdrawal", lido], "deposit.contradiction"),
        (&["--network", "sepolia", "--for", "lido-csm"], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "lido-csm", "--withdrawal", OWNER], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "lido-csm", "--type", "0x02"], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "lido-csm", "--amount", "1ether"], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "eigenpod"], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "somewhere"], "deposit.contradiction"),
        (&["--network", "mainnet", "--for", "rocketpool-minipool", OWNER], "input.missing"),
        (&["--network", "hoodi", "--withdrawal", OWNER, "--confirm", &confirm], "password.missing"),
        (
            &["--network", "hoodi", "--withdrawal", OWNER, "--confirm", &confirm, "--password-file", "operators.json"],
            "keystore.wrong-password",
        ),
    ] {
        let said = crate::refused(folder.path(), deposit(folder.path(), "keystore-demo.json", options), 1, code);
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_dry_run_and_every_preset_show_what_they_set() {
    let folder = workshop();
    for (options, wanted) in [
        (&["--withdrawal", OWNER][..], "Plan: sign 3 deposits of 32 ETH, 96 ETH in all"),
        (&["--for", "lido-csm"], "0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2"),
        (&["--for", "stakewise-vault", OWNER], "withdrawal to the vault"),
        (&["--for", "rocketpool-minipool", OWNER, "--amount", "1ether"], "Plan: sign 3 deposits of 1 ETH"),
        (&["--for", "eigenpod", OWNER, "--type", "0x02"], "0x0200000000000000000000"),
    ] {
        let said = stdout(
            &deposit(folder.path(), "keystores", options).args(["--network", "hoodi", "--dry-run"]).assert().success(),
        );
        assert!(said.contains(wanted) && said.contains("Nothing was decrypted"), "{options:?}: {said}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn an_option_that_nothing_answers_is_no_yes() {
    let folder = workshop();
    let verify = |arguments: &[&str]| dvkey(folder.path()).arg("verify").args(arguments).assert();
    let deposits = "keystores/deposit_data-1700000000.json";
    let said = stdout(&verify(&[deposits]).success());
    assert!(said.contains("3 deposits, 32 ETH each") && said.contains("deposit_cli_version \"0.0.0\""), "{said}");
    for option in [&["--nonce", "7"][..], &["--owner", OWNER], &["--operators", "operators.json"]] {
        let assert = verify(&[&[deposits][..], option].concat()).code(1);
        assert!(stderr(&assert).contains("could be compared with nothing"), "{}", stderr(&assert));
    }
}
