//! The registers of a program, and the execution of entries through them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use stele_core::block::EVENTS_MAX;
use stele_core::cbor::{Body, Decoder};
use stele_core::entry::{Command, Entry};
use stele_core::genesis::Genesis;
use stele_core::id::{Height, KeyId, PartyId};
use stele_core::machine::{
    BlockContext, Executed, Fault, Halt, Judgement, Overlay, Refusal, StateMachine, StateReader,
    Upgrade,
};
use stele_core::state_proof::state_path;
use stele_core::suite::PublicKey;

use crate::context::{Context, Cosigner, Frame, Namespace};
use crate::identity::lookup::{self, Found};
use crate::register::{Register, Stop};
use crate::spec::{CommandSpec, EventSpec, RefusalSpec};
use crate::{credential, governance, identity, service, statement, trace};

/// The command's register is not on this network.
pub const UNKNOWN_REGISTER: RefusalSpec = RefusalSpec::new(
    "registers.unknown-register",
    "The network has no such register.",
    "List the registers of the network and check the spelling; a new register is activated by governance.",
);
/// The register has no such command in its active version.
pub const UNKNOWN_COMMAND: RefusalSpec = RefusalSpec::new(
    "registers.unknown-command",
    "The register has no such command.",
    "List the register's commands; a newer program may know commands that the network has not activated yet.",
);
/// The entry's commands emit more events than a record may hold.
pub const TOO_MANY_EVENTS: RefusalSpec = RefusalSpec::new(
    "registers.too-many-events",
    "The commands of the entry cause more events than one record may hold.",
    "Split the entry into several.",
);
/// A register of the genesis is missing or unknown.
pub const BAD_GENESIS: RefusalSpec = RefusalSpec::new(
    "registers.bad-genesis",
    "The genesis names registers that this program does not have, or leaves out one that every network needs.",
    "Name governance and identity, and only registers and versions that `stele` lists.",
);

/// The refusals of the registry itself.
pub const REFUSALS: &[&RefusalSpec] = &[
    &UNKNOWN_REGISTER,
    &UNKNOWN_COMMAND,
    &TOO_MANY_EVENTS,
    &BAD_GENESIS,
];

/// The most bytes of event bodies from one entry: a receipt holds the entry and its events within 2 MiB.
const EVENT_BYTES_MAX: usize = 768 * 1024;
/// Parsed keys kept; about 20 MiB of Ed25519 keys.
const KEYS_CACHED_MAX: usize = 1 << 16;

/// Every register of a program in every version it can judge by.
pub struct Registry {
    slots: Vec<Slot>,
    /// Parsed public keys by their id. The id is the hash of the key, so an entry here is true for ever; whether the key
    /// is valid is asked of the state each time.
    keys: RwLock<HashMap<KeyId, PublicKey>>,
}

/// One register in its versions, ascending.
struct Slot {
    name: &'static str,
    versions: Vec<Version>,
    /// State path of the record in governance that says which version is active.
    activation_path: [u8; 32],
}

struct Version {
    number: u64,
    rule: String,
    register: Arc<dyn Register>,
}

impl Registry {
    /// Collects registers. Panics when governance or identity is missing, a version is there twice, or a register's
    /// description breaks a limit: the program's own fault.
    pub fn new(registers: Vec<Arc<dyn Register>>) -> Self {
        let mut by_name: BTreeMap<&'static str, Vec<Version>> = BTreeMap::new();
        for register in registers {
            check_description(&*register);
            let number = u64::from(register.version());
            let rule = format!("{}@{number}", register.name());
            let versions = by_name.entry(register.name()).or_default();
            assert!(
                versions.iter().all(|other| other.number != number),
                "{rule} is there twice"
            );
            versions.push(Version {
                number,
                rule,
                register,
            });
        }
        for name in [governance::NAME, identity::NAME] {
            assert!(
                by_name.contains_key(name),
                "every program needs the register {name}"
            );
        }
        let slots = by_name.into_iter().map(|(name, mut versions)| {
            versions.sort_by_key(|version| version.number);
            let activation_path = state_path(governance::NAME, &governance::register_key(name));
            Slot {
                name,
                versions,
                activation_path,
            }
        });
        Self {
            slots: slots.collect(),
            keys: RwLock::default(),
        }
    }

    /// The registers of every Stele program.
    pub fn standard() -> Self {
        Self::new(Self::standard_registers())
    }

