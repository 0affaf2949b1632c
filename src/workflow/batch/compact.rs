//! Closes gaps by decision: a new plan for the rows that are not registered yet, without those that were refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce};

use super::plan::Hole;
use super::shard::{AllWork, RowState, ShardError, TAKEN, Wanted, around, shard_named};
use super::status::{State, state};
use super::writer::{PlanWriter, WritePlanError};
use super::{LoadError, LoadedPlan, RowsByPlace, Shard};
use crate::crypto::digest::Sha256Digest;
use crate::format::journal::{self, Entry, Superseded};
use crate::format::network::Network;
use crate::format::plan::{Header, Row};
use crate::store::atomic::Staged;
use crate::store::read::{exists, identity};
use crate::store::work_dir::{Lock, Log, WorkDir};
use crate::store::write_error::WriteError;

/// The nonce that an owner's next registration has on chain.
#[derive(Clone, Copy, Debug)]
pub struct NextNonce {
    /// The network, which may be left out for an owner that is on one only.
    pub network: Option<Network>,
    /// The owner.
    pub owner: Address,
    /// The nonce.
    pub nonce: Nonce,
}

/// What a new plan does for one owner.
#[derive(Debug)]
pub struct Renumbered {
    /// Where.
    pub network: Network,
    /// Whose.
    pub owner: Address,
    /// The nonce of its next registration: this plan's rows from there on are the new plan's.
    pub next: Nonce,
    /// Rows with lower nonces, which count as registered.
    pub registered: u32,
    /// Nonces of such rows that have no result.
    pub registered_without_result: Vec<Nonce>,
    /// Nonces of such rows that have a result behind the owner's first gap, which no merge of this plan writes.
    pub registered_without_merge: Vec<Nonce>,
    /// Refused rows that are left out: old nonce and keystore.
    pub left_out: Vec<(Nonce, String)>,
    /// Nonces of the new plan that the old one left to others, too: they stay theirs.
    pub holes: Vec<Hole>,
    /// The first and the last new nonce; `None` when no row is left.
    pub nonces: Option<(Nonce, Nonce)>,
    /// Rows of the new plan whose keystore is not where it should be.
    pub absent: u32,
}

/// What was planned.
#[derive(Debug)]
pub struct Compacted {
    /// The new plan's hash.
    pub hash: Sha256Digest,
    /// When it was made.
    pub created_at: String,
    /// How many rows it has.
    pub rows: u32,
    /// By owner.
    pub owners: Vec<Renumbered>,
}

/// Why there is no new plan.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// An owner that is not in the plan.
    #[error("owner {0} is not in the plan")]
    UnknownOwner(Address),
    /// An owner that is on several networks.
    #[error("owner {0} is in the plan on several networks")]
    SeveralNetworks(Address),
    /// An owner that was named twice.
    #[error("owner {0} was named twice")]
    NamedTwice(Address),
    /// An owner with refused rows whose nonce on chain was not named.
    #[error("owner {owner} on {network} has refused rows, and its next nonce on chain was not named")]
    NotNamed {
        /// The owner.
        owner: Address,
        /// The network.
        network: Network,
    },
    /// Rows that no merge has written would count as registered, and nobody has confirmed it.
    #[error(
        "{} of {owner} on {network} would count as registered, and no merge of this plan writes {}",
        if gap == last { format!("nonce {gap}") } else { format!("nonces {gap} to {last}") },
        if gap == last { "it" } else { "them" }
    )]
    NotMerged {
        /// The network.
        network: Network,
        /// The owner.
        owner: Address,
        /// The first nonce without a result.
        gap: Nonce,
        /// The last one that would count as registered.
        last: Nonce,
    },
    /// Another plan has rows of an owner already, and is not the one that is asked for.
    #[error("plan {} has the rows of {} on {} from nonce {} on already", .0.by, .0.owner, .0.network, .0.from)]
    Taken(Superseded),
    /// Lines of the journals cannot be relied on, and nobody has confirmed the nonce of this owner.
    #[error(
        "{lines} lines of the journals are damaged, or do not say of which plan they are: they may have said of rows of {owner} on \
         {network} that they were refused, or that another plan has them"
    )]
    Unreliable {
        /// How many lines.
        lines: u64,
        /// The network.
        network: Network,
        /// The owner.
        owner: Address,
    },
    /// A folder has results, and no line of a journal that says to what plan they belong; and nobody has confirmed the nonce
    /// of this owner.
    #[error(
        "{}: there are results, and no journal says of which plan: one that is lost may have said of rows of {owner} on \
         {network} that they were refused, or that another plan has them",
        folder.display()
    )]
    NoJournal {
        /// The folder.
        folder: PathBuf,
        /// The network.
        network: Network,
        /// The owner.
        owner: Address,
    },
    /// Shards whose work is not among the folders have rows that the new plan would take.
    #[error("{} not among the folders that are named, and {} rows that the new plan would take",
        in_words(.0), if .0.len() == 1 { "has" } else { "have" })]
    ShardsNotNamed(Vec<Shard>),
    /// No keystore of the new plan's rows is where the plan says.
    #[error("none of the keystores that would be signed with anew is in {}", .0.display())]
    NoKeystores(PathBuf),
    /// No row would be in the new plan.
    #[error("no row is left to be planned")]
    NothingLeft,
    /// The plan could not be written.
    #[error(transparent)]
    Write(#[from] WritePlanError),
}

