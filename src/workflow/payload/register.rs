//! Register: a keyshares file that was judged, cut into calls, of which one can be built today.

use std::ops::Range;

use dvkey_ceremony::{Address, Nonce, OperatorId};

use super::chunk::most_registered;
use super::preflight::{self, Context, Rejection};
use super::{Payload, network_of};
use crate::format::amount::Wei;
use crate::format::cluster_snapshot::{ClusterSnapshot, Wanted};
use crate::format::contract::call::{Call, Registrations};
use crate::format::contract::snapshot::Snapshot;
use crate::format::keyshares::{Item, KeysharesFile};
use crate::format::network::Network;
use crate::format::operator_state::OperatorStates;
use crate::format::watermark::is_nobody;
use crate::workflow::payload::costs::Costs;
use crate::workflow::verify::check::{Check, Report, Unknown, Verdict};
use crate::workflow::verify::keyshares::{Beside, Expected, judge};

/// What somebody wants registered.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where.
    pub network: Network,
    /// The owner that the file should be for.
    pub owner: Option<Address>,
    /// The nonce that its first validator should have.
    pub nonce: Option<Nonce>,
    /// The ether that goes with the call.
    pub value: Wei,
    /// Where to go on.
    pub from_nonce: Option<Nonce>,
    /// The most validators a call, instead of the documented number.
    pub most: Option<usize>,
    /// What is known of the operators.
    pub operators: Option<&'a OperatorStates>,
    /// The validators that one operator may have.
    pub limit: u32,
    /// The fees, where they are known.
    pub costs: Option<Costs>,
}

/// A call of the file: consecutive validators of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// From 1, over the whole file.
    pub number: usize,
    /// Which validators of the file.
    pub range: Range<usize>,
    /// The nonces of the first and the last.
    pub nonces: (u16, u16),
    /// Their operators.
    pub operators: Vec<OperatorId>,
}

/// The call that can be built, and the calls around it.
#[derive(Debug)]
pub struct Plan {
    /// All calls of the file.
    pub chunks: Vec<Chunk>,
    /// The one that is built; shorter than in `chunks` when it is continued in the middle.
    pub built: Chunk,
    /// What is sent.
    pub payload: Payload,
    /// Who sends it.
    pub owner: Address,
    /// Whether something else names the network of the file.
    pub network_confirmed: bool,
}

/// Why there is no call.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The file does not pass.
    #[error("the keyshares are not valid")]
    NotValid(Box<Report>),
    /// The file cannot be judged.
    #[error("the keyshares cannot be judged: {1}")]
    CannotJudge(Box<Report>, Unknown),
    /// No owner, and so nobody who could send it.
    #[error("the keyshares name no owner")]
    NoOwner,
    /// The keyshares are those of a rehearsal, and the network is mainnet.
    #[error("the keyshares are of a rehearsal: nobody has the account that owns them")]
    Rehearsal,
    /// The nonce is none of the file's.
    #[error("the file has the nonces {first} to {last}, and not {wanted}")]
    NotInFile {
        /// The first.
        first: u16,
        /// The last.
        last: u16,
        /// What was asked for.
        wanted: Nonce,
    },
    /// `IncorrectClusterState`: by then the cluster is not new any more.
    #[error("the cluster is not new: the registration with nonce {0}, earlier in the file, makes it")]
    MadeEarlier(u16),
    /// The contract would refuse it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// A file that passed, and its call that is to be built: what is known before anybody has looked at a snapshot.
#[derive(Debug)]
pub struct Chosen<'a> {
    items: Vec<&'a Item>,
    nonces: Vec<u16>,
    chunks: Vec<Chunk>,
    built: Chunk,
    owner: Address,
    network_confirmed: bool,
}

