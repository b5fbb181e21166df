//! A site with passkeys for other people's software: calls as lines of JSON on standard input, answers on standard output.
//!
//! The first line is `{"rp_id", "origins"}`. Then each line is `{"call", ...}` with the arguments of the service's function of
//! that name; `later` moves the clock of this one call on by seconds. A refusal is an answer too: `{"refusal": {"code", ...}}`.

use std::io::{BufRead as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stele_passkeys::{Credentials, EnrolmentCode, EnrolmentCodes, Passkeys, Refusal, Settings};
use stele_passkeys::{SignedIn, Started};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().lines();
    let first: Value = serde_json::from_str(&lines.next().ok_or("no settings")??)?;
    let origins = first["origins"].as_array().ok_or("no origins")?;
    let origins: Vec<&str> = origins.iter().filter_map(Value::as_str).collect();
    let rp_id = first["rp_id"].as_str().ok_or("no rp_id")?;
    let settings = Settings::new(rp_id, "Fictional University", &origins);
    let mut service = Passkeys::new(settings, Credentials::new(), EnrolmentCodes::new())?;
    for line in lines {
        let call: Value = serde_json::from_str(&line?)?;
        let answer = match answer(&mut service, &call)? {
            Ok(answer) => answer,
            Err(refusal) => json!({"refusal": refusal.to_json()}),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// What the service says to one call. An error is a mistake of the caller's program.
fn answer(service: &mut Passkeys, call: &Value) -> Result<Result<Value, Refusal>, Failure> {
    let later = call["later"].as_u64().unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + later;
    let text = |name: &str| call[name].as_str().unwrap_or_default();
    let given = call["answer"].to_string();
    let started =
        |started: Started| json!({"ceremony": started.ceremony, "options": started.options});
    Ok(match text("call") {
        "invite" => {
            let mut random = [0; EnrolmentCode::BYTES];
            getrandom::fill(&mut random)?;
            service
                .invite(text("subject"), text("display_name"), random, now)
                .map(|code| json!({"code": code.text()}))
        }
        "start_enrolment" => service.start_enrolment(text("code"), now).map(started),
        "start_registration" => service
            .start_registration(text("subject"), text("display_name"), now)
            .map(started),
        "finish_registration" => service
            .finish_registration(text("ceremony"), given.as_bytes(), now)
            .map(|record| json!({"id": record.id, "subject": record.subject})),
        "start_authentication" => service
            .start_authentication(call["subject"].as_str(), now)
            .map(started),
        "finish_authentication" => service
            .finish_authentication(text("ceremony"), given.as_bytes(), now)
            .map(|signed_in: SignedIn| json!({"subject": signed_in.subject, "credential": signed_in.credential})),
        other => return Err(format!("no call {other:?}").into()),
    })
}
