//! Every command and every rule of `credential`.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use stele_core::id::{Hash, Height, TimeMs};
use stele_core::suite::SigningKey;
use stele_registers::credential::{
    COUNT_MAX, compromise, document, issuance, list_ref, refusals, schema, schema_ref, status_at,
    status_list,
};

use crate::world::{World, cose, did, key, kid, party};

#[test]
fn every_command_and_every_rule() {
    let worlds = [
        issuances_prove_who_was_accredited(),
        schemas_never_change(),
        status_lists_keep_their_past(),
        a_compromised_key_issues_no_more(),
        documents_are_signed_by_several_and_replaced_by_all(),
    ];
    let seen: BTreeSet<_> = worlds.iter().flat_map(|world| &world.seen).collect();
    for rule in refusals::ALL {
        assert!(
            seen.contains(&rule.code.to_owned()),
            "{} has refused nothing",
            rule.code
        );
    }
}

const COMMIT: &str = "credential/issuance.commit";
const STATUS: &str = "credential/status.publish";
const COMPROMISED: &str = "credential/key.compromised";
const ATTEST: &str = "credential/document.attest";

fn hash(n: u8) -> Hash {
    Hash::from_bytes([n; 32])
}

fn batch(n: u8, issuing: &SigningKey, scope: Option<&str>) -> Json {
    let mut body = json!({
        "root": hash(n).to_string(), "count": 20, "type": "https://example.org/diploma",
        "issuing_kid": kid(issuing).to_string(),
    });
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    body
}

/// A ministry that a steward accredits, a university below it, a faculty below that.
struct Ministry {
    world: World,
    ministry: SigningKey,
    university: SigningKey,
    faculty: SigningKey,
}

fn grant(subject: &SigningKey, scope: &str, delegable: bool) -> Json {
    json!({"subject": did(subject), "action": "credential/issue", "scope": scope, "delegable": delegable})
}

impl Ministry {
    fn new() -> Self {
        let mut world = World::new();
        let [ministry, university, faculty] = [10, 11, 12].map(|n| world.register(n));
        let command = "identity/accreditation.grant";
        world.ok(&key(1), &[], command, grant(&ministry, "XX", true));
        world.ok(&ministry, &[], command, grant(&university, "XX/uni", true));
        let own = grant(&faculty, "XX/uni/letters", false);
        world.ok(&university, &[], command, own);
        Self {
            world,
            ministry,
            university,
            faculty,
        }
    }
}

fn issuances_prove_who_was_accredited() -> World {
    let Ministry {
        mut world,
        ministry,
        university,
        faculty,
    } = Ministry::new();
    let letters = Some("XX/uni/letters");
    world.ok(&faculty, &[], COMMIT, batch(1, &faculty, letters));
    let (height, time) = (world.height, world.time);
    let found = |world: &World, issuer: &SigningKey, n| {
        issuance(world.view("credential"), &party(issuer), &hash(n)).unwrap()
    };
    let first = found(&world, &faculty, 1).expect("an issuance");
    assert_eq!((first.count, first.kid), (20, kid(&faculty)));
    assert_eq!(first.scope.as_deref(), letters);
    assert_eq!(first.height, Height::new(height));
    assert_eq!(first.time, TimeMs::new(time));
    assert_eq!(first.chain.len(), 3, "faculty, university, ministry");

    world.no(
        &faculty,
        &[],
        COMMIT,
        batch(1, &faculty, letters),
        "credential.issuance.exists",
    );
    for outside in [None, Some("XX/uni"), Some("XX/uni/letters-2"), Some("YY")] {
        let body = batch(2, &faculty, outside);
        world.no(
            &faculty,
            &[],
            COMMIT,
            body,
            "credential.issuance.not-accredited",
        );
    }
    for count in [0, COUNT_MAX + 1] {
        let mut body = batch(2, &faculty, letters);
        body["count"] = json!(count);
        world.no(&faculty, &[], COMMIT, body, "credential.count");
    }
    let foreign = batch(2, &university, letters);
    world.no(
        &faculty,
        &[],
        COMMIT,
        foreign,
        "credential.issuance.foreign-key",
    );
    let unknown = batch(2, &key(99), letters);
    world.no(
        &faculty,
        &[],
        COMMIT,
        unknown,
        "credential.issuance.foreign-key",
    );

    // A key of its own that only signs credentials; once revoked, it no longer counts.
    let issuing = key(20);
    let add = json!({"key": cose(&issuing), "purpose": "credentials"});
    world.ok(&faculty, &[&issuing], "identity/key.add", add);
    world.ok(&faculty, &[], COMMIT, batch(3, &issuing, letters));
    let revoke = json!({"kid": kid(&issuing).to_string()});
    world.ok(&faculty, &[], "identity/key.revoke", revoke);
    let late = batch(4, &issuing, letters);
    world.no(
        &faculty,
        &[],
        COMMIT,
        late,
        "credential.issuance.foreign-key",
    );

    // The university is gone: nobody issues below it any more, and what was issued still stands with its chain.
    let end = json!({"id": first.chain[1].to_string()});
    world.ok(&ministry, &[], "identity/accreditation.revoke", end);
    let body = batch(5, &faculty, letters);
    world.no(
        &faculty,
        &[],
        COMMIT,
        body,
        "credential.issuance.not-accredited",
    );
    assert_eq!(found(&world, &faculty, 1), Some(first));
    assert_eq!(found(&world, &university, 1), None);
    world
}

