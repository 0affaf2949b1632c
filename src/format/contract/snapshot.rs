//! The cluster snapshot that a call passes back to the contract, and the hashes under which the contract knows it.

use alloy_primitives::{U256, keccak256};
use dvkey_ceremony::{Address, OperatorId};

use super::interface::{SsvNetwork, SsvNetworkV1};
use crate::format::amount::Wei;

/// What the contract keeps of a cluster, as the last event about it said it. The contract stores a hash of it only, so
/// that every call about the cluster has to bring the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many validators.
    pub validator_count: u32,
    /// The network fee index at the last settlement.
    pub network_fee_index: u64,
    /// The operators' cumulative fee index at the last settlement.
    pub index: u64,
    /// Whether it is not liquidated.
    pub active: bool,
    /// The balance at the last settlement.
    pub balance: Wei,
}

/// A balance that is more than all ether.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the amount {0} is more ether than can be")]
pub struct AmountTooLarge(pub U256);

impl Snapshot {
    /// A cluster that is not there yet: `(0,0,0,true,0)`.
    pub const NEW: Self = Self { validator_count: 0, network_fee_index: 0, index: 0, active: true, balance: Wei::ZERO };

    /// keccak256(validatorCount uint32 || networkFeeIndex uint64 || index uint64 || balance uint256 || active bool): the
    /// value that the contract stores. The balance comes before the flag, other than in the tuple.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut packed = Vec::with_capacity(4 + 8 + 8 + 32 + 1);
        packed.extend(self.validator_count.to_be_bytes());
        packed.extend(self.network_fee_index.to_be_bytes());
        packed.extend(self.index.to_be_bytes());
        packed.extend(U256::from(self.balance.get()).to_be_bytes::<32>());
        packed.push(u8::from(self.active));
        keccak256(packed).0
    }
}

/// keccak256(owner || each operator id padded to 32 bytes): the key under which the contract stores a cluster.
#[must_use]
pub fn cluster_id(owner: Address, operators: &[OperatorId]) -> [u8; 32] {
    let mut packed = owner.as_bytes().to_vec();
    for id in operators {
        packed.extend([0; 24]);
        packed.extend(id.get().to_be_bytes());
    }
    keccak256(packed).0
}

/// Wei of a word.
pub(super) fn wei(amount: U256) -> Result<Wei, AmountTooLarge> {
    u128::try_from(amount).map(Wei::new).map_err(|_| AmountTooLarge(amount))
}

macro_rules! converts {
    ($solidity:ty) => {
        impl From<Snapshot> for $solidity {
            fn from(snapshot: Snapshot) -> Self {
                Self {
                    validatorCount: snapshot.validator_count,
                    networkFeeIndex: snapshot.network_fee_index,
                    index: snapshot.index,
                    active: snapshot.active,
                    balance: U256::from(snapshot.balance.get()),
                }
            }
        }

        impl TryFrom<$solidity> for Snapshot {
            type Error = AmountTooLarge;

            fn try_from(cluster: $solidity) -> Result<Self, AmountTooLarge> {
                Ok(Self {
                    validator_count: cluster.validatorCount,
                    network_fee_index: cluster.networkFeeIndex,
                    index: cluster.index,
                    active: cluster.active,
                    balance: wei(cluster.balance)?,
                })
            }
        }
    };
}

converts!(SsvNetwork::Cluster);
converts!(SsvNetworkV1::Cluster);
