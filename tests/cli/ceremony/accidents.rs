//! Carriers and media: renamed, mixed up, copied twice, torn, foreign, full, write-protected.

use std::process::{Command, Stdio};

use super::{Group, PASSPHRASE, VAULT, tree};

#[test]
fn files_come_renamed_twice_torn_armoured_and_from_elsewhere() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2"]);
    // Everything goes by hand, through inboxes; the stick is left at home.
    let step = |name: &str, options: &[&str], exit: i32| {
        let step = ["step", name, "--confirm", &group.confirm, "--keystore-password-file", "pp"];
        group.run(&[&step[..], &VAULT, options].concat(), exit)
    };
    let put = |name: &str, file: &str, bytes: &[u8]| {
        std::fs::write(group.at(&format!("{name}/inbox/{file}")), bytes).unwrap()
    };
    let sent = |name: &str, kind: &str| {
        let found = tree(&group.at(&format!("{name}/outbox")));
        found.into_iter().find(|(path, _)| path.display().to_string().contains(kind)).unwrap().1
    };
    let plan = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    step("ann", &[], 5);
    for name in ["ann", "ben", "cat"] {
        put(name, "IMG_0001.JPG", &plan);
        step(name, &["--armor"], 0);
    }
    let (ann, ben) = (sent("ann", "-deal-"), sent("ben", "-deal-"));
    // Cat gets: a deal of Ann under three names, Ben's in a mail, quoted, with CRLF; and a lot else.
    put("cat", "x", &ann);
    put("cat", "Kopie von x (2)", &ann);
    std::fs::create_dir_all(group.at("cat/inbox/a/b")).unwrap();
    put("cat", "a/b/c.exe", &ann);
    let mailed = dvkey::format::armor::encode(&ben).unwrap().replace('\n', "\r\n> ");
    let mut torn = ben.clone();
    torn.truncate(ben.len() - 1);
    put("cat", "torn.agdkg", &torn);
    let mut flipped = ben.clone();
    flipped[300] ^= 1;
    put("cat", "flipped", &flipped);
    put("cat", "vault of somebody", &std::fs::read(group.at("ben/vault.agv")).unwrap());
    put("cat", "notes.txt", b"call me");
    put("cat", "empty.agdkg", b"");
    let mut elsewhere = ann.clone();
    elsewhere[8] ^= 1;
    put("cat", "elsewhere", &elsewhere);
    let mut stranger = ann.clone();
    stranger[47] = 9;
    put("cat", "stranger", &stranger);
    let said = step("cat", &["--verbose"], 5);
    for part in [
        "torn.agdkg: the deal has not the length that the plan gives it; ask for it again",
        "flipped: the deal is damaged or forged",
        "vault of somebody is a VAULT: secret",
        "empty.agdkg: empty; ask for it again",
        "elsewhere: a deal of another ceremony, left alone",
        "stranger: a deal of somebody who is not in the plan",
        "Waiting for the deals of ben (2).",
    ] {
        assert!(said.stderr.contains(part), "{part:?} is missing:\n{}", said.stderr);
    }
    put("cat", "mail.eml", format!("From: ben\r\n\r\n> {mailed}\r\nyours").as_bytes());
    step("cat", &[], 0);
    // What was taken in is kept: the inbox may be emptied, and the stick may go.
    std::fs::remove_dir_all(group.at("cat/inbox")).unwrap();
    let certify = sent("cat", "-certify-");
    step("cat", &[], 5);
    assert_eq!(sent("cat", "-certify-"), certify);
    // Walk 2 may come before walk 1 is complete, and from a bundle.
    put("ann", "1", &certify);
    put("ann", "2", &ben);
    let all = dvkey_ceremony::agdkg::bundle::encode(&[&sent("cat", "-deal-"), &certify, b"?"]).unwrap();
    put("ann", "bundle", &all);
    step("ann", &[], 0);
    for (file, bytes) in [("1", sent("ann", "-certify-")), ("2", ann), ("3", all)] {
        put("ben", file, &bytes);
    }
    let said = step("ben", &[], 0);
    assert!(said.stderr.contains("The ceremony is finished"), "{}", said.stderr);
    // Another plan that comes late changes nothing by itself.
    let mut other = Group::new(&["ann", "ben"], &[]);
    other.plan(&["--threshold", "2"]);
    put("ben", "late plan", &std::fs::read(other.at("stick/the plan.bin")).unwrap());
    step("ben", &[], 0);
    let said = group.run(&[&["plan", "accept", "ben", "--confirm", &other.confirm][..], &VAULT].concat(), 1);
    said.code("ceremony.plan");
    assert!(said.stderr.contains("my card is not in the plan"), "{}", said.stderr);
}

