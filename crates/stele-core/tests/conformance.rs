//! The hash of every wire encoding, made from fixed inputs, beside the one in `conformance.toml`. A difference is a format change:
//! see the top of docs/format.md for what it brings with it. `STELE_CONFORMANCE=write` makes the file anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stele_core::block::{BlockHeader, Certificate, Event, Outcome, Record, encode_events};
use stele_core::cbor::{BodyBuilder, Value};
use stele_core::entry::{Entry, EntryBuilder};
use stele_core::genesis::{Genesis, Member};
use stele_core::id::{
    BlockHash, Hash, Height, KeyId, LogIndex, NetworkId, PartyId, RegisterName, TimeMs, sha256,
};
use stele_core::merkle::{Frontier, leaf_hash, node_hash};
use stele_core::receipt::{EntryClaim, NetworkDescriptor, Receipt, StateClaim, verify};
use stele_core::state_proof::{StateProof, Terminal, state_path, value_hash};
use stele_core::suite::{SigningKey, Suite};

/// The suites of every build; SM2 is behind a feature.
const SUITES: [Suite; 4] = [
    Suite::Ed25519,
    Suite::Es256,
    Suite::MlDsa65,
    Suite::Ed25519MlDsa65,
];

fn key(suite: Suite, seed: u8) -> SigningKey {
    let length = suite.secret_len();
    SigningKey::from_seed(suite, &vec![seed; length]).expect("a seed")
}

fn register(name: &str) -> RegisterName {
    RegisterName::new(name).expect("valid")
}

fn body() -> Vec<u8> {
    BodyBuilder::new()
        .text("event_id", "urn:example:fictional:1")
        .bytes("commitment", &[7; 32])
        .uint("time", 1_700_000_000_000)
        .bool("final", true)
        .bytes_list("items", &[[1u8; 32], [2; 32]])
        .text_list("names", &["Fictional Mill", ""])
        .build()
}

fn builder(network: NetworkId) -> EntryBuilder {
    let (from, until) = (1_700_000_000_000, 1_700_000_600_000);
    let (from, until) = (TimeMs::new(from), TimeMs::new(until));
    EntryBuilder::new(network, register("trace"), from, until, &[9; 12])
        .command("event.record", body())
        .command("identity/key.add", BodyBuilder::new().build())
}

fn genesis(network_key: &SigningKey) -> Genesis {
    let members = SUITES.iter().enumerate().map(|(number, suite)| Member {
        name: format!("Fictional Member {number}"),
        key: key(*suite, 40 + number as u8).public().clone(),
    });
    Genesis {
        name: "Fictional Network".to_owned(),
        time: TimeMs::new(1_699_999_999_999),
        network_key: network_key.public().clone(),
        members: members.collect(),
        registers: vec![
            (register("governance"), 1),
            (register("identity"), 1),
            (register("trace"), 24),
        ],
        committee: None,
    }
}

fn record(entry: &Entry, events: &[u8], outcome: Option<Outcome>) -> Record {
    let applied = Outcome::Applied {
        events_hash: sha256(&[events]),
    };
    Record {
        entry_id: entry.id(),
        envelope_hash: entry.envelope_hash(),
        party: PartyId::of_first_key(&entry.header().kid),
        register: entry.header().register,
        rule: "trace@24".to_owned(),
        height: Height::new(300),
        time: TimeMs::new(1_700_000_000_500),
        outcome: outcome.unwrap_or(applied),
    }
}

fn certificate(
    key: &SigningKey,
    network: NetworkId,
    leaves: &[Vec<u8>],
    state_root: [u8; 32],
) -> Certificate {
    let mut frontier = Frontier::new();
    leaves
        .iter()
        .for_each(|leaf| frontier.push(leaf_hash(leaf)));
    let header = BlockHeader {
        alg: 0,
        kid: KeyId::from_bytes([0; 32]),
        network,
        height: Height::new(300),
        time: TimeMs::new(1_700_000_000_500),
        previous: BlockHash::from_bytes([3; 32]),
        tree_size: LogIndex::new(leaves.len() as u64),
        state_root: Hash::from_bytes(state_root),
    };
    Certificate::sign(header, Hash::from_bytes(frontier.root()), key)
}

