//! Rehearsals with a cheat: somebody is found out, by the right code, and the evidence convinces everybody.

use serde_json::json;

use super::{quick_folder, tree};
use crate::{dvkey, objects, stderr, stdout};

/// Three participants need no operator keys, which take a while to make.
fn rehearse(folder: &std::path::Path, cheat: &str) -> (serde_json::Value, String) {
    let mut command = dvkey(folder);
    command.args(["ceremony", "rehearse", "--participants", "3", "--out", cheat, "--cheat", cheat, "--json"]);
    let assert = command.assert().success();
    (objects(&stdout(&assert)).pop().unwrap(), stderr(&assert))
}

#[test]
fn every_cheat_is_found_out_and_nothing_comes_of_it() {
    let folder = quick_folder();
    for (cheat, blamed, code) in [
        ("silent", 3, "E01"),
        ("bad-share", 3, "E15"),
        ("two-faces", 3, "E10"),
        ("bad-proof", 3, "E13"),
        ("bad-certify", 3, "E22"),
        ("false-complaint", 3, "E31"),
    ] {
        let (outcome, said) = rehearse(folder.path(), cheat);
        assert_eq!((&outcome["blamed"], &outcome["code"]), (&json!(blamed), &json!(code)), "{cheat}: {said}");
        assert!(!folder.path().join(cheat).join("output").exists(), "{cheat}");
        assert!(said.contains("CHEAT:"), "{said}");
    }
    let run = |arguments: &[&str], exit: i32| {
        let mut command = dvkey(folder.path());
        let assert = command.arg("ceremony").args(arguments).assert().code(exit);
        (stdout(&assert), stderr(&assert))
    };
    // Too late: what everybody certified stands, and the proof is there.
    let (outcome, said) = rehearse(folder.path(), "late-deal");
    assert_eq!((&outcome["blamed"], &outcome["code"]), (&json!(3), &json!("E10")), "{said}");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("which stands: nothing is undone by what is signed later"), "{said}");
    assert!(folder.path().join("late-deal/output/ceremony.ct").exists());
    // The folders stay, for everybody to look at with the commands of a real ceremony.
    let (verdict, said) = run(&["judge", "bad-share/stick", "--json"], 4);
    let verdict = objects(&verdict).remove(0);
    assert_eq!((&verdict["verdict"], &verdict["guilty"]), (&json!("dealer-guilty"), &json!(3)), "{said}");
    // The evidence in the outbox of whoever complained is enough.
    let evidence = tree(&folder.path().join("bad-share/alice/outbox"));
    let evidence = evidence.keys().find(|path| path.display().to_string().contains("evidence-3")).unwrap();
    run(&["judge", evidence.to_str().unwrap()], 4);
    let (verdict, _) = run(&["judge", "false-complaint/stick", "--json"], 4);
    assert_eq!(objects(&verdict)[0]["guilty"], 3);
    run(&["judge", "silent/stick"], 1);
    std::fs::write(folder.path().join("pp"), "rehearsal").unwrap();
    let vault = ["--passphrase-file", "pp", "--no-input"];
    // Bob has the wrong share, too? No: Alice has. Bob's step stops all the same, by her complaint.
    let (_, said) = run(&[&["step", "bad-share/bob", "--stick", "bad-share/stick"][..], &vault].concat(), 4);
    assert!(said.contains("a complaint proves it") && said.contains("evidence: "), "{said}");
    let (_, said) = run(&[&["complain", "silent/alice"][..], &vault].concat(), 5);
    assert!(said.contains("code: ceremony.waiting "), "{said}");
    let (_, said) = run(&[&["complain", "bad-certify/alice"][..], &vault].concat(), 1);
    assert!(said.contains("every share that was sent to me is right"), "{said}");
    run(&["assemble", "two-faces/stick", "--out", "no"], 4);
    run(&["assemble", "bad-certify/stick", "--out", "no"], 4);
    assert!(!folder.path().join("no").exists());
    run(&["verify", "late-deal/output"], 0);
    let (_, said) = run(&["status", "late-deal/stick"], 0);
    assert!(said.contains("signed two different deals (C-34, E10)"), "{said}");
    run(&["audit", "two-faces/stick"], 3);
    run(&["audit", "bad-certify/stick"], 3);
    run(&["audit", "silent/stick"], 3);
    // Who has which of the two deals? Two sets, one in each hand.
    for (set, left_out) in [("a", 0), ("b", 1)] {
        std::fs::create_dir(folder.path().join(set)).unwrap();
        let mut of_cheat = 0;
        for (path, content) in tree(&folder.path().join("two-faces/stick")) {
            let is_cheats = content.starts_with(b"AGDKG1R1") && content[40..48] == 3u64.to_be_bytes();
            of_cheat += usize::from(is_cheats);
            if !is_cheats || of_cheat - 1 != left_out {
                std::fs::write(folder.path().join(set).join(path.file_name().unwrap()), content).unwrap();
            }
        }
        assert_eq!(of_cheat, 2);
    }
    let (compared, _) = run(&["compare", "a", "b", "--json", "--out", "proof"], 4);
    let compared = objects(&compared).remove(0);
    assert_eq!((&compared["twoFaced"], &compared["same"]), (&json!([3]), &json!([1, 2])));
    run(&["compare", "a", "a"], 0);
    run(&["judge", "proof"], 4);
}

