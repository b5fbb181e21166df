//! What was measured.

use super::Story;
use crate::frame::{Run, percentile};
use crate::kit::{common_figures, figure, per_second};

pub(super) fn add(run: &mut Run<'_>, story: &Story) {
    let cases = story.simple.len();
    let mut blocks = story.blocks.clone();
    blocks.sort_unstable();
    let bytes = story.simple_bytes.iter().sum::<usize>() as f64 / cases.max(1) as f64;
    let all = [
        figure(
            "cases-per-second",
            per_second(cases, story.deciding),
            "cases/s",
            None,
            "higher",
            format!(
                "{cases} cases, applied for and decided one after the other, two entries each, over HTTP"
            ),
        ),
        figure(
            "application-to-decision-p50",
            percentile(&story.waits, 50).as_secs_f64() * 1000.0,
            "ms",
            None,
            "lower",
            format!(
                "from the request that applies to the final decision, with an office that decides at once; median of {cases}"
            ),
        ),
        figure(
            "application-to-decision-blocks",
            blocks.get(blocks.len() / 2).copied().unwrap_or(0) as f64,
            "blocks",
            None,
            "lower",
            format!(
                "from the block that received an application to the one that decided it; median of {cases}"
            ),
        ),
        figure(
            "bytes-per-case",
            bytes,
            "bytes",
            None,
            "lower",
            format!("signed entries of a case that is applied for and granted; mean of {cases}"),
        ),
        figure(
            "bytes-of-disputed-case",
            story.disputed_bytes as f64,
            "bytes",
            None,
            "lower",
            "signed entries of the case of the story: its nine steps, of which the hand-over has two signatures",
        ),
        figure(
            "credential-check-p50",
            percentile(&story.checking, 50).as_secs_f64() * 1000.0,
            "ms",
            None,
            "lower",
            format!(
                "an office checks one presented credential offline, on one thread; median of {}",
                story.checking.len()
            ),
        ),
    ];
    for figure in all {
        run.figure(figure);
    }
    common_figures(run);
}
