//! What lies beside a ceremony's results and is signed by nobody: edited by somebody who would have them used elsewhere.

use std::path::Path;

use dvkey::format::network::Network;
use dvkey::format::provenance::FILE_NAME;
use dvkey_ceremony::agdkg::bundle::{Bundle, encode};

use super::{Group, WITHDRAWAL, tree};
use crate::{dvkey, objects, stderr, stdout};

/// Four operators' results in `output`, for Hoodi.
fn assembled(title: &str) -> Group {
    let mut group = Group::new(&["ann", "ben", "cat", "dan"], &[12, 34, 56, 78]);
    let plan = ["--owner", WITHDRAWAL, "--nonce", "7", "--nonce-window", "2", "--validators", "2", "--title", title];
    group.plan(&plan);
    group.round(&[0, 0, 0, 0]);
    group.round(&[0, 0, 0]);
    group.run(&["assemble", "stick", "--out", "output"], 0);
    group
}

fn edit(path: &Path, changes: &[(&str, &str)]) {
    let text = std::fs::read_to_string(path).unwrap();
    let edited = changes.iter().fold(text.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in {}", path.display());
        text.replace(from, to)
    });
    std::fs::write(path, edited).unwrap();
}

fn copy(group: &Group, name: &str, left_out: &[&str]) {
    std::fs::create_dir(group.at(name)).unwrap();
    for (path, content) in tree(&group.at("output")) {
        let file = path.file_name().unwrap().to_str().unwrap();
        if !left_out.contains(&file) {
            std::fs::write(group.at(name).join(file), content).unwrap();
        }
    }
}

#[test]
fn the_plan_that_all_signed_decides_and_no_provenance_beside_it() {
    let group = assembled("the first");
    let (hoodi, mainnet) = (Network::Hoodi, Network::Mainnet);
    let (from, to) = (format!("\"chainId\": {}", hoodi.chain_id()), format!("\"chainId\": {}", mainnet.chain_id()));
    let to_mainnet = [("\"hoodi\"", "\"mainnet\""), (&from, &to), (hoodi.ssv_contract(), mainnet.ssv_contract())];
    let verify = |arguments: &[&str], exit: i32| {
        let assert = dvkey(group.folder.path()).arg("verify").args(arguments).assert().code(exit);
        stdout(&assert) + &stderr(&assert)
    };
    let register = |folder: &str, network: &str, exit: i32| {
        let (file, out) = (format!("{folder}/keyshares.json"), format!("tx-{folder}-{network}"));
        let arguments = ["tx", "register", &file, "--network", network, "--new-cluster", "--value", "1ether"];
        let assert = dvkey(group.folder.path()).args(arguments).args(["--out", &out]).assert().code(exit);
        assert_eq!(group.at(&out).exists(), exit == 0);
        stderr(&assert)
    };
    assert!(!register("output", "hoodi", 0).contains("taken on trust"));

    // Edited, whichever of the bundles is beside it.
    let named = "provenance.json names mainnet, the plan that everybody signed is for hoodi: somebody edited it";
    for (name, left_out) in [("both", &[][..]), ("public", &["ceremony.bn"]), ("full", &["ceremony.public.bn"])] {
        copy(&group, name, left_out);
        edit(&group.at(name).join(FILE_NAME), &to_mainnet);
        for what in [name.to_owned(), format!("{name}/keyshares.json")] {
            for more in [&[][..], &["--network", "mainnet"], &["--network", "hoodi"]] {
                let said = verify(&[&[what.as_str()], more].concat(), 3).replace("\n", " ").replace("      ", " ");
                assert!(said.contains("NOT VALID") && said.contains("K17"), "{said}");
                assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(named), "{said}");
            }
        }
        for network in ["mainnet", "hoodi"] {
            assert!(register(name, network, 3).contains("somebody edited it"));
        }
        let said = group.run(&["verify", name], 3);
        let told = "NO  provenance.json says what the ceremony says: it was changed; it says something else: network";
        assert!(
            said.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(&told.replace("  ", " ")),
            "{}",
            said.stdout
        );
    }

    // Without one, the plan says the network.
    copy(&group, "silent", &[FILE_NAME]);
    verify(&["silent/keyshares.json", "--network", "hoodi"], 0);
    let said = verify(&["silent/keyshares.json", "--network", "mainnet"], 3);
    assert!(said.contains("made for hoodi, mainnet was expected"), "{said}");
    assert!(register("silent", "mainnet", 3).contains("made for hoodi"));
    assert!(!register("silent", "hoodi", 0).contains("taken on trust"));

    // A bundle that says nothing about these keys is no reason to believe anything.
    let other = assembled("the second");
    for (name, bytes) in [
        ("another", std::fs::read(other.at("output/ceremony.public.bn")).unwrap()),
        ("cut", std::fs::read(group.at("output/ceremony.bn")).unwrap().split_last().unwrap().1.to_vec()),
        ("garbage", b"not a bundle".to_vec()),
    ] {
        copy(&group, name, &["ceremony.public.bn"]);
        std::fs::write(group.at(name).join("ceremony.bn"), bytes).unwrap();
        let said = verify(&[name], 3);
        assert!(said.contains("K20") && said.contains("the ceremony's bundle beside it"), "{name}: {said}");
        assert!(register(name, "hoodi", 3).contains("K20"));
        // Renamed, it may have nothing to do with what lies there; what could not be read is told.
        std::fs::rename(group.at(name).join("keyshares.json"), group.at(name).join("renamed.json")).unwrap();
        let said = verify(&[&format!("{name}/renamed.json")], 0).split_whitespace().collect::<Vec<_>>().join(" ");
        let unread = said.contains("the ceremony's bundle beside it cannot be read");
        assert_eq!(unread, name != "another", "{name}: {said}");
    }
    // Beside keyshares of other names it may lie.
    std::fs::copy(other.at("output/keyshares.json"), group.at("silent/of others.json")).unwrap();
    assert!(!verify(&["silent/of others.json"], 0).contains("K20"));
}

