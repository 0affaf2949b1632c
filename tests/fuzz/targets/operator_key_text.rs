//! Operators' public keys as text: every text that is read means one key, and its own texts mean the same key.
#![no_main]

use dvkey::crypto::operator_key::OperatorPublicKey;
use dvkey::format::operator_key_text::{OperatorKeyText, canonical_text};
use dvkey_fuzz::{assert_harmless, base64, hex, pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
    // The same bytes as a DER, in each wrapping: all of them say the same.
    let direct = OperatorPublicKey::from_der(bytes).ok();
    let framed = pem("RSA PUBLIC KEY", bytes);
    for text in [framed.clone(), pem("PUBLIC KEY", bytes), base64(framed.as_bytes()), hex(framed.as_bytes())] {
        let wrapped = read(&text).map(|parsed| parsed.key);
        assert!(wrapped == direct || text.len() > 16 << 10, "{wrapped:?} is not {direct:?}");
    }
    if let Some(key) = direct {
        assert_eq!(read(&hex(bytes)).map(|parsed| parsed.key), Some(key.clone()));
        assert_eq!(read(&base64(bytes)).map(|parsed| parsed.key), Some(key));
    }
});

fn read(text: &str) -> Option<OperatorKeyText> {
    let parsed = match OperatorKeyText::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert_harmless(&error.to_string());
            return None;
        }
    };
    let canonical = canonical_text(&parsed.key);
    let again = OperatorKeyText::parse(&canonical).expect("the canonical text is read");
    assert_eq!((&again.key, &again.text), (&parsed.key, &canonical));
    assert_eq!(OperatorKeyText::parse(&parsed.text).as_ref(), Ok(&parsed));
    assert_eq!(OperatorKeyText::parse(&format!("\n {text}\t")).as_ref(), Ok(&parsed));
    assert!(!parsed.text.contains(char::is_whitespace));
    let spki = parsed.key.to_spki_der();
    assert_eq!(OperatorPublicKey::from_der(&spki).as_ref(), Ok(&parsed.key));
    assert_eq!(parsed.key.modulus()[255] & 1, 1);
    assert_eq!(parsed.key.modulus()[0] >> 7, 1);
    Some(parsed)
}
