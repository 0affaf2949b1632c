//! Checks C-10 to C-22, and that every byte of a plan is under its hash.

use super::{id, put, refuses};
use crate::agdkg::card::Card;
use crate::agdkg::identity::commitment;
use crate::agdkg::plan::{Plan, PlanDraft, Profile, SsvRegistration, Waivers};
use crate::agdkg::sigma;
use crate::deposit::{ForkVersion, Gwei, WithdrawalCredentials};
use crate::fault::{Check, Culprit, Fault};
use crate::hash::Tag;
use crate::scalar::Scalar;
use crate::testing::forge;
use crate::testing::network::Setup;
use crate::testing::paper_rsa::PaperRsa;

/// Offsets in a plan with the title "test".
const KIND: usize = 8;
const PROFILE: usize = 9;
const FLAGS: usize = 10;
const TITLE: usize = 72;
const THRESHOLD: usize = 77;
const COUNT: usize = 80;
const FIRST_ENTRY: usize = 81;

fn parse(bytes: &[u8]) -> Result<Plan, Fault> {
    Plan::parse(bytes, Waivers::default(), &PaperRsa)
}

fn bytes() -> Vec<u8> {
    Setup::ssv(4, 2).draft().encode().unwrap()
}

fn changed(at: usize, with: &[u8]) -> Result<Plan, Fault> {
    let mut bytes = bytes();
    put(&mut bytes, at, with);
    parse(&bytes)
}

fn redrafted(change: impl FnOnce(&mut PlanDraft)) -> Result<Plan, Fault> {
    let mut draft = Setup::ssv(4, 2).draft();
    change(&mut draft);
    parse(&draft.encode().unwrap())
}

fn ssv(draft: &mut PlanDraft) -> &mut SsvRegistration {
    match &mut draft.profile {
        Profile::Ssv(ssv) => ssv,
        Profile::Generic => panic!("not an SSV plan"),
    }
}

#[test]
fn c_10_plan_form() {
    let good = bytes();
    assert_eq!(parse(&good).map(|plan| plan.as_bytes().to_vec()), Ok(good.clone()));
    for length in 0..good.len() {
        let cut = parse(&good[..length]).map(|_| ());
        assert!(matches!(cut, Err(Fault { check: Check::PlanForm, culprit: Culprit::Nobody, .. })), "{length}");
    }
    refuses(parse(&[&good[..], &[0]].concat()), Check::PlanForm, Culprit::Nobody);
    refuses(changed(0, b"AGDKG1PM"), Check::PlanForm, Culprit::Nobody);
    refuses(changed(TITLE, &[65]), Check::PlanForm, Culprit::Nobody);
    refuses(changed(TITLE + 1, &[0x1b]), Check::PlanForm, Culprit::Nobody);
    let mut huge = good.clone();
    huge.resize(8 * 1024 * 1024 + 1, 0);
    refuses(parse(&huge), Check::PlanForm, Culprit::Nobody);
    // A generic plan has no section, and no plan of this kind has a section for its kind.
    refuses(changed(PROFILE, &[0]), Check::PlanForm, Culprit::Nobody);
    refuses(changed(good.len() - 4, &[0, 0, 0, 1]), Check::PlanForm, Culprit::Nobody);
    refuses(
        redrafted(|draft| draft.amounts = (32..41).map(Gwei::from_ether).collect()),
        Check::PlanForm,
        Culprit::Nobody,
    );
    // Eight amounts are the most.
    assert!(redrafted(|draft| draft.amounts = (32..40).map(Gwei::from_ether).collect()).is_ok());
    refuses(redrafted(|draft| draft.credentials = vec![draft.credentials[0]; 3]), Check::PlanForm, Culprit::Nobody);
    // A section for SSV that is a byte longer, and says so.
    let mut longer = good.clone();
    let section = longer.len() - 4 - 29 - 2;
    put(&mut longer, section, &30u16.to_be_bytes());
    longer.insert(section + 2 + 29, 0);
    refuses(parse(&longer), Check::PlanForm, Culprit::Nobody);
    assert!(redrafted(|draft| draft.credentials = vec![draft.credentials[0]; 2]).is_ok());
}

