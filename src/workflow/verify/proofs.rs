//! Judges the proofs of an ssv-dkg ceremony: what each operator signed, against the keyshares and with the operators' keys.

use std::collections::{BTreeSet, HashMap};

use dvkey_ceremony::bls::PointError;
use dvkey_ceremony::threshold::ClusterSizeError;
use dvkey_ceremony::{Address, OperatorId, OperatorProof, PublicKey, Threshold};

use super::check::{Check, Report, Subject, Unknown, ValidatorLine};
use super::keyshares::{Expected, owner_of};
use super::tally::{Outcome, Results};
use crate::crypto::operator_key::OperatorPublicKey;
use crate::format::json::FieldError;
use crate::format::keyshares::{Item, SharesData};
use crate::format::operator_key_text::OperatorKeyText;
use crate::format::proofs::{ProofsFile, SignedProof};
use crate::workflow::parallel::in_chunks;

/// What is wrong with a proof.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofReason {
    /// It cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No proof at all.
    #[error("the file holds no proofs")]
    Empty,
    /// Another number of validators than asked for.
    #[error("proofs of {found} validators, {wanted} were expected")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// No cluster has so many operators.
    #[error("as many proofs as operators: {0}")]
    ClusterSize(#[from] ClusterSizeError),
    /// Another number than the validator has operators.
    #[error("{found} proofs for {wanted} operators")]
    OperatorCount {
        /// How many proofs.
        found: usize,
        /// How many operators.
        wanted: usize,
    },
    /// The public key is no key.
    #[error("the validator public key is {0}")]
    PublicKey(PointError),
    /// Proofs of several validators in one list.
    #[error("proof {proof} is about another validator than the first")]
    ValidatorsMixed {
        /// Which, from 1.
        proof: usize,
    },
    /// Two lists for one validator.
    #[error("the same validator as number {}", first + 1)]
    Duplicate {
        /// The position of the other, from 0.
        first: usize,
    },
    /// A share public key is no key.
    #[error("the share public key of proof {proof} is {problem}")]
    ShareKey {
        /// Which, from 1.
        proof: usize,
        /// What is wrong with it.
        problem: PointError,
    },
    /// Two operators have the same share, or one has the validator key itself.
    #[error("the share public key of proof {proof} is the same as {of}")]
    RepeatedShareKey {
        /// Which, from 1.
        proof: usize,
        /// What it is the same as.
        of: &'static str,
    },
    /// The zero address.
    #[error("the owner is the zero address")]
    OwnerZero,
    /// Another owner than the one asked for, or than the first proof's.
    #[error("the owner is {found}, {wanted} was expected")]
    OwnerDiffers {
        /// What the proof says.
        found: Address,
        /// What it should say.
        wanted: Address,
    },
    /// Not the share key of the keyshares file.
    #[error("the share public key of operator {0} is another one in the keyshares")]
    OtherShareKey(OperatorId),
    /// Not the sealed share of the keyshares file.
    #[error("the sealed share of operator {0} is another one in the keyshares")]
    OtherSealedShare(OperatorId),
    /// The operator did not sign this.
    #[error("operator {0} did not sign its proof")]
    NotSigned(OperatorId),
    /// Nobody on the list signed this.
    #[error("none of the operators on the list signed proof {proof}")]
    NobodySigned {
        /// Which, from 1.
        proof: usize,
    },
    /// One operator signed two of the proofs.
    #[error("operator {0} signed two of the proofs")]
    SignedTwice(OperatorId),
    /// A validator without proofs.
    #[error("there are no proofs for the validator {0}")]
    Missing(Box<PublicKey>),
}

/// What proofs are compared with.
#[derive(Default)]
pub struct Company<'a> {
    /// All different keyshares of validators, by public key as written.
    pub keyshares: HashMap<[u8; 48], Vec<&'a Item>>,
    /// The validators that must have proofs.
    pub required: BTreeSet<PublicKey>,
}

/// How many different keyshares of one validator are compared. More than one are a no already.
const MOST_ITEMS: usize = 4;

impl<'a> Company<'a> {
    /// Adds the keyshares of a validator.
    pub fn add(&mut self, item: &'a Item) {
        let Ok(key) = item.payload.public_key.as_slice().try_into() else { return };
        let items = self.keyshares.entry(key).or_default();
        let same = |other: &&Item| {
            other.payload.operator_ids == item.payload.operator_ids
                && other.payload.shares_data == item.payload.shares_data
                && owner_of(other) == owner_of(item)
        };
        if items.len() < MOST_ITEMS && !items.iter().any(same) {
            items.push(item);
        }
    }
}

