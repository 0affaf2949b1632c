//! Checks C-24 to C-43.

use super::{id, put, refuses};
use crate::agdkg::deal::{SignedDeal, deal_bytes};
use crate::agdkg::precommit::Precommit;
use crate::agdkg::redact::redact;
use crate::agdkg::transcript::{Coefficients, Deals, Outputs, ValidatorKeys, lagrange_at_zero, leaf, root_from_path};
use crate::fault::{Check, Culprit, Fault};
use crate::scalar::Scalar;
use crate::testing::forge::{self, Contribution};
use crate::testing::network::{SEED, Setup};

const E: usize = 48;
const FIRST_COMMITMENT: usize = 176;

/// A cluster of four, its plan, the deal of the second, and its author's change of it.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> (Setup, Result<SignedDeal, Fault>) {
    let setup = Setup::ssv(4, 2);
    let plan = setup.plan();
    let deal = setup.dealt(&plan, 1).1;
    let file = forge::changed_deal(&setup.identity(1), &plan, deal.as_bytes(), change);
    let parsed = SignedDeal::parse(&plan, &file);
    (setup, parsed)
}

/// What the first participant says when it certifies with this deal of the second.
fn certify(setup: &Setup, deal: SignedDeal) -> Result<(), Fault> {
    let plan = setup.plan();
    let (mut dealt, honest) = setup.all_dealt(&plan);
    let mut deals = Deals::default();
    for one in honest.iter().filter(|one| one.sender() != deal.sender()).chain([&deal]) {
        deals.insert(one.clone()).unwrap();
    }
    setup.certify(dealt.remove(0), 0, &deals).map(|_| ())
}

fn audit(setup: &Setup, deal: SignedDeal) -> Result<Outputs, Fault> {
    let plan = setup.plan();
    let mut deals = Deals::default();
    deals.insert(deal).unwrap();
    for position in [0, 2, 3] {
        deals.insert(setup.dealt(&plan, position).1).unwrap();
    }
    deals.audit(&plan, &[], &SEED)
}

const SECOND: u64 = 84;

#[test]
fn c_30_deal_plan() {
    let setup = Setup::ssv(4, 2);
    let (plan, other) = (setup.plan(), Setup { nonce: [1; 32], ..setup.clone() }.plan());
    let deal = setup.dealt(&plan, 1).1;
    refuses(SignedDeal::parse(&other, deal.as_bytes()), Check::DealPlan, Culprit::Nobody);
    refuses(changed(|body| put(body, 0, b"AGDKG1R2")).1, Check::DealPlan, Culprit::Nobody);
}

