//! Files made to hurt: never a panic, never a hang, never memory without bound, always a reason.

use std::io::Write;

use crate::dvkey;
use crate::keystore_maker::{keystore, scrypt_keystore, secret};
use crate::support::{text, vectors};
use crate::{refused, split, stderr, workshop};

/// The bytes that are thrown at every reader.
fn hostile_contents() -> Vec<(&'static str, Vec<u8>)> {
    let deep = "[".repeat(200_000).into_bytes();
    let deep_objects = "{\"crypto\":".repeat(50_000).into_bytes();
    let wide = format!("[{}1]", "1,".repeat(3_000_000)).into_bytes();
    let long_string = format!("{{\"crypto\":\"{}\"}}", "a".repeat(900_000)).into_bytes();
    let control = b"{\"crypto\":{\"kdf\":{\"function\":\"\x1b[2J\\u001b[2J\"}},\"version\":4}".to_vec();
    vec![
        ("empty", Vec::new()),
        ("blank", b" \r\n\t ".to_vec()),
        ("mark only", b"\xef\xbb\xbf".to_vec()),
        ("utf-16", "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("not utf-8", b"{\"crypto\": \"\xff\xfe\"}".to_vec()),
        ("nul", vec![0; 1000]),
        ("deep", deep),
        ("deep objects", deep_objects),
        ("wide", wide),
        ("long string", long_string),
        ("duplicate keys", br#"{"version":4,"version":3,"crypto":{},"shares":[],"operators":[]}"#.to_vec()),
        ("huge numbers", br#"{"version":1e999,"crypto":{}}"#.to_vec()),
        ("huge digits", format!("{{\"version\":{}}}", "9".repeat(100_000)).into_bytes()),
        ("control", control),
        ("null", b"null".to_vec()),
        ("lone surrogate", br#"{"crypto":"\ud800"}"#.to_vec()),
        ("comment", b"{/* hello */}".to_vec()),
        ("trailing", b"{} {}".to_vec()),
    ]
}

#[test]
fn every_reader_survives_every_file() {
    let folder = workshop();
    let path = folder.path().join("hostile");
    for (name, content) in hostile_contents() {
        std::fs::write(&path, content).unwrap();
        let mut commands = vec![
            split(folder.path(), "hostile", &[]),
            split(folder.path(), "keystore-demo.json", &["--operators", "hostile"]),
        ];
        for arguments in [
            &["verify", "hostile"][..],
            &["verify", "--operators", "hostile", "hostile"],
            &["open", "hostile", "--key", "operator-12.pem"],
            &["open", "hostile", "--key", "hostile", "--password-file", "password.txt"],
        ] {
            let mut command = dvkey(folder.path());
            command.args(arguments);
            commands.push(command);
        }
        for mut command in commands {
            let assert = command.assert();
            let code = assert.get_output().status.code();
            assert!(matches!(code, Some(1 | 3)), "{name}: {code:?}\n{}", stderr(&assert));
            for channel in [&assert.get_output().stdout, &assert.get_output().stderr] {
                assert!(!channel.contains(&0x1b), "{name}: a control character reached the terminal");
            }
        }
        dvkey(folder.path()).args(["inspect", "hostile"]).assert().success();
        assert!(!folder.path().join("out").exists());
    }
}

#[test]
fn every_cut_of_a_keystore_and_of_keyshares_is_named() {
    let folder = workshop();
    let whole = std::fs::read(folder.path().join("keystore-demo.json")).unwrap();
    for length in (1..whole.len() - 2).step_by(37) {
        std::fs::write(folder.path().join("cut.json"), &whole[..length]).unwrap();
        split(folder.path(), "cut.json", &[]).assert().code(1);
    }
    let vector = vectors("P01.json");
    let whole = text(&vector["keysharesFileText"]).as_bytes();
    for length in (1..whole.len() - 1).step_by(501) {
        std::fs::write(folder.path().join("cut.json"), &whole[..length]).unwrap();
        dvkey(folder.path()).args(["verify", "cut.json"]).assert().code(1);
    }
}

#[test]
fn marks_and_line_ends_are_no_obstacle() {
    let folder = workshop();
    for name in ["keystore-demo.json", "operators.json"] {
        let path = folder.path().join(name);
        let whole = std::fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
        std::fs::write(&path, format!("\u{feff}{whole}")).unwrap();
    }
    split(folder.path(), "keystore-demo.json", &[]).assert().success();
}

#[test]
fn a_hundred_megabytes_are_refused_without_being_read() {
    let folder = workshop();
    let path = folder.path().join("large.json");
    let mut file = std::fs::File::create(&path).unwrap();
    let line = "{\"crypto\":{},\"operators\":[],\"x\":\"".repeat(30_000);
    for _ in 0..100 {
        file.write_all(line.as_bytes()).unwrap();
    }
    drop(file);
    assert!(std::fs::metadata(&path).unwrap().len() > 95_000_000);
    refused(folder.path(), split(folder.path(), "large.json", &[]), 1, "keystore.unreadable");
    let command = split(folder.path(), "keystore-demo.json", &["--operators", "large.json"]);
    refused(folder.path(), command, 1, "operators.unreadable");
    dvkey(folder.path()).args(["verify", "large.json"]).assert().code(1);
}

/// Two keystores that each take half a gigabyte, under a budget for one: they wait for each other.
#[test]
fn the_memory_budget_holds_for_several_at_once() {
    let folder = workshop();
    let large = folder.path().join("large");
    std::fs::create_dir(&large).unwrap();
    std::fs::write(folder.path().join("pw"), "pw").unwrap();
    for number in 1..=2 {
        // Made cheaply: the file only claims the parameters, so that no password opens it.
        let mut keystore = scrypt_keystore(&secret(number), b"pw", 2);
        keystore["crypto"]["kdf"]["params"]["n"] = (1 << 19).into();
        std::fs::write(large.join(format!("{number}.json")), keystore.to_string()).unwrap();
    }
    let options = ["--password-file", "pw", "--memory", "600MiB", "--jobs", "2"];
    refused(folder.path(), split(folder.path(), "large", &options), 1, "keystore.wrong-password");
    let options = ["--password-file", "pw", "--memory", "300MiB"];
    let said = refused(folder.path(), split(folder.path(), "large", &options), 1, "keystore.memory");
    assert!(said.contains("give at least --memory"), "{said}");
    let options = ["--password-file", "pw", "--max-kdf-memory", "256MiB"];
    refused(folder.path(), split(folder.path(), "large", &options), 1, "keystore.kdf");
}

#[test]
fn names_with_control_characters_do_not_reach_the_terminal() {
    let folder = workshop();
    let keystores = folder.path().join("odd");
    std::fs::create_dir(&keystores).unwrap();
    std::fs::write(folder.path().join("pw"), "pw").unwrap();
    std::fs::write(keystores.join("a\x1b[31m\n.json"), keystore(&secret(1), b"pw").to_string()).unwrap();
    std::fs::write(keystores.join("stray\x1b[31m.txt"), "hello").unwrap();
    for password in ["pw", "operators.json"] {
        let assert = split(folder.path(), "odd", &["--password-file", password, "-v", "--force"]).assert();
        assert!(!assert.get_output().stderr.contains(&0x1b), "{}", stderr(&assert));
        assert!(!assert.get_output().stdout.contains(&0x1b));
    }
}