/// Judges `file` in its company. `jobs` threads share the work.
#[must_use]
pub fn judge(file: &ProofsFile, company: &Company<'_>, expected: &Expected<'_>, jobs: usize) -> Report {
    let mut results = Results::default();
    let found = file.validators.len();
    let count = match expected.validators {
        Some(wanted) if wanted != found => Err(ProofReason::Count { found, wanted }),
        _ if found == 0 => Err(ProofReason::Empty),
        _ => Ok(()),
    };
    results.record(Check::ProofCount, None, count);

    let listed = listed_keys(expected);
    let judged = in_chunks(&file.validators, jobs, |lists| {
        lists.iter().map(|list| judge_list(list, company, &listed, expected)).collect()
    });
    let mut validators: Vec<ValidatorLine> = Vec::with_capacity(found);
    for (position, (results_of_list, line)) in judged.into_iter().enumerate() {
        results.absorb(position, results_of_list);
        validators.push(line);
    }
    let mut positions = HashMap::new();
    for (position, key) in validators.iter().enumerate().filter_map(|(at, line)| Some((at, line.public_key?))) {
        let first = *positions.entry(key).or_insert(position);
        if first != position {
            results.failed(Check::ProofValidator, Some(position), ProofReason::Duplicate { first });
        }
    }
    for required in &company.required {
        let there = positions.contains_key(required);
        let outcome = if there { Ok(()) } else { Err(ProofReason::Missing(Box::new(*required))) };
        results.record(Check::ProofsComplete, None, outcome);
    }
    let owner = one_owner(file, expected, &mut results);
    results.settle(&[Check::ProofShareKeys, Check::ProofSignature], found);
    let failed = results.failed_positions();
    for (position, line) in validators.iter_mut().enumerate() {
        line.good = !failed.contains(&position);
    }
    let missing = [Check::ProofShareKeys, Check::ProofShares, Check::ProofSignature];
    let verdict = results.verdict(&missing, |why| *why != Unknown::NoKeyshares);
    Report { verdict, checks: results.into_checks(), validators, owner, network: None, subject: Subject::Proofs }
}

/// The usable keys of the list that was given.
fn listed_keys(expected: &Expected<'_>) -> Vec<(OperatorId, OperatorPublicKey)> {
    let Some(list) = expected.operators else { return Vec::new() };
    list.ids().filter_map(|id| Some((id, list.key_of(id).ok()?.key))).collect()
}

type Judged = (Vec<(Check, Outcome)>, ValidatorLine);

fn judge_list(
    list: &[Result<SignedProof, FieldError>],
    company: &Company<'_>,
    listed: &[(OperatorId, OperatorPublicKey)],
    expected: &Expected<'_>,
) -> Judged {
    let mut results = Vec::new();
    let mut line = ValidatorLine { public_key: None, nonce: None, operators: Vec::new(), good: true };
    let proofs: Vec<_> = match list.iter().map(Result::as_ref).collect::<Result<Vec<_>, _>>() {
        Ok(proofs) => proofs,
        Err(error) => {
            results.push((Check::ProofStructure, Err(ProofReason::from(error.clone())).into()));
            return (results, line);
        }
    };
    results.push((Check::ProofStructure, Outcome::Holds));
    let Some(first) = proofs.first() else {
        results.push((Check::ProofCount, Err(ProofReason::ClusterSize(ClusterSizeError(0))).into()));
        return (results, line);
    };
    let items = company.keyshares.get(&first.validator).map(Vec::as_slice).unwrap_or_default();
    let item = items.first().copied();
    let mut counts = items.iter().map(|item| item.payload.operator_ids.len());
    let count = match counts.find(|wanted| *wanted != proofs.len()) {
        Some(wanted) => Err(ProofReason::OperatorCount { found: proofs.len(), wanted }),
        _ => Threshold::ssv(proofs.len()).map(drop).map_err(ProofReason::from),
    };
    let lawful = count.is_ok();
    results.push((Check::ProofCount, count.into()));
    let validator = PublicKey::from_bytes(&first.validator);
    let mixed = proofs.iter().position(|proof| proof.validator != first.validator);
    let named = match (&validator, mixed) {
        (Err(problem), _) => Err(ProofReason::PublicKey(*problem)),
        (Ok(_), Some(position)) => Err(ProofReason::ValidatorsMixed { proof: position + 1 }),
        (Ok(_), None) => Ok(()),
    };
    results.push((Check::ProofValidator, named.into()));
    line.public_key = validator.ok();
    if !lawful {
        // Each proof costs a signature: an unlawful number of them is not worth it.
        return (results, line);
    }
    let shares = share_keys(&proofs, line.public_key.as_ref());
    results.push((Check::ProofShareKeys, shares.as_ref().map(drop).map_err(Clone::clone).into()));

    if let Some(item) = item {
        line.operators.clone_from(&item.payload.operator_ids);
    } else {
        results.push((Check::ProofShares, Outcome::Unknown(Unknown::NoKeyshares)));
    }
    for item in items {
        results.push((Check::ProofShares, same_shares(&proofs, item)));
        if let Some(wanted) = owner_of(item)
            && wanted != first.owner
        {
            let differs = ProofReason::OwnerDiffers { found: first.owner, wanted };
            results.push((Check::ProofOwner, Outcome::Fails(differs.into())));
        }
    }
    if let (Some(validator), Ok(shares)) = (line.public_key, shares) {
        let statements: Vec<_> = proofs
            .iter()
            .zip(shares)
            .map(|(proof, share)| {
                let encrypted_share = proof.encrypted_share.to_vec();
                (OperatorProof { validator, encrypted_share, share, owner: proof.owner }.root(), &proof.signature)
            })
            .collect();
        results.push((Check::ProofSignature, signatures(&statements, item, listed, expected, &mut line)));
    }
    (results, line)
}

