//! Deposit: validator keys sign where their stake is paid to; the file is judged from disk before it appears.

mod execute;
mod preset;

pub use execute::{Done, Event, ExecuteError, Ports, execute};
pub use preset::{Preset, lido_withdrawal_vault};

use dvkey_ceremony::{Address, Gwei, WithdrawalCredentials};

use crate::format::deposit;
use crate::format::network::Network;
use crate::format::watermark::is_nobody;
use crate::workflow::inventory::{FoundKeystore, Inventory, Stray};
use crate::workflow::verify::deposit::{LEAST, MOST, MOST_NOT_COMPOUNDING};

/// Which withdrawal credentials, by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsType {
    /// 0x01: up to 32 ETH count.
    Execution,
    /// 0x02: up to 2048 ETH count.
    Compounding,
}

impl CredentialsType {
    /// `0x01` or `0x02`.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Execution => "0x01",
            Self::Compounding => "0x02",
        }
    }

    /// The most that counts.
    #[must_use]
    pub fn most(self) -> Gwei {
        match self {
            Self::Execution => MOST_NOT_COMPOUNDING,
            Self::Compounding => MOST,
        }
    }
}

/// What somebody wants. What a preset decides may be left out.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Where the deposits will be made.
    pub network: Network,
    /// The protocol that the validators are for.
    pub preset: Option<Preset>,
    /// The account that is paid.
    pub withdrawal: Option<Address>,
    /// The type of the credentials.
    pub credentials: Option<CredentialsType>,
    /// How much each deposit is.
    pub amount: Option<Gwei>,
}

/// What will be signed, for every keystore alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Where the deposits will be made.
    pub network: Network,
    /// Whom the stake is paid to.
    pub credentials: WithdrawalCredentials,
    /// That account.
    pub address: Address,
    /// How much each deposit is.
    pub amount: Gwei,
}

/// What will be made: nothing in it changes any more, and nothing in it is secret.
#[derive(Debug)]
pub struct Plan {
    /// What will be signed.
    pub terms: Terms,
    /// The keystores.
    pub keystores: Vec<FoundKeystore>,
    /// What else was found and is left alone.
    pub strays: Vec<Stray>,
    /// The name of the file that is written.
    pub file_name: String,
}

/// Why there are no terms that could be signed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TermsError {
    /// Nobody said whom the stake is paid to.
    #[error("the withdrawal address is missing")]
    NoWithdrawal,
    /// The zero address.
    #[error("the withdrawal address is the zero address: everything withdrawn would be lost")]
    ZeroAddress,
    /// The account of rehearsals.
    #[error("the withdrawal address is that of rehearsals, which nobody has: everything withdrawn would be lost")]
    NobodysAddress,
    /// The protocol has no contract on this network.
    #[error("{preset} has no withdrawal vault on {network}")]
    NotThere {
        /// The protocol.
        preset: &'static str,
        /// The network.
        network: Network,
    },
    /// The protocol's contract is another account.
    #[error("{preset} wants the withdrawal address {wanted}, --withdrawal is {given}")]
    OtherAddress {
        /// The protocol.
        preset: &'static str,
        /// What it wants.
        wanted: Address,
        /// What was given.
        given: Address,
    },
    /// Lido's vault, of another network.
    #[error("{address} is Lido's withdrawal vault on {of}, not on {network}")]
    OtherNetworksVault {
        /// The address.
        address: Address,
        /// Whose it is.
        of: Network,
        /// What was asked for.
        network: Network,
    },
    /// The protocol takes another type of credentials.
    #[error("{preset} takes {} credentials only, not {}", wanted.prefix(), given.prefix())]
    OtherType {
        /// The protocol.
        preset: &'static str,
        /// What it takes.
        wanted: CredentialsType,
        /// What was given.
        given: CredentialsType,
    },
    /// The protocol takes another amount.
    #[error("{preset} takes deposits of {wanted} only, not {given}")]
    OtherAmount {
        /// The protocol.
        preset: &'static str,
        /// What it takes.
        wanted: Gwei,
        /// What was given.
        given: Gwei,
    },
    /// The protocol deposits in parts of its own, so that the amount has no default.
    #[error("{0} deposits in parts; say which one")]
    NoAmount(&'static str),
    /// The protocol deposits in parts, and this is the whole or more.
    #[error("{preset} deposits in two parts, and {given} is neither of them")]
    NoPart {
        /// The preset.
        preset: &'static str,
        /// What was asked for.
        given: Gwei,
    },
    /// Less than the deposit contract takes.
    #[error("{0} is less than the 1 ETH that the deposit contract takes")]
    TooLittle(Gwei),
    /// More than counts.
    #[error("{given} is more than the {} that count with {} credentials", credentials.most(), credentials.prefix())]
    TooMuch {
        /// The amount.
        given: Gwei,
        /// The type of the credentials.
        credentials: CredentialsType,
    },
}

