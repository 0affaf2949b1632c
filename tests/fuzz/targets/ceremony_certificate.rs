//! Certificates of any bytes: only the one that everybody signed stands for these outputs.
#![no_main]

use dvkey_ceremony::agdkg::certificate::Certificate;
use dvkey_ceremony::fault::Culprit;
use dvkey_fuzz::ceremony::{HONEST, made_unsigned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let honest = &HONEST.run.certificate;
    let made = made_unsigned(bytes, honest.as_bytes());
    match Certificate::parse(&HONEST.run.plan, &made) {
        Ok(certificate) => {
            assert_eq!(made, honest.as_bytes(), "not everybody signed this");
            assert_eq!(certificate.check(&HONEST.run.assembled.outputs), Ok(()));
            assert_eq!(certificate.as_bytes(), made);
        }
        Err(fault) => assert_eq!(fault.culprit, Culprit::Nobody, "{fault}"),
    }
});
