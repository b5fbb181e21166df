//! What was measured, and the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stele_core::calendar::format_date_time;

use super::Measured;
use crate::frame::{Figure, Run, percentile};

/// The bytes that one QR code holds at most: version 40, level L, byte mode (ISO/IEC 18004 table 7).
const QR_BYTES: f64 = 2953.0;

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

/// Now, in seconds since 1970.
pub(super) fn now_s() -> u64 {
    now_ms() / 1000
}

/// A time in UTC, to the millisecond.
pub(super) fn when(ms: u64) -> String {
    format_date_time(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

fn largest(sizes: &[usize]) -> f64 {
    sizes.iter().copied().max().unwrap_or(0) as f64
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
    let pairs = measured.credentials.iter().zip(&measured.proofs);
    let together: Vec<usize> = pairs
        .map(|(credential, proof)| credential + proof)
        .collect();
    let mut all = vec![
        figure(
            "diplomas-issued-per-second",
            per_second(measured.issued, measured.issuing),
            "diplomas/s",
            None,
            "higher",
            format!(
                "{} SD-JWT VC with ten fields, signed one after the other with Ed25519 on one thread",
                measured.issued
            ),
        ),
        figure(
            "diplomas-verified-per-second",
            per_second(measured.verified, measured.verifying),
            "diplomas/s",
            None,
            "higher",
            format!(
                "{} presentations, one after the other on one thread: issuer (Ed25519), holder (P-256), receipt and path of the batch, receipt and path of the status list, and its signature",
                measured.verified
            ),
        ),
        figure(
            "diploma-bytes",
            largest(&measured.credentials),
            "bytes",
            None,
            "lower",
            "the largest diploma with all its disclosures".to_owned(),
        ),
        figure(
            "proof-bytes",
            largest(&measured.proofs),
            "bytes",
            None,
            "lower",
            "salt, path and receipt of the batch; the largest".to_owned(),
        ),
        figure(
            "diploma-and-proof-bytes",
            largest(&together),
            "bytes",
            Some(2.0 * QR_BYTES),
            "lower",
            "what two QR codes of 2,953 bytes carry; the largest".to_owned(),
        ),
        figure(
            "diploma-and-proof-qr-codes",
            (largest(&together) / QR_BYTES).ceil(),
            "codes",
            Some(2.0),
            "lower",
            "2,953 bytes in each".to_owned(),
        ),
        figure(
            "status-shard-bytes",
            largest(&measured.shards),
            "bytes",
            None,
            "lower",
            format!(
                "the largest of {} signed shards of 4,096 places, as JWT",
                measured.shards.len()
            ),
        ),
    ];
    let count = run.finality().count();
    for (id, percent, goal) in [("finality-p50", 50, 50.0), ("finality-p99", 99, 250.0)] {
        let value = run.finality().percentile(percent).as_secs_f64() * 1000.0;
        all.push(figure(
            id,
            value,
            "ms",
            Some(goal),
            "lower",
            format!(
                "from the request to the final block over HTTP, {count} entries one after the other"
            ),
        ));
    }
    let (times, sizes) = run.receipts();
    let (median, count) = (percentile(times, 50), sizes.len());
    all.push(figure("receipts-verified", count as f64, "receipts", None, "higher", "kept as evidence, under the network\u{2019}s key; those that diplomas carry are not counted".to_owned()));
    all.push(figure(
        "receipt-verification-p50",
        median.as_secs_f64() * 1000.0,
        "ms",
        Some(2.0),
        "lower",
        format!("one verification on one thread; median of {count} receipts"),
    ));
    for figure in all {
        run.figure(figure);
    }
}
