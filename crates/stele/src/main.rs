//! The binary `stele`: one command line to run a node, submit, prove, verify, diagnose and measure.
//!
//! - [`cli`]: what can be typed. [`commands`]: what it does, one module for each command.
//! - [`printer`]: the only way to stdout and stderr. [`failure`]: exit codes and errors. [`mod@env`]: every environment variable.
//! - [`answer`]: what a receipt proves, in JSON and in sentences. `reference`: the page docs/cli.md, made and guarded by a test.
//! - [`home`], [`network`]: where a node's files lie, and which network is trusted.

mod answer;
mod cli;
mod commands;
mod env;
mod failure;
mod home;
mod network;
mod outline;
mod printer;
#[cfg(test)]
mod reference;
mod time;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::printer::Printer;

/// Entries are allocated on one thread and freed on another, tens of thousands a second, which the system's allocator does
/// not like: transfers and bulk entries go a quarter faster with this one (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.global.format, cli.global.quiet, cli.global.verbose);
    match commands::run(cli.command, &printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}
