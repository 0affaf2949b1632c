//! Says what is done, pending and refused, by owner and cluster.

use std::collections::BTreeMap;

use dvkey_ceremony::{Address, OperatorId};

use super::result::judge_read;
use super::shard::{AllWork, RowState, ShardError, Wanted};
use super::{LoadError, LoadedPlan, ResultProblem};
use crate::format::journal::Superseded;
use crate::format::network::Network;
use crate::format::plan::Row;

/// How many rows are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With a result that is what the journal says.
    pub done: u32,
    /// Not tried, or to be done again.
    pub pending: u32,
    /// Refused.
    pub refused: u32,
    /// Taken by another plan.
    pub superseded: u32,
}

impl Counts {
    /// All of them.
    #[must_use]
    pub fn rows(self) -> u32 {
        self.done.saturating_add(self.pending).saturating_add(self.refused).saturating_add(self.superseded)
    }

    pub(super) fn count(&mut self, state: &State<'_>) {
        let counter = match state {
            State::Done => &mut self.done,
            State::Pending | State::Damaged(_) => &mut self.pending,
            State::Refused { .. } => &mut self.refused,
            State::Superseded(_) => &mut self.superseded,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The state of one row.
#[derive(Debug)]
pub enum State<'a> {
    /// It has a result.
    Done,
    /// Nothing is known of it.
    Pending,
    /// It has a result that is not what was written: it will be done again.
    Damaged(ResultProblem),
    /// It was refused.
    Refused {
        /// The error's code.
        code: &'a str,
        /// The error in words.
        reason: &'a str,
    },
    /// Another plan has it.
    Superseded(Superseded),
}

/// The state of a batch.
#[derive(Debug)]
pub struct Status {
    /// All rows.
    pub all: Counts,
    /// By network, owner and operators.
    pub groups: BTreeMap<(Network, Address, Vec<OperatorId>), Counts>,
    /// Damaged lines of journals.
    pub damaged_lines: usize,
    /// When the last entry was written.
    pub last: Option<String>,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// The work cannot be used.
    #[error(transparent)]
    Work(#[from] ShardError),
}

/// Counts the rows, and tells `heard` of every one.
///
/// # Errors
/// [`StatusError`].
pub fn status(
    plan: &LoadedPlan,
    work: &AllWork,
    heard: &mut dyn FnMut(&Row, &State<'_>),
) -> Result<Status, StatusError> {
    let (damaged_lines, last) = (work.damaged.len(), work.last.clone());
    let mut status = Status { all: Counts::default(), groups: BTreeMap::new(), damaged_lines, last };
    let mut rows = plan.rows()?;
    while let Some((_, row)) = rows.next_row()? {
        let state = read_state(work, &row);
        let operators = plan.cluster(&row)?.cluster.ids();
        status.all.count(&state);
        status.groups.entry((row.network, row.owner, operators)).or_default().count(&state);
        heard(&row, &state);
    }
    Ok(status)
}

/// Whether another plan has the row, whatever else is known of it.
fn taken<'w>(work: &'w AllWork, row: &Row) -> Option<State<'w>> {
    let taken = work.superseded.iter().find(|taken| taken.takes(row.network, row.owner, row.nonce))?;
    Some(State::Superseded(*taken))
}

/// The state of a row, its result compared with the journal and with what the row wants.
pub(super) fn state<'w>(work: &'w AllWork, row: &Wanted) -> State<'w> {
    match work.rows.get(&row.row) {
        None => State::Pending,
        Some((RowState::Refused(refused), _)) => State::Refused { code: &refused.code, reason: &refused.reason },
        Some((RowState::Done(_), _)) => match work.result(row) {
            Some(Ok(_)) => State::Done,
            Some(Err(problem)) => State::Damaged(problem),
            None => State::Pending,
        },
    }
}

fn read_state<'w>(work: &'w AllWork, row: &Row) -> State<'w> {
    taken(work, row).unwrap_or_else(|| state(work, &Wanted::from(row)))
}

/// The states of these rows, no result judged further than that it is what the journal says, and this row's.
pub(super) fn read_states<'w>(work: &'w AllWork, rows: &[Row]) -> Vec<State<'w>> {
    rows.iter().map(|row| read_state(work, row)).collect()
}

/// The states of these rows, every result judged as a stranger would.
pub(super) fn judged_states<'w>(plan: &LoadedPlan, work: &'w AllWork, rows: &[Row]) -> Vec<State<'w>> {
    let mut states = Vec::with_capacity(rows.len());
    let (mut done, mut read) = (Vec::new(), Vec::new());
    for row in rows {
        let wanted = Wanted::from(row);
        if let Some(taken) = taken(work, row) {
            states.push(taken);
            continue;
        }
        match work.result(&wanted) {
            None => states.push(state(work, &wanted)),
            Some(result) => {
                states.push(State::Done);
                done.push(row);
                read.push(result);
            }
        }
    }
    let waiting = states.iter_mut().filter(|state| matches!(state, State::Done));
    for (state, outcome) in waiting.zip(judge_read(plan, done.into_iter(), &read)) {
        if let Err(problem) = outcome {
            *state = State::Damaged(problem);
        }
    }
    states
}
