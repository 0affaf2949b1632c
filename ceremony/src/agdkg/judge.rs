//! Judging a complaint from public files: plan, the accused's deal, the complaint (SPEC section 13).

use crate::agdkg::complaint::{Complaint, challenge};
use crate::agdkg::deal::{SignedDeal, pad, pad_key};
use crate::agdkg::plan::Plan;
use crate::agdkg::sigma;
use crate::fault::{Check, Fault};

/// Who lied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The share that the complaint opens does not match the deal.
    DealerGuilty(Fault),
    /// The complaint opens a share that is right, or proves nothing.
    ComplainerGuilty(Fault),
    /// The deal is wrong on its face, whatever the complaint says.
    AccusedGuilty(Fault),
    /// Not a complaint about this deal in this plan.
    Invalid(Fault),
}

impl Verdict {
    /// What was found.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::DealerGuilty(fault)
            | Self::ComplainerGuilty(fault)
            | Self::AccusedGuilty(fault)
            | Self::Invalid(fault) => *fault,
        }
    }
}

/// Judges. Everybody who has the three files comes to the same verdict.
#[must_use]
pub fn judge(plan: &Plan, deal: &[u8], complaint: &[u8]) -> Verdict {
    match find(plan, deal, complaint) {
        Ok(verdict) => verdict,
        Err(fault) => Verdict::Invalid(fault),
    }
}

fn find(plan: &Plan, deal: &[u8], complaint: &[u8]) -> Result<Verdict, Fault> {
    let complaint = Complaint::parse(plan, complaint)?;
    let deal = SignedDeal::parse(plan, deal)?;
    let about_this = deal.sender() == complaint.accused() && deal.hash() == complaint.deal_hash();
    // Without its ciphertexts a deal cannot be judged.
    if !about_this || deal.is_redacted() {
        return Err(Fault::nobody(Check::ComplaintDeal));
    }
    let open = match deal.open(plan) {
        Ok(open) => open,
        Err(fault) => return Ok(Verdict::AccusedGuilty(fault)),
    };
    let lied =
        |check| Ok(Verdict::ComplainerGuilty(Fault::of(check, complaint.complainer()).at(complaint.validator())));
    let position = plan.participants().iter().position(|one| one.id == complaint.complainer());
    let Some((position, holder)) = position.and_then(|at| plan.participants().get(at).map(|holder| (at, holder)))
    else {
        return Err(Fault::nobody(Check::ComplaintParties));
    };

    let Some(opening) = complaint.opening() else { return lied(Check::ComplaintProof) };
    let own = holder.card.enc_pk();
    let parties = (complaint.complainer(), complaint.accused());
    let keys = (own, &open.ephemeral);
    let c = challenge(plan, parties, deal.hash(), complaint.validator(), keys, &opening.shared, &opening.announced);
    let (first, second) = &opening.announced;
    let proven = sigma::holds(None, first, &c, own, &opening.response)
        && sigma::holds(Some(&open.ephemeral), second, &c, &opening.shared, &opening.response);
    if !proven {
        return lied(Check::ComplaintProof);
    }

    let key = pad_key(plan, deal.sender(), holder, &open.ephemeral, &opening.shared);
    let Some(ciphertext) = open.ciphertext(complaint.validator(), position) else {
        return Err(Fault::nobody(Check::ComplaintDeal));
    };
    let share = ciphertext.as_scalar().sub(&pad(&key, complaint.validator()));
    if open.share_matches(complaint.validator(), complaint.complainer(), &share) {
        return lied(Check::ComplaintShare);
    }
    Ok(Verdict::DealerGuilty(Fault::of(Check::DealShare, deal.sender()).at(complaint.validator())))
}
