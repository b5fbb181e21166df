//! The log's checkpoint: the C2SP form of what a certificate says of the log (docs/design/0009-witnesses.md).

use stele_core::block::Certificate;
use stele_core::merkle::checkpoint::Note;
use stele_core::suite::{PublicKey, SigningKey, Suite};
use stele_core::witness::{LogKey, certificate_line, log_origin, note_line};

use super::Ledger;

impl Ledger {
    /// The log's name in checkpoints: `stele/<network id>`.
    pub fn log_origin(&self) -> String {
        log_origin(&self.shared.network)
    }

    /// The keys under which this node's checkpoints verify, each enough alone. `own` is the node's log key, which signs
    /// where no Ed25519 network key is at hand.
    pub fn log_keys(&self, own: &PublicKey) -> Vec<LogKey> {
        let origin = self.log_origin();
        if let Some(signer) = self.network_signer() {
            return LogKey::of_ed25519(&origin, signer.public())
                .into_iter()
                .collect();
        }
        let certificates = LogKey::of_certificates(&origin, &self.shared.genesis.network_key);
        [certificates]
            .into_iter()
            .chain(LogKey::of_ed25519(&origin, own))
            .collect()
    }

    /// The checkpoint of a final block, signed (C2SP tlog-checkpoint).
    ///
    /// A network key of Ed25519 that this node holds signs it. No other network key can: one of several validators signs
    /// nothing but blocks. Then the block's certificate is one line, which proves the checkpoint under the network key, and
    /// `own` signs another, for witnesses and monitors that know Ed25519 alone.
    ///
    /// A network key also signs certificates. No signature of one kind passes for the other: what a certificate signs
    /// begins with the byte 0x84, which begins no UTF-8 text, and a checkpoint is text. The text is made here, of the
    /// certificate alone, so nobody chooses what the network key signs.
    ///
    /// # Panics
    /// When `own` is not of suite Ed25519.
    pub fn checkpoint_note(&self, certificate: &Certificate, own: &SigningKey) -> Note {
        let text = certificate.checkpoint().text();
        let text = text.expect("the origin is plain text");
        let origin = self.log_origin();
        let signed = |key| note_line(&origin, key, &text).expect("a text and a name of ours");
        let signatures = match self.network_signer() {
            Some(signer) => vec![signed(signer)],
            None => vec![
                certificate_line(certificate, &self.shared.genesis.network_key),
                signed(own),
            ],
        };
        Note { text, signatures }
    }

    /// The network key, where this node holds it and it makes Ed25519 signatures.
    fn network_signer(&self) -> Option<&SigningKey> {
        let signer = self.shared.signer()?;
        (signer.suite() == Suite::Ed25519).then_some(signer)
    }
}
