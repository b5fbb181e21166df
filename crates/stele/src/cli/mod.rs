//! The command line as it is typed: every command, argument and default. What they do is in `commands`.
//!
//! - [`node`]: arguments of commands that talk to a node. [`local`]: of commands that work on this machine.
//! - [`values`]: what an argument may hold.

mod credential;
mod local;
mod node;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

pub use credential::*;
pub use local::*;
pub use node::*;
use stele_node::WitnessEndpoint;
use values::{http_url, network_name, witness_endpoint};

use crate::env;
use crate::home::NETWORK_NAME;
use crate::printer::Format;

/// The address of a node on this machine.
pub const URL_DEFAULT: &str = "http://127.0.0.1:4180";
/// Where `stele up` listens.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:4180";

/// One trust platform: registers of signed entries, and receipts that anyone verifies offline
#[derive(Debug, Parser)]
#[command(
    name = "stele",
    version,
    arg_required_else_help = true,
    propagate_version = false,
    after_help = "Data goes to stdout, everything else to stderr.\nExit codes: 0 done or valid, 1 the answer is no, 2 no answer."
)]
pub struct Cli {
    /// For all commands.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Global {
    /// The form of the data on stdout
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub format: Format,
    /// Say nothing but data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for debugging
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a node: the ledger, its API and the console
    Up(UpArgs),
    /// The network of validators: how it does, and joining it
    Network(NetworkArgs),
    /// Be an outside witness of logs, or see how a network's witnesses do
    Witness(WitnessArgs),
    /// Sign a command with a key of the keystore, submit it, and wait until it is final
    Submit(SubmitArgs),
    /// Read from a node: on its word, without proof
    Read(ReadArgs),
    /// Fetch a receipt from a node, check it, and save it
    Prove(ProveArgs),
    /// Verify a receipt offline: who, what, when, by which rule
    ///
    /// Needs the receipt and the network's descriptor, nothing else: no node, no clock. Exit code 0 means valid, 1 invalid,
    /// 2 that the input could not be used.
    Verify(VerifyArgs),
    /// Follow entries as they become final
    Watch(WatchArgs),
    /// The keystore of a node's folder
    Keys(KeysArgs),
    /// Parties
    Party(PartyArgs),
    /// Scenarios: runnable, measured applications of the platform
    Scenario(ScenarioArgs),
    /// Issue credentials from a table, revoke them, verify them
    Credential(CredentialArgs),
    /// Public services as files: what an authority offers, with forms, deadlines and appeals
    Service(ServiceArgs),
    /// Measure this machine
    Bench(BenchArgs),
    /// Check a node's files; make anew what can be made anew
    ///
    /// Checks every checksum, certificate, root and key file, and names what is damaged with the command that repairs it.
    /// The node must not be running. Exit code 0 means whole, 1 damaged.
    Doctor(DoctorArgs),
    /// Snapshots: start a node from the state of a certified block, not from block 0
    Snapshot(SnapshotArgs),
    /// Move old segments of a node's log into its archive, where they stay readable
    ///
    /// Segments move whole, sealed with checksums. The blocks of the last hour stay in any case. The node must not be running;
    /// `stele up --archive-after` does the same while it runs.
    Archive(ArchiveArgs),
    /// Data sets of scenarios
    Data(DataArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write all pages into a folder
    Man {
        /// The folder for one page of each command
        dir: Option<PathBuf>,
    },
    /// Print the version, and what this program knows
    Version,
}

/// Which node folder.
#[derive(Debug, Clone, Args)]
pub struct HomeArgs {
    /// The node's folder [default: ~/.local/share/stele/local]
    #[arg(long, value_name = "DIR", env = env::HOME, hide_env_values = true, global = true)]
    pub data: Option<PathBuf>,
}

/// Which node.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The node's address
    #[arg(long, value_name = "URL", env = env::URL, hide_env_values = true, global = true, default_value = URL_DEFAULT, value_parser = http_url)]
    pub url: String,
}

/// `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The node's folder [default: ~/.local/share/stele/NAME]
    #[arg(long, value_name = "DIR", env = env::HOME, hide_env_values = true)]
    pub data: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:4180, or a free port if that one is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Run a network of so many validators on this machine, each a process with a folder of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub validators: Option<u8>,
    /// The network's name, if one is founded
    #[arg(long, default_value = NETWORK_NAME, value_parser = network_name)]
    pub name: String,
    /// Only serve what is final: reads, receipts, the console. Takes no entries and has no part in the network
    #[arg(long, conflicts_with = "validators")]
    pub read_only: bool,
    /// Write {"url", "network", "token"} here once the node serves; readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Another name by which the node is called, besides its address; again for each
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// The address by which wallets and other machines reach the node, if it is another than where it listens
    #[arg(long, value_name = "URL", value_parser = http_url, conflicts_with = "validators")]
    pub public_url: Option<String>,
    /// Fetch documents of did:web for whoever asks: by https, from public addresses only
    #[arg(long, conflicts_with = "validators")]
    pub resolve_did_web: bool,
    /// An outside witness to ask for cosignatures: its address, `=`, and its key; again for each
    #[arg(long = "witness", value_name = "URL=VKEY", value_parser = witness_endpoint)]
    pub witnesses: Vec<WitnessEndpoint>,
    /// Make a snapshot for new nodes after so many blocks; 0 makes none
    #[arg(long, value_name = "BLOCKS", default_value_t = stele_node::SNAPSHOT_EVERY)]
    pub snapshot_every: u64,
    /// Move segments of the log into the archive once all their blocks are older than so many
    #[arg(long, value_name = "BLOCKS")]
    pub archive_after: Option<u64>,
    /// The archive's folder, on another disk if need be [default: the one used before, at first ledger/log/archive]
    #[arg(long, value_name = "DIR")]
    pub archive_dir: Option<PathBuf>,
    /// Open the console in the browser
    #[arg(long)]
    pub open: bool,
    /// Ask for the token from this machine too
    #[arg(long)]
    pub no_trust_loopback: bool,
    /// The form of log lines on stderr
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub log_format: Format,
}