fn share_keys(proofs: &[&SignedProof], validator: Option<&PublicKey>) -> Result<Vec<PublicKey>, ProofReason> {
    let mut keys: Vec<PublicKey> = Vec::with_capacity(proofs.len());
    for (position, proof) in proofs.iter().enumerate() {
        let proof_number = position + 1;
        let key = PublicKey::from_bytes(&proof.share)
            .map_err(|problem| ProofReason::ShareKey { proof: proof_number, problem })?;
        let of = match () {
            () if validator == Some(&key) => "the validator public key: that operator would hold the whole key",
            () if keys.contains(&key) => "that of an earlier proof",
            () => {
                keys.push(key);
                continue;
            }
        };
        return Err(ProofReason::RepeatedShareKey { proof: proof_number, of });
    }
    Ok(keys)
}

/// Proofs stand in the order of the operators. A keyshares item that is damaged is refused by its own checks.
fn same_shares(proofs: &[&SignedProof], item: &Item) -> Outcome {
    let payload = &item.payload;
    let Some(parts) = SharesData::cut(&payload.shares_data, payload.operator_ids.len()) else {
        return Outcome::Unknown(Unknown::Blocked);
    };
    let slots = payload.operator_ids.iter().zip(&parts.share_public_keys).zip(&parts.sealed_shares);
    for (proof, ((id, share), sealed)) in proofs.iter().zip(slots) {
        if proof.share.as_slice() != *share {
            return Outcome::Fails(ProofReason::OtherShareKey(*id).into());
        }
        if proof.encrypted_share != **sealed {
            return Outcome::Fails(ProofReason::OtherSealedShare(*id).into());
        }
    }
    Outcome::Holds
}

/// Each operator's signature under its key: the one on the list that was given, or else the one that the keyshares name.
/// Where neither says whose proof it is, somebody on the list must have signed it, and nobody twice.
fn signatures(
    statements: &[([u8; 32], &[u8; 256])],
    item: Option<&Item>,
    listed: &[(OperatorId, OperatorPublicKey)],
    expected: &Expected<'_>,
    line: &mut ValidatorLine,
) -> Outcome {
    if let Some(item) = item {
        let described = item.data.as_ref().and_then(|data| data.operators.as_deref()).unwrap_or_default();
        for ((root, signature), id) in statements.iter().zip(&item.payload.operator_ids) {
            let known = listed.iter().find(|(operator, _)| operator == id).map(|(_, key)| key.clone());
            let named = || {
                let (_, text) = described.iter().find(|(operator, _)| operator == id)?;
                OperatorKeyText::parse(text.as_ref()?).ok().map(|text| text.key)
            };
            let Some(key) = known.or_else(named) else { return Outcome::Unknown(Unknown::NoOperatorsForProofs) };
            if !key.signed(root, signature) {
                return Outcome::Fails(ProofReason::NotSigned(*id).into());
            }
        }
        return Outcome::Holds;
    }
    if expected.operators.is_none() {
        return Outcome::Unknown(Unknown::NoOperatorsForProofs);
    }
    for (position, (root, signature)) in statements.iter().enumerate() {
        let Some((id, _)) = listed.iter().find(|(_, key)| key.signed(root, signature)) else {
            return Outcome::Fails(ProofReason::NobodySigned { proof: position + 1 }.into());
        };
        if line.operators.contains(id) {
            return Outcome::Fails(ProofReason::SignedTwice(*id).into());
        }
        line.operators.push(*id);
    }
    Outcome::Holds
}

/// One owner in the whole file. Returns it.
fn one_owner(file: &ProofsFile, expected: &Expected<'_>, results: &mut Results) -> Option<Address> {
    let mut first = None;
    for (position, list) in file.validators.iter().enumerate() {
        for found in list.iter().flatten().map(|proof| proof.owner) {
            let wanted = expected.owner.unwrap_or(*first.get_or_insert(found));
            first.get_or_insert(found);
            let outcome = match found {
                found if found.is_zero() => Err(ProofReason::OwnerZero),
                found if found != wanted => Err(ProofReason::OwnerDiffers { found, wanted }),
                _ => Ok(()),
            };
            let failed = outcome.is_err();
            results.record(Check::ProofOwner, Some(position), outcome);
            if failed {
                break;
            }
        }
    }
    first
}
