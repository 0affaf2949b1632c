//! Finds what stands in the results of two rows and can be right in one of them at most: somebody has put it there.

use std::collections::HashMap;

use dvkey_ceremony::PublicKey;

use super::{LoadError, LoadedPlan, ResultProblem};
use crate::crypto::digest::Sha256Digest;
use crate::format::keyshares::SharesData;
use crate::format::plan::Row;
use crate::format::row_result::RowResult;

/// What was seen in the results of a plan: some forty bytes for each sealed share, and for each validator.
pub(super) struct Strangers<'a> {
    plan: &'a LoadedPlan,
    validators: HashMap<[u8; PublicKey::BYTES], u32>,
    /// By cluster, since a file has one cluster, and each file stands for itself.
    sealed: HashMap<(u32, Sha256Digest), u32>,
}

impl<'a> Strangers<'a> {
    /// Nothing was seen yet but the validators of the plan.
    pub(super) fn new(plan: &'a LoadedPlan) -> Result<Self, LoadError> {
        let mut validators = HashMap::new();
        let mut rows = plan.rows()?;
        while let Some((_, row)) = rows.next_row()? {
            validators.insert(row.public_key, row.row);
        }
        Ok(Self { plan, validators, sealed: HashMap::new() })
    }

    /// From here on other files are looked at.
    pub(super) fn forget_sealed(&mut self) {
        self.sealed.clear();
    }

    /// Looks at the result of a row. Returns the rows whose results cannot be relied on any more: this one first, and an
    /// earlier one that has the same sealed share, since nobody but the operator could tell which of the two it belongs to.
    pub(super) fn see(&mut self, row: &Row, result: &RowResult) -> Result<Vec<(u32, ResultProblem)>, LoadError> {
        let operators = self.plan.cluster(row)?.cluster.operators();
        let mut found = Vec::new();
        let Some(data) = SharesData::cut(&result.shares_data, operators.len()) else { return Ok(found) };
        for (operator, key) in operators.iter().zip(&data.share_public_keys) {
            let other =
                <[u8; PublicKey::BYTES]>::try_from(*key).ok().and_then(|key| self.validators.get(&key).copied());
            if let Some(other) = other.filter(|other| *other != row.row) {
                found.push((row.row, ResultProblem::KeyElsewhere { operator: operator.id.get(), row: other }));
            }
        }
        for (operator, sealed) in operators.iter().zip(&data.sealed_shares) {
            let earlier = self.sealed.insert((row.cluster, Sha256Digest::of(*sealed)), row.row);
            if let Some(earlier) = earlier.filter(|earlier| *earlier != row.row) {
                let operator = operator.id.get();
                found.push((row.row, ResultProblem::SealedElsewhere { operator, row: earlier }));
                found.push((earlier, ResultProblem::SealedElsewhere { operator, row: row.row }));
            }
        }
        Ok(found)
    }
}
