//! Outboxes that were meddled with, and folders that went back in time: what is due is what was sent, byte for byte.

use std::path::PathBuf;

use super::{Group, VAULT, tree};

/// Where somebody's file of a kind lies in the outbox.
fn sent(group: &Group, name: &str, kind: &str) -> PathBuf {
    let found = tree(&group.at(&format!("{name}/outbox")));
    found.into_keys().find(|path| path.display().to_string().contains(kind)).unwrap()
}

#[test]
fn what_lies_torn_or_replaced_in_an_outbox_is_written_again_without_the_vault() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--precommit"]);
    group.round(&[0, 0]);
    group.round(&[0, 0]);
    let paths = ["-precommit-2", "-deal-2", "-certify-2"].map(|kind| sent(&group, "ben", kind));
    let before = paths.each_ref().map(|path| std::fs::read(path).unwrap());
    // Torn by the stick, replaced by somebody else's, gone.
    std::fs::write(&paths[0], &before[0][..before[0].len() - 1]).unwrap();
    std::fs::copy(sent(&group, "ann", "-deal-1"), &paths[1]).unwrap();
    std::fs::remove_file(&paths[2]).unwrap();
    group.run(&["step", "ben", "--no-input"], 0);
    assert_eq!(paths.each_ref().map(|path| std::fs::read(path).unwrap()), before);
    let mut edited = before[2].clone();
    edited[200] ^= 1;
    std::fs::write(&paths[2], &edited).unwrap();
    group.run(&["step", "ben", "--no-input"], 0);
    assert_eq!(std::fs::read(&paths[2]).unwrap(), before[2]);
}

#[test]
fn somebody_elses_file_in_my_outbox_does_not_make_me_somebody_else() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0, 0]);
    let deal = sent(&group, "ann", "-deal-1");
    std::fs::copy(&deal, group.at("ben/outbox").join(deal.file_name().unwrap())).unwrap();
    let said = group.step("ben", &["--json"], 0).last_object();
    assert_eq!((&said["id"], &said["from"]), (&2.into(), &serde_json::json!([1])));
    let said = group.run(&["step", "ben", "--no-input"], 5);
    let flat = said.stderr.replace('\n', " ");
    assert!(flat.contains("to ann (1), cat (3); bring back"), "{flat}");
}

/// Everything of a folder, as a backup has it.
fn copy(group: &Group, from: &str, to: &str) {
    for (path, content) in tree(&group.at(from)) {
        let target = group.at(to).join(path.strip_prefix(group.at(from)).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content).unwrap();
    }
}

#[test]
fn a_folder_from_a_backup_asks_before_it_certifies() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    copy(&group, "ann", "backup");
    group.round(&[0, 0]);
    group.step("ann", &[], 0);
    // Ann's certify file never arrives anywhere, her laptop dies, and a copy from before all this is brought back.
    for (path, _) in
        tree(&group.at("stick")).iter().filter(|(path, _)| path.display().to_string().contains("-certify-1"))
    {
        std::fs::remove_file(path).unwrap();
    }
    let said = group.step("backup", &[], 1);
    said.code("ceremony.certified-before");
    assert!(!tree(&group.at("backup/outbox")).keys().any(|path| path.display().to_string().contains("-certify-")));
    group.step("backup", &[], 1).code("ceremony.certified-before");
    // With her own file from somewhere, it is handed on as it was.
    std::fs::copy(sent(&group, "ann", "-certify-1"), group.at("backup/inbox/mine")).unwrap();
    group.step("backup", &[], 0);
    let both = ["ann", "backup"].map(|name| std::fs::read(sent(&group, name, "-certify-1")).unwrap());
    assert_eq!(both[0], both[1]);
    // Whoever was never away is not asked.
    assert!(!group.at("ann/restored").exists() && !group.at("ben/restored").exists());
}

#[test]
fn shares_are_written_nowhere_from_where_they_are_carried() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0]);
    std::os::unix::fs::symlink("stick", group.at("way")).unwrap();
    for out in ["stick", "stick/new/deep", "way/shares", "ann/outbox", "ann/inbox/../inbox/x"] {
        let said = group.step("ann", &["--out", out], 1);
        said.code("ceremony.folder");
        for place in ["stick", "ann/outbox", "ann/inbox"] {
            assert!(
                !tree(&group.at(place)).keys().any(|path| path.display().to_string().contains("keystore")),
                "{out}"
            );
        }
    }
    group.step("ann", &["--out", "mine"], 0);
    assert!(tree(&group.at("mine")).keys().any(|path| path.display().to_string().contains("keystore-")));
}

