//! `dvkey ceremony assemble` and `verify`: the results, and the owner's questions about them.

use std::path::Path;

use dvkey_ceremony::Address;
use dvkey_ceremony::agdkg::bundle::Bundle;
use dvkey_ceremony::agdkg::outputs::Assembled;
use dvkey_ceremony::agdkg::plan::Plan;
use serde::Serialize;

use super::consent::page;
use super::{collected, failed, jobs, say, show_twice, warn};
use crate::cli::args::ceremony::{AssembleArguments, VerifyArguments};
use crate::cli::codes::Code;
use crate::cli::commands::{parse_amount, parse_owner, parse_withdrawal_address, read_operators};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::words::{self, count, printable};
use crate::crypto::operator_key::OperatorPublicKey;
use crate::format::ceremony_file::{CeremonyFile, short};
use crate::format::detect::{Kind, detect};
use crate::format::network::Network;
use crate::format::provenance;
use crate::store::read::{ReadError, Source, read_bounded, read_head};
use crate::workflow::ceremony::assemble::{
    BUNDLE, CERTIFICATE, KEYSHARES, PROOFS, PUBLIC_BUNDLE, REPORT, is_written, results, write,
};
use crate::workflow::ceremony::collection::Collection;
use crate::workflow::ceremony::described::{Likeness, compare};
use crate::workflow::ceremony::gather::gather_if_there;
use crate::workflow::ceremony::judging::{assembled, outputs_of};
use crate::workflow::ceremony::network_of;
use crate::workflow::ceremony::rehearse::explains_itself;
use crate::workflow::ceremony::walk::Walk;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonAssembled {
    schema: &'static str,
    plan: String,
    validators: Vec<String>,
    certificate_words: Vec<&'static str>,
    files: Vec<String>,
}

pub(super) fn run(arguments: &AssembleArguments, printer: &Printer) -> Result<Exit, Failure> {
    let collection = collected(&arguments.paths, &arguments.which, printer)?;
    let plan = &collection.plan;
    show_twice(&collection, printer);
    let told = |error: &_| Failure::ceremony(error, Some(plan));
    if let Some(end) = collection.end() {
        return Err(told(&crate::workflow::ceremony::CeremonyError::Ended(Box::new(end))));
    }
    let made = results(&collection, arguments.nonce).map_err(|error| told(&error))?;
    let there = is_written(&made, &arguments.out);
    let files = write(&collection, &made, &arguments.out, jobs()).map_err(|error| told(&error))?;
    let words = made.assembled.certificate.words();
    printer.object(&JsonAssembled {
        schema: "dvkey.ceremony-results/1",
        plan: hex::encode(plan.hash()),
        validators: made.assembled.validators.iter().map(|one| one.public_key.to_string()).collect(),
        certificate_words: words.clone(),
        files: files.iter().map(|file| file.display().to_string()).collect(),
    });
    if printer.json() {
        return Ok(Exit::Done);
    }
    let n = count(made.assembled.validators.len(), "validator");
    let how = if there { "was made before; judged again" } else { "read back from disk and verified" };
    printer.message(&format!("{} {n}; {how}", tone(Tone::Good, "done:")));
    show_words("certificate words", &words, printer);
    if !made.files.iter().any(|(name, _)| name == PROOFS) && plan.ssv().is_some() {
        say(
            "No proofs are inside; operators add them with `dvkey ceremony proofs add`, where they want them.",
            printer,
        );
    }
    say(&format!("{BUNDLE} goes back to every participant; {PUBLIC_BUNDLE} may go to anybody."), printer);
    let nonce = arguments.nonce.map_or(String::new(), |nonce| format!(" --nonce {nonce}"));
    let owner = if plan.ssv().is_some() { " --owner ADDRESS" } else { "" };
    say("next: the owner compares the results with what the owner knows, not with what stands here:", printer);
    let out = arguments.out.display();
    printer.message(&format!("dvkey ceremony verify {out} --withdrawal ADDRESS{owner}{nonce}"));
    files.iter().for_each(|file| printer.result(&file.display().to_string()));
    Ok(Exit::Done)
}

