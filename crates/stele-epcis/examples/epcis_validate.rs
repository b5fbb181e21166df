//! Reads one JSON document per line and prints one verdict per line: `valid KIND`, or `invalid` and the faults.
//!
//! `cargo run -p stele-epcis --example epcis_validate [--strict] < documents.jsonl`
#![allow(clippy::print_stdout)]

use std::io::{BufRead, Write};

use stele_epcis::json::{Limits, parse};
use stele_epcis::validate::{Profile, validate};

fn main() -> std::io::Result<()> {
    let strict = std::env::args().any(|argument| argument == "--strict");
    let profile = if strict {
        Profile::Strict
    } else {
        Profile::Schema
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        match parse(line?.as_bytes(), &Limits::default()) {
            Err(error) => writeln!(out, "invalid {error}")?,
            Ok(value) => match validate(&value, profile) {
                Ok(kind) => writeln!(out, "valid {kind:?}")?,
                Err(faults) => {
                    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                    writeln!(out, "invalid {}", faults.join(" | "))?;
                }
            },
        }
    }
    out.flush()
}
