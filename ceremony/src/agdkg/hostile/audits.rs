//! The auditor: one verdict for each check, and no verdict on what was not reached.

use super::id;
use crate::agdkg::bundle;
use crate::agdkg::certify::{Certifies, SignedCertify, certificate_hash};
use crate::agdkg::choice::{Offer, Settled, Told, settle};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::outputs::assemble_outputs;
use crate::agdkg::plan::Waivers;
use crate::agdkg::precommit::Precommit;
use crate::agdkg::redact::redact;
use crate::agdkg::transcript::Deals;
use crate::auditor::{Audit, Finding, audit};
use crate::fault::{Check, Culprit, Fault};
use crate::testing::forge;
use crate::testing::network::{CountingRngInfallible, Run, SEED, Setup};
use crate::testing::paper_rsa::PaperRsa;

const SECOND: u64 = 84;

fn files(run: &Run) -> Vec<Vec<u8>> {
    let mut files = vec![run.plan.as_bytes().to_vec(), run.certificate.as_bytes().to_vec()];
    files.extend(run.deals.iter().map(|deal| redact(&run.plan, deal)));
    files.extend(run.certifies.iter().map(|file| file.as_bytes().to_vec()));
    files
}

fn audited(files: &[Vec<u8>]) -> Audit {
    let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
    audit(&bundle::encode(&files).unwrap(), Waivers::default(), &SEED, &PaperRsa)
}

#[test]
fn an_honest_ceremony_holds_in_every_check_and_order() {
    let run = Setup::ssv(4, 2).run();
    let mut files = files(&run);
    files.reverse();
    let report = audited(&files);
    assert_eq!(report.refusal(), None);
    assert!(report.findings.values().all(|finding| *finding == Finding::Holds));
    assert!(report.findings.len() > 35);
    assert_eq!(report.assembled.as_ref(), Some(&run.assembled));
    assert!(report.strays.is_empty());
    // Files of others and damaged ones are strays: they accuse nobody and change nothing.
    let other = Setup { nonce: [1; 32], ..Setup::ssv(4, 2) };
    files.push(other.dealt(&other.plan(), 0).1.as_bytes().to_vec());
    let mut damaged = files[0].clone();
    *damaged.last_mut().unwrap() ^= 1;
    files.push(damaged);
    let report = audited(&files);
    assert_eq!(report.assembled, Some(run.assembled));
    let strays: Vec<_> = report.strays.iter().map(|fault| fault.check).collect();
    assert_eq!(strays, [Check::DealPlan, Check::CertifySignature]);
}

#[test]
fn what_was_not_reached_is_not_said_to_hold() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    let mut files = files(&run);
    let position = files.iter().position(|file| file.starts_with(b"AGDKG1R2") && file[47] == 84).unwrap();
    files[position] = forge::changed(&setup.identity(1), &files[position], |body| body[112] ^= 1);
    let report = audited(&files);
    let fault = Fault::of(Check::CertifyCertSignature, id(SECOND));
    assert_eq!(report.refusal(), Some(fault));
    assert_eq!(report.findings[&Check::DealConstant], Finding::Holds);
    assert_eq!(report.findings[&Check::CertifyCertSignature], Finding::Refuses(fault));
    for check in [Check::CertifyPossession, Check::CertifyPartial, Check::CertificateSignature] {
        assert_eq!(report.findings[&check], Finding::NotReached);
    }
    assert!(report.assembled.is_none());
}

#[test]
fn a_bundle_without_one_plan_is_no_ceremony() {
    let run = Setup::ssv(4, 1).run();
    let all = files(&run);
    assert_eq!(audited(&all[1..]).refusal(), Some(Fault::nobody(Check::PlanForm)));
    let second = Setup { nonce: [2; 32], ..Setup::ssv(4, 1) }.plan().as_bytes().to_vec();
    assert_eq!(audited(&[&all[..], &[second]].concat()).refusal(), Some(Fault::nobody(Check::PlanForm)));
    let report = audit(b"AGDKG1BN", Waivers::default(), &SEED, &PaperRsa);
    assert_eq!(report.refusal(), Some(Fault::nobody(Check::BundleForm)));
    assert_eq!(report.findings[&Check::CardForm], Finding::NotReached);
}

