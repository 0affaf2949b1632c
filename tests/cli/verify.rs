//! `dvkey verify` from outside: answers, exit codes, JSON, folders.

use std::time::Duration;

use serde_json::Value;

use crate::dvkey;
use crate::support::{text, vectors};
use crate::{OWNER, objects, split, stdout, workshop};

fn write_vector(folder: &std::path::Path, id: &str) -> Value {
    let vector = vectors(&format!("{id}.json"));
    std::fs::write(folder.join("theirs.json"), text(&vector["keysharesFileText"])).unwrap();
    let operators = serde_json::to_vec(&vector["operatorsInputOrder"]).unwrap();
    std::fs::write(folder.join("their-operators.json"), operators).unwrap();
    vector
}

#[test]
fn files_of_every_peer_are_valid() {
    let folder = workshop();
    for id in 1..=8 {
        let vector = write_vector(folder.path(), &format!("P0{id}"));
        let nonce = vector["firstNonce"].to_string();
        let assert = dvkey(folder.path())
            .args(["verify", "theirs.json", "--operators", "their-operators.json", "--nonce", &nonce])
            .args(["--owner", text(&vector["ownerAddressChecksummed"])])
            .assert()
            .success();
        assert!(stdout(&assert).contains("theirs.json: VALID"), "{}", stdout(&assert));
        assert!(stdout(&assert).contains("not checked: K19"), "what cannot be known is said");
    }
}

#[test]
fn a_difference_from_what_is_given_is_a_no() {
    let folder = workshop();
    write_vector(folder.path(), "P06");
    split(folder.path(), "keystores", &[]).assert().success();
    let run = |arguments: &[&str]| dvkey(folder.path()).arg("verify").args(arguments).assert();
    run(&["theirs.json", "--nonce", "20", "--validators", "3"]).code(0);
    for (arguments, check) in [
        (&["theirs.json", "--nonce", "21"][..], "K11"),
        (&["theirs.json", "--validators", "4"], "K02"),
        (&["theirs.json", "--owner", OWNER], "K10"),
        (&["theirs.json", "--operators", "operators.json"], "K15"),
        (&["out/keyshares.json", "--network", "mainnet"], "K17"),
        (&["out", "--network", "mainnet"], "K17"),
    ] {
        let said = stdout(&run(arguments).code(3));
        assert!(said.contains("NOT VALID") && said.contains(check), "{arguments:?}: {said}");
    }
    // A network that nothing in the file names cannot be compared: neither yes nor no.
    let said = stdout(&run(&["theirs.json", "--network", "mainnet"]).code(1));
    assert!(said.contains("CANNOT BE JUDGED") && said.contains("names no network"), "{said}");
}

#[test]
fn the_provenance_beside_a_file_is_compared() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}\n")).unwrap();
    let said = stdout(&dvkey(folder.path()).args(["verify", "out"]).assert().code(3));
    assert!(said.contains("K18 provenance.json describes another content"), "{said}");
    std::fs::write(&path, whole).unwrap();
    let provenance = folder.path().join("out/provenance.json");
    let claims = std::fs::read_to_string(&provenance).unwrap();
    for (from, to, check) in [
        ("560048", "1", "K17"),
        ("\"firstNonce\": 7", "\"firstNonce\": 8", "K18"),
        ("\"nonce\": 8", "\"nonce\": 9", "K18"),
        ("\"threshold\": 3", "\"threshold\": 2", "K18"),
        ("\"id\": 12", "\"id\": 13", "K18"),
        ("0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494", "0x52908400098527886E0F7030069857D2E4169EE7", "K18"),
        ("\"name\": \"keyshares.json\"", "\"name\": \"other.json\"", "K18"),
    ] {
        assert!(claims.contains(from), "{from}");
        std::fs::write(&provenance, claims.replace(from, to)).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "out"]).assert().code(3));
        assert!(said.contains(check), "{from}: {said}");
    }
    // One that cannot be read, or that a later version wrote, says neither yes nor no; somebody else's says nothing.
    for unclear in ["{", r#"{"schema": "dvkey.provenance/2"}"#] {
        std::fs::write(&provenance, unclear).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "out/keyshares.json"]).assert().success());
        assert!(said.contains("not checked: K18"), "{said}");
    }
    std::fs::write(&provenance, r#"{"builder": "npm"}"#).unwrap();
    let said = stdout(&dvkey(folder.path()).args(["verify", "out"]).assert().success());
    assert!(!said.contains("K18"), "{said}");
}

