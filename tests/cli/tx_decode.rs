//! `dvkey tx decode`: what a signer is shown of foreign transactions and batches.

use dvkey::format::contract::call::{Call, Keys};
use serde_json::{Value, json};

use crate::support::{text, vectors};
use crate::tx::{HOODI, put, refused, tx};
use crate::{OWNER, dvkey, objects, read_json, stdout, workshop};

/// A signed transaction without a chain, by ethers 6.17.0.
const LEGACY: &str = "0xf889038504a817c80083015f909458410bef803ecd7e63b23664c586a6db72daf59c80a4dbcdc2cc000000000000000000\
    00000081592c3de184a3e2c0dcb5a261bc107bfa91f4941ca093cc07c9392389db9992e51c340ac83193c75a7a25e39b3ae5\
    bae531cffce67da05ded4fae32b4af1de8edadca1aae45efc9fb630de6a6ba4758ec50879380c60d";

/// A signed transaction of type 2, by ethers 6.17.0.
const SIGNED: &str = "0x02f89383088bb003843b9aca008504a817c80083015f909458410bef803ecd7e63b23664c586a6db72daf59c80a4dbcdc2\
    cc00000000000000000000000081592c3de184a3e2c0dcb5a261bc107bfa91f494c001a0fc428738209e952a5868f8f72799\
    3a41b88f4b66c7c1f44782b734308abbf98ea0185a4fb33050750667c74d300434854e7eb789b90850e0bc5fb9caf414552c\
    f1";

#[test]
fn a_signer_is_warned() {
    let folder = workshop();
    let here = folder.path();
    let cases = vectors("calldata.json");
    let exit = text(&cases["vectors"][6]["calldata"]);
    let warned = |transaction: &Value, words: &str| {
        put(here, "transaction.json", transaction);
        let said = stdout(&tx(here, &["decode", "transaction.json"]).assert().success());
        assert!(said.contains(words), "{words}: {said}");
    };
    warned(&json!({"to": OWNER, "chainId": 1, "data": exit}), "NOT an SSV contract");
    warned(
        &json!({"to": HOODI, "chainId": 1, "data": exit}),
        "WARNING    the SSV contract on mainnet is 0xDD9BC35aE942eF0cFa76930954a156B3fF30a4E1",
    );
    warned(&json!({"to": HOODI, "chainId": 560_048, "data": exit, "value": "1"}), "takes no ether");
    warned(&json!({"to": HOODI, "chainId": 560_048, "data": format!("{exit}00")}), "bytes that are not shown here");
    warned(&json!({"to": HOODI, "chainId": 560_048, "data": exit, "perhaps": 1}), "not understood here: perhaps");
}

