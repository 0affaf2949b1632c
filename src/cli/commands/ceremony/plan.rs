//! `dvkey ceremony plan …`: make a plan, show it, accept it.

use std::path::PathBuf;

use dvkey_ceremony::agdkg::card::Card;
use dvkey_ceremony::agdkg::identity::{Identity, Root};
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::{Gwei, Identifier, WithdrawalCredentials};
use serde::Serialize;

use super::consent::{self, JsonPlan, must_be_usable};
use super::unlock::{is_present, root};
use super::{failed, form, gathered, read_plan, say, show_aside, told, write_new};
use crate::cli::args::CredentialsName;
use crate::cli::args::ceremony::{
    ConsentArguments, PlanAcceptArguments, PlanNewArguments, PlanShowArguments, VaultArguments,
};
use crate::cli::codes::Code;
use crate::cli::commands::{parse_amount, parse_nonce, parse_owner, parse_withdrawal_address};
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::printable;
use crate::crypto::ceremony_rsa::CeremonyRsa;
use crate::format::ceremony_file::{CeremonyFile, kept_name, short};
use crate::workflow::ceremony::draft::{Request, draft};
use crate::workflow::ceremony::folder::Folder;

const DAY: u64 = 86_400;

pub(super) fn new(arguments: &PlanNewArguments, printer: &Printer) -> Result<Exit, Failure> {
    let cards = read_cards(&arguments.cards, printer)?;
    let address = parse_withdrawal_address(&arguments.withdrawal)?;
    let amounts = match arguments.amount.as_slice() {
        [] => vec![Gwei::from_ether(32)],
        amounts => amounts.iter().map(|amount| parse_amount(amount)).collect::<Result<_, _>>()?,
    };
    let ssv = match (&arguments.owner, &arguments.nonce) {
        (Some(owner), Some(nonce)) => Some((parse_owner(owner)?, parse_nonce(nonce)?, arguments.nonce_window)),
        _ => None,
    };
    let created = super::now();
    let request = Request {
        cards,
        network: arguments.network.into(),
        validators: arguments.validators,
        credentials: match arguments.credentials {
            CredentialsName::Execution => WithdrawalCredentials::Execution(address),
            CredentialsName::Compounding => WithdrawalCredentials::Compounding(address),
        },
        amounts,
        threshold: arguments.threshold,
        ssv,
        proofs: arguments.proofs,
        precommit: arguments.precommit,
        title: arguments.title.clone(),
        created,
        expires: arguments.expires.map_or(0, |days| created.saturating_add(u64::from(days) * DAY)),
        waivers: Waivers { two_quorums: arguments.allow_two_quorums, unbound_operators: arguments.allow_unbound },
    };
    let plan = draft(&request).map_err(|error| failed(&error))?;
    let end = if arguments.armor { "txt" } else { "agdkg" };
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("plan-{}.{end}", short(plan.hash()))));
    write_new(&out, &form(plan.as_bytes(), arguments.armor))?;
    if !printer.quiet() {
        consent::page(&plan, true).iter().for_each(|line| printer.message(line));
    }
    say("next: this file goes to every participant; all of you compare the ten plan words by telephone", printer);
    if printer.json() {
        printer.object(&JsonPlan::new(&plan));
    }
    told("plan", "plan", &out, printer);
    Ok(Exit::Done)
}

/// Cards by path, folders, or `ID=CARD`.
fn read_cards(arguments: &[String], printer: &Printer) -> Result<Vec<(Option<Identifier>, Card)>, Failure> {
    let mut cards: Vec<(Option<Identifier>, Card)> = Vec::new();
    for argument in arguments {
        let split = argument.split_once('=').and_then(|(id, path)| Some((id.parse::<Identifier>().ok()?, path)));
        let (id, path) = split.map_or((None, argument.as_str()), |(id, path)| (Some(id), path));
        let found = gathered(&[PathBuf::from(path)])?;
        show_aside(&found.aside, printer);
        let mut here = Vec::new();
        for blob in found.of(CeremonyFile::Card) {
            let card = Card::parse(&blob.bytes, &CeremonyRsa)
                .map_err(|fault| Failure::fault(&fault, None).cause(printable(&blob.origin)))?;
            here.push(card);
        }
        // A bound card is made from one that is not: where both lie, the bound one is meant.
        let replaced = |card: &Card| {
            card.binding().is_none()
                && here.iter().any(|other| other.binding().is_some() && other.sign_pk() == card.sign_pk())
        };
        let here: Vec<_> = here.iter().filter(|card| !replaced(card)).cloned().collect();
        if here.is_empty() {
            return Err(Failure::new(Code::CeremonyFile, format!("{path}: no card is in it")));
        }
        if id.is_some() && here.len() > 1 {
            return Err(Failure::new(Code::CeremonyFile, format!("{path}: several cards, and one id for them")));
        }
        cards.extend(here.into_iter().map(|card| (id, card)));
    }
    Ok(cards)
}