/// A wrong --owner is the command's difference from the file, not the provenance's.
#[test]
fn the_file_is_named_by_what_it_says_itself() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let other = "0x52908400098527886E0F7030069857D2E4169EE7";
    let said = stdout(&dvkey(folder.path()).args(["verify", "out", "--owner", other]).assert().code(3));
    assert!(said.contains("K10") && !said.contains("K18"), "{said}");
    assert!(
        said.contains(&format!("NOT VALID, 1 validator, nonce 7, operators 12, 34, 56, 78, owner {OWNER}")),
        "{said}"
    );
}

/// A damaged file beside a good one may be the one that matters.
#[test]
fn damaged_files_in_a_folder_are_not_passed_over() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let whole = std::fs::read(folder.path().join("out/keyshares.json")).unwrap();
    for damaged in [&whole[..1500], b"", b"\0\0\0\0"] {
        std::fs::write(folder.path().join("out/second.json"), damaged).unwrap();
        dvkey(folder.path()).args(["verify", "out"]).assert().code(1);
    }
    std::fs::remove_file(folder.path().join("out/second.json")).unwrap();
    std::fs::write(folder.path().join("out/notes.txt"), "hello").unwrap();
    std::fs::write(folder.path().join("out/.dvkey-1-2.tmp"), whole).unwrap();
    let assert = dvkey(folder.path()).args(["verify", "out", "--json"]).assert().success();
    let lines = objects(&stdout(&assert));
    assert_eq!(lines.iter().filter(|line| line["leftAlone"].is_string()).count(), 2, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line["verdict"].is_string()).count(), 1, "{lines:?}");
}

#[test]
fn a_validator_in_two_files_is_warned_about() {
    let folder = workshop();
    write_vector(folder.path(), "P01");
    std::fs::copy(folder.path().join("theirs.json"), folder.path().join("copy.json")).unwrap();
    let assert = dvkey(folder.path()).args(["verify", "theirs.json", "copy.json"]).assert().success();
    assert!(crate::stderr(&assert).contains("stands in theirs.json and in copy.json"));
}

/// Readers that prefer one of two fields would see other shares than those judged here.
#[test]
fn two_fields_for_one_thing_are_a_no() {
    let folder = workshop();
    let vector = write_vector(folder.path(), "P01");
    let mut file: Value = serde_json::from_str(text(&vector["keysharesFileText"])).unwrap();
    let item = file["shares"][0].clone();
    file["payload"] = item["payload"].clone();
    file["data"] = item["data"].clone();
    std::fs::write(folder.path().join("both.json"), file.to_string()).unwrap();
    let said = stdout(&dvkey(folder.path()).args(["verify", "both.json"]).assert().code(3));
    assert!(said.contains("K01") && said.contains("both shares and payload"), "{said}");
    let mut file: Value = serde_json::from_str(text(&vector["keysharesFileText"])).unwrap();
    file["shares"][0]["payload"]["shares"] = "0x00".into();
    std::fs::write(folder.path().join("both.json"), file.to_string()).unwrap();
    dvkey(folder.path()).args(["verify", "both.json"]).assert().code(3);
}

