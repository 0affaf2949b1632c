//! The command line of air-gapped ceremonies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CredentialsName, NetworkName};
use crate::machine::memory::parse_size;

#[derive(Debug, Args)]
#[command(after_help = OVERVIEW)]
pub(crate) struct CeremonyArguments {
    #[command(subcommand)]
    pub(crate) command: CeremonyCommand,
}

const OVERVIEW: &str = "\
Each participant has a folder of its own, and in it
  inbox/   for files from others, under any names
  outbox/  for what is carried to all others

`step` takes in what is new, says what is missing and from whom, asks the one question that is due \
and writes the one file that is due. It may be run again at any time, and after any accident.

  identity new FOLDER      once; the card in outbox/ goes to the organizer
  plan new CARD…           the organizer; the plan goes to everybody
  step FOLDER              everybody, until the ceremony is finished
  assemble STICK           anybody; deposit data, keyshares, certificate
  verify OUTPUT            the owner, before depositing

Exit code 0: done. 5: waiting for others. 4: somebody cheated, and signed files prove it. \
3: audit or verify says no. `dvkey ceremony rehearse` shows all of it with throwaway keys.";

#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Who I am in ceremonies: a vault, 24 words, a card
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// What everybody agrees to
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Do whatever is due in a participant's folder
    #[command(after_help = STEP_EXAMPLES)]
    Step(StepArguments),
    /// Who has done what: participants by steps
    Status(StatusArguments),
    /// Walk 1: write my deal
    Deal(StepArguments),
    /// Walk 2: check all deals, and certify
    Certify(StepArguments),
    /// Verify everything, and write deposit data, keyshares, proofs, certificate and bundles
    #[command(after_help = ASSEMBLE_EXAMPLES)]
    Assemble(AssembleArguments),
    /// Take my own shares, once everybody has certified
    Finish(StepArguments),
    /// For the owner, before depositing: do these results come from a complete ceremony?
    Verify(VerifyArguments),
    /// Replay a ceremony from its public files: one line for each numbered check
    Audit(AuditArguments),
    /// Prove that a dealer sent me a wrong share
    Complain(StepArguments),
    /// Who lied: the dealer or the complainer?
    Judge(PublicArguments),
    /// Find the deal that differs between two sets of files
    Compare(CompareArguments),
    /// My shares again, from the words and the bundle of a finished ceremony
    Recover(RecoverArguments),
    /// Operators' proofs, added after the ceremony
    #[command(subcommand)]
    Proofs(ProofsCommand),
    /// A whole ceremony on this machine with throwaway keys, perhaps with a cheat
    #[command(after_help = REHEARSE_EXAMPLES)]
    Rehearse(RehearseArguments),
    /// The printable script of a plan, with a numbered box for every step
    Runbook(RunbookArguments),
}

const STEP_EXAMPLES: &str = "\
Examples:
  dvkey ceremony step alice
  dvkey ceremony step alice --stick /media/stick
      reads the stick as well, and copies the outbox onto it
  dvkey ceremony step alice --passphrase-file pw --no-input \\
      --confirm network=hoodi,amount=32ether,withdrawal=0x8159…,owner=0x8159…,\\
words=into-retire-…
      accepts the plan in the inbox, if it is that one

Exit code 0: something was done, or all is finished. 5: there is nothing to do but to wait.";

const ASSEMBLE_EXAMPLES: &str = "\
Examples:
  dvkey ceremony assemble /media/stick --out output
  dvkey ceremony assemble alice --out output

Needs all deals in full and the certify files of all participants; there is no way around that. \
What is written was read back and judged as `dvkey verify` and `dvkey ceremony audit` judge it.";

const REHEARSE_EXAMPLES: &str = "\
Cheats:
  silent            deals nothing, and lets everybody wait
  bad-share         sends one participant a share that is wrong
  two-faces         signs two different deals
  bad-proof         deals without knowing what it contributes
  bad-certify       certifies without having its shares
  false-complaint   complains about a share that is right
  late-deal         signs a second deal once everybody has certified; the keys stand

Examples:
  dvkey ceremony rehearse --participants 4 --validators 2 --out rehearsal
  dvkey ceremony rehearse --participants 4 --out lesson --cheat bad-share

