//! `dvkey split`: collect the answers, show the plan, make it, say what was made.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dvkey_ceremony::{Address, Nonce, OperatorId};
use serde::Serialize;

use super::unlock::{Supply, kdf_path, must_fit, supply};
use super::{parse_nonce, parse_owner, read_operators, wrapping_ids};
use crate::cli::args::{NetworkName, SplitArguments};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::progress::Progress;
use crate::cli::ui::prompt;
use crate::cli::ui::words::{count, ids, nonces, printable, short_key};
use crate::crypto::digest::Sha256Digest;
use crate::crypto::kdf::self_test::Tested;
use crate::crypto::password::Reading;
use crate::format::network::Network;
use crate::format::operators::{Cluster, OperatorList};
use crate::machine::memory::{Budget, format_size};
use crate::machine::password::Passwords as Opened;
use crate::store::output_dir::OutputDir;
use crate::store::read::Source;
use crate::workflow::inventory::inventory;
use crate::workflow::split::{Done, Event, OUTPUT_FILES, Plan, PlannedKeystore, Ports, Request, execute, plan};

/// How many keystores the plan shows.
const SHOWN: usize = 20;

pub(in crate::cli) fn run(
    arguments: &SplitArguments,
    passwords: Option<Opened>,
    offline_enforced: bool,
    printer: &Printer,
) -> Result<Exit, Failure> {
    one_user_of_stdin(arguments)?;
    let kdf = kdf_path()?;
    let person = Person { arguments, printer, present: !arguments.no_input && printer.interactive() };
    let inventory =
        inventory(&arguments.keystores, arguments.effort.kdf_limits()).map_err(|error| Failure::inventory(&error))?;
    let confirm = arguments.confirm.as_deref().map(Confirmation::parse).transpose()?;

    person.greet(inventory.keystores.len());
    let network = person.network()?;
    let (owner, owner_text) = person.owner()?;
    let nonce = person.nonce()?;
    let (list, cluster, operators_file) = person.operators()?;
    let request =
        Request { network, owner, owner_text, first_nonce: nonce, cluster, operator_list: list, operators_file };
    let plan = plan(request, inventory).map_err(|error| Failure::plan(&error))?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(plan.default_folder()));
    OutputDir::check(&out, &OUTPUT_FILES, arguments.force).map_err(|error| Failure::write(&error))?;
    if let Some(confirm) = &confirm {
        confirm.must_agree(&plan)?;
    }

    let memory = arguments.effort.memory_or_default();
    let found: Vec<_> = plan.keystores.iter().map(|keystore| &keystore.found).collect();
    must_fit(&found, memory)?;
    warn(&plan, printer);
    let asks = person.present && confirm.is_none();
    show_plan(&plan, &out, arguments.dry_run, asks, printer);
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    if confirm.is_none() {
        person.confirms(&plan)?;
    }
    let output = OutputDir::prepare(&out, &OUTPUT_FILES, arguments.force).map_err(|error| Failure::write(&error))?;
    let passwords = supply(&arguments.passwords, passwords, &found, printer, person.present)?;
    let done = make(&plan, &passwords, output, (kdf, memory, offline_enforced), arguments, printer)?;
    show_done(&plan, &done, &out, printer);
    Ok(Exit::Done)
}

/// Whoever runs the command, and what they already said.
struct Person<'a> {
    arguments: &'a SplitArguments,
    printer: &'a Printer,
    present: bool,
}