/// One ciphertext for two operators, and one key for two operators in different items, cannot be right.
#[test]
fn what_two_operators_cannot_share() {
    let folder = workshop();
    let vector = write_vector(folder.path(), "P06");
    let original: Value = serde_json::from_str(text(&vector["keysharesFileText"])).unwrap();
    let mut file = original.clone();
    let shares = text(&file["shares"][0]["payload"]["sharesData"]).to_owned();
    let sealed = |slot: usize| 2 + 2 * (96 + 48 * 4 + 256 * slot)..2 + 2 * (96 + 48 * 4 + 256 * (slot + 1));
    let copies: Vec<_> = (1..4)
        .map(|slot| {
            let mut copied = shares.clone();
            copied.replace_range(sealed(slot), &shares[sealed(0)]);
            copied
        })
        .collect();
    for copied in copies {
        file["shares"][0]["payload"]["sharesData"] = copied.into();
        std::fs::write(folder.path().join("same.json"), file.to_string()).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "same.json"]).assert().code(3));
        assert!(said.contains("K16"), "{said}");
    }
    let mut file = original;
    file["shares"][1]["data"]["operators"][3]["id"] = 79.into();
    file["shares"][1]["payload"]["operatorIds"][3] = 79.into();
    std::fs::write(folder.path().join("same.json"), file.to_string()).unwrap();
    let said = stdout(&dvkey(folder.path()).args(["verify", "same.json"]).assert().code(3));
    assert!(said.contains("K15 validator 2: operators 78 and 79 have the same key"), "{said}");
    assert!(said.contains("operators 12, 34, 56, 78 and others"), "{said}");
}

/// Hostile files of some megabytes end in seconds, not hours.
#[test]
fn many_items_and_many_operators_take_linear_time() {
    let folder = workshop();
    let write = |content: String| std::fs::write(folder.path().join("many.json"), content).unwrap();
    let run =
        || dvkey(folder.path()).args(["verify", "-q", "many.json"]).timeout(Duration::from_secs(60)).assert().code(3);
    write(format!(r#"{{"version":"v1.2.0","shares":[{}0]}}"#, "0,".repeat(400_000)));
    run();
    let vector = vectors("P01.json");
    let mut file: Value = serde_json::from_str(text(&vector["keysharesFileText"])).unwrap();
    let operator = &file["shares"][0]["data"]["operators"][0]["operatorKey"].clone();
    let many: Vec<_> = (1..50_000).map(|id| serde_json::json!({"id": id, "operatorKey": operator})).collect();
    file["shares"][0]["data"]["operators"] = many.into();
    write(file.to_string());
    run();
}

#[test]
fn what_cannot_be_judged_is_neither_yes_nor_no() {
    let folder = workshop();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("empty", "");
    write("truncated.json", r#"{"version":"v1.2.0","shares":[{"payload":{"sharesData":"0x12"#);
    write("other.json", "{}");
    for path in [
        "absent.json",
        "empty",
        "truncated.json",
        "other.json",
        "keystore-demo.json",
        "operators.json",
        "operator-12.pem",
        "node-12",
    ] {
        let said = stdout(&dvkey(folder.path()).args(["verify", path]).assert().code(1));
        assert!(said.contains("CANNOT BE JUDGED"), "{path}: {said}");
    }
}

#[test]
fn one_no_among_many_is_a_no() {
    let folder = workshop();
    write_vector(folder.path(), "P01");
    let good = std::fs::read_to_string(folder.path().join("theirs.json")).unwrap();
    let bad = good.replace("\"ownerNonce\": 0", "\"ownerNonce\": 1");
    std::fs::write(folder.path().join("bad.json"), bad).unwrap();
    let run = |arguments: &[&str]| dvkey(folder.path()).arg("verify").args(arguments).assert();
    run(&["theirs.json", "bad.json"]).code(3);
    run(&["bad.json", "absent.json"]).code(3);
    run(&["theirs.json", "absent.json"]).code(1);
}

#[test]
fn stdin_is_read() {
    let folder = workshop();
    let vector = vectors("P02.json");
    let assert =
        dvkey(folder.path()).args(["verify", "-"]).write_stdin(text(&vector["keysharesFileText"])).assert().success();
    assert!(stdout(&assert).contains("VALID"));
}

#[test]
fn json_holds_every_check() {
    let folder = workshop();
    write_vector(folder.path(), "P07");
    let assert = dvkey(folder.path()).args(["verify", "--json", "theirs.json", "absent.json"]).assert().code(1);
    let lines = objects(&stdout(&assert));
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["schema"], "dvkey.verify/1");
    assert_eq!(lines[0]["verdict"], "valid");
    assert_eq!(lines[0]["validators"].as_array().unwrap().len(), 3);
    let ids: Vec<_> = lines[0]["checks"].as_array().unwrap().iter().map(|check| text(&check["id"])).collect();
    assert_eq!(ids[..3], ["K01", "K02", "K03"]);
    assert_eq!(lines[0]["checks"].as_array().unwrap().last().unwrap()["result"], "unknown");
    assert_eq!(lines[1]["verdict"], "cannot-judge");
}

#[test]
fn unusual_files_name_the_readers_that_refuse_them() {
    let folder = workshop();
    let vector = vectors("P01.json");
    let file = text(&vector["keysharesFileText"]);
    for (from, to, note) in [
        ("\"v1.2.0\"", "\"v1.1.0\"", "refused by ssv-keys 1.2"),
        ("\"v1.2.0\"", "\"v1.2.1\"", "refused by ssv-keys 1.1, the SSV SDK"),
        ("\"v1.2.0\"", "\"v4\"", "refused by ssv-keys 1.1, ssv-keys 1.2, the SSV SDK"),
        ("\"ownerNonce\": 0", "\"ownerNonce\": \"0\"", "the nonce is a string; refused by"),
        ("\"createdAt\"", "\"created\"", "no createdAt; no known reader minds"),
    ] {
        assert!(file.contains(from));
        std::fs::write(folder.path().join("odd.json"), file.replacen(from, to, 1)).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "odd.json"]).assert().success());
        assert!(said.contains(note), "{note}: {said}");
    }
    let normal = {
        std::fs::write(folder.path().join("odd.json"), file).unwrap();
        stdout(&dvkey(folder.path()).args(["verify", "odd.json"]).assert().success())
    };
    assert!(!normal.contains("note:"), "{normal}");
}

