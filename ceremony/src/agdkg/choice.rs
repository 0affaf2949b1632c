//! Of which deals a ceremony is made where somebody signed two: of those that everybody certified (SPEC section 11).
//!
//! Before the certificate is complete, two deals of one sender end a ceremony. Afterwards they prove that their sender
//! cheats, and undo nothing: whoever could take back what all have certified, could at any time.

use std::collections::BTreeMap;

use crate::agdkg::certify::Certifies;
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::outputs::assemble_outputs;
use crate::agdkg::plan::Plan;
use crate::agdkg::precommit::Precommit;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::transcript::{Deals, transcript_of};

/// A choice is looked for among the deals of at most so many senders of two: 8192 transcripts.
pub const MOST_TWO_FACED: usize = 13;

/// The deals of a complete certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// One of each sender.
    pub deals: Deals,
    /// The pre-commits to them.
    pub precommits: Vec<Precommit>,
}

/// Every transcript that one deal of each sender can make, each with the choice: bit i is set where it takes the i-th of
/// `others`. Nothing while deals are missing, or where more than [`MOST_TWO_FACED`] signed two.
///
/// `others`: of each sender of two, the one that is not in `deals`.
#[must_use]
pub fn transcripts(plan: &Plan, deals: &Deals, others: &[&SignedDeal]) -> BTreeMap<[u8; 32], u32> {
    if !deals.missing(plan).is_empty() || others.len() > MOST_TWO_FACED {
        return BTreeMap::new();
    }
    (0..1 << others.len())
        .map(|choice| {
            let chosen = chosen(deals, others, choice).map(|deal| (deal.sender(), *deal.hash()));
            (transcript_of(plan, chosen), choice)
        })
        .collect()
}

/// The deals of which every participant's certify file holds, with all of C-35 to C-61; `None` where there are none such.
///
/// `others`: as in [`transcripts`]. `seed`: 32 bytes that no participant could predict.
#[must_use]
pub fn settle(
    plan: &Plan,
    deals: &Deals,
    others: &[&SignedDeal],
    precommits: &[Precommit],
    certifies: &Certifies,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Option<Settled> {
    let all_certified = |transcript: &[u8; 32]| {
        let by = |id| certifies.iter().any(|file| file.sender() == id && file.transcript() == transcript);
        plan.participants().iter().all(|one| by(one.id))
    };
    let candidates = transcripts(plan, deals, others).into_iter().filter(|(transcript, _)| all_certified(transcript));
    candidates.map(|(_, choice)| choice).find_map(|choice| {
        let mut settled = Deals::default();
        for deal in chosen(deals, others, choice) {
            settled.insert(deal.clone()).ok()?;
        }
        let matches = |one: &&Precommit| settled.of(one.sender()).is_some_and(|deal| one.check(deal).is_ok());
        let precommits: Vec<_> = precommits.iter().filter(matches).cloned().collect();
        let outputs = settled.audit(plan, &precommits, seed).ok()?;
        assemble_outputs(plan, outputs, certifies, seed, rsa).ok()?;
        Some(Settled { deals: settled, precommits })
    })
}

fn chosen<'a>(deals: &'a Deals, others: &'a [&SignedDeal], choice: u32) -> impl Iterator<Item = &'a SignedDeal> {
    deals.iter().map(move |deal| {
        let other = (0u32..).zip(others).find(|(_, other)| other.sender() == deal.sender());
        other.filter(|(bit, _)| choice >> bit & 1 == 1).map_or(deal, |(_, other)| other)
    })
}
