//! The last step of every building command: show what it is, write it in the forms asked for, say where.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use dvkey_ceremony::Address;
use serde_json::{Value, json};

use super::words;
use crate::cli::args::tx::{FormName, PayloadArguments};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::format::amount::Wei;
use crate::format::contract::call::AnyCall;
use crate::format::network::Network;
use crate::store::output_dir::OutputDir;
use crate::workflow::payload::Payload;
use crate::workflow::payload::chunk::{GAS_CAP, floor_gas, gas, with_slack};
use crate::workflow::payload::write::{Form, Sender, Written, make, publish, transaction};

/// More calldata than this, and most hardware wallets give up.
const HARDWARE_WALLET: usize = 6 << 10;

/// How many lines of a list are shown without --verbose.
const SHOWN: usize = 20;

/// What was built by a command.
pub(super) struct Delivery<'a> {
    /// The name of the command, with which the files start.
    pub(super) name: &'a str,
    /// The transactions with the numbers of their chunks.
    pub(super) parts: Vec<(usize, Payload)>,
    /// Who has to send them, where that is known.
    pub(super) owner: Option<Address>,
    /// What else is worth knowing, for the plan.
    pub(super) facts: Vec<words::Line>,
    /// The same for programs.
    pub(super) json: Value,
    /// What comes after.
    pub(super) next: Vec<String>,
}

