//! Snapshots: what is restored is the same ledger, goes on like the one it came from, and nothing damaged or forged becomes one.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

use stele_core::block::Certificate;
use stele_core::entry::{Entry, WINDOW_MS_MAX};
use stele_core::id::{Height, LogIndex, sha256};
use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{
    Certifier, Ledger, LedgerError, LedgerOptions, OrderedBlock, Uncertified,
};
use stele_ledger::log::{LogError, TreeError};
use stele_ledger::snapshot::{
    CHUNK_BYTES, Part, SnapshotError, SnapshotManifest, SnapshotSink, SnapshotSource, adopt,
    restore, staging,
};
use support::rng::Rng;
use support::timed::Timed;
use support::{World, copy_folder, key, quick_folder, submit};

/// A ledger of three hours with four snapshots' worth of history, and a snapshot of its end.
struct Prepared {
    timed: Timed,
    ledger: Ledger,
    source: SnapshotSource,
    /// An entry of the last hour and one from before it.
    recent: Entry,
    old: Entry,
    folder: tempfile::TempDir,
}

fn prepare() -> Prepared {
    let folder = quick_folder();
    let timed = Timed::new(&folder.path().join("origin"));
    let ledger = timed.world.open_with(timed.options());
    timed.register(&ledger);
    let old = timed.events(&ledger, 0, 1_500);
    timed.pass(WINDOW_MS_MAX);
    timed.events(&ledger, 1_500, 700);
    timed.pass(WINDOW_MS_MAX / 2 + 1);
    timed.events(&ledger, 2_200, 600);
    timed.pass(WINDOW_MS_MAX / 2);
    let recent = timed.events(&ledger, 2_800, 100);
    let source = ledger
        .export_snapshot(&folder.path().join("a.snapshot"))
        .expect("exported");
    Prepared {
        timed,
        ledger,
        source,
        recent,
        old,
        folder,
    }
}

impl Prepared {
    fn network(&self) -> stele_core::id::NetworkId {
        self.timed.world.genesis().network_id()
    }

    fn restored(&self, name: &str) -> std::path::PathBuf {
        let dir = self.folder.path().join(name);
        restore(&dir, self.network(), &self.source, &mut |_, _, _| {}).expect("restored");
        dir
    }
}

/// Nobody asks a follower to sign.
struct Nobody;

impl Certifier for Nobody {
    fn certify(&self, _: Uncertified) {
        panic!("a follower signs nothing");
    }
}

fn open_follower(timed: &Timed, dir: &Path) -> Ledger {
    let machine = Arc::new(stele_registers::Registry::standard());
    Ledger::open_network(dir, machine, Arc::new(Nobody), timed.options()).expect("opens")
}

/// Executes what `from` has beyond the follower.
fn follow(follower: &Ledger, from: &Ledger) {
    let (sender, receiver) = channel();
    let mut sent = 0;
    let mut next = follower.head().height().next();
    while next <= from.head().height() {
        let blocks = from.certified_blocks(next, 64, 1 << 20).expect("served");
        for block in blocks {
            next = block.certificate.header.height.next();
            let sender = sender.clone();
            follower.order(OrderedBlock {
                position: 0,
                time: block.certificate.header.time,
                entries: block.entries.into_iter().map(Arc::from).collect(),
                certificate: Some(block.certificate),
                done: Box::new(move |delivered| drop(sender.send(delivered.refused))),
            });
            sent += 1;
        }
    }
    drop(sender);
    let refused: Vec<_> = receiver.iter().collect();
    assert_eq!(refused.len(), sent);
    assert!(refused.iter().all(Option::is_none), "{refused:?}");
}

