//! Attacks by several participants together, or by whoever carries the files: SPEC section 15.

use super::{id, put, refuses};
use crate::agdkg::certify::{Certifies, Signed, SignedCertify, certificate_hash};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::outputs::assemble;
use crate::agdkg::plan::Plan;
use crate::agdkg::transcript::{Deals, Outputs, lagrange_at_zero};
use crate::fault::{Check, Culprit, Fault};
use crate::group::{Point, PublicScalar, Sum, Width, combine_signatures, normalise};
use crate::identifier::Identifier;
use crate::scalar::Scalar;
use crate::testing::forge::{self, Contribution, copy};
use crate::testing::network::{SEED, Setup};
use crate::testing::paper_rsa::PaperRsa;

/// The coefficients of the polynomial through these points, as many as there are points.
fn interpolate(points: &[(Scalar, Scalar)]) -> Vec<Scalar> {
    let mut sum: Vec<_> = points.iter().map(|_| Scalar::zero()).collect();
    for (i, (x_i, y_i)) in points.iter().enumerate() {
        // y_i · Π (X - x_j) / (x_i - x_j)
        let mut basis = vec![copy(y_i)];
        for (_, (x_j, _)) in points.iter().enumerate().filter(|(j, _)| *j != i) {
            let scale = x_i.sub(x_j).invert().unwrap();
            basis.push(Scalar::zero());
            for k in (0..basis.len()).rev() {
                let lower = if k > 0 { copy(&basis[k - 1]) } else { Scalar::zero() };
                basis[k] = lower.sub(&basis[k].mul(x_j)).mul(&scale);
            }
        }
        for (total, term) in sum.iter_mut().zip(&basis) {
            *total = total.add(term);
        }
    }
    sum
}

/// `g_k·G + h_k·P`: commitments to a polynomial that nobody knows.
fn in_the_exponent(g: &[Scalar], h: &[Scalar], unknown: &Point) -> Vec<Point> {
    let term = |(g, h): (&Scalar, &Scalar)| {
        Sum::generator_times_secret(g).add(&Sum::times(unknown, &PublicScalar::disclose(copy(h))))
    };
    normalise(&g.iter().zip(h).map(term).collect::<Vec<_>>()).unwrap()
}

/// `value·G - Σ C_{i,0,k}` over the deals that are there already.
fn remainder(plan: &Plan, deals: &[SignedDeal], k: usize, value: &Scalar) -> Point {
    let minus_one = PublicScalar::from_u64(0).sub(&PublicScalar::from_u64(1));
    let mut sum = Sum::generator_times_secret(value);
    for deal in deals {
        let commitment = deal.open(plan).unwrap().validators[0].commitments[k];
        sum = sum.add(&Sum::times(&commitment, &minus_one));
    }
    normalise(&[sum]).unwrap()[0]
}

fn collect(deals: &[SignedDeal]) -> Deals {
    let mut all = Deals::default();
    deals.iter().for_each(|deal| all.insert(deal.clone()).unwrap());
    all
}

#[test]
fn a_coalition_below_the_threshold_cannot_choose_the_key() {
    // Two of four at t = 3: every share of the honest is right, and the sum of the constants is 0x77·G.
    let setup = Setup::generic(3, 4, 1);
    let plan = setup.plan();
    let mut deals: Vec<_> = (0..3).map(|position| setup.dealt(&plan, position).1).collect();
    let chosen = Scalar::from_u64(0x77);
    let unknown = remainder(&plan, &deals, 0, &chosen);
    let (x1, x2) = (Scalar::from_u64(1), Scalar::from_u64(2));
    let (s1, s2) = (Scalar::from_u64(1001), Scalar::from_u64(1002));
    let zero = Scalar::zero;
    let g = interpolate(&[(zero(), zero()), (copy(&x1), copy(&s1)), (copy(&x2), copy(&s2))]);
    let h = interpolate(&[(zero(), Scalar::one()), (x1, zero()), (x2, zero())]);
    let commitments = in_the_exponent(&g, &h, &unknown);
    assert_eq!(commitments[0], unknown);
    let shares = vec![s1, s2, Scalar::from_u64(5), Scalar::from_u64(5)];
    let rogue = Contribution { commitments, constant: chosen, shares };
    let file = forge::deal(&setup.identity(3), &plan, id(4), &[rogue]);
    let rogue = SignedDeal::parse(&plan, &file).unwrap();
    // Every check passes but the one: the honest shares match.
    let open = rogue.open(&plan).unwrap();
    assert!(
        open.share_matches(0, id(1), &Scalar::from_u64(1001)) && open.share_matches(0, id(2), &Scalar::from_u64(1002))
    );
    deals.push(rogue);
    let expected = Err(Fault::of(Check::DealConstant, id(4)).at(0));
    assert_eq!(collect(&deals).audit(&plan, &[], &SEED).map(|_| ()), expected);
    for position in 0..2 {
        let me = setup.dealt(&plan, position).0;
        assert_eq!(setup.certify(me, position, &collect(&deals)).map(|_| ()), expected);
    }
}

