//! Files changed by their own author: the change is signed again, so that only the check it is meant for can see it.
#![expect(clippy::unwrap_used, reason = "scripts for tests fail by panicking")]

use crate::agdkg::deal::{Lengths, deal_hash, signed_hash};
use crate::agdkg::identity::Identity;
use crate::agdkg::plan::Plan;
use crate::agdkg::signing::message_hash;
use crate::hash::Tag;

/// A card, pre-commit, certify file or complaint with a body of this author's choice.
#[must_use]
pub fn signed(author: &Identity, body: &[u8]) -> Vec<u8> {
    [body, &author.sign(&message_hash(body))].concat()
}

/// A file after a change of its body, signed again.
#[must_use]
pub fn changed(author: &Identity, file: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = file.split_last_chunk::<64>().unwrap().0.to_vec();
    change(&mut body);
    signed(author, &body)
}

/// A deal after a change of its body, signed again.
#[must_use]
pub fn changed_deal(author: &Identity, plan: &Plan, file: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = file.split_last_chunk::<64>().unwrap().0.to_vec();
    change(&mut body);
    signed_deal(author, plan, &body)
}

/// A deal with a body of this author's choice.
#[must_use]
pub fn signed_deal(author: &Identity, plan: &Plan, body: &[u8]) -> Vec<u8> {
    let (public, enc) = body.split_at_checked(Lengths::of(plan).public).unwrap_or((body, &[]));
    let hash = deal_hash(public, &Tag::R1_ENC.hash(&[enc]));
    [body, &author.sign(&signed_hash(&hash))].concat()
}
