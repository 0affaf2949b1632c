//! Ceremonies in which nothing goes wrong, from identities to what is registered, deposited and recovered.

use std::os::unix::fs::PermissionsExt;

use dvkey_ceremony::agdkg::identity::Identity;

use super::{Group, PASSPHRASE, VAULT, WITHDRAWAL, root, tree};
use crate::{dvkey, read_json, stderr, stdout};

const OPERATORS: [u64; 4] = [12, 34, 56, 78];

#[test]
fn four_operators_make_two_validators() {
    let mut group = Group::new(&["alpha", "bravo", "charlie", "delta"], &OPERATORS);
    group.plan(&["--validators", "2", "--owner", WITHDRAWAL, "--nonce", "7", "--title", "Kestrel pool"]);
    let said = group.step("alpha", &["--json"], 0).last_object();
    assert_eq!((said["state"].as_str(), said["missing"].as_str()), (Some("waiting"), Some("deals")));
    assert_eq!(said["from"], serde_json::json!([34, 56, 78]));
    // Nothing new: nothing to do but to wait, and nothing changes.
    let before = tree(&group.at("alpha"));
    let said = group.step("alpha", &[], 5);
    assert!(said.stderr.contains("Waiting for the deals of bravo (34), charlie (56), delta (78)."), "{}", said.stderr);
    assert_eq!(tree(&group.at("alpha")), before);
    group.run(&["assemble", "stick", "--out", "output"], 5).code("ceremony.waiting");
    // A circle: whoever comes last deals and certifies at once.
    for name in ["bravo", "charlie", "delta"] {
        group.step(name, &[], 0);
    }
    for name in ["alpha", "bravo"] {
        group.step(name, &[], 0);
    }
    group.run(&["assemble", "stick", "--out", "output"], 5).code("ceremony.waiting");
    assert!(!group.at("output").exists());
    group.step("charlie", &[], 0);
    let said = group.run(&["status", "stick"], 0);
    assert!(said.stdout.contains("complete: "), "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.chars().count() <= 80), "{}", said.stdout);

    group.run(&["assemble", "stick", "--out", "output"], 0);
    // The same bytes from another copy of the files; and twice is once.
    group.run(&["assemble", "alpha", "bravo", "charlie", "delta", "--out", "again"], 0);
    group.run(&["assemble", "stick", "--out", "again"], 0);
    let contents = |folder: &str| tree(&group.at(folder)).into_values().collect::<Vec<_>>();
    assert_eq!(contents("output"), contents("again"));

    let check = ["verify", "output", "--withdrawal", WITHDRAWAL, "--owner", WITHDRAWAL, "--nonce", "7"];
    let more = ["--network", "hoodi", "--amount", "32ether", "--validators", "2", "--operators", "operators.json"];
    let said = group.run(&[&check[..], &more].concat(), 0);
    assert!(said.stdout.contains("VALID, 2 validators"), "{}", said.stdout);
    for wrong in [
        ["--withdrawal", "0x52454845415253414C204e4f54205245414C2021"],
        ["--network", "mainnet"],
        ["--amount", "31ether"],
        ["--validators", "3"],
        ["--nonce", "8"],
    ] {
        let said = group.run(&["verify", "output", wrong[0], wrong[1]], if wrong[1] == "8" { 1 } else { 3 });
        said.code(if wrong[1] == "8" { "ceremony.plan" } else { "ceremony.not-valid" });
    }
    let said = stdout(&dvkey(group.folder.path()).args(["verify", "output"]).assert().success());
    assert_eq!(said.matches(": VALID, 2").count(), 2, "{said}");
    // The results say for which network they are, and a stranger compares that.
    for (network, exit) in [("hoodi", 0), ("mainnet", 3)] {
        let verify = ["verify", "output", "--network", network, "--owner", WITHDRAWAL, "--nonce", "7"];
        dvkey(group.folder.path()).args(verify).assert().code(exit);
        let verify = ["verify", "output/keyshares.json", "--network", network];
        dvkey(group.folder.path()).args(verify).assert().code(exit);
        if exit != 0 {
            let register = ["tx", "register", "output/keyshares.json", "--network", network, "--new-cluster"];
            let mut command = dvkey(group.folder.path());
            let refused = command.args(register).args(["--value", "1ether", "--out", "no"]).assert().code(3);
            assert!(stderr(&refused).contains("code: verify.not-valid "), "{}", stderr(&refused));
        }
    }
    let provenance = read_json(&group.at("output/provenance.json"));
    let shown = group.run(&["plan", "show", "stick", "--json"], 0).last_object();
    assert_eq!(provenance["ceremony"]["plan"], shown["hash"]);
    assert_eq!((&provenance["network"]["name"], &provenance["firstNonce"]), (&"hoodi".into(), &7.into()));
    group.run(&["audit", "output/ceremony.public.bn"], 0);
    let lines = group.run(&["audit", "output/ceremony.bn"], 0).stdout;
    assert_eq!(lines.lines().filter(|line| line.starts_with("C-")).count(), 45, "{lines}");
    assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");

    // Operators open their shares; the registration takes the file.
    for id in OPERATORS {
        let key = format!("operator-{id}.pem");
        let open = dvkey(group.folder.path()).args(["open", "output/keyshares.json", "--key", &key]).assert().success();
        assert!(stderr(&open).contains("2 of 2 sealed shares open and match"), "{}", stderr(&open));
    }
    let register = ["tx", "register", "output/keyshares.json", "--network", "hoodi", "--new-cluster"];
    let mut command = dvkey(group.folder.path());
    command.args(register).args(["--value", "1ether", "--out", "tx"]).assert().success();

    // Proofs, added one operator after the other, where its key is.
    let mut before = String::new();
    for id in OPERATORS {
        let (key, out) = (format!("operator-{id}.pem"), format!("proofs-{id}.json"));
        let mut add = vec!["proofs", "add", "--bundle", "output/ceremony.public.bn", "--key", &key, "--out", &out];
        if !before.is_empty() {
            add.extend(["--proofs", before.as_str()]);
        }
        let said = group.run(&add, 0);
        assert_eq!(said.stderr.contains("complete: "), id == 78, "{}", said.stderr);
        before = out;
    }
    let arguments = ["verify", "output/keyshares.json", "--proofs", "proofs-78.json"];
    dvkey(group.folder.path()).args(arguments).assert().success();

    // Everybody is done, and knows it.
    for name in ["alpha", "bravo", "charlie", "delta"] {
        let said = group.step(name, &["--json"], 0).last_object();
        assert_eq!(said["state"], "finished");
    }
    no_secret_outside_the_vaults(&group);
    // A changed output is noticed.
    let path = group.at("output/keyshares.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"ownerNonce\": 8", "\"ownerNonce\": 9")).unwrap();
    group.run(&["verify", "output"], 3).code("ceremony.not-valid");
}

