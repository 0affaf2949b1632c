//! Operators' private keys on disk: what is taken opens what its public half seals, and asks for bounded derivations.
#![no_main]

use std::sync::LazyLock;

use dvkey::crypto::kdf::KdfLimits;
use dvkey::crypto::operator_key::{OperatorPrivateKey, OperatorPublicKey};
use dvkey::crypto::password::Password;
use dvkey::format::operator_keystore::{OperatorKeyFile, decrypt};
use dvkey_ceremony::{SecretBytes, SecretKey};
use dvkey_fuzz::{InputRng, assert_bounded, assert_harmless, base64, is_cheap, pem};
use libfuzzer_sys::fuzz_target;

/// The password of the seeds with a cheap derivation.
static PASSWORD: LazyLock<Password> =
    LazyLock::new(|| Password::new(SecretBytes::new("pässword".into())).expect("UTF-8"));

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    // The same bytes as a DER, in each wrapping.
    let direct = OperatorPrivateKey::from_der(&SecretBytes::new(bytes.to_vec())).ok();
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY"] {
        let framed = pem(label, bytes);
        let public_key = read(framed.as_bytes());
        assert_eq!(public_key, direct.as_ref().map(|key| key.public().expect("checked when it was read")));
        assert_eq!(read(base64(framed.as_bytes()).as_bytes()), public_key);
    }
});

fn read(bytes: &[u8]) -> Option<OperatorPublicKey> {
    match OperatorKeyFile::parse(&SecretBytes::new(bytes.to_vec()), KdfLimits::DEFAULT) {
        Ok(OperatorKeyFile::Open(key)) => Some(check(&key)),
        Ok(OperatorKeyFile::Encrypted(envelope)) => {
            assert!(envelope.ciphertext.len() <= 64 << 10);
            if is_cheap(&envelope.kdf) {
                match decrypt(&envelope, &PASSWORD) {
                    Ok(key) => drop(check(&key)),
                    Err(error) => assert_harmless(&error.to_string()),
                }
            }
            assert_bounded(&envelope.kdf, KdfLimits::DEFAULT);
            None
        }
        Err(error) => {
            assert_harmless(&error.to_string());
            None
        }
    }
}

fn check(key: &OperatorPrivateKey) -> OperatorPublicKey {
    let public_key = key.public().expect("checked when it was read");
    let share = SecretKey::from_be_bytes(&[7; 32]).expect("below the order");
    let sealed = public_key.seal(&share, &mut InputRng::new(b"")).expect("a good key seals");
    assert!(public_key.could_open(&sealed));
    let opened = key.open(&sealed).expect("what was sealed to a key opens with it");
    assert_eq!(opened.to_be_bytes(), share.to_be_bytes());
    // Nothing can be said about other ciphertexts, but that they are survived.
    for sealed in [[0; 256], [0xff; 256], *public_key.modulus()] {
        let _ = key.open(&sealed);
        assert!(!public_key.could_open(&sealed));
    }
    public_key
}
