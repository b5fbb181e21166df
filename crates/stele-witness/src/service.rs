//! The rules of a witness (C2SP tlog-witness, `add-checkpoint`).

use std::collections::HashMap;

use parking_lot::Mutex;
use stele_core::merkle::checkpoint::{Checkpoint, Note, NoteLimits};
use stele_core::merkle::{empty_root, verify_consistency};
use stele_core::witness::{AddCheckpoint, LogKey, LogKeyError, RequestError, WitnessKey, cosign};

use crate::store::{Latest, Store, StoreError, origin_hash, read_all};

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The body is no request.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// The witness does not know this log.
    #[error("this witness does not know the log {origin:?}")]
    UnknownLog {
        /// The log's origin.
        origin: String,
    },
    /// The checkpoint is not signed by a key that the witness trusts for the log.
    #[error("the checkpoint is not signed by the log: {reason}")]
    NotSigned {
        /// What was found.
        reason: String,
    },
    /// The old size is above that of the checkpoint.
    #[error("the old size {old} is above the checkpoint's {size}")]
    SizesOutOfOrder {
        /// The old size given.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The witness cosigned another size last.
    #[error("the newest checkpoint cosigned here has size {size}")]
    OtherSize {
        /// That size.
        size: u64,
    },
    /// The tree does not continue the one cosigned last.
    #[error("the log of size {size} does not continue the one of size {old}: {reason}")]
    NotConsistent {
        /// The size cosigned last.
        old: u64,
        /// The size asked for.
        size: u64,
        /// What does not fit.
        reason: String,
    },
    /// The witness cannot write down what it would say.
    #[error("the witness cannot keep its state now")]
    Storage(#[from] StoreError),
    /// An earlier write failed, so what is on disk is not known.
    #[error(
        "an earlier write of this log's state failed; the witness says nothing about it until it is started again"
    )]
    Stopped,
}

impl Refusal {
    /// The HTTP status that C2SP asks for.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::SizesOutOfOrder { .. } => 400,
            Self::NotSigned { .. } => 403,
            Self::UnknownLog { .. } => 404,
            Self::OtherSize { .. } => 409,
            Self::NotConsistent { .. } => 422,
            Self::Storage(_) | Self::Stopped => 500,
        }
    }

    /// The rule that refused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "witness.malformed",
            Self::SizesOutOfOrder { .. } => "witness.sizes-out-of-order",
            Self::NotSigned { .. } => "witness.not-signed",
            Self::UnknownLog { .. } => "witness.unknown-log",
            Self::OtherSize { .. } => "witness.other-size",
            Self::NotConsistent { .. } => "witness.not-consistent",
            Self::Storage(_) | Self::Stopped => "witness.storage",
        }
    }

    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "C2SP tlog-witness describes the request.",
            Self::SizesOutOfOrder { .. } => {
                "Ask with the size of the newest cosigned checkpoint, which a 409 names."
            }
            Self::NotSigned { .. } => "The witness's operator gives the log's key with --log.",
            Self::UnknownLog { .. } => "Ask the witness's operator to add the log.",
            Self::OtherSize { .. } => "Ask again with a proof from that size.",
            Self::NotConsistent { .. } => {
                "If the proof is right, the log has two histories: ask its operators."
            }
            Self::Storage(_) | Self::Stopped => {
                "The witness's operator finds the cause in its log."
            }
        }
    }
}

struct Log {
    keys: Vec<LogKey>,
    state: Mutex<State>,
}

struct State {
    latest: Option<Latest>,
    /// A write failed half-way: memory and disk may differ.
    stopped: bool,
}

/// A witness of some logs.
pub struct Witness {
    store: Store,
    logs: HashMap<String, Log>,
}

impl Witness {
    /// A witness of these logs: origins and keys, several for one origin where any of them will do.
    ///
    /// # Errors
    /// [`StoreError`] when what was cosigned before cannot be read.
    pub fn new(
        store: Store,
        keys: impl IntoIterator<Item = (String, LogKey)>,
    ) -> Result<Self, StoreError> {
        let mut trusted: HashMap<String, Vec<LogKey>> = HashMap::new();
        for (origin, key) in keys {
            trusted.entry(origin).or_default().push(key);
        }
        let mut kept = read_all(&store, trusted.keys().cloned())?;
        let logs = trusted.into_iter().map(|(origin, keys)| {
            let latest = kept.remove(&origin).flatten();
            let state = Mutex::new(State {
                latest,
                stopped: false,
            });
            (origin, Log { keys, state })
        });
        Ok(Self {
            logs: logs.collect(),
            store,
        })
    }

    /// The key that verifiers and logs know the witness by.
    pub fn verifier(&self) -> &WitnessKey {
        self.store.verifier()
    }

