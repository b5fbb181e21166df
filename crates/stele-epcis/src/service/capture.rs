//! Capture: a document is checked, stored, anchored, and made visible.
//!
//! Order of steps, so that a crash loses nothing: (1) job and events with their salts are durable, invisible; (2) the
//! ledger records the commitments; (3) the entries' ids are durable; (4) the events become visible, one by one
//! (`proceed`) or all together (`rollback`); (5) the job ends. [`EpcisService::resume`] takes up what a crash left.
//! Rolling back removes events whose commitments the ledger already holds; such a commitment says nothing without them.

use serde_json::Value;

use super::EpcisService;
use super::answer::{Response, encode};
use super::resources::number_token;
use crate::anchor::{EVENT_ID_BYTES_MAX, EVENT_TYPE_BYTES_MAX, EventToAnchor, ITEMS_MAX};
use crate::canonical::{SALT_BYTES, canonical_event, commitment, jcs};
use crate::facts::EventFacts;
use crate::gs1::match_key;
use crate::json::{JsonError, parse};
use crate::problem::{Exception, Problem};
use crate::query::Parameters;
use crate::store::{Behaviour, Job, NewEvent, NewJob, Pending};
use crate::validate::{Kind, Profile, Violation, validate, validate_event, validate_frame};

/// Events that the ledger is told in one call.
const ANCHOR_BATCH: usize = 500;
/// Faults that a problem's sentence names.
const FAULTS_NAMED: usize = 10;

impl EpcisService {
    /// `POST /capture`: captures a document of either kind and answers `202` with the job's address. The job has ended
    /// by then, unless the ledger could not be asked.
    ///
    /// # Errors
    /// `ValidationException`, `CaptureLimitExceededException`; nothing is stored then.
    pub fn capture(&self, body: &[u8], behaviour: Behaviour) -> Result<Response, Problem> {
        let id = self.start_capture(body, behaviour)?;
        self.run_capture(&id)?;
        Ok(Response::empty(202).header("Location", format!("capture/{}", encode(&id))))
    }

    /// The first half of [`EpcisService::capture`]: checks and stores, and answers the job's id. For servers that anchor
    /// in the background with [`EpcisService::run_capture`].
    ///
    /// # Errors
    /// As [`EpcisService::capture`].
    pub fn start_capture(&self, body: &[u8], behaviour: Behaviour) -> Result<String, Problem> {
        let document = self.parse(body)?;
        let profile = Profile::Schema;
        let checked = match behaviour {
            Behaviour::Rollback => validate(&document, profile),
            Behaviour::Proceed => validate_frame(&document, profile),
        };
        let list = match checked.map_err(|faults| invalid(&faults))? {
            Kind::Document => "/epcisBody/eventList",
            Kind::QueryDocument => "/epcisBody/queryResults/resultsBody/eventList",
            Kind::Event => {
                return Err(Problem::new(
                    Exception::Validation,
                    "a single event is not a document",
                )
                .hint("send it to /events"));
            }
        };
        let events = document
            .pointer(list)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        self.check_count(events.len())?;
        let context = document.get("@context");
        let (mut new, mut errors) = (Vec::new(), Vec::new());
        for (index, event) in events.iter().enumerate() {
            let at = |problem: Problem| located(&problem, list, index);
            let checked = match behaviour {
                Behaviour::Rollback => Ok(()),
                Behaviour::Proceed => {
                    validate_event(event, profile).map_err(|faults| invalid(&faults))
                }
            };
            match checked.and_then(|()| prepare(index, event, context)) {
                Ok(event) => new.push(event),
                Err(problem) if behaviour == Behaviour::Proceed => errors.push(at(problem)),
                Err(problem) => {
                    let detail = format!("{list}/{index}: {}", problem.detail);
                    return Err(Problem { detail, ..problem });
                }
            }
        }
        let id = new_id()?;
        let children = children(&document);
        let job = NewJob {
            id: &id,
            behaviour,
            now_ms: self.now_ms(),
            events: &new,
            children: &children,
            errors,
        };
        self.store
            .begin(job, |index| located(&conflict(), list, index))?;
        Ok(id)
    }

