//! Turns every error into a headline, causes, a hint and a code: the only place that knows flags.

mod batch;
mod ceremony;
mod tx;

pub(crate) use batch::row_code;
pub(crate) use ceremony::{all_named, named};

use std::path::Path;

use dvkey_ceremony::address::AddressError;
use dvkey_ceremony::recover::RecoverError;
use serde::Serialize;

use super::codes::Code;
use super::exit::Exit;
use super::ui::words::count;
use crate::crypto::kdf::KdfError;
use crate::crypto::kdf::self_test::PathError;
use crate::crypto::keystore_cipher::EnvelopeError;
use crate::format::keystore::{KeystoreError, UnlockError};
use crate::format::operator_keystore::OperatorKeyFileError;
use crate::format::operators::OperatorsError;
use crate::machine::interrupt::InterruptError;
use crate::machine::offline::OfflineError;
use crate::machine::password::{PasswordError, TemplateError};
use crate::store::read::ReadError;
use crate::store::write_error::WriteError;
use crate::workflow::deposit::{self, TermsError};
use crate::workflow::inventory::{InventoryError, InventoryProblem};
use crate::workflow::recover::RecoverFailure;
use crate::workflow::split::{ExecuteError, PlanError};
use crate::workflow::unlock::{RefusalCause, Refused};
use crate::workflow::verify::check::Report;

/// An error as people see it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) exit: Exit,
    pub(crate) headline: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct JsonFailure<'a> {
    schema: &'static str,
    code: &'static str,
    exit: u8,
    message: &'a str,
    causes: &'a [String],
    hint: Option<&'a str>,
}

/// How many files of a list of problems are shown.
const SHOWN: usize = 20;

impl Failure {
    pub(crate) fn new(code: Code, headline: impl Into<String>) -> Self {
        Self { code, exit: code.exit(), headline: headline.into(), causes: Vec::new(), hint: None }
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure under another code.
    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = code;
        self.exit = code.exit();
        self
    }

