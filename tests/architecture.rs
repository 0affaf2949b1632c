//! The rules of the house, read from the sources: floors, purposes, unsafe code, dependencies, fixtures.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads the sources and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The floors of `src`, the lowest first; imports point down or stay. Floor 0 is the crate `dvkey-ceremony`, and floor 1,
/// `dvkey-crypto`, is a crate, too.
const FLOORS: [(&str, u8); 7] =
    [("crypto", 1), ("format", 2), ("store", 3), ("machine", 3), ("net", 3), ("workflow", 4), ("cli", 5)];

/// Files at the root of `src` that only join the floors.
const DOORS: [&str; 2] = ["src/lib.rs", "src/main.rs"];

/// The only files with unsafe code: blst's functions on scalars and points have no safe form, and neither has the call of
/// a function for a CPU that was asked what it can.
const UNSAFE_FILES: [&str; 3] = ["ceremony/src/scalar.rs", "ceremony/src/group.rs", "src/crypto/kdf/path.rs"];

/// Lines of a source file, at most.
const CEILING: usize = 700;

/// All that the pure core may depend on: arithmetic, hashes, signatures and ciphers, none of which opens a file or a
/// socket or asks the system for randomness. RSA is not among them: it comes in through a port, from `src/crypto`.
const CORE_DEPENDENCIES: [&str; 16] = [
    "aes-gcm",
    "argon2",
    "blst",
    "chacha20",
    "ed25519-dalek",
    "hex",
    "hkdf",
    "hmac",
    "rand_core",
    "scrypt",
    "sha2",
    "sha3",
    "subtle",
    "thiserror",
    "unicode-normalization",
    "zeroize",
];

/// Crates that speak a network protocol.
const NETWORK_CRATES: [&str; 8] = ["curl", "hyper", "openssl", "reqwest", "rustls", "socket2", "tokio", "ureq"];

/// What is built or found by machines, not written.
const NOT_SOURCES: [&str; 6] =
    [".git", "target", "dist", "tests/fuzz/target", "tests/fuzz/artifacts", "tests/fuzz/coverage"];

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src"]) {
        if DOORS.contains(&path.as_str()) {
            continue;
        }
        let modules = module_path(&path);
        let own = floor(&modules).unwrap_or_else(|| {
            panic!("{path}: no floor is known for this module; give it one in FLOORS of tests/architecture.rs")
        });
        for (line, name) in imports_from_root(&text, modules.len()) {
            if floor(&[&name]).is_some_and(|other| other > own) {
                wrong.push(format!("{path}:{line}: floor {own} imports crate::{name}, a higher floor"));
            }
        }
    }
    refuse(&wrong, "imports point down only: cli > workflow > store, machine, net > format > crypto > ceremony");
}

#[test]
fn every_file_starts_with_its_purpose() {
    let states = |text: &str| text.lines().next().and_then(|line| line.strip_prefix("//! ")).is_some();
    let wrong = files_where(&["src", "ceremony/src", "tests"], |text| !states(text));
    refuse(&wrong, "the first line of a file is `//! ` and its purpose");
}

#[test]
fn no_file_outgrows_the_ceiling() {
    let wrong = files_where(&["src", "ceremony/src", "tests"], |text| text.lines().count() > CEILING);
    refuse(&wrong, "a file has 700 lines at most: one concept a file");
}

#[test]
fn unsafe_code_lives_in_two_files() {
    let mut wrong = places(&["src", "ceremony/src", "tests"], |word, _| word == "unsafe");
    wrong.retain(|place| !UNSAFE_FILES.iter().any(|file| place.starts_with(&format!("{file}:"))));
    refuse(&wrong, "unsafe code is in the files that tests/architecture.rs names, and nowhere else");
}

