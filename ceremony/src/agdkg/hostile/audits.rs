//! The auditor: one verdict for each check, and no verdict on what was not reached.

use super::id;
use crate::agdkg::bundle;
use crate::agdkg::certify::certificate_hash;
use crate::agdkg::plan::Waivers;
use crate::agdkg::precommit::Precommit;
use crate::agdkg::redact::redact;
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

#[test]
fn two_faces_in_one_bundle_are_seen() {
    let setup = Setup::ssv(4, 1);
    let run = setup.run();
    let mut all = files(&run);
    let deal = run.deals.of(id(SECOND)).unwrap();
    all.push(forge::changed_deal(&setup.identity(1), &run.plan, deal.as_bytes(), |body| {
        *body.last_mut().unwrap() ^= 1
    }));
    let report = audited(&all);
    let fault = Fault::of(Check::DealTwice, id(SECOND));
    assert_eq!(report.refusal(), Some(fault));
    assert_eq!(report.findings[&Check::PlanNonce], Finding::Holds);
    assert_eq!(report.findings[&Check::DealMissing], Finding::NotReached);
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
    all.push(forge::changed(&setup.identity(1), precommits[1].as_bytes(), |body| body[48] ^= 1));
    assert_eq!(audited(&all).refusal(), Some(Fault::of(Check::PrecommitMatch, id(SECOND))));
}
