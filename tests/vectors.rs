//! The recorded vectors: sharing, signatures, sealing, keystores, real peer files, and altered ones.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its own fixtures and fails by panicking"
)]

mod support;

use std::convert::Infallible;

use dvkey::crypto::kdf::KdfLimits;
use dvkey::crypto::operator_key::OperatorPrivateKey;
use dvkey::crypto::password::Password;
use dvkey::format::keyshares::{self, KeysharesFile, SharesData};
use dvkey::format::keystore::Keystore;
use dvkey::format::operator_key_text::{OperatorKeyText, canonical_text};
use dvkey::format::operator_keystore::OperatorKeyFile;
use dvkey::format::operators::OperatorList;
use dvkey::workflow::verify::check::{Check, Report, Unknown, Verdict};
use dvkey::workflow::verify::keyshares::{Expected, judge};
use dvkey_ceremony::polynomial::Polynomial;
use dvkey_ceremony::recover::recover;
use dvkey_ceremony::scalar::Scalar;
use dvkey_ceremony::share::{KeyShare, check_sharing};
use dvkey_ceremony::{Identifier, Nonce, OwnerNonce, PublicKey, SecretBytes, SecretKey, Threshold};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;
use support::{text, vectors};

#[test]
fn sharings_are_reproduced() {
    let file = vectors("shamir.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let note = text(&case["note"]);
        let coefficients = case["coefficientsBE"].as_array().unwrap().iter().map(scalar).collect();
        let polynomial = Polynomial::from_coefficients(coefficients);
        let secret = SecretKey::from_be_bytes(&hex_bytes(&case["secretKey"])).unwrap();
        assert_eq!(secret.public_key().to_string(), text(&case["publicKey"]), "{note}");
        let shares = case["shares"].as_array().unwrap();
        let mut made = Vec::new();
        for share in shares {
            let identifier = Identifier::try_from(share["id"].as_u64().unwrap()).unwrap();
            let value = polynomial.evaluate(identifier);
            assert_eq!(format!("0x{}", hex::encode(*value.to_be_bytes())), text(&share["secret"]), "{note}");
            match SecretKey::from_scalar(&value) {
                Some(secret) => {
                    assert_eq!(secret.public_key().to_string(), text(&share["publicKey"]), "{note}");
                    made.push(KeyShare { identifier, secret });
                }
                None => assert!(note.contains("share for id 3 is zero"), "{note}"),
            }
        }
        if made.len() == shares.len() {
            let threshold = Threshold::ssv(made.len()).unwrap();
            let public: Vec<_> = made.iter().map(KeyShare::public).collect();
            assert_eq!(check_sharing(&secret.public_key(), &public, threshold), Ok(()), "{note}");
            made.truncate(threshold.t());
            let found = recover(&made, threshold, &secret.public_key()).unwrap();
            assert_eq!(found.to_be_bytes(), secret.to_be_bytes(), "{note}");
        }
    }
}

#[test]
fn owner_nonce_signatures_are_reproduced() {
    let file = vectors("owner_nonce_sig.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let owner = text(&case["ownerInput"]).parse().unwrap();
        let nonce = Nonce::try_from(case["nonce"].as_u64().unwrap()).unwrap();
        let message = OwnerNonce { owner, nonce };
        assert_eq!(owner.to_checksum(), text(&case["ownerChecksummed"]));
        assert_eq!(message.text(), text(&case["messageAscii"]));
        assert_eq!(message.digest().to_vec(), hex_bytes(&case["keccak256"]));
        let key = SecretKey::from_be_bytes(&hex_bytes(&case["secretKey"])).unwrap();
        let signature = key.sign(&message.digest());
        assert_eq!(signature.to_string(), text(&case["signature"]));
        assert!(signature.verify(&key.public_key(), &message.digest()));
        let wrong = hex_bytes(&case["WRONG_signatureIfOwnerNotChecksummed"]);
        let wrong = dvkey_ceremony::Signature::from_bytes(&wrong).unwrap();
        assert!(!wrong.verify(&key.public_key(), &message.digest()));
    }
}

/// Hands out recorded padding bytes.
struct Recorded(std::vec::IntoIter<u8>);

