//! Tests of the output directory: on this file system, on poorer, full and read-only ones, and
//! without privileges.
#![expect(clippy::disallowed_methods, reason = "the tests look at the disk from the side")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::*;

const NAMES: [&str; 3] = ["a.json", "b.json", "c.json"];

fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    found.sort();
    found
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn staged(out: &OutputDir, bytes: &[u8]) -> Vec<Staged> {
    NAMES
        .into_iter()
        .zip([Mode::Public, Mode::Secret, Mode::Public])
        .map(|(name, mode)| {
            let mut staged = out.stage(name, bytes, mode).unwrap();
            assert_eq!(staged.read_back().unwrap(), bytes);
            assert!(staged.mode_is_kept());
            staged
        })
        .collect()
}

fn stop(at: usize) -> impl FnMut(usize) -> Result<(), WriteError> {
    move |position| {
        if position == at { Err(WriteError::NoSpace { path: "hook".into() }) } else { Ok(()) }
    }
}

/// Everything that must hold on any file system that can publish without replacing.
fn life_of_a_directory(home: &Path) {
    let path = home.join("out");
    OutputDir::check(&path, &NAMES, false).unwrap();
    assert!(!path.exists());
    drop(OutputDir::prepare(&path, &NAMES, false).unwrap());
    assert!(!path.exists(), "an unused directory goes away");

    for at in 0..=NAMES.len() {
        let out = OutputDir::prepare(&path, &NAMES, false).unwrap();
        assert!(out.is_new());
        let files = staged(&out, b"new");
        assert!(out.publish_with(files, stop(at)).is_err());
        assert!(!path.exists(), "failure {at} leaves nothing");
    }

    let out = OutputDir::prepare(&path, &NAMES, false).unwrap();
    assert_eq!(content(&path), [], "the proof is gone");
    let files = staged(&out, b"one");
    let published = out.publish(files).unwrap();
    assert_eq!(published, NAMES.map(|name| path.join(name)));
    let whole = |bytes: &[u8]| NAMES.map(|name| (name.to_owned(), bytes.to_vec()));
    assert_eq!(content(&path), whole(b"one"));
    assert_eq!(mode_of(&path), 0o755);
    assert_eq!(NAMES.map(|name| mode_of(&path.join(name))), [0o644, 0o600, 0o644]);

    assert!(matches!(OutputDir::check(&path, &NAMES, false), Err(WriteError::Exists { .. })));
    for at in 0..=NAMES.len() {
        let out = OutputDir::prepare(&path, &NAMES, true).unwrap();
        let files = staged(&out, b"two");
        assert!(out.publish_with(files, stop(at)).is_err());
        assert_eq!(content(&path), whole(b"one"), "failure {at} restores");
    }
    let out = OutputDir::prepare(&path, &NAMES, true).unwrap();
    let files = staged(&out, b"two");
    out.publish(files).unwrap();
    assert_eq!(content(&path), whole(b"two"));
    assert_eq!(NAMES.map(|name| mode_of(&path.join(name))), [0o644, 0o600, 0o644]);
}

/// A name taken between preparing and publishing.
fn a_late_comer_is_kept(home: &Path) {
    let path = home.join("late");
    let out = OutputDir::prepare(&path, &NAMES, false).unwrap();
    let files = staged(&out, b"new");
    symlink("nowhere", path.join("c.json")).unwrap();
    let error = out.publish(files).unwrap_err();
    assert!(matches!(&error, WriteError::Exists { path } if path.ends_with("c.json")));
    assert_eq!(content(&path), [("c.json".to_owned(), Vec::new())]);
}

#[test]
fn whole_or_absent() {
    let home = tempfile::tempdir().unwrap();
    life_of_a_directory(home.path());
    a_late_comer_is_kept(home.path());
}

