//! What the ledger and the registers agree on: reading state, buffering a block's writes, judging an entry.
//!
//! The ledger orders entries and keeps state; it does not know any register. The registers judge entries; they do not
//! know where state lies. Both meet here: a [`StateMachine`] executes one [`Entry`] at a time over an [`Overlay`], which
//! buffers the writes of a block and takes back those of a refused entry.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::block::{Event, Outcome};
use crate::entry::Entry;
use crate::genesis::Genesis;
use crate::id::{Height, KeyId, NetworkId, PartyId, TimeMs};
use crate::state_proof::state_path;
use crate::suite::PublicKey;

/// The state could not be read. Not the entry's fault: the block is given up, nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be read: {0}")]
pub struct Fault(pub String);

/// Why an entry is refused, in the words that the user sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// The rule, such as `trace.custody.not-holder`; at most 96 bytes; recorded in the log.
    pub code: String,
    /// One plain sentence.
    pub sentence: String,
    /// The next step, if there is one.
    pub hint: String,
}

impl Refusal {
    /// Builds a refusal.
    pub fn new(code: &str, sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        debug_assert!(code.len() <= 96);
        Self {
            code: code.to_owned(),
            sentence: sentence.into(),
            hint: hint.into(),
        }
    }
}

/// Why execution of an entry stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A rule refuses the entry.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state could not be read.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Read access to the state of the last executed block.
pub trait StateReader: Send + Sync {
    /// The value at a state path (docs/format.md section 6).
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault>;

    /// The value of a key in a register.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    fn get(&self, register: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.get_path(&state_path(register, key))
    }
}

/// One key's new value at the end of a block; `None` removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The state path of (register, key).
    pub path: [u8; 32],
    /// The register.
    pub register: Box<str>,
    /// The key within the register.
    pub key: Box<[u8]>,
    /// The value.
    pub value: Option<Vec<u8>>,
}

/// A state path is a hash already: mixing eight of its bytes with the map's own seed is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path([u8; 32]);

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_le_bytes(
            self.0[8..16].try_into().expect("eight bytes"),
        ));
    }
}

struct Write {
    register: Box<str>,
    key: Box<[u8]>,
    value: Option<Vec<u8>>,
}

/// The buffered writes of a block, over the state before it.
///
/// Writes of the current entry are undone by [`Overlay::roll_back`] and kept by [`Overlay::commit_entry`].
/// Nothing here is iterated before it is sorted, so every node sees the same order.
pub struct Overlay<'a> {
    base: &'a dyn StateReader,
    writes: HashMap<Path, Write, BuildHasherDefault<DefaultHasher>>,
    /// What each key held in `writes` before the current entry touched it, in order of the touches.
    undo: Vec<(Path, Option<Write>)>,
}

impl<'a> Overlay<'a> {
    /// An empty overlay.
    pub fn new(base: &'a dyn StateReader) -> Self {
        Self {
            base,
            writes: HashMap::default(),
            undo: Vec::new(),
        }
    }

    /// Writes or removes a key. Panics on keys that the format does not allow: the register's own fault.
    pub fn set(&mut self, register: &str, key: &[u8], value: Option<Vec<u8>>) {
        assert!(
            (1..=255).contains(&key.len()),
            "state keys have 1 to 255 bytes"
        );
        let path = Path(state_path(register, key));
        let write = Write {
            register: register.into(),
            key: key.into(),
            value,
        };
        let before = self.writes.insert(path, write);
        self.undo.push((path, before));
    }

    /// Keeps the current entry's writes.
    pub fn commit_entry(&mut self) {
        self.undo.clear();
    }

    /// Takes back the current entry's writes.
    pub fn roll_back(&mut self) {
        while let Some((path, before)) = self.undo.pop() {
            match before {
                Some(write) => self.writes.insert(path, write),
                None => self.writes.remove(&path),
            };
        }
    }

