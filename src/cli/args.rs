//! The command line: every command, option and help text.

pub(crate) mod tx;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

mod batch;
pub(crate) mod ceremony;

pub(crate) use batch::{
    BatchArguments, BatchCommand, Engine, MergeArguments, PlanArguments, RecipeArguments, RunArguments, StatusArguments,
};

use crate::format::network::Network;
use crate::machine::memory::parse_size;

/// Keys of distributed Ethereum validators: split, verified, explained; offline
#[derive(Debug, Parser)]
#[command(name = "dvkey", version, propagate_version = false, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or valid              5  not finished: run again to go on
  1  bad, missing or unreadable  6  disk full, no permission to write
     input; or cannot be judged  70 a bug in dvkey
  2  wrong command line          130 interrupted
  3  verification says no
  4  a participant is at fault

Every error names a code; `dvkey explain CODE` says more.";

/// How results and messages are shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArguments {
    /// One JSON object a line on stdout, with a schema version
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Only errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More detail
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Split keystores into shares for SSV operators and prove the result
    #[command(after_help = SPLIT_EXAMPLES)]
    Split(Box<SplitArguments>),
    /// Judge keyshares, deposit data, proofs and ceremonies of any origin, without secrets
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArguments),
    /// Have validator keys sign where their stake is paid to: deposit data for the launchpad
    #[command(after_help = DEPOSIT_EXAMPLES)]
    Deposit(Box<DepositArguments>),
    /// For an operator: does my sealed share open, and does it match?
    #[command(after_help = OPEN_EXAMPLES)]
    Open(OpenArguments),
    /// Make the validator key again from enough shares, into a keystore
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(RecoverArguments),
    /// Write what registers, funds, exits or removes validators on the SSV contract
    Tx(Box<tx::TxArguments>),
    /// Many keystores: plan, run, resume, shard, merge
    Batch(BatchArguments),
    /// Many people make a key together, without a network: nobody ever has it whole
    Ceremony(Box<ceremony::CeremonyArguments>),
    /// Say in words what a file is
    Inspect(InspectArguments),
    /// Version, build and the SHA-256 of this very program
    #[command(name = "self")]
    Self_,
    /// Explain an error code; without one, list them all
    Explain {
        /// A code such as keystore.wrong-password
        code: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page
    Man {
        /// A command; without one, the page of dvkey itself
        command: Option<String>,
    },
}

const SPLIT_EXAMPLES: &str = "\
Examples:
  dvkey split keystore-m_12381_3600_0_0_0.json
      asks for what is missing, one question at a time
  dvkey split keystores/ --operators operators.json --operator-ids 12,34,56,78 \\
      --owner 0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494 --nonce 7 \\
      --network hoodi --password-dir passwords/ --no-input
  dvkey split keystores/ … --dry-run
      shows the plan; decrypts and writes nothing

Passwords never go on the command line. --password-command runs without a shell; {pubkey}, {file} and \
{index} are replaced, and DVKEY_PUBKEY, DVKEY_KEYSTORE and DVKEY_INDEX are set for it.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  dvkey verify keyshares.json
  dvkey verify keyshares-hoodi-81592c-nonce7/ --network hoodi \\
      --owner 0x8159… --nonce 7 --validators 3
  dvkey verify keyshares.json --operators operators.json --json
  dvkey verify deposit_data-1700000000.json --network hoodi \\
      --withdrawal 0x8159… --amount 32ether
  dvkey verify ceremony-2026-11-20--09-57-15.038/ \\
      --owner 0x8159… --nonce 7 --validators 3
  dvkey verify keyshares.json --proofs proofs.json

What is given is compared with the file, and a difference is a no.
Exit code 0: valid. 3: not valid. 1: cannot be judged.";

const DEPOSIT_EXAMPLES: &str = "\
Examples:
  dvkey deposit keystore-m_12381_3600_0_0_0.json --network hoodi \\
      --withdrawal 0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494
      asks for the last six characters of the address, and for the password
  dvkey deposit keystores/ --network mainnet --type 0x02 --amount 2048ether \\
      --withdrawal 0x8159… --confirm withdrawal=0x8159… \\
      --password-dir passwords/ --no-input
  dvkey deposit keystores/ --network mainnet --for lido-csm --dry-run
      shows the plan and what the preset sets; decrypts and writes nothing

Presets for --for:
  lido-csm                       Lido's withdrawal vault of the network
  stakewise-vault ADDRESS        a vault of StakeWise V3
  rocketpool-minipool ADDRESS    a minipool; say --amount, it deposits in parts
  eigenpod ADDRESS               an EigenPod

The withdrawal address cannot be changed after the deposit. Nothing is sent: the file is for the \
launchpad, or for whoever makes the deposit.";

const OPEN_EXAMPLES: &str = "\
Examples:
  dvkey open keyshares.json --key encrypted_private_key.json \\
      --password-file password
  dvkey open keyshares.json --key operator.pem

Exit code 0: every sealed share for this operator opens and matches. 3: one does not. \
1: there is none, or the key cannot be used.";

const RECOVER_EXAMPLES: &str = "\
Examples:
  dvkey recover keyshares.json \\
      --key 12=operator-12.pem --key 34=operator-34.pem \\
      --key 56=node-56/encrypted_private_key.json:node-56/password
  dvkey recover keyshares.json --validator 0x8c44… --key … \\
      --new-password-file password --no-input
  dvkey recover --validator 0x8c44… \\
      --share 1=share-1.json:pw1 --share 2=share-2.json:pw2 --share 3=…

