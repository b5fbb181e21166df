//! The GS1 EPCIS 2.0 capture and query interface, and what opens the commitments of its events.
//!
//! The interface is GS1's own; its OpenAPI document describes it, so ours only names it (docs/epcis.md).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use stele_epcis::{Method as EpcisMethod, Request as EpcisRequest, Response as EpcisResponse};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// Answers any request below `/epcis`.
pub async fn serve(State(app): State<SharedApp>, request: Request) -> Response {
    let method = match *request.method() {
        Method::GET | Method::HEAD => EpcisMethod::Get,
        Method::POST => EpcisMethod::Post,
        Method::DELETE => EpcisMethod::Delete,
        Method::OPTIONS => EpcisMethod::Options,
        _ => return super::method_not_allowed().await.into_response(),
    };
    let (parts, body) = request.into_parts();
    let path = parts
        .uri
        .path()
        .strip_prefix("/epcis")
        .unwrap_or_default()
        .trim_start_matches('/');
    let path = path
        .split('/')
        .filter(|_| !path.is_empty())
        .map(|segment| decode(segment, false));
    let query = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        });
    let (Some(path), Some(query)) = (
        path.collect::<Option<Vec<_>>>(),
        query.collect::<Option<Vec<_>>>(),
    ) else {
        return Problem::bad_parameter("address", "UTF-8 in percent-encoding").into_response();
    };
    let headers = parts.headers.iter();
    let headers = headers
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let body: Bytes = match axum::body::to_bytes(body, super::BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(_) => {
            let (status, hint) = (StatusCode::PAYLOAD_TOO_LARGE, "Split the document.");
            return Problem::new(
                status,
                "body-too-large",
                "The document is larger than 8 MiB.",
                hint,
            )
            .into_response();
        }
    };
    // Capturing waits for finality and queries read a database: neither belongs on the async threads.
    let answer = tokio::task::spawn_blocking(move || {
        app.epcis.handle(&EpcisRequest {
            method,
            path,
            query,
            headers,
            body: &body,
        })
    });
    match answer.await {
        Ok(answer) => into_response(answer),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

fn into_response(answer: EpcisResponse) -> Response {
    if let Some(cause) = &answer.internal {
        tracing::error!(%cause, "EPCIS request failed");
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.body.map(|body| body.to_string()).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = answer.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, mut value) in answer.headers {
        // Relative to the interface's own address, as the service gives it.
        if name == "Location" && !value.starts_with('/') {
            value = format!("/epcis/{value}");
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    response
}

/// Decodes percent-encoding; `+` is a space in a query only.
fn decode(text: &str, in_query: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                out.push(byte[0]);
            }
            b'+' if in_query => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

/// What opens the commitment of an event: with the entry's receipt it proves the event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// The event; its canonical form (RFC 8785) was committed to.
    #[schema(value_type = Object)]
    pub event: Value,
    /// The salt that the owner kept, in hex.
    pub salt: String,
    /// `SHA-256(salt || canonical event)`, in hex: what the entry holds.
    pub commitment: String,
    /// The entry, in hex; its receipt is at `/v1/entries/{id}/receipt`.
    pub entry_id: Option<String>,
}

/// The event with this id, and its error declaration behind it, with what opens their commitments.
#[utoipa::path(get, path = "/v1/epcis/events/{id}/evidence", tag = "epcis",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, body = Vec<EvidenceView>), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn evidence(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
) -> Answer<Json<Vec<EvidenceView>>> {
    let found = tokio::task::spawn_blocking(move || app.epcis.evidence(&id)).await;
    let found = found
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| Problem::internal(&error))?;
    if found.is_empty() {
        return Err(Problem::not_found("event with this id"));
    }
    let view = found.into_iter().map(|evidence| EvidenceView {
        event: evidence.event,
        salt: hex::encode(evidence.salt),
        commitment: hex::encode(evidence.commitment),
        entry_id: evidence.entry_id.map(hex::encode),
    });
    Ok(Json(view.collect()))
}
