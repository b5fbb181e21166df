//! What scenarios about credentials share: offices with keys of their own, papers under issuance proofs, published status, refusals.
//!
//! Everything a verifier does here is offline: it gets bytes, the network's key and the time.

mod figures;
mod issuer;
mod office;
mod paper;
pub(crate) mod random;
mod refusal;
mod state;
mod status;

use std::time::{SystemTime, UNIX_EPOCH};

use stele_core::calendar::format_date_time;

pub(crate) use figures::{common_figures, figure, largest, per_second};
pub(crate) use issuer::{Certificate, Issuer, Question};
pub(crate) use office::{Office, attempt, prove, receipt_of_state, submit};
pub(crate) use paper::{Accepted, Paper, PaperRule, commit_body, judge_paper};
pub(crate) use refusal::{Refused, accepted, outcome, refused, sent, show_refusals};
pub(crate) use state::{KeyReport, StateMap, null_or, one_claim, version};
pub(crate) use status::StatusLists;

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

/// Now, in seconds since 1970.
pub(crate) fn now_s() -> u64 {
    now_ms() / 1000
}

/// A time in UTC, to the millisecond.
pub(crate) fn when(ms: u64) -> String {
    format_date_time(i64::try_from(ms).unwrap_or(i64::MAX))
}
