//! ROLE: the auditor, who replays a ceremony from its public files: one verdict for each numbered check.

use std::collections::{BTreeMap, BTreeSet};

use crate::agdkg::bundle::Bundle;
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, SignedCertify};
use crate::agdkg::choice::{Offer, Told, settle};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::outputs::{Assembled, assemble_outputs};
use crate::agdkg::plan::{Plan, Waivers};
use crate::agdkg::precommit::Precommit;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::transcript::Deals;
use crate::fault::{Check, Fault};

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It was made on all it concerns, and nothing refused.
    Holds,
    /// It refused.
    Refuses(Fault),
    /// An earlier check refused, or there was nothing to make it on.
    NotReached,
}

/// The report on a bundle.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Every check that an auditor can make, by number.
    pub findings: BTreeMap<Check, Finding>,
    /// Files that belong to no participant of the plan: damaged, forged, of other ceremonies. They accuse nobody.
    pub strays: Vec<Fault>,
    /// What files prove against somebody, too late to undo a complete certificate: a second deal (C-34), a second
    /// pre-commit (C-29).
    pub evidence: Vec<Fault>,
    /// The plan, when it is a lawful one.
    pub plan: Option<Plan>,
    /// The results, when everything holds.
    pub assembled: Option<Assembled>,
}

/// The stages of an audit. Within a stage, of all that refuse, the check with the lowest number is told.
const STAGES: [&[Check]; 8] = [
    &[Check::BundleForm],
    &[
        Check::CardForm,
        Check::CardKeys,
        Check::CardSignature,
        Check::CardProof,
        Check::BindingKey,
        Check::BindingSignature,
        Check::PlanForm,
        Check::PlanKind,
        Check::PlanFlags,
        Check::PlanLimits,
        Check::PlanEntries,
        Check::PlanDuplicateKeys,
        Check::PlanSsv,
        Check::PlanBinding,
        Check::PlanAmounts,
        Check::PlanCredentials,
        Check::PlanNetwork,
        Check::PlanNonce,
    ],
    &[Check::DealTwice],
    &[Check::DealMissing, Check::PrecommitMissing, Check::PrecommitMatch],
    &[Check::DealDecode, Check::DealEphemeral, Check::DealConstant],
    &[Check::OutputCoefficient, Check::OutputShareKey, Check::OutputDistinct, Check::OutputSelfTest],
    &[
        Check::CertifyMissing,
        Check::CertifyTranscript,
        Check::CertifyOutputs,
        Check::CertifyCertSignature,
        Check::CertifyDecode,
        Check::CertifyPossession,
        Check::CertifyPartial,
        Check::CertifyProof,
        Check::CombinedSignature,
    ],
    &[
        Check::CertificateForm,
        Check::CertificatePlan,
        Check::CertificateTranscript,
        Check::CertificateOutputs,
        Check::CertificateHolders,
        Check::CertificateSignature,
    ],
];

/// Audits a bundle with public data alone.
///
/// `seed`: 32 fresh random bytes, which no participant could predict.
#[must_use]
pub fn audit(bundle: &[u8], waivers: Waivers, seed: &[u8; 32], rsa: &dyn OperatorKeys) -> Audit {
    audit_told(bundle, &[], waivers, seed, rsa)
}

/// The same with what was told of deals that belong together, where somebody signed several.
#[must_use]
pub fn audit_told(bundle: &[u8], told: &[Told], waivers: Waivers, seed: &[u8; 32], rsa: &dyn OperatorKeys) -> Audit {
    let mut found = Found::default();
    let refusal = replay(bundle, told, waivers, seed, rsa, &mut found).err();
    let mut findings = BTreeMap::new();
    let stage_of = |check| STAGES.iter().position(|stage| stage.contains(&check));
    let reached = refusal.and_then(|fault| stage_of(fault.check));
    for (number, stage) in STAGES.iter().enumerate() {
        for check in *stage {
            let finding = match (refusal, reached) {
                (None, _) => Finding::Holds,
                (Some(fault), _) if fault.check == *check => Finding::Refuses(fault),
                (Some(_), Some(reached)) if number < reached => Finding::Holds,
                _ => Finding::NotReached,
            };
            findings.insert(*check, finding);
        }
    }
    if let Some(fault) = refusal {
        findings.insert(fault.check, Finding::Refuses(fault));
    }
    let Found { strays, evidence, plan, assembled } = found;
    Audit { findings, strays, evidence, plan, assembled }
}