/// A state of two keys, with a proof of the first, of an absent key that ends at the other leaf, and of one that ends in nothing.
fn state_claims() -> ([u8; 32], Vec<StateClaim>) {
    // Found by counting up: the paths of the present keys differ in their first bit.
    let with_first_bit = |bit: u8, from: u32| {
        (from..)
            .map(|number| format!("key/{number}").into_bytes())
            .find(|key| state_path("trace", key)[0] >> 7 == bit)
            .expect("every other key")
    };
    let (left, right) = (with_first_bit(0, 0), with_first_bit(1, 0));
    let absent = with_first_bit(1, 1000);
    let leaf = |key: &[u8], value: &[u8]| {
        let path = state_path("trace", key);
        stele_core::state_proof::leaf_hash(&path, &value_hash(value))
    };
    let (left_value, right_value) = (b"left".to_vec(), vec![5; 100]);
    let (left_leaf, right_leaf) = (leaf(&left, &left_value), leaf(&right, &right_value));
    let root = stele_core::state_proof::inner_hash(&left_leaf, &right_leaf);
    let proof = |sibling: [u8; 32], terminal| StateProof {
        depth: 1,
        sibling_bitmap: vec![0x80],
        siblings: vec![sibling],
        terminal,
    };
    let other = Terminal::OtherLeaf {
        path: state_path("trace", &right),
        value_hash: value_hash(&right_value),
    };
    let claim = |key: Vec<u8>, value, proof| StateClaim {
        register: "trace".to_owned(),
        key,
        value,
        proof,
    };
    let claims = vec![
        claim(left, Some(left_value), proof(right_leaf, Terminal::Leaf)),
        claim(absent, None, proof(left_leaf, other)),
    ];
    (root, claims)
}

fn encodings() -> BTreeMap<String, Vec<u8>> {
    let mut made = BTreeMap::new();
    let mut add = |name: String, bytes: Vec<u8>| {
        assert!(made.insert(name.clone(), bytes).is_none(), "{name} twice");
    };
    let network_key = key(Suite::Ed25519, 1);
    let genesis_value = genesis(&network_key);
    let network = genesis_value.network_id();
    add("genesis".into(), genesis_value.encode());
    add("genesis/network-id".into(), network.as_bytes().to_vec());

    let cosigners = SUITES.map(|suite| key(suite, 20));
    for (number, suite) in SUITES.into_iter().enumerate() {
        let signer = key(suite, 10);
        let public = signer.public();
        let name = suite.name();
        add(format!("cose-key/{name}"), public.to_cose_key());
        add(format!("kid/{name}"), public.kid().as_bytes().to_vec());
        let party = PartyId::of_first_key(&public.kid());
        add(format!("did/{name}"), party.did().into_bytes());
        let entry = builder(network).sign(&signer).expect("valid");
        add(format!("entry/{name}"), entry.bytes().to_vec());
        add(format!("entry-id/{name}"), entry.id().as_bytes().to_vec());
        let others: Vec<_> = cosigners.iter().take(number + 1).collect();
        let entry = builder(network).sign_with_cosigners(&signer, &others);
        let entry = entry.expect("valid");
        add(format!("entry-countersigned/{name}"), entry.into_bytes());
        let signed = certificate(&key(suite, 1), network, &[vec![1], vec![2]], [4; 32]);
        add(format!("certificate/{name}"), signed.encode());
        add(format!("block-header/{name}"), signed.header.encode());
        let hash = signed.block_hash();
        add(format!("block-hash/{name}"), hash.as_bytes().to_vec());
    }

    let entry = builder(network).sign(&key(Suite::Ed25519, 10));
    let entry = entry.expect("valid");
    let events = encode_events(&[
        Event {
            name: "event.recorded".to_owned(),
            body: body(),
        },
        Event {
            name: "custody.moved".to_owned(),
            body: BodyBuilder::new().build(),
        },
    ]);
    add("events".into(), events.clone());
    add("events/none".into(), encode_events(&[]));
    let applied = record(&entry, &events, None).encode();
    let refused = Outcome::Refused {
        command_index: 1,
        code: "trace.custody.not-holder".to_owned(),
    };
    let refused = record(&entry, &events, Some(refused)).encode();
    add("record/applied".into(), applied.clone());
    add("record/refused".into(), refused.clone());
    add("leaf-hash".into(), leaf_hash(&applied).to_vec());
    add("cbor/value".into(), cbor_value().encode());

    let (state_root, claims) = state_claims();
    add("state-root".into(), state_root.to_vec());
    for (name, claim) in ["present", "absent"].into_iter().zip(&claims) {
        let proof = stele_core::receipt::encode_state_proof(&claim.proof);
        add(format!("state-proof/{name}"), proof);
    }
    let leaves = [applied.clone(), refused.clone(), vec![3]];
    let signed = certificate(&network_key, network, &leaves, state_root);
    let leaf: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let claim_of = |index: u64, path, record: &Vec<u8>, events| EntryClaim {
        leaf_index: LogIndex::new(index),
        path,
        record: record.clone(),
        events,
    };
    let first = claim_of(0, vec![leaf[1], leaf[2]], &applied, Some(events));
    let second = claim_of(1, vec![leaf[0], leaf[2]], &refused, None);
    assert_eq!(
        node_hash(&node_hash(&leaf[0], &leaf[1]), &leaf[2]),
        *signed.log_root.as_bytes()
    );
    let receipt = |claim, with_entry: bool, state: &[StateClaim], witnesses: &[&str]| Receipt {
        certificate: signed.clone(),
        claim,
        entry: with_entry.then(|| entry.bytes().to_vec()),
        state: state.to_vec(),
        witnesses: witnesses.iter().map(|line| (*line).to_owned()).collect(),
    };
    let descriptor = NetworkDescriptor::of_genesis(&genesis_value);
    for (name, receipt) in [
        ("entry", receipt(Some(first.clone()), true, &[], &[])),
        (
            "entry-without-entry",
            receipt(Some(second), false, &[], &[]),
        ),
        ("state", receipt(None, false, &claims, &[])),
        (
            "all",
            receipt(Some(first), true, &claims, &["witness.example fictional"]),
        ),
    ] {
        let bytes = receipt.encode();
        verify(&bytes, &descriptor).unwrap_or_else(|error| panic!("{name}: {error}"));
        add(format!("receipt/{name}"), bytes);
    }
    made
}

