//! `dvkey split`, when something is wrong: each refusal has its code, and nothing is written.

use serde_json::{Value, json};

use crate::dvkey;
use crate::keystore_maker::{keystore, secret};
use crate::support::text;
use crate::{OWNER, objects, read_json, refused, split, stderr, stdout, workshop};

#[test]
fn wrong_values() {
    let folder = workshop();
    let cases: [(&[&str], &str); 17] = [
        (&["--owner", "0x1234"], "owner.form"),
        (&["--owner", "81592c3DE184A3E2c0DCB5a261BC107Bfa91f494"], "owner.form"),
        (&["--owner", "0x81592C3DE184A3E2c0DCB5a261BC107Bfa91f494"], "owner.checksum"),
        (&["--owner", "0x0000000000000000000000000000000000000000"], "owner.zero"),
        (&["--nonce", "65536"], "nonce.too-large"),
        (&["--nonce", "-1"], "nonce.form"),
        (&["--nonce", "1e3"], "nonce.form"),
        (&["--nonce", "0x10"], "nonce.form"),
        (&["--nonce", "007"], "nonce.form"),
        (&["--nonce", "99999999999999999999999"], "nonce.form"),
        (&["--operators", "absent.json"], "operators.unreadable"),
        (&["--operators", "password.txt"], "operators.broken"),
        (&["--operator-ids", "12,34,56"], "operators.size"),
        (&["--operator-ids", "12,34,56,56"], "operators.duplicate"),
        (&["--operator-ids", "12,34,56,99"], "operators.not-in-list"),
        (&["--password-file", "absent"], "password.source"),
        (&["--out", "absent/folder"], "output.parent"),
    ];
    for (options, code) in cases {
        let command = split(folder.path(), "keystore-demo.json", options);
        refused(folder.path(), command, 1, code);
    }
    let confirm = ["--confirm", "owner=0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494,nonce=8"];
    let said = refused(folder.path(), split(folder.path(), "keystore-demo.json", &confirm), 1, "confirm.differs");
    assert!(said.contains("asked for") && said.contains("nonce 7"), "{said}");
    for confirm in ["nonce=7", "yes", "owner=,nonce=7", "nonce=7,nonce=7"] {
        split(folder.path(), "keystore-demo.json", &["--confirm", confirm]).assert().code(1);
    }
}

#[test]
fn a_batch_that_passes_the_last_nonce() {
    let folder = workshop();
    let command = split(folder.path(), "keystores", &["--nonce", "65534"]);
    let said = refused(folder.path(), command, 1, "nonce.too-large");
    assert!(said.contains("3 validators from nonce 65534"), "{said}");
    split(folder.path(), "keystores", &["--nonce", "65533"]).assert().success();
}

#[test]
fn missing_answers_are_named() {
    let folder = workshop();
    let complete = [
        ("--operators", "operators.json"),
        ("--owner", OWNER),
        ("--nonce", "7"),
        ("--network", "hoodi"),
        ("--password-file", "password.txt"),
    ];
    for (missing, _) in complete {
        let mut command = dvkey(folder.path());
        command.args(["split", "keystore-demo.json", "--out", "out", "--no-input"]);
        for (name, value) in complete.iter().filter(|(name, _)| *name != missing) {
            command.args([name, value]);
        }
        let code = if missing == "--password-file" { "password.missing" } else { "input.missing" };
        let said = refused(folder.path(), command, 1, code);
        assert!(said.contains(missing), "{said}");
    }
}

#[test]
fn wrong_command_lines_end_with_two() {
    let folder = workshop();
    for arguments in [
        &["split"][..],
        &["split", "a", "--network", "goerli"],
        &["split", "a", "--jobs", "0"],
        &["split", "a", "--memory", "lots"],
        &["split", "a", "--password-file", "a", "--password-dir", "b"],
        &["split", "a", "--password", "secret"],
        &["verify"],
        &["nonsense"],
        &[],
    ] {
        let assert = dvkey(folder.path()).args(arguments).assert().code(2);
        assert_eq!(stdout(&assert), "");
    }
}

