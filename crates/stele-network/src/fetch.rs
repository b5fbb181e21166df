//! Which blocks to ask for next when several questions are under way, and which answers came before their turn. No I/O.
//!
//! Blocks are executed in order, but a node that waits for one answer before it asks the next question is as slow as its link is long.
//! So ranges of heights are asked for side by side, from several nodes; answers that come early wait. How many blocks fit into an
//! answer is seen from the last one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// The plan of what is wanted, asked and fetched. `T` is a block with where it came from.
#[derive(Debug)]
pub(crate) struct Fetch<T> {
    /// The height that is handed out next.
    due: u64,
    /// What was neither asked for nor fetched, by first height; the last range has no end.
    wanted: BTreeMap<u64, u64>,
    /// Answers that wait for their turn, by first height.
    early: BTreeMap<u64, VecDeque<T>>,
    /// How many questions are not answered.
    under_way: usize,
    /// How many blocks the last answer held.
    stride: Option<u64>,
    /// The most blocks in an answer.
    answer_max: u64,
    /// How many questions and early answers there may be together.
    open_max: usize,
}

impl<T> Fetch<T> {
    /// Blocks from the height `due` on are wanted.
    pub(crate) fn new(due: u64, answer_max: u64, open_max: usize) -> Self {
        Self {
            due,
            wanted: BTreeMap::from([(due, u64::MAX)]),
            early: BTreeMap::new(),
            under_way: 0,
            stride: None,
            answer_max,
            open_max,
        }
    }

    /// Begins again at `due`. Answers to questions before must not be given in any more.
    pub(crate) fn restart(&mut self, due: u64) {
        let stride = self.stride;
        *self = Self::new(due, self.answer_max, self.open_max);
        self.stride = stride;
    }

    /// The height that is handed out next.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// The next range to ask for, if others have blocks up to `best`. The caller answers it with [`Fetch::answered`] or
    /// [`Fetch::failed`].
    pub(crate) fn question(&mut self, best: u64) -> Option<Range<u64>> {
        // The first answer tells how much fits into one; before it, more questions would overlap.
        let open_max = if self.stride.is_some() {
            self.open_max
        } else {
            1
        };
        let (start, end) = self
            .wanted
            .first_key_value()
            .map(|(start, end)| (*start, *end))?;
        // What is due is always asked for: all else waits for it.
        if start > best || (self.under_way + self.early.len() >= open_max && start != self.due) {
            return None;
        }
        let stride = self.stride.unwrap_or(self.answer_max);
        let stop = end.min(best + 1).min(start + stride);
        self.wanted.remove(&start);
        if stop < end {
            self.wanted.insert(stop, end);
        }
        self.under_way += 1;
        Some(start..stop)
    }

    /// Takes the blocks of an answer: in order from the first height asked for, one at least. Those behind the range are dropped.
    pub(crate) fn answered(&mut self, asked: Range<u64>, blocks: Vec<T>) {
        self.under_way -= 1;
        let count = (blocks.len() as u64).min(self.answer_max);
        let end = asked.end.min(asked.start + count);
        // Fewer than fit, because the other node has no more, say nothing of how many fit.
        if count < asked.end - asked.start || count > self.stride.unwrap_or(0) {
            self.stride = Some(count.max(1));
        }
        self.want(end..asked.end);
        let blocks: VecDeque<T> = blocks
            .into_iter()
            .take((end - asked.start) as usize)
            .collect();
        if !blocks.is_empty() {
            self.early.insert(asked.start, blocks);
        }
    }

    /// A question brought nothing: its range is asked for again.
    pub(crate) fn failed(&mut self, asked: Range<u64>) {
        self.under_way -= 1;
        self.want(asked);
    }

    /// Part of a range is not asked for after all.
    pub(crate) fn leave(&mut self, range: Range<u64>) {
        self.want(range);
    }

    fn want(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let end = self.wanted.remove(&range.end).unwrap_or(range.end);
        self.wanted.insert(range.start, end);
    }

    /// The next block, if it is here.
    pub(crate) fn next(&mut self) -> Option<T> {
        let mut first = self.early.first_entry()?;
        if *first.key() != self.due {
            return None;
        }
        let block = first.get_mut().pop_front()?;
        let rest = first.remove();
        self.due += 1;
        if !rest.is_empty() {
            self.early.insert(self.due, rest);
        }
        Some(block)
    }

