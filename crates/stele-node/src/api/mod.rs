//! The HTTP API: one router, described by the OpenAPI document that it generates.

pub mod commands;
mod committee;
pub mod console;
pub mod entries;
pub mod epcis;
pub mod identifiers;
pub mod issuers;
pub mod keys;
pub mod lists;
pub mod network;
pub mod openid;
pub mod presentations;
pub mod proposals;
pub mod registers;
pub mod scenarios;
pub mod scrapi;
pub mod sign_in;
pub mod snapshots;
pub mod state;
pub mod tiles;
pub mod view;
pub mod watch;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::SharedApp;
use crate::problem::Problem;

/// The largest request body, in bytes; single routes may take less.
pub const BODY_BYTES_MAX: usize = 8 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stele node",
        description = "Submit, read, prove and verify. Every refusal is a problem document (RFC 9457) with a code, a plain sentence and a hint.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "entries", description = "Signed commands in registers"),
        (name = "state", description = "What the registers hold, with proofs of presence and absence"),
        (name = "parties", description = "Who signs"),
        (name = "identifiers", description = "DIDs and their documents, with history and proofs (W3C DID Resolution)"),
        (name = "issuers", description = "Issuers of credentials: offers, what was issued, revocation. Wallets call them at /openid/issuers, as OpenID4VCI 1.0 describes it"),
        (name = "presentations", description = "Asking people for credentials by OpenID4VP 1.0"),
        (name = "registers", description = "What commands there are"),
        (name = "network", description = "The chain, its key and its health"),
        (name = "keys", description = "Keys that the node holds, and commands that it signs with them"),
        (name = "log", description = "Checkpoint, tiles and proofs of the log (C2SP)"),
        (name = "scitt", description = "Signed statements and their receipts (SCRAPI)"),
        (name = "epcis", description = "Supply-chain events: GS1 EPCIS 2.0 is served at /epcis as GS1's own OpenAPI document describes it"),
        (name = "scenarios", description = "Runnable, measured applications"),
    )
)]
struct Description;

fn open_router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(entries::submit, lists::entries))
        .routes(routes!(entries::read))
        .routes(routes!(entries::envelope))
        .routes(routes!(entries::receipt))
        .routes(routes!(watch::watch))
        .routes(routes!(state::read))
        .routes(routes!(state::receipt))
        .routes(routes!(lists::parties, commands::register_party))
        .routes(routes!(lists::party))
        .routes(routes!(lists::party_entries))
        .routes(routes!(identifiers::resolve))
        .routes(routes!(issuers::list))
        .routes(routes!(issuers::read, issuers::put))
        .routes(routes!(issuers::offers, issuers::offer))
        .routes(routes!(issuers::invite))
        .routes(routes!(issuers::withdraw))
        .routes(routes!(issuers::approve))
        .routes(routes!(issuers::issued))
        .routes(routes!(issuers::set_status))
        .routes(routes!(presentations::ask))
        .routes(routes!(presentations::outcome))
        .routes(routes!(lists::search))
        .routes(routes!(lists::statistics))
        .routes(routes!(registers::registers))
        .routes(routes!(registers::register))
        .routes(routes!(network::network))
        .routes(routes!(committee::status))
        .routes(routes!(proposals::proposals))
        .routes(routes!(proposals::proposal))
        .routes(routes!(snapshots::newest))
        .routes(routes!(snapshots::manifest))
        .routes(routes!(snapshots::chunk))
        .routes(routes!(network::blocks))
        .routes(routes!(network::block))
        .routes(routes!(network::health))
        .routes(routes!(network::ready))
        .routes(routes!(crate::metrics::metrics))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::export))
        .routes(routes!(keys::remove))
        .routes(routes!(commands::submit))
        .routes(routes!(tiles::checkpoint))
        .routes(routes!(tiles::key))
        .routes(routes!(tiles::witnesses))
        .routes(routes!(tiles::inclusion))
        .routes(routes!(tiles::consistency))
        .routes(routes!(scrapi::submit))
        .routes(routes!(scrapi::resolve))
        .routes(routes!(scrapi::keys))
        .routes(routes!(scrapi::key))
        .routes(routes!(epcis::evidence))
        .routes(routes!(scenarios::scenarios))
        .routes(routes!(scenarios::scenario))
        .routes(routes!(scenarios::start))
        .routes(routes!(scenarios::latest))
        .routes(routes!(scenarios::file))
}

/// The OpenAPI document.
pub fn description() -> utoipa::openapi::OpenApi {
    open_router().split_for_parts().1
}

/// The router with everything that guards it.
pub fn router(app: SharedApp) -> Router {
    let (router, description) = open_router().split_for_parts();
    let document = serde_json::to_string(&description).expect("a description is plain data");
    let openapi = move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document).into_response() }
    };
    let security =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    router
        .route("/openapi.json", axum::routing::get(openapi))
        // Its path has slashes, which OpenAPI cannot say; docs/api-auth.md describes it.
        .route("/log/tile/{*path}", axum::routing::get(tiles::tile))
        .merge(openid::router())
        .merge(sign_in::router())
        .route("/epcis", axum::routing::any(epcis::serve))
        .route("/epcis/{*path}", axum::routing::any(epcis::serve))
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(
            SharedApp::clone(&app),
            crate::auth::guard::guard,
        ))
        .layer(security(
            header::CONTENT_SECURITY_POLICY,
            console::CONTENT_SECURITY_POLICY,
        ))
        .layer(security(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(security(header::REFERRER_POLICY, "no-referrer"))
        .with_state(app)
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This address does not take this method.",
        "See /openapi.json for what each address takes.",
    )
}

async fn fallback(method: axum::http::Method, uri: axum::http::Uri) -> axum::response::Response {
    let api = [
        "/v1/",
        "/1.0/",
        "/epcis",
        "/entries",
        "/log/",
        "/openid/",
        "/.well-known/",
    ];
    if api.iter().any(|prefix| uri.path().starts_with(prefix)) {
        return Problem::not_found("resource at this address").into_response();
    }
    if method != axum::http::Method::GET && method != axum::http::Method::HEAD {
        return method_not_allowed().await.into_response();
    }
    console::serve(uri).await
}
