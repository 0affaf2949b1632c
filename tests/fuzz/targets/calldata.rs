//! Calldata and revert data: what is read is written again, and nothing unfolds beyond its bounds.
#![no_main]

use dvkey::format::contract::call::{AnyCall, Call, Decoded};
use dvkey::format::contract::legacy::LegacyCall;
use dvkey::format::contract::revert::Revert;
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Revert::decode(bytes) {
        Ok(_) => assert!(Revert::has(bytes[..4].try_into().expect("four bytes"))),
        Err(error) => assert_harmless(&error.to_string()),
    }
    let decoded = match Decoded::from_calldata(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    let encoded = match &decoded.call {
        AnyCall::Current(call) => call.encode(),
        AnyCall::Legacy(call) => call.encode(),
    };
    assert_eq!(encoded == bytes, decoded.canonical);
    assert_eq!(encoded[..4], bytes[..4]);
    // Many elements may point to the same bytes, and are copied when they are encoded again: then it is longer than may be.
    if encoded.len() <= 128 << 10 {
        assert_eq!(Decoded::from_calldata(&encoded), Ok(Decoded { call: decoded.call.clone(), canonical: true }));
    }
    let signature = match &decoded.call {
        AnyCall::Current(call) => Call::signature(call),
        AnyCall::Legacy(call) => LegacyCall::signature(call),
    };
    assert!(signature.ends_with(')'));
});
