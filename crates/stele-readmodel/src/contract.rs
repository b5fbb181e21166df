//! The contract of [`ReadModel`] as a test suite: each implementation calls [`check`] from its tests.
//!
//! The suite feeds a generated log and compares every answer with a plain vector's ([`expected`]).

use stele_core::id::{BlockHash, EntryId, Height, KeyId, LogIndex, PartyId, RegisterName, TimeMs};

use crate::error::ReadModelError;
use crate::model::{
    Batch, BlockRow, EntryFilter, EntryRow, IndexedEntry, Item, Order, PageRequest, PartyRecord,
    Position, ReadModel, RowOutcome,
};

const WORDS: [&str; 8] = [
    "olive",
    "Olivenöl",
    "recall",
    "lot",
    "urn:epc:id:sscc",
    "carrier",
    "OLIVIA",
    "北京",
];
const REGISTERS: [&str; 3] = ["trace", "identity", "governance"];
/// Time of the generated log's first entry.
const START_MS: u64 = 1_800_000_000_000;

/// SplitMix64: the suite must give the same log on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn id(kind: u8, number: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    // Few distinct first bytes, so that ids collide in any shortened index.
    bytes[..8].copy_from_slice(&(number % 3).to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The generated log's party number `n`.
pub fn party(n: u64) -> PartyId {
    PartyId::from_bytes(id(1, n))
}

/// A generated log of `length` entries, the same for the same seed.
pub fn log(seed: u64, length: usize) -> Vec<IndexedEntry> {
    let mut random = Random(seed);
    let mut time = START_MS;
    (0..length as u64)
        .map(|index| {
            time += [0, 0, 7, 900, 61_000][random.below(5)];
            let signer = random.below(6) as u64;
            let refused = random.below(4) == 0;
            let words: Vec<&str> = (0..random.below(4))
                .map(|_| WORDS[random.below(8)])
                .collect();
            IndexedEntry {
                log_index: LogIndex::new(index),
                height: Height::new(index / 4),
                time: TimeMs::new(time),
                entry_id: EntryId::from_bytes(id(2, index)),
                party: party(signer),
                kid: KeyId::from_bytes(id(3, signer)),
                register: RegisterName::new(REGISTERS[random.below(3)]).expect("a name"),
                rule: "trace@1".to_owned(),
                outcome: if refused {
                    RowOutcome::Refused {
                        command_index: 0,
                        code: "trace.custody.not-holder".to_owned(),
                    }
                } else {
                    RowOutcome::Applied
                },
                command_names: vec!["record".to_owned(), format!("other\n{index}")],
                commands_json: format!("[{{\"n\":{index}}}]"),
                events_json: "[]".to_owned(),
                size_bytes: 300,
                text: words.join(" "),
                parties: (0..random.below(3))
                    .map(|_| party(random.below(8) as u64))
                    .collect(),
                items: (0..random.below(3))
                    .map(|_| item(random.below(5)))
                    .collect(),
            }
        })
        .collect()
}

fn item(n: usize) -> Item {
    Item {
        kind: if n == 0 { "key" } else { "epc" }.to_owned(),
        id: format!("urn:epc:id:sgtin:9999999.00000{}.1", n / 2),
    }
}

/// The blocks of a generated log, four entries each.
pub fn blocks(log: &[IndexedEntry]) -> Vec<BlockRow> {
    log.chunks(4)
        .enumerate()
        .map(|(height, entries)| BlockRow {
            height: Height::new(height as u64),
            time: entries[0].time,
            hash: BlockHash::from_bytes(id(4, height as u64)),
            tree_size: (height * 4 + entries.len()) as u64,
            entries: entries.len() as u32,
            refused: entries
                .iter()
                .filter(|e| e.outcome != RowOutcome::Applied)
                .count() as u32,
        })
        .collect()
}

/// What a plain vector answers: the log indexes that pass the filter, in the order.
pub fn expected(log: &[IndexedEntry], filter: &EntryFilter, order: Order) -> Vec<LogIndex> {
    let mut found: Vec<LogIndex> = log
        .iter()
        .filter(|e| passes(e, filter))
        .map(|e| e.log_index)
        .collect();
    if order == Order::NewestFirst {
        found.reverse();
    }
    found
}

fn passes(entry: &IndexedEntry, filter: &EntryFilter) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(|w| w.to_lowercase().replace('ö', "o"))
            .collect()
    };
    let text = filter.text.as_ref().is_none_or(|query| {
        let (wanted, has) = (words(query), words(&entry.text));
        !wanted.is_empty() && wanted.iter().all(|w| has.iter().any(|h| h.starts_with(w)))
    });
    let party = filter
        .party
        .is_none_or(|p| entry.party == p || entry.parties.contains(&p));
    text && party
        && filter.register.is_none_or(|r| entry.register == r)
        && filter.signer.is_none_or(|p| entry.party == p)
        && filter
            .applied
            .is_none_or(|a| a == (entry.outcome == RowOutcome::Applied))
        && filter.from.is_none_or(|t| entry.time >= t)
        && filter.to.is_none_or(|t| entry.time < t)
        && filter.item.as_ref().is_none_or(|i| entry.items.contains(i))
}