/// How many shards are named one by one.
const SHOWN: usize = 8;

fn in_words(shards: &[Shard]) -> String {
    let named: Vec<_> = shards.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = shards.len().saturating_sub(SHOWN);
    match (named.as_slice(), more) {
        ([only], 0) => format!("shard {only} is"),
        (_, 0) => format!("shards {} are", named.join(", ")),
        (_, _) => format!("shards {} and {more} more are", named.join(", ")),
    }
}

/// The journals of an old plan, each locked, to be told that a new one has its rows.
pub struct OldJournals {
    shards: Vec<OldShard>,
    /// The folders around them, in which no shard is begun meanwhile.
    around: Vec<(WorkDir, Lock)>,
}

struct OldShard {
    dir: WorkDir,
    journal: Log,
    lock: Lock,
}

/// How often the work is read again while shards of it are being begun.
const TRIES: usize = 10;

/// Why the journals of an old plan cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum JournalsError {
    /// A folder that may not be written to, or that a run is at work in.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The work cannot be read.
    #[error(transparent)]
    Work(#[from] ShardError),
    /// Shards are begun all the time.
    #[error("shards of the old plan are being begun")]
    Busy,
}

impl OldJournals {
    /// Keeps runs of the old plan out, opens its journals for writing, and reads the work as it stays from then on: the
    /// shards that are locked are those that are read.
    ///
    /// # Errors
    /// [`JournalsError`].
    pub fn open(work: &[PathBuf], plan: &LoadedPlan) -> Result<(Self, AllWork), JournalsError> {
        for _ in 0..TRIES {
            let found = AllWork::read(work, plan)?;
            let around = lock_around(&found.folders)?;
            let shards = found.folders.iter().map(|folder| OldShard::open(folder)).collect::<Result<_, _>>()?;
            let all = AllWork::read(work, plan)?;
            if all.folders == found.folders {
                return Ok((Self { shards, around }, all));
            }
        }
        Err(JournalsError::Busy)
    }

    /// Whether the system keeps runs out of all of them. Some network file systems have no locks.
    #[must_use]
    pub fn are_locked(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock.is_held()) && self.around.iter().all(|(_, lock)| lock.is_held())
    }

    /// Writes into each what the new plan has taken. To be done before the new plan is seen by anybody: without it, both
    /// would use the same nonces.
    ///
    /// # Errors
    /// [`WritePlanError`]; the rows may be taken from some of the journals, which the next try makes good.
    pub fn supersede(
        &mut self,
        plan: &LoadedPlan,
        work: &AllWork,
        compacted: &Compacted,
    ) -> Result<(), WritePlanError> {
        let mut lines = String::new();
        for Renumbered { network, owner, next, .. } in &compacted.owners {
            let rows = Superseded { network: *network, owner: *owner, from: *next, by: compacted.hash };
            lines += &Entry::Superseded { rows, at: compacted.created_at.clone() }.to_line()?;
        }
        let opened = |(shard, of)| Entry::Opened { plan: plan.hash, shard, of }.to_line();
        // In a list of its own, a line that names the plan says whose rows were taken, and not which shard it is.
        let list = opened((1, 1))? + &lines;
        for dir in self.around.iter().map(|(dir, _)| dir).chain(self.shards.iter().map(|shard| &shard.dir)) {
            let mut taken = dir.log(TAKEN)?;
            taken.drop_unfinished_line()?;
            taken.append(list.as_bytes())?;
        }
        for OldShard { dir, journal, .. } in &mut self.shards {
            journal.drop_unfinished_line()?;
            // A journal that is new says whose it is first: otherwise its lines would never be relied on.
            let is_new = work.unopened.iter().any(|folder| folder == dir.path());
            if let Some(shard) = is_new.then(|| shard_named(dir.path())).flatten() {
                journal.append(opened(shard)?.as_bytes())?;
            }
            // Twice: one line that is damaged later does not give the rows back to the old plan.
            journal.append(lines.repeat(2).as_bytes())?;
        }
        Ok(())
    }
}

