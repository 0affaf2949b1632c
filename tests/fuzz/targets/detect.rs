//! What a file is: every kind of file is told and then read by its own reader, and the frame around a text is no matter.
#![no_main]

use dvkey::crypto::kdf::KdfLimits;
use dvkey::format::detect::{Detected, Kind, detect};
use dvkey::format::json::{Json, has_byte_order_mark};
use dvkey::format::keyshares::KeysharesFile;
use dvkey::format::keystore::Keystore;
use dvkey::format::operator_key_text::OperatorKeyText;
use dvkey::format::operator_keystore::OperatorKeyFile;
use dvkey::format::operators::OperatorList;
use dvkey::format::provenance::Claims;
use dvkey_ceremony::SecretBytes;
use dvkey_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Detected { kind, document, broken } = detect(bytes);
    assert!(!kind.words().is_empty() && !kind.id().is_empty());
    assert!(document.is_none() || broken.is_none());
    if let Some(error) = &broken {
        assert_harmless(&error.to_string());
    }
    if matches!(kind, Kind::OtherJson | Kind::DepositData | Kind::Proofs | Kind::Operators | Kind::Provenance) {
        assert!(document.is_some(), "{kind:?} is told from a whole document only");
    }
    if matches!(kind, Kind::Calldata | Kind::RawTransaction | Kind::Manifest | Kind::BatchPlan | Kind::BatchJournal) {
        assert!(!kind.is_json() && document.is_none());
        return;
    }
    let Some(document) = document else { return read_text(kind, bytes) };

    assert!(matches!(document, Json::Object(_) | Json::Array(_)));
    assert!(kind.is_json());
    assert_eq!(detect(&[bytes, b"\r\n"].concat()).kind, kind);
    if !has_byte_order_mark(bytes) {
        assert_eq!(detect(&[b"\xef\xbb\xbf", bytes].concat()).kind, kind);
    }
    read_document(kind, &document, bytes);
});

fn read_document(kind: Kind, document: &Json, bytes: &[u8]) {
    let problem = match kind {
        Kind::Keystore | Kind::AccountWallet => {
            Keystore::from_json(document, KdfLimits::DEFAULT).err().map(|error| error.to_string())
        }
        Kind::Keyshares => {
            KeysharesFile::from_json(document, has_byte_order_mark(bytes)).err().map(|error| error.to_string())
        }
        Kind::Provenance => Claims::parse(bytes).err().map(|error| error.to_string()),
        Kind::Operators => OperatorList::parse(bytes).err().map(|error| error.to_string()),
        Kind::OperatorKeystore => {
            let bytes = SecretBytes::new(bytes.to_vec());
            OperatorKeyFile::parse(&bytes, KdfLimits::DEFAULT).err().map(|error| error.to_string())
        }
        Kind::DepositData | Kind::Proofs => None,
        kind if kind.is_other_document() => None,
        _ => panic!("{kind:?} is no kind of document"),
    };
    if let Some(problem) = problem {
        assert_harmless(&problem);
    }
    // What one reader takes whole is told as its kind or, where it says more than that, as another kind of document.
    if Claims::parse(bytes).is_ok() {
        assert_eq!(kind, Kind::Provenance);
    }
}

fn read_text(kind: Kind, bytes: &[u8]) {
    let private_key = OperatorKeyFile::parse(&SecretBytes::new(bytes.to_vec()), KdfLimits::DEFAULT);
    if matches!(private_key, Ok(OperatorKeyFile::Open(_))) {
        assert_eq!(kind, Kind::OperatorPrivateKey, "a private key passes as something else");
    }
    match std::str::from_utf8(bytes).map(OperatorKeyText::parse) {
        // Text that is broken into odd lines is taken for the more dangerous of the two.
        Ok(Ok(_)) => assert!(matches!(kind, Kind::OperatorPublicKey | Kind::OperatorPrivateKey | Kind::OtherText)),
        Ok(Err(error)) => assert_harmless(&error.to_string()),
        Err(_) => {}
    }
}
