//! The validators' processes as the parent sees them: orders on standard input, answers on standard output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::{NetworkBenchError, failed};

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
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
pub(super) enum Answer {
    Ready,
    /// The entries are signed; how long one is on average.
    Prepared {
        entry_bytes: u64,
    },
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

/// One process. It is killed when this is dropped.
pub(super) struct Validator {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(super) dir: PathBuf,
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Validator {
    pub(super) fn start(command: &[String], dir: &Path) -> Result<Self, NetworkBenchError> {
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

    pub(super) fn order(&mut self, order: &Order) -> Result<(), NetworkBenchError> {
        let line = serde_json::to_string(order).expect("plain data") + "\n";
        self.orders.write_all(line.as_bytes()).map_err(failed)
    }

    pub(super) fn answer(&mut self) -> Result<Answer, NetworkBenchError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(failed)?;
        serde_json::from_str(&line).map_err(|_| failed("a validator ended"))
    }

    /// The ledger's height and how many entries it has.
    pub(super) fn height(&mut self) -> Result<(u64, u64), NetworkBenchError> {
        self.order(&Order::Height)?;
        match self.answer()? {
            Answer::Height { height, entries } => Ok((height, entries)),
            _ => Err(failed("a validator answered something else")),
        }
    }

    pub(super) fn expect_ready(&mut self) -> Result<(), NetworkBenchError> {
        match self.answer()? {
            Answer::Ready => Ok(()),
            _ => Err(failed("a validator answered something else")),
        }
    }
}

/// Starts the validators and waits until all have registered their signers.
pub(super) fn start_all(
    command: &[String],
    dirs: &[PathBuf],
) -> Result<Vec<Validator>, NetworkBenchError> {
    let start = |dir: &PathBuf| Validator::start(command, dir);
    let mut validators = dirs.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    for validator in &mut validators {
        validator.expect_ready()?;
    }
    Ok(validators)
}

/// Each signs so many entries for the next run. Returns how long one is.
pub(super) fn prepare(
    validators: &mut [Validator],
    entries: u64,
) -> Result<u64, NetworkBenchError> {
    let mut bytes = 0;
    for validator in validators.iter_mut() {
        // One after the other: each uses all cores.
        validator.order(&Order::Prepare { entries })?;
        let Answer::Prepared { entry_bytes } = validator.answer()? else {
            return Err(failed("a validator answered something else"));
        };
        bytes = entry_bytes;
    }
    Ok(bytes)
}

/// What all validators together did.
pub(super) struct Measured {
    pub(super) rate: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Lets all submit what they have signed: so many in a second each, or as many as are taken.
pub(super) fn measure(
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
