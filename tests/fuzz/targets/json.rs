//! The strict JSON reader against serde_json: it takes nothing more, and refuses more only for reasons it names.
#![no_main]

use dvkey::format::json::{Field, Json, JsonError, has_byte_order_mark, parse};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let plain = if has_byte_order_mark(bytes) { &bytes[3..] } else { bytes };
    let theirs = serde_json::from_slice::<Value>(plain);
    match (parse(bytes), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert!(same(&ours, &theirs), "{ours:?} is not {theirs:?}");
            walk(&Field::root(&ours));
        }
        (Ok(ours), Err(error)) => panic!("only serde_json refuses, {error}: {ours:?}"),
        (Err(JsonError::DuplicateKey { .. } | JsonError::TooManyValues | JsonError::Utf16), Ok(_)) => {}
        (Err(error), Ok(theirs)) => panic!("only serde_json takes it, {error}: {theirs:?}"),
        (Err(error), Err(_)) => assert_harmless(&error.to_string()),
    }
});

fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Number(ours), Value::Number(theirs)) => ours == theirs,
        (Json::String(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            let in_theirs = |(key, ours): &(String, Json)| theirs.get(key).is_some_and(|theirs| same(ours, theirs));
            ours.len() == theirs.len() && ours.iter().all(in_theirs)
        }
        _ => false,
    }
}

/// Reads every value in every way; what is wrong with it is told in one harmless line.
fn walk(field: &Field<'_>) {
    let readings = [
        field.text().map(drop),
        field.integer().map(drop),
        field.small_integer().map(|small| assert_eq!(field.integer(), Ok(small.into()))),
        field.hex::<20>().map(|bytes| assert_eq!(field.hex_up_to(20), Ok(bytes.into()))),
        field.hex_up_to(16).map(|bytes| assert!(bytes.len() <= 16)),
        field.get("a").map(drop),
        field.any_of(&["shares", "id"]).map(drop),
    ];
    for error in readings.into_iter().filter_map(Result::err) {
        assert_harmless(&error.to_string());
    }
    for element in field.elements().unwrap_or_default() {
        walk(&element);
    }
    for (name, entry) in field.entries().unwrap_or_default() {
        assert_eq!(field.value.get(name), Some(entry.value));
        walk(&entry);
    }
}
