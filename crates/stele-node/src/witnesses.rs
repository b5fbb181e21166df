//! The log's outside witnesses, as this node asks them (docs/design/0009-witnesses.md).
//!
//! Once a second at most, while the log grows, the newest checkpoint becomes the *target*. One thread for each witness
//! takes the newest target when it is free, proves that the log continues what the witness cosigned last, and keeps the
//! cosignature. A witness that is slow or down skips targets and holds up nobody.
//!
//! A cosignature covers one tree size. So a receipt is cut under the newest cosigned block that covers its entry, the one with
//! the most cosignatures first, and not under the entry's own block: entries of all blocks in between get witnesses too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};
use stele_core::block::Certificate;
use stele_core::id::{Height, LogIndex};
use stele_core::merkle::checkpoint::{Note, NoteSignature};
use stele_core::suite::{SigningKey, Suite};
use stele_core::witness::{AddCheckpoint, WitnessKey};
use stele_ledger::ledger::Ledger;
use stele_witness::{ClientError, WitnessClient};

/// Between two targets, at least.
const TARGET_EVERY: Duration = Duration::from_secs(1);
/// After a failure: this long at first, then twice as long each time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// Cosigned checkpoints kept; a witness that is more behind helps no receipt.
const COSIGNED_MAX: usize = 16;
/// How often one target is sent to one witness: with what we believe, and with what it answers then.
const TRIES_MAX: usize = 3;

/// A witness to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessEndpoint {
    /// Its submission prefix, `http://` and an address.
    pub url: String,
    /// Its key.
    pub key: WitnessKey,
}

/// How one witness does.
#[derive(Debug, Clone)]
pub struct WitnessState {
    /// Its address.
    pub url: String,
    /// Its key.
    pub key: WitnessKey,
    /// The size that it cosigned last for us, and when, in seconds since 1970.
    pub cosigned: Option<(u64, u64)>,
    /// Why it gave nothing the last time; `None` when it did, or was not asked yet.
    pub problem: Option<String>,
}

/// A checkpoint and who cosigned it.
#[derive(Debug, Clone)]
pub struct CosignedCheckpoint {
    /// The certificate of a block with this log.
    pub certificate: Certificate,
    /// The lines, by the witness's place in the list of endpoints.
    lines: Vec<(usize, NoteSignature)>,
}

impl CosignedCheckpoint {
    fn size(&self) -> u64 {
        self.certificate.header.tree_size.get()
    }

    fn witness_lines(&self) -> Vec<String> {
        let text = |(_, line): &(usize, NoteSignature)| line.line().expect("read from a line");
        self.lines.iter().map(text).collect()
    }
}

/// The witnesses of a node's log. Dropping it ends its threads.
pub struct Witnesses {
    shared: Arc<Shared>,
    coordinator: Option<JoinHandle<()>>,
}

struct Shared {
    /// Taken away when the node stops, so that no thread keeps the ledger open.
    ledger: RwLock<Option<Arc<Ledger>>>,
    key: Arc<SigningKey>,
    clients: Vec<WitnessClient>,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// The newest block.
    head: Option<Certificate>,
    /// What the witnesses are asked to cosign, and its number.
    target: Option<(u64, Certificate)>,
    /// In ascending order of size.
    cosigned: VecDeque<CosignedCheckpoint>,
    cosigned_last: Vec<Option<(u64, u64)>>,
    problems: Vec<Option<String>>,
}

