//! What batches refuse, each with its code, and with nothing written.

use std::fs;

use super::{batch, manifest, plan, run, service, write_two};
use crate::{OWNER, stderr};

#[test]
fn manifests_are_refused_line_by_line() {
    let folder = service(4);
    let folder = folder.path();
    let row = |keystore: &str, rest: &str| format!("{keystore},operators.json,,{OWNER},{rest}\n");
    let other = "0x00000000219ab540356cbb839cbe05303d7705fa";
    for (rows, code, words) in [
        (String::new(), "batch.manifest", "there are no rows in it"),
        (row("ks", ",hoodi,,"), "batch.manifest", "line 2: this is the first line of owner"),
        (row("ks", "65533,hoodi,,"), "nonce.too-large", "line 2: nonce 65536 of owner"),
        (
            row("ks/keystore-1.json", "7,hoodi,,") + &row("ks/keystore-2.json", "7,hoodi,,"),
            "batch.manifest",
            "line 3: nonce 7",
        ),
        (
            row("ks/keystore-1.json", "7,hoodi,,") + &row("ks", ",hoodi,,"),
            "keystore.same-validator",
            "as in line 2, ks/keystore-1.json",
        ),
        (row("ks/absent.json", "7,hoodi,,"), "keystore.unreadable", "not found"),
        (row("operators.json", "7,hoodi,,"), "keystore.other-kind", "line 2"),
        (row("ks", "7,hoodi,absent,"), "password.source", "the password file"),
        (row("ks", "7,goerli,,"), "batch.manifest", "not a network"),
        (row("ks", "x,hoodi,,"), "batch.manifest", "not a nonce"),
        (format!("ks,operators.json,12;34;56,{OWNER},7,hoodi,,\n"), "operators.size", "line 2"),
        (format!("ks,operators.json,12;34;56;79,{OWNER},7,hoodi,,\n"), "operators.not-in-list", "79"),
        (format!("ks,absent.json,,{OWNER},7,hoodi,,\n"), "operators.unreadable", "absent.json"),
        (
            format!("ks,two.json,,{OWNER},7,hoodi,,\nks/keystore-1.json,operators.json,,{other},7,hoodi,,\n"),
            "batch.manifest",
            "another key",
        ),
        (row("ks", "7,hoodi,,") + "ks,operators.json\n", "batch.manifest", "line 3: 2 cells, the header has 8"),
    ] {
        // The same ids with keys in another order.
        write_two(folder);
        manifest(folder, &rows);
        let assert = batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl"]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains(&format!("code: {code} ")) && said.contains(words), "{rows}: {said}");
        assert!(!folder.join("plan.jsonl").exists(), "{rows}");
    }
    for (text, words) in [
        ("keystore;operators;owner;network\n", "separated by ';'"),
        ("k.json,operators.json\n", "not a header"),
        ("keystore,operators,owner\n", "\"network\" is missing"),
        ("\u{feff}{\"keystore\":\"ks\",\"nonces\":1}\n", "no column \"nonces\""),
        ("{\"keystore\":\"ks\",\"keystore\":\"ks\"}", "stands twice"),
    ] {
        fs::write(folder.join("manifest.csv"), text).unwrap();
        let assert = batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl"]).assert().code(1);
        assert!(stderr(&assert).contains(words), "{text}: {}", stderr(&assert));
    }
    manifest(folder, &row("ks", "7,hoodi,,"));
    let assert =
        batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "p", "--operator-cap", "3"]).assert().code(1);
    assert!(stderr(&assert).contains("operator 12 on hoodi would get more than 3 validators"), "{}", stderr(&assert));
    plan(folder);
    let assert = batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl"]).assert().code(1);
    let said = stderr(&assert);
    // There is no --force here to be advised.
    assert!(said.contains("code: output.exists ") && !said.contains("--force"), "{said}");
}

