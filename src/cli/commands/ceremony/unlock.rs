//! Passphrases, backup words and operator keys: from a file, or from the person at the terminal.

use std::path::Path;

use dvkey_ceremony::SecretBytes;
use dvkey_ceremony::agdkg::identity::Root;
use dvkey_ceremony::fault::Code as Blame;

use super::failed;
use crate::cli::args::ceremony::VaultArguments;
use crate::cli::codes::Code;
use crate::cli::commands::open::read_operator_key;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::prompt::{self, TRIES};
use crate::crypto::operator_key::OperatorPrivateKey;
use crate::crypto::password::Password;
use crate::machine::password::{KeystoreFacts, PasswordSource};
use crate::store::read::{Source, read_secret};
use crate::workflow::ceremony::CeremonyError;
use crate::workflow::ceremony::folder::Folder;

/// The fewest characters of a new passphrase.
const SHORTEST: usize = 8;
/// Room for 24 words, and then some.
const MOST_WORDS: u64 = 1024;

pub(super) fn is_present(vault: &VaultArguments, printer: &Printer) -> bool {
    !vault.no_input && printer.interactive()
}

/// Opens the vault of a folder.
pub(super) fn root(folder: &Folder, vault: &VaultArguments, printer: &Printer) -> Result<Root, Failure> {
    if let Some(file) = &vault.passphrase_file {
        let passphrase = from_file(file)?;
        return folder.unlock(&passphrase).map_err(|error| failed(&error));
    }
    if !is_present(vault, printer) {
        return Err(Failure::missing("the passphrase of the vault", "--passphrase-file").code(Code::PasswordMissing));
    }
    let question = format!("Passphrase of the vault in {}:", folder.dir().path().display());
    let mut tries = 1;
    loop {
        match folder.unlock(&prompt::hidden(&question)?) {
            Err(CeremonyError::Fault(fault)) if fault.code() == Blame::E40 && tries < TRIES => {
                printer.warning("that passphrase does not open it");
                tries += 1;
            }
            result => return result.map_err(|error| failed(&error)),
        }
    }
}

/// A passphrase for a new vault: from a file, or typed twice.
pub(super) fn new_passphrase(vault: &VaultArguments, printer: &Printer) -> Result<SecretBytes, Failure> {
    let long_enough = |passphrase: SecretBytes| {
        let length = std::str::from_utf8(passphrase.expose()).map_or(usize::MAX, |text| text.chars().count());
        match length {
            usize::MAX => Err(Failure::new(Code::PasswordEncoding, "the passphrase is not UTF-8 text")),
            length if length < SHORTEST => {
                Err(Failure::new(Code::PasswordSource, format!("the passphrase has fewer than {SHORTEST} characters")))
            }
            _ => Ok(passphrase),
        }
    };
    if let Some(file) = &vault.passphrase_file {
        return long_enough(from_file(file)?);
    }
    if !is_present(vault, printer) {
        return Err(Failure::missing("the passphrase for the vault", "--passphrase-file").code(Code::PasswordMissing));
    }
    let mut tries = 1;
    loop {
        let typed = long_enough(prompt::hidden("New passphrase for the vault:")?).and_then(|first| {
            let second = prompt::hidden("The same again:")?;
            match first.expose() == second.expose() {
                true => Ok(first),
                false => Err(Failure::new(Code::PasswordSource, "the two passphrases differ")),
            }
        });
        match typed {
            Err(failure) if failure.code == Code::PasswordSource && tries < TRIES => {
                printer.warning(&failure.headline);
                tries += 1;
            }
            result => return result,
        }
    }
}

