//! Protocols that want certain withdrawal credentials, and what they want.

use dvkey_ceremony::{Address, Gwei};

use super::{CredentialsType, TermsError};
use crate::format::network::Network;
use crate::workflow::verify::deposit::MOST_NOT_COMPOUNDING;

/// What a deposit is for, where that decides its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Lido's Community Staking Module: Lido's withdrawal vault of the network, 0x01, 32 ETH.
    LidoCsm,
    /// A vault of StakeWise V3: the vault is paid.
    StakewiseVault(Address),
    /// A minipool of Rocket Pool: the minipool is paid, 0x01; it deposits itself, in two parts.
    RocketpoolMinipool(Address),
    /// An EigenPod: the pod is paid.
    EigenPod(Address),
}

/// Lido's withdrawal vault (docs.lido.fi, "Deployed contracts"), where Lido has one.
#[must_use]
pub fn lido_withdrawal_vault(network: Network) -> Option<Address> {
    let text = match network {
        Network::Mainnet => "0xB9D7934878B5FB9610B3fE8A5e441e8fad7E293f",
        Network::Hoodi => "0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2",
        Network::Holesky => "0xF0179dEC45a37423EAD4FaD5fCb136197872EAd9",
        Network::Sepolia => return None,
    };
    text.parse().ok()
}

impl Preset {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LidoCsm => "lido-csm",
            Self::StakewiseVault(_) => "stakewise-vault",
            Self::RocketpoolMinipool(_) => "rocketpool-minipool",
            Self::EigenPod(_) => "eigenpod",
        }
    }

    /// What it sets and why, one line each.
    #[must_use]
    pub fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::LidoCsm => &[
                "withdrawal to Lido's vault of this network: the stake is Lido's, not yours",
                "0x01 and 32 ETH, as the Community Staking Module takes them",
                "the fee recipient of these validators must be Lido's, too; it is set in the client",
            ],
            Self::StakewiseVault(_) => &[
                "withdrawal to the vault: the stake is the depositors'",
                "0x01 unless --type says otherwise; see which types your version of the vault takes",
            ],
            Self::RocketpoolMinipool(_) => &[
                "withdrawal to the minipool, 0x01: the stake is shared out by its contract",
                "no default amount: the minipool deposits itself, in two parts, and each has its own signature",
            ],
            Self::EigenPod(_) => &[
                "withdrawal to the pod, which restakes it",
                "the pod is no fee recipient: set an account of your own there",
            ],
        }
    }

    pub(super) fn address(self, network: Network, given: Option<Address>) -> Result<Address, TermsError> {
        let preset = self.name();
        let wanted = match self {
            Self::LidoCsm => lido_withdrawal_vault(network).ok_or(TermsError::NotThere { preset, network })?,
            Self::StakewiseVault(address) | Self::RocketpoolMinipool(address) | Self::EigenPod(address) => address,
        };
        match given {
            Some(given) if given != wanted => Err(TermsError::OtherAddress { preset, wanted, given }),
            _ => Ok(wanted),
        }
    }

    pub(super) fn credentials(self, given: Option<CredentialsType>) -> Result<CredentialsType, TermsError> {
        let only = matches!(self, Self::LidoCsm | Self::RocketpoolMinipool(_));
        match given {
            Some(given @ CredentialsType::Compounding) if only => {
                Err(TermsError::OtherType { preset: self.name(), wanted: CredentialsType::Execution, given })
            }
            given => Ok(given.unwrap_or(CredentialsType::Execution)),
        }
    }

    pub(super) fn amount(self, given: Option<Gwei>) -> Result<Gwei, TermsError> {
        let preset = self.name();
        let usual = MOST_NOT_COMPOUNDING;
        match (self, given) {
            (Self::LidoCsm, Some(given)) if given != usual => {
                Err(TermsError::OtherAmount { preset, wanted: usual, given })
            }
            (Self::RocketpoolMinipool(_), None) => Err(TermsError::NoAmount(preset)),
            // A signature over the whole fits neither of the two deposits that the contract makes.
            (Self::RocketpoolMinipool(_), Some(given)) if given >= usual => Err(TermsError::NoPart { preset, given }),
            (_, given) => Ok(given.unwrap_or(usual)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vaults_carry_their_checksum() {
        for network in Network::ALL {
            assert_eq!(lido_withdrawal_vault(network).is_some(), network != Network::Sepolia);
        }
    }
}
