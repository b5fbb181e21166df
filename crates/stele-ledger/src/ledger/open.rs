//! Creating, opening and closing a ledger; bringing the state up to the log.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use parking_lot::{Condvar, Mutex, RwLock};
use stele_core::block::{BlockHeader, Certificate};
use stele_core::genesis::{GENESIS_BYTES_MAX, Genesis};
use stele_core::id::{BlockHash, Hash, Height, KeyId, LogIndex, NetworkId};
use stele_core::machine::{Fault, Refusal, StateMachine, Upgrade};
use stele_core::merkle;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::{PublicKey, SigningKey};

use super::admission::KeyCache;
use super::execute::{ExecutedBlock, Executor, execute_loop};
use super::order::{Certifier, Member, OrderedBlock, order_loop};
use super::persist::{Persister, persist_loop};
use super::prepare::{PREPARED_MAX, PreparedBlock, prepare_loop};
use super::stats::{LedgerStats, StatsSnapshot};
use super::submit::{Pending, verify_loop};
use super::{Head, LedgerError, LedgerOptions, Threads, recover};
use crate::disk::free_bytes;
use crate::log::{EntryLog, LogOptions, LogReader, TreeReader, TreeStore};
use crate::snapshot;
use crate::state::State;

/// How many executed blocks may wait to be made durable.
const BLOCKS_AHEAD_MAX: usize = 2;
/// How often free space is looked up.
const DISK_CHECK_EVERY: Duration = Duration::from_millis(200);

/// Called with each new head.
type Watcher = Box<dyn Fn(&Head) + Send + Sync>;

/// What all threads of a ledger share.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: LedgerOptions,
    pub(super) genesis: Genesis,
    pub(super) network: NetworkId,
    pub(super) machine: Arc<dyn StateMachine>,
    pub(super) role: Role,
    pub(super) state: Arc<State>,
    pub(super) log: LogReader,
    pub(super) tree: TreeReader,
    pub(super) keys: KeyCache,
    pub(super) stats: LedgerStats,
    pub(super) head: RwLock<Head>,
    pub(super) head_moved: (Mutex<u64>, Condvar),
    pub(super) watchers: Mutex<Vec<Watcher>>,
    /// Bytes of entries taken in and not executed yet.
    pub(super) waiting_bytes: Arc<AtomicUsize>,
    pub(super) log_waits_for_space: AtomicBool,
    pub(super) state_waits_for_space: AtomicBool,
    /// Why the last move into the archive failed.
    pub(super) archive_fault: Mutex<Option<String>>,
    /// Set when the ledger is dropped: nothing waits for disk space any more.
    pub(super) closing: AtomicBool,
    halted: Mutex<Option<Halted>>,
    disk: Mutex<(Option<Instant>, u64)>,
}

/// Who orders and signs.
pub(super) enum Role {
    /// This node alone.
    Alone(Arc<SigningKey>),
    /// A network.
    Member(Box<Member>),
}

/// What the stages work on when no thread of their own does.
pub(super) struct Inline {
    pub(super) executor: Executor,
    pub(super) persister: Persister,
}

/// What opening a ledger had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Final blocks in the log, block 0 included.
    pub blocks: u64,
    /// Final entries in the log.
    pub entries: u64,
    /// Blocks executed again to bring the state up to the log.
    pub blocks_executed_again: u64,
    /// Bytes of a torn, never final block cut from the end of the log.
    pub torn_bytes: u64,
}

/// An open ledger. Dropping it finishes what waits, takes a checkpoint and closes the files.
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Option<Sender<Pending>>,
    pub(super) ordered: Option<Sender<OrderedBlock>>,
    pub(super) certified: Option<Sender<ExecutedBlock>>,
    /// With [`Threads::Caller`]: the stages' own state.
    pub(super) inline: Option<Mutex<Inline>>,
    threads: Vec<JoinHandle<()>>,
    recovered: Recovered,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("dir", &self.shared.dir)
            .finish_non_exhaustive()
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io {
        action,
        path,
        source,
    }
}

