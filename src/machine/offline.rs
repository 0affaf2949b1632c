//! Gives up the right to open and use sockets, so that nothing read here can leave by network.

use std::fmt;

use thiserror::Error;

/// Whether the process is cut off from the network.
#[derive(Debug)]
pub enum Offline {
    /// The kernel refuses sockets to every thread of this process and all its future children.
    Enforced,
    /// Nothing stops this process from using the network.
    NotEnforced(NotEnforced),
}

/// Why the network could not be given up.
#[derive(Debug)]
pub enum NotEnforced {
    /// There is no such filter for this operating system or processor.
    Platform,
    /// The kernel refused the filter.
    KernelRefused {
        /// Its report.
        report: String,
    },
    /// One thread could not be made to accept the filter.
    ThreadRefused,
}

impl fmt::Display for NotEnforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => {
                write!(f, "no system call filter for {} on {}", std::env::consts::OS, std::env::consts::ARCH)
            }
            Self::KernelRefused { report } => write!(f, "the kernel refused the filter: {report}"),
            Self::ThreadRefused => f.write_str("a thread could not be filtered"),
        }
    }
}

/// Why the filter could not be built. A defect of this program, not of the machine.
#[derive(Debug, Error)]
#[error("the system call filter could not be built: {report}")]
pub struct OfflineError {
    /// What the filter compiler said.
    pub report: String,
}

/// Makes the kernel refuse sockets, with EPERM, to all threads of this process and to every
/// program it starts from now on. There is no way back.
///
/// # Errors
/// [`OfflineError`] if the filter cannot be built. A kernel or platform without filters is not
/// an error but [`Offline::NotEnforced`].
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn go_offline() -> Result<Offline, OfflineError> {
    use seccompiler::{BpfProgram, Error, SeccompAction, SeccompFilter, apply_filter_all_threads};

    let unbuilt = |error: seccompiler::BackendError| OfflineError { report: error.to_string() };
    let arch = std::env::consts::ARCH.try_into().map_err(unbuilt)?;
    // No conditions on arguments: whatever is asked of these calls, the answer is no. Calls by
    // way of another architecture's entry (32-bit programs on x86-64) end the process; the
    // compiled filter begins with that check.
    let rules = numbers::refused().map(|number| (number, Vec::new())).collect();
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(numbers::EPERM), arch).map_err(unbuilt)?;
    let program: BpfProgram = filter.try_into().map_err(unbuilt)?;
    match apply_filter_all_threads(&program) {
        Ok(()) => Ok(Offline::Enforced),
        Err(Error::ThreadSync(_)) => Ok(Offline::NotEnforced(NotEnforced::ThreadRefused)),
        Err(error @ (Error::Prctl(_) | Error::Seccomp(_))) => {
            Ok(Offline::NotEnforced(NotEnforced::KernelRefused { report: error.to_string() }))
        }
        Err(error) => Err(OfflineError { report: error.to_string() }),
    }
}

/// Says that this platform has no filter.
///
/// # Errors
/// None here; elsewhere [`OfflineError`] if the filter cannot be built.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn go_offline() -> Result<Offline, OfflineError> {
    Ok(Offline::NotEnforced(NotEnforced::Platform))
}