    pub(crate) fn as_json(&self) -> JsonFailure<'_> {
        JsonFailure {
            schema: "dvkey.error/1",
            code: self.code.text(),
            exit: self.exit.code(),
            message: &self.headline,
            causes: &self.causes,
            hint: self.hint.as_deref(),
        }
    }

    pub(crate) fn bug() -> Self {
        Self::new(Code::InternalBug, "dvkey hit a bug; nothing was written")
            .hint("please report the line above; it holds nothing secret")
    }

    pub(crate) fn missing(what: &str, flag: &str) -> Self {
        Self::new(Code::InputMissing, format!("{what} is missing"))
            .hint(format!("give {flag}, or run at a terminal without --no-input to be asked"))
    }

    pub(crate) fn signals(error: InterruptError) -> Self {
        Self::new(Code::MachineSignals, "signals cannot be handled, so that Ctrl-C could leave things behind")
            .cause(error.to_string())
    }

    pub(crate) fn kdf_path(error: &PathError) -> Self {
        match error {
            PathError::NotSupported(_) => Self::new(Code::MachineKdf, error.to_string())
                .hint("unset DVKEY_KDF, and the best that this CPU has is taken"),
            PathError::WrongAnswer(_) => Self::new(Code::InternalSelfCheck, error.to_string())
                .cause("known answers were computed before any password was read; they did not come out")
                .hint("make no keys on this machine"),
        }
    }

    pub(crate) fn offline(error: OfflineError) -> Self {
        Self::new(Code::MachineOffline, "the offline filter could not be made").cause(error.to_string())
    }

    pub(crate) fn read(code: Code, error: &ReadError) -> Self {
        Self::new(code, error.to_string())
    }

    pub(crate) fn owner(error: &AddressError) -> Self {
        match error {
            AddressError::Form => Self::new(Code::OwnerForm, format!("the owner is not an address: {error}")),
            AddressError::Checksum { .. } => Self::new(Code::OwnerChecksum, error.to_string())
                .hint("copy the address again; type it in lower case only if you are sure of every digit"),
        }
    }

    pub(crate) fn operators(error: &OperatorsError) -> Self {
        let failure = |code| Self::new(code, error.to_string());
        match error {
            OperatorsError::Json(_)
            | OperatorsError::Field(_)
            | OperatorsError::UnknownShape
            | OperatorsError::Empty => {
                let headline = "the list of operators cannot be used";
                Self::new(Code::OperatorsBroken, headline).cause(error.to_string())
            }
            OperatorsError::Id { .. } | OperatorsError::TwoIds { .. } => {
                let headline = "the list of operators holds an id that is none";
                Self::new(Code::OperatorsId, headline).cause(error.to_string())
            }
            OperatorsError::DuplicateId(_) | OperatorsError::AskedTwice(_) => failure(Code::OperatorsDuplicate),
            OperatorsError::TwoKeys { .. } => failure(Code::OperatorsDuplicate),
            OperatorsError::NotInList(_) => failure(Code::OperatorsNotInList)
                .hint("look the id up, and get its key from the network or from the operator"),
            OperatorsError::Key { .. } => failure(Code::OperatorsKey),
            OperatorsError::SharedKey(..) => failure(Code::OperatorsSharedKey),
            OperatorsError::Size(size) => failure(Code::OperatorsSize).hint(if size.0 > 13 {
                "pick them with --operator-ids, as in --operator-ids 12,34,56,78"
            } else {
                "add or remove operators until there are 4, 7, 10 or 13"
            }),
        }
    }

    pub(crate) fn password(error: &PasswordError) -> Self {
        Self::new(password_code(error), format!("no password: {error}"))
    }

    pub(crate) fn password_template(error: &TemplateError) -> Self {
        Self::new(Code::PasswordCommand, "the password command cannot be used")
            .cause(error.to_string())
            .hint("no shell runs it: for pipes or variables write sh -c '…' and use \"$DVKEY_PUBKEY\"")
    }

    pub(crate) fn inventory(error: &InventoryError) -> Self {
        let InventoryError(problems) = error;
        let codes: Vec<_> = problems.iter().map(|(_, problem)| inventory_code(problem)).collect();
        let code = match codes.as_slice() {
            [first, rest @ ..] if rest.iter().all(|code| code == first) => *first,
            _ => Code::KeystoreSeveral,
        };
        let headline = match problems.as_slice() {
            [(path, problem)] => return Self::new(code, about(path, problem)).hint_for(code),
            _ => format!("{} cannot be used; nothing was done", count(problems.len(), "file")),
        };
        let mut failure = Self::new(code, headline);
        failure.list(problems.iter().map(|(path, problem)| about(path, problem)));
        failure.hint_for(code)
    }

    pub(crate) fn plan(error: &PlanError) -> Self {
        match error {
            PlanError::ZeroOwner => Self::new(Code::OwnerZero, error.to_string()),
            PlanError::Nonces { .. } => Self::new(Code::NonceTooLarge, error.to_string()),
        }
    }

    pub(crate) fn write(error: &WriteError) -> Self {
        let failure = |code| Self::new(code, error.to_string());
        match error {
            WriteError::Exists { .. } => failure(Code::OutputExists)
                .hint("choose another folder with --out; --force replaces the earlier result"),
            WriteError::InUse { .. } => failure(Code::OutputInUse),
            WriteError::ParentMissing { .. } => failure(Code::OutputParent).hint("create the folder above it first"),
            WriteError::NotADirectory { .. } | WriteError::NotAFile { .. } | WriteError::BadName { .. } => {
                failure(Code::OutputParent).hint("choose another folder with --out")
            }
            WriteError::PermissionDenied { .. } => failure(Code::OutputPermission),
            WriteError::ReadOnly { .. } => failure(Code::OutputReadOnly),
            WriteError::NoSpace { .. } => failure(Code::OutputNoSpace),
            _ => failure(Code::OutputFailed),
        }
    }

    /// As [`Failure::write`], for what is never replaced.
    pub(crate) fn write_once(error: &WriteError) -> Self {
        let mut failure = Self::write(error);
        if matches!(error, WriteError::Exists { .. }) {
            failure.hint = Some("nothing is replaced here; choose another place with --out".to_owned());
        }
        failure
    }

    pub(crate) fn execute(error: &ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(refused) => Self::refused(refused),
            ExecuteError::Randomness(source) => {
                Self::new(Code::MachineRandomness, error.to_string()).cause(source.to_string())
            }
            ExecuteError::Write(error) => Self::write(error),
            ExecuteError::Moved(_) => Self::new(Code::OutputFailed, error.to_string()).hint(
                "both files were made whole; if the folder was moved, they are in it. Look before you split again",
            ),
            ExecuteError::TooLarge(_) => Self::new(Code::OutputFailed, error.to_string())
                .hint("split fewer keystores at a time, each part with the nonce that follows the part before"),
            ExecuteError::ReadBack(_) => Self::new(Code::InternalSelfCheck, error.to_string())
                .hint("the disk or the memory of this machine may be failing; nothing was published"),
            ExecuteError::NotValid(report) => Self::new(Code::InternalSelfCheck, error.to_string())
                .hint("nothing was published; please report this")
                .failures(report),
            ExecuteError::Dealer(_) | ExecuteError::Json(_) => Self::new(Code::InternalSelfCheck, error.to_string()),
        }
    }

    pub(crate) fn terms(error: &TermsError) -> Self {
        match error {
            TermsError::NoWithdrawal => Self::missing("the withdrawal address", "--withdrawal"),
            TermsError::ZeroAddress | TermsError::NobodysAddress => Self::new(Code::DepositAddress, error.to_string()),
            TermsError::NoAmount(_) => Self::new(Code::InputMissing, "the amount is missing")
                .cause(error.to_string())
                .hint("give --amount, the one of this part"),
            TermsError::NoPart { .. } => {
                Self::new(Code::DepositContradiction, error.to_string()).hint("say with --amount what this part is")
            }
            TermsError::TooLittle(_) | TermsError::TooMuch { .. } => Self::new(Code::DepositAmount, error.to_string()),
            TermsError::NotThere { .. }
            | TermsError::OtherAddress { .. }
            | TermsError::OtherNetworksVault { .. }
            | TermsError::OtherType { .. }
            | TermsError::OtherAmount { .. } => Self::new(Code::DepositContradiction, error.to_string()),
        }
    }

    pub(crate) fn deposit(error: &deposit::ExecuteError) -> Self {
        use deposit::ExecuteError;
        match error {
            ExecuteError::Refused(refused) => Self::refused(refused),
            ExecuteError::Write(error) => Self::write_once(error),
            ExecuteError::Moved(_) => Self::new(Code::OutputFailed, error.to_string())
                .hint("the file was made whole; if the folder was moved, it is in it"),
            ExecuteError::ReadBack => Self::new(Code::InternalSelfCheck, error.to_string())
                .hint("the disk or the memory of this machine may be failing; nothing was published"),
            ExecuteError::NotValid(report) => Self::new(Code::InternalSelfCheck, error.to_string())
                .hint("nothing was published; please report this")
                .failures(report),
            ExecuteError::Json(_) => Self::new(Code::InternalSelfCheck, error.to_string()),
        }
    }

    pub(crate) fn recover(error: &RecoverFailure) -> Self {
        let failure = |code| Self::new(code, error.to_string());
        match error {
            RecoverFailure::NoValidator | RecoverFailure::NotInFile(_) => failure(Code::RecoverValidator),
            RecoverFailure::SeveralValidators(_) => {
                failure(Code::RecoverValidator).hint("say which one with --validator 0x…")
            }
            RecoverFailure::Item(_)
            | RecoverFailure::Damaged
            | RecoverFailure::Repeated(_)
            | RecoverFailure::ClusterSize(_) => {
                failure(Code::FileUnreadable).hint("dvkey verify says what is wrong with the file")
            }
            RecoverFailure::NotAnOperator(_)
            | RecoverFailure::Recover(RecoverError::TooFew { .. } | RecoverError::Duplicate(_)) => {
                failure(Code::RecoverShares)
            }
            RecoverFailure::DoesNotOpen(_) | RecoverFailure::OtherShare(_) => failure(Code::RecoverMismatch),
            RecoverFailure::Recover(RecoverError::OtherKey) => {
                failure(Code::RecoverMismatch).hint("nothing was written; too few shares make another key, too")
            }
            RecoverFailure::Randomness(_) => failure(Code::MachineRandomness),
            RecoverFailure::Kdf(_) => failure(Code::KeystoreMemory),
            RecoverFailure::Write(error) => Self::write_once(error),
            RecoverFailure::Moved(_) => {
                failure(Code::OutputFailed).hint("the keystore was made whole; if the folder was moved, it is in it")
            }
            RecoverFailure::Json(_)
            | RecoverFailure::ReadBack
            | RecoverFailure::Unreadable(_)
            | RecoverFailure::Unopened(_) => failure(Code::InternalSelfCheck)
                .hint("the disk or the memory of this machine may be failing; nothing was published"),
        }
    }

    /// The checks that a written file fails.
    fn failures(mut self, report: &Report) -> Self {
        let failures = report.failures().take(SHOWN);
        self.causes = failures.map(|(check, _, reason)| format!("{} {reason}", check.id())).collect();
        self
    }

    pub(crate) fn operator_key(path: &Path, error: &OperatorKeyFileError) -> Self {
        let failure = Self::new(Code::OpenKey, format!("{}: {error}", path.display()));
        match error {
            OperatorKeyFileError::Envelope(EnvelopeError::WrongPassword) => {
                failure.hint("the password is the one that the operator's node is started with")
            }
            _ => failure,
        }
    }

    /// Keystores that could not be used, each with its reason.
    pub(crate) fn refused(refused: &Refused) -> Self {
        let Refused { refusals, total } = refused;
        let tried = || refusals.iter().filter(|refusal| !matches!(refusal.cause, RefusalCause::NotTried));
        let codes: Vec<_> = tried().map(|refusal| refusal_code(&refusal.cause)).collect();
        let code = match codes.as_slice() {
            [first, rest @ ..] if rest.iter().all(|code| code == first) => *first,
            _ => Code::KeystoreSeveral,
        };
        let mut failure = match (refusals.as_slice(), total) {
            ([only], 1) => Self::new(code, about(&only.path, &only.cause)),
            _ => {
                let untried = refusals.len() - codes.len();
                let untried = if untried == 0 { String::new() } else { format!(" ({untried} of them not tried)") };
                let headline =
                    format!("{} of {total} keystores could not be used{untried}; nothing was written", refusals.len());
                let mut failure = Self::new(code, headline);
                failure.list(tried().map(|refusal| about(&refusal.path, &refusal.cause)));
                failure
            }
        };
        if let Some(RefusalCause::Memory { wanted, .. }) = tried().map(|refusal| &refusal.cause).next() {
            failure = failure.hint(format!("give at least --memory {}MiB", wanted >> 20));
        }
        failure.hint_for(code)
    }

    /// What helps against a code, wherever it comes from.
    fn hint_for(mut self, code: Code) -> Self {
        let hint = match code {
            Code::KeystoreWrongPassword => "check the password; for one password a keystore use --password-dir",
            Code::KeystoreKdf => "if you trust the file, raise the bound with --max-kdf-memory",
            Code::KeystoreSameValidator => "keep one of the two files; registering a validator twice fails on chain",
            Code::KeystoreAccountWallet => "a validator keystore has version 4; this one holds an account",
            Code::KeystoreBroken => "get the file again; nothing was skipped, so that no nonce moved",
            Code::PasswordSource => "`dvkey explain password.source` lists the names that are looked for in a folder",
            Code::KeystoreSeveral => "nothing was skipped, so that no nonce moved; mend or move these files",
            _ => return self,
        };
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    fn list(&mut self, problems: impl Iterator<Item = String>) {
        let mut left = 0usize;
        for (position, problem) in problems.enumerate() {
            if position < SHOWN {
                self.causes.push(problem);
            } else {
                left += 1;
            }
        }
        if left > 0 {
            self.causes.push(format!("and {left} more"));
        }
    }
}

