//! SCRAPI, the API of SCITT transparency services (draft-ietf-scitt-scrapi-10), beside our own.
//!
//! - `POST /entries` registers a signed statement. A Stele entry is submitted as it is; any other COSE_Sign1 whose `kid` is the id of a
//!   registered key, and whose signature verifies, is registered by hash in the register `statement`, in an entry that the node's
//!   operator signs. 201 with the receipt, or 303 to where it will be.
//! - `GET /entries/{id}` gives the receipt; the id is that of an entry, or the hash of a statement.
//! - `GET /.well-known/scitt-keys` is the network key in a COSE_KeySet.
//!
//! The receipt is the COSE Receipt (RFC 9942) inside a Stele receipt. docs/api-auth.md shows how a client verifies it, and from it the statement.
//! Problems are CBOR (RFC 9290).

mod statement;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stele_core::block::Outcome;
use stele_core::cbor::{Decoder, Encoder, Value};
use stele_core::entry::Entry;
use stele_core::id::{EntryId, Hash, KeyId, LogIndex, PartyId};
use stele_core::merkle::base64_decode;
use stele_core::suite::SuiteError;
use stele_ledger::ledger::Finalised;
use stele_registers::context::View;
use stele_registers::statement as register;

pub use statement::{Statement, StatementError};

use super::commands::{CommandRequest, CommandsRequest, sign_and_submit};
use super::entries::internal;
use super::keys::with_keystore;
use crate::api::view::Binary;
use crate::app::{SharedApp, Submitted};
use crate::auth::guard::party_key;
use crate::init::OPERATOR_KEY;
use crate::problem::{Answer, Problem};

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";
const STELE_RECEIPT: &str = "application/stele-receipt+cbor";
/// When a client should ask again for a receipt that is not there yet, in seconds.
const RETRY_SECONDS: u64 = 1;

fn rejected(code: &str, detail: impl Into<String>, hint: &str) -> Problem {
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, code, detail, hint);
    problem.title = "Rejected".to_owned();
    problem
}

/// Registers a signed statement, and answers with its receipt.
#[utoipa::path(post, path = "/entries", tag = "scitt",
    request_body(content = Binary, content_type = "application/cose"),
    responses(
        (status = 201, body = Binary, content_type = "application/cose", description = "Registered; the receipt"),
        (status = 303, description = "Registration is running; its receipt will be at Location"),
        (status = "4XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "Refused; nothing changed"),
        (status = "5XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "The node cannot do it now"),
    ))]
pub async fn submit(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        != COSE
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "scrapi.bad-media-type",
            "A signed statement is sent as application/cose.",
            "Set Content-Type: application/cose.",
        ));
    }
    let statement = Statement::parse(&body).map_err(|error| bad_statement(&error))?;
    let (id, submitted) = if statement.is_stele_entry() {
        let entry = Entry::decode(body.to_vec()).map_err(|error| {
            rejected(
                error.code(),
                format!("{error}."),
                "docs/format.md section 3 describes entries.",
            )
        })?;
        (
            entry.id().to_string(),
            app.submit(entry.into_bytes(), true)
                .await
                .map_err(Problem::from),
        )
    } else {
        let hash = statement.hash();
        check_signature(&app, &statement)?;
        if let Some(index) = registered(&app, &hash).await? {
            return receipt(
                &app,
                index,
                &headers,
                &hash.to_string(),
                StatusCode::CREATED,
            );
        }
        (hash.to_string(), register_hash(&app, &statement).await)
    };
    match submitted {
        Ok(Submitted::Final(done)) => match &done.refusal {
            None => receipt(&app, done.log_index, &headers, &id, StatusCode::CREATED),
            Some(_) => outrun(&app, &done, &headers, &id).await,
        },
        Ok(Submitted::Admitted(_)) => Ok(running(&id)),
        Err(problem) if problem.code == "node.unknown-outcome" => Ok(running(&id)),
        Err(problem) => Err(problem),
    }
}

/// A refused registration; when another request registered the same statement a moment before, its receipt answers both.
async fn outrun(
    app: &SharedApp,
    done: &Finalised,
    headers: &HeaderMap,
    id: &str,
) -> Answer<Response> {
    let refusal = done.refusal.as_ref().expect("the caller has looked");
    if refusal.code == register::refusals::REGISTERED.code
        && let Ok(hash) = id.parse()
        && let Some(index) = registered(app, &hash).await?
    {
        return receipt(app, index, headers, id, StatusCode::CREATED);
    }
    Err(rejected(
        &refusal.code,
        refusal.sentence.clone(),
        &refusal.hint,
    ))
}

