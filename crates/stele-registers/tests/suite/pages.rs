//! The reference tables in `docs/registers/` are those that the registers' descriptions give.

use std::path::PathBuf;

use stele_registers::reference::{BEGIN, END, refusals, tables};
use stele_registers::{Registry, registry};

/// Replaces the generated part of a page, or compares it. `STELE_UPDATE_DOCS=1` replaces.
fn check(name: &str, generated: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs/registers", name]
        .iter()
        .collect();
    let page = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (before, rest) = page
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("{name} lacks {BEGIN}"));
    let (_, after) = rest
        .split_once(END)
        .unwrap_or_else(|| panic!("{name} lacks {END}"));
    let expected = format!("{before}{BEGIN}\n{generated}{END}{after}");
    #[allow(
        clippy::disallowed_methods,
        reason = "a test's own switch, not a register's"
    )]
    let update = std::env::var("STELE_UPDATE_DOCS").is_ok();
    if update {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(
            page == expected,
            "{name} has drifted: run this test with STELE_UPDATE_DOCS=1"
        );
    }
}

#[test]
fn the_pages_say_what_the_registers_say() {
    let registry = Registry::standard();
    for register in registry.registers() {
        check(&format!("{}.md", register.name()), &tables(register));
    }
    let mut own = String::new();
    refusals(&mut own, registry::REFUSALS);
    check("README.md", &own);
}
