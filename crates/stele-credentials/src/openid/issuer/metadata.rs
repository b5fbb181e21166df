//! The metadata documents of issuer and authorisation server.

use serde_json::{Map, Value, json};

use super::{GRANT_PRE_AUTHORIZED, Issuer};
use crate::sd_jwt::ClaimPath;

/// A kind of credential that the issuer offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialConfiguration {
    /// Its name in offers and requests.
    pub id: String,
    /// `dc+sd-jwt` or `ldp_vc`.
    pub format: String,
    /// The kind that the credential itself names (`vct`), for `dc+sd-jwt`.
    pub vct: Option<String>,
    /// The types of `credential_definition`, for `ldp_vc`.
    pub types: Vec<String>,
    /// The OAuth scope that asks for it.
    pub scope: Option<String>,
    /// What signs it: `EdDSA`, `ES256`, or a cryptosuite.
    pub signing_algorithms: Vec<String>,
    /// Its name for people.
    pub display_name: String,
    /// Its claims, for the wallet's consent screen.
    pub claims: Vec<DisplayedClaim>,
}

/// A claim with its name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayedClaim {
    /// Where it stands.
    pub path: ClaimPath,
    /// Its name for people.
    pub display_name: String,
}

impl CredentialConfiguration {
    fn to_json(&self) -> Value {
        let claims = self.claims.iter().map(|claim| {
            json!({"path": claim.path.to_json(), "display": [{"name": claim.display_name, "locale": "en"}]})
        });
        let mut metadata = json!({"display": [{"name": self.display_name, "locale": "en"}]});
        if !self.claims.is_empty() {
            metadata["claims"] = claims.collect();
        }
        let mut members = Map::new();
        members.insert("format".to_owned(), self.format.as_str().into());
        if let Some(scope) = &self.scope {
            members.insert("scope".to_owned(), scope.as_str().into());
        }
        if let Some(vct) = &self.vct {
            members.insert("vct".to_owned(), vct.as_str().into());
        }
        if !self.types.is_empty() {
            members.insert(
                "credential_definition".to_owned(),
                json!({"type": self.types}),
            );
        }
        members.insert(
            "cryptographic_binding_methods_supported".to_owned(),
            json!(["jwk", "did:key", "did:jwk"]),
        );
        members.insert(
            "credential_signing_alg_values_supported".to_owned(),
            json!(self.signing_algorithms),
        );
        let proof = json!({"jwt": {"proof_signing_alg_values_supported": ["ES256", "EdDSA"]}});
        members.insert("proof_types_supported".to_owned(), proof);
        members.insert("credential_metadata".to_owned(), metadata);
        Value::Object(members)
    }
}

impl Issuer {
    /// `/.well-known/openid-credential-issuer` (OpenID4VCI section 12.2.4).
    pub fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.identifier);
        let configurations: Map<String, Value> = self
            .configurations
            .iter()
            .map(|one| (one.id.clone(), one.to_json()))
            .collect();
        let mut metadata = json!({
            "credential_issuer": self.identifier,
            "credential_endpoint": at("credential"),
            "nonce_endpoint": at("nonce"),
            "deferred_credential_endpoint": at("deferred"),
            "notification_endpoint": at("notification"),
            "display": [{"name": self.display_name, "locale": "en"}],
            "credential_configurations_supported": configurations,
        });
        if self.batch_max > 1 {
            metadata["batch_credential_issuance"] = json!({"batch_size": self.batch_max});
        }
        metadata
    }

    /// `/.well-known/oauth-authorization-server` (RFC 8414).
    pub fn authorization_server_metadata(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.identifier);
        json!({
            "issuer": self.identifier,
            "authorization_endpoint": at("authorize"),
            "pushed_authorization_request_endpoint": at("par"),
            "require_pushed_authorization_requests": false,
            "token_endpoint": at("token"),
            "token_endpoint_auth_methods_supported": ["none"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", GRANT_PRE_AUTHORIZED],
            "code_challenge_methods_supported": ["S256"],
            "authorization_details_types_supported": ["openid_credential"],
            "scopes_supported": self.configurations.iter().filter_map(|one| one.scope.as_deref()).collect::<Vec<_>>(),
            "authorization_response_iss_parameter_supported": true,
            "pre-authorized_grant_anonymous_access_supported": true,
        })
    }
}