#[test]
fn a_deal_that_was_read_under_another_plan_blames_nobody() {
    let setup = Setup { precommit: true, ..Setup::ssv(4, 2) };
    let other = Setup { nonce: [1; 32], ..setup.clone() };
    let (plan, other_plan) = (setup.plan(), other.plan());
    let (_, deals) = setup.all_dealt(&plan);
    let foreign = other.dealt(&other_plan, 1).1;
    refuses(foreign.open(&plan), Check::DealPlan, Culprit::Nobody);
    let precommit = |setup: &Setup, plan, position| {
        Precommit::make(&setup.identity(position), plan, &setup.dealt(plan, position).1)
    };
    let mut all: Vec<_> = (0..4).map(|position| precommit(&setup, &plan, position)).collect();
    all.push(precommit(&other, &other_plan, 1));
    // A commitment to a deal of another ceremony neither contradicts this one's nor stands in for it.
    assert_eq!(deals.check_complete(&plan, &all), Ok(()));
    all.remove(1);
    refuses(deals.check_complete(&plan, &all), Check::PrecommitMissing, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_31_deal_sender() {
    refuses(changed(|body| put(body, 40, &999u64.to_be_bytes())).1, Check::DealSender, Culprit::Nobody);
}

#[test]
fn c_32_deal_length() {
    let setup = Setup::ssv(4, 2);
    let plan = setup.plan();
    let deal = setup.dealt(&plan, 1).1.as_bytes().to_vec();
    assert_eq!(deal.len(), deal_bytes(&plan));
    assert_eq!(deal.len(), 240 + 2 * (48 * 3 + 80 + 32 * 4));
    for length in (0..48).chain(deal.len() - 40..deal.len()) {
        refuses(SignedDeal::parse(&plan, &deal[..length]), Check::DealLength, Culprit::Nobody);
    }
    // A commitment more or less, a validator more or less, a holder more or less: threshold raising and its kin.
    for difference in [48isize, -48, 2 * 48, -2 * 48, 352, -352, 32, -32, 64, -64, 1] {
        let length = (deal.len().cast_signed() - 64 + difference).cast_unsigned();
        let changed = changed(|body| body.resize(length, 7)).1;
        refuses(changed, Check::DealLength, Culprit::Nobody);
    }
}

#[test]
fn c_33_deal_signature() {
    let setup = Setup::ssv(4, 1);
    let plan = setup.plan();
    let deal = setup.dealt(&plan, 1).1.as_bytes().to_vec();
    for position in 48..deal.len() {
        let mut flipped = deal.clone();
        flipped[position] ^= 1 << (position % 8);
        refuses(SignedDeal::parse(&plan, &flipped), Check::DealSignature, Culprit::Nobody);
    }
    // A whole file under another participant's name.
    let stolen = forge::changed_deal(&setup.identity(2), &plan, &deal, |_| ());
    refuses(SignedDeal::parse(&plan, &stolen), Check::DealSignature, Culprit::Nobody);
}

#[test]
fn c_34_deal_twice() {
    let (setup, other) = changed(|body| *body.last_mut().unwrap() ^= 1);
    let plan = setup.plan();
    let (_, mut deals) = setup.all_dealt(&plan);
    let first = deals.of(id(SECOND)).unwrap().clone();
    assert_eq!(deals.insert(first.clone()), Ok(()));
    let two = deals.insert(other.unwrap()).unwrap_err();
    assert_eq!(two.fault(), Fault::of(Check::DealTwice, id(SECOND)));
    assert_eq!(two.first, first);
    assert_ne!(two.second.hash(), first.hash());
}

#[test]
fn c_35_deal_decode() {
    let guilty = Culprit::Participant(id(SECOND));
    // E, R_E, the first and the last commitment, R_v.
    for at in [E, E + 48, FIRST_COMMITMENT, FIRST_COMMITMENT + 96, FIRST_COMMITMENT + 144] {
        let good = changed(|_| ()).1.unwrap().as_bytes()[at..at + 48].try_into().unwrap();
        for bad in forge::bad_points(&good) {
            let (setup, deal) = changed(|body| put(body, at, &bad));
            refuses(deal.unwrap().open(&setup.plan()), Check::DealDecode, guilty);
        }
    }
    // z_E, z_v, a ciphertext.
    for at in [E + 96, FIRST_COMMITMENT + 192, FIRST_COMMITMENT + 448] {
        let (setup, deal) = changed(|body| put(body, at, &forge::ORDER));
        refuses(deal.unwrap().open(&setup.plan()), Check::DealDecode, guilty);
    }
    let (setup, deal) = changed(|body| put(body, FIRST_COMMITMENT, &forge::point_of_order_3()));
    refuses(certify(&setup, deal.clone().unwrap()), Check::DealDecode, guilty);
    refuses(audit(&setup, deal.unwrap()), Check::DealDecode, guilty);
}

#[test]
fn c_36_deal_ephemeral() {
    let guilty = Culprit::Participant(id(SECOND));
    let (setup, deal) = changed(|body| body[E + 48 + 48 + 31] ^= 1);
    refuses(deal.clone().unwrap().open(&setup.plan()), Check::DealEphemeral, guilty);
    refuses(certify(&setup, deal.unwrap()), Check::DealEphemeral, guilty);
    // The ephemeral key of another dealer, with its proof: made for another sender. Else a complaint would open it.
    let first = setup.dealt(&setup.plan(), 0).1.as_bytes()[E..FIRST_COMMITMENT].to_vec();
    let (setup, deal) = changed(|body| put(body, E, &first));
    refuses(deal.unwrap().open(&setup.plan()), Check::DealEphemeral, guilty);
    // The same dealer's own of another plan.
    let other = Setup { nonce: [1; 32], ..setup };
    let old = other.dealt(&other.plan(), 1).1.as_bytes()[E..FIRST_COMMITMENT].to_vec();
    let (setup, deal) = changed(|body| put(body, E, &old));
    refuses(deal.unwrap().open(&setup.plan()), Check::DealEphemeral, guilty);
}

#[test]
fn of_several_faults_the_lowest_check_is_told() {
    let (setup, second) = changed(|body| put(body, FIRST_COMMITMENT, &forge::point_of_order_3()));
    let plan = setup.plan();
    let first = setup.dealt(&plan, 0).1;
    let first = forge::changed_deal(&setup.identity(0), &plan, first.as_bytes(), |body| body[E + 127] ^= 1);
    let mut deals = Deals::default();
    deals.insert(SignedDeal::parse(&plan, &first).unwrap()).unwrap();
    deals.insert(second.unwrap()).unwrap();
    for position in [2, 3] {
        deals.insert(setup.dealt(&plan, position).1).unwrap();
    }
    refuses(deals.audit(&plan, &[], &SEED), Check::DealDecode, Culprit::Participant(id(SECOND)));
}

#[test]
fn c_37_deal_constant() {
    let guilty = |v| Fault::of(Check::DealConstant, id(SECOND)).at(v);
    for (v, at) in [(0, FIRST_COMMITMENT + 144 + 48 + 31), (1, FIRST_COMMITMENT + 224 + 144 + 48 + 31)] {
        let (setup, deal) = changed(|body| body[at] ^= 1);
        assert_eq!(certify(&setup, deal.clone().unwrap()), Err(guilty(v)));
        assert_eq!(audit(&setup, deal.unwrap()).err(), Some(guilty(v)));
    }
    // The commitments of another validator with their proof, and of another dealer.
    let (setup, deal) = changed(|body| {
        let second: Vec<u8> = body[FIRST_COMMITMENT + 224..FIRST_COMMITMENT + 448].to_vec();
        put(body, FIRST_COMMITMENT, &second);
    });
    assert_eq!(certify(&setup, deal.unwrap()), Err(guilty(0)));
    let first = setup.dealt(&setup.plan(), 0).1.as_bytes()[FIRST_COMMITMENT..FIRST_COMMITMENT + 448].to_vec();
    let (setup, deal) = changed(|body| put(body, FIRST_COMMITMENT, &first));
    assert_eq!(certify(&setup, deal.unwrap()), Err(guilty(0)));
}

#[test]
fn c_38_deal_share() {
    // Every holder, every validator: only whom it concerns can see it.
    for position in 0..4usize {
        for v in 0..2u16 {
            let at = FIRST_COMMITMENT + 448 + 32 * (usize::from(v) * 4 + position) + 31;
            let (setup, deal) = changed(|body| body[at] ^= 1);
            let deal = deal.unwrap();
            let expected = match position {
                0 => Err(Fault::of(Check::DealShare, id(SECOND)).at(v)),
                _ => Ok(()),
            };
            assert_eq!(certify(&setup, deal.clone()), expected);
            assert!(audit(&setup, deal).is_ok());
        }
    }
}

/// Adds a number to a scalar of a body.
fn shift(body: &mut [u8], at: usize, by: &Scalar) {
    let before = Scalar::from_be_bytes(body[at..at + 32].try_into().unwrap()).unwrap();
    put(body, at, before.add(by).to_be_bytes().as_ref());
}

#[test]
fn errors_that_cancel_each_other_out_are_seen() {
    const SECOND_RESPONSE: usize = FIRST_RESPONSE + 224;
    const FIRST_RESPONSE: usize = FIRST_COMMITMENT + 144 + 48;
    const FIRST_SHARE: usize = FIRST_COMMITMENT + 448;
    const SECOND_SHARE: usize = FIRST_SHARE + 32 * 4;
    let minus_one = Scalar::zero().sub(&Scalar::one());
    let both = |one, other| {
        let (setup, deal) = changed(|body| {
            shift(body, one, &Scalar::one());
            shift(body, other, &minus_one);
        });
        (certify(&setup, deal.clone().unwrap()), audit(&setup, deal.unwrap()).err())
    };
    // A response and a response, a share and a share, a response and a share: every sum without weights would hold.
    let constant = Fault::of(Check::DealConstant, id(SECOND)).at(0);
    assert_eq!(both(FIRST_RESPONSE, SECOND_RESPONSE), (Err(constant), Some(constant)));
    assert_eq!(both(FIRST_RESPONSE, FIRST_SHARE), (Err(constant), Some(constant)));
    let share = Fault::of(Check::DealShare, id(SECOND)).at(0);
    assert_eq!(both(FIRST_SHARE, SECOND_SHARE), (Err(share), None));
}

#[test]
fn there_is_no_ciphertext_beyond_the_last_holder() {
    let (setup, deal) = changed(|_| ());
    let open = deal.unwrap().open(&setup.plan()).unwrap();
    assert!(open.ciphertext(0, 3).is_some() && open.ciphertext(1, 3).is_some());
    // Position 4 of the first validator is not the first holder's of the second.
    assert!(open.ciphertext(0, 4).is_none() && open.ciphertext(2, 0).is_none());
}

#[test]
fn c_39_deal_missing() {
    let setup = Setup::ssv(4, 1);
    let plan = setup.plan();
    let (mut dealt, all) = setup.all_dealt(&plan);
    let mut deals = Deals::default();
    for deal in all.iter().filter(|deal| deal.sender() != id(SECOND)) {
        deals.insert(deal.clone()).unwrap();
    }
    assert_eq!(deals.missing(&plan), [id(SECOND)]);
    refuses(deals.audit(&plan, &[], &SEED), Check::DealMissing, Culprit::Participant(id(SECOND)));
    refuses(
        setup.certify(dealt.remove(0), 0, &deals).map(|_| ()),
        Check::DealMissing,
        Culprit::Participant(id(SECOND)),
    );
    // A redacted deal does for an auditor, and not for a holder.
    let redacted = SignedDeal::parse(&plan, &redact(&plan, all.of(id(SECOND)).unwrap())).unwrap();
    assert_eq!(redacted.hash(), all.of(id(SECOND)).unwrap().hash());
    assert_eq!(redact(&plan, &redacted), redacted.as_bytes());
    deals.insert(redacted.clone()).unwrap();
    assert!(deals.audit(&plan, &[], &SEED).is_ok());
    refuses(
        setup.certify(dealt.remove(0), 1, &deals).map(|_| ()),
        Check::DealMissing,
        Culprit::Participant(id(SECOND)),
    );
    deals.insert(all.of(id(SECOND)).unwrap().clone()).unwrap();
    deals.insert(redacted).unwrap();
    assert!(setup.certify(dealt.remove(0), 2, &deals).is_ok());
}

#[test]
fn redacted_deals_cannot_be_changed() {
    let setup = Setup::ssv(4, 1);
    let plan = setup.plan();
    let redacted = redact(&plan, &setup.dealt(&plan, 1).1);
    assert_eq!(redacted.len(), 176 + 224 + 32 + 64);
    for position in 48..redacted.len() {
        let mut flipped = redacted.clone();
        flipped[position] ^= 0x10;
        refuses(SignedDeal::parse(&plan, &flipped), Check::DealSignature, Culprit::Nobody);
    }
    for length in 0..redacted.len() {
        assert!(SignedDeal::parse(&plan, &redacted[..length]).is_err());
    }
}

/// Everybody deals these polynomials: the contributions of one who cheats alone, or of all together.
fn outputs_of(setup: &Setup, polynomials: &[[[u64; 2]; 2]; 3]) -> Result<Outputs, Fault> {
    let plan = setup.plan();
    let mut deals = Deals::default();
    for (position, rows) in polynomials.iter().enumerate() {
        let contributions: Vec<_> = rows
            .iter()
            .map(|row| {
                // Numbers above 2^63 stand for negative ones.
                let signed = |value: u64| match value.checked_sub(1 << 63) {
                    Some(minus) => Scalar::zero().sub(&Scalar::from_u64(minus)),
                    None => Scalar::from_u64(value),
                };
                Contribution::of(&plan, &row.map(signed))
            })
            .collect();
        let me = plan.participants()[position].id;
        let file = forge::deal(&setup.identity(position), &plan, me, &contributions);
        deals.insert(SignedDeal::parse(&plan, &file).unwrap()).unwrap();
    }
    deals.audit(&plan, &[], &SEED)
}

const MINUS: u64 = 1 << 63;

#[test]
fn c_40_output_coefficient() {
    let setup = Setup::generic(2, 3, 2);
    assert!(outputs_of(&setup, &[[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[11, 12], [13, 14]]]).is_ok());
    // The top coefficients of the second validator add up to zero.
    let degree = [[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[11, 12], [13, MINUS + 16]]];
    let refused = outputs_of(&setup, &degree);
    assert_eq!(refused.err(), Some(Fault::new(Check::OutputCoefficient, Culprit::Coalition).at(1)));
    let constant = [[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[MINUS + 10, 12], [13, 14]]];
    assert_eq!(
        outputs_of(&setup, &constant).err(),
        Some(Fault::new(Check::OutputCoefficient, Culprit::Coalition).at(0))
    );
}

#[test]
fn c_41_output_share_key() {
    // At id 2: 21 + 2·24 - 69 = 0.
    let setup = Setup::generic(2, 3, 2);
    let refused = outputs_of(&setup, &[[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[MINUS + 58, 12], [13, 14]]]);
    assert_eq!(refused.err(), Some(Fault::new(Check::OutputShareKey, Culprit::Coalition).at(0)));
}

#[test]
fn c_42_output_distinct() {
    let setup = Setup::generic(2, 3, 2);
    let refused = outputs_of(&setup, &[[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[11, 12], [7, 14]]]);
    assert_eq!(refused.err(), Some(Fault::new(Check::OutputDistinct, Culprit::Coalition).at(1)));
}

#[test]
fn c_43_output_self_test() {
    let setup = Setup::generic(2, 3, 2);
    let plan = setup.plan();
    let good = outputs_of(&setup, &[[[3, 4], [5, 6]], [[7, 8], [9, 10]], [[11, 12], [13, 14]]]).unwrap();
    assert!(good.interpolate(&plan));
    for v in 0..2 {
        for position in 0..2 {
            let mut bad = good.clone();
            bad.validators[v].share_keys[position] = bad.validators[v].share_keys[2];
            assert!(!bad.interpolate(&plan));
        }
        let mut bad = good.clone();
        bad.validators[v].public_key = bad.validators[1 - v].public_key;
        assert!(!bad.interpolate(&plan));
    }
    // Two errors that cancel each other out in a sum without weights.
    let mut bad = good.clone();
    let (one, two) = (good.validators[0].share_keys[0], good.validators[1].share_keys[0]);
    (bad.validators[0].share_keys[0], bad.validators[1].share_keys[0]) = (two, one);
    assert!(!bad.interpolate(&plan));
    // Nobody is given the keys of a machine that faltered.
    let mut sums = Coefficients::new(&plan);
    let (_, deals) = setup.all_dealt(&plan);
    deals.iter().for_each(|deal| sums.add(&deal.open(&plan).unwrap()));
    let outputs = |between: &dyn Fn(&mut Vec<ValidatorKeys>)| sums.outputs_after(&plan, [0; 32], between);
    assert!(outputs(&|_| ()).is_ok());
    let faltering = |keys: &mut Vec<ValidatorKeys>| keys[1].share_keys.swap(0, 2);
    refuses(outputs(&faltering), Check::OutputSelfTest, Culprit::Coalition);
}

#[test]
fn the_same_id_twice_interpolates_nothing() {
    assert!(lagrange_at_zero(&[id(1), id(2)]).is_some());
    assert_eq!(lagrange_at_zero(&[id(1), id(2), id(1)]), None);
}

#[test]
fn paths_lead_to_the_root_and_nowhere_else() {
    for m in 1..=7 {
        let setup = Setup::generic(2, 2, m);
        let plan = setup.plan();
        let (_, deals) = setup.all_dealt(&plan);
        let outputs = deals.audit(&plan, &[], &SEED).unwrap();
        for v in 0..m {
            let path = outputs.path(&plan, v);
            let node = leaf(&plan, v, &outputs.validators[usize::from(v)]);
            assert_eq!(root_from_path(node, v, m, &path), Some(outputs.root), "{v} of {m}");
            assert_ne!(root_from_path([0; 32], v, m, &path), Some(outputs.root));
            assert_eq!(root_from_path(node, v, m, &[&path[..], &[[0; 32]]].concat()), None);
            assert!(path.is_empty() || root_from_path(node, v, m, &path[1..]) != Some(outputs.root));
        }
        assert_eq!(root_from_path([0; 32], m, m, &[]), None);
    }
}

fn precommitted() -> (Setup, Vec<Precommit>) {
    let setup = Setup { precommit: true, ..Setup::ssv(4, 1) };
    let plan = setup.plan();
    let made = |position| Precommit::make(&setup.identity(position), &plan, &setup.dealt(&plan, position).1);
    let all = (0..4).map(made).collect();
    (setup, all)
}

#[test]
fn c_24_precommit_missing() {
    let (setup, all) = precommitted();
    let plan = setup.plan();
    let (_, deals) = setup.all_dealt(&plan);
    assert!(deals.audit(&plan, &all, &SEED).is_ok());
    refuses(deals.audit(&plan, &all[1..], &SEED), Check::PrecommitMissing, Culprit::Participant(id(41)));
}

#[test]
fn c_25_precommit_form() {
    let (setup, all) = precommitted();
    let (plan, good) = (setup.plan(), all[1].as_bytes());
    assert_eq!(good.len(), 144);
    assert_eq!(Precommit::parse(&plan, good).as_ref(), Ok(&all[1]));
    for length in 0..144 {
        refuses(Precommit::parse(&plan, &good[..length]), Check::PrecommitForm, Culprit::Nobody);
    }
    refuses(Precommit::parse(&plan, &[good, &[0]].concat()), Check::PrecommitForm, Culprit::Nobody);
    let magic = forge::changed(&setup.identity(1), good, |body| put(body, 0, b"AGDKG1C1"));
    refuses(Precommit::parse(&plan, &magic), Check::PrecommitForm, Culprit::Nobody);
}

#[test]
fn c_26_precommit_plan() {
    let (setup, all) = precommitted();
    let other = Setup { nonce: [2; 32], ..setup }.plan();
    refuses(Precommit::parse(&other, all[1].as_bytes()), Check::PrecommitPlan, Culprit::Nobody);
}

#[test]
fn c_27_precommit_sender() {
    let (setup, all) = precommitted();
    let foreign = forge::changed(&setup.identity(1), all[1].as_bytes(), |body| put(body, 40, &999u64.to_be_bytes()));
    refuses(Precommit::parse(&setup.plan(), &foreign), Check::PrecommitSender, Culprit::Nobody);
}

#[test]
fn c_28_precommit_signature() {
    let (setup, all) = precommitted();
    for position in 48..144 {
        let mut flipped = all[1].as_bytes().to_vec();
        flipped[position] ^= 1;
        refuses(Precommit::parse(&setup.plan(), &flipped), Check::PrecommitSignature, Culprit::Nobody);
    }
}

#[test]
fn c_29_precommit_match() {
    let (setup, mut all) = precommitted();
    let plan = setup.plan();
    let (_, deals) = setup.all_dealt(&plan);
    let other = forge::changed(&setup.identity(1), all[1].as_bytes(), |body| body[48] ^= 1);
    all[1] = Precommit::parse(&plan, &other).unwrap();
    refuses(deals.audit(&plan, &all, &SEED), Check::PrecommitMatch, Culprit::Participant(id(SECOND)));
    assert_eq!(all[1].check(deals.of(id(41)).unwrap()), Ok(()));
}
