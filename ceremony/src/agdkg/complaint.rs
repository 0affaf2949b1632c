//! Complaints: a holder opens what a dealer sent it, and anybody can judge who lied (SPEC section 13). `AGDKG1CP`.

use crate::agdkg::COMPLAINT_MAGIC;
use crate::agdkg::deal::SignedDeal;
use crate::agdkg::identity::{Identity, commitment};
use crate::agdkg::judge::{Verdict, judge};
use crate::agdkg::plan::Plan;
use crate::agdkg::sigma;
use crate::agdkg::signing::{message_hash, split_signature};
use crate::agdkg::wire::{Malformed, Reader};
use crate::fault::{Check, Culprit, Fault};
use crate::group::{Point, PublicScalar};
use crate::hash::Tag;
use crate::identifier::Identifier;

/// Length of a complaint.
pub const COMPLAINT_BYTES: usize = 330;

/// A complaint between participants of the plan, validly signed (checks C-75 to C-78). Its proof was not judged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    bytes: Vec<u8>,
    complainer: Identifier,
    accused: Identifier,
    deal_hash: [u8; 32],
    validator: u16,
}

/// The proof inside a complaint.
pub(crate) struct Opening {
    pub(crate) shared: Point,
    pub(crate) announced: (Point, Point),
    pub(crate) response: PublicScalar,
}

impl Complaint {
    /// Complains about my share of one validator in a deal.
    ///
    /// The nonce covers the whole statement and so does the challenge; and nothing is returned unless the verdict on
    /// it, by the same rules that all others apply, is that the dealer is guilty.
    ///
    /// # Errors
    /// [`Fault`]: of the deal on open grounds, or [`Check::ComplaintShare`] when my share is right, or
    /// [`Check::OwnWork`] when this machine faltered.
    pub fn make(
        identity: &Identity,
        plan: &Plan,
        me: Identifier,
        deal: &SignedDeal,
        validator: u16,
    ) -> Result<Self, Fault> {
        Self::make_after(identity, plan, me, deal, validator, &|_| ())
    }

    /// The same with something happening to the bytes before they are signed.
    pub(crate) fn make_after(
        identity: &Identity,
        plan: &Plan,
        me: Identifier,
        deal: &SignedDeal,
        validator: u16,
        between: &dyn Fn(&mut Vec<u8>),
    ) -> Result<Self, Fault> {
        let complaint = Self::write(identity, plan, me, deal, validator, between)?;
        match judge(plan, deal.as_bytes(), complaint.as_bytes()) {
            Verdict::DealerGuilty(_) => Ok(complaint),
            Verdict::AccusedGuilty(fault) => Err(fault),
            Verdict::ComplainerGuilty(fault) if fault.check == Check::ComplaintShare => {
                Err(Fault::nobody(Check::ComplaintShare))
            }
            Verdict::ComplainerGuilty(_) | Verdict::Invalid(_) => Err(Fault::new(Check::OwnWork, Culprit::Nobody)),
        }
    }

    /// Writes a complaint without judging it.
    pub(crate) fn write(
        identity: &Identity,
        plan: &Plan,
        me: Identifier,
        deal: &SignedDeal,
        validator: u16,
        between: &dyn Fn(&mut Vec<u8>),
    ) -> Result<Self, Fault> {
        let own_work = Fault::new(Check::OwnWork, Culprit::Nobody);
        // Its proof for E comes first: the value opened here is then one that the dealer knows already.
        let open = deal.open(plan)?;
        let v = validator.to_be_bytes();
        let (own, theirs) = (identity.enc_pk(), &open.ephemeral);
        let shared = identity.shared_with(theirs).ok_or(own_work)?;
        let ceremony = identity.ceremony(plan);
        let nonce = ceremony.scalar(&[
            Tag::NONCE_DLEQ.as_bytes(),
            deal.hash(),
            &v,
            own.as_bytes(),
            theirs.as_bytes(),
            shared.as_bytes(),
        ]);
        let announced = (commitment(&nonce).ok_or(own_work)?, theirs.times_secret(&nonce).ok_or(own_work)?);
        let mut bytes = [
            COMPLAINT_MAGIC.as_slice(),
            plan.hash(),
            &me.get().to_be_bytes(),
            &deal.sender().get().to_be_bytes(),
            deal.hash(),
            &v,
            shared.as_bytes(),
            announced.0.as_bytes(),
            announced.1.as_bytes(),
        ]
        .concat();
        let parties = (me, deal.sender());
        let challenge = challenge(plan, parties, deal.hash(), validator, (own, theirs), &shared, &announced);
        let z = sigma::respond(&nonce, &challenge, identity.decryption_key());
        bytes.extend(z.to_be_bytes());
        between(&mut bytes);
        bytes.extend(identity.sign(&message_hash(&bytes)));
        Self::parse(plan, &bytes).map_err(|_| own_work)
    }

