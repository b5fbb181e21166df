//! An issuer as a file: what it issues, with which claims, under which key and accreditation.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stele_credentials::Refusal;
use stele_credentials::openid::issuer::{
    Client, CredentialConfiguration, DisplayedClaim, Issuer, Lifetimes, NonceSecret,
};
use stele_credentials::sd_jwt::{ClaimPath, Frame};

use crate::rules::{CLAIM, SETTINGS};

/// The longest name of an issuer, a kind or a claim, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest text for people, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// The longest value of a claim, in bytes.
const VALUE_BYTES_MAX: usize = 4 << 10;
const KINDS_MAX: usize = 64;
const CLAIMS_MAX: usize = 64;
/// The most copies of one credential, each for another key.
const COPIES_MAX: usize = 32;
const DAY_SECONDS: u64 = 24 * 3600;
/// Claims that the format itself sets, and an office cannot.
const RESERVED: [&str; 10] = [
    "iss", "iat", "nbf", "exp", "cnf", "vct", "status", "sub", "_sd", "_sd_alg",
];

/// An issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// Its name for people.
    pub display_name: String,
    /// The name of the node's key that signs; the key's party is the issuer.
    pub key: String,
    /// Within which scope it is accredited for `credential/issue`; left out, the accreditation has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How many days an offer is good.
    #[serde(default = "days_of_offer")]
    pub offer_days: u32,
    /// How many copies of a credential a wallet may have, each bound to another key, so that verifiers cannot compare them.
    #[serde(default = "copies")]
    pub copies_max: usize,
    /// Wallets, besides the node's own, in which people may sign in to receive what is offered to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientSetting>,
    /// What it issues.
    pub kinds: Vec<Kind>,
}

/// A wallet that may use the authorisation code flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSetting {
    /// Its `client_id`.
    pub id: String,
    /// Where people come back to, compared letter by letter.
    pub redirect_uris: Vec<String>,
}

/// A kind of credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name in offers.
    pub id: String,
    /// The type that the credential names (`vct`).
    pub vct: String,
    /// Its name for people.
    pub display_name: String,
    /// For how many days it is valid; left out, it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// Whether a clerk approves each credential before the wallet gets it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub by_hand: bool,
    /// Its claims.
    pub claims: Vec<ClaimSetting>,
}

/// A claim of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimSetting {
    /// Its name in the credential.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// What its values are.
    #[serde(default)]
    pub value: ValueType,
    /// Whether the holder chooses to show it.
    #[serde(default)]
    pub shown: Shown,
    /// Whether a credential may lack it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub optional: bool,
}

/// What a claim's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text.
    #[default]
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A day, as `2026-09-30`.
    Date,
}

/// Who decides whether a claim is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// The holder, each time.
    #[default]
    Chosen,
    /// Nobody: it stands open.
    Always,
}

const fn days_of_offer() -> u32 {
    30
}

const fn copies() -> usize {
    5
}

/// Whether a text is a name: letters, digits, `-`, `_`, `.`, not at the beginning a point.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl IssuerSettings {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// `office.settings`, naming the part.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |what: String| Err(SETTINGS.because(what));
        let text = |what: &str, text: &str| {
            if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
                return Err(
                    SETTINGS.because(format_args!("{what}: 1 to {TEXT_BYTES_MAX} bytes of text"))
                );
            }
            Ok(())
        };
        text("display_name", &self.display_name)?;
        text("key", &self.key)?;
        self.scope
            .as_deref()
            .map_or(Ok(()), |scope| text("scope", scope))?;
        if !(1..=366).contains(&self.offer_days) {
            return wrong("offer_days: 1 to 366".to_owned());
        }
        if !(1..=COPIES_MAX).contains(&self.copies_max) {
            return wrong(format!("copies_max: 1 to {COPIES_MAX}"));
        }
        if !(1..=KINDS_MAX).contains(&self.kinds.len()) {
            return wrong(format!("kinds: 1 to {KINDS_MAX}"));
        }
        if self.clients.len() > KINDS_MAX {
            return wrong(format!("clients: at most {KINDS_MAX}"));
        }
        for client in &self.clients {
            text("clients.id", &client.id)?;
            // A code that travels in the open is anybody's.
            let good =
                |uri: &String| uri.starts_with("https://") || uri.starts_with("http://localhost");
            if client.redirect_uris.is_empty() || !client.redirect_uris.iter().all(good) {
                return wrong(format!("clients.{}: redirect_uris with https", client.id));
            }
        }
        let mut ids = HashSet::new();
        for kind in &self.kinds {
            if !is_name(&kind.id) || !ids.insert(&kind.id) {
                return wrong(format!("kinds: `{}` is no name, or stands twice", kind.id));
            }
            text(&format!("{}.vct", kind.id), &kind.vct)?;
            text(&format!("{}.display_name", kind.id), &kind.display_name)?;
            if kind
                .valid_days
                .is_some_and(|days| !(1..=36_525).contains(&days))
            {
                return wrong(format!("{}.valid_days: 1 to 36525", kind.id));
            }
            kind.check_claims()?;
        }
        Ok(())
    }

    /// The kind of a name.
    pub fn kind(&self, id: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.id == id)
    }

    /// The state machine of OpenID4VCI with these settings, at `identifier`.
    pub(crate) fn to_issuer(
        &self,
        identifier: String,
        wallet: &str,
        nonce_secret: [u8; 32],
    ) -> Issuer {
        let own = Client {
            id: wallet.to_owned(),
            redirect_uris: vec![wallet.to_owned()],
        };
        let others = self.clients.iter().map(|client| Client {
            id: client.id.clone(),
            redirect_uris: client.redirect_uris.clone(),
        });
        Issuer {
            identifier,
            display_name: self.display_name.clone(),
            configurations: self.kinds.iter().map(Kind::configuration).collect(),
            clients: core::iter::once(own).chain(others).collect(),
            batch_max: self.copies_max,
            lifetimes: Lifetimes {
                offer_seconds: u64::from(self.offer_days) * DAY_SECONDS,
                ..Lifetimes::default()
            },
            skew_seconds: 60,
            nonce_secret: NonceSecret(nonce_secret.into()),
        }
    }
}