/// An address says nothing on a chain that is not known: anybody can have put anything there.
#[test]
fn no_contract_is_vouched_for_on_another_chain() {
    let folder = workshop();
    let here = folder.path();
    let exit = text(&vectors("calldata.json")["vectors"][6]["calldata"]).to_owned();
    let shown = |transaction: &Value| {
        put(here, "transaction.json", transaction);
        let said = stdout(&tx(here, &["decode", "transaction.json"]).assert().success());
        let object = stdout(&tx(here, &["decode", "transaction.json", "--json"]).assert().success());
        (said, objects(&object).pop().unwrap()["calls"][0]["isSsvContract"].clone())
    };
    let (said, ssv) = shown(&json!({"to": HOODI, "chainId": 7, "data": exit}));
    assert!(said.contains("not one that is known here (chain 7)") && said.contains("NOT the SSV contract"), "{said}");
    assert!(said.contains("WARNING    chain 7 is not known here") && ssv == json!(false), "{said}");
    let (said, ssv) = shown(&json!({"to": HOODI, "chainId": 1, "data": exit}));
    assert!(said.contains("NOT the SSV contract: that has this address on hoodi alone"), "{said}");
    assert_eq!(ssv, json!(false));
    let (said, ssv) = shown(&json!({"to": HOODI, "data": exit}));
    assert!(said.contains("if this is for hoodi, which it does not say") && ssv.is_null(), "{said}");
    let (said, ssv) = shown(&json!({"to": HOODI, "chainId": "0x88bb0", "data": exit}));
    assert!(said.contains(&format!("{HOODI}, the SSV contract on hoodi")) && ssv == json!(true), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
}

/// Blobs, authorisations, prices of two kinds: what a signer would not see is refused; what is only unknown is named.
#[test]
fn transactions_of_other_types_are_not_passed_off() {
    let folder = workshop();
    let here = folder.path();
    let exit = text(&vectors("calldata.json")["vectors"][6]["calldata"]).to_owned();
    let full = json!({"to": HOODI, "chainId": 560_048, "nonce": 3, "gas": "0x15f90", "maxFeePerGas": "0x2", "value": "0x0",
        "maxPriorityFeePerGas": "0x1", "data": exit});
    let with = |fields: &[(&str, Value)]| {
        let mut transaction = full.clone();
        for (name, value) in fields {
            transaction[name] = value.clone();
        }
        transaction.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        put(here, "transaction.json", &transaction);
        tx(here, &["decode", "transaction.json"])
    };
    let authorisation = json!([{"chainId": "0x1", "address": OWNER, "nonce": "0x0"}]);
    for (fields, words) in [
        (vec![("authorizationList", authorisation)], "authorizationList"),
        (vec![("blobVersionedHashes", json!(["0x01"]))], "blobVersionedHashes"),
        (vec![("maxFeePerBlobGas", json!("0x1"))], "maxFeePerBlobGas"),
        (vec![("sidecars", json!({}))], "sidecars"),
        (vec![("type", json!("0x1"))], "type 0 and 2"),
        (vec![("type", json!(3))], "type 0 and 2"),
        (vec![("type", json!("0x4"))], "type 0 and 2"),
        (vec![("type", json!("0x0"))], "exclude each other"),
        (vec![("gasPrice", json!("0x1"))], "exclude each other"),
        (vec![("accessList", json!([{"address": OWNER, "storageKeys": []}]))], "access list"),
        (vec![("gasLimit", json!("0x1"))], "gas and gasLimit"),
    ] {
        let said = refused(&mut with(&fields), 1, "tx.unknown");
        assert!(said.contains(words), "{words}: {said}");
    }
    let shown = |fields: &[(&str, Value)]| stdout(&with(fields).assert().success());
    let said = shown(&[("type", json!("0x2"))]);
    assert!(said.contains("  to sign    0x") && said.contains("type       2 (EIP-1559)"), "{said}");
    // Before EIP-1559 there is one price, and nothing here is to be signed.
    let none = Value::Null;
    let before = [("gasPrice", json!("0x77359400")), ("maxFeePerGas", none.clone()), ("maxPriorityFeePerGas", none)];
    let said = shown(&before);
    assert!(said.contains("gas price  2 gwei") && !said.contains("max fee") && !said.contains("to sign"), "{said}");
    // What a node says of one that is in a block.
    let said = shown(&[("r", json!("0x1")), ("s", json!("0x1")), ("v", json!("0x0")), ("gasPrice", json!("0x2"))]);
    assert!(said.contains("A transaction, SIGNED") && !said.contains("to sign"), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
    let said = shown(&[("authorizationList", json!([])), ("surprise", json!(1))]);
    assert!(said.contains("WARNING    fields that are not understood here: authorizationList, surprise"), "{said}");
    // A raw one before EIP-155, and one of type 2 that is signed: as ethers writes them.
    for (raw, words) in [(LEGACY, "gas price  20 gwei"), (SIGNED, "max fee    20 gwei")] {
        let said = stdout(&tx(here, &["decode", raw]).assert().success());
        assert!(said.contains(words) && !said.contains("to sign"), "{said}");
        assert_eq!(said.contains("it names no chain"), raw == LEGACY, "{said}");
    }
}

#[test]
fn every_key_is_shown_and_every_broken_rule_is_named() {
    let folder = workshop();
    let here = folder.path();
    let point = "8c44725153ab943a1dd257a85202aa17e2eccfdc13d103d08f8fb266b5fedb4ca268accc473b984a243b70eb5ba699b7";
    let exit = |keys: Vec<Vec<u8>>, operators: Vec<u64>| {
        let call = Call::Exit { keys: Keys::Many(keys), operators };
        std::fs::write(here.join("call"), format!("0x{}", hex::encode(call.encode()))).unwrap();
        stdout(&tx(here, &["decode", "call"]).assert().success())
    };
    let key = |number: u8| [&[number; 1][..], &[7; 47]].concat();
    let said = exit((0..60).map(key).collect(), vec![1, 2, 3, 4]);
    for number in 0..60 {
        assert!(said.contains(&hex::encode(key(number))), "{number}: {said}");
    }
    assert!(!said.contains("more; --verbose"), "{said}");
    assert!(said.contains("WARNING    the public key of validator 1 is no point of the group"), "{said}");
    let point = hex::decode(point).unwrap();
    for (operators, words) in [
        (vec![1, 3, 2, 4], "operator 2 stands behind 3"),
        (vec![1, 2, 2, 4], "operator 2 stands twice"),
        (vec![0, 1, 2, 3], "there is no operator 0"),
        (vec![1, 2, 3, 4, 5], "a cluster of 5 operators"),
    ] {
        let said = exit(vec![point.clone()], operators);
        assert!(said.contains(&format!("WARNING    {words}")), "{words}: {said}");
    }
    let said = exit(vec![point.clone(), point.clone()], vec![1, 2, 3, 4]);
    assert!(said.contains("WARNING    validator 2 is the same as validator 1"), "{said}");
    assert!(!exit(vec![point], vec![1, 2, 3, 4]).contains("WARNING"));
    let recipient = Call::FeeRecipient(HOODI.parse().unwrap()).encode();
    let said = stdout(&tx(here, &["decode", &format!("0x{}", hex::encode(recipient))]).assert().success());
    assert!(said.contains("WARNING    0x58410Bef803ECd7E63B23664C586A6DB72DAf59c is the SSV contract"), "{said}");
}

#[test]
fn an_operator_key_is_shown_by_its_digest() {
    let folder = workshop();
    let here = folder.path();
    let own = text(&read_json(&here.join("operators.json"))[0]["operatorKey"]).to_owned();
    std::fs::write(here.join("key"), &own).unwrap();
    let arguments =
        ["operator-register", "--public-key", "key", "--fee", "1.77gwei", "--network", "hoodi", "--out", "."];
    tx(here, &arguments).assert().success();
    let said = stdout(&tx(here, &["decode", "operator-register-01.calldata.json"]).assert().success());
    let inspected = stdout(&dvkey(here).args(["inspect", "key"]).assert().success());
    let digest = said.lines().find_map(|line| line.trim().strip_prefix("key        RSA, SHA-256 ")).unwrap();
    assert!(digest.len() == 64 && inspected.contains(digest), "{digest}: {inspected}");
    assert!(!said.contains("WARNING") && !said.contains(&hex::encode(&own)), "{said}");
    let fee = dvkey::format::amount::Wei::new(100_000);
    let wrong = Call::RegisterOperator { public_key: own.into_bytes(), fee, private: false }.encode();
    let said = stdout(&tx(here, &["decode", &format!("0x{}", hex::encode(wrong))]).assert().success());
    assert!(
        said.contains("WRONG: not the text of an RSA key") && said.contains("WARNING    the operator's key"),
        "{said}"
    );
}

/// One call that cannot be read does not hide the others, and what stands beside the calldata has to be true.
#[test]
fn a_batch_is_shown_whole() {
    let folder = workshop();
    let here = folder.path();
    let exit = text(&vectors("calldata.json")["vectors"][6]["calldata"]).to_owned();
    let call = |more: Value| {
        let mut call =
            json!({"to": HOODI, "value": "0", "data": exit, "contractMethod": null, "contractInputsValues": null});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let shown = |calls: &[Value], exit: i32| {
        let batch = json!({"version": "1.0", "chainId": "560048", "createdAt": 1, "meta": {"name": "x"}, "transactions": calls});
        put(here, "batch.json", &batch);
        stdout(&tx(here, &["decode", "batch.json"]).assert().code(exit))
    };
    let erc20 = json!({"to": OWNER, "value": "5", "data": "0xa9059cbb"});
    let said = shown(&[call(json!({})), erc20.clone(), call(json!({"value": "7"}))], 1);
    for part in ["1 of 3: exit", "2 of 3: CANNOT BE READ", "0xa9059cbb is no function", "3 of 3: exit", "7 wei", OWNER]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    shown(&[erc20.clone(), call(json!({}))], 1);
    let said = refused(&mut tx(here, &["decode", "batch.json"]), 1, "tx.unknown");
    assert!(said.contains("call 1 of 2"), "{said}");
    let object = stdout(&tx(here, &["decode", "batch.json", "--json"]).assert().code(1));
    let object = objects(&object).into_iter().find(|object| object.get("calls").is_some()).unwrap();
    assert!(object["calls"][0]["call"].is_null() && !object["calls"][0]["problem"].is_null());
    assert_eq!(text(&object["calls"][1]["call"]["function"]), "exitValidator");
    let inputs = json!([{"internalType": "bytes", "name": "publicKey", "type": "bytes"},
        {"internalType": "uint64[]", "name": "operatorIds", "type": "uint64[]"}]);
    let method = |name: &str| json!({"contractMethod": {"name": name, "payable": false, "inputs": inputs}});
    assert!(!shown(&[call(method("exitValidator")), call(json!({"operation": 0}))], 0).contains("WARNING"));
    for (more, words) in [
        (
            method("removeValidator"),
            "shows the method removeValidator(bytes,uint64[]), and the calldata calls exitValidator",
        ),
        (json!({"contractInputsValues": {"publicKey": "0x00"}}), "arguments without a method"),
        (json!({"operation": 1}), "DELEGATECALL"),
        (json!({"operation": "1"}), "DELEGATECALL"),
    ] {
        let said = shown(&[call(more)], 0);
        assert!(said.contains("WARNING") && said.contains(words), "{words}: {said}");
    }
    let mut both = method("exitValidator");
    both["contractInputsValues"] = json!({"publicKey": "0x00"});
    assert!(shown(&[call(both)], 0).contains("shows arguments of its own"));
    shown(&[call(json!({"operation": 2}))], 1);
}

/// A document that says what it is in two ways is one thing to this reader and another to the next.
#[test]
fn ambiguous_documents_are_refused() {
    let folder = workshop();
    let here = folder.path();
    let exit = text(&vectors("calldata.json")["vectors"][6]["calldata"]).to_owned();
    let transaction = json!({"to": HOODI, "chainId": 560_048, "data": exit});
    for (document, words) in [
        (json!({"transaction": transaction, "data": exit}), "transaction and data"),
        (json!({"transaction": transaction, "tx": transaction}), "transaction and tx"),
        (json!({"result": transaction, "tx": transaction}), "result and tx"),
        (json!({"error": {"data": "0x12e04c87"}, "result": transaction}), "error and result"),
        (json!({"chainId": "1", "transactions": [transaction], "data": exit}), "transactions and data"),
    ] {
        put(here, "document.json", &document);
        let said = refused(&mut tx(here, &["decode", "document.json"]), 1, "tx.unknown");
        assert!(said.contains(words), "{words}: {said}");
    }
    for document in [json!({"tx": transaction}), json!({"jsonrpc": "2.0", "error": null, "result": transaction})] {
        put(here, "document.json", &document);
        assert!(stdout(&tx(here, &["decode", "document.json"]).assert().success()).contains("exitValidator"));
    }
    // Our own file says the function and the network in words, too.
    tx(here, &["fee-recipient", OWNER, "--network", "hoodi", "--out", "."]).assert().success();
    let file = read_json(&here.join("fee-recipient-01.calldata.json"));
    for (name, value, words) in [
        ("function", json!("exitValidator(bytes,uint64[])"), "the function in it"),
        ("network", json!("mainnet"), "the network in it"),
        ("chainId", json!(1), "the network in it"),
        ("transaction", transaction, "transaction and data"),
    ] {
        let mut changed = file.clone();
        changed[name] = value;
        put(here, "document.json", &changed);
        let said = refused(&mut tx(here, &["decode", "document.json"]), 1, "tx.unknown");
        assert!(said.contains(words), "{words}: {said}");
    }
}
