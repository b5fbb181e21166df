//! The log for monitors and witnesses: checkpoint and tiles (C2SP tlog-tiles), and single proofs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stele_core::merkle::leaf_hash;
use stele_ledger::tiles::{TILE_WIDTH, TileError, TilePath, entry_bundle, hash_tile};
use utoipa::{IntoParams, ToSchema};

use super::entries::{unproven, unread};
use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// A full tile never changes.
const CACHE_FULL: &str = "public, max-age=31536000, immutable";
/// A partial tile does not change either, but a fuller one takes its place.
const CACHE_PARTIAL: &str = "public, max-age=3600";
const TEXT: &str = "text/plain; charset=utf-8";

/// The log as a signed note (C2SP tlog-checkpoint): the newest checkpoint that witnesses cosigned, with their lines, or the
/// newest final block's where the node asks no witnesses or none has answered yet.
#[utoipa::path(get, path = "/log/checkpoint", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn checkpoint(State(app): State<SharedApp>) -> Answer<Response> {
    // A signature, and maybe a read of the log.
    let note = blocking(move || {
        let note = app.checkpoint().format();
        note.map_err(|error| Problem::internal(&error))
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, note).into_response())
}

/// The keys under which the checkpoint verifies, one a line, as C2SP signed notes write them; each is enough alone.
#[utoipa::path(get, path = "/log/key", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn key(State(app): State<SharedApp>) -> Response {
    let keys = app.log_keys().join("\n") + "\n";
    ([(header::CONTENT_TYPE, TEXT)], keys).into_response()
}

/// One witness that the node asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WitnessView {
    /// Its name.
    pub name: String,
    /// Its key, as a C2SP verifier key.
    pub key: String,
    /// Its address.
    pub url: String,
    /// The size of the log that it cosigned last for this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned_size: Option<u64>,
    /// When, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned_time: Option<u64>,
    /// Why it gave nothing the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The log for witnesses, and the witnesses that the node asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WitnessesView {
    /// The log's name in checkpoints.
    pub origin: String,
    /// The keys under which its checkpoints verify, each enough alone.
    pub keys: Vec<String>,
    /// The witnesses.
    pub witnesses: Vec<WitnessView>,
}

/// What a witness is given of this log, and how the node's witnesses do.
#[utoipa::path(get, path = "/log/witnesses", tag = "log", responses((status = 200, body = WitnessesView)))]
pub async fn witnesses(State(app): State<SharedApp>) -> Json<WitnessesView> {
    let witnesses = app.witnesses.states().into_iter().map(|state| WitnessView {
        name: state.key.name().to_owned(),
        key: state.key.format(),
        url: state.url,
        cosigned_size: state.cosigned.map(|(size, _)| size),
        cosigned_time: state.cosigned.map(|(_, time)| time),
        problem: state.problem,
    });
    Json(WitnessesView {
        origin: app.ledger.log_origin(),
        keys: app.log_keys(),
        witnesses: witnesses.collect(),
    })
}

/// A hash tile or a bundle of records, by its C2SP path behind `/log/`: `tile/0/x001/234`, `tile/entries/000.p/5`.
pub async fn tile(State(app): State<SharedApp>, Path(path): Path<String>) -> Answer<Response> {
    let path = TilePath::parse(&format!("tile/{path}")).map_err(|_| {
        let detail = "This is not the path of a tile.";
        let hint = "C2SP tlog-tiles describes the paths: tile/<level>/<index>[.p/<width>] and tile/entries/<index>[.p/<width>].";
        Problem::new(StatusCode::NOT_FOUND, "log.bad-tile-path", detail, hint)
    })?;
    let read = tokio::task::spawn_blocking(move || match path {
        TilePath::Hashes {
            level,
            index,
            width,
        } => hash_tile(app.ledger.tree(), level, index, width),
        TilePath::Entries { index, width } => entry_bundle(app.ledger.log(), index, width),
    });
    let bytes = read
        .await
        .map_err(|error| Problem::internal(&error))?
        .map_err(|error| match error {
            TileError::BeyondLog { .. } => Problem::new(
                StatusCode::NOT_FOUND,
                "log.beyond",
                format!("{error}."),
                "Ask for tiles that the checkpoint's size covers.",
            ),
            TileError::Log(error) => unread(&error),
            TileError::Tree(error) => unproven(&error),
            other => Problem::internal(&other),
        })?;
    let (TilePath::Hashes { width, .. } | TilePath::Entries { width, .. }) = path;
    let cache = if width == TILE_WIDTH {
        CACHE_FULL
    } else {
        CACHE_PARTIAL
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, cache),
    ];
    Ok((headers, bytes).into_response())
}

