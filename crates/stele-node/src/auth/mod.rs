//! Who calls, what they may do, and how much of it.
//!
//! - [`keystore`]: secret keys in encrypted files. [`token`]: the operator's token.
//! - [`http_signature`]: requests signed by a party's key (RFC 9421).
//! - [`policy`]: what each kind of caller may do, as Cedar policies. [`quota`]: how often and how much.
//! - [`origin`]: requests that a web page of somebody else makes a browser send.
//! - [`guard`]: the one gate in front of all handlers, which uses all of these.
//!
//! Design note 0006; for users, docs/security.md and docs/api-auth.md.

pub mod guard;
pub mod http_signature;
pub mod keystore;
pub mod origin;
pub mod policy;
pub mod quota;
pub mod token;

pub use guard::{Gate, GateSettings, Known};
pub use keystore::{KeyInfo, Keystore, KeystoreError, Unlock};
pub use policy::{Action, Caller, OperatorBy, Policies, PolicyError, Resource};
pub use quota::QuotaSettings;
pub use token::ApiToken;
