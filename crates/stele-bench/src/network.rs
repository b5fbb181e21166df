//! A network of four validators in four processes on loopback: throughput, finality, one dead, and catching up.
//!
//! The parent founds the network and tells each process over its standard input what to do; each process runs one validator with its own
//! ledger, its own clients and its own load, and answers on standard output. Nothing is shared but the links between the
//! validators. An entry counts when the process that it was given to has it final: ordered by the network, executed, certified by
//! a quorum and durable.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use stele_core::cbor::BodyBuilder;
use stele_core::entry::EntryBuilder;
use stele_core::genesis::Member;
use stele_core::id::{NetworkId, RegisterName, TimeMs, sha256};
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, LedgerOptions, Progress, system_time};
use stele_network::ceremony::found_in_process;
use stele_network::keys::{MemorySecrets, NodeKey, Share};
use stele_network::{
    Founder, FoundingPlan, Identity, Network, NetworkOptions, Seat, certify_block_zero,
    sign_block_zero,
};

use crate::report::{Better, Figure, Report};
use crate::{Machine, workload};

const VALIDATORS: usize = 4;
/// Parties that sign, for each process.
const SIGNERS: u64 = 64;
/// Entries of one process that may be under way.
const UNDER_WAY: u64 = 4_000;
/// How long an entry may be submitted after it was signed.
const WINDOW_MS: u64 = 3_500_000;

/// How large the run is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the ledgers are made; a folder below it is used and removed.
    pub dir: PathBuf,
    /// Seconds of each figure.
    pub seconds: u64,
    /// Entries that each process signs for one figure.
    pub entries: u64,
    /// This program with the arguments that make it call [`validator`]; the folder is appended.
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

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    /// Sign entries for the next run.
    Prepare { entries: u64 },
    /// Submit: so many in a second, or as many as are taken.
    Run {
        per_second: Option<u64>,
        seconds: u64,
    },
    /// How far is the ledger?
    Height,
}

/// What a process answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Ready,
    Ran {
        final_entries: u64,
        seconds: f64,
        p50_ms: f64,
        p99_ms: f64,
    },
    Height {
        height: u64,
        entries: u64,
    },
}

struct Validator {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Validator {
    fn start(command: &[String], dir: &Path) -> Result<Self, NetworkBenchError> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Ok(Self {
            child,
            orders,
            answers,
            dir: dir.to_owned(),
        })
    }

    fn order(&mut self, order: &Order) -> Result<(), NetworkBenchError> {
        let line = serde_json::to_string(order).expect("plain data") + "\n";
        self.orders.write_all(line.as_bytes()).map_err(failed)
    }

    fn answer(&mut self) -> Result<Answer, NetworkBenchError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(failed)?;
        serde_json::from_str(&line).map_err(|_| failed("a validator ended"))
    }

    fn height(&mut self) -> Result<(u64, u64), NetworkBenchError> {
        self.order(&Order::Height)?;
        match self.answer()? {
            Answer::Height { height, entries } => Ok((height, entries)),
            _ => Err(failed("a validator answered something else")),
        }
    }
}

fn key(kind: u8, number: u64) -> SigningKey {
    let seed = sha256(&[b"stele network benchmark", &[kind], &number.to_be_bytes()]);
    SigningKey::from_seed(Suite::Ed25519, &seed).expect("32 bytes")
}

fn found(dir: &Path) -> Result<Vec<PathBuf>, NetworkBenchError> {
    let registry = workload::registry();
    let node_keys: Vec<_> = (0..VALIDATORS).map(|_| NodeKey::generate()).collect();
    let listeners: Result<Vec<_>, _> = (0..VALIDATORS)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let addresses: Result<Vec<_>, _> = listeners
        .map_err(failed)?
        .iter()
        .map(TcpListener::local_addr)
        .collect();
    let addresses = addresses.map_err(failed)?;
    let founders = node_keys.iter().zip(&addresses).zip(0..);
    let plan = FoundingPlan {
        name: "benchmark".to_owned(),
        time: TimeMs::new(system_time().get() - 1_000),
        epoch_blocks: 100_000,
        registers: registry
            .registers()
            .map(|register| {
                let name = RegisterName::new(register.name()).expect("valid");
                (name, u64::from(register.version()))
            })
            .collect(),
        founders: founders
            .map(|((node_key, address), number)| Founder {
                member: Member {
                    name: format!("Fictional operator {number}"),
                    key: key(0, number).public().clone(),
                },
                node_key: node_key.public(),
                address: address.to_string(),
            })
            .collect(),
    };
    let founded = found_in_process(&node_keys, &plan.context()).map_err(failed)?;
    let sharing = &founded[0].sharing;
    let genesis = plan.genesis(sharing).map_err(failed)?;
    let block = Ledger::block_zero(&genesis, &*registry).map_err(failed)?;
    let partials: Vec<_> = founded
        .iter()
        .map(|one| (one.share.index(), sign_block_zero(&one.share, &block)))
        .collect();
    let block = certify_block_zero(sharing, block, &partials).map_err(failed)?;
    let mut dirs = Vec::new();
    for (number, one) in founded.iter().enumerate() {
        let dir = dir.join(format!("validator-{number}"));
        Ledger::create_certified(&dir.join("ledger"), &genesis, &*registry, &block)
            .map_err(failed)?;
        node_keys[number]
            .save(&dir.join("node.key"))
            .map_err(failed)?;
        one.share.save(&dir.join("share.key")).map_err(failed)?;
        std::fs::write(dir.join("listen"), addresses[number].to_string()).map_err(failed)?;
        std::fs::write(dir.join("number"), number.to_string()).map_err(failed)?;
        dirs.push(dir);
    }
    Ok(dirs)
}

