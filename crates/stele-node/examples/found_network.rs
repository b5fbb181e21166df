//! Founds a network of validators on given addresses, in one go: `found_network DIR NAME ADDR...`.
//!
//! For the tests in namespaces, where validators are on several addresses of one machine. Organisations hold the ceremony over links.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use stele_node::local_network;
use stele_registers::Registry;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [dir, name, addresses @ ..] = &words[..] else {
        eprintln!("usage: found_network DIR NAME ADDR...");
        return ExitCode::from(2);
    };
    let addresses: Result<Vec<SocketAddr>, _> = addresses.iter().map(|word| word.parse()).collect();
    let Ok(addresses) = addresses else {
        eprintln!("error: an address is an IP address with a port");
        return ExitCode::from(2);
    };
    match local_network::found_at(Path::new(dir), name, &addresses, &Registry::standard()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
