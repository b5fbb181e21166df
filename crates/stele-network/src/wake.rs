//! A bell between the ledger's threads and the engine's tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

#[derive(Default)]
struct State {
    rung: u64,
    waiting: Vec<Waker>,
}

/// Rings for everyone who waits; a ring between [`Wake::wait`] and the first poll is not lost.
#[derive(Clone, Default)]
pub(crate) struct Wake {
    state: Arc<Mutex<State>>,
}

impl Wake {
    /// Wakes all who wait.
    pub(crate) fn ring(&self) {
        let mut state = self.state.lock();
        state.rung += 1;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Resolves with the first ring after this call.
    pub(crate) fn wait(&self) -> Waiting {
        Waiting {
            state: Arc::clone(&self.state),
            since: self.state.lock().rung,
        }
    }
}

/// See [`Wake::wait`].
pub(crate) struct Waiting {
    state: Arc<Mutex<State>>,
    since: u64,
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.rung > self.since {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(context.waker()))
        {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn a_ring_before_the_first_poll_counts() {
        let wake = Wake::default();
        let mut waiting = wake.wait();
        assert_eq!((&mut waiting).now_or_never(), None);
        wake.ring();
        assert_eq!(waiting.now_or_never(), Some(()));
        assert_eq!(wake.wait().now_or_never(), None);
    }
}