/// Root, derived keys, words and passphrase of everybody, in the forms in which they could slip out.
fn no_secret_outside_the_vaults(group: &Group) {
    let mut needles: Vec<Vec<u8>> = vec![PASSPHRASE.as_bytes().to_vec()];
    for name in &group.names {
        let root = root(&group.at(name));
        let words = root.to_words();
        let first: Vec<_> = words.split(' ').take(6).collect();
        needles.extend([root.expose().to_vec(), hex::encode(root.expose()).into_bytes(), first.join(" ").into_bytes()]);
        let identity = Identity::derive(&root).unwrap();
        let plan = dvkey_ceremony::agdkg::plan::Plan::parse(
            &std::fs::read(group.at("stick/the plan.bin")).unwrap(),
            dvkey_ceremony::agdkg::plan::Waivers::default(),
            &dvkey::crypto::ceremony_rsa::CeremonyRsa,
        );
        needles.push(identity.ceremony(&plan.unwrap()).expose().to_vec());
    }
    let mut vaults = 0;
    for (path, content) in tree(group.folder.path()) {
        for needle in needles.iter().filter(|_| !path.ends_with("pp")) {
            assert!(!content.windows(needle.len()).any(|window| window == needle), "a secret is in {}", path.display());
        }
        if content.starts_with(b"AGDKG1VT") {
            assert!(path.ends_with("vault.agv"), "{}", path.display());
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            vaults += 1;
        }
    }
    assert_eq!(vaults, group.names.len());
}

