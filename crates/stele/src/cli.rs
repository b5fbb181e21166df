//! The command line as it is typed: every command, argument and default. What they do is in `commands`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use stele_core::id::{EntryId, PartyId};
use stele_core::suite::Suite;

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
    /// Check a node's files; make anew what can be made anew
    ///
    /// Checks every checksum, certificate, root and key file, and names what is damaged with the command that repairs it.
    /// The node must not be running. Exit code 0 means whole, 1 damaged.
    Doctor(DoctorArgs),
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
    #[arg(long, value_name = "DIR", env = env::HOME, hide_env_values = true)]
    pub data: Option<PathBuf>,
}

/// Which node.
#[derive(Debug, Clone, Args)]
pub struct NodeArgs {
    /// The node's address
    #[arg(long, value_name = "URL", env = env::URL, hide_env_values = true, default_value = URL_DEFAULT, value_parser = http_url)]
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
    /// The network's name, if one is founded
    #[arg(long, default_value = NETWORK_NAME, value_parser = network_name)]
    pub name: String,
    /// Write {"url", "network", "token"} here once the node serves; readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Another name by which the node is called, besides its address; again for each
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
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

/// `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The register, such as `identity`
    pub register: String,
    /// The command, such as `party.describe`
    pub command: String,
    /// The command's body: JSON, `@FILE`, or `-` for standard input
    #[arg(value_name = "JSON")]
    pub body: String,
    /// The key that signs
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub key: String,
    /// A key that signs too; again for each
    #[arg(long, value_name = "NAME")]
    pub cosign: Vec<String>,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Which keystore.
    #[command(flatten)]
    pub home: HomeArgs,
}

/// `read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// What to read.
    #[command(subcommand)]
    pub what: ReadWhat,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// What `read` reads.
#[derive(Debug, Subcommand)]
pub enum ReadWhat {
    /// The network: its descriptor and its newest block
    Network,
    /// One entry
    Entry {
        /// The entry's id, 64 hexadecimal digits
        id: EntryId,
    },
    /// Entries, newest first
    Entries {
        /// Only of this register
        #[arg(long)]
        register: Option<String>,
        /// Only signed by this party
        #[arg(long, value_name = "DID", value_parser = party)]
        party: Option<PartyId>,
        /// Only applied, or only refused ones
        #[arg(long, value_enum)]
        outcome: Option<OutcomeWanted>,
        /// Only those with these words
        #[arg(long, value_name = "WORDS")]
        q: Option<String>,
        /// Where the page before ended
        #[arg(long)]
        cursor: Option<String>,
        /// How many, 1 to 200
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// A party
    Party {
        /// The party's DID, or its id in hexadecimal
        #[arg(value_name = "DID", value_parser = party)]
        party: PartyId,
    },
    /// The value of a state key; `stele prove state` proves it
    State {
        /// The register
        register: String,
        /// The key: hexadecimal, or `text:` and text
        #[arg(value_parser = state_key)]
        key: StateKey,
    },
    /// A block
    Block {
        /// Its height
        height: u64,
    },
    /// A register with its commands, or all registers
    Register {
        /// Its name
        name: Option<String>,
    },
    /// Search entries, parties, blocks and items
    Search {
        /// What to look for
        query: String,
    },
}

/// Which outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutcomeWanted {
    /// Applied entries.
    Applied,
    /// Refused entries.
    Refused,
}

/// `prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// What to prove.
    #[command(subcommand)]
    pub what: ProveWhat,
    /// Where to save the receipt; `-` is stdout [default: the id's first 16 digits and `.receipt`]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub output: Option<PathBuf>,
    /// The network's descriptor [default: on the node's word]
    #[arg(long, value_name = "FILE", global = true)]
    pub network: Option<PathBuf>,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// What `prove` proves.
#[derive(Debug, Subcommand)]
pub enum ProveWhat {
    /// That an entry is in the log, and what became of it
    Entry {
        /// The entry's id, 64 hexadecimal digits
        id: EntryId,
    },
    /// That a state key has its value, or is absent
    State {
        /// The register
        register: String,
        /// The key: hexadecimal, or `text:` and text
        #[arg(value_parser = state_key)]
        key: StateKey,
    },
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The receipt; `-` is standard input
    pub file: PathBuf,
    /// The network's descriptor [default: `network.json` in the node's folder]
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub network: Option<PathBuf>,
    /// Take the network's descriptor from this node instead, on its word
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub url: Option<String>,
    /// Which folder.
    #[command(flatten)]
    pub home: HomeArgs,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The first log index wanted [default: the next entry]
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// End after so many entries
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
}

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

/// What a party can be; the register `identity` has the same list, and a test compares them.
pub const PARTY_KINDS: [&str; 5] = ["organisation", "person", "device", "authority", "service"];

/// A key of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateKey(pub Vec<u8>);

fn state_key(text: &str) -> Result<StateKey, String> {
    let bytes = match text.strip_prefix("text:") {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            hex::decode(text).map_err(|_| "a key is hexadecimal, or `text:` and text".to_owned())?
        }
    };
    match bytes.len() {
        1..=255 => Ok(StateKey(bytes)),
        _ => Err("a key has 1 to 255 bytes".to_owned()),
    }
}

fn party(text: &str) -> Result<PartyId, String> {
    let id = PartyId::from_did(text).ok().or_else(|| text.parse().ok());
    id.ok_or_else(|| {
        "a party is `did:stele:` and 52 letters and digits, or 64 hexadecimal digits".to_owned()
    })
}

fn suite(text: &str) -> Result<Suite, String> {
    let found = Suite::ALL
        .iter()
        .copied()
        .find(|suite| suite.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
        format!("the suites are {}", names.join(", "))
    })
}

fn http_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("an address begins with http:// or https://".to_owned()),
    }
}

fn network_name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=64 => Ok(text.to_owned()),
        _ => Err("a network's name has 1 to 64 bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_kinds_of_parties_are_those_of_the_register() {
        assert_eq!(
            PARTY_KINDS.as_slice(),
            stele_registers::identity::PartyKind::NAMES
        );
    }

    #[test]
    fn keys_of_the_state_come_as_hex_or_text() {
        assert_eq!(state_key("6162"), Ok(StateKey(b"ab".to_vec())));
        assert_eq!(state_key("text:ab"), Ok(StateKey(b"ab".to_vec())));
        assert!(
            state_key("ab c").is_err() && state_key("").is_err() && state_key("text:").is_err()
        );
    }
}
