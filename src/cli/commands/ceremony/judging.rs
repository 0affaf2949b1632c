//! `dvkey ceremony judge` and `compare`: who lied, and whose deals differ. Public files are enough.

use std::path::PathBuf;

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::judge::Verdict;
use dvkey_ceremony::agdkg::plan::Plan;
use dvkey_ceremony::fault::{Check, Culprit, Fault};
use serde::Serialize;

use super::{chosen_plan, collected, failed, folded, gathered, gathered_of, numbers, show_aside, told, write_new};
use crate::cli::args::ceremony::{CompareArguments, PublicArguments};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, all_named, named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::workflow::ceremony::collection::Collection;
use crate::workflow::ceremony::judging::{self, Judged};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonVerdict {
    schema: &'static str,
    complainer: Option<u64>,
    accused: u64,
    verdict: &'static str,
    guilty: Option<u64>,
    check: Option<String>,
    code: Option<String>,
}

pub(super) fn judge(arguments: &PublicArguments, printer: &Printer) -> Result<Exit, Failure> {
    let collection = collected(&arguments.paths, &arguments.which, printer)?;
    let plan = &collection.plan;
    let verdicts = judging::judge(&collection);
    let mut guilty = None;
    for judged in &verdicts {
        let (who, fault) = show_verdict(judged, plan, printer);
        if let (Some(_), Some(fault)) = (who, fault) {
            guilty = Some(fault);
        }
    }
    for fault in judging::on_their_face(&collection).map_err(|error| failed(&error))? {
        show_fault(&fault, plan, printer);
        guilty = Some(fault);
    }
    if verdicts.is_empty() && guilty.is_none() {
        return Err(Failure::new(
            Code::CeremonyFile,
            "there is no complaint to judge, and nothing here proves anything",
        )
        .hint("give the evidence; or the plan, the complaint, and the deal that it is about"));
    }
    match guilty {
        Some(fault) => Err(Failure::fault(&fault, Some(plan)).code(Code::CeremonyFault)),
        None if verdicts.iter().any(|judged| judged.other_deal) => {
            let judged = verdicts.iter().find(|judged| judged.other_deal).ok_or_else(Failure::bug)?;
            Err(Failure::other_deal(judged.complainer, judged.accused, Some(plan)))
        }
        None if verdicts.iter().any(|judged| judged.verdict.is_none()) => {
            Err(Failure::new(Code::CeremonyWaiting, "the deal that the complaint is about is not here, or is redacted")
                .hint("give the full deal of the accused, too"))
        }
        None => Ok(Exit::Done),
    }
}

/// Says what files prove by themselves.
fn show_fault(fault: &Fault, plan: &Plan, printer: &Printer) {
    let Culprit::Participant(guilty) = fault.culprit else { return };
    printer.object(&JsonVerdict {
        schema: "dvkey.ceremony-verdict/1",
        complainer: None,
        accused: guilty.get(),
        verdict: "guilty-on-its-face",
        guilty: Some(guilty.get()),
        check: Some(format!("C-{:02}", fault.check.number())),
        code: Some(fault.code().to_string()),
    });
    if !printer.json() {
        printer.result(&tone(Tone::Bad, "guilty:"));
        let what = match fault.check {
            Check::DealTwice => "signed two different deals",
            _ => fault.check.refusal(),
        };
        let text = format!("{}: {what} (C-{:02}, {})", named(Some(plan), guilty), fault.check.number(), fault.code());
        folded("  ", &text).iter().for_each(|line| printer.result(line));
    }
}

