//! Outboxes that were meddled with, and folders that went back in time: what is due is what was sent, byte for byte.

use std::path::PathBuf;

use super::{Group, tree};

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