#[test]
fn a_wrong_card_is_its_authors_or_whoever_put_it_there() {
    // The last byte of the first card: of its signature.
    let card = Setup::ssv(4, 2).card(0).as_bytes().len();
    let mut bytes = bytes();
    bytes[FIRST_ENTRY + 19 + card - 1] ^= 1;
    refuses(parse(&bytes), Check::CardSignature, Culprit::CardOf(id(41)));
}

#[test]
fn c_11_plan_kind() {
    for kind in [0, 2, 3, 4, 5, 0x11, 255] {
        refuses(changed(KIND, &[kind]), Check::PlanKind, Culprit::Nobody);
    }
    for profile in [2, 3, 255] {
        refuses(changed(PROFILE, &[profile]), Check::PlanKind, Culprit::Nobody);
    }
}

#[test]
fn c_12_plan_flags() {
    for bit in 2..16 {
        refuses(changed(FLAGS, &(1u16 << bit).to_be_bytes()), Check::PlanFlags, Culprit::Organizer);
    }
    let mut generic = Setup::generic(2, 3, 1);
    generic.proofs = true;
    refuses(generic.try_plan(), Check::PlanFlags, Culprit::Organizer);
}

#[test]
fn c_13_plan_limits() {
    let limits = |t, n, m| {
        let setup = Setup { t, m, ..Setup::generic(t, n, m) };
        Plan::parse(&setup.draft().encode().unwrap(), Waivers::default(), &PaperRsa).map(|plan| plan.validators())
    };
    for (t, n, m) in [(1, 1, 1), (1, 2, 1), (3, 2, 1), (0, 2, 1), (2, 2, 0), (2, 2, 1001), (2, 4, 1), (33, 65, 1)] {
        refuses(limits(t, n, m), Check::PlanLimits, Culprit::Organizer);
    }
    for (t, n, m) in [(2, 2, 1), (2, 3, 1000), (33, 64, 1)] {
        assert_eq!(limits(t, n, m), Ok(m));
    }
    // t ≤ n/2 only for those who say so.
    let two_quorums = Waivers { two_quorums: true, ..Waivers::default() };
    let plan = Plan::parse(&Setup::generic(2, 4, 1).draft().encode().unwrap(), two_quorums, &PaperRsa).unwrap();
    assert!(plan.has_two_quorums());
}

#[test]
fn c_14_plan_entries() {
    let organizer = Culprit::Organizer;
    for role in [0, 1, 2, 4] {
        refuses(changed(FIRST_ENTRY, &[role]), Check::PlanEntries, organizer);
    }
    // id 0 would be handed the whole key.
    refuses(changed(FIRST_ENTRY + 1, &[0; 8]), Check::PlanEntries, organizer);
    refuses(changed(FIRST_ENTRY + 9, &[0, 0, 0, 0, 0, 0, 0, 1]), Check::PlanEntries, organizer);
    refuses(redrafted(|draft| draft.participants.swap(0, 1)), Check::PlanEntries, organizer);
    refuses(redrafted(|draft| draft.participants[1].id = draft.participants[0].id), Check::PlanEntries, organizer);
}

#[test]
fn c_15_plan_duplicate_keys() {
    let mut setup = Setup::generic(2, 3, 1);
    setup.roots[2] = setup.roots[0];
    refuses(setup.try_plan(), Check::PlanDuplicateKeys, Culprit::Organizer);
    // One of the two keys is enough: whoever has both roots can write a card with a key of each.
    let setup = Setup::generic(2, 3, 1);
    for (signs, decrypts) in [(0, 2), (2, 0)] {
        let card = Card::parse(&mixed_card(&setup, signs, decrypts), &PaperRsa).unwrap();
        let mut draft = setup.draft();
        draft.participants[2].card = card;
        refuses(parse(&draft.encode().unwrap()), Check::PlanDuplicateKeys, Culprit::Organizer);
    }
}

