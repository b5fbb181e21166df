//! The network, its blocks and the node's health.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stele_core::id::Height;
use utoipa::{IntoParams, ToSchema};

use super::entries::internal;
use super::view::{EntryView, entry_view};
use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// The newest final block.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeadView {
    /// Its height.
    pub height: u64,
    /// Its hash, in hex.
    pub hash: String,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// Entries in the log.
    pub log_size: u64,
    /// Root of the log's Merkle tree, in hex.
    pub log_root: String,
    /// Root of the state, in hex.
    pub state_root: String,
    /// Keys in the state.
    pub state_keys: u64,
}

/// The network's descriptor, which verifiers keep, and its newest block.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NetworkView {
    /// `stele-network/1`.
    pub format: &'static str,
    /// The network's name.
    pub name: String,
    /// Its id, in hex.
    pub network_id: String,
    /// Its key: a COSE_Key, in hex.
    pub key: String,
    /// Its genesis, in hex.
    pub genesis: String,
    /// The newest final block.
    pub head: HeadView,
    /// This program's version.
    pub version: &'static str,
    /// Validators that order entries.
    pub validators: u64,
}

fn head_view(app: &SharedApp) -> HeadView {
    let head = app.ledger.head();
    HeadView {
        height: head.height().get(),
        hash: head.hash.to_string(),
        time_ms: head.time().get(),
        log_size: head.log_size().get(),
        log_root: head.certificate.log_root.to_string(),
        state_root: head.certificate.header.state_root.to_string(),
        state_keys: app.ledger.state_keys(),
    }
}

/// The network: what a verifier keeps of it, and its newest block.
#[utoipa::path(get, path = "/v1/network", tag = "network", responses((status = 200, body = NetworkView)))]
pub async fn network(State(app): State<SharedApp>) -> Json<NetworkView> {
    let genesis = app.ledger.genesis();
    Json(NetworkView {
        format: "stele-network/1",
        name: genesis.name.clone(),
        network_id: genesis.network_id().to_string(),
        key: hex::encode(genesis.network_key.to_cose_key()),
        genesis: hex::encode(genesis.encode()),
        head: head_view(&app),
        version: env!("CARGO_PKG_VERSION"),
        validators: genesis
            .committee
            .as_ref()
            .map_or(1, |committee| committee.validators.len() as u64),
    })
}

/// How the node is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HealthView {
    /// `ok`; `read-only` when the node was started so; `upgrade-needed` when it has stopped before a block that a newer program must
    /// judge; `refusing` when reads go on but nothing new is taken; `stalled` when too few validators are heard for anything to become final, or this node
    /// takes no part any more.
    pub status: &'static str,
    /// The newest height.
    pub height: u64,
    /// Entries that the read model has still to take in.
    pub index_lag: u64,
    /// Entries taken in and not final yet.
    pub waiting: u64,
    /// Why nothing new is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The network has too few validators for anything to become final.
fn stalled(app: &SharedApp) -> Option<Problem> {
    let alarms = app.network.as_ref()?.status().alarms;
    let alarm = alarms
        .into_iter()
        .find(|alarm| ["network.stopped", "network.no-quorum"].contains(&alarm.code.as_str()))?;
    Some(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        &alarm.code,
        alarm.message,
        alarm.hint,
    ))
}

/// Whether the node takes entries. Answers 200 as long as reads work.
#[utoipa::path(get, path = "/health", tag = "network", responses((status = 200, body = HealthView)))]
pub async fn health(State(app): State<SharedApp>) -> Json<HealthView> {
    let refusing = app.ledger.refusing().map(Problem::from);
    let stalled = stalled(&app);
    let status = match (&refusing, &stalled) {
        (Some(problem), _) if problem.code == "node.read-only" => "read-only",
        (Some(problem), _) if problem.code == "node.upgrade-needed" => "upgrade-needed",
        (Some(_), _) => "refusing",
        (None, Some(_)) => "stalled",
        (None, None) => "ok",
    };
    let problem = refusing.or(stalled);
    let head = app.ledger.head();
    Json(HealthView {
        status,
        height: head.height().get(),
        index_lag: head.log_size().get().saturating_sub(app.index.next_index()),
        waiting: app.ledger.stats().waiting,
        problem,
    })
}

