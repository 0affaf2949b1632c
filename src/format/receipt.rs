//! Receipts and events: which snapshot a transaction left of each cluster.

use alloy_primitives::B256;
use alloy_sol_types::{SolEvent, SolEventInterface};
use dvkey_ceremony::Address;

use super::contract::MAX_CALLDATA;
use super::contract::interface::SsvNetwork::SsvNetworkEvents as Sol;
use super::contract::snapshot::{AmountTooLarge, Snapshot};
use super::json::{Field, FieldError, FieldProblem, Json};
use super::transaction::{address, quantity};

/// The largest file that is read as a receipt, in bytes: 86 registrations with their logs fit ten times.
pub const MAX_BYTES: u64 = 16 << 20;

/// The events of the contract that carry a snapshot.
pub const EVENTS: [&str; 8] = [
    "ValidatorAdded",
    "ValidatorRemoved",
    "ClusterDeposited",
    "ClusterWithdrawn",
    "ClusterLiquidated",
    "ClusterReactivated",
    "ClusterMigratedToETH",
    "ClusterBalanceUpdated",
];

/// What the contract said about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterEvent {
    /// Its name.
    pub name: &'static str,
    /// Which contract said it, where that is known.
    pub contract: Option<Address>,
    /// Whose cluster.
    pub owner: Address,
    /// Its operators.
    pub operators: Vec<u64>,
    /// What is left of it.
    pub cluster: Snapshot,
    /// Where it stands in the chain, where that is known.
    pub place: Option<Place>,
}

/// Where an event stands in the chain. The index of a log counts through its whole block, so that it orders the
/// transactions of the block, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The block.
    pub block: u64,
    /// The log.
    pub log: u64,
    /// The transaction in its block, where it is given.
    pub transaction: Option<u64>,
}

/// The receipt of a transaction that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The hash of the transaction, as written.
    pub transaction: Option<String>,
    /// The block.
    pub block: Option<u64>,
    /// The events with a snapshot, in the order of the chain.
    pub events: Vec<ClusterEvent>,
}

