//! Issuers of credentials for those who run them: settings, offers, what was issued, and its status.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stele_office::{IssuedRow, IssuerSettings, MadeOffer, NewOffer, OfferRow, Status};
use utoipa::{IntoParams, ToSchema};

use super::keys::Body;
use crate::app::{App, SharedApp};
use crate::problem::{Answer, Problem};

/// The most offers of one request.
const OFFERS_MAX: usize = 1_000;

/// An issuer.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuerView {
    /// Its name here.
    pub name: String,
    /// The address that wallets know it by (the credential issuer identifier).
    pub identifier: String,
    /// The link that offers its credentials to whoever signs in with a passkey: for a poster, without secrets.
    pub open_offer: String,
    /// Its settings, as docs/issuing.md describes them.
    #[schema(value_type = Object)]
    pub settings: IssuerSettings,
}

/// The issuers of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuerList {
    /// By name.
    pub items: Vec<IssuerView>,
}

/// What one person is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferRequest {
    /// The kind of credential.
    pub kind: String,
    /// The office's own reference of the person, to revoke by. It is not in the credential.
    pub reference: Option<String>,
    /// The claims, as the kind's settings name them.
    #[schema(value_type = Object)]
    pub claims: Map<String, Value>,
    /// Whether a code is made that travels by another way than the offer.
    #[serde(default)]
    pub with_code: bool,
}

/// Offers to be made: all of them, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OffersRequest {
    /// 1 to 1000 offers.
    pub offers: Vec<OfferRequest>,
}

/// An offer for a wallet. It is shown once: the node does not tell the link or the code again.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferView {
    /// Its name here.
    pub id: String,
    /// The reference that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The link for the person, in a QR code or a mail.
    pub link: String,
    /// The code that goes by another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_code: Option<String>,
    /// Until when it is good, in seconds since 1970.
    pub expires_at: u64,
}

/// The offers that were made, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct OffersMade {
    /// The offers.
    pub items: Vec<OfferView>,
}

/// An offer as the office sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferStateView {
    /// Its name here.
    pub id: String,
    /// The kind of credential.
    pub kind: String,
    /// The office's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `waiting` for a clerk, `ready`, `collected`, `withdrawn` or `expired`.
    pub state: &'static str,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// Until when it is good.
    pub expires_at: u64,
}

/// Offers, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferPage {
    /// The offers.
    pub items: Vec<OfferStateView>,
}

/// A credential that was issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedView {
    /// Its number at this issuer.
    pub number: u64,
    /// The offer that it came from; copies share it, and their status.
    pub offer: String,
    /// The kind of credential.
    pub kind: String,
    /// The office's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `valid`, `revoked` or `suspended`.
    pub status: &'static str,
    /// When it was issued, in seconds since 1970.
    pub issued_at: u64,
}

/// What was issued, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedPage {
    /// The credentials.
    pub items: Vec<IssuedView>,
}

/// A new status.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {
    /// `valid`, `revoked` or `suspended`.
    pub status: String,
}

/// What a status was, and is.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusAnswer {
    /// The status before.
    pub before: &'static str,
    /// The status now.
    pub now: &'static str,
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// How many rows to leave out.
    #[serde(default)]
    skip: u32,
    /// How many rows at most, 1 to 1000; default is 100.
    #[serde(default = "rows")]
    limit: u32,
}

const fn rows() -> u32 {
    100
}

impl From<MadeOffer> for OfferView {
    fn from(made: MadeOffer) -> Self {
        Self {
            id: made.id,
            reference: made.reference,
            link: made.link,
            tx_code: made.tx_code,
            expires_at: made.expires_at,
        }
    }
}

impl From<OfferRow> for OfferStateView {
    fn from(row: OfferRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            reference: row.reference,
            state: row.state.name(),
            made_at: row.made_at,
            expires_at: row.expires_at,
        }
    }
}

