//! The console: static files embedded in the binary, and the headers that keep them in their place.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

static CONSOLE: Dir<'static> = include_dir!("$STELE_CONSOLE_EMBED");

/// Same origin only, no inline script or style: what an attacker could put into a page does not run.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves a file of the console; any other path gets the page, which routes by itself.
pub async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
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
    (headers, file.contents()).into_response()
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
