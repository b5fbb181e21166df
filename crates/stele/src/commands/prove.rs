//! `stele prove`: fetch a receipt, check it, save it.

use std::path::PathBuf;

use serde_json::json;

use super::write_file;
use crate::cli::{ProveArgs, ProveWhat};
use crate::failure::{Exit, Outcome};
use crate::home::connect;
use crate::printer::{Printer, Tone};

/// Fetches a receipt. What does not verify is not saved.
///
/// # Errors
/// No node, no such entry, a receipt that does not verify, a file that cannot be written.
pub fn run(args: &ProveArgs, printer: &Printer) -> Outcome {
    let client = connect(&args.node.url, args.network.as_deref(), printer)?;
    if args.network.is_none() {
        printer.detail("the receipt is checked under the key that the node itself names; --network names a key you trust");
    }
    let (receipt, name, what) = match &args.what {
        ProveWhat::Entry { id } => {
            let (receipt, _) = client.verified_receipt(id)?;
            (receipt, id.to_string(), format!("entry {id}"))
        }
        ProveWhat::State { register, key } => {
            let (receipt, value) = client.verified_state(register, &key.0)?;
            let held = match value {
                None => "is absent".to_owned(),
                Some(value) => format!("holds {}", hex::encode(value)),
            };
            let key = hex::encode(&key.0);
            (
                receipt,
                format!("{register}-{key}"),
                format!("the key {key} of {register} {held}"),
            )
        }
    };
    let to_stdout = args
        .output
        .as_ref()
        .is_some_and(|path| path.as_os_str() == "-");
    if to_stdout {
        printer.bytes(&receipt)?;
        return Ok(Exit::Done);
    }
    let path = args.output.clone().unwrap_or_else(|| file_name(&name));
    write_file(&path, &receipt, false)?;
    if printer.is_json() {
        printer.json(&json!({"file": path, "bytes": receipt.len(), "proves": what}))?;
    } else {
        let word = printer.word(Tone::Good, "proven");
        printer.data(format_args!(
            "{word} {what}\nsaved  {} ({} bytes)",
            path.display(),
            receipt.len()
        ))?;
    }
    printer.hint(format_args!(
        "`stele verify {}` checks it anywhere, without a node",
        path.display()
    ));
    Ok(Exit::Done)
}

/// The first 16 digits of an entry's id; register and key of a state claim as they are, cut to what file systems take.
fn file_name(name: &str) -> PathBuf {
    let kept = if name.contains('-') { 120 } else { 16 };
    let short: String = name.chars().take(kept).collect();
    PathBuf::from(format!("{short}.receipt"))
}