/// Says a verdict; returns who is guilty by it, and of what.
pub(super) fn show_verdict(judged: &Judged, plan: &Plan, printer: &Printer) -> (Option<Identifier>, Option<Fault>) {
    let (complainer, accused) = (named(Some(plan), judged.complainer), named(Some(plan), judged.accused));
    let (word, guilty, text) = match &judged.verdict {
        None if judged.other_deal => {
            ("not-judged", None, format!("{complainer} complains about another deal of {accused} than the one here"))
        }
        None => ("not-judged", None, format!("the deal of {accused} is needed in full")),
        Some(Verdict::DealerGuilty(_)) => {
            ("dealer-guilty", Some(judged.accused), format!("{accused} sent {complainer} a wrong share"))
        }
        Some(Verdict::AccusedGuilty(_)) => {
            ("accused-guilty", Some(judged.accused), format!("the deal of {accused} is wrong on its face"))
        }
        Some(Verdict::ComplainerGuilty(_)) => {
            ("complainer-guilty", Some(judged.complainer), format!("{complainer} complains about {accused} falsely"))
        }
        Some(Verdict::Invalid(_)) => ("invalid", None, "this is no complaint about a deal that is here".to_owned()),
    };
    let fault = judged.verdict.map(|verdict| verdict.fault());
    printer.object(&JsonVerdict {
        schema: "dvkey.ceremony-verdict/1",
        complainer: Some(judged.complainer.get()),
        accused: judged.accused.get(),
        verdict: word,
        guilty: guilty.map(Identifier::get),
        check: fault.map(|fault| format!("C-{:02}", fault.check.number())),
        code: fault.map(|fault| fault.code().to_string()),
    });
    if !printer.json() {
        let why = fault.map_or(String::new(), |fault| {
            format!(": {} (C-{:02}, {})", fault.check.refusal(), fault.check.number(), fault.code())
        });
        if guilty.is_some() {
            printer.result(&tone(Tone::Bad, "guilty:"));
        }
        for line in folded("  ", &format!("{text}{why}")) {
            printer.result(&line);
        }
    }
    (guilty, fault)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCompared {
    schema: &'static str,
    same: Vec<u64>,
    two_faced: Vec<u64>,
    missing_in_first: Vec<u64>,
    missing_in_second: Vec<u64>,
    evidence: Vec<String>,
}

pub(super) fn compare(arguments: &CompareArguments, printer: &Printer) -> Result<Exit, Failure> {
    let sets: Result<Vec<_>, Failure> =
        [&arguments.first, &arguments.second].map(|path| gathered(std::slice::from_ref(path))).into_iter().collect();
    let sets = sets?;
    let [first, second] = sets.as_slice() else { return Err(Failure::bug()) };
    // The plan may be in one of the two only.
    let plan = match chosen_plan(first, &arguments.which) {
        Ok(plan) => plan,
        Err(_) => chosen_plan(second, &arguments.which)
            .inspect_err(|_| [first, second].iter().for_each(|found| show_aside(&found.aside, printer)))?,
    };
    let of_plan = |path: &PathBuf| -> Result<Collection, Failure> {
        let found = gathered_of(std::slice::from_ref(path), &plan)?;
        show_aside(&found.aside, printer);
        Ok(Collection::of(plan.clone(), &found))
    };
    let (first, second) = (of_plan(&arguments.first)?, of_plan(&arguments.second)?);
    let compared = judging::compare(&plan, &first, &second);
    let mut written = Vec::new();
    for (id, evidence) in &compared.two_faced {
        let out = match &arguments.out {
            Some(out) if compared.two_faced.len() == 1 => out.clone(),
            Some(out) => out.with_file_name(format!("evidence-{id}.agdkg")),
            None => PathBuf::from(format!("evidence-{id}.agdkg")),
        };
        write_new(&out, evidence)?;
        written.push(out);
    }
    let two_faced: Vec<_> = compared.two_faced.iter().map(|(id, _)| *id).collect();
    printer.object(&JsonCompared {
        schema: "dvkey.ceremony-compare/1",
        same: numbers(&compared.same),
        two_faced: numbers(&two_faced),
        missing_in_first: numbers(&compared.missing.0),
        missing_in_second: numbers(&compared.missing.1),
        evidence: written.iter().map(|path| path.display().to_string()).collect(),
    });
    if !printer.json() {
        let say = |what: &str, ids: &[Identifier]| {
            if !ids.is_empty() {
                folded("", &format!("{what} {}", all_named(Some(&plan), ids))).iter().for_each(|l| printer.result(l));
            }
        };
        say("the same in both: the deals of", &compared.same);
        say("missing in the first: the deals of", &compared.missing.0);
        say("missing in the second: the deals of", &compared.missing.1);
        say("TWO DIFFERENT DEALS:", &two_faced);
    }
    match two_faced.first() {
        Some(id) => {
            if !printer.json() {
                written.iter().for_each(|path| told("evidence", "bundle", path, printer));
            }
            Err(Failure::fault(&Fault::of(Check::DealTwice, *id), Some(&plan)))
        }
        None => Ok(Exit::Done),
    }
}
