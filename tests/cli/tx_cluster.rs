//! `dvkey tx` about clusters that are there: what the files given with a call say has to be what the call says.

use serde_json::{Value, json};

use crate::support::text;
use crate::tx::{HOODI, cluster, put, refused, register, split_workshop, tx};
use crate::{OWNER, objects, read_json, split, stderr, stdout};

const STRANGER: &str = "0x52908400098527886E0F7030069857D2E4169EE7";

/// The operators and the owner that a call names, as it is read again.
fn decoded(folder: &std::path::Path, file: &str) -> Value {
    let said = stdout(&tx(folder, &["decode", file, "--json"]).assert().success());
    objects(&said).pop().unwrap()["calls"][0]["call"].clone()
}

#[test]
fn keyshares_say_the_operators_and_the_owner() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(3, true));
    put(here, "tuple.json", &json!([3, "5", "7", true, "2000000000000000000"]));
    let common = ["--network", "hoodi", "--out", "tx"];
    // The ids of the file, without --operator-ids.
    for (arguments, file) in [
        (&["exit", "out/keyshares.json"][..], "tx/exit-01.calldata.json"),
        (&["remove", "out/keyshares.json", "--cluster", "tuple.json"], "tx/remove-01.calldata.json"),
    ] {
        let said = stderr(&tx(here, arguments).args(common).assert().success());
        assert!(said.contains(OWNER), "{said}");
        assert_eq!(decoded(here, file)["operatorIds"], json!([12, 34, 56, 78]));
    }
    let safe = ["--format", "safe", "--out", "safe"];
    tx(here, &["exit", "out/keyshares.json", "--network", "hoodi"]).args(safe).assert().success();
    let batch = read_json(&here.join("safe/exit-01.safe.json"));
    assert_eq!(text(&batch["meta"]["createdFromSafeAddress"]), OWNER);

    // The same keys, once of another cluster and once of another owner.
    let file = read_json(&here.join("out/keyshares.json"));
    let of = |mut share: Value, last: u64, owner: &str| {
        share["payload"]["operatorIds"][3] = json!(last);
        share["data"]["operators"][3]["id"] = json!(last);
        share["data"]["ownerAddress"] = json!(owner);
        share
    };
    let with = |places: &[usize], last: u64, owner: &str| {
        let mut file = file.clone();
        for place in places {
            file["shares"][*place] = of(file["shares"][*place].clone(), last, owner);
        }
        file
    };
    put(here, "others.json", &with(&[0, 1, 2], 79, OWNER));
    put(here, "stranger.json", &with(&[0, 1, 2], 78, STRANGER));
    let key = text(&read_json(&here.join("out/keyshares.json"))["shares"][0]["payload"]["publicKey"]).to_owned();
    let exit = |more: &[&str]| {
        let mut command = tx(here, &["exit"]);
        command.args(more).args(["--network", "hoodi", "--out", "no"]);
        command
    };
    let remove = |more: &[&str]| {
        let mut command = tx(here, &["remove"]);
        command.args(more).args(["--network", "hoodi", "--out", "no"]);
        command
    };
    refused(&mut exit(&["out/keyshares.json", "--operator-ids", "12,34,56,79"]), 1, "tx.operators");
    refused(&mut exit(&["out/keyshares.json", "--from", STRANGER]), 1, "tx.address");
    refused(&mut exit(&[&key]), 1, "input.missing");
    refused(&mut remove(&["stranger.json", "--cluster", "tuple.json", "--owner", OWNER]), 1, "tx.address");
    refused(&mut remove(&["stranger.json", "--cluster", "cluster.json"]), 1, "tx.snapshot");
    refused(
        &mut remove(&["out/keyshares.json", "--cluster", "cluster.json", "--operator-ids", "1,2,3,4"]),
        1,
        "tx.operators",
    );
    let said = refused(&mut remove(&["others.json", "--cluster", "cluster.json"]), 1, "tx.snapshot");
    assert!(said.contains("12, 34, 56, 78"), "{said}");
    // Files of two clusters, or of two owners, are not one call.
    for (both, code) in [(with(&[1], 79, OWNER), "tx.operators"), (with(&[2], 78, STRANGER), "tx.address")] {
        put(here, "both.json", &both);
        refused(&mut exit(&["both.json"]), 1, code);
    }
    assert!(!here.join("no").exists());
}

