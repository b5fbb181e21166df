//! Measures the embedded read model: entries indexed per second, bytes per entry, and the time of queries.
//!
//! `cargo run -p stele-readmodel --example index_speed [ENTRIES] [BATCH]` prints one figure per line. Docs:
//! docs/design/0005-read-model.md.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use stele_core::id::{EntryId, Height, KeyId, LogIndex, PartyId, RegisterName, TimeMs};
use stele_readmodel::{
    Batch, EntryFilter, IndexedEntry, Item, PageRequest, ReadModel, RowOutcome, SqliteReadModel,
};

/// Spreads a number over 32 bytes, as a hash would.
fn id(kind: u64, number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (i, chunk) in bytes.chunks_mut(8).enumerate() {
        let mut z =
            (number ^ kind << 56).wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
    }
    bytes
}

/// An entry as the trace register gives it: 1 command, 2 items, 1 other party, 100 bytes of text, 700 of JSON.
fn entry(index: u64) -> IndexedEntry {
    let party = |n: u64| PartyId::from_bytes(id(1, n % 1_000));
    let item = |n: u64| Item {
        kind: "item".to_owned(),
        id: hex::encode(id(2, n)),
    };
    IndexedEntry {
        log_index: LogIndex::new(index),
        height: Height::new(index / 500),
        time: TimeMs::new(1_800_000_000_000 + index / 10),
        entry_id: EntryId::from_bytes(id(3, index)),
        party: party(index),
        kid: KeyId::from_bytes(id(4, index % 1_000)),
        register: RegisterName::new("trace").expect("a name"),
        rule: "trace@1".to_owned(),
        outcome: if index.is_multiple_of(50) {
            RowOutcome::Refused {
                command_index: 0,
                code: "trace.custody.not-holder".to_owned(),
            }
        } else {
            RowOutcome::Applied
        },
        command_names: vec!["record-event".to_owned()],
        commands_json: format!("[{{\"n\":{index},\"pad\":\"{}\"}}]", "x".repeat(500)),
        events_json: format!("[[\"recorded\",\"{}\"]]", "y".repeat(170)),
        size_bytes: 420,
        text: format!(
            "trace record-event shipping lot {} fictional olive oil {}",
            index / 100,
            hex::encode(&id(5, index)[..8])
        ),
        parties: vec![party(index / 7)],
        items: vec![item(index / 2), item(index / 100)],
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(200_000), |a| a.parse())?;
    let size: u64 = arguments.next().map_or(Ok(2_000), |a| a.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("read.db");
    let model = SqliteReadModel::open(&path)?;
    let (mut busy, mut next) = (0.0, 0);
    while next < count {
        let entries: Vec<_> = (next..count.min(next + size)).map(entry).collect();
        let start = Instant::now();
        next = model
            .apply(Batch {
                entries: &entries,
                ..Batch::default()
            })?
            .next_entry
            .get();
        busy += start.elapsed().as_secs_f64();
    }
    println!("entries_per_second {:.0}", count as f64 / busy);
    println!(
        "bytes_per_entry {}",
        std::fs::metadata(&path)?.len() / count
    );
    let text = |t: &str| EntryFilter {
        text: Some(t.to_owned()),
        ..EntryFilter::default()
    };
    let party = PartyId::from_bytes(id(1, 7));
    for (name, filter) in [
        ("newest", EntryFilter::default()),
        (
            "party",
            EntryFilter {
                party: Some(party),
                ..EntryFilter::default()
            },
        ),
        (
            "refused",
            EntryFilter {
                applied: Some(false),
                ..EntryFilter::default()
            },
        ),
        (
            "from",
            EntryFilter {
                from: Some(TimeMs::new(1_800_000_000_000 + count / 20)),
                ..EntryFilter::default()
            },
        ),
        ("text common", text("olive")),
        ("text rare", text("lot 77")),
        ("text prefix", text("ab")),
        (
            "text and party",
            EntryFilter {
                party: Some(party),
                ..text("ship olive")
            },
        ),
    ] {
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let start = Instant::now();
                let rows = model
                    .entries(&filter, &PageRequest::default())
                    .map_or(0, |p| p.rows.len());
                (start.elapsed(), rows)
            })
            .collect();
        times.sort();
        println!(
            "query {name:?}: median {:?}, {} rows",
            times[10].0, times[10].1
        );
    }
    drop(model);
    let start = Instant::now();
    drop(SqliteReadModel::open(&path)?);
    println!("reopen {:?}", start.elapsed());
    rusqlite::Connection::open(&path)?
        .execute("UPDATE meta SET value = 0 WHERE name = 'clean'", [])?;
    let start = Instant::now();
    drop(SqliteReadModel::open(&path)?);
    println!("reopen after a crash, checked {:?}", start.elapsed());
    Ok(())
}
