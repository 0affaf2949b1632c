//! Batches from outside: planned, run, sharded, merged, compacted, and everything that is refused on the way.

mod compact;
mod crash;
mod folders;
mod forged;
mod merging;
mod recipe;
mod refusals;

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::keystore_maker::{keystore, secret};
use crate::{OWNER, dvkey, objects, read_json, stderr, stdout, workshop};

pub(crate) const HEADER: &str = "keystore,operators,operator_ids,owner,nonce,network,password_file,tag\n";

/// A folder with `count` cheap keystores in `ks`, each with its password beside it, and a manifest that names the folder.
pub(crate) fn service(count: u8) -> TempDir {
    let folder = workshop();
    let keystores = folder.path().join("ks");
    std::fs::create_dir(&keystores).unwrap();
    for number in 1..=count {
        write_keystore(&keystores, number);
    }
    manifest(folder.path(), &format!("ks,operators.json,,{OWNER},7,hoodi,,\n"));
    folder
}

fn write_keystore(folder: &Path, number: u8) {
    let password = format!("pw {number}");
    let keystore = keystore(&secret(number), password.as_bytes());
    std::fs::write(folder.join(format!("keystore-{number}.json")), keystore.to_string()).unwrap();
    std::fs::write(folder.join(format!("keystore-{number}.txt")), format!("{password}\n")).unwrap();
}

pub(crate) fn manifest(folder: &Path, rows: &str) {
    std::fs::write(folder.join("manifest.csv"), format!("{HEADER}{rows}")).unwrap();
}

/// The same keys under other ids, as `others.json`.
pub(crate) fn write_others(folder: &Path) {
    edit_operators(folder, "others.json", |list| {
        list.iter_mut().for_each(|one| one["id"] = (one["id"].as_u64().unwrap() + 1000).into());
    });
}

/// The same ids, two of them with each other's key, as `two.json`.
pub(crate) fn write_two(folder: &Path) {
    edit_operators(folder, "two.json", |list| {
        let (a, b) = (list[0]["id"].clone(), list[1]["id"].clone());
        (list[0]["id"], list[1]["id"]) = (b, a);
    });
}

fn edit_operators(folder: &Path, name: &str, edit: impl Fn(&mut Vec<Value>)) {
    let mut list = serde_json::from_slice(&std::fs::read(folder.join("operators.json")).unwrap()).unwrap();
    edit(&mut list);
    std::fs::write(folder.join(name), serde_json::to_string(&list).unwrap()).unwrap();
}

pub(crate) fn batch(folder: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = dvkey(folder);
    command.arg("batch").args(arguments);
    command
}

pub(crate) fn plan(folder: &Path) {
    batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl"]).assert().success();
}

pub(crate) fn run(folder: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = batch(folder, &["run", "plan.jsonl", "--no-input"]);
    for (name, value) in [("--work", "work"), ("--password-dir", "ks")] {
        let is_password =
            name.starts_with("--password") && options.iter().any(|option| option.starts_with("--password"));
        if !options.contains(&name) && !is_password {
            command.args([name, value]);
        }
    }
    command.args(options);
    command
}

/// What a run said last of itself, before an error if it ended with one.
fn end_of(assert: &assert_cmd::assert::Assert) -> Value {
    objects(&stdout(assert)).into_iter().rfind(|object| object["event"] == "end").unwrap()
}

fn merge(folder: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = batch(folder, &["merge", "plan.jsonl"]);
    if !options.contains(&"--work") {
        command.args(["--work", "work"]);
    }
    command.args(options);
    command
}

/// Nonces and public keys of a keyshares file, which must be valid.
fn merged(folder: &Path, file: &str) -> Vec<(u64, String)> {
    dvkey(folder).args(["verify", "-q", "--operators", "operators.json", file]).assert().success();
    let keyshares = read_json(&folder.join(file).join("keyshares.json"));
    let shares = keyshares["shares"].as_array().unwrap();
    let one = |share: &Value| {
        let data = &share["data"];
        (data["ownerNonce"].as_u64().unwrap(), data["publicKey"].as_str().unwrap().to_owned())
    };
    shares.iter().map(one).collect()
}

fn public_key(number: u8) -> String {
    let keystore = keystore(&secret(number), b"");
    format!("0x{}", keystore["pubkey"].as_str().unwrap())
}

const OUT: &str = "merged/hoodi-81592c3d-12-34-56-78-nonce7";

