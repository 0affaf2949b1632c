//! The command line of `dvkey tx`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::NetworkName;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TxArguments {
    #[command(subcommand)]
    pub(crate) command: TxCommand,
}

const EXAMPLES: &str = "\
Examples:
  dvkey tx register keyshares.json --network hoodi --new-cluster \\
      --value 1.5ether --out tx
  dvkey tx next --network hoodi --receipt receipt.json --out cluster.json
  dvkey tx register keyshares.json --network hoodi --cluster cluster.json \\
      --from-nonce 87 --value 0.5ether --format safe --from 0x8159… --out tx
  dvkey tx decode tx/register-01.safe.json

dvkey holds no account key and sends nothing. It writes what a wallet, a Safe or a script needs, and \
refuses what the contract would reject. Amounts are 1.5ether, 100gwei or 250000wei.";

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    /// Register the validators of a keyshares file
    Register(Box<RegisterArguments>),
    /// Remove validators from a cluster
    Remove(RemoveArguments),
    /// Ask the operators to exit validators from the beacon chain
    Exit(ExitArguments),
    /// Put ether into a cluster
    Deposit(ClusterValueArguments),
    /// Take ether out of a cluster
    Withdraw(WithdrawArguments),
    /// Bring a liquidated cluster back
    Reactivate(ClusterValueArguments),
    /// Move a cluster from SSV tokens to ether
    Migrate(ClusterValueArguments),
    /// Set where the rewards of all of an owner's validators go
    FeeRecipient {
        /// The address that receives them
        #[arg(value_name = "0x…")]
        recipient: String,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// Register an operator
    OperatorRegister {
        /// The operator's public key: PEM, base64 of PEM, DER
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
        /// What it charges, per block and 32 ETH
        #[arg(long, value_name = "AMOUNT")]
        fee: String,
        /// For whitelisted owners only
        #[arg(long)]
        private: bool,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// Remove an operator, for good
    OperatorRemove {
        /// The operator
        id: String,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// Change what an operator charges
    #[command(subcommand)]
    OperatorFee(FeeCommand),
    /// Who may use a private operator
    #[command(subcommand)]
    OperatorWhitelist(WhitelistCommand),
    /// Make operators private or public
    OperatorPrivacy {
        /// What they become
        to: Privacy,
        /// The operators
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// Take out what an operator earned
    OperatorWithdraw {
        /// The operator
        id: String,
        /// How much
        #[arg(long, value_name = "AMOUNT", conflicts_with = "all", required_unless_present = "all")]
        amount: Option<String>,
        /// Everything
        #[arg(long)]
        all: bool,
        /// What was earned: ether, the SSV token of version 1, or both
        #[arg(long, value_enum, default_value = "eth")]
        asset: AssetName,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// The cluster snapshot that a transaction left
    Next(NextArguments),
    /// Say in words what calldata, a transaction, a Safe batch or revert data means
    Decode {
        /// A file, - for stdin, or hexadecimal text starting with 0x
        input: String,
    },
    /// Join Safe batches of different clusters into one
    Batch {
        /// Safe batches, in the order of execution
        #[arg(required = true, num_args = 2.., value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The folder for the result; - is stdout
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
        /// Replace the result of an earlier run
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeeCommand {
    /// Announce a new fee, to be executed later
    Declare(FeeArguments),
    /// Put an announced fee into effect
    Execute(OperatorArguments),
    /// Withdraw an announcement
    Cancel(OperatorArguments),
    /// Charge less, at once
    Reduce(FeeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct FeeArguments {
    /// The operator
    pub(crate) id: String,
    /// What it will charge, per block and 32 ETH
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) fee: String,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct OperatorArguments {
    /// The operator
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WhitelistCommand {
    /// Let addresses use the operators
    Add(WhitelistArguments),
    /// Let them no longer
    Remove(WhitelistArguments),
    /// Let a contract decide
    SetContract {
        /// The operators
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// The whitelisting contract
        #[arg(long, value_name = "0x…")]
        contract: String,
        #[command(flatten)]
        payload: PayloadArguments,
    },
    /// Let no contract decide any more
    RemoveContract {
        /// The operators
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        payload: PayloadArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WhitelistArguments {
    /// The operators
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// The addresses
    #[arg(long, required = true, value_name = "0x…,…", value_delimiter = ',')]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

/// Where it is sent, by whom, and in which forms it is written.
#[derive(Debug, Args)]
pub(crate) struct PayloadArguments {
    /// The network
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: NetworkName,
    /// The folder for the result; - is stdout, for one form and one transaction
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How it is written; can be repeated
    #[arg(long, value_enum, value_name = "FORM", default_values_t = [FormName::Calldata])]
    pub(crate) format: Vec<FormName>,
    /// The account, or the Safe, that sends it
    #[arg(long, value_name = "0x…")]
    pub(crate) from: Option<String>,
    /// That account's transaction count, for --format unsigned; not the registration nonce
    #[arg(long, value_name = "N")]
    pub(crate) tx_nonce: Option<u64>,
    /// The most for each unit of gas, such as 20gwei
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) max_fee: Option<String>,
    /// For whoever builds the block, for each unit of gas
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) priority_fee: Option<String>,
    /// The gas limit: a number, or `estimate` for the figure of the tables with a tenth on top
    #[arg(long, value_name = "N|estimate")]
    pub(crate) gas: Option<String>,
    /// Replace the result of an earlier run
    #[arg(long)]
    pub(crate) force: bool,
}

/// A form on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormName {
    /// The calldata with its target
    Calldata,
    /// An EIP-1559 transaction as cast, ethers and viem take it, its raw bytes and its signing hash
    Unsigned,
    /// A batch for the Safe Transaction Builder
    Safe,
}

/// What operators become.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Privacy {
    /// For whitelisted owners only
    Private,
    /// For everybody
    Public,
}

/// What was earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AssetName {
    /// Ether
    Eth,
    /// The SSV token
    Ssv,
    /// Both, all of it
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArguments {
    /// The keyshares file; - is stdin
    pub(crate) keyshares: PathBuf,
    /// The cluster's snapshot: from dvkey tx next, ssv-scanner, the subgraph, an event
    #[arg(long, value_name = "FILE", conflicts_with = "new_cluster", required_unless_present = "new_cluster")]
    pub(crate) cluster: Option<PathBuf>,
    /// The owner has never had a cluster with these operators
    #[arg(long)]
    pub(crate) new_cluster: bool,
    /// The ether that goes with the call, into the cluster's balance
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) value: String,
    /// Build the call that starts with this registration nonce
    #[arg(long, value_name = "N")]
    pub(crate) from_nonce: Option<String>,
    /// The most validators a call [default: 80, 40, 30 or 20 for 4, 7, 10 or 13 operators]
    #[arg(long, value_name = "N")]
    pub(crate) max_per_tx: Option<usize>,
    /// The owner that the file should be for
    #[arg(long, value_name = "0x…")]
    pub(crate) owner: Option<String>,
    /// The nonce that its first validator should have
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<String>,
    /// What the SSV API or the subgraph says of the operators: removed, private, how busy
    #[arg(long, value_name = "FILE")]
    pub(crate) operators: Option<PathBuf>,
    /// The validators that one operator may have [default: 3000]
    #[arg(long, value_name = "N")]
    pub(crate) operator_limit: Option<u32>,
    #[command(flatten)]
    pub(crate) costs: CostArguments,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

/// The figures of the liquidation test; with all three it is made.
#[derive(Debug, Args)]
pub(crate) struct CostArguments {
    /// All operators' fees and the network's together, per block and 32 ETH
    #[arg(long, value_name = "AMOUNT", requires_all = ["liquidation_period", "min_collateral"])]
    pub(crate) fees: Option<String>,
    /// The blocks that a balance must last for
    #[arg(long, value_name = "BLOCKS", requires = "fees")]
    pub(crate) liquidation_period: Option<u64>,
    /// The least balance of a cluster
    #[arg(long, value_name = "AMOUNT", requires = "fees")]
    pub(crate) min_collateral: Option<String>,
    /// The cluster's effective balance in whole ETH, where it was reported
    #[arg(long, value_name = "ETH", requires = "fees")]
    pub(crate) effective_balance: Option<u64>,
}

/// A cluster that is there.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// The cluster's snapshot: from dvkey tx next, ssv-scanner, the subgraph, an event
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: PathBuf,
    /// Its operators, where nothing else names them; compared where a file does
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) operator_ids: Vec<String>,
    /// Its owner, where the snapshot does not name it; compared where it does
    #[arg(long, value_name = "0x…")]
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ClusterValueArguments {
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// The ether that goes with the call, into the cluster's balance
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) costs: CostArguments,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct WithdrawArguments {
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// How much
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) amount: String,
    #[command(flatten)]
    pub(crate) costs: CostArguments,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// Validator public keys, or files of them: a keyshares file, or one key a line
    #[arg(required = true, value_name = "PUBKEY_OR_FILE")]
    pub(crate) validators: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// Which call to build when there are more than 500 validators
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) chunk: usize,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExitArguments {
    /// Validator public keys, or files of them: a keyshares file, or one key a line
    #[arg(required = true, value_name = "PUBKEY_OR_FILE")]
    pub(crate) validators: Vec<String>,
    /// The operators that the validators are registered with, where no keyshares file names them; compared where one does
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) operator_ids: Vec<String>,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct NextArguments {
    /// What eth_getTransactionReceipt says
    #[arg(long, value_name = "FILE", conflicts_with = "event", required_unless_present = "event")]
    pub(crate) receipt: Option<PathBuf>,
    /// An event: a log, or one that ethers, viem or web3 decoded
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// The network
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) network: NetworkName,
    /// The owner of the cluster, where the receipt is about several
    #[arg(long, value_name = "0x…")]
    pub(crate) owner: Option<String>,
    /// The operators of the cluster, where the receipt is about several
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) operator_ids: Vec<String>,
    /// The file for the snapshot; - is stdout
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
    /// Replace the result of an earlier run
    #[arg(long)]
    pub(crate) force: bool,
}
