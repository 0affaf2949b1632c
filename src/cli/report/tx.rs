//! The errors of `dvkey tx`, as people see them.

use dvkey_ceremony::address::AddressError;

use super::Failure;
use crate::cli::codes::Code;
use crate::format::amount::AmountError;
use crate::format::cluster_snapshot::SnapshotError;
use crate::format::receipt::ReceiptError;
use crate::workflow::payload::describe::DescribeError;
use crate::workflow::payload::preflight::Rejection;
use crate::workflow::payload::register::RegisterError;
use crate::workflow::payload::write::PayloadWriteError;

impl Failure {
    pub(crate) fn amount(flag: &str, error: &AmountError) -> Self {
        let failure = Self::new(Code::TxAmount, format!("{flag}: {error}"));
        match error {
            AmountError::NoUnit(text) => failure.hint(format!("write {text}ether or {text}wei, whichever is meant")),
            AmountError::TooFine { .. } | AmountError::TooLarge(_) => failure,
            AmountError::Form(_) => failure.hint("write 1.5ether, 100gwei or 250000wei, with a point and no blanks"),
        }
    }

    pub(crate) fn address(flag: &str, error: &AddressError) -> Self {
        Self::new(Code::TxAddress, format!("{flag}: {error}")).hint("copy the address again, with its capital letters")
    }

    pub(crate) fn snapshot(path: &str, error: &SnapshotError) -> Self {
        let failure = Self::new(Code::TxSnapshot, format!("{path}: {error}"));
        match error {
            SnapshotError::NoCluster => failure.hint("if the owner has never had this cluster: --new-cluster"),
            SnapshotError::Several(_) => failure.hint("say which with --operator-ids and --owner"),
            SnapshotError::Event(error) => Self::receipt(path, error),
            SnapshotError::UnknownShape => {
                failure.hint("`dvkey explain tx.snapshot` lists the sources and how to ask them")
            }
            _ => failure,
        }
    }

    pub(crate) fn receipt(path: &str, error: &ReceiptError) -> Self {
        let code = if *error == ReceiptError::Failed { Code::TxFailed } else { Code::TxReceipt };
        let failure = Self::new(code, format!("{path}: {error}"));
        match error {
            ReceiptError::Failed => failure.hint("decode the revert data with `dvkey tx decode` to see the reason"),
            ReceiptError::Pending => failure.hint("wait until the transaction is in a block, and ask the node again"),
            ReceiptError::Unordered => {
                failure.hint("give them as eth_getLogs answers, or the last one alone, or the receipt with --receipt")
            }
            ReceiptError::NoEvent => failure.hint("is it the right transaction, and the right --network?"),
            _ => failure,
        }
    }

