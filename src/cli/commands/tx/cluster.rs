//! `dvkey tx remove`, `exit`, `deposit`, `withdraw`, `reactivate`, `migrate`: calls about a cluster that is there.

use dvkey_ceremony::{Address, OperatorId};
use serde_json::json;

use super::deliver::{Delivery, deliver};
use super::validators::Named;
use super::words::Line;
use super::{NOT_COVERED, address, amount, costs, numbers, operator_ids, snapshot, untested};
use crate::cli::args::tx::{
    ClusterArguments, ClusterValueArguments, CostArguments, ExitArguments, PayloadArguments, RemoveArguments,
    WithdrawArguments,
};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::count;
use crate::format::amount::Wei;
use crate::format::cluster_snapshot::{ClusterSnapshot, Wanted};
use crate::format::contract::call::{Call, Keys};
use crate::workflow::payload::Payload;
use crate::workflow::payload::chunk::MOST_REMOVED;
use crate::workflow::payload::preflight::{self, Context, VALIDATOR_LIMIT};

/// A cluster as the snapshot and the command say it.
struct Known {
    source: ClusterSnapshot,
    operators: Vec<OperatorId>,
    owner: Option<Address>,
}

/// What is known of the cluster: by the options, by the file of the validators, by the snapshot. What two of them say has to
/// be the same.
fn known(arguments: &ClusterArguments, named: &Named, printer: &Printer) -> Result<Known, Failure> {
    let wanted = named.operators(operator_ids(&arguments.operator_ids)?)?;
    let owner = arguments.owner.as_deref().map(|text| address("--owner", text)).transpose()?;
    let owner = named.owner(owner)?;
    let source = snapshot(&arguments.cluster, Wanted { operators: &wanted, owner }, printer)?;
    let operators = match (&source.operators, wanted.is_empty()) {
        (Some(found), true) => found.clone(),
        (None, true) => {
            return Err(Failure::new(Code::InputMissing, "the snapshot does not name the operators")
                .hint("give --operator-ids, all of the cluster's"));
        }
        (_, false) => wanted,
    };
    let owner = owner.or(source.owner);
    Ok(Known { source, operators, owner })
}

/// Checks and delivers a call about a cluster.
fn send(
    name: &str,
    known: &Known,
    calls: Vec<(usize, Call)>,
    value: Wei,
    (cost_arguments, payload): (Option<&CostArguments>, &PayloadArguments),
    next: Vec<String>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let network = payload.network.into();
    let mut next = next;
    let costs = cost_arguments.map(costs).transpose()?.flatten();
    let before = &known.source.snapshot;
    if cost_arguments.is_some() && before.validator_count > 0 {
        let line = match calls.first() {
            Some((_, Call::Deposit { .. })) if costs.is_none() => Some(NOT_COVERED),
            // What is sent becomes the whole balance, whatever there was.
            Some((_, Call::Migrate { .. })) => untested(costs.as_ref(), None),
            _ => untested(costs.as_ref(), Some(before)),
        };
        next.extend(line.map(str::to_owned));
    }
    let context = Context {
        network,
        owner: known.owner,
        source: Some(&known.source),
        operators: None,
        limit: VALIDATOR_LIMIT,
        costs,
    };
    let mut parts = Vec::with_capacity(calls.len());
    let mut sender = None;
    let mut facts: Vec<Line> = Vec::new();
    for (number, call) in calls {
        preflight::check(&call, value, &context).map_err(|error| Failure::rejected(&error))?;
        let own_cluster = call.cluster().is_some_and(|(named, _)| named.is_none());
        if own_cluster {
            must_send_itself(payload, known.owner)?;
            sender = known.owner;
            if facts.is_empty() {
                facts.extend(known.owner.map(|owner| ("owner", owner.to_string())));
            }
        }
        parts.push((number, Payload { network, call, value }));
    }
    if let Some(block) = known.source.block {
        facts.push(("snapshot", format!("of block {block}")));
    }
    let json = json!({"owner": known.owner.map(|owner| owner.to_string()), "snapshotBlock": known.source.block});
    deliver(&Delivery { name, parts, owner: sender, facts, json, next }, payload, printer)
}

/// The contract takes the sender for the owner.
fn must_send_itself(payload: &PayloadArguments, owner: Option<Address>) -> Result<(), Failure> {
    let from = payload.from.as_deref().map(|text| address("--from", text)).transpose()?;
    match (from, owner) {
        (Some(from), Some(owner)) if from != owner => {
            Err(Failure::new(Code::TxAddress, "--from is not the owner of the cluster")
                .cause(format!("--from {from}, owner {owner}"))
                .hint("the contract looks for the cluster of whoever sends"))
        }
        _ => Ok(()),
    }
}

pub(super) fn deposit(arguments: &ClusterValueArguments, printer: &Printer) -> Result<Exit, Failure> {
    let known = known(&arguments.cluster, &Named::default(), printer)?;
    let Some(owner) = known.owner else {
        return Err(Failure::new(Code::InputMissing, "the snapshot does not name the owner").hint("give --owner"));
    };
    let call = Call::Deposit { owner, operators: numbers(&known.operators), cluster: known.source.snapshot };
    let value = amount("--value", &arguments.value)?;
    let before = &known.source.snapshot;
    if let Some(costs) = costs(&arguments.costs)?
        && let Some(balance) = before.balance.checked_add(value)
        && let Some(needed) = costs.needed(before.validator_count, 0)
        && before.validator_count > 0
        && balance < needed
    {
        printer.warning(&format!(
            "with this the balance is {balance} and less than {needed}: the contract takes it, and anybody can liquidate"
        ));
    }
    let arguments = (Some(&arguments.costs), &arguments.payload);
    send("deposit", &known, vec![(1, call)], value, arguments, Vec::new(), printer)
}

