//! Crash, damage and space tests of the log and its tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use stele_core::id::{Height, LogIndex};
use stele_core::merkle::{Frontier, leaf_hash, verify_consistency, verify_inclusion};

use super::file::faults::{self, Operation};
use super::*;

const SEGMENT: &str = "entries-0000000000000000.seg";

fn options() -> LogOptions {
    LogOptions {
        reserve_bytes: 0,
        ..LogOptions::default()
    }
}

/// Items of block `height`: a deterministic number of entries of deterministic lengths.
fn items(height: u64) -> (Vec<u8>, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let count = (height * 7 % 5) as usize;
    let text = |kind: &str, at: usize| {
        format!("{kind} {height} {at} ")
            .repeat((height as usize + at) % 3 + 1)
            .into_bytes()
    };
    let entries = (0..count).map(|at| text("entry", at)).collect();
    let records = (0..count).map(|at| text("record", at)).collect();
    (text("header", 0), entries, records)
}

fn append(log: &mut EntryLog) -> Result<LogIndex, LogError> {
    let height = log.next_height();
    let (header, entries, records) = items(height.get());
    log.append(height, &header, &entries, &records)
}

/// A log of `synced` final blocks, and `pending` ones behind them that were never synced.
fn write_log(dir: &Path, options: LogOptions, synced: u64, pending: u64) {
    let mut log = EntryLog::open(dir, options).unwrap();
    for _ in 0..synced {
        append(&mut log).unwrap();
        log.sync().unwrap();
    }
    for _ in 0..pending {
        append(&mut log).unwrap();
    }
}

/// Checks everything that readers offer against what was written.
fn check_log(reader: &LogReader, blocks: u64) {
    assert_eq!(reader.blocks_count(), blocks);
    let mut index = 0;
    for (height, block) in reader.blocks(Height::new(0)).enumerate() {
        let (height, block) = (height as u64, block.unwrap());
        let (header, entries, records) = items(height);
        assert_eq!(
            (block.height().get(), block.first_index().get()),
            (height, index)
        );
        assert_eq!(block.header(), header);
        assert_eq!(reader.header(block.height()).unwrap(), header);
        assert_eq!(
            reader.first_index(block.height()).unwrap(),
            block.first_index()
        );
        assert_eq!(block.len(), entries.len());
        for (position, (entry, record)) in entries.into_iter().zip(records).enumerate() {
            assert_eq!(block.entry(position), Some(&entry[..]));
            let (height, position) = (Height::new(height), position as u32);
            assert_eq!(
                reader.position(LogIndex::new(index)).unwrap(),
                (height, position)
            );
            let expected = LogEntry {
                height,
                position,
                entry,
                record,
            };
            assert_eq!(reader.entry(LogIndex::new(index)).unwrap(), expected);
            index += 1;
        }
    }
    assert_eq!(reader.entries_count(), index);
    let entry = reader.entry(LogIndex::new(index));
    assert!(matches!(entry, Err(LogError::NoSuchEntry { entries, .. }) if entries == index));
    let block = reader.block(Height::new(blocks));
    assert!(matches!(block, Err(LogError::NoSuchBlock { .. })));
    let report = reader.verify_all(|_, _| {}).unwrap();
    assert_eq!((report.blocks, report.entries), (blocks, index));
}

/// All files of a folder, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

