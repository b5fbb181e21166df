//! The bodies of the fuzz targets over what a ledger reads from disk, and the seeds they start from.
//!
//! Shared by cargo-fuzz (`fuzz_targets/`) and by the ordinary test run (`tests/properties_mutations.rs`). The invariant is always: what
//! opens has exactly the contents that were written, or a part that ends before the damage where nothing says that more was there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use stele_core::id::Height;
use stele_core::state_proof::{state_path, value_hash};
use stele_ledger::log::{EntryLog, LogOptions};
use stele_ledger::state::{Change, State, StateError, StateOptions};
use stele_ledger::tiles::{TilePath, parse_bundle};

/// A target: its name, its body, its seeds.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "log_frame_recovery",
        body: log_frame_recovery,
        seeds: || damages(&log_image().files),
    },
    Target {
        name: "state_open",
        body: state_open,
        seeds: || damages(&state_image().files),
    },
    Target {
        name: "tile_path",
        body: tile_path,
        seeds: || {
            let paths = [
                "tile/0/000",
                "tile/0/001.p/5",
                "tile/2/x001/x234/067",
                "tile/entries/x001/000.p/255",
                "tile/63/255",
                "\0\u{3}abc\0\0\0\u{1}z",
            ];
            paths.map(|path| path.as_bytes().to_vec()).to_vec()
        },
    },
];

const BLOCKS: u64 = 6;

/// The files of a folder, by name.
struct Image {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// State roots by height; empty for a log.
    roots: Vec<[u8; 32]>,
}

impl Image {
    fn read(dir: &Path, roots: Vec<[u8; 32]>) -> Self {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir).expect("readable") {
            let path = entry.expect("readable").path();
            let name = PathBuf::from(path.file_name().expect("a name"));
            let is_lock = name.as_os_str().eq_ignore_ascii_case("lock");
            if !is_lock {
                files.push((name, std::fs::read(path).expect("readable")));
            }
        }
        files.sort();
        Self { files, roots }
    }

    /// Writes the files, one of them changed: byte 0 of `data` chooses it, bytes 1 and 2 the place; the rest is written there, and if
    /// there is none the file ends there.
    fn write_damaged(&self, dir: &Path, data: &[u8]) {
        for (name, bytes) in &self.files {
            std::fs::write(dir.join(name), bytes).expect("written");
        }
        let Some((head, rest)) = data.split_first_chunk::<3>() else {
            return;
        };
        let (name, bytes) = &self.files[usize::from(head[0]) % self.files.len()];
        let mut bytes = bytes.clone();
        let at = usize::from(u16::from_be_bytes([head[1], head[2]])) % (bytes.len() + 1);
        if rest.is_empty() {
            bytes.truncate(at);
        } else {
            bytes.resize(bytes.len().max(at + rest.len()), 0);
            bytes[at..at + rest.len()].copy_from_slice(rest);
        }
        std::fs::write(dir.join(name), bytes).expect("written");
    }
}

/// Damages that a run starts from: the ends of each file, torn, and pieces of it written elsewhere.
fn damages(files: &[(PathBuf, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![]];
    for (number, (_, bytes)) in files.iter().enumerate() {
        let head = |at: usize| {
            let at = (at as u16).to_be_bytes();
            vec![number as u8, at[0], at[1]]
        };
        let len = bytes.len();
        for at in [0, len / 3, len / 2, len - len.min(1), len] {
            seeds.push(head(at));
            seeds.push([head(at), vec![0xff]].concat());
            seeds.push([head(at), bytes[..len.min(80)].to_vec()].concat());
        }
    }
    seeds
}

fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().expect("a temporary folder")
}

fn log_options() -> LogOptions {
    LogOptions {
        segment_bytes_max: 600,
        reserve_bytes: 0,
        ..LogOptions::default()
    }
}

fn block(height: u64) -> (Vec<u8>, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let entries = (0..=height % 3).map(|n| vec![height as u8; 20 + n as usize]);
    let records = (0..=height % 3).map(|n| vec![n as u8, height as u8]);
    (
        format!("header {height}").into_bytes(),
        entries.collect(),
        records.collect(),
    )
}

