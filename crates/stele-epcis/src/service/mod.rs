//! The EPCIS 2.0 REST interface without HTTP: requests in, status, headers and JSON out.
//!
//! [`EpcisService::handle`] takes any request below the interface's address; the node puts one route in front of it, or
//! calls the methods one by one. Calls block (SQLite, and the ledger on capture).

mod answer;
mod capture;
mod request;
mod resources;

use std::sync::Arc;

use serde_json::{Value, json};

pub use answer::Response;
pub use request::{Method, Request};
pub use resources::Collection;

use crate::anchor::Anchor;
use crate::canonical::SALT_BYTES;
use crate::json::Limits;
use crate::problem::{Exception, Problem};
use crate::query::{Parameters, Query, QueryError};
use crate::store::{EventStore, StoreError};

/// The version of EPCIS and of the CBV that is served.
pub const VERSION: &str = "2.0.0";
/// The context of everything that is answered.
pub const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
/// Most named queries.
pub const QUERIES_MAX: u64 = 1_000;
/// Longest name of a query, in bytes.
pub const QUERY_NAME_BYTES_MAX: usize = 128;
/// Longest query string of a request, in bytes.
pub const QUERY_STRING_BYTES_MAX: usize = 32 * 1024;

/// The current time in milliseconds since 1970; a value, so that tests and replays have their own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Capture and query over one owner's events.
pub struct EpcisService {
    store: EventStore,
    anchor: Arc<dyn Anchor>,
    clock: Clock,
    limits: Limits,
}

/// All that proves an event: shown together with the receipt of its entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The canonical event.
    pub event: Value,
    /// The salt that its owner kept.
    pub salt: [u8; SALT_BYTES],
    /// `SHA-256(salt || canonical event)`, which the entry holds.
    pub commitment: [u8; 32],
    /// The entry.
    pub entry_id: Option<[u8; 32]>,
}

impl EpcisService {
    /// A service over a store. `anchor` records commitments; call [`EpcisService::resume`] once it is ready.
    pub fn new(store: EventStore, anchor: Arc<dyn Anchor>, clock: Clock) -> Self {
        Self {
            store,
            anchor,
            clock,
            limits: Limits::default(),
        }
    }

