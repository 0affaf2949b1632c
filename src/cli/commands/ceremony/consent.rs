//! What a human confirms before anything is dealt: the plan in full, the ends of addresses typed, words compared.

use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::{Address, WithdrawalCredentials};
use serde::Serialize;

use super::identity::three_of;
use super::{failed, folded, say, warn, word_rows};
use crate::cli::args::ceremony::ConsentArguments;
use crate::cli::codes::Code;
use crate::cli::commands::{parse_amount, parse_owner, parse_withdrawal_address};
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::prompt;
use crate::cli::ui::words::printable;
use crate::format::ceremony_file::short;
use crate::format::network::Network;
use crate::workflow::ceremony::{network_of, total_of, withdrawal_addresses};

/// Card words are shown for so many participants; each takes a moment.
const CARDS_SHOWN: usize = 13;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonPlan {
    schema: &'static str,
    hash: String,
    title: String,
    network: &'static str,
    chain_id: u64,
    validators: u16,
    amounts_gwei: Vec<u64>,
    withdrawal: Vec<String>,
    owner: Option<String>,
    first_nonce: Option<u64>,
    nonce_window: Option<u8>,
    threshold: usize,
    participants: Vec<JsonParticipant>,
    operator_proofs: bool,
    precommit: bool,
    words: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonParticipant {
    id: u64,
    label: String,
    bound: bool,
    card_words: Vec<&'static str>,
}

impl JsonPlan {
    pub(super) fn new(plan: &Plan) -> Self {
        let parameters = plan.parameters();
        Self {
            schema: "dvkey.ceremony-plan/1",
            hash: hex::encode(plan.hash()),
            title: parameters.title.clone(),
            network: network_of(plan).map_or("unknown", Network::name),
            chain_id: parameters.chain_id,
            validators: plan.validators(),
            amounts_gwei: parameters.amounts.iter().map(|amount| amount.get()).collect(),
            withdrawal: withdrawal_addresses(plan).iter().map(Address::to_checksum).collect(),
            owner: plan.ssv().map(|ssv| ssv.owner.to_checksum()),
            first_nonce: plan.ssv().map(|ssv| ssv.first_nonce),
            nonce_window: plan.ssv().map(|ssv| ssv.nonce_window),
            threshold: plan.threshold().t(),
            participants: plan
                .participants()
                .iter()
                .map(|one| JsonParticipant {
                    id: one.id.get(),
                    label: one.card.label().to_owned(),
                    bound: one.card.binding().is_some(),
                    card_words: if plan.participants().len() <= CARDS_SHOWN { one.card.words() } else { Vec::new() },
                })
                .collect(),
            operator_proofs: parameters.operator_proofs,
            precommit: parameters.precommit,
            words: plan.words(),
        }
    }
}

/// The plan as everybody sees it, at most 80 columns wide: who takes part, then what is agreed to, then the plan words.
pub(super) fn page(plan: &Plan, with_card_words: bool) -> Vec<String> {
    [people(plan, with_card_words), terms(plan, &withdrawals(plan)), words_of(plan)].concat()
}

/// What the plan is called, and who takes part. However many these are, they stand above all that is asked.
fn people(plan: &Plan, with_card_words: bool) -> Vec<String> {
    let mut lines = vec![format!("{} {}", tone(Tone::Bold, "Plan"), printable(&plan.parameters().title))];
    lines.extend(row("hash", &short(plan.hash())));
    let with_card_words = with_card_words && plan.participants().len() <= CARDS_SHOWN;
    lines.push(format!("  participants{}", if with_card_words { ", with their card words" } else { "" }));
    for one in plan.participants() {
        let bound = match (plan.ssv().is_some(), one.card.binding()) {
            (true, None) => ", NOT bound to an operator: its share is not sealed",
            _ => "",
        };
        lines.extend(folded(&format!("  {:>8}  ", one.id.get()), &format!("{}{bound}", printable(one.card.label()))));
        if with_card_words {
            lines.extend(folded(&format!("{:>12}", ""), &one.card.words().join(" ")));
        }
    }
    lines
}

/// What is agreed to. It has few rows, whatever the plan, so that all of it stands above the questions on a small screen.
fn terms(plan: &Plan, withdrawals: &[String]) -> Vec<String> {
    let parameters = plan.parameters();
    let mut lines = Vec::new();
    let (t, n) = (plan.threshold().t(), plan.threshold().n());
    let may_fail = if t == n { "none".to_owned() } else { (n - t).to_string() };
    lines.extend(row("threshold", &format!("any {t} of {n} sign; {may_fail} may fail")));
    if plan.has_two_quorums() {
        lines.extend(row("", "DANGER: two separate groups can sign against each other, and be slashed"));
    } else if t == n {
        lines.extend(row("", "if one share is lost, the validator stops for ever"));
    }
    if parameters.operator_proofs {
        lines.extend(row("proofs", "every operator signs for its share, with its RSA key at hand"));
    }
    if parameters.precommit {
        lines.extend(row("pre-commit", "one walk more: everybody commits before anybody deals"));
    }
    lines.extend(row("validators", &plan.validators().to_string()));
    if let Some(ssv) = plan.ssv() {
        let last = ssv.first_nonce.saturating_add(u64::from(plan.validators()).saturating_sub(1));
        let window = match ssv.nonce_window {
            1 => String::new(),
            more => format!(", each signed for {more} nonces in a row"),
        };
        lines.extend(row("nonces", &format!("{} to {last}{window}", ssv.first_nonce)));
    }
    let network = network_of(plan);
    let real = if network == Some(Network::Mainnet) { "REAL ETH" } else { "a test network, no real ETH" };
    let name = network.map_or("unknown", Network::name).to_uppercase();
    lines.extend(row("NETWORK", &format!("{name} (chain {}): {real}", parameters.chain_id)));
    let amounts: Vec<_> = parameters.amounts.iter().map(|amount| amount.to_string()).collect();
    lines.extend(row("AMOUNT", &format!("{} each, {} in all", amounts.join(" and "), total_of(plan))));
    withdrawals.iter().for_each(|text| lines.extend(row("WITHDRAWAL", text)));
    lines.extend(row("", "cannot be changed after the deposit"));
    lines.extend(owner(plan));
    lines
}

fn row(name: &str, value: &str) -> Vec<String> {
    folded(&format!("  {name:<13}"), value)
}

fn owner(plan: &Plan) -> Vec<String> {
    plan.ssv().map(|ssv| row("OWNER", &ssv.owner.to_checksum())).unwrap_or_default()
}

/// Each credentials of the plan: the address, and the type behind it.
fn withdrawals(plan: &Plan) -> Vec<String> {
    let text = |credentials: &WithdrawalCredentials| {
        let kind = credentials.to_bytes().first().copied().unwrap_or_default();
        let address = credentials.address().map(|address| address.to_checksum()).unwrap_or_default();
        format!("{address} (0x{kind:02x})")
    };
    let mut found: Vec<String> = Vec::new();
    for text in plan.parameters().credentials.iter().map(text) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn words_of(plan: &Plan) -> Vec<String> {
    let rows = word_rows(&plan.words()).into_iter().map(|row| format!("    {}", tone(Tone::Bold, &row)));
    std::iter::once("  plan words".to_owned()).chain(rows).collect()
}

/// What a script says that it expects.
#[derive(Debug, Default)]
struct Confirmed {
    network: Option<String>,
    amounts: Vec<u64>,
    withdrawals: Vec<Address>,
    owner: Option<Address>,
    words: Option<String>,
    validators: Option<String>,
}

impl ConsentArguments {
    pub(super) fn waivers(&self) -> Waivers {
        Waivers { two_quorums: self.allow_two_quorums, unbound_operators: self.allow_unbound }
    }
}

/// Has the plan confirmed: by a person, or by values that were given in full. `before`: the plan that is given up for it.
pub(super) fn confirm(
    plan: &Plan,
    before: Option<&Plan>,
    consent: &ConsentArguments,
    present: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let show = |lines: Vec<String>| lines.iter().for_each(|line| printer.message(line));
    if let Some(text) = &consent.confirm {
        // Nobody compares cards with a script, and each takes a moment.
        show(page(plan, false));
        warn_of(plan, before, printer);
        return agrees(plan, &parse(text)?);
    }
    if !present {
        show(page(plan, false));
        return Err(Failure::missing(
            "the confirmation of the plan",
            "--confirm network=…,amount=…,withdrawal=…,words=…",
        ));
    }
    // A question about what has left the screen is answered without a look at it: the last of what is asked about stands
    // directly above, and what does not fit there with the rest is shown again.
    let (all, addresses) = (withdrawals(plan), withdrawal_addresses(plan));
    let several = all.len() > 1;
    let listed =
        if several { vec![format!("{} of them, shown and asked for one by one", all.len())] } else { all.clone() };
    let asked = |lines: Vec<String>| lines.iter().for_each(|line| printer.say(line));
    show(people(plan, true));
    warn_of(plan, before, printer);
    asked(terms(plan, &listed));
    for address in addresses {
        let text = address.to_checksum();
        if several {
            all.iter().filter(|one| one.starts_with(&text)).for_each(|one| asked(row("WITHDRAWAL", one)));
        }
        let what = format!("Type the last six characters of the withdrawal address {}:", start(&address));
        read_back(&what, &end(&address), printer)?;
    }
    if let Some(ssv) = plan.ssv() {
        if several {
            asked(owner(plan));
        }
        let what = format!("Type the last six characters of the owner {}:", start(&ssv.owner));
        read_back(&what, &end(&ssv.owner), printer)?;
    }
    printer.message("");
    say(
        "Now the telephone. Each of you reads the ten plan words aloud, from a screen of its own. If one word differs, \
         somebody has another plan: stop.",
        printer,
    );
    asked(words_of(plan));
    let words = plan.words();
    for number in three_of(words.len())? {
        let expected = words.get(number).copied().unwrap_or_default();
        let question = format!("Word {}, as another participant reads it to you:", number + 1);
        let is_it = |answer: &str| match answer.eq_ignore_ascii_case(expected) {
            true => Ok(()),
            false => Err(Failure::new(Code::ConfirmDiffers, "that is not the word of this plan").hint(
                "if another reads it so, one of you has another plan: accept nothing, and compare all ten words",
            )),
        };
        prompt::ask(printer, &question, is_it)?;
    }
    Ok(())
}

/// Has the end of an address typed, as it is shown.
fn read_back(question: &str, expected: &str, printer: &Printer) -> Result<(), Failure> {
    prompt::read_back(printer, question, expected).map_err(|failure| {
        failure
            .hint("nothing was accepted. If the address is not the one that you know, ask the organizer about it first")
    })
}

fn start(address: &Address) -> String {
    address.to_checksum().get(..8).map(|start| format!("{start}…")).unwrap_or_default()
}

fn end(address: &Address) -> String {
    address.to_checksum().get(36..).unwrap_or_default().to_owned()
}

fn parse(text: &str) -> Result<Confirmed, Failure> {
    let mut confirmed = Confirmed::default();
    for part in text.split(',') {
        let refused = |problem: &str| {
            Failure::new(Code::ConfirmDiffers, format!("{:?} {problem}", part.trim()))
                .hint("the names are network, amount, withdrawal, owner, validators, words")
        };
        let pair = part.trim().split_once('=');
        let (name, value) = pair.ok_or_else(|| refused("is not of the form NAME=VALUE"))?;
        match name {
            "network" => confirmed.network = Some(value.to_owned()),
            "amount" => confirmed.amounts.push(parse_amount(value)?.get()),
            "withdrawal" => confirmed.withdrawals.push(parse_withdrawal_address(value)?),
            "owner" => confirmed.owner = Some(parse_owner(value)?),
            "validators" => confirmed.validators = Some(value.to_owned()),
            "words" => confirmed.words = Some(value.to_lowercase().replace([' ', '_', '.'], "-")),
            _ => return Err(refused("confirms nothing that a plan has")),
        }
    }
    Ok(confirmed)
}

/// Everything that a person would confirm is there, and is what the plan says.
fn agrees(plan: &Plan, confirmed: &Confirmed) -> Result<(), Failure> {
    let missing = |what: &str, name: &str| {
        Failure::missing(&format!("the confirmation of {what}"), &format!("--confirm {name}=…"))
    };
    let differs = |what: &str| {
        Failure::new(Code::ConfirmDiffers, format!("the plan has another {what} than was confirmed"))
            .hint("accept nothing; find out with the organizer whose value is right")
    };
    let network = confirmed.network.as_deref().ok_or_else(|| missing("the network", "network"))?;
    if network_of(plan).is_none_or(|own| own.name() != network) {
        return Err(differs("network"));
    }
    let mut amounts: Vec<u64> = plan.parameters().amounts.iter().map(|amount| amount.get()).collect();
    let mut given = confirmed.amounts.clone();
    amounts.sort_unstable();
    given.sort_unstable();
    match given.is_empty() {
        true => return Err(missing("the amount", "amount")),
        false if given != amounts => return Err(differs("amount")),
        false => {}
    }
    let mut addresses = withdrawal_addresses(plan);
    let mut given = confirmed.withdrawals.clone();
    addresses.sort_unstable_by_key(|address| *address.as_bytes());
    given.sort_unstable_by_key(|address| *address.as_bytes());
    given.dedup();
    match given.is_empty() {
        true => return Err(missing("the withdrawal address", "withdrawal")),
        false if given != addresses => return Err(differs("withdrawal address")),
        false => {}
    }
    match (plan.ssv(), confirmed.owner) {
        (Some(_), None) => return Err(missing("the owner", "owner")),
        (Some(ssv), Some(owner)) if ssv.owner != owner => return Err(differs("owner")),
        (None, Some(_)) => return Err(differs("owner: it has none")),
        _ => {}
    }
    if confirmed.validators.as_ref().is_some_and(|count| *count != plan.validators().to_string()) {
        return Err(differs("number of validators"));
    }
    let words = confirmed.words.as_deref().ok_or_else(|| missing("the plan words", "words"))?;
    match words == plan.words().join("-") {
        true => Ok(()),
        false => Err(differs("set of words").hint("somebody has another plan: stop, and compare by telephone")),
    }
}

/// What should be thought about first. Nothing of the machine's clock is believed, but a plan that says when it ends should
/// be read so.
fn warn_of(plan: &Plan, before: Option<&Plan>, printer: &Printer) {
    if let Some(before) = before {
        warn(&format!("this folder leaves the plan {} for another one, for good", short(before.hash())), printer);
    }
    let expires = plan.parameters().expires;
    if expires != 0 && expires < super::now() {
        warn("by this machine's clock the plan has expired; ask the organizer whether it still holds", printer);
    }
}

/// What a plan asks for that nobody can use.
pub(super) fn must_be_usable(plan: &Plan) -> Result<(), Failure> {
    crate::workflow::ceremony::draft::must_be_usable(plan).map_err(|error| failed(&error))
}
