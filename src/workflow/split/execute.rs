//! Makes what a plan says: unlock, deal, seal, sign, write aside, judge from disk, publish.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dvkey_ceremony::dealer::{DealError, DealerError};
use dvkey_ceremony::share::{Sharing, SharingError, check_polynomials};
use dvkey_ceremony::{Dealer, OwnerNonce, PublicKey};

use super::{KEYSHARES_FILE, OUTPUT_FILES, Plan, PlannedKeystore};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::keystore_cipher::EnvelopeError;
use crate::crypto::operator_key::SealError;
use crate::crypto::password::{Password, Reading};
use crate::crypto::random::{self, NoRandomness};
use crate::format::keyshares::{self, NewItem};
use crate::format::keystore::{UnlockError, Unlocked};
use crate::format::provenance::{
    self, CheckFacts, FileFacts, NetworkFacts, OperatorFacts, Provenance, RunFacts, Tool, ValidatorFacts,
};
use crate::machine::memory::Budget;
use crate::machine::password::PasswordError;
use crate::store::atomic::Mode;
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::store::write_error::WriteError;
use crate::workflow::parallel::in_chunks;
use crate::workflow::verify::check::{Check, Report, Verdict};
use crate::workflow::verify::keyshares::{Beside, Expected, Unclear, judge};

/// Where passwords come from.
pub trait Passwords: Sync {
    /// The password of a keystore, without asking anybody.
    ///
    /// # Errors
    /// [`RefusalCause::NoPassword`], [`RefusalCause::PasswordText`].
    fn get(&self, keystore: &PlannedKeystore) -> Result<Password, RefusalCause>;

    /// Asks a person again after `tries` wrong answers; `None` when nobody can be asked, or has been asked often enough.
    fn ask_again(&self, keystore: &PlannedKeystore, tries: usize) -> Option<Password>;

    /// Takes a password that a person typed and that opened a keystore: it is what [`Passwords::get`] gives from now on.
    fn keep(&self, password: Password);

    /// Whether the first keystore should be opened alone, so that a mistyped password is found out at once.
    fn try_first_alone(&self) -> bool;
}

/// What the machine lends to an execution.
pub struct Ports<'a> {
    /// Where passwords come from.
    pub passwords: &'a dyn Passwords,
    /// The memory for key derivation.
    pub memory: &'a Budget,
    /// How many keystores at a time.
    pub jobs: usize,
    /// Where the files go.
    pub output: OutputDir,
    /// UTC, as JavaScript writes it.
    pub created_at: String,
    /// Whether the right to open a socket has been dropped.
    pub offline_enforced: bool,
    /// Hears what happens.
    pub events: &'a (dyn Fn(Event<'_>) + Sync),
}

/// What happens during an execution.
#[derive(Debug)]
pub enum Event<'a> {
    /// A keystore became a validator with shares.
    Split {
        /// Which.
        keystore: &'a PlannedKeystore,
        /// Its public key.
        public_key: &'a PublicKey,
        /// How its password was read.
        reading: Reading,
    },
    /// A keystore was refused.
    Refused {
        /// Which, and why.
        refusal: &'a Refusal,
    },
    /// The files are written aside; now they are read back and judged.
    Judging,
    /// The files become visible.
    Publishing,
}

/// What was made.
#[derive(Debug)]
pub struct Done {
    /// The files, in the order in which they appeared.
    pub files: Vec<PathBuf>,
    /// The validators, in the order of registration.
    pub validators: Vec<(PublicKey, u16)>,
    /// What the file was judged to be, from disk.
    pub report: Report,
    /// The digest of the keyshares file.
    pub keyshares_digest: Sha256Digest,
}

/// A keystore that gave no shares.
#[derive(Debug)]
pub struct Refusal {
    /// The keystore.
    pub path: PathBuf,
    /// Why.
    pub cause: RefusalCause,
}

