//! Screens at 80 columns, with as many people and as long names as a plan may have; and no question asked in vain.

use super::consent::last_rows;
use super::{Group, VAULT, card as card_of};
use crate::terminal::Terminal;

const NAMES: [&str; 13] = [
    "Ann of the northern office, whose label fills all that it may be",
    "Ben of the northern office, whose label fills all that it may be",
    "Cat of the northern office, whose label fills all that it may be",
    "Dan of the northern office, whose label fills all that it may be",
    "Eve of the northern office, whose label fills all that it may be",
    "Fay of the northern office, whose label fills all that it may be",
    "Gus of the northern office, whose label fills all that it may be",
    "Hal of the northern office, whose label fills all that it may be",
    "Ida of the northern office, whose label fills all that it may be",
    "Joe of the northern office, whose label fills all that it may be",
    "Kim of the northern office, whose label fills all that it may be",
    "Leo of the northern office, whose label fills all that it may be",
    "Mae of the northern office, whose label fills all that it may be",
];

#[test]
fn thirteen_people_with_long_names_fit_into_80_columns() {
    let mut group = Group::new(&NAMES, &[]);
    let title = "The autumn ceremony of a pool whose title fills what it may fill";
    let long = format!("{title}!");
    let cards: Vec<_> = NAMES.iter().map(|name| format!("{name}/outbox")).collect();
    let new = ["--network", "hoodi", "--withdrawal", super::WITHDRAWAL, "--threshold", "9", "--title", &long];
    let mut arguments = vec!["plan", "new"];
    arguments.extend(cards.iter().map(String::as_str).chain(new));
    let said = group.run(&arguments, 1);
    assert!(said.stderr.contains("the title has more than 64 bytes"), "{}", said.stderr);
    group.plan(&["--threshold", "9", "--validators", "20", "--title", title]);
    std::fs::rename(group.at(NAMES[0]), group.at("ann")).unwrap();
    std::fs::rename(group.at(NAMES[1]), group.at("ben")).unwrap();
    let wide = |said: &str| {
        for line in said.lines().take_while(|line| !line.starts_with("error: ")) {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
    };
    for name in ["ann", "ben"] {
        let said = group.step(name, &[], 0);
        wide(&said.stderr);
        wide(&said.stdout);
    }
    for (command, exit) in [
        (&["plan", "show", "stick"][..], 0),
        (&["status", "stick"], 0),
        (&["runbook", "stick"], 0),
        (&["compare", "stick", "ann"], 0),
        (&["identity", "show", "ann/outbox"], 0),
        (&["audit", "stick"], 3),
        (&["judge", "stick"], 1),
        (&["step", "ann", "--no-input"], 5),
    ] {
        let said = group.run(command, exit);
        wide(&said.stdout);
        wide(&said.stderr);
        // Something was said.
        assert!(!said.stdout.is_empty() || exit != 0);
    }
}

#[test]
fn a_binding_of_another_card_is_refused_before_the_passphrase() {
    let group = Group::new(&["ann", "ben"], &[]);
    let card = card_of(&group.at("ann"));
    let bind = ["identity", "bind", card.to_str().unwrap(), "--operator-id", "12", "--network", "hoodi"];
    group.run(&[&bind[..], &["--key", "operator-12.pem", "--out", "for-ann.json"]].concat(), 0);
    let said = group.run(&["identity", "bind", "ben", "--binding", "for-ann.json", "--no-input"], 1);
    said.code("ceremony.plan");
    assert!(said.stderr.contains("the binding is not for the card in the outbox, ben"), "{}", said.stderr);
    group.run(&["identity", "bind", "ann", "--binding", "for-ann.json", "--no-input"], 1).code("password.missing");
    // Whoever can write on a stick can make one for a key of its own: no step takes it unasked.
    let before = std::fs::read(&card).unwrap();
    std::fs::copy(group.at("for-ann.json"), group.at("ann/inbox/binding.json")).unwrap();
    let said = group.run(&[&["step", "ann"][..], &VAULT].concat(), 5);
    assert!(said.stderr.contains("binds your card to operator 12, if you take it"), "{}", said.stderr);
    assert_eq!(std::fs::read(&card).unwrap(), before);
    group.run(&[&["identity", "bind", "ann", "--binding", "for-ann.json"][..], &VAULT].concat(), 0);
}

#[test]
fn cards_of_several_people_lie_in_one_folder_and_nobody_has_two_in_the_outbox() {
    let group = Group::new(&["ann", "ben"], &[12, 34]);
    std::fs::create_dir(group.at("cards")).unwrap();
    for name in ["ann", "ben"] {
        let card = card_of(&group.at(name));
        assert!(
            card.file_name().unwrap().to_str().unwrap().starts_with(&format!("card-{name}-")),
            "{}",
            card.display()
        );
        std::fs::copy(&card, group.at("cards").join(card.file_name().unwrap())).unwrap();
    }
    let shown = group.run(&["identity", "show", "cards"], 0).stdout;
    assert_eq!(shown.matches("cards/card-").count(), 2, "{shown}");
    // A folder of an earlier version, in which the card has another name, with its text beside it.
    let old = group.at("ann/outbox/card.agdkg");
    std::fs::rename(card_of(&group.at("ann")), &old).unwrap();
    let text = dvkey::format::armor::encode(&std::fs::read(&old).unwrap()).unwrap();
    std::fs::write(group.at("ann/outbox/card.txt"), text).unwrap();
    let said = group.run(&[&["step", "ann"][..], &VAULT].concat(), 5);
    assert!(said.stderr.replace('\n', " ").contains("Give ann/outbox/card.agdkg to the organizer"), "{}", said.stderr);
    let kept = super::tree(&group.at("ann/files")).len();
    bound_to(&group, "99");
    // The one before is out of the way, and not lost.
    assert_eq!(super::tree(&group.at("ann/outbox")).len(), 1);
    assert_eq!(super::tree(&group.at("ann/files")).len(), kept + 1);
}

#[test]
fn a_card_that_was_bound_twice_is_mine_for_the_operator_of_the_last() {
    let mut group = Group::new(&["ann", "ben", "cat", "dan"], &[12, 34, 56, 78]);
    let first = std::fs::read(card_of(&group.at("ann"))).unwrap();
    // The same operator again: an organizer that has the first card, or the second, has mine.
    let second = bound_to(&group, "12");
    assert_ne!(first, second);
    accepts(&mut group, &first, 0);
    accepts(&mut group, &second, 0);
    // Another operator since: the card from before is not mine any more.
    bound_to(&group, "99");
    accepts(&mut group, &first, 1);
}

#[test]
fn before_a_plan_ones_own_vault_is_at_home() {
    let group = Group::new(&["ann"], &[]);
    let shown = |path: &str| group.run(&["identity", "show", path], 0).stderr;
    assert!(!shown("ann").contains("VAULT"), "{}", shown("ann"));
    std::fs::copy(group.at("ann/vault.agv"), group.at("stick/vault.agv")).unwrap();
    std::fs::copy(card_of(&group.at("ann")), group.at("stick/card")).unwrap();
    assert!(shown("stick").contains("stick/vault.agv is a VAULT: secret. Take it away"), "{}", shown("stick"));
}

#[test]
fn whoever_waits_for_pre_commits_is_not_told_to_go_to_itself() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2", "--precommit"]);
    let said = group.step("ann", &["--json"], 0).last_object();
    assert_eq!((&said["id"], &said["missing"]), (&1.into(), &"pre-commits".into()));
    let flat = group.step("ann", &[], 5).stderr.replace('\n', " ");
    assert!(flat.contains("to ben (2); bring back") && !flat.contains("ann (1)"), "{flat}");
    for name in ["ben", "ann", "ben", "ann"] {
        group.step(name, &[], 0);
    }
    // A missing pre-commit is nobody's fault, and no file proves it.
    std::fs::create_dir(group.at("part")).unwrap();
    for (path, content) in super::tree(&group.at("stick")) {
        if !(content.starts_with(b"AGDKG1C0") && content[47] == 2) {
            std::fs::write(group.at("part").join(path.file_name().unwrap()), content).unwrap();
        }
    }
    let said = group.run(&["assemble", "part", "--out", "output"], 5);
    said.code("ceremony.waiting");
    assert!(said.stderr.contains("waiting for the pre-commits of ben (2)"), "{}", said.stderr);
    assert!(!said.stderr.contains("anybody can check"), "{}", said.stderr);
}

