//! Ceremonies in memory, scripted cheats, deterministic randomness: for tests, not for use.

pub mod forge;
pub mod network;
pub mod paper_rsa;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// SHA-256 in counter mode, or a source that is broken in a chosen way.
pub struct CountingRng {
    seed: Option<u64>,
    counter: u64,
    fails: bool,
}

/// What a failing source says.
#[derive(Debug, thiserror::Error)]
#[error("no randomness")]
pub struct NoRandomness;

impl CountingRng {
    /// A source with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed: Some(seed), counter: 0, fails: false }
    }

    /// Zeros for ever.
    #[must_use]
    pub fn stuck_at_zero() -> Self {
        Self { seed: None, counter: 0, fails: false }
    }

    /// An error at every draw.
    #[must_use]
    pub fn failing() -> Self {
        Self { seed: None, counter: 0, fails: true }
    }
}

impl TryRng for CountingRng {
    type Error = NoRandomness;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        if self.fails {
            return Err(NoRandomness);
        }
        dst.fill(0);
        let Some(seed) = self.seed else { return Ok(()) };
        for chunk in dst.chunks_mut(32) {
            let block = Sha256::new_with_prefix(seed.to_be_bytes()).chain_update(self.counter.to_be_bytes()).finalize();
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for CountingRng {}