#[test]
fn a_service_onboards_a_folder() {
    let folder = service(11);
    let folder = folder.path();
    let assert =
        batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl", "--json"]).assert().success();
    let planned = &objects(&stdout(&assert))[0];
    assert_eq!((planned["rows"].as_u64(), &planned["groups"][0]["nonces"]), (Some(11), &serde_json::json!([[7, 17]])));
    assert_eq!(planned["leftAlone"].as_array().unwrap().len(), 11);

    let assert = run(folder, &["--json"]).assert().success();
    let events = objects(&stdout(&assert));
    assert_eq!(events[0]["event"], "begin");
    assert_eq!(events.iter().filter(|event| event["event"] == "done").count(), 11);
    let end = events.last().unwrap();
    assert_eq!((end["done"].as_u64(), end["pending"].as_u64()), (Some(11), Some(0)));
    // Once more: nothing is left to be done, and nothing is done.
    let assert = run(folder, &["--json", "--password-file", "/dev/null"]).assert().success();
    assert_eq!(objects(&stdout(&assert)).last().unwrap()["kept"], 11);

    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work", "--metrics", "m.prom", "--json"]).assert();
    let status = objects(&stdout(&assert.success()));
    assert_eq!((status.len(), status.last().unwrap()["done"].as_u64()), (13, Some(11)));
    let metrics = std::fs::read_to_string(folder.join("m.prom")).unwrap();
    assert!(metrics.contains("operators=\"12,34,56,78\",state=\"done\"} 11\n"), "{metrics}");
    // The next scrape takes its place, and that of nothing else.
    let scrape = |to: &str| batch(folder, &["status", "plan.jsonl", "--work", "work", "--metrics", to]).assert();
    scrape("m.prom").success();
    std::os::unix::fs::symlink("m.prom", folder.join("link")).unwrap();
    for taken in ["ks/keystore-1.json", "plan.jsonl", "work/shard-1-of-1/journal", "link"] {
        let before = std::fs::read(folder.join(taken)).unwrap();
        let said = stderr(&scrape(taken).code(1));
        assert!(said.contains("code: output.exists ") && said.contains("is no file of metrics"), "{said}");
        assert_eq!(std::fs::read(folder.join(taken)).unwrap(), before, "{taken}");
    }
    assert!(folder.join("link").is_symlink());
    assert_eq!(stdout(&scrape("-")), metrics);

    merge(folder, &["--out", "merged"]).assert().success();
    let expected: Vec<_> = (1..=11).map(|number| (6 + u64::from(number), public_key(number))).collect();
    assert_eq!(merged(folder, OUT), expected);
    let provenance = read_json(&folder.join(OUT).join("provenance.json"));
    assert_eq!(provenance["plan"], planned["hash"]);
    assert_eq!(provenance["inputs"].as_array().unwrap().len(), 12);
    let open = ["open", &format!("{OUT}/keyshares.json"), "--key", "operator-12.pem"];
    dvkey(folder).args(open).assert().success();
    // Merging is repeatable: the same work gives the same file, which may be there already.
    let before = std::fs::read(folder.join(OUT).join("keyshares.json")).unwrap();
    merge(folder, &["--out", "merged"]).assert().success();
    merge(folder, &["--out", "again"]).assert().success();
    // Another provenance beside it is not what was there.
    let path = folder.join(OUT).join("provenance.json");
    let described = std::fs::read_to_string(&path).unwrap();
    for other in ["{}".to_owned(), described.replace("\"nonce\": 9,", "\"nonce\": 8,")] {
        std::fs::write(&path, other).unwrap();
        let assert = merge(folder, &["--out", "merged"]).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.nonce-clash "), "{}", stderr(&assert));
    }
    merge(folder, &["--out", "merged", "--force"]).assert().success();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), described);
    let again = OUT.replace("merged", "again");
    assert!(std::fs::read(folder.join(again).join("keyshares.json")).unwrap() == before);
}