    /// The origins of its logs, and the sizes cosigned last.
    pub fn logs(&self) -> Vec<(String, Option<u64>)> {
        let size = |log: &Log| log.state.lock().latest.as_ref().map(|latest| latest.size);
        let mut logs: Vec<_> = self
            .logs
            .iter()
            .map(|(origin, log)| (origin.clone(), size(log)))
            .collect();
        logs.sort();
        logs
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256 in hexadecimal.
    pub fn checkpoint(&self, hash: &str) -> Option<String> {
        let (_, log) = self
            .logs
            .iter()
            .find(|(origin, _)| origin_hash(origin) == hash)?;
        let latest = &log.state.lock().latest;
        latest.as_ref().map(|latest| latest.note.clone())
    }

    /// Answers an `add-checkpoint` at `now`, seconds since 1970: the cosignature's line, which is on disk before it is returned.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is cosigned then, and what was cosigned last stays.
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Result<String, Refusal> {
        let request = parse(body)?;
        let checkpoint = Checkpoint::parse(&request.note.text)
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        let Some(log) = self.logs.get(&checkpoint.origin) else {
            return Err(Refusal::UnknownLog {
                origin: checkpoint.origin,
            });
        };
        let signed = log.signed(&request.note)?;
        // Held until the answer is on disk: of two requests the second is judged against the first.
        let mut state = log.state.lock();
        if state.stopped {
            return Err(Refusal::Stopped);
        }
        self.look_for_a_split(&state, &checkpoint, &signed)?;
        judge(&state, &request, &checkpoint)?;
        let time = state.latest.as_ref().map_or(now, |last| last.time.max(now));
        let line = cosign(self.store.name(), self.store.key(), &signed.text, time)
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        let answer = line.line().expect("the name is one of a key") + "\n";
        let mut note = signed;
        note.signatures.push(line);
        let note = note.format().expect("there are signatures");
        state.stopped = true;
        self.store.keep(&checkpoint.origin, &note)?;
        *state = State {
            latest: Some(Latest {
                size: checkpoint.size,
                root: checkpoint.root,
                time,
                note,
            }),
            stopped: false,
        };
        Ok(answer)
    }

    /// The log signed another root for the size cosigned last: whatever else the request says, that is proof of two histories.
    fn look_for_a_split(
        &self,
        state: &State,
        checkpoint: &Checkpoint,
        signed: &Note,
    ) -> Result<(), Refusal> {
        let Some(latest) = &state.latest else {
            return Ok(());
        };
        if checkpoint.size != latest.size || checkpoint.root == latest.root {
            return Ok(());
        }
        let (origin, size) = (&checkpoint.origin, checkpoint.size);
        tracing::error!(
            origin,
            size,
            "the log signed two trees of one size; the other note is kept as evidence"
        );
        let note = signed.format().expect("a signed note");
        Ok(self.store.keep_split(origin, &checkpoint.root, &note)?)
    }
}

impl Log {
    /// The note with the log's own signatures alone, once they hold.
    fn signed(&self, note: &Note) -> Result<Note, Refusal> {
        let mut signatures = Vec::new();
        for key in &self.keys {
            match key.open(note) {
                Ok(_) => signatures.extend(key.lines(note).cloned()),
                Err(LogKeyError::Missing { .. }) => {}
                Err(error) => {
                    return Err(Refusal::NotSigned {
                        reason: error.to_string(),
                    });
                }
            }
        }
        if signatures.is_empty() {
            return Err(Refusal::NotSigned {
                reason: "there is no line by a key that this witness trusts for it".to_owned(),
            });
        }
        Ok(Note {
            text: note.text.clone(),
            signatures,
        })
    }
}

fn parse(body: &[u8]) -> Result<AddCheckpoint, Refusal> {
    let malformed = |error: &dyn std::fmt::Display| Refusal::Malformed(error.to_string());
    let body = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    AddCheckpoint::parse(body, &NoteLimits::default()).map_err(|error| match error {
        RequestError::Note(cause) => malformed(&cause),
        error => malformed(&error),
    })
}

/// Whether the checkpoint continues what was cosigned last, in the order of C2SP's checks.
fn judge(state: &State, request: &AddCheckpoint, checkpoint: &Checkpoint) -> Result<(), Refusal> {
    let (old, size) = (request.old_size, checkpoint.size);
    if old > size {
        return Err(Refusal::SizesOutOfOrder { old, size });
    }
    let latest = state.latest.as_ref();
    let known = latest.map_or(0, |latest| latest.size);
    if old != known {
        return Err(Refusal::OtherSize { size: known });
    }
    let refuse = |reason: &dyn std::fmt::Display| {
        Err(Refusal::NotConsistent {
            old,
            size,
            reason: reason.to_string(),
        })
    };
    if size == 0 && checkpoint.root != empty_root() {
        return refuse(&"the root is not that of the empty log");
    }
    let Some(latest) = latest.filter(|_| old > 0) else {
        return if request.proof.is_empty() {
            Ok(())
        } else {
            refuse(&"nothing is to be proven from the empty log")
        };
    };
    let proof = &request.proof;
    match verify_consistency(old, &latest.root, size, &checkpoint.root, proof) {
        Ok(()) => Ok(()),
        Err(error) => refuse(&error),
    }
}
