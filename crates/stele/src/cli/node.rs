//! Arguments of commands that talk to a node, and of `verify`, which needs none.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use stele_core::id::{EntryId, PartyId};
use stele_core::witness::{LogKey, WitnessKey};

use super::values::{StateKey, http_url, log_key, network_name, party, state_key, witness_key};
use super::{HomeArgs, NodeArgs};

/// `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The register, such as `identity`
    pub register: String,
    /// The command, such as `party.rename`
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

/// `network`.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: NetworkWhat,
}

/// What `network` does.
#[derive(Debug, Subcommand)]
pub enum NetworkWhat {
    /// Show the validators, how far each is, how fast blocks become final, and what is wrong
    ///
    /// Exit code 0 means no alarm, 1 that there is one.
    Status {
        /// Which node.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Make this organisation's keys and its founder's card
    ///
    /// The card says who the founder is, under which keys, and where its node listens for other nodes. Both keys sign it, and it holds
    /// no secret: send it to the founder who makes the plan. Run again, it keeps the keys and makes the card anew.
    Card {
        /// The organisation's name
        #[arg(long)]
        name: String,
        /// Where other nodes reach this one
        #[arg(long, value_name = "HOST:PORT")]
        address: String,
        /// Where the node listens for other nodes [default: the address if it is a number, else its port on all interfaces]
        #[arg(long, value_name = "ADDR")]
        listen: Option<std::net::SocketAddr>,
        /// The node's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Where to save the card [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a founding plan of the cards of all founders
    ///
    /// Checks every card. The plan fixes who founds which network; send it to all founders. Its fingerprint tells it from any other.
    Plan {
        /// The founders' cards
        #[arg(required = true)]
        cards: Vec<PathBuf>,
        /// The network's name
        #[arg(long, value_parser = network_name)]
        name: String,
        /// Where to save the plan [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Found a network with the other founders of a plan: the key ceremony, and the network on every founder's disk
    ///
    /// Without --fingerprint it only shows the plan. Compare the fingerprint with the other founders by telephone; then all run this at
    /// about the same time. It ends when everyone has the network on its disk. It may be stopped and run again at any time.
    New {
        /// The founding plan
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// The node's folder, with the keys of the card
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The fingerprint that all founders have compared
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
        /// Finish with the `network.bundle` of another founder, when the others have ended already
        #[arg(long, value_name = "FILE", requires = "fingerprint")]
        bundle: Option<PathBuf>,
    },
    /// Make a folder for a node that follows a network: it has no vote, verifies everything and serves reads
    ///
    /// Takes the file `network.bundle` of any node of the network. Prints the new node's key, which a validator must list among
    /// the `followers` in its `validator/seat.json` before the node can connect.
    Join {
        /// The network's bundle
        bundle: PathBuf,
        /// The new node's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Where the node listens for other nodes
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Where other nodes reach it, if that is another address: host:port
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Propose to the stewards: they decide together
    ///
    /// Each command comes with its body as JSON, as for `submit`; docs/registers/governance.md names those that are decided together.
    Propose {
        /// What it is for, in words
        #[arg(long)]
        title: String,
        /// Take in the member and validator of this card, which `network join` has written
        #[arg(long, value_name = "CARD")]
        admit: Option<PathBuf>,
        /// A command and its body, as often as needed
        #[arg(value_name = "COMMAND JSON", num_args = 0..=32)]
        commands: Vec<String>,
        /// Who signs and where.
        #[command(flatten)]
        by: ByMember,
    },
    /// List proposals, newest first, or show one
    Proposals {
        /// Its number
        number: Option<u64>,
        /// Which node.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Vote on a proposal; a later vote replaces an earlier one
    Vote {
        /// Its number
        number: u64,
        /// For it or against it
        #[arg(value_enum)]
        vote: VoteWord,
        /// Who signs and where.
        #[command(flatten)]
        by: ByMember,
    },
    /// Take this member's validator out of the next committee
    Leave {
        /// Which one [default: the validator of the node that is asked]
        #[arg(long, value_name = "NODE-KEY")]
        node_key: Option<String>,
        /// Who signs and where.
        #[command(flatten)]
        by: ByMember,
    },
    /// Let another node take the place of this member's validator: a new node key, a new address
    ///
    /// Makes the new node with `network join` first and starts it; it takes over with the next committee, and the old one goes on as a follower.
    Rotate {
        /// The new node's card, which `network join` has written
        card: PathBuf,
        /// Which validator it replaces [default: that of the node that is asked]
        #[arg(long, value_name = "NODE-KEY")]
        node_key: Option<String>,
        /// Who signs and where.
        #[command(flatten)]
        by: ByMember,
    },
}

/// A vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VoteWord {
    /// For it.
    Yes,
    /// Against it.
    No,
}

/// Which member signs, and which node takes the entry.
#[derive(Debug, Args)]
pub struct ByMember {
    /// The member's key
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub key: String,
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
    /// The key of a witness to trust (`name+id+base64`); may be repeated
    #[arg(long, value_name = "VKEY", value_parser = witness_key)]
    pub witness: Vec<WitnessKey>,
    /// How many of the witnesses must have cosigned the log [default: all]
    #[arg(long, value_name = "N", requires = "witness")]
    pub witnesses_min: Option<usize>,
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

/// `witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: WitnessWhat,
}

/// What `witness` does.
#[derive(Debug, Subcommand)]
pub enum WitnessWhat {
    /// Run a witness of logs: it cosigns each log as long as that only grows, and never forgets what it said
    ///
    /// Serves C2SP tlog-witness. Its folder must never be restored from a backup, copied to a second machine, or run twice: a
    /// witness that forgets can be shown a second history.
    Up {
        /// The witness's folder; made if it is missing
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The name of a new witness, such as `witness.example/city-of-example`
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Where to listen
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4190")]
        listen: SocketAddr,
        /// A log to witness: its origin, `=`, and a key of it, as `stele witness status` shows them; again for each
        #[arg(long = "log", value_name = "ORIGIN=VKEY", value_parser = log_key, required = true)]
        logs: Vec<(String, LogKey)>,
        /// Write {"url", "key"} here once the witness serves
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Show what a witness is given of a node's log, and how the node's witnesses do
    ///
    /// Exit code 0 means that no witness failed when it was asked last, 1 that one did.
    Status {
        /// Which node.
        #[command(flatten)]
        node: NodeArgs,
    },
}