pub(super) fn show(arguments: &PlanShowArguments, printer: &Printer) -> Result<Exit, Failure> {
    let bytes = read_plan(&arguments.plan)?;
    if arguments.armor {
        printer.text(&form(&bytes, true));
        return Ok(Exit::Done);
    }
    // What would be overridden is shown, and refused only when it is accepted.
    let waivers = Waivers { two_quorums: true, unbound_operators: true };
    let plan = Plan::parse(&bytes, waivers, &CeremonyRsa).map_err(|fault| Failure::fault(&fault, None))?;
    if printer.json() {
        printer.object(&JsonPlan::new(&plan));
    } else {
        consent::page(&plan, true).iter().for_each(|line| printer.result(line));
    }
    Ok(Exit::Done)
}

pub(super) fn accept(arguments: &PlanAcceptArguments, printer: &Printer) -> Result<Exit, Failure> {
    let mut folder = Folder::open(&arguments.folder).map_err(|error| failed(&error))?;
    let imported = folder.import(&[]).map_err(|error| failed(&error))?;
    show_aside(&imported.aside, printer);
    let bytes = match &arguments.plan {
        Some(path) => read_plan(path)?,
        None => one_new_plan(&folder)?,
    };
    accept_in(&mut folder, &bytes, &arguments.consent, &arguments.vault, &mut None, printer)?;
    printer.message(&format!("next: dvkey ceremony step {}", arguments.folder.display()));
    Ok(Exit::Done)
}

/// The one plan in a folder that is not the one that goes on already.
pub(super) fn one_new_plan(folder: &Folder) -> Result<Vec<u8>, Failure> {
    let current = folder.collection().map(|collection| collection.plan.as_bytes().to_vec());
    let mut plans = folder.plans().iter().filter(|plan| Some(*plan) != current.as_ref());
    match (plans.next(), plans.next()) {
        (Some(plan), None) => Ok(plan.clone()),
        (None, _) => Err(match current {
            Some(current) => return Ok(current),
            None => failed(&crate::workflow::ceremony::CeremonyError::NoPlan),
        }),
        _ => {
            let hint = format!(
                "compare their words by telephone, then name the one that is meant:\n\
                 dvkey ceremony plan accept {} PLAN",
                folder.dir().path().display()
            );
            let mut failure = Failure::new(Code::CeremonyPlan, "several plans are here").hint(hint);
            let others = folder.known_plans().into_iter().filter(|plan| Some(plan.as_bytes()) != current.as_deref());
            failure.causes = others
                .map(|plan| {
                    let path = folder.dir().kept().join(kept_name(CeremonyFile::Plan, plan.as_bytes()));
                    format!("{}  {}  {}", short(plan.hash()), path.display(), plan.parameters().title)
                })
                .collect();
            Err(failure)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonAccepted {
    schema: &'static str,
    event: &'static str,
    plan: String,
    id: u64,
}

/// Shows a plan, has it confirmed, and accepts it.
pub(super) fn accept_in(
    folder: &mut Folder,
    bytes: &[u8],
    consent: &ConsentArguments,
    vault: &VaultArguments,
    opened: &mut Option<Root>,
    printer: &Printer,
) -> Result<Plan, Failure> {
    let plan = Plan::parse(bytes, consent.waivers(), &CeremonyRsa).map_err(|fault| Failure::fault(&fault, None))?;
    must_be_usable(&plan)?;
    let present = is_present(vault, printer);
    let before = folder.collection().map(|collection| &collection.plan);
    if before != Some(&plan) {
        consent::confirm(&plan, before, consent, present, printer)?;
    }
    // Asked for once in a run, and only after the plan was confirmed.
    let root = match opened.take() {
        Some(root) => opened.insert(root),
        None => opened.insert(root(folder, vault, printer)?),
    };
    let identity = Identity::derive(root).map_err(|error| failed(&error.into()))?;
    let card = folder.bound_card(&identity, &plan);
    let me = folder.accept(plan.clone(), &identity, card.as_ref()).map_err(|error| failed(&error))?;
    printer.object(&JsonAccepted {
        schema: "dvkey.ceremony/1",
        event: "accepted",
        plan: hex::encode(plan.hash()),
        id: me.get(),
    });
    let accepted = tone(Tone::Good, "accepted:");
    say(&format!("{accepted} plan {} as {}", short(plan.hash()), named(Some(&plan), me)), printer);
    Ok(plan)
}
