//! Data Integrity proofs as they stand in documents (W3C Data Integrity 1.0 section 2), and their rules of time and purpose.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

use super::json::Limits;
use super::rules::{
    CHALLENGE_WRONG, DOMAIN_WRONG, PROOF_EXPIRED, PROOF_FROM_THE_FUTURE, PROOF_MALFORMED,
    PROOF_MISSING, PURPOSE_WRONG, SUITE_UNKNOWN,
};
use super::time::{self, UnixSeconds};

/// A cryptosuite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// Ed25519 over canonical JSON.
    EddsaJcs2022,
    /// Ed25519 over canonical RDF.
    EddsaRdfc2022,
    /// ECDSA on P-256 over canonical RDF.
    EcdsaRdfc2019,
    /// BBS over each statement of canonical RDF: parts can be shown, without a trace between showings.
    Bbs2023,
}

impl Suite {
    /// All suites.
    pub const ALL: [Self; 4] = [
        Self::EddsaJcs2022,
        Self::EddsaRdfc2022,
        Self::EcdsaRdfc2019,
        Self::Bbs2023,
    ];

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EddsaJcs2022 => "eddsa-jcs-2022",
            Self::EddsaRdfc2022 => "eddsa-rdfc-2022",
            Self::EcdsaRdfc2019 => "ecdsa-rdfc-2019",
            Self::Bbs2023 => "bbs-2023",
        }
    }
}

/// What a proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To state something: credentials.
    Assertion,
    /// To show who one is: presentations.
    Authentication,
}

impl Purpose {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assertion => "assertionMethod",
            Self::Authentication => "authentication",
        }
    }
}

/// What a signer states in a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofOptions {
    /// The key's URL in its controller's document.
    pub verification_method: String,
    /// What the proof is for.
    pub purpose: Purpose,
    /// When it is made.
    pub created: Option<UnixSeconds>,
    /// Until when it is good.
    pub expires: Option<UnixSeconds>,
    /// For whom: the verifier's domain.
    pub domain: Option<String>,
    /// The verifier's one-time question.
    pub challenge: Option<String>,
}

impl ProofOptions {
    /// Options of a credential's proof.
    pub fn assertion(verification_method: impl Into<String>, created: UnixSeconds) -> Self {
        Self {
            verification_method: verification_method.into(),
            purpose: Purpose::Assertion,
            created: Some(created),
            expires: None,
            domain: None,
            challenge: None,
        }
    }

    /// Options of a presentation's proof.
    pub fn authentication(
        verification_method: impl Into<String>,
        created: UnixSeconds,
        domain: &str,
        challenge: &str,
    ) -> Self {
        Self {
            purpose: Purpose::Authentication,
            domain: Some(domain.to_owned()),
            challenge: Some(challenge.to_owned()),
            ..Self::assertion(verification_method, created)
        }
    }

    /// The proof without its value and context.
    pub(super) fn to_map(&self, suite: Suite) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), Value::String(value));
            }
        };
        put("type", Some("DataIntegrityProof".to_owned()));
        put("cryptosuite", Some(suite.name().to_owned()));
        put("created", self.created.map(time::format));
        put("expires", self.expires.map(time::format));
        put("verificationMethod", Some(self.verification_method.clone()));
        put("proofPurpose", Some(self.purpose.name().to_owned()));
        put("domain", self.domain.clone());
        put("challenge", self.challenge.clone());
        map
    }
}

/// A proof that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Its suite.
    pub suite: Suite,
    /// Its key's URL.
    pub verification_method: String,
    /// All its members but the value.
    pub options: Map<String, Value>,
    /// Multibase of the signature.
    pub value: String,
}

/// What a verifier expects of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation<'a> {
    /// The verifier's time.
    pub now: UnixSeconds,
    /// How much clocks may differ, in seconds.
    pub skew_seconds: i64,
    /// The verifier's domain; a presentation must name it.
    pub domain: Option<&'a str>,
    /// The verifier's question; a presentation must repeat it.
    pub challenge: Option<&'a str>,
}

impl Expectation<'_> {
    /// No domain and no challenge, and a minute between clocks.
    pub const fn at(now: UnixSeconds) -> Self {
        Self {
            now,
            skew_seconds: 60,
            domain: None,
            challenge: None,
        }
    }
}

