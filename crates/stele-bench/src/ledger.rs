//! `stele bench ledger`: one node's ledger, end to end.
//!
//! Entries are signed in advance, one command each unless said otherwise. The ledger parses them, finds their keys, verifies, executes,
//! computes the state root and the log root, certifies, writes and syncs. Nothing is skipped for the benchmark.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use stele_core::receipt::verify;
use stele_core::suite::{BatchItem, verify_batch};
use stele_ledger::ledger::{Ledger, LedgerError, Progress};

use crate::machine::{Machine, resident_bytes};
use crate::postgres;
use crate::report::{Better, Figure, Report};
use crate::workload::{World, open_accounts, put, reopen, transfer};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the ledgers are made; a folder below it is used and removed.
    pub dir: PathBuf,
    /// Entries of each throughput figure.
    pub entries: u64,
    /// Accounts among which transfers go.
    pub accounts: u64,
    /// Entries of 100 commands.
    pub bulk_entries: u64,
    /// Keys of the large state.
    pub state_keys: u64,
    /// Seconds of the latency figure and of the peer.
    pub seconds: u64,
    /// Parties that sign.
    pub signers: u64,
    /// This program with the arguments that make it call [`probe`]; the folder is appended. Without it the figures of a fresh process
    /// are not measured.
    pub probe_command: Option<Vec<String>>,
    /// The commit, if known.
    pub commit: String,
}

impl Options {
    /// The full run of the published figures: about four minutes on two cores.
    pub fn full(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            entries: 600_000,
            accounts: 1_000_000,
            bulk_entries: 20_000,
            state_keys: 10_000_000,
            seconds: 10,
            signers: 10_000,
            probe_command: None,
            commit: String::new(),
        }
    }

    /// A small run that proves that the benchmark works; its figures mean nothing.
    pub fn quick(dir: impl Into<PathBuf>) -> Self {
        Self {
            entries: 2_000,
            accounts: 1_000,
            bulk_entries: 50,
            state_keys: 20_000,
            seconds: 1,
            signers: 50,
            ..Self::full(dir)
        }
    }
}

/// Why the benchmark stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The folder.
    #[error("could not use {}", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
    /// The workload was not taken as it should be.
    #[error("{0}")]
    Workload(String),
}

/// Tells what is being done: step, done, all.
pub type Tell<'a> = &'a dyn Fn(&str, u64, u64);

/// Runs the benchmark.
///
/// # Errors
/// [`BenchError`].
pub fn run(options: &Options, tell: Tell<'_>) -> Result<Report, BenchError> {
    std::fs::create_dir_all(&options.dir)
        .map_err(|error| BenchError::Folder(options.dir.clone(), error))?;
    let dir = tempfile::Builder::new()
        .prefix("stele-bench-")
        .tempdir_in(&options.dir);
    let dir = dir.map_err(|error| BenchError::Folder(options.dir.clone(), error))?;
    let mut figures = throughput(options, dir.path(), tell)?;
    figures.extend(large_state(options, dir.path(), tell)?);
    Ok(Report {
        bench: "ledger",
        machine: Machine::look(dir.path()),
        commit: options.commit.clone(),
        figures,
    })
}

