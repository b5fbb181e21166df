//! OpenID4VCI 1.0 (issuing) and OpenID4VP 1.0 (presenting) as state machines without I/O.
//!
//! Each endpoint is one function from a parsed request to an [`Answer`]; a server moves bytes and nothing else. Time,
//! randomness, keys and the [`Store`] of running exchanges are passed in. Errors carry the names that the specifications
//! give them.
//!
//! - [`Form`], [`Answer`], [`Fault`]: requests and answers. [`Store`], [`MemoryStore`]: bounded, with expiry.
//! - [`issuer`]: offers, tokens, proofs, credentials.

mod answer;
mod form;
pub mod issuer;
mod store;

pub use answer::{Answer, Body, Fault};
pub use form::{FORM_BYTES_MAX, Form, encode_component};
pub use store::{MemoryStore, Record, Store};

use rand_core::CryptoRng;

/// A new secret that nobody guesses: 256 random bits in base64url.
fn new_secret<R: CryptoRng + ?Sized>(rng: &mut R) -> String {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    crate::json::to_base64url(bytes)
}
