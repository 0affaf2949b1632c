//! Provenance files: what is read says the same when it is written again, and what a file contradicts is not believed.
#![no_main]

use std::sync::LazyLock;

use dvkey::crypto::digest::Sha256Digest;
use dvkey::format::keyshares::{self, KeysharesFile};
use dvkey::format::network::Network;
use dvkey::format::provenance::{Claims, ProvenanceError, SCHEMA};
use dvkey::workflow::verify::check::{Check, Verdict};
use dvkey::workflow::verify::keyshares::{Beside, Expected, judge};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// A valid keyshares file with its digest.
static FILE: LazyLock<(KeysharesFile, String)> = LazyLock::new(|| {
    let recorded: Value = serde_json::from_str(include_str!("../../../fixtures/ssv-split/P01.json")).expect("JSON");
    let text = recorded["keysharesFileText"].as_str().expect("a vector file has a keyshares file");
    let file = keyshares::parse(text.as_bytes()).expect("a keyshares file");
    (file, Sha256Digest::of(text.as_bytes()).to_string())
});

fuzz_target!(|bytes: &[u8]| {
    let claims = match Claims::parse(bytes) {
        Ok(claims) => claims,
        Err(error) => {
            assert_harmless(&error.to_string());
            assert!(!matches!(error, ProvenanceError::Schema(schema) if schema == SCHEMA));
            return;
        }
    };
    let outputs = claims.outputs.iter().map(|(name, sha256)| json!({"name": name, "sha256": sha256}));
    let operators = claims.operators.iter().map(|id| json!({"id": id}));
    let validators = claims.validators.iter().map(|(key, nonce)| json!({"publicKey": key, "nonce": nonce}));
    let written = json!({
        "schema": SCHEMA,
        "network": {"name": claims.network, "chainId": claims.chain_id, "contract": claims.contract},
        "outputs": outputs.collect::<Vec<_>>(),
        "owner": claims.owner,
        "firstNonce": claims.first_nonce,
        "threshold": claims.threshold,
        "operators": operators.collect::<Vec<_>>(),
        "validators": validators.collect::<Vec<_>>(),
    });
    let written = serde_json::to_vec(&written).expect("a document is written");
    assert_eq!(Claims::parse(&written).as_ref(), Ok(&claims));

    let without_mark = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Value = serde_json::from_slice(without_mark).expect("what is read is JSON");
    assert_eq!(document["network"]["chainId"].as_u64(), Some(claims.chain_id));
    for (name, length) in [
        ("outputs", claims.outputs.len()),
        ("operators", claims.operators.len()),
        ("validators", claims.validators.len()),
    ] {
        assert_eq!(document[name].as_array().map(Vec::len), Some(length));
    }
    beside(&claims);
});

/// The claims beside a valid file. Only a description of this very file is believed.
fn beside(claims: &Claims) {
    let (file, sha256) = &*FILE;
    // Judging takes time: only claims about the file's name have a say.
    let names: Vec<_> = claims.outputs.iter().filter(|(name, _)| name.contains("keyshares")).collect();
    let Some((name, described)) = names.first() else { return };
    let beside = Beside {
        claims: Some(Ok(claims.clone())),
        bundled: None,
        name: name.clone(),
        sha256: sha256.clone(),
    };
    for network in [None, Some(Network::Hoodi)] {
        let expected = Expected { network, ..Expected::default() };
        let report = judge(file, &expected, Some(&beside), 1);
        if report.verdict != Verdict::Valid {
            continue;
        }
        assert!(report.result(Check::Provenance).is_some_and(|result| result.held == 1));
        assert_eq!(described, sha256);
        assert_eq!(claims.owner.parse().ok(), report.owner);
        assert_eq!((claims.first_nonce, claims.threshold), (0, 3));
        assert_eq!(claims.operators, [1, 2, 3, 4]);
        let [(public_key, 0)] = claims.validators.as_slice() else { panic!("one validator with nonce 0") };
        assert_eq!(report.validators[0].public_key.map(|key| key.to_string()).as_ref(), Some(public_key));
        let named: Network = claims.network.parse().expect("a known network");
        assert_eq!(named.chain_id(), claims.chain_id);
        assert!(network.is_none_or(|wanted| wanted == named));
        assert_eq!(report.network.as_deref(), Some(named.name()));
    }
}
