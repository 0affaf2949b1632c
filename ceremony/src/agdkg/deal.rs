//! Walk 1: what a dealer publishes, and the checks on it (SPEC sections 7 and 8). `AGDKG1R1`.

use crate::agdkg::plan::{Participant, Plan, names_plan};
use crate::agdkg::signing::{SIGNATURE_BYTES, message_hash, split_signature};
use crate::agdkg::wire::{Malformed, Reader};
use crate::agdkg::{DEAL_MAGIC, REDACTED_MAGIC, sigma};
use crate::fault::{Check, Fault};
use crate::group::{MultiSum, Point, PublicScalar, Sum, Width};
use crate::hash::{Prk, Tag, Weights};
use crate::identifier::Identifier;
use crate::scalar::Scalar;

/// Magic, plan hash, sender, E, R_E and z_E.
const HEAD_BYTES: usize = 8 + 32 + 8 + 48 + 48 + 32;

/// Beyond so many terms the collected equations are summed up, so that memory stays bounded.
const TERMS_AT_ONCE: usize = 1 << 16;

/// Lengths of a deal's parts, which follow from the plan.
#[derive(Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) public: usize,
    pub(crate) ciphertexts: usize,
}

impl Lengths {
    pub(crate) fn of(plan: &Plan) -> Self {
        let (m, threshold) = (usize::from(plan.validators()), plan.threshold());
        Self { public: HEAD_BYTES + m * (48 * threshold.t() + 80), ciphertexts: 32 * m * threshold.n() }
    }
}

/// The length of a deal: `240 + m·(48t + 80 + 32n)`.
#[must_use]
pub fn deal_bytes(plan: &Plan) -> usize {
    let lengths = Lengths::of(plan);
    lengths.public + lengths.ciphertexts + SIGNATURE_BYTES
}

/// A deal of a participant of the plan, with the right length and a valid signature (checks C-30 to C-33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDeal {
    bytes: Vec<u8>,
    sender: Identifier,
    hash: [u8; 32],
    redacted: bool,
}

/// A deal whose points and numbers are what they should be (checks C-35 and C-36). All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDeal {
    /// Who dealt.
    pub sender: Identifier,
    /// `r1_hash`.
    pub hash: [u8; 32],
    /// E.
    pub ephemeral: Point,
    /// One for each validator.
    pub validators: Vec<ValidatorDeal>,
    /// Every ciphertext, by validator and then by holder; empty for a redacted deal.
    ciphertexts: Vec<PublicScalar>,
    holders: usize,
}

/// A dealer's contribution to one validator key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorDeal {
    /// `C_{v,0} … C_{v,t-1}`.
    pub commitments: Vec<Point>,
    announced: Point,
    challenge: PublicScalar,
    response: PublicScalar,
}

impl SignedDeal {
    /// Reads a deal, redacted or not.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody: an unsigned file is nobody's.
    pub fn parse(plan: &Plan, bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let short = |Malformed| Fault::nobody(Check::DealLength);
        let magic: &[u8; 8] = reader.array().map_err(short)?;
        let redacted = *magic == REDACTED_MAGIC;
        if (!redacted && *magic != DEAL_MAGIC) || reader.array().map_err(short)? != plan.hash() {
            return Err(Fault::nobody(Check::DealPlan));
        }
        let sender = plan.participant(reader.u64().map_err(short)?).ok_or(Fault::nobody(Check::DealSender))?;
        let lengths = Lengths::of(plan);
        let enc = if redacted { 32 } else { lengths.ciphertexts };
        if bytes.len() != lengths.public + enc + SIGNATURE_BYTES {
            return Err(Fault::nobody(Check::DealLength));
        }
        let (body, signature) = split_signature(bytes).ok_or(Fault::nobody(Check::DealLength))?;
        let (public, enc) = body.split_at_checked(lengths.public).ok_or(Fault::nobody(Check::DealLength))?;
        let h_enc = if redacted {
            *enc.first_chunk().ok_or(Fault::nobody(Check::DealLength))?
        } else {
            Tag::R1_ENC.hash(&[enc])
        };
        let hash = deal_hash(public, &h_enc);
        if !sender.card.sign_pk().verifies(&signed_hash(&hash), signature) {
            return Err(Fault::nobody(Check::DealSignature));
        }
        Ok(Self { bytes: bytes.to_vec(), sender: sender.id, hash, redacted })
    }

