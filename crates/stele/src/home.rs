//! Where a node's files lie when nobody says so.

use std::fs;
use std::path::{Path, PathBuf};

use stele_client::Client;
use stele_core::receipt::NetworkDescriptor;
use stele_node::Home;
use stele_node::auth::{Keystore, Unlock};

use crate::failure::Failure;
use crate::printer::Printer;
use crate::{env, network};

/// The name of the network that `stele up` founds by default.
pub const NETWORK_NAME: &str = "local";

/// The folder of a network of this name: `$XDG_DATA_HOME/stele/NAME`, the name in small letters, digits and hyphens.
pub fn of_network(name: &str) -> PathBuf {
    let kept = name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let joined: String = kept.collect();
    let words: Vec<_> = joined.split('-').filter(|word| !word.is_empty()).collect();
    let folder = if words.is_empty() {
        NETWORK_NAME.to_owned()
    } else {
        words.join("-")
    };
    env::user_data().join(folder)
}

/// The folder given, else that of the default network, else the only one there is.
pub fn locate(given: Option<&Path>) -> Home {
    if let Some(dir) = given {
        return Home::new(dir);
    }
    let default = Home::new(of_network(NETWORK_NAME));
    if default.descriptor().exists() {
        return default;
    }
    let others = fs::read_dir(env::user_data())
        .into_iter()
        .flatten()
        .flatten();
    let mut others = others
        .map(|entry| Home::new(entry.path()))
        .filter(|home| home.descriptor().exists());
    match (others.next(), others.next()) {
        (Some(only), None) => only,
        _ => default,
    }
}

/// The keystore of a node that exists.
///
/// # Errors
/// A [`Failure`] when there is none.
pub fn keystore(home: &Home) -> Result<Keystore, Failure> {
    if !home.keys().is_dir() {
        return Err(Failure::unusable(format!("{} holds no keystore", home.dir().display()))
            .hint("`stele keys new NAME` makes one here, and so does `stele up`; --data names another folder"));
    }
    keystore_or_new(home)
}

/// The keystore of a node, made if it is missing.
///
/// # Errors
/// A [`Failure`] when it cannot be made or opened.
pub fn keystore_or_new(home: &Home) -> Result<Keystore, Failure> {
    let secret = home.secret()?;
    Ok(Keystore::open(home.keys(), Unlock::Secret(secret))?)
}

/// Connects to a node. The network's descriptor is the one given, else the node's word is taken, which is said.
///
/// # Errors
/// A [`Failure`].
pub fn connect(url: &str, descriptor: Option<&Path>, printer: &Printer) -> Result<Client, Failure> {
    match descriptor {
        Some(path) => Ok(Client::connect_to(url, network::load(path)?)),
        None => {
            let client = Client::connect(url)?;
            printer.detail(format_args!(
                "network {} on the word of {url}",
                client.network().network
            ));
            Ok(client)
        }
    }
}

/// The network to verify against: the file given, the node given, else the descriptor in the node's folder.
///
/// # Errors
/// A [`Failure`] when there is none or it cannot be used.
pub fn trusted_network(
    file: Option<&Path>,
    url: Option<&str>,
    home: &Home,
    printer: &Printer,
) -> Result<NetworkDescriptor, Failure> {
    if let Some(file) = file {
        return network::load(file);
    }
    if let Some(url) = url {
        let client = Client::connect(url)?;
        printer.note(format_args!(
            "note: the network's key is taken on the word of {url}"
        ));
        return Ok(client.network().clone());
    }
    let own = home.descriptor();
    if !own.exists() {
        return Err(Failure::unusable(
            "no network to trust: a receipt is checked under a network's key",
        )
        .hint("give the network's descriptor with --network network.json")
        .hint(format!(
            "or run this beside a node's folder; {} does not exist",
            own.display()
        )));
    }
    printer.detail(format_args!("trusting {}", own.display()));
    network::load(&own)
}
