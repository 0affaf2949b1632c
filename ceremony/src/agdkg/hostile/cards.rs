//! Checks C-01 to C-06.

use sha2::{Digest, Sha256};

use super::{put, refuses};
use crate::agdkg::card::{Card, OperatorBinding};
use crate::agdkg::words::telephone_words;
use crate::fault::{Check, Culprit, Fault};
use crate::hash::Tag;
use crate::testing::forge;
use crate::testing::network::Setup;
use crate::testing::paper_rsa::PaperRsa;

fn setup() -> Setup {
    Setup::ssv(4, 1)
}

fn card() -> Vec<u8> {
    setup().card(0).as_bytes().to_vec()
}

fn parse(bytes: &[u8]) -> Result<Card, Fault> {
    Card::parse(bytes, &PaperRsa)
}

/// A card whose author changed its body and signed again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Card, Fault> {
    parse(&forge::changed(&setup().identity(0), &card(), change))
}

/// Where the label's length stands.
const LABEL: usize = 8 + 32 + 48 + 48 + 32;

#[test]
fn c_01_card_form() {
    let (good, nobody) = (card(), Culprit::Nobody);
    assert_eq!(parse(&good), Ok(setup().card(0)));
    for length in 0..good.len() {
        refuses(parse(&good[..length]), Check::CardForm, nobody);
    }
    refuses(changed(|body| put(body, 0, b"AGDKG1CE")), Check::CardForm, nobody);
    refuses(changed(|body| body.push(0)), Check::CardForm, nobody);
    refuses(changed(|body| body[LABEL + 1] = 0x1b), Check::CardForm, nobody);
    refuses(changed(|body| body[LABEL + 1] = 0xff), Check::CardForm, nobody);
    let bind = LABEL + 1 + usize::from(good[LABEL]) + 8;
    refuses(changed(|body| body[bind] = 2), Check::CardForm, nobody);
    refuses(changed(|body| put(body, bind + 9, &[0; 8])), Check::CardForm, nobody);
    let unbound = setup().identity(0).card("op", 0, None, &PaperRsa).unwrap();
    for kind in [2, 255] {
        let other = forge::changed(&setup().identity(0), unbound.as_bytes(), |body| *body.last_mut().unwrap() = kind);
        refuses(parse(&other), Check::CardForm, nobody);
    }
    // An operator key, or its signature, beyond 600 bytes.
    let spki = setup().operator_key(0).spki().len();
    let longer = |body: &mut Vec<u8>, at: usize, length: usize| {
        put(body, at, &601u16.to_be_bytes());
        body.splice(at + 2..at + 2, std::iter::repeat_n(7, 601 - length));
    };
    refuses(changed(|body| longer(body, bind + 17, spki)), Check::CardForm, nobody);
    refuses(changed(|body| longer(body, bind + 19 + spki, 256)), Check::CardForm, nobody);
    // 65 bytes of label, and a file beyond the ceiling.
    let long = |body: &mut Vec<u8>| {
        body[LABEL] = 65;
        body.splice(LABEL + 1..LABEL + 1, std::iter::repeat_n(b'x', 65 - usize::from(good[LABEL])));
    };
    refuses(changed(long), Check::CardForm, nobody);
    refuses(parse(&[&b"AGDKG1CD"[..], &[0; 2100]].concat()), Check::CardForm, nobody);
}

#[test]
fn c_02_card_keys() {
    for at in [40, 88] {
        let good = card()[at..at + 48].try_into().unwrap();
        for bad in forge::bad_points(&good) {
            refuses(changed(|body| put(body, at, &bad)), Check::CardKeys, Culprit::Nobody);
        }
    }
    refuses(changed(|body| put(body, 136, &forge::ORDER)), Check::CardKeys, Culprit::Nobody);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    refuses(changed(|body| put(body, 8, &neutral)), Check::CardKeys, Culprit::Nobody);
}

#[test]
fn c_03_card_signature() {
    let mut flipped = card();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    refuses(parse(&flipped), Check::CardSignature, Culprit::Nobody);
    let foreign = forge::changed(&setup().identity(1), &card(), |_| ());
    refuses(parse(&foreign), Check::CardSignature, Culprit::Nobody);
}

