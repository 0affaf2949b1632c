//! One participant's folder, opened: its journal, the plan that it accepted, and what was taken in so far.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dvkey_ceremony::agdkg::bundle::Bundle;
use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::agdkg::certificate::Certificate;
use dvkey_ceremony::agdkg::certify::SignedCertify;
use dvkey_ceremony::agdkg::choice::Told;
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::SignedDeal;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::journal::{Event, Journal};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::agdkg::vault;
use dvkey_ceremony::fault::{Check, Culprit, Fault};
use dvkey_ceremony::{Identifier, SecretBytes};

use super::collection::{Collection, End, Taken, deals_first};
use super::gather::{Aside, Blob, Gathered, gather_if_there, gather_kept};
use super::{CeremonyError, Missing};
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::format::ceremony_file::{CeremonyFile, card_name, kept_name, sent_name, short};
use crate::store::ceremony_dir::CeremonyDir;
use crate::store::read::{DirEntryFact, EntryKind, Source, list_dir, read_bounded};

/// What a person accepted stays accepted: the waivers were decided then.
const DECIDED: Waivers = Waivers { two_quorums: true, unbound_operators: true };

/// Plans that were never accepted cost a folder room: no more than so many are kept.
const MOST_PLANS: usize = 16;
/// The same of cards.
const MOST_CARDS: usize = 256;
/// How the names of the lists begin that say which deals were certified.
const NOTED: &str = "certified-deals";
/// Larger than any such list.
const MOST_NOTED: u64 = 16 << 10;

/// A participant's folder.
pub struct Folder {
    dir: CeremonyDir,
    journal: Journal,
    lines: String,
    collection: Option<Collection>,
    cards: Vec<Card>,
    plans: Vec<Vec<u8>>,
}

/// What an import found.
#[derive(Debug, Default)]
pub struct Imported {
    /// Each file with what became of it, but for those that were known.
    pub taken: Vec<(String, CeremonyFile, Taken)>,
    /// How many more are of other ceremonies, of strangers, or damaged.
    pub more_refused: usize,
    /// How many were known already.
    pub known: usize,
    /// What could not be read, and why.
    pub aside: Vec<(String, Aside)>,
    /// Bindings of operators.
    pub bindings: Vec<(String, dvkey_ceremony::agdkg::card::OperatorBinding)>,
}

impl Folder {
    /// Opens it. Nobody else works in it until this is dropped.
    ///
    /// # Errors
    /// [`CeremonyError`]: no vault, a damaged journal (C-90), no permission.
    pub fn open(path: &Path) -> Result<Self, CeremonyError> {
        let folder = Self::load(CeremonyDir::open(path)?)?;
        // A vault that was not made here came from elsewhere, as a copy, whatever else this folder knows. It is marked before
        // anything is taken in.
        if !folder.dir.is_home() {
            folder.dir.mark_restored()?;
        }
        Ok(folder)
    }

