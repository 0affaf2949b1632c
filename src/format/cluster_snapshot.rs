//! Cluster snapshots in files: our own, the subgraph's, ssv-scanner's, the SSV API's, and events.

use dvkey_ceremony::{Address, OperatorId};
use serde::Serialize;

use super::amount::Wei;
use super::contract::call::Asset;
use super::contract::snapshot::Snapshot;
use super::json::{self, Field, FieldError, FieldProblem, Json, JsonError};
use super::network::Network;
use super::operators::{OperatorsError, read_id};
use super::receipt::{ClusterEvent, ReceiptError};
use super::transaction::quantity;

/// The schema of our own file.
pub const SCHEMA: &str = "dvkey.cluster/1";

/// The largest file that is read as a snapshot, in bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// A snapshot, and what its source says it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Whose cluster.
    pub owner: Option<Address>,
    /// Its operators, ascending.
    pub operators: Option<Vec<OperatorId>>,
    /// The chain.
    pub chain_id: Option<u64>,
    /// The contract.
    pub contract: Option<Address>,
    /// What the cluster pays with.
    pub asset: Option<Asset>,
    /// The block that the snapshot is of.
    pub block: Option<u64>,
}

/// Which cluster is meant, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Its operators, ascending; none where they are not known.
    pub operators: &'a [OperatorId],
    /// Whose cluster.
    pub owner: Option<Address>,
}

