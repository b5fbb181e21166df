//! Arguments of commands that work on this machine: keys, parties, scenarios, measurements, data sets, diagnosis.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stele_core::suite::Suite;

use super::values::{PARTY_KINDS, http_url, suite};
use super::{HomeArgs, NodeArgs};
use crate::env;

/// `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: KeysWhat,
    /// Which keystore.
    #[command(flatten)]
    pub home: HomeArgs,
}

/// What `keys` does.
#[derive(Debug, Subcommand)]
pub enum KeysWhat {
    /// List the keys
    List,
    /// Make a key
    New {
        /// Its name here: small letters, digits, dots, hyphens, underscores
        name: String,
        /// Its signature suite
        #[arg(long, default_value = "Ed25519", value_parser = suite)]
        suite: Suite,
    },
    /// Show the public half of a key
    Show {
        /// The key
        name: String,
    },
    /// Print a key, encrypted under a passphrase, to carry it elsewhere
    Export {
        /// The key
        name: String,
        /// How the passphrase comes.
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Take in what `export` printed
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
        /// Another name for the key
        #[arg(long)]
        name: Option<String>,
        /// How the passphrase comes.
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Remove a key for ever
    Remove {
        /// The key
        name: String,
        /// Yes, for ever
        #[arg(long)]
        yes: bool,
    },
}

/// How a passphrase comes; never as an argument, which other users of the machine can see.
#[derive(Debug, Args)]
pub struct PassphraseArgs {
    /// The file whose first line is the passphrase [default: the variable STELE_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `party`.
#[derive(Debug, Args)]
pub struct PartyArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: PartyWhat,
}

/// What `party` does.
#[derive(Debug, Subcommand)]
pub enum PartyWhat {
    /// Register a key as the first key of a new party
    Register {
        /// The key; made if it is missing
        #[arg(long, value_name = "KEY")]
        key: String,
        /// What the party calls itself
        #[arg(long)]
        name: Option<String>,
        /// What it is
        #[arg(long, default_value = "organisation", value_parser = clap::builder::PossibleValuesParser::new(PARTY_KINDS))]
        kind: String,
        /// Which node.
        #[command(flatten)]
        node: NodeArgs,
        /// Which keystore.
        #[command(flatten)]
        home: HomeArgs,
    },
}

/// `scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ScenarioWhat,
}

/// What `scenario` does.
#[derive(Debug, Subcommand)]
pub enum ScenarioWhat {
    /// List the scenarios
    List,
    /// Run one, and report its steps, figures and evidence
    ///
    /// Without --url it runs on a node of its own, in a folder that is thrown away. Exit code 0 means that every step
    /// succeeded.
    Run {
        /// Its name
        name: String,
        /// A folder with real input of your own
        #[arg(long, value_name = "DIR")]
        input: Option<PathBuf>,
        /// A folder with data sets; goes before STELE_DATA
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// The seed of all that is generated [default: drawn at random]
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
        /// Where report and receipts go [default: stele-report-NAME in the current folder]
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Run on this node instead
        #[arg(long, value_name = "URL", env = env::URL, hide_env_values = true, value_parser = http_url)]
        url: Option<String>,
        /// That node's API token
        #[arg(long, value_name = "TOKEN", env = env::TOKEN, hide_env_values = true)]
        token: Option<String>,
    },
}

/// `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub what: BenchWhat,
}

