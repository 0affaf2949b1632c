//! Every file of a ceremony below some paths: by content, whatever it is called, loose, armoured or in bundles.
//!
//! One file is read at a time, and held if it is wanted: a card, a plan, or what a participant of the one plan signed. Of
//! each participant no more is held than [`room`] says, so that no medium, whatever is on it, takes all memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::bundle::Bundle;
use dvkey_ceremony::agdkg::card::OperatorBinding;
use dvkey_ceremony::agdkg::certificate::Certificate;
use dvkey_ceremony::agdkg::certify::{SignedCertify, certify_bytes};
use dvkey_ceremony::agdkg::choice::Told;
use dvkey_ceremony::agdkg::complaint::Complaint;
use dvkey_ceremony::agdkg::deal::{SignedDeal, deal_bytes};
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::agdkg::precommit::Precommit;
use dvkey_ceremony::fault::{Check, Fault};

use super::walk::Walk;
use crate::crypto::digest::Sha256Digest;
use crate::format::ceremony_file::{CeremonyFile, EXTENSION};
use crate::format::{armor, binding};
use crate::store::read::{ReadError, Source, read_bounded, read_head};

/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 64 << 10;
/// The largest text that is searched for armoured files.
const MOST_TEXT: u64 = 64 << 20;
/// So many bytes of texts are searched in all: a file of holes costs nobody a disk, and whoever searches it time.
const MOST_TEXTS: u64 = 256 << 20;
/// So many bytes of other files of a ceremony are read in all.
const MOST_READ: u64 = 4 << 30;
/// So much of all cards and plans is held.
const MOST_CARDS_AND_PLANS: u64 = 64 << 20;
/// So much of all participants is held beside what they need.
const SPARE: u64 = 64 << 20;
/// So many files that are not taken are told of one by one, and so many bundles say which deals belong together.
const MOST_TOLD: usize = 1000;

/// How many bytes of the files that one participant signed are held: two deals, two certify files, and a part of 64 MiB.
#[must_use]
pub fn room(plan: &Plan) -> u64 {
    let certify = plan.participants().iter().map(|one| certify_bytes(plan, one)).max().unwrap_or_default();
    let own = u64::try_from(deal_bytes(plan).saturating_add(certify)).unwrap_or(u64::MAX);
    let n = u64::try_from(plan.participants().len()).unwrap_or(1).max(1);
    own.saturating_mul(2).saturating_add(SPARE / n)
}

/// One file of a ceremony.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Where it was found.
    pub origin: String,
    /// What it says it is.
    pub kind: CeremonyFile,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Why something was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A vault: secret, and at the wrong place.
    Vault,
    /// Larger than any file of its kind.
    TooLarge,
    /// The system does not give it out.
    Unreadable(String),
    /// It says that it is a file of a ceremony, and cannot be read as one.
    Damaged(String),
    /// It, and others after it, so many in all, are more than are looked at.
    TooMany {
        /// How many were not looked at.
        left: usize,
        /// How many were.
        most: usize,
    },
    /// Somebody signed more for this plan than is held of one participant; or there are more cards and plans than are held.
    NoRoom {
        /// Who; nobody, where it is cards and plans, or certificates.
        who: Option<Identifier>,
        /// How many files were left alone.
        left: usize,
        /// How many bytes are held.
        most: u64,
    },
    /// It, and other folders, so many in all, lie deeper than is looked.
    TooDeep {
        /// How many folders were not entered.
        left: usize,
        /// How deep folders are entered.
        most: usize,
    },
    /// It, and other folders, so many in all, are more than are entered.
    TooManyFolders {
        /// How many folders were not entered.
        left: usize,
        /// How many were.
        most: usize,
    },
    /// It, and other links, so many in all, were not followed.
    Links {
        /// How many there are.
        left: usize,
    },
    /// It, and others after it, so many in all, would be more bytes than are read.
    TooMuch {
        /// How many files were not read.
        left: usize,
        /// How many bytes are read.
        most: u64,
    },
}

/// How many bytes are read, and the first file for which they were too few, and how many such there are.
#[derive(Debug, Default)]
struct Allowance {
    most: u64,
    spent: u64,
    left: Option<(String, usize)>,
}