    /// Reads a complaint.
    ///
    /// # Errors
    /// [`Fault`], accusing nobody.
    pub fn parse(plan: &Plan, bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = |Malformed| Fault::nobody(Check::ComplaintForm);
        if bytes.len() != COMPLAINT_BYTES {
            return Err(Fault::nobody(Check::ComplaintForm));
        }
        let (body, signature) = split_signature(bytes).ok_or(Fault::nobody(Check::ComplaintForm))?;
        let mut reader = Reader::new(body);
        reader.magic(&COMPLAINT_MAGIC).map_err(damaged)?;
        if reader.array().map_err(damaged)? != plan.hash() {
            return Err(Fault::nobody(Check::ComplaintPlan));
        }
        let (complainer, accused) = (reader.u64().map_err(damaged)?, reader.u64().map_err(damaged)?);
        let deal_hash = *reader.array().map_err(damaged)?;
        let validator = reader.u16().map_err(damaged)?;
        let parties = plan.participant(complainer).zip(plan.participant(accused));
        let Some((complainer, accused)) = parties.filter(|_| validator < plan.validators()) else {
            return Err(Fault::nobody(Check::ComplaintParties));
        };
        if !complainer.card.sign_pk().verifies(&message_hash(body), signature) {
            return Err(Fault::nobody(Check::ComplaintSignature));
        }
        let (complainer, accused) = (complainer.id, accused.id);
        Ok(Self { bytes: bytes.to_vec(), complainer, accused, deal_hash, validator })
    }

    /// The proof, decoded; `None` when a point or number is none.
    pub(crate) fn opening(&self) -> Option<Opening> {
        let mut reader = Reader::new(&self.bytes);
        reader.take(8 + 32 + 8 + 8 + 32 + 2).ok()?;
        let mut point = || Point::from_bytes(reader.array().ok()?).ok();
        let (shared, announced) = (point()?, (point()?, point()?));
        Some(Opening { shared, announced, response: PublicScalar::from_be_bytes(reader.array().ok()?)? })
    }

    /// The file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who complains.
    #[must_use]
    pub fn complainer(&self) -> Identifier {
        self.complainer
    }

    /// About whose deal.
    #[must_use]
    pub fn accused(&self) -> Identifier {
        self.accused
    }

    /// About which deal.
    #[must_use]
    pub fn deal_hash(&self) -> &[u8; 32] {
        &self.deal_hash
    }

    /// About which validator.
    #[must_use]
    pub fn validator(&self) -> u16 {
        self.validator
    }
}

/// The challenge: over plan, parties, deal, validator, both keys, the shared value and both announcements.
pub(crate) fn challenge(
    plan: &Plan,
    (complainer, accused): (Identifier, Identifier),
    deal_hash: &[u8; 32],
    validator: u16,
    (own, theirs): (&Point, &Point),
    shared: &Point,
    announced: &(Point, Point),
) -> PublicScalar {
    Tag::DLEQ.challenge(&[
        plan.hash(),
        &complainer.get().to_be_bytes(),
        &accused.get().to_be_bytes(),
        deal_hash,
        &validator.to_be_bytes(),
        own.as_bytes(),
        theirs.as_bytes(),
        shared.as_bytes(),
        announced.0.as_bytes(),
        announced.1.as_bytes(),
    ])
}
