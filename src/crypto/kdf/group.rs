//! Derives the keys of several keystores at once.

use std::collections::BTreeMap;

use dvkey_ceremony::SecretBytes;
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::arena::Arena;
use super::self_test::Tested;
use super::{BLOCK_BYTES, Block, DerivedKey, Kdf, KdfError};
use crate::kdf::Path;

/// One derivation.
pub struct Job<'a> {
    /// How, with the salt.
    pub kdf: &'a Kdf,
    /// From what.
    pub password: &'a SecretBytes,
}

/// Derives keys, and keeps the memory for it from one group to the next. One for each worker.
pub struct Deriver {
    path: Path,
    arena: Arena,
    /// The most memory that the tables may take together, in bytes.
    memory: u64,
    /// How many derivations were made.
    #[cfg(test)]
    pub(crate) made: usize,
}

/// scrypt with more lanes of its own than this is left to the crate; keystores have one.
const MOST_P: u32 = 16;

impl Deriver {
    /// A deriver with `memory` bytes for tables.
    #[must_use]
    pub fn new(path: Tested, memory: u64) -> Self {
        Self::untested(path.path(), memory)
    }

    pub(crate) fn untested(path: Path, memory: u64) -> Self {
        Self {
            path,
            arena: Arena::default(),
            memory,
            #[cfg(test)]
            made: 0,
        }
    }

    /// How many derivations like this one should come at once, so that nothing lies idle: 1 where it makes no difference.
    #[must_use]
    pub fn lanes(path: Path, kdf: &Kdf, memory: u64) -> usize {
        let Some(shape) = Shape::of(path, kdf) else { return 1 };
        let lanes = shape.lanes(path, memory) / usize::try_from(shape.p).unwrap_or(1).max(1);
        lanes.max(1)
    }

