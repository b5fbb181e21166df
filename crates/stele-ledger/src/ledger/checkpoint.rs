//! The log's checkpoint: the C2SP form of what the newest certificate says of the log.

use stele_core::merkle::checkpoint::{
    Checkpoint, KEY_TYPE_ED25519, Note, NoteSignature, VerifierKey, note_message,
};
use stele_core::suite::{PublicKey, Suite};

use super::Ledger;

impl Ledger {
    /// The log's name in checkpoints: `stele/<network id>`.
    pub fn log_origin(&self) -> String {
        format!("stele/{}", self.shared.network)
    }

    /// The key under which checkpoints verify; `None` when the network key is not Ed25519, which C2SP signed notes need.
    pub fn log_verifier_key(&self) -> Option<VerifierKey> {
        Some(VerifierKey {
            name: self.log_origin(),
            key_type: KEY_TYPE_ED25519,
            public_key: raw_ed25519(self.shared.signer()?.public())?.to_vec(),
        })
    }

    /// The checkpoint of the newest final block, signed by the network key (C2SP tlog-checkpoint); `None` as above.
    ///
    /// The network key also signs certificates. No signature of one kind passes for the other: what a certificate signs
    /// begins with the byte 0x84, which begins no UTF-8 text, and a checkpoint is text. The text is made here, of the newest
    /// certificate alone, so nobody chooses what the network key signs.
    pub fn signed_checkpoint(&self) -> Option<String> {
        let key = self.log_verifier_key()?;
        let head = self.head();
        let checkpoint = Checkpoint {
            origin: key.name.clone(),
            size: head.log_size().get(),
            root: *head.certificate.log_root.as_bytes(),
            extensions: Vec::new(),
        };
        let text = checkpoint.text().expect("the origin is plain text");
        let message = note_message(&text).expect("the text ends with a newline");
        let signature = NoteSignature {
            key_id: key.key_id(),
            name: key.name,
            signature: self.shared.signer()?.sign(message),
        };
        let note = Note {
            text,
            signatures: vec![signature],
        };
        Some(
            note.format()
                .expect("there is one signature by a proper name"),
        )
    }
}

/// The 32 bytes of an Ed25519 key, the last of its COSE_Key (docs/format.md section 2).
fn raw_ed25519(key: &PublicKey) -> Option<[u8; 32]> {
    if key.suite() != Suite::Ed25519 {
        return None;
    }
    key.to_cose_key().last_chunk().copied()
}