#[test]
fn a_certificate_that_does_not_hold_is_refused() {
    let run = Setup::ssv(4, 1).run();
    let mut all = files(&run);
    let mut certificate = run.certificate.as_bytes().to_vec();
    *certificate.last_mut().unwrap() ^= 1;
    all[1] = certificate;
    let report = audited(&all);
    assert_eq!(report.refusal(), Some(Fault::nobody(Check::CertificateSignature)));
    assert!(report.assembled.is_none());
    assert_eq!(report.findings[&Check::CertifyPossession], Finding::Holds);
    assert_eq!(report.findings[&Check::CertificateForm], Finding::NotReached);
}

#[test]
fn a_certificate_of_other_deals_is_refused() {
    // All of them signed another transcript as well.
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    for (check, transcript, root) in [
        (Check::CertificateTranscript, [7; 32], run.assembled.outputs.root),
        (Check::CertificateOutputs, run.assembled.outputs.transcript, [7; 32]),
    ] {
        let mut certificate = run.certificate.as_bytes()[..40].to_vec();
        certificate.extend([transcript, root].concat());
        certificate.push(4);
        for (position, one) in run.plan.participants().iter().enumerate() {
            let hash = certificate_hash(&run.plan, &transcript, &root, one.id);
            certificate.extend(one.id.get().to_be_bytes());
            certificate.extend(setup.identity(position).sign(&hash));
        }
        let mut all = files(&run);
        all.push(certificate);
        let report = audited(&all);
        assert_eq!(report.refusal(), Some(Fault::new(check, Culprit::Undecided)));
        assert!(report.assembled.is_none());
    }
}

/// The files of a ceremony, and a second deal of somebody, so that it comes before the first in the order of bytes, or after.
fn with_a_second_deal(setup: &Setup, run: &Run, before: bool) -> Vec<Vec<u8>> {
    let deal = run.deals.of(id(SECOND)).unwrap().as_bytes();
    let second = (1..=u8::MAX)
        .map(|flip| forge::changed_deal(&setup.identity(1), &run.plan, deal, |body| *body.last_mut().unwrap() ^= flip));
    let mut all = files(run);
    // In full; the redacted forms differ in the hash of the ciphertexts.
    all.retain(|file| !(file.starts_with(b"AGDKG1RR") && file[47] == 84));
    all.push(deal.to_vec());
    all.extend(second.into_iter().find(|second| (second.as_slice() < deal) == before));
    all
}

#[test]
fn two_faces_end_a_ceremony_that_not_everybody_certified() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    for before in [true, false] {
        let mut all = with_a_second_deal(&setup, &run, before);
        let of_fourth = |file: &Vec<u8>| file.starts_with(b"AGDKG1R2") && file[47] == 176;
        let certify = all.iter().position(of_fourth).map(|position| all.remove(position)).unwrap();
        let report = audited(&all);
        let fault = Fault::of(Check::DealTwice, id(SECOND));
        assert_eq!(report.refusal(), Some(fault));
        assert!(report.evidence.is_empty() && report.assembled.is_none());
        assert_eq!(report.findings[&Check::PlanNonce], Finding::Holds);
        assert_eq!(report.findings[&Check::DealMissing], Finding::NotReached);
        // Everybody's name stands below a certify file, and one of them proves nothing, or is for other deals.
        for at in [8 + 32 + 8 + 32 + 32 + 64 + 48 + 31, 8 + 32 + 8] {
            let mut broken = all.clone();
            broken.push(forge::changed(&setup.identity(3), &certify, |body| body[at] ^= 1));
            assert_eq!(audited(&broken).refusal(), Some(fault), "{at}");
        }
    }
}

#[test]
fn a_second_deal_undoes_no_complete_certificate() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    for before in [true, false] {
        let report = audited(&with_a_second_deal(&setup, &run, before));
        assert_eq!((report.refusal(), report.strays.len()), (None, 0));
        assert_eq!(report.evidence, [Fault::of(Check::DealTwice, id(SECOND))]);
        assert_eq!(report.assembled.as_ref(), Some(&run.assembled));
    }
}