/// Why a file gives no snapshot.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// An operator id is none.
    #[error(transparent)]
    Operator(#[from] OperatorsError),
    /// An event that cannot be read.
    #[error(transparent)]
    Event(#[from] ReceiptError),
    /// Our own file, of a later version.
    #[error("the schema {0:?} is not known")]
    Schema(String),
    /// The source was asked for a cluster that it does not know.
    #[error("the source knows no such cluster")]
    NoCluster,
    /// Several clusters, and it is not clear which is meant.
    #[error("it holds {0} clusters, and it is not clear which is meant")]
    Several(usize),
    /// The file says one thing twice, and differently.
    #[error("it says one thing about the cluster twice, and differently")]
    Differ,
    /// None of the known shapes.
    #[error("no cluster snapshot was found in it")]
    UnknownShape,
}

/// Our own file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnFile {
    schema: &'static str,
    network: &'static str,
    chain_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
    owner: String,
    operator_ids: Vec<u64>,
    cluster: OwnTuple,
    block: Option<u64>,
    transaction: Option<String>,
    event: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnTuple {
    validator_count: u32,
    network_fee_index: String,
    index: String,
    active: bool,
    balance: String,
}

/// Writes our own file. `network` is what the user said; the contract stands in it only where the event names it.
///
/// # Errors
/// Those of the JSON writer, which strings and integers do not cause.
pub fn write(
    event: &ClusterEvent,
    network: Network,
    block: Option<u64>,
    transaction: Option<&str>,
) -> Result<Vec<u8>, serde_json::Error> {
    let snapshot = &event.cluster;
    let file = OwnFile {
        schema: SCHEMA,
        network: network.name(),
        chain_id: network.chain_id(),
        contract: event.contract.map(|contract| contract.to_checksum()),
        owner: event.owner.to_checksum(),
        operator_ids: event.operators.clone(),
        cluster: OwnTuple {
            validator_count: snapshot.validator_count,
            network_fee_index: snapshot.network_fee_index.to_string(),
            index: snapshot.index.to_string(),
            active: snapshot.active,
            balance: snapshot.balance.get().to_string(),
        },
        block,
        transaction: transaction.map(str::to_owned),
        event: event.name,
    };
    let mut bytes = serde_json::to_vec_pretty(&file)?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl ClusterSnapshot {
    /// Reads a snapshot from any of the known sources. `wanted` picks from a source with several clusters.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn parse(bytes: &[u8], wanted: Wanted<'_>) -> Result<Self, SnapshotError> {
        let document = json::parse(bytes)?;
        Self::from_json(&document, wanted)
    }

    fn from_json(document: &Json, wanted: Wanted<'_>) -> Result<Self, SnapshotError> {
        let root = Field::root(document);
        if let Json::Array(_) = document {
            return Self::from_tuple(&root);
        }
        if let Some(schema) = document.get("schema").and_then(Json::as_str) {
            return match schema {
                SCHEMA => {
                    let own = described(&root)?;
                    Ok(Self { snapshot: tuple(&root.get("cluster")?)?, ..own })
                }
                other => Err(SnapshotError::Schema(super::text::shown(other, 60))),
            };
        }
        if ClusterEvent::is_event(document) {
            return Self::from_event(&ClusterEvent::from_json(&root)?);
        }
        // A subgraph's answer, and the library's form of the same.
        let answer = root.optional("data")?.unwrap_or_else(|| root.clone());
        if matches!(answer.value.get("cluster"), Some(Json::Null)) {
            return Err(SnapshotError::NoCluster);
        }
        let block = subgraph_block(&answer)?;
        if let Some(list) = answer.optional("clusters")? {
            let found = pick(&list, wanted)?;
            return Ok(Self { block, ..found });
        }
        // ssv-scanner prints the snapshot twice: by name and as a tuple.
        if let Some(named) = answer.optional("cluster snapshot")? {
            let found = Self::from_tuple(&named)?;
            if let Some(again) = answer.optional("cluster")?
                && tuple(&again)? != found.snapshot
            {
                return Err(SnapshotError::Differ);
            }
            return found.merged(&described(&answer)?);
        }
        if let Some(cluster) = answer.optional("cluster")? {
            let mut found = match cluster.value {
                Json::Object(_) => Self { snapshot: tuple(&cluster)?, ..described(&cluster)? },
                _ => Self::from_tuple(&cluster)?,
            };
            // ssv-scanner as a library says what it was asked for beside the snapshot, and the snapshot again as a text.
            if let Some(payload) = answer.optional("payload")? {
                found = found.merged(&described(&payload)?)?;
                let again = payload.optional("Data")?.map(|again| again.text()).transpose()?;
                if again.is_some_and(|again| again != listed(&found.snapshot)) {
                    return Err(SnapshotError::Differ);
                }
            }
            let found = found.merged(&described(&answer)?)?;
            return Ok(Self { block: block.or(found.block), ..found });
        }
        if answer.value.get("validatorCount").is_some() {
            return Ok(Self { snapshot: tuple(&answer)?, ..described(&answer)? });
        }
        Err(SnapshotError::UnknownShape)
    }

    fn from_tuple(cluster: &Field<'_>) -> Result<Self, SnapshotError> {
        Ok(Self { snapshot: tuple(cluster)?, ..NOTHING_KNOWN })
    }

    /// What two places of one source say of a cluster, together.
    fn merged(self, other: &Self) -> Result<Self, SnapshotError> {
        fn both<T: Clone + PartialEq>(one: Option<T>, other: &Option<T>) -> Result<Option<T>, SnapshotError> {
            match (one, other) {
                (Some(one), Some(other)) if one != *other => Err(SnapshotError::Differ),
                (one, other) => Ok(one.or_else(|| other.clone())),
            }
        }
        Ok(Self {
            snapshot: self.snapshot,
            owner: both(self.owner, &other.owner)?,
            operators: both(self.operators, &other.operators)?,
            chain_id: both(self.chain_id, &other.chain_id)?,
            contract: both(self.contract, &other.contract)?,
            asset: both(self.asset, &other.asset)?,
            block: both(self.block, &other.block)?,
        })
    }

    /// The snapshot that an event left.
    ///
    /// # Errors
    /// [`SnapshotError::Operator`] for an operator id of 0.
    pub fn from_event(event: &ClusterEvent) -> Result<Self, SnapshotError> {
        let mut operators = Vec::with_capacity(event.operators.len());
        for id in &event.operators {
            let problem = |problem| OperatorsError::Id { path: "operatorIds".to_owned(), problem };
            operators.push(OperatorId::try_from(*id).map_err(problem)?);
        }
        Ok(Self {
            snapshot: event.cluster,
            owner: Some(event.owner),
            operators: Some(operators),
            contract: event.contract,
            ..NOTHING_KNOWN
        })
    }
}

const NOTHING_KNOWN: ClusterSnapshot = ClusterSnapshot {
    snapshot: Snapshot::NEW,
    owner: None,
    operators: None,
    chain_id: None,
    contract: None,
    asset: None,
    block: None,
};

/// The five values of a snapshot, by name or as the tuple `[validatorCount, networkFeeIndex, index, active, balance]`.
///
/// # Errors
/// [`FieldError`]; nothing is defaulted.
pub(super) fn tuple(cluster: &Field<'_>) -> Result<Snapshot, FieldError> {
    let (count, fee_index, index, active, balance) = match cluster.value {
        Json::Array(_) => match cluster.elements()?.as_slice() {
            [a, b, c, d, e] => (a.clone(), b.clone(), c.clone(), d.clone(), e.clone()),
            other => {
                let found = format!("{} values", other.len());
                return Err(cluster.error(FieldProblem::Unsupported { found, wanted: "a snapshot has five" }));
            }
        },
        _ => (
            cluster.get("validatorCount")?,
            cluster.get("networkFeeIndex")?,
            cluster.get("index")?,
            cluster.get("active")?,
            cluster.get("balance")?,
        ),
    };
    let active = match active.value {
        Json::Bool(active) => *active,
        Json::String(text) if text == "true" => true,
        Json::String(text) if text == "false" => false,
        other => {
            let found = other.kind().to_owned();
            return Err(active.error(FieldProblem::Kind { wanted: "true or false", found }));
        }
    };
    let bounded = |field: &Field<'_>, most: u64| -> Result<u64, FieldError> {
        let value = quantity(field)?;
        u64::try_from(value).ok().filter(|value| *value <= most).ok_or_else(|| {
            let wanted = if most == u64::MAX { "a number below 2^64" } else { "a number below 2^32" };
            field.error(FieldProblem::Kind { wanted, found: value.to_string() })
        })
    };
    Ok(Snapshot {
        validator_count: u32::try_from(bounded(&count, u32::MAX.into())?).unwrap_or(u32::MAX),
        network_fee_index: bounded(&fee_index, u64::MAX)?,
        index: bounded(&index, u64::MAX)?,
        active,
        balance: Wei::new(quantity(&balance)?),
    })
}