/// Whether the node should get traffic: 200, or 503 while it takes no entries.
#[utoipa::path(get, path = "/ready", tag = "network", responses((status = 200, body = HealthView), (status = 503, body = HealthView)))]
pub async fn ready(state: State<SharedApp>) -> Response {
    let health = health(state).await;
    let status = if health.problem.is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, health).into_response()
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PageQuery {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many items: 1 to 200, 50 by default.
    pub limit: Option<u32>,
}

impl PageQuery {
    /// The limit, checked.
    ///
    /// # Errors
    /// A [`Problem`] when it is out of range.
    pub fn limit(&self) -> Answer<usize> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=200 => Ok(limit as usize),
            _ => Err(Problem::bad_parameter("limit", "1 to 200")),
        }
    }
}

/// A block.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BlockView {
    /// Its height.
    pub height: u64,
    /// Its hash, in hex.
    pub hash: String,
    /// The hash of the block before.
    pub previous: String,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// Entries in it.
    pub entry_count: u64,
    /// Entries in the log after it.
    pub log_size: u64,
    /// Root of the log after it.
    pub log_root: String,
    /// Root of the state after it.
    pub state_root: String,
    /// Its entries; only when one block is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryView>,
}

/// A page of blocks, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BlockPage {
    /// The blocks.
    pub items: Vec<BlockView>,
    /// Where the next page starts; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

fn block_view(app: &SharedApp, height: Height) -> Answer<BlockView> {
    let certificate = app.ledger.certificate(height).map_err(internal)?;
    let first = app
        .ledger
        .log()
        .first_index(height)
        .map_err(|error| Problem::internal(&error))?;
    let header = &certificate.header;
    Ok(BlockView {
        height: height.get(),
        hash: certificate.block_hash().to_string(),
        previous: header.previous.to_string(),
        time_ms: header.time.get(),
        entry_count: header.tree_size.get() - first.get(),
        log_size: header.tree_size.get(),
        log_root: certificate.log_root.to_string(),
        state_root: header.state_root.to_string(),
        entries: Vec::new(),
    })
}

/// Blocks, newest first.
#[utoipa::path(get, path = "/v1/blocks", tag = "network", params(PageQuery),
    responses((status = 200, body = BlockPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn blocks(
    State(app): State<SharedApp>,
    Query(query): Query<PageQuery>,
) -> Answer<Json<BlockPage>> {
    let limit = query.limit()? as u64;
    let newest = app.ledger.head().height().get();
    let from = match &query.cursor {
        None => newest,
        Some(cursor) => cursor
            .parse()
            .ok()
            .filter(|height| *height <= newest)
            .ok_or_else(|| Problem::bad_parameter("cursor", "a cursor from the page before"))?,
    };
    let to = (from + 1).saturating_sub(limit);
    let items = (to..=from)
        .rev()
        .map(|height| block_view(&app, Height::new(height)))
        .collect::<Answer<_>>()?;
    Ok(Json(BlockPage {
        items,
        next_cursor: (to > 0).then(|| (to - 1).to_string()),
    }))
}

/// One block with its entries.
#[utoipa::path(get, path = "/v1/blocks/{height}", tag = "network", params(("height" = u64, Path)),
    responses((status = 200, body = BlockView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn block(
    State(app): State<SharedApp>,
    Path(height): Path<u64>,
) -> Answer<Json<BlockView>> {
    if height > app.ledger.head().height().get() {
        return Err(Problem::not_found("block of this height"));
    }
    let height = Height::new(height);
    let mut view = block_view(&app, height)?;
    let frame = app
        .ledger
        .log()
        .block(height)
        .map_err(|error| Problem::internal(&error))?;
    let entries = app.ledger.entries_of(&frame).map_err(internal)?;
    view.entries = entries
        .iter()
        .take(1_000)
        .map(|entry| entry_view(&app.registry, entry))
        .collect();
    Ok(Json(view))
}