/// Another deal of the participant at a position, as many as are asked for.
fn other_deals(setup: &Setup, run: &Run, position: usize, count: u8) -> Vec<SignedDeal> {
    let deal = run.deals.of(run.plan.participants()[position].id).unwrap();
    let other = |flip| {
        let change = |body: &mut Vec<u8>| *body.last_mut().unwrap() ^= flip;
        let changed = forge::changed_deal(&setup.identity(position), &run.plan, deal.as_bytes(), change);
        SignedDeal::parse(&run.plan, &changed).unwrap()
    };
    (1..=count).map(other).collect()
}

fn settled(run: &Run, deals: &[&SignedDeal], certifies: &[&SignedCertify], told: &[Told]) -> Option<Settled> {
    let offer = Offer { deals, precommits: &[], certifies, told };
    settle(&run.plan, &offer, &SEED, &PaperRsa)
}

#[test]
fn any_number_of_false_deals_hides_the_ones_that_all_certified_from_nobody() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    let others = [other_deals(&setup, &run, 1, 9), other_deals(&setup, &run, 2, 9)].concat();
    let certifies: Vec<_> = run.certifies.iter().collect();
    let false_first: Vec<_> = others.iter().chain(run.deals.iter()).collect();
    let false_last: Vec<_> = run.deals.iter().chain(&others).collect();
    for deals in [&false_first, &false_last] {
        assert_eq!(settled(&run, deals, &certifies, &[]).map(|settled| settled.deals).as_ref(), Some(&run.deals));
        // Not while somebody has not certified.
        assert_eq!(settled(&run, deals, &certifies[1..], &[]), None);
    }
    let mut all = files(&run);
    all.extend(others.iter().map(|deal| deal.as_bytes().to_vec()));
    let report = audited(&all);
    assert_eq!(report.refusal(), None);
    let second = |position: usize| Fault::of(Check::DealTwice, run.plan.participants()[position].id);
    assert_eq!(report.evidence, [second(1), second(2)]);
    assert_eq!(report.assembled, Some(run.assembled));
}

/// A change of a body, each time another one.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>, u8);

#[test]
fn any_number_of_false_certify_files_hides_one_that_completes_the_certificate_from_nobody() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    let certifies: Vec<_> = run.certifies.iter().collect();
    let deals: Vec<_> = run.deals.iter().collect();
    let false_deal = other_deals(&setup, &run, 1, 1).remove(0);
    let mut two = Deals::default();
    let with_false = run.deals.iter().filter(|deal| deal.sender() != id(SECOND)).chain([&false_deal]);
    with_false.for_each(|deal| two.insert(deal.clone()).unwrap());
    let other_transcript = two.transcript(&run.plan);
    // For deals that nobody has, for those with another face of the author, and for these deals: with a certificate signature,
    // a proof of possession, or a partial signature that is wrong.
    let changes: [Change<'_>; 5] = [
        &|body, i| body[48] ^= i,
        &|body, i| {
            body[48..80].copy_from_slice(&other_transcript);
            body[112] ^= i;
        },
        &|body, i| body[112] ^= i,
        &|body, i| body[8 + 32 + 8 + 32 + 32 + 64 + 48 + 31] ^= i,
        &|body, i| {
            // Another point of the group: what was signed for the owner's nonce stands behind the deposit's.
            let (deposit, rest) = body[256..].split_at_mut(96);
            deposit.copy_from_slice(&rest[..96]);
            *body.last_mut().unwrap() ^= i;
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        let by = |position: usize| -> Vec<SignedCertify> {
            let own = certifies[position].as_bytes();
            let changed = (1..=20).map(|i| forge::changed(&setup.identity(position), own, |body| change(body, i)));
            changed.map(|file| SignedCertify::parse(&run.plan, &file).unwrap()).collect()
        };
        let (ones, twos) = (by(1), by(2));
        let first: Vec<_> = ones.iter().chain(&twos).chain(certifies.iter().copied()).collect();
        let last: Vec<_> = certifies.iter().copied().chain(&ones).chain(&twos).collect();
        for offered in [&first, &last] {
            let found = settled(&run, &[&deals[..], &[&false_deal]].concat(), offered, &[]).unwrap();
            assert_eq!((found.deals, found.certifies), (run.deals.clone(), run.certifies.clone()), "{number}");
        }
        // A false file alone completes nothing.
        let only: Vec<_> = ones.iter().chain([certifies[0], certifies[2], certifies[3]]).collect();
        assert_eq!(settled(&run, &deals, &only, &[]), None, "{number}");
        let mut all = files(&run);
        all.extend(ones.iter().chain(&twos).map(|file| file.as_bytes().to_vec()));
        let report = audited(&all);
        assert_eq!((report.refusal(), report.assembled.as_ref()), (None, Some(&run.assembled)), "{number}");
    }
}

