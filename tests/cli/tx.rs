//! `dvkey tx` from outside: what is written, what is refused and by which code, and what is said about foreign bytes.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{fixture, text, vectors};
use crate::{OWNER, dvkey, objects, read_json, split, stderr, stdout, workshop};

pub(crate) const HOODI: &str = "0x58410Bef803ECd7E63B23664C586A6DB72DAf59c";

/// A workshop with a split of three keys, nonces 7 to 9.
pub(crate) fn split_workshop() -> tempfile::TempDir {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    folder
}

pub(crate) fn tx(folder: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = dvkey(folder);
    command.arg("tx").args(arguments);
    command
}

pub(crate) fn register(folder: &Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = tx(folder, &["register", "out/keyshares.json", "--network", "hoodi"]);
    command.args(options);
    command
}

pub(crate) fn refused(command: &mut assert_cmd::Command, exit: i32, code: &str) -> String {
    let said = stderr(&command.assert().code(exit));
    assert!(said.contains(&format!("code: {code} ")), "{code} was expected:\n{said}");
    said
}

pub(crate) fn cluster(count: u32, active: bool) -> Value {
    json!({"schema": "dvkey.cluster/1", "chainId": 560_048, "contract": HOODI, "owner": OWNER,
        "operatorIds": [12, 34, 56, 78], "cluster": {"validatorCount": count, "networkFeeIndex": "5", "index": "7",
        "active": active, "balance": "2000000000000000000"}})
}

pub(crate) fn put(folder: &Path, name: &str, value: &Value) {
    std::fs::write(folder.join(name), value.to_string()).unwrap();
}

pub(crate) const NEW: [&str; 3] = ["--new-cluster", "--value", "1.5ether"];