impl TryRng for Recorded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        dst.fill_with(|| self.0.next().expect("the padding is longer than recorded"));
        Ok(())
    }
}

impl TryCryptoRng for Recorded {}

#[test]
fn sealed_shares_are_reproduced() {
    let file = vectors("rsa_pkcs1v15.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let written = text(&case["operatorKeyBase64"]);
        let key = OperatorKeyText::parse(written).unwrap();
        assert_eq!(key.text, written);
        assert_eq!(canonical_text(&key.key), written);
        let plaintext = text(&case["plaintextAscii"]);
        let share = SecretKey::from_be_bytes(&hex_bytes(&case["plaintextAscii"])).unwrap();
        // The form without 0x is what other tools write; it is read and never written.
        if plaintext.starts_with("0x") {
            let mut padding = Recorded(hex_bytes(&case["paddingStringPS"]).into_iter());
            let sealed = key.key.seal(&share, &mut padding).unwrap();
            assert_eq!(hex::encode(sealed), text(&case["ciphertext"]));
        }
        let sealed = hex_bytes(&case["ciphertext"]).try_into().unwrap();
        let private = private_key(text(&case["privateKeyPem"]));
        assert_eq!(private.open(&sealed).unwrap().to_be_bytes(), share.to_be_bytes());
        assert_eq!(private.public().unwrap(), key.key);
    }
}

