//! The bodies of the fuzz targets, one for each decoder of what comes from outside, and the seeds they start from.
//!
//! Shared by cargo-fuzz (`fuzz_targets/`) and by the ordinary test run (`tests/properties_mutations.rs`), so that they never rot.
//! Each states an invariant that holds for all bytes. What is decoded encodes to the same bytes again, because there is only one
//! encoding of a value; a receipt that verifies says nothing but what one of the published receipts says.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value as Json;
use stele_core::block::{BlockHeader, Certificate, Record, decode_events, encode_events};
use stele_core::cbor::{self, Value};
use stele_core::entry::{ENTRY_BYTES_MAX, Entry};
use stele_core::genesis::Genesis;
use stele_core::id::{NetworkId, sha256};
use stele_core::merkle::checkpoint::{Checkpoint, Note, NoteLimits, VerifierKey};
use stele_core::receipt::{NetworkDescriptor, Verified, verify};
use stele_core::suite::PublicKey;
use stele_core::witness::{AddCheckpoint, LogKey, WitnessKey};

/// A target: its name, its body, its seeds.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("entry_decode", entry_decode, || rows("entries.json", "hex")),
    target("record_decode", record_decode, || parts().records),
    target("certificate_decode", certificate_decode, || {
        parts().certificates
    }),
    target("cbor_value", cbor_value, || rows("cbor.json", "hex")),
    target("genesis_decode", genesis_decode, || {
        let rows = rows_of("networks.json");
        let genesis = rows.iter().map(|row| row["descriptor"]["genesis"].as_str());
        genesis
            .flatten()
            .filter_map(|text| hex::decode(text).ok())
            .collect()
    }),
    target("cose_key_decode", cose_key_decode, || {
        rows("keys.json", "cose_key")
    }),
    target("checkpoint_note", checkpoint_note, || {
        NOTES.iter().map(|note| note.as_bytes().to_vec()).collect()
    }),
    target("receipt_verify", receipt_verify, || {
        valid_receipts()
            .into_iter()
            .map(|(bytes, _)| bytes)
            .collect()
    }),
];

const fn target(name: &'static str, body: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, body, seeds }
}

/// Fictional notes: a text with two signatures, a checkpoint, a verifier key, a witness's key, a request to a witness.
const NOTES: [&str; 5] = [
    "orchard.example/log\n1000\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextra line\n\n\
     \u{2014} orchard.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
     \u{2014} witness.example AAAAAgME\n",
    "orchard.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    "orchard.example/log+0336ad8a+AS7m2dI7ZvHhFKkrFW2CvkIrr4ZSNQMnKaQ2xI9r2Y2Y",
    "witness.example/north+2e91c626+BK0MMad3T2cEJEdrZyjkKv+HgqzCgGmi3tfGq3TVFAe5",
    "old 20\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\norchard.example/log\n21\n\
     47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} orchard.example/log AAAAAgME\n",
];

/// Decoding judges form: what is taken is kept byte for byte, and its parts are what the bytes say.
pub fn entry_decode(data: &[u8]) {
    let Ok(entry) = Entry::decode(data.to_vec()) else {
        return;
    };
    assert!(data.len() <= ENTRY_BYTES_MAX);
    assert_eq!(entry.bytes(), data);
    assert_eq!(*entry.id().as_bytes(), sha256(&[&entry.sig_structure()]));
    assert_eq!(*entry.envelope_hash().as_bytes(), sha256(&[data]));
    let header = entry.header();
    assert!(header.not_before < header.not_after);
    assert_eq!(entry.commands().count(), entry.command_count());
    assert!(entry.command_count() > 0);
    for command in entry.commands() {
        assert!(!command.name.is_empty() && !command.register.is_empty());
        Value::decode(command.body).expect("a body is one value of its own");
    }
    let mut kids: Vec<_> = entry.cosigner_kids().copied().collect();
    assert_eq!(entry.countersignatures().count(), kids.len());
    kids.push(header.kid);
    let count = kids.len();
    assert_eq!(kids.into_iter().collect::<HashSet<_>>().len(), count);
}

