//! Measures the state store: `cargo run --release -p stele-ledger --example state_store_bench -- KEYS THREADS DIR`.
//!
//! Fills a state in DIR (made anew, removed afterwards) with KEYS keys, values of 32 to 100 bytes, then measures more
//! inserts and random updates in blocks of several sizes, reads, proofs, a checkpoint with blocks beside it, and
//! reopening, each in a process of its own. Paths and values are made before the clock starts: the ledger has them anyway. Nothing is fsynced per
//! block, as in the ledger. CPU time is that of the whole process. Prints one JSON line per figure on stdout.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use stele_core::state_proof::{state_path, value_hash};
use stele_ledger::state::{Change, State, StateOptions};

const REGISTER: &str = "benchmark";
const READS: u64 = 200_000;

/// A small generator with a fixed seed: the same keys and values in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn key(index: u64) -> [u8; 16] {
    let mut key = *b"fictional-key-00";
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

fn path(index: u64) -> [u8; 32] {
    state_path(REGISTER, &key(index))
}

struct Block {
    paths: Vec<[u8; 32]>,
    keys: Vec<[u8; 16]>,
    values: Vec<([u8; 100], usize)>,
}

impl Block {
    fn new(indices: impl Iterator<Item = u64>, random: &mut Random) -> Self {
        let mut block = Self {
            paths: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
        };
        for index in indices {
            let mut value = [0; 100];
            for chunk in value.chunks_mut(8) {
                chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
            }
            block.paths.push(path(index));
            block.keys.push(key(index));
            block.values.push((value, 32 + random.next() as usize % 69));
        }
        block
    }

    fn changes(&self) -> Vec<Change<'_>> {
        (0..self.paths.len())
            .map(|at| Change {
                path: self.paths[at],
                register: REGISTER,
                key: &self.keys[at],
                value: Some(&self.values[at].0[..self.values[at].1]),
            })
            .collect()
    }
}

struct Bench {
    keys: u64,
    threads: usize,
    height: u64,
    random: Random,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Bench {
    fn figure(&self, name: &str, value: f64, unit: &str, note: &str) -> Outcome<()> {
        let line = serde_json::json!({
            "id": format!("state-store::{name} keys={} threads={}", self.keys, self.threads),
            "value": (value * 100.0).round() / 100.0, "unit": unit, "note": note,
        });
        Ok(writeln!(std::io::stdout(), "{line}")?)
    }

    fn rate(&self, name: &str, count: u64, wall: Duration, cpu: Duration) -> Outcome<()> {
        let per_cpu = count as f64 / cpu.as_secs_f64().max(1e-9);
        let note = format!("{per_cpu:.0} per CPU-second");
        self.figure(name, count as f64 / wall.as_secs_f64(), "1/s", &note)
    }

    fn apply(&mut self, state: &State, block: &Block) -> Outcome<(Duration, Duration)> {
        let changes = block.changes();
        let (started, cpu) = (Instant::now(), cpu_time());
        state.apply(self.height, &changes)?;
        self.height += 1;
        Ok((started.elapsed(), cpu_time() - cpu))
    }

    /// Inserts the keys `from..to` in blocks of `size` and reports the rate of the last `measured` blocks.
    fn insert(
        &mut self,
        state: &State,
        range: std::ops::Range<u64>,
        size: u64,
        measured: u64,
    ) -> Outcome<()> {
        let mut times = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let to = (from + size).min(range.end);
            let block = Block::new(from..to, &mut self.random);
            times.push((to - from, self.apply(state, &block)?));
            from = to;
        }
        let skip = times.len().saturating_sub(measured as usize);
        self.sum(&format!("insert/block={size}"), &times[skip..])
    }

    fn update(&mut self, state: &State, size: u64, blocks: u64) -> Outcome<()> {
        let mut times = Vec::new();
        for _ in 0..blocks {
            let indices: Vec<u64> = (0..size).map(|_| self.random.next() % self.keys).collect();
            let block = Block::new(indices.into_iter(), &mut self.random);
            times.push((size, self.apply(state, &block)?));
        }
        self.sum(&format!("update/block={size}"), &times)
    }

