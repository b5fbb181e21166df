//! The desk of an office that issues credentials and asks for them: what stands between the state machines of OpenID and a ledger.
//!
//! The protocols are in `stele-credentials` and keep nothing; here lies what an office has to keep: who was offered what, which
//! credentials were issued and stand where in a status list, and the proof of issuance of each. An office needs a [`Chain`] to
//! commit to what it issues: no credential leaves it before the ledger has taken the commitment.
//!
//! - [`settings`]: an issuer as a file: its kinds of credentials and their claims. [`table`]: offers from a CSV file.
//! - [`Office`]: offers, and the endpoints of OpenID4VCI. [`Office::set_status`]: revocation.
//! - [`Counter`]: the endpoints of OpenID4VP, for one who asks for credentials.
//! - [`rules`]: every refusal.
//!
//! Personal data: claims lie in the office's file from the offer until the credential was issued, and are removed then. What stays
//! is the office's own reference, if it gave one, so that it can revoke.

mod chain;
mod counter;
mod desk;
mod endpoints;
mod office;
mod people;
mod seal;
pub mod settings;
mod status;
mod store;
pub mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use chain::{Chain, SigningParty};
pub use counter::{Counter, Judgement, NewRequest, Presented};
pub use office::{IssuedRow, MadeOffer, NewOffer, OfferRow, OfferState, Office};
pub use people::{Invitation, SignIn};
pub use settings::{ClaimSetting, ClientSetting, IssuerSettings, Kind, Shown, ValueType};
pub use stele_credentials::status::Status;

/// Rules of offices.
pub mod rules {
    stele_refusal::refusal_table! {
        SETTINGS: "office.settings", refuses_settings_that_do_not_hold,
            "The issuer's settings are not as they have to be.", "Correct the named part; docs/issuing.md describes the file.";
        ISSUER_UNKNOWN: "office.issuer-unknown", refuses_an_unknown_issuer,
            "There is no such issuer here.", "GET /v1/issuers lists them; PUT /v1/issuers/NAME makes one.";
        KIND_UNKNOWN: "office.kind-unknown", refuses_offers_that_do_not_fit,
            "The issuer has no such kind of credential.", "GET /v1/issuers/NAME lists its kinds.";
        CLAIM: "office.claim", refuses_offers_that_do_not_fit,
            "A claim is missing, unknown, or not of its type.", "Compare the row with the kind's claims, and give all rows again: nothing was offered.";
        TABLE_UNREADABLE: "office.table", refuses_tables_that_do_not_fit,
            "The table cannot be read.", "Save it as CSV in UTF-8, with the claims' names in the first line, and give it again: nothing was offered.";
        OFFER_UNKNOWN: "office.offer-unknown", an_offer_can_be_withdrawn_once,
            "There is no such offer, or it was taken already.", "GET /v1/issuers/NAME/offers lists the offers.";
        NOT_READY: "office.not-offered", a_credential_is_issued_once_for_each_offer,
            "What was offered was collected, withdrawn, or is being collected.", "Ask the office for a new offer.";
        ISSUED_UNKNOWN: "office.issued-unknown", a_revoked_credential_stands_in_the_list,
            "The issuer has issued no such credential.", "GET /v1/issuers/NAME/issued lists what was issued.";
        KEY: "office.key", refuses_a_key_that_cannot_sign_credentials,
            "The issuer's key cannot sign credentials.", "Name a key of Ed25519 or ES256 that the node holds, of a registered party.";
        CHAIN: "office.chain-refused", nothing_is_issued_that_the_ledger_refuses,
            "The ledger did not take what the office has to publish.", "The detail says why; an issuer needs an accreditation for credential/issue.";
        KEEPING: "office.keeping", the_file_can_be_damaged,
            "The office's file could not be read or written.", "Look at the node's log; the file offices.db is kept nowhere else: restore it from a backup.";
        NOT_TRUSTED: "office.not-trusted", a_counter_trusts_whom_it_names,
            "The credential's issuer is not among those that are trusted here.", "Ask for a credential of one of the named issuers.";
        KEY_UNKNOWN: "office.issuer-key-unknown", a_counter_knows_the_keys_of_dids,
            "The issuer's key could not be found.", "The issuer has to be a did:stele of this network, a did:key or a did:jwk.";
        NO_PASSKEYS: "office.no-passkeys", an_address_that_is_a_number_has_no_passkeys,
            "This office's address cannot have passkeys.", "Start the node with --public-url and a name, such as https://registry.example or http://localhost:4180.";
        REQUEST_OVER: "office.request-over", a_person_signs_in_and_collects,
            "The wallet's request is over, or was answered already.", "Begin again in the wallet.";
        NOT_YOURS: "office.not-yours", a_passkey_of_another_issuer_collects_nothing,
            "This passkey was registered at another issuer.", "Use the passkey that you registered with this issuer's code.";
        BUSY: "office.busy", a_counter_is_bounded,
            "Too many requests are open.", "Try again in a minute.";
    }
}
