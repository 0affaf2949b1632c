//! Fetches the password of a keystore from a file, a directory, a descriptor or a command.
#![expect(clippy::disallowed_methods, reason = "this file looks for password files in a directory")]

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use crate::machine::command_template::{CommandTemplate, KeystoreFacts, TemplateError};
use crate::machine::password_helper::message::{CommandError, MAX_OUTPUT, Request};
use crate::machine::password_helper::{PasswordHelper, TIME_ALLOWED};
use crate::store::read::{ReadError, Source, read_secret};
use dvkey_ceremony::SecretBytes;

/// The longest password source that is read.
const MAX_PASSWORD: u64 = MAX_OUTPUT as u64;

/// Where passwords come from without anybody being asked.
#[derive(Debug, Clone)]
pub enum PasswordSource {
    /// One password for every keystore, in a file or on standard input.
    File(Source),
    /// A directory with one file for each keystore.
    Dir(PathBuf),
    /// A command that prints the password of a keystore.
    Command(CommandTemplate),
    /// One password for every keystore, from an inherited descriptor.
    Fd(u32),
}

/// Why there is no password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The source could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The password is not UTF-8 text.
    #[error("{origin}: the password is not UTF-8 text")]
    NotUtf8 {
        /// The file, descriptor or keystore it belongs to.
        origin: String,
    },
    /// No file in the directory belongs to the keystore.
    #[error("no password file for it in {dir}", dir = dir.display())]
    NoFile {
        /// The keystore.
        keystore: PathBuf,
        /// The directory.
        dir: PathBuf,
        /// The names it could have had.
        looked_for: Vec<String>,
    },
    /// More than one file in the directory belongs to the keystore.
    #[error("several password files for it in {dir}: {names}", dir = dir.display(), names = found.join(", "))]
    SeveralFiles {
        /// The keystore.
        keystore: PathBuf,
        /// The directory.
        dir: PathBuf,
        /// Their names.
        found: Vec<String>,
    },
    /// The command asks for a public key and the keystore states none.
    #[error("the keystore names no public key")]
    NoPublicKey {
        /// The keystore.
        keystore: PathBuf,
    },
    /// What the keystore states as its public key is none.
    #[error("the public key that the keystore names is malformed")]
    BadPublicKey {
        /// The keystore.
        keystore: PathBuf,
    },
    /// The command gave no password for this keystore.
    #[error("password command {program:?}: {error}")]
    Command {
        /// The keystore.
        keystore: PathBuf,
        /// The program, without its arguments.
        program: String,
        /// What went wrong.
        error: CommandError,
    },
    /// The process that runs commands could not be started.
    #[error("the password helper could not be started: {error}")]
    HelperNotStarted {
        /// The system's report.
        error: io::Error,
    },
}

/// A source of passwords that is open and ready.
pub enum Passwords {
    /// The same for every keystore.
    Same(SecretBytes),
    /// A file for each keystore in this directory.
    Dir(PathBuf),
    /// A command, run by a process that keeps the network.
    Command {
        /// The command.
        template: CommandTemplate,
        /// The process.
        helper: PasswordHelper,
    },
}

impl PasswordSource {
    /// Opens the source: reads what is the same for all keystores, starts the process that runs
    /// commands. Must be called before the process goes offline.
    ///
    /// # Errors
    /// [`PasswordError::Read`], [`PasswordError::NotUtf8`] or
    /// [`PasswordError::HelperNotStarted`].
    pub fn open(self) -> Result<Passwords, PasswordError> {
        match self {
            Self::File(source) => read_password(&source).map(Passwords::Same),
            Self::Fd(0) => read_password(&Source::Stdin).map(Passwords::Same),
            Self::Fd(number) => {
                let source = Source::Path(format!("/dev/fd/{number}").into());
                read_password(&source).map(Passwords::Same)
            }
            Self::Dir(dir) => {
                let origin = Source::Path(dir.clone());
                match std::fs::metadata(&dir) {
                    Ok(facts) if facts.is_dir() => Ok(Passwords::Dir(dir)),
                    Ok(_) => Err(ReadError::NotADirectory { origin }.into()),
                    Err(error) => Err(ReadError::from_io(&origin, error).into()),
                }
            }
            Self::Command(template) => match PasswordHelper::start() {
                Ok(helper) => Ok(Passwords::Command { template, helper }),
                Err(error) => Err(PasswordError::HelperNotStarted { error }),
            },
        }
    }
}

