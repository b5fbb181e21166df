//! What the tests of a crate with tables of rules check.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Rule;

/// Set to anything: pages are written, not compared.
const WRITE: &str = "STELE_WRITE_PAGES";

/// Checks that each rule has a code of its own, whole sentences, and a test in the sources that names the rule's constant.
///
/// # Panics
/// For the first rule that does not.
pub fn tables<'a>(tables: impl IntoIterator<Item = &'a [&'a Rule]>, sources: &Path) {
    let mut texts = Vec::new();
    read(sources, &mut texts);
    let mut codes = HashSet::new();
    for rule in tables.into_iter().flatten() {
        let Rule {
            name, code, test, ..
        } = rule;
        assert!(codes.insert(code), "{code} stands twice");
        let whole = rule.sentence.ends_with('.') && rule.hint.ends_with('.');
        assert!(whole, "{code}: sentence and hint end with a full stop");
        let found = texts.iter().find_map(|text| body(text, test));
        let body = found.unwrap_or_else(|| panic!("{code}: there is no test {test}"));
        assert!(body.contains(name), "{code}: {test} does not name {name}");
    }
}

/// Checks that a page is what the tables say, or writes it if `STELE_WRITE_PAGES` is set.
///
/// # Panics
/// If it is not.
pub fn page(file: &Path, content: &str) {
    if std::env::var_os(WRITE).is_some() {
        fs::write(file, content).expect("the page can be written");
    }
    let written = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == content,
        "{} is not what the tables say; {WRITE}=1 writes it",
        file.display()
    );
}

/// All sources below a folder.
fn read(folder: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).expect("the folder of sources");
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(fs::read_to_string(path).expect("a source"));
        }
    }
}

/// The body of a test function, up to the next attribute of a test.
fn body<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let start = source.find(&format!("fn {name}("))?;
    let rest = &source[start..];
    Some(&rest[..rest.find("#[test]").unwrap_or(rest.len())])
}
