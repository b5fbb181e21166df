//! The published vectors (`vectors/` at the root), which every implementation of docs/format.md runs.

use std::path::PathBuf;

use serde_json::Value as Json;
use stele_core::block::Outcome;
use stele_core::cbor;
use stele_core::entry::Entry;
use stele_core::genesis::Genesis;
use stele_core::id::{NetworkId, PartyId, sha256};
use stele_core::receipt::{NetworkDescriptor, Verified, verify, verify_witnessed};
use stele_core::suite::{BatchItem, PublicKey, SuiteError, verify_batch};
use stele_core::witness::{PolicyError, WitnessKey, WitnessPolicy};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn rows(name: &str) -> Vec<Json> {
    let path = root().join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<Json> = serde_json::from_str(&text).expect(name);
    assert!(rows.len() >= 7, "{name} holds only {} rows", rows.len());
    rows
}

fn hex_of(row: &Json, field: &str) -> Vec<u8> {
    hex::decode(
        row[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} in {row}")),
    )
    .expect("hex")
}

/// The bytes of a row: `file`, `hex`, or `parts`.
fn bytes(row: &Json) -> Vec<u8> {
    if let Some(file) = row["file"].as_str() {
        return std::fs::read(root().join(file)).expect(file);
    }
    if row["hex"].is_string() {
        return hex_of(row, "hex");
    }
    let mut out = Vec::new();
    for part in row["parts"].as_array().expect("file, hex or parts") {
        if part["hex"].is_string() {
            out.extend(hex_of(part, "hex"));
        } else {
            let unit = hex_of(part, "repeat");
            let times = part["times"].as_u64().expect("times") as usize;
            out.extend(std::iter::repeat_n(unit, times).flatten());
        }
    }
    out
}

fn expects_valid(row: &Json) -> bool {
    // A row marked `sm` is about a suite that this build may lack.
    if row["feature"] == "sm" {
        cfg!(feature = "sm")
    } else {
        row["valid"].as_bool().expect("valid")
    }
}

/// Reads a descriptor as a verifier must: id, key, and the genesis where it is given.
fn descriptor(json: &Json) -> Result<NetworkDescriptor, &'static str> {
    let text = |field: &str| json[field].as_str().ok_or("bad-network");
    if text("format")? != "stele-network/1" {
        return Err("bad-network");
    }
    let network: NetworkId = text("network_id")?.parse().map_err(|_| "bad-network")?;
    let key = hex::decode(text("key")?).map_err(|_| "bad-network")?;
    let key = PublicKey::from_cose_key(&key).map_err(|error| match error {
        SuiteError::UnknownKey => "unknown",
        _ => "bad-network",
    })?;
    let descriptor = NetworkDescriptor {
        name: text("name")?.to_owned(),
        network,
        key,
    };
    if !json["genesis"].is_null() {
        let genesis = hex::decode(text("genesis")?).map_err(|_| "bad-network")?;
        let genesis = Genesis::decode(&genesis).map_err(|_| "bad-network")?;
        descriptor
            .check_genesis(&genesis)
            .map_err(|_| "bad-network")?;
    }
    Ok(descriptor)
}