The outputs belong to an address that nobody has a key for, and the plan says REHEARSAL: they cannot \
pass for real ones. Afterwards every command can be tried on the folders; the passphrase is: rehearsal";

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make a vault and a card; the 24 words are shown once
    New(IdentityNewArguments),
    /// Bind a card to an SSV operator: sign where its key lives, then fold the signature in
    #[command(after_help = BIND_EXAMPLES)]
    Bind(IdentityBindArguments),
    /// Show a card: label, words, operator
    Show(IdentityShowArguments),
}

const BIND_EXAMPLES: &str = "\
Examples:
  dvkey ceremony identity bind card.agdkg --operator-id 12 --network hoodi \\
      --key encrypted_private_key.json --password-file password \\
      --out binding.json
      on the operator's server: signs the card's keys; the key stays there
  dvkey ceremony identity bind alice --binding binding.json
      on the laptop: makes the card again with it
  dvkey ceremony identity bind alice --operator-id 12 --network hoodi \\
      --key operator-12.pem
      both at once, where laptop and key are at one place";

/// The passphrase of a vault, and whether anybody can be asked.
#[derive(Debug, Args)]
pub(crate) struct VaultArguments {
    /// A file with the passphrase of the vault; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IdentityNewArguments {
    /// The folder, made if it is not there
    pub(crate) folder: PathBuf,
    /// What the others call me, at most 64 bytes
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// For this ceremony only; destroy the vault once the keystores are safe
    #[arg(long)]
    pub(crate) one_time: bool,
    /// Make the vault again from 24 words, asked for at the terminal
    #[arg(long, conflicts_with_all = ["dice", "one_time"])]
    pub(crate) from_words: bool,
    /// A file or pipe with the 24 words; - is stdin
    #[arg(long, value_name = "FILE", requires = "from_words")]
    pub(crate) words_file: Option<PathBuf>,
    /// Make the root from dice, at least 100 rolls, asked for at the terminal
    #[arg(long)]
    pub(crate) dice: bool,
    /// Do not show the words: the vault is the only copy
    #[arg(long)]
    pub(crate) without_words: bool,
    /// The memory that each guess at the passphrase takes, from 64MiB to 1GiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) vault_memory: Option<u64>,
    /// Write the card as text between BEGIN and END lines, too
    #[arg(long)]
    pub(crate) armor: bool,
    #[command(flatten)]
    pub(crate) vault: VaultArguments,
}

#[derive(Debug, Args)]
pub(crate) struct IdentityBindArguments {
    /// A card, or the folder of a participant
    #[arg(value_name = "CARD_OR_FOLDER")]
    pub(crate) target: PathBuf,
    /// The operator's number
    #[arg(long, value_name = "ID")]
    pub(crate) operator_id: Option<String>,
    /// The network on which it is registered
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: Option<NetworkName>,
    /// The operator's private key: PEM, base64 of PEM, or the node's encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The password of an encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The file that the operator's server wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operator_id", "network", "key"])]
    pub(crate) binding: Option<PathBuf>,
    /// Where to write the signature [default: binding-<id>.json]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vault: VaultArguments,
}

#[derive(Debug, Args)]
pub(crate) struct IdentityShowArguments {
    /// Cards, or folders with cards
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print each card as text between BEGIN and END lines
    #[arg(long)]
    pub(crate) armor: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Make a plan from the participants' cards
    #[command(after_help = PLAN_EXAMPLES)]
    New(Box<PlanNewArguments>),
    /// Show a plan with its ten words
    Show(PlanShowArguments),
    /// Confirm a plan: the withdrawal address, the owner, the ten words
    #[command(after_help = ACCEPT_EXAMPLES)]
    Accept(PlanAcceptArguments),
}

const PLAN_EXAMPLES: &str = "\
Examples:
  dvkey ceremony plan new cards/ --network hoodi --validators 2 \\
      --withdrawal 0x8159… --owner 0x8159… --nonce 7 --title 'Kestrel pool'
      an SSV cluster: ids and threshold follow from the cards
  dvkey ceremony plan new 1=alice.agdkg 2=bob.agdkg 3=carol.agdkg \\
      --threshold 2 --network hoodi --withdrawal 0x8159…
      any other cluster: 2 of 3";

