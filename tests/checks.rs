//! One test for each numbered check on deposit data, proofs and ceremonies: what fails, and that nothing else does.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its own fixtures, writes altered ones and fails by panicking"
)]

#[expect(dead_code, reason = "the other test files need the rest of it")]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dvkey::crypto::kdf::KdfLimits;
use dvkey::crypto::password::Password;
use dvkey::format::deposit::{self, DepositFile};
use dvkey::format::keystore::Keystore;
use dvkey::format::network::Network;
use dvkey::format::operators::OperatorList;
use dvkey::workflow::verify::check::{Report, Verdict};
use dvkey::workflow::verify::deposit::{Withdrawal, judge};
use dvkey::workflow::verify::keyshares::Expected;
use dvkey::workflow::verify::{Outcome, verify};
use dvkey_ceremony::{DepositMessage, Gwei, SecretBytes, WithdrawalCredentials};
use serde_json::{Value, json};
use support::{fixture, text};

const FIRST: &str = "000007-0x89af594f";

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn write(path: &Path, content: &Value) {
    std::fs::write(path, serde_json::to_vec(content).unwrap()).unwrap();
}

/// The ids of the checks that fail.
fn failing(report: &Report) -> BTreeSet<&'static str> {
    report.failures().map(|(check, _, _)| check.id()).collect()
}

fn ids(text: &'static str) -> BTreeSet<&'static str> {
    text.split_whitespace().collect()
}

#[test]
fn deposits_of_another_tool_are_valid_and_ours_are_the_same() {
    let theirs = read(&fixture("deposit/deposits.json"));
    let password = std::fs::read(fixture("split/password.txt")).unwrap();
    let password = Password::new(SecretBytes::new(password.trim_ascii_end().to_vec())).unwrap();
    let keystore = std::fs::read(fixture("split/keystore-demo.json")).unwrap();
    let keystore = Keystore::parse(&keystore, KdfLimits::DEFAULT).unwrap();
    let unlocked = keystore.unlock(&password).unwrap();
    assert_eq!(theirs.as_array().unwrap().len(), 18);
    for case in theirs.as_array().unwrap() {
        let network: Network = text(&case["network_name"]).parse().unwrap();
        let credentials = hex::decode(text(&case["withdrawal_credentials"])).unwrap();
        let credentials = WithdrawalCredentials::from_bytes(&credentials).unwrap();
        let amount = Gwei::new(case["amount"].as_u64().unwrap());
        let message = DepositMessage { public_key: unlocked.public_key, credentials, amount };
        let ours = message.sign(&unlocked.secret_key, network.genesis_fork_version());
        let written = deposit::write(&[ours], network).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), json!([case]));

        let file = DepositFile::parse(json!([case]).to_string().as_bytes()).unwrap();
        let asked = Expected {
            network: Some(network),
            withdrawal: Some(Withdrawal::Credentials(credentials)),
            amount: Some(amount),
            validators: Some(1),
            ..Expected::default()
        };
        assert_eq!(judge(&file, &asked, 1).verdict, Verdict::Valid, "{case}");
        // On any other network it is a no.
        let other = Expected { network: Some(Network::Holesky), ..asked };
        assert_eq!(failing(&judge(&file, &other, 1)), ids("D07"));
    }
}

