//! A network of four validators in four processes: throughput, finality, one dead, catching up, long links, and etcd beside it.
//!
//! The parent founds the network and tells each process over its standard input what to do; each process runs one validator with its own
//! ledger, its own clients and its own load, and answers on standard output. Nothing is shared but the links between the
//! validators. An entry counts when the process that it was given to has it final: ordered by the network, executed, certified by
//! a quorum and durable.
//!
//! - `found`: keys, genesis, folders. `process`: the processes as the parent sees them. `validator`: one of them.
//! - `relay`: links that take their time. `etcd`, `grpc`: the peer.

mod etcd;
mod found;
mod grpc;
mod process;
mod relay;
mod validator;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stele_core::id::sha256;
use stele_core::suite::{SigningKey, Suite};

use self::found::{found, free_ports};
use self::process::{Measured, Validator, measure, prepare, start_all};
use self::relay::Relay;
use crate::Machine;
use crate::report::{Better, Figure, Report};

pub use self::validator::validator;

const VALIDATORS: usize = 4;
/// Entries of one process that may be under way.
const UNDER_WAY: u64 = 4_000;
/// The one-way delay of the long links.
const DELAY: Duration = Duration::from_millis(40);
/// Within so many one-way delays an entry should be final.
const DELAYS_GOAL: f64 = 5.0;
/// How many entries a process keeps signed at most.
const SIGNED_MAX: u64 = 100_000;

/// How large the run is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the ledgers are made; a folder below it is used and removed.
    pub dir: PathBuf,
    /// Seconds of each figure.
    pub seconds: u64,
    /// Entries that each process signs for one figure.
    pub entries: u64,
    /// Entries that the validator that comes back has missed.
    pub missed: u64,
    /// This program with the arguments that make it call [`validator()`]; the folder is appended.
    pub validator_command: Vec<String>,
    /// The commit, if known.
    pub commit: String,
}

/// Why the benchmark could not run.
#[derive(Debug, thiserror::Error)]
#[error("the benchmark of the network could not run: {0}")]
pub struct NetworkBenchError(String);

fn failed(error: impl std::fmt::Display) -> NetworkBenchError {
    NetworkBenchError(error.to_string())
}

fn key(kind: u8, number: u64) -> SigningKey {
    let seed = sha256(&[b"stele network benchmark", &[kind], &number.to_be_bytes()]);
    SigningKey::from_seed(Suite::Ed25519, &seed).expect("32 bytes")
}

/// Measures. `tell` hears what is being done.
///
/// # Errors
/// [`NetworkBenchError`] if there is no throughput to compare with; what fails later is said in its figure.
pub fn run(options: &Options, tell: &dyn Fn(&str)) -> Result<Report, NetworkBenchError> {
    let folder = tempfile::tempdir_in(&options.dir).map_err(failed)?;
    let machine = Machine::look(folder.path());
    let mut figures = Vec::new();
    let full = on_loopback(options, folder.path(), &mut figures, tell)?;
    on_long_links(options, folder.path(), full.rate, &mut figures, tell);
    beside_etcd(options, folder.path(), &full, &mut figures, tell);
    Ok(Report {
        bench: "network",
        machine,
        commit: options.commit.clone(),
        figures,
    })
}

/// The throughput that the other figures are measured against.
struct Full {
    rate: f64,
    entry_bytes: u64,
}

