//! What the commands that open keystores share: whose password it is, who is asked for it, how much of the machine it takes.
#![expect(clippy::disallowed_methods, reason = "one variable of the environment is read here: DVKEY_KDF")]

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::codes::Code;
use crate::cli::args::{EffortArguments, PasswordArguments};
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::prompt::{self, TRIES};
use crate::cli::ui::words::{count, printable};
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::kdf::{KdfLimits, Path};
use crate::crypto::password::Password;
use crate::machine::memory::available;
use crate::machine::password::{CommandTemplate, KeystoreFacts, PasswordSource, Passwords as Opened};
use crate::store::read::Source;
use crate::workflow::inventory::FoundKeystore;
use crate::workflow::unlock::{Passwords, Refusal, RefusalCause, Refused};

/// Forces a path of the key derivation, for tests and benchmarks.
const KDF_VARIABLE: &str = "DVKEY_KDF";

/// The widest path that this CPU has, or the one that was asked for; tested before a password is trusted to it.
pub(super) fn kdf_path() -> Result<Tested, Failure> {
    let path = match std::env::var_os(KDF_VARIABLE) {
        None => Path::best(),
        Some(text) => text.to_str().and_then(Path::named).ok_or_else(|| {
            let names = Path::ALL.map(Path::name).join(", ");
            Failure::new(Code::MachineKdf, format!("{KDF_VARIABLE} names no way to derive keys"))
                .hint(format!("unset it, or set it to one of {names}"))
        })?,
    };
    Tested::new(path).map_err(|error| Failure::kdf_path(&error))
}

impl PasswordArguments {
    /// The source that must be opened while the network is still there, if it is named.
    pub(in crate::cli) fn command(&self) -> Result<Option<PasswordSource>, Failure> {
        let Some(text) = &self.password_command else { return Ok(None) };
        let template = CommandTemplate::parse(text).map_err(|error| Failure::password_template(&error))?;
        Ok(Some(PasswordSource::Command(template)))
    }

    /// Whether the password is read from standard input.
    pub(super) fn read_stdin(&self) -> bool {
        let file = self.password_file.as_ref().is_some_and(|path| Source::from_arg(path) == Source::Stdin);
        file || self.password_fd == Some(0)
    }

    /// The source that is named, other than a command, unless a person would have to type into it and see what is typed.
    pub(super) fn source_for_many(&self) -> Option<PasswordSource> {
        self.source().filter(|source| !is_typed_openly(source))
    }

    /// The source that is named, other than a command.
    fn source(&self) -> Option<PasswordSource> {
        if let Some(file) = &self.password_file {
            Some(PasswordSource::File(Source::from_arg(file)))
        } else if let Some(folder) = &self.password_dir {
            Some(PasswordSource::Dir(folder.clone()))
        } else {
            self.password_fd.map(PasswordSource::Fd)
        }
    }
}

impl EffortArguments {
    pub(super) fn jobs_or_default(self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or(cores, usize::from)
    }

    /// By default what is free, less a tenth for everything else on the machine.
    pub(super) fn memory_or_default(self) -> u64 {
        self.memory.unwrap_or_else(|| {
            let free = available().available;
            free - free / 10
        })
    }

    pub(super) fn kdf_limits(self) -> KdfLimits {
        self.max_kdf_memory.map_or(KdfLimits::DEFAULT, |memory| KdfLimits { memory })
    }
}

/// A keystore that asks for more than there is cannot be opened, whatever its password.
pub(super) fn must_fit(keystores: &[&FoundKeystore], budget: u64) -> Result<(), Failure> {
    let too_large = |found: &&FoundKeystore| {
        let wanted = found.keystore.envelope.kdf.memory();
        let cause = RefusalCause::Memory { wanted, budget };
        (wanted > budget).then(|| Refusal { path: found.path.clone(), cause })
    };
    let refusals: Vec<_> = keystores.iter().filter_map(too_large).collect();
    match refusals.is_empty() {
        true => Ok(()),
        false => Err(Failure::refused(&Refused { refusals, total: keystores.len() })),
    }
}

/// Typed into stdin, a password would show; the hidden question serves better.
fn is_typed_openly(source: &PasswordSource) -> bool {
    matches!(source, PasswordSource::File(Source::Stdin) | PasswordSource::Fd(0)) && std::io::stdin().is_terminal()
}

impl Failure {
    /// There is no source of passwords, and nobody to be asked.
    pub(super) fn no_password_source() -> Self {
        Self::missing("the password", "--password-file, --password-dir, --password-command or --password-fd")
            .code(Code::PasswordMissing)
    }
}

/// The source of passwords that was named, or else the person.
pub(super) fn supply<'a>(
    options: &PasswordArguments,
    opened: Option<Opened>,
    keystores: &[&FoundKeystore],
    printer: &'a Printer,
    present: bool,
) -> Result<Supply<'a>, Failure> {
    let opened = match (opened, options.source_for_many()) {
        (Some(opened), _) => Some(opened),
        (None, Some(source)) => Some(source.open().map_err(|error| Failure::password(&error))?),
        (None, None) => None,
    };
    if let Some(opened) = opened {
        return Ok(Supply { printer, source: SupplySource::Opened(opened) });
    }
    if !present {
        return Err(Failure::no_password_source());
    }
    let question = match keystores {
        [only] => format!("Password of {}:", printable(&only.name)),
        all => format!("Password of the {} (others are asked for later):", count(all.len(), "keystore")),
    };
    let password = prompt::password(&question)?;
    Ok(Supply { printer, source: SupplySource::Typed(Mutex::new(password)) })
}

/// Where the passwords of this run come from.
pub(super) struct Supply<'a> {
    printer: &'a Printer,
    source: SupplySource,
}

enum SupplySource {
    Opened(Opened),
    /// What was typed and opened something last: a correction counts for the keystores that are still to come, too.
    Typed(Mutex<Password>),
}

fn last_typed(typed: &Mutex<Password>) -> MutexGuard<'_, Password> {
    typed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Passwords for Supply<'_> {
    fn get(&self, position: usize, keystore: &FoundKeystore) -> Result<Password, RefusalCause> {
        match &self.source {
            SupplySource::Typed(typed) => Ok(last_typed(typed).duplicate()),
            SupplySource::Opened(opened) => {
                let public_key = keystore.public_key.map(|key| hex::encode(key.as_bytes()));
                let facts = KeystoreFacts { file: &keystore.path, public_key: public_key.as_deref(), index: position };
                Ok(Password::new(opened.get(&facts)?)?)
            }
        }
    }

    fn ask_again(&self, position: usize, keystore: &FoundKeystore, tries: usize) -> Option<Password> {
        if !matches!(self.source, SupplySource::Typed(_)) {
            return None;
        }
        // What was typed for all keystores was a try for the one it was asked with only.
        let most = if position == 0 { TRIES } else { TRIES + 1 };
        if tries >= most {
            return None;
        }
        let name = printable(&keystore.name);
        self.printer.warning(&format!("that password does not open {name}"));
        let question = format!("Password of {name}:");
        self.printer.around_the_bar(|| prompt::password(&question)).ok()
    }

    fn keep(&self, password: Password) {
        if let SupplySource::Typed(typed) = &self.source {
            *last_typed(typed) = password;
        }
    }

    fn try_first_alone(&self) -> bool {
        matches!(self.source, SupplySource::Typed(_))
    }
}
