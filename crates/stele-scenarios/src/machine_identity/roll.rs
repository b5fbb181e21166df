//! Stations: enrolled by the thousand in one entry, and claiming their places one by one.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use stele_core::cbor::BodyBuilder;
use stele_core::id::sha256;
use stele_core::merkle::{self, Frontier, HashSource};
use stele_core::suite::SigningKey;

use super::Measured;
use super::parties::Parties;
use super::state::{Member, PartyDocument, RollRoot, member_key, party_key, roll_key};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{
    Certificate, Office, accepted, attempt, outcome, per_second, prove, random, receipt_of_state,
};

/// A full roll: its records are as long as the register takes.
const ENROLLED: usize = 8192;
/// How many of them are put into service.
pub(super) const FLEET: usize = 32;
/// The first of those; the year began before.
const FIRST: usize = 4000;
/// Lost from the warehouse before anybody switched it on.
const LOST: usize = 7777;

/// A station, with what its secure element and its type plate hold.
pub(super) struct Station {
    /// Its place in the roll.
    pub index: u64,
    /// Its serial number and the salt of the commitment to it.
    pub serial: String,
    pub salt: [u8; 32],
    /// The station as a party, signing with its present key.
    pub office: Office,
    /// Certificate of make, and title; `None` until they are issued.
    pub make: Option<Certificate>,
    pub title: Option<Certificate>,
}

impl Station {
    /// Its present key.
    pub fn key(&self) -> &SigningKey {
        self.office.party.key()
    }
}

/// A roll as its maker keeps it.
pub(super) struct Roll {
    /// Its id on the ledger.
    pub id: [u8; 32],
    records: Vec<[u8; 64]>,
    levels: Vec<Vec<merkle::Hash>>,
    root: merkle::Hash,
}

impl HashSource for Roll {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<merkle::Hash, Infallible> {
        Ok(self.levels[level as usize][index as usize])
    }
}

/// Names a roll (docs/registers/identity.md): the entry and the place of the command in it.
fn roll_id(entry: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"stele/roll/v1", entry, &0u64.to_be_bytes()])
}

/// The record of a station: its Ed25519 key, and the salted commitment to its serial number.
pub(super) fn record(key: &SigningKey, salt: &[u8; 32], serial: &str) -> [u8; 64] {
    let mut record = [0; 64];
    let cose_key = key.public().to_cose_key();
    // A COSE_Key of Ed25519 in deterministic encoding ends with its 32 bytes (docs/format.md section 2).
    record[..32].copy_from_slice(&cose_key[cose_key.len() - 32..]);
    record[32..].copy_from_slice(&serial_commitment(salt, serial));
    record
}

/// The salted commitment to a serial number.
pub(super) fn serial_commitment(salt: &[u8; 32], serial: &str) -> [u8; 32] {
    sha256(&[salt, serial.as_bytes()])
}

impl Roll {
    /// Enrols records for an office with one signed command. Returns the time until it was final, too.
    pub fn enrol(
        run: &mut Run<'_>,
        issuer: &Office,
        records: Vec<[u8; 64]>,
        claim: &str,
    ) -> Result<(Self, Duration), ScenarioError> {
        let (mut levels, mut frontier) = (Vec::<Vec<merkle::Hash>>::new(), Frontier::new());
        for record in &records {
            frontier.push_with(merkle::leaf_hash(record), |level, _, hash| {
                let level = level as usize;
                if levels.len() <= level {
                    levels.push(Vec::new());
                }
                levels[level].push(*hash);
            });
        }
        let body = BodyBuilder::new()
            .text("kind", "device")
            .bytes("records", records.as_flattened());
        let command = [("roll.enrol", body.build())];
        let begin = Instant::now();
        let done = attempt(run, issuer, &[], "identity", &command)?;
        let took = begin.elapsed();
        accepted("the roll", outcome(&done))?;
        prove(run, &done, claim)?;
        let roll = Self {
            id: roll_id(done.entry_id.as_bytes()),
            records,
            levels,
            root: frontier.root(),
        };
        Ok((roll, took))
    }

    /// How many it holds.
    pub fn count(&self) -> u64 {
        self.records.len() as u64
    }

    /// The record at a place and its path to the root, lowest first.
    pub fn place(&self, index: u64) -> Result<([u8; 64], Vec<merkle::Hash>), ScenarioError> {
        let path = merkle::prove_inclusion(self, index, self.count())
            .map_err(|error| ScenarioError::broken("a place in the roll", error.to_string()))?;
        Ok((self.records[index as usize], path))
    }

    /// The body of a command about a member: what `key` claims or `None` for the others.
    pub fn member_body(
        &self,
        index: u64,
        key: Option<&SigningKey>,
    ) -> Result<Vec<u8>, ScenarioError> {
        let (record, path) = self.place(index)?;
        Ok(self.body_of(index, &record, &path, key))
    }

    /// As [`Roll::member_body`], whatever record and path are.
    pub fn body_of(
        &self,
        index: u64,
        record: &[u8; 64],
        path: &[merkle::Hash],
        key: Option<&SigningKey>,
    ) -> Vec<u8> {
        let mut body = BodyBuilder::new()
            .bytes("roll", &self.id)
            .uint("index", index)
            .bytes("record", record)
            .bytes_list("path", path);
        if let Some(key) = key {
            body = body.bytes("key", &key.public().to_cose_key());
        }
        body.build()
    }
}

