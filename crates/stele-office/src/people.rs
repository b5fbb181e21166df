//! People who sign in with a passkey to receive what is offered to them: the authorisation code flow of OpenID4VCI.

use getrandom::SysRng;
use parking_lot::Mutex;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use stele_credentials::Refusal;
use stele_credentials::openid::{Answer, Body, Form, encode_component};
use stele_passkeys::{
    CredentialRecord, Credentials, EnrolmentCode, EnrolmentCodes, Passkeys, Settings, Started,
};

use crate::office::{Office, random};
use crate::rules::{KEEPING, NO_PASSKEYS, REQUEST_OVER};
use crate::store::OfficeFile;

/// What marks the subject of a grant as a person, whose offers are looked up when the wallet asks.
pub(crate) const PERSON: &str = "person/";

/// The passkeys of all people of the office; none where its address cannot have any.
pub(crate) struct People(Option<Mutex<Passkeys>>);

/// What a person gets to register a passkey with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The one-time code, for a letter.
    pub code: String,
    /// The page with the code in it, for a QR code.
    pub link: String,
}

/// What the sign-in page says, and gives the browser.
#[derive(Debug, Clone, PartialEq)]
pub struct SignIn {
    /// The issuer's name for people.
    pub issuer: String,
    /// The names of the kinds of credentials that the wallet asks for.
    pub kinds: Vec<String>,
    /// The ceremony.
    pub started: Started,
}

impl People {
    /// Takes up the passkeys that the file holds.
    pub fn open(base: &str, file: &OfficeFile) -> Result<Self, Refusal> {
        let host = host_of(base);
        let settings = Settings::new(host, "Stele", &[base]);
        let mut stored = serde_json::to_value(Credentials::new()).map_err(failed)?;
        for (id, record) in file.passkeys()? {
            stored["credentials"][id] = serde_json::from_str(&record).map_err(failed)?;
        }
        let credentials = serde_json::from_value(stored).map_err(failed)?;
        let codes = match file.document("enrolment-codes")? {
            Some(text) => serde_json::from_str(&text).map_err(failed)?,
            None => EnrolmentCodes::new(),
        };
        // An address that is a number cannot have passkeys (Web Authentication section 5.1.2).
        Ok(Self(
            Passkeys::new(settings, credentials, codes)
                .ok()
                .map(Mutex::new),
        ))
    }

    fn passkeys(&self) -> Result<&Mutex<Passkeys>, Refusal> {
        self.0.as_ref().ok_or_else(|| NO_PASSKEYS.refuse())
    }
}

fn failed(error: impl core::fmt::Display) -> Refusal {
    KEEPING.because(error)
}

