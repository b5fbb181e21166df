//! Forms and query strings (`application/x-www-form-urlencoded`): bounded, no parameter twice.

use std::collections::BTreeMap;

use super::Fault;

/// The longest form, in bytes: an encrypted response with several credentials.
pub const FORM_BYTES_MAX: usize = 1 << 20;
const PARAMETERS_MAX: usize = 64;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body or a query string.
    ///
    /// # Errors
    /// `invalid_request` if it is too long, badly encoded, or has a parameter twice (RFC 6749 section 3.1).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > FORM_BYTES_MAX {
            return Err(Fault::invalid_request("The request is too long."));
        }
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bad = || Fault::invalid_request("A parameter is badly encoded.");
            let (name, value) = (
                decode(name).ok_or_else(bad)?,
                decode(value).ok_or_else(bad)?,
            );
            if parameters.len() == PARAMETERS_MAX || parameters.insert(name, value).is_some() {
                return Err(Fault::invalid_request(
                    "A parameter stands twice, or there are too many.",
                ));
            }
        }
        Ok(Self(parameters))
    }

    /// A form of these parameters.
    pub fn of(parameters: &[(&str, &str)]) -> Self {
        Self(
            parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    /// A parameter; an empty one counts as left out (RFC 6749 section 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name)
            .ok_or_else(|| Fault::invalid_request(format!("The parameter {name} is missing.")))
    }

    /// Writes the form.
    pub fn encode(&self) -> String {
        let pairs = self
            .0
            .iter()
            .map(|(name, value)| format!("{}={}", encode_component(name), encode_component(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                bytes.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
                rest = after;
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn encode_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_refuses() {
        let form = Form::parse("a=1+2%2B&b=&c&%C3%A4=%3D").unwrap();
        assert_eq!(
            (form.get("a"), form.get("b"), form.get("c"), form.get("ä")),
            (Some("1 2+"), None, None, Some("="))
        );
        for text in ["a=1&a=1", "a=%", "a=%4", "a=%zz", "a=%ff", "a=%+1"] {
            assert_eq!(
                Form::parse(text).unwrap_err().error,
                "invalid_request",
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "\\PC{1,10}", value in "\\PC{0,20}") {
            let form = Form::of(&[(&name, &value)]);
            prop_assert_eq!(Form::parse(&form.encode()).unwrap(), form);
        }

        #[test]
        fn random_text_never_panics(text in "\\PC{0,60}") {
            let _ = Form::parse(&text);
        }
    }
}
