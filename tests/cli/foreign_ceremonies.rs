//! What ssv-dkg made, and what a careful verifier should say about it: read where it lies, beside the project.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::text;
use crate::{dvkey, read_json, stdout};

/// The folder of the vectors, which belong to others and are not part of this project.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/ssv-dkg");
    if folder.join("manifest.json").exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there; the verdicts on real ceremonies were not checked", folder.display());
    None
}

#[test]
fn every_verdict_of_the_manifest_holds() {
    let Some(folder) = vectors() else { return };
    let mut judged = 0;
    for item in read_json(&folder.join("manifest.json"))["items"].as_array().unwrap() {
        let expect = &item["expect"];
        let (Value::String(verdict), params) =
            (if expect["strict"].is_string() { &expect["strict"] } else { &expect["verdict"] }, &item["params"])
        else {
            continue;
        };
        let mut command = dvkey(&folder);
        command.args(["verify", text(&item["path"])]);
        for (option, name) in [
            ("--owner", "owner"),
            ("--nonce", if params["nonce"].is_null() { "start_nonce" } else { "nonce" }),
            ("--withdrawal", "withdraw_address"),
            ("--network", "network"),
            ("--validators", "validators"),
        ] {
            match &params[name] {
                Value::String(value) => command.args([option, value]),
                Value::Number(value) => command.args([option, &value.to_string()]),
                _ => &mut command,
            };
        }
        if let Some(gwei) = params["amount_gwei"].as_u64() {
            command.args(["--amount", &format!("{gwei}gwei")]);
        }
        let accepted = match verdict.as_str() {
            "accept" => true,
            "reject" => false,
            other => panic!("{other} is no verdict"),
        };
        let assert = command.assert().code(if accepted { 0 } else { 3 });
        let said = stdout(&assert);
        assert_eq!(said.contains(": VALID"), accepted, "{item}: {said}");
        judged += 1;
    }
    assert_eq!(judged, 19, "items were added or lost: say how many there are");
}

#[test]
fn proofs_are_judged_with_a_list_of_operators() {
    let Some(folder) = vectors() else { return };
    let run = |arguments: &[&str]| dvkey(&folder).args(["verify", "proofs/proofs-10x4.json"]).args(arguments).assert();
    let said = stdout(&run(&["--operators", "keys/operators_info.json", "--validators", "10"]).code(0));
    assert!(said.contains("operators 11, 22, 44, 55"), "{said}");
    run(&["--operators", "keys/operators_info.json", "--validators", "9"]).code(3);
    run(&["--operators", "keys/operators_info.json", "--owner", crate::OWNER]).code(0);
    let said = stdout(&run(&[]).code(1));
    assert!(said.contains("CANNOT BE JUDGED"), "{said}");
}
