//! Plans of any bytes: nothing panics; what is read is written again byte for byte; a whole plan has the hash that it says.
#![no_main]

use dvkey::crypto::digest::Sha256Digest;
use dvkey::format::plan::{Item, Progress};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut reading, mut writing) = (Progress::default(), Progress::default());
    let mut place = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match reading.read(line.strip_suffix(b"\n").unwrap_or(line)) {
            Ok(item) => {
                if let Item::End { hash, rows } = item {
                    assert_eq!(hash, Sha256Digest::of(&bytes[..place]));
                    assert_eq!(rows, reading.rows());
                }
                let written = writing.write(&item).expect("a plan's line is JSON");
                assert_eq!(written.trim_end_matches('\n').as_bytes(), line.strip_suffix(b"\n").unwrap_or(line));
            }
            Err(error) => return assert_harmless(&error.to_string()),
        }
        place += line.len();
    }
    if let Err(error) = reading.must_be_complete() {
        assert_harmless(&error.to_string());
    }
});
