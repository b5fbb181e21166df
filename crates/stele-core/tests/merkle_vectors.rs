//! Published vectors for Merkle proofs, checkpoints and note signatures.
//!
//! Read from `$STELE_DATA/interop/tlog` (see SOURCES.md there for origin, licence and verdicts).

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_zebra::{Signature, VerificationKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use stele_core::merkle::checkpoint::{
    Checkpoint, KEY_TYPE_COSIGNATURE, KEY_TYPE_ED25519, Note, NoteLimits, NoteSignature,
    VerifierKey, cosignature_message, key_id, note_message,
};
use stele_core::merkle::{
    Hash, base64_decode, empty_root, leaf_hash, verify_consistency, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};
use stele_core::witness::{AddCheckpoint, WitnessKey, WitnessPolicy};

fn data(path: &str) -> PathBuf {
    let root =
        std::env::var_os("STELE_DATA").expect("set STELE_DATA to the folder of shared test data");
    // Tests run in the crate's folder; a relative STELE_DATA is meant from the workspace's root.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(root);
    let path = root.join("interop/tlog").join(path);
    assert!(path.exists(), "test data is missing: {}", path.display());
    path
}

fn read(path: &str) -> String {
    fs::read_to_string(data(path)).expect("test data is readable")
}

fn cases(folder: &str) -> Vec<(PathBuf, Value)> {
    let mut found = vec![];
    let mut folders = vec![data(&format!("merkle/testdata/{folder}"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folder is readable") {
            let path = entry.expect("folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let case = serde_json::from_slice(&fs::read(&path).expect("case is readable"))
                    .expect("case is JSON");
                found.push((path, case));
            }
        }
    }
    found
}

fn number(case: &Value, name: &str) -> u64 {
    case[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} is missing in {case}"))
}

fn bytes(value: &Value) -> Vec<u8> {
    base64_decode(value.as_str().unwrap_or_default()).expect("hashes are base64")
}

/// A root or leaf hash. A few cases use other lengths as "some root": they stand for their SHA-256, so that
/// equal roots stay equal and different ones different, and the verifier's logic is tested all the same.
fn stand_in(value: &Value) -> Hash {
    let bytes = bytes(value);
    Hash::try_from(bytes.as_slice()).unwrap_or_else(|_| Sha256::digest(&bytes).into())
}

/// `None` when a proof element is no hash at all, which is refused when it is decoded.
fn proof(case: &Value) -> Option<Vec<Hash>> {
    case["proof"]
        .as_array()
        .map_or(&[][..], |proof| proof)
        .iter()
        .map(|hash| bytes(hash).try_into().ok())
        .collect()
}

fn run(folder: &str, cases_min: usize, verify: impl Fn(&Value, &[Hash]) -> bool) {
    let cases = cases(folder);
    assert!(
        cases.len() >= cases_min,
        "{folder}: only {} cases",
        cases.len()
    );
    let (mut accepted, mut refused) = (0, 0);
    for (path, case) in &cases {
        let wanted = !case["wantErr"].as_bool().unwrap_or(false);
        let found = proof(case).is_some_and(|proof| verify(case, &proof));
        assert_eq!(found, wanted, "{}: {}", path.display(), case["desc"]);
        if wanted { accepted += 1 } else { refused += 1 }
    }
    assert!(
        accepted >= 6 && refused >= 80,
        "{folder}: {accepted} accepted, {refused} refused"
    );
}

#[test]
fn inclusion() {
    run("inclusion", 98, |case, proof| {
        // An absent leaf hash is no hash: refused by the type.
        let Ok(leaf) = Hash::try_from(bytes(&case["leafHash"])) else {
            return false;
        };
        let root = stand_in(&case["root"]);
        verify_inclusion(
            &leaf,
            number(case, "leafIdx"),
            number(case, "treeSize"),
            proof,
            &root,
        )
        .is_ok()
    });
}

#[test]
fn consistency() {
    run("consistency", 98, |case, proof| {
        let (root1, root2) = (stand_in(&case["root1"]), stand_in(&case["root2"]));
        verify_consistency(
            number(case, "size1"),
            &root1,
            number(case, "size2"),
            &root2,
            proof,
        )
        .is_ok()
    });
}

#[test]
fn subtree_inclusion() {
    run("subtreeinclusion", 204, |case, proof| {
        let Ok(leaf) = Hash::try_from(bytes(&case["leafHash"])) else {
            return false;
        };
        let (index, start, end) = (
            number(case, "leafIdx"),
            number(case, "start"),
            number(case, "end"),
        );
        verify_subtree_inclusion(&leaf, index, start, end, proof, &stand_in(&case["root"])).is_ok()
    });
}

#[test]
fn subtree_consistency() {
    run("subtreeconsistency", 118, |case, proof| {
        let (root1, root2) = (stand_in(&case["root1"]), stand_in(&case["root2"]));
        let (start, end, size) = (
            number(case, "start"),
            number(case, "end"),
            number(case, "size"),
        );
        verify_subtree_consistency(start, end, &root1, size, &root2, proof).is_ok()
    });
}

fn verifies(key: &VerifierKey, text: &str, signature: &NoteSignature) -> bool {
    let (message, signature) = match key.key_type {
        KEY_TYPE_ED25519 => {
            let Ok(signature) = <[u8; 64]>::try_from(signature.signature.as_slice()) else {
                return false;
            };
            (
                note_message(text).expect("a parsed text").to_vec(),
                signature,
            )
        }
        KEY_TYPE_COSIGNATURE => {
            let Some((time, signature)) = signature.cosignature() else {
                return false;
            };
            (
                cosignature_message(time, text).expect("a parsed text"),
                signature,
            )
        }
        other => panic!("no such key type in these vectors: {other}"),
    };
    let key = VerificationKey::try_from(key.public_key.as_slice()).expect("a valid point");
    key.verify(&Signature::from(signature), &message).is_ok()
}

/// The checkpoint, if one of its signatures is by this key.
fn open(note: &str, key: &VerifierKey) -> Option<Checkpoint> {
    let note = Note::parse(note, &NoteLimits::default()).expect("a well-formed note");
    let signed = note
        .signatures_by(key)
        .any(|signature| verifies(key, &note.text, signature));
    signed.then(|| Checkpoint::parse(&note.text).expect("a well-formed checkpoint"))
}

#[test]
fn tessera_checkpoints_verify() {
    let key = VerifierKey::parse(
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
    )
    .expect("the key of SOURCES.md");
    for size in 0..=15u64 {
        let note = read(&format!("tessera/testdata/log/checkpoint.{size}"));
        let checkpoint = open(&note, &key).expect("signed by the log");
        assert_eq!(
            (checkpoint.origin.as_str(), checkpoint.size),
            ("example.com/log/testdata", size)
        );
        if size == 0 {
            assert_eq!(checkpoint.root, empty_root());
        }
        // A tree of another size, or the same signature under another text, is refused.
        let forged = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        assert_eq!(open(&forged, &key), None);
    }
}

#[test]
fn sunlight_cosignatures_verify() {
    let folder = "sunlight/cmd/skylight/testdata";
    let rome = "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706";
    let milan = "88ad7a28caeb0b2aa890fdf0304c2fcaf59fca2ee140134ff8c1300bac493482";
    let mut roots = vec![];
    for (key_file, checkpoint_file, origin) in [
        (
            "witness/witness.v0.json",
            format!("witness/{rome}/checkpoint"),
            "rome2026h1.example.org",
        ),
        (
            "witness2/witness.v0.json",
            format!("witness2/{milan}/checkpoint"),
            "milan2026h1.example.org",
        ),
        (
            "witness/mirror/mirror.v0.json",
            format!("witness/mirror/{rome}/checkpoint"),
            "rome2026h1.example.org",
        ),
    ] {
        let keys: Value =
            serde_json::from_str(&read(&format!("{folder}/{key_file}"))).expect("JSON");
        let key = VerifierKey::parse(keys["verifier_keys"][0].as_str().expect("a key"))
            .expect("a verifier key");
        let note = read(&format!("{folder}/{checkpoint_file}"));
        let checkpoint = open(&note, &key).expect("cosigned");
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), (origin, 300));
        // The folder is named by the hash of the origin.
        assert!(checkpoint_file.contains(&hex::encode(Sha256::digest(origin))));
        assert_eq!(open(&note.replacen("\n300\n", "\n301\n", 1), &key), None);
        roots.push(checkpoint.root);
    }
    // The split view that SOURCES.md names: one origin, one size, two roots.
    assert_ne!(roots[0], roots[2]);
    let refused = verify_consistency(300, &roots[0], 300, &roots[2], &[]);
    assert!(refused.is_err(), "a split view is no consistent history");
}