impl Person<'_> {
    /// Says what is going on before the first question.
    fn greet(&self, keystores: usize) {
        let arguments = self.arguments;
        let complete = arguments.network.is_some()
            && arguments.owner.is_some()
            && arguments.nonce.is_some()
            && arguments.operators.is_some();
        if self.present && !complete {
            self.printer.message(&format!("{} found. A few questions, then the plan;", count(keystores, "keystore")));
            self.printer.message("nothing is opened before you have seen it. Ctrl-C ends without a trace.");
        }
    }

    fn network(&self) -> Result<Network, Failure> {
        if let Some(name) = self.arguments.network {
            return Ok(name.into());
        }
        self.must_be_present("the network", "--network")?;
        let names: Vec<_> = Network::ALL.iter().map(|network| network.name()).collect();
        prompt::ask(self.printer, &format!("Network ({})?", names.join(", ")), |answer| {
            let name = <NetworkName as clap::ValueEnum>::from_str(answer, true);
            name.map(Network::from).map_err(|_| Failure::new(Code::InputMissing, "that is none of the networks"))
        })
    }

    fn owner(&self) -> Result<(Address, String), Failure> {
        let read = |text: &str| parse_owner(text).map(|owner| (owner, text.to_owned()));
        if let Some(text) = &self.arguments.owner {
            return read(text);
        }
        self.must_be_present("the owner", "--owner")?;
        prompt::ask(self.printer, "Owner, the address that will register the validators (0x…)?", read)
    }

    fn nonce(&self) -> Result<Nonce, Failure> {
        if let Some(text) = &self.arguments.nonce {
            return parse_nonce(text);
        }
        self.must_be_present("the nonce", "--nonce")?;
        for line in [
            "The nonce is how many validators this owner has registered on this network so",
            "far, removed and failed ones included; 0 for the first. A wrong nonce costs fees",
            "for nothing.",
        ] {
            self.printer.message(line);
        }
        prompt::ask(self.printer, "Registration nonce?", parse_nonce)
    }

    fn operators(&self) -> Result<(OperatorList, Cluster, (String, Sha256Digest)), Failure> {
        let (list, name, digest) = match &self.arguments.operators {
            Some(path) => read_operators(path)?,
            None => {
                self.must_be_present("the list of operators", "--operators")?;
                prompt::ask(self.printer, "File with the operators and their keys?", |answer| match answer {
                    "" => Err(Failure::new(Code::InputMissing, "no file was named")),
                    named => read_operators(Path::new(named)),
                })?
            }
        };
        let pick = |ids: Option<&[OperatorId]>| list.pick(ids).map_err(|error| Failure::operators(&error));
        let cluster = if !self.arguments.operator_ids.is_empty() {
            pick(Some(&parse_ids(self.arguments.operator_ids.iter().map(String::as_str))?))?
        } else if self.present && dvkey_ceremony::Threshold::ssv(list.ids().len()).is_err() {
            self.printer.message(&format!("The list has {}.", count(list.ids().len(), "operator")));
            prompt::ask(self.printer, "Which of them, 4, 7, 10 or 13 ids (12,34,56,78)?", |answer| {
                pick(Some(&parse_ids(answer.split(','))?))
            })?
        } else {
            pick(None)?
        };
        Ok((list, cluster, (name, digest)))
    }

    /// At a terminal the values that cannot be changed later are typed back once.
    fn confirms(&self, plan: &Plan) -> Result<(), Failure> {
        if !self.present {
            return Ok(());
        }
        let owner = plan.request.owner.to_checksum();
        let last_six = owner.get(36..).unwrap_or_default();
        prompt::read_back(self.printer, "Type the last six characters of the owner:", last_six)?;
        prompt::read_back(self.printer, "Type the first nonce:", &plan.request.first_nonce.to_string())
    }

    fn must_be_present(&self, what: &str, flag: &str) -> Result<(), Failure> {
        if self.present { Ok(()) } else { Err(Failure::missing(what, flag)) }
    }
}

/// Two options that both read stdin would get half of it each.
fn one_user_of_stdin(arguments: &SplitArguments) -> Result<(), Failure> {
    let operators = arguments.operators.as_ref().is_some_and(|path| Source::from_arg(path) == Source::Stdin);
    if operators && arguments.passwords.read_stdin() {
        let headline = "stdin cannot be both the list of operators and the password";
        return Err(Failure::new(Code::PasswordSource, headline));
    }
    Ok(())
}

fn parse_ids<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<OperatorId>, Failure> {
    let parse = |text: &str| {
        text.trim().parse().map_err(|error: dvkey_ceremony::identifier::IdentifierError| {
            Failure::new(Code::OperatorsId, format!("operator id: {error}"))
        })
    };
    texts.map(parse).collect()
}

/// `owner=0x…,nonce=7`: whole values, so that a script confirms what it means and not what it happens to get.
struct Confirmation {
    owner: Option<Address>,
    nonce: Option<Nonce>,
}

