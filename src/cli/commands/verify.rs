//! `dvkey verify`: the answer about each file, on stdout.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dvkey_ceremony::{Gwei, PublicKey, WithdrawalCredentials};
use serde::Serialize;

use super::oddities::{REHEARSAL, oddities};
use super::{parse_amount, parse_nonce, parse_owner, parse_withdrawal, read_operators};
use crate::cli::args::VerifyArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, ids, nonces, printable, short_key};
use crate::format::detect::Kind;
use crate::workflow::verify::check::{Check, CheckResult, Report, Subject, Unknown, Verdict};
use crate::workflow::verify::keyshares::Expected;
use crate::workflow::verify::{Answer, CannotJudge, Findings, Outcome, Overall, overall, verify};

/// How many failures and validators are shown without --verbose.
const SHOWN: usize = 20;

pub(in crate::cli) fn run(arguments: &VerifyArguments, printer: &Printer) -> Result<Exit, Failure> {
    let operators = arguments.operators.as_deref().map(read_operators).transpose()?;
    let expected = Expected {
        owner: arguments.owner.as_deref().map(parse_owner).transpose()?,
        nonce: arguments.nonce.as_deref().map(parse_nonce).transpose()?,
        network: arguments.network.map(Into::into),
        validators: arguments.validators,
        operators: operators.as_ref().map(|(list, _, _)| list),
        withdrawal: arguments.withdrawal.as_deref().map(parse_withdrawal).transpose()?,
        amount: arguments.amount.as_deref().map(parse_amount).transpose()?,
        held: None,
    };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let all = verify(&arguments.paths, arguments.proofs.as_deref(), &expected, jobs);
    for findings in &all {
        for answer in &findings.answers {
            if printer.json() {
                printer.object(&JsonAnswer::new(answer));
            } else {
                show(answer, printer);
            }
        }
        for (name, what) in &findings.strays {
            printer.object(&JsonStray { schema: "dvkey.verify/1", left_alone: name, what });
        }
        if !findings.strays.is_empty() && !printer.json() {
            let strays: Vec<_> =
                findings.strays.iter().map(|(name, what)| format!("{} ({what})", printable(name))).collect();
            printer.message(&format!("left alone: {}", strays.join(", ")));
        }
    }
    warn_of_repeated(&all, printer);
    warn_of_strangers(&all, printer);
    let uncompared = uncompared(&expected, &all);
    if !uncompared.is_empty() {
        // A yes would be taken for an answer to it.
        printer.warning(&format!("{} could be compared with nothing in these files", uncompared.join(", ")));
        if overall(&all) == Overall::Valid {
            printer.object(&JsonOpen { schema: "dvkey.verify/1", verdict: "cannot-judge", not_compared: &uncompared });
        }
    }
    Ok(match overall(&all) {
        Overall::Valid if uncompared.is_empty() => Exit::Done,
        Overall::Valid | Overall::CannotJudge => Exit::Refused,
        Overall::NotValid => Exit::No,
    })
}