/// Which entry, in a log of which size.
#[derive(Debug, Deserialize, IntoParams)]
pub struct InclusionQuery {
    /// The entry's log index.
    pub index: u64,
    /// The size of the log; the newest by default.
    pub size: Option<u64>,
}

/// Which two sizes of the log.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ConsistencyQuery {
    /// The smaller size.
    pub from: u64,
    /// The larger size; the newest by default.
    pub to: Option<u64>,
}

/// Proof that a record is in the log (RFC 9162 section 2.1.3).
#[derive(Debug, Serialize, ToSchema)]
pub struct InclusionView {
    /// The record's place.
    pub index: u64,
    /// The size of the log.
    pub size: u64,
    /// The record's leaf hash, in hex.
    pub leaf_hash: String,
    /// The path, in hex.
    pub path: Vec<String>,
    /// The root of the log of that size, in hex.
    pub root: String,
}

/// Proof that a log is the beginning of a larger one (RFC 9162 section 2.1.4).
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyView {
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
    /// The path, in hex.
    pub path: Vec<String>,
    /// The root of the smaller log, in hex.
    pub from_root: String,
    /// The root of the larger log, in hex.
    pub to_root: String,
}

fn size_in_log(app: &SharedApp, name: &str, asked: Option<u64>) -> Answer<u64> {
    let size = app.ledger.head().log_size().get();
    match asked {
        None => Ok(size),
        Some(asked) if asked <= size => Ok(asked),
        Some(_) => Err(Problem::bad_parameter(
            name,
            &format!("at most {size}, the size of the log"),
        )),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(&error))?
}

fn in_hex(path: &[[u8; 32]]) -> Vec<String> {
    path.iter().map(hex::encode).collect()
}

/// Proves that an entry's record is in the log.
#[utoipa::path(get, path = "/log/inclusion", tag = "log", params(InclusionQuery),
    responses((status = 200, body = InclusionView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn inclusion(
    State(app): State<SharedApp>,
    Query(InclusionQuery { index, size }): Query<InclusionQuery>,
) -> Answer<Json<InclusionView>> {
    let size = size_in_log(&app, "size", size)?;
    if index >= size {
        return Err(Problem::bad_parameter("index", &format!("below {size}")));
    }
    let view = blocking(move || {
        let tree = app.ledger.tree();
        let leaf = app.ledger.log().entry(stele_core::id::LogIndex::new(index));
        let leaf = leaf.map_err(|error| unread(&error))?;
        let proven = tree
            .prove_inclusion(index, size)
            .and_then(|path| Ok((path, tree.root_at(size)?)));
        let (path, root) = proven.map_err(|error| unproven(&error))?;
        let leaf_hash = hex::encode(leaf_hash(&leaf.record));
        Ok(InclusionView {
            index,
            size,
            leaf_hash,
            path: in_hex(&path),
            root: hex::encode(root),
        })
    });
    Ok(Json(view.await?))
}

/// Proves that the log of one size is the beginning of the log of another.
#[utoipa::path(get, path = "/log/consistency", tag = "log", params(ConsistencyQuery),
    responses((status = 200, body = ConsistencyView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn consistency(
    State(app): State<SharedApp>,
    Query(ConsistencyQuery { from, to }): Query<ConsistencyQuery>,
) -> Answer<Json<ConsistencyView>> {
    let to = size_in_log(&app, "to", to)?;
    if !(1..=to).contains(&from) {
        return Err(Problem::bad_parameter("from", &format!("1 to {to}")));
    }
    let view = blocking(move || {
        let tree = app.ledger.tree();
        let proven = tree
            .prove_consistency(from, to)
            .and_then(|path| Ok((path, tree.root_at(from)?, tree.root_at(to)?)));
        let (path, from_root, to_root) = proven.map_err(|error| unproven(&error))?;
        let (from_root, to_root) = (hex::encode(from_root), hex::encode(to_root));
        Ok(ConsistencyView {
            from,
            to,
            path: in_hex(&path),
            from_root,
            to_root,
        })
    });
    Ok(Json(view.await?))
}
