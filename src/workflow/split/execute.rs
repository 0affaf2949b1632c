//! Makes what a plan says: unlock, deal, seal, sign, write aside, judge from disk, publish.

use std::path::PathBuf;

use dvkey_ceremony::bls::HeldKeys;
use dvkey_ceremony::dealer::DealerError;
use dvkey_ceremony::{Dealer, OwnerNonce, PublicKey};

use super::{KEYSHARES_FILE, OUTPUT_FILES, Plan, PlannedKeystore};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::password::Reading;
use crate::crypto::random::{self, NoRandomness};
use crate::format::keyshares::{self, NewItem};
use crate::format::keystore::Unlocked;
use crate::format::provenance::{
    self, CheckFacts, FileFacts, OperatorFacts, Provenance, RunFacts, Tool, ValidatorFacts,
};
use crate::machine::memory::Budget;
use crate::store::atomic::Mode;
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::store::write_error::WriteError;
use crate::workflow::deal::deal_and_seal;
use crate::workflow::unlock::{Passwords, Refusal, RefusalCause, Refused, UnlockPorts, unlock_all};
use crate::workflow::verify::check::{Check, Report, Verdict};
use crate::workflow::verify::keyshares::{Beside, Expected, Unclear, judge};

/// What the machine lends to an execution.
pub struct Ports<'a> {
    /// Where passwords come from.
    pub passwords: &'a dyn Passwords,
    /// The memory for key derivation.
    pub memory: &'a Budget,
    /// How scrypt is computed.
    pub kdf: Tested,
    /// How many workers.
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

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Some keystores were refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The cluster is not one a dealer can serve, which its construction has ruled out.
    #[error(transparent)]
    Dealer(#[from] DealerError),
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
    write(plan, &made, ports)
}

/// One validator, ready to be written.
struct Made {
    item: NewItem,
    reading: Reading,
}

fn split_all(plan: &Plan, dealer: &Dealer, ports: &Ports<'_>) -> Result<Vec<Made>, ExecuteError> {
    let keystores: Vec<_> = plan.keystores.iter().map(|keystore| &keystore.found).collect();
    let unlocking = UnlockPorts { passwords: ports.passwords, memory: ports.memory, kdf: ports.kdf, jobs: ports.jobs };
    let make = |position: usize, unlocked: Unlocked| {
        let keystore = plan.keystores.get(position).ok_or(RefusalCause::NotTried)?;
        split(plan, dealer, keystore, &unlocked)
    };
    let heard = |position: usize, result: Result<&Made, &Refusal>| match (plan.keystores.get(position), result) {
        (Some(keystore), Ok(made)) => {
            let public_key = &made.item.public_key;
            (ports.events)(Event::Split { keystore, public_key, reading: made.reading });
        }
        (_, Err(refusal)) => (ports.events)(Event::Refused { refusal }),
        (None, Ok(_)) => {}
    };
    Ok(unlock_all(&keystores, unlocking, &make, &heard)?)
}

fn split(plan: &Plan, dealer: &Dealer, keystore: &PlannedKeystore, unlocked: &Unlocked) -> Result<Made, RefusalCause> {
    let message = OwnerNonce { owner: plan.request.owner, nonce: keystore.nonce };
    let item = deal_and_seal(&plan.request.cluster, dealer, message, &unlocked.secret_key)?;
    Ok(Made { item, reading: unlocked.reading })
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
    // The last of the dealer's proofs, the degree check, is one of a stranger's: nothing is handed out before it.
    let report =
        judge_as_a_stranger(plan, &read_back, &items.iter().flat_map(NewItem::public_keys).collect(), ports.jobs)?;

    let description = describe(plan, made, &report, keyshares_digest, &ports).to_bytes()?;
    let mut staged_provenance = ports.output.stage(provenance::FILE_NAME, &description, Mode::Public)?;
    let read_description = staged_provenance.read_back()?;
    if read_description != description {
        return Err(ExecuteError::ReadBack(provenance::FILE_NAME));
    }
    // Once more with the provenance beside it: the two files must agree.
    let beside = Beside {
        claims: Some(provenance::Claims::parse(&read_description).map_err(|_| Unclear)),
        bundled: None,
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
        ..Expected::default()
    }
}

fn judge_as_a_stranger(plan: &Plan, bytes: &[u8], held: &HeldKeys, jobs: usize) -> Result<Report, ExecuteError> {
    let file = keyshares::parse(bytes).map_err(|_| ExecuteError::ReadBack(KEYSHARES_FILE))?;
    // The file itself names no network; the provenance does, and is compared below.
    let report = judge(&file, &Expected { network: None, held: Some(held), ..expected(plan) }, None, jobs);
    // The ids are the operators', not this program's choice; the plan has warned of them.
    let usual = report.keyshares_oddities().iter().all(|oddity| *oddity == keyshares::Oddity::WrappingId);
    if report.verdict == Verdict::Valid && usual { Ok(report) } else { Err(ExecuteError::NotValid(Box::new(report))) }
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
        tool: Tool::THIS,
        created_at: ports.created_at.clone(),
        network: request.network.into(),
        owner: request.owner.to_checksum(),
        first_nonce: request.first_nonce.get(),
        threshold: request.cluster.threshold().t(),
        operators: request.cluster.operators().iter().map(OperatorFacts::from).collect(),
        validators: plan
            .keystores
            .iter()
            .zip(made)
            .map(|(keystore, made)| ValidatorFacts {
                public_key: made.item.public_key.to_string(),
                nonce: made.item.nonce.get(),
                keystore: Some(keystore.found.name.clone()),
                password_reading: Some(made.reading.name().to_owned()),
            })
            .collect(),
        inputs,
        outputs: vec![file(KEYSHARES_FILE, keyshares)],
        checks: held
            .map(|(check, result)| CheckFacts { id: check.id(), title: check.title(), held: result.held })
            .collect(),
        run: Some(RunFacts {
            jobs: ports.jobs,
            memory: ports.memory.total(),
            key_derivation: ports.kdf.path().name(),
            offline_enforced: ports.offline_enforced,
        }),
        plan: None,
        ceremony: None,
    }
}
