//! What an endpoint answers, free of any HTTP library.

use serde_json::{Value, json};

use crate::refusal::Refusal;

/// An answer of HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// More headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// A body with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// `application/json`.
    Json(Value),
    /// Text of the named type, such as `application/oauth-authz-req+jwt`.
    Text(&'static str, String),
    /// Nothing.
    Empty,
}

impl Answer {
    /// JSON that no cache keeps, as tokens and credentials ask for (RFC 6749 section 5.1).
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: vec![("cache-control", "no-store".to_owned())],
            body: Body::Json(body),
        }
    }

    /// Text of a type that no cache keeps.
    pub fn text(content_type: &'static str, text: String) -> Self {
        Self {
            status: 200,
            headers: vec![("cache-control", "no-store".to_owned())],
            body: Body::Text(content_type, text),
        }
    }

    /// An answer without body.
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// Sends the browser to another address.
    pub fn redirect(location: String) -> Self {
        Self {
            status: 302,
            headers: vec![("location", location)],
            body: Body::Empty,
        }
    }

    /// The body, if it is JSON.
    pub const fn as_json(&self) -> Option<&Value> {
        match &self.body {
            Body::Json(body) => Some(body),
            Body::Text(..) | Body::Empty => None,
        }
    }
}

/// An error of OAuth 2.0 and the OpenID specifications: a name that they define, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The status code.
    pub status: u16,
    /// The name, such as `invalid_grant`.
    pub error: &'static str,
    /// What is wrong, for people.
    pub description: String,
}

impl Fault {
    /// An error with status 400.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: 400,
            error,
            description: description.into(),
        }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// An error that a refusal amounts to.
    pub fn from_refusal(error: &'static str, refusal: &Refusal) -> Self {
        Self::new(
            error,
            format!("{} [{}]", refusal.sentence(), refusal.code()),
        )
    }

    /// The store is full: the server is asked for more than it holds.
    pub fn busy() -> Self {
        Self {
            status: 503,
            error: "temporarily_unavailable",
            description: "Too many requests are open; try again in a minute.".to_owned(),
        }
    }

    /// The missing or bad access token (RFC 6750 section 3).
    pub fn invalid_token() -> Self {
        Self {
            status: 401,
            error: "invalid_token",
            description: "The access token is missing, unknown or expired.".to_owned(),
        }
    }

    /// The answer that carries the error.
    pub fn answer(&self) -> Answer {
        let mut answer = Answer::json(
            self.status,
            json!({"error": self.error, "error_description": self.description}),
        );
        if self.status == 401 {
            answer.headers.push((
                "www-authenticate",
                format!("Bearer error=\"{}\"", self.error),
            ));
        }
        answer
    }
}
