//! The files of one plan, as far as they are there: each is taken, known already, or left alone for a stated reason.

use std::collections::{BTreeMap, BTreeSet};

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::bundle;
use dvkey_ceremony::agdkg::certificate::Certificate;
use dvkey_ceremony::agdkg::certify::{Certifies, MAX_FILES_OF_ONE, SignedCertify};
use dvkey_ceremony::agdkg::choice::{self, MOST_DEALS_OF_ONE, Offer, Told};
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::judge::{Verdict, judge};
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::agdkg::redact::redact;
use dvkey_ceremony::agdkg::transcript::{Deals, Equivocation};
use dvkey_ceremony::fault::{Check, Code, Culprit, Fault};

use super::gather::{Blob, Gathered};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::format::ceremony_file::{CeremonyFile, same_statement};

/// So many certify files for other deals are kept of one author: enough to show that there are such.
const MOST_FOR_OTHER_DEALS: usize = 3;
/// So many pre-commits of one sender are kept: its deal can match one of them only, which is evidence enough.
const MOST_PRECOMMITS_OF_ONE: usize = 2;
/// As long as deals make no more transcripts than this, a certify file for others is told from one for these.
const MOST_TRANSCRIPTS: u32 = 1 << 12;

/// What became of a file that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new, and kept.
    New(Option<Identifier>),
    /// It was there already.
    Known,
    /// It was made for another ceremony.
    OtherCeremony,
    /// It is of somebody who is not in the plan.
    Stranger,
    /// Length, signature or form is wrong: damaged on the way, or forged. It accuses nobody.
    Damaged(Fault),
    /// It proves, with another file, that its sender is guilty; kept as evidence.
    Evidence(Fault),
    /// There are enough of this kind from its author.
    TooMany,
}

impl Taken {
    /// What becomes of a file of which this is wrong.
    #[must_use]
    pub fn refused(fault: Fault) -> Self {
        match fault.code() {
            Code::E03 => Self::OtherCeremony,
            Code::E04 => Self::Stranger,
            _ if fault.check == Check::ComplaintParties => Self::Stranger,
            _ => Self::Damaged(fault),
        }
    }
}

/// What ended a ceremony, with the files that prove it to anybody.
#[derive(Clone, Debug)]
pub struct End {
    /// What is wrong, and whose fault it is.
    pub fault: Fault,
    /// The files that prove it, in one bundle; empty where nothing is proven.
    pub evidence: Vec<u8>,
}

/// Files of one plan.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The plan.
    pub plan: Plan,
    /// Deals, one for each sender.
    pub deals: Deals,
    /// Pre-commits.
    pub precommits: Vec<Precommit>,
    /// Certify files.
    pub certifies: Certifies,
    /// Complaints.
    pub complaints: Vec<Complaint>,
    /// Certificates that every participant signed.
    pub certificates: Vec<Certificate>,
    /// Of those who signed several deals, the ones that are not in `deals`: a few, in the order in which they came.
    pub others: BTreeMap<Identifier, Vec<SignedDeal>>,
    /// Whether everybody certified these deals, and all of it holds, although there are others: see [`Collection::settle`].
    settled: bool,
    /// Every transcript that one deal of each sender makes, once all are there.
    transcripts: BTreeSet<[u8; 32]>,
    /// Which deals belong together, as far as that was said.
    told: Vec<Told>,
    /// What is more than is kept of one participant, until it is known whether a complete certificate needs it.
    beyond: Beyond,
}

/// What is more than is kept of one participant.
#[derive(Clone, Debug, Default)]
struct Beyond {
    deals: Vec<SignedDeal>,
    precommits: Vec<Precommit>,
    certifies: Vec<SignedCertify>,
}

impl Beyond {
    fn is_empty(&self) -> bool {
        self.deals.is_empty() && self.precommits.is_empty() && self.certifies.is_empty()
    }
}

