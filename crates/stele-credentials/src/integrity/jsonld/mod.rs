//! JSON-LD 1.1 to RDF, in safe mode, from bundled contexts only.
//!
//! What a signature over RDF covers is what the contexts give a meaning to; everything else would travel beside the
//! signature without being covered by it. So this reader is **closed**: a term without a definition, a relative or
//! malformed IRI, a null, a value that would be dropped, an unknown context and a redefined protected term
//! ("context swap") are refusals, never silence. Features that credentials do not use (`@reverse`, `@nest`,
//! `@included`, `@import`, `@direction`, index, id and type maps, blank node labels) are refused by name.
//!
//! - [`context`]: context processing (JSON-LD 1.1 API sections 4 and 5.2).
//! - [`expand`]: expansion and conversion to RDF in one pass (sections 5.1, 7 and 8). Each statement remembers the
//!   JSON Pointer of the value it came from, so that a selection of pointers is a selection of statements
//!   (vc-di-bbs section 3.2) without skolemisation or compaction. Without blank node labels the graph is a tree, and
//!   one pass is enough.
//! - [`select`]: the part of a document that pointers select.
//!
//! Why not a crate: `affinidi-rdf-encoding` 0.1 does not enforce `@protected`, knows no language maps and has a closed
//! list of contexts; `oxjsonld` 0.2 drops undefined terms silently; `json-ld` 0.22 needs a newer compiler. The answers are
//! compared with jsonld.js in `tests/foreign-npm`.

pub mod context;
pub mod expand;
pub mod select;

pub use expand::to_rdf;
