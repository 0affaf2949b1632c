//! The console blocks of the README are run, and say what they say there.
#![expect(clippy::disallowed_methods, reason = "a test touches the disk, runs programs and fails by panicking")]

use std::path::Path;
use std::process::Command;

/// Every command of every ```console block, in one folder and in order, through a shell. A line `...` stands for any
/// number of lines.
#[test]
fn console_blocks_of_the_readme_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root.join("fixtures"), folder.path().join("fixtures")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_dvkey")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut commands = 0;
    for block in readme.split("```console\n").skip(1) {
        let (block, _) = block.split_once("\n```").unwrap();
        for step in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            let output = Command::new("sh")
                .args(["-c", &format!("{{ {command}\n}} 2>&1")])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(fits(&lines(expected), &lines(&said)), "$ {command}\n{said}\n--- the README has\n{expected}");
            commands += 1;
        }
    }
    assert_eq!(commands, 29, "commands were added or lost: say how many there are");
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn fits(expected: &[&str], said: &[&str]) -> bool {
    match (expected, said) {
        ([], said) => said.is_empty(),
        (["...", rest @ ..], said) => {
            (0..=said.len()).any(|skipped| said.get(skipped..).is_some_and(|said| fits(rest, said)))
        }
        ([first, rest @ ..], [line, said @ ..]) => first == line && fits(rest, said),
        (_, []) => false,
    }
}

#[test]
fn the_comparison_can_fail() {
    assert!(fits(&["a", "...", "c"], &["a", "b", "b", "c"]));
    assert!(fits(&["a", "..."], &["a"]));
    assert!(!fits(&["a"], &["a", "b"]));
    assert!(!fits(&["a", "b"], &["a"]));
    assert!(!fits(&["a", "...", "c"], &["a", "b"]));
}