fn running(id: &str) -> Response {
    let headers = [
        (header::LOCATION, format!("/entries/{id}")),
        (header::RETRY_AFTER, RETRY_SECONDS.to_string()),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn bad_statement(error: &StatementError) -> Problem {
    let mut problem = rejected(error.code(), format!("{error}."), error.hint());
    problem.title = error.title().to_owned();
    problem
}

fn check_signature(app: &SharedApp, statement: &Statement<'_>) -> Answer<()> {
    let (_, key) = party_key(app, &statement.kid).map_err(|problem| {
        if problem.status >= 500 {
            return problem;
        }
        let hint = "The issuer registers its key first, as a party: POST /v1/entries with identity/party.register.";
        rejected("scrapi.unknown-issuer", problem.detail, hint)
    })?;
    let message = statement.sig_structure();
    key.verify(statement.alg, &message, statement.signature)
        .map_err(|error| {
            let hint =
                "Sign the Sig_structure of RFC 9052 section 4.4 with the key that kid names.";
            let mut problem = rejected("scrapi.bad-signature", format!("{error}."), hint);
            if let SuiteError::UnknownAlgorithm { .. } | SuiteError::AlgorithmMismatch { .. } =
                error
            {
                problem.title = "Bad Signature Algorithm".to_owned();
            }
            problem
        })
}

async fn register_hash(app: &SharedApp, statement: &Statement<'_>) -> Answer<Submitted> {
    let mut body = json!({
        "statement_hash": statement.hash().to_string(),
        "issuer_kid": statement.kid.to_string(),
    });
    let fits = |text: &&str| (1..=register::TEXT_BYTES_MAX).contains(&text.len());
    for (name, text) in [
        ("subject", &statement.subject),
        ("content_type", &statement.content_type),
    ] {
        if let Some(text) = text.as_deref().filter(fits) {
            body[name] = json!(text);
        }
    }
    let command = CommandRequest {
        register: None,
        name: "statement.register".to_owned(),
        body,
    };
    let request = CommandsRequest {
        key: OPERATOR_KEY.to_owned(),
        cosigners: Vec::new(),
        register: register::NAME.to_owned(),
        commands: vec![command],
        wait: None,
    };
    sign_and_submit(app, request, true).await
}

/// Where the operator's registration of a statement stands in the log.
async fn registered(app: &SharedApp, hash: &Hash) -> Answer<Option<LogIndex>> {
    let operator = with_keystore(app, |keys| keys.public(OPERATOR_KEY)).await?;
    let view = View::new(app.ledger.state(), register::NAME);
    let failed = |fault: stele_core::machine::Fault| Problem::internal(&fault);
    let own_key = stele_registers::identity::key_record(
        View::new(app.ledger.state(), stele_registers::identity::NAME),
        &operator.kid(),
    );
    let party = own_key.map_err(failed)?.map(|record| record.party);
    let party = party.unwrap_or_else(|| PartyId::of_first_key(&operator.kid()));
    match register::record(view, &party, hash.as_bytes()).map_err(failed)? {
        None => Ok(None),
        Some(record) => app
            .find_entry(record.entry)
            .await
            .map_err(|error| Problem::internal(&error)),
    }
}

/// The receipt of an entry or of a registered statement.
#[utoipa::path(get, path = "/entries/{id}", tag = "scitt",
    params(("id" = String, Path, description = "An entry's id or a statement's hash, 64 hex digits")),
    responses(
        (status = 200, body = Binary, content_type = "application/cose", description = "The COSE Receipt; the full Stele receipt for Accept: application/stele-receipt+cbor"),
        (status = "4XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "Refused; nothing changed"),
        (status = "5XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "The node cannot do it now"),
    ))]
pub async fn resolve(
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let Ok(hash) = id.parse::<Hash>() else {
        let hint = "A locator is the 64 hexadecimal digits of an entry's id or a statement's hash.";
        let mut problem = rejected(
            "scrapi.invalid-locator",
            "The locator is not in a valid form.",
            hint,
        );
        problem.title = "Invalid locator".to_owned();
        return Err(problem);
    };
    let index = match registered(&app, &hash).await? {
        Some(index) => Some(index),
        None => {
            let found = app.find_entry(EntryId::from_bytes(*hash.as_bytes())).await;
            found.map_err(|error| Problem::internal(&error))?
        }
    };
    let Some(index) = index else {
        let hint = "Check the locator; a statement that was never registered has no receipt.";
        let detail = "No registration was found for this locator.";
        let mut problem = Problem::new(StatusCode::NOT_FOUND, "scrapi.not-found", detail, hint);
        problem.title = "Operation Not Found".to_owned();
        return Err(problem);
    };
    receipt(&app, index, &headers, &id, StatusCode::OK)
}

/// The receipt in the form that the client asks for. An entry that was refused is in the log, but it registered nothing.
fn receipt(
    app: &SharedApp,
    index: LogIndex,
    headers: &HeaderMap,
    id: &str,
    status: StatusCode,
) -> Answer<Response> {
    let logged = app.ledger.entry(index).map_err(internal)?;
    if let Outcome::Refused { code, .. } = &logged.record.outcome {
        let hint = "GET /v1/entries/{id}/receipt proves the refusal.";
        return Err(rejected(
            code,
            format!("The entry was refused by the rule {code}."),
            hint,
        ));
    }
    let wants_all = headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains(STELE_RECEIPT))
    });
    let (kind, bytes) = if wants_all {
        let receipt = app.entry_receipt(index, true).map_err(internal)?;
        (STELE_RECEIPT, receipt.encode())
    } else {
        // It has no place for witnesses, so it stays with the entry's own block: the same bytes each time.
        let receipt = app.ledger.entry_receipt(index, true).map_err(internal)?;
        let receipt = cose_receipt(&receipt.encode());
        (COSE, receipt.map_err(|error| Problem::internal(&error))?)
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::LOCATION, format!("/entries/{id}")),
    ];
    Ok((status, headers, bytes).into_response())
}