fn restore(dir: &Path, saved: &BTreeMap<PathBuf, Vec<u8>>) {
    for path in files(dir).keys().filter(|path| !saved.contains_key(*path)) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in saved {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn blocks_survive_reopening_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes_max: 2000,
        ..options()
    };
    for round in 1..=4 {
        write_log(dir.path(), options.clone(), 25, 0);
        let log = EntryLog::open(dir.path(), options.clone()).unwrap();
        assert_eq!(
            log.report().blocks_scanned,
            0,
            "the index lists every synced block"
        );
        check_log(&log.reader(), 25 * round);
    }
    assert!(files(dir.path()).len() > 10, "the log has several segments");

    // The index is derived: without it, or with damage anywhere in it, everything is still there.
    let index = dir.path().join("index.dat");
    let good = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    let log = EntryLog::open(dir.path(), options.clone()).unwrap();
    assert_eq!(log.report().blocks_scanned, 100);
    check_log(&log.reader(), 100);
    drop(log);
    assert_eq!(fs::read(&index).unwrap(), good);
    for at in (0..good.len()).step_by(11) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&index, &bad).unwrap();
        let log = EntryLog::open(dir.path(), options.clone()).unwrap();
        assert!(log.report().blocks_scanned > 0, "byte {at}");
        check_log(&log.reader(), 100);
        drop(log);
        assert_eq!(fs::read(&index).unwrap(), good);
    }
    for len in (0..good.len()).step_by(7) {
        fs::write(&index, &good[..len]).unwrap();
        check_log(
            &EntryLog::open(dir.path(), options.clone())
                .unwrap()
                .reader(),
            100,
        );
    }
}

#[test]
fn thousands_of_blocks_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes_max: 100_000,
        ..options()
    };
    let mut log = EntryLog::open(dir.path(), options.clone()).unwrap();
    for height in 0..5000 {
        append(&mut log).unwrap();
        if height % 100 == 99 {
            log.sync().unwrap();
        }
    }
    check_log(&log.reader(), 5000);
    drop(log);
    check_log(&EntryLog::open(dir.path(), options).unwrap().reader(), 5000);
}

#[test]
fn blocks_are_final_only_after_sync() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = EntryLog::open(dir.path(), options()).unwrap();
    let reader = log.reader();
    assert_eq!(append(&mut log).unwrap(), LogIndex::new(0));
    append(&mut log).unwrap();
    assert_eq!(
        (reader.blocks_count(), log.next_height()),
        (0, Height::new(2))
    );
    log.sync().unwrap();
    assert_eq!(reader.blocks_count(), 2);
}

#[test]
fn wrong_blocks_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let limits = FrameLimits {
        body_bytes_max: 1000,
        entries_max: 10,
    };
    let mut log = EntryLog::open(
        dir.path(),
        LogOptions {
            limits,
            ..options()
        },
    )
    .unwrap();
    append(&mut log).unwrap();
    let high = log.append(Height::new(2), b"", &[""; 0], &[""; 0]);
    assert!(matches!(high, Err(LogError::HeightOutOfOrder { .. })));
    let uneven = log.append(Height::new(1), b"", &["entry"], &[""; 0]);
    assert!(matches!(
        uneven,
        Err(LogError::CountMismatch {
            entries: 1,
            records: 0
        })
    ));
    let large = log.append(Height::new(1), &[0; 1001], &[""; 0], &[""; 0]);
    assert!(matches!(
        large,
        Err(LogError::TooLarge(FrameError::Limit { .. }))
    ));
    append(&mut log).unwrap();
    log.sync().unwrap();
    check_log(&log.reader(), 2);
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = EntryLog::open(dir.path(), options()).unwrap();
    let second = EntryLog::open(dir.path(), options());
    assert!(matches!(second, Err(LogError::Locked { .. })));
    assert!(matches!(
        cut_damaged(dir.path(), &options()),
        Err(LogError::Locked { .. })
    ));
    drop(log);
    EntryLog::open(dir.path(), options()).unwrap();
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), options(), 3, 0);
    let whole = fs::read(dir.path().join(SEGMENT)).unwrap().len();
    write_log(dir.path(), options(), 0, 2);
    let saved = files(dir.path());
    let segment = &saved[&dir.path().join(SEGMENT)];
    for len in whole..=segment.len() {
        for zeros in [0, 1, 100] {
            restore(dir.path(), &saved);
            // The file system may have made the file longer and not have written the bytes.
            let mut torn = segment[..len].to_vec();
            torn.resize(len + zeros, 0);
            fs::write(dir.path().join(SEGMENT), &torn).unwrap();
            let mut log = EntryLog::open(dir.path(), options()).unwrap();
            let kept = log.report().blocks;
            assert!((3..=5).contains(&kept), "{kept} blocks");
            assert_eq!(kept == 5, len == segment.len());
            check_log(&log.reader(), kept);
            append(&mut log).unwrap();
            log.sync().unwrap();
            drop(log);
            check_log(
                &EntryLog::open(dir.path(), options()).unwrap().reader(),
                kept + 1,
            );
        }
    }
}

