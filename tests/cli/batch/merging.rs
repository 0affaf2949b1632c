//! Merges that meet: with each other, with a new plan, with disks that have no locks or may not be written to.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;

use super::{OUT, batch, manifest, merge, merged, plan, run, service, write_others};
use crate::{OWNER, objects, stderr};

const LOCK: &str = "merged/.dvkey-lock";

/// While somebody merges into a folder nobody else does, whatever the plan; and nothing is left there that looks like a result.
#[test]
fn one_merge_at_a_time_writes_to_a_folder() {
    let folder = service(3);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    fs::create_dir(folder.join("merged")).unwrap();
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK)).unwrap();
    lock.lock().unwrap();
    // The work is read behind the lock: a new plan may take rows of it as long as another merge goes on.
    fs::create_dir_all(folder.join("other/shard-1-of-1")).unwrap();
    fs::write(folder.join("other/shard-1-of-1/journal"), vec![b'x'; 1000]).unwrap();
    for work in ["work", "other"] {
        let assert = merge(folder, &["--out", "merged", "--work", work]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: output.in-use ") && said.contains("one merge at a time"), "{said}");
        assert!(!said.contains("damaged"), "{said}");
    }
    assert!(!folder.join(OUT).exists());
    drop(lock);
    merge(folder, &["--out", "merged"]).assert().success();
    let names: Vec<_> = fs::read_dir(folder.join("merged")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [Path::new(OUT).file_name().unwrap()]);
    // A lock that a killed run has left is none.
    fs::write(folder.join(LOCK), "").unwrap();
    merge(folder, &["--out", "merged"]).assert().success();
    assert!(!folder.join(LOCK).exists());
    // Whatever stands in the place of the lock is not written through.
    std::os::unix::fs::symlink("../elsewhere", folder.join(LOCK)).unwrap();
    let assert = merge(folder, &["--out", "merged"]).assert().code(1);
    assert!(stderr(&assert).contains("merged/.dvkey-lock"), "{}", stderr(&assert));
    assert!(!folder.join("elsewhere").exists());
}

/// A merge that waits between two files, while a new plan takes the rows of the second one: it does not write that one.
#[test]
fn a_merge_that_was_delayed_writes_nothing_that_another_plan_has() {
    let folder = service(4);
    let folder = folder.path();
    write_others(folder);
    let row = |number: u8, operators: &str, nonce: &str| {
        format!("ks/keystore-{number}.json,{operators}.json,,{OWNER},{nonce},hoodi,,\n")
    };
    let rows = [row(1, "operators", "7"), row(2, "operators", ""), row(3, "others", ""), row(4, "others", "")];
    manifest(folder, &rows.concat());
    plan(folder);
    run(folder, &[]).assert().success();

    // What it says goes into a pipe that is full: it stops behind the first file.
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 512]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    let mut delayed = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .args(["batch", "merge", "plan.jsonl", "--work", "work", "--out", "merged", "--json"])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.join(OUT).join("keyshares.json").exists() {
        assert!(delayed.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    let next = format!("{OWNER}=9");
    merge(folder, &["--out", "next", "--compact", "--next-nonce", &next]).assert().success();
    let new = ["--no-input", "--password-dir", "ks", "--work", "work-2"];
    batch(folder, &[&["run", "next/plan.jsonl"][..], &new].concat()).assert().success();
    let assert = batch(folder, &["merge", "next/plan.jsonl", "--work", "work-2", "--out", "merged"]).assert().code(1);
    assert!(stderr(&assert).contains("code: output.in-use "), "{}", stderr(&assert));
    batch(folder, &["merge", "next/plan.jsonl", "--work", "work-2", "--out", "new"]).assert().success();

    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    let output = delayed.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && errors.contains("batch.superseded"), "{errors}");
    let files: Vec<_> = objects(String::from_utf8(said).unwrap().trim());
    let of_files: Vec<_> = files.iter().filter(|object| object["event"] == "file").collect();
    assert_eq!(of_files.iter().map(|file| file["lastNonce"].as_u64()).collect::<Vec<_>>(), [Some(8)]);
    batch(folder, &["merge", "next/plan.jsonl", "--work", "work-2", "--out", "merged"]).assert().success();
    let count = fs::read_dir(folder.join("merged")).unwrap().count();
    assert_eq!((count, merged(folder, OUT).len()), (2, 2));
}

