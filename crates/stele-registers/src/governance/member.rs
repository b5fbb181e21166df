//! A member's document.

use stele_core::cbor::{Body, BodyBuilder, BodyError};

use super::{ROLE_BYTES_MAX, ROLES_MAX};

/// A member of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The organisation's name, 1 to 128 bytes.
    pub name: String,
    /// Where people learn more, up to 256 bytes.
    pub url: Option<String>,
    /// `false` while suspended: the member keeps its roles but none of them counts.
    pub active: bool,
    /// Its roles, sorted.
    pub roles: Vec<String>,
}

impl Member {
    /// Whether the member holds `role`, active or not.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// The document as it stands in the state.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = BodyBuilder::new()
            .text("name", &self.name)
            .bool("active", self.active)
            .text_list("roles", &self.roles);
        if let Some(url) = &self.url {
            body = body.text("url", url);
        }
        body.build()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut body = Body::decode(bytes)?;
        let member = Self {
            name: body.text("name", 128)?.to_owned(),
            url: body.opt_text("url", 256)?.map(str::to_owned),
            active: body.flag("active")?,
            roles: body.list("roles", ROLES_MAX, |role| {
                role.text(ROLE_BYTES_MAX).map(str::to_owned)
            })?,
        };
        body.finish()?;
        Ok(member)
    }
}
