//! `dvkey open`: every form of an operator's key, and every way in which a sealed share can be wrong.

use dvkey::format::keyshares::{self, SharesData};
use serde_json::Value;

use crate::dvkey;
use crate::support::{text, vectors};
use crate::{objects, read_json, split, stderr, stdout, workshop};

#[test]
fn every_form_of_the_key() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    let run = |arguments: &[&str]| dvkey(folder.path()).args(["open", "out/keyshares.json"]).args(arguments).assert();
    let assert = run(&["--key", "operator-12.pem"]).success();
    assert_eq!(stdout(&assert).matches("operator 12: opens and matches").count(), 3);
    assert!(stderr(&assert).contains("warning: operator-12.pem holds the operator's private key in the open"));

    let pem = std::fs::read(folder.path().join("operator-12.pem")).unwrap();
    let encoded = <base64ct::Base64 as base64ct::Encoding>::encode_string(&pem);
    std::fs::write(folder.path().join("key.b64"), encoded).unwrap();
    run(&["--key", "key.b64"]).success();

    let node = "node-12/encrypted_private_key.json";
    let assert = run(&["--key", node, "--password-file", "node-12/password"]).success();
    assert!(!stderr(&assert).contains("warning"), "{}", stderr(&assert));
    let assert = run(&["--key", node, "--password-file", "password.txt"]).code(1);
    assert!(stderr(&assert).contains("code: open.key "), "{}", stderr(&assert));
    let assert = run(&["--key", node]).code(1);
    assert!(stderr(&assert).contains("--password-file"), "{}", stderr(&assert));
    for not_a_key in ["operators.json", "password.txt", "keystore-demo.json", "absent"] {
        let assert = run(&["--key", not_a_key, "--password-file", "password.txt"]).code(1);
        assert!(stderr(&assert).contains("code: open.key "), "{not_a_key}: {}", stderr(&assert));
    }
    let public = text(&read_json(&folder.path().join("operators.json"))[0]["operatorKey"]).to_owned();
    std::fs::write(folder.path().join("public"), public).unwrap();
    let assert = run(&["--key", "public"]).code(1);
    assert!(stderr(&assert).contains("this is a public key"), "{}", stderr(&assert));
}

#[test]
fn both_plaintext_forms_open() {
    let folder = workshop();
    let file = vectors("rsa_pkcs1v15.json");
    let forms: Vec<_> = file["cases"].as_array().unwrap().iter().map(|case| case["plaintextBytes"].as_u64()).collect();
    assert!(
        forms.contains(&Some(64)) && forms.contains(&Some(66)),
        "the vectors hold both forms; see tests/vectors.rs"
    );
    drop(folder);
}

/// Swapped ciphertexts pass every check that needs no key; the operators find them.
#[test]
fn swapped_shares_are_found_by_the_operators() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    std::fs::remove_file(folder.path().join("out/provenance.json")).unwrap();
    let mut file = read_json(&path);
    let shares = text(&file["shares"][0]["payload"]["sharesData"]).to_owned();
    let sealed = |slot: usize| 2 + 2 * (96 + 48 * 4 + 256 * slot)..2 + 2 * (96 + 48 * 4 + 256 * (slot + 1));
    // A pair that stays below the other's modulus, so that the range check cannot see it.
    let mut swapped = None;
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        let mut bytes = shares.clone();
        bytes.replace_range(sealed(a), &shares[sealed(b)]);
        bytes.replace_range(sealed(b), &shares[sealed(a)]);
        file["shares"][0]["payload"]["sharesData"] = bytes.into();
        std::fs::write(&path, serde_json::to_vec_pretty(&file).unwrap()).unwrap();
        let code = dvkey(folder.path()).args(["verify", "out/keyshares.json"]).output().unwrap().status.code();
        if code == Some(0) {
            swapped = Some((a, b));
            break;
        }
    }
    let Some((a, b)) = swapped else {
        // Each of the six pairs is below both moduli with a chance of a half or more.
        return assert!(all_out_of_range(&shares), "no swap passed, though some are in range");
    };
    let ids = ["12", "34", "56", "78"];
    for (mine, other) in [(a, b), (b, a)] {
        let key = format!("operator-{}.pem", ids[mine]);
        let assert = dvkey(folder.path()).args(["open", "out/keyshares.json", "--key", &key]).assert().code(3);
        let said = stdout(&assert);
        assert!(said.contains(&format!("opens the sealed share of operator {} instead", ids[other])), "{said}");
        assert!(stderr(&assert).contains("code: open.mismatch "));
    }
}

fn all_out_of_range(shares: &str) -> bool {
    let bytes = hex::decode(&shares[2..]).unwrap();
    SharesData::cut(&bytes, 4).is_none()
}

