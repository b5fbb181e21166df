//! Every command and every rule of `governance`.

use serde_json::json;
use stele_core::id::Height;
use stele_registers::governance::{STEWARD, has_role, member, member_at};

use crate::world::{World, cose, did, key, party};

#[test]
fn members_and_roles() {
    let mut world = World::new();
    let (one, two) = (key(1), key(2));
    let three = world.register(3);
    let outsider = world.register(4);
    let person = key(5);
    world.ok(
        &person,
        &[],
        "identity/party.register",
        json!({"kind": "person", "keys": [cose(&person)]}),
    );

    let add = |who: &_| json!({"party": did(who), "name": "Harbour (fictional)"});
    world.no(
        &three,
        &[],
        "governance/member.add",
        add(&three),
        "governance.not-steward",
    );
    world.no(
        &one,
        &[],
        "governance/member.add",
        add(&key(99)),
        "governance.member.no-party",
    );
    world.no(
        &one,
        &[],
        "governance/member.add",
        add(&person),
        "governance.member.bad-kind",
    );
    world.no(
        &one,
        &[],
        "governance/member.add",
        add(&two),
        "governance.member.exists",
    );
    world.ok(&one, &[], "governance/member.add", add(&three));
    let added = world.height;

    let role = |who: &_, role: &str| json!({"party": did(who), "role": role});
    world.no(
        &one,
        &[],
        "governance/role.grant",
        role(&outsider, "registrar"),
        "governance.member.unknown",
    );
    world.no(
        &one,
        &[],
        "governance/role.grant",
        role(&three, "Registrar"),
        "governance.role.bad-name",
    );
    world.no(
        &one,
        &[],
        "governance/role.revoke",
        role(&three, "registrar"),
        "governance.role.not-held",
    );
    world.ok(
        &one,
        &[],
        "governance/role.grant",
        role(&three, "registrar"),
    );
    let granted = world.height;
    world.no(
        &one,
        &[],
        "governance/role.grant",
        role(&three, "registrar"),
        "governance.role.held",
    );
    assert!(has_role(world.view("governance"), &party(&three), "registrar").unwrap());

    let name = json!({"name": "Port (fictional)", "url": "https://port.invalid"});
    world.ok(&three, &[], "governance/member.describe", name.clone());
    world.no(
        &outsider,
        &[],
        "governance/member.describe",
        name.clone(),
        "governance.member.unknown",
    );

    let who = |who: &_| json!({"party": did(who)});
    world.no(
        &one,
        &[],
        "governance/member.suspend",
        who(&one),
        "governance.member.self-suspension",
    );
    world.no(
        &one,
        &[],
        "governance/member.restore",
        who(&three),
        "governance.member.not-suspended",
    );
    world.ok(
        &one,
        &[],
        "governance/member.suspend",
        json!({"party": did(&three), "reason": "dues"}),
    );
    assert!(!has_role(world.view("governance"), &party(&three), "registrar").unwrap());
    world.no(
        &one,
        &[],
        "governance/member.suspend",
        who(&three),
        "governance.member.suspended",
    );
    world.no(
        &three,
        &[],
        "governance/member.describe",
        name,
        "governance.member.suspended",
    );
    world.ok(&two, &[], "governance/member.restore", who(&three));
    let restored = member(world.view("governance"), &party(&three))
        .unwrap()
        .unwrap();
    assert_eq!(
        (restored.name.as_str(), restored.roles),
        ("Port (fictional)", vec!["registrar".into()])
    );

    // The past stays known.
    let at = |height| member_at(&world.state, &party(&three), Height::new(height)).unwrap();
    assert_eq!(at(added - 1), None);
    assert_eq!(at(added).unwrap().roles, Vec::<String>::new());
    assert_eq!(at(granted).unwrap().roles, vec!["registrar".to_owned()]);
    assert_eq!(at(granted).unwrap().name, "Harbour (fictional)");

    // 31 more roles fit, in one entry; another does not.
    let names: Vec<String> = (0..32u8)
        .map(|n| {
            format!("role-{}", char::from(b'a' + n / 16)) + &String::from(char::from(b'a' + n % 16))
        })
        .collect();
    let grants: Vec<_> = names
        .iter()
        .map(|name| ("role.grant", role(&three, name)))
        .collect();
    let refused = world.many(&one, &[], "governance", &grants).unwrap_err();
    assert_eq!(refused, (31, "governance.role.too-many".to_owned()));
    world.many(&one, &[], "governance", &grants[..31]).unwrap();

    // Stewards: the last active one stays.
    world.ok(&one, &[], "governance/member.suspend", who(&two));
    world.no(
        &two,
        &[],
        "governance/member.restore",
        who(&two),
        "governance.not-steward",
    );
    world.no(
        &one,
        &[],
        "governance/role.revoke",
        role(&one, STEWARD),
        "governance.role.last-steward",
    );
    world.ok(&one, &[], "governance/role.revoke", role(&two, STEWARD));
    world.ok(&one, &[], "governance/member.restore", who(&two));
    world.no(
        &one,
        &[],
        "governance/role.revoke",
        role(&one, STEWARD),
        "governance.role.last-steward",
    );
    world.ok(&one, &[], "governance/role.grant", role(&two, STEWARD));
    world.ok(&one, &[], "governance/role.revoke", role(&one, STEWARD));
    world.no(
        &one,
        &[],
        "governance/role.grant",
        role(&one, STEWARD),
        "governance.not-steward",
    );

    // Register versions.
    let activate = |register: &str, version: u64, height: u64| json!({"register": register, "version": version, "height": height});
    let later = world.height + 100;
    world.no(
        &one,
        &[],
        "governance/register.activate",
        activate("trace", 2, later),
        "governance.not-steward",
    );
    world.no(
        &two,
        &[],
        "governance/register.activate",
        activate("Trace", 2, later),
        "governance.register.bad-name",
    );
    world.no(
        &two,
        &[],
        "governance/register.activate",
        activate("trace", 1, later),
        "governance.register.old-version",
    );
    let next = world.height + 1;
    world.no(
        &two,
        &[],
        "governance/register.activate",
        activate("trace", 2, next),
        "governance.register.past-height",
    );
    world.ok(
        &two,
        &[],
        "governance/register.activate",
        activate("trace", 2, later),
    );
    world.no(
        &two,
        &[],
        "governance/register.activate",
        activate("trace", 3, later),
        "governance.register.past-height",
    );
    let withdraw = |version: u64| json!({"register": "trace", "version": version});
    world.no(
        &two,
        &[],
        "governance/register.withdraw",
        withdraw(1),
        "governance.register.not-pending",
    );
    world.ok(&two, &[], "governance/register.withdraw", withdraw(2));
    world.no(
        &two,
        &[],
        "governance/register.withdraw",
        withdraw(1),
        "governance.register.not-pending",
    );
    let many: Vec<_> = (1..=257u64)
        .map(|n| ("register.activate", activate("later", n, later + n)))
        .collect();
    let refused = world.many(&two, &[], "governance", &many).unwrap_err();
    assert_eq!(
        refused,
        (256, "governance.register.too-many-versions".to_owned())
    );

    // The rules of networks with a committee refuse in worlds that have one.
    world.seen.extend(crate::committee::rules_that_refused());
    world.assert_every_rule_refused("governance");
}
