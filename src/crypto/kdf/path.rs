//! The ways to compute scrypt's mixing, and which of them this CPU has. All unsafe code of the derivation is here.

use super::Block;
#[cfg(not(target_arch = "x86_64"))]
use super::scalar;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, sse2};

/// A way to compute scrypt for r = 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The `scrypt` crate, one keystore at a time: the reference, and what serves odd parameters on every path.
    Crate,
    /// What every CPU of the kind has: SSE2 on x86-64, plain Rust elsewhere.
    Scalar,
    /// AVX2.
    Avx2,
    /// AVX-512 F.
    Avx512,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Crate, Self::Scalar, Self::Avx2, Self::Avx512];

    /// The widest that this CPU has.
    #[must_use]
    pub fn best() -> Self {
        *Self::ALL.iter().rfind(|path| path.is_supported()).unwrap_or(&Self::Crate)
    }

    /// Its name in messages and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crate => "crate",
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The path with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.name() == name)
    }

    /// Whether this CPU, and the system on it, can take the path.
    #[must_use]
    pub fn is_supported(self) -> bool {
        match self {
            Self::Crate | Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// How many keystores it mixes at once, at most; each takes memory for a table of its own.
    #[must_use]
    pub fn lanes(self) -> usize {
        match self {
            Self::Crate => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Scalar => sse2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::LANES,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Scalar | Self::Avx2 | Self::Avx512 => 1,
        }
    }

    /// How many keystores share a register: they cost hardly more than one of them.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::WIDTH,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::WIDTH,
            _ => 1,
        }
    }

    /// SMix of RFC 7914 on up to [`Path::lanes`] blocks, with a table of `n` blocks for each. `false` where the CPU
    /// cannot take the path, or it is that of the crate, which has no SMix to call; the blocks are untouched then.
    pub(super) fn smix(self, blocks: &mut [Block], n: usize, table: &mut [u8]) -> bool {
        match self {
            Self::Crate => false,
            #[cfg(target_arch = "x86_64")]
            Self::Scalar => {
                #[expect(unsafe_code, reason = "a function with a target feature is called from one without")]
                // SAFETY: the callee needs SSE2, which is part of x86-64; its arguments are checked by safe code.
                unsafe {
                    sse2::smix(blocks, n, table);
                }
                true
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if is_x86_feature_detected!("avx2") => {
                #[expect(unsafe_code, reason = "a function with a target feature is called from one without")]
                // SAFETY: the callee needs AVX2, which CPU and system have: the guard of this arm asked them. Its
                // arguments are checked by safe code.
                unsafe {
                    avx2::smix(blocks, n, table);
                }
                true
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if is_x86_feature_detected!("avx512f") => {
                #[expect(unsafe_code, reason = "a function with a target feature is called from one without")]
                // SAFETY: the callee needs AVX-512 F, which CPU and system have: the guard of this arm asked them. Its
                // arguments are checked by safe code.
                unsafe {
                    avx512::smix(blocks, n, table);
                }
                true
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Scalar => {
                for block in blocks {
                    scalar::smix(block, n, table);
                }
                true
            }
            Self::Avx2 | Self::Avx512 => false,
        }
    }
}
