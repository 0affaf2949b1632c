//! The optional commitment to a deal, exchanged before anybody shows one (SPEC section 7). `AGDKG1C0`, 144 bytes.

use crate::agdkg::PRECOMMIT_MAGIC;
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::identity::Identity;
use crate::agdkg::plan::{Plan, names_plan};
use crate::agdkg::signing::{message_hash, split_signature};
use crate::agdkg::wire::{Malformed, Reader};
use crate::fault::{Check, Fault};
use crate::identifier::Identifier;

/// A signed commitment to a deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precommit {
    bytes: Vec<u8>,
    sender: Identifier,
    deal_hash: [u8; 32],
}

impl Precommit {
    /// Commits to my deal.
    #[must_use]
    pub fn make(identity: &Identity, plan: &Plan, deal: &SignedDeal) -> Self {
        let sender = deal.sender();
        let mut bytes = [PRECOMMIT_MAGIC.as_slice(), plan.hash(), &sender.get().to_be_bytes(), deal.hash()].concat();
        bytes.extend(identity.sign(&message_hash(&bytes)));
        Self { bytes, sender, deal_hash: *deal.hash() }
    }

    /// Reads a pre-commit and makes checks C-25 to C-28.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody.
    pub fn parse(plan: &Plan, bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = |Malformed| Fault::nobody(Check::PrecommitForm);
        let (body, signature) = split_signature(bytes).ok_or(Fault::nobody(Check::PrecommitForm))?;
        let mut reader = Reader::new(body);
        reader.magic(&PRECOMMIT_MAGIC).map_err(damaged)?;
        let plan_hash: &[u8; 32] = reader.array().map_err(damaged)?;
        let sender = reader.u64().map_err(damaged)?;
        let deal_hash = *reader.array().map_err(damaged)?;
        reader.finish().map_err(damaged)?;
        if plan_hash != plan.hash() {
            return Err(Fault::nobody(Check::PrecommitPlan));
        }
        let sender = plan.participant(sender).ok_or(Fault::nobody(Check::PrecommitSender))?;
        if !sender.card.sign_pk().verifies(&message_hash(body), signature) {
            return Err(Fault::nobody(Check::PrecommitSignature));
        }
        Ok(Self { bytes: bytes.to_vec(), sender: sender.id, deal_hash })
    }

    /// Whether it commits to a deal of this plan by this sender.
    pub(crate) fn is_of(&self, plan: &Plan, sender: Identifier) -> bool {
        self.sender == sender && names_plan(&self.bytes, plan)
    }

    /// Whether this deal is the one that was committed to (C-29). A deal of another sender, or of another plan, is none of
    /// its business.
    ///
    /// # Errors
    /// [`Fault`] of the sender; the two files are the evidence.
    pub fn check(&self, deal: &SignedDeal) -> Result<(), Fault> {
        let same_plan = self.bytes.get(8..40) == deal.as_bytes().get(8..40);
        if same_plan && deal.sender() == self.sender && *deal.hash() != self.deal_hash {
            return Err(Fault::of(Check::PrecommitMatch, self.sender));
        }
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who committed.
    #[must_use]
    pub fn sender(&self) -> Identifier {
        self.sender
    }
}