/// One encoding for each record, and for each list of events.
pub fn record_decode(data: &[u8]) {
    if let Ok(record) = Record::decode(data) {
        assert_eq!(record.encode(), data);
    }
    if let Ok(events) = decode_events(data) {
        assert_eq!(encode_events(&events), data);
    }
}

/// One encoding for each certificate, and for each block header.
pub fn certificate_decode(data: &[u8]) {
    if let Ok(certificate) = Certificate::decode(data) {
        assert_eq!(certificate.encode(), data);
    }
    if let Ok(header) = BlockHeader::decode(data) {
        assert_eq!(header.encode(), data);
    }
}

/// One encoding for each value; the check without a value agrees with the reading of one.
pub fn cbor_value(data: &[u8]) {
    match Value::decode(data) {
        Ok(value) => {
            assert_eq!(value.encode(), data);
            cbor::check(data).expect("what decodes passes the check");
        }
        Err(_) => {
            // The check also passes the one tag that the format names; a free value has none.
            let tagged = data.first().is_some_and(|first| first >> 5 == 6);
            assert!(tagged || cbor::check(data).is_err());
        }
    }
}

/// One encoding for each genesis.
pub fn genesis_decode(data: &[u8]) {
    if let Ok(genesis) = Genesis::decode(data) {
        assert_eq!(genesis.encode(), data);
        assert_eq!(genesis.network_id(), NetworkId::of_genesis(data));
    }
}

/// One encoding for each key, whose hash is its id; verifying with it never panics.
pub fn cose_key_decode(data: &[u8]) {
    if let Ok(key) = PublicKey::from_cose_key(data) {
        assert_eq!(key.to_cose_key(), data);
        assert_eq!(*key.kid().as_bytes(), sha256(&[data]));
        let alg = key.suite().algorithm();
        for length in [0, 64, key.suite().signature_len()] {
            // Zeros are a valid signature under a key of small order (ZIP-215), so only the absence of a panic is asked.
            let _ = key.verify(alg, b"message", &vec![0; length]);
        }
    }
}

/// Notes, checkpoints, keys of logs and witnesses, and what a witness is asked come back as they were.
pub fn checkpoint_note(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(note) = Note::parse(text, &NoteLimits::default()) {
        assert_eq!(note.format().expect("parsed before"), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text().expect("parsed before"), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.format(), text);
    }
    if let Ok(key) = WitnessKey::parse(text) {
        assert_eq!(key.format(), text);
    }
    if let Ok(key) = LogKey::parse(text) {
        assert_eq!(key.format(), text);
    }
    if let Ok(request) = AddCheckpoint::parse(text, &NoteLimits::default()) {
        assert_eq!(request.format().expect("parsed before"), text);
    }
}

/// A receipt verifies only if it says what one of the published receipts says. (One proof of absence fits every key whose path begins
/// alike, so absent keys are left out; witness lines are not judged.)
pub fn receipt_verify(data: &[u8]) {
    let known = known_facts();
    for network in networks() {
        if let Ok(verified) = verify(data, network) {
            for fact in facts(&verified) {
                assert!(known.contains(&fact), "nobody has signed this: {fact}");
            }
        }
    }
}

/// What a verified receipt vouches for, as texts that can be compared.
fn facts(verified: &Verified) -> Vec<String> {
    let certificate = &verified.certificate;
    let block = certificate.block_hash();
    let mut facts = vec![format!("block {block:?} {:?}", certificate.header)];
    if let Some(entry) = &verified.entry {
        let record = hex::encode(entry.record.encode());
        facts.push(format!("entry {block:?} {:?} {record}", entry.log_index));
        if let Some(entry) = &entry.entry {
            facts.push(format!("bytes {block:?} {}", hex::encode(entry.bytes())));
        }
        if let Some(events) = &entry.events {
            facts.push(format!("events {block:?} {record} {events:?}"));
        }
    }
    for state in &verified.state {
        if let Some(value) = &state.value {
            facts.push(format!(
                "state {:?} {} {} {}",
                certificate.header.state_root,
                state.register,
                hex::encode(&state.key),
                hex::encode(value)
            ));
        }
    }
    facts
}