/// What was given, and stands in none of the files that were judged.
fn uncompared(expected: &Expected<'_>, all: &[Findings]) -> Vec<&'static str> {
    let answers = all.iter().flat_map(|findings| &findings.answers);
    let reports: Vec<_> = answers
        .filter_map(|answer| match &answer.outcome {
            Outcome::Judged(report) => Some(&report.subject),
            Outcome::CannotJudge(_) => None,
        })
        .collect();
    if reports.is_empty() {
        return Vec::new();
    }
    let some = |fits: fn(&Subject) -> bool| reports.iter().any(|subject| fits(subject));
    let deposits = some(|subject| matches!(subject, Subject::Deposits(..) | Subject::Ceremony(..)));
    let keyshares = some(|subject| matches!(subject, Subject::Keyshares(_) | Subject::Ceremony(..)));
    let proofs = some(|subject| matches!(subject, Subject::Proofs));
    [
        ("--withdrawal", expected.withdrawal.is_some() && !deposits),
        ("--amount", expected.amount.is_some() && !deposits),
        ("--network", expected.network.is_some() && !deposits && !keyshares),
        ("--nonce", expected.nonce.is_some() && !keyshares),
        ("--owner", expected.owner.is_some() && !keyshares && !proofs),
        ("--operators", expected.operators.is_some() && !keyshares && !proofs),
    ]
    .into_iter()
    .filter_map(|(name, left_open)| left_open.then_some(name))
    .collect()
}

/// A validator in two files would be registered twice; each file alone can still be right.
fn warn_of_repeated(all: &[Findings], printer: &Printer) {
    let mut first: HashMap<PublicKey, &str> = HashMap::new();
    for answer in all.iter().flat_map(|findings| &findings.answers) {
        let Outcome::Judged(report) = &answer.outcome else { continue };
        // What is registered is what counts; deposit data and proofs of the same validators belong beside it.
        if !matches!(report.subject, Subject::Keyshares(_) | Subject::Ceremony(..)) {
            continue;
        }
        for key in report.validators.iter().filter_map(|line| line.public_key) {
            let earlier = *first.entry(key).or_insert(&answer.file);
            if earlier != answer.file {
                printer.warning(&format!(
                    "{} stands in {} and in {}; it can be registered once",
                    short_key(&key),
                    printable(earlier),
                    printable(&answer.file)
                ));
            }
        }
    }
}

/// Keyshares and deposits of different validators: one of the files may be the wrong one.
fn warn_of_strangers(all: &[Findings], printer: &Printer) {
    let keys = |fits: fn(&Subject) -> bool| -> BTreeSet<PublicKey> {
        let answers = all.iter().flat_map(|findings| &findings.answers);
        let reports = answers.filter_map(|answer| match &answer.outcome {
            Outcome::Judged(report) => Some(report).filter(|report| fits(&report.subject)),
            Outcome::CannotJudge(_) => None,
        });
        reports.flat_map(|report| &report.validators).filter_map(|line| line.public_key).collect()
    };
    let shared = keys(|subject| matches!(subject, Subject::Keyshares(_) | Subject::Ceremony(..)));
    let deposited = keys(|subject| matches!(subject, Subject::Deposits(..) | Subject::Ceremony(..)));
    if !shared.is_empty() && !deposited.is_empty() && shared != deposited {
        printer.warning(&format!(
            "keyshares and deposit data are not of the same validators: {} only with keyshares, {} only with a deposit",
            shared.difference(&deposited).count(),
            deposited.difference(&shared).count()
        ));
    }
}

fn show(answer: &Answer, printer: &Printer) {
    let file = printable(&answer.file);
    match &answer.outcome {
        Outcome::CannotJudge(why) => {
            printer.result(&format!(
                "{file}: {}: {}",
                tone(Tone::Odd, "CANNOT BE JUDGED"),
                printable(why.to_string().trim_start_matches(&format!("{}: ", answer.file)))
            ));
            if let Some(hint) = cannot_judge_hint(why) {
                printer.message(&format!("  {hint}"));
            }
            printer.message(&format!("  more: dvkey explain {}", Code::VerifyCannotJudge.text()));
        }
        Outcome::Judged(report) => show_report(&file, report, printer),
    }
}

fn cannot_judge_hint(why: &CannotJudge) -> Option<&'static str> {
    match why {
        CannotJudge::Kind(Kind::Keystore) => Some("a keystore is secret; `dvkey split` checks it when it opens it"),
        CannotJudge::Kind(Kind::Provenance) => Some("name the keyshares file beside it; the two are compared"),
        _ => None,
    }
}

/// Prints the whole report of a file.
pub(super) fn show_report(file: &str, report: &Report, printer: &Printer) {
    let verdict = match report.verdict {
        Verdict::Valid => tone(Tone::Good, "VALID"),
        Verdict::NotValid => tone(Tone::Bad, "NOT VALID"),
        Verdict::CannotJudge(_) => tone(Tone::Odd, "CANNOT BE JUDGED"),
    };
    printer.result(&format!("{file}: {verdict}, {}", summary(report)));
    if let Verdict::CannotJudge(why) = report.verdict {
        printer.result(&format!("  {why}"));
        match why {
            Unknown::OwnerNonce => {
                printer.message("  give --owner and --nonce to have the signature checked against them");
            }
            Unknown::NoOperatorsForProofs => {
                printer.message("  name keyshares.json together with the proofs, or give --operators");
            }
            _ => {}
        }
    }
    let failures: Vec<_> = report.failures().collect();
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for (check, position, reason) in failures.iter().take(most) {
        let place = position.map_or(String::new(), |position| format!("validator {}: ", position + 1));
        let reason = printable(&reason.to_string());
        printer.result(&format!("  {} {place}{reason}", tone(Tone::Bad, check.id())));
    }
    if failures.len() > most {
        printer.result(&format!("  and {} more; --verbose shows all", failures.len() - most));
    }
    if report.verdict == Verdict::NotValid {
        printer.message(&format!("  what each check means: dvkey explain {}", Code::VerifyNotValid.text()));
    }
    if report.is_rehearsal() {
        printer.warning(&format!("{file}: {REHEARSAL}"));
    }
    accounts(report, printer);
    if printer.verbose() {
        for (check, result) in &report.checks {
            printer.result(&check_line(*check, result));
        }
    }
    let network = report.result(Check::Network).and_then(|result| result.unknown);
    if printer.quiet()
        && let Some(why) = network
    {
        // It was asked for; a silent yes would be taken for an answer to it.
        printer.warning(&format!("{file}: the network was not checked: {why}"));
    }
    if !printer.quiet() {
        table(report, printer);
        let unknown = report.checks.iter().filter_map(|(check, result)| Some((check, result.unknown?)));
        for (check, why) in unknown.filter(|(_, why)| *why != Unknown::Blocked) {
            printer.result(&format!("  not checked: {} {} ({why})", check.id(), check.title()));
        }
        for oddity in oddities(report).iter().take(SHOWN) {
            printer.result(&format!("  note: {oddity}"));
        }
    }
}