impl Passwords {
    /// The password of one keystore, as UTF-8, without its final newline. May be empty, except
    /// from a command. Threads may call this at the same time.
    ///
    /// # Errors
    /// [`PasswordError`], about this keystore only unless it is [`CommandError::HelperGone`].
    pub fn get(&self, facts: &KeystoreFacts<'_>) -> Result<SecretBytes, PasswordError> {
        let keystore = || facts.file.to_path_buf();
        let public_key =
            facts.checked_public_key().map_err(|_| PasswordError::BadPublicKey { keystore: keystore() })?;
        match self {
            Self::Same(password) => Ok(SecretBytes::new(password.expose().to_vec())),
            Self::Dir(dir) => {
                let path = find_file(dir, facts.file, public_key)?;
                read_password(&Source::File(path))
            }
            Self::Command { template, helper } => {
                if public_key.is_none() && template.needs_public_key() {
                    return Err(PasswordError::NoPublicKey { keystore: keystore() });
                }
                let failed = |error| PasswordError::Command {
                    keystore: keystore(),
                    program: template.program().to_owned(),
                    error,
                };
                let request = Request {
                    time_allowed: TIME_ALLOWED,
                    arguments: template.fill(facts, public_key),
                    values: [
                        public_key.map(OsString::from),
                        Some(facts.file.as_os_str().to_os_string()),
                        Some(facts.index.to_string().into()),
                    ],
                };
                let printed = helper.run(&request).map_err(failed)?;
                let password = text(&printed, || facts.file.display().to_string())?;
                if password.expose().is_empty() {
                    return Err(failed(CommandError::Empty));
                }
                Ok(password)
            }
        }
    }
}

fn read_password(source: &Source) -> Result<SecretBytes, PasswordError> {
    let bytes = read_secret(source, MAX_PASSWORD)?;
    text(&bytes, || source.to_string())
}

/// Checks that the bytes are text and leaves out one final newline, which editors and commands
/// add and nobody means. One only: a second one could be part of the password.
fn text(bytes: &SecretBytes, origin: impl Fn() -> String) -> Result<SecretBytes, PasswordError> {
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| PasswordError::NotUtf8 { origin: origin() })?;
    let text = match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    };
    // An exact copy into an allocation of its own size, which is wiped like the original.
    Ok(SecretBytes::new(text.as_bytes().to_vec()))
}

