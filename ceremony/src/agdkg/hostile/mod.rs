//! One hostile test for each numbered check, and the attacks of SPEC section 15, each with its code and its culprit.

mod attacks;
mod audits;
mod cards;
mod certifies;
mod complaints;
mod deals;
mod faults;
mod model;
mod plans;
mod types;

use crate::fault::{Check, Culprit, Fault};
use crate::identifier::Identifier;

fn id(value: u64) -> Identifier {
    Identifier::try_from(value).unwrap()
}

#[track_caller]
fn refuses<T: std::fmt::Debug>(result: Result<T, Fault>, check: Check, culprit: Culprit) {
    let fault = result.expect_err("a check should have refused");
    assert_eq!((fault.check, fault.culprit), (check, culprit), "{fault}");
}

/// Overwrites bytes at a position.
fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at..at + bytes.len()].copy_from_slice(bytes);
}
