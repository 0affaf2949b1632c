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
use crate::format::contract::call::{AnyCall, Call, Decoded};
use crate::format::network::Network;
use crate::format::safe::{self, Batch, Beside, Checksum, MAX_CALLS};
use crate::format::transaction::MAX_BYTES;
use crate::workflow::payload::write::{Form, Sender, Written, make};
use crate::workflow::payload::{Payload, chunk::HEADROOM, network_of};

pub(super) fn run(files: &[PathBuf], out: &Path, force: bool, printer: &Printer) -> Result<Exit, Failure> {
    let mut payloads: Vec<Payload> = Vec::new();
    let mut clusters: Vec<(Option<Address>, Vec<u64>)> = Vec::new();
    let mut sender: Option<Address> = None;
    let mut descriptions = Vec::new();
    let mut registered: Vec<Registered<'_>> = Vec::new();
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
        let mut sizes = Vec::new();
        for call in &batch.calls {
            let network = network_of(call.to).filter(|network| network.chain_id() == batch.chain_id);
            let network: Network = network.ok_or_else(|| refuse("it calls something else than the SSV contract"))?;
            if payloads.first().is_some_and(|first| first.network != network) {
                return Err(refuse("it is for another network"));
            }
            if call.beside != Beside::default() {
                return Err(refuse("a call in it has more than its calldata: an operation, or a method of its own"));
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
            if let Call::Register { validators, .. } = &current {
                sizes.push(validators.public_keys().len());
            }
            payloads.push(Payload { network, call: current, value: call.value });
        }
        registered.extend(with_nonces(path, &batch.description, &sizes));
        descriptions.push(batch.description);
    }
    in_order(&registered)?;
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

/// A registration: its file, and its first and last nonce where the file says them.
struct Registered<'a> {
    path: &'a Path,
    nonces: Option<(u64, u64)>,
}

/// The registrations of a file, of so many validators each. Calldata has no nonces; the descriptions that are written
/// here say them as `nonce 7` or `nonces 7 to 9`, and the checksum is over the description, too.
fn with_nonces<'a>(path: &'a Path, description: &str, sizes: &[usize]) -> Vec<Registered<'a>> {
    let range = |part: &str| -> Option<(u64, u64)> {
        let part = part.trim();
        let (first, last) = match part.strip_prefix("nonces ") {
            Some(range) => range.split_once(" to ")?,
            None => part.strip_prefix("nonce ").map(|only| (only, only))?,
        };
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let stated: Vec<_> = description.split([';', '|']).filter_map(range).collect();
    let fits = |(first, last): &(u64, u64), size: usize| {
        last.checked_sub(*first)
            .is_some_and(|more| usize::try_from(more).is_ok_and(|more| more.checked_add(1) == Some(size)))
    };
    let fit = stated.len() == sizes.len() && stated.iter().zip(sizes).all(|(range, size)| fits(range, *size));
    (0..sizes.len()).map(|place| Registered { path, nonces: stated.get(place).copied().filter(|_| fit) }).collect()
}

/// The contract counts registrations up, and the nodes check each validator's signature over its number: out of order,
/// every one of them would be ignored.
fn in_order(registered: &[Registered<'_>]) -> Result<(), Failure> {
    for pair in registered.windows(2) {
        let [before, after] = pair else { continue };
        let refuse = |path: &Path, why: &str| Failure::new(Code::TxBatch, format!("{}: {why}", path.display()));
        let unknown = |path: &Path| {
            refuse(path, "it does not say the nonces of its registrations, so that their order cannot be checked")
                .hint("give the files that dvkey tx register wrote")
        };
        let (_, last) = before.nonces.ok_or_else(|| unknown(before.path))?;
        let (first, _) = after.nonces.ok_or_else(|| unknown(after.path))?;
        if last.checked_add(1) != Some(first) {
            return Err(refuse(after.path, "its registrations are not the next ones")
                .cause(format!("{} ends with nonce {last}, and this begins with {first}", before.path.display()))
                .hint("give registrations in the order of their nonces, and leave none out"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(files: &[(&str, &[usize])]) -> bool {
        let all: Vec<_> =
            files.iter().flat_map(|(description, sizes)| with_nonces(Path::new("a"), description, sizes)).collect();
        in_order(&all).is_ok()
    }

    #[test]
    fn tx_batch_takes_registrations_in_the_order_of_their_nonces_only() {
        let (a, b) = ("register 3 validators; nonces 7 to 9; value 1 ETH", "register; nonce 10; value 1 ETH");
        assert!(accepted(&[(a, &[3]), (b, &[1])]));
        assert!(accepted(&[(a, &[3]), ("deposit; value 1 ETH", &[]), (b, &[1])]));
        assert!(accepted(&[("nonces 7 to 9; x | nonce 10; y", &[3, 1]), ("nonce 11", &[1])]));
        assert!(accepted(&[("of somebody else", &[3])]));
        assert!(!accepted(&[(b, &[1]), (a, &[3])]));
        assert!(!accepted(&[(a, &[3]), (a, &[3])]));
        assert!(!accepted(&[(a, &[3]), ("nonce 11", &[1])]));
        assert!(!accepted(&[(a, &[3]), ("of somebody else", &[1])]));
        assert!(!accepted(&[("of somebody else", &[3]), (b, &[1])]));
        assert!(!accepted(&[("nonces 7 to 8", &[3]), ("nonce 9", &[1])]));
        assert!(!accepted(&[("nonce 10; x | nonces 7 to 9; y", &[1, 3])]));
    }
}
