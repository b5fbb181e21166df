//! The embedded read model against the contract, crashes, damage and a plain vector.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stele_core::id::TimeMs;
use stele_readmodel::contract::{self, expected, feed, filters, log, pages, party};
use stele_readmodel::{
    Batch, EntryFilter, Order, PageRequest, ReadModel, ReadModelError, SqliteReadModel,
};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("read.db");
    (folder, file)
}

#[test]
fn the_contract_holds() {
    let mut folders = Vec::new();
    contract::check(|| {
        let (folder, file) = folder();
        folders.push(folder);
        SqliteReadModel::open(file).expect("a model")
    });
}

/// What a power cut or kill -9 leaves: the files as they are at this moment, with the writer still at work.
fn crash_image(file: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::copy(name(file), name(to)).expect("a copy");
    }
}

#[test]
fn a_crash_between_batches_resumes_without_gap_or_repetition() {
    let log = log(11, 300);
    let (_folder, file) = folder();
    let model = SqliteReadModel::open(&file).expect("a model");
    for (round, end) in [(0, 50), (1, 51), (2, 200)] {
        feed(&model, &log[..end], 17);
        let copy = file.with_file_name(format!("crash-{round}.db"));
        crash_image(&file, &copy);
        let revived = SqliteReadModel::open(&copy).expect("the copy opens");
        let position = revived.position().expect("a position");
        assert_eq!(position.next_entry.get(), end as u64);
        feed(&revived, &log, 100);
        for filter in filters() {
            let found: Vec<_> = pages(&revived, &filter, Order::NewestFirst, 50)
                .iter()
                .map(|row| row.log_index)
                .collect();
            assert_eq!(found, expected(&log, &filter, Order::NewestFirst));
        }
        assert_eq!(revived.totals().expect("counts").entries, 300);
    }
}

#[test]
fn a_torn_log_of_writes_loses_whole_batches_only() {
    let log = log(12, 200);
    let (_folder, file) = folder();
    let model = SqliteReadModel::open(&file).expect("a model");
    feed(&model, &log, 20);
    let whole = std::fs::metadata(format!("{}-wal", file.display()))
        .expect("a log")
        .len();
    for (round, keep) in [whole - 1, whole / 2, whole / 3, 4000]
        .into_iter()
        .enumerate()
    {
        let copy = file.with_file_name(format!("torn-{round}.db"));
        crash_image(&file, &copy);
        std::fs::OpenOptions::new()
            .write(true)
            .open(format!("{}-wal", copy.display()))
            .and_then(|f| f.set_len(keep))
            .expect("a torn log");
        // The very first commit creates the tables; without it the file is new.
        let revived = SqliteReadModel::open(&copy).expect("the copy opens");
        let next = revived.position().expect("a position").next_entry.get();
        assert!(
            next < 200 && next % 20 == 0,
            "stands between two batches: {next}"
        );
        feed(&revived, &log, 64);
        assert_eq!(revived.totals().expect("counts").entries, 200);
    }
}

#[test]
fn damage_after_a_crash_is_detected_and_a_rebuild_helps() {
    let log = log(13, 600);
    let (_folder, file) = folder();
    {
        let model = SqliteReadModel::open(&file).expect("a model");
        feed(&model, &log, 100);
    }
    let clean = std::fs::read(&file).expect("the file");
    // Mark the file as not closed in order, as a crash leaves it.
    drop(SqliteReadModel::open(&file).expect("it opens"));
    let copy = file.with_file_name("damaged.db");
    {
        let model = SqliteReadModel::open(&file).expect("a model");
        model.apply(Batch::default()).expect("an empty batch");
        crash_image(&file, &copy);
    }
    let mut bytes = std::fs::read(&copy).expect("the copy");
    assert_eq!(bytes.len(), clean.len());
    // One page in four loses its head; a flipped bit inside a value would be found by nothing but a rebuild.
    for page in bytes.chunks_mut(8192).skip(3).step_by(4) {
        page[..64].fill(0xff);
    }
    std::fs::write(&copy, &bytes).expect("written");
    let damaged = SqliteReadModel::open(&copy).expect_err("it is damaged");
    assert!(
        matches!(damaged, ReadModelError::Damaged { .. }),
        "{damaged:?}"
    );
    assert!(damaged.to_string().contains("rebuild"), "{damaged}");
    SqliteReadModel::remove(&copy).expect("removed");
    let rebuilt = SqliteReadModel::open(&copy).expect("a new one");
    feed(&rebuilt, &log, 100);
    assert_eq!(rebuilt.totals().expect("counts").entries, 600);
}