impl Proof {
    /// Reads one proof.
    ///
    /// # Errors
    /// `integrity.proof-malformed` and `integrity.suite-unknown`.
    pub fn read(value: &Value) -> Result<Self, Refusal> {
        let malformed = |what: &str| PROOF_MALFORMED.because(what);
        let map = value
            .as_object()
            .ok_or_else(|| malformed("a proof is not an object"))?;
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let kind = text("type").ok_or_else(|| malformed("a proof has no type"))?;
        if kind != "DataIntegrityProof" {
            return Err(SUITE_UNKNOWN.because(kind));
        }
        let name = text("cryptosuite").ok_or_else(|| malformed("no cryptosuite"))?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name() == name);
        let suite = suite.ok_or_else(|| SUITE_UNKNOWN.because(name))?;
        let method =
            text("verificationMethod").ok_or_else(|| malformed("no verification method"))?;
        let value = text("proofValue").ok_or_else(|| malformed("no value"))?;
        let mut options = map.clone();
        options.shift_remove("proofValue");
        Ok(Self {
            suite,
            verification_method: method.to_owned(),
            options,
            value: value.to_owned(),
        })
    }

    /// Reads the proofs of a document.
    ///
    /// # Errors
    /// `integrity.proof-missing` and those of [`Self::read`].
    pub fn read_all(document: &Value, limits: &Limits) -> Result<Vec<Self>, Refusal> {
        let proofs = match document.get("proof") {
            None => return Err(PROOF_MISSING.refuse()),
            Some(Value::Array(proofs)) => proofs.as_slice(),
            Some(proof) => std::slice::from_ref(proof),
        };
        if proofs.is_empty() {
            return Err(PROOF_MISSING.refuse());
        }
        if proofs.len() > limits.proofs_max {
            return Err(PROOF_MALFORMED.because(format_args!("{} proofs", proofs.len())));
        }
        proofs.iter().map(Self::read).collect()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Value::as_str)
    }

    fn time(&self, name: &str) -> Result<Option<UnixSeconds>, Refusal> {
        let Some(value) = self.options.get(name) else {
            return Ok(None);
        };
        let time = value.as_str().and_then(time::parse);
        time.map(Some)
            .ok_or_else(|| PROOF_MALFORMED.because(format_args!("{name} is {value}")))
    }

    /// When the proof says it was made.
    ///
    /// # Errors
    /// `integrity.proof-malformed`.
    pub fn created(&self) -> Result<Option<UnixSeconds>, Refusal> {
        self.time("created")
    }

    /// Checks purpose, times, domain and challenge; not the signature.
    ///
    /// # Errors
    /// `integrity.purpose-wrong`, `integrity.proof-expired`, `integrity.proof-from-future`, `integrity.domain-wrong`,
    /// `integrity.challenge-wrong` and `integrity.proof-malformed`.
    pub fn check(&self, purpose: Purpose, expected: &Expectation<'_>) -> Result<(), Refusal> {
        let stated = self.text("proofPurpose").unwrap_or("nothing");
        if stated != purpose.name() {
            return Err(PURPOSE_WRONG.because(format_args!("{stated}, not {}", purpose.name())));
        }
        let created = self.created()?;
        if created.is_some_and(|time| time > expected.now.saturating_add(expected.skew_seconds)) {
            return Err(PROOF_FROM_THE_FUTURE.refuse());
        }
        let expires = self.time("expires")?;
        if expires.is_some_and(|time| time < expected.now.saturating_sub(expected.skew_seconds)) {
            return Err(PROOF_EXPIRED.refuse());
        }
        if let Some(domain) = expected.domain {
            let named = match self.options.get("domain") {
                Some(Value::Array(domains)) => domains.iter().any(|d| d.as_str() == Some(domain)),
                other => other.and_then(Value::as_str) == Some(domain),
            };
            if !named {
                return Err(DOMAIN_WRONG.because(format_args!("not for {domain}")));
            }
        }
        if expected
            .challenge
            .is_some_and(|challenge| self.text("challenge") != Some(challenge))
        {
            return Err(CHALLENGE_WRONG.refuse());
        }
        Ok(())
    }
}
