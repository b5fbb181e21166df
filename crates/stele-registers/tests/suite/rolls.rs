//! Rolls, their members, and persons' anchors.

use serde_json::{Value as Json, json};
use stele_core::id::{Hash, KeyId};
use stele_core::merkle::{self, HashSource};
use stele_core::suite::SigningKey;
use stele_registers::identity::{
    Member, RollKind, anchor_commitment, anchor_guardians, document, member, roll, roll_id,
};

use crate::world::{World, cose, did, hex, key, kid, party};

const ENROL: &str = "identity/roll.enrol";
const CLAIM: &str = "identity/member.claim";
const END: &str = "identity/member.end";
const END_ANCHOR: &str = "identity/anchor.end";
const RENEW: &str = "identity/anchor.renew";
const RECOVER: &str = "identity/anchor.recover";
const FINISH: &str = "identity/anchor.finish";

/// The records of a roll, by a plain model of the tree.
#[derive(Clone)]
struct Records(Vec<Vec<u8>>);

impl HashSource for Records {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<merkle::Hash, Self::Error> {
        Ok(if level == 0 {
            merkle::leaf_hash(&self.0[index as usize])
        } else {
            let [left, right] = [index * 2, index * 2 + 1].map(|at| self.node(level - 1, at));
            merkle::node_hash(&left?, &right?)
        })
    }
}

/// A roll on the chain, with what its members need to name themselves.
struct Enrolled {
    id: Hash,
    records: Records,
}

impl Enrolled {
    fn new(world: &mut World, issuer: &SigningKey, kind: RollKind, records: Vec<Vec<u8>>) -> Self {
        let body = json!({"kind": kind.name(), "records": hex(&records.concat())});
        let entry = world.entry(issuer, &[], "identity", &[("roll.enrol", body)]);
        let id = roll_id(&entry.id(), 0);
        world.submit(&entry).expect("an enrolment");
        let found = roll(world.view("identity"), &id).unwrap().expect("a roll");
        assert_eq!(found.count, records.len() as u64);
        assert_eq!((found.kind, found.issuer), (kind, party(issuer)));
        Self {
            id,
            records: Records(records),
        }
    }

    fn name(&self, index: u64, mut body: Json) -> Json {
        let size = self.records.0.len() as u64;
        let path = merkle::prove_inclusion(&self.records, index, size).unwrap();
        body["roll"] = json!(self.id.to_string());
        body["index"] = json!(index);
        body["record"] = json!(hex(&self.records.0[index as usize]));
        body["path"] = json!(path.iter().map(|hash| hex(hash)).collect::<Vec<_>>());
        body
    }

    fn member(&self, world: &World, index: u64) -> Option<Member> {
        member(world.view("identity"), &self.id, index).unwrap()
    }
}

fn device_record(device: &SigningKey) -> Vec<u8> {
    let key = device.public().to_cose_key();
    [&key[key.len() - 32..], &[7; 32]].concat()
}

#[test]
fn devices_are_enrolled_together_and_claimed_one_by_one() {
    let mut world = World::new();
    let maker = world.register(10);
    let devices: Vec<_> = (50..55).map(key).collect();
    let records = devices.iter().map(device_record).collect();
    let enrolled = Enrolled::new(&mut world, &maker, RollKind::Device, records);
    assert_eq!(enrolled.member(&world, 2), None, "it costs nothing yet");

    let claim = |index: u64, n: usize| enrolled.name(index, json!({"key": cose(&devices[n])}));
    world.ok(&devices[2], &[], CLAIM, claim(2, 2));
    let claimed = enrolled.member(&world, 2).expect("a member");
    assert_eq!(claimed.party, Some(party(&devices[2])));
    let found = document(world.view("identity"), &party(&devices[2])).unwrap();
    let found = found.expect("a party");
    assert_eq!(found.owner, Some(party(&maker)));
    assert_eq!(found.serial, Some([7; 32]));
    let to = world.register(11);
    let transfer = json!({"device": did(&devices[2]), "to": did(&to)});
    world.ok(&maker, &[&to], "identity/device.transfer", transfer);

    // The record, its place and its key belong together.
    let mut moved = claim(3, 3);
    moved["index"] = json!(4);
    world.no(
        &devices[3],
        &[],
        CLAIM,
        moved,
        "identity.member.not-enrolled",
    );
    let mut outside = claim(3, 3);
    outside["index"] = json!(5);
    world.no(
        &devices[3],
        &[],
        CLAIM,
        outside,
        "identity.member.not-enrolled",
    );
    let mut foreign = claim(3, 3);
    foreign["key"] = json!(cose(&key(90)));
    world.no(&key(90), &[], CLAIM, foreign, "identity.member.other-key");
    let mut unknown = claim(3, 3);
    unknown["roll"] = json!(Hash::from_bytes([1; 32]).to_string());
    world.no(&devices[3], &[], CLAIM, unknown, "identity.roll.unknown");
    // Its key is known now, so that it signs as the party that it is.
    world.no(
        &devices[2],
        &[],
        CLAIM,
        claim(2, 2),
        "identity.member.claimed",
    );
    world.no(
        &maker,
        &[],
        END,
        enrolled.name(2, json!({})),
        "identity.member.claimed",
    );
    world.no(
        &to,
        &[],
        END,
        enrolled.name(4, json!({})),
        "identity.member.not-ender",
    );
    world.ok(
        &maker,
        &[],
        END,
        enrolled.name(4, json!({"reason": "scrapped"})),
    );
    world.no(
        &devices[4],
        &[],
        CLAIM,
        claim(4, 4),
        "identity.member.ended",
    );
}