#[test]
fn keystores_that_cannot_be_used() {
    let folder = workshop();
    let at = |name: &str| folder.path().join(name);
    let good = read_json(&at("keystore-demo.json"));
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut keystore = good.clone();
        change(&mut keystore);
        keystore.to_string()
    };
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "keystore.other-kind"),
        ("hello".into(), "keystore.other-kind"),
        ("[]".into(), "keystore.other-kind"),
        (good.to_string()[..200].to_owned(), "keystore.broken"),
        (altered(&|k| k["version"] = 5.into()), "keystore.broken"),
        (altered(&|k| k["crypto"]["cipher"]["message"] = "00".into()), "keystore.broken"),
        (altered(&|k| k["crypto"]["kdf"]["params"]["n"] = 1000.into()), "keystore.broken"),
        (altered(&|k| k["crypto"]["kdf"]["params"]["n"] = 2_147_483_648u64.into()), "keystore.kdf"),
        (altered(&|k| k["pubkey"] = "aa".repeat(48).into()), "keystore.public-key"),
        (r#"{"address":"aa","crypto":{},"id":"x","version":3}"#.into(), "keystore.account-wallet"),
    ];
    for (content, code) in cases {
        std::fs::write(at("bad.json"), &content).unwrap();
        refused(folder.path(), split(folder.path(), "bad.json", &[]), 1, code);
    }
    refused(folder.path(), split(folder.path(), "absent.json", &[]), 1, "keystore.unreadable");
    refused(folder.path(), split(folder.path(), "operators.json", &[]), 1, "keystore.other-kind");
    refused(folder.path(), split(folder.path(), "node-12", &[]), 1, "keystore.none");
}

/// One bad keystore in a folder stops the whole batch: nothing is skipped, so no nonce moves.
#[test]
fn a_broken_keystore_is_never_skipped() {
    let folder = workshop();
    let broken = folder.path().join("keystores/keystore-m_12381_3600_10_0_0-1700000000.json");
    let whole = std::fs::read_to_string(&broken).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let said = refused(folder.path(), split(folder.path(), "keystores", &[]), 1, "keystore.broken");
    assert!(said.contains("_10_0_0"), "{said}");
    assert!(said.contains("ends in the middle"), "{said}");
}

/// What is called a keystore, or JSON, and cannot be read may be the keystore that is missing.
#[test]
fn a_damaged_keystore_is_no_stray() {
    let folder = workshop();
    let path = folder.path().join("keystores/keystore-m_12381_3600_10_0_0-1700000000.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let value: Value = serde_json::from_str(&whole).unwrap();
    let altered = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut keystore = value.clone();
        change(keystore.as_object_mut().unwrap());
        keystore.to_string().into_bytes()
    };
    let utf_16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>); 13] = [
        ("empty", Vec::new()),
        ("zeros", vec![0; 800]),
        ("utf-16", utf_16),
        ("cut", whole.as_bytes()[..20].to_vec()),
        ("without crypto", altered(&|keystore| drop(keystore.remove("crypto")))),
        ("version 3", altered(&|keystore| drop(keystore.insert("version".into(), 3.into())))),
        (
            "version 3, without key",
            altered(&|keystore| {
                keystore.insert("version".into(), 3.into());
                keystore.remove("pubkey");
            }),
        ),
        (
            "version 4 with address",
            altered(&|keystore| {
                keystore.insert("address".into(), "00".into());
                keystore.remove("pubkey");
                keystore.remove("crypto");
            }),
        ),
        ("padded", [whole.as_bytes(), &vec![b' '; 2 << 20]].concat()),
        ("something else", b"{}".to_vec()),
        ("deposit data", std::fs::read(folder.path().join("keystores/deposit_data-1700000000.json")).unwrap()),
        ("only crypto", value["crypto"].to_string().into_bytes()),
        ("a list of keystores", format!("[{whole}]").into_bytes()),
    ];
    for (name, content) in cases {
        std::fs::write(&path, content).unwrap();
        let assert = split(folder.path(), "keystores", &[]).assert().code(1);
        assert!(stderr(&assert).contains("_10_0_0"), "{name}: {}", stderr(&assert));
        assert!(!folder.path().join("out").exists(), "{name}");
    }
    std::fs::remove_file(&path).unwrap();
    let text = path.with_extension("json.txt");
    std::fs::write(&text, whole.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    split(folder.path(), "keystores", &[]).assert().code(1);
    std::fs::remove_file(&text).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let said = refused(folder.path(), split(folder.path(), "keystores", &[]), 1, "keystore.unreadable");
    assert!(said.contains("a link that leads nowhere"), "{said}");
}

