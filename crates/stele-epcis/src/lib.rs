//! GS1 EPCIS 2.0: validation, canonical form, capture and query of supply-chain events, and their commitments.
//!
//! What, when, where, why and how of goods on their way, in the JSON of the standard. The events are their owner's private
//! data and stay in the owner's own file ([`EventStore`]); the chain gets a salted commitment to each
//! ([`canonical`]), through whatever implements [`Anchor`]. [`EpcisService`] answers the standard's REST interface
//! without any HTTP of its own. [`generate`] makes fictional goods and their events. What is supported and how it differs
//! from GS1's schema: docs/epcis.md.

pub mod anchor;
pub mod canonical;
mod facts;
pub mod generate;
pub mod gs1;
pub mod json;
mod problem;
pub mod query;
mod service;
mod store;
mod uri;
pub mod validate;

pub use anchor::{Anchor, AnchorError, EventToAnchor, NoAnchor};
pub use facts::{Declaration, EventFacts};
pub use problem::{Exception, Problem};
pub use query::{Parameters, Query};
pub use service::{
    CONTEXT, Clock, Collection, EpcisService, Evidence, Method, QUERIES_MAX, QUERY_NAME_BYTES_MAX,
    QUERY_STRING_BYTES_MAX, Request, Response, VERSION,
};
pub use store::{Behaviour, EventStore, Job, StoreError, StoredEvent};
pub use uri::is_uri;
