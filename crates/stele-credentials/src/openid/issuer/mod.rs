//! An issuer by OpenID4VCI 1.0: who may have which credential, proven by codes, tokens and keys.
//!
//! # States
//! 1. *Offered*: [`Issuer::offer`] makes a pre-authorised code for a known person, with a transaction code if it travels openly.
//!    Or *asked*: [`Issuer::authorize`] (after [`Issuer::push`], if the wallet likes) holds a wallet's request until the
//!    server has authenticated the person and calls [`Issuer::grant`].
//! 2. *Token*: [`Issuer::token`] takes the code once; PKCE and the transaction code tie it to who was meant.
//! 3. *Credential*: [`Issuer::credential`] takes proofs of the holder's keys over a nonce of [`Issuer::nonce`], and asks the
//!    [`CredentialSource`]. What is not ready is fetched by [`Issuer::deferred`].
//! 4. *Reported*: [`Issuer::notification`].
//!
//! Nonces are not stored but authenticated, since anybody may ask for one; only used ones are, until they expire.

mod authorize;
mod credential;
mod metadata;
mod nonce;
mod offer;
mod proof;
#[cfg(test)]
mod tests;
mod token;

pub use authorize::{Authorization, Client, Code};
pub use credential::Deferred;
pub use metadata::{CredentialConfiguration, DisplayedClaim};
pub use offer::{Grant, Offer, Offered, TxCode};
pub use token::Token;

use crate::jose::PublicKey;
use crate::refusal::Refusal;

/// The grant type of pre-authorised codes (OpenID4VCI section 4.1.1).
pub const GRANT_PRE_AUTHORIZED: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// How long things live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A pre-authorised code, and with it an offer.
    pub offer_seconds: u64,
    /// An authorisation code.
    pub code_seconds: u64,
    /// A pushed request, and a request that waits for its person.
    pub authorization_seconds: u64,
    /// An access token.
    pub token_seconds: u64,
    /// A nonce.
    pub nonce_seconds: u64,
    /// A credential that is not ready, and the time to report a receipt.
    pub deferred_seconds: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            offer_seconds: 24 * 3600,
            code_seconds: 60,
            authorization_seconds: 600,
            token_seconds: 600,
            nonce_seconds: 300,
            deferred_seconds: 30 * 24 * 3600,
        }
    }
}

/// An issuer's settings. Addresses have no slash at the end.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The credential issuer identifier, an https address; also the authorisation server's.
    pub identifier: String,
    /// Its name for people.
    pub display_name: String,
    /// What it issues.
    pub configurations: Vec<CredentialConfiguration>,
    /// The clients that may use the authorisation code flow.
    pub clients: Vec<Client>,
    /// The most credentials of one request.
    pub batch_max: usize,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// How far two clocks may differ, in seconds.
    pub skew_seconds: u64,
    /// Authenticates nonces; 32 random bytes, kept as long as the server runs.
    pub nonce_secret: NonceSecret,
}

/// A secret that no debug output shows.
#[derive(Clone)]
pub struct NonceSecret(pub zeroize::Zeroizing<[u8; 32]>);

impl core::fmt::Debug for NonceSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NonceSecret(redacted)")
    }
}

/// A request for one credential, after all checks.
#[derive(Debug, Clone, Copy)]
pub struct CredentialRequest<'a> {
    /// The person, as the issuer knows them: what was given to [`Issuer::offer`] or [`Issuer::grant`].
    pub subject: &'a str,
    /// The kind of credential.
    pub configuration: &'a CredentialConfiguration,
    /// The key to bind it to.
    pub holder: &'a PublicKey,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// What a source has for a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Issued {
    /// The credential: a text for SD-JWT, an object for Data Integrity.
    Ready(serde_json::Value),
    /// Not yet: the wallet shall ask again after so many seconds.
    Later(u64),
}

/// Makes credentials: signs, takes a place in a status list, and commits to it on the ledger.
pub trait CredentialSource {
    /// Makes one credential.
    ///
    /// # Errors
    /// Why the person cannot have it. The wallet is told the sentence.
    fn issue(&mut self, request: &CredentialRequest<'_>) -> Result<Issued, Refusal>;
}

impl Issuer {
    fn configuration(&self, id: &str) -> Option<&CredentialConfiguration> {
        self.configurations.iter().find(|one| one.id == id)
    }
}
