//! Judges deposit data of any origin: roots and signature recomputed, network, credentials and amount.

use std::collections::HashMap;
use std::fmt;

use dvkey_ceremony::bls::{PointError, SignedMessage};
use dvkey_ceremony::deposit::CredentialsError;
use dvkey_ceremony::{
    Address, DepositData, DepositMessage, ForkVersion, Gwei, PublicKey, Signature, WithdrawalCredentials,
};

use super::check::{Check, Reason, Report, Subject, Unknown, ValidatorLine};
use super::keyshares::Expected;
use super::tally::{Outcome, Results};
use crate::format::deposit::{DepositFile, Entry, Oddity};
use crate::format::json::FieldError;
use crate::format::network::Network;
use crate::workflow::parallel::in_chunks;

/// The least that the deposit contract takes.
pub const LEAST: Gwei = Gwei::ETHER;

/// The most that counts for a validator with compounding credentials (EIP-7251).
pub const MOST: Gwei = Gwei::from_ether(2048);

/// The most that counts for any other validator.
pub const MOST_NOT_COMPOUNDING: Gwei = Gwei::from_ether(32);

/// Whom the stake should be paid to, as somebody says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// This account, whatever the type of the credentials.
    Address(Address),
    /// Exactly these credentials.
    Credentials(WithdrawalCredentials),
}

impl Withdrawal {
    fn fits(self, credentials: &WithdrawalCredentials) -> bool {
        match self {
            Self::Address(address) => credentials.address() == Some(address),
            Self::Credentials(wanted) => *credentials == wanted,
        }
    }
}

impl fmt::Display for Withdrawal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Credentials(credentials) => credentials.fmt(f),
        }
    }
}

/// What a deposit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositLine {
    /// Whom the stake is paid to.
    pub credentials: WithdrawalCredentials,
    /// How much it is.
    pub amount: Gwei,
}

/// What is wrong with a deposit.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DepositReason {
    /// It cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No deposit at all.
    #[error("the file holds no deposit")]
    Empty,
    /// Another number than asked for.
    #[error("{found} deposits, {wanted} were expected")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The public key is no key.
    #[error("the validator public key is {0}")]
    PublicKey(PointError),
    /// The validator stands twice: the second deposit would only add to the first.
    #[error("the same validator as number {}", first + 1)]
    Duplicate {
        /// The position of the other, from 0.
        first: usize,
    },
    /// The validator stands in another file of the same run.
    #[error("a deposit of the same validator stands in {0}, too")]
    InOtherFile(String),
    /// Not the validators of the keyshares in the same folder.
    #[error(
        "not the validators of the keyshares in this folder: {deposits} only with a deposit, {keyshares} only with keyshares"
    )]
    OtherValidators {
        /// How many have a deposit and no keyshares.
        deposits: usize,
        /// How many have keyshares and no deposit.
        keyshares: usize,
    },
    /// Another network than the deposits of another file of the same run.
    #[error("the fork version is that of {found}, the deposits in {file} are for {first}")]
    OtherNetworkInFile {
        /// What this file's fork version says.
        found: String,
        /// What the other file's says.
        first: String,
        /// The other file.
        file: String,
    },
    /// Nobody could withdraw.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The zero address: everything withdrawn would be lost.
    #[error("the withdrawal address is the zero address")]
    ZeroAddress,
    /// Paid to somebody else than was asked for.
    #[error("the withdrawal credentials are {found}, {wanted} was expected")]
    WithdrawalDiffers {
        /// What the deposit says.
        found: WithdrawalCredentials,
        /// What was asked for.
        wanted: Withdrawal,
    },
    /// The deposit contract takes no less than 1 ETH.
    #[error("{0} is less than the deposit contract takes")]
    TooLittle(Gwei),
    /// More than can ever count.
    #[error("{0} is more than the 2048 ETH that can count")]
    TooMuch(Gwei),
    /// Another amount than asked for.
    #[error("the amount is {found}, {wanted} was expected")]
    AmountDiffers {
        /// What the deposit says.
        found: Gwei,
        /// What was asked for.
        wanted: Gwei,
    },
    /// No network has this genesis fork version.
    #[error("the fork version {0} is that of no known network")]
    UnknownFork(ForkVersion),
    /// Another network than asked for.
    #[error("the fork version is that of {found}, {wanted} was expected")]
    ForkDiffers {
        /// What the fork version says.
        found: Network,
        /// What was asked for.
        wanted: Network,
    },
    /// Another network than the first deposit's.
    #[error("the fork version is that of {found}, the first deposit's is that of {first}")]
    ForksMixed {
        /// What this fork version says.
        found: Network,
        /// What the first one says.
        first: Network,
    },
    /// The name is another network's.
    #[error("the file says {named:?}, the fork version is that of {network}")]
    NetworkName {
        /// The name in the file.
        named: String,
        /// The network of the fork version.
        network: Network,
    },
    /// The claimed root is not the root.
    #[error("deposit_message_root is not the root of this deposit's message")]
    MessageRoot,
    /// The claimed root is not the root: the contract would refuse the deposit.
    #[error("deposit_data_root is not the root of this deposit")]
    DataRoot,
    /// The signature bytes are no signature.
    #[error("the signature is {0}")]
    SignaturePoint(PointError),
    /// The signature is not of this key over this deposit: the stake would be lost.
    #[error("the validator key did not sign this deposit")]
    Signature,
}

