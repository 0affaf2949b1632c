//! Work folders that are not what a run left: shared out otherwise, damaged, copied, or no files at all.

use std::fs;
use std::process::Command;

use super::{OUT, batch, manifest, merge, merged, plan, run, service};
use crate::{OWNER, objects, stderr, stdout};

/// All runs into one folder share the rows out alike; a renamed folder is still what its journal says.
#[test]
fn one_folder_has_one_number_of_shards() {
    let folder = service(6);
    let folder = folder.path();
    plan(folder);
    run(folder, &["--shard", "1/3"]).assert().success();
    for shard in ["1/2", "2/2", "1/1", "3/4"] {
        let assert = run(folder, &["--shard", shard]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.other-shards "), "{shard}: {said}");
        assert!(said.contains("work/shard-1-of-3: the rows of this work are shared out otherwise"), "{said}");
        assert!(said.contains("shard 1 of 3") && said.contains("--shard I/3"), "{said}");
        assert_eq!(fs::read_dir(folder.join("work")).unwrap().filter(is_folder).count(), 1);
    }
    // An empty folder, or one of which nobody knows anything, is no obstacle.
    fs::create_dir(folder.join("work/shard-1-of-2")).unwrap();
    fs::create_dir(folder.join("work/shard-old")).unwrap();
    run(folder, &["--shard", "2/3"]).assert().success();
    run(folder, &["--shard", "3/3"]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
    // The journal decides; where it does not say it any more, the name.
    fs::create_dir(folder.join("renamed")).unwrap();
    fs::rename(folder.join("work/shard-1-of-3"), folder.join("renamed/shard-1-of-2")).unwrap();
    for shard in ["1/2", "2/2"] {
        let assert = run(folder, &["--work", "renamed", "--shard", shard]).assert().code(1);
        assert!(stderr(&assert).contains("this is shard 1 of 3"), "{}", stderr(&assert));
    }
    fs::write(folder.join("renamed/shard-1-of-2/journal"), "x\n").unwrap();
    let assert = run(folder, &["--work", "renamed", "--shard", "1/3"]).assert().code(1);
    assert!(stderr(&assert).contains("this is shard 1 of 2"), "{}", stderr(&assert));
    // Another plan's shard beside it is one folder too many, too.
    batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "other.jsonl"]).assert().success();
    let other = ["run", "other.jsonl", "--no-input", "--password-dir", "ks", "--work", "work", "--shard", "1/3"];
    let assert = batch(folder, &other).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.other-plan "), "{}", stderr(&assert));
}

fn is_folder(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_type().unwrap().is_dir()
}

