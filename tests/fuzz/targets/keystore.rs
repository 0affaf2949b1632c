//! EIP-2335 keystores: what is taken is bounded and whole, and what opens is the key that the file names.
#![no_main]

use std::sync::LazyLock;

use dvkey::crypto::kdf::{Kdf, KdfLimits};
use dvkey::crypto::password::Password;
use dvkey::format::keystore::Keystore;
use dvkey_ceremony::SecretBytes;
use dvkey_fuzz::{Input, assert_bounded, assert_harmless, is_cheap};
use libfuzzer_sys::fuzz_target;

/// The password of the seeds with a cheap derivation.
static PASSWORD: LazyLock<Password> =
    LazyLock::new(|| Password::new(SecretBytes::new("pässword".into())).expect("UTF-8"));

fuzz_target!(|bytes: &[u8]| {
    parameters(Input(bytes));
    let keystore = match Keystore::parse(bytes, KdfLimits::DEFAULT) {
        Ok(keystore) => keystore,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    let kdf = &keystore.envelope.kdf;
    assert_eq!(keystore.envelope.ciphertext.len(), 32);
    assert_eq!(kdf.check(KdfLimits::DEFAULT), Ok(()));
    if is_cheap(kdf) {
        match keystore.unlock(&PASSWORD) {
            Ok(unlocked) => {
                assert_eq!(unlocked.public_key, unlocked.secret_key.public_key());
                assert!(keystore.public_key.is_none_or(|named| named == *unlocked.public_key.as_bytes()));
            }
            Err(error) => assert_harmless(&error.to_string()),
        }
    }
    assert_bounded(kdf, KdfLimits::DEFAULT);
});

/// Any parameters under any limit, of every order of magnitude.
fn parameters(mut input: Input<'_>) {
    let mut scaled = || input.number() >> (input.byte() % 64);
    let (n, r, p, memory) = (scaled(), scaled() as u32, scaled() as u32, scaled() >> 24);
    let limits = KdfLimits { memory };
    for kdf in [Kdf::scrypt(1 << (n % 64), r, p, Vec::new()), Ok(Kdf::Pbkdf2 { c: r, salt: Vec::new() })] {
        let Ok(kdf) = kdf else { continue };
        match kdf.check(limits) {
            Ok(()) => assert_bounded(&kdf, limits),
            Err(error) => assert_harmless(&error.to_string()),
        }
    }
}
