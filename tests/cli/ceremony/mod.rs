//! `dvkey ceremony` on real folders: people, a medium that goes round, accidents, cheats.

mod accidents;
mod again;
mod cheats;
mod consent;
mod crash;
mod edited;
mod faces;
mod junk;
mod late;
mod leaks;
mod outbox;
mod pipes;
mod screens;
mod straight;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::fixture;
use crate::{dvkey, objects, stderr, stdout};

/// Recognisable, and long enough.
pub(crate) const PASSPHRASE: &str = "a passphrase 4711 for the vaults";
pub(crate) const WITHDRAWAL: &str = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494";

/// People with a folder each, and a stick.
pub(crate) struct Group {
    pub(crate) folder: TempDir,
    pub(crate) names: Vec<&'static str>,
    pub(crate) confirm: String,
}

impl Group {
    /// Identities with cards; bound to the demonstration operators where there are any.
    pub(crate) fn new(names: &[&'static str], operators: &[u64]) -> Self {
        let folder = quick_workshop();
        std::fs::write(folder.path().join("pp"), PASSPHRASE).unwrap();
        std::fs::create_dir(folder.path().join("stick")).unwrap();
        let group = Self { folder, names: names.into(), confirm: String::new() };
        for (position, name) in names.iter().enumerate() {
            let new = ["identity", "new", name, "--label", name, "--without-words", "--vault-memory", "64MiB"];
            group.run(&[&new[..], &VAULT].concat(), 0);
            if let Some(id) = operators.get(position) {
                let (key, id) = (format!("operator-{id}.pem"), id.to_string());
                let bind = ["identity", "bind", name, "--operator-id", &id, "--network", "hoodi", "--key", &key];
                group.run(&[&bind[..], &VAULT].concat(), 0);
            }
        }
        group
    }

    /// A plan from all cards, put onto the stick.
    pub(crate) fn plan(&mut self, options: &[&str]) {
        let cards: Vec<_> = self.names.iter().map(|name| format!("{name}/outbox")).collect();
        let mut arguments = vec!["plan", "new"];
        arguments.extend(cards.iter().map(String::as_str));
        arguments.extend(["--network", "hoodi", "--withdrawal", WITHDRAWAL, "--out", "stick/the plan.bin", "--quiet"]);
        arguments.extend(options);
        self.run(&arguments, 0);
        let shown = self.run(&["plan", "show", "stick/the plan.bin", "--json"], 0);
        let plan = objects(&shown.stdout).remove(0);
        let words: Vec<_> = plan["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        self.confirm = format!("network=hoodi,amount=32ether,withdrawal={WITHDRAWAL},words={}", words.join("-"));
        if plan["owner"].is_string() {
            self.confirm += &format!(",owner={}", plan["owner"].as_str().unwrap());
        }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs a command of a ceremony, and checks how it ends.
    pub(crate) fn run(&self, arguments: &[&str], exit: i32) -> Said {
        let mut command = dvkey(self.folder.path());
        command.arg("ceremony").args(arguments);
        let assert = command.assert();
        let (code, said) =
            (assert.get_output().status.code(), Said { stdout: stdout(&assert), stderr: stderr(&assert) });
        assert_eq!(code, Some(exit), "{arguments:?}\n{}\n{}", said.stdout, said.stderr);
        // Every failure has a code and says what to do next.
        if ![0, 5].contains(&exit) {
            assert!(said.stderr.contains("code: "), "{}", said.stderr);
        }
        assert!(!said.stderr.contains(PASSPHRASE) && !said.stdout.contains(PASSPHRASE));
        said
    }

    /// A step with the stick, which accepts the plan if it is the right one.
    pub(crate) fn step(&self, name: &str, options: &[&str], exit: i32) -> Said {
        let step = ["step", name, "--stick", "stick", "--confirm", &self.confirm, "--keystore-password-file", "pp"];
        self.run(&[&step[..], &VAULT, options].concat(), exit)
    }

    /// Everybody in turn, with the same exit code.
    pub(crate) fn round(&self, exits: &[i32]) {
        for (name, exit) in self.names.iter().zip(exits) {
            self.step(name, &[], *exit);
        }
    }
}

/// A folder for one test in memory, where there is such a place: a ceremony makes everything durable, many times.
pub(crate) fn quick_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn quick_workshop() -> TempDir {
    let folder = quick_folder();
    for entry in std::fs::read_dir(fixture("split")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

pub(crate) const VAULT: [&str; 3] = ["--passphrase-file", "pp", "--no-input"];

/// What a command said.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn code(&self, code: &str) {
        assert!(self.stderr.contains(&format!("code: {code} ")), "{code} was expected:\n{}", self.stderr);
    }

    pub(crate) fn last_object(&self) -> Value {
        objects(&self.stdout).pop().unwrap()
    }
}

/// The one card in somebody's outbox.
pub(crate) fn card(folder: &Path) -> PathBuf {
    let is_card = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("card-");
    let found = tree(&folder.join("outbox"));
    let cards: Vec<_> = found.keys().filter(is_card).collect();
    assert_eq!(cards.len(), 1, "{cards:?}");
    cards[0].clone()
}

/// Every file below a folder, but for locks.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// The root in the vault of a participant.
pub(crate) fn root(folder: &Path) -> dvkey_ceremony::agdkg::identity::Root {
    let vault = std::fs::read(folder.join("vault.agv")).unwrap();
    let passphrase = dvkey_ceremony::SecretBytes::new(PASSPHRASE.as_bytes().to_vec());
    dvkey_ceremony::agdkg::vault::open(&vault, &passphrase).unwrap_or_else(|fault| panic!("{fault}")).root
}
