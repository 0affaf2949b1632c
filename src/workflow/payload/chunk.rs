//! How many validators fit into one call, and what the call will cost in gas.

use crate::format::contract::call::Call;
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

/// An estimate of any call, from the gas reports (section 7.6), before the slack; `None` where they have no figure.
///
/// The reports have a figure for each size of a cluster for registrations, removals and exits. For the others they have one,
/// which is that of four operators: what each further operator costs there is taken from the calls that touch the same.
#[must_use]
pub fn gas(call: &Call, floor: u64) -> Option<u64> {
    let gas = match call {
        Call::Register { validators, operators, cluster } => {
            let new = cluster.validator_count == 0;
            registration_gas(operators.len(), validators.public_keys().len(), new, floor)
        }
        Call::Remove { keys, operators, .. } if keys.all().len() == 1 => by_size(REMOVED, operators.len()),
        Call::Exit { keys, operators } => {
            let ten = by_size(TEN_EXITED, operators.len());
            let further = u64::try_from(keys.all().len()).unwrap_or(u64::MAX).saturating_sub(1);
            // One exit of four operators has a figure; ten of every size have. The difference between the sizes counts for the
            // first exit, and again in what each further one takes: too much rather than too little.
            let first = EXITED + (ten - by_size(TEN_EXITED, 4));
            further.saturating_mul((ten - EXITED).div_ceil(9)).saturating_add(first)
        }
        // No operator is touched.
        Call::Deposit { .. } => 69_566,
        Call::Withdraw { operators, .. } => with_operators(94_863, TOUCHED, operators.len()),
        Call::Reactivate { operators, .. } => with_operators(121_427, TOUCHED, operators.len()),
        Call::Migrate { operators, .. } => with_operators(600_000, TOUCHED_TWICE, operators.len()),
        _ => return None,
    };
    Some(gas.max(floor))
}

/// A removal, at most.
const REMOVED: [u64; 4] = [113_866, 155_293, 196_720, 238_150];

/// An exit, of four operators.
const EXITED: u64 = 42_660;

/// Ten exits in one call.
const TEN_EXITED: [u64; 4] = [123_585, 136_504, 149_421, 162_341];

/// What a removal takes for each further operator: (238,150 - 113,866) / 9. It reads and writes the operator's earnings.
const TOUCHED: u64 = 13_810;

/// What the first registration takes for each further operator by the ceilings of version 2: (981,000 - 450,000) / 9. It
/// begins the operator's account in ETH, as a migration does.
const TOUCHED_TWICE: u64 = 59_000;

/// A figure of four operators, for as many as there are.
fn with_operators(four: u64, each: u64, operators: usize) -> u64 {
    let further = u64::try_from(operators.saturating_sub(4)).unwrap_or(u64::MAX);
    further.saturating_mul(each).saturating_add(four)
}

fn by_size([four, seven, ten, thirteen]: [u64; 4], operators: usize) -> u64 {
    match operators {
        ..=4 => four,
        5..=7 => seven,
        8..=10 => ten,
        _ => thirteen,
    }
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

    /// Every figure of the reports is reached, and a larger cluster never takes less.
    #[test]
    fn gas_follows_the_size_of_the_cluster() {
        use crate::format::amount::Wei;
        use crate::format::contract::call::Keys;
        use crate::format::contract::snapshot::Snapshot;
        let figures = |call: &dyn Fn(Vec<u64>) -> Call| {
            [4, 7, 10, 13].map(|size| gas(&call((1..=size).collect()), 0).unwrap_or_default())
        };
        let cluster = Snapshot::NEW;
        let keys = |count: usize| Keys::of(vec![vec![1]; count]);
        let exits = |count: usize| figures(&|operators| Call::Exit { keys: keys(count), operators });
        assert_eq!(figures(&|operators| Call::Remove { keys: keys(1), operators, cluster }), REMOVED);
        assert_eq!(exits(1), [42_660, 55_579, 68_496, 81_416]);
        for (estimate, reported) in exits(10).into_iter().zip(TEN_EXITED) {
            assert!((reported..reported * 5 / 4).contains(&estimate), "{estimate} {reported}");
        }
        let amount = Wei::new(1);
        assert_eq!(figures(&|operators| Call::Withdraw { operators, amount, cluster })[0], 94_863);
        assert_eq!(figures(&|operators| Call::Reactivate { operators, cluster })[0], 121_427);
        assert_eq!(figures(&|operators| Call::Migrate { operators, cluster }), [600_000, 777_000, 954_000, 1_131_000]);
        for rising in [
            exits(1),
            exits(500),
            figures(&|operators| Call::Withdraw { operators, amount, cluster }),
            figures(&|operators| Call::Reactivate { operators, cluster }),
        ] {
            assert!(rising.windows(2).all(|pair| pair[0] < pair[1]), "{rising:?}");
        }
        assert_eq!(gas(&Call::Remove { keys: keys(2), operators: vec![1, 2, 3, 4], cluster }, 0), None);
        assert_eq!(gas(&Call::GetVersion, 0), None);
        assert_eq!(gas(&Call::Reactivate { operators: vec![1, 2, 3, 4], cluster }, 500_000), Some(500_000));
    }

    #[test]
    fn gas_is_never_below_the_floor() {
        assert_eq!(floor_gas(&[0, 1]), 21_050);
        assert_eq!(registration_gas(13, 20, true, 3_400_000), 981_000 + 19 * 147_300);
        assert_eq!(registration_gas(13, 20, true, 5_000_000), 5_000_000);
        assert_eq!(registration_gas(4, 1, false, 0), 250_000);
    }
}