#[test]
fn plans_and_inputs_must_be_what_they_were() {
    let folder = service(3);
    let folder = folder.path();
    plan(folder);
    let whole = fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    for (text, words) in [
        (whole.replace("\"nonce\":8", "\"nonce\":6"), "the plan was changed: its hash is"),
        (whole.lines().take(4).map(|line| format!("{line}\n")).collect(), "ends in the middle"),
        (whole.trim_end().to_owned(), "ends in the middle"),
        (whole.replace("{\"row\":1,", "{ \"row\":1,"), "not as it was written"),
        ("{}\n".to_owned(), "does not start a plan"),
        (fs::read_to_string(folder.join("operators.json")).unwrap(), "this is no plan"),
    ] {
        fs::write(folder.join("plan.jsonl"), text).unwrap();
        let assert = run(folder, &[]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.plan ") && said.contains(words), "{words}: {said}");
        assert!(!folder.join("work").exists(), "something was begun");
    }
    fs::write(folder.join("plan.jsonl"), &whole).unwrap();

    let refused = |words: &str| {
        let assert = run(folder, &[]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.inputs-changed ") && said.contains(words), "{said}");
    };
    // A keystore is the matter of its row: the others are done.
    let keystore = folder.join("ks/keystore-2.json");
    let before = fs::read(&keystore).unwrap();
    let alone = |work: &str, words: &str| {
        let assert = run(folder, &["--work", work]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("row 1, nonce 8 refused") && said.contains(words), "{said}");
        assert!(said.contains("1 of 3 rows refused") && said.contains("code: batch.refused "), "{said}");
    };
    fs::write(&keystore, [&before[..], b"\n"].concat()).unwrap();
    alone("changed", "(batch.inputs-changed)");
    fs::remove_file(&keystore).unwrap();
    alone("missing", "not found");
    fs::write(&keystore, before).unwrap();
    let before = fs::read(folder.join("operators.json")).unwrap();
    fs::write(folder.join("operators.json"), [&before[..], b"\n"].concat()).unwrap();
    refused("operators.json: has changed since the plan was made");
    fs::remove_file(folder.join("operators.json")).unwrap();
    // The plan holds the keys: the list of operators need not be there. Elsewhere, --base says where the rest is.
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::rename(folder.join("plan.jsonl"), folder.join("elsewhere/plan.jsonl")).unwrap();
    let moved = ["run", "elsewhere/plan.jsonl", "--work", "work", "--password-dir", "ks", "--no-input"];
    let assert = batch(folder, &moved).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.inputs-changed "));
    batch(folder, &[&moved[..], &["--base", "."]].concat()).assert().success();
    // Done rows need their keystores no more.
    fs::remove_dir_all(folder.join("ks")).unwrap();
    batch(
        folder,
        &[&moved[..5], &["--password-file", "/dev/null"]]
            .concat()
            .iter()
            .filter(|word| **word != "--password-dir")
            .copied()
            .collect::<Vec<_>>(),
    )
    .assert()
    .success();
}

#[test]
fn what_is_missing_is_named() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    let assert = batch(folder, &["run", "plan.jsonl", "--work", "work", "--no-input"]).assert().code(1);
    assert!(stderr(&assert).contains("code: password.missing "), "{}", stderr(&assert));
    for command in
        [&["status", "plan.jsonl", "--work", "ks"][..], &["merge", "plan.jsonl", "--work", "ks", "--out", "o"]]
    {
        let assert = batch(folder, command).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.no-work "), "{}", stderr(&assert));
    }
    for shard in ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "4294967295+1/4"] {
        run(folder, &["--shard", shard]).assert().code(2);
    }
    let assert = run(folder, &["--work", "absent/work"]).assert().code(1);
    assert!(stderr(&assert).contains("code: output.parent "), "{}", stderr(&assert));
    // Shards that nobody has run yet.
    run(folder, &["--shard", "2/2"]).assert().success();
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(5);
    assert!(stderr(&assert).contains("1 of 2 rows still to be done"), "{}", stderr(&assert));
}

