//! What was measured.

use std::time::Duration;

use super::Measured;
use crate::frame::{Run, percentile};
use crate::kit::{common_figures, figure, largest, per_second};

pub(super) fn add(run: &mut Run<'_>, measured: &Measured) {
    let verified = measured.verifying.len();
    let verifying: Duration = measured.verifying.iter().sum();
    let all = [
        figure(
            "stations-enrolled-per-second",
            per_second(measured.enrolled, measured.enrolling),
            "stations/s",
            None,
            "higher",
            format!(
                "{} records of 64 bytes in one signed entry, from the request to the final block over HTTP",
                measured.enrolled
            ),
        ),
        figure(
            "stations-claimed-per-second",
            per_second(measured.claimed, measured.claiming),
            "stations/s",
            None,
            "higher",
            format!(
                "{} stations, one after the other, each with an entry of its own",
                measured.claimed
            ),
        ),
        figure(
            "place-bytes",
            largest(&measured.places),
            "bytes",
            None,
            "lower",
            "record and path of a station in its roll, without the receipts of roll and member",
        ),
        figure(
            "answer-bytes",
            largest(&measured.answers),
            "bytes",
            None,
            "lower",
            "all that one station hands over: two papers with proofs and status, place in the roll, and three receipts; the largest",
        ),
        figure(
            "offline-verification-p50",
            percentile(&measured.verifying, 50).as_secs_f64() * 1000.0,
            "ms",
            None,
            "lower",
            format!(
                "one whole answer on one thread: six signatures of papers and lists, seven receipts; median of {verified}"
            ),
        ),
        figure(
            "answers-verified-per-second",
            per_second(verified, verifying),
            "answers/s",
            None,
            "higher",
            format!("{verified} answers, one after the other on one thread"),
        ),
    ];
    for figure in all {
        run.figure(figure);
    }
    common_figures(run);
}
