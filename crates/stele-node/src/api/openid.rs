//! The endpoints that wallets call: OpenID4VCI 1.0 of each issuer, OpenID4VP 1.0 of the node's counter.
//!
//! They are what those specifications say and stand in no OpenAPI document of ours. Pages of any origin may call them: a caller
//! here is never the operator, and acts by codes and tokens that it was given.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use stele_credentials::json::{JsonLimits, from_base64url, parse};
use stele_credentials::openid::{Answer, Body, Fault, Form};

use super::issuers::{at_office, now};
use crate::app::SharedApp;
use crate::problem::Problem;

/// Requests for credentials: proofs of 32 keys fit.
const REQUEST_LIMITS: JsonLimits = JsonLimits {
    bytes_max: 64 << 10,
    depth_max: 12,
};
/// How long a list may be kept by whatever lies between, in seconds.
const LIST_AGE_SECONDS: u64 = 300;

/// The routes, open to pages of other origins.
pub fn router() -> Router<SharedApp> {
    Router::new()
        .route(
            "/.well-known/openid-credential-issuer/openid/issuers/{name}",
            get(issuer_metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server/openid/issuers/{name}",
            get(server_metadata),
        )
        .route(
            "/openid/issuers/{name}/nonce",
            post(nonce).options(preflight),
        )
        .route("/openid/issuers/{name}/par", post(push).options(preflight))
        .route("/openid/issuers/{name}/authorize", get(authorize))
        .route(
            "/openid/issuers/{name}/token",
            post(token).options(preflight),
        )
        .route(
            "/openid/issuers/{name}/credential",
            post(credential).options(preflight),
        )
        .route(
            "/openid/issuers/{name}/deferred",
            post(deferred).options(preflight),
        )
        .route(
            "/openid/issuers/{name}/notification",
            post(notification).options(preflight),
        )
        .route(
            "/openid/issuers/{name}/proofs/{signed}",
            get(proof).options(preflight),
        )
        .route(
            "/openid/issuers/{name}/status/{shard}",
            get(status_list).options(preflight),
        )
        .route(
            "/openid/verifier/requests/{id}",
            get(request_object).post(request_object).options(preflight),
        )
        .route(
            "/openid/verifier/responses/{id}",
            post(respond).options(preflight),
        )
        .layer(middleware::from_fn(open_to_all_origins))
}

async fn open_to_all_origins(request: Request<axum::body::Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

async fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// An answer of the state machines as HTTP.
fn http(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status);
    let mut response = match answer.body {
        Body::Json(body) => axum::Json(body).into_response(),
        Body::Text(kind, text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Body::Empty => Response::default(),
    };
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The access token of a request; nothing where there is none, which no token equals.
fn bearer(headers: &HeaderMap) -> String {
    let field = headers.get(header::AUTHORIZATION);
    let field = field
        .and_then(|field| field.to_str().ok())
        .unwrap_or_default();
    match field.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ => String::new(),
    }
}

fn form(body: &Bytes) -> Result<Form, Response> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::invalid_request("No text."));
    text.and_then(Form::parse)
        .map_err(|fault| http(fault.answer()))
}

fn json(body: &Bytes) -> Result<Value, Response> {
    parse(body, REQUEST_LIMITS).map_err(|refusal| {
        http(Fault::from_refusal("invalid_credential_request", &refusal).answer())
    })
}

async fn at(
    app: &SharedApp,
    work: impl FnOnce(&crate::App) -> Result<Answer, stele_credentials::Refusal> + Send + 'static,
) -> Response {
    match at_office(app, work).await {
        Ok(answer) => http(answer),
        Err(problem) => problem.into_response(),
    }
}

async fn issuer_metadata(State(app): State<SharedApp>, Path(name): Path<String>) -> Response {
    at(&app, move |app| {
        Ok(Answer {
            headers: Vec::new(),
            ..Answer::json(200, app.office.metadata(&name)?)
        })
    })
    .await
}

async fn server_metadata(State(app): State<SharedApp>, Path(name): Path<String>) -> Response {
    at(&app, move |app| {
        Ok(Answer {
            headers: Vec::new(),
            ..Answer::json(200, app.office.authorization_server_metadata(&name)?)
        })
    })
    .await
}

async fn nonce(State(app): State<SharedApp>, Path(name): Path<String>) -> Response {
    at(&app, move |app| app.office.nonce(&name, now())).await
}

async fn push(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let form = form(&body)?;
    Ok(at(&app, move |app| app.office.push(&name, &form, now())).await)
}

async fn authorize(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = form(&Bytes::from(query.unwrap_or_default()))?;
    Ok(at(&app, move |app| app.office.authorize(&name, &query, now())).await)
}

async fn token(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let form = form(&body)?;
    Ok(at(&app, move |app| app.office.token(&name, &form, now())).await)
}

async fn credential(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let (bearer, request) = (bearer(&headers), json(&body)?);
    Ok(at(&app, move |app| {
        app.office.credential(&name, &bearer, &request, now())
    })
    .await)
}

async fn deferred(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let (bearer, request) = (bearer(&headers), json(&body)?);
    Ok(at(&app, move |app| {
        app.office.deferred(&name, &bearer, &request, now())
    })
    .await)
}

async fn notification(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let (bearer, request) = (bearer(&headers), json(&body)?);
    Ok(at(&app, move |app| {
        app.office.notification(&name, &bearer, &request, now())
    })
    .await)
}

async fn proof(
    State(app): State<SharedApp>,
    Path((name, signed)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let hash: [u8; 32] = from_base64url(&signed)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            Problem::bad_parameter("signed", "SHA-256 of the signed part, in base64url")
        })?;
    let found = at_office(&app, move |app| app.office.proof(&name, &hash)).await?;
    let proof = found.ok_or_else(|| Problem::not_found("proof of this credential"))?;
    let kind = "application/vnd.stele.issuance-proof+cbor";
    Ok(([(header::CONTENT_TYPE, kind)], proof).into_response())
}

async fn status_list(
    State(app): State<SharedApp>,
    Path((name, shard)): Path<(String, u32)>,
) -> Result<Response, Problem> {
    let list = at_office(&app, move |app| {
        app.office.status_list(&name, shard as usize, now())
    });
    let list = list
        .await?
        .ok_or_else(|| Problem::not_found("shard of this number"))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/statuslist+jwt".to_owned(),
        ),
        (header::CACHE_CONTROL, format!("max-age={LIST_AGE_SECONDS}")),
    ];
    Ok((headers, list).into_response())
}

async fn request_object(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    method: Method,
    body: Bytes,
) -> Result<Response, Response> {
    let form = if method == Method::POST {
        form(&body)?
    } else {
        Form::default()
    };
    Ok(at(&app, move |app| {
        Ok(app.counter.request_object(&id, &form, now()))
    })
    .await)
}

async fn respond(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let form = form(&body)?;
    Ok(at(&app, move |app| Ok(app.counter.respond(&id, &form, now()))).await)
}