/// A row that can never have the memory it asks for is refused with that reason, and keeps nobody else waiting.
#[test]
fn a_row_that_does_not_fit_the_memory_is_refused() {
    let folder = service(3);
    let folder = folder.path();
    fs::copy(folder.join("keystore-demo.json"), folder.join("ks/keystore-9.json")).unwrap();
    fs::copy(folder.join("password.txt"), folder.join("ks/keystore-9.txt")).unwrap();
    plan(folder);
    let assert = run(folder, &["--memory", "1MiB"]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("keystore-9.json: its key derivation needs") && said.contains("(keystore.memory)"), "{said}");
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work", "--json"]).assert();
    let said = crate::stdout(&assert);
    assert!(said.contains("\"done\":3") && said.contains("\"refused\":1"), "{said}");
}

/// A plan whose hash is right, and which `batch plan` would never have made.
#[test]
fn forged_plans_are_refused() {
    let folder = service(3);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    let whole = fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let key = |row: usize| {
        let line = whole.lines().find(|line| line.starts_with(&format!("{{\"row\":{row},"))).unwrap();
        crate::objects(line)[0]["publicKey"].as_str().unwrap().to_owned()
    };
    for (from, to, words) in [
        ("\"nonce\":8".to_owned(), "\"nonce\":7".to_owned(), "line 5: an earlier row has nonce 7 of"),
        (key(2), key(0), "line 6: an earlier row is of the same validator"),
    ] {
        let forged = whole.replacen(&from, &to, 1);
        let body = &forged[..forged.trim_end().rfind('\n').unwrap() + 1];
        let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(body));
        fs::write(folder.join("plan.jsonl"), format!("{body}{{\"rows\":3,\"sha256\":\"{hash}\"}}\n")).unwrap();
        for command in [
            &["run", "plan.jsonl", "--work", "new", "--password-dir", "ks", "--no-input"][..],
            &["status", "plan.jsonl", "--work", "work"],
            &["merge", "plan.jsonl", "--work", "work", "--out", "merged"],
        ] {
            let assert = batch(folder, command).assert().code(1);
            let said = stderr(&assert);
            assert!(said.contains("code: batch.plan ") && said.contains(words), "{said}");
        }
        assert!(!folder.join("new").exists() && !folder.join("merged").exists());
    }
}

/// One operator has one key on a network. A plan with two was not made by `batch plan`: one of them is somebody else's.
#[test]
fn a_plan_with_two_keys_of_one_operator_is_refused() {
    let folder = service(2);
    let folder = folder.path();
    write_two(folder);
    let row = |number: u8, operators: &str, network: &str| {
        format!("ks/keystore-{number}.json,{operators}.json,,{OWNER},{},{network},,\n", 6 + number)
    };
    // On different networks an id is not the same operator.
    manifest(folder, &[row(1, "operators", "hoodi"), row(2, "two", "mainnet")].concat());
    plan(folder);
    run(folder, &[]).assert().success();
    let whole = fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let forged = whole.replace("\"network\":\"mainnet\"", "\"network\":\"hoodi\"");
    let body = &forged[..forged.trim_end().rfind('\n').unwrap() + 1];
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(body));
    fs::write(folder.join("plan.jsonl"), format!("{body}{{\"rows\":2,\"sha256\":\"{hash}\"}}\n")).unwrap();
    for command in [&["status", "--work", "work"][..], &["merge", "--work", "work", "--out", "merged"]] {
        let assert = batch(folder, &[&command[..1], &["plan.jsonl"], &command[1..]].concat()).assert().code(1);
        let said = stderr(&assert);
        assert!(
            said.contains("code: batch.plan ") && said.contains("line 7: operator 12 on hoodi has another key"),
            "{said}"
        );
        assert!(!folder.join("merged").exists());
    }
}

/// What could not be said was not done: no script may take it for success.
#[test]
fn a_status_that_nobody_could_read_is_no_success() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    for json in [&[][..], &["--json"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dvkey"))
            .current_dir(folder)
            .args(["batch", "status", "plan.jsonl", "--work", "work"])
            .args(json)
            .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(6) && said.contains("code: output.failed "), "{said}");
    }
}
