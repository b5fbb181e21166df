//! From a name to a document, and to the proof of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use stele_core::block::Outcome;
use stele_core::cbor::Body;
use stele_core::id::{Height, KeyId, PartyId, TimeMs};
use stele_core::machine::Fault;
use stele_core::merkle;
use stele_core::receipt::Receipt;
use stele_core::suite::PublicKey;
use stele_credentials::did::{Did, DidDocument, DocumentMetadata};
use stele_ledger::ledger::{Ledger, LedgerError, ProofError};
use stele_registers::identity::{
    self, KeyRecord, NAME, PartyDocument, Roll, RollId, RollKind, key_key, member_key, party_key,
    roll_id, roll_key,
};
use stele_registers::{View, history};

use crate::documents::{self, Facts};
use crate::name::SteleDid;
use crate::rolls::{RollStore, StoredMember};

/// Why a DID of the network could not be resolved. A name that nobody registered is no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The log could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The state could not be read.
    #[error("the state could not be read: {0}")]
    State(Fault),
    /// The file of rolls could not be read or written.
    #[error("the file of rolls could not be used")]
    Rolls(#[from] io::Error),
    /// The proof could not be made now.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The log does not hold a roll that the state names: it begins later, after a snapshot, or it is damaged.
    #[error("the log does not hold the entry that enrolled roll {0}")]
    RollMissing(RollId),
}

impl From<Fault> for ResolveError {
    fn from(fault: Fault) -> Self {
        Self::State(fault)
    }
}

/// What a name stands for at a height.
#[derive(Debug, Clone)]
pub struct Found {
    /// The DID document.
    pub document: DidDocument,
    /// When it was made and replaced, and whether it was given up.
    pub metadata: DocumentMetadata,
}

/// What proves a name's present document under the network's key: a receipt of the state keys that it is made from.
#[derive(Debug, Clone)]
pub struct MemberProof {
    /// The values of the state keys, present or absent.
    pub receipt: Receipt,
    /// A member's record and its path to the root in the roll's value.
    pub member: Option<StoredMember>,
}

/// Resolves the names of one ledger.
pub struct Resolver {
    ledger: Arc<Ledger>,
    rolls: RollStore,
}

