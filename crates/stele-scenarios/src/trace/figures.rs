//! What was measured.

use std::time::Duration;

use super::Measured;
use crate::frame::{Figure, Run, percentile};

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(super) fn add(run: &mut Run<'_>, measured: &Measured) {
    let figure = |id, value, unit, goal, better, note: String| Figure {
        id,
        value,
        unit,
        goal,
        better,
        peer: None,
        note,
    };
    let mut all = vec![figure(
        "events-captured-per-second",
        measured.events as f64 / measured.capturing.as_secs_f64().max(1e-9),
        "events/s",
        None,
        "higher",
        format!(
            "{} events sent document by document over HTTP, each job waited for: validated, stored durably and final on the chain",
            measured.events
        ),
    )];
    let count = run.finality().count();
    for (id, percent, goal) in [("finality-p50", 50, 50.0), ("finality-p99", 99, 250.0)] {
        let value = ms(run.finality().percentile(percent));
        let note = format!(
            "from the request to the final block over HTTP, {count} entries one after the other, signed by the node"
        );
        all.push(figure(id, value, "ms", Some(goal), "lower", note));
    }
    let (times, sizes) = run.receipts();
    let (times, sizes) = (times.to_vec(), sizes.len());
    all.push(figure(
        "receipts-verified",
        sizes as f64,
        "receipts",
        None,
        "higher",
        "under the network\u{2019}s key, with stele-core, the moment each arrived".to_owned(),
    ));
    all.push(figure(
        "receipt-verification-p50",
        ms(percentile(&times, 50)),
        "ms",
        Some(2.0),
        "lower",
        format!("one verification on one thread: the network\u{2019}s signature, the log path and the state path; median of {sizes} receipts"),
    ));
    all.push(figure(
        "receipt-bytes-max",
        measured.slim_receipts.iter().copied().max().unwrap_or(0) as f64,
        "bytes",
        Some(2048.0),
        "lower",
        format!(
            "the largest of {} entry receipts without the entry itself",
            measured.slim_receipts.len()
        ),
    ));
    all.push(figure(
        "item-history-answer-time",
        ms(measured.journey),
        "ms",
        None,
        "lower",
        "from \u{201c}where has this bottle been\u{201d} to the last verified receipt of its history".to_owned(),
    ));
    let mut recall = figure(
        "recall-answer-time",
        ms(measured.holders),
        "ms",
        None,
        "lower",
        "from \u{201c}who holds the recalled lot\u{201d} to the verified holder of its every bottle".to_owned(),
    );
    recall.peer = Some(
        "US law gives 24 hours for the records of a food\u{2019}s way (21 CFR 1.1455)".to_owned(),
    );
    all.push(recall);
    if let Some((given, captured)) = measured.given {
        all.push(figure(
            "documents-accepted",
            captured as f64,
            "documents",
            None,
            "higher",
            format!("of {given} given files; the others are listed with the reason"),
        ));
    }
    for figure in all {
        run.figure(figure);
    }
}