#[test]
fn unsuitable_places_are_named() {
    use WriteError as E;
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("file"), b"").unwrap();
    std::fs::create_dir(at("out")).unwrap();
    std::fs::create_dir(at("out/dir")).unwrap();
    symlink("nowhere", at("out/link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    let check = |path: &str, name: &str, overwrite| {
        let checked = OutputDir::check(&at(path), &[name], overwrite);
        let prepared = OutputDir::prepare(&at(path), &[name], overwrite);
        assert_eq!(checked.is_ok(), prepared.is_ok());
        checked
    };
    assert!(matches!(check("file", "x", false), Err(E::NotADirectory { .. })));
    assert!(matches!(check("file/x", "x", false), Err(E::NotADirectory { .. })));
    assert!(matches!(check("dangling", "x", false), Err(E::NotADirectory { .. })));
    assert!(matches!(check("no/out", "x", false), Err(E::ParentMissing { .. })));
    assert!(matches!(check("out", "link", false), Err(E::Exists { .. })));
    assert!(matches!(check("out", "dir", false), Err(E::Exists { .. })));
    assert!(matches!(check("out", "dir", true), Err(E::NotAFile { .. })));
    for name in ["", ".", "..", "a/b", "a\0b"] {
        assert!(matches!(check("out", name, true), Err(E::BadName { .. })));
    }
    check("out", "link", true).unwrap();
    check("out", "x", false).unwrap();
    check("new/", "x", false).unwrap();
    assert!(!at("new").exists());
}

#[test]
fn a_replaced_link_leaves_its_target_alone() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("target"), b"precious").unwrap();
    symlink("target", home.path().join("name")).unwrap();
    let out = OutputDir::prepare(home.path(), &["name"], true).unwrap();
    let file = out.stage("name", b"new", Mode::Public).unwrap();
    out.publish(vec![file]).unwrap();
    let found = content(home.path());
    assert_eq!(found, [("name".into(), b"new".to_vec()), ("target".into(), b"precious".to_vec())]);
}

const SCENE: &str = "DVKEY_TEST_OUTPUT_SCENE";
const HOME: &str = "DVKEY_TEST_OUTPUT_HOME";

/// Runs [`scene`] of this test binary as a process of its own, started by `wrapper` if any.
fn play(wrapper: &[&str], name: &str, home: &Path) -> std::process::ExitStatus {
    let exe = std::env::current_exe().unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = match wrapper {
        [] => Command::new(&exe),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(&exe);
            command
        }
    };
    command
        .arg(format!("{module}::scene"))
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .env(SCENE, name)
        .env(HOME, home)
        .status()
        .unwrap()
}

#[test]
fn scene() {
    let Ok(name) = std::env::var(SCENE) else {
        return;
    };
    let home = PathBuf::from(std::env::var_os(HOME).unwrap());
    let home = home.as_path();
    rustix::process::umask(Bits::from_raw_mode(0o077));
    match name.as_str() {
        "umask" => {}
        "nobody" => {
            assert!(!rustix::process::geteuid().is_root());
            crate::machine::harden::forbid_core_dumps().unwrap();
            let shut = home.join("shut");
            std::fs::create_dir(&shut).unwrap();
            std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o555)).unwrap();
            for path in [shut.clone(), shut.join("new")] {
                assert!(matches!(OutputDir::check(&path, &NAMES, false), Err(WriteError::PermissionDenied { .. })));
            }
            let out = OutputDir::prepare(home, &NAMES, false).unwrap();
            let file = out.stage("x", b"", Mode::Secret).unwrap();
            #[cfg(target_os = "linux")]
            assert!(!content(home).iter().any(|(name, _)| name.starts_with('.')));
            out.publish(vec![file]).unwrap();
        }
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        poorer => poor::restrict(poorer),
        #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
        _ => {}
    }
    if name == "neither" {
        poor_beyond_help(home);
    } else {
        life_of_a_directory(home);
        a_late_comer_is_kept(home);
    }
}

/// No way to publish without replacing: refused, and nothing left. Replacing still works.
fn poor_beyond_help(home: &Path) {
    let path = home.join("out");
    let out = OutputDir::prepare(&path, &NAMES, false).unwrap();
    let files = staged(&out, b"new");
    let error = out.publish(files).unwrap_err();
    assert!(matches!(error, WriteError::NoAtomicPublish { .. }));
    assert!(!path.exists());
    std::fs::create_dir(&path).unwrap();
    for name in NAMES {
        std::fs::write(path.join(name), b"old").unwrap();
    }
    for (at, bytes) in [(0, b"old"), (1, b"old"), (3, b"old"), (9, b"new")] {
        let out = OutputDir::prepare(&path, &NAMES, true).unwrap();
        let files = staged(&out, b"new");
        assert_eq!(out.publish_with(files, stop(at)).is_ok(), at == 9);
        assert_eq!(content(&path), NAMES.map(|name| (name.to_owned(), bytes.to_vec())));
    }
}