    /// The second half: anchors a job's events and makes them visible. Runs a job that has ended without effect.
    ///
    /// # Errors
    /// `NoSuchNameException`, or a failure of the store; the job can be run again then.
    pub fn run_capture(&self, id: &str) -> Result<(), Problem> {
        let job = self.job(id)?;
        if job.finished_ms.is_some() {
            return Ok(());
        }
        let publish = job.behaviour == Behaviour::Proceed;
        let mut errors = job.errors.clone();
        while publish || errors.is_empty() {
            let batch = self.store.pending(&job, ANCHOR_BATCH)?;
            if batch.is_empty() {
                break;
            }
            if !self.anchor_batch(&job, &batch, publish, &mut errors)? {
                // The ledger cannot be asked now; what waits is taken up by `resume`.
                return Ok(());
            }
        }
        if !publish {
            if errors.is_empty() {
                self.store.publish(&job)?;
            } else {
                self.store.drop_pending(&job)?;
            }
        }
        self.store
            .job_update(job.number, &errors, Some(self.now_ms()))?;
        Ok(())
    }

    /// Anchors a batch; false when the ledger cannot be asked now.
    fn anchor_batch(
        &self,
        job: &Job,
        batch: &[Pending],
        publish: bool,
        errors: &mut Vec<Value>,
    ) -> Result<bool, Problem> {
        let told: Vec<_> = batch
            .iter()
            .map(|event| EventToAnchor::new(&event.facts, event.stored.commitment))
            .collect();
        let answers = self.anchor.anchor(&told);
        assert_eq!(answers.len(), told.len(), "an anchor answers each event");
        let (mut anchored, mut refused, mut available) = (Vec::new(), Vec::new(), true);
        for (event, answer) in batch.iter().zip(answers) {
            match answer {
                Ok(entry_id) => anchored.push((event, entry_id)),
                Err(error) if error.temporary => available = false,
                Err(error) => {
                    let detail = format!(
                        "{}: the ledger refused ({}): {}",
                        event.facts.event_id, error.code, error.detail
                    );
                    errors.push(Problem::new(Exception::Implementation, detail).to_json());
                    refused.push(event);
                }
            }
        }
        self.store.anchored(&anchored, publish)?;
        if !refused.is_empty() {
            // The errors first: an event never disappears without a word.
            self.store.job_update(job.number, errors, None)?;
            for event in refused {
                self.store.drop_event(event)?;
            }
        }
        Ok(available)
    }

    /// Takes up the jobs that a crash or an unavailable ledger left; answers how many ended.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn resume(&self) -> Result<usize, Problem> {
        let mut ended = 0;
        for id in self.store.unfinished_jobs()? {
            self.run_capture(&id)?;
            ended += usize::from(self.job(&id)?.finished_ms.is_some());
        }
        Ok(ended)
    }

    /// `POST /events`: captures one event and answers `201` with its address.
    ///
    /// # Errors
    /// `ValidationException`; `ResourceAlreadyExistsException` for an id that is taken, also by the same event.
    pub fn capture_event(&self, body: &[u8]) -> Result<Response, Problem> {
        let event = self.parse(body)?;
        match validate(&event, Profile::Schema).map_err(|faults| invalid(&faults))? {
            Kind::Event => {}
            _ => {
                return Err(Problem::new(
                    Exception::Validation,
                    "a document is not a single event",
                )
                .hint("send it to /capture"));
            }
        }
        let new = [prepare(0, &event, None)?];
        let event_id = new[0].facts.event_id.clone();
        let id = new_id()?;
        let job = NewJob {
            id: &id,
            behaviour: Behaviour::Rollback,
            now_ms: self.now_ms(),
            events: &new,
            children: &[],
            errors: Vec::new(),
        };
        let begun = self.store.begin(job, |_| conflict().to_json())?;
        self.run_capture(&id)?;
        if begun.known > 0 || !begun.conflicts.is_empty() {
            return Err(conflict());
        }
        if let Some(error) = self.job(&id)?.errors.first() {
            let detail = error["detail"].as_str().unwrap_or("the event was refused");
            return Err(Problem::new(Exception::Implementation, detail));
        }
        Ok(Response::json(201, event).header("Location", format!("events/{}", encode(&event_id))))
    }

    /// `GET /capture/{captureID}`.
    ///
    /// # Errors
    /// `NoSuchNameException`.
    pub fn capture_job(&self, id: &str) -> Result<Response, Problem> {
        Ok(Response::json(200, self.job(id)?.to_json()))
    }

    /// `GET /capture`: jobs, the newest first.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn capture_jobs(&self, parameters: &Parameters) -> Result<Response, Problem> {
        let (rows, before) = number_token(parameters)?;
        let mut jobs = self.store.jobs(before, rows + 1)?;
        let more = jobs.len() > rows;
        jobs.truncate(rows);
        let next = jobs
            .last()
            .filter(|_| more)
            .map(|job| hex::encode(job.number.to_string()));
        Ok(Response::json(200, jobs.iter().map(Job::to_json).collect()).link(next, parameters))
    }

    fn job(&self, id: &str) -> Result<Job, Problem> {
        let job = self.store.job(id)?;
        job.ok_or_else(|| {
            Problem::new(
                Exception::NoSuchName,
                "there is no capture job with this id",
            )
        })
    }

    fn parse(&self, body: &[u8]) -> Result<Value, Problem> {
        parse(body, &self.limits).map_err(|error| {
            let exception = match error {
                JsonError::TooLong { .. } => Exception::CaptureLimitExceeded,
                JsonError::Syntax(_) => Exception::Validation,
            };
            Problem::new(exception, error.to_string())
        })
    }

    fn check_count(&self, count: usize) -> Result<(), Problem> {
        let max = self.limits.events_max;
        if count > max {
            let detail = format!("the document has {count} events, at most {max} are taken");
            return Err(
                Problem::new(Exception::CaptureLimitExceeded, detail).hint("split the document")
            );
        }
        Ok(())
    }
}