/// A valid card with the signing key of one and the decryption key of another, both of whom made it together.
fn mixed_card(setup: &Setup, signs: usize, decrypts: usize) -> Vec<u8> {
    let (one, other) = (setup.identity(signs), setup.identity(decrypts));
    let (sign_pk, enc_pk) = (one.sign_pk(), other.enc_pk().as_bytes());
    let nonce = Scalar::from_u64(0x5eed);
    let announced = commitment(&nonce).unwrap();
    let challenge = Tag::POK_ID.challenge(&[sign_pk, enc_pk, announced.as_bytes()]);
    let z = sigma::respond(&nonce, &challenge, other.decryption_key());
    forge::changed(&one, setup.card(signs).as_bytes(), |body| {
        put(body, 40, &[enc_pk.as_slice(), announced.as_bytes(), &z.to_be_bytes()].concat());
    })
}

#[test]
fn c_16_plan_ssv() {
    let organizer = Culprit::Organizer;
    refuses(changed(THRESHOLD, &[4]), Check::PlanSsv, organizer);
    for window in [0, 9, 255] {
        refuses(redrafted(|draft| ssv(draft).nonce_window = window), Check::PlanSsv, organizer);
    }
    assert!(redrafted(|draft| ssv(draft).nonce_window = 8).is_ok());
    let five = Setup { ssv: Some((0, 1)), ..Setup::generic(3, 5, 1) };
    refuses(five.try_plan(), Check::PlanSsv, organizer);
}

#[test]
fn c_17_plan_binding() {
    let mut unbound = Setup::ssv(4, 1);
    unbound.bound = false;
    let file = unbound.draft().encode().unwrap();
    refuses(parse(&file), Check::PlanBinding, Culprit::CardOf(id(41)));
    assert!(Plan::parse(&file, unbound.waivers(), &PaperRsa).is_ok());
    // A card that is bound to another operator, in that operator's place.
    refuses(redrafted(|draft| draft.participants[3].id = id(999)), Check::PlanBinding, Culprit::CardOf(id(999)));
    let mainnet = |draft: &mut PlanDraft| (draft.fork_version, draft.chain_id) = (ForkVersion::from_bytes([0; 4]), 1);
    refuses(redrafted(mainnet), Check::PlanBinding, Culprit::CardOf(id(41)));
}

#[test]
fn c_18_plan_amounts() {
    for amounts in [vec![], vec![32, 32], vec![0], vec![2049], vec![32, 1, 32]] {
        let amounts: Vec<_> = amounts.into_iter().map(Gwei::from_ether).collect();
        refuses(redrafted(|draft| draft.amounts = amounts), Check::PlanAmounts, Culprit::Organizer);
    }
    refuses(redrafted(|draft| draft.amounts = vec![Gwei::new(999_999_999)]), Check::PlanAmounts, Culprit::Organizer);
    assert!(redrafted(|draft| draft.amounts = [1, 31, 32, 2048].map(Gwei::from_ether).into()).is_ok());
}

#[test]
fn c_19_plan_credentials() {
    refuses(
        redrafted(|draft| draft.credentials = vec![WithdrawalCredentials::Bls([1; 31])]),
        Check::PlanCredentials,
        Culprit::Organizer,
    );
    let good = bytes();
    let at = good.windows(32).position(|window| window[0] == 1 && window[1..12] == [0; 11] && window[12] == 0x11);
    refuses(changed(at.unwrap(), &[3]), Check::PlanCredentials, Culprit::Organizer);
    refuses(changed(at.unwrap() + 11, &[1]), Check::PlanCredentials, Culprit::Organizer);
}

