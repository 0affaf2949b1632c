//! What the contract says when it refuses: revert data to a name and its arguments.

use alloy_primitives::U256;
use alloy_sol_types::{Panic, Revert as SolRevert, SolError, SolInterface};
use dvkey_ceremony::Address;

use super::interface::SsvNetwork::{self as sol, SsvNetworkErrors as Sol};
use super::wire::unaddress;
use super::{MAX_CALLDATA, Selector, selector_of};

/// A refusal by the contract, or by the EVM on its behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revert {
    /// An error of the contract by its name, with what it names.
    Named(&'static str, Subject),
    /// `require` with a text.
    Text(String),
    /// A check of the compiler: 0x11 is an overflow, 0x32 an index out of range.
    Panic(U256),
}

/// What an error names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing.
    Nothing,
    /// A validator public key.
    Validator(Vec<u8>),
    /// An operator.
    Operator(u64),
    /// Who called, and who would have to.
    Caller {
        /// Who called.
        caller: Address,
        /// Who owns it.
        owner: Address,
    },
    /// A version or the number of a module.
    Number(u8),
}

/// Why bytes are not revert data of the contract.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RevertError {
    /// Fewer than four bytes, or more than any error has.
    #[error("{0} bytes are no error of the SSV contract")]
    Length(usize),
    /// No error of the contract.
    #[error("0x{} is no error of the SSV contract", hex::encode(.0))]
    UnknownSelector(Selector),
    /// The selector is known, the arguments do not follow.
    #[error("the arguments of {0} cannot be read")]
    Arguments(&'static str),
}

impl Revert {
    /// Whether a selector is one of an error.
    #[must_use]
    pub fn has(selector: Selector) -> bool {
        Sol::valid_selector(selector) || selector == SolRevert::SELECTOR || selector == Panic::SELECTOR
    }

    /// Reads revert data.
    ///
    /// # Errors
    /// [`RevertError`].
    pub fn decode(data: &[u8]) -> Result<Self, RevertError> {
        let selector = selector_of(data).filter(|_| data.len() <= MAX_CALLDATA);
        let selector = selector.ok_or(RevertError::Length(data.len()))?;
        if selector == SolRevert::SELECTOR {
            let text = SolRevert::abi_decode(data).map_err(|_| RevertError::Arguments("Error"))?;
            return Ok(Self::Text(text.reason));
        }
        if selector == Panic::SELECTOR {
            let panic = Panic::abi_decode(data).map_err(|_| RevertError::Arguments("Panic"))?;
            return Ok(Self::Panic(panic.code));
        }
        let name = Sol::name_by_selector(selector).ok_or(RevertError::UnknownSelector(selector))?;
        let error = Sol::abi_decode(data).map_err(|_| RevertError::Arguments(name))?;
        Ok(Self::Named(name, subject(&error)))
    }
}

fn subject(error: &Sol) -> Subject {
    match error {
        Sol::ValidatorAlreadyExistsWithData(sol::ValidatorAlreadyExistsWithData { publicKey })
        | Sol::IncorrectValidatorStateWithData(sol::IncorrectValidatorStateWithData { publicKey }) => {
            Subject::Validator(publicKey.to_vec())
        }
        Sol::CallerNotWhitelistedWithData(sol::CallerNotWhitelistedWithData { operatorId })
        | Sol::ExceedValidatorLimitWithData(sol::ExceedValidatorLimitWithData { operatorId }) => {
            Subject::Operator(*operatorId)
        }
        Sol::CallerNotOwnerWithData(error) => {
            Subject::Caller { caller: unaddress(error.caller), owner: unaddress(error.owner) }
        }
        Sol::IncorrectOperatorVersion(error) => Subject::Number(error.operatorVersion),
        Sol::TargetModuleDoesNotExistWithData(error) => Subject::Number(error.moduleId),
        _ => Subject::Nothing,
    }
}
