//! The rules of this crate, and the page of them all.

pub use stele_refusal::{Refusal, Rule, refusal_table};

/// The tables of all modules, each with the heading of its part of the page.
pub const TABLES: &[(&str, &[&Rule])] = &[
    ("JSON and encodings", crate::json::rules::TABLE),
    ("Signatures and keys", crate::jose::rules::TABLE),
    ("Identifiers", crate::did::rules::TABLE),
    ("SD-JWT credentials", crate::sd_jwt::rules::TABLE),
    ("Status", crate::status::rules::TABLE),
    ("Presentations", crate::openid::rules::TABLE),
    ("Proofs of issuance", crate::trust::rules::TABLE),
    ("Data Integrity", crate::integrity::rules::TABLE),
    ("Education", crate::education::rules::TABLE),
];

/// The page docs/credentials/refusals.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Refusals of credentials\n\nEach refusal has a code that never changes its meaning, a sentence for the person at the \
         counter, and a hint. The last column names the test that shows it.\nThe page is written from the tables in \
         `crates/stele-credentials` by `STELE_WRITE_PAGES=1 cargo nextest run -p stele-credentials refusals_page`.\n",
    );
    for (heading, table) in TABLES {
        page.push_str(&format!("\n## {heading}\n\n{}", stele_refusal::rows(table)));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_rule_has_its_own_code_and_a_test_that_names_it() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        stele_refusal::check::tables(TABLES.iter().map(|(_, table)| *table), &sources);
    }

    #[test]
    fn the_refusals_page_is_the_tables() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/credentials/refusals.md");
        stele_refusal::check::page(&file, &page());
    }
}
