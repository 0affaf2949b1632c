//! From n certify files to what the owner needs: deposit data, keyshares, proofs, certificate, bundles, a report. All of it
//! is a function of the ceremony's files, and all of it is judged from disk before it is called done.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dvkey_ceremony::agdkg::certify::{Certifies, SignedCertify};
use dvkey_ceremony::agdkg::outputs::{Assembled, AssembledValidator, assemble_outputs};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::transcript::Outputs;
use dvkey_ceremony::auditor;
use dvkey_ceremony::fault::{Check, Fault};
use dvkey_ceremony::{DepositData, Nonce, SharePublicKey};

use super::collection::Collection;
use super::{CeremonyError, Missing, network_of, seed};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::digest::Sha256Digest;
use crate::crypto::operator_key::{OperatorPublicKey, SEALED_BYTES};
use crate::format::deposit::{self, DepositFile};
use crate::format::keyshares::{self, KeysharesFile, NewItem};
use crate::format::network::Network;
use crate::format::operator_key_text::canonical_text;
use crate::format::operators::{Cluster, OperatorList};
use crate::format::proofs::{self, ProofsFile, SignedProof};
use crate::format::provenance::{self, Claims};
use crate::store::atomic::Mode;
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::workflow::verify::check::{Report, Verdict};
use crate::workflow::verify::deposit::Withdrawal;
use crate::workflow::verify::keyshares::{Beside, Expected, Unclear};
use crate::workflow::verify::proofs::Company;
use crate::workflow::verify::{deposit as judge_deposit, keyshares as judge_keyshares, proofs as judge_proofs};

/// The keyshares.
pub const KEYSHARES: &str = "keyshares.json";
/// The operators' proofs.
pub const PROOFS: &str = "proofs.json";
/// The certificate.
pub const CERTIFICATE: &str = "ceremony.ct";
/// Everything, from which a participant recovers its shares.
pub const BUNDLE: &str = "ceremony.bn";
/// Everything that an auditor needs, without ciphertexts.
pub const PUBLIC_BUNDLE: &str = "ceremony.public.bn";
/// What was made, for people.
pub const REPORT: &str = "report.txt";
/// The largest output that is read back at once.
pub(super) const MOST_BYTES: u64 = 512 << 20;

/// What a person may override of an accepted plan was decided when it was accepted.
const DECIDED: Waivers = Waivers { two_quorums: true, unbound_operators: true };

/// The results of a ceremony, verified, with the files that hold them.
pub struct Results {
    /// What the files make.
    pub assembled: Assembled,
    /// Each output: name and content, in the order in which they are written.
    pub files: Vec<(String, Vec<u8>)>,
    /// The nonce of the first validator.
    pub nonce: Option<u64>,
}

/// Verifies all of a ceremony and makes its results, in memory.
///
/// `nonce`: the owner's nonce for the first validator, where it is another than the plan's first.
///
/// # Errors
/// [`CeremonyError`]: [`CeremonyError::Waiting`] unless all deals are there in full and all certify files;
/// [`CeremonyError::OtherDeals`]; the faults of either; [`CeremonyError::OtherNonce`].
pub fn results(collection: &Collection, nonce: Option<u64>) -> Result<Results, CeremonyError> {
    let (what, missing) = (Missing::Deals, collection.missing_deals());
    if !missing.is_empty() {
        return Err(CeremonyError::Waiting { what, from: missing });
    }
    let waiting =
        [(Missing::Precommits, collection.missing_precommits()), (Missing::Certifies, collection.missing_certifies())];
    if let Some((what, from)) = waiting.into_iter().find(|(_, from)| !from.is_empty()) {
        return Err(CeremonyError::Waiting { what, from });
    }
    super::judging::must_be_of_these_deals(collection)?;
    let seed = seed()?;
    let outputs = collection
        .deals
        .audit(&collection.plan, &collection.commitments(), &seed)
        .map_err(|fault| ended(collection, fault))?;
    let (assembled, chosen) = combine(collection, outputs, &seed).map_err(|fault| ended(collection, fault))?;
    let nonce = pick_nonce(&collection.plan, nonce)?;
    let mut files = output_files(&collection.plan, &assembled, nonce)?;
    files.push((CERTIFICATE.to_owned(), assembled.certificate.as_bytes().to_vec()));
    for (name, public) in [(BUNDLE, false), (PUBLIC_BUNDLE, true)] {
        let bundle = collection.bundle(&chosen, Some(&assembled.certificate), public);
        files.push((name.to_owned(), bundle.ok_or(Fault::nobody(Check::BundleForm))?));
    }
    if let Some(bytes) = super::provenance::describe(collection, &assembled, nonce, &files)? {
        files.push((provenance::FILE_NAME.to_owned(), bytes));
    }
    let report = super::judging::report_text(&collection.plan, &assembled, nonce, &files);
    files.push((REPORT.to_owned(), report.into_bytes()));
    Ok(Results { assembled, files, nonce })
}

