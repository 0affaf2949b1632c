//! Walk 2: what a holder publishes, and the checks on it (SPEC sections 10 and 11). `AGDKG1R2`.

use std::collections::BTreeMap;

use sha3::{Digest, Keccak256};

use crate::agdkg::CERTIFY_MAGIC;
use crate::agdkg::plan::{Participant, Plan, names_plan};
use crate::agdkg::rsa::OperatorKeys;
use crate::agdkg::signing::{SIGNATURE_BYTES, message_hash, split_signature};
use crate::agdkg::transcript::{Outputs, ValidatorKeys};
use crate::agdkg::wire::{Malformed, Reader};
use crate::bls::Signature;
use crate::deposit::DepositMessage;
use crate::fault::{Check, Fault};
use crate::group::{
    HashedMessage, MultiSum, Point, PublicScalar, Sum, Width, combine_signatures, normalise, pairing_holds,
};
use crate::hash::{Prk, Tag, Weights};
use crate::identifier::Identifier;
use crate::operator_proof::OperatorProof;

/// Magic, plan hash, sender, T, outputs root.
pub(crate) const HEAD_BYTES: usize = 8 + 32 + 8 + 32 + 32;
const PROOFS_BYTES: usize = 64 + 48 + 32;

/// So many certify files of one author are kept. Each costs every consumer a full verification.
pub const MAX_FILES_OF_ONE: usize = 8;

/// A certify file of a participant of the plan, with the right length and a valid signature (checks C-50 to C-53).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertify {
    bytes: Vec<u8>,
    sender: Identifier,
    transcript: [u8; 32],
    outputs_root: [u8; 32],
}

/// A certify file whose signatures, points and possession proof hold (checks C-54 to C-58).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCertify {
    /// Who certifies.
    pub sender: Identifier,
    /// Its signature over plan, transcript and outputs: its part of the certificate.
    pub certificate_signature: [u8; SIGNATURE_BYTES],
    /// One for each validator.
    pub validators: Vec<ValidatorCertify>,
    announced: Point,
    response: PublicScalar,
}

/// A holder's contribution to what one validator needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorCertify {
    /// One partial signature for each of [`messages`].
    pub partials: Vec<Signature>,
    /// The share, sealed to the holder's own operator key; SSV with bound cards.
    pub sealed_share: Option<Vec<u8>>,
    /// The operator proof's signature, where the plan asks for it.
    pub operator_proof: Option<Vec<u8>>,
}

/// What a share signs for one validator, in the order of the file: a deposit for each amount, then owner and nonce for
/// each nonce of the window. Every message is built from the plan; nothing opaque is ever signed.
#[must_use]
pub fn messages(plan: &Plan, validator: u16, public_key: &Point) -> Vec<[u8; 32]> {
    let parameters = plan.parameters();
    let deposits = parameters.amounts.iter().filter_map(|amount| {
        let credentials = *plan.credentials_of(validator)?;
        let message = DepositMessage { public_key: public_key.to_public_key(), credentials, amount: *amount };
        Some(message.signing_root(parameters.fork_version))
    });
    let nonces = plan.ssv().into_iter().flat_map(|ssv| {
        let first = ssv.first_nonce.saturating_add(u64::from(validator));
        (0..u64::from(ssv.nonce_window)).map(move |i| {
            let text = format!("{}:{}", ssv.owner.to_checksum(), first.saturating_add(i));
            Keccak256::digest(text.as_bytes()).into()
        })
    });
    deposits.chain(nonces).collect()
}

/// How many messages each share signs for each validator.
#[must_use]
pub fn message_count(plan: &Plan) -> usize {
    plan.parameters().amounts.len() + plan.ssv().map_or(0, |ssv| usize::from(ssv.nonce_window))
}

/// Length of a share sealed to this holder's operator key; `None` when nothing is sealed.
pub(crate) fn sealed_bytes(plan: &Plan, holder: &Participant) -> Option<usize> {
    // A binding's signature has exactly the length of its modulus: C-05.
    plan.ssv().and(holder.card.binding()).map(|binding| binding.signature.len())
}

