//! Bindings of any bytes: what is read says the same when it is written and read again.
#![no_main]

use std::sync::LazyLock;

use dvkey::format::binding;
use dvkey_fuzz::assert_harmless;
use dvkey_fuzz::ceremony::{HONEST, made_unsigned};
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let card = HONEST.setup.card(1);
    binding::write(card.binding().expect("its card is bound")).expect("a binding is JSON")
});

fuzz_target!(|bytes: &[u8]| {
    match binding::parse(&made_unsigned(bytes, &FILE)) {
        Ok(read) => {
            let written = binding::write(&read).expect("a binding is JSON");
            assert_eq!(binding::parse(&written).ok().as_ref(), Some(&read));
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
});
