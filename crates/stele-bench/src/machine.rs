//! The machine under the figures.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// What a figure depends on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The file system that holds the ledger.
    pub file_system: String,
    /// Median time of writing 4 KiB and fdatasync, in milliseconds.
    pub sync_ms: f64,
}

fn first_line(path: &str, prefix: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.starts_with(prefix))
        .unwrap_or_default();
    line.rsplit(':')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

impl Machine {
    /// Looks at this machine and at the disk under `dir`.
    pub fn look(dir: &Path) -> Self {
        let memory = first_line("/proc/meminfo", "MemTotal");
        Self {
            processor: first_line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory
                .split(' ')
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                / 1024,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            file_system: file_system(dir),
            sync_ms: sync_ms(dir).unwrap_or(f64::NAN),
        }
    }
}

fn file_system(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let best = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            dir.starts_with(point).then_some((point.len(), kind))
        })
        .max_by_key(|(length, _)| *length);
    best.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn sync_ms(dir: &Path) -> std::io::Result<f64> {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(dir)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let started = std::time::Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Resident memory of this process now, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let line = first_line("/proc/self/status", "VmRSS");
    line.split(' ')
        .next()
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, {} MiB, Linux {}, {}, 4 KiB write and sync {:.2} ms",
            self.processor,
            self.cores,
            self.memory_mib,
            self.kernel,
            self.file_system,
            self.sync_ms
        )
    }
}