/// Filters that use each condition alone and several together.
pub fn filters() -> Vec<EntryFilter> {
    let base = EntryFilter::default;
    let text = |t: &str| Some(t.to_owned());
    let register = |n: &str| RegisterName::new(n).ok();
    vec![
        base(),
        EntryFilter {
            register: register("trace"),
            ..base()
        },
        EntryFilter {
            register: register("nothing"),
            ..base()
        },
        EntryFilter {
            party: Some(party(2)),
            ..base()
        },
        EntryFilter {
            party: Some(party(7)),
            ..base()
        },
        EntryFilter {
            party: Some(party(99)),
            ..base()
        },
        EntryFilter {
            signer: Some(party(2)),
            ..base()
        },
        EntryFilter {
            signer: Some(party(7)),
            ..base()
        },
        EntryFilter {
            signer: Some(party(1)),
            party: Some(party(3)),
            ..base()
        },
        EntryFilter {
            applied: Some(false),
            ..base()
        },
        EntryFilter {
            applied: Some(true),
            register: register("identity"),
            ..base()
        },
        EntryFilter {
            from: Some(TimeMs::new(START_MS + 60_000)),
            ..base()
        },
        EntryFilter {
            from: Some(TimeMs::new(START_MS + 30_000)),
            to: Some(TimeMs::new(START_MS + 900_000)),
            applied: Some(false),
            ..base()
        },
        EntryFilter {
            to: Some(TimeMs::new(0)),
            ..base()
        },
        EntryFilter {
            from: Some(TimeMs::new(u64::MAX)),
            ..base()
        },
        EntryFilter {
            item: Some(item(1)),
            ..base()
        },
        EntryFilter {
            item: Some(item(0)),
            party: Some(party(1)),
            ..base()
        },
        EntryFilter {
            item: Some(Item {
                kind: "epc".into(),
                id: "none".into(),
            }),
            ..base()
        },
        EntryFilter {
            text: text("oliv"),
            ..base()
        },
        EntryFilter {
            text: text("olive recall"),
            ..base()
        },
        EntryFilter {
            text: text("epc:id"),
            party: Some(party(0)),
            ..base()
        },
        EntryFilter {
            text: text("北"),
            register: register("trace"),
            ..base()
        },
        EntryFilter {
            text: text("olivenöl"),
            item: Some(item(2)),
            applied: Some(true),
            ..base()
        },
        EntryFilter {
            text: text("' -- \""),
            ..base()
        },
    ]
}

/// All pages of a filter, joined.
///
/// # Panics
/// When a page is longer than asked or an error comes back.
pub fn pages(
    model: &dyn ReadModel,
    filter: &EntryFilter,
    order: Order,
    limit: usize,
) -> Vec<EntryRow> {
    let mut request = PageRequest {
        cursor: None,
        limit,
        order,
    };
    let mut rows = Vec::new();
    loop {
        let page = model.entries(filter, &request).expect("a page");
        assert!(page.rows.len() <= limit, "a page has at most {limit} rows");
        rows.extend(page.rows);
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => return rows,
        }
    }
}

/// Feeds entries and their blocks in batches of `size`.
///
/// # Panics
/// When the model refuses them.
pub fn feed(model: &dyn ReadModel, log: &[IndexedEntry], size: usize) {
    let blocks = blocks(log);
    let mut position = model.position().expect("a position");
    while position.next_entry.get() < log.len() as u64 {
        let start = position.next_entry.get() as usize;
        let entries = &log[start..log.len().min(start + size)];
        let last = entries.last().expect("not empty").height.get() as usize;
        let from = position.next_block.get() as usize;
        let batch = Batch {
            entries,
            blocks: &blocks[from.min(last + 1)..=last],
            parties: &[],
        };
        position = model.apply(batch).expect("the batch continues the log");
    }
}

