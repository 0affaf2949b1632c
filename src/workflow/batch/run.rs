//! Does the rows of one shard: keeps what earlier runs have done, and does the rest.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dvkey_ceremony::dealer::DealerError;
use dvkey_ceremony::{Dealer, OwnerNonce, PublicKey};

use super::finish::Finisher;
use super::result::{GROUP, judge_read};
use super::shard::{
    RESULTS, RowState, ShardError, Unclaimed, has_results, must_go_with, read_result, read_state, superseded_in,
};
use super::strangers::Strangers;
use super::{LoadError, LoadedPlan, ResultProblem, Shard};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::KdfLimits;
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::password::{Password, Reading};
use crate::crypto::random::{self, NoRandomness};
use crate::format::journal::{self, Entry, Superseded};
use crate::format::keystore::{MAX_BYTES, UnlockError, Unlocked};
use crate::format::plan::Row;
use crate::format::row_result::RowResult;
use crate::machine::memory::Budget;
use crate::store::read::{ReadError, Source, read_bounded};
use crate::store::work_dir::WorkDir;
use crate::store::write_error::WriteError;
use crate::workflow::deal::deal_and_seal;
use crate::workflow::inventory::{FoundKeystore, InventoryProblem, read_keystore};
use crate::workflow::parallel::in_chunks;
use crate::workflow::queue::{Client, Resources, open_all};
use crate::workflow::unlock::RefusalCause;

/// What is to be done.
#[derive(Debug)]
pub struct Request {
    /// The folder for the work of all shards.
    pub work: PathBuf,
    /// Which rows.
    pub shard: Shard,
    /// What a keystore may ask for.
    pub limits: KdfLimits,
}

/// What the machine lends to a run.
pub struct RunPorts<'a> {
    /// Where passwords come from.
    pub passwords: &'a dyn RowPasswords,
    /// The memory for key derivation.
    pub memory: &'a Budget,
    /// How scrypt is computed.
    pub kdf: Tested,
    /// How many workers.
    pub jobs: usize,
    /// Whether the first refused row ends the run.
    pub fail_fast: bool,
    /// The time, in UTC.
    pub now: &'a (dyn Fn() -> String + Sync),
    /// The code under which a problem is known.
    pub code: &'a (dyn Fn(&RowProblem) -> &'static str + Sync),
    /// Hears what happens.
    pub events: &'a (dyn Fn(Event<'_>) + Sync),
}

