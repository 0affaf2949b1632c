//! `dvkey ceremony …`: what the screens of a ceremony have in common.

mod assemble;
mod audit;
mod carry;
mod consent;
mod identity;
mod judging;
mod plan;
mod proofs;
mod recover;
mod rehearse;
mod runbook;
mod status;
mod step;
mod taken;
mod unlock;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dvkey_ceremony::Identifier;
use dvkey_ceremony::agdkg::bundle::Bundle;
use dvkey_ceremony::agdkg::plan::{Plan, Waivers};
use dvkey_ceremony::fault::{Check, Culprit};
use serde::Serialize;

use crate::cli::args::ceremony::{CeremonyCommand, IdentityCommand, PlanCommand, ProofsCommand, WhichPlan};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, named};
use crate::cli::ui::printer::Printer;
use crate::cli::ui::words::{self, count, printable};
use crate::format::armor;
use crate::format::ceremony_file::CeremonyFile;
use crate::store::ceremony_dir::{self, hand_over};
use crate::store::read::{Source, exists, read_bounded};
use crate::workflow::ceremony::CeremonyError;
use crate::workflow::ceremony::collection::{Collection, End};
use crate::workflow::ceremony::folder::the_plan;
use crate::workflow::ceremony::gather::{Aside, Blob, Gathered, gather};
use step::Goal;

pub(in crate::cli) fn run(command: &CeremonyCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        CeremonyCommand::Identity(IdentityCommand::New(arguments)) => identity::new(arguments, printer),
        CeremonyCommand::Identity(IdentityCommand::Bind(arguments)) => identity::bind(arguments, printer),
        CeremonyCommand::Identity(IdentityCommand::Show(arguments)) => identity::show(arguments, printer),
        CeremonyCommand::Plan(PlanCommand::New(arguments)) => plan::new(arguments, printer),
        CeremonyCommand::Plan(PlanCommand::Show(arguments)) => plan::show(arguments, printer),
        CeremonyCommand::Plan(PlanCommand::Accept(arguments)) => plan::accept(arguments, printer),
        CeremonyCommand::Step(arguments) => step::run(Goal::Step, arguments, printer),
        CeremonyCommand::Status(arguments) => status::run(arguments, printer),
        CeremonyCommand::Deal(arguments) => step::run(Goal::Deal, arguments, printer),
        CeremonyCommand::Certify(arguments) => step::run(Goal::Certify, arguments, printer),
        CeremonyCommand::Assemble(arguments) => assemble::run(arguments, printer),
        CeremonyCommand::Finish(arguments) => step::run(Goal::Finish, arguments, printer),
        CeremonyCommand::Verify(arguments) => assemble::verify(arguments, printer),
        CeremonyCommand::Audit(arguments) => audit::run(arguments, printer),
        CeremonyCommand::Complain(arguments) => step::run(Goal::Complain, arguments, printer),
        CeremonyCommand::Judge(arguments) => judging::judge(arguments, printer),
        CeremonyCommand::Compare(arguments) => judging::compare(arguments, printer),
        CeremonyCommand::Recover(arguments) => recover::run(arguments, printer),
        CeremonyCommand::Proofs(ProofsCommand::Add(arguments)) => proofs::add(arguments, printer),
        CeremonyCommand::Rehearse(arguments) => rehearse::run(arguments, printer),
        CeremonyCommand::Runbook(arguments) => runbook::run(arguments, printer),
    }
}

/// How an error is told where no plan is known.
fn failed(error: &CeremonyError) -> Failure {
    Failure::ceremony(error, None)
}

impl WhichPlan {
    fn waivers(&self) -> Waivers {
        Waivers { two_quorums: self.allow_two_quorums, unbound_operators: self.allow_unbound }
    }
}

/// Cards, plans and bindings below these paths.
fn gathered(paths: &[PathBuf]) -> Result<Gathered, Failure> {
    gather(paths, None).map_err(|error| Failure::read(Code::FileUnreadable, &error))
}

/// The same, with all that belongs to one plan.
fn gathered_of(paths: &[PathBuf], plan: &Plan) -> Result<Gathered, Failure> {
    gather(paths, Some(plan)).map_err(|error| Failure::read(Code::FileUnreadable, &error))
}

/// Everything of the one plan that is meant, and what was left alone, which is told.
fn gathered_by(paths: &[PathBuf], which: &WhichPlan, printer: &Printer) -> Result<(Plan, Gathered), Failure> {
    let plans = gathered(paths)?;
    let plan = chosen_plan(&plans, which).inspect_err(|_| show_aside(&plans.aside, printer))?;
    let found = gathered_of(paths, &plan)?;
    show_aside(&found.aside, printer);
    Ok((plan, found))
}

