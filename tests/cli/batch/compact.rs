//! A new plan takes its rows from the old one once, and only from journals that can be relied on.

use std::fs;
use std::path::Path;

use super::{batch, end_of, manifest, merge, plan, run, service};
use crate::{OWNER, objects, stderr, stdout};

/// Eight rows, the fourth refused.
fn with_a_gap() -> tempfile::TempDir {
    let folder = service(8);
    fs::write(folder.path().join("ks/keystore-4.txt"), "wrong").unwrap();
    plan(folder.path());
    run(folder.path(), &[]).assert().code(1);
    folder
}

fn compact(folder: &Path, nonce: u16, options: &[&str]) -> assert_cmd::Command {
    let mut command = merge(folder, &["--compact", "--next-nonce", &format!("{OWNER}={nonce}")]);
    command.args(options);
    command
}

/// Two plans of the same rows would use the same nonces twice: the second one is refused, or is the first one again.
#[test]
fn rows_are_taken_once() {
    let folder = with_a_gap();
    let folder = folder.path();
    compact(folder, 10, &["--out", "next"]).assert().success();
    let first = fs::read(folder.join("next/plan.jsonl")).unwrap();
    // The same again is the same plan again, byte for byte, as after a crash before the plan was written.
    for out in ["next", "again"] {
        let _ = fs::remove_file(folder.join(out).join("plan.jsonl"));
        compact(folder, 10, &["--out", out]).assert().success();
        assert!(fs::read(folder.join(out).join("plan.jsonl")).unwrap() == first, "{out}");
    }
    let journal = folder.join("work/shard-1-of-1/journal");
    for (nonce, options) in [(9, &[][..]), (11, &["--confirm"]), (9, &["--force"])] {
        let confirmed = format!("{OWNER}={nonce}");
        let mut command = compact(folder, nonce, &["--out", "next"]);
        command.args(options).args(options.contains(&"--confirm").then_some(&confirmed));
        if !options.contains(&"--force") {
            fs::rename(folder.join("next/plan.jsonl"), folder.join("kept")).unwrap();
        }
        let before = fs::read(&journal).unwrap();
        let assert = command.assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.superseded ") && said.contains("from nonce 10 on already"), "{said}");
        assert!(fs::read(&journal).unwrap() == before, "the journal was written to");
        if !options.contains(&"--force") {
            assert!(!folder.join("next/plan.jsonl").exists());
            fs::rename(folder.join("kept"), folder.join("next/plan.jsonl")).unwrap();
        }
        assert!(fs::read(folder.join("next/plan.jsonl")).unwrap() == first);
    }
    // One damaged line does not give the rows back.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"superseded\":\"", "\"superseded\":\"0", 1)).unwrap();
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(1);
    assert!(stdout(&assert).contains("3 done, 0 pending, 0 refused, 5 superseded"), "{}", stdout(&assert));
}

/// An owner whose rows were taken before needs no name when another one's are taken.
#[test]
fn owners_are_taken_one_by_one() {
    let folder = service(6);
    let folder = folder.path();
    let other = "0x00000000219ab540356cbb839cbe05303d7705fa";
    let row = |number: u8, owner: &str, nonce: &str| {
        format!("ks/keystore-{number}.json,operators.json,,{owner},{nonce},hoodi,,\n")
    };
    let rows = [(1, OWNER, "7"), (2, OWNER, ""), (3, OWNER, ""), (4, other, "0"), (5, other, ""), (6, other, "")];
    manifest(folder, &rows.map(|(number, owner, nonce)| row(number, owner, nonce)).concat());
    for number in [1, 6] {
        fs::write(folder.join(format!("ks/keystore-{number}.txt")), "wrong").unwrap();
    }
    plan(folder);
    // The second owner's refused row is in a shard that is begun later.
    run(folder, &["--shard", "1/2"]).assert().code(1);
    let compact = |next: &[&str], out: &str| {
        let named: Vec<_> = next.iter().flat_map(|next| ["--next-nonce", *next]).collect();
        merge(folder, &[&["--compact", "--without-shard", "2/2", "--out", out][..], &named].concat())
    };
    let (one, two) = (format!("{OWNER}=7"), format!("{other}=1"));
    let assert = compact(&[&two], "refused").assert().code(1);
    assert!(stderr(&assert).contains("its next nonce on chain was not named"), "{}", stderr(&assert));
    compact(&[&one], "next").assert().success();
    run(folder, &["--shard", "2/2"]).assert().code(1);
    // Both together would be another plan of the first one's rows.
    let assert = compact(&[&one, &two], "both").assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("code: batch.superseded ") && said.contains(&format!("the rows of {OWNER} on")), "{said}");
    // Nor does it take the first one's place: that may be nowhere else.
    let before = fs::read(folder.join("next/plan.jsonl")).unwrap();
    let assert = compact(&[&two], "next").arg("--force").assert().code(1);
    assert!(stderr(&assert).contains("has rows of this plan, and is not replaced"), "{}", stderr(&assert));
    assert!(fs::read(folder.join("next/plan.jsonl")).unwrap() == before);
    compact(&[&two], "rest").assert().success();
    let rest = fs::read_to_string(folder.join("rest/plan.jsonl")).unwrap();
    assert_eq!(objects(&rest).iter().filter_map(|line| line["nonce"].as_u64()).collect::<Vec<_>>(), [1]);
}

