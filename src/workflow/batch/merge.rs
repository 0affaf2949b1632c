//! Merges results into one keyshares file for each owner and cluster, in the order of nonces, up to the owner's first gap.
//!
//! A result is judged once, in the file that it becomes a part of, from the disk, and before anybody may see the file. Only if
//! that says no are the results judged one by one, to find the row that is not right, and merged once more up to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use dvkey_ceremony::{Address, Nonce, OperatorId, PublicKey};

use super::earlier::Earlier;
use super::merged_file::Piece;
use super::others::{self, Clash};
use super::result::GROUP;
use super::shard::{AllWork, RESULTS, ShardError, Wanted};
use super::status::{Counts, State, judged_states, read_states};
use super::strangers::Strangers;
use super::{LoadError, LoadedPlan, PlanCluster, ResultProblem, RowsByPlace};
use crate::crypto::digest::Sha256Digest;
use crate::format::journal::Superseded;
use crate::format::keyshares::Writer;
use crate::format::network::Network;
use crate::format::plan::Row;
use crate::format::row_result::RowResult;
use crate::store::read::{ReadError, exists};
use crate::store::write_error::WriteError;
use crate::workflow::parallel::in_chunks;
use crate::workflow::verify::check::Report;

/// What is to be merged.
#[derive(Debug)]
pub struct Request {
    /// The folder for the results, which is there.
    pub out: PathBuf,
    /// Whether other results of earlier merges are replaced.
    pub force: bool,
    /// How many threads.
    pub jobs: usize,
}

/// What was merged.
#[derive(Debug)]
pub struct Merged {
    /// The files, by owner and nonce.
    pub files: Vec<MergedFile>,
    /// Where it stopped.
    pub gaps: Vec<Gap>,
    /// Nonces that the plan itself passes over.
    pub holes: Vec<super::plan::Hole>,
    /// What other plans have taken from this one, and was not merged.
    pub superseded: Vec<Superseded>,
    /// All rows of the plan.
    pub counts: Counts,
}

/// A keyshares file.
#[derive(Clone, Debug)]
pub struct MergedFile {
    /// Its folder.
    pub folder: PathBuf,
    /// Where its validators will be registered.
    pub network: Network,
    /// Who registers them.
    pub owner: Address,
    /// The operators.
    pub operators: Vec<OperatorId>,
    /// The first nonce.
    pub first: Nonce,
    /// The last nonce.
    pub last: Nonce,
    /// How many validators.
    pub validators: usize,
    /// The digest of the file.
    pub digest: Sha256Digest,
    /// Whether the same file was there before.
    pub was_there: bool,
    /// The digest of another file that was there before, and is not any more.
    pub replaced: Option<Sha256Digest>,
}

/// A nonce without a result: whatever is registered behind it would be void.
#[derive(Debug)]
pub struct Gap {
    /// Where.
    pub network: Network,
    /// Whose.
    pub owner: Address,
    /// The nonce.
    pub nonce: Nonce,
    /// The row.
    pub row: u32,
    /// Its keystore.
    pub keystore: String,
    /// Why it was refused: code and reason. `None` for a row that is still to be done.
    pub refused: Option<(String, String)>,
    /// What is wrong with its result, if it has one that is not right.
    pub damaged: Option<ResultProblem>,
    /// How many rows behind it are done, and cannot be used yet.
    pub held_back: u32,
    /// Files of results that are to be removed: of two rows that cannot both be right, and that no run sees together.
    pub to_remove: Vec<PathBuf>,
}