/// Every answer that the restored ledger gives is that of the origin; what it does not hold it refuses by name.
fn compare(origin: &Ledger, copy: &Ledger) {
    assert_eq!(copy.head(), origin.head());
    assert_eq!(copy.state_keys(), origin.state_keys());
    let first = copy.log().base().map_or(0, |base| base.first_index().get());
    let size = origin.head().log_size().get();
    let network = origin.descriptor();
    for index in (first..size).step_by(7).chain([size - 1]) {
        let index = LogIndex::new(index);
        let receipt = copy.entry_receipt(index, true).expect("a receipt").encode();
        let theirs = origin.entry_receipt(index, true).expect("a receipt");
        assert_eq!(receipt, theirs.encode());
        verify(&receipt, &network).expect("valid");
    }
    for index in (0..first).step_by(101) {
        let error = copy.entry(LogIndex::new(index)).expect_err("not held");
        let LedgerError::Log(error @ LogError::BeforeBase { .. }) = error else {
            panic!("{error}");
        };
        assert!(error.hint().is_some());
    }
    // Consistency proofs begin at the base.
    for older in [first.max(1), (first + size) / 2, size] {
        assert_eq!(
            copy.tree().prove_consistency(older, size).expect("a proof"),
            origin
                .tree()
                .prove_consistency(older, size)
                .expect("a proof"),
        );
        assert_eq!(
            copy.tree().root_at(older).expect("a root"),
            origin.tree().root_at(older).expect("a root")
        );
    }
    if first > 300 {
        let error = copy
            .tree()
            .prove_consistency(3, size)
            .expect_err("not held");
        assert!(matches!(error, TreeError::BeforeBase { .. }), "{error}");
    }
}

#[test]
fn a_restored_ledger_is_the_same_and_goes_on_like_one_that_executed_all() {
    let prepared = prepare();
    let Prepared { timed, ledger, .. } = &prepared;
    let manifest = prepared.source.manifest();
    let base = manifest.base.as_ref().expect("hours lie before it");
    assert_eq!(base.certificate.header.tree_size, LogIndex::new(2_201));
    assert!(manifest.chunk_count() > 1, "{}", manifest.chunk_count());
    let dir = prepared.restored("copy");
    let replayed = prepared.folder.path().join("replayed");
    let zero = ledger.certificate(Height::new(0)).expect("block 0");
    Ledger::create_certified(&replayed, ledger.genesis(), timed.world.machine(), &zero)
        .expect("created");
    let replayed = open_follower(timed, &replayed);
    let copy = open_follower(timed, &dir);
    assert_eq!(copy.recovered().blocks_executed_again, 0);
    compare(ledger, &copy);
    for round in 0..3 {
        timed.pass(WINDOW_MS_MAX / 3);
        timed.events(ledger, 3_000 + round * 300, 300);
        follow(&copy, ledger);
        follow(&replayed, ledger);
        compare(ledger, &copy);
        compare(ledger, &replayed);
    }
    drop(copy);
    let report = doctor::check(&dir, &mut |_, _, _| {}).expect("whole");
    assert_eq!(report.state_height, Some(ledger.head().height().get()));
    // The tree is derived from the log and its base: it comes back.
    fs::remove_dir_all(dir.join("tree")).expect("removed");
    fs::remove_file(dir.join("log/index.dat")).expect("removed");
    compare(ledger, &open_follower(timed, &dir));
    doctor::rebuild(&dir, timed.world.machine(), &mut |_, _, _| {}).expect("rebuilt");
    compare(ledger, &open_follower(timed, &dir));
}

#[test]
fn a_snapshot_of_a_restored_ledger_is_the_same_snapshot() {
    let prepared = prepare();
    let dir = prepared.restored("copy");
    let copy = open_follower(&prepared.timed, &dir);
    let second = copy
        .export_snapshot(&prepared.folder.path().join("b.snapshot"))
        .expect("exported");
    assert_eq!(second.manifest_bytes(), prepared.source.manifest_bytes());
    let read = |source: &SnapshotSource| fs::read(source.path()).expect("readable");
    assert_eq!(read(&second), read(&prepared.source));
}

#[test]
fn a_young_network_is_restored_whole() {
    let folder = quick_folder();
    let timed = Timed::new(&folder.path().join("origin"));
    let ledger = timed.world.open_with(timed.options());
    timed.register(&ledger);
    timed.events(&ledger, 0, 20);
    let path = folder.path().join("a.snapshot");
    let source = ledger.export_snapshot(&path).expect("exported");
    assert_eq!(source.manifest().base, None);
    let again = ledger.export_snapshot(&path).expect_err("there is one");
    assert_eq!(again.code(), "snapshot.occupied");
    let dir = folder.path().join("copy");
    let network = timed.world.genesis().network_id();
    restore(&dir, network, &source, &mut |_, _, _| {}).expect("restored");
    let copy = open_follower(&timed, &dir);
    compare(&ledger, &copy);
    assert_eq!(copy.log().base(), None);
    assert_eq!(
        copy.certificate(Height::new(0)).expect("held"),
        ledger.certificate(Height::new(0)).expect("held")
    );
}