impl Ledger {
    /// Whether there is a ledger in this folder.
    pub fn exists(dir: &Path) -> bool {
        dir.join("genesis.cbor").exists()
    }

    /// Writes the genesis and block 0 into an empty folder. `signer` is the network key.
    ///
    /// # Errors
    /// [`LedgerError`]; what was begun is taken up again by another `create` of the same genesis.
    pub fn create(
        dir: &Path,
        genesis: &Genesis,
        machine: &dyn StateMachine,
        signer: &SigningKey,
    ) -> Result<(), LedgerError> {
        if signer.public().kid() != genesis.network_key.kid() {
            return Err(LedgerError::WrongNetworkKey);
        }
        let mut certificate = Self::block_zero(genesis, machine)?;
        certificate.signature = signer.sign(&certificate.message());
        Self::create_certified(dir, genesis, machine, &certificate)
    }

    /// Block 0 of a genesis, without the network's signature.
    ///
    /// # Errors
    /// [`LedgerError::Genesis`].
    pub fn block_zero(
        genesis: &Genesis,
        machine: &dyn StateMachine,
    ) -> Result<Certificate, LedgerError> {
        let (root, _) = recover::genesis_state(machine, genesis)?;
        let header = BlockHeader {
            alg: 0,
            kid: KeyId::from_bytes([0; 32]),
            network: genesis.network_id(),
            height: Height::new(0),
            time: genesis.time,
            previous: BlockHash::from_bytes([0; 32]),
            tree_size: LogIndex::new(0),
            state_root: Hash::from_bytes(root),
        };
        let log_root = Hash::from_bytes(merkle::empty_root());
        Ok(Certificate::unsigned(
            header,
            log_root,
            &genesis.network_key,
        ))
    }

    /// As [`Ledger::create`], with block 0 signed by a network's founders.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::WrongNetworkKey`] if the certificate is not block 0 of this genesis under its network key.
    pub fn create_certified(
        dir: &Path,
        genesis: &Genesis,
        machine: &dyn StateMachine,
        certificate: &Certificate,
    ) -> Result<(), LedgerError> {
        if Self::exists(dir) {
            return Err(LedgerError::Exists(dir.to_owned()));
        }
        if snapshot::is_begun(dir) {
            return Err(LedgerError::Restoring(dir.to_owned()));
        }
        let expected = Self::block_zero(genesis, machine)?;
        if (&certificate.header, certificate.log_root) != (&expected.header, expected.log_root)
            || certificate.verify(&genesis.network_key).is_err()
        {
            return Err(LedgerError::WrongNetworkKey);
        }
        if dir.join("tree").exists() {
            return Err(genesis_is_gone(dir));
        }
        fs::create_dir_all(dir).map_err(io("create", dir))?;
        let mut log = begin_log(&dir.join("log"), genesis)?;
        if log.next_height() == Height::new(0) {
            log.append(
                Height::new(0),
                &certificate.encode(),
                &[] as &[&[u8]],
                &[] as &[&[u8]],
            )?;
            log.sync()?;
        }
        write_genesis(dir, genesis)
    }

    /// Opens a ledger: cuts what was never final, brings tree and state up to the log, starts the threads.
    ///
    /// # Errors
    /// [`LedgerError`] names the damaged file; [`LedgerError::hint`] the repair.
    pub fn open(
        dir: &Path,
        machine: Arc<dyn StateMachine>,
        signer: SigningKey,
        options: LedgerOptions,
    ) -> Result<Self, LedgerError> {
        let genesis = Self::read_genesis(dir)?;
        Self::open_as(
            dir,
            genesis,
            machine,
            Role::Alone(Arc::new(signer)),
            options,
        )
    }

