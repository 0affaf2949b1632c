//! What a participant does in the two walks: commit, deal, certify, complain. Each can be done again at any time: after a
//! crash, or on another machine from the words, the same is said again.

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::journal::Event;
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::agdkg::rsa::OperatorSigner;
use dvkey_ceremony::fault::{Check, Culprit, Fault};
use dvkey_ceremony::participant::{Dealt, Planned};

use super::collection::Collection;
use super::folder::Folder;
use super::{CeremonyError, Missing};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::operator_key::OperatorPrivateKey;
use crate::crypto::random;
use crate::format::ceremony_file::CeremonyFile;

/// What a step left in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The kind of file.
    pub kind: CeremonyFile,
    /// Its name.
    pub name: String,
    /// Whether it was not there before.
    pub new: bool,
}

/// Commits to my deal, where the plan asks for that.
///
/// # Errors
/// [`CeremonyError`].
pub fn precommit(folder: &mut Folder, root: &Root) -> Result<Sent, CeremonyError> {
    let identity = Identity::derive(root)?;
    let me = folder.me(&identity)?;
    let (_, deal) = my_deal(folder, root)?;
    let commitment = Precommit::make(&identity, &folder.ceremony()?.plan, &deal);
    note_deal(folder, &deal)?;
    folder.keep_own(CeremonyFile::Precommit, commitment.as_bytes())?;
    send(folder, CeremonyFile::Precommit, me, commitment.as_bytes())
}

/// Walk 1: my deal, the same bytes whenever and wherever it is made.
///
/// # Errors
/// [`CeremonyError`]: [`CeremonyError::Waiting`] for pre-commits; C-34 when somebody signed another deal with my key.
pub fn deal(folder: &mut Folder, root: &Root) -> Result<Sent, CeremonyError> {
    let collection = folder.ceremony()?;
    let asks = collection.plan.parameters().precommit;
    let (_, deal) = my_deal(folder, root)?;
    let me = deal.sender();
    if asks {
        // Again, where it was made before: a power cut may have come between keeping it and handing it on.
        precommit(folder, root)?;
    }
    let missing = folder.ceremony()?.missing_precommits();
    // Nobody shows a deal before it has everybody's pre-commit.
    if !missing.is_empty() {
        return Err(CeremonyError::Waiting { what: Missing::Precommits, from: missing });
    }
    if let Some(other) = folder.ceremony()?.deals.of(me)
        && other.hash() != deal.hash()
    {
        return Err(Fault::new(Check::DealTwice, Culprit::Undecided).into());
    }
    note_deal(folder, &deal)?;
    folder.keep_own(CeremonyFile::Deal, deal.as_bytes())?;
    send(folder, CeremonyFile::Deal, me, deal.as_bytes())
}

/// Walk 2: checks every deal, computes my shares, and certifies.
///
/// What was certified before, here or on a machine that is lost, is handed on again as it was.
///
/// # Errors
/// [`CeremonyError`]: [`CeremonyError::Waiting`], [`CeremonyError::Ended`], [`CeremonyError::OtherDeal`],
/// [`CeremonyError::CertifiedBefore`] unless `never_before`, [`CeremonyError::NoOperatorKey`], and the faults of deals; after C-38, [`complain`].
pub fn certify(
    folder: &mut Folder,
    root: &Root,
    operator: Option<&OperatorPrivateKey>,
    never_before: bool,
) -> Result<Sent, CeremonyError> {
    folder.must_go_on()?;
    folder.must_have_no_open_complaint()?;
    folder.must_have_deals()?;
    let (dealt, deal) = my_deal(folder, root)?;
    let me = deal.sender();
    let collection = folder.ceremony()?;
    let transcript = collection.deals.transcript(&collection.plan);
    if let Some(before) = certified_before(collection, me, &transcript)? {
        folder.record(Event::Certified { transcript, outputs_root: *before.outputs_root() })?;
        folder.keep_own(CeremonyFile::Certify, before.as_bytes())?;
        return send(folder, CeremonyFile::Certify, me, before.as_bytes());
    }
    // Somebody was sent other deals than I: two of one participant prove that it cheats, once they are found.
    super::judging::must_be_of_these_deals(collection)?;
    // A complaint of mine, or a certificate for other deals, which I signed, may be all that is left of another journal.
    let undecided = |check| CeremonyError::Fault(Fault::new(check, Culprit::Undecided));
    if collection.complaints.iter().any(|one| one.complainer() == me) {
        return Err(undecided(Check::JournalComplained));
    }
    if collection.certificates.iter().any(|one| *one.transcript() != transcript) {
        return Err(undecided(Check::JournalTranscript));
    }
    let noted = folder.events().iter().any(|event| matches!(event, Event::Certified { .. }));
    if folder.dir().is_restored() && !noted && !never_before {
        return Err(CeremonyError::CertifiedBefore);
    }
    let signer = signer(collection, me, operator)?;
    random::check()?;
    let mut rng = random::system_infallible();
    let (certified, file) = dealt
        .certify(&collection.deals, &collection.precommits, &CeremonyRsa, signer, &mut rng)
        .map_err(|refused| refusal(collection, refused.fault))?;
    let outputs_root = certified.outputs().root;
    drop(certified);
    let bytes = file.as_bytes().to_vec();
    // The journal decides first: it refuses a second transcript, and one after a complaint.
    folder.record(Event::Certified { transcript, outputs_root })?;
    folder.note_deals()?;
    folder.keep_own(CeremonyFile::Certify, &bytes)?;
    send(folder, CeremonyFile::Certify, me, &bytes)
}