    /// Derives each key. The results come in the order of the jobs; one that fails leaves the others alone. Jobs with
    /// the same parameters, salt and password are derived once. Call [`Kdf::check`] first.
    ///
    /// A derivation alone may take more than this deriver's memory, if it asks for more: that is the caller's to refuse.
    pub fn derive(&mut self, jobs: &[Job<'_>]) -> Vec<Result<DerivedKey, KdfError>> {
        let originals: Vec<usize> = (0..jobs.len()).map(|at| original(jobs, at)).collect();
        let mut keys: Vec<Option<Result<DerivedKey, KdfError>>> = jobs.iter().map(|_| None).collect();
        let mut groups: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for ((at, job), (original, key)) in jobs.iter().enumerate().zip(originals.iter().zip(&mut keys)) {
            match Shape::of(self.path, job.kdf) {
                _ if *original != at => {}
                Some(shape) => groups.entry(shape.log_n).or_default().push(at),
                None => {
                    if job.kdf.memory() > 0 {
                        // The crate takes memory of its own.
                        self.arena.release();
                    }
                    *key = Some(job.kdf.derive(job.password));
                }
            }
        }
        for (log_n, members) in groups {
            for (at, key) in self.derive_alike(jobs, log_n, &members) {
                if let Some(slot) = keys.get_mut(at) {
                    *slot = Some(key);
                }
            }
        }
        #[cfg(test)]
        {
            self.made += keys.iter().flatten().count();
        }
        for (at, original) in originals.into_iter().enumerate() {
            if original != at {
                let copy = keys.get(original).and_then(Option::as_ref).map(|key| match key {
                    Ok(key) => Ok(key.copy()),
                    Err(error) => Err(*error),
                });
                if let Some(slot) = keys.get_mut(at) {
                    *slot = copy;
                }
            }
        }
        keys.into_iter().map(|key| key.unwrap_or(Err(KdfError::Unlawful))).collect()
    }

    /// RFC 7914, section 6, for several jobs of the same N: B = PBKDF2(P, S, 1, p * 128 * r); B_i = ROMix(r, B_i, N);
    /// DK = PBKDF2(P, B, 1, dkLen). All blocks are mixed side by side, those of one keystore, too.
    fn derive_alike(
        &mut self,
        jobs: &[Job<'_>],
        log_n: u8,
        members: &[usize],
    ) -> Vec<(usize, Result<DerivedKey, KdfError>)> {
        let scrypts: Vec<_> = members.iter().filter_map(|at| Some((*at, jobs.get(*at)?.as_scrypt()?))).collect();
        let mut blocks: Zeroizing<Vec<Block>> =
            Zeroizing::new(vec![[0; BLOCK_BYTES]; scrypts.iter().map(|(_, (_, _, p))| p).sum()]);
        let mut rest = blocks.as_mut_slice();
        for (_, (password, salt, p)) in &scrypts {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(*p);
            pbkdf2_hmac::<Sha256>(password.expose(), salt, 1, own.as_flattened_mut());
            rest = others;
        }
        let mixed = self.mix(&mut blocks, log_n);
        let mut rest = blocks.as_slice();
        let mut keys = Vec::with_capacity(scrypts.len());
        for (at, (password, _, p)) in scrypts {
            let (own, others) = rest.split_at(p);
            rest = others;
            keys.push((
                at,
                mixed.map(|()| {
                    let mut key = DerivedKey::blank();
                    pbkdf2_hmac::<Sha256>(password.expose(), own.as_flattened(), 1, key.0.as_mut_slice());
                    key
                }),
            ));
        }
        keys
    }

    fn mix(&mut self, blocks: &mut [Block], log_n: u8) -> Result<(), KdfError> {
        let shape = Shape { log_n, p: 1 };
        let n = shape.n()?;
        let table = n.checked_mul(BLOCK_BYTES).ok_or(KdfError::Unlawful)?;
        // Where the system gives less than it promised, fewer lanes are slower and do it, too.
        let mut lanes = shape.lanes(self.path, self.memory).min(blocks.len()).max(1);
        while lanes > 1 && table.checked_mul(lanes).and_then(|bytes| self.arena.lend(bytes)).is_none() {
            lanes /= 2;
        }
        let no_memory = KdfError::NoMemory(table as u64);
        let tables = table.checked_mul(lanes).and_then(|bytes| self.arena.lend(bytes)).ok_or(no_memory)?;
        for blocks in blocks.chunks_mut(lanes) {
            if !self.path.smix(blocks, n, tables) {
                return Err(KdfError::Unlawful);
            }
        }
        Ok(())
    }
}

impl<'a> Job<'a> {
    fn as_scrypt(&self) -> Option<(&'a SecretBytes, &'a [u8], usize)> {
        match self.kdf {
            Kdf::Scrypt { salt, p, .. } => Some((self.password, salt, usize::try_from(*p).ok()?)),
            Kdf::Pbkdf2 { .. } => None,
        }
    }

    /// Passwords are compared in constant time; their lengths, and what stands in the file, are not hidden.
    fn is_same(&self, other: &Self) -> bool {
        self.kdf == other.kdf && bool::from(self.password.expose().ct_eq(other.password.expose()))
    }
}

/// The first job with the same parameters, salt and password.
pub(super) fn original(jobs: &[Job<'_>], at: usize) -> usize {
    let same = |job: &Job<'_>| jobs.get(at).is_some_and(|own| job.is_same(own));
    jobs.iter().take(at).position(same).unwrap_or(at)
}

/// scrypt that the lanes can take.
struct Shape {
    log_n: u8,
    p: u32,
}

impl Shape {
    fn of(path: Path, kdf: &Kdf) -> Option<Self> {
        match kdf {
            Kdf::Scrypt { log_n, r: 8, p, .. }
                if path != Path::Crate && (1..=MOST_P).contains(p) && (1..=31).contains(log_n) =>
            {
                Some(Self { log_n: *log_n, p: *p })
            }
            _ => None,
        }
    }

    fn n(&self) -> Result<usize, KdfError> {
        1_usize.checked_shl(u32::from(self.log_n)).ok_or(KdfError::Unlawful)
    }

    fn lanes(&self, path: Path, memory: u64) -> usize {
        let table = (BLOCK_BYTES as u64) << self.log_n;
        usize::try_from(memory / table).unwrap_or(usize::MAX).min(path.lanes())
    }
}
