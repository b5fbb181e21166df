//! The holder: look into a credential, choose what to show, and bind the presentation to one verifier and one request.

use serde_json::{Map, Value, json};

use super::reveal::{Place, reveal};
use super::rules::*;
use super::{ClaimPath, Parsed, TYPE_KEY_BINDING, digest};
use crate::jose::{self, Signer};
use crate::json::JsonLimits;
use crate::refusal::Refusal;

/// To whom a presentation is made. Times are seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The verifier, as it named itself.
    pub audience: &'a str,
    /// The verifier's nonce.
    pub nonce: &'a str,
    /// Now.
    pub issued_at: u64,
}

/// A field that the holder may show or keep back.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where it stands.
    pub path: ClaimPath,
    /// What it says.
    pub value: Value,
}

/// A credential in a wallet, read with all its disclosures but NOT verified.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    jwt: &'a str,
    disclosures: Vec<(&'a str, ClaimPath)>,
    claims: Value,
}

impl<'a> Held<'a> {
    /// Reads a credential as issued, ending in `~`.
    ///
    /// # Errors
    /// Those of [`Parsed::parse`], and of disclosures that do not fit.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let parsed = Parsed::parse(text)?;
        let payload = parsed.payload().clone();
        let mut places: Vec<Option<Place>> = Vec::new();
        let claims = reveal(
            payload,
            parsed.disclosures(),
            JsonLimits::default(),
            Some(&mut places),
        )?;
        let disclosures = parsed.disclosures().iter().zip(places);
        Ok(Self {
            jwt: parsed.jwt(),
            disclosures: disclosures
                .map(|(text, place)| (*text, place.map(|place| place.path).unwrap_or_default()))
                .collect(),
            claims: Value::Object(claims),
        })
    }

    /// All claims, disclosed.
    pub const fn claims(&self) -> &Value {
        &self.claims
    }

    /// The fields that the holder may keep back, in the order in which the issuer wrote them. Everything else is always shown.
    pub fn fields(&self) -> Vec<Field> {
        let fields = self.disclosures.iter().map(|(_, path)| Field {
            path: path.clone(),
            value: path
                .select(&self.claims)
                .first()
                .copied()
                .cloned()
                .unwrap_or_default(),
        });
        fields.collect()
    }

    /// The fields that a presentation of `paths` would show: those at the paths, what lies below them, and what they lie in.
    pub fn shown_by(&self, paths: &[ClaimPath]) -> Vec<&ClaimPath> {
        let chosen = self
            .disclosures
            .iter()
            .filter(|(_, path)| is_chosen(path, paths));
        chosen.map(|(_, path)| path).collect()
    }

    /// Presents the fields at `paths`. With a binding, `signer` must be the key that the credential names.
    ///
    /// # Errors
    /// `credential.path` if a path leads nowhere, and the signer's.
    pub fn present(
        &self,
        paths: &[ClaimPath],
        binding: Option<(Binding<'_>, &dyn Signer)>,
    ) -> Result<String, Refusal> {
        if let Some(path) = paths
            .iter()
            .find(|path| path.select(&self.claims).is_empty())
        {
            return Err(PATH.because(path));
        }
        let mut text = String::with_capacity(self.jwt.len() + 512);
        text.push_str(self.jwt);
        text.push('~');
        for (disclosure, path) in &self.disclosures {
            if is_chosen(path, paths) {
                text.push_str(disclosure);
                text.push('~');
            }
        }
        if let Some((binding, signer)) = binding {
            let claims = json!({
                "iat": binding.issued_at,
                "aud": binding.audience,
                "nonce": binding.nonce,
                "sd_hash": digest(&text),
            });
            let mut header = Map::new();
            header.insert("typ".to_owned(), TYPE_KEY_BINDING.into());
            text.push_str(&jose::sign(&header, claims.to_string().as_bytes(), signer)?);
        }
        Ok(text)
    }
}

fn is_chosen(path: &ClaimPath, paths: &[ClaimPath]) -> bool {
    paths
        .iter()
        .any(|chosen| path.covers(chosen) || chosen.covers(path))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Frame, PathItem};
    use super::*;

    fn path(value: Value) -> ClaimPath {
        ClaimPath::from_json(&value).unwrap()
    }

    fn credential() -> String {
        let claims = json!({
            "given_name": "Fictional Ada",
            "address": {"street": "Fictional Street 1", "city": "Nowhere"},
            "degrees": ["BSc", "MSc"],
            "always": true,
        });
        let frame = Frame::new(&[
            ClaimPath::name("given_name"),
            ClaimPath::name("address"),
            path(json!(["address", "street"])),
            ClaimPath::name("degrees").join(PathItem::Every),
        ]);
        issue_claims(claims, &frame).unwrap()
    }

    #[test]
    fn shows_the_fields_and_nothing_but_the_chosen_ones() {
        let text = credential();
        let held = Held::parse(&text).unwrap();
        let mut names: Vec<String> = held
            .fields()
            .iter()
            .map(|field| field.path.to_string())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "address",
                "address.street",
                "degrees[0]",
                "degrees[1]",
                "given_name"
            ]
        );
        for (chosen, shown) in [
            (
                json!(["address", "city"]),
                json!({"address": {"city": "Nowhere"}, "degrees": []}),
            ),
            (
                json!(["address"]),
                json!({"address": {"city": "Nowhere", "street": "Fictional Street 1"}, "degrees": []}),
            ),
            (json!(["degrees", 1]), json!({"degrees": ["MSc"]})),
            (json!(["degrees", null]), json!({"degrees": ["BSc", "MSc"]})),
            (json!(["always"]), json!({"degrees": []})),
        ] {
            let presented = held.present(&[path(chosen)], None).unwrap();
            let mut claims = verify_open(&presented).unwrap().claims;
            for name in ["iss", "vct", "iat", "cnf", "exp", "always"] {
                assert!(claims.shift_remove(name).is_some(), "{name}");
            }
            assert_eq!(Value::Object(claims), shown);
        }
    }

    #[test]
    fn refuses_to_show_what_is_not_there() {
        let text = credential();
        let refusal = Held::parse(&text)
            .unwrap()
            .present(&[ClaimPath::name("salary")], None)
            .unwrap_err();
        assert_eq!(refusal.rule(), PATH);
    }
}
