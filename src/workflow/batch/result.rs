//! Judges the results of rows as a stranger would: form, share keys, sealed range, degree, signature; many at once.

use std::collections::{HashMap, HashSet};

use dvkey_ceremony::bls::{HeldKeys, PointError, SignedMessage};
use dvkey_ceremony::share::{Sharing, SharingError, check_sharings};
use dvkey_ceremony::{OwnerNonce, PublicKey, SharePublicKey, Signature, Threshold};

use super::LoadedPlan;
use crate::crypto::digest::Sha256Digest;
use crate::format::keyshares::SharesData;
use crate::format::operators::Cluster;
use crate::format::plan::Row;
use crate::format::row_result::RowResult;

/// How many are judged at once: more would gain little, and lose more when the power fails.
pub(super) const GROUP: usize = 64;

/// A result and what it must be the result of.
pub(super) struct Claim<'a> {
    pub(super) plan: Sha256Digest,
    pub(super) row: &'a Row,
    pub(super) cluster: &'a Cluster,
    pub(super) result: &'a RowResult,
    /// What this process has made, if it has made the result.
    pub(super) held: &'a HeldKeys,
}

/// Why a result is not that of its row.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResultProblem {
    /// There is no file.
    #[error("its file is missing")]
    Missing,
    /// The file's digest is not the one in the journal.
    #[error("its file is not the one that was written")]
    OtherContent,
    /// Something else than a file is in its place.
    #[error("there is no file in its place, but a folder, a pipe or a device")]
    NotAFile,
    /// The file cannot be read.
    #[error("its file cannot be read")]
    Unreadable,
    /// The file is something else.
    #[error("its file is no result")]
    NotAResult,
    /// It is the result of another row, plan, validator or nonce.
    #[error("it is the result of something else")]
    OtherRow,
    /// It has another length than its cluster needs.
    #[error("its shares have the wrong length")]
    Length,
    /// A key or the signature is no point.
    #[error("it holds {0}")]
    Point(PointError),
    /// A sealed share is none.
    #[error("the sealed share of operator {0} is no ciphertext")]
    Sealed(u64),
    /// One sealed share stands for two operators, and can be right for one of them at most.
    #[error("operators {0} and {1} have the same sealed share")]
    SealedTwice(u64, u64),
    /// The share key of an operator is that of another one, or the validator key.
    #[error("the share key of operator {0} is another one's, or the validator key")]
    ShareKeyTwice(u64),
    /// A sealed share stands in the result of another row, too, and can be right in one of them at most.
    #[error("the sealed share of operator {operator} stands in the result of row {row}, too")]
    SealedElsewhere {
        /// The operator.
        operator: u64,
        /// The other row.
        row: u32,
    },
    /// The share key of an operator is the validator key of another row.
    #[error("the share key of operator {operator} is the validator key of row {row}")]
    KeyElsewhere {
        /// The operator.
        operator: u64,
        /// The other row.
        row: u32,
    },
    /// The share keys are no sharing of the validator key.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// The signature does not hold.
    #[error("the signature does not hold for owner and nonce")]
    Signature,
}

/// The parts of a result that are judged together with others.
struct Parts {
    validator: PublicKey,
    shares: Vec<SharePublicKey>,
    threshold: Threshold,
    signature: Signature,
    digest: [u8; 32],
}

/// Judges what was read for each of these rows of a plan.
pub(super) fn judge_read<'a>(
    plan: &LoadedPlan,
    rows: impl Iterator<Item = &'a Row>,
    read: &[Result<RowResult, ResultProblem>],
) -> Vec<Result<(), ResultProblem>> {
    let mut claims = Vec::with_capacity(read.len());
    let held = HeldKeys::default();
    for (row, result) in rows.zip(read) {
        if let (Ok(result), Ok(cluster)) = (result, plan.cluster(row)) {
            claims.push(Claim { plan: plan.hash, row, cluster: &cluster.cluster, result, held: &held });
        }
    }
    let mut outcomes = judge_results(&claims).into_iter();
    let outcome = |read: &Result<_, ResultProblem>| match read {
        Ok(_) => outcomes.next().unwrap_or(Err(ResultProblem::NotAResult)),
        Err(problem) => Err(problem.clone()),
    };
    read.iter().map(outcome).collect()
}

/// Judges every result; the outcomes come in the order of the claims.
pub(super) fn judge_results(claims: &[Claim<'_>]) -> Vec<Result<(), ResultProblem>> {
    let parts: Vec<_> = claims.iter().map(parts).collect();
    let whole: Vec<_> = parts.iter().flatten().collect();
    let sharings: Vec<_> = whole
        .iter()
        .map(|parts| Sharing { validator: &parts.validator, shares: &parts.shares, threshold: parts.threshold })
        .collect();
    let statements: Vec<_> = whole
        .iter()
        .map(|parts| SignedMessage {
            public_key: &parts.validator,
            message: &parts.digest,
            signature: &parts.signature,
        })
        .collect();
    // Only to find out which signature does not hold are they verified one by one.
    let all_hold = !statements.is_empty() && Signature::verify_all(&statements);
    let mut outcomes = whole.iter().zip(check_sharings(&sharings)).map(|(parts, sharing)| {
        sharing?;
        let holds = all_hold || parts.signature.verify(&parts.validator, &parts.digest);
        if holds { Ok(()) } else { Err(ResultProblem::Signature) }
    });
    let mut judged = Vec::with_capacity(parts.len());
    for part in &parts {
        judged.push(match part {
            Ok(_) => outcomes.next().unwrap_or(Err(ResultProblem::NotAResult)),
            Err(problem) => Err(problem.clone()),
        });
    }
    judged
}

fn parts(claim: &Claim<'_>) -> Result<Parts, ResultProblem> {
    let Claim { plan, row, cluster, result, held } = claim;
    let own = result.plan == *plan
        && result.row == row.row
        && result.public_key == row.public_key
        && result.nonce == row.nonce;
    if !own {
        return Err(ResultProblem::OtherRow);
    }
    let operators = cluster.operators();
    let data = SharesData::cut(&result.shares_data, operators.len()).ok_or(ResultProblem::Length)?;
    let validator = held.read(&result.public_key).map_err(ResultProblem::Point)?;
    let signature = Signature::from_bytes(data.signature).map_err(ResultProblem::Point)?;
    let mut shares = Vec::with_capacity(operators.len());
    for (operator, bytes) in operators.iter().zip(&data.share_public_keys) {
        let public_key = held.read(bytes).map_err(ResultProblem::Point)?;
        shares.push(SharePublicKey { identifier: operator.id.identifier(), public_key });
    }
    let mut before = HashMap::with_capacity(operators.len());
    for (operator, sealed) in operators.iter().zip(&data.sealed_shares) {
        let operator_id = operator.id.get();
        if !operator.key.key.could_open(sealed) {
            return Err(ResultProblem::Sealed(operator_id));
        }
        if let Some(other) = before.insert(*sealed, operator_id) {
            return Err(ResultProblem::SealedTwice(other, operator_id));
        }
    }
    let mut keys = HashSet::from([result.public_key.as_slice()]);
    for (operator, key) in operators.iter().zip(&data.share_public_keys) {
        if !keys.insert(*key) {
            return Err(ResultProblem::ShareKeyTwice(operator.id.get()));
        }
    }
    let message = OwnerNonce { owner: row.owner, nonce: row.nonce };
    Ok(Parts { validator, shares, threshold: cluster.threshold(), signature, digest: message.digest() })
}
