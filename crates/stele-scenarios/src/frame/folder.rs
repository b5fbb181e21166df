//! The folder that a run leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

use super::report::{Report, network_json};
use super::{ScenarioError, html};

/// Files that a run writes carry these endings; an earlier run's are removed first.
const OWN: [&str; 4] = ["receipt", "json", "jsonld", "html"];

pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, empty of an earlier run's files.
    pub fn create(path: &Path) -> Result<Self, ScenarioError> {
        let wrap = |source| ScenarioError::Write {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(wrap)?;
        let folder = Self {
            path: path.to_owned(),
        };
        // Only a folder that holds a report is cleaned, so that a slip of the hand deletes nothing.
        if path.join("report.json").is_file() {
            for entry in fs::read_dir(path).map_err(wrap)? {
                let file = entry.map_err(wrap)?.path();
                let own = file
                    .extension()
                    .and_then(|e| e.to_str())
                    .is_some_and(|e| OWN.contains(&e));
                if own && file.is_file() {
                    fs::remove_file(&file).map_err(wrap)?;
                }
            }
        }
        Ok(folder)
    }

    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), ScenarioError> {
        let path = self.path.join(file);
        fs::write(&path, bytes).map_err(|source| ScenarioError::Write { path, source })
    }

    /// Writes `NN-slug.receipt` and returns that name.
    pub fn write_receipt(
        &self,
        number: usize,
        claim: &str,
        bytes: &[u8],
    ) -> Result<String, ScenarioError> {
        let file = format!("{number:02}-{}.receipt", slug(claim));
        self.write(&file, bytes)?;
        Ok(file)
    }

    pub fn write_report(&self, report: &Report) -> Result<(), ScenarioError> {
        let pretty = |value| {
            let mut text = serde_json::to_string_pretty(&value).expect("a report is plain data");
            text.push('\n');
            text.into_bytes()
        };
        self.write("network.json", &pretty(network_json(&report.network)))?;
        self.write("index.html", html::page(report).as_bytes())?;
        // Last: a folder with this file is a whole report.
        self.write("report.json", &pretty(report.to_json(None)))
    }
}

/// The first words of a claim, fit for a file name anywhere.
fn slug(claim: &str) -> String {
    let mut slug = String::new();
    for word in claim
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        if slug.len() + word.len() > 40 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() {
        "receipt".to_owned()
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_and_plain() {
        assert_eq!(
            slug("Bottle 12 of lot B: held by the Fictional Shop, since block 7"),
            "bottle-12-of-lot-b-held-by-the-fictional"
        );
        assert_eq!(slug("\u{2026}"), "receipt");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
    }

    #[test]
    fn only_a_folder_with_a_report_is_cleaned() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.json"), "{}").unwrap();
        Folder::create(dir.path()).unwrap();
        assert!(dir.path().join("mine.json").exists());
        fs::write(dir.path().join("report.json"), "{}").unwrap();
        fs::write(dir.path().join("01-x.receipt"), "x").unwrap();
        fs::write(dir.path().join("notes.txt"), "kept").unwrap();
        Folder::create(dir.path()).unwrap();
        assert!(!dir.path().join("01-x.receipt").exists());
        assert!(dir.path().join("notes.txt").exists());
    }
}