/// What is there can be compared where nothing may be written; and what would have to be written is refused.
#[test]
fn a_read_only_folder_for_the_results() {
    let folder = service(3);
    let folder = folder.path();
    fs::write(folder.join("ks/keystore-3.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &[]).assert().code(1);
    fs::create_dir(folder.join("merged")).unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.join("merged")).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mount("size=1m") {
        eprintln!("SKIPPED: a read-only disk can be made by root only");
        return;
    }
    let path = folder.join("merged");
    let _unmount = super::crash::Unmount(&path);
    merge(folder, &["--out", "merged"]).assert().code(1);
    assert!(mount("remount,ro"));
    let assert = merge(folder, &["--out", "merged"]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("merged: 2 validators") && said.contains("as it was"), "{said}");
    assert!(said.contains("code: batch.refused "), "{said}");
    fs::write(folder.join("ks/keystore-3.txt"), "pw 3").unwrap();
    run(folder, &[]).assert().success();
    let assert = merge(folder, &["--out", "merged"]).assert().code(6);
    assert!(stderr(&assert).contains("code: output.read-only "), "{}", stderr(&assert));
    assert!(mount("remount,rw"));
    merge(folder, &["--out", "merged"]).assert().success();
}

fn digest(path: &Path) -> Vec<u8> {
    <sha2::Sha256 as sha2::Digest>::digest(fs::read(path).unwrap()).to_vec()
}

/// Keyshares that are there are replaced only by ones of the same owner and operators that have all of their validators, with
/// --force, whatever is said of them beside them.
#[test]
fn force_replaces_nobody_elses_keyshares_and_loses_no_validator() {
    let folder = service(4);
    let folder = folder.path();
    let file = folder.join(OUT).join("keyshares.json");
    let refused = |options: &[&str], words: &[&str]| {
        let before = digest(&file);
        let assert = merge(folder, &[&["--out", "merged"], options].concat()).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.nonce-clash "), "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(digest(&file) == before);
    };
    // An owner with the same first eight digits has the same folder.
    let other = dvkey_ceremony::Address::from_bytes({
        let mut bytes = [0x11; 20];
        bytes[..4].copy_from_slice(&hex::decode(&OWNER[2..10]).unwrap());
        bytes
    });
    let row = |number: u8, owner: &str, nonce: &str| {
        format!("ks/keystore-{number}.json,operators.json,,{owner},{nonce},hoodi,,\n")
    };
    let other = other.to_checksum();
    let begin = |rows: &[String]| {
        for name in ["plan.jsonl", "work"] {
            let path = folder.join(name);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        manifest(folder, &rows.concat());
        plan(folder);
        run(folder, &[]).assert().success();
    };
    begin(&[row(1, &other, "7")]);
    merge(folder, &["--out", "merged"]).assert().success();
    begin(&[row(2, OWNER, "7"), row(3, OWNER, "")]);
    for options in [&[][..], &["--force"]] {
        refused(options, &[&other, OWNER, "of 1 validator are there", "merge into another folder"]);
    }
    // Without its provenance a file is what it was, and shorter ones do not replace it.
    fs::remove_dir_all(folder.join("merged")).unwrap();
    merge(folder, &["--out", "merged"]).assert().success();
    fs::remove_file(file.with_file_name("provenance.json")).unwrap();
    begin(&[row(2, OWNER, "7")]);
    let lost = format!("lost would be validator {} with nonce 8", super::public_key(3));
    for options in [&[][..], &["--force"]] {
        refused(options, &["of 2 validators are there", &lost, "another file, of 1"]);
    }
    // Another validator with the nonce of one that is there.
    begin(&[row(2, OWNER, "7"), row(4, OWNER, ""), row(1, OWNER, "")]);
    refused(&["--force"], &[&lost]);
    // The same ones, and one more: other shares, which replace them on request.
    begin(&[row(2, OWNER, "7"), row(3, OWNER, ""), row(4, OWNER, "")]);
    refused(&[], &["no validator would be lost", "--force replaces them"]);
    merge(folder, &["--out", "merged", "--force"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 3);
    // What cannot be read is not known to be worth nothing.
    fs::write(&file, "{\"version\":").unwrap();
    for options in [&[][..], &["--force"]] {
        refused(options, &["cannot be read as keyshares", "move it away"]);
    }
}

/// A validator stands in one file of a folder, whoever registers it there, and with whatever nonce.
#[test]
fn a_validator_stands_in_one_file_of_a_folder() {
    let folder = service(3);
    let folder = folder.path();
    let other = "0x00000000219ab540356cbb839cbe05303d7705fa";
    let row = |number: u8, owner: &str, nonce: &str| {
        format!("ks/keystore-{number}.json,operators.json,,{owner},{nonce},hoodi,,\n")
    };
    let begin = |rows: &[String], name: &str| {
        manifest(folder, &rows.concat());
        let plan = format!("{name}.jsonl");
        batch(folder, &["plan", "--manifest", "manifest.csv", "--out", &plan]).assert().success();
        let run = ["run", &plan, "--no-input", "--work", name, "--password-dir", "ks"];
        batch(folder, &run).assert().success();
    };
    begin(&[row(1, OWNER, "7"), row(2, OWNER, "")], "first");
    let merge = |name: &str, options: &[&str]| {
        let plan = format!("{name}.jsonl");
        batch(folder, &[&["merge", &plan, "--work", name, "--out", "merged"], options].concat())
    };
    merge("first", &[]).assert().success();
    begin(&[row(3, other, "0"), row(2, other, "")], "owner");
    begin(&[row(3, OWNER, "20"), row(2, OWNER, "")], "nonce");
    for described in [true, false] {
        if !described {
            fs::remove_file(folder.join(OUT).join("provenance.json")).unwrap();
        }
        for name in ["owner", "nonce"] {
            for options in [&[][..], &["--force"]] {
                let assert = merge(name, options).assert().code(1);
                let said = stderr(&assert);
                let words = format!(
                    "{OUT}: made from something else, and has validator {}, there with nonce 8 of {OWNER}, too",
                    super::public_key(2)
                );
                assert!(said.contains("code: batch.nonce-clash ") && said.contains(&words), "{said}");
                assert_eq!(fs::read_dir(folder.join("merged")).unwrap().count(), 1);
            }
        }
    }
    batch(folder, &["merge", "owner.jsonl", "--work", "owner", "--out", "apart"]).assert().success();
}

/// A file of holes in the place of keyshares is not read to its end, and not replaced.
#[test]
fn keyshares_of_any_length_are_not_read() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
    let file = folder.join(OUT).join("keyshares.json");
    OpenOptions::new().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    for options in [&[][..], &["--force"]] {
        let assert = merge(folder, &[&["--out", "merged"], options].concat());
        let assert = { assert }.timeout(std::time::Duration::from_secs(60)).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.nonce-clash "), "{}", stderr(&assert));
        assert!(stderr(&assert).contains("cannot be read as keyshares"), "{}", stderr(&assert));
        assert_eq!(file.metadata().unwrap().len(), 1 << 40);
    }
}

/// A new plan has rows that were merged before: the old file says more than is left of it, and nothing is missing.
#[test]
fn a_file_that_another_plan_has_shortened_is_explained() {
    let folder = service(4);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
    let before = digest(&folder.join(OUT).join("keyshares.json"));
    let next = format!("{OWNER}=9");
    merge(folder, &["--out", "next", "--compact", "--next-nonce", &next]).assert().success();
    let text = fs::read_to_string(folder.join("next/plan.jsonl")).unwrap();
    let hash = objects(&text).pop().unwrap()["sha256"].as_str().unwrap().to_owned();
    for options in [&[][..], &["--force"]] {
        let assert = merge(folder, &[&["--out", "merged"], options].concat()).assert().code(1);
        let said = stderr(&assert);
        let words = format!("plan {hash} has the rows from nonce 9 on: of what is there nonces from 9 on must not be");
        assert!(said.contains("code: batch.nonce-clash ") && said.contains(&words), "{said}");
        assert!(said.contains("of 4 validators are there") && !said.contains("bring back"), "{said}");
        assert!(digest(&folder.join(OUT).join("keyshares.json")) == before);
    }
}
