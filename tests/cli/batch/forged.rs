//! Results that somebody has put there, with lines in the journal that fit: judged by their content, and made again.

use std::fs;
use std::path::Path;

use dvkey_ceremony::group::PublicScalar;

use super::{OUT, batch, manifest, merge, merged, plan, public_key, run, service, write_others};
use crate::{OWNER, objects, stderr, stdout};

fn result(folder: &Path, row: u32) -> std::path::PathBuf {
    folder.join(format!("work/shard-1-of-1/results/row-{row:06}.json"))
}

/// Puts another text in the place of a row's result, and its digest into the journal.
fn forge(folder: &Path, row: u32, forged: &str) {
    forge_in(&folder.join("work/shard-1-of-1"), row, forged);
}

fn forge_in(shard: &Path, row: u32, forged: &str) {
    let path = shard.join(format!("results/row-{row:06}.json"));
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, forged).unwrap();
    let digest = |text: &str| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text));
    let journal = shard.join("journal");
    let lines = fs::read_to_string(&journal).unwrap();
    let line = lines.lines().rfind(|line| line.contains(&digest(&before))).unwrap();
    let body = line[17..].replace(&digest(&before), &digest(forged));
    fs::write(&journal, lines.replace(line, &format!("{} {body}", &digest(&body)[..16]))).unwrap();
}

