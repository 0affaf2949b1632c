//! ROLE: the auditor, who replays a ceremony from its public files: one verdict for each numbered check.

use std::collections::{BTreeMap, BTreeSet};

use crate::agdkg::bundle::Bundle;
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, SignedCertify};
use crate::agdkg::choice::{settle, transcripts};
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
    let mut found = Found::default();
    let refusal = replay(bundle, waivers, seed, rsa, &mut found).err();
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
    waivers: Waivers,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
    found: &mut Found,
) -> Result<(), Fault> {
    let bundle = Bundle::parse(bundle)?;
    let [plan] = bundle.plans.as_slice() else { return Err(Fault::nobody(Check::PlanForm)) };
    let plan = &*found.plan.insert(Plan::parse(plan, waivers, rsa)?);
    let strays = &mut found.strays;
    let (mut deals, mut twice) = (Deals::default(), BTreeMap::new());
    for file in &bundle.deals {
        match SignedDeal::parse(plan, file) {
            // Of more than two, the two that come first: they prove as much.
            Ok(deal) => drop(deals.insert(deal).map_err(|two| twice.entry(two.first.sender()).or_insert(two))),
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
    let others: Vec<_> = twice.values().map(|two| &two.second).collect();
    let here = transcripts(plan, &deals, &others);
    let (mut certifies, mut for_others) = (Certifies::default(), Vec::new());
    for file in &bundle.certifies {
        match SignedCertify::parse(plan, file) {
            Ok(certify) if here.contains_key(certify.transcript()) => certifies.insert(certify),
            Ok(certify) => for_others.push(certify),
            Err(fault) => strays.push(fault),
        }
    }
    // Whoever certified these deals did so, whatever else it signed.
    let certified: BTreeSet<_> = certifies.iter().map(SignedCertify::sender).collect();
    for_others.into_iter().filter(|file| !certified.contains(&file.sender())).for_each(|file| certifies.insert(file));
    let mismatched = |deals: &Deals, one: &Precommit| deals.of(one.sender()).and_then(|deal| one.check(deal).err());
    let settled = match !twice.is_empty() || precommits.iter().any(|one| mismatched(&deals, one).is_some()) {
        true => settle(plan, &deals, &others, &precommits, &certifies, seed, rsa),
        false => None,
    };
    if let Some(settled) = settled {
        found.evidence.extend(twice.values().map(|two| two.fault()));
        found.evidence.extend(precommits.iter().filter_map(|one| mismatched(&settled.deals, one)));
        (deals, precommits) = (settled.deals, settled.precommits);
    } else if let Some(two) = twice.values().next() {
        return Err(two.fault());
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
