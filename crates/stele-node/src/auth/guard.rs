//! The one gate in front of all handlers.
//!
//! Each request passes, in this order: host, origin, quota of requests, who calls, policy, body, read-only, quota of entries and bytes. A signed request
//! needs its body before it is known who calls. What passes carries its [`Caller`] as an extension. Every answer, refusals included, is counted here.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stele_core::id::{KeyId, PartyId};
use stele_core::suite::PublicKey;
use stele_registers::context::View;
use stele_registers::identity;

use super::http_signature::{self, Claimed, Replays, SignedRequest};
use super::origin::{self, Foreign};
use super::policy::{
    Action, Caller, Denied, NOT_PERMITTED, OperatorBy, Policies, Resource, action_of,
};
use super::quota::{Cost, OverQuota, QuotaKey, QuotaSettings, Quotas};
use super::token::bearer;
use crate::app::{App, SharedApp};
use crate::problem::{Answer, Problem};

/// Fields that a proxy adds: behind one, the peer's address says nothing of the caller's.
const PROXY_FIELDS: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "via",
];

/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(60);

/// How the gate judges.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// Whether requests from this machine count as the operator's.
    pub trust_loopback: bool,
    /// Host names, beside addresses and `localhost`, under which the node may be asked.
    pub allowed_hosts: Vec<String>,
    /// How much each caller may do.
    pub quotas: QuotaSettings,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            trust_loopback: true,
            allowed_hosts: Vec::new(),
            quotas: QuotaSettings::default(),
        }
    }
}

/// What the gate keeps from request to request.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    policies: Policies,
    quotas: Quotas,
    replays: Replays,
}

impl Gate {
    /// A gate with these settings and policies.
    pub fn new(settings: GateSettings, policies: Policies) -> Self {
        Self {
            settings,
            policies,
            quotas: Quotas::default(),
            replays: Replays::default(),
        }
    }

    /// Judges what a handler learns only from the body, such as the key that is to sign.
    ///
    /// # Errors
    /// A [`Problem`] that names the rule.
    pub fn permit(&self, caller: &Known, action: Action, resource: Resource<'_>) -> Answer<()> {
        self.policies
            .judge(&caller.caller, action, resource, caller.loopback)
            .map_err(|denied| denied_problem(&caller.caller, &denied))
    }
}

/// Who calls, as handlers get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The caller.
    pub caller: Caller,
    /// Whether the peer is this machine, with no proxy between.
    pub loopback: bool,
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        // A route outside the gate has no callers: nobody is let in by mistake.
        let known = parts.extensions.get::<Self>().copied();
        known.ok_or_else(|| Problem::internal(&"a route stands outside the gate"))
    }
}

/// The code of a problem, for the metrics.
#[derive(Debug, Clone)]
pub struct ProblemCode(pub String);

/// The gate, as a layer of the router.
pub async fn guard(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let template = request.extensions().get::<MatchedPath>().cloned();
    let template = template.as_ref().map_or("", MatchedPath::as_str);
    let response = match enter(&app, request, template).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem,
    };
    let response = in_the_words_of(template, response).await;
    let code = response
        .extensions()
        .get::<ProblemCode>()
        .map(|code| code.0.as_str());
    app.metrics
        .count(&method, template, response.status(), start.elapsed(), code);
    response
}