/// Runs the whole suite; `fresh` opens an empty model each time.
///
/// # Panics
/// On the first difference.
pub fn check<M: ReadModel>(mut fresh: impl FnMut() -> M) {
    lists_agree_with_a_vector(&fresh());
    pages_are_stable_under_inserts(&fresh());
    batches_continue_or_change_nothing(&fresh());
    rows_are_complete(&fresh());
    parties_are_found(&fresh());
    counts_add_up(&fresh());
    hostile_requests_are_refused_or_empty(&fresh());
}

fn lists_agree_with_a_vector(model: &dyn ReadModel) {
    let log = log(1, 400);
    feed(model, &log, 37);
    for filter in filters() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let wanted = expected(&log, &filter, order);
            for limit in [1, 7, 500] {
                let found: Vec<_> = pages(model, &filter, order, limit)
                    .into_iter()
                    .map(|row| row.log_index)
                    .collect();
                assert_eq!(found, wanted, "{filter:?} {order:?} by {limit}");
            }
        }
    }
}

fn pages_are_stable_under_inserts(model: &dyn ReadModel) {
    let log = log(2, 120);
    feed(model, &log[..60], 60);
    let filter = EntryFilter {
        applied: Some(true),
        ..EntryFilter::default()
    };
    let wanted = expected(&log[..60], &filter, Order::NewestFirst);
    let mut request = PageRequest {
        limit: 5,
        ..PageRequest::default()
    };
    let (mut found, mut fed) = (Vec::new(), 60);
    loop {
        let page = model.entries(&filter, &request).expect("a page");
        found.extend(page.rows.iter().map(|r| r.log_index));
        let Some(next) = page.next else { break };
        request.cursor = Some(next);
        fed = (fed + 4).min(log.len());
        feed(model, &log[..fed], 4);
    }
    assert_eq!(
        found, wanted,
        "later entries neither shift nor repeat a row"
    );
}

fn batches_continue_or_change_nothing(model: &dyn ReadModel) {
    let log = log(3, 40);
    let blocks = blocks(&log);
    assert_eq!(model.position().expect("a position"), Position::default());
    feed(model, &log[..20], 20);
    let before = model.position().expect("a position");
    assert_eq!((before.next_entry.get(), before.next_block.get()), (20, 5));
    let apply = |entries, blocks| {
        model.apply(Batch {
            entries,
            blocks,
            parties: &[],
        })
    };
    assert!(matches!(
        apply(&log[19..25], &[]),
        Err(ReadModelError::EntryGap { .. })
    ));
    assert!(matches!(
        apply(&log[21..25], &[]),
        Err(ReadModelError::EntryGap { .. })
    ));
    assert!(matches!(
        apply(&[], &blocks[6..7]),
        Err(ReadModelError::BlockGap { .. })
    ));
    assert!(matches!(
        apply(&log[20..24], &blocks[4..5]),
        Err(ReadModelError::BlockGap { .. })
    ));
    let mut early = log[20..24].to_vec();
    early[3].time = TimeMs::new(START_MS - 1);
    assert!(matches!(
        apply(&early, &[]),
        Err(ReadModelError::TimeFalls { .. })
    ));
    // The gap comes after rows that were already written: they must be gone again.
    let holed = [log[20].clone(), log[22].clone()];
    assert!(matches!(
        apply(&holed, &[]),
        Err(ReadModelError::EntryGap { .. })
    ));
    assert_eq!(model.position().expect("a position"), before);
    assert_eq!(model.log_index(&log[20].entry_id).expect("an answer"), None);
    feed(model, &log, 9);
    assert_eq!(model.position().expect("a position").next_entry.get(), 40);
    model.reset().expect("a reset");
    assert_eq!(model.position().expect("a position"), Position::default());
    // A log that began with a snapshot begins late.
    assert!(matches!(
        apply(&log[21..24], &blocks[5..6]),
        Err(ReadModelError::EntryGap { .. })
    ));
    assert_eq!(model.position().expect("a position"), Position::default());
    let late = apply(&log[20..], &blocks[5..]).expect("an empty model begins anywhere");
    assert_eq!(late.next_entry.get(), 40);
    let place = |entry: &IndexedEntry| model.log_index(&entry.entry_id).expect("an answer");
    assert_eq!(place(&log[19]), None);
    assert_eq!(place(&log[20]), Some(log[20].log_index));
    model.reset().expect("a reset");
    assert!(
        model
            .entries(&EntryFilter::default(), &PageRequest::default())
            .expect("a page")
            .rows
            .is_empty()
    );
    feed(model, &log, 40);
    assert_eq!(
        pages(model, &EntryFilter::default(), Order::OldestFirst, 500).len(),
        40
    );
}