/// What a source says about the cluster besides the five values.
fn described(cluster: &Field<'_>) -> Result<ClusterSnapshot, SnapshotError> {
    let owner = match cluster.any_of(&["owner", "ownerAddress", "Owner"])? {
        Some(owner) if matches!(owner.value, Json::Object(_)) => super::transaction::address(&owner, "id")?,
        Some(owner) => super::transaction::address(cluster, owner.path().rsplit('.').next().unwrap_or("owner"))?,
        None => None,
    };
    let mut operators = None;
    if let Some(list) = cluster.any_of(&["operatorIds", "operators", "Operators"])? {
        let mut ids = Vec::new();
        if let Json::String(text) = list.value {
            // ssv-scanner joins them.
            for id in text.split(',') {
                let problem = |problem| OperatorsError::Id { path: list.path().to_owned(), problem };
                ids.push(id.trim().parse().map_err(problem)?);
            }
        } else {
            for element in list.elements()? {
                let id = match element.value {
                    Json::Object(_) => element.get("id")?,
                    _ => element,
                };
                ids.push(read_id(&id)?);
            }
        }
        ids.sort_unstable();
        operators = Some(ids);
    }
    let asset = match cluster.optional("feeAsset")? {
        None => None,
        Some(asset) => match asset.value {
            Json::String(text) if text.eq_ignore_ascii_case("ssv") => Some(Asset::Ssv),
            Json::String(text) if text.eq_ignore_ascii_case("eth") => Some(Asset::Eth),
            _ => None,
        },
    };
    let whole = |names: &[&str]| cluster.any_of(names)?.map(|field| field.integer()).transpose();
    Ok(ClusterSnapshot {
        owner,
        operators,
        chain_id: whole(&["chainId"])?,
        contract: super::transaction::address(cluster, "contract")?,
        asset,
        block: whole(&["block", "Block"])?,
        ..NOTHING_KNOWN
    })
}

/// The one cluster of a list, or the one that is meant: of several, only one that names the operators that are wanted, and
/// no other owner, is the one.
fn pick(list: &Field<'_>, wanted: Wanted<'_>) -> Result<ClusterSnapshot, SnapshotError> {
    let elements = list.elements()?;
    let asked = !wanted.operators.is_empty() || wanted.owner.is_some();
    let mut matching = Vec::new();
    for element in &elements {
        let cluster = described(element)?;
        let owner = match (cluster.owner, wanted.owner) {
            (Some(found), Some(wanted)) => found == wanted,
            (None, Some(_)) => !wanted.operators.is_empty(),
            (_, None) => true,
        };
        let operators = wanted.operators.is_empty() || cluster.operators.as_deref() == Some(wanted.operators);
        if elements.len() == 1 || (asked && owner && operators) {
            matching.push((cluster, element));
        }
    }
    match matching.as_slice() {
        [(cluster, element)] => Ok(ClusterSnapshot { snapshot: tuple(element)?, ..cluster.clone() }),
        [] if elements.is_empty() || asked => Err(SnapshotError::NoCluster),
        [] => Err(SnapshotError::Several(elements.len())),
        several => Err(SnapshotError::Several(several.len())),
    }
}

/// The five values as ssv-scanner joins them.
fn listed(snapshot: &Snapshot) -> String {
    let Snapshot { validator_count, network_fee_index, index, active, balance } = snapshot;
    format!("{validator_count},{network_fee_index},{index},{active},{}", balance.get())
}

fn subgraph_block(answer: &Field<'_>) -> Result<Option<u64>, FieldError> {
    let Some(meta) = answer.optional("_meta")? else { return Ok(None) };
    let Some(block) = meta.optional("block")? else { return Ok(None) };
    block.optional("number")?.map(|number| number.integer()).transpose()
}
