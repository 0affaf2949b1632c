//! `dvkey recover`: warn, open enough shares, combine them, write a keystore.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{KeyShare, OperatorId, PublicKey, SecretKey};
use serde::Serialize;

use super::super::codes::Code;
use super::open::read_operator_key;
use crate::cli::args::RecoverArguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::prompt::{self, TRIES};
use crate::cli::ui::words::count;
use crate::crypto::kdf::KdfLimits;
use crate::crypto::keystore_cipher::EnvelopeError;
use crate::crypto::password::{Password, Reading};
use crate::format::keyshares::{self, KeysharesFile};
use crate::format::keystore::{self, Keystore, UnlockError};
use crate::machine::password::{KeystoreFacts, PasswordSource};
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, exists, read_bounded};
use crate::workflow::recover::{SHORTEST_PASSWORD, Wanted, combine_alone, file_name, write};

pub(in crate::cli) fn run(arguments: &RecoverArguments, printer: &Printer) -> Result<Exit, Failure> {
    let person = Person { printer, present: !arguments.no_input && printer.interactive() };
    let keys = named_files(&arguments.keys, "--key")?;
    let shares = named_files(&arguments.shares, "--share")?;
    let mut ids = BTreeSet::new();
    if let Some(twice) = keys.iter().chain(&shares).find(|named| !ids.insert(named.operator)) {
        return Err(Failure::new(Code::RecoverShares, format!("operator {} is named twice", twice.operator)));
    }
    let validator = arguments.validator.as_deref().map(parse_validator).transpose()?;
    let file = arguments.keyshares.as_deref().map(read_keyshares).transpose()?;
    let wanted = match (&file, validator) {
        (Some(file), asked) => Some(Wanted::find(file, asked.as_ref()).map_err(|error| Failure::recover(&error))?),
        (None, _) if !keys.is_empty() => {
            return Err(Failure::missing("the keyshares file, which --key is to open,", "it before the options"));
        }
        (None, None) => return Err(Failure::missing("the validator", "--validator, or a keyshares file")),
        (None, Some(_)) => None,
    };
    let public_key = wanted.as_ref().map(|wanted| wanted.validator).or(validator);
    let Some(public_key) = public_key else { return Err(Failure::bug()) };
    if let Some(wanted) = &wanted {
        let (found, t) = (keys.len() + shares.len(), wanted.threshold.t());
        if found < t {
            let headline = format!("{} where {t} are needed", count(found, "share"));
            return Err(Failure::new(Code::RecoverShares, headline)
                .hint("give --key ID=FILE for as many operators, or --share ID=KEYSTORE"));
        }
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let name = file_name(&public_key);
    OutputDir::check(&out, &[&name], false).map_err(|error| Failure::write_once(&error))?;

    warn(printer);
    let output = OutputDir::prepare(&out, &[&name], false).map_err(|error| Failure::write_once(&error))?;
    let mut opened: Vec<KeyShare> = Vec::with_capacity(keys.len() + shares.len());
    for named in &keys {
        let key = read_operator_key(&named.file, named.password.as_deref(), !person.present, printer)?;
        if let Some(wanted) = &wanted {
            opened.push(wanted.open(named.operator, &key).map_err(|error| Failure::recover(&error))?);
        }
    }
    for named in &shares {
        let secret = person.open_share(named)?;
        opened.push(match &wanted {
            Some(wanted) => wanted.take(named.operator, secret).map_err(|error| Failure::recover(&error))?,
            None => KeyShare { identifier: named.operator.identifier(), secret },
        });
    }
    let key = match &wanted {
        Some(wanted) => wanted.recover(&opened),
        None => combine_alone(&opened, &public_key),
    };
    let key = key.map_err(|error| Failure::recover(&error))?;
    drop(opened);
    let password = person.new_password(arguments.new_password_file.as_deref())?;
    printer.detail("encrypting the key, reading it back and opening it");
    let written = write(&key, &password, output).map_err(|error| Failure::recover(&error))?;
    show_done(&public_key, &written, keys.len() + shares.len(), printer);
    Ok(Exit::Done)
}

/// Said once, before anything is opened.
fn warn(printer: &Printer) {
    printer.warning("a validator key that signs in two places is slashed: part of its stake is taken, and it is");
    printer.say("  thrown out. The operators still hold their shares. Remove the validator from the SSV Network,");
    printer.say("  and see it miss attestations for two epochs, before the recovered key signs anywhere else.");
}

/// `ID=FILE` or `ID=FILE:PASSWORDFILE`.
struct NamedFile {
    operator: OperatorId,
    file: PathBuf,
    password: Option<PathBuf>,
}

fn named_files(texts: &[String], option: &str) -> Result<Vec<NamedFile>, Failure> {
    let parse = |text: &String| {
        let form = || {
            Failure::new(
                Code::RecoverShares,
                format!("{option} does not have the form ID=FILE or ID=FILE:PASSWORDFILE"),
            )
        };
        let (id, files) = text.split_once('=').ok_or_else(form)?;
        let operator = id.parse().map_err(|error: dvkey_ceremony::identifier::IdentifierError| {
            Failure::new(Code::OperatorsId, format!("operator id: {error}"))
        })?;
        let (file, password) = file_and_password(files);
        if file.is_empty() || password == Some("") {
            return Err(form());
        }
        Ok(NamedFile { operator, file: file.into(), password: password.map(PathBuf::from) })
    };
    texts.iter().map(parse).collect()
}

/// Cuts at the colon, which a path may hold as well: what lies there says where the file's name ends.
fn file_and_password(text: &str) -> (&str, Option<&str>) {
    let cuts = || text.match_indices(':').filter_map(|(at, _)| text.split_at_checked(at));
    if exists(Path::new(text)) {
        return (text, None);
    }
    let cut = cuts().find(|(file, _)| exists(Path::new(file))).or_else(|| cuts().next());
    cut.map_or((text, None), |(file, rest)| (file, rest.strip_prefix(':')))
}

fn parse_validator(text: &str) -> Result<PublicKey, Failure> {
    let form = || Failure::new(Code::RecoverValidator, "a validator public key is 0x and 96 hexadecimal digits");
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| form())?;
    if bytes.len() != PublicKey::BYTES {
        return Err(form());
    }
    PublicKey::from_bytes(&bytes)
        .map_err(|error| Failure::new(Code::RecoverValidator, format!("the validator public key is {error}")))
}