impl Confirmation {
    fn parse(text: &str) -> Result<Self, Failure> {
        let mut confirmation = Self { owner: None, nonce: None };
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("owner", value)) if confirmation.owner.is_none() => {
                    confirmation.owner = Some(parse_owner(value)?);
                }
                Some(("nonce", value)) if confirmation.nonce.is_none() => {
                    confirmation.nonce = Some(parse_nonce(value)?);
                }
                _ => {
                    let headline = "--confirm does not have the form owner=0x…,nonce=N";
                    return Err(Failure::new(Code::ConfirmDiffers, headline));
                }
            }
        }
        Ok(confirmation)
    }

    fn must_agree(&self, plan: &Plan) -> Result<(), Failure> {
        let (Some(owner), Some(nonce)) = (self.owner, self.nonce) else {
            return Err(Failure::new(Code::ConfirmDiffers, "--confirm must name both owner and nonce"));
        };
        if owner != plan.request.owner || nonce != plan.request.first_nonce {
            let headline = "what is confirmed is not what was asked for";
            return Err(Failure::new(Code::ConfirmDiffers, headline)
                .cause(format!("asked for: owner {}, nonce {}", plan.request.owner, plan.request.first_nonce))
                .cause(format!("confirmed: owner {owner}, nonce {nonce}")));
        }
        Ok(())
    }
}