/// Why a document gives no snapshot.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiptError {
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The node knows no receipt: the transaction is not in a block.
    #[error("there is no receipt yet: the transaction is in no block")]
    Pending,
    /// The transaction was undone.
    #[error("the transaction failed: it changed nothing, and used no registration nonce")]
    Failed,
    /// Neither yes nor no.
    #[error("the receipt does not say whether the transaction succeeded")]
    NoStatus,
    /// No event with a snapshot.
    #[error("no event in it is about a cluster of the SSV contract")]
    NoEvent,
    /// An event of another name.
    #[error("{0:?} is no event about a cluster")]
    OtherEvent(String),
    /// Only logs of other contracts.
    #[error("the events in it are of other contracts")]
    OtherContract,
    /// The topic is known, the rest does not follow.
    #[error("the event {0} cannot be read")]
    Event(String),
    /// Several events, and one does not say where it stands.
    #[error("there are several events about the cluster, and not all of them say their blockNumber and logIndex")]
    Unordered,
    /// Several events at one place, or logs and transactions in another order.
    #[error("the places of the events contradict each other: {0}")]
    Places(String),
    /// The data of a log has bytes that its values do not account for.
    #[error("the event {0} holds bytes that do not belong to it")]
    Dirty(&'static str),
    /// A log that was taken out of the chain again.
    #[error("a log was removed by a reorganisation of the chain")]
    Removed,
    /// An amount beyond all ether.
    #[error(transparent)]
    Amount(#[from] AmountTooLarge),
}

impl Receipt {
    /// Reads what `eth_getTransactionReceipt` answers, with or without the envelope of JSON-RPC, or what ethers, viem and
    /// web3 make of it. Logs of other contracts are left out when `contract` is given.
    ///
    /// # Errors
    /// [`ReceiptError`]; a receipt of a failed transaction among them.
    pub fn from_json(document: &Json, contract: Option<Address>) -> Result<Self, ReceiptError> {
        let envelope = document.get("jsonrpc").is_some();
        let receipt = match document.get("result") {
            Some(Json::Null) => return Err(ReceiptError::Pending),
            Some(result) => Field::root(result),
            None if envelope || *document == Json::Null => return Err(ReceiptError::Pending),
            None => Field::root(document),
        };
        match receipt.optional("status")?.map(|status| status.value.clone()) {
            None => return Err(ReceiptError::NoStatus),
            Some(Json::Bool(true)) => {}
            Some(Json::String(text)) if ["0x1", "0x01", "1", "success"].contains(&text.as_str()) => {}
            Some(Json::Number(number)) if number.as_u64() == Some(1) => {}
            Some(Json::Bool(false)) => return Err(ReceiptError::Failed),
            Some(Json::String(text)) if ["0x0", "0x00", "0", "reverted"].contains(&text.as_str()) => {
                return Err(ReceiptError::Failed);
            }
            Some(Json::Number(number)) if number.as_u64() == Some(0) => return Err(ReceiptError::Failed),
            Some(_) => return Err(ReceiptError::NoStatus),
        }
        let mut logs = Vec::new();
        for (place, log) in receipt.get("logs")?.elements()?.into_iter().enumerate() {
            // The order is the chain's; libraries that sort otherwise say the index.
            let index = log.any_of(&["logIndex", "index"])?.map(|index| quantity(&index)).transpose()?;
            logs.push((index.unwrap_or(place as u128), log));
        }
        logs.sort_by_key(|(index, _)| *index);
        let mut events = Vec::new();
        for (_, log) in logs {
            let ours = contract.is_none() || address(&log, "address")? == contract;
            if ours && let Some(event) = raw_log(&log)? {
                events.push(event);
            }
        }
        if events.is_empty() {
            return Err(ReceiptError::NoEvent);
        }
        let block = receipt.optional("blockNumber")?.map(|block| quantity(&block)).transpose()?;
        let hash = receipt.any_of(&["transactionHash", "hash"])?.map(|hash| hash.text()).transpose()?;
        Ok(Self {
            transaction: hash.map(|hash| super::text::shown(hash, 80)),
            block: block.and_then(|block| block.try_into().ok()),
            events,
        })
    }

    /// One event about each cluster.
    #[must_use]
    pub fn clusters(&self) -> Vec<&ClusterEvent> {
        let mut clusters: Vec<&ClusterEvent> = Vec::new();
        for event in &self.events {
            if !clusters.iter().any(|known| known.owner == event.owner && known.operators == event.operators) {
                clusters.push(event);
            }
        }
        clusters
    }
}

/// Reads one event or a list of them, as `eth_getLogs` and the libraries answer: what a reorganisation took back and what is
/// about no cluster is left out of a list, and so are logs of other contracts.
///
/// # Errors
/// [`ReceiptError`].
pub fn events_from_json(document: &Json, contract: Address) -> Result<Vec<ClusterEvent>, ReceiptError> {
    let root = Field::root(document);
    let Json::Array(_) = document else { return Ok(vec![ClusterEvent::from_json(&root)?]) };
    let mut events = Vec::new();
    let mut others = false;
    for element in root.elements()? {
        match ClusterEvent::from_json(&element) {
            Ok(event) if event.contract.is_none_or(|named| named == contract) => events.push(event),
            Ok(_) => others = true,
            Err(ReceiptError::Removed | ReceiptError::NoEvent) => {}
            // An event without a snapshot changes none; one that is not known and has one may be the last about the cluster.
            Err(ReceiptError::OtherEvent(name)) => {
                let arguments = element.any_of(&["args", "returnValues"])?;
                if arguments.is_some_and(|arguments| arguments.value.get("cluster").is_some()) {
                    return Err(ReceiptError::OtherEvent(name));
                }
            }
            Err(error) => return Err(error),
        }
    }
    match events.is_empty() {
        true if others => Err(ReceiptError::OtherContract),
        true => Err(ReceiptError::NoEvent),
        false => Ok(events),
    }
}

/// The last of several events about one cluster, by the places that they state: the order in a file means nothing.
///
/// # Errors
/// [`ReceiptError::Unordered`], [`ReceiptError::Places`]; [`ReceiptError::NoEvent`] for none.
pub fn last_of<'e>(events: &[&'e ClusterEvent]) -> Result<&'e ClusterEvent, ReceiptError> {
    if let [only] = events {
        return Ok(only);
    }
    let mut placed = Vec::with_capacity(events.len());
    for event in events {
        placed.push((event.place.ok_or(ReceiptError::Unordered)?, *event));
    }
    placed.sort_by_key(|(place, _)| *place);
    for pair in placed.windows(2) {
        let [(before, one), (after, other)] = pair else { continue };
        let same = (before.block, before.log) == (after.block, after.log);
        if same && one != other {
            let place = format!("two stand in block {} as log {}", before.block, before.log);
            return Err(ReceiptError::Places(place));
        }
        if before.block == after.block
            && let (Some(earlier), Some(later)) = (before.transaction, after.transaction)
            && earlier > later
        {
            let place = format!("in block {} a later log is of an earlier transaction", before.block);
            return Err(ReceiptError::Places(place));
        }
    }
    placed.last().map(|(_, event)| *event).ok_or(ReceiptError::NoEvent)
}

