//! Our side of the checks against other people's libraries: JSON on standard input, JSON on standard output.
//!
//! `foreign_credentials issue | present | verify | status-make | status-read | key`. A refusal is an answer: `{"refusal": {...}}`.
//! Keys are given as `suite` (`Ed25519` or `ES256`) and `seed` (32 bytes in base64url): they are for tests only.

#[path = "shared/rng.rs"]
mod rng;

use std::io::{Read as _, Write as _};

use rng::SystemRng;
use serde_json::{Map, Value, json};
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::Refusal;
use stele_credentials::jose::{PublicKey, Signer};
use stele_credentials::json::{from_base64url, to_base64url};
use stele_credentials::sd_jwt::*;
use stele_credentials::status::{BitOrder, ListExpectation, StatusBits, TokenStatusList, Width};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let command = std::env::args().nth(1).unwrap_or_default();
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    let input: Value = serde_json::from_slice(&text)?;
    let answer = match command.as_str() {
        "key" => Ok(json!({"jwk": signer(&input).public_key().to_jwk()})),
        "issue" => issue_credential(&input),
        "present" => present(&input),
        "verify" => verify_credential(&input),
        "status-make" => make_list(&input),
        "status-read" => read_list(&input),
        other => return Err(format!("there is no command {other:?}").into()),
    };
    let answer = answer.unwrap_or_else(|refusal| json!({"refusal": refusal.to_json()}));
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

fn signer(input: &Value) -> SigningKey {
    let suite = Suite::from_name(text(input, "suite")).expect("a suite");
    let seed = from_base64url(text(input, "seed")).expect("a seed in base64url");
    SigningKey::from_seed(suite, &seed).expect("a seed of 32 bytes")
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is missing"))
}

fn number(input: &Value, name: &str) -> u64 {
    input[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} is missing"))
}

fn paths(value: &Value) -> Result<Vec<ClaimPath>, Refusal> {
    let paths = value.as_array().map(Vec::as_slice).unwrap_or_default();
    paths.iter().map(ClaimPath::from_json).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn issue_credential(input: &Value) -> Result<Value, Refusal> {
    let holder = input.get("holder").map(PublicKey::from_jwk).transpose()?;
    let status = input.get("status").map(|status| StatusReference {
        uri: text(status, "uri").to_owned(),
        index: number(status, "idx"),
    });
    let issuance = Issuance {
        vct: text(input, "vct"),
        issuer: input["issuer"].as_str(),
        key_id: input["key_id"].as_str(),
        issued_at: number(input, "issued_at"),
        not_before: input["not_before"].as_u64(),
        expires_at: input["expires_at"].as_u64(),
        holder: holder.as_ref(),
        status: status.as_ref(),
    };
    let decoys = input["decoys"].as_u64().unwrap_or_default() as usize;
    let frame = Frame::new(&paths(&input["hidden"])?).with_decoys(decoys);
    let credential = issuance.issue(
        object(&input["claims"]),
        &frame,
        &signer(input),
        &mut SystemRng,
    )?;
    Ok(json!({"credential": credential}))
}

fn present(input: &Value) -> Result<Value, Refusal> {
    let held = Held::parse(text(input, "credential"))?;
    let paths = paths(&input["paths"])?;
    let presentation = if input.get("nonce").is_some() {
        let binding = Binding {
            audience: text(input, "audience"),
            nonce: text(input, "nonce"),
            issued_at: number(input, "issued_at"),
        };
        held.present(&paths, Some((binding, &signer(input))))?
    } else {
        held.present(&paths, None)?
    };
    let fields = held.fields().into_iter();
    let fields: Vec<Value> = fields
        .map(|field| json!({"path": field.path.to_json(), "value": field.value}))
        .collect();
    Ok(json!({"presentation": presentation, "fields": fields}))
}

fn verify_credential(input: &Value) -> Result<Value, Refusal> {
    let vcts: Vec<&str> = input["vcts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let required = paths(&input["required"])?;
    let binding = input.get("binding").map(|binding| BindingExpectation {
        audience: text(binding, "audience"),
        nonce: text(binding, "nonce"),
        age_seconds_max: number(binding, "age_seconds_max"),
    });
    let mut expectation = Expectation {
        vcts: &vcts,
        issuer: input["issuer"].as_str(),
        required: &required,
        binding,
        ..Expectation::at(number(input, "now"))
    };
    if input["any_type"] == true {
        expectation.types = &[];
    }
    let key = PublicKey::from_jwk(&input["issuer_key"])?;
    let verified = verify(text(input, "text"), &key, &expectation)?;
    Ok(json!({
        "claims": verified.claims,
        "holder": verified.holder.map(|key| key.to_jwk()),
        "status": verified.status.map(|status| json!({"uri": status.uri, "idx": status.index})),
        "bound": verified.is_bound,
    }))
}

fn make_list(input: &Value) -> Result<Value, Refusal> {
    let values: Vec<u8> = input["values"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|value| u8::try_from(value.as_u64().unwrap_or_default()).expect("a value of one byte"))
        .collect();
    let mut entries = StatusBits::new(
        Width::from_bits(number(input, "bits"))?,
        BitOrder::LowFirst,
        values.len(),
    );
    for (index, value) in values.iter().enumerate() {
        entries.set(index as u64, *value)?;
    }
    let list = TokenStatusList::new(
        text(input, "uri"),
        number(input, "issued_at"),
        input["expires_at"].as_u64(),
        input["ttl"].as_u64(),
        &entries,
    );
    let (key, key_id) = (signer(input), input["key_id"].as_str());
    Ok(json!({
        "jwt": list.to_jwt(key_id, &key)?,
        "cwt": to_base64url(list.to_cwt(key_id.map(str::as_bytes), &key)?),
        "status_list": list.to_json(),
    }))
}

fn read_list(input: &Value) -> Result<Value, Refusal> {
    let expectation = ListExpectation {
        uri: text(input, "uri"),
        now: number(input, "now"),
        skew_seconds: 60,
    };
    let key = PublicKey::from_jwk(&input["key"])?;
    let list = match input["jwt"].as_str() {
        Some(jwt) => TokenStatusList::verify_jwt(jwt, &key, &expectation)?,
        None => {
            TokenStatusList::verify_cwt(&from_base64url(text(input, "cwt"))?, &key, &expectation)?
        }
    };
    let entries = list.entries()?;
    let values =
        (0..entries.entries()).map(|index| list.status(index).map(|status| status.value()));
    Ok(json!({"values": values.collect::<Result<Vec<u8>, Refusal>>()?}))
}