    /// The block's changes, sorted by path.
    pub fn into_changes(self) -> Vec<StateChange> {
        assert!(
            self.undo.is_empty(),
            "an entry was neither committed nor rolled back"
        );
        let mut changes: Vec<_> = self
            .writes
            .into_iter()
            .map(|(path, write)| StateChange {
                path: path.0,
                register: write.register,
                key: write.key,
                value: write.value,
            })
            .collect();
        changes.sort_unstable_by_key(|change| change.path);
        changes
    }
}

impl StateReader for Overlay<'_> {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        match self.writes.get(&Path(*path)) {
            Some(write) => Ok(write.value.clone()),
            None => self.base.get_path(path),
        }
    }
}

/// The block in which an entry is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// The network.
    pub network: NetworkId,
    /// The block's height.
    pub height: Height,
    /// The block's time.
    pub time: TimeMs,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The signer's party.
    pub party: PartyId,
    /// The register version that judged, as `trace@1`.
    pub rule: String,
    /// Applied or refused.
    pub outcome: Judgement,
    /// What happened; empty when refused.
    pub events: Vec<Event>,
}

/// Applied, or refused with the words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// All commands applied.
    Applied,
    /// The command at `command_index` was refused, so none applied.
    Refused {
        /// Which command.
        command_index: u64,
        /// Why.
        refusal: Refusal,
    },
}

impl Judgement {
    /// The outcome as the record holds it.
    pub fn outcome(&self, events_hash: [u8; 32]) -> Outcome {
        match self {
            Self::Applied => Outcome::Applied { events_hash },
            Self::Refused {
                command_index,
                refusal,
            } => Outcome::Refused {
                command_index: *command_index,
                code: refusal.code.clone(),
            },
        }
    }
}

/// The registers, as the ledger sees them.
pub trait StateMachine: Send + Sync {
    /// Writes the state that the network starts with.
    ///
    /// # Errors
    /// [`Halt`] when the genesis is not acceptable to a register.
    fn genesis(&self, genesis: &Genesis, overlay: &mut Overlay<'_>) -> Result<(), Halt>;

    /// The key that must have signed `entry` under `kid` (the signer's or a cosigner's): known to the state and valid now,
    /// or brought by the entry itself where a register allows a party to introduce itself.
    ///
    /// # Errors
    /// [`Halt::Refused`] for an unknown, revoked or expired key.
    fn find_key(
        &self,
        state: &dyn StateReader,
        kid: &KeyId,
        entry: &Entry,
    ) -> Result<PublicKey, Halt>;

    /// Executes an entry whose signatures, window and novelty have been checked. On refusal nothing is left in `overlay`.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    fn execute(
        &self,
        block: &BlockContext,
        entry: &Entry,
        overlay: &mut Overlay<'_>,
    ) -> Result<Executed, Fault>;

    /// The versions of registers that judge at `height` or from a later height on and that this program lacks, by height. Of
    /// registers that the program does not know at all it looks at those in `also` alone.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    fn missing_versions(
        &self,
        state: &dyn StateReader,
        height: Height,
        also: &[&str],
    ) -> Result<Vec<Upgrade>, Fault> {
        let _ = (state, height, also);
        Ok(Vec::new())
    }
}

/// A version of a register that judges from a height on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The register.
    pub register: String,
    /// Its version.
    pub version: u64,
    /// The first height that it judges at.
    pub height: Height,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl StateReader for Nothing {
        fn get_path(&self, _: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(None)
        }
    }

    #[test]
    fn a_refused_entry_leaves_no_trace() {
        let mut overlay = Overlay::new(&Nothing);
        overlay.set("a", b"k", Some(vec![1]));
        overlay.commit_entry();
        overlay.set("a", b"k", Some(vec![2]));
        overlay.set("a", b"k", None);
        overlay.set("a", b"other", Some(vec![3]));
        assert_eq!(overlay.get("a", b"k"), Ok(None));
        overlay.roll_back();
        assert_eq!(overlay.get("a", b"k"), Ok(Some(vec![1])));
        assert_eq!(overlay.get("a", b"other"), Ok(None));
        assert_eq!(
            overlay.get("b", b"k"),
            Ok(None),
            "registers have namespaces of their own"
        );
        assert_eq!(overlay.into_changes().len(), 1);
    }
}
