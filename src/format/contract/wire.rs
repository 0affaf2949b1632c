//! Between the calls as this program knows them and the types that are generated from the interface.

use alloy_primitives::{Address as SolAddress, Bytes, FixedBytes, U256};
use dvkey_ceremony::Address;

use super::call::{Asset, Call, Keys, OperatorAction, OperatorsAction, Registrations};
use super::interface::SsvNetwork::{self as sol, SsvNetworkCalls as Sol};
use super::snapshot::{AmountTooLarge, wei};
use crate::format::amount::Wei;

pub(super) fn to_sol(call: &Call) -> Sol {
    match call {
        Call::Register { validators, operators, cluster } => {
            let (operator_ids, cluster) = (operators.clone(), (*cluster).into());
            match validators {
                Registrations::One(key, shares) => Sol::registerValidator(sol::registerValidatorCall {
                    publicKey: bytes(key),
                    operatorIds: operator_ids,
                    sharesData: bytes(shares),
                    cluster,
                }),
                Registrations::Many(keys, shares) => Sol::bulkRegisterValidator(sol::bulkRegisterValidatorCall {
                    publicKeys: list(keys),
                    operatorIds: operator_ids,
                    sharesData: list(shares),
                    cluster,
                }),
            }
        }
        Call::Remove { keys, operators, cluster } => {
            let (operator_ids, cluster) = (operators.clone(), (*cluster).into());
            match keys {
                Keys::One(key) => Sol::removeValidator(sol::removeValidatorCall {
                    publicKey: bytes(key),
                    operatorIds: operator_ids,
                    cluster,
                }),
                Keys::Many(keys) => Sol::bulkRemoveValidator(sol::bulkRemoveValidatorCall {
                    publicKeys: list(keys),
                    operatorIds: operator_ids,
                    cluster,
                }),
            }
        }
        Call::Exit { keys, operators } => {
            let operator_ids = operators.clone();
            match keys {
                Keys::One(key) => {
                    Sol::exitValidator(sol::exitValidatorCall { publicKey: bytes(key), operatorIds: operator_ids })
                }
                Keys::Many(keys) => Sol::bulkExitValidator(sol::bulkExitValidatorCall {
                    publicKeys: list(keys),
                    operatorIds: operator_ids,
                }),
            }
        }
        Call::Deposit { owner, operators, cluster } => Sol::deposit(sol::depositCall {
            clusterOwner: address(owner),
            operatorIds: operators.clone(),
            cluster: (*cluster).into(),
        }),
        Call::Withdraw { operators, amount, cluster } => Sol::withdraw(sol::withdrawCall {
            operatorIds: operators.clone(),
            amount: word(*amount),
            cluster: (*cluster).into(),
        }),
        Call::Reactivate { operators, cluster } => {
            Sol::reactivate(sol::reactivateCall { operatorIds: operators.clone(), cluster: (*cluster).into() })
        }
        Call::Migrate { operators, cluster } => Sol::migrateClusterToETH(sol::migrateClusterToETHCall {
            operatorIds: operators.clone(),
            cluster: (*cluster).into(),
        }),
        Call::Liquidate { owner, operators, cluster, asset } => {
            let (owner, operator_ids, cluster) = (address(owner), operators.clone(), (*cluster).into());
            match asset {
                Asset::Eth => {
                    Sol::liquidate(sol::liquidateCall { clusterOwner: owner, operatorIds: operator_ids, cluster })
                }
                Asset::Ssv => {
                    Sol::liquidateSSV(sol::liquidateSSVCall { clusterOwner: owner, operatorIds: operator_ids, cluster })
                }
            }
        }
        Call::UpdateBalance { block, owner, operators, cluster, effective_balance, proof } => {
            Sol::updateClusterBalance(sol::updateClusterBalanceCall {
                blockNum: *block,
                clusterOwner: address(owner),
                operatorIds: operators.clone(),
                cluster: (*cluster).into(),
                effectiveBalance: *effective_balance,
                merkleProof: proof.iter().map(|node| FixedBytes(*node)).collect(),
            })
        }
        Call::FeeRecipient(recipient) => {
            Sol::setFeeRecipientAddress(sol::setFeeRecipientAddressCall { feeRecipient: address(recipient) })
        }
        Call::RegisterOperator { public_key, fee, private } => Sol::registerOperator(sol::registerOperatorCall {
            publicKey: bytes(public_key),
            fee: word(*fee),
            setPrivate: *private,
        }),
        Call::Operator { id, action } => operator_to_sol(*id, *action),
        Call::Operators { ids, action } => operators_to_sol(ids.clone(), action),
        Call::GetVersion => Sol::getVersion(sol::getVersionCall {}),
    }
}