const ACCEPT_EXAMPLES: &str = "\
Examples:
  dvkey ceremony plan accept alice
      the plan in the inbox; asks for everything that has to be confirmed
  dvkey ceremony plan accept alice plan.agdkg --passphrase-file pw --no-input \\
      --confirm network=hoodi,amount=32ether,withdrawal=0x8159…,owner=0x8159…,\\
words=into-retire-…
      whole values; amount and withdrawal once for each that the plan has";

#[derive(Debug, Args)]
pub(crate) struct PlanNewArguments {
    /// Cards, or folders with cards; ID=CARD says the participant's number
    #[arg(required = true, value_name = "CARD")]
    pub(crate) cards: Vec<String>,
    /// The network that the deposits are for
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: NetworkName,
    /// How many validator keys are made
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) validators: u16,
    /// The account that everything is paid to
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) withdrawal: String,
    /// The type of the withdrawal credentials
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value = "0x01")]
    pub(crate) credentials: CredentialsName,
    /// How much each deposit is, with its unit; several make a list for each [default: 32ether]
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) amount: Vec<String>,
    /// For the SSV Network: the address that will register the validators
    #[arg(long, value_name = "0x…", allow_hyphen_values = true, requires = "nonce")]
    pub(crate) owner: Option<String>,
    /// For the SSV Network: the owner's registration nonce for the first validator
    #[arg(long, value_name = "N", allow_hyphen_values = true, requires = "owner")]
    pub(crate) nonce: Option<String>,
    /// For how many nonces in a row each validator is signed, 1 to 8
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) nonce_window: u8,
    /// How many shares sign; an SSV cluster's follows from its size
    #[arg(long, value_name = "T")]
    pub(crate) threshold: Option<u8>,
    /// What the ceremony is called
    #[arg(long, value_name = "TEXT", default_value = "Key ceremony")]
    pub(crate) title: String,
    /// Operators sign proofs of their shares while they certify, with their RSA keys at hand
    #[arg(long)]
    pub(crate) proofs: bool,
    /// Everybody commits to its deal before anybody shows one: one walk more, unbiased keys
    #[arg(long)]
    pub(crate) precommit: bool,
    /// After so many days the tools warn; nothing else happens
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires: Option<u32>,
    /// Take cards that are bound to no operator; test networks only, and nothing is sealed
    #[arg(long)]
    pub(crate) allow_unbound: bool,
    /// Take a threshold of half the participants or fewer: two groups can sign against each other
    #[arg(long)]
    pub(crate) allow_two_quorums: bool,
    /// Write the plan as text between BEGIN and END lines
    #[arg(long)]
    pub(crate) armor: bool,
    /// The plan's file [default: plan-<hash>.agdkg]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanShowArguments {
    /// The plan, or a folder or bundle with one
    pub(crate) plan: PathBuf,
    /// Print it as text between BEGIN and END lines
    #[arg(long)]
    pub(crate) armor: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanAcceptArguments {
    /// The folder of the participant
    pub(crate) folder: PathBuf,
    /// The plan [default: the one in the inbox]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) consent: ConsentArguments,
    #[command(flatten)]
    pub(crate) vault: VaultArguments,
}

