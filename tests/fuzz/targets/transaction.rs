//! Raw transactions and transaction objects: what is read says the same when it is written again.
#![no_main]

use dvkey::format::json::{self, Field};
use dvkey::format::transaction::{Raw, Transaction};
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Raw::decode(bytes) {
        Ok(raw) => {
            // An unsigned one of type 2 has one form only, unless it creates a contract, which nothing here writes.
            if raw.kind == 2 && !raw.signed && raw.transaction.to.is_some() {
                assert_eq!(raw.transaction.unsigned_rlp().as_deref(), Some(bytes));
            }
            again(&raw.transaction);
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
    let Ok(document) = json::parse(bytes) else { return };
    match Raw::from_json(&Field::root(&document)) {
        Ok(raw) => {
            assert!(raw.signing_hash().is_none_or(|_| raw.kind == 2 && !raw.signed));
            again(&raw.transaction);
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
});

fn again(transaction: &Transaction) {
    let written = json::parse(transaction.to_json().to_string().as_bytes()).expect("JSON");
    // What is written is of type 2, and does not have the sender in it.
    let without_sender = Transaction { from: None, gas_price: None, ..transaction.clone() };
    assert_eq!(Transaction::from_json(&Field::root(&written)).as_ref(), Ok(&without_sender));
    assert_eq!(transaction.unsigned_rlp().is_some(), transaction.missing().is_empty());
    if let Some(rlp) = transaction.unsigned_rlp()
        && rlp.len() <= 128 << 10
    {
        let raw = Raw::decode(&rlp).expect("what is written is read");
        assert_eq!(raw.transaction, Transaction { from: None, gas_price: None, ..transaction.clone() });
    }
}