impl From<IssuedRow> for IssuedView {
    fn from(row: IssuedRow) -> Self {
        Self {
            number: row.number,
            offer: row.offer,
            kind: row.kind,
            reference: row.reference,
            status: status_name(row.status),
            issued_at: row.issued_at,
        }
    }
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Valid => "valid",
        Status::Suspended => "suspended",
        Status::Invalid | Status::Other(_) => "revoked",
    }
}

pub(super) fn now() -> u64 {
    stele_ledger::ledger::system_time().get() / 1000
}

/// Runs work of the office where it may wait: for the file, and for entries to become final.
pub(super) async fn at_office<T: Send + 'static>(
    app: &SharedApp,
    work: impl FnOnce(&App) -> Result<T, stele_credentials::Refusal> + Send + 'static,
) -> Answer<T> {
    let app = SharedApp::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app)).await;
    done.map_err(|error| Problem::internal(&error))?
        .map_err(Problem::from)
}

fn page(
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer<(usize, usize)> {
    let wrong = || Problem::bad_parameter("query", "skip, and limit of 1 to 1000, each once");
    let Query(query) = query.map_err(|_| wrong())?;
    if !(1..=1_000).contains(&query.limit) {
        return Err(wrong());
    }
    Ok((query.skip as usize, query.limit as usize))
}

fn view(app: &App, name: String) -> Result<IssuerView, stele_credentials::Refusal> {
    let (settings, identifier) = app.office.issuer(&name)?;
    Ok(IssuerView {
        open_offer: app.office.open_offer(&name)?,
        name,
        identifier,
        settings,
    })
}

/// The issuers of this node.
#[utoipa::path(get, path = "/v1/issuers", tag = "issuers",
    responses((status = 200, body = IssuerList), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn list(State(app): State<SharedApp>) -> Answer<Json<IssuerList>> {
    let items = app.office.issuers().into_iter();
    let items = items
        .map(|(name, _)| view(&app, name).map_err(Problem::from))
        .collect::<Answer<_>>()?;
    Ok(Json(IssuerList { items }))
}

/// One issuer.
#[utoipa::path(get, path = "/v1/issuers/{name}", tag = "issuers", params(("name" = String, Path)),
    responses((status = 200, body = IssuerView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn read(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Answer<Json<IssuerView>> {
    Ok(Json(view(&app, name)?))
}

/// Makes an issuer, or changes its settings. Its key must be one that the node holds, of a registered party.
#[utoipa::path(put, path = "/v1/issuers/{name}", tag = "issuers", params(("name" = String, Path)),
    request_body(content = Object, description = "The settings, as docs/issuing.md describes them"),
    responses((status = 200, body = IssuerView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn put(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    settings: Body<IssuerSettings>,
) -> Answer<Json<IssuerView>> {
    let made = at_office(&app, move |app| {
        app.office.put_issuer(&name, settings.0)?;
        view(app, name)
    });
    Ok(Json(made.await?))
}

/// Offers credentials to people whom the office knows.
#[utoipa::path(post, path = "/v1/issuers/{name}/offers", tag = "issuers", params(("name" = String, Path)), request_body = OffersRequest,
    responses((status = 201, body = OffersMade), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn offer(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Body<OffersRequest>,
) -> Answer<(StatusCode, Json<OffersMade>)> {
    if !(1..=OFFERS_MAX).contains(&body.0.offers.len()) {
        return Err(Problem::bad_parameter("offers", "1 to 1000 offers"));
    }
    let offers = body.0.offers.into_iter().map(|offer| NewOffer {
        kind: offer.kind,
        reference: offer.reference,
        claims: offer.claims,
        wants_code: offer.with_code,
    });
    let offers = offers.collect();
    let made = at_office(&app, move |app| app.office.offer(&name, offers, now())).await?;
    let items = made.into_iter().map(OfferView::from).collect();
    Ok((StatusCode::CREATED, Json(OffersMade { items })))
}

/// A person who is to register a passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// The office's own reference of the person, the same as in offers.
    pub reference: String,
    /// What the person's device shows beside the passkey, such as the name.
    pub display_name: String,
}

/// What the person gets. It is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    /// The page with the code in it, for a QR code or a mail.
    pub link: String,
    /// The code alone, for a letter.
    pub code: String,
}

/// Invites a person to register a passkey, and to sign in with it to receive what is offered to the same reference. An earlier
/// invitation of the person is void.
#[utoipa::path(post, path = "/v1/issuers/{name}/invitations", tag = "issuers", params(("name" = String, Path)), request_body = InvitationRequest,
    responses((status = 201, body = InvitationView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn invite(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Body<InvitationRequest>,
) -> Answer<(StatusCode, Json<InvitationView>)> {
    let InvitationRequest {
        reference,
        display_name,
    } = body.0;
    let made = at_office(&app, move |app| {
        app.office.invite(&name, &reference, &display_name, now())
    });
    let made = made.await?;
    let view = InvitationView {
        link: made.link,
        code: made.code,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// An issuer's offers, newest first.
#[utoipa::path(get, path = "/v1/issuers/{name}/offers", tag = "issuers", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = OfferPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn offers(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<OfferPage>> {
    let (skip, limit) = page(query)?;
    let rows = at_office(&app, move |app| app.office.offers(&name, skip, limit)).await?;
    let items = rows.into_iter().map(OfferStateView::from).collect();
    Ok(Json(OfferPage { items }))
}

/// Takes an offer back that nobody has collected.
#[utoipa::path(delete, path = "/v1/issuers/{name}/offers/{offer}", tag = "issuers", params(("name" = String, Path), ("offer" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn withdraw(
    State(app): State<SharedApp>,
    Path((name, offer)): Path<(String, String)>,
) -> Answer<StatusCode> {
    at_office(&app, move |app| app.office.withdraw(&name, &offer, now())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approves an offer of a kind that is issued by hand.
#[utoipa::path(put, path = "/v1/issuers/{name}/offers/{offer}/approval", tag = "issuers", params(("name" = String, Path), ("offer" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn approve(
    State(app): State<SharedApp>,
    Path((name, offer)): Path<(String, String)>,
) -> Answer<StatusCode> {
    at_office(&app, move |app| app.office.approve(&name, &offer)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an issuer has issued, newest first.
#[utoipa::path(get, path = "/v1/issuers/{name}/issued", tag = "issuers", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = IssuedPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn issued(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<IssuedPage>> {
    let (skip, limit) = page(query)?;
    let rows = at_office(&app, move |app| app.office.issued(&name, skip, limit)).await?;
    let items = rows.into_iter().map(IssuedView::from).collect();
    Ok(Json(IssuedPage { items }))
}

/// Revokes or suspends what came from an offer, or makes it valid again, and publishes the list.
#[utoipa::path(put, path = "/v1/issuers/{name}/issued/{offer}/status", tag = "issuers", params(("name" = String, Path), ("offer" = String, Path)), request_body = StatusRequest,
    responses((status = 200, body = StatusAnswer), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn set_status(
    State(app): State<SharedApp>,
    Path((name, offer)): Path<(String, String)>,
    body: Body<StatusRequest>,
) -> Answer<Json<StatusAnswer>> {
    let status = [Status::Valid, Status::Invalid, Status::Suspended]
        .into_iter()
        .find(|status| status_name(*status) == body.0.status)
        .ok_or_else(|| Problem::bad_parameter("status", "`valid`, `revoked` or `suspended`"))?;
    let before = at_office(&app, move |app| {
        let now_ms = stele_ledger::ledger::system_time().get();
        app.office.set_status(&name, &offer, status, now_ms)
    });
    Ok(Json(StatusAnswer {
        before: status_name(before.await?),
        now: status_name(status),
    }))
}
