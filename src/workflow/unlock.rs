//! Unlocks keystores: several at a time within a memory budget, every wrong password found out, nobody asked twice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dvkey_ceremony::PublicKey;

use super::inventory::FoundKeystore;
use super::queue::{self, Client, Resources};
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::keystore_cipher::EnvelopeError;
use crate::crypto::operator_key::SealError;
use crate::crypto::password::Password;
use crate::format::keystore::{UnlockError, Unlocked};
use crate::machine::memory::Budget;
use crate::machine::password::PasswordError;

/// Where passwords come from. A keystore is named with its position among those that are unlocked, from 0.
pub trait Passwords: Sync {
    /// The password of a keystore, without asking anybody.
    ///
    /// # Errors
    /// [`RefusalCause::NoPassword`], [`RefusalCause::PasswordText`].
    fn get(&self, position: usize, keystore: &FoundKeystore) -> Result<Password, RefusalCause>;

    /// Asks a person again after `tries` wrong answers; `None` when nobody can be asked, or has been asked often enough.
    fn ask_again(&self, position: usize, keystore: &FoundKeystore, tries: usize) -> Option<Password>;

    /// Takes a password that a person typed and that opened a keystore: it is what [`Passwords::get`] gives from now on.
    fn keep(&self, password: Password);

    /// Whether the first keystore should be opened alone, so that a mistyped password is found out at once.
    fn try_first_alone(&self) -> bool;
}

/// What the machine lends to unlocking.
#[derive(Clone, Copy)]
pub struct UnlockPorts<'a> {
    /// Where passwords come from.
    pub passwords: &'a dyn Passwords,
    /// The memory for key derivation.
    pub memory: &'a Budget,
    /// How scrypt is computed.
    pub kdf: Tested,
    /// How many workers.
    pub jobs: usize,
}

/// A keystore that could not be used.
#[derive(Debug)]
pub struct Refusal {
    /// The keystore.
    pub path: PathBuf,
    /// Why.
    pub cause: RefusalCause,
}

/// Why a keystore could not be used.
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

/// Some keystores could not be used, and so none was.
#[derive(Debug, thiserror::Error)]
#[error("{} of {total} keystores could not be used", refusals.len())]
pub struct Refused {
    /// Which, and why.
    pub refusals: Vec<Refusal>,
    /// How many there are.
    pub total: usize,
}

/// After so many wrong passwords and not one right, the rest is not tried: the password source is wrong.
const WRONG_PASSWORDS_TO_STOP: usize = 8;

/// Unlocks every keystore, makes something of each key, and gives it back in the order of the keystores.
///
/// `make` runs on several threads; a key is wiped when `make` is done with it. `heard` is told of every result as it
/// comes; a keystore whose password a person corrected is told of twice.
///
/// # Errors
/// [`Refused`] with every keystore that could not be used.
pub fn unlock_all<T: Send>(
    keystores: &[&FoundKeystore],
    ports: UnlockPorts<'_>,
    make: &(dyn Fn(usize, Unlocked) -> Result<T, RefusalCause> + Sync),
    heard: &(dyn Fn(usize, Result<&T, &Refusal>) + Sync),
) -> Result<Vec<T>, Refused> {
    let run = Run {
        keystores,
        ports,
        make,
        heard,
        results: Mutex::new(keystores.iter().map(|_| None).collect()),
        wrong: AtomicUsize::new(0),
        right: AtomicUsize::new(0),
        corrections: AtomicUsize::new(0),
    };
    let total = keystores.len();
    let mut first = 0;
    if let Some(keystore) = keystores.first().filter(|_| ports.passwords.try_first_alone()) {
        first = 1;
        run.open_and_keep(0, keystore);
        run.ask_again(0, keystore, usize::MAX);
        if run.is_refused(0) {
            let untried = keystores.iter().skip(first);
            let untried =
                untried.map(|keystore| Refusal { path: keystore.path.clone(), cause: RefusalCause::NotTried });
            let refusals = run.into_results().into_iter().filter_map(Result::err).chain(untried).collect();
            return Err(Refused { refusals, total });
        }
    }
    let all: Vec<_> = keystores.iter().map(|keystore| &keystore.keystore).collect();
    queue::open_all(&all, first..total, run.resources(), &run);
    let known = run.corrections.load(Ordering::Relaxed);
    for (position, keystore) in keystores.iter().enumerate() {
        run.ask_again(position, keystore, known);
    }
    let mut made = Vec::with_capacity(total);
    let mut refusals = Vec::new();
    let mut paths: HashMap<PublicKey, &PathBuf> = HashMap::new();
    for (keystore, result) in keystores.iter().zip(run.into_results()) {
        match result {
            // A keystore that does not name its public key is known only now.
            Ok((public_key, result)) => match paths.insert(public_key, &keystore.path) {
                None => made.push(result),
                Some(earlier) => {
                    let cause = RefusalCause::SameValidator(earlier.clone());
                    refusals.push(Refusal { path: keystore.path.clone(), cause });
                }
            },
            Err(refusal) => refusals.push(refusal),
        }
    }
    if refusals.is_empty() { Ok(made) } else { Err(Refused { refusals, total }) }
}

