//! The state before a block as the block's own execution reads it: each path once.
//!
//! The entries of a block read the same few paths again and again: the keys of their signers, the registers in force. The state does
//! not change while a block is executed, so what was read once holds for all of it.

use std::collections::HashMap;

use parking_lot::Mutex;
use stele_core::machine::{Fault, StateReader};

/// See the module. Lives no longer than the execution of one block.
pub(super) struct Reads<'a> {
    base: &'a dyn StateReader,
    /// The map's own seed is random: paths are hashes, but whoever chooses keys can choose among them.
    known: Mutex<HashMap<[u8; 32], Option<Vec<u8>>>>,
}

impl<'a> Reads<'a> {
    pub(super) fn new(base: &'a dyn StateReader) -> Self {
        Self {
            base,
            known: Mutex::default(),
        }
    }
}

impl StateReader for Reads<'_> {
    fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(value) = self.known.lock().get(path) {
            return Ok(value.clone());
        }
        let value = self.base.get_path(path)?;
        self.known.lock().insert(*path, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl StateReader for Counted {
        fn get_path(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match path[0] {
                0 => Ok(None),
                1 => Ok(Some(vec![7])),
                _ => Err(Fault("the disk is gone".to_owned())),
            }
        }
    }

    #[test]
    fn each_path_is_read_once_and_a_fault_is_not_remembered() {
        let state = Counted::default();
        let reads = Reads::new(&state);
        for _ in 0..3 {
            assert_eq!(reads.get_path(&[0; 32]), Ok(None));
            assert_eq!(reads.get_path(&[1; 32]), Ok(Some(vec![7])));
        }
        assert_eq!(state.0.load(Ordering::Relaxed), 2);
        for _ in 0..2 {
            assert!(reads.get_path(&[2; 32]).is_err());
        }
        assert_eq!(state.0.load(Ordering::Relaxed), 4);
    }
}
