//! The fictional goods and their way: what is pressed, packed, driven and sold, and when.
//!
//! Lots A, B and C of olive oil, 48 bottles each, 12 to a case, go onto three pallets. Two pallets reach the shop, one is still
//! on the road, and one case of lot B has not left the mill. So a recall of lot B meets bottles with the mill, the carrier, the
//! shop and the shop's customers.

use stele_core::id::{Hash, sha256};

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    Mill,
    Carrier,
    Shop,
}

impl Role {
    pub fn key(self) -> &'static str {
        match self {
            Self::Mill => "mill",
            Self::Carrier => "carrier",
            Self::Shop => "shop",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Mill => "Fictional Olive Mill Oliveto",
            Self::Carrier => "Fictional Carrier Ponente",
            Self::Shop => "Fictional Corner Shop Larder",
        }
    }

    /// Its company prefix. GS1 keeps those that start with 952 for examples.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Mill => "9521001",
            Self::Carrier => "9521002",
            Self::Shop => "9521003",
        }
    }
}

pub(super) const LOTS: [&str; 3] = ["A", "B", "C"];
/// The lot that is recalled, by its place in [`LOTS`].
pub(super) const RECALLED: usize = 1;
pub(super) const CASES_PER_LOT: usize = 4;
pub(super) const BOTTLES_PER_CASE: usize = 12;
/// Temperatures that the oil should keep, in degrees Celsius.
pub(super) const BAND: (f64, f64) = (12.0, 22.0);
const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// Which cases each pallet carries: lot and case by their places. Case 3 of lot B is on none.
const LOADS: [&[(usize, usize)]; 3] = [
    &[(0, 0), (0, 1), (0, 2), (0, 3)],
    &[(1, 0), (1, 1), (2, 0), (2, 1)],
    &[(1, 2), (2, 2), (2, 3)],
];

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub epc: String,
    pub bottles: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Lot {
    pub name: &'static str,
    /// The lot number as printed on the label.
    pub number: String,
    /// The LGTIN.
    pub uri: String,
    pub cases: Vec<Case>,
}