As many shares are needed as the threshold says: 3 of 4, 5 of 7, 7 of 10, 9 of 13. A validator key \
that signs in two places is slashed: take the validator off the SSV Network first.";

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The keyshares file of the validator; - is stdin
    #[arg(value_name = "KEYSHARES")]
    pub(crate) keyshares: Option<PathBuf>,
    /// An operator's id and private key; once for each operator
    #[arg(long = "key", value_name = "ID=FILE[:PASSWORDFILE]")]
    pub(crate) keys: Vec<String>,
    /// An operator's id and the keystore with its share; once for each operator
    #[arg(long = "share", value_name = "ID=KEYSTORE[:PASSWORDFILE]")]
    pub(crate) shares: Vec<String>,
    /// Which validator, where the file has several or there is none
    #[arg(long, value_name = "PUBKEY")]
    pub(crate) validator: Option<String>,
    /// A file with the password for the new keystore; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// The folder for keystore-<pubkey>.json [default: the current one]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SplitArguments {
    /// Keystores (EIP-2335) and folders of them
    #[arg(required = true, value_name = "KEYSTORE_OR_DIR")]
    pub(crate) keystores: Vec<PathBuf>,
    /// The operators and their keys: a list of any tool, or a keyshares file
    #[arg(long, value_name = "FILE")]
    pub(crate) operators: Option<PathBuf>,
    /// Which operators of the list, 4, 7, 10 or 13 of them
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) operator_ids: Vec<String>,
    /// The address that will register the validators
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) owner: Option<String>,
    /// The owner's registration nonce for the first validator, 0 to 65535
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) nonce: Option<String>,
    /// The network they will be registered on
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: Option<NetworkName>,
    /// The folder for the result [default: keyshares-<network>-<owner>-nonce<N>]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passwords: PasswordArguments,
    /// Show the plan; decrypt nothing, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace the result of an earlier run
    #[arg(long)]
    pub(crate) force: bool,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Confirm the irreversible values in full instead of typing them back
    #[arg(long, value_name = "owner=0x…,nonce=N")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) effort: EffortArguments,
}

/// How much of the machine may be used to open keystores.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct EffortArguments {
    /// Workers, each of which opens several keystores at a time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Memory for key derivation, such as 2GiB [default: nine tenths of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) memory: Option<u64>,
    /// The most memory that one keystore may ask for [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_kdf_memory: Option<u64>,
}

/// One source of passwords at most.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordArguments {
    /// A file with the password of all keystores; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// A folder with a file for each: <pubkey>, <keystore>.txt
    #[arg(long, value_name = "DIR")]
    pub(crate) password_dir: Option<PathBuf>,
    /// A command that prints the password of a keystore
    #[arg(long, value_name = "COMMAND")]
    pub(crate) password_command: Option<String>,
    /// An open file descriptor with the password of all keystores
    #[arg(long, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct DepositArguments {
    /// Keystores (EIP-2335) and folders of them
    #[arg(required = true, value_name = "KEYSTORE_OR_DIR")]
    pub(crate) keystores: Vec<PathBuf>,
    /// The account that everything is paid to
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) withdrawal: Option<String>,
    /// The type of the withdrawal credentials [default: 0x01]
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub(crate) credentials: Option<CredentialsName>,
    /// How much each deposit is, with its unit, such as 32ether [default: 32ether]
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) amount: Option<String>,
    /// The network that the deposits are for
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: Option<NetworkName>,
    /// What the validators are for, which sets what it needs; see below
    #[arg(long = "for", num_args = 1..=2, value_names = ["PRESET", "ADDRESS"])]
    pub(crate) preset: Vec<String>,
    /// The folder for deposit_data-<time>.json [default: the current one]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passwords: PasswordArguments,
    /// Show the plan; decrypt nothing, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Confirm the withdrawal address in full instead of typing its end back
    #[arg(long, value_name = "withdrawal=0x…")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) effort: EffortArguments,
}

/// A type of withdrawal credentials as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CredentialsName {
    /// Up to 32 ETH count; the rest is paid out
    #[value(name = "0x01")]
    Execution,
    /// Up to 2048 ETH count and compound
    #[value(name = "0x02")]
    Compounding,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Files and folders; - is stdin
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The operators and their keys, from a source that you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) operators: Option<PathBuf>,
    /// The owner that it should be for
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) owner: Option<String>,
    /// The nonce that the first validator should have
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) nonce: Option<String>,
    /// The network that it should be for
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: Option<NetworkName>,
    /// How many validators there should be
    #[arg(long, value_name = "N")]
    pub(crate) validators: Option<usize>,
    /// Whom the deposits should be paid to: an address, or whole withdrawal credentials
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) withdrawal: Option<String>,
    /// How much each deposit should be, such as 32ether
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) amount: Option<String>,
    /// A file with the proofs of ssv-dkg that every validator must have
    #[arg(long, value_name = "FILE")]
    pub(crate) proofs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArguments {
    /// The keyshares file; - is stdin
    pub(crate) keyshares: PathBuf,
    /// The operator's private key: PEM, base64 of PEM, or the node's encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The password of an encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Whose key it is, where the file does not say
    #[arg(long, value_name = "ID")]
    pub(crate) operator_id: Option<String>,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Files and folders; - is stdin
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// A network as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkName {
    /// Ethereum itself
    Mainnet,
    /// The testnet for validators
    Hoodi,
    /// A testnet whose SSV contract is version 1
    Sepolia,
    /// A retired testnet
    Holesky,
}

impl From<NetworkName> for Network {
    fn from(name: NetworkName) -> Self {
        match name {
            NetworkName::Mainnet => Self::Mainnet,
            NetworkName::Hoodi => Self::Hoodi,
            NetworkName::Sepolia => Self::Sepolia,
            NetworkName::Holesky => Self::Holesky,
        }
    }
}
