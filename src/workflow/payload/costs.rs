//! Whether a cluster could be liquidated: the contract's arithmetic, for those who know the fees.

use crate::format::amount::Wei;

/// Fees are kept by the contract in units of 100,000 Wei.
const PACKED: u128 = 100_000;

/// A validator of 32 ETH in the contract's units of effective balance.
const UNITS: u128 = 10_000;

/// The figures of a network and of a cluster's operators on a day. They move: read them from the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// The fees of all operators and of the network, per block and 32 ETH.
    pub fees: Wei,
    /// The blocks that a balance must last for.
    pub threshold: u64,
    /// The least balance.
    pub minimum: Wei,
    /// The effective balance of the cluster in whole ETH, where the contract has been told one.
    pub effective_balance: Option<u64>,
}

impl Costs {
    /// What the balance has to be, at least, for this many validators of which `new` are only now registered.
    ///
    /// Section 9.1: max(MLC, floor(LTP * fees in packed units * vUnits / 10000) * 100000). The contract tests a registration
    /// before it counts the new validators' units in where an effective balance is known; here they always count, or the
    /// cluster could be liquidated the moment it is registered. `None` when the numbers are beyond arithmetic.
    #[must_use]
    pub fn needed(&self, validators: u32, new: u32) -> Option<Wei> {
        let units = match self.effective_balance {
            None => u128::from(validators).checked_mul(UNITS)?,
            Some(ether) => {
                let known = u128::from(ether).checked_mul(UNITS)?.div_ceil(32);
                known.checked_add(u128::from(new).checked_mul(UNITS)?)?
            }
        };
        let packed = self.fees.get() / PACKED;
        let collateral = u128::from(self.threshold).checked_mul(packed)?.checked_mul(units)? / UNITS;
        Some(Wei::new(collateral.checked_mul(PACKED)?).max(self.minimum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four operators at 1e-7 ETH a block, the network at 5e-8, 30 days of 7200 blocks.
    const DOCUMENTED: Costs = Costs {
        fees: Wei::new(450_000_000_000),
        threshold: 216_000,
        minimum: Wei::new(940_000_000_000_000),
        effective_balance: None,
    };

    #[test]
    fn the_documented_example_holds() {
        assert_eq!(DOCUMENTED.needed(1, 1), Some(Wei::new(97_200_000_000_000_000)));
        assert_eq!(DOCUMENTED.needed(10, 10), Some(Wei::new(972_000_000_000_000_000)));
        assert_eq!(Costs { fees: Wei::ZERO, ..DOCUMENTED }.needed(1, 1), Some(DOCUMENTED.minimum));
        // Declared 32, really 2048: 64 times the fees.
        let large = Costs { effective_balance: Some(2048), ..DOCUMENTED };
        assert_eq!(large.needed(1, 0), Some(Wei::new(64 * 97_200_000_000_000_000)));
        assert_eq!(large.needed(2, 1), Some(Wei::new(65 * 97_200_000_000_000_000)));
        assert_eq!(Costs { fees: Wei::new(u128::MAX), ..DOCUMENTED }.needed(1, 1), None);
    }
}