    /// The registers of [`Registry::standard`], to add others to.
    pub fn standard_registers() -> Vec<Arc<dyn Register>> {
        vec![
            Arc::new(governance::Governance),
            Arc::new(identity::Identity),
            Arc::new(trace::Trace),
            Arc::new(statement::Statement),
            Arc::new(credential::Credential),
            Arc::new(service::Service),
        ]
    }

    /// All registers in all versions, by name and version ascending.
    pub fn registers(&self) -> impl Iterator<Item = &dyn Register> {
        self.slots
            .iter()
            .flat_map(|slot| slot.versions.iter().map(|version| &*version.register))
    }

    /// A register in a version.
    pub fn find(&self, name: &str, version: u64) -> Option<&dyn Register> {
        let slot = self.slot(name)?;
        let version = slot
            .versions
            .iter()
            .find(|candidate| candidate.number == version)?;
        Some(&*version.register)
    }

    /// The newest version of a register that this program has.
    pub fn latest(&self, name: &str) -> Option<&dyn Register> {
        self.slot(name)
            .and_then(|slot| slot.versions.last())
            .map(|version| &*version.register)
    }

    /// The description of a command in the newest version, for mapping bodies.
    pub fn command(&self, register: &str, command: &str) -> Option<&'static CommandSpec> {
        self.latest(register)?
            .commands()
            .iter()
            .find(|spec| spec.name == command)
    }

    /// The description of an event by its full name (`register/name`) in the newest version, for mapping bodies.
    pub fn event(&self, full_name: &str) -> Option<&'static EventSpec> {
        let (register, name) = full_name.split_once('/')?;
        self.latest(register)?
            .events()
            .iter()
            .find(|spec| spec.name == name)
    }

    /// The register that judges at `height`; `None` when the network has not activated it.
    ///
    /// # Errors
    /// [`Fault`] when storage fails or the active version is one that this program lacks.
    pub fn active(
        &self,
        state: &dyn StateReader,
        name: &str,
        height: Height,
    ) -> Result<Option<&dyn Register>, Fault> {
        Ok(self
            .judge(state, name, height)?
            .map(|version| &*version.register))
    }

    fn slot(&self, name: &str) -> Option<&Slot> {
        // Few registers: a scan beats a search tree.
        self.slots.iter().find(|slot| slot.name == name)
    }

    fn judge(
        &self,
        state: &dyn StateReader,
        name: &str,
        height: Height,
    ) -> Result<Option<&Version>, Fault> {
        let slot = self.slot(name);
        let schedule = match slot {
            Some(slot) => state.get_path(&slot.activation_path)?,
            // A register that this program lacks may still be one that the network has activated.
            None => state.get(governance::NAME, &governance::register_key(name))?,
        };
        let Some(schedule) = schedule else {
            return Ok(None);
        };
        let Some(number) = active_version(&schedule, height)? else {
            return Ok(None);
        };
        match slot.and_then(|slot| {
            slot.versions
                .iter()
                .find(|version| version.number == number)
        }) {
            Some(version) => Ok(Some(version)),
            None => Err(Fault(format!(
                "{name}@{number} judges from this height on, but this program lacks it: install a release that has it"
            ))),
        }
    }

    fn parsed(&self, kid: &KeyId, cose_key: &[u8]) -> Result<PublicKey, Halt> {
        if let Some(key) = self.keys.read().get(kid) {
            return Ok(key.clone());
        }
        let key = PublicKey::from_cose_key(cose_key)
            .map_err(|_| identity::refusals::BAD_KEY.refusal())?;
        let mut keys = self.keys.write();
        if keys.len() >= KEYS_CACHED_MAX {
            keys.clear();
        }
        keys.insert(*kid, key.clone());
        Ok(key)
    }

    fn run(
        &self,
        block: &BlockContext,
        entry: &Entry,
        overlay: &mut Overlay<'_>,
        rule: &mut String,
        party: &mut PartyId,
    ) -> Result<Vec<stele_core::block::Event>, (u64, Stop)> {
        let header = entry.header().register;
        let mut judge = match self.judge(overlay, header.as_str(), block.height) {
            Ok(Some(version)) => {
                rule.clone_from(&version.rule);
                (version, header)
            }
            Ok(None) => {
                *rule = format!("{header}@0");
                return Err((0, UNKNOWN_REGISTER.about(header)));
            }
            Err(fault) => return Err((0, fault.into())),
        };
        let frame = frame(block, entry, overlay, party).map_err(|stop| (0, stop))?;
        let mut events = Vec::new();
        for (index, command) in entry.commands().enumerate() {
            let index = index as u64;
            let step = (|| {
                if command.register != judge.1.as_str() {
                    let version = self
                        .judge(overlay, command.register, block.height)?
                        .ok_or_else(|| UNKNOWN_REGISTER.about(command.register))?;
                    judge = (version, core_name(command.register));
                }
                apply(
                    &*judge.0.register,
                    &frame,
                    index,
                    &command,
                    overlay,
                    &mut events,
                )
            })();
            step.map_err(|stop| (index, stop))?;
        }
        let event_bytes: usize = events
            .iter()
            .map(|event| event.name.len() + event.body.len())
            .sum();
        if events.len() > EVENTS_MAX || event_bytes > EVENT_BYTES_MAX {
            return Err((entry.command_count() as u64 - 1, (&TOO_MANY_EVENTS).into()));
        }
        Ok(events)
    }
}

