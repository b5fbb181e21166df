//! `stele submit`: sign, submit, wait until it is final.

use std::path::Path;

use serde_json::{Value as Json, json};
use stele_client::{Client, ClientError, Final, Party};
use stele_core::suite::SigningKey;
use stele_registers::{Registry, json_to_body};

use super::read_input;
use crate::cli::SubmitArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{keystore, locate};
use crate::printer::{Printer, Tone, clean};
use crate::time::utc;

/// No entry is larger, and JSON is longer than its CBOR.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Submits one command in one entry.
///
/// # Errors
/// Arguments that fit no command, no key, no node. A refusal is an answer: exit code 1.
pub fn run(args: &SubmitArgs, printer: &Printer) -> Outcome {
    let body = encode(args)?;
    let store = keystore(&locate(args.home.data.as_deref()))?;
    let key = store.unlock(&args.key)?;
    let cosigners = args
        .cosign
        .iter()
        .map(|name| store.signer(name))
        .collect::<Result<Vec<_>, _>>()?;
    let cosigners: Vec<&SigningKey> = cosigners.iter().map(|key| &**key).collect();
    let client = Client::connect(&args.node.url)?;
    let party = Party::new(client.clone(), key);
    let commands = [(args.command.as_str(), body)];
    let entry = party
        .sign_with_cosigners(&args.register, &commands, &cosigners)
        .map_err(ClientError::from)?;
    match client.submit(&entry) {
        Ok(done) => report(&done, printer),
        Err(ClientError::Refused(problem)) if printer.is_json() => {
            printer.json(&json!({
                "status": "refused", "entry_id": entry.id().to_string(), "code": problem.code,
                "detail": problem.detail, "hint": problem.hint,
            }))?;
            Ok(Exit::No)
        }
        Err(error) => Err(error.into()),
    }
}

/// The body's CBOR; everything that can be judged without a node is judged here.
fn encode(args: &SubmitArgs) -> Result<Vec<u8>, Failure> {
    let registry = Registry::standard();
    let spec = registry
        .command(&args.register, &args.command)
        .ok_or_else(|| unknown(&registry, args))?;
    let text = match args.body.strip_prefix('@') {
        Some(file) => read_text(Path::new(file))?,
        None if args.body == "-" => read_text(Path::new("-"))?,
        None => args.body.clone(),
    };
    let json: Json = serde_json::from_str(&text).map_err(|error| {
        Failure::unusable("the body is not JSON")
            .because(&error)
            .hint("quote it for the shell: stele submit REGISTER COMMAND '{\"name\": \"value\"}'")
    })?;
    json_to_body(spec.fields, &json).map_err(|error| {
        let fields = spec.fields.iter().map(|field| {
            let optional = if field.required { "" } else { " (optional)" };
            format!("{}{optional}: {}", field.name, field.kind)
        });
        let failure = Failure::unusable(format!(
            "the body does not fit {}/{}",
            args.register, args.command
        ));
        fields.fold(failure.because(&error), Failure::hint)
    })
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = read_input(path, BODY_BYTES_MAX)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(Failure::unusable(format!(
            "{} is larger than any body",
            path.display()
        )));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::unusable(format!("{} is not text", path.display())))
}

fn unknown(registry: &Registry, args: &SubmitArgs) -> Failure {
    let commands: Vec<_> = registry
        .registers()
        .filter(|register| register.name() == args.register)
        .flat_map(|register| register.commands())
        .map(|command| command.name)
        .collect();
    if commands.is_empty() {
        let names: Vec<_> = registry
            .registers()
            .map(|register| register.name())
            .collect();
        return Failure::unusable(format!("there is no register `{}`", clean(&args.register)))
            .hint(format!("the registers are {}", names.join(", ")));
    }
    Failure::unusable(format!(
        "the register {} has no command `{}`",
        args.register,
        clean(&args.command)
    ))
    .hint(format!("its commands are {}", commands.join(", ")))
}

pub(super) fn report(done: &Final, printer: &Printer) -> Outcome {
    let outcome = &done.outcome;
    if printer.is_json() {
        printer.json(&json!({
            "status": "final", "entry_id": done.entry_id.to_string(), "log_index": done.log_index,
            "height": done.height, "time_ms": done.time_ms, "outcome": outcome,
        }))?;
    } else {
        let place = format!(
            "entry {}\nblock {} at {}, log index {}",
            done.entry_id,
            done.height,
            utc(done.time_ms),
            done.log_index
        );
        match &outcome.code {
            None => printer.data(format_args!(
                "{} and final\n{place}",
                printer.word(Tone::Good, "applied")
            ))?,
            Some(code) => {
                let word = printer.word(Tone::Bad, "refused");
                printer.data(format_args!("{word} by the rule {}\n{place}", clean(code)))?;
                if let Some(detail) = &outcome.detail {
                    printer.data(clean(detail))?;
                }
            }
        }
    }
    if let Some(hint) = outcome.hint.as_deref().filter(|hint| !hint.is_empty()) {
        printer.hint(clean(hint));
    }
    printer.hint(format_args!(
        "`stele prove entry {}` fetches the receipt",
        done.entry_id
    ));
    Ok(if outcome.applied {
        Exit::Done
    } else {
        Exit::No
    })
}