/// The refused system calls.
///
/// Opening, connecting, accepting and sending are refused for the obvious reason. Receiving is
/// refused because a message can carry an open socket from another process; `pidfd_getfd`
/// because it takes one without being sent it. `setsockopt` could turn an inherited socket into
/// something else. `io_uring` does all of this without the calls
/// above. `ptrace` and `process_vm_*` would make another process, one without a filter, do it.
/// Plain reading and writing of inherited descriptors stays: standard output may be a socket.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod numbers {
    /// "Operation not permitted", the same number on both architectures.
    pub(super) const EPERM: u32 = 1;

    /// Numbers shared by all architectures.
    const COMMON: [i64; 4] = [
        425, // io_uring_setup
        426, // io_uring_enter
        427, // io_uring_register
        438, // pidfd_getfd
    ];

    #[cfg(target_arch = "x86_64")]
    const NATIVE: [i64; 17] = [
        41,  // socket
        42,  // connect
        43,  // accept
        44,  // sendto
        45,  // recvfrom
        46,  // sendmsg
        47,  // recvmsg
        49,  // bind
        50,  // listen
        53,  // socketpair
        54,  // setsockopt
        101, // ptrace
        288, // accept4
        299, // recvmmsg
        307, // sendmmsg
        310, // process_vm_readv
        311, // process_vm_writev
    ];

    /// Calls for which the x32 ABI has numbers of its own.
    #[cfg(target_arch = "x86_64")]
    const X32_OWN: [i64; 9] = [
        517, // recvfrom
        518, // sendmsg
        519, // recvmsg
        521, // ptrace
        537, // recvmmsg
        538, // sendmmsg
        539, // process_vm_readv
        540, // process_vm_writev
        541, // setsockopt
    ];

    #[cfg(target_arch = "x86_64")]
    const X32_BIT: i64 = 0x4000_0000;

    /// x32 programs share the architecture tag of x86-64, so the filter's own check lets them
    /// through: every number is refused with and without the x32 bit. The 512-range is too,
    /// because older kernels reached it without the bit.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn refused() -> impl Iterator<Item = i64> {
        COMMON.into_iter().chain(NATIVE).chain(X32_OWN).flat_map(|number| [number, number | X32_BIT])
    }

    #[cfg(target_arch = "aarch64")]
    const NATIVE: [i64; 17] = [
        117, // ptrace
        198, // socket
        199, // socketpair
        200, // bind
        201, // listen
        202, // accept
        203, // connect
        206, // sendto
        207, // recvfrom
        208, // setsockopt
        211, // sendmsg
        212, // recvmsg
        242, // accept4
        243, // recvmmsg
        269, // sendmmsg
        270, // process_vm_readv
        271, // process_vm_writev
    ];

    #[cfg(target_arch = "aarch64")]
    pub(super) fn refused() -> impl Iterator<Item = i64> {
        COMMON.into_iter().chain(NATIVE)
    }
}

/// Whether the kernel refuses this thread a socket. Opens one for an instant if it does not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "asking for a socket is the only way to see it refused")]
pub fn is_offline() -> bool {
    std::net::UdpSocket::bind(("127.0.0.1", 0))
        .is_err_and(|error| error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()))
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[expect(clippy::disallowed_methods, reason = "the tests use the very calls that must fail")]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::Command;
    use std::sync::mpsc;

    use super::*;

    const CHILD: &str = "DVKEY_TEST_OFFLINE_CHILD";

    /// The filter cannot be lifted, so it goes on in a process of its own.
    #[test]
    fn sockets_are_refused_to_all_threads() {
        assert!(!is_offline());
        let module = module_path!().split_once("::").unwrap().1;
        let status = Command::new(std::env::current_exe().unwrap())
            .arg(format!("{module}::filtered_process"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
    }

    #[test]
    fn filtered_process() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let (go, wait) = mpsc::channel();
        let earlier = std::thread::spawn(move || {
            wait.recv().unwrap();
            everything_is_refused();
        });
        // Opened before: the filter must also stop the use of what is already there.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        match go_offline().unwrap() {
            Offline::Enforced => {}
            Offline::NotEnforced(reason) => {
                let mut loud = std::io::stderr();
                writeln!(loud, "SKIPPED: sockets_are_refused_to_all_threads: {reason}").unwrap();
                return;
            }
        }
        go.send(()).unwrap();
        everything_is_refused();
        refused(socket.send_to(b"x", address));
        refused(socket.recv_from(&mut [0]));
        earlier.join().unwrap();
        let inherited = Command::new("/bin/sh").args(["-c", "exit 7"]).status().unwrap();
        assert_eq!(inherited.code(), Some(7));
        assert!(matches!(go_offline().unwrap(), Offline::Enforced));
    }

    fn everything_is_refused() {
        refused(TcpStream::connect("127.0.0.1:9"));
        refused(TcpStream::connect("[::1]:9"));
        refused(TcpListener::bind("127.0.0.1:0"));
        refused(UdpSocket::bind("127.0.0.1:0"));
        refused(UnixStream::pair());
        refused(UnixDatagram::unbound());
        assert!(is_offline());
    }

    fn refused<T>(result: std::io::Result<T>) {
        assert_eq!(result.err().and_then(|error| error.raw_os_error()), Some(1));
    }

    #[test]
    fn the_numbers_are_distinct() {
        let mut numbers: Vec<_> = numbers::refused().collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }
}
