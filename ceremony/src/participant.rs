//! ROLE: the participant, who deals and holds. Each step consumes the one before: Planned → Dealt → Certified → Finished.

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use crate::agdkg::CERTIFY_MAGIC;
use crate::agdkg::card::Card;
use crate::agdkg::certificate::Certificate;
use crate::agdkg::certify::{
    Certifies, Signed, SignedCertify, certificate_hash, certify_bytes, possession_challenge, proof_of,
    proof_salt_bytes, sealed_bytes,
};
use crate::agdkg::complaint::Complaint;
use crate::agdkg::deal::{Batch, OpenDeal, SignedDeal, pad, pad_key};
use crate::agdkg::dealing::make_deal;
use crate::agdkg::identity::{Identity, commitment};
use crate::agdkg::outputs::assemble_outputs;
use crate::agdkg::plan::{Participant, Plan};
use crate::agdkg::precommit::Precommit;
use crate::agdkg::rsa::{OperatorKeys, OperatorSigner};
use crate::agdkg::signing::message_hash;
use crate::agdkg::transcript::{Coefficients, Deals, Outputs};
use crate::bls::SecretKey;
use crate::fault::{Check, Culprit, Fault};
use crate::group::{MultiSum, PublicScalar, Sum, Width};
use crate::hash::{Prk, Tag, Weights};
use crate::identifier::Identifier;
use crate::scalar::Scalar;
use crate::share::KeyShare;

/// A participant that accepted a plan and has shown nothing yet.
pub struct Planned {
    identity: Identity,
    plan: Plan,
    me: Identifier,
    position: usize,
}

/// A participant that made its deal.
pub struct Dealt {
    planned: Planned,
    deal_hash: [u8; 32],
}

/// A participant that certified a transcript. It must not certify another, nor complain.
pub struct Certified {
    planned: Planned,
    outputs: Outputs,
    shares: Vec<Scalar>,
}

/// A participant that holds its shares, with the proof that everybody does.
pub struct Finished {
    /// My share of each validator key.
    pub shares: Vec<KeyShare>,
    /// The certificate.
    pub certificate: Certificate,
    /// What the ceremony made.
    pub outputs: Outputs,
}

impl std::fmt::Debug for Complained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.complaint.fmt(f)
    }
}

/// A participant that complained. It must not certify.
pub struct Complained {
    /// The complaint, for everybody.
    pub complaint: Complaint,
}

/// A step that was refused, and the state from before it.
pub struct Refused<State> {
    /// Why.
    pub fault: Fault,
    /// Nothing has changed.
    pub state: Box<State>,
}

impl<State> std::fmt::Debug for Refused<State> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault.fmt(f)
    }
}

impl Planned {
    /// Accepts a plan that the human confirmed (C-22).
    ///
    /// # Errors
    /// [`Refused`] when my card is not in it, exactly once and as it is.
    pub fn accept(identity: Identity, plan: Plan, my_card: Option<&Card>) -> Result<Self, Fault> {
        let me = plan.accept(&identity, my_card)?;
        let position = plan.participants().iter().position(|one| one.id == me);
        let position = position.ok_or(Fault::new(Check::PlanMine, Culprit::Organizer))?;
        Ok(Self { identity, plan, me, position })
    }