impl ClusterEvent {
    /// Whether a document looks like an event: a raw log, or one that a library decoded.
    #[must_use]
    pub fn is_event(document: &Json) -> bool {
        (document.get("topics").is_some() && document.get("data").is_some())
            || ["args", "returnValues"].iter().any(|name| document.get(name).is_some())
    }

    /// Reads one event: a log as the node gives it, or decoded by ethers (`name`, `args`), viem (`eventName`, `args`) or
    /// web3 (`event`, `returnValues`).
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn from_json(event: &Field<'_>) -> Result<Self, ReceiptError> {
        stands(event)?;
        let Some(arguments) = event.any_of(&["args", "returnValues"])? else {
            return raw_log(event)?.ok_or(ReceiptError::NoEvent);
        };
        let named = event.any_of(&["eventName", "name", "event", "fragment"])?;
        let named = named.ok_or_else(|| event.missing("eventName"))?;
        let text = match named.value {
            Json::Object(_) => named.get("name")?.text()?,
            _ => named.text()?,
        };
        let text = text.split('(').next().unwrap_or_default();
        let name = EVENTS.into_iter().find(|name| *name == text);
        let name = name.ok_or_else(|| ReceiptError::OtherEvent(super::text::shown(text, 60)))?;
        let (owner, operators, cluster) = match arguments.value {
            Json::Array(_) => match arguments.elements()?.as_slice() {
                [owner, operators, .., cluster] => (owner.clone(), operators.clone(), cluster.clone()),
                _ => return Err(arguments.error(FieldProblem::Missing).into()),
            },
            _ => (
                arguments.any_of(&["owner", "0"])?.ok_or_else(|| arguments.missing("owner"))?,
                arguments.any_of(&["operatorIds", "1"])?.ok_or_else(|| arguments.missing("operatorIds"))?,
                arguments.get("cluster")?,
            ),
        };
        let parsed = owner.text()?.parse().map_err(|_| {
            let found = owner.text().unwrap_or_default().chars().take(50).collect();
            owner.error(FieldProblem::Unsupported { found, wanted: "an address is 0x and 40 hexadecimal digits" })
        })?;
        let mut ids = Vec::new();
        for id in operators.elements()? {
            let number = quantity(&id)?;
            let too_large = || id.error(FieldProblem::Kind { wanted: "an operator id", found: number.to_string() });
            ids.push(u64::try_from(number).map_err(|_| too_large())?);
        }
        let cluster = super::cluster_snapshot::tuple(&cluster)?;
        let (contract, place) = (address(event, "address")?, place(event)?);
        Ok(Self { name, contract, owner: parsed, operators: ids, cluster, place })
    }
}