    /// Reads every point and number, and verifies the proof for E, before any use of it.
    ///
    /// # Errors
    /// [`Fault`] of the sender, C-35 or C-36. The file is the evidence. C-30, of nobody, for a deal that was read under
    /// another plan: its proofs would not hold under this one, and its sender did no wrong.
    pub fn open(&self, plan: &Plan) -> Result<OpenDeal, Fault> {
        if !names_plan(&self.bytes, plan) {
            return Err(Fault::nobody(Check::DealPlan));
        }
        let malformed = Fault::of(Check::DealDecode, self.sender);
        let deal = self.decode(plan).ok_or(malformed)?;
        let (announced, response) = self.ephemeral_proof().ok_or(malformed)?;
        let sender = self.sender.get().to_be_bytes();
        let challenge =
            Tag::POK_EPH.challenge(&[plan.hash(), &sender, deal.ephemeral.as_bytes(), announced.as_bytes()]);
        if !sigma::holds(None, &announced, &challenge, &deal.ephemeral, &response) {
            return Err(Fault::of(Check::DealEphemeral, self.sender));
        }
        Ok(deal)
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who dealt.
    #[must_use]
    pub fn sender(&self) -> Identifier {
        self.sender
    }

    /// `r1_hash`: the same whether redacted or not.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Whether the ciphertexts were left out. Shares cannot be recovered from such a deal.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.redacted
    }

    fn ephemeral_proof(&self) -> Option<(Point, PublicScalar)> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(8 + 32 + 8 + 48).ok()?;
        let announced = Point::from_bytes(reader.array().ok()?).ok()?;
        Some((announced, PublicScalar::from_be_bytes(reader.array().ok()?)?))
    }

    fn decode(&self, plan: &Plan) -> Option<OpenDeal> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(8 + 32 + 8).ok()?;
        let ephemeral = Point::from_bytes(reader.array().ok()?).ok()?;
        reader.take(48 + 32).ok()?;
        let (t, n) = (plan.threshold().t(), plan.threshold().n());
        let sender = self.sender.get().to_be_bytes();
        let mut validators = Vec::with_capacity(usize::from(plan.validators()));
        for v in 0..plan.validators() {
            let block = reader.take(48 * t).ok()?;
            let commitments: Option<Vec<_>> =
                block.as_chunks().0.iter().map(|bytes| Point::from_bytes(bytes).ok()).collect();
            let announced: &[u8; 48] = reader.array().ok()?;
            let challenge = Tag::POK_DEAL.challenge(&[plan.hash(), &sender, &v.to_be_bytes(), block, announced]);
            validators.push(ValidatorDeal {
                commitments: commitments?,
                announced: Point::from_bytes(announced).ok()?,
                challenge,
                response: PublicScalar::from_be_bytes(reader.array().ok()?)?,
            });
        }
        let mut ciphertexts = Vec::new();
        if !self.redacted {
            ciphertexts.reserve_exact(usize::from(plan.validators()) * n);
            for _ in 0..usize::from(plan.validators()) * n {
                ciphertexts.push(PublicScalar::from_be_bytes(reader.array().ok()?)?);
            }
        }
        Some(OpenDeal { sender: self.sender, hash: self.hash, ephemeral, validators, ciphertexts, holders: n })
    }
}

impl OpenDeal {
    /// The ciphertext of one validator for the holder at a position of the plan.
    #[must_use]
    pub fn ciphertext(&self, validator: u16, position: usize) -> Option<&PublicScalar> {
        if position >= self.holders {
            return None;
        }
        self.ciphertexts.get(usize::from(validator) * self.holders + position)
    }

    /// Whether the proof for one constant term holds, exactly (C-37).
    #[must_use]
    pub fn constant_is_proven(&self, validator: u16) -> bool {
        self.validators.get(usize::from(validator)).is_some_and(|deal| {
            let constant = deal.commitments.first();
            constant.is_some_and(|c| sigma::holds(None, &deal.announced, &deal.challenge, c, &deal.response))
        })
    }

    /// Whether `share·G = Σ id^k·C_{v,k}`, exactly (C-38).
    #[must_use]
    pub fn share_matches(&self, validator: u16, id: Identifier, share: &Scalar) -> bool {
        self.validators.get(usize::from(validator)).is_some_and(|deal| {
            let sum = deal.commitments.iter().rev().fold(Sum::infinity(), |sum, commitment| {
                let mut next = sum.times_u64(id.get());
                next.accumulate(commitment);
                next
            });
            Sum::generator_times_secret(share) == sum
        })
    }

    /// Checks all constants, and my shares where they are given, with the exact equations; the first that fails is told.
    ///
    /// # Errors
    /// [`Fault`] of the sender, C-37 or C-38, with the validator.
    pub fn check_exactly(&self, mine: Option<(Identifier, &[Scalar])>) -> Result<(), Fault> {
        for (v, _) in (0u16..).zip(&self.validators) {
            if !self.constant_is_proven(v) {
                return Err(Fault::of(Check::DealConstant, self.sender).at(v));
            }
        }
        if let Some((id, shares)) = mine {
            for (v, share) in (0u16..).zip(shares) {
                if !self.share_matches(v, id, share) {
                    return Err(Fault::of(Check::DealShare, self.sender).at(v));
                }
            }
        }
        Ok(())
    }
}