/// Measures. `tell` hears what is being done.
///
/// # Errors
/// [`NetworkBenchError`].
pub fn run(options: &Options, tell: &dyn Fn(&str)) -> Result<Report, NetworkBenchError> {
    let folder = tempfile::tempdir_in(&options.dir).map_err(failed)?;
    let machine = Machine::look(folder.path());
    tell("founding a network of four");
    let dirs = found(folder.path())?;
    let start = |dir: &PathBuf| Validator::start(&options.validator_command, dir);
    let mut validators = dirs.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    for validator in &mut validators {
        expect_ready(validator)?;
    }
    let mut figures = Vec::new();

    tell("signing");
    prepare(&mut validators, options.entries)?;
    tell("throughput, four validators");
    let full = measure(&mut validators, None, options.seconds)?;
    figures.push(
        Figure::new(
            "network-entries-per-second",
            full.rate,
            "entries/s",
            Better::Higher,
            format!("four processes, each with its own clients and {UNDER_WAY} entries under way; signed, ordered, executed, certified, durable"),
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

    tell("signing");
    let half = full.rate / 2.0 / VALIDATORS as f64;
    prepare(&mut validators, (half * options.seconds as f64) as u64 + 1)?;
    tell("finality at half load");
    let calm = measure(&mut validators, Some(half as u64), options.seconds)?;
    let note = format!(
        "from submission to final on the same node, at {:.0} entries/s",
        calm.rate
    );
    figures.push(
        Figure::new(
            "network-finality-p50",
            calm.p50,
            "ms",
            Better::Lower,
            note.clone(),
        )
        .goal(120.0),
    );
    figures
        .push(Figure::new("network-finality-p99", calm.p99, "ms", Better::Lower, note).goal(400.0));

    tell("signing");
    prepare(&mut validators, options.entries)?;
    tell("throughput with one dead");
    let dead = validators.pop().expect("four");
    let dir = dead.dir.clone();
    let (before, entries_before) = validators[0].height()?;
    drop(dead);
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

    tell("catching up");
    let (target, entries_target) = validators[0].height()?;
    let started = Instant::now();
    let mut back = start(&dir)?;
    expect_ready(&mut back)?;
    let deadline = Instant::now() + Duration::from_secs(300);
    while back.height()?.0 < target {
        if Instant::now() > deadline {
            return Err(failed(
                "the validator that came back did not catch up in five minutes",
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed().as_secs_f64();
    let missed = entries_target - entries_before;
    figures.push(
        Figure::new(
            "network-catching-up-ratio",
            missed as f64 / took / full.rate,
            "of the live rate",
            Better::Higher,
            format!(
                "{missed} entries in {} blocks missed, taken up in {took:.1} s, its start included, while the others rest",
                target - before
            ),
        )
        .goal(3.0),
    );
    Ok(Report {
        bench: "network",
        machine,
        commit: options.commit.clone(),
        figures,
    })
}

fn expect_ready(validator: &mut Validator) -> Result<(), NetworkBenchError> {
    match validator.answer()? {
        Answer::Ready => Ok(()),
        _ => Err(failed("a validator answered something else")),
    }
}

fn prepare(validators: &mut [Validator], entries: u64) -> Result<(), NetworkBenchError> {
    for validator in validators.iter_mut() {
        validator.order(&Order::Prepare { entries })?;
        expect_ready(validator)?;
    }
    Ok(())
}

struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

fn measure(
    validators: &mut [Validator],
    per_second: Option<u64>,
    seconds: u64,
) -> Result<Measured, NetworkBenchError> {
    for validator in validators.iter_mut() {
        validator.order(&Order::Run {
            per_second,
            seconds,
        })?;
    }
    let mut all = Measured {
        rate: 0.0,
        p50: 0.0,
        p99: 0.0,
    };
    let count = validators.len() as f64;
    for validator in validators.iter_mut() {
        let Answer::Ran {
            final_entries,
            seconds,
            p50_ms,
            p99_ms,
        } = validator.answer()?
        else {
            return Err(failed("a validator answered something else"));
        };
        all.rate += final_entries as f64 / seconds;
        // The median of medians is near enough; of the tails the worst is said.
        all.p50 += p50_ms / count;
        all.p99 = all.p99.max(p99_ms);
    }
    Ok(all)
}

/// One validator, told by its standard input; for [`Options::validator_command`].
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
                say(&Answer::Ready)?;
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
        // Entries run out only where the network is faster than was planned for.
        let Some(bytes) = entries.next() else { break };
        submitted += 1;
        under_way.fetch_add(1, Ordering::Relaxed);
        let (way, list, at) = (Arc::clone(&under_way), Arc::clone(&took), Instant::now());
        let listener = move |word: Progress| match word {
            Progress::Admitted(_) => {}
            Progress::Final(_) => {
                way.fetch_sub(1, Ordering::Relaxed);
                list.lock().push(at.elapsed().as_secs_f64() * 1e3);
            }
            Progress::Refused(_) | Progress::Unknown(_) => {
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