impl Resolver {
    /// Keeps the records of rolls in the file at `rolls`, which is made if it is missing.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(ledger: Arc<Ledger>, rolls: &Path) -> io::Result<Self> {
        Ok(Self {
            ledger,
            rolls: RollStore::open(rolls)?,
        })
    }

    /// The rolls on disk.
    pub fn rolls(&self) -> &RollStore {
        &self.rolls
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What `name` stood for after block `height`, or stands for now. `None` when nobody had registered it.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn resolve(
        &self,
        did: &Did,
        name: &SteleDid,
        height: Option<Height>,
    ) -> Result<Option<Found>, ResolveError> {
        match name {
            SteleDid::Party(party) => self.party(did, party, height),
            SteleDid::Member(roll, index) => self.member(did, roll, *index, height),
        }
    }

    fn view(&self) -> View<'_> {
        View::new(self.ledger.state(), NAME)
    }

    fn time_of(&self, height: Height) -> Result<TimeMs, ResolveError> {
        Ok(self.ledger.certificate(height)?.header.time)
    }

    fn party(
        &self,
        did: &Did,
        party: &PartyId,
        height: Option<Height>,
    ) -> Result<Option<Found>, ResolveError> {
        let key = party_key(party);
        let Some(version) = self.version(&key, height)? else {
            return Ok(None);
        };
        let document = PartyDocument::decode(&version.content)
            .map_err(|error| self.view().unreadable(&key, error))?;
        let keys = self.keys(&document.keys)?;
        let created = match version.number {
            1 => version.from,
            _ => self.first(&key)?.unwrap_or(version.from),
        };
        let until = version.until.map(|until| self.time_of(until)).transpose()?;
        let facts = Facts {
            kind: document.kind.name(),
            name: document.name.clone(),
            created: self.time_of(created)?,
            updated: self.time_of(version.from)?,
            next_update: until,
            version: version.number,
            deactivated: !document.active,
        };
        Ok(Some(Found {
            document: documents::of_party(did.clone(), &document, &keys),
            metadata: documents::metadata(&facts),
        }))
    }

    /// The block that wrote version `number` of a party's document, counted from 1; `None` where there is no such version.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn version_height(
        &self,
        party: &PartyId,
        number: u64,
    ) -> Result<Option<Height>, ResolveError> {
        let key = party_key(party);
        let Some(present) = history::current(self.view(), &key)? else {
            return Ok(None);
        };
        if number >= present.number {
            return Ok((number == present.number).then_some(present.from));
        }
        let old = history::current(self.view(), &history::version_key(&key, number))?;
        Ok(old.map(|version| version.from))
    }

    fn version(
        &self,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<Option<history::Version>, Fault> {
        match height {
            None => history::current(self.view(), key),
            Some(height) => history::at(self.view(), key, height),
        }
    }

    /// The block that wrote the first version.
    fn first(&self, key: &[u8]) -> Result<Option<Height>, Fault> {
        let first = history::version_key(key, 1);
        Ok(history::current(self.view(), &first)?.map(|version| version.from))
    }

    fn keys(&self, kids: &[KeyId]) -> Result<Vec<(KeyId, KeyRecord)>, Fault> {
        let view = self.view();
        let mut keys = Vec::with_capacity(kids.len());
        for kid in kids {
            let record = identity::key_record(view, kid)?;
            let record = record.ok_or_else(|| {
                view.unreadable(&key_key(kid), "a key that a party lists is missing")
            })?;
            keys.push((*kid, record));
        }
        Ok(keys)
    }

    fn member(
        &self,
        did: &Did,
        roll_id: &RollId,
        index: u64,
        height: Option<Height>,
    ) -> Result<Option<Found>, ResolveError> {
        let Some(roll) = identity::roll(self.view(), roll_id)? else {
            return Ok(None);
        };
        if index >= roll.count || height.is_some_and(|height| height < roll.height) {
            return Ok(None);
        }
        let key = member_key(roll_id, index);
        let version = self.version(&key, height)?;
        let member = match &version {
            None => identity::Member::default(),
            Some(version) => identity::Member::decode(&version.content)
                .map_err(|error| self.view().unreadable(&key, error))?,
        };
        let updated = match &version {
            None => roll.time,
            Some(version) => self.time_of(version.from)?,
        };
        let until = version.as_ref().and_then(|version| version.until);
        let facts = Facts {
            kind: roll.kind.name(),
            name: None,
            created: roll.time,
            updated,
            next_update: until.map(|until| self.time_of(until)).transpose()?,
            // Version 1 is what was enrolled.
            version: version.map_or(1, |version| version.number + 1),
            deactivated: member.ended.is_some(),
        };
        if let Some(party) = &member.party {
            let found = self.party(did, party, height)?;
            return Ok(found.map(|mut found| {
                found.document.also_known_as.push(party.did());
                found
            }));
        }
        let document = if roll.kind == RollKind::Anchor {
            DidDocument::new(did.clone())
        } else {
            let stored = self.stored(roll_id, &roll, index)?;
            let key = stored.record.first_chunk().map(PublicKey::from_ed25519);
            match key {
                Some(Ok(key)) => documents::of_record(did.clone(), &key, roll.issuer.did()),
                // The register takes any bytes for a key; such a member can never claim its place.
                _ => DidDocument::new(did.clone()),
            }
        };
        let metadata = documents::metadata(&facts);
        Ok(Some(Found { document, metadata }))
    }

    /// A member's record and path, checked against the root that the state holds.
    fn stored(
        &self,
        roll_id: &RollId,
        roll: &Roll,
        index: u64,
    ) -> Result<StoredMember, ResolveError> {
        for _ in 0..2 {
            if let Some(found) = self.rolls.member(roll_id, index)? {
                let leaf = merkle::leaf_hash(&found.record);
                let root = roll.root.as_bytes();
                if merkle::verify_inclusion(&leaf, index, roll.count, &found.path, root).is_ok() {
                    return Ok(found);
                }
                self.rolls.forget(roll_id);
            }
            self.fetch(roll_id, roll)?;
        }
        Err(ResolveError::RollMissing(*roll_id))
    }

    /// Takes all rolls of a block from the log.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn load_block(&self, height: Height) -> Result<(), ResolveError> {
        let block = self.ledger.log().block(height).map_err(LedgerError::from)?;
        // All rolls of the block: a provider enrols many at once, and a block is read as a whole.
        for logged in self.ledger.entries_of(&block)? {
            let entry = &logged.entry;
            let applied = matches!(logged.record.outcome, Outcome::Applied { .. });
            let enrolments = (0..)
                .zip(entry.commands())
                .filter(|(_, command)| command.register == NAME && command.name == "roll.enrol");
            for (index, command) in enrolments.filter(|_| applied) {
                let id = roll_id(&entry.id(), index);
                let (kind, records) =
                    enrolled(command.body).ok_or(ResolveError::RollMissing(id))?;
                self.rolls.insert(id, kind.record_bytes(), records)?;
            }
        }
        Ok(())
    }

    /// Takes a roll from the log.
    fn fetch(&self, wanted: &RollId, roll: &Roll) -> Result<(), ResolveError> {
        let log = self.ledger.log();
        if roll.height < log.first_height() {
            return Err(ResolveError::RollMissing(*wanted));
        }
        self.load_block(roll.height)
    }

    /// Proves what `name` stands for now: the state keys that its document is made from, present or absent, under the newest certified
    /// state; for a member also its record and path.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn prove(&self, name: &SteleDid) -> Result<MemberProof, ResolveError> {
        let (keys, member) = match name {
            SteleDid::Party(party) => (self.keys_of_party(party)?, None),
            SteleDid::Member(roll_id, index) => {
                let mut keys = vec![roll_key(roll_id), member_key(roll_id, *index)];
                let roll = identity::roll(self.view(), roll_id)?;
                let roll = roll.filter(|roll| *index < roll.count);
                let stored = roll
                    .map(|roll| self.stored(roll_id, &roll, *index))
                    .transpose()?;
                let claimed = identity::member(self.view(), roll_id, *index)?;
                if let Some(party) = claimed.and_then(|member| member.party) {
                    keys.extend(self.keys_of_party(&party)?);
                }
                (keys, stored)
            }
        };
        let keys: Vec<_> = keys.iter().map(|key| (NAME, key.as_slice())).collect();
        Ok(MemberProof {
            receipt: self.ledger.state_receipt(&keys)?,
            member,
        })
    }

    fn keys_of_party(&self, party: &PartyId) -> Result<Vec<Vec<u8>>, Fault> {
        let mut keys = vec![party_key(party)];
        if let Some(document) = identity::document(self.view(), party)? {
            keys.extend(document.keys.iter().map(|kid| key_key(kid).to_vec()));
        }
        Ok(keys)
    }
}

/// The kind and the records of an applied enrolment.
fn enrolled(body: &[u8]) -> Option<(RollKind, &[u8])> {
    let mut body = Body::decode(body).ok()?;
    let kind = RollKind::from_name(body.text("kind", 16).ok()?)?;
    let records = body.bytes("records", identity::RECORDS_BYTES_MAX).ok()?;
    Some((kind, records))
}
