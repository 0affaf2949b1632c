//! The errors of batches, as people see them.

use std::collections::BTreeSet;

use super::{Failure, SHOWN, about, inventory_code, refusal_code};
use crate::cli::codes::Code;
use crate::cli::ui::words::count;
use crate::format::journal::Superseded;
use crate::format::plan::PlanError as PlanFileError;
use crate::store::read::ReadError;
use crate::workflow::batch::compact::{CompactError, JournalsError};
use crate::workflow::batch::earlier::Earlier;
use crate::workflow::batch::merge::MergeError;
use crate::workflow::batch::others::Shared;
use crate::workflow::batch::plan::{PlanError, Problem};
use crate::workflow::batch::run::{RowProblem, RunError};
use crate::workflow::batch::shard::{RESULTS, ShardError};
use crate::workflow::batch::status::StatusError;
use crate::workflow::batch::{LoadError, WritePlanError};
use crate::workflow::verify::check::{Check, Reason};

impl Failure {
    pub(crate) fn batch_manifest(error: &PlanError) -> Self {
        match error {
            PlanError::Read(error) => Self::read(Code::FileUnreadable, error),
            PlanError::Empty(_) => Self::new(Code::BatchManifest, error.to_string()),
            PlanError::Write(error) => Self::batch_write(error),
            PlanError::Problems(problems) => {
                let codes: Vec<_> = problems.iter().map(|(_, problem)| problem_code(problem)).collect();
                let code = match codes.as_slice() {
                    [first, rest @ ..] if rest.iter().all(|code| code == first) => *first,
                    _ => Code::BatchManifest,
                };
                let headline = format!(
                    "there is no plan: {} in the manifest; nothing was written",
                    count(problems.len(), "problem")
                );
                let mut failure = Self::new(code, headline);
                failure.list(problems.iter().map(|(line, problem)| format!("line {line}: {problem}")));
                match code {
                    Code::BatchManifest => failure.hint("mend all of them, then plan again; no nonce was given out"),
                    _ => failure.hint_for(code),
                }
            }
        }
    }

    fn batch_write(error: &WritePlanError) -> Self {
        match error {
            WritePlanError::Write(error) => Self::write(error),
            WritePlanError::Json(_) | WritePlanError::ReadBack => Self::new(Code::InternalSelfCheck, error.to_string()),
        }
    }

    pub(crate) fn batch_load(error: &LoadError) -> Self {
        match error {
            LoadError::Read(error @ ReadError::TooLarge { .. }) => {
                Self::new(Code::BatchPlan, "this is no plan of a batch").cause(error.to_string())
            }
            LoadError::Read(error) => Self::read(Code::FileUnreadable, error),
            LoadError::Line { problem: PlanFileError::NotAPlan, .. } => {
                Self::new(Code::BatchPlan, "this is no plan of a batch").cause(error.to_string())
            }
            _ => Self::new(Code::BatchPlan, "the plan cannot be used")
                .cause(error.to_string())
                .hint("a plan never changes: take a copy that is whole, or plan anew"),
        }
    }

    pub(crate) fn batch_work(error: &ShardError) -> Self {
        match error {
            ShardError::Read(error) => Self::read(Code::FileUnreadable, error),
            ShardError::OtherPlan { .. } => {
                Self::new(Code::BatchOtherPlan, error.to_string()).hint("name another folder with --work")
            }
            ShardError::OtherShards { of, .. } => Self::new(Code::BatchOtherShards, error.to_string())
                .hint(format!("go on with --shard I/{of}; or begin anew with another --work, and merge only that")),
            ShardError::NoWork(_) => Self::new(Code::BatchNoWork, error.to_string()),
            ShardError::TwoResults { .. } => Self::new(Code::BatchTwoResults, error.to_string())
                .hint("decide for one of the folders and leave the other one out"),
        }
    }

    pub(crate) fn batch_status(error: &StatusError) -> Self {
        match error {
            StatusError::Plan(error) => Self::batch_load(error),
            StatusError::Work(error) => Self::batch_work(error),
        }
    }

