//! Every command and every rule of `service`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use stele_core::cbor::Body;
use stele_core::id::{Hash, TimeMs};
use stele_core::suite::SigningKey;
use stele_registers::service::calendar::{Day, OFFSET_BIAS_MINUTES};
use stele_registers::service::{
    self, LineKind, Status, case, case_line, case_ref, definition, documents_hash, service_ref,
};

use crate::world::{World, cose, did, key, party};

const SCOPE: &str = "DE/XX/Musterstadt";
const DAY_MS: u64 = 86_400_000;

fn hash(n: u8) -> String {
    Hash::from_bytes([n; 32]).to_string()
}

/// The first instant of a date in Central European Time (no summer time in the test's calendar).
fn midnight(year: u64, month: u64, day: u64) -> u64 {
    Day::from_date(year, month, day).unwrap().get() * DAY_MS - 3_600_000
}

/// Ten working days, silence grants, one month to appeal; the fictional town keeps 1 January free.
fn rules() -> Json {
    json!({
        "service_id": "parking-permit", "version": 1, "document": hash(1), "scope": SCOPE,
        "decide_count": 10, "decide_unit": "working-days", "deemed": true, "restart": false,
        "check_count": 3, "check_unit": "working-days", "extension_max": 5,
        "appeal_count": 1, "appeal_unit": "months", "notice_days": 4,
        "items": ["vehicle-registration", "residence"],
        "weekend": [6, 7], "free_days": [Day::from_date(2024, 1, 1).unwrap().get()],
        "calendar_until": Day::from_date(2026, 12, 31).unwrap().get(),
        "clock_from": [0], "clock_offset": [OFFSET_BIAS_MINUTES + 60],
    })
}

