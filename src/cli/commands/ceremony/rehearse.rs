//! `dvkey ceremony rehearse`: the whole ceremony on one machine, with the screens of a real one.

use dvkey_ceremony::Identifier;
use serde::Serialize;

use super::{consent, failed, folded, judging, late, status, warn};
use crate::cli::args::ceremony::RehearseArguments;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, named};
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::workflow::ceremony::rehearse::{Cheat, OUTPUT, Outcome, PASSPHRASE, Request, Scene, rehearse};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRehearsed {
    schema: &'static str,
    folder: String,
    plan: String,
    cheat: Option<String>,
    blamed: Option<u64>,
    code: Option<String>,
    files: Vec<String>,
}

pub(super) fn run(arguments: &RehearseArguments, printer: &Printer) -> Result<Exit, Failure> {
    let cheat: Option<Cheat> =
        arguments.cheat.as_deref().map(str::parse).transpose().map_err(|error| failed(&error))?;
    let request = Request {
        participants: usize::from(arguments.participants),
        validators: arguments.validators,
        network: arguments.network.into(),
        out: arguments.out.clone(),
        cheat,
        now: super::now(),
        jobs: super::jobs(),
    };
    printer.message(&format!("{} throwaway keys; nothing of this is real", tone(Tone::Odd, "REHEARSAL:")));
    let outcome = rehearse(&request, &|scene| show(&scene, printer)).map_err(|error| failed(&error))?;
    end(arguments, cheat, &outcome, printer);
    Ok(Exit::Done)
}

fn show(scene: &Scene<'_>, printer: &Printer) {
    match scene {
        Scene::Identity { name, folder } => {
            printer.message(&format!("{name} makes an identity in {}, and a card", folder.display()));
        }
        Scene::Plan(_) if printer.json() || printer.quiet() => {}
        Scene::Plan(plan) => {
            printer.message("");
            printer.message("Everybody is shown the plan, types the ends of the addresses, and compares the words:");
            consent::page(plan, true).iter().for_each(|line| printer.message(line));
            printer.message("");
        }
        Scene::Sent { name, kind } => printer.message(&format!("{name} puts {} onto the stick", kind.words())),
        Scene::Round(collection) => {
            printer.message("");
            if !printer.json() && !printer.quiet() {
                status::show(collection, printer);
            }
            printer.message("");
        }
        Scene::Cheated { name, cheat } => {
            printer.message(&format!("{} {name} {}", tone(Tone::Odd, "CHEAT:"), cheat.words()));
        }
        Scene::Told { name, error, collection } => {
            let failure = Failure::ceremony(error, Some(&collection.plan));
            let text = format!("{name} is told: {}", failure.headline);
            folded("", &text).iter().for_each(|line| printer.message(line));
            if let Some(hint) = &failure.hint {
                folded("  ", &format!("hint: {hint}")).iter().for_each(|line| printer.message(line));
            }
        }
        Scene::Verdict { judged, collection } => {
            printer.message("Everybody judges the complaint, and finds:");
            if !printer.json() {
                judging::show_verdict(judged, &collection.plan, printer);
            }
        }
        Scene::Late { end, file, collection } => {
            warn(&late(end, &collection.plan, &[file.display().to_string()]), printer);
        }
        Scene::Assembled(files) => {
            printer.message("The collector assembles; all of it is read back and judged:");
            files.iter().for_each(|file| printer.message(&format!("  {}", file.display())));
        }
    }
}

fn end(arguments: &RehearseArguments, cheat: Option<Cheat>, outcome: &Outcome, printer: &Printer) {
    let out = arguments.out.display();
    printer.object(&JsonRehearsed {
        schema: "dvkey.ceremony-rehearsal/1",
        folder: out.to_string(),
        plan: hex::encode(outcome.plan.hash()),
        cheat: cheat.map(|cheat| cheat.to_string()),
        blamed: outcome.blamed.as_ref().map(|(id, _)| Identifier::get(*id)),
        code: outcome.blamed.as_ref().map(|(_, code)| code.clone()),
        files: outcome.files.iter().map(|file| file.display().to_string()).collect(),
    });
    if printer.json() {
        return;
    }
    printer.message("");
    match (&outcome.blamed, cheat) {
        (Some((id, code)), Some(Cheat::Silent)) => {
            let who = named(Some(&outcome.plan), *id);
            printer.message(&format!("{who} is missing ({code}), and not blamed: nobody can prove an absence."));
        }
        (Some((id, code)), _) => {
            let who = named(Some(&outcome.plan), *id);
            printer.message(&format!("{} {who} was found out ({code}).", tone(Tone::Good, "done:")));
            printer.message(match outcome.files.is_empty() {
                true => "No key came of it: the group makes a new plan without the cheat.",
                false => "Everybody had certified before: the keys are made, and the proof is kept.",
            });
        }
        (None, _) => {
            printer.message(&format!(
                "{} every participant's folder, the stick and the results",
                tone(Tone::Good, "done:")
            ));
            printer.message(&format!("next: try anything on them; the passphrase is {PASSPHRASE}. The owner's check:"));
            printer.message(&format!("dvkey ceremony verify {out}/{OUTPUT}"));
        }
    }
    printer.result(&out.to_string());
}
