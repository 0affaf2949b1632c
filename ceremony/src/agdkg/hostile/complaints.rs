//! Checks C-75 to C-81: complaints and their verdicts; and C-88, C-89, C-94: recovery.

use super::{id, put, refuses};
use crate::agdkg::certify::Certifies;
use crate::agdkg::complaint::{COMPLAINT_BYTES, Complaint, challenge};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::identity::{Identity, Root, RootError, commitment};
use crate::agdkg::judge::{Verdict, judge};
use crate::agdkg::plan::Plan;
use crate::agdkg::redact::redact;
use crate::agdkg::sigma;
use crate::agdkg::transcript::Deals;
use crate::fault::{Check, Culprit, Fault};
use crate::group::Point;
use crate::participant::{Certified, recover};
use crate::scalar::Scalar;
use crate::testing::forge;
use crate::testing::network::{SEED, Setup};
use crate::testing::paper_rsa::PaperRsa;

/// The dealer and the one whom it cheats.
const DEALER: u64 = 84;
const VICTIM: u64 = 41;
/// The last byte of the victim's share of the second validator.
const CHEATED: usize = 176 + 448 + 32 * 4 + 31;
const V: u16 = 1;

struct Case {
    setup: Setup,
    plan: Plan,
    deal: SignedDeal,
}

impl Case {
    /// A deal with a wrong share in it.
    fn cheated() -> Self {
        Self::with(|body| body[CHEATED] ^= 1)
    }

    fn honest() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let setup = Setup::ssv(4, 2);
        let plan = setup.plan();
        let deal = setup.dealt(&plan, 1).1;
        let file = forge::changed_deal(&setup.identity(1), &plan, deal.as_bytes(), change);
        let deal = SignedDeal::parse(&plan, &file).unwrap();
        Self { setup, plan, deal }
    }

    fn complaint(&self) -> Complaint {
        Complaint::write(&self.setup.identity(0), &self.plan, id(VICTIM), &self.deal, V, &|_| ()).unwrap()
    }

    /// The complaint after its author changed it.
    fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        forge::changed(&self.setup.identity(0), self.complaint().as_bytes(), change)
    }

    fn judge(&self, complaint: &[u8]) -> Verdict {
        judge(&self.plan, self.deal.as_bytes(), complaint)
    }
}

fn invalid(check: Check) -> Verdict {
    Verdict::Invalid(Fault::nobody(check))
}

#[test]
fn a_cheated_holder_complains_and_everybody_finds_the_dealer_guilty() {
    let case = Case::cheated();
    let mut deals = Deals::default();
    deals.insert(case.deal.clone()).unwrap();
    let (me, mine) = case.setup.dealt(&case.plan, 0);
    deals.insert(mine).unwrap();
    for position in [2, 3] {
        deals.insert(case.setup.dealt(&case.plan, position).1).unwrap();
    }
    let key = case.setup.operator_key(0);
    let mut rng = crate::testing::network::CountingRngInfallible(crate::testing::CountingRng::new(1));
    let refused = me.certify(&deals, &[], &PaperRsa, Some(&key), &mut rng).map(|_| ()).unwrap_err();
    assert_eq!(refused.fault, Fault::of(Check::DealShare, id(DEALER)).at(V));
    let complaint = refused.state.complain(&case.deal, V).unwrap().complaint;
    assert_eq!(complaint.as_bytes().len(), COMPLAINT_BYTES);
    let guilty = Verdict::DealerGuilty(Fault::of(Check::DealShare, id(DEALER)).at(V));
    assert_eq!(case.judge(complaint.as_bytes()), guilty);
    assert_eq!((complaint.complainer(), complaint.accused(), complaint.validator()), (id(VICTIM), id(DEALER), V));
}

#[test]
fn c_75_complaint_form() {
    let case = Case::cheated();
    let good = case.complaint().as_bytes().to_vec();
    for length in 0..good.len() {
        assert_eq!(case.judge(&good[..length]), invalid(Check::ComplaintForm));
    }
    assert_eq!(case.judge(&[&good[..], &[0]].concat()), invalid(Check::ComplaintForm));
    assert_eq!(case.judge(&case.changed(|body| body[0] = b'X')), invalid(Check::ComplaintForm));
}

