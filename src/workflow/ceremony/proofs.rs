//! Operators' proofs that are made after a ceremony, one operator at a time, where its RSA key lives.

use std::collections::BTreeMap;

use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::agdkg::rsa::{OperatorKeys, OperatorSigner};
use dvkey_ceremony::{Identifier, OperatorProof, PublicKey};

use super::CeremonyError;
use super::collection::Collection;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::operator_key::{OperatorPrivateKey, SEALED_BYTES};
use crate::crypto::random;
use crate::format::proofs::{ProofsFile, SignedProof};

/// The salt of a proof: as long as fits into a modulus of 256 bytes, as the software of the operators does.
const SALT: usize = SEALED_BYTES - 34;

/// The proofs so far.
pub struct Added {
    /// By validator; within one, by rising id of the operator.
    pub lists: Vec<Vec<SignedProof>>,
    /// Who signed just now.
    pub operator: Identifier,
    /// Whose proofs are missing still.
    pub missing: Vec<Identifier>,
    /// How many proofs of the given files belong to no share of this ceremony, or are wrong.
    pub strangers: usize,
}

/// Adds the proofs of the operator that this key belongs to, to those that are there.
///
/// # Errors
/// [`CeremonyError`]: the ceremony does not verify; [`CeremonyError::NoOperatorKey`] when the key is of none of its
/// operators.
pub fn add(collection: &Collection, key: &OperatorPrivateKey, before: &[ProofsFile]) -> Result<Added, CeremonyError> {
    random::check()?;
    let plan = &collection.plan;
    let made = results_public(collection)?;
    let own = key.public().map(|key| key.to_spki_der()).unwrap_or_default();
    let position = plan.participants().iter().position(|one| one.card.binding().is_some_and(|b| b.spki == own));
    let holder = position.and_then(|position| Some((position, plan.participants().get(position)?)));
    let Some((position, holder)) = holder.filter(|_| plan.ssv().is_some()) else {
        return Err(CeremonyError::NoOperatorKey);
    };
    let mut slots: Vec<BTreeMap<usize, SignedProof>> = made.iter().map(|_| BTreeMap::new()).collect();
    let mut strangers = 0;
    for proof in before.iter().flat_map(|file| file.validators.iter().flatten().flatten()) {
        match place(plan, &made, proof) {
            Some((validator, position)) => {
                slots.get_mut(validator).map(|slot| slot.insert(position, proof.clone()));
            }
            None => strangers += 1,
        }
    }
    for (slot, statements) in slots.iter_mut().zip(&made) {
        let Some(statement) = statements.get(position) else { continue };
        let signature = key.sign(&statement.root(), SALT, &mut random::system_infallible());
        let signed = signature.and_then(|signature| signed(statement, &signature));
        slot.insert(position, signed.ok_or(CeremonyError::NoOperatorKey)?);
    }
    let complete = |position: &usize| slots.iter().all(|slot| slot.contains_key(position));
    let missing = plan.participants().iter().enumerate().filter(|(at, _)| !complete(at)).map(|(_, one)| one.id);
    Ok(Added {
        missing: missing.collect(),
        operator: holder.id,
        strangers,
        lists: slots.into_iter().map(|slot| slot.into_values().collect()).collect(),
    })
}

/// What each operator states about its share, by validator and then by position. Public data is enough.
fn results_public(collection: &Collection) -> Result<Vec<Vec<OperatorProof>>, CeremonyError> {
    let plan = &collection.plan;
    let assembled = super::judging::assembled(collection)?;
    let owner = plan.ssv().map(|ssv| ssv.owner);
    let statements = |validator: &dvkey_ceremony::agdkg::outputs::AssembledValidator| {
        let rows = validator.share_public_keys.iter().zip(&validator.sealed_shares);
        rows.filter_map(|(share, sealed)| {
            Some(OperatorProof {
                validator: validator.public_key,
                encrypted_share: sealed.clone(),
                share: *share,
                owner: owner?,
            })
        })
        .collect()
    };
    Ok(assembled.validators.iter().map(statements).collect())
}

/// Which share a proof is about, if it is about one of these and right.
fn place(plan: &Plan, made: &[Vec<OperatorProof>], proof: &SignedProof) -> Option<(usize, usize)> {
    let validator = PublicKey::from_bytes(&proof.validator).ok()?;
    let at = made.iter().position(|list| list.first().is_some_and(|one| one.validator == validator))?;
    let statements = made.get(at)?;
    let position = statements.iter().position(|one| one.encrypted_share == proof.encrypted_share)?;
    let statement = statements.get(position)?;
    let same = statement.share.as_bytes() == &proof.share && statement.owner == proof.owner;
    let binding = plan.participants().get(position)?.card.binding()?;
    let right = same && CeremonyRsa.verifies(&binding.spki, &statement.root(), SALT, &proof.signature);
    right.then_some((at, position))
}

fn signed(statement: &OperatorProof, signature: &[u8]) -> Option<SignedProof> {
    Some(SignedProof {
        validator: *statement.validator.as_bytes(),
        encrypted_share: statement.encrypted_share.as_slice().try_into().ok()?,
        share: *statement.share.as_bytes(),
        owner: statement.owner,
        signature: signature.try_into().ok()?,
    })
}