/// Where passwords come from.
pub trait RowPasswords: Sync {
    /// The password of a row, without asking anybody. Called once a row.
    ///
    /// # Errors
    /// [`RefusalCause::NoPassword`], [`RefusalCause::PasswordText`].
    fn get(&self, row: &Row, keystore: &Path) -> Result<Password, RefusalCause>;
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// The file system has no locks: nobody keeps a second run out.
    NoLock,
    /// Another run begins a shard in the same folder, or a new plan is being made, and is waited for.
    Waits,
    /// So many bytes behind the last line of the journal were no line, and were cut off.
    Cut(u64),
    /// A line of the journal is damaged.
    DamagedLine(u64),
    /// Lines of the journal do not say of which plan they are.
    Unclaimed(Unclaimed),
    /// An earlier result is not what it was, and is made again.
    Redo {
        /// The row.
        row: u32,
        /// What is wrong with it.
        problem: &'a ResultProblem,
    },
    /// Something other than a file was in the place of a result, and is somewhere else now.
    SetAside {
        /// The row.
        row: u32,
        /// Where it is now.
        path: &'a Path,
    },
    /// So many results of earlier runs are kept, and so many rows are still to be done.
    Begin {
        /// Kept.
        kept: u32,
        /// To be done.
        left: u32,
    },
    /// A row has its result.
    Done {
        /// The row.
        row: &'a Row,
        /// How its password was read.
        reading: Reading,
    },
    /// A row is refused.
    Refused {
        /// The row.
        row: &'a Row,
        /// Why.
        problem: &'a RowProblem,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Rows of the shard.
    pub rows: u32,
    /// With a result that an earlier run made.
    pub kept: u32,
    /// With a result that this run made.
    pub done: u32,
    /// Refused.
    pub refused: u32,
    /// Not done, because another plan has them.
    pub superseded: u32,
    /// What other plans have taken from the rows of this shard.
    pub taken: Vec<Superseded>,
}

impl Outcome {
    /// Rows that were not tried.
    #[must_use]
    pub fn pending(&self) -> u32 {
        let settled = [self.kept, self.done, self.refused, self.superseded];
        settled.into_iter().fold(self.rows, u32::saturating_sub)
    }
}

/// Why a row is refused.
#[derive(Debug, thiserror::Error)]
pub enum RowProblem {
    /// The keystore cannot be used any more.
    #[error(transparent)]
    Keystore(#[from] InventoryProblem),
    /// The keystore is not the one that was planned.
    #[error("the keystore is not the one that was planned")]
    Changed,
    /// It does not open, or cannot be split.
    #[error(transparent)]
    Refused(#[from] RefusalCause),
}

/// Why a run ended early. What is done is kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// The folder of the shard cannot be used.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// There are results, and no line of a journal that says of which plan.
    #[error("{}: there are results, and their journal is lost", .0.display())]
    LostJournal(PathBuf),
    /// Files that the plan was made from have changed.
    #[error("{} of the files that the plan was made from are not what they were", .0.len())]
    InputsChanged(Vec<(PathBuf, InputProblem)>),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file could not be made.
    #[error("a result could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The cluster is not one a dealer can serve, which its construction has ruled out.
    #[error(transparent)]
    Dealer(#[from] DealerError),
    /// What was read back differs from what was written.
    #[error("the result of row {0} came back from the disk other than it was written")]
    ReadBack(u32),
    /// A result does not pass the check that a stranger would make: a fault of this program or of this machine.
    #[error("the result of row {row} does not pass verification: {problem}")]
    SelfCheck {
        /// The row.
        row: u32,
        /// What is wrong with it.
        problem: ResultProblem,
    },
}

/// What is wrong with a file that the plan was made from.
#[derive(Debug, thiserror::Error)]
pub enum InputProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has another content.
    #[error("has changed since the plan was made")]
    Changed,
}

/// Rows that are opened together: enough to keep many workers busy, few enough to be held in memory.
const WINDOW: usize = 512;

/// Does the rows of the shard that are not done.
///
/// # Errors
/// [`RunError`]; what is done by then is kept.
pub fn run(plan: &LoadedPlan, request: &Request, ports: &RunPorts<'_>) -> Result<Outcome, RunError> {
    random::check()?;
    must_go_with(&request.work, plan.hash, request.shard)?;
    let outer = WorkDir::open(&request.work)?;
    let folder = WorkDir::open(&outer.path().join(request.shard.folder()))?;
    let lock = folder.lock()?;
    if !lock.is_held() {
        (ports.events)(Event::NoLock);
    }
    let results = WorkDir::open(&folder.path().join(RESULTS))?;
    results.sweep();
    let state = read_state(folder.path(), plan.hash)?;
    // Every run names its plan before it makes a result.
    if state.opened.is_none() && state.unclaimed.is_none() && has_results(folder.path())? {
        return Err(RunError::LostJournal(folder.path().to_path_buf()));
    }
    for line in &state.damaged {
        (ports.events)(Event::DamagedLine(*line));
    }
    if let Some(lines) = state.unclaimed {
        (ports.events)(Event::Unclaimed(lines));
    }
    let mut done = keep(plan, request.shard, folder.path(), state.rows, ports)?;

    // Of two runs that begin at once and share the rows out differently, the second one sees the first one's journal; and
    // nobody takes rows for another plan meanwhile.
    let turn = match outer.wait_for_lock(|| (ports.events)(Event::Waits)) {
        // A shard that was begun goes on in a folder of its own, whatever is around it.
        Err(WriteError::PermissionDenied { .. } | WriteError::ReadOnly { .. }) if state.opened.is_some() => None,
        turn => Some(turn?),
    };
    must_go_with(&request.work, plan.hash, request.shard)?;
    // A shard that was not begun when another plan took its rows has no line of that; those beside it have.
    let superseded = superseded_in(outer.path(), plan.hash)?;
    let (superseded_rows, taken) = taken(plan, request.shard, &superseded)?;
    done.retain(|row| !superseded_rows.contains(row));
    let number = |rows: &HashSet<u32>| u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let (kept, superseded, rows) = (number(&done), number(&superseded_rows), request.shard.rows(plan.rows));
    // Nothing is left to do for either.
    done.extend(superseded_rows);
    must_be_unchanged(plan, request.shard, &done)?;
    let mut journal = folder.log(journal::FILE_NAME)?;
    let cut = journal.drop_unfinished_line()?;
    if cut > 0 {
        (ports.events)(Event::Cut(cut));
    }
    if state.opened.is_none() {
        let (shard, of) = (request.shard.number(), request.shard.of());
        journal.append(Entry::Opened { plan: plan.hash, shard, of }.to_line()?.as_bytes())?;
    }
    drop(turn);
    (ports.events)(Event::Begin { kept, left: rows.saturating_sub(kept).saturating_sub(superseded) });
    let dealers = dealers(plan)?;
    let finisher = Finisher::new(plan, ports, results, journal);
    let mut all = plan.rows()?;
    loop {
        let window = next_window(plan, &mut all, request, &done, &finisher)?;
        if window.is_empty() || finisher.is_stopped() {
            break;
        }
        let client = Window { plan, ports, dealers: &dealers, finisher: &finisher, tasks: window };
        let keystores: Vec<_> = client.tasks.iter().map(|task| &task.keystore.keystore).collect();
        let resources = Resources { kdf: ports.kdf, memory: ports.memory, jobs: ports.jobs };
        open_all(&keystores, 0..keystores.len(), resources, &client);
    }
    let (done, refused) = finisher.close()?;
    Ok(Outcome { rows, kept, done, refused, superseded, taken })
}

/// The rows of the shard that other plans have, and what these have taken.
fn taken(
    plan: &LoadedPlan,
    shard: Shard,
    superseded: &[(Superseded, String)],
) -> Result<(HashSet<u32>, Vec<Superseded>), LoadError> {
    let (mut taken, mut by) = (HashSet::new(), Vec::new());
    if superseded.is_empty() {
        return Ok((taken, by));
    }
    let mut rows = plan.rows()?;
    while let Some((_, row)) = rows.next_row()? {
        let takes = |(by, _): &&(Superseded, String)| by.takes(row.network, row.owner, row.nonce);
        if let Some((first, _)) = superseded.iter().find(takes).filter(|_| shard.has(row.row)) {
            taken.insert(row.row);
            if !by.contains(first) {
                by.push(*first);
            }
        }
    }
    Ok((taken, by))
}

fn dealers(plan: &LoadedPlan) -> Result<Vec<Dealer>, DealerError> {
    let dealer = |cluster: &super::PlanCluster| {
        let identifiers: Vec<_> = cluster.cluster.ids().iter().map(|id| id.identifier()).collect();
        Dealer::new(&identifiers, cluster.cluster.threshold())
    };
    plan.clusters.iter().map(dealer).collect()
}

/// The rows whose results are what the journal says, and pass the checks that a stranger would make.
fn keep(
    plan: &LoadedPlan,
    shard: Shard,
    folder: &Path,
    mut states: HashMap<u32, RowState>,
    ports: &RunPorts<'_>,
) -> Result<HashSet<u32>, RunError> {
    let mut kept = HashSet::new();
    states.retain(|_, state| matches!(state, RowState::Done(_)));
    if states.is_empty() {
        return Ok(kept);
    }
    let mut rows = plan.rows()?;
    let mut strangers = Strangers::new(plan)?;
    let mut unreliable = Vec::new();
    let mut group: Vec<(Row, Sha256Digest)> = Vec::new();
    let mut is_end = false;
    while !is_end {
        match rows.next_row()? {
            Some((_, row)) if shard.has(row.row) => {
                if let Some(RowState::Done(digest)) = states.get(&row.row) {
                    group.push((row, *digest));
                }
            }
            Some(_) => {}
            None => is_end = true,
        }
        if group.len() < GROUP * ports.jobs.max(1) && !is_end {
            continue;
        }
        let judged = in_chunks(&group, ports.jobs, |rows| judge_kept(plan, folder, rows));
        for ((row, _), outcome) in group.drain(..).zip(judged) {
            match outcome {
                Ok(result) => {
                    kept.insert(row.row);
                    unreliable.extend(strangers.see(&row, &result)?);
                }
                Err(problem) => (ports.events)(Event::Redo { row: row.row, problem: &problem }),
            }
        }
    }
    for (row, problem) in unreliable {
        if kept.remove(&row) {
            (ports.events)(Event::Redo { row, problem: &problem });
        }
    }
    Ok(kept)
}

fn judge_kept(plan: &LoadedPlan, folder: &Path, rows: &[(Row, Sha256Digest)]) -> Vec<Result<RowResult, ResultProblem>> {
    let read: Vec<_> = rows.iter().map(|(row, digest)| read_result(folder, row.row, *digest)).collect();
    let judged = judge_read(plan, rows.iter().map(|(row, _)| row), &read);
    read.into_iter().zip(judged).map(|(read, judged)| judged.and(read)).collect()
}

/// Refuses a plan whose files of operators are others now, and one of whose keystores none is there: another folder is. The
/// files of operators need not be there, since the plan holds the keys. A keystore that is missing or changed while others
/// are there is the matter of its row alone, and rows that are done need theirs no more.
fn must_be_unchanged(plan: &LoadedPlan, shard: Shard, done: &HashSet<u32>) -> Result<(), RunError> {
    let mut changed = Vec::new();
    for input in &plan.inputs {
        let path = plan.base.join(&input.path);
        match read_bounded(&Source::File(path.clone()), crate::format::operators::MAX_BYTES) {
            Ok(bytes) if Sha256Digest::of(&bytes) == input.digest => {}
            Ok(_) => changed.push((path, InputProblem::Changed)),
            Err(ReadError::NotFound { .. }) => {}
            Err(error) => changed.push((path, error.into())),
        }
    }
    if !changed.is_empty() {
        return Err(RunError::InputsChanged(changed));
    }
    let mut rows = plan.rows()?;
    while let Some((_, row)) = rows.next_row()? {
        if !shard.has(row.row) || done.contains(&row.row) {
            continue;
        }
        let path = plan.keystore_path(&row);
        match read_bounded(&Source::File(path.clone()), MAX_BYTES) {
            Err(error @ ReadError::NotFound { .. }) => changed.push((path, error.into())),
            _ => return Ok(()),
        }
    }
    if changed.is_empty() { Ok(()) } else { Err(RunError::InputsChanged(changed)) }
}

/// A row whose keystore was read.
struct Task {
    row: Row,
    keystore: FoundKeystore,
}

fn next_window(
    plan: &LoadedPlan,
    all: &mut super::Rows<'_>,
    request: &Request,
    done: &HashSet<u32>,
    finisher: &Finisher<'_>,
) -> Result<Vec<Task>, LoadError> {
    let mut window = Vec::new();
    while window.len() < WINDOW && !finisher.is_stopped() {
        let Some((_, row)) = all.next_row()? else { break };
        if !request.shard.has(row.row) || done.contains(&row.row) {
            continue;
        }
        let path = plan.keystore_path(&row);
        match read_keystore(&Source::File(path.clone()), &path, request.limits) {
            Ok(keystore) => {
                let named = keystore.public_key.as_ref().map(PublicKey::as_bytes);
                if keystore.digest == row.digest && named == Some(&row.public_key) {
                    window.push(Task { row, keystore });
                } else {
                    finisher.refuse(row, RowProblem::Changed);
                }
            }
            Err(problem) => finisher.refuse(row, problem.into()),
        }
    }
    Ok(window)
}

/// Rows that are opened together.
struct Window<'a> {
    plan: &'a LoadedPlan,
    ports: &'a RunPorts<'a>,
    dealers: &'a [Dealer],
    finisher: &'a Finisher<'a>,
    tasks: Vec<Task>,
}

impl Client for Window<'_> {
    fn password(&self, position: usize) -> Option<Password> {
        let Task { row, keystore } = self.tasks.get(position)?;
        if self.finisher.is_stopped() {
            return None;
        }
        let password = self.ports.passwords.get(row, &keystore.path);
        password.map_err(|cause| self.finisher.refuse(row.clone(), cause.into())).ok()
    }