/// Real witnesses under our policies: two logs, two witnesses and a mirror, and the split view between them.
#[test]
fn sunlight_cosignatures_meet_policies() {
    let folder = "sunlight/cmd/skylight/testdata";
    let rome = "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706";
    let key = |file: &str| {
        let keys: Value = serde_json::from_str(&read(&format!("{folder}/{file}"))).expect("JSON");
        let key = keys["verifier_keys"][0].as_str().expect("a key");
        WitnessKey::parse(key).expect("a witness key")
    };
    let note = |file: &str| {
        let note = read(&format!("{folder}/{file}/checkpoint"));
        Note::parse(&note, &NoteLimits::default()).expect("a note")
    };
    let keys = vec![
        key("witness/witness.v0.json"),
        key("witness/mirror/mirror.v0.json"),
        key("witness2/witness.v0.json"),
    ];
    let policy = WitnessPolicy::new(keys, 1).expect("a policy");
    let cosigners = |text: &str, note: &Note| {
        let lines: Vec<_> = note
            .signatures
            .iter()
            .map(|line| line.line().expect("formats"))
            .collect();
        let found = policy.cosigners(text, lines.iter().map(String::as_str));
        found.into_iter().map(|by| by.name).collect::<Vec<_>>()
    };
    let (seen, mirrored) = (
        note(&format!("witness/{rome}")),
        note(&format!("witness/mirror/{rome}")),
    );
    let (by_witness, by_mirror) = (
        cosigners(&seen.text, &seen),
        cosigners(&mirrored.text, &mirrored),
    );
    assert_eq!((by_witness.len(), by_mirror.len()), (1, 1));
    // One origin, one size, two roots: who cosigned one of them did not cosign the other.
    assert_ne!(seen.text, mirrored.text);
    assert_eq!(cosigners(&seen.text, &mirrored), [""; 0]);
    assert_eq!(cosigners(&mirrored.text, &seen), [""; 0]);
}