/// Settles what will be signed: what was said, what the preset says, and the defaults (0x01, 32 ETH) for the rest.
///
/// # Errors
/// [`TermsError`] for what is missing, unlawful, or contradicts itself.
pub fn terms(request: &Request) -> Result<Terms, TermsError> {
    let network = request.network;
    let address = match request.preset {
        Some(preset) => preset.address(network, request.withdrawal)?,
        None => request.withdrawal.ok_or(TermsError::NoWithdrawal)?,
    };
    if address.is_zero() {
        return Err(TermsError::ZeroAddress);
    }
    if is_nobody(&address) {
        return Err(TermsError::NobodysAddress);
    }
    let vault_of = |of: &Network| *of != network && lido_withdrawal_vault(*of) == Some(address);
    if let Some(of) = Network::ALL.into_iter().find(vault_of) {
        return Err(TermsError::OtherNetworksVault { address, of, network });
    }
    let kind = match request.preset {
        Some(preset) => preset.credentials(request.credentials)?,
        None => request.credentials.unwrap_or(CredentialsType::Execution),
    };
    let amount = match request.preset {
        Some(preset) => preset.amount(request.amount)?,
        None => request.amount.unwrap_or(MOST_NOT_COMPOUNDING),
    };
    if amount < LEAST {
        return Err(TermsError::TooLittle(amount));
    }
    if amount > kind.most() {
        return Err(TermsError::TooMuch { given: amount, credentials: kind });
    }
    let credentials = match kind {
        CredentialsType::Execution => WithdrawalCredentials::Execution(address),
        CredentialsType::Compounding => WithdrawalCredentials::Compounding(address),
    };
    Ok(Terms { network, credentials, address, amount })
}

/// Fixes the keystores and the name of the file, which bears the time as deposit-cli's does.
#[must_use]
pub fn plan(terms: Terms, inventory: Inventory, unix_seconds: u64) -> Plan {
    Plan {
        terms,
        keystores: inventory.keystores,
        strays: inventory.strays,
        file_name: deposit::file_name(unix_seconds),
    }
}