#[test]
fn pages_of_the_unsynced_tail_may_be_lost_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), options(), 3, 0);
    let whole = fs::read(dir.path().join(SEGMENT)).unwrap().len();
    write_log(dir.path(), options(), 0, 3);
    let saved = files(dir.path());
    // The first frame behind the synced ones is hit, the later ones are there: still no final block is lost.
    for at in whole..whole + 80 {
        restore(dir.path(), &saved);
        let mut torn = saved[&dir.path().join(SEGMENT)].clone();
        torn[at] ^= 0xff;
        fs::write(dir.path().join(SEGMENT), &torn).unwrap();
        let log = EntryLog::open(dir.path(), options()).unwrap();
        assert_eq!(log.report().blocks, 3);
        check_log(&log.reader(), 3);
    }
}

#[test]
fn a_durable_block_is_never_cut() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), options(), 3, 0);
    let good = files(dir.path());
    let segment = &good[&dir.path().join(SEGMENT)];
    for len in 0..segment.len() {
        restore(dir.path(), &good);
        fs::write(dir.path().join(SEGMENT), &segment[..len]).unwrap();
        let error = EntryLog::open(dir.path(), options())
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(&error, LogError::Damaged { .. }),
            "cut at {len}: {error}"
        );
        assert!(error.hint().unwrap().contains("stele doctor --repair"));
        if len >= 64 {
            assert_eq!(
                files(dir.path())[&dir.path().join(SEGMENT)].len(),
                len,
                "nothing is changed"
            );
        }
    }
    // Without the index, a later frame still proves that an earlier one was durable.
    let second = segment
        .windows(4)
        .enumerate()
        .filter(|(_, magic)| magic == b"STBK")
        .nth(1);
    for at in 64..second.unwrap().0 {
        restore(dir.path(), &good);
        fs::remove_file(dir.path().join("index.dat")).unwrap();
        let mut bad = segment.clone();
        bad[at] ^= 1;
        fs::write(dir.path().join(SEGMENT), &bad).unwrap();
        let error = EntryLog::open(dir.path(), options())
            .map(|_| ())
            .unwrap_err();
        match error {
            LogError::Damaged {
                file,
                offset,
                height,
                ..
            } => {
                assert!(file.ends_with(SEGMENT));
                assert_eq!((offset, height), (64, Height::new(0)));
            }
            LogError::UnsupportedVersion { .. } => assert!((68..70).contains(&at)),
            other => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn every_flipped_byte_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes_max: 500,
        ..options()
    };
    write_log(dir.path(), options.clone(), 6, 0);
    let good = files(dir.path());
    let segments: Vec<_> = good
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    assert!(segments.len() > 1);
    for path in segments {
        for at in 0..good[path].len() {
            restore(dir.path(), &good);
            let mut bad = good[path].clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(path, &bad).unwrap();
            let result = EntryLog::open(dir.path(), options.clone())
                .and_then(|log| log.reader().verify_all(|_, _| {}));
            match result.unwrap_err() {
                LogError::Damaged { file, .. } | LogError::UnsupportedVersion { file, .. } => {
                    // A flip in the first segment's salt is met as an index of another log, too.
                    assert!(
                        &file == path,
                        "byte {at} of {}: {}",
                        path.display(),
                        file.display()
                    );
                }
                other => panic!("byte {at} of {}: {other}", path.display()),
            }
        }
    }
}

#[test]
fn missing_segments_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes_max: 500,
        ..options()
    };
    write_log(dir.path(), options.clone(), 12, 0);
    let good = files(dir.path());
    let segments: Vec<_> = good
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    assert!(segments.len() > 2);
    for path in segments {
        restore(dir.path(), &good);
        fs::remove_file(path).unwrap();
        let error = EntryLog::open(dir.path(), options.clone())
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, LogError::Damaged { .. }),
            "{}: {error}",
            path.display()
        );
    }
}