/// Complains about the deal whose share for me is wrong. Writes nothing unless everybody will find its dealer guilty.
///
/// # Errors
/// [`CeremonyError`]: C-81 when all my shares are right; C-92 when I certified.
pub fn complain(folder: &mut Folder, root: &Root) -> Result<(Complaint, Sent), CeremonyError> {
    folder.must_have_deals()?;
    let (dealt, _) = my_deal(folder, root)?;
    let collection = folder.ceremony()?;
    let me = Identity::derive(root).map_err(CeremonyError::from).and_then(|identity| folder.me(&identity))?;
    random::check()?;
    let mut rng = random::system_infallible();
    // The checks of walk 2 find the dealer and the validator. They are made without an operator key: a plan that asks for
    // one is refused only after all deals have passed.
    let refused = match dealt.certify(&collection.deals, &collection.precommits, &CeremonyRsa, None, &mut rng) {
        Ok(_) => return Err(Fault::nobody(Check::ComplaintShare).into()),
        Err(refused) => refused,
    };
    let (fault, state) = (refused.fault, refused.state);
    let accused = match (fault.check, fault.culprit) {
        (Check::DealShare, Culprit::Participant(accused)) => accused,
        (Check::CertifyProof, _) => return Err(Fault::nobody(Check::ComplaintShare).into()),
        _ => return Err(refusal(collection, fault)),
    };
    if collection.certifies.iter().any(|certify| certify.sender() == me) {
        // The journal of another laptop would say so; this one may know nothing of it.
        return Err(Fault::new(Check::JournalComplained, Culprit::Undecided).into());
    }
    let deal = collection.deals.of(accused).ok_or(CeremonyError::NoPlan)?;
    let complained = state
        .complain(deal, fault.validator.unwrap_or_default())
        .map_err(|refused| CeremonyError::Fault(refused.fault))?;
    let complaint = complained.complaint;
    folder.record(Event::Complained { accused: accused.get() })?;
    folder.keep_own(CeremonyFile::Complaint, complaint.as_bytes())?;
    let sent = send(folder, CeremonyFile::Complaint, me, complaint.as_bytes())?;
    // With plan and deal beside it, anybody can judge.
    if let Some(end) = folder.ceremony()?.end() {
        folder.export_evidence(&end)?;
    }
    Ok((complaint, sent))
}

/// Puts what I sent before into the outbox again, where it does not lie there as it is kept: lost, torn, or replaced by
/// somebody. Needs no vault; says what was written.
///
/// # Errors
/// [`CeremonyError`].
pub fn send_again(folder: &Folder, me: Identifier) -> Result<Vec<Sent>, CeremonyError> {
    let collection = folder.ceremony()?;
    let mut mine: Vec<(CeremonyFile, Vec<&[u8]>)> = Vec::new();
    for event in folder.events() {
        match event {
            Event::Dealt { deal } => {
                let precommits = collection.precommits.iter().filter(|one| one.sender() == me);
                mine.push((CeremonyFile::Precommit, precommits.map(Precommit::as_bytes).collect()));
                let whole = collection.deals.of(me).filter(|own| *own.hash() == deal && !own.is_redacted());
                mine.push((CeremonyFile::Deal, whole.map(SignedDeal::as_bytes).into_iter().collect()));
            }
            Event::Certified { transcript, .. } => {
                let certifies = collection.certifies.iter().filter(|one| one.sender() == me);
                let certifies = certifies.filter(|one| *one.transcript() == transcript);
                mine.push((CeremonyFile::Certify, certifies.map(SignedCertify::as_bytes).collect()));
            }
            Event::Complained { accused } => {
                let complaints = collection.complaints.iter().filter(|one| one.complainer() == me);
                let complaints = complaints.filter(|one| one.accused().get() == accused);
                mine.push((CeremonyFile::Complaint, complaints.map(Complaint::as_bytes).collect()));
            }
            _ => {}
        }
    }
    let mut written = Vec::new();
    for (kind, files) in mine {
        // Where two laptops certified, either file will do.
        if !files.iter().any(|bytes| folder.is_out(kind, me, bytes))
            && let Some(bytes) = files.first()
        {
            written.push(send(folder, kind, me, bytes)?);
        }
    }
    Ok(written)
}

