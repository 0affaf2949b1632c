//! Somebody signs something else after everybody has certified: it is evidence, and undoes nothing.

use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::identity::Identity;
use dvkey_ceremony::agdkg::rehearsal::deal_with_bad_share;
use dvkey_ceremony::testing::forge;
use serde_json::json;

use super::faces::{plan, sent};
use super::{Group, VAULT, root, tree};
use crate::objects;

/// Another deal of somebody.
fn second_deal(group: &Group, name: &str, victim: u64) -> Vec<u8> {
    let (plan, identity) = (plan(group), Identity::derive(&root(&group.at(name))).unwrap());
    let deal = SignedDeal::parse(&plan, &sent(group, name, "-deal-")).unwrap();
    deal_with_bad_share(&identity, &plan, &deal, victim.try_into().unwrap()).unwrap()
}

const TOLD: &str = "cat (3) signed two different deals (C-34, E10). Everybody certified one and the same, which stands";

#[test]
fn a_second_deal_after_the_certificate_is_evidence_and_no_obstacle() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2", "--title", "REHEARSAL of a late deal"]);
    // Ben has not been to the stick since he dealt, and Ann's last file has not come when the second deal does.
    group.round(&[0, 0, 0]);
    group.step("ann", &[], 0);
    std::fs::write(group.at("stick/0 other"), second_deal(&group, "cat", 2)).unwrap();
    let said = group.step("ann", &[], 4);
    said.code("ceremony.fault");
    assert!(said.stderr.contains("E10"), "{}", said.stderr);
    // Nobody certifies once it is known: Ben stops, too. He certified on another laptop, which had not seen it.
    let said = group.step("ben", &[], 4);
    assert!(said.stderr.contains("cat (3) is at fault") && said.stderr.contains("evidence: "), "{}", said.stderr);
    group.run(&["audit", "stick"], 3).code("ceremony.not-valid");
    group.run(&["assemble", "stick", "--out", "output"], 4).code("ceremony.fault");
    assert!(!tree(&group.at("ben/outbox")).keys().any(|path| path.display().to_string().contains("-certify-")));
    std::fs::create_dir(group.at("laptop")).unwrap();
    for (path, content) in tree(&group.at("ben")) {
        let kept = path.strip_prefix(group.at("ben")).unwrap();
        if !content.starts_with(b"AGDKG1BN") && content != second_deal(&group, "cat", 2) {
            std::fs::create_dir_all(group.at("laptop").join(kept).parent().unwrap()).unwrap();
            std::fs::write(group.at("laptop").join(kept), content).unwrap();
        }
    }
    group.run(&[&["certify", "laptop"][..], &VAULT].concat(), 0);
    std::fs::write(group.at("stick/of ben"), sent(&group, "laptop", "-certify-")).unwrap();

    // Now everybody has certified the same, and that stands, whichever of the two deals comes first.
    for (name, exit) in [("ann", 0), ("ben", 0), ("cat", 0)] {
        let said = group.step(name, &[], exit);
        let flat = said.stderr.replace('\n', " ").replace("          ", " ");
        assert!(flat.contains(TOLD) && flat.contains("-evidence-3-c34.agdkg"), "{}", said.stderr);
        assert!(flat.contains("The ceremony is finished") && !flat.contains("at fault"), "{}", said.stderr);
        assert!(group.at(&format!("{name}/keystores")).exists());
        assert!(std::fs::read_to_string(group.at(&format!("{name}/journal.agj"))).unwrap().contains(" finished "));
    }
    let said = group.run(&["status", "stick"], 0);
    let flat = said.stderr.replace('\n', " ").replace("          ", " ");
    assert!(flat.contains(TOLD) && flat.contains("stick/0 other, stick/"), "{flat}");
    assert!(said.stdout.contains("TWO DEALS") && said.stdout.contains("complete: "), "{}", said.stdout);
    let said = group.run(&["status", "ann", "--json"], 0).last_object();
    assert_eq!((&said["complete"], &said["endedBy"], &said["twoDeals"]), (&true.into(), &().into(), &json!([3])));
    for (command, result) in [
        (&["assemble", "stick", "--out", "output"][..], "output/report.txt"),
        (&["assemble", "ann", "--out", "again"], "again/report.txt"),
        (&["verify", "stick", "output"], "VALID"),
        (&["audit", "stick"], "C-34  ok  of two deals of one sender, everybody certified the same"),
    ] {
        let said = group.run(command, 0);
        let flat = said.stderr.replace('\n', " ").replace("          ", " ");
        assert!(flat.contains(TOLD), "{command:?}: {}", said.stderr);
        assert!(said.stdout.contains(result), "{command:?}: {}", said.stdout);
    }
    assert_eq!(
        tree(&group.at("output")).into_values().collect::<Vec<_>>(),
        tree(&group.at("again")).into_values().collect::<Vec<_>>()
    );
    let said = group.run(&["audit", "stick", "--json"], 0).last_object();
    assert_eq!((&said["valid"], &said["evidenceAgainst"]), (&true.into(), &json!([3])));
    // What was assembled has one deal of each, and says nothing of the other.
    let said = group.run(&["audit", "output/ceremony.public.bn"], 0);
    assert!(!said.stderr.contains("cat (3)") && said.stdout.contains("ok  nobody signed two different deals"));
    let recover =
        ["recover", "--bundle", "stick", "--folder", "ben", "--out", "back", "--keystore-password-file", "pp"];
    group.run(&[&recover[..], &VAULT].concat(), 0);
    // Whoever signed two is guilty all the same, and finds no way back by it.
    let evidence = tree(&group.at("ben/outbox"));
    let evidence = evidence.keys().find(|path| path.display().to_string().contains("evidence-3")).unwrap();
    group.run(&["judge", evidence.to_str().unwrap()], 4);
    std::fs::write(group.at("stick/third"), second_deal(&group, "cat", 1)).unwrap();
    group.step("ann", &[], 0);
}

#[test]
fn a_second_commitment_after_the_certificate_is_evidence_and_no_obstacle() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--precommit"]);
    for _ in 0..2 {
        group.round(&[0, 0]);
    }
    group.step("ann", &[], 0);
    let ben = Identity::derive(&root(&group.at("ben"))).unwrap();
    let other = forge::changed(&ben, &sent(&group, "ben", "-precommit-"), |body| body[48] ^= 1);
    std::fs::write(group.at("stick/0 other"), other).unwrap();
    for command in [&["assemble", "stick", "--out", "output"][..], &["audit", "stick"], &["status", "stick"]] {
        let flat = group.run(command, 0).stderr.replace('\n', " ").replace("          ", " ");
        assert!(flat.contains("ben (2) committed to another deal, too (C-29, E11). Everybody certified one"), "{flat}");
    }
    let said = group.step("ben", &[], 0);
    assert!(said.stderr.contains("The ceremony is finished"), "{}", said.stderr);
    let said = group.run(&["audit", "stick", "--json"], 0);
    let line = objects(&said.stdout).into_iter().find(|line| line["check"] == "C-29").unwrap();
    assert_eq!(line["finding"], "holds");
    assert!(line["title"].as_str().unwrap().contains("another commitment came late"), "{line}");
}