#[test]
fn who_may_enrol_what() {
    let mut world = World::new();
    let registrar = world.register(10);
    let body = |kind: &str, bytes: usize, scope: Option<&str>| {
        let mut body = json!({"kind": kind, "records": "ab".repeat(bytes)});
        if let Some(scope) = scope {
            body["scope"] = json!(scope);
        }
        body
    };
    let denied = "identity.roll.not-accredited";
    for kind in ["anchor", "organisation"] {
        world.no(&registrar, &[], ENROL, body(kind, 64, None), denied);
    }
    for (action, scope) in [
        ("identity/anchor.create", "XX"),
        ("identity/organisation.enrol", "XX/10"),
    ] {
        let grant = json!({"subject": did(&registrar), "action": action, "scope": scope});
        world.ok(&key(1), &[], "identity/accreditation.grant", grant);
    }
    world.ok(&registrar, &[], ENROL, body("anchor", 64, Some("XX")));
    world.ok(
        &registrar,
        &[],
        ENROL,
        body("organisation", 64, Some("XX/10")),
    );
    let body_elsewhere = body("organisation", 64, Some("XX"));
    world.no(&registrar, &[], ENROL, body_elsewhere, denied);

    let odd = body("device", 65, None);
    world.no(&registrar, &[], ENROL, odd, "identity.roll.records");
    let short = body("device", 32, None);
    world.no(&registrar, &[], ENROL, short, "identity.roll.records");
    // As many as an entry takes: 8,192 devices or 16,384 anchors are both 512 KiB.
    world.ok(&registrar, &[], ENROL, body("device", 512 * 1024, None));
    world.ok(
        &registrar,
        &[],
        ENROL,
        body("anchor", 512 * 1024, Some("XX")),
    );
}

/// A person with an anchor: two of three guardians may recover it.
struct Person {
    salt: [u8; 32],
    root: SigningKey,
    guardians: Vec<SigningKey>,
    delay_ms: u64,
}

impl Person {
    fn new(n: u8, delay_ms: u64) -> Self {
        Self {
            salt: [n; 32],
            root: key(n),
            guardians: (1..=3).map(|guardian| key(n + guardian)).collect(),
            delay_ms,
        }
    }

    fn kids(&self) -> Vec<KeyId> {
        self.guardians.iter().map(kid).collect()
    }

    fn guardians_hash(&self) -> Hash {
        anchor_guardians(2, self.delay_ms, &self.kids())
    }

    fn commitment(&self) -> Hash {
        anchor_commitment(&self.salt, &kid(&self.root), &self.guardians_hash())
    }

    fn opening(&self) -> Json {
        json!({"salt": hex(&self.salt), "root_key": cose(&self.root), "guardians": self.guardians_hash().to_string()})
    }

    fn renewal(&self, to: &Self) -> Json {
        let mut body = self.opening();
        body["new_commitment"] = json!(to.commitment().to_string());
        body
    }

    fn recovery(&self, to: &Self) -> Json {
        json!({
            "salt": hex(&self.salt), "root_kid": kid(&self.root).to_string(), "threshold": 2, "delay_ms": self.delay_ms,
            "guardian_kids": self.kids().iter().map(KeyId::to_string).collect::<Vec<_>>(),
            "guardian_keys": self.guardians.iter().map(cose).collect::<Vec<_>>(),
            "new_commitment": to.commitment().to_string(),
        })
    }
}

