//! Running ceremonies: a bounded number, each for a bounded time and one answer.

use std::collections::{BTreeSet, HashMap};

use webauthn_rs::prelude::Uuid;

use crate::refusal::{BUSY, EXPIRED, REPLAYED, Refusal, UNKNOWN_CEREMONY};

/// What is known of a ceremony.
#[derive(Debug)]
enum State<T> {
    /// It waits for its answer.
    Running(T),
    /// It had its answer. Kept to tell a replay from an id that never was.
    Answered,
}

/// Ceremonies by id, running and over ones together bounded in number. Times are seconds since 1970.
#[derive(Debug)]
pub(crate) struct Ceremonies<T> {
    states: HashMap<Uuid, (u64, State<T>)>,
    by_expiry: BTreeSet<(u64, Uuid)>,
    ceremonies_max: usize,
    ceremony_seconds: u64,
}

impl<T> Ceremonies<T> {
    pub(crate) fn new(ceremonies_max: usize, ceremony_seconds: u64) -> Self {
        Self {
            states: HashMap::new(),
            by_expiry: BTreeSet::new(),
            ceremonies_max,
            ceremony_seconds,
        }
    }

    /// The number of ceremonies that are kept, over ones included.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Refuses when there is no room for one more.
    pub(crate) fn make_room(&mut self, now: u64) -> Result<(), Refusal> {
        // Ended ones are kept as long again, so that a late answer is told that it is late.
        self.forget_ended_before(now.saturating_sub(self.ceremony_seconds));
        if self.states.len() >= self.ceremonies_max {
            self.forget_ended_before(now);
        }
        if self.states.len() >= self.ceremonies_max {
            return Err(BUSY.refuse());
        }
        Ok(())
    }

    /// Begins a ceremony. Returns its id, which no one can guess.
    pub(crate) fn begin(&mut self, ceremony: T, now: u64) -> Result<Uuid, Refusal> {
        self.make_room(now)?;
        let id = Uuid::new_v4();
        let expires_at = now.saturating_add(self.ceremony_seconds);
        self.by_expiry.insert((expires_at, id));
        self.states
            .insert(id, (expires_at, State::Running(ceremony)));
        Ok(id)
    }

    /// Takes the ceremony for its one answer, if `wanted` says that it is of the kind that is answered.
    pub(crate) fn take(
        &mut self,
        id: &str,
        now: u64,
        wanted: impl FnOnce(&T) -> bool,
    ) -> Result<T, Refusal> {
        let id = parse(id).ok_or_else(|| UNKNOWN_CEREMONY.because("not an id"))?;
        let (expires_at, state) = self
            .states
            .get_mut(&id)
            .ok_or_else(|| UNKNOWN_CEREMONY.refuse())?;
        if let State::Running(ceremony) = &*state
            && !wanted(ceremony)
        {
            return Err(UNKNOWN_CEREMONY.because("an attempt of the other kind"));
        }
        match std::mem::replace(state, State::Answered) {
            State::Answered => Err(REPLAYED.because("the attempt had its answer")),
            State::Running(_) if *expires_at <= now => Err(EXPIRED.refuse()),
            State::Running(ceremony) => Ok(ceremony),
        }
    }

    fn forget_ended_before(&mut self, time: u64) {
        while let Some((expires_at, id)) = self.by_expiry.first().copied()
            && expires_at <= time
        {
            self.by_expiry.remove(&(expires_at, id));
            self.states.remove(&id);
        }
    }
}

/// Reads an id in the one form that is given out: 32 lower-case hexadecimal digits.
fn parse(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.simple().to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: Uuid) -> String {
        id.simple().to_string()
    }

    #[test]
    fn a_ceremony_is_taken_once_and_in_time() {
        let mut ceremonies = Ceremonies::new(10, 60);
        let id = text(ceremonies.begin('a', 1000).unwrap());
        let code = |result: Result<char, Refusal>| result.unwrap_err().code();
        assert_eq!(
            code(ceremonies.take(&id, 1000, |_| false)),
            UNKNOWN_CEREMONY.code
        );
        assert_eq!(ceremonies.take(&id, 1059, |_| true).unwrap(), 'a');
        assert_eq!(code(ceremonies.take(&id, 1059, |_| true)), REPLAYED.code);
        let late = text(ceremonies.begin('b', 1000).unwrap());
        assert_eq!(code(ceremonies.take(&late, 1060, |_| true)), EXPIRED.code);
        assert_eq!(code(ceremonies.take(&late, 1060, |_| true)), REPLAYED.code);
    }

    #[test]
    fn an_id_has_one_text() {
        let mut ceremonies = Ceremonies::new(10, 60);
        let id = ceremonies.begin('a', 0).unwrap();
        for other in [
            id.hyphenated().to_string(),
            id.braced().to_string(),
            id.urn().to_string(),
            text(id).to_uppercase(),
            String::new(),
        ] {
            let refused = ceremonies.take(&other, 0, |_| true).unwrap_err();
            assert_eq!(refused.code(), UNKNOWN_CEREMONY.code, "{other}");
        }
        assert_eq!(ceremonies.take(&text(id), 0, |_| true).unwrap(), 'a');
    }

    #[test]
    fn over_ones_give_way_and_running_ones_stay() {
        let mut ceremonies = Ceremonies::new(2, 60);
        let first = text(ceremonies.begin(1, 0).unwrap());
        let second = text(ceremonies.begin(2, 30).unwrap());
        assert_eq!(ceremonies.begin(3, 59).unwrap_err().code(), BUSY.code);
        // The first has ended; its place is needed.
        ceremonies.begin(3, 60).unwrap();
        assert_eq!(ceremonies.len(), 2);
        assert_eq!(
            ceremonies.take(&first, 60, |_| true).unwrap_err().code(),
            UNKNOWN_CEREMONY.code
        );
        assert_eq!(ceremonies.take(&second, 60, |_| true).unwrap(), 2);
    }

    #[test]
    fn a_clock_that_stands_still_or_ends_does_no_harm() {
        let mut ceremonies = Ceremonies::new(3, 60);
        let id = text(ceremonies.begin('a', u64::MAX).unwrap());
        assert!(ceremonies.begin('b', 0).is_ok());
        assert_eq!(
            ceremonies.take(&id, u64::MAX, |_| true).unwrap_err().code(),
            EXPIRED.code
        );
    }
}