/// What a human confirms of a plan.
#[derive(Debug, Args)]
pub(crate) struct ConsentArguments {
    /// Confirm the plan's values in full instead of typing them back
    #[arg(long, value_name = "NAME=VALUE,…")]
    pub(crate) confirm: Option<String>,
    /// Take a plan with cards that are bound to no operator; test networks only
    #[arg(long)]
    pub(crate) allow_unbound: bool,
    /// Take a threshold of half the participants or fewer
    #[arg(long)]
    pub(crate) allow_two_quorums: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StepArguments {
    /// The folder of the participant
    pub(crate) folder: PathBuf,
    /// A medium: read as the inbox is, and the outbox is copied onto it
    #[arg(long, value_name = "DIR")]
    pub(crate) stick: Option<PathBuf>,
    /// Copy what goes out as text between BEGIN and END lines, too
    #[arg(long)]
    pub(crate) armor: bool,
    /// My operator's private key, where the plan asks for operator proofs
    #[arg(long, value_name = "FILE")]
    pub(crate) operator_key: Option<PathBuf>,
    /// The password of an encrypted operator key
    #[arg(long, value_name = "FILE")]
    pub(crate) operator_password_file: Option<PathBuf>,
    /// The password for the keystores of my shares, where there are any; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) keystore_password_file: Option<PathBuf>,
    /// The folder for the keystores of my shares [default: keystores in the folder]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// After recovery from words: this plan was certified on no other machine
    #[arg(long)]
    pub(crate) never_certified: bool,
    #[command(flatten)]
    pub(crate) consent: ConsentArguments,
    #[command(flatten)]
    pub(crate) vault: VaultArguments,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The folder of a participant, or any folder or file with what was made so far
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

/// Which plan, and what may be overridden of it.
#[derive(Debug, Args)]
pub(crate) struct WhichPlan {
    /// The plan, where the files belong to several
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Take cards that are bound to no operator
    #[arg(long)]
    pub(crate) allow_unbound: bool,
    /// Take a threshold of half the participants or fewer
    #[arg(long)]
    pub(crate) allow_two_quorums: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublicArguments {
    /// Files, bundles and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct AssembleArguments {
    /// Files, bundles and folders: the stick, or the folder of a participant
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The folder for the results
    #[arg(long, short, value_name = "DIR", default_value = "output")]
    pub(crate) out: PathBuf,
    /// The owner's nonce for the first validator, within the plan's window [default: its first]
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<u64>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The folder with the results, or a bundle
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The account that everything should be paid to
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) withdrawal: Option<String>,
    /// The owner that should register
    #[arg(long, value_name = "0x…", allow_hyphen_values = true)]
    pub(crate) owner: Option<String>,
    /// The nonce that the first validator should have
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<u64>,
    /// The network that it should be for
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: Option<NetworkName>,
    /// How much each deposit should be, such as 32ether
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) amount: Vec<String>,
    /// How many validators there should be
    #[arg(long, value_name = "N")]
    pub(crate) validators: Option<u16>,
    /// The operators and their keys, from a source that you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) operators: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// A bundle, or files and folders of one ceremony
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// One set: a folder, a file, a bundle
    pub(crate) first: PathBuf,
    /// The other
    pub(crate) second: PathBuf,
    /// Where to write the proof against whoever has two faces [default: evidence-<id>.agdkg]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The bundle of the ceremony, with the ciphertexts: ceremony.bn, or files and folders
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) bundle: Vec<PathBuf>,
    /// The folder with the vault, instead of the words
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// A file or pipe with the 24 words; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    pub(crate) words_file: Option<PathBuf>,
    /// The password for the keystores; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) keystore_password_file: Option<PathBuf>,
    /// The folder for the keystores
    #[arg(long, short, value_name = "DIR", default_value = "keystores")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
    #[command(flatten)]
    pub(crate) vault: VaultArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProofsCommand {
    /// Sign the proofs of one operator, where its key lives, and add them to those that are there
    Add(ProofsAddArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ProofsAddArguments {
    /// The ceremony: a bundle, public or not
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) bundle: Vec<PathBuf>,
    /// The operator's private key: PEM, base64 of PEM, or the node's encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The password of an encrypted key file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Proofs that other operators made before
    #[arg(long, value_name = "FILE")]
    pub(crate) proofs: Vec<PathBuf>,
    /// The new file
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Never ask; a missing answer is an error
    #[arg(long)]
    pub(crate) no_input: bool,
    #[command(flatten)]
    pub(crate) which: WhichPlan,
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArguments {
    /// How many take part; 4, 7, 10 and 13 make an SSV cluster, others a generic one
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=13))]
    pub(crate) participants: u8,
    /// How many validator keys are made
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) validators: u16,
    /// The network; never mainnet
    #[arg(long, value_enum, value_name = "NAME", default_value = "hoodi")]
    pub(crate) network: NetworkName,
    /// A folder that is not there yet
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How the last participant misbehaves; see below
    #[arg(long, value_name = "NAME")]
    pub(crate) cheat: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunbookArguments {
    /// The plan, or a folder or bundle with one
    pub(crate) plan: PathBuf,
    /// Write a page for a browser instead of text
    #[arg(long)]
    pub(crate) html: bool,
    /// Write it to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
