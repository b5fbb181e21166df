//! Any request below the interface's address, routed.

use super::answer::Response;
use super::resources::Collection;
use super::{EpcisService, QUERY_STRING_BYTES_MAX, VERSION};
use crate::problem::{Exception, Problem};
use crate::query::Parameters;
use crate::store::Behaviour;

/// The methods of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET; HEAD is a GET whose body the server leaves out.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path's segments behind the interface's address, percent-decoded: `["epcs", "urn:epc:…", "events"]`.
    pub path: Vec<String>,
    /// The query string's pairs, decoded.
    pub query: Vec<(String, String)>,
    /// The headers, names in any case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: &'a [u8],
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

const TOP_LEVEL: [&str; 9] = [
    "queries",
    "capture",
    "events",
    "eventTypes",
    "epcs",
    "readPoints",
    "bizLocations",
    "dispositions",
    "bizSteps",
];

impl EpcisService {
    /// Answers any request below the interface's address. A problem is an answer too.
    pub fn handle(&self, request: &Request<'_>) -> Response {
        self.route(request).unwrap_or_else(Response::from)
    }

    fn route(&self, request: &Request<'_>) -> Result<Response, Problem> {
        check_headers(request)?;
        let length: usize = request
            .query
            .iter()
            .map(|(n, v)| n.len() + v.len() + 2)
            .sum();
        if length > QUERY_STRING_BYTES_MAX {
            return Err(Problem::new(
                Exception::UriTooLong,
                format!("a query string has at most {QUERY_STRING_BYTES_MAX} bytes"),
            )
            .hint("name the query with POST /queries and get its events"));
        }
        let pairs = request.query.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let parameters = Parameters::from_pairs(pairs)?;
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let path = path.strip_suffix(&[""]).unwrap_or(&path);
        let allowed = allowed(path)
            .ok_or_else(|| Problem::new(Exception::NoSuchName, "there is no such resource"))?;
        if request.method == Method::Options {
            return Ok(self.options(allowed, path == ["capture"]));
        }
        use Method::{Delete, Get, Post};
        match (request.method, path) {
            (Get, []) => Ok(Collection::answer(TOP_LEVEL.map(str::to_owned).into())),
            (Post, ["capture"]) => {
                check_body(request)?;
                let behaviour = match request.header("GS1-Capture-Error-Behaviour") {
                    None => Behaviour::default(),
                    Some(text) => Behaviour::parse(text).ok_or_else(|| {
                        Problem::new(
                            Exception::Validation,
                            "GS1-Capture-Error-Behaviour is rollback or proceed",
                        )
                    })?,
                };
                self.capture(request.body, behaviour)
            }
            (Get, ["capture"]) => self.capture_jobs(&parameters),
            (Get, ["capture", id]) => self.capture_job(id),
            (Get, ["events"]) => self.query("SimpleEventQuery", &parameters),
            (Post, ["events"]) => {
                check_body(request)?;
                self.capture_event(request.body)
            }
            (Get, ["events", id]) => self.event(id),
            (Get, ["queries"]) => self.queries(&parameters),
            (Post, ["queries"]) => {
                check_body(request)?;
                self.create_query(request.body)
            }
            (Get, ["queries", name]) => self.named_query(name),
            (Delete, ["queries", name]) => self.delete_query(name),
            (Get, ["queries", name, "events"]) => self.run_named_query(name, &parameters),
            (_, ["queries", _, "subscriptions", ..]) => Err(not_implemented("query subscriptions")),
            (Delete, ["nextPageToken", _]) => Err(not_implemented(
                "taking back page tokens: they hold nothing here, and",
            )),
            (Get, [name, rest @ ..]) => {
                let missing = || Problem::new(Exception::NoSuchName, "there is no such resource");
                let collection = Collection::of(name).ok_or_else(missing)?;
                match rest {
                    [] => self.collection(collection, &parameters),
                    [value] => self.collection_member(collection, value),
                    [value, "events"] => self.collection_events(collection, value, &parameters),
                    _ => Err(missing()),
                }
            }
            _ => Err(Problem::new(
                Exception::MethodNotAllowed,
                format!("this resource takes {allowed}"),
            )),
        }
    }