/// Deals before all else: they tell which certify files are for these, and are to be kept.
pub(super) fn deals_first<'a>(blobs: impl IntoIterator<Item = &'a Blob>) -> impl Iterator<Item = &'a Blob> {
    let is_deal = |blob: &&Blob| matches!(blob.kind, CeremonyFile::Deal | CeremonyFile::RedactedDeal);
    let (deals, others): (Vec<_>, Vec<_>) = blobs.into_iter().partition(is_deal);
    deals.into_iter().chain(others)
}

impl Collection {
    /// Nothing yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            deals: Deals::default(),
            precommits: Vec::new(),
            certifies: Certifies::default(),
            complaints: Vec::new(),
            certificates: Vec::new(),
            others: BTreeMap::new(),
            settled: false,
            transcripts: BTreeSet::new(),
            told: Vec::new(),
            beyond: Beyond::default(),
        }
    }

    /// Takes what is of this plan among some files.
    #[must_use]
    pub fn of(plan: Plan, found: &Gathered) -> Self {
        let mut collection = Self::new(plan);
        collection.take_all(found);
        collection
    }

    /// Takes files, deals first.
    pub fn take_all(&mut self, found: &Gathered) {
        self.tell(found.told.iter().cloned());
        for blob in deals_first(&found.blobs) {
            self.take(blob.kind, &blob.bytes);
        }
        self.settle();
    }

    /// Notes which deals are said to belong together: those of one bundle, those that were certified here before. It is
    /// believed as far as the transcript shows it.
    pub fn tell(&mut self, told: impl IntoIterator<Item = Told>) {
        self.told.extend(told);
    }

    /// The deals that are here, by sender, for [`Collection::tell`].
    #[must_use]
    pub fn to_tell(&self) -> Told {
        self.deals.iter().map(|deal| (deal.sender(), BTreeSet::from([*deal.hash()]))).collect()
    }

    /// Whether everybody certified these deals, and all of it holds, although somebody signed others, too.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Where somebody signed more than one file of a kind, looks for those that everybody certified: a complete certificate
    /// that holds stands, whatever else is signed, and takes the place of that. To be called once files were taken; says
    /// whether what is kept changed.
    pub fn settle(&mut self) -> bool {
        let beyond = std::mem::take(&mut self.beyond);
        let mismatched = |one: &Precommit| self.deals.of(one.sender()).is_some_and(|deal| one.check(deal).is_err());
        let is_plain = self.others.is_empty() && beyond.is_empty() && !self.precommits.iter().any(mismatched);
        if self.settled || is_plain {
            return false;
        }
        // Without randomness nothing is settled: whoever goes on is told so.
        let Ok(seed) = super::seed() else { return false };
        let deals: Vec<_> = self.deals.iter().chain(self.others.values().flatten()).chain(&beyond.deals).collect();
        let precommits: Vec<_> = self.precommits.iter().chain(&beyond.precommits).cloned().collect();
        let certifies: Vec<_> = self.certifies.iter().chain(&beyond.certifies).collect();
        let offer = Offer { deals: &deals, precommits: &precommits, certifies: &certifies, told: &self.told };
        let Some(settled) = choice::settle(&self.plan, &offer, &seed, &CeremonyRsa) else { return false };
        for chosen in settled.deals.iter() {
            if let Some(before) = self.deals.of(chosen.sender()).filter(|before| before.hash() != chosen.hash()) {
                let others = self.others.entry(chosen.sender()).or_default();
                others.retain(|other| other.hash() != chosen.hash());
                others.insert(0, before.clone());
                others.truncate(MOST_DEALS_OF_ONE - 1);
            }
        }
        for chosen in settled.precommits.iter().filter(|chosen| beyond.precommits.contains(chosen)) {
            let mut of_sender = self.precommits.iter().enumerate().filter(|(_, one)| one.sender() == chosen.sender());
            if let Some((last, _)) = of_sender.nth(MOST_PRECOMMITS_OF_ONE - 1) {
                self.precommits.remove(last);
            }
            self.precommits.push(chosen.clone());
        }
        settled.certifies.iter().for_each(|chosen| self.certifies.insert_needed(chosen.clone()));
        (self.deals, self.settled) = (settled.deals, true);
        true
    }

    /// What files prove against somebody, too late to undo what everybody has certified.
    #[must_use]
    pub fn late(&self) -> Vec<End> {
        if self.settled { self.doubled().collect() } else { Vec::new() }
    }

    /// The pre-commits that count: all, or those to the deals that everybody certified.
    #[must_use]
    pub fn commitments(&self) -> Vec<Precommit> {
        let counts =
            |one: &&Precommit| !self.settled || self.deals.of(one.sender()).is_some_and(|deal| one.check(deal).is_ok());
        self.precommits.iter().filter(counts).cloned().collect()
    }

    /// Senders of two different deals; the first of the two is the one in `deals`.
    pub fn equivocations(&self) -> impl Iterator<Item = Equivocation> + '_ {
        self.others.iter().filter_map(|(sender, others)| {
            Some(Equivocation { first: self.deals.of(*sender)?.clone(), second: others.first()?.clone() })
        })
    }

    /// Every deal of one sender that is kept.
    pub fn deals_of(&self, sender: Identifier) -> impl Iterator<Item = &SignedDeal> {
        self.deals.of(sender).into_iter().chain(self.others.get(&sender).into_iter().flatten())
    }

    /// Senders of two deals, and those who committed to another deal than they sent.
    pub(super) fn doubled(&self) -> impl Iterator<Item = End> {
        let end = |fault, files: [&[u8]; 3]| End { fault, evidence: bundle::encode(&files).unwrap_or_default() };
        let plan = self.plan.as_bytes();
        let twice = self.equivocations();
        let twice = twice.map(move |two| end(two.fault(), [plan, two.first.as_bytes(), two.second.as_bytes()]));
        let mismatched = self.precommits.iter().filter_map(move |one| {
            let deal = self.deals.of(one.sender())?;
            one.check(deal).err().map(|fault| end(fault, [plan, one.as_bytes(), deal.as_bytes()]))
        });
        twice.chain(mismatched)
    }

    /// Takes a file.
    pub fn take(&mut self, kind: CeremonyFile, bytes: &[u8]) -> Taken {
        self.sort(kind, bytes).unwrap_or_else(Taken::refused)
    }

    fn sort(&mut self, kind: CeremonyFile, bytes: &[u8]) -> Result<Taken, Fault> {
        let plan = &self.plan;
        Ok(match kind {
            CeremonyFile::Plan if bytes == plan.as_bytes() => Taken::Known,
            CeremonyFile::Plan => Taken::OtherCeremony,
            CeremonyFile::Card => {
                let listed = plan.participants().iter().any(|one| one.card.as_bytes() == bytes);
                if listed { Taken::Known } else { Taken::Stranger }
            }
            CeremonyFile::Precommit => {
                let precommit = Precommit::parse(plan, bytes)?;
                if self.precommits.contains(&precommit) {
                    return Ok(Taken::Known);
                }
                let sender = precommit.sender();
                let of_sender = self.precommits.iter().filter(|other| other.sender() == sender);
                if of_sender.count() >= MOST_PRECOMMITS_OF_ONE {
                    self.beyond.precommits.push(precommit);
                    return Ok(Taken::TooMany);
                }
                self.precommits.push(precommit);
                Taken::New(Some(sender))
            }
            CeremonyFile::Deal | CeremonyFile::RedactedDeal => self.take_deal(SignedDeal::parse(plan, bytes)?),
            CeremonyFile::Certify => self.take_certify(SignedCertify::parse(plan, bytes)?),
            CeremonyFile::Complaint => {
                let complaint = Complaint::parse(plan, bytes)?;
                // One complaint of each against each is enough.
                let same = |other: &Complaint| {
                    other.complainer() == complaint.complainer() && other.accused() == complaint.accused()
                };
                if self.complaints.contains(&complaint) {
                    return Ok(Taken::Known);
                }
                if self.complaints.iter().any(same) {
                    return Ok(Taken::TooMany);
                }
                let complainer = complaint.complainer();
                self.complaints.push(complaint);
                Taken::New(Some(complainer))
            }
            CeremonyFile::Certificate => {
                let certificate = Certificate::parse(plan, bytes)?;
                if self.certificates.contains(&certificate) {
                    return Ok(Taken::Known);
                }
                // Whoever signed can sign again without end; it says the same.
                let (transcript, root) = (certificate.transcript(), certificate.outputs_root());
                if self.certificates.iter().any(|one| (one.transcript(), one.outputs_root()) == (transcript, root)) {
                    return Ok(Taken::TooMany);
                }
                self.certificates.push(certificate);
                Taken::New(None)
            }
            CeremonyFile::Bundle | CeremonyFile::Vault => Taken::Known,
        })
    }

    /// Of an author's files those stay that came first: whoever can sign more of them without end takes nothing back by
    /// that. Files for other deals are a few, and leave room for those for these. See [`Collection::settle`] for the rest.
    fn take_certify(&mut self, certify: SignedCertify) -> Taken {
        if self.certifies.iter().any(|other| *other == certify) {
            return Taken::Known;
        }
        let (sender, here) = (certify.sender(), &self.transcripts);
        let is_other = |one: &SignedCertify| !here.is_empty() && !here.contains(one.transcript());
        let of_sender = || self.certifies.iter().filter(|one| one.sender() == sender);
        let too_many_others =
            is_other(&certify) && of_sender().filter(|one| is_other(one)).count() >= MOST_FOR_OTHER_DEALS;
        if too_many_others || of_sender().count() >= MAX_FILES_OF_ONE {
            self.beyond.certifies.push(certify);
            return Taken::TooMany;
        }
        self.certifies.insert(certify);
        Taken::New(Some(sender))
    }

    fn take_deal(&mut self, deal: SignedDeal) -> Taken {
        let taken = self.sort_deal(deal);
        if matches!(taken, Taken::New(_) | Taken::Evidence(_)) {
            let deals: Vec<_> = self.deals.iter().chain(self.others.values().flatten()).collect();
            self.transcripts = choice::transcripts(&self.plan, &deals, MOST_TRANSCRIPTS);
            // What was taken before all deals were there could not be told from files for others.
            for certify in std::mem::take(&mut self.certifies).iter() {
                self.take_certify(certify.clone());
            }
        }
        taken
    }

    fn sort_deal(&mut self, deal: SignedDeal) -> Taken {
        let sender = deal.sender();
        let fault = Fault::of(Check::DealTwice, sender);
        let is_whole = |known: &SignedDeal| !known.is_redacted() || deal.is_redacted();
        match self.deals.of(sender) {
            Some(known) if known.hash() != deal.hash() => {}
            Some(known) if is_whole(known) => return Taken::Known,
            _ => {
                // Of the same sender and hash, or the first: this is never refused.
                return self.deals.insert(deal).map_or(Taken::Evidence(fault), |()| Taken::New(Some(sender)));
            }
        }
        let others = self.others.entry(sender).or_default();
        let is_full = others.len() + 1 >= MOST_DEALS_OF_ONE;
        match others.iter_mut().find(|known| known.hash() == deal.hash()) {
            Some(known) if is_whole(known) => Taken::Known,
            Some(known) => {
                *known = deal;
                Taken::Evidence(fault)
            }
            None if is_full => {
                self.beyond.deals.push(deal);
                Taken::TooMany
            }
            None => {
                others.push(deal);
                Taken::Evidence(fault)
            }
        }
    }

    /// Whose deals are missing, or are there without their ciphertexts only.
    #[must_use]
    pub fn missing_deals(&self) -> Vec<Identifier> {
        let whole = |id: &Identifier| self.deals.of(*id).is_some_and(|deal| !deal.is_redacted());
        self.ids().filter(|id| !whole(id)).collect()
    }

    /// Whose pre-commits are missing; nobody's where the plan asks for none.
    #[must_use]
    pub fn missing_precommits(&self) -> Vec<Identifier> {
        if !self.plan.parameters().precommit {
            return Vec::new();
        }
        self.ids().filter(|id| !self.precommits.iter().any(|one| one.sender() == *id)).collect()
    }

    /// Whose certify files are missing. Those for other deals are told by [`Collection::certified_others`].
    #[must_use]
    pub fn missing_certifies(&self) -> Vec<Identifier> {
        self.certifies.missing(&self.plan)
    }

    /// Who certified other deals than those that are here, and not these (C-54); nobody, while deals are missing.
    #[must_use]
    pub fn certified_others(&self) -> Vec<Identifier> {
        let Some(transcript) = self.transcript() else { return Vec::new() };
        let files = |id| self.certifies.iter().filter(move |one| one.sender() == id);
        self.ids()
            .filter(|id| files(*id).next().is_some() && files(*id).all(|f| *f.transcript() != transcript))
            .collect()
    }

    /// Who wrote several certify files, and whether they differ in more than their randomness: in what they certify.
    #[must_use]
    pub fn certified_twice(&self) -> Vec<(Identifier, bool)> {
        let files = |id| self.certifies.iter().filter(move |one| one.sender() == id);
        let differ = |id| {
            let mut files = files(id);
            files.next().is_some_and(|first| !files.all(|other| same_statement(first, other)))
        };
        self.ids().filter(|id| files(*id).nth(1).is_some()).map(|id| (id, differ(id))).collect()
    }

    /// Complaints about a deal that is not the one that is here (C-79): whoever was sent another deal of the same dealer is
    /// its victim, and holds the proof. Whoever certified since has taken its complaint back by that.
    #[must_use]
    pub fn open_complaints(&self) -> Vec<&Complaint> {
        let is_open = |complaint: &&Complaint| {
            let accused = complaint.accused();
            let mut deals = self.deals_of(accused).peekable();
            deals.peek().is_some()
                && deals.all(|deal| deal.hash() != complaint.deal_hash())
                && complaint.complainer() != accused
                && !self.certifies.iter().any(|one| one.sender() == complaint.complainer())
        };
        self.complaints.iter().filter(is_open).collect()
    }

    /// Everybody's id, rising.
    pub fn ids(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.plan.participants().iter().map(|one| one.id)
    }

    /// What everybody calls somebody.
    #[must_use]
    pub fn label(&self, id: Identifier) -> &str {
        self.plan.participant(id.get()).map_or("", |one| one.card.label())
    }

    /// The transcript of the deals, once all are there.
    #[must_use]
    pub fn transcript(&self) -> Option<[u8; 32]> {
        self.deals.missing(&self.plan).is_empty().then(|| self.deals.transcript(&self.plan))
    }

    /// What ended the ceremony, if something did: two deals of one sender or a deal that is not the one committed to, before
    /// everybody had certified, or a complaint that convicts. A complaint that convicts nobody but its author leaves the
    /// ceremony as it is.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.ends().into_iter().next()
    }

    /// The same, and whatever else would have ended it.
    #[must_use]
    pub fn ends(&self) -> Vec<End> {
        let doubled = self.doubled().filter(|_| !self.settled);
        let complaints = self.verdicts().into_iter().filter_map(|(complaint, verdict)| {
            // Whoever certified has proven to hold its shares: its complaint does not revoke that.
            if self.certifies.iter().any(|one| one.sender() == complaint.complainer()) {
                return None;
            }
            let (Verdict::DealerGuilty(fault) | Verdict::AccusedGuilty(fault)) = verdict else { return None };
            let deal = self.deals.of(complaint.accused())?;
            let files = [self.plan.as_bytes(), deal.as_bytes(), complaint.as_bytes()];
            Some(End { fault, evidence: bundle::encode(&files).unwrap_or_default() })
        });
        doubled.chain(complaints).collect()
    }

    /// Every complaint with the verdict on it, where the accused's deal is there in full.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(&Complaint, Verdict)> {
        let judged = |complaint| {
            let deal: &SignedDeal = self.deals.of(Complaint::accused(complaint))?;
            (!deal.is_redacted()).then(|| (complaint, judge(&self.plan, deal.as_bytes(), complaint.as_bytes())))
        };
        self.complaints.iter().filter_map(judged).collect()
    }

    /// A fault that a file on its face proves, as an end with its evidence.
    #[must_use]
    pub fn end_by(&self, fault: Fault) -> End {
        let Culprit::Participant(id) = fault.culprit else { return End { fault, evidence: Vec::new() } };
        let mut files = vec![self.plan.as_bytes()];
        let about_certify = matches!(fault.code(), Code::E21 | Code::E22 | Code::E23);
        if about_certify {
            files.extend(self.deals.iter().map(SignedDeal::as_bytes));
            files.extend(self.certifies.iter().filter(|one| one.sender() == id).map(SignedCertify::as_bytes));
        } else {
            files.extend(self.deals.of(id).map(SignedDeal::as_bytes));
        }
        End { fault, evidence: bundle::encode(&files).unwrap_or_default() }
    }

    /// All files in one: for everybody who may recover from it, or for the public, without the ciphertexts.
    ///
    /// The certify files are those of `chosen`, one for each participant.
    #[must_use]
    pub fn bundle(
        &self,
        chosen: &[&SignedCertify],
        certificate: Option<&Certificate>,
        public: bool,
    ) -> Option<Vec<u8>> {
        let deals: Vec<Vec<u8>> = self
            .deals
            .iter()
            .map(|deal| if public { redact(&self.plan, deal) } else { deal.as_bytes().to_vec() })
            .collect();
        let mut files = vec![self.plan.as_bytes()];
        let mut precommits = self.commitments();
        precommits.sort_by_key(Precommit::sender);
        files.extend(precommits.iter().map(Precommit::as_bytes));
        files.extend(deals.iter().map(Vec::as_slice));
        files.extend(chosen.iter().map(|certify| certify.as_bytes()));
        files.extend(certificate.map(Certificate::as_bytes));
        bundle::encode(&files)
    }
}