fn warn(plan: &Plan, printer: &Printer) {
    if let Some(wrapping) = wrapping_ids(plan.request.cluster.ids().iter().map(|id| id.get())) {
        printer.warning(&format!(
            "operator ids from 2147483648 up are read as other numbers by ssv-keys and the SSV SDK, \
             and rounded in JavaScript from 9007199254740993 up: {wrapping}. The shares made here are right."
        ));
    }
    let network = plan.request.network;
    if !network.has_v2_contract() {
        printer.warning(&format!("the SSV contract on {network} is version 1: a current wallet cannot register there"));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPlan<'a> {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    chain_id: u64,
    contract: &'static str,
    owner: String,
    first_nonce: u16,
    last_nonce: u16,
    threshold: usize,
    operator_ids: Vec<u64>,
    keystores: Vec<JsonKeystore<'a>>,
    left_alone: Vec<&'a str>,
    out: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonKeystore<'a> {
    name: &'a str,
    nonce: u16,
    public_key: Option<String>,
    kdf: &'static str,
}

const SCHEMA: &str = "dvkey.split/1";

/// The plan is a message before work, and the result of a dry run.
fn show_plan(plan: &Plan, out: &Path, dry_run: bool, shown_anyway: bool, printer: &Printer) {
    let request = &plan.request;
    printer.object(&JsonPlan {
        schema: SCHEMA,
        event: "plan",
        network: request.network.name(),
        chain_id: request.network.chain_id(),
        contract: request.network.ssv_contract(),
        owner: request.owner.to_checksum(),
        first_nonce: request.first_nonce.get(),
        last_nonce: plan.last_nonce().get(),
        threshold: request.cluster.threshold().t(),
        operator_ids: request.cluster.ids().iter().map(|id| id.get()).collect(),
        keystores: plan.keystores.iter().map(json_keystore).collect(),
        left_alone: plan.strays.iter().map(|stray| stray.name.as_str()).collect(),
        out: out.display().to_string(),
    });
    if printer.json() {
        return;
    }
    // Whoever is asked to confirm must have seen the plan, --quiet or not.
    let line = |text: &str| match (dry_run, shown_anyway) {
        (true, _) => printer.result(text),
        (false, true) => printer.say(text),
        (false, false) => printer.message(text),
    };
    let threshold = request.cluster.threshold();
    let (first, last) = (request.first_nonce.get().into(), plan.last_nonce().get().into());
    line(&tone(Tone::Bold, &format!("Plan: split {}", count(plan.keystores.len(), "keystore"))));
    line(&format!("  network    {} (chain {})", request.network, request.network.chain_id()));
    line(&format!("  owner      {}", request.owner));
    line(&format!("  {:<10} {}", if first == last { "nonce" } else { "nonces" }, range(first, last)));
    line(&format!("  operators  {}", ids(&request.cluster.ids())));
    line(&format!("  threshold  {} of {}: {} may fail", threshold.t(), threshold.n(), threshold.faults()));
    line(&format!("  output     {}", out.display()));
    line(&tone(Tone::Faint, "   nonce  validator           keystore"));
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for keystore in plan.keystores.iter().take(most) {
        let key = keystore.found.public_key.as_ref().map_or("not named         ".to_owned(), short_key);
        line(&format!("  {:>6}  {key}  {}", keystore.nonce, printable(&keystore.found.name)));
    }
    if plan.keystores.len() > most {
        line(&format!("  and {} more; --verbose shows all", plan.keystores.len() - most));
    }
    if !plan.strays.is_empty() {
        let strays: Vec<_> =
            plan.strays.iter().map(|stray| format!("{} ({})", printable(&stray.name), stray.what)).collect();
        line(&format!("  left alone: {}", strays.join(", ")));
    }
    if dry_run {
        line("Nothing was decrypted and nothing was written.");
    }
}

fn range(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

fn json_keystore(keystore: &PlannedKeystore) -> JsonKeystore<'_> {
    JsonKeystore {
        name: &keystore.found.name,
        nonce: keystore.nonce.get(),
        public_key: keystore.found.public_key.map(|key| key.to_string()),
        kdf: keystore.found.keystore.envelope.kdf.name(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonValidator<'a> {
    schema: &'static str,
    event: &'static str,
    keystore: &'a str,
    public_key: String,
    nonce: u16,
    password_reading: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonDone {
    schema: &'static str,
    event: &'static str,
    files: Vec<String>,
    keyshares_sha256: String,
    validators: usize,
    first_nonce: u16,
    last_nonce: u16,
}

fn make(
    plan: &Plan,
    passwords: &Supply<'_>,
    output: OutputDir,
    (kdf, memory, offline_enforced): (Tested, u64, bool),
    arguments: &SplitArguments,
    printer: &Printer,
) -> Result<Done, Failure> {
    let jobs = arguments.effort.jobs_or_default();
    let memory = Budget::new(memory);
    printer.detail(&format!(
        "{}, up to {} for key derivation ({}, {} at once)",
        count(jobs, "worker"),
        format_size(memory.total()),
        kdf.path().name(),
        kdf.path().lanes()
    ));
    let progress = Progress::start(printer, plan.keystores.len(), "splitting");
    let events = |event: Event<'_>| match event {
        Event::Split { keystore, public_key, reading } => {
            progress.done(keystore.nonce.get().into());
            if reading == Reading::Wealdtech {
                printer.warning(&format!(
                    "{} opened only with the wealdtech reading of its password (combining marks left out)",
                    printable(&keystore.found.name)
                ));
            }
            printer.object(&JsonValidator {
                schema: SCHEMA,
                event: "validator",
                keystore: &keystore.found.name,
                public_key: public_key.to_string(),
                nonce: keystore.nonce.get(),
                password_reading: reading.name(),
            });
        }
        Event::Refused { refusal } => {
            printer.detail(&format!("{}: {}", refusal.path.display(), refusal.cause));
        }
        Event::Judging => printer.detail("reading the files back and judging them"),
        Event::Publishing => printer.detail("publishing"),
    };
    let created_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let ports = Ports { passwords, memory: &memory, kdf, jobs, output, created_at, offline_enforced, events: &events };
    execute(plan, ports).map_err(|error| Failure::execute(&error))
}

fn show_done(plan: &Plan, done: &Done, out: &Path, printer: &Printer) {
    let request = &plan.request;
    let (first, last) = (request.first_nonce.get(), plan.last_nonce().get());
    printer.object(&JsonDone {
        schema: SCHEMA,
        event: "done",
        files: done.files.iter().map(|file| file.display().to_string()).collect(),
        keyshares_sha256: done.keyshares_digest.to_string(),
        validators: done.validators.len(),
        first_nonce: first,
        last_nonce: last,
    });
    if printer.json() {
        return;
    }
    printer.message(&format!(
        "{} {} into {} shares each, read back from disk and verified",
        tone(Tone::Good, "done:"),
        count(done.validators.len(), "validator"),
        request.cluster.threshold().n()
    ));
    for file in &done.files {
        printer.result(&file.display().to_string());
    }
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for (public_key, nonce) in done.validators.iter().take(most) {
        printer.message(&format!("  nonce {nonce:>5}  {public_key}"));
    }
    if done.validators.len() > most {
        printer.message(&format!("  and {} more", done.validators.len() - most));
    }
    printer.message(&format!(
        "next: register with {}, in this order, and nothing else of this owner in between",
        nonces(first.into(), last.into())
    ));
    printer.message(&format!(
        "check it anywhere: dvkey verify {} --network {} --owner {} --nonce {first}",
        shell_word(out),
        request.network,
        request.owner
    ));
    printer.message("before the first validator runs on the SSV Network, its old client must be off for good:");
    printer.message("a key that signs in two places is slashed");
}

/// A path as it can be pasted into a shell.
fn shell_word(path: &Path) -> String {
    shell_words::quote(&path.display().to_string()).into_owned()
}
