//! Torn and flipped files: whichever byte of a ledger's folder is wrong, opening it either gives exactly the same answers or a
//! typed error that names the file and the repair. Never a panic, never silently other data.

mod support;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use stele_core::id::LogIndex;
use stele_core::receipt::verify;
use stele_ledger::doctor;
use stele_ledger::ledger::{Head, Ledger, LedgerError, LedgerOptions, ProofError};
use stele_ledger::log::{LogOptions, cut_damaged};
use support::{World, copy_folder, quick_folder, record_event};

/// Small files, so that every kind of them has several.
fn options() -> LedgerOptions {
    LedgerOptions {
        state_segment_bytes: 2 << 10,
        log: LogOptions {
            segment_bytes_max: 4 << 10,
            reserve_bytes: 0,
            ..LogOptions::default()
        },
        ..World::options()
    }
}

/// All that a ledger answers.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    head: Head,
    /// Receipts, which hold entries, records, events and proofs.
    receipts: Vec<Vec<u8>>,
    state: Vec<Vec<u8>>,
}

const KEYS: u64 = 8;

fn answers(world: &World, dir: &Path) -> Result<Answers, LedgerError> {
    let ledger = world.try_open(dir, options())?;
    let head = ledger.head();
    let network = ledger.descriptor();
    let mut receipts = Vec::new();
    for index in 0..head.log_size().get() {
        let receipt = ledger.entry_receipt(LogIndex::new(index), true)?.encode();
        verify(&receipt, &network).expect("a receipt that is given out is valid");
        receipts.push(receipt);
    }
    let mut state = Vec::new();
    for seed in 0..KEYS {
        let kid = support::key(seed).public().kid();
        let key = [b"key/".as_slice(), kid.as_bytes()].concat();
        let receipt = match ledger.state_receipt(&[("identity", &key)]) {
            Ok(receipt) => receipt.encode(),
            Err(ProofError::Ledger(error)) => return Err(error),
            Err(error) => panic!("{error}"),
        };
        verify(&receipt, &network).expect("a receipt that is given out is valid");
        state.push(receipt);
    }
    Ok(Answers {
        head,
        receipts,
        state,
    })
}