fn summary(report: &Report) -> String {
    let what = match report.subject {
        Subject::Deposits(..) => "deposit",
        _ => "validator",
    };
    let mut parts = vec![count(report.validators.len(), what)];
    if let (Some(first), Some(last)) = (report.validators.first(), report.validators.last()) {
        if let (Some(first), Some(last)) = (first.nonce, last.nonce) {
            parts.push(nonces(first, last));
        }
        let others = report.validators.iter().any(|line| line.operators != first.operators);
        let known = !matches!(report.subject, Subject::Deposits(..) | Subject::Proofs) || !first.operators.is_empty();
        parts.extend(
            known.then(|| format!("operators {}{}", ids(&first.operators), if others { " and others" } else { "" })),
        );
    }
    if let Some(Some(first)) = report.deposits().first() {
        let others = report.deposits().iter().flatten();
        let same_amount = others.clone().all(|line| line.amount == first.amount);
        let same_account = others.clone().all(|line| line.credentials == first.credentials);
        let each = if report.deposits().len() > 1 { " each" } else { "" };
        let total = others.map(|line| u128::from(line.amount.get())).sum::<u128>();
        parts.push(match same_amount {
            true => format!("{}{each}", first.amount),
            false => format!("{} together", ether(total)),
        });
        parts.push(match same_account {
            true => credentials(&first.credentials),
            false => "withdrawal to several accounts".to_owned(),
        });
    }
    if let Some(owner) = report.owner {
        parts.push(format!("owner {owner}"));
    }
    if let Some(network) = &report.network {
        parts.push(format!("network {}", printable(network)));
    }
    parts.join(", ")
}

/// Each account that is paid, where there are several: one among a hundred is what matters.
fn accounts(report: &Report, printer: &Printer) {
    let mut paid: BTreeMap<String, (usize, u128)> = BTreeMap::new();
    for line in report.deposits().iter().flatten() {
        let (deposits, total) = paid.entry(credentials(&line.credentials)).or_default();
        *deposits += 1;
        *total += u128::from(line.amount.get());
    }
    if paid.len() < 2 {
        return;
    }
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for (account, (deposits, total)) in paid.iter().take(most) {
        printer.result(&format!("  {}, {}: {account}", count(*deposits, "deposit"), ether(*total)));
    }
    if paid.len() > most {
        printer.result(&format!("  and {} more accounts; --verbose shows all", paid.len() - most));
    }
}

/// Gwei in ETH, exactly.
fn ether(gwei: u128) -> String {
    u64::try_from(gwei).map_or_else(|_| format!("{gwei} Gwei"), |gwei| Gwei::new(gwei).to_string())
}

/// Whom the stake is paid to, and how much of it counts.
fn credentials(credentials: &WithdrawalCredentials) -> String {
    match credentials {
        WithdrawalCredentials::Bls(_) => format!("withdrawal to a BLS key ({credentials})"),
        WithdrawalCredentials::Execution(address) => format!("withdrawal to {address} (0x01)"),
        WithdrawalCredentials::Compounding(address) => format!("withdrawal to {address} (0x02)"),
    }
}

fn check_line(check: Check, result: &CheckResult) -> String {
    let state = if !result.failures.is_empty() {
        tone(Tone::Bad, "no     ")
    } else if result.held > 0 && result.unknown.is_some() {
        tone(Tone::Odd, "partly ")
    } else if result.held > 0 {
        tone(Tone::Good, "holds  ")
    } else {
        tone(Tone::Odd, "unknown")
    };
    let times = if result.held > 0 { format!(" ({})", result.held) } else { String::new() };
    format!("  {} {state} {}{times}", check.id(), check.title())
}

