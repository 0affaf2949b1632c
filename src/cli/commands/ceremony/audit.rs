//! `dvkey ceremony audit`: a ceremony replayed from its public files, one line for each numbered check.

use dvkey_ceremony::auditor::Finding;
use dvkey_ceremony::fault::{Check, Culprit, Fault};
use serde::Serialize;

use super::{chosen_plan, failed, folded, gathered, gathered_of, show_aside, show_late, warn};
use crate::cli::args::ceremony::AuditArguments;
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, all_named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, printable};
use crate::format::ceremony_file::{CeremonyFile, short};
use crate::workflow::ceremony::collection::Collection;
use crate::workflow::ceremony::judging;
use crate::workflow::ceremony::rehearse::explains_itself;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFinding {
    schema: &'static str,
    check: String,
    title: &'static str,
    finding: &'static str,
    code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonVerdict {
    schema: &'static str,
    valid: bool,
    plan: Option<String>,
    refused_by: Option<String>,
    strays: usize,
    evidence_against: Vec<u64>,
    validators: Vec<String>,
}

pub(super) fn run(arguments: &AuditArguments, printer: &Printer) -> Result<Exit, Failure> {
    let plans = gathered(&arguments.paths)?;
    let which = &arguments.which;
    // One plan that is wrong is refused by its number; which of several is meant, nobody can tell.
    let several = plans.of(CeremonyFile::Plan).count() > 1;
    let chosen = match chosen_plan(&plans, which) {
        Err(failure) if which.plan.is_some() || several => {
            show_aside(&plans.aside, printer);
            return Err(failure);
        }
        chosen => chosen.ok(),
    };
    let found = match &chosen {
        Some(plan) => gathered_of(&arguments.paths, plan)?,
        None => plans,
    };
    show_aside(&found.aside, printer);
    let audit = judging::audit(&found, chosen.as_ref(), which.waivers()).map_err(|error| failed(&error))?;
    let refusal = audit.refusal();
    let is_late = |check| audit.evidence.iter().any(|fault| fault.check == check);
    let told = |check| if is_late(check) { title_of_late(check) } else { title(check) };
    for (check, finding) in &audit.findings {
        let (word, shown) = match finding {
            Finding::Holds => ("holds", tone(Tone::Good, "ok  ")),
            Finding::Refuses(_) => ("refuses", tone(Tone::Bad, "NO  ")),
            Finding::NotReached => ("not-reached", tone(Tone::Faint, "-   ")),
        };
        printer.object(&JsonFinding {
            schema: "dvkey.ceremony-audit/1",
            check: format!("C-{:02}", check.number()),
            title: told(*check),
            finding: word,
            code: matches!(finding, Finding::Refuses(_)).then(|| check.code().to_string()),
        });
        if !printer.json() {
            printer.result(&format!("C-{:02}  {shown}{}", check.number(), told(*check)));
        }
    }
    let plan = audit.plan.as_ref();
    if printer.json() {
        let keys = audit.assembled.iter().flat_map(|made| &made.validators).map(|one| one.public_key.to_string());
        printer.object(&JsonVerdict {
            schema: "dvkey.ceremony-audit/1",
            valid: refusal.is_none(),
            plan: plan.map(|plan| hex::encode(plan.hash())),
            refused_by: refusal.map(|fault| format!("C-{:02}", fault.check.number())),
            strays: audit.strays.len(),
            evidence_against: audit.evidence.iter().filter_map(culprit).collect(),
            validators: keys.collect(),
        });
    }
    if !audit.strays.is_empty() {
        printer.message(&format!("left alone: {} of this plan that cannot be read", count(audit.strays.len(), "file")));
    }
    let Some(fault) = refusal else {
        if let Some(plan) = plan.filter(|_| !audit.evidence.is_empty()) {
            show_late(&Collection::of(plan.clone(), &found), &found, printer);
        }
        if let (Some(plan), Some(made), false) = (plan, &audit.assembled, printer.json()) {
            let (t, n) = (plan.threshold().t(), plan.threshold().n());
            let keys = count(made.validators.len(), "key");
            let text = format!(
                "{} {}: {keys}, each the sum of {n} contributions, and {n} participants proved that they hold their shares; \
                 any {t} of them sign, and fewer learn nothing",
                printable(&plan.parameters().title),
                short(plan.hash())
            );
            folded("", &text).iter().for_each(|line| printer.result(line));
            explains_itself(plan).iter().for_each(|line| warn(line, printer));
        }
        return Ok(Exit::Done);
    };
    let failure = Failure::fault(&fault, plan).code(Code::CeremonyNotValid);
    // The check itself accuses nobody; whose file it is can be said all the same.
    Err(match plan.filter(|_| fault.check == Check::CertifyTranscript) {
        Some(plan) => {
            let others = Collection::of(plan.clone(), &found).certified_others();
            failure.cause(format!("of other deals: the certify files of {}", all_named(Some(plan), &others)))
        }
        None => failure,
    })
}

fn culprit(fault: &Fault) -> Option<u64> {
    match fault.culprit {
        Culprit::Participant(id) => Some(id.get()),
        _ => None,
    }
}

/// What holds where somebody signed another file after everybody had certified.
fn title_of_late(check: Check) -> &'static str {
    match check {
        Check::DealTwice => "of two deals of one sender, everybody certified the same",
        _ => "every deal is one that was committed to, and another commitment came late",
    }
}

