//! Dealers with two faces: nobody certifies, or calls a ceremony complete, over deals that others do not have.

use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::identity::Identity;
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::rehearsal::deal_with_bad_share;

use super::{Group, VAULT, root, tree};
use crate::objects;

pub(super) fn plan(group: &Group) -> Plan {
    let bytes = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    Plan::parse(&bytes, Waivers::default(), &dvkey::crypto::ceremony_rsa::CeremonyRsa).unwrap()
}

/// The bytes of somebody's file of a kind.
pub(super) fn sent(group: &Group, name: &str, kind: &str) -> Vec<u8> {
    let found = tree(&group.at(&format!("{name}/outbox")));
    found.into_iter().find(|(path, _)| path.display().to_string().contains(kind)).unwrap().1
}

/// Another deal of somebody, with a wrong share for one participant.
fn other_face(group: &Group, name: &str, victim: u64) -> Vec<u8> {
    let (plan, identity) = (plan(group), Identity::derive(&root(&group.at(name))).unwrap());
    let deal = SignedDeal::parse(&plan, &sent(group, name, "-deal-")).unwrap();
    deal_with_bad_share(&identity, &plan, &deal, victim.try_into().unwrap()).unwrap()
}

#[test]
fn nobody_certifies_while_a_complaint_is_about_a_deal_that_is_not_here() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2", "--title", "REHEARSAL of two faces"]);
    for name in ["ann", "ben"] {
        group.step(name, &[], 0);
    }
    // Cat keeps its own stick, and shows Ben another deal than Ann.
    std::fs::create_dir(group.at("own")).unwrap();
    std::fs::copy(group.at("stick/the plan.bin"), group.at("own/plan")).unwrap();
    let cat = ["step", "cat", "--stick", "own", "--confirm", &group.confirm];
    group.run(&[&cat[..], &VAULT].concat(), 0);
    let (one, two) = (sent(&group, "cat", "-deal-3"), other_face(&group, "cat", 2));
    std::fs::write(group.at("ben/inbox/x"), &two).unwrap();
    std::fs::write(group.at("ann/inbox/x"), &one).unwrap();
    group.step("ben", &[], 4).code("ceremony.fault");
    group.run(&[&["complain", "ben", "--stick", "stick"][..], &VAULT].concat(), 0);
    // Ben's complaint comes without the deal that it is about.
    for (path, content) in tree(&group.at("stick")) {
        if path.display().to_string().contains("evidence") || content == two {
            std::fs::remove_file(path).unwrap();
        }
    }
    for command in ["step", "certify", "finish"] {
        let said = group.run(&[&[command, "ann", "--stick", "stick"][..], &VAULT].concat(), 5);
        said.code("ceremony.waiting");
        for part in ["ben (2) complains about a deal of cat (3) that is not the one that is here", "have ben (2) bring"]
        {
            assert!(said.stderr.contains(part), "{part:?} is missing:\n{}", said.stderr);
        }
    }
    assert!(!tree(&group.at("ann/outbox")).keys().any(|path| path.display().to_string().contains("-certify-")));
    let said = group.run(&["judge", "ann", "--json"], 5);
    said.code("ceremony.waiting");
    let verdict = objects(&said.stdout).remove(0);
    assert_eq!((&verdict["verdict"], &verdict["guilty"]), (&"not-judged".into(), &().into()));
    assert!(group.run(&["status", "ann"], 0).stdout.contains("have ben (2) bring the deal of cat (3)"));
    // With the other deal there is nothing left to doubt.
    std::fs::write(group.at("ann/inbox/y"), &two).unwrap();
    let said = group.step("ann", &[], 4);
    assert!(said.stderr.contains("cat (3) is at fault") && said.stderr.contains("E10"), "{}", said.stderr);
    group.run(&["judge", "ann"], 4);
}