    pub(crate) fn batch_run(error: &RunError) -> Self {
        match error {
            RunError::Plan(error) => Self::batch_load(error),
            RunError::Shard(error) => Self::batch_work(error),
            RunError::LostJournal(folder) => Self::new(Code::BatchJournal, error.to_string())
                .cause("it may have said that another plan has these rows; and done again, they get other shares")
                .hint(format!(
                    "put the journal back; or, if nothing of these rows was registered and no other plan was made of them, \
                     move the results away, which are in {}, and run again",
                    folder.join(RESULTS).display()
                )),
            RunError::Write(error) => {
                let failure = Self::write(error);
                match failure.code {
                    Code::OutputInUse => {
                        failure.hint("one run at a time does a shard; it goes on when the other one has ended")
                    }
                    _ => failure.hint("what is done is kept; when this is mended, run the same command again"),
                }
            }
            RunError::InputsChanged(changed) => {
                let headline = format!("{error}; nothing was done");
                let mut failure = Self::new(Code::BatchInputsChanged, headline);
                failure.list(changed.iter().map(|(path, problem)| about(path, problem)));
                failure.hint("bring the files back, give --base where the folder was moved, or plan anew")
            }
            RunError::Randomness(source) => {
                Self::new(Code::MachineRandomness, error.to_string()).cause(format!("{source:?}"))
            }
            RunError::Json(_) | RunError::Dealer(_) | RunError::ReadBack(_) | RunError::SelfCheck { .. } => {
                Self::new(Code::InternalSelfCheck, error.to_string())
                    .hint("the disk or the memory of this machine may be failing; what was done before is kept")
            }
        }
    }

    /// Why the journals of an old plan could not be told of a new one.
    pub(crate) fn batch_journals(error: &JournalsError) -> Self {
        let failure = match error {
            JournalsError::Work(error) => return Self::batch_work(error),
            JournalsError::Busy => Self::new(Code::OutputInUse, error.to_string()),
            JournalsError::Write(error) => Self::write(error),
        };
        match failure.code {
            Code::OutputInUse => failure.hint("nothing was written; when the run of this shard has ended, run this again"),
            _ => failure.hint(
                "the journals of the old work must be written to, or its runs would do these rows once more; when this is \
                 mended, run the same command again",
            ),
        }
    }

    /// Why a new plan could not be written once journals of the old one were told of it.
    pub(crate) fn batch_half_taken(error: &WritePlanError) -> Self {
        Self::batch_write(error).hint(
            "the new plan is not written, and some journals may name it already: when this is mended, run the same command \
             again, and nothing of the old plan before",
        )
    }

    /// Rows that another plan has: what was asked for is not done, and must not be.
    pub(crate) fn superseded(rows: &str, taken: &[Superseded]) -> Self {
        let by: BTreeSet<_> = taken.iter().map(|taken| taken.by.to_string()).collect();
        let which = match by.len() {
            1 => "the newer plan, with the hash",
            _ => "the newer plans, with the hashes",
        };
        let by = by.into_iter().collect::<Vec<_>>().join(", ");
        Self::new(Code::BatchSuperseded, format!("another plan has {rows}: this one does and merges them no more"))
            .hint(format!("run and merge {which} {by}; where it was never written, give the same --compact once more"))
    }

    pub(crate) fn batch_merge(error: &MergeError) -> Self {
        match error {
            MergeError::Plan(error) => Self::batch_load(error),
            MergeError::Read(error) => Self::read(Code::FileUnreadable, error),
            MergeError::Work(error) => Self::batch_work(error),
            MergeError::Clash(clash) => {
                Self::new(Code::BatchNonceClash, error.to_string()).hint(match clash.shared {
                    Shared::Nonce { .. } => {
                        "nothing was written; decide for one of them: each nonce registers one validator"
                    }
                    Shared::Validator { .. } => {
                        "nothing was written; decide for one of them: a validator that is registered twice can be slashed"
                    }
                })
            }
            MergeError::Earlier(earlier) => Self::new(Code::BatchNonceClash, error.to_string()).hint(match earlier {
                Earlier::NotAsked { .. } => "nothing was written; where they are not registered, --force replaces them",
                Earlier::Foreign { .. } => {
                    "nothing was written, and --force replaces only keyshares of the same owner, network and operators: \
                     merge into another folder"
                }
                Earlier::Losing { .. } => {
                    "nothing was written; bring back the results that are missing, or, where they are not registered, \
                     move them away"
                }
                Earlier::Superseded { .. } => {
                    "nothing was written; move this file away, or merge the newer plan into another folder, and register from \
                     that nonce on only what the newer plan makes"
                }
                Earlier::Unknown(_) => {
                    "nothing was written, since nobody can tell which validators would be lost; look what it is, and move \
                     it away, or merge into another folder"
                }
            }),
            MergeError::Write(error) => {
                let failure = Self::write(error);
                match failure.code {
                    Code::OutputInUse | Code::OutputExists | Code::OutputParent => failure,
                    _ => {
                        failure.hint("what was merged before is whole; when this is mended, run the same command again")
                    }
                }
            }
            MergeError::ChangedMeanwhile(_) => {
                Self::new(Code::BatchUnfinished, error.to_string()).hint("run the shard of this row again, then merge")
            }
            MergeError::NotValid { report, rows } => {
                let mut failure = Self::new(Code::InternalSelfCheck, error.to_string()).hint(
                    "nothing of this file was published; remove the results of these rows, run their shards, then merge",
                );
                let row = |position: Option<usize>| position.and_then(|position| rows.get(position));
                let cause = |(check, position, reason): (Check, _, &Reason)| match row(position) {
                    Some(row) => format!("row {row}: {} {reason}", check.id()),
                    None => format!("{} {reason}", check.id()),
                };
                failure.causes = report.failures().take(SHOWN).map(cause).collect();
                failure
            }
            MergeError::TakenMeanwhile(taken) => Self::superseded("rows of this file", std::slice::from_ref(taken)),
            MergeError::NotTakenBack { taken, remaining } => {
                let mut failure = Self::superseded("rows of this file", std::slice::from_ref(taken));
                let stays = |path: &std::path::PathBuf| format!("{}: could not be taken back; do not register it", path.display());
                failure.causes = remaining.iter().map(stays).collect();
                failure
            }
            MergeError::Moved(_) => Self::new(Code::OutputFailed, error.to_string()),
            MergeError::Json(_)
            | MergeError::ReadBack(_)
            | MergeError::SealedTwice(_)
            | MergeError::ShareIsValidator(_) => {
                Self::new(Code::InternalSelfCheck, error.to_string())
            }
        }
    }

