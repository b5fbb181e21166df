//! The scenario gallery: what there is, runs and their reports.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use stele_client::Client;
use stele_core::receipt::NetworkDescriptor;

use crate::api::view::Binary;
use crate::app::SharedApp;
use crate::problem::{Answer, Problem};
use crate::runs::{RunView, ScenarioInfo};

/// A report is one file with its own styles and no script; it may load and run nothing else.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox allow-downloads";

fn unknown() -> Problem {
    Problem::not_found("scenario of this name")
}

/// The scenarios that this node can run.
#[utoipa::path(get, path = "/v1/scenarios", tag = "scenarios", responses((status = 200, body = Vec<ScenarioInfo>)))]
pub async fn scenarios(State(app): State<SharedApp>) -> Json<Vec<ScenarioInfo>> {
    Json(app.runs.list())
}

/// One scenario.
#[utoipa::path(get, path = "/v1/scenarios/{name}", tag = "scenarios", params(("name" = String, Path)),
    responses((status = 200, body = ScenarioInfo), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn scenario(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Answer<Json<ScenarioInfo>> {
    let found = app.runs.list().into_iter().find(|info| info.name == name);
    found.map(Json).ok_or_else(unknown)
}

/// Starts a run; it goes on by itself, and `runs/latest` tells how it stands.
#[utoipa::path(post, path = "/v1/scenarios/{name}/runs", tag = "scenarios", params(("name" = String, Path)),
    responses((status = 202, body = RunView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn start(State(app): State<SharedApp>, Path(name): Path<String>) -> Answer<Response> {
    let network = NetworkDescriptor::of_genesis(app.ledger.genesis());
    let client = Client::connect_to(&app.url, network).with_token(app.token.reveal());
    match app.runs.start(&name, client) {
        None => Err(unknown()),
        Some(Ok(view)) => Ok((StatusCode::ACCEPTED, Json(view)).into_response()),
        Some(Err(_)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "scenario.running",
            "This scenario is running already.",
            "Wait for its end; runs/latest tells how it stands.",
        )),
    }
}

/// How the newest run stands, with its report once it is done.
#[utoipa::path(get, path = "/v1/scenarios/{name}/runs/latest", tag = "scenarios", params(("name" = String, Path)),
    responses((status = 200, body = RunView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn latest(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Answer<Json<RunView>> {
    let run = app
        .runs
        .newest(&name)
        .ok_or_else(|| Problem::not_found("run of this scenario yet"))?;
    Ok(Json(run))
}

/// A file that the newest run wrote: its report or one of its receipts.
#[utoipa::path(get, path = "/v1/scenarios/{name}/runs/latest/files/{file}", tag = "scenarios",
    params(("name" = String, Path), ("file" = String, Path)),
    responses((status = 200, body = Binary), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn file(
    State(app): State<SharedApp>,
    Path((name, file)): Path<(String, String)>,
) -> Answer<Response> {
    let missing = || Problem::not_found("file of this run");
    let run = app.runs.newest(&name).ok_or_else(missing)?;
    let folder = run
        .report
        .as_ref()
        .and_then(|report| report["folder"].as_str().map(str::to_owned))
        .ok_or_else(missing)?;
    // One plain name within the run's own folder: nothing that could lead out of it.
    let plain = !file.is_empty()
        && !file.starts_with('.')
        && file
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !plain {
        return Err(missing());
    }
    let bytes = tokio::fs::read(std::path::Path::new(&folder).join(&file))
        .await
        .map_err(|_| missing())?;
    let media = match file.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("receipt") => "application/stele-receipt+cbor",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_SECURITY_POLICY, REPORT_POLICY),
    ];
    Ok((headers, bytes).into_response())
}
