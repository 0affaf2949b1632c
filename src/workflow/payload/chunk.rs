//! How many validators fit into one call, and what the call will cost in gas.

use crate::format::transaction::MAX_BYTES;

/// What stays free of the size limit of a transaction: the outer call of a Safe with its signatures.
pub const HEADROOM: usize = 8 << 10;

/// The most gas that one transaction may use (EIP-7825).
pub const GAS_CAP: u64 = 1 << 24;

/// The most validators of one removal or exit (the contract's documentation).
pub const MOST_REMOVED: usize = 500;

/// The most validators that the documentation allows in one registration, by the number of operators.
#[must_use]
pub fn documented_most(operators: usize) -> usize {
    match operators {
        4 => 80,
        7 => 40,
        10 => 30,
        _ => 20,
    }
}

/// The bytes of a bulk registration: 4 + head + ids + lists. Section 7.5: 356 + 32 n + N (192 + pad32(96 + 304 n)).
#[must_use]
pub fn registration_bytes(operators: usize, validators: usize) -> usize {
    let shares = (96 + 304 * operators).next_multiple_of(32);
    356 + 32 * operators + validators * (192 + shares)
}

/// How many validators go into one registration.
///
/// `asked` replaces the documented bound; size and gas are bounds that nothing replaces. At least one.
#[must_use]
pub fn most_registered(operators: usize, asked: Option<usize>) -> usize {
    // No validator takes less than the words around its key and its shares, so that no larger number can fit.
    let wanted = asked.unwrap_or_else(|| documented_most(operators)).clamp(1, MAX_BYTES / 192);
    let fits = |count: usize| {
        registration_bytes(operators, count) <= MAX_BYTES - HEADROOM
            && with_slack(registration_gas(operators, count, true, floor_at_worst(operators, count))) <= GAS_CAP
    };
    (1..=wanted).rev().find(|count| fits(*count)).unwrap_or(1)
}

/// Calldata of sealed shares has next to no zero bytes; the words around them are mostly zeros.
fn floor_at_worst(operators: usize, validators: usize) -> u64 {
    21_000 + 40 * u64::try_from(registration_bytes(operators, validators)).unwrap_or(u64::MAX / 40 - 21_000)
}

/// The least that a transaction with this calldata costs (EIP-7623): 10 gas a zero byte, 40 any other.
#[must_use]
pub fn floor_gas(calldata: &[u8]) -> u64 {
    calldata.iter().fold(21_000, |gas, byte| gas + if *byte == 0 { 10 } else { 40 })
}

/// An estimate of a registration, from the gas reports: the first validator by the ceilings of version 2, each further one
/// by the slope of version 1. Not less than the floor.
#[must_use]
pub fn registration_gas(operators: usize, validators: usize, new_cluster: bool, floor: u64) -> u64 {
    let (new, existing, further) = match operators {
        4 => (450_000, 250_000, 68_400),
        7 => (601_000, 293_500, 94_700),
        10 => (791_000, 381_000, 120_600),
        _ => (981_000, 468_500, 147_300),
    };
    let first = if new_cluster { new } else { existing };
    let more = u64::try_from(validators.saturating_sub(1)).unwrap_or(u64::MAX);
    u64::saturating_mul(further, more).saturating_add(first).max(floor)
}

/// A tenth on top, for what a report of another day does not know.
#[must_use]
pub fn with_slack(gas: u64) -> u64 {
    gas.saturating_add(gas / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_the_documented_ones_unless_raised() {
        for (operators, documented, most) in [(4, 80, 81), (7, 40, 50), (10, 30, 36), (13, 20, 28)] {
            assert_eq!(most_registered(operators, None), documented);
            assert_eq!(most_registered(operators, Some(1000)), most);
            assert_eq!(most_registered(operators, Some(usize::MAX)), most);
            assert_eq!(most_registered(operators, Some(3)), 3);
            assert_eq!(most_registered(operators, Some(0)), 1);
            assert!(registration_bytes(operators, most) <= MAX_BYTES - HEADROOM);
            assert!(registration_bytes(operators, most + 1) > MAX_BYTES - HEADROOM);
        }
    }

    #[test]
    fn gas_is_never_below_the_floor() {
        assert_eq!(floor_gas(&[0, 1]), 21_050);
        assert_eq!(registration_gas(13, 20, true, 3_400_000), 981_000 + 19 * 147_300);
        assert_eq!(registration_gas(13, 20, true, 5_000_000), 5_000_000);
        assert_eq!(registration_gas(4, 1, false, 0), 250_000);
    }
}
