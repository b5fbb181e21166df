//! What the page calls on which people register a passkey and sign in at an issuer.
//!
//! Only the node's own page can use it: a browser binds each passkey's answer to the page's origin. A request is named by a handle that
//! nobody guesses, a registration by a code.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::issuers::{at_office, now};
use super::keys::Body;
use crate::app::SharedApp;
use crate::problem::Answer;

/// The routes, for the node's own page.
pub fn router() -> Router<SharedApp> {
    Router::new()
        .route("/openid/issuers/{name}/sign-in/start", post(start))
        .route("/openid/issuers/{name}/sign-in/finish", post(finish))
        .route("/openid/issuers/{name}/sign-in/refuse", post(refuse))
        .route("/openid/enrolment/start", post(start_enrolment))
        .route("/openid/enrolment/finish", post(finish_enrolment))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    request: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    request: String,
    ceremony: String,
    /// What `PublicKeyCredential.toJSON` gives.
    answer: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    ceremony: String,
    /// What `PublicKeyCredential.toJSON` gives.
    answer: Value,
}

/// JSON that nobody keeps.
fn fresh(body: Value) -> Response {
    (
        [(axum::http::header::CACHE_CONTROL, "no-store")],
        Json(body),
    )
        .into_response()
}

async fn start(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Body<Waiting>,
) -> Answer<Response> {
    let started = at_office(&app, move |app| {
        app.office.start_sign_in(&name, &body.0.request, now())
    });
    Ok(fresh(started.await?.to_json()))
}

async fn finish(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Body<Finish>,
) -> Answer<Response> {
    let Finish {
        request,
        ceremony,
        answer,
    } = body.0;
    let location = at_office(&app, move |app| {
        let answer = answer.to_string();
        app.office
            .finish_sign_in(&name, &request, &ceremony, answer.as_bytes(), now())
    });
    Ok(fresh(json!({"location": location.await?})))
}

async fn refuse(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Body<Waiting>,
) -> Answer<Response> {
    let location = at_office(&app, move |app| {
        app.office.refuse_sign_in(&name, &body.0.request, now())
    });
    Ok(fresh(json!({"location": location.await?})))
}

async fn start_enrolment(State(app): State<SharedApp>, body: Body<Code>) -> Answer<Response> {
    let started = at_office(&app, move |app| {
        app.office.start_enrolment(&body.0.code, now())
    });
    let started = started.await?;
    Ok(fresh(
        json!({"ceremony": started.ceremony, "options": started.options}),
    ))
}

async fn finish_enrolment(
    State(app): State<SharedApp>,
    body: Body<Registered>,
) -> Answer<Response> {
    let Registered { ceremony, answer } = body.0;
    let done = at_office(&app, move |app| {
        let answer = answer.to_string();
        app.office
            .finish_enrolment(&ceremony, answer.as_bytes(), now())
    });
    done.await?;
    Ok(fresh(json!({})))
}
