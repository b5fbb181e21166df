//! Lists, histories and search, from the read model. Nothing here is proof.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stele_core::id::{PartyId, RegisterName, TimeMs};
use stele_readmodel::{EntryFilter, Item, Order, PageRequest, PartyRow, ReadModel, ReadModelError};
use stele_registers::identity;
use stele_registers::json::cbor_to_json;
use utoipa::{IntoParams, ToSchema};

use super::network::PageQuery;
use crate::app::SharedApp;
use crate::index::EntrySummary;
use crate::problem::{Answer, Problem};

/// Runs a query of the read model on a thread that may block.
async fn query<T: Send + 'static>(
    app: &SharedApp,
    ask: impl FnOnce(&dyn ReadModel) -> Result<T, ReadModelError> + Send + 'static,
) -> Answer<T> {
    let model = app.index.model().clone();
    let answer = tokio::task::spawn_blocking(move || ask(&*model)).await;
    match answer.map_err(|error| Problem::internal(&error))? {
        Ok(answer) => Ok(answer),
        Err(ReadModelError::BadCursor) => Err(Problem::bad_parameter(
            "cursor",
            "a cursor from the page before",
        )),
        Err(error @ (ReadModelError::BadRequest(_) | ReadModelError::TooExpensive)) => {
            let hint = "Use fewer or longer words, or narrow the filters.";
            Err(Problem::new(
                axum::http::StatusCode::BAD_REQUEST,
                "bad-query",
                format!("{error}."),
                hint,
            ))
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// Lists follow the log at once: a reader that just saw an entry become final finds it.
async fn catch_up(app: &SharedApp) {
    app.index
        .caught_up(app.ledger.head().log_size(), Duration::from_millis(500))
        .await;
}

/// Which entries are wanted; all conditions hold at once.
#[derive(Debug, Deserialize, IntoParams)]
pub struct EntriesQuery {
    /// Of this register.
    pub register: Option<String>,
    /// Signed by or speaking of this party (a DID).
    pub party: Option<String>,
    /// `applied` or `refused`.
    pub outcome: Option<String>,
    /// With all of these words; a word stands for all words that start with it.
    pub q: Option<String>,
    /// Speaking of this 32-byte hash, in hex: an item, a lot, a commitment.
    pub item: Option<String>,
    /// At or after this time, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Before this time, in milliseconds since 1970.
    pub to: Option<u64>,
    /// `newest` (default) or `oldest` first.
    pub order: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many items: 1 to 200, 50 by default.
    pub limit: Option<u32>,
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryPage {
    /// The entries.
    pub items: Vec<EntrySummary>,
    /// Where the next page starts; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

fn parse_party(text: &str) -> Answer<PartyId> {
    PartyId::from_did(text)
        .map_err(|_| Problem::bad_parameter("party", "a DID: did:stele: and 52 characters"))
}

fn parse_register(text: &str) -> Answer<RegisterName> {
    RegisterName::new(text).map_err(|_| Problem::bad_parameter("register", "a register's name"))
}

fn page_request(
    cursor: Option<String>,
    limit: Option<u32>,
    order: Option<&str>,
) -> Answer<PageRequest> {
    let order = match order {
        None | Some("newest") => Order::NewestFirst,
        Some("oldest") => Order::OldestFirst,
        Some(_) => return Err(Problem::bad_parameter("order", "`newest` or `oldest`")),
    };
    let limit = PageQuery {
        cursor: None,
        limit,
    }
    .limit()?;
    Ok(PageRequest {
        cursor,
        limit,
        order,
    })
}

async fn entry_page(
    app: &SharedApp,
    filter: EntryFilter,
    page: PageRequest,
) -> Answer<Json<EntryPage>> {
    catch_up(app).await;
    let found = query(app, move |model| model.entries(&filter, &page)).await?;
    let items = found.rows.into_iter().map(EntrySummary::of).collect();
    Ok(Json(EntryPage {
        items,
        next_cursor: found.next,
    }))
}

/// Entries by register, party, outcome, time, item or words.
#[utoipa::path(get, path = "/v1/entries", tag = "entries", params(EntriesQuery),
    responses((status = 200, body = EntryPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn entries(
    State(app): State<SharedApp>,
    Query(asked): Query<EntriesQuery>,
) -> Answer<Json<EntryPage>> {
    let applied = match asked.outcome.as_deref() {
        None => None,
        Some("applied") => Some(true),
        Some("refused") => Some(false),
        Some(_) => return Err(Problem::bad_parameter("outcome", "`applied` or `refused`")),
    };
    let filter = EntryFilter {
        register: asked.register.as_deref().map(parse_register).transpose()?,
        party: asked.party.as_deref().map(parse_party).transpose()?,
        applied,
        from: asked.from.map(TimeMs::new),
        to: asked.to.map(TimeMs::new),
        item: asked.item.map(|id| Item {
            kind: "hash".to_owned(),
            id: id.to_ascii_lowercase(),
        }),
        text: asked.q.filter(|words| !words.trim().is_empty()),
        ..EntryFilter::default()
    };
    let page = page_request(asked.cursor, asked.limit, asked.order.as_deref())?;
    entry_page(&app, filter, page).await
}

/// A party.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartyView {
    /// Its DID.
    pub did: String,
    /// Its id, in hex.
    pub party_id: String,
    /// `organisation`, `person`, `device`, `authority` or `service`.
    pub kind: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it first appeared, in milliseconds since 1970.
    pub first_seen_ms: u64,
    /// Entries that it signed.
    pub entry_count: u64,
    /// What the identity register holds of it now: keys, guardians, versions. Only when one party is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub document: Option<Value>,
    /// The state key of that document, in hex: its receipt is at `/v1/state/identity/{key}/receipt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_key: Option<String>,
}

impl PartyView {
    fn of(row: PartyRow) -> Self {
        Self {
            did: row.party.did(),
            party_id: row.party.to_string(),
            kind: row.kind,
            name: Some(row.name).filter(|name| !name.is_empty()),
            first_seen_ms: row.first_seen.get(),
            entry_count: row.entries,
            document: None,
            document_key: None,
        }
    }
}

/// A page of parties.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartyPage {
    /// The parties.
    pub items: Vec<PartyView>,
    /// Where the next page starts; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which parties are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PartiesQuery {
    /// With all of these words in name, kind or DID.
    pub q: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many items: 1 to 200, 50 by default.
    pub limit: Option<u32>,
}

/// Parties, in the order in which they appeared.
#[utoipa::path(get, path = "/v1/parties", tag = "parties", params(PartiesQuery),
    responses((status = 200, body = PartyPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn parties(
    State(app): State<SharedApp>,
    Query(asked): Query<PartiesQuery>,
) -> Answer<Json<PartyPage>> {
    catch_up(&app).await;
    let page = page_request(asked.cursor, asked.limit, Some("oldest"))?;
    let words = asked.q.filter(|words| !words.trim().is_empty());
    let found = query(&app, move |model| model.parties(words.as_deref(), &page)).await?;
    let items = found.rows.into_iter().map(PartyView::of).collect();
    Ok(Json(PartyPage {
        items,
        next_cursor: found.next,
    }))
}

/// One party: what the read model and the identity register know of it.
#[utoipa::path(get, path = "/v1/parties/{did}", tag = "parties", params(("did" = String, Path)),
    responses((status = 200, body = PartyView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn party(
    State(app): State<SharedApp>,
    Path(did): Path<String>,
) -> Answer<Json<PartyView>> {
    let id = parse_party(&did)?;
    catch_up(&app).await;
    let row = query(&app, move |model| model.party(&id)).await?;
    let mut view = PartyView::of(row.ok_or_else(|| Problem::not_found("party with this DID"))?);
    let key = identity::party_key(&id);
    let stored = app
        .ledger
        .state()
        .get(identity::NAME, &key)
        .map_err(|fault| Problem::internal(&fault))?;
    view.document = stored.and_then(|stored| cbor_to_json(&stored).ok());
    view.document_key = Some(hex::encode(key));
    Ok(Json(view))
}

/// The entries that a party signed or that speak of it.
#[utoipa::path(get, path = "/v1/parties/{did}/entries", tag = "parties", params(("did" = String, Path), PageQuery),
    responses((status = 200, body = EntryPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn party_entries(
    State(app): State<SharedApp>,
    Path(did): Path<String>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<EntryPage>> {
    let filter = EntryFilter {
        party: Some(parse_party(&did)?),
        ..EntryFilter::default()
    };
    entry_page(&app, filter, page_request(page.cursor, page.limit, None)?).await
}

/// Something found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Hit {
    /// `entry`, `party`, `block` or `item`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What to show.
    pub title: String,
    /// A little more.
    pub snippet: String,
    /// Its address in the API.
    pub href: String,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchAnswer {
    /// Hits, exact ones first.
    pub items: Vec<Hit>,
}

/// The words to look for.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SearchQuery {
    /// An id, a DID, a height, or words.
    pub q: String,
}

/// Finds entries, parties, blocks and items by id or words.
#[utoipa::path(get, path = "/v1/search", tag = "entries", params(SearchQuery),
    responses((status = 200, body = SearchAnswer), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn search(
    State(app): State<SharedApp>,
    Query(asked): Query<SearchQuery>,
) -> Answer<Json<SearchAnswer>> {
    let words = asked.q.trim().to_owned();
    if words.is_empty() {
        return Err(Problem::bad_parameter(
            "q",
            "an id, a DID, a height or words",
        ));
    }
    catch_up(&app).await;
    let newest = app.ledger.head().height().get();
    let mut hits = Vec::new();
    if let Some(height) = words.parse::<u64>().ok().filter(|height| *height <= newest) {
        let (title, href) = (format!("Block {height}"), format!("/v1/blocks/{height}"));
        hits.push(Hit {
            kind: "block",
            id: height.to_string(),
            title,
            snippet: String::new(),
            href,
        });
    }
    let found = query(&app, move |model| find(model, &words)).await?;
    hits.extend(found);
    Ok(Json(SearchAnswer { items: hits }))
}

fn find(model: &dyn ReadModel, words: &str) -> Result<Vec<Hit>, ReadModelError> {
    let page = PageRequest {
        limit: 10,
        ..PageRequest::default()
    };
    let mut hits = Vec::new();
    let exact_party = PartyId::from_did(words).ok();
    let parties = match exact_party {
        Some(id) => model.party(&id)?.into_iter().collect(),
        None => {
            model
                .parties(
                    Some(words),
                    &PageRequest {
                        order: Order::OldestFirst,
                        ..page.clone()
                    },
                )?
                .rows
        }
    };
    hits.extend(parties.into_iter().map(|row| {
        let did = row.party.did();
        let title = if row.name.is_empty() {
            did.clone()
        } else {
            row.name
        };
        Hit {
            kind: "party",
            title,
            snippet: row.kind,
            href: format!("/v1/parties/{did}"),
            id: did,
        }
    }));
    let hash = words.to_ascii_lowercase();
    if hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        if let Some(row) = hash
            .parse()
            .ok()
            .map(|id| model.entry(&id))
            .transpose()?
            .flatten()
        {
            hits.push(entry_hit(row));
        }
        hits.extend(model.items(&hash, 10)?.into_iter().map(|row| Hit {
            kind: "item",
            title: row.item.id.clone(),
            snippet: format!("{} entries", row.entries),
            href: format!("/v1/entries?item={}", row.item.id),
            id: row.item.id,
        }));
    }
    if exact_party.is_none() {
        let filter = EntryFilter {
            text: Some(words.to_owned()),
            ..EntryFilter::default()
        };
        for row in model.entries(&filter, &page)?.rows {
            let hit = entry_hit(row);
            if hits.iter().all(|other: &Hit| other.id != hit.id) {
                hits.push(hit);
            }
        }
    }
    Ok(hits)
}

fn entry_hit(row: stele_readmodel::EntryRow) -> Hit {
    let line = EntrySummary::of(row);
    Hit {
        kind: "entry",
        title: format!("{}: {}", line.register, line.commands.join(", ")),
        snippet: line.party_name.unwrap_or(line.party),
        href: format!("/v1/entries/{}", line.entry_id),
        id: line.entry_id,
    }
}

/// Counts for the overview.
#[utoipa::path(get, path = "/v1/statistics", tag = "network", responses((status = 200, body = Object, description = "Totals, counts per register, and per minute of the last hour")))]
pub async fn statistics(State(app): State<SharedApp>) -> Answer<Json<Value>> {
    let now = stele_ledger::ledger::system_time().get();
    let answer = query(&app, move |model| {
        let totals = model.totals()?;
        let registers: Vec<_> = model
            .registers()?
            .into_iter()
            .map(|row| json!({"register": row.register, "applied": row.applied, "refused": row.refused}))
            .collect();
        let minutes: Vec<_> = model
            .minutes(TimeMs::new(now.saturating_sub(3_600_000)), TimeMs::new(now + 60_000))?
            .into_iter()
            .map(|row| json!({"start_ms": row.start.get(), "applied": row.applied, "refused": row.refused}))
            .collect();
        Ok(json!({
            "entries": totals.entries, "refused": totals.refused, "blocks": totals.blocks, "parties": totals.parties,
            "registers": registers, "minutes": minutes,
        }))
    });
    Ok(Json(answer.await?))
}
