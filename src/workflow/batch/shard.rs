//! The folder of a shard: what its journal says, and whether the results are what it says.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dvkey_ceremony::{Address, Nonce, PublicKey};

use super::{FOLDER_START, LoadedPlan, ResultProblem, Shard};
use crate::crypto::digest::Sha256Digest;
use crate::format::journal::{self, Entry, Superseded};
use crate::format::network::Network;
use crate::format::plan::Row;
use crate::format::row_result::{self, RowResult};
use crate::store::lines::Lines;
use crate::store::read::{EntryKind, FileState, ReadError, Source, identity, list_dir, read_bounded};

/// The folder of the results inside the folder of a shard.
pub const RESULTS: &str = "results";

/// Beside a journal, and in the folder around those of the shards: what other plans have taken, once more. Lines as in a
/// journal, behind one that names the plan that had the rows. A journal that is lost, or torn at its end, does not give
/// them back.
pub(super) const TAKEN: &str = "taken";

/// What a journal says about its shard.
#[derive(Debug, Default)]
pub struct ShardState {
    /// The rows that are done or refused.
    pub rows: HashMap<u32, RowState>,
    /// What other plans have taken from this one, and when they were made.
    pub superseded: Vec<(Superseded, String)>,
    /// The numbers of damaged lines. What they said is done again.
    pub damaged: Vec<u64>,
    /// Which shard it is, where a line names this plan.
    pub opened: Option<(u32, u32)>,
    /// Lines that stand before any that names a plan.
    pub unclaimed: Option<Unclaimed>,
    /// When the last entry was written.
    pub last: Option<String>,
    /// Whether nothing in the journal is about rows, or there is no journal.
    pub is_blank: bool,
}

/// What a journal says about a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It has a result, with this digest.
    Done(Sha256Digest),
    /// It was refused.
    Refused(Box<RefusedRow>),
}

/// Lines of a journal of which nobody says to what plan they belong. A refusal among them does not count: it could keep a
/// row out of a later plan. A result names its plan itself. Rows that another plan has taken stay taken, since the opposite
/// mistake would give their nonces out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclaimed {
    /// The number of the first one.
    pub first: u64,
    /// How many.
    pub lines: u64,
}

/// Why a row was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The error's code.
    pub code: String,
    /// The error in words.
    pub reason: String,
}

/// Why the folder of a shard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It belongs to another plan.
    #[error("{}: this is the work of another plan, {}", path.display(), found)]
    OtherPlan {
        /// The folder.
        path: PathBuf,
        /// That plan's hash.
        found: Sha256Digest,
    },
    /// Its rows are shared out in another way.
    #[error("{}: the rows of this work are shared out otherwise: this is shard {number} of {of}", path.display())]
    OtherShards {
        /// The folder.
        path: PathBuf,
        /// Which shard it is.
        number: u32,
        /// Of how many.
        of: u32,
    },
    /// A folder without the work of any shard.
    #[error("{}: no work of a batch is in this folder", .0.display())]
    NoWork(PathBuf),
    /// Two folders have different results of one row.
    #[error("row {row} has two different results, in {} and in {}", one.display(), other.display())]
    TwoResults {
        /// The row.
        row: u32,
        /// One folder.
        one: PathBuf,
        /// The other one.
        other: PathBuf,
    },
}

/// Reads the journal of a shard's folder, and what else says which rows were taken. No journal is an empty one.
///
/// # Errors
/// [`ShardError`].
pub fn read_state(folder: &Path, plan: Sha256Digest) -> Result<ShardState, ShardError> {
    let mut state = read_journal(folder, plan)?;
    state.is_blank =
        state.damaged.is_empty() && state.unclaimed.is_none() && state.superseded.is_empty() && state.rows.is_empty();
    for place in std::iter::once(folder).chain(around(folder)) {
        state.superseded.extend(read_taken(&place.join(TAKEN), plan)?);
    }
    Ok(state)
}

/// The folder around that of a shard, if it is one by its name.
pub(super) fn around(folder: &Path) -> Option<&Path> {
    shard_named(folder)?;
    folder.parent().map(|around| if around.as_os_str().is_empty() { Path::new(".") } else { around })
}