fn cbor_value() -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    Value::Map(vec![
        (
            text("z"),
            Value::Array(vec![Value::Null, Value::Bool(false)]),
        ),
        (text("aa"), Value::Nint(u64::MAX)),
        (Value::Uint(24), Value::Bytes(vec![0; 24])),
        (Value::Nint(0), Value::Uint(u64::MAX)),
        (Value::Array(vec![]), Value::Map(vec![])),
    ])
}

/// The `name = "hash"` lines of the file, which is TOML of the simplest kind.
fn read(text: &str) -> BTreeMap<String, String> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let pair = |line: &str| {
        let (name, hash) = line.split_once(" = ").expect("name = \"hash\"");
        (
            name.trim_matches('"').to_owned(),
            hash.trim_matches('"').to_owned(),
        )
    };
    lines.map(pair).collect()
}

#[test]
fn wire_encodings_conformance_() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance.toml");
    let made: BTreeMap<_, _> = encodings()
        .into_iter()
        .map(|(name, bytes)| (name, hex::encode(sha256(&[&bytes]))))
        .collect();
    if std::env::var("STELE_CONFORMANCE").is_ok_and(|value| value == "write") {
        let mut text = "# SHA-256 of each wire encoding, made by tests/conformance.rs. A changed line is a format change\n\
             # (docs/format.md); STELE_CONFORMANCE=write makes the file anew.\n\n"
            .to_owned();
        for (name, hash) in &made {
            text += &format!("\"{name}\" = \"{hash}\"\n");
        }
        std::fs::write(&path, text).expect("written");
    }
    let kept = read(&std::fs::read_to_string(&path).expect("conformance.toml"));
    for (name, hash) in &made {
        assert_eq!(
            kept.get(name),
            Some(hash),
            "{name} is encoded in another way"
        );
    }
    assert_eq!(
        kept.len(),
        made.len(),
        "conformance.toml names more encodings"
    );
    assert!(made.len() > 40, "{} encodings", made.len());
}