/// The `sharesData` of an item, cut for four operators.
fn slot(kind: &str, operator: usize) -> std::ops::Range<usize> {
    match kind {
        "key" => 2 + 2 * (96 + 48 * operator)..2 + 2 * (96 + 48 * (operator + 1)),
        _ => 2 + 2 * (96 + 48 * 4 + 256 * operator)..2 + 2 * (96 + 48 * 4 + 256 * (operator + 1)),
    }
}

/// What is right in one item can be wrong in another.
#[test]
fn parts_of_one_validator_in_another_are_a_no() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    std::fs::remove_file(folder.path().join("out/provenance.json")).unwrap();
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let shares = |item: usize| text(&whole["shares"][item]["payload"]["sharesData"]).to_owned();
    let judged = |shares: String, code: i32| {
        let mut file = whole.clone();
        file["shares"][1]["payload"]["sharesData"] = shares.into();
        std::fs::write(&path, file.to_string()).unwrap();
        stdout(&dvkey(folder.path()).args(["verify", "out/keyshares.json"]).assert().code(code))
    };
    // The same sealed share, for the same operator and for another one.
    let mut copied = shares(1);
    copied.replace_range(slot("sealed", 2), &shares(0)[slot("sealed", 2)]);
    let said = judged(copied, 3);
    assert!(said.contains("K16") && said.contains("operator 56 is that of operator 56 in validator 1"), "{said}");
    // A share key that is another validator's public key.
    let mut leaked = shares(1);
    leaked.replace_range(slot("key", 0), &text(&whole["shares"][2]["payload"]["publicKey"])[2..]);
    let said = judged(leaked, 3);
    assert!(said.contains("K08") && said.contains("the public key of validator 3"), "{said}");
    judged(shares(1), 0);
}

