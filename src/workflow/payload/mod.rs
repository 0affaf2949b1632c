//! Payload: what an account has to send to the contract, built, checked against the contract's own rules, written, and
//! decoded again from what was written.

pub mod chunk;
pub mod costs;
pub mod describe;
pub mod preflight;
pub mod register;
pub mod write;

use dvkey_ceremony::Address;

use crate::format::amount::Wei;
use crate::format::contract::call::Call;
use crate::format::network::Network;

/// One transaction to be sent: nothing in it changes any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Where.
    pub network: Network,
    /// What is called.
    pub call: Call,
    /// The ether that goes with it.
    pub value: Wei,
}

impl Payload {
    /// The contract that is called.
    #[must_use]
    pub fn to(&self) -> Address {
        contract_of(self.network)
    }
}

/// The address of a network's contract.
#[must_use]
pub fn contract_of(network: Network) -> Address {
    // The addresses are constants with a checksum, which a test of the module proves; none is the zero address.
    network.ssv_contract().parse().unwrap_or(Address::from_bytes([0; 20]))
}

/// The network whose contract has this address.
#[must_use]
pub fn network_of(contract: Address) -> Option<Network> {
    Network::ALL.into_iter().find(|network| contract_of(*network) == contract)
}