/// A log that was taken back says so by a boolean, or by its name as a text; anything else is neither yes nor no.
fn stands(log: &Field<'_>) -> Result<(), ReceiptError> {
    let Some(removed) = log.optional("removed")? else { return Ok(()) };
    match removed.value {
        Json::Bool(false) => Ok(()),
        Json::String(text) if text == "false" => Ok(()),
        Json::Bool(true) => Err(ReceiptError::Removed),
        Json::String(text) if text == "true" => Err(ReceiptError::Removed),
        other => {
            let found = other.kind().to_owned();
            Err(removed.error(FieldProblem::Kind { wanted: "true or false", found }).into())
        }
    }
}

/// Where a log stands, when it gives its block and its index there.
fn place(log: &Field<'_>) -> Result<Option<Place>, FieldError> {
    let number = |names: &[&str]| -> Result<Option<u64>, FieldError> {
        let Some(field) = log.any_of(names)? else { return Ok(None) };
        let number = quantity(&field)?;
        let too_large = || field.error(FieldProblem::Kind { wanted: "a number below 2^64", found: number.to_string() });
        u64::try_from(number).map(Some).map_err(|_| too_large())
    };
    let (block, index) = (number(&["blockNumber"])?, number(&["logIndex", "index"])?);
    let transaction = number(&["transactionIndex"])?;
    Ok(block.zip(index).map(|(block, index)| Place { block, log: index, transaction }))
}

/// Reads a log; `None` for an event that carries no snapshot.
fn raw_log(log: &Field<'_>) -> Result<Option<ClusterEvent>, ReceiptError> {
    stands(log)?;
    let mut topics = Vec::new();
    for topic in log.get("topics")?.elements()? {
        topics.push(B256::from(topic.hex::<32>()?));
    }
    let Some(first) = topics.first() else { return Ok(None) };
    let Some((name, _)) = topics_of().into_iter().find(|(_, topic)| topic == first) else { return Ok(None) };
    let data = log.get("data")?.hex_up_to(MAX_CALLDATA)?;
    let event = Sol::decode_raw_log(&topics, &data).map_err(|_| ReceiptError::Event(name.to_owned()))?;
    // The contract writes each value once and nothing behind; what else decodes was not written by it.
    macro_rules! parts {
        ($event:expr) => {{
            let again = $event.encode_log_data();
            if again.topics() != topics.as_slice() || *again.data != *data {
                return Err(ReceiptError::Dirty(name));
            }
            ($event.owner, $event.operatorIds, $event.cluster)
        }};
    }
    let (owner, operators, cluster) = match event {
        Sol::ValidatorAdded(event) => parts!(event),
        Sol::ValidatorRemoved(event) => parts!(event),
        Sol::ClusterDeposited(event) => parts!(event),
        Sol::ClusterWithdrawn(event) => parts!(event),
        Sol::ClusterLiquidated(event) => parts!(event),
        Sol::ClusterReactivated(event) => parts!(event),
        Sol::ClusterMigratedToETH(event) => parts!(event),
        Sol::ClusterBalanceUpdated(event) => parts!(event),
    };
    Ok(Some(ClusterEvent {
        name,
        contract: address(log, "address")?,
        owner: Address::from_bytes(owner.into_array()),
        operators,
        cluster: cluster.try_into()?,
        place: place(log)?,
    }))
}

/// The events with the hash of their signature, which is the first topic of a log.
#[must_use]
pub fn topics_of() -> [(&'static str, B256); 8] {
    use super::contract::interface::SsvNetwork as sol;
    let [added, removed, deposited, withdrawn, liquidated, reactivated, migrated, updated] = EVENTS;
    [
        (added, sol::ValidatorAdded::SIGNATURE_HASH),
        (removed, sol::ValidatorRemoved::SIGNATURE_HASH),
        (deposited, sol::ClusterDeposited::SIGNATURE_HASH),
        (withdrawn, sol::ClusterWithdrawn::SIGNATURE_HASH),
        (liquidated, sol::ClusterLiquidated::SIGNATURE_HASH),
        (reactivated, sol::ClusterReactivated::SIGNATURE_HASH),
        (migrated, sol::ClusterMigratedToETH::SIGNATURE_HASH),
        (updated, sol::ClusterBalanceUpdated::SIGNATURE_HASH),
    ]
}