/// The length of a holder's certify file.
#[must_use]
pub fn certify_bytes(plan: &Plan, holder: &Participant) -> usize {
    let sealed = sealed_bytes(plan, holder).unwrap_or_default();
    let proof = if plan.parameters().operator_proofs { sealed } else { 0 };
    let validator = Signature::BYTES * message_count(plan) + sealed + proof;
    HEAD_BYTES + PROOFS_BYTES + usize::from(plan.validators()) * validator + SIGNATURE_BYTES
}

/// What a certificate signature signs.
pub(crate) fn certificate_hash(plan: &Plan, transcript: &[u8; 32], root: &[u8; 32], id: Identifier) -> [u8; 32] {
    Tag::CERT.hash(&[plan.hash(), transcript, root, &id.get().to_be_bytes()])
}

pub(crate) fn possession_challenge(plan: &Plan, outputs: &Outputs, id: Identifier, announced: &Point) -> PublicScalar {
    let id = id.get().to_be_bytes();
    Tag::POSSESSION.challenge(&[plan.hash(), &outputs.transcript, &outputs.root, &id, announced.as_bytes()])
}

impl SignedCertify {
    /// Reads a certify file.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody: an unsigned file is nobody's.
    pub fn parse(plan: &Plan, bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let short = |Malformed| Fault::nobody(Check::CertifyLength);
        let magic: &[u8; 8] = reader.array().map_err(short)?;
        if *magic != CERTIFY_MAGIC || reader.array().map_err(short)? != plan.hash() {
            return Err(Fault::nobody(Check::CertifyPlan));
        }
        let sender = plan.participant(reader.u64().map_err(short)?).ok_or(Fault::nobody(Check::CertifySender))?;
        if bytes.len() != certify_bytes(plan, sender) {
            return Err(Fault::nobody(Check::CertifyLength));
        }
        let (transcript, outputs_root) = (*reader.array().map_err(short)?, *reader.array().map_err(short)?);
        let (body, signature) = split_signature(bytes).ok_or(Fault::nobody(Check::CertifyLength))?;
        if !sender.card.sign_pk().verifies(&message_hash(body), signature) {
            return Err(Fault::nobody(Check::CertifySignature));
        }
        Ok(Self { bytes: bytes.to_vec(), sender: sender.id, transcript, outputs_root })
    }

    /// Compares it with what the deals make, and verifies everything but the partial signatures and operator proofs.
    ///
    /// # Errors
    /// [`Fault`], C-54 to C-58. Another transcript accuses nobody yet: the deals have to be compared.
    pub fn open(&self, plan: &Plan, outputs: &Outputs) -> Result<OpenCertify, Fault> {
        let refused = |check| Fault::of(check, self.sender);
        if !names_plan(&self.bytes, plan) {
            return Err(Fault::nobody(Check::CertifyPlan));
        }
        if self.transcript != outputs.transcript {
            return Err(Fault::new(Check::CertifyTranscript, crate::fault::Culprit::Undecided));
        }
        if self.outputs_root != outputs.root {
            return Err(refused(Check::CertifyOutputs));
        }
        let mut reader = Reader::new(&self.bytes);
        let damaged = |Malformed| refused(Check::CertifyDecode);
        reader.take(HEAD_BYTES).map_err(damaged)?;
        let position = plan.participants().iter().position(|one| one.id == self.sender);
        let position = position.ok_or(refused(Check::CertifySender))?;
        let holder = plan.participants().get(position).ok_or(refused(Check::CertifySender))?;
        let certificate_signature = *reader.array().map_err(damaged)?;
        let certified = certificate_hash(plan, &self.transcript, &self.outputs_root, self.sender);
        if !holder.card.sign_pk().verifies(&certified, &certificate_signature) {
            return Err(refused(Check::CertifyCertSignature));
        }
        let open = self.decode(plan, holder, reader, certificate_signature).ok_or(refused(Check::CertifyDecode))?;
        if !open.possession_holds(plan, outputs, position) {
            return Err(refused(Check::CertifyPossession));
        }
        Ok(open)
    }

    /// The same, and verifies partial signatures and operator proofs, too, of this file by itself.
    ///
    /// `seed`: 32 bytes that its author could not predict.
    ///
    /// # Errors
    /// [`Fault`], C-54 to C-60.
    pub fn verify(
        &self,
        plan: &Plan,
        outputs: &Outputs,
        seed: &[u8; 32],
        rsa: &dyn OperatorKeys,
    ) -> Result<OpenCertify, Fault> {
        self.verify_signed(&Signed::new(plan, outputs), seed, rsa)
    }

