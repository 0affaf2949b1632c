//! Finds out how much memory may be used, and shares it out between threads.
#![cfg_attr(
    target_os = "macos",
    expect(
        clippy::disallowed_methods,
        reason = "this file is the door through which the machine is asked for its memory"
    )
)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

/// What sets the limit on memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitSource {
    /// The memory the system can give without swapping.
    System,
    /// A control group of version 2: a container or a service limit.
    CgroupV2,
    /// A control group of version 1.
    CgroupV1,
    /// The limit on this process's address space.
    AddressSpace,
    /// Half of the physical memory, where the free part cannot be learnt.
    HalfOfPhysical,
    /// Nothing could be learnt; the amount is an assumption.
    Assumed,
}

/// How much memory may be used, and why not more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryFacts {
    /// Bytes that may be used from now on.
    pub available: u64,
    /// The tightest limit found.
    pub limit_source: LimitSource,
}

const ASSUMED: u64 = 1 << 30;

/// The least of all limits that apply to this process. Never fails: limits that cannot be read
/// do not count, and [`LimitSource::Assumed`] says when none could be.
#[must_use]
pub fn available() -> MemoryFacts {
    system::limits()
        .into_iter()
        .min_by_key(|facts| facts.available)
        .unwrap_or(MemoryFacts { available: ASSUMED, limit_source: LimitSource::Assumed })
}

#[cfg(target_os = "macos")]
mod system {
    use super::{LimitSource, MemoryFacts};

    pub(super) fn limits() -> Vec<MemoryFacts> {
        std::process::Command::new("/usr/sbin/sysctl")
            .args(["-n", "hw.memsize"])
            .output()
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok())
            .and_then(|text| text.trim().parse::<u64>().ok())
            .map(|physical| MemoryFacts { available: physical / 2, limit_source: LimitSource::HalfOfPhysical })
            .into_iter()
            .collect()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    pub(super) fn limits() -> Vec<super::MemoryFacts> {
        Vec::new()
    }
}

struct Shares {
    free: u64,
    /// The number the next request gets, and the number whose turn it is.
    next: u64,
    turn: u64,
}

struct Pool {
    total: u64,
    shares: Mutex<Shares>,
    changed: Condvar,
}

impl Pool {
    /// The counts are plain numbers, whole at every instant: a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of bytes shared out between threads. Clones share the same bytes.
#[derive(Clone)]
pub struct Budget(Arc<Pool>);

impl Budget {
    /// A budget of `total` bytes, all free.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self(Arc::new(Pool {
            total,
            shares: Mutex::new(Shares { free: total, next: 0, turn: 0 }),
            changed: Condvar::new(),
        }))
    }

    /// All bytes, free or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Whether a request for `bytes` could ever be met in full.
    #[must_use]
    pub fn try_fits(&self, bytes: u64) -> bool {
        bytes <= self.0.total
    }

    /// Waits for `bytes` and takes them until the permit is dropped.
    ///
    /// Requests are met strictly in the order they were made, so a stream of small ones cannot
    /// starve a large one. A request beyond the total (see [`Budget::try_fits`]) takes the whole
    /// budget instead of waiting for ever.
    #[must_use = "dropping the permit gives the bytes back"]
    pub fn acquire(&self, bytes: u64) -> Permit {
        let bytes = bytes.min(self.0.total);
        let mut shares = self.0.lock();
        let ticket = shares.next;
        shares.next = ticket.wrapping_add(1);
        while shares.turn != ticket || shares.free < bytes {
            shares = self.0.changed.wait(shares).unwrap_or_else(PoisonError::into_inner);
        }
        shares.free = shares.free.saturating_sub(bytes);
        shares.turn = ticket.wrapping_add(1);
        drop(shares);
        self.0.changed.notify_all();
        Permit { pool: Arc::clone(&self.0), bytes }
    }
}

