//! Errors as the API answers them: RFC 9457 problem details with a code, a plain sentence and a hint.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stele_core::machine::Refusal;
use utoipa::ToSchema;

/// A refused request (RFC 9457). `code` names the rule, `detail` is one plain sentence, `hint` the next step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A URN for the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// One short phrase, the same for all problems of a status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One plain sentence about this case.
    pub detail: String,
    /// The rule that refused, such as `entry.expired`.
    pub code: String,
    /// The next step; empty where there is none.
    pub hint: String,
}

impl Problem {
    /// Builds a problem.
    pub fn new(
        status: StatusCode,
        code: &str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("urn:stele:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            hint: hint.into(),
        }
    }

    /// Nothing of this name exists here.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("There is no {what} here."),
            "Check the id or the address.",
        )
    }

    /// A parameter is not what it must be.
    pub fn bad_parameter(name: &str, expected: &str) -> Self {
        let detail = format!("The parameter `{name}` is wrong: expected {expected}.");
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-parameter",
            detail,
            "See /openapi.json for what each parameter takes.",
        )
    }

    /// Something failed inside the node. The caller learns that it did; the cause goes to the log only.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "node.internal",
            "The node could not read its own data.",
            "The operator finds the cause in the node's log; `stele doctor` names damaged files.",
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(
            status_of(&refusal.code),
            &refusal.code,
            refusal.sentence,
            refusal.hint,
        )
    }
}

impl From<stele_credentials::Refusal> for Problem {
    fn from(refusal: stele_credentials::Refusal) -> Self {
        let status = match refusal.code() {
            "office.issuer-unknown"
            | "office.offer-unknown"
            | "office.issued-unknown"
            | "office.request-over"
            | "presentation.unknown" => StatusCode::NOT_FOUND,
            "office.busy" | "passkey.busy" => StatusCode::SERVICE_UNAVAILABLE,
            code if code.starts_with("passkey.") => StatusCode::FORBIDDEN,
            "office.keeping" => {
                tracing::error!(cause = refusal.detail(), "the office's file failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let detail = match refusal.detail() {
            Some(detail) if status != StatusCode::INTERNAL_SERVER_ERROR => {
                format!("{} ({detail})", refusal.sentence())
            }
            _ => refusal.sentence().to_owned(),
        };
        Self::new(status, refusal.code(), detail, refusal.hint())
    }
}

/// The one table of statuses for refusals.
fn status_of(code: &str) -> StatusCode {
    match code {
        "entry.too-large" => StatusCode::PAYLOAD_TOO_LARGE,
        "entry.replayed" => StatusCode::CONFLICT,
        "entry.bad-signature" | "identity.unknown-key" | "identity.key-revoked" => {
            StatusCode::FORBIDDEN
        }
        "node.busy" => StatusCode::TOO_MANY_REQUESTS,
        "node.disk-full" => StatusCode::INSUFFICIENT_STORAGE,
        "node.halted" | "node.upgrade-needed" | "node.read-only" => StatusCode::SERVICE_UNAVAILABLE,
        "node.unknown-outcome" => StatusCode::GATEWAY_TIMEOUT,
        code if code.starts_with("identity.") => StatusCode::FORBIDDEN,
        code if code.starts_with("entry.") => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        // For the metrics, which count refusals by their rule.
        response
            .extensions_mut()
            .insert(crate::auth::guard::ProblemCode(self.code));
        response
    }
}

/// What a handler returns.
pub type Answer<T> = Result<T, Problem>;