    pub(crate) fn batch_compact(error: &CompactError) -> Self {
        match error {
            CompactError::Plan(error) => Self::batch_load(error),
            CompactError::Write(error) => Self::batch_write(error),
            CompactError::NotMerged { .. } => Self::new(Code::BatchNextNonce, error.to_string()).hint(
                "look the nonce up on chain once more; if it is right, say it twice: --confirm OWNER=N, as --next-nonce",
            ),
            CompactError::Unreliable { .. } | CompactError::NoJournal { .. } => Self::new(Code::BatchJournal, error.to_string()).hint(
                "make sure that no other plan was made of these rows; then say the nonce twice: --confirm OWNER=N",
            ),
            CompactError::Taken(_) => Self::new(Code::BatchSuperseded, error.to_string()).hint(
                "go on with that plan; a gap of its own is closed with --compact of that plan. If it was never written, and \
                 the same command does not write it, see `dvkey explain batch.superseded`",
            ),
            CompactError::ShardsNotNamed(shards) => {
                let named = shards.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(" ");
                let shards = match shards.len().saturating_sub(SHOWN) {
                    0 => named,
                    more => format!("{named} and so on for the other {more}"),
                };
                Self::new(Code::BatchShardMissing, error.to_string())
                    .cause("it would not be told, and could go on with the old plan: two validators would get one nonce")
                    .hint(format!(
                        "name its folder with --work, too; where nobody has begun it or will, or it is lost: \
                         --without-shard {shards}"
                    ))
            }
            CompactError::NoKeystores(_) => Self::new(Code::BatchInputsChanged, error.to_string())
                .cause("the plan was moved, or the keystores were: a run of the new plan would not find them either")
                .hint("nothing was written; say with --base where the manifest's folder is on this machine"),
            CompactError::UnknownOwner(_)
            | CompactError::SeveralNetworks(_)
            | CompactError::NamedTwice(_)
            | CompactError::NotNamed { .. }
            | CompactError::NothingLeft => Self::new(Code::BatchNextNonce, error.to_string())
                .hint("name the nonce of the owner's next registration on chain: --next-nonce OWNER=N"),
        }
    }
}

/// The code under which a refused row is known.
pub(crate) fn row_code(problem: &RowProblem) -> Code {
    match problem {
        RowProblem::Keystore(problem) => inventory_code(problem),
        RowProblem::Changed => Code::BatchInputsChanged,
        RowProblem::Refused(cause) => refusal_code(cause),
    }
}

fn problem_code(problem: &Problem) -> Code {
    match problem {
        Problem::Manifest(_) | Problem::Name(_) => Code::BatchManifest,
        Problem::Keystore { problem, .. } => inventory_code(problem),
        Problem::NoPublicKey(_) => Code::KeystorePublicKey,
        Problem::SameValidator { .. } => Code::KeystoreSameValidator,
        Problem::OperatorsFile(_) => Code::OperatorsUnreadable,
        Problem::Operators { problem, .. } => Failure::operators(problem).code,
        Problem::TwoKeys { .. } => Code::OperatorsDuplicate,
        Problem::PasswordFile(_) => Code::PasswordSource,
        Problem::NonceTooLarge { .. } => Code::NonceTooLarge,
        Problem::OperatorCap { .. } | Problem::NonceMissing { .. } | Problem::NonceTwice { .. } => Code::BatchManifest,
    }
}