#[test]
fn a_segment_that_was_being_created_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), options(), 5, 0);
    for len in [0, 10, 64] {
        fs::write(
            dir.path().join("entries-0000000000000005.seg"),
            vec![0; len],
        )
        .unwrap();
        let log = EntryLog::open(dir.path(), options()).unwrap();
        check_log(&log.reader(), 5);
        assert!(!dir.path().join("entries-0000000000000005.seg").exists());
    }
}

#[test]
fn repair_keeps_what_is_before_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes_max: 500,
        ..options()
    };
    write_log(dir.path(), options.clone(), 20, 0);
    let good = files(dir.path());
    let segments: Vec<_> = good
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    for path in &segments[1..] {
        for at in [9, good[*path].len() - 1] {
            restore(dir.path(), &good);
            let mut bad = good[*path].clone();
            bad[at] ^= 1;
            fs::write(path, &bad).unwrap();
            let report = cut_damaged(dir.path(), &options).unwrap();
            assert!(report.blocks > 0 && report.blocks < 20 && !report.set_aside.is_empty());
            let mut log = EntryLog::open(dir.path(), options.clone()).unwrap();
            check_log(&log.reader(), report.blocks);
            append(&mut log).unwrap();
            log.sync().unwrap();
        }
    }
    restore(dir.path(), &good);
    let untouched = cut_damaged(dir.path(), &options).unwrap();
    assert_eq!((untouched.blocks, untouched.set_aside.len()), (20, 0));
}

#[test]
fn lack_of_space_is_reported_and_passes() {
    for operation in [
        Operation::Reserve,
        Operation::Write(0),
        Operation::Write(30),
        Operation::Write(10_000),
    ] {
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            let dir = tempfile::tempdir().unwrap();
            let mut log = EntryLog::open(dir.path(), options()).unwrap();
            append(&mut log).unwrap();
            faults::plan(operation, errno);
            if operation == Operation::Reserve {
                // The reserve ahead and the one for the frame alone.
                faults::plan(operation, errno);
            }
            let error = append(&mut log).unwrap_err();
            assert!(matches!(error, LogError::NoSpace { .. }), "{error}");
            assert!(!log.is_poisoned());
            append(&mut log).unwrap();
            log.sync().unwrap();
            check_log(&log.reader(), 2);
            drop(log);
            check_log(&EntryLog::open(dir.path(), options()).unwrap().reader(), 2);
        }
    }
}

#[test]
fn a_failed_write_or_sync_poisons_the_log() {
    type Plan = fn();
    let plans: [Plan; 3] = [
        || faults::plan(Operation::Write(20), libc::EIO),
        || faults::plan(Operation::Sync, libc::EIO),
        || {
            faults::plan(Operation::Write(20), libc::ENOSPC);
            faults::plan(Operation::Truncate, libc::EIO);
        },
    ];
    for plan in plans {
        let dir = tempfile::tempdir().unwrap();
        let mut log = EntryLog::open(dir.path(), options()).unwrap();
        append(&mut log).unwrap();
        log.sync().unwrap();
        plan();
        let error = append(&mut log).and_then(|_| log.sync()).unwrap_err();
        assert!(matches!(error, LogError::Io { .. }), "{error}");
        assert!(matches!(append(&mut log), Err(LogError::Poisoned)));
        assert!(matches!(log.sync(), Err(LogError::Poisoned)));
        check_log(&log.reader(), 1);
        drop(log);
        let log = EntryLog::open(dir.path(), options()).unwrap();
        check_log(&log.reader(), log.report().blocks);
    }
}