impl Lot {
    pub fn bottles(&self) -> impl Iterator<Item = &String> {
        self.cases.iter().flat_map(|case| &case.bottles)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Pallet {
    pub sscc: String,
    /// Lot and case, by their places.
    pub cases: Vec<(usize, usize)>,
    /// Whether it reached the shop.
    pub delivered: bool,
    /// Milliseconds since 1970 and degrees Celsius, on the road.
    pub temperatures: Vec<(i64, f64)>,
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub seed: u64,
    /// The first moment, in milliseconds since 1970: midnight UTC, a week before the run.
    pub start_ms: i64,
    pub lots: Vec<Lot>,
    pub pallets: Vec<Pallet>,
    /// Bottles that were sold.
    pub sold: Vec<String>,
}

impl Plan {
    /// The plan of a seed; `today_ms` is any moment of the day of the run.
    pub fn new(seed: u64, today_ms: u64) -> Self {
        let start_ms = (today_ms as i64).div_euclid(DAY_MS) * DAY_MS - 7 * DAY_MS;
        let mut dice = Dice(seed);
        // A serial's first digits come from the seed, so that two runs never name the same bottle.
        let batch = format!("{:012}", seed % 1_000_000_000_000);
        let mill = Role::Mill.prefix();
        let lots: Vec<Lot> = LOTS
            .iter()
            .enumerate()
            .map(|(index, name)| lot(index, name, mill, &batch))
            .collect();
        let pallets: Vec<Pallet> = LOADS
            .iter()
            .enumerate()
            .map(|(index, load)| Pallet {
                sscc: sscc(mill, seed, index),
                cases: load.to_vec(),
                delivered: index < 2,
                temperatures: ride(&mut dice, index, start_ms + 3 * DAY_MS + 7 * HOUR_MS),
            })
            .collect();
        let mut sold = Vec::new();
        for (lot, case, count) in [(0, 0, 7), (0, 2, 3), (1, 0, 5), (1, 1, 2), (2, 1, 4)] {
            let case: &Case = &lots[lot].cases[case];
            let first = dice.below(BOTTLES_PER_CASE - count);
            sold.extend(case.bottles[first..first + count].iter().cloned());
        }
        Self {
            seed,
            start_ms,
            lots,
            pallets,
            sold,
        }
    }

    pub fn case(&self, place: (usize, usize)) -> &Case {
        &self.lots[place.0].cases[place.1]
    }

    /// A sold bottle of the recalled lot: it has been everywhere.
    pub fn traced(&self) -> &str {
        let lot = &self.lots[RECALLED];
        let found = self
            .sold
            .iter()
            .find(|bottle| lot.bottles().any(|other| other == *bottle));
        found.expect("bottles of the recalled lot are sold")
    }

    /// Everything that is packed with a case: the case and its bottles.
    pub fn case_items(&self, place: (usize, usize)) -> Vec<Hash> {
        let case = self.case(place);
        std::iter::once(&case.epc)
            .chain(&case.bottles)
            .map(|epc| item(epc))
            .collect()
    }

    /// `urn:uuid:` for the event of this number, the same for the same seed.
    pub fn event_id(&self, number: usize) -> String {
        let hash = sha256(&[
            b"trace/event",
            &self.seed.to_be_bytes(),
            &(number as u64).to_be_bytes(),
        ]);
        let mut uuid: [u8; 16] = hash[..16].try_into().expect("16 of 32 bytes");
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        let hex = hex::encode(uuid);
        format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

pub(super) fn item(epc: &str) -> Hash {
    Hash::from_bytes(stele_epcis::canonical::item_hash(epc))
}

/// The serial of a bottle, as people would read it off the label.
pub(super) fn serial(epc: &str) -> &str {
    epc.rsplit('.').next().unwrap_or(epc)
}

fn lot(index: usize, name: &'static str, mill: &str, batch: &str) -> Lot {
    let number = format!("{name}{batch}");
    let cases = (0..CASES_PER_LOT)
        .map(|case| Case {
            epc: format!("urn:epc:id:sgtin:{mill}.110500.{batch}{index}{case:02}"),
            bottles: (0..BOTTLES_PER_CASE)
                .map(|bottle| {
                    let serial = case * BOTTLES_PER_CASE + bottle + 1;
                    format!("urn:epc:id:sgtin:{mill}.010500.{batch}{index}{serial:02}")
                })
                .collect(),
        })
        .collect();
    Lot {
        name,
        uri: format!("urn:epc:class:lgtin:{mill}.010500.{number}"),
        number,
        cases,
    }
}

fn sscc(mill: &str, seed: u64, index: usize) -> String {
    format!("urn:epc:id:sscc:{mill}.0{:08}{index}", seed % 100_000_000)
}

/// Ten hours on the road, a reading every half hour. The sun finds pallet 2 at noon.
fn ride(dice: &mut Dice, pallet: usize, from_ms: i64) -> Vec<(i64, f64)> {
    (0..=20)
        .map(|step: i64| {
            let noon = 1.0 - ((step - 9) as f64 / 9.0).powi(2).min(1.0);
            let sun = if pallet == 1 { 7.4 } else { 3.0 };
            let jitter = dice.below(7) as f64 / 10.0 - 0.3;
            let celsius = 15.6 + 0.5 * pallet as f64 + sun * noon + jitter;
            (
                from_ms + step * HOUR_MS / 2,
                (celsius * 10.0).round() / 10.0,
            )
        })
        .collect()
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_bottle_is_named_once() {
        let plan = Plan::new(7, 1_795_385_400_000);
        let bottles: HashSet<_> = plan.lots.iter().flat_map(Lot::bottles).collect();
        assert_eq!(bottles.len(), LOTS.len() * CASES_PER_LOT * BOTTLES_PER_CASE);
        let other = Plan::new(8, 1_795_385_400_000);
        assert!(
            other
                .lots
                .iter()
                .flat_map(Lot::bottles)
                .all(|bottle| !bottles.contains(bottle))
        );
    }

    #[test]
    fn a_seed_gives_one_plan() {
        let (a, b) = (
            Plan::new(7, 1_795_385_400_000),
            Plan::new(7, 1_795_385_400_001),
        );
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
        assert_eq!(a.start_ms % DAY_MS, 0);
    }

    #[test]
    fn the_recalled_lot_is_with_all_three_and_with_customers() {
        let plan = Plan::new(7, 1_795_385_400_000);
        let with = |delivered: bool| {
            let pallets = plan
                .pallets
                .iter()
                .filter(|pallet| pallet.delivered == delivered);
            pallets
                .flat_map(|pallet| &pallet.cases)
                .filter(|(lot, _)| *lot == RECALLED)
                .count()
        };
        assert_eq!((with(true), with(false)), (2, 1));
        assert!(
            plan.lots[RECALLED]
                .bottles()
                .any(|bottle| bottle == plan.traced())
        );
        assert!(
            plan.pallets[1]
                .temperatures
                .iter()
                .any(|(_, celsius)| *celsius > BAND.1)
        );
    }
}