/// Two operators with one key are seen wherever the keys come from.
#[test]
fn a_shared_key_in_the_list_is_a_no() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut list: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("operators.json")).unwrap()).unwrap();
    list[1]["operatorKey"] = list[0]["operatorKey"].clone();
    std::fs::write(folder.path().join("shared.json"), list.to_string()).unwrap();
    let judged = |file: &Value| {
        std::fs::write(folder.path().join("theirs.json"), file.to_string()).unwrap();
        let assert =
            dvkey(folder.path()).args(["verify", "theirs.json", "--operators", "shared.json"]).assert().code(3);
        stdout(&assert)
    };
    // The file names one of the two keys, or none.
    let operators = file["shares"][0]["data"]["operators"].as_array_mut().unwrap();
    for operator in &mut operators[1..] {
        operator.as_object_mut().unwrap().remove("operatorKey");
    }
    assert!(judged(&file).contains("operators 12 and 34 have the same key"));
    file["shares"][0]["data"].as_object_mut().unwrap().remove("operators");
    assert!(judged(&file).contains("operators 12 and 34 have the same key"));
}

#[test]
fn readers_that_stumble_are_named() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let whole = std::fs::read_to_string(folder.path().join("out/keyshares.json")).unwrap();
    let noted = |from: &str, to: &str, note: &str| {
        assert!(whole.contains(from), "{from}");
        std::fs::write(folder.path().join("theirs.json"), whole.replace(from, to)).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "theirs.json"]).assert().success());
        assert!(said.contains(note), "{said}");
    };
    noted("\"sharesData\": \"0x", "\"sharesData\": \"0X", "begins with 0X; refused by ssv-keys 1.1, the SSV SDK");
    noted("\"sharesData\": \"0x", "\"sharesData\": \"", "sharesData without 0x; no known reader minds");
    noted("\"publicKey\": \"0x", "\"publicKey\": \"", "a public key without 0x; refused by ssv-keys 1.1");
}

/// A file that calls itself a provenance is not passed over when it holds shares, or another name.
#[test]
fn nothing_hides_in_a_folder() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let whole = std::fs::read_to_string(folder.path().join("out/keyshares.json")).unwrap();
    let disguised = whole.replacen('{', "{\"schema\": \"dvkey.provenance/1\",", 1);
    std::fs::write(folder.path().join("out/other.json"), disguised).unwrap();
    std::fs::copy(folder.path().join("out/provenance.json"), folder.path().join("out/old-provenance.json")).unwrap();
    let said = dvkey(folder.path()).args(["verify", "out", "-v"]).assert().success();
    let said = format!("{}{}", stdout(&said), crate::stderr(&said));
    assert!(said.contains("other.json: VALID") && said.contains("old-provenance.json"), "{said}");
}

#[test]
fn deposits_of_other_networks_and_validators_are_not_passed_over() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let all = crate::read_json(&crate::support::fixture("deposit/deposits.json"));
    for (network, exit) in [("hoodi", 0), ("mainnet", 3)] {
        let one = all.as_array().unwrap().iter().find(|one| one["network_name"] == network).unwrap();
        std::fs::write(folder.path().join("deposit.json"), serde_json::json!([one]).to_string()).unwrap();
        let said = stdout(&dvkey(folder.path()).args(["verify", "out", "deposit.json"]).assert().code(exit));
        assert_eq!(said.contains("K17"), exit == 3, "{said}");
    }
    let others = "keystores/deposit_data-1700000000.json";
    let assert = dvkey(folder.path()).args(["verify", "out", others]).assert().success();
    assert!(
        crate::stderr(&assert).contains("not of the same validators: 1 only with keyshares, 3 only with a deposit")
    );
}
