//! `dvkey ceremony status`: who has done what.

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::journal::Journal;
use serde::Serialize;

use super::{chosen_plan, gathered, gathered_of, numbers, show_aside, show_late, show_twice};
use crate::cli::args::ceremony::StatusArguments;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, all_named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, printable};
use crate::format::ceremony_file::{CeremonyFile, short};
use crate::store::ceremony_dir::JOURNAL;
use crate::store::read::{Source, read_bounded};
use crate::workflow::ceremony::collection::Collection;
use crate::workflow::ceremony::{CeremonyError, network_of};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonStatus {
    schema: &'static str,
    plan: String,
    title: String,
    participants: Vec<JsonRow>,
    missing_precommits: Vec<u64>,
    missing_deals: Vec<u64>,
    missing_certifies: Vec<u64>,
    certified_other_deals: Vec<u64>,
    open_complaints: Vec<u64>,
    two_deals: Vec<u64>,
    complete: bool,
    ended_by: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRow {
    id: u64,
    label: String,
    precommit: Option<bool>,
    deal: bool,
    certify: bool,
    complained: bool,
}

pub(super) fn run(arguments: &StatusArguments, printer: &Printer) -> Result<Exit, Failure> {
    let found = gathered(&arguments.paths)?;
    let accepted = arguments.paths.iter().find_map(|path| {
        let journal = read_bounded(&Source::File(path.join(JOURNAL)), 16 << 20).ok()?;
        Journal::parse(&String::from_utf8(journal).ok()?).ok()?.last_accepted()
    });
    let plan = match accepted.filter(|_| arguments.which.plan.is_none()) {
        // The one that the participant accepted, with what it overrode then.
        Some(hash) => found.of(CeremonyFile::Plan).find_map(|blob| {
            let waivers = dvkey_ceremony::agdkg::plan::Waivers { two_quorums: true, unbound_operators: true };
            let rsa = crate::crypto::ceremony_rsa::CeremonyRsa;
            let plan = dvkey_ceremony::agdkg::plan::Plan::parse(&blob.bytes, waivers, &rsa).ok()?;
            (*plan.hash() == hash).then_some(plan)
        }),
        None => None,
    };
    let plan = match plan {
        Some(plan) => plan,
        None => chosen_plan(&found, &arguments.which).inspect_err(|_| show_aside(&found.aside, printer))?,
    };
    let found = gathered_of(&arguments.paths, &plan)?;
    show_aside(&found.aside, printer);
    let collection = Collection::of(plan, &found);
    show_late(&collection, &found, printer);
    show(&collection, printer);
    show_twice(&collection, printer);
    Ok(Exit::Done)
}

fn deals(collection: &Collection, id: Identifier) -> bool {
    collection.deals.of(id).is_some_and(|deal| !deal.is_redacted())
}

/// Not done by a file for other deals than those that are here.
fn certifies(collection: &Collection, id: Identifier) -> bool {
    let transcript = collection.transcript();
    let here = |found: &[u8; 32]| transcript.is_none_or(|transcript| transcript == *found);
    collection.certifies.iter().any(|one| one.sender() == id && here(one.transcript()))
}

fn complained(collection: &Collection, id: Identifier) -> bool {
    collection.complaints.iter().any(|one| one.complainer() == id)
}

/// The grid, and what is missing.
pub(super) fn show(collection: &Collection, printer: &Printer) {
    let plan = &collection.plan;
    let precommit = plan.parameters().precommit;
    let precommitted = |id| collection.precommits.iter().any(|one| one.sender() == id);
    let end = collection.end();
    let (pre, deal, certify) =
        (collection.missing_precommits(), collection.missing_deals(), collection.missing_certifies());
    let (others, open) = (collection.certified_others(), collection.open_complaints());
    if printer.json() {
        printer.object(&JsonStatus {
            schema: "dvkey.ceremony-status/1",
            plan: hex::encode(plan.hash()),
            title: plan.parameters().title.clone(),
            participants: plan
                .participants()
                .iter()
                .map(|one| JsonRow {
                    id: one.id.get(),
                    label: one.card.label().to_owned(),
                    precommit: precommit.then(|| precommitted(one.id)),
                    deal: deals(collection, one.id),
                    certify: certifies(collection, one.id),
                    complained: complained(collection, one.id),
                })
                .collect(),
            missing_precommits: numbers(&pre),
            missing_deals: numbers(&deal),
            missing_certifies: numbers(&certify),
            certified_other_deals: numbers(&others),
            open_complaints: open.iter().map(|complaint| complaint.complainer().get()).collect(),
            two_deals: collection.others.keys().map(|id| id.get()).collect(),
            complete: [&pre, &deal, &certify, &others].into_iter().all(Vec::is_empty)
                && open.is_empty()
                && end.is_none(),
            ended_by: end.map(|end| end.fault.code().to_string()),
        });
        return;
    }
    let network = network_of(plan).map_or("unknown", |network| network.name());
    let head = format!(
        "{} {}: {network}, {}, {} of {} sign",
        printable(&plan.parameters().title),
        short(plan.hash()),
        count(usize::from(plan.validators()), "validator"),
        plan.threshold().t(),
        plan.threshold().n()
    );
    super::folded("", &head).iter().for_each(|line| printer.result(line));
    let mark = |done: bool| if done { tone(Tone::Good, "done") } else { tone(Tone::Faint, "-   ") };
    let last = |done: bool| if done { tone(Tone::Good, "done") } else { tone(Tone::Faint, "-") };
    let pre_head = if precommit { "pre-commit  " } else { "" };
    printer.result(&format!("      id  {:<28}  {pre_head}deal  certify", "participant"));
    for one in plan.participants() {
        let label: String = printable(one.card.label()).chars().take(28).collect();
        let pre = if precommit { format!("{}        ", mark(precommitted(one.id))) } else { String::new() };
        let mut line = format!(
            "{:>8}  {label:<28}  {pre}{}  {}",
            one.id.get(),
            mark(deals(collection, one.id)),
            last(certifies(collection, one.id))
        );
        if collection.others.contains_key(&one.id) {
            line += &format!("  {}", tone(Tone::Bad, "TWO DEALS"));
        }
        if others.contains(&one.id) {
            line += &format!("  {}", tone(Tone::Bad, "OTHER DEALS"));
        }
        if complained(collection, one.id) {
            line += &format!("  {}", tone(Tone::Odd, "complains"));
        }
        printer.result(line.trim_end());
    }
    let stage = [("pre-commits", pre), ("deals", deal), ("certify files", certify)];
    let told = |error: &CeremonyError| {
        let failure = Failure::ceremony(error, Some(plan));
        super::folded("", &failure.headline).iter().for_each(|line| printer.result(line));
        for hint in failure.hint.iter().flat_map(|hint| hint.lines()) {
            // A command is copied as it stands.
            let lines = if hint.starts_with("dvkey ") { vec![hint.to_owned()] } else { super::folded("", hint) };
            lines.iter().for_each(|line| printer.result(line));
        }
    };
    match (end, open.first(), stage.iter().find(|(_, missing)| !missing.is_empty())) {
        (Some(end), ..) => told(&CeremonyError::Ended(Box::new(end))),
        (None, Some(complaint), _) => {
            told(&CeremonyError::OtherDeal { complainer: complaint.complainer(), accused: complaint.accused() });
        }
        (None, None, _) if !others.is_empty() => told(&CeremonyError::OtherDeals(others)),
        (None, None, Some((what, missing))) => {
            let text = format!("missing: the {what} of {}", all_named(Some(plan), missing));
            super::folded("", &text).iter().for_each(|line| printer.result(line));
        }
        (None, None, None) => {
            printer.result("complete: dvkey ceremony assemble verifies all of it, and makes the results")
        }
    }
}