fn core_name(name: &str) -> stele_core::id::RegisterName {
    stele_core::id::RegisterName::new(name).expect("checked when the entry was decoded")
}

fn check_description(register: &dyn Register) {
    let name = register.name();
    assert!(
        stele_core::id::RegisterName::new(name).is_ok(),
        "`{name}` is no register name"
    );
    assert!(register.version() > 0, "versions of {name} count from 1");
    for command in register.commands() {
        let bytes = name.len() + command.name.len() + ".bad-body".len() + 1;
        assert!(
            bytes <= 96,
            "the command name {name}/{} is too long",
            command.name
        );
    }
    for refusal in register.refusals() {
        assert!(
            refusal.code.len() <= 96,
            "the code {} is too long",
            refusal.code
        );
    }
}

/// The version that a schedule names for `height`.
fn active_version(schedule: &[u8], height: Height) -> Result<Option<u64>, Fault> {
    let mut active = None;
    for (number, from) in read_schedule(schedule)? {
        if from > height {
            break;
        }
        active = Some(number);
    }
    Ok(active)
}

/// Reads a schedule `[ * [version, from-height] ]`, ascending.
fn read_schedule(schedule: &[u8]) -> Result<Vec<(u64, Height)>, Fault> {
    let read = || {
        let mut decoder = Decoder::new(schedule);
        let count = decoder.array(governance::ACTIVATIONS_MAX)?;
        let mut versions = Vec::with_capacity(count);
        for _ in 0..count {
            decoder.array_of(2, "a version and a height")?;
            versions.push((decoder.uint()?, Height::new(decoder.uint()?)));
        }
        Ok(versions)
    };
    read().map_err(|error: stele_core::cbor::DecodeError| {
        Fault(format!(
            "a register's schedule in governance is not as written: {error}"
        ))
    })
}

/// Looks up the keys that signed once more: an earlier entry of the same block may have revoked them.
fn frame(
    block: &BlockContext,
    entry: &Entry,
    overlay: &Overlay<'_>,
    party: &mut PartyId,
) -> Result<Frame, Stop> {
    let kid = entry.header().kid;
    match lookup::party_of(overlay, &kid, entry)? {
        Found::Active(found) => *party = found,
        Found::Brought => {}
        Found::Revoked(found) => {
            *party = found;
            return Err((&identity::refusals::KEY_REVOKED).into());
        }
        Found::Unknown => return Err((&identity::refusals::UNKNOWN_KEY).into()),
    }
    let mut cosigners = Vec::new();
    for kid in entry.cosigner_kids() {
        let party = match lookup::party_of(overlay, kid, entry)? {
            Found::Active(party) => Some(party),
            Found::Brought => None,
            Found::Revoked(_) => {
                return Err(identity::refusals::KEY_REVOKED.about("a countersignature"));
            }
            Found::Unknown => {
                return Err(identity::refusals::UNKNOWN_KEY.about("a countersignature"));
            }
        };
        cosigners.push(Cosigner { kid: *kid, party });
    }
    Ok(Frame {
        block: *block,
        entry_id: entry.id(),
        party: *party,
        kid,
        cosigners,
    })
}

fn apply(
    register: &dyn Register,
    frame: &Frame,
    command_index: u64,
    command: &Command<'_>,
    overlay: &mut Overlay<'_>,
    events: &mut Vec<stele_core::block::Event>,
) -> Result<(), Stop> {
    let Some(spec) = register
        .commands()
        .iter()
        .find(|spec| spec.name == command.name)
    else {
        return Err(UNKNOWN_COMMAND.about(command.name));
    };
    let state = Namespace::new(overlay, register.name(), register.reads());
    let mut context = Context {
        state,
        frame,
        command_index,
        events,
    };
    let outcome = Body::decode(command.body)
        .map_err(Stop::BadBody)
        .and_then(|mut body| {
            register.apply(&mut context, spec.name, &mut body)?;
            Ok(body.finish()?)
        });
    outcome.map_err(|stop| match stop {
        Stop::BadBody(error) => Stop::Refused(Refusal::new(
            &format!("{}.{}.bad-body", register.name(), spec.name),
            format!("The body of the command does not fit: {error}."),
            "Compare the fields with the command's description under docs/registers.",
        )),
        other => other,
    })
}