/// A provider with an accreditation, and the roll that it enrolled.
fn provider(people: &[Person]) -> (World, SigningKey, Enrolled) {
    let mut world = World::new();
    let provider = world.register(10);
    let grant = json!({"subject": did(&provider), "action": "identity/anchor.create"});
    world.ok(&key(1), &[], "identity/accreditation.grant", grant);
    let records = people
        .iter()
        .map(|person| person.commitment().as_bytes().to_vec());
    let enrolled = Enrolled::new(&mut world, &provider, RollKind::Anchor, records.collect());
    (world, provider, enrolled)
}

#[test]
fn an_anchor_is_renewed_by_its_root_key_alone() {
    let [first, second, third] = [20, 30, 40].map(|n| Person::new(n, 0));
    let people = [first, Person::new(50, 0)];
    let (mut world, _, enrolled) = provider(&people);
    let first = &people[0];
    // Any party brings the entry.
    let carrier = world.register(11);
    let renewal = enrolled.name(0, first.renewal(&second));
    world.no(
        &carrier,
        &[],
        RENEW,
        renewal.clone(),
        "identity.key.no-possession",
    );
    world.ok(&carrier, &[&first.root], RENEW, renewal.clone());
    let renewed = enrolled.member(&world, 0).expect("a member");
    assert_eq!(renewed.commitment, Some(second.commitment()));
    world.no(
        &carrier,
        &[&first.root],
        RENEW,
        renewal,
        "identity.anchor.not-opened",
    );
    let same = enrolled.name(0, second.renewal(&second));
    world.no(
        &carrier,
        &[&second.root],
        RENEW,
        same,
        "identity.anchor.same",
    );
    // Another person's opening opens nothing, nor does one of a device.
    let other = enrolled.name(1, second.renewal(&third));
    world.no(
        &carrier,
        &[&second.root],
        RENEW,
        other,
        "identity.anchor.not-opened",
    );
    let claim = enrolled.name(1, json!({"key": cose(&key(60))}));
    world.no(&key(60), &[], CLAIM, claim, "identity.member.other-kind");

    // The root key ends it, without a word of the provider.
    let end = enrolled.name(0, second.opening());
    world.ok(&carrier, &[&second.root], END_ANCHOR, end);
    let dead = enrolled.name(0, second.renewal(&third));
    world.no(
        &carrier,
        &[&second.root],
        RENEW,
        dead,
        "identity.member.ended",
    );
}

#[test]
fn guardians_recover_an_anchor_and_the_root_key_can_stop_them() {
    let day = 24 * 3_600_000;
    let people = [Person::new(20, 0), Person::new(30, day)];
    let new = [
        Person::new(40, 0),
        Person::new(50, day),
        Person::new(60, day),
    ];
    let (mut world, provider, enrolled) = provider(&people);
    let [swift, careful] = &people;

    let recovery = enrolled.name(0, swift.recovery(&new[0]));
    let few = [&swift.guardians[0]];
    world.no(
        &provider,
        &few,
        RECOVER,
        recovery.clone(),
        "identity.anchor.too-few-guardians",
    );
    let mut cheaper = recovery.clone();
    cheaper["threshold"] = json!(1);
    world.no(
        &provider,
        &few,
        RECOVER,
        cheaper,
        "identity.anchor.not-opened",
    );
    let two = [&swift.guardians[0], &swift.guardians[2]];
    world.ok(&provider, &two, RECOVER, recovery);
    let recovered = enrolled.member(&world, 0).expect("a member");
    assert_eq!(recovered.commitment, Some(new[0].commitment()));

    // With a delay: agreed, voided by the root key, agreed again, finished.
    let none = enrolled.name(1, json!({}));
    world.no(
        &provider,
        &[],
        FINISH,
        none.clone(),
        "identity.anchor.no-recovery",
    );
    let two = [&careful.guardians[0], &careful.guardians[1]];
    let agree = enrolled.name(1, careful.recovery(&new[1]));
    world.ok(&provider, &two, RECOVER, agree);
    world.no(
        &provider,
        &[],
        FINISH,
        none.clone(),
        "identity.recovery.not-ripe",
    );
    let stop = enrolled.name(1, careful.renewal(&new[2]));
    world.ok(&provider, &[&careful.root], RENEW, stop);
    world.time += 2 * day;
    world.no(
        &provider,
        &[],
        FINISH,
        none.clone(),
        "identity.anchor.no-recovery",
    );
    let two = [&new[2].guardians[1], &new[2].guardians[2]];
    let agree = enrolled.name(1, new[2].recovery(&new[1]));
    world.ok(&provider, &two, RECOVER, agree);
    world.time += day;
    world.ok(&provider, &[], FINISH, none);
    let recovered = enrolled.member(&world, 1).expect("a member");
    assert_eq!(recovered.commitment, Some(new[1].commitment()));
    assert_eq!(recovered.pending, None);
}
