//! `dvkey tx decode`: what somebody is asked to sign, or what the contract said, in words.

use std::path::Path;

use serde_json::{Value, json};

use super::deliver::print_lines;
use super::read;
use super::words::{self, Line};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::printable;
use crate::format::contract::call::{AnyCall, Call};
use crate::format::network::Network;
use crate::format::safe::{self, Checksum};
use crate::format::transaction::Transaction;
use crate::store::read::Source;
use crate::workflow::payload::describe::{Container, Described, DescribedCall, describe};
use crate::workflow::payload::{contract_of, network_of};

pub(super) fn run(input: &str, printer: &Printer) -> Result<Exit, Failure> {
    let (name, bytes) = if input.starts_with("0x") {
        ("the text".to_owned(), input.as_bytes().to_vec())
    } else {
        let path = Path::new(input);
        (Source::from_arg(path).to_string(), read(path, safe::MAX_BYTES)?)
    };
    match describe(&bytes).map_err(|error| Failure::describe(&name, &error))? {
        Described::Revert(revert) => {
            let words = words::revert(&revert);
            printer.object(&json!({
                "schema": "dvkey.tx.decode/1", "kind": "revert", "name": words.name, "about": words.about,
                "meaning": words.meaning, "remedy": words.remedy,
            }));
            if !printer.json() {
                printer.result(&format!("The contract refused: {}", words.name));
                if let Some(about) = &words.about {
                    printer.result(&format!("  {:<10} {about}", "about"));
                }
                printer.result(&format!("  {:<10} {}", "meaning", words.meaning));
                printer.result(&format!("  {:<10} {}", "remedy", words.remedy));
            }
        }
        Described::Calls { container, calls } => show(&container, &calls, printer),
    }
    Ok(Exit::Done)
}

fn show(container: &Container, calls: &[DescribedCall], printer: &Printer) {
    let lines = container_lines(container);
    if printer.json() {
        let calls: Vec<Value> = calls.iter().map(call_json).collect();
        printer.object(&json!({
            "schema": "dvkey.tx.decode/1", "kind": kind(container), "container": container_json(container), "calls": calls,
        }));
        return;
    }
    if !lines.is_empty() {
        printer.result(&tone(Tone::Bold, kind_words(container)));
        print_lines(&lines, printer, |line| printer.result(line));
    }
    for (position, call) in calls.iter().enumerate() {
        let place = if calls.len() > 1 { format!("{} of {}: ", position + 1, calls.len()) } else { String::new() };
        printer.result(&tone(Tone::Bold, &format!("Call: {place}{}", words::title(&call.decoded.call))));
        print_lines(&call_lines(call), printer, |line| printer.result(line));
    }
}

fn kind(container: &Container) -> &'static str {
    match container {
        Container::Calldata => "calldata",
        Container::CalldataFile => "calldata-file",
        Container::Transaction(_) => "transaction",
        Container::Raw(_) => "raw-transaction",
        Container::Safe(..) => "safe-batch",
    }
}

fn kind_words(container: &Container) -> &'static str {
    match container {
        Container::Calldata | Container::CalldataFile => "Calldata",
        Container::Transaction(_) => "A transaction",
        Container::Raw(raw) if raw.signed => "A raw transaction, SIGNED",
        Container::Raw(_) => "A raw transaction, not signed",
        Container::Safe(..) => "A batch for the Safe Transaction Builder",
    }
}

fn container_lines(container: &Container) -> Vec<Line> {
    match container {
        Container::Calldata | Container::CalldataFile => Vec::new(),
        Container::Transaction(transaction) => transaction_lines(transaction),
        Container::Raw(raw) => transaction_lines(&raw.transaction),
        Container::Safe(batch, checksum) => {
            let mut lines: Vec<Line> = vec![("name", printable(&batch.name))];
            if !batch.description.is_empty() {
                lines.push(("for", printable(&batch.description)));
            }
            lines.extend(batch.safe.map(|safe| ("safe", safe.to_string())));
            lines.push(("checksum", checksum_words(*checksum).to_owned()));
            lines
        }
    }
}

fn checksum_words(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Holds => "holds",
        Checksum::HoldsByOldRule => "holds by the rule of the app's first versions",
        Checksum::Absent => "there is none",
        Checksum::Broken => "BROKEN: the file was changed after it was made",
    }
}

fn transaction_lines(transaction: &Transaction) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(transaction.from.map(|from| ("from", from.to_string())));
    lines.extend(transaction.nonce.map(|nonce| ("tx nonce", nonce.to_string())));
    lines.extend(transaction.gas.map(|gas| ("gas limit", gas.to_string())));
    lines.extend(
        transaction.max_fee.map(|fee| ("max fee", format!("{} gwei ({} wei) for each gas", fee.gwei(), fee.get()))),
    );
    lines.extend(
        transaction
            .max_priority_fee
            .map(|fee| ("priority", format!("{} gwei ({} wei) for each gas", fee.gwei(), fee.get()))),
    );
    if let Some(hash) = transaction.signing_hash() {
        lines.push(("to sign", format!("0x{}", hex::encode(hash))));
    }
    lines
}