    fn too_large(&self, position: usize, wanted: u64) {
        let Some(Task { row, .. }) = self.tasks.get(position) else { return };
        let cause = RefusalCause::Memory { wanted, budget: self.ports.memory.total() };
        self.finisher.refuse(row.clone(), cause.into());
    }

    fn opened(&self, position: usize, result: Result<Unlocked, UnlockError>) {
        let Some(Task { row, .. }) = self.tasks.get(position) else { return };
        match result.map_err(RefusalCause::from).and_then(|unlocked| Ok((self.deal(row, &unlocked)?, unlocked.reading)))
        {
            Ok((item, reading)) => self.finisher.made(row.clone(), &item, reading),
            Err(cause) => self.finisher.refuse(row.clone(), cause.into()),
        }
    }

    fn next(&self, spent: Duration) {
        self.finisher.rest(spent);
    }
}

impl Window<'_> {
    fn deal(&self, row: &Row, unlocked: &Unlocked) -> Result<crate::format::keyshares::NewItem, RefusalCause> {
        let number = usize::try_from(row.cluster).unwrap_or(usize::MAX);
        let (Some(cluster), Some(dealer)) = (self.plan.clusters.get(number), self.dealers.get(number)) else {
            return Err(RefusalCause::NotTried);
        };
        let message = OwnerNonce { owner: row.owner, nonce: row.nonce };
        deal_and_seal(&cluster.cluster, dealer, message, &unlocked.secret_key)
    }
}
