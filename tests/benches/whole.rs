//! Whole runs of the program beside the key derivation alone: `cargo bench --bench whole`.
//!
//! For each size: `dvkey split` over a folder of keystores, as a process, and the same number of derivations with the
//! same library on as many threads, in this process. Times are the medians of several runs, taken in turn.
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dvkey::crypto::kdf::Kdf;
use dvkey_ceremony::SecretBytes;
use keystore_maker::{keystore, scrypt_keystore, secret};
use serde_json::Value;

const OWNER: &str = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494";

/// Wall-clock and processor seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

fn main() {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{jobs} threads; seconds, medians; the ratio is the whole run to the derivations alone\n");
    println!(
        "| n  | keystores | KDF    | wall  | CPU   | CPU ms/key | KDF wall | KDF CPU | wall ratio | CPU ratio | other CPU ms/key |"
    );
    println!(
        "|----|-----------|--------|-------|-------|------------|----------|---------|------------|-----------|------------------|"
    );
    for (vector, n) in [("P01", 4), ("P05", 13)] {
        for (count, standard, runs) in
            [(1, false, 9), (10, false, 9), (50, false, 9), (1, true, 5), (10, true, 3), (50, true, 1)]
        {
            let folder = tempfile::tempdir().unwrap();
            let kdf = prepare(folder.path(), vector, count, standard);
            let mut whole = Vec::new();
            let mut alone = Vec::new();
            for _ in 0..runs {
                whole.push(measure(|| run(folder.path())));
                alone.push(measure(|| derive(&kdf, count, jobs)));
            }
            let (whole, alone) = (median(&whole), median(&alone));
            let keys = f64::from(count);
            println!(
                "| {n:<2} | {count:<9} | {:<6} | {:<5.3} | {:<5.2} | {:<10.1} | {:<8.3} | {:<7.2} | {:<10.3} | {:<9.3} | {:<16.2} |",
                if standard { "scrypt" } else { "cheap" },
                whole.wall,
                whole.cpu,
                whole.cpu / keys * 1000.0,
                alone.wall,
                alone.cpu,
                whole.wall / alone.wall.max(1e-9),
                whole.cpu / alone.cpu.max(1e-9),
                (whole.cpu - alone.cpu) / keys * 1000.0,
            );
        }
    }
}

/// Makes the keystores; returns the derivation that each of them asks for.
fn prepare(folder: &Path, vector: &str, count: u8, standard: bool) -> Kdf {
    let path = format!("{}/fixtures/ssv-split/{vector}.json", env!("CARGO_MANIFEST_DIR"));
    let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    std::fs::write(folder.join("operators.json"), serde_json::to_vec(&vector["operatorsInputOrder"]).unwrap()).unwrap();
    std::fs::write(folder.join("pw"), "password").unwrap();
    std::fs::create_dir(folder.join("keystores")).unwrap();
    for number in 1..=count {
        let made = if standard {
            scrypt_keystore(&secret(number), b"password", 1 << 18)
        } else {
            keystore(&secret(number), b"password")
        };
        std::fs::write(folder.join(format!("keystores/{number}.json")), made.to_string()).unwrap();
    }
    match standard {
        true => Kdf::scrypt(1 << 18, 8, 1, vec![9; 32]).unwrap(),
        false => Kdf::Pbkdf2 { c: 16, salt: vec![9; 32] },
    }
}

fn run(folder: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .args(["split", "keystores", "--operators", "operators.json", "--owner", OWNER, "--nonce", "0"])
        .args(["--network", "hoodi", "--password-file", "pw", "--out", "out", "--force", "-q", "--no-input"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

fn derive(kdf: &Kdf, count: u8, jobs: usize) {
    let left = AtomicUsize::new(count.into());
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while take() {
                    kdf.derive(&SecretBytes::new(b"password".to_vec())).unwrap();
                }
            });
        }
    });
}

fn measure(work: impl FnOnce()) -> Cost {
    let (started, before) = (Instant::now(), cpu_seconds());
    work();
    Cost { wall: started.elapsed().as_secs_f64(), cpu: cpu_seconds() - before }
}

/// User and system time of this process and of the children it waited for.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 14 to 17 of proc(5), in ticks of a hundredth of a second.
    fields[11..15].iter().map(|field| field.parse::<f64>().unwrap() / 100.0).sum()
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        wall: middle(costs.iter().map(|cost| cost.wall).collect()),
        cpu: middle(costs.iter().map(|cost| cost.cpu).collect()),
    }
}
