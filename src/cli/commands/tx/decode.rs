//! `dvkey tx decode`: what somebody is asked to sign, or what the contract said, in words.

use std::path::Path;

use dvkey_ceremony::Address;
use serde_json::{Value, json};

use super::deliver::print_lines;
use super::read;
use super::words::{self, Line};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, printable};
use crate::format::amount::Wei;
use crate::format::contract::call::{AnyCall, Call, Decoded};
use crate::format::network::Network;
use crate::format::safe::{self, Checksum};
use crate::format::transaction::Raw;
use crate::store::read::Source;
use crate::workflow::payload::describe::{Container, Described, DescribedCall, describe};
use crate::workflow::payload::preflight;
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
        Described::Calls { container, calls } => {
            show(&container, &calls, printer);
            stands(&name, &container, &calls)?;
        }
    }
    Ok(Exit::Done)
}

/// What was shown may be signed only if all of it could be read, and nobody changed it.
fn stands(name: &str, container: &Container, calls: &[DescribedCall]) -> Result<(), Failure> {
    if matches!(container, Container::Safe(_, Checksum::Broken)) {
        return Err(Failure::new(Code::TxChecksum, format!("{name}: the checksum of the batch is broken"))
            .cause("the file was changed after it was made")
            .hint("do not sign it: ask whoever made it for the file as it was"));
    }
    let broken = calls.iter().enumerate().filter_map(|(place, call)| Some((place + 1, call.decoded.as_ref().err()?)));
    let broken: Vec<_> = broken.map(|(place, error)| format!("call {place} of {}: {error}", calls.len())).collect();
    if broken.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Code::TxUnknown, format!("{name}: {} cannot be decoded", count(broken.len(), "call")))
            .hint("do not sign what you cannot read");
    for one in broken {
        failure = failure.cause(one);
    }
    Err(failure)
}

fn show(container: &Container, calls: &[DescribedCall], printer: &Printer) {
    let lines = container_lines(container);
    if printer.json() {
        let calls: Vec<Value> = calls.iter().map(|call| call_json(container, call)).collect();
        printer.object(&json!({
            "schema": "dvkey.tx.decode/1", "kind": kind(container), "container": container_json(container), "calls": calls,
        }));
        return;
    }
    if !lines.is_empty() {
        printer.result(&tone(Tone::Bold, kind_words(container)));
        print_lines(&lines, true, |line| printer.result(line));
    }
    for (position, call) in calls.iter().enumerate() {
        let place = if calls.len() > 1 { format!("{} of {}: ", position + 1, calls.len()) } else { String::new() };
        let title = call.decoded.as_ref().map_or("CANNOT BE READ".to_owned(), |decoded| words::title(&decoded.call));
        printer.result(&tone(Tone::Bold, &format!("Call: {place}{title}")));
        // Whoever signs is shown every key, not the first few.
        print_lines(&call_lines(container, call), true, |line| printer.result(line));
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
        Container::Transaction(raw) if raw.signed => "A transaction, SIGNED",
        Container::Transaction(_) => "A transaction, not signed",
        Container::Raw(raw) if raw.signed => "A raw transaction, SIGNED",
        Container::Raw(_) => "A raw transaction, not signed",
        Container::Safe(..) => "A batch for the Safe Transaction Builder",
    }
}

