//! What the commands do, one module for each.

mod archive;
mod bench;
mod credential;
mod data;
mod doctor;
mod founding;
mod keys;
mod membership;
mod meta;
mod network;
mod party;
mod prove;
mod read;
mod scenario;
mod service;
mod snapshot;
mod submit;
mod up;
mod validators;
mod verify;
mod watch;
mod witness;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::cli::Command;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

/// Runs a command.
///
/// # Errors
/// A [`Failure`], to be shown.
pub fn run(command: Command, printer: &Printer) -> Outcome {
    match command {
        Command::Up(args) => up::run(args, printer),
        Command::Network(args) => network::run(&args, printer),
        Command::Witness(args) => witness::run(args, printer),
        Command::Submit(args) => submit::run(&args, printer),
        Command::Read(args) => read::run(&args, printer),
        Command::Prove(args) => prove::run(&args, printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::Watch(args) => watch::run(&args, printer),
        Command::Keys(args) => keys::run(&args, printer),
        Command::Party(args) => party::run(&args, printer),
        Command::Scenario(args) => scenario::run(&args, printer),
        Command::Credential(args) => credential::run(&args, printer),
        Command::Service(args) => service::run(&args, printer),
        Command::Bench(args) => bench::run(&args, printer),
        Command::Snapshot(args) => snapshot::run(&args, printer),
        Command::Archive(args) => archive::run(&args, printer),
        Command::Data(args) => data::run(&args, printer),
        Command::Doctor(args) => doctor::run(&args, printer),
        Command::Completions { shell } => meta::completions(shell, printer),
        Command::Man { dir } => meta::man(dir.as_deref(), printer),
        Command::Version => meta::version(printer),
    }
}

/// Reads a file, or standard input for `-`: at most one byte more than `bytes_max`, however large it is.
fn read_input(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = bytes_max as u64 + 1;
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(Failure::io("read", path))?;
    Ok(bytes)
}

/// Writes a file as a whole: beside its place first, so that nobody reads half of it. `private` keeps others from reading it.
fn write_file(path: &Path, bytes: &[u8], private: bool) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;

    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let write = || {
        // The temporary file is for its owner only from the start.
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        if !private {
            file.as_file()
                .set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(Failure::io("write", path))
}
