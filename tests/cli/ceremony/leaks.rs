//! Every command of a ceremony with known secrets, quietly, in words and in JSON: none of them shows up anywhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use dvkey::workflow::ceremony::collection::Collection;
use dvkey::workflow::ceremony::finish;
use dvkey::workflow::ceremony::gather::gather;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};

use super::{Group, PASSPHRASE, WITHDRAWAL, root, tree};
use crate::dvkey;
use crate::leaks::forms;

const KEYSTORE_PASSWORD: &str = "for the keystores 0815 only";
const WRONG: &str = "a wrong passphrase 1234567";
const OPERATORS: [(&str, &str); 4] = [("ann", "12"), ("ben", "34"), ("cat", "56"), ("dan", "78")];

/// Secrets to look for, by their first eight bytes.
#[derive(Default)]
struct Canary(HashMap<[u8; 8], Vec<Vec<u8>>>);

impl Canary {
    fn add(&mut self, form: Vec<u8>) {
        self.0.entry(*form.first_chunk().unwrap()).or_default().push(form);
    }

    fn add_bytes(&mut self, secret: &[u8]) {
        forms(secret).into_iter().for_each(|form| self.add(form));
    }

    /// A root in bytes, and any three words in a row of its 24.
    fn add_root(&mut self, root: &Root) {
        self.add_bytes(root.expose());
        let words = root.to_words();
        let words: Vec<_> = words.split(' ').collect();
        for three in words.windows(3) {
            for between in [" ", "-", ",", "\n", "\",\""] {
                self.add(three.join(between).into_bytes());
                self.add(three.join(between).to_uppercase().into_bytes());
            }
        }
    }

    fn sings(&self, haystack: &[u8]) -> bool {
        (0..haystack.len()).any(|at| {
            let here = &haystack[at..];
            let known = here.first_chunk().and_then(|start| self.0.get(start));
            known.is_some_and(|forms| forms.iter().any(|form| here.starts_with(form)))
        })
    }
}

/// What a person gave on purpose.
fn is_given(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["pp", "kp", "wrong", "words", "password"].contains(&name) || name.ends_with(".pem")
}