#[test]
fn nothing_prints_past_the_printer() {
    let macros = ["print", "println", "eprint", "eprintln", "dbg"];
    let wrong = places(&["src", "ceremony/src"], |word, rest| macros.contains(&word) && rest.starts_with('!'));
    refuse(&wrong, "only src/cli/ui/printer.rs writes to the terminal, and not by these macros");
}

#[test]
fn lints_are_expected_and_never_allowed() {
    let wrong = places(&["src", "ceremony/src"], |word, rest| word == "allow" && rest.starts_with('('));
    refuse(&wrong, "write #[expect(…, reason = \"…\")], which fails when it is no longer needed, not #[allow(…)]");
}

#[test]
fn the_core_depends_on_arithmetic_alone() {
    let manifest = read("ceremony/Cargo.toml");
    let found = dependencies(&manifest, |section| section != "dev-dependencies");
    let lawful = CORE_DEPENDENCIES.map(str::to_owned).into();
    assert_eq!(found, lawful, "dvkey-ceremony is pure: a new dependency is argued in tests/architecture.rs");
}

#[test]
fn every_check_of_the_ceremony_has_a_hostile_test() {
    let spec = read("ceremony/SPEC.md");
    let listed: BTreeSet<_> = spec.lines().filter_map(|line| line.strip_prefix("| C-")?.get(..2)).collect();
    let tests: Vec<_> = sources(&["ceremony/src"]).into_iter().map(|(_, text)| text).collect();
    let tested: BTreeSet<_> =
        tests.iter().flat_map(|text| text.split("fn c_").skip(1)).filter_map(|rest| rest.get(..2)).collect();
    assert!(listed.len() > 60, "SPEC.md was not understood");
    assert_eq!(listed, tested, "one test for each check, named after it: fn c_37_…");
}

#[test]
fn clippy_guards_the_doors() {
    let everywhere = ["std::fs::write", "std::net::TcpStream::connect"];
    let in_the_core = ["std::time::SystemTime::now"];
    let wrong: Vec<_> = everywhere
        .iter()
        .map(|method| ("clippy.toml", *method))
        .chain(everywhere.iter().chain(&in_the_core).map(|method| ("ceremony/clippy.toml", *method)))
        .filter(|(file, method)| !read(file).contains(&format!("{{ path = \"{method}\"")))
        .map(|(file, method)| format!("{file}: {method} is not disallowed"))
        .collect();
    refuse(&wrong, "clippy reads the nearest clippy.toml only, so each is complete");
}

#[test]
fn no_network_crate_is_linked() {
    let locked = locked_dependencies(&read("Cargo.lock"));
    let mut linked = BTreeSet::new();
    let mut next: Vec<String> = ["Cargo.toml", "ceremony/Cargo.toml", "src/crypto/Cargo.toml"]
        .iter()
        .flat_map(|manifest| dependencies(&read(manifest), |section| !section.ends_with("dev-dependencies")))
        .collect();
    while let Some(name) = next.pop() {
        let own = locked.get(&name).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"));
        if linked.insert(name) && !own.is_empty() {
            next.extend(own.iter().cloned());
        }
    }
    assert!(linked.contains("blst") && linked.contains("clap_builder"), "Cargo.lock was not understood");
    let wrong: Vec<_> = linked.into_iter().filter(|name| NETWORK_CRATES.contains(&name.as_str())).collect();
    refuse(&wrong, "offline means offline: nothing that speaks a network protocol is linked");
}

