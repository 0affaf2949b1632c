//! C-95: a machine that falters between nonce and challenge, or anywhere else, publishes nothing.

use super::{id, refuses};
use crate::agdkg::complaint::Complaint;
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::dealing::{Stage, make_deal, make_deal_after};
use crate::fault::{Check, Culprit};
use crate::testing::forge;
use crate::testing::network::{CountingRngInfallible, Setup};
use crate::testing::paper_rsa::PaperRsa;

#[test]
fn c_95_own_work_deal() {
    let setup = Setup::ssv(4, 2);
    let plan = setup.plan();
    let identity = setup.identity(0);
    let length = make_deal(&identity, &plan, id(41)).unwrap().as_bytes().len();
    assert_eq!(length, 240 + 2 * (48 * 3 + 80 + 32 * 4));
    // One bit anywhere in E, its proof, the commitments, their proofs.
    for position in (48..624).step_by(7) {
        let glitch = |stage: Stage, bytes: &mut Vec<u8>| {
            if stage == Stage::Public {
                bytes[position] ^= 2;
            }
        };
        refuses(make_deal_after(&identity, &plan, id(41), &glitch), Check::OwnWork, Culprit::Nobody);
    }
}

#[test]
fn c_95_own_work_ciphertext() {
    let setup = Setup::ssv(4, 2);
    let plan = setup.plan();
    for position in (0usize..256).step_by(13) {
        let glitch = |stage: Stage, bytes: &mut Vec<u8>| {
            if stage == Stage::Ciphertexts {
                bytes[position] ^= 2;
            }
        };
        let refused = make_deal_after(&setup.identity(0), &plan, id(41), &glitch);
        refuses(refused, Check::OwnWork, Culprit::Nobody);
    }
}

#[test]
fn c_95_own_work_card() {
    let setup = Setup::ssv(4, 1);
    for position in [8, 40, 90, 140, 167] {
        let refused =
            setup.identity(0).card_after("op", 0, None, &PaperRsa, &|bytes: &mut Vec<u8>| bytes[position] ^= 2);
        refuses(refused, Check::OwnWork, Culprit::Nobody);
    }
}

#[test]
fn c_95_own_work_certify() {
    let setup = Setup { proofs: true, ..Setup::ssv(4, 1) };
    let plan = setup.plan();
    let (dealt, deals) = setup.all_dealt(&plan);
    let key = setup.operator_key(0);
    // Transcript, root, certificate signature, possession proof, partial signatures, the sealed share's proof.
    for position in [48, 80, 112, 180, 240, 255, 260, 380, 450, 720] {
        let mut rng = CountingRngInfallible(crate::testing::CountingRng::new(1));
        let refused = dealt[0]
            .certify_after(&deals, &[], &PaperRsa, Some(&key), &mut rng, &|bytes: &mut Vec<u8>| bytes[position] ^= 2)
            .map(|_| ());
        refuses(refused, Check::OwnWork, Culprit::Nobody);
    }
}

#[test]
fn c_95_own_work_complaint() {
    let setup = Setup::ssv(4, 1);
    let plan = setup.plan();
    let deal = setup.dealt(&plan, 1).1;
    let cheated = forge::changed_deal(&setup.identity(1), &plan, deal.as_bytes(), |body| body[176 + 224 + 31] ^= 1);
    let cheated = SignedDeal::parse(&plan, &cheated).unwrap();
    assert!(Complaint::make(&setup.identity(0), &plan, id(41), &cheated, 0).is_ok());
    for position in [56, 91, 140, 190, 240, 265] {
        let glitch = |bytes: &mut Vec<u8>| bytes[position] ^= 2;
        let refused = Complaint::make_after(&setup.identity(0), &plan, id(41), &cheated, 0, &glitch);
        refuses(refused, Check::OwnWork, Culprit::Nobody);
    }
}
