//! The calls of the contract, to calldata and back.

use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolInterface};
use dvkey_ceremony::Address;

use super::interface::SsvNetwork::{self as sol, SsvNetworkCalls as Sol};
use super::interface::SsvNetworkV1 as sol_v1;
use super::legacy::LegacyCall;
use super::snapshot::{AmountTooLarge, Snapshot};
use super::wire::{from_sol, to_sol};
use super::{MAX_CALLDATA, Selector, selector_of};
use crate::format::amount::Wei;

/// A call of SSVNetwork 2.0.0.
///
/// Lists and keys are what the calldata holds, lawful or not: this type describes foreign calls, too. Whether the contract
/// would take one is for the workflow to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// registerValidator, bulkRegisterValidator
    Register {
        /// Who.
        validators: Registrations,
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// removeValidator, bulkRemoveValidator
    Remove {
        /// Whose.
        keys: Keys,
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// exitValidator, bulkExitValidator
    Exit {
        /// Whose.
        keys: Keys,
        /// The operator ids.
        operators: Vec<u64>,
    },
    /// deposit; the amount is the value of the transaction
    Deposit {
        /// Whose cluster.
        owner: Address,
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// withdraw
    Withdraw {
        /// The operator ids.
        operators: Vec<u64>,
        /// How much.
        amount: Wei,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// reactivate
    Reactivate {
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// migrateClusterToETH
    Migrate {
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
    },
    /// liquidate, liquidateSSV
    Liquidate {
        /// Whose cluster.
        owner: Address,
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
        /// What the cluster pays with.
        asset: Asset,
    },
    /// updateClusterBalance
    UpdateBalance {
        /// The block of the oracle.
        block: u64,
        /// Whose cluster.
        owner: Address,
        /// The operator ids.
        operators: Vec<u64>,
        /// The snapshot.
        cluster: Snapshot,
        /// Whole ETH.
        effective_balance: u32,
        /// The Merkle proof.
        proof: Vec<[u8; 32]>,
    },
    /// setFeeRecipientAddress
    FeeRecipient(Address),
    /// registerOperator; the key is the ABI encoding of its text
    RegisterOperator {
        /// The ABI encoding of the key text.
        public_key: Vec<u8>,
        /// Per block and 32 ETH.
        fee: Wei,
        /// Whether only whitelisted owners may use it.
        private: bool,
    },
    /// What is done to one operator.
    Operator {
        /// Which.
        id: u64,
        /// What is done.
        action: OperatorAction,
    },
    /// What is done to several operators.
    Operators {
        /// Which.
        ids: Vec<u64>,
        /// What is done.
        action: OperatorsAction,
    },
    /// getVersion
    GetVersion,
}

/// Validators that are registered: key and sharesData.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registrations {
    /// One, by the call for one.
    One(Vec<u8>, Vec<u8>),
    /// A list of keys and a list of sharesData, which a foreign call may have of different lengths.
    Many(Vec<Vec<u8>>, Vec<Vec<u8>>),
}

/// Public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// One, by the call for one.
    One(Vec<u8>),
    /// A list.
    Many(Vec<Vec<u8>>),
}

/// What an operator earns, or a cluster pays, with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// Ether.
    Eth,
    /// The SSV token of version 1.
    Ssv,
}

/// What is done to one operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorAction {
    /// removeOperator
    Remove,
    /// declareOperatorFee: per block and 32 ETH
    DeclareFee(Wei),
    /// executeOperatorFee
    ExecuteFee,
    /// cancelDeclaredOperatorFee
    CancelFee,
    /// reduceOperatorFee: per block and 32 ETH
    ReduceFee(Wei),
    /// withdrawOperatorEarnings, withdrawOperatorEarningsSSV
    Withdraw(Asset, Wei),
    /// withdrawAllOperatorEarnings, withdrawAllOperatorEarningsSSV
    WithdrawAll(Asset),
    /// withdrawAllVersionOperatorEarnings
    WithdrawEverything,
}

