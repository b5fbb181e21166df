//! The read model and the thread that feeds it from the log.
//!
//! The read model lags behind the log by moments and proves nothing. It is fed in log order with its position stored in the same
//! transaction, so it resumes without gaps, and a damaged one is thrown away and filled again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value as Json;
use stele_core::block::Outcome;
use stele_core::genesis::Genesis;
use stele_core::id::{EntryId, Height, LogIndex, PartyId};
use stele_ledger::ledger::{Ledger, LoggedEntry};
use stele_readmodel::{
    Batch, BlockRow, EntryRow, IndexedEntry, Item, PartyRecord, Position, ReadModel,
    ReadModelError, RowOutcome, SqliteReadModel, TEXT_BYTES_MAX,
};
use stele_registers::Registry;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::api::view::{EntryView, OutcomeView, entry_view};

/// How many entries are taken in one transaction.
const BATCH_ENTRIES: usize = 5_000;
/// The most items kept of one entry.
const ITEMS_MAX: usize = 2_000;
/// Longest single text that is searchable, in bytes.
const WORDS_BYTES_MAX: usize = 256;

/// One line of a list of entries.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntrySummary {
    /// The entry's id, in hex.
    pub entry_id: String,
    /// Its place in the log.
    pub log_index: u64,
    /// The block.
    pub height: u64,
    /// The block's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The register.
    pub register: String,
    /// The signer's DID.
    pub party: String,
    /// The signer's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_name: Option<String>,
    /// The names of the commands.
    pub commands: Vec<String>,
    /// What became of it.
    pub outcome: OutcomeView,
}

/// The read model, and how far it got.
pub struct Index {
    model: Arc<dyn ReadModel>,
    next: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
    feeder: Mutex<Option<JoinHandle<()>>>,
}

impl Index {
    /// Opens the read model; one that is damaged is removed and filled again from the log.
    ///
    /// # Errors
    /// [`ReadModelError`] when even a new one cannot be made.
    pub fn open(path: &Path) -> Result<Arc<dyn ReadModel>, ReadModelError> {
        match SqliteReadModel::open(path) {
            Ok(model) => Ok(Arc::new(model)),
            Err(error) => {
                tracing::warn!(%error, "the read model is made anew from the log");
                SqliteReadModel::remove(path)?;
                Ok(Arc::new(SqliteReadModel::open(path)?))
            }
        }
    }

    /// Starts feeding.
    pub fn start(model: Arc<dyn ReadModel>, ledger: Arc<Ledger>, registry: Arc<Registry>) -> Self {
        let (sender, next) = watch::channel(0);
        let stop = Arc::new(AtomicBool::new(false));
        let feeder = Feeder {
            model: Arc::clone(&model),
            ledger,
            registry,
            next: sender,
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name("stele-index".to_owned())
            .spawn(move || feeder.run())
            .expect("the system starts a thread");
        Self {
            model,
            next,
            stop,
            feeder: Mutex::new(Some(thread)),
        }
    }

    /// The read model.
    pub fn model(&self) -> &Arc<dyn ReadModel> {
        &self.model
    }

    /// The log index that it wants next.
    pub fn next_index(&self) -> u64 {
        *self.next.borrow()
    }

    /// The log index of an entry, if it was taken in already.
    ///
    /// # Errors
    /// The read model's words.
    pub fn log_index(&self, id: &EntryId) -> Result<Option<LogIndex>, String> {
        self.model.log_index(id).map_err(|error| error.to_string())
    }

    /// Waits until the read model holds `size` entries, or `timeout` has passed.
    pub async fn caught_up(&self, size: LogIndex, timeout: Duration) {
        let mut next = self.next.clone();
        let reached = next.wait_for(|next| *next >= size.get());
        let _ = tokio::time::timeout(timeout, reached).await;
    }

    /// The line of a logged entry.
    pub fn summary(&self, logged: &LoggedEntry) -> EntrySummary {
        let record = &logged.record;
        let name = self
            .model
            .party(&record.party)
            .ok()
            .flatten()
            .map(|row| row.name);
        EntrySummary {
            entry_id: record.entry_id.to_string(),
            log_index: logged.log_index.get(),
            height: record.height.get(),
            time_ms: record.time.get(),
            register: record.register.to_string(),
            party: record.party.did(),
            party_name: name.filter(|name| !name.is_empty()),
            commands: logged
                .entry
                .commands()
                .take(32)
                .map(|command| command.name.to_owned())
                .collect(),
            outcome: OutcomeView::of(&record.outcome),
        }
    }

    /// Stops feeding; what is missing is taken in at the next start.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.feeder.lock().take() {
            let _ = thread.join();
        }
    }
}