impl Witnesses {
    /// Starts to ask these witnesses; none at all is fine.
    pub fn start(
        ledger: &Arc<Ledger>,
        key: Arc<SigningKey>,
        endpoints: &[WitnessEndpoint],
    ) -> Self {
        let clients: Vec<_> = endpoints
            .iter()
            .map(|one| WitnessClient::new(&one.url, one.key.clone()))
            .collect();
        let state = State {
            head: Some(ledger.head().certificate),
            cosigned_last: vec![None; clients.len()],
            problems: vec![None; clients.len()],
            ..State::default()
        };
        let shared = Arc::new(Shared {
            ledger: RwLock::new((!clients.is_empty()).then(|| Arc::clone(ledger))),
            key,
            clients,
            state: Mutex::new(state),
            moved: Condvar::new(),
        });
        if shared.clients.is_empty() {
            return Self {
                shared,
                coordinator: None,
            };
        }
        let watcher = Arc::downgrade(&shared);
        ledger.on_head(move |head| {
            if let Some(shared) = watcher.upgrade() {
                shared.state.lock().head = Some(head.certificate.clone());
                shared.moved.notify_all();
            }
        });
        for number in 0..shared.clients.len() {
            let shared = Arc::clone(&shared);
            // Not joined: it may be waiting for an answer, and holds nothing meanwhile.
            spawn(format!("stele-witness-{number}"), move || {
                shared.ask(number)
            });
        }
        let coordinated = Arc::clone(&shared);
        Self {
            shared,
            coordinator: Some(spawn("stele-witnesses".to_owned(), move || {
                coordinated.set_targets()
            })),
        }
    }

    /// Ends the threads and lets go of the ledger.
    pub fn stop(&mut self) {
        self.shared.state.lock().stopped = true;
        self.shared.moved.notify_all();
        // Waits for proofs under way, not for answers of witnesses.
        self.shared.ledger.write().take();
        if let Some(coordinator) = self.coordinator.take() {
            let _ = coordinator.join();
        }
    }

    /// The block under which the receipt of an entry is best cut, and its witness lines; `None` when no cosigned block covers it.
    pub fn best_for(&self, index: LogIndex) -> Option<(Height, Vec<String>)> {
        let state = self.shared.state.lock();
        let best = state.best_for(index)?;
        Some((best.certificate.header.height, best.witness_lines()))
    }

    /// The witness lines of exactly this block's log, if there are any.
    pub fn lines_of(&self, certificate: &Certificate) -> Vec<String> {
        let state = self.shared.state.lock();
        let found = state.cosigned.iter().find(|one| {
            one.size() == certificate.header.tree_size.get()
                && one.certificate.log_root == certificate.log_root
        });
        found.map_or_else(Vec::new, CosignedCheckpoint::witness_lines)
    }

    /// The newest cosigned checkpoint: a certificate of its block, and the lines.
    pub fn newest(&self) -> Option<(Certificate, Vec<NoteSignature>)> {
        let state = self.shared.state.lock();
        let newest = state.cosigned.back()?;
        let lines = newest.lines.iter().map(|(_, line)| line.clone());
        Some((newest.certificate.clone(), lines.collect()))
    }

    /// How each witness does.
    pub fn states(&self) -> Vec<WitnessState> {
        let state = self.shared.state.lock();
        let of = |(number, client): (usize, &WitnessClient)| WitnessState {
            url: client.url().to_owned(),
            key: client.key().clone(),
            cosigned: state.cosigned_last[number],
            problem: state.problems[number].clone(),
        };
        self.shared.clients.iter().enumerate().map(of).collect()
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let thread = std::thread::Builder::new().name(name).spawn(work);
    thread.expect("the system starts a thread")
}

impl Shared {
    /// Makes the newest checkpoint the target whenever the log has grown, once in a while at most.
    fn set_targets(&self) {
        let mut state = self.state.lock();
        while !state.stopped {
            let size = |certificate: &Certificate| certificate.header.tree_size.get();
            let targeted = state.target.as_ref().map_or(0, |(_, target)| size(target));
            let Some(head) = state.head.clone().filter(|head| size(head) > targeted) else {
                self.moved.wait(&mut state);
                continue;
            };
            let number = state.target.as_ref().map_or(1, |(number, _)| number + 1);
            state.target = Some((number, head));
            self.moved.notify_all();
            self.pause(&mut state, TARGET_EVERY);
        }
    }

    /// Waits, unless everything is to end.
    fn pause(&self, state: &mut parking_lot::MutexGuard<'_, State>, time: Duration) {
        let deadline = Instant::now() + time;
        while !state.stopped {
            if self.moved.wait_until(state, deadline).timed_out() {
                break;
            }
        }
    }

