//! The air-gapped ceremony, as people do it: folders, a storage medium that goes round, one step at a time.
//!
//! | module | what |
//! |---|---|
//! | [`gather`] | every file of a ceremony below some paths, whatever it is called |
//! | [`collection`] | the files of one plan, as far as they are there |
//! | [`folder`] | one participant's folder: vault, journal, accepted plan |
//! | [`identity`] | a new root; a card; its binding to an operator |
//! | [`draft`] | a plan from cards |
//! | [`walks`] | pre-commit, deal, certify, complain |
//! | [`assemble`] | deposit data, keyshares, proofs, certificate, bundles, judged from disk |
//! | [`finish`] | a participant's own shares |
//! | [`described`] | what lies beside the results, compared with what the ceremony makes |
//! | [`judging`] | audits, verdicts and comparisons from public files |
//! | [`proofs`] | operators' proofs, made after the ceremony |
//! | `provenance` | what the keyshares were made for, and from what |
//! | [`rehearse`] | all of it on one machine, with throwaway keys |
//! | [`runbook`] | the script on paper |

pub mod assemble;
pub mod collection;
pub mod described;
pub mod draft;
pub mod finish;
pub mod folder;
pub mod gather;
pub mod identity;
pub mod judging;
pub mod proofs;
mod provenance;
pub mod rehearse;
pub mod runbook;
pub mod walk;
pub mod walks;

use std::path::PathBuf;

use dvkey_ceremony::agdkg::identity::RootError;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::fault::Fault;
use dvkey_ceremony::{Gwei, Identifier};

use crate::crypto::operator_key::OperatorKeyError;
use crate::crypto::random::NoRandomness;
use crate::format::network::Network;
use crate::store::ceremony_dir::CeremonyDirError;
use crate::store::read::ReadError;
use crate::store::write_error::WriteError;
use crate::workflow::recover::RecoverFailure;
use crate::workflow::verify::check::Report;

/// Why something of a ceremony was not done. Nothing half-made is left behind, and what was taken in is kept.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// A numbered check refused.
    #[error("{0}")]
    Fault(Fault),
    /// The folder cannot be worked in.
    #[error(transparent)]
    Dir(#[from] CeremonyDirError),
    /// Something cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Something cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// No plan was found, or none was accepted.
    #[error("no plan is there")]
    NoPlan,
    /// Several plans were found where one is needed: their hashes, where they were found, and their titles.
    #[error("{} different plans are there", .0.len())]
    SeveralPlans(Vec<(String, String, String)>),
    /// The plan of these files was not accepted in this folder.
    #[error("this plan was accepted before, and another one after it")]
    OldPlan,
    /// Files of others are missing.
    #[error("{what} missing")]
    Waiting {
        /// Which kind.
        what: Missing,
        /// From whom.
        from: Vec<Identifier>,
    },
    /// Somebody complains about another deal of the accused than the one that is here (C-79).
    #[error("a complaint is about a deal that is not here")]
    OtherDeal {
        /// Who complains.
        complainer: Identifier,
        /// About whom.
        accused: Identifier,
    },
    /// Somebody certified other deals than those that are here (C-54).
    #[error("certify files are for other deals than those that are here")]
    OtherDeals(Vec<Identifier>),
    /// Somebody else's complaint, or two deals of one sender, ended the ceremony.
    #[error("the ceremony ended")]
    Ended(Box<collection::End>),
    /// The folder was made from words or is an older copy, and it is not known whether this plan was certified before.
    #[error("it is not known whether this plan was certified before")]
    CertifiedBefore,
    /// The plan asks for operator proofs, and no operator key is at hand.
    #[error("the plan asks for an operator proof, for which the operator's private key is needed")]
    NoOperatorKey,
    /// The operator key at hand is another than the card is bound to.
    #[error("the operator key is another than that of operator {0} in the plan")]
    OtherOperatorKey(Identifier),
    /// An operator key that the SSV Network does not take.
    #[error("the operator key of {0} cannot be used: {1}")]
    OperatorKey(Identifier, OperatorKeyError),
    /// Nothing can be recovered from words that are none.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A passphrase that is no text.
    #[error("the passphrase is not text")]
    Passphrase,
    /// Values that make no plan.
    #[error(transparent)]
    Draft(#[from] draft::DraftError),
    /// The plan has a nonce that no node takes.
    #[error("the plan's nonces go beyond 65535, the largest that the nodes know")]
    Nonce,
    /// The nonce is not one that the plan signed for.
    #[error("nonce {asked} is none of those that were signed: {first} to {last} for the first validator")]
    OtherNonce {
        /// What was asked for.
        asked: u64,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The text of a file could not be made.
    #[error("a file could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// What was read back differs from what was written.
    #[error("{0} came back from the disk other than it was written")]
    ReadBack(String),
    /// What was written and read back is not valid.
    #[error("the written {0} does not pass verification")]
    NotValid(&'static str, Box<Report>),
    /// A keystore of a share could not be made.
    #[error(transparent)]
    Keystore(#[from] Box<RecoverFailure>),
    /// A rehearsal that would look like a real ceremony.
    #[error("a rehearsal is never for mainnet")]
    RehearsalOnMainnet,
    /// A name that is no cheat.
    #[error("no such cheat")]
    NoSuchCheat,
    /// The files are not in the folder where they were published.
    #[error("{}: published, but not found there with the same content", .0.display())]
    Moved(PathBuf),
}

impl From<Fault> for CeremonyError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A kind of file that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Pre-commits.
    Precommits,
    /// Deals, in full.
    Deals,
    /// Certify files.
    Certifies,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Precommits => "pre-commits",
            Self::Deals => "deals",
            Self::Certifies => "certify files",
        })
    }
}

/// The network of a plan. A plan that passed its checks has one.
#[must_use]
pub fn network_of(plan: &Plan) -> Option<Network> {
    Network::of_fork(plan.parameters().fork_version)
}

/// What all deposits of a plan come to.
#[must_use]
pub fn total_of(plan: &Plan) -> Gwei {
    let each: u64 = plan.parameters().amounts.iter().map(|amount| amount.get()).fold(0, u64::saturating_add);
    Gwei::new(each.saturating_mul(u64::from(plan.validators())))
}

/// The accounts that the stake of a plan is paid to, each once, in order.
#[must_use]
pub fn withdrawal_addresses(plan: &Plan) -> Vec<dvkey_ceremony::Address> {
    let mut found = Vec::new();
    for credentials in &plan.parameters().credentials {
        if let Some(address) = credentials.address()
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// 32 bytes that no participant could predict, for checking many equations at once.
pub(crate) fn seed() -> Result<[u8; 32], NoRandomness> {
    crate::crypto::random::bytes()
}
