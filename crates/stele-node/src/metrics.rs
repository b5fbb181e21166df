//! Counters of the API, and everything measured as Prometheus text.

/// Counters of the API.
#[derive(Debug, Default)]
pub struct Metrics {}
