//! Pipes, devices and links on media: whoever puts them there makes nobody wait, and loses nothing of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Group, Said, VAULT, card, tree};
use crate::support::fixture;
use crate::{dvkey, stderr, stdout};

fn pipe(at: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, at, rustix::fs::Mode::RWXU).unwrap();
}

/// Runs a command that must not wait; whoever opens a pipe does, for ever.
fn run(folder: &Path, arguments: &[&str], exit: i32) -> Said {
    let assert = dvkey(folder).args(arguments).timeout(Duration::from_secs(120)).assert();
    let said = Said { stdout: stdout(&assert), stderr: stderr(&assert) };
    assert_eq!(assert.get_output().status.code(), Some(exit), "{arguments:?}\n{}\n{}", said.stdout, said.stderr);
    said
}

/// Forty links, in folders five deep, would be forty to the fifth.
#[test]
fn links_on_a_stick_lead_neither_round_in_circles_nor_over_the_laptop() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    for number in 1..=40 {
        symlink(".", group.at(&format!("stick/l{number}"))).unwrap();
    }
    symlink("/", group.at("stick/root")).unwrap();
    let step = ["ceremony", "step", "ann", "--confirm", &group.confirm, "--stick", "stick"];
    let said = run(group.folder.path(), &[&step[..], &VAULT].concat(), 0);
    let line = said.stderr.replace("\n         ", " ");
    assert!(line.contains("warning: stick/l1 and 40 others are links, and were NOT followed."), "{line}");
    // A stick may be named by a link.
    symlink("stick", group.at("way")).unwrap();
    run(group.folder.path(), &["ceremony", "plan", "show", "way"], 0);
}

/// Ann has dealt, and all of it is in her outbox still.
fn dealt_without_a_stick() -> (Group, BTreeMap<PathBuf, Vec<u8>>) {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    std::fs::copy(group.at("stick/the plan.bin"), group.at("ann/inbox/plan")).unwrap();
    let step = ["ceremony", "step", "ann", "--confirm", &group.confirm];
    run(group.folder.path(), &[&step[..], &VAULT].concat(), 0);
    let sent = tree(&group.at("ann/outbox"));
    (group, sent)
}

/// "Your files are on it" is said of files that are on it.
#[test]
fn a_link_back_to_the_outbox_is_no_copy_on_a_stick() {
    let (group, sent) = dealt_without_a_stick();
    let step = ["ceremony", "step", "ann", "--confirm", &group.confirm];
    for path in sent.keys() {
        let own = group.at("ann/outbox").join(path.file_name().unwrap());
        symlink(own, group.at("stick").join(path.file_name().unwrap())).unwrap();
    }
    run(group.folder.path(), &[&step[..], &VAULT, &["--stick", "stick"]].concat(), 5);
    let is_own = |entry: &std::fs::DirEntry| entry.file_type().unwrap().is_file();
    let there: Vec<_> = std::fs::read_dir(group.at("stick")).unwrap().flatten().filter(is_own).collect();
    let there: Vec<_> = there.iter().map(|entry| std::fs::read(entry.path()).unwrap()).collect();
    assert!(sent.values().all(|bytes| there.contains(bytes)), "{}", there.len());
    symlink(group.at("ann/outbox"), group.at("outbox of ann")).unwrap();
    let said = run(group.folder.path(), &[&step[..], &VAULT, &["--stick", "outbox of ann"]].concat(), 1);
    said.code("ceremony.folder");
    assert!(!said.stderr.contains("your files are on it"), "{}", said.stderr);
}

