//! For which site passkeys are made, and how much of everything there may be.

use std::time::Duration;

use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

/// The settings of a [`Passkeys`](crate::Passkeys) service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The relying party's id: the domain that passkeys belong to, such as `university.example`. It can never change
    /// without every person registering anew.
    pub rp_id: String,
    /// The name of the service that the device shows.
    pub rp_name: String,
    /// The origins of its pages, such as `https://issuer.university.example`: each of the domain or below it, by https.
    pub origins: Vec<String>,
    /// How long a ceremony may take, in seconds.
    pub ceremony_seconds: u64,
    /// How many ceremonies may run at a time.
    pub ceremonies_max: usize,
    /// How many passkeys a person may have.
    pub credentials_per_subject_max: usize,
    /// How many passkeys there may be.
    pub credentials_max: usize,
    /// How long an enrolment code is valid, in seconds.
    pub code_seconds: u64,
    /// How many enrolment codes may be open.
    pub codes_max: usize,
}

/// The longest time for a ceremony, in seconds. Web Authentication (section 15.1) recommends 5 to 10 minutes where the person
/// is verified; longer ones only keep challenges open.
const CEREMONY_SECONDS_MAX: u64 = 3600;

impl Settings {
    /// Settings with the usual limits: five minutes, ten thousand ceremonies, ten passkeys for each of a hundred thousand
    /// people, codes for thirty days.
    pub fn new(rp_id: &str, rp_name: &str, origins: &[&str]) -> Self {
        Self {
            rp_id: rp_id.to_owned(),
            rp_name: rp_name.to_owned(),
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            ceremony_seconds: 300,
            ceremonies_max: 10_000,
            credentials_per_subject_max: 10,
            credentials_max: 1_000_000,
            code_seconds: 30 * 24 * 3600,
            codes_max: 100_000,
        }
    }

    /// The library's service for these settings.
    pub(crate) fn relying_party(&self) -> Result<Webauthn, SettingsError> {
        if !(1..=CEREMONY_SECONDS_MAX).contains(&self.ceremony_seconds) {
            return Err(SettingsError::CeremonySeconds(self.ceremony_seconds));
        }
        let origins = self
            .origins
            .iter()
            .map(|origin| self.origin(origin))
            .collect::<Result<Vec<Url>, _>>()?;
        let (first, others) = origins.split_first().ok_or(SettingsError::NoOrigin)?;
        let builder = WebauthnBuilder::new(&self.rp_id, first)
            .map_err(|_| SettingsError::NotOfSite(first.to_string()))?;
        others
            .iter()
            .fold(builder, WebauthnBuilder::append_allowed_origin)
            .rp_name(&self.rp_name)
            .timeout(Duration::from_secs(self.ceremony_seconds))
            .build()
            .map_err(|_| SettingsError::NotOfSite(first.to_string()))
    }

    /// One origin, checked: the library checks the first one only, and takes any path with it.
    fn origin(&self, text: &str) -> Result<Url, SettingsError> {
        let url = Url::parse(text).map_err(|_| SettingsError::MalformedOrigin(text.to_owned()))?;
        // RFC 6454, section 6.1: an origin is written as scheme, host and port, and nothing else.
        if url.origin().ascii_serialization() != text {
            return Err(SettingsError::MalformedOrigin(text.to_owned()));
        }
        let host = url
            .domain()
            .ok_or_else(|| SettingsError::NotOfSite(text.to_owned()))?;
        // Browsers have passkeys in secure contexts only; among those without TLS is localhost.
        if url.scheme() != "https" && !(url.scheme() == "http" && host == "localhost") {
            return Err(SettingsError::NotSecure(text.to_owned()));
        }
        let below = host
            .strip_suffix(&self.rp_id)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let is_domain = self.rp_id == "localhost" || self.rp_id.contains('.');
        if self.rp_id.is_empty() || !below || !is_domain {
            return Err(SettingsError::NotOfSite(text.to_owned()));
        }
        Ok(url)
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There is no origin.
    #[error("passkeys need the origin of at least one page, such as https://issuer.example")]
    NoOrigin,
    /// An origin is not one, or carries more than scheme, host and port.
    #[error(
        "{0:?} is no origin: write scheme, host and port only, in lower case, such as https://issuer.example"
    )]
    MalformedOrigin(String),
    /// An origin without TLS.
    #[error("{0:?} is not secure: browsers offer passkeys by https, and by http on localhost only")]
    NotSecure(String),
    /// An origin outside the relying party's domain, or a relying party's id that is no domain.
    #[error("{0:?} does not lie in the domain of the relying party's id")]
    NotOfSite(String),
    /// A time for ceremonies that cannot be meant.
    #[error(
        "a ceremony of {0} seconds is not possible: at least 1, at most {CEREMONY_SECONDS_MAX}"
    )]
    CeremonySeconds(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(rp_id: &str, origins: &[&str]) -> Result<(), SettingsError> {
        Settings::new(rp_id, "Fictional University", origins)
            .relying_party()
            .map(|_| ())
    }

    #[test]
    fn origins_are_secure_and_of_the_site() {
        use SettingsError::*;
        let site = "university.example";
        assert_eq!(checked(site, &["https://university.example"]), Ok(()));
        assert_eq!(
            checked(
                site,
                &[
                    "https://a.university.example",
                    "https://university.example:8443"
                ]
            ),
            Ok(())
        );
        assert_eq!(checked("localhost", &["http://localhost:8080"]), Ok(()));
        assert_eq!(checked(site, &[]), Err(NoOrigin));
        for (origin, error) in [
            (
                "university.example",
                MalformedOrigin as fn(String) -> SettingsError,
            ),
            ("https://university.example/", MalformedOrigin),
            ("https://university.example/path", MalformedOrigin),
            ("https://University.example", MalformedOrigin),
            ("https://university.example:443", MalformedOrigin),
            ("http://university.example", NotSecure),
            ("https://baduniversity.example", NotOfSite),
            ("https://university.example.evil.example", NotOfSite),
            ("https://127.0.0.1", NotOfSite),
        ] {
            assert_eq!(checked(site, &[origin]), Err(error(origin.to_owned())));
            // The same at the second place, which the library does not look at.
            assert_eq!(
                checked(site, &["https://university.example", origin]),
                Err(error(origin.to_owned()))
            );
        }
        assert!(checked("example", &["https://university.example"]).is_err());
        assert!(checked("", &["https://university.example"]).is_err());
    }

    #[test]
    fn a_ceremony_has_a_sensible_time() {
        let mut settings = Settings::new("localhost", "Fictional", &["http://localhost"]);
        for (seconds, good) in [(0, false), (1, true), (3600, true), (3601, false)] {
            settings.ceremony_seconds = seconds;
            assert_eq!(settings.relying_party().is_ok(), good, "{seconds}");
        }
    }
}
