//! Screens at 80 columns, with as many people and as long names as a plan may have; and no question asked in vain.

use super::{Group, VAULT};

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
    let bind = ["identity", "bind", "ann/outbox/card.agdkg", "--operator-id", "12", "--network", "hoodi"];
    group.run(&[&bind[..], &["--key", "operator-12.pem", "--out", "for-ann.json"]].concat(), 0);
    let said = group.run(&["identity", "bind", "ben", "--binding", "for-ann.json", "--no-input"], 1);
    said.code("ceremony.plan");
    assert!(said.stderr.contains("the binding is not for the card in the outbox, ben"), "{}", said.stderr);
    group.run(&["identity", "bind", "ann", "--binding", "for-ann.json", "--no-input"], 1).code("password.missing");
    group.run(&[&["identity", "bind", "ann", "--binding", "for-ann.json"][..], &VAULT].concat(), 0);
}