    /// The same with other bounds of documents.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The store.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// What proves the event with this id, and its error declaration behind it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn evidence(&self, event_id: &str) -> Result<Vec<Evidence>, StoreError> {
        let events = self.store.event(event_id)?;
        Ok(events
            .into_iter()
            .map(|stored| Evidence {
                event: stored.event,
                salt: stored.salt,
                commitment: stored.commitment,
                entry_id: stored.entry_id,
            })
            .collect())
    }

    /// The events that a query finds.
    ///
    /// # Errors
    /// [`Problem`] with the standard's exceptions.
    pub fn query(&self, name: &str, parameters: &Parameters) -> Result<Response, Problem> {
        let page = Query::parse(parameters)?.run(&self.store)?;
        let next = page.next;
        let document = answer::query_document(name, page.events, self.now_ms());
        Ok(Response::json(200, document).link(next, parameters))
    }

    /// `GET /events/{eventID}`: the event and, when there is one, its error declaration.
    ///
    /// # Errors
    /// `NoSuchNameException`.
    pub fn event(&self, event_id: &str) -> Result<Response, Problem> {
        let events = self.store.event(event_id)?;
        if events.is_empty() {
            return Err(Problem::new(
                Exception::NoSuchName,
                "there is no event with this id",
            ));
        }
        let document = answer::query_document("SimpleEventQuery", events, self.now_ms());
        Ok(Response::json(200, document))
    }

    /// `GET /queries`: named queries in the order of their names.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn queries(&self, parameters: &Parameters) -> Result<Response, Problem> {
        let (per_page, after) = resources::page_of(parameters)?;
        let mut found = self.store.query_list(&after, per_page + 1)?;
        let next = resources::next_of(&mut found, per_page, |(name, _)| name);
        let list = found
            .into_iter()
            .map(|(name, body)| json!({"name": name, "query": parse_query(&body)}))
            .collect();
        Ok(Response::json(200, Value::Array(list)).link(next, parameters))
    }

    /// `POST /queries`: names a query.
    ///
    /// # Errors
    /// `ResourceAlreadyExistsException` for a name that another query has.
    pub fn create_query(&self, body: &[u8]) -> Result<Response, Problem> {
        let bad = |detail: &str| Problem::new(Exception::QueryValidation, detail);
        let body = crate::json::parse(body, &self.limits).map_err(|e| bad(&e.to_string()))?;
        let name = body
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| bad("`name` is a text"))?;
        let query = body
            .get("query")
            .and_then(Value::as_object)
            .ok_or_else(|| bad("`query` is an object"))?;
        if name.is_empty()
            || name.len() > QUERY_NAME_BYTES_MAX
            || name.contains(['/', '?', '#'])
            || name.chars().any(char::is_control)
        {
            return Err(bad(
                "a query's name has 1 to 128 bytes, without `/`, `?`, `#` and control characters",
            ));
        }
        Query::parse(&Parameters::from_json(query)?)?;
        let text = Value::Object(query.clone()).to_string();
        let known = self.store.query_get(name)?;
        if known.is_none() && self.store.queries_count()? >= QUERIES_MAX {
            return Err(Problem::new(
                Exception::Implementation,
                format!("there are {QUERIES_MAX} named queries already"),
            )
            .hint("delete one that is not needed"));
        }
        let added = self.store.query_put(name, &text, self.now_ms())?;
        if !added && self.store.query_get(name)?.as_ref() != Some(&text) {
            return Err(Problem::new(
                Exception::ResourceAlreadyExists,
                "another query has this name",
            ));
        }
        Ok(Response::empty(201).header("Location", format!("queries/{}", answer::encode(name))))
    }

    fn stored_query(&self, name: &str) -> Result<Value, Problem> {
        let body = self.store.query_get(name)?;
        let body = body.ok_or_else(|| {
            Problem::new(Exception::NoSuchName, "there is no query with this name")
        })?;
        Ok(parse_query(&body))
    }

    /// `GET /queries/{name}`.
    ///
    /// # Errors
    /// `NoSuchNameException`.
    pub fn named_query(&self, name: &str) -> Result<Response, Problem> {
        let query = self.stored_query(name)?;
        Ok(Response::json(200, json!({"name": name, "query": query})))
    }

    /// `DELETE /queries/{name}`.
    ///
    /// # Errors
    /// `NoSuchNameException`.
    pub fn delete_query(&self, name: &str) -> Result<Response, Problem> {
        if self.store.query_delete(name)? {
            Ok(Response::empty(204))
        } else {
            Err(Problem::new(
                Exception::NoSuchName,
                "there is no query with this name",
            ))
        }
    }

    /// `GET /queries/{name}/events`: runs a named query; `parameters` may add to it, such as a page.
    ///
    /// # Errors
    /// As [`EpcisService::query`].
    pub fn run_named_query(
        &self,
        name: &str,
        parameters: &Parameters,
    ) -> Result<Response, Problem> {
        let query = self.stored_query(name)?;
        let stored = Parameters::from_json(query.as_object().unwrap_or(&serde_json::Map::new()))?;
        let joined = stored.joined(parameters.clone())?;
        let page = Query::parse(&joined)?.run(&self.store)?;
        let document = answer::query_document(name, page.events, self.now_ms());
        Ok(Response::json(200, document).link(page.next, parameters))
    }
}

impl std::fmt::Debug for EpcisService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpcisService")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A stored query: it was an object when it was stored.
fn parse_query(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooExpensive => Self::new(Exception::QueryTooComplex, error.to_string()),
            _ => Self::new(Exception::Implementation, "the event store failed")
                .hint("see the node's log")
                .caused_by(&error),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Parameter(sentence) => Self::new(Exception::QueryParameter, sentence),
            QueryError::TooLarge { .. } => Self::new(Exception::QueryTooLarge, error.to_string()),
            QueryError::TooComplex => Self::new(Exception::QueryTooComplex, error.to_string())
                .hint("add a condition on an item, a place or a time"),
        }
    }
}