fn expectation(verified: &Verified) -> Json {
    let commands = |entry: &Entry| -> Vec<Json> {
        let view = entry.commands().map(|command| {
            serde_json::json!({"register": command.register, "name": command.name, "body_hex": hex::encode(command.body)})
        });
        view.collect()
    };
    let claim = verified.entry.as_ref();
    let record = claim.map(|claim| &claim.record);
    let header = &verified.certificate.header;
    let outcome = record.map(|record| match &record.outcome {
        Outcome::Applied { events_hash } => {
            serde_json::json!({"applied": true, "events_hash": hex::encode(events_hash)})
        }
        Outcome::Refused {
            command_index,
            code,
        } => {
            serde_json::json!({"applied": false, "command_index": command_index, "code": code})
        }
    });
    let events = claim.and_then(|claim| claim.events.as_ref()).map(|events| {
        let view = events.iter().map(
            |event| serde_json::json!({"name": event.name, "body_hex": hex::encode(&event.body)}),
        );
        view.collect::<Vec<_>>()
    });
    let state: Vec<_> = verified
        .state
        .iter()
        .map(|claim| {
            serde_json::json!({"register": claim.register, "key": hex::encode(&claim.key), "value": claim.value.as_ref().map(hex::encode)})
        })
        .collect();
    let entry = claim.and_then(|claim| claim.entry.as_ref());
    serde_json::json!({
        "who": record.map(|record| serde_json::json!({
            "party": record.party.did(), "party_id": record.party.to_string(),
            "kid": entry.map(|entry| entry.header().kid.to_string()),
        })),
        "what": {
            "register": record.map(|record| record.register.to_string()),
            "entry_id": record.map(|record| record.entry_id.to_string()),
            "outcome": outcome, "commands": entry.map(commands), "events": events, "state": state,
        },
        "when": {
            "record": record.map(|record| serde_json::json!({"height": record.height.get(), "time_ms": record.time.get()})),
            "certificate": {"height": header.height.get(), "time_ms": header.time.get()},
        },
        "rule": record.map(|record| record.rule.clone()),
        "witnesses": verified.witnesses,
    })
}