#[test]
fn whoever_leaves_before_the_keystores_is_told_again_who_waits() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0]);
    // No password at hand: what others need is on the stick, or is said to be carried, each time.
    for stick in [&[][..], &[], &["--stick", "stick"]] {
        if stick.is_empty() {
            super::tree(&group.at("stick")).iter().for_each(|(path, content)| {
                std::fs::write(group.at("ann/inbox").join(path.file_name().unwrap()), content).unwrap();
            });
        }
        let said = group.run(&[&["step", "ann"][..], &VAULT, stick].concat(), 1);
        said.code("password.missing");
        let flat = said.stderr.replace('\n', " ");
        let what = if stick.is_empty() { "everything in ann/outbox" } else { "stick (your files are on it)" };
        assert!(flat.contains(&format!("the others need what you certified. Carry {what} to ben (2).")), "{flat}");
    }
    let flat = group.step("ann", &[], 0).stderr.replace('\n', " ");
    assert!(flat.contains("The ceremony is finished") && flat.contains("Carry stick"), "{flat}");
    // Later there is nothing left to carry.
    let flat = group.step("ann", &[], 0).stderr.replace('\n', " ");
    assert!(flat.contains("The ceremony is finished") && !flat.contains("Carry"), "{flat}");
}

/// Ann accepts, or refuses, a plan that lists this card as hers.
fn accepts(group: &mut Group, card: &[u8], exit: i32) {
    let path = card_of(&group.at("ann"));
    let kept = std::fs::read(&path).unwrap();
    std::fs::write(&path, card).unwrap();
    let _ = std::fs::remove_file(group.at("stick/the plan.bin"));
    group.plan(&["--owner", super::WITHDRAWAL, "--nonce", "0"]);
    std::fs::write(&path, kept).unwrap();
    let accept = ["plan", "accept", "ann", "stick", "--confirm", &group.confirm];
    let said = group.run(&[&accept[..], &VAULT].concat(), exit);
    assert_eq!(said.stderr.contains("my card is not in the plan"), exit == 1, "{}", said.stderr);
}