/// What is done to several operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorsAction {
    /// setOperatorsWhitelists
    Whitelist(Vec<Address>),
    /// removeOperatorsWhitelists
    Unwhitelist(Vec<Address>),
    /// setOperatorsWhitelistingContract
    SetWhitelistingContract(Address),
    /// removeOperatorsWhitelistingContract
    RemoveWhitelistingContract,
    /// setOperatorsPrivateUnchecked
    MakePrivate,
    /// setOperatorsPublicUnchecked
    MakePublic,
}

/// What calldata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The call.
    pub call: AnyCall,
    /// Whether the bytes are exactly what an encoder makes of it. Others hide bytes that signers are not shown.
    pub canonical: bool,
}

/// A call of the version in use or of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyCall {
    /// Version 2.
    Current(Call),
    /// Version 1: the contract refuses it today.
    Legacy(LegacyCall),
}

/// Why bytes are not a call.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CallError {
    /// Fewer than four bytes.
    #[error("{0} bytes are too few for a call")]
    TooShort(usize),
    /// More than a transaction can carry.
    #[error("{0} bytes are more than a transaction can carry")]
    TooLong(usize),
    /// No function of the contract.
    #[error("0x{} is no function of the SSV contract", hex::encode(.0))]
    UnknownSelector(Selector),
    /// The selector is known, the arguments do not follow.
    #[error("the arguments of {function} cannot be read: {problem}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// What the decoder says.
        problem: String,
    },
    /// Elements of its lists stand on the same bytes: small calldata would become very much in memory.
    #[error("the lists in it are {0} bytes when they are laid out, more than the calldata")]
    Folded(usize),
    /// An amount beyond all ether.
    #[error(transparent)]
    Amount(#[from] AmountTooLarge),
}

impl Decoded {
    /// Reads calldata.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn from_calldata(bytes: &[u8]) -> Result<Self, CallError> {
        let selector = selector_of(bytes).ok_or(CallError::TooShort(bytes.len()))?;
        if bytes.len() > MAX_CALLDATA {
            return Err(CallError::TooLong(bytes.len()));
        }
        let laid_out = laid_out(selector, bytes.get(4..).unwrap_or_default());
        if laid_out > bytes.len() {
            return Err(CallError::Folded(laid_out));
        }
        let (call, encoded) = if LegacyCall::has(selector) {
            let call = LegacyCall::decode(bytes)?;
            let encoded = call.encode();
            (AnyCall::Legacy(call), encoded)
        } else {
            let call = Call::decode(bytes)?;
            let encoded = call.encode();
            (AnyCall::Current(call), encoded)
        };
        Ok(Self { call, canonical: encoded == bytes })
    }
}

/// The bytes of all elements of all `bytes[]` arguments, as far as they can be followed; what cannot be is the decoder's
/// to refuse. An encoder gives every element bytes of its own, so that the sum is less than the calldata.
fn laid_out(selector: Selector, arguments: &[u8]) -> usize {
    let lists: &[usize] = match selector {
        sol::bulkRegisterValidatorCall::SELECTOR | sol_v1::bulkRegisterValidatorCall::SELECTOR => &[0, 2],
        sol::bulkRemoveValidatorCall::SELECTOR | sol::bulkExitValidatorCall::SELECTOR => &[0],
        _ => &[],
    };
    let word = |at: usize| -> Option<usize> {
        let word = arguments.get(at..at.checked_add(32)?)?;
        usize::try_from(U256::from_be_slice(word)).ok()
    };
    let mut sum: usize = 0;
    for list in lists {
        let Some((start, count)) = word(list * 32).and_then(|start| Some((start.checked_add(32)?, word(start)?)))
        else {
            continue;
        };
        for position in 0..count.min(arguments.len() / 32) {
            let length = word(start.saturating_add(position * 32)).and_then(|offset| word(start.checked_add(offset)?));
            sum = sum.saturating_add(length.unwrap_or(0));
        }
    }
    sum
}

