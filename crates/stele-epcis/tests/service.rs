//! The REST interface as its clients see it: capture, queries, pages, named queries, jobs, crashes, evidence.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use stele_core::calendar::parse_date_time;
use stele_epcis::anchor::NoAnchor;
use stele_epcis::canonical::{canonical_event, commitment, item_hash, lot_hash};
use stele_epcis::generate::{Generated, Plan, generate};
use stele_epcis::json::Limits;
use stele_epcis::validate::{Kind, Profile, validate};
use stele_epcis::{
    Anchor, AnchorError, EpcisService, EventStore, EventToAnchor, Method, Request, Response,
    StoreError,
};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.db");
    (folder, file)
}

/// A clock that goes a second a look.
fn clock() -> stele_epcis::Clock {
    let now = AtomicI64::new(1_800_000_000_000);
    Arc::new(move || now.fetch_add(1_000, Ordering::Relaxed))
}

fn service_with(file: &PathBuf, anchor: Arc<dyn Anchor>) -> EpcisService {
    EpcisService::new(EventStore::open(file).expect("a store"), anchor, clock())
}

/// An anchor that keeps what it is told, and refuses or fails on demand.
#[derive(Default)]
struct Ledger {
    told: Mutex<Vec<EventToAnchor>>,
    refuse: Mutex<Vec<String>>,
    /// Events that it takes before it cannot be asked any more.
    available: AtomicUsize,
}

impl Ledger {
    fn new() -> Arc<Self> {
        let ledger = Self::default();
        ledger.available.store(usize::MAX, Ordering::Relaxed);
        Arc::new(ledger)
    }
}

impl Anchor for Ledger {
    fn anchor(&self, events: &[EventToAnchor]) -> Vec<Result<Option<[u8; 32]>, AnchorError>> {
        let answer = |event: &EventToAnchor| {
            let fail = |code: &str, temporary| {
                Err(AnchorError {
                    code: code.to_owned(),
                    detail: "no".to_owned(),
                    temporary,
                })
            };
            if self.refuse.lock().contains(&event.event_id) {
                return fail("trace.event.exists", false);
            }
            let mut told = self.told.lock();
            if told.len() >= self.available.load(Ordering::Relaxed) {
                return fail("ledger.unavailable", true);
            }
            if !told.contains(event) {
                told.push(event.clone());
            }
            Ok(Some(event.commitment))
        };
        events.iter().map(answer).collect()
    }
}

fn get(service: &EpcisService, path: &[&str], query: &[(&str, &str)]) -> Response {
    call(service, Method::Get, path, query, &[], b"")
}

fn call(
    service: &EpcisService,
    method: Method,
    path: &[&str],
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let pairs = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let mut headers: Vec<(String, String)> = pairs(headers);
    if method == Method::Post && !headers.iter().any(|(name, _)| name == "Content-Type") {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    service.handle(&Request {
        method,
        path: path.iter().map(|s| (*s).to_owned()).collect(),
        query: pairs(query),
        headers,
        body,
    })
}

fn post(service: &EpcisService, path: &[&str], headers: &[(&str, &str)], body: &Value) -> Response {
    call(
        service,
        Method::Post,
        path,
        &[],
        headers,
        body.to_string().as_bytes(),
    )
}

/// Captures and answers the job.
fn capture(service: &EpcisService, document: &Value, behaviour: &str) -> Value {
    let answer = post(
        service,
        &["capture"],
        &[("GS1-Capture-Error-Behaviour", behaviour)],
        document,
    );
    assert_eq!(answer.status, 202, "{answer:?}");
    let location = answer.header_value("Location").expect("a job");
    let id = location.strip_prefix("capture/").expect("a job's address");
    get(service, &["capture", id], &[]).body.expect("a job")
}

fn events(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.body.as_ref().expect("a body");
    assert_eq!(validate(body, Profile::Schema), Ok(Kind::QueryDocument));
    body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        .as_array()
        .expect("events")
        .clone()
}

fn ids(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|e| e["eventID"].as_str().expect("an id").to_owned())
        .collect()
}

fn problem(answer: &Response, status: u16, name: &str) {
    let body = answer.body.as_ref().expect("a problem");
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(answer.content_type, Some("application/problem+json"));
    assert_eq!(body["type"], format!("epcisException:{name}"));
    assert_eq!(body["status"], status);
}