/// What other plans have taken of this one. Lines that are damaged stand elsewhere, too.
fn read_taken(path: &Path, plan: Sha256Digest) -> Result<Vec<(Superseded, String)>, ShardError> {
    let (mut taken, mut is_own) = (Vec::new(), true);
    each_entry(path, |entry| {
        match entry {
            Entry::Opened { plan: of, .. } => is_own = of == plan,
            Entry::Superseded { rows, at } if is_own => taken.push((rows, at)),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(taken)
}

/// Hands out what whole lines say, until one is enough. Says whether there is such a file.
fn each_entry(path: &Path, mut each: impl FnMut(Entry) -> ControlFlow<()>) -> Result<bool, ShardError> {
    let mut lines = match Lines::open_own(path, journal::MAX_LINE) {
        Err(ReadError::NotFound { .. }) => return Ok(false),
        lines => lines?,
    };
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                if Entry::parse(line.bytes).is_ok_and(|entry| each(entry).is_break()) {
                    return Ok(true);
                }
            }
            Ok(None) => return Ok(true),
            Err(ReadError::TooLarge { .. }) => {
                lines.skip_rest()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn read_journal(folder: &Path, plan: Sha256Digest) -> Result<ShardState, ShardError> {
    let mut state = ShardState::default();
    let mut lines = match Lines::open_own(&folder.join(journal::FILE_NAME), journal::MAX_LINE) {
        Ok(lines) => lines,
        Err(ReadError::NotFound { .. }) => return Ok(state),
        Err(error) => return Err(error.into()),
    };
    let mut number = 0;
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(state),
            // No line of ours is as long as that: it is damaged, and what follows its line feed counts.
            Err(ReadError::TooLarge { .. }) => {
                number += 1;
                state.damaged.push(number);
                if !lines.skip_rest()? {
                    return Ok(state);
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        number = line.number;
        if !line.ended {
            // A killed run was about to write it: its row is done again.
            return Ok(state);
        }
        let entry = Entry::parse(line.bytes);
        if state.opened.is_none() && !matches!(entry, Err(_) | Ok(Entry::Opened { .. })) {
            state.unclaimed.get_or_insert(Unclaimed { first: number, lines: 0 }).lines += 1;
        }
        match entry {
            Ok(Entry::Opened { plan: found, shard, of }) if found == plan => state.opened = Some((shard, of)),
            Ok(Entry::Opened { plan: found, .. }) => {
                return Err(ShardError::OtherPlan { path: folder.to_path_buf(), found });
            }
            Ok(Entry::Done { row, result, at }) => {
                state.rows.insert(row, RowState::Done(result));
                state.last = Some(at);
            }
            Ok(Entry::Refused { .. }) if state.opened.is_none() => {}
            Ok(Entry::Refused { row, code, reason, at }) => {
                state.rows.insert(row, RowState::Refused(Box::new(RefusedRow { code, reason })));
                state.last = Some(at);
            }
            Ok(Entry::Superseded { rows, at }) => {
                state.superseded.push((rows, at.clone()));
                state.last = Some(at);
            }
            Err(_) => state.damaged.push(number),
        }
    }
}

/// Refuses a folder in which shards have been begun that are not of this plan and of as many as this one: their rows and
/// this one's would not be apart, and some would be done twice.
///
/// # Errors
/// [`ShardError::OtherPlan`], [`ShardError::OtherShards`]; [`ShardError::Read`].
pub(super) fn must_go_with(work: &Path, plan: Sha256Digest, shard: Shard) -> Result<(), ShardError> {
    let entries = match list_dir(work) {
        Err(ReadError::NotFound { .. }) => return Ok(()),
        entries => entries?,
    };
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::Dir) {
        let Some(shares) = entry.name.strip_prefix(FOLDER_START) else { continue };
        let Some(begun) = begun_as(&entry.path, shares)? else { continue };
        let path = entry.path;
        if let Some(found) = begun.plan.filter(|found| *found != plan) {
            return Err(ShardError::OtherPlan { path, found });
        }
        let is_own = entry.name == shard.folder();
        if begun.of != shard.of() || (is_own && begun.number != shard.number()) {
            return Err(ShardError::OtherShards { path, number: begun.number, of: begun.of });
        }
    }
    Ok(())
}

/// The rows that another plan has, and since when, as any of the shards in a work folder says.
///
/// # Errors
/// [`ShardError`] where a journal cannot be read.
pub(super) fn superseded_in(work: &Path, plan: Sha256Digest) -> Result<Vec<(Superseded, String)>, ShardError> {
    let mut superseded = Vec::new();
    for entry in list_dir(work)?.into_iter().filter(|entry| entry.kind == EntryKind::Dir) {
        if entry.name.starts_with(FOLDER_START) {
            superseded.extend(read_state(&entry.path, plan)?.superseded);
        }
    }
    Ok(superseded)
}

/// Whether results lie in the folder of a shard.
pub(super) fn has_results(folder: &Path) -> Result<bool, ShardError> {
    match list_dir(&folder.join(RESULTS)) {
        Ok(entries) => Ok(entries.iter().any(|entry| RowResult::is_file_name(&entry.name))),
        Err(ReadError::NotFound { .. } | ReadError::NotADirectory { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What a shard was begun as.
struct Begun {
    /// `None` where no line of the journal says it any more.
    plan: Option<Sha256Digest>,
    number: u32,
    of: u32,
}

/// What the journal in a shard's folder says, or else the folder's name. `None` for a folder without a journal.
fn begun_as(folder: &Path, shares: &str) -> Result<Option<Begun>, ShardError> {
    let mut begun = None;
    let is_there = each_entry(&folder.join(journal::FILE_NAME), |entry| match entry {
        Entry::Opened { plan, shard, of } => {
            begun = Some(Begun { plan: Some(plan), number: shard, of });
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    let named = || named_as(shares).map(|(number, of)| Begun { plan: None, number, of });
    Ok(if is_there { begun.or_else(named) } else { None })
}

/// `2-of-3`, behind [`FOLDER_START`].
fn named_as(shares: &str) -> Option<(u32, u32)> {
    let (number, of) = shares.split_once("-of-")?;
    Some((number.parse().ok()?, of.parse().ok()?))
}

/// Which shard of how many a folder's name says it is.
pub(super) fn shard_named(folder: &Path) -> Option<(u32, u32)> {
    named_as(folder.file_name()?.to_str()?.strip_prefix(FOLDER_START)?)
}

/// Reads the result of a row, if it is the one in the journal.
///
/// # Errors
/// [`ResultProblem`].
pub fn read_result(folder: &Path, row: u32, digest: Sha256Digest) -> Result<RowResult, ResultProblem> {
    let path = folder.join(RESULTS).join(RowResult::file_name(row));
    let bytes = read_bounded(&Source::File(path), row_result::MAX_BYTES).map_err(|error| match error {
        ReadError::NotFound { .. } => ResultProblem::Missing,
        ReadError::NotAFile { .. } | ReadError::IsDirectory { .. } => ResultProblem::NotAFile,
        ReadError::TooLarge { .. } => ResultProblem::OtherContent,
        _ => ResultProblem::Unreadable,
    })?;
    if Sha256Digest::of(&bytes) != digest {
        return Err(ResultProblem::OtherContent);
    }
    RowResult::parse(&bytes).map_err(|_| ResultProblem::NotAResult)
}

/// What a row's result must name.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The row.
    pub row: u32,
    /// Its nonce.
    pub nonce: Nonce,
    /// Its validator, not decoded.
    pub public_key: [u8; PublicKey::BYTES],
}

impl From<&Row> for Wanted {
    fn from(row: &Row) -> Self {
        Self { row: row.row, nonce: row.nonce, public_key: row.public_key }
    }
}

/// The work of all shards that were found.
#[derive(Debug)]
pub struct AllWork {
    /// The hash of the plan that it is the work of.
    pub plan: Sha256Digest,
    /// The folders of shards.
    pub folders: Vec<PathBuf>,
    /// Which shards of how many they are, as a journal says it. Of results without such a journal, their folder's name.
    pub shards: HashSet<(u32, u32)>,
    /// Folders with results, of which no line of a journal says to what plan they belong.
    pub unopened: Vec<PathBuf>,
    /// Folders that were named under several names: another name, and the one it was read as.
    pub same: Vec<(PathBuf, PathBuf)>,
    /// By row: what is said, and in which folder.
    pub rows: HashMap<u32, (RowState, u16)>,
    /// The other folders that have the same result of a row.
    copies: HashMap<u32, Vec<u16>>,
    /// What other plans have taken from this one, the lowest nonces first.
    pub superseded: Vec<Superseded>,
    /// The journals before they were read, by folder.
    journals: Vec<Option<FileState>>,
    /// When the plans that have taken rows were made.
    pub made_at: HashMap<Sha256Digest, String>,
    /// Damaged lines, by folder.
    pub damaged: Vec<(PathBuf, u64)>,
    /// Lines of journals that do not say whose they are, by folder.
    pub unclaimed: Vec<(PathBuf, Unclaimed)>,
    /// When the last entry was written.
    pub last: Option<String>,
}

impl AllWork {
    /// Reads the journals of all shards below these folders. Their order does not matter: a row that is done anywhere is
    /// done. A shard that was never begun is none, though a run that was refused may have made its folder.
    ///
    /// # Errors
    /// [`ShardError`]; a row with two different results is one.
    pub fn read(work: &[PathBuf], plan: &LoadedPlan) -> Result<Self, ShardError> {
        Self::read_of(work, plan.hash)
    }

    fn read_of(work: &[PathBuf], plan: Sha256Digest) -> Result<Self, ShardError> {
        let (folders, same) = find_folders(work)?;
        let mut all = Self {
            plan,
            folders: Vec::with_capacity(folders.len()),
            shards: HashSet::new(),
            unopened: Vec::new(),
            same,
            journals: Vec::new(),
            rows: HashMap::new(),
            copies: HashMap::new(),
            superseded: Vec::new(),
            made_at: HashMap::new(),
            damaged: Vec::new(),
            unclaimed: Vec::new(),
            last: None,
        };
        for folder in folders {
            let journal = FileState::of(&folder.join(journal::FILE_NAME));
            let state = read_state(&folder, plan)?;
            if state.opened.is_none() {
                match (has_results(&folder)?, state.is_blank) {
                    (true, _) => all.unopened.push(folder.clone()),
                    (false, true) => continue,
                    (false, false) => {}
                }
            }
            let own = u16::try_from(all.folders.len()).unwrap_or(u16::MAX);
            all.folders.push(folder.clone());
            all.journals.push(journal);
            all.damaged.extend(state.damaged.iter().map(|line| (folder.clone(), *line)));
            all.unclaimed.extend(state.unclaimed.map(|lines| (folder.clone(), lines)));
            all.last = all.last.take().max(state.last);
            all.shards.extend(state.opened.or_else(|| shard_named(&folder)));
            for (taken, at) in state.superseded {
                all.made_at.insert(taken.by, at);
                all.superseded.push(taken);
            }
            for (row, found) in state.rows {
                match (all.rows.get(&row), &found) {
                    (Some((RowState::Done(earlier), other)), RowState::Done(digest)) if earlier != digest => {
                        let other = all.folders.get(usize::from(*other)).cloned().unwrap_or_default();
                        let (one, other) = if folder < other { (folder, other) } else { (other, folder) };
                        return Err(ShardError::TwoResults { row, one, other });
                    }
                    (Some((RowState::Done(_), _)), RowState::Done(_)) => all.copies.entry(row).or_default().push(own),
                    (Some((RowState::Done(_), _)), RowState::Refused(_)) => {}
                    _ => {
                        all.rows.insert(row, (found, own));
                    }
                }
            }
        }
        if all.folders.is_empty() {
            return Err(ShardError::NoWork(work.first().cloned().unwrap_or_default()));
        }
        all.superseded.sort_by_key(|taken| (taken.network, taken.owner, taken.from, taken.by.to_string()));
        all.superseded.dedup();
        Ok(all)
    }

    /// The result of a row that is done, if it is what the journal says and names this row's validator and nonce; `None`
    /// for a row that is not done. Where several folders have it, one whole copy is enough. Its shares and its signature
    /// are not judged here: the copies have one digest, and would be judged alike.
    #[must_use]
    pub fn result(&self, of: &Wanted) -> Option<Result<RowResult, ResultProblem>> {
        let (RowState::Done(digest), folder) = self.rows.get(&of.row)? else { return None };
        let copies = self.copies.get(&of.row).map(Vec::as_slice).unwrap_or_default();
        let mut problem = ResultProblem::Missing;
        for folder in std::iter::once(folder).chain(copies) {
            let folder = self.folders.get(usize::from(*folder))?;
            match read_result(folder, of.row, *digest).and_then(|result| self.must_be_of(of, result)) {
                Ok(result) => return Some(Ok(result)),
                // A file that is not right says more than one that is not there.
                Err(other) if problem == ResultProblem::Missing => problem = other,
                Err(_) => {}
            }
        }
        Some(Err(problem))
    }

    /// Whether another plan has taken rows of an owner up to this nonce since the journals were read.
    ///
    /// # Errors
    /// [`ShardError`] where a journal has changed and cannot be read any more.
    pub(super) fn taken_since(
        &self,
        (network, owner): (Network, Address),
        last: Nonce,
    ) -> Result<Option<Superseded>, ShardError> {
        for (folder, before) in self.folders.iter().zip(&self.journals) {
            if FileState::of(&folder.join(journal::FILE_NAME)) == *before {
                continue;
            }
            let now = read_state(folder, self.plan)?.superseded;
            let is_new = |(taken, _): &&(Superseded, String)| {
                taken.takes(network, owner, last) && !self.superseded.contains(taken)
            };
            if let Some((taken, _)) = now.iter().find(is_new) {
                return Ok(Some(*taken));
            }
        }
        Ok(None)
    }

    fn must_be_of(&self, of: &Wanted, result: RowResult) -> Result<RowResult, ResultProblem> {
        let is_own = result.plan == self.plan
            && result.row == of.row
            && result.nonce == of.nonce
            && result.public_key == of.public_key;
        if is_own { Ok(result) } else { Err(ResultProblem::OtherRow) }
    }
}

/// Refuses folders in or directly below which there is no work of a batch.
///
/// # Errors
/// [`ShardError::NoWork`], [`ShardError::Read`].
pub fn must_have_work(work: &[PathBuf]) -> Result<(), ShardError> {
    find_folders(work).map(drop)
}

/// Folders of shards, each under one name; and the other names under which some were found, with that one.
type Folders = (Vec<PathBuf>, Vec<(PathBuf, PathBuf)>);

/// The folders of shards at, or directly below, these ones.
fn find_folders(work: &[PathBuf]) -> Result<Folders, ShardError> {
    let mut folders = Vec::new();
    for path in work {
        let entries = list_dir(path)?;
        let before = folders.len();
        if entries.iter().any(|entry| entry.name == journal::FILE_NAME && entry.kind == EntryKind::File) {
            folders.push(path.clone());
        }
        let shards = entries.into_iter().filter(|entry| entry.kind == EntryKind::Dir);
        folders.extend(shards.filter(|entry| entry.name.starts_with(FOLDER_START)).map(|entry| entry.path));
        if folders.len() == before {
            return Err(ShardError::NoWork(path.clone()));
        }
    }
    folders.sort();
    folders.dedup();
    // One folder has many paths: `work`, `./work`, a link. It must not stand beside itself, nor wait for its own lock.
    let mut known: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut same = Vec::new();
    folders.retain(|path| {
        let Some(identity) = identity(path) else { return true };
        let first = known.entry(identity).or_insert_with(|| path.clone());
        if first != path {
            same.push((path.clone(), first.clone()));
        }
        first == path
    });
    Ok((folders, same))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test writes journals as another run would")]
mod tests {
    use super::*;

    /// Also by a journal of the same length, in the same file or in another of its name.
    #[test]
    fn what_is_taken_after_the_work_was_read_is_seen() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("shard-1-of-1");
        std::fs::create_dir(&folder).unwrap();
        let journal = folder.join(journal::FILE_NAME);
        let plan = Sha256Digest::of(b"plan");
        let (network, owner) = (Network::Hoodi, Address::from_bytes([7; 20]));
        let taken = Superseded { network, owner, from: Nonce::from(9), by: Sha256Digest::of(b"next") };
        let at = "2026-01-02T03:04:05Z".to_owned();
        let opened = Entry::Opened { plan, shard: 1, of: 1 }.to_line().unwrap();
        let told = Entry::Superseded { rows: taken, at: at.clone() }.to_line().unwrap();
        let refused = |reason: usize| {
            let reason = "x".repeat(reason);
            Entry::Refused { row: 3, code: "password.wrong".to_owned(), reason, at: at.clone() }.to_line().unwrap()
        };
        let other = refused(told.len() - refused(0).len());
        assert_eq!(other.len(), told.len());

        let append = |text: String| std::fs::write(&journal, text).unwrap();
        let replace = |text: String| {
            std::fs::write(outer.path().join("aside"), text).unwrap();
            std::fs::rename(outer.path().join("aside"), &journal).unwrap();
        };
        for (before, write) in
            [(String::new(), &append as &dyn Fn(String)), (other.clone(), &append), (other, &replace)]
        {
            std::fs::write(&journal, format!("{opened}{before}")).unwrap();
            let work = AllWork::read_of(&[outer.path().to_path_buf()], plan).unwrap();
            let since = |last: u16| work.taken_since((network, owner), Nonce::from(last)).unwrap();
            assert_eq!(since(9), None);
            // A file system counts time in steps.
            std::thread::sleep(std::time::Duration::from_millis(20));
            write(format!("{opened}{told}"));
            assert_eq!(since(9), Some(taken));
            assert_eq!(since(8), None);
            // Whoever reads the work now knows it, and is not told again.
            let now = AllWork::read_of(&[outer.path().to_path_buf()], plan).unwrap();
            assert_eq!(now.taken_since((network, owner), Nonce::from(9)).unwrap(), None);
        }
    }
}
