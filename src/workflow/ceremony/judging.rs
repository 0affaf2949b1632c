//! What anybody can do with public files: audit a ceremony, judge a complaint, find the deal with two faces, and compare
//! outputs with the ceremony that they should come from.

use std::fmt::Write;

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::bundle;
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::judge::Verdict;
use dvkey_ceremony::agdkg::outputs::Assembled;
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::rehearsal::is_rehearsal;
use dvkey_ceremony::auditor::{self, Audit};
use dvkey_ceremony::fault::{Code, Fault};

use super::assemble::{combine, output_files, pick_nonce};
use super::collection::Collection;
use super::gather::Gathered;
use super::{CeremonyError, Missing, network_of, seed};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::digest::Sha256Digest;
use crate::format::ceremony_file::CeremonyFile;

/// Audits a ceremony from whatever was gathered of it. With a plan, the files of all others are left out; without one, the
/// plan that is there is no lawful one, and that is told.
///
/// # Errors
/// [`CeremonyError::Randomness`]. What is wrong with the files is in the audit.
pub fn audit(gathered: &Gathered, plan: Option<&Plan>, waivers: Waivers) -> Result<Audit, CeremonyError> {
    let blobs = gathered.blobs.iter().filter(|blob| plan.is_none() || blob.kind != CeremonyFile::Plan);
    let files: Vec<&[u8]> = plan.map(Plan::as_bytes).into_iter().chain(blobs.map(|b| b.bytes.as_slice())).collect();
    let whole = bundle::encode(&files).unwrap_or_default();
    let mut audit = auditor::audit_told(&whole, &gathered.told, waivers, &seed()?, &CeremonyRsa);
    // Those that were not signed by anybody in the plan are counted.
    let damaged = gathered.refused.iter().map(|(_, _, fault)| *fault);
    audit.strays.extend(damaged.filter(|fault| plan.is_some() && fault.code() == Code::E02));
    Ok(audit)
}

/// What public files make, redacted deals or whole ones.
///
/// # Errors
/// [`CeremonyError`].
pub fn assembled(collection: &Collection) -> Result<Assembled, CeremonyError> {
    let missing = collection.missing_certifies();
    if !missing.is_empty() {
        return Err(CeremonyError::Waiting { what: Missing::Certifies, from: missing });
    }
    must_be_of_these_deals(collection)?;
    let seed = seed()?;
    let outputs = collection.deals.audit(&collection.plan, &collection.commitments(), &seed)?;
    Ok(combine(collection, outputs, &seed)?.0)
}

/// Everybody certified the deals that are here.
///
/// # Errors
/// [`CeremonyError::OtherDeals`], with the names of those who did not.
pub(super) fn must_be_of_these_deals(collection: &Collection) -> Result<(), CeremonyError> {
    let others = collection.certified_others();
    if others.is_empty() { Ok(()) } else { Err(CeremonyError::OtherDeals(others)) }
}

/// The keyshares, deposit data and proofs that the owner should have, by name.
///
/// # Errors
/// [`CeremonyError`].
pub fn outputs_of(plan: &Plan, made: &Assembled, nonce: Option<u64>) -> Result<Vec<(String, Vec<u8>)>, CeremonyError> {
    output_files(plan, made, pick_nonce(plan, nonce)?)
}

/// A verdict on a complaint, or why there is none.
#[derive(Debug)]
pub struct Judged {
    /// Who complains.
    pub complainer: Identifier,
    /// About whom.
    pub accused: Identifier,
    /// The verdict; `None` while the deal that the complaint is about, in full, is not there.
    pub verdict: Option<Verdict>,
    /// Whether another deal of the accused is there instead (C-79).
    pub other_deal: bool,
}

/// Judges every complaint. Where the accused signed two deals, each is tried: the complaint names one of them.
#[must_use]
pub fn judge(collection: &Collection) -> Vec<Judged> {
    let one = |complaint: &Complaint| {
        let accused = complaint.accused();
        let deals = collection.deals_of(accused).filter(|deal| !deal.is_redacted());
        let verdicts: Vec<_> = deals
            .map(|deal| (deal.hash() == complaint.deal_hash(), deal))
            .map(|(named, deal)| {
                let verdict =
                    dvkey_ceremony::agdkg::judge::judge(&collection.plan, deal.as_bytes(), complaint.as_bytes());
                (named, verdict)
            })
            .collect();
        let other_deal = !verdicts.is_empty() && verdicts.iter().all(|(named, _)| !named);
        let verdict = verdicts.into_iter().find(|(named, _)| *named).map(|(_, verdict)| verdict);
        Judged { complainer: complaint.complainer(), accused, verdict, other_deal }
    };
    collection.complaints.iter().map(one).collect()
}

/// What signed files prove by themselves, without a complaint: two deals of one sender (C-34), one that was not committed to
/// (C-29), a deal that is wrong on its face (C-35 to C-37), an author of whose certify files for these deals none holds (C-55 to
/// C-60).
///
/// # Errors
/// [`CeremonyError::Randomness`].
pub fn on_their_face(collection: &Collection) -> Result<Vec<Fault>, CeremonyError> {
    let (plan, seed) = (&collection.plan, seed()?);
    let mut found: Vec<_> = collection.doubled().map(|end| end.fault).collect();
    let open = |deal: &SignedDeal| deal.open(plan).and_then(|open| open.check_exactly(None)).err();
    found.extend(collection.ids().filter_map(|id| collection.deals_of(id).find_map(open)));
    if let Ok(outputs) = collection.deals.outputs(plan, &seed) {
        let certifies = |id| {
            let files = collection.certifies.iter().filter(move |file| file.sender() == id);
            let here = files.filter(|file| *file.transcript() == outputs.transcript);
            let faults: Option<Vec<_>> =
                here.map(|file| file.verify(plan, &outputs, &seed, &CeremonyRsa).err()).collect();
            // One that holds is enough.
            faults.and_then(|faults| faults.first().copied())
        };
        found.extend(collection.ids().filter_map(certifies));
    }
    Ok(found)
}