/// The host of an address, without its port.
fn host_of(base: &str) -> &str {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

fn keep_codes(file: &OfficeFile, passkeys: &Passkeys) -> Result<(), Refusal> {
    let text = serde_json::to_string(passkeys.codes()).map_err(failed)?;
    file.put_document("enrolment-codes", &text)
}

fn keep(file: &OfficeFile, record: &CredentialRecord) -> Result<(), Refusal> {
    let text = serde_json::to_string(record).map_err(failed)?;
    file.put_passkey(&record.id, &record.subject, &text)
}

impl Office {
    /// Invites a person, named by the office's own reference, to register a passkey. An earlier invitation is void.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.no-passkeys`, `office.keeping`, those of [`Passkeys::invite`].
    pub fn invite(
        &self,
        name: &str,
        reference: &str,
        display_name: &str,
        now: u64,
    ) -> Result<Invitation, Refusal> {
        self.desk(name)?;
        let mut passkeys = self.people.passkeys()?.lock();
        let subject = format!("{name}/{reference}");
        let code = passkeys.invite(
            &subject,
            display_name,
            random::<{ EnrolmentCode::BYTES }>(),
            now,
        )?;
        keep_codes(&self.file, &passkeys)?;
        let code = code.text();
        let link = format!(
            "{}/sign-in#/enrol?issuer={name}&code={}",
            self.base,
            encode_component(&code)
        );
        Ok(Invitation { code, link })
    }

    /// Begins the registration of a passkey.
    ///
    /// # Errors
    /// `office.no-passkeys`, those of [`Passkeys::start_enrolment`].
    pub fn start_enrolment(&self, code: &str, now: u64) -> Result<Started, Refusal> {
        self.people.passkeys()?.lock().start_enrolment(code, now)
    }

    /// Ends it with the browser's answer.
    ///
    /// # Errors
    /// Those of [`Passkeys::finish_registration`], `office.keeping`.
    pub fn finish_enrolment(&self, ceremony: &str, answer: &[u8], now: u64) -> Result<(), Refusal> {
        let mut passkeys = self.people.passkeys()?.lock();
        let record = passkeys.finish_registration(ceremony, answer, now)?;
        keep(&self.file, &record)?;
        keep_codes(&self.file, &passkeys)
    }

    /// The endpoint for pushed authorisation requests.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn push(&self, name: &str, form: &Form, now: u64) -> Result<Answer, Refusal> {
        let desk = self.desk(name)?;
        let store = &mut *self.running.lock();
        Ok(desk.issuer.push(form, store, &mut UnwrapErr(SysRng), now))
    }

    /// The authorisation endpoint: sends the person to the page on which they sign in.
    ///
    /// # Errors
    /// `office.issuer-unknown`.
    pub fn authorize(&self, name: &str, query: &Form, now: u64) -> Result<Answer, Refusal> {
        let desk = self.desk(name)?;
        let store = &mut *self.running.lock();
        let waiting = desk
            .issuer
            .authorize(query, store, &mut UnwrapErr(SysRng), now);
        Ok(match waiting {
            Ok((handle, _)) => Answer::redirect(format!(
                "{}/sign-in#/authorise?issuer={name}&request={handle}",
                self.base
            )),
            Err(answer) => answer,
        })
    }

    /// Begins the sign-in for a request that waits.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.request-over`, `office.no-passkeys`, those of [`Passkeys::start_authentication`].
    pub fn start_sign_in(&self, name: &str, request: &str, now: u64) -> Result<SignIn, Refusal> {
        let desk = self.desk(name)?;
        let kinds = {
            let store = &mut *self.running.lock();
            let waiting = desk.issuer.waiting(request, store, now);
            let waiting = waiting.ok_or_else(|| REQUEST_OVER.refuse())?;
            let names = waiting.configurations().iter();
            names
                .filter_map(|id| Some(desk.settings.kind(id)?.display_name.clone()))
                .collect()
        };
        // Nobody is named: a stranger must not learn who has a passkey here.
        let started = self
            .people
            .passkeys()?
            .lock()
            .start_authentication(None, now)?;
        Ok(SignIn {
            issuer: desk.settings.display_name.clone(),
            kinds,
            started,
        })
    }

    /// Ends the sign-in: the address with the code, back in the wallet.
    ///
    /// # Errors
    /// Those of [`Passkeys::finish_authentication`], `office.not-yours` for a person of another issuer, `office.request-over`.
    pub fn finish_sign_in(
        &self,
        name: &str,
        request: &str,
        ceremony: &str,
        answer: &[u8],
        now: u64,
    ) -> Result<String, Refusal> {
        let desk = self.desk(name)?;
        let subject = {
            let mut passkeys = self.people.passkeys()?.lock();
            let before = passkeys.credentials().changes();
            let signed_in = passkeys.finish_authentication(ceremony, answer, now);
            if passkeys.credentials().changes() != before {
                // After a refusal too: a copied passkey is locked.
                let id = serde_json::from_slice::<Value>(answer).unwrap_or_default();
                let record = passkeys
                    .credentials()
                    .get(id["id"].as_str().unwrap_or_default());
                record.map_or(Ok(()), |record| keep(&self.file, record))?;
            }
            signed_in?.subject
        };
        let reference = subject
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| crate::rules::NOT_YOURS.refuse())?;
        let store = &mut *self.running.lock();
        let person = format!("{PERSON}{reference}");
        let answer = desk
            .issuer
            .grant(request, &person, store, &mut UnwrapErr(SysRng), now);
        location(&answer)
    }

    /// The person does not want to: the address with the error, back in the wallet.
    ///
    /// # Errors
    /// `office.issuer-unknown`, `office.request-over`.
    pub fn refuse_sign_in(&self, name: &str, request: &str, now: u64) -> Result<String, Refusal> {
        let desk = self.desk(name)?;
        let answer = desk.issuer.deny(request, &mut *self.running.lock(), now);
        location(&answer)
    }
}

/// Where an answer sends the browser.
fn location(answer: &Answer) -> Result<String, Refusal> {
    let found = answer.headers.iter().find(|(name, _)| *name == "location");
    match (found, &answer.body) {
        (Some((_, location)), _) => Ok(location.clone()),
        (None, Body::Json(body)) => Err(REQUEST_OVER.because(&body["error_description"])),
        (None, _) => Err(REQUEST_OVER.refuse()),
    }
}

impl SignIn {
    /// For the page.
    pub fn to_json(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "kinds": self.kinds,
            "ceremony": self.started.ceremony,
            "options": self.started.options,
        })
    }
}
