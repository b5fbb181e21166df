//! Commands that the node signs with a key it holds, for consoles and programs without keys of their own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stele_core::entry::{COMMANDS_MAX, EntryBuilder};
use stele_core::id::{EntryId, PartyId, RegisterName, TimeMs};
use stele_registers::{JsonError, json_to_body};
use utoipa::ToSchema;

use super::entries::SubmitAnswer;
use super::keys::{Body, KeyView, key_view, suite, with_keystore};
use crate::app::{SharedApp, Submitted};
use crate::auth::{Action, KeyInfo, Known, Resource};
use crate::problem::{Answer, Problem};

/// How long an entry that the node signs may wait for its block, in milliseconds.
const WINDOW_MS: u64 = 5 * 60_000;
/// How far the window begins before now: another node's clock may be behind.
const BEFORE_MS: u64 = 5_000;

/// A command to sign.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// The register it goes to, when it is another than the entry's.
    pub register: Option<String>,
    /// Its name in that register.
    pub name: String,
    /// Its fields, as GET /v1/registers describes them.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// Commands for one entry.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandsRequest {
    /// The name of the key that signs.
    pub key: String,
    /// Names of keys that countersign, for steps that need both sides.
    #[serde(default)]
    pub cosigners: Vec<String>,
    /// The entry's register.
    pub register: String,
    /// 1 to 4096 commands; all apply, or none.
    pub commands: Vec<CommandRequest>,
    /// `final` (the default) waits for the final block, `admitted` does not.
    pub wait: Option<String>,
}

/// A party to be registered with a new key.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParty {
    /// What it calls itself; never for a person.
    pub name: Option<String>,
    /// `organisation`, `person` or `authority`, as GET /v1/registers/identity lists.
    pub kind: String,
    /// The name of its key here; default is made from the party's name.
    pub key: Option<String>,
    /// The key's suite; default is `Ed25519`.
    pub suite: Option<String>,
}

/// A registered party.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartyAnswer {
    /// Its DID.
    pub party: String,
    /// Its key in the node.
    pub key: KeyView,
    /// The entry that registered it.
    pub entry: SubmitAnswer,
}

