//! The service: starts ceremonies, and finishes each once.

use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyRegistration, PublicKeyCredential, Uuid, Webauthn,
    WebauthnError,
};

use crate::answer;
use crate::ceremonies::Ceremonies;
use crate::credentials::{CredentialRecord, Credentials};
use crate::enrolment::{CodeHash, EnrolmentCode, EnrolmentCodes};
use crate::refusal::{
    ALREADY_REGISTERED, CLONED, FULL, MALFORMED, NOT_VERIFIED, Refusal, TOO_MANY,
    UNKNOWN_CREDENTIAL,
};
use crate::settings::{Settings, SettingsError};

/// The longest subject and the longest display name, in bytes. Authenticators may cut names after 64 bytes.
const NAME_BYTES_MAX: usize = 256;

/// Passkeys of one site. Times are seconds since 1970.
#[derive(Debug)]
pub struct Passkeys {
    settings: Settings,
    relying_party: Webauthn,
    ceremonies: Ceremonies<Ceremony>,
    credentials: Credentials,
    codes: EnrolmentCodes,
}

#[derive(Debug)]
enum Ceremony {
    Registration(Box<Registration>),
    Authentication {
        /// The only person who may sign in, if one was named.
        subject: Option<String>,
        state: Box<DiscoverableAuthentication>,
    },
}

#[derive(Debug)]
struct Registration {
    subject: String,
    display_name: String,
    handle: Uuid,
    /// The code that is spent by this registration.
    code: Option<CodeHash>,
    state: PasskeyRegistration,
}

/// A ceremony that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The ceremony's id, for the answer. It belongs into the person's session, not into an address that is passed on.
    pub ceremony: String,
    /// What the browser is given: `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON` (Web
    /// Authentication, sections 5.1.9 and 5.1.10).
    pub options: Value,
}

/// A person who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who it is, in the issuer's own words.
    pub subject: String,
    /// The passkey that was used.
    pub credential: String,
    /// Whether the passkey is copied to other devices of the person, or to a provider's cloud.
    pub backed_up: bool,
}