    /// The same, from a folder that was just made.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn load(dir: CeremonyDir) -> Result<Self, CeremonyError> {
        let damaged = || CeremonyError::Fault(Fault::new(Check::JournalForm, Culprit::Undecided));
        let lines = String::from_utf8(dir.journal()?).map_err(|_| damaged())?;
        let journal = Journal::parse(&lines)?;
        let (cards, plans) = (Vec::new(), Vec::new());
        let mut folder = Self { dir, journal, lines, collection: None, cards, plans };
        let kept = folder.dir.kept();
        folder.remember(&gather_kept(&kept, None));
        folder.choose_plan()?;
        let noted = folder.noted_deals();
        if let Some(collection) = &mut folder.collection {
            collection.tell(noted);
            collection.take_all(&gather_kept(&kept, Some(&collection.plan)));
        }
        Ok(folder)
    }

    /// The disk side of it.
    #[must_use]
    pub fn dir(&self) -> &CeremonyDir {
        &self.dir
    }

    /// The plan that was accepted last, with its files; `None` before the first.
    #[must_use]
    pub fn collection(&self) -> Option<&Collection> {
        self.collection.as_ref()
    }

    /// The same where a plan is needed.
    ///
    /// # Errors
    /// [`CeremonyError::NoPlan`].
    pub fn ceremony(&self) -> Result<&Collection, CeremonyError> {
        self.collection.as_ref().ok_or(CeremonyError::NoPlan)
    }

    /// My own card, where it is known: the one that the plan has, or the last that was made here.
    #[must_use]
    pub fn card(&self, identity: &Identity) -> Option<&Card> {
        let mut mine = self.cards.iter().filter(|card| identity.owns(card));
        // A bound card replaces the one that it was made from.
        let bound = self.cards.iter().find(|card| identity.owns(card) && card.binding().is_some());
        bound.or_else(|| mine.next())
    }

    /// My card as a plan has to list it, bound to an operator: the one that the plan lists, if it has the same operator key
    /// as the last that was made here, which lies in the outbox. `None` where no card of mine is bound: a vault made again
    /// from words has a card without its operator, and the plan's own stands then.
    #[must_use]
    pub fn bound_card(&self, identity: &Identity, plan: &Plan) -> Option<Card> {
        let bound = |card: &&Card| identity.owns(card) && card.binding().is_some();
        let out: Vec<_> = cards_in(&self.dir.outbox()).into_iter().map(|(_, card)| card).collect();
        let last = out.iter().find(bound);
        let operator = |card: &Card| card.binding().map(|one| (one.chain_id, one.operator, one.spki.clone()));
        let same = |card: &&Card| last.is_none_or(|last| operator(last) == operator(card));
        let listed = |card: &&Card| plan.participants().iter().any(|one| one.card == **card);
        let mine = || self.cards.iter().filter(bound);
        mine().filter(same).find(listed).or(last).or_else(|| mine().next()).cloned()
    }

    /// Puts my card into the outbox, and takes those before it out: an organizer that gets two asks which is meant. They
    /// stay among the files that are kept. Where it lies is said.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn export_card(&self, card: &Card) -> Result<PathBuf, CeremonyError> {
        let name = card_name(card.label(), card.as_bytes());
        self.dir.export(&name, card.as_bytes())?;
        for (path, before) in cards_in(&self.dir.outbox()) {
            let is_mine = before.sign_pk() == card.sign_pk() && before != *card;
            if let Some(old) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_mine) {
                self.dir.withdraw(old)?;
            }
        }
        Ok(self.dir.outbox().join(name))
    }

    /// The cards that are kept here.
    #[must_use]
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The plans that are kept here, accepted or not.
    #[must_use]
    pub fn plans(&self) -> &[Vec<u8>] {
        &self.plans
    }

    /// The plans that are kept here, accepted or not, as far as they are lawful.
    #[must_use]
    pub fn known_plans(&self) -> Vec<Plan> {
        self.plans.iter().filter_map(|bytes| Plan::parse(bytes, DECIDED, &CeremonyRsa).ok()).collect()
    }

    /// Plans that are here, were never accepted, and list the card that I have in the one that is going on.
    #[must_use]
    pub fn offered_plans(&self) -> Vec<Plan> {
        let key = |plan: &Plan, id: Identifier| plan.participant(id.get()).map(|one| *one.card.sign_pk().as_bytes());
        let Some(mine) = self.me_by_journal().zip(self.collection.as_ref()).and_then(|(me, now)| key(&now.plan, me))
        else {
            return Vec::new();
        };
        let is_offered = |plan: &Plan| {
            plan.participants().iter().any(|one| *one.card.sign_pk().as_bytes() == mine)
                && self.journal.events(plan.hash()).next().is_none()
        };
        self.known_plans().into_iter().filter(is_offered).collect()
    }

    /// What happened in the ceremony that is going on.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let plan = self.collection.as_ref().map(|collection| *collection.plan.hash());
        plan.map(|plan| self.journal.events(&plan).copied().collect()).unwrap_or_default()
    }

    /// Who I am in the plan, once I dealt: whose deal is the one that the journal says I made. The vault is not needed for
    /// this, and what others put into the outbox changes nothing.
    #[must_use]
    pub fn me_by_journal(&self) -> Option<Identifier> {
        let collection = self.collection.as_ref()?;
        let made = self.events().into_iter().find_map(|event| match event {
            Event::Dealt { deal } => Some(deal),
            _ => None,
        })?;
        let others = collection.others.values().flatten();
        collection.deals.iter().chain(others).find(|deal| *deal.hash() == made).map(SignedDeal::sender)
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// [`CeremonyError`]: C-86, C-87.
    pub fn unlock(&self, passphrase: &SecretBytes) -> Result<Root, CeremonyError> {
        Ok(vault::open(&self.dir.vault()?, passphrase)?.root)
    }

    /// Takes in whatever is new in the inbox and at these places. Each file that belongs here is kept durably first.
    ///
    /// # Errors
    /// [`CeremonyError`] when a file cannot be kept. No content of a file is an error.
    pub fn import(&mut self, places: &[PathBuf]) -> Result<Imported, CeremonyError> {
        let mut all = vec![self.dir.inbox()];
        all.extend_from_slice(places);
        let found = gather_if_there(&all, self.collection.as_ref().map(|collection| &collection.plan));
        let mut imported = Imported { more_refused: found.more_refused, ..Imported::default() };
        if let Some(collection) = &mut self.collection {
            collection.tell(found.told);
        }
        for (origin, kind, fault) in found.refused {
            imported.taken.push((origin, kind, Taken::refused(fault)));
        }
        for blob in deals_first(&found.blobs) {
            match self.take(blob)? {
                Taken::Known => imported.known += 1,
                taken => imported.taken.push((blob.origin.clone(), blob.kind, taken)),
            }
        }
        if self.collection.as_mut().is_some_and(Collection::settle) {
            self.keep_settled()?;
        }
        self.keep_certifies()?;
        imported.aside = found.aside;
        imported.bindings = found.bindings;
        Ok(imported)
    }

    fn take(&mut self, blob: &Blob) -> Result<Taken, CeremonyError> {
        match blob.kind {
            CeremonyFile::Card => return self.take_card(blob),
            CeremonyFile::Plan => {
                if self.plans.contains(&blob.bytes) {
                    return Ok(Taken::Known);
                }
                if self.plans.len() >= MOST_PLANS {
                    return Ok(Taken::TooMany);
                }
                return match Plan::parse(&blob.bytes, DECIDED, &CeremonyRsa) {
                    Ok(_) => {
                        self.keep(blob.kind, &blob.bytes)?;
                        self.plans.push(blob.bytes.clone());
                        Ok(Taken::New(None))
                    }
                    Err(fault) => Ok(Taken::Damaged(fault)),
                };
            }
            _ => {}
        }
        let Some(collection) = &mut self.collection else {
            // Before a plan is accepted nobody can tell what belongs to it. The file stays where it is.
            return Ok(Taken::OtherCeremony);
        };
        let taken = collection.take(blob.kind, &blob.bytes);
        // Of an author's certify files a few are kept, once all have been seen.
        if matches!(taken, Taken::New(_) | Taken::Evidence(_)) && blob.kind != CeremonyFile::Certify {
            self.keep(blob.kind, &blob.bytes)?;
        }
        Ok(taken)
    }

    /// Keeps the deals and pre-commits that everybody certified, in place of others of theirs, and notes which they are.
    fn keep_settled(&self) -> Result<(), CeremonyError> {
        let Some(collection) = &self.collection else { return Ok(()) };
        let mut names = BTreeSet::new();
        let deals = collection.deals.iter().chain(collection.others.values().flatten());
        let deals = deals.map(|deal| (CeremonyFile::Deal, deal.as_bytes()));
        let precommits = collection.precommits.iter().map(|one| (CeremonyFile::Precommit, one.as_bytes()));
        for (kind, bytes) in deals.chain(precommits) {
            self.keep(kind, bytes)?;
            names.insert(kept_name(kind, bytes));
        }
        self.note_deals()?;
        let events = self.events();
        let is_mine = |deal: &SignedDeal| events.contains(&Event::Dealt { deal: *deal.hash() });
        self.drop_kept(CeremonyFile::Deal, &names, &|plan, bytes| {
            SignedDeal::parse(plan, bytes).is_ok_and(|deal| !is_mine(&deal))
        })?;
        self.drop_kept(CeremonyFile::Precommit, &names, &|plan, bytes| Precommit::parse(plan, bytes).is_ok())
    }

    /// Notes which deals were certified. A transcript does not tell what it was made of, and whoever signs more of them later
    /// could keep this folder from finding out.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn note_deals(&self) -> Result<(), CeremonyError> {
        let collection = self.ceremony()?;
        let Some(transcript) = collection.transcript() else { return Ok(()) };
        let lines = collection.deals.iter().map(|deal| format!("{} {}\n", deal.sender(), hex::encode(deal.hash())));
        let name = format!("{NOTED}-{}.txt", short(&transcript));
        self.dir.keep(&name, lines.collect::<String>().as_bytes())?;
        Ok(())
    }

    /// The deals that were certified, as they were noted. Whatever somebody wrote there instead makes no transcript.
    fn noted_deals(&self) -> Vec<Told> {
        let entries = list_dir(&self.dir.kept()).unwrap_or_default();
        let is_note = |entry: &DirEntryFact| entry.kind == EntryKind::File && entry.name.starts_with(NOTED);
        let read = |entry: DirEntryFact| {
            let text = String::from_utf8(read_bounded(&Source::File(entry.path), MOST_NOTED).ok()?).ok()?;
            let line = |line: &str| {
                let (sender, hash) = line.split_once(' ')?;
                let hash: [u8; 32] = hex::decode(hash).ok()?.try_into().ok()?;
                Some((sender.parse().ok()?, BTreeSet::from([hash])))
            };
            text.lines().map(line).collect()
        };
        entries.into_iter().filter(is_note).take(MOST_PLANS).filter_map(read).collect()
    }

    /// Drops what is kept of one kind, if it is of this plan, is none of these, and nobody minds.
    fn drop_kept(
        &self,
        kind: CeremonyFile,
        names: &BTreeSet<String>,
        may_go: &dyn Fn(&Plan, &[u8]) -> bool,
    ) -> Result<(), CeremonyError> {
        let Some(collection) = &self.collection else { return Ok(()) };
        for entry in list_dir(&self.dir.kept())?.into_iter().filter(|entry| !names.contains(&entry.name)) {
            // A folder or a pipe of such a name is none of ours, and must stop nobody.
            if entry.kind != EntryKind::File || !entry.name.starts_with(kind.stem()) {
                continue;
            }
            // Those of another plan are another ceremony's; what is damaged tells nothing.
            // What cannot be read, or is larger than any of its kind, is none of ours and stops nobody, either.
            let Ok(bytes) = read_bounded(&Source::File(entry.path), kind.most_bytes()) else { continue };
            if may_go(&collection.plan, &bytes) {
                self.dir.drop_kept(&entry.name)?;
            }
        }
        Ok(())
    }

    /// Keeps the certify files that count, and no others of this plan: an author can sign them without end. What I certified
    /// stays, whoever else has my key.
    fn keep_certifies(&self) -> Result<(), CeremonyError> {
        let Some(collection) = &self.collection else { return Ok(()) };
        let mut names = BTreeSet::new();
        for file in collection.certifies.iter() {
            self.keep(CeremonyFile::Certify, file.as_bytes())?;
            names.insert(kept_name(CeremonyFile::Certify, file.as_bytes()));
        }
        let (me, events) = (self.me_by_journal(), self.events());
        let is_mine = |file: &SignedCertify| {
            let mine =
                |event: &Event| matches!(event, Event::Certified { transcript, .. } if transcript == file.transcript());
            Some(file.sender()) == me && events.iter().any(mine)
        };
        self.drop_kept(CeremonyFile::Certify, &names, &|plan, bytes| {
            SignedCertify::parse(plan, bytes).is_ok_and(|file| !is_mine(&file))
        })
    }

    fn take_card(&mut self, blob: &Blob) -> Result<Taken, CeremonyError> {
        match Card::parse(&blob.bytes, &CeremonyRsa) {
            Ok(card) if self.cards.contains(&card) => Ok(Taken::Known),
            Ok(_) if self.cards.len() >= MOST_CARDS => Ok(Taken::TooMany),
            Ok(card) => {
                self.keep(CeremonyFile::Card, &blob.bytes)?;
                self.cards.push(card);
                Ok(Taken::New(None))
            }
            Err(fault) => Ok(Taken::Damaged(fault)),
        }
    }

    /// Keeps a file of my own, and knows it from now on.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn keep_own(&mut self, kind: CeremonyFile, bytes: &[u8]) -> Result<(), CeremonyError> {
        self.keep(kind, bytes)?;
        if kind == CeremonyFile::Card {
            let card = Card::parse(bytes, &CeremonyRsa)?;
            self.cards.retain(|known| *known != card);
            self.cards.push(card);
        } else if let Some(collection) = &mut self.collection {
            collection.take(kind, bytes);
        }
        Ok(())
    }

    /// Puts a file of this plan into the outbox; says its name, and whether it is new there.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn export(&self, kind: CeremonyFile, id: Identifier, bytes: &[u8]) -> Result<(String, bool), CeremonyError> {
        let name = sent_name(self.ceremony()?.plan.hash(), kind, id.get());
        let new = self.dir.export(&name, bytes)?;
        Ok((name, new))
    }

    /// Whether the outbox has this file of this plan, byte for byte.
    #[must_use]
    pub fn is_out(&self, kind: CeremonyFile, id: Identifier, bytes: &[u8]) -> bool {
        let Some(collection) = &self.collection else { return false };
        self.dir.is_out(&sent_name(collection.plan.hash(), kind, id.get()), bytes)
    }

    /// Puts evidence into the outbox; says its name, which is another one for each check that somebody failed.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn export_evidence(&self, end: &End) -> Result<Option<String>, CeremonyError> {
        if end.evidence.is_empty() {
            return Ok(None);
        }
        let against = match end.fault.culprit {
            Culprit::Participant(id) | Culprit::CardOf(id) => id.to_string(),
            _ => "all".to_owned(),
        };
        let (plan, check) = (short(self.ceremony()?.plan.hash()), end.fault.check.number());
        let name = format!("{plan}-evidence-{against}-c{check:02}.agdkg");
        self.dir.export(&name, &end.evidence)?;
        Ok(Some(name))
    }

    /// Notes that the human confirmed a plan, keeps it, and goes on with it from now.
    ///
    /// # Errors
    /// [`CeremonyError`]: C-22 when I am not in it; [`CeremonyError::OldPlan`].
    pub fn accept(
        &mut self,
        plan: Plan,
        identity: &Identity,
        mine: Option<&Card>,
    ) -> Result<Identifier, CeremonyError> {
        let me = plan.accept(identity, mine)?;
        self.keep(CeremonyFile::Plan, plan.as_bytes())?;
        if !self.plans.iter().any(|known| known == plan.as_bytes()) {
            self.plans.push(plan.as_bytes().to_vec());
        }
        let hash = *plan.hash();
        self.note(&hash, Event::Accepted)?;
        if self.journal.last_accepted() != Some(hash) {
            return Err(CeremonyError::OldPlan);
        }
        if self.collection.as_ref().is_none_or(|collection| collection.plan != plan) {
            let kept = gather_kept(&self.dir.kept(), Some(&plan));
            self.collection = Some(Collection::of(plan, &kept));
        }
        Ok(me)
    }

    /// Notes an event of the ceremony that is going on, durably, before anything that follows from it is handed on.
    ///
    /// # Errors
    /// [`CeremonyError`]: C-91, C-92, C-95; or the journal could not be written.
    pub fn record(&mut self, event: Event) -> Result<(), CeremonyError> {
        let plan = *self.ceremony()?.plan.hash();
        self.note(&plan, event)
    }

    fn note(&mut self, plan: &[u8; 32], event: Event) -> Result<(), CeremonyError> {
        let mut journal = self.journal.clone();
        let Some(line) = journal.append(plan, event)? else { return Ok(()) };
        let lines = format!("{}{line}", self.lines);
        self.dir.write_journal(lines.as_bytes())?;
        (self.journal, self.lines) = (journal, lines);
        Ok(())
    }

    /// Who I am in the plan, from the public keys alone.
    ///
    /// # Errors
    /// [`CeremonyError`]: no plan, or C-22.
    pub fn me(&self, identity: &Identity) -> Result<Identifier, CeremonyError> {
        Ok(self.ceremony()?.plan.accept(identity, None)?)
    }

    /// Refuses to go on when something ended the ceremony.
    ///
    /// # Errors
    /// [`CeremonyError::Ended`], with the evidence in the outbox.
    pub fn must_go_on(&self) -> Result<(), CeremonyError> {
        let ends = self.ceremony()?.ends();
        for end in &ends {
            self.export_evidence(end)?;
        }
        // All of it is handed on, and the first is told.
        ends.into_iter().next().map_or(Ok(()), |end| Err(CeremonyError::Ended(Box::new(end))))
    }

    /// Refuses to go on with other deals than those that I certified, by the journal: one of two that everybody certified,
    /// but not the one that I did, is a copy's of this folder.
    ///
    /// # Errors
    /// [`CeremonyError`]: C-91.
    pub fn must_be_as_certified(&self) -> Result<(), CeremonyError> {
        let here = self.ceremony()?.transcript();
        let differs = |event: &Event| matches!(event, Event::Certified { transcript, .. } if Some(*transcript) != here);
        match self.events().iter().any(differs) {
            true => Err(Fault::new(Check::JournalTranscript, Culprit::Undecided).into()),
            false => Ok(()),
        }
    }

    /// Refuses to go on while somebody complains about a deal that is not the one that is here.
    ///
    /// # Errors
    /// [`CeremonyError::OtherDeal`].
    pub fn must_have_no_open_complaint(&self) -> Result<(), CeremonyError> {
        match self.ceremony()?.open_complaints().first() {
            None => Ok(()),
            Some(complaint) => {
                Err(CeremonyError::OtherDeal { complainer: complaint.complainer(), accused: complaint.accused() })
            }
        }
    }

    /// All deals are there in full, and all pre-commits that the plan asks for.
    ///
    /// # Errors
    /// [`CeremonyError::Waiting`].
    pub fn must_have_deals(&self) -> Result<(), CeremonyError> {
        let collection = self.ceremony()?;
        for (what, from) in
            [(Missing::Precommits, collection.missing_precommits()), (Missing::Deals, collection.missing_deals())]
        {
            if !from.is_empty() {
                return Err(CeremonyError::Waiting { what, from });
            }
        }
        Ok(())
    }

    fn keep(&self, kind: CeremonyFile, bytes: &[u8]) -> Result<(), CeremonyError> {
        self.dir.keep(&kept_name(kind, bytes), bytes)?;
        Ok(())
    }

    fn remember(&mut self, kept: &Gathered) {
        for blob in kept.of(CeremonyFile::Card) {
            self.cards.extend(Card::parse(&blob.bytes, &CeremonyRsa));
        }
        self.plans.extend(kept.of(CeremonyFile::Plan).map(|blob| blob.bytes.clone()));
    }

    fn choose_plan(&mut self) -> Result<(), CeremonyError> {
        let Some(accepted) = self.journal.last_accepted() else { return Ok(()) };
        for bytes in &self.plans {
            if let Ok(plan) = Plan::parse(bytes, DECIDED, &CeremonyRsa)
                && *plan.hash() == accepted
            {
                self.collection = Some(Collection::new(plan));
                return Ok(());
            }
        }
        // The plan is kept before the journal names it: whoever lost it gives it again.
        Ok(())
    }
}