#[test]
fn refusals_say_what_to_do() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.run(&[&["step", "nobody"][..], &VAULT].concat(), 1).code("ceremony.folder");
    group.run(&[&["deal", "ann"][..], &VAULT].concat(), 1).code("ceremony.plan");
    let new = ["identity", "new", "ann", "--label", "x", "--without-words"];
    group.run(&[&new[..], &VAULT].concat(), 1).code("ceremony.folder");
    group.run(&[&["identity", "new", "dan", "--label", "x"][..], &VAULT].concat(), 1).code("input.missing");
    assert!(!group.at("dan").exists());
    std::fs::write(group.at("wrong"), "not the passphrase").unwrap();
    let step = ["step", "ann", "--stick", "stick", "--confirm", &group.confirm, "--no-input"];
    group.run(&[&step[..], &["--passphrase-file", "wrong"]].concat(), 1).code("ceremony.vault");
    group.run(&step, 1).code("password.missing");
    std::fs::write(group.at("words"), "abandon ".repeat(24)).unwrap();
    let from = ["identity", "new", "dan", "--label", "x", "--from-words", "--words-file", "words"];
    group.run(&[&from[..], &VAULT].concat(), 1).code("ceremony.words");
    group.step("ann", &[], 0);
    let journal = group.at("ann/journal.agj");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    group.step("ann", &[], 1).code("ceremony.undecided");
    std::fs::write(&journal, text).unwrap();
    group.step("ann", &[], 5);
    // A second deal of Ann, of a copy of her folder that went another way, would be proof against her.
    assert!(!PASSPHRASE.is_empty());
    group.run(&["plan", "show", "ann/vault.agv"], 1).code("ceremony.plan");
    group.run(&["identity", "show", "pp"], 1).code("ceremony.file");
    let cards = ["plan", "new", "ann/outbox", "ann/outbox", "--network", "hoodi", "--withdrawal", super::WITHDRAWAL];
    group.run(&[&cards[..], &["--threshold", "2"]].concat(), 1).code("ceremony.plan");
    group.run(&cards, 1).code("input.missing");
    group.run(&["audit", "nothing"], 1).code("file.unreadable");
    std::fs::write(group.at("garbage.agdkg"), "garbage").unwrap();
    group.run(&["audit", "garbage.agdkg"], 3).code("ceremony.not-valid");
}

struct Mounted(std::path::PathBuf);

impl Mounted {
    /// A file system of its own; only root may have one.
    fn new(at: &std::path::Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(at.to_path_buf()));
        }
        eprintln!("SKIPPED: a medium of its own can be mounted by root only");
        None
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_stick_and_a_write_protected_one_lose_nothing() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let plan = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    let Some(stick) = Mounted::new(&group.at("stick"), "size=64k") else { return };
    std::fs::write(group.at("stick/plan"), plan).unwrap();
    std::fs::write(group.at("stick/filler"), vec![0; 64 << 10]).unwrap_err();
    let said = group.step("ann", &[], 6);
    said.code("output.no-space");
    // What was done is told all the same, and what is carried is what the laptop has.
    for part in
        ["your work is done and kept", "wrote", "everything in ann/outbox", "copy what is in ann/outbox by hand"]
    {
        assert!(said.stderr.replace('\n', " ").contains(part), "{part:?} is missing:\n{}", said.stderr);
    }
    let outbox = tree(&group.at("ann/outbox"));
    std::fs::remove_file(group.at("stick/filler")).unwrap();
    // Room again: the same bytes arrive, whole.
    group.step("ann", &[], 5);
    for (path, content) in outbox {
        assert_eq!(std::fs::read(group.at("stick").join(path.file_name().unwrap())).unwrap(), content);
    }
    stick.remount("ro");
    let said = group.step("ben", &[], 6);
    said.code("output.read-only");
    assert!(said.stderr.contains("took in a deal of ann") && said.stderr.contains("by hand"), "{}", said.stderr);
    stick.remount("rw");
    group.step("ben", &[], 5);
    assert_eq!(tree(&group.at("stick")).values().filter(|content| content.starts_with(b"AGDKG1R2")).count(), 1);
}

