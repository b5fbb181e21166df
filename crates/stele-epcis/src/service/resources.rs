//! Top-level resources: what values events have, and the events of each value.

use rusqlite::params;
use serde_json::json;

use super::answer::Response;
use super::{CONTEXT, EpcisService};
use crate::facts::word;
use crate::gs1::match_key;
use crate::problem::{Exception, Problem};
use crate::query::{PER_PAGE_DEFAULT, Parameters, Query, QueryError};
use crate::validate::vocabulary::{BIZ_STEPS, DISPOSITIONS};

/// A collection of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// `/eventTypes`
    EventTypes,
    /// `/epcs`
    Epcs,
    /// `/bizSteps`
    BizSteps,
    /// `/bizLocations`
    BizLocations,
    /// `/readPoints`
    ReadPoints,
    /// `/dispositions`
    Dispositions,
}

const EVENT_TYPES: &[&str] = &[
    "AggregationEvent",
    "AssociationEvent",
    "ObjectEvent",
    "TransactionEvent",
    "TransformationEvent",
];

impl Collection {
    /// The collection at this path.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "eventTypes" => Self::EventTypes,
            "epcs" => Self::Epcs,
            "bizSteps" => Self::BizSteps,
            "bizLocations" => Self::BizLocations,
            "readPoints" => Self::ReadPoints,
            "dispositions" => Self::Dispositions,
            _ => return None,
        })
    }

    /// The query parameter that finds a value's events, and the term that lists values.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::EventTypes => ("eventType", ""),
            Self::Epcs => ("MATCH_anyEPC", "anyEPC"),
            Self::BizSteps => ("EQ_bizStep", "bizStep"),
            Self::BizLocations => ("EQ_bizLocation", "bizLocation"),
            Self::ReadPoints => ("EQ_readPoint", "readPoint"),
            Self::Dispositions => ("EQ_disposition", "disposition"),
        }
    }

    /// The values that exist without any event.
    fn standard(self) -> &'static [&'static str] {
        match self {
            Self::EventTypes => EVENT_TYPES,
            Self::BizSteps => BIZ_STEPS,
            Self::Dispositions => DISPOSITIONS,
            _ => &[],
        }
    }

    /// A list in the standard's form.
    pub(super) fn answer(members: Vec<String>) -> Response {
        let body = json!({"@context": CONTEXT, "type": "Collection", "member": members});
        Response::json(200, body)
    }
}