    pub(crate) fn verify_signed(
        &self,
        signed: &Signed<'_>,
        seed: &[u8; 32],
        rsa: &dyn OperatorKeys,
    ) -> Result<OpenCertify, Fault> {
        let open = self.open(signed.plan, signed.outputs)?;
        let parts = [Tag::BATCH2.as_bytes(), &message_hash(&self.bytes)];
        signed.check(std::slice::from_ref(&open), &mut Weights::new(Prk::extract(seed, &parts)), rsa)?;
        Ok(open)
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who certifies.
    #[must_use]
    pub fn sender(&self) -> Identifier {
        self.sender
    }

    /// The transcript that it certifies.
    #[must_use]
    pub fn transcript(&self) -> &[u8; 32] {
        &self.transcript
    }

    /// The outputs that it certifies.
    #[must_use]
    pub fn outputs_root(&self) -> &[u8; 32] {
        &self.outputs_root
    }

    fn decode(
        &self,
        plan: &Plan,
        holder: &Participant,
        mut reader: Reader<'_>,
        certificate_signature: [u8; SIGNATURE_BYTES],
    ) -> Option<OpenCertify> {
        let announced = Point::from_bytes(reader.array().ok()?).ok()?;
        let response = PublicScalar::from_be_bytes(reader.array().ok()?)?;
        let sealed = sealed_bytes(plan, holder);
        let proof = sealed.filter(|_| plan.parameters().operator_proofs);
        let mut validators = Vec::with_capacity(usize::from(plan.validators()));
        for _ in 0..plan.validators() {
            let partials: Option<Vec<_>> =
                (0..message_count(plan)).map(|_| Signature::from_bytes(reader.take(96).ok()?).ok()).collect();
            let mut octets = |length: Option<usize>| -> Option<Option<Vec<u8>>> {
                length.map_or(Some(None), |length| reader.take(length).ok().map(|bytes| Some(bytes.to_vec())))
            };
            validators.push(ValidatorCertify {
                partials: partials?,
                sealed_share: octets(sealed)?,
                operator_proof: octets(proof)?,
            });
        }
        Some(OpenCertify { sender: self.sender, certificate_signature, validators, announced, response })
    }
}

impl OpenCertify {
    /// `z_P·G = R_P + Σ c^{v+1}·SPK_{v,id}`.
    ///
    /// A valid partial signature is no proof of holding a share: any t of them determine all others.
    fn possession_holds(&self, plan: &Plan, outputs: &Outputs, position: usize) -> bool {
        let challenge = possession_challenge(plan, outputs, self.sender, &self.announced);
        let mut right = MultiSum::with_capacity(Width::Full, outputs.validators.len() + 1);
        right.push(&PublicScalar::from_u64(1), &self.announced);
        let mut power = challenge.clone();
        for key in outputs.share_keys_at(position) {
            let Some(key) = key else { return false };
            right.push(&power, key);
            power = power.mul(&challenge);
        }
        Sum::generator_times(&self.response) == right.sum()
    }

    /// The first partial signature that is wrong, each verified on its own.
    fn wrong_partial(&self, signed: &Signed<'_>) -> Option<u16> {
        let keys = signed.outputs.share_keys_at(signed.position(self.sender)?);
        let rows = self.validators.iter().zip(keys).zip(&signed.messages);
        (0u16..)
            .zip(rows)
            .find(|(_, ((validator, key), row))| {
                let key = key.map(|key| key.to_public_key());
                !validator
                    .partials
                    .iter()
                    .zip(*row)
                    .all(|(partial, message)| key.is_some_and(|key| partial.verify(&key, &message.0)))
            })
            .map(|(v, _)| v)
    }

