//! Keeps the memory of this process out of core dumps and away from debuggers.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;

/// Why the process could not be hardened.
#[derive(Debug, Error)]
pub enum HardenError {
    /// The size of core dumps could not be limited.
    #[error("limiting core dumps: {error}")]
    CoreLimit {
        /// The system's report.
        error: io::Error,
    },
    /// The process could not be marked as not dumpable.
    #[error("marking the process as not dumpable: {error}")]
    NotDumpable {
        /// The system's report.
        error: io::Error,
    },
}

/// Forbids core dumps of this process for good.
///
/// The limit alone does not stop a kernel that pipes dumps into a collector, and a collector
/// would write the secrets to disk; on Linux the process is therefore marked as not dumpable,
/// which also keeps other processes of the same user from attaching to it.
///
/// # Errors
/// [`HardenError`] naming the step the system refused.
pub fn forbid_core_dumps() -> Result<(), HardenError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|errno| HardenError::CoreLimit { error: errno.into() })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|errno| HardenError::NotDumpable { error: errno.into() })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::getrlimit;

    use super::*;

    #[test]
    fn the_limit_is_zero_for_good() {
        forbid_core_dumps().unwrap();
        forbid_core_dumps().unwrap();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }
}