/// What the subgraph says of a cluster.
fn listed(owner: &str, ids: [u64; 4], count: u32) -> Value {
    json!({"owner": {"id": owner.to_lowercase()}, "operatorIds": ids.map(|id| id.to_string()), "validatorCount": count,
        "networkFeeIndex": "5", "index": "7", "active": true, "balance": "2000000000000000000"})
}

const OURS: [u64; 4] = [12, 34, 56, 78];

#[test]
fn the_cluster_is_picked_by_owner_and_operators() {
    let folder = split_workshop();
    let here = folder.path();
    let put_list = |clusters: &[Value]| put(here, "list.json", &json!({"data": {"clusters": clusters}}));
    let into = |more: &[&str]| {
        let mut command = register(here, &["--cluster", "list.json", "--value", "1ether", "--out", "tx", "--force"]);
        command.args(more);
        command
    };
    let strangers = listed(STRANGER, OURS, 8);
    let elsewhere = listed(OWNER, [1, 2, 3, 4], 7);
    put_list(&[strangers.clone(), elsewhere.clone(), listed(OWNER, OURS, 3)]);
    let assert = into(&[]).assert().success();
    assert!(!stderr(&assert).contains("warning: list.json"), "{}", stderr(&assert));
    assert_eq!(decoded(here, "tx/register-01.calldata.json")["cluster"]["validatorCount"], json!(3));
    // Without the owner's own, another one is not taken.
    put_list(&[strangers.clone(), elsewhere.clone()]);
    refused(&mut into(&[]), 1, "tx.snapshot");
    put_list(std::slice::from_ref(&strangers));
    refused(&mut into(&[]), 1, "tx.snapshot");
    put_list(&[listed(OWNER, OURS, 3), listed(OWNER, OURS, 4)]);
    refused(&mut into(&[]), 1, "tx.snapshot");
    // By the owner alone, and not at all without a word.
    put_list(&[strangers, elsewhere]);
    let deposit = |more: &[&str]| {
        let mut command = tx(here, &["deposit", "--cluster", "list.json", "--value", "1ether", "--network", "hoodi"]);
        command.args(["--out", "tx", "--force"]).args(more);
        command
    };
    deposit(&["--owner", OWNER]).assert().success();
    assert_eq!(decoded(here, "tx/deposit-01.calldata.json")["operatorIds"], json!([1, 2, 3, 4]));
    refused(&mut deposit(&[]), 1, "tx.snapshot");
}

/// A file of two clusters: the call that is built picks its own, not that of the first validator.
#[test]
fn a_later_call_picks_its_own_cluster() {
    let folder = split_workshop();
    let here = folder.path();
    let operators = read_json(&here.join("operators.json"));
    let renamed: Vec<Value> = operators
        .as_array()
        .unwrap()
        .iter()
        .take(4)
        .enumerate()
        .map(|(place, operator)| {
            let mut operator = operator.clone();
            operator["id"] = json!(place + 1);
            operator
        })
        .collect();
    put(here, "renamed.json", &Value::from(renamed));
    let options = ["--operators", "renamed.json", "--nonce", "10", "--out", "more"];
    split(here, "keystore-demo.json", &options).assert().success();
    let mut joined = read_json(&here.join("out/keyshares.json"));
    let shares = joined["shares"].as_array_mut().unwrap();
    let mut more = read_json(&here.join("more/keyshares.json"))["shares"][0].clone();
    // The keys of the four demonstration operators, under other ids: the file does not have to name them.
    more["data"].as_object_mut().unwrap().remove("operators");
    shares.push(more);
    put(here, "joined.json", &joined);
    put(here, "list.json", &json!({"data": {"clusters": [listed(OWNER, OURS, 3), listed(OWNER, [1, 2, 3, 4], 6)]}}));
    let mut command = tx(here, &["register", "joined.json", "--network", "hoodi", "--cluster", "list.json"]);
    command.args(["--value", "1ether", "--from-nonce", "10", "--out", "tx"]).assert().success();
    let call = decoded(here, "tx/register-02.calldata.json");
    assert_eq!((&call["operatorIds"], &call["cluster"]["validatorCount"]), (&json!([1, 2, 3, 4]), &json!(6)));
}