/// Checks a request; what comes back has its body in memory and its caller as an extension.
async fn enter(app: &App, request: Request, template: &str) -> Result<Request, Response> {
    let gate = &app.gate;
    let refuse = |problem: Problem| problem.into_response();
    let (mut parts, body) = request.into_parts();
    let host = origin::check_host(&parts.headers, &gate.settings.allowed_hosts)
        .and_then(|host| {
            // A wallet is a page of another origin; it acts for a person and never for the operator.
            if !is_for_wallets(template) {
                origin::check_origin(&parts.method, &parts.headers, host)?;
            }
            Ok(host.to_owned())
        })
        .map_err(|foreign| refuse(foreign_problem(foreign)))?;

    let peer = peer_of(&parts);
    let proxied = PROXY_FIELDS
        .iter()
        .any(|field| parts.headers.contains_key(*field));
    let loopback = peer.to_canonical().is_loopback() && !proxied;
    let trusted = loopback && gate.settings.trust_loopback;
    let rates = if trusted {
        gate.settings.quotas.operator
    } else {
        gate.settings.quotas.remote
    };
    let peer_key = QuotaKey::of_address(peer);
    let one = Cost {
        requests: 1,
        ..Cost::default()
    };
    gate.quotas
        .take(peer_key, &rates, one, Instant::now())
        .map_err(over_quota)?;

    let otherwise = if is_for_wallets(template) {
        Caller::Anonymous
    } else if trusted && !origin::crosses_sites(&parts.headers, &host) {
        Caller::Operator(OperatorBy::Loopback)
    } else {
        Caller::Anonymous
    };
    let action = if template.is_empty() {
        Some(Action::Read)
    } else {
        action_of(parts.method.as_str(), template)
    };
    let Some(action) = action else {
        return Err(refuse(no_action(template, &otherwise)));
    };
    let register = path_register(&mut parts, template).await;
    let resource = match &register {
        Some(register) => Resource::Register(register),
        None => Resource::Endpoint(template),
    };
    let judge = |caller: &Caller| {
        let verdict = gate.policies.judge(caller, action, resource, loopback);
        verdict.map_err(|denied| refuse(denied_problem(caller, &denied)))
    };
    // Only a signature needs the body to say who calls; all others are judged before the node takes it in.
    let early = if is_for_wallets(template) {
        // Its bearer token is an access token of OAuth, for the handler.
        judge(&otherwise)?;
        Some(otherwise)
    } else if http_signature::is_signed(&parts.headers) {
        None
    } else {
        let caller = identify(app, &parts, &host, b"", otherwise).map_err(refuse)?;
        judge(&caller)?;
        Some(caller)
    };
    let bytes = read_body(&parts.headers, body, body_limit(template))
        .await
        .map_err(refuse)?;
    let caller = match early {
        Some(caller) => caller,
        None => {
            let caller = identify(app, &parts, &host, &bytes, otherwise).map_err(refuse)?;
            judge(&caller)?;
            caller
        }
    };
    if action.changes()
        && let Some(refusal) = app.read_only()
    {
        return Err(refuse(Problem::from(refusal)));
    }

    let takes_entries = matches!(
        action,
        Action::Submit | Action::SignWithNodeKey | Action::RegisterParty | Action::CaptureEvents
    );
    let (quota_key, rates) = match caller {
        Caller::Anonymous => (peer_key, gate.settings.quotas.remote),
        Caller::Party(party) => (QuotaKey::Party(party), gate.settings.quotas.remote),
        Caller::Operator(_) => (QuotaKey::Operator, gate.settings.quotas.operator),
    };
    let cost = Cost {
        requests: 0,
        entries: takes_entries.into(),
        bytes: bytes.len() as u64,
    };
    gate.quotas
        .take(quota_key, &rates, cost, Instant::now())
        .map_err(over_quota)?;
    parts.extensions.insert(Known { caller, loopback });
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Whether a route is an endpoint of OpenID4VCI or OpenID4VP, which wallets of any origin call with tokens of their own.
fn is_for_wallets(template: &str) -> bool {
    template.starts_with("/openid/")
}

/// A method that the route does not have, or a route that the table of actions lacks: nothing passes unjudged.
fn no_action(template: &str, caller: &Caller) -> Problem {
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    if methods
        .iter()
        .any(|method| action_of(method, template).is_some())
    {
        return Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This address does not take this method.",
            "See /openapi.json for what each address takes.",
        );
    }
    let detail = "The node knows no action for this route, so no policy can permit it.".to_owned();
    denied_problem(
        caller,
        &Denied {
            rule: NOT_PERMITTED.to_owned(),
            detail,
        },
    )
}

fn peer_of(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    // Without connection info nobody is trusted.
    peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0.ip())
}

/// The largest body of a route, in bytes.
pub fn body_limit(template: &str) -> usize {
    match template {
        // An entry has at most 1 MiB. One that is somewhat larger is refused by the ledger, in its own words.
        "/v1/entries" | "/entries" => 2 << 20,
        // JSON in hexadecimal takes twice the room.
        "/v1/commands" => 4 << 20,
        "/v1/issuers/{name}/offers" => 8 << 20,
        "/openid/verifier/responses/{id}" => 1 << 20,
        path if path.starts_with("/epcis/capture") => 8 << 20,
        _ => 64 << 10,
    }
}

async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Answer<axum::body::Bytes> {
    let too_large = || {
        let detail = format!("The body is larger than {limit} bytes, the limit here.");
        let hint = "Send less at once: split the entry or the document.";
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request.too-large",
            detail,
            hint,
        )
    };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    if length
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > limit as u64)
    {
        return Err(too_large());
    }
    let read = tokio::time::timeout(BODY_WAIT, axum::body::to_bytes(body, limit)).await;
    let read = read.map_err(|_| {
        let detail = format!("The body did not come within {} s.", BODY_WAIT.as_secs());
        let hint = "Send the request again over a better connection.";
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request.too-slow",
            detail,
            hint,
        )
    })?;
    read.map_err(|error| {
        use std::error::Error;
        let over = error
            .source()
            .is_some_and(|source| source.to_string().contains("length limit"));
        if over {
            return too_large();
        }
        let detail = "The body ended before all of it had come.";
        Problem::new(
            StatusCode::BAD_REQUEST,
            "request.cut-off",
            detail,
            "Send the request again.",
        )
    })
}

/// Who calls: a token or a signature that is there must be good; else it is who the connection says.
fn identify(
    app: &App,
    parts: &Parts,
    host: &str,
    body: &[u8],
    otherwise: Caller,
) -> Answer<Caller> {
    if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(bearer);
        if token.is_some_and(|token| app.token.matches(token)) {
            return Ok(Caller::Operator(OperatorBy::Token));
        }
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token.wrong",
            "The Authorization field does not hold this node's token.",
            "Send `Authorization: Bearer <token>`; `stele keys token` shows it on the node's machine.",
        ));
    }
    match http_signature::read(&parts.headers).map_err(|error| signature_problem(&error))? {
        None => Ok(otherwise),
        Some(claimed) => signed_by(app, parts, host, body, &claimed).map(Caller::Party),
    }
}

