//! Held by the compiler: no secret can be copied, printed or compared, and none is reachable from a message.

use std::fmt::Debug;

use static_assertions::{assert_impl_all, assert_not_impl_any};
use zeroize::ZeroizeOnDrop;

use crate::agdkg::bundle::Bundle;
use crate::agdkg::card::Card;
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, OpenCertify, SignedCertify, ValidatorCertify};
use crate::agdkg::complaint::Complaint;
use crate::agdkg::deal::{OpenDeal, SignedDeal, ValidatorDeal};
use crate::agdkg::identity::{Identity, Root};
use crate::agdkg::journal::Journal;
use crate::agdkg::outputs::Assembled;
use crate::agdkg::plan::{Plan, PlanDraft};
use crate::agdkg::precommit::Precommit;
use crate::agdkg::transcript::{Deals, Outputs};
use crate::fault::Fault;
use crate::hash::Prk;
use crate::participant::{Certified, Dealt, Finished, Planned};
use crate::scalar::Scalar;

// Secrets.
assert_not_impl_any!(Root: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Identity: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Prk: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Scalar: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Planned: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Dealt: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Certified: Clone, Copy, Debug, PartialEq);
assert_not_impl_any!(Finished: Clone, Copy, Debug, PartialEq);
assert_impl_all!(Scalar: ZeroizeOnDrop);

// Messages. Each of these traits is derived, field by field: a field with a secret in it would not compile.
assert_impl_all!(Card: Clone, Debug, PartialEq);
assert_impl_all!(Plan: Clone, Debug, PartialEq);
assert_impl_all!(PlanDraft: Clone, Debug, PartialEq);
assert_impl_all!(Precommit: Clone, Debug, PartialEq);
assert_impl_all!(SignedDeal: Clone, Debug, PartialEq);
assert_impl_all!(OpenDeal: Clone, Debug, PartialEq);
assert_impl_all!(ValidatorDeal: Clone, Debug, PartialEq);
assert_impl_all!(Deals: Clone, Debug, PartialEq);
assert_impl_all!(SignedCertify: Clone, Debug, PartialEq);
assert_impl_all!(OpenCertify: Clone, Debug, PartialEq);
assert_impl_all!(ValidatorCertify: Clone, Debug, PartialEq);
assert_impl_all!(Certifies: Clone, Debug, PartialEq);
assert_impl_all!(Certificate: Clone, Debug, PartialEq);
assert_impl_all!(Complaint: Clone, Debug, PartialEq);
assert_impl_all!(Outputs: Clone, Debug, PartialEq);
assert_impl_all!(Assembled: Clone, Debug, PartialEq);
assert_impl_all!(Journal: Clone, Debug, PartialEq);
assert_impl_all!(Bundle<'static>: Clone, Debug, PartialEq);
assert_impl_all!(Fault: Clone, Debug, PartialEq);
