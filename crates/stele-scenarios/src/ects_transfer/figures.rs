//! What was measured.

use stele_credentials::education::compact::QR_BYTES_MAX;

use super::Measured;
use crate::frame::{Run, percentile};
use crate::kit::{common_figures, figure, largest, per_second};

pub(super) fn add(run: &mut Run<'_>, measured: &Measured) {
    let Measured { transfers, .. } = measured;
    let codes = measured.code.div_ceil(QR_BYTES_MAX) as f64;
    let least = measured.tenths.iter().min().copied().unwrap_or(0);
    let all = [
        figure(
            "credits-moved",
            least as f64 / 10.0,
            "ECTS",
            Some(30.0),
            "higher",
            format!(
                "in each of {} transfers, as the verifier counts them; more or fewer are refused",
                measured.tenths.len()
            ),
        ),
        figure(
            "chain-bytes-per-transfer",
            measured.chain_bytes as f64,
            "bytes",
            None,
            "lower",
            format!(
                "five signed entries: the student\u{2019}s registration, agreement, change, transcript, decision; mean of {transfers}"
            ),
        ),
        figure(
            "transfers-per-second",
            per_second(*transfers, measured.transferring),
            "transfers/s",
            None,
            "higher",
            format!(
                "{transfers} students, one after the other over HTTP; each of five entries is waited for, papers are signed and six receipts fetched"
            ),
        ),
        figure(
            "transcript-bytes",
            measured.transcript as f64,
            "bytes",
            None,
            "lower",
            "six courses as a signed credential of the European Learning Model, JSON",
        ),
        figure(
            "transcript-code-bytes",
            measured.code as f64,
            "bytes",
            Some(2.0 * QR_BYTES_MAX as f64),
            "lower",
            format!(
                "its short form with the proof of issuance; {} without",
                measured.bare_code
            ),
        ),
        figure(
            "transcript-qr-codes",
            codes,
            "codes",
            Some(2.0),
            "lower",
            "2,953 bytes in each",
        ),
        figure(
            "file-bytes",
            largest(&measured.files),
            "bytes",
            None,
            "lower",
            "all that a student carries: two agreements, two tables, transcript and decision, with salts, keys, proofs and six receipts; the largest",
        ),
        figure(
            "offline-verification-p50",
            percentile(&measured.verifying, 50).as_secs_f64() * 1000.0,
            "ms",
            None,
            "lower",
            format!(
                "one whole file on one thread: six receipts, the transcript\u{2019}s signature over RDF, every grade; median of {}",
                measured.verifying.len()
            ),
        ),
    ];
    for figure in all {
        run.figure(figure);
    }
    common_figures(run);
}
