//! Keys that the node holds for its operator.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stele_core::suite::Suite;
use stele_registers::context::View;
use stele_registers::identity;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::auth::{Action, KeyInfo, Keystore, KeystoreError, Known, Resource, Unlock};
use crate::problem::{Answer, Problem};

/// A key in the node's keystore. Its secret half never leaves it unencrypted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    /// Its name here.
    pub name: String,
    /// Its suite, such as `Ed25519`.
    pub suite: String,
    /// Its id, in hex.
    pub kid: String,
    /// Its public half: a COSE_Key, in hex.
    pub public: String,
    /// The DID of the party that it belongs to, once it is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// What that party calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_name: Option<String>,
}

/// The keys of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    /// By name.
    pub items: Vec<KeyView>,
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// 1 to 64 lower-case letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// `Ed25519` (the default), `ES256`, `ML-DSA-65` or `Ed25519+ML-DSA-65`.
    pub suite: Option<String>,
}

/// Under which passphrase a key leaves the node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportKey {
    /// At least 12 characters.
    pub passphrase: String,
}

impl From<KeystoreError> for Problem {
    fn from(error: KeystoreError) -> Self {
        let status = match &error {
            KeystoreError::BadName(_) | KeystoreError::NotAKey(_) => StatusCode::BAD_REQUEST,
            KeystoreError::Missing(_) => StatusCode::NOT_FOUND,
            KeystoreError::Exists(_) => StatusCode::CONFLICT,
            // Paths and causes are for the operator's log only.
            other => return Self::internal(other),
        };
        Self::new(
            status,
            error.code(),
            format!("The keystore refuses: {error}."),
            error.hint(),
        )
    }
}

/// Runs work on the keystore where it may take its time: argon2id is slow on purpose, and files are synced.
pub(super) async fn with_keystore<T: Send + 'static>(
    app: &SharedApp,
    work: impl FnOnce(&Keystore) -> Result<T, KeystoreError> + Send + 'static,
) -> Answer<T> {
    let app = SharedApp::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app.keystore)).await;
    done.map_err(|error| Problem::internal(&error))?
        .map_err(Problem::from)
}

/// The suite of this name; Ed25519 when there is none.
pub(super) fn suite(name: Option<&str>) -> Answer<Suite> {
    let Some(name) = name else {
        return Ok(Suite::Ed25519);
    };
    Suite::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
        Problem::bad_parameter("suite", &format!("one of {}", names.join(", ")))
    })
}

pub(super) fn key_view(app: &App, info: &KeyInfo) -> Answer<KeyView> {
    let view = View::new(app.ledger.state(), identity::NAME);
    let failed = |fault: stele_core::machine::Fault| Problem::internal(&fault);
    let record = identity::key_record(view, &info.kid()).map_err(failed)?;
    let party = record.map(|record| record.party);
    let document = match &party {
        Some(party) => identity::document(view, party).map_err(failed)?,
        None => None,
    };
    Ok(KeyView {
        name: info.name.clone(),
        suite: info.suite().name().to_owned(),
        kid: info.kid().to_string(),
        public: hex::encode(info.public.to_cose_key()),
        party: party.map(|party| party.did()),
        party_name: document.and_then(|document| document.name),
    })
}

/// The keys that the node holds.
#[utoipa::path(get, path = "/v1/keys", tag = "keys",
    responses((status = 200, body = KeyList), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn list(State(app): State<SharedApp>) -> Answer<Json<KeyList>> {
    let keys = with_keystore(&app, Keystore::list).await?;
    let items = keys
        .iter()
        .map(|info| key_view(&app, info))
        .collect::<Answer<_>>()?;
    Ok(Json(KeyList { items }))
}

/// Makes a key in the node. It belongs to no party until one is registered with it (POST /v1/parties), or adds it.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKey,
    responses((status = 201, body = KeyView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn create(State(app): State<SharedApp>, body: Body<NewKey>) -> Answer<Response> {
    let NewKey {
        name,
        suite: suite_name,
    } = body.0;
    let suite = suite(suite_name.as_deref())?;
    let made = name.clone();
    let public = with_keystore(&app, move |keys| keys.generate(&made, suite)).await?;
    let view = key_view(&app, &KeyInfo { name, public })?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Takes a key out of the node, encrypted under a passphrase, for `stele keys import` elsewhere.
#[utoipa::path(post, path = "/v1/keys/{name}/export", tag = "keys", request_body = ExportKey, params(("name" = String, Path)),
    responses((status = 200, body = Object, description = "A key file"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn export(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: Known,
    body: Body<ExportKey>,
) -> Answer<Response> {
    app.gate
        .permit(&caller, Action::ExportKey, Resource::Key(&name))?;
    if body.0.passphrase.chars().count() < 12 {
        return Err(Problem::bad_parameter(
            "passphrase",
            "at least 12 characters",
        ));
    }
    let passphrase = Unlock::Passphrase(body.0.passphrase);
    let exported = with_keystore(&app, move |keys| keys.export(&name, &passphrase)).await?;
    Ok((
        [(axum::http::header::CONTENT_TYPE, "application/json")],
        exported,
    )
        .into_response())
}

/// Removes a key from the node for ever. What it signed stays; nothing more can be signed with it.
#[utoipa::path(delete, path = "/v1/keys/{name}", tag = "keys", params(("name" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn remove(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: Known,
) -> Answer<StatusCode> {
    app.gate
        .permit(&caller, Action::RemoveKey, Resource::Key(&name))?;
    with_keystore(&app, move |keys| keys.remove(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A JSON body; what is wrong with it is a problem that names the field.
pub struct Body<T>(pub T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Answer<Self> {
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::new(error.status(), "bad-body", format!("{error}."), ""))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let detail = format!("The body is not the JSON that is expected here: {error}.");
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-body",
                detail,
                "Compare it with /openapi.json.",
            )
        })
    }
}
