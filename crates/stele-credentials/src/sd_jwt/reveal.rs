//! Puts disclosed claims back where their digests stand (RFC 9901 section 7.1, step 3).

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::disclosure::{Disclosure, digest};
use super::rules::*;
use super::{ClaimPath, DIGEST_ALGORITHM, DISCLOSURES_MAX, PathItem};
use crate::json::JsonLimits;
use crate::refusal::Refusal;

/// A chain of disclosures inside disclosures must not outgrow the stack.
const DEPTH_MAX: usize = 64;

/// Where a disclosure belongs, for the holder's choice.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub path: ClaimPath,
}

/// Reveals the claims of `payload`. With `places`, notes for each disclosure where it belongs.
pub(super) fn reveal(
    payload: Map<String, Value>,
    encoded: &[&str],
    limits: JsonLimits,
    places: Option<&mut Vec<Option<Place>>>,
) -> Result<Map<String, Value>, Refusal> {
    if encoded.len() > DISCLOSURES_MAX {
        return Err(MALFORMED.because(format_args!("more than {DISCLOSURES_MAX} disclosures")));
    }
    let mut payload = payload;
    match payload.shift_remove("_sd_alg") {
        None => {}
        Some(Value::String(name)) if name == DIGEST_ALGORITHM => {}
        Some(other) => return Err(DIGEST_ALGORITHM_UNKNOWN.because(other)),
    }
    let mut by_digest = HashMap::with_capacity(encoded.len());
    for (position, text) in encoded.iter().enumerate() {
        let slot = Slot {
            disclosure: Some(Disclosure::parse(text, limits)?),
            position,
        };
        if by_digest.insert(digest(text), slot).is_some() {
            return Err(DISCLOSURE_DUPLICATE.refuse());
        }
    }
    if let Some(places) = places {
        places.clear();
        places.resize(encoded.len(), None);
        let mut work = Work {
            by_digest,
            seen: HashMap::new(),
            left: encoded.len(),
            places: Some(places),
        };
        return work.finish(payload);
    }
    let mut work = Work {
        by_digest,
        seen: HashMap::new(),
        left: encoded.len(),
        places: None,
    };
    work.finish(payload)
}

struct Slot {
    disclosure: Option<Disclosure>,
    position: usize,
}

struct Work<'a> {
    by_digest: HashMap<String, Slot>,
    /// Digests met so far: none may stand twice, with or without a disclosure.
    seen: HashMap<String, ()>,
    left: usize,
    places: Option<&'a mut Vec<Option<Place>>>,
}

impl Work<'_> {
    fn finish(&mut self, payload: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let claims = self.object(payload, &ClaimPath::default(), DEPTH_MAX)?;
        if self.left > 0 {
            return Err(DISCLOSURE_FOREIGN.because(format_args!("{} of them", self.left)));
        }
        Ok(claims)
    }

    fn value(&mut self, value: Value, path: &ClaimPath, depth: usize) -> Result<Value, Refusal> {
        match value {
            Value::Object(object) => Ok(Value::Object(self.object(object, path, depth)?)),
            Value::Array(items) => self.array(items, path, depth),
            plain => Ok(plain),
        }
    }

    fn object(
        &mut self,
        object: Map<String, Value>,
        path: &ClaimPath,
        depth: usize,
    ) -> Result<Map<String, Value>, Refusal> {
        let depth = deeper(depth)?;
        let mut open = Map::with_capacity(object.len() + 8);
        let mut digests = None;
        for (name, value) in object {
            if name == "_sd" {
                digests = Some(value);
                continue;
            }
            if name == "..." {
                return Err(CLAIM_RESERVED.because(name));
            }
            let value = match value {
                nested @ (Value::Object(_) | Value::Array(_)) => {
                    let path = self.path(path, || PathItem::Name(name.clone()));
                    self.value(nested, &path, depth)?
                }
                plain => plain,
            };
            open.insert(name, value);
        }
        let Some(digests) = digests else {
            return Ok(open);
        };
        let Value::Array(digests) = digests else {
            return Err(CLAIM_MALFORMED.because("_sd is no list"));
        };
        for item in digests {
            let Value::String(digest) = item else {
                return Err(CLAIM_MALFORMED.because("a digest is no text"));
            };
            let Some((disclosure, position)) = self.take(digest)? else {
                continue;
            };
            let Some(name) = disclosure.name else {
                return Err(
                    DISCLOSURE_MALFORMED.because("an element of a list stands for a member")
                );
            };
            if open.contains_key(&name) {
                return Err(CLAIM_COLLISION.because(name));
            }
            let path = self.path(path, || PathItem::Name(name.clone()));
            self.note(position, &path);
            let value = self.value(disclosure.value, &path, depth)?;
            open.insert(name, value);
        }
        Ok(open)
    }

    fn array(
        &mut self,
        items: Vec<Value>,
        path: &ClaimPath,
        depth: usize,
    ) -> Result<Value, Refusal> {
        let depth = deeper(depth)?;
        let mut array = Vec::with_capacity(items.len());
        for item in items {
            let value = match item {
                Value::Object(stub) if stub.contains_key("...") => {
                    let digest = stub
                        .get("...")
                        .and_then(Value::as_str)
                        .filter(|_| stub.len() == 1);
                    let digest = digest.ok_or_else(|| {
                        CLAIM_MALFORMED.because("a hidden element has one digest")
                    })?;
                    let Some((disclosure, position)) = self.take(digest.to_owned())? else {
                        continue;
                    };
                    if disclosure.name.is_some() {
                        return Err(DISCLOSURE_MALFORMED
                            .because("a member stands for an element of a list"));
                    }
                    let path = self.path(path, || PathItem::Index(array.len()));
                    self.note(position, &path);
                    self.value(disclosure.value, &path, depth)?
                }
                item => {
                    let path = self.path(path, || PathItem::Index(array.len()));
                    self.value(item, &path, depth)?
                }
            };
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn take(&mut self, digest: String) -> Result<Option<(Disclosure, usize)>, Refusal> {
        let found = match self.by_digest.get_mut(&digest) {
            Some(slot) => {
                let disclosure = slot
                    .disclosure
                    .take()
                    .ok_or_else(|| DIGEST_DUPLICATE.because(&digest))?;
                self.left -= 1;
                return Ok(Some((disclosure, slot.position)));
            }
            None => None,
        };
        if self.seen.contains_key(&digest) {
            return Err(DIGEST_DUPLICATE.because(digest));
        }
        self.seen.insert(digest, ());
        Ok(found)
    }

    /// Paths cost time, and only holders ask for them.
    fn path(&self, path: &ClaimPath, item: impl FnOnce() -> PathItem) -> ClaimPath {
        if self.places.is_some() {
            path.join(item())
        } else {
            ClaimPath::default()
        }
    }

    fn note(&mut self, position: usize, path: &ClaimPath) {
        if let Some(places) = &mut self.places {
            places[position] = Some(Place { path: path.clone() });
        }
    }
}

fn deeper(depth: usize) -> Result<usize, Refusal> {
    depth
        .checked_sub(1)
        .ok_or_else(|| crate::json::rules::JSON_TOO_DEEP.refuse())
}