#[test]
fn certify_files_without_end_fill_no_disk_and_drive_out_nothing() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0]);
    group.step("ann", &[], 0);
    let ben = dvkey_ceremony::agdkg::identity::Identity::derive(&super::root(&group.at("ben"))).unwrap();
    let honest = std::fs::read(sent(&group, "ben", "-certify-2")).unwrap();
    let flood = |first: u8, at: usize| {
        for number in first..first + 20 {
            let forged = dvkey_ceremony::testing::forge::changed(&ben, &honest, |body| body[at] ^= number);
            std::fs::write(group.at(&format!("ann/inbox/{number} {at}")), forged).unwrap();
        }
    };
    let kept = |sender: u8| {
        let mut found = tree(&group.at("ann/files"));
        found.retain(|path, _| !path.ends_with("certify-0123456789abcdef.agdkg"));
        found.into_values().filter(|bytes| bytes.starts_with(b"AGDKG1R2") && bytes[47] == sender).collect::<Vec<_>>()
    };
    // A certify file of another ceremony is none of this one's business.
    let mut foreign = honest.clone();
    foreign[8] ^= 1;
    std::fs::write(group.at("ann/files/certify-0123456789abcdef.agdkg"), &foreign).unwrap();
    // Nor is what only has such a name.
    std::fs::create_dir(group.at("ann/files/certify-folder")).unwrap();
    // Nor is what is larger than any certify file.
    std::fs::write(group.at("ann/files/certify-old.agdkg"), vec![7; (8 << 20) + 1]).unwrap();
    std::fs::create_dir_all(group.at("ann/inbox")).unwrap();
    // For other deals, in the transcript; for these, in the answer of the proof.
    for round in 0..3 {
        flood(1 + 20 * round, 48);
        flood(1 + 20 * round, 8 + 32 + 8 + 32 + 32 + 64 + 48 + 31);
        // What came first stays, whatever its author signs after it.
        group.step("ann", &[], 0);
        let (others, these): (Vec<_>, Vec<_>) = kept(2).into_iter().partition(|bytes| bytes[48..80] != honest[48..80]);
        assert!(others.len() <= 3, "round {round}: {}", others.len());
        assert_eq!((others.len() + these.len(), kept(1).len()), (8, 1), "round {round}");
        assert!(these.contains(&honest), "round {round}");
        group.run(&["assemble", "ann", "--out", &format!("output{round}")], 0);
    }
    assert_eq!(std::fs::read(group.at("ann/files/certify-0123456789abcdef.agdkg")).unwrap(), foreign);
    assert!(group.at("ann/files/certify-old.agdkg").exists());
}

#[test]
fn a_vault_that_was_copied_alone_asks_before_it_certifies() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    std::fs::create_dir(group.at("copied")).unwrap();
    std::fs::copy(group.at("ann/vault.agv"), group.at("copied/vault.agv")).unwrap();
    group.round(&[0, 0]);
    group.step("ann", &[], 0);
    // Of all that she sent nothing comes back, and Ben's certify file says that her deal was there.
    for (path, content) in tree(&group.at("stick")) {
        if !content.starts_with(b"AGDKG1PL") && content.get(40..48) == Some(&1u64.to_be_bytes()) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let said = group.step("copied", &[], 1);
    said.code("ceremony.certified-before");
    assert!(!tree(&group.at("copied/outbox")).keys().any(|path| path.display().to_string().contains("-certify-")));
    group.step("copied", &["--never-certified"], 0);
}

#[test]
fn a_copied_vault_asks_even_where_nothing_tells_that_it_was_used() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let copied = |name: &str| {
        std::fs::create_dir_all(group.at(name)).unwrap();
        std::fs::copy(group.at("ann/vault.agv"), group.at(name).join("vault.agv")).unwrap();
    };
    // Into a new folder, and into that of somebody else, whose card is there.
    copied("alone");
    group.run(&["identity", "new", "cat", "--label", "cat", "--without-words", "--passphrase-file", "pp"], 0);
    copied("cat");
    // Only Ben's deal is on the stick, and Ann's own card.
    group.step("ben", &[], 0);
    std::fs::copy(super::card(&group.at("ann")), group.at("stick/card of ann")).unwrap();
    let wrong =
        ["step", "alone", "--stick", "stick", "--confirm", &group.confirm, "--passphrase-file", "stick/the plan.bin"];
    group.run(&[&wrong[..], &["--no-input"]].concat(), 1);
    for name in ["alone", "cat"] {
        group.step(name, &[], 1).code("ceremony.certified-before");
        group.step(name, &[], 1).code("ceremony.certified-before");
        assert!(
            !tree(&group.at(name).join("outbox")).keys().any(|path| path.display().to_string().contains("-certify-"))
        );
    }
}