    /// `OPTIONS`: what is served.
    fn options(&self, allowed: &str, capture: bool) -> Response {
        let mut response = Response::empty(204).header("Allow", allowed.to_owned());
        for name in [
            "GS1-EPCIS-Min",
            "GS1-EPCIS-Max",
            "GS1-CBV-Min",
            "GS1-CBV-Max",
        ] {
            response = response.header(name, VERSION.to_owned());
        }
        response = response.header("GS1-EPC-Format", "Never_Translates".to_owned());
        if capture {
            response = response
                .header(
                    "GS1-EPCIS-Capture-Limit",
                    self.limits.events_max.to_string(),
                )
                .header(
                    "GS1-EPCIS-Capture-File-Size-Limit",
                    self.limits.bytes_max.to_string(),
                )
                .header(
                    "GS1-Capture-Error-Behaviour",
                    "rollback, proceed".to_owned(),
                );
        }
        response
    }
}

fn not_implemented(what: &str) -> Problem {
    Problem::new(
        Exception::NotImplemented,
        format!("{what} are not served here"),
    )
}

/// The methods of a resource; nothing when there is no such resource.
fn allowed(path: &[&str]) -> Option<&'static str> {
    Some(match path {
        ["capture" | "events" | "queries"] | ["queries", _, "subscriptions"] => {
            "OPTIONS, GET, POST"
        }
        ["queries", _] | ["queries", _, "subscriptions", _] => "OPTIONS, GET, DELETE",
        ["nextPageToken", _] => "DELETE",
        [] | ["capture" | "events", _] | ["queries", _, "events"] => "OPTIONS, GET",
        [name] | [name, _] | [name, _, "events"] if Collection::of(name).is_some() => {
            "OPTIONS, GET"
        }
        _ => return None,
    })
}

/// Versions and forms that the client asks for must be ours.
fn check_headers(request: &Request<'_>) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(Exception::NotAcceptable, detail));
    let version = |text: &str| -> Option<(u32, u32, u32)> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let mut next = || parts.next().unwrap_or(Some(0));
        Some((next()?, next()?, next()?))
    };
    for (name, bound) in [
        ("GS1-EPCIS-Min", 1),
        ("GS1-CBV-Min", 1),
        ("GS1-EPCIS-Max", -1),
        ("GS1-CBV-Max", -1),
    ] {
        if let Some(asked) = request.header(name) {
            match (version(asked), bound) {
                (Some(least), 1) if least <= (2, 0, 0) => {}
                (Some(most), -1) if most >= (2, 0, 0) => {}
                _ => return refuse("EPCIS 2.0 and CBV 2.0 are served"),
            }
        }
    }
    match request.header("GS1-EPC-Format") {
        None | Some("No_Preference" | "Never_Translates") => {}
        Some(_) => return refuse("EPCs are answered as they were captured"),
    }
    match request.header("Accept") {
        None | Some("") => Ok(()),
        Some(accept) => {
            let taken = accept.split(',').any(|range| {
                let media = range.split(';').next().unwrap_or_default().trim();
                matches!(
                    media,
                    "*/*"
                        | "application/*"
                        | "application/json"
                        | "application/ld+json"
                        | "application/problem+json"
                )
            });
            if taken {
                Ok(())
            } else {
                refuse("answers are application/json")
            }
        }
    }
}

fn check_body(request: &Request<'_>) -> Result<(), Problem> {
    let media = request.header("Content-Type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !(media.eq_ignore_ascii_case("application/json")
        || media.eq_ignore_ascii_case("application/ld+json"))
    {
        return Err(Problem::new(
            Exception::UnsupportedMediaType,
            "the body is application/json or application/ld+json",
        )
        .hint("EPCIS 1.2 XML is not taken; translate it first"));
    }
    for name in ["GS1-EPCIS-Version", "GS1-CBV-Version"] {
        if let Some(version) = request.header(name)
            && !(version == "2" || version.starts_with("2.0"))
        {
            return Err(Problem::new(
                Exception::Validation,
                format!("{name} is 2.0.0 here, not {version}"),
            ));
        }
    }
    Ok(())
}