#[test]
fn other_files_are_not_taken_over() {
    let (_folder, file) = folder();
    std::fs::write(
        &file,
        "not a database, but long enough to look at, is it not?".repeat(40),
    )
    .expect("written");
    assert!(matches!(
        SqliteReadModel::open(&file),
        Err(ReadModelError::Damaged { .. })
    ));
    let other = file.with_file_name("other.db");
    rusqlite::Connection::open(&other)
        .and_then(|db| db.execute_batch("CREATE TABLE theirs (x)"))
        .expect("another program's file");
    assert!(matches!(
        SqliteReadModel::open(&other),
        Err(ReadModelError::Damaged { .. })
    ));
    let newer = file.with_file_name("newer.db");
    drop(SqliteReadModel::open(&newer).expect("a model"));
    rusqlite::Connection::open(&newer)
        .and_then(|db| db.execute_batch("PRAGMA user_version = 999"))
        .expect("changed");
    assert!(matches!(
        SqliteReadModel::open(&newer),
        Err(ReadModelError::OtherLayout { found: 999, .. })
    ));
}

#[test]
fn readers_see_whole_batches_while_the_writer_works() {
    let log = log(14, 2_000);
    let (_folder, file) = folder();
    let model = SqliteReadModel::open(&file).expect("a model");
    std::thread::scope(|scope| {
        scope.spawn(|| feed(&model, &log, 50));
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let totals = model.totals().expect("counts");
                    assert_eq!(totals.entries % 50, 0);
                    let page = model
                        .entries(&EntryFilter::default(), &PageRequest::default())
                        .expect("a page");
                    let newest = page.rows.first().map_or(0, |r| r.log_index.get() + 1);
                    assert!(newest >= totals.entries && newest % 50 == 0);
                    if totals.entries == 2_000 {
                        break;
                    }
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any filter, any page size, any batching: the pages joined are the vector's answer.
    #[test]
    fn pages_agree_with_a_vector(
        seed in 0u64..1000,
        length in 1usize..160,
        batch in 1usize..60,
        limit in 1usize..20,
        oldest in any::<bool>(),
        register in proptest::option::of(0usize..3),
        mentioned in proptest::option::of(0u64..9),
        applied in proptest::option::of(any::<bool>()),
        window in proptest::option::of((0u64..2_000_000, 0u64..2_000_000)),
        text in proptest::option::of("(olive|oli|recall|lot urn|carrier|[a-zA-Z ]{1,3})"),
    ) {
        let log = log(seed, length);
        let (_folder, file) = folder();
        let model = SqliteReadModel::open(file).expect("a model");
        feed(&model, &log, batch);
        let order = if oldest { Order::OldestFirst } else { Order::NewestFirst };
        let start = log[0].time.get();
        let filter = EntryFilter {
            register: register.map(|i| log[i % length].register),
            party: mentioned.map(party),
            applied,
            from: window.map(|(from, _)| TimeMs::new(start + from)),
            to: window.map(|(_, to)| TimeMs::new(start + to)),
            text,
            ..EntryFilter::default()
        };
        let found: Vec<_> = pages(&model, &filter, order, limit).iter().map(|r| r.log_index).collect();
        prop_assert_eq!(found, expected(&log, &filter, order));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// No text and no cursor of a user makes an engine error.
    #[test]
    fn any_text_is_a_request(queries in proptest::collection::vec(any::<String>(), 40)) {
        let (_folder, file) = folder();
        let model = SqliteReadModel::open(file).expect("a model");
        feed(&model, &log(9, 50), 50);
        for query in queries {
            let filter = EntryFilter { text: Some(query.clone()), ..EntryFilter::default() };
            let page = PageRequest { cursor: Some(query.clone()), ..PageRequest::default() };
            let good = |e: ReadModelError| matches!(e, ReadModelError::BadRequest(_) | ReadModelError::BadCursor);
            prop_assert!(model.entries(&filter, &PageRequest::default()).err().is_none_or(good));
            prop_assert!(model.entries(&EntryFilter::default(), &page).err().is_none_or(good));
            prop_assert!(model.parties(Some(&query), &PageRequest::default()).err().is_none_or(good));
            prop_assert!(model.items(&query, 5).err().is_none_or(good));
        }
    }
}