fn report(failures: &[String], checked: usize) {
    assert!(
        failures.is_empty(),
        "{} of {checked} rows fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn receipts() {
    let rows = rows("receipts.json");
    let mut failures = Vec::new();
    for row in &rows {
        let network: Json = serde_json::from_slice(
            &std::fs::read(root().join(row["network"].as_str().expect("network")))
                .expect("network"),
        )
        .expect("network");
        let network = descriptor(&network).expect("a usable network");
        let name = &row["name"];
        match verify(&bytes(row), &network) {
            Ok(verified) if row["valid"] == true => {
                let found = expectation(&verified);
                if found != row["expect"] {
                    failures.push(format!(
                        "{name}: proves {found}\n  instead of {}",
                        row["expect"]
                    ));
                }
            }
            Ok(_) => failures.push(format!("{name}: accepted, should be {}", row["code"])),
            Err(error) if row["valid"] == true => {
                failures.push(format!("{name}: refused as {error}"))
            }
            Err(error) if row["code"] != error.reason.code() => {
                failures.push(format!("{name}: {error}, should be {}", row["code"]));
            }
            Err(_) => {}
        }
    }
    report(&failures, rows.len());
}

fn policy(row: &Json) -> Result<WitnessPolicy, PolicyError> {
    let keys = row["policy"]["keys"].as_array().expect("keys");
    let keys = keys
        .iter()
        .map(|key| WitnessKey::parse(key.as_str().expect("a key")))
        .collect::<Result<_, _>>()?;
    WitnessPolicy::new(keys, row["policy"]["min"].as_u64().expect("min") as usize)
}

#[test]
fn witnesses() {
    let rows = rows("witnesses.json");
    let mut failures = Vec::new();
    for row in &rows {
        let network = std::fs::read(root().join(row["network"].as_str().expect("network")));
        let network = serde_json::from_slice(&network.expect("network")).expect("network");
        let network = descriptor(&network).expect("a usable network");
        let name = &row["name"];
        match verify_witnessed(&bytes(row), &network, &policy(row).expect("a policy")) {
            Ok(verified) => {
                let cosigned = verified.cosigned.expect("a policy was given");
                let cosigned = cosigned
                    .iter()
                    .map(|by| serde_json::json!({"name": by.name, "time": by.time}));
                let found: Json = cosigned.collect();
                if row["witnessed"] != found {
                    failures.push(format!("{name}: {found}, should be {}", row["witnessed"]));
                }
            }
            Err(error) if row["code"] != error.reason.code() => {
                failures.push(format!("{name}: {error}, should be {}", row["code"]));
            }
            Err(_) => {}
        }
        // Without a policy nobody is asked.
        let carried = verify(&bytes(row), &network).map(|verified| verified.cosigned);
        if row["step"] != 14 && carried != Ok(None) {
            failures.push(format!("{name}: {carried:?} without a policy"));
        }
    }
    report(&failures, rows.len());
    for row in &self::rows("witness-policies.json") {
        assert!(policy(row).is_err(), "{}", row["name"]);
    }
}

#[test]
fn networks() {
    let rows = rows("networks.json");
    let mut failures = Vec::new();
    for row in &rows {
        let found = descriptor(&row["descriptor"]);
        // This build cannot tell a broken key from a suite it lacks; both are unusable.
        let agrees = match &found {
            Ok(_) => row["usable"] == true,
            Err("unknown") => {
                row["usable"] == false || (row["feature"] == "sm" && !cfg!(feature = "sm"))
            }
            Err(code) => row["usable"] == false && row["code"] == *code,
        };
        let other_build = row["feature"] == "sm" && cfg!(feature = "sm");
        if !(agrees || other_build) {
            failures.push(format!(
                "{}: {:?}, should be {}",
                row["name"],
                found.err(),
                row["code"]
            ));
        }
    }
    report(&failures, rows.len());
}

#[test]
fn entries() {
    let rows = rows("entries.json");
    let mut failures = Vec::new();
    for row in &rows {
        let name = &row["name"];
        match Entry::decode(bytes(row)) {
            Err(error) if expects_valid(row) => {
                failures.push(format!("{name}: refused as {error}"))
            }
            Err(error) => {
                let code = error.code().trim_start_matches("entry.");
                if row["code"] != code {
                    failures.push(format!("{name}: {error}, should be {}", row["code"]));
                }
            }
            Ok(_) if !expects_valid(row) => {
                failures.push(format!("{name}: accepted, should be {}", row["code"]))
            }
            Ok(entry) => {
                let same = row["entry_id"] == entry.id().to_string()
                    && row["envelope_hash"] == entry.envelope_hash().to_string()
                    && row["register"] == entry.header().register.to_string();
                if !same {
                    failures.push(format!("{name}: other hashes or register"));
                }
                check_signatures(row, &entry, &mut failures);
            }
        }
    }
    report(&failures, rows.len());
}

fn check_signatures(row: &Json, entry: &Entry, failures: &mut Vec<String>) {
    let key = PublicKey::from_cose_key(&hex_of(row, "signer")).expect("signer");
    let check = entry.signature();
    let found = match key.verify(check.alg, &check.message, check.signature) {
        Ok(()) => "valid",
        Err(SuiteError::UnknownAlgorithm { .. }) => "unknown-algorithm",
        Err(_) => "invalid",
    };
    if row["signature"] != found {
        failures.push(format!(
            "{}: signature {found}, should be {}",
            row["name"], row["signature"]
        ));
    }
    let countersigners = row["countersigners"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        countersigners.len(),
        entry.cosigner_kids().count(),
        "{}",
        row["name"]
    );
    for (cosigner, check) in countersigners.iter().zip(entry.countersignatures()) {
        let key = hex::decode(cosigner.as_str().expect("hex")).expect("hex");
        let key = PublicKey::from_cose_key(&key).expect("countersigner");
        if let Err(error) = key.verify(check.alg, &check.message, check.signature) {
            failures.push(format!("{}: countersignature {error}", row["name"]));
        }
    }
}

#[test]
fn deterministic_cbor() {
    let rows = rows("cbor.json");
    let mut failures = Vec::new();
    for row in &rows {
        // A value on its own has no tag.
        let bytes = bytes(row);
        let found = cbor::Value::decode(&bytes)
            .map(|value| assert_eq!(value.encode(), bytes, "{}", row["name"]));
        let code = match found {
            Ok(()) => "valid",
            Err(error) if error.kind.is_canonicality() => "not-canonical",
            Err(_) => "malformed",
        };
        let expected = if row["valid"] == true {
            "valid"
        } else {
            row["code"].as_str().expect("code")
        };
        if code != expected {
            failures.push(format!("{}: {code}, should be {expected}", row["name"]));
        }
    }
    report(&failures, rows.len());
}

#[test]
fn keys() {
    let rows = rows("keys.json");
    let mut failures = Vec::new();
    for row in &rows {
        match PublicKey::from_cose_key(&hex_of(row, "cose_key")) {
            Ok(key) if expects_valid(row) && row["kid"].is_string() => {
                let party = PartyId::of_first_key(&key.kid());
                let same = row["suite"] == key.suite().name()
                    && row["kid"] == key.kid().to_string()
                    && row["party_id"] == party.to_string()
                    && row["did"] == party.did()
                    && PartyId::from_did(&party.did()) == Ok(party);
                if !same {
                    failures.push(format!("{}: other names", row["name"]));
                }
            }
            Ok(_) if expects_valid(row) => {}
            Ok(_) => failures.push(format!(
                "{}: accepted, should be {}",
                row["name"], row["code"]
            )),
            Err(error) if expects_valid(row) => failures.push(format!("{}: {error}", row["name"])),
            Err(_) => {}
        }
    }
    report(&failures, rows.len());
}

#[test]
fn ed25519_is_judged_by_zip_215_one_by_one_and_in_batches() {
    let rows = rows("ed25519.json");
    let mut failures = Vec::new();
    let parsed: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut cose = hex::decode("a3010120062158").expect("hex");
            cose.push(32);
            cose.extend(hex_of(row, "public"));
            (
                PublicKey::from_cose_key(&cose).ok(),
                hex_of(row, "message"),
                hex_of(row, "signature"),
            )
        })
        .collect();
    for (row, (key, message, signature)) in rows.iter().zip(&parsed) {
        let valid = key
            .as_ref()
            .is_some_and(|key| key.verify(-19, message, signature).is_ok());
        if row["valid"] != valid {
            failures.push(format!("{}: {valid}", row["name"]));
        }
    }
    let (items, expected): (Vec<_>, Vec<_>) = rows
        .iter()
        .zip(&parsed)
        .filter_map(|(row, (key, message, signature))| {
            let key = key.as_ref()?;
            Some((
                BatchItem {
                    key,
                    alg: -19,
                    message,
                    signature,
                },
                row["valid"] == true,
            ))
        })
        .unzip();
    let found: Vec<_> = verify_batch(&items).iter().map(Result::is_ok).collect();
    assert_eq!(found, expected, "in one batch");
    report(&failures, rows.len());
}