#[test]
fn c_20_plan_network() {
    // The genesis fork version of mainnet under the chain id of a test network, and the reverse.
    let mut setup = Setup::generic(2, 3, 1);
    setup.m = 1;
    let with = |fork, chain_id| {
        let draft = PlanDraft { fork_version: ForkVersion::from_bytes(fork), chain_id, ..setup.draft() };
        parse(&draft.encode().unwrap())
    };
    for (fork, chain_id) in [([0; 4], 560_048), ([0x10, 0, 9, 0x10], 1), ([1, 2, 3, 4], 1), ([0; 4], 0)] {
        refuses(with(fork, chain_id), Check::PlanNetwork, Culprit::Organizer);
    }
    for (fork, chain_id) in
        [([0; 4], 1), ([0x10, 0, 9, 0x10], 560_048), ([0x90, 0, 0, 0x69], 11_155_111), ([1, 1, 0x70, 0], 17_000)]
    {
        assert!(with(fork, chain_id).is_ok());
    }
}

#[test]
fn c_21_plan_nonce() {
    // 2 validators and a window of 1: the second signs 65535, the last that the nodes know.
    for first in [65_535, 65_536, u64::MAX, u64::MAX - 2] {
        refuses(redrafted(|draft| ssv(draft).first_nonce = first), Check::PlanNonce, Culprit::Organizer);
    }
    assert!(redrafted(|draft| ssv(draft).first_nonce = 65_534).is_ok());
    // The window counts as well.
    let wide = |first| redrafted(|draft| (ssv(draft).first_nonce, ssv(draft).nonce_window) = (first, 8));
    refuses(wide(65_528), Check::PlanNonce, Culprit::Organizer);
    assert!(wide(65_527).is_ok());
}

#[test]
fn c_22_plan_mine() {
    let (setup, plan) = (Setup::ssv(4, 1), Setup::ssv(4, 1).plan());
    let organizer = Culprit::Organizer;
    assert_eq!(plan.accept(&setup.identity(2), Some(&setup.card(2))), Ok(plan.participants()[2].id));
    refuses(plan.accept(&Setup::generic(2, 3, 1).identity(1), None), Check::PlanMine, organizer);
    // My card without the binding that I gave.
    let unbound = Setup { bound: false, ..Setup::ssv(4, 1) };
    refuses(unbound.plan().accept(&setup.identity(2), Some(&setup.card(2))), Check::PlanMine, organizer);
    // Only one of my keys in my place; and in somebody else's, beside mine.
    let setup = Setup::generic(2, 3, 1);
    let outside = Setup { roots: vec![[7; 32], [8; 32], [9; 32]], ..setup.clone() };
    let with = |places: &[(usize, Vec<u8>)]| {
        let mut draft = outside.draft();
        for (position, card) in places {
            draft.participants[*position].card = Card::parse(card, &PaperRsa).unwrap();
        }
        parse(&draft.encode().unwrap()).unwrap().accept(&setup.identity(0), None)
    };
    assert_eq!(with(&[(1, setup.card(0).as_bytes().to_vec())]), Ok(id(2)));
    refuses(with(&[]), Check::PlanMine, organizer);
    for (signs, decrypts) in [(0, 1), (1, 0)] {
        refuses(with(&[(0, mixed_card(&setup, signs, decrypts))]), Check::PlanMine, organizer);
    }
    // My keys apart, in two places, each with another's.
    let apart = [(0, mixed_card(&setup, 0, 1)), (1, mixed_card(&setup, 1, 0))];
    refuses(with(&apart), Check::PlanMine, organizer);
}

#[test]
fn every_byte_of_a_plan_is_under_its_hash() {
    let plan = Setup::ssv(4, 2).plan();
    let good = plan.as_bytes();
    // Only parameters are tried; a changed card is refused by its own signature.
    let cards = FIRST_ENTRY + 19..FIRST_ENTRY + 19 + plan.participants()[0].card.as_bytes().len();
    let mut lawful = 0;
    for position in (0..good.len()).filter(|position| !cards.contains(position)) {
        let mut other = good.to_vec();
        other[position] ^= 1;
        if let Ok(other) = parse(&other) {
            lawful += 1;
            assert_ne!(other.hash(), plan.hash());
        }
    }
    assert!(lawful > 60, "{lawful} changes gave other plans");
    assert_eq!(good[COUNT], 4);
}
