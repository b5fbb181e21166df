//! Handing ordered blocks to the ledger, in order, and telling the engine when they are durable.

use std::sync::{Arc, Weak};

use commonware_actor::Feedback;
use commonware_consensus::marshal::Update;
use commonware_consensus::types::{Epocher as _, FixedEpocher};
use commonware_consensus::{Heightable as _, Reporter};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_utils::Acknowledgement as _;
use commonware_utils::acknowledgement::Exact;
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use parking_lot::Mutex;

use crate::application::Recent;
use crate::block::Block;
use crate::chain::Chain;
use crate::committee::Committee;
use crate::status::Progress;

/// Where marshal leaves the blocks that it hands over.
#[derive(Clone)]
pub(crate) struct Deliveries {
    blocks: mpsc::UnboundedSender<(Digested<Block>, Exact)>,
    progress: Progress,
}

impl Deliveries {
    pub(crate) fn new(
        progress: Progress,
    ) -> (Self, mpsc::UnboundedReceiver<(Digested<Block>, Exact)>) {
        // Marshal itself bounds how many blocks are handed over and not yet acknowledged.
        let (blocks, waiting) = mpsc::unbounded();
        (Self { blocks, progress }, waiting)
    }
}

impl Reporter for Deliveries {
    type Activity = Update<Block>;

    fn report(&mut self, update: Update<Block>) -> Feedback {
        match update {
            Update::Tip(round, height, _) => {
                self.progress.tip(round, height.get());
                Feedback::Ok
            }
            Update::Block(block, ack) => match self.blocks.unbounded_send((block, ack)) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

/// The last block of an epoch is durable; the committee of the next one follows from the state after it.
pub(crate) struct Boundary {
    pub(crate) next_epoch: u64,
    pub(crate) block: Digested<Block>,
    pub(crate) committee: Committee,
    /// Dropped once the next epoch is entered: only then is its first block ordered here.
    pub(crate) entered: oneshot::Sender<()>,
}

/// Acknowledgements that a ledger which has halted will never give. Dropping them would stop marshal, and peers may still need what it holds.
type Withheld = Mutex<Vec<Exact>>;

/// An acknowledgement on its way through the ledger.
struct Owed {
    ack: Option<Exact>,
    // Weak, because the ledger holds what is owed and must not hold the engine.
    withheld: Weak<Withheld>,
}

impl Owed {
    fn pay(mut self) {
        if let Some(ack) = self.ack.take() {
            ack.acknowledge();
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let (Some(ack), Some(withheld)) = (self.ack.take(), self.withheld.upgrade()) {
            withheld.lock().push(ack);
        }
    }
}

/// Orders block after block. Blocks after an epoch's last one wait until it is durable, because they depend on the committee that
/// its state names.
pub(crate) async fn deliver(
    mut blocks: mpsc::UnboundedReceiver<(Digested<Block>, Exact)>,
    chain: Chain,
    epocher: FixedEpocher,
    recent: Arc<Recent>,
    progress: Progress,
    boundaries: mpsc::UnboundedSender<Boundary>,
) {
    let withheld = Arc::new(Withheld::default());
    while let Some((block, ack)) = blocks.next().await {
        let height = block.height();
        let epoch = epocher
            .containing(height)
            .expect("every height has an epoch");
        let is_last = epoch.last() == height;
        let mut ack = Some(ack);
        let (done, durable) = oneshot::channel();
        let note = {
            let (recent, progress) = (Arc::clone(&recent), progress.clone());
            let owed = Owed {
                ack: if is_last { None } else { ack.take() },
                withheld: Arc::downgrade(&withheld),
            };
            let digest = block.digest();
            move |delivered| {
                recent.done(height.get());
                progress.durable(digest, &delivered);
                owed.pay();
                let _ = done.send(());
            }
        };
        chain.order(block.inner(), note);
        let Some(ack) = ack else { continue };
        if durable.await.is_err() {
            tracing::error!(%height, "the ledger has stopped; no further block is ordered");
            // As with all that is withheld: the acknowledgement is kept.
            std::future::pending::<()>().await;
        }
        let committee = match chain.committee() {
            Ok(committee) => committee,
            Err(error) => {
                tracing::error!(%error, "the committee of the next epoch cannot be read");
                std::future::pending().await
            }
        };
        let (entered, was_entered) = oneshot::channel();
        let next_epoch = epoch.epoch().get() + 1;
        let boundary = Boundary {
            next_epoch,
            block,
            committee,
            entered,
        };
        if boundaries.unbounded_send(boundary).is_err() {
            return;
        }
        let _ = was_entered.await;
        ack.acknowledge();
    }
}