fn operator_to_sol(id: u64, action: OperatorAction) -> Sol {
    use OperatorAction as Act;
    match action {
        Act::Remove => Sol::removeOperator(sol::removeOperatorCall { operatorId: id }),
        Act::DeclareFee(fee) => Sol::declareOperatorFee(sol::declareOperatorFeeCall { operatorId: id, fee: word(fee) }),
        Act::ExecuteFee => Sol::executeOperatorFee(sol::executeOperatorFeeCall { operatorId: id }),
        Act::CancelFee => Sol::cancelDeclaredOperatorFee(sol::cancelDeclaredOperatorFeeCall { operatorId: id }),
        Act::ReduceFee(fee) => Sol::reduceOperatorFee(sol::reduceOperatorFeeCall { operatorId: id, fee: word(fee) }),
        Act::Withdraw(Asset::Eth, amount) => {
            Sol::withdrawOperatorEarnings(sol::withdrawOperatorEarningsCall { operatorId: id, amount: word(amount) })
        }
        Act::Withdraw(Asset::Ssv, amount) => Sol::withdrawOperatorEarningsSSV(sol::withdrawOperatorEarningsSSVCall {
            operatorId: id,
            amount: word(amount),
        }),
        Act::WithdrawAll(Asset::Eth) => {
            Sol::withdrawAllOperatorEarnings(sol::withdrawAllOperatorEarningsCall { operatorId: id })
        }
        Act::WithdrawAll(Asset::Ssv) => {
            Sol::withdrawAllOperatorEarningsSSV(sol::withdrawAllOperatorEarningsSSVCall { operatorId: id })
        }
        Act::WithdrawEverything => {
            Sol::withdrawAllVersionOperatorEarnings(sol::withdrawAllVersionOperatorEarningsCall { operatorId: id })
        }
    }
}

fn operators_to_sol(ids: Vec<u64>, action: &OperatorsAction) -> Sol {
    use OperatorsAction as Act;
    let addresses = |addresses: &[Address]| addresses.iter().map(address).collect();
    match action {
        Act::Whitelist(whitelisted) => Sol::setOperatorsWhitelists(sol::setOperatorsWhitelistsCall {
            operatorIds: ids,
            whitelistAddresses: addresses(whitelisted),
        }),
        Act::Unwhitelist(removed) => Sol::removeOperatorsWhitelists(sol::removeOperatorsWhitelistsCall {
            operatorIds: ids,
            whitelistAddresses: addresses(removed),
        }),
        Act::SetWhitelistingContract(contract) => {
            Sol::setOperatorsWhitelistingContract(sol::setOperatorsWhitelistingContractCall {
                operatorIds: ids,
                whitelistingContract: address(contract),
            })
        }
        Act::RemoveWhitelistingContract => {
            Sol::removeOperatorsWhitelistingContract(sol::removeOperatorsWhitelistingContractCall { operatorIds: ids })
        }
        Act::MakePrivate => {
            Sol::setOperatorsPrivateUnchecked(sol::setOperatorsPrivateUncheckedCall { operatorIds: ids })
        }
        Act::MakePublic => Sol::setOperatorsPublicUnchecked(sol::setOperatorsPublicUncheckedCall { operatorIds: ids }),
    }
}