#[test]
fn c_76_complaint_plan() {
    let case = Case::cheated();
    assert_eq!(case.judge(&case.changed(|body| body[8] ^= 1)), invalid(Check::ComplaintPlan));
}

#[test]
fn c_77_complaint_parties() {
    let case = Case::cheated();
    let outside = 999u64.to_be_bytes();
    assert_eq!(case.judge(&case.changed(|body| put(body, 40, &outside))), invalid(Check::ComplaintParties));
    assert_eq!(case.judge(&case.changed(|body| put(body, 48, &outside))), invalid(Check::ComplaintParties));
    for beyond in [2u16, u16::MAX] {
        let complaint = case.changed(|body| put(body, 88, &beyond.to_be_bytes()));
        assert_eq!(case.judge(&complaint), invalid(Check::ComplaintParties));
    }
}

#[test]
fn c_78_complaint_signature() {
    let case = Case::cheated();
    let good = case.complaint().as_bytes().to_vec();
    for position in 90..good.len() {
        let mut flipped = good.clone();
        flipped[position] ^= 1;
        assert_eq!(case.judge(&flipped), invalid(Check::ComplaintSignature));
    }
    // Somebody else complains in the victim's name.
    let framed = forge::changed(&case.setup.identity(2), &good, |_| ());
    assert_eq!(case.judge(&framed), invalid(Check::ComplaintSignature));
}

#[test]
fn c_79_complaint_deal() {
    let case = Case::cheated();
    assert_eq!(case.judge(&case.changed(|body| body[56] ^= 1)), invalid(Check::ComplaintDeal));
    let other = case.changed(|body| put(body, 48, &129u64.to_be_bytes()));
    assert_eq!(case.judge(&other), invalid(Check::ComplaintDeal));
    // A redacted deal has the same hash and cannot be judged.
    let redacted = redact(&case.plan, &case.deal);
    let verdict = judge(&case.plan, &redacted, case.complaint().as_bytes());
    assert_eq!(verdict, invalid(Check::ComplaintDeal));
    // A damaged deal is nobody's.
    let mut damaged = case.deal.as_bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&case.plan, &damaged, case.complaint().as_bytes()), invalid(Check::DealSignature));
}

#[test]
fn c_80_complaint_proof() {
    let guilty = Verdict::ComplainerGuilty(Fault::of(Check::ComplaintProof, id(VICTIM)).at(V));
    for case in [Case::cheated(), Case::honest()] {
        let complaint = case.complaint();
        let good: [u8; 48] = complaint.as_bytes()[90..138].try_into().unwrap();
        // S, A, B: no points, and other points; z: no number, and another number.
        let other = *case.setup.identity(3).enc_pk().as_bytes();
        for at in [90, 138, 186] {
            for bad in forge::bad_points(&good).into_iter().chain([other]) {
                assert_eq!(case.judge(&case.changed(|body| put(body, at, &bad))), guilty);
            }
        }
        assert_eq!(case.judge(&case.changed(|body| put(body, 234, &forge::ORDER))), guilty);
        assert_eq!(case.judge(&case.changed(|body| body[265] ^= 1)), guilty);
        // The proof for one validator says nothing about another.
        let moved = case.judge(&case.changed(|body| put(body, 88, &[0, 0])));
        assert_eq!(moved, Verdict::ComplainerGuilty(Fault::of(Check::ComplaintProof, id(VICTIM)).at(0)));
    }
}

/// A complaint with a shared value and a witness of its author's choice, its challenge as it should be.
fn forged(case: &Case, witness: &Scalar, shared: &Point) -> Vec<u8> {
    let ephemeral = case.deal.open(&case.plan).unwrap().ephemeral;
    let nonce = Scalar::from_u64(0xabcd);
    let announced = (commitment(&nonce).unwrap(), ephemeral.times_secret(&nonce).unwrap());
    let keys = (case.plan.participants()[0].card.enc_pk(), &ephemeral);
    let parties = (id(VICTIM), id(DEALER));
    let c = challenge(&case.plan, parties, case.deal.hash(), V, keys, shared, &announced);
    let z = sigma::respond(&nonce, &c, witness).to_be_bytes();
    case.changed(|body| {
        put(body, 90, &[*shared.as_bytes(), *announced.0.as_bytes(), *announced.1.as_bytes()].concat());
        put(body, 234, &z);
    })
}