/// Whether these bytes are a public file of a ceremony to the last of them, or a bundle of such: a card, a plan, or one that
/// is signed in one of these plans. What only begins like one may hold anything.
#[must_use]
pub fn is_public(bytes: &[u8], plans: &[Plan]) -> bool {
    let by_plan = |parses: &dyn Fn(&Plan) -> bool| plans.iter().any(parses);
    match CeremonyFile::of(bytes) {
        None | Some(CeremonyFile::Vault) => false,
        Some(CeremonyFile::Card) => Card::parse(bytes, &CeremonyRsa).is_ok(),
        Some(CeremonyFile::Plan) => Plan::parse(bytes, DECIDED, &CeremonyRsa).is_ok(),
        Some(CeremonyFile::Precommit) => by_plan(&|plan| Precommit::parse(plan, bytes).is_ok()),
        Some(CeremonyFile::Deal | CeremonyFile::RedactedDeal) => {
            by_plan(&|plan| SignedDeal::parse(plan, bytes).is_ok())
        }
        Some(CeremonyFile::Certify) => by_plan(&|plan| SignedCertify::parse(plan, bytes).is_ok()),
        Some(CeremonyFile::Complaint) => by_plan(&|plan| Complaint::parse(plan, bytes).is_ok()),
        Some(CeremonyFile::Certificate) => by_plan(&|plan| Certificate::parse(plan, bytes).is_ok()),
        Some(CeremonyFile::Bundle) => Bundle::parse(bytes).is_ok_and(|bundle| {
            let Bundle { plans: listed, precommits, deals, certifies, complaints, certificates, others } = bundle;
            let signed = [precommits, deals, certifies, complaints, certificates, others];
            let is_bundle = |file: &&[u8]| CeremonyFile::of(file) == Some(CeremonyFile::Bundle);
            let parts = || listed.iter().chain(signed.iter().flatten());
            // A bundle of another plan brings that along.
            let own = listed.iter().filter_map(|file| Plan::parse(file, DECIDED, &CeremonyRsa).ok());
            let all: Vec<Plan> = own.chain(plans.iter().cloned()).collect();
            parts().all(|file| !is_bundle(file) && is_public(file, &all))
        }),
    }
}

