//! Batches as whole processes: `cargo bench --bench batch`. Rows a second, processor time a row, peak memory.
//!
//! 1,000 rows with a cheap derivation show what everything else costs; 64 with the standard one show the derivation.
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

use keystore_maker::{keystore, scrypt_keystore, secret};
use serde_json::Value;

const OWNER: &str = "0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494";

fn main() {
    println!("| n  | rows | KDF    | step   | wall s | rows/s | CPU ms/row | peak MiB |");
    println!("|----|------|--------|--------|--------|--------|------------|----------|");
    for (vector, n) in [("P01", 4), ("P05", 13)] {
        for (rows, standard) in [(1000_u16, false), (64, true)] {
            let folder = tempfile::tempdir().unwrap();
            prepare(folder.path(), vector, rows, standard);
            let steps: [(&str, &[&str]); 4] = [
                ("plan", &["plan", "--manifest", "m.csv", "--out", "plan.jsonl"]),
                ("run", &["run", "plan.jsonl", "--work", "work", "--password-file", "pw", "--no-input"]),
                ("resume", &["run", "plan.jsonl", "--work", "work", "--password-file", "pw", "--no-input"]),
                ("merge", &["merge", "plan.jsonl", "--work", "work", "--out", "merged"]),
            ];
            for (step, arguments) in steps {
                let before = cpu_seconds();
                let (wall, peak) = measure(folder.path(), arguments);
                let (cpu, count) = (cpu_seconds() - before, f64::from(rows));
                println!(
                    "| {n:<2} | {rows:<4} | {:<6} | {step:<6} | {wall:<6.2} | {:<6.0} | {:<10.2} | {:<8.1} |",
                    if standard { "scrypt" } else { "cheap" },
                    count / wall,
                    cpu / count * 1000.0,
                    peak / 1024.0
                );
            }
        }
    }
}

fn prepare(folder: &Path, vector: &str, rows: u16, standard: bool) {
    let path = format!("{}/fixtures/ssv-split/{vector}.json", env!("CARGO_MANIFEST_DIR"));
    let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    std::fs::write(folder.join("operators.json"), serde_json::to_vec(&vector["operatorsInputOrder"]).unwrap()).unwrap();
    std::fs::write(folder.join("pw"), "password").unwrap();
    std::fs::create_dir(folder.join("ks")).unwrap();
    for number in 1..=rows {
        let [high, low] = number.to_be_bytes();
        let mut key = secret(low);
        key[30] = high;
        let made = if standard { scrypt_keystore(&key, b"password", 1 << 18) } else { keystore(&key, b"password") };
        std::fs::write(folder.join(format!("ks/{number}.json")), made.to_string()).unwrap();
    }
    let manifest = format!("keystore,operators,owner,nonce,network\nks,operators.json,{OWNER},0,hoodi\n");
    std::fs::write(folder.join("m.csv"), manifest).unwrap();
}

/// Wall-clock seconds, and the most memory that the process had, in KiB.
fn measure(folder: &Path, arguments: &[&str]) -> (f64, f64) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .args(["batch", "-q"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0.0_f64;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak = peak.max(most.unwrap_or(0.0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return (started.elapsed().as_secs_f64(), peak);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// User and system time of the children that this process waited for.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Fields 16 and 17 of proc(5), in ticks of a hundredth of a second.
    fields[13..15].iter().map(|field| field.parse::<f64>().unwrap() / 100.0).sum()
}
