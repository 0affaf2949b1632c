//! Key derivation for keystores: scrypt (RFC 7914) and PBKDF2-HMAC-SHA-256, bounded before they start.
//!
//! * [`Kdf::derive`] is one derivation by the libraries: the reference.
//! * [`group`] derives the keys of several keystores at once, on a [`Path`] that [`self_test`] has tried.
//! * `path` names the paths and chooses between them; `interleave` is the algorithm for a register of any width, and
//!   `sse2`, `avx2` and `avx512` are its registers; `scalar` serves other CPUs; `arena` is the memory.

mod arena;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod group;
#[cfg(target_arch = "x86_64")]
mod interleave;
mod path;
#[cfg(any(test, not(target_arch = "x86_64")))]
mod scalar;
pub mod self_test;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(test)]
mod tests;

use dvkey_ceremony::SecretBytes;
use sha2::Sha256;
use zeroize::Zeroizing;

pub use path::Path;

/// A derivation with its parameters. Only the first 32 bytes of the output are ever used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kdf {
    /// scrypt; see [`Kdf::memory`] for what it takes.
    Scrypt {
        /// log2 of the cost N.
        log_n: u8,
        /// The block size r.
        r: u32,
        /// The parallelism p; lanes run one after the other.
        p: u32,
        /// The salt.
        salt: Vec<u8>,
    },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 {
        /// The number of iterations c.
        c: u32,
        /// The salt.
        salt: Vec<u8>,
    },
}

/// What a foreign file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfLimits {
    /// The most memory for one derivation, in bytes.
    pub memory: u64,
}

impl KdfLimits {
    /// 1 GiB: four times what the usual keystore takes.
    pub const DEFAULT: Self = Self { memory: 1 << 30 };

    /// The most scrypt work, as N * r * p: 32 times the usual keystore, about half a minute.
    const SCRYPT_WORK: u64 = 32 << 21;

    /// The most PBKDF2 iterations: 400 times the usual keystore, about a quarter of a minute.
    const PBKDF2_ITERATIONS: u32 = 100 << 20;
}

/// Why a derivation is not started.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KdfError {
    /// N is not a power of two above 1.
    #[error("scrypt n = {0} is not a power of two above 1")]
    NotPowerOfTwo(u64),
    /// RFC 7914 forbids the combination, or a parameter is zero.
    #[error("the scrypt parameters are not lawful")]
    Unlawful,
    /// Zero iterations.
    #[error("PBKDF2 with no iterations")]
    NoIterations,
    /// More memory than one derivation may take.
    #[error("the keystore asks for {wanted} bytes of memory, above the bound of {limit}")]
    Memory {
        /// What it asks for.
        wanted: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The system does not give that much memory.
    #[error("the system does not give the {0} bytes of memory that the keystore asks for")]
    NoMemory(u64),
    /// More time than one derivation may take.
    #[error("the keystore asks for {0} times the work of a usual one")]
    Work(u64),
}

/// 32 derived bytes: 16 for the cipher, 16 for the checksum. They stay in one place until they are wiped there: moving the
/// key, out of a list for one, leaves no copy behind.
pub struct DerivedKey(Box<Zeroizing<[u8; 32]>>);

impl DerivedKey {
    /// A key that is still to be filled in.
    fn blank() -> Self {
        Self(Box::default())
    }

    /// The same key in a place of its own.
    fn copy(&self) -> Self {
        let mut copy = Self::blank();
        copy.0.copy_from_slice(self.0.as_slice());
        copy
    }

    /// Bytes 0…15, the AES-128 key.
    #[must_use]
    pub fn cipher_key(&self) -> &[u8; 16] {
        self.0.first_chunk().unwrap_or(&[0; 16])
    }

    /// Bytes 16…31, hashed into the checksum.
    #[must_use]
    pub fn checksum_key(&self) -> &[u8; 16] {
        self.0.last_chunk().unwrap_or(&[0; 16])
    }
}

