//! The command line of batches.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{EffortArguments, PasswordArguments};
use crate::workflow::batch::Shard;

#[derive(Debug, Args)]
pub(crate) struct BatchArguments {
    #[command(subcommand)]
    pub(crate) command: BatchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Check a manifest and freeze a plan, with a nonce for every row
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Do the rows of a plan, or of one shard of it; run again to go on
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArguments>),
    /// Say what is done, pending and refused
    Status(StatusArguments),
    /// Make one keyshares.json for each owner and cluster, up to the first gap
    #[command(after_help = MERGE_EXAMPLES)]
    Merge(MergeArguments),
    /// Print a ready recipe for an engine that runs many workers
    Recipe(RecipeArguments),
}

const PLAN_EXAMPLES: &str = "\
The manifest is CSV with this header, or JSON Lines with the same names:
  keystore,operators,operator_ids,owner,nonce,network,password_file,tag
Paths are relative to the manifest. A keystore may be a folder. operator_ids (12;34;56;78), \
password_file and tag may be empty; nonce is needed on the first row of each owner and network, \
later rows take the next one. Nothing is decrypted.

Examples:
  dvkey batch plan --manifest manifest.csv --out plan.jsonl
  dvkey batch plan --manifest manifest.csv --out plan.jsonl --json";

const RUN_EXAMPLES: &str = "\
Examples:
  dvkey batch run plan.jsonl --work work --password-dir passwords
  dvkey batch run plan.jsonl --work work --shard 2/3 \\
      --password-command 'vault kv get -field=password keys/{pubkey}'

Rows that name a password_file use that. What was done by an earlier run is judged and kept.
Exit code 0: all rows of the shard are done. 5: some are still to be done. 1: all were tried and \
some refused, or are another plan's. 6: the disk is full, or may not be written to; what is done is kept.";

const MERGE_EXAMPLES: &str = "\
Examples:
  dvkey batch merge plan.jsonl --work work --out merged
  dvkey batch merge plan.jsonl --work worker-1 worker-2 worker-3 --out merged
  dvkey batch merge plan.jsonl --work work --out next \\
      --compact --next-nonce 0x8159…=10

A gap is never closed silently: of each owner, only what stands before its first gap is merged. \
What an earlier merge has written to --out stays as it is, byte for byte, since it may be registered \
by now: when a gap has been mended, the rows behind it get a file of their own. Another --out gets \
one file for all. \
--compact makes a new plan instead: rows below the owner's next nonce on chain count as registered, \
refused rows are left out, the rest is numbered anew from there and must be run again. The work of \
all shards is named then, so that none of them goes on with the old plan.
Exit code 0: everything was merged. 5: rows are still to be done. 1: rows were refused, or are \
another plan's.";

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// The manifest: CSV or JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    /// The plan's file, which must not be there yet
    #[arg(long, short, value_name = "PLAN")]
    pub(crate) out: PathBuf,
    /// The most validators of this batch that one operator may get
    #[arg(long, value_name = "N", default_value_t = 3000)]
    pub(crate) operator_cap: u32,
    /// The most memory that one keystore may ask for [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = crate::machine::memory::parse_size)]
    pub(crate) max_kdf_memory: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The plan
    pub(crate) plan: PathBuf,
    /// The folder for the work; each shard has a folder of its own in it
    #[arg(long, value_name = "DIR")]
    pub(crate) work: PathBuf,
    /// Which shard of how many
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = parse_shard)]
    pub(crate) shard: Shard,
    /// Stop at the first row that is refused
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// The folder of the manifest, where it is not where it was
    #[arg(long, value_name = "DIR")]
    pub(crate) base: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passwords: PasswordArguments,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
    #[command(flatten)]
    pub(crate) effort: EffortArguments,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The plan
    pub(crate) plan: PathBuf,
    /// The folders with the work, or copies of them
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub(crate) work: Vec<PathBuf>,
    /// Write counters for Prometheus to this file, replacing those of before; - for
    /// standard output, and nothing else there
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// The plan
    pub(crate) plan: PathBuf,
    /// The folders with the work, or copies of them
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub(crate) work: Vec<PathBuf>,
    /// The folder for the result
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace other results of an earlier merge
    #[arg(long)]
    pub(crate) force: bool,
    /// For --compact: the folder of the manifest, where it is not where it was
    #[arg(long, value_name = "DIR", requires = "compact")]
    pub(crate) base: Option<PathBuf>,
    /// Make a new plan without the refused rows, numbered anew
    #[arg(long, requires = "next_nonce")]
    pub(crate) compact: bool,
    /// The nonce of an owner's next registration on chain; NETWORK:OWNER=N for one on several
    #[arg(long, value_name = "OWNER=N", requires = "compact")]
    pub(crate) next_nonce: Vec<String>,
    /// The same nonce once more: where it is above a gap, and rows that no merge wrote are registered by other means; and
    /// where lines of a journal are damaged
    #[arg(long, value_name = "OWNER=N", requires = "compact")]
    pub(crate) confirm: Vec<String>,
    /// For --compact: shards whose work is not named, since nobody has begun them or will, or since it is lost
    #[arg(long, value_name = "I/N", requires = "compact", num_args = 1.., value_parser = parse_shard)]
    pub(crate) without_shard: Vec<Shard>,
}

#[derive(Debug, Args)]
pub(crate) struct RecipeArguments {
    /// The engine
    #[arg(value_enum)]
    pub(crate) engine: Engine,
    /// The plan
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// How many workers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) shards: u32,
    /// The folder for the work
    #[arg(long, value_name = "DIR", default_value = "work")]
    pub(crate) work: PathBuf,
}

/// What runs many workers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Engine {
    /// An Indexed Job
    Kubernetes,
    /// An array job
    Slurm,
    /// GNU parallel on one machine
    Parallel,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let form = || "a shard has the form I/N, such as 2/3; engines that count from 0 may say 1+1/3".to_owned();
    let canonical = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parse = |text: &str| if canonical(text) { text.parse::<u32>().ok() } else { None };
    let (number, of) = text.split_once('/').ok_or_else(form)?;
    let number = match number.strip_suffix("+1") {
        Some(number) => parse(number).and_then(|number| number.checked_add(1)),
        None => parse(number),
    };
    match (number, parse(of)) {
        (Some(number), Some(of)) => Shard::new(number, of).map_err(|error| error.to_string()),
        _ => Err(form()),
    }
}
