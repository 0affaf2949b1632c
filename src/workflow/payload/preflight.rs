//! The contract's own rules, applied before anybody pays for finding them out.

use std::collections::HashMap;

use dvkey_ceremony::{Address, PublicKey, Threshold};

use super::costs::Costs;
use super::{contract_of, network_of};
use crate::format::amount::Wei;
use crate::format::cluster_snapshot::ClusterSnapshot;
use crate::format::contract::call::{AnyCall, Asset, Call, OperatorAction, OperatorsAction, Registrations};
use crate::format::contract::legacy::LegacyAction;
use crate::format::contract::snapshot::Snapshot;
use crate::format::network::Network;
use crate::format::operator_state::OperatorStates;

/// The validators that one operator may have: the figure of the contract's tests and of the vote; it can be changed there.
pub const VALIDATOR_LIMIT: u32 = 3000;

/// Fees are kept in units of 100,000 Wei, in 64 bits.
const PACKED: u128 = 100_000;

/// Amounts of the SSV token are kept by the contract in units of 10,000,000.
const SSV_PACKED: u128 = 10_000_000;

/// What is known around a call.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where it is sent.
    pub network: Network,
    /// Whose cluster it is about, where that is known.
    pub owner: Option<Address>,
    /// Where the snapshot comes from; none for a cluster that is new.
    pub source: Option<&'a ClusterSnapshot>,
    /// What is known of the operators.
    pub operators: Option<&'a OperatorStates>,
    /// The validators that one operator may have.
    pub limit: u32,
    /// The fees, where they are known.
    pub costs: Option<Costs>,
}

