//! Thresholds: how many of how many shares make the key, lawful only as the network says.

/// t of n. For the SSV Network n = 3f + 1 operators tolerate f faults, and t = n - f = 2f + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    t: usize,
    n: usize,
}

/// The SSV Network takes clusters of 4, 7, 10 or 13 operators.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} operators: a cluster has 4, 7, 10 or 13")]
pub struct ClusterSizeError(pub usize);

impl Threshold {
    /// The cluster sizes that the SSV Network takes.
    pub const SSV_SIZES: [usize; 4] = [4, 7, 10, 13];

    /// The threshold of an SSV cluster of `n` operators: 3 of 4, 5 of 7, 7 of 10, 9 of 13.
    ///
    /// # Errors
    /// [`ClusterSizeError`] for any other size.
    pub fn ssv(n: usize) -> Result<Self, ClusterSizeError> {
        if !Self::SSV_SIZES.contains(&n) {
            return Err(ClusterSizeError(n));
        }
        Ok(Self { t: n - (n - 1) / 3, n })
    }

    /// t of n as a ceremony's plan says it: `None` unless 2 ≤ t ≤ n ≤ 64.
    #[must_use]
    pub fn ceremony(t: usize, n: usize) -> Option<Self> {
        (2 <= t && t <= n && n <= 64).then_some(Self { t, n })
    }

    /// How many shares make the key.
    #[must_use]
    pub fn t(self) -> usize {
        self.t
    }

    /// How many shares there are.
    #[must_use]
    pub fn n(self) -> usize {
        self.n
    }

    /// How many operators may fail while the validator goes on.
    #[must_use]
    pub fn faults(self) -> usize {
        self.n - self.t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_sizes_and_no_other() {
        let lawful: Vec<_> = (0..30)
            .filter_map(|n| Threshold::ssv(n).ok())
            .map(|threshold| (threshold.n(), threshold.t(), threshold.faults()))
            .collect();
        assert_eq!(lawful, [(4, 3, 1), (7, 5, 2), (10, 7, 3), (13, 9, 4)]);
    }
}
