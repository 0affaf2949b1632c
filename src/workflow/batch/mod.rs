//! Batches: a manifest becomes a plan that never changes; workers do its rows, in any number and any order, again after
//! every crash; what they made is merged into one keyshares file for each cluster.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | checks a manifest and freezes it |
//! | [`run`] | does the rows of one shard, each written and journaled when it is done |
//! | [`shard`] | the folder of a shard: its journal and its results, judged |
//! | [`status`] | what is done, pending and refused |
//! | [`merge`] | keyshares for each cluster, up to the first gap of its owner |
//! | [`compact`] | a new plan that closes gaps, by decision and never silently |

pub mod compact;
pub mod earlier;
mod finish;
pub mod merge;
mod merged_file;
pub mod others;
pub mod plan;
mod result;
pub mod run;
pub mod shard;
pub mod status;
mod strangers;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use dvkey_ceremony::OperatorId;

pub use result::ResultProblem;
pub use writer::WritePlanError;

use crate::crypto::digest::Sha256Digest;
use crate::format::network::Network;
use crate::format::operators::{Cluster, Operator, OperatorList, OperatorsError};
use crate::format::plan::{self as plan_file, Header, Input, Item, PlannedCluster, Progress, Row};
use crate::store::lines::Lines;
use crate::store::read::ReadError;

/// A plan that was read as a whole, and is as it was written. Its rows stay on the disk.
#[derive(Debug)]
pub struct LoadedPlan {
    path: PathBuf,
    /// The first line.
    pub header: Header,
    /// The files of operators that it was made from.
    pub inputs: Vec<Input>,
    /// The clusters, by number.
    pub clusters: Vec<PlanCluster>,
    /// How many rows it has.
    pub rows: u32,
    /// Its hash.
    pub hash: Sha256Digest,
    /// The folder that its paths are relative to.
    pub base: PathBuf,
}

/// A cluster of a plan.
#[derive(Debug)]
pub struct PlanCluster {
    /// The operators with their keys.
    pub cluster: Cluster,
    /// The same as a list, to judge results by.
    pub list: OperatorList,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A line is wrong.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The plan.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: plan_file::PlanError,
    },
    /// A cluster cannot be used.
    #[error("{}: line {line}: {problem}", path.display())]
    Operators {
        /// The plan.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: OperatorsError,
    },
    /// A key is not the one that its fingerprint says.
    #[error("{}: line {line}: the key of operator {operator} has another fingerprint", path.display())]
    Fingerprint {
        /// The plan.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Whose key.
        operator: u64,
    },
    /// Two clusters have different keys for one operator of a network: one of them is not the operator's.
    #[error("{}: line {line}: operator {operator} on {network} has another key here than in an earlier line", path.display())]
    TwoKeys {
        /// The plan.
        path: PathBuf,
        /// The line of the first row that has the second key.
        line: u64,
        /// Whose keys.
        operator: u64,
        /// The network.
        network: Network,
    },
    /// It was replaced or changed while it was being used.
    #[error("{}: the plan was changed while it was used", .0.display())]
    ChangedMeanwhile(PathBuf),
}

