//! The fictional parties' EPCIS 2.0 documents.

use serde_json::{Map, Value as Json, json};
use stele_core::calendar::format_date_time;

use super::plan::{BAND, BOTTLES_PER_CASE, DAY_MS, HOUR_MS, Pallet, Plan, Role};

const MINUTE_MS: i64 = 60_000;
/// The context of every document. `cbvmda` names master data of lots, `example` what is fictional.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// A document and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub role: Role,
    /// Its file name without the ending.
    pub name: &'static str,
    pub json: Json,
}

impl Document {
    pub fn events(&self) -> &[Json] {
        self.json["epcisBody"]["eventList"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }
}

/// All documents of a plan, in the order in which things happen.
pub(super) fn documents(plan: &Plan) -> Vec<Document> {
    let mut writer = Writer {
        plan,
        events: 0,
        out: Vec::new(),
    };
    writer.make();
    writer.pack();
    writer.ship();
    writer.carry();
    writer.receive();
    writer.unpack();
    writer.sell();
    writer.out
}

struct Writer<'a> {
    plan: &'a Plan,
    events: usize,
    out: Vec<Document>,
}

impl Writer<'_> {
    fn document(&mut self, role: Role, name: &'static str, events: Vec<Json>) {
        let last = events
            .iter()
            .filter_map(|event| event["eventTime"].as_str())
            .max()
            .unwrap_or_default()
            .to_owned();
        let json = json!({
            "@context": [CONTEXT, {"cbvmda": "urn:epcglobal:cbv:mda:"}, {"example": "https://example.org/fictional/"}],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": last,
            "epcisBody": {"eventList": events},
        });
        self.out.push(Document { role, name, json });
    }

    /// An event with what all events have, and `rest`.
    fn event(
        &mut self,
        kind: &str,
        at_ms: i64,
        role: Role,
        place: u32,
        step: &str,
        rest: Json,
    ) -> Json {
        let id = self.plan.event_id(self.events);
        self.events += 1;
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("eventID".into(), id.into());
        event.insert("eventTime".into(), format_date_time(at_ms).into());
        event.insert("eventTimeZoneOffset".into(), "+00:00".into());
        event.insert("bizStep".into(), step.into());
        event.insert("readPoint".into(), json!({"id": location(role, place)}));
        if let Json::Object(rest) = rest {
            event.extend(rest);
        }
        Json::Object(event)
    }

    /// Olives become oil, oil goes into bottles.
    fn make(&mut self) {
        let plan = self.plan;
        let mut events = Vec::new();
        for (index, lot) in plan.lots.iter().enumerate() {
            let at = plan.start_ms + index as i64 * HOUR_MS;
            let olives = format!(
                "urn:epc:class:lgtin:{}.030100.{}",
                Role::Mill.prefix(),
                lot.number
            );
            let bottles = lot.bottles().count();
            events.push(self.event("TransformationEvent", at + 6 * HOUR_MS, Role::Mill, 1, "commissioning", json!({
                "transformationID": format!("urn:epc:id:gdti:{}.00001.{}", Role::Mill.prefix(), lot.number),
                "inputQuantityList": [{"epcClass": olives, "quantity": 160.5, "uom": "KGM"}],
                "outputEPCList": lot.bottles().collect::<Vec<_>>(),
                "disposition": "active",
                "bizLocation": {"id": location(Role::Mill, 0)},
                "ilmd": {
                    "cbvmda:lotNumber": lot.number,
                    "cbvmda:itemExpirationDate": &format_date_time(plan.start_ms + 540 * DAY_MS)[..10],
                },
            })));
            events.push(self.event("ObjectEvent", at + 8 * HOUR_MS, Role::Mill, 2, "inspecting", json!({
                "action": "OBSERVE",
                "epcList": lot.bottles().collect::<Vec<_>>(),
                "quantityList": [{"epcClass": lot.uri, "quantity": bottles}],
                "disposition": "conformant",
                "bizLocation": {"id": location(Role::Mill, 0)},
                "sensorElementList": [{
                    "sensorMetadata": {"time": format_date_time(at + 8 * HOUR_MS), "deviceID": format!("urn:epc:id:giai:{}.bench-1", Role::Mill.prefix())},
                    "sensorReport": [{"type": "Temperature", "value": 17.5, "uom": "CEL"}],
                }],
            })));
        }
        self.document(Role::Mill, "01-mill-pressing", events);
    }

    /// Bottles into cases, cases onto pallets.
    fn pack(&mut self) {
        let plan = self.plan;
        let mut events = Vec::new();
        for (lot_index, lot) in plan.lots.iter().enumerate() {
            for (index, case) in lot.cases.iter().enumerate() {
                let at = plan.start_ms
                    + DAY_MS
                    + 7 * HOUR_MS
                    + (lot_index * 40 + index * 5) as i64 * MINUTE_MS;
                events.push(self.event(
                    "AggregationEvent",
                    at,
                    Role::Mill,
                    3,
                    "packing",
                    json!({
                        "action": "ADD",
                        "parentID": case.epc,
                        "childEPCs": case.bottles,
                        "childQuantityList": [{"epcClass": lot.uri, "quantity": BOTTLES_PER_CASE}],
                        "disposition": "in_progress",
                    }),
                ));
            }
        }
        for (index, pallet) in plan.pallets.iter().enumerate() {
            let at = plan.start_ms + 2 * DAY_MS + (9 + index as i64) * HOUR_MS;
            events.push(self.event(
                "AggregationEvent",
                at,
                Role::Mill,
                4,
                "packing",
                json!({
                    "action": "ADD",
                    "parentID": pallet.sscc,
                    "childEPCs": self.cases(pallet),
                    "disposition": "container_closed",
                }),
            ));
        }
        self.document(Role::Mill, "02-mill-packing", events);
    }

    fn ship(&mut self) {
        let plan = self.plan;
        let events = plan.pallets.iter().enumerate().map(|(index, pallet)| {
            let at = plan.start_ms + 3 * DAY_MS + 6 * HOUR_MS + index as i64 * 10 * MINUTE_MS;
            self.event("ObjectEvent", at, Role::Mill, 5, "shipping", json!({
                "action": "OBSERVE",
                "epcList": [pallet.sscc],
                "disposition": "in_transit",
                "bizTransactionList": [{"type": "desadv", "bizTransaction": transaction(Role::Mill, "desadv", index)}],
                "sourceList": [{"type": "possessing_party", "source": party(Role::Mill)}],
                "destinationList": [{"type": "possessing_party", "destination": party(Role::Carrier)}],
            }))
        });
        let events = events.collect();
        self.document(Role::Mill, "03-mill-shipping", events);
    }

    fn carry(&mut self) {
        let plan = self.plan;
        let mut picked = Vec::new();
        let mut ridden = Vec::new();
        for (index, pallet) in plan.pallets.iter().enumerate() {
            let at =
                plan.start_ms + 3 * DAY_MS + 6 * HOUR_MS + (15 + index as i64 * 10) * MINUTE_MS;
            picked.push(self.event("ObjectEvent", at, Role::Carrier, 1, "loading", json!({
                "action": "OBSERVE",
                "epcList": [pallet.sscc],
                "disposition": "in_transit",
                "bizTransactionList": [{"type": "bol", "bizTransaction": transaction(Role::Carrier, "bol", index)}],
            })));
            ridden.push(self.ride(index, pallet));
        }
        for (index, pallet) in plan
            .pallets
            .iter()
            .enumerate()
            .filter(|(_, pallet)| pallet.delivered)
        {
            let at = plan.start_ms + 3 * DAY_MS + 18 * HOUR_MS + index as i64 * 10 * MINUTE_MS;
            ridden.push(self.event("ObjectEvent", at, Role::Carrier, 2, "unloading", json!({
                "action": "OBSERVE",
                "epcList": [pallet.sscc],
                "disposition": "in_progress",
                "destinationList": [{"type": "possessing_party", "destination": party(Role::Shop)}],
            })));
        }
        self.document(Role::Carrier, "04-carrier-pickup", picked);
        self.document(Role::Carrier, "05-carrier-transport", ridden);
    }

    /// The ride of one pallet with its thermometer's readings.
    fn ride(&mut self, index: usize, pallet: &Pallet) -> Json {
        let device = format!(
            "urn:epc:id:giai:{}.probe-{}",
            Role::Carrier.prefix(),
            index + 1
        );
        let readings: Vec<Json> = pallet
            .temperatures
            .iter()
            .map(|(at, celsius)| {
                let mut report = json!({"type": "Temperature", "value": celsius, "uom": "CEL"});
                if *celsius > BAND.1 {
                    report["exception"] = "ALARM_CONDITION".into();
                }
                json!({"sensorMetadata": {"time": format_date_time(*at), "deviceID": device}, "sensorReport": [report]})
            })
            .collect();
        let last = pallet
            .temperatures
            .last()
            .map_or(self.plan.start_ms, |(at, _)| *at);
        self.event(
            "ObjectEvent",
            last,
            Role::Carrier,
            9,
            "transporting",
            json!({
                "action": "OBSERVE",
                "epcList": [pallet.sscc],
                "disposition": "in_transit",
                "sensorElementList": readings,
            }),
        )
    }

    fn receive(&mut self) {
        let plan = self.plan;
        let mut events = Vec::new();
        for (index, pallet) in delivered(plan) {
            let at = plan.start_ms + 3 * DAY_MS + 19 * HOUR_MS + index as i64 * 10 * MINUTE_MS;
            events.push(self.event("ObjectEvent", at, Role::Shop, 1, "receiving", json!({
                "action": "OBSERVE",
                "epcList": [pallet.sscc],
                "disposition": "in_progress",
                "bizLocation": {"id": location(Role::Shop, 0)},
                "bizTransactionList": [
                    {"type": "desadv", "bizTransaction": transaction(Role::Mill, "desadv", index)},
                    {"type": "recadv", "bizTransaction": transaction(Role::Shop, "recadv", index)},
                ],
                "sourceList": [{"type": "possessing_party", "source": party(Role::Carrier)}],
                "destinationList": [{"type": "possessing_party", "destination": party(Role::Shop)}],
            })));
        }
        self.document(Role::Shop, "06-shop-receiving", events);
    }

    /// Pallets are broken down, then cases are opened and shelved.
    fn unpack(&mut self) {
        let plan = self.plan;
        let mut events = Vec::new();
        for (index, pallet) in delivered(plan) {
            let at = plan.start_ms + 4 * DAY_MS + (6 + index as i64) * HOUR_MS;
            events.push(self.event(
                "AggregationEvent",
                at,
                Role::Shop,
                2,
                "unpacking",
                json!({
                    "action": "DELETE",
                    "parentID": pallet.sscc,
                    "childEPCs": self.cases(pallet),
                    "disposition": "in_progress",
                }),
            ));
            for (place, case) in pallet.cases.iter().enumerate() {
                let (case, at) = (plan.case(*case), at + (10 + 10 * place as i64) * MINUTE_MS);
                events.push(self.event(
                    "AggregationEvent",
                    at,
                    Role::Shop,
                    2,
                    "unpacking",
                    json!({
                        "action": "DELETE",
                        "parentID": case.epc,
                        "childEPCs": case.bottles,
                        "disposition": "in_progress",
                    }),
                ));
                events.push(self.event(
                    "ObjectEvent",
                    at + 5 * MINUTE_MS,
                    Role::Shop,
                    3,
                    "stocking",
                    json!({
                        "action": "OBSERVE",
                        "epcList": case.bottles,
                        "disposition": "sellable_accessible",
                        "bizLocation": {"id": location(Role::Shop, 0)},
                    }),
                ));
            }
        }
        self.document(Role::Shop, "07-shop-shelving", events);
    }

    fn sell(&mut self) {
        let plan = self.plan;
        let events = plan.sold.iter().enumerate().map(|(index, bottle)| {
            let at = plan.start_ms + 5 * DAY_MS + 8 * HOUR_MS + index as i64 * 23 * MINUTE_MS;
            // What was sold, never to whom.
            self.event(
                "ObjectEvent",
                at,
                Role::Shop,
                4,
                "retail_selling",
                json!({
                    "action": "OBSERVE",
                    "epcList": [bottle],
                    "disposition": "retail_sold",
                    "bizLocation": {"id": location(Role::Shop, 0)},
                }),
            )
        });
        let events = events.collect();
        self.document(Role::Shop, "08-shop-till", events);
    }

    fn cases(&self, pallet: &Pallet) -> Vec<&str> {
        pallet
            .cases
            .iter()
            .map(|place| self.plan.case(*place).epc.as_str())
            .collect()
    }
}

