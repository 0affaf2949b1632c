//! A plan from cards: everything that the organizer chooses, and what the participants will confirm.

use std::collections::BTreeSet;

use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::agdkg::plan::{MAX_TITLE_BYTES, Participant, Plan, PlanDraft, Profile, SsvRegistration, Waivers};
use dvkey_ceremony::{Address, Gwei, Identifier, Nonce, Threshold, WithdrawalCredentials};

use super::CeremonyError;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::crypto::operator_key::OperatorPublicKey;
use crate::crypto::random;
use crate::format::network::Network;

/// What the organizer chooses.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cards, each with the id that was given for it, if one was.
    pub cards: Vec<(Option<Identifier>, Card)>,
    /// The network.
    pub network: Network,
    /// How many validator keys.
    pub validators: u16,
    /// Whom the stake belongs to.
    pub credentials: WithdrawalCredentials,
    /// For which deposits.
    pub amounts: Vec<Gwei>,
    /// How many shares sign; for an SSV cluster it follows from the number of operators.
    pub threshold: Option<u8>,
    /// Who registers on the SSV Network, the first nonce, and for how many in a row; `None` for any other cluster.
    pub ssv: Option<(Address, Nonce, u8)>,
    /// Whether certify files carry operator proofs.
    pub proofs: bool,
    /// Whether everybody commits to its deal first.
    pub precommit: bool,
    /// What the ceremony is called.
    pub title: String,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds; 0 for never.
    pub expires: u64,
    /// What is overridden.
    pub waivers: Waivers,
}

/// Why these values make no plan.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DraftError {
    /// No number of shares.
    #[error("how many shares sign is not said")]
    NoThreshold,
    /// A number of shares that an SSV cluster does not have.
    #[error("an SSV cluster of {n} has the threshold {t}")]
    SsvThreshold {
        /// Its operators.
        n: usize,
        /// Its threshold.
        t: usize,
    },
    /// A number of operators that no SSV cluster has.
    #[error("an SSV cluster has 4, 7, 10 or 13 operators, not {0}")]
    SsvSize(usize),
    /// A card without an operator, and without an id.
    #[error("the card of {0:?} is bound to no operator")]
    NoOperator(String),
    /// A card that is bound for another network.
    #[error("the card of {label:?} is bound for the chain {found}, the plan is for {wanted}")]
    OtherChain {
        /// Whose.
        label: String,
        /// Its chain.
        found: u64,
        /// The plan's.
        wanted: u64,
    },
    /// An id that is another than the card's operator.
    #[error("the card of {label:?} is bound to operator {bound}, not to {given}")]
    OtherOperator {
        /// Whose.
        label: String,
        /// Its operator.
        bound: u64,
        /// The id that was given.
        given: u64,
    },
    /// One id stands twice.
    #[error("the id {0} stands twice")]
    Twice(u64),
    /// A waiver where it may cost money.
    #[error("cards without operators are for test networks only")]
    UnboundOnMainnet,
    /// A text or a count does not fit its field.
    #[error(
        "the title has more than 64 bytes, or there are more participants, amounts or validators than a plan has room for"
    )]
    TooLong,
}

/// Makes the plan, and checks it as everybody will.
///
/// # Errors
/// [`CeremonyError`]: [`DraftError`], or the [`dvkey_ceremony::fault::Fault`] of the plan.
pub fn draft(request: &Request) -> Result<Plan, CeremonyError> {
    let participants = participants(request)?;
    let threshold = threshold(request, participants.len())?;
    if request.waivers.unbound_operators && request.network == Network::Mainnet {
        return Err(DraftError::UnboundOnMainnet.into());
    }
    let draft = PlanDraft {
        profile: match request.ssv {
            None => Profile::Generic,
            Some((owner, first_nonce, nonce_window)) => {
                Profile::Ssv(SsvRegistration { owner, first_nonce: u64::from(first_nonce.get()), nonce_window })
            }
        },
        operator_proofs: request.proofs,
        precommit: request.precommit,
        nonce: random::bytes()?,
        created: request.created,
        expires: request.expires,
        fork_version: request.network.genesis_fork_version(),
        chain_id: request.network.chain_id(),
        title: request.title.clone(),
        threshold,
        validators: request.validators,
        participants,
        amounts: request.amounts.clone(),
        credentials: vec![request.credentials],
    };
    // A text that does not fit would be told as a damaged plan.
    let fits = draft.title.len() <= MAX_TITLE_BYTES;
    let bytes = draft.encode().filter(|_| fits).ok_or(DraftError::TooLong)?;
    let plan = Plan::parse(&bytes, request.waivers, &CeremonyRsa)?;
    must_be_usable(&plan)?;
    Ok(plan)
}

/// What a lawful plan can ask for, and no node of the SSV Network does.
///
/// # Errors
/// [`CeremonyError::Nonce`], [`CeremonyError::OperatorKey`], [`DraftError::UnboundOnMainnet`].
pub fn must_be_usable(plan: &Plan) -> Result<(), CeremonyError> {
    let Some(ssv) = plan.ssv() else { return Ok(()) };
    let last = ssv.first_nonce.saturating_add(u64::from(plan.validators()) + u64::from(ssv.nonce_window) - 2);
    Nonce::try_from(last).map_err(|_| CeremonyError::Nonce)?;
    for participant in plan.participants() {
        match participant.card.binding() {
            Some(binding) => {
                OperatorPublicKey::from_der(&binding.spki)
                    .map_err(|error| CeremonyError::OperatorKey(participant.id, error))?;
            }
            None if plan.parameters().chain_id == Network::Mainnet.chain_id() => {
                return Err(DraftError::UnboundOnMainnet.into());
            }
            None => {}
        }
    }
    Ok(())
}

fn threshold(request: &Request, n: usize) -> Result<u8, DraftError> {
    if request.ssv.is_none() {
        return request.threshold.ok_or(DraftError::NoThreshold);
    }
    let t = Threshold::ssv(n).map_err(|_| DraftError::SsvSize(n))?.t();
    match request.threshold {
        Some(given) if usize::from(given) != t => Err(DraftError::SsvThreshold { n, t }),
        _ => u8::try_from(t).map_err(|_| DraftError::SsvSize(n)),
    }
}

fn participants(request: &Request) -> Result<Vec<Participant>, CeremonyError> {
    let wanted = request.network.chain_id();
    let mut ids = BTreeSet::new();
    let mut found = Vec::with_capacity(request.cards.len());
    for (position, (given, card)) in (1u64..).zip(&request.cards) {
        let label = || card.label().to_owned();
        let id = match (card.binding().filter(|_| request.ssv.is_some()), given) {
            (Some(binding), _) if binding.chain_id != wanted => {
                return Err(DraftError::OtherChain { label: label(), found: binding.chain_id, wanted }.into());
            }
            (Some(binding), Some(given)) if binding.operator.identifier() != *given => {
                let (bound, given) = (binding.operator.get(), given.get());
                return Err(DraftError::OtherOperator { label: label(), bound, given }.into());
            }
            (Some(binding), _) => binding.operator.identifier(),
            (None, Some(given)) => *given,
            (None, None) if request.ssv.is_some() => return Err(DraftError::NoOperator(label()).into()),
            (None, None) => Identifier::try_from(position).map_err(|_| DraftError::TooLong)?,
        };
        if !ids.insert(id) {
            return Err(DraftError::Twice(id.get()).into());
        }
        found.push(Participant { id, card: card.clone() });
    }
    found.sort_by_key(|one| one.id);
    Ok(found)
}
