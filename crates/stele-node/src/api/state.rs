//! Reading and proving state.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;
use stele_core::id::RegisterName;
use stele_ledger::ledger::ProofError;
use stele_registers::json::cbor_to_json;
use utoipa::{IntoParams, ToSchema};

use super::entries::receipt_response;
use crate::api::view::Binary;
use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// The most keys of one receipt.
const KEYS_MAX: usize = 16;

/// What else a receipt is to prove.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReceiptQuery {
    /// Further keys for the same receipt and the same block: `register/key`, separated by commas, at most 15.
    and: Option<String>,
}

/// What a state key holds. Not a proof: that is its receipt.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StateView {
    /// The register.
    pub register: String,
    /// The key, in hex.
    pub key: String,
    /// Whether it holds anything.
    pub present: bool,
    /// The value, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value as JSON, when it is CBOR.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub value_json: Option<Json_>,
}

fn parse(register: &str, key: &str) -> Answer<Vec<u8>> {
    if RegisterName::new(register).is_err() {
        return Err(Problem::bad_parameter("register", "a register's name"));
    }
    let key = hex::decode(key)
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    key.ok_or_else(|| Problem::bad_parameter("key", "1 to 255 bytes in hexadecimal"))
}

/// All keys that a receipt is to prove.
fn parse_all(register: &str, key: &str, query: &ReceiptQuery) -> Answer<Vec<(String, Vec<u8>)>> {
    let mut keys = vec![(register.to_owned(), parse(register, key)?)];
    let wrong = || {
        let expected = "register/key, separated by commas, each once, at most 15";
        Problem::bad_parameter("and", expected)
    };
    for more in query.and.iter().flat_map(|more| more.split(',')) {
        let (register, key) = more.split_once('/').ok_or_else(wrong)?;
        let pair = (register.to_owned(), parse(register, key)?);
        if keys.len() == KEYS_MAX || keys.contains(&pair) {
            return Err(wrong());
        }
        keys.push(pair);
    }
    Ok(keys)
}

/// The value of a state key.
#[utoipa::path(get, path = "/v1/state/{register}/{key}", tag = "state",
    params(("register" = String, Path), ("key" = String, Path, description = "The key in hex; docs/registers/ lists the keys of each register")),
    responses((status = 200, body = StateView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn read(
    State(app): State<SharedApp>,
    Path((register, key)): Path<(String, String)>,
) -> Answer<Json<StateView>> {
    let raw = parse(&register, &key)?;
    let value = app
        .ledger
        .state()
        .get(&register, &raw)
        .map_err(|fault| Problem::internal(&fault))?;
    Ok(Json(StateView {
        register,
        key,
        present: value.is_some(),
        value_json: value.as_deref().and_then(|value| cbor_to_json(value).ok()),
        value: value.map(hex::encode),
    }))
}

/// The receipt of a state key: proof that it holds its value, or that it holds none. With `and` it proves further keys as of the same block.
#[utoipa::path(get, path = "/v1/state/{register}/{key}/receipt", tag = "state",
    params(("register" = String, Path), ("key" = String, Path, description = "The key in hex"), ReceiptQuery),
    responses((status = 200, body = Binary, content_type = "application/stele-receipt+cbor"), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn receipt(
    State(app): State<SharedApp>,
    Path((register, key)): Path<(String, String)>,
    query: Result<Query<ReceiptQuery>, QueryRejection>,
) -> Answer<Response> {
    let Query(query) = query.map_err(|_| Problem::bad_parameter("query", "`and`, once"))?;
    let keys = parse_all(&register, &key, &query)?;
    let name = format!("{register}{key}");
    let proven = tokio::task::spawn_blocking(move || {
        let keys: Vec<_> = keys
            .iter()
            .map(|(register, key)| (register.as_str(), key.as_slice()))
            .collect();
        app.state_receipt(&keys)
    })
    .await;
    let receipt = match proven.map_err(|error| Problem::internal(&error))? {
        Ok(receipt) => receipt,
        Err(ProofError::BadRequest) => {
            return Err(Problem::bad_parameter(
                "key",
                "1 to 255 bytes in hexadecimal",
            ));
        }
        Err(error @ ProofError::Busy) => {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(
                status,
                "node.proof-busy",
                format!("{error}."),
                "Try again in a moment.",
            ));
        }
        Err(error) => return Err(Problem::internal(&error)),
    };
    Ok(receipt_response(receipt.encode(), &name))
}
