//! Documents that are not ours: the user's own, or the standard's examples.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use stele_epcis::validate::{Kind, Profile, validate};

use super::check::Chain;
use super::{Measured, epcis};
use crate::data::{self, DataError};
use crate::frame::{Block, Cell, Run, ScenarioError};

const STEP: &str = "capture-given-documents";
/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// The most files of a folder.
const FILES_MAX: usize = 10_000;

/// What became of one file.
enum Fate {
    /// Captured, with so many events, of which so many were first captured without their error declaration.
    Captured(usize, usize),
    /// Not EPCIS 2.0, or refused by a rule; with the reason.
    Refused(String),
}

pub(super) fn capture(run: &mut Run<'_>, measured: &mut Measured) -> Result<(), ScenarioError> {
    let (folder, origin) = match source(run)? {
        Ok(found) => found,
        Err(reason) => {
            run.omit(STEP, reason);
            return Ok(());
        }
    };
    run.step(STEP, |run| {
        let files = files(&folder)?;
        run.describe_input(format!("generated documents of fictional parties, and {} files of {origin}", files.len()));
        let mut chain = Chain::default();
        let (mut rows, mut captured, mut events) = (Vec::new(), 0, 0);
        for (done, file) in files.iter().enumerate() {
            run.at(done, files.len());
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let cell = match one(run, &mut chain, file)? {
                Fate::Captured(count, declared) => {
                    captured += 1;
                    events += count;
                    let plural = if count == 1 { "" } else { "s" };
                    let first = if declared == 0 { "" } else { ", after the event that it declares wrong" };
                    Cell::Good(format!("{count} event{plural} captured and proven{first}"))
                }
                Fate::Refused(reason) => Cell::Bad(reason),
            };
            rows.push(vec![Cell::Code(name), cell]);
        }
        run.show(Block::Table { caption: format!("Files of {origin}"), head: vec!["File", "What became of it"], rows });
        measured.given = Some((files.len(), captured));
        if captured == 0 {
            return Err(ScenarioError::Input { path: folder.clone(), reason: "no file in it could be captured".to_owned() });
        }
        let refused = files.len() - captured;
        let rest = match refused {
            0 => String::new(),
            1 => " One was refused; the page says why.".to_owned(),
            n => format!(" {n} were refused; the page says why."),
        };
        Ok(((), format!("{captured} of {} files of {origin} captured, with {events} events whose commitments are proven.{rest}", files.len())))
    })
}

/// The folder and what to call it; or why there is none.
fn source(run: &Run<'_>) -> Result<Result<(PathBuf, String), String>, ScenarioError> {
    if let Some(folder) = run.input() {
        return Ok(Ok((folder.to_owned(), "the given folder".to_owned())));
    }
    match data::find("epcis-examples", run.data()) {
        Ok(found) => Ok(Ok((found.folder, "the data set epcis-examples".to_owned()))),
        Err(error @ DataError::Damaged { .. }) => Err(ScenarioError::broken(
            "the data set epcis-examples as published",
            error.to_string(),
        )),
        Err(error) => Ok(Err(format!(
            "No documents were given: {error}; {}, or name a folder with --input.",
            error.hint()
        ))),
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    let wrong = |reason: String| ScenarioError::Input {
        path: folder.to_owned(),
        reason,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(error.to_string()))? {
        let path = entry.map_err(|error| wrong(error.to_string()))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_file() && matches!(ending, Some("jsonld" | "json")) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(wrong(format!("more than {FILES_MAX} files")));
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(wrong("no *.jsonld or *.json file in it".to_owned())),
        false => Ok(files),
    }
}

/// Sends one file as it is. What our own check finds wrong must be refused by the node too.
fn one(run: &mut Run<'_>, chain: &mut Chain, file: &Path) -> Result<Fate, ScenarioError> {
    let document = match read(file) {
        Ok(document) => document,
        Err(reason) => return Ok(Fate::Refused(reason)),
    };
    let checked = validate(&document, Profile::Schema);
    let declared = match &checked {
        Ok(kind) => declare(run, &document, *kind)?,
        Err(_) => 0,
    };
    let answer = match &checked {
        Ok(Kind::Event) => epcis::capture_event(run.client(), &document)?,
        _ => epcis::capture(run.client(), &document)?,
    };
    let kind = match (checked, answer) {
        (Ok(kind), Ok(())) => kind,
        // Sent before, and the same: an event on its own is refused then, in a document it is not.
        (Ok(Kind::Event), Err(_)) if chain.check(run, &document, &document["@context"]).is_ok() => {
            Kind::Event
        }
        (Ok(_), Err(reason)) => {
            return Ok(Fate::Refused(format!("valid, but refused: {reason}")));
        }
        (Err(violations), Err(_)) => {
            let first = &violations[0];
            let more = match violations.len() {
                1 => String::new(),
                n => format!("; and {} more", n - 1),
            };
            return Ok(Fate::Refused(format!("not valid EPCIS 2.0: {first}{more}")));
        }
        (Err(violations), Ok(())) => {
            return Err(ScenarioError::broken(
                format!("{} to be refused: {}", file.display(), violations[0]),
                "the node captured it",
            ));
        }
    };
    let events = events(&document, kind);
    for event in &events {
        chain.check(run, event, &document["@context"])?;
    }
    Ok(Fate::Captured(events.len(), declared))
}

fn events(document: &Json, kind: Kind) -> Vec<Json> {
    let list = match kind {
        Kind::Document => "/epcisBody/eventList",
        Kind::QueryDocument => "/epcisBody/queryResults/resultsBody/eventList",
        Kind::Event => return vec![document.clone()],
    };
    document
        .pointer(list)
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default()
}

/// An error declaration is the event again, with the declaration (EPCIS 2.0 section 7.4.1.2); only a recorded event can be
/// declared wrong. Where a document declares an event that the repository lacks, that event is captured first. Returns how
/// many were.
fn declare(run: &mut Run<'_>, document: &Json, kind: Kind) -> Result<usize, ScenarioError> {
    let mut count = 0;
    for mut event in events(document, kind) {
        let Some(map) = event.as_object_mut() else {
            continue;
        };
        if map.shift_remove("errorDeclaration").is_none() {
            continue;
        }
        let known = match map.get("eventID").and_then(Json::as_str) {
            Some(id) => epcis::is_known(run.client(), id)?,
            None => true,
        };
        if known {
            continue;
        }
        if !map.contains_key("@context") {
            map.insert("@context".to_owned(), document["@context"].clone());
        }
        count += usize::from(epcis::capture_event(run.client(), &event)?.is_ok());
    }
    Ok(count)
}

fn read(file: &Path) -> Result<Json, String> {
    let length = std::fs::metadata(file)
        .map_err(|error| error.to_string())?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(format!(
            "{length} bytes, more than the {FILE_BYTES_MAX} that are read"
        ));
    }
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("not JSON: {error}"))
}