fn rows_are_complete(model: &dyn ReadModel) {
    let log = log(4, 30);
    feed(model, &log, 8);
    for entry in &log {
        let row = model
            .entry(&entry.entry_id)
            .expect("an answer")
            .expect("it is there");
        assert_eq!(
            Some(&row),
            model.entry_at(entry.log_index).expect("an answer").as_ref()
        );
        assert_eq!(
            model.log_index(&entry.entry_id).expect("an answer"),
            Some(entry.log_index)
        );
        let wanted = EntryRow {
            log_index: entry.log_index,
            height: entry.height,
            time: entry.time,
            entry_id: entry.entry_id,
            party: entry.party,
            party_name: None,
            kid: entry.kid,
            register: entry.register.to_string(),
            rule: entry.rule.clone(),
            outcome: entry.outcome.clone(),
            command_names: entry.command_names.clone(),
            command_count: 2,
            commands_json: entry.commands_json.clone(),
            events_json: entry.events_json.clone(),
            size_bytes: entry.size_bytes,
        };
        assert_eq!(row, wanted);
    }
    assert_eq!(
        model
            .entry(&EntryId::from_bytes([9; 32]))
            .expect("an answer"),
        None
    );
    assert_eq!(
        model.entry_at(LogIndex::new(u64::MAX)).expect("an answer"),
        None
    );
    for block in blocks(&log) {
        assert_eq!(model.block(block.height).expect("an answer"), Some(block));
    }
    let request = PageRequest {
        limit: 3,
        order: Order::OldestFirst,
        cursor: None,
    };
    let first = model.blocks(&request).expect("a page");
    assert_eq!(first.rows, blocks(&log)[..3]);
    let second = model
        .blocks(&PageRequest {
            cursor: first.next,
            ..request
        })
        .expect("a page");
    assert_eq!(second.rows, blocks(&log)[3..6]);
}