/// Why the contract would refuse a call, or why it would not do what is meant. Where the contract has a name for it, the
/// documentation gives it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Rejection {
    /// The contract there is version 1.
    #[error("the contract on {network} is version 1, which would revert {function}")]
    VersionOne {
        /// Which network.
        network: Network,
        /// Which function.
        function: &'static str,
    },
    /// `EmptyPublicKeysList`, `ValidatorDoesNotExist`
    #[error("no validator is named")]
    NoValidators,
    /// `PublicKeysSharesLengthMismatch`
    #[error("{keys} public keys and {shares} sharesData")]
    LengthsDiffer {
        /// How many keys.
        keys: usize,
        /// How many sharesData.
        shares: usize,
    },
    /// `InvalidOperatorIdsLength`
    #[error("a cluster of {0} operators; 4, 7, 10 and 13 are lawful")]
    ClusterSize(usize),
    /// `InvalidPublicKeyLength`
    #[error("the public key of validator {position} has {found} bytes instead of 48")]
    PublicKeyLength {
        /// From 1.
        position: usize,
        /// How many.
        found: usize,
    },
    /// Not a point: the contract would take it, and no node.
    #[error("the public key of validator {0} is no point of the group")]
    PublicKey(usize),
    /// `ValidatorAlreadyExistsWithData`
    #[error("validator {second} is the same as validator {first}")]
    Duplicate {
        /// From 1.
        first: usize,
        /// From 1.
        second: usize,
    },
    /// `IncorrectClusterVersion`
    #[error("the cluster pays in SSV; it has to be migrated first")]
    PaysInSsv,
    /// The other way round.
    #[error("the cluster pays in ETH already; there is nothing to migrate")]
    PaysInEth,
    /// `IncorrectClusterState`
    #[error("a new cluster has the snapshot (0,0,0,true,0)")]
    NotNew,
    /// What tools give for a cluster that they did not find.
    #[error("the snapshot is (0,0,0,true,0), which is what tools write when they find no cluster")]
    EmptySnapshot,
    /// `IncorrectClusterState`: the snapshot is another owner's.
    #[error("the snapshot is of owner {found}, not of {wanted}")]
    OtherOwner {
        /// In the snapshot.
        found: Address,
        /// In the call.
        wanted: Address,
    },
    /// `IncorrectClusterState`: the snapshot is of other operators.
    #[error("the snapshot is of operators {found}, not of {wanted}")]
    OtherOperators {
        /// In the snapshot.
        found: String,
        /// In the call.
        wanted: String,
    },
    /// The snapshot is from another chain or contract.
    #[error("the snapshot is from {0}, not from the contract on {1}")]
    OtherNetwork(String, Network),
    /// `ClusterIsLiquidated`
    #[error("the cluster is liquidated")]
    Liquidated,
    /// `ClusterAlreadyEnabled`
    #[error("the cluster is active; only a liquidated one can be reactivated")]
    NotLiquidated,
    /// The balance would be more than can be.
    #[error("balance and value together are more ether than can be")]
    BalanceOverflow,
    /// `UnsortedOperatorsList`
    #[error("operator {1} stands behind {0}; the contract wants them ascending")]
    Unsorted(u64, u64),
    /// `OperatorsListNotUnique`
    #[error("operator {0} stands twice")]
    Repeated(u64),
    /// No operator has the id 0.
    #[error("there is no operator 0")]
    OperatorZero,
    /// `OperatorDoesNotExist`
    #[error("operator {0} was removed, or never registered")]
    OperatorMissing(u64),
    /// `CallerNotWhitelistedWithData`
    #[error("operator {0} is private and its whitelist does not name the owner")]
    NotWhitelisted(u64),
    /// `ExceedValidatorLimitWithData`
    #[error("operator {operator} would have {after} validators, more than {limit}")]
    ValidatorLimit {
        /// Which.
        operator: u64,
        /// How many.
        after: u64,
        /// How many it may have.
        limit: u32,
    },
    /// `InsufficientBalance`
    #[error("the balance would be {balance}, and has to be at least {needed}")]
    InsufficientBalance {
        /// Afterwards.
        balance: Wei,
        /// At least.
        needed: Wei,
    },
    /// `InsufficientBalance`: a cluster with validators and without a balance.
    #[error("the cluster would have no balance at all")]
    NoBalance,
    /// Nothing would happen.
    #[error("the amount is 0")]
    NothingSent,
    /// More is taken out than is in.
    #[error("{amount} is more than the balance {balance}")]
    MoreThanBalance {
        /// What is asked for.
        amount: Wei,
        /// What there is.
        balance: Wei,
    },
    /// `MaxPrecisionExceeded`
    #[error("{0} is not a multiple of 100000 wei, the unit that the contract keeps")]
    Precision(Wei),
    /// `MaxPrecisionExceeded`, of the token.
    #[error("{} units of SSV are not a multiple of 10000000, the unit that the contract keeps", .0.get())]
    SsvPrecision(Wei),
    /// `MaxValueExceeded`
    #[error("{0} is more than the contract can keep")]
    FeeTooLarge(Wei),
    /// More validators are removed than there are.
    #[error("{removed} validators are to be removed and the cluster has {there}")]
    MoreThanThere {
        /// How many are named.
        removed: usize,
        /// How many there are.
        there: u32,
    },
    /// Nobody is named.
    #[error("no address is named")]
    NoAddresses,
    /// The zero address.
    #[error("the zero address is nobody's")]
    ZeroAddress,
    /// The SSV contract has no way to pay out what it is sent as rewards.
    #[error("{0} is the SSV contract on {1}: it keeps what it is sent, and nobody could take it out")]
    SsvContract(Address, Network),
    /// Ether with a call that takes none.
    #[error("{0} takes no ether")]
    NotPayable(&'static str),
}

