//! What comes out at the end: combined signatures and sealed shares, from n verified certify files (SPEC section 11).

use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{Certifies, OpenCertify, Signed};
use crate::agdkg::plan::Plan;
use crate::agdkg::precommit::Precommit;
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::transcript::{Deals, Outputs, lagrange_at_zero};
use crate::bls::{PublicKey, Signature};
use crate::deposit::{DepositData, DepositMessage};
use crate::fault::{Check, Culprit, Fault};
use crate::group::{PublicScalar, Sum, Width, combine_signatures, normalise, pairing_holds};
use crate::hash::{Prk, Tag, Weights};

/// The result of a ceremony: public, verified, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The certificate.
    pub certificate: Certificate,
    /// What the deals make.
    pub outputs: Outputs,
    /// One for each validator.
    pub validators: Vec<AssembledValidator>,
}

/// What one validator needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssembledValidator {
    /// The validator key's public half.
    pub public_key: PublicKey,
    /// The share public keys, in the plan's order.
    pub share_public_keys: Vec<PublicKey>,
    /// A signed deposit for each amount of the plan.
    pub deposits: Vec<DepositData>,
    /// The signature over owner and nonce, for each nonce of the window.
    pub owner_nonces: Vec<(u64, Signature)>,
    /// Each holder's share sealed to its operator key, in the plan's order; empty where there are none.
    pub sealed_shares: Vec<Vec<u8>>,
    /// Each operator's proof, in the plan's order; empty where there are none.
    pub operator_proofs: Vec<Vec<u8>>,
}

impl AssembledValidator {
    /// `sharesData` for one nonce of the window: signature, n share public keys, n sealed shares. `None` where the plan
    /// has no such nonce or shares were not sealed.
    #[must_use]
    pub fn shares_data(&self, nonce: u64) -> Option<Vec<u8>> {
        let (_, signature) = self.owner_nonces.iter().find(|(signed, _)| *signed == nonce)?;
        if self.sealed_shares.len() != self.share_public_keys.len() {
            return None;
        }
        let mut out = signature.as_bytes().to_vec();
        out.extend(self.share_public_keys.iter().flat_map(PublicKey::as_bytes));
        out.extend(self.sealed_shares.iter().flatten());
        Some(out)
    }
}

/// Verifies everything that was published and combines it. Needs all n deals and all n certify files.
///
/// `seed`: 32 bytes that no participant could predict, for checking many equations at once.
///
/// # Errors
/// [`Fault`], the first that is found.
pub fn assemble(
    plan: &Plan,
    deals: &Deals,
    precommits: &[Precommit],
    certifies: &Certifies,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Result<Assembled, Fault> {
    let outputs = deals.audit(plan, precommits, seed)?;
    assemble_outputs(plan, outputs, certifies, seed, rsa)
}

/// The same for deals that were verified before.
///
/// # Errors
/// [`Fault`], the first that is found.
pub fn assemble_outputs(
    plan: &Plan,
    outputs: Outputs,
    certifies: &Certifies,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Result<Assembled, Fault> {
    let signed = Signed::new(plan, &outputs);
    let files = certifies.verify_signed(&signed, seed, rsa)?;
    let certificate = Certificate::assemble(plan, &outputs, &files);
    // What others will read is read here first.
    Certificate::parse(plan, certificate.as_bytes())?.check(&outputs)?;
    let combined = combine(&signed, &files, seed)?;
    let validators = (0u16..).zip(combined).map(|(v, signatures)| validator(plan, &outputs, &files, v, signatures));
    let validators = validators.collect::<Option<Vec<_>>>();
    let validators = validators.ok_or(Fault::new(Check::OwnWork, Culprit::Nobody))?;
    Ok(Assembled { certificate, outputs, validators })
}

/// Lagrange at zero over the t lowest ids, and a last verification of every result under its validator key.
pub(crate) fn combine(
    signed: &Signed<'_>,
    files: &[OpenCertify],
    seed: &[u8; 32],
) -> Result<Vec<Vec<Signature>>, Fault> {
    let own_work = Fault::new(Check::OwnWork, Culprit::Nobody);
    let quorum: Vec<_> = files.iter().take(signed.plan.threshold().t()).collect();
    let ids: Vec<_> = quorum.iter().map(|file| file.sender).collect();
    let lagrange = lagrange_at_zero(&ids).ok_or(own_work)?;
    let mut combined = Vec::with_capacity(signed.messages.len());
    for (v, row) in signed.messages.iter().enumerate() {
        let one = |position: usize| {
            let partials = quorum.iter().map(|file| file.validators.get(v)?.partials.get(position).copied());
            let partials: Option<Vec<_>> = partials.collect();
            let terms: Vec<_> = lagrange.iter().cloned().zip(partials?).collect();
            combine_signatures(&terms, Width::Full)
        };
        let signatures: Option<Vec<_>> = (0..row.len()).map(one).collect();
        combined.push(signatures.ok_or(own_work)?);
    }

    let mut weights = Weights::new(Prk::extract(seed, &[Tag::BATCH2.as_bytes(), &signed.outputs.root]));
    let mut keys = Vec::new();
    let mut weighted = Vec::new();
    for ((row, validator), signatures) in signed.messages.iter().zip(&signed.outputs.validators).zip(&combined) {
        for (_, signature) in row.iter().zip(signatures) {
            let weight: PublicScalar = weights.draw();
            keys.push(Sum::times(&validator.public_key, &weight));
            weighted.push((weight, *signature));
        }
    }
    let hashed = signed.messages.iter().flatten().map(|(_, hashed)| *hashed);
    let terms: Vec<_> = normalise(&keys).ok_or(own_work)?.into_iter().zip(hashed).collect();
    let holds = combine_signatures(&weighted, Width::Half).is_some_and(|sum| pairing_holds(&sum, &terms));
    if !holds {
        // C-71. Each partial signature was verified: what does not combine was broken here.
        return Err(Fault::new(Check::CombinedSignature, Culprit::Nobody));
    }
    Ok(combined)
}

fn validator(
    plan: &Plan,
    outputs: &Outputs,
    files: &[OpenCertify],
    v: u16,
    signatures: Vec<Signature>,
) -> Option<AssembledValidator> {
    let keys = outputs.validators.get(usize::from(v))?;
    let public_key = keys.public_key.to_public_key();
    let mut signatures = signatures.into_iter();
    let mut deposits = Vec::new();
    for amount in &plan.parameters().amounts {
        let message = DepositMessage { public_key, credentials: *plan.credentials_of(v)?, amount: *amount };
        deposits.push(DepositData { message, signature: signatures.next()? });
    }
    let mut owner_nonces = Vec::new();
    if let Some(ssv) = plan.ssv() {
        let first = ssv.first_nonce.checked_add(u64::from(v))?;
        for i in 0..u64::from(ssv.nonce_window) {
            owner_nonces.push((first.checked_add(i)?, signatures.next()?));
        }
    }
    let of_holders = files.iter().filter_map(|file| file.validators.get(usize::from(v)));
    Some(AssembledValidator {
        public_key,
        share_public_keys: keys.share_keys.iter().map(|key| key.to_public_key()).collect(),
        deposits,
        owner_nonces,
        sealed_shares: of_holders.clone().filter_map(|one| one.sealed_share.clone()).collect(),
        operator_proofs: of_holders.filter_map(|one| one.operator_proof.clone()).collect(),
    })
}