fn field(text: &str, name: &str) -> String {
    text.split(&format!("\"{name}\":\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// A result and its journal line that were forged together do not pass as one of this row.
#[test]
fn forged_results_are_judged() {
    let folder = service(3);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    let work = folder.join("work/shard-1-of-1");
    let path = work.join("results/row-000001.json");
    let text = fs::read_to_string(&path).unwrap();
    let other = fs::read_to_string(work.join("results/row-000002.json")).unwrap();
    // A whole and valid result of another validator for this row's nonce: it holds by itself, and is not this row's.
    let folder_2 = service(3);
    let rows = [1, 3, 2]
        .map(|n| format!("ks/keystore-{n}.json,operators.json,,{OWNER},{},hoodi,,\n", if n == 1 { "7" } else { "" }));
    manifest(folder_2.path(), &rows.concat());
    plan(folder_2.path());
    run(folder_2.path(), &[]).assert().success();
    let stranger = fs::read_to_string(folder_2.path().join("work/shard-1-of-1/results/row-000001.json")).unwrap();
    let stranger = stranger.replace(&field(&stranger, "plan"), &field(&text, "plan"));
    // The shares of another row under this row's name; and another row's signature alone.
    let (mine, others) = (field(&text, "sharesData"), field(&other, "sharesData"));
    let signature = text.replace(&mine, &format!("{}{}", &others[..194], &mine[194..]));
    for (forged, problem) in [
        (text.replace(&mine, &others), "do not make the validator key"),
        (signature, "the signature does not hold"),
        (stranger, "it is the result of something else"),
    ] {
        forge(folder, 1, &forged);
        let _ = fs::remove_dir_all(folder.join("merged"));
        let assert = merge(folder, &["--out", "merged"]).assert().code(5);
        let said = stderr(&assert);
        assert!(said.contains("gap at nonce 8") && said.contains(problem), "{problem}: {said}");
        assert_eq!(merged(folder, OUT), [(7, public_key(1))]);
    }
    let assert = batch(folder, &["status", "plan.jsonl", "--work", "work"]).assert().code(5);
    assert!(stdout(&assert).contains("it is the result of something else"), "{}", stdout(&assert));
    let assert = run(folder, &[]).assert().success();
    assert!(stderr(&assert).contains("the result of row 1 is not kept"), "{}", stderr(&assert));
    merge(folder, &["--out", "whole"]).assert().success();
    assert_eq!(merged(folder, &OUT.replace("merged", "whole")).len(), 3);
}

/// A forged result is found in the file that it would have become a part of: the files before it are made, once, and its own
/// ends before it.
#[test]
fn a_forged_result_ends_its_own_file() {
    let folder = service(5);
    let folder = folder.path();
    write_others(folder);
    let row = |number: u8, operators: &str, nonce: &str| {
        format!("ks/keystore-{number}.json,{operators}.json,,{OWNER},{nonce},hoodi,,\n")
    };
    let rows = [(1, "operators", "7"), (2, "operators", ""), (3, "others", ""), (4, "others", ""), (5, "others", "")];
    manifest(folder, &rows.map(|(number, operators, nonce)| row(number, operators, nonce)).concat());
    plan(folder);
    run(folder, &[]).assert().success();
    let work = folder.join("work/shard-1-of-1");
    let result = |row: u32| work.join(format!("results/row-{row:06}.json"));
    let (mine, other) = (fs::read_to_string(result(3)).unwrap(), fs::read_to_string(result(4)).unwrap());
    let signature = |text: &str| text.split("\"sharesData\":\"").nth(1).unwrap()[..194].to_owned();
    let forged = mine.replace(&signature(&mine), &signature(&other));
    assert_ne!(forged, mine);
    forge(folder, 3, &forged);

    for was_there in [false, true] {
        let assert = merge(folder, &["--out", "merged", "--json"]).assert().code(5);
        let events = objects(&stdout(&assert));
        let said: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "file")
            .map(|file| (file["firstNonce"].as_u64(), file["lastNonce"].as_u64(), file["wasThere"].as_bool()))
            .collect();
        let there = Some(was_there);
        assert_eq!(said, [(Some(7), Some(8), there), (Some(9), Some(9), there)]);
        let gap = events.iter().find(|event| event["event"] == "gap").unwrap();
        assert_eq!((gap["nonce"].as_u64(), gap["heldBack"].as_u64()), (Some(10), Some(1)));
        assert_eq!(gap["reason"], "the signature does not hold for owner and nonce");
    }
    let names = fs::read_dir(folder.join("merged")).unwrap().count();
    assert_eq!((names, merged(folder, OUT).len()), (2, 2));
}

/// Where the parts of a result of four operators stand in its hexadecimal text, behind `0x`: share keys, sealed shares.
fn share_key(operator: usize) -> std::ops::Range<usize> {
    let start = 2 + 2 * (96 + 48 * operator);
    start..start + 96
}

fn sealed_share(operator: usize) -> std::ops::Range<usize> {
    let start = 2 + 2 * (96 + 4 * 48 + 256 * operator);
    start..start + 512
}

/// What no signature shows: a sealed share that stands twice can be right in one place at most.
#[test]
fn a_sealed_share_stands_once() {
    let folder = service(4);
    let folder = folder.path();
    plan(folder);
    run(folder, &[]).assert().success();
    let texts = [0, 1, 2, 3].map(|row| fs::read_to_string(result(folder, row)).unwrap());
    let shares = texts.each_ref().map(|text| field(text, "sharesData"));
    let with = |row: usize, at: std::ops::Range<usize>, other: &str| {
        let mut data = shares[row].clone();
        data.replace_range(at, other);
        texts[row].replace(&shares[row], &data)
    };
    let twice = with(2, sealed_share(3), &shares[2][sealed_share(1)]);
    let elsewhere = with(2, sealed_share(3), &shares[1][sealed_share(3)]);
    let validator = field(&texts[3], "publicKey");
    for (forged, problem, rows) in [
        (twice, "operators 34 and 78 have the same sealed share", &[2][..]),
        (elsewhere, "the sealed share of operator 78 stands in the result of row", &[1, 2]),
        (with(2, share_key(0), &validator[2..]), "share", &[2]),
    ] {
        let before = fs::read_to_string(result(folder, 2)).unwrap();
        forge(folder, 2, &forged);
        for out in ["merged", "merged"] {
            let assert = merge(folder, &["--out", out]).assert().code(5);
            let said = stderr(&assert);
            let first = rows[0];
            assert!(said.contains(&format!("gap at nonce {}", 7 + first)), "{said}");
            assert!(said.contains(problem) && said.contains(&format!("row {first}")), "{problem}: {said}");
            assert!(said.contains("code: batch.unfinished "), "{said}");
            assert_eq!(merged(folder, OUT).len(), first);
        }
        // A run makes the very rows again that a merge does not take, and no others.
        let assert = run(folder, &["--json"]).assert().success();
        let end = objects(&stdout(&assert)).pop().unwrap();
        assert_eq!(end["done"].as_u64().unwrap(), rows.len() as u64, "{problem}: {}", stderr(&assert));
        for row in rows {
            assert!(stderr(&assert).contains(&format!("the result of row {row} is not kept")), "{}", stderr(&assert));
        }
        merge(folder, &["--out", "whole", "--force"]).assert().success();
        assert_eq!(merged(folder, &OUT.replace("merged", "whole")).len(), 4);
        fs::remove_dir_all(folder.join("whole")).unwrap();
        fs::remove_dir_all(folder.join("merged")).unwrap();
        // For the next round everything is as it was.
        let _ = before;
        for row in 0..4 {
            forge(folder, row, &texts[row as usize]);
        }
    }
}

/// No run sees the results of two shards: a merge names the files that have to go, and then the runs make them again.
#[test]
fn a_sealed_share_in_two_shards_is_mended_by_removing_both() {
    let folder = service(4);
    let folder = folder.path();
    plan(folder);
    let shards = [1, 2].map(|number| format!("work/shard-{number}-of-2"));
    let run_both = || {
        for shard in ["1/2", "2/2"] {
            run(folder, &["--shard", shard]).assert().success();
        }
    };
    run_both();
    let files = [0, 1].map(|row: usize| format!("{}/results/row-{row:06}.json", shards[row]));
    let texts = files.each_ref().map(|file| fs::read_to_string(folder.join(file)).unwrap());
    let (mine, other) = (field(&texts[1], "sharesData"), field(&texts[0], "sharesData"));
    let mut data = mine.clone();
    data.replace_range(sealed_share(3), &other[sealed_share(3)]);
    forge_in(&folder.join(&shards[1]), 1, &texts[1].replace(&mine, &data));
    for _ in 0..2 {
        let assert = merge(folder, &["--out", "merged"]).assert().code(5);
        let said = stderr(&assert);
        assert!(said.contains("gap at nonce 7") && said.contains("code: batch.unfinished "), "{said}");
        let words = format!("remove {} and {}, and run their shards; then merge", files[0], files[1]);
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(&words), "{said}");
        assert!(!said.contains("does the rest"), "{said}");
        // What a run by itself does not mend.
        run_both();
    }
    let assert = merge(folder, &["--out", "merged", "--json"]).assert().code(5);
    let events = objects(&stdout(&assert));
    let gap = events.iter().find(|event| event["event"] == "gap").unwrap();
    assert_eq!(gap["toRemove"], serde_json::json!(files));
    files.iter().for_each(|file| fs::remove_file(folder.join(file)).unwrap());
    run_both();
    merge(folder, &["--out", "merged"]).assert().success();
    assert_eq!(merged(folder, OUT).len(), 4);
}

/// A sharing that holds, and in which an operator's share is the key of a validator in another file: a merge does not take
/// what a run would make again.
#[test]
fn a_share_key_is_no_validator_key_of_another_file() {
    let folder = service(4);
    let folder = folder.path();
    write_others(folder);
    let rows = [(1, "operators", "7"), (2, "operators", ""), (3, "others", ""), (4, "others", "")];
    let row = |(number, operators, nonce): (u8, &str, &str)| {
        format!("ks/keystore-{number}.json,{operators}.json,,{OWNER},{nonce},hoodi,,\n")
    };
    manifest(folder, &rows.map(row).concat());
    plan(folder);
    run(folder, &[]).assert().success();
    // Of degree 2 with f(0) the key of keystore 2, which is row 1, and f(12) the key of keystore 4, in the other file.
    let key = |number: u8| PublicScalar::from_be_bytes(&crate::keystore_maker::secret(number)).unwrap();
    let at = PublicScalar::from_u64;
    let slope = key(4).sub(&key(2)).mul(&at(12).invert().unwrap());
    let text = fs::read_to_string(result(folder, 1)).unwrap();
    let mine = field(&text, "sharesData");
    let mut data = mine.clone();
    for (position, id) in [12, 34, 56, 78].into_iter().enumerate() {
        let bend = at(5).mul(&at(id)).mul(&at(id - 12));
        let share = key(2).add(&slope.mul(&at(id))).add(&bend);
        let share = dvkey_ceremony::SecretKey::from_scalar(share.as_scalar()).unwrap();
        data.replace_range(share_key(position), &hex::encode(share.public_key().as_bytes()));
    }
    assert!(data[share_key(0)] == public_key(4)[2..]);
    forge(folder, 1, &text.replace(&mine, &data));
    let problem = "the share key of operator 12 is the validator key of row 3";
    let assert = merge(folder, &["--out", "merged"]).assert().code(5);
    let said = stderr(&assert);
    assert!(said.contains("gap at nonce 8") && said.contains(problem), "{said}");
    assert!(said.contains("code: batch.unfinished "), "{said}");
    assert_eq!(merged(folder, OUT), [(7, public_key(1))]);
    let assert = run(folder, &["--json"]).assert().success();
    assert_eq!(objects(&stdout(&assert)).pop().unwrap()["done"], 1);
    assert!(stderr(&assert).contains("the result of row 1 is not kept"), "{}", stderr(&assert));
    merge(folder, &["--out", "merged"]).assert().success();
}