/// The one file in `dir` that belongs to `keystore`.
fn find_file(dir: &Path, keystore: &Path, public_key: Option<&str>) -> Result<PathBuf, PasswordError> {
    let candidates = candidates(keystore, public_key);
    let mut found: Vec<(&OsString, (u64, u64))> = Vec::new();
    for name in &candidates {
        let path = dir.join(name);
        match std::fs::metadata(&path) {
            Ok(facts) if facts.is_dir() => {}
            Ok(facts) => {
                let identity = (facts.dev(), facts.ino());
                // Two names of the same file do not contradict each other.
                if !found.iter().any(|(_, known)| *known == identity) {
                    found.push((name, identity));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ReadError::from_io(&Source::Path(path), error).into()),
        }
    }
    let shown = |name: &OsString| name.to_string_lossy().into_owned();
    match found.as_slice() {
        [(name, _)] => Ok(dir.join(name)),
        [] => Err(PasswordError::NoFile {
            keystore: keystore.to_path_buf(),
            dir: dir.to_path_buf(),
            looked_for: candidates.iter().map(shown).collect(),
        }),
        several => Err(PasswordError::SeveralFiles {
            keystore: keystore.to_path_buf(),
            dir: dir.to_path_buf(),
            found: several.iter().map(|(name, _)| shown(name)).collect(),
        }),
    }
}

fn candidates(keystore: &Path, public_key: Option<&str>) -> Vec<OsString> {
    let mut names: Vec<OsString> = Vec::new();
    if let Some(key) = public_key {
        for name in [format!("0x{key}"), key.to_owned()] {
            names.push(name.clone().into());
            names.push(format!("{name}.txt").into());
        }
    }
    for part in [keystore.file_stem(), keystore.file_name()].into_iter().flatten() {
        let mut name = part.to_os_string();
        name.push(".txt");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    fn facts<'a>(file: &'a str, public_key: Option<&'a str>) -> KeystoreFacts<'a> {
        KeystoreFacts { file: Path::new(file), public_key, index: 0 }
    }

    fn got(passwords: &Passwords, facts: &KeystoreFacts<'_>) -> Vec<u8> {
        passwords.get(facts).unwrap().expose().to_vec()
    }

    #[test]
    fn one_final_newline_is_left_out() {
        let read = |bytes: &[u8]| {
            let bytes = SecretBytes::new(bytes.to_vec());
            text(&bytes, || "x".into()).map(|secret| secret.expose().to_vec())
        };
        for (bytes, password) in [
            (&b"pw"[..], &b"pw"[..]),
            (b"pw\n", b"pw"),
            (b"pw\r\n", b"pw"),
            (b"pw\n\n", b"pw\n"),
            (b"pw\r", b"pw\r"),
            (b" pw ", b" pw "),
            (b"\n", b""),
            (b"", b""),
            ("ß\n".as_bytes(), "ß".as_bytes()),
        ] {
            assert_eq!(read(bytes).unwrap(), password);
        }
        assert!(matches!(read(b"\xff"), Err(PasswordError::NotUtf8 { .. })));
    }

    #[test]
    fn a_file_serves_all_keystores() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "same\n").unwrap();
        let source = PasswordSource::File(Source::Path(path.clone()));
        let passwords = source.clone().open().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(got(&passwords, &facts("a", None)), b"same");
        assert_eq!(got(&passwords, &facts("b", None)), b"same");
        assert!(matches!(source.clone().open(), Err(PasswordError::Read(ReadError::NotFound { .. }))));
        std::fs::write(&path, vec![b'x'; 4097]).unwrap();
        assert!(matches!(source.open(), Err(PasswordError::Read(ReadError::TooLarge { .. }))));
    }

    #[test]
    fn a_descriptor_is_read_once() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"by pipe\n").unwrap();
        drop(writer);
        // As one that the program was started with.
        rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).unwrap();
        let number = u32::try_from(reader.as_raw_fd()).unwrap();
        let passwords = PasswordSource::Fd(number).open().unwrap();
        assert_eq!(got(&passwords, &facts("a", None)), b"by pipe");
        assert_eq!(got(&passwords, &facts("b", None)), b"by pipe");
        assert!(PasswordSource::Fd(u32::MAX).open().is_err());
    }

    #[test]
    fn a_directory_has_a_file_for_each() {
        let key = "a1".repeat(48);
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(dir.path().join(name), name).unwrap();
        let take = |name: &str| std::fs::remove_file(dir.path().join(name)).unwrap();
        let passwords = PasswordSource::Dir(dir.path().into()).open().unwrap();
        let keystore = facts("keys/keystore-m_12381.json", Some(&key));
        let names = [
            format!("0x{key}"),
            format!("0x{key}.txt"),
            key.clone(),
            format!("{key}.txt"),
            "keystore-m_12381.txt".to_owned(),
            "keystore-m_12381.json.txt".to_owned(),
        ];
        match passwords.get(&keystore) {
            Err(PasswordError::NoFile { looked_for, .. }) => assert_eq!(looked_for, names),
            _ => panic!(),
        }
        for name in &names {
            put(name);
            assert_eq!(got(&passwords, &keystore), name.as_bytes());
            take(name);
        }
        put(&names[1]);
        put(&names[4]);
        match passwords.get(&keystore) {
            Err(PasswordError::SeveralFiles { found, .. }) => {
                assert_eq!(found, [names[1].as_str(), names[4].as_str()]);
            }
            _ => panic!(),
        }
        take(&names[4]);
        std::os::unix::fs::symlink(&names[1], dir.path().join(&names[4])).unwrap();
        assert_eq!(got(&passwords, &keystore), names[1].as_bytes());
        assert_eq!(candidates(Path::new("plain"), None), ["plain.txt"]);
    }

    #[test]
    fn a_malformed_public_key_names_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let passwords = PasswordSource::Dir(dir.path().into()).open().unwrap();
        assert!(matches!(
            passwords.get(&facts("k", Some("../../etc/passwd"))),
            Err(PasswordError::BadPublicKey { .. })
        ));
        let missing = PasswordSource::Dir(dir.path().join("missing"));
        assert!(matches!(missing.open(), Err(PasswordError::Read(ReadError::NotFound { .. }))));
    }
}