#[derive(Default)]
struct Found {
    strays: Vec<Fault>,
    evidence: Vec<Fault>,
    plan: Option<Plan>,
    assembled: Option<Assembled>,
}

fn replay(
    bundle: &[u8],
    told: &[Told],
    waivers: Waivers,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
    found: &mut Found,
) -> Result<(), Fault> {
    let bundle = Bundle::parse(bundle)?;
    let [plan] = bundle.plans.as_slice() else { return Err(Fault::nobody(Check::PlanForm)) };
    let plan = &*found.plan.insert(Plan::parse(plan, waivers, rsa)?);
    let strays = &mut found.strays;
    let (mut deals, mut others) = (Deals::default(), Vec::new());
    for file in &bundle.deals {
        match SignedDeal::parse(plan, file) {
            Ok(deal) => others.extend(deals.insert(deal).err().map(|two| two.second)),
            Err(fault) => strays.push(fault),
        }
    }
    let mut precommits = Vec::new();
    for file in &bundle.precommits {
        match Precommit::parse(plan, file) {
            Ok(precommit) => precommits.push(precommit),
            Err(fault) => strays.push(fault),
        }
    }
    let mut written = Vec::new();
    for file in &bundle.certifies {
        match SignedCertify::parse(plan, file) {
            Ok(certify) => written.push(certify),
            Err(fault) => strays.push(fault),
        }
    }
    let twice: BTreeSet<_> = others.iter().map(SignedDeal::sender).collect();
    let twice: Vec<_> = twice.into_iter().map(|sender| Fault::of(Check::DealTwice, sender)).collect();
    let mismatched = |deals: &Deals, one: &Precommit| deals.of(one.sender()).and_then(|deal| one.check(deal).err());
    let authors: BTreeSet<_> = written.iter().map(SignedCertify::sender).collect();
    let doubled = !twice.is_empty()
        || authors.len() < written.len()
        || precommits.iter().any(|one| mismatched(&deals, one).is_some());
    let (all, files): (Vec<_>, Vec<_>) = (deals.iter().chain(&others).collect(), written.iter().collect());
    let offer = Offer { deals: &all, precommits: &precommits, certifies: &files, told };
    let mut certifies = Certifies::default();
    if let Some(settled) = doubled.then(|| settle(plan, &offer, seed, rsa)).flatten() {
        found.evidence.extend(twice);
        found.evidence.extend(precommits.iter().filter_map(|one| mismatched(&settled.deals, one)));
        (deals, precommits, certifies) = (settled.deals, settled.precommits, settled.certifies);
    } else if let Some(fault) = twice.first() {
        return Err(*fault);
    } else {
        // Whoever certified these deals did so, whatever else it signed.
        let here = deals.missing(plan).is_empty().then(|| deals.transcript(plan));
        let is_here = |file: &SignedCertify| here.is_some_and(|here| here == *file.transcript());
        let certified: BTreeSet<_> = written.iter().filter(|file| is_here(file)).map(SignedCertify::sender).collect();
        let counts = |file: &&SignedCertify| is_here(file) || !certified.contains(&file.sender());
        written.iter().filter(counts).for_each(|file| certifies.insert(file.clone()));
    }
    let outputs = deals.audit(plan, &precommits, seed)?;
    let assembled = assemble_outputs(plan, outputs, &certifies, seed, rsa)?;
    for file in &bundle.certificates {
        Certificate::parse(plan, file)?.check(&assembled.outputs)?;
    }
    found.assembled = Some(assembled);
    Ok(())
}

impl Audit {
    /// The check that refused, if one did.
    #[must_use]
    pub fn refusal(&self) -> Option<Fault> {
        self.findings.values().find_map(|finding| match finding {
            Finding::Refuses(fault) => Some(*fault),
            Finding::Holds | Finding::NotReached => None,
        })
    }
}
