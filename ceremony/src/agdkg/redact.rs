//! Taking the ciphertexts out of a deal, for auditors: same hash, same signature (SPEC section 7). `AGDKG1RR`.

use crate::agdkg::REDACTED_MAGIC;
use crate::agdkg::deal::{SignedDeal, parts};
use crate::agdkg::plan::Plan;
use crate::hash::Tag;

/// The redacted form of a deal; a redacted deal stays as it is.
///
/// Layout: magic, the public part without its first 8 bytes, `h_enc` 32, signature 64.
#[must_use]
pub fn redact(plan: &Plan, deal: &SignedDeal) -> Vec<u8> {
    let Some((public, enc, signature)) = parts(plan, deal) else { return Vec::new() };
    if deal.is_redacted() {
        return deal.as_bytes().to_vec();
    }
    let rest = public.get(REDACTED_MAGIC.len()..).unwrap_or_default();
    [&REDACTED_MAGIC, rest, &Tag::R1_ENC.hash(&[enc]), signature].concat()
}
