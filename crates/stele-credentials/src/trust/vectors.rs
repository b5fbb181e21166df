//! The published vectors of proofs of issuance (`vectors/issuance.json`), which every verifier runs. They are made in Python.

use std::path::PathBuf;

use serde_json::{Value, json};
use stele_core::genesis::Genesis;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite::PublicKey;

use super::*;
use crate::Refusal;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn parsed(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} in {row}"))
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "hex: {text}");
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a row: `file` or `parts`.
fn bytes(row: &Value) -> Vec<u8> {
    if let Some(file) = row["file"].as_str() {
        return std::fs::read(folder().join(file)).expect(file);
    }
    let parts = row["parts"].as_array().expect("file or parts");
    let part = |part: &Value| match part["hex"].as_str() {
        Some(own) => unhex(own),
        None => unhex(text(part, "repeat")).repeat(part["times"].as_u64().expect("times") as usize),
    };
    parts.iter().flat_map(part).collect()
}

fn network(row: &Value) -> NetworkDescriptor {
    let descriptor = parsed(text(row, "network"));
    let genesis = Genesis::decode(&unhex(text(&descriptor, "genesis"))).expect("genesis");
    NetworkDescriptor::of_genesis(&genesis)
}

fn judge(row: &Value) -> Result<(u64, Issued), Refusal> {
    let proof = IssuanceProof::decode(&bytes(row))?;
    let key = PublicKey::from_cose_key(&unhex(text(row, "key"))).expect("key");
    let issued = proof.verify(text(row, "credential").as_bytes(), &key, &network(row))?;
    issued.require(text(row, "issuer"), text(row, "type"))?;
    if let Some(scope) = row["scope"].as_str() {
        issued.require_scope(scope)?;
    }
    Ok((proof.index, issued))
}

/// What a proof shows, as `vectors/README.md` writes it; the root is the one that the proof leads to.
fn answer(index: u64, issued: &Issued, root: &str) -> Value {
    let issuance = &issued.issuance;
    let key_report = match &issued.key_report {
        KeyReport::NotAsked => Value::Null,
        KeyReport::NoneAsOf(height, time) => {
            json!({"reported": false, "height": height.get(), "time_ms": time.get()})
        }
        KeyReport::LaterThanIssuance(report) => {
            json!({"reported": true, "since_ms": report.since.get(), "height": report.height.get(), "by": report.by.did()})
        }
    };
    json!({
        "issuer": issued.issuer.did(), "root": root, "index": index,
        "entry": hex(issuance.entry.as_bytes()), "height": issuance.height.get(), "time_ms": issuance.time.get(),
        "kid": hex(issuance.kid.as_bytes()), "type": issuance.credential_type, "scope": issuance.scope,
        "count": issuance.count, "schema": issuance.schema.as_ref().map(|hash| hex(hash.as_bytes())),
        "chain": issuance.chain.iter().map(|id| hex(id.as_bytes())).collect::<Vec<_>>(),
        "key_report": key_report,
    })
}

#[test]
fn all_verifiers_agree_on_proofs_of_issuance() {
    let table = parsed("issuance.json");
    let rows = table.as_array().expect("rows");
    let mut failures = Vec::new();
    let mut refused_by = std::collections::BTreeSet::new();
    for row in rows {
        let name = text(row, "name");
        match judge(row) {
            Ok((index, issued)) if row["valid"] == true => {
                let found = answer(index, &issued, text(&row["expect"], "root"));
                if found != row["expect"] {
                    failures.push(format!("{name}: {found}\n  instead of {}", row["expect"]));
                }
                // What was read is written again in the same bytes.
                let given = bytes(row);
                assert_eq!(IssuanceProof::decode(&given).unwrap().encode(), given);
            }
            Ok(_) => failures.push(format!("{name}: accepted, should be {}", row["code"])),
            Err(refusal) if row["valid"] == true => failures.push(format!("{name}: {refusal:?}")),
            Err(refusal) => {
                refused_by.insert(refusal.code());
                if refusal.code() != text(row, "code") {
                    failures.push(format!("{name}: {refusal:?}, should be {}", row["code"]));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} rows fail:\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n")
    );
    // Each rule of the module has its rows.
    let rules = rules::TABLE.iter().map(|rule| rule.code).collect();
    assert_eq!(refused_by, rules);
}
