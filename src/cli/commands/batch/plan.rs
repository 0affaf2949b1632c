//! `dvkey batch plan`: check a manifest, freeze a plan, say what it holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::{SCHEMA, SHOWN, numbers, place_for, warn_of_holes};
use crate::cli::args::PlanArguments;
use crate::cli::codes::Code;
use crate::cli::commands::wrapping_ids;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{count, ids, nonces, printable};
use crate::crypto::kdf::KdfLimits;
use crate::store::atomic::Mode;
use crate::store::read::{exists, way_between};
use crate::workflow::batch::plan::{Group, Request, Summary, plan};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPlan<'a> {
    schema: &'static str,
    event: &'static str,
    plan: String,
    hash: String,
    rows: u32,
    groups: Vec<JsonGroup>,
    missing_nonces: Vec<JsonHole>,
    left_alone: Vec<&'a Path>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonGroup {
    network: &'static str,
    owner: String,
    operator_ids: Vec<u64>,
    rows: u32,
    nonces: Vec<(u16, u16)>,
}

#[derive(Serialize)]
struct JsonHole {
    network: &'static str,
    owner: String,
    first: u16,
    last: u16,
}

pub(super) fn run(arguments: &PlanArguments, printer: &Printer) -> Result<Exit, Failure> {
    let (output, name) = place_for(&arguments.out, false)?;
    let folder = arguments.manifest.parent().unwrap_or(Path::new(""));
    let base = way_between(output.path(), folder).map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    let base = base
        .to_str()
        .ok_or_else(|| Failure::new(Code::BatchManifest, "the way from the plan to the manifest is not UTF-8 text"))?;
    let request = Request {
        manifest: arguments.manifest.clone(),
        base: base.to_owned(),
        created_at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        limits: arguments.max_kdf_memory.map_or(KdfLimits::DEFAULT, |memory| KdfLimits { memory }),
        operator_cap: arguments.operator_cap,
    };
    let mut staged = output.begin(name, Mode::Public).map_err(|error| Failure::write(&error))?;
    let summary = plan(&request, &mut staged).map_err(|error| Failure::batch_manifest(&error))?;
    output.publish(vec![staged]).map_err(|error| Failure::write_once(&error))?;
    warn(&summary, printer);
    show(&summary, &arguments.out, printer);
    Ok(Exit::Done)
}

fn warn(summary: &Summary, printer: &Printer) {
    warn_of_holes(&summary.holes, printer);
    for group in summary.groups.iter().filter(|group| group.nonces.len() > 1) {
        printer.warning(&format!(
            "the nonces of {} for operators {} are in {} runs: merging makes a file for each, to be registered in turn \
             with the files of the other clusters",
            group.owner,
            ids(&group.operators),
            group.nonces.len()
        ));
    }
    let wrapping = wrapping_ids(summary.groups.iter().flat_map(|group| &group.operators).map(|id| id.get()));
    if let Some(wrapping) = wrapping {
        printer.warning(&format!(
            "operator ids from 2147483648 up are read as other numbers by ssv-keys and the SSV SDK, \
             and rounded in JavaScript from 9007199254740993 up: {wrapping}. The shares made here are right."
        ));
    }
    let mut old: Vec<_> =
        summary.groups.iter().map(|group| group.network).filter(|network| !network.has_v2_contract()).collect();
    old.dedup();
    for network in old {
        printer.warning(&format!("the SSV contract on {network} is version 1: a current wallet cannot register there"));
    }
}

fn show(summary: &Summary, out: &Path, printer: &Printer) {
    printer.object(&JsonPlan {
        schema: SCHEMA,
        event: "plan",
        plan: out.display().to_string(),
        hash: summary.hash.to_string(),
        rows: summary.rows,
        groups: summary.groups.iter().map(json_group).collect(),
        missing_nonces: summary
            .holes
            .iter()
            .map(|hole| JsonHole {
                network: hole.network.name(),
                owner: hole.owner.to_checksum(),
                first: hole.first,
                last: hole.last,
            })
            .collect(),
        left_alone: summary.strays.iter().map(|(path, _)| path.as_path()).collect(),
    });
    if printer.json() {
        return;
    }
    let rows = count(usize::try_from(summary.rows).unwrap_or(usize::MAX), "validator");
    printer.message(&tone(Tone::Bold, &format!("Plan: {rows}")));
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for group in summary.groups.iter().take(most) {
        let runs: Vec<_> = group.nonces.iter().map(|(first, last)| nonces((*first).into(), (*last).into())).collect();
        let rows = count(usize::try_from(group.rows).unwrap_or(usize::MAX), "validator");
        printer.message(&format!("  {} on {}, operators {}", group.owner, group.network, ids(&group.operators)));
        let runs = match runs.as_slice() {
            [first, .., last] if runs.len() > 4 => format!("{} runs: {first}, …, {last}", runs.len()),
            all => all.join(", "),
        };
        printer.message(&format!("      {rows}, {runs}"));
    }
    if summary.groups.len() > most {
        printer.message(&format!("  and {} more; --verbose shows all", summary.groups.len() - most));
    }
    show_strays(&summary.strays, most, printer);
    printer.message(&format!("  hash {}", summary.hash));
    printer.result(&out.display().to_string());
    printer.message("Nothing was decrypted. The plan never changes: neither may what it names.");
}

/// What is left alone, by kind. A folder with a password beside every keystore has as many of these, among which nothing
/// else is to be lost.
fn show_strays(strays: &[(PathBuf, &'static str)], most: usize, printer: &Printer) {
    let is_beside = |path: &Path| {
        let text = path.extension().is_some_and(|end| end == "txt");
        text && (exists(&path.with_extension("json")) || exists(&path.with_extension("")))
    };
    let (beside, strays): (Vec<_>, Vec<_>) = strays.iter().partition(|(path, _)| is_beside(path));
    if !beside.is_empty() {
        let texts = count(beside.len(), "text");
        printer.message(&format!("  left alone: {texts} beside a file of the same name, as passwords are kept"));
    }
    let mut kinds: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for (path, what) in strays {
        kinds.entry(what).or_default().push(path);
    }
    for (what, paths) in kinds {
        let shown = if paths.len() > most { 3 } else { most.min(paths.len()) };
        let mut names: Vec<_> = paths.iter().take(shown).map(|path| printable(&path.display().to_string())).collect();
        if paths.len() > shown {
            names.push(format!("and {} more", paths.len() - shown));
        }
        printer.message(&format!("  left alone, {what}: {}", names.join(", ")));
    }
}

fn json_group(group: &Group) -> JsonGroup {
    JsonGroup {
        network: group.network.name(),
        owner: group.owner.to_checksum(),
        operator_ids: numbers(&group.operators),
        rows: group.rows,
        nonces: group.nonces.clone(),
    }
}
