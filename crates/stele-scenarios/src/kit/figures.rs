//! Figures that scenarios about credentials share.

use std::time::Duration;

use crate::frame::{Figure, Run, percentile};

/// A figure without a peer.
pub(crate) fn figure(
    id: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
    better: &'static str,
    note: impl Into<String>,
) -> Figure {
    Figure {
        id,
        value,
        unit,
        goal,
        better,
        peer: None,
        note: note.into(),
    }
}

/// So many in this time.
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// The largest size, in bytes.
pub(crate) fn largest(sizes: &[usize]) -> f64 {
    sizes.iter().copied().max().unwrap_or(0) as f64
}

/// Finality and receipts, as each scenario reports them.
pub(crate) fn common_figures(run: &mut Run<'_>) {
    let count = run.finality().count();
    for (id, percent, goal) in [("finality-p50", 50, 50.0), ("finality-p99", 99, 250.0)] {
        let value = run.finality().percentile(percent).as_secs_f64() * 1000.0;
        let note = format!(
            "from the request to the final block over HTTP, {count} entries one after the other"
        );
        run.figure(figure(id, value, "ms", Some(goal), "lower", note));
    }
    let (times, sizes) = run.receipts();
    let (median, count) = (percentile(times, 50), sizes.len());
    run.figure(figure(
        "receipts-verified",
        count as f64,
        "receipts",
        None,
        "higher",
        "verified under the network\u{2019}s key by the scenario itself; those that papers carry are not counted",
    ));
    run.figure(figure(
        "receipt-verification-p50",
        median.as_secs_f64() * 1000.0,
        "ms",
        Some(2.0),
        "lower",
        format!("one verification on one thread; median of {count} receipts"),
    ));
}
