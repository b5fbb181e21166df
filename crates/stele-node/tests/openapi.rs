//! The published OpenAPI document is the one that the program generates.

use std::path::Path;

#[test]
fn the_published_document_has_not_drifted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let generated = stele_node::api::description()
        .to_pretty_json()
        .expect("plain data")
        + "\n";
    if std::env::var_os("STELE_BLESS").is_some() {
        std::fs::write(&path, &generated).expect("docs/ can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == generated,
        "docs/openapi.json is not what the program generates; write it anew with \
         STELE_BLESS=1 cargo nextest run -p stele-node --test openapi"
    );
}