fn with(mut base: Json, changes: Json) -> Json {
    for (name, value) in changes.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

struct Town {
    world: World,
    authority: SigningKey,
    office: SigningKey,
    board: SigningKey,
    citizen: SigningKey,
    service: Hash,
}

impl Town {
    /// A town whose authority has published version 1, with `changes`.
    fn new(changes: Json) -> Self {
        let mut world = World::new();
        let parties = [10, 11, 12, 13, 14].map(|n| world.register(n));
        let [authority, office, other_office, board, citizen] = parties;
        let mut grant = |who: &SigningKey, action: &str, scope: &str| {
            let body = json!({"subject": did(who), "action": action, "scope": scope});
            world.ok(&key(1), &[], "identity/accreditation.grant", body);
        };
        grant(&authority, "service/publish", "DE/XX");
        grant(&authority, "service/decide", SCOPE);
        grant(&office, "service/decide", SCOPE);
        grant(
            &other_office,
            "service/decide",
            &format!("{SCOPE}/parking-permit"),
        );
        grant(&board, "service/appeal", "DE");
        let service = service_ref(&party(&authority), "parking-permit");
        let publish = with(rules(), changes);
        world.ok(&authority, &[], "service/definition.publish", publish);
        Self {
            world,
            authority,
            office,
            board,
            citizen,
            service,
        }
    }

    fn opening(&self, n: u8) -> Json {
        json!({
            "case_id": hash(n), "service": self.service.to_string(), "version": 1, "document": hash(1),
            "application": hash(100), "documents": [hash(101), hash(102)], "office": did(&self.office),
        })
    }

    /// Opens case number `n` and returns its reference and when it falls due.
    fn open(&mut self, n: u8) -> (Hash, Option<u64>) {
        let body = self.opening(n);
        let events = self.world.ok(&self.citizen, &[], "service/case.open", body);
        let mut event = Body::decode(&events[0].body).unwrap();
        let reference = Hash::from_bytes(event.bytes32("case").unwrap());
        let id = Hash::from_bytes([n; 32]);
        assert_eq!(reference, case_ref(&party(&self.citizen), &id));
        (reference, event.opt_uint("due").unwrap())
    }

    /// The next block has this time.
    fn wait_until(&mut self, time: u64) {
        self.world.time = time - 1000;
    }

    fn case(&self, reference: Hash) -> service::Case {
        case(self.world.view("service"), &reference)
            .unwrap()
            .unwrap()
    }

    fn due(&self, reference: Hash) -> Option<u64> {
        let found = self.case(reference);
        let view = self.world.view("service");
        let rules = definition(view, &found.service, found.version).unwrap();
        found.clock.due(&rules.unwrap().rules).map(TimeMs::get)
    }
}

thread_local! {
    /// Every code that has refused something in a town of this thread.
    static SEEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

impl Drop for Town {
    fn drop(&mut self) {
        SEEN.with_borrow_mut(|seen| seen.append(&mut self.world.seen));
    }
}

fn named(reference: Hash, more: Json) -> Json {
    with(json!({"case": reference.to_string()}), more)
}

#[test]
fn definitions() {
    let mut town = Town::new(json!({}));
    let publish = "service/definition.publish";
    let next = |changes: Json| with(with(rules(), json!({"version": 2})), changes);
    let authority = key(10);
    let mut no = |signer: &SigningKey, changes: Json, code: &str| {
        town.world.no(signer, &[], publish, next(changes), code);
    };
    let not_accredited = "service.definition.not-accredited";
    no(&town.citizen, json!({}), not_accredited);
    no(&authority, json!({"scope": "DE"}), not_accredited);
    no(
        &authority,
        json!({"service_id": "Parking"}),
        "service.definition.bad-id",
    );
    no(
        &authority,
        json!({"scope": "DE//XX"}),
        "service.definition.bad-id",
    );
    for version in [0, 1, 3] {
        let code = "service.definition.wrong-version";
        no(&authority, json!({"version": version}), code);
    }
    for changes in [
        json!({"decide_count": 0, "extension_max": 0}),
        json!({"decide_count": 0, "deemed": false}),
        json!({"decide_count": 499}),
        json!({"appeal_count": 61}),
        json!({"check_count": u64::MAX}),
        json!({"notice_days": 32}),
    ] {
        no(&authority, changes, "service.definition.bad-period");
    }
    for items in [json!(["a", "a"]), json!(["Photo"])] {
        no(
            &authority,
            json!({"items": items}),
            "service.definition.bad-items",
        );
    }
    for changes in [
        json!({"weekend": [7, 6]}),
        json!({"weekend": [8]}),
        json!({"free_days": [5, 4]}),
        json!({"calendar_until": 1_000_000}),
        json!({"clock_from": [0, 1]}),
        json!({"clock_offset": [0]}),
    ] {
        no(&authority, changes, "service.definition.bad-calendar");
    }
    town.world
        .ok(&authority, &[], publish, next(json!({"document": hash(2)})));
    let view = town.world.view("service");
    let first = definition(view, &town.service, 1).unwrap().unwrap();
    assert_eq!(
        first.document,
        Hash::from_bytes([1; 32]),
        "the second version leaves the first"
    );
    let found = service::service(view, &town.service).unwrap().unwrap();
    assert_eq!((found.authority, found.versions), (party(&authority), 2));

    let withdraw = "service/definition.withdraw";
    let version = |n: u64| json!({"service": town.service.to_string(), "version": n});
    let world = &mut town.world;
    world.no(
        &authority,
        &[],
        withdraw,
        version(3),
        "service.definition.unknown",
    );
    world.no(
        &town.office,
        &[],
        withdraw,
        version(1),
        "service.definition.not-authority",
    );
    world.ok(&authority, &[], withdraw, version(1));
    world.no(
        &authority,
        &[],
        withdraw,
        version(1),
        "service.definition.withdrawn",
    );
}

#[test]
fn opening_a_case() {
    let mut town = Town::new(json!({}));
    let open = "service/case.open";
    let citizen = key(14);
    for (changes, code) in [
        (json!({"version": 2}), "service.definition.unknown"),
        (json!({"document": hash(2)}), "service.case.other-document"),
        (
            json!({"office": did(&town.board)}),
            "service.office.not-accredited",
        ),
    ] {
        let body = with(town.opening(1), changes);
        town.world.no(&citizen, &[], open, body, code);
    }
    // Received on Wednesday 15 November 2023, local time: ten working days later is Wednesday 29 November.
    town.wait_until(midnight(2023, 11, 15));
    let (reference, due) = town.open(1);
    assert_eq!(due, Some(midnight(2023, 11, 30)));
    let again = town.opening(1);
    town.world
        .no(&citizen, &[], open, again, "service.case.exists");
    let found = town.case(reference);
    assert_eq!(
        (found.status, found.office),
        (Status::Open, party(&town.office))
    );
    let line = case_line(town.world.view("service"), &reference, 0)
        .unwrap()
        .unwrap();
    assert_eq!((line.kind, line.by), (LineKind::Opened, party(&citizen)));
    assert_eq!(line.other, Some(documents_hash(&[[101; 32], [102; 32]])));

    town.wait_until(midnight(2026, 12, 20));
    let late = town.opening(2);
    town.world
        .no(&citizen, &[], open, late, "service.case.calendar-ends");
    let withdraw = json!({"service": town.service.to_string(), "version": 1});
    town.world.ok(
        &town.authority,
        &[],
        "service/definition.withdraw",
        withdraw,
    );
    let closed = town.opening(3);
    town.world
        .no(&citizen, &[], open, closed, "service.definition.withdrawn");
}

#[test]
fn missing_items_stop_the_clock() {
    let mut town = Town::new(json!({}));
    let (citizen, office) = (key(14), key(11));
    town.wait_until(midnight(2023, 11, 15) + 1);
    let (reference, _) = town.open(1);
    let items = |items: Json| named(reference, json!({"items": items}));
    let (request, supply) = ("service/items.request", "service/case.supply");
    let two = json!(["residence", "vehicle-registration"]);
    let world = &mut town.world;
    world.no(
        &citizen,
        &[],
        request,
        items(two.clone()),
        "service.case.not-office",
    );
    for wrong in [json!(["photo"]), json!(["residence", "residence"])] {
        world.no(&office, &[], request, items(wrong), "service.items.unknown");
    }
    let unknown = with(items(two.clone()), json!({"case": hash(9)}));
    world.no(&office, &[], request, unknown, "service.case.unknown");
    world.ok(&office, &[], request, items(two));
    world.no(
        &office,
        &[],
        "service/items.confirm",
        named(reference, json!({})),
        "service.items.still-missing",
    );
    let lengthen = named(reference, json!({"count": 1, "reasons": hash(7)}));
    world.no(
        &office,
        &[],
        "service/period.extend",
        lengthen,
        "service.period.no-extension",
    );
    assert_eq!(town.due(reference), None, "the clock stands still");

    // Far past the first end: silence does not grant while the applicant owes something.
    town.wait_until(midnight(2024, 1, 10));
    town.world.no(
        &key(2),
        &[],
        "service/case.deem",
        named(reference, json!({})),
        "service.deem.not-due",
    );
    let one = |code: &str| with(items(json!([code])), json!({"documents": [hash(50)]}));
    let world = &mut town.world;
    world.no(
        &office,
        &[],
        supply,
        one("residence"),
        "service.case.not-applicant",
    );
    world.no(
        &citizen,
        &[],
        supply,
        one("photo"),
        "service.items.not-missing",
    );
    world.ok(&citizen, &[], supply, one("residence"));
    assert_eq!(town.case(reference).missing, ["vehicle-registration"]);
    assert_eq!(town.due(reference), None);
    town.world
        .ok(&citizen, &[], supply, one("vehicle-registration"));
    // Stopped on 15 November, the day of the receipt, which never counts; from 16 November to 10 January there are
    // 39 working days without 1 January, though the test's town works at Christmas. Ten more after 10 January.
    assert_eq!(town.due(reference), Some(midnight(2024, 1, 25)));
    assert_eq!(town.case(reference).clock.suspended, 39);

    // Three working days after the last supply the office may no longer ask.
    town.wait_until(midnight(2024, 1, 16));
    let again = || items(json!(["residence"]));
    town.world
        .no(&office, &[], request, again(), "service.items.too-late");
    town.world.ok(
        &office,
        &[],
        "service/items.confirm",
        named(reference, json!({})),
    );
    let world = &mut town.world;
    world.no(
        &office,
        &[],
        "service/items.confirm",
        named(reference, json!({})),
        "service.items.complete",
    );
    world.no(&office, &[], request, again(), "service.items.complete");
}

#[test]
fn the_period_may_begin_with_the_complete_documents() {
    let mut town = Town::new(json!({"restart": true}));
    town.wait_until(midnight(2023, 11, 15) + 1);
    let (reference, _) = town.open(1);
    let items = |more: Json| with(named(reference, json!({"items": ["residence"]})), more);
    town.wait_until(midnight(2023, 11, 17));
    town.world
        .ok(&town.office, &[], "service/items.request", items(json!({})));
    town.wait_until(midnight(2023, 11, 22));
    let supply = items(json!({"documents": [hash(50)]}));
    town.world
        .ok(&town.citizen, &[], "service/case.supply", supply);
    assert_eq!(town.due(reference), Some(midnight(2023, 12, 7)));
    // A period that was lengthened stays so when it begins anew.
    let extend = named(reference, json!({"count": 2, "reasons": hash(7)}));
    town.world
        .ok(&town.office, &[], "service/period.extend", extend);
    town.world
        .ok(&town.office, &[], "service/items.request", items(json!({})));
    town.wait_until(midnight(2023, 11, 23));
    let supply = items(json!({"documents": [hash(50)]}));
    town.world
        .ok(&town.citizen, &[], "service/case.supply", supply);
    assert_eq!(town.due(reference), Some(midnight(2023, 12, 12)));
}

#[test]
fn silence_grants_and_a_late_decision_comes_too_late() {
    let mut town = Town::new(json!({}));
    let (citizen, office) = (key(14), key(11));
    town.wait_until(midnight(2023, 11, 15));
    let (reference, due) = town.open(1);
    let lengthen = |count: u64| named(reference, json!({"count": count, "reasons": hash(7)}));
    let extend = "service/period.extend";
    let world = &mut town.world;
    for count in [0, 6] {
        world.no(
            &office,
            &[],
            extend,
            lengthen(count),
            "service.period.no-extension",
        );
    }
    world.ok(&office, &[], extend, lengthen(5));
    world.no(
        &office,
        &[],
        extend,
        lengthen(1),
        "service.period.no-extension",
    );
    let lengthened = midnight(2023, 12, 7);
    assert_eq!(
        (due, town.due(reference)),
        (Some(midnight(2023, 11, 30)), Some(lengthened))
    );

    let only = || named(reference, json!({}));
    town.wait_until(lengthened - 1);
    town.world.no(
        &key(2),
        &[],
        "service/case.deem",
        only(),
        "service.deem.not-due",
    );
    let decide = || named(reference, json!({"outcome": "refused", "reasons": hash(8)}));
    town.wait_until(lengthened);
    let world = &mut town.world;
    let granted = "service.case.granted-by-law";
    world.no(&office, &[], "service/decision.make", decide(), granted);
    world.no(&citizen, &[], "service/case.withdraw", only(), granted);
    world.ok(&key(2), &[], "service/case.deem", only());
    world.no(
        &key(2),
        &[],
        "service/case.deem",
        only(),
        "service.case.not-pending",
    );
    world.no(
        &office,
        &[],
        "service/decision.make",
        decide(),
        "service.case.not-pending",
    );
    let found = town.case(reference);
    assert_eq!(found.status, Status::Deemed);
    let decision = found.decision.unwrap();
    assert_eq!((decision.by, decision.outcome.as_str()), (None, "granted"));
    town.world.ok(&office, &[], "service/case.close", only());

    let mut slow = Town::new(json!({"deemed": false}));
    let (reference, _) = slow.open(1);
    slow.wait_until(midnight(2024, 6, 3));
    slow.world.no(
        &key(2),
        &[],
        "service/case.deem",
        named(reference, json!({})),
        "service.deem.not-by-law",
    );
    let late = named(reference, json!({"outcome": "granted", "reasons": hash(8)}));
    slow.world.ok(&office, &[], "service/decision.make", late);
}

#[test]
fn hand_overs() {
    let mut town = Town::new(json!({}));
    let (office, other) = (key(11), key(12));
    let (reference, _) = town.open(1);
    let to = |who: &SigningKey| named(reference, json!({"to": did(who)}));
    let only = || named(reference, json!({}));
    let (offer, accept) = ("service/handover.offer", "service/handover.accept");
    let (cancel, transfer) = ("service/handover.cancel", "service/handover.transfer");
    let authority = key(10);
    let world = &mut town.world;
    world.no(&other, &[], offer, to(&other), "service.case.not-office");
    world.no(
        &office,
        &[],
        offer,
        to(&office),
        "service.handover.same-office",
    );
    world.no(
        &office,
        &[],
        offer,
        to(&town.board),
        "service.office.not-accredited",
    );
    world.no(&other, &[], accept, only(), "service.handover.not-offered");
    world.no(&office, &[], cancel, only(), "service.handover.not-offered");
    world.ok(&office, &[], offer, to(&other));
    world.no(
        &office,
        &[],
        offer,
        to(&authority),
        "service.handover.offered",
    );
    world.no(
        &office,
        &[&authority],
        transfer,
        to(&authority),
        "service.handover.offered",
    );
    world.ok(&office, &[], cancel, only());
    world.ok(&authority, &[], offer, to(&other));
    world.ok(&other, &[], accept, only());
    world.no(
        &office,
        &[],
        "service/items.confirm",
        only(),
        "service.case.not-office",
    );
    world.no(
        &other,
        &[],
        transfer,
        to(&office),
        "service.handover.not-countersigned",
    );
    world.ok(&other, &[&office], transfer, to(&office));
    let found = town.case(reference);
    assert_eq!((found.office, found.lines), (party(&office), 3));
    let line = case_line(town.world.view("service"), &reference, 2)
        .unwrap()
        .unwrap();
    assert_eq!((line.kind, line.by), (LineKind::HandedOver, party(&other)));
}

#[test]
fn decisions_and_appeals() {
    let mut town = Town::new(json!({}));
    let (citizen, office, board) = (key(14), key(11), key(13));
    town.wait_until(midnight(2023, 11, 15));
    let (reference, _) = town.open(1);
    let only = || named(reference, json!({}));
    let lodge = || named(reference, json!({"grounds": hash(9)}));
    let settle = || named(reference, json!({"outcome": "allowed", "reasons": hash(9)}));
    let decide = |outcome: &str| named(reference, json!({"outcome": outcome, "reasons": hash(8)}));
    let (lodging, settling) = ("service/appeal.lodge", "service/appeal.decide");
    let (deciding, closing) = ("service/decision.make", "service/case.close");
    let world = &mut town.world;
    world.no(
        &citizen,
        &[],
        deciding,
        decide("granted"),
        "service.case.not-office",
    );
    world.no(
        &citizen,
        &[],
        lodging,
        lodge(),
        "service.appeal.no-decision",
    );
    world.no(&board, &[], settling, settle(), "service.appeal.unknown");
    world.no(&office, &[], closing, only(), "service.case.cannot-close");
    // The decision of Wednesday 22 November counts as notified on Sunday 26; a month later is 26 December.
    town.wait_until(midnight(2023, 11, 22));
    let events = town.world.ok(&office, &[], deciding, decide("refused"));
    let appeal_due = midnight(2023, 12, 27);
    assert_eq!(
        Body::decode(&events[0].body)
            .unwrap()
            .uint("appeal_due")
            .unwrap(),
        appeal_due
    );
    town.world.no(
        &office,
        &[],
        deciding,
        decide("granted"),
        "service.case.not-pending",
    );
    town.world
        .no(&office, &[], closing, only(), "service.case.cannot-close");
    town.world.no(
        &citizen,
        &[],
        "service/case.withdraw",
        only(),
        "service.case.not-pending",
    );
    town.world
        .no(&office, &[], lodging, lodge(), "service.case.not-applicant");
    let before = (town.world.state.clone(), town.world.time);
    town.wait_until(appeal_due);
    town.world
        .no(&citizen, &[], lodging, lodge(), "service.appeal.too-late");
    town.world.ok(&office, &[], closing, only());
    town.world
        .no(&office, &[], closing, only(), "service.case.cannot-close");
    (town.world.state, town.world.time) = before;
    town.wait_until(appeal_due - 1);
    let world = &mut town.world;
    world.ok(&citizen, &[], lodging, lodge());
    world.no(
        &office,
        &[],
        settling,
        settle(),
        "service.appeal.not-accredited",
    );
    world.ok(&board, &[], settling, settle());
    world.ok(&office, &[], closing, only());
    assert_eq!(town.case(reference).status, Status::Closed);

    let (reference, _) = town.open(2);
    let only = || named(reference, json!({}));
    town.world.no(
        &office,
        &[],
        "service/case.withdraw",
        only(),
        "service.case.not-applicant",
    );
    town.world
        .ok(&citizen, &[], "service/case.withdraw", only());
    town.world.ok(&office, &[], closing, only());

    let mut town = Town::new(json!({"appeal_count": 0}));
    let (reference, _) = town.open(1);
    let refused = named(reference, json!({"outcome": "refused", "reasons": hash(8)}));
    town.world.ok(&office, &[], deciding, refused);
    let lodge = named(reference, json!({"grounds": hash(9)}));
    town.world
        .no(&citizen, &[], lodging, lodge, "service.appeal.not-by-law");
    town.world
        .ok(&office, &[], closing, named(reference, json!({})));
}

#[test]
fn a_new_version_leaves_running_cases_alone() {
    let mut town = Town::new(json!({}));
    town.wait_until(midnight(2023, 11, 15));
    let (reference, due) = town.open(1);
    let second = json!({"version": 2, "decide_count": 1, "items": [], "deemed": false});
    let publish = "service/definition.publish";
    town.world
        .ok(&town.authority, &[], publish, with(rules(), second));
    let withdraw = json!({"service": town.service.to_string(), "version": 1});
    town.world.ok(
        &town.authority,
        &[],
        "service/definition.withdraw",
        withdraw,
    );
    assert_eq!(town.due(reference), due);
    let ask = named(reference, json!({"items": ["residence"]}));
    town.world
        .ok(&town.office, &[], "service/items.request", ask);
    let give = json!({"items": ["residence"], "documents": [hash(3)]});
    town.world.ok(
        &town.citizen,
        &[],
        "service/case.supply",
        named(reference, give),
    );
    town.wait_until(due.unwrap());
    town.world.ok(
        &key(2),
        &[],
        "service/case.deem",
        named(reference, json!({})),
    );
}

#[test]
fn an_office_without_accreditation_can_only_hand_over() {
    let mut town = Town::new(json!({}));
    let (office, other) = (key(11), key(12));
    let (reference, _) = town.open(1);
    let view = town.world.view("identity");
    let now = TimeMs::new(town.world.time);
    let chain = stele_registers::identity::is_accredited(
        view,
        &party(&office),
        "service/decide",
        Some(SCOPE),
        now,
    );
    let id = chain.unwrap().unwrap()[0].to_string();
    town.world.ok(
        &key(1),
        &[],
        "identity/accreditation.revoke",
        json!({"id": id}),
    );
    let decide = named(reference, json!({"outcome": "granted", "reasons": hash(8)}));
    town.world.no(
        &office,
        &[],
        "service/decision.make",
        decide.clone(),
        "service.office.not-accredited",
    );
    let to = named(reference, json!({"to": did(&other)}));
    town.world
        .ok(&office, &[&other], "service/handover.transfer", to);
    town.world.ok(&other, &[], "service/decision.make", decide);
}

#[test]
fn a_pseudonym_introduces_itself_with_its_application() {
    let mut town = Town::new(json!({}));
    let pairwise = key(77);
    let opening = town.opening(1);
    let register = json!({"kind": "person", "keys": [cose(&pairwise)]});
    let commands = [("party.register", register), ("service/case.open", opening)];
    town.world
        .many(&pairwise, &[], "identity", &commands)
        .unwrap();
    let reference = case_ref(&party(&pairwise), &Hash::from_bytes([1; 32]));
    assert_eq!(town.case(reference).applicant, party(&pairwise));
}

#[test]
fn every_rule_has_refused() {
    definitions();
    opening_a_case();
    missing_items_stop_the_clock();
    silence_grants_and_a_late_decision_comes_too_late();
    hand_overs();
    decisions_and_appeals();
    an_office_without_accreditation_can_only_hand_over();
    let mut world = World::new();
    SEEN.with_borrow(|seen| world.seen.clone_from(seen));
    world.assert_every_rule_refused("service");
}
