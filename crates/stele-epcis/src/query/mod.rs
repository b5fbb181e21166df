//! Event queries with the parameters of the EPCIS 2.0 REST binding.
//!
//! Conditions of different parameters hold together; values of one parameter are alternatives. [`Query::parse`] knows
//! the parameters, [`Query::run`] makes them SQL over the terms and numbers of facts.rs. A parameter that is not known is
//! refused, as the standard asks, rather than ignored.

mod page;
mod params;
mod sql;

pub use page::EventPage;
pub use params::{
    Order, PARAMETERS_MAX, PER_PAGE_DEFAULT, PER_PAGE_MAX, Parameters, VALUE_BYTES_MAX, VALUES_MAX,
};

pub(crate) use params::per_page;

use crate::store::StoreError;

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A parameter or value is not one of the standard's.
    #[error("{0}")]
    Parameter(String),
    /// More than `maxEventCount` events match.
    #[error("more than {max} events match")]
    TooLarge {
        /// The parameter's value.
        max: u64,
    },
    /// The query looks at too much.
    #[error("the query looks at too many events; narrow it")]
    TooComplex,
    /// The store failed.
    #[error("the event store failed")]
    Store(#[source] StoreError),
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooExpensive => Self::TooComplex,
            other => Self::Store(other),
        }
    }
}

/// A checked query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    conditions: Vec<Condition>,
    order: Order,
    descending: bool,
    count_limit: Option<u64>,
    count_max: Option<u64>,
    per_page: usize,
    token: Option<String>,
    /// Hash of everything but the page: a token belongs to one query.
    fingerprint: [u8; 8],
}

/// One condition; all must hold.
#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// `type` is one of these.
    Type(Vec<String>),
    /// `eventID` is one of these.
    EventId(Vec<String>),
    /// A column of `events` is at least, or below, this time.
    Time {
        column: &'static str,
        below: bool,
        ms: i64,
    },
    /// One of the fields has one of the values.
    Term { field: String, values: Vec<String> },
    /// The field has one of these keys, in either spelling, or one that starts with one of the prefixes.
    Key {
        field: String,
        keys: Vec<String>,
        prefixes: Vec<String>,
    },
    /// The field has one of these places, or one that lies in one of them.
    Within {
        field: &'static str,
        places: Vec<String>,
    },
    /// A number of the field compares so.
    Number {
        field: String,
        operator: &'static str,
        values: Vec<f64>,
    },
}