#[test]
fn replays_are_refused_after_a_restore() {
    let prepared = prepare();
    let dir = prepared.restored("copy");
    // As if the network moved to this one node.
    let machine = Arc::new(stele_registers::Registry::standard());
    let copy = Ledger::open(&dir, machine, key(1000), prepared.timed.options()).expect("opens");
    let code = |entry: &Entry| submit(&copy, entry).expect_err("refused").code;
    assert_eq!(code(&prepared.recent), "entry.replayed");
    assert_eq!(code(&prepared.old), "entry.expired");
    prepared.timed.events(&copy, 9_000, 5);
}

#[test]
fn snapshots_are_taken_while_blocks_go_on() {
    let folder = quick_folder();
    let timed = Timed::new(&folder.path().join("origin"));
    let ledger = timed.world.open_with(LedgerOptions {
        checkpoint_blocks_max: 2,
        state_segment_bytes: 16 << 10,
        ..timed.options()
    });
    timed.register(&ledger);
    let network = timed.world.genesis().network_id();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ledger, timed, done) = (&ledger, &timed, &done);
        let load = scope.spawn(move || {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                timed.events(ledger, number, 50);
                timed.pass(60_000);
                number += 50;
            }
            number
        });
        for round in 0..8 {
            let path = folder.path().join(format!("{round}.snapshot"));
            let source = ledger.export_snapshot(&path).expect("exported");
            let dir = folder.path().join(format!("copy-{round}"));
            // Restoring compares every root with the certificates.
            restore(&dir, network, &source, &mut |_, _, _| {}).expect("restored");
            let copy = open_follower(timed, &dir);
            let height = source.manifest().height();
            assert_eq!(copy.head().height(), height);
            assert_eq!(
                copy.head().certificate,
                ledger.certificate(height).expect("held")
            );
        }
        done.store(true, Ordering::Relaxed);
        assert!(load.join().expect("no panic") > 0);
    });
}

fn chunks_of(source: &SnapshotSource) -> Vec<Vec<u8>> {
    let all = 0..source.manifest().chunk_count();
    all.map(|index| source.chunk(index).expect("whole"))
        .collect()
}

#[test]
fn chunks_come_in_any_order_and_over_several_runs() {
    let prepared = prepare();
    let chunks = chunks_of(&prepared.source);
    let manifest = prepared.source.manifest_bytes();
    let dir = prepared.folder.path().join("copy");
    let begin = || SnapshotSink::begin(&dir, prepared.network(), manifest).expect("begun");
    assert_eq!(SnapshotSink::unfinished(&dir), None);
    let mut sink = begin();
    assert_eq!(sink.missing().count(), chunks.len());
    let last = chunks.len() - 1;
    sink.put(last as u32, &chunks[last]).expect("taken");
    let mut damaged = chunks[0].clone();
    damaged[17] ^= 1;
    for (index, bytes, code) in [
        (0, &damaged[..], "snapshot.bad-chunk"),
        (0, &chunks[0][1..], "snapshot.bad-chunk"),
        (0, &[], "snapshot.bad-chunk"),
        (chunks.len() as u32, &chunks[0], "snapshot.no-such-chunk"),
        (u32::MAX, &chunks[0], "snapshot.no-such-chunk"),
    ] {
        assert_eq!(sink.put(index, bytes).expect_err("refused").code(), code);
    }
    let error = sink.finish(&mut |_, _, _| {}).expect_err("incomplete");
    assert!(matches!(error, SnapshotError::Incomplete { missing, first: 0 } if missing == last));
    // Nothing else is founded or opened in the folder meanwhile.
    let error = Ledger::read_genesis(&dir).expect_err("no ledger yet");
    assert!(matches!(error, LedgerError::Restoring(_)), "{error}");
    let world = &prepared.timed.world;
    let created = Ledger::create(&dir, world.genesis(), world.machine(), &key(1000));
    assert!(matches!(created, Err(LedgerError::Restoring(_))));
    assert_eq!(SnapshotSink::unfinished(&dir).as_deref(), Some(manifest));
    // The run was cut short: what came is still there, except for a piece that the disk lost.
    let mut sink = begin();
    assert_eq!(sink.missing().count(), last);
    sink.put(0, &chunks[0]).expect("taken");
    drop(sink);
    let body = dir.join("incoming/body");
    let mut bytes = fs::read(&body).expect("readable");
    bytes[5] ^= 0x80;
    fs::write(&body, bytes).expect("written");
    let mut sink = begin();
    assert_eq!(sink.missing().next(), Some(0));
    let missing: Vec<_> = sink.missing().collect();
    for index in missing.into_iter().rev() {
        sink.put(index, &chunks[index as usize]).expect("taken");
    }
    sink.finish(&mut |_, _, _| {}).expect("restored");
    assert!(!dir.join("incoming").exists());
    compare(&prepared.ledger, &open_follower(&prepared.timed, &dir));
    let again = SnapshotSink::begin(&dir, prepared.network(), manifest);
    assert_eq!(again.expect_err("a ledger").code(), "snapshot.occupied");
}