    /// Verifies the operator proofs (C-60).
    fn check_proofs(&self, signed: &Signed<'_>, rsa: &dyn OperatorKeys) -> Result<(), Fault> {
        let Some((position, ssv)) = signed.position(self.sender).zip(signed.plan.ssv()) else { return Ok(()) };
        let holder = signed.plan.participants().get(position);
        let binding = holder.and_then(|holder| holder.card.binding());
        for (v, (validator, keys)) in (0u16..).zip(self.validators.iter().zip(&signed.outputs.validators)) {
            let (Some(sealed), Some(signature)) = (&validator.sealed_share, &validator.operator_proof) else {
                continue;
            };
            let statement = proof_of(keys, position, sealed, ssv.owner);
            let right = binding.zip(statement).is_some_and(|(binding, statement)| {
                rsa.verifies(&binding.spki, &statement.root(), proof_salt_bytes(sealed.len()), signature)
            });
            if !right {
                return Err(Fault::of(Check::CertifyProof, self.sender).at(v));
            }
        }
        Ok(())
    }
}

/// The salt of an operator proof: as long as fits, as the software of the operators does.
pub(crate) fn proof_salt_bytes(modulus: usize) -> usize {
    modulus.saturating_sub(34)
}

pub(crate) fn proof_of(
    keys: &ValidatorKeys,
    position: usize,
    sealed: &[u8],
    owner: crate::address::Address,
) -> Option<OperatorProof> {
    Some(OperatorProof {
        validator: keys.public_key.to_public_key(),
        encrypted_share: sealed.to_vec(),
        share: keys.share_keys.get(position)?.to_public_key(),
        owner,
    })
}

/// The messages of a ceremony, hashed to the curve once.
pub(crate) struct Signed<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) outputs: &'a Outputs,
    /// By validator: what is signed, and its hash.
    pub(crate) messages: Vec<Vec<([u8; 32], HashedMessage)>>,
}

impl<'a> Signed<'a> {
    pub(crate) fn new(plan: &'a Plan, outputs: &'a Outputs) -> Self {
        let rows = (0u16..).zip(&outputs.validators).map(|(v, keys)| {
            let messages = messages(plan, v, &keys.public_key);
            messages.into_iter().map(|message| (message, HashedMessage::new(&message))).collect()
        });
        Self { plan, outputs, messages: rows.collect() }
    }

    fn position(&self, id: Identifier) -> Option<usize> {
        self.plan.participants().iter().position(|one| one.id == id)
    }

    /// All partial signatures of these files as one equation: `e(G, Σ ρ·σ) = Π_M e(Σ_j ρ·SPK_{v,j}, H(M))`.
    pub(crate) fn partials_hold(&self, files: &[OpenCertify], weights: &mut Weights) -> bool {
        let mut signatures = Vec::new();
        let mut keys = Vec::new();
        for (v, (row, validator)) in self.messages.iter().zip(&self.outputs.validators).enumerate() {
            for position in 0..row.len() {
                let mut sum = MultiSum::with_capacity(Width::Half, files.len());
                for file in files {
                    let partial = file.validators.get(v).and_then(|one| one.partials.get(position));
                    let key = self.position(file.sender).and_then(|holder| validator.share_keys.get(holder));
                    let Some((partial, key)) = partial.zip(key) else { return false };
                    let weight = weights.draw();
                    sum.push(&weight, key);
                    signatures.push((weight, *partial));
                }
                keys.push(sum.sum());
            }
        }
        let Some(keys) = normalise(&keys) else { return false };
        let hashed = self.messages.iter().flatten().map(|(_, hashed)| *hashed);
        let terms: Vec<_> = keys.into_iter().zip(hashed).collect();
        combine_signatures(&signatures, Width::Half).is_some_and(|sum| pairing_holds(&sum, &terms))
    }

    /// Verifies partial signatures (C-59) and operator proofs (C-60) of files that were opened.
    ///
    /// # Errors
    /// [`Fault`] of the first author, in the order given, whose file is wrong.
    pub(crate) fn check(
        &self,
        files: &[OpenCertify],
        weights: &mut Weights,
        rsa: &dyn OperatorKeys,
    ) -> Result<(), Fault> {
        if !self.partials_hold(files, weights) {
            for file in files {
                if let Some(v) = file.wrong_partial(self) {
                    return Err(Fault::of(Check::CertifyPartial, file.sender).at(v));
                }
            }
        }
        files.iter().try_for_each(|file| file.check_proofs(self, rsa))
    }
}