fn on_loopback(
    options: &Options,
    folder: &Path,
    figures: &mut Vec<Figure>,
    tell: &dyn Fn(&str),
) -> Result<Full, NetworkBenchError> {
    tell("founding a network of four");
    let (held, listen) = free_ports()?;
    let dirs = found(&folder.join("loopback"), &listen, &listen)?;
    drop(held);
    let mut validators = start_all(&options.validator_command, &dirs)?;
    tell("signing");
    let entry_bytes = prepare(&mut validators, options.entries)?;
    tell("throughput, four validators");
    let full = measure(&mut validators, None, options.seconds)?;
    figures.push(
        Figure::new(
            "network-entries-per-second",
            full.rate,
            "entries/s",
            Better::Higher,
            format!("four processes, each with its own clients and {UNDER_WAY} entries of {entry_bytes} bytes under way; signed, ordered, executed, certified, durable"),
        )
        .goal(15_000.0),
    );
    figures.push(Figure::new(
        "network-finality-full-load-p50",
        full.p50,
        "ms",
        Better::Lower,
        "at the rate above",
    ));
    let calm = at_rate(options, &mut validators, full.rate / 2.0, tell, "half load")?;
    let note = format!(
        "from submission to final on the same node, at {:.0} entries/s",
        calm.rate
    );
    figures.push(finality("network-finality-p50", calm.p50, note.clone()).goal(120.0));
    figures.push(finality("network-finality-p99", calm.p99, note).goal(400.0));

    tell("signing");
    let dead = validators.pop().expect("four");
    let dir = dead.dir.clone();
    prepare(&mut validators, options.entries)?;
    let before = validators[0].height()?;
    drop(dead);
    tell("throughput with one dead");
    let three = measure(&mut validators, None, options.seconds)?;
    figures.push(
        Figure::new(
            "network-one-dead-ratio",
            three.rate / full.rate,
            "of all alive",
            Better::Higher,
            format!("{:.0} entries/s with one of four killed", three.rate),
        )
        .goal(0.8),
    );
    let caught_up = catch_up(options, &mut validators, &dir, before, full.rate, tell);
    figures.push(caught_up.unwrap_or_else(|error| {
        Figure::missing(
            "network-catching-up-ratio",
            "of the live rate",
            Better::Higher,
            error.to_string(),
        )
        .goal(3.0)
    }));
    Ok(Full {
        rate: full.rate,
        entry_bytes,
    })
}

fn finality(id: &'static str, value: f64, note: String) -> Figure {
    Figure::new(id, value, "ms", Better::Lower, note)
}

/// Signs and submits at a steady rate of all validators together.
fn at_rate(
    options: &Options,
    validators: &mut [Validator],
    rate: f64,
    tell: &dyn Fn(&str),
    name: &str,
) -> Result<Measured, NetworkBenchError> {
    let each = (rate / validators.len() as f64).max(1.0);
    tell("signing");
    prepare(validators, (each * options.seconds as f64) as u64 + 1)?;
    tell(&format!("finality at {name}"));
    measure(validators, Some(each as u64), options.seconds)
}

