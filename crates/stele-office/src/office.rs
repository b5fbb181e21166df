//! Issuers and their offers: what the office itself does. `endpoints` is what wallets call.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};
use stele_credentials::Refusal;
use stele_credentials::openid::MemoryStore;
use stele_credentials::openid::issuer::{Offered, TxCode};
use stele_credentials::sd_jwt::StatusReference;
use stele_credentials::status::Status;

use crate::chain::Chain;
use crate::desk::Desk;
use crate::people::People;
use crate::rules::{ISSUER_UNKNOWN, KEEPING, KIND_UNKNOWN, SETTINGS, TABLE_UNREADABLE};
use crate::settings::{IssuerSettings, is_name};
use crate::status::Lists;
use crate::store::{KeptOffer, OfficeFile};
use crate::table::ROWS_MAX;

/// The most running exchanges: codes, tokens, nonces.
const RUNNING_MAX: usize = 1_000_000;
/// Digits of a transaction code.
const TX_CODE_DIGITS: u32 = 6;
/// The longest reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 128;

/// An office: any number of issuers, one file.
pub struct Office {
    pub(crate) base: String,
    pub(crate) file: OfficeFile,
    pub(crate) people: People,
    pub(crate) chain: Arc<dyn Chain>,
    desks: RwLock<HashMap<String, Arc<Desk>>>,
    pub(crate) running: Mutex<MemoryStore>,
    pub(crate) lists: Lists,
    pub(crate) collecting: Mutex<std::collections::HashSet<String>>,
    nonce_secret: [u8; 32],
}

/// What one person is to have.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOffer {
    /// The kind of credential.
    pub kind: String,
    /// The office's own reference of the person, to find the credential by later. It is not in the credential.
    pub reference: Option<String>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// Whether a code is made that travels by another way than the offer.
    pub wants_code: bool,
}

/// An offer for a wallet.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeOffer {
    /// Its name in the office.
    pub id: String,
    /// The reference that came with it.
    pub reference: Option<String>,
    /// The link for the person: `openid-credential-offer://`, in a QR code or a mail.
    pub link: String,
    /// The code that goes by another way.
    pub tx_code: Option<String>,
    /// Until when it is good, in seconds since 1970.
    pub expires_at: u64,
}

/// Where an offer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// A clerk has to approve it.
    Waiting,
    /// The wallet may come.
    Ready,
    /// It was issued.
    Collected,
    /// The office took it back.
    Withdrawn,
    /// Nobody came.
    Expired,
}

/// An offer without what only its person may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRow {
    /// Its name in the office.
    pub id: String,
    /// The kind of credential.
    pub kind: String,
    /// The office's reference.
    pub reference: Option<String>,
    /// Where it stands.
    pub state: OfferState,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// Until when it is good.
    pub expires_at: u64,
}

/// A credential that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRow {
    /// Its number at this issuer.
    pub number: u64,
    /// The offer that it came from; copies share it.
    pub offer: String,
    /// The kind of credential.
    pub kind: String,
    /// The office's reference.
    pub reference: Option<String>,
    /// Its status.
    pub status: Status,
    /// When it was issued, in seconds since 1970.
    pub issued_at: u64,
}

impl OfferState {
    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Collected => "collected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        [Self::Waiting, Self::Ready, Self::Collected, Self::Withdrawn]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Expired)
    }
}

impl Office {
    /// Opens the office's file, and takes up what was offered before. `base` is the address that wallets see, without a slash at the
    /// end.
    ///
    /// # Errors
    /// `office.keeping`.
    pub fn open(path: &Path, base: &str, chain: Arc<dyn Chain>, now: u64) -> Result<Self, Refusal> {
        let base = base.trim_end_matches('/');
        let file = OfficeFile::open(path)?;
        let office = Self {
            base: base.to_owned(),
            people: People::open(base, &file)?,
            file,
            chain,
            desks: RwLock::default(),
            running: Mutex::new(MemoryStore::new(RUNNING_MAX)),
            lists: Lists::default(),
            collecting: Mutex::default(),
            nonce_secret: random(),
        };
        office.file.sweep(now)?;
        for (name, settings, secret) in office.file.issuers()? {
            let desk = office.seat(&name, settings, secret);
            for kept in office.file.open_offers(&name)? {
                // What no longer fits a kind stays in the file, and the office can withdraw it.
                let _ = office.put_offer(&desk, &kept, now);
            }
        }
        Ok(office)
    }

