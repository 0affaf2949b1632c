//! The memory for scrypt's tables: one mapping for a worker, in huge pages where there are any, wiped when it ends.

use memmap2::{MmapMut, MmapOptions};

/// Memory that is kept between derivations. What it held is a secret: it is overwritten before it is given back.
///
/// Pages of 2 MiB save most of the time that first use costs, and most misses of the address translation.
#[derive(Default)]
pub(super) struct Arena {
    map: Option<MmapMut>,
    /// How much of the mapping has been lent out.
    used: usize,
}

impl Arena {
    /// Lends `bytes` bytes, aligned to a page; what they hold is not said. `None` where the system gives no memory.
    pub(super) fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if self.map.as_ref().is_none_or(|map| map.len() < bytes) {
            self.release();
            let map = MmapOptions::new().len(bytes).map_anon().ok()?;
            #[cfg(target_os = "linux")]
            // A system without huge pages says no, and the arena is slower.
            let _ = map.advise(memmap2::Advice::HugePage);
            self.map = Some(map);
        }
        self.used = self.used.max(bytes);
        self.map.as_mut()?.get_mut(..bytes)
    }

    /// Wipes what was used and gives the memory back.
    pub(super) fn release(&mut self) {
        if let Some(mut map) = self.map.take()
            && let Some(used) = map.get_mut(..self.used)
        {
            used.fill(0);
            // A plain fill is as fast as the memory; this keeps the compiler from leaving it out.
            std::hint::black_box(used);
        }
        self.used = 0;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_lent_again_and_grows() {
        let mut arena = Arena::default();
        arena.lend(4096).unwrap().fill(7);
        assert!(arena.lend(2048).unwrap().iter().all(|byte| *byte == 7), "kept between derivations");
        assert_eq!(arena.used, 4096);
        let grown = arena.lend(1 << 21).unwrap();
        assert_eq!(grown.as_ptr().addr() % 4096, 0);
        assert!(grown.iter().all(|byte| *byte == 0), "a new mapping");
        arena.release();
        assert!(arena.map.is_none() && arena.used == 0);
        assert!(arena.lend(usize::MAX / 2).is_none(), "no panic where there is not enough");
    }
}