fn container_lines(container: &Container) -> Vec<Line> {
    match container {
        Container::Calldata | Container::CalldataFile => Vec::new(),
        Container::Transaction(raw) | Container::Raw(raw) => transaction_lines(raw),
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

fn transaction_lines(raw: &Raw) -> Vec<Line> {
    let transaction = &raw.transaction;
    let price = |fee: Wei| format!("{} gwei ({} wei) for each gas", fee.gwei(), fee.get());
    let kind = if raw.kind == 0 { "0, as before EIP-1559" } else { "2 (EIP-1559)" };
    let mut lines: Vec<Line> = vec![("type", kind.to_owned())];
    lines.extend(transaction.from.map(|from| ("from", from.to_string())));
    lines.extend(transaction.nonce.map(|nonce| ("tx nonce", nonce.to_string())));
    lines.extend(transaction.gas.map(|gas| ("gas limit", gas.to_string())));
    lines.extend(transaction.gas_price.map(|fee| ("gas price", price(fee))));
    lines.extend(transaction.max_fee.map(|fee| ("max fee", price(fee))));
    lines.extend(transaction.max_priority_fee.map(|fee| ("priority", price(fee))));
    if let Some(hash) = raw.signing_hash() {
        lines.push(("to sign", format!("0x{}", hex::encode(hash))));
    }
    if !raw.unread.is_empty() {
        lines.push(("WARNING", format!("fields that are not understood here: {}", raw.unread.join(", "))));
    }
    lines
}

fn call_lines(container: &Container, call: &DescribedCall) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    if let Some(chain) = call.chain_id {
        let name = named(chain).map_or("not one that is known here", Network::name);
        lines.push(("network", format!("{name} (chain {chain})")));
    }
    match call.to {
        Some(to) => lines.push(("contract", format!("{to}, {}", whose(to, call.chain_id)))),
        None if call.value.is_some() => lines.push(("contract", "NONE: this would create a contract".to_owned())),
        None => {}
    }
    match &call.decoded {
        Ok(Decoded { call: AnyCall::Current(current), .. }) => lines.push(("function", current.signature().to_owned())),
        Ok(Decoded { call: AnyCall::Legacy(legacy), .. }) => {
            lines.push(("function", legacy.signature().to_owned()));
            lines.push((
                "OBSOLETE",
                "a call of contract version 1: the contract on mainnet and hoodi refuses it".to_owned(),
            ));
        }
        Err(error) => lines.push(("UNREADABLE", error.to_string())),
    }
    lines.extend(call.value.map(|value| ("value", value.to_string())));
    lines.extend(call.decoded.as_ref().map(|decoded| words::lines(&decoded.call)).unwrap_or_default());
    lines.push(("calldata", format!("{} bytes", call.bytes)));
    for warning in warnings(container, call) {
        lines.push(("WARNING", warning));
    }
    lines
}

fn named(chain: u64) -> Option<Network> {
    Network::ALL.into_iter().find(|network| network.chain_id() == chain)
}

/// Whose contract it is: the same address on another chain is another contract.
fn whose(to: Address, chain: Option<u64>) -> String {
    match (network_of(to), chain) {
        (Some(network), Some(chain)) if network.chain_id() == chain => format!("the SSV contract on {network}"),
        (Some(network), Some(_)) => format!("NOT the SSV contract: that has this address on {network} alone"),
        (Some(network), None) => format!("the SSV contract if this is for {network}, which it does not say"),
        (None, _) => "NOT an SSV contract that is known here".to_owned(),
    }
}

/// What a signer should not overlook.
fn warnings(container: &Container, call: &DescribedCall) -> Vec<String> {
    let mut warnings = Vec::new();
    match (call.to, call.chain_id.map(|chain| (chain, named(chain)))) {
        (Some(_), Some((chain, None))) => {
            warnings.push(format!("chain {chain} is not known here: what the contract there is cannot be said"));
        }
        (Some(to), Some((_, Some(network)))) if contract_of(network) != to => {
            warnings.push(format!("the SSV contract on {network} is {}", contract_of(network)));
        }
        (Some(_), None) if matches!(container, Container::Raw(_)) => {
            warnings.push("it names no chain: once signed, anybody can send it on every one".to_owned());
        }
        _ => {}
    }
    if call.beside.delegates {
        warnings.push("operation 1 (DELEGATECALL): the Safe would run that contract's code as its own".to_owned());
    }
    let Ok(decoded) = &call.decoded else { return warnings };
    if !decoded.canonical {
        warnings
            .push("the calldata is not encoded as tools encode it; it holds bytes that are not shown here".to_owned());
    }
    if let Some(network) = call.chain_id.and_then(named)
        && !network.has_v2_contract()
        && !in_v1(&decoded.call)
    {
        warnings.push(format!("the contract on {network} is version 1 and would revert this call"));
    }
    if let (AnyCall::Current(current), Some(value)) = (&decoded.call, call.value)
        && !current.is_payable()
        && value.get() > 0
    {
        warnings.push(format!("{} takes no ether and would revert", current.function()));
    }
    beside_the_calldata(call, &decoded.call, &mut warnings);
    if let AnyCall::Current(Call::RegisterOperator { public_key, .. }) = &decoded.call
        && words::operator_key(public_key).is_none()
    {
        warnings.push("the operator's key is not the text of an RSA key: no share could be sealed to it".to_owned());
    }
    warnings.extend(preflight::form(&decoded.call).iter().map(ToString::to_string));
    warnings
}

/// The app shows a batch's own words for a call. They have to be those of the calldata, which is what is sent.
fn beside_the_calldata(call: &DescribedCall, decoded: &AnyCall, warnings: &mut Vec<String>) {
    let signature = match decoded {
        AnyCall::Current(call) => call.signature(),
        AnyCall::Legacy(call) => call.signature(),
    };
    match &call.beside.method {
        Some(method) if method != signature => {
            warnings.push(format!("the batch shows the method {method}, and the calldata calls {signature}"));
        }
        Some(_) if call.beside.values => {
            warnings.push(
                "the batch shows arguments of its own beside the calldata; these here are the calldata's".to_owned(),
            );
        }
        None if call.beside.values => {
            warnings.push("the batch has arguments without a method; these here are the calldata's".to_owned());
        }
        _ => {}
    }
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
        Container::Transaction(raw) | Container::Raw(raw) => transaction_json(raw),
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

fn transaction_json(raw: &Raw) -> Value {
    let transaction = &raw.transaction;
    json!({
        "from": transaction.from.map(|from| from.to_string()), "chainId": transaction.chain_id, "type": raw.kind,
        "nonce": transaction.nonce, "gas": transaction.gas, "signed": raw.signed,
        "gasPrice": transaction.gas_price.map(words::wei),
        "maxFeePerGas": transaction.max_fee.map(words::wei),
        "maxPriorityFeePerGas": transaction.max_priority_fee.map(words::wei),
        "signingHash": raw.signing_hash().map(|hash| format!("0x{}", hex::encode(hash))),
        "notUnderstood": raw.unread,
    })
}

fn call_json(container: &Container, call: &DescribedCall) -> Value {
    let of = |to: Address| Some(network_of(to)?.chain_id());
    // Without a chain, nobody can say.
    let ssv = call.to.zip(call.chain_id).map(|(to, chain)| of(to) == Some(chain));
    let decoded = call.decoded.as_ref();
    json!({
        "chainId": call.chain_id, "to": call.to.map(|to| to.to_string()), "isSsvContract": ssv,
        "value": call.value.map(words::wei), "call": decoded.ok().map(|decoded| words::as_json(&decoded.call)),
        "canonical": decoded.ok().map(|decoded| decoded.canonical), "problem": decoded.err().map(ToString::to_string),
        "calldataBytes": call.bytes, "warnings": warnings(container, call),
    })
}
