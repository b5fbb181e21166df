//! A witness over HTTP: `POST /add-checkpoint`, and `GET /HASH/checkpoint` for monitors (C2SP tlog-witness).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use stele_core::witness::SIZE_CONTENT_TYPE;
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

use crate::REQUEST_BYTES_MAX;
use crate::service::{Refusal, Witness};

const TEXT: &str = "text/plain; charset=utf-8";
/// How long one request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the witness until `stop` is ready.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    witness: Arc<Witness>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{hash}/checkpoint", get(checkpoint))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .with_state(witness);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}

async fn about(State(witness): State<Arc<Witness>>) -> Response {
    let key = witness.verifier().format();
    ([(header::CONTENT_TYPE, TEXT)], key + "\n").into_response()
}

async fn checkpoint(State(witness): State<Arc<Witness>>, Path(hash): Path<String>) -> Response {
    match witness.checkpoint(&hash) {
        Some(note) => ([(header::CONTENT_TYPE, TEXT)], note).into_response(),
        None => problem(
            404,
            "witness.unknown-log",
            "This witness has cosigned no checkpoint of such a log.",
            "The address has the SHA-256 of the log's origin in lower-case hexadecimal.",
        ),
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // Signatures and the disk: neither belongs on a thread that serves others.
    let judged = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now())).await;
    match judged.expect("judging does not panic") {
        Ok(line) => ([(header::CONTENT_TYPE, TEXT)], line).into_response(),
        Err(Refusal::OtherSize { size }) => (
            StatusCode::CONFLICT,
            [(header::CONTENT_TYPE, SIZE_CONTENT_TYPE)],
            format!("{size}\n"),
        )
            .into_response(),
        Err(refusal) => {
            if let Refusal::Storage(cause) = &refusal {
                tracing::error!(%cause, source = ?std::error::Error::source(cause), "the state could not be written");
            } else {
                tracing::info!(%refusal, "refused");
            }
            problem(
                refusal.status(),
                refusal.code(),
                &format!("{refusal}."),
                refusal.hint(),
            )
        }
    }
}

/// A refusal as problem details (RFC 9457).
fn problem(status: u16, code: &str, detail: &str, hint: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("one of C2SP's");
    let body = json!({
        "type": format!("urn:stele:problem:{code}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "hint": hint,
    });
    let headers = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, headers, body.to_string()).into_response()
}

/// The system's clock in seconds since 1970; 1 before that, since a cosignature names a time.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs().max(1))
}