#[test]
fn three_forms_say_the_same() {
    let folder = split_workshop();
    let forms = ["--format", "safe", "--format", "calldata", "--format", "unsigned", "--from", OWNER, "--out", "tx"];
    let fees = ["--tx-nonce", "3", "--max-fee", "20gwei", "--priority-fee", "1gwei", "--gas", "estimate"];
    let assert = register(folder.path(), &NEW).args(forms).args(fees).assert().success();
    let files = "tx/register-01.calldata.json\ntx/register-01.unsigned.json\ntx/register-01.safe.json\n";
    assert_eq!(stdout(&assert), files);
    let said = stderr(&assert);
    for part in [
        HOODI,
        OWNER,
        "hoodi (chain 560048)",
        "1.5 ETH (1500000000000000000 wei)",
        "nonces     7 to 9",
        "signing hash 0x",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let calldata = read_json(&folder.path().join("tx/register-01.calldata.json"));
    let unsigned = read_json(&folder.path().join("tx/register-01.unsigned.json"));
    let safe = read_json(&folder.path().join("tx/register-01.safe.json"));
    let data = text(&calldata["data"]);
    assert!(data.starts_with("0xa1b483ca") && data.len() == 2 + 2 * 4996, "{}", data.len());
    assert_eq!(text(&unsigned["transaction"]["data"]), data);
    assert_eq!(text(&safe["transactions"][0]["data"]), data);
    assert_eq!(text(&safe["chainId"]), "560048");
    assert_eq!(text(&safe["transactions"][0]["value"]), "1500000000000000000");
    assert_eq!(text(&safe["meta"]["createdFromSafeAddress"]), OWNER);
    for to in [&calldata["to"], &unsigned["transaction"]["to"], &safe["transactions"][0]["to"]] {
        assert_eq!(text(to), HOODI);
    }
    assert!(text(&unsigned["rlp"]).starts_with("0x02f9"));
    // Every form is read again and says the same.
    std::fs::write(folder.path().join("raw"), text(&unsigned["rlp"])).unwrap();
    std::fs::write(
        folder.path().join("raw.bin"),
        hex::decode(text(&unsigned["rlp"]).trim_start_matches("0x")).unwrap(),
    )
    .unwrap();
    put(folder.path(), "bare.json", &unsigned["transaction"]);
    let mut calls = Vec::new();
    let all = files.lines().chain(["raw", "raw.bin", "bare.json"]);
    for file in all {
        let said = stdout(&tx(folder.path(), &["decode", file, "--json"]).assert().success());
        let object = objects(&said).pop().unwrap();
        assert_eq!(object["calls"][0]["warnings"], json!([]), "{file}");
        calls.push(object["calls"][0].clone());
    }
    assert!(calls.windows(2).all(|pair| pair[0] == pair[1]), "{calls:?}");
    let keyshares = read_json(&folder.path().join("out/keyshares.json"));
    for (position, key) in calls[0]["call"]["publicKeys"].as_array().unwrap().iter().enumerate() {
        assert_eq!(key, &keyshares["shares"][position]["payload"]["publicKey"]);
    }
    // Nothing is replaced unless it is asked for.
    refused(register(folder.path(), &NEW).args(["--out", "tx"]), 1, "output.exists");
    register(folder.path(), &NEW).args(["--out", "tx", "--force"]).assert().success();
}

#[test]
fn nothing_is_invented() {
    let folder = split_workshop();
    let options = ["--format", "unsigned", "--tx-nonce", "0", "--out", "-"];
    let assert = register(folder.path(), &NEW).args(options).assert().success();
    let file: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!(file["missing"], json!(["maxPriorityFeePerGas", "maxFeePerGas", "gas"]));
    assert!(file.get("rlp").is_none() && file.get("signingHash").is_none());
    let fields: Vec<_> = file["transaction"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["accessList", "chainId", "data", "nonce", "to", "value"]);
    assert!(stderr(&assert).contains("not given"));
}

/// ethers takes no `type` but the number 2, no `from`, and reads `gasLimit` alone; nodes read `gas` alone.
#[test]
fn an_unsigned_transaction_has_the_shape_that_signers_take() {
    let folder = split_workshop();
    let here = folder.path();
    let fees = ["--tx-nonce", "3", "--max-fee", "20gwei", "--priority-fee", "1gwei", "--gas", "900000"];
    let options = ["--format", "unsigned", "--from", OWNER, "--out", "-"];
    let assert = register(here, &NEW).args(options).args(fees).assert().success();
    let file: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    let transaction = &file["transaction"];
    assert!(transaction.get("type").is_none() && transaction.get("from").is_none());
    assert_eq!((text(&file["from"]), &transaction["gas"]), (OWNER, &json!("0xdbba0")));
    assert_eq!(transaction["gas"], transaction["gasLimit"]);
    assert_eq!(transaction["chainId"], json!("0x88bb0"));
    put(here, "file.json", &file);
    let said = stdout(&tx(here, &["decode", "file.json"]).assert().success());
    assert!(said.contains(&format!("  from       {OWNER}")) && said.contains("  gas limit  900000"), "{said}");
    for (change, words) in [
        (
            &(|file: &mut Value| file["transaction"]["gas"] = json!("0xdbba1")) as &dyn Fn(&mut Value),
            "gas and gasLimit",
        ),
        (&|file| file["transaction"]["gasLimit"] = json!(900_001), "gas and gasLimit"),
        (&|file| file["transaction"]["from"] = json!(HOODI), "the sender in it"),
        (&|file| file["transaction"]["nonce"] = json!("0x4"), "the RLP in it"),
        (&|file| file["signingHash"] = json!("11".repeat(32)), "the signing hash in it"),
    ] {
        let mut changed = file.clone();
        change(&mut changed);
        put(here, "changed.json", &changed);
        let said = refused(&mut tx(here, &["decode", "changed.json"]), 1, "tx.unknown");
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn one_key_takes_the_call_for_one() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let assert = register(folder.path(), &NEW).args(["--out", "-"]).assert().success();
    let file: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert!(text(&file["data"]).starts_with("0xb84319fd"));
    assert!(text(&file["function"]).starts_with("registerValidator("));
}

#[test]
fn chunks_keep_their_numbers() {
    let folder = split_workshop();
    let first = [&NEW[..], &["--max-per-tx", "2", "--out", "tx"]].concat();
    let said = stderr(&register(folder.path(), &first).assert().success());
    assert!(said.contains("1 of 2") && said.contains("--from-nonce 9 --max-per-tx 2"), "{said}");
    let receipt = fixture("ethers/receipt.json");
    tx(folder.path(), &["next", "--network", "hoodi", "--receipt", receipt.to_str().unwrap(), "--out", "cluster.json"])
        .assert()
        .success();
    let second =
        ["--cluster", "cluster.json", "--value", "100gwei", "--max-per-tx", "2", "--from-nonce", "9", "--out", "tx"];
    let assert = register(folder.path(), &second).assert().success();
    assert_eq!(stdout(&assert), "tx/register-02.calldata.json\n");
    let said = stdout(&tx(folder.path(), &["decode", "tx/register-02.calldata.json"]).assert().success());
    assert!(said.contains("2 validators, active") && said.contains("0.0000001 ETH (100000000000 wei)"), "{said}");
    // In the middle of a call, the rest of it is built.
    let middle = ["--cluster", "cluster.json", "--value", "1ether", "--from-nonce", "8", "--out", "-"];
    assert!(stderr(&register(folder.path(), &middle).assert().success()).contains("the rest of it"));
    // The registration before it has made the cluster.
    let again = [&NEW[..], &["--from-nonce", "8", "--out", "-"]].concat();
    let said = refused(&mut register(folder.path(), &again), 1, "tx.snapshot");
    assert!(said.contains("nonce 7") && said.contains("--cluster"), "{said}");
    for nonce in ["6", "10"] {
        let outside = [&NEW[..], &["--from-nonce", nonce, "--out", "-"]].concat();
        refused(&mut register(folder.path(), &outside), 1, "tx.nonce");
    }
}

#[test]
fn registrations_that_cannot_work_are_refused() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(3, true));
    put(here, "liquidated.json", &cluster(3, false));
    put(here, "empty.json", &json!([0, 0, 0, true, 0]));
    let mut other = cluster(3, true);
    other["owner"] = json!("0x52908400098527886E0F7030069857D2E4169EE7");
    put(here, "other.json", &other);
    put(
        here,
        "ssv.json",
        &json!({"data": {"cluster": {"feeAsset": "SSV", "active": true, "validatorCount": "3",
        "balance": "5", "index": "7", "networkFeeIndex": "8", "operatorIds": ["12", "34", "56", "78"]}}}),
    );
    put(here, "nobody.json", &json!({"data": {"cluster": null}}));
    put(here, "busy.json", &json!([{"id": 12, "validators_count": 3000}, {"id": 34}, {"id": 56}, {"id": 78}]));
    let value = ["--value", "1ether", "--out", "tx"];
    for (options, code) in [
        (&["--new-cluster", "--value", "32"][..], "tx.amount"),
        (&["--new-cluster", "--value", "1,5ether"], "tx.amount"),
        (&["--new-cluster", "--value", "0"], "tx.balance"),
        (&["--cluster", "liquidated.json"], "tx.state"),
        (&["--cluster", "ssv.json"], "tx.state"),
        (&["--cluster", "empty.json"], "tx.snapshot"),
        (&["--cluster", "other.json"], "tx.snapshot"),
        (&["--cluster", "nobody.json"], "tx.snapshot"),
        (&["--cluster", "operators.json"], "tx.snapshot"),
        (&["--cluster", "absent.json"], "file.unreadable"),
        (&["--new-cluster", "--operators", "busy.json"], "tx.operators"),
        (&["--new-cluster", "--from", "0x52908400098527886E0F7030069857D2E4169EE7"], "tx.address"),
        (&["--new-cluster", "--from", "0x1234"], "tx.address"),
        (&["--new-cluster", "--max-fee", "1gwei", "--priority-fee", "2gwei"], "tx.gas"),
        (&["--new-cluster", "--gas", "21000"], "tx.gas"),
        (&["--new-cluster", "--gas", "16777217"], "tx.gas"),
        (&["--new-cluster", "--gas", "0x10"], "tx.gas"),
        (&["--new-cluster", "--out", "-", "--format", "safe", "--format", "calldata"], "tx.form"),
        (
            &[
                "--new-cluster",
                "--fees",
                "450gwei",
                "--liquidation-period",
                "216000",
                "--min-collateral",
                "1gwei",
                "--value",
                "0.2ether",
            ],
            "tx.balance",
        ),
    ] {
        let given = |name: &str| options.contains(&name);
        let rest: Vec<_> = value.chunks(2).filter(|pair| !given(pair[0])).flatten().copied().collect();
        refused(register(here, options).args(rest), 1, code);
        assert!(!here.join("tx").exists(), "{options:?}: something was written");
    }
    for (options, code, exit) in [
        (&["--network", "mainnet"][..], "verify.not-valid", 3),
        (&["--network", "holesky"], "tx.network", 1),
        (&["--network", "sepolia"], "tx.network", 1),
    ] {
        let mut command = tx(here, &["register", "out/keyshares.json", "--new-cluster"]);
        refused(command.args(options).args(value), exit, code);
    }
    for options in [&["--nonce", "8"][..], &["--owner", "0x52908400098527886E0F7030069857D2E4169EE7"]] {
        refused(register(here, options).args(NEW).args(["--out", "tx"]), 3, "verify.not-valid");
    }
    // A file that the nodes would ignore.
    let file = std::fs::read_to_string(here.join("out/keyshares.json")).unwrap();
    std::fs::write(here.join("changed.json"), file.replacen("\"ownerNonce\": 8", "\"ownerNonce\": 80", 1)).unwrap();
    let mut command = tx(here, &["register", "changed.json", "--network", "hoodi"]);
    assert!(refused(command.args(NEW).args(["--out", "tx"]), 3, "verify.not-valid").contains("K11"));
    let mut command = tx(here, &["register", "operators.json", "--network", "hoodi"]);
    refused(command.args(NEW).args(["--out", "tx"]), 1, "verify.cannot-judge");
    register(here, &["--new-cluster", "--cluster", "cluster.json"]).args(value).assert().code(2);
    assert!(!here.join("tx").exists());
}

