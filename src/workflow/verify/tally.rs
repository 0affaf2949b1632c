//! Collects how the checks on a file end, and sums them up.

use std::collections::{BTreeMap, HashSet};

use super::check::{Check, CheckResult, Reason, Unknown, Verdict};

/// The results so far, by check.
#[derive(Default)]
pub(super) struct Results(BTreeMap<Check, CheckResult>);

/// How one check on one item ends.
pub(super) enum Outcome {
    Holds,
    Fails(Reason),
    Unknown(Unknown),
}

impl<E: Into<Reason>> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Holds,
            Err(reason) => Self::Fails(reason.into()),
        }
    }
}

impl Results {
    pub(super) fn of(checks: impl IntoIterator<Item = (Check, CheckResult)>) -> Self {
        Self(checks.into_iter().collect())
    }

    pub(super) fn forget(&mut self, check: Check) {
        self.0.remove(&check);
    }

    pub(super) fn held(&mut self, check: Check) {
        self.0.entry(check).or_default().held += 1;
    }

    pub(super) fn failed(&mut self, check: Check, position: Option<usize>, reason: impl Into<Reason>) {
        self.0.entry(check).or_default().failures.push((position, reason.into()));
    }

    pub(super) fn unknown(&mut self, check: Check, why: Unknown) {
        self.0.entry(check).or_default().unknown.get_or_insert(why);
    }

    pub(super) fn record(&mut self, check: Check, position: Option<usize>, outcome: impl Into<Outcome>) {
        match outcome.into() {
            Outcome::Holds => self.held(check),
            Outcome::Fails(reason) => self.failed(check, position, reason),
            Outcome::Unknown(why) => self.unknown(check, why),
        }
    }

    pub(super) fn absorb(&mut self, position: usize, item: Vec<(Check, Outcome)>) {
        for (check, outcome) in item {
            self.record(check, Some(position), outcome);
        }
    }

    /// One of these checks that was made for fewer items than there are was blocked by an earlier failure.
    pub(super) fn settle(&mut self, checks: &[Check], items: usize) {
        for check in checks {
            let result = self.0.entry(*check).or_default();
            let mut seen: Vec<_> = result.failures.iter().filter_map(|(position, _)| *position).collect();
            seen.dedup();
            if result.held + seen.len() < items {
                result.unknown.get_or_insert(Unknown::Blocked);
            }
        }
    }

    pub(super) fn failed_positions(&self) -> HashSet<usize> {
        self.0.values().flat_map(|result| &result.failures).filter_map(|(position, _)| *position).collect()
    }

    /// One no is a no. Of what could not be told, `matters` says what leaves the `missing` checks open, and with them the
    /// answer.
    pub(super) fn verdict(&self, missing: &[Check], matters: impl Fn(&Unknown) -> bool) -> Verdict {
        if self.0.values().any(|result| !result.failures.is_empty()) {
            return Verdict::NotValid;
        }
        let mut unknown = missing.iter().filter_map(|check| self.0.get(check)?.unknown);
        match unknown.find(|why| matters(why)) {
            Some(why) => Verdict::CannotJudge(why),
            None => Verdict::Valid,
        }
    }

    pub(super) fn into_checks(self) -> Vec<(Check, CheckResult)> {
        self.0.into_iter().collect()
    }
}