#[test]
fn no_command_of_a_ceremony_shows_a_secret() {
    let mut group = Group::new(&[], &[]);
    group.names = OPERATORS.map(|(name, _)| name).into();
    std::fs::create_dir(group.at("node-12")).unwrap();
    for file in ["node-12/encrypted_private_key.json", "node-12/password"] {
        std::fs::copy(crate::support::fixture("split").join(file), group.at(file)).unwrap();
    }
    let known = <sha2::Sha256 as sha2::Digest>::digest(b"a root that is known");
    let known = Root::from_bytes(zeroize::Zeroizing::new(known.into()));
    for (name, content) in [("kp", KEYSTORE_PASSWORD), ("wrong", WRONG), ("words", known.to_words().as_str())] {
        std::fs::write(group.at(name), content).unwrap();
    }
    let heard = RefCell::new(Vec::new());
    let go = |line: &str, more: &[&str], exit: i32| {
        let mut command = dvkey(group.folder.path());
        let output = command.args(line.split(' ')).args(more).output().unwrap();
        let said =
            format!("{line}\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{said}");
        heard.borrow_mut().push((line.to_owned(), [output.stdout, output.stderr].concat()));
    };
    let vault = ["--passphrase-file", "pp", "--no-input"];
    let ceremony =
        |line: &str, more: &[&str], exit: i32| go(&format!("ceremony {line}"), &[&vault, more].concat(), exit);
    let public = |line: &str, more: &[&str], exit: i32| go(&format!("ceremony {line}"), more, exit);

    // Identities: from known words, by the machine's randomness; bound with an encrypted key, and with open ones.
    ceremony("identity new ann --label ann --vault-memory 64MiB -v --from-words --words-file words --armor", &[], 0);
    let node = ["--key", "node-12/encrypted_private_key.json", "--password-file", "node-12/password"];
    ceremony("identity bind ann --operator-id 12 --network hoodi -v", &node, 0);
    ceremony("identity bind ann --operator-id 12 --network hoodi --json", &node, 0);
    for (name, id) in &OPERATORS[1..] {
        let new = format!("identity new {name} --label {name} --vault-memory 64MiB --without-words");
        ceremony(&new, &[if *id == "34" { "--json" } else { "-v" }], 0);
        let bind = format!("identity bind {name} --operator-id {id} --network hoodi --key operator-{id}.pem -v");
        ceremony(&bind, &[], 0);
    }
    public("identity show ann ben -v", &[], 0);
    public("identity show ann/outbox --json", &[], 0);

    let cards = "plan new ann/outbox ben/outbox cat/outbox dan/outbox --network hoodi --nonce 3 --proofs -v";
    public(cards, &["--withdrawal", WITHDRAWAL, "--owner", WITHDRAWAL, "--out", "stick/the plan.bin"], 0);
    public("plan show stick -v", &[], 0);
    public("plan show stick --json", &[], 0);
    let bytes = std::fs::read(group.at("stick/the plan.bin")).unwrap();
    let plan = Plan::parse(&bytes, Waivers::default(), &dvkey::crypto::ceremony_rsa::CeremonyRsa).unwrap();
    let words = plan.words().join("-");
    let confirm = format!("network=hoodi,amount=32ether,withdrawal={WITHDRAWAL},owner={WITHDRAWAL},words={words}");
    let confirm = ["--confirm", &confirm];

    // Walk 1 and walk 2, by the short way and by the long one, with the wrong passphrase and without any.
    public("plan accept ann stick --no-input --passphrase-file wrong -v", &confirm, 1);
    ceremony("plan accept ann stick -v", &confirm, 0);
    public("deal ann --stick stick --no-input --passphrase-file wrong --json", &[], 1);
    ceremony("deal ann --stick stick -v --armor", &[], 0);
    for name in ["ben", "cat"] {
        ceremony(&format!("step {name} --stick stick --json"), &confirm, 0);
    }
    let key = |id: &str| ["--operator-key".to_owned(), format!("operator-{id}.pem")];
    for (name, id) in [("dan", "78"), ("ben", "34"), ("cat", "56")] {
        let key = key(id);
        let options = [&confirm[..], &[&key[0], &key[1], if name == "ben" { "--json" } else { "-v" }]].concat();
        ceremony(&format!("step {name} --stick stick"), &options, 0);
    }
    let node = ["--operator-key", "node-12/encrypted_private_key.json", "--operator-password-file", "node-12/password"];
    ceremony("complain ann --stick stick -v", &[], 1);
    ceremony("certify ann --stick stick -v", &["--operator-key", "node-12/encrypted_private_key.json"], 1);
    let wrong = ["--operator-key", "node-12/encrypted_private_key.json", "--operator-password-file", "wrong"];
    ceremony("certify ann --stick stick -v", &wrong, 1);
    ceremony("certify ann --stick stick -v", &node, 1);
    ceremony("certify ann --stick stick -v --never-certified", &node, 0);
    ceremony("certify ann --stick stick --json", &node, 0);
    ceremony("finish ann --stick stick -v", &[], 0);
    for name in ["ben", "cat", "dan"] {
        ceremony(&format!("step {name} --stick stick --json --armor"), &[], 0);
    }
    for what in ["stick", "ann", "dan"] {
        public(&format!("status {what} -v"), &[], 0);
        public(&format!("status {what} --json"), &[], 0);
    }

    // Results, and everybody's questions about them.
    public("assemble stick --out output -v", &[], 0);
    public("assemble ann ben cat dan --out again --json", &[], 0);
    for line in ["verify output", "audit output/ceremony.bn", "audit output/ceremony.public.bn", "compare ann ben"] {
        public(&format!("{line} -v"), &[], 0);
        public(&format!("{line} --json"), &[], 0);
    }
    public("judge ann -v", &[], 1);
    public("runbook ann", &[], 0);
    public("runbook stick --html", &[], 0);
    for (out, option) in [("paper", "-v"), ("page", "--json")] {
        let recover = format!("recover --bundle output/ceremony.bn --words-file words --out {out} {option}");
        public(&recover, &["--keystore-password-file", "kp", "--no-input"], 0);
        let recover = format!("recover --bundle output/ceremony.bn --folder ben --out {out} {option}");
        ceremony(&recover, &["--keystore-password-file", "kp"], 0);
        let add = format!("proofs add --bundle output/ceremony.public.bn --out proofs-{out} {option}");
        public(&add, &["--key", "node-12/encrypted_private_key.json", "--password-file", "node-12/password"], 0);
    }
    public("rehearse --participants 2 --out lesson -v", &[], 0);
    go("verify output -v --network hoodi", &[], 0);
    go("inspect ann output stick paper -v", &[], 0);
    go("inspect ann output stick paper --json", &[], 0);

    let mut canary = Canary::default();
    canary.add_root(&known);
    assert!(canary.sings(known.to_words().as_bytes()) && canary.sings(&[&b"x"[..], known.expose()].concat()));
    assert!(canary.sings(hex::encode(known.expose()).as_bytes()) && !canary.sings(&bytes));
    let operator = std::fs::read_to_string(group.at("node-12/password")).unwrap();
    for password in [PASSPHRASE, KEYSTORE_PASSWORD, WRONG, operator.trim_end()] {
        canary.add_bytes(password.as_bytes());
    }
    let collection = Collection::of(plan.clone(), &gather(&[group.at("stick")], Some(&plan)).unwrap());
    for (name, id) in OPERATORS {
        let root = root(&group.at(name));
        assert_eq!(root.expose() == known.expose(), name == "ann");
        canary.add_root(&root);
        canary.add_bytes(Identity::derive(&root).unwrap().ceremony(&plan).expose());
        for share in &finish::shares(&collection, &root).unwrap().shares {
            canary.add_bytes(share.secret.to_be_bytes().as_slice());
        }
        // Any line of the operator's key.
        let pem = std::fs::read_to_string(group.at(&format!("operator-{id}.pem"))).unwrap();
        pem.lines().filter(|line| !line.starts_with('-')).skip(1).for_each(|line| canary.add(line.as_bytes().to_vec()));
    }
    for (line, said) in heard.borrow().iter() {
        assert!(!canary.sings(said), "a secret is said by dvkey {line}");
        assert!(!canary.sings(line.as_bytes()));
    }
    let mut keystores = 0;
    for (path, content) in tree(group.folder.path()) {
        keystores += usize::from(path.display().to_string().contains("keystore-share-"));
        assert!(is_given(&path) || !canary.sings(&content), "a secret is in {}", path.display());
    }
    assert_eq!(keystores, 6, "two of each of two people's shares, and those of the rehearsal");
}
