//! Submitting, reading and proving entries.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stele_core::id::{EntryId, LogIndex};
use stele_ledger::ledger::{Finalised, LedgerError};
use stele_ledger::log::{LogError, TreeError};
use utoipa::{IntoParams, ToSchema};

use super::view::{Binary, EntryView, OutcomeView, entry_view};
use crate::app::{SharedApp, Submitted};
use crate::problem::{Answer, Problem};

/// How a submission waits.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SubmitQuery {
    /// `final` waits until the entry is in a final block; otherwise the answer comes once its signatures are checked.
    pub wait: Option<String>,
}

/// The answer to a submission.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmitAnswer {
    /// The entry's id, in hex.
    pub entry_id: String,
    /// `accepted` or `final`.
    pub status: &'static str,
    /// The entry's place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// The block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The block's time, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeView>,
}

impl SubmitAnswer {
    /// The answer for a final entry.
    pub fn final_entry(done: &Finalised) -> Self {
        let mut outcome = OutcomeView::of(&done.record.outcome);
        if let Some(refusal) = &done.refusal {
            outcome.detail = Some(refusal.sentence.clone());
            outcome.hint = Some(refusal.hint.clone());
        }
        Self {
            entry_id: done.entry_id.to_string(),
            status: "final",
            log_index: Some(done.log_index.get()),
            height: Some(done.record.height.get()),
            time_ms: Some(done.record.time.get()),
            outcome: Some(outcome),
        }
    }
}

/// Submits an entry: a COSE_Sign1 as docs/format.md section 3 describes it.
///
/// A refusal before ordering is a problem document and leaves no trace. An entry that a rule of its register refuses is ordered,
/// recorded with the reason, and answered with `outcome.applied: false`.
#[utoipa::path(
    post, path = "/v1/entries", tag = "entries", params(SubmitQuery),
    request_body(content = Binary, content_type = "application/cose"),
    responses(
        (status = 200, body = SubmitAnswer, description = "The entry is final"),
        (status = 202, body = SubmitAnswer, description = "The entry is admitted and waits for a block"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now"),
    )
)]
pub async fn submit(
    State(app): State<SharedApp>,
    Query(query): Query<SubmitQuery>,
    body: Bytes,
) -> Answer<Response> {
    let wait_final = match query.wait.as_deref() {
        None | Some("admitted") => false,
        Some("final") => true,
        Some(_) => return Err(Problem::bad_parameter("wait", "`final` or `admitted`")),
    };
    match app.submit(body.to_vec(), wait_final).await? {
        Submitted::Admitted(id) => {
            let answer = SubmitAnswer {
                entry_id: id.to_string(),
                status: "accepted",
                log_index: None,
                height: None,
                time_ms: None,
                outcome: None,
            };
            Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
        }
        Submitted::Final(done) => Ok(Json(SubmitAnswer::final_entry(&done)).into_response()),
    }
}

pub(super) fn parse_id(text: &str) -> Answer<EntryId> {
    text.parse()
        .map_err(|_| Problem::bad_parameter("id", "64 hexadecimal digits"))
}

pub(super) async fn locate(app: &SharedApp, id: &str) -> Answer<LogIndex> {
    let id = parse_id(id)?;
    let found = app
        .find_entry(id)
        .await
        .map_err(|error| Problem::internal(&error))?;
    found.ok_or_else(|| Problem::not_found("entry with this id"))
}

/// What the log does not hold, or holds where it cannot be read, is no failure of the node's own data.
pub(super) fn internal(error: LedgerError) -> Problem {
    match &error {
        LedgerError::Log(log) | LedgerError::Tree(TreeError::Log(log)) => unread(log),
        LedgerError::Tree(tree) => unproven(tree),
        _ => Problem::internal(&error),
    }
}

/// A part of the log that could not be read.
pub(super) fn unread(error: &LogError) -> Problem {
    let (status, code) = match error {
        LogError::BeforeBase { .. } => (StatusCode::NOT_FOUND, "node.before-base"),
        LogError::Archived { .. } => (StatusCode::SERVICE_UNAVAILABLE, "node.archive-missing"),
        _ => return Problem::internal(error),
    };
    tracing::warn!(%error, "request refused");
    let (detail, hint) = match error {
        // The operator finds the file's name in the log; a caller has no use for it.
        LogError::Archived { first_height, .. } => (
            format!(
                "The archived part of the log that begins with block {first_height} cannot be read now."
            ),
            "Ask another node. The operator puts the file back into the archive's folder; the node's log names it.",
        ),
        _ => (
            format!("The log begins later: {error}."),
            "Ask a node that holds the whole log.",
        ),
    };
    Problem::new(status, code, detail, hint)
}

/// A part of the log's tree that could not be read.
pub(super) fn unproven(error: &TreeError) -> Problem {
    match error {
        TreeError::Log(log) => unread(log),
        TreeError::BeforeBase { .. } => Problem::new(
            StatusCode::NOT_FOUND,
            "node.before-base",
            format!("The log begins later: {error}."),
            "Ask a node that holds the whole log.",
        ),
        _ => Problem::internal(error),
    }
}

/// One entry with its commands, events and outcome.
#[utoipa::path(
    get, path = "/v1/entries/{id}", tag = "entries",
    params(("id" = String, Path, description = "The entry's id, 64 hex digits")),
    responses((status = 200, body = EntryView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now"))
)]
pub async fn read(State(app): State<SharedApp>, Path(id): Path<String>) -> Answer<Json<EntryView>> {
    let index = locate(&app, &id).await?;
    let entry = app.ledger.entry(index).map_err(internal)?;
    Ok(Json(entry_view(&app.registry, &entry)))
}

/// The entry as it was signed.
#[utoipa::path(
    get, path = "/v1/entries/{id}/envelope", tag = "entries",
    params(("id" = String, Path, description = "The entry's id, 64 hex digits")),
    responses((status = 200, body = Binary, content_type = "application/cose"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now"))
)]
pub async fn envelope(State(app): State<SharedApp>, Path(id): Path<String>) -> Answer<Response> {
    let index = locate(&app, &id).await?;
    let entry = app.ledger.entry(index).map_err(internal)?;
    Ok((
        [(header::CONTENT_TYPE, "application/cose")],
        entry.entry.into_bytes(),
    )
        .into_response())
}

/// What a receipt should carry.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ReceiptQuery {
    /// `false` leaves the entry and its events out; the receipt then has at most 2 KiB.
    pub entry: Option<bool>,
}

/// The entry's receipt: a self-contained proof for anyone who has the network key.
#[utoipa::path(
    get, path = "/v1/entries/{id}/receipt", tag = "entries",
    params(("id" = String, Path, description = "The entry's id, 64 hex digits"), ReceiptQuery),
    responses((status = 200, body = Binary, content_type = "application/stele-receipt+cbor"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now"))
)]
pub async fn receipt(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(query): Query<ReceiptQuery>,
) -> Answer<Response> {
    let index = locate(&app, &id).await?;
    let receipt = app
        .entry_receipt(index, query.entry.unwrap_or(true))
        .map_err(internal)?;
    Ok(receipt_response(receipt.encode(), &id))
}

/// A receipt as a download.
pub(super) fn receipt_response(bytes: Vec<u8>, name: &str) -> Response {
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/stele-receipt+cbor".to_owned(),
        ),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.receipt\""),
        ),
    ];
    (headers, bytes).into_response()
}