type Opened<T> = Result<(PublicKey, T), Refusal>;

/// The state that the workers share.
struct Run<'a, T> {
    keystores: &'a [&'a FoundKeystore],
    ports: UnlockPorts<'a>,
    make: &'a (dyn Fn(usize, Unlocked) -> Result<T, RefusalCause> + Sync),
    heard: &'a (dyn Fn(usize, Result<&T, &Refusal>) + Sync),
    results: Mutex<Vec<Option<Opened<T>>>>,
    wrong: AtomicUsize,
    right: AtomicUsize,
    /// How often a password that a person corrected has opened something.
    corrections: AtomicUsize,
}

impl<T: Send> Run<'_, T> {
    fn resources(&self) -> Resources<'_> {
        Resources { kdf: self.ports.kdf, memory: self.ports.memory, jobs: self.ports.jobs }
    }

    fn open_and_keep(&self, position: usize, keystore: &FoundKeystore) {
        if let Some(password) = self.password(position) {
            self.keep(position, keystore, self.open(position, keystore, &password));
        }
    }

    fn password_of(&self, position: usize, keystore: &FoundKeystore) -> Result<Password, RefusalCause> {
        let hopeless =
            self.right.load(Ordering::Relaxed) == 0 && self.wrong.load(Ordering::Relaxed) >= WRONG_PASSWORDS_TO_STOP;
        if hopeless {
            return Err(RefusalCause::NotTried);
        }
        self.ports.passwords.get(position, keystore)
    }

    /// Asks a person for the password of a keystore that did not open, as often as there are tries. A correction that
    /// opened another keystore meanwhile is tried first, without a question.
    fn ask_again(&self, position: usize, keystore: &FoundKeystore, known: usize) {
        if self.has_wrong_password(position) && self.corrections.load(Ordering::Relaxed) > known {
            self.open_and_keep(position, keystore);
        }
        let mut tries = 1;
        while self.has_wrong_password(position) {
            let Some(password) = self.ports.passwords.ask_again(position, keystore, tries) else { return };
            let result = self.open(position, keystore, &password);
            if result.is_ok() {
                self.ports.passwords.keep(password);
                self.corrections.fetch_add(1, Ordering::Relaxed);
            }
            self.keep(position, keystore, result);
            tries += 1;
        }
    }

    fn open(
        &self,
        position: usize,
        keystore: &FoundKeystore,
        password: &Password,
    ) -> Result<(PublicKey, T), RefusalCause> {
        self.make(position, queue::open_one(&keystore.keystore, password, self.resources())?)
    }

    fn make(&self, position: usize, unlocked: Unlocked) -> Result<(PublicKey, T), RefusalCause> {
        Ok((unlocked.public_key, (self.make)(position, unlocked)?))
    }

    fn keep(&self, position: usize, keystore: &FoundKeystore, result: Result<(PublicKey, T), RefusalCause>) {
        let result = result.map_err(|cause| Refusal { path: keystore.path.clone(), cause });
        match &result {
            Ok((_, made)) => {
                self.right.fetch_add(1, Ordering::Relaxed);
                (self.heard)(position, Ok(made));
            }
            Err(refusal) => {
                if is_wrong_password(&refusal.cause) {
                    self.wrong.fetch_add(1, Ordering::Relaxed);
                }
                (self.heard)(position, Err(refusal));
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

    fn results(&self) -> MutexGuard<'_, Vec<Option<Opened<T>>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_results(self) -> Vec<Opened<T>> {
        let results = self.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().flatten().collect()
    }
}

impl<T: Send> Client for Run<'_, T> {
    fn password(&self, position: usize) -> Option<Password> {
        let keystore = self.keystores.get(position)?;
        self.password_of(position, keystore).map_err(|cause| self.keep(position, keystore, Err(cause))).ok()
    }

    fn too_large(&self, position: usize, wanted: u64) {
        if let Some(keystore) = self.keystores.get(position) {
            self.keep(position, keystore, Err(RefusalCause::Memory { wanted, budget: self.ports.memory.total() }));
        }
    }

    fn opened(&self, position: usize, result: Result<Unlocked, UnlockError>) {
        if let Some(keystore) = self.keystores.get(position) {
            let result = result.map_err(RefusalCause::from).and_then(|unlocked| self.make(position, unlocked));
            self.keep(position, keystore, result);
        }
    }
}

fn is_wrong_password(cause: &RefusalCause) -> bool {
    matches!(cause, RefusalCause::Unlock(UnlockError::Envelope(EnvelopeError::WrongPassword)))
}
