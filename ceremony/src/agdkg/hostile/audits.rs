//! The auditor: one verdict for each check, and no verdict on what was not reached.

use super::id;
use crate::agdkg::bundle;
use crate::agdkg::plan::Waivers;
use crate::agdkg::redact::redact;
use crate::auditor::{Audit, Finding, audit};
use crate::fault::{Check, Fault};
use crate::testing::forge;
use crate::testing::network::{Run, SEED, Setup};
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
