//! Writing receipts.

use super::RECEIPT_FORMAT;
use crate::block::{Certificate, LABEL_EVENTS, LABEL_RECORD, LABEL_VDP};
use crate::cbor::Encoder;
use crate::id::LogIndex;
use crate::state_proof::{StateProof, Terminal};

/// Proof that a record is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryClaim {
    /// The record's place in the log.
    pub leaf_index: LogIndex,
    /// The RFC 9162 inclusion path to the certificate's log root.
    pub path: Vec<[u8; 32]>,
    /// The encoded record.
    pub record: Vec<u8>,
    /// The encoded events, if they are to be shown.
    pub events: Option<Vec<u8>>,
}

/// Proof that a key of a register holds a value, or holds none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateClaim {
    /// The register.
    pub register: String,
    /// The key within the register.
    pub key: Vec<u8>,
    /// The value; `None` claims absence.
    pub value: Option<Vec<u8>>,
    /// The path to the certificate's state root.
    pub proof: StateProof,
}

/// A receipt before encoding.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The certificate of the block under whose roots everything is proven.
    pub certificate: Certificate,
    /// The entry claim, if any.
    pub claim: Option<EntryClaim>,
    /// The entry itself, if it travels along.
    pub entry: Option<Vec<u8>>,
    /// State claims, at most 64.
    pub state: Vec<StateClaim>,
    /// Witness lines, at most 64.
    pub witnesses: Vec<String>,
}

impl Receipt {
    /// The encoding, as it stands in a `.receipt` file.
    pub fn encode(&self) -> Vec<u8> {
        let certificate = match &self.claim {
            Some(claim) => self
                .certificate
                .encode_with(&self.unprotected(claim), false),
            None => self.certificate.encode(),
        };
        let members = 2
            + usize::from(self.entry.is_some())
            + usize::from(!self.state.is_empty())
            + usize::from(!self.witnesses.is_empty());
        let mut out = Encoder::new();
        out.map(members)
            .uint(0)
            .text(RECEIPT_FORMAT)
            .uint(1)
            .bytes(&certificate);
        if let Some(entry) = &self.entry {
            out.uint(2).bytes(entry);
        }
        if !self.state.is_empty() {
            out.uint(3).array(self.state.len());
            for claim in &self.state {
                out.array(4).text(&claim.register).bytes(&claim.key);
                match &claim.value {
                    Some(value) => out.bytes(value),
                    None => out.null(),
                };
                out.raw(&encode_state_proof(&claim.proof));
            }
        }
        if !self.witnesses.is_empty() {
            out.uint(4).array(self.witnesses.len());
            for line in &self.witnesses {
                out.text(line);
            }
        }
        out.into_vec()
    }

    fn unprotected(&self, claim: &EntryClaim) -> Vec<u8> {
        let mut proof = Encoder::new();
        proof
            .array(3)
            .uint(self.certificate.header.tree_size.get())
            .uint(claim.leaf_index.get());
        proof.array(claim.path.len());
        for hash in &claim.path {
            proof.bytes(hash);
        }
        let mut out = Encoder::new();
        out.map(2 + usize::from(claim.events.is_some()));
        out.int(LABEL_VDP)
            .map(1)
            .int(-1)
            .array(1)
            .bytes(proof.as_slice());
        out.int(LABEL_RECORD).bytes(&claim.record);
        if let Some(events) = &claim.events {
            out.int(LABEL_EVENTS).bytes(events);
        }
        out.into_vec()
    }
}

/// Encodes a state proof (docs/format.md section 6).
pub fn encode_state_proof(proof: &StateProof) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(4)
        .uint(u64::from(proof.depth))
        .bytes(&proof.sibling_bitmap)
        .bytes(&proof.siblings.concat());
    match &proof.terminal {
        Terminal::Leaf => out.uint(0),
        Terminal::Empty => out.uint(1),
        Terminal::OtherLeaf { path, value_hash } => out.array(2).bytes(path).bytes(value_hash),
    };
    out.into_vec()
}