/// Makes this process's kernel behave like file systems that can do less.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod poor {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        apply_filter_all_threads,
    };

    #[cfg(target_arch = "x86_64")]
    const OPENAT_RENAMEAT2_LINKAT: [i64; 3] = [257, 316, 265];
    #[cfg(target_arch = "aarch64")]
    const OPENAT_RENAMEAT2_LINKAT: [i64; 3] = [56, 276, 37];
    const O_TMPFILE_BIT: u64 = 0o20_000_000;
    const NO_RENAME_FLAGS: u64 = 0;

    pub(super) fn restrict(scene: &str) {
        let [openat, renameat2, linkat] = OPENAT_RENAMEAT2_LINKAT;
        let no_unnamed = || {
            let is_set = SeccompCmpOp::MaskedEq(O_TMPFILE_BIT);
            refuse(openat, Some((2, is_set, O_TMPFILE_BIT)), 95);
        };
        let no_flags = || refuse(renameat2, Some((4, SeccompCmpOp::Ne, NO_RENAME_FLAGS)), 22);
        let no_links = || refuse(linkat, None, 1);
        match scene {
            "no unnamed files" => no_unnamed(),
            "no unnamed files, no rename flags" => {
                no_unnamed();
                no_flags();
            }
            "no links" => no_links(),
            "no rename flags" => no_flags(),
            "neither" => {
                no_flags();
                no_links();
            }
            other => panic!("no scene {other}"),
        }
    }

    fn refuse(number: i64, when: Option<(u8, SeccompCmpOp, u64)>, errno: u32) {
        let rules = when
            .map(|(argument, operation, value)| {
                let is = SeccompCondition::new(argument, Dword, operation, value).unwrap();
                SeccompRule::new(vec![is]).unwrap()
            })
            .into_iter()
            .collect();
        let filter = SeccompFilter::new(
            [(number, rules)].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(errno),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        apply_filter_all_threads(&program).unwrap();
    }
}

#[test]
fn the_umask_and_poor_file_systems_do_not_matter() {
    for name in
        ["umask", "no unnamed files", "no unnamed files, no rename flags", "no links", "no rename flags", "neither"]
    {
        let home = tempfile::tempdir().unwrap();
        assert!(play(&[], name, home.path()).success(), "{name}");
    }
}

/// Says so on the real standard error, past the capture of passing tests.
fn skipped(what: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "SKIPPED: {what}").unwrap();
}

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped(&format!("{test}: needs root"));
    }
    root
}

#[test]
fn a_hardened_process_without_privileges_can_publish() {
    if !is_root("a_hardened_process_without_privileges_can_publish") {
        return;
    }
    let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let exe = std::env::current_exe().unwrap();
    let can_start = Command::new(wrapper[0]).args(&wrapper[1..]).args(["test", "-x"]).arg(&exe).status();
    if !can_start.is_ok_and(|status| status.success()) {
        skipped("a_hardened_process_without_privileges_can_publish: no setpriv");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).unwrap();
    assert!(play(&wrapper, "nobody", home.path()).success());
}

/// A file system of its own, gone on drop.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(test: &str, options: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(home.path()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            skipped(&format!("{test}: cannot mount"));
            return None;
        }
        Some(Self(home))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_device_stays_clean() {
    let Some(home) = Mounted::new("a_full_device_stays_clean", "size=64k,mode=755") else {
        return;
    };
    let path = home.0.path().join("out");
    let out = OutputDir::prepare(&path, &NAMES, false).unwrap();
    let first = out.stage("a.json", &vec![1; 30_000], Mode::Public).unwrap();
    let second = out.stage("b.json", &vec![2; 60_000], Mode::Public);
    assert!(matches!(second, Err(WriteError::NoSpace { .. })));
    drop((second, first, out));
    assert!(!path.exists());
    std::fs::write(home.0.path().join("filler"), vec![0; 65_536]).unwrap();
    assert!(matches!(OutputDir::prepare(&path, &NAMES, false), Err(WriteError::NoSpace { .. })));
    assert!(!path.exists());
}

#[test]
fn a_read_only_file_system_is_named() {
    let Some(home) = Mounted::new("a_read_only_file_system_is_named", "ro,size=64k") else {
        return;
    };
    for path in [home.0.path().to_path_buf(), home.0.path().join("new")] {
        assert!(matches!(OutputDir::check(&path, &NAMES, false), Err(WriteError::ReadOnly { .. })));
    }
}
