//! Journals and results of any bytes: nothing panics, and what is read says the same when it is written and read again.
#![no_main]

use dvkey::crypto::digest::Sha256Digest;
use dvkey::format::journal::Entry;
use dvkey::format::row_result::RowResult;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|byte| *byte == b'\n') {
        reads_again(line);
        // With a right checksum, so that what stands behind it is reached.
        let sum: String = Sha256Digest::of(line).to_string().chars().take(16).collect();
        reads_again(&[sum.as_bytes(), b" ", line].concat());
        if let Ok(result) = RowResult::parse(line) {
            let written = result.to_bytes().expect("a result is JSON");
            assert_eq!(RowResult::parse(&written), Ok(result));
        }
    }
});

fn reads_again(line: &[u8]) {
    let Ok(entry) = Entry::parse(line) else { return };
    let written = entry.to_line().expect("an entry is JSON");
    let again = Entry::parse(written.trim_end_matches('\n').as_bytes()).expect("what is written is read");
    match (&entry, &again) {
        // Long reasons are cut when they are written.
        (Entry::Refused { row, code, .. }, Entry::Refused { row: same, code: kept, .. }) => {
            assert_eq!((row, code), (same, kept));
        }
        _ => assert_eq!(entry, again),
    }
}
