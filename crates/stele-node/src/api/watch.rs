//! Following final entries by server-sent events, without gaps.

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use stele_core::id::{Height, LogIndex};
use utoipa::IntoParams;

use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
pub struct WatchQuery {
    /// The first log index wanted; default is the next entry. `Last-Event-ID` goes before it.
    pub from: Option<u64>,
}

/// Streams final entries in log order.
///
/// Each event `entry` carries its log index as its id, so a client that reconnects with `Last-Event-ID` (browsers do it by themselves)
/// goes on with the next one: none is missed, none comes twice. An event `block` follows the entries of each block.
#[utoipa::path(
    get, path = "/v1/watch", tag = "entries", params(WatchQuery),
    responses((status = 200, content_type = "text/event-stream", description = "Events `entry` and `block`"),
        (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"))
)]
pub async fn watch(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    Query(query): Query<WatchQuery>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let next = match headers.get("last-event-id") {
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.parse::<u64>().ok());
            id.and_then(|id| id.checked_add(1))
                .ok_or_else(|| Problem::bad_parameter("Last-Event-ID", "a log index"))?
        }
        None => query.from.unwrap_or(app.ledger.head().log_size().get()),
    };
    let cursor = Cursor {
        heads: app.heads.clone(),
        app,
        next,
        ready: Vec::new().into_iter(),
    };
    let events = stream::unfold(cursor, |mut cursor| async move {
        let event = cursor.next_event().await?;
        Some((Ok(event), cursor))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Cursor {
    app: SharedApp,
    heads: tokio::sync::watch::Receiver<u64>,
    next: u64,
    ready: std::vec::IntoIter<Event>,
}

impl Cursor {
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(event);
            }
            let head = self.app.ledger.head();
            if self.next < head.log_size().get() {
                let app = SharedApp::clone(&self.app);
                let next = self.next;
                let read =
                    tokio::task::spawn_blocking(move || block_events(&app, LogIndex::new(next)));
                let (events, next) = match read.await {
                    Ok(Ok(read)) => read,
                    // The stream ends; the client reconnects and asks again from where it was.
                    Ok(Err(error)) => {
                        tracing::error!(%error, "watch ended");
                        return None;
                    }
                    Err(_) => return None,
                };
                self.next = next;
                self.ready = events.into_iter();
                continue;
            }
            self.heads.changed().await.ok()?;
        }
    }
}

/// The events of the block that holds `from`, from there on, and the log index after it.
fn block_events(app: &SharedApp, from: LogIndex) -> Result<(Vec<Event>, u64), String> {
    let (height, _) = app
        .ledger
        .log()
        .position(from)
        .map_err(|error| error.to_string())?;
    let block = app
        .ledger
        .log()
        .block(height)
        .map_err(|error| error.to_string())?;
    let entries = app
        .ledger
        .entries_of(&block)
        .map_err(|error| error.to_string())?;
    let next = block.first_index().get() + entries.len() as u64;
    let mut events = Vec::with_capacity(entries.len() + 1);
    for entry in entries.iter().filter(|entry| entry.log_index >= from) {
        let line = app.index.summary(entry);
        let data = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        events.push(
            Event::default()
                .event("entry")
                .id(entry.log_index.to_string())
                .data(data),
        );
    }
    events.push(block_event(app, height, entries.len())?);
    Ok((events, next))
}

fn block_event(app: &SharedApp, height: Height, entries: usize) -> Result<Event, String> {
    let certificate = app
        .ledger
        .certificate(height)
        .map_err(|error| error.to_string())?;
    let data = serde_json::json!({
        "height": height.get(),
        "time_ms": certificate.header.time.get(),
        "entries": entries,
        "log_size": certificate.header.tree_size.get(),
    });
    Ok(Event::default().event("block").data(data.to_string()))
}