impl LoadedPlan {
    /// Reads a plan and proves that it is as it was written. Its paths are relative to `base`, or else to the folder that
    /// the plan names.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(path: &Path, base: Option<&Path>) -> Result<Self, LoadError> {
        let mut lines = Lines::open(path, plan_file::MAX_LINE)?;
        let mut progress = Progress::default();
        let (mut header, mut inputs, mut clusters, mut end) = (None, Vec::new(), Vec::new(), None);
        let failed = |line: u64, problem| LoadError::Line { path: path.to_path_buf(), line, problem };
        // The hash shows a change, and not who made the plan: what no plan of this program holds is refused all the same.
        let (mut nonces, mut validators) = (HashSet::new(), HashSet::new());
        let mut keys = OperatorKeys::default();
        let mut number = 0;
        while let Some(line) = lines.next_line()? {
            number = line.number;
            let item = progress.read(line.bytes).map_err(|problem| failed(number, problem))?;
            if !line.ended {
                return Err(failed(number, plan_file::PlanError::Truncated));
            }
            match item {
                Item::Header(first) => header = Some(first),
                Item::Input(input) => inputs.push(input),
                Item::Cluster(cluster) => clusters.push(usable(path, number, cluster)?),
                Item::Row(row) => {
                    let (owner, nonce) = (row.owner, row.nonce);
                    if !nonces.insert((row.network, owner, nonce)) {
                        return Err(failed(number, plan_file::PlanError::NonceTwice { nonce, owner }));
                    }
                    if !validators.insert(row.public_key) {
                        return Err(failed(number, plan_file::PlanError::ValidatorTwice));
                    }
                    if let Some(operator) = keys.other_key(&row, &clusters) {
                        let (path, network) = (path.to_path_buf(), row.network);
                        return Err(LoadError::TwoKeys { path, line: number, operator: operator.get(), network });
                    }
                }
                Item::End { hash, .. } => end = Some(hash),
            }
        }
        progress.must_be_complete().map_err(|problem| failed(number, problem))?;
        let (Some(header), Some(hash)) = (header, end) else {
            return Err(failed(number, plan_file::PlanError::Truncated));
        };
        let base = match base {
            Some(base) => base.to_path_buf(),
            None if header.base == "." => path.parent().unwrap_or(Path::new("")).to_path_buf(),
            None => path.parent().unwrap_or(Path::new("")).join(&header.base),
        };
        Ok(Self { path: path.to_path_buf(), header, inputs, clusters, rows: progress.rows(), hash, base })
    }

    /// The plan's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rows, one at a time.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn rows(&self) -> Result<Rows<'_>, LoadError> {
        let lines = Lines::open(&self.path, plan_file::MAX_LINE)?;
        Ok(Rows { plan: self, lines, progress: Progress::default(), is_at_end: false })
    }

    /// The cluster of a row.
    ///
    /// # Errors
    /// [`LoadError::ChangedMeanwhile`], since every row of the plan that was loaded has one.
    pub fn cluster(&self, row: &Row) -> Result<&PlanCluster, LoadError> {
        let number = usize::try_from(row.cluster).unwrap_or(usize::MAX);
        self.clusters.get(number).ok_or_else(|| self.changed())
    }

    /// Where the keystore of a row is.
    #[must_use]
    pub fn keystore_path(&self, row: &Row) -> PathBuf {
        self.base.join(&row.keystore)
    }

    fn changed(&self) -> LoadError {
        LoadError::ChangedMeanwhile(self.path.clone())
    }
}

fn usable(path: &Path, line: u64, planned: PlannedCluster) -> Result<PlanCluster, LoadError> {
    let failed = |problem| LoadError::Operators { path: path.to_path_buf(), line, problem };
    let fingerprints: Vec<_> = planned.operators.iter().map(|operator| operator.fingerprint).collect();
    let list = OperatorList::from_entries(planned.operators.into_iter().map(|operator| (operator.id, operator.key)))
        .map_err(failed)?;
    let cluster = list.pick(None).map_err(failed)?;
    for (operator, fingerprint) in cluster.operators().iter().zip(fingerprints) {
        if operator.key.key.fingerprint() != fingerprint {
            return Err(LoadError::Fingerprint { path: path.to_path_buf(), line, operator: operator.id.get() });
        }
    }
    Ok(PlanCluster { cluster, list })
}

/// The keys of the operators on each network, as the clusters of rows have them.
#[derive(Default)]
struct OperatorKeys {
    seen: HashSet<(Network, u32)>,
    keys: HashMap<(Network, OperatorId), Sha256Digest>,
}

impl OperatorKeys {
    /// An operator that has another key in this row's cluster than in an earlier row's.
    fn other_key(&mut self, row: &Row, clusters: &[PlanCluster]) -> Option<OperatorId> {
        if !self.seen.insert((row.network, row.cluster)) {
            return None;
        }
        let cluster = clusters.get(usize::try_from(row.cluster).ok()?)?;
        let differs = |operator: &&Operator| {
            let key = operator.key.key.fingerprint();
            *self.keys.entry((row.network, operator.id)).or_insert(key) != key
        };
        cluster.cluster.operators().iter().find(differs).map(|operator| operator.id)
    }
}