/// Follows `Link` until the last page.
fn all_pages(service: &EpcisService, path: &[&str], query: &[(&str, &str)]) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut query = query.to_vec();
        query.extend(token.as_deref().map(|t| ("nextPageToken", t)));
        let answer = get(service, path, &query);
        found.extend(events(&answer));
        let Some(link) = answer.header_value("Link") else {
            return found;
        };
        let (_, rest) = link.split_once("nextPageToken=").expect("a token");
        token = Some(rest.split('>').next().expect("its end").to_owned());
    }
}

fn made_and_captured(service: &EpcisService, plan: &Plan) -> (Generated, Vec<Value>) {
    let made = generate(plan);
    let mut all = Vec::new();
    for document in &made.documents {
        let job = capture(service, &document.document, "rollback");
        assert_eq!(
            (&job["running"], &job["success"]),
            (&json!(false), &json!(true)),
            "{job}"
        );
        all.extend(
            document.document["epcisBody"]["eventList"]
                .as_array()
                .expect("events")
                .clone(),
        );
    }
    (made, all)
}

#[test]
fn captured_events_are_found_by_item_step_and_place() {
    let (_folder, file) = folder();
    let ledger = Ledger::new();
    let service = service_with(&file, ledger.clone());
    let (made, all) = made_and_captured(&service, &Plan::default());
    assert_eq!(ids(&all_pages(&service, &["events"], &[])), ids(&all));
    assert_eq!(ledger.told.lock().len(), all.len());

    let lot = &made.lots[1];
    let bottle = &lot.bottles[7];
    let by_item = all_pages(
        &service,
        &["events"],
        &[
            ("MATCH_anyEPC", bottle),
            ("orderBy", "eventTime"),
            ("orderDirection", "ASC"),
        ],
    );
    let wanted: Vec<Value> = all
        .iter()
        .filter(|e| e.to_string().contains(&format!("{bottle}\"")))
        .cloned()
        .collect();
    assert_eq!(ids(&by_item), ids(&wanted));
    assert!(wanted.len() >= 3);
    assert_eq!(
        ids(&all_pages(&service, &["epcs", bottle, "events"], &[])),
        ids(&wanted)
    );
    // The same bottle by its Digital Link.
    let (_, serial) = bottle.rsplit_once('.').expect("a serial number");
    let link = format!("https://id.gs1.org/01/09999991003002/21/{serial}");
    assert_eq!(
        stele_epcis::gs1::match_key(&link),
        stele_epcis::gs1::match_key(bottle),
        "{bottle}"
    );
    assert_eq!(
        ids(&all_pages(
            &service,
            &["events"],
            &[("MATCH_anyEPC", &link)]
        )),
        ids(&wanted)
    );
    // All bottles by a pattern, the lot by its class.
    let bottled = [
        ("eventType", "TransformationEvent"),
        ("MATCH_outputEPC", "urn:epc:idpat:sgtin:9999991.000300.*"),
    ];
    assert_eq!(all_pages(&service, &["events"], &bottled).len(), 3);
    assert_eq!(
        all_pages(&service, &["events"], &[("MATCH_anyEPCClass", &lot.class)]).len(),
        1
    );

    let of = |test: &dyn Fn(&Value) -> bool| {
        ids(&all.iter().filter(|e| test(e)).cloned().collect::<Vec<_>>())
    };
    for (query, test) in [
        (
            vec![("EQ_bizStep", "shipping|receiving")],
            &(|e: &Value| matches!(e["bizStep"].as_str(), Some("shipping" | "receiving")))
                as &dyn Fn(&Value) -> bool,
        ),
        (
            vec![("EQ_bizStep", "urn:epcglobal:cbv:bizstep:packing")],
            &|e| e["bizStep"] == "packing",
        ),
        (
            vec![("EQ_action", "DELETE"), ("eventType", "AggregationEvent")],
            &|e| e["action"] == "DELETE",
        ),
        (vec![("EQ_disposition", "retail_sold")], &|e| {
            e["disposition"] == "retail_sold"
        }),
        (
            vec![("EQ_readPoint", "urn:epc:id:sgln:9999992.00002.0")],
            &|e| e["readPoint"]["id"] == "urn:epc:id:sgln:9999992.00002.0",
        ),
        (
            vec![("EQ_bizLocation", "urn:epc:id:sgln:9999993.00002.0")],
            &|e| e["bizLocation"]["id"] == "urn:epc:id:sgln:9999993.00002.0",
        ),
        (
            vec![("EQ_persistentDisposition_set", "completeness_verified")],
            &|e| e["persistentDisposition"].is_object(),
        ),
        (vec![("EQ_type", "Temperature")], &|e| {
            e["sensorElementList"].is_array()
        }),
        (vec![("GT_maxValue_CEL", "30")], &|e| {
            e["sensorElementList"][0]["sensorReport"][0]["maxValue"]
                .as_f64()
                .is_some_and(|v| v > 30.0)
        }),
        (
            vec![(
                "EQ_source_possessing_party",
                "urn:epc:id:pgln:9999992.00000",
            )],
            &|e| e["sourceList"][0]["source"] == "urn:epc:id:pgln:9999992.00000",
        ),
        (
            vec![("EQ_bizTransaction_po", "urn:epc:id:gdti:9999993.00001.PO2")],
            &|e| {
                e["bizTransactionList"][0]["bizTransaction"] == "urn:epc:id:gdti:9999993.00001.PO2"
            },
        ),
        (vec![("MATCH_parentID", &lot.pallet)], &|e| {
            e["parentID"] == lot.pallet.as_str()
        }),
        (vec![("EXISTS_ILMD_ex:acidityPercent", "true")], &|e| {
            e["ilmd"]["ex:acidityPercent"].is_number()
        }),
        (
            vec![
                ("GE_ILMD_ex:acidityPercent", "0.2"),
                ("LT_ILMD_ex:acidityPercent", "0.45"),
            ],
            &|e| {
                e["ilmd"]["ex:acidityPercent"]
                    .as_f64()
                    .is_some_and(|v| (0.2..0.45).contains(&v))
            },
        ),
        (
            vec![("EQ_ex:fictional", "true"), ("EQ_quantity_KGM", "132")],
            &|e| e.to_string().contains("\"uom\":\"KGM\""),
        ),
        (vec![("EXISTS_errorDeclaration", "true")], &|_| false),
    ] {
        assert_eq!(
            ids(&all_pages(&service, &["events"], &query)),
            of(test),
            "{query:?}"
        );
    }
    let page = get(&service, &["readPoints"], &[("perPage", "4")]);
    assert_eq!(
        page.body.as_ref().expect("a list")["member"]
            .as_array()
            .expect("values")
            .len(),
        4
    );
    assert!(page.header_value("Link").is_some());
    assert_eq!(
        get(&service, &["bizSteps", "shipping"], &[])
            .body
            .expect("a list")["member"],
        json!(["events"])
    );
    problem(
        &get(
            &service,
            &["epcs", "urn:epc:id:sgtin:9999991.000300.none"],
            &[],
        ),
        404,
        "NoSuchNameException",
    );
}

