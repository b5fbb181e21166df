//! `stele keys`: the keystore of a node's folder.

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_core::id::PartyId;
use stele_node::auth::{KeyInfo, Unlock};
use stele_node::{NETWORK_KEY, OPERATOR_KEY};

use super::read_input;
use crate::cli::{KeysArgs, KeysWhat, PassphraseArgs};
use crate::env;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{keystore, keystore_or_new, locate};
use crate::outline::outline;
use crate::printer::Printer;

/// The largest exported key and the largest passphrase file read, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Works on the keystore.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &KeysArgs, printer: &Printer) -> Outcome {
    let home = locate(args.home.data.as_deref());
    match &args.what {
        KeysWhat::List => {
            let keys: Vec<_> = keystore(&home)?.list()?;
            if printer.is_json() {
                printer.json(&keys.iter().map(describe).collect())?;
                return Ok(Exit::Done);
            }
            let width = keys
                .iter()
                .map(|key| key.name.len())
                .max()
                .unwrap_or(0)
                .max(4);
            printer.data(format_args!(
                "{:<width$}  {:<17}  party of this first key",
                "name", "suite"
            ))?;
            for key in &keys {
                let party = PartyId::of_first_key(&key.kid()).did();
                printer.data(format_args!(
                    "{:<width$}  {:<17}  {party}",
                    key.name,
                    key.suite().name()
                ))?;
            }
        }
        KeysWhat::New { name, suite } => {
            let public = keystore_or_new(&home)?.generate(name, *suite)?;
            show(
                &KeyInfo {
                    name: name.clone(),
                    public,
                },
                printer,
            )?;
            printer.hint(format_args!(
                "`stele party register --key {name}` makes it the first key of a party"
            ));
        }
        KeysWhat::Show { name } => {
            let public = keystore(&home)?.public(name)?;
            show(
                &KeyInfo {
                    name: name.clone(),
                    public,
                },
                printer,
            )?;
        }
        KeysWhat::Export { name, passphrase } => {
            let store = keystore(&home)?;
            store.public(name)?;
            let exported = store.export(name, &passphrase_of(passphrase)?)?;
            printer.bytes(exported.as_bytes())?;
        }
        KeysWhat::Import {
            file,
            name,
            passphrase,
        } => {
            let bytes = read_input(file, INPUT_BYTES_MAX)?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::unusable(format!(
                    "{} is no exported key: it is not text",
                    file.display()
                ))
            })?;
            let unlock = passphrase_of(passphrase)?;
            let key = keystore_or_new(&home)?.import(&text, &unlock, name.as_deref())?;
            show(&key, printer)?;
        }
        KeysWhat::Remove { name, yes } => {
            let store = keystore(&home)?;
            let public = store.public(name)?;
            if !yes {
                let mut failure =
                    Failure::unusable(format!("removing the key `{name}` cannot be undone"))
                        .hint("add --yes to remove it; `stele keys export` keeps a copy");
                if name == NETWORK_KEY || name == OPERATOR_KEY {
                    failure =
                        failure.hint(format!("the node does not start without its key `{name}`"));
                }
                return Err(failure);
            }
            store.remove(name)?;
            if printer.is_json() {
                printer.json(&json!({"removed": name, "kid": public.kid().to_string()}))?;
            } else {
                printer.data(format_args!("removed the key `{name}` ({})", public.kid()))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn describe(key: &KeyInfo) -> Json {
    let kid = key.kid();
    json!({
        "name": key.name,
        "suite": key.suite().name(),
        "kid": kid.to_string(),
        "party_of_first_key": PartyId::of_first_key(&kid).did(),
        "cose_key": hex::encode(key.public.to_cose_key()),
    })
}

fn show(key: &KeyInfo, printer: &Printer) -> Result<(), Failure> {
    let described = describe(key);
    if printer.is_json() {
        printer.json(&described)
    } else {
        printer.data(outline(&described))
    }
}

fn passphrase_of(args: &PassphraseArgs) -> Result<Unlock, Failure> {
    let passphrase = match args.passphrase_file.as_deref() {
        Some(path) => first_line(path)?,
        None => env::text(env::PASSPHRASE).unwrap_or_default(),
    };
    if passphrase.is_empty() {
        return Err(Failure::unusable("there is no passphrase").hint(format!(
            "put it into a file and name that with --passphrase-file, or set {}",
            env::PASSPHRASE
        )));
    }
    Ok(Unlock::Passphrase(passphrase))
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let bytes = read_input(path, INPUT_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::unusable(format!("the passphrase in {} is not text", path.display()))
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
