//! Snapshots that this node makes while it runs, for new nodes to begin from.
//!
//! They lie in `snapshots/` of the home, named by height; the newest two are kept, so that a node that fetches one can finish it after
//! the next was made. Nothing in a snapshot has to be believed: whoever takes it checks it under the network key.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use stele_ledger::ledger::Ledger;
use stele_ledger::snapshot::{SnapshotError, SnapshotSource};

/// How many are kept.
const KEPT: usize = 2;
/// How often the node looks whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const ENDING: &str = "snapshot";

/// The snapshots of this node, and the thread that makes them.
pub struct Snapshots {
    offered: Arc<Offered>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Offered {
    sources: Mutex<Vec<Arc<SnapshotSource>>>,
    stop: AtomicBool,
    bell: (Mutex<()>, Condvar),
}

impl Offered {
    fn sources(&self) -> std::sync::MutexGuard<'_, Vec<Arc<SnapshotSource>>> {
        // A list of files stays one whatever a thread did that held it.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshots {
    /// Offers what lies in `dir`, and makes another one whenever `every` blocks have become final since the newest; 0 makes none.
    pub fn start(dir: PathBuf, ledger: &Arc<Ledger>, every: u64) -> Self {
        let offered = Arc::new(Offered::default());
        *offered.sources() = read(&dir);
        let thread = (every > 0).then(|| {
            let (offered, ledger) = (Arc::clone(&offered), Arc::clone(ledger));
            let work = move || make_when_due(&dir, &ledger, every, &offered);
            std::thread::Builder::new()
                .name("stele-snapshots".to_owned())
                .spawn(work)
                .expect("the system starts a thread")
        });
        Self { offered, thread }
    }

    /// The newest.
    pub fn newest(&self) -> Option<Arc<SnapshotSource>> {
        self.offered.sources().last().cloned()
    }

    /// The one with this id.
    pub fn find(&self, id: &[u8; 32]) -> Option<Arc<SnapshotSource>> {
        let sources = self.offered.sources();
        sources
            .iter()
            .find(|source| source.manifest().id() == *id)
            .cloned()
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.offered.stop.store(true, Ordering::Release);
        self.offered.bell.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The snapshots in a folder, ascending by height. A file that is none is left alone and not offered.
fn read(dir: &Path) -> Vec<Arc<SnapshotSource>> {
    let Ok(files) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut sources: Vec<_> = files
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .filter_map(|path| match SnapshotSource::open(&path) {
            Ok(source) => Some(Arc::new(source)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a snapshot cannot be offered");
                None
            }
        })
        .collect();
    sources.sort_by_key(|source| source.manifest().height());
    sources
}

fn make_when_due(dir: &Path, ledger: &Ledger, every: u64, offered: &Offered) {
    while !offered.stop.load(Ordering::Acquire) {
        let newest = offered
            .sources()
            .last()
            .map_or(0, |source| source.manifest().height().get());
        if ledger.head().height().get() >= newest + every
            && let Err(error) = make(dir, ledger, offered)
        {
            tracing::warn!(%error, "a snapshot could not be made; it is tried again");
        }
        let (lock, bell) = &offered.bell;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = bell.wait_timeout(guard, LOOK_EVERY);
    }
}

fn make(dir: &Path, ledger: &Ledger, offered: &Offered) -> Result<(), SnapshotError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| {
            SnapshotError::from(stele_ledger::ledger::LedgerError::Io {
                action: "write",
                path,
                source,
            })
        }
    };
    fs::create_dir_all(dir).map_err(io(dir))?;
    let fresh = dir.join("next.making");
    // The rest of one that was cut short.
    let _ = fs::remove_file(&fresh);
    let height = ledger.export_snapshot(&fresh)?.manifest().height();
    let path = dir.join(format!("{:012}.{ENDING}", height.get()));
    fs::rename(&fresh, &path).map_err(io(&path))?;
    let source = Arc::new(SnapshotSource::open(&path)?);
    tracing::info!(%height, bytes = source.manifest().bytes(), "a snapshot is offered to new nodes");
    let mut sources = offered.sources();
    sources.push(source);
    let surplus = sources.len().saturating_sub(KEPT);
    for old in sources.drain(..surplus) {
        // Whoever reads it now keeps the open file.
        let _ = fs::remove_file(old.path());
    }
    Ok(())
}