/// The rows of a plan, one at a time; proves once more that the plan is what was loaded.
#[derive(Debug)]
pub struct Rows<'a> {
    plan: &'a LoadedPlan,
    lines: Lines,
    progress: Progress,
    is_at_end: bool,
}

impl Rows<'_> {
    /// The next row, with the place of its line in the file; `None` at the end.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn next_row(&mut self) -> Result<Option<(u64, Row)>, LoadError> {
        let changed = || self.plan.changed();
        while !self.is_at_end {
            let Some(line) = self.lines.next_line()? else { return Err(changed()) };
            match self.progress.read(line.bytes).map_err(|_| changed())? {
                Item::Row(row) => return Ok(Some((line.offset, *row))),
                Item::End { hash, .. } if hash == self.plan.hash => self.is_at_end = true,
                Item::End { .. } => return Err(changed()),
                Item::Header(_) | Item::Input(_) | Item::Cluster(_) => {}
            }
        }
        Ok(None)
    }
}

/// Rows of a plan by the place of their line, for whoever needs them in another order.
#[derive(Debug)]
pub struct RowsByPlace<'a> {
    plan: &'a LoadedPlan,
    lines: Lines,
}

impl<'a> RowsByPlace<'a> {
    /// Opens the plan once more.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn open(plan: &'a LoadedPlan) -> Result<Self, LoadError> {
        Ok(Self { plan, lines: Lines::open(&plan.path, plan_file::MAX_LINE)? })
    }

    /// The row whose line starts there.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn at(&mut self, place: u64) -> Result<Row, LoadError> {
        self.lines.go_to(place)?;
        let line = self.lines.next_line()?;
        line.and_then(|line| Progress::read_row_again(line.bytes).ok()).ok_or_else(|| self.plan.changed())
    }
}

/// Which rows are whose: row r belongs to the shard whose number is r modulo the number of shards, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

/// A shard that there is not.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no shard {number} of {of}; shards are counted from 1")]
pub struct NoSuchShard {
    /// The number.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

impl Shard {
    /// All rows.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Shard `number` of `of`, from 1.
    ///
    /// # Errors
    /// [`NoSuchShard`].
    pub fn new(number: u32, of: u32) -> Result<Self, NoSuchShard> {
        if number == 0 || number > of { Err(NoSuchShard { number, of }) } else { Ok(Self { number, of }) }
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether a row belongs to it.
    #[must_use]
    pub fn has(self, row: u32) -> bool {
        row % self.of == self.number - 1
    }

    /// How many of `rows` rows belong to it.
    #[must_use]
    pub fn rows(self, rows: u32) -> u32 {
        rows / self.of + u32::from(rows % self.of >= self.number)
    }

    /// The name of its folder.
    #[must_use]
    pub fn folder(self) -> String {
        format!("{FOLDER_START}{}-of-{}", self.number, self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// How the names of shards' folders start.
const FOLDER_START: &str = "shard-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_shard() {
        for of in 1..=7 {
            let shards: Vec<_> = (1..=of).map(|number| Shard::new(number, of).unwrap()).collect();
            for rows in 0..40 {
                for row in 0..rows {
                    assert_eq!(shards.iter().filter(|shard| shard.has(row)).count(), 1);
                }
                for shard in &shards {
                    let own = (0..rows).filter(|row| shard.has(*row)).count();
                    assert_eq!(own, usize::try_from(shard.rows(rows)).unwrap());
                }
            }
        }
        assert_eq!(Shard::new(0, 3), Err(NoSuchShard { number: 0, of: 3 }));
        assert_eq!(Shard::new(4, 3), Err(NoSuchShard { number: 4, of: 3 }));
        assert_eq!(Shard::new(1, 0), Err(NoSuchShard { number: 1, of: 0 }));
    }
}
