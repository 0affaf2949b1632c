//! Randomness of the operating system, the only source there is.

use getrandom::SysRng;
use getrandom::rand_core::{TryRng, UnwrapErr};

/// The system's randomness, as the core takes it: a failure is an error.
#[must_use]
pub fn system() -> SysRng {
    SysRng
}

/// The system's randomness, as the RSA library takes it: a failure would panic, so [`check`] is called first.
#[must_use]
pub fn system_infallible() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// The operating system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness(#[source] getrandom::Error);

/// Proves that the operating system gives randomness now. Once it does, it does not stop.
///
/// # Errors
/// [`NoRandomness`].
pub fn check() -> Result<(), NoRandomness> {
    let mut probe = [0; 32];
    SysRng.try_fill_bytes(&mut probe).map_err(NoRandomness)
}

/// Fresh bytes for what need not be secret but must never repeat: salts, counters, names.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}
