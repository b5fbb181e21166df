//! Search queries of users, made into FTS5 expressions that can neither fail nor mean anything but words.

use crate::error::{ReadModelError, Result};
use crate::model::{QUERY_BYTES_MAX, QUERY_TERMS_MAX};

/// The FTS5 expression for "a word starts with each of these words", or nothing when the text holds no word.
///
/// Every character that is not a letter or digit separates words, so no operator, quote, column filter or bracket of
/// FTS5's language reaches it; each word is quoted all the same.
///
/// # Errors
/// [`ReadModelError::BadRequest`] above [`QUERY_BYTES_MAX`] or [`QUERY_TERMS_MAX`].
pub(crate) fn match_expression(query: &str) -> Result<Option<String>> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(ReadModelError::BadRequest(format!(
            "a search has at most {QUERY_BYTES_MAX} bytes"
        )));
    }
    let mut expression = String::new();
    for (count, word) in query
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if count == QUERY_TERMS_MAX {
            return Err(ReadModelError::BadRequest(format!(
                "a search has at most {QUERY_TERMS_MAX} words"
            )));
        }
        if count > 0 {
            expression.push_str(" AND ");
        }
        expression.push('"');
        expression.push_str(word);
        expression.push_str("\"*");
    }
    Ok((!expression.is_empty()).then_some(expression))
}

/// The longest prefix of `text` with at most `bytes_max` bytes.
pub(crate) fn truncate(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_only_separators() {
        let cases = [
            ("olive oil", Some("\"olive\"* AND \"oil\"*")),
            ("a\" OR b*", Some("\"a\"* AND \"OR\"* AND \"b\"*")),
            (
                "NEAR(x, 2) ^y -z",
                Some("\"NEAR\"* AND \"x\"* AND \"2\"* AND \"y\"* AND \"z\"*"),
            ),
            ("\"\"'();--", None),
            ("", None),
        ];
        for (query, expected) in cases {
            assert_eq!(match_expression(query).expect(query).as_deref(), expected);
        }
        assert!(match_expression(&"a ".repeat(17)).is_err());
        assert!(match_expression(&"a".repeat(257)).is_err());
    }

    #[test]
    fn truncation_keeps_characters_whole() {
        assert_eq!(truncate("aé", 2), "a");
        assert_eq!(truncate("aé", 3), "aé");
    }
}