/// Binds Ann's card once more, and gives the new one.
fn bound_to(group: &Group, id: &str) -> Vec<u8> {
    let bind = ["identity", "bind", "ann", "--operator-id", id, "--network", "hoodi", "--key", "operator-12.pem"];
    group.run(&[&bind[..], &VAULT].concat(), 0);
    std::fs::read(card_of(&group.at("ann"))).unwrap()
}

#[test]
fn the_owners_verdict_stands_last_with_what_was_compared_with_nothing() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    group.plan(&["--threshold", "2"]);
    group.round(&[0, 0, 0]);
    group.step("ann", &[], 0);
    group.run(&["assemble", "stick", "--out", "output"], 0);
    for (more, compared) in [("", false), (" --withdrawal 0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494", true)] {
        let Some(terminal) = Terminal::sized(group.folder.path(), &format!("ceremony verify output{more}")) else {
            return;
        };
        let screen = terminal.end(0);
        let rows = last_rows(screen.split("exit 0").next().unwrap(), 23);
        assert!(rows.contains(": VALID, 1 validator") && rows.contains("report.txt says"), "{rows}");
        assert_eq!(rows.contains("nobody said whose the stake should be"), !compared, "{rows}");
        assert_eq!(rows.contains("ok  stake belongs to 0x81592c3D"), compared, "{rows}");
        assert!(rows.find("certificate words").is_none_or(|words| words < rows.find(": VALID").unwrap()), "{rows}");
    }
}

#[test]
fn a_command_to_be_copied_stands_on_one_line_however_long_it_is() {
    let folder = super::quick_folder();
    let out = "rehearsal-of-the-ceremony-on-the-first-of-december-two-thousand-and-twenty-six";
    let arguments = format!("ceremony rehearse --participants 3 --validators 1 --network hoodi --out {out}");
    let Some(terminal) = Terminal::sized(folder.path(), &arguments) else { return };
    let screen = terminal.end(0);
    assert!(screen.contains(&format!("dvkey ceremony verify {out}/output")), "{screen}");
}

#[test]
fn several_plans_are_told_apart_by_hash_and_path() {
    let mut group = Group::new(&["ann", "ben"], &[]);
    for title in ["one", "other"] {
        group.plan(&["--threshold", "2", "--title", title]);
        std::fs::rename(group.at("stick/the plan.bin"), group.at("ann/inbox").join(title)).unwrap();
    }
    let said = group.run(&[&["step", "ann"][..], &VAULT].concat(), 1);
    said.code("ceremony.plan");
    assert!(
        said.stderr.contains("name the one that is meant:\ndvkey ceremony plan accept ann PLAN"),
        "{}",
        said.stderr
    );
    assert_eq!(said.stderr.matches("  ann/files/plan-").count(), 2, "{}", said.stderr);
    let said = group.run(&["verify", "ann/inbox"], 1);
    assert!(said.stderr.contains("  ann/inbox/one  one\n"), "{}", said.stderr);
    assert!(said.stderr.contains("  ann/inbox/other  other\n"), "{}", said.stderr);
}