fn signed_by(
    app: &App,
    parts: &Parts,
    host: &str,
    body: &[u8],
    claimed: &Claimed,
) -> Answer<PartyId> {
    let (party, key) = party_key(app, &claimed.kid)?;
    let request = SignedRequest {
        method: parts.method.as_str(),
        authority: host,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        body,
    };
    let now = (stele_ledger::ledger::system_time().get() / 1000) as i64;
    claimed
        .verify(&request, &key, now)
        .and_then(|id| app.gate.replays.take(id, now))
        .map_err(|error| signature_problem(&error))?;
    Ok(party)
}

/// The active key with this id and its party.
///
/// # Errors
/// 401 when it is unknown or revoked.
pub fn party_key(app: &App, kid: &KeyId) -> Answer<(PartyId, PublicKey)> {
    let view = View::new(app.ledger.state(), identity::NAME);
    let record = identity::key_record(view, kid).map_err(|fault| Problem::internal(&fault))?;
    let unknown = |code: &str, detail: String| {
        let hint = "Sign with an active key of a registered party.";
        Problem::new(StatusCode::UNAUTHORIZED, code, detail, hint)
    };
    let record = record.ok_or_else(|| {
        unknown(
            "signature.unknown-key",
            format!("The network does not know the key {kid}."),
        )
    })?;
    if record.revoked.is_some() {
        return Err(unknown(
            "signature.key-revoked",
            format!("The key {kid} has been revoked."),
        ));
    }
    let key =
        PublicKey::from_cose_key(&record.cose_key).map_err(|error| Problem::internal(&error))?;
    Ok((record.party, key))
}

async fn path_register(parts: &mut Parts, template: &str) -> Option<String> {
    let parameter = match template {
        path if path.contains("{register}") => "register",
        "/v1/registers/{name}" => "name",
        _ => return None,
    };
    let values = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    values
        .iter()
        .find(|(name, _)| *name == parameter)
        .map(|(_, value)| value.to_owned())
}

fn foreign_problem(foreign: Foreign) -> Problem {
    match foreign {
        Foreign::NoHost => Problem::new(
            StatusCode::BAD_REQUEST,
            "request.no-host",
            "The request has no Host field, or more than one.",
            "Send exactly one Host field (RFC 9110 section 7.2).",
        ),
        Foreign::Host => Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "request.unknown-host",
            "The node does not answer to the name in the Host field.",
            "Use the node's address or localhost; the operator allows further names with --allow-host NAME.",
        ),
        Foreign::Origin => Problem::new(
            StatusCode::FORBIDDEN,
            "request.foreign-origin",
            "A web page of another origin may not change anything here.",
            "Open the node's own console, or call the API from a program.",
        ),
    }
}

fn over_quota(over: OverQuota) -> Response {
    let seconds = over.retry_after.as_secs_f64().ceil() as u64;
    let detail = format!("Too many {} in too short a time.", over.what);
    let hint = format!("Try again in {seconds} s.");
    let code = format!("quota.{}", over.what);
    let mut response =
        Problem::new(StatusCode::TOO_MANY_REQUESTS, &code, detail, hint).into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn signature_problem(error: &http_signature::SignatureError) -> Problem {
    let status = match error {
        http_signature::SignatureError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    Problem::new(
        status,
        error.code(),
        format!("The request's signature is refused: {error}."),
        error.hint(),
    )
}

fn denied_problem(caller: &Caller, denied: &Denied) -> Problem {
    let (status, hint) = match caller {
        Caller::Anonymous => (
            StatusCode::UNAUTHORIZED,
            "Show the node's token, sign the request as a party, or call from the node's own machine; docs/security.md lists who may do what.",
        ),
        _ => (
            StatusCode::FORBIDDEN,
            "The operator decides in policies.cedar; docs/security.md explains the rules.",
        ),
    };
    let code = format!(
        "policy.{}",
        denied.rule.split(',').next().unwrap_or(NOT_PERMITTED)
    );
    Problem::new(status, &code, denied.detail.clone(), hint)
}

/// SCRAPI has problems in CBOR (RFC 9290); everything else in JSON.
async fn in_the_words_of(template: &str, response: Response) -> Response {
    let mut response = response;
    if response.status() == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 11.6.1 asks for a challenge.
        let challenge = HeaderValue::from_static("Bearer realm=\"stele\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    let cbor = template.starts_with("/entries") || template.starts_with("/.well-known/scitt-keys");
    let json = response.headers().get(header::CONTENT_TYPE);
    if cbor && json.is_some_and(|kind| kind.as_bytes() == b"application/problem+json") {
        return crate::api::scrapi::concise_problem(response).await;
    }
    response
}