fn call_lines(call: &DescribedCall) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    if let Some(chain) = call.chain_id {
        let network = Network::ALL.into_iter().find(|network| network.chain_id() == chain);
        let name = network.map_or("not one that is known here", Network::name);
        lines.push(("network", format!("{name} (chain {chain})")));
    }
    match call.to {
        Some(to) => lines.push(("contract", format!("{to}, {}", whose(call)))),
        None if call.value.is_some() => lines.push(("contract", "NONE: this would create a contract".to_owned())),
        None => {}
    }
    match &call.decoded.call {
        AnyCall::Current(current) => lines.push(("function", current.signature().to_owned())),
        AnyCall::Legacy(legacy) => {
            lines.push(("function", legacy.signature().to_owned()));
            lines.push((
                "OBSOLETE",
                "a call of contract version 1: the contract on mainnet and hoodi refuses it".to_owned(),
            ));
        }
    }
    lines.extend(call.value.map(|value| ("value", value.to_string())));
    lines.extend(words::lines(&call.decoded.call));
    lines.push(("calldata", format!("{} bytes", call.bytes)));
    for warning in warnings(call) {
        lines.push(("WARNING", warning));
    }
    lines
}

fn whose(call: &DescribedCall) -> String {
    let Some(to) = call.to else { return String::new() };
    match network_of(to) {
        Some(network) => format!("the SSV contract on {network}"),
        None => "NOT an SSV contract that is known here".to_owned(),
    }
}

/// What a signer should not overlook.
fn warnings(call: &DescribedCall) -> Vec<String> {
    let mut warnings = Vec::new();
    if !call.decoded.canonical {
        warnings
            .push("the calldata is not encoded as tools encode it; it holds bytes that are not shown here".to_owned());
    }
    if let (Some(to), Some(chain)) = (call.to, call.chain_id) {
        let named = Network::ALL.into_iter().find(|network| network.chain_id() == chain);
        match named {
            Some(network) if contract_of(network) != to => {
                warnings.push(format!("the SSV contract on {network} is {}", contract_of(network)));
            }
            Some(network) if !network.has_v2_contract() && !in_v1(&call.decoded.call) => {
                warnings.push(format!("the contract on {network} is version 1 and would revert this call"));
            }
            _ => {}
        }
    }
    if let (AnyCall::Current(current), Some(value)) = (&call.decoded.call, call.value)
        && !current.is_payable()
        && value.get() > 0
    {
        warnings.push(format!("{} takes no ether and would revert", current.function()));
    }
    if let AnyCall::Current(Call::FeeRecipient(recipient)) = &call.decoded.call
        && recipient.is_zero()
    {
        warnings.push("the rewards of all validators would go to the zero address".to_owned());
    }
    warnings
}

fn in_v1(call: &AnyCall) -> bool {
    match call {
        AnyCall::Current(call) => call.is_in_v1(),
        AnyCall::Legacy(_) => true,
    }
}

fn container_json(container: &Container) -> Value {
    match container {
        Container::Calldata | Container::CalldataFile => Value::Null,
        Container::Transaction(transaction) => transaction_json(transaction, None),
        Container::Raw(raw) => transaction_json(&raw.transaction, Some(raw.signed)),
        Container::Safe(batch, checksum) => json!({
            "name": batch.name, "description": batch.description, "chainId": batch.chain_id,
            "safe": batch.safe.map(|safe| safe.to_string()),
            "checksum": match checksum {
                Checksum::Holds => "holds", Checksum::HoldsByOldRule => "holds-by-old-rule",
                Checksum::Absent => "absent", Checksum::Broken => "broken",
            },
        }),
    }
}

fn transaction_json(transaction: &Transaction, signed: Option<bool>) -> Value {
    json!({
        "from": transaction.from.map(|from| from.to_string()), "chainId": transaction.chain_id,
        "nonce": transaction.nonce, "gas": transaction.gas, "signed": signed,
        "maxFeePerGas": transaction.max_fee.map(words::wei),
        "maxPriorityFeePerGas": transaction.max_priority_fee.map(words::wei),
        "signingHash": transaction.signing_hash().map(|hash| format!("0x{}", hex::encode(hash))),
    })
}

fn call_json(call: &DescribedCall) -> Value {
    json!({
        "chainId": call.chain_id, "to": call.to.map(|to| to.to_string()),
        "isSsvContract": call.to.map(|to| network_of(to).is_some()), "value": call.value.map(words::wei),
        "call": words::as_json(&call.decoded.call), "canonical": call.decoded.canonical,
        "calldataBytes": call.bytes, "warnings": warnings(call),
    })
}