#[test]
fn two_of_three_without_ssv_and_back_from_the_words() {
    let mut group = Group::new(&["ann", "ben", "cat"], &[]);
    group.plan(&["--threshold", "2", "--precommit"]);
    // With pre-commits, nobody shows a deal before it has all of them.
    group.round(&[0, 0, 0]);
    let names = || std::fs::read_dir(group.at("stick")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names().filter(|name| name.contains("-deal-")).count(), 1, "only the last had all pre-commits");
    group.round(&[0, 0]);
    assert_eq!(names().filter(|name| name.contains("-deal-")).count(), 3);

    // Ann's laptop dies. From the words, on a fresh one, the same deal comes again.
    let words = root(&group.at("ann")).to_words();
    let new = ["identity", "new", "fresh", "--label", "ann", "--from-words", "--words-file", "-"];
    let mut command = dvkey(group.folder.path());
    command.arg("ceremony").args(new).args(["--vault-memory", "64MiB"]).args(VAULT).write_stdin(words.as_bytes());
    command.assert().success();
    let deal = |folder: &str| {
        tree(&group.at(&format!("{folder}/outbox")))
            .into_iter()
            .find(|(path, _)| path.display().to_string().contains("-deal-"))
            .unwrap()
            .1
    };
    let said = group.step("fresh", &[], 1);
    said.code("ceremony.certified-before");
    assert_eq!(deal("fresh"), deal("ann"));
    group.step("fresh", &["--never-certified"], 0);
    // The dead laptop wakes up: it hands on what was certified meanwhile, and nothing else.
    group.step("ann", &[], 0);
    let certify = |folder: &str| {
        tree(&group.at(&format!("{folder}/outbox")))
            .into_iter()
            .find(|(path, _)| path.display().to_string().contains("-certify-"))
            .unwrap()
            .1
    };
    assert_eq!(certify("ann"), certify("fresh"));
    group.round(&[5, 5, 0]);
    assert_eq!(std::fs::read_dir(group.at("cat/keystores")).unwrap().count(), 1);
    group.run(&["assemble", "stick", "--out", "output"], 0);
    assert!(!group.at("output/keyshares.json").exists());

    // Two of the keystores make the validator key; one of them recovered from paper and bundle alone.
    let mut command = dvkey(group.folder.path());
    let recover = ["ceremony", "recover", "--bundle", "output/ceremony.bn", "--words-file", "-", "--out", "paper"];
    command.args(recover).args(["--keystore-password-file", "pp", "--no-input"]).write_stdin(words.as_bytes());
    command.assert().success();
    let deposit = tree(&group.at("output")).into_iter().find(|(path, _)| path.extension().is_some_and(|e| e == "json"));
    let validator = format!("0x{}", read_json(&deposit.unwrap().0)[0]["pubkey"].as_str().unwrap());
    let one = |folder: &str| {
        let path = std::fs::read_dir(group.at(folder)).unwrap().next().unwrap().unwrap().path();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        path.display().to_string()
    };
    let share = |id: u64, folder: &str| format!("{id}={}:pp", one(folder));
    let shares = [share(1, "paper"), share(3, "cat/keystores")];
    let mut command = dvkey(group.folder.path());
    command.args(["recover", "--validator", &validator, "--new-password-file", "pp", "--no-input"]);
    command.args(shares.iter().flat_map(|share| ["--share", share])).assert().success();
    // The public bundle lacks the ciphertexts, and says so.
    let mut command = dvkey(group.folder.path());
    let recover = ["ceremony", "recover", "--bundle", "output/ceremony.public.bn", "--words-file", "-", "--out", "no"];
    command.args(recover).args(["--keystore-password-file", "pp", "--no-input"]).write_stdin(words.as_bytes());
    assert!(stderr(&command.assert().code(5)).contains("code: ceremony.waiting "));
}
