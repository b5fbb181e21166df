//! Fictional goods on a fictional way: olive oil from a maker through a carrier to a shop, as EPCIS 2.0 documents.
//!
//! Everything follows from a seed, so a scenario runs on any machine without data. The GS1 keys have valid forms under
//! company prefixes that nobody holds (9999991 to 9999993), and every event carries `ex:fictional`.

use serde_json::{Map, Value, json};
use stele_core::id::sha256;

use crate::service::CONTEXT;
use stele_core::calendar::format_date_time;

/// Most bottles of a lot, so that every event stays below the items of one command.
pub const BOTTLES_MAX: u32 = 900;
/// Bottles in a case.
pub const BOTTLES_PER_CASE: usize = 6;
const HOUR_MS: i64 = 3_600_000;
const TIME_ZONE: &str = "+02:00";
const OFFSET_MS: i64 = 2 * HOUR_MS;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Lots of oil.
    pub lots: u32,
    /// Bottles of each lot, 1 to [`BOTTLES_MAX`]; beyond that as many.
    pub bottles: u32,
    /// When the first harvest comes in, in milliseconds since 1970.
    pub start_ms: i64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            lots: 3,
            bottles: 24,
            // 2026-10-12T06:00:00Z
            start_ms: 1_791_784_800_000,
        }
    }
}

/// Who captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Makes and bottles the oil.
    Maker,
    /// Drives it.
    Carrier,
    /// Sells it.
    Shop,
}

impl Role {
    /// All of them, in the order in which the goods meet them.
    pub const ALL: [Self; 3] = [Self::Maker, Self::Carrier, Self::Shop];

    /// The fictional company's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maker => "Fictional Olive Grove",
            Self::Carrier => "Fictional Road Freight",
            Self::Shop => "Fictional Corner Shop",
        }
    }

    /// The fictional GS1 company prefix.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Maker => "9999991",
            Self::Carrier => "9999992",
            Self::Shop => "9999993",
        }
    }

    /// The party's PGLN as an EPC URN.
    pub fn party(self) -> String {
        format!("urn:epc:id:pgln:{}.00000", self.prefix())
    }

    /// One of the party's places, from 1, as an SGLN URN.
    pub fn place(self, number: u32) -> String {
        format!("urn:epc:id:sgln:{}.{number:05}.0", self.prefix())
    }
}

/// A document and who captures it.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedDocument {
    /// Who.
    pub role: Role,
    /// Which lot it is about, from 0.
    pub lot: usize,
    /// The `EPCISDocument`.
    pub document: Value,
}

/// A lot of oil.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedLot {
    /// The bottles' lot as an LGTIN URN.
    pub class: String,
    /// The olives' lot that it was made of.
    pub olives: String,
    /// The bottles.
    pub bottles: Vec<String>,
    /// The cases, each with [`BOTTLES_PER_CASE`] of the bottles in order; the last may hold fewer.
    pub cases: Vec<String>,
    /// The pallet that held the cases on the way.
    pub pallet: String,
    /// Bottles that the shop sold.
    pub sold: Vec<String>,
    /// Whether the oil grew too warm on the way.
    pub too_warm: bool,
}

/// What was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The documents in the order of their events.
    pub documents: Vec<GeneratedDocument>,
    /// The lots.
    pub lots: Vec<GeneratedLot>,
}

/// Makes the documents of a plan.
pub fn generate(plan: &Plan) -> Generated {
    let mut made = Generated {
        documents: Vec::new(),
        lots: Vec::new(),
    };
    for number in 0..plan.lots {
        let mut journey = Journey::new(plan, number);
        for role in Role::ALL {
            let events = match role {
                Role::Maker => journey.maker(),
                Role::Carrier => journey.carrier(),
                Role::Shop => journey.shop(),
            };
            let document = journey.document(role, events);
            made.documents.push(GeneratedDocument {
                role,
                lot: number as usize,
                document,
            });
        }
        made.lots.push(journey.lot);
    }
    made
}

/// One lot on its way.
struct Journey {
    lot: GeneratedLot,
    number: u32,
    now_ms: i64,
    random: Random,
}

/// Bytes of SHA-256 over a counter: the same on every machine, and good enough for fiction.
struct Random {
    seed: [u8; 16],
    count: u64,
}

