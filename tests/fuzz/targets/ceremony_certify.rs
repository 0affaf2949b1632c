//! Certify files of any bytes: what is read is one encoding, and a wrong one blames its author alone.
#![no_main]

use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::testing::forge;
use dvkey_fuzz::ceremony::{HONEST, assert_fair, made};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let plan = &HONEST.run.plan;
    let mut files = HONEST.run.certifies.iter().filter(|file| file.sender() == HONEST.author);
    let honest = files.next().expect("the second certified").as_bytes();
    let made = made(bytes, honest, |edit| forge::changed(&HONEST.second, honest, edit));
    let file = match SignedCertify::parse(plan, &made.bytes) {
        Ok(file) => file,
        Err(fault) => return assert_fair(fault, made.is_signed),
    };
    assert_eq!(file.as_bytes(), made.bytes);
    assert!(made.is_signed || made.bytes == honest, "a certify file that nobody signed");
    if let Err(fault) = file.open(plan, &HONEST.run.assembled.outputs) {
        assert_fair(fault, made.is_signed);
    }
});