/// Every nonce has its row, whatever the order of owners, clusters and networks; runs of nonces have a file each.
#[test]
fn owners_clusters_and_networks_are_kept_apart() {
    let folder = service(9);
    let folder = folder.path();
    let list = std::fs::read_to_string(folder.join("operators.json")).unwrap();
    let mut others: Value = serde_json::from_str(&list).unwrap();
    for operator in others.as_array_mut().unwrap() {
        operator["id"] = (operator["id"].as_u64().unwrap() + 1000).into();
    }
    std::fs::write(folder.join("others.json"), others.to_string()).unwrap();
    let other = "0x00000000219ab540356cbb839cbe05303d7705fa";
    let line = |number: u8, operators: &str, owner: &str, nonce: &str, network: &str| {
        format!("ks/keystore-{number}.json,{operators},,{owner},{nonce},{network},ks/keystore-{number}.txt,t{number}\n")
    };
    let rows = [
        line(1, "operators.json", OWNER, "5", "hoodi"),
        line(2, "operators.json", other, "0", "hoodi"),
        line(3, "others.json", OWNER, "", "hoodi"),
        line(4, "operators.json", OWNER, "", "hoodi"),
        line(5, "operators.json", OWNER, "", "hoodi"),
        line(6, "operators.json", OWNER, "5", "mainnet"),
        line(7, "others.json", other, "", "hoodi"),
        line(8, "operators.json", OWNER, "20", "hoodi"),
        line(9, "operators.json", OWNER, "4", "hoodi"),
    ];
    manifest(folder, &rows.concat());
    let assert = batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "plan.jsonl"]).assert().success();
    let said = stderr(&assert);
    assert!(said.contains("nonces 9 to 19 are in no row of"), "{said}");
    // Every row has a password file of its own: none is missing.
    run(folder, &["--password-command", "false"]).assert().success();
    let assert = merge(folder, &["--out", "merged", "--json"]).assert().success();
    let files: Vec<_> = objects(&stdout(&assert))
        .iter()
        .map(|file| {
            let folder = file["folder"].as_str().unwrap().to_owned();
            (folder, file["firstNonce"].as_u64().unwrap(), file["lastNonce"].as_u64().unwrap())
        })
        .collect();
    let file = |name: &str, first, last| (format!("merged/{name}-nonce{first}"), first, last);
    assert_eq!(
        files,
        [
            file("mainnet-81592c3d-12-34-56-78", 5, 5),
            file("hoodi-00000000-12-34-56-78", 0, 0),
            file("hoodi-00000000-1012-1034-1056-1078", 1, 1),
            file("hoodi-81592c3d-12-34-56-78", 4, 5),
            file("hoodi-81592c3d-1012-1034-1056-1078", 6, 6),
            file("hoodi-81592c3d-12-34-56-78", 7, 8),
            file("hoodi-81592c3d-12-34-56-78", 20, 20),
        ]
    );
    let keys = |name: &str| merged_any(folder, name).into_iter().map(|(_, key)| key).collect::<Vec<_>>();
    assert_eq!(keys("merged/hoodi-81592c3d-12-34-56-78-nonce4"), [public_key(9), public_key(1)]);
    assert_eq!(keys("merged/hoodi-81592c3d-1012-1034-1056-1078-nonce6"), [public_key(3)]);
}

fn merged_any(folder: &Path, file: &str) -> Vec<(u64, String)> {
    dvkey(folder).args(["verify", "-q", file]).assert().success();
    let keyshares = read_json(&folder.join(file).join("keyshares.json"));
    let shares = keyshares["shares"].as_array().unwrap();
    shares.iter().map(|share| (0, share["data"]["publicKey"].as_str().unwrap().to_owned())).collect()
}

