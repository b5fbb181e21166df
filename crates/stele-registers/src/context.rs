//! What a command sees: its own namespace, declared views of others, and who signed in which block.

use stele_core::block::Event;
use stele_core::id::{EntryId, Height, KeyId, NetworkId, PartyId, TimeMs};
use stele_core::machine::{BlockContext, Fault, Overlay, StateReader};

/// Read access to one register's namespace.
#[derive(Clone, Copy)]
pub struct View<'a> {
    reader: &'a dyn StateReader,
    register: &'a str,
}

impl<'a> View<'a> {
    /// A view of `register` in any state.
    pub fn new(reader: &'a dyn StateReader, register: &'a str) -> Self {
        Self { reader, register }
    }

    /// The value at a key.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.reader.get(self.register, key)
    }

    /// A fault that names a value which this program did not write so.
    pub fn unreadable(&self, key: &[u8], error: impl core::fmt::Display) -> Fault {
        let register = self.register;
        Fault(format!(
            "the value at {register}/{} is not as written: {error}",
            key.escape_ascii()
        ))
    }
}

/// Read and write access to a register's own namespace.
pub struct Namespace<'a, 'b> {
    overlay: &'a mut Overlay<'b>,
    register: &'static str,
    reads: &'static [&'static str],
}

impl<'a, 'b> Namespace<'a, 'b> {
    /// The namespace of `register` in a block's overlay.
    pub(crate) fn new(
        overlay: &'a mut Overlay<'b>,
        register: &'static str,
        reads: &'static [&'static str],
    ) -> Self {
        Self {
            overlay,
            register,
            reads,
        }
    }

    /// The value at a key of the own namespace.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.overlay.get(self.register, key)
    }

    /// Writes a key of the own namespace. Panics on a key that is empty or longer than 255 bytes.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.overlay.set(self.register, key, Some(value));
    }

    /// Removes a key of the own namespace.
    pub fn delete(&mut self, key: &[u8]) {
        self.overlay.set(self.register, key, None);
    }

    /// The own namespace, read only.
    pub fn own(&self) -> View<'_> {
        View::new(&*self.overlay, self.register)
    }

    /// The namespace of a register that [`crate::Register::reads`] declares. Panics on any other: the register's own fault.
    pub fn view(&self, register: &'static str) -> View<'_> {
        assert!(
            self.reads.contains(&register),
            "register `{}` views `{register}` without declaring it in reads()",
            self.register
        );
        View::new(&*self.overlay, register)
    }
}

/// A party or a new key that countersigned the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosigner {
    /// The key.
    pub kid: KeyId,
    /// Its party; none for a key that the entry itself brings, which thereby proves its possession.
    pub party: Option<PartyId>,
}

/// What is the same for all commands of an entry.
#[derive(Debug)]
pub(crate) struct Frame {
    pub block: BlockContext,
    pub entry_id: EntryId,
    pub party: PartyId,
    pub kid: KeyId,
    pub cosigners: Vec<Cosigner>,
}

/// What one command sees and does.
pub struct Context<'a, 'b> {
    pub(crate) state: Namespace<'a, 'b>,
    pub(crate) frame: &'a Frame,
    pub(crate) command_index: u64,
    pub(crate) events: &'a mut Vec<Event>,
}

impl<'a, 'b> Context<'a, 'b> {
    /// The network.
    pub fn network(&self) -> NetworkId {
        self.frame.block.network
    }

    /// The height of the block that is being executed.
    pub fn height(&self) -> Height {
        self.frame.block.height
    }

    /// The block's time; it never falls from one block to the next.
    pub fn time(&self) -> TimeMs {
        self.frame.block.time
    }

    /// The entry's id.
    pub fn entry_id(&self) -> EntryId {
        self.frame.entry_id
    }

    /// The command's place in its entry, from 0.
    pub fn command_index(&self) -> u64 {
        self.command_index
    }

    /// The party that signed.
    pub fn signer(&self) -> PartyId {
        self.frame.party
    }

    /// The key that signed.
    pub fn kid(&self) -> KeyId {
        self.frame.kid
    }

    /// Who countersigned; each signature has been verified.
    pub fn cosigners(&self) -> &[Cosigner] {
        &self.frame.cosigners
    }

    /// Whether a key of `party` countersigned.
    pub fn cosigned_by(&self, party: &PartyId) -> bool {
        self.frame
            .cosigners
            .iter()
            .any(|cosigner| cosigner.party.as_ref() == Some(party))
    }

    /// Whether the key `kid` countersigned.
    pub fn cosigned_by_key(&self, kid: &KeyId) -> bool {
        self.frame
            .cosigners
            .iter()
            .any(|cosigner| cosigner.kid == *kid)
    }

    /// The register's own namespace, for helpers that also serve at genesis.
    pub fn state(&mut self) -> &mut Namespace<'a, 'b> {
        &mut self.state
    }

    /// The value at a key of the own namespace.
    ///
    /// # Errors
    /// [`Fault`] when storage fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.state.get(key)
    }

    /// Writes a key of the own namespace. Panics on a key that is empty or longer than 255 bytes.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.state.put(key, value);
    }

    /// Removes a key of the own namespace.
    pub fn delete(&mut self, key: &[u8]) {
        self.state.delete(key);
    }

    /// The own namespace, read only.
    pub fn own(&self) -> View<'_> {
        self.state.own()
    }

    /// The namespace of a declared register, read only. Panics on any other: the register's own fault.
    pub fn view(&self, register: &'static str) -> View<'_> {
        self.state.view(register)
    }

    /// Emits an event; it is recorded as `register/name`.
    pub fn emit(&mut self, name: &str, body: Vec<u8>) {
        let register = self.state.register;
        let mut full = String::with_capacity(register.len() + 1 + name.len());
        full.push_str(register);
        full.push('/');
        full.push_str(name);
        self.events.push(Event { name: full, body });
    }
}
