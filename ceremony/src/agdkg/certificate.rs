//! The certificate: n signatures on one transcript (SPEC section 11). `AGDKG1CT`.
//!
//! It proves that all participants agreed, and nothing more: one of them may have signed it without having its shares.
//! Every consumer therefore checks all n certify files too; nothing in this crate gives out a result without them.

use crate::agdkg::CERTIFICATE_MAGIC;
use crate::agdkg::certify::{OpenCertify, certificate_hash};
use crate::agdkg::plan::Plan;
use crate::agdkg::signing::SIGNATURE_BYTES;
use crate::agdkg::transcript::Outputs;
use crate::agdkg::wire::{Malformed, Reader};
use crate::agdkg::words::telephone_words;
use crate::fault::{Check, Culprit, Fault};
use crate::hash::Tag;

/// A certificate that every participant signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    bytes: Vec<u8>,
    transcript: [u8; 32],
    outputs_root: [u8; 32],
}

impl Certificate {
    /// Puts the signatures of verified certify files together: `105 + 72n` bytes.
    #[must_use]
    pub fn assemble(plan: &Plan, outputs: &Outputs, files: &[OpenCertify]) -> Self {
        let mut bytes = CERTIFICATE_MAGIC.to_vec();
        bytes.extend(plan.hash());
        bytes.extend(outputs.transcript);
        bytes.extend(outputs.root);
        bytes.push(u8::try_from(files.len()).unwrap_or(u8::MAX));
        for file in files {
            bytes.extend(file.sender.get().to_be_bytes());
            bytes.extend(file.certificate_signature);
        }
        Self { bytes, transcript: outputs.transcript, outputs_root: outputs.root }
    }

    /// Reads a certificate and verifies every signature (C-65, C-66, C-69, C-70).
    ///
    /// # Errors
    /// [`Fault`], accusing nobody: whoever put the certificate together signed nothing.
    pub fn parse(plan: &Plan, bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = |Malformed| Fault::nobody(Check::CertificateForm);
        let mut reader = Reader::new(bytes);
        reader.magic(&CERTIFICATE_MAGIC).map_err(damaged)?;
        if reader.array().map_err(damaged)? != plan.hash() {
            return Err(Fault::nobody(Check::CertificatePlan));
        }
        let (transcript, outputs_root) = (*reader.array().map_err(damaged)?, *reader.array().map_err(damaged)?);
        let mut entries = Vec::new();
        for _ in 0..reader.u8().map_err(damaged)? {
            let id = reader.u64().map_err(damaged)?;
            let signature: &[u8; SIGNATURE_BYTES] = reader.array().map_err(damaged)?;
            entries.push((id, signature));
        }
        reader.finish().map_err(damaged)?;
        let ids = plan.participants().iter().map(|one| one.id.get());
        if !entries.iter().map(|(id, _)| *id).eq(ids) {
            return Err(Fault::nobody(Check::CertificateHolders));
        }
        for (holder, (_, signature)) in plan.participants().iter().zip(entries) {
            let hash = certificate_hash(plan, &transcript, &outputs_root, holder.id);
            if !holder.card.sign_pk().verifies(&hash, signature) {
                return Err(Fault::nobody(Check::CertificateSignature));
            }
        }
        Ok(Self { bytes: bytes.to_vec(), transcript, outputs_root })
    }

    /// Compares it with what the deals make (C-67, C-68).
    ///
    /// # Errors
    /// [`Fault`]: all participants signed something else than these deals make.
    pub fn check(&self, outputs: &Outputs) -> Result<(), Fault> {
        if self.transcript != outputs.transcript {
            return Err(Fault::new(Check::CertificateTranscript, Culprit::Undecided));
        }
        if self.outputs_root != outputs.root {
            return Err(Fault::new(Check::CertificateOutputs, Culprit::Undecided));
        }
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The transcript that all signed.
    #[must_use]
    pub fn transcript(&self) -> &[u8; 32] {
        &self.transcript
    }

    /// The root over all keys that all signed.
    #[must_use]
    pub fn outputs_root(&self) -> &[u8; 32] {
        &self.outputs_root
    }

    /// The ten words by which people compare certificates.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        telephone_words(&Tag::CERTWORDS.hash(&[&self.bytes]))
    }
}