fn throughput(options: &Options, dir: &Path, tell: Tell<'_>) -> Result<Vec<Figure>, BenchError> {
    let home = dir.join("throughput");
    let world = World::found(&home, options.signers)?;
    let ledger = world.open(&home)?;
    tell("registering the signers", 0, 1);
    submit_all(&ledger, world.registrations())?;
    tell("opening the accounts", 0, 1);
    let batch = 1_000.min(options.accounts);
    let opening = world.entries(options.accounts / batch, |number| {
        vec![open_accounts(number * batch, batch)]
    });
    submit_all(&ledger, opening)?;

    tell("signing records", 0, 1);
    let records = world.entries(options.entries, |number| vec![put(1, number)]);
    tell("the limit: verifying signatures alone", 0, 1);
    let limit = verification_limit(&world, &records[..records.len().min(200_000)]);
    tell("records", 0, 1);
    let bytes_before = disk_bytes(&home);
    let record_rate = submit_all(&ledger, records)?;
    let bytes_per_entry = (disk_bytes(&home) - bytes_before) as f64 / options.entries as f64;

    tell("signing transfers", 0, 1);
    let accounts = options.accounts;
    let transfers = world.entries(options.entries, |number| vec![transfer(accounts, number)]);
    tell("transfers", 0, 1);
    let transfer_rate = submit_all(&ledger, transfers)?;

    tell("signing entries of 100 commands", 0, 1);
    let bulk = world.entries(options.bulk_entries, |number| {
        (0..100).map(|n| put(2, number * 100 + n)).collect()
    });
    tell("entries of 100 commands", 0, 1);
    let command_rate = submit_all(&ledger, bulk)? * 100.0;

    tell("finality at half load", 0, 1);
    let half = record_rate / 2.0;
    let paced = world.entries((half * options.seconds as f64) as u64, |number| {
        vec![put(3, number)]
    });
    let latencies = paced_latencies(&ledger, paced, half)?;
    let (receipt_bytes, verify_ms) = receipts(&ledger)?;
    let head = ledger.head();
    drop(ledger);

    tell("the peer: PostgreSQL", 0, 1);
    let peer = postgres::measure(dir, options.accounts, options.seconds);
    let mut figures = vec![
        Figure::new(
            "ed25519-limit",
            limit,
            "signatures/s",
            Better::Higher,
            "(a) batches of 4096 of the same entries on all cores, verification alone",
        ),
        Figure::new(
            "record-entries",
            record_rate,
            "entries/s",
            Better::Higher,
            format!(
                "one insert each, {} entries by {} signers, final means synced",
                options.entries, options.signers
            ),
        ),
        Figure::new(
            "record-entries-to-limit",
            record_rate / limit,
            "ratio",
            Better::Higher,
            "record entries against (a)",
        )
        .goal(0.5),
        Figure::new(
            "transfer-entries",
            transfer_rate,
            "entries/s",
            Better::Higher,
            format!("two updates each among {accounts} accounts"),
        ),
        Figure::new(
            "transfer-entries-to-limit",
            transfer_rate / limit,
            "ratio",
            Better::Higher,
            "transfer entries against (a)",
        )
        .goal(0.3),
    ];
    figures.extend(match peer {
        Ok(peer) => [
            Figure::new(
                "postgresql-transactions",
                peer.transactions_per_second,
                "transactions/s",
                Better::Higher,
                format!(
                    "(b) PostgreSQL {}: unsigned insert and two updates, durable, 64 clients",
                    peer.version
                ),
            ),
            Figure::new(
                "transfer-entries-to-postgresql",
                transfer_rate / peer.transactions_per_second,
                "ratio",
                Better::Higher,
                "transfer entries against (b)",
            )
            .goal(8.0)
            .peer("PostgreSQL"),
        ],
        Err(why) => [
            Figure::missing(
                "postgresql-transactions",
                "transactions/s",
                Better::Higher,
                why.clone(),
            ),
            Figure::missing(
                "transfer-entries-to-postgresql",
                "ratio",
                Better::Higher,
                why,
            )
            .goal(8.0)
            .peer("PostgreSQL"),
        ],
    });
    let percentile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    figures.extend([
        Figure::new(
            "commands",
            command_rate,
            "commands/s",
            Better::Higher,
            format!(
                "inserts in {} entries of 100 commands",
                options.bulk_entries
            ),
        )
        .goal(500_000.0),
        Figure::new(
            "finality-p50",
            percentile(0.5),
            "ms",
            Better::Lower,
            format!("at {half:.0} record entries/s"),
        )
        .goal(50.0),
        Figure::new(
            "finality-p99",
            percentile(0.99),
            "ms",
            Better::Lower,
            format!("at {half:.0} record entries/s"),
        )
        .goal(250.0),
        Figure::new(
            "receipt-size",
            receipt_bytes,
            "bytes",
            Better::Lower,
            format!(
                "largest of 1,000 without the entry, log of {} entries",
                head.log_size()
            ),
        )
        .goal(2048.0),
        Figure::new(
            "receipt-verification",
            verify_ms,
            "ms",
            Better::Lower,
            "median of 1,000, one core",
        )
        .goal(2.0),
        Figure::new(
            "disk-per-record-entry",
            bytes_per_entry,
            "bytes",
            Better::Lower,
            "log, tree and state",
        ),
    ]);
    Ok(figures)
}