/// Lets the validators go on without the one in `dir` until it has missed enough, starts it and waits until it has what they have.
fn catch_up(
    options: &Options,
    validators: &mut [Validator],
    dir: &Path,
    before: (u64, u64),
    live_rate: f64,
    tell: &dyn Fn(&str),
) -> Result<Figure, NetworkBenchError> {
    loop {
        let missed = validators[0].height()?.1 - before.1;
        if missed >= options.missed {
            break;
        }
        tell(&format!(
            "a dead validator misses {missed} entries and more"
        ));
        let each = (options.missed - missed).div_ceil(validators.len() as u64);
        prepare(validators, each.min(SIGNED_MAX))?;
        // Ends when all are final.
        measure(validators, None, 600)?;
    }
    let (target, entries) = validators[0].height()?;
    let missed = entries - before.1;
    tell(&format!("catching up {missed} entries"));
    let started = Instant::now();
    let mut back = Validator::start(&options.validator_command, dir)?;
    back.expect_ready()?;
    let opened = started.elapsed().as_secs_f64();
    // A tenth of the live rate, and a minute.
    let deadline = Instant::now() + Duration::from_secs(60 + missed * 10 / (live_rate as u64 + 1));
    while back.height()?.0 < target {
        if Instant::now() > deadline {
            return Err(failed("the validator that came back did not catch up"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed().as_secs_f64();
    let figure = Figure::new(
        "network-catching-up-ratio",
        missed as f64 / took / live_rate,
        "of the live rate",
        Better::Higher,
        format!(
            "{missed} entries in {} blocks missed, taken up in {took:.1} s while the others rest, of which {opened:.1} s until its ledger was open",
            target - before.0
        ),
    );
    Ok(figure.goal(3.0))
}

/// The same network again, its links delayed.
fn on_long_links(
    options: &Options,
    folder: &Path,
    full_rate: f64,
    figures: &mut Vec<Figure>,
    tell: &dyn Fn(&str),
) {
    let measured = (|| {
        tell("founding a network of four on long links");
        let (held, listen) = free_ports()?;
        let (doors, addresses) = free_ports()?;
        let dirs = found(&folder.join("delayed"), &listen, &addresses)?;
        drop(held);
        let relays: Result<Vec<_>, _> = doors
            .into_iter()
            .zip(&listen)
            .map(|(door, target)| Relay::start(door, *target, DELAY))
            .collect();
        let _relays = relays.map_err(failed)?;
        let mut validators = start_all(&options.validator_command, &dirs)?;
        let rates = [
            (full_rate / 2.0, "half load"),
            (full_rate / 20.0, "a twentieth of the load"),
        ];
        let [half, light] = rates.map(|(rate, name)| {
            let name = format!("{name}, {} ms one way", DELAY.as_millis());
            at_rate(options, &mut validators, rate, tell, &name)
        });
        Ok::<_, NetworkBenchError>((half?, light?))
    })();
    let delay = DELAY.as_secs_f64() * 1e3;
    let note = |rate: f64| {
        format!(
            "every link of {delay:.0} ms one way (a relay; bandwidth not limited), at {rate:.0} entries/s"
        )
    };
    let ids = [
        "network-delayed-finality-p50",
        "network-delayed-finality-p99",
        "network-delayed-finality-light-load-p50",
    ];
    match measured {
        Ok((half, light)) => {
            let p50 = finality(ids[0], half.p50, note(half.rate));
            figures.push(p50.goal(DELAYS_GOAL * delay));
            figures.push(finality(ids[1], half.p99, note(half.rate)));
            figures.push(finality(ids[2], light.p50, note(light.rate)));
        }
        Err(error) => {
            let missing = |id| Figure::missing(id, "ms", Better::Lower, error.to_string());
            figures.push(missing(ids[0]).goal(DELAYS_GOAL * delay));
            figures.extend(ids[1..].iter().map(|id| missing(id)));
        }
    }
}

fn beside_etcd(
    options: &Options,
    folder: &Path,
    full: &Full,
    figures: &mut Vec<Figure>,
    tell: &dyn Fn(&str),
) {
    tell("etcd, three members");
    let (writes, ratio) = ("etcd-writes-per-second", "network-to-etcd");
    match etcd::measure(folder, full.entry_bytes as usize, options.seconds) {
        Ok(measured) => {
            let peer = format!("etcd {}", measured.version);
            let note = format!(
                "{peer}: three members on loopback, {} clients with a gRPC connection each to the leader and one write of {} bytes under way, synced; p50 {:.1} ms",
                etcd::CLIENTS,
                full.entry_bytes,
                measured.p50_ms
            );
            let rate = measured.writes_per_second;
            figures.push(Figure::new(writes, rate, "writes/s", Better::Higher, note).peer(&peer));
            let note = "network-entries-per-second against it";
            let figure = Figure::new(ratio, full.rate / rate, "ratio", Better::Higher, note);
            figures.push(figure.goal(1.0).peer(peer));
        }
        Err(why) => {
            figures.push(Figure::missing(writes, "writes/s", Better::Higher, &why));
            figures.push(Figure::missing(ratio, "ratio", Better::Higher, why).goal(1.0));
        }
    }
}