#[test]
fn calls_about_a_cluster_are_built_and_read_back() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(3, true));
    put(here, "liquidated.json", &cluster(3, false));
    put(here, "tuple.json", &json!([3, "5", "7", true, "2000000000000000000"]));
    let ids = ["--operator-ids", "78,12,56,34"];
    let cluster = ["--cluster", "cluster.json"];
    for (arguments, function) in [
        ([&["remove", "out/keyshares.json"][..], &cluster].concat(), "bulkRemoveValidator"),
        ([&["exit", "out/keyshares.json"][..], &ids].concat(), "bulkExitValidator"),
        ([&["deposit", "--value", "1ether"][..], &cluster].concat(), "deposit"),
        ([&["withdraw", "--amount", "1ether"][..], &cluster].concat(), "withdraw"),
        ([&["withdraw", "--amount", "1ether", "--cluster", "tuple.json"][..], &ids].concat(), "withdraw"),
        (vec!["reactivate", "--value", "1ether", "--cluster", "liquidated.json"], "reactivate"),
        ([&["migrate", "--value", "1ether"][..], &cluster].concat(), "migrateClusterToETH"),
        (vec!["fee-recipient", OWNER], "setFeeRecipientAddress"),
        (vec!["operator-remove", "12"], "removeOperator"),
        (vec!["operator-fee", "declare", "12", "--fee", "1.77gwei"], "declareOperatorFee"),
        (vec!["operator-fee", "execute", "12"], "executeOperatorFee"),
        (vec!["operator-fee", "cancel", "12"], "cancelDeclaredOperatorFee"),
        (vec!["operator-fee", "reduce", "12", "--fee", "1gwei"], "reduceOperatorFee"),
        (vec!["operator-whitelist", "add", "34,12", "--addresses", OWNER], "setOperatorsWhitelists"),
        (vec!["operator-whitelist", "remove", "12", "34", "--addresses", OWNER], "removeOperatorsWhitelists"),
        (vec!["operator-whitelist", "set-contract", "12", "--contract", OWNER], "setOperatorsWhitelistingContract"),
        (vec!["operator-whitelist", "remove-contract", "12"], "removeOperatorsWhitelistingContract"),
        (vec!["operator-privacy", "private", "12"], "setOperatorsPrivateUnchecked"),
        (vec!["operator-privacy", "public", "12"], "setOperatorsPublicUnchecked"),
        (vec!["operator-withdraw", "12", "--amount", "1ether"], "withdrawOperatorEarnings"),
        (vec!["operator-withdraw", "12", "--all"], "withdrawAllOperatorEarnings"),
        (vec!["operator-withdraw", "12", "--all", "--asset", "ssv"], "withdrawAllOperatorEarningsSSV"),
        (vec!["operator-withdraw", "12", "--asset", "ssv", "--amount", "1.5ssv"], "withdrawOperatorEarningsSSV"),
        (vec!["operator-withdraw", "12", "--all", "--asset", "both"], "withdrawAllVersionOperatorEarnings"),
    ] {
        let common = ["--network", "hoodi", "--format", "safe", "--out", "-"];
        let assert = tx(here, &arguments).args(common).assert().success();
        std::fs::write(here.join("made.json"), stdout(&assert)).unwrap();
        let said = stdout(&tx(here, &["decode", "made.json", "--json"]).assert().success());
        let object = objects(&said).pop().unwrap();
        assert_eq!(text(&object["calls"][0]["call"]["function"]), function, "{arguments:?}");
        assert_eq!(object["calls"][0]["warnings"], json!([]), "{arguments:?}");
        assert_eq!(text(&object["container"]["checksum"]), "holds");
        if let Some(ids) = object["calls"][0]["call"]["operatorIds"].as_array() {
            assert!(ids.is_sorted_by_key(|id| id.as_u64()), "{arguments:?}");
        }
    }
}