fn verification_limit(world: &World, entries: &[Vec<u8>]) -> f64 {
    let parsed = world.with_keys(entries);
    let checks: Vec<_> = parsed
        .iter()
        .map(|(entry, key)| (entry.signature(), key))
        .collect();
    let items: Vec<_> = checks
        .iter()
        .map(|(check, key)| BatchItem {
            key,
            alg: check.alg,
            message: &check.message,
            signature: check.signature,
        })
        .collect();
    let started = Instant::now();
    let good: usize = items
        .par_chunks(4096)
        .map(|chunk| {
            verify_batch(chunk)
                .iter()
                .filter(|verdict| verdict.is_ok())
                .count()
        })
        .sum();
    assert_eq!(good, items.len(), "the benchmark signs well");
    items.len() as f64 / started.elapsed().as_secs_f64()
}

/// Entries in flight at most: enough to keep every step busy.
const IN_FLIGHT_MAX: u64 = 40_000;

/// Submits all and waits until all are final; entries per second.
pub(crate) fn submit_all(ledger: &Ledger, entries: Vec<Vec<u8>>) -> Result<f64, BenchError> {
    let count = entries.len() as u64;
    let (final_count, failures) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(None::<String>)),
    );
    let started = Instant::now();
    for (submitted, bytes) in entries.into_iter().enumerate() {
        while submitted as u64 - final_count.load(Ordering::Relaxed) >= IN_FLIGHT_MAX {
            std::thread::sleep(Duration::from_micros(200));
        }
        let (counted, failed) = (Arc::clone(&final_count), Arc::clone(&failures));
        let listener = move |progress| match progress {
            Progress::Admitted(_) => {}
            Progress::Final(done) => {
                if let Some(refusal) = done.refusal {
                    failed.lock().get_or_insert(refusal.to_string());
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Progress::Refused(refusal) | Progress::Unknown(refusal) => {
                failed.lock().get_or_insert(refusal.to_string());
                counted.fetch_add(1, Ordering::Relaxed);
            }
        };
        ledger
            .submit(bytes, listener)
            .map_err(|refusal| BenchError::Workload(refusal.to_string()))?;
    }
    while final_count.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_micros(200));
    }
    let seconds = started.elapsed().as_secs_f64();
    match failures.lock().take() {
        Some(failure) => Err(BenchError::Workload(format!(
            "an entry did not apply: {failure}"
        ))),
        None => Ok(count as f64 / seconds),
    }
}

