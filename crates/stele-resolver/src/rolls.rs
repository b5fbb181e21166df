//! The records of rolls on disk, with the upper part of each roll's tree: enough to prove any member by a few small reads.
//!
//! One file, `rolls.dat`, that only grows; it can be deleted at any time, since each roll is taken from the log again when it is asked for.
//! A roll is one frame, numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | `ROLL` |
//! | 32 | the roll's id |
//! | 4 | how many records |
//! | 4 | the bytes of a record |
//! | 4 | CRC-32 of the fields above |
//! | count x bytes | the records |
//! | 32 x .. | the hashes of complete subtrees of 16 records, of 32, and so on, each level from the left |
//!
//! A frame that a crash cut short at the end of the file is cut off when the file is opened. Frames carry no checksum over records and hashes:
//! a proof is given out only if it leads to the root that the state holds.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::{Mutex, RwLock};
use stele_core::merkle::{self, Frontier, HashSource, ProveError};
use stele_registers::identity::{RECORDS_BYTES_MAX, RECORDS_MAX, RollId};

const MAGIC: &[u8; 4] = b"ROLL";
const HEADER_BYTES: u64 = 48;
/// Subtrees of 2^4 records and more are stored; smaller ones are hashed when they are needed.
const LEVEL_MIN: u32 = 4;

/// The rolls on disk.
pub struct RollStore {
    file: File,
    places: RwLock<HashMap<RollId, Place>>,
    /// Where the next frame begins.
    end: Mutex<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where the records begin.
    records: u64,
    count: u32,
    record_bytes: u32,
}

impl Place {
    fn records_bytes(&self) -> u64 {
        u64::from(self.count) * u64::from(self.record_bytes)
    }

    /// Where the stored hashes of `level` begin.
    fn level(&self, level: u32) -> u64 {
        let below = (LEVEL_MIN..level).map(|level| u64::from(self.count >> level));
        self.records + self.records_bytes() + below.sum::<u64>() * 32
    }

    fn end(&self) -> u64 {
        self.level(32)
    }
}

/// A member's record and its path to the roll's root, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMember {
    /// The record.
    pub record: Vec<u8>,
    /// The path (RFC 9162 section 2.1.3.1).
    pub path: Vec<merkle::Hash>,
}

impl RollStore {
    /// Opens the file, or makes an empty one.
    ///
    /// # Errors
    /// When it cannot be read or cut.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let length = file.metadata()?.len();
        let mut places = HashMap::new();
        let mut end = 0;
        while let Some((roll, place)) = read_header(&file, end, length)? {
            end = place.end();
            places.insert(roll, place);
        }
        file.set_len(end)?;
        Ok(Self {
            file,
            places: RwLock::new(places),
            end: Mutex::new(end),
        })
    }

    /// How many rolls there are.
    pub fn len(&self) -> usize {
        self.places.read().len()
    }

    /// All rolls with their numbers of records, in no order.
    pub fn rolls(&self) -> Vec<(RollId, u64)> {
        let places = self.places.read();
        let rolls = places
            .iter()
            .map(|(roll, place)| (*roll, place.count.into()));
        rolls.collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a roll. One that is there already is left as it is, unless its proofs have failed: see [`RollStore::forget`].
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// If the records are not whole or more than a roll holds: the register admits no such roll.
    pub fn insert(&self, roll: RollId, record_bytes: usize, records: &[u8]) -> io::Result<()> {
        let count = records.len() / record_bytes;
        assert!(
            count * record_bytes == records.len() && (1..=RECORDS_MAX).contains(&count),
            "{} bytes are no records of {record_bytes}",
            records.len()
        );
        let mut end = self.end.lock();
        if self.places.read().contains_key(&roll) {
            return Ok(());
        }
        let place = Place {
            records: *end + HEADER_BYTES,
            count: count as u32,
            record_bytes: record_bytes as u32,
        };
        let mut frame = Vec::with_capacity((place.end() - *end) as usize);
        frame.extend_from_slice(&header(&roll, &place));
        frame.extend_from_slice(records);
        let mut levels: Vec<Vec<u8>> = Vec::new();
        let mut frontier = Frontier::new();
        for record in records.chunks_exact(record_bytes) {
            frontier.push_with(merkle::leaf_hash(record), |level, _, hash| {
                if let Some(stored) = level.checked_sub(LEVEL_MIN) {
                    let stored = stored as usize;
                    if levels.len() <= stored {
                        levels.push(Vec::new());
                    }
                    levels[stored].extend_from_slice(hash);
                }
            });
        }
        frame.extend(levels.into_iter().flatten());
        debug_assert_eq!(frame.len() as u64, place.end() - *end);
        self.file.write_all_at(&frame, *end)?;
        *end = place.end();
        self.places.write().insert(roll, place);
        Ok(())
    }

    /// Forgets a roll whose bytes have turned out damaged, so that it is kept anew.
    pub fn forget(&self, roll: &RollId) {
        self.places.write().remove(roll);
    }

    /// A member of a roll; `None` when the roll is not here or has no such place.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn member(&self, roll: &RollId, index: u64) -> io::Result<Option<StoredMember>> {
        let Some(place) = self.places.read().get(roll).copied() else {
            return Ok(None);
        };
        if index >= u64::from(place.count) {
            return Ok(None);
        }
        let frame = Frame {
            file: &self.file,
            place,
        };
        let record = frame.records(index, 1)?;
        let path = merkle::prove_inclusion(&frame, index, place.count.into());
        match path {
            Ok(path) => Ok(Some(StoredMember { record, path })),
            Err(ProveError::Source(error)) => Err(error),
            Err(error) => unreachable!("the place is in the roll: {error}"),
        }
    }
}