/// Makes a valid event ready to be stored.
fn prepare(index: usize, event: &Value, context: Option<&Value>) -> Result<NewEvent, Problem> {
    let bad = |detail: String| Problem::new(Exception::Validation, detail);
    let canonical = canonical_event(event, context).map_err(|e| bad(e.to_string()))?;
    let json = jcs(&canonical).map_err(|e| bad(e.to_string()))?;
    let facts = EventFacts::of(&canonical)
        .ok_or_else(|| bad("the event has no type, time or id".to_owned()))?;
    if facts.epcs.len() + facts.classes.len() > ITEMS_MAX {
        return Err(bad(format!("the event names more than {ITEMS_MAX} items")));
    }
    if facts.event_id.len() > EVENT_ID_BYTES_MAX || facts.event_type.len() > EVENT_TYPE_BYTES_MAX {
        return Err(bad(format!(
            "`eventID` has at most {EVENT_ID_BYTES_MAX} bytes and `type` {EVENT_TYPE_BYTES_MAX}"
        )));
    }
    let mut salt = [0; SALT_BYTES];
    random(&mut salt)?;
    let commitment = commitment(&salt, &canonical).map_err(|e| bad(e.to_string()))?;
    Ok(NewEvent {
        index,
        facts,
        json,
        salt,
        commitment,
    })
}

fn random(bytes: &mut [u8]) -> Result<(), Problem> {
    getrandom::fill(bytes).map_err(|_| {
        Problem::new(
            Exception::Implementation,
            "the system's source of randomness failed",
        )
    })
}

fn new_id() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn conflict() -> Problem {
    Problem::new(
        Exception::ResourceAlreadyExists,
        "there is an event with this id already",
    )
    .hint("to correct an event, capture it again with an errorDeclaration")
}

fn invalid(faults: &[Violation]) -> Problem {
    let named: Vec<_> = faults
        .iter()
        .take(FAULTS_NAMED)
        .map(ToString::to_string)
        .collect();
    let more = match faults.len().saturating_sub(FAULTS_NAMED) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    Problem::new(Exception::Validation, format!("{}{more}", named.join("; ")))
}

/// A problem with the place of the event in the captured document.
fn located(problem: &Problem, list: &str, index: usize) -> Value {
    let mut body = problem.to_json();
    body["pointer"] = Value::String(format!("{list}/{index}"));
    body
}

/// Which places lie in which, from the document's master data, as keys that queries compare.
fn children(document: &Value) -> Vec<(String, String)> {
    let vocabularies = [
        "/epcisHeader/epcisMasterData/vocabularyList",
        "/epcisBody/queryResults/resultsBody/vocabularyList",
    ];
    let lists = vocabularies
        .iter()
        .filter_map(|list| document.pointer(list)?.as_array())
        .flatten();
    let elements = lists
        .filter_map(|v| v.get("vocabularyElementList")?.as_array())
        .flatten();
    elements
        .filter_map(|element| {
            Some((
                element.get("id")?.as_str()?,
                element.get("children")?.as_array()?,
            ))
        })
        .flat_map(|(parent, children)| {
            let parent = match_key(parent);
            children
                .iter()
                .filter_map(Value::as_str)
                .map(move |child| (parent.clone(), match_key(child)))
        })
        .collect()
}