fn known_facts() -> &'static HashSet<String> {
    static FACTS: OnceLock<HashSet<String>> = OnceLock::new();
    FACTS.get_or_init(|| {
        let receipts = valid_receipts();
        assert!(receipts.len() >= 30, "only {} receipts", receipts.len());
        let verified = receipts
            .iter()
            .map(|(bytes, network)| verify(bytes, network).expect("a published, valid receipt"));
        verified.flat_map(|verified| facts(&verified)).collect()
    })
}

fn networks() -> &'static [NetworkDescriptor] {
    static NETWORKS: OnceLock<Vec<NetworkDescriptor>> = OnceLock::new();
    NETWORKS.get_or_init(|| {
        let mut networks: Vec<NetworkDescriptor> = Vec::new();
        for (_, network) in valid_receipts() {
            if networks
                .iter()
                .all(|known| known.network != network.network)
            {
                networks.push(network);
            }
        }
        networks
    })
}

// ---- Seeds: the published vectors ----

fn vectors() -> PathBuf {
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    loop {
        if folder.join("vectors/receipts.json").exists() {
            return folder.join("vectors");
        }
        assert!(folder.pop(), "vectors/ is in no folder above this crate");
    }
}

fn json(name: &str) -> Json {
    let text = std::fs::read_to_string(vectors().join(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

fn rows_of(name: &str) -> Vec<Json> {
    json(name).as_array().expect(name).clone()
}

/// The hex strings of a field; rows that give long bytes in parts are left out.
fn rows(name: &str, field: &str) -> Vec<Vec<u8>> {
    let rows = rows_of(name);
    let texts = rows.iter().filter_map(|row| row[field].as_str());
    texts.map(|text| hex::decode(text).expect("hex")).collect()
}

fn descriptor(name: &str) -> Option<NetworkDescriptor> {
    let json = json(name);
    let bytes = |field: &str| hex::decode(json[field].as_str()?).ok();
    Some(NetworkDescriptor {
        name: json["name"].as_str()?.to_owned(),
        network: NetworkId::from_bytes(bytes("network_id")?.try_into().ok()?),
        key: PublicKey::from_cose_key(&bytes("key")?).ok()?,
    })
}

/// The valid receipts that come as a file, each with its network.
fn valid_receipts() -> Vec<(Vec<u8>, NetworkDescriptor)> {
    let rows = rows_of("receipts.json");
    // Under the key of small order that one vector has, by ZIP-215 anybody's signature is valid for any message.
    let weak = "network-small-order.json";
    let valid = rows
        .iter()
        .filter(|row| row["valid"] == true && row["network"] != weak);
    let read = |row: &Json| {
        let bytes = std::fs::read(vectors().join(row["file"].as_str()?)).expect("a vector");
        Some((bytes, descriptor(row["network"].as_str()?)?))
    };
    valid.filter_map(read).collect()
}

/// What stands inside of the published receipts.
struct Parts {
    records: Vec<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
}

fn parts() -> Parts {
    let mut parts = Parts {
        records: vec![vec![0x80]],
        certificates: Vec::new(),
    };
    for (bytes, network) in valid_receipts() {
        let verified = verify(&bytes, &network).expect("a published, valid receipt");
        parts.certificates.push(verified.certificate.encode());
        parts
            .certificates
            .push(verified.certificate.header.encode());
        if let Some(entry) = verified.entry {
            parts.records.push(entry.record.encode());
            parts
                .records
                .extend(entry.events.map(|events| encode_events(&events)));
        }
    }
    parts
}