/// A roll's frame as a source of the hashes of its subtrees.
struct Frame<'a> {
    file: &'a File,
    place: Place,
}

impl Frame<'_> {
    fn records(&self, from: u64, count: usize) -> io::Result<Vec<u8>> {
        let bytes = u64::from(self.place.record_bytes);
        let mut records = vec![0; count * self.place.record_bytes as usize];
        self.file
            .read_exact_at(&mut records, self.place.records + from * bytes)?;
        Ok(records)
    }
}

impl HashSource for Frame<'_> {
    type Error = io::Error;

    fn node(&self, level: u32, index: u64) -> Result<merkle::Hash, io::Error> {
        if level >= LEVEL_MIN {
            let mut hash = [0; 32];
            let at = self.place.level(level) + index * 32;
            self.file.read_exact_at(&mut hash, at)?;
            return Ok(hash);
        }
        let records = self.records(index << level, 1 << level)?;
        let mut frontier = Frontier::new();
        for record in records.chunks_exact(self.place.record_bytes as usize) {
            frontier.push(merkle::leaf_hash(record));
        }
        Ok(frontier.root())
    }
}

fn header(roll: &RollId, place: &Place) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..4].copy_from_slice(MAGIC);
    header[4..36].copy_from_slice(roll.as_bytes());
    header[36..40].copy_from_slice(&place.count.to_le_bytes());
    header[40..44].copy_from_slice(&place.record_bytes.to_le_bytes());
    let sum = crc32fast::hash(&header[..44]);
    header[44..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The frame that begins at `at`, if it is whole.
fn read_header(file: &File, at: u64, length: u64) -> io::Result<Option<(RollId, Place)>> {
    if at + HEADER_BYTES > length {
        return Ok(None);
    }
    let mut bytes = [0; HEADER_BYTES as usize];
    file.read_exact_at(&mut bytes, at)?;
    let word = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().expect("four"));
    let place = Place {
        records: at + HEADER_BYTES,
        count: word(36),
        record_bytes: word(40),
    };
    let roll = RollId::from_bytes(bytes[4..36].try_into().expect("32 bytes"));
    let sound = bytes == header(&roll, &place)
        && place.count > 0
        && place.record_bytes > 0
        && place.records_bytes() <= RECORDS_BYTES_MAX as u64;
    Ok((sound && place.end() <= length).then_some((roll, place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stele_registers::identity::records_root;

    fn records(n: u8, count: usize, bytes: usize) -> Vec<u8> {
        (0..count * bytes)
            .map(|at| (at as u8).wrapping_mul(31) ^ n ^ (at >> 8) as u8)
            .collect()
    }

    fn roll(n: u8) -> RollId {
        RollId::from_bytes([n; 32])
    }

    fn check_all(store: &RollStore, id: &RollId, records: &[u8], bytes: usize) {
        let root = records_root(records, bytes);
        let count = records.len() / bytes;
        for index in 0..count {
            let found = store.member(id, index as u64).unwrap().expect("a member");
            assert_eq!(found.record, records[index * bytes..][..bytes]);
            let leaf = merkle::leaf_hash(&found.record);
            merkle::verify_inclusion(
                &leaf,
                index as u64,
                count as u64,
                &found.path,
                root.as_bytes(),
            )
            .unwrap();
        }
        assert_eq!(store.member(id, count as u64).unwrap(), None);
    }

    #[test]
    fn every_member_of_every_size_is_proven_before_and_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rolls.dat");
        let sizes = [1usize, 2, 15, 16, 17, 31, 33, 100, 257];
        {
            let store = RollStore::open(&path).unwrap();
            for (n, size) in sizes.iter().enumerate() {
                let bytes = if n % 2 == 0 { 32 } else { 64 };
                let records = records(n as u8, *size, bytes);
                store.insert(roll(n as u8), bytes, &records).unwrap();
                store.insert(roll(n as u8), bytes, &records).unwrap();
                check_all(&store, &roll(n as u8), &records, bytes);
            }
            assert_eq!(store.member(&roll(99), 0).unwrap(), None);
        }
        let store = RollStore::open(&path).unwrap();
        assert_eq!(store.len(), sizes.len());
        for (n, size) in sizes.iter().enumerate() {
            let bytes = if n % 2 == 0 { 32 } else { 64 };
            check_all(
                &store,
                &roll(n as u8),
                &records(n as u8, *size, bytes),
                bytes,
            );
        }
    }

    #[test]
    fn a_torn_or_foreign_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rolls.dat");
        let (first, second) = (records(1, 40, 32), records(2, 20, 64));
        let whole = {
            let store = RollStore::open(&path).unwrap();
            store.insert(roll(1), 32, &first).unwrap();
            let whole = std::fs::metadata(&path).unwrap().len();
            store.insert(roll(2), 64, &second).unwrap();
            whole
        };
        let bytes = std::fs::read(&path).unwrap();
        for cut in [
            whole,
            whole + 1,
            whole + 47,
            whole + 48,
            bytes.len() as u64 - 1,
        ] {
            std::fs::write(&path, &bytes[..cut as usize]).unwrap();
            let store = RollStore::open(&path).unwrap();
            assert_eq!(store.len(), 1, "cut at {cut}");
            check_all(&store, &roll(1), &first, 32);
            store.insert(roll(2), 64, &second).unwrap();
            check_all(&store, &roll(2), &second, 64);
        }
        // Any header that does not hold ends the file: sizes of a wild number never reach an allocation.
        for at in whole..whole + 48 {
            let mut altered = bytes.clone();
            altered[at as usize] ^= 0xff;
            std::fs::write(&path, &altered).unwrap();
            assert_eq!(RollStore::open(&path).unwrap().len(), 1, "altered at {at}");
        }
    }
}