#[test]
fn a_walk_is_not_complete_with_certify_files_for_other_deals() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--title", "REHEARSAL of two faces"]);
    group.round(&[0, 0]);
    // On a copy of her laptop Ann is shown what Ben dealt.
    let copied =
        std::process::Command::new("cp").args(["-r", "ann", "whole"]).current_dir(group.folder.path()).status();
    assert!(copied.unwrap().success());
    // Ben certified his own deal; Ann is shown another one, in which only Ben's own share is wrong.
    std::fs::write(group.at("ann/inbox/deal"), other_face(&group, "ben", 2)).unwrap();
    std::fs::write(group.at("ann/inbox/certify"), sent(&group, "ben", "-certify-2")).unwrap();
    let said = group.run(&[&["step", "ann", "--keystore-password-file", "pp"][..], &VAULT].concat(), 1);
    said.code("ceremony.undecided");
    let told = "ben (2) certified other deals than those that are here (C-54, E20)";
    assert!(said.stderr.contains(told) && said.stderr.contains("dvkey ceremony compare"), "{}", said.stderr);
    let said = group.run(&["status", "ann"], 0).stdout;
    assert!(
        said.contains("OTHER DEALS") && said.contains("\ndvkey ceremony compare HERE") && !said.contains("complete"),
        "{said}"
    );
    let said = group.run(&["status", "ann", "--json"], 0).last_object();
    assert_eq!((&said["complete"], &said["certifiedOtherDeals"]), (&false.into(), &serde_json::json!([2])));
    // She has not certified, and so nothing is assembled.
    assert!(std::fs::read_dir(group.at("ann/outbox")).unwrap().flatten().all(|file| {
        let name = file.file_name();
        !name.to_string_lossy().contains("certify")
    }));
    group.run(&["assemble", "ann", "--out", "output"], 5).code("ceremony.waiting");
    assert!(!group.at("output").exists());
    group.run(&["verify", "ann"], 5).code("ceremony.waiting");
    // Both certified Ben's first deal, and the second lies beside that.
    std::fs::write(group.at("whole/inbox/deal"), sent(&group, "ben", "-deal-2")).unwrap();
    std::fs::write(group.at("whole/inbox/certify"), sent(&group, "ben", "-certify-2")).unwrap();
    group.run(&[&["step", "whole", "--keystore-password-file", "pp"][..], &VAULT].concat(), 0);
    std::fs::create_dir(group.at("set")).unwrap();
    for (name, bytes) in [
        ("plan", std::fs::read(group.at("stick/the plan.bin")).unwrap()),
        ("deal-1", sent(&group, "whole", "-deal-1")),
        ("deal-2", other_face(&group, "ben", 2)),
        ("certify-1", sent(&group, "whole", "-certify-1")),
        ("certify-2", sent(&group, "ben", "-certify-2")),
    ] {
        std::fs::write(group.at("set").join(name), bytes).unwrap();
    }
    let said = group.run(&["assemble", "set", "--out", "output"], 1);
    said.code("ceremony.undecided");
    assert!(said.stderr.contains("certified other deals than those that are here"), "{}", said.stderr);
    group.run(&["verify", "set"], 3).code("ceremony.not-valid");
    let said = group.run(&["audit", "set"], 3);
    assert!(said.stderr.contains("of other deals: the certify files of ann (1), ben (2)"), "{}", said.stderr);
    assert!(!group.at("output").exists());
    group.run(&["compare", "ann", "ben"], 4).code("ceremony.fault");
}

/// Commands stand on lines of their own, where they can be copied.
#[test]
fn whoever_certified_among_others_is_told_the_ways_out() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0, 0]);
    group.step("ben", &[], 0);
    for name in ["ben", "cat"] {
        let id = if name == "ben" { 2 } else { 3 };
        std::fs::write(group.at("ann/inbox").join(name), sent(&group, name, &format!("-deal-{id}"))).unwrap();
    }
    let step = [&["step", "ann"][..], &VAULT].concat();
    group.run(&step, 0);
    for (name, kind) in [("ben", "-certify-2"), ("cat", "-certify-3")] {
        let own = dvkey_ceremony::agdkg::identity::Identity::derive(&super::root(&group.at(name))).unwrap();
        let other = dvkey_ceremony::testing::forge::changed(&own, &sent(&group, name, kind), |body| body[48] ^= 1);
        std::fs::write(group.at("ann/inbox").join(kind), other).unwrap();
    }
    let said = group.run(&step, 1);
    said.code("ceremony.undecided");
    for told in [
        "get the deals that ben (2), cat (3) have, and find the one that differs:\ndvkey ceremony compare HERE THEIRS\n",
        "take your shares from it:\ndvkey ceremony recover --bundle ceremony.bn --folder ann --out recovered\n",
    ] {
        assert!(said.stderr.contains(told), "{}", said.stderr);
    }
}