#[test]
fn evidence_gives_the_commitment_again_and_a_changed_event_does_not() {
    let (_folder, file) = folder();
    let ledger = Ledger::new();
    let service = service_with(&file, ledger.clone());
    let (made, all) = made_and_captured(
        &service,
        &Plan {
            lots: 1,
            ..Plan::default()
        },
    );
    let told = ledger.told.lock().clone();
    for (event, told) in all.iter().zip(&told) {
        let id = event["eventID"].as_str().expect("an id");
        let evidence = &service.evidence(id).expect("evidence")[0];
        assert_eq!(
            commitment(&evidence.salt, &evidence.event),
            Ok(told.commitment)
        );
        assert_eq!(
            evidence.entry_id,
            Some(told.commitment),
            "what the anchor answered"
        );
        // The holder of the answer and the salt comes to the same commitment, with no look at the store.
        let answer = get(&service, &["events", id], &[])
            .body
            .expect("a document");
        let listed = &answer["epcisBody"]["queryResults"]["resultsBody"]["eventList"][0];
        let again = canonical_event(listed, Some(&answer["@context"])).expect("canonical");
        assert_eq!(commitment(&evidence.salt, &again), Ok(told.commitment));
        let mut changed = again;
        changed["eventTime"] = json!("2026-01-01T00:00:00Z");
        assert_ne!(commitment(&evidence.salt, &changed), Ok(told.commitment));
    }
    let bottling = &told[1];
    let bottles: Vec<_> = made.lots[0].bottles.iter().map(|b| item_hash(b)).collect();
    assert_eq!(bottling.items[..bottles.len()], bottles);
    assert_eq!(
        bottling.lots,
        [
            lot_hash(&made.lots[0].olives),
            lot_hash(&made.lots[0].class)
        ]
    );
    assert_eq!(
        Some(bottling.time_ms),
        all[1]["eventTime"].as_str().and_then(parse_date_time)
    );
}