#[test]
fn a_shared_value_of_the_complainers_own_making_convicts_nobody_else() {
    let guilty = Verdict::ComplainerGuilty(Fault::of(Check::ComplaintProof, id(VICTIM)).at(V));
    let seven = Scalar::from_u64(7);
    for case in [Case::honest(), Case::cheated()] {
        let own = case.setup.identity(0);
        let ephemeral = case.deal.open(&case.plan).unwrap().ephemeral;
        let made_up = ephemeral.times_secret(&seven).unwrap();
        // Another exponent throughout: equal logarithms, but not that of the complainer's key.
        assert_eq!(case.judge(&forged(&case, &seven, &made_up)), guilty);
        // The complainer's key, and another logarithm of the shared value.
        assert_eq!(case.judge(&forged(&case, own.decryption_key(), &made_up)), guilty);
        // With the true value the script makes a lawful proof: it is the choice of values that is refused.
        let honest = forged(&case, own.decryption_key(), &own.shared_with(&ephemeral).unwrap());
        assert_ne!(case.judge(&honest), guilty);
    }
}

#[test]
fn c_81_complaint_share() {
    let lied = Verdict::ComplainerGuilty(Fault::of(Check::ComplaintShare, id(VICTIM)).at(V));
    let honest = Case::honest();
    assert_eq!(honest.judge(honest.complaint().as_bytes()), lied);
    // Who is honest does not write it.
    let refused = Complaint::make(&honest.setup.identity(0), &honest.plan, id(VICTIM), &honest.deal, V);
    refuses(refused, Check::ComplaintShare, Culprit::Nobody);
    // The dealer cheated another one.
    let other = Case::with(|body| body[CHEATED + 32] ^= 1);
    assert_eq!(other.judge(other.complaint().as_bytes()), lied);
}

#[test]
fn a_deal_that_is_wrong_on_its_face_needs_no_complaint() {
    let case = Case::cheated();
    let complaint = case.complaint();
    let broken = Case::with(|body| put(body, 48, &forge::infinity()));
    let about_it =
        forge::changed(&case.setup.identity(0), complaint.as_bytes(), |body| put(body, 56, broken.deal.hash()));
    let guilty = Verdict::AccusedGuilty(Fault::of(Check::DealDecode, id(DEALER)));
    assert_eq!(broken.judge(&about_it), guilty);
    assert_eq!(guilty.fault().code(), crate::fault::Code::E12);
    refuses(
        Complaint::make(&case.setup.identity(0), &case.plan, id(VICTIM), &broken.deal, V),
        Check::DealDecode,
        Culprit::Participant(id(DEALER)),
    );
}

#[test]
fn nobody_is_made_to_open_an_old_ceremony() {
    // The ephemeral key of an honest deal of an old ceremony: a complaint about it would publish its shared value.
    let setup = Setup::ssv(4, 2);
    let old = Setup { nonce: [9; 32], ..setup.clone() };
    let old_deal = old.dealt(&old.plan(), 1).1;
    let case = Case::with(|body| {
        put(body, 48, &old_deal.as_bytes()[48..176]);
        body[CHEATED] ^= 1;
    });
    let refused = Complaint::make(&setup.identity(0), &case.plan, id(VICTIM), &case.deal, V);
    refuses(refused, Check::DealEphemeral, Culprit::Participant(id(DEALER)));
}

#[test]
fn c_88_words_form() {
    let words = Root::random(&mut crate::testing::CountingRng::new(3)).unwrap().to_words();
    let others = words.replacen(words.split(' ').next().unwrap(), "zoo", 1);
    for wrong in ["", "abandon", others.as_str(), &words[1..]] {
        assert_eq!(Root::from_words(wrong).err(), Some(RootError::Words));
    }
    let fault: Fault = RootError::Words.into();
    assert_eq!(fault.check, Check::WordsForm);
    assert!(Root::from_words(&words).is_ok());
}

