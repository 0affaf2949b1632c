//! `dvkey tx register`: keyshares that pass, as the call that registers them.

use dvkey_ceremony::Address;
use serde_json::json;

use super::deliver::{Delivery, deliver};
use super::words::Line;
use super::{OPERATORS_UNKNOWN, address, amount, costs, read, snapshot, untested};
use crate::cli::args::tx::RegisterArguments;
use crate::cli::codes::Code;
use crate::cli::commands::{parse_nonce, parse_owner};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::count;
use crate::format::json;
use crate::format::keyshares::{self, KeysharesFile};
use crate::format::operator_state::OperatorStates;
use crate::format::operators;
use crate::format::watermark::is_nobody;
use crate::workflow::payload::preflight::VALIDATOR_LIMIT;
use crate::workflow::payload::register::{Plan, Request, choose};
use crate::workflow::verify::beside;

pub(super) fn run(arguments: &RegisterArguments, printer: &Printer) -> Result<Exit, Failure> {
    let path = &arguments.keyshares;
    let bytes = read(path, keyshares::MAX_BYTES)?;
    let broken = |why: String| {
        Failure::new(Code::VerifyCannotJudge, format!("{}: not a keyshares file that can be read", path.display()))
            .cause(why)
    };
    let document = json::parse(&bytes).map_err(|error| broken(error.to_string()))?;
    let file = KeysharesFile::from_json(&document, json::has_byte_order_mark(&bytes))
        .map_err(|error| broken(error.to_string()))?;
    let beside = beside(path, &bytes);

    let states = match &arguments.operators {
        Some(path) => {
            let bytes = read(path, operators::MAX_BYTES)?;
            Some(OperatorStates::parse(&bytes).map_err(|error| Failure::operators(&error))?)
        }
        None => None,
    };
    let request = Request {
        network: arguments.payload.network.into(),
        owner: arguments.owner.as_deref().map(parse_owner).transpose()?,
        nonce: arguments.nonce.as_deref().map(parse_nonce).transpose()?,
        value: amount("--value", &arguments.value)?,
        from_nonce: arguments.from_nonce.as_deref().map(parse_nonce).transpose()?,
        most: arguments.max_per_tx,
        operators: states.as_ref(),
        limit: arguments.operator_limit.unwrap_or(VALIDATOR_LIMIT),
        costs: costs(&arguments.costs)?,
    };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let chosen = choose(&file, beside.as_ref(), &request, jobs).map_err(|error| Failure::register(&error))?;
    // The call picks the cluster from a source with several.
    let cluster = arguments.cluster.as_deref().map(|path| snapshot(path, chosen.wanted(), printer)).transpose()?;
    let plan = chosen.build(cluster.as_ref(), &request).map_err(|error| Failure::register(&error))?;
    let sender = arguments.payload.from.as_deref().map(|text| address("--from", text)).transpose()?;
    must_be_the_owner(sender, plan.owner)?;
    if is_nobody(&plan.owner) {
        // On a test network the registration can be practised as well.
        printer.warning(
            "the keyshares are of a rehearsal: nobody has the account that owns them, and nobody can send this",
        );
    }
    if !plan.network_confirmed {
        printer.warning(&format!(
            "nothing beside the keyshares says which network they are for; --network {} is taken on trust",
            request.network
        ));
    }
    show(&plan, &request, arguments, printer)
}

/// The contract takes the sender for the owner, and the nodes check the signature over the owner.
fn must_be_the_owner(sender: Option<Address>, owner: Address) -> Result<(), Failure> {
    match sender {
        Some(sender) if sender != owner => {
            Err(Failure::new(Code::TxAddress, "--from is not the owner of the keyshares")
                .cause(format!("--from {sender}, owner {owner}"))
                .hint("the contract takes the sender for the owner: the nodes would ignore these validators"))
        }
        _ => Ok(()),
    }
}

fn show(plan: &Plan, request: &Request<'_>, arguments: &RegisterArguments, printer: &Printer) -> Result<Exit, Failure> {
    let (first, last) = plan.built.nonces;
    let whole = plan.chunks.get(plan.built.number - 1).is_some_and(|chunk| *chunk == plan.built);
    let part = if whole { "" } else { ", the rest of it" };
    let mut facts: Vec<Line> = vec![
        ("owner", plan.owner.to_string()),
        (
            if first == last { "nonce" } else { "nonces" },
            if first == last { first.to_string() } else { format!("{first} to {last}") },
        ),
    ];
    if plan.chunks.len() > 1 || !whole {
        facts.push(("call", format!("{} of {}{part}", plan.built.number, plan.chunks.len())));
    }
    let mut next =
        vec![format!("send it from {}; nothing else of this owner may be registered before or in between", plan.owner)];
    let before = plan.payload.call.snapshot();
    next.extend(untested(request.costs.as_ref(), before).map(str::to_owned));
    if request.operators.is_none() {
        next.push(OPERATORS_UNKNOWN.to_owned());
    }
    if let Some(following) = plan.chunks.get(plan.built.number) {
        let left: usize = plan.chunks.iter().skip(plan.built.number).map(|chunk| chunk.range.len()).sum();
        // Whatever was registered before, in this call or in an earlier one, has made its cluster.
        let mut before = plan.chunks.iter().take(plan.built.number).rev();
        let maker = before.find(|chunk| chunk.operators == following.operators).map(|chunk| chunk.number);
        next.push(format!("{} left. Once this one is in a block:", count(left, "validator")));
        if let Some(number) = maker {
            let receipt =
                if number == plan.built.number { "RECEIPT".to_owned() } else { format!("RECEIPT-OF-CALL-{number}") };
            next.push(format!("  dvkey tx next --network {} --receipt {receipt} --out cluster.json", request.network));
        }
        next.push(format!(
            "  dvkey tx register {} --network {} {} --from-nonce {}{} --value AMOUNT --out {}",
            shell_words::quote(&arguments.keyshares.display().to_string()),
            request.network,
            if maker.is_some() { "--cluster cluster.json" } else { "--new-cluster" },
            following.nonces.0,
            arguments.max_per_tx.map_or(String::new(), |most| format!(" --max-per-tx {most}")),
            shell_words::quote(&arguments.payload.out.display().to_string()),
        ));
    }
    let json = json!({
        "owner": plan.owner.to_string(), "firstNonce": first, "lastNonce": last, "call": plan.built.number,
        "calls": plan.chunks.iter().map(|chunk| json!({
            "number": chunk.number, "firstNonce": chunk.nonces.0, "lastNonce": chunk.nonces.1,
            "validators": chunk.range.len(),
            "operatorIds": chunk.operators.iter().map(|id| id.get()).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "networkConfirmed": plan.network_confirmed,
    });
    let parts = vec![(plan.built.number, plan.payload.clone())];
    deliver(
        &Delivery { name: "register", parts, owner: Some(plan.owner), facts, json, next },
        &arguments.payload,
        printer,
    )
}