#[test]
fn fixtures_are_what_was_recorded() {
    let recorded: BTreeMap<String, String> = read("fixtures/SHA256SUMS")
        .lines()
        .map(|line| line.split_once("  ").expect("a line of SHA256SUMS is a digest, two blanks and a name"))
        .map(|(digest, name)| (format!("fixtures/{name}"), digest.to_owned()))
        .collect();
    let found: BTreeMap<String, String> = files("fixtures")
        .into_iter()
        .filter(|path| path != "fixtures/SHA256SUMS")
        .map(|path| (path.clone(), hex::encode(Sha256::digest(fs::read(at(&path)).unwrap()))))
        .collect();
    let names: BTreeSet<_> = recorded.keys().chain(found.keys()).collect();
    let wrong: Vec<_> = names
        .into_iter()
        .filter_map(|name| match (recorded.get(name), found.get(name)) {
            (Some(recorded), Some(found)) if recorded == found => None,
            (Some(_), Some(_)) => Some(format!("{name}: the content is not the recorded one")),
            (Some(_), None) => Some(format!("{name}: recorded, and not there")),
            (None, _) => Some(format!("{name}: there, and not recorded")),
        })
        .collect();
    refuse(&wrong, "fixtures/SHA256SUMS covers every file below fixtures; after an intended change: make sums");
}

#[test]
fn no_file_names_a_machine_path() {
    let folders = ["work", "home", "root", "Users", "tmp"].map(|folder| format!("/{folder}/"));
    // A path inside the tree may have such a part; a path of a machine starts with it.
    let inside = |before: char| before.is_alphanumeric() || "._-}/*".contains(before);
    let mut wrong = Vec::new();
    for path in files("") {
        let bytes = fs::read(at(&path)).unwrap();
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let names = |folder: &String| {
                let mut starts = line.match_indices(folder.as_str()).map(|(start, _)| line.split_at(start).0);
                starts.any(|before| !before.ends_with(inside))
            };
            // In a page for people, the folder for temporary files is advice.
            let advice = usize::from(path.ends_with(".md"));
            if folders.iter().rev().skip(advice).any(names) {
                wrong.push(format!("{path}:{}", number + 1));
            }
        }
    }
    refuse(&wrong, "no file names a path of the machine it was written on");
}

#[test]
fn comments_and_texts_are_not_code() {
    let text = "a /* unsafe /* b */ */ 'x' '\\'' \"unsafe \\\" // \" r#\"un\"safe\"# 'static // unsafe\nc";
    let words: Vec<_> = words(&code(text)).into_iter().map(|(line, word, _)| (line, word.to_owned())).collect();
    assert_eq!(words, [(1, "a".to_owned()), (1, "static".to_owned()), (2, "c".to_owned())]);
    let text =
        "use crate::{cli::a, store::{net, b}};\nuse super::super::workflow::c; use super::format; crate::net::d()";
    let imports = imports_from_root(text, 2);
    assert_eq!(
        imports,
        [(1, "cli"), (1, "store"), (2, "workflow"), (2, "net")].map(|(line, to)| (line, to.to_owned()))
    );
}

fn refuse(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "\n{rule}\n\n  {}\n", wrong.join("\n  "));
}

fn at(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder, by its path from the root of the tree, sorted.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(at(&folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().expect("a file name is text");
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if NOT_SOURCES.contains(&path.as_str()) {
                continue;
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                next.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The Rust sources below some folders, with their text.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let paths = folders.iter().flat_map(|folder| files(folder)).filter(|path| path.ends_with(".rs"));
    let found: Vec<_> = paths.map(|path| (path.clone(), read(&path))).collect();
    assert!(!found.is_empty(), "no source below {folders:?}");
    found
}

fn files_where(folders: &[&str], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    sources(folders).into_iter().filter(|(_, text)| wrong(text)).map(|(path, _)| path).collect()
}

/// The places of words of code, given with what follows them, for which `wrong` holds.
fn places(folders: &[&str], wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folders) {
        let code = code(&text);
        let wrong = words(&code).into_iter().filter(|(_, word, rest)| wrong(word, rest));
        found.extend(wrong.map(|(line, word, _)| format!("{path}:{line}: {word}")));
    }
    found
}

/// The modules that a file of `src` stands for: `src/store/output_dir/tests.rs` is `store`, `output_dir`, `tests`.
fn module_path(path: &str) -> Vec<&str> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let inner = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).unwrap_or(inner);
    inner.split('/').collect()
}