/// Of one author's files that hold, everybody who has all of them takes the same, whatever else there is and in what order.
#[test]
fn of_two_right_certify_files_the_smallest_counts() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    let (dealt, deals) = setup.all_dealt(&run.plan);
    assert_eq!(deals, run.deals);
    let me = dealt.into_iter().nth(1).unwrap();
    let mut rng = CountingRngInfallible(crate::testing::CountingRng::new(99));
    let (_, again) = me.certify(&deals, &[], &PaperRsa, None, &mut rng).unwrap();
    let own = run.certifies.iter().nth(1).unwrap();
    assert_ne!(again, *own);
    let smallest = if again.as_bytes() < own.as_bytes() { &again } else { own };
    let wrong = |flip: u8| {
        let file = forge::changed(&setup.identity(1), own.as_bytes(), |body| {
            let (deposit, rest) = body[256..].split_at_mut(96);
            deposit.copy_from_slice(&rest[..96]);
            *body.last_mut().unwrap() ^= flip;
        });
        SignedCertify::parse(&run.plan, &file).unwrap()
    };
    // False files on both sides of the right ones.
    let files = [own.clone(), again.clone(), wrong(1), wrong(2)];
    let mut expected = Certifies::default();
    let others = || run.certifies.iter().filter(|file| file.sender() != id(SECOND)).cloned();
    others().chain([smallest.clone()]).for_each(|file| expected.insert(file));
    let outputs = run.deals.audit(&run.plan, &[], &SEED).unwrap();
    let made =
        |certifies: &Certifies| assemble_outputs(&run.plan, outputs.clone(), certifies, &SEED, &PaperRsa).unwrap();
    let deals: Vec<_> = run.deals.iter().collect();
    for start in 0..4 {
        let order: Vec<_> = (0..4).map(|i| files[(start + i) % 4].clone()).collect();
        for order in [order.clone(), order.into_iter().rev().collect()] {
            let mut certifies = Certifies::default();
            order.iter().cloned().chain(others()).for_each(|file| certifies.insert(file));
            assert_eq!(made(&certifies), made(&expected));
            let offered: Vec<_> = certifies.iter().collect();
            assert_eq!(settled(&run, &deals, &offered, &[]).unwrap().certifies, expected);
        }
    }
}