/// A damaged line may have said that rows were refused, or taken: the nonce is said twice then.
#[test]
fn damaged_journals_are_not_relied_on() {
    let folder = with_a_gap();
    let folder = folder.path();
    let journal = folder.join("work/shard-1-of-1/journal");
    let whole = fs::read_to_string(&journal).unwrap();
    let damaged = whole.replacen("\"row\":0,", "\"row\":9,", 1);
    let headless = whole.split_once('\n').unwrap().1.to_owned();
    for (text, words) in [(damaged, "line"), (headless, "before any that names the plan")] {
        fs::write(&journal, text).unwrap();
        let other = format!("{OWNER}=9");
        for options in [&[][..], &["--confirm", &other]] {
            let assert = compact(folder, 10, &["--out", "next"]).args(options).assert().code(1);
            let said = stderr(&assert);
            assert!(said.contains("code: batch.journal ") && said.contains(words), "{said}");
            assert!(!folder.join("next/plan.jsonl").exists());
        }
    }
    // As the hint says: what can be done again is, and the nonce is said twice.
    run(folder, &[]).assert().code(1);
    let confirmed = format!("{OWNER}=10");
    let assert = compact(folder, 10, &["--out", "next", "--confirm", &confirmed]).assert().success();
    assert!(stderr(&assert).contains("left out: nonce 10 of the old plan"), "{}", stderr(&assert));
}

/// The new plan names its keystores by the way from its own folder: it must not lead to where the old one was copied to.
#[test]
fn a_plan_that_was_moved_says_so() {
    let folder = with_a_gap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("far/away")).unwrap();
    fs::rename(folder.join("plan.jsonl"), folder.join("far/away/plan.jsonl")).unwrap();
    let next = format!("{OWNER}=10");
    let compact =
        ["merge", "far/away/plan.jsonl", "--work", "work", "--compact", "--next-nonce", &next, "--out", "next"];
    let journal = fs::read(folder.join("work/shard-1-of-1/journal")).unwrap();
    let assert = batch(folder, &compact).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("code: batch.inputs-changed ") && said.contains("--base"), "{said}");
    assert!(said.contains("none of the keystores that would be signed with anew is in far/away"), "{said}");
    assert!(!folder.join("next").exists());
    // A folder that is there, and in which the keystores are not.
    fs::create_dir(folder.join("empty")).unwrap();
    for (base, code) in [("empty", "batch.inputs-changed"), ("absent", "file.unreadable")] {
        let assert = batch(folder, &[&compact[..], &["--base", base]].concat()).assert().code(1);
        assert!(stderr(&assert).contains(&format!("code: {code} ")), "{}", stderr(&assert));
        assert!(!folder.join("next").exists());
    }
    assert!(fs::read(folder.join("work/shard-1-of-1/journal")).unwrap() == journal);
    batch(folder, &[&compact[..], &["--base", "."]].concat()).assert().success();
    let new = ["run", "next/plan.jsonl", "--work", "work-2", "--password-dir", "ks", "--no-input"];
    batch(folder, &new).assert().success();
}