/// Signs commands with a key that the node holds, and submits them as one entry.
#[utoipa::path(post, path = "/v1/commands", tag = "keys", request_body = CommandsRequest,
    responses((status = 200, body = SubmitAnswer), (status = 202, body = SubmitAnswer), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn submit(
    State(app): State<SharedApp>,
    caller: Known,
    body: Body<CommandsRequest>,
) -> Answer<Response> {
    let request = body.0;
    let wait_final = match request.wait.as_deref() {
        None | Some("final") => true,
        Some("admitted") => false,
        Some(_) => return Err(Problem::bad_parameter("wait", "`final` or `admitted`")),
    };
    let may = |resource| app.gate.permit(&caller, Action::SignWithNodeKey, resource);
    for key in core::iter::once(&request.key).chain(&request.cosigners) {
        may(Resource::Key(key))?;
    }
    may(Resource::Register(&request.register))?;
    for register in request
        .commands
        .iter()
        .filter_map(|command| command.register.as_deref())
    {
        may(Resource::Register(register))?;
    }
    answer(sign_and_submit(&app, request, wait_final).await?)
}

fn accepted(id: EntryId) -> SubmitAnswer {
    let (log_index, height, time_ms, outcome) = (None, None, None, None);
    SubmitAnswer {
        entry_id: id.to_string(),
        status: "accepted",
        log_index,
        height,
        time_ms,
        outcome,
    }
}

fn answer(submitted: Submitted) -> Answer<Response> {
    Ok(match submitted {
        Submitted::Admitted(id) => (StatusCode::ACCEPTED, Json(accepted(id))).into_response(),
        Submitted::Final(done) => Json(SubmitAnswer::final_entry(&done)).into_response(),
    })
}

/// Makes a key in the node and registers a new party with it.
#[utoipa::path(post, path = "/v1/parties", tag = "keys", request_body = NewParty,
    responses((status = 201, body = PartyAnswer), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn register_party(
    State(app): State<SharedApp>,
    body: Body<NewParty>,
) -> Answer<Response> {
    let NewParty {
        name,
        kind,
        key,
        suite: suite_name,
    } = body.0;
    let suite = suite(suite_name.as_deref())?;
    let key_name = match key {
        Some(key) => key,
        None => key_name_for(name.as_deref().unwrap_or(&kind)),
    };
    let made = key_name.clone();
    let public = with_keystore(&app, move |keys| keys.generate(&made, suite)).await?;
    let party = PartyId::of_first_key(&public.kid());
    let mut body = json!({ "kind": kind, "keys": [hex::encode(public.to_cose_key())] });
    if let Some(name) = &name {
        body["name"] = json!(name);
    }
    let command = CommandRequest {
        register: None,
        name: "party.register".to_owned(),
        body,
    };
    let request = CommandsRequest {
        key: key_name.clone(),
        cosigners: Vec::new(),
        register: stele_registers::identity::NAME.to_owned(),
        commands: vec![command],
        wait: None,
    };
    let done = match sign_and_submit(&app, request, true).await {
        Ok(Submitted::Final(done)) => done,
        Ok(Submitted::Admitted(_)) => unreachable!("asked to wait until it is final"),
        // The entry may still become final; then its party needs the key.
        Err(problem) if problem.code == "node.unknown-outcome" => return Err(problem),
        Err(problem) => {
            with_keystore(&app, move |keys| keys.remove(&key_name)).await?;
            return Err(problem);
        }
    };
    if let Some(refusal) = done.refusal {
        // Nothing will ever be signed with the key of a party that is none.
        with_keystore(&app, move |keys| keys.remove(&key_name)).await?;
        return Err(refusal.into());
    }
    let key = key_view(
        &app,
        &KeyInfo {
            name: key_name,
            public,
        },
    )?;
    let entry = SubmitAnswer::final_entry(&done);
    let answer = PartyAnswer {
        party: party.did(),
        key,
        entry,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Encodes, signs and submits. Callers have judged whether the keys may be used.
pub(crate) async fn sign_and_submit(
    app: &SharedApp,
    request: CommandsRequest,
    wait_final: bool,
) -> Answer<Submitted> {
    let bad_register = |name: &str| {
        let detail = format!("The field `register` holds `{name}`, which is no register here.");
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad-body",
            detail,
            "GET /v1/registers lists them.",
        )
    };
    let register =
        RegisterName::new(&request.register).map_err(|_| bad_register(&request.register))?;
    if !(1..=COMMANDS_MAX).contains(&request.commands.len()) {
        return Err(Problem::bad_parameter("commands", "1 to 4096 commands"));
    }
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("the system gives random bytes");
    let now = stele_ledger::ledger::system_time()
        .get()
        .max(app.ledger.head().time().get());
    let (from, to) = (TimeMs::new(now - BEFORE_MS), TimeMs::new(now + WINDOW_MS));
    let network = app.ledger.genesis().network_id();
    let mut builder = EntryBuilder::new(network, register, from, to, &nonce);
    for (index, command) in request.commands.iter().enumerate() {
        let target = command.register.as_deref().unwrap_or(&request.register);
        if app.registry.latest(target).is_none() {
            return Err(bad_register(target));
        }
        let Some(spec) = app.registry.command(target, &command.name) else {
            let detail = format!(
                "commands[{index}].name: the register `{target}` has no command `{}`.",
                command.name
            );
            let hint = format!("GET /v1/registers/{target} lists its commands.");
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-body",
                detail,
                hint,
            ));
        };
        let body = json_to_body(spec.fields, &command.body)
            .map_err(|error| bad_field(index, target, &command.name, &error))?;
        let qualified = format!("{target}/{}", command.name);
        let name = if target == request.register {
            &command.name
        } else {
            &qualified
        };
        builder = builder.command(name, body);
    }
    let (key, cosigners) = (request.key, request.cosigners);
    let keys = with_keystore(app, move |keys| {
        let signer = keys.signer(&key)?;
        let cosigners = cosigners
            .iter()
            .map(|name| keys.signer(name))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((signer, cosigners))
    });
    let (signer, cosigners) = keys.await?;
    let cosigners: Vec<_> = cosigners.iter().map(|key| &**key).collect();
    let entry = builder
        .sign_with_cosigners(&signer, &cosigners)
        .map_err(|error| {
            let hint = "Split the commands over several entries, or name each cosigner once.";
            Problem::new(
                StatusCode::BAD_REQUEST,
                error.code(),
                format!("{error}."),
                hint,
            )
        })?;
    Ok(app.submit(entry.into_bytes(), wait_final).await?)
}

fn bad_field(index: usize, register: &str, command: &str, error: &JsonError) -> Problem {
    let place = match error {
        JsonError::Missing(field) | JsonError::Unknown(field) | JsonError::Wrong { field, .. } => {
            format!("commands[{index}].body.{field}")
        }
        _ => format!("commands[{index}].body"),
    };
    let detail = format!("{place}: {error}.");
    let hint = format!("GET /v1/registers/{register} describes the fields of {command}.");
    Problem::new(StatusCode::BAD_REQUEST, "bad-body", detail, hint)
}

/// A key's name made from a party's: what fits of it, and a few random digits so that no two are alike.
fn key_name_for(name: &str) -> String {
    let mut key = String::new();
    for letter in name.chars().take(40) {
        match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => key.push(letter),
            _ if !key.is_empty() && !key.ends_with('-') => key.push('-'),
            _ => {}
        }
    }
    let mut random = [0; 4];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    let key = key.trim_end_matches('-');
    let key = if key.is_empty() { "party" } else { key };
    format!("{key}-{}", hex::encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_made_from_party_names() {
        for (name, start) in [
            ("Olive Grove Co-op", "olive-grove-co-op-"),
            ("  --  ", "party-"),
            ("Ümläut & Söhne", "ml-ut-s-hne-"),
            ("日本", "party-"),
            (&"x".repeat(500), "xxxx"),
        ] {
            let key = key_name_for(name);
            assert!(key.starts_with(start), "{key}");
            assert!(key.len() <= crate::auth::keystore::KEY_NAME_BYTES_MAX);
            assert_ne!(key, key_name_for(name));
        }
    }
}