fn log_image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = folder();
        let mut log = EntryLog::open(folder.path(), log_options()).expect("a new log");
        for height in 0..BLOCKS {
            let (header, entries, records) = block(height);
            log.append(Height::new(height), &header, &entries, &records)
                .expect("appended");
            log.sync().expect("synced");
        }
        drop(log);
        let image = Image::read(folder.path(), Vec::new());
        assert!(image.files.len() >= 3, "an index and several segments");
        image
    })
}

/// A log with a damaged file opens with the blocks that were written, from the first on, or not at all.
pub fn log_frame_recovery(data: &[u8]) {
    let folder = folder();
    log_image().write_damaged(folder.path(), data);
    let Ok(log) = EntryLog::open(folder.path(), log_options()) else {
        return;
    };
    let reader = log.reader();
    // The index lists all blocks, unless it is what was damaged; then the segments still have them all.
    assert_eq!(reader.blocks_count(), BLOCKS, "final blocks are gone");
    for (height, found) in reader.blocks(Height::new(0)).enumerate() {
        // Opening does not read every block: damage within one is an error when it is read.
        let Ok(found) = found else { return };
        let (header, entries, records) = block(height as u64);
        assert_eq!(found.header(), header);
        let items: Vec<_> = found.items().collect();
        assert_eq!(items.len(), entries.len());
        for ((entry, record), wanted) in items.iter().zip(entries.iter().zip(&records)) {
            assert_eq!((*entry, *record), (&wanted.0[..], &wanted.1[..]));
        }
    }
}

fn state_options() -> StateOptions {
    let mut options = StateOptions::default();
    options.segment_bytes = 400;
    options.threads = 1;
    options
}

fn state_key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

fn state_image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = folder();
        let state = State::create(folder.path(), state_options()).expect("a new state");
        let mut roots = Vec::new();
        for height in 0..BLOCKS {
            let keys: Vec<_> = (0..4).map(|n| state_key(height + n)).collect();
            let value = [height as u8; 30];
            let changes: Vec<_> = keys
                .iter()
                .map(|key| Change {
                    path: state_path("trace", key),
                    register: "trace",
                    key,
                    value: (key != &state_key(2)).then_some(&value[..]),
                })
                .collect();
            roots.push(state.apply(height, &changes).expect("applied"));
            if height == 3 {
                state.checkpoint().expect("a checkpoint");
            }
        }
        // As a crash leaves it: frames after the last checkpoint.
        let image = Image::read(folder.path(), roots);
        drop(state);
        assert!(image.files.len() >= 4, "manifest, checkpoint and segments");
        image
    })
}

/// A state with a damaged file opens at one of the heights that it had, with the root of that height, or not at all; its values
/// are the ones that were written or an error.
pub fn state_open(data: &[u8]) {
    let image = state_image();
    let folder = folder();
    image.write_damaged(folder.path(), data);
    let Ok((state, report)) = State::open(folder.path(), state_options()) else {
        return;
    };
    let Some(height) = report.height else {
        assert_eq!(state.root(), [0; 32]);
        return;
    };
    assert_eq!(
        state.root(),
        image.roots[height as usize],
        "height {height}"
    );
    for number in 0..BLOCKS + 4 {
        let path = state_path("trace", &state_key(number));
        match state.prove(&path) {
            Ok(proven) => {
                let hash = proven.value.as_deref().map(value_hash);
                let verified = proven.proof.verify(&state.root(), &path, hash.as_ref());
                verified.expect("a proof that is given out is valid");
            }
            Err(StateError::Corrupt { .. } | StateError::Io { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A tile has one path, a bundle one encoding.
pub fn tile_path(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(path) = TilePath::parse(text)
    {
        assert_eq!(path.to_string(), text);
    }
    if let Ok(records) = parse_bundle(data) {
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend_from_slice(&(record.len() as u16).to_be_bytes());
            bytes.extend_from_slice(record);
        }
        assert_eq!(bytes, data);
    }
}