/// Two runs that begin at once with different numbers of shards: one of them does its rows, the other one none.
#[test]
fn different_numbers_of_shards_that_begin_at_once() {
    let folder = service(4);
    let folder = folder.path();
    plan(folder);
    for round in 0..10 {
        let work = format!("work-{round}");
        fs::create_dir(folder.join(&work)).unwrap();
        let start = |shard: &str| {
            Command::new(env!("CARGO_BIN_EXE_dvkey"))
                .current_dir(folder)
                .args(["batch", "run", "plan.jsonl", "--no-input", "--password-dir", "ks", "--work", &work])
                .args(["--shard", shard])
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut codes = [start("1/1"), start("1/2")].map(|mut child| child.wait().unwrap().code().unwrap());
        codes.sort_unstable();
        assert_eq!(codes, [0, 1]);
    }
}

/// Lines of which nobody says to what plan they belong: a refusal does not count, a result counts by what it says itself.
#[test]
fn lines_before_any_that_names_the_plan() {
    let folder = service(4);
    let folder = folder.path();
    fs::write(folder.join("ks/keystore-2.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &[]).assert().code(1);
    let journal = folder.join("work/shard-1-of-1/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let status = |code: i32, counts: &str| {
        let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(code);
        assert!(stdout(&assert).contains(counts), "{}", stdout(&assert));
        let words =
            "4 lines of the journal, from line 1 on, before any that names the plan: refusals among them do not";
        assert!(stderr(&assert).contains(words), "{}", stderr(&assert));
    };
    for after in [String::new(), format!("{first}\n")] {
        fs::write(&journal, format!("{rest}{after}")).unwrap();
        status(5, "3 done, 1 pending, 0 refused");
    }
    // The results of another plan do not pass, whatever an unclaimed line says of them.
    batch(folder, &["plan", "--manifest", "manifest.csv", "--out", "other.jsonl"]).assert().success();
    fs::write(&journal, rest).unwrap();
    let assert = batch(folder, &["status", "other.jsonl", "--work", "work"]).assert().code(5);
    assert!(stdout(&assert).contains("0 done, 4 pending, 0 refused"), "{}", stdout(&assert));
    // A run tries what was refused, and from then on the journal says whose it is.
    fs::write(folder.join("ks/keystore-2.txt"), "pw 2").unwrap();
    let assert = run(folder, &["--json"]).assert().success();
    assert!(stderr(&assert).contains("before any that names the plan"), "{}", stderr(&assert));
    let end = objects(&stdout(&assert)).pop().unwrap();
    assert_eq!((end["kept"].as_u64(), end["done"].as_u64()), (Some(3), Some(1)));
    status(0, "4 done, 0 pending, 0 refused");
}

/// Where several folders have a row, one whole copy of its result is enough, whichever of them it is in.
#[test]
fn a_damaged_copy_is_made_good_by_another() {
    let folder = service(5);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    for copy in ["copy-1", "copy-2"] {
        let copied = Command::new("cp").args(["-r", "work", copy]).current_dir(folder).status().unwrap();
        assert!(copied.success());
    }
    let result = |work: &str, row: u32| folder.join(format!("{work}/shard-1-of-1/results/row-{row:06}.json"));
    fs::remove_file(result("work", 0)).unwrap();
    fs::write(result("copy-1", 0), "x").unwrap();
    fs::write(result("copy-1", 1), "x").unwrap();
    fs::write(result("copy-2", 2), "x").unwrap();
    fs::remove_file(result("work", 3)).unwrap();
    fs::remove_file(result("copy-1", 3)).unwrap();
    for (out, work) in [("a", ["work", "copy-1", "copy-2"]), ("b", ["copy-2", "copy-1", "work"])] {
        let status = [&["status", "plan.jsonl", "--work"][..], &work].concat();
        let assert = batch(folder, &status).assert().success();
        assert!(stdout(&assert).contains("5 done, 0 pending"), "{}", stdout(&assert));
        merge(folder, &[&["--out", out, "--work"][..], &work].concat()).assert().success();
        assert_eq!(merged(folder, &OUT.replace("merged", out)).len(), 5);
    }
    // Without the one whole copy the row is to be done, and what is wrong with the others is said.
    let status = ["status", "plan.jsonl", "--work", "work", "copy-1"];
    let assert = batch(folder, &status).assert().code(5);
    assert!(stdout(&assert).contains("3 done, 2 pending"), "{}", stdout(&assert));
    assert!(stdout(&assert).contains("row 0, nonce 7 of") && stdout(&assert).contains("not the one that was written"));
}

/// Pipes and devices in the place of files are refused by name. Nobody writes to these pipes: to open one is to wait for ever.
#[test]
fn pipes_and_devices_are_no_inputs() {
    let folder = service(3);
    let folder = folder.path();
    let put_pipe = |path: &str| {
        let _ = fs::remove_file(folder.join(path));
        assert!(Command::new("mkfifo").arg(folder.join(path)).status().unwrap().success());
    };
    let refused = |mut command: assert_cmd::Command, code: &str, words: &str| {
        let assert = command.timeout(std::time::Duration::from_secs(60)).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains(&format!("code: {code} ")) && said.contains(words), "{words}: {said}");
    };
    let planning = |manifest: &str| batch(folder, &["plan", "--manifest", manifest, "--out", "refused.jsonl"]);
    put_pipe("pipe");
    refused(planning("pipe"), "file.unreadable", "pipe: not a regular file");
    refused(planning("/dev/zero"), "file.unreadable", "/dev/zero: not a regular file");
    for (row, code) in [
        (format!("pipe,operators.json,,{OWNER},7,hoodi,,\n"), "keystore.unreadable"),
        (format!("ks/keystore-1.json,pipe,,{OWNER},7,hoodi,,\n"), "operators.unreadable"),
        (format!("ks/keystore-1.json,operators.json,,{OWNER},7,hoodi,pipe,\n"), "password.source"),
    ] {
        manifest(folder, &row);
        refused(planning("manifest.csv"), code, "pipe: not a regular file");
    }
    let own = format!("ks/keystore-2.json,operators.json,,{OWNER},,hoodi,own,\n");
    fs::write(folder.join("own"), "pw 2").unwrap();
    let row = |number: u8, nonce: &str| format!("ks/keystore-{number}.json,operators.json,,{OWNER},{nonce},hoodi,,\n");
    manifest(folder, &[row(1, "7"), own, row(3, "")].concat());
    plan(folder);
    // After the plan was made: each is the matter of its row, but for the operators, who are everybody's.
    for path in ["ks/keystore-1.json", "own", "ks/keystore-3.txt"] {
        put_pipe(path);
    }
    let assert = run(folder, &[]).timeout(std::time::Duration::from_secs(60)).assert().code(1);
    let said = stderr(&assert);
    for (row, code) in [(0, "keystore.unreadable"), (1, "password.source"), (2, "password.source")] {
        let line = said.lines().find(|line| line.contains(&format!("row {row}, nonce")));
        assert!(line.is_some_and(|line| line.contains("not a regular file") && line.contains(code)), "{said}");
    }
    // Results, the operators, the journal, and the plan itself.
    let operators = fs::read(folder.join("operators.json")).unwrap();
    put_pipe("operators.json");
    refused(run(folder, &[]), "batch.inputs-changed", "operators.json: not a regular file");
    fs::remove_file(folder.join("operators.json")).unwrap();
    fs::write(folder.join("operators.json"), operators).unwrap();
    let looking = || batch(folder, &["status", "plan.jsonl", "--work", "work"]);
    put_pipe("work/shard-1-of-1/journal");
    refused(run(folder, &[]), "file.unreadable", "journal: not a regular file");
    refused(looking(), "file.unreadable", "journal: not a regular file");
    // A journal that is a link is somebody else's.
    fs::remove_file(folder.join("work/shard-1-of-1/journal")).unwrap();
    fs::write(folder.join("elsewhere"), "").unwrap();
    std::os::unix::fs::symlink("../../elsewhere", folder.join("work/shard-1-of-1/journal")).unwrap();
    refused(run(folder, &[]), "file.unreadable", "journal: not a regular file");
    refused(looking(), "file.unreadable", "journal: not a regular file");
    assert!(fs::read(folder.join("elsewhere")).unwrap().is_empty());
    put_pipe("plan.jsonl");
    refused(looking(), "file.unreadable", "plan.jsonl: not a regular file");
}

/// A folder, a pipe or a device in the place of a result is the matter of its row: it is moved out of the way, and the row done.
#[test]
fn what_is_no_file_makes_way_for_a_result() {
    let folder = service(5);
    let folder = folder.path();
    plan(folder);
    run(folder, &["--shard", "1/1"]).assert().success();
    let results = folder.join("work/shard-1-of-1/results");
    let at = |row: u32| results.join(format!("row-{row:06}.json"));
    // One of them in the place of a row that was not done yet.
    let journal = folder.join("work/shard-1-of-1/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let kept: String =
        text.lines().filter(|line| !line.contains("\"row\":2,")).map(|line| format!("{line}\n")).collect();
    fs::write(&journal, kept).unwrap();
    for row in [0, 1, 2] {
        fs::remove_file(at(row)).unwrap();
    }
    fs::create_dir(at(0)).unwrap();
    fs::write(at(0).join("note"), "somebody's").unwrap();
    for row in [1, 2] {
        assert!(Command::new("mkfifo").arg(at(row)).status().unwrap().success());
    }
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(5);
    assert!(
        stdout(&assert).contains("2 done, 3 pending") && stdout(&assert).contains("no file in its place"),
        "{}",
        stdout(&assert)
    );
    let assert = merge(folder, &["--out", "merged"]).assert().code(5);
    assert!(stderr(&assert).contains("gap at nonce 7"), "{}", stderr(&assert));
    let assert = run(folder, &["--json"]).timeout(std::time::Duration::from_secs(60)).assert().success();
    let end = objects(&stdout(&assert)).pop().unwrap();
    assert_eq!((end["kept"].as_u64(), end["done"].as_u64()), (Some(2), Some(3)));
    for row in [0, 1, 2] {
        let words = format!(
            "the result of row {row} belongs was something other than a file; it is work/shard-1-of-1/results/row-{row:06}.json.aside now"
        );
        assert!(stderr(&assert).contains(&words), "{}", stderr(&assert));
    }
    assert_eq!(fs::read_to_string(results.join("row-000000.json.aside/note")).unwrap(), "somebody's");
    merge(folder, &["--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 5);
}

/// A split that wrote straight into the folder of the merge, and keyshares whose provenance is gone, have nonces, too.
#[test]
fn keyshares_without_a_provenance_have_nonces_too() {
    let folder = service(3);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    merge(folder, &["--out", "merged"]).assert().success();
    let merged = std::fs::read_dir(folder.join("merged")).unwrap().next().unwrap().unwrap().path();
    for out in ["flat", "below/somewhere"] {
        std::fs::create_dir_all(folder.join(out)).unwrap();
        std::fs::copy(merged.join("keyshares.json"), folder.join(out).join("keyshares.json")).unwrap();
        let out = out.split('/').next().unwrap();
        let assert = merge(folder, &["--out", out]).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.nonce-clash "), "{}", stderr(&assert));
    }
}
