//! `dvkey tx`: what an account sends to the SSV contract, built, written and explained.

mod batch;
mod cluster;
mod decode;
mod deliver;
mod next;
mod operator;
mod register;
mod validators;
mod words;

use std::path::Path;

use dvkey_ceremony::{Address, OperatorId};
use serde_json::json;

use crate::cli::args::tx::{CostArguments, PayloadArguments, TxCommand};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::Printer;
use crate::format::amount::Wei;
use crate::format::cluster_snapshot::{self, ClusterSnapshot, Wanted};
use crate::format::contract::call::Call;
use crate::format::contract::snapshot::Snapshot;
use crate::format::network::Network;
use crate::store::read::{Source, read_bounded};
use crate::workflow::payload::Payload;
use crate::workflow::payload::costs::Costs;
use crate::workflow::payload::preflight::{self, Context, VALIDATOR_LIMIT};

use deliver::{Delivery, deliver};

pub(in crate::cli) fn run(command: &TxCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        TxCommand::Register(arguments) => register::run(arguments, printer),
        TxCommand::Remove(arguments) => cluster::remove(arguments, printer),
        TxCommand::Exit(arguments) => cluster::exit(arguments, printer),
        TxCommand::Deposit(arguments) => cluster::deposit(arguments, printer),
        TxCommand::Withdraw(arguments) => cluster::withdraw(arguments, printer),
        TxCommand::Reactivate(arguments) => cluster::reactivate(arguments, printer),
        TxCommand::Migrate(arguments) => cluster::migrate(arguments, printer),
        TxCommand::FeeRecipient { recipient, payload } => {
            let call = Call::FeeRecipient(address("the recipient", recipient)?);
            let next = "this is for all validators of the sending account, on every cluster";
            single("fee-recipient", call, payload, vec![next.to_owned()], printer)
        }
        TxCommand::Next(arguments) => next::run(arguments, printer),
        TxCommand::Decode { input } => decode::run(input, printer),
        TxCommand::Batch { files, out, force } => batch::run(files, out, *force, printer),
        TxCommand::OperatorRegister { .. }
        | TxCommand::OperatorRemove { .. }
        | TxCommand::OperatorFee(_)
        | TxCommand::OperatorWhitelist(_)
        | TxCommand::OperatorPrivacy { .. }
        | TxCommand::OperatorWithdraw { .. } => operator::run(command, printer),
    }
}

/// Checks and delivers one call that is about no cluster and carries no ether.
fn single(
    name: &str,
    call: Call,
    arguments: &PayloadArguments,
    next: Vec<String>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let network: Network = arguments.network.into();
    let context = Context { network, owner: None, source: None, operators: None, limit: VALIDATOR_LIMIT, costs: None };
    preflight::check(&call, Wei::ZERO, &context).map_err(|error| Failure::rejected(&error))?;
    let payload = Payload { network, call, value: Wei::ZERO };
    let parts = vec![(1, payload)];
    deliver(&Delivery { name, parts, owner: None, facts: Vec::new(), json: json!({}), next }, arguments, printer)
}

fn amount(flag: &str, text: &str) -> Result<Wei, Failure> {
    text.parse().map_err(|error| Failure::amount(flag, &error))
}

fn address(flag: &str, text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|error| Failure::address(flag, &error))
}

fn operator_id(text: &str) -> Result<OperatorId, Failure> {
    text.trim().parse().map_err(|error: dvkey_ceremony::identifier::IdentifierError| {
        Failure::new(Code::OperatorsId, format!("operator id: {error}"))
    })
}

/// Ids as they were typed, ascending; one that stands twice stays, and is refused with its name.
fn operator_ids(texts: &[String]) -> Result<Vec<OperatorId>, Failure> {
    let mut ids = texts.iter().map(|text| operator_id(text)).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

fn numbers(ids: &[OperatorId]) -> Vec<u64> {
    ids.iter().map(|id| id.get()).collect()
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let source = Source::from_arg(path);
    read_bounded(&source, limit).map_err(|error| Failure::read(Code::FileUnreadable, &error))
}

/// Reads the snapshot of the cluster that is meant. Where the source does not say whose it is, nobody can compare.
fn snapshot(path: &Path, wanted: Wanted<'_>, printer: &Printer) -> Result<ClusterSnapshot, Failure> {
    let bytes = read(path, cluster_snapshot::MAX_BYTES)?;
    let name = Source::from_arg(path).to_string();
    let found = ClusterSnapshot::parse(&bytes, wanted).map_err(|error| Failure::snapshot(&name, &error))?;
    let unnamed = match (&found.owner, &found.operators) {
        (None, None) => "neither its owner nor its operators",
        (None, Some(_)) => "its operators, but not its owner",
        (Some(_), None) => "its owner, but not its operators",
        (Some(_), Some(_)) => return Ok(found),
    };
    printer.warning(&format!(
        "{name} names {unnamed}: it could not be matched, and that it is the snapshot of this very cluster is taken on trust"
    ));
    Ok(found)
}

/// The figures of the liquidation test, which are given together or not at all.
fn costs(arguments: &CostArguments) -> Result<Option<Costs>, Failure> {
    let (Some(fees), Some(threshold), Some(minimum)) =
        (&arguments.fees, arguments.liquidation_period, &arguments.min_collateral)
    else {
        return Ok(None);
    };
    Ok(Some(Costs {
        fees: amount("--fees", fees)?,
        threshold,
        minimum: amount("--min-collateral", minimum)?,
        effective_balance: arguments.effective_balance,
    }))
}

/// What the contract tests and nobody here has the figures for.
const NOT_TESTED: &str = "not checked: whether the balance passes the contract's liquidation test; give --fees, \
    --liquidation-period and --min-collateral, or simulate the call";

/// The contract takes any deposit, enough or not.
const NOT_COVERED: &str = "not checked: whether the cluster can still be liquidated afterwards; give --fees, \
    --liquidation-period and --min-collateral";

/// A snapshot holds the balance of its last transaction.
const NOT_SETTLED: &str = "not checked: what has run up since the snapshot; the balance on chain is less than the one that \
    was tested here";

/// What the contract asks of each operator and nobody here knows.
const OPERATORS_UNKNOWN: &str = "not checked: whether the operators are there, take this owner and have room; give \
    --operators, or simulate the call";

/// What stays untested of the liquidation rule, where a balance counts.
fn untested(costs: Option<&Costs>, before: Option<&Snapshot>) -> Option<&'static str> {
    match (costs, before) {
        (None, _) => Some(NOT_TESTED),
        (Some(_), Some(before)) if before.active && before.validator_count > 0 => Some(NOT_SETTLED),
        _ => None,
    }
}