fn table(report: &Report, printer: &Printer) {
    if report.validators.is_empty() {
        return;
    }
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    let nonces = !matches!(report.subject, Subject::Deposits(..) | Subject::Proofs);
    printer.result(&tone(Tone::Faint, if nonces { "   nonce  validator" } else { "  number  validator" }));
    for (position, line) in report.validators.iter().enumerate().take(most) {
        let nonce = line.nonce.map_or("?".to_owned(), |nonce| nonce.to_string());
        let nonce = if nonces { nonce } else { (position + 1).to_string() };
        let key = match &line.public_key {
            Some(key) if printer.verbose() => key.to_string(),
            Some(key) => short_key(key),
            None => "not readable".to_owned(),
        };
        let state = if line.good { tone(Tone::Good, "ok") } else { tone(Tone::Bad, "NOT VALID") };
        let deposit = match report.deposits().get(position).copied().flatten() {
            Some(line) if printer.verbose() => format!("  {}, {}", line.amount, credentials(&line.credentials)),
            _ => String::new(),
        };
        printer.result(&format!("  {nonce:>6}  {key}  {state}{deposit}"));
    }
    if report.validators.len() > most {
        printer.result(&format!("  and {} more; --verbose shows all", report.validators.len() - most));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonAnswer<'a> {
    schema: &'static str,
    file: &'a str,
    kind: Option<&'static str>,
    verdict: &'static str,
    why: Option<String>,
    owner: Option<String>,
    network: Option<&'a str>,
    checks: Vec<JsonCheck>,
    validators: Vec<JsonValidator>,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonStray<'a> {
    schema: &'static str,
    left_alone: &'a str,
    what: &'a str,
}

/// The answer about all files, where options leave open what the files alone do not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonOpen<'a> {
    schema: &'static str,
    verdict: &'static str,
    not_compared: &'a [&'static str],
}

#[derive(Serialize)]
struct JsonCheck {
    id: &'static str,
    title: &'static str,
    result: &'static str,
    held: usize,
    failures: Vec<JsonReason>,
    unknown: Option<String>,
}

#[derive(Serialize)]
struct JsonReason {
    /// From 1, as people count.
    validator: Option<usize>,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonValidator {
    public_key: Option<String>,
    nonce: Option<u64>,
    operator_ids: Vec<u64>,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal_credentials: Option<String>,
    /// Gwei.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
}

impl<'a> JsonAnswer<'a> {
    fn new(answer: &'a Answer) -> Self {
        let mut object = Self {
            schema: "dvkey.verify/1",
            file: &answer.file,
            kind: None,
            verdict: "cannot-judge",
            why: None,
            owner: None,
            network: None,
            checks: Vec::new(),
            validators: Vec::new(),
            notes: Vec::new(),
        };
        let report = match &answer.outcome {
            Outcome::CannotJudge(why) => {
                object.why = Some(why.to_string());
                return object;
            }
            Outcome::Judged(report) => report,
        };
        object.kind = Some(match report.subject {
            Subject::Keyshares(_) => "keyshares",
            Subject::Deposits(..) => "deposit-data",
            Subject::Proofs => "proofs",
            Subject::Ceremony(..) => "ceremony",
        });
        object.verdict = match report.verdict {
            Verdict::Valid => "valid",
            Verdict::NotValid => "not-valid",
            Verdict::CannotJudge(why) => {
                object.why = Some(why.to_string());
                "cannot-judge"
            }
        };
        object.owner = report.owner.map(|owner| owner.to_checksum());
        object.network = report.network.as_deref();
        object.checks = report.checks.iter().map(|(check, result)| json_check(*check, result)).collect();
        object.validators = report
            .validators
            .iter()
            .enumerate()
            .map(|(position, line)| {
                let deposit = report.deposits().get(position).copied().flatten();
                JsonValidator {
                    public_key: line.public_key.map(|key| key.to_string()),
                    nonce: line.nonce,
                    operator_ids: line.operators.iter().map(|id| id.get()).collect(),
                    valid: line.good,
                    withdrawal_credentials: deposit.map(|line| line.credentials.to_string()),
                    amount: deposit.map(|line| line.amount.get()),
                }
            })
            .collect();
        object.notes = oddities(report);
        object
    }
}

fn json_check(check: Check, result: &CheckResult) -> JsonCheck {
    let verdict = match (result.failures.is_empty(), result.held) {
        (false, _) => "no",
        (true, 1..) if result.unknown.is_some() => "partly",
        (true, 1..) => "holds",
        (true, 0) => "unknown",
    };
    let failures = result.failures.iter().map(|(position, reason)| JsonReason {
        validator: position.map(|position| position + 1),
        reason: reason.to_string(),
    });
    JsonCheck {
        id: check.id(),
        title: check.title(),
        result: verdict,
        held: result.held,
        failures: failures.collect(),
        unknown: result.unknown.map(|why| why.to_string()),
    }
}