#[test]
fn c_04_card_proof() {
    refuses(changed(|body| body[167] ^= 1), Check::CardProof, Culprit::Nobody);
    // Somebody else's decryption key, with its proof, under my signing key.
    let other = setup().card(1).as_bytes().to_vec();
    refuses(changed(|body| put(body, 40, &other[40..168])), Check::CardProof, Culprit::Nobody);
}

#[test]
fn c_05_binding_key() {
    let spki = setup().operator_key(0).spki().to_vec();
    let at = |body: &[u8]| body.windows(spki.len()).position(|window| window == spki).unwrap();
    refuses(
        changed(|body| {
            let at = at(body);
            body[at] = b'P';
        }),
        Check::BindingKey,
        Culprit::Nobody,
    );
    // A binding signature shorter than the modulus.
    let shorter = |body: &mut Vec<u8>| {
        let length = at(body) + spki.len();
        put(body, length, &255u16.to_be_bytes());
        body.pop();
    };
    refuses(changed(shorter), Check::BindingKey, Culprit::Nobody);
}

#[test]
fn c_06_binding_signature() {
    let (setup, identity) = (setup(), setup().identity(0));
    let good = setup.card(0).binding().unwrap().clone();
    let key = setup.operator_key(0);
    let statement = |chain_id, operator| {
        let (sign_pk, enc_pk) = (identity.sign_pk(), identity.enc_pk());
        OperatorBinding::statement(chain_id, operator, key.spki(), sign_pk, enc_pk)
    };
    let with = |signature: Vec<u8>| {
        let binding = OperatorBinding { signature, ..good.clone() };
        identity.card("op", 0, Some(&binding), &PaperRsa)
    };
    assert!(with(key.signature(&statement(good.chain_id, good.operator), 32)).is_ok());
    let wrong = [
        // The longest salt, as other software of the operators makes it.
        key.signature(&statement(good.chain_id, good.operator), 222),
        key.signature(&statement(1, good.operator), 32),
        key.signature(&statement(good.chain_id, 9.try_into().unwrap()), 32),
        setup.operator_key(1).signature(&statement(good.chain_id, good.operator), 32),
    ];
    for signature in wrong {
        refuses(with(signature), Check::BindingSignature, Culprit::Nobody);
    }
    // The binding of another card: the operator spoke for that one's keys, and for neither of them alone.
    let stranger = setup.identity(1);
    refuses(stranger.card("op", 0, Some(&good), &PaperRsa), Check::BindingSignature, Culprit::Nobody);
    let keys = [(identity.sign_pk(), stranger.enc_pk()), (stranger.sign_pk(), identity.enc_pk())];
    for (sign_pk, enc_pk) in keys {
        let statement = OperatorBinding::statement(good.chain_id, good.operator, key.spki(), sign_pk, enc_pk);
        refuses(with(key.signature(&statement, 32)), Check::BindingSignature, Culprit::Nobody);
    }
    let other_spki = setup.operator_key(1).spki().to_vec();
    let (sign_pk, enc_pk) = (identity.sign_pk(), identity.enc_pk());
    let statement = OperatorBinding::statement(good.chain_id, good.operator, &other_spki, sign_pk, enc_pk);
    refuses(with(key.signature(&statement, 32)), Check::BindingSignature, Culprit::Nobody);
}

#[test]
fn the_words_of_a_card_are_of_its_body() {
    let card = card();
    let body = card.split_last_chunk::<64>().unwrap().0;
    assert_eq!(setup().card(0).words(), telephone_words(&Tag::CARD.hash(&[body])));
}

#[test]
fn a_binding_is_to_these_bytes() {
    let (card, key) = (setup().card(0), setup().operator_key(0));
    let (sign_pk, enc_pk) = (card.sign_pk().as_bytes(), card.enc_pk());
    let statement = OperatorBinding::statement(0x0102, 0x0304.try_into().unwrap(), key.spki(), sign_pk, enc_pk);
    let spki_hash = Sha256::digest(key.spki());
    let expected = [
        &b"agdkg-v1/operator-bind\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x03\x04"[..],
        &spki_hash,
        sign_pk,
        enc_pk.as_bytes(),
    ];
    assert_eq!(statement, expected.concat());
}