#[test]
fn calls_that_cannot_work_are_refused() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "cluster.json", &cluster(2, true));
    put(here, "tuple.json", &json!([3, "5", "7", true, "5"]));
    let key = format!("0x{}", "11".repeat(48));
    let cluster = ["--cluster", "cluster.json"];
    for (arguments, code) in [
        ([&["remove", "out/keyshares.json"][..], &cluster].concat(), "tx.validators"),
        ([&["remove", "out/keyshares.json", "--chunk", "2"][..], &cluster].concat(), "tx.validators"),
        ([&["remove", "0x1234"][..], &cluster].concat(), "tx.validators"),
        (vec!["exit", &key, "--operator-ids", "1,2,3,4"], "tx.validators"),
        (vec!["exit", "out/keyshares.json", "--operator-ids", "1,2,3"], "tx.operators"),
        (vec!["exit", "out/keyshares.json", "--operator-ids", "1,2,3,3"], "tx.operators"),
        (vec!["exit", "out/keyshares.json", "--operator-ids", "0,2,3,4"], "operators.id"),
        (vec!["exit", "out/keyshares.json", "out/keyshares.json", "--operator-ids", "1,2,3,4"], "tx.validators"),
        (vec!["exit", "absent.json", "--operator-ids", "1,2,3,4"], "file.unreadable"),
        ([&["deposit", "--value", "0"][..], &cluster].concat(), "tx.amount"),
        ([&["deposit", "--value", "1ether", "--operator-ids", "1,2,3,4"][..], &cluster].concat(), "tx.snapshot"),
        (vec!["deposit", "--value", "1ether", "--cluster", "tuple.json", "--operator-ids", "1,2,3,4"], "input.missing"),
        (vec!["deposit", "--value", "1ether", "--cluster", "tuple.json"], "input.missing"),
        ([&["withdraw", "--amount", "3ether"][..], &cluster].concat(), "tx.balance"),
        ([&["withdraw", "--amount", "2ether"][..], &cluster].concat(), "tx.balance"),
        ([&["withdraw", "--amount", "100001wei"][..], &cluster].concat(), "tx.amount"),
        ([&["reactivate", "--value", "1ether"][..], &cluster].concat(), "tx.state"),
        (vec!["fee-recipient", "0x0000000000000000000000000000000000000000"], "tx.address"),
        (vec!["operator-fee", "declare", "12", "--fee", "1"], "tx.amount"),
        (vec!["operator-fee", "declare", "12", "--fee", "123456wei"], "tx.amount"),
        (vec!["operator-remove", "0"], "operators.id"),
        (vec!["operator-privacy", "private", "12", "12"], "tx.operators"),
        (vec!["operator-withdraw", "12", "--amount", "1ether", "--asset", "both"], "tx.amount"),
        (vec!["operator-withdraw", "12", "--amount", "100000", "--asset", "ssv"], "tx.amount"),
        (vec!["operator-register", "--public-key", "operators.json", "--fee", "1gwei"], "operators.key"),
        (vec!["fee-recipient", OWNER, "--gas", "estimate"], "tx.gas"),
    ] {
        let mut command = tx(here, &arguments);
        refused(command.args(["--network", "hoodi", "--out", "tx"]), 1, code);
        assert!(!here.join("tx").exists(), "{arguments:?}");
    }
    let mut command = tx(here, &["deposit", "--value", "1ether", "--cluster", "cluster.json"]);
    refused(command.args(["--network", "mainnet", "--out", "tx"]), 1, "tx.snapshot");
}