    pub(crate) fn rejected(error: &Rejection) -> Self {
        let failure = Self::new(rejection_code(error), error.to_string());
        let (name, hint) = rejection_words(error);
        let failure = match name {
            Some(name) => failure.cause(format!("the contract would revert with {name}")),
            None => failure,
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    pub(crate) fn register(error: &RegisterError) -> Self {
        match error {
            RegisterError::NotValid(report) => {
                let failures: Vec<_> = report.failures().collect();
                let mut failure = Self::new(Code::VerifyNotValid, "the keyshares are not valid; no payload was made")
                    .hint("the nodes would ignore these validators while their fees run; split again");
                failure.list(failures.iter().map(|(check, position, reason)| {
                    let place = position.map_or(String::new(), |position| format!("validator {}: ", position + 1));
                    format!("{} {place}{reason}", check.id())
                }));
                failure
            }
            RegisterError::CannotJudge(_, why) => {
                Self::new(Code::VerifyCannotJudge, "the keyshares cannot be judged; no payload was made")
                    .cause(why.to_string())
                    .hint("give --owner and --nonce where the file does not name them")
            }
            RegisterError::NoOwner => Self::new(Code::InputMissing, error.to_string()).hint("give --owner"),
            RegisterError::Rehearsal => Self::new(Code::CeremonyRehearsal, error.to_string())
                .hint("no payload is made of it; register what a real ceremony made"),
            RegisterError::NotInFile { .. } => Self::new(Code::TxNonce, error.to_string())
                .hint("--from-nonce takes the registration nonce of the first validator that is still to come"),
            RegisterError::MadeEarlier(_) => Self::new(Code::TxSnapshot, error.to_string())
                .hint("give --cluster with the snapshot that the last call on it left: dvkey tx next"),
            RegisterError::Rejected(rejection) => Self::rejected(rejection),
        }
    }

    pub(crate) fn payload_write(error: &PayloadWriteError) -> Self {
        match error {
            PayloadWriteError::Write(error) => Self::write(error),
            PayloadWriteError::Moved(_) => Self::new(Code::OutputFailed, error.to_string()),
            PayloadWriteError::Json(_) | PayloadWriteError::ReadBack(_) => {
                Self::new(Code::InternalSelfCheck, error.to_string()).hint("nothing was published; please report this")
            }
        }
    }

    pub(crate) fn describe(name: &str, error: &DescribeError) -> Self {
        let failure = Self::new(Code::TxUnknown, format!("{name} cannot be decoded")).cause(error.to_string());
        match error {
            DescribeError::UnknownForm | DescribeError::OtherJson => {
                failure.hint("`dvkey inspect FILE` says what a file is")
            }
            _ => failure.hint("do not sign what you cannot read"),
        }
    }
}

fn rejection_code(error: &Rejection) -> Code {
    match error {
        Rejection::VersionOne { .. } => Code::TxNetwork,
        Rejection::NoValidators
        | Rejection::LengthsDiffer { .. }
        | Rejection::PublicKeyLength { .. }
        | Rejection::PublicKey(_)
        | Rejection::Duplicate { .. }
        | Rejection::MoreThanThere { .. } => Code::TxValidators,
        Rejection::ClusterSize(_)
        | Rejection::Unsorted(..)
        | Rejection::Repeated(_)
        | Rejection::OperatorZero
        | Rejection::OperatorMissing(_)
        | Rejection::NotWhitelisted(_)
        | Rejection::ValidatorLimit { .. } => Code::TxOperators,
        Rejection::NotNew
        | Rejection::EmptySnapshot
        | Rejection::OtherOwner { .. }
        | Rejection::OtherOperators { .. }
        | Rejection::OtherNetwork(..) => Code::TxSnapshot,
        Rejection::PaysInSsv | Rejection::PaysInEth | Rejection::Liquidated | Rejection::NotLiquidated => Code::TxState,
        Rejection::BalanceOverflow
        | Rejection::InsufficientBalance { .. }
        | Rejection::NoBalance
        | Rejection::MoreThanBalance { .. } => Code::TxBalance,
        Rejection::NothingSent
        | Rejection::Precision(_)
        | Rejection::SsvPrecision(_)
        | Rejection::FeeTooLarge(_)
        | Rejection::NotPayable(_) => Code::TxAmount,
        Rejection::NoAddresses | Rejection::ZeroAddress | Rejection::SsvContract(..) => Code::TxAddress,
    }
}

/// What the contract calls it, and what helps.
fn rejection_words(error: &Rejection) -> (Option<&'static str>, Option<&'static str>) {
    match error {
        Rejection::VersionOne { .. } => (None, Some("the contract on mainnet and hoodi is version 2")),
        Rejection::NoValidators => (Some("EmptyPublicKeysList or ValidatorDoesNotExist"), None),
        Rejection::LengthsDiffer { .. } => (Some("PublicKeysSharesLengthMismatch"), None),
        Rejection::ClusterSize(_) => (Some("InvalidOperatorIdsLength"), Some("name 4, 7, 10 or 13 operators")),
        Rejection::PublicKeyLength { .. } => (Some("InvalidPublicKeyLength"), None),
        Rejection::Duplicate { .. } => (Some("ValidatorAlreadyExistsWithData"), Some("name each validator once")),
        Rejection::PaysInSsv => (Some("IncorrectClusterVersion"), Some("first: dvkey tx migrate")),
        Rejection::NotNew | Rejection::OtherOwner { .. } | Rejection::OtherOperators { .. } => {
            (Some("IncorrectClusterState"), Some("get the snapshot of this very cluster, after its last transaction"))
        }
        Rejection::EmptySnapshot => (
            None,
            Some("a new cluster is registered with --new-cluster; for one that is there, get its snapshot again"),
        ),
        Rejection::OtherNetwork(..) => (None, Some("get the snapshot from the network that is meant")),
        Rejection::Liquidated => (Some("ClusterIsLiquidated"), Some("first: dvkey tx reactivate")),
        Rejection::NotLiquidated => (Some("ClusterAlreadyEnabled"), Some("to add ether: dvkey tx deposit")),
        Rejection::Unsorted(..) => (Some("UnsortedOperatorsList"), None),
        Rejection::Repeated(_) => (Some("OperatorsListNotUnique"), None),
        Rejection::OperatorMissing(_) => {
            (Some("OperatorDoesNotExist"), Some("choose another operator, and split again"))
        }
        Rejection::NotWhitelisted(_) => {
            (Some("CallerNotWhitelistedWithData"), Some("ask the operator to whitelist the owner"))
        }
        Rejection::ValidatorLimit { .. } => (
            Some("ExceedValidatorLimitWithData"),
            Some("if the network's limit is another now: --operator-limit, from getValidatorsPerOperatorLimit"),
        ),
        Rejection::InsufficientBalance { .. } => (Some("InsufficientBalance"), Some("send more, or take less out")),
        Rejection::NoBalance => (Some("InsufficientBalance"), Some("send ether along with --value")),
        Rejection::MoreThanBalance { .. } => (Some("InsufficientBalance"), None),
        Rejection::Precision(_) => (Some("MaxPrecisionExceeded"), Some("round it to a multiple of 100000 wei")),
        Rejection::SsvPrecision(_) => {
            (Some("MaxPrecisionExceeded"), Some("round it to a multiple of 0.00000000001ssv"))
        }
        Rejection::FeeTooLarge(_) => (Some("MaxValueExceeded"), None),
        _ => (None, None),
    }
}
