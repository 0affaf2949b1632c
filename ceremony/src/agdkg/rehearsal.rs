//! Wrong files, for rehearsals only: so that a group sees what blame looks like before it matters.
//!
//! Nothing here gives out a file for any other plan than one that says, in its title, that it is a rehearsal, and that is
//! not for mainnet. Such a plan cannot be taken for a real one: the title stands above everything that people confirm.

use crate::agdkg::complaint::Complaint;
use crate::agdkg::deal::{Lengths, SignedDeal, deal_hash, signed_hash};
use crate::agdkg::identity::Identity;
use crate::agdkg::plan::Plan;
use crate::agdkg::signing::{SIGNATURE_BYTES, message_hash};
use crate::hash::Tag;
use crate::identifier::Identifier;

/// How the title of a rehearsal's plan begins.
pub const WATERMARK: &str = "REHEARSAL";

/// The chain on which money is real.
const MAINNET: u64 = 1;

/// Whether a plan says that it is a rehearsal.
#[must_use]
pub fn is_rehearsal(plan: &Plan) -> bool {
    plan.parameters().title.starts_with(WATERMARK) && plan.parameters().chain_id != MAINNET
}

/// My deal with another share for one holder, validly signed: C-38 for that holder, and C-34 beside the right one.
///
/// `None` unless the plan is a rehearsal's and has the holder.
#[must_use]
pub fn deal_with_bad_share(me: &Identity, plan: &Plan, deal: &SignedDeal, victim: Identifier) -> Option<Vec<u8>> {
    let position = plan.participants().iter().position(|one| one.id == victim)?;
    // The last byte of the first ciphertext for this holder: still a number below the order.
    changed_deal(me, plan, deal, Lengths::of(plan).public + 32 * position + 31)
}

/// My deal with a proof of knowledge that proves nothing, validly signed: C-37.
///
/// `None` unless the plan is a rehearsal's.
#[must_use]
pub fn deal_with_bad_proof(me: &Identity, plan: &Plan, deal: &SignedDeal) -> Option<Vec<u8>> {
    // The last byte of the answer in the proof for the last validator.
    changed_deal(me, plan, deal, Lengths::of(plan).public - 1)
}

/// My certify file with a proof of possession that proves nothing, validly signed: C-58.
///
/// `None` unless the plan is a rehearsal's.
#[must_use]
pub fn certify_with_bad_proof(me: &Identity, plan: &Plan, certify: &[u8]) -> Option<Vec<u8>> {
    let (body, _) = certify.split_last_chunk::<SIGNATURE_BYTES>().filter(|_| is_rehearsal(plan))?;
    let mut body = body.to_vec();
    // Magic, plan hash, id, transcript, root, certificate signature, announced point; then the 32 bytes of the answer.
    *body.get_mut(8 + 32 + 8 + 32 + 32 + 64 + 48 + 31)? ^= 1;
    let signature = me.sign(&message_hash(&body));
    body.extend(signature);
    Some(body)
}

/// A complaint about a share that is right: C-81.
///
/// `None` unless the plan is a rehearsal's.
#[must_use]
pub fn false_complaint(me: &Identity, plan: &Plan, id: Identifier, deal: &SignedDeal) -> Option<Vec<u8>> {
    if !is_rehearsal(plan) {
        return None;
    }
    Complaint::write(me, plan, id, deal, 0, &|_| ()).ok().map(|complaint| complaint.as_bytes().to_vec())
}

fn changed_deal(me: &Identity, plan: &Plan, deal: &SignedDeal, position: usize) -> Option<Vec<u8>> {
    let (body, _) = deal.as_bytes().split_last_chunk::<SIGNATURE_BYTES>()?;
    if !is_rehearsal(plan) || deal.is_redacted() {
        return None;
    }
    let mut body = body.to_vec();
    *body.get_mut(position)? ^= 1;
    let (public, enc) = body.split_at_checked(Lengths::of(plan).public)?;
    let signature = me.sign(&signed_hash(&deal_hash(public, &Tag::R1_ENC.hash(&[enc]))));
    body.extend(signature);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agdkg::judge::{Verdict, judge};
    use crate::agdkg::plan::Waivers;
    use crate::fault::Check;
    use crate::testing::network::{SEED, Setup};
    use crate::testing::paper_rsa::PaperRsa;

    fn rehearsal(title: &str) -> (Setup, Plan) {
        let setup = Setup::generic(2, 3, 2);
        let mut draft = setup.draft();
        draft.title = title.to_owned();
        (setup, Plan::parse(&draft.encode().unwrap(), Waivers::default(), &PaperRsa).unwrap())
    }

    #[test]
    fn each_wrong_file_fails_the_check_it_is_for() {
        let (setup, plan) = rehearsal("REHEARSAL of something");
        let (me, victim) = (setup.identity(0), plan.participants()[2].id);
        let (dealt, deals) = setup.all_dealt(&plan);
        let deal = deals.iter().next().unwrap();
        let with = |file: &[u8]| {
            let mut others = crate::agdkg::transcript::Deals::default();
            others.insert(SignedDeal::parse(&plan, file).unwrap()).unwrap();
            for deal in deals.iter().skip(1) {
                others.insert(deal.clone()).unwrap();
            }
            others
        };
        let bad_share = deal_with_bad_share(&me, &plan, deal, victim).unwrap();
        assert!(with(&bad_share).audit(&plan, &[], &SEED).is_ok());
        let mut dealt = dealt.into_iter();
        let refused = setup.certify(dealt.nth(2).unwrap(), 2, &with(&bad_share)).err().unwrap();
        assert_eq!((refused.check, refused.validator), (Check::DealShare, Some(0)));
        let bad_proof = deal_with_bad_proof(&me, &plan, deal).unwrap();
        let refused = with(&bad_proof).audit(&plan, &[], &SEED).unwrap_err();
        assert_eq!((refused.check, refused.validator), (Check::DealConstant, Some(1)));
        let lie = false_complaint(&setup.identity(2), &plan, victim, deal).unwrap();
        assert!(
            matches!(judge(&plan, deal.as_bytes(), &lie), Verdict::ComplainerGuilty(fault) if fault.check == Check::ComplaintShare)
        );
        let (state, _) = setup.dealt(&plan, 0);
        let (_, certify) = setup.certify(state, 0, &deals).unwrap();
        let changed = certify_with_bad_proof(&me, &plan, certify.as_bytes()).unwrap();
        let outputs = deals.audit(&plan, &[], &SEED).unwrap();
        let file = crate::agdkg::certify::SignedCertify::parse(&plan, &changed).unwrap();
        assert_eq!(file.open(&plan, &outputs).unwrap_err().check, Check::CertifyPossession);
    }

    #[test]
    fn no_other_plan_gets_a_wrong_file() {
        let (setup, plan) = rehearsal("no REHEARSAL");
        let (me, (_, deals)) = (setup.identity(0), setup.all_dealt(&plan));
        let deal = deals.iter().next().unwrap();
        let victim = plan.participants()[2].id;
        assert!(deal_with_bad_share(&me, &plan, deal, victim).is_none());
        assert!(deal_with_bad_proof(&me, &plan, deal).is_none());
        assert!(false_complaint(&me, &plan, victim, deal).is_none());
        assert!(certify_with_bad_proof(&me, &plan, &[0; 500]).is_none());
    }
}
