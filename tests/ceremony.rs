//! A ceremony with real operator keys: bindings, sealed shares, operator proofs, and what comes out of it.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads its own fixtures and fails by panicking"
)]

use dvkey::crypto::ceremony_rsa::CeremonyRsa;
use dvkey::crypto::operator_key::OperatorPrivateKey;
use dvkey::format::operator_keystore::OperatorKeyFile;
use dvkey_ceremony::agdkg::card::{Card, OperatorBinding};
use dvkey_ceremony::agdkg::certify::Certifies;
use dvkey_ceremony::agdkg::outputs::assemble;
use dvkey_ceremony::agdkg::plan::{Participant, Plan, Waivers};
use dvkey_ceremony::agdkg::rsa::{OperatorKeys, OperatorSigner};
use dvkey_ceremony::agdkg::transcript::Deals;
use dvkey_ceremony::fault::{Check, Fault};
use dvkey_ceremony::participant::Planned;
use dvkey_ceremony::testing::CountingRng;
use dvkey_ceremony::testing::network::{CountingRngInfallible, SEED, Setup};
use dvkey_ceremony::{Identifier, OperatorProof, SecretBytes};

const IDS: [u64; 4] = [12, 34, 56, 78];
const HOODI: u64 = 560_048;

fn operator_key(id: u64) -> OperatorPrivateKey {
    let pem = std::fs::read(format!("{}/fixtures/split/operator-{id}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap();
    match OperatorKeyFile::parse(&SecretBytes::new(pem), dvkey::crypto::kdf::KdfLimits::DEFAULT) {
        Ok(OperatorKeyFile::Open(key)) => key,
        _ => panic!("the key of operator {id} does not read"),
    }
}

fn rng() -> CountingRngInfallible {
    CountingRngInfallible(CountingRng::new(3))
}

fn spki(id: u64) -> Vec<u8> {
    operator_key(id).public().unwrap().to_spki_der()
}

fn setup() -> Setup {
    let mut setup = Setup::ssv(4, 2);
    setup.ids = IDS.into();
    setup.proofs = true;
    setup
}

fn bound_card(position: usize, salt_bytes: usize) -> Result<Card, Fault> {
    let (identity, id) = (setup().identity(position), IDS[position]);
    let operator = id.try_into().unwrap();
    let spki = spki(id);
    let statement = OperatorBinding::statement(HOODI, operator, &spki, identity.sign_pk(), identity.enc_pk());
    let signature = operator_key(id).sign(&statement, salt_bytes, &mut rng()).unwrap();
    let binding = OperatorBinding { chain_id: HOODI, operator, spki, signature };
    identity.card(&format!("operator {id}"), 0, Some(&binding), &CeremonyRsa)
}

#[test]
fn a_binding_has_a_salt_of_exactly_32_bytes() {
    assert!(bound_card(0, 32).is_ok());
    for salt_bytes in [0, 31, 33, 222] {
        assert_eq!(bound_card(0, salt_bytes).err(), Some(Fault::nobody(Check::BindingSignature)), "{salt_bytes}");
    }
}

#[test]
fn an_operator_key_has_one_encoding() {
    let good = spki(12);
    assert_eq!(CeremonyRsa.modulus_bytes(&good), Some(256));
    assert_eq!(CeremonyRsa.modulus_bytes(&[&good[..], &[0]].concat()), None);
    assert_eq!(CeremonyRsa.modulus_bytes(&good[24..]), None);
    // The exponent 3, and the length of a sequence in a longer form.
    let mut three = good.clone();
    let last = three.len() - 3;
    three[last..].copy_from_slice(&[0, 0, 3]);
    assert_eq!(CeremonyRsa.modulus_bytes(&three), None);
    assert_eq!(CeremonyRsa.modulus_bytes(&[&[0x30, 0x83, 0x00], &good[2..]].concat()), None);
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 0x80;
        // Whatever is still a key is another one, and encodes to its own bytes.
        assert!(CeremonyRsa.modulus_bytes(&changed).is_none_or(|length| length == 256));
    }
}

#[test]
fn operators_open_what_a_ceremony_sealed_to_them() {
    let mut draft = setup().draft_of(|position, id| Participant {
        id: Identifier::try_from(id).unwrap(),
        card: bound_card(position, 32).unwrap(),
    });
    draft.title = "with operators".to_owned();
    let plan = Plan::parse(&draft.encode().unwrap(), Waivers::default(), &CeremonyRsa).unwrap();
    let mut deals = Deals::default();
    let mut dealt = Vec::new();
    for position in 0..4 {
        let planned = Planned::accept(setup().identity(position), plan.clone(), None).unwrap();
        let (state, deal) = planned.deal().unwrap();
        deals.insert(deal).unwrap();
        dealt.push(state);
    }
    let mut files = Certifies::default();
    let mut certified = Vec::new();
    for (state, id) in dealt.into_iter().zip(IDS) {
        let key = operator_key(id);
        let (state, file) = state.certify(&deals, &[], &CeremonyRsa, Some(&key), &mut rng()).unwrap();
        files.insert(file);
        certified.push(state);
    }
    let made = assemble(&plan, &deals, &[], &files, &SEED, &CeremonyRsa).unwrap();
    assert_eq!(made.validators[1].shares_data(8).unwrap().len(), 96 + 304 * 4);
    for (position, (state, id)) in certified.into_iter().zip(IDS).enumerate() {
        let finished = state.finish(&made.certificate, &files, &SEED, &CeremonyRsa).unwrap();
        for (validator, share) in made.validators.iter().zip(&finished.shares) {
            let sealed = &validator.sealed_shares[position];
            let opened = operator_key(id).open(sealed.as_slice().try_into().unwrap()).unwrap();
            assert_eq!(opened.to_be_bytes(), share.secret.to_be_bytes());
            let proof = OperatorProof {
                validator: validator.public_key,
                encrypted_share: sealed.clone(),
                share: validator.share_public_keys[position],
                owner: plan.ssv().unwrap().owner,
            };
            let signature = &validator.operator_proofs[position];
            assert!(CeremonyRsa.verifies(&spki(id), &proof.root(), 222, signature));
            assert!(!CeremonyRsa.verifies(&spki(id), &proof.root(), 32, signature));
        }
    }
}