/// What ssv-scanner gives as a library, and prints.
#[test]
fn the_scanner_says_whose_cluster_it_was_asked_for() {
    let folder = split_workshop();
    let here = folder.path();
    let named = json!({"validatorCount": 3, "networkFeeIndex": "5", "index": "7", "active": true, "balance": "9"});
    let scanner = |owner: &str, ids: &str, values: &str| json!({"payload": {"Owner": owner, "Operators": ids, "Block": 77, "Data": values}, "cluster": named});
    let printed = json!({"block": 77, "cluster snapshot": named, "cluster": [3, "5", "7", true, "9"]});
    let build = |source: &Value| {
        put(here, "scanned.json", source);
        register(here, &["--cluster", "scanned.json", "--value", "1ether", "--out", "tx", "--force"])
    };
    let good = scanner(OWNER, "12,34,56,78", "3,5,7,true,9");
    let said = stderr(&build(&good).assert().success());
    assert!(!said.contains("could not be matched"), "{said}");
    for (source, words) in [
        (scanner(STRANGER, "12,34,56,78", "3,5,7,true,9"), "owner"),
        (scanner(OWNER, "12,34,56,79", "3,5,7,true,9"), "operators"),
        (scanner(OWNER, "12,34,56,78", "3,5,7,true,10"), "twice, and differently"),
        (scanner(OWNER, "12,34,,78", "3,5,7,true,9"), "Operators"),
    ] {
        let said = refused(&mut build(&source), 1, "tx.snapshot");
        assert!(said.contains(words), "{words}: {said}");
    }
    // What names nobody cannot be compared, and that is said.
    for (source, words) in [
        (printed, "neither its owner nor its operators"),
        (json!([3, "5", "7", true, "9"]), "neither its owner nor its operators"),
        (json!({"owner": OWNER, "cluster": named}), "its owner, but not its operators"),
        (json!({"operatorIds": OURS, "cluster": named}), "its operators, but not its owner"),
    ] {
        let said = stderr(&build(&source).assert().success());
        assert!(said.contains("warning: ") && said.contains(words), "{words}: {said}");
        assert!(said.contains("could not be matched"), "{said}");
    }
    let ours = cluster(3, true);
    assert_eq!(text(&ours["contract"]), HOODI);
    let said = stderr(&build(&ours).assert().success());
    assert!(!said.contains("could not be matched"), "{said}");
}

const FEES: [&str; 6] = ["--fees", "450gwei", "--liquidation-period", "216000", "--min-collateral", "1gwei"];

