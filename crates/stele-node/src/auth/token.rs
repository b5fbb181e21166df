//! The API token: what the operator's programs show the node.
//!
//! The token is `stele_` and the hexadecimal HMAC-SHA256 of a fixed label under the node's secret: nothing more to store, and a
//! new `node.secret` makes a new token. It is compared in constant time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"stele/api-token/v1";
const PREFIX: &str = "stele_";

/// The node's API token. Wiped when dropped, redacted in `Debug`.
pub struct ApiToken(Zeroizing<String>);

impl ApiToken {
    /// The token of the node with this secret.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes any key");
        mac.update(LABEL);
        Self(Zeroizing::new(format!(
            "{PREFIX}{}",
            hex::encode(mac.finalize().into_bytes())
        )))
    }

    /// The token, to be shown to the operator.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is the token.
    pub fn matches(&self, shown: &str) -> bool {
        // The length is no secret; for other lengths `ct_eq` is false at once.
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(redacted)")
    }
}

/// The token in an `Authorization` header: `Bearer <token>` (RFC 6750 section 2.1).
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_one_secret() {
        let token = ApiToken::of_secret(&[1; 32]);
        assert!(token.matches(ApiToken::of_secret(&[1; 32]).reveal()));
        assert!(!token.matches(ApiToken::of_secret(&[2; 32]).reveal()));
        assert!(!token.matches("") && !token.matches(&token.reveal()[..69]));
        assert_eq!(token.reveal().len(), 6 + 64);
        assert_eq!(format!("{token:?}"), "ApiToken(redacted)");
        // Computed with another HMAC (Python's), so that other programs can make it from `node.secret`.
        let known = "stele_e03bed37877ddc86cef96b7f6c2b5012f62e619852e158f45da1eb59c64b5404";
        assert_eq!(token.reveal(), known);
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}