/// 4 of 7 at t = 5 who satisfy all proofs and all honest shares, and fix the top coefficient of the sum.
fn lowered(residue: u64) -> (Setup, Plan, Deals) {
    let setup = Setup::generic(5, 7, 1);
    let plan = setup.plan();
    let mut deals: Vec<_> = (0..6).map(|position| setup.dealt(&plan, position).1).collect();
    let top = remainder(&plan, &deals, 4, &Scalar::from_u64(residue));
    let constant = Scalar::from_u64(0xabc);
    let honest: Vec<_> = (1..=3u64).map(|x| (Scalar::from_u64(x), Scalar::from_u64(2000 + x))).collect();
    // g: through the constant and the honest shares, of degree 3. h: vanishes there, and is monic of degree 4.
    let mut points = vec![(Scalar::zero(), copy(&constant))];
    points.extend(honest.iter().map(|(x, y)| (copy(x), copy(y))));
    let mut g = interpolate(&points);
    g.push(Scalar::zero());
    let mut h: Vec<_> = points.iter().map(|(x, _)| (copy(x), Scalar::zero())).collect();
    let far = Scalar::from_u64(100);
    let at_far = points.iter().fold(Scalar::one(), |product, (x, _)| product.mul(&far.sub(x)));
    h.push((far, at_far));
    let h = interpolate(&h);
    let commitments = in_the_exponent(&g, &h, &top);
    let mut shares: Vec<_> = honest.into_iter().map(|(_, share)| share).collect();
    shares.extend((0..4).map(|_| Scalar::from_u64(9)));
    let file = forge::deal(&setup.identity(6), &plan, id(7), &[Contribution { commitments, constant, shares }]);
    deals.push(SignedDeal::parse(&plan, &file).unwrap());
    (setup, plan, collect(&deals))
}

#[test]
fn a_degree_lowered_to_zero_is_seen_by_all() {
    let (setup, plan, deals) = lowered(0);
    let expected = Fault::new(Check::OutputCoefficient, Culprit::Coalition).at(0);
    assert_eq!(deals.audit(&plan, &[], &SEED).map(|_| ()), Err(expected));
    for position in 0..3 {
        let me = setup.dealt(&plan, position).0;
        assert_eq!(setup.certify(me, position, &deals).map(|_| ()), Err(expected));
    }
}

#[test]
fn a_degree_lowered_to_a_known_residue_convinces_no_consumer() {
    let (setup, plan, deals) = lowered(1);
    // Every check on deals and outputs passes, and the honest certify.
    let outputs = deals.audit(&plan, &[], &SEED).unwrap();
    let mut files = Certifies::default();
    for position in 0..3 {
        let me = setup.dealt(&plan, position).0;
        files.insert(setup.certify(me, position, &deals).unwrap().1);
    }
    // The coalition does not know its own shares: it signs the certificate, and everything else is made up.
    let sample = files.iter().next().unwrap().as_bytes().to_vec();
    for position in 3..7 {
        let who = plan.participants()[position].id;
        files.insert(made_up(&setup, &plan, &outputs, position, who, &sample));
    }
    let refused = assemble(&plan, &deals, &[], &files, &SEED, &PaperRsa);
    refuses(refused.map(|_| ()), Check::CertifyPossession, Culprit::Participant(id(4)));
}

/// A certify file with a true certificate signature, around the content of another.
fn made_up(
    setup: &Setup,
    plan: &Plan,
    outputs: &Outputs,
    position: usize,
    who: Identifier,
    sample: &[u8],
) -> SignedCertify {
    let identity = setup.identity(position);
    let file = forge::changed(&identity, sample, |body| {
        put(body, 40, &who.get().to_be_bytes());
        let signature = identity.sign(&certificate_hash(plan, &outputs.transcript, &outputs.root, who));
        put(body, 112, &signature);
    });
    SignedCertify::parse(plan, &file).unwrap()
}