pub(super) fn withdraw(arguments: &WithdrawArguments, printer: &Printer) -> Result<Exit, Failure> {
    let known = known(&arguments.cluster, &Named::default(), printer)?;
    let amount = amount("--amount", &arguments.amount)?;
    let call = Call::Withdraw { operators: numbers(&known.operators), amount, cluster: known.source.snapshot };
    let next = vec!["the balance in the snapshot shrinks with every block; what is left now is less".to_owned()];
    let arguments = (Some(&arguments.costs), &arguments.payload);
    send("withdraw", &known, vec![(1, call)], Wei::ZERO, arguments, next, printer)
}

pub(super) fn reactivate(arguments: &ClusterValueArguments, printer: &Printer) -> Result<Exit, Failure> {
    let known = known(&arguments.cluster, &Named::default(), printer)?;
    let call = Call::Reactivate { operators: numbers(&known.operators), cluster: known.source.snapshot };
    let value = amount("--value", &arguments.value)?;
    let arguments = (Some(&arguments.costs), &arguments.payload);
    send("reactivate", &known, vec![(1, call)], value, arguments, Vec::new(), printer)
}

pub(super) fn migrate(arguments: &ClusterValueArguments, printer: &Printer) -> Result<Exit, Failure> {
    let known = known(&arguments.cluster, &Named::default(), printer)?;
    let call = Call::Migrate { operators: numbers(&known.operators), cluster: known.source.snapshot };
    let value = amount("--value", &arguments.value)?;
    let next = vec!["the value becomes the whole balance; the SSV in the cluster goes back to the owner".to_owned()];
    let arguments = (Some(&arguments.costs), &arguments.payload);
    send("migrate", &known, vec![(1, call)], value, arguments, next, printer)
}

pub(super) fn remove(arguments: &RemoveArguments, printer: &Printer) -> Result<Exit, Failure> {
    let named = Named::read(&arguments.validators)?;
    must_differ(&named.keys)?;
    let known = known(&arguments.cluster, &named, printer)?;
    let keys = &named.keys;
    let chunks: Vec<_> = keys.chunks(MOST_REMOVED).collect();
    let chosen = arguments.chunk.checked_sub(1).and_then(|position| chunks.get(position)).ok_or_else(|| {
        Failure::new(Code::TxValidators, format!("there is no call {} of {}", arguments.chunk, chunks.len()))
    })?;
    let operators = numbers(&known.operators);
    let call = Call::Remove { keys: Keys::of(chosen.to_vec()), operators, cluster: known.source.snapshot };
    let mut next = vec![
        "a validator that was removed and not exited still has to attest: exit it first, or run its key".to_owned(),
    ];
    if arguments.chunk < chunks.len() {
        let left: usize = chunks.iter().skip(arguments.chunk).map(|chunk| chunk.len()).sum();
        next.push(format!(
            "{} left: once this is in a block, take the snapshot with dvkey tx next and give --chunk {}",
            count(left, "validator"),
            arguments.chunk + 1
        ));
    }
    send("remove", &known, vec![(arguments.chunk, call)], Wei::ZERO, (None, &arguments.payload), next, printer)
}

pub(super) fn exit(arguments: &ExitArguments, printer: &Printer) -> Result<Exit, Failure> {
    let given = operator_ids(&arguments.operator_ids)?;
    let named = Named::read(&arguments.validators)?;
    must_differ(&named.keys)?;
    let operators = named.operators(given)?;
    if operators.is_empty() {
        return Err(Failure::new(Code::InputMissing, "the operators of the validators are not named")
            .hint("give --operator-ids, all of the cluster's, or a keyshares file, which names them"));
    }
    let owner = named.owner(None)?;
    must_send_itself(&arguments.payload, owner)?;
    let network = arguments.payload.network.into();
    let context = Context { network, owner, source: None, operators: None, limit: VALIDATOR_LIMIT, costs: None };
    let mut parts = Vec::new();
    for (position, chunk) in named.keys.chunks(MOST_REMOVED).enumerate() {
        let call = Call::Exit { keys: Keys::of(chunk.to_vec()), operators: numbers(&operators) };
        preflight::check(&call, Wei::ZERO, &context).map_err(|error| Failure::rejected(&error))?;
        parts.push((position + 1, Payload { network, call, value: Wei::ZERO }));
    }
    let next = vec!["an exit cannot be taken back; the operators carry it out, the contract only asks them".to_owned()];
    let facts = owner.map(|owner| ("owner", owner.to_string())).into_iter().collect();
    let json = json!({"owner": owner.map(|owner| owner.to_string())});
    deliver(&Delivery { name: "exit", parts, owner, facts, json, next }, &arguments.payload, printer)
}

/// A list that is cut into calls is checked as a whole.
fn must_differ(keys: &[Vec<u8>]) -> Result<(), Failure> {
    let call = Call::Exit { keys: Keys::Many(keys.to_vec()), operators: vec![1, 2, 3, 4] };
    let context = Context {
        network: crate::format::network::Network::Mainnet,
        owner: None,
        source: None,
        operators: None,
        limit: VALIDATOR_LIMIT,
        costs: None,
    };
    preflight::check(&call, Wei::ZERO, &context).map_err(|error| Failure::rejected(&error))
}