/// Why nothing, or not everything, was merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The work cannot be used any more.
    #[error(transparent)]
    Work(#[from] ShardError),
    /// Other files are there with a nonce, or a validator, that the new ones would have, too.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// Keyshares of an earlier merge are there, which may be registered by now.
    #[error(transparent)]
    Earlier(#[from] Earlier),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A result is not what it was a moment ago.
    #[error("the result of row {0} was changed meanwhile")]
    ChangedMeanwhile(u32),
    /// A file could not be made.
    #[error("the output could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// What was read back differs from what was written.
    #[error("{0} came back from the disk other than it was written")]
    ReadBack(&'static str),
    /// A file that was read back is not valid.
    #[error("the written file does not pass verification")]
    NotValid {
        /// What is wrong with a part of it.
        report: Box<Report>,
        /// The rows of that part, in order.
        rows: Vec<u32>,
    },
    /// A file that was read back has one sealed share for two validators.
    #[error("the written file has a sealed share twice; the second time in row {0}")]
    SealedTwice(u32),
    /// A file that was read back has a share key that is the validator key of a row, in this file or in another one.
    #[error("the written file has a share key that is a validator key of the plan, in row {0}")]
    ShareIsValidator(u32),
    /// Another plan has taken rows of this file while it was made.
    #[error("plan {} has taken the rows of {} on {} from nonce {} on meanwhile", .0.by, .0.owner, .0.network, .0.from)]
    TakenMeanwhile(Superseded),
    /// Another plan has taken rows of this file while it was published, and it could not be taken back.
    #[error("plan {} has taken the rows of {} on {} from nonce {} on meanwhile", .taken.by, .taken.owner, .taken.network, .taken.from)]
    NotTakenBack {
        /// What was taken.
        taken: Superseded,
        /// The files that stay, or stand in for what was there before.
        remaining: Vec<PathBuf>,
    },
    /// The files were published, and are not where they should be.
    #[error("{}: published, but not found there with the same content", .0.display())]
    Moved(PathBuf),
}

/// The owners, each on its network, in order.
type Owners = Vec<(Network, Address)>;

/// A row in the order of nonces.
pub(super) struct Slot {
    owner: u32,
    pub(super) nonce: Nonce,
    pub(super) row: u32,
    cluster: u32,
    pub(super) place: u64,
    pub(super) public_key: [u8; PublicKey::BYTES],
}

impl Slot {
    pub(super) fn wanted(&self) -> Wanted {
        Wanted { row: self.row, nonce: self.nonce, public_key: self.public_key }
    }
}

/// When results are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judging {
    /// In the files that are made of them; those that no file holds, before.
    Files,
    /// One by one, before any file is made; and in the files.
    Results,
}

/// Merges what there is. The caller keeps other merges out of the folder for the results, from before `work` was read.
///
/// # Errors
/// [`MergeError`]; the files that were finished by then stay.
pub fn merge(
    plan: &LoadedPlan,
    work: &AllWork,
    request: &Request,
    heard: &dyn Fn(&MergedFile),
) -> Result<Merged, MergeError> {
    let mut made = Vec::new();
    match merge_as(plan, work, request, Judging::Files, &mut made, heard) {
        Err(
            MergeError::NotValid { .. }
            | MergeError::SealedTwice(_)
            | MergeError::ShareIsValidator(_)
            | MergeError::ReadBack(_),
        ) => merge_as(plan, work, request, Judging::Results, &mut made, heard),
        outcome => outcome,
    }
}

/// As [`merge`]. What is in `made` was made a moment ago and has been told of.
fn merge_as(
    plan: &LoadedPlan,
    work: &AllWork,
    request: &Request,
    judging: Judging,
    made: &mut Vec<MergedFile>,
    heard: &dyn Fn(&MergedFile),
) -> Result<Merged, MergeError> {
    let before = made.len();
    let (owners, slots) = in_order(plan)?;
    let mut merged = Merged {
        files: Vec::new(),
        gaps: Vec::new(),
        holes: Vec::new(),
        superseded: Vec::new(),
        counts: Counts::default(),
    };
    let others = others::find(&request.out, plan.hash)?;
    let mut places = RowsByPlace::open(plan)?;
    let names = Names::new(&owners);
    let validators = slots.iter().map(|slot| slot.public_key).collect();
    let mut strangers = if judging == Judging::Results { Some(Strangers::new(plan)?) } else { None };
    let mut all = Vec::new();
    for ((network, owner), own) in owners.iter().zip(slots.chunk_by(|a, b| a.owner == b.owner)) {
        let mut states = states(plan, work, own, (request.jobs, judging), &mut places)?;
        if let Some(strangers) = &mut strangers {
            mark_strangers(work, own, &mut states, &mut places, strangers)?;
        }
        let usable = usable(plan, states, (*network, *owner), own, &mut places, &mut merged)?;
        for pair in own.windows(2) {
            if let [earlier, later] = pair
                && later.nonce.get() - earlier.nonce.get() > 1
            {
                let (first, last) = (earlier.nonce.get().saturating_add(1), later.nonce.get().saturating_sub(1));
                merged.holes.push(super::plan::Hole { network: *network, owner: *owner, first, last });
            }
        }
        for run in runs(plan, owner, own.get(..usable).unwrap_or_default())? {
            all.extend(Piece::cut(plan, work, request, (&names, &validators), (*network, *owner), run)?);
        }
    }
    for gap in &mut merged.gaps {
        gap.to_remove = to_remove(work, gap);
    }
    for piece in &all {
        others.must_not_have(&piece.folder, piece.owner(), (piece.first, piece.last), piece.validators())?;
        if !made.iter().any(|file| file.folder == piece.folder) {
            piece.must_not_replace(&merged.superseded)?;
        }
    }
    // Nothing is written before all of it is known to go with what is there.
    for piece in all {
        let earlier = made.iter().take(before).find(|file| file.folder == piece.folder && piece.last == file.last);
        if let Some(file) = earlier {
            merged.files.push(file.clone());
            continue;
        }
        let file = piece.make()?;
        heard(&file);
        made.push(file.clone());
        merged.files.push(file);
    }
    Ok(merged)
}

/// The owners, and all rows by owner and nonce: some hundred bytes for each.
fn in_order(plan: &LoadedPlan) -> Result<(Owners, Vec<Slot>), MergeError> {
    let mut numbers = BTreeMap::new();
    let mut rows = plan.rows()?;
    while let Some((_, row)) = rows.next_row()? {
        numbers.insert((row.network, row.owner), 0_u32);
    }
    for (number, own) in (0..).zip(numbers.values_mut()) {
        *own = number;
    }
    let mut slots = Vec::new();
    let mut rows = plan.rows()?;
    while let Some((place, row)) = rows.next_row()? {
        let owner = numbers.get(&(row.network, row.owner)).copied().unwrap_or_default();
        let Row { row, nonce, cluster, public_key, .. } = row;
        slots.push(Slot { owner, nonce, row, cluster, place, public_key });
    }
    slots.sort_unstable_by_key(|slot| (slot.owner, slot.nonce));
    Ok((numbers.into_keys().collect(), slots))
}

/// What an owner's rows have come to. Those before its first gap become parts of files, and are judged there.
fn states<'w>(
    plan: &LoadedPlan,
    work: &'w AllWork,
    own: &[Slot],
    (jobs, judging): (usize, Judging),
    places: &mut RowsByPlace<'_>,
) -> Result<Vec<State<'w>>, LoadError> {
    let mut states = Vec::with_capacity(own.len());
    let mut is_before_gap = judging == Judging::Files;
    for slots in own.chunks(GROUP * jobs.max(1)) {
        let rows = slots.iter().map(|slot| places.at(slot.place)).collect::<Result<Vec<_>, _>>()?;
        if is_before_gap {
            let read = in_chunks(&rows, jobs, |rows| read_states(work, rows));
            is_before_gap = read.iter().all(|state| matches!(state, State::Done));
            if is_before_gap {
                states.extend(read);
                continue;
            }
        }
        states.extend(in_chunks(&rows, jobs, |rows| judged_states(plan, work, rows)));
    }
    Ok(states)
}

