//! Credential offers and pre-authorised codes (OpenID4VCI section 4).

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::{GRANT_PRE_AUTHORIZED, Issuer};
use crate::openid::{Fault, Record, Store, encode_component, new_secret};

/// How often a wrong transaction code may be tried.
pub(super) const TX_CODE_TRIES: u8 = 5;

/// A code that reaches the person by another way than the offer, such as a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxCode {
    /// The code, such as `493536`.
    pub code: String,
    /// Where the person finds it.
    pub description: String,
}

/// What a pre-authorised code gives.
#[derive(Debug, Clone)]
pub struct Grant {
    pub(super) subject: String,
    pub(super) configurations: Vec<String>,
    pub(super) tx_code: Option<String>,
    pub(super) tries_left: u8,
}

/// An offer to a known person, with the code that stands for it.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// The pre-authorised code.
    pub pre_authorized_code: &'a str,
    /// The person, as the issuer knows them.
    pub subject: &'a str,
    /// The kinds of credentials.
    pub configurations: &'a [&'a str],
    /// The code that travels by another way.
    pub tx_code: Option<&'a TxCode>,
    /// Until when the offer is good, in seconds since 1970.
    pub expires_at: u64,
}

/// An offer that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The offer for the wallet.
    pub json: Value,
    /// The link that a QR code carries, with the offer inside.
    pub link: String,
    /// The pre-authorised code, to withdraw the offer by.
    pub pre_authorized_code: String,
}

impl Issuer {
    /// Offers credentials to a person who was authenticated already.
    ///
    /// # Errors
    /// `unknown_credential_configuration`, or `temporarily_unavailable` if the store is full.
    pub fn offer<R: CryptoRng + ?Sized>(
        &self,
        subject: &str,
        configurations: &[&str],
        tx_code: Option<&TxCode>,
        store: &mut dyn Store,
        rng: &mut R,
        now: u64,
    ) -> Result<Offer, Fault> {
        let offered = Offered {
            pre_authorized_code: &new_secret(rng),
            subject,
            configurations,
            tx_code,
            expires_at: now.saturating_add(self.lifetimes.offer_seconds),
        };
        self.offer_again(&offered, store, now)
    }

    /// Puts an offer into the store that was made before, by an office that keeps its offers through a restart. Tries of the
    /// transaction code begin anew.
    ///
    /// # Errors
    /// As [`Issuer::offer`].
    pub fn offer_again(
        &self,
        offered: &Offered<'_>,
        store: &mut dyn Store,
        now: u64,
    ) -> Result<Offer, Fault> {
        let Offered {
            pre_authorized_code: code,
            subject,
            configurations,
            tx_code,
            expires_at,
        } = *offered;
        self.check_known(configurations)?;
        let grant = Grant {
            subject: subject.to_owned(),
            configurations: configurations.iter().map(|one| (*one).to_owned()).collect(),
            tx_code: tx_code.map(|tx_code| tx_code.code.clone()),
            tries_left: TX_CODE_TRIES,
        };
        store.put(
            format!("grant/{code}"),
            Record::Grant(grant),
            expires_at,
            now,
        )?;
        let mut inner = json!({"pre-authorized_code": code});
        if let Some(tx_code) = tx_code {
            let numeric = tx_code.code.bytes().all(|byte| byte.is_ascii_digit());
            inner["tx_code"] = json!({
                "input_mode": if numeric { "numeric" } else { "text" },
                "length": tx_code.code.chars().count(),
                "description": tx_code.description,
            });
        }
        let mut offer = self.bare_offer(configurations);
        offer["grants"] = json!({GRANT_PRE_AUTHORIZED: inner});
        Ok(Offer {
            link: link(&offer),
            json: offer,
            pre_authorized_code: code.to_owned(),
        })
    }

    /// Offers credentials to anybody who then authenticates in the authorisation code flow: a link for a poster.
    ///
    /// # Errors
    /// `unknown_credential_configuration`.
    pub fn open_offer(&self, configurations: &[&str]) -> Result<(Value, String), Fault> {
        self.check_known(configurations)?;
        let mut offer = self.bare_offer(configurations);
        offer["grants"] = json!({"authorization_code": {}});
        let link = link(&offer);
        Ok((offer, link))
    }

    /// Withdraws an offer; `false` if it was taken, expired or never made.
    pub fn withdraw(&self, pre_authorized_code: &str, store: &mut dyn Store, now: u64) -> bool {
        store
            .take(&format!("grant/{pre_authorized_code}"), now)
            .is_some()
    }

    fn bare_offer(&self, configurations: &[&str]) -> Value {
        json!({"credential_issuer": self.identifier, "credential_configuration_ids": configurations})
    }

    fn check_known(&self, configurations: &[&str]) -> Result<(), Fault> {
        match configurations
            .iter()
            .find(|id| self.configuration(id).is_none())
        {
            Some(id) => Err(Fault::new(
                "unknown_credential_configuration",
                format!("There is no credential {id}."),
            )),
            None if configurations.is_empty() => Err(Fault::invalid_request(
                "An offer names at least one credential.",
            )),
            None => Ok(()),
        }
    }
}

fn link(offer: &Value) -> String {
    format!(
        "openid-credential-offer://?credential_offer={}",
        encode_component(&offer.to_string())
    )
}