/// A real full disk, where this process may mount one.
#[test]
fn a_full_file_system_is_survived() {
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path());
    if !mount.output().is_ok_and(|output| output.status.success()) {
        eprintln!(
            "mounting needs root; lack_of_space_is_reported_and_passes covers the same by injection"
        );
        return;
    }
    let _mounted = Mounted(dir.path().to_owned());
    let log_dir = dir.path().join("log");
    let mut log = EntryLog::open(&log_dir, LogOptions::default()).unwrap();
    let mut tree = TreeStore::open(&log_dir.join("tree"), &log.reader()).unwrap();
    let ballast = dir.path().join("ballast");
    fs::write(&ballast, vec![0; 300_000]).unwrap();
    let entry = vec![7u8; 1000];
    let mut blocks = 0;
    for _round in 0..3 {
        let error = loop {
            let height = log.next_height();
            if let Err(error) = log.append(height, b"header", &[&entry; 20], &[&entry[..100]; 20]) {
                break error;
            }
            tree.append_leaves(&[leaf_hash(&entry[..100]); 20]);
            log.sync().unwrap();
            // The tree's files may be full, too; it goes on from memory.
            let _ = tree.commit();
            blocks += 1;
        };
        assert!(matches!(error, LogError::NoSpace { .. }), "{error}");
        let reader = log.reader();
        assert_eq!(reader.blocks_count(), blocks);
        reader.verify_all(|_, _| {}).unwrap();
        let size = tree.committed_size();
        assert_eq!(size, blocks * 20);
        let proof = tree.reader().prove_inclusion(3, size).unwrap();
        verify_inclusion(&leaf_hash(&entry[..100]), 3, size, &proof, &tree.root()).unwrap();
        // Space returns.
        let len = fs::metadata(&ballast).unwrap().len();
        fs::File::options()
            .write(true)
            .open(&ballast)
            .unwrap()
            .set_len(len.saturating_sub(100_000))
            .unwrap();
    }
    assert!(blocks > 20);
    drop((log, tree));
    let log = EntryLog::open(&log_dir, LogOptions::default()).unwrap();
    assert_eq!(log.report().blocks, blocks);
}

fn tree_dir(dir: &Path) -> PathBuf {
    dir.join("tree")
}

fn check_tree(tree: &TreeStore, log: &LogReader) {
    let mut frontier = Frontier::new();
    let mut roots = vec![frontier.root()];
    let mut leaves = vec![];
    for block in log.blocks(Height::new(0)) {
        for (_, record) in block.unwrap().items() {
            leaves.push(leaf_hash(record));
            frontier.push(leaf_hash(record));
            roots.push(frontier.root());
        }
    }
    let (reader, size) = (tree.reader(), log.entries_count());
    assert_eq!((tree.committed_size(), reader.size()), (size, size));
    assert_eq!(tree.committed_root(), frontier.root());
    assert_eq!(reader.verify_all(log, |_, _| {}).unwrap(), size);
    for at in (0..size).step_by(37) {
        let proof = reader.prove_inclusion(at, size).unwrap();
        verify_inclusion(&leaves[at as usize], at, size, &proof, &tree.root()).unwrap();
        let (older, root) = (at + 1, roots[at as usize + 1]);
        assert_eq!(reader.root_at(older).unwrap(), root);
        let proof = reader.prove_consistency(older, size).unwrap();
        verify_consistency(older, &root, size, &tree.root(), &proof).unwrap();
    }
    assert!(matches!(
        reader.prove_inclusion(0, size + 1),
        Err(TreeError::NotCommitted { .. })
    ));
}

