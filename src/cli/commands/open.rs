//! `dvkey open`: an operator tries its own sealed shares.

use std::path::Path;

use serde::Serialize;

use super::super::codes::Code;
use crate::cli::args::OpenArguments;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::prompt::{self, TRIES};
use crate::cli::ui::words::{count, short_key};
use crate::crypto::kdf::KdfLimits;
use crate::crypto::keystore_cipher::{Envelope, EnvelopeError};
use crate::crypto::operator_key::OperatorPrivateKey;
use crate::crypto::password::Password;
use crate::format::keyshares::{self, KeysharesFile};
use crate::format::operator_keystore::{self, OperatorKeyFile, OperatorKeyFileError};
use crate::machine::password::{KeystoreFacts, PasswordSource};
use crate::store::read::{Source, read_bounded, read_secret};
use crate::workflow::open::{Opened, Opening, open};

pub(in crate::cli) fn run(arguments: &OpenArguments, printer: &Printer) -> Result<Exit, Failure> {
    let source = Source::from_arg(&arguments.keyshares);
    let bytes =
        read_bounded(&source, keyshares::MAX_BYTES).map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    let file = keyshares::parse(&bytes)
        .map_err(|error| Failure::new(Code::FileUnreadable, format!("{}: {error}", arguments.keyshares.display())))?;
    let operator = arguments.operator_id.as_deref().map(str::parse).transpose().map_err(
        |error: dvkey_ceremony::identifier::IdentifierError| Failure::new(Code::OperatorsId, error.to_string()),
    )?;
    let key = read_operator_key(&arguments.key, arguments.password_file.as_deref(), arguments.no_input, printer)?;
    let opened = open(&file, &key, operator).map_err(|error| Failure::operator_key(&arguments.key, &error.into()))?;
    if printer.json() {
        for one in &opened {
            printer.object(&JsonOpened::new(one));
        }
    } else {
        show(&opened, printer);
    }
    verdict(&file, &opened, printer)
}

/// Reads an operator's private key; where it is encrypted, with the password of that file or of the person.
pub(super) fn read_operator_key(
    path: &Path,
    password_file: Option<&Path>,
    no_input: bool,
    printer: &Printer,
) -> Result<OperatorPrivateKey, Failure> {
    let bytes = read_secret(&Source::from_arg(path), operator_keystore::MAX_BYTES)
        .map_err(|error| Failure::read(Code::OpenKey, &error))?;
    let file =
        OperatorKeyFile::parse(&bytes, KdfLimits::DEFAULT).map_err(|error| Failure::operator_key(path, &error))?;
    let envelope = match file {
        OperatorKeyFile::Open(key) => {
            printer.warning(&format!("{} holds the operator's private key in the open", path.display()));
            return Ok(key);
        }
        OperatorKeyFile::Encrypted(envelope) => envelope,
    };
    match password_file {
        Some(file) => {
            let facts = KeystoreFacts { file: path, public_key: None, index: 0 };
            let passwords = PasswordSource::File(Source::from_arg(file)).open();
            let typed =
                passwords.and_then(|passwords| passwords.get(&facts)).map_err(|error| Failure::password(&error))?;
            let password =
                Password::new(typed).map_err(|error| Failure::new(Code::PasswordEncoding, error.to_string()))?;
            operator_keystore::decrypt(&envelope, &password).map_err(|error| Failure::operator_key(path, &error))
        }
        None if no_input || !printer.interactive() => {
            Err(Failure::missing("the password of the operator's key", "--password-file"))
        }
        None => ask_and_decrypt(&envelope, path, printer),
    }
}

fn ask_and_decrypt(envelope: &Envelope, path: &Path, printer: &Printer) -> Result<OperatorPrivateKey, Failure> {
    let mut tries = 1;
    loop {
        let password = prompt::password(&format!("Password of {}:", path.display()))?;
        match operator_keystore::decrypt(envelope, &password) {
            Err(OperatorKeyFileError::Envelope(EnvelopeError::WrongPassword)) if tries < TRIES => {
                printer.warning("that password does not open it");
                tries += 1;
            }
            result => return result.map_err(|error| Failure::operator_key(path, &error)),
        }
    }
}

fn show(opened: &[Opened], printer: &Printer) {
    for one in opened {
        let validator = one.validator.as_ref().map_or("unreadable validator".to_owned(), short_key);
        let line = match one.opening {
            Opening::Matches(operator) => format!("{}  operator {operator}: opens and matches", tone(Tone::Good, "ok")),
            Opening::Fails(operator) => {
                format!("{}  operator {operator}: the sealed share does not give the share", tone(Tone::Bad, "NO"))
            }
            Opening::Misplaced(operator, slot) => {
                let what = "the key opens the sealed share of operator";
                format!("{}  operator {operator}: {what} {slot} instead", tone(Tone::Bad, "NO"))
            }
            Opening::NotListed(operator) => format!("operator {operator} has no share here"),
            Opening::NotAnOperator => "none of the sealed shares is for this key".to_owned(),
            Opening::Unreadable => format!("{}  damaged; see dvkey verify", tone(Tone::Bad, "NO")),
        };
        printer.result(&format!("{validator}  {line}"));
    }
}

fn verdict(file: &KeysharesFile, opened: &[Opened], printer: &Printer) -> Result<Exit, Failure> {
    let matching = opened.iter().filter(|one| matches!(one.opening, Opening::Matches(_))).count();
    let not_mine = |one: &&Opened| matches!(one.opening, Opening::NotAnOperator | Opening::NotListed(_));
    let foreign = opened.iter().filter(not_mine).count();
    let failing = opened.len() - matching - foreign;
    if failing > 0 {
        let verb = if failing == 1 { "does" } else { "do" };
        let headline = format!("{} for this operator {verb} not match", count(failing, "sealed share"));
        return Err(Failure::new(Code::OpenMismatch, headline)
            .hint("do not deposit and do not register; have the validator's key split again"));
    }
    if matching == 0 {
        let listed = !opened.iter().any(|one| matches!(one.opening, Opening::NotListed(_)));
        return Err(match listed {
            true => Failure::new(Code::OpenNotMine, "this key is for none of the validators in the file")
                .hint("check that the key is the one registered for your operator id"),
            false => Failure::new(Code::OpenNotMine, "that operator has no share in the file; nothing was tried")
                .hint("try again without --operator-id"),
        });
    }
    printer.message(&format!("{} of {} open and match", matching, count(file.items.len(), "sealed share")));
    Ok(Exit::Done)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonOpened {
    schema: &'static str,
    validator: Option<String>,
    operator: Option<u64>,
    result: &'static str,
}

impl JsonOpened {
    fn new(opened: &Opened) -> Self {
        let (operator, result) = match opened.opening {
            Opening::Matches(operator) => (Some(operator), "matches"),
            Opening::Fails(operator) => (Some(operator), "does-not-match"),
            Opening::Misplaced(operator, _) => (Some(operator), "opens-another-operators"),
            Opening::NotListed(operator) => (Some(operator), "not-listed"),
            Opening::NotAnOperator => (None, "not-an-operator"),
            Opening::Unreadable => (None, "unreadable"),
        };
        Self {
            schema: "dvkey.open/1",
            validator: opened.validator.map(|key| key.to_string()),
            operator: operator.map(|id| id.get()),
            result,
        }
    }
}