/// Judges the file and chooses the call.
///
/// # Errors
/// [`RegisterError`].
pub fn choose<'a>(
    file: &'a KeysharesFile,
    beside: Option<&Beside>,
    request: &Request<'_>,
    jobs: usize,
) -> Result<Chosen<'a>, RegisterError> {
    let network = request.network;
    if !network.has_v2_contract() {
        return Err(Rejection::VersionOne { network, function: "registerValidator" }.into());
    }
    let expected = Expected {
        owner: request.owner,
        nonce: request.nonce,
        network: Some(network),
        validators: None,
        operators: None,
        ..Expected::default()
    };
    let report = judge(file, &expected, beside, jobs);
    match report.verdict {
        Verdict::NotValid => return Err(RegisterError::NotValid(Box::new(report))),
        // A keyshares file names no network. What lies beside it may; where nothing does, the command decides.
        Verdict::Valid | Verdict::CannotJudge(Unknown::NoNetwork) => {}
        Verdict::CannotJudge(why) => return Err(RegisterError::CannotJudge(Box::new(report), why)),
    }
    let owner = report.owner.ok_or(RegisterError::NoOwner)?;
    if is_nobody(&owner) && network == Network::Mainnet {
        return Err(RegisterError::Rehearsal);
    }
    let nonces: Vec<u16> = report.validators.iter().filter_map(|line| line.nonce?.try_into().ok()).collect();
    let items: Vec<_> = file.items.iter().flatten().collect();
    if nonces.len() != items.len() {
        return Err(RegisterError::CannotJudge(Box::new(report), Unknown::OwnerNonce));
    }
    let chunks = cut(&sets(&items), &nonces, request.most);
    let built = pick(&chunks, &nonces, request.from_nonce)?;
    let network_confirmed = report.result(Check::Network).is_some_and(|result| result.held > 0);
    Ok(Chosen { items, nonces, chunks, built, owner, network_confirmed })
}

impl Chosen<'_> {
    /// The cluster that the call is about: a later call of the file may be about another than the first.
    #[must_use]
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { operators: &self.built.operators, owner: Some(self.owner) }
    }

    /// Builds the call, into the cluster of the snapshot, or into a new one without.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn build(self, cluster: Option<&ClusterSnapshot>, request: &Request<'_>) -> Result<Plan, RegisterError> {
        let Self { items, nonces, chunks, built, owner, network_confirmed } = self;
        let network = request.network;
        if cluster.is_none()
            && let Some(nonce) = made_by(&sets(&items), &nonces, built.range.start, &built.operators)
        {
            return Err(RegisterError::MadeEarlier(nonce));
        }
        let chosen: Vec<_> =
            items.get(built.range.clone()).unwrap_or_default().iter().map(|item| &item.payload).collect();
        let validators = match chosen.as_slice() {
            [only] => Registrations::One(only.public_key.clone(), only.shares_data.clone()),
            several => Registrations::Many(
                several.iter().map(|payload| payload.public_key.clone()).collect(),
                several.iter().map(|payload| payload.shares_data.clone()).collect(),
            ),
        };
        let operators = built.operators.iter().map(|id| id.get()).collect();
        let snapshot = cluster.map_or(Snapshot::NEW, |source| source.snapshot);
        let call = Call::Register { validators, operators, cluster: snapshot };
        let context = Context {
            network,
            owner: Some(owner),
            source: cluster,
            operators: request.operators,
            limit: request.limit,
            costs: request.costs,
        };
        preflight::check(&call, request.value, &context)?;
        let payload = Payload { network, call, value: request.value };
        debug_assert_eq!(network_of(payload.to()), Some(network));
        Ok(Plan { chunks, built, payload, owner, network_confirmed })
    }
}

/// The operators of each validator.
fn sets<'a>(items: &[&'a Item]) -> Vec<&'a [OperatorId]> {
    items.iter().map(|item| item.payload.operator_ids.as_slice()).collect()
}

/// The nonce of the first validator before `start` that has these operators: nonces are used in order, so that its
/// registration has made the cluster by then.
fn made_by(sets: &[&[OperatorId]], nonces: &[u16], start: usize, operators: &[OperatorId]) -> Option<u16> {
    let (_, nonce) = sets.iter().zip(nonces).take(start).find(|(set, _)| **set == operators)?;
    Some(*nonce)
}