fn read_keyshares(path: &Path) -> Result<KeysharesFile, Failure> {
    let bytes = read_bounded(&Source::from_arg(path), keyshares::MAX_BYTES)
        .map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    keyshares::parse(&bytes).map_err(|error| Failure::new(Code::FileUnreadable, format!("{}: {error}", path.display())))
}

struct Person<'a> {
    printer: &'a Printer,
    present: bool,
}

impl Person<'_> {
    fn open_share(&self, named: &NamedFile) -> Result<SecretKey, Failure> {
        let path = &named.file;
        let bytes = read_bounded(&Source::from_arg(path), keystore::MAX_BYTES)
            .map_err(|error| Failure::read(Code::KeystoreUnreadable, &error))?;
        let keystore = Keystore::parse(&bytes, KdfLimits::DEFAULT)
            .map_err(|error| Failure::new(Code::KeystoreBroken, format!("{}: {error}", path.display())))?;
        let opened = |password: &Password| {
            let unlocked = keystore.unlock(password)?;
            if unlocked.reading == Reading::Wealdtech {
                self.printer.warning(&format!(
                    "{} opened only with the wealdtech reading of its password (combining marks left out)",
                    path.display()
                ));
            }
            Ok(unlocked.secret_key)
        };
        if let Some(file) = &named.password {
            let password = read_password(file)?;
            return opened(&password).map_err(|error| unlock_failure(path, &error));
        }
        if !self.present {
            let what = format!("the password of {}", path.display());
            return Err(Failure::missing(&what, "--share ID=FILE:PASSWORDFILE").code(Code::PasswordMissing));
        }
        let mut tries = 1;
        loop {
            match opened(&prompt::password(&format!("Password of {}:", path.display()))?) {
                Err(UnlockError::Envelope(EnvelopeError::WrongPassword)) if tries < TRIES => {
                    self.printer.warning("that password does not open it");
                    tries += 1;
                }
                result => return result.map_err(|error| unlock_failure(path, &error)),
            }
        }
    }

    /// The password of the keystore that is written: from a file, or typed twice.
    fn new_password(&self, file: Option<&Path>) -> Result<Password, Failure> {
        let long_enough = |password: Password| match password.length() {
            length if length < SHORTEST_PASSWORD => Err(Failure::new(
                Code::RecoverPassword,
                format!("the new password has fewer than {SHORTEST_PASSWORD} characters"),
            )),
            _ => Ok(password),
        };
        if let Some(file) = file {
            return long_enough(read_password(file)?);
        }
        if !self.present {
            return Err(Failure::missing("the password for the new keystore", "--new-password-file")
                .code(Code::PasswordMissing));
        }
        let mut tries = 1;
        loop {
            let typed =
                long_enough(prompt::password("New password for the recovered keystore:")?).and_then(
                    |first| match first.is_same(&prompt::password("The same again:")?) {
                        true => Ok(first),
                        false => Err(Failure::new(Code::RecoverPassword, "the two passwords differ")),
                    },
                );
            match typed {
                Err(failure) if failure.code == Code::RecoverPassword && tries < TRIES => {
                    self.printer.warning(&failure.headline);
                    tries += 1;
                }
                result => return result,
            }
        }
    }
}

fn read_password(file: &Path) -> Result<Password, Failure> {
    let facts = KeystoreFacts { file, public_key: None, index: 0 };
    let passwords = PasswordSource::File(Source::from_arg(file)).open();
    let typed = passwords.and_then(|passwords| passwords.get(&facts)).map_err(|error| Failure::password(&error))?;
    Password::new(typed).map_err(|error| Failure::new(Code::PasswordEncoding, error.to_string()))
}

fn unlock_failure(path: &Path, error: &UnlockError) -> Failure {
    let code = match error {
        UnlockError::Envelope(EnvelopeError::WrongPassword) => Code::KeystoreWrongPassword,
        UnlockError::Envelope(_) => Code::KeystoreMemory,
        UnlockError::SecretKey(_) => Code::KeystoreSecret,
        UnlockError::PublicKeyDiffers { .. } => Code::KeystorePublicKey,
    };
    Failure::new(code, format!("{}: {error}", path.display()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecovered {
    schema: &'static str,
    validator: String,
    shares: usize,
    file: String,
}

fn show_done(validator: &PublicKey, file: &Path, shares: usize, printer: &Printer) {
    printer.object(&JsonRecovered {
        schema: "dvkey.recover/1",
        validator: validator.to_string(),
        shares,
        file: file.display().to_string(),
    });
    if printer.json() {
        return;
    }
    printer.message(&format!(
        "{} {} made the key of {validator}; the keystore was read back and opened",
        tone(Tone::Good, "done:"),
        count(shares, "share")
    ));
    printer.result(&file.display().to_string());
}