/// Applies every rule that concerns `call`, in the contract's order.
///
/// # Errors
/// The first [`Rejection`].
pub fn check(call: &Call, value: Wei, context: &Context<'_>) -> Result<(), Rejection> {
    let function = call.function();
    if !context.network.has_v2_contract() && !call.is_in_v1() {
        return Err(Rejection::VersionOne { network: context.network, function });
    }
    if !call.is_payable() && value != Wei::ZERO {
        return Err(Rejection::NotPayable(function));
    }
    match call {
        Call::Register { validators, operators, cluster } => {
            let (keys, shares) = (validators.public_keys(), validators.shares_data());
            if keys.len() != shares.len() && !keys.is_empty() {
                return Err(Rejection::LengthsDiffer { keys: keys.len(), shares: shares.len() });
            }
            validator_keys(&keys)?;
            let new = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            cluster_operators(operators)?;
            state(cluster, operators, context)?;
            if !cluster.active {
                return Err(Rejection::Liquidated);
            }
            let balance = cluster.balance.checked_add(value).ok_or(Rejection::BalanceOverflow)?;
            operators_take(operators, cluster.validator_count, new, context)?;
            solvent(balance, cluster.validator_count.saturating_add(new), new, context.costs)
        }
        Call::Remove { keys, operators, cluster } => {
            let keys = keys.all();
            validator_keys(&keys)?;
            cluster_operators(operators)?;
            // A cluster that pays in SSV can lose validators before it is migrated.
            state_of(cluster, operators, context)?;
            if u32::try_from(keys.len()).map_or(true, |removed| removed > cluster.validator_count) {
                return Err(Rejection::MoreThanThere { removed: keys.len(), there: cluster.validator_count });
            }
            Ok(())
        }
        Call::Exit { keys, operators } => {
            validator_keys(&keys.all())?;
            cluster_operators(operators)
        }
        Call::Deposit { owner, operators, cluster } => {
            named(*owner)?;
            something(value)?;
            cluster_operators(operators)?;
            state(cluster, operators, context)?;
            cluster.balance.checked_add(value).map(drop).ok_or(Rejection::BalanceOverflow)
        }
        Call::Withdraw { operators, amount, cluster } => {
            something(*amount)?;
            packed(*amount)?;
            cluster_operators(operators)?;
            state(cluster, operators, context)?;
            if !cluster.active {
                return Err(Rejection::Liquidated);
            }
            let left = cluster.balance.get().checked_sub(amount.get());
            let left = left.ok_or(Rejection::MoreThanBalance { amount: *amount, balance: cluster.balance })?;
            if cluster.validator_count == 0 {
                Ok(())
            } else {
                solvent(Wei::new(left), cluster.validator_count, 0, context.costs)
            }
        }
        Call::Reactivate { operators, cluster } => {
            cluster_operators(operators)?;
            state(cluster, operators, context)?;
            if cluster.active {
                return Err(Rejection::NotLiquidated);
            }
            let balance = cluster.balance.checked_add(value).ok_or(Rejection::BalanceOverflow)?;
            solvent(balance, cluster.validator_count, 0, context.costs)
        }
        Call::Migrate { operators, cluster } => {
            cluster_operators(operators)?;
            state_of(cluster, operators, context)?;
            if context.source.and_then(|source| source.asset) == Some(Asset::Eth) {
                return Err(Rejection::PaysInEth);
            }
            // What was sent becomes the balance; the SSV goes back to the owner.
            solvent(value, cluster.validator_count, 0, context.costs)
        }
        Call::FeeRecipient(recipient) => receives(*recipient),
        Call::RegisterOperator { fee, .. } => fee_fits(*fee),
        Call::Operator { id, action } => operator(*id, *action),
        Call::Operators { ids, action } => several_operators(ids, action),
        Call::Liquidate { .. } | Call::UpdateBalance { .. } | Call::GetVersion => Ok(()),
    }
}

