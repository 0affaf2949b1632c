//! Of which deals a ceremony is made where somebody signed several: of those that everybody certified (SPEC section 11).
//!
//! Before the certificate is complete, two deals of one sender end a ceremony. Afterwards they prove that their sender
//! cheats, and undo nothing: whoever could take back what all have certified, could at any time.

use std::collections::{BTreeMap, BTreeSet};

use crate::agdkg::certify::{Certifies, Signed, SignedCertify};
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::outputs::assemble_outputs;
use crate::agdkg::plan::Plan;
use crate::agdkg::precommit::Precommit;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::transcript::{Deals, transcript_from};
use crate::hash::Running;
use crate::identifier::Identifier;

/// So many deals of one sender are kept while no certificate tells which of them counts: each may be as large as the plan
/// allows, and two prove as much as a thousand.
pub const MOST_DEALS_OF_ONE: usize = 4;

/// So many choices of one deal of each sender are tried. A transcript is a hash and does not tell what it was made of: with
/// two deals of each of k senders there are 2^k choices, beside which others may tell the right one.
pub const MOST_TRIED: u32 = 1 << 20;

/// The same for each set of deals that somebody told and that has not just one of each sender; and of so many such sets.
const MOST_TRIED_OF_TOLD: u32 = 1 << 10;
const MOST_PARTS: usize = 1000;

/// So many certify files of one author for one transcript are verified: its author may sign any number of them, and each
/// costs a thousandth of a second and more.
const MOST_FILES_TRIED: usize = 1024;

/// So many transcripts that every participant certified are looked at. An honest one certifies one only.
const MOST_TRANSCRIPTS: usize = 16;

/// Deals that are said to belong together, as hashes by sender: those that lie in one bundle, or that somebody noted when it
/// certified them. Nobody has to be believed: of a transcript they make, or they do not.
pub type Told = BTreeMap<Identifier, BTreeSet<[u8; 32]>>;

/// All that is at hand of one ceremony, kept or not, in the order in which it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'a> {
    /// Deals, perhaps several of one sender.
    pub deals: &'a [&'a SignedDeal],
    /// Pre-commits, likewise.
    pub precommits: &'a [Precommit],
    /// Certify files, likewise.
    pub certifies: &'a [&'a SignedCertify],
    /// Which deals belong together, as far as that was said.
    pub told: &'a [Told],
}

/// A complete certificate, which holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// One deal of each sender: those that everybody certified.
    pub deals: Deals,
    /// The pre-commits to them.
    pub precommits: Vec<Precommit>,
    /// One certify file of each participant, each of which holds throughout.
    pub certifies: Certifies,
}

/// Every transcript that one deal of each sender can make; nothing while deals are missing, or where there are more than
/// `most`.
#[must_use]
pub fn transcripts(plan: &Plan, deals: &[&SignedDeal], most: u32) -> BTreeSet<[u8; 32]> {
    let mut found = BTreeSet::new();
    let rows = by_sender(deals);
    let choices = rows.values().try_fold(1u32, |all, row| all.checked_mul(u32::try_from(row.len()).ok()?));
    if choices.is_some_and(|choices| choices <= most) {
        let each = &mut |transcript, _: &[[u8; 32]]| found.extend([transcript]);
        Search { left: most, each }.all(plan, &rows);
    }
    found
}