#[test]
fn c_89_words_card() {
    let run = Setup::ssv(4, 1).run();
    let stranger = Identity::derive(&Root::from_dice(&"123456".repeat(20)).unwrap()).unwrap();
    let refused = recover(stranger, &run.plan, &run.deals, &run.certifies, &run.certificate, &SEED, &PaperRsa);
    refuses(refused.map(|_| ()), Check::WordsCard, Culprit::Nobody);
}

#[test]
fn c_94_recovery_share() {
    let setup = Setup::ssv(4, 2);
    let mut run = setup.run();
    let (planned, outputs, shares) = run.certified.remove(0).into_parts();
    assert_eq!(planned.check_shares(&outputs, &shares), Ok(()));
    // A share that the memory of this machine lost.
    let wrong: Vec<_> = shares.iter().map(|share| share.add(&Scalar::one())).collect();
    refuses(planned.check_shares(&outputs, &wrong), Check::RecoveryShare, Culprit::Undecided);
    // Two that cancel each other out in a sum without weights; and nobody is given them.
    let wrong = vec![shares[0].add(&Scalar::one()), shares[1].sub(&Scalar::one())];
    refuses(planned.check_shares(&outputs, &wrong), Check::RecoveryShare, Culprit::Undecided);
    let state = Certified::from_parts(planned, outputs, wrong);
    let refused = state.finish(&run.certificate, &run.certifies, &SEED, &PaperRsa).map(|_| ());
    refuses(refused.map_err(|refused| refused.fault), Check::RecoveryShare, Culprit::Undecided);
}

#[test]
fn dice_are_counted_and_are_dice() {
    assert_eq!(Root::from_dice(&"1".repeat(99)).err(), Some(RootError::TooFewRolls { found: 99 }));
    assert!(Root::from_dice(&"6".repeat(100)).is_ok());
    assert_eq!(Root::from_dice(&"0".repeat(100)).err(), Some(RootError::NoDie));
    assert_eq!(Root::from_dice(&"7".repeat(100)).err(), Some(RootError::NoDie));
    assert_eq!(Root::from_dice("").err(), Some(RootError::TooFewRolls { found: 0 }));
}

#[test]
fn shares_come_back_from_the_words_alone() {
    let setup = Setup::ssv(4, 2);
    let mut run = setup.run();
    for position in (0..4).rev() {
        let words = Root::from_bytes(zeroize::Zeroizing::new(setup.roots[position])).to_words();
        let identity = Identity::derive(&Root::from_words(&words).unwrap()).unwrap();
        let found =
            recover(identity, &run.plan, &run.deals, &run.certifies, &run.certificate, &SEED, &PaperRsa).unwrap();
        let state = run.certified.remove(position);
        let finished = state.finish(&run.certificate, &run.certifies, &SEED, &PaperRsa).unwrap();
        for (one, two) in found.shares.iter().zip(&finished.shares) {
            assert_eq!(one.secret.to_be_bytes(), two.secret.to_be_bytes());
        }
    }
    // Redacted deals have lost the ciphertexts; incomplete files are no ceremony.
    let mut redacted = Deals::default();
    for deal in run.deals.iter() {
        redacted.insert(SignedDeal::parse(&run.plan, &redact(&run.plan, deal)).unwrap()).unwrap();
    }
    let with = |deals: &Deals, certifies: &Certifies| {
        recover(setup.identity(0), &run.plan, deals, certifies, &run.certificate, &SEED, &PaperRsa).map(|_| ())
    };
    refuses(with(&redacted, &run.certifies), Check::DealMissing, Culprit::Participant(id(VICTIM)));
    refuses(with(&Deals::default(), &run.certifies), Check::DealMissing, Culprit::Participant(id(VICTIM)));
    refuses(with(&run.deals, &Certifies::default()), Check::CertifyMissing, Culprit::Participant(id(VICTIM)));
}