fn delivered(plan: &Plan) -> impl Iterator<Item = (usize, &Pallet)> {
    plan.pallets
        .iter()
        .enumerate()
        .filter(|(_, pallet)| pallet.delivered)
}

/// Site 100 of a party; `place` is a spot within it, 0 the whole.
fn location(role: Role, place: u32) -> String {
    format!("urn:epc:id:sgln:{}.00100.{place}", role.prefix())
}

fn party(role: Role) -> String {
    format!("urn:epc:id:pgln:{}.00000", role.prefix())
}

fn transaction(role: Role, kind: &str, index: usize) -> String {
    format!(
        "https://example.org/fictional/{}/{kind}/{}",
        role.key(),
        index + 1
    )
}

/// A place in words, for people.
pub(super) fn place_words(uri: &str) -> String {
    let spots: [(Role, &[&str]); 3] = [
        (
            Role::Mill,
            &[
                "the mill",
                "the press",
                "the laboratory",
                "the packing line",
                "the store",
                "the mill\u{2019}s ramp",
            ],
        ),
        (
            Role::Carrier,
            &[
                "the carrier",
                "the mill\u{2019}s ramp",
                "the shop\u{2019}s ramp",
            ],
        ),
        (
            Role::Shop,
            &[
                "the shop",
                "the shop\u{2019}s ramp",
                "the back room",
                "the shelf",
                "the till",
            ],
        ),
    ];
    for (role, words) in spots {
        for (number, word) in words.iter().enumerate() {
            if uri == location(role, number as u32) {
                return (*word).to_owned();
            }
        }
    }
    if uri == location(Role::Carrier, 9) {
        "on the road".to_owned()
    } else {
        uri.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use stele_epcis::validate::{Profile, validate};

    use super::*;

    #[test]
    fn every_document_is_valid_with_well_formed_keys() {
        for seed in [0, 7, u64::MAX >> 16] {
            let plan = Plan::new(seed, 1_795_385_400_000);
            for document in documents(&plan) {
                if let Err(violations) = validate(&document.json, Profile::Strict) {
                    panic!("{} of seed {seed}: {}", document.name, violations[0]);
                }
            }
        }
    }

    #[test]
    fn event_ids_are_unique_and_time_goes_on() {
        let plan = Plan::new(7, 1_795_385_400_000);
        let documents = documents(&plan);
        let ids: Vec<_> = documents
            .iter()
            .flat_map(|d| d.events())
            .map(|e| e["eventID"].as_str().unwrap())
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        // 6 of making, 15 of packing, 3 of shipping, 8 of carrying, 2 of receiving, 18 of unpacking, 21 of selling.
        assert_eq!(ids.len(), 73);
        let last = documents
            .iter()
            .flat_map(|d| d.events())
            .filter_map(|e| e["eventTime"].as_str())
            .max()
            .unwrap();
        let last = stele_core::calendar::parse_date_time(last).unwrap();
        assert!(
            last < plan.start_ms + 7 * DAY_MS,
            "nothing happens after the run"
        );
    }

    #[test]
    fn places_have_words() {
        assert_eq!(place_words("urn:epc:id:sgln:9521003.00100.4"), "the till");
        assert_eq!(
            place_words("urn:epc:id:sgln:0614141.07346.1234"),
            "urn:epc:id:sgln:0614141.07346.1234"
        );
    }
}