/// Bytes taken from a [`Budget`]; given back on drop.
pub struct Permit {
    pool: Arc<Pool>,
    bytes: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shares = self.pool.lock();
        shares.free = shares.free.saturating_add(self.bytes);
        drop(shares);
        self.pool.changed.notify_all();
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeError {
    /// It does not begin with a number.
    #[error("{text:?}: not a size")]
    NotANumber {
        /// The text.
        text: String,
    },
    /// The unit is none of B, K, M, G, T, KiB, MiB, GiB, TiB.
    #[error("{text:?}: unknown unit {unit:?}")]
    UnknownUnit {
        /// The text.
        text: String,
        /// What stood in the place of the unit.
        unit: String,
    },
    /// More bytes than can be counted.
    #[error("{text:?}: too large")]
    TooLarge {
        /// The text.
        text: String,
    },
}

const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

/// Reads a size: `512MiB`, `1GiB`, `1.5GiB`, `2G` (the same as GiB), `800M` or plain bytes.
/// Case does not matter. `MB` and the like are refused: they mean different sizes to different
/// people. Fractions of a byte are dropped.
///
/// # Errors
/// [`SizeError`] for anything else.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let not_a_number = || SizeError::NotANumber { text: text.into() };
    let too_large = || SizeError::TooLarge { text: text.into() };
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).ok_or_else(not_a_number)?;
    let factor =
        factor(unit.trim_start()).ok_or_else(|| SizeError::UnknownUnit { text: text.into(), unit: unit.into() })?;
    let (whole, fraction) = match number.split_once('.') {
        None => (number, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || fraction.is_some_and(|part| !digits(part)) {
        return Err(not_a_number());
    }
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let mut size = u128::from(whole) * u128::from(factor);
    if let Some(fraction) = fraction {
        // Half a byte is no size.
        if factor == 1 {
            return Err(not_a_number());
        }
        // Digits beyond the eighteenth are less than a byte in every unit.
        let kept: String = fraction.chars().take(18).collect();
        let scale = kept.bytes().fold(1_u128, |scale, _| scale.saturating_mul(10));
        let numerator: u128 = kept.parse().map_err(|_| too_large())?;
        size = size.saturating_add(numerator.saturating_mul(u128::from(factor)) / scale);
    }
    u64::try_from(size).map_err(|_| too_large())
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_uppercase();
    if unit.is_empty() || unit == "B" {
        return Some(1);
    }
    let letter = unit.strip_suffix("IB").unwrap_or(&unit);
    UNITS.iter().find(|(name, _)| *name == letter).map(|(_, factor)| *factor)
}

/// Shows a size in the largest unit it fills, with one decimal unless that is zero. Rounds down,
/// so that more is never promised than there is.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let Some((name, factor)) = UNITS.iter().rev().find(|(_, factor)| bytes >= *factor) else {
        return format!("{bytes} B");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(*factor);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}iB"),
        (whole, tenth) => format!("{whole}.{tenth} {name}iB"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn this_machine_has_some_memory() {
        let facts = available();
        assert!(facts.available > 0);
        assert_ne!(facts.limit_source, LimitSource::Assumed);
    }

    #[test]
    fn sizes_are_read() {
        for (text, size) in [
            ("0", 0),
            ("1024", 1024),
            ("7B", 7),
            ("512MiB", 512 << 20),
            ("1GiB", 1 << 30),
            ("2G", 2 << 30),
            ("2 g", 2 << 30),
            ("800M", 800 << 20),
            ("1.5GiB", 3 << 29),
            ("0.0009765625K", 1),
            ("16777215.9999999999999999999999999999T", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "G", ".5G", "1.G", "1..5G", "1.5", "-1", "+1", "1e3", "0x10", " 1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        for text in ["1MB", "1Q", "1iB", "1GiBB", "1G1", "1é"] {
            assert!(matches!(parse_size(text), Err(SizeError::UnknownUnit { .. })), "{text}");
        }
        for text in ["18446744073709551616", "16777216T", "99999999999999999999G"] {
            assert!(matches!(parse_size(text), Err(SizeError::TooLarge { .. })), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (3 << 29, "1.5 GiB"),
            ((1 << 30) - 1, "1023.9 MiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(format_size(size), text);
        }
    }

    #[test]
    fn the_budget_is_never_exceeded() {
        let budget = Budget::new(100);
        assert!(budget.try_fits(100));
        assert!(!budget.try_fits(101));
        let used = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for index in 0..16_u64 {
                let (budget, used) = (&budget, &used);
                scope.spawn(move || {
                    // 400 asks for more than there is and must still end.
                    let bytes = [10, 40, 100, 400][usize::try_from(index % 4).unwrap()];
                    let _permit = budget.acquire(bytes);
                    let mine = bytes.min(100);
                    assert!(used.fetch_add(mine, Ordering::SeqCst) + mine <= 100);
                    std::thread::sleep(Duration::from_millis(2));
                    used.fetch_sub(mine, Ordering::SeqCst);
                });
            }
        });
        drop(budget.acquire(100));
    }

    #[test]
    fn a_large_request_is_not_overtaken() {
        let budget = Budget::new(10);
        let first = budget.acquire(5);
        let order = Mutex::new(Vec::new());
        let waiting = |count: u64| {
            while budget.0.lock().next != count {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _permit = budget.acquire(10);
                order.lock().unwrap().push("large");
            });
            waiting(2);
            scope.spawn(|| {
                let _permit = budget.acquire(1);
                order.lock().unwrap().push("small");
            });
            waiting(3);
            drop(first);
        });
        assert_eq!(*order.lock().unwrap(), ["large", "small"]);
    }
}
