//! `dvkey batch merge`: keyshares for each cluster, and what stands in the way of the rest; or a new plan without gaps.

use std::path::Path;
use std::time::SystemTime;

use dvkey_ceremony::Nonce;
use serde::Serialize;

use super::{SCHEMA, SHOWN, ending, load, numbers, warn_of_holes, warn_of_superseded, warn_of_work};
use crate::cli::args::{MergeArguments, NetworkName};
use crate::cli::codes::Code;
use crate::cli::commands::{parse_nonce, parse_owner};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, ids, nonces, printable};
use crate::crypto::digest::Sha256Digest;
use crate::store::atomic::Mode;
use crate::store::output_dir::OutputDir;
use crate::store::read::{digest_of, length, way_between};
use crate::store::work_dir::{Lock, WorkDir};
use crate::store::write_error::WriteError;
use crate::workflow::batch::LoadedPlan;
use crate::workflow::batch::compact::{Compacted, NextNonce, OldJournals, Renumbered, Request as Asked, compact};
use crate::workflow::batch::merge::{Gap, Merged, MergedFile, Request, merge};
use crate::workflow::batch::shard::{AllWork, must_have_work};

/// The file of the new plan.
const PLAN_FILE: &str = "plan.jsonl";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFile {
    schema: &'static str,
    event: &'static str,
    folder: String,
    network: &'static str,
    owner: String,
    operator_ids: Vec<u64>,
    first_nonce: u16,
    last_nonce: u16,
    validators: usize,
    keyshares_sha256: String,
    was_there: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonGap<'a> {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    owner: String,
    nonce: u16,
    row: u32,
    keystore: &'a str,
    state: &'static str,
    code: Option<&'a str>,
    reason: Option<&'a str>,
    held_back: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_remove: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRenumbered {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    owner: String,
    registered: u32,
    registered_without_result: Vec<u16>,
    registered_without_merge: Vec<u16>,
    left_out: Vec<u16>,
    holes: Vec<(u16, u16)>,
    keystores_absent: u32,
    first_nonce: Option<u16>,
    last_nonce: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonNewPlan {
    schema: &'static str,
    event: &'static str,
    plan: String,
    hash: String,
    rows: u32,
    continues: String,
}

pub(super) fn run(arguments: &MergeArguments, printer: &Printer) -> Result<Exit, Failure> {
    let plan = load(&arguments.plan, arguments.base.as_deref())?;
    let parse = |texts: &[String], name| texts.iter().map(|text| parse_next(text, name)).collect::<Result<Vec<_>, _>>();
    let next = parse(&arguments.next_nonce, "--next-nonce")?;
    let confirmed = parse(&arguments.confirm, "--confirm")?;
    if arguments.compact {
        let asked = Asked { next: &next, confirmed: &confirmed, without: &arguments.without_shard };
        return make_new_plan(arguments, &plan, asked, printer);
    }
    must_have_work(&arguments.work).map_err(|error| Failure::batch_work(&error))?;
    // What other merges leave there is looked at once nobody can add to it; and the work only then, since a new plan may
    // have taken rows of it until now.
    let _lock = lock_results(&arguments.out, printer)?;
    let work = read_work(arguments, &plan)?;
    warn_of_work(&work, printer);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let request = Request { out: arguments.out.clone(), force: arguments.force, jobs: cores };
    let merged = merge(&plan, &work, &request, &|file| show_file(file, printer))
        .map_err(|error| Failure::batch_merge(&error))?;
    warn_of_holes(&merged.holes, printer);
    warn_of_superseded(&merged.superseded, printer);
    show_gaps(&merged, printer);
    if !printer.json() && !merged.files.is_empty() {
        printer.message(
            "next: register each file's validators in their order, the files of an owner by nonce, and nothing else of \
             this owner in between",
        );
    }
    let rows = count(usize::try_from(plan.rows).unwrap_or(usize::MAX), "row");
    let ended = ending(merged.counts, &rows, &merged.superseded);
    // A run alone would change nothing.
    match merged.gaps.iter().find(|gap| !gap.to_remove.is_empty()) {
        Some(gap) => ended.map_err(|failure| failure.hint(format!("{}; then merge", removal(gap)))),
        None => ended,
    }
}

/// What mends two results of different shards that cannot both be right.
fn removal(gap: &Gap) -> String {
    let files: Vec<_> = gap.to_remove.iter().map(|file| file.display().to_string()).collect();
    format!("no run sees both of these results: remove {}, and run their shards", files.join(" and "))
}

fn read_work(arguments: &MergeArguments, plan: &LoadedPlan) -> Result<AllWork, Failure> {
    AllWork::read(&arguments.work, plan).map_err(|error| Failure::batch_work(&error))
}

/// Keeps other merges out of the folder for the results.
fn lock_results(out: &Path, printer: &Printer) -> Result<Option<Lock>, Failure> {
    let folder = WorkDir::open(out).map_err(|error| Failure::write(&error))?;
    match folder.lock_results() {
        Ok(lock) => {
            if !lock.is_held() {
                printer.warning("this file system has no locks: make sure that no other merge writes to this folder");
            }
            Ok(Some(lock))
        }
        // Nothing can be written there, and what is there can be compared all the same.
        Err(WriteError::ReadOnly { .. }) => Ok(None),
        Err(error) => {
            let failure = Failure::write(&error);
            Err(match error {
                WriteError::InUse { .. } => {
                    failure.hint("one merge at a time writes to a folder; merge again when the other one has ended")
                }
                WriteError::PermissionDenied { .. } => failure.hint(
                    "the folder must be one that you may write to; a lock of another user that was left there may be \
                     removed when none of their merges is running",
                ),
                WriteError::Exists { .. } | WriteError::NotAFile { .. } | WriteError::Io { .. } => {
                    failure.hint("a merge keeps others out with a file of this name; make room for it")
                }
                _ => failure,
            })
        }
    }
}

fn show_file(file: &MergedFile, printer: &Printer) {
    printer.object(&JsonFile {
        schema: SCHEMA,
        event: "file",
        folder: file.folder.display().to_string(),
        network: file.network.name(),
        owner: file.owner.to_checksum(),
        operator_ids: numbers(&file.operators),
        first_nonce: file.first.get(),
        last_nonce: file.last.get(),
        validators: file.validators,
        keyshares_sha256: file.digest.to_string(),
        was_there: file.was_there,
    });
    if let Some(replaced) = file.replaced {
        printer.warning(&format!(
            "{}: other keyshares were there (SHA-256 {replaced}) and were replaced; if those are registered, use none of \
             these",
            file.folder.display()
        ));
    }
    if printer.json() {
        return;
    }
    let how = if file.was_there { "as it was" } else { "read back from disk and verified" };
    printer.message(&format!(
        "{} {}, {} of {} on {}, operators {}; {how}",
        tone(Tone::Good, "merged:"),
        count(file.validators, "validator"),
        nonces(file.first.get().into(), file.last.get().into()),
        file.owner,
        file.network,
        ids(&file.operators)
    ));
    printer.result(&file.folder.display().to_string());
}

fn show_gaps(merged: &Merged, printer: &Printer) {
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for (position, gap) in merged.gaps.iter().enumerate() {
        let Gap { network, owner, nonce, row, keystore, refused, damaged, held_back, to_remove } = gap;
        let (code, reason) = refused.as_ref().map(|(code, reason)| (code.as_str(), reason.as_str())).unzip();
        let problem = damaged.as_ref().map(ToString::to_string);
        printer.object(&JsonGap {
            schema: SCHEMA,
            event: "gap",
            network: network.name(),
            owner: owner.to_checksum(),
            nonce: nonce.get(),
            row: *row,
            keystore,
            state: if refused.is_some() { "refused" } else { "pending" },
            code,
            reason: reason.or(problem.as_deref()),
            held_back: *held_back,
            to_remove: to_remove.iter().map(|file| file.display().to_string()).collect(),
        });
        if printer.json() || position >= most {
            continue;
        }
        let why = match (refused, damaged) {
            (Some((code, reason)), _) => format!("was refused ({code}): {reason}"),
            (None, Some(problem)) => format!("has a result that is not right, and is still to be done: {problem}"),
            (None, None) => "is still to be done".to_owned(),
        };
        printer.warning(&format!(
            "gap at nonce {nonce} of {owner} on {network}: row {row}, {}, {}",
            printable(keystore),
            printable(&why)
        ));
        if !to_remove.is_empty() {
            printer.message(&format!("  {}", printable(&removal(gap))));
        }
        if *held_back > 0 {
            let rows = count(usize::try_from(*held_back).unwrap_or(usize::MAX), "finished row");
            printer.message(&format!("  {rows} behind it held back: registered now, they would be void"));
        }
    }
    if merged.gaps.len() > most {
        printer.warning(&format!("and {} more gaps; --verbose shows all", merged.gaps.len() - most));
    }
}

/// `OWNER=N`, or `NETWORK:OWNER=N`.
fn parse_next(text: &str, name: &str) -> Result<NextNonce, Failure> {
    let form = || Failure::new(Code::BatchNextNonce, format!("{name} does not have the form OWNER=N"));
    let (owner, nonce) = text.split_once('=').ok_or_else(form)?;
    let (network, owner) = match owner.split_once(':') {
        None => (None, owner),
        Some((network, owner)) => {
            let name = <NetworkName as clap::ValueEnum>::from_str(network, true).map_err(|_| form())?;
            (Some(name.into()), owner)
        }
    };
    Ok(NextNonce { network, owner: parse_owner(owner)?, nonce: parse_nonce(nonce)? })
}

/// Refuses to replace a plan that has taken rows of this one, perhaps the only copy of it. The nonces are its own for good.
fn must_not_be_lost(path: &Path, work: &AllWork, new: Sha256Digest) -> Result<(), Failure> {
    let Some(there) = LoadedPlan::load(path, None).ok().map(|there| there.hash).filter(|there| *there != new) else {
        return Ok(());
    };
    if work.superseded.iter().all(|taken| taken.by != there) {
        return Ok(());
    }
    let headline = format!("{}: has rows of this plan, and is not replaced by another one", path.display());
    Err(Failure::new(Code::OutputExists, headline).hint("name another folder with --out"))
}

fn make_new_plan(
    arguments: &MergeArguments,
    plan: &LoadedPlan,
    asked: Asked<'_>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    warn_of_work(&read_work(arguments, plan)?, printer);
    let path = arguments.out.join(PLAN_FILE);
    let content = |path: &Path| digest_of(path).ok();
    let is_as_long = length(&path).is_some_and(|there| length(&arguments.plan) == Some(there));
    if is_as_long && content(&path).is_some_and(|there| content(&arguments.plan) == Some(there)) {
        return Err(Failure::new(Code::OutputExists, "the new plan would replace the one that it is made from")
            .hint("name another folder with --out"));
    }
    let output =
        OutputDir::prepare(&arguments.out, &[PLAN_FILE], arguments.force).map_err(|error| Failure::write(&error))?;
    let base = way_between(output.path(), &plan.base).map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    let base = base.to_str().ok_or_else(|| {
        Failure::new(Code::BatchPlan, "the way from the new plan to the manifest's folder is not UTF-8 text")
    })?;
    let mut staged = output.begin(PLAN_FILE, Mode::Public).map_err(|error| Failure::write(&error))?;
    let created_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    // From here on no run of the old plan changes what is read.
    let (mut journals, work) =
        OldJournals::open(&arguments.work, plan).map_err(|error| Failure::batch_journals(&error))?;
    if !journals.are_locked() {
        printer.warning("this file system has no locks: make sure that no run does rows of the old plan now");
    }
    let compacted = compact(plan, &work, asked, (created_at, base.to_owned()), &mut staged)
        .map_err(|error| Failure::batch_compact(&error))?;
    must_not_be_lost(&path, &work, compacted.hash)?;
    journals.supersede(plan, &work, &compacted).map_err(|error| Failure::batch_half_taken(&error))?;
    output.publish(vec![staged]).map_err(|error| Failure::batch_half_taken(&error.into()))?;
    show_new_plan(plan, &compacted, &path, printer);
    Ok(Exit::Done)
}

fn show_new_plan(plan: &LoadedPlan, compacted: &Compacted, path: &Path, printer: &Printer) {
    for owner in &compacted.owners {
        show_renumbered(owner, printer);
    }
    printer.object(&JsonNewPlan {
        schema: SCHEMA,
        event: "plan",
        plan: path.display().to_string(),
        hash: compacted.hash.to_string(),
        rows: compacted.rows,
        continues: plan.hash.to_string(),
    });
    if printer.json() {
        return;
    }
    printer.message(&format!("  hash {}", compacted.hash));
    printer.result(&path.display().to_string());
    printer.message(
        "next: `dvkey batch run` with the new plan and a new --work: the rows are signed anew, and their keys and \
         passwords are needed again. Merge nothing more of these owners from the old plan, and register nothing from \
         files that were merged before, from these nonces on.",
    );
}

fn show_renumbered(owner: &Renumbered, printer: &Printer) {
    let numbers = |nonces: &[Nonce]| nonces.iter().map(|nonce| nonce.get()).collect::<Vec<_>>();
    let left_out: Vec<_> = owner.left_out.iter().map(|(nonce, _)| *nonce).collect();
    printer.object(&JsonRenumbered {
        schema: SCHEMA,
        event: "renumbered",
        network: owner.network.name(),
        owner: owner.owner.to_checksum(),
        registered: owner.registered,
        registered_without_result: numbers(&owner.registered_without_result),
        registered_without_merge: numbers(&owner.registered_without_merge),
        left_out: numbers(&left_out),
        holes: owner.holes.iter().map(|hole| (hole.first, hole.last)).collect(),
        keystores_absent: owner.absent,
        first_nonce: owner.nonces.map(|(first, _)| first.get()),
        last_nonce: owner.nonces.map(|(_, last)| last.get()),
    });
    if !owner.registered_without_result.is_empty() {
        let registered = match owner.registered_without_result.len() {
            1 => "1 row counts".to_owned(),
            rows => format!("{} count", count(rows, "row")),
        };
        printer.warning(&format!("{registered} as registered, of {}, without a result", owner.owner));
    }
    if !owner.registered_without_merge.is_empty() {
        let behind = count(owner.registered_without_merge.len(), "finished row");
        printer.warning(&format!("of {}, {behind} behind that, too, though no merge wrote them", owner.owner));
    }
    if owner.absent > 0 {
        let what = match owner.absent {
            1 => "1 keystore is".to_owned(),
            absent => format!("{absent} keystores are"),
        };
        printer.warning(&format!(
            "of {}, {what} not where the new plan looks: a run will refuse rows without a keystore",
            owner.owner
        ));
    }
    warn_of_holes(&owner.holes, printer);
    if printer.json() {
        return;
    }
    let range = match owner.nonces {
        Some((first, last)) => format!("the rest has {}", nonces(first.get().into(), last.get().into())),
        None => "no row is left".to_owned(),
    };
    let registered = match usize::try_from(owner.registered).unwrap_or(usize::MAX) {
        1 => "1 row counts".to_owned(),
        rows => format!("{} count", count(rows, "row")),
    };
    printer.message(&format!("{} on {}: {registered} as registered; {range}", owner.owner, owner.network));
    for (nonce, keystore) in owner.left_out.iter().take(SHOWN) {
        printer.message(&format!("  left out: nonce {nonce} of the old plan, {}", printable(keystore)));
    }
    if owner.left_out.len() > SHOWN {
        printer.message(&format!("  and {} more", owner.left_out.len() - SHOWN));
    }
}
