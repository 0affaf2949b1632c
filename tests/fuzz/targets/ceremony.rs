//! The folder of a ceremony with files changed, moved, cut, doubled or strange: judged without panic, and valid only whole.
#![no_main]

use std::path::{Path, PathBuf};

use dvkey::workflow::verify::check::Verdict;
use dvkey::workflow::verify::keyshares::Expected;
use dvkey::workflow::verify::{Outcome, verify};
use dvkey_fuzz::{Input, assert_harmless};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 3] = ["deposit_data.json", "keyshares.json", "proofs.json"];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ceremony")
}

/// Every file of the fixture, by its path in the folder.
fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(fixture()).expect("the fixture is there").flatten() {
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            found.extend(FILES.map(|file| (name.join(file), std::fs::read(entry.path().join(file)).expect("a file"))));
        } else {
            found.push((name, std::fs::read(entry.path()).expect("a file")));
        }
    }
    found.sort();
    found
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let folder = std::env::temp_dir().join(format!("dvkey-fuzz-ceremony-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let mut files = files();
    let before = files.clone();
    for _ in 0..input.below(4) {
        let place = input.below(files.len());
        let other = input.below(before.len());
        match input.below(6) {
            0 => drop(files.remove(place)),
            1 => files[place].1 = before[other].1.clone(),
            2 => files[place].1 = input.take(200).to_vec(),
            3 => {
                let length = files[place].1.len();
                files[place].1.truncate(input.below(length));
            }
            4 => {
                let length = files[place].1.len();
                if length > 0 {
                    files[place].1[input.below(length)] = input.byte();
                }
            }
            _ => {
                let name = String::from_utf8_lossy(input.take(20)).replace(['/', '\0'], "_");
                let name = if name.is_empty() || name == "." || name == ".." { "stray".into() } else { name };
                files.push((PathBuf::from(name), input.take(50).to_vec()));
            }
        }
        if files.is_empty() {
            return;
        }
    }
    for (path, content) in &files {
        let path = folder.join(path);
        let _ = std::fs::create_dir_all(path.parent().expect("a folder"));
        let _ = std::fs::write(path, content);
    }
    let findings = verify(std::slice::from_ref(&folder), None, &Expected::default(), 1);
    for answer in findings.iter().flat_map(|findings| &findings.answers) {
        let Outcome::Judged(report) = &answer.outcome else { continue };
        for (_, _, reason) in report.failures() {
            assert_harmless(&reason.to_string());
        }
        assert_eq!(report.verdict == Verdict::NotValid, report.failures().count() > 0);
    }
    let _ = std::fs::remove_dir_all(&folder);
});