/// Ends the work at a step, as a kill would.
struct Killed;

#[test]
fn a_restore_that_is_killed_starts_over() {
    let prepared = prepare();
    let network = prepared.network();
    // Each progress report is a place to die at.
    let mut steps = 0;
    let dir = prepared.folder.path().join("count");
    restore(&dir, network, &prepared.source, &mut |_, _, _| steps += 1).expect("restored");
    assert!(steps >= 3, "{steps}");
    for killed_at in 0..steps {
        let dir = prepared.folder.path().join(format!("killed-{killed_at}"));
        let mut step = 0;
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            restore(&dir, network, &prepared.source, &mut |_, _, _| {
                if step == killed_at {
                    std::panic::resume_unwind(Box::new(Killed));
                }
                step += 1;
            })
        }));
        assert!(attempt.is_err());
        let error = Ledger::read_genesis(&dir).expect_err("no ledger yet");
        assert!(matches!(error, LedgerError::Restoring(_)), "{error}");
        // What the kill left is cut to pieces besides.
        let mut rng = Rng::new(killed_at);
        for part in ["log", "state"] {
            for entry in fs::read_dir(dir.join(part)).into_iter().flatten() {
                let path = entry.expect("readable").path();
                let len = fs::metadata(&path).expect("a file").len();
                let file = fs::OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .expect("opens");
                file.set_len(rng.below(len + 1)).expect("cut");
            }
        }
        restore(&dir, network, &prepared.source, &mut |_, _, _| {}).expect("restored");
        compare(&prepared.ledger, &open_follower(&prepared.timed, &dir));
    }
    // Killed after the last step: the mark is still there, the ledger too.
    let whole = prepared.folder.path().join("count");
    fs::create_dir_all(whole.join("incoming")).expect("a folder");
    compare(&prepared.ledger, &open_follower(&prepared.timed, &whole));
    assert!(!whole.join("incoming").exists());
}

#[test]
fn a_fresh_ledger_gives_its_place_to_a_restored_one() {
    let prepared = prepare();
    let Prepared { timed, ledger, .. } = &prepared;
    let dir = prepared.folder.path().join("joined");
    let zero = ledger.certificate(Height::new(0)).expect("block 0");
    Ledger::create_certified(&dir, ledger.genesis(), timed.world.machine(), &zero)
        .expect("created");
    assert!(!adopt(&dir).expect("nothing to adopt"));
    let next = staging(&dir);
    let mut sink = SnapshotSink::begin(&next, prepared.network(), prepared.source.manifest_bytes())
        .expect("begun");
    assert!(!adopt(&dir).expect("not finished"));
    for (index, chunk) in chunks_of(&prepared.source).iter().enumerate() {
        sink.put(index as u32, chunk).expect("taken");
    }
    sink.finish(&mut |_, _, _| {}).expect("restored");
    // Killed between the two renames.
    fs::rename(&dir, prepared.folder.path().join("joined.old")).expect("renamed");
    assert!(adopt(&dir).expect("adopted"));
    assert!(!next.exists() && !prepared.folder.path().join("joined.old").exists());
    compare(ledger, &open_follower(timed, &dir));
    // A ledger with a history of its own keeps its place.
    restore(
        &next,
        prepared.network(),
        &prepared.source,
        &mut |_, _, _| {},
    )
    .expect("restored");
    assert_eq!(
        adopt(&dir).expect_err("refused").code(),
        "snapshot.occupied"
    );
    compare(ledger, &open_follower(timed, &dir));
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let prepared = prepare();
    let dir = prepared.folder.path().join("other");
    copy_folder(&prepared.restored("copy"), &dir);
    fs::remove_file(dir.join("genesis.cbor")).expect("removed");
    let before = fs::read(dir.join("log/base.dat")).expect("readable");
    let error = restore(
        &dir,
        prepared.network(),
        &prepared.source,
        &mut |_, _, _| {},
    );
    assert_eq!(error.expect_err("refused").code(), "snapshot.occupied");
    assert_eq!(
        fs::read(dir.join("log/base.dat")).expect("readable"),
        before
    );
}