/// What a comparison of two sets of deals found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Who signed two different deals, with the proof.
    pub two_faced: Vec<(Identifier, Vec<u8>)>,
    /// Whose deals are the same in both.
    pub same: Vec<Identifier>,
    /// Whose deals are in the first only, and in the second only.
    pub missing: (Vec<Identifier>, Vec<Identifier>),
    /// Faults of either set on its own.
    pub within: Vec<Fault>,
}

/// Compares the deals of two sets of files of one plan.
#[must_use]
pub fn compare(plan: &Plan, first: &Collection, second: &Collection) -> Compared {
    let mut compared = Compared::default();
    for set in [first, second] {
        for two in set.equivocations() {
            let files = [plan.as_bytes(), two.first.as_bytes(), two.second.as_bytes()];
            compared.within.push(two.fault());
            compared.two_faced.push((two.first.sender(), bundle::encode(&files).unwrap_or_default()));
        }
    }
    for id in first.ids() {
        match (first.deals.of(id), second.deals.of(id)) {
            (Some(a), Some(b)) if a.hash() == b.hash() => compared.same.push(id),
            (Some(a), Some(b)) => {
                let files = [plan.as_bytes(), a.as_bytes(), b.as_bytes()];
                compared.two_faced.push((id, bundle::encode(&files).unwrap_or_default()));
            }
            (Some(_), None) => compared.missing.1.push(id),
            (None, Some(_)) => compared.missing.0.push(id),
            (None, None) => {
                compared.missing.0.push(id);
                compared.missing.1.push(id);
            }
        }
    }
    compared.two_faced.sort_by_key(|(id, _)| *id);
    compared.two_faced.dedup_by_key(|(id, _)| *id);
    compared
}

/// What was made, for people: what to compare by telephone, what each file is, what was agreed to.
#[must_use]
pub fn report_text(plan: &Plan, assembled: &Assembled, nonce: Option<u64>, files: &[(String, Vec<u8>)]) -> String {
    let parameters = plan.parameters();
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    if is_rehearsal(plan) {
        line("REHEARSAL. Nothing of this is real; nobody has the accounts that it names.".to_owned());
        line(String::new());
    }
    line(format!("Key ceremony {:?}", parameters.title));
    line(String::new());
    line(format!("network            {}", network_of(plan).map_or("unknown", |network| network.name())));
    line(format!("plan               {}", hex::encode(plan.hash())));
    for (position, row) in plan.words().chunks(5).enumerate() {
        let name = if position == 0 { "plan words" } else { "" };
        line(format!("{name:<18} {}", row.join(" ")));
    }
    for (position, row) in assembled.certificate.words().chunks(5).enumerate() {
        let name = if position == 0 { "certificate words" } else { "" };
        line(format!("{name:<18} {}", row.join(" ")));
    }
    line(format!("threshold          any {} of {} shares sign", plan.threshold().t(), plan.threshold().n()));
    for (position, credentials) in parameters.credentials.iter().enumerate() {
        let name = if position == 0 { "stake belongs to" } else { "" };
        let address = credentials.address().map(|address| address.to_checksum()).unwrap_or_default();
        let kind = credentials.to_bytes().first().copied().unwrap_or_default();
        line(format!("{name:<18} {address} (0x{kind:02x})"));
    }
    for (position, amount) in parameters.amounts.iter().enumerate() {
        let name = if position == 0 { "deposit of each" } else { "" };
        line(format!("{name:<18} {amount}"));
    }
    if let Some(ssv) = plan.ssv() {
        line(format!("registered by      {}", ssv.owner.to_checksum()));
    }
    line(String::new());
    line("Participants, all of whom dealt, certified, and proved to have their shares".to_owned());
    for one in plan.participants() {
        let bound = if one.card.binding().is_some() { ", bound to its operator key" } else { "" };
        line(format!("  {:>6}  {}{bound}", one.id.get(), one.card.label()));
    }
    line(String::new());
    line("Validators".to_owned());
    for (position, validator) in assembled.validators.iter().enumerate() {
        let nonce = nonce.map_or(String::new(), |first| format!("nonce {}  ", first.saturating_add(position as u64)));
        line(format!("  {nonce}{}", validator.public_key));
    }
    line(String::new());
    line("Files, with their SHA-256".to_owned());
    for (name, bytes) in files {
        line(format!("  {}  {name}", Sha256Digest::of(bytes)));
    }
    line(String::new());
    line("Before depositing".to_owned());
    for step in [
        "  1  dvkey ceremony verify FOLDER --withdrawal 0x… says VALID,",
        "     on a machine of the owner's",
        "  2  the certificate words are the same on that machine and in this report",
        "  3  every participant keeps its vault, or its keystores and their password",
    ] {
        line(step.to_owned());
    }
    out
}
