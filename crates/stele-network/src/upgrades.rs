//! Planned upgrades: a version of a register that will judge from a height on and that this program lacks.

use stele_ledger::ledger::Ledger;

use crate::status::Alarm;

/// An alarm for each upgrade that this program is not ready for. One that has stopped the ledger is not among them: the ledger's own
/// refusal (`node.upgrade-needed`) says so.
pub fn upgrade_alarms(ledger: &Ledger) -> Vec<Alarm> {
    let height = ledger.head().height();
    let due = match ledger.upgrades_due(&[]) {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(%error, "the schedule of registers could not be read");
            return Vec::new();
        }
    };
    let stopped = ledger
        .refusing()
        .is_some_and(|refusal| refusal.code == "node.upgrade-needed");
    let ahead = due
        .into_iter()
        .filter(|upgrade| !stopped || upgrade.height > height.next());
    let alarm = |upgrade: stele_core::machine::Upgrade| {
        Alarm {
        code: "network.upgrade-due".to_owned(),
        message: format!(
            "From block {} on, which is {} blocks ahead, the network judges by version {} of the register {}; this program lacks it.",
            upgrade.height,
            upgrade.height.get().saturating_sub(height.get()),
            upgrade.version,
            upgrade.register,
        ),
        hint: "Install a program that has this version before then; without it this node stops safely before that block."
            .to_owned(),
    }
    };
    ahead.map(alarm).collect()
}