/// What the certify files make, by one file of each author: the smallest that holds throughout, so that everybody who has the
/// same files makes the same.
pub(super) fn combine<'a>(
    collection: &'a Collection,
    outputs: Outputs,
    seed: &[u8; 32],
) -> Result<(Assembled, Vec<&'a SignedCertify>), Fault> {
    let chosen = chosen(collection, &outputs, seed);
    let mut picked = Certifies::default();
    chosen.iter().for_each(|file| picked.insert((*file).clone()));
    match assemble_outputs(&collection.plan, outputs.clone(), &picked, seed, &CeremonyRsa) {
        Ok(assembled) => Ok((assembled, chosen)),
        // Of somebody no file holds. All of them together say what is wrong.
        Err(fault) => {
            let all = assemble_outputs(&collection.plan, outputs, &collection.certifies, seed, &CeremonyRsa);
            Err(all.err().unwrap_or(fault))
        }
    }
}

/// Keyshares, deposit data and proofs: a function of the ceremony, byte for byte.
///
/// # Errors
/// [`CeremonyError`].
pub fn output_files(
    plan: &Plan,
    assembled: &Assembled,
    nonce: Option<u64>,
) -> Result<Vec<(String, Vec<u8>)>, CeremonyError> {
    let mut files = Vec::new();
    if let Some(bytes) = keyshares_of(plan, assembled, nonce)? {
        files.push((KEYSHARES.to_owned(), bytes));
    }
    files.extend(deposits_of(plan, assembled)?);
    if let Some(bytes) = proofs_of(plan, assembled)? {
        files.push((PROOFS.to_owned(), bytes));
    }
    Ok(files)
}

/// A fault that signed files prove ends a ceremony; any other is told as it is.
fn ended(collection: &Collection, fault: Fault) -> CeremonyError {
    let end = collection.end_by(fault);
    if end.evidence.is_empty() { fault.into() } else { CeremonyError::Ended(Box::new(end)) }
}

/// One certify file of each participant. Where one wrote several, the smallest that holds.
fn chosen<'a>(collection: &'a Collection, outputs: &Outputs, seed: &[u8; 32]) -> Vec<&'a SignedCertify> {
    let plan = &collection.plan;
    let of_one = |id| -> Option<&'a SignedCertify> {
        let opens = |one: &&SignedCertify| one.sender() == id && one.open(plan, outputs).is_ok();
        let mut files: Vec<_> = collection.certifies.iter().filter(opens).collect();
        if files.len() > 1 {
            files.retain(|one| one.verify(plan, outputs, seed, &CeremonyRsa).is_ok());
        }
        files.into_iter().min_by_key(|one| one.as_bytes())
    };
    collection.ids().filter_map(of_one).collect()
}

pub(super) fn pick_nonce(plan: &Plan, asked: Option<u64>) -> Result<Option<u64>, CeremonyError> {
    let Some(ssv) = plan.ssv() else { return Ok(None) };
    let first = ssv.first_nonce;
    let last = first.saturating_add(u64::from(ssv.nonce_window).saturating_sub(1));
    match asked {
        Some(asked) if !(first..=last).contains(&asked) => Err(CeremonyError::OtherNonce { asked, first, last }),
        asked => Ok(Some(asked.unwrap_or(first))),
    }
}

/// The operators of an SSV plan whose cards are bound, as a keyshares file lists them.
pub(super) fn cluster_of(plan: &Plan) -> Result<Option<(OperatorList, Cluster)>, CeremonyError> {
    let mut entries = Vec::new();
    for participant in plan.participants() {
        let Some(binding) = participant.card.binding().filter(|_| plan.ssv().is_some()) else { return Ok(None) };
        let key = OperatorPublicKey::from_der(&binding.spki)
            .map_err(|error| CeremonyError::OperatorKey(participant.id, error))?;
        entries.push((binding.operator, canonical_text(&key)));
    }
    // What stands in a plan was bound to its operator by that operator's own key: neither of these can fail.
    let own_work = |_| CeremonyError::Fault(Fault::nobody(Check::OwnWork));
    let list = OperatorList::from_entries(entries).map_err(own_work)?;
    let cluster = list.pick(None).map_err(own_work)?;
    Ok(Some((list, cluster)))
}

fn keyshares_of(plan: &Plan, assembled: &Assembled, nonce: Option<u64>) -> Result<Option<Vec<u8>>, CeremonyError> {
    let (Some((_, cluster)), Some(ssv), Some(first)) = (cluster_of(plan)?, plan.ssv(), nonce) else { return Ok(None) };
    let items: Result<Vec<_>, _> =
        (first..).zip(&assembled.validators).map(|(nonce, validator)| item(plan, validator, nonce)).collect();
    Ok(Some(keyshares::write(&items?, &ssv.owner.to_checksum(), cluster.operators(), &created(plan))?))
}