impl EntrySummary {
    /// The line of a row.
    pub fn of(row: EntryRow) -> Self {
        let outcome = match row.outcome {
            RowOutcome::Applied => OutcomeView {
                applied: true,
                ..OutcomeView::default()
            },
            RowOutcome::Refused {
                command_index,
                code,
            } => OutcomeView {
                code: Some(code),
                command_index: Some(u64::from(command_index)),
                ..OutcomeView::default()
            },
        };
        Self {
            entry_id: row.entry_id.to_string(),
            log_index: row.log_index.get(),
            height: row.height.get(),
            time_ms: row.time.get(),
            register: row.register,
            party: row.party.did(),
            party_name: row.party_name.filter(|name| !name.is_empty()),
            commands: row.command_names,
            outcome,
        }
    }
}

struct Feeder {
    model: Arc<dyn ReadModel>,
    ledger: Arc<Ledger>,
    registry: Arc<Registry>,
    next: watch::Sender<u64>,
    stop: Arc<AtomicBool>,
}

impl Feeder {
    fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.feed() {
                Ok(true) => {}
                Ok(false) => {
                    let height = self.ledger.head().height();
                    let seen = self.model.position().map_or(height, |position| {
                        Height::new(position.next_block.get().saturating_sub(1))
                    });
                    self.ledger.wait_above(seen, Duration::from_millis(200));
                }
                Err(error) => {
                    tracing::error!(%error, "the read model could not take entries in; trying again");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    /// Takes in what one transaction holds; `false` when there is nothing new.
    fn feed(&self) -> Result<bool, String> {
        let mut position = self.model.position().map_err(|error| error.to_string())?;
        let head = self.ledger.head();
        // A log that began with a snapshot begins late, and what the model knew of another one before does not continue it.
        let first = self.ledger.log().first_height();
        if position.next_block < first {
            self.model.reset().map_err(|error| error.to_string())?;
            position = Position::default();
        }
        self.next.send_replace(position.next_entry.get());
        if position.next_block > head.height() {
            return Ok(false);
        }
        let (mut entries, mut blocks, mut parties) = (Vec::new(), Vec::new(), Vec::new());
        if position == Position::default() {
            parties.extend(founding_parties(self.ledger.genesis()));
        }
        for block in self.ledger.log().blocks(position.next_block.max(first)) {
            let block = block.map_err(|error| error.to_string())?;
            if block.height() > head.height() {
                break;
            }
            let logged = self
                .ledger
                .entries_of(&block)
                .map_err(|error| error.to_string())?;
            let certificate = self
                .ledger
                .certificate(block.height())
                .map_err(|error| error.to_string())?;
            let refused = logged
                .iter()
                .filter(|entry| matches!(entry.record.outcome, Outcome::Refused { .. }))
                .count();
            blocks.push(BlockRow {
                height: block.height(),
                time: certificate.header.time,
                hash: certificate.block_hash(),
                tree_size: certificate.header.tree_size.get(),
                entries: logged.len() as u32,
                refused: refused as u32,
            });
            for entry in &logged {
                let view = entry_view(&self.registry, entry);
                parties.extend(party_records(entry, &view));
                entries.push(indexed(entry, &view));
            }
            if entries.len() >= BATCH_ENTRIES {
                break;
            }
        }
        let batch = Batch {
            entries: &entries,
            blocks: &blocks,
            parties: &parties,
        };
        let position = self.model.apply(batch).map_err(|error| error.to_string())?;
        self.next.send_replace(position.next_entry.get());
        Ok(true)
    }
}

fn founding_parties(genesis: &Genesis) -> impl Iterator<Item = PartyRecord> + '_ {
    genesis.members.iter().map(|member| PartyRecord {
        party: PartyId::of_first_key(&member.key.kid()),
        kind: "organisation".to_owned(),
        name: member.name.clone(),
        time: genesis.time,
    })
}

/// What the identity register's events say of parties.
fn party_records(logged: &LoggedEntry, view: &EntryView) -> Vec<PartyRecord> {
    let mut records = Vec::new();
    for event in &view.events {
        let text = |field: &str| event.body[field].as_str().map(str::to_owned);
        let named = match event.name.as_str() {
            "identity/party.registered" => text("party")
                .zip(text("kind"))
                .map(|(party, kind)| (party, kind, text("name"))),
            "identity/party.renamed" => {
                text("party").map(|party| (party, String::new(), text("name")))
            }
            "identity/device.registered" => {
                text("device").map(|party| (party, "device".to_owned(), text("model")))
            }
            _ => None,
        };
        let Some((party, kind, name)) = named else {
            continue;
        };
        if let Ok(party) = PartyId::from_did(&party) {
            let name = name.unwrap_or_default();
            records.push(PartyRecord {
                party,
                kind,
                name,
                time: logged.record.time,
            });
        }
    }
    records
}

fn indexed(logged: &LoggedEntry, view: &EntryView) -> IndexedEntry {
    let record = &logged.record;
    let mut found = Found::default();
    let commands = serde_json::to_value(&view.commands).unwrap_or_default();
    let events = serde_json::to_value(&view.events).unwrap_or_default();
    found.word(&view.entry_id);
    found.word(&view.register);
    found.walk(&commands);
    found.walk(&events);
    found.parties.remove(&record.party);
    let outcome = match &record.outcome {
        Outcome::Applied { .. } => RowOutcome::Applied,
        Outcome::Refused {
            command_index,
            code,
        } => {
            found.word(code);
            RowOutcome::Refused {
                command_index: *command_index as u32,
                code: code.clone(),
            }
        }
    };
    IndexedEntry {
        log_index: logged.log_index,
        height: record.height,
        time: record.time,
        entry_id: record.entry_id,
        party: record.party,
        kid: logged.entry.header().kid,
        register: record.register,
        rule: record.rule.clone(),
        outcome,
        command_names: logged
            .entry
            .commands()
            .map(|command| command.name.to_owned())
            .collect(),
        commands_json: commands.to_string(),
        events_json: events.to_string(),
        size_bytes: view.size_bytes as u32,
        text: found.text,
        parties: found.parties.into_iter().collect(),
        items: found.items.into_iter().take(ITEMS_MAX).collect(),
    }
}

/// What an entry speaks of, gathered from its JSON: DIDs are parties, 32-byte hashes are items, other texts are searchable words.
#[derive(Default)]
struct Found {
    text: String,
    parties: BTreeSet<PartyId>,
    items: BTreeSet<Item>,
}

impl Found {
    fn word(&mut self, word: &str) {
        if word.len() <= WORDS_BYTES_MAX && self.text.len() + word.len() < TEXT_BYTES_MAX {
            self.text.push_str(word);
            self.text.push(' ');
        }
    }

    fn walk(&mut self, json: &Json) {
        match json {
            Json::String(text) => {
                if let Ok(party) = PartyId::from_did(text) {
                    self.parties.insert(party);
                } else if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    self.items.insert(Item {
                        kind: "hash".to_owned(),
                        id: text.clone(),
                    });
                } else {
                    self.word(text);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Json::Object(fields) => fields.values().for_each(|field| self.walk(field)),
            _ => {}
        }
    }
}