/// A problem with its file, named once.
fn about(path: &Path, problem: &dyn std::fmt::Display) -> String {
    let (path, problem) = (path.display().to_string(), problem.to_string());
    if problem.starts_with(&format!("{path}: ")) { problem } else { format!("{path}: {problem}") }
}

fn inventory_code(problem: &InventoryProblem) -> Code {
    match problem {
        InventoryProblem::Read(_) => Code::KeystoreUnreadable,
        InventoryProblem::Keystore(KeystoreError::AccountWallet(_)) => Code::KeystoreAccountWallet,
        InventoryProblem::Keystore(KeystoreError::Kdf(KdfError::Memory { .. } | KdfError::Work(_))) => {
            Code::KeystoreKdf
        }
        InventoryProblem::Keystore(_) => Code::KeystoreBroken,
        InventoryProblem::PublicKey => Code::KeystorePublicKey,
        InventoryProblem::OtherKind(crate::format::detect::Kind::AccountWallet) => Code::KeystoreAccountWallet,
        InventoryProblem::OtherKind(_) | InventoryProblem::NotJson(_) => Code::KeystoreOtherKind,
        InventoryProblem::NotAFile => Code::KeystoreUnreadable,
        InventoryProblem::SameValidator(_) => Code::KeystoreSameValidator,
        InventoryProblem::EmptyFolder => Code::KeystoreNone,
    }
}