/// What holds when a check does not refuse.
fn title(check: Check) -> &'static str {
    match check {
        Check::CardForm => "every card has the form of a card",
        Check::CardKeys => "every key of a card is one, in the group",
        Check::CardSignature => "every card is signed by its author",
        Check::CardProof => "every card's author can decrypt what is sent to it",
        Check::BindingKey => "every operator key is a lawful RSA key in its one encoding",
        Check::BindingSignature => "every operator's RSA key signed its card",
        Check::PlanForm => "there is one plan, and it is whole",
        Check::PlanKind => "the plan asks for a ceremony that this version does",
        Check::PlanFlags => "the plan has known flags only",
        Check::PlanLimits => "threshold and counts are allowed",
        Check::PlanEntries => "the participants are in order, and deal and hold",
        Check::PlanDuplicateKeys => "no two participants have the same key",
        Check::PlanSsv => "an SSV plan is one for an SSV cluster",
        Check::PlanBinding => "every card is bound to the operator that the plan names",
        Check::PlanAmounts => "every amount is one that the deposit contract takes",
        Check::PlanCredentials => "withdrawal credentials are 0x01 or 0x02 and an address",
        Check::PlanNetwork => "fork version and chain id are those of one network",
        Check::PlanNonce => "the nonces stay within the range of a nonce",
        Check::PrecommitMissing => "every pre-commit that the plan asks for is there",
        Check::PrecommitMatch => "every deal is the one that was committed to",
        Check::DealTwice => "nobody signed two different deals",
        Check::DealDecode => "every point and number of every deal is one",
        Check::DealEphemeral => "every dealer knows its ephemeral key",
        Check::DealConstant => "every dealer knows what it contributes to each key",
        Check::DealMissing => "every deal is there",
        Check::OutputCoefficient => "no coefficient of a key's polynomial vanishes",
        Check::OutputShareKey => "no share public key vanishes",
        Check::OutputDistinct => "no two validators have the same key",
        Check::OutputSelfTest => "the share public keys make the validator keys",
        Check::CertifyTranscript => "everybody certified these deals",
        Check::CertifyOutputs => "everybody certified these keys",
        Check::CertifyCertSignature => "every certificate signature is right",
        Check::CertifyDecode => "every point and number of every certify file is one",
        Check::CertifyPossession => "everybody proved to have its shares",
        Check::CertifyPartial => "every partial signature is right",
        Check::CertifyProof => "every operator proof is right",
        Check::CertifyMissing => "every certify file is there",
        Check::CombinedSignature => "the combined signatures are those of the validator keys",
        Check::CertificateForm => "every certificate is whole",
        Check::CertificatePlan => "every certificate is for this plan",
        Check::CertificateTranscript => "every certificate is for these deals",
        Check::CertificateOutputs => "every certificate is for these keys",
        Check::CertificateHolders => "every certificate lists all participants in order",
        Check::CertificateSignature => "every signature of every certificate is right",
        Check::BundleForm => "the bundle is whole",
        other => other.refusal(),
    }
}
