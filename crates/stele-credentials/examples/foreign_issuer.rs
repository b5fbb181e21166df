//! An OpenID4VCI issuer for other people's wallets: requests as lines of JSON on standard input, answers on standard output.
//!
//! The first line is `{"identifier": "http://..."}`. Then `{"path", "query", "body", "bearer"}` is one request of HTTP, and
//! `{"offer": ["diploma"], "tx_code": "493536"}` asks for an offer. The person at the authorisation endpoint always agrees.

#[path = "shared/rng.rs"]
mod rng;

use std::io::{BufRead as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use rng::SystemRng;
use serde_json::{Map, Value, json};
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::Refusal;
use stele_credentials::openid::issuer::*;
use stele_credentials::openid::{Answer, Body, Form, MemoryStore};
use stele_credentials::sd_jwt::{ClaimPath, Frame, Issuance};

/// Issues a fictional diploma; a transcript is ready when it is asked for the second time.
struct Registrar {
    identifier: String,
    key: SigningKey,
    transcript_is_ready: bool,
}

impl CredentialSource for Registrar {
    fn issue(&mut self, request: &CredentialRequest<'_>) -> Result<Issued, Refusal> {
        if request.configuration.id == "transcript" && !self.transcript_is_ready {
            self.transcript_is_ready = true;
            return Ok(Issued::Later(1));
        }
        let issuance = Issuance {
            vct: request.configuration.vct.as_deref().unwrap_or_default(),
            issuer: Some(&self.identifier),
            key_id: None,
            issued_at: request.now,
            not_before: None,
            expires_at: Some(request.now + 3600),
            holder: Some(request.holder),
            status: None,
        };
        let mut claims = Map::new();
        claims.insert(
            "given_name".to_owned(),
            format!("Fictional {}", request.subject).into(),
        );
        let frame = Frame::of_names(&["given_name"]);
        let text = issuance.issue(claims, &frame, &self.key, &mut SystemRng)?;
        Ok(Issued::Ready(text.into()))
    }
}

fn configuration(id: &str, identifier: &str) -> CredentialConfiguration {
    CredentialConfiguration {
        id: id.to_owned(),
        format: "dc+sd-jwt".to_owned(),
        vct: Some(format!("{identifier}/{id}")),
        types: Vec::new(),
        scope: Some(id.to_owned()),
        signing_algorithms: vec!["EdDSA".to_owned()],
        display_name: format!("Fictional {id}"),
        claims: vec![DisplayedClaim {
            path: ClaimPath::name("given_name"),
            display_name: "Given name".to_owned(),
        }],
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = std::io::stdin().lock().lines();
    let first: Value = serde_json::from_str(&lines.next().ok_or("no settings")??)?;
    let identifier = first["identifier"]
        .as_str()
        .ok_or("no identifier")?
        .to_owned();
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let issuer = Issuer {
        display_name: "Fictional University".to_owned(),
        configurations: vec![
            configuration("diploma", &identifier),
            configuration("transcript", &identifier),
        ],
        clients: vec![Client {
            id: "wallet".to_owned(),
            redirect_uris: vec!["https://wallet.example/callback".to_owned()],
        }],
        batch_max: 5,
        lifetimes: Lifetimes::default(),
        skew_seconds: 60,
        nonce_secret: NonceSecret(secret.into()),
        identifier: identifier.clone(),
    };
    let mut registrar = Registrar {
        identifier,
        key: SigningKey::from_seed(Suite::Ed25519, &[1; 32])?,
        transcript_is_ready: false,
    };
    let mut store = MemoryStore::new(1000);
    for line in lines {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match request["offer"].as_array() {
            Some(configurations) => offer(
                &issuer,
                configurations,
                request["tx_code"].as_str(),
                &mut store,
            ),
            None => serve(&issuer, &request, &mut registrar, &mut store),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

fn offer(
    issuer: &Issuer,
    configurations: &[Value],
    tx_code: Option<&str>,
    store: &mut MemoryStore,
) -> Value {
    let configurations: Vec<&str> = configurations.iter().filter_map(Value::as_str).collect();
    let tx_code = tx_code.map(|code| TxCode {
        code: code.to_owned(),
        description: "In the letter".to_owned(),
    });
    match tx_code {
        // Without a code the offer is open, and the person authenticates.
        None => issuer
            .open_offer(&configurations)
            .map(|(_, link)| json!({"link": link})),
        Some(tx_code) => issuer
            .offer(
                "Ada",
                &configurations,
                Some(&tx_code),
                store,
                &mut SystemRng,
                now(),
            )
            .map(|offer| json!({"link": offer.link})),
    }
    .unwrap_or_else(|fault| json!({"error": fault.error}))
}

fn serve(
    issuer: &Issuer,
    request: &Value,
    registrar: &mut Registrar,
    store: &mut MemoryStore,
) -> Value {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let (now, rng) = (now(), &mut SystemRng);
    let form = || Form::parse(text("body")).unwrap_or_default();
    let body = || serde_json::from_str::<Value>(text("body")).unwrap_or_default();
    let answer = match text("path") {
        "openid-credential-issuer" => Answer::json(200, issuer.metadata()),
        "oauth-authorization-server" => Answer::json(200, issuer.authorization_server_metadata()),
        "par" => issuer.push(&form(), store, rng, now),
        "authorize" => {
            let query = Form::parse(text("query")).unwrap_or_default();
            match issuer.authorize(&query, store, rng, now) {
                Ok((handle, _)) => issuer.grant(&handle, "Ada", store, rng, now),
                Err(answer) => answer,
            }
        }
        "token" => issuer.token(&form(), store, rng, now),
        "nonce" => issuer.nonce(rng, now),
        "credential" => issuer.credential(text("bearer"), &body(), registrar, store, rng, now),
        "deferred" => issuer.deferred(text("bearer"), &body(), registrar, store, rng, now),
        "notification" => {
            issuer.notification(text("bearer"), &body(), store, now, &mut |_, _, _| {})
        }
        _ => Answer::empty(404),
    };
    let mut headers: Map<String, Value> = answer
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let body = match answer.body {
        Body::Json(body) => {
            headers.insert("content-type".to_owned(), "application/json".into());
            body.to_string()
        }
        Body::Text(content_type, text) => {
            headers.insert("content-type".to_owned(), content_type.into());
            text
        }
        Body::Empty => String::new(),
    };
    json!({"status": answer.status, "headers": headers, "body": body})
}