#[test]
fn a_full_disk_under_the_folder_is_code_6_and_goes_on_later() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let Some(_disk) = Mounted::new(&group.at("disk"), "size=96k") else { return };
    let copied = Command::new("cp").args(["-r", "ann", "disk/ann"]).current_dir(group.folder.path()).status();
    assert!(copied.unwrap().success());
    let _ = std::fs::write(group.at("disk/filler"), vec![0; 96 << 10]);
    let said = group.step("disk/ann", &[], 6);
    said.code("output.no-space");
    assert!(said.stderr.contains("nothing is lost"), "{}", said.stderr);
    std::fs::remove_file(group.at("disk/filler")).unwrap();
    group.step("disk/ann", &[], 0);
    group.step("ann", &[], 0);
    let deals = |folder: &str| {
        tree(&group.at(folder)).into_values().filter(|content| content.starts_with(b"AGDKG1R1")).collect::<Vec<_>>()
    };
    assert_eq!(deals("disk/ann/outbox"), deals("ann/outbox"));
}

#[test]
fn what_is_no_file_for_others_is_not_carried() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    let vault = std::fs::read(group.at("ann/vault.agv")).unwrap();
    std::fs::write(group.at("ann/outbox/backup"), &vault).unwrap();
    std::fs::write(group.at("ann/outbox/backup.txt"), dvkey::format::armor::encode(&vault).unwrap()).unwrap();
    std::fs::write(group.at("ann/outbox/passphrase.txt"), PASSPHRASE).unwrap();
    let card = std::fs::read(super::card(&group.at("ann"))).unwrap();
    let notes = dvkey::format::armor::encode(&card).unwrap() + PASSPHRASE;
    std::fs::write(group.at("ann/outbox/notes.txt"), notes).unwrap();
    // What only begins like a file for others may end like a vault.
    let plan = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    let bundle = dvkey_ceremony::agdkg::bundle::encode(&[&plan, &vault]).unwrap();
    std::fs::write(group.at("ann/outbox/bundle"), &bundle).unwrap();
    std::fs::write(group.at("ann/outbox/bundle.txt"), dvkey::format::armor::encode(&bundle).unwrap()).unwrap();
    std::fs::write(group.at("ann/outbox/card and more"), [&card, PASSPHRASE.as_bytes()].concat()).unwrap();
    std::fs::write(group.at("ann/outbox/deal"), [b"AGDKG1R1", &vault[8..]].concat()).unwrap();
    let good = dvkey_ceremony::agdkg::bundle::encode(&[&plan, &card]).unwrap();
    std::fs::write(group.at("ann/outbox/good"), &good).unwrap();
    std::fs::create_dir(group.at("ann/outbox/photos")).unwrap();
    // A place where no stick is does not become one.
    let step = ["step", "ann", "--stick", "nostick", "--confirm", &group.confirm];
    group.run(&[&step[..], &VAULT].concat(), 1).code("file.unreadable");
    assert!(!group.at("nostick").exists());
    let said = group.step("ann", &[], 0);
    let left = ["backup", "backup.txt", "passphrase.txt", "notes.txt", "bundle", "bundle.txt", "card and more", "deal"];
    for name in left {
        assert!(said.stderr.contains(&format!("outbox/{name} is no file for others")), "{}", said.stderr);
    }
    let carried = tree(&group.at("stick"));
    assert!(carried.keys().any(|path| path.display().to_string().contains("-deal-1")));
    assert_eq!(carried.get(&group.at("stick/good")), Some(&good));
    for (path, content) in carried {
        let has = |what: &[u8]| content.windows(what.len()).any(|window| window == what);
        assert!(!has(&vault[..8]) && !has(&vault[20..40]) && !has(PASSPHRASE.as_bytes()), "{}", path.display());
    }
    // A copy of a vault where everybody's files are is told, whatever it is called.
    std::fs::write(group.at("stick/vault.agv"), &vault).unwrap();
    let said = group.step("ben", &[], 0);
    assert!(said.stderr.contains("vault.agv is a VAULT: secret"), "{}", said.stderr);
}