fn show_words(name: &str, words: &[&str], printer: &Printer) {
    printer.message(&format!("  {name}"));
    super::word_rows(words).iter().for_each(|row| printer.message(&format!("    {row}")));
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonVerified {
    schema: &'static str,
    plan: String,
    valid: bool,
    checks: Vec<JsonCheck>,
    certificate_words: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCheck {
    title: String,
    holds: bool,
    reason: Option<String>,
}

type Line = (String, Result<(), String>);

pub(super) fn verify(arguments: &VerifyArguments, printer: &Printer) -> Result<Exit, Failure> {
    let (plan, found) = super::gathered_by(&arguments.paths, &arguments.which, printer)?;
    let collection = Collection::of(plan, &found);
    let plan = &collection.plan;
    super::show_late(&collection, &found, printer);
    show_twice(&collection, printer);
    let made = assembled(&collection).map_err(|error| {
        let failure = Failure::ceremony(&error, Some(plan));
        let complete = !matches!(error, crate::workflow::ceremony::CeremonyError::Waiting { .. });
        if complete { failure.code(Code::CeremonyNotValid) } else { failure }
    })?;
    let n = plan.participants().len();
    let mut lines: Vec<Line> = vec![
        (format!("{n} of {n} participants dealt, certified, and proved to have their shares"), Ok(())),
        ("every signature on deposits and registrations is one of the validator keys".to_owned(), Ok(())),
    ];
    let certificate = collection.certificates.iter().all(|one| one.check(&made.outputs).is_ok());
    lines.push(match collection.certificates.is_empty() {
        true => ("no certificate is here that can be read; it follows from the certify files".to_owned(), Ok(())),
        false => (
            "the certificate is for these keys".to_owned(),
            if certificate { Ok(()) } else { Err("it is for other deals or other keys".to_owned()) },
        ),
    });
    expected(arguments, plan, &mut lines)?;
    beside(&collection, &made, arguments, &mut lines, printer)?;
    let valid = lines.iter().all(|(_, result)| result.is_ok());
    let words = made.certificate.words();
    if printer.json() {
        printer.object(&JsonVerified {
            schema: "dvkey.ceremony-verify/1",
            plan: hex::encode(plan.hash()),
            valid,
            checks: lines
                .iter()
                .map(|(title, result)| JsonCheck {
                    title: title.clone(),
                    holds: result.is_ok(),
                    reason: result.clone().err(),
                })
                .collect(),
            certificate_words: words,
        });
    } else {
        // The verdict stands last, where it is seen. All of the plan is shown, whether asked for or not: results of another
        // ceremony with the same title differ in nothing else.
        page(plan, false).iter().for_each(|line| printer.message(line));
        show_words("certificate words", &words, printer);
        let rest = "not checked, for this needs the chain: whether the keys are new there, the owner's next nonce, and the \
                    operators' registered keys unless --operators gave them";
        say(rest, printer);
        let verdict = if valid { tone(Tone::Good, "VALID") } else { tone(Tone::Bad, "NOT VALID") };
        let title = printable(&plan.parameters().title);
        let n = count(usize::from(plan.validators()), "validator");
        let head = format!("{title} {}: {verdict}, {n}", short(plan.hash()));
        super::folded("", &head).iter().for_each(|line| printer.result(line));
        for (title, result) in &lines {
            let (mark, why) = match result {
                Ok(()) => (tone(Tone::Good, "ok"), String::new()),
                Err(why) => (tone(Tone::Bad, "NO"), format!(": {}", printable(why))),
            };
            // Behind the mark there is room for so much.
            for (position, line) in words::folded("", &format!("{title}{why}"), 73).iter().enumerate() {
                printer.result(&format!("  {}  {line}", if position == 0 { mark.as_str() } else { "  " }));
            }
        }
        explains_itself(plan).iter().for_each(|line| warn(line, printer));
        if valid && arguments.withdrawal.is_none() {
            let text = "nobody said whose the stake should be, so that was compared with nothing: --withdrawal ADDRESS, \
                        and --owner, --network, --amount, --validators, --nonce";
            warn(text, printer);
        }
    }
    if valid {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Code::CeremonyNotValid, "the results do not pass").hint("do not deposit, and do not register"))
}

/// What the owner said that it should be.
fn expected(arguments: &VerifyArguments, plan: &Plan, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let mut compare = |title: &str, given: String, own: String| {
        let result = if given == own { Ok(()) } else { Err(format!("it is {own}, {given} was expected")) };
        lines.push((format!("{title} {given}"), result));
    };
    if let Some(network) = arguments.network {
        let own = network_of(plan).map_or("unknown", Network::name);
        compare("network", Network::from(network).name().to_owned(), own.to_owned());
    }
    if let Some(count) = arguments.validators {
        compare("validators", count.to_string(), plan.validators().to_string());
    }
    if let Some(text) = &arguments.withdrawal {
        let own: Vec<_> =
            crate::workflow::ceremony::withdrawal_addresses(plan).iter().map(Address::to_checksum).collect();
        compare("stake belongs to", parse_withdrawal_address(text)?.to_checksum(), own.join(", "));
    }
    if !arguments.amount.is_empty() {
        let mut given = arguments.amount.iter().map(|text| parse_amount(text)).collect::<Result<Vec<_>, Failure>>()?;
        let mut own = plan.parameters().amounts.clone();
        given.sort_unstable();
        own.sort_unstable();
        let shown = |amounts: &[dvkey_ceremony::Gwei]| {
            let ether: Vec<_> = amounts.iter().map(|amount| amount.to_string()).collect();
            ether.join(" and ")
        };
        compare("each deposit", shown(&given), shown(&own));
    }
    let ssv = plan.ssv();
    if let Some(text) = &arguments.owner {
        let own = ssv.map_or("none".to_owned(), |ssv| ssv.owner.to_checksum());
        compare("owner", parse_owner(text)?.to_checksum(), own);
    }
    if let Some(nonce) = arguments.nonce {
        let range = ssv.map(|ssv| (ssv.first_nonce, ssv.first_nonce + u64::from(ssv.nonce_window) - 1));
        let inside = range.is_some_and(|(first, last)| (first..=last).contains(&nonce));
        let own = range.map_or("none".to_owned(), |(first, last)| format!("{first} to {last}"));
        let result = if inside { Ok(()) } else { Err(format!("signed were {own}")) };
        lines.push((format!("first nonce {nonce}"), result));
    }
    if let Some(path) = &arguments.operators {
        let (list, ..) = read_operators(path)?;
        for one in plan.participants() {
            let title = format!("operator {} has the key of the list", one.id);
            let own = one.card.binding().and_then(|binding| OperatorPublicKey::from_der(&binding.spki).ok());
            let listed = dvkey_ceremony::OperatorId::try_from(one.id.get()).ok().map(|id| list.key_of(id));
            let result = match (own, listed) {
                (Some(own), Some(Ok(listed))) if listed.key == own => Ok(()),
                (None, _) => Err("its card is bound to no operator".to_owned()),
                (_, Some(Err(error))) => Err(error.to_string()),
                _ => Err("the list has another one".to_owned()),
            };
            lines.push((title, result));
        }
    }
    Ok(())
}

/// The files beside the bundle: each must be, byte for byte, what the ceremony makes. What a file is called means nothing; a
/// browser, or somebody with intentions, calls it something else.
fn beside(
    collection: &Collection,
    made: &Assembled,
    arguments: &VerifyArguments,
    lines: &mut Vec<Line>,
    printer: &Printer,
) -> Result<(), Failure> {
    let plan = &collection.plan;
    let nonces: Vec<Option<u64>> = match (arguments.nonce, plan.ssv()) {
        (None, Some(ssv)) => (0..u64::from(ssv.nonce_window)).map(|more| ssv.first_nonce.checked_add(more)).collect(),
        (nonce, _) => vec![nonce],
    };
    let mut all = Vec::with_capacity(nonces.len());
    for nonce in nonces.iter().copied() {
        let mut files = outputs_of(plan, made, nonce).map_err(|error| failed(&error))?;
        files.push((CERTIFICATE.to_owned(), made.certificate.as_bytes().to_vec()));
        all.push((nonce, files));
    }
    let has_proofs = all.iter().flat_map(|(_, files)| files).any(|(name, _)| name == PROOFS);
    let mut walk = Walk::bounded();
    for path in &arguments.paths {
        walk.start(path).map_err(|error| Failure::read(Code::FileUnreadable, &error))?;
    }
    let mut rest = MOST_COMPARED;
    for path in walk.files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let source = Source::File(path.clone());
        let results = [KEYSHARES, PROOFS, CERTIFICATE, provenance::FILE_NAME, REPORT, BUNDLE, PUBLIC_BUNDLE];
        let named = results.contains(&name.as_str()) || name.starts_with("deposit_data");
        // Whatever its name, a file with one of the results is JSON. Pictures are nobody's.
        if !named && read_head(&source, HEAD).is_ok_and(|head| !is_json_like(&head)) {
            continue;
        }
        let most = CeremonyFile::Bundle.most_bytes();
        let read = read_bounded(&source, most.min(rest));
        if rest < most && matches!(read, Err(ReadError::TooLarge { .. })) {
            let why = "more lies beside the results than is read; put them into a folder of their own".to_owned();
            lines.push((format!("{} is what the ceremony made", printable(&name)), Err(why)));
            break;
        }
        rest = rest.saturating_sub(read.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        if let (provenance::FILE_NAME | REPORT, Ok(found)) = (name.as_str(), &read) {
            let folder = path.parent().unwrap_or(Path::new(""));
            let likeness = compare(collection, made, &nonces, folder, &name, found).map_err(|error| failed(&error))?;
            let result = match likeness {
                Likeness::Same => Ok(()),
                Likeness::Differs(what) => Err(format!("it was changed; it says something else: {what}")),
                Likeness::OtherVersion(version) => {
                    say(&format!("{name} was written by dvkey {}, and is not compared", printable(&version)), printer);
                    continue;
                }
            };
            lines.push((format!("{name} says what the ceremony says"), result));
            continue;
        }
        if let (BUNDLE | PUBLIC_BUNDLE, Ok(found)) = (name.as_str(), &read) {
            let result = must_make(found, &path, name == BUNDLE, plan, made).map_err(str::to_owned);
            lines.push((format!("{name} is a bundle of this ceremony"), result));
            continue;
        }
        let kind = read.as_ref().map_or(Kind::Binary, |bytes| detect(bytes).kind);
        if !named && !matches!(kind, Kind::Keyshares | Kind::DepositData | Kind::Proofs) {
            continue;
        }
        let is_it = |bytes: &[u8]| {
            all.iter().find(|(_, files)| files.iter().any(|(_, own)| own == bytes)).map(|(nonce, _)| *nonce)
        };
        let mut title = format!("{} is what the ceremony made", printable(&name));
        let result = match read.map(|bytes| is_it(&bytes)) {
            Ok(Some(nonce)) => {
                if let (Some(nonce), Kind::Keyshares) = (nonce, kind) {
                    title += &format!(", from nonce {nonce} on");
                }
                Ok(())
            }
            // Proofs that were added later are not the ceremony's own; they are judged by `dvkey verify`.
            Ok(None) if !has_proofs && (name == PROOFS || kind == Kind::Proofs) => continue,
            Ok(None) => Err("it was changed, or belongs to another ceremony or nonce".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        lines.push((title, result));
    }
    Ok(())
}

/// So many bytes beside the bundle are compared.
const MOST_COMPARED: u64 = 2 << 30;
/// How much of a file is looked at to tell whether it may be JSON.
const HEAD: u64 = 4 << 10;

/// Whether a file may be JSON by its start, behind blanks and a mark of UTF-8.
fn is_json_like(head: &[u8]) -> bool {
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
    text.is_empty() || text.starts_with(b"{") || text.starts_with(b"[")
}

/// A bundle makes the same by itself: whoever gets it alone has nothing else. From a full one everybody can recover.
fn must_make(bytes: &[u8], path: &Path, full: bool, plan: &Plan, made: &Assembled) -> Result<(), &'static str> {
    if !Bundle::parse(bytes).is_ok_and(|bundle| bundle.plans == [plan.as_bytes()]) {
        return Err("it is damaged, or another ceremony's");
    }
    let own = Collection::of(plan.clone(), &gather_if_there(&[path.to_path_buf()], Some(plan)));
    if full && !own.missing_deals().is_empty() {
        return Err("not every deal is in it in full: nobody recovers a share from it");
    }
    match assembled(&own) {
        Ok(own) if own.outputs == made.outputs => Ok(()),
        _ => Err("by itself it does not make these keys: files are missing in it, or are others"),
    }
}