/// The log's own signature in static-ct-api: RFC 6962's TreeHeadSignature by ECDSA P-256 (type 0x05).
#[test]
fn sunlight_tree_head_verifies() {
    use p256::ecdsa::signature::Verifier;

    let folder = "sunlight/cmd/skylight/testdata/tree";
    let log: Value = serde_json::from_str(&read(&format!("{folder}/log.v3.json"))).expect("JSON");
    let spki = bytes(&log["key"]);
    let log_id = Sha256::digest(&spki);
    assert_eq!(bytes(&log["log_id"]), log_id.as_slice());

    let note = Note::parse(
        &read(&format!("{folder}/checkpoint")),
        &NoteLimits::default(),
    )
    .expect("a note");
    let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint");
    assert_eq!(
        bytes(&log["final_tree_head"]["sha256_root_hash"]),
        checkpoint.root
    );
    let signature = &note.signatures[0];
    assert_eq!(signature.key_id, key_id(&checkpoint.origin, 0x05, &log_id));

    let (time, digitally_signed) = signature
        .signature
        .split_first_chunk::<8>()
        .expect("a timestamp");
    // TLS DigitallySigned: SHA-256 (4), ECDSA (3), a 16-bit length, then the DER signature.
    assert_eq!(digitally_signed[..2], [4, 3]);
    let der = p256::ecdsa::DerSignature::try_from(&digitally_signed[4..]).expect("a DER signature");
    let tree_head = |size: u64| {
        let mut message = vec![0, 1];
        message.extend_from_slice(time);
        message.extend_from_slice(&size.to_be_bytes());
        message.extend_from_slice(&checkpoint.root);
        message
    };
    // The point is the last 65 bytes of a P-256 SubjectPublicKeyInfo.
    let key =
        p256::ecdsa::VerifyingKey::from_sec1_bytes(&spki[spki.len() - 65..]).expect("a P-256 key");
    assert!(key.verify(&tree_head(300), &der).is_ok());
    assert!(key.verify(&tree_head(301), &der).is_err());
}