#[test]
fn operators_are_registered_with_the_text_of_their_key() {
    let folder = workshop();
    let operators = read_json(&folder.path().join("operators.json"));
    let own = text(&operators[0]["operatorKey"]);
    std::fs::write(folder.path().join("key"), own).unwrap();
    let arguments = ["operator-register", "--public-key", "key", "--fee", "1.77gwei", "--private"];
    let assert = tx(folder.path(), &arguments).args(["--network", "hoodi", "--out", "-"]).assert().success();
    let file: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    let data = hex::decode(text(&file["data"]).trim_start_matches("0x")).unwrap();
    // The bytes are the ABI encoding of one string: offset 32, 612 characters, padded to 640.
    let start = data.windows(own.len()).position(|window| window == own.as_bytes()).unwrap();
    assert_eq!(data[start - 64..start - 32].iter().map(|byte| usize::from(*byte)).sum::<usize>(), 32);
    assert_eq!(data[start - 32..start][30..], [2, 0x64]);
}

#[test]
fn receipts_and_events_give_the_next_snapshot() {
    let folder = workshop();
    let here = folder.path();
    let receipt = read_json(&fixture("ethers/receipt.json"));
    let next = |name: &str, how: &str| tx(here, &["next", "--network", "hoodi", how, name]);
    put(here, "receipt.json", &receipt);
    let assert = next("receipt.json", "--receipt").assert().success();
    let file: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!(file["cluster"]["validatorCount"], json!(2));
    assert_eq!(file["cluster"]["balance"], json!("1500000000000000000"));
    assert_eq!(
        (text(&file["owner"]), &file["operatorIds"], text(&file["contract"])),
        (OWNER, &json!([12, 34, 56, 78]), HOODI)
    );
    let log = receipt["result"]["logs"][1].clone();
    let decoded = json!({"eventName": "ValidatorAdded", "args": {"owner": OWNER, "operatorIds": ["12", "34", "56", "78"],
        "cluster": {"validatorCount": 2, "networkFeeIndex": "171398231", "index": "90112345", "active": true,
        "balance": "1500000000000000000"}}});
    for (event, contract) in [(log.clone(), json!(HOODI)), (decoded, Value::Null)] {
        put(here, "event.json", &event);
        let assert = next("event.json", "--event").assert().success();
        let again: Value = serde_json::from_str(&stdout(&assert)).unwrap();
        assert_eq!((&again["cluster"], &again["contract"]), (&file["cluster"], &contract));
        assert_eq!(stderr(&assert).contains("the event does not name its contract"), contract.is_null());
    }
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut receipt = receipt["result"].clone();
        change(&mut receipt);
        put(here, "changed.json", &receipt);
        next("changed.json", "--receipt")
    };
    for (change, code) in [
        (&(|receipt: &mut Value| receipt["status"] = json!("0x0")) as &dyn Fn(&mut Value), "tx.failed"),
        (&|receipt| receipt["status"] = json!("reverted"), "tx.failed"),
        (&|receipt| receipt["status"] = json!(null), "tx.receipt"),
        (&|receipt| receipt["logs"] = json!([]), "tx.receipt"),
        (&|receipt| receipt["logs"][0]["removed"] = json!(true), "tx.receipt"),
        (&|receipt| receipt["logs"][0]["removed"] = json!("true"), "tx.receipt"),
        (&|receipt| receipt["logs"][0]["removed"] = json!(1), "tx.receipt"),
        (&|receipt| receipt["logs"][0]["data"] = json!("0x1234"), "tx.receipt"),
        // Bytes behind the end, and in the padding.
        (
            &|receipt| receipt["logs"][1]["data"] = json!(format!("{}00", text(&receipt["logs"][1]["data"]))),
            "tx.receipt",
        ),
        (
            &|receipt| {
                let data = text(&receipt["logs"][1]["data"]).to_owned();
                receipt["logs"][1]["data"] = json!(format!("{}ff", &data[..data.len() - 2]));
            },
            "tx.receipt",
        ),
        (&|receipt| receipt["logs"][0]["topics"][1] = json!("0x12"), "tx.receipt"),
        (
            &|receipt| receipt["logs"].as_array_mut().unwrap().iter_mut().for_each(|log| log["address"] = json!(OWNER)),
            "tx.receipt",
        ),
        (
            &|receipt| receipt["logs"][0]["topics"][1] = json!(format!("0x{}{}", "00".repeat(12), "77".repeat(20))),
            "tx.receipt",
        ),
    ] {
        refused(&mut changed(change), 1, code);
    }
    put(here, "pending.json", &json!({"jsonrpc": "2.0", "id": 1, "result": null}));
    refused(&mut next("pending.json", "--receipt"), 1, "tx.receipt");
    refused(&mut next("event.json", "--receipt"), 1, "tx.receipt");
    let mut mainnet = tx(here, &["next", "--network", "mainnet", "--receipt", "receipt.json"]);
    refused(&mut mainnet, 1, "tx.receipt");
    next("receipt.json", "--receipt").args(["--out", "c.json"]).assert().success();
    refused(next("receipt.json", "--receipt").args(["--out", "c.json"]), 1, "output.exists");
}