    /// One witness's thread.
    fn ask(&self, number: usize) {
        let (mut done, mut known, mut retry) = (0, 0, RETRY_FIRST);
        loop {
            let target = {
                let mut state = self.state.lock();
                loop {
                    if state.stopped {
                        return;
                    }
                    match &state.target {
                        Some((target, certificate)) if *target > done => {
                            break (*target, certificate.clone());
                        }
                        _ => self.moved.wait(&mut state),
                    }
                }
            };
            let asked = self.cosign(number, &target.1, &mut known);
            let mut state = self.state.lock();
            match asked {
                Ok(Asked::Stopping) => return,
                Ok(Asked::Behind) => self.pause(&mut state, TARGET_EVERY),
                Ok(Asked::Cosigned(line, time)) => {
                    state.record(number, target.1, line, time);
                    (done, retry) = (target.0, RETRY_FIRST);
                }
                Err(problem) => {
                    let witness = self.clients[number].key().name();
                    tracing::warn!(witness, problem, "a witness gave no cosignature");
                    state.problems[number] = Some(problem);
                    self.pause(&mut state, retry);
                    retry = (retry * 2).min(RETRY_LAST);
                }
            }
        }
    }

    /// Asks one witness to cosign a checkpoint. `known` is the size that it cosigned last.
    fn cosign(
        &self,
        number: usize,
        certificate: &Certificate,
        known: &mut u64,
    ) -> Result<Asked, String> {
        let client = &self.clients[number];
        let size = certificate.header.tree_size.get();
        for _ in 0..TRIES_MAX {
            if *known > size {
                // Another node of the network showed it more than this target: the next one is ahead of it, most likely.
                // It is asked anew then, since its answer may have been a lie.
                *known = 0;
                return Ok(Asked::Behind);
            }
            let Some((note, proof)) = self.prove(certificate, *known, size)? else {
                return Ok(Asked::Stopping);
            };
            let request = AddCheckpoint {
                old_size: *known,
                proof,
                note,
            };
            match client.add_checkpoint(&request) {
                Ok((line, time)) => {
                    *known = size;
                    return Ok(Asked::Cosigned(line, time));
                }
                Err(ClientError::OtherSize { size: theirs }) if theirs != *known => *known = theirs,
                Err(error) => return Err(in_words(&error)),
            }
        }
        Err("the witness names another size each time".to_owned())
    }

    fn prove(
        &self,
        certificate: &Certificate,
        old: u64,
        size: u64,
    ) -> Result<Option<Proven>, String> {
        let ledger = self.ledger.read();
        let Some(ledger) = ledger.as_ref() else {
            return Ok(None);
        };
        let proof = if old == 0 || old == size {
            Vec::new()
        } else {
            let proven = ledger.tree().prove_consistency(old, size);
            proven.map_err(|error| error.to_string())?
        };
        Ok(Some((
            ledger.checkpoint_note(certificate, &self.key),
            proof,
        )))
    }
}

/// A checkpoint, and how it continues one before.
type Proven = (Note, Vec<[u8; 32]>);

/// What asking a witness came to, where nothing is wrong.
enum Asked {
    /// Its line, and when it was made.
    Cosigned(NoteSignature, u64),
    /// It has seen a newer checkpoint of this log than the one it was asked for.
    Behind,
    /// The node stops.
    Stopping,
}

fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl State {
    fn best_for(&self, index: LogIndex) -> Option<&CosignedCheckpoint> {
        let covering = self.cosigned.iter().filter(|one| one.size() > index.get());
        covering.max_by_key(|one| (one.lines.len(), one.size()))
    }

    fn record(&mut self, number: usize, certificate: Certificate, line: NoteSignature, time: u64) {
        let size = certificate.header.tree_size.get();
        self.problems[number] = None;
        self.cosigned_last[number] = Some((size, time));
        let at = self.cosigned.partition_point(|one| one.size() < size);
        if self.cosigned.get(at).is_none_or(|one| one.size() != size) {
            let one = CosignedCheckpoint {
                certificate,
                lines: Vec::new(),
            };
            self.cosigned.insert(at, one);
        }
        let lines = &mut self.cosigned[at].lines;
        lines.retain(|(witness, _)| *witness != number);
        lines.push((number, line));
        lines.sort_by_key(|(witness, _)| *witness);
        while self.cosigned.len() > COSIGNED_MAX {
            self.cosigned.pop_front();
        }
    }
}

/// The node's log key, which signs checkpoints where the network key cannot: an Ed25519 key made from the node's secret, apart
/// from the node key, whose signatures are votes and handshakes.
pub(crate) fn log_key(secret: &[u8; 32]) -> SigningKey {
    use hmac::{Hmac, KeyInit, Mac};

    let mut mac =
        <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes any key");
    mac.update(b"stele/log-key/v1");
    let seed = zeroize::Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    SigningKey::from_seed(Suite::Ed25519, &*seed).expect("a seed of 32 bytes")
}

#[cfg(test)]
mod tests {
    use stele_core::block::BlockHeader;
    use stele_core::id::{BlockHash, Hash, KeyId, NetworkId, TimeMs};