impl Passkeys {
    /// A service with the credentials and codes of an earlier one, or with none.
    ///
    /// # Errors
    /// If the settings do not name a site that can have passkeys.
    pub fn new(
        settings: Settings,
        credentials: Credentials,
        codes: EnrolmentCodes,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            relying_party: settings.relying_party()?,
            ceremonies: Ceremonies::new(settings.ceremonies_max, settings.ceremony_seconds),
            credentials,
            codes,
            settings,
        })
    }

    /// The registered passkeys, to be written whenever [`Credentials::changes`] has moved.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The open codes, to be written whenever one was made and whenever a passkey was registered.
    pub const fn codes(&self) -> &EnrolmentCodes {
        &self.codes
    }

    /// How many ceremonies are kept at this moment, over ones included.
    pub fn ceremonies(&self) -> usize {
        self.ceremonies.len()
    }

    /// Removes a person's passkey. Says whether there was one.
    pub fn remove(&mut self, subject: &str, credential: &str) -> bool {
        self.credentials.remove(subject, credential)
    }

    /// Makes the one-time code with which a person registers a passkey. An earlier code of the person is void.
    ///
    /// `random` are fresh random bytes; the code is as secret as they are.
    ///
    /// # Errors
    /// `passkey.malformed` for a name that cannot be one, `passkey.busy` if too many codes are open.
    pub fn invite(
        &mut self,
        subject: &str,
        display_name: &str,
        random: [u8; EnrolmentCode::BYTES],
        now: u64,
    ) -> Result<EnrolmentCode, Refusal> {
        check_name(subject)?;
        check_name(display_name)?;
        let expires_at = now.saturating_add(self.settings.code_seconds);
        let codes_max = self.settings.codes_max;
        self.codes
            .open(subject, display_name, random, expires_at, codes_max, now)
    }

    /// Takes back the open code of a person. Says whether there was one.
    pub fn withdraw_code(&mut self, subject: &str) -> bool {
        self.codes.withdraw(subject)
    }

    /// Begins the registration of a passkey by the person who holds a code. The code is spent when it is finished.
    ///
    /// # Errors
    /// `passkey.unknown-code` and `passkey.code-expired`, and those of [`start_registration`](Self::start_registration).
    pub fn start_enrolment(&mut self, code: &str, now: u64) -> Result<Started, Refusal> {
        let hash = EnrolmentCodes::hash_of(code)?;
        let invitation = self.codes.get(&hash, now)?;
        let (subject, display_name) = (invitation.subject.clone(), invitation.display_name.clone());
        self.begin_registration(&subject, &display_name, Some(hash), now)
    }

    /// Begins the registration of a passkey for a person who is known already, say by another passkey.
    ///
    /// # Errors
    /// `passkey.malformed`, `passkey.too-many`, `passkey.full` and `passkey.busy`.
    pub fn start_registration(
        &mut self,
        subject: &str,
        display_name: &str,
        now: u64,
    ) -> Result<Started, Refusal> {
        check_name(subject)?;
        check_name(display_name)?;
        self.begin_registration(subject, display_name, None, now)
    }

    fn begin_registration(
        &mut self,
        subject: &str,
        display_name: &str,
        code: Option<CodeHash>,
        now: u64,
    ) -> Result<Started, Refusal> {
        self.check_room(subject)?;
        self.ceremonies.make_room(now)?;
        let handle = self
            .credentials
            .handle(subject)
            .unwrap_or_else(Uuid::new_v4);
        let known = self.credentials.of(subject);
        let known = known
            .map(|record| record.passkey.cred_id().clone())
            .collect();
        let (options, state) = self
            .relying_party
            .start_passkey_registration(handle, display_name, display_name, Some(known))
            .map_err(|error| answer::refusal(&error))?;
        let mut options = to_json(&options.public_key)?;
        // Who signs in here has no name to type: a passkey that the device cannot find by itself would be of no use.
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        let registration = Registration {
            subject: subject.to_owned(),
            display_name: display_name.to_owned(),
            handle,
            code,
            state,
        };
        self.begin(Ceremony::Registration(Box::new(registration)), options, now)
    }

    /// Ends a registration with the browser's answer, and keeps the passkey.
    ///
    /// # Errors
    /// See the table in [`refusal`](crate::refusal). Nothing is registered then and no code is spent, but the ceremony is over.
    pub fn finish_registration(
        &mut self,
        ceremony: &str,
        answer: &[u8],
        now: u64,
    ) -> Result<CredentialRecord, Refusal> {
        let wanted = |ceremony: &Ceremony| matches!(ceremony, Ceremony::Registration(_));
        let Ceremony::Registration(registration) = self.ceremonies.take(ceremony, now, wanted)?
        else {
            unreachable!("only registrations are taken")
        };
        let answer = answer::registration(answer)?;
        let id = answer.id.clone();
        // Before the library, which has no error of its own for it.
        if self.credentials.get(&id).is_some() {
            return Err(ALREADY_REGISTERED.refuse());
        }
        let passkey = self
            .relying_party
            .finish_passkey_registration(&answer, &registration.state)
            .map_err(|error| answer::refusal(&error))?;
        if answer::encode(passkey.cred_id()) != id {
            return Err(MALFORMED.because("the id is not the one that was signed"));
        }
        self.check_room(&registration.subject)?;
        if let Some(code) = &registration.code {
            self.codes.spend(code, now)?;
        }
        let record = CredentialRecord {
            id,
            subject: registration.subject,
            handle: registration.handle,
            display_name: registration.display_name,
            registered_at: now,
            used_at: None,
            cloned_at: None,
            passkey,
        };
        self.credentials.insert(record.clone());
        Ok(record)
    }

    /// Begins a sign-in: of a person who is named, or of whoever has a passkey of this site.
    ///
    /// Pages for the public should name nobody: whether a subject has a passkey, and its ids, are told to who asks.
    ///
    /// # Errors
    /// `passkey.unknown-credential` if the named person has no passkey, and `passkey.busy`.
    pub fn start_authentication(
        &mut self,
        subject: Option<&str>,
        now: u64,
    ) -> Result<Started, Refusal> {
        let allowed: Vec<Value> = match subject {
            None => Vec::new(),
            Some(subject) => {
                let known = self.credentials.of(subject);
                let allowed = known.map(|record| json!({"type": "public-key", "id": record.id}));
                let allowed: Vec<Value> = allowed.collect();
                if allowed.is_empty() {
                    return Err(UNKNOWN_CREDENTIAL.because("the person has no passkey"));
                }
                allowed
            }
        };
        self.ceremonies.make_room(now)?;
        // Named or not, the library's state of a sign-in without a name is used: it takes the credential as it is
        // when the answer comes. Its state of a named one carries copies of the counters from now.
        let (options, state) = self
            .relying_party
            .start_discoverable_authentication()
            .map_err(|error| answer::refusal(&error))?;
        let mut options = to_json(&options.public_key)?;
        options["allowCredentials"] = allowed.into();
        let ceremony = Ceremony::Authentication {
            subject: subject.map(str::to_owned),
            state: Box::new(state),
        };
        self.begin(ceremony, options, now)
    }

    /// Ends a sign-in with the browser's answer, and says who it is.
    ///
    /// # Errors
    /// See the table in [`refusal`](crate::refusal). Nobody is signed in then, and the ceremony is over. After
    /// `passkey.cloned` the passkey is locked.
    pub fn finish_authentication(
        &mut self,
        ceremony: &str,
        answer: &[u8],
        now: u64,
    ) -> Result<SignedIn, Refusal> {
        let wanted = |ceremony: &Ceremony| matches!(ceremony, Ceremony::Authentication { .. });
        let Ceremony::Authentication { subject, state } =
            self.ceremonies.take(ceremony, now, wanted)?
        else {
            unreachable!("only sign-ins are taken")
        };
        let answer = answer::authentication(answer)?;
        let record = self.owner(&answer, subject.as_deref())?;
        if record.cloned_at.is_some() {
            return Err(CLONED.because("locked earlier"));
        }
        let id = record.id.clone();
        let verified = self.relying_party.finish_discoverable_authentication_v2(
            &answer,
            *state,
            &record.passkey,
        );
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => {
                // The signature was right when the library compares counters: only a holder of the key can lock it.
                if error == WebauthnError::CredentialPossibleCompromise {
                    self.credentials
                        .change(&id, |record| record.cloned_at = Some(now));
                }
                return Err(answer::refusal(&error));
            }
        };
        // The library was told to require it; this line is what the issuer's promise to others rests on.
        if !verified.user_verified() {
            return Err(NOT_VERIFIED.refuse());
        }
        let subject = record.subject.clone();
        self.credentials.change(&id, |record| {
            record.passkey.update_credential(&verified);
            record.used_at = Some(now);
        });
        Ok(SignedIn {
            subject,
            credential: id,
            backed_up: verified.backup_state(),
        })
    }

    /// The passkey that an answer names, if it is of the person who was named or says that it is (section 7.2, step 6).
    fn owner(
        &self,
        answer: &PublicKeyCredential,
        subject: Option<&str>,
    ) -> Result<&CredentialRecord, Refusal> {
        let record = self
            .credentials
            .get(&answer.id)
            .ok_or_else(|| UNKNOWN_CREDENTIAL.refuse())?;
        if subject.is_some_and(|subject| subject != record.subject) {
            return Err(UNKNOWN_CREDENTIAL.because("of another person"));
        }
        match answer.get_user_unique_id() {
            Some(handle) if handle == record.handle.as_bytes() => Ok(record),
            Some(_) => Err(UNKNOWN_CREDENTIAL.because("with the handle of another person")),
            None if subject.is_some() => Ok(record),
            None => Err(MALFORMED.because("no user handle")),
        }
    }

    fn check_room(&self, subject: &str) -> Result<(), Refusal> {
        if self.credentials.len() >= self.settings.credentials_max {
            return Err(FULL.refuse());
        }
        if self.credentials.of(subject).count() >= self.settings.credentials_per_subject_max {
            return Err(TOO_MANY.refuse());
        }
        Ok(())
    }

    fn begin(&mut self, ceremony: Ceremony, options: Value, now: u64) -> Result<Started, Refusal> {
        let id = self.ceremonies.begin(ceremony, now)?;
        Ok(Started {
            ceremony: id.simple().to_string(),
            options,
        })
    }
}

fn to_json(options: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(options).map_err(|error| MALFORMED.because(error))
}

/// A subject or a name: not empty, not endless, and without what changes the look of the text around it.
fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(MALFORMED.because("a name is empty, too long, or has control characters"));
    }
    Ok(())
}