    fn seat(&self, name: &str, settings: IssuerSettings, secret: [u8; 32]) -> Arc<Desk> {
        let desk = Desk::new(&self.base, name, settings, secret, self.nonce_secret);
        self.desks
            .write()
            .insert(name.to_owned(), Arc::clone(&desk));
        desk
    }

    pub(crate) fn desk(&self, name: &str) -> Result<Arc<Desk>, Refusal> {
        let desk = self.desks.read().get(name).cloned();
        desk.ok_or_else(|| ISSUER_UNKNOWN.because(name))
    }

    /// Makes an issuer, or changes its settings. Offers that were made stay.
    ///
    /// # Errors
    /// `office.settings`, `office.key`, `office.keeping`.
    pub fn put_issuer(&self, name: &str, settings: IssuerSettings) -> Result<(), Refusal> {
        if !is_name(name) {
            return Err(SETTINGS.because(format_args!("`{name}` is no name")));
        }
        settings.check()?;
        let before = self.desks.read().get(name).cloned();
        let dropped = before.and_then(|desk| {
            let mut kinds = desk.settings.kinds.iter();
            kinds
                .find(|kind| settings.kind(&kind.id).is_none())
                .map(|kind| kind.id.clone())
        });
        if let Some(kind) = dropped {
            return Err(SETTINGS.because(format_args!(
                "the kind `{kind}` is gone; offers of it may be open"
            )));
        }
        self.chain.signer(&settings.key)?;
        let secret = self.file.put_issuer(name, &settings, &random())?;
        self.seat(name, settings, secret);
        Ok(())
    }

    /// The issuers' names and settings.
    pub fn issuers(&self) -> Vec<(String, IssuerSettings)> {
        let desks = self.desks.read();
        let mut found: Vec<_> = desks
            .values()
            .map(|desk| (desk.name.clone(), desk.settings.clone()))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    /// The link that offers all kinds of an issuer to whoever signs in: for a poster, without secrets.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn open_offer(&self, name: &str) -> Result<String, Refusal> {
        let desk = self.desk(name)?;
        let kinds: Vec<&str> = desk
            .settings
            .kinds
            .iter()
            .map(|kind| kind.id.as_str())
            .collect();
        let offer = desk.issuer.open_offer(&kinds);
        Ok(offer.map(|(_, link)| link).unwrap_or_default())
    }

    /// An issuer's settings, and the address that wallets know it by.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn issuer(&self, name: &str) -> Result<(IssuerSettings, String), Refusal> {
        let desk = self.desk(name)?;
        Ok((desk.settings.clone(), desk.issuer.identifier.clone()))
    }

    /// Offers credentials: all of them, or none.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.kind-unknown`, `office.claim`, `office.table`, `office.keeping`.
    pub fn offer(
        &self,
        name: &str,
        offers: Vec<NewOffer>,
        now: u64,
    ) -> Result<Vec<MadeOffer>, Refusal> {
        let desk = self.desk(name)?;
        self.file.sweep(now)?;
        if offers.is_empty() || offers.len() > ROWS_MAX {
            return Err(TABLE_UNREADABLE.because(format_args!("1 to {ROWS_MAX} offers at once")));
        }
        let kept: Vec<_> = (1..)
            .zip(offers)
            .map(|(row, offer)| keep(&desk, offer, now).map_err(|refusal| in_row(&refusal, row)))
            .collect::<Result<_, Refusal>>()?;
        // Durable before any person hears of it.
        self.file.add_offers(name, &kept)?;
        kept.iter()
            .map(|kept| self.put_offer(&desk, kept, now))
            .collect()
    }

    fn put_offer(&self, desk: &Desk, kept: &KeptOffer, now: u64) -> Result<MadeOffer, Refusal> {
        let tx_code = kept.tx_code.as_ref().map(|code| TxCode {
            code: code.clone(),
            description: format!(
                "From {}, by another way than this offer",
                desk.settings.display_name
            ),
        });
        let offered = Offered {
            pre_authorized_code: &kept.code,
            subject: &kept.id,
            configurations: &[&kept.kind],
            tx_code: tx_code.as_ref(),
            expires_at: kept.expires_at,
        };
        let made = desk
            .issuer
            .offer_again(&offered, &mut *self.running.lock(), now)
            .map_err(|fault| KEEPING.because(fault.description))?;
        Ok(MadeOffer {
            id: kept.id.clone(),
            reference: kept.reference.clone(),
            link: made.link,
            tx_code: kept.tx_code.clone(),
            expires_at: kept.expires_at,
        })
    }

    /// An issuer's offers, the newest first.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.keeping`.
    pub fn offers(&self, name: &str, skip: usize, rows: usize) -> Result<Vec<OfferRow>, Refusal> {
        self.desk(name)?;
        self.file.offers(name, skip, rows)
    }

    /// Approves an offer of a kind that is issued by hand.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.offer-unknown`, `office.keeping`.
    pub fn approve(&self, name: &str, id: &str) -> Result<(), Refusal> {
        self.desk(name)?;
        self.file.approve(name, id)
    }

    /// Takes an offer back.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.offer-unknown`, `office.keeping`.
    pub fn withdraw(&self, name: &str, id: &str, now: u64) -> Result<(), Refusal> {
        let desk = self.desk(name)?;
        let code = self.file.withdraw(name, id)?;
        desk.issuer.withdraw(&code, &mut *self.running.lock(), now);
        Ok(())
    }

    /// What an issuer has issued, the newest first.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.keeping`.
    pub fn issued(&self, name: &str, skip: usize, rows: usize) -> Result<Vec<IssuedRow>, Refusal> {
        self.desk(name)?;
        self.file.issued(name, skip, rows)
    }

    /// Changes the status of what came from an offer, all copies alike, and publishes the list. Returns what it was.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.issued-unknown`, `office.keeping`; `office.chain-refused` if the list's root was not taken: the
    /// status has changed all the same.
    pub fn set_status(
        &self,
        name: &str,
        offer: &str,
        status: Status,
        now_ms: u64,
    ) -> Result<Status, Refusal> {
        let desk = self.desk(name)?;
        let signer = self.chain.signer(&desk.settings.key)?;
        let before = self.file.set_status(name, offer, status)?;
        self.lists
            .publish(&desk, &signer, &self.file, &*self.chain, now_ms)?;
        Ok(before)
    }
}