impl Call {
    fn decode(bytes: &[u8]) -> Result<Self, CallError> {
        let selector = selector_of(bytes).ok_or(CallError::TooShort(bytes.len()))?;
        let function = Sol::signature_by_selector(selector).ok_or(CallError::UnknownSelector(selector))?;
        let call = Sol::abi_decode(bytes).map_err(|error| CallError::Arguments {
            function,
            problem: error.to_string().chars().take(200).collect(),
        })?;
        Ok(from_sol(call)?)
    }

    /// The calldata: selector and arguments.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_sol(self).abi_encode()
    }

    /// The function's signature, as `exitValidator(bytes,uint64[])`.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        Sol::signature_by_selector(to_sol(self).selector()).unwrap_or_default()
    }

    /// The function's name.
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.signature().split('(').next().unwrap_or_default()
    }

    /// Whether the call may carry ether.
    #[must_use]
    pub fn is_payable(&self) -> bool {
        matches!(self, Self::Register { .. } | Self::Deposit { .. } | Self::Reactivate { .. } | Self::Migrate { .. })
    }

    /// Whether version 1 of the contract has the same call with the same meaning. What is paid there is the SSV token, so
    /// that no call that names an amount means the same.
    #[must_use]
    pub fn is_in_v1(&self) -> bool {
        match self {
            Self::Remove { .. } | Self::Exit { .. } | Self::FeeRecipient(_) | Self::Operators { .. } => true,
            Self::Operator { action, .. } => {
                matches!(action, OperatorAction::Remove | OperatorAction::ExecuteFee | OperatorAction::CancelFee)
            }
            _ => false,
        }
    }

    /// The cluster that a call is about: its operators, and the owner where the call names one.
    #[must_use]
    pub fn cluster(&self) -> Option<(Option<Address>, &[u64])> {
        match self {
            Self::Register { operators, .. }
            | Self::Remove { operators, .. }
            | Self::Exit { operators, .. }
            | Self::Withdraw { operators, .. }
            | Self::Reactivate { operators, .. }
            | Self::Migrate { operators, .. } => Some((None, operators)),
            Self::Deposit { owner, operators, .. }
            | Self::Liquidate { owner, operators, .. }
            | Self::UpdateBalance { owner, operators, .. } => Some((Some(*owner), operators)),
            _ => None,
        }
    }

    /// The snapshot that a call passes.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Register { cluster, .. }
            | Self::Remove { cluster, .. }
            | Self::Withdraw { cluster, .. }
            | Self::Reactivate { cluster, .. }
            | Self::Migrate { cluster, .. }
            | Self::Deposit { cluster, .. }
            | Self::Liquidate { cluster, .. }
            | Self::UpdateBalance { cluster, .. } => Some(cluster),
            _ => None,
        }
    }
}

impl Registrations {
    /// The public keys.
    pub fn public_keys(&self) -> Vec<&[u8]> {
        match self {
            Self::One(key, _) => vec![key],
            Self::Many(keys, _) => keys.iter().map(Vec::as_slice).collect(),
        }
    }

    /// The sharesData.
    pub fn shares_data(&self) -> Vec<&[u8]> {
        match self {
            Self::One(_, shares) => vec![shares],
            Self::Many(_, shares) => shares.iter().map(Vec::as_slice).collect(),
        }
    }
}

impl Keys {
    /// The call for one where there is one.
    #[must_use]
    pub fn of(mut keys: Vec<Vec<u8>>) -> Self {
        match keys.pop() {
            Some(only) if keys.is_empty() => Self::One(only),
            Some(last) => {
                keys.push(last);
                Self::Many(keys)
            }
            None => Self::Many(keys),
        }
    }

    /// The public keys.
    pub fn all(&self) -> Vec<&[u8]> {
        match self {
            Self::One(key) => vec![key],
            Self::Many(keys) => keys.iter().map(Vec::as_slice).collect(),
        }
    }
}