pub(super) fn deliver(
    delivery: &Delivery<'_>,
    arguments: &PayloadArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut forms: Vec<Form> = Vec::new();
    for name in &arguments.format {
        let form = form(*name);
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms.sort_unstable();
    let to_stdout = arguments.out.as_os_str() == "-";
    if to_stdout && (forms.len() != 1 || delivery.parts.len() != 1) {
        let headline = "stdout takes one form of one transaction";
        return Err(Failure::new(Code::TxForm, headline)
            .cause(format!("{} forms of {} transactions were asked for", forms.len(), delivery.parts.len()))
            .hint("name a folder with --out, or one --format"));
    }
    if to_stdout && printer.json() {
        return Err(Failure::new(Code::TxForm, "stdout takes either the payload or --json, not both")
            .hint("name a folder with --out"));
    }
    let mut files = Vec::new();
    for (number, payload) in &delivery.parts {
        let sender = sender(arguments, payload, delivery.parts.len())?;
        let title = format!("dvkey {} {number:02}", delivery.name);
        let description = description(payload, delivery);
        for form in &forms {
            // A batch names the Safe it is for, which is the owner; a transaction names only the sender that was given.
            let safe = Sender { from: sender.from.or(delivery.owner), ..sender };
            let sender = if *form == Form::Safe { &safe } else { &sender };
            let bytes = make(*form, &title, &description, std::slice::from_ref(payload), sender)
                .map_err(|error| Failure::payload_write(&error))?;
            files.push(Written { name: format!("{}-{number:02}.{}.json", delivery.name, form.name()), bytes });
        }
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    if !to_stdout {
        OutputDir::check(&arguments.out, &names, arguments.force).map_err(|error| Failure::write(&error))?;
    }
    for (number, payload) in &delivery.parts {
        show(*number, payload, delivery, arguments, printer);
    }
    if to_stdout {
        for file in &files {
            printer.text(&file.bytes);
        }
    } else {
        write(&arguments.out, &files, arguments.force, printer)?;
    }
    if forms.contains(&Form::Unsigned) {
        say_what_is_missing(delivery, arguments, printer)?;
    }
    for line in &delivery.next {
        printer.message(line);
    }
    Ok(Exit::Done)
}

/// Publishes the files and names them.
pub(super) fn write(out: &Path, files: &[Written], force: bool, printer: &Printer) -> Result<(), Failure> {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let output = OutputDir::prepare(out, &names, force).map_err(|error| Failure::write(&error))?;
    let paths = publish(output, files).map_err(|error| Failure::payload_write(&error))?;
    printer.object(&json!({
        "schema": "dvkey.tx/1", "event": "done",
        "files": paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    }));
    if !printer.json() {
        printer.message(&format!("{} written, read back from disk and decoded again", tone(Tone::Good, "done:")));
        for path in &paths {
            printer.result(&path.display().to_string());
        }
    }
    Ok(())
}

fn form(name: FormName) -> Form {
    match name {
        FormName::Calldata => Form::Calldata,
        FormName::Unsigned => Form::Unsigned,
        FormName::Safe => Form::Safe,
    }
}

/// What a Safe shows beside the batch.
fn description(payload: &Payload, delivery: &Delivery<'_>) -> String {
    let call = AnyCall::Current(payload.call.clone());
    let mut parts = vec![words::title(&call)];
    if let Some((_, operators)) = payload.call.cluster() {
        parts.push(format!("operators {}", words::listed(operators)));
    }
    parts
        .extend(delivery.facts.iter().filter(|(label, _)| label.starts_with("nonce")).map(|(a, b)| format!("{a} {b}")));
    parts.push(format!("value {}", payload.value));
    parts.join("; ")
}

fn sender(arguments: &PayloadArguments, payload: &Payload, parts: usize) -> Result<Sender, Failure> {
    let from = arguments.from.as_deref().map(|text| super::address("--from", text)).transpose()?;
    let fee = |flag: &str, text: &Option<String>| -> Result<Option<Wei>, Failure> {
        text.as_deref().map(|text| super::amount(flag, text)).transpose()
    };
    let max_fee = fee("--max-fee", &arguments.max_fee)?;
    let max_priority_fee = fee("--priority-fee", &arguments.priority_fee)?;
    if let (Some(most), Some(priority)) = (max_fee, max_priority_fee)
        && priority > most
    {
        return Err(Failure::new(Code::TxGas, "--priority-fee is more than --max-fee").cause(format!(
            "{} gwei are more than {} gwei",
            priority.gwei(),
            most.gwei()
        )));
    }
    if arguments.tx_nonce.is_some() && parts > 1 {
        return Err(Failure::new(Code::TxForm, "--tx-nonce is for one transaction, and there are several"));
    }
    let gas = match arguments.gas.as_deref() {
        None => None,
        Some("estimate") => match estimate(payload) {
            Some(gas) => Some(gas),
            None => {
                let headline = format!("there is no figure for the gas of {}", payload.call.function());
                return Err(Failure::new(Code::TxGas, headline).hint("give a number, from your node's eth_estimateGas"));
            }
        },
        Some(text) => {
            let gas: Option<u64> = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
            let gas = gas.ok_or_else(|| Failure::new(Code::TxGas, "--gas is neither a number nor `estimate`"))?;
            let floor = floor_gas(&payload.call.encode());
            if !(floor..=GAS_CAP).contains(&gas) {
                return Err(Failure::new(Code::TxGas, format!("--gas {gas} cannot work"))
                    .cause(format!("this calldata costs {floor} at least, and a transaction {GAS_CAP} at most")));
            }
            Some(gas)
        }
    };
    let created_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let created_at = u64::try_from(created_at).unwrap_or_default();
    Ok(Sender { from, nonce: arguments.tx_nonce, max_priority_fee, max_fee, gas, created_at })
}

/// The gas that a call takes, from the gas reports, with a tenth on top; `None` where they have no figure.
pub(super) fn estimate(payload: &Payload) -> Option<u64> {
    gas(&payload.call, floor_gas(&payload.call.encode())).map(with_slack)
}

fn show(number: usize, payload: &Payload, delivery: &Delivery<'_>, arguments: &PayloadArguments, printer: &Printer) {
    let call = AnyCall::Current(payload.call.clone());
    let network = payload.network;
    let bytes = payload.call.encode().len();
    if printer.json() {
        printer.object(&json!({
            "schema": "dvkey.tx/1", "event": "payload", "number": number, "network": network.name(),
            "chainId": network.chain_id(), "contract": network.ssv_contract(), "value": words::wei(payload.value),
            "call": words::as_json(&call), "calldataBytes": bytes, "gasEstimate": estimate(payload),
            "facts": delivery.json,
            "notChecked": delivery.next.iter().filter_map(|line| line.strip_prefix("not checked: ")).collect::<Vec<_>>(),
        }));
        return;
    }
    printer.message(&tone(Tone::Bold, &format!("Transaction: {}", words::title(&call))));
    let mut lines = where_to(network);
    lines.push(("function", payload.call.signature().to_owned()));
    lines.push(("value", payload.value.to_string()));
    lines.extend(delivery.facts.iter().cloned());
    lines.extend(words::lines(&call));
    lines.push(("calldata", format!("{bytes} bytes")));
    lines.push((
        "gas",
        estimate(payload)
            .map_or_else(|| "no figure; ask your node".to_owned(), |gas| format!("about {gas}, an estimate")),
    ));
    print_lines(&lines, printer.verbose(), |line| printer.message(line));
    if bytes > HARDWARE_WALLET && arguments.format.contains(&FormName::Unsigned) {
        printer.warning(&format!(
            "{bytes} bytes of calldata are more than most hardware wallets show or take: use --format safe, or fewer validators a call"
        ));
    }
}

/// Where a payload goes.
pub(super) fn where_to(network: Network) -> Vec<words::Line> {
    vec![
        ("network", format!("{network} (chain {})", network.chain_id())),
        ("contract", network.ssv_contract().to_owned()),
    ]
}

/// Prints labelled lines, the first of a long list only, unless `all` is asked for.
pub(super) fn print_lines(lines: &[words::Line], all: bool, print: impl Fn(&str)) {
    let mut unlabelled = 0;
    let mut left = 0;
    for (position, (label, text)) in lines.iter().enumerate() {
        unlabelled = if label.is_empty() { unlabelled + 1 } else { 0 };
        if unlabelled < SHOWN || all {
            print(&format!("  {label:<10} {text}"));
        } else {
            left += 1;
        }
        let ends = lines.get(position + 1).is_none_or(|(label, _)| !label.is_empty());
        if ends && left > 0 {
            print(&format!("  {:<10} and {left} more; --verbose shows all", ""));
            left = 0;
        }
    }
}

fn say_what_is_missing(
    delivery: &Delivery<'_>,
    arguments: &PayloadArguments,
    printer: &Printer,
) -> Result<(), Failure> {
    let Some((_, payload)) = delivery.parts.first() else { return Ok(()) };
    let sender = sender(arguments, payload, delivery.parts.len())?;
    let transaction = transaction(payload, &sender);
    let missing = transaction.missing();
    if missing.is_empty() {
        if let Some(hash) = transaction.signing_hash() {
            printer.message(&format!("signing hash 0x{}", hex::encode(hash)));
        }
    } else {
        printer.message(&format!(
            "no raw bytes and no signing hash: {} not given; a wallet fills them in",
            missing.join(", ")
        ));
    }
    Ok(())
}