fn floor(modules: &[&str]) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| modules.first() == Some(name)).map(|(_, floor)| *floor)
}

/// The modules at the crate's root that a text names, through `crate` or through as many `super` as it is deep.
fn imports_from_root(text: &str, depth: usize) -> Vec<(usize, String)> {
    let code = code(text);
    let mut found = Vec::new();
    let mut supers = 0;
    for (line, word, rest) in words(&code) {
        supers = if word == "super" { supers + 1 } else { 0 };
        if (word == "crate" || supers >= depth)
            && let Some(rest) = rest.strip_prefix("::")
        {
            found.extend(heads(rest).into_iter().filter(|head| *head != "super").map(|head| (line, head.to_owned())));
        }
    }
    found
}

/// The first names of what follows `crate::`: one, or those at the top of a group in braces.
fn heads(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else {
        return words(rest).first().map(|head| head.1).into_iter().collect();
    };
    let mut depth = 0usize;
    let mut found = Vec::new();
    let mut start = 0;
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let part = group.get(start..position).unwrap_or_default();
                found.extend(words(part).first().map(|head| head.1));
                start = position + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// The words of a text of code: line, word, and all that follows it.
fn words(code: &str) -> Vec<(usize, &str, &str)> {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut found = Vec::new();
    for (number, line) in code.split_inclusive('\n').scan((1, 0), |(number, start), line| {
        let here = (*number, *start);
        *number += 1;
        *start += line.len();
        Some((here, line))
    }) {
        let (number, start) = number;
        for word in line.split(|character| !part_of_word(character)).filter(|word| !word.is_empty()) {
            let end = start + (word.as_ptr().addr() - line.as_ptr().addr()) + word.len();
            found.push((number, word, code.get(end..).unwrap_or_default()));
        }
    }
    found
}

/// A source text without its comments, strings and characters; the lines stay where they are.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            '\'' => character(rest),
            'r' if !after_word => raw_string(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = rest.split_at(first.len_utf8()).1;
        } else {
            let (skipped, after) = rest.split_at(length);
            out.push(' ');
            out.extend(skipped.chars().filter(|character| *character == '\n'));
            rest = after;
        }
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0usize;
    let mut position = 0;
    while let Some(rest) = text.get(position..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return position + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character in quotes; 0 for the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some(_)) => {
            characters.find(|(_, last)| *last == '\'').map_or(0, |(position, _)| position + 1)
        }
        (Some(_), Some((position, '\''))) => position + 1,
        _ => 0,
    }
}

/// The length of a raw string; 0 for any other word that starts with r.
fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|character| *character == '#').count();
    let Some(body) = text.get(1 + hashes..).and_then(|body| body.strip_prefix('"')) else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    body.find(&end).map_or(text.len(), |position| text.len() - body.len() + position + end.len())
}

/// The names in the sections of dependencies of a manifest for which `wanted` holds.
fn dependencies(manifest: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut section = "";
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end().trim_end_matches(']');
            if let Some((table, name)) = section.rsplit_once('.')
                && table.ends_with("dependencies")
            {
                panic!("[{section}]: write {name} as one line of its section, where this test sees it");
            }
        } else if section.ends_with("dependencies")
            && wanted(section)
            && line.starts_with(|first: char| first.is_alphanumeric())
        {
            found.extend(line.split(['=', '.', ' ']).next().map(str::to_owned));
        }
    }
    found
}

/// Cargo.lock: package to the packages it depends on, the versions of a name taken together.
fn locked_dependencies(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut package = "";
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            package = name.trim_matches('"');
            found.entry(package.to_owned()).or_default();
        } else if let Some(dependency) = line.strip_prefix(" \"") {
            let name = dependency.split([' ', '"']).next().unwrap_or_default();
            found.entry(package.to_owned()).or_default().insert(name.to_owned());
        }
    }
    found
}
