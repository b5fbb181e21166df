//! A network whose clock the test turns, and its only party.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use stele_core::cbor::BodyBuilder;
use stele_core::entry::Entry;
use stele_core::id::{TimeMs, sha256};
use stele_core::machine::Refusal;
use stele_ledger::ledger::{Finalised, Ledger, LedgerOptions, Progress, system_time};
use stele_ledger::log::LogOptions;

use super::{Signer, World, record_event, submit};

/// A network whose clock the test turns.
pub struct Timed {
    pub world: World,
    pub now: Arc<AtomicU64>,
    pub signer: Signer,
}

impl Timed {
    pub fn new(dir: &Path) -> Self {
        let world = World::new_in(dir);
        let now = Arc::new(AtomicU64::new(system_time().get()));
        Self {
            world,
            now,
            signer: Signer::new(1),
        }
    }

    pub fn options(&self) -> LedgerOptions {
        let now = Arc::clone(&self.now);
        LedgerOptions {
            clock: Arc::new(move || TimeMs::new(now.load(Ordering::Relaxed))),
            block_entries_max: 100,
            state_segment_bytes: 64 << 10,
            log: LogOptions {
                segment_bytes_max: 200_000,
                reserve_bytes: 0,
                ..LogOptions::default()
            },
            ..World::options()
        }
    }

    pub fn pass(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn entry(&self, register: &str, command: (&str, Vec<u8>)) -> Entry {
        let now = self.now.load(Ordering::Relaxed);
        self.signer.entry_at(
            &self.world,
            now - 10,
            now + 600_000,
            register,
            vec![command],
        )
    }

    pub fn register(&self, ledger: &Ledger) {
        let body = BodyBuilder::new()
            .text("kind", "organisation")
            .text("name", "Fictional Maker")
            .bytes_list("keys", &[self.signer.key().public().to_cose_key()])
            .build();
        let done = submit(ledger, &self.entry("identity", ("party.register", body)));
        assert!(done.expect("ordered").refusal.is_none());
    }

    /// Makes so many events final, and returns one of their entries.
    pub fn events(&self, ledger: &Ledger, from: u64, count: u64) -> Entry {
        let (sender, receiver) = channel();
        let mut last = None;
        for number in from..from + count {
            let id = format!("urn:example:snapshot:{number}");
            let event = record_event(&id, sha256(&[id.as_bytes()]));
            let entry = self.entry("trace", event);
            let sender = sender.clone();
            let told = move |progress| {
                let _ = match progress {
                    Progress::Admitted(_) => Ok(()),
                    Progress::Refused(refusal) | Progress::Unknown(refusal) => {
                        sender.send(Err(refusal))
                    }
                    Progress::Final(done) => sender.send(Ok(*done)),
                };
            };
            ledger
                .submit(entry.bytes().to_vec(), told)
                .expect("admitted");
            last = Some(entry);
        }
        drop(sender);
        let done: Vec<Result<Finalised, Refusal>> = receiver.iter().collect();
        assert_eq!(done.len() as u64, count);
        assert!(
            done.iter()
                .all(|done| done.as_ref().is_ok_and(|done| done.refusal.is_none()))
        );
        last.expect("at least one")
    }
}