/// A ledger with several segments of each kind. `crashed`: as a kill leaves it, with frames after the last checkpoint.
fn build(world: &World, crashed: bool, to: &Path) -> Answers {
    // The certificates of both folders are the same only because both are one ledger's.
    let ledger = world.open_with(options());
    let first = ledger.head().log_size().get();
    for n in 0..6 {
        let mill = world.register(&ledger, first + n + 1, &format!("Fictional Mill {n}"));
        for m in 0..3u8 {
            let event = record_event(&format!("urn:example:damage:{n}:{m}"), [m; 32]);
            support::submit(&ledger, &mill.entry(world, "trace", vec![event])).expect("ordered");
        }
    }
    if crashed {
        copy_folder(world.dir(), to);
        drop(ledger);
    } else {
        drop(ledger);
        copy_folder(world.dir(), to);
    }
    let copy = quick_folder();
    copy_folder(to, copy.path());
    answers(world, copy.path()).expect("whole")
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            let is_lock = path
                .file_name()
                .is_some_and(|name| name.eq_ignore_ascii_case("lock"));
            if path.is_dir() {
                folders.push(path);
            } else if !is_lock {
                found.push(path.strip_prefix(dir).expect("within").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// How much of a folder is damaged.
struct Extent {
    flips: usize,
    cuts: usize,
    ends: usize,
    /// Of files with a number in their name: the first ones and the last.
    files_of_a_kind: usize,
}

const BRIEF: Extent = Extent {
    flips: 3,
    cuts: 2,
    ends: 1,
    files_of_a_kind: 2,
};

const THOROUGH: Extent = Extent {
    flips: 60,
    cuts: 20,
    ends: 8,
    files_of_a_kind: usize::MAX,
};

/// A file's path without the digits of its number.
fn kind(file: &Path) -> String {
    let is_name = |c: &char| !c.is_ascii_digit() && !('a'..='f').contains(c);
    file.to_string_lossy().chars().filter(is_name).collect()
}

/// Files that hold something, the last and the first `most - 1` of each kind.
fn chosen(files: Vec<PathBuf>, most: usize) -> Vec<PathBuf> {
    let mut kinds: std::collections::BTreeMap<String, Vec<PathBuf>> = Default::default();
    for file in files {
        kinds.entry(kind(&file)).or_default().push(file);
    }
    let mut chosen = Vec::new();
    for mut files in kinds.into_values() {
        chosen.extend(files.pop());
        chosen.extend(files.into_iter().take(most - 1));
    }
    chosen
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
    Remove,
}

impl Damage {
    fn apply(self, file: &Path) {
        match self {
            Self::Flip(at) => {
                let mut bytes = std::fs::read(file).expect("readable");
                bytes[at] ^= 1 << (at % 8);
                std::fs::write(file, bytes).expect("written");
            }
            Self::Cut(at) => {
                let file = std::fs::File::options().write(true).open(file);
                file.expect("opens").set_len(at as u64).expect("cut");
            }
            Self::Remove => std::fs::remove_file(file).expect("removed"),
        }
    }
}

/// Places spread over a file, and the last `ends` bytes.
fn places(len: usize, count: usize, ends: usize) -> Vec<usize> {
    let mut places: Vec<_> = (0..count.min(len)).map(|n| n * len / count).collect();
    places.extend((1..=ends).filter_map(|back| len.checked_sub(back)));
    places.sort_unstable();
    places.dedup();
    places
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

#[derive(Default, Debug)]
struct Count {
    same: usize,
    detected: usize,
    found_by_doctor: usize,
    repaired: usize,
    cut: usize,
}

struct Case<'a> {
    world: &'a World,
    image: &'a Path,
    file: &'a Path,
    damage: Damage,
    wanted: &'a Answers,
}

impl Case<'_> {
    fn run(&self, count: &mut Count) {
        let what = format!("{:?} of {}", self.damage, self.file.display());
        let run = AssertUnwindSafe(|| self.judge(&what, count));
        catch_unwind(run).unwrap_or_else(|_| panic!("{what}: see the panic above"));
    }

    fn damaged(&self) -> tempfile::TempDir {
        let folder = quick_folder();
        copy_folder(self.image, folder.path());
        self.damage.apply(&folder.path().join(self.file));
        folder
    }

    fn judge(&self, what: &str, count: &mut Count) {
        let folder = self.damaged();
        let opened = answers(self.world, folder.path());
        let looked = self.damaged();
        let doctor = doctor::check(looked.path(), &mut |_, _, _| {});
        match &opened {
            Ok(found) => {
                assert_eq!(found, self.wanted, "{what}: other answers");
                count.same += 1;
            }
            Err(error) => {
                self.check_error(what, error);
                count.detected += 1;
            }
        }
        if let Err(error) = &doctor {
            self.check_error(what, error);
            count.found_by_doctor += 1;
        }
        if opened.is_err() || doctor.is_err() {
            self.repair(what, count);
        }
    }

    fn part(&self) -> &str {
        let first = self.file.components().next().expect("a name");
        first.as_os_str().to_str().expect("UTF-8")
    }

    fn check_error(&self, what: &str, error: &LedgerError) {
        let text = chain(error);
        let name = self.file.file_name().expect("a name").to_string_lossy();
        let names_it = text.contains(&*name)
            || match self.part() {
                "log" => text.contains("log") || text.contains("block"),
                "tree" => text.contains("tree") || text.contains("tile level"),
                "state" => text.contains("state"),
                _ => false,
            };
        assert!(names_it, "{what}: the error does not name the file: {text}");
        let hint = error
            .hint()
            .unwrap_or_else(|| panic!("{what}: no hint: {text}"));
        let offers_repair = hint.contains("stele doctor") || hint.contains("version");
        assert!(offers_repair, "{what}: the hint offers no repair: {hint}");
    }

    /// What is derived comes back whole; of a damaged log the part before the damage does.
    fn repair(&self, what: &str, count: &mut Count) {
        let folder = self.damaged();
        let dir = folder.path();
        match self.part() {
            "tree" | "state" => {
                doctor::rebuild(dir, self.world.machine(), &mut |_, _, _| {})
                    .unwrap_or_else(|error| panic!("{what}: not rebuilt: {}", chain(&error)));
                doctor::check(dir, &mut |_, _, _| {})
                    .unwrap_or_else(|error| panic!("{what}: still wrong: {}", chain(&error)));
                assert_eq!(&answers(self.world, dir).expect(what), self.wanted);
                count.repaired += 1;
            }
            "log" => match cut_damaged(&dir.join("log"), &LogOptions::default()) {
                // A first segment that is not recognised, or of an unknown version, is beyond cutting.
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(_) => {
                    match doctor::rebuild(dir, self.world.machine(), &mut |_, _, _| {}) {
                        Ok(0) => return,
                        Ok(_) => {}
                        Err(error) => panic!("{what}: not rebuilt: {}", chain(&error)),
                    }
                    let found = answers(self.world, dir).expect(what);
                    let kept = found.receipts.len();
                    assert_eq!(found.receipts, self.wanted.receipts[..kept], "{what}");
                    count.cut += 1;
                }
            },
            _ => {}
        }
    }
}

fn damage_everything(test: &str, crashed: bool, extent: &Extent) {
    let home = quick_folder();
    let world = World::new_in(&home.path().join("ledger"));
    let image = home.path().join("image");
    if crashed {
        // An earlier, clean session leaves a checkpoint for the crash to start from.
        build(&world, false, &home.path().join("earlier"));
    }
    let wanted = build(&world, crashed, &image);
    assert!(wanted.receipts.len() >= 24);
    let mut kinds = std::collections::BTreeSet::new();
    for file in chosen(files(&image), extent.files_of_a_kind) {
        let len = std::fs::metadata(image.join(&file)).expect("there").len() as usize;
        let mut count = Count::default();
        let flips = places(len, extent.flips, extent.ends).into_iter();
        let cuts = places(len, extent.cuts, extent.ends).into_iter();
        let damages = flips.map(Damage::Flip).chain(cuts.map(Damage::Cut));
        for damage in damages.chain([Damage::Remove]) {
            let case = Case {
                world: &world,
                image: &image,
                file: &file,
                damage,
                wanted: &wanted,
            };
            case.run(&mut count);
        }
        eprintln!("{test}: {} ({len} bytes): {count:?}", file.display());
        kinds.insert(kind(&file));
    }
    assert!(kinds.len() >= 7, "too few kinds of files: {kinds:?}");
}

#[test]
fn damage_after_a_clean_close_is_harmless_or_named() {
    damage_everything("clean", false, &BRIEF);
}

#[test]
fn damage_after_a_crash_is_harmless_or_named() {
    damage_everything("crashed", true, &BRIEF);
}

#[test]
fn damage_at_many_places_is_harmless_or_named_slow_() {
    damage_everything("clean", false, &THOROUGH);
    damage_everything("crashed", true, &THOROUGH);
}

/// A genesis of another network would have this node sign and refuse in a wrong name.
#[test]
fn the_genesis_of_another_network_is_noticed() {
    let world = World::new();
    let other = World::new();
    std::fs::copy(
        other.dir().join("genesis.cbor"),
        world.dir().join("genesis.cbor"),
    )
    .expect("copied");
    let error = world
        .try_open(world.dir(), options())
        .expect_err("another network");
    assert!(chain(&error).contains("genesis.cbor"), "{}", chain(&error));
    let error = doctor::check(world.dir(), &mut |_, _, _| {}).expect_err("another network");
    assert!(chain(&error).contains("genesis.cbor"), "{}", chain(&error));
    assert!(Ledger::exists(world.dir()));
}

/// A start that was cut short after block 0 is taken up by another one, whichever genesis that has; a ledger in use is never overwritten.
#[test]
fn a_creation_that_was_cut_short_is_taken_up_and_a_ledger_in_use_is_not_replaced() {
    let (begun, other) = (World::new(), World::new());
    let create = |world: &World| {
        let key = support::key(1000);
        Ledger::create(begun.dir(), world.genesis(), world.machine(), &key)
    };
    let genesis = begun.dir().join("genesis.cbor");
    for world in [&begun, &other, &begun] {
        std::fs::remove_file(&genesis).expect("removed");
        create(world).expect("begun again");
        let network = Ledger::read_genesis(begun.dir()).expect("written");
        assert_eq!(network.network_id(), world.genesis().network_id());
        doctor::check(begun.dir(), &mut |_, _, _| {}).expect("whole");
        std::fs::remove_dir_all(begun.dir().join("tree")).expect("as before the first opening");
    }
    drop(begun.open());
    std::fs::remove_file(&genesis).expect("removed");
    for world in [&begun, &other] {
        let error = create(world).expect_err("a ledger in use");
        assert!(chain(&error).contains("genesis.cbor"), "{}", chain(&error));
    }
}

/// The tree's hashes are read from its files as they are: a wrong one must not get into a receipt.
#[test]
fn a_wrong_hash_of_the_tree_never_gets_into_a_receipt() {
    let home = quick_folder();
    let world = World::new_in(&home.path().join("ledger"));
    build(&world, false, &home.path().join("image"));
    let ledger = world.open_with(options());
    let whole = ledger.entry_receipt(LogIndex::new(3), true);
    whole.expect("a receipt");
    let level = world.dir().join("tree/level-0.dat");
    let len = std::fs::metadata(&level).expect("there").len();
    std::fs::write(&level, vec![0xee; len as usize]).expect("written");
    let error = ledger
        .entry_receipt(LogIndex::new(3), true)
        .expect_err("a wrong proof");
    assert!(chain(&error).contains("tree"), "{}", chain(&error));
    assert!(error.hint().expect("a hint").contains("stele doctor"));
    drop(ledger);
    doctor::rebuild(world.dir(), world.machine(), &mut |_, _, _| {}).expect("rebuilt");
    doctor::check(world.dir(), &mut |_, _, _| {}).expect("whole");
}