/// Judges `file`. `jobs` threads share the work.
#[must_use]
pub fn judge(file: &DepositFile, expected: &Expected<'_>, jobs: usize) -> Report {
    let mut results = Results::default();
    let found = file.entries.len();
    let count = match expected.validators {
        Some(wanted) if wanted != found => Err(DepositReason::Count { found, wanted }),
        _ if found == 0 => Err(DepositReason::Empty),
        _ => Ok(()),
    };
    results.record(Check::DepositCount, None, count.map_err(Reason::from));

    let judged = in_chunks(&file.entries, jobs, |entries| judge_entries(entries, expected));
    let mut validators = Vec::with_capacity(found);
    let mut lines = Vec::with_capacity(found);
    let mut oddities = file.oddities.clone();
    for (position, judged) in judged.into_iter().enumerate() {
        results.absorb(position, judged.results);
        validators.push(ValidatorLine {
            public_key: judged.public_key,
            nonce: None,
            operators: Vec::new(),
            good: true,
        });
        oddities.extend(judged.line.and_then(|line| unusual(&line)));
        lines.push(judged.line);
    }
    duplicates(&validators, &mut results);
    let network = one_network(file, &mut results);
    const BLOCKED: [Check; 5] =
        [Check::Credentials, Check::Amount, Check::MessageRoot, Check::DataRoot, Check::DepositSignature];
    results.settle(&BLOCKED, found);
    let failed = results.failed_positions();
    for (position, line) in validators.iter_mut().enumerate() {
        line.good = !failed.contains(&position);
    }
    oddities.sort();
    oddities.dedup();
    Report {
        verdict: results.verdict(&BLOCKED, |why| *why == Unknown::Blocked),
        checks: results.into_checks(),
        validators,
        owner: None,
        network: network.map(|network| network.name().to_owned()),
        subject: Subject::Deposits(lines, oddities),
    }
}

/// What was found out about one deposit.
struct Judged {
    results: Vec<(Check, Outcome)>,
    public_key: Option<PublicKey>,
    line: Option<DepositLine>,
}

/// A signature that is still to be verified.
struct Statement {
    place: usize,
    public_key: PublicKey,
    root: [u8; 32],
    signature: Signature,
}

fn judge_entries(entries: &[Result<Entry, FieldError>], expected: &Expected<'_>) -> Vec<Judged> {
    let mut statements = Vec::new();
    let mut judged: Vec<_> = entries
        .iter()
        .enumerate()
        .map(|(place, entry)| match entry {
            Ok(entry) => judge_entry(entry, expected, place, &mut statements),
            Err(error) => {
                let reason = DepositReason::from(error.clone());
                let results = vec![(Check::DepositStructure, Outcome::Fails(reason.into()))];
                Judged { results, public_key: None, line: None }
            }
        })
        .collect();
    // All signatures at once, which costs half; one by one only to find out which does not hold.
    let signed: Vec<_> = statements
        .iter()
        .map(|statement| SignedMessage {
            public_key: &statement.public_key,
            message: &statement.root,
            signature: &statement.signature,
        })
        .collect();
    let all_hold = !signed.is_empty() && Signature::verify_all(&signed);
    for statement in &statements {
        let holds = all_hold || statement.signature.verify(&statement.public_key, &statement.root);
        let outcome = if holds { Ok(()) } else { Err(DepositReason::Signature) };
        if let Some(judged) = judged.get_mut(statement.place) {
            judged.results.push((Check::DepositSignature, outcome.into()));
        }
    }
    judged
}