#[test]
fn the_tree_follows_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = EntryLog::open(dir.path(), options()).unwrap();
    let mut tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
    for _ in 0..400 {
        let (_, _, records) = items(log.next_height().get());
        let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
        // A block that is given up, then the one that stands.
        let before = tree.root();
        tree.append_leaves(&[[9; 32]; 3]);
        tree.rollback();
        assert_eq!(tree.root(), before);
        let root = tree.append_leaves(&leaves);
        append(&mut log).unwrap();
        log.sync().unwrap();
        assert_eq!(tree.committed_root(), before, "readers do not see it yet");
        tree.commit().unwrap();
        assert_eq!(tree.committed_root(), root);
    }
    check_tree(&tree, &log.reader());
    assert!(tree.size() > 700);

    // Behind the log, without and with a marker, and with leaves that the log never got.
    tree.append_leaves(&[[8; 32]; 1000]);
    tree.commit().unwrap();
    tree.flush().unwrap();
    drop(tree);
    let tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
    check_tree(&tree, &log.reader());
    drop(tree);
    for _ in 0..50 {
        append(&mut log).unwrap();
    }
    log.sync().unwrap();
    let mut tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
    check_tree(&tree, &log.reader());
    tree.flush().unwrap();
    drop(tree);

    // Any file of the tree may be lost or shortened.
    let good = files(&tree_dir(dir.path()));
    for path in good.keys() {
        for keep in [0, 31, 32] {
            restore(&tree_dir(dir.path()), &good);
            fs::write(path, &good[path][..keep.min(good[path].len())]).unwrap();
            check_tree(
                &TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap(),
                &log.reader(),
            );
        }
    }

    // A flipped bit deep inside is found by verifying, and goes with rebuilding.
    restore(&tree_dir(dir.path()), &good);
    let leaves = tree_dir(dir.path()).join("level-0.dat");
    let mut bad = good[&leaves].clone();
    bad[32 * 301 + 5] ^= 1;
    fs::write(&leaves, &bad).unwrap();
    let tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
    let error = tree
        .reader()
        .verify_all(&log.reader(), |_, _| {})
        .unwrap_err();
    assert!(
        matches!(
            error,
            TreeError::Mismatch {
                level: 0,
                index: 301
            }
        ),
        "{error}"
    );
    drop(tree);
    let tree = TreeStore::rebuild(&tree_dir(dir.path()), &log.reader(), |_, _| {}).unwrap();
    check_tree(&tree, &log.reader());
}

#[test]
fn a_tree_of_another_log_is_computed_again() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_log(first.path(), options(), 40, 0);
    write_log(second.path(), options(), 30, 0);
    let log = EntryLog::open(first.path(), options()).unwrap();
    TreeStore::open(&tree_dir(first.path()), &log.reader())
        .unwrap()
        .flush()
        .unwrap();
    let log = EntryLog::open(second.path(), options()).unwrap();
    let tree = TreeStore::open(&tree_dir(first.path()), &log.reader()).unwrap();
    check_tree(&tree, &log.reader());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Blocks, syncs, crashes (the process dies; the tail loses some bytes) against a list of blocks.
    #[test]
    fn any_history_keeps_what_was_synced(
        steps in proptest::collection::vec((0u8..8, any::<u16>()), 1..60),
        segment_bytes_max in 300u32..3000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes_max, ..options() };
        let mut log = EntryLog::open(dir.path(), options.clone()).unwrap();
        let mut tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
        let mut synced = 0;
        for (step, number) in steps {
            match step {
                0..=4 => {
                    append(&mut log).unwrap();
                }
                5..=6 => {
                    log.sync().unwrap();
                    synced = log.next_height().get();
                }
                _ => {
                    let pending = log.next_height().get() - log.reader().blocks_count();
                    synced = synced.max(log.reader().blocks_count());
                    drop((log, tree));
                    let (path, bytes) = files(dir.path())
                        .into_iter()
                        .rfind(|(path, _)| path.extension().is_some_and(|end| end == "seg"))
                        .unwrap();
                    if pending > 0 {
                        // At most the last frame's last byte is certain to be unsynced.
                        let cut = usize::from(number) % 60 + 1;
                        fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
                    }
                    log = EntryLog::open(dir.path(), options.clone()).unwrap();
                    tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
                    let kept = log.report().blocks;
                    prop_assert!(kept >= synced);
                    prop_assert_eq!(kept, synced + pending.saturating_sub(1));
                    synced = kept;
                }
            }
        }
        log.sync().unwrap();
        drop(tree);
        let tree = TreeStore::open(&tree_dir(dir.path()), &log.reader()).unwrap();
        check_tree(&tree, &log.reader());
        check_log(&log.reader(), log.next_height().get());
    }
}
