//! One file for each command: arguments in, workflow, rendering out.

pub(super) mod about;
pub(super) mod batch;
pub(super) mod ceremony;
pub(super) mod deposit;
pub(super) mod inspect;
mod oddities;
pub(super) mod open;
pub(super) mod recover;
pub(super) mod split;
pub(super) mod tx;
mod unlock;
pub(super) mod verify;

use std::path::Path;

use dvkey_ceremony::address::AddressError;
use dvkey_ceremony::{Address, Gwei, Nonce, WithdrawalCredentials};

use super::codes::Code;
use super::report::Failure;
use crate::crypto::digest::Sha256Digest;
use crate::format::amount::{self, AmountError};
use crate::format::operators::{self, OperatorList, WRAPS_ELSEWHERE};
use crate::store::read::{Source, read_bounded};
use crate::workflow::verify::deposit::Withdrawal;

/// Reads an owner address as it was typed.
fn parse_owner(text: &str) -> Result<Address, Failure> {
    let owner: Address = text.parse().map_err(|error| Failure::owner(&error))?;
    if owner.is_zero() {
        return Err(Failure::new(Code::OwnerZero, "the owner is the zero address, which nobody can register with"));
    }
    Ok(owner)
}

/// Reads whom stake should be paid to: an address, or the 32 bytes of withdrawal credentials.
fn parse_withdrawal(text: &str) -> Result<Withdrawal, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() == 64 {
        let bytes = hex::decode(digits).map_err(|_| {
            Failure::new(Code::DepositAddress, "withdrawal credentials are 0x and 64 hexadecimal digits")
        })?;
        let credentials = WithdrawalCredentials::from_bytes(&bytes)
            .map_err(|error| Failure::new(Code::DepositAddress, error.to_string()))?;
        return Ok(Withdrawal::Credentials(credentials));
    }
    parse_withdrawal_address(text).map(Withdrawal::Address)
}

/// Reads the account that stake is paid to.
fn parse_withdrawal_address(text: &str) -> Result<Address, Failure> {
    let address: Address = text.parse().map_err(|error: AddressError| match error {
        AddressError::Form => {
            Failure::new(Code::DepositAddress, format!("the withdrawal address is no address: {error}"))
        }
        AddressError::Checksum { .. } => Failure::new(Code::DepositAddress, error.to_string())
            .hint("copy the address again; type it in lower case only if you are sure of every digit"),
    })?;
    match address.is_zero() {
        true => Err(Failure::new(Code::DepositAddress, "the withdrawal address is the zero address")),
        false => Ok(address),
    }
}

/// Reads an amount of the beacon chain with its unit.
fn parse_amount(text: &str) -> Result<Gwei, Failure> {
    amount::parse_gwei(text).map_err(|error| {
        let failure = Failure::new(Code::DepositAmount, error.to_string());
        match error {
            AmountError::NoUnit(number) => failure.hint(format!("write {number}ether for so many ether")),
            _ => failure,
        }
    })
}

/// Reads a nonce: plain decimal, no sign, no exponent, no leading zero.
fn parse_nonce(text: &str) -> Result<Nonce, Failure> {
    let form = || {
        let shown: String = text.chars().take(40).collect();
        Failure::new(Code::NonceForm, format!("{shown:?} is not a nonce; a nonce is a plain number from 0 to 65535"))
    };
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if text.is_empty() || !canonical {
        return Err(form());
    }
    let number: u64 = text.parse().unwrap_or(u64::MAX);
    Nonce::try_from(number).map_err(|error| match number {
        u64::MAX => form(),
        _ => Failure::new(Code::NonceTooLarge, error.to_string()),
    })
}

/// Reads a list of operators, with the name and the digest of its file.
fn read_operators(path: &Path) -> Result<(OperatorList, String, Sha256Digest), Failure> {
    let source = Source::from_arg(path);
    let bytes = read_bounded(&source, operators::MAX_BYTES)
        .map_err(|error| Failure::read(Code::OperatorsUnreadable, &error))?;
    let list = OperatorList::parse(&bytes)
        .map_err(|error| Failure::operators(&error).cause(format!("file: {}", path.display())))?;
    let name = path.file_name().map_or_else(|| source.to_string(), |name| name.to_string_lossy().into_owned());
    Ok((list, name, Sha256Digest::of(&bytes)))
}

/// Which ids other tools of the field would read as another number, if any.
fn wrapping_ids(ids: impl Iterator<Item = u64>) -> Option<String> {
    let wrapping: Vec<_> = ids.filter(|id| *id >= WRAPS_ELSEWHERE).map(|id| id.to_string()).collect();
    (!wrapping.is_empty()).then(|| wrapping.join(", "))
}
