//! Files changed by their own author: the change is signed again, so that only the check it is meant for can see it.
#![expect(clippy::unwrap_used, reason = "scripts for tests fail by panicking")]

use crate::agdkg::DEAL_MAGIC;
use crate::agdkg::deal::{Lengths, deal_hash, pad, pad_key, signed_hash};
use crate::agdkg::identity::{Identity, commitment};
use crate::agdkg::plan::Plan;
use crate::agdkg::sigma;
use crate::agdkg::signing::message_hash;
use crate::group::{Point, PublicScalar};
use crate::hash::Tag;
use crate::identifier::Identifier;
use crate::scalar::Scalar;

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

/// What a dealer that follows its own rules publishes about one validator.
pub struct Contribution {
    /// The commitments, whatever lies behind them.
    pub commitments: Vec<Point>,
    /// What the proof is made with; proves something only if it is the logarithm of the first commitment.
    pub constant: Scalar,
    /// What each holder is sent, in the plan's order.
    pub shares: Vec<Scalar>,
}

impl Contribution {
    /// The contribution of a polynomial, constant term first, all coefficients non-zero.
    #[must_use]
    pub fn of(plan: &Plan, coefficients: &[Scalar]) -> Self {
        Self {
            commitments: coefficients.iter().map(|a| commitment(a).unwrap()).collect(),
            constant: copy(coefficients.first().unwrap()),
            shares: plan.participants().iter().map(|holder| evaluate(coefficients, holder.id)).collect(),
        }
    }
}

/// `Σ a_k·id^k`.
#[must_use]
pub fn evaluate(coefficients: &[Scalar], id: Identifier) -> Scalar {
    coefficients.iter().rev().fold(Scalar::zero(), |sum, a| sum.mul(&id.to_scalar()).add(a))
}

/// A second copy of a value that a cheat keeps.
#[must_use]
pub fn copy(scalar: &Scalar) -> Scalar {
    scalar.add(&Scalar::zero())
}

/// A validly signed deal with these contributions.
#[must_use]
pub fn deal(author: &Identity, plan: &Plan, me: Identifier, contributions: &[Contribution]) -> Vec<u8> {
    let sender = me.get().to_be_bytes();
    let (e, nonce) = (Scalar::from_u64(0xe0e0), Scalar::from_u64(0x0e0e));
    let (ephemeral, announced) = (commitment(&e).unwrap(), commitment(&nonce).unwrap());
    let challenge = Tag::POK_EPH.challenge(&[plan.hash(), &sender, ephemeral.as_bytes(), announced.as_bytes()]);
    let z = sigma::respond(&nonce, &challenge, &e).to_be_bytes();
    let head = [&DEAL_MAGIC, plan.hash().as_slice(), &sender, ephemeral.as_bytes(), announced.as_bytes(), &z];
    let mut body = head.concat();
    for (v, one) in (0u16..).zip(contributions) {
        let block: Vec<u8> = one.commitments.iter().flat_map(Point::as_bytes).copied().collect();
        let nonce = Scalar::from_u64(0x0f00 + u64::from(v));
        let announced = commitment(&nonce).unwrap();
        let parts = [plan.hash().as_slice(), &sender, &v.to_be_bytes(), &block, announced.as_bytes()];
        let z = sigma::respond(&nonce, &Tag::POK_DEAL.challenge(&parts), &one.constant);
        body.extend(block);
        body.extend(announced.as_bytes());
        body.extend(z.to_be_bytes());
    }
    for (v, one) in (0u16..).zip(contributions) {
        for (holder, share) in plan.participants().iter().zip(&one.shares) {
            let shared = holder.card.enc_pk().times_secret(&e).unwrap();
            let key = pad_key(plan, me, holder, &ephemeral, &shared);
            body.extend(PublicScalar::disclose(share.add(&pad(&key, v))).to_be_bytes());
        }
    }
    signed_deal(author, plan, &body)
}

/// The order-3 point of the curve, which lies outside of the subgroup.
#[must_use]
pub fn point_of_order_3() -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[0] = 0x80;
    bytes
}

/// The compressed point at infinity.
#[must_use]
pub fn infinity() -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[0] = 0xc0;
    bytes
}

/// The group order, the smallest integer that is no scalar.
pub const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// The encodings of points that every file refuses: infinity, outside of the subgroup, not compressed, x beyond p.
#[must_use]
pub fn bad_points(good: &[u8; 48]) -> Vec<[u8; 48]> {
    let mut uncompressed = *good;
    uncompressed[0] &= 0x7f;
    let mut beyond = [0xff; 48];
    beyond[0] = 0x9f;
    vec![infinity(), point_of_order_3(), uncompressed, beyond]
}