#[test]
fn a_late_mover_who_copies_signatures_is_seen() {
    let setup = Setup::generic(3, 4, 1);
    let run = setup.run();
    let outputs = &run.assembled.outputs;
    let opened: Vec<_> = run.certifies.iter().map(|file| file.open(&run.plan, outputs).unwrap()).collect();
    // From three partial signatures the fourth follows: at x = 4, by moving the origin there.
    let ids = [1u64, 2, 3];
    let terms: Vec<_> = ids
        .iter()
        .zip(&opened)
        .map(|(i, file)| {
            let (mut top, mut bottom) = (PublicScalar::from_u64(1), PublicScalar::from_u64(1));
            for j in ids.iter().filter(|j| *j != i) {
                top = top.mul(&PublicScalar::from_u64(4 - *j));
                bottom = bottom.mul(&PublicScalar::from_u64(*i).sub(&PublicScalar::from_u64(*j)));
            }
            (top.mul(&bottom.invert().unwrap()), file.validators[0].partials[0])
        })
        .collect();
    let copied = combine_signatures(&terms, Width::Full).unwrap();
    // It is the very signature, and it verifies.
    assert_eq!(copied, opened[3].validators[0].partials[0]);
    let signed = Signed::new(&run.plan, outputs);
    assert!(copied.verify(&outputs.validators[0].share_keys[3].to_public_key(), &signed.messages[0][0].0));

    let first = run.certifies.iter().next().unwrap().as_bytes().to_vec();
    let file = made_up(&setup, &run.plan, outputs, 3, id(4), &first);
    let identity = setup.identity(3);
    let file = forge::changed(&identity, file.as_bytes(), |body| put(body, 256, copied.as_bytes()));
    let mut files = Certifies::default();
    run.certifies.iter().filter(|file| file.sender() != id(4)).for_each(|file| files.insert(file.clone()));
    files.insert(SignedCertify::parse(&run.plan, &file).unwrap());
    let refused = assemble(&run.plan, &run.deals, &[], &files, &SEED, &PaperRsa);
    refuses(refused.map(|_| ()), Check::CertifyPossession, Culprit::Participant(id(4)));
}

#[test]
fn two_faces_of_a_dealer_make_no_certificate() {
    let setup = Setup::generic(3, 4, 1);
    let plan = setup.plan();
    let (dealt, deals) = setup.all_dealt(&plan);
    // The fourth shows another deal, lawful in every respect, to the first two.
    let rows = [Contribution::of(&plan, &[11, 12, 13].map(Scalar::from_u64))];
    let other = SignedDeal::parse(&plan, &forge::deal(&setup.identity(3), &plan, id(4), &rows)).unwrap();
    let mut theirs = Deals::default();
    deals.iter().filter(|deal| deal.sender() != id(4)).for_each(|deal| theirs.insert(deal.clone()).unwrap());
    theirs.insert(other.clone()).unwrap();
    let mut files = Certifies::default();
    for (position, me) in dealt.into_iter().enumerate() {
        // The dealer itself plays along with one side.
        let view = if position < 2 { &theirs } else { &deals };
        files.insert(setup.certify(me, position, view).unwrap().1);
    }
    for view in [&theirs, &deals] {
        let refused = assemble(&plan, view, &[], &files, &SEED, &PaperRsa);
        refuses(refused.map(|_| ()), Check::CertifyTranscript, Culprit::Undecided);
    }
    // Comparing the deals finds who it was.
    let mut all = deals.clone();
    assert_eq!(all.insert(other).unwrap_err().fault(), Fault::of(Check::DealTwice, id(4)));
}

#[test]
fn a_dealer_that_cheats_only_itself_cannot_certify() {
    let setup = Setup::generic(2, 3, 1);
    let plan = setup.plan();
    let deal = setup.dealt(&plan, 2).1;
    let last = deal.as_bytes().len() - 64 - 1;
    let cheated = forge::changed_deal(&setup.identity(2), &plan, deal.as_bytes(), |body| body[last] ^= 1);
    let cheated = SignedDeal::parse(&plan, &cheated).unwrap();
    let deals = collect(&[setup.dealt(&plan, 0).1, setup.dealt(&plan, 1).1, cheated.clone()]);
    for position in 0..2 {
        assert!(setup.certify(setup.dealt(&plan, position).0, position, &deals).is_ok());
    }
    let open = cheated.open(&plan).unwrap();
    assert!(open.check_exactly(None).is_ok());
    let me = setup.dealt(&plan, 2).0;
    refuses(setup.certify(me, 2, &deals).map(|_| ()), Check::DealTwice, Culprit::Undecided);
}

#[test]
fn the_same_deal_whenever_it_is_made() {
    let setup = Setup::ssv(7, 3);
    let plan = setup.plan();
    let (first, second) = (setup.dealt(&plan, 4).1, setup.dealt(&plan, 4).1);
    assert_eq!(first, second);
    // One bit of the plan changes every commitment.
    let other = Setup { nonce: [0x5b; 32], ..setup };
    let other_plan = other.plan();
    let third = other.dealt(&other_plan, 4).1;
    let commitments = |deal: &SignedDeal, plan: &Plan| {
        deal.open(plan).unwrap().validators.iter().flat_map(|v| v.commitments.clone()).collect::<Vec<_>>()
    };
    let (one, two) = (commitments(&first, &plan), commitments(&third, &other_plan));
    assert!(one.iter().all(|point| !two.contains(point)));
}

