//! The verifier: signatures, disclosures, times, kind, and that the holder means us and now.

use serde_json::{Map, Value, json};

use super::reveal::reveal;
use super::rules::*;
use super::{ClaimPath, TYPE, TYPE_KEY_BINDING, TYPE_OLD, digest};
use crate::jose::{self, Jws, PublicKey};
use crate::json::JsonLimits;
use crate::refusal::{Refusal, Rule};

/// The longest credential that is read, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What a verifier expects. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// Now.
    pub now: u64,
    /// How far two clocks may differ, in seconds.
    pub skew_seconds: u64,
    /// The accepted `typ`; empty for any.
    pub types: &'a [&'a str],
    /// The accepted kinds of credential (`vct`); empty for any, or none.
    pub vcts: &'a [&'a str],
    /// The issuer that the key belongs to; `None` if the caller compares [`Verified::issuer`] itself.
    pub issuer: Option<&'a str>,
    /// Claims that have to be shown.
    pub required: &'a [ClaimPath],
    /// What the holder's proof must say; `None` accepts a credential without proof, and refuses one with.
    pub binding: Option<BindingExpectation<'a>>,
    /// Bounds of the payload and of each disclosure.
    pub limits: JsonLimits,
}

/// What the holder's proof must say.
#[derive(Debug, Clone, Copy)]
pub struct BindingExpectation<'a> {
    /// Our own name, as the request gave it.
    pub audience: &'a str,
    /// The nonce of the request.
    pub nonce: &'a str,
    /// How old the proof may be, in seconds.
    pub age_seconds_max: u64,
}

impl Expectation<'_> {
    /// An SD-JWT VC of any kind, without key binding, at this time, with a minute between the clocks.
    pub const fn at(now: u64) -> Self {
        Self {
            now,
            skew_seconds: 60,
            types: &[TYPE, TYPE_OLD],
            vcts: &[],
            issuer: None,
            required: &[],
            binding: None,
            limits: JsonLimits {
                bytes_max: 1 << 20,
                depth_max: 32,
            },
        }
    }
}

/// Where the status of a credential is published (Token Status List section 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatusReference {
    /// The list's address.
    pub uri: String,
    /// The place in the list.
    pub index: u64,
}

impl StatusReference {
    /// The claim `status`.
    pub fn to_json(&self) -> Value {
        json!({"status_list": {"idx": self.index, "uri": self.uri}})
    }

    /// Reads the claim `status`; `None` if it names another mechanism.
    ///
    /// # Errors
    /// `credential.claim-malformed`.
    pub fn from_json(status: &Value) -> Result<Option<Self>, Refusal> {
        let Some(list) = status.get("status_list") else {
            return Ok(None);
        };
        let index = list.get("idx").and_then(Value::as_u64);
        match (list.get("uri").and_then(Value::as_str), index) {
            (Some(uri), Some(index)) => Ok(Some(Self {
                uri: uri.to_owned(),
                index,
            })),
            _ => Err(CLAIM_MALFORMED.because("status_list")),
        }
    }
}

/// A verified credential.
#[derive(Debug, Clone)]
pub struct Verified {
    /// All claims that were shown, without the format's own.
    pub claims: Map<String, Value>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `vct`.
    pub vct: Option<String>,
    /// The key that the credential is bound to.
    pub holder: Option<PublicKey>,
    /// Where the status is published. Verifying does not ask it: see [`crate::status`].
    pub status: Option<StatusReference>,
    /// `iat`, in seconds since 1970.
    pub issued_at: Option<u64>,
    /// Whether the holder proved to have the key.
    pub is_bound: bool,
}

/// A credential or presentation, decoded but NOT verified.
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    jwt: &'a str,
    jws: Jws<'a>,
    payload: Map<String, Value>,
    disclosures: Vec<&'a str>,
    /// Everything before the key binding, which `sd_hash` covers.
    presented: &'a str,
    binding: Option<Jws<'a>>,
}

