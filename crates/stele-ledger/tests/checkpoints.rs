//! A kill while the state is ahead of the log: checkpoints stand at blocks that the log has, so little is executed again.

mod support;

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use stele_core::id::{Height, TimeMs};
use stele_ledger::ledger::{
    Certifier, Ledger, LedgerOptions, OrderedBlock, Uncertified, system_time,
};
use support::{Signer, World, copy_folder, key, quick_folder, record_event};

/// How many executed blocks may wait for their certificates.
const AHEAD: u64 = 8;

/// Hands on what is to be signed.
struct Waiting(Mutex<Sender<Uncertified>>);

impl Certifier for Waiting {
    fn certify(&self, block: Uncertified) {
        let _ = self.0.lock().send(block);
    }
}

#[test]
fn a_checkpoint_is_never_ahead_of_the_log() {
    const BLOCKS: u64 = 40;
    let folder = quick_folder();
    let world = World::new_in(&folder.path().join("ledger"));
    let options = LedgerOptions {
        checkpoint_blocks_max: 1,
        state_segment_bytes: 8 << 10,
        ..World::options()
    };
    let (sender, uncertified) = channel();
    let machine = Arc::new(stele_registers::Registry::standard());
    let open = |dir: &std::path::Path, sender: Sender<Uncertified>| {
        let certifier = Arc::new(Waiting(Mutex::new(sender)));
        Ledger::open_network(dir, machine.clone(), certifier, options.clone()).expect("opens")
    };
    let ledger = open(world.dir(), sender);
    let signer = Signer::new(1);
    let body = stele_core::cbor::BodyBuilder::new()
        .text("kind", "organisation")
        .text("name", "Fictional Maker")
        .bytes_list("keys", &[signer.key().public().to_cose_key()])
        .build();
    let mut entry = signer.entry(&world, "identity", vec![("party.register", body)]);
    for position in 1..=BLOCKS + AHEAD {
        ledger.order(OrderedBlock {
            position,
            // Times of ordered blocks rise.
            time: TimeMs::new(system_time().get() + position),
            entries: vec![Arc::from(entry.bytes())],
            certificate: None,
            done: Box::new(|_| {}),
        });
        let event = record_event(&format!("urn:example:ahead:{position}"), [7; 32]);
        entry = signer.entry(&world, "trace", vec![event]);
    }
    let within = Duration::from_secs(60);
    for height in 1..=BLOCKS {
        let block = uncertified.recv_timeout(within).expect("executed");
        let mut certificate = block.certificate;
        assert_eq!(certificate.header.height, Height::new(height));
        certificate.signature = key(1000).sign(&certificate.message());
        ledger.certified(certificate).expect("taken");
        let deadline = Instant::now() + within;
        while ledger.head().height() < Height::new(height) {
            assert!(Instant::now() < deadline, "block {height} is not final");
            ledger.wait_above(Height::new(height - 1), Duration::from_millis(100));
        }
        if height % 5 != 0 {
            continue;
        }
        // The folder as a kill leaves it: the state is ahead by as many blocks as may wait. The log is copied first, so that the
        // copy of the state can only be further ahead.
        let killed = folder.path().join(format!("killed-{height}"));
        copy_while_written(world.dir(), &killed);
        let (sender, _uncertified) = channel();
        let copy = open(&killed, sender);
        assert!(copy.head().height() >= Height::new(height));
        let again = copy.recovered().blocks_executed_again;
        assert!(again <= AHEAD, "block {height}: {again} executed again");
    }
}

/// Checkpoints come and go while the folder is copied; a copy that met one is made again.
fn copy_while_written(from: &std::path::Path, to: &std::path::Path) {
    let names = || {
        let entries = std::fs::read_dir(from.join("state")).expect("readable");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let manifest = std::fs::read(from.join("state/MANIFEST")).expect("readable");
        (names.collect::<Vec<_>>(), manifest)
    };
    loop {
        let before = names();
        let copied = std::panic::catch_unwind(|| copy_folder(from, to));
        if copied.is_ok() && names() == before {
            return;
        }
        std::fs::remove_dir_all(to).expect("removed");
    }
}