    use super::*;

    fn certificate(size: u64) -> Certificate {
        let header = BlockHeader {
            alg: -19,
            kid: KeyId::from_bytes([1; 32]),
            network: NetworkId::from_bytes([2; 32]),
            height: Height::new(size),
            time: TimeMs::new(size),
            previous: BlockHash::from_bytes([3; 32]),
            tree_size: LogIndex::new(size),
            state_root: Hash::from_bytes([4; 32]),
        };
        Certificate {
            header,
            log_root: Hash::from_bytes([5; 32]),
            signature: Vec::new(),
        }
    }

    fn state(witnesses: usize) -> State {
        State {
            cosigned_last: vec![None; witnesses],
            problems: vec![Some("gone".to_owned()); witnesses],
            ..State::default()
        }
    }

    fn record(state: &mut State, witness: usize, size: u64) {
        let line = NoteSignature {
            name: format!("w{witness}"),
            key_id: [0; 4],
            signature: vec![size as u8],
        };
        state.record(witness, certificate(size), line, 9);
    }

    fn best(state: &State, index: u64) -> Option<(u64, usize)> {
        let best = state.best_for(LogIndex::new(index))?;
        Some((best.size(), best.lines.len()))
    }

    #[test]
    fn more_cosignatures_go_before_newer_ones_and_only_what_covers_the_entry_counts() {
        let mut state = state(2);
        assert_eq!(best(&state, 0), None);
        record(&mut state, 0, 5);
        record(&mut state, 0, 9);
        // The slower witness answers for the older target after the faster one went on.
        record(&mut state, 1, 5);
        assert_eq!(best(&state, 3), Some((5, 2)));
        assert_eq!(best(&state, 5), Some((9, 1)));
        assert_eq!(best(&state, 9), None);
        record(&mut state, 1, 9);
        assert_eq!(best(&state, 3), Some((9, 2)));
        assert_eq!(state.cosigned_last, [Some((9, 9)), Some((9, 9))]);
        assert_eq!(state.problems, [None, None]);
    }

    #[test]
    fn a_witness_has_one_line_for_a_size_and_old_checkpoints_go() {
        let mut state = state(1);
        record(&mut state, 0, 1);
        record(&mut state, 0, 1);
        assert_eq!(best(&state, 0), Some((1, 1)));
        for size in 2..100 {
            record(&mut state, 0, size);
        }
        assert_eq!(state.cosigned.len(), COSIGNED_MAX);
        assert_eq!(best(&state, 0), Some((99, 1)));
    }

    #[test]
    fn the_log_key_is_the_secret_s_and_no_other_key() {
        let key = log_key(&[1; 32]);
        assert_eq!(key.public(), log_key(&[1; 32]).public());
        assert_ne!(key.public(), log_key(&[2; 32]).public());
        let itself = SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap();
        assert_ne!(key.public(), itself.public());
    }
}