#[test]
fn every_check_on_deposits_fails_alone() {
    let good = read(&fixture("ceremony/deposit_data.json"));
    let nothing = Expected::default();
    let run = |content: &Value, expected: &Expected<'_>| {
        let report = judge(&DepositFile::parse(content.to_string().as_bytes()).unwrap(), expected, 2);
        assert_eq!(report.verdict == Verdict::Valid, failing(&report).is_empty());
        failing(&report)
    };
    assert_eq!(run(&good, &nothing), ids(""));
    let second = |name: &str, value: Value| {
        let mut altered = good.clone();
        altered[1][name] = value;
        altered
    };
    let flip = |name: &str| {
        let hex = text(&good[1][name]).to_owned();
        let last = if hex.ends_with('0') { "1" } else { "0" };
        format!("{}{last}", &hex[..hex.len() - 1])
    };
    let credentials = text(&good[1]["withdrawal_credentials"]).to_owned();
    for (what, altered, wanted) in [
        ("a field of another length", second("pubkey", "00".into()), "D01"),
        ("a missing field", second("signature", Value::Null), "D01"),
        ("no deposit", json!([]), "D02"),
        ("a point that is none", second("pubkey", "ff".repeat(48).into()), "D03"),
        ("a validator twice", json!([good[0], good[0]]), "D04"),
        ("an unknown type", second("withdrawal_credentials", format!("03{}", &credentials[2..]).into()), "D05"),
        ("padding", second("withdrawal_credentials", format!("0101{}", &credentials[4..]).into()), "D05"),
        (
            "a message root of something else",
            second("deposit_message_root", flip("deposit_message_root").into()),
            "D09",
        ),
        ("a data root of something else", second("deposit_data_root", flip("deposit_data_root").into()), "D10"),
        ("a signature that is no point", second("signature", "ff".repeat(96).into()), "D11"),
        ("another's signature", second("signature", good[0]["signature"].clone()), "D10 D11"),
        ("a name of another network", second("network_name", "mainnet".into()), "D08"),
        ("an unknown network", second("fork_version", "10000911".into()), "D07 D11"),
        ("two networks", second("fork_version", "00000000".into()), "D07 D08 D11"),
        ("less than 1 ETH", second("amount", 999_999_999.into()), "D06 D09 D10 D11"),
        ("more than 2048 ETH", second("amount", 2_048_000_000_001u64.into()), "D06 D09 D10 D11"),
        ("another amount", second("amount", 31_000_000_000u64.into()), "D09 D10 D11"),
        (
            "the zero address",
            second("withdrawal_credentials", format!("01{}", "00".repeat(31)).into()),
            "D05 D09 D10 D11",
        ),
    ] {
        assert_eq!(run(&altered, &nothing), ids(wanted), "{what}");
    }
    let other = "0x52908400098527886E0F7030069857D2E4169EE7".parse().unwrap();
    for (expected, wanted) in [
        (Expected { validators: Some(3), ..nothing }, "D02"),
        (Expected { withdrawal: Some(Withdrawal::Address(other)), ..nothing }, "D05"),
        (
            Expected {
                withdrawal: Some(Withdrawal::Credentials(WithdrawalCredentials::Compounding(
                    "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494".parse().unwrap(),
                ))),
                ..nothing
            },
            "D05",
        ),
        (Expected { amount: Some(Gwei::ETHER), ..nothing }, "D06"),
        (Expected { network: Some(Network::Mainnet), ..nothing }, "D07"),
    ] {
        assert_eq!(run(&good, &expected), ids(wanted), "{expected:?}");
    }
}

/// A copy of the ceremony, to be altered.
struct Ceremony(tempfile::TempDir);

impl Ceremony {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture("ceremony"), &folder.path().join("c"));
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("c")
    }

    /// The folder of the first validator.
    fn first(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(FIRST)).unwrap()
    }

    /// Alters a file of the first validator, and the file for all in the same way, so that they still agree.
    fn alter(&self, file: &str, change: impl Fn(&mut Value)) {
        let path = self.first().join(file);
        let mut single = read(&path);
        change(match file {
            "keyshares.json" => &mut single["shares"][0],
            "proofs.json" => &mut single,
            _ => &mut single[0],
        });
        write(&path, &single);
        let path = self.path().join(file);
        let mut all = read(&path);
        change(if file == "keyshares.json" { &mut all["shares"][0] } else { &mut all[0] });
        write(&path, &all);
    }

    fn failing(&self, expected: &Expected<'_>) -> BTreeSet<&'static str> {
        judge_path(&self.path(), None, expected)
    }
}

