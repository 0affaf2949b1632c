//! Whole runs of the program: `cargo bench --bench whole`.
//!
//! `dvkey split` over a folder of keystores, as a process: 64 usual keystores and one alone on every path of the key
//! derivation that this CPU has, and 1,000 keystores with a derivation that costs nothing. User and system time stand
//! apart, since the system's part is the first use of memory, which differs between machines as little else does. Runs
//! on the paths are made in turn, so that other load on the machine falls on all of them; times are medians.
//! `DVKEY_BENCH_RUNS` says how many runs (3).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark touches the disk, prints its table and fails by panicking"
)]

#[path = "../cli/keystore_maker.rs"]
mod keystore_maker;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dvkey::crypto::kdf::Path as KdfPath;
use keystore_maker::{keystore, scrypt_keystore, secret};
use serde_json::Value;

const OWNER: &str = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494";

/// What a run took: seconds, and bytes at the highest.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    user: f64,
    system: f64,
    memory: f64,
}

fn main() {
    let runs = std::env::var("DVKEY_BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{}, {jobs} threads, medians of {runs} runs\n", cpu_name());
    println!("| keystores | operators | KDF    | path   | rows/s | user ms/row | system ms/row | peak MiB |");
    println!("|-----------|-----------|--------|--------|--------|-------------|---------------|----------|");
    let mut paths: Vec<_> = KdfPath::ALL.into_iter().filter(|path| path.is_supported()).collect();
    paths.reverse();
    for count in [64, 1] {
        measure("P01", (count, 4), true, &paths, runs);
    }
    for (vector, n) in [("P01", 4), ("P05", 13)] {
        measure(vector, (1000, n), false, paths.get(..1).unwrap_or_default(), runs);
    }
}

fn measure(vector: &str, (count, n): (u16, u8), standard: bool, paths: &[KdfPath], runs: usize) {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), vector, count, standard);
    let mut costs = vec![Vec::new(); paths.len()];
    for _ in 0..runs {
        for (path, costs) in paths.iter().zip(&mut costs) {
            costs.push(run(folder.path(), *path));
        }
    }
    for (path, costs) in paths.iter().zip(&costs) {
        let rows = f64::from(count);
        let median = |what: fn(&Cost) -> f64| {
            let mut values: Vec<_> = costs.iter().map(what).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {count:<9} | {n:<9} | {:<6} | {:<6} | {:<6.1} | {:<11.2} | {:<13.2} | {:<8.0} |",
            if standard { "scrypt" } else { "cheap" },
            path.name(),
            rows / median(|cost| cost.wall),
            median(|cost| cost.user) / rows * 1000.0,
            median(|cost| cost.system) / rows * 1000.0,
            median(|cost| cost.memory) / 1024.0,
        );
    }
}

fn cpu_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown CPU".to_owned(), |name| name.trim_start_matches(['\t', ' ', ':']).to_owned())
}

/// Makes the keystores. All secrets and salts differ.
fn prepare(folder: &Path, vector: &str, count: u16, standard: bool) {
    let path = format!("{}/fixtures/ssv-split/{vector}.json", env!("CARGO_MANIFEST_DIR"));
    let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    std::fs::write(folder.join("operators.json"), serde_json::to_vec(&vector["operatorsInputOrder"]).unwrap()).unwrap();
    std::fs::write(folder.join("pw"), "password").unwrap();
    std::fs::create_dir(folder.join("keystores")).unwrap();
    for number in 1..=count {
        let [high, low] = number.to_be_bytes();
        let mut secret = secret(low);
        secret[30] = high;
        let made =
            if standard { scrypt_keystore(&secret, b"password", 1 << 18) } else { keystore(&secret, b"password") };
        std::fs::write(folder.join(format!("keystores/{number}.json")), made.to_string()).unwrap();
    }
}

fn run(folder: &Path, path: KdfPath) -> Cost {
    let (started, (user, system)) = (Instant::now(), children_seconds());
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .env("DVKEY_KDF", path.name())
        .args(["split", "keystores", "--operators", "operators.json", "--owner", OWNER, "--nonce", "0"])
        .args(["--network", "hoodi", "--password-file", "pw", "--out", "out", "--force", "-q", "--no-input"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut memory = 0.0_f64;
    let status = loop {
        memory = memory.max(peak(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = started.elapsed().as_secs_f64();
    assert!(status.success());
    let (user_after, system_after) = children_seconds();
    Cost { wall, user: user_after - user, system: system_after - system, memory }
}

/// The most memory that a process has had at once, in KiB.
fn peak(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

/// User and system time of the children that this process waited for.
fn children_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 16 and 17 of proc(5), in ticks of a hundredth of a second.
    (fields[13].parse::<f64>().unwrap() / 100.0, fields[14].parse::<f64>().unwrap() / 100.0)
}