impl Plan {
    /// All deposits together, in Gwei.
    #[must_use]
    pub fn total(&self) -> Gwei {
        Gwei::new(self.terms.amount.get().saturating_mul(self.keystores.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: [u8; 20] = [0xab; 20];

    fn request() -> Request {
        Request {
            network: Network::Hoodi,
            preset: None,
            withdrawal: Some(Address::from_bytes(MINE)),
            credentials: None,
            amount: None,
        }
    }

    #[test]
    fn defaults_are_0x01_and_32_ether_and_an_address_has_none() {
        let address = Address::from_bytes(MINE);
        let wanted = Terms {
            network: Network::Hoodi,
            credentials: WithdrawalCredentials::Execution(address),
            address,
            amount: Gwei::from_ether(32),
        };
        assert_eq!(terms(&request()), Ok(wanted));
        assert_eq!(terms(&Request { withdrawal: None, ..request() }), Err(TermsError::NoWithdrawal));
        let zero = Request { withdrawal: Some(Address::from_bytes([0; 20])), ..request() };
        assert_eq!(terms(&zero), Err(TermsError::ZeroAddress));
    }

    #[test]
    fn amounts_have_bounds() {
        let with = |ether: u64, less: u64, credentials| {
            let amount = Gwei::new(Gwei::from_ether(ether).get() - less);
            terms(&Request { amount: Some(amount), credentials: Some(credentials), ..request() })
        };
        for credentials in [CredentialsType::Execution, CredentialsType::Compounding] {
            let most = credentials.most().get() / Gwei::ETHER.get();
            for ether in [1, 31, 32, most] {
                assert_eq!(with(ether, 0, credentials).unwrap().amount, Gwei::from_ether(ether));
            }
            assert!(matches!(with(1, 1, credentials), Err(TermsError::TooLittle(_))));
            assert!(matches!(with(most + 1, 999_999_999, credentials), Err(TermsError::TooMuch { .. })));
        }
    }

    #[test]
    fn presets_set_what_they_know_and_refuse_contradictions() {
        let vault = lido_withdrawal_vault(Network::Mainnet).unwrap();
        let lido = Request { preset: Some(Preset::LidoCsm), network: Network::Mainnet, withdrawal: None, ..request() };
        let settled = terms(&lido).unwrap();
        assert_eq!(settled.credentials, WithdrawalCredentials::Execution(vault));
        assert_eq!(settled.amount, Gwei::from_ether(32));
        assert_eq!(terms(&Request { withdrawal: Some(vault), ..lido }), Ok(settled));
        let other = Request { withdrawal: Some(Address::from_bytes(MINE)), ..lido };
        assert!(matches!(terms(&other), Err(TermsError::OtherAddress { .. })));
        let compounding = Request { credentials: Some(CredentialsType::Compounding), ..lido };
        assert!(matches!(terms(&compounding), Err(TermsError::OtherType { .. })));
        assert!(matches!(terms(&Request { amount: Some(Gwei::ETHER), ..lido }), Err(TermsError::OtherAmount { .. })));
        let nowhere = Request { network: Network::Sepolia, ..lido };
        assert!(matches!(terms(&nowhere), Err(TermsError::NotThere { .. })));
        // With or without the preset: mainnet's vault is nobody's account on a testnet.
        for preset in [None, Some(Preset::EigenPod(vault))] {
            let wrong = Request { preset, network: Network::Hoodi, withdrawal: Some(vault), ..request() };
            assert!(matches!(terms(&wrong), Err(TermsError::OtherNetworksVault { of: Network::Mainnet, .. })));
        }
    }

    #[test]
    fn presets_with_an_address_take_it_and_no_other() {
        let pod = Address::from_bytes([0xcd; 20]);
        for preset in [Preset::StakewiseVault(pod), Preset::EigenPod(pod)] {
            let settled = terms(&Request { preset: Some(preset), withdrawal: None, ..request() }).unwrap();
            assert_eq!(settled.credentials, WithdrawalCredentials::Execution(pod));
            let request = Request { preset: Some(preset), withdrawal: None, ..request() };
            let compounding = Request { credentials: Some(CredentialsType::Compounding), ..request };
            assert_eq!(terms(&compounding).unwrap().credentials, WithdrawalCredentials::Compounding(pod));
            let other = Request { withdrawal: Some(Address::from_bytes(MINE)), ..request };
            assert!(matches!(terms(&other), Err(TermsError::OtherAddress { .. })));
        }
        let minipool = Request { preset: Some(Preset::RocketpoolMinipool(pod)), withdrawal: None, ..request() };
        assert!(matches!(terms(&minipool), Err(TermsError::NoAmount(_))));
        let whole = Request { amount: Some(MOST_NOT_COMPOUNDING), ..minipool };
        assert!(matches!(terms(&whole), Err(TermsError::NoPart { .. })));
        let first = Request { amount: Some(Gwei::ETHER), ..minipool };
        assert_eq!(terms(&first).unwrap().credentials, WithdrawalCredentials::Execution(pod));
        let compounding = Request { credentials: Some(CredentialsType::Compounding), ..first };
        assert!(matches!(terms(&compounding), Err(TermsError::OtherType { .. })));
    }
}