/// The password for keystores of shares: from a file, or typed twice.
pub(super) fn keystore_password(
    file: Option<&Path>,
    vault: &VaultArguments,
    printer: &Printer,
) -> Result<Password, Failure> {
    let long_enough = |password: Password| match password.length() {
        length if length < SHORTEST => Err(Failure::new(
            Code::RecoverPassword,
            format!("the password for the keystores has fewer than {SHORTEST} characters"),
        )),
        _ => Ok(password),
    };
    let read = |bytes| Password::new(bytes).map_err(|error| Failure::new(Code::PasswordEncoding, error.to_string()));
    if let Some(file) = file {
        return long_enough(read(from_file(file)?)?);
    }
    if !is_present(vault, printer) {
        let what = "the password for the keystores of my shares";
        return Err(Failure::missing(what, "--keystore-password-file").code(Code::PasswordMissing));
    }
    let mut tries = 1;
    loop {
        let typed =
            long_enough(prompt::password("New password for the keystores of your shares:")?).and_then(|first| {
                match first.is_same(&prompt::password("The same again:")?) {
                    true => Ok(first),
                    false => Err(Failure::new(Code::RecoverPassword, "the two passwords differ")),
                }
            });
        match typed {
            Err(failure) if failure.code == Code::RecoverPassword && tries < TRIES => {
                printer.warning(&failure.headline);
                tries += 1;
            }
            result => return result,
        }
    }
}

/// The root behind 24 words: from a file or pipe, or typed on a page of its own.
pub(super) fn root_from_words(file: Option<&Path>, vault: &VaultArguments, printer: &Printer) -> Result<Root, Failure> {
    let read = |words: &SecretBytes| {
        let text = std::str::from_utf8(words.expose()).unwrap_or_default();
        Root::from_words(text).map_err(|error| failed(&error.into()))
    };
    if let Some(file) = file {
        let words = read_secret(&Source::from_arg(file), MOST_WORDS)
            .map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
        return read(&words);
    }
    if !is_present(vault, printer) {
        return Err(Failure::missing("the 24 words", "--words-file, or type them at a terminal"));
    }
    asked_on_a_page("Type the 24 words from the paper, with blanks between them, then Enter.", "Words:", read)
}

/// The root behind dice rolls that are typed on a page of its own.
pub(super) fn root_from_dice(vault: &VaultArguments, printer: &Printer) -> Result<Root, Failure> {
    if !is_present(vault, printer) {
        return Err(Failure::missing("the dice rolls", "them at a terminal"));
    }
    asked_on_a_page("Roll a die at least 100 times and type the digits, 1 to 6, then Enter.", "Rolls:", |typed| {
        let digits = typed.expose().iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let mut rolls = SecretBytes::with_capacity(typed.expose().len());
        digits.for_each(|digit| drop(rolls.extend(&[digit])));
        let root = Root::from_dice(std::str::from_utf8(rolls.expose()).unwrap_or_default());
        root.map_err(|error| Failure::new(Code::InputMissing, error.to_string()))
    })
}

/// Asks for something secret on a page of its own, at most [`TRIES`] times. Why it is asked again stands on the next page:
/// what is said between two pages, nobody sees.
fn asked_on_a_page(
    what: &str,
    question: &str,
    read: impl Fn(&SecretBytes) -> Result<Root, Failure>,
) -> Result<Root, Failure> {
    let mut page = vec![what.to_owned(), String::new()];
    let mut tries = 1;
    loop {
        match read(&prompt::on_a_page(&page, || prompt::secret_line(question))?) {
            Err(failure) if tries < TRIES => {
                page.truncate(2);
                page.extend([format!("{} {}", tone(Tone::Odd, "again:"), failure.headline), String::new()]);
                tries += 1;
            }
            result => return result,
        }
    }
}

/// An operator's private key, where one was named.
pub(super) fn operator_key(
    key: Option<&Path>,
    password: Option<&Path>,
    no_input: bool,
    printer: &Printer,
) -> Result<Option<OperatorPrivateKey>, Failure> {
    key.map(|key| read_operator_key(key, password, no_input, printer)).transpose()
}

fn from_file(file: &Path) -> Result<SecretBytes, Failure> {
    let facts = KeystoreFacts { file, public_key: None, index: 0 };
    let source = PasswordSource::File(Source::from_arg(file)).open();
    source.and_then(|source| source.get(&facts)).map_err(|error| Failure::password(&error))
}
