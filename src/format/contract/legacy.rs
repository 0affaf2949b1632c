//! The calls of contract version 1, recognised so that nobody signs them: version 2 refuses them.

use alloy_sol_types::SolInterface;
use dvkey_ceremony::Address;

use super::call::{CallError, Registrations};
use super::interface::SsvNetworkV1::{self as sol, SsvNetworkV1Calls as Sol};
use super::snapshot::{AmountTooLarge, Snapshot, wei};
use super::wire::{address, bytes, list, unaddress, unlist, word};
use super::{Selector, selector_of};
use crate::format::amount::Wei;

/// A call of version 1 with the amount of SSV that it carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyCall {
    /// What was asked for.
    pub action: LegacyAction,
    /// The operators.
    pub operators: Vec<u64>,
    /// The amount of SSV, in units of 10^-18.
    pub amount: Wei,
    /// The snapshot.
    pub cluster: Snapshot,
}

/// What a call of version 1 asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyAction {
    /// registerValidator, bulkRegisterValidator
    Register(Registrations),
    /// deposit
    Deposit(Address),
    /// reactivate
    Reactivate,
}

impl LegacyCall {
    /// Whether a selector belongs to version 1 alone.
    #[must_use]
    pub fn has(selector: Selector) -> bool {
        Sol::valid_selector(selector)
    }

    pub(super) fn decode(calldata: &[u8]) -> Result<Self, CallError> {
        let selector = selector_of(calldata).ok_or(CallError::TooShort(calldata.len()))?;
        let function = Sol::signature_by_selector(selector).ok_or(CallError::UnknownSelector(selector))?;
        let call = Sol::abi_decode(calldata).map_err(|error| CallError::Arguments {
            function,
            problem: error.to_string().chars().take(200).collect(),
        })?;
        Ok(from_sol(call)?)
    }

    /// The calldata, for comparison only: nothing writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.to_sol().abi_encode()
    }

    /// The function's signature.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        Sol::signature_by_selector(self.to_sol().selector()).unwrap_or_default()
    }

    fn to_sol(&self) -> Sol {
        let (operator_ids, amount, cluster) = (self.operators.clone(), word(self.amount), self.cluster.into());
        match &self.action {
            LegacyAction::Register(Registrations::One(key, shares)) => {
                Sol::registerValidator(sol::registerValidatorCall {
                    publicKey: bytes(key),
                    operatorIds: operator_ids,
                    sharesData: bytes(shares),
                    amount,
                    cluster,
                })
            }
            LegacyAction::Register(Registrations::Many(keys, shares)) => {
                Sol::bulkRegisterValidator(sol::bulkRegisterValidatorCall {
                    publicKeys: list(keys),
                    operatorIds: operator_ids,
                    sharesData: list(shares),
                    amount,
                    cluster,
                })
            }
            LegacyAction::Deposit(owner) => Sol::deposit(sol::depositCall {
                clusterOwner: address(owner),
                operatorIds: operator_ids,
                amount,
                cluster,
            }),
            LegacyAction::Reactivate => {
                Sol::reactivate(sol::reactivateCall { operatorIds: operator_ids, amount, cluster })
            }
        }
    }
}

fn from_sol(call: Sol) -> Result<LegacyCall, AmountTooLarge> {
    let (action, operators, amount, cluster) = match call {
        Sol::registerValidator(call) => {
            let one = Registrations::One(call.publicKey.to_vec(), call.sharesData.to_vec());
            (LegacyAction::Register(one), call.operatorIds, call.amount, call.cluster)
        }
        Sol::bulkRegisterValidator(call) => {
            let many = Registrations::Many(unlist(&call.publicKeys), unlist(&call.sharesData));
            (LegacyAction::Register(many), call.operatorIds, call.amount, call.cluster)
        }
        Sol::deposit(call) => {
            (LegacyAction::Deposit(unaddress(call.clusterOwner)), call.operatorIds, call.amount, call.cluster)
        }
        Sol::reactivate(call) => (LegacyAction::Reactivate, call.operatorIds, call.amount, call.cluster),
    };
    Ok(LegacyCall { action, operators, amount: wei(amount)?, cluster: cluster.try_into()? })
}