/// Three shards, each in a folder of its own as on three machines, give what one gives, in whatever order they are merged.
#[test]
fn three_shards_are_one_batch() {
    let folder = service(10);
    let folder = folder.path();
    plan(folder);
    let before = std::fs::read(folder.join("plan.jsonl")).unwrap();
    for (work, shard) in [("w2", "2/3"), ("w3", "2+1/3"), ("w1", "1/3")] {
        // Not before all shards are there.
        let early = merge(folder, &["--work", "w2", "--out", "early"]).output().unwrap().status.code();
        assert_ne!(early, Some(0));
        run(folder, &["--work", work, "--shard", shard]).assert().success();
    }
    for (out, work) in [("a", ["w1", "w2", "w3"]), ("b", ["w3", "w1", "w2"])] {
        merge(folder, &["--out", out, "--work", work[0], work[1], work[2]]).assert().success();
    }
    run(folder, &[]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
    let of = |out: &str| merged(folder, &OUT.replace("merged", out));
    assert_eq!(of("a"), of("merged"));
    let bytes = |out: &str| std::fs::read(folder.join(OUT.replace("merged", out)).join("keyshares.json")).unwrap();
    assert!(bytes("a") == bytes("b"));
    assert!(bytes("a") != bytes("merged"), "shares are drawn anew each time");
    assert_eq!(std::fs::read(folder.join("plan.jsonl")).unwrap(), before);
    // Two results of one row: nobody but the owner of the batch decides.
    let assert = merge(folder, &["--out", "c", "--work", "w1", "work"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.two-results "));
}

/// A refused row keeps its nonce; a gap is closed only by decision, and only for what is not registered.
#[test]
fn gaps_are_seen_and_closed_by_decision() {
    let folder = service(8);
    let folder = folder.path();
    std::fs::write(folder.join("ks/keystore-4.txt"), "wrong").unwrap();
    plan(folder);
    let assert = run(folder, &[]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("row 3, nonce 10 refused: ks/keystore-4.json: the password does not open it"), "{said}");
    assert!(said.contains("error: 1 of 8 rows refused") && said.contains("code: batch.refused "), "{said}");
    let assert = merge(folder, &["--out", "merged"]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("gap at nonce 10") && said.contains("4 finished rows behind it held back"), "{said}");
    assert_eq!(merged(folder, OUT).len(), 3);

    let compact = |next: &str, out: &str| merge(folder, &["--out", out, "--compact", "--next-nonce", next]);
    for next in
        ["x", "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494", &format!("mainnet:{OWNER}=10"), &format!("{OWNER}=15")]
    {
        let assert = compact(next, "refused").assert().code(1);
        assert!(stderr(&assert).contains("code: batch.next-nonce "), "{next}: {}", stderr(&assert));
    }
    // Above the gap: rows 4 and 5 have results that no merge wrote.
    let above = format!("{OWNER}=13");
    for confirm in [&[][..], &["--confirm", &format!("{OWNER}=12")]] {
        let arguments = ["--out", "above", "--compact", "--next-nonce", &above];
        let assert = merge(folder, &[&arguments[..], confirm].concat()).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("nonces 10 to 12 of") && said.contains("code: batch.next-nonce "), "{said}");
        assert!(!folder.join("above/plan.jsonl").exists());
    }
    let copied = std::process::Command::new("cp").args(["-r", "work", "copy"]).current_dir(folder).status().unwrap();
    assert!(copied.success());
    let assert = compact(&format!("hoodi:{OWNER}=10"), "next").assert().success();
    let said = stderr(&assert);
    assert!(said.contains("3 rows count as registered; the rest has nonces 10 to 13"), "{said}");
    assert!(said.contains("left out: nonce 10 of the old plan, ks/keystore-4.json"), "{said}");
    // The old work does not count for the new plan.
    let new = ["run", "next/plan.jsonl", "--no-input", "--password-dir", "ks", "--work"];
    let assert = batch(folder, &[&new[..], &["work"]].concat()).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.other-plan "));
    batch(folder, &[&new[..], &["work-2"]].concat()).assert().success();
    batch(folder, &["merge", "next/plan.jsonl", "--work", "work-2", "--out", "merged"]).assert().success();
    let keys: Vec<_> = [5, 6, 7, 8].map(public_key).into();
    let rest = merged(folder, &OUT.replace("nonce7", "nonce10"));
    assert_eq!(rest, (10..14).zip(keys).collect::<Vec<_>>());

    // The password is found after all: the old plan has these rows no more.
    std::fs::write(folder.join("ks/keystore-4.txt"), "pw 4").unwrap();
    let assert = run(folder, &["--json"]).assert().code(1);
    let end = end_of(&assert);
    let counts = ["kept", "done", "refused", "superseded", "pending"].map(|name| end[name].as_u64().unwrap());
    assert_eq!(counts, [3, 0, 0, 5, 0]);
    let said = stderr(&assert);
    assert!(said.contains("code: batch.superseded ") && said.contains("another plan has 5 of 8 rows"), "{said}");
    let next = std::fs::read_to_string(folder.join("next/plan.jsonl")).unwrap();
    let hash = objects(&next).pop().unwrap()["sha256"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("run and merge the newer plan, with the hash {hash}")), "{said}");
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.superseded "), "{}", stderr(&assert));
    assert!(stdout(&assert).contains("3 done, 0 pending, 0 refused, 5 superseded"), "{}", stdout(&assert));
    let assert = merge(folder, &["--out", "merged", "--json"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.superseded "), "{}", stderr(&assert));
    let events = objects(&stdout(&assert));
    assert_eq!((&events[0]["lastNonce"], &events[1]["fromNonce"]), (&9.into(), &10.into()));
    // A copy of the work that was not told: what lies in the folder tells.
    run(folder, &["--work", "copy"]).assert().success();
    for force in [&[][..], &["--force"]] {
        let assert = merge(folder, &[&["--work", "copy", "--out", "merged"], force].concat()).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.nonce-clash "), "{}", stderr(&assert));
        assert!(stderr(&assert).contains("has nonce 10 of"), "{}", stderr(&assert));
        assert_eq!((merged(folder, OUT).len(), merged(folder, &OUT.replace("nonce7", "nonce10")).len()), (3, 4));
    }
}

/// What is counted as registered above a gap is said twice, and is listed.
#[test]
fn rows_that_no_merge_wrote_are_confirmed() {
    let folder = service(8);
    let folder = folder.path();
    std::fs::write(folder.join("ks/keystore-4.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &[]).assert().code(1);
    let next = format!("{OWNER}=13");
    let arguments = ["--out", "next", "--compact", "--next-nonce", &next, "--confirm", &next, "--json"];
    let assert = merge(folder, &arguments).assert().success();
    let owner = &objects(&stdout(&assert))[0];
    assert_eq!(owner["registered"], 6);
    assert_eq!(owner["registeredWithoutResult"], serde_json::json!([10]));
    assert_eq!(owner["registeredWithoutMerge"], serde_json::json!([11, 12]));
    assert_eq!((&owner["firstNonce"], &owner["lastNonce"]), (&13.into(), &14.into()));
    let assert = merge(folder, &["--out", "merged"]).assert().code(1);
    assert!(stderr(&assert).contains("gap at nonce 10"), "{}", stderr(&assert));
}

/// Nonces that the plan leaves to others stay theirs in the new plan, and are said.
#[test]
fn a_new_plan_keeps_what_was_left_to_others() {
    let folder = service(4);
    let folder = folder.path();
    let row = |number: u8, nonce: u8| format!("ks/keystore-{number}.json,operators.json,,{OWNER},{nonce},hoodi,,\n");
    manifest(folder, &[row(1, 7), row(2, 8), row(3, 9), row(4, 12)].concat());
    std::fs::write(folder.join("ks/keystore-2.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &[]).assert().code(1);
    let arguments = ["--out", "next", "--compact", "--next-nonce", &format!("{OWNER}=8"), "--json"];
    let assert = merge(folder, &arguments).assert().success();
    assert_eq!(objects(&stdout(&assert))[0]["holes"], serde_json::json!([]));
    let text = std::fs::read_to_string(folder.join("next/plan.jsonl")).unwrap();
    let nonces: Vec<_> = objects(&text).iter().filter_map(|line| line["nonce"].as_u64()).collect();
    // Nonces 10 and 11 were never this plan's; 12 is used by nobody now.
    assert_eq!(nonces, [8, 9]);
}

/// The password of a refused row is found, and only this row is done.
#[test]
fn a_mended_row_is_done_alone() {
    let folder = service(8);
    let folder = folder.path();
    std::fs::write(folder.join("ks/keystore-4.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &[]).assert().code(1);
    merge(folder, &["--out", "merged"]).assert().code(1);
    std::fs::write(folder.join("ks/keystore-4.txt"), "pw 4").unwrap();
    let assert = run(folder, &["--json"]).assert().success();
    let end = objects(&stdout(&assert)).pop().unwrap();
    assert_eq!((end["kept"].as_u64(), end["done"].as_u64()), (Some(7), Some(1)));
    // What was merged before may be registered by now: it stays, and the rest has a file of its own.
    let file = |name: &str| std::fs::read(folder.join(name).join("keyshares.json")).unwrap();
    let (first, rest) = (OUT, OUT.replace("nonce7", "nonce10"));
    let before = file(first);
    for (force, is_new) in [(&["--force"][..], true), (&[], false), (&["--force"], false)] {
        let assert = merge(folder, &[&["--out", "merged", "--json"], force].concat()).assert().success();
        let files = objects(&stdout(&assert));
        let said: Vec<_> = files
            .iter()
            .map(|file| (file["firstNonce"].as_u64(), file["lastNonce"].as_u64(), file["wasThere"].as_bool()))
            .collect();
        assert_eq!(said, [(Some(7), Some(9), Some(true)), (Some(10), Some(14), Some(!is_new))]);
        assert!(file(first) == before);
    }
    let nonces = |name: &str| merged(folder, name).into_iter().map(|(nonce, _)| nonce).collect::<Vec<_>>();
    assert_eq!((nonces(first), nonces(&rest)), (vec![7, 8, 9], vec![10, 11, 12, 13, 14]));
    // Into another folder it is one file, with the same validators and shares.
    merge(folder, &["--out", "whole"]).assert().success();
    let shares =
        |name: &str| read_json(&folder.join(name).join("keyshares.json"))["shares"].as_array().unwrap().clone();
    let whole = OUT.replace("merged", "whole");
    assert_eq!(nonces(&whole), (7..=14).collect::<Vec<_>>());
    assert_eq!(shares(&whole), [shares(first), shares(&rest)].concat());
    // The first row is made again: its file is another one now, and is replaced only with --force; and then not beside
    // another file with some of its nonces.
    std::fs::remove_file(folder.join("work/shard-1-of-1/results/row-000000.json")).unwrap();
    run(folder, &[]).assert().success();
    let refused = |options: &[&str], code: &str, words: &str| {
        let assert = merge(folder, &[&["--out", "merged"], options].concat()).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains(&format!("code: {code} ")) && said.contains(words), "{said}");
        assert!(file(first) == before);
    };
    refused(&["--force"], "batch.nonce-clash", "nonce10: left by an earlier merge of this plan, and has nonce 10 of");
    std::fs::rename(folder.join(&rest), folder.join("away")).unwrap();
    refused(&[], "batch.nonce-clash", "nonce7: keyshares of 3 validators are there, and may be registered");
    let assert = merge(folder, &["--out", "merged", "--force"]).assert().success();
    assert!(stderr(&assert).contains("nonce7: other keyshares were there (SHA-256 "), "{}", stderr(&assert));
    // Results are lost: the longer file that was made of them is not replaced by a shorter one.
    let (whole, result) = (file(first), folder.join("work/shard-1-of-1/results/row-000002.json"));
    std::fs::rename(&result, folder.join("lost")).unwrap();
    for force in [&["--force"][..], &[]] {
        let assert = merge(folder, &[&["--out", "merged"], force].concat()).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.nonce-clash ") && said.contains("of 8 validators are there"), "{said}");
        assert!(file(first) == whole);
    }
    std::fs::rename(folder.join("lost"), &result).unwrap();
    // What a merge leaves that is killed between provenance and keyshares.
    std::fs::remove_file(folder.join(first).join("keyshares.json")).unwrap();
    merge(folder, &["--out", "merged"]).assert().success();
    assert!(file(first) == whole);
    assert_eq!(nonces(first), (7..=14).collect::<Vec<_>>());
    // The file that was there first is gone, and a later one is left.
    std::fs::remove_dir_all(folder.join(first)).unwrap();
    std::fs::create_dir(folder.join("other")).unwrap();
    std::fs::rename(folder.join("away"), folder.join("other").join(Path::new(&rest).file_name().unwrap())).unwrap();
    let assert = merge(folder, &["--out", "other"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.nonce-clash "), "{}", stderr(&assert));
}

/// A failing or silent password command is a refused row, not the end of the run.
#[test]
fn password_commands_fail_row_by_row() {
    let folder = service(6);
    let folder = folder.path();
    plan(folder);
    let script = "n=${1##*-}; n=${n%.json}; case $n in 2) exit 3;; 3) exit 0;; *) printf 'pw %s\\n' $n;; esac";
    std::fs::write(folder.join("vault.sh"), script).unwrap();
    let assert = run(folder, &["--password-command", "sh vault.sh {file}"]).assert().code(1);
    let said = stderr(&assert);
    assert_eq!(said.matches("(password.command)").count(), 2, "{said}");
    assert!(said.contains("2 of 6 rows refused"), "{said}");
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(1);
    assert!(stdout(&assert).contains("4 done, 0 pending, 2 refused"));
    // Stopping at the first one leaves rows to be done, which is another ending.
    let assert =
        run(folder, &["--work", "w", "--password-command", "false", "--fail-fast", "--jobs", "1"]).assert().code(5);
    let said = stderr(&assert);
    assert!(said.contains("5 of 6 rows still to be done, and 1 refused"), "{said}");
    assert!(said.contains("code: batch.unfinished "), "{said}");
}