/// A rule that was not applied is named, for people and for programs.
#[test]
fn what_is_not_checked_is_said() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(3, true));
    put(here, "empty.json", &cluster(0, true));
    put(here, "liquidated.json", &cluster(3, false));
    let known: Vec<_> = OURS.iter().map(|id| json!({"id": id})).collect();
    put(here, "known.json", &json!(known));
    let test = "passes the contract's liquidation test";
    let covered = "can still be liquidated afterwards";
    let settled = "what has run up since the snapshot";
    let operators = "the operators are there";
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        (&["register", "out/keyshares.json", "--new-cluster", "--value", "1ether"], &[test, operators], &[operators]),
        (
            &[
                "register",
                "out/keyshares.json",
                "--cluster",
                "cluster.json",
                "--value",
                "1ether",
                "--operators",
                "known.json",
            ],
            &[test],
            &[settled],
        ),
        (&["withdraw", "--cluster", "cluster.json", "--amount", "1ether"], &[test], &[settled]),
        (&["withdraw", "--cluster", "empty.json", "--amount", "1ether"], &[], &[]),
        (&["reactivate", "--cluster", "liquidated.json", "--value", "1ether"], &[test], &[]),
        (&["migrate", "--cluster", "cluster.json", "--value", "1ether"], &[test], &[]),
        (&["deposit", "--cluster", "cluster.json", "--value", "1ether"], &[covered], &[settled]),
        (&["deposit", "--cluster", "empty.json", "--value", "1ether"], &[], &[]),
    ];
    for (arguments, without, with) in cases {
        for (fees, expected) in [(&[][..], without), (&FEES[..], with)] {
            let mut command = tx(here, arguments);
            command.args(["--network", "hoodi", "--out", "tx", "--force", "--json"]).args(fees);
            let assert = command.assert().success();
            let payload = objects(&stdout(&assert)).into_iter().find(|object| object["event"] == "payload").unwrap();
            let said: Vec<_> =
                payload["notChecked"].as_array().unwrap().iter().map(|line| text(line).to_owned()).collect();
            assert_eq!(said.len(), expected.len(), "{arguments:?} {fees:?}: {said:?}");
            for (line, words) in said.iter().zip(expected) {
                assert!(line.contains(words) && stderr(&assert).contains(&format!("not checked: {line}")), "{said:?}");
            }
        }
    }
    // 3 validators need 0.2916 ETH by these figures.
    let mut poor = cluster(3, true);
    poor["cluster"]["balance"] = json!("100000000000000000");
    put(here, "poor.json", &poor);
    for (value, warned) in [("0.1ether", true), ("0.1916ether", false)] {
        let mut command = tx(here, &["deposit", "--cluster", "poor.json", "--value", value, "--network", "hoodi"]);
        let said = stderr(&command.args(["--out", "tx", "--force"]).args(FEES).assert().success());
        assert_eq!(said.contains("anybody can liquidate"), warned, "{said}");
    }
}

/// `dvkey inspect` knows what `dvkey tx` writes and reads.
#[test]
fn files_around_transactions_are_told() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(3, true));
    let forms = ["--format", "safe", "--format", "calldata", "--format", "unsigned", "--from", OWNER, "--out", "tx"];
    let fees = ["--tx-nonce", "3", "--max-fee", "20gwei", "--priority-fee", "1gwei", "--gas", "estimate"];
    register(here, &["--new-cluster", "--value", "1.5ether"]).args(forms).args(fees).assert().success();
    let unsigned = read_json(&here.join("tx/register-01.unsigned.json"));
    put(here, "bare.json", &unsigned["transaction"]);
    std::fs::write(here.join("raw"), text(&unsigned["rlp"])).unwrap();
    std::fs::write(here.join("call"), text(&unsigned["transaction"]["data"])).unwrap();
    let mut broken = read_json(&here.join("tx/register-01.safe.json"));
    assert_eq!(broken["transactions"][0]["value"].take(), json!("1500000000000000000"));
    broken["transactions"][0]["value"] = json!("15");
    put(here, "broken.json", &broken);
    std::fs::copy(crate::support::fixture("ethers/receipt.json"), here.join("receipt.json")).unwrap();
    for (file, kind, words) in [
        ("tx/register-01.safe.json", "a batch for the Safe Transaction Builder", "bulkRegisterValidator"),
        ("tx/register-01.calldata.json", "calldata for the SSV contract with its target", HOODI),
        ("tx/register-01.unsigned.json", "an unsigned transaction", "1.5 ETH"),
        ("bare.json", "a transaction as JSON", "560048"),
        ("raw", "a raw transaction", "bulkRegisterValidator"),
        ("call", "calldata for the SSV contract", "bulkRegisterValidator"),
        ("broken.json", "a batch for the Safe Transaction Builder", "but: the checksum is broken"),
        ("cluster.json", "the snapshot of an SSV cluster", "12, 34, 56, 78"),
        ("receipt.json", "the receipt of a transaction", OWNER),
    ] {
        let said = stdout(&crate::dvkey(here).args(["inspect", file]).assert().success());
        assert!(said.contains(&format!("{file}: {kind}")) && said.contains(words), "{file}: {said}");
    }
}