/// A snapshot as an attacker can make it: all hashes are right, but no signature can be forged.
fn forge(
    prepared: &Prepared,
    change: impl FnOnce(&mut SnapshotManifest, &mut Vec<u8>),
) -> SnapshotError {
    let mut manifest = prepared.source.manifest().clone();
    let mut body = chunks_of(&prepared.source).concat();
    change(&mut manifest, &mut body);
    manifest.chunks = body
        .chunks(CHUNK_BYTES)
        .map(|chunk| sha256(&[chunk]))
        .collect();
    let dir = tempfile::tempdir_in(prepared.folder.path()).expect("a folder");
    let dir = dir.path().join("ledger");
    let attempt = SnapshotSink::begin(&dir, prepared.network(), &manifest.encode());
    let error = attempt.and_then(|mut sink| {
        for (index, chunk) in body.chunks(CHUNK_BYTES).enumerate() {
            sink.put(index as u32, chunk)?;
        }
        sink.finish(&mut |_, _, _| {})
    });
    let error = error.expect_err("a forged snapshot is refused");
    assert!(!Ledger::exists(&dir));
    assert!(error.blames_sender(), "{error}");
    // Nothing of it is kept, so an honest snapshot can follow at once.
    restore(
        &dir,
        prepared.network(),
        &prepared.source,
        &mut |_, _, _| {},
    )
    .expect("restored");
    error
}

#[test]
fn forged_snapshots_are_refused_by_the_part_that_is_wrong() {
    let prepared = prepare();
    let part = |error: SnapshotError| match error {
        SnapshotError::Refused { part, .. } => part,
        error => panic!("{error}"),
    };
    let state_bytes = prepared.source.manifest().state_bytes as usize;
    let mut rng = Rng::new(1);
    // Any byte of the state or the blocks.
    for _ in 0..12 {
        let at = rng.below(state_bytes as u64) as usize;
        let error = forge(&prepared, |_, body| body[at] ^= 1);
        assert_eq!(part(error), Part::State, "byte {at} of the state");
        let all = prepared.source.manifest().bytes() - state_bytes as u64;
        let at = state_bytes + rng.below(all) as usize;
        let error = forge(&prepared, |_, body| body[at] ^= 1);
        assert_eq!(part(error), Part::Blocks, "byte {at} of the body");
    }
    // The last key left out, and a key too many.
    let error = forge(&prepared, |manifest, _| manifest.keys -= 1);
    assert_eq!(part(error), Part::State);
    let error = forge(&prepared, |manifest, _| manifest.keys = u64::MAX);
    assert_eq!(part(error), Part::State);
    let error = forge(&prepared, |manifest, body| {
        body.truncate(body.len() - 1);
        manifest.block_bytes -= 1;
    });
    assert_eq!(part(error), Part::Blocks);
    let error = forge(&prepared, |manifest, body| {
        body.push(0);
        manifest.block_bytes += 1;
    });
    assert_eq!(part(error), Part::Blocks);
    // Lengths that ask for more than there is.
    let error = forge(&prepared, |_, body| body[3..7].fill(0xff));
    assert_eq!(part(error), Part::State);
    let error = forge(&prepared, |_, body| {
        body[state_bytes..state_bytes + 8].fill(0xff);
    });
    assert_eq!(part(error), Part::Blocks);
    // Certificates: a wrong signature, one of another block, a base that is too young.
    let error = forge(&prepared, |manifest, _| {
        manifest.certificate.signature[3] ^= 1;
    });
    assert_eq!(part(error), Part::Certificate);
    let older = |back: u64| {
        let height = prepared.ledger.head().height().get() - back;
        prepared
            .ledger
            .certificate(Height::new(height))
            .expect("held")
    };
    let error = forge(&prepared, |manifest, _| manifest.certificate = older(1));
    assert_eq!(part(error), Part::State);
    let error = forge(&prepared, |manifest, _| {
        let certificate = older(1);
        let size = certificate.header.tree_size.get();
        let edge = prepared.ledger.tree().edge_at(size).expect("an edge");
        *manifest.base.as_mut().expect("a base") =
            stele_ledger::snapshot::SnapshotBase { certificate, edge };
    });
    assert_eq!(part(error), Part::Certificate);
    // The frontier: any of its hashes.
    let edge = &prepared
        .source
        .manifest()
        .base
        .as_ref()
        .expect("a base")
        .edge;
    for at in [0, edge.hashes().len() / 2, edge.hashes().len() - 1] {
        let error = forge(&prepared, |manifest, _| {
            let base = manifest.base.as_mut().expect("a base");
            let mut hashes = base.edge.hashes().to_vec();
            hashes[at][31] ^= 1;
            let size = base.edge.size();
            base.edge = stele_ledger::log::TreeEdge::from_parts(size, hashes).expect("as long");
        });
        assert_eq!(part(error), Part::Frontier, "hash {at}");
    }
    // No base at all: the blocks then have to begin with block 0.
    let error = forge(&prepared, |manifest, _| manifest.base = None);
    assert_eq!(part(error), Part::Blocks);
    // Another network, with a key of its own.
    let other = World::new();
    let error = forge(&prepared, |manifest, _| {
        manifest.genesis = other.genesis().clone();
    });
    assert!(matches!(error, SnapshotError::WrongNetwork { .. }));
}