/// The order of a list means nothing: what counts is where the events stand in the chain.
#[test]
fn the_last_event_is_the_last_of_the_chain() {
    let folder = workshop();
    let here = folder.path();
    let event = |block: u64, log: u64, count: u32| {
        json!({"eventName": "ValidatorAdded", "blockNumber": block, "logIndex": log, "transactionIndex": log / 10,
            "address": HOODI, "args": {"owner": OWNER, "operatorIds": [12, 34, 56, 78], "cluster": {"validatorCount": count,
            "networkFeeIndex": "5", "index": "7", "active": true, "balance": count.to_string()}}})
    };
    let with = |mut event: Value, name: &str, value: Value| {
        event[name] = value;
        event
    };
    let of = |mut event: Value, name: &str, value: Value| {
        event["args"][name] = value;
        event
    };
    let next = |events: Value, more: &[&str]| {
        put(here, "events.json", &events);
        let mut command = tx(here, &["next", "--network", "hoodi", "--event", "events.json"]);
        command.args(more);
        command
    };
    let count = |events: Value, more: &[&str]| -> (Value, Value) {
        let file: Value = serde_json::from_str(&stdout(&next(events, more).assert().success())).unwrap();
        (file["cluster"]["validatorCount"].clone(), file["block"].clone())
    };
    let last = event(70, 3, 9);
    for events in [
        json!([last, event(69, 44, 8), event(70, 2, 7)]),
        json!([event(70, 2, 7), last, event(69, 44, 8)]),
        json!([event(69, 44, 8), with(event(71, 0, 4), "removed", json!(true)), last]),
        // The same event twice is one event; others have no snapshot, or are another contract's.
        json!([last, last, {"eventName": "FeeRecipientAddressUpdated", "args": {"owner": OWNER}}]),
        json!([with(event(72, 0, 4), "address", json!(OWNER)), last]),
        json!([with(with(last.clone(), "blockNumber", json!("0x46")), "logIndex", json!("3")), event(70, 2, 7)]),
    ] {
        assert_eq!(count(events, &[]), (json!(9), json!(70)));
    }
    let other = of(event(90, 1, 1), "operatorIds", json!([1, 2, 3, 4]));
    let stranger = of(event(91, 1, 2), "owner", json!("0x52908400098527886E0F7030069857D2E4169EE7"));
    assert_eq!(count(json!([other, last]), &["--operator-ids", "34,12,78,56"]).0, json!(9));
    assert_eq!(count(json!([last, stranger]), &["--owner", OWNER]).0, json!(9));
    for (events, words) in [
        (json!([last, other]), "2 clusters"),
        (json!([last, stranger]), "2 clusters"),
        (json!([last, with(event(70, 2, 7), "blockNumber", Value::Null)]), "not all of them say"),
        (json!([last, with(event(70, 2, 7), "logIndex", Value::Null)]), "not all of them say"),
        (json!([last, event(70, 3, 7)]), "block 70 as log 3"),
        (json!([last, with(event(70, 2, 7), "transactionIndex", json!(1))]), "earlier transaction"),
        (json!([with(last.clone(), "removed", json!(true))]), "no event in it"),
        (json!([with(last.clone(), "removed", json!("perhaps"))]), "removed"),
        (json!([with(last.clone(), "address", json!(OWNER))]), "other contracts"),
        (json!([last, with(event(72, 0, 4), "eventName", json!("ClusterHalved"))]), "ClusterHalved"),
        (json!([]), "no event in it"),
    ] {
        let said = refused(&mut next(events, &[]), 1, "tx.receipt");
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn foreign_bytes_are_described_or_refused_by_name() {
    let folder = workshop();
    let here = folder.path();
    let cases = vectors("calldata.json");
    let decode = |input: &str| tx(here, &["decode", input]);
    for case in cases["vectors"].as_array().unwrap() {
        std::fs::write(here.join("call"), text(&case["calldata"])).unwrap();
        let said = stdout(&decode("call").assert().success());
        let function = text(&case["function"]).split(' ').next().unwrap();
        assert!(said.contains(&format!("  function   {function}(")), "{said}");
        assert_eq!(said.contains("OBSOLETE"), text(&case["function"]).contains("LEGACY"), "{said}");
        assert!(!said.contains("WARNING"), "{said}");
    }
    for (data, words) in [
        ("0x12e04c87", "IncorrectClusterState"),
        ("0x639f58510000000000000000000000000000000000000000000000000000000000000022", "operator 34"),
        ("0x4e487b710000000000000000000000000000000000000000000000000000000000000011", "Panic 0x11"),
    ] {
        let said = stdout(&decode(data).assert().success());
        assert!(said.contains(words) && said.contains("remedy"), "{said}");
    }
    put(
        here,
        "node.json",
        &json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted", "data": "0xf4d678b8"}}),
    );
    assert!(stdout(&decode("node.json").assert().success()).contains("InsufficientBalance"));
    put(here, "erc20.json", &json!({"to": OWNER, "data": "0xa9059cbb"}));
    put(here, "list.json", &json!([[[[[[]]]]]]));
    for input in [
        "0x",
        "0x12",
        "0x1234567",
        "0xzz",
        "0xdeadbeef",
        "0xb84319fd",
        "erc20.json",
        "list.json",
        "operators.json",
        "password.txt",
    ] {
        refused(&mut decode(input), 1, "tx.unknown");
    }
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("zeros", &[0; 64]),
        ("bom", b"\xef\xbb\xbf{}"),
        ("twice", b"{\"to\":1,\"to\":2}"),
        ("cut", b"{\"to\":"),
        ("rlp", &[2, 0xc0]),
        ("typed", &[0x02, 0xff, 0xff]),
    ] {
        std::fs::write(here.join(name), bytes).unwrap();
        refused(&mut decode(name), 1, "tx.unknown");
    }
    refused(&mut decode("absent"), 1, "file.unreadable");
}

#[test]
fn batches_are_joined_but_never_on_one_cluster() {
    let folder = split_workshop();
    let here = folder.path();
    put(here, "a.json", &cluster(3, true));
    let mut other = cluster(3, true);
    other["operatorIds"] = json!([1, 2, 3, 4]);
    put(here, "b.json", &other);
    for (name, value) in [("a", "1ether"), ("b", "2ether")] {
        let file = format!("{name}.json");
        let arguments = [
            "deposit",
            "--cluster",
            &file,
            "--value",
            value,
            "--network",
            "hoodi",
            "--format",
            "safe",
            "--from",
            OWNER,
        ];
        tx(here, &arguments).args(["--out", name]).assert().success();
    }
    let (a, b) = ("a/deposit-01.safe.json", "b/deposit-01.safe.json");
    let assert = tx(here, &["batch", a, b, "--out", "joined"]).assert().success();
    assert!(stderr(&assert).contains("3 ETH (3000000000000000000 wei) in all"));
    let said = stdout(&tx(here, &["decode", "joined/batch.safe.json"]).assert().success());
    assert!(
        said.contains("1 of 2: deposit") && said.contains("2 of 2: deposit") && said.contains("checksum   holds"),
        "{said}"
    );
    refused(&mut tx(here, &["batch", a, a, "--out", "twice"]), 1, "tx.batch");
    let changed = std::fs::read_to_string(here.join(a)).unwrap().replace("1000000000000000000", "9000000000000000000");
    std::fs::write(here.join("changed.json"), changed).unwrap();
    refused(&mut tx(here, &["batch", "changed.json", b, "--out", "twice"]), 1, "tx.batch");
    // It is shown, and it is a no.
    let said = stdout(&tx(here, &["decode", "changed.json"]).assert().code(3));
    assert!(said.contains("BROKEN") && said.contains("9 ETH"), "{said}");
    refused(&mut tx(here, &["decode", "changed.json"]), 3, "tx.checksum");
    assert!(!here.join("twice").exists());
}