/// What `bench` measures.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// The ledger end to end, beside the limit of the hardware and PostgreSQL
    ///
    /// Takes about four minutes and several GiB of disk on two cores. Build with the release profile: other figures mean
    /// nothing. PostgreSQL is measured where its programs are installed.
    Ledger {
        /// A folder on the disk to be measured [default: the folder for temporary files]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// A small run that only shows that it works; its figures mean nothing
        #[arg(long)]
        quick: bool,
        /// The commit, for the report
        #[arg(long, default_value = "")]
        commit: String,
    },
    /// A network of four validators in four processes: throughput, finality, one dead, catching up, long links, etcd beside it
    ///
    /// Takes about six minutes on two cores and 8 GiB below the folder. Build with the release profile: other figures mean nothing. The
    /// peer is `etcd` on the PATH (Debian: etcd-server); without it, its figures say so.
    Network {
        /// A folder on the disk to be measured [default: the folder for temporary files]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// A small run that only shows that it works; its figures mean nothing
        #[arg(long)]
        quick: bool,
        /// How many entries a validator misses before it catches up [default: 1000000; 5000 with --quick]
        #[arg(long, value_name = "N")]
        missed: Option<u64>,
        /// The commit, for the report
        #[arg(long, default_value = "")]
        commit: String,
    },
    /// Identities and credentials: enrolling, resolving with proofs, issuing, verifying, status
    ///
    /// A hundred million identities take some ten minutes on two cores and 12 GiB below the folder. Build with the release profile:
    /// other figures mean nothing.
    Identity {
        /// A folder on the disk to be measured [default: the folder for temporary files]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// A small run that only shows that it works; its figures mean nothing
        #[arg(long)]
        quick: bool,
        /// How many identities are enrolled [default: 100000000; 40000 with --quick]
        #[arg(long, value_name = "N")]
        identities: Option<u64>,
        /// The commit, for the report
        #[arg(long, default_value = "")]
        commit: String,
    },
    /// For `identity`: a fresh process that opens a register of identities and measures itself
    #[command(hide = true)]
    IdentityProbe {
        /// The folder that `identity` filled
        dir: PathBuf,
    },
    /// For `network`: one validator, told by standard input
    #[command(hide = true)]
    NetworkValidator {
        /// Its folder
        dir: PathBuf,
    },
    /// For `ledger`: a fresh process that opens a ledger and measures itself
    #[command(hide = true)]
    Probe {
        /// The ledger
        dir: PathBuf,
    },
}

/// `service`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ServiceArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ServiceWhat,
}

/// What to do with service files.
#[derive(Debug, Subcommand)]
pub enum ServiceWhat {
    /// Check service files, and print the hash under which each is published
    ///
    /// Exit code 0 means that all are good, 1 that something is wrong: each finding has its line, a code and a hint.
    Check {
        /// The files; - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Which folder.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Make the log's tree and the state anew from the log
    #[arg(long, conflicts_with = "repair")]
    pub rebuild: bool,
    /// Cut a damaged log back to its intact beginning and set the rest aside, then rebuild
    #[arg(long)]
    pub repair: bool,
    /// Repair without asking
    #[arg(long, requires = "repair")]
    pub yes: bool,
}

/// `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: SnapshotWhat,
    /// Which folder.
    #[command(flatten)]
    pub home: HomeArgs,
}

/// What `snapshot` does.
#[derive(Debug, Subcommand)]
pub enum SnapshotWhat {
    /// Write a snapshot of a node's newest block into a file
    ///
    /// It holds the state, the blocks of the last hour, and certificates that vouch for both. The node must not be running.
    Create {
        /// The file, which must not exist
        file: PathBuf,
    },
    /// Fetch the newest snapshot of a running node and make this node's ledger of it
    ///
    /// For a new node, after `stele network join`: minutes in place of executing everything from block 0 on. Everything is checked with
    /// the network's key, so any node will do. A fetch that was cut short goes on where it was.
    Fetch {
        /// The network's descriptor [default: network.json in the node's folder]
        #[arg(long, value_name = "FILE")]
        network: Option<PathBuf>,
        /// Which node.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Say what a snapshot is of, and check that the file is whole
    Show {
        /// The file
        file: PathBuf,
    },
    /// Make a node's ledger of a snapshot
    ///
    /// Everything in it is checked with the network's key, so the file may come from anyone. The folder holds no ledger yet, or
    /// one of block 0 alone, as after `stele network join`; its keys stay. A restore that was cut short starts over.
    Restore {
        /// The file
        file: PathBuf,
        /// The network's descriptor [default: network.json in the node's folder]
        #[arg(long, value_name = "FILE")]
        network: Option<PathBuf>,
    },
}

/// `archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Which folder.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Keep so many of the newest blocks out of it
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    pub keep: u64,
    /// The archive's folder, on another disk if need be [default: the one used before, at first ledger/log/archive]
    #[arg(long, value_name = "DIR")]
    pub archive_dir: Option<PathBuf>,
}

/// `data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: DataWhat,
    /// A folder with data sets; goes before STELE_DATA
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
}

/// What `data` does.
#[derive(Debug, Subcommand)]
pub enum DataWhat {
    /// List the data sets, and which are here
    List,
    /// Copy a data set into the user's cache, checked file by file
    Get {
        /// Its name
        name: String,
    },
}
