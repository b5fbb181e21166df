//! Which block was the newest one at a moment.

use stele_core::id::{Height, TimeMs};
use stele_ledger::ledger::{Ledger, LedgerError};

/// The newest block whose time is not after `time`; `None` when the network is younger, or the ledger begins later (after a
/// snapshot). Block times never fall, so this is a binary search: one header for each doubling of the height.
///
/// # Errors
/// [`LedgerError`] when a header cannot be read.
pub fn height_at(ledger: &Ledger, time: TimeMs) -> Result<Option<Height>, LedgerError> {
    let (mut low, mut high) = (
        ledger.log().first_height().get(),
        ledger.head().height().get(),
    );
    let is_after = |height: u64| -> Result<bool, LedgerError> {
        let header = ledger.certificate(Height::new(height))?.header;
        Ok(header.time > time)
    };
    if is_after(low)? {
        return Ok(None);
    }
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if is_after(middle)? {
            high = middle - 1;
        } else {
            low = middle;
        }
    }
    Ok(Some(Height::new(low)))
}