/// Submits at a steady rate, whatever the ledger does, and measures from the moment each entry was due. In milliseconds, sorted.
fn paced_latencies(
    ledger: &Ledger,
    entries: Vec<Vec<u8>>,
    rate: f64,
) -> Result<Vec<f64>, BenchError> {
    let count = entries.len();
    let latencies = Arc::new(Mutex::new(Vec::with_capacity(count)));
    let lost = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    for (number, bytes) in entries.into_iter().enumerate() {
        let due = started + Duration::from_secs_f64(number as f64 / rate);
        let now = Instant::now();
        if now + Duration::from_micros(100) < due {
            std::thread::sleep(due - now);
        }
        let (noted, gone) = (Arc::clone(&latencies), Arc::clone(&lost));
        let listener = move |progress| match progress {
            Progress::Admitted(_) => {}
            Progress::Final(_) => noted.lock().push(due.elapsed().as_secs_f64() * 1e3),
            Progress::Refused(_) | Progress::Unknown(_) => {
                gone.fetch_add(1, Ordering::Relaxed);
            }
        };
        ledger
            .submit(bytes, listener)
            .map_err(|refusal| BenchError::Workload(refusal.to_string()))?;
    }
    while latencies.lock().len() + lost.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut latencies = std::mem::take(&mut *latencies.lock());
    if lost.load(Ordering::Relaxed) > 0 || latencies.is_empty() {
        return Err(BenchError::Workload(
            "entries were refused at half load".to_owned(),
        ));
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// The largest of 1,000 receipts without their entries, and the median time to verify one.
fn receipts(ledger: &Ledger) -> Result<(f64, f64), BenchError> {
    let network = ledger.descriptor();
    let size = ledger.head().log_size().get();
    let (mut largest, mut times) = (0, Vec::new());
    for number in 0..1_000.min(size) {
        let index = stele_core::id::LogIndex::new(number.wrapping_mul(7_919_777) % size);
        let receipt = ledger.entry_receipt(index, false)?.encode();
        largest = largest.max(receipt.len());
        let started = Instant::now();
        verify(&receipt, &network).map_err(|error| BenchError::Workload(error.to_string()))?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((largest as f64, times[times.len() / 2]))
}

/// What a fresh process says of a large ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Probe {
    /// Seconds until the ledger took entries.
    pub open_seconds: f64,
    /// Resident memory after opening, in bytes.
    pub resident_bytes: u64,
    /// Resident memory after 100,000 state proofs and reads spread over all keys, in bytes.
    pub resident_bytes_used: u64,
    /// Keys in the state.
    pub state_keys: u64,
    /// State proofs per second, presence and absence in turn.
    pub proofs_per_second: f64,
}

/// Opens the ledger in `dir` in this process and looks at itself.
///
/// # Errors
/// [`BenchError`].
pub fn probe(dir: &Path) -> Result<Probe, BenchError> {
    let started = Instant::now();
    let ledger = reopen(dir)?;
    let open_seconds = started.elapsed().as_secs_f64();
    let resident = resident_bytes();
    let proofs = 100_000u64;
    let started = Instant::now();
    for number in 0..proofs {
        let key =
            stele_core::id::sha256(&[&[4 + (number % 2) as u8], &(number * 97).to_be_bytes()]);
        ledger
            .state_receipt(&[("bench", &key)])
            .map_err(|error| BenchError::Workload(error.to_string()))?;
    }
    Ok(Probe {
        open_seconds,
        resident_bytes: resident,
        resident_bytes_used: resident_bytes(),
        state_keys: ledger.state_keys(),
        proofs_per_second: proofs as f64 / started.elapsed().as_secs_f64(),
    })
}

fn large_state(options: &Options, dir: &Path, tell: Tell<'_>) -> Result<Vec<Figure>, BenchError> {
    let home = dir.join("large");
    let world = World::found(&home, 100)?;
    let ledger = world.open(&home)?;
    submit_all(&ledger, world.registrations())?;
    let commands = 1_000.min(options.state_keys);
    let chunk = 500;
    let entries = options.state_keys / commands;
    for first in (0..entries).step_by(chunk) {
        tell(
            "filling a large state",
            first * commands,
            options.state_keys,
        );
        let count = (entries - first).min(chunk as u64);
        let part = world.entries(count, |number| {
            (0..commands)
                .map(|n| put(4, (first + number) * commands + n))
                .collect()
        });
        submit_all(&ledger, part)?;
    }
    drop(ledger);
    tell("reopening in a fresh process", 0, 1);
    let probed = match &options.probe_command {
        Some(command) => probe_apart(command, &home),
        None => Err("no fresh process was asked for".to_owned()),
    };
    let bytes = disk_bytes(&home.join("state")) as f64 / options.state_keys as f64;
    let mut figures = match probed {
        Ok(probe) => {
            let note = format!("fresh process, {} state keys", probe.state_keys);
            vec![
                Figure::new(
                    "reopen",
                    probe.open_seconds,
                    "s",
                    Better::Lower,
                    note.clone(),
                )
                .goal(15.0),
                Figure::new(
                    "resident-memory",
                    probe.resident_bytes_used as f64 / f64::from(1 << 20),
                    "MiB",
                    Better::Lower,
                    format!(
                        "{note}, after 100,000 proofs; {:.0} MiB right after opening",
                        probe.resident_bytes as f64 / f64::from(1 << 20)
                    ),
                )
                .goal(1536.0),
                Figure::new(
                    "state-receipts",
                    probe.proofs_per_second,
                    "receipts/s",
                    Better::Higher,
                    format!("{note}, half of them of absence, one core"),
                ),
            ]
        }
        Err(why) => vec![
            Figure::missing("reopen", "s", Better::Lower, why.clone()).goal(15.0),
            Figure::missing("resident-memory", "MiB", Better::Lower, why).goal(1536.0),
        ],
    };
    figures.push(Figure::new(
        "disk-per-state-key",
        bytes,
        "bytes",
        Better::Lower,
        format!(
            "values of 32 bytes, {} keys, index and value log",
            options.state_keys
        ),
    ));
    Ok(figures)
}

fn probe_apart(command: &[String], home: &Path) -> Result<Probe, String> {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .arg(home)
        .output()
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
            // Blocks, not lengths: space that is reserved ahead counts, holes do not.
            Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
            Err(_) => 0,
        })
        .sum()
}