/// The certify files of a ceremony as they come in. One author may have written several: sealing is randomised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certifies(BTreeMap<Identifier, Vec<SignedCertify>>);

impl Certifies {
    /// Takes a file; the same file again is nothing new, and neither is one more than [`MAX_FILES_OF_ONE`] of its author.
    ///
    /// Those that came first stay: only their author can make them, and it must neither exhaust those who verify nor take
    /// back what it certified by signing more.
    pub fn insert(&mut self, file: SignedCertify) {
        let of_sender = self.0.entry(file.sender).or_default();
        if of_sender.len() < MAX_FILES_OF_ONE && !of_sender.contains(&file) {
            of_sender.push(file);
        }
    }

    /// Takes a file that completes a certificate of all (SPEC section 11): where its author has as many as are kept already,
    /// in place of the last that came. Whatever the author signed before it, nobody else is kept from what all certified.
    pub fn insert_needed(&mut self, file: SignedCertify) {
        let of_sender = self.0.entry(file.sender).or_default();
        if !of_sender.contains(&file) {
            of_sender.truncate(MAX_FILES_OF_ONE - 1);
            of_sender.push(file);
        }
    }

    /// Every file, by rising id of the author.
    pub fn iter(&self) -> impl Iterator<Item = &SignedCertify> {
        self.0.values().flatten()
    }

    /// Who has not certified yet.
    #[must_use]
    pub fn missing(&self, plan: &Plan) -> Vec<Identifier> {
        plan.participants().iter().map(|one| one.id).filter(|id| !self.0.contains_key(id)).collect()
    }

    /// Verifies one file of every participant, and all of it. There is no way to leave one out. Where an author wrote several
    /// that hold, the one whose bytes are smallest counts, for everybody who has all of them.
    ///
    /// `seed`: 32 bytes that no author could predict.
    ///
    /// # Errors
    /// [`Fault`] with the lowest check; where an author wrote several files, only after all were tried.
    pub fn verify(
        &self,
        plan: &Plan,
        outputs: &Outputs,
        seed: &[u8; 32],
        rsa: &dyn OperatorKeys,
    ) -> Result<Vec<OpenCertify>, Fault> {
        self.verify_signed(&Signed::new(plan, outputs), seed, rsa)
    }

    pub(crate) fn verify_signed(
        &self,
        signed: &Signed<'_>,
        seed: &[u8; 32],
        rsa: &dyn OperatorKeys,
    ) -> Result<Vec<OpenCertify>, Fault> {
        if let Some(id) = self.missing(signed.plan).first() {
            return Err(Fault::of(Check::CertifyMissing, *id));
        }
        let mut candidates = BTreeMap::new();
        let mut faults = Vec::new();
        for (id, files) in &self.0 {
            let (mut right, mut wrong) = (Vec::new(), None);
            // The smallest is taken first, from the end.
            let mut files: Vec<_> = files.iter().collect();
            files.sort_by(|one, other| other.bytes.cmp(&one.bytes));
            for file in files {
                match file.open(signed.plan, signed.outputs) {
                    Ok(open) => right.push(open),
                    Err(fault) => wrong = Some(fault),
                }
            }
            faults.extend(wrong.filter(|_| right.is_empty()));
            candidates.insert(*id, right);
        }
        // All of them are opened before one is told, so that a check with a lower number is known to hold for all.
        if let Some(fault) = faults.into_iter().min_by_key(|fault| fault.check) {
            return Err(fault);
        }
        let mut parts = vec![Tag::BATCH2.as_bytes()];
        let files: Vec<_> = self.iter().map(|file| message_hash(&file.bytes)).collect();
        parts.extend(files.iter().map(<[u8; 32]>::as_slice));
        let mut weights = Weights::new(Prk::extract(seed, &parts));
        loop {
            let chosen: Vec<_> = candidates.values().filter_map(|files| files.last().cloned()).collect();
            let Err(fault) = signed.check(&chosen, &mut weights, rsa) else { return Ok(chosen) };
            let crate::fault::Culprit::Participant(id) = fault.culprit else { return Err(fault) };
            match candidates.get_mut(&id) {
                Some(files) if files.len() > 1 => drop(files.pop()),
                _ => return Err(fault),
            }
        }
    }
}