/// Whose card a folder has says nothing about whose vault: an earlier ceremony, or the step before, may have brought it.
#[test]
fn a_copied_vault_is_known_where_its_card_came_before_it() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    for name in ["used", "practice"] {
        group.run(&["identity", "new", name, "--label", name, "--without-words", "--passphrase-file", "pp"], 0);
    }
    group.step("ben", &[], 0);
    // Somebody's folder that has Ann's card from before: then her vault, and the plan.
    std::fs::copy(super::card(&group.at("ann")), group.at("used/inbox/card of ann")).unwrap();
    group.run(&[&["step", "used"][..], &VAULT].concat(), 5);
    std::fs::copy(group.at("ann/vault.agv"), group.at("used/vault.agv")).unwrap();
    let accept = ["plan", "accept", "used", "stick/the plan.bin", "--confirm", &group.confirm];
    group.run(&[&accept[..], &VAULT].concat(), 0);
    // Her vault over that of an identity for practice; the first stick has cards alone.
    std::fs::copy(group.at("ann/vault.agv"), group.at("practice/vault.agv")).unwrap();
    std::fs::create_dir(group.at("cards")).unwrap();
    std::fs::copy(super::card(&group.at("ann")), group.at("cards/card of ann")).unwrap();
    group.run(&[&["step", "practice", "--stick", "cards"][..], &VAULT].concat(), 5);
    for name in ["used", "practice"] {
        group.step(name, &[], 1).code("ceremony.certified-before");
        let sent = tree(&group.at(name).join("outbox"));
        assert!(!sent.keys().any(|path| path.display().to_string().contains("-certify-")), "{name}");
    }
    // Whoever is at home is asked nothing.
    group.step("ben", &[], 0);
    assert!(!group.at("ben/restored").exists());
}

#[test]
fn certify_files_for_other_deals_make_no_folder_a_restored_one() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2"]);
    copy(&group, "ann", "fresh");
    group.round(&[0, 0, 0]);
    group.round(&[0, 0, 0]);
    let ben = dvkey_ceremony::agdkg::identity::Identity::derive(&super::root(&group.at("ben"))).unwrap();
    let honest = std::fs::read(sent(&group, "cat", "-certify-3")).unwrap();
    let junk = dvkey_ceremony::testing::forge::changed(
        &ben,
        &std::fs::read(sent(&group, "ben", "-certify-2")).unwrap(),
        |body| {
            body[48] ^= 1;
        },
    );
    // Ann deals for the first time, with the others' deals there, and with a certify file that Ben signed for none of them.
    std::fs::create_dir(group.at("other")).unwrap();
    for (path, content) in tree(&group.at("stick")) {
        if content.starts_with(b"AGDKG1PL") || (content.starts_with(b"AGDKG1R1") && content[47] != 1) {
            std::fs::write(group.at("other").join(path.file_name().unwrap()), content).unwrap();
        }
    }
    std::fs::write(group.at("other/junk"), junk).unwrap();
    copy(&group, "fresh", "older");
    let step = |name: &str, exit: i32| {
        let step = ["step", name, "--stick", "other", "--confirm", &group.confirm, "--keystore-password-file", "pp"];
        group.run(&[&step[..], &VAULT].concat(), exit)
    };
    // Somebody certified other deals than those that are here: she is told so, and nothing of a restored folder.
    step("fresh", 1).code("ceremony.undecided");
    assert!(!group.at("fresh/restored").exists());
    // One for the deal that she makes says that she made it before.
    std::fs::remove_file(group.at("other/junk")).unwrap();
    std::fs::write(group.at("other/of cat"), honest).unwrap();
    step("older", 1).code("ceremony.certified-before");
    assert!(group.at("older/restored").exists());
}

#[test]
fn two_certify_files_of_one_author_are_told() {
    let mut group = Group::new(&["ann", "ben", "cat", "dan"], &[12, 34, 56, 78]);
    group.plan(&["--owner", super::WITHDRAWAL, "--nonce", "0"]);
    copy(&group, "ann", "twin");
    group.round(&[0, 0, 0, 0]);
    // Two laptops of one person, neither of which has seen the other's file.
    std::fs::create_dir(group.at("other")).unwrap();
    for (path, content) in tree(&group.at("stick")) {
        std::fs::write(group.at("other").join(path.file_name().unwrap()), content).unwrap();
    }
    let twin = ["step", "twin", "--stick", "other", "--never-certified", "--confirm", &group.confirm];
    group.run(&[&twin[..], &super::VAULT].concat(), 0);
    group.round(&[0, 0, 0]);
    assert!(!group.run(&["status", "stick"], 0).stderr.contains("several certify files"));
    std::fs::copy(sent(&group, "twin", "-certify-12"), group.at("stick/twin")).unwrap();
    for command in [&["status", "stick"][..], &["assemble", "stick", "--out", "output"], &["verify", "stick"]] {
        let said = group.run(command, 0).stderr.replace('\n', " ");
        assert!(said.contains("ann (12) wrote several certify files that say the same"), "{said}");
    }
}

#[test]
fn an_audit_of_the_files_of_two_plans_asks_which_is_meant() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--title", "the first"]);
    group.round(&[0, 0, 0]);
    std::fs::rename(group.at("stick/the plan.bin"), group.at("stick/first")).unwrap();
    group.plan(&["--threshold", "2", "--title", "the second"]);
    let said = group.run(&["audit", "stick"], 1);
    said.code("ceremony.plan");
    assert!(said.stderr.contains("the first") && said.stderr.contains("--plan"), "{}", said.stderr);
    group.run(&["audit", "stick", "--plan", "stick/the plan.bin"], 3).code("ceremony.not-valid");
    group.run(
        &["step", "ann", "--stick", "stick", "--no-input", "--passphrase-file", "pp", "--keystore-password-file", "pp"],
        0,
    );
    group.run(&["audit", "stick", "--plan", "stick/first"], 0);
}
