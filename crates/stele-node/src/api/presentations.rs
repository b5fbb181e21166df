//! Asking people for credentials: a request, and what became of it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stele_office::{Judgement, NewRequest, Presented};
use utoipa::ToSchema;

use super::issuers::{at_office, now};
use super::keys::Body;
use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// The most issuers of one request.
const ISSUERS_MAX: usize = 100;

/// What is asked of a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentationRequest {
    /// The name of the node's key that signs the request; its party is who asks.
    pub key: String,
    /// What is asked for, in the Digital Credentials Query Language (OpenID4VP section 6).
    #[schema(value_type = Object)]
    pub dcql_query: Value,
    /// The DIDs of the issuers that are trusted; without any, whoever has a key that can be found.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// Where the wallet sends the person afterwards.
    pub redirect_uri: Option<String>,
}

/// A request that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresentationStarted {
    /// Its name.
    pub id: String,
    /// What its outcome is read with; nobody else knows it.
    pub secret: String,
    /// The link for the person's wallet, in a QR code or a button.
    pub link: String,
}

/// What became of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresentationView {
    /// `open`, `shown` or `refused`.
    pub state: &'static str,
    /// What was shown and holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presented: Vec<PresentedView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
}

/// A credential that was shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresentedView {
    /// The part of the query that it answers.
    pub query: String,
    /// Its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vct: Option<String>,
    /// The claims that were shown.
    #[schema(value_type = Object)]
    pub claims: Map<String, Value>,
    /// Whether its status was looked up. The lists of issuers elsewhere are not asked.
    pub status_checked: bool,
    /// Where its status stands: `{"uri", "idx"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub status: Option<Value>,
}

/// Why an answer was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalView {
    /// The rule.
    pub code: &'static str,
    /// What is wrong, for people.
    pub sentence: &'static str,
    /// The next step.
    pub hint: &'static str,
}

impl From<Presented> for PresentedView {
    fn from(presented: Presented) -> Self {
        Self {
            query: presented.query_id,
            issuer: presented.issuer,
            vct: presented.vct,
            claims: presented.claims,
            status_checked: presented.status_checked,
            status: presented.status.map(|status| status.to_json()),
        }
    }
}

impl From<Judgement> for PresentationView {
    fn from(judgement: Judgement) -> Self {
        let (state, presented, refusal) = match judgement {
            Judgement::Open => ("open", Vec::new(), None),
            Judgement::Shown(shown) => (
                "shown",
                shown.into_iter().map(PresentedView::from).collect(),
                None,
            ),
            Judgement::Refused(refusal) => ("refused", Vec::new(), Some(refusal)),
        };
        Self {
            state,
            presented,
            refusal: refusal.map(|refusal| RefusalView {
                code: refusal.code(),
                sentence: refusal.sentence(),
                hint: refusal.hint(),
            }),
        }
    }
}

/// Asks a person for credentials (OpenID4VP).
#[utoipa::path(post, path = "/v1/presentations", tag = "presentations", request_body = PresentationRequest,
    responses((status = 201, body = PresentationStarted), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn ask(
    State(app): State<SharedApp>,
    body: Body<PresentationRequest>,
) -> Answer<(StatusCode, Json<PresentationStarted>)> {
    let request = body.0;
    if request.issuers.len() > ISSUERS_MAX {
        return Err(Problem::bad_parameter("issuers", "at most 100 DIDs"));
    }
    let request = NewRequest {
        key: request.key,
        query: request.dcql_query,
        issuers: request.issuers,
        redirect_uri: request.redirect_uri,
    };
    let started = at_office(&app, move |app| app.counter.ask(&request, now())).await?;
    let started = PresentationStarted {
        id: started.id,
        secret: started.secret,
        link: started.link,
    };
    Ok((StatusCode::CREATED, Json(started)))
}

/// What became of a request, for whoever holds its secret.
#[utoipa::path(get, path = "/v1/presentations/{id}", tag = "presentations",
    params(("id" = String, Path), ("x-presentation-secret" = String, Header, description = "The secret of the request")),
    responses((status = 200, body = PresentationView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn outcome(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Json<PresentationView>> {
    let secret = headers
        .get("x-presentation-secret")
        .and_then(|secret| secret.to_str().ok())
        .unwrap_or_default();
    let judgement = app.counter.judgement(&id, secret, now())?;
    Ok(Json(judgement.into()))
}