impl StateMachine for Registry {
    fn genesis(&self, genesis: &Genesis, overlay: &mut Overlay<'_>) -> Result<(), Halt> {
        let start = |overlay: &mut Overlay<'_>| -> Result<(), Stop> {
            for needed in [governance::NAME, identity::NAME] {
                if !genesis
                    .registers
                    .iter()
                    .any(|(name, _)| name.as_str() == needed)
                {
                    return Err(BAD_GENESIS.about(needed));
                }
            }
            for (index, (name, version)) in genesis.registers.iter().enumerate() {
                let twice = genesis.registers[..index]
                    .iter()
                    .any(|(other, _)| other == name);
                let Some(register) = self.find(name.as_str(), *version).filter(|_| !twice) else {
                    return Err(BAD_GENESIS.about(format!("{name}@{version}")));
                };
                let mut state = Namespace::new(overlay, register.name(), register.reads());
                register.genesis(genesis, &mut state)?;
            }
            Ok(())
        };
        match start(overlay) {
            Ok(()) => {
                overlay.commit_entry();
                Ok(())
            }
            Err(stop) => {
                overlay.roll_back();
                Err(match stop {
                    Stop::Refused(refusal) => Halt::Refused(refusal),
                    Stop::Fault(fault) => Halt::Fault(fault),
                    Stop::BadBody(error) => unreachable!("a genesis has no body: {error}"),
                })
            }
        }
    }

    fn find_key(
        &self,
        state: &dyn StateReader,
        kid: &KeyId,
        entry: &Entry,
    ) -> Result<PublicKey, Halt> {
        lookup::with_key(state, kid, entry, |cose_key| self.parsed(kid, cose_key))
    }

    fn missing_versions(
        &self,
        state: &dyn StateReader,
        height: Height,
        also: &[&str],
    ) -> Result<Vec<Upgrade>, Fault> {
        let mut missing = Vec::new();
        let mut look = |name: &str, schedule: Option<Vec<u8>>| -> Result<(), Fault> {
            let schedule = schedule.map_or(Ok(Vec::new()), |bytes| read_schedule(&bytes))?;
            // The one that judges at the height, and all that come later.
            let past = schedule.iter().filter(|(_, from)| *from <= height);
            let due = schedule.iter().skip(past.count().saturating_sub(1));
            for (version, from) in due {
                if self.find(name, *version).is_none() {
                    missing.push(Upgrade {
                        register: name.to_owned(),
                        version: *version,
                        height: *from,
                    });
                }
            }
            Ok(())
        };
        for slot in &self.slots {
            look(slot.name, state.get_path(&slot.activation_path)?)?;
        }
        for name in also.iter().filter(|name| self.slot(name).is_none()) {
            let schedule = state.get(governance::NAME, &governance::register_key(name))?;
            look(name, schedule)?;
        }
        missing.sort_by_key(|upgrade| upgrade.height);
        Ok(missing)
    }

    fn execute(
        &self,
        block: &BlockContext,
        entry: &Entry,
        overlay: &mut Overlay<'_>,
    ) -> Result<Executed, Fault> {
        let mut rule = String::new();
        // Of an unknown key no party is known but the one that it could begin.
        let mut party = PartyId::of_first_key(&entry.header().kid);
        match self.run(block, entry, overlay, &mut rule, &mut party) {
            Ok(events) => {
                overlay.commit_entry();
                Ok(Executed {
                    party,
                    rule,
                    outcome: Judgement::Applied,
                    events,
                })
            }
            Err((command_index, stop)) => {
                overlay.roll_back();
                match stop {
                    Stop::Refused(refusal) => {
                        let outcome = Judgement::Refused {
                            command_index,
                            refusal,
                        };
                        Ok(Executed {
                            party,
                            rule,
                            outcome,
                            events: Vec::new(),
                        })
                    }
                    Stop::Fault(fault) => Err(fault),
                    Stop::BadBody(error) => unreachable!("turned into a refusal: {error}"),
                }
            }
        }
    }
}