/// The cards that lie in a folder, each with the file that holds it and nothing else, bytes or text.
#[must_use]
pub fn cards_in(folder: &Path) -> Vec<(PathBuf, Card)> {
    let entries = list_dir(folder).unwrap_or_default();
    let card = |path: PathBuf| {
        let found = gather_if_there(std::slice::from_ref(&path), None);
        match found.blobs.as_slice() {
            [blob] if blob.kind == CeremonyFile::Card && found.refused.is_empty() => {
                Some((path, Card::parse(&blob.bytes, &CeremonyRsa).ok()?))
            }
            _ => None,
        }
    };
    entries.into_iter().filter(|entry| entry.kind == EntryKind::File).filter_map(|entry| card(entry.path)).collect()
}

/// Finds the one plan among some files.
///
/// # Errors
/// [`CeremonyError::NoPlan`], [`CeremonyError::SeveralPlans`], or the fault of the only one that there is.
pub fn the_plan(gathered: &Gathered, wanted: Option<&[u8]>, waivers: Waivers) -> Result<Plan, CeremonyError> {
    if let Some(bytes) = wanted {
        return Ok(Plan::parse(bytes, waivers, &CeremonyRsa)?);
    }
    let mut plans = Vec::new();
    let mut refused = None;
    for blob in gathered.of(CeremonyFile::Plan) {
        match Plan::parse(&blob.bytes, waivers, &CeremonyRsa) {
            Ok(plan) => plans.push((plan, &blob.origin)),
            Err(fault) => refused = Some(fault),
        }
    }
    match (plans.len(), refused) {
        (0, Some(fault)) => Err(fault.into()),
        (0, None) => Err(CeremonyError::NoPlan),
        (1, _) => plans.pop().map(|(plan, _)| plan).ok_or(CeremonyError::NoPlan),
        _ => Err(CeremonyError::SeveralPlans(
            plans
                .iter()
                .map(|(plan, origin)| (short(plan.hash()), (*origin).clone(), plan.parameters().title.clone()))
                .collect(),
        )),
    }
}
