//! Writes a plan line by line, and reads it back before anybody may see it.

use std::collections::HashMap;

use crate::crypto::digest::{Sha256Digest, Sha256Running};
use crate::format::operators::Cluster;
use crate::format::plan::{Header, Input, Item, PlannedCluster, PlannedOperator, Progress, Row};
use crate::store::atomic::Staged;
use crate::store::write_error::WriteError;

/// Why a plan could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WritePlanError {
    /// The disk said no.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A line could not be made.
    #[error("the plan could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// What was read back differs.
    #[error("the plan came back from the disk other than it was written")]
    ReadBack,
}

/// A plan on its way to the disk.
pub(super) struct PlanWriter<'a> {
    staged: &'a mut Staged,
    progress: Progress,
    written: Sha256Running,
    clusters: HashMap<Sha256Digest, u32>,
}

impl<'a> PlanWriter<'a> {
    pub(super) fn start(staged: &'a mut Staged, header: Header) -> Result<Self, WritePlanError> {
        let (progress, written) = (Progress::default(), Sha256Running::default());
        let mut writer = Self { staged, progress, written, clusters: HashMap::new() };
        writer.item(&Item::Header(header))?;
        Ok(writer)
    }

    pub(super) fn input(&mut self, input: Input) -> Result<(), WritePlanError> {
        self.item(&Item::Input(input))
    }

    /// The number of a cluster, written first if it is new.
    pub(super) fn cluster(&mut self, cluster: &Cluster) -> Result<u32, WritePlanError> {
        let operators = cluster.operators().iter().map(|operator| PlannedOperator {
            id: operator.id,
            fingerprint: operator.key.key.fingerprint(),
            key: operator.key.text.clone(),
        });
        let planned = PlannedCluster { operators: operators.collect() };
        let identity = identity(&planned);
        if let Some(number) = self.clusters.get(&identity) {
            return Ok(*number);
        }
        let number = self.progress.clusters();
        self.item(&Item::Cluster(planned))?;
        self.clusters.insert(identity, number);
        Ok(number)
    }

    /// How many rows there are so far, which is the next one's number.
    pub(super) fn rows(&self) -> u32 {
        self.progress.rows()
    }

    pub(super) fn row(&mut self, row: Row) -> Result<(), WritePlanError> {
        self.item(&Item::Row(Box::new(row)))
    }

    /// Writes the last line and reads everything back. Returns the plan's hash.
    pub(super) fn close(mut self) -> Result<Sha256Digest, WritePlanError> {
        let (line, hash) = self.progress.close()?;
        self.line(&line)?;
        self.staged.finish()?;
        if self.staged.digest_back()? == self.written.digest() { Ok(hash) } else { Err(WritePlanError::ReadBack) }
    }

    fn item(&mut self, item: &Item) -> Result<(), WritePlanError> {
        let line = self.progress.write(item)?;
        self.line(&line)
    }

    fn line(&mut self, line: &str) -> Result<(), WritePlanError> {
        self.written.update(line.as_bytes());
        Ok(self.staged.append(line.as_bytes())?)
    }
}

/// What makes two clusters one: the same ids with the same keys.
fn identity(cluster: &PlannedCluster) -> Sha256Digest {
    let mut running = Sha256Running::default();
    for operator in &cluster.operators {
        running.update(&operator.id.get().to_be_bytes());
        running.update(operator.fingerprint.as_bytes());
    }
    running.digest()
}