    /// Opens a ledger whose entries a network orders and whose blocks it signs.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_network(
        dir: &Path,
        machine: Arc<dyn StateMachine>,
        certifier: Arc<dyn Certifier>,
        options: LedgerOptions,
    ) -> Result<Self, LedgerError> {
        let genesis = Self::read_genesis(dir)?;
        Self::open_as(
            dir,
            genesis,
            machine,
            Role::Member(Box::new(Member::new(certifier))),
            options,
        )
    }

    fn open_as(
        dir: &Path,
        genesis: Genesis,
        machine: Arc<dyn StateMachine>,
        role: Role,
        options: LedgerOptions,
    ) -> Result<Self, LedgerError> {
        snapshot::clear_leftovers(dir)?;
        let log = EntryLog::open(&dir.join("log"), options.log.clone())?;
        let reader = log.reader();
        let head = last_certificate(&reader)?;
        // Before the key is judged: in a damaged genesis it may be the key that is wrong.
        check_network(dir, &genesis, &head)?;
        if let Role::Alone(signer) = &role
            && signer.public().kid() != genesis.network_key.kid()
        {
            return Err(LedgerError::WrongNetworkKey);
        }
        let tree = open_tree(dir, &reader, &head)?;
        let (state, blocks_executed_again) =
            recover::open_state(dir, &reader, &genesis, &*machine, &head, &options)?;
        let replay = recover::replay_window(&reader, &head)?;
        let recovered = Recovered {
            blocks: reader.blocks_count(),
            entries: reader.entries_count(),
            blocks_executed_again,
            torn_bytes: log.report().torn_bytes_cut,
        };
        let head = Head::new(head);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            network: genesis.network_id(),
            genesis,
            machine,
            role,
            state: Arc::new(state),
            log: reader,
            tree: tree.reader(),
            keys: KeyCache::default(),
            stats: LedgerStats::default(),
            head_moved: (Mutex::new(head.height().get()), Condvar::new()),
            head: RwLock::new(head.clone()),
            watchers: Mutex::default(),
            waiting_bytes: Arc::default(),
            log_waits_for_space: AtomicBool::new(false),
            state_waits_for_space: AtomicBool::new(false),
            archive_fault: Mutex::new(None),
            closing: AtomicBool::new(false),
            halted: Mutex::new(None),
            disk: Mutex::new((None, u64::MAX)),
            options,
        });
        let frontier = merkle::Frontier::from_source(&shared.tree, head.log_size().get())?;
        let executor = Executor {
            head,
            replay,
            frontier,
        };
        let persister = Persister::new(&shared, log, tree);
        Ok(Self::start(shared, executor, persister, recovered))
    }

    fn start(
        shared: Arc<Shared>,
        executor: Executor,
        persister: Persister,
        recovered: Recovered,
    ) -> Self {
        if shared.options.threads == Threads::Caller {
            assert!(
                shared.member().is_some(),
                "only a network drives a ledger without threads"
            );
            return Self {
                shared,
                queue: None,
                ordered: None,
                certified: None,
                inline: Some(Mutex::new(Inline {
                    executor,
                    persister,
                })),
                threads: Vec::new(),
                recovered,
            };
        }
        let (queue, waiting) = bounded::<Pending>(shared.options.queue_entries_max);
        let (verified, admitted) = bounded::<Pending>(shared.options.queue_entries_max);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let builder = std::thread::Builder::new().name(format!("stele-{name}"));
            builder.spawn(work).expect("the system starts a thread")
        };
        let (mut ordered, mut certified, mut preparing) = (None, None, None);
        let (verified, execute, to_persist): (_, Box<dyn FnOnce() + Send>, _) = match &shared.role {
            Role::Alone(signer) => {
                let (signer, shared) = (Arc::clone(signer), Arc::clone(&shared));
                let (executed, to_persist) = bounded::<ExecutedBlock>(BLOCKS_AHEAD_MAX);
                let work = move || execute_loop(&shared, &signer, executor, &admitted, &executed);
                (Some(verified), Box::new(work), to_persist)
            }
            Role::Member(_) => {
                let shared = Arc::clone(&shared);
                let (order, in_order) = unbounded::<OrderedBlock>();
                // How many blocks are certified and not durable is bounded by whoever orders them.
                let (executed, to_persist) = unbounded::<ExecutedBlock>();
                let (prepared, to_execute) = bounded::<PreparedBlock>(PREPARED_MAX);
                (ordered, certified) = (Some(order), Some(executed.clone()));
                preparing = Some({
                    let shared = Arc::clone(&shared);
                    move || {
                        let member = shared.member().expect("checked above");
                        prepare_loop(&shared, member, &in_order, &prepared);
                    }
                });
                let work = move || {
                    let member = shared.member().expect("checked above");
                    order_loop(&shared, member, executor, &to_execute, &executed);
                };
                (None, Box::new(work), to_persist)
            }
        };
        let mut threads = vec![
            spawn("verify", {
                let shared = Arc::clone(&shared);
                Box::new(move || verify_loop(&shared, &waiting, verified.as_ref()))
            }),
            spawn("execute", execute),
            spawn("persist", {
                let shared = Arc::clone(&shared);
                Box::new(move || persist_loop(&shared, persister, &to_persist))
            }),
        ];
        if let Some(work) = preparing {
            threads.push(spawn("prepare", Box::new(work)));
        }
        Self {
            shared,
            queue: Some(queue),
            ordered,
            certified,
            inline: None,
            threads,
            recovered,
        }
    }

    /// Reads the genesis of a folder.
    ///
    /// # Errors
    /// [`LedgerError::Missing`], [`LedgerError::Damaged`].
    pub fn read_genesis(dir: &Path) -> Result<Genesis, LedgerError> {
        let path = dir.join("genesis.cbor");
        if !path.exists() {
            return Err(if snapshot::is_begun(dir) {
                LedgerError::Restoring(dir.to_owned())
            } else if dir.join("tree").exists() {
                genesis_is_gone(dir)
            } else {
                LedgerError::Missing(dir.to_owned())
            });
        }
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let damaged = |reason: String| LedgerError::Damaged {
            what: path.display().to_string(),
            reason,
        };
        if bytes.len() > GENESIS_BYTES_MAX {
            return Err(damaged("it is larger than any genesis".to_owned()));
        }
        Genesis::decode(&bytes).map_err(|error| damaged(error.to_string()))
    }

    /// What opening had to do.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.shared.genesis
    }

    /// What a verifier keeps of this network.
    pub fn descriptor(&self) -> NetworkDescriptor {
        NetworkDescriptor::of_genesis(&self.shared.genesis)
    }

    /// The counters.
    pub fn stats(&self) -> StatsSnapshot {
        self.shared.stats.snapshot()
    }

    /// Whether it was opened to be read only.
    pub fn is_read_only(&self) -> bool {
        self.shared.options.read_only
    }

    /// Versions of registers that judge from a coming height on and that this program lacks, by height. Of registers that the program
    /// does not know at all it looks at those in `also` alone.
    ///
    /// # Errors
    /// [`Fault`] when the state cannot be read.
    pub fn upgrades_due(&self, also: &[&str]) -> Result<Vec<Upgrade>, Fault> {
        let shared = &self.shared;
        let next = shared.head.read().height().next();
        shared.machine.missing_versions(&*shared.state, next, also)
    }

    /// Why nothing new is taken in, if so: read-only, halted, or out of space. Reads go on.
    pub fn refusing(&self) -> Option<Refusal> {
        self.shared.check_accepting().err()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        // Closing the queue ends the threads one after the other, each after it has finished what waits.
        self.queue = None;
        self.ordered = None;
        self.certified = None;
        if let Some(member) = self.shared.member() {
            member.close();
        }
        if let Some(inline) = self.inline.take() {
            inline.into_inner().persister.close(&self.shared);
        }
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "a ledger thread broke its own invariant"
            );
        }
    }
}