#[test]
fn c2sp_examples_parse() {
    let limits = NoteLimits::default();
    let note = Note::parse(&read("c2sp/cosigned-checkpoint-example.txt"), &limits).expect("a note");
    assert_eq!(
        note.format().expect("formats"),
        read("c2sp/cosigned-checkpoint-example.txt")
    );
    assert_eq!(note.signatures.len(), 2);
    assert!(note.signatures[1].cosignature().is_some());
    let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint");
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );

    // A witness request is consistency data, a blank line, and the same note.
    let text = read("c2sp/add-checkpoint-request-example.txt");
    let request = AddCheckpoint::parse(&text, &limits).expect("a request");
    assert_eq!(request.format().expect("formats"), text);
    assert_eq!((request.old_size, request.proof.len()), (20_852_014, 4));
    assert_eq!(
        Checkpoint::parse(&request.note.text).expect("a checkpoint"),
        checkpoint
    );
    // The answer is signature lines only: no note.
    let answer = read("c2sp/add-checkpoint-response-example.txt");
    assert!(Note::parse(&answer, &limits).is_err());
    for line in answer.lines() {
        let line = NoteSignature::parse(line).expect("a signature line");
        assert!(line.cosignature().is_some(), "{line:?}");
    }
}

/// Sigsum's proofs hold a leaf of our tree kind, and its log signs the checkpoint text without note framing.
#[test]
fn sigsum_proofs_verify() {
    let keys: Value = serde_json::from_str(&read("sigsum/keys_and_messages.json")).expect("JSON");
    for case in keys.as_array().expect("a list") {
        let text = read(&format!(
            "sigsum/{}",
            case["file"].as_str().expect("a name")
        ));
        let field = |name: &str| -> Vec<Vec<u8>> {
            let values = text
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values
                .flat_map(|value| {
                    value
                        .split(' ')
                        .map(|part| hex::decode(part).unwrap_or_default())
                })
                .collect()
        };
        let root = Hash::try_from(field("root_hash").remove(0)).expect("a root");
        let line = |name: &str| {
            text.lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .strip_prefix('=')?
                        .parse::<u64>()
                        .ok()
                })
                .expect("a number")
        };
        let (size, index) = (line("size"), line("leaf_index"));
        let path: Vec<Hash> = field("node_hash")
            .into_iter()
            .map(|hash| hash.try_into().expect("a hash"))
            .collect();

        // Key blobs: "ssh-ed25519 base64(…32 bytes)".
        let key = |name: &str| {
            base64_decode(
                case[name]
                    .as_str()
                    .expect("a key")
                    .split(' ')
                    .nth(1)
                    .expect("a blob"),
            )
        };
        let log_key: [u8; 32] = key("log").expect("base64")[19..]
            .try_into()
            .expect("32 bytes");
        let submitter: [u8; 32] = key("submitter").expect("base64")[19..]
            .try_into()
            .expect("32 bytes");
        let log_hash: [u8; 32] = Sha256::digest(log_key).into();
        assert_eq!(field("log")[0], log_hash);

        // The leaf: checksum ‖ signature ‖ key hash; the checksum is the hash of the message, itself a hash.
        let message = hex::decode(case["message_hex"].as_str().expect("a message")).expect("hex");
        let leaf_parts = field("leaf");
        let mut leaf = Sha256::digest(message).to_vec();
        leaf.extend_from_slice(&leaf_parts[1]);
        leaf.extend_from_slice(&leaf_parts[0]);
        assert_eq!(leaf_parts[0], Sha256::digest(submitter).as_slice());
        verify_inclusion(&leaf_hash(&leaf), index, size, &path, &root)
            .expect("the leaf is in the tree");
        assert!(verify_inclusion(&leaf_hash(&leaf), index - 1, size, &path, &root).is_err());

        let origin = format!("sigsum.org/v1/tree/{}", hex::encode(log_hash));
        let text = Checkpoint {
            origin,
            size,
            root,
            extensions: vec![],
        }
        .text()
        .expect("formats");
        let signature: [u8; 64] = field("signature")[0]
            .as_slice()
            .try_into()
            .expect("64 bytes");
        let log_key = VerificationKey::try_from(log_key).expect("a key");
        log_key
            .verify(
                &Signature::from(signature),
                note_message(&text).expect("a text"),
            )
            .expect("signed by the log");
    }
}