#[cfg(test)]
mod tests {
    use dvkey_ceremony::testing::forge;
    use dvkey_ceremony::testing::network::Setup;

    use super::*;

    #[test]
    fn files_for_other_deals_do_not_drive_out_what_was_certified() {
        let setup = Setup::ssv(4, 1);
        let run = setup.run();
        let author = run.plan.participants().get(1).unwrap().id;
        let honest = run.certifies.iter().find(|one| one.sender() == author).unwrap();
        let deals: Vec<_> = run.deals.iter().map(|deal| deal.as_bytes().to_vec()).collect();
        // The transcript stands behind magic, plan and sender.
        let forged: Vec<_> =
            (1..=20_u8).map(|i| forge::changed(&setup.identity(1), honest.as_bytes(), |body| body[48] ^= i)).collect();
        for honest_first in [true, false] {
            let mut files = forged.clone();
            files.insert(if honest_first { 0 } else { files.len() }, honest.as_bytes().to_vec());
            let blob = |kind, bytes: &Vec<u8>| Blob { origin: String::new(), kind, bytes: bytes.clone() };
            // Deals come last, as they do in a folder's order of names.
            let blobs: Vec<_> = files.iter().map(|bytes| blob(CeremonyFile::Certify, bytes)).collect();
            let deals = deals.iter().map(|bytes| blob(CeremonyFile::Deal, bytes));
            let blobs: Vec<_> = blobs.into_iter().chain(deals).collect();
            let mut collection = Collection::new(run.plan.clone());
            for blob in deals_first(&blobs) {
                collection.take(blob.kind, &blob.bytes);
            }
            collection.settle();
            assert!(collection.certifies.iter().any(|one| one == honest));
            assert_eq!(collection.certifies.iter().count(), 1 + MOST_FOR_OTHER_DEALS);
            assert!(collection.certified_others().is_empty());
        }
    }
}