impl OldShard {
    fn open(folder: &Path) -> Result<Self, WriteError> {
        let dir = WorkDir::open(folder)?;
        let lock = dir.lock()?;
        Ok(Self { journal: dir.log(journal::FILE_NAME)?, dir, lock })
    }
}

/// Locks the folders around those of the shards, each once. One that may not be written to is left out: nobody begins a
/// shard in it either.
fn lock_around(folders: &[PathBuf]) -> Result<Vec<(WorkDir, Lock)>, WriteError> {
    let mut known = BTreeMap::new();
    for around in folders.iter().filter_map(|folder| around(folder)) {
        known.entry(identity(around)).or_insert(around);
    }
    let mut locked = Vec::with_capacity(known.len());
    for around in known.into_values() {
        let dir = WorkDir::open(around)?;
        match dir.wait_for_lock(|| {}) {
            Err(WriteError::PermissionDenied { .. } | WriteError::ReadOnly { .. }) => {}
            lock => locked.push((dir, lock?)),
        }
    }
    Ok(locked)
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// By owner, where the new plan begins.
    pub next: &'a [NextNonce],
    /// The same nonces once more, where something stands against them.
    pub confirmed: &'a [NextNonce],
    /// Shards that nobody does or has done, or whose work is lost.
    pub without: &'a [Shard],
}

/// The rows of one owner by nonce, with the places of their lines.
type Own = BTreeMap<Nonce, (u32, u64)>;

/// Writes a new plan to `staged`: for each owner that is named, the rows from its next nonce on, without the refused ones,
/// each with the next of the owner's own nonces in the old plan. Owners without refused rows need not be named, and are not in the new plan.
///
/// The rows of an owner are taken once. To ask for the same again gives the same plan again, byte for byte: the first one
/// may never have come to the disk.
///
/// # Errors
/// [`CompactError`].
pub fn compact(
    plan: &LoadedPlan,
    work: &AllWork,
    request: Request<'_>,
    (created_at, base): (String, String),
    staged: &mut Staged,
) -> Result<Compacted, CompactError> {
    let mut owners: BTreeMap<(Network, Address), Own> = BTreeMap::new();
    let mut rows = plan.rows()?;
    while let Some((place, row)) = rows.next_row()? {
        owners.entry((row.network, row.owner)).or_default().insert(row.nonce, (row.row, place));
    }
    let confirmed = named(request.confirmed, &owners)?;
    let named = named(request.next, &owners)?;
    for ((network, owner), own) in &owners {
        let is_refused = |(row, _): &(u32, u64)| matches!(work.rows.get(row), Some((RowState::Refused(_), _)));
        let is_settled = named.contains_key(&(*network, *owner)) || taken(work, *network, *owner).is_some();
        if !is_settled && own.values().any(is_refused) {
            return Err(CompactError::NotNamed { owner: *owner, network: *network });
        }
    }
    must_be_all_shards(work, request.without, &named, &owners)?;
    let unclaimed = work.unclaimed.iter().map(|(_, unclaimed)| unclaimed.lines);
    let lines = unclaimed.sum::<u64>().saturating_add(work.damaged.len() as u64);
    let unconfirmed = named.iter().find(|(owner, first)| confirmed.get(*owner) != Some(*first));
    if let Some(((network, owner), _)) = unconfirmed.filter(|_| lines > 0) {
        return Err(CompactError::Unreliable { lines, network: *network, owner: *owner });
    }
    if let (Some(((network, owner), _)), Some(folder)) = (unconfirmed, work.unopened.first()) {
        return Err(CompactError::NoJournal { folder: folder.clone(), network: *network, owner: *owner });
    }
    let before = named.keys().find_map(|(network, owner)| taken(work, *network, *owner));
    let created_at = before.and_then(|taken| work.made_at.get(&taken.by)).cloned().unwrap_or(created_at);
    let header = Header { created_at: created_at.clone(), base, continues: Some(plan.hash) };
    let mut writer = PlanWriter::start(staged, header)?;
    for input in &plan.inputs {
        writer.input(input.clone())?;
    }
    let mut places = RowsByPlace::open(plan)?;
    let mut renumbered = Vec::new();
    let mut absent = 0_u32;
    for ((network, owner), first) in named {
        let own = owners.remove(&(network, owner)).unwrap_or_default();
        let outcome = renumber(plan, work, (network, owner), first, &own, &mut places, &mut writer)?;
        absent = absent.saturating_add(outcome.absent);
        let last = own.range(..first).next_back().map(|(nonce, _)| *nonce);
        if let (Some(gap), Some(last)) = (outcome.registered_without_result.first(), last)
            && confirmed.get(&(network, owner)) != Some(&first)
        {
            return Err(CompactError::NotMerged { network, owner, gap: *gap, last });
        }
        renumbered.push(outcome);
    }
    let rows = writer.rows();
    if rows == 0 {
        return Err(before.map_or(CompactError::NothingLeft, |taken| CompactError::Taken(*taken)));
    }
    // The new plan is going to be run from where it will be: it must not lead to where the old one was copied from.
    if absent == rows {
        return Err(CompactError::NoKeystores(plan.base.clone()));
    }
    let hash = writer.close()?;
    if let Some(taken) = before.filter(|taken| taken.by != hash) {
        return Err(CompactError::Taken(*taken));
    }
    Ok(Compacted { hash, created_at, rows, owners: renumbered })
}

