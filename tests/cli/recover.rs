//! `dvkey recover` from outside: the key comes back, and nothing else is ever written.

use std::os::unix::fs::PermissionsExt;

use crate::keystore_maker::keystore;
use crate::support::fixture;
use crate::{dvkey, read_json, split, stderr, stdout, workshop};

const NODE: &str = "12=node-12/encrypted_private_key.json:node-12/password";
const VALIDATORS: [&str; 2] = ["0x8c447251", "0xabd838b3"];

fn recover(folder: &std::path::Path, options: &[&str]) -> assert_cmd::Command {
    let mut command = dvkey(folder);
    command.args(["recover", "--new-password-file", "password.txt", "--no-input", "--out", "recovered"]).args(options);
    command
}

fn refused(folder: &std::path::Path, options: &[&str], code: &str) -> String {
    let assert = recover(folder, options).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains(&format!("code: {code} ")), "{code} was expected: {said}");
    assert!(!folder.join("recovered").exists(), "something was written");
    said
}

#[test]
fn t_keys_give_the_key_back() {
    let folder = workshop();
    split(folder.path(), "keystore-demo.json", &["--out", "made"]).assert().success();
    let keys = ["made/keyshares.json", "--key", NODE, "--key", "34=operator-34.pem", "--key", "78=operator-78.pem"];
    let assert = recover(folder.path(), &keys).assert().success();
    let said = stderr(&assert);
    assert_eq!(said.matches("signs in two places is slashed").count(), 1, "{said}");
    let file = folder.path().join(stdout(&assert).trim());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let written = read_json(&file);
    assert_eq!(written["pubkey"], read_json(&folder.path().join("keystore-demo.json"))["pubkey"]);
    assert_eq!(written["crypto"]["kdf"]["params"]["n"], 262_144);
    // It opens, and is the key: what it splits into is sealed and signed by it.
    let again = split(folder.path(), file.to_str().unwrap(), &["--out", "again"]).assert().success();
    assert!(stderr(&again).contains("verified"));
    // Nothing is replaced.
    let assert = recover(folder.path(), &keys).assert().code(1);
    assert!(stderr(&assert).contains("code: output.exists "), "{}", stderr(&assert));
}

#[test]
fn what_does_not_match_is_refused() {
    let folder = workshop();
    split(folder.path(), "keystores", &["--out", "made"]).assert().success();
    let folder = folder.path();
    let file = read_json(&folder.join("made/keyshares.json"));
    let key = file["shares"][0]["payload"]["publicKey"].as_str().unwrap().to_owned();
    assert!(key.starts_with(VALIDATORS[0]));
    let (a, b, c) = ("12=operator-12.pem", "34=operator-34.pem", "56=operator-56.pem");
    let named = ["made/keyshares.json", "--validator", &key];
    let with = |keys: &[&str]| -> Vec<String> {
        let keys = keys.iter().flat_map(|key| ["--key", key]);
        named.iter().copied().chain(keys).map(str::to_owned).collect()
    };
    let run = |options: Vec<String>, code: &str| {
        refused(folder, &options.iter().map(String::as_str).collect::<Vec<_>>(), code)
    };
    run(with(&[a, b]), "recover.shares");
    run(with(&[a, b, b]), "recover.shares");
    run(with(&[a, b, "99=operator-56.pem"]), "recover.shares");
    run(with(&[a, b, "56"]), "recover.shares");
    run(with(&[a, b, "56=operator-56.pem:"]), "recover.shares");
    run(with(&[a, b, "0=operator-56.pem"]), "operators.id");
    run(with(&[a, b, "56=operator-78.pem"]), "recover.mismatch");
    run(with(&[a, b, "56=password.txt"]), "open.key");
    run(with(&[a, b, "12=absent"]), "recover.shares");
    refused(folder, &["made/keyshares.json", "--key", a, "--key", b, "--key", c], "recover.validator");
    refused(folder, &["made/keyshares.json", "--validator", "0x12", "--key", a], "recover.validator");
    let stranger = read_json(&fixture("deposit/deposits.json"))[0]["pubkey"].as_str().unwrap().to_owned();
    refused(folder, &["made/keyshares.json", "--validator", &stranger, "--key", a], "recover.validator");
    refused(folder, &["--validator", &key, "--key", a, "--key", b, "--key", c], "input.missing");
    refused(folder, &["--share", "12=keystore-demo.json:password.txt"], "input.missing");
    std::fs::write(folder.join("short"), "1234567\n").unwrap();
    let short: Vec<_> = with(&[a, b, c]).into_iter().chain(["--new-password-file".into(), "short".into()]).collect();
    let assert = dvkey(folder).args(["recover", "--no-input", "--out", "recovered"]).args(&short).assert().code(1);
    assert!(stderr(&assert).contains("code: recover.password "), "{}", stderr(&assert));
    assert!(!folder.join("recovered").exists());
    // A share key of the file exchanged for another: what opens is not what the file promises.
    let mut altered = file.clone();
    let data = altered["shares"][0]["payload"]["sharesData"].as_str().unwrap().to_owned();
    let (first, second) = (2 + 192..2 + 192 + 96, 2 + 192 + 96..2 + 192 + 192);
    let swapped = format!("{}{}{}{}", &data[..194], &data[second.clone()], &data[first], &data[second.end..]);
    altered["shares"][0]["payload"]["sharesData"] = swapped.into();
    std::fs::write(folder.join("made/keyshares.json"), altered.to_string()).unwrap();
    run(with(&[a, b, c]), "recover.mismatch");
}

#[test]
fn share_keystores_give_the_key_back_without_a_keyshares_file() {
    use dvkey_ceremony::polynomial::Polynomial;
    use dvkey_ceremony::scalar::Scalar;
    use dvkey_ceremony::{Identifier, SecretKey};
    let folder = workshop();
    let coefficients = Vec::from([4242u64, 17, 23].map(Scalar::from_u64));
    let validator = SecretKey::from_scalar(&coefficients[0]).unwrap().public_key().to_string();
    let polynomial = Polynomial::from_coefficients(coefficients);
    let mut named = Vec::new();
    for id in [3u64, 8, 17] {
        let share = polynomial.evaluate(Identifier::try_from(id).unwrap());
        let file = keystore(&*share.to_be_bytes(), b"a password of some length");
        std::fs::write(folder.path().join(format!("{id}.json")), file.to_string()).unwrap();
        named.extend(["--share".to_owned(), format!("{id}={id}.json:pw")]);
    }
    std::fs::write(folder.path().join("pw"), "a password of some length").unwrap();
    let mut options: Vec<_> = named.iter().map(String::as_str).collect();
    options.extend(["--validator", &validator]);
    // Two of the three make another key.
    refused(folder.path(), &[&options[..4], &options[6..]].concat(), "recover.mismatch");
    let wrong = options.iter().map(|option| option.replace("3=3.json", "4=3.json")).collect::<Vec<_>>();
    refused(folder.path(), &wrong.iter().map(String::as_str).collect::<Vec<_>>(), "recover.mismatch");
    let assert = recover(folder.path(), &options).assert().success();
    assert!(stdout(&assert).trim().ends_with(&format!("keystore-{validator}.json")));
}