#[test]
fn sealed_shares_that_nobody_certified_are_told() {
    let group = assembled("the one");
    let verify = |path: &str, exit: i32| {
        let assert = dvkey(group.folder.path()).args(["verify", path]).assert().code(exit);
        (stdout(&assert) + &stderr(&assert)).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    verify("output/keyshares.json", 0);
    // One validator more than the ceremony made, and one less: no keys are looked at.
    for more in [1, -1] {
        let name = format!("more {more}");
        copy(&group, &name, &[]);
        let path = group.at(&name).join("keyshares.json");
        let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let shares = document["shares"].as_array_mut().unwrap();
        if more > 0 {
            shares.push(shares[0].clone())
        } else {
            drop(shares.pop())
        }
        std::fs::write(&path, document.to_string()).unwrap();
        let said = verify(&format!("{name}/keyshares.json"), 3);
        assert!(said.contains("K20") && said.contains("not one in which everybody certified these keys"), "{said}");
    }
    // Two operators' exchanged, and one that is nobody's, in the last validator only; under another name, too.
    let first = 96 + 4 * 48;
    for (name, change) in [
        ("swapped", (|all: &mut [u8]| all[..512].rotate_left(256)) as fn(&mut [u8])),
        ("edited", |all: &mut [u8]| all[100] ^= 1),
    ] {
        copy(&group, name, &[]);
        let text = std::fs::read_to_string(group.at(name).join("keyshares.json")).unwrap();
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let shares_data = &mut document["shares"][1]["payload"]["sharesData"];
        let mut bytes = hex::decode(&shares_data.as_str().unwrap()[2..]).unwrap();
        change(&mut bytes[first..]);
        *shares_data = format!("0x{}", hex::encode(bytes)).into();
        for file in ["keyshares.json", "renamed.json"] {
            std::fs::write(group.at(name).join(file), document.to_string()).unwrap();
            let said = verify(&format!("{name}/{file}"), 3);
            let told = "the sealed share of operator 12 is not the one that its holder certified";
            assert!(said.contains("K20") && said.contains(told), "{said}");
        }
    }
}

#[test]
fn a_report_or_provenance_that_says_something_else_is_told() {
    let group = assembled("the one");
    let verify = |folder: &str, exit: i32| {
        let said = group.run(&["verify", folder, "--json"], exit);
        let checks = objects(&said.stdout).remove(0)["checks"].clone();
        let bad: Vec<_> = checks.as_array().unwrap().iter().filter(|check| check["holds"] == false).cloned().collect();
        let told: Vec<_> = bad.iter().map(|check| format!("{}: {}", check["title"], check["reason"])).collect();
        (checks.as_array().unwrap().len(), told.join("\n"))
    };
    let (count, told) = verify("output", 0);
    assert_eq!(told, "");
    for left_out in ["ceremony.bn", "ceremony.public.bn", FILE_NAME, "report.txt"] {
        let name = format!("without {left_out}");
        copy(&group, &name, &[left_out]);
        assert_eq!(verify(&name, 0), (count - 1, String::new()), "{name}");
    }
    // From another nonce of the window, all of it is another's.
    group.run(&["assemble", "stick", "--out", "later", "--nonce", "8"], 0);
    assert_eq!(verify("later", 0), (count, String::new()));
    std::fs::copy(group.at("later/report.txt"), group.at("without report.txt/report.txt")).unwrap();
    assert!(verify("without report.txt", 3).1.contains("report.txt says what the ceremony says"));

    let swapped = "0x52908400098527886E0F7030069857D2E4169EE7";
    for (number, (file, from, to, what)) in [
        ("report.txt", WITHDRAWAL, swapped, "line"),
        ("report.txt", "hoodi", "mainnet", "line"),
        ("report.txt", "\nBefore depositing", "\nDeposit now, and ask nobody\nBefore depositing", "line"),
        ("report.txt", "  3  every participant keeps", "  3  nobody keeps", "line"),
        (FILE_NAME, WITHDRAWAL, swapped, "owner"),
        (FILE_NAME, "\"firstNonce\": 7", "\"firstNonce\": 8", "firstNonce"),
        (FILE_NAME, "\"threshold\": 3", "\"threshold\": 2", "threshold"),
        (FILE_NAME, "\"held\": 4", "\"held\": 5", "checks"),
        (FILE_NAME, "\"schema\"", "\"more\": 1, \"schema\"", "more"),
        (FILE_NAME, "\"id\": 12", "\"id\": 13", "operators"),
        (FILE_NAME, "deposit_data-", "deposit-data-", "outputs"),
        (FILE_NAME, "  ", " ", "form"),
    ]
    .into_iter()
    .enumerate()
    {
        // Without the whole deals less is known, and all of this is.
        for left_out in [&[][..], &["ceremony.bn"]].into_iter().take(if number % 4 == 0 { 2 } else { 1 }) {
            let name = format!("{number} {left_out:?}");
            copy(&group, &name, left_out);
            edit(&group.at(&name).join(file), &[(from, to)]);
            let (_, told) = verify(&name, 3);
            let expected =
                format!("{file} says what the ceremony says\": \"it was changed; it says something else: {what}");
            assert!(told.contains(&expected), "{name}: {told}");
        }
    }
    // Of a later version only what is known is compared, and that is said.
    copy(&group, "newer", &[]);
    edit(&group.at("newer").join(FILE_NAME), &[(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"99.0.0\"")]);
    let said = group.run(&["verify", "newer"], 0).stderr;
    assert!(said.contains("report.txt was written by dvkey 99.0.0, and is not compared"), "{said}");
    // Each bundle makes all of it by itself, and from the full one shares are recovered.
    let bundle = |name: &str| std::fs::read(group.at("output").join(name)).unwrap();
    let (full, public) = (bundle("ceremony.bn"), bundle("ceremony.public.bn"));
    let parsed = Bundle::parse(&public).unwrap();
    let few = [&parsed.plans[..], &parsed.deals, &parsed.certifies[1..]].concat();
    let (hollow, few) = (encode(&parsed.plans).unwrap(), encode(&few).unwrap());
    let (redacted, alone) = ("not every deal is in it in full", "by itself it does not make these keys");
    for (number, (name, bytes, why)) in [
        ("ceremony.bn", &hollow, redacted),
        ("ceremony.bn", &public, redacted),
        ("ceremony.public.bn", &hollow, alone),
        ("ceremony.public.bn", &few, alone),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = format!("hollow {number}");
        copy(&group, &folder, &["report.txt", FILE_NAME]);
        std::fs::write(group.at(&folder).join(name), bytes).unwrap();
        let told = verify(&folder, 3).1;
        assert!(told.starts_with(&format!("\"{name} is a bundle of this ceremony\": \"{why}")), "{told}");
    }
    copy(&group, "both full", &["report.txt", FILE_NAME]);
    std::fs::write(group.at("both full/ceremony.public.bn"), &full).unwrap();
    assert_eq!(verify("both full", 0).1, "");
    copy(&group, "lying", &[]);
    std::fs::write(group.at("lying/ceremony.bn"), b"not a bundle").unwrap();
    assert!(verify("lying", 3).1.contains("ceremony.bn is a bundle of this ceremony"));
}