#[test]
fn what_is_told_of_deals_spares_trying_all_choices() {
    let setup = Setup::generic(13, 24, 1);
    let run = setup.run();
    let others: Vec<_> = (0..24).flat_map(|position| other_deals(&setup, &run, position, 1)).collect();
    let certifies: Vec<_> = run.certifies.iter().collect();
    let told = |deals: &mut dyn Iterator<Item = &SignedDeal>| -> Told {
        deals.map(|deal| (deal.sender(), [*deal.hash()].into())).collect()
    };
    let all_told = told(&mut run.deals.iter());
    // 14 with two deals each, of which the true one comes last: 16,384 choices.
    let some: Vec<_> = others.iter().take(14).chain(run.deals.iter()).collect();
    assert_eq!(settled(&run, &some, &certifies, &[]).map(|settled| settled.deals).as_ref(), Some(&run.deals));
    // 24 of them are more than are tried.
    let every: Vec<_> = others.iter().chain(run.deals.iter()).collect();
    assert_eq!(settled(&run, &every, &certifies, &[]), None);
    // Whatever else was told: sets of false deals, and of deals that are not here.
    let lies = [told(&mut others.iter()), [(run.plan.participants()[0].id, [[7; 32]].into())].into()];
    for told in [vec![all_told.clone()], [&lies[..], std::slice::from_ref(&all_told)].concat()] {
        let found = settled(&run, &every, &certifies, &told);
        assert_eq!(found.map(|settled| settled.deals).as_ref(), Some(&run.deals));
    }
    assert_eq!(settled(&run, &every, &certifies, &lies), None);
    // Any number of sets that are made of false deals and true ones.
    let mixed = |bits: usize| -> Told {
        let one = |(k, deal): (usize, &SignedDeal)| {
            (deal.sender(), [*if bits >> k & 1 == 1 { others[k].hash() } else { deal.hash() }].into())
        };
        run.deals.iter().enumerate().map(one).collect()
    };
    let many: Vec<_> = (1..=2000).map(mixed).chain([all_told.clone()]).collect();
    assert_eq!(settled(&run, &every, &certifies, &many).map(|settled| settled.deals).as_ref(), Some(&run.deals));
    // What is told of most is enough: the rest is tried.
    let most: Told = all_told.into_iter().take(16).collect();
    assert_eq!(settled(&run, &every, &certifies, &[most]).map(|settled| settled.deals).as_ref(), Some(&run.deals));
}

#[test]
fn commitments_are_audited() {
    let setup = Setup { precommit: true, ..Setup::ssv(4, 1) };
    let plan = setup.plan();
    let (dealt, deals) = setup.all_dealt(&plan);
    let made = |position| {
        Precommit::make(&setup.identity(position), &plan, deals.of(plan.participants()[position].id).unwrap())
    };
    let precommits: Vec<_> = (0..4).map(made).collect();
    let mut all = vec![plan.as_bytes().to_vec()];
    all.extend(deals.iter().map(|deal| deal.as_bytes().to_vec()));
    for (position, me) in dealt.into_iter().enumerate() {
        let mut rng = CountingRngInfallible(crate::testing::CountingRng::new(1));
        // Nobody certifies without everybody's.
        let (missing, state) = match me.certify(&deals, &precommits[1..], &PaperRsa, None, &mut rng) {
            Err(refused) => (refused.fault, refused.state),
            Ok(_) => panic!("certified without a commitment"),
        };
        assert_eq!(missing, Fault::of(Check::PrecommitMissing, plan.participants()[0].id), "{position}");
        let (_, file) = state.certify(&deals, &precommits, &PaperRsa, None, &mut rng).unwrap();
        all.push(file.as_bytes().to_vec());
    }
    assert_eq!(audited(&all).refusal(), Some(Fault::of(Check::PrecommitMissing, plan.participants()[0].id)));
    all.extend(precommits.iter().map(|one| one.as_bytes().to_vec()));
    let report = audited(&all);
    assert_eq!((report.refusal(), report.strays.len()), (None, 0));
    // A damaged one is a stray; one to another deal is its author's fault.
    let mut damaged = precommits[1].as_bytes().to_vec();
    damaged[100] ^= 1;
    all.push(damaged);
    let report = audited(&all);
    assert_eq!((report.refusal(), report.strays), (None, vec![Fault::nobody(Check::PrecommitSignature)]));
    // Beside the right one it is evidence, once everybody has certified; alone, or before, it ends the ceremony.
    let twisted = Fault::of(Check::PrecommitMatch, id(SECOND));
    all.push(forge::changed(&setup.identity(1), precommits[1].as_bytes(), |body| body[48] ^= 1));
    let report = audited(&all);
    assert_eq!((report.refusal(), report.evidence), (None, vec![twisted]));
    let without = |left_out: &[u8]| all.iter().filter(|file| *file != left_out).cloned().collect::<Vec<_>>();
    assert_eq!(audited(&without(precommits[1].as_bytes())).refusal(), Some(twisted));
    let certify = all.iter().find(|file| file.starts_with(b"AGDKG1R2")).unwrap();
    assert_eq!(audited(&without(certify)).refusal(), Some(twisted));
}
