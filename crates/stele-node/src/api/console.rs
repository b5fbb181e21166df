//! The console: static files embedded in the binary, and the headers that keep them in their place.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

static CONSOLE: Dir<'static> = include_dir!("$STELE_CONSOLE_EMBED");

/// Same origin only, no inline script or style: what an attacker could put into a page does not run.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The wallet's page talks to any issuer and verifier that its owner chooses, over https; scripts, styles and
/// everything else stay same origin, and so does the console.
const WALLET_CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self' https:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Where the wallet is served; its service worker's scope is this path and nothing else.
const WALLET_PATH: &str = "wallet";
const WALLET_PAGE: &str = "wallet.html";

/// Where people sign in at an issuer of this node.
const SIGN_IN_PATH: &str = "sign-in";
const SIGN_IN_PAGE: &str = "sign-in.html";

/// Serves a file of the console; any other path gets the page, which routes by itself.
pub async fn serve(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        WALLET_PATH => WALLET_PAGE,
        SIGN_IN_PATH => SIGN_IN_PAGE,
        path => path,
    };
    let asset = CONSOLE.get_file(path).filter(|_| !path.is_empty());
    // A missing asset is missing; only addresses of views fall back to the page.
    let looks_like_asset = path
        .rsplit('/')
        .next()
        .is_some_and(|name| name.contains('.'));
    let file = match (asset, looks_like_asset) {
        (Some(file), _) => file,
        (None, true) => return StatusCode::NOT_FOUND.into_response(),
        (None, false) => match CONSOLE.get_file("index.html") {
            Some(file) => file,
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    let name = file.path().to_string_lossy();
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(media_type(&name)),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    let mut response = (headers, file.contents()).into_response();
    if name == WALLET_PAGE {
        response.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(WALLET_CONTENT_SECURITY_POLICY),
        );
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "json" | "webmanifest" => "application/json",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    }
}