#[test]
fn what_has_the_name_of_a_file_on_a_stick_is_neither_opened_nor_replaced() {
    let (group, sent) = dealt_without_a_stick();
    let step = ["ceremony", "step", "ann", "--confirm", &group.confirm];
    let names: Vec<_> = sent.keys().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let (card, deal) = (group.at("stick").join(names[0]), group.at("stick").join(names[1]));
    symlink("/dev/zero", &card).unwrap();
    pipe(&deal);
    pipe(&group.at("stick/notes"));
    symlink("notes", group.at("stick/link")).unwrap();
    for _ in 0..2 {
        run(group.folder.path(), &[&step[..], &VAULT, &["--stick", "stick"]].concat(), 5);
    }
    assert!(std::fs::symlink_metadata(&deal).unwrap().file_type().is_fifo());
    assert!(std::fs::symlink_metadata(&card).unwrap().is_symlink());
    for path in [card, deal, group.at("stick/link"), group.at("stick/notes")] {
        std::fs::remove_file(path).unwrap();
    }
    // Under a second name each, and once.
    let mut there: Vec<_> = tree(&group.at("stick")).into_values().collect();
    let mut all: Vec<_> =
        sent.values().cloned().chain([std::fs::read(group.at("stick/the plan.bin")).unwrap()]).collect();
    there.sort();
    all.sort();
    assert!(there == all);
    // A large file of somebody else's is not replaced, either.
    let deal = group.at("stick").join(names[1]);
    std::fs::write(&deal, vec![7; 1 << 20]).unwrap();
    run(group.folder.path(), &[&step[..], &VAULT, &["--stick", "stick"]].concat(), 5);
    assert_eq!(std::fs::read(&deal).unwrap(), vec![7; 1 << 20]);
    group.step("ben", &[], 0);
}

#[test]
fn pipes_in_folders_are_told() {
    let group = Group::new(&["ann"], &[]);
    let folder = group.folder.path();
    let keyshares = fixture("ceremony/keyshares.json");
    std::fs::create_dir(group.at("results")).unwrap();
    std::fs::copy(keyshares, group.at("results/keyshares.json")).unwrap();
    pipe(&group.at("results/ceremony.bn"));
    for command in [&["verify", "results/keyshares.json"][..], &["verify", "results"]] {
        let said = run(folder, command, 3);
        assert!((said.stdout + &said.stderr).contains("results/ceremony.bn: not a regular file"), "{command:?}");
    }
    std::fs::remove_file(group.at("results/ceremony.bn")).unwrap();
    pipe(&group.at("results/provenance.json"));
    let said = run(folder, &["verify", "results/keyshares.json"], 0);
    assert!(said.stdout.contains("the provenance.json beside it cannot be read"), "{}", said.stdout);
    pipe(&group.at("pipe"));
    for command in
        [&["audit", "pipe"][..], &["identity", "show", "pipe"], &["compare", "pipe", "ann"], &["judge", "pipe"]]
    {
        let said = run(folder, &[&["ceremony"], command].concat(), if command[0] == "audit" { 3 } else { 1 });
        assert!(said.stderr.contains("pipe: not a regular file"), "{command:?}\n{}", said.stderr);
    }
    let card = card(&group.at("ann"));
    let bind = ["ceremony", "identity", "bind", card.to_str().unwrap(), "--operator-id", "12", "--network", "hoodi"];
    run(folder, &[&bind[..], &["--key", "operator-12.pem", "--out", "pipe"]].concat(), 1).code("output.exists");
    pipe(&group.at("ann/journal.agj"));
    run(folder, &[&["ceremony", "step", "ann"][..], &VAULT].concat(), 1).code("file.unreadable");
    std::fs::rename(group.at("ann/journal.agj"), group.at("ann/restored")).unwrap();
    run(folder, &[&["ceremony", "step", "ann"][..], &VAULT].concat(), 5);
}

#[test]
fn folders_that_are_too_deep_are_told() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.step("ann", &[], 0);
    let deep = group.at("stick/1/2/3/4/5/6");
    std::fs::create_dir_all(deep.join("7")).unwrap();
    std::fs::create_dir_all(group.at("stick/1/2/3/4/5/other")).unwrap();
    for (path, content) in tree(&group.at("ann/outbox")) {
        std::fs::write(deep.join(path.file_name().unwrap()), content).unwrap();
        std::fs::remove_file(group.at("stick").join(path.file_name().unwrap())).unwrap();
    }
    let said = group.step("ben", &[], 0).stderr;
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("stick/1/2/3/4/5/6 and 1 other folder were NOT looked into"), "{said}");
    assert!(said.contains("Waiting for the deals of ann (1)") && !said.contains("took in"), "{said}");
    // One level less is looked at.
    std::fs::rename(group.at("stick/1/2"), group.at("stick/2")).unwrap();
    let said = group.step("ben", &[], 0).stderr;
    assert!(said.contains("took in a deal of ann (1)") && said.contains("stick/2/3/4/5/6/7 was NOT"), "{said}");
}
