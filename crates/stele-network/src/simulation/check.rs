//! What must hold of the nodes' logs after any run. Reads records and certificates as any auditor would; shares no code with the stack.

use std::collections::HashSet;
use std::sync::Arc;

use stele_core::genesis::Genesis;
use stele_core::id::{Height, LogIndex};
use stele_ledger::ledger::{Finalised, Ledger};

/// Every node has the same blocks, each signed by the network, each naming the one before, and no entry twice. Returns how many
/// blocks there are.
pub(super) fn agreement(genesis: &Genesis, ledgers: &[Arc<Ledger>]) -> u64 {
    let lowest = ledgers
        .iter()
        .map(|ledger| ledger.head().height().get())
        .min()
        .expect("nodes");
    let mut seen = HashSet::new();
    let mut previous = None;
    let mut size = 0;
    for height in 0..=lowest {
        let height = Height::new(height);
        let certificate = ledgers[0].certificate(height).expect("a final block");
        certificate
            .verify(&genesis.network_key)
            .expect("the network signs every block");
        for ledger in &ledgers[1..] {
            let other = ledger.certificate(height).expect("a final block");
            assert_eq!(
                certificate, other,
                "two nodes have different blocks at height {height}"
            );
        }
        if let Some(previous) = previous {
            assert_eq!(
                certificate.header.previous, previous,
                "block {height} names another one before it"
            );
        }
        previous = Some(certificate.block_hash());
        let first = ledgers[0]
            .log()
            .first_index(height)
            .expect("in the log")
            .get();
        assert_eq!(
            first, size,
            "block {height} does not begin where the one before ends"
        );
        size = certificate.header.tree_size.get();
        for index in first..size {
            let entry = ledgers[0].entry(LogIndex::new(index)).expect("in the log");
            assert!(
                seen.insert(entry.record.entry_id),
                "entry {} was executed twice",
                entry.record.entry_id
            );
        }
    }
    lowest
}

/// Whatever a node acknowledged as final is in the log of every node, at the place and with the outcome that it said.
pub(super) fn durability(ledgers: &[Arc<Ledger>], acknowledged: &[(usize, Finalised)]) {
    for (by, done) in acknowledged {
        for ledger in ledgers {
            let entry = ledger.entry(done.log_index);
            let entry = entry.unwrap_or_else(|error| {
                panic!(
                    "node {by} acknowledged entry {} and another node lacks it: {error}",
                    done.entry_id
                )
            });
            assert_eq!(
                entry.record, done.record,
                "node {by} acknowledged another outcome"
            );
        }
    }
}