#[test]
fn a_certificate_of_another_key_does_not_vouch_for_a_snapshot() {
    let prepared = prepare();
    let error = forge(&prepared, |manifest, _| {
        let header = manifest.certificate.header.clone();
        manifest.certificate = Certificate::sign(header, manifest.certificate.log_root, &key(7));
    });
    assert_eq!(error.code(), "snapshot.bad-certificate");
}

#[test]
fn damaged_files_are_refused() {
    let prepared = prepare();
    let bytes = fs::read(prepared.source.path()).expect("readable");
    let body = prepared.source.manifest().bytes() as usize;
    let path = prepared.folder.path().join("damaged.snapshot");
    let attempt = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        let dir = tempfile::tempdir_in(prepared.folder.path()).expect("a folder");
        let source = SnapshotSource::open(&path)?;
        restore(
            &dir.path().join("ledger"),
            prepared.network(),
            &source,
            &mut |_, _, _| {},
        )
    };
    let mut rng = Rng::new(2);
    for _ in 0..10 {
        let mut damaged = bytes.clone();
        damaged[rng.below(body as u64) as usize] ^= 0x10;
        let error = attempt(&damaged).expect_err("refused");
        assert!(matches!(error, SnapshotError::Chunk { .. }), "{error}");
        // Manifest and tail: form, certificates, edge, chunk hashes, or the file's own lengths.
        let mut damaged = bytes.clone();
        let at = body + rng.below((bytes.len() - body) as u64) as usize;
        damaged[at] ^= 0x10;
        let error = attempt(&damaged).expect_err("refused");
        assert!(
            !matches!(error, SnapshotError::Ledger(_)),
            "byte {at}: {error}"
        );
        let cut = &bytes[..rng.below(bytes.len() as u64) as usize];
        let error = attempt(cut).expect_err("refused");
        assert_eq!(error.code(), "snapshot.not-whole");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_lost_state_behind_a_base_is_a_refusal_with_a_way_out() {
    let prepared = prepare();
    let dir = prepared.restored("copy");
    fs::remove_dir_all(dir.join("state")).expect("removed");
    let machine = Arc::new(stele_registers::Registry::standard());
    let opened = Ledger::open(&dir, machine.clone(), key(1000), World::options());
    let error = opened.expect_err("no state");
    assert!(matches!(error, LedgerError::StateLost { .. }), "{error}");
    assert!(
        error
            .hint()
            .expect("a hint")
            .contains("stele snapshot restore")
    );
    let error = doctor::rebuild(&dir, &*machine, &mut |_, _, _| {}).expect_err("no state");
    assert!(matches!(error, LedgerError::StateLost { .. }), "{error}");
}