    /// Makes my deal: the same bytes whenever and wherever it is made.
    ///
    /// # Errors
    /// [`Check::OwnWork`] when the machine faltered.
    pub fn deal(self) -> Result<(Dealt, SignedDeal), Refused<Self>> {
        match make_deal(&self.identity, &self.plan, self.me) {
            Ok(deal) => Ok((Dealt { deal_hash: *deal.hash(), planned: self }, deal)),
            Err(fault) => Err(Refused { fault, state: Box::new(self) }),
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// My id in it.
    #[must_use]
    pub fn id(&self) -> Identifier {
        self.me
    }

    fn holder(&self) -> Result<&Participant, Fault> {
        self.plan.participants().get(self.position).ok_or(Fault::new(Check::PlanMine, Culprit::Organizer))
    }

    /// My shares from one dealer, before anything is known about them.
    fn decrypt(&self, deal: &OpenDeal) -> Option<Vec<Scalar>> {
        let holder = self.holder().ok()?;
        let shared = self.identity.shared_with(&deal.ephemeral)?;
        let key = pad_key(&self.plan, deal.sender, holder, &deal.ephemeral, &shared);
        let mut shares = Vec::with_capacity(usize::from(self.plan.validators()));
        for v in 0..self.plan.validators() {
            shares.push(deal.ciphertext(v, self.position)?.as_scalar().sub(&pad(&key, v)));
        }
        Some(shares)
    }

    /// Checks every deal and adds up what it holds for me (SPEC section 8, C-35 to C-43).
    fn import(&self, deals: &Deals) -> Result<(Outputs, Vec<Scalar>), Fault> {
        if let Some(redacted) = deals.iter().find(|deal| deal.is_redacted()) {
            // Nobody else is obliged to keep the ciphertexts, and without them nothing can be recovered.
            return Err(Fault::of(Check::DealMissing, redacted.sender()));
        }
        let transcript = deals.transcript(&self.plan);
        let ceremony = self.identity.ceremony(&self.plan);
        let seed = Prk::extract(ceremony.expose(), &[Tag::BATCH.as_bytes(), &transcript]);
        let mut batch = Batch::new(&self.plan, Some(self.me), Weights::new(seed));
        let mut sums = Coefficients::new(&self.plan);
        let mut mine: Vec<_> = (0..self.plan.validators()).map(|_| Scalar::zero()).collect();
        for deal in deals.iter() {
            let open = deal.open(&self.plan)?;
            let shares = self.decrypt(&open).ok_or(Fault::of(Check::DealDecode, deal.sender()))?;
            batch.add(&open, &shares);
            sums.add(&open);
            for (sum, share) in mine.iter_mut().zip(&shares) {
                *sum = sum.add(share);
            }
        }
        if !batch.holds() {
            for deal in deals.iter() {
                let open = deal.open(&self.plan)?;
                let shares = self.decrypt(&open).ok_or(Fault::of(Check::DealDecode, deal.sender()))?;
                open.check_exactly(Some((self.me, &shares)))?;
            }
        }
        let outputs = sums.outputs(&self.plan, transcript)?;
        self.check_shares(&outputs, &mine)?;
        Ok((outputs, mine))
    }

    /// `s_v·G = SPK_v` for all v (C-94).
    pub(crate) fn check_shares(&self, outputs: &Outputs, shares: &[Scalar]) -> Result<(), Fault> {
        let refused = Fault::new(Check::RecoveryShare, Culprit::Undecided);
        let ceremony = self.identity.ceremony(&self.plan);
        let seed = Prk::extract(ceremony.expose(), &[Tag::BATCH.as_bytes(), &outputs.root]);
        let mut weights = Weights::new(seed);
        let mut left = Scalar::zero();
        let mut right = MultiSum::with_capacity(Width::Half, shares.len());
        for (share, key) in shares.iter().zip(outputs.share_keys_at(self.position)) {
            let weight = weights.draw();
            left = left.add(&weight.as_scalar().mul(share));
            right.push(&weight, key.ok_or(refused)?);
        }
        if Sum::generator_times_secret(&left) == right.sum() { Ok(()) } else { Err(refused) }
    }
}

impl Dealt {
    /// Checks all deals, computes my shares, and certifies: signatures, proofs, and the share sealed to my operator key.
    ///
    /// `rng` feeds the padding of RSA, mixed with my own secret, so that a weak source does no harm. `signer` is my
    /// operator key, where the plan asks for operator proofs. All deals must be on durable storage, and the transcript
    /// in the journal, before the file is handed on.
    ///
    /// # Errors
    /// [`Refused`] with the fault of a deal; after C-38, [`Dealt::complain`]. The state is unchanged.
    pub fn certify(
        self,
        deals: &Deals,
        precommits: &[Precommit],
        rsa: &dyn OperatorKeys,
        signer: Option<&dyn OperatorSigner>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Certified, SignedCertify), Refused<Self>> {
        match self.certify_after(deals, precommits, rsa, signer, rng, &|_| ()) {
            Ok((outputs, shares, file)) => Ok((Certified { planned: self.planned, outputs, shares }, file)),
            Err(fault) => Err(Refused { fault, state: Box::new(self) }),
        }
    }

    /// Complains about a deal whose share for me is wrong, after C-38 told the validator.
    ///
    /// # Errors
    /// [`Refused`] when nobody else would find the dealer guilty: nothing may be published then.
    pub fn complain(self, deal: &SignedDeal, validator: u16) -> Result<Complained, Refused<Self>> {
        let Planned { identity, plan, me, .. } = &self.planned;
        match Complaint::make(identity, plan, *me, deal, validator) {
            Ok(complaint) => Ok(Complained { complaint }),
            Err(fault) => Err(Refused { fault, state: Box::new(self) }),
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// The same with something happening to the possession proof and to all that follows it before it is signed.
    pub(crate) fn certify_after(
        &self,
        deals: &Deals,
        precommits: &[Precommit],
        rsa: &dyn OperatorKeys,
        signer: Option<&dyn OperatorSigner>,
        rng: &mut dyn CryptoRng,
        between: &dyn Fn(&mut Vec<u8>),
    ) -> Result<(Outputs, Vec<Scalar>, SignedCertify), Fault> {
        let planned = &self.planned;
        if deals.of(planned.me).is_some_and(|deal| *deal.hash() != self.deal_hash) {
            // My signature on a deal that is not mine now: a clone of me, or another plan's root.
            return Err(Fault::new(Check::DealTwice, Culprit::Undecided));
        }
        deals.check_complete(&planned.plan, precommits)?;
        let (outputs, shares) = planned.import(deals)?;
        let file = planned.write_certify(&outputs, &shares, rsa, signer, rng, between)?;
        Ok((outputs, shares, file))
    }
}

impl Planned {
    fn write_certify(
        &self,
        outputs: &Outputs,
        shares: &[Scalar],
        rsa: &dyn OperatorKeys,
        signer: Option<&dyn OperatorSigner>,
        rng: &mut dyn CryptoRng,
        between: &dyn Fn(&mut Vec<u8>),
    ) -> Result<SignedCertify, Fault> {
        let own_work = Fault::new(Check::OwnWork, Culprit::Nobody);
        let plan = &self.plan;
        let Outputs { transcript, root, .. } = outputs;
        let ceremony = self.identity.ceremony(plan);
        let mut out = Vec::with_capacity(certify_bytes(plan, self.holder()?));
        out.extend(CERTIFY_MAGIC);
        out.extend(plan.hash());
        out.extend(self.me.get().to_be_bytes());
        out.extend(transcript);
        out.extend(root);
        out.extend(self.identity.sign(&certificate_hash(plan, transcript, root, self.me)));

        let nonce = ceremony.scalar(&[Tag::NONCE_POS.as_bytes(), transcript, root]);
        let announced = commitment(&nonce).ok_or(own_work)?;
        let challenge = possession_challenge(plan, outputs, self.me, &announced);
        // k + Σ c^{v+1}·s_v, by Horner's rule.
        let sum = shares.iter().rev().fold(Scalar::zero(), |sum, share| sum.add(share).mul(challenge.as_scalar()));
        out.extend(announced.as_bytes());
        out.extend(PublicScalar::disclose(nonce.add(&sum)).to_be_bytes());

        let signed = Signed::new(plan, outputs);
        let mut padding = self.padding(&ceremony, transcript, rng);
        for ((row, keys), share) in signed.messages.iter().zip(&outputs.validators).zip(shares) {
            let key = SecretKey::from_scalar(share).ok_or(own_work)?;
            for (_, message) in row {
                out.extend(message.sign(&key).as_bytes());
            }
            if let Some(sealed) = self.seal(&key, rsa, &mut padding)? {
                let proof = self.prove(keys, &sealed, signer, &mut padding)?;
                out.extend(sealed);
                out.extend(proof);
            }
        }
        between(&mut out);
        out.extend(self.identity.sign(&message_hash(&out)));

        // Read and verified as others will, before it leaves memory.
        let file = SignedCertify::parse(plan, &out).map_err(|_| own_work)?;
        let open = file.open(plan, outputs).map_err(|_| own_work)?;
        let seed = Prk::extract(ceremony.expose(), &[Tag::BATCH2.as_bytes(), &message_hash(file.as_bytes())]);
        signed.check(&[open], &mut Weights::new(seed), rsa).map_err(|_| own_work)?;
        Ok(file)
    }

    /// ChaCha20 from `EXT(cs, "agdkg-v1/r2-rand" ‖ 32 bytes of the caller's randomness ‖ T)`.
    fn padding(&self, ceremony: &Prk, transcript: &[u8; 32], rng: &mut dyn CryptoRng) -> ChaCha20Rng {
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(fresh.as_mut());
        let seed = Prk::extract(ceremony.expose(), &[Tag::R2_RAND.as_bytes(), fresh.as_ref(), transcript]);
        ChaCha20Rng::from_seed(*seed.expose())
    }

    /// The 64 lower-case digits of the share, sealed to my own operator key, as the SSV nodes read it.
    fn seal(
        &self,
        share: &SecretKey,
        rsa: &dyn OperatorKeys,
        padding: &mut ChaCha20Rng,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let holder = self.holder()?;
        let Some((binding, length)) = holder.card.binding().zip(sealed_bytes(&self.plan, holder)) else {
            return Ok(None);
        };
        let sealed = rsa.seal(&binding.spki, &share.to_hex(), padding);
        let sealed = sealed.filter(|sealed| sealed.len() == length);
        sealed.map(Some).ok_or(Fault::new(Check::OwnWork, Culprit::Nobody))
    }

    fn prove(
        &self,
        keys: &crate::agdkg::transcript::ValidatorKeys,
        sealed: &[u8],
        signer: Option<&dyn OperatorSigner>,
        padding: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, Fault> {
        let Some(ssv) = self.plan.ssv().filter(|_| self.plan.parameters().operator_proofs) else {
            return Ok(Vec::new());
        };
        let statement = proof_of(keys, self.position, sealed, ssv.owner);
        let signature = signer
            .zip(statement)
            .and_then(|(signer, statement)| signer.sign(&statement.root(), proof_salt_bytes(sealed.len()), padding));
        signature.ok_or(Fault::of(Check::CertifyProof, self.me))
    }
}

impl Certified {
    /// What the state is made of.
    #[cfg(test)]
    pub(crate) fn into_parts(self) -> (Planned, Outputs, Vec<Scalar>) {
        (self.planned, self.outputs, self.shares)
    }

    /// A state whose shares this machine may have lost.
    #[cfg(test)]
    pub(crate) fn from_parts(planned: Planned, outputs: Outputs, shares: Vec<Scalar>) -> Self {
        Self { planned, outputs, shares }
    }

    /// What I certified.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Takes my shares out, on presentation of the certificate and of all n certify files, each fully verified.
    ///
    /// # Errors
    /// [`Refused`]; the state is unchanged.
    pub fn finish(
        self,
        certificate: &Certificate,
        certifies: &Certifies,
        seed: &[u8; 32],
        rsa: &dyn OperatorKeys,
    ) -> Result<Finished, Refused<Self>> {
        let Self { planned, outputs, shares } = &self;
        match finish(planned, outputs, shares, certificate, certifies, seed, rsa) {
            Ok(finished) => Ok(finished),
            Err(fault) => Err(Refused { fault, state: Box::new(self) }),
        }
    }
}

/// Recovers my shares from the root and the public files of a finished ceremony.
///
/// # Errors
/// [`Check::WordsCard`] when the root is of no participant, [`Check::DealMissing`] for redacted deals, any fault of the
/// files, and [`Check::RecoveryShare`] when what comes out does not match.
pub fn recover(
    identity: Identity,
    plan: &Plan,
    deals: &Deals,
    certifies: &Certifies,
    certificate: &Certificate,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Result<Finished, Fault> {
    let planned = Planned::accept(identity, plan.clone(), None).map_err(|_| Fault::nobody(Check::WordsCard))?;
    // Pre-commits have done their work once a certificate exists.
    if let Some(id) = deals.missing(plan).first() {
        return Err(Fault::of(Check::DealMissing, *id));
    }
    let (outputs, shares) = planned.import(deals)?;
    finish(&planned, &outputs, &shares, certificate, certifies, seed, rsa)
}

fn finish(
    planned: &Planned,
    outputs: &Outputs,
    shares: &[Scalar],
    certificate: &Certificate,
    certifies: &Certifies,
    seed: &[u8; 32],
    rsa: &dyn OperatorKeys,
) -> Result<Finished, Fault> {
    // A certificate of another plan is refused by its signatures.
    Certificate::parse(&planned.plan, certificate.as_bytes())?.check(outputs)?;
    assemble_outputs(&planned.plan, outputs.clone(), certifies, seed, rsa)?;
    planned.check_shares(outputs, shares)?;
    let mut found = Vec::with_capacity(shares.len());
    for share in shares {
        let secret = SecretKey::from_scalar(share).ok_or(Fault::new(Check::RecoveryShare, Culprit::Undecided))?;
        found.push(KeyShare { identifier: planned.me, secret });
    }
    Ok(Finished { shares: found, certificate: certificate.clone(), outputs: outputs.clone() })
}