/// Why a keystore gave no shares.
#[derive(Debug, thiserror::Error)]
pub enum RefusalCause {
    /// There is no password for it.
    #[error("no password: {0}")]
    NoPassword(#[from] PasswordError),
    /// The password is not UTF-8.
    #[error(transparent)]
    PasswordText(#[from] crate::crypto::password::NotUtf8),
    /// It does not open, or holds no validator key.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// Its derivation needs more memory than the budget has.
    #[error("its key derivation needs {wanted} bytes of memory, the budget is {budget}")]
    Memory {
        /// What it needs.
        wanted: u64,
        /// What there is.
        budget: u64,
    },
    /// The key could not be split.
    #[error("the key could not be split: {0}")]
    Deal(String),
    /// A share could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The same validator came out of another file, too.
    #[error("the same validator as in {}", .0.display())]
    SameValidator(PathBuf),
    /// Too many others had failed before its turn came.
    #[error("not tried")]
    NotTried,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Some keystores were refused; nothing was written.
    #[error("{} of {total} keystores could not be split", refusals.len())]
    Refused {
        /// Which, and why.
        refusals: Vec<Refusal>,
        /// How many there are.
        total: usize,
    },
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The cluster is not one a dealer can serve, which its construction has ruled out.
    #[error(transparent)]
    Dealer(#[from] DealerError),
    /// The share keys of a validator fail the check that a stranger would make: a fault of this program or of this
    /// machine.
    #[error("the share keys fail the degree check: {0}")]
    Sharing(#[from] SharingError),
    /// Writing failed; nothing is left behind.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The text of a file could not be made.
    #[error("the output could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// What was read back differs from what was written.
    #[error("{0} came back from the disk other than it was written")]
    ReadBack(&'static str),
    /// The file would be larger than what is read back as one.
    #[error("keyshares.json would have {0} bytes, more than is read as one file")]
    TooLarge(usize),
    /// The files were published, and are not where they should be.
    #[error("{}: published, but not found there with the same content", .0.display())]
    Moved(PathBuf),
    /// The file that was read back is not valid: a fault of this program or of this machine.
    #[error("the written file does not pass verification")]
    NotValid(Box<Report>),
}

/// After so many wrong passwords and not one right, the rest is not tried: the password source is wrong.
const WRONG_PASSWORDS_TO_STOP: usize = 8;

/// Makes what the plan says.
///
/// # Errors
/// [`ExecuteError`]; nothing is written then, except for [`ExecuteError::Moved`].
pub fn execute(plan: &Plan, ports: Ports<'_>) -> Result<Done, ExecuteError> {
    random::check()?;
    let cluster = &plan.request.cluster;
    let identifiers: Vec<_> = cluster.ids().iter().map(|id| id.identifier()).collect();
    let dealer = Dealer::new(&identifiers, cluster.threshold())?;
    let made = split_all(plan, &dealer, &ports)?;
    prove(plan, &made, ports.jobs)?;
    write(plan, &made, ports)
}

/// The last of the dealer's proofs, for all validators together.
fn prove(plan: &Plan, made: &[Made], jobs: usize) -> Result<(), ExecuteError> {
    let threshold = plan.request.cluster.threshold();
    let checked = in_chunks(made, jobs, |made| {
        let items = made.iter().map(|made| &made.item);
        let sharings: Vec<_> = items
            .map(|item| Sharing { validator: &item.public_key, shares: &item.share_public_keys, threshold })
            .collect();
        check_polynomials(&sharings)
    });
    Ok(checked.into_iter().collect::<Result<(), _>>()?)
}

/// One validator, ready to be written.
struct Made {
    item: NewItem,
    reading: Reading,
}

fn split_all(plan: &Plan, dealer: &Dealer, ports: &Ports<'_>) -> Result<Vec<Made>, ExecuteError> {
    let run = Run {
        plan,
        dealer,
        ports,
        results: Mutex::new(plan.keystores.iter().map(|_| None).collect()),
        wrong: AtomicUsize::new(0),
        right: AtomicUsize::new(0),
        corrections: AtomicUsize::new(0),
    };
    let mut waiting = plan.keystores.iter().enumerate();
    if ports.passwords.try_first_alone() {
        for (position, keystore) in waiting.by_ref().take(1) {
            run.split_and_keep(position, keystore);
            run.ask_again(position, keystore, usize::MAX);
            if run.is_refused(position) {
                let untried = waiting
                    .map(|(_, keystore)| Refusal { path: keystore.found.path.clone(), cause: RefusalCause::NotTried });
                let refusals = run.into_results().into_iter().filter_map(Result::err).chain(untried).collect();
                return Err(ExecuteError::Refused { refusals, total: plan.keystores.len() });
            }
        }
    }
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let work = || {
        while let Some((position, keystore)) = next() {
            run.split_and_keep(position, keystore);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..ports.jobs.clamp(1, plan.keystores.len().max(1)) {
            // Where the system gives no more threads, the ones there are do the work.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let known = run.corrections.load(Ordering::Relaxed);
    for (position, keystore) in plan.keystores.iter().enumerate() {
        run.ask_again(position, keystore, known);
    }
    let results = run.into_results();
    let total = results.len();
    let mut made = Vec::with_capacity(total);
    let mut refusals = Vec::new();
    let mut paths: HashMap<PublicKey, &PathBuf> = HashMap::new();
    for (keystore, result) in plan.keystores.iter().zip(results) {
        match result {
            // A keystore that does not name its public key is known only now.
            Ok(result) => match paths.insert(result.item.public_key, &keystore.found.path) {
                None => made.push(result),
                Some(earlier) => {
                    let cause = RefusalCause::SameValidator(earlier.clone());
                    refusals.push(Refusal { path: keystore.found.path.clone(), cause });
                }
            },
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(made) } else { Err(ExecuteError::Refused { refusals, total }) }
}

/// The state that the workers share.
struct Run<'a> {
    plan: &'a Plan,
    dealer: &'a Dealer,
    ports: &'a Ports<'a>,
    results: Mutex<Vec<Option<Result<Made, Refusal>>>>,
    wrong: AtomicUsize,
    right: AtomicUsize,
    /// How often a password that a person corrected has opened something.
    corrections: AtomicUsize,
}

impl Run<'_> {
    fn split_and_keep(&self, position: usize, keystore: &PlannedKeystore) {
        let hopeless =
            self.right.load(Ordering::Relaxed) == 0 && self.wrong.load(Ordering::Relaxed) >= WRONG_PASSWORDS_TO_STOP;
        let result = if hopeless {
            Err(RefusalCause::NotTried)
        } else {
            self.ports.passwords.get(keystore).and_then(|password| self.split(keystore, &password))
        };
        self.keep(position, keystore, result);
    }

    /// Asks a person for the password of a keystore that did not open, as often as there are tries. A correction that
    /// opened another keystore meanwhile is tried first, without a question.
    fn ask_again(&self, position: usize, keystore: &PlannedKeystore, known: usize) {
        if self.has_wrong_password(position) && self.corrections.load(Ordering::Relaxed) > known {
            self.split_and_keep(position, keystore);
        }
        let mut tries = 1;
        while self.has_wrong_password(position) {
            let Some(password) = self.ports.passwords.ask_again(keystore, tries) else { return };
            let result = self.split(keystore, &password);
            if result.is_ok() {
                self.ports.passwords.keep(password);
                self.corrections.fetch_add(1, Ordering::Relaxed);
            }
            self.keep(position, keystore, result);
            tries += 1;
        }
    }

    fn split(&self, keystore: &PlannedKeystore, password: &Password) -> Result<Made, RefusalCause> {
        let unlocked = self.unlock(keystore, password)?;
        let deal = self.dealer.deal(&unlocked.secret_key, &mut random::system()).map_err(|error| {
            // The source of a failed draw is the system's error; its text is enough here.
            RefusalCause::Deal(match &error {
                DealError::Randomness(source) => format!("{error}: {source}"),
                other => other.to_string(),
            })
        })?;
        let mut sealed_shares = Vec::with_capacity(deal.shares.len());
        for (operator, share) in self.plan.request.cluster.operators().iter().zip(&deal.shares) {
            sealed_shares.push(operator.key.key.seal(&share.secret, &mut random::system_infallible())?);
        }
        let message = OwnerNonce { owner: self.plan.request.owner, nonce: keystore.nonce };
        let item = NewItem {
            public_key: deal.validator,
            nonce: keystore.nonce,
            signature: unlocked.secret_key.sign(&message.digest()),
            share_public_keys: deal.share_public_keys,
            sealed_shares,
        };
        Ok(Made { item, reading: unlocked.reading })
    }

    fn unlock(&self, keystore: &PlannedKeystore, password: &Password) -> Result<Unlocked, RefusalCause> {
        let wanted = keystore.found.keystore.envelope.kdf.memory();
        if !self.ports.memory.try_fits(wanted) {
            return Err(RefusalCause::Memory { wanted, budget: self.ports.memory.total() });
        }
        let _permit = self.ports.memory.acquire(wanted);
        Ok(keystore.found.keystore.unlock(password)?)
    }

    fn keep(&self, position: usize, keystore: &PlannedKeystore, result: Result<Made, RefusalCause>) {
        let result = result.map_err(|cause| Refusal { path: keystore.found.path.clone(), cause });
        match &result {
            Ok(made) => {
                self.right.fetch_add(1, Ordering::Relaxed);
                let public_key = &made.item.public_key;
                (self.ports.events)(Event::Split { keystore, public_key, reading: made.reading });
            }
            Err(refusal) => {
                if is_wrong_password(&refusal.cause) {
                    self.wrong.fetch_add(1, Ordering::Relaxed);
                }
                (self.ports.events)(Event::Refused { refusal });
            }
        }
        if let Some(slot) = self.results().get_mut(position) {
            *slot = Some(result);
        }
    }

    fn has_wrong_password(&self, position: usize) -> bool {
        matches!(self.results().get(position), Some(Some(Err(refusal))) if is_wrong_password(&refusal.cause))
    }

    fn is_refused(&self, position: usize) -> bool {
        matches!(self.results().get(position), Some(Some(Err(_))))
    }

    fn results(&self) -> std::sync::MutexGuard<'_, Vec<Option<Result<Made, Refusal>>>> {
        self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn into_results(self) -> Vec<Result<Made, Refusal>> {
        let results = self.results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.into_iter().flatten().collect()
    }
}

fn is_wrong_password(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::Unlock(UnlockError::Envelope(EnvelopeError::WrongPassword)))
}

fn write(plan: &Plan, made: &[Made], ports: Ports<'_>) -> Result<Done, ExecuteError> {
    let request = &plan.request;
    let items: Vec<_> = made.iter().map(|made| made.item.clone()).collect();
    let operators = request.cluster.operators();
    let bytes = keyshares::write(&items, &plan.written_owner(), operators, &ports.created_at)?;
    if bytes.len() as u64 > keyshares::MAX_BYTES {
        return Err(ExecuteError::TooLarge(bytes.len()));
    }
    let keyshares_digest = Sha256Digest::of(&bytes);
    let mut staged_keyshares = ports.output.stage(KEYSHARES_FILE, &bytes, Mode::Public)?;

    (ports.events)(Event::Judging);
    let read_back = staged_keyshares.read_back()?;
    if read_back != bytes {
        return Err(ExecuteError::ReadBack(KEYSHARES_FILE));
    }
    let report = judge_as_a_stranger(plan, &read_back, ports.jobs)?;

    let description = describe(plan, made, &report, keyshares_digest, &ports).to_bytes()?;
    let mut staged_provenance = ports.output.stage(provenance::FILE_NAME, &description, Mode::Public)?;
    let read_description = staged_provenance.read_back()?;
    if read_description != description {
        return Err(ExecuteError::ReadBack(provenance::FILE_NAME));
    }
    // Once more with the provenance beside it: the two files must agree.
    let beside = Beside {
        claims: provenance::Claims::parse(&read_description).map_err(|_| Unclear),
        name: KEYSHARES_FILE.to_owned(),
        sha256: Sha256Digest::of(&read_back).to_string(),
    };
    let report = with_provenance(plan, report, &beside)?;

    (ports.events)(Event::Publishing);
    debug_assert_eq!(OUTPUT_FILES, [staged_provenance.name(), staged_keyshares.name()]);
    let files = ports.output.publish(vec![staged_provenance, staged_keyshares])?;
    // Once more under the names that are about to be told: the folder could have been moved away meanwhile.
    for (file, content) in files.iter().zip([&description, &bytes]) {
        match read_bounded(&Source::Path(file.clone()), keyshares::MAX_BYTES) {
            Ok(found) if found == *content => {}
            _ => return Err(ExecuteError::Moved(file.clone())),
        }
    }
    let validators = items.iter().map(|item| (item.public_key, item.nonce.get())).collect();
    Ok(Done { files, validators, report, keyshares_digest })
}

fn expected(plan: &Plan) -> Expected<'_> {
    Expected {
        owner: Some(plan.request.owner),
        nonce: Some(plan.request.first_nonce),
        network: Some(plan.request.network),
        validators: Some(plan.keystores.len()),
        operators: Some(&plan.request.operator_list),
    }
}

fn judge_as_a_stranger(plan: &Plan, bytes: &[u8], jobs: usize) -> Result<Report, ExecuteError> {
    let file = keyshares::parse(bytes).map_err(|_| ExecuteError::ReadBack(KEYSHARES_FILE))?;
    // The file itself names no network; the provenance does, and is compared below.
    let report = judge(&file, &Expected { network: None, ..expected(plan) }, None, jobs);
    if report.verdict == Verdict::Valid && report.oddities.is_empty() {
        Ok(report)
    } else {
        Err(ExecuteError::NotValid(Box::new(report)))
    }
}

/// Adds what the provenance says to a report of the same file, without judging the points a second time.
fn with_provenance(plan: &Plan, report: Report, beside: &Beside) -> Result<Report, ExecuteError> {
    let report = report.with_provenance(&expected(plan), beside);
    let described = report.result(Check::Provenance).is_some_and(|result| result.held == 1);
    if report.verdict == Verdict::Valid && described {
        Ok(report)
    } else {
        Err(ExecuteError::NotValid(Box::new(report)))
    }
}

fn describe(plan: &Plan, made: &[Made], report: &Report, keyshares: Sha256Digest, ports: &Ports<'_>) -> Provenance {
    let request = &plan.request;
    let file = |name: &str, digest: Sha256Digest| FileFacts { name: name.to_owned(), sha256: digest.to_string() };
    let (operators_name, operators_digest) = &request.operators_file;
    let inputs = std::iter::once(file(operators_name, *operators_digest))
        .chain(plan.keystores.iter().map(|keystore| file(&keystore.found.name, keystore.found.digest)))
        .collect();
    let held = report.checks.iter().filter(|(_, result)| result.held > 0 && result.failures.is_empty());
    Provenance {
        schema: provenance::SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        created_at: ports.created_at.clone(),
        network: NetworkFacts {
            name: request.network.name(),
            chain_id: request.network.chain_id(),
            contract: request.network.ssv_contract(),
        },
        owner: request.owner.to_checksum(),
        first_nonce: request.first_nonce.get(),
        threshold: request.cluster.threshold().t(),
        operators: request
            .cluster
            .operators()
            .iter()
            .map(|operator| OperatorFacts {
                id: operator.id.get(),
                key_sha256: operator.key.key.fingerprint().to_string(),
            })
            .collect(),
        validators: plan
            .keystores
            .iter()
            .zip(made)
            .map(|(keystore, made)| ValidatorFacts {
                public_key: made.item.public_key.to_string(),
                nonce: made.item.nonce.get(),
                keystore: keystore.found.name.clone(),
                password_reading: made.reading.name(),
            })
            .collect(),
        inputs,
        outputs: vec![file(KEYSHARES_FILE, keyshares)],
        checks: held
            .map(|(check, result)| CheckFacts { id: check.id(), title: check.title(), held: result.held })
            .collect(),
        run: RunFacts { jobs: ports.jobs, memory: ports.memory.total(), offline_enforced: ports.offline_enforced },
    }
}