/// The equations of many deals, to be checked as one (SPEC section 8): sound up to 2^-127, given that every point was
/// subgroup-checked and that the weights could not be predicted.
pub(crate) struct Batch {
    id: Option<Identifier>,
    weights: Weights,
    /// `Σ ρ·s + Σ σ·z`: has secrets in it, so it never meets a [`MultiSum`].
    left: Scalar,
    /// `Σ ρ·C_{v,k}` for each k.
    powers: Vec<(MultiSum, Sum)>,
    /// `Σ σ·R_v`.
    announced: (MultiSum, Sum),
    /// `Σ σ·c_v·C_{v,0}`.
    constants: (MultiSum, Sum),
    terms: usize,
}

impl Batch {
    /// For a holder with its id, who checks its shares too, or for an auditor.
    pub(crate) fn new(plan: &Plan, id: Option<Identifier>, weights: Weights) -> Self {
        let empty = |width| (MultiSum::with_capacity(width, 0), Sum::infinity());
        Self {
            id,
            weights,
            left: Scalar::zero(),
            powers: (0..plan.threshold().t()).map(|_| empty(Width::Half)).collect(),
            announced: empty(Width::Half),
            constants: empty(Width::Full),
            terms: 0,
        }
    }

    /// Adds a deal. `shares`: mine, one for each validator; empty for an auditor.
    pub(crate) fn add(&mut self, deal: &OpenDeal, shares: &[Scalar]) {
        for (position, validator) in deal.validators.iter().enumerate() {
            let sigma = self.weights.draw();
            self.left = self.left.add(sigma.mul(&validator.response).as_scalar());
            self.announced.0.push(&sigma, &validator.announced);
            if let Some(constant) = validator.commitments.first() {
                self.constants.0.push(&sigma.mul(&validator.challenge), constant);
            }
            self.terms += 2;
            if let (Some(_), Some(share)) = (self.id, shares.get(position)) {
                let rho = self.weights.draw();
                self.left = self.left.add(&rho.as_scalar().mul(share));
                for ((terms, _), commitment) in self.powers.iter_mut().zip(&validator.commitments) {
                    terms.push(&rho, commitment);
                }
                self.terms += validator.commitments.len();
            }
        }
        if self.terms >= TERMS_AT_ONCE {
            self.sum_up();
        }
    }

    /// Whether all equations hold.
    pub(crate) fn holds(mut self) -> bool {
        self.sum_up();
        let id = self.id.map_or(0, Identifier::get);
        let shares = self.powers.iter().rev().fold(Sum::infinity(), |sum, (_, power)| sum.times_u64(id).add(power));
        let right = shares.add(&self.announced.1).add(&self.constants.1);
        Sum::generator_times_secret(&self.left) == right
    }

    fn sum_up(&mut self) {
        let collected = self.powers.iter_mut().chain([&mut self.announced, &mut self.constants]);
        for (terms, sum) in collected {
            *sum = sum.add(&terms.drain());
        }
        self.terms = 0;
    }
}

/// `K_j`: what dealer and holder alike derive the pads from.
pub(crate) fn pad_key(plan: &Plan, sender: Identifier, holder: &Participant, ephemeral: &Point, shared: &Point) -> Prk {
    let salt = Tag::KEM.hash(&[
        plan.hash(),
        &sender.get().to_be_bytes(),
        &holder.id.get().to_be_bytes(),
        ephemeral.as_bytes(),
        holder.card.enc_pk().as_bytes(),
    ]);
    Prk::extract(&salt, &[shared.as_bytes()])
}

/// `pad_{j,v}`.
pub(crate) fn pad(key: &Prk, validator: u16) -> Scalar {
    key.scalar(&[Tag::PAD.as_bytes(), &validator.to_be_bytes()])
}

/// `r1_hash`, from the public part under either magic.
pub(crate) fn deal_hash(public: &[u8], h_enc: &[u8; 32]) -> [u8; 32] {
    let rest = public.get(DEAL_MAGIC.len()..).unwrap_or_default();
    Tag::R1.hash(&[&Tag::R1_PUB.hash(&[&DEAL_MAGIC, rest]), h_enc])
}

/// What the sender signs.
pub(crate) fn signed_hash(hash: &[u8; 32]) -> [u8; 32] {
    message_hash(&[DEAL_MAGIC.as_slice(), hash].concat())
}

/// The parts of a deal, for taking the ciphertexts out.
pub(crate) fn parts<'a>(plan: &Plan, deal: &'a SignedDeal) -> Option<(&'a [u8], &'a [u8], &'a [u8; SIGNATURE_BYTES])> {
    let (body, signature) = split_signature(&deal.bytes)?;
    let (public, enc) = body.split_at_checked(Lengths::of(plan).public)?;
    Some((public, enc, signature))
}