/// The deals of which a certify file of every participant holds, with all of C-35 to C-61, whatever else is there, in
/// whatever order it came; `None` where there are none such.
///
/// `seed`: 32 bytes that no participant could predict.
#[must_use]
pub fn settle(plan: &Plan, offer: &Offer<'_>, seed: &[u8; 32], rsa: &dyn OperatorKeys) -> Option<Settled> {
    let mut named: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    for file in offer.certifies {
        named.entry(*file.transcript()).or_default().entry(file.sender()).or_default().push(*file);
    }
    named.retain(|_, files| files.len() == plan.participants().len());
    let complete: BTreeMap<_, _> = named.into_iter().take(MOST_TRANSCRIPTS).collect();
    if complete.is_empty() {
        return None;
    }
    let rows = by_sender(offer.deals);
    let mut choices = BTreeMap::new();
    let mut find = |rows: &Rows, most| {
        let each = &mut |transcript, choice: &[[u8; 32]]| {
            if complete.contains_key(&transcript) {
                choices.insert(transcript, choice.to_vec());
            }
        };
        Search { left: most, each }.all(plan, rows);
        choices.len() == complete.len()
    };
    let at_hand: BTreeSet<_> = rows.values().flatten().copied().collect();
    // One deal of each sender, all at hand: what it makes is known with one hash, however many others there are.
    let whole = |told: &Told| -> Option<Rows> {
        let one = |(sender, hashes): (&Identifier, &BTreeSet<[u8; 32]>)| {
            let hash = hashes.first().filter(|hash| hashes.len() == 1 && at_hand.contains(*hash))?;
            Some((*sender, vec![*hash]))
        };
        told.iter().map(one).collect::<Option<Rows>>().filter(|one| one.len() == rows.len())
    };
    let (wholes, parts): (Vec<_>, Vec<_>) =
        offer.told.iter().map(|told| (whole(told), told)).partition(|(whole, _)| whole.is_some());
    let narrow = |told: &Told| -> Rows {
        let row = |(sender, row): (&Identifier, &Vec<[u8; 32]>)| {
            let only: Vec<_> =
                row.iter().filter(|hash| told.get(sender).is_some_and(|told| told.contains(*hash))).copied().collect();
            (*sender, if only.is_empty() { row.clone() } else { only })
        };
        rows.iter().map(row).collect()
    };
    let is_found = wholes.iter().filter_map(|(whole, _)| whole.as_ref()).any(|whole| find(whole, 1))
        || parts.iter().take(MOST_PARTS).any(|(_, told)| find(&narrow(told), MOST_TRIED_OF_TOLD));
    if !is_found {
        find(&rows, MOST_TRIED);
    }
    choices.into_iter().find_map(|(transcript, choice)| {
        let (mut deals, chosen) = (Deals::default(), choice.into_iter().collect::<BTreeSet<_>>());
        for deal in offer.deals.iter().filter(|deal| chosen.contains(deal.hash())) {
            deals.insert((*deal).clone()).ok()?;
        }
        // One of each sender, who may have signed the same any number of times.
        let mut committed = BTreeSet::new();
        let matches = |one: &&Precommit| {
            deals.of(one.sender()).is_some_and(|deal| one.check(deal).is_ok()) && committed.insert(one.sender())
        };
        let precommits: Vec<_> = offer.precommits.iter().filter(matches).cloned().collect();
        let outputs = deals.audit(plan, &precommits, seed).ok()?;
        let signed = Signed::new(plan, &outputs);
        let mut certifies = Certifies::default();
        for files in complete.get(&transcript)?.values() {
            certifies.insert(one_that_holds(&signed, files, seed, rsa)?.clone());
        }
        assemble_outputs(plan, outputs.clone(), &certifies, seed, rsa).ok()?;
        Some(Settled { deals, precommits, certifies })
    })
}

/// Of an author's files for one transcript, the smallest that holds; where there is one only, that, which is verified with
/// all the others'. Beyond [`MOST_FILES_TRIED`] those that came first count.
fn one_that_holds<'a>(
    signed: &Signed<'_>,
    files: &[&'a SignedCertify],
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Option<&'a SignedCertify> {
    match files {
        [one] => Some(one),
        several => {
            let mut several: Vec<_> = several.iter().take(MOST_FILES_TRIED).copied().collect();
            several.sort_by_key(|file| file.as_bytes());
            several.into_iter().find(|file| file.verify_signed(signed, seed, rsa).is_ok())
        }
    }
}

/// Of each sender the hashes of its deals, in the order in which they came.
type Rows = BTreeMap<Identifier, Vec<[u8; 32]>>;

fn by_sender(deals: &[&SignedDeal]) -> Rows {
    let mut rows = Rows::new();
    let mut seen = BTreeSet::new();
    for deal in deals.iter().filter(|deal| seen.insert(*deal.hash())) {
        rows.entry(deal.sender()).or_default().push(*deal.hash());
    }
    rows
}

/// What is done with a transcript and the hashes that make it.
type Each<'a> = dyn FnMut([u8; 32], &[[u8; 32]]) + 'a;

/// A walk through all choices of one hash of each row, sharing what they have in common.
struct Search<'a> {
    left: u32,
    each: &'a mut Each<'a>,
}

impl Search<'_> {
    /// Nothing, while somebody's deal is missing.
    fn all(&mut self, plan: &Plan, rows: &Rows) {
        if plan.participants().iter().all(|one| rows.contains_key(&one.id)) {
            let rows: Vec<_> = rows.iter().collect();
            self.walk(&rows, &transcript_from(plan, rows.len()), &mut Vec::with_capacity(rows.len()));
        }
    }

    fn walk(&mut self, rows: &[(&Identifier, &Vec<[u8; 32]>)], before: &Running, chosen: &mut Vec<[u8; 32]>) {
        let Some(((sender, row), rest)) = rows.split_first() else {
            self.left = self.left.saturating_sub(1);
            return (self.each)(before.clone().end(), chosen);
        };
        for hash in *row {
            if self.left == 0 {
                return;
            }
            chosen.push(*hash);
            self.walk(rest, &before.clone().then(&sender.get().to_be_bytes()).then(hash), chosen);
            chosen.pop();
        }
    }
}