impl Shared {
    /// What a ledger in a network has besides.
    pub(super) fn member(&self) -> Option<&Member> {
        match &self.role {
            Role::Alone(_) => None,
            Role::Member(member) => Some(member),
        }
    }

    /// The network key, where this node holds it alone.
    pub(super) fn signer(&self) -> Option<&SigningKey> {
        match &self.role {
            Role::Alone(signer) => Some(signer),
            Role::Member(_) => None,
        }
    }

    /// Halts because the network signed another result than ours.
    pub(super) fn halt_diverged(&self, height: Height) -> Refusal {
        self.halt(&format!(
            "the network has another result for block {height} than this node; compare the versions of the programs"
        ))
    }

    /// Stops taking entries for good: the state in memory is no longer what the log says. Reads go on.
    pub(super) fn halt(&self, reason: &str) -> Refusal {
        self.halt_for(Halted::Broken(reason.to_owned()))
    }

    /// As [`Shared::halt`], for this cause. The first one counts.
    pub(super) fn halt_for(&self, cause: Halted) -> Refusal {
        self.halted.lock().get_or_insert(cause);
        if let Some(member) = self.member() {
            let reason = match &*self.halted.lock() {
                Some(Halted::Broken(reason)) => reason.clone(),
                Some(Halted::DiskFull) => "the disk was full when it was closed".to_owned(),
                _ => "the next block needs a newer program".to_owned(),
            };
            member.abandon(self, &reason);
        }
        self.refuse_halted()
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.lock().is_some()
    }