pub(super) fn from_sol(call: Sol) -> Result<Call, AmountTooLarge> {
    use OperatorAction as Act;
    use OperatorsAction as All;
    let operator = |id: u64, action: Act| Call::Operator { id, action };
    let operators = |ids: Vec<u64>, action: All| Call::Operators { ids, action };
    Ok(match call {
        Sol::registerValidator(call) => Call::Register {
            validators: Registrations::One(call.publicKey.to_vec(), call.sharesData.to_vec()),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
        },
        Sol::bulkRegisterValidator(call) => Call::Register {
            validators: Registrations::Many(unlist(&call.publicKeys), unlist(&call.sharesData)),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
        },
        Sol::removeValidator(call) => Call::Remove {
            keys: Keys::One(call.publicKey.to_vec()),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
        },
        Sol::bulkRemoveValidator(call) => Call::Remove {
            keys: Keys::Many(unlist(&call.publicKeys)),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
        },
        Sol::exitValidator(call) => {
            Call::Exit { keys: Keys::One(call.publicKey.to_vec()), operators: call.operatorIds }
        }
        Sol::bulkExitValidator(call) => {
            Call::Exit { keys: Keys::Many(unlist(&call.publicKeys)), operators: call.operatorIds }
        }
        Sol::deposit(call) => Call::Deposit {
            owner: unaddress(call.clusterOwner),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
        },
        Sol::withdraw(call) => {
            Call::Withdraw { operators: call.operatorIds, amount: wei(call.amount)?, cluster: call.cluster.try_into()? }
        }
        Sol::reactivate(call) => Call::Reactivate { operators: call.operatorIds, cluster: call.cluster.try_into()? },
        Sol::migrateClusterToETH(call) => {
            Call::Migrate { operators: call.operatorIds, cluster: call.cluster.try_into()? }
        }
        Sol::liquidate(call) => Call::Liquidate {
            owner: unaddress(call.clusterOwner),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
            asset: Asset::Eth,
        },
        Sol::liquidateSSV(call) => Call::Liquidate {
            owner: unaddress(call.clusterOwner),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
            asset: Asset::Ssv,
        },
        Sol::updateClusterBalance(call) => Call::UpdateBalance {
            block: call.blockNum,
            owner: unaddress(call.clusterOwner),
            operators: call.operatorIds,
            cluster: call.cluster.try_into()?,
            effective_balance: call.effectiveBalance,
            proof: call.merkleProof.iter().map(|node| node.0).collect(),
        },
        Sol::setFeeRecipientAddress(call) => Call::FeeRecipient(unaddress(call.feeRecipient)),
        Sol::registerOperator(call) => Call::RegisterOperator {
            public_key: call.publicKey.to_vec(),
            fee: wei(call.fee)?,
            private: call.setPrivate,
        },
        Sol::removeOperator(call) => operator(call.operatorId, Act::Remove),
        Sol::declareOperatorFee(call) => operator(call.operatorId, Act::DeclareFee(wei(call.fee)?)),
        Sol::executeOperatorFee(call) => operator(call.operatorId, Act::ExecuteFee),
        Sol::cancelDeclaredOperatorFee(call) => operator(call.operatorId, Act::CancelFee),
        Sol::reduceOperatorFee(call) => operator(call.operatorId, Act::ReduceFee(wei(call.fee)?)),
        Sol::withdrawOperatorEarnings(call) => operator(call.operatorId, Act::Withdraw(Asset::Eth, wei(call.amount)?)),
        Sol::withdrawOperatorEarningsSSV(call) => {
            operator(call.operatorId, Act::Withdraw(Asset::Ssv, wei(call.amount)?))
        }
        Sol::withdrawAllOperatorEarnings(call) => operator(call.operatorId, Act::WithdrawAll(Asset::Eth)),
        Sol::withdrawAllOperatorEarningsSSV(call) => operator(call.operatorId, Act::WithdrawAll(Asset::Ssv)),
        Sol::withdrawAllVersionOperatorEarnings(call) => operator(call.operatorId, Act::WithdrawEverything),
        Sol::setOperatorsWhitelists(call) => {
            operators(call.operatorIds, All::Whitelist(unaddresses(call.whitelistAddresses)))
        }
        Sol::removeOperatorsWhitelists(call) => {
            operators(call.operatorIds, All::Unwhitelist(unaddresses(call.whitelistAddresses)))
        }
        Sol::setOperatorsWhitelistingContract(call) => {
            operators(call.operatorIds, All::SetWhitelistingContract(unaddress(call.whitelistingContract)))
        }
        Sol::removeOperatorsWhitelistingContract(call) => operators(call.operatorIds, All::RemoveWhitelistingContract),
        Sol::setOperatorsPrivateUnchecked(call) => operators(call.operatorIds, All::MakePrivate),
        Sol::setOperatorsPublicUnchecked(call) => operators(call.operatorIds, All::MakePublic),
        Sol::getVersion(_) => Call::GetVersion,
    })
}

pub(super) fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

pub(super) fn list(lists: &[Vec<u8>]) -> Vec<Bytes> {
    lists.iter().map(|one| bytes(one)).collect()
}

pub(super) fn unlist(lists: &[Bytes]) -> Vec<Vec<u8>> {
    lists.iter().map(|one| one.to_vec()).collect()
}

pub(super) fn word(amount: Wei) -> U256 {
    U256::from(amount.get())
}

pub(super) fn address(address: &Address) -> SolAddress {
    SolAddress::from(*address.as_bytes())
}

pub(super) fn unaddress(address: SolAddress) -> Address {
    Address::from_bytes(address.into_array())
}

fn unaddresses(addresses: Vec<SolAddress>) -> Vec<Address> {
    addresses.into_iter().map(unaddress).collect()
}