/// My deal of the plan that was accepted.
fn my_deal(folder: &Folder, root: &Root) -> Result<(Dealt, SignedDeal), CeremonyError> {
    let identity = Identity::derive(root)?;
    let plan = folder.ceremony()?.plan.clone();
    let planned = Planned::accept(identity, plan, None)?;
    planned.deal().map_err(|refused| CeremonyError::Fault(refused.fault))
}

/// Notes my deal in the journal, before it is kept. A file of mine that is here, and of which the journal knows nothing,
/// came back from others: this folder is older than that, as one from a backup is, and may have certified since. So is one
/// that finds anybody's certify file for which this very deal was needed. A certify file for other deals says nothing:
/// whoever is in the plan can sign one at any time.
fn note_deal(folder: &mut Folder, deal: &SignedDeal) -> Result<(), CeremonyError> {
    let me = deal.sender();
    let noted = folder.events().iter().any(|event| matches!(event, Event::Dealt { .. }));
    let collection = folder.ceremony()?;
    let came_back = collection.deals.of(me).is_some()
        || collection.precommits.iter().any(|one| one.sender() == me)
        || was_certified(collection, deal)
        || !collection.certificates.is_empty()
        || collection.complaints.iter().any(|one| one.complainer() == me);
    if came_back && !noted {
        folder.dir().mark_restored()?;
    }
    folder.record(Event::Dealt { deal: *deal.hash() })
}

/// Whether somebody certified this deal of mine, together with the deals of the others that are here.
fn was_certified(collection: &Collection, mine: &SignedDeal) -> bool {
    let mut deals = collection.deals.clone();
    let is_whole = deals.insert(mine.clone()).is_ok() && deals.missing(&collection.plan).is_empty();
    let transcript = is_whole.then(|| deals.transcript(&collection.plan));
    let by_me = |one: &SignedCertify| one.sender() == mine.sender();
    collection.certifies.iter().any(|one| by_me(one) || Some(*one.transcript()) == transcript)
}

/// My own certify file for these deals. One for other deals means that an earlier state was restored, or that somebody has
/// two faces (E30).
fn certified_before(
    collection: &Collection,
    me: Identifier,
    transcript: &[u8; 32],
) -> Result<Option<SignedCertify>, CeremonyError> {
    let mut mine = collection.certifies.iter().filter(|certify| certify.sender() == me);
    if mine.any(|certify| certify.transcript() != transcript) {
        return Err(Fault::new(Check::JournalTranscript, Culprit::Undecided).into());
    }
    Ok(collection.certifies.iter().find(|certify| certify.sender() == me).cloned())
}

/// The operator key that the plan asks for.
fn signer<'a>(
    collection: &Collection,
    me: Identifier,
    key: Option<&'a OperatorPrivateKey>,
) -> Result<Option<&'a dyn OperatorSigner>, CeremonyError> {
    let participant = collection.plan.participant(me.get());
    let binding = participant.and_then(|one| one.card.binding());
    let Some(binding) = binding.filter(|_| collection.plan.parameters().operator_proofs) else { return Ok(None) };
    let key = key.ok_or(CeremonyError::NoOperatorKey)?;
    let own = key.public().map_err(|error| CeremonyError::OperatorKey(me, error))?.to_spki_der();
    if own == binding.spki { Ok(Some(key)) } else { Err(CeremonyError::OtherOperatorKey(me)) }
}

/// What a refused certification means for the ceremony: an end with evidence, or a complaint that is due.
fn refusal(collection: &Collection, fault: Fault) -> CeremonyError {
    match (fault.check, fault.culprit) {
        (Check::DealDecode | Check::DealEphemeral | Check::DealConstant, Culprit::Participant(_)) => {
            CeremonyError::Ended(Box::new(collection.end_by(fault)))
        }
        _ => CeremonyError::Fault(fault),
    }
}

fn send(folder: &Folder, kind: CeremonyFile, me: Identifier, bytes: &[u8]) -> Result<Sent, CeremonyError> {
    let (name, new) = folder.export(kind, me, bytes)?;
    Ok(Sent { kind, name, new })
}