/// The files of one plan below these paths.
fn collected(paths: &[PathBuf], which: &WhichPlan, printer: &Printer) -> Result<Collection, Failure> {
    let (plan, found) = gathered_by(paths, which, printer)?;
    let collection = Collection::of(plan, &found);
    show_late(&collection, &found, printer);
    Ok(collection)
}

/// What files prove against somebody, too late to undo a complete certificate, and which files these are.
fn show_late(collection: &Collection, found: &Gathered, printer: &Printer) {
    for end in collection.late() {
        let files = Bundle::parse(&end.evidence).unwrap_or_default();
        let proves =
            |blob: &&Blob| [&files.deals, &files.precommits].into_iter().flatten().any(|one| *one == blob.bytes);
        let origins = found.blobs.iter().filter(proves).map(|blob| blob.origin.clone());
        warn(&late(&end, &collection.plan, &origins.collect::<Vec<_>>()), printer);
    }
}

/// The same in words.
fn late(end: &End, plan: &Plan, files: &[String]) -> String {
    let who = match end.fault.culprit {
        Culprit::Participant(id) => named(Some(plan), id),
        _ => "somebody".to_owned(),
    };
    let what = match end.fault.check {
        Check::DealTwice => "signed two different deals (C-34, E10)",
        _ => "committed to another deal, too (C-29, E11)",
    };
    let files: BTreeSet<_> = files.iter().map(|file| printable(file)).collect();
    let files: Vec<_> = files.into_iter().collect();
    format!(
        "{who} {what}. Everybody certified one and the same, which stands: nothing is undone by what is signed later. \
         Keep the proof, and ask {who} why: {}",
        files.join(", ")
    )
}

/// The plan that was named, or the only one that there is.
fn chosen_plan(found: &Gathered, which: &WhichPlan) -> Result<Plan, Failure> {
    let named = which.plan.as_deref().map(read_plan).transpose()?;
    the_plan(found, named.as_deref(), which.waivers()).map_err(|error| failed(&error))
}

/// The bytes of the one plan in a file or folder.
fn read_plan(path: &Path) -> Result<Vec<u8>, Failure> {
    let found = gathered(&[path.to_path_buf()])?;
    let mut plans = found.of(CeremonyFile::Plan);
    match (plans.next(), plans.next()) {
        (Some(plan), None) => Ok(plan.bytes.clone()),
        (None, _) => Err(Failure::new(Code::CeremonyPlan, format!("{}: no plan is in it", path.display()))),
        _ => Err(Failure::new(Code::CeremonyPlan, format!("{}: several plans are in it", path.display()))),
    }
}

/// What could not be read, and why. A vault where everybody's files are is an emergency.
fn show_aside(aside: &[(String, Aside)], printer: &Printer) {
    for (origin, why) in aside {
        let origin = printable(origin);
        match why {
            // A participant's own folder may be looked through; its vault belongs there.
            Aside::Vault if is_at_home(Path::new(&origin)) => {}
            Aside::Vault => printer.warning(&format!("{origin} is a VAULT: secret. Take it away from there")),
            Aside::TooLarge => printer.warning(&format!("{origin}: larger than any file of its kind, left alone")),
            Aside::Unreadable(why) => printer.warning(&printable(why)),
            Aside::TooMany { left, most } => warn(
                &format!(
                    "{origin} and what comes after it, {} in all, were NOT looked at: no more than {most} are. Put the files \
                     of the ceremony into a folder of their own, and name that one",
                    count(*left, "file")
                ),
                printer,
            ),
            Aside::NoRoom { who, left, most } => {
                let (what, instead) = match who {
                    Some(id) => (
                        format!("participant {id} signed more for this plan than anybody needs"),
                        "go by the ceremony.bn of somebody who has assembled, and name that alone",
                    ),
                    // Perhaps there is no plan yet, and nobody who has assembled.
                    None => (
                        "there are more cards, plans or certificates than a ceremony has".to_owned(),
                        "put those that people gave you into a folder of their own, and name that one",
                    ),
                };
                warn(
                    &format!(
                        "{what}: {origin} and others, {} in all, were NOT looked at, for {} MiB of them were. Take away what \
                         is not needed; or {instead}",
                        count(*left, "file"),
                        most.div_ceil(1 << 20)
                    ),
                    printer,
                );
            }
            Aside::TooDeep { left, most } => {
                let others = match left.saturating_sub(1) {
                    0 => "was".to_owned(),
                    more => format!("and {} were", count(more, "other folder")),
                };
                warn(
                    &format!(
                        "{origin} {others} NOT looked into: folders inside of folders are entered {most} deep. Put the files of \
                         the ceremony into a folder of their own, and name that one"
                    ),
                    printer,
                );
            }
            Aside::TooManyFolders { left, most } => warn(
                &format!(
                    "{origin} and what comes after it, {} in all, were NOT looked into: no more than {most} are. Put the \
                     files of the ceremony into a folder of their own, and name that one",
                    count(*left, "folder")
                ),
                printer,
            ),
            Aside::Links { left } => {
                let others = match left.saturating_sub(1) {
                    0 => "is a link, and was".to_owned(),
                    more => format!("and {} are links, and were", count(more, "other")),
                };
                let text = "NOT followed. Put the file itself there, or name the folder to which it leads";
                warn(&format!("{origin} {others} {text}"), printer);
            }
            Aside::TooMuch { left, most } => warn(
                &format!(
                    "{origin} and others, {} in all, were NOT read: no more than {} MiB of such files are. Put the files of \
                     the ceremony into a folder of their own, and name that one",
                    count(*left, "file"),
                    most.div_ceil(1 << 20)
                ),
                printer,
            ),
            Aside::Damaged(why) => {
                printer.warning(&format!("{origin}: {}; ask for it again, on another medium", printable(why)));
            }
        }
    }
}