#[test]
fn a_rehearsal_is_whole_and_cannot_pass_for_real() {
    let folder = quick_folder();
    let run = |arguments: &[&str], exit: i32| {
        let assert = dvkey(folder.path()).arg("ceremony").args(arguments).assert().code(exit);
        (stdout(&assert), stderr(&assert))
    };
    let rehearse = ["rehearse", "--participants", "4", "--validators", "2", "--network", "hoodi", "--out", "r"];
    run(&rehearse, 0);
    for file in
        ["output/keyshares.json", "output/proofs.json", "output/report.txt", "operators/4.pem", "alice/vault.agv"]
    {
        assert!(folder.path().join("r").join(file).exists(), "{file}");
    }
    let said = stdout(&dvkey(folder.path()).args(["verify", "r/output"]).assert().success());
    assert_eq!(said.matches(": VALID, 2").count(), 3, "{said}");
    for id in 1..=4 {
        let key = format!("r/operators/{id}.pem");
        dvkey(folder.path()).args(["open", "r/output/keyshares.json", "--key", &key]).assert().success();
    }
    // For the network that was rehearsed the registration is practised, too; for mainnet there is none.
    std::fs::create_dir_all(folder.path().join("alone")).unwrap();
    std::fs::copy(folder.path().join("r/output/keyshares.json"), folder.path().join("alone/k.json")).unwrap();
    let register = |network, exit| {
        let arguments = ["tx", "register", "alone/k.json", "--network", network, "--new-cluster", "--value", "1ether"];
        let out = format!("tx-{network}");
        let ended = dvkey(folder.path()).args(arguments).args(["--out", &out]).assert().code(exit);
        assert_eq!(folder.path().join(out).exists(), exit == 0);
        stderr(&ended)
    };
    assert!(register("hoodi", 0).contains("of a rehearsal: nobody has the account"));
    assert!(register("mainnet", 1).contains("code: ceremony.rehearsal "));
    let owner = format!("0x{}", hex::encode(b"REHEARSAL NOT REAL !"));
    let keystore = crate::support::fixture("split/keystore-demo.json");
    let deposit = ["deposit", keystore.to_str().unwrap(), "--network", "hoodi", "--withdrawal", &owner, "--out", "d"];
    let refused = dvkey(folder.path()).args(deposit).arg("--no-input").assert().code(1);
    assert!(stderr(&refused).contains("code: deposit.address "), "{}", stderr(&refused));
    let judged = dvkey(folder.path()).args(["verify", "r/output"]).assert().success();
    assert_eq!(stderr(&judged).matches("this is of a REHEARSAL").count(), 3, "{}", stderr(&judged));
    let judged = dvkey(folder.path()).args(["verify", "r/output", "--json"]).assert().success();
    assert_eq!(stdout(&judged).matches("this is of a REHEARSAL").count(), 3);
    let said = stdout(&dvkey(folder.path()).args(["inspect", "r/output/keyshares.json"]).assert().success());
    assert!(said.contains("REHEARSAL") && said.contains("nobody has the account"), "{said}");
    let (said, warned) = run(&["verify", "r/output"], 0);
    assert!(said.starts_with("REHEARSAL") && warned.contains("this is a REHEARSAL"), "{said}{warned}");
    let keyshares = std::fs::read_to_string(folder.path().join("r/output/keyshares.json")).unwrap();
    let owner = hex::encode(b"REHEARSAL NOT REAL !");
    assert!(keyshares.to_lowercase().contains(&owner));
    assert!(std::fs::read_to_string(folder.path().join("r/output/report.txt")).unwrap().starts_with("REHEARSAL."));
    assert!(run(&rehearse, 1).1.contains("code: output.exists "));
    let (_, said) = run(&["rehearse", "--network", "mainnet", "--out", "m"], 1);
    assert!(said.contains("code: ceremony.rehearsal ") && !folder.path().join("m").exists(), "{said}");
    assert!(run(&["rehearse", "--cheat", "nonsense", "--out", "m"], 1).1.contains("code: ceremony.rehearsal "));
    // The paper of it.
    let (text, _) = run(&["runbook", "r/stick"], 0);
    assert!(text.contains("Script of the key ceremony") && text.contains("REHEARSAL Dave"), "{text}");
    let (page, _) = run(&["runbook", "r/output/ceremony.bn", "--html", "--out", "script.html"], 0);
    assert_eq!(page.trim(), "script.html");
}
