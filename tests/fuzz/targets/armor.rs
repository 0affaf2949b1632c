//! Armoured text of any bytes: every file in it comes back the same when it is armoured again.
#![no_main]

use std::sync::LazyLock;

use dvkey::format::armor;
use dvkey_fuzz::ceremony::{HONEST, made_unsigned};
use libfuzzer_sys::fuzz_target;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let file = |bytes| armor::encode(bytes).expect("a file of a ceremony");
    format!("Dear all,\n> {}\nand\n{}", file(HONEST.setup.card(1).as_bytes()), file(&HONEST.precommit))
});

fuzz_target!(|bytes: &[u8]| {
    let text = made_unsigned(bytes, TEXT.as_bytes());
    for file in armor::decode_all(&text).into_iter().flatten() {
        let again = armor::encode(&file).expect("it is a file of a ceremony");
        assert!(armor::is_armored(again.as_bytes()));
        assert_eq!(armor::decode_all(again.as_bytes()), [Ok(file)]);
    }
});
