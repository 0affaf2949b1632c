//! Known answers on every lane, before a real password is trusted to a path.

use dvkey_ceremony::SecretBytes;
use sha2::{Digest, Sha256};

use super::group::{Deriver, Job};
use super::{Kdf, Path};

/// A path that computed right on every lane of this CPU, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested(Path);

/// Why a path is not trusted.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// The CPU cannot do it.
    #[error("this CPU has no {}", .0.name())]
    NotSupported(Path),
    /// It computed something else than scrypt.
    #[error("the key derivation computes wrongly on this machine ({})", .0.name())]
    WrongAnswer(Path),
}

/// SHA-256 over the keys of "self-test i" and "salt i" for i = 0…11, N = 16, r = 8, p = 1, as OpenSSL derives them.
const EXPECTED: [u8; 32] = [
    0x55, 0xe0, 0xb8, 0x40, 0x3d, 0x80, 0x94, 0x70, 0x0f, 0xd9, 0xf0, 0x6f, 0x3f, 0xcf, 0xea, 0xc9, 0x62, 0x48, 0x6f,
    0xe6, 0x54, 0xa2, 0x20, 0x81, 0x84, 0x3b, 0x27, 0x9a, 0x10, 0x46, 0xfc, 0xad,
];

/// Twelve is a multiple of every number of lanes there is, so that each of them is filled.
const JOBS: usize = 12;

impl Tested {
    /// Tests the path; takes well under a millisecond.
    ///
    /// # Errors
    /// [`PathError`]. A path that computes wrongly is not replaced by another: on such a machine nothing is to be
    /// trusted.
    pub fn new(path: Path) -> Result<Self, PathError> {
        if !path.is_supported() {
            return Err(PathError::NotSupported(path));
        }
        let kdfs: Vec<Kdf> =
            (0..JOBS).map(|i| Kdf::Scrypt { log_n: 4, r: 8, p: 1, salt: format!("salt {i}").into_bytes() }).collect();
        let passwords: Vec<_> = (0..JOBS).map(|i| SecretBytes::new(format!("self-test {i}").into_bytes())).collect();
        let jobs: Vec<_> = kdfs.iter().zip(&passwords).map(|(kdf, password)| Job { kdf, password }).collect();
        // Filled in one go, and cut so that one and two registers come alone, partly filled, too.
        for size in [JOBS, 1, path.width() + 1] {
            let mut deriver = Deriver::untested(path, 1 << 20);
            let mut digest = Sha256::new();
            for jobs in jobs.chunks(size) {
                for key in deriver.derive(jobs) {
                    digest.update(key.map_err(|_| PathError::WrongAnswer(path))?.0.as_slice());
                }
            }
            if digest.finalize().as_slice() != EXPECTED {
                return Err(PathError::WrongAnswer(path));
            }
        }
        Ok(Self(path))
    }

    /// The path.
    #[must_use]
    pub fn path(self) -> Path {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_this_cpu_passes() {
        for path in Path::ALL {
            let expected = if path.is_supported() { Ok(Tested(path)) } else { Err(PathError::NotSupported(path)) };
            assert_eq!(Tested::new(path), expected);
        }
    }
}