#[test]
fn a_hostile_carrier_delays_and_nothing_else() {
    let (setup, other) = (Setup::ssv(4, 1), Setup { nonce: [1; 32], ..Setup::ssv(4, 1) });
    let (run, foreign) = (setup.run(), other.run());
    // Deals and certify files in reverse, twice, with those of another ceremony, and damaged in every byte class.
    let mut deals = Deals::default();
    let genuine: Vec<_> = run.deals.iter().collect();
    for deal in genuine.iter().rev().chain(&genuine) {
        for at in [0, 8, 40, 48, 100, 150, 180, 330, 380, 410, 500, deal.as_bytes().len() - 1] {
            let mut damaged = deal.as_bytes().to_vec();
            damaged[at] ^= 0x40;
            let fault = SignedDeal::parse(&run.plan, &damaged).unwrap_err();
            assert_eq!(fault.culprit, Culprit::Nobody);
        }
        deals.insert(SignedDeal::parse(&run.plan, deal.as_bytes()).unwrap()).unwrap();
    }
    for deal in foreign.deals.iter() {
        refuses(SignedDeal::parse(&run.plan, deal.as_bytes()), Check::DealPlan, Culprit::Nobody);
    }
    assert_eq!(deals, run.deals);
    let mut files = Certifies::default();
    let genuine: Vec<_> = run.certifies.iter().collect();
    for file in genuine.iter().rev().chain(&genuine) {
        for at in [0, 8, 40, 50, 90, 120, 180, 230, 260, 350, 450, file.as_bytes().len() - 1] {
            let mut damaged = file.as_bytes().to_vec();
            damaged[at] ^= 0x40;
            let fault = SignedCertify::parse(&run.plan, &damaged).unwrap_err();
            assert_eq!(fault.culprit, Culprit::Nobody);
        }
        files.insert(SignedCertify::parse(&run.plan, file.as_bytes()).unwrap());
    }
    for file in foreign.certifies.iter() {
        refuses(SignedCertify::parse(&run.plan, file.as_bytes()), Check::CertifyPlan, Culprit::Nobody);
    }
    assert_eq!(files, run.certifies);
    assert_eq!(assemble(&run.plan, &deals, &[], &files, &SEED, &PaperRsa).unwrap(), run.assembled);
}

#[test]
fn who_lost_everything_in_the_middle_goes_on_from_the_words() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    // Deals and certifies again on another machine: the same deal, another certify file for the same transcript.
    let (again, deal) = setup.dealt(&run.plan, 2);
    assert_eq!(Some(&deal), run.deals.of(deal.sender()));
    let key = setup.operator_key(2);
    let mut rng = crate::testing::network::CountingRngInfallible(crate::testing::CountingRng::new(99));
    let (state, file) = again.certify(&run.deals, &[], &PaperRsa, Some(&key), &mut rng).unwrap();
    assert_eq!(file.transcript(), run.certificate.transcript());
    assert!(run.certifies.iter().all(|before| *before != file));
    let mut files = run.certifies.clone();
    files.insert(file);
    assert!(assemble(&run.plan, &run.deals, &[], &files, &SEED, &PaperRsa).is_ok());
    assert!(state.finish(&run.certificate, &files, &SEED, &PaperRsa).is_ok());
}

#[test]
fn any_t_shares_make_the_key_and_the_largest_ids_are_lawful() {
    let mut setup = Setup::generic(2, 3, 1);
    setup.ids = vec![1, 1 << 40, u64::MAX];
    let mut run = setup.run();
    let key = run.assembled.validators[0].public_key;
    let shares: Vec<_> = run
        .certified
        .drain(..)
        .map(|state| state.finish(&run.certificate, &run.certifies, &SEED, &PaperRsa).unwrap().shares.remove(0))
        .collect();
    for left_out in 0..3 {
        let two: Vec<_> = shares.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, share)| share).collect();
        let ids: Vec<_> = two.iter().map(|share| share.identifier).collect();
        let terms = lagrange_at_zero(&ids).unwrap();
        let secret = terms
            .iter()
            .zip(&two)
            .fold(Scalar::zero(), |sum, (l, share)| sum.add(&l.as_scalar().mul(&share.secret.to_scalar())));
        assert_eq!(crate::bls::SecretKey::from_scalar(&secret).unwrap().public_key(), key);
    }
}