    pub(super) fn refuse_halted(&self) -> Refusal {
        let reason = match &*self.halted.lock() {
            Some(Halted::Upgrade(upgrade)) => return refuse_upgrade(upgrade),
            Some(Halted::DiskFull) => return self.refuse_disk_full(),
            Some(Halted::Broken(reason)) => reason.clone(),
            None => "it is shutting down".to_owned(),
        };
        Refusal::new(
            "node.halted",
            format!("The node takes no new entries: {reason}."),
            "Reads go on. Restart the node; `stele doctor` names what is wrong.",
        )
    }

    pub(super) fn check_accepting(&self) -> Result<(), Refusal> {
        if self.options.read_only {
            return Err(Refusal::new(
                "node.read-only",
                "The node was started read-only: it takes no entries and has no part in the network.",
                "Submit to another node, or start this one without --read-only.",
            ));
        }
        if self.is_halted() {
            return Err(self.refuse_halted());
        }
        let free = self.free_bytes();
        let waits = [&self.log_waits_for_space, &self.state_waits_for_space];
        if free < self.options.disk_reserve_bytes
            || waits.iter().any(|waits| waits.load(Ordering::Relaxed))
        {
            return Err(self.refuse_full(free));
        }
        Ok(())
    }

    /// The refusal for lack of disk space.
    pub(super) fn refuse_disk_full(&self) -> Refusal {
        self.refuse_full(self.free_bytes())
    }

    fn refuse_full(&self, free: u64) -> Refusal {
        let reserve = self.options.disk_reserve_bytes;
        Refusal::new(
            "node.disk-full",
            format!(
                "The disk has {} MiB left; the node keeps {} MiB in reserve.",
                free >> 20,
                reserve >> 20
            ),
            "Reads go on. Free some space; the node then takes entries again by itself.",
        )
    }

    fn free_bytes(&self) -> u64 {
        let mut disk = self.disk.lock();
        if disk.0.is_none_or(|at| at.elapsed() >= DISK_CHECK_EVERY) {
            *disk = (
                Some(Instant::now()),
                free_bytes(&self.dir).unwrap_or(u64::MAX),
            );
        }
        disk.1
    }

    /// Keeps the key cache in step with what an entry did: keys that applied are ready for the next entry, and a key that is
    /// refused now is looked up again.
    pub(super) fn note_keys(&self, keys: &[PublicKey], refusal: Option<&Refusal>) {
        match refusal {
            None => keys.iter().for_each(|key| self.keys.note(key)),
            Some(refusal) if refusal.code.starts_with("identity.") => {
                keys.iter().for_each(|key| self.keys.remove(&key.kid()));
            }
            Some(_) => {}
        }
    }
}

/// The last step of making a ledger: from here on there is one in the folder.
pub(crate) fn write_genesis(dir: &Path, genesis: &Genesis) -> Result<(), LedgerError> {
    write_durably(&dir.join("genesis.cbor"), &genesis.encode())
}

/// Why a ledger has halted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halted {
    /// Something is wrong.
    Broken(String),
    /// The disk was full when the ledger was closed: what waits is refused.
    DiskFull,
    /// The next block is judged by a version that this program lacks. Nothing is wrong.
    Upgrade(Upgrade),
}