fn serial(index: usize) -> String {
    format!("FSW-2026-{index:05}")
}

/// Makes the year's stations and enrols them all. Returns the roll, those for service, and the one that will be lost.
pub(super) fn enrol(
    run: &mut Run<'_>,
    parties: &Parties,
    measured: &mut Measured,
) -> Result<(Roll, Vec<Station>, Station), ScenarioError> {
    run.step("enrol-stations", |run| {
        let mut kept = Vec::new();
        let mut records = Vec::with_capacity(ENROLLED);
        for index in 0..ENROLLED {
            let (key, salt, serial) = (random::key(), random::bytes(), serial(index));
            records.push(record(&key, &salt, &serial));
            if (FIRST..FIRST + FLEET).contains(&index) || index == LOST {
                let office = Office::with_first_key(run, &format!("Station {serial}"), key);
                kept.push(Station { index: index as u64, serial, salt, office, make: None, title: None });
            }
        }
        let claim = format!("{} enrolled {ENROLLED} stations in one roll", parties.maker.name);
        let (roll, took) = Roll::enrol(run, &parties.maker, records, &claim)?;
        (measured.enrolled, measured.enrolling) = (ENROLLED, took);

        let (receipt, value) = receipt_of_state(run, "identity", &roll_key(&roll.id))?;
        let found = value.as_deref().map(RollRoot::decode).transpose();
        let found = found.map_err(|error| ScenarioError::broken("a roll as docs/registers/identity.md describes it", error.to_string()))?;
        let expected = found.is_some_and(|found| found.issuer == parties.maker.party.id() && found.count == roll.count() && found.root == roll.root);
        run.check(expected, "the maker\u{2019}s roll with the root over its records", || format!("{found:?}"))?;
        run.evidence("The roll stands in the state with its issuer and the root over its records", &receipt)?;
        let lost = kept.pop().ok_or_else(|| ScenarioError::broken("a station", "none"))?;
        for station in &kept {
            let (record, path) = roll.place(station.index)?;
            measured.places.push(record.len() + 32 * path.len());
        }
        let detail = format!(
            "{ENROLLED} stations, 64 bytes each, stand under one root after {} ms; none of them costs the state a value of its own yet.",
            took.as_millis()
        );
        Ok(((roll, kept, lost), detail))
    })
}

/// Each station of the fleet introduces itself with the key that was enrolled for it.
pub(super) fn claim(
    run: &mut Run<'_>,
    parties: &Parties,
    roll: &Roll,
    stations: &mut [Station],
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("claim-places", |run| {
        let key = member_key(&roll.id, stations[0].index);
        let (receipt, value) = receipt_of_state(run, "identity", &key)?;
        run.check(value.is_none(), "nothing about a member before it claims its place", || "something".to_owned())?;
        run.evidence("A station is enrolled and has not been switched on: nothing stands at its place", &receipt)?;

        let mut rows = Vec::new();
        let count = stations.len();
        for (place, station) in stations.iter().enumerate() {
            run.at(place, count);
            let body = roll.member_body(station.index, Some(station.key()))?;
            let command = [("member.claim", body)];
            let begin = Instant::now();
            let done = attempt(run, &station.office, &[], "identity", &command)?;
            measured.claiming += begin.elapsed();
            accepted("a station\u{2019}s claim of its place", outcome(&done))?;
            if place < 3 {
                let file = prove(run, &done, &format!("{} claimed its place in the roll with its own key", station.office.name))?;
                rows.push(vec![station.serial.as_str().into(), station.index.to_string().into(), Cell::Code(station.office.did()), Cell::Link("receipt".to_owned(), file)]);
            }
        }
        measured.claimed = count;
        let station = &stations[0];
        let (member, found) = receipt_of_state(run, "identity", &key)?;
        let found = Member::decode(found.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a member", error.to_string()))?;
        run.check(found.party == Some(station.office.party.id()) && !found.ended, "the station at its place", || format!("{found:?}"))?;
        run.evidence("The station stands at its place as a party of its own", &member)?;
        let (document, found) = receipt_of_state(run, "identity", &party_key(&station.office.party.id()))?;
        let found = PartyDocument::decode(found.as_deref().unwrap_or_default()).map_err(|error| ScenarioError::broken("a party", error.to_string()))?;
        let fits = found.owner == Some(parties.maker.party.id()) && found.serial == Some(serial_commitment(&station.salt, &station.serial));
        run.check(fits, "the maker as first owner, and the commitment to the serial number", || format!("{found:?}"))?;
        run.evidence("The station belongs to its maker and has the key that was enrolled", &document)?;
        run.show(Block::Table {
            caption: format!("The first three of {count}"),
            head: vec!["Serial number", "Place", "DID", "Proof"],
            rows,
        });
        let detail = format!("{count} stations signed their own entries, {:.0} a second; what was enrolled and who signs now are the same key.", per_second(count, measured.claiming));
        Ok(((), detail))
    })
}