/// The rules that a call breaks by itself, whatever is around it: for those who are shown a foreign one.
#[must_use]
pub fn form(call: &AnyCall) -> Vec<Rejection> {
    let mut found = Vec::new();
    let mut keep = |result: Result<(), Rejection>| found.extend(result.err());
    let registered = |validators: &Registrations| {
        let (keys, shares) = (validators.public_keys(), validators.shares_data());
        let (differ, same) =
            (Rejection::LengthsDiffer { keys: keys.len(), shares: shares.len() }, keys.len() == shares.len());
        validator_keys(&keys).and(if same { Ok(()) } else { Err(differ) })
    };
    let call = match call {
        AnyCall::Current(call) => call,
        AnyCall::Legacy(call) => {
            keep(cluster_operators(&call.operators));
            if let LegacyAction::Register(validators) = &call.action {
                keep(registered(validators));
            }
            return found;
        }
    };
    if let Some((_, operators)) = call.cluster() {
        keep(cluster_operators(operators));
    }
    match call {
        Call::Register { validators, .. } => keep(registered(validators)),
        Call::Remove { keys, .. } | Call::Exit { keys, .. } => keep(validator_keys(&keys.all())),
        Call::Deposit { owner, .. } => keep(named(*owner)),
        Call::Withdraw { amount, .. } => keep(something(*amount).and_then(|()| packed(*amount))),
        Call::FeeRecipient(recipient) => keep(receives(*recipient)),
        Call::RegisterOperator { fee, .. } => keep(fee_fits(*fee)),
        Call::Operator { id, action } => keep(operator(*id, *action)),
        Call::Operators { ids, action } => keep(several_operators(ids, action)),
        _ => {}
    }
    found
}

fn receives(recipient: Address) -> Result<(), Rejection> {
    named(recipient)?;
    network_of(recipient).map_or(Ok(()), |network| Err(Rejection::SsvContract(recipient, network)))
}

fn validator_keys(keys: &[&[u8]]) -> Result<(), Rejection> {
    if keys.is_empty() {
        return Err(Rejection::NoValidators);
    }
    let mut first = HashMap::new();
    for (position, key) in keys.iter().enumerate().map(|(position, key)| (position + 1, *key)) {
        if key.len() != PublicKey::BYTES {
            return Err(Rejection::PublicKeyLength { position, found: key.len() });
        }
        if PublicKey::from_bytes(key).is_err() {
            return Err(Rejection::PublicKey(position));
        }
        if let Some(earlier) = first.insert(key, position) {
            return Err(Rejection::Duplicate { first: earlier, second: position });
        }
    }
    Ok(())
}

fn cluster_operators(ids: &[u64]) -> Result<(), Rejection> {
    Threshold::ssv(ids.len()).map_err(|_| Rejection::ClusterSize(ids.len()))?;
    ascending(ids)
}

fn ascending(ids: &[u64]) -> Result<(), Rejection> {
    if ids.contains(&0) {
        return Err(Rejection::OperatorZero);
    }
    for pair in ids.windows(2) {
        match pair {
            [a, b] if a == b => return Err(Rejection::Repeated(*a)),
            [a, b] if a > b => return Err(Rejection::Unsorted(*a, *b)),
            _ => {}
        }
    }
    Ok(())
}

/// The snapshot is what its source says, of this very cluster, and of one that pays in ETH.
fn state(cluster: &Snapshot, operators: &[u64], context: &Context<'_>) -> Result<(), Rejection> {
    state_of(cluster, operators, context)?;
    match context.source.and_then(|source| source.asset) {
        Some(Asset::Ssv) => Err(Rejection::PaysInSsv),
        _ => Ok(()),
    }
}

fn state_of(cluster: &Snapshot, operators: &[u64], context: &Context<'_>) -> Result<(), Rejection> {
    let Some(source) = context.source else {
        return if *cluster == Snapshot::NEW { Ok(()) } else { Err(Rejection::NotNew) };
    };
    let network = context.network;
    if let Some(chain) = source.chain_id
        && chain != network.chain_id()
    {
        return Err(Rejection::OtherNetwork(format!("chain {chain}"), network));
    }
    if let Some(contract) = source.contract
        && contract != contract_of(network)
    {
        return Err(Rejection::OtherNetwork(format!("the contract {contract}"), network));
    }
    if let (Some(found), Some(wanted)) = (source.owner, context.owner)
        && found != wanted
    {
        return Err(Rejection::OtherOwner { found, wanted });
    }
    if let Some(found) = &source.operators {
        let found: Vec<u64> = found.iter().map(|id| id.get()).collect();
        if found != operators {
            return Err(Rejection::OtherOperators { found: listed(&found), wanted: listed(operators) });
        }
    }
    if *cluster == Snapshot::NEW {
        return Err(Rejection::EmptySnapshot);
    }
    Ok(())
}

