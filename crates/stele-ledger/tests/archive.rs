//! The archive: old segments leave the hot folder, and nothing else changes; a kill at any step, and what is missing or damaged.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stele_core::entry::WINDOW_MS_MAX;
use stele_core::id::{Height, LogIndex};
use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{Ledger, LedgerError, LedgerOptions};
use stele_ledger::log::{LogError, LogOptions};
use stele_ledger::tiles::{TilePath, entry_bundle, tiles_of};
use support::timed::Timed;
use support::{copy_folder, quick_folder};

fn segments(dir: &Path, ending: &str) -> BTreeSet<PathBuf> {
    let files = fs::read_dir(dir).into_iter().flatten();
    files
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

/// Four hours of entries in many small segments.
fn history(timed: &Timed, ledger: &Ledger) {
    timed.register(ledger);
    for round in 0..8 {
        timed.events(ledger, round * 300, 300);
        timed.pass(WINDOW_MS_MAX / 2);
    }
}

/// Every answer about every entry, as bytes.
fn answers(ledger: &Ledger) -> Vec<Vec<u8>> {
    let size = ledger.head().log_size().get();
    let network = ledger.descriptor();
    let mut answers = Vec::new();
    for index in 0..size {
        let receipt = ledger.entry_receipt(LogIndex::new(index), true);
        let receipt = receipt.expect("a receipt").encode();
        if index % 50 == 0 {
            verify(&receipt, &network).expect("valid");
        }
        answers.push(receipt);
    }
    for tile in tiles_of(size) {
        if let TilePath::Entries { index, width } = tile {
            answers.push(entry_bundle(ledger.log(), index, width).expect("a bundle"));
        }
    }
    let blocks = ledger
        .certified_blocks(Height::new(0), usize::MAX, usize::MAX)
        .expect("blocks");
    answers.extend(blocks.into_iter().flat_map(|block| block.entries));
    answers
}

struct Archived {
    folder: tempfile::TempDir,
    timed: Timed,
    answers: Vec<Vec<u8>>,
}

impl Archived {
    /// A ledger before it was archived, in `before`, and after, in `ledger`.
    fn new() -> Self {
        let folder = quick_folder();
        let timed = Timed::new(&folder.path().join("ledger"));
        let ledger = timed.world.open_with(timed.options());
        history(&timed, &ledger);
        let answers = answers(&ledger);
        drop(ledger);
        copy_folder(timed.world.dir(), &folder.path().join("before"));
        let ledger = timed.world.open_with(timed.options());
        let moved = ledger.archive(0).expect("archived");
        assert!(moved >= 3, "{moved}");
        drop(ledger);
        Self {
            folder,
            timed,
            answers,
        }
    }

    fn log(&self) -> PathBuf {
        self.timed.world.dir().join("log")
    }

    fn open(&self, dir: &Path) -> Ledger {
        self.timed
            .world
            .try_open(dir, self.timed.options())
            .expect("opens")
    }
}

#[test]
fn what_was_archived_is_answered_as_before() {
    let archived = Archived::new();
    let log = archived.log();
    let sealed = segments(&log.join("archive"), "seg");
    assert_eq!(sealed.len(), segments(&log.join("archive"), "seal").len());
    let hot = segments(&log, "seg");
    let before = segments(&archived.folder.path().join("before/log"), "seg");
    assert_eq!(hot.len() + sealed.len(), before.len());
    // Segments keep their bytes.
    for path in &sealed {
        let name = path.file_name().expect("a name");
        let original = archived.folder.path().join("before/log").join(name);
        assert_eq!(
            fs::read(path).expect("readable"),
            fs::read(original).expect("readable")
        );
    }
    let ledger = archived.open(archived.timed.world.dir());
    assert_eq!(answers(&ledger), archived.answers);
    let status = ledger.log().archive();
    assert_eq!(status.segments, sealed.len() as u64);
    assert_eq!(ledger.log().first_hot_height().get(), status.blocks);
    assert_eq!(ledger.archive(0).expect("nothing to do"), 0);
    // The last hour stays hot.
    let first_hot = ledger.certificate(ledger.log().first_hot_height());
    let first_hot = first_hot.expect("held").header.time.get();
    assert!(first_hot + WINDOW_MS_MAX < ledger.head().time().get());
    archived.timed.events(&ledger, 9_000, 10);
    let path = archived.folder.path().join("a.snapshot");
    ledger.export_snapshot(&path).expect("exported");
    drop(ledger);
    let dir = archived.timed.world.dir();
    doctor::check(dir, &mut |_, _, _| {}).expect("whole");
    // All that is derived comes back through the archive.
    fs::remove_dir_all(dir.join("tree")).expect("removed");
    fs::remove_file(log.join("index.dat")).expect("removed");
    doctor::rebuild(dir, archived.timed.world.machine(), &mut |_, _, _| {}).expect("rebuilt");
    let ledger = archived.open(dir);
    let again = answers(&ledger);
    assert_eq!(again[..2_401], archived.answers[..2_401]);
}

/// The last hour of blocks and the segments that it begins in, with room for a move that is under way.
const HOT_MAX: u64 = 1_000_000;

#[test]
fn the_hot_folder_stays_bounded_while_the_log_grows() {
    let folder = quick_folder();
    let timed = Timed::new(&folder.path().join("ledger"));
    let ledger = timed.world.open_with(LedgerOptions {
        archive_after_blocks: Some(8),
        log: LogOptions {
            archive_dir: Some(folder.path().join("cheap")),
            ..timed.options().log
        },
        ..timed.options()
    });
    timed.register(&ledger);
    let log = timed.world.dir().join("log");
    let bytes = |dir: &Path| -> u64 {
        let files = segments(dir, "seg").into_iter();
        files
            .map(|path| fs::metadata(path).map_or(0, |file| file.len()))
            .sum()
    };
    let (mut most, mut total) = (0, 0);
    let mut extra = 100_000;
    for round in 0..60 {
        timed.events(&ledger, round * 100, 100);
        timed.pass(WINDOW_MS_MAX / 3);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        // A move begins with a block, and takes a moment.
        while bytes(&log) > HOT_MAX && std::time::Instant::now() < deadline {
            timed.events(&ledger, extra, 1);
            extra += 1;
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        most = most.max(bytes(&log));
        total = bytes(&log) + bytes(&folder.path().join("cheap"));
    }
    assert_eq!(ledger.archive_fault(), None);
    assert!(total > 3 * HOT_MAX, "{total}");
    assert!(most <= HOT_MAX, "{most} of {total}");
    assert!(answers(&ledger).len() > 12_000);
}

#[test]
fn a_missing_or_damaged_segment_is_named_and_nothing_else_suffers() {
    let archived = Archived::new();
    let dir = archived.timed.world.dir();
    let archive = archived.log().join("archive");
    let ledger = archived.open(dir);
    let victim = segments(&archive, "seg").into_iter().nth(1).expect("two");
    let seal = victim.with_extension("seal");
    let (whole, whole_seal) = (
        fs::read(&victim).expect("readable"),
        fs::read(&seal).expect("readable"),
    );
    let ask = |ledger: &Ledger| -> (Vec<u64>, Option<String>) {
        let (mut refused, mut reason) = (Vec::new(), None);
        for index in 0..ledger.head().log_size().get() {
            match ledger.entry_receipt(LogIndex::new(index), true) {
                Ok(receipt) => {
                    let expected = archived.answers.get(index as usize);
                    assert!(index > 2_400 || Some(&receipt.encode()) == expected);
                }
                Err(LedgerError::Log(error)) => {
                    assert!(error.hint().expect("a hint").contains("put the file"));
                    let LogError::Archived {
                        segment,
                        reason: why,
                        ..
                    } = error
                    else {
                        panic!("{error}");
                    };
                    assert_eq!(segment, victim);
                    refused.push(index);
                    reason = Some(why);
                }
                Err(error) => panic!("{error}"),
            }
        }
        (refused, reason)
    };
    let (refused, _) = ask(&ledger);
    assert!(refused.is_empty(), "{refused:?}");
    let restore = || {
        // As a person does it: under another inode.
        fs::write(archive.join("copy"), &whole).expect("written");
        fs::rename(archive.join("copy"), &victim).expect("renamed");
        fs::write(&seal, &whole_seal).expect("written");
    };
    let damages: [(&str, &dyn Fn()); 6] = [
        ("missing", &|| fs::remove_file(&victim).expect("removed")),
        ("no seal", &|| fs::remove_file(&seal).expect("removed")),
        ("a flipped bit", &|| {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(&victim, bytes).expect("written");
        }),
        ("cut", &|| {
            fs::write(&victim, &whole[..whole.len() - 1]).expect("written");
        }),
        ("empty", &|| fs::write(&victim, []).expect("written")),
        ("another seal", &|| {
            let mut bytes = whole_seal.clone();
            bytes[70] ^= 1;
            fs::write(&seal, bytes).expect("written");
        }),
    ];
    drop(ledger);
    for (number, (what, damage)) in damages.into_iter().enumerate() {
        damage();
        // The node starts, takes entries, and refuses what lies in the segment alone.
        let ledger = archived.open(dir);
        let (refused, reason) = ask(&ledger);
        assert!(!refused.is_empty(), "{what}");
        assert!(reason.is_some());
        archived.timed.events(&ledger, 20_000 + number as u64, 1);
        // Put back, it is read again without a restart.
        restore();
        assert!(ask(&ledger).0.is_empty(), "{what}");
        drop(ledger);
        damage();
        let error = doctor::check(dir, &mut |_, _, _| {}).expect_err(what);
        assert!(
            matches!(&error, LedgerError::Log(LogError::Archived { segment, .. }) if *segment == victim),
            "{what}: {error}"
        );
        restore();
    }
    // The whole archive is away, as when its disk is not mounted.
    fs::rename(&archive, archived.folder.path().join("away")).expect("renamed");
    let ledger = archived.open(dir);
    archived.timed.events(&ledger, 30_000, 5);
    let error = ledger.entry(LogIndex::new(0)).expect_err("away");
    assert!(matches!(error, LedgerError::Log(LogError::Archived { .. })));
    let last = LogIndex::new(ledger.head().log_size().get() - 1);
    ledger.entry_receipt(last, true).expect("a receipt");
    fs::rename(archived.folder.path().join("away"), &archive).expect("renamed");
    ledger
        .entry_receipt(LogIndex::new(0), true)
        .expect("a receipt");
    drop(ledger);
    doctor::check(dir, &mut |_, _, _| {}).expect("whole");
}

/// The states that a kill between two steps of a move leaves, put together from the folder before and after.
#[test]
fn a_move_that_was_cut_short_is_ended() {
    let archived = Archived::new();
    let before = archived.folder.path().join("before");
    let after = archived.timed.world.dir();
    let last = segments(&after.join("log/archive"), "seg");
    let last = last.last().expect("some").clone();
    let name = last.file_name().expect("a name").to_owned();
    let seal = last.with_extension("seal");
    let seal_name = seal.file_name().expect("a name").to_owned();
    type Step<'a> = (&'a str, Box<dyn Fn(&Path) + 'a>);
    let into_archive = |dir: &Path, files: &[(&Path, Vec<u8>)]| {
        let archive = dir.join("log/archive");
        fs::create_dir_all(&archive).expect("a folder");
        for (name, bytes) in files {
            fs::write(archive.join(name), bytes).expect("written");
        }
    };
    let first = segments(&after.join("log/archive"), "seg");
    let first = first.first().expect("some").clone();
    let whole = fs::read(&first).expect("readable");
    let first_name = PathBuf::from(first.file_name().expect("a name"));
    let first_seal = first.with_extension("seal");
    let first_seal_name = PathBuf::from(first_seal.file_name().expect("a name"));
    let seal_bytes = fs::read(&first_seal).expect("readable");
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let from_before: Vec<Step<'_>> = vec![
        (
            "half of the copy",
            Box::new(|dir| into_archive(dir, &[(&first_name.with_extension("new"), half(&whole))])),
        ),
        (
            "the copy",
            Box::new(|dir| into_archive(dir, &[(&first_name, whole.clone())])),
        ),
        (
            "the copy and half of its seal",
            Box::new(|dir| {
                let new = PathBuf::from(format!("{}.new", first_seal_name.display()));
                into_archive(
                    dir,
                    &[(&first_name, whole.clone()), (&new, half(&seal_bytes))],
                );
            }),
        ),
        (
            "the copy and its seal",
            Box::new(|dir| {
                let seal = (first_seal_name.as_path(), seal_bytes.clone());
                into_archive(dir, &[(&first_name, whole.clone()), seal]);
            }),
        ),
        (
            "a seal without a copy",
            Box::new(|dir| into_archive(dir, &[(&first_seal_name, seal_bytes.clone())])),
        ),
        (
            "half of the catalogue",
            Box::new(|dir| {
                let seal = (first_seal_name.as_path(), seal_bytes.clone());
                into_archive(dir, &[(&first_name, whole.clone()), seal]);
                fs::write(dir.join("log/archive.dat.new"), b"STELEARC").expect("written");
            }),
        ),
    ];
    let hot_again = |dir: &Path| {
        let hot = dir.join("log").join(&name);
        fs::copy(before.join("log").join(&name), hot).expect("copied");
    };
    let from_after: Vec<Step<'_>> = vec![
        ("both copies", Box::new(hot_again)),
        (
            "both copies, the archived one is damaged",
            Box::new(|dir| {
                hot_again(dir);
                let bytes = half(&fs::read(&last).expect("readable"));
                fs::write(dir.join("log/archive").join(&name), bytes).expect("written");
            }),
        ),
        (
            "both copies, the archived one is missing",
            Box::new(|dir| {
                hot_again(dir);
                fs::remove_file(dir.join("log/archive").join(&name)).expect("removed");
            }),
        ),
        (
            "both copies, the seal is missing",
            Box::new(|dir| {
                hot_again(dir);
                fs::remove_file(dir.join("log/archive").join(&seal_name)).expect("removed");
            }),
        ),
        (
            "the catalogue is missing",
            Box::new(|dir| fs::remove_file(dir.join("log/archive.dat")).expect("removed")),
        ),
    ];
    for (start, steps) in [(before.as_path(), from_before), (after, from_after)] {
        for (what, step) in steps {
            let dir = archived.folder.path().join("cut-short");
            let _ = fs::remove_dir_all(&dir);
            copy_folder(start, &dir);
            step(&dir);
            let ledger = archived.open(&dir);
            assert_eq!(answers(&ledger), archived.answers, "{what}");
            ledger.archive(0).expect(what);
            assert_eq!(answers(&ledger), archived.answers, "{what}, ended");
            drop(ledger);
            doctor::check(&dir, &mut |_, _, _| {}).expect(what);
            let names = |dir: &Path| -> BTreeSet<_> {
                let paths = segments(dir, "seg").into_iter();
                paths
                    .map(|path| path.file_name().expect("a name").to_owned())
                    .collect()
            };
            for folder in ["log", "log/archive"] {
                assert_eq!(
                    names(&dir.join(folder)),
                    names(&after.join(folder)),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn two_nodes_do_not_share_an_archive() {
    let archived = Archived::new();
    let folder = quick_folder();
    let other = Timed::new(&folder.path().join("ledger"));
    let options = LedgerOptions {
        log: LogOptions {
            archive_dir: Some(archived.log().join("archive")),
            ..other.options().log
        },
        ..other.options()
    };
    let ledger = other.world.open_with(options);
    history(&other, &ledger);
    let answers_before = answers(&ledger);
    let error = ledger.archive(0).expect_err("taken");
    assert!(
        matches!(&error, LedgerError::Log(LogError::ArchiveTaken { .. })),
        "{error}"
    );
    assert!(error.hint().is_some());
    assert_eq!(answers(&ledger), answers_before);
    let first = archived.open(archived.timed.world.dir());
    assert_eq!(answers(&first), archived.answers);
}

#[test]
fn a_damaged_segment_is_not_sealed() {
    let archived = Archived::new();
    let dir = archived.folder.path().join("before");
    let victim = segments(&dir.join("log"), "seg");
    let victim = victim.first().expect("some");
    let mut bytes = fs::read(victim).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(victim, bytes).expect("written");
    let ledger = archived.open(&dir);
    let error = ledger.archive(0).expect_err("damaged");
    assert!(
        matches!(&error, LedgerError::Log(LogError::Damaged { file, .. }) if file == victim),
        "{error}"
    );
    assert!(victim.exists());
    assert_eq!(ledger.log().archive().segments, 0);
}