#[test]
fn keystores_open_or_are_refused_as_recorded() {
    let file = vectors("keystores.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 36);
    for case in cases {
        let note = text(&case["note"]);
        let bytes = serde_json::to_vec(&case["keystore"]).unwrap();
        let password = Password::new(SecretBytes::new(text(&case["password"]).into())).unwrap();
        let opened = Keystore::parse(&bytes, KdfLimits::DEFAULT)
            .map_err(|error| error.to_string())
            .and_then(|keystore| keystore.unlock(&password).map_err(|error| error.to_string()));
        match (text(&case["expect"]), opened) {
            ("ok", Ok(unlocked)) => {
                assert_eq!(unlocked.secret_key.to_be_bytes().to_vec(), hex_bytes(&case["secretKey"]), "{note}");
            }
            ("reject", Err(_)) => {}
            (expected, opened) => panic!("{note}: {expected} was expected, got {:?}", opened.err()),
        }
    }
}

#[test]
fn peer_files_are_valid_and_open() {
    for id in 1..=8 {
        let file = vectors(&format!("P0{id}.json"));
        let keyshares = keyshares::parse(text(&file["keysharesFileText"]).as_bytes()).unwrap();
        let list = operators_of(&file);
        let expected = Expected {
            owner: Some(text(&file["ownerAddressChecksummed"]).parse().unwrap()),
            nonce: Some(Nonce::try_from(file["firstNonce"].as_u64().unwrap()).unwrap()),
            validators: file["keystores"].as_array().map(Vec::len),
            operators: Some(&list),
            ..Expected::default()
        };
        let report = judge(&keyshares, &expected, None, 2);
        assert_eq!(report.verdict, Verdict::Valid, "P0{id}: {:?}", report.failures().collect::<Vec<_>>());
        let unknown: Vec<_> = report.checks.iter().filter(|(_, result)| result.unknown.is_some()).collect();
        assert_eq!(unknown.len(), 1, "P0{id}: {unknown:?}");
        assert_eq!(report.result(Check::Opens).unwrap().unknown, Some(Unknown::NeedsOperatorKeys));

        let recorded = file["decryptedShareSecretsInOperatorIdOrder"].as_array().unwrap();
        for (item, secrets) in keyshares.items.iter().zip(recorded) {
            let payload = &item.as_ref().unwrap().payload;
            let parts = SharesData::cut(&payload.shares_data, payload.operator_ids.len()).unwrap();
            for ((id, sealed), secret) in
                payload.operator_ids.iter().zip(parts.sealed_shares).zip(secrets.as_array().unwrap())
            {
                let share = private_key_of(&file, id.get()).open(sealed).unwrap();
                assert_eq!(share.to_be_bytes().to_vec(), hex_bytes(secret));
            }
        }
    }
}

#[test]
fn altered_files_are_judged_as_the_chain_would() {
    let file = vectors("mutations.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 46);
    for case in cases {
        let name = text(&case["mutation"]);
        let report = judge_document(&case["document"], &Expected::default());
        let verdict = (report.verdict, report.failures().map(|(check, ..)| check).min());
        assert_eq!(verdict, expected_verdict(name), "{name}: {:?}", report.failures().collect::<Vec<_>>());

        // A no where the chain would say yes is only right where the file contradicts itself.
        let works = case["wouldWorkOnChain"].as_bool().unwrap();
        let contradicts = [
            "ownerNonce +1",
            "ownerAddress changed",
            "data.publicKey of another validator",
            "operatorKey of op 12 replaced by key of 34 (dup key)",
        ];
        match report.verdict {
            Verdict::NotValid => assert!(!works || contradicts.contains(&name), "{name}"),
            Verdict::Valid => {
                assert!(works, "{name}");
                assert_eq!(report.result(Check::Opens).unwrap().unknown, Some(Unknown::NeedsOperatorKeys));
            }
            Verdict::CannotJudge(_) => assert_eq!(name, "data missing"),
        }
    }
}

#[test]
fn what_is_given_settles_what_the_file_leaves_open() {
    let base = vectors("P06.json");
    let file = vectors("mutations.json");
    let document = |name: &str| {
        let cases = file["cases"].as_array().unwrap();
        cases.iter().find(|case| case["mutation"] == name).unwrap()["document"].clone()
    };
    let owner = text(&base["ownerAddressInput"]).parse().unwrap();
    let list = operators_of(&base);

    let no_data = document("data missing");
    let given = Expected { owner: Some(owner), nonce: Some(Nonce::from(20)), ..Expected::default() };
    assert_eq!(judge_document(&no_data, &given).verdict, Verdict::Valid);
    let wrong = Expected { nonce: Some(Nonce::from(21)), ..given };
    let report = judge_document(&no_data, &wrong);
    assert_eq!(report.failures().map(|(check, ..)| check).collect::<Vec<_>>(), [Check::Signature]);
    let half = Expected { owner: Some(owner), ..Expected::default() };
    assert_eq!(judge_document(&no_data, &half).verdict, Verdict::CannotJudge(Unknown::OwnerNonce));

    let foreign_key = document("operatorKey of op 12 replaced by unknown valid key");
    assert_eq!(judge_document(&foreign_key, &Expected::default()).verdict, Verdict::Valid);
    let with_list = Expected { operators: Some(&list), ..Expected::default() };
    let report = judge_document(&foreign_key, &with_list);
    assert_eq!(report.failures().map(|(check, ..)| check).collect::<Vec<_>>(), [Check::OperatorKeysAgree]);

    let valid = document("valid bulk of 3");
    for (expected, check) in [
        (Expected { validators: Some(2), ..Expected::default() }, Check::Count),
        (Expected { nonce: Some(Nonce::from(19)), ..Expected::default() }, Check::Nonces),
        (
            Expected {
                owner: Some("0x52908400098527886E0F7030069857D2E4169EE7".parse().unwrap()),
                ..Expected::default()
            },
            Check::Owner,
        ),
    ] {
        let report = judge_document(&valid, &expected);
        assert_eq!(report.verdict, Verdict::NotValid);
        assert_eq!(report.failures().map(|(check, ..)| check).min(), Some(check));
    }
}

/// Fewer shares than t make the key: the chain would take it, and a few operators could take the key.
#[test]
fn a_sharing_of_too_low_degree_is_a_no() {
    let file = vectors("P01.json");
    let mut document: Value = serde_json::from_str(text(&file["keysharesFileText"])).unwrap();
    let secret = hex_bytes(&file["keystores"][0]["secretKey"]);
    let line = Polynomial::from_coefficients(vec![
        Scalar::from_be_bytes(&secret.try_into().unwrap()).unwrap(),
        Scalar::from_u64(12_345),
    ]);
    let payload = &mut document["shares"][0]["payload"];
    let mut shares = hex_bytes(&payload["sharesData"]);
    for (slot, id) in [1u64, 2, 3, 4].into_iter().enumerate() {
        let share = SecretKey::from_scalar(&line.evaluate(Identifier::try_from(id).unwrap())).unwrap();
        let start = 96 + 48 * slot;
        shares.splice(start..start + 48, share.public_key().as_bytes().iter().copied());
    }
    payload["sharesData"] = format!("0x{}", hex::encode(shares)).into();
    let report = judge_document(&document, &Expected::default());
    let failures: Vec<_> = report.failures().map(|(check, _, reason)| (check, reason.to_string())).collect();
    let reason = "fewer shares than the threshold make the validator key".to_owned();
    assert_eq!(failures, [(Check::Degree, reason)]);
}

/// The verdict without any option, and the first check that says no.
fn expected_verdict(mutation: &str) -> (Verdict, Option<Check>) {
    let check = match mutation {
        "ownerNonce +1" => Check::Signature,
        "ownerAddress changed" => Check::Signature,
        "data.publicKey of another validator" => Check::Agreement,
        "payload.publicKey of another validator" => Check::Degree,
        "both publicKeys of another validator" => Check::Degree,
        "signature byte flipped" => Check::Signature,
        "share pubkeys 0 and 1 swapped" => Check::Degree,
        "share pubkey 0 replaced by garbage ff.." => Check::ShareKeys,
        "encrypted key 0 zeroed" => Check::SealedRange,
        // Swapped ciphertexts are what only the operators can tell; these give themselves away, because one of them is
        // larger than the other operator's modulus.
        "encrypted keys 0 and 1 swapped" => Check::SealedRange,
        "sharesData from validator 2 after own signature" => Check::Degree,
        "sharesData truncated by 1 byte" | "sharesData = signature only" | "sharesData + 1 byte" => Check::Length,
        "payload.operatorIds reversed" => Check::IdOrder,
        "payload.operatorIds with duplicate" => Check::IdOrder,
        "payload.operatorIds other set" => Check::Degree,
        "operatorKey of op 12 replaced by key of 34 (dup key)" => Check::OperatorKeys,
        "payload missing" => Check::Structure,
        "shares = []" | "shares = null" => Check::Count,
        "same validator twice" => Check::Duplicates,
        "items with different operator sets" => Check::Degree,
        "nonces out of order in file" | "nonce gap (20,22)" => Check::Nonces,
        "data missing" => return (Verdict::CannotJudge(Unknown::OwnerNonce), None),
        _ => return (Verdict::Valid, None),
    };
    (Verdict::NotValid, Some(check))
}

fn judge_document(document: &Value, expected: &Expected<'_>) -> Report {
    let bytes = serde_json::to_vec(document).unwrap();
    let file: KeysharesFile = keyshares::parse(&bytes).unwrap();
    judge(&file, expected, None, 1)
}

fn operators_of(file: &Value) -> OperatorList {
    OperatorList::parse(&serde_json::to_vec(&file["operatorsInputOrder"]).unwrap()).unwrap()
}

fn private_key_of(file: &Value, id: u64) -> OperatorPrivateKey {
    let operators = file["operatorsInputOrder"].as_array().unwrap();
    let operator = operators.iter().find(|operator| operator["id"] == id).unwrap();
    private_key(text(&operator["rsaPrivateKeyPem"]))
}

fn private_key(pem: &str) -> OperatorPrivateKey {
    match OperatorKeyFile::parse(&SecretBytes::new(pem.into()), KdfLimits::DEFAULT).unwrap() {
        OperatorKeyFile::Open(key) => key,
        OperatorKeyFile::Encrypted(_) => panic!("a PEM file is not encrypted"),
    }
}

fn scalar(value: &Value) -> Scalar {
    Scalar::from_be_bytes(&hex_bytes(value).try_into().unwrap()).unwrap()
}

/// A public key that decodes here decodes to itself.
#[test]
fn public_keys_of_peer_files_are_canonical() {
    let file = vectors("P07.json");
    let keyshares = keyshares::parse(text(&file["keysharesFileText"]).as_bytes()).unwrap();
    for item in &keyshares.items {
        let payload = &item.as_ref().unwrap().payload;
        let key = PublicKey::from_bytes(&payload.public_key).unwrap();
        assert_eq!(key.as_bytes().as_slice(), payload.public_key);
    }
}

/// The bytes of a JSON string of hexadecimal.
fn hex_bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value).trim_start_matches("0x")).unwrap()
}