impl Office {
    /// Issuer and shard of a status list that this office serves.
    pub(crate) fn own_list(&self, uri: &str) -> Option<(String, usize)> {
        let rest = uri.strip_prefix(&self.base)?;
        let (name, shard) = rest
            .strip_prefix("/openid/issuers/")?
            .split_once("/status/")?;
        self.desk(name).ok()?;
        Some((name.to_owned(), shard.parse().ok()?))
    }

    /// Looks up the status of a credential in a list of this office; another's list is not asked.
    pub(crate) fn require_valid(
        &self,
        reference: &StatusReference,
        now: u64,
    ) -> Result<(), Refusal> {
        let Some((name, shard)) = self.own_list(&reference.uri) else {
            return Ok(());
        };
        let desk = self.desk(&name)?;
        let signer = self.chain.signer(&desk.settings.key)?;
        let place = (shard, reference.index);
        self.lists
            .status(&desk, &signer, &self.file, place, now)?
            .require_valid()
    }
}

/// Checks an offer and gives it its secrets.
fn keep(desk: &Desk, offer: NewOffer, now: u64) -> Result<KeptOffer, Refusal> {
    let kind = desk.settings.kind(&offer.kind);
    let kind = kind.ok_or_else(|| KIND_UNKNOWN.because(&offer.kind))?;
    kind.check_values(&offer.claims)?;
    if offer
        .reference
        .as_ref()
        .is_some_and(|reference| reference.len() > REFERENCE_BYTES_MAX)
    {
        return Err(crate::rules::CLAIM.because(format_args!(
            "reference: at most {REFERENCE_BYTES_MAX} bytes"
        )));
    }
    let id: [u8; 16] = random();
    let code: [u8; 32] = random();
    Ok(KeptOffer {
        id: hex::encode(id),
        kind: offer.kind,
        reference: offer.reference,
        claims: offer.claims,
        code: stele_credentials::json::to_base64url(code),
        tx_code: offer.wants_code.then(digits),
        state: if kind.by_hand {
            OfferState::Waiting
        } else {
            OfferState::Ready
        },
        made_at: now,
        expires_at: now.saturating_add(desk.issuer.lifetimes.offer_seconds),
    })
}

fn in_row(refusal: &Refusal, row: usize) -> Refusal {
    let detail = refusal.detail().unwrap_or_default();
    refusal
        .rule()
        .because(format_args!("offer {row}, {detail}"))
}

/// Six random digits, each as likely as any other.
fn digits() -> String {
    let space = 10_u32.pow(TX_CODE_DIGITS);
    loop {
        let number = u32::from_be_bytes(random());
        // The rest above the last whole multiple would make small numbers likelier.
        if number < u32::MAX / space * space {
            return format!("{:06}", number % space);
        }
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
