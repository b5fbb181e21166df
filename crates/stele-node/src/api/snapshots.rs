//! Snapshots for new nodes: what is offered, and its bytes in chunks. All of it is checked by whoever takes it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// A snapshot that this node offers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SnapshotView {
    /// Its id: the hash of its manifest, in hex.
    pub id: String,
    /// The block that it is of.
    pub height: u64,
    /// Entries in the log then.
    pub entries: u64,
    /// Keys in the state then.
    pub keys: u64,
    /// Bytes of all chunks.
    pub bytes: u64,
    /// Chunks, numbered from 0.
    pub chunks: u32,
}

fn none() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "snapshot.none",
        "This node offers no such snapshot.",
        "GET /v1/snapshot names the newest; a node makes them with `stele up --snapshot-every`. Ask another node, or let the new node execute the log.",
    )
}

fn source(
    app: &SharedApp,
    id: &str,
) -> Answer<std::sync::Arc<stele_ledger::snapshot::SnapshotSource>> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(id, &mut bytes).map_err(|_| none())?;
    app.snapshots.find(&bytes).ok_or_else(none)
}

/// The newest snapshot that this node offers.
#[utoipa::path(get, path = "/v1/snapshot", tag = "network", responses((status = 200, body = SnapshotView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed")))]
pub async fn newest(State(app): State<SharedApp>) -> Answer<Json<SnapshotView>> {
    let source = app.snapshots.newest().ok_or_else(none)?;
    let manifest = source.manifest();
    Ok(Json(SnapshotView {
        id: hex::encode(manifest.id()),
        height: manifest.height().get(),
        entries: manifest.certificate.header.tree_size.get(),
        keys: manifest.keys,
        bytes: manifest.bytes(),
        chunks: manifest.chunk_count(),
    }))
}

/// The manifest of a snapshot: certificates, sizes and the hash of each chunk (docs/format.md).
#[utoipa::path(get, path = "/v1/snapshot/{id}/manifest", tag = "network", params(("id" = String, Path, description = "The snapshot's id, in hex")),
    responses((status = 200, body = Vec<u8>, content_type = "application/cbor"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed")))]
pub async fn manifest(State(app): State<SharedApp>, Path(id): Path<String>) -> Answer<Response> {
    let source = source(&app, &id)?;
    let headers = [(header::CONTENT_TYPE, "application/cbor")];
    Ok((headers, source.manifest_bytes().to_vec()).into_response())
}

/// One chunk of a snapshot.
#[utoipa::path(get, path = "/v1/snapshot/{id}/chunks/{index}", tag = "network",
    params(("id" = String, Path, description = "The snapshot's id, in hex"), ("index" = u32, Path, description = "The chunk's number, from 0")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn chunk(
    State(app): State<SharedApp>,
    Path((id, index)): Path<(String, u32)>,
) -> Answer<Response> {
    let source = source(&app, &id)?;
    if index >= source.manifest().chunk_count() {
        return Err(none());
    }
    let read = tokio::task::spawn_blocking(move || source.chunk(index)).await;
    let bytes = read
        .expect("reading does not panic")
        .map_err(|error| Problem::internal(&error))?;
    let headers = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((headers, bytes).into_response())
}