fn schemas_never_change() -> World {
    let Ministry {
        mut world, faculty, ..
    } = Ministry::new();
    let publish = "credential/schema.publish";
    let body = json!({"id": "diploma", "version": 1, "content": hash(7).to_string(), "uri": "https://example.org/s"});
    world.ok(&faculty, &[], publish, body.clone());
    world.no(&faculty, &[], publish, body, "credential.schema.exists");
    let mut named = batch(1, &faculty, Some("XX/uni/letters"));
    named["schema"] = json!("diploma");
    world.no(
        &faculty,
        &[],
        COMMIT,
        named.clone(),
        "credential.schema.unknown",
    );
    named["schema_version"] = json!(1);
    world.ok(&faculty, &[], COMMIT, named);
    let view = world.view("credential");
    let issued = issuance(view, &party(&faculty), &hash(1)).unwrap();
    assert_eq!(issued.expect("an issuance").schema, Some(hash(7)));
    let reference = schema_ref(&party(&faculty), "diploma");
    let found = schema(view, &reference, 1).unwrap().expect("a schema");
    assert_eq!(found.uri.as_deref(), Some("https://example.org/s"));
    assert_eq!(schema(view, &reference, 2).unwrap(), None);
    world
}

fn status_lists_keep_their_past() -> World {
    let mut world = World::new();
    let issuer = world.register(10);
    let list = |n: u8, shards: u64, made: u64| {
        json!({"list": "2026", "root": hash(n).to_string(), "shards": shards, "shard_entries": 1 << 20, "bits": 1,
            "made": made, "uri": "https://example.org/status/2026/"})
    };
    world.ok(&issuer, &[], STATUS, list(1, 2, 1000));
    let before = Height::new(world.height);
    world.ok(&issuer, &[], STATUS, list(2, 3, 2000));
    world.no(
        &issuer,
        &[],
        STATUS,
        list(3, 3, 2000),
        "credential.status.older",
    );
    world.no(
        &issuer,
        &[],
        STATUS,
        list(3, 2, 3000),
        "credential.status.shape",
    );
    for (field, value, code) in [
        ("bits", 3, "credential.status.shape"),
        ("bits", 2, "credential.status.shape"),
        ("shard_entries", 1 << 10, "credential.status.shape"),
        ("shard_entries", 0, "credential.count"),
        ("shards", 0, "credential.count"),
        ("shards", 1 << 30, "credential.count"),
    ] {
        let mut body = list(3, 3, 3000);
        body[field] = json!(value);
        world.no(&issuer, &[], STATUS, body, code);
    }
    let reference = list_ref(&party(&issuer), "2026");
    let view = world.view("credential");
    assert_eq!(
        status_list(view, &reference).unwrap().unwrap().root,
        hash(2)
    );
    assert_eq!(
        status_at(view, &reference, before).unwrap().unwrap().root,
        hash(1)
    );
    let earlier = Height::new(before.get() - 1);
    assert_eq!(status_at(view, &reference, earlier).unwrap(), None);
    // Another issuer's list of the same name is another list.
    assert_ne!(reference, list_ref(&party(&key(1)), "2026"));
    world
}