impl Kdf {
    /// scrypt with the cost given as N.
    ///
    /// # Errors
    /// [`KdfError::NotPowerOfTwo`].
    pub fn scrypt(n: u64, r: u32, p: u32, salt: Vec<u8>) -> Result<Self, KdfError> {
        if n < 2 || !n.is_power_of_two() {
            return Err(KdfError::NotPowerOfTwo(n));
        }
        let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| KdfError::Unlawful)?;
        Ok(Self::Scrypt { log_n, r, p, salt })
    }

    /// Its name in messages and files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scrypt { .. } => "scrypt",
            Self::Pbkdf2 { .. } => "pbkdf2",
        }
    }

    /// The memory that one derivation takes, in whole MiB and in bytes; saturating.
    ///
    /// The large table has N blocks of `128 * r` bytes, the lanes have p, and two more are for work. Rounded down, so that
    /// the usual keystore takes the 256 MiB that everybody says it takes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match self {
            Self::Scrypt { log_n, r, p, .. } => {
                let table = 1u64.checked_shl(u32::from(*log_n)).unwrap_or(u64::MAX);
                let blocks = table.saturating_add(u64::from(*p)).saturating_add(2);
                let bytes = blocks.saturating_mul(128).saturating_mul(u64::from(*r));
                bytes - bytes % (1 << 20)
            }
            Self::Pbkdf2 { .. } => 0,
        }
    }

    /// Refuses parameters that are unlawful or out of bounds; takes no memory.
    ///
    /// # Errors
    /// [`KdfError`].
    pub fn check(&self, limits: KdfLimits) -> Result<(), KdfError> {
        match self {
            Self::Scrypt { log_n, r, p, .. } => {
                if *r == 0 || *p == 0 {
                    return Err(KdfError::Unlawful);
                }
                if self.memory() > limits.memory {
                    return Err(KdfError::Memory { wanted: self.memory(), limit: limits.memory });
                }
                let work = 1u64.checked_shl(u32::from(*log_n)).unwrap_or(u64::MAX);
                let work = work.saturating_mul(u64::from(*r)).saturating_mul(u64::from(*p));
                if work > KdfLimits::SCRYPT_WORK.max(limits.memory / 128) {
                    return Err(KdfError::Work(work >> 21));
                }
                // RFC 7914, section 2; the library multiplies before it compares.
                if u64::from(*r) * u64::from(*p) >= 1 << 30 {
                    return Err(KdfError::Unlawful);
                }
                scrypt::Params::new(*log_n, *r, *p).map(drop).map_err(|_| KdfError::Unlawful)
            }
            Self::Pbkdf2 { c: 0, .. } => Err(KdfError::NoIterations),
            Self::Pbkdf2 { c, .. } if *c > KdfLimits::PBKDF2_ITERATIONS => Err(KdfError::Work(u64::from(*c >> 18))),
            Self::Pbkdf2 { .. } => Ok(()),
        }
    }

    /// Derives. Call [`Kdf::check`] and reserve [`Kdf::memory`] first.
    ///
    /// # Errors
    /// [`KdfError::Unlawful`] for parameters that [`Kdf::check`] refuses, [`KdfError::NoMemory`] where the system has less
    /// than was reserved.
    pub fn derive(&self, password: &SecretBytes) -> Result<DerivedKey, KdfError> {
        // The library would end the process; asked first, the system can say no.
        let wanted = usize::try_from(self.memory()).map_err(|_| KdfError::NoMemory(self.memory()))?;
        Vec::<u8>::new().try_reserve_exact(wanted).map_err(|_| KdfError::NoMemory(self.memory()))?;
        let mut key = DerivedKey::blank();
        match self {
            Self::Scrypt { log_n, r, p, salt } => {
                let parameters = scrypt::Params::new(*log_n, *r, *p).map_err(|_| KdfError::Unlawful)?;
                scrypt::scrypt(password.expose(), salt, &parameters, key.0.as_mut_slice())
                    .map_err(|_| KdfError::Unlawful)?;
            }
            Self::Pbkdf2 { c, salt } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), salt, *c, key.0.as_mut_slice());
            }
        }
        Ok(key)
    }
}

/// The bytes of scrypt's running block for r = 8, of which the table has N.
const BLOCK_BYTES: usize = 1024;

/// The running block of one lane.
type Block = [u8; BLOCK_BYTES];

/// Sub-block `k` of a block as 16 words in diagonal order: word 5 * i mod 16 stands at i, so that the four words of a
/// row are what one step of Salsa20 works on at once.
fn diagonal(block: &Block, k: usize) -> [u32; 16] {
    let mut words = [0; 16];
    for (i, word) in words.iter_mut().enumerate() {
        let start = k * 64 + i * 5 % 16 * 4;
        *word = block.get(start..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes));
    }
    words
}

/// Writes sub-block `k` back from diagonal order.
fn undo_diagonal(words: &[u32; 16], block: &mut Block, k: usize) {
    for (i, word) in words.iter().enumerate() {
        let start = k * 64 + i * 5 % 16 * 4;
        if let Some(bytes) = block.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *bytes = word.to_le_bytes();
        }
    }
}
