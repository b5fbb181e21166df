//! Accreditations: who may do what, granted by whom, until when; and the check that other registers make.

use stele_core::cbor::{DecodeError, Decoder, Encoder};
use stele_core::id::{Hash, Height, PartyId, TimeMs};
use stele_core::machine::{Fault, StateReader};

use super::{CHAIN_MAX, HOLDINGS_MAX, NAME};
use crate::context::View;
use crate::history::{or_null, read_opt_uint, write_opt_uint};

/// Names an accreditation: `SHA-256("stele/accreditation/v1" || entry id || command index as 8 bytes, big-endian)`.
pub type AccreditationId = Hash;

/// The longest action, in bytes.
pub const ACTION_BYTES_MAX: usize = 96;
/// The longest scope, in bytes.
pub const SCOPE_BYTES_MAX: usize = 256;

/// The right of a party to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accreditation {
    /// Who granted it.
    pub issuer: PartyId,
    /// Who holds it.
    pub subject: PartyId,
    /// What it allows: `register/what`, or `register/*`.
    pub action: String,
    /// Where or for what it holds; `DE/BY` includes `DE/BY/M`. `None` is everywhere.
    pub scope: Option<String>,
    /// The last moment at which it is valid; `None` is for ever.
    pub until: Option<TimeMs>,
    /// Whether the subject may grant parts of it to others.
    pub delegable: bool,
    /// The issuer's own accreditation; `None` when the issuer was a steward.
    pub parent: Option<AccreditationId>,
    /// Its place in the chain, from 1.
    pub depth: u64,
    /// The block that granted it.
    pub granted: Height,
    /// The block that revoked it. A revoked parent ends it too, without a mark here.
    pub revoked: Option<Height>,
}

impl Accreditation {
    /// The accreditation as it stands in the state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(256);
        out.array(10)
            .bytes(self.issuer.as_bytes())
            .bytes(self.subject.as_bytes());
        out.text(&self.action);
        match &self.scope {
            Some(scope) => out.text(scope),
            None => out.null(),
        };
        write_opt_uint(&mut out, self.until.map(TimeMs::get));
        out.bool(self.delegable);
        match &self.parent {
            Some(parent) => out.bytes(parent.as_bytes()),
            None => out.null(),
        };
        out.uint(self.depth).uint(self.granted.get());
        write_opt_uint(&mut out, self.revoked.map(Height::get));
        out.into_vec()
    }

    /// Reads an accreditation.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(10, "an accreditation of ten parts")?;
        let read = Self {
            issuer: PartyId::from_bytes(decoder.bytes32()?),
            subject: PartyId::from_bytes(decoder.bytes32()?),
            action: decoder.text(ACTION_BYTES_MAX)?.to_owned(),
            scope: or_null(&mut decoder, |d| d.text(SCOPE_BYTES_MAX).map(str::to_owned))?,
            until: read_opt_uint(&mut decoder)?.map(TimeMs::new),
            delegable: decoder.bool()?,
            parent: or_null(&mut decoder, |d| d.bytes32().map(Hash::from_bytes))?,
            depth: decoder.uint()?,
            granted: Height::new(decoder.uint()?),
            revoked: read_opt_uint(&mut decoder)?.map(Height::new),
        };
        decoder.finish()?;
        Ok(read)
    }

    /// Whether it allows `action` within `scope`, leaving validity aside. An accreditation with a scope does not cover
    /// what has none.
    pub fn covers(&self, action: &str, scope: Option<&str>) -> bool {
        action_covers(&self.action, action) && scope_covers(self.scope.as_deref(), scope)
    }

    /// Whether it is neither revoked nor past, leaving its parents aside.
    pub fn is_current(&self, at: TimeMs) -> bool {
        self.revoked.is_none() && self.until.is_none_or(|until| at <= until)
    }

    /// The accreditation as it was after block `height`.
    fn before_or_in(mut self, height: Height) -> Option<Self> {
        if self.granted > height {
            return None;
        }
        self.revoked = self.revoked.filter(|revoked| *revoked <= height);
        Some(self)
    }
}

fn action_covers(held: &str, asked: &str) -> bool {
    held == asked
        || held
            .strip_suffix('*')
            .is_some_and(|register| asked.starts_with(register))
}

fn scope_covers(held: Option<&str>, asked: Option<&str>) -> bool {
    match (held, asked) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(asked)) => asked
            .strip_prefix(held)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

/// Whether `action` is `register/what` or `register/*`.
pub(super) fn is_action(action: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
    };
    match action.split_once('/') {
        Some((register, what)) => word(register) && (what == "*" || word(what)),
        None => false,
    }
}

/// The key of an accreditation.
pub fn accreditation_key(id: &AccreditationId) -> Vec<u8> {
    [b"accreditation/".as_slice(), id.as_bytes()].concat()
}

/// The key of the list of accreditations that `party` holds for exactly `action`.
pub fn holdings_key(party: &PartyId, action: &str) -> Vec<u8> {
    [
        b"holds/".as_slice(),
        party.as_bytes(),
        b"/",
        action.as_bytes(),
    ]
    .concat()
}