#[test]
fn ordinary_company_of_keystores_is_left_alone() {
    let folder = workshop();
    let at = |name: &str| folder.path().join("keystores").join(name);
    std::fs::write(at("README.md"), "hello").unwrap();
    std::fs::write(at("keystore-m_12381_3600_9_0_0-1700000000.txt"), "a password").unwrap();
    std::fs::write(at(".DS_Store"), [0, 0, 0, 1, 66]).unwrap();
    std::fs::write(at("settings.json"), "{}").unwrap();
    std::fs::write(at("UTC--2020-01-01--aa"), r#"{"address":"aa","crypto":{},"id":"x","version":3}"#).unwrap();
    std::fs::create_dir(at("old")).unwrap();
    let keystore = "keystore-m_12381_3600_9_0_0-1700000000.json";
    std::fs::write(at(&format!("{keystore}.lock")), "").unwrap();
    std::fs::write(at(&format!("{keystore}.asc")), "-----BEGIN PGP SIGNATURE-----\n").unwrap();
    std::fs::write(at(&format!("{keystore}.txt")), "a password").unwrap();
    std::fs::write(at(&format!("._{keystore}")), [0, 5, 22, 7, 0, 2]).unwrap();
    std::fs::write(at("keystores.zip"), b"PK\x03\x04").unwrap();
    let assert = split(folder.path(), "keystores", &[]).assert().success();
    for name in ["README.md", ".DS_Store", "settings.json", "old (a folder)", "UTC--2020"] {
        assert!(stderr(&assert).contains(name), "{name}: {}", stderr(&assert));
    }
}

#[test]
fn the_same_validator_twice() {
    let folder = workshop();
    let at = |name: &str| folder.path().join("keystores").join(name);
    let original = at("keystore-m_12381_3600_9_0_0-1700000000.json");
    std::fs::copy(&original, at("copy.json")).unwrap();
    refused(folder.path(), split(folder.path(), "keystores", &[]), 1, "keystore.same-validator");

    // A file that does not name its key gives itself away when it is opened.
    let mut nameless = read_json(&original);
    nameless.as_object_mut().unwrap().remove("pubkey");
    std::fs::write(at("copy.json"), nameless.to_string()).unwrap();
    refused(folder.path(), split(folder.path(), "keystores", &[]), 1, "keystore.same-validator");
}

#[test]
fn secrets_that_are_no_validator_keys() {
    let folder = workshop();
    std::fs::write(folder.path().join("pw"), "pw").unwrap();
    let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
    for bad in [vec![0; 32], order, vec![0xff; 32]] {
        std::fs::write(folder.path().join("bad.json"), keystore(&bad, b"pw").to_string()).unwrap();
        let command = split(folder.path(), "bad.json", &["--password-file", "pw"]);
        refused(folder.path(), command, 1, "keystore.secret");
    }
    let mut other = keystore(&secret(1), b"pw");
    other["pubkey"] = keystore(&secret(2), b"pw")["pubkey"].clone();
    std::fs::write(folder.path().join("bad.json"), other.to_string()).unwrap();
    let command = split(folder.path(), "bad.json", &["--password-file", "pw"]);
    refused(folder.path(), command, 1, "keystore.public-key");
}

#[test]
fn operator_keys_that_cannot_be_used() {
    let folder = workshop();
    let operators = read_json(&folder.path().join("operators.json"));
    let with_key = |key: &str| {
        let mut changed = operators.clone();
        changed[1]["operatorKey"] = key.into();
        std::fs::write(folder.path().join("bad.json"), changed.to_string()).unwrap();
        split(folder.path(), "keystore-demo.json", &["--operators", "bad.json"])
    };
    for key in [RSA_1024, RSA_4096, RSA_E3, P_256, "", "hello", "LS0tLS1CRUdJTg==", "0x00"] {
        refused(folder.path(), with_key(key), 1, "operators.key");
    }
    let private = std::fs::read_to_string(folder.path().join("operator-34.pem")).unwrap();
    let said = refused(folder.path(), with_key(&private), 1, "operators.key");
    assert!(said.contains("PRIVATE"), "{said}");
    refused(folder.path(), with_key(text(&operators[0]["operatorKey"])), 1, "operators.shared-key");
    // The same modulus under another exponent is the same private key.
    use dvkey::format::operator_key_text::OperatorKeyText;
    let mut der = OperatorKeyText::parse(text(&operators[0]["operatorKey"])).unwrap().key.to_spki_der();
    let last = der.len() - 1;
    assert_eq!(der[last - 2..], [1, 0, 1]);
    der[last] = 3;
    refused(folder.path(), with_key(&hex::encode(&der)), 1, "operators.shared-key");
    // Two different keys in one entry.
    let mut two = operators.clone();
    two[1]["public_key"] = operators[0]["operatorKey"].clone();
    std::fs::write(folder.path().join("bad.json"), two.to_string()).unwrap();
    let command = split(folder.path(), "keystore-demo.json", &["--operators", "bad.json"]);
    refused(folder.path(), command, 1, "operators.duplicate");
    // The key of an operator that is not picked does not matter.
    let mut longer = operators.clone();
    longer.as_array_mut().unwrap().push(json!({"id": 99, "operatorKey": RSA_1024}));
    std::fs::write(folder.path().join("longer.json"), longer.to_string()).unwrap();
    let options = ["--operators", "longer.json", "--operator-ids", "12,34,56,78"];
    split(folder.path(), "keystore-demo.json", &options).assert().success();
}

// Public keys as hexadecimal SubjectPublicKeyInfo, made with other software, without value.
const RSA_1024: &str = "30819f300d06092a864886f70d010101050003818d0030818902818100d5786e0c339dbba4d07c36709af131cedc5d6c8fe9f614f66c54\
01cfb68e5bb00117db79a7e31f695cdc45da32304f2488f545a4f022b5e133c61149ac7d1ed2407ed227df1130e5bce77df6041bc23630\
01acb299f8e13b8507644329dfbe27da10725af99a8de20540f8b438ca384a99d2bb965b5d1f770672b00d9b6f950b0203010001";
const RSA_4096: &str = "30820222300d06092a864886f70d01010105000382020f003082020a0282020100b3a2596220d4d1288043afd593d615ce0b1396951cb2\
abfc000556b65011d60cde900bd78d0a9f83e289882fa376a94dae712001c07844786c7adfda3b6498261fd1a8a028a446263904cdbf3f\
caeddeb3ed12992b679c4a7d69baafc13e98112c68580eae17682900359a0a81b8e60a43c3acdc42c4bb7698e9c72d6f6e88f8e982edbe\
0391da2445e4ae0480eacbb14ad4da1c8e31cf439d91a29d48f9ae21f68b96d6ab56cf3ac2ba91c057e65be54ccf34f7ecd90662d1b0ab\
2f8864d5f331e2993c748d41482bc66b04d863d79f2be53ecf3abb8dc0f0c7f5d6a64c37b4d7010b2dc4b9865b885adfba306077becee4\
cc9ec045d9dc5adb9f455299614cf76bc1a74d0529a3cb85c0d4e2af8ae0bd068244d1d7a3673dff0c4ec1c89779f74a9dd14cf4fceab0\
a992cdcfeeed216e063377e11b26137cf1f6f5a517a5e55ede557707e53f304d91a8a5fb9407b05c3b58b3fc7d847a603baa908fe3d05d\
b0472af856c8555fa83ea147d211d828573a66537871d8441e048627ac622bf1b73f0de107d429d6f12b3e270e34cc8dcdc45519d0c9e1\
da77d9e8625dd2d9f942e5e2806279b10eae90d0a437de00e1cc4201c82dcb339d4468cc1869f4371064330fb5d5540b61faee2ff49f40\
b7519b985510ee53a6f5fc6d1b6221e4e1e65d6c2edfaf78c9a732b2971c569aed80eb6381935d315f9a4a0acf1d0013f34f0203010001";
const RSA_E3: &str = "30820120300d06092a864886f70d01010105000382010d00308201080282010100d43b0de91450fc6f98cd7b8b01822f5931876bdc6b41\
e51a76d2de72f4e922c6924a8d5453afe664dfd52731c58871ae815fbfa96d9a708a451d1b6e0a73f347f704e7e45aa5204c17dc92ae2b\
c534fae78137dd7e4db114ca404b52dc368c45b1bc586462f081a7406cd9caec93322a5427c33439457b10ab94fe8eb85a981bbb2e2219\
540d420c5a71db6fc934be1c5bd648851e1537147810e5c2c246c65ab9939d87f490874a953949cdc9b33e050248a6f05be454fcc18fde\
ca96e71ff27d5f932a9fa5e22d1c63efd935f668a8015fb653de4788229255cd82f82930723f1a81b7ee689613b5c93b41b207c85cd3f3\
21455b39ca368802261746e8736f020103";
const P_256: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004fe01ccd9e789d04f63bdb8d76896818404b6277af2aa1aa0d82185e8\
69a3230a08c9393302010ad0ab3004ae16d78ad7bb2a97763433d418a1f3c66f0e51d292";

#[test]
fn in_json_the_error_is_an_object_too() {
    let folder = workshop();
    let assert = split(folder.path(), "keystore-demo.json", &["--nonce", "65536", "--json"]).assert().code(1);
    let object = objects(&stdout(&assert)).pop().unwrap();
    assert_eq!(object["schema"], "dvkey.error/1");
    assert_eq!(object["code"], "nonce.too-large");
    assert_eq!(object["exit"], 1);
    assert!(stderr(&assert).contains("error: "));
}
