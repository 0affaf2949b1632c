//! `dvkey deposit`: settle the terms, show the plan, have the address read back, sign, say what was made.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dvkey_ceremony::Address;
use serde::Serialize;

use super::unlock::{kdf_path, must_fit, supply};
use super::{parse_amount, parse_withdrawal_address};
use crate::cli::args::{CredentialsName, DepositArguments, NetworkName};
use crate::cli::codes::Code;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::printer::{Printer, Tone, tone};
use crate::cli::ui::progress::Progress;
use crate::cli::ui::prompt;
use crate::cli::ui::words::{count, printable, short_key};
use crate::crypto::password::Reading;
use crate::format::network::Network;
use crate::machine::memory::Budget;
use crate::machine::password::Passwords as Opened;
use crate::store::output_dir::OutputDir;
use crate::workflow::deposit::{
    CredentialsType, Done, Event, Plan, Ports, Preset, Request, Terms, execute, plan, terms,
};
use crate::workflow::inventory::inventory;
use crate::workflow::unlock::UnlockPorts;

/// How many keystores the plan shows.
const SHOWN: usize = 20;

const SCHEMA: &str = "dvkey.deposit/1";

pub(in crate::cli) fn run(
    arguments: &DepositArguments,
    passwords: Option<Opened>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let present = !arguments.no_input && printer.interactive();
    let preset = read_preset(&arguments.preset)?;
    let inventory =
        inventory(&arguments.keystores, arguments.effort.kdf_limits()).map_err(|error| Failure::inventory(&error))?;
    let confirmed = arguments.confirm.as_deref().map(parse_confirmation).transpose()?;
    let request = ask_for_terms(arguments, preset, present, printer)?;
    let terms = terms(&request).map_err(|error| Failure::terms(&error))?;
    if let Some(confirmed) = confirmed {
        must_agree(confirmed, &terms)?;
    }
    let asks = present && confirmed.is_none();
    if !arguments.dry_run && !asks && confirmed.is_none() {
        return Err(Failure::missing("the confirmation of the withdrawal address", "--confirm withdrawal=0x…"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let plan = plan(terms, inventory, now);
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("."));
    OutputDir::check(&out, &[&plan.file_name], false).map_err(|error| Failure::write_once(&error))?;
    let memory = arguments.effort.memory_or_default();
    let keystores: Vec<_> = plan.keystores.iter().collect();
    must_fit(&keystores, memory)?;

    show_plan(&plan, preset, &out, arguments.dry_run, asks, printer);
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    if asks {
        let address = terms.address.to_checksum();
        let last_six = address.get(36..).unwrap_or_default();
        prompt::read_back(printer, "Type the last six characters of the withdrawal address:", last_six)?;
    }
    let kdf = kdf_path()?;
    let output = OutputDir::prepare(&out, &[&plan.file_name], false).map_err(|error| Failure::write_once(&error))?;
    let passwords = supply(&arguments.passwords, passwords, &keystores, printer, present)?;
    let memory = Budget::new(memory);
    let jobs = arguments.effort.jobs_or_default();
    let unlocking = UnlockPorts { passwords: &passwords, memory: &memory, kdf, jobs };
    let done = make(&plan, unlocking, output, printer)?;
    show_done(&plan, &done, printer);
    Ok(Exit::Done)
}

/// `--for NAME` or `--for NAME ADDRESS`.
fn read_preset(words: &[String]) -> Result<Option<Preset>, Failure> {
    let (name, address) = match words {
        [] => return Ok(None),
        [name] => (name, None),
        [name, address, ..] => (name, Some(address)),
    };
    let contradiction = |headline: String| Failure::new(Code::DepositContradiction, headline);
    let with_address = |preset: fn(Address) -> Preset| {
        let missing = || contradiction(format!("--for {name} needs an address: --for {name} 0x…"));
        parse_withdrawal_address(address.ok_or_else(missing)?).map(|address| Some(preset(address)))
    };
    match name.as_str() {
        "lido-csm" => match address {
            None => Ok(Some(Preset::LidoCsm)),
            Some(_) => Err(contradiction("--for lido-csm takes no address".to_owned())
                .hint("name the keystores before --for, or another option after it")),
        },
        "stakewise-vault" => with_address(Preset::StakewiseVault),
        "rocketpool-minipool" => with_address(Preset::RocketpoolMinipool),
        "eigenpod" => with_address(Preset::EigenPod),
        other => Err(contradiction(format!("{:?} is no preset", printable(other)))
            .hint("there are lido-csm, stakewise-vault, rocketpool-minipool, eigenpod")),
    }
}

/// What was said on the command line; a person is asked for what has no default.
fn ask_for_terms(
    arguments: &DepositArguments,
    preset: Option<Preset>,
    present: bool,
    printer: &Printer,
) -> Result<Request, Failure> {
    let network = match arguments.network {
        Some(name) => name.into(),
        None if !present => return Err(Failure::missing("the network", "--network")),
        None => {
            let names: Vec<_> = Network::ALL.iter().map(|network| network.name()).collect();
            prompt::ask(printer, &format!("Network ({})?", names.join(", ")), |answer| {
                let name = <NetworkName as clap::ValueEnum>::from_str(answer, true);
                name.map(Network::from).map_err(|_| Failure::new(Code::InputMissing, "that is none of the networks"))
            })?
        }
    };
    let withdrawal = match &arguments.withdrawal {
        Some(text) => Some(parse_withdrawal_address(text)?),
        None if present && preset.is_none() => {
            printer.message("Everything that the validators ever pay out goes to one account. It cannot be changed");
            printer.message("after the deposit, so that it must be one whose key you will still have in years.");
            Some(prompt::ask(printer, "Withdrawal address (0x…)?", parse_withdrawal_address)?)
        }
        None => None,
    };
    let credentials = arguments.credentials.map(|name| match name {
        CredentialsName::Execution => CredentialsType::Execution,
        CredentialsName::Compounding => CredentialsType::Compounding,
    });
    let amount = arguments.amount.as_deref().map(parse_amount).transpose()?;
    Ok(Request { network, preset, withdrawal, credentials, amount })
}

/// `withdrawal=0x…`: the whole value, so that a script confirms what it means and not what it happens to get.
fn parse_confirmation(text: &str) -> Result<Address, Failure> {
    match text.split_once('=') {
        Some(("withdrawal", value)) => parse_withdrawal_address(value),
        _ => Err(Failure::new(Code::ConfirmDiffers, "--confirm does not have the form withdrawal=0x…")),
    }
}

fn must_agree(confirmed: Address, terms: &Terms) -> Result<(), Failure> {
    if confirmed == terms.address {
        return Ok(());
    }
    Err(Failure::new(Code::ConfirmDiffers, "what is confirmed is not what was asked for")
        .cause(format!("asked for: withdrawal to {}", terms.address))
        .cause(format!("confirmed: withdrawal to {confirmed}")))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPlan<'a> {
    schema: &'static str,
    event: &'static str,
    network: &'static str,
    chain_id: u64,
    preset: Option<&'static str>,
    withdrawal: String,
    withdrawal_credentials: String,
    /// Gwei, for each deposit.
    amount: u64,
    keystores: Vec<JsonKeystore<'a>>,
    left_alone: Vec<&'a str>,
    file: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonKeystore<'a> {
    name: &'a str,
    public_key: Option<String>,
}

/// The plan is a message before work, and the result of a dry run. Whoever is asked must have seen it.
fn show_plan(plan: &Plan, preset: Option<Preset>, out: &Path, dry_run: bool, asks: bool, printer: &Printer) {
    let terms = &plan.terms;
    let file = out.join(&plan.file_name);
    printer.object(&JsonPlan {
        schema: SCHEMA,
        event: "plan",
        network: terms.network.name(),
        chain_id: terms.network.chain_id(),
        preset: preset.map(Preset::name),
        withdrawal: terms.address.to_checksum(),
        withdrawal_credentials: terms.credentials.to_string(),
        amount: terms.amount.get(),
        keystores: plan
            .keystores
            .iter()
            .map(|found| JsonKeystore { name: &found.name, public_key: found.public_key.map(|key| key.to_string()) })
            .collect(),
        left_alone: plan.strays.iter().map(|stray| stray.name.as_str()).collect(),
        file: file.display().to_string(),
    });
    // Whoever is asked to confirm must have seen the plan, whatever goes to stdout.
    if printer.json() && !asks {
        return;
    }
    let line = |text: &str| match (dry_run, asks) {
        (true, _) if printer.json() => {}
        (true, _) => printer.result(text),
        (false, true) => printer.say(text),
        (false, false) => printer.message(text),
    };
    let deposits = count(plan.keystores.len(), "deposit");
    line(&tone(Tone::Bold, &format!("Plan: sign {deposits} of {}, {} in all", terms.amount, plan.total())));
    line(&format!("  network     {} (chain {})", terms.network, terms.network.chain_id()));
    line(&format!("  withdrawal  {}", tone(Tone::Bold, &terms.address.to_checksum())));
    line(&format!("  credentials {}", terms.credentials));
    line(&format!("  output      {}", file.display()));
    if let Some(preset) = preset {
        line(&format!("  for {}:", preset.name()));
        for reason in preset.reasons() {
            line(&format!("    {reason}"));
        }
    }
    line(&tone(Tone::Faint, "  validator           keystore"));
    let most = if printer.verbose() { usize::MAX } else { SHOWN };
    for found in plan.keystores.iter().take(most) {
        let key = found.public_key.as_ref().map_or("not named         ".to_owned(), short_key);
        line(&format!("  {key}  {}", printable(&found.name)));
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonValidator<'a> {
    schema: &'static str,
    event: &'static str,
    keystore: &'a str,
    public_key: String,
    password_reading: &'static str,
}

fn make(plan: &Plan, unlocking: UnlockPorts<'_>, output: OutputDir, printer: &Printer) -> Result<Done, Failure> {
    let progress = Progress::start(printer, plan.keystores.len(), "signing");
    let events = |event: Event<'_>| match event {
        Event::Signed { position, keystore, public_key, reading } => {
            progress.done(position);
            if reading == Reading::Wealdtech {
                printer.warning(&format!(
                    "{} opened only with the wealdtech reading of its password (combining marks left out)",
                    printable(&keystore.name)
                ));
            }
            printer.object(&JsonValidator {
                schema: SCHEMA,
                event: "validator",
                keystore: &keystore.name,
                public_key: public_key.to_string(),
                password_reading: reading.name(),
            });
        }
        Event::Refused { refusal } => printer.detail(&format!("{}: {}", refusal.path.display(), refusal.cause)),
        Event::Judging => printer.detail("reading the file back and judging it"),
    };
    execute(plan, Ports { unlocking, output, events: &events }).map_err(|error| Failure::deposit(&error))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonDone {
    schema: &'static str,
    event: &'static str,
    file: String,
    deposits: Vec<JsonDeposit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonDeposit {
    public_key: String,
    deposit_data_root: String,
}

fn show_done(plan: &Plan, done: &Done, printer: &Printer) {
    let terms = &plan.terms;
    printer.object(&JsonDone {
        schema: SCHEMA,
        event: "done",
        file: done.file.display().to_string(),
        deposits: done
            .deposits
            .iter()
            .map(|deposit| JsonDeposit {
                public_key: deposit.message.public_key.to_string(),
                deposit_data_root: format!("0x{}", hex::encode(deposit.root())),
            })
            .collect(),
    });
    if printer.json() {
        return;
    }
    let deposits = count(done.deposits.len(), "deposit");
    printer.message(&format!("{} {deposits} signed, read back from disk and verified", tone(Tone::Good, "done:")));
    printer.result(&done.file.display().to_string());
    printer.message(&format!("next: deposit on {} only, and only once for each validator", terms.network));
    printer.message(&format!(
        "check it anywhere: dvkey verify {} --network {} --withdrawal {}",
        shell_words::quote(&done.file.display().to_string()),
        terms.network,
        terms.address
    ));
}
