//! Killed, interrupted, or running into a wall: nothing half-made is left, and the next run works.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::dvkey;
use crate::keystore_maker::{scrypt_keystore, secret};
use crate::{OWNER, split, stderr, workshop};

/// Six keystores that take a moment each.
fn slow_keystores(folder: &std::path::Path, n: u64) {
    let keystores = folder.join("slow");
    std::fs::create_dir(&keystores).unwrap();
    std::fs::write(folder.join("pw"), "pw").unwrap();
    for number in 1..=6 {
        let keystore = scrypt_keystore(&secret(number), b"pw", n);
        std::fs::write(keystores.join(format!("k{number}.json")), keystore.to_string()).unwrap();
    }
}

/// Starts a split of a few keystores, one after the other on the slowest path.
fn start(folder: &std::path::Path, options: &[&str]) -> Child {
    if !folder.join("slow").exists() {
        slow_keystores(folder, 1 << 14);
    }
    Command::new(env!("CARGO_BIN_EXE_dvkey"))
        .current_dir(folder)
        .env("DVKEY_KDF", "crate")
        .args(["split", "slow", "--operators", "operators.json", "--owner", OWNER, "--nonce", "0"])
        .args(["--network", "hoodi", "--password-file", "pw", "--out", "out", "--jobs", "1"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whole or absent: no file, not even a hidden one, but the two that belong together.
fn is_clean(folder: &std::path::Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join("out")) else { return true };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.is_empty() || names == ["keyshares.json", "provenance.json"] || names == ["provenance.json"]
}

#[test]
fn kill_9_leaves_nothing_half_made() {
    for delay in (0..14).map(|step| step * 55) {
        let folder = workshop();
        let mut child = start(folder.path(), &[]);
        std::thread::sleep(Duration::from_millis(delay));
        signal(&child, "KILL");
        child.wait().unwrap();
        assert!(is_clean(folder.path()), "after {delay} ms");
        if folder.path().join("out/keyshares.json").exists() {
            dvkey(folder.path()).args(["verify", "out", "-q", "--validators", "6"]).assert().success();
        } else {
            // The next run finds no obstacle.
            let mut again = start(folder.path(), &["--force"]);
            assert!(again.wait().unwrap().success(), "after {delay} ms");
            dvkey(folder.path()).args(["verify", "out", "-q", "--validators", "6"]).assert().success();
        }
    }
}

/// Replacing an earlier result, a killed run may leave hidden files; the result that stands is whole, and the next run
/// sweeps up.
#[test]
fn kill_9_while_replacing_leaves_a_whole_result() {
    let folder = workshop();
    assert!(start(folder.path(), &[]).wait().unwrap().success());
    for delay in (0..14).map(|step| step * 45) {
        let mut child = start(folder.path(), &["--force"]);
        std::thread::sleep(Duration::from_millis(delay));
        signal(&child, "KILL");
        child.wait().unwrap();
        for name in ["out/keyshares.json", "out/provenance.json"] {
            assert!(folder.path().join(name).exists(), "after {delay} ms");
        }
        dvkey(folder.path()).args(["inspect", "out"]).assert().success();
    }
    std::fs::write(folder.path().join("out/.dvkey-4194304-7.tmp"), "left over").unwrap();
    assert!(start(folder.path(), &["--force"]).wait().unwrap().success());
    dvkey(folder.path()).args(["verify", "out", "-q", "--validators", "6"]).assert().success();
    // What never was published is swept; what may be an earlier result is not.
    let names = std::fs::read_dir(folder.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{names:?}");
}

#[test]
fn interrupts_end_with_130_and_leave_nothing() {
    for name in ["INT", "TERM", "HUP"] {
        let folder = workshop();
        slow_keystores(folder.path(), 1 << 17);
        let child = start(folder.path(), &[]);
        std::thread::sleep(Duration::from_millis(250));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("interrupted; nothing was left behind"));
        assert!(!folder.path().join("out").exists(), "{name}");
    }
}

/// Two runs at once into one folder: one of them has it, the other is refused before it opens anything.
#[test]
fn two_runs_do_not_mix_their_files() {
    let folder = workshop();
    assert!(start(folder.path(), &[]).wait().unwrap().success());
    let mut refused = 0;
    for _ in 0..3 {
        let runs: Vec<_> = (0..3).map(|_| start(folder.path(), &["--force"])).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            if !output.status.success() {
                assert!(String::from_utf8(output.stderr).unwrap().contains("code: output.in-use "));
                refused += 1;
            }
        }
        dvkey(folder.path()).args(["verify", "out", "-q", "--validators", "6"]).assert().success();
    }
    assert!(refused > 0, "the runs did not overlap");
}

/// Without the right to write, the refusal comes before a password is looked for.
#[test]
fn walls_are_found_before_passwords() {
    let folder = workshop();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for out in ["file", "file/below", "/proc/out", "absent/below"] {
        let assert = split(folder.path(), "keystore-demo.json", &["--out", out, "--password-file", "absent"]).assert();
        let said = stderr(&assert);
        assert!(said.contains("code: output."), "{out}: {said}");
        assert!(!said.contains("password.source"), "{out}: {said}");
    }
}

/// A full disk, where the test may mount a tiny one.
#[test]
fn a_full_disk_is_code_6() {
    let folder = workshop();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a full disk can be made by root only");
        return;
    }
    let _unmount = Unmount(&disk);
    std::fs::write(disk.join("filler"), vec![0; 8192]).unwrap();
    let assert = split(folder.path(), "keystores", &["--out", "disk/out"]).assert().code(6);
    let said = stderr(&assert);
    assert!(said.contains("code: output.no-space "), "{said}");
    assert!(!disk.join("out").exists(), "something was left behind");
}

struct Unmount<'a>(&'a std::path::Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