/// Cuts the file: a call has one set of operators and at most so many validators. The cut does not depend on where one
/// goes on, so that numbers stay.
#[must_use]
pub fn cut(sets: &[&[OperatorId]], nonces: &[u16], most: Option<usize>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut room = 0;
    for (position, (set, nonce)) in sets.iter().zip(nonces).enumerate() {
        match chunks.last_mut() {
            Some(chunk) if chunk.operators == *set && chunk.range.len() < room => {
                chunk.range.end = position + 1;
                chunk.nonces.1 = *nonce;
            }
            _ => {
                room = most_registered(set.len(), most);
                chunks.push(Chunk {
                    number: chunks.len() + 1,
                    range: position..position + 1,
                    nonces: (*nonce, *nonce),
                    operators: set.to_vec(),
                });
            }
        }
    }
    chunks
}

/// The chunk with a nonce, from that nonce on; the first without one.
fn pick(chunks: &[Chunk], nonces: &[u16], from: Option<Nonce>) -> Result<Chunk, RegisterError> {
    let (first, last) = (nonces.first().copied().unwrap_or(0), nonces.last().copied().unwrap_or(0));
    let wanted = from.map_or(first, Nonce::get);
    let position = nonces.iter().position(|nonce| *nonce == wanted);
    let found =
        position.and_then(|position| Some((position, chunks.iter().find(|chunk| chunk.range.contains(&position))?)));
    match (found, from) {
        (Some((position, chunk)), _) => {
            Ok(Chunk { range: position..chunk.range.end, nonces: (wanted, chunk.nonces.1), ..chunk.clone() })
        }
        (None, Some(wanted)) => Err(RegisterError::NotInFile { first, last, wanted }),
        // A file without validators was refused before.
        (None, None) => Err(Rejection::NoValidators.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: [u64; 4]) -> Vec<OperatorId> {
        ids.into_iter().map(|id| OperatorId::try_from(id).unwrap()).collect()
    }

    #[test]
    fn the_cut_is_by_cluster_and_size_and_does_not_move() {
        let (a, b) = (set([1, 2, 3, 4]), set([5, 6, 7, 8]));
        let sets: Vec<&[OperatorId]> = vec![&a, &a, &a, &b, &b, &a];
        let nonces = [7, 8, 9, 10, 11, 12];
        let chunks = cut(&sets, &nonces, Some(2));
        let shape: Vec<_> = chunks.iter().map(|chunk| (chunk.number, chunk.range.clone(), chunk.nonces)).collect();
        assert_eq!(shape, [(1, 0..2, (7, 8)), (2, 2..3, (9, 9)), (3, 3..5, (10, 11)), (4, 5..6, (12, 12))]);
        let from = |nonce: u64| pick(&chunks, &nonces, Some(Nonce::try_from(nonce).unwrap()));
        assert_eq!(pick(&chunks, &nonces, None).unwrap(), chunks[0]);
        assert_eq!(from(10).unwrap(), chunks[2]);
        let middle = from(8).unwrap();
        assert_eq!((middle.number, middle.range, middle.nonces), (1, 1..2, (8, 8)));
        for outside in [6, 13] {
            assert!(matches!(from(outside), Err(RegisterError::NotInFile { first: 7, last: 12, .. })));
        }
        assert_eq!(made_by(&sets, &nonces, 0, &a), None);
        assert_eq!(made_by(&sets, &nonces, 1, &a), Some(7));
        assert_eq!(made_by(&sets, &nonces, 3, &b), None);
        assert_eq!(made_by(&sets, &nonces, 5, &a), Some(7));
        assert_eq!(cut(&vec![a.as_slice(); 161], &(0..161).collect::<Vec<_>>(), None).len(), 3);
    }
}