#[test]
fn state_claims() {
    // A claim is judged inside a receipt; here its parts are read from the same encoding.
    let rows = rows("state.json");
    let mut checked = 0;
    for set in &rows {
        for claim in set["claims"].as_array().expect("claims") {
            let bytes = hex_of(claim, "claim");
            let root: [u8; 32] = hex_of(claim, "root").try_into().expect("32 bytes");
            let found = stele_core::receipt::verify_state_claim(&bytes, &root);
            assert_eq!(
                claim["valid"],
                found.is_ok(),
                "{}: {found:?}",
                claim["about"]
            );
            checked += 1;
        }
        if let Some(leaves) = set["leaves"].as_array() {
            assert_eq!(
                hex::encode(model_root(leaves)),
                set["root"],
                "{}",
                set["name"]
            );
        }
    }
    assert!(checked >= 20, "{checked} claims");
}

/// The root by the definition in section 6.
fn model_root(leaves: &[Json]) -> [u8; 32] {
    use stele_core::state_proof::{inner_hash, leaf_hash, state_path};
    fn bit(path: &[u8; 32], index: u16) -> bool {
        path[usize::from(index / 8)] & (0x80 >> (index % 8)) != 0
    }
    fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: u16) -> [u8; 32] {
        match leaves {
            [] => [0; 32],
            [(path, value)] => leaf_hash(path, value),
            _ => {
                let split = leaves.partition_point(|(path, _)| !bit(path, depth));
                inner_hash(
                    &subtree(&leaves[..split], depth + 1),
                    &subtree(&leaves[split..], depth + 1),
                )
            }
        }
    }
    let mut paths: Vec<_> = leaves
        .iter()
        .map(|leaf| {
            let path = state_path(
                leaf["register"].as_str().expect("register"),
                &hex_of(leaf, "key"),
            );
            (path, sha256(&[&hex_of(leaf, "value")]))
        })
        .collect();
    paths.sort_unstable();
    subtree(&paths, 0)
}
