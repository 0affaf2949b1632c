//! `dvkey verify`: the answer about each file, on stdout.

use std::collections::HashMap;

use dvkey_ceremony::PublicKey;
use serde::Serialize;

use super::{parse_nonce, parse_owner, read_operators};
use crate::cli::args::VerifyArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, ids, nonces, printable, short_key};
use crate::format::detect::Kind;
use crate::format::keyshares::Oddity;
use crate::workflow::verify::check::{Check, CheckResult, Report, Unknown, Verdict};
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
    };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Vec::new();
    for path in &arguments.paths {
        let findings = verify(path, &expected, jobs);
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
        all.push(findings);
    }
    warn_of_repeated(&all, printer);
    Ok(match overall(&all) {
        Overall::Valid => Exit::Done,
        Overall::CannotJudge => Exit::Refused,
        Overall::NotValid => Exit::No,
    })
}

/// A validator in two files would be registered twice; each file alone can still be right.
fn warn_of_repeated(all: &[Findings], printer: &Printer) {
    let mut first: HashMap<PublicKey, &str> = HashMap::new();
    for answer in all.iter().flat_map(|findings| &findings.answers) {
        let Outcome::Judged(report) = &answer.outcome else { continue };
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
        CannotJudge::Kind(Kind::DepositData | Kind::Proofs) | CannotJudge::CeremonyFolder => {
            Some("this version judges keyshares files only")
        }
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
        if why == Unknown::OwnerNonce {
            printer.message("  give --owner and --nonce to have the signature checked against them");
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
        for oddity in report.oddities.iter().take(SHOWN) {
            printer.result(&format!("  note: {}", describe_oddity(oddity)));
        }
    }
}

fn summary(report: &Report) -> String {
    let mut parts = vec![count(report.validators.len(), "validator")];
    if let (Some(first), Some(last)) = (report.validators.first(), report.validators.last()) {
        if let (Some(first), Some(last)) = (first.nonce, last.nonce) {
            parts.push(nonces(first, last));
        }
        let others = report.validators.iter().any(|line| line.operators != first.operators);
        parts.push(format!("operators {}{}", ids(&first.operators), if others { " and others" } else { "" }));
    }
    if let Some(owner) = report.owner {
        parts.push(format!("owner {owner}"));
    }
    if let Some(network) = &report.network {
        parts.push(format!("network {}", printable(network)));
    }
    parts.join(", ")
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
    printer.result(&tone(Tone::Faint, "   nonce  validator"));
    for line in report.validators.iter().take(most) {
        let nonce = line.nonce.map_or("?".to_owned(), |nonce| nonce.to_string());
        let key = match &line.public_key {
            Some(key) if printer.verbose() => key.to_string(),
            Some(key) => short_key(key),
            None => "not readable".to_owned(),
        };
        let state = if line.good { tone(Tone::Good, "ok") } else { tone(Tone::Bad, "NOT VALID") };
        printer.result(&format!("  {nonce:>6}  {key}  {state}"));
    }
    if report.validators.len() > most {
        printer.result(&format!("  and {} more; --verbose shows all", report.validators.len() - most));
    }
}

/// What is unusual, and who refuses it.
fn describe_oddity(oddity: &Oddity) -> String {
    let readers = refused_by(oddity);
    let readers = match readers.as_slice() {
        [] => "no known reader minds".to_owned(),
        _ => format!("refused by {}", readers.join(", ")),
    };
    let what = match oddity {
        Oddity::ByteOrderMark => "a byte order mark at the start".to_owned(),
        Oddity::NoVersion => "no version".to_owned(),
        Oddity::OtherVersion(version) => format!("version {version:?}"),
        Oddity::NoCreatedAt => "no createdAt".to_owned(),
        Oddity::SingleItem => "one item at the top level, the form before 1.0.7".to_owned(),
        Oddity::OldFieldName => "the payload's field is called `shares`, as before 1.0.1".to_owned(),
        Oddity::NoData => "no `data`".to_owned(),
        Oddity::MissingField(name) => format!("no data.{name}"),
        Oddity::UnknownField(name) => format!("an unknown field {name:?}"),
        Oddity::NonceAsText => "the nonce is a string".to_owned(),
        Oddity::NonceAsFraction => "the nonce is written with a fraction of zero".to_owned(),
        Oddity::OperatorKeyForm => "an operator key in another form than PEM or base64 of it".to_owned(),
        Oddity::SeveralClusters => {
            "the validators have different operators; each set must be registered in a call of its own".to_owned()
        }
        Oddity::IdsAsText => "operator ids are strings".to_owned(),
        Oddity::DataIdsAsText => "operator ids in data are strings".to_owned(),
        Oddity::UpperCaseHex => "hexadecimal in upper case".to_owned(),
        Oddity::NoHexPrefix => "hexadecimal without 0x".to_owned(),
        Oddity::OperatorsUnsorted => "data.operators is not in ascending order".to_owned(),
        Oddity::OwnerChecksum => "the owner's EIP-55 checksum does not hold".to_owned(),
    };
    format!("{what}; {readers}")
}

/// The readers that are known to refuse an oddity.
fn refused_by(oddity: &Oddity) -> Vec<&'static str> {
    const ALL: [&str; 3] = ["ssv-keys 1.1", "ssv-keys 1.2", "the SSV SDK"];
    match oddity {
        Oddity::ByteOrderMark | Oddity::NoVersion | Oddity::NonceAsText | Oddity::NoData | Oddity::OldFieldName => {
            ALL.to_vec()
        }
        Oddity::MissingField("operators") => vec!["the SSV SDK 0.1 (its check against a list of operators)"],
        Oddity::MissingField(_) => ALL.to_vec(),
        Oddity::IdsAsText | Oddity::SeveralClusters => vec!["the SSV SDK (its check against a list of operators)"],
        Oddity::OperatorKeyForm => ALL.to_vec(),
        Oddity::OtherVersion(version) => {
            let version = version.strip_prefix('v').unwrap_or(version);
            let reads =
                [version.starts_with("1.1."), version.starts_with("1.2."), ["1.1.0", "1.2.0"].contains(&version)];
            ALL.into_iter().zip(reads).filter(|(_, reads)| !reads).map(|(reader, _)| reader).collect()
        }
        _ => Vec::new(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonAnswer<'a> {
    schema: &'static str,
    file: &'a str,
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
}

impl<'a> JsonAnswer<'a> {
    fn new(answer: &'a Answer) -> Self {
        let mut object = Self {
            schema: "dvkey.verify/1",
            file: &answer.file,
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
            .map(|line| JsonValidator {
                public_key: line.public_key.map(|key| key.to_string()),
                nonce: line.nonce,
                operator_ids: line.operators.iter().map(|id| id.get()).collect(),
                valid: line.good,
            })
            .collect();
        object.notes = report.oddities.iter().map(describe_oddity).collect();
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