fn a_compromised_key_issues_no_more() -> World {
    let Ministry {
        mut world,
        university,
        faculty,
        ..
    } = Ministry::new();
    let stranger = world.register(30);
    let now = world.time;
    let report = |since: u64| json!({"kid": kid(&faculty).to_string(), "since": since, "reason": "a lost laptop"});
    world.no(
        &stranger,
        &[],
        COMPROMISED,
        report(now),
        "credential.compromise.not-allowed",
    );
    let nobody = json!({"kid": hash(9).to_string(), "since": now});
    world.no(
        &faculty,
        &[],
        COMPROMISED,
        nobody,
        "credential.compromise.unknown-key",
    );
    let future = report(now + 3_600_000_000);
    world.no(
        &faculty,
        &[],
        COMPROMISED,
        future,
        "credential.compromise.future",
    );
    // Who accredited it reports first, the faculty itself finds out more, a steward even more.
    world.ok(&university, &[], COMPROMISED, report(now));
    world.no(
        &faculty,
        &[],
        COMPROMISED,
        report(now),
        "credential.compromise.later",
    );
    world.ok(&faculty, &[], COMPROMISED, report(now - 10));
    world.ok(&key(1), &[], COMPROMISED, report(now - 20));
    let found = compromise(world.view("credential"), &kid(&faculty)).unwrap();
    let found = found.expect("a report");
    assert_eq!(
        (found.since, found.by),
        (TimeMs::new(now - 20), party(&key(1)))
    );
    let body = batch(1, &faculty, Some("XX/uni/letters"));
    world.no(
        &faculty,
        &[],
        COMMIT,
        body,
        "credential.issuance.compromised-key",
    );
    assert_eq!(
        compromise(world.view("credential"), &kid(&university)).unwrap(),
        None
    );
    world
}

fn documents_are_signed_by_several_and_replaced_by_all() -> World {
    let mut world = World::new();
    let [student, home, host] = [10, 11, 12].map(|n| world.register(n));
    let agreement = |n: u8, replaces: Option<u8>| {
        let mut body =
            json!({"kind": "ects.learning-agreement", "commitment": hash(n).to_string()});
        if let Some(old) = replaces {
            body["replaces"] = json!(hash(old).to_string());
        }
        body
    };
    world.ok(&home, &[&host, &student], ATTEST, agreement(1, None));
    world.no(
        &home,
        &[],
        ATTEST,
        agreement(1, None),
        "credential.document.exists",
    );
    let found = |world: &World, n| {
        let found = document(world.view("credential"), &hash(n)).unwrap();
        found.expect("a document")
    };
    let signers = found(&world, 1).signers;
    assert_eq!(signers[0], party(&home));
    assert_eq!(signers.len(), 3);

    world.no(
        &home,
        &[],
        ATTEST,
        agreement(2, Some(9)),
        "credential.document.unknown",
    );
    world.no(
        &home,
        &[&host],
        ATTEST,
        agreement(2, Some(1)),
        "credential.document.other-signers",
    );
    world.ok(&student, &[&home, &host], ATTEST, agreement(2, Some(1)));
    world.no(
        &home,
        &[&host, &student],
        ATTEST,
        agreement(3, Some(1)),
        "credential.document.replaced",
    );
    assert_eq!(found(&world, 1).replaced_by, Some(hash(2)));
    assert_eq!(found(&world, 2).replaces, Some(hash(1)));
    world
}