/// Marks results of an owner that cannot all be right, beside each other in one file.
fn mark_strangers(
    work: &AllWork,
    own: &[Slot],
    states: &mut [State<'_>],
    places: &mut RowsByPlace<'_>,
    strangers: &mut Strangers<'_>,
) -> Result<(), LoadError> {
    let mut found = HashMap::new();
    strangers.forget_sealed();
    for (slot, _) in own.iter().zip(&*states).filter(|(_, state)| matches!(state, State::Done)) {
        if let Some(Ok(result)) = work.result(&slot.wanted()) {
            found.extend(strangers.see(&places.at(slot.place)?, &result)?);
        }
    }
    for (slot, state) in own.iter().zip(states) {
        if let Some(problem) = found.remove(&slot.row) {
            *state = State::Damaged(problem);
        }
    }
    Ok(())
}

/// The files of the two results that have one sealed share, where no folder has both, and no run would find it therefore.
fn to_remove(work: &AllWork, gap: &Gap) -> Vec<PathBuf> {
    let Some(ResultProblem::SealedElsewhere { row: other, .. }) = gap.damaged else { return Vec::new() };
    let files = |row| {
        let file = |folder: &PathBuf| folder.join(RESULTS).join(RowResult::file_name(row));
        work.folders.iter().map(file).filter(|file| exists(file)).collect::<Vec<_>>()
    };
    let (mut files, others) = (files(gap.row), files(other));
    if files.iter().any(|one| others.iter().any(|other| one.parent() == other.parent())) {
        return Vec::new();
    }
    files.extend(others);
    files
}

/// How many rows of an owner, from its first nonce on, have results. Notes the gap behind them.
fn usable(
    plan: &LoadedPlan,
    states: Vec<State<'_>>,
    (network, owner): (Network, Address),
    own: &[Slot],
    places: &mut RowsByPlace<'_>,
    merged: &mut Merged,
) -> Result<usize, MergeError> {
    let mut gap: Option<(usize, Gap)> = None;
    let mut end = own.len();
    for (position, (slot, state)) in own.iter().zip(states).enumerate() {
        merged.counts.count(&state);
        match (&state, &mut gap) {
            (State::Superseded(by), _) => {
                if position < end {
                    end = position;
                    merged.superseded.push(*by);
                }
            }
            (State::Done, None) => {}
            (State::Done, Some((_, gap))) => gap.held_back = gap.held_back.saturating_add(1),
            (_, Some(_)) => {}
            (_, None) => {
                let (refused, damaged) = match state {
                    State::Refused { code, reason } => (Some((code.to_owned(), reason.to_owned())), None),
                    State::Damaged(problem) => (None, Some(problem)),
                    State::Done | State::Pending | State::Superseded(_) => (None, None),
                };
                let keystore = plan.keystore_path(&places.at(slot.place)?).display().to_string();
                let (nonce, row) = (slot.nonce, slot.row);
                let (held_back, to_remove) = (0, Vec::new());
                let here = Gap { network, owner, nonce, row, keystore, refused, damaged, held_back, to_remove };
                gap = Some((position, here));
            }
        }
    }
    Ok(match gap {
        None => end,
        Some((position, gap)) => {
            merged.gaps.push(gap);
            position
        }
    })
}

/// Cuts rows where the cluster changes, where a nonce is passed over, and where a file would become too large.
fn runs<'s>(plan: &LoadedPlan, owner: &Address, slots: &'s [Slot]) -> Result<Vec<Vec<&'s Slot>>, MergeError> {
    let mut runs: Vec<Vec<&Slot>> = Vec::new();
    let mut most = 0;
    for slot in slots {
        let goes_on =
            runs.last().and_then(|run| run.last().map(|last| (run.len(), last))).is_some_and(|(length, last)| {
                last.cluster == slot.cluster && slot.nonce.get() - last.nonce.get() == 1 && length < most
            });
        match runs.last_mut() {
            Some(run) if goes_on => run.push(slot),
            _ => {
                most = Writer::most_items(&owner.to_checksum(), cluster(plan, slot)?.cluster.operators())?;
                runs.push(vec![slot]);
            }
        }
    }
    Ok(runs)
}