/// Refuses to take rows of shards that would not be told: a folder of their own, on another machine, would still do them for
/// the old plan.
fn must_be_all_shards(
    work: &AllWork,
    without: &[Shard],
    named: &BTreeMap<(Network, Address), Nonce>,
    owners: &BTreeMap<(Network, Address), Own>,
) -> Result<(), CompactError> {
    let ways: BTreeSet<u32> = work.shards.iter().map(|(_, of)| *of).filter(|of| *of > 0).collect();
    let mut missing = BTreeSet::new();
    for (owner, first) in named {
        for (row, _) in owners.get(owner).into_iter().flat_map(|own| own.range(first..)).map(|(_, own)| own) {
            for of in &ways {
                let number = row % of + 1;
                if !work.shards.contains(&(number, *of)) {
                    missing.insert((*of, number));
                }
            }
        }
    }
    let missing = missing.into_iter().filter_map(|(of, number)| Shard::new(number, of).ok());
    let missing: Vec<_> = missing.filter(|shard| !without.contains(shard)).collect();
    if missing.is_empty() { Ok(()) } else { Err(CompactError::ShardsNotNamed(missing)) }
}

/// What another plan has of an owner.
fn taken(work: &AllWork, network: Network, owner: Address) -> Option<&Superseded> {
    work.superseded.iter().find(|taken| (taken.network, taken.owner) == (network, owner))
}

fn named(
    next: &[NextNonce],
    owners: &BTreeMap<(Network, Address), Own>,
) -> Result<BTreeMap<(Network, Address), Nonce>, CompactError> {
    let mut named = BTreeMap::new();
    for NextNonce { network, owner, nonce } in next {
        let fitting = |(on, who): &&(Network, Address)| who == owner && network.is_none_or(|network| network == *on);
        let mut found = owners.keys().filter(fitting);
        let key = found.next().ok_or(CompactError::UnknownOwner(*owner))?;
        if found.next().is_some() {
            return Err(CompactError::SeveralNetworks(*owner));
        }
        if named.insert(*key, *nonce).is_some() {
            return Err(CompactError::NamedTwice(*owner));
        }
    }
    Ok(named)
}

fn renumber(
    plan: &LoadedPlan,
    work: &AllWork,
    (network, owner): (Network, Address),
    first: Nonce,
    own: &Own,
    places: &mut RowsByPlace<'_>,
    writer: &mut PlanWriter<'_>,
) -> Result<Renumbered, CompactError> {
    let mut outcome = Renumbered {
        network,
        owner,
        next: first,
        registered: 0,
        registered_without_result: Vec::new(),
        registered_without_merge: Vec::new(),
        left_out: Vec::new(),
        holes: Vec::new(),
        nonces: None,
        absent: 0,
    };
    // What was left to others stays theirs: the rows move up within the nonces that are the plan's own.
    let mut free = own.range(first..).map(|(nonce, _)| *nonce);
    let mut expected = first.get();
    for (nonce, (_, place)) in own {
        let row = places.at(*place)?;
        let state = state(work, &Wanted::from(&row));
        if *nonce < first {
            outcome.registered = outcome.registered.saturating_add(1);
            if !matches!(state, State::Done) {
                outcome.registered_without_result.push(*nonce);
            } else if !outcome.registered_without_result.is_empty() {
                outcome.registered_without_merge.push(*nonce);
            }
            continue;
        }
        if matches!(state, State::Refused { .. }) {
            outcome.left_out.push((*nonce, row.keystore));
            continue;
        }
        outcome.absent = outcome.absent.saturating_add(u32::from(!exists(&plan.keystore_path(&row))));
        let nonce = free.next().unwrap_or(*nonce);
        if nonce.get() > expected {
            let last = nonce.get().saturating_sub(1);
            outcome.holes.push(Hole { network, owner, first: expected, last });
        }
        expected = nonce.get().saturating_add(1);
        let cluster = writer.cluster(&plan.cluster(&row)?.cluster)?;
        let number = writer.rows();
        writer.row(Row { row: number, cluster, nonce, ..row })?;
        outcome.nonces = Some((outcome.nonces.map_or(nonce, |(first, _)| first), nonce));
    }
    Ok(outcome)
}