impl EpcisService {
    /// Values of a collection: the standard's own and the captured ones, in their order.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn collection(
        &self,
        collection: Collection,
        parameters: &Parameters,
    ) -> Result<Response, Problem> {
        let (per_page, after) = page_of(parameters)?;
        let (_, field) = collection.names();
        let mut values = self.store.read(|db| {
            let found = if collection == Collection::EventTypes {
                let mut select = db.prepare_cached(
                    "SELECT DISTINCT type FROM events WHERE visible = 1 AND type > ?1 ORDER BY type LIMIT ?2",
                )?;
                let rows = select.query_map(params![after, per_page as i64 + 1], |r| r.get(0))?;
                rows.collect::<rusqlite::Result<Vec<String>>>()?
            } else {
                // The next distinct value each time: an index step, however many events have it.
                let mut select = db.prepare_cached("SELECT min(value) FROM terms WHERE field = ?1 AND value > ?2")?;
                let (mut found, mut last) = (Vec::new(), after.clone());
                while found.len() <= per_page {
                    let next: Option<String> = select.query_row(params![field, last], |r| r.get(0))?;
                    let Some(next) = next else { break };
                    found.push(next.clone());
                    last = next;
                }
                found
            };
            Ok(found)
        })?;
        values.extend(
            collection
                .standard()
                .iter()
                .filter(|v| **v > after.as_str())
                .map(|v| (*v).to_owned()),
        );
        values.sort();
        values.dedup();
        let next = next_of(&mut values, per_page, |value| value);
        Ok(Collection::answer(values).link(next, parameters))
    }

    /// A value's sub-resources: its events.
    ///
    /// # Errors
    /// `NoSuchNameException` for a value that no event has.
    pub fn collection_member(
        &self,
        collection: Collection,
        value: &str,
    ) -> Result<Response, Problem> {
        self.must_exist(collection, value)?;
        Ok(Collection::answer(vec!["events".to_owned()]))
    }

    /// A value's events; `parameters` narrow them.
    ///
    /// # Errors
    /// `NoSuchNameException` for a value that no event has; otherwise as [`EpcisService::query`].
    pub fn collection_events(
        &self,
        collection: Collection,
        value: &str,
        parameters: &Parameters,
    ) -> Result<Response, Problem> {
        self.must_exist(collection, value)?;
        let (name, _) = collection.names();
        let page = Query::parse(&parameters.clone().with(name, value))?.run(&self.store)?;
        let document =
            super::answer::query_document("SimpleEventQuery", page.events, self.now_ms());
        Ok(Response::json(200, document).link(page.next, parameters))
    }

    fn must_exist(&self, collection: Collection, value: &str) -> Result<(), Problem> {
        if collection.standard().contains(&word(value)) {
            return Ok(());
        }
        let (_, field) = collection.names();
        let exists: bool = self.store.read(|db| {
            Ok(match collection {
                Collection::EventTypes => db
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM events WHERE visible = 1 AND type = ?1)",
                    )?
                    .query_row([value], |r| r.get(0))?,
                Collection::BizSteps | Collection::Dispositions => db
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM terms WHERE field = ?1 AND value = ?2)",
                    )?
                    .query_row([field, word(value)], |r| r.get(0))?,
                _ => db
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM terms WHERE field = ?1 AND value = ?2)",
                    )?
                    .query_row([format!("{field}~"), match_key(value)], |r| r.get(0))?,
            })
        })?;
        if exists {
            Ok(())
        } else {
            Err(Problem::new(
                Exception::NoSuchName,
                "no captured event has this value",
            ))
        }
    }
}

/// Rows of a page and the value that it starts behind. The token of a list is the hexadecimal form of its last value.
pub(super) fn page_of(parameters: &Parameters) -> Result<(usize, String), Problem> {
    if let Some(name) = parameters.unknown(&["perPage", "nextPageToken"]).next() {
        return Err(QueryError::Parameter(format!("no such parameter: `{name}`")).into());
    }
    let rows = match parameters.single("perPage")? {
        Some(text) => crate::query::per_page("perPage", &[text.to_owned()])?,
        None => PER_PAGE_DEFAULT,
    };
    let after = match parameters.single("nextPageToken")? {
        None => String::new(),
        Some(token) => hex::decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                QueryError::Parameter("`nextPageToken` is not one of ours".to_owned())
            })?,
    };
    Ok((rows, after))
}

/// Cuts a list to its page; the token of the next page when something was cut off.
pub(super) fn next_of<T>(
    values: &mut Vec<T>,
    per_page: usize,
    name: impl Fn(&T) -> &String,
) -> Option<String> {
    let more = values.len() > per_page;
    values.truncate(per_page);
    values
        .last()
        .filter(|_| more)
        .map(|last| hex::encode(name(last)))
}

/// The same for capture jobs, which are listed by number.
pub(super) fn number_token(parameters: &Parameters) -> Result<(usize, i64), Problem> {
    let (rows, token) = page_of(parameters)?;
    let before = match token.as_str() {
        "" => i64::MAX,
        text => text
            .parse()
            .map_err(|_| QueryError::Parameter("`nextPageToken` is not one of ours".to_owned()))?,
    };
    Ok((rows, before))
}

impl Parameters {
    /// These parameters as a query string, with another page's token.
    pub(super) fn to_query_string(&self, token: &str) -> String {
        use super::answer::encode;
        let mut parts: Vec<String> = self
            .iter()
            .filter(|(name, _)| *name != "nextPageToken")
            .map(|(name, values)| {
                let values: Vec<_> = values.iter().map(|v| encode(v)).collect();
                format!("{}={}", encode(name), values.join("%7C"))
            })
            .collect();
        parts.push(format!("nextPageToken={}", encode(token)));
        parts.join("&")
    }
}
