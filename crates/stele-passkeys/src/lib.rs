//! Passkeys of people who receive credentials: enrolment by a one-time code and sign-in, without I/O, clock or passwords.
//!
//! A person gets a code from the office, registers a passkey with it, and from then on signs in at the issuer's
//! authorisation endpoint with a fingerprint, a face or a PIN of the own device. Web Authentication Level 3 says how; the
//! cryptography is that of `webauthn-rs`. Time is passed in as seconds since 1970. Challenges, handles and codes are random
//! bytes of the system, as `webauthn-rs` draws them itself.
//!
//! - [`Passkeys`] starts and finishes ceremonies. [`Settings`] say for which site, and how much of everything there may be.
//! - [`Credentials`] are what outlives the process: public keys, each with its person and its counter.
//! - [`EnrolmentCodes`] are one-time codes of the office, kept as hashes.
//! - [`Refusal`] has a stable code, a sentence and a hint; the table of them is docs/credentials/passkey-refusals.md.
//!
//! A ceremony:
//!
//! 1. The issuer starts it and gives the browser its options, the dictionaries that
//!    `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` read.
//! 2. The browser answers with `credential.toJSON()`; the issuer finishes it. A ceremony takes one answer, right or wrong,
//!    and ends by itself after [`Settings::ceremony_seconds`].
//!
//! What this crate decides beyond the library, because a page that signs people in needs it:
//!
//! - Always the counter that is stored now is compared, never the one of when the ceremony began: two ceremonies
//!   side by side would otherwise hide a copy of the key.
//! - After a counter that did not grow the passkey is locked, for nobody can tell the copy from the original.
//! - A sign-in from inside another site's frame is refused, as a registration is.
//! - Attestation is not asked for, and certificates of makers are refused unread: nothing here depends on
//!   the make of a device, and so nothing learns it.

mod answer;
mod ceremonies;
mod credentials;
mod enrolment;
mod passkeys;
pub mod refusal;
mod settings;
#[cfg(any(test, feature = "emulator"))]
pub mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_any_input;

pub use credentials::{CredentialRecord, Credentials, StoredCredentialsError};
pub use enrolment::{EnrolmentCode, EnrolmentCodes};
pub use passkeys::{Passkeys, SignedIn, Started};
pub use refusal::Refusal;
pub use settings::{Settings, SettingsError};