#[test]
fn a_damaged_share_is_a_no_and_a_foreign_key_is_not_mine() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let mut file: Value = read_json(&path);
    let shares = text(&file["shares"][0]["payload"]["sharesData"]).to_owned();
    let last = if shares.ends_with('0') { "1" } else { "0" };
    file["shares"][0]["payload"]["sharesData"] = format!("{}{last}", &shares[..shares.len() - 1]).into();
    std::fs::write(&path, serde_json::to_vec_pretty(&file).unwrap()).unwrap();
    assert!(keyshares::parse(&std::fs::read(&path).unwrap()).is_ok());
    let assert = dvkey(folder.path()).args(["open", "out/keyshares.json", "--key", "operator-78.pem"]).assert().code(3);
    assert!(stdout(&assert).contains("operator 78: the sealed share does not give the share"), "{}", stdout(&assert));

    let vector = vectors("P01.json");
    std::fs::write(folder.path().join("theirs.json"), text(&vector["keysharesFileText"])).unwrap();
    let assert = dvkey(folder.path()).args(["open", "theirs.json", "--key", "operator-12.pem"]).assert().code(1);
    assert!(stderr(&assert).contains("code: open.not-mine "));
    let assert =
        dvkey(folder.path()).args(["open", "--json", "theirs.json", "--key", "operator-12.pem"]).assert().code(1);
    assert_eq!(objects(&stdout(&assert))[0]["result"], "not-an-operator");
}

/// In one item the file names another key for this operator, and seals the share to it: that is no "not mine".
#[test]
fn a_key_that_is_right_in_one_item_is_tried_in_all() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let mut file: Value = read_json(&path);
    let other = file["shares"][0]["data"]["operators"][1]["operatorKey"].clone();
    file["shares"][1]["data"]["operators"][0]["operatorKey"] = other;
    let shares = text(&file["shares"][1]["payload"]["sharesData"]).to_owned();
    let sealed = |slot: usize| 2 + 2 * (96 + 48 * 4 + 256 * slot)..2 + 2 * (96 + 48 * 4 + 256 * (slot + 1));
    let mut moved = shares.clone();
    moved.replace_range(sealed(0), &shares[sealed(1)]);
    file["shares"][1]["payload"]["sharesData"] = moved.into();
    std::fs::write(&path, file.to_string()).unwrap();
    let assert = dvkey(folder.path()).args(["open", "out/keyshares.json", "--key", "operator-12.pem"]).assert().code(3);
    assert_eq!(stdout(&assert).matches("opens and matches").count(), 2, "{}", stdout(&assert));
}

#[test]
fn without_operator_keys_in_the_file_the_share_is_searched_or_named() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let mut file: Value = read_json(&path);
    file["shares"][0].as_object_mut().unwrap().remove("data");
    std::fs::write(&path, file.to_string()).unwrap();
    let run = |arguments: &[&str]| dvkey(folder.path()).args(["open", "out/keyshares.json"]).args(arguments).assert();
    let assert = run(&["--key", "operator-56.pem"]).success();
    assert!(stdout(&assert).contains("operator 56: opens and matches"));
    run(&["--key", "operator-56.pem", "--operator-id", "56"]).success();
    run(&["--key", "operator-56.pem", "--operator-id", "78"]).code(3);
    run(&["--key", "operator-56.pem", "--operator-id", "0"]).code(1);
    let assert = run(&["--key", "operator-56.pem", "--operator-id", "99"]).code(1);
    assert!(stderr(&assert).contains("nothing was tried"), "{}", stderr(&assert));
}

/// A share that opens says whose the key is, so that the one that does not open is this operator's, too.
#[test]
fn a_damaged_share_among_others_is_a_no_even_where_no_keys_are_named() {
    let folder = workshop();
    split(folder.path(), "keystores", &[]).assert().success();
    let path = folder.path().join("out/keyshares.json");
    let mut file: Value = read_json(&path);
    for item in file["shares"].as_array_mut().unwrap() {
        item["data"].as_object_mut().unwrap().remove("operators");
    }
    let shares = text(&file["shares"][1]["payload"]["sharesData"]).to_owned();
    let sealed = 2 + 2 * (96 + 48 * 4)..2 + 2 * (96 + 48 * 4 + 256);
    let mut damaged = shares.clone();
    damaged.replace_range(sealed, &format!("00{}", "5a".repeat(255)));
    file["shares"][1]["payload"]["sharesData"] = damaged.into();
    std::fs::write(&path, file.to_string()).unwrap();
    let assert = dvkey(folder.path()).args(["open", "out/keyshares.json", "--key", "operator-12.pem"]).assert().code(3);
    let said = stdout(&assert);
    assert_eq!(said.matches("operator 12: opens and matches").count(), 2, "{said}");
    assert!(said.contains("operator 12: the sealed share does not give the share"), "{said}");
}
