//! `stele data`: the pinned data sets of scenarios.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use stele_scenarios::data::{DataError, DataSet, Found, SETS, cache, check, find, set};

use super::{read_input, write_file};
use crate::cli::{DataArgs, DataWhat};
use crate::env;
use crate::failure::{Exit, Failure, Outcome};
use crate::printer::{Printer, Tone};

/// Lists data sets or copies one into the user's cache.
///
/// # Errors
/// A set that is unknown, missing or damaged.
pub fn run(args: &DataArgs, printer: &Printer) -> Outcome {
    match &args.what {
        DataWhat::List => list(args.data.as_deref(), printer),
        DataWhat::Get { name } => get(name, args.data.as_deref(), printer),
    }
}

fn list(given: Option<&Path>, printer: &Printer) -> Outcome {
    let rows: Vec<_> = SETS
        .iter()
        .map(|set| (set, find(set.name, given)))
        .collect();
    if printer.is_json() {
        printer.json(
            &rows
                .iter()
                .map(|(set, found)| row_json(set, found))
                .collect(),
        )?;
        return Ok(Exit::Done);
    }
    for (set, found) in &rows {
        let state = match found {
            Ok(found) => format!(
                "{} {} ({})",
                printer.word(Tone::Good, "here"),
                found.folder.display(),
                found.by
            ),
            Err(DataError::Missing { .. }) => "not here".to_owned(),
            Err(error) => format!("{} {error}", printer.word(Tone::Bad, "damaged")),
        };
        printer.data(set.name)?;
        printer.data(format_args!("  {}", set.about))?;
        printer.data(format_args!("  licence   {}", set.licence))?;
        printer.data(format_args!("  upstream  {}", set.upstream))?;
        printer.data(format_args!(
            "  files     {}, below {}",
            set.files.len(),
            set.folder
        ))?;
        printer.data(format_args!("  state     {state}"))?;
    }
    Ok(Exit::Done)
}

fn row_json(set: &DataSet, found: &Result<Found, DataError>) -> Json {
    let mut row = serde_json::to_value(set).expect("plain data");
    row["found"] = match found {
        Ok(found) => json!({"folder": found.folder, "by": found.by}),
        Err(_) => Json::Null,
    };
    row["problem"] = match found {
        Ok(_) | Err(DataError::Missing { .. }) => Json::Null,
        Err(error) => error.to_string().into(),
    };
    row
}

fn get(name: &str, given: Option<&Path>, printer: &Printer) -> Outcome {
    let set = set(name).map_err(|error| failure(&error))?;
    let cache = cache().ok_or_else(|| {
        Failure::unusable("there is no folder for caches").hint("set HOME or XDG_CACHE_HOME")
    })?;
    let found = match find(name, given) {
        Ok(found) => found,
        Err(DataError::Missing { .. }) => return Err(missing(set)),
        Err(error) => return Err(failure(&error)),
    };
    let target = cache.join(set.folder);
    if found.folder != target {
        fs::create_dir_all(&target).map_err(Failure::io("create", &target))?;
        let mut bar = printer.progress();
        for (done, file) in set.files.iter().enumerate() {
            bar.update("copying", done as u64, set.files.len() as u64);
            let bytes = read_input(
                &found.folder.join(file.name),
                stele_scenarios::data::FILE_BYTES_MAX as usize,
            )?;
            let path = target.join(file.name);
            write_file(&path, &bytes, false)?;
            // What counts is what lies there now.
            check(&path, file.sha256).map_err(|error| failure(&error))?;
        }
    }
    if printer.is_json() {
        printer.json(&json!({"name": name, "folder": target, "files": set.files.len()}))?;
    } else {
        let (files, from) = (set.files.len(), found.folder.display());
        printer.data(format_args!(
            "{} {name}: {files} files in {}",
            printer.word(Tone::Good, "here"),
            target.display()
        ))?;
        printer.detail(format_args!(
            "from {from}, each compared with its pinned SHA-256"
        ));
    }
    Ok(Exit::Done)
}

fn failure(error: &DataError) -> Failure {
    let failure = Failure::unusable(error);
    match error {
        DataError::Damaged { .. } => failure.hint(
            "remove the file, or take the folder from a place that has it as it was published",
        ),
        error => failure.hint(error.hint()),
    }
}

/// This program downloads nothing: it says where the files come from and where they go.
fn missing(set: &DataSet) -> Failure {
    Failure::unusable(format!(
        "the data set `{}` is in none of the places that are looked in",
        set.name
    ))
    .hint(format!(
        "name a folder that holds {} with --data or {}, then run this again",
        set.folder,
        env::DATA
    ))
    .hint(format!(
        "stele downloads nothing by itself: the {} files are published below {}",
        set.files.len(),
        set.upstream
    ))
    .hint(format!(
        "`stele data list --format json` has each file's place and SHA-256; licence: {}",
        set.licence
    ))
}