impl Kind {
    fn check_claims(&self) -> Result<(), Refusal> {
        if !(1..=CLAIMS_MAX).contains(&self.claims.len()) {
            return Err(SETTINGS.because(format_args!("{}.claims: 1 to {CLAIMS_MAX}", self.id)));
        }
        let mut names = HashSet::new();
        for claim in &self.claims {
            if !is_name(&claim.name)
                || RESERVED.contains(&claim.name.as_str())
                || claim.name == crate::table::REFERENCE
            {
                return Err(SETTINGS.because(format_args!(
                    "{}.claims: `{}` is no name of a claim",
                    self.id, claim.name
                )));
            }
            if !names.insert(&claim.name)
                || claim.display_name.trim().is_empty()
                || claim.display_name.len() > TEXT_BYTES_MAX
            {
                return Err(SETTINGS.because(format_args!(
                    "{}.claims: `{}` stands twice, or has no name for people",
                    self.id, claim.name
                )));
            }
        }
        Ok(())
    }

    /// Checks the claims of one person.
    ///
    /// # Errors
    /// `office.claim`, naming the claim.
    pub fn check_values(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        for (name, value) in claims {
            let setting = self.claims.iter().find(|claim| claim.name == *name);
            let setting =
                setting.ok_or_else(|| CLAIM.because(format_args!("{name}: no such claim")))?;
            if !setting.value.fits(value) {
                return Err(
                    CLAIM.because(format_args!("{name}: {} is expected", setting.value.name()))
                );
            }
        }
        let missing = self
            .claims
            .iter()
            .find(|claim| !claim.optional && !claims.contains_key(&claim.name));
        match missing {
            Some(claim) => Err(CLAIM.because(format_args!("{}: missing", claim.name))),
            None => Ok(()),
        }
    }

    /// Which claims the holder may hide.
    pub(crate) fn frame(&self) -> Frame {
        let hidden: Vec<&str> = self
            .claims
            .iter()
            .filter(|claim| claim.shown == Shown::Chosen)
            .map(|claim| claim.name.as_str())
            .collect();
        Frame::of_names(&hidden)
    }

    /// When a credential that is issued now ends.
    pub(crate) fn expires_at(&self, now: u64) -> Option<u64> {
        self.valid_days
            .map(|days| now.saturating_add(u64::from(days) * DAY_SECONDS))
    }

    fn configuration(&self) -> CredentialConfiguration {
        CredentialConfiguration {
            id: self.id.clone(),
            format: stele_credentials::sd_jwt::TYPE.to_owned(),
            vct: Some(self.vct.clone()),
            types: Vec::new(),
            scope: Some(self.id.clone()),
            signing_algorithms: vec!["EdDSA".to_owned(), "ES256".to_owned()],
            display_name: self.display_name.clone(),
            claims: self
                .claims
                .iter()
                .map(|claim| DisplayedClaim {
                    path: ClaimPath::name(&claim.name),
                    display_name: claim.display_name.clone(),
                })
                .collect(),
        }
    }
}

impl ValueType {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text of 1 to 4096 bytes",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Date => "a day as 2026-09-30",
        }
    }

    /// The narrowest type that all cells have which are not empty.
    pub fn of_cells(cells: &[&str]) -> Self {
        let filled: Vec<&str> = cells
            .iter()
            .copied()
            .filter(|cell| !cell.is_empty())
            .collect();
        let narrow = [Self::Integer, Self::Number, Self::Boolean, Self::Date];
        narrow
            .into_iter()
            .find(|kind| {
                // A number with a leading zero is a name: 00123.
                let named =
                    |cell: &&str| cell.len() > 1 && cell.starts_with('0') && !cell.contains('.');
                !filled.is_empty()
                    && filled
                        .iter()
                        .all(|cell| kind.read(cell).is_some() && !named(cell))
            })
            .unwrap_or(Self::Text)
    }

    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(text)) => (1..=VALUE_BYTES_MAX).contains(&text.len()),
            (Self::Number, Value::Number(_)) | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (Self::Date, Value::String(text)) => is_day(text),
            _ => false,
        }
    }

    /// The value that a cell of a table means; `None` if it means none.
    pub(crate) fn read(self, cell: &str) -> Option<Value> {
        let value = match self {
            Self::Text | Self::Date => Value::from(cell),
            Self::Boolean => Value::from(cell.parse::<bool>().ok()?),
            Self::Integer => Value::from(cell.parse::<i64>().ok()?),
            Self::Number => Value::Number(serde_json::Number::from_f64(cell.parse::<f64>().ok()?)?),
        };
        self.fits(&value).then_some(value)
    }
}

/// A day of the calendar: ISO 8601, four digits of the year.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && stele_core::calendar::parse_date_time(&format!("{text}T00:00:00Z")).is_some()
}