fn parties_are_found(model: &dyn ReadModel) {
    let log = log(5, 50);
    feed(model, &log, 50);
    let record = |n, name: &str| PartyRecord {
        party: party(n),
        kind: "organisation".to_owned(),
        name: name.to_owned(),
        time: TimeMs::new(START_MS + 5),
    };
    let apply = |parties: &[PartyRecord]| {
        model
            .apply(Batch {
                parties,
                ..Batch::default()
            })
            .expect("parties may come alone");
    };
    apply(&[record(1, "Fictional Grove"), record(2, "Fictional Haulage")]);
    apply(&[record(2, "Fictional Freight"), record(50, "")]);
    let names = |query: &str| -> Vec<String> {
        let page = model
            .parties(Some(query), &PageRequest::default())
            .expect("a page");
        page.rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(names("grove"), ["Fictional Grove"]);
    assert_eq!(
        names("Haul"),
        [""; 0],
        "the newer name replaces the older one"
    );
    assert_eq!(names("fict frei"), ["Fictional Freight"]);
    assert_eq!(names(&party(1).did()), ["Fictional Grove"]);
    let row = model
        .party(&party(1))
        .expect("an answer")
        .expect("it is there");
    let signed = log.iter().filter(|e| e.party == party(1)).count() as u64;
    assert_eq!(
        (row.name.as_str(), row.entries),
        ("Fictional Grove", signed)
    );
    assert_eq!(row.first_seen, first_seen(&log, party(1)));
    assert_eq!(model.party(&party(99)).expect("an answer"), None);
    let signer = EntryFilter {
        signer: Some(party(1)),
        ..EntryFilter::default()
    };
    for row in pages(model, &signer, Order::NewestFirst, 9) {
        assert_eq!(row.party_name.as_deref(), Some("Fictional Grove"));
    }
    let all = model
        .parties(
            None,
            &PageRequest {
                limit: 500,
                ..PageRequest::default()
            },
        )
        .expect("a page");
    assert_eq!(
        all.rows.len() as u64,
        model.totals().expect("counts").parties
    );
}

fn first_seen(log: &[IndexedEntry], party: PartyId) -> TimeMs {
    log.iter()
        .find(|e| e.party == party || e.parties.contains(&party))
        .expect("it is in the log")
        .time
}

fn counts_add_up(model: &dyn ReadModel) {
    let log = log(6, 200);
    feed(model, &log, 33);
    let refused = log
        .iter()
        .filter(|e| e.outcome != RowOutcome::Applied)
        .count() as u64;
    let totals = model.totals().expect("counts");
    assert_eq!(
        (totals.entries, totals.refused, totals.blocks),
        (200, refused, 50)
    );
    for count in model.registers().expect("counts") {
        let of = |applied| {
            log.iter()
                .filter(|e| e.register.as_str() == count.register)
                .filter(|e| (e.outcome == RowOutcome::Applied) == applied)
                .count() as u64
        };
        assert_eq!((count.applied, count.refused), (of(true), of(false)));
    }
    let (from, to) = (TimeMs::new(START_MS), TimeMs::new(START_MS + 600_000));
    let minutes = model.minutes(from, to).expect("counts");
    assert!(minutes.windows(2).all(|w| w[0].start < w[1].start));
    let inside = log
        .iter()
        .filter(|e| e.time.get() / 60_000 < to.get().div_ceil(60_000))
        .count() as u64;
    assert_eq!(
        minutes.iter().map(|m| m.applied + m.refused).sum::<u64>(),
        inside
    );
    let items = model.items("urn:epc:id:sgtin:", 500).expect("items");
    assert_eq!(items.len(), 4);
    for row in items {
        let of = log.iter().filter(|e| e.items.contains(&row.item)).count() as u64;
        assert_eq!(row.entries, of, "{:?}", row.item);
    }
    assert!(model.items("zzz", 10).expect("items").is_empty());
}

fn hostile_requests_are_refused_or_empty(model: &dyn ReadModel) {
    feed(model, &log(7, 40), 40);
    let text = |t: &str| EntryFilter {
        text: Some(t.to_owned()),
        ..EntryFilter::default()
    };
    let first = PageRequest {
        limit: 1,
        ..PageRequest::default()
    };
    for query in [
        "\"",
        "*",
        "a AND",
        "NOT",
        "NEAR(",
        "words:olive",
        "^",
        "{a b} : c",
        "'; DROP TABLE entries; --",
        "\0",
        "(((",
        "olive\" OR \"",
        "-",
        "+",
        "\u{301}",
        "%",
        "_",
        "\u{10FFFF}",
    ] {
        model.entries(&text(query), &first).expect(query);
        model.parties(Some(query), &first).expect(query);
        model.items(query, 10).expect(query);
    }
    let refused = |r: Result<_, ReadModelError>| matches!(r, Err(ReadModelError::BadRequest(_)));
    assert!(refused(model.entries(&text(&"x".repeat(300)), &first)));
    assert!(refused(model.entries(&text(&"x ".repeat(50)), &first)));
    let long = PageRequest {
        limit: 501,
        ..PageRequest::default()
    };
    assert!(refused(model.entries(&EntryFilter::default(), &long)));
    let next = model
        .entries(&EntryFilter::default(), &first)
        .expect("a page")
        .next;
    assert!(next.is_some());
    let other = PageRequest {
        cursor: next.clone(),
        ..first.clone()
    };
    let foreign = |r: Result<_, ReadModelError>| matches!(r, Err(ReadModelError::BadCursor));
    assert!(foreign(model.entries(&text("olive"), &other)));
    let turned = PageRequest {
        order: Order::OldestFirst,
        ..other
    };
    assert!(foreign(model.entries(&EntryFilter::default(), &turned)));
    let garbage = PageRequest {
        cursor: Some("';--".to_owned()),
        ..first
    };
    assert!(foreign(model.entries(&EntryFilter::default(), &garbage)));
    assert!(matches!(
        model.blocks(&garbage),
        Err(ReadModelError::BadCursor)
    ));
}