fn password_code(error: &PasswordError) -> Code {
    match error {
        PasswordError::NotUtf8 { .. } => Code::PasswordEncoding,
        PasswordError::Command { .. } | PasswordError::HelperNotStarted { .. } => Code::PasswordCommand,
        _ => Code::PasswordSource,
    }
}

fn refusal_code(cause: &RefusalCause) -> Code {
    match cause {
        RefusalCause::NoPassword(error) => password_code(error),
        RefusalCause::PasswordText(_) => Code::PasswordEncoding,
        RefusalCause::Unlock(UnlockError::Envelope(EnvelopeError::WrongPassword)) => Code::KeystoreWrongPassword,
        RefusalCause::Unlock(UnlockError::Envelope(EnvelopeError::Kdf(KdfError::NoMemory(_)))) => Code::KeystoreMemory,
        RefusalCause::Unlock(UnlockError::Envelope(EnvelopeError::Kdf(_))) => Code::KeystoreKdf,
        RefusalCause::Unlock(UnlockError::SecretKey(_)) => Code::KeystoreSecret,
        RefusalCause::Unlock(UnlockError::PublicKeyDiffers { .. }) => Code::KeystorePublicKey,
        RefusalCause::Memory { .. } => Code::KeystoreMemory,
        RefusalCause::SameValidator(_) => Code::KeystoreSameValidator,
        RefusalCause::Deal(_) | RefusalCause::Seal(_) => Code::InternalSelfCheck,
        RefusalCause::NotTried => Code::KeystoreSeveral,
    }
}
