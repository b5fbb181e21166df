//! Spreading entries: what a client gives to one node waits in every validator's pool, so that any leader can propose it.
//!
//! Entries are sent once, as they come. What still waits after a while is sent again: some validator was not connected, and this node
//! alone may be the leader whose proposals nobody takes, because its clock or its link is bad.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use futures::StreamExt as _;
use futures::channel::mpsc;
use stele_core::cbor::{DecodeError, Decoder, Encoder, ErrorKind};
use stele_core::entry::ENTRY_BYTES_MAX;

use crate::chain::Chain;
use crate::keys::{NodeKey, engine_key, node_key};
use crate::score::Score;
use crate::status::Progress;

/// The most bytes of entries in one message.
const BATCH_BYTES: usize = 256 << 10;
/// The most entries in one message.
const BATCH_ENTRIES: usize = 4_096;
/// How often this node looks for entries that still wait.
const AGAIN_EVERY: Duration = Duration::from_millis(2_000);
/// The longest message: a batch, each entry with its length, and one entry that is longer than a batch.
pub(crate) const MESSAGE_MAX: usize = BATCH_BYTES + ENTRY_BYTES_MAX + 5 * BATCH_ENTRIES + 16;

fn encode(entries: &[Bytes]) -> Vec<u8> {
    let bytes: usize = entries.iter().map(|entry| entry.len() + 5).sum();
    let mut out = Encoder::with_capacity(bytes + 8);
    out.array(entries.len());
    for entry in entries {
        out.bytes(entry);
    }
    out.into_vec()
}

fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let count = decoder.array(BATCH_ENTRIES)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = decoder.position();
        let entry = decoder.bytes(ENTRY_BYTES_MAX)?;
        if entry.is_empty() {
            let kind = ErrorKind::Expected("an entry");
            return Err(DecodeError { offset, kind });
        }
        entries.push(entry.to_vec());
    }
    decoder.finish()?;
    Ok(entries)
}

/// Splits what waits into messages.
fn batches(entries: Vec<Bytes>) -> Vec<Vec<Bytes>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for entry in entries {
        let last = batches.last_mut().expect("there is one at least");
        if !last.is_empty() && (bytes + entry.len() > BATCH_BYTES || last.len() == BATCH_ENTRIES) {
            bytes = entry.len();
            batches.push(vec![entry]);
        } else {
            bytes += entry.len();
            last.push(entry);
        }
    }
    batches
}

/// The task that sends what clients of this node submit and takes in what other nodes send.
pub(crate) struct Gossip<E, S> {
    pub(crate) context: E,
    pub(crate) chain: Chain,
    pub(crate) me: Arc<NodeKey>,
    pub(crate) progress: Progress,
    pub(crate) sender: S,
    pub(crate) score: Score,
}

impl<E: Clock, S: Sender<PublicKey = ed25519::PublicKey>> Gossip<E, S> {
    /// `admitted` hears of entries from this node's own clients.
    pub(crate) async fn run<R>(
        mut self,
        mut receiver: R,
        mut admitted: mpsc::UnboundedReceiver<Vec<Bytes>>,
    ) where
        R: Receiver<PublicKey = ed25519::PublicKey>,
    {
        let mut waited = HashSet::new();
        let mut again = self.context.current() + AGAIN_EVERY;
        loop {
            select! {
                entries = admitted.next() => {
                    let Some(mut entries) = entries else { break };
                    while let Ok(more) = admitted.try_recv() {
                        entries.extend(more);
                    }
                    self.send(entries);
                },
                message = receiver.recv() => {
                    let Ok((from, bytes)) = message else { break };
                    match decode(bytes.as_ref()) {
                        Ok(entries) => {
                            let score = self.score.clone();
                            self.chain.admit(entries, move |fault| score.blame(&from, fault));
                        }
                        Err(error) => self.score.malformed(&from, "a batch of entries", &error),
                    }
                },
                () = self.context.sleep_until(again) => {
                    waited = self.send_again(&waited);
                    again = self.context.current() + AGAIN_EVERY;
                },
            }
        }
    }

    /// Sends a batch of the oldest entries again, those that `waited` the last time already. Returns what waits now.
    fn send_again(&mut self, waited: &HashSet<Bytes>) -> HashSet<Bytes> {
        let oldest = self.chain.oldest_of_clients(BATCH_ENTRIES, BATCH_BYTES);
        let still: Vec<_> = oldest
            .iter()
            .filter(|entry| waited.contains(*entry))
            .cloned()
            .collect();
        if !still.is_empty() {
            tracing::debug!(entries = still.len(), "entries that wait are sent again");
            self.send(still);
        }
        oldest.into_iter().collect()
    }

    fn send(&mut self, entries: Vec<Bytes>) {
        let me = self.me.public();
        let validators = self.progress.validators();
        let others = validators.iter().filter(|other| **other != me);
        let others: Vec<_> = others.filter_map(engine_key).collect();
        if others.is_empty() {
            return;
        }
        for batch in batches(entries) {
            let sent = self
                .sender
                .send(Recipients::Some(others.clone()), encode(&batch), false);
            if sent.len() < others.len() {
                // Whoever misses an entry here gets it with the block of a leader that has it.
                let missed = others.iter().filter(|other| !sent.contains(other));
                let missed: Vec<_> = missed
                    .map(|other| hex::encode(&node_key(other)[..4]))
                    .collect();
                tracing::debug!(
                    ?missed,
                    entries = batch.len(),
                    "entries were not sent to all validators"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_order_and_bounds() {
        let entries: Vec<Bytes> = (0..5_000u32)
            .map(|number| Bytes::from(vec![number as u8; 40 + (number % 500) as usize]))
            .collect();
        let batches = batches(entries.clone());
        assert!(batches.len() > 1);
        let mut seen = Vec::new();
        for batch in batches {
            let message = encode(&batch);
            assert!(message.len() <= MESSAGE_MAX);
            seen.extend(decode(&message).unwrap().into_iter().map(Bytes::from));
        }
        assert_eq!(seen, entries);
    }

    #[test]
    fn hostile_batches_are_refused_or_read() {
        let entries = [Bytes::from_static(b"entry"), Bytes::from(vec![7; 300])];
        crate::hostile::assail(&[encode(&entries), encode(&[])], |bytes| {
            if let Ok(entries) = decode(bytes) {
                let held: usize = entries.iter().map(Vec::len).sum();
                assert!(held <= bytes.len());
            }
        });
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let good = encode(&[Bytes::from_static(b"entry")]);
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_err());
        }
        assert!(decode(&encode(&[Bytes::new()])).is_err());
        assert!(decode(&[good.clone(), vec![0]].concat()).is_err());
        assert!(decode(&[0x9a, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
