//! Takes what workers have made, judges it from disk in groups, makes it visible, and says so in the journal.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dvkey_ceremony::bls::HeldKeys;

use super::LoadedPlan;
use super::result::{Claim, GROUP, judge_results};
use super::run::{Event, RowProblem, RunError, RunPorts};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::password::Reading;
use crate::format::journal::Entry;
use crate::format::keyshares::NewItem;
use crate::format::plan::Row;
use crate::format::row_result::RowResult;
use crate::store::atomic::Staged;
use crate::store::work_dir::{Log, WorkDir};

/// A row that a worker is done with.
enum Finished {
    Made {
        row: Row,
        result: Box<RowResult>,
        held: HeldKeys,
        digest: Sha256Digest,
        staged: Box<Staged>,
        reading: Reading,
    },
    Refused {
        row: Row,
        problem: RowProblem,
    },
}

/// How long a row may wait for others: together they are judged for half of what they cost one by one.
const PATIENCE: Duration = Duration::from_millis(250);

/// What all workers hand their rows to. Slow rows are saved as they come, and quick ones many at a time, by whoever
/// comes while nobody is at it.
pub(super) struct Finisher<'a> {
    plan: &'a LoadedPlan,
    ports: &'a RunPorts<'a>,
    results: WorkDir,
    waiting: Mutex<Vec<Finished>>,
    /// When rows were last saved.
    saved: Mutex<Instant>,
    journal: Mutex<Log>,
    failure: Mutex<Option<RunError>>,
    /// Whether rows could not be saved: none after them are.
    broken: AtomicBool,
    stopped: AtomicBool,
    pub(super) done: AtomicU32,
    pub(super) refused: AtomicU32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Finisher<'a> {
    pub(super) fn new(plan: &'a LoadedPlan, ports: &'a RunPorts<'a>, results: WorkDir, journal: Log) -> Self {
        Self {
            plan,
            ports,
            results,
            waiting: Mutex::new(Vec::new()),
            saved: Mutex::new(Instant::now()),
            journal: Mutex::new(journal),
            failure: Mutex::new(None),
            broken: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            done: AtomicU32::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// Whether no further row should be begun.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes a validator: written aside and read back by the worker that made it.
    pub(super) fn made(&self, row: Row, item: &NewItem, reading: Reading) {
        match self.write_aside(&row, item, reading) {
            Ok((result, digest, staged)) => {
                let (result, staged) = (Box::new(result), Box::new(staged));
                let held = item.public_keys().collect();
                self.take(Finished::Made { row, result, held, digest, staged, reading });
            }
            Err(error) => self.fail(error),
        }
    }

    /// Takes a row that cannot be done. Its nonce stays its own.
    pub(super) fn refuse(&self, row: Row, problem: RowProblem) {
        if self.ports.fail_fast {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.take(Finished::Refused { row, problem });
    }

    /// Remembers the first failure, and stops everybody.
    pub(super) fn fail(&self, error: RunError) {
        lock(&self.failure).get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Finishes what is waiting, and says how it went.
    pub(super) fn close(self) -> Result<(u32, u32), RunError> {
        self.work();
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok((self.done.into_inner(), self.refused.into_inner())),
        }
    }

    fn write_aside(
        &self,
        row: &Row,
        item: &NewItem,
        reading: Reading,
    ) -> Result<(RowResult, Sha256Digest, Staged), RunError> {
        let bytes = RowResult::new(self.plan.hash, row.row, item, reading.name()).to_bytes()?;
        let mut staged = self.results.stage(&RowResult::file_name(row.row), &bytes)?;
        let read = staged.read_back()?;
        let result = RowResult::parse(&read).ok().filter(|_| read == bytes).ok_or(RunError::ReadBack(row.row))?;
        Ok((result, Sha256Digest::of(&bytes), staged))
    }

    fn take(&self, finished: Finished) {
        let waiting = {
            let mut waiting = lock(&self.waiting);
            waiting.push(finished);
            waiting.len()
        };
        // With a group waiting, whoever makes more must help or wait: files that are written aside are kept open.
        if waiting >= GROUP {
            drop(self.journal.lock());
        }
        if waiting >= GROUP || lock(&self.saved).elapsed() >= PATIENCE {
            self.work();
        }
    }

    /// A worker that spent so long on its last rows will not be back soon: they are saved now.
    pub(super) fn rest(&self, spent: Duration) {
        if spent >= PATIENCE {
            self.work();
        }
    }

    fn work(&self) {
        while !lock(&self.waiting).is_empty() {
            let Ok(mut journal) = self.journal.try_lock() else { return };
            if self.broken.load(Ordering::Relaxed) {
                return;
            }
            let group: Vec<_> = {
                let mut waiting = lock(&self.waiting);
                let count = waiting.len().min(GROUP);
                waiting.drain(..count).collect()
            };
            if let Err(error) = self.finish(group, &mut journal) {
                self.broken.store(true, Ordering::Relaxed);
                self.fail(error);
                return;
            }
            *lock(&self.saved) = Instant::now();
        }
    }

    fn finish(&self, group: Vec<Finished>, journal: &mut Log) -> Result<(), RunError> {
        self.judge(&group)?;
        let mut lines = String::new();
        let mut files = Vec::new();
        let mut told = Vec::with_capacity(group.len());
        for finished in group {
            match finished {
                Finished::Made { row, digest, staged, reading, .. } => {
                    let at = (self.ports.now)();
                    lines += &Entry::Done { row: row.row, result: digest, at }.to_line()?;
                    files.push(*staged);
                    told.push((row, Ok(reading)));
                }
                Finished::Refused { row, problem } => {
                    let (code, reason) = ((self.ports.code)(&problem).to_owned(), problem.to_string());
                    lines += &Entry::Refused { row: row.row, code, reason, at: (self.ports.now)() }.to_line()?;
                    told.push((row, Err(problem)));
                }
            }
        }
        for (row, outcome) in &told {
            // What cannot be replaced by a file would stop all rows, and not only its own.
            let name = RowResult::file_name(row.row);
            if let Some(path) = outcome.as_ref().ok().map(|_| self.results.set_aside(&name)).transpose()?.flatten() {
                (self.ports.events)(Event::SetAside { row: row.row, path: &path });
            }
        }
        self.results.publish(files)?;
        journal.append(lines.as_bytes())?;
        for (row, outcome) in &told {
            match outcome {
                Ok(reading) => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    (self.ports.events)(Event::Done { row, reading: *reading });
                }
                Err(problem) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    (self.ports.events)(Event::Refused { row, problem });
                }
            }
        }
        Ok(())
    }

    /// Judges what was read back from the disk.
    fn judge(&self, group: &[Finished]) -> Result<(), RunError> {
        let mut claims = Vec::with_capacity(group.len());
        for finished in group {
            if let Finished::Made { row, result, held, .. } = finished {
                let cluster = &self.plan.cluster(row)?.cluster;
                claims.push(Claim { plan: self.plan.hash, row, cluster, result, held });
            }
        }
        for (claim, outcome) in claims.iter().zip(judge_results(&claims)) {
            outcome.map_err(|problem| RunError::SelfCheck { row: claim.row.row, problem })?;
        }
        Ok(())
    }
}