pub(super) fn cluster<'a>(plan: &'a LoadedPlan, slot: &Slot) -> Result<&'a PlanCluster, LoadError> {
    let number = usize::try_from(slot.cluster).unwrap_or(usize::MAX);
    plan.clusters.get(number).ok_or_else(|| plan.changed())
}

/// How folders are called.
pub(super) struct Names {
    /// How many digits of the owners tell them apart.
    digits: usize,
}

impl Names {
    fn new(owners: &[(Network, Address)]) -> Self {
        let short: HashSet<_> = owners.iter().map(|(_, owner)| digits(owner, 8)).collect();
        let all: HashSet<_> = owners.iter().map(|(_, owner)| owner).collect();
        Self { digits: if short.len() == all.len() { 8 } else { 40 } }
    }

    /// `hoodi-81592c3d-12-34-56-78-nonce7`
    pub(super) fn folder(&self, network: Network, owner: &Address, operators: &[OperatorId], first: Nonce) -> String {
        let mut ids = operators.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        if ids.len() > 120 {
            // File systems take names of 255 bytes.
            let digest = Sha256Digest::of(ids.as_bytes()).to_string();
            ids = format!("{}-operators-{}", operators.len(), digest.get(..16).unwrap_or_default());
        }
        format!("{network}-{}-{ids}-nonce{first}", digits(owner, self.digits))
    }
}

fn digits(owner: &Address, count: usize) -> String {
    owner.to_lower_hex().chars().skip(2).take(count).collect()
}