/// When the plan was made, by its organizer's clock: the same for everybody.
pub(super) fn created(plan: &Plan) -> String {
    let created =
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(plan.parameters().created.min(253_402_300_799)));
    humantime::format_rfc3339_millis(created.unwrap_or(SystemTime::UNIX_EPOCH)).to_string()
}

fn item(plan: &Plan, validator: &AssembledValidator, nonce: u64) -> Result<NewItem, CeremonyError> {
    let own_work = || CeremonyError::Fault(Fault::nobody(Check::OwnWork));
    let (_, signature) =
        validator.owner_nonces.iter().find(|(signed, _)| *signed == nonce).copied().ok_or_else(own_work)?;
    let sealed: Option<Vec<[u8; SEALED_BYTES]>> =
        validator.sealed_shares.iter().map(|sealed| sealed.as_slice().try_into().ok()).collect();
    let shares = plan.participants().iter().zip(&validator.share_public_keys);
    Ok(NewItem {
        public_key: validator.public_key,
        nonce: Nonce::try_from(nonce).map_err(|_| CeremonyError::Nonce)?,
        signature,
        share_public_keys: shares
            .map(|(holder, public_key)| SharePublicKey { identifier: holder.id, public_key: *public_key })
            .collect(),
        sealed_shares: sealed.ok_or_else(own_work)?,
    })
}

/// One list for each amount. The time in the name is that of the plan, so that everybody writes the same.
fn deposits_of(plan: &Plan, assembled: &Assembled) -> Result<Vec<(String, Vec<u8>)>, CeremonyError> {
    let network = network(plan)?;
    let mut files = Vec::new();
    for (position, amount) in plan.parameters().amounts.iter().enumerate() {
        let deposits: Vec<DepositData> =
            assembled.validators.iter().filter_map(|one| one.deposits.get(position)).copied().collect();
        let mut name = deposit::file_name(plan.parameters().created);
        if plan.parameters().amounts.len() > 1 {
            name = format!("deposit_data-{}-{}gwei.json", plan.parameters().created, amount.get());
        }
        files.push((name, deposit::write(&deposits, network)?));
    }
    Ok(files)
}

fn proofs_of(plan: &Plan, assembled: &Assembled) -> Result<Option<Vec<u8>>, CeremonyError> {
    let Some(ssv) = plan.ssv().filter(|_| plan.parameters().operator_proofs) else { return Ok(None) };
    let own_work = || CeremonyError::Fault(Fault::nobody(Check::OwnWork));
    let mut all = Vec::new();
    for validator in &assembled.validators {
        let rows = validator.share_public_keys.iter().zip(&validator.sealed_shares).zip(&validator.operator_proofs);
        let of_one: Option<Vec<_>> = rows
            .map(|((share, sealed), signature)| {
                Some(SignedProof {
                    validator: *validator.public_key.as_bytes(),
                    encrypted_share: sealed.as_slice().try_into().ok()?,
                    share: *share.as_bytes(),
                    owner: ssv.owner,
                    signature: signature.as_slice().try_into().ok()?,
                })
            })
            .collect();
        let of_one = of_one.ok_or_else(own_work)?;
        if of_one.len() != plan.participants().len() {
            // Operators without a binding sign nothing; their proofs are added later, or never.
            return Ok(None);
        }
        all.push(of_one);
    }
    Ok(Some(proofs::write(&all)?))
}

fn network(plan: &Plan) -> Result<Network, CeremonyError> {
    network_of(plan).ok_or_else(|| Fault::nobody(Check::PlanNetwork).into())
}

/// Writes the results into a folder: aside first, read back and judged as by a stranger, then all of them or none.
///
/// Results that are there already with the same content, such as an interrupted run leaves, stay as they are.
///
/// # Errors
/// [`CeremonyError`]; nothing is written then, but for [`CeremonyError::Moved`]. Another content under one of the names is
/// never replaced.
pub fn write(
    collection: &Collection,
    results: &Results,
    out: &Path,
    jobs: usize,
) -> Result<Vec<PathBuf>, CeremonyError> {
    let due: Vec<_> = results.files.iter().filter(|(name, bytes)| !is_there(out, name, bytes)).collect();
    let mut read_back = results.files.clone();
    if !due.is_empty() {
        let names: Vec<&str> = due.iter().map(|(name, _)| name.as_str()).collect();
        let output = OutputDir::prepare(out, &names, false)?;
        let mut staged = Vec::new();
        for (name, bytes) in &due {
            let mut file = output.stage(name, bytes, Mode::Public)?;
            let found = file.read_back()?;
            if found != *bytes {
                return Err(CeremonyError::ReadBack(name.clone()));
            }
            read_back.iter_mut().filter(|(other, _)| other == name).for_each(|(_, bytes)| bytes.clone_from(&found));
            staged.push(file);
        }
        judge_all(collection, results, &read_back, jobs)?;
        output.publish(staged)?;
    } else {
        judge_all(collection, results, &read_back, jobs)?;
    }
    let mut paths = Vec::with_capacity(results.files.len());
    for (name, bytes) in &results.files {
        if !is_there(out, name, bytes) {
            return Err(CeremonyError::Moved(out.join(name)));
        }
        paths.push(out.join(name));
    }
    Ok(paths)
}

