//! The networks that have an SSV contract, and their facts.

use std::fmt;
use std::str::FromStr;

use dvkey_ceremony::ForkVersion;

/// An Ethereum network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Ethereum itself.
    Mainnet,
    /// The testnet for validators.
    Hoodi,
    /// The testnet for applications.
    Sepolia,
    /// A retired testnet.
    Holesky,
}

/// A name that is no network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a network; there are mainnet, hoodi, sepolia, holesky")]
pub struct UnknownNetwork(pub String);

impl Network {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Hoodi, Self::Sepolia, Self::Holesky];

    /// The name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Hoodi => "hoodi",
            Self::Sepolia => "sepolia",
            Self::Holesky => "holesky",
        }
    }

    /// The EIP-155 chain id.
    #[must_use]
    pub fn chain_id(self) -> u64 {
        match self {
            Self::Mainnet => 1,
            Self::Hoodi => 560_048,
            Self::Sepolia => 11_155_111,
            Self::Holesky => 17_000,
        }
    }

    /// The genesis fork version, under which deposits are signed.
    #[must_use]
    pub fn genesis_fork_version(self) -> ForkVersion {
        ForkVersion::from_bytes(match self {
            Self::Mainnet => [0x00, 0x00, 0x00, 0x00],
            Self::Hoodi => [0x10, 0x00, 0x09, 0x10],
            Self::Sepolia => [0x90, 0x00, 0x00, 0x69],
            Self::Holesky => [0x01, 0x01, 0x70, 0x00],
        })
    }

    /// The network with this genesis fork version.
    #[must_use]
    pub fn of_fork(fork: ForkVersion) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.genesis_fork_version() == fork)
    }

    /// The address of the SSVNetwork contract, with its EIP-55 checksum.
    #[must_use]
    pub fn ssv_contract(self) -> &'static str {
        match self {
            Self::Mainnet => "0xDD9BC35aE942eF0cFa76930954a156B3fF30a4E1",
            Self::Hoodi => "0x58410Bef803ECd7E63B23664C586A6DB72DAf59c",
            Self::Sepolia => "0x261419B48F36EdF420743E9f91bABF4856e76f99",
            Self::Holesky => "0x38A4794cCEd47d3baf7370CcC43B560D3a1beEFA",
        }
    }

    /// Whether the contract there is version 2, the one that takes registrations with ETH.
    #[must_use]
    pub fn has_v2_contract(self) -> bool {
        matches!(self, Self::Mainnet | Self::Hoodi)
    }
}

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|network| network.name() == text);
        named.ok_or_else(|| UnknownNetwork(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dvkey_ceremony::Address;

    #[test]
    fn addresses_carry_their_checksum() {
        for network in Network::ALL {
            let address: Address = network.ssv_contract().parse().unwrap();
            assert_eq!(address.to_checksum(), network.ssv_contract());
            assert_eq!(network.name().parse(), Ok(network));
            assert_eq!(Network::of_fork(network.genesis_fork_version()), Some(network));
        }
        assert!("Mainnet".parse::<Network>().is_err());
        assert!("goerli".parse::<Network>().is_err());
    }
}
