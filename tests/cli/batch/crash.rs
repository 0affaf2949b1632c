//! A batch that is killed, runs out of disk, is damaged or tampered with: what is done is kept, and is right.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{OUT, batch, merge, merged, plan, public_key, run, service};
use crate::{objects, stderr, stdout};

fn start(folder: &Path, options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .args(["batch", "run", "plan.jsonl", "--no-input", "--password-dir", "ks", "--work", "work"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How often a run is killed; DVKEY_KILLS sets another number.
const KILLS: u32 = 50;

/// 200 rows, killed at random instants again and again: in the end every nonce is there once, and all verify.
#[test]
fn kill_9_at_any_instant_loses_nothing_that_was_said_to_be_done() {
    let kills = std::env::var("DVKEY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = service(200);
    let folder = folder.path();
    plan(folder);
    let planned = fs::read(folder.join("plan.jsonl")).unwrap();
    let mut random = 0x2545_f491_u64;
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        let _ = fs::remove_dir_all(folder.join("work"));
        loop {
            let mut child = start(folder, &[]);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Not so late that a few kills are all that a round takes.
            std::thread::sleep(Duration::from_millis(20 + (random >> 33) % 180));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{:?}", child.wait_with_output());
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            if killed >= kills {
                let assert = run(folder, &[]).assert().success();
                assert!(!stderr(&assert).contains("not kept"), "{}", stderr(&assert));
                break;
            }
        }
        rounds += 1;
        assert_eq!(fs::read(folder.join("plan.jsonl")).unwrap(), planned);
        let names =
            fs::read_dir(folder.join("work/shard-1-of-1/results")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 200, "every row has one file, and nothing else is there");
        let out = format!("round-{rounds}");
        merge(folder, &["--out", &out]).assert().success();
        let expected: Vec<_> = (1..=200).map(|number| (6 + u64::from(number), public_key(number))).collect();
        assert_eq!(merged(folder, &OUT.replace("merged", &out)), expected);
    }
}

#[test]
fn interrupts_end_with_130_and_keep_what_is_done() {
    for name in ["INT", "TERM"] {
        let folder = service(100);
        plan(folder.path());
        let mut child = start(folder.path(), &["--jobs", "1"]);
        let journal = folder.path().join("work/shard-1-of-1/journal");
        while fs::read(&journal).map_or(0, |journal| journal.len()) < 400 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
            std::thread::yield_now();
        }
        let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("interrupted; what is done is kept; the same command goes on"), "{said}");
        let assert = run(folder.path(), &["--json"]).assert().success();
        let end = objects(&stdout(&assert)).pop().unwrap();
        assert!(end["kept"].as_u64().unwrap() > 0 && end["refused"] == 0, "{end}");
    }
}

/// What a journal or a result says, and is not so, is found out and made again.
#[test]
fn damage_and_tampering_are_found_and_mended() {
    let folder = service(8);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    let work = folder.join("work/shard-1-of-1");
    let journal = work.join("journal");
    let result = |row: u32| work.join(format!("results/row-{row:06}.json"));
    let again = |redone: u64, words: &str| {
        let assert = run(folder, &["--json"]).assert().success();
        let end = objects(&stdout(&assert)).pop().unwrap();
        assert_eq!((end["kept"].as_u64(), end["done"].as_u64()), (Some(8 - redone), Some(redone)), "{words}");
        assert!(stderr(&assert).contains(words), "{}", stderr(&assert));
        run(folder, &["--json", "-q"]).assert().success();
    };

    // The last line, torn.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 7]).unwrap();
    again(1, "");
    // A line in the middle, damaged: said, and its row is done again.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"row\":3,", "\"row\":4,", 1)).unwrap();
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(5);
    assert!(stderr(&assert).contains("of the journal is damaged"), "{}", stderr(&assert));
    again(1, "of the journal is damaged; a row that it was about is done again");
    // A result whose sealed share was exchanged: nobody but the operator could tell from the content alone.
    let text = fs::read_to_string(result(5)).unwrap();
    let at = text.len() - 20;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    fs::write(result(5), format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(5);
    assert!(stdout(&assert).contains("row 5, nonce 12"), "{}", stdout(&assert));
    let assert = merge(folder, &["--out", "merged"]).assert().code(5);
    assert!(stderr(&assert).contains("gap at nonce 12"), "{}", stderr(&assert));
    again(1, "the result of row 5 is not kept, and made again: its file is not the one that was written");
    // Results that are gone, or that belong to another row.
    fs::remove_file(result(0)).unwrap();
    fs::copy(result(1), result(2)).unwrap();
    again(2, "the result of row 0 is not kept, and made again: its file is missing");
    // All of the journal: nothing is done over results that a merge may have gone by, until they are out of the way.
    for (number, damage) in [Vec::new(), vec![b'x'; 100_000], vec![0; 4096]].into_iter().enumerate() {
        fs::write(&journal, damage).unwrap();
        let before = fs::read(result(4)).unwrap();
        let said = stderr(&run(folder, &[]).assert().code(1));
        assert!(
            said.contains("code: batch.journal ")
                && said.contains("move the results away, which are in work/shard-1-of-1/results"),
            "{said}"
        );
        assert!(fs::read(result(4)).unwrap() == before);
        fs::rename(work.join("results"), folder.join(format!("away-{number}"))).unwrap();
        again(8, "");
    }
    // A line of any length in the middle: a run and a status read what stands behind it alike.
    let text = fs::read_to_string(&journal).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&journal, format!("{first}\n{}\n{rest}", "x".repeat(100_000))).unwrap();
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().success();
    assert!(stderr(&assert).contains("line 2 of the journal is damaged"), "{}", stderr(&assert));
    let assert = run(folder, &["--json"]).assert().success();
    assert_eq!(objects(&stdout(&assert)).pop().unwrap()["kept"], 8);
    merge(folder, &["--out", "merged", "--force"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 8);
}

/// One run at a time in the folder of a shard; another shard is another folder.
#[test]
fn two_runs_of_a_shard_do_not_meet() {
    let folder = service(2);
    let folder = folder.path();
    plan(folder);
    let slow = ["--password-command", "sh -c 'touch begun; exec sleep 30'", "--jobs", "1", "--shard", "1/2"];
    let mut first = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .args(["batch", "run", "plan.jsonl", "--no-input", "--work", "work"])
        .args(slow)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join("begun").exists() {
        assert!(first.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    let assert = run(folder, &["--shard", "1/2"]).assert().code(1);
    assert!(stderr(&assert).contains("code: output.in-use "), "{}", stderr(&assert));
    run(folder, &["--shard", "2/2"]).assert().success();
    first.kill().unwrap();
    first.wait().unwrap();
    run(folder, &["--shard", "1/2"]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
}

/// A disk that fills up, and one that is read-only: code 6, what is done is kept, and the same command goes on.
#[test]
fn disks_that_say_no() {
    let folder = service(60);
    let folder = folder.path();
    plan(folder);
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |options: &str| {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&disk)
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !mount("size=160k") {
        eprintln!("SKIPPED: a full disk can be made by root only");
        return;
    }
    let _unmount = Unmount(&disk);
    let kept = |assert: &assert_cmd::assert::Assert| objects(&stdout(assert)).pop().unwrap()["kept"].as_u64().unwrap();
    for _ in 0..2 {
        let assert = run(folder, &["--work", "disk/work"]).assert().code(6);
        assert!(stderr(&assert).contains("code: output.no-space "), "{}", stderr(&assert));
    }
    assert!(mount("remount,ro"));
    let assert = run(folder, &["--work", "disk/work"]).assert().code(6);
    assert!(stderr(&assert).contains("code: output.read-only "), "{}", stderr(&assert));
    assert!(mount("remount,rw,size=16m"));
    let assert = run(folder, &["--work", "disk/work", "--json"]).assert().success();
    assert!(kept(&assert) > 10, "{}", stdout(&assert));
    merge(folder, &["--work", "disk/work", "--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 60);
}

/// The disk fills up in the middle of a journal's line: the line is taken back, and nothing is glued to what was left.
#[test]
fn a_line_that_does_not_fit_is_taken_back() {
    let folder = service(60);
    let folder = folder.path();
    plan(folder);
    let hash = fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let hash = crate::objects(hash.lines().last().unwrap())[0]["sha256"].as_str().unwrap().to_owned();
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |options: &str| {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&disk).status();
        mount.is_ok_and(|status| status.success())
    };
    if !mount("size=160k") {
        eprintln!("SKIPPED: a full disk can be made by root only");
        return;
    }
    let _unmount = Unmount(&disk);
    let line = |body: String| {
        let sum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&body));
        format!("{} {body}\n", &sum[..16])
    };
    let refused = |reason: usize| {
        let reason = "x".repeat(reason);
        line(format!(r#"{{"row":59,"refused":"x.y","reason":"{reason}","at":"2026-11-21T08:00:00.000Z"}}"#))
    };
    // Forty bytes are left of the journal's last page.
    let mut before = line(format!(r#"{{"journal":"dvkey.batch-journal/1","plan":"{hash}","shard":1,"of":1}}"#));
    before += &refused(4096 - 40 - before.len() - refused(0).len());
    assert_eq!(before.len(), 4056);
    fs::create_dir_all(disk.join("work/shard-1-of-1")).unwrap();
    let journal = disk.join("work/shard-1-of-1/journal");
    fs::write(&journal, &before).unwrap();
    let assert = run(folder, &["--work", "disk/work"]).assert().code(6);
    assert!(stderr(&assert).contains("code: output.no-space "), "{}", stderr(&assert));
    let after = fs::read_to_string(&journal).unwrap();
    assert!(after.starts_with(&before) && after.ends_with('\n'), "a part of a line was left: {after}");
    assert!(mount("remount,size=16m"));
    let assert = run(folder, &["--work", "disk/work"]).assert().success();
    assert!(!stderr(&assert).contains("damaged"), "{}", stderr(&assert));
    merge(folder, &["--work", "disk/work", "--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 60);
}

pub(super) struct Unmount<'a>(pub(super) &'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