/// The COSE Receipt inside a Stele receipt: its key 1 (docs/format.md section 7).
fn cose_receipt(receipt: &[u8]) -> Result<Vec<u8>, stele_core::cbor::DecodeError> {
    let mut decoder = Decoder::new(receipt);
    decoder.map(8)?;
    decoder.exactly(0, "the format (0)")?;
    decoder.text(64)?;
    decoder.exactly(1, "the certificate (1)")?;
    decoder.bytes(usize::MAX).map(<[u8]>::to_vec)
}

fn network_key(app: &SharedApp) -> Value {
    let key = &app.ledger.genesis().network_key;
    let mut value = Value::decode(&key.to_cose_key()).expect("a COSE_Key is deterministic CBOR");
    if let Value::Map(members) = &mut value {
        members.push((Value::Uint(2), Value::Bytes(key.kid().as_bytes().to_vec())));
    }
    value
}

/// The key under which receipts verify, in a COSE_KeySet (RFC 9052 section 7).
#[utoipa::path(get, path = "/.well-known/scitt-keys", tag = "scitt",
    responses((status = 200, body = Binary, content_type = "application/cbor")))]
pub async fn keys(State(app): State<SharedApp>) -> Response {
    (
        [(header::CONTENT_TYPE, CBOR)],
        Value::Array(vec![network_key(&app)]).encode(),
    )
        .into_response()
}

/// One key by the `kid` in a receipt: base64url without padding, or hexadecimal.
#[utoipa::path(get, path = "/.well-known/scitt-keys/{kid}", tag = "scitt",
    params(("kid" = String, Path, description = "The kid, in base64url or hex")),
    responses((status = 200, body = Binary, content_type = "application/cbor"),
        (status = "4XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "Refused; nothing changed"),
        (status = "5XX", body = Binary, content_type = "application/concise-problem-details+cbor", description = "The node cannot do it now")))]
pub async fn key(State(app): State<SharedApp>, Path(kid): Path<String>) -> Answer<Response> {
    if read_kid(&kid) == Some(app.ledger.genesis().network_key.kid()) {
        return Ok(([(header::CONTENT_TYPE, CBOR)], network_key(&app).encode()).into_response());
    }
    let detail = "No key could be found for this kid value.";
    let hint = "GET /.well-known/scitt-keys lists the keys.";
    let mut problem = Problem::new(StatusCode::NOT_FOUND, "scrapi.no-such-key", detail, hint);
    problem.title = "No such key".to_owned();
    Err(problem)
}

fn read_kid(text: &str) -> Option<KeyId> {
    if let Ok(kid) = text.parse() {
        return Some(kid);
    }
    if text.len() != 43 {
        return None;
    }
    let bytes = base64_decode(&(text.replace('-', "+").replace('_', "/") + "="))?;
    Some(KeyId::from_bytes(bytes.try_into().ok()?))
}

/// A problem document in CBOR (RFC 9290): title -1, detail -2, response code -4.
pub async fn concise_problem(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 10)
        .await
        .unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let detail = [text("detail"), text("hint")].join(" ");
    let title = match text("code") {
        "" => "Error".to_owned(),
        code => format!("{} ({code})", text("title")),
    };
    let mut out = Encoder::new();
    out.map(3).int(-1).text(&title).int(-2).text(detail.trim());
    out.int(-4).uint(u64::from(parts.status.as_u16()));
    let kind = HeaderValue::from_static("application/concise-problem-details+cbor");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, out.into_vec().into())
}
