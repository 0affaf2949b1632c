//! Operator ids at the edges: what they are worth, and that no share is ever the key.

use dvkey::crypto::kdf::KdfLimits;
use dvkey::crypto::operator_key::OperatorPrivateKey;
use dvkey::format::keyshares::{self, SharesData};
use dvkey::format::operator_keystore::OperatorKeyFile;
use dvkey_ceremony::recover::recover;
use dvkey_ceremony::share::KeyShare;
use dvkey_ceremony::{PublicKey, SecretBytes, Threshold};
use serde_json::json;

use crate::keystore_maker::{keystore, secret};
use crate::support::text;
use crate::{read_json, refused, split, stderr, workshop};

#[test]
fn large_ids_give_right_shares_and_a_warning() {
    let folder = workshop();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("key.json"), keystore(&secret(1), b"pw").to_string()).unwrap();
    std::fs::write(at("pw"), "pw").unwrap();
    let keys = read_json(&at("operators.json"));
    let ids = [4_294_967_296u64, 9_007_199_254_740_993, 18_446_744_073_709_551_615, 5];
    let operators: Vec<_> =
        ids.iter().enumerate().map(|(i, id)| json!({"id": id, "operatorKey": keys[i]["operatorKey"]})).collect();
    std::fs::write(at("large.json"), serde_json::to_vec(&operators).unwrap()).unwrap();
    let options = ["--operators", "large.json", "--password-file", "pw"];
    let assert = split(folder.path(), "key.json", &options).assert().success();
    let warned = stderr(&assert);
    assert!(warned.contains("warning: operator ids from 2147483648 up"), "{warned}");

    let file = keyshares::parse(&std::fs::read(at("out/keyshares.json")).unwrap()).unwrap();
    let payload = &file.items[0].as_ref().unwrap().payload;
    let written: Vec<_> = payload.operator_ids.iter().map(|id| id.get()).collect();
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(written, sorted);
    let parts = SharesData::cut(&payload.shares_data, 4).unwrap();
    let private = ["12", "34", "56", "78"].map(|name| private_key(&at(&format!("operator-{name}.pem"))));
    let mut shares = Vec::new();
    for (id, sealed) in payload.operator_ids.iter().zip(parts.sealed_shares) {
        let position = ids.iter().position(|listed| *listed == id.get()).unwrap();
        let share = private[position].open(sealed).unwrap();
        assert_ne!(share.to_be_bytes().as_slice(), secret(1), "operator {id} got the whole key");
        shares.push(KeyShare { identifier: id.identifier(), secret: share });
    }
    let validator = PublicKey::from_bytes(&payload.public_key).unwrap();
    let threshold = Threshold::ssv(4).unwrap();
    for _ in 0..4 {
        shares.rotate_left(1);
        let found = recover(&shares[..3], threshold, &validator).unwrap();
        assert_eq!(found.to_be_bytes().as_slice(), secret(1));
        assert!(recover(&shares[..2], threshold, &validator).is_err());
    }
}

fn private_key(path: &std::path::Path) -> OperatorPrivateKey {
    let bytes = SecretBytes::new(std::fs::read(path).unwrap());
    match OperatorKeyFile::parse(&bytes, KdfLimits::DEFAULT).unwrap() {
        OperatorKeyFile::Open(key) => key,
        OperatorKeyFile::Encrypted(_) => panic!("not encrypted"),
    }
}

#[test]
fn ids_that_are_none_are_refused() {
    let folder = workshop();
    let keys = read_json(&folder.path().join("operators.json"));
    for bad in ["0", "-1", "18446744073709551616", "1e3", "\"0x10\"", "\"0\"", "\"00\"", "\"+1\"", "\"4x\""] {
        let mut entries: Vec<_> = keys.as_array().unwrap().iter().map(ToString::to_string).collect();
        entries[2] = format!(r#"{{"id": {bad}, "operatorKey": "{}"}}"#, text(&keys[2]["operatorKey"]));
        std::fs::write(folder.path().join("bad.json"), format!("[{}]", entries.join(","))).unwrap();
        let command = split(folder.path(), "keystore-demo.json", &["--operators", "bad.json"]);
        let said = refused(folder.path(), command, 1, "operators.id");
        assert!(said.contains("[2]"), "{bad}: {said}");
    }
    for bad in ["0,12,34,56", "0x10,12,34,56", "12,34,56,-1", "12,34,56,18446744073709551616", "12,34,56,", "12 34"] {
        let command = split(folder.path(), "keystore-demo.json", &["--operator-ids", bad]);
        refused(folder.path(), command, 1, "operators.id");
    }
}