fn document(events: &[Value]) -> Value {
    json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://fictional.example/a/"}],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-01-01T00:00:00Z",
        "epcisBody": {"eventList": events},
    })
}

fn observed(n: usize) -> Value {
    json!({"type": "ObjectEvent", "eventID": format!("urn:uuid:00000000-0000-4000-8000-{n:012}"), "action": "OBSERVE",
           "eventTime": format!("2026-01-{:02}T00:00:00Z", n % 28 + 1), "eventTimeZoneOffset": "+00:00",
           "epcList": [format!("urn:epc:id:sgtin:9999991.000300.{n}")]})
}

#[test]
fn faulty_events_roll_back_or_are_left_out() {
    let (_folder, file) = folder();
    let service = service_with(&file, Arc::new(NoAnchor));
    let mut bad = observed(2);
    bad["action"] = json!("SELL");
    let mixed = document(&[observed(1), bad, observed(3)]);
    let refused = post(&service, &["capture"], &[], &mixed);
    problem(&refused, 400, "ValidationException");
    let detail = refused.body.expect("a problem")["detail"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(
        detail.starts_with("/epcisBody/eventList/1/action: "),
        "{detail}"
    );
    assert!(events(&get(&service, &["events"], &[])).is_empty());

    let job = capture(&service, &mixed, "proceed");
    assert_eq!(
        (&job["success"], &job["running"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(job["errors"][0]["pointer"], "/epcisBody/eventList/1");
    assert_eq!(
        job["errors"][0]["type"],
        "epcisException:ValidationException"
    );
    assert_eq!(ids(&events(&get(&service, &["events"], &[]))).len(), 2);

    // The same again is no error; another event of the same id is.
    assert_eq!(
        capture(&service, &document(&[observed(1)]), "rollback")["success"],
        true
    );
    let mut other = observed(1);
    other["epcList"] = json!(["urn:epc:id:sgtin:9999991.000300.999"]);
    let job = capture(
        &service,
        &document(&[observed(4), other.clone()]),
        "rollback",
    );
    assert_eq!(
        job["errors"][0]["type"],
        "epcisException:ResourceAlreadyExistsException"
    );
    assert_eq!(job["success"], false);
    assert_eq!(
        events(&get(&service, &["events"], &[])).len(),
        2,
        "event 4 is rolled back"
    );
    let job = capture(&service, &document(&[observed(4), other]), "proceed");
    assert_eq!(job["errors"].as_array().expect("errors").len(), 1);
    assert_eq!(events(&get(&service, &["events"], &[])).len(), 3);

    let jobs = get(&service, &["capture"], &[("perPage", "2")]);
    assert_eq!(
        jobs.body
            .as_ref()
            .expect("jobs")
            .as_array()
            .expect("a list")
            .len(),
        2
    );
    assert!(jobs.header_value("Link").is_some());
    problem(
        &get(&service, &["capture", "none"], &[]),
        404,
        "NoSuchNameException",
    );
}

#[test]
fn an_error_declaration_stands_beside_its_event() {
    let (_folder, file) = folder();
    let ledger = Ledger::new();
    let service = service_with(&file, ledger.clone());
    capture(&service, &document(&[observed(1)]), "rollback");
    let mut declared = observed(1);
    declared["errorDeclaration"] = json!({"declarationTime": "2026-02-01T00:00:00Z", "reason": "incorrect_data",
        "correctiveEventIDs": ["urn:uuid:00000000-0000-4000-8000-000000000009"]});
    assert_eq!(
        capture(&service, &document(&[declared]), "rollback")["success"],
        true
    );
    let id = "urn:uuid:00000000-0000-4000-8000-000000000001";
    assert_eq!(events(&get(&service, &["events", id], &[])).len(), 2);
    for query in [
        [("EXISTS_errorDeclaration", "true")],
        [("EQ_errorReason", "incorrect_data")],
        [("GE_errorDeclarationTime", "2026-02-01T00:00:00Z")],
        [(
            "EQ_correctiveEventID",
            "urn:uuid:00000000-0000-4000-8000-000000000009",
        )],
    ] {
        assert_eq!(
            events(&get(&service, &["events"], &query)).len(),
            1,
            "{query:?}"
        );
    }
    let told = ledger.told.lock();
    assert!(told[0].declaration.is_none());
    assert_eq!(
        told[1]
            .declaration
            .as_ref()
            .expect("a declaration")
            .reason
            .as_deref(),
        Some("incorrect_data")
    );
}

#[test]
fn what_the_ledger_refuses_is_named_and_not_kept() {
    let (_folder, file) = folder();
    let ledger = Ledger::new();
    let service = service_with(&file, ledger.clone());
    let refused = observed(2)["eventID"].as_str().expect("an id").to_owned();
    ledger.refuse.lock().push(refused.clone());
    let three = document(&[observed(1), observed(2), observed(3)]);
    let job = capture(&service, &three, "rollback");
    assert_eq!(
        (&job["success"], &job["running"]),
        (&json!(false), &json!(false))
    );
    assert!(
        job["errors"][0]["detail"]
            .as_str()
            .expect("a text")
            .contains("trace.event.exists")
    );
    assert!(events(&get(&service, &["events"], &[])).is_empty());
    let job = capture(&service, &three, "proceed");
    assert_eq!(job["errors"].as_array().expect("errors").len(), 1);
    assert_eq!(events(&get(&service, &["events"], &[])).len(), 2);
    problem(
        &get(&service, &["events", &refused], &[]),
        404,
        "NoSuchNameException",
    );
    problem(
        &post(&service, &["events"], &[], &{
            let mut event = observed(2);
            event["@context"] =
                json!("https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld");
            event
        }),
        500,
        "ImplementationException",
    );
}

#[test]
fn a_crash_or_a_silent_ledger_loses_nothing() {
    for behaviour in ["rollback", "proceed"] {
        let (_folder, file) = folder();
        let ledger = Ledger::new();
        let all: Vec<_> = (0..1_200).map(observed).collect();
        {
            let service = service_with(&file, ledger.clone());
            ledger.available.store(700, Ordering::Relaxed);
            let job = capture(&service, &document(&all), behaviour);
            assert_eq!(
                (&job["running"], &job["success"]),
                (&json!(true), &json!(true))
            );
            let visible = service.store().events_count().expect("a count");
            assert_eq!(visible, if behaviour == "rollback" { 0 } else { 700 });
            assert_eq!(
                service.resume().expect("an answer"),
                0,
                "the ledger is still silent"
            );
        }
        // What kill -9 leaves: the files as they are, while the store is open.
        let service = service_with(&file, ledger.clone());
        let copy = file.with_file_name("copy.db");
        for suffix in ["", "-wal"] {
            let name = |path: &PathBuf| PathBuf::from(format!("{}{suffix}", path.display()));
            std::fs::copy(name(&file), name(&copy)).expect("a copy");
        }
        ledger.available.store(usize::MAX, Ordering::Relaxed);
        let revived = service_with(&copy, ledger.clone());
        assert_eq!(revived.resume().expect("an answer"), 1);
        assert_eq!(revived.resume().expect("an answer"), 0);
        let found = all_pages(&revived, &["events"], &[("perPage", "1000")]);
        assert_eq!(ids(&found), ids(&all));
        assert_eq!(
            ledger.told.lock().len(),
            1_200,
            "each event once, with the salt of the first time"
        );
        drop(service);
    }
}

#[test]
fn named_queries() {
    let (_folder, file) = folder();
    let service = service_with(&file, Arc::new(NoAnchor));
    made_and_captured(
        &service,
        &Plan {
            lots: 1,
            ..Plan::default()
        },
    );
    let query = json!({"name": "shipped", "query": {"eventType": ["ObjectEvent"], "EQ_bizStep": ["shipping", "receiving"]}});
    let made = post(&service, &["queries"], &[], &query);
    assert_eq!(
        (made.status, made.header_value("Location")),
        (201, Some("queries/shipped"))
    );
    assert_eq!(
        post(&service, &["queries"], &[], &query).status,
        201,
        "the same again"
    );
    let other = json!({"name": "shipped", "query": {}});
    problem(
        &post(&service, &["queries"], &[], &other),
        409,
        "ResourceAlreadyExistsException",
    );
    assert_eq!(
        get(&service, &["queries", "shipped"], &[])
            .body
            .expect("a query"),
        query
    );
    assert_eq!(
        get(&service, &["queries"], &[]).body.expect("queries"),
        json!([query])
    );
    let found = all_pages(
        &service,
        &["queries", "shipped", "events"],
        &[("perPage", "1")],
    );
    assert_eq!(found.len(), 3);
    let wrong = json!({"name": "wrong", "query": {"EQ_nonsense": ["x"]}});
    problem(
        &post(&service, &["queries"], &[], &wrong),
        400,
        "QueryParameterException",
    );
    problem(
        &post(
            &service,
            &["queries"],
            &[],
            &json!({"name": "a/b", "query": {}}),
        ),
        400,
        "QueryValidationException",
    );
    problem(
        &get(
            &service,
            &["queries", "shipped", "events"],
            &[("EQ_bizStep", "packing")],
        ),
        400,
        "QueryParameterException",
    );
    assert_eq!(
        call(
            &service,
            Method::Delete,
            &["queries", "shipped"],
            &[],
            &[],
            b""
        )
        .status,
        204
    );
    problem(
        &get(&service, &["queries", "shipped", "events"], &[]),
        404,
        "NoSuchNameException",
    );
    problem(
        &get(&service, &["queries", "x", "subscriptions"], &[]),
        501,
        "ImplementationException",
    );
}

#[test]
fn requests_that_are_refused() {
    let (_folder, file) = folder();
    let store = EventStore::open(&file).expect("a store");
    let limits = Limits {
        events_max: 3,
        bytes_max: 20_000,
        ..Limits::default()
    };
    let service = EpcisService::new(store, Arc::new(NoAnchor), clock()).with_limits(limits);
    capture(
        &service,
        &document(&[observed(1), observed(2), observed(3)]),
        "rollback",
    );
    let four: Vec<_> = (0..4).map(observed).collect();
    problem(
        &post(&service, &["capture"], &[], &document(&four)),
        413,
        "CaptureLimitExceededException",
    );
    problem(
        &call(
            &service,
            Method::Post,
            &["capture"],
            &[],
            &[],
            &[b' '; 20_001],
        ),
        413,
        "CaptureLimitExceededException",
    );
    for body in ["", "{", "[]", "{\"type\":\"x\"}", "{\"a\":1,\"a\":2}"] {
        problem(
            &call(
                &service,
                Method::Post,
                &["capture"],
                &[],
                &[],
                body.as_bytes(),
            ),
            400,
            "ValidationException",
        );
    }
    let big = json!({"ex:n": 9_007_199_254_740_993_u64});
    let mut event = observed(9);
    event
        .as_object_mut()
        .expect("an object")
        .extend(big.as_object().expect("an object").clone());
    problem(
        &post(&service, &["capture"], &[], &document(&[event])),
        400,
        "ValidationException",
    );
    let xml = [("Content-Type", "application/xml")];
    problem(
        &call(&service, Method::Post, &["capture"], &[], &xml, b"<a/>"),
        415,
        "UnsupportedMediaTypeException",
    );
    problem(
        &call(
            &service,
            Method::Get,
            &["events"],
            &[],
            &[("Accept", "application/xml")],
            b"",
        ),
        406,
        "NotAcceptableException",
    );
    problem(
        &call(
            &service,
            Method::Get,
            &["events"],
            &[],
            &[("GS1-EPCIS-Min", "2.1")],
            b"",
        ),
        406,
        "NotAcceptableException",
    );
    problem(
        &call(
            &service,
            Method::Get,
            &["events"],
            &[],
            &[("GS1-EPC-Format", "Always_EPC_URN")],
            b"",
        ),
        406,
        "NotAcceptableException",
    );
    problem(
        &get(&service, &["events"], &[("EQ_nonsense", "1")]),
        400,
        "QueryParameterException",
    );
    problem(
        &get(&service, &["events"], &[("maxEventCount", "2")]),
        413,
        "QueryTooLargeException",
    );
    assert_eq!(
        events(&get(&service, &["events"], &[("maxEventCount", "3")])).len(),
        3
    );
    problem(
        &get(&service, &["events"], &[("nextPageToken", "00")]),
        400,
        "QueryParameterException",
    );
    let token = get(&service, &["events"], &[("perPage", "1")]);
    let token = token
        .header_value("Link")
        .and_then(|l| l.split_once("Token="))
        .expect("a token")
        .1
        .split('>')
        .next();
    let stolen = [
        ("perPage", "1"),
        ("EQ_action", "ADD"),
        ("nextPageToken", token.expect("its text")),
    ];
    problem(
        &get(&service, &["events"], &stolen),
        400,
        "QueryParameterException",
    );
    let long = "x".repeat(2_000);
    let long: Vec<(&str, &str)> = (0..20).map(|_| ("EQ_bizStep", long.as_str())).collect();
    problem(
        &get(&service, &["events"], &long),
        414,
        "URITooLongException",
    );
    problem(
        &get(&service, &["nothing"], &[]),
        404,
        "NoSuchNameException",
    );
    problem(
        &call(&service, Method::Delete, &["events"], &[], &[], b""),
        405,
        "ImplementationException",
    );
    let options = call(&service, Method::Options, &["capture"], &[], &[], b"");
    assert_eq!(options.status, 204);
    for (name, value) in [
        ("Allow", "OPTIONS, GET, POST"),
        ("GS1-EPCIS-Version", "2.0.0"),
        ("GS1-EPCIS-Capture-Limit", "3"),
    ] {
        assert_eq!(options.header_value(name), Some(value));
    }
}

#[test]
fn single_events_get_an_id_and_contexts_keep_their_meaning() {
    let (_folder, file) = folder();
    let service = service_with(&file, Arc::new(NoAnchor));
    let gs1 = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
    let event = |prefix: &str, n: usize| {
        let mut event = observed(n);
        event
            .as_object_mut()
            .expect("an object")
            .shift_remove("eventID");
        event["@context"] = json!([gs1, {"ex": prefix}]);
        event["ex:note"] = json!("fictional");
        event
    };
    let made = post(&service, &["events"], &[], &event("https://a.example/", 1));
    assert_eq!(made.status, 201, "{made:?}");
    assert!(
        made.header_value("Location")
            .expect("an address")
            .starts_with("events/urn%3Auuid%3A")
    );
    problem(
        &post(&service, &["events"], &[], &event("https://a.example/", 1)),
        409,
        "ResourceAlreadyExistsException",
    );
    assert_eq!(
        post(&service, &["events"], &[], &event("https://b.example/", 2)).status,
        201
    );
    let answer = get(&service, &["events"], &[]);
    let body = answer.body.as_ref().expect("a document");
    assert_eq!(body["@context"], json!([gs1, {"ex": "https://a.example/"}]));
    let found = events(&answer);
    assert!(found[0].get("@context").is_none());
    assert_eq!(
        found[1]["@context"],
        json!([gs1, {"ex": "https://b.example/"}])
    );
    assert!(found.iter().all(|e| e["recordTime"].is_string()));
    // What is answered can be captured again, by anyone.
    let (_other_folder, other) = self::folder();
    let other = service_with(&other, Arc::new(NoAnchor));
    assert_eq!(capture(&other, body, "rollback")["success"], true);
    assert_eq!(ids(&events(&get(&other, &["events"], &[]))), ids(&found));
}

#[test]
fn places_with_their_descendants() {
    let (_folder, file) = folder();
    let service = service_with(&file, Arc::new(NoAnchor));
    let place = |n: u32| format!("urn:epc:id:sgln:9999993.{n:05}.0");
    let at = |n: usize, p: u32| {
        let mut event = observed(n);
        event["readPoint"] = json!({"id": place(p)});
        event
    };
    let mut master = document(&[at(1, 1), at(2, 2), at(3, 3), at(4, 4)]);
    master["epcisHeader"] = json!({"epcisMasterData": {"vocabularyList": [{"type": "urn:epcglobal:epcis:vtype:ReadPoint",
        "vocabularyElementList": [{"id": place(1), "children": [place(2)]}, {"id": place(2), "children": [place(3), place(1)]}]}]}});
    assert_eq!(capture(&service, &master, "rollback")["success"], true);
    assert_eq!(
        events(&get(&service, &["events"], &[("WD_readPoint", &place(1))])).len(),
        3
    );
    assert_eq!(
        events(&get(&service, &["events"], &[("WD_readPoint", &place(4))])).len(),
        1
    );
    assert_eq!(
        events(&get(&service, &["events"], &[("EQ_readPoint", &place(1))])).len(),
        1
    );
}

#[test]
fn damaged_and_foreign_files_are_named() {
    let (_folder, file) = folder();
    std::fs::write(
        &file,
        "nothing that SQLite knows, and long enough to be looked at ".repeat(30),
    )
    .expect("written");
    assert!(matches!(
        EventStore::open(&file),
        Err(StoreError::Damaged { .. })
    ));
    let other = file.with_file_name("other.db");
    drop(EventStore::open(&other).expect("a store"));
    rusqlite::Connection::open(&other)
        .and_then(|db| db.execute_batch("PRAGMA user_version = 9"))
        .expect("changed");
    assert!(matches!(
        EventStore::open(&other),
        Err(StoreError::OtherLayout { found: 9, .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Any page size and order, with captures between the pages: each event of the first moment once, in order.
    #[test]
    fn pages_agree_with_a_vector(
        count in 1usize..60, per_page in 1usize..12, by_time in any::<bool>(), ascending in any::<bool>(),
        limit in proptest::option::of(1usize..40),
    ) {
        let (_folder, file) = folder();
        let service = service_with(&file, Arc::new(NoAnchor));
        let all: Vec<_> = (0..count).map(observed).collect();
        capture(&service, &document(&all), "rollback");
        let mut wanted: Vec<(i64, usize)> = all.iter().enumerate()
            .map(|(n, e)| (if by_time { e["eventTime"].as_str().and_then(parse_date_time).expect("a time") } else { 0 }, n))
            .collect();
        wanted.sort();
        if !ascending {
            wanted.reverse();
        }
        wanted.truncate(limit.unwrap_or(usize::MAX));
        let (per_page, limit) = (per_page.to_string(), limit.map(|l| l.to_string()));
        let mut query = vec![
            ("perPage", per_page.as_str()),
            ("orderBy", if by_time { "eventTime" } else { "recordTime" }),
            ("orderDirection", if ascending { "ASC" } else { "DESC" }),
        ];
        query.extend(limit.as_deref().map(|l| ("eventCountLimit", l)));
        let found = ids(&all_pages(&service, &["events"], &query));
        let wanted: Vec<_> = wanted.into_iter().map(|(_, n)| ids(&all[n..=n]).remove(0)).collect();
        prop_assert_eq!(found, wanted);
    }

    /// No request makes a failure of the server.
    #[test]
    fn any_request_is_answered(
        path in proptest::collection::vec("(events|epcs|capture|queries|bizSteps|eventTypes|readPoints|[a-z']{0,6}|\\PC{0,8})", 0..4),
        query in proptest::collection::vec(("(EQ_|MATCH_|GE_|WD_|EXISTS_)?(anyEPC|bizStep|readPoint|ILMD_)?[a-zA-Z:_']{0,8}", "\\PC{0,12}"), 0..3),
        method in prop_oneof![Just(Method::Get), Just(Method::Post), Just(Method::Delete), Just(Method::Options)],
        body in "\\PC{0,40}",
    ) {
        let (_folder, file) = folder();
        let service = service_with(&file, Arc::new(NoAnchor));
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let answer = service.handle(&Request { method, path, query, headers, body: body.as_bytes() });
        prop_assert!(answer.status < 500 || answer.status == 501, "{:?}", answer);
    }
}
