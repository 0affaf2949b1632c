//! `dvkey tx next`: the snapshot that a transaction left, for the next call.

use std::path::Path;

use serde_json::json;

use super::deliver::{print_lines, where_to};
use super::words::{self, Line};
use super::{address, operator_ids, read};
use crate::cli::args::tx::NextArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::format::cluster_snapshot::{self, ClusterSnapshot, Wanted};
use crate::format::contract::call::Asset;
use crate::format::json;
use crate::format::network::Network;
use crate::format::receipt::{self, ClusterEvent, Receipt};
use crate::store::output_dir::OutputDir;
use crate::store::read::Source;
use crate::workflow::payload::contract_of;
use crate::workflow::payload::write::{Written, publish};

pub(super) fn run(arguments: &NextArguments, printer: &Printer) -> Result<Exit, Failure> {
    let network: Network = arguments.network.into();
    let path = arguments.receipt.as_deref().or(arguments.event.as_deref()).unwrap_or(Path::new("-"));
    let name = Source::from_arg(path).to_string();
    let bytes = read(path, receipt::MAX_BYTES)?;
    let document = json::parse(&bytes).map_err(|error| Failure::new(Code::TxReceipt, format!("{name}: {error}")))?;
    let receipt = if arguments.receipt.is_some() {
        if ClusterEvent::is_event(&document) {
            return Err(Failure::new(Code::TxReceipt, format!("{name}: this is an event")).hint("give it with --event"));
        }
        Receipt::from_json(&document, Some(contract_of(network)))
    } else {
        receipt::events_from_json(&document, contract_of(network)).map(|events| Receipt {
            transaction: None,
            block: None,
            events,
        })
    };
    let receipt = receipt.map_err(|error| Failure::receipt(&name, &error))?;
    let events = choose(&receipt, arguments)?;
    let event = match events.as_slice() {
        // A receipt was put into the chain's order when it was read.
        [.., last] if arguments.receipt.is_some() => *last,
        _ => receipt::last_of(&events).map_err(|error| Failure::receipt(&name, &error))?,
    };
    if let Some(contract) = event.contract
        && contract != contract_of(network)
    {
        return Err(Failure::new(Code::TxReceipt, format!("{name}: the event is of another contract"))
            .cause(format!("the event is of {contract}, the contract on {network} is {}", contract_of(network))));
    }
    let receipt = Receipt { block: receipt.block.or(event.place.map(|place| place.block)), ..receipt.clone() };
    let written = cluster_snapshot::write(event, network, receipt.block, receipt.transaction.as_deref())
        .map_err(|error| Failure::new(Code::InternalSelfCheck, error.to_string()))?;
    // What is read from the file must be what the event said.
    let read_again = ClusterSnapshot::parse(&written, Wanted::default());
    let said = ClusterSnapshot::from_event(event);
    let same = matches!((&read_again, &said), (Ok(read), Ok(said)) if read.snapshot == said.snapshot
        && read.owner == said.owner && read.operators == said.operators);
    if !same {
        let why = said.err().map_or_else(|| "the snapshot did not survive being written".to_owned(), |e| e.to_string());
        return Err(Failure::new(Code::TxReceipt, format!("{name}: {why}")));
    }
    show(event, &receipt, arguments.receipt.is_some(), network, printer);
    put(arguments, written, printer)
}

/// The events of the one cluster that it is about, or of the one that was asked for.
fn choose<'r>(receipt: &'r Receipt, arguments: &NextArguments) -> Result<Vec<&'r ClusterEvent>, Failure> {
    let owner = arguments.owner.as_deref().map(|text| address("--owner", text)).transpose()?;
    let operators = super::numbers(&operator_ids(&arguments.operator_ids)?);
    let clusters = receipt.clusters();
    let fits = |event: &ClusterEvent| {
        owner.is_none_or(|owner| owner == event.owner) && (operators.is_empty() || operators == event.operators)
    };
    let list = |failure: Failure| {
        clusters.iter().fold(failure, |failure, event| {
            failure.cause(format!("owner {}, operators {}", event.owner, words::listed(&event.operators)))
        })
    };
    match clusters.iter().filter(|event| fits(event)).count() {
        1 => Ok(receipt.events.iter().filter(|event| fits(event)).collect()),
        0 => Err(list(Failure::new(Code::TxReceipt, "it is about other clusters"))),
        several => Err(list(Failure::new(Code::TxReceipt, format!("it is about {several} clusters")))
            .hint("say which with --operator-ids and --owner")),
    }
}

fn show(event: &ClusterEvent, receipt: &Receipt, one_transaction: bool, network: Network, printer: &Printer) {
    let mut lines: Vec<Line> = where_to(network);
    lines.push(("owner", event.owner.to_string()));
    lines.push(("operators", words::listed(&event.operators)));
    lines.push(("cluster", words::snapshot_words(&event.cluster)));
    // Version 1 knows SSV only; of version 2 these say nothing about what the cluster pays with.
    let asset = match event.name {
        _ if !network.has_v2_contract() => Some(Asset::Ssv),
        "ValidatorRemoved" | "ClusterLiquidated" | "ClusterWithdrawn" => None,
        _ => Some(Asset::Eth),
    };
    lines.push(("balance", words::balance_words(event.cluster.balance, asset)));
    lines.extend(receipt.block.map(|block| ("block", block.to_string())));
    printer.message(&tone(Tone::Bold, &format!("The cluster after {}", event.name)));
    print_lines(&lines, true, |line| printer.message(line));
    if event.contract.is_none() {
        printer.message(&format!(
            "  the event does not name its contract: that it is the one on {network} is --network's word, and the snapshot \
             does not say it"
        ));
    }
    let added = receipt.events.iter().filter(|event| event.name == "ValidatorAdded").count();
    if one_transaction && added > 0 {
        printer.message(&format!("  registered {added}, each of which used a registration nonce"));
    }
    printer.message("the snapshot holds until the next transaction about this cluster, whoever sends it");
}

fn put(arguments: &NextArguments, bytes: Vec<u8>, printer: &Printer) -> Result<Exit, Failure> {
    if arguments.out.as_os_str() == "-" {
        printer.text(&bytes);
        return Ok(Exit::Done);
    }
    let out = &arguments.out;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = out.file_name().and_then(|name| name.to_str()) else {
        return Err(Failure::new(Code::OutputParent, format!("{}: no name for a file", out.display())));
    };
    let output = OutputDir::prepare(folder, &[name], arguments.force).map_err(|error| Failure::write(&error))?;
    let written = Written { name: name.to_owned(), bytes };
    publish(output, &[written]).map_err(|error| Failure::payload_write(&error))?;
    printer.object(&json!({"schema": "dvkey.tx/1", "event": "done", "files": [out.display().to_string()]}));
    if !printer.json() {
        printer.result(&out.display().to_string());
    }
    Ok(Exit::Done)
}
