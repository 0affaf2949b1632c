//! Safe batches: what is read is written with a checksum that holds, and a checksum is not taken on trust.
#![no_main]

use dvkey::format::json;
use dvkey::format::safe::{Batch, Beside, Checksum, checksum, checksum_by_old_rule};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (batch, state) = match Batch::parse(bytes) {
        Ok(read) => read,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    let document = json::parse(bytes).expect("a batch is JSON");
    let given = document.get("meta").and_then(|meta| meta.get("checksum")).and_then(json::Json::as_str);
    match state {
        Checksum::Holds => assert_eq!(given, Some(checksum(&document).as_str())),
        Checksum::HoldsByOldRule => assert_eq!(given, Some(checksum_by_old_rule(&document).as_str())),
        Checksum::Absent => assert!(given.is_none_or(str::is_empty)),
        Checksum::Broken => assert!(given.is_some()),
    }
    // What is written has nothing beside the calldata.
    let mut batch = batch;
    batch.calls.iter_mut().for_each(|call| call.beside = Beside::default());
    let written = batch.to_bytes().expect("a batch is written");
    assert_eq!(Batch::parse(&written), Ok((batch, Checksum::Holds)));
});
