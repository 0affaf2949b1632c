//! `dvkey tx batch`: several Safe batches become one, which the Safe carries out in one step.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dvkey_ceremony::Address;

use super::deliver::write;
use super::{read, words};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::format::amount::Wei;
use crate::format::contract::call::{AnyCall, Decoded};
use crate::format::network::Network;
use crate::format::safe::{self, Batch, Checksum, MAX_CALLS};
use crate::format::transaction::MAX_BYTES;
use crate::workflow::payload::write::{Form, Sender, Written, make};
use crate::workflow::payload::{Payload, chunk::HEADROOM, network_of};

pub(super) fn run(files: &[PathBuf], out: &Path, force: bool, printer: &Printer) -> Result<Exit, Failure> {
    let mut payloads: Vec<Payload> = Vec::new();
    let mut clusters: Vec<(Option<Address>, Vec<u64>)> = Vec::new();
    let mut sender: Option<Address> = None;
    let mut descriptions = Vec::new();
    for path in files {
        let refuse = |why: &str| Failure::new(Code::TxBatch, format!("{}: {why}", path.display()));
        let bytes = read(path, safe::MAX_BYTES)?;
        let (batch, checksum) = Batch::parse(&bytes).map_err(|error| refuse(&error.to_string()))?;
        if checksum != Checksum::Holds {
            return Err(refuse("its checksum does not hold").hint("make it again: it was changed after it was made"));
        }
        match (sender, batch.safe) {
            (Some(one), Some(other)) if one != other => {
                return Err(refuse("it is for another Safe").cause(format!("{one} and {other}")));
            }
            (known, own) => sender = own.or(known),
        }
        for call in &batch.calls {
            let network = network_of(call.to).filter(|network| network.chain_id() == batch.chain_id);
            let network: Network = network.ok_or_else(|| refuse("it calls something else than the SSV contract"))?;
            if payloads.first().is_some_and(|first| first.network != network) {
                return Err(refuse("it is for another network"));
            }
            let decoded = Decoded::from_calldata(&call.data).map_err(|error| refuse(&error.to_string()))?;
            let (AnyCall::Current(current), true) = (decoded.call, decoded.canonical) else {
                return Err(refuse("a call in it is of contract version 1, or hides bytes"));
            };
            if let Some((owner, operators)) = current.cluster() {
                let cluster = (owner.or(batch.safe), operators.to_vec());
                // Whose cluster is not known may be the same one.
                let same = |known: &(Option<Address>, Vec<u64>)| {
                    known.1 == cluster.1 && (known.0.is_none() || cluster.0.is_none() || known.0 == cluster.0)
                };
                if clusters.iter().any(same) {
                    return Err(refuse("a second call on one cluster")
                        .cause(format!("operators {}", words::listed(operators)))
                        .hint(
                            "the second needs the snapshot that the first one leaves: send one, then dvkey tx next",
                        ));
                }
                clusters.push(cluster);
            }
            payloads.push(Payload { network, call: current, value: call.value });
        }
        descriptions.push(batch.description);
    }
    let size: usize = payloads.iter().map(|payload| payload.call.encode().len()).sum();
    if size > MAX_BYTES - HEADROOM || payloads.len() > MAX_CALLS {
        return Err(Failure::new(Code::TxBatch, "together they are more than one transaction can carry")
            .cause(format!("{} calls, {size} bytes", payloads.len())));
    }
    let created_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let sender =
        Sender { from: sender, created_at: u64::try_from(created_at).unwrap_or_default(), ..Sender::default() };
    let bytes = make(Form::Safe, "dvkey batch", &descriptions.join(" | "), &payloads, &sender)
        .map_err(|error| Failure::payload_write(&error))?;
    let value = payloads.iter().try_fold(Wei::ZERO, |sum, payload| sum.checked_add(payload.value));
    let value = value.ok_or_else(|| Failure::new(Code::TxBatch, "together they send more ether than can be"))?;
    printer.message(&format!("{} calls on {} clusters, {value} in all:", payloads.len(), clusters.len()));
    for payload in &payloads {
        printer.message(&format!("  {}", words::title(&AnyCall::Current(payload.call.clone()))));
    }
    printer.message("registrations take their nonces in this order");
    if out.as_os_str() == "-" {
        printer.text(&bytes);
        return Ok(Exit::Done);
    }
    write(out, &[Written { name: "batch.safe.json".to_owned(), bytes }], force, printer)?;
    Ok(Exit::Done)
}