/// Whether a folder holds just these results.
#[must_use]
pub fn is_written(results: &Results, out: &Path) -> bool {
    results.files.iter().all(|(name, bytes)| is_there(out, name, bytes))
}

fn is_there(out: &Path, name: &str, bytes: &[u8]) -> bool {
    read_bounded(&Source::File(out.join(name)), MOST_BYTES).is_ok_and(|found| found == bytes)
}

/// As `dvkey verify` and `dvkey ceremony audit` judge them, with everything that the plan says as what is expected.
fn judge_all(
    collection: &Collection,
    results: &Results,
    files: &[(String, Vec<u8>)],
    jobs: usize,
) -> Result<(), CeremonyError> {
    let plan = &collection.plan;
    let count = usize::from(plan.validators());
    let operators = cluster_of(plan)?;
    let owner = plan.ssv().map(|ssv| ssv.owner);
    let base = Expected { validators: Some(count), owner, ..Expected::default() };
    let named = |wanted: &str| files.iter().find(|(name, _)| name == wanted).map(|(_, bytes)| bytes.as_slice());
    let mut parsed: Option<KeysharesFile> = None;
    if let Some(bytes) = named(KEYSHARES) {
        let file = keyshares::parse(bytes).map_err(|_| CeremonyError::ReadBack(KEYSHARES.to_owned()))?;
        let nonce = results.nonce.and_then(|nonce| Nonce::try_from(nonce).ok());
        let expected = Expected { nonce, operators: operators.as_ref().map(|(list, _)| list), ..base };
        let beside = named(provenance::FILE_NAME).map(|claims| Beside {
            claims: Some(Claims::parse(claims).map_err(|_| Unclear)),
            // Both bundles are audited below.
            bundled: None,
            name: KEYSHARES.to_owned(),
            sha256: Sha256Digest::of(bytes).to_string(),
        });
        let expected = Expected { network: network_of(plan), ..expected };
        let report = judge_keyshares::judge(&file, &expected, beside.as_ref(), jobs);
        let usual = report.keyshares_oddities().iter().all(|oddity| *oddity == keyshares::Oddity::WrappingId);
        must_be_valid("keyshares", report, usual)?;
        parsed = Some(file);
    }
    if let Some(bytes) = named(PROOFS) {
        let file = ProofsFile::parse(bytes).map_err(|_| CeremonyError::ReadBack(PROOFS.to_owned()))?;
        let mut company = Company::default();
        for item in parsed.iter().flat_map(|file| file.items.iter().flatten()) {
            company.add(item);
        }
        must_be_valid("proofs", judge_proofs::judge(&file, &company, &base, jobs), true)?;
    }
    for (position, (name, bytes)) in files.iter().filter(|(name, _)| name.starts_with("deposit_data-")).enumerate() {
        let file = DepositFile::parse(bytes).map_err(|_| CeremonyError::ReadBack(name.clone()))?;
        let withdrawal = match plan.parameters().credentials.as_slice() {
            [one] => Some(Withdrawal::Credentials(*one)),
            _ => None,
        };
        let amount = plan.parameters().amounts.get(position).copied();
        let expected = Expected { network: network_of(plan), withdrawal, amount, owner: None, ..base };
        // Amounts and credentials are the plan's, which people confirmed: nothing of them is unusual here.
        must_be_valid("deposit data", judge_deposit::judge(&file, &expected, jobs), true)?;
    }
    for name in [BUNDLE, PUBLIC_BUNDLE] {
        let bytes = named(name).ok_or_else(|| CeremonyError::ReadBack(name.to_owned()))?;
        let audit = auditor::audit(bytes, DECIDED, &seed()?, &CeremonyRsa);
        if let Some(fault) = audit.refusal() {
            return Err(fault.into());
        }
        if audit.assembled.as_ref() != Some(&results.assembled) {
            return Err(CeremonyError::ReadBack(name.to_owned()));
        }
    }
    Ok(())
}

fn must_be_valid(what: &'static str, report: Report, usual: bool) -> Result<(), CeremonyError> {
    if report.verdict == Verdict::Valid && usual {
        Ok(())
    } else {
        Err(CeremonyError::NotValid(what, Box::new(report)))
    }
}
