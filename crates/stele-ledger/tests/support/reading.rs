//! An independent reading of a ledger's folder: the log's files parsed by their published layout, its Merkle tree by the
//! definition of RFC 9162, none of it through the ledger's own code.

use std::collections::HashMap;
use std::path::Path;

use stele_core::block::{BlockHeader, Record};
use stele_core::cbor::{Decoder, Encoder};
use stele_core::id::{BlockHash, sha256};
use stele_core::suite::PublicKey;

pub struct ReadItem {
    pub entry: Vec<u8>,
    pub record: Vec<u8>,
}

pub struct ReadBlock {
    pub height: u64,
    pub first_index: u64,
    pub certificate: Vec<u8>,
    pub items: Vec<ReadItem>,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// Every block of the log in `dir`, whose ledger must not be open. Each byte of each segment must belong to one.
pub fn read_log(dir: &Path) -> Vec<ReadBlock> {
    let mut names: Vec<_> = std::fs::read_dir(dir.join("log"))
        .expect("a log")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .collect();
    names.sort();
    let mut blocks = Vec::new();
    for path in names {
        let bytes = std::fs::read(&path).expect("readable");
        assert_eq!(&bytes[..10], b"STELELOG\0\x01", "{}", path.display());
        assert_eq!(u32_at(&bytes, 60), crc(&[&bytes[..60]]));
        assert_eq!(u64_at(&bytes, 24), blocks.len() as u64);
        let salt = &bytes[16..24];
        let mut at = 64;
        while at < bytes.len() {
            let (block, len) = read_frame(&bytes[at..], salt);
            assert_eq!(block.height, blocks.len() as u64, "heights have no gaps");
            blocks.push(block);
            at += len;
        }
    }
    blocks
}

fn read_frame(bytes: &[u8], salt: &[u8]) -> (ReadBlock, usize) {
    let head = &bytes[..64];
    assert_eq!(&head[..6], b"STBK\0\x01");
    assert_eq!(u32_at(head, 60), crc(&[salt, &head[..60]]), "head checksum");
    let (header_len, entries) = (u32_at(head, 32) as usize, u32_at(head, 36) as usize);
    let len = 64 + u32_at(head, 40) as usize;
    let body = &bytes[64..len];
    let (header, rest) = body.split_at(header_len);
    let (table, items) = rest.split_at(entries * 12);
    assert_eq!(u32_at(head, 44), crc(&[header, table]), "header checksum");
    let mut start = 0;
    let mut read = Vec::with_capacity(entries);
    for row in table.chunks_exact(12) {
        let (end, entry_len) = (u32_at(row, 0) as usize, u32_at(row, 4) as usize);
        let item = &items[start..end];
        assert_eq!(u32_at(row, 8), crc(&[item]), "entry checksum");
        let (pair, record) = item.split_at(entry_len);
        let mut decoder = Decoder::new(pair);
        decoder.array_of(2, "entry and events").expect("a pair");
        let entry = decoder.bytes(usize::MAX).expect("an entry").to_vec();
        read.push(ReadItem {
            entry,
            record: record.to_vec(),
        });
        start = end;
    }
    assert_eq!(start, items.len(), "no bytes between the items");
    let block = ReadBlock {
        height: u64_at(head, 8),
        first_index: u64_at(head, 16),
        certificate: header.to_vec(),
        items: read,
    };
    (block, len)
}

/// The hash of an entry's Sig_structure, and the hash of the whole entry.
pub fn entry_hashes(entry: &[u8]) -> ([u8; 32], [u8; 32]) {
    let mut decoder = Decoder::new(entry);
    decoder.tag(18, "COSE_Sign1").expect("a tag");
    decoder.array_of(4, "COSE_Sign1").expect("four");
    let protected = decoder.bytes(usize::MAX).expect("protected");
    decoder.skip().expect("unprotected");
    let payload = decoder.bytes(usize::MAX).expect("payload");
    let mut structure = Encoder::new();
    structure.array(4).text("Signature1").bytes(protected);
    structure.bytes(b"").bytes(payload);
    (sha256(&[structure.as_slice()]), sha256(&[entry]))
}

/// The root of RFC 9162 over leaf data, kept as the roots of full subtrees of falling size.
#[derive(Default)]
pub struct Root {
    peaks: Vec<(u64, [u8; 32])>,
}

impl Root {
    pub fn push(&mut self, data: &[u8]) {
        let mut peak = (1, sha256(&[&[0], data]));
        while self.peaks.last().is_some_and(|last| last.0 == peak.0) {
            let left = self.peaks.pop().expect("looked at");
            peak = (peak.0 * 2, sha256(&[&[1], &left.1, &peak.1]));
        }
        self.peaks.push(peak);
    }

    pub fn root(&self) -> [u8; 32] {
        let mut peaks = self.peaks.iter().rev();
        let Some((_, mut root)) = peaks.next().copied() else {
            return sha256(&[]);
        };
        for (_, left) in peaks {
            root = sha256(&[&[1], left, &root]);
        }
        root
    }
}

/// What the log says of an entry.
pub struct Found {
    pub log_index: u64,
    pub entry: Vec<u8>,
}

/// Checks certificates, chain, roots and records of the whole log, and returns its entries by id. Panics where it is wrong, and on
/// an entry that is there twice.
pub fn check_log(dir: &Path, key: &PublicKey) -> (HashMap<[u8; 32], Found>, BlockHeader) {
    let blocks = read_log(dir);
    let mut found = HashMap::new();
    let mut root = Root::default();
    let mut index = 0;
    let mut last: Option<(BlockHeader, [u8; 32])> = None;
    for block in blocks {
        let height = block.height;
        assert_eq!(block.first_index, index, "log indexes have no gaps");
        let mut decoder = Decoder::new(&block.certificate);
        decoder.tag(18, "certificate").expect("a tag");
        decoder.array_of(4, "certificate").expect("four");
        let protected = decoder.bytes(usize::MAX).expect("header");
        assert_eq!(decoder.skip().expect("unprotected"), [0xa0]);
        let log_root = decoder.bytes32().expect("root");
        let signature = decoder.bytes(usize::MAX).expect("signature");
        let header = BlockHeader::decode(protected).expect("a header");
        let mut message = Encoder::new();
        message.array(4).text("Signature1").bytes(protected);
        message.bytes(b"").bytes(&log_root);
        key.verify(header.alg, message.as_slice(), signature)
            .unwrap_or_else(|error| panic!("certificate of block {height}: {error}"));

        let (previous, time) = match &last {
            Some((header, hash)) => (*hash, header.time),
            None => ([0; 32], header.time),
        };
        assert_eq!(
            header.previous,
            BlockHash::from_bytes(previous),
            "block {height}"
        );
        assert!(header.time >= time, "the time of block {height} falls");
        assert_eq!(header.height.get(), height);
        for item in block.items {
            let record = Record::decode(&item.record).expect("a record");
            let (id, envelope) = entry_hashes(&item.entry);
            assert_eq!(*record.entry_id.as_bytes(), id);
            assert_eq!(*record.envelope_hash.as_bytes(), envelope);
            assert_eq!((record.height, record.time), (header.height, header.time));
            root.push(&item.record);
            let entry = Found {
                log_index: index,
                entry: item.entry,
            };
            let before = found.insert(id, entry);
            assert!(before.is_none(), "entry {} is there twice", hex::encode(id));
            index += 1;
        }
        assert_eq!(header.tree_size.get(), index, "size at block {height}");
        assert_eq!(log_root, root.root(), "log root of block {height}");
        last = Some((header, sha256(&[message.as_slice()])));
    }
    (found, last.expect("block 0").0)
}
