//! `stele verify`: who, what, when, by which rule, or the typed reason why not. Offline.

use stele_core::receipt::{RECEIPT_BYTES_MAX, Reason, verify, verify_witnessed};
use stele_core::witness::WitnessPolicy;
use stele_registers::Registry;

use super::read_input;
use crate::answer::{invalid_json, sentences, step, valid_json};
use crate::cli::VerifyArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::{locate, trusted_network};
use crate::printer::{Printer, Tone, clean};

/// Verifies a receipt.
///
/// # Errors
/// Input that cannot be used. An invalid receipt is an answer: exit code 1.
pub fn run(args: &VerifyArgs, printer: &Printer) -> Outcome {
    let home = locate(args.home.data.as_deref());
    let network = trusted_network(args.network.as_deref(), args.url.as_deref(), &home, printer)?;
    let bytes = read_input(&args.file, RECEIPT_BYTES_MAX)?;
    let judged = match policy(args)? {
        Some(policy) => verify_witnessed(&bytes, &network, &policy),
        None => verify(&bytes, &network),
    };
    match judged {
        Ok(verified) if printer.is_json() => {
            printer.json(&valid_json(&verified))?;
            Ok(Exit::Done)
        }
        Ok(verified) => {
            let lines = sentences(&verified, &network.name, &Registry::standard());
            printer.data(printer.word(Tone::Good, "VALID"))?;
            for (question, sentence) in lines {
                printer.data(
                    format_args!("{question:<8} {sentence}")
                        .to_string()
                        .trim_end(),
                )?;
            }
            Ok(Exit::Done)
        }
        Err(error) => {
            if printer.is_json() {
                printer.json(&invalid_json(&error))?;
            } else {
                let (code, step) = (error.reason.code(), step(error.reason));
                let word = printer.word(Tone::Bad, "INVALID");
                printer.data(format_args!("{word} {code} (step {step})"))?;
                printer.data(format_args!("         {}", error.reason.sentence()))?;
                printer.data(format_args!("         {}", clean(&error.detail)))?;
            }
            printer.hint(hint(error.reason));
            Ok(Exit::No)
        }
    }
}

fn policy(args: &VerifyArgs) -> Result<Option<WitnessPolicy>, Failure> {
    if args.witness.is_empty() {
        return Ok(None);
    }
    let min = args.witnesses_min.unwrap_or(args.witness.len());
    let policy = WitnessPolicy::new(args.witness.clone(), min);
    policy.map(Some).map_err(|error| {
        Failure::unusable("the policy of witnesses cannot be used")
            .because(&error)
            .hint("give each witness once, and --witnesses-min from 1 to their number")
    })
}

fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::TooLarge => "a receipt has at most 2 MiB; is this the right file?",
        Reason::Malformed => {
            "is this the right file, and whole? `stele prove` fetches the receipt again"
        }
        Reason::NotCanonical => {
            "another tool encoded the file again; use the bytes as they were issued"
        }
        Reason::UnsupportedVersion => "a newer version of this program may know the format",
        Reason::NoClaim => "ask for the receipt of an entry or of a state key: `stele prove`",
        Reason::WrongNetwork | Reason::WrongKey => {
            "give the descriptor of the network that issued the receipt with --network"
        }
        Reason::NotWitnessed => {
            "fetch the receipt again in a moment: a newer one may carry more cosignatures; docs/operations.md says how witnesses work"
        }
        _ => {
            "do not rely on what this file says; `stele prove` fetches the true receipt from a node"
        }
    }
}