/// An accreditation, seen through a view of `identity`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn accreditation(view: View<'_>, id: &AccreditationId) -> Result<Option<Accreditation>, Fault> {
    let key = accreditation_key(id);
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    Accreditation::decode(&bytes)
        .map(Some)
        .map_err(|error| view.unreadable(&key, error))
}

/// An accreditation as it was after block `height`: one read, and the same value proves it.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn accreditation_at(
    reader: &dyn StateReader,
    id: &AccreditationId,
    height: Height,
) -> Result<Option<Accreditation>, Fault> {
    let found = accreditation(View::new(reader, NAME), id)?;
    Ok(found.and_then(|accreditation| accreditation.before_or_in(height)))
}

/// The ids that `party` holds for exactly `action`.
pub(super) fn holdings(
    view: View<'_>,
    party: &PartyId,
    action: &str,
) -> Result<Vec<AccreditationId>, Fault> {
    let key = holdings_key(party, action);
    let Some(bytes) = view.get(&key)? else {
        return Ok(Vec::new());
    };
    let read = || -> Result<Vec<_>, DecodeError> {
        let mut decoder = Decoder::new(&bytes);
        let count = decoder.array(HOLDINGS_MAX)?;
        (0..count)
            .map(|_| decoder.bytes32().map(Hash::from_bytes))
            .collect()
    };
    read().map_err(|error| view.unreadable(&key, error))
}

/// The chain of accreditations from `id` up to the one that a steward granted, if every link is valid at `at`.
pub(super) fn valid_chain(
    view: View<'_>,
    id: AccreditationId,
    at: TimeMs,
) -> Result<Option<Vec<AccreditationId>>, Fault> {
    let mut chain = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next {
        let Some(link) = accreditation(view, &id)? else {
            return Ok(None);
        };
        if !link.is_current(at) || chain.len() == CHAIN_MAX {
            return Ok(None);
        }
        chain.push(id);
        next = link.parent;
    }
    Ok(Some(chain))
}

/// Whether `party` may do `action` within `scope` at `at`, through a view of `identity`: the first valid chain, from the
/// party's own accreditation up to the one that a steward granted. For other registers to call; `scope` is `None` for
/// actions that know none.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn is_accredited(
    view: View<'_>,
    party: &PartyId,
    action: &str,
    scope: Option<&str>,
    at: TimeMs,
) -> Result<Option<Vec<AccreditationId>>, Fault> {
    find_chain(view, party, action, scope, at, |_| true)
}

/// Whether `granter` granted `party` an accreditation for `action` that was not revoked, through a view of `identity`.
///
/// # Errors
/// [`Fault`] when storage fails.
pub fn has_granted(
    view: View<'_>,
    granter: &PartyId,
    party: &PartyId,
    action: &str,
) -> Result<bool, Fault> {
    for held in held_for(action) {
        for id in holdings(view, party, &held)? {
            if accreditation(view, &id)?.is_some_and(|found| found.issuer == *granter) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The actions whose holders may do `action`: itself, and the whole register.
fn held_for(action: &str) -> impl Iterator<Item = String> {
    let whole_register = action
        .split_once('/')
        .map(|(register, _)| format!("{register}/*"));
    let wider = whole_register.filter(|wider| wider != action);
    [Some(action.to_owned()), wider].into_iter().flatten()
}

pub(super) fn find_chain(
    view: View<'_>,
    party: &PartyId,
    action: &str,
    scope: Option<&str>,
    at: TimeMs,
    accept: impl Fn(&Accreditation) -> bool,
) -> Result<Option<Vec<AccreditationId>>, Fault> {
    for held in held_for(action) {
        for id in holdings(view, party, &held)? {
            let Some(found) = accreditation(view, &id)? else {
                continue;
            };
            if !found.covers(action, scope) || !found.is_current(at) || !accept(&found) {
                continue;
            }
            if let Some(chain) = valid_chain(view, id, at)? {
                return Ok(Some(chain));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_scopes() {
        for good in ["trace/recall.issue", "trace/*", "data-space/read"] {
            assert!(is_action(good), "{good}");
        }
        for bad in [
            "trace",
            "/x",
            "trace/",
            "*/x",
            "trace/re*",
            "Trace/x",
            "a/b/c",
            "a/b c",
        ] {
            assert!(!is_action(bad), "{bad}");
        }
        assert!(action_covers("trace/*", "trace/recall.issue"));
        assert!(action_covers("trace/*", "trace/*"));
        assert!(!action_covers("trace/*", "tracer/recall.issue"));
        assert!(!action_covers("trace/recall.issue", "trace/*"));
        assert!(scope_covers(None, None) && scope_covers(None, Some("DE")));
        assert!(scope_covers(Some("DE"), Some("DE")) && scope_covers(Some("DE"), Some("DE/BY")));
        assert!(!scope_covers(Some("DE"), None) && !scope_covers(Some("DE"), Some("DEN")));
        assert!(!scope_covers(Some("DE/BY"), Some("DE")));
    }
}
