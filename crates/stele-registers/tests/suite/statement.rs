//! Every command and every rule of `statement`.

use serde_json::json;
use stele_registers::statement::{record, record_key};

use crate::world::{World, key, party};

#[test]
fn statements() {
    let mut world = World::new();
    let issuer = world.register(10);
    let registrar = world.register(11);
    let kid = issuer.public().kid();
    let body = json!({
        "statement_hash": "01".repeat(32), "issuer_kid": kid.to_string(),
        "subject": "urn:example:pump", "content_type": "application/spdx+json",
    });
    let command = "statement/statement.register";
    world.ok(&registrar, &[], command, body.clone());
    world.no(
        &registrar,
        &[],
        command,
        body.clone(),
        "statement.hash.registered",
    );

    let found = record(world.view("statement"), &party(&registrar), &[1; 32])
        .unwrap()
        .unwrap();
    assert_eq!((found.issuer, found.issuer_kid), (party(&issuer), kid));
    assert_eq!(found.subject.as_deref(), Some("urn:example:pump"));
    assert_eq!(found.content_type.as_deref(), Some("application/spdx+json"));
    assert_eq!(
        record(world.view("statement"), &party(&issuer), &[1; 32]).unwrap(),
        None
    );

    // Another registrar answers for its own record; nobody can take a hash away from anybody.
    world.ok(&issuer, &[], command, body.clone());
    assert_ne!(
        record_key(&party(&issuer), &[1; 32]),
        record_key(&party(&registrar), &[1; 32])
    );

    let with_kid = |kid: &str| json!({"statement_hash": "02".repeat(32), "issuer_kid": kid});
    let unknown = "77".repeat(32);
    world.no(
        &registrar,
        &[],
        command,
        with_kid(&unknown),
        "statement.issuer.unknown-key",
    );

    let second = key(12);
    let add = json!({"key": hex::encode(second.public().to_cose_key())});
    world.ok(&issuer, &[&second], "identity/key.add", add);
    let second_kid = second.public().kid().to_string();
    world.ok(
        &issuer,
        &[],
        "identity/key.revoke",
        json!({"kid": second_kid}),
    );
    world.no(
        &registrar,
        &[],
        command,
        with_kid(&second_kid),
        "statement.issuer.key-revoked",
    );

    world.ok(&registrar, &[], command, with_kid(&kid.to_string()));
    let found = record(world.view("statement"), &party(&registrar), &[2; 32])
        .unwrap()
        .unwrap();
    assert_eq!((found.subject, found.content_type), (None, None));
    world.assert_every_rule_refused("statement");
}
