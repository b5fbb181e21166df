//! The standard's exceptions as problem details (RFC 9457; EPCIS 2.0 REST binding).

use serde_json::{Value, json};

/// An exception of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exception {
    /// The body is not what the schema asks.
    Validation,
    /// A query parameter is unknown, or its value is.
    QueryParameter,
    /// A query document is malformed.
    QueryValidation,
    /// More events match than `maxEventCount` or the service allows.
    QueryTooLarge,
    /// The query looks at too much.
    QueryTooComplex,
    /// There is no such event, query, job or value.
    NoSuchName,
    /// There is one with this name already, and it differs.
    ResourceAlreadyExists,
    /// The document has too many bytes or events.
    CaptureLimitExceeded,
    /// The address is too long.
    UriTooLong,
    /// The answer cannot have the form that the request asks for.
    NotAcceptable,
    /// The body has a form that is not taken.
    UnsupportedMediaType,
    /// The method is not one of this resource.
    MethodNotAllowed,
    /// A part of the standard that is not served here.
    NotImplemented,
    /// The store or the ledger failed.
    Implementation,
}

impl Exception {
    /// The name behind `epcisException:`, the status and the title.
    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Validation => (
                "ValidationException",
                400,
                "The document is not valid EPCIS 2.0",
            ),
            Self::QueryParameter => ("QueryParameterException", 400, "A query parameter is wrong"),
            Self::QueryValidation => ("QueryValidationException", 400, "The query is malformed"),
            Self::QueryTooLarge => (
                "QueryTooLargeException",
                413,
                "The query finds too many events",
            ),
            Self::QueryTooComplex => ("QueryTooComplexException", 413, "The query is too complex"),
            Self::NoSuchName => ("NoSuchNameException", 404, "Resource not found"),
            Self::ResourceAlreadyExists => (
                "ResourceAlreadyExistsException",
                409,
                "Resource exists already",
            ),
            Self::CaptureLimitExceeded => (
                "CaptureLimitExceededException",
                413,
                "Capture payload too large",
            ),
            Self::UriTooLong => ("URITooLongException", 414, "URI too long"),
            Self::NotAcceptable => (
                "NotAcceptableException",
                406,
                "No acceptable form of the answer",
            ),
            Self::UnsupportedMediaType => (
                "UnsupportedMediaTypeException",
                415,
                "Unsupported media type",
            ),
            Self::MethodNotAllowed => ("ImplementationException", 405, "Method not allowed"),
            Self::NotImplemented => (
                "ImplementationException",
                501,
                "Not supported by this server",
            ),
            Self::Implementation => (
                "ImplementationException",
                500,
                "A server-side error occurred",
            ),
        }
    }
}

/// A problem: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Which exception.
    pub exception: Exception,
    /// What happened, for people.
    pub detail: String,
    /// What to do next; may be empty.
    pub hint: String,
    /// For the log, never for the client: the chain of causes; may be empty.
    pub internal: String,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(exception: Exception, detail: impl Into<String>) -> Self {
        Self {
            exception,
            detail: detail.into(),
            hint: String::new(),
            internal: String::new(),
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with an error's chain of causes for the log.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if !self.internal.is_empty() {
                self.internal.push_str(": ");
            }
            self.internal.push_str(&error.to_string());
            cause = error.source();
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.exception.row().1
    }

    /// The body, of media type `application/problem+json`. `code` is the exception's name in our style.
    pub fn to_json(&self) -> Value {
        let (name, status, title) = self.exception.row();
        let mut body = json!({
            "type": format!("epcisException:{name}"),
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": format!("epcis.{}", code(name)),
        });
        if !self.hint.is_empty() {
            body["hint"] = Value::String(self.hint.clone());
        }
        body
    }
}

/// `QueryParameterException` as `query-parameter`.
fn code(name: &str) -> String {
    let name = name
        .strip_suffix("Exception")
        .unwrap_or(name)
        .replace("URI", "Uri");
    let mut code = String::new();
    let mut before_is_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before_is_lower {
            code.push('-');
        }
        before_is_lower = c.is_ascii_lowercase();
        code.push(c.to_ascii_lowercase());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_form() {
        let body = Problem::new(Exception::QueryParameter, "no such parameter")
            .hint("see the list")
            .to_json();
        assert_eq!(body["type"], "epcisException:QueryParameterException");
        assert_eq!(body["status"], 400);
        assert_eq!(body["code"], "epcis.query-parameter");
        assert_eq!(
            Problem::new(Exception::UriTooLong, "").to_json()["code"],
            "epcis.uri-too-long"
        );
    }
}