impl Random {
    fn bytes(&mut self) -> [u8; 32] {
        self.count += 1;
        sha256(&[
            b"stele/epcis/generate/v1",
            &self.seed,
            &self.count.to_be_bytes(),
        ])
    }
    fn below(&mut self, n: u64) -> u64 {
        let (first, _) = self
            .bytes()
            .split_first_chunk::<8>()
            .map(|(a, b)| (*a, b.len()))
            .expect("32 bytes");
        u64::from_be_bytes(first) % n
    }
    fn uuid(&mut self) -> String {
        let mut bytes = self.bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex::encode(&bytes[..16]);
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        format!("urn:uuid:{}", parts.join("-"))
    }
}

impl Journey {
    fn new(plan: &Plan, number: u32) -> Self {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&plan.seed.to_be_bytes());
        seed[8..12].copy_from_slice(&number.to_be_bytes());
        let mut random = Random { seed, count: 0 };
        let maker = Role::Maker.prefix();
        let name = format!("{}-{:03}", random.below(9_000) + 1_000, number + 1);
        // Serial numbers must differ between seeds too: two runs may share a repository.
        let base = random.below(900_000_000) + 100_000_000;
        let count = plan.bottles.clamp(1, BOTTLES_MAX) as usize;
        let bottles: Vec<_> = (0..count)
            .map(|i| format!("urn:epc:id:sgtin:{maker}.000300.{base}{i:04}"))
            .collect();
        let cases = (0..count.div_ceil(BOTTLES_PER_CASE))
            .map(|i| format!("urn:epc:id:sgtin:{maker}.000400.{base}{i:04}"))
            .collect();
        let sold = bottles
            .iter()
            .filter(|_| random.below(3) == 0)
            .cloned()
            .collect();
        let lot = GeneratedLot {
            class: format!("urn:epc:class:lgtin:{maker}.000300.L{name}"),
            olives: format!("urn:epc:class:lgtin:{maker}.000100.H{name}"),
            bottles,
            cases,
            pallet: format!("urn:epc:id:sscc:{maker}.0{base:09}"),
            sold,
            too_warm: random.below(3) == 0,
        };
        Self {
            lot,
            number,
            now_ms: plan.start_ms + i64::from(number) * 24 * HOUR_MS,
            random,
        }
    }

    /// Time in the events' zone, as events write it.
    fn time(&self, ms: i64) -> String {
        format_date_time(ms + OFFSET_MS).replace('Z', TIME_ZONE)
    }

    /// An event some time after the one before, with what all events have.
    fn event(&mut self, kind: &str, role: Role, place: u32, members: Value) -> Value {
        self.now_ms += HOUR_MS / 4 + (self.random.below(120) * 60_000) as i64;
        let mut event = json!({
            "type": kind,
            "eventID": self.random.uuid(),
            "eventTime": self.time(self.now_ms),
            "eventTimeZoneOffset": TIME_ZONE,
            "readPoint": {"id": role.place(place)},
        });
        let map: &mut Map<String, Value> = event.as_object_mut().expect("just made");
        if let Value::Object(members) = members {
            map.extend(members);
        }
        map.insert("ex:fictional".to_owned(), json!("true"));
        event
    }

    fn document(&mut self, role: Role, events: Vec<Value>) -> Value {
        json!({
            "@context": [CONTEXT, {"ex": "https://fictional.example/epcis/"}],
            "id": self.random.uuid(),
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": format_date_time(self.now_ms),
            "sender": role.place(1),
            "epcisBody": {"eventList": events},
        })
    }

    /// Harvest, bottling, packing, shipping.
    fn maker(&mut self) -> Vec<Value> {
        let lot = self.lot.clone();
        let count = lot.bottles.len();
        let lot_number = |class: &str| class.rsplit('.').next().unwrap_or_default().to_owned();
        let kilograms = count as f64 * 5.5;
        let harvest = json!({
            "action": "ADD", "bizStep": "commissioning", "disposition": "active",
            "bizLocation": {"id": Role::Maker.place(1)},
            "quantityList": [{"epcClass": lot.olives, "quantity": kilograms, "uom": "KGM"}],
            "ilmd": {"cbvmda:lotNumber": lot_number(&lot.olives), "cbvmda:countryOfOrigin": "GR",
                     "ex:harvestDate": format_date_time(self.now_ms)[..10]},
        });
        let bottling = json!({
            "bizStep": "commissioning", "disposition": "active",
            "transformationID": format!("urn:epc:id:gdti:{}.00002.{}", Role::Maker.prefix(), lot_number(&lot.class)),
            "bizLocation": {"id": Role::Maker.place(2)},
            "inputQuantityList": [{"epcClass": lot.olives, "quantity": kilograms, "uom": "KGM"}],
            "outputEPCList": lot.bottles,
            "outputQuantityList": [{"epcClass": lot.class, "quantity": count}],
            "ilmd": {"cbvmda:lotNumber": lot_number(&lot.class),
                     "cbvmda:itemExpirationDate": format_date_time(self.now_ms + 540 * 24 * HOUR_MS)[..10],
                     "ex:acidityPercent": (20 + self.random.below(50)) as f64 / 100.0},
        });
        let mut events = vec![
            self.event("ObjectEvent", Role::Maker, 1, harvest),
            self.event("TransformationEvent", Role::Maker, 2, bottling),
        ];
        for (case, bottles) in lot.cases.iter().zip(lot.bottles.chunks(BOTTLES_PER_CASE)) {
            let packing = json!({"action": "ADD", "bizStep": "packing", "disposition": "in_progress",
                                 "parentID": case, "childEPCs": bottles});
            events.push(self.event("AggregationEvent", Role::Maker, 2, packing));
        }
        let loading = json!({"action": "ADD", "bizStep": "packing", "disposition": "container_closed",
                             "parentID": lot.pallet, "childEPCs": lot.cases});
        let shipping = json!({
            "action": "OBSERVE", "bizStep": "shipping", "disposition": "in_transit", "epcList": [lot.pallet],
            "bizTransactionList": self.papers(),
            "sourceList": [{"type": "possessing_party", "source": Role::Maker.party()},
                           {"type": "location", "source": Role::Maker.place(3)}],
            "destinationList": [{"type": "owning_party", "destination": Role::Shop.party()},
                                {"type": "location", "destination": Role::Shop.place(1)}],
        });
        events.push(self.event("AggregationEvent", Role::Maker, 3, loading));
        events.push(self.event("ObjectEvent", Role::Maker, 3, shipping));
        events
    }

    fn papers(&self) -> Value {
        let number = self.number + 1;
        json!([{"type": "po", "bizTransaction": format!("urn:epc:id:gdti:{}.00001.PO{number}", Role::Shop.prefix())},
               {"type": "desadv", "bizTransaction": format!("urn:epc:id:gdti:{}.00001.DA{number}", Role::Maker.prefix())}])
    }

    /// A sensor on the lorry, taking over, the temperature on the way, arrival.
    fn carrier(&mut self) -> Vec<Value> {
        let prefix = Role::Carrier.prefix();
        let (lorry, sensor) = (
            format!("urn:epc:id:giai:{prefix}.LORRY7"),
            format!("urn:epc:id:giai:{prefix}.SENSOR{}", self.number + 1),
        );
        let pallet = self.lot.pallet.clone();
        let fitting = json!({"action": "ADD", "bizStep": "installing", "disposition": "active",
                             "parentID": lorry, "childEPCs": [sensor]});
        let taking = json!({
            "action": "OBSERVE", "bizStep": "receiving", "disposition": "in_transit", "epcList": [pallet],
            "bizTransactionList": self.papers(),
            "sourceList": [{"type": "possessing_party", "source": Role::Maker.party()}],
            "destinationList": [{"type": "possessing_party", "destination": Role::Carrier.party()}],
        });
        let mut events = vec![
            self.event("AssociationEvent", Role::Carrier, 1, fitting),
            self.event("ObjectEvent", Role::Carrier, 1, taking),
        ];
        let start = self.now_ms;
        let mut report = json!({"type": "Temperature", "uom": "CEL", "deviceID": sensor,
            "minValue": 14.0 + self.random.below(20) as f64 / 10.0, "maxValue": 19.0 + self.random.below(30) as f64 / 10.0});
        if self.lot.too_warm {
            report["maxValue"] = json!(31.5 + self.random.below(40) as f64 / 10.0);
            report["exception"] = json!("ALARM_CONDITION");
        }
        let report_mean = (report["minValue"].as_f64().unwrap_or_default()
            + report["maxValue"].as_f64().unwrap_or_default())
            / 2.0;
        report["meanValue"] = json!((report_mean * 100.0).round() / 100.0);
        let (from, to) = (self.time(start), self.time(start + 6 * HOUR_MS));
        self.now_ms += 6 * HOUR_MS;
        let driving = json!({
            "action": "OBSERVE", "bizStep": "transporting", "disposition": "in_transit", "epcList": [pallet],
            "sensorElementList": [{"sensorMetadata": {"startTime": from, "endTime": to, "deviceID": sensor},
                                   "sensorReport": [report]}],
        });
        let arriving = json!({"action": "OBSERVE", "bizStep": "arriving", "disposition": "in_transit", "epcList": [pallet]});
        events.push(self.event("ObjectEvent", Role::Carrier, 2, driving));
        events.push(self.event("ObjectEvent", Role::Carrier, 2, arriving));
        events
    }

    /// The order's papers, receiving, unpacking, the shelf, sales.
    fn shop(&mut self) -> Vec<Value> {
        let lot = self.lot.clone();
        let shop = Role::Shop;
        let papers = json!({"action": "ADD", "bizStep": "accepting", "parentID": lot.pallet, "epcList": lot.cases,
                            "bizTransactionList": self.papers()});
        let receiving = json!({
            "action": "OBSERVE", "bizStep": "receiving", "disposition": "in_progress", "epcList": [lot.pallet],
            "bizLocation": {"id": shop.place(1)}, "bizTransactionList": self.papers(),
            "sourceList": [{"type": "possessing_party", "source": Role::Carrier.party()}],
            "destinationList": [{"type": "owning_party", "destination": shop.party()}],
            "persistentDisposition": {"set": ["completeness_verified"]},
        });
        let opening = json!({"action": "DELETE", "bizStep": "unpacking", "disposition": "container_open",
                             "parentID": lot.pallet, "childEPCs": lot.cases});
        let mut events = vec![
            self.event("TransactionEvent", shop, 1, papers),
            self.event("ObjectEvent", shop, 1, receiving),
            self.event("AggregationEvent", shop, 1, opening),
        ];
        for case in &lot.cases {
            let opening = json!({"action": "DELETE", "bizStep": "unpacking", "disposition": "in_progress", "parentID": case});
            events.push(self.event("AggregationEvent", shop, 1, opening));
        }
        let stocking = json!({"action": "OBSERVE", "bizStep": "stocking", "disposition": "sellable_accessible",
                              "epcList": lot.bottles, "bizLocation": {"id": shop.place(2)}});
        events.push(self.event("ObjectEvent", shop, 2, stocking));
        if !lot.sold.is_empty() {
            let selling = json!({"action": "OBSERVE", "bizStep": "retail_selling", "disposition": "retail_sold",
                                 "epcList": lot.sold});
            events.push(self.event("ObjectEvent", shop, 3, selling));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::facts::EventFacts;
    use crate::validate::{Kind, Profile, validate};

    #[test]
    fn documents_are_valid_and_follow_from_the_seed() {
        for (seed, lots, bottles) in [(1, 3, 24), (2, 1, 1), (3, 1, 2_000), (u64::MAX, 2, 7)] {
            let plan = Plan {
                seed,
                lots,
                bottles,
                ..Plan::default()
            };
            let made = generate(&plan);
            assert_eq!(made, generate(&plan));
            assert_eq!(
                (made.documents.len(), made.lots.len()),
                (lots as usize * 3, lots as usize)
            );
            let (mut ids, mut kinds, mut last) = (HashSet::new(), HashSet::new(), 0);
            for GeneratedDocument { document, lot, .. } in &made.documents {
                assert_eq!(validate(document, Profile::Strict), Ok(Kind::Document));
                for event in document["epcisBody"]["eventList"]
                    .as_array()
                    .expect("events")
                {
                    let facts = EventFacts::of(event).expect("facts");
                    assert!(ids.insert(facts.event_id), "ids differ");
                    assert!(facts.epcs.len() + facts.classes.len() <= crate::anchor::ITEMS_MAX);
                    kinds.insert(facts.event_type);
                    if *lot == 0 {
                        assert!(facts.time_ms > last, "events follow one another");
                        last = facts.time_ms;
                    }
                }
            }
            assert_eq!(kinds.len(), 5, "all five event types");
        }
        let other = generate(&Plan {
            seed: 9,
            ..Plan::default()
        });
        assert_ne!(
            other.lots[0].bottles,
            generate(&Plan::default()).lots[0].bottles
        );
    }
}