impl<'a> Parsed<'a> {
    /// Splits and decodes the compact form.
    ///
    /// # Errors
    /// `credential.malformed`, `json.too-large`, those of [`Jws::parse`].
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(
                crate::json::rules::JSON_TOO_LARGE.because(format_args!("{} bytes", text.len()))
            );
        }
        let (jwt, rest) = text.split_once('~').ok_or(MALFORMED.refuse())?;
        let last = text.rfind('~').unwrap_or_default();
        let binding = &text[last + 1..];
        let disclosures = match rest.len().checked_sub(binding.len() + 1) {
            Some(end) => rest[..end].split('~').collect(),
            None => Vec::new(),
        };
        if disclosures.iter().any(|one: &&str| one.is_empty()) {
            return Err(MALFORMED.because("an empty disclosure"));
        }
        let jws = Jws::parse(jwt)?;
        let payload = jws.claims(JsonLimits::default())?;
        Ok(Self {
            jwt,
            payload,
            jws,
            disclosures,
            presented: &text[..=last],
            binding: if binding.is_empty() {
                None
            } else {
                Some(Jws::parse(binding)?)
            },
        })
    }

    /// The issuer as the credential names it, to find its key. Not verified.
    pub fn issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }

    /// The name of the issuer's key. Not verified.
    pub fn key_id(&self) -> Option<&str> {
        self.jws.header_text("kid")
    }

    /// The issuer's JWS.
    pub const fn jws(&self) -> &Jws<'a> {
        &self.jws
    }

    pub(super) const fn jwt(&self) -> &'a str {
        self.jwt
    }

    pub(super) const fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }

    pub(super) fn disclosures(&self) -> &[&'a str] {
        &self.disclosures
    }

    fn holder(&self) -> Result<Option<PublicKey>, Refusal> {
        let Some(cnf) = self.payload.get("cnf") else {
            return Ok(None);
        };
        match cnf.get("jwk") {
            Some(jwk) => PublicKey::from_jwk(jwk).map(Some),
            // Other ways to name a key (kid, jkt) need something from outside.
            None => Ok(None),
        }
    }
}

/// Verifies one credential or presentation under the issuer's key.
///
/// # Errors
/// The first rule that it breaks.
pub fn verify(
    text: &str,
    issuer_key: &PublicKey,
    expectation: &Expectation<'_>,
) -> Result<Verified, Refusal> {
    let parsed = Parsed::parse(text)?;
    let mut verdicts = verify_batch(&[(&parsed, issuer_key)], &[expectation]);
    verdicts.pop().unwrap_or_else(|| Err(MALFORMED.refuse()))
}

