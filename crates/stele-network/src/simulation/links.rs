//! Links as a node has them: messages of different channels, and now and then of one, come out of order.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use commonware_cryptography::ed25519;
use commonware_macros::select;
use commonware_p2p::{Message, Receiver};
use commonware_runtime::{Clock as _, Supervisor as _, deterministic};
use rand_core::Rng as _;

type Key = ed25519::PublicKey;

/// How long a message is held back at most.
const HELD_FOR: Duration = Duration::from_millis(60);

/// Receives, and lets others overtake one message of each `one_in`.
pub(super) struct Reordering<R> {
    inner: R,
    held: Option<(SystemTime, Message<Key>)>,
    one_in: u64,
    timer: deterministic::Context,
    dice: deterministic::Context,
}

impl<R> Reordering<R> {
    /// Without `one_in` everything comes in order.
    pub(super) fn new(inner: R, one_in: Option<u64>, context: &deterministic::Context) -> Self {
        Self {
            inner,
            held: None,
            one_in: one_in.unwrap_or(0),
            timer: context.child("held"),
            dice: context.child("order"),
        }
    }
}

impl<R> fmt::Debug for Reordering<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reordering").finish_non_exhaustive()
    }
}

impl<R: Receiver<PublicKey = Key>> Receiver for Reordering<R> {
    type Error = R::Error;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, R::Error> {
        if self.one_in == 0 {
            return self.inner.recv().await;
        }
        loop {
            let Some((until, _)) = self.held else {
                let message = self.inner.recv().await?;
                if !self.dice.next_u64().is_multiple_of(self.one_in) {
                    return Ok(message);
                }
                self.held = Some((self.timer.current() + HELD_FOR, message));
                continue;
            };
            select! {
                message = self.inner.recv() => { return message },
                () = self.timer.sleep_until(until) => {},
            }
            let (_, message) = self.held.take().expect("held above");
            return Ok(message);
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