fn judge_path(path: &Path, proofs: Option<&Path>, expected: &Expected<'_>) -> BTreeSet<&'static str> {
    let findings = verify(&[path.to_path_buf()], proofs, expected, 2);
    let mut all = BTreeSet::new();
    for answer in findings.iter().flat_map(|findings| &findings.answers) {
        match &answer.outcome {
            Outcome::Judged(report) => {
                assert_eq!(report.verdict == Verdict::NotValid, !failing(report).is_empty());
                all.extend(failing(report));
            }
            Outcome::CannotJudge(why) => panic!("{}: {why}", answer.file),
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn every_check_on_proofs_fails_alone() {
    let nothing = Expected::default();
    assert_eq!(Ceremony::new().failing(&nothing), ids(""));
    let other_key = text(&read(&fixture("ceremony/deposit_data.json"))[1]["pubkey"]).to_owned();
    type Change<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let set = |place: usize, name: &'static str, value: Value| -> Change<'_> {
        Box::new(move |proofs: &mut Value| proofs[place]["proof"][name] = value.clone())
    };
    let cases: Vec<(&str, Change<'_>, &str)> = vec![
        ("a field of another length", set(1, "owner", "00".into()), "P01"),
        ("a proof too few", Box::new(|proofs| drop(proofs.as_array_mut().unwrap().pop())), "P02"),
        ("two validators in a list", set(1, "validator", other_key.clone().into()), "F05 P03"),
        ("a share key that is no point", set(1, "share_pub", "ff".repeat(48).into()), "P04 P06"),
        (
            "one share twice",
            Box::new(|proofs| proofs[1]["proof"]["share_pub"] = proofs[0]["proof"]["share_pub"].clone()),
            "P04 P06",
        ),
        (
            "the validator key as a share",
            Box::new(|proofs| proofs[1]["proof"]["share_pub"] = proofs[0]["proof"]["validator"].clone()),
            "P04 P06",
        ),
        ("another owner in one proof", set(1, "owner", "11".repeat(20).into()), "P05 P07"),
        ("the zero address", set(1, "owner", "00".repeat(20).into()), "P05 P07"),
        ("another share key", set(1, "share_pub", other_key.clone().into()), "P06 P07"),
        ("another sealed share", set(1, "encrypted_share", "11".repeat(256).into()), "P06 P07"),
        (
            "another operator's signature",
            Box::new(|proofs| proofs[1]["signature"] = proofs[0]["signature"].clone()),
            "P07",
        ),
        ("a signature that is none", Box::new(|proofs| proofs[1]["signature"] = "00".repeat(256).into()), "P07"),
    ];
    for (what, change, wanted) in cases {
        let ceremony = Ceremony::new();
        ceremony.alter("proofs.json", change);
        assert_eq!(ceremony.failing(&nothing), ids(wanted), "{what}");
    }
    let ceremony = Ceremony::new();
    let owner = Some("0x52908400098527886E0F7030069857D2E4169EE7".parse().unwrap());
    assert_eq!(ceremony.failing(&Expected { owner, ..nothing }), ids("K10 P05"));
}

/// Proofs as a file of their own: with a list of operators, with keyshares, and where they are demanded.
#[test]
fn proofs_alone_and_demanded() {
    let nothing = Expected::default();
    let proofs = fixture("ceremony/proofs.json");
    let list = OperatorList::parse(&std::fs::read(fixture("split/operators.json")).unwrap()).unwrap();
    let listed = Expected { operators: Some(&list), ..nothing };
    assert_eq!(judge_path(&proofs, None, &listed), ids(""));
    assert_eq!(judge_path(&proofs, None, &Expected { validators: Some(1), ..listed }), ids("P02"));
    let ceremony = Ceremony::new();
    let path = ceremony.0.path().join("proofs.json");
    let good = read(&proofs);
    write(&path, &json!([good[0], good[0]]));
    assert_eq!(judge_path(&path, None, &listed), ids("P03"));
    let mut doubled = good.clone();
    doubled[0][1] = doubled[0][0].clone();
    doubled[0][1]["proof"]["share_pub"] = good[0][1]["proof"]["share_pub"].clone();
    write(&path, &doubled);
    assert_eq!(judge_path(&path, None, &listed), ids("P07"));

    let keyshares = fixture("ceremony/keyshares.json");
    assert_eq!(judge_path(&keyshares, Some(&proofs), &nothing), ids(""));
    write(&path, &json!([good[0]]));
    assert_eq!(judge_path(&keyshares, Some(&path), &nothing), ids("P08"));
    assert_eq!(judge_path(&fixture("ceremony/deposit_data.json"), Some(&path), &listed), ids("P08"));
    // Neither keyshares nor a list: whose proofs they are, nobody knows.
    let findings = verify(std::slice::from_ref(&proofs), None, &nothing, 1);
    assert!(matches!(&findings[0].answers[0].outcome, Outcome::Judged(report) if failing(report).is_empty()
        && matches!(report.verdict, Verdict::CannotJudge(_))));
}

#[test]
fn every_check_on_a_folder_fails_alone() {
    let nothing = Expected::default();
    type Change = Box<dyn Fn(&Ceremony)>;
    let rename = |to: &'static str| -> Change {
        Box::new(move |ceremony| {
            let from = ceremony.first();
            let name = from.file_name().unwrap().to_str().unwrap().to_owned();
            std::fs::rename(&from, ceremony.path().join(name.replace("000007", to))).unwrap();
        })
    };
    let cases: Vec<(&str, Change, &str)> = vec![
        ("a stray", Box::new(|c| std::fs::write(c.path().join("notes.txt"), "x").unwrap()), "F01"),
        ("a mark of failure", Box::new(|c| std::fs::write(c.path().join("FAILED"), "x").unwrap()), "F01"),
        ("a stray folder", Box::new(|c| std::fs::create_dir(c.path().join("more")).unwrap()), "F01"),
        ("a stray inside", Box::new(|c| std::fs::write(c.first().join("notes.txt"), "x").unwrap()), "F02"),
        (
            "no deposit data",
            Box::new(|c| std::fs::remove_file(c.first().join("deposit_data.json")).unwrap()),
            "D01 F02",
        ),
        ("proofs cut off", Box::new(|c| std::fs::write(c.first().join("proofs.json"), "[{").unwrap()), "F02 P01"),
        (
            "two deposits in a folder of one",
            Box::new(|c| {
                let both = read(&c.path().join("deposit_data.json"));
                write(&c.first().join("deposit_data.json"), &both);
            }),
            "F03 F07",
        ),
        ("a name with another nonce", rename("000006"), "F04"),
        ("a name with too few digits", rename("7"), "F04"),
        ("a name with too many digits", rename("0000007"), "F04"),
        (
            "another validator's deposit",
            Box::new(|c| {
                let both = read(&c.path().join("deposit_data.json"));
                write(&c.first().join("deposit_data.json"), &json!([both[1]]));
                write(&c.path().join("deposit_data.json"), &json!([both[1], both[1]]));
            }),
            "D04 F04 F05",
        ),
        ("no keyshares for all", Box::new(|c| std::fs::remove_file(c.path().join("keyshares.json")).unwrap()), "F06"),
        ("files for all, and one validator", Box::new(|c| std::fs::remove_dir_all(c.first()).unwrap()), "F06"),
        (
            "proofs for all in another order",
            Box::new(|c| {
                let all = read(&c.path().join("proofs.json"));
                write(&c.path().join("proofs.json"), &json!([all[1], all[0]]));
            }),
            "F07",
        ),
        (
            "keyshares for all cut off",
            Box::new(|c| std::fs::write(c.path().join("keyshares.json"), "{").unwrap()),
            "F07",
        ),
    ];
    for (what, change, wanted) in cases {
        let ceremony = Ceremony::new();
        change(&ceremony);
        assert_eq!(ceremony.failing(&nothing), ids(wanted), "{what}");
    }
    // What a file manager leaves behind is nobody's fault.
    let ceremony = Ceremony::new();
    std::fs::write(ceremony.path().join(".DS_Store"), "x").unwrap();
    std::fs::write(ceremony.first().join("Thumbs.db"), "x").unwrap();
    assert_eq!(ceremony.failing(&nothing), ids(""));
    // The folder of one validator, named on its own.
    assert_eq!(judge_path(&ceremony.first(), None, &nothing), ids(""));

    // By whatever name it is reached, it is still that folder.
    let link = ceremony.0.path().join("link");
    std::os::unix::fs::symlink(ceremony.first(), &link).unwrap();
    std::fs::write(ceremony.first().join("notes.txt"), "x").unwrap();
    for way in [link, ceremony.first().join("."), ceremony.first().join("../../link")] {
        assert_eq!(judge_path(&way, None, &nothing), ids("F02"), "{}", way.display());
    }
}

/// Where the folders of the validators are gone or cannot be told, their files for all do not pass for the whole.
#[test]
fn what_is_left_of_a_ceremony_is_no_ceremony() {
    let nothing = Expected::default();
    let bare = || {
        let ceremony = Ceremony::new();
        for entry in std::fs::read_dir(ceremony.path()).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        ceremony
    };
    // The files for all alone are files like others.
    assert_eq!(bare().failing(&nothing), ids(""));
    let failed = bare();
    std::fs::write(failed.path().join("FAILED"), "x").unwrap();
    assert!(failed.failing(&nothing).is_superset(&ids("F01 F07")));
    let damaged = bare();
    std::fs::create_dir(damaged.path().join("000007-0xabcdef")).unwrap();
    assert!(damaged.failing(&nothing).is_superset(&ids("F01 F07")));

    // And they must be about the same validators.
    let fewer = bare();
    let all = read(&fewer.path().join("proofs.json"));
    write(&fewer.path().join("proofs.json"), &json!([all[0]]));
    assert_eq!(fewer.failing(&nothing), ids("P08"));
}

/// What each file says alone is right; what they say together is not.
#[test]
fn files_of_one_run_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let together = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        let findings = verify(&paths, None, &Expected::default(), 1);
        let answers = findings.iter().flat_map(|findings| &findings.answers);
        let mut all = BTreeSet::new();
        for answer in answers {
            let Outcome::Judged(report) = &answer.outcome else { panic!("{}", answer.file) };
            assert_eq!(report.verdict == Verdict::NotValid, !failing(report).is_empty());
            all.extend(failing(report));
        }
        all
    };
    let deposits = read(&fixture("ceremony/deposit_data.json"));
    let keyshares = read(&fixture("ceremony/keyshares.json"));
    write(&path("a.json"), &json!([deposits[0]]));
    write(&path("b.json"), &json!([deposits[0]]));
    write(&path("c.json"), &json!([deposits[1]]));
    assert_eq!(together(&["a.json", "c.json"]), ids(""));
    assert_eq!(together(&["a.json", "a.json"]), ids(""), "one file, named twice");
    assert_eq!(together(&["a.json", "b.json"]), ids("D04"));
    // All that lies in a ceremony's folder, named one by one.
    copy(&fixture("ceremony"), &path("c"));
    let inside: Vec<_> = std::fs::read_dir(path("c")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let inside: Vec<_> =
        inside.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(together(&inside), ids(""));
    assert_eq!(together(&[inside[0], "a.json", "c.json"]), ids("D04"));
    let of_networks = read(&fixture("deposit/deposits.json"));
    let on = |network: &str| of_networks.as_array().unwrap().iter().find(|one| one["network_name"] == network).unwrap();
    write(&path("mainnet.json"), &json!([on("mainnet")]));
    assert_eq!(together(&["mainnet.json"]), ids(""));
    assert_eq!(together(&["mainnet.json", "a.json"]), ids("D07"));

    // In one folder the validators must be the same.
    std::fs::create_dir(path("both")).unwrap();
    write(&path("both/keyshares.json"), &keyshares);
    write(&path("both/deposits.json"), &deposits);
    assert_eq!(together(&["both"]), ids(""));
    write(&path("both/deposits.json"), &json!([deposits[0]]));
    assert_eq!(together(&["both"]), ids("D02"));
    assert_eq!(together(&["both/keyshares.json", "both/deposits.json"]), ids(""));

    // Other shares of the same key, in whatever order the files are named; their proofs fit one of the two.
    let mut other = keyshares.clone();
    let shares = text(&other["shares"][0]["payload"]["sharesData"]).to_owned();
    let last = if shares.ends_with('1') { "2" } else { "1" };
    other["shares"][0]["payload"]["sharesData"] = format!("{}{last}", &shares[..shares.len() - 1]).into();
    write(&path("keyshares.json"), &keyshares);
    write(&path("other.json"), &other);
    write(&path("proofs.json"), &read(&fixture("ceremony/proofs.json")));
    assert_eq!(together(&["keyshares.json", "proofs.json"]), ids(""));
    assert_eq!(together(&["keyshares.json", "other.json"]), ids("K04"));
    assert_eq!(together(&["other.json", "keyshares.json", "proofs.json"]), ids("K04 P06"));
    assert_eq!(together(&["keyshares.json", "other.json", "proofs.json"]), ids("K04 P06"));
}