/// Several certify files of one author: which of them is taken is the same for everybody, but nobody should be surprised.
fn show_twice(collection: &Collection, printer: &Printer) {
    for (id, differ) in collection.certified_twice() {
        let who = named(Some(&collection.plan), id);
        if differ {
            let what = "certified two different sets of deals or keys, which nobody does whose folder is whole (E30)";
            warn(&format!("{who} {what}; ask why"), printer);
        } else {
            say(
                &format!(
                    "{who} wrote several certify files that say the same, as from two laptops. Of those that hold, the one \
                     whose bytes are smallest is taken, by everybody who has all of them; if results differ, compare which have come."
                ),
                printer,
            );
        }
    }
}

/// Whether a vault lies in the folder of a participant, and not, as a copy, where others look. Before the first plan there
/// is no journal.
fn is_at_home(vault: &Path) -> bool {
    let beside = |name| exists(&vault.with_file_name(name));
    let is_made = beside(ceremony_dir::KEPT) && beside(ceremony_dir::OUTBOX);
    vault.ends_with(ceremony_dir::VAULT) && (beside(ceremony_dir::JOURNAL) || is_made)
}

/// Writes a public file under a name that must be free, or hold the same.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let there = read_bounded(&Source::File(path.to_path_buf()), limit);
    match there {
        Ok(found) if found == bytes => return Ok(()),
        Err(crate::store::read::ReadError::NotFound { .. }) => {}
        _ => {
            return Err(Failure::write_once(&crate::store::write_error::WriteError::Exists {
                path: path.to_path_buf(),
            }));
        }
    }
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    hand_over(folder, &name, bytes).map(drop).map_err(|error| failed(&error.into()))
}

/// A file as it is, or as armoured text.
fn form(bytes: &[u8], armored: bool) -> Vec<u8> {
    match armor::encode(bytes).filter(|_| armored) {
        Some(text) => text.into_bytes(),
        None => bytes.to_vec(),
    }
}

/// Ten words in two rows, numbered, each row at most 80 columns wide.
fn word_rows(words: &[&str]) -> Vec<String> {
    let numbered: Vec<_> = (1..).zip(words).map(|(number, word)| format!("{number:>2} {word:<9}")).collect();
    numbered.chunks(5).map(|row| row.join(" ").trim_end().to_owned()).collect()
}

/// Folds a text at 78 columns, behind a first part as wide as the blanks before all other lines.
fn folded(first: &str, text: &str) -> Vec<String> {
    words::folded(first, text, 78)
}

/// A message, folded.
fn say(text: &str, printer: &Printer) {
    folded("", text).iter().for_each(|line| printer.message(line));
}

/// A warning, folded.
fn warn(text: &str, printer: &Printer) {
    let lines = folded(&" ".repeat("warning: ".len()), text);
    // As one: no part of a warning is silenced.
    printer.warning(lines.join("\n").trim_start());
}

fn numbers(ids: &[Identifier]) -> Vec<u64> {
    ids.iter().map(|id| id.get()).collect()
}

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A file that was written, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFile {
    schema: &'static str,
    event: &'static str,
    kind: &'static str,
    file: String,
}

fn told(event: &'static str, kind: &'static str, file: &Path, printer: &Printer) {
    printer.object(&JsonFile { schema: "dvkey.ceremony/1", event, kind, file: file.display().to_string() });
    if !printer.json() {
        printer.result(&file.display().to_string());
    }
}