fn operators_take(operators: &[u64], there: u32, new: u32, context: &Context<'_>) -> Result<(), Rejection> {
    for id in operators {
        let state = context.operators.and_then(|states| states.get(*id));
        if context.operators.is_some_and(|states| states.get(*id).is_none()) || state.is_some_and(|state| state.removed)
        {
            return Err(Rejection::OperatorMissing(*id));
        }
        if let (Some(state), Some(owner)) = (state, context.owner)
            && !state.admits(owner)
        {
            return Err(Rejection::NotWhitelisted(*id));
        }
        // Without a figure of its own, an operator has at least the validators of this cluster.
        let validators = state.and_then(|state| state.validators).unwrap_or(there).max(there);
        let after = u64::from(validators) + u64::from(new);
        if after > u64::from(context.limit) {
            return Err(Rejection::ValidatorLimit { operator: *id, after, limit: context.limit });
        }
    }
    Ok(())
}

/// The liquidation test, as far as it can be made: without the fees, a balance of nothing fails it in any case.
fn solvent(balance: Wei, validators: u32, new: u32, costs: Option<Costs>) -> Result<(), Rejection> {
    if validators == 0 {
        return Ok(());
    }
    if balance == Wei::ZERO {
        return Err(Rejection::NoBalance);
    }
    let Some(costs) = costs else { return Ok(()) };
    match costs.needed(validators, new) {
        Some(needed) if balance >= needed => Ok(()),
        needed => Err(Rejection::InsufficientBalance { balance, needed: needed.unwrap_or(Wei::new(u128::MAX)) }),
    }
}

fn operator(id: u64, action: OperatorAction) -> Result<(), Rejection> {
    ascending(&[id])?;
    match action {
        OperatorAction::DeclareFee(fee) | OperatorAction::ReduceFee(fee) => fee_fits(fee),
        OperatorAction::Withdraw(asset, amount) => {
            something(amount)?;
            match asset {
                Asset::Eth => packed(amount),
                Asset::Ssv if amount.get().is_multiple_of(SSV_PACKED) => Ok(()),
                Asset::Ssv => Err(Rejection::SsvPrecision(amount)),
            }
        }
        _ => Ok(()),
    }
}

fn several_operators(ids: &[u64], action: &OperatorsAction) -> Result<(), Rejection> {
    if ids.is_empty() {
        return Err(Rejection::ClusterSize(0));
    }
    ascending(ids)?;
    match action {
        OperatorsAction::Whitelist(addresses) | OperatorsAction::Unwhitelist(addresses) if addresses.is_empty() => {
            Err(Rejection::NoAddresses)
        }
        OperatorsAction::Whitelist(addresses) | OperatorsAction::Unwhitelist(addresses) => {
            addresses.iter().try_for_each(|address| named(*address))
        }
        OperatorsAction::SetWhitelistingContract(contract) => named(*contract),
        _ => Ok(()),
    }
}

fn fee_fits(fee: Wei) -> Result<(), Rejection> {
    packed(fee)?;
    if fee.get() / PACKED > u128::from(u64::MAX) { Err(Rejection::FeeTooLarge(fee)) } else { Ok(()) }
}

fn packed(amount: Wei) -> Result<(), Rejection> {
    if amount.get().is_multiple_of(PACKED) { Ok(()) } else { Err(Rejection::Precision(amount)) }
}

fn something(amount: Wei) -> Result<(), Rejection> {
    if amount == Wei::ZERO { Err(Rejection::NothingSent) } else { Ok(()) }
}

fn named(address: Address) -> Result<(), Rejection> {
    if address.is_zero() { Err(Rejection::ZeroAddress) } else { Ok(()) }
}

fn listed(ids: &[u64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "preflight/tests.rs"]
mod tests;