fn refuse_upgrade(upgrade: &Upgrade) -> Refusal {
    let Upgrade {
        register,
        version,
        height,
    } = upgrade;
    Refusal::new(
        "node.upgrade-needed",
        format!(
            "From block {height} on the network judges by version {version} of the register {register}, which this program lacks; it \
             has stopped before that block."
        ),
        "Reads go on, and nothing is lost. Install a program that has this version and start the node again; it goes on by itself.",
    )
}

/// The tree's folder is made when a ledger is opened first, so this is not what an interrupted [`Ledger::create`] leaves.
fn genesis_is_gone(dir: &Path) -> LedgerError {
    LedgerError::Damaged {
        what: dir.join("genesis.cbor").display().to_string(),
        reason: "it is missing, and a ledger that was in use lies beside it".to_owned(),
    }
}

/// Opens the log of a ledger that is being created. Block 0 of another genesis is the rest of an earlier attempt that was cut
/// short; there can be nothing else in such a log.
fn begin_log(dir: &Path, genesis: &Genesis) -> Result<EntryLog, LedgerError> {
    let log = EntryLog::open(dir, LogOptions::default())?;
    let reader = log.reader();
    let blocks = reader.blocks_count();
    if blocks == 0 {
        return Ok(log);
    }
    let network = certificate_at(&reader, Height::new(0))?.header.network;
    if network == genesis.network_id() {
        return Ok(log);
    }
    if blocks > 1 {
        return Err(LedgerError::Exists(dir.to_owned()));
    }
    drop((reader, log));
    fs::remove_dir_all(dir).map_err(io("remove", dir))?;
    Ok(EntryLog::open(dir, LogOptions::default())?)
}

/// A genesis of another network beside this log would sign and refuse in the wrong name.
pub(crate) fn check_network(
    dir: &Path,
    genesis: &Genesis,
    certificate: &Certificate,
) -> Result<(), LedgerError> {
    if certificate.header.network == genesis.network_id() {
        return Ok(());
    }
    Err(LedgerError::Damaged {
        what: dir.join("genesis.cbor").display().to_string(),
        reason: format!(
            "it is the genesis of network {}, the log belongs to network {}",
            genesis.network_id(),
            certificate.header.network
        ),
    })
}

fn last_certificate(log: &LogReader) -> Result<Certificate, LedgerError> {
    let blocks = log.blocks_count();
    if blocks == 0 {
        let reason = "it holds no block, not even block 0".to_owned();
        return Err(LedgerError::Damaged {
            what: "the log".to_owned(),
            reason,
        });
    }
    certificate_at(log, Height::new(blocks - 1))
}

/// The certificate of a final block.
pub(crate) fn certificate_at(log: &LogReader, height: Height) -> Result<Certificate, LedgerError> {
    Certificate::decode(&log.header(height)?).map_err(|error| LedgerError::Damaged {
        what: format!("the certificate of block {height}"),
        reason: error.to_string(),
    })
}

fn open_tree(dir: &Path, log: &LogReader, head: &Certificate) -> Result<TreeStore, LedgerError> {
    let dir = dir.join("tree");
    let tree = TreeStore::open(&dir, log)?;
    if tree.root() == *head.log_root.as_bytes() {
        return Ok(tree);
    }
    // The tree is derived, so a wrong one is simply computed again.
    drop(tree);
    let tree = TreeStore::rebuild(&dir, log, |_, _| {})?;
    if tree.root() == *head.log_root.as_bytes() {
        return Ok(tree);
    }
    Err(LedgerError::Damaged {
        what: "the log".to_owned(),
        reason: "its records do not have the root that the last certificate signs".to_owned(),
    })
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(io("create", &temporary))?;
    file.write_all(bytes).map_err(io("write", &temporary))?;
    file.sync_all().map_err(io("sync", &temporary))?;
    fs::rename(&temporary, path).map_err(io("rename", &temporary))?;
    let dir = path.parent().expect("a file in a folder");
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("sync", dir))
}
