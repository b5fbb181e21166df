//! Arguments of `credential`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::http_url;
use super::{HomeArgs, NodeArgs};
use crate::env;

/// `credential`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: CredentialWhat,
}

/// A node whose office is run, and how it knows its operator.
#[derive(Debug, Clone, Args)]
pub struct OfficeArgs {
    /// Which node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// That node's API token
    #[arg(long, value_name = "TOKEN", env = env::TOKEN, hide_env_values = true)]
    pub token: Option<String>,
}

/// What to do with credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialWhat {
    /// Make an issuer from a file, change it, or show it
    Issuer {
        /// The issuer's name at the node, such as `university`
        name: String,
        /// The file with its settings; - for standard input; without one the settings are shown
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Whose office.
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// Write settings of an issuer that fit a table, to begin with
    Settings {
        /// The table: CSV in UTF-8, the names of the claims in its first line
        #[arg(long, value_name = "CSV")]
        from: PathBuf,
        /// The name of the node's key that is to sign
        #[arg(long, value_name = "NAME", default_value = "operator")]
        key: String,
        /// The name of the kind of credential
        #[arg(long, value_name = "KIND", default_value = "diploma")]
        kind: String,
        /// The type that the credentials name, an address of the issuer's own
        #[arg(
            long,
            value_name = "URL",
            default_value = "https://issuer.example/diploma"
        )]
        vct: String,
    },
    /// Offer a credential to each row of a table; their wallets collect them by link or QR code
    ///
    /// All rows are checked before anything is offered. The answer is a table with a link for each row, and with --codes a code that
    /// goes to the person by another way.
    Issue {
        /// The table: CSV in UTF-8, the names of the claims in its first line, and a column `reference` if you like
        #[arg(long, value_name = "CSV")]
        from: PathBuf,
        /// The issuer's name at the node
        #[arg(long, value_name = "NAME")]
        issuer: String,
        /// The kind of credential; may be left out if the issuer has one only
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Make a code for each offer that travels by another way than the link
        #[arg(long)]
        codes: bool,
        /// Write the offers to this file, readable by its owner only, and not to standard output
        #[arg(long, value_name = "CSV")]
        out: Option<PathBuf>,
        /// Whose office.
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// List what an issuer has issued, the newest first
    List {
        /// The issuer's name at the node
        #[arg(long, value_name = "NAME")]
        issuer: String,
        /// List the offers instead
        #[arg(long)]
        offers: bool,
        /// Whose office.
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// Revoke or suspend what came from an offer, or make it valid again
    Status {
        /// `revoked`, `suspended` or `valid`
        #[arg(value_parser = ["revoked", "suspended", "valid"])]
        status: String,
        /// The offer, as `stele credential list` shows it
        offer: String,
        /// The issuer's name at the node
        #[arg(long, value_name = "NAME")]
        issuer: String,
        /// Whose office.
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// Verify an SD-JWT credential: signature, dates, and by its proof of issuance who was accredited for it
    ///
    /// Exit code 0 means valid, 1 that it is refused, 2 that the input could not be used.
    Verify {
        /// The credential; - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its proof of issuance
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        /// The network's descriptor, under which the proof is to hold [default: the one in the node's folder]
        #[arg(long, value_name = "FILE")]
        network: Option<PathBuf>,
        /// The issuer's key as a JWK; without it a node is asked for the issuer's DID document
        #[arg(long, value_name = "FILE")]
        issuer_key: Option<PathBuf>,
        /// The node that is asked
        #[arg(long, value_name = "URL", env = env::URL, hide_env_values = true, value_parser = http_url)]
        url: Option<String>,
        /// Which folder.
        #[command(flatten)]
        home: HomeArgs,
    },
}
