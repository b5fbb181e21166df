//! One process of the benchmark: a validator with its own ledger, clients and load, told by its standard input.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::prelude::*;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::id::{NetworkId, RegisterName, TimeMs};
use stele_core::suite::SigningKey;
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_network::keys::{MemorySecrets, NodeKey, Share};
use stele_network::{Identity, Network, NetworkOptions, Seat};

use super::process::{Answer, Order};
use super::{NetworkBenchError, UNDER_WAY, failed, key};
use crate::workload;

/// Parties that sign, for each process.
const SIGNERS: u64 = 64;
/// How long an entry may be submitted after it was signed.
const WINDOW_MS: u64 = 3_500_000;

/// One validator, told by its standard input; for [`super::Options::validator_command`].
///
/// # Errors
/// [`NetworkBenchError`].
pub fn validator(dir: &Path) -> Result<(), NetworkBenchError> {
    let registry = workload::registry();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).map_err(failed);
    let number: u64 = read("number")?.parse().map_err(failed)?;
    let listen: SocketAddr = read("listen")?.parse().map_err(failed)?;
    let share = Share::load(&dir.join("share.key")).map_err(failed)?;
    let node_key = NodeKey::load(&dir.join("node.key")).map_err(failed)?;
    let seat = Seat::default();
    let ledger = Ledger::open_network(
        &dir.join("ledger"),
        registry,
        seat.certifier(),
        LedgerOptions::default(),
    );
    let ledger = Arc::new(ledger.map_err(failed)?);
    let options = NetworkOptions::new(listen, dir.join("engine"));
    let network = Network::start(
        seat,
        Arc::clone(&ledger),
        Identity {
            node_key,
            member: None,
            secrets: Arc::new(MemorySecrets::new(BTreeMap::from([(1, share)]))),
        },
        options,
    );
    let network = network.map_err(failed)?;
    let signers: Vec<_> = (0..SIGNERS)
        .map(|signer| key(1, number * SIGNERS + signer))
        .collect();
    let id = ledger.genesis().network_id();
    let mut out = std::io::stdout();
    let mut say = |answer: &Answer| {
        let line = serde_json::to_string(answer).expect("plain data") + "\n";
        out.write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .map_err(failed)
    };
    if ledger.head().height().get() == 0 {
        register(&ledger, id, &signers)?;
    }
    say(&Answer::Ready)?;
    let mut prepared = Vec::new();
    let mut salt = system_time().get();
    for line in std::io::stdin().lines() {
        match serde_json::from_str(&line.map_err(failed)?).map_err(failed)? {
            Order::Prepare { entries } => {
                salt += 1;
                prepared = sign(id, number, &signers, entries, salt);
                let bytes: usize = prepared.iter().map(Vec::len).sum();
                say(&Answer::Prepared {
                    entry_bytes: (bytes / prepared.len().max(1)) as u64,
                })?;
            }
            Order::Run {
                per_second,
                seconds,
            } => {
                let entries = std::mem::take(&mut prepared);
                say(&load(
                    &ledger,
                    entries,
                    per_second,
                    Duration::from_secs(seconds),
                ))?;
            }
            Order::Height => {
                let head = ledger.head();
                say(&Answer::Height {
                    height: head.height().get(),
                    entries: head.log_size().get(),
                })?;
            }
        }
    }
    drop(network);
    Ok(())
}

fn entry(
    network: NetworkId,
    signer: &SigningKey,
    register: &str,
    nonce: &[u8],
    command: &str,
    body: Vec<u8>,
) -> Vec<u8> {
    let now = system_time().get();
    let register = RegisterName::new(register).expect("valid");
    let (from, until) = (TimeMs::new(now - 60_000), TimeMs::new(now + WINDOW_MS));
    let builder = EntryBuilder::new(network, register, from, until, nonce).command(command, body);
    builder.sign(signer).expect("a valid entry").into_bytes()
}

/// Registers the parties that sign and waits until all are final.
fn register(
    ledger: &Ledger,
    network: NetworkId,
    signers: &[SigningKey],
) -> Result<(), NetworkBenchError> {
    let done = Arc::new(AtomicU64::new(0));
    for (number, signer) in signers.iter().enumerate() {
        let body = BodyBuilder::new()
            .text("kind", "organisation")
            .bytes_list("keys", &[signer.public().to_cose_key()])
            .build();
        let bytes = entry(
            network,
            signer,
            "identity",
            &number.to_be_bytes(),
            "party.register",
            body,
        );
        let count = Arc::clone(&done);
        let listener = move |word: Progress| {
            if matches!(word, Progress::Final(_)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        ledger.submit(bytes, listener).map_err(failed)?;
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    while done.load(Ordering::Relaxed) < signers.len() as u64 {
        if Instant::now() > deadline {
            return Err(failed("the parties were not registered in two minutes"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn sign(
    network: NetworkId,
    validator: u64,
    signers: &[SigningKey],
    count: u64,
    salt: u64,
) -> Vec<Vec<u8>> {
    let one = |number: u64| {
        let signer = &signers[(number % signers.len() as u64) as usize];
        let nonce = [salt.to_be_bytes(), number.to_be_bytes()].concat();
        // No two processes and runs write the same key.
        let (command, body) = workload::put(salt as u8, (validator << 40) | number);
        entry(network, signer, "bench", &nonce, command, body)
    };
    (0..count).into_par_iter().map(one).collect()
}

/// Submits for a while and counts what becomes final in that time.
fn load(ledger: &Ledger, entries: Vec<Vec<u8>>, per_second: Option<u64>, time: Duration) -> Answer {
    let under_way = Arc::new(AtomicU64::new(0));
    let took: Arc<Mutex<Vec<f64>>> = Arc::default();
    let started = Instant::now();
    let mut entries = entries.into_iter();
    let mut submitted = 0u64;
    while started.elapsed() < time {
        let due = match per_second {
            Some(rate) => (started.elapsed().as_secs_f64() * rate as f64) as u64 > submitted,
            None => under_way.load(Ordering::Relaxed) < UNDER_WAY,
        };
        if !due {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        // They run out where the network is faster than was planned for, and where all of them are wanted: those under way count too.
        let Some(bytes) = entries.next() else {
            if under_way.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_micros(500));
            continue;
        };
        submitted += 1;
        under_way.fetch_add(1, Ordering::Relaxed);
        let (way, list, at) = (Arc::clone(&under_way), Arc::clone(&took), Instant::now());
        let listener = move |word: Progress| match word {
            Progress::Admitted(_) => {}
            Progress::Final(_) => {
                way.fetch_sub(1, Ordering::Relaxed);
                list.lock().push(at.elapsed().as_secs_f64() * 1e3);
            }
            Progress::Unknown(_) | Progress::Refused(_) => {
                way.fetch_sub(1, Ordering::Relaxed);
            }
        };
        if ledger.submit(bytes, listener).is_err() {
            under_way.fetch_sub(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut took = std::mem::take(&mut *took.lock());
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    let answer = Answer::Ran {
        final_entries: took.len() as u64,
        seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
    };
    // What is still under way must not weigh on the next figure.
    let deadline = Instant::now() + Duration::from_secs(60);
    while under_way.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    answer
}
