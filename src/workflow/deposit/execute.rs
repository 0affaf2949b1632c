//! Makes what a plan says: unlock, sign, write aside, judge from disk, publish.

use std::path::PathBuf;

use dvkey_ceremony::{DepositData, DepositMessage, PublicKey};

use super::Plan;
use crate::crypto::password::Reading;
use crate::format::deposit::{self, DepositFile, MAX_BYTES};
use crate::format::keystore::Unlocked;
use crate::store::atomic::Mode;
use crate::store::output_dir::OutputDir;
use crate::store::read::{Source, read_bounded};
use crate::store::write_error::WriteError;
use crate::workflow::inventory::FoundKeystore;
use crate::workflow::unlock::{Refusal, Refused, UnlockPorts, unlock_all};
use crate::workflow::verify::check::{Report, Verdict};
use crate::workflow::verify::deposit::{Withdrawal, judge};
use crate::workflow::verify::keyshares::Expected;

/// What the machine lends to an execution.
pub struct Ports<'a> {
    /// How keystores are unlocked.
    pub unlocking: UnlockPorts<'a>,
    /// Where the file goes.
    pub output: OutputDir,
    /// Hears what happens.
    pub events: &'a (dyn Fn(Event<'_>) + Sync),
}

/// What happens during an execution.
#[derive(Debug)]
pub enum Event<'a> {
    /// A validator key signed its deposit.
    Signed {
        /// The position of the keystore.
        position: usize,
        /// The keystore.
        keystore: &'a FoundKeystore,
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
    /// The file is written aside; now it is read back and judged.
    Judging,
}

/// What was made.
#[derive(Debug)]
pub struct Done {
    /// The file.
    pub file: PathBuf,
    /// The deposits, in the order of the keystores.
    pub deposits: Vec<DepositData>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Some keystores were refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Writing failed; nothing is left behind.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The text of the file could not be made.
    #[error("the deposit data could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// What was read back differs from what was written.
    #[error("the deposit data came back from the disk other than it was written")]
    ReadBack,
    /// The file was published, and is not where it should be.
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
    let terms = plan.terms;
    let keystores: Vec<_> = plan.keystores.iter().collect();
    let sign = |_: usize, unlocked: Unlocked| {
        let message =
            DepositMessage { public_key: unlocked.public_key, credentials: terms.credentials, amount: terms.amount };
        let deposit = message.sign(&unlocked.secret_key, terms.network.genesis_fork_version());
        Ok((deposit, unlocked.reading))
    };
    let heard = |position: usize, result: Result<&(DepositData, Reading), &Refusal>| match result {
        Ok((deposit, reading)) => {
            if let Some(keystore) = plan.keystores.get(position) {
                let public_key = &deposit.message.public_key;
                (ports.events)(Event::Signed { position, keystore, public_key, reading: *reading });
            }
        }
        Err(refusal) => (ports.events)(Event::Refused { refusal }),
    };
    let signed = unlock_all(&keystores, ports.unlocking, &sign, &heard)?;
    let deposits: Vec<_> = signed.into_iter().map(|(deposit, _)| deposit).collect();

    let bytes = deposit::write(&deposits, terms.network)?;
    let mut staged = ports.output.stage(&plan.file_name, &bytes, Mode::Public)?;
    (ports.events)(Event::Judging);
    let read_back = staged.read_back()?;
    if read_back != bytes {
        return Err(ExecuteError::ReadBack);
    }
    judge_as_a_stranger(plan, &read_back, ports.unlocking.jobs)?;
    let file = ports.output.publish(vec![staged])?.pop().ok_or(ExecuteError::ReadBack)?;
    // Once more under the name that is about to be told: the folder could have been moved away meanwhile.
    match read_bounded(&Source::Path(file.clone()), MAX_BYTES) {
        Ok(found) if found == bytes => Ok(Done { file, deposits }),
        _ => Err(ExecuteError::Moved(file)),
    }
}

fn judge_as_a_stranger(plan: &Plan, bytes: &[u8], jobs: usize) -> Result<(), ExecuteError> {
    let file = DepositFile::parse(bytes).map_err(|_| ExecuteError::ReadBack)?;
    let expected = Expected {
        network: Some(plan.terms.network),
        validators: Some(plan.keystores.len()),
        withdrawal: Some(Withdrawal::Credentials(plan.terms.credentials)),
        amount: Some(plan.terms.amount),
        ..Expected::default()
    };
    let report = judge(&file, &expected, jobs);
    if report.verdict == Verdict::Valid && report.deposit_oddities().is_empty() {
        Ok(())
    } else {
        Err(ExecuteError::NotValid(Box::new(report)))
    }
}