/// Verifies many, each under its issuer's key and by its own expectation; `expectations` holds one for each, or one for all. All
/// signatures, the holders' too, share one equation (see [`jose::verify_batch`]). One thread.
///
/// # Panics
/// If there are neither one nor as many expectations as items.
pub fn verify_batch(
    items: &[(&Parsed<'_>, &PublicKey)],
    expectations: &[&Expectation<'_>],
) -> Vec<Result<Verified, Refusal>> {
    assert!(expectations.len() == 1 || expectations.len() == items.len());
    let holders: Vec<_> = items.iter().map(|(parsed, _)| parsed.holder()).collect();
    let mut signatures: Vec<(&Jws<'_>, &PublicKey)> = Vec::with_capacity(2 * items.len());
    for ((parsed, key), holder) in items.iter().zip(&holders) {
        signatures.push((&parsed.jws, key));
        if let (Some(binding), Ok(Some(holder))) = (&parsed.binding, holder) {
            signatures.push((binding, holder));
        }
    }
    let mut verdicts = if let [(jws, key)] = signatures[..] {
        vec![jws.verify(key)].into_iter()
    } else {
        jose::verify_batch(&signatures).into_iter()
    };
    let mut next = || {
        verdicts
            .next()
            .unwrap_or_else(|| Err(jose::rules::SIGNATURE.refuse()))
    };
    let mut results = Vec::with_capacity(items.len());
    for (position, ((parsed, _), holder)) in items.iter().zip(holders).enumerate() {
        let expectation = expectations[position % expectations.len()];
        let issuer_verdict = next();
        let binding_verdict = match (&parsed.binding, &holder) {
            (Some(_), Ok(Some(_))) => Some(next()),
            _ => None,
        };
        results.push(
            issuer_verdict.and_then(|()| judge(parsed, holder?, binding_verdict, expectation)),
        );
    }
    results
}

/// Everything but the issuer's signature, which is good.
fn judge(
    parsed: &Parsed<'_>,
    holder: Option<PublicKey>,
    binding_verdict: Option<Result<(), Refusal>>,
    expectation: &Expectation<'_>,
) -> Result<Verified, Refusal> {
    if !expectation.types.is_empty() {
        parsed.jws.check_type(expectation.types)?;
    }
    let is_bound = judge_binding(parsed, holder.as_ref(), binding_verdict, expectation)?;
    let claims = reveal(
        parsed.payload.clone(),
        &parsed.disclosures,
        expectation.limits,
        None,
    )?;
    check_times(&claims, expectation)?;
    let vct = text(&claims, "vct")?;
    if !expectation.vcts.is_empty()
        && !vct
            .as_deref()
            .is_some_and(|vct| expectation.vcts.contains(&vct))
    {
        return Err(OTHER_TYPE.because(vct.unwrap_or_default()));
    }
    let issuer = text(&claims, "iss")?;
    if expectation
        .issuer
        .is_some_and(|expected| issuer.as_deref() != Some(expected))
    {
        return Err(OTHER_ISSUER.because(issuer.unwrap_or_default()));
    }
    let status = match claims.get("status") {
        Some(status) => StatusReference::from_json(status)?,
        None => None,
    };
    let issued_at = seconds(&claims, "iat")?;
    let claims = Value::Object(claims);
    if let Some(path) = expectation
        .required
        .iter()
        .find(|path| path.select(&claims).is_empty())
    {
        return Err(CLAIM_MISSING.because(path));
    }
    let Value::Object(claims) = claims else {
        return Err(MALFORMED.refuse());
    };
    Ok(Verified {
        claims,
        issuer,
        vct,
        holder,
        status,
        issued_at,
        is_bound,
    })
}

fn judge_binding(
    parsed: &Parsed<'_>,
    holder: Option<&PublicKey>,
    verdict: Option<Result<(), Refusal>>,
    expectation: &Expectation<'_>,
) -> Result<bool, Refusal> {
    let (binding, expected) = match (&parsed.binding, expectation.binding) {
        (None, None) => return Ok(false),
        (None, Some(_)) => return Err(BINDING_MISSING.refuse()),
        (Some(_), None) => return Err(BINDING_UNEXPECTED.refuse()),
        (Some(binding), Some(expected)) => (binding, expected),
    };
    if holder.is_none() {
        return Err(HOLDER_KEY_MISSING.refuse());
    }
    verdict
        .unwrap_or_else(|| Err(HOLDER_KEY_MISSING.refuse()))
        .map_err(|refusal| HOLDER_KEY_WRONG.because(refusal.code()))?;
    binding.check_type(&[TYPE_KEY_BINDING])?;
    let claims = binding.claims(expectation.limits)?;
    let is =
        |name: &str, expected: &str| claims.get(name).and_then(Value::as_str) == Some(expected);
    if !is("aud", expected.audience) {
        return Err(AUDIENCE.because(claims.get("aud").unwrap_or_default()));
    }
    if !is("nonce", expected.nonce) {
        return Err(NONCE.refuse());
    }
    if !is("sd_hash", &digest(parsed.presented)) {
        return Err(ALTERED.refuse());
    }
    let issued_at =
        seconds(&claims, "iat")?.ok_or_else(|| CLAIM_MALFORMED.because("iat is missing"))?;
    let oldest = expectation.now.saturating_sub(
        expected
            .age_seconds_max
            .saturating_add(expectation.skew_seconds),
    );
    let newest = expectation.now.saturating_add(expectation.skew_seconds);
    if !(oldest..=newest).contains(&issued_at) {
        return Err(BINDING_STALE.because(format_args!("iat {issued_at}, now {}", expectation.now)));
    }
    Ok(true)
}

fn check_times(claims: &Map<String, Value>, expectation: &Expectation<'_>) -> Result<(), Refusal> {
    let (now, skew) = (expectation.now, expectation.skew_seconds);
    let late = now.saturating_add(skew);
    let fail =
        |rule: &'static Rule, time: u64| Err(rule.because(format_args!("{time}, now {now}")));
    if let Some(time) = seconds(claims, "exp")?
        && now >= time.saturating_add(skew)
    {
        return fail(EXPIRED, time);
    }
    if let Some(time) = seconds(claims, "nbf")?
        && late < time
    {
        return fail(NOT_YET_VALID, time);
    }
    match seconds(claims, "iat")? {
        Some(time) if late < time => fail(ISSUED_IN_FUTURE, time),
        _ => Ok(()),
    }
}

/// A NumericDate (RFC 7519 section 2), rounded down.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let whole = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (0.0..9e15).contains(&number).then_some(number as u64)
    });
    whole
        .map(Some)
        .ok_or_else(|| CLAIM_MALFORMED.because(format_args!("{name} is no time")))
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(CLAIM_MALFORMED.because(format_args!("{name} is no text"))),
    }
}