impl Allowance {
    fn of(most: u64) -> Self {
        Self { most, ..Self::default() }
    }

    /// All of a file of at most so many bytes; `None` where they are more than may be read still.
    fn read(&mut self, source: &Source, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let rest = self.most.saturating_sub(self.spent);
        match read_bounded(source, most.min(rest)) {
            Ok(bytes) => {
                self.spent = self.spent.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                Ok(Some(bytes))
            }
            Err(ReadError::TooLarge { .. }) if rest < most => {
                self.left.get_or_insert_with(|| (source.to_string(), 0)).1 += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The files, each content once, in the order of their names.
    pub blobs: Vec<Blob>,
    /// Bindings of operators.
    pub bindings: Vec<(String, OperatorBinding)>,
    /// What was left alone, and why.
    pub aside: Vec<(String, Aside)>,
    /// How many other files there are.
    pub others: usize,
    /// Files of ceremonies that are not of the plan, or of nobody in it, or that nobody signed, with what is wrong.
    pub refused: Vec<(String, CeremonyFile, Fault)>,
    /// How many more of these there are.
    pub more_refused: usize,
    /// Which deals lie in a bundle together, bundle by bundle.
    pub told: Vec<Told>,
    plan: Option<Plan>,
    /// What was found once, and what it says where it is a deal.
    seen: BTreeMap<Sha256Digest, Option<(Identifier, [u8; 32])>>,
    held: BTreeMap<Option<Identifier>, u64>,
    no_room: BTreeMap<Option<Identifier>, (String, usize)>,
    texts: Allowance,
    whole: Allowance,
    /// Whether everybody's files are held, as far as there is room, or one's own, which were taken in before: all of them.
    is_kept: bool,
}

/// Gathers below these paths: cards, plans, bindings, and what belongs to `plan`, if one is given. A folder that is not there
/// holds nothing.
///
/// # Errors
/// [`ReadError`] for a path that was named and cannot be read at all.
pub fn gather(paths: &[PathBuf], plan: Option<&Plan>) -> Result<Gathered, ReadError> {
    let mut walk = Walk::bounded();
    for path in paths {
        walk.start(path)?;
    }
    Ok(Gathered::bounded(plan).along(&walk))
}

/// As [`gather`], for places that may be absent: an inbox that nobody made, a medium that is not plugged in.
#[must_use]
pub fn gather_if_there(paths: &[PathBuf], plan: Option<&Plan>) -> Gathered {
    let mut walk = Walk::bounded();
    let mut gathered = Gathered::bounded(plan);
    for path in paths {
        match walk.start(path) {
            Ok(()) | Err(ReadError::NotFound { .. }) => {}
            Err(error) => gathered.aside.push((path.display().to_string(), Aside::Unreadable(error.to_string()))),
        }
    }
    gathered.along(&walk)
}

/// As [`gather_if_there`], for what was kept before: all of it, however much that is.
#[must_use]
pub fn gather_kept(folder: &Path, plan: Option<&Plan>) -> Gathered {
    let mut walk = Walk::default();
    let all = || Allowance::of(u64::MAX);
    let mut gathered =
        Gathered { plan: plan.cloned(), texts: all(), whole: all(), is_kept: true, ..Gathered::default() };
    if let Err(error) = walk.start(folder) {
        gathered.aside.push((folder.display().to_string(), Aside::Unreadable(error.to_string())));
    }
    gathered.along(&walk)
}

/// Whether a file was signed by a participant of this plan, for it; by whom, and, of a deal, its hash.
fn signed(plan: &Plan, kind: CeremonyFile, bytes: &[u8]) -> Result<(Option<Identifier>, Option<[u8; 32]>), Fault> {
    Ok(match kind {
        CeremonyFile::Precommit => (Some(Precommit::parse(plan, bytes)?.sender()), None),
        CeremonyFile::Deal | CeremonyFile::RedactedDeal => {
            let deal = SignedDeal::parse(plan, bytes)?;
            (Some(deal.sender()), Some(*deal.hash()))
        }
        CeremonyFile::Certify => (Some(SignedCertify::parse(plan, bytes)?.sender()), None),
        CeremonyFile::Complaint => (Some(Complaint::parse(plan, bytes)?.complainer()), None),
        CeremonyFile::Certificate => Certificate::parse(plan, bytes).map(|_| (None, None))?,
        CeremonyFile::Card | CeremonyFile::Plan | CeremonyFile::Bundle | CeremonyFile::Vault => (None, None),
    })
}

impl Gathered {
    /// The files of one kind.
    pub fn of(&self, kind: CeremonyFile) -> impl Iterator<Item = &Blob> {
        self.blobs.iter().filter(move |blob| blob.kind == kind)
    }

    fn bounded(plan: Option<&Plan>) -> Self {
        let (texts, whole) = (Allowance::of(MOST_TEXTS), Allowance::of(MOST_READ));
        Self { plan: plan.cloned(), texts, whole, ..Self::default() }
    }

    /// Looks at all files of a walk. What was not looked at is told as one.
    fn along(mut self, walk: &Walk) -> Self {
        for path in &walk.files {
            let origin = path.display().to_string();
            if let Err(aside) = self.take(path, &origin) {
                self.aside.push((origin, aside));
            }
        }
        self.aside.extend(walk.aside());
        self.ended()
    }

    fn ended(mut self) -> Self {
        for (who, (origin, left)) in std::mem::take(&mut self.no_room) {
            let most = self.room_of(who);
            self.aside.push((origin, Aside::NoRoom { who, left, most }));
        }
        for Allowance { most, left, .. } in [&mut self.texts, &mut self.whole].map(std::mem::take) {
            self.aside.extend(left.map(|(origin, left)| (origin, Aside::TooMuch { left, most })));
        }
        self
    }

    fn take(&mut self, path: &Path, origin: &str) -> Result<(), Aside> {
        // What others call a file may be a pipe, for which one would wait for ever.
        let source = Source::File(path.to_path_buf());
        let unreadable = |error: ReadError| match error {
            ReadError::TooLarge { .. } => Aside::TooLarge,
            other => Aside::Unreadable(other.to_string()),
        };
        let head = read_head(&source, HEAD).map_err(unreadable)?;
        if let Some(kind) = CeremonyFile::of(&head) {
            if kind == CeremonyFile::Vault {
                return Err(Aside::Vault);
            }
            // What is of another plan is read no further. A short file is damaged, which is told.
            if self.is_foreign(kind, &head) {
                self.refuse(origin, kind, Fault::nobody(Check::DealPlan));
                return Ok(());
            }
            let most = self.most_bytes(kind);
            let bytes = self.whole.read(&source, most).map_err(unreadable)?;
            return bytes.map_or(Ok(()), |bytes| self.add(origin, kind, &bytes));
        }
        if armor::is_armored(&head) {
            let Some(text) = self.texts.read(&source, MOST_TEXT).map_err(unreadable)? else { return Ok(()) };
            for block in armor::decode_all(&text) {
                let bytes = block.map_err(|error| Aside::Damaged(error.to_string()))?;
                let Some(kind) = CeremonyFile::of(&bytes) else { continue };
                if kind == CeremonyFile::Vault {
                    return Err(Aside::Vault);
                }
                self.add(origin, kind, &bytes)?;
            }
            return Ok(());
        }
        let short = u64::try_from(head.len()).is_ok_and(|length| length <= binding::MAX_BYTES);
        if short
            && head.first() == Some(&b'{')
            && let Ok(found) = binding::parse(&head)
        {
            self.bindings.push((origin.to_owned(), found));
            return Ok(());
        }
        // A name proves nothing, but whoever gave it expected a file of a ceremony here.
        if path.extension().is_some_and(|end| end == EXTENSION) {
            let what = if head.is_empty() { "empty" } else { "not a file of a ceremony, whatever its name says" };
            return Err(Aside::Damaged(what.to_owned()));
        }
        self.others += 1;
        Ok(())
    }

    fn add(&mut self, origin: &str, kind: CeremonyFile, bytes: &[u8]) -> Result<(), Aside> {
        if kind != CeremonyFile::Bundle {
            self.hold(origin, kind, bytes);
            return Ok(());
        }
        let bundle = Bundle::parse(bytes).map_err(|fault| Aside::Damaged(fault.check.refusal().to_owned()))?;
        let Bundle { plans, precommits, deals, certifies, complaints, certificates, others } = bundle;
        let mut told = Told::new();
        for file in [plans, precommits, deals, certifies, complaints, certificates, others].into_iter().flatten() {
            let Some(kind) = CeremonyFile::of(file).filter(|kind| *kind != CeremonyFile::Bundle) else { continue };
            if kind == CeremonyFile::Vault {
                return Err(Aside::Vault);
            }
            if u64::try_from(file.len()).unwrap_or(u64::MAX) > kind.most_bytes() {
                return Err(Aside::TooLarge);
            }
            if let Some((sender, hash)) = self.hold(origin, kind, file) {
                told.entry(sender).or_default().insert(hash);
            }
        }
        // A set with one deal of each is always told: junk beside it must not keep it from being tried.
        let n = self.plan.as_ref().map_or(0, |plan| plan.participants().len());
        let is_whole = told.len() == n && told.values().all(|hashes| hashes.len() == 1);
        if is_whole || (told.len() > 1 && self.told.len() < MOST_TOLD) {
            self.told.push(told);
        }
        Ok(())
    }

    /// Holds a file, if it is wanted and there is room. Of a deal, its sender and its hash.
    fn hold(&mut self, origin: &str, kind: CeremonyFile, bytes: &[u8]) -> Option<(Identifier, [u8; 32])> {
        let digest = Sha256Digest::of(bytes);
        if let Some(known) = self.seen.get(&digest) {
            return *known;
        }
        let found = match &self.plan {
            _ if self.is_foreign(kind, bytes) => Err(Fault::nobody(Check::DealPlan)),
            Some(plan) => signed(plan, kind, bytes),
            None => Ok((None, None)),
        };
        let (who, hash) = match found {
            Ok(found) => found,
            Err(fault) => {
                self.seen.insert(digest, None);
                self.refuse(origin, kind, fault);
                return None;
            }
        };
        let deal = who.zip(hash);
        let held = self.held.get(&who).copied().unwrap_or_default();
        let held = held.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if !self.is_kept && held > self.room_of(who) {
            self.no_room.entry(who).or_insert_with(|| (origin.to_owned(), 0)).1 += 1;
            return deal;
        }
        self.seen.insert(digest, deal);
        self.held.insert(who, held);
        self.blobs.push(Blob { origin: origin.to_owned(), kind, bytes: bytes.to_vec() });
        deal
    }

    fn room_of(&self, who: Option<Identifier>) -> u64 {
        self.plan.as_ref().filter(|_| who.is_some()).map_or(MOST_CARDS_AND_PLANS, room)
    }

    /// A bundle of one plan has no more than all participants together.
    fn most_bytes(&self, kind: CeremonyFile) -> u64 {
        let all = |plan: &Plan| {
            let n = u64::try_from(plan.participants().len()).unwrap_or(u64::MAX);
            room(plan).saturating_mul(n).saturating_add(MOST_CARDS_AND_PLANS)
        };
        let most = self.plan.as_ref().filter(|_| kind == CeremonyFile::Bundle).map_or(u64::MAX, all);
        kind.most_bytes().min(most)
    }

    /// Behind eight bytes for its kind, every file of a ceremony names its plan.
    fn is_foreign(&self, kind: CeremonyFile, start: &[u8]) -> bool {
        if matches!(kind, CeremonyFile::Card | CeremonyFile::Plan | CeremonyFile::Bundle) {
            return false;
        }
        // Without a plan nobody can tell what belongs to it.
        self.plan.as_ref().is_none_or(|plan| start.get(8..40).is_some_and(|named| named != plan.hash()))
    }

    fn refuse(&mut self, origin: &str, kind: CeremonyFile, fault: Fault) {
        if self.refused.len() < MOST_TOLD {
            self.refused.push((origin.to_owned(), kind, fault));
        } else {
            self.more_refused += 1;
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side")]
mod tests {
    use dvkey_ceremony::agdkg::bundle;
    use dvkey_ceremony::testing::forge;
    use dvkey_ceremony::testing::network::Setup;

    use super::*;

    #[test]
    fn names_and_wrappings_do_not_matter() {
        let run = Setup::ssv(4, 1).run();
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        let file = |kind: &str, text: &str| [b"AGDKG1".as_slice(), kind.as_bytes(), text.as_bytes()].concat();
        let deals: Vec<_> = run.deals.iter().map(|deal| deal.as_bytes().to_vec()).collect();
        let certify = run.certifies.iter().next().unwrap().as_bytes();
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("holiday.jpg"), &deals[0]).unwrap();
        std::fs::write(at("a/b/copy"), &deals[0]).unwrap();
        std::fs::write(at("mail.txt"), armor::encode(certify).unwrap()).unwrap();
        let parts: [&[u8]; 5] = [&deals[1], &deals[0], run.certificate.as_bytes(), &file("BN", "no"), b"?"];
        std::fs::write(at("all"), bundle::encode(&parts).unwrap()).unwrap();
        std::fs::write(at("vault"), file("VT", "secret")).unwrap();
        std::fs::write(at("damaged.agdkg"), b"AGDKG1").unwrap();
        std::fs::write(at("cut.txt"), "-----BEGIN AGDKG1CD-----\nQUdE").unwrap();
        std::fs::write(at("card"), file("CD", &"x".repeat(5000))).unwrap();
        std::fs::write(at("torn"), b"AGDKG1BN\x00\x00\x00\x05").unwrap();
        std::fs::write(at(".hidden"), &deals[2]).unwrap();
        std::fs::write(at("notes"), "nothing").unwrap();
        let found = gather(&[outer.path().to_path_buf()], Some(&run.plan)).unwrap();
        let mut held: Vec<_> = found.blobs.iter().map(|blob| blob.bytes.clone()).collect();
        held.sort();
        let mut expected =
            vec![deals[0].clone(), deals[1].clone(), certify.to_vec(), run.certificate.as_bytes().to_vec()];
        expected.sort();
        assert_eq!(held, expected);
        // The bundle says which deals belong together, whether they came before or not.
        let together: Told = run.deals.iter().take(2).map(|deal| (deal.sender(), [*deal.hash()].into())).collect();
        assert_eq!(found.told, [together]);
        let mut aside: Vec<_> = found
            .aside
            .iter()
            .map(|(origin, aside)| (origin.rsplit('/').next().unwrap().to_owned(), matches!(aside, Aside::Vault)))
            .collect();
        aside.sort();
        let named = [("card", false), ("cut.txt", false), ("damaged.agdkg", false), ("torn", false), ("vault", true)];
        assert_eq!(aside, named.map(|(name, vault)| (name.to_owned(), vault)));
        assert_eq!(found.others, 1);
        // What is beyond the bound is told, not overlooked.
        let mut few = Walk::of(3, 9);
        few.start(outer.path()).unwrap();
        let few = Gathered::bounded(None).along(&few);
        let told = few.aside.last().unwrap();
        assert_eq!(told.1, Aside::TooMany { left: 7, most: 3 });
        assert!(told.0.starts_with(&outer.path().display().to_string()));
        // So is what lies deeper than is looked; an empty folder there may have been a full one.
        std::fs::create_dir_all(at("a/b/c/d/e/f/g")).unwrap();
        std::fs::create_dir_all(at("a/b/c/d/e/h")).unwrap();
        let deep = gather(&[outer.path().to_path_buf()], None).unwrap();
        let told = deep.aside.iter().find(|(_, aside)| matches!(aside, Aside::TooDeep { .. })).unwrap();
        assert_eq!(told, &(at("a/b/c/d/e/f").display().to_string(), Aside::TooDeep { left: 2, most: 5 }));
        assert!(gather(&[at("absent")], None).is_err());
        assert!(gather_if_there(&[at("absent")], None).blobs.is_empty());
    }

    #[test]
    fn what_is_of_no_use_is_counted_and_not_held() {
        let setup = Setup::ssv(4, 1);
        let run = setup.run();
        let other = Setup { nonce: [1; 32], ..Setup::ssv(4, 1) };
        let (other_plan, foreign) = (other.plan(), other.dealt(&other.plan(), 0).1);
        let deal = run.deals.iter().next().unwrap();
        let outer = tempfile::tempdir().unwrap();
        for number in 0..1200_u32 {
            let mut bytes = foreign.as_bytes().to_vec();
            bytes.extend(number.to_be_bytes());
            std::fs::write(outer.path().join(format!("{number:04}")), &bytes).unwrap();
        }
        let mut damaged = deal.as_bytes().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let parts: [&[u8]; 4] = [other_plan.as_bytes(), foreign.as_bytes(), &damaged, deal.as_bytes()];
        std::fs::write(outer.path().join("0 all"), bundle::encode(&parts).unwrap()).unwrap();
        let found = gather(&[outer.path().to_path_buf()], Some(&run.plan)).unwrap();
        let kinds: Vec<_> = found.blobs.iter().map(|blob| blob.kind).collect();
        assert_eq!(kinds, [CeremonyFile::Plan, CeremonyFile::Deal]);
        assert_eq!((found.refused.len(), found.more_refused), (MOST_TOLD, 202));
        let checks: Vec<_> = found.refused.iter().take(3).map(|(_, _, fault)| fault.check).collect();
        assert_eq!(checks.iter().filter(|check| **check == Check::DealSignature).count(), 1, "{checks:?}");
        // Without a plan nobody can tell what belongs to it.
        let found = gather(&[outer.path().to_path_buf()], None).unwrap();
        assert_eq!(found.blobs.len(), 1);
        assert_eq!(found.refused.len() + found.more_refused, 1203);

        // Whoever signs without end fills its own room, and nobody else's.
        let author = deal.sender();
        let mut small = Gathered::bounded(Some(&run.plan));
        small.held.insert(Some(author), room(&run.plan) - 2 * u64::try_from(deal.as_bytes().len()).unwrap());
        for flip in 1..=9 {
            let change = |body: &mut Vec<u8>| *body.last_mut().unwrap() ^= flip;
            let file = forge::changed_deal(&setup.identity(0), &run.plan, deal.as_bytes(), change);
            small.add("of one", CeremonyFile::Deal, &file).unwrap();
        }
        for deal in run.deals.iter().skip(1) {
            small.add("of others", CeremonyFile::Deal, deal.as_bytes()).unwrap();
        }
        let small = small.ended();
        assert_eq!(small.blobs.len(), 2 + 3);
        let told = Aside::NoRoom { who: Some(author), left: 7, most: room(&run.plan) };
        assert_eq!(small.aside, [("of one".to_owned(), told)]);
    }

    /// Twenty names of one file of holes are one file; twenty such files are too much, which is told.
    #[test]
    fn so_much_is_read_and_no_more() {
        let run = Setup::ssv(4, 1).run();
        let outer = tempfile::tempdir().unwrap();
        let at = |name: String| outer.path().join(name);
        let text = armor::encode(run.deals.iter().next().unwrap().as_bytes()).unwrap();
        let length = u64::try_from(text.len()).unwrap();
        for number in 1..=20 {
            std::fs::write(at(format!("{number}")), format!("{text}{number:02}")).unwrap();
            std::fs::hard_link(at("1".to_owned()), at(format!("again {number}"))).unwrap();
        }
        let mut walk = Walk::bounded();
        walk.start(outer.path()).unwrap();
        let all = Gathered::bounded(Some(&run.plan)).along(&walk);
        assert_eq!(
            (all.texts.spent, all.aside.len(), all.blobs.len()),
            (0, 0, 1),
            "what was counted is told, and gone"
        );
        let few = || Gathered { texts: Allowance::of(5 * (length + 2)), ..Gathered::bounded(Some(&run.plan)) };
        let told = (at("6".to_owned()).display().to_string(), Aside::TooMuch { left: 15, most: 5 * (length + 2) });
        assert_eq!(few().along(&walk).aside, [told]);
        for number in 1..=20 {
            let bytes = [run.certificate.as_bytes(), &[number][..]].concat();
            std::fs::write(at(format!("{number}")), bytes).unwrap();
        }
        let whole = u64::try_from(run.certificate.as_bytes().len() + 1).unwrap();
        let few = Gathered { whole: Allowance::of(2 * whole), ..Gathered::bounded(Some(&run.plan)) };
        let told = few.along(&walk).aside.pop().unwrap();
        assert_eq!(told, (at("3".to_owned()).display().to_string(), Aside::TooMuch { left: 18, most: 2 * whole }));
    }
}