    fn sum(&self, name: &str, times: &[(u64, (Duration, Duration))]) -> Outcome<()> {
        let count = times.iter().map(|(count, _)| count).sum();
        let wall = times.iter().map(|(_, (wall, _))| *wall).sum();
        let cpu = times.iter().map(|(_, (_, cpu))| *cpu).sum();
        self.rate(name, count, wall, cpu)
    }

    fn reads(&mut self, state: &State) -> Outcome<()> {
        let count = READS.min(self.keys);
        let present: Vec<[u8; 32]> = (0..count)
            .map(|_| path(self.random.next() % self.keys))
            .collect();
        let absent: Vec<[u8; 32]> = (0..count).map(|index| path(1 << 60 | index)).collect();
        let (started, cpu) = (Instant::now(), cpu_time());
        for path in &present {
            assert!(state.get(path)?.is_some());
        }
        self.rate("get", count, started.elapsed(), cpu_time() - cpu)?;
        let (started, cpu) = (Instant::now(), cpu_time());
        assert!(state.get_many(&present)?.iter().all(Option::is_some));
        self.rate("get-many", count, started.elapsed(), cpu_time() - cpu)?;
        for (name, paths) in [("presence", &present), ("absence", &absent)] {
            let (started, cpu) = (Instant::now(), cpu_time());
            let mut proofs = Vec::with_capacity(paths.len());
            for path in paths {
                proofs.push(state.prove(path)?);
            }
            self.rate(
                &format!("prove-{name}"),
                count,
                started.elapsed(),
                cpu_time() - cpu,
            )?;
            let (started, cpu) = (Instant::now(), cpu_time());
            for (path, proven) in paths.iter().zip(&proofs) {
                let hash = proven.value.as_ref().map(|value| value_hash(value));
                proven.proof.verify(&proven.root, path, hash.as_ref())?;
                assert_eq!(hash.is_some(), name == "presence");
            }
            self.rate(
                &format!("verify-{name}"),
                count,
                started.elapsed(),
                cpu_time() - cpu,
            )?;
            let sizes = proofs.iter().map(|proven| proven.proof.size_bytes());
            let mean = sizes.clone().sum::<usize>() as f64 / count as f64;
            let note = format!("at most {} in this sample", sizes.max().unwrap_or(0));
            self.figure(&format!("proof-bytes-{name}"), mean, "B", &note)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, state: &State) -> Outcome<()> {
        let block = Block::new(0..1_000.min(self.keys), &mut self.random);
        let mut alone = Vec::new();
        for _ in 0..20 {
            alone.push(self.apply(state, &block)?.0);
        }
        let (started, cpu) = (Instant::now(), cpu_time());
        let mut beside = Vec::new();
        std::thread::scope(|scope| -> Outcome<()> {
            let running = scope.spawn(|| state.checkpoint());
            while !running.is_finished() {
                beside.push(self.apply(state, &block)?.0);
            }
            Ok(running.join().map_err(|_| "the checkpoint panicked")??)
        })?;
        let note = format!(
            "CPU {:.2} s, with blocks beside it",
            (cpu_time() - cpu).as_secs_f64()
        );
        self.figure("checkpoint", started.elapsed().as_secs_f64(), "s", &note)?;
        let longest = |times: &[Duration]| times.iter().max().map_or(0.0, Duration::as_secs_f64);
        let note = format!(
            "longest of {}; without a checkpoint {:.2} ms",
            beside.len(),
            longest(&alone) * 1e3
        );
        self.figure(
            "block-of-1000-during-checkpoint",
            longest(&beside) * 1e3,
            "ms",
            &note,
        )
    }

    fn space(&self, state: &State) -> Outcome<()> {
        let keys = state.len() as f64;
        self.figure("rss", status("VmRSS")? / 1024.0, "MiB", "whole process")?;
        self.figure(
            "rss-peak",
            status("VmHWM")? / 1024.0,
            "MiB",
            "whole process",
        )?;
        self.figure(
            "memory-per-key",
            state.memory_bytes() as f64 / keys,
            "B",
            "allocated",
        )?;
        self.figure(
            "disk-per-key",
            state.disk_bytes()? as f64 / keys,
            "B",
            "all files",
        )
    }

    /// Opens the state in a process of its own, so that its memory holds nothing else.
    fn reopen(&self, dir: &Path, root: [u8; 32], name: &str) -> Outcome<()> {
        let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        let done = Command::new(std::env::current_exe()?)
            .args(["reopen", &self.keys.to_string(), &self.threads.to_string()])
            .arg(dir)
            .args([&root, name])
            .status()?;
        if done.success() {
            Ok(())
        } else {
            Err("reopening failed".into())
        }
    }

    fn reopened(&mut self, dir: &Path, root: &str, name: &str) -> Outcome<()> {
        let (started, cpu) = (Instant::now(), cpu_time());
        let (state, report) = State::open(dir, options(self.threads))?;
        let note = format!(
            "{} changes replayed, CPU {:.2} s, files in the page cache",
            report.changes_replayed,
            (cpu_time() - cpu).as_secs_f64()
        );
        self.figure(name, started.elapsed().as_secs_f64(), "s", &note)?;
        let found: String = state
            .root()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found != root {
            return Err("another root after reopening".into());
        }
        self.figure(
            &format!("rss-{name}"),
            status("VmRSS")? / 1024.0,
            "MiB",
            "whole process",
        )?;
        self.figure(
            &format!("rss-peak-{name}"),
            status("VmHWM")? / 1024.0,
            "MiB",
            "whole process",
        )?;
        if report.changes_replayed < 1_000_000 {
            self.reads(&state)?;
        }
        Ok(())
    }
}

fn options(threads: usize) -> StateOptions {
    let mut options = StateOptions::default();
    options.threads = threads;
    options
}

fn cpu_time() -> Duration {
    // SAFETY: getrusage fills the struct it is given, and any bit pattern is a valid rusage.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// A figure of /proc/self/status, in KiB.
fn status(name: &str) -> Outcome<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .ok_or("no such figure")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let bench = |keys: &str, threads: &str| -> Outcome<Bench> {
        let (keys, threads) = (keys.parse()?, threads.parse()?);
        Ok(Bench {
            keys,
            threads,
            height: 0,
            random: Random(7),
        })
    };
    match arguments.as_slice() {
        [keys, threads, dir] => measure(bench(keys, threads)?, &PathBuf::from(dir)),
        ["reopen", keys, threads, dir, root, name] => {
            bench(keys, threads)?.reopened(Path::new(dir), root, name)
        }
        _ => Err("usage: state_store_bench KEYS THREADS DIR".into()),
    }
}

fn measure(mut bench: Bench, dir: &Path) -> Outcome<()> {
    let dir = dir.join("state-store-bench");
    State::destroy(&dir)?;
    let state = State::create(&dir, options(bench.threads))?;
    let keys = bench.keys;
    bench.insert(&state, 0..keys, 50_000, 10)?;
    bench.insert(&state, keys..keys + keys / 10, 10_000, 20)?;
    bench.update(&state, 50_000, 10)?;
    bench.update(&state, 10_000, 20)?;
    bench.update(&state, 100, 200)?;
    bench.space(&state)?;
    bench.checkpoint(&state)?;
    bench.space(&state)?;
    let root = state.root();
    drop(state);
    bench.reopen(&dir, root, "reopen-after-checkpoint")?;
    let (state, _) = State::open(&dir, options(bench.threads))?;
    bench.update(&state, 50_000, 20)?;
    let root = state.root();
    drop(state);
    bench.reopen(&dir, root, "reopen-and-replay")?;
    let (state, _) = State::open(&dir, options(bench.threads))?;
    let started = Instant::now();
    state.checkpoint()?;
    let note = "alone; moves what is live in segments that are mostly garbage";
    bench.figure(
        "second-checkpoint",
        started.elapsed().as_secs_f64(),
        "s",
        note,
    )?;
    let disk = state.disk_bytes()? as f64 / state.len() as f64;
    bench.figure(
        "disk-per-key-after-second-checkpoint",
        disk,
        "B",
        "all files",
    )?;
    drop(state);
    State::destroy(&dir)?;
    fs::remove_dir_all(&dir)?;
    Ok(())
}