fn judge_entry(entry: &Entry, expected: &Expected<'_>, place: usize, statements: &mut Vec<Statement>) -> Judged {
    let mut results = vec![(Check::DepositStructure, Outcome::Holds)];
    let mut result = |check: Check, outcome: Result<(), DepositReason>| results.push((check, outcome.into()));
    let public_key = PublicKey::from_bytes(&entry.public_key);
    result(Check::DepositKey, public_key.map(drop).map_err(DepositReason::PublicKey));
    let credentials = WithdrawalCredentials::from_bytes(&entry.credentials);
    result(
        Check::Credentials,
        credentials.map_err(DepositReason::from).and_then(|found| must_fit(&found, expected.withdrawal)),
    );
    result(Check::Amount, amount(entry.amount, expected.amount));
    fork(entry, expected, &mut result);

    let line = credentials.ok().map(|credentials| DepositLine { credentials, amount: entry.amount });
    let signature = Signature::from_bytes(&entry.signature);
    if let (Ok(public_key), Some(DepositLine { credentials, amount })) = (public_key, line) {
        let message = DepositMessage { public_key, credentials, amount };
        let same = |same: bool, otherwise| if same { Ok(()) } else { Err(otherwise) };
        result(Check::MessageRoot, same(message.root() == entry.message_root, DepositReason::MessageRoot));
        if let Ok(signature) = signature {
            let root = DepositData { message, signature }.root();
            result(Check::DataRoot, same(root == entry.data_root, DepositReason::DataRoot));
            let root = message.signing_root(entry.fork_version);
            statements.push(Statement { place, public_key, root, signature });
        }
    }
    if let Err(problem) = signature {
        result(Check::DepositSignature, Err(DepositReason::SignaturePoint(problem)));
    }
    Judged { results, public_key: public_key.ok(), line }
}

fn must_fit(found: &WithdrawalCredentials, wanted: Option<Withdrawal>) -> Result<(), DepositReason> {
    match wanted {
        Some(wanted) if !wanted.fits(found) => Err(DepositReason::WithdrawalDiffers { found: *found, wanted }),
        _ if found.address().is_some_and(|address| address.is_zero()) => Err(DepositReason::ZeroAddress),
        _ => Ok(()),
    }
}

fn amount(found: Gwei, wanted: Option<Gwei>) -> Result<(), DepositReason> {
    match wanted {
        Some(wanted) if wanted != found => Err(DepositReason::AmountDiffers { found, wanted }),
        _ if found < LEAST => Err(DepositReason::TooLittle(found)),
        _ if found > MOST => Err(DepositReason::TooMuch(found)),
        _ => Ok(()),
    }
}

fn fork(entry: &Entry, expected: &Expected<'_>, result: &mut impl FnMut(Check, Result<(), DepositReason>)) {
    let Some(network) = Network::of_fork(entry.fork_version) else {
        return result(Check::Fork, Err(DepositReason::UnknownFork(entry.fork_version)));
    };
    let differs = expected.network.filter(|wanted| *wanted != network);
    result(Check::Fork, differs.map_or(Ok(()), |wanted| Err(DepositReason::ForkDiffers { found: network, wanted })));
    if let Some(named) = &entry.network_name {
        let same = named == network.name();
        let otherwise = || DepositReason::NetworkName { named: named.clone(), network };
        result(Check::NetworkName, if same { Ok(()) } else { Err(otherwise()) });
    }
}

/// The second deposit for a validator adds to the first, whatever its credentials say: never what a list of deposits means.
fn duplicates(validators: &[ValidatorLine], results: &mut Results) {
    let mut positions = HashMap::new();
    for (position, line) in validators.iter().enumerate() {
        let Some(key) = line.public_key else { continue };
        let first = *positions.entry(key).or_insert(position);
        let outcome = if first == position { Ok(()) } else { Err(DepositReason::Duplicate { first }) };
        results.record(Check::DepositDuplicates, Some(position), outcome);
    }
}

/// All deposits of a file are for one network. Returns it.
fn one_network(file: &DepositFile, results: &mut Results) -> Option<Network> {
    let mut first = None;
    for (position, entry) in file.entries.iter().enumerate() {
        let Some(found) = entry.as_ref().ok().and_then(|entry| Network::of_fork(entry.fork_version)) else { continue };
        let first = *first.get_or_insert(found);
        if first != found {
            results.failed(Check::Fork, Some(position), DepositReason::ForksMixed { found, first });
        }
    }
    first
}

/// What the chain takes, and what few people want.
fn unusual(line: &DepositLine) -> Option<Oddity> {
    match line.credentials {
        WithdrawalCredentials::Bls(_) => Some(Oddity::BlsCredentials),
        WithdrawalCredentials::Execution(_) if line.amount > MOST_NOT_COMPOUNDING => Some(Oddity::MoreThanCounts),
        _ => None,
    }
}