/// What counts is the keystores of the rows that are signed anew: those of registered rows may be gone, or alone be there.
#[test]
fn keystores_that_are_needed_anew_are_looked_for() {
    let folder = with_a_gap();
    let folder = folder.path();
    fs::create_dir(folder.join("away")).unwrap();
    let journal = fs::read(folder.join("work/shard-1-of-1/journal")).unwrap();
    let put_away = |number: u8| {
        let name = format!("keystore-{number}.json");
        fs::rename(folder.join("ks").join(&name), folder.join("away").join(&name)).unwrap();
    };
    // Nonce 10, the fourth one, is left out; five to eight are signed anew.
    (5..=8).for_each(put_away);
    let assert = compact(folder, 10, &["--out", "next"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.inputs-changed "), "{}", stderr(&assert));
    assert!(!folder.join("next").exists());
    assert!(fs::read(folder.join("work/shard-1-of-1/journal")).unwrap() == journal);
    fs::rename(folder.join("away/keystore-8.json"), folder.join("ks/keystore-8.json")).unwrap();
    (1..=3).for_each(put_away);
    let assert = compact(folder, 10, &["--out", "next", "--json"]).assert().success();
    assert!(stderr(&assert).contains("3 keystores are not where the new plan looks"), "{}", stderr(&assert));
    assert_eq!(objects(&stdout(&assert))[0]["keystoresAbsent"], 3);
}

/// A shard whose folder is not named would not be told that another plan has its rows.
#[test]
fn every_shard_is_told() {
    let folder = service(6);
    let folder = folder.path();
    fs::write(folder.join("ks/keystore-4.txt"), "wrong").unwrap();
    plan(folder);
    for (work, shard, code) in [("w1", "1/3", 1), ("w2", "2/3", 0), ("w3", "3/3", 0)] {
        run(folder, &["--work", work, "--shard", shard]).assert().code(code);
    }
    let compact = |work: &[&str], options: &[&str]| {
        let next = format!("{OWNER}=10");
        merge(folder, &[&["--out", "next", "--compact", "--next-nonce", &next, "--work"], work, options].concat())
    };
    let journals = || {
        ["w1/shard-1", "w2/shard-2", "w3/shard-3"]
            .map(|path| fs::read(folder.join(format!("{path}-of-3/journal"))).unwrap())
    };
    let before = journals();
    for (work, without, shards) in [
        (&["w1", "w3"][..], &[][..], "shard 2/3 is"),
        (&["w1", "w3"], &["--without-shard", "3/3", "2/4"], "shard 2/3 is"),
        (&["w1"], &[], "shards 2/3, 3/3 are"),
        (&["w1"], &["--without-shard", "3/3"], "shard 2/3 is"),
    ] {
        let assert = compact(work, without).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.shard-missing ") && said.contains(shards), "{said}");
        assert!(said.contains("--without-shard 2/3"), "{said}");
        assert!(!folder.join("next").exists() && journals() == before);
    }
    // The journal says which shard it is, or else, where it is lost, the name of its folder.
    let whole = fs::read_to_string(folder.join("w2/shard-2-of-3/journal")).unwrap();
    fs::write(folder.join("w2/shard-2-of-3/journal"), "").unwrap();
    let assert = compact(&["w1", "w3"], &["--without-shard", "2/3", "--confirm", &format!("{OWNER}=11")]).assert();
    // Without its work, nonce 8 counts as registered and has no result: to be said twice, and rightly.
    assert!(stderr(&assert.code(1)).contains("code: batch.next-nonce "));
    let assert = compact(&["w1", "w2", "w3"], &[]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.journal "), "{}", stderr(&assert));
    fs::write(folder.join("w2/shard-2-of-3/journal"), whole).unwrap();
    compact(&["w1", "w2", "w3"], &[]).assert().success();
    for (work, shard) in [("w1", "1/3"), ("w2", "2/3"), ("w3", "3/3")] {
        let assert = run(folder, &["--work", work, "--shard", shard]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.superseded ") && said.contains("1 of the 2 rows of shard"), "{said}");
    }
    // Only rows that would be taken count: the others of a shard may be anywhere.
    let assert = merge(folder, &["--work", "w1", "--out", "o"]).assert().code(5);
    assert!(stderr(&assert).contains("gap at nonce 8"), "{}", stderr(&assert));
}

/// A run that was refused leaves the folder of its shard: it is not the work of that shard, which may be on another worker.
#[test]
fn a_folder_without_a_journal_is_no_shard() {
    let folder = service(6);
    let folder = folder.path();
    fs::write(folder.join("ks/keystore-1.txt"), "wrong").unwrap();
    plan(folder);
    // None of the keystores is there, but their passwords are.
    let keystores: Vec<_> = (1..=6).map(|number| folder.join(format!("ks/keystore-{number}.json"))).collect();
    for path in &keystores {
        fs::rename(path, path.with_extension("away")).unwrap();
    }
    for (work, shard) in [("w1", "2/2"), ("w1", "1/3")] {
        let assert = run(folder, &["--work", work, "--shard", shard]).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.inputs-changed "), "{}", stderr(&assert));
    }
    for path in &keystores {
        fs::rename(path.with_extension("away"), path).unwrap();
    }
    let compact = |options: &[&str]| {
        let next = format!("{OWNER}=7");
        merge(folder, &[&["--out", "next", "--compact", "--next-nonce", &next, "--work"], options].concat())
    };
    let assert = compact(&["w1"]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.no-work "), "{}", stderr(&assert));
    run(folder, &["--work", "w1", "--shard", "1/2"]).assert().code(1);
    run(folder, &["--work", "w2", "--shard", "2/2"]).assert().code(0);
    let assert = compact(&["w1"]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("code: batch.shard-missing ") && said.contains("shard 2/2 is"), "{said}");
    compact(&["w1", "w2"]).assert().success();
    for empty in ["shard-2-of-2", "shard-1-of-3"] {
        assert!(!folder.join("w1").join(empty).join("journal").exists(), "{empty}");
    }
    // No shard does the rows for the old plan any more, in whatever folder.
    for (work, shard) in [("w1", "1/2"), ("w1", "2/2"), ("w2", "2/2")] {
        let assert = run(folder, &["--work", work, "--shard", shard]).assert().code(1);
        assert!(stderr(&assert).contains("code: batch.superseded "), "{work}, {shard}: {}", stderr(&assert));
    }
}

/// What a journal said that is lost may have been that another plan has the rows.
#[test]
fn a_lost_journal_counts_as_damage() {
    let folder = with_a_gap();
    let folder = folder.path();
    compact(folder, 10, &["--out", "first"]).assert().success();
    let journal = folder.join("work/shard-1-of-1/journal");
    // And all else that told of the new plan.
    for list in ["work/taken", "work/shard-1-of-1/taken"] {
        fs::remove_file(folder.join(list)).unwrap();
    }
    for lost in [None, Some("")] {
        match lost {
            None => fs::remove_file(&journal).unwrap(),
            Some(text) => fs::write(&journal, text).unwrap(),
        }
        let assert = compact(folder, 7, &["--out", "second"]).assert().code(1);
        let said = stderr(&assert);
        assert!(said.contains("code: batch.journal ") && said.contains("no journal says of which plan"), "{said}");
    }
    let confirmed = format!("{OWNER}=7");
    compact(folder, 7, &["--out", "second", "--confirm", &confirmed]).assert().success();
    // What it is told now can be relied on, and the same again is the same plan.
    let plan = fs::read(folder.join("second/plan.jsonl")).unwrap();
    fs::remove_file(folder.join("second/plan.jsonl")).unwrap();
    compact(folder, 7, &["--out", "second"]).assert().success();
    assert!(fs::read(folder.join("second/plan.jsonl")).unwrap() == plan);
}

/// A folder under two names is one folder, and no run in its own way.
#[test]
fn a_folder_under_two_names_is_one() {
    let folder = with_a_gap();
    let folder = folder.path();
    std::os::unix::fs::symlink("work", folder.join("link")).unwrap();
    let names = ["--work", "work", "./work", "link", "link/shard-1-of-1"];
    let assert = merge(folder, &[&names[..], &["--out", "merged"]].concat()).assert().code(1);
    let said = stderr(&assert);
    for name in ["work/shard-1-of-1", "link/shard-1-of-1"] {
        assert_eq!(
            said.matches(&format!("{name}: the same folder as ./work/shard-1-of-1, which is read once")).count(),
            1,
            "{said}"
        );
    }
    compact(folder, 10, &[&names[..], &["--out", "next"]].concat()).assert().success();
}

/// A shard that was begun after another plan took its rows does not do them.
#[test]
fn a_shard_begun_later_knows_what_was_taken() {
    let folder = service(4);
    let folder = folder.path();
    fs::write(folder.join("ks/keystore-1.txt"), "wrong").unwrap();
    plan(folder);
    run(folder, &["--shard", "1/2"]).assert().code(1);
    let nonce = format!("{OWNER}=7");
    let arguments = ["--out", "next", "--compact", "--next-nonce", &nonce];
    let assert = merge(folder, &arguments[..]).assert().code(1);
    assert!(stderr(&assert).contains("code: batch.shard-missing "), "{}", stderr(&assert));
    merge(folder, &[&arguments[..], &["--without-shard", "2/2"]].concat()).assert().success();
    let assert = run(folder, &["--shard", "2/2"]).assert().code(1);
    let said = stderr(&assert);
    assert!(said.contains("another plan has all of the 2 rows of shard 2/2") && !said.contains("done:"), "{said}");
    let assert = run(folder, &["--shard", "2/2", "--json"]).assert().code(1);
    let end = end_of(&assert);
    assert_eq!((end["done"].as_u64(), end["superseded"].as_u64()), (Some(0), Some(2)), "{end}");
    // The plan is not overwritten by the one that is made from it.
    let before = fs::read(folder.join("plan.jsonl")).unwrap();
    let again = ["--out", ".", "--force", "--compact", "--without-shard", "2/2", "--next-nonce", &nonce];
    let assert = merge(folder, &again).assert();
    assert!(stderr(&assert.code(1)).contains("code: output.exists "));
    assert_eq!(fs::read(folder.join("plan.jsonl")).unwrap(), before);
}

/// Rows that another plan has taken stay taken, whatever becomes of the journal that said so.
#[test]
fn a_lost_journal_gives_no_rows_back() {
    let folder = with_a_gap();
    let folder = folder.path();
    compact(folder, 8, &["--out", "next"]).assert().success();
    let shard = folder.join("work/shard-1-of-1");
    let journal = shard.join("journal");
    let whole = fs::read_to_string(&journal).unwrap();
    let row = |number: u32| fs::read(shard.join(format!("results/row-{number:06}.json"))).unwrap();
    let (before, refused) = (row(5), "there are results, and their journal is lost");
    for content in [None, Some(Vec::new()), Some(vec![0; 40_000])] {
        fs::remove_file(&journal).unwrap();
        if let Some(content) = &content {
            fs::write(&journal, content).unwrap();
        }
        let said = stderr(&run(folder, &[]).assert().code(1));
        assert!(said.contains("code: batch.journal ") && said.contains(refused), "{said}");
        fs::write(&journal, "").unwrap();
        assert_eq!(row(5), before);
    }
    // As its last page is after a power failure: the lines that told of the new plan are gone.
    let torn = whole.find("{\"superseded\"").map(|at| &whole[..at - 17]).unwrap();
    fs::write(&journal, [torn.as_bytes(), &[0; 500]].concat()).unwrap();
    let said = stderr(&run(folder, &[]).assert().code(1));
    assert!(said.contains("500 bytes that are no line") && said.contains("code: batch.superseded "), "{said}");
    // Whose keystores have moved to where the new plan is run is no matter.
    fs::rename(folder.join("ks"), folder.join("moved")).unwrap();
    let said = stderr(&run(folder, &["--password-file", "manifest.csv"]).assert().code(1));
    assert!(said.contains("code: batch.superseded "), "{said}");
    fs::rename(folder.join("moved"), folder.join("ks")).unwrap();
    let said = stderr(&merge(folder, &["--out", "again", "--work", "work"]).assert().code(1));
    assert!(said.contains("code: batch.superseded "), "{said}");
    // The same where the shard's folder was lost, or the work folder's own list.
    for lost in ["work/shard-1-of-1/taken", "work/taken"] {
        let aside = folder.join("aside");
        fs::rename(folder.join(lost), &aside).unwrap();
        let status = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(1);
        assert!(stdout(&status).contains("1 done, 0 pending, 0 refused, 7 superseded"), "{}", stdout(&status));
        fs::rename(&aside, folder.join(lost)).unwrap();
    }
    fs::remove_dir_all(&shard).unwrap();
    let said = stderr(&run(folder, &[]).assert().code(1));
    assert!(said.contains("code: batch.superseded "), "{said}");
}