    /// Whether nothing is under way and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0 && self.early.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch() -> Fetch<u64> {
        Fetch::new(1, 8, 4)
    }

    /// All that is handed out now.
    fn drain(fetch: &mut Fetch<u64>) -> Vec<u64> {
        core::iter::from_fn(|| fetch.next()).collect()
    }

    #[test]
    fn the_first_answer_tells_how_much_fits_and_then_several_are_asked() {
        let mut fetch = fetch();
        assert_eq!(fetch.question(100), Some(1..9));
        assert_eq!(fetch.question(100), None, "one question first");
        fetch.answered(1..9, vec![1, 2, 3]);
        assert_eq!(drain(&mut fetch), [1, 2, 3]);
        let questions: Vec<_> = core::iter::from_fn(|| fetch.question(100)).collect();
        assert_eq!(questions, [4..7, 7..10, 10..13, 13..16]);
        // The second answer waits for the first, and what its range does not ask for is dropped.
        fetch.answered(7..10, vec![7, 8, 9, 10]);
        assert!(drain(&mut fetch).is_empty());
        fetch.answered(4..7, vec![4, 5, 6]);
        assert_eq!(drain(&mut fetch), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn what_is_missing_is_asked_for_again_before_anything_else() {
        let mut fetch = fetch();
        assert_eq!(fetch.question(100), Some(1..9));
        fetch.answered(1..9, (1..9).collect());
        drain(&mut fetch);
        assert_eq!(fetch.question(100), Some(9..17));
        assert_eq!(fetch.question(100), Some(17..25));
        fetch.answered(17..25, (17..25).collect());
        fetch.failed(9..17);
        assert_eq!(fetch.question(100), Some(9..17));
        fetch.answered(9..17, vec![9, 10]);
        assert_eq!(drain(&mut fetch), [9, 10]);
        assert_eq!(fetch.question(100), Some(11..13), "as much as fitted");
        assert_eq!(fetch.question(100), Some(13..15));
        assert!(!fetch.is_idle());
    }

    #[test]
    fn nothing_is_asked_beyond_what_others_have() {
        let mut fetch = fetch();
        assert_eq!(fetch.question(0), None);
        assert_eq!(fetch.question(2), Some(1..3));
        fetch.answered(1..3, vec![1, 2]);
        assert_eq!(drain(&mut fetch), [1, 2]);
        assert_eq!(fetch.question(2), None);
        assert!(fetch.is_idle());
        assert_eq!(fetch.question(3), Some(3..4));
        fetch.restart(2);
        assert_eq!((fetch.due(), fetch.is_idle()), (2, true));
        assert_eq!(fetch.question(3), Some(2..4));
    }

    #[test]
    fn the_due_block_is_asked_for_even_if_all_room_is_taken() {
        let mut fetch = fetch();
        fetch.question(100);
        fetch.answered(1..9, (1..9).collect());
        drain(&mut fetch);
        let questions: Vec<_> = core::iter::from_fn(|| fetch.question(100)).collect();
        assert_eq!(questions.len(), 4);
        for late in &questions[1..] {
            fetch.answered(late.clone(), late.clone().collect());
        }
        fetch.failed(questions[0].clone());
        assert_eq!(fetch.question(100), Some(questions[0].clone()));
        assert_eq!(fetch.question(100), None);
    }

    /// Whatever order answers come in, however long they are and whichever fail: every block is handed out once, in order.
    #[test]
    fn any_course_hands_out_every_block_once() {
        for seed in 0..200u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = move |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let (mut fetch, mut open, mut seen) = (fetch(), Vec::new(), Vec::new());
            while seen.len() < 100 {
                while let Some(question) = fetch.question(100) {
                    open.push(question);
                    assert!(open.len() <= 5);
                }
                let question = open.swap_remove(next(open.len() as u64) as usize);
                if next(4) == 0 {
                    fetch.failed(question);
                } else {
                    let count = 1 + next(8);
                    let blocks = (question.start..=100).take(count as usize).collect();
                    fetch.answered(question, blocks);
                }
                seen.extend(drain(&mut fetch));
            }
            assert_eq!(seen, (1..=100).collect::<Vec<_>>());
        }
    }
}
