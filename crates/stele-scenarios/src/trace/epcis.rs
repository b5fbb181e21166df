//! The node's EPCIS 2.0 interface, as any program of the standard would use it; and what opens a commitment.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use stele_client::{Client, ClientError};
use stele_core::id::EntryId;
use stele_epcis::canonical::SALT_BYTES;

use crate::ScenarioError;

/// How long a capture job may run.
const JOB_MAX: Duration = Duration::from_secs(120);
const POLL_PAUSE: Duration = Duration::from_millis(10);
/// Pages of a query that are read.
const PAGES_MAX: usize = 1000;

pub(super) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

/// Captures a document and waits for its job's end. The inner error is the standard's: what the job or the interface found.
pub(super) fn capture(
    client: &Client,
    document: &Json,
) -> Result<Result<(), String>, ScenarioError> {
    let body = serde_json::to_vec(document).expect("a document is plain data");
    let headers = [
        ("content-type", "application/json"),
        ("GS1-Capture-Error-Behaviour", "rollback"),
    ];
    let answer = match client.exchange("POST", "/epcis/capture", &headers, body) {
        Ok(answer) => answer,
        Err(ClientError::Refused(problem)) if problem.status < 500 => {
            return Ok(Err(problem.detail));
        }
        Err(error) => return Err(ScenarioError::client("capturing a document")(error)),
    };
    let location = answer.header("location").unwrap_or_default();
    let id = location
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let path = format!("/epcis/capture/{id}");
    let begin = Instant::now();
    loop {
        let job = client
            .get_json(&path)
            .map_err(ScenarioError::client("reading a capture job"))?;
        if job["running"] == false {
            return Ok(match job["success"] == true {
                true => Ok(()),
                false => Err(errors(&job)),
            });
        }
        if begin.elapsed() > JOB_MAX {
            return Err(ScenarioError::broken(
                "the capture job to end",
                format!("it runs since {JOB_MAX:?}"),
            ));
        }
        std::thread::sleep(POLL_PAUSE);
    }
}

/// Captures a single event.
pub(super) fn capture_event(
    client: &Client,
    event: &Json,
) -> Result<Result<(), String>, ScenarioError> {
    let body = serde_json::to_vec(event).expect("an event is plain data");
    match client.exchange(
        "POST",
        "/epcis/events",
        &[("content-type", "application/json")],
        body,
    ) {
        Ok(_) => Ok(Ok(())),
        Err(ClientError::Refused(problem)) if problem.status < 500 => Ok(Err(problem.detail)),
        Err(error) => Err(ScenarioError::client("capturing an event")(error)),
    }
}

fn errors(job: &Json) -> String {
    let errors = job["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let words: Vec<&str> = errors
        .iter()
        .filter_map(|error| error["detail"].as_str())
        .collect();
    if words.is_empty() {
        "the job failed without a word".to_owned()
    } else {
        words.join("; ")
    }
}

/// The events that name an EPC anywhere, oldest first.
pub(super) fn events_of(client: &Client, epc: &str) -> Result<Vec<Json>, ScenarioError> {
    events(
        client,
        &format!(
            "MATCH_anyEPC={}&orderBy=eventTime&orderDirection=ASC",
            encode(epc)
        ),
    )
}

/// The events that a query finds, over all its pages.
pub(super) fn events(client: &Client, query: &str) -> Result<Vec<Json>, ScenarioError> {
    let mut events = Vec::new();
    let mut path = format!("/epcis/events?{query}");
    for _ in 0..PAGES_MAX {
        let answer = client
            .exchange("GET", &path, &[("accept", "application/json")], Vec::new())
            .map_err(ScenarioError::client("querying events"))?;
        let document: Json = serde_json::from_slice(&answer.body)
            .map_err(|error| ScenarioError::broken("an EPCIS query document", error.to_string()))?;
        let list = &document["epcisBody"]["queryResults"]["resultsBody"]["eventList"];
        events.extend(list.as_array().cloned().unwrap_or_default());
        match answer.header("link").and_then(next_page) {
            Some(token) => path = format!("/epcis/events?{query}&nextPageToken={token}"),
            None => return Ok(events),
        }
    }
    Err(ScenarioError::broken(
        "the query to end",
        format!("more than {PAGES_MAX} pages"),
    ))
}

/// The token in a `Link` header with `rel="next"` (EPCIS 2.0 section 12.6).
fn next_page(link: &str) -> Option<String> {
    let next = link
        .split(',')
        .find(|part| part.contains("rel=\"next\"") || part.contains("rel=next"))?;
    let address = next.split_once('<')?.1.split_once('>')?.0;
    let token = address.split_once("nextPageToken=")?.1;
    Some(token.split('&').next().unwrap_or(token).to_owned())
}

/// What opens a commitment: the owner shows it together with the entry's receipt.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    /// The canonical event.
    pub event: Json,
    pub salt: [u8; SALT_BYTES],
    pub entry: EntryId,
}

/// The openings of an event id: the event and, behind it, its error declaration.
pub(super) fn openings(client: &Client, event_id: &str) -> Result<Vec<Opening>, ScenarioError> {
    let path = format!("/v1/epcis/events/{}/evidence", encode(event_id));
    let answer = client
        .get_json(&path)
        .map_err(ScenarioError::client("reading what opens a commitment"))?;
    let list = answer
        .as_array()
        .or_else(|| answer["items"].as_array())
        .cloned()
        .unwrap_or_default();
    let read = |item: &Json| {
        let mut salt = [0; SALT_BYTES];
        hex::decode_to_slice(item["salt"].as_str()?, &mut salt).ok()?;
        let entry = item["entry_id"].as_str()?.parse().ok()?;
        Some(Opening {
            event: item["event"].clone(),
            salt,
            entry,
        })
    };
    let openings: Option<Vec<Opening>> = list.iter().map(read).collect();
    openings.filter(|list| !list.is_empty()).ok_or_else(|| {
        let found: String = answer.to_string().chars().take(200).collect();
        ScenarioError::broken(format!("event, salt and entry of {event_id}"), found)
    })
}

/// Whether the repository has an event with this id.
pub(super) fn is_known(client: &Client, event_id: &str) -> Result<bool, ScenarioError> {
    match client.get_json(&format!("/epcis/events/{}", encode(event_id))) {
        Ok(_) => Ok(true),
        Err(ClientError::Refused(problem)) if problem.status == 404 => Ok(false),
        Err(error) => Err(ScenarioError::client("reading an event")(error)),
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        let link = "<events?perPage=30&nextPageToken=0aff>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("0aff"));
        assert_eq!(next_page("</openapi.json>; rel=\"describedby\""), None);
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(
            encode("urn:epc:id:sgtin:1.2.a|b"),
            "urn%3Aepc%3Aid%3Asgtin%3A1.2.a%7Cb"
        );
    }
}
