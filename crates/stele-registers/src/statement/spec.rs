//! What `statement` says about itself.

use super::TEXT_BYTES_MAX;
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const TEXT: FieldType = FieldType::Text {
    max: TEXT_BYTES_MAX,
};
const HASH: FieldSpec = FieldSpec::required(
    "statement_hash",
    FieldType::Hash,
    "SHA-256 of the statement's Sig_structure (RFC 9052 section 4.4)",
);
const ISSUER_KID: FieldSpec = FieldSpec::required(
    "issuer_kid",
    FieldType::Hash,
    "the id of the key that signed the statement",
);
const SUBJECT: FieldSpec = FieldSpec::optional(
    "subject",
    TEXT,
    "what it is about: the `sub` of its CWT claims",
);
const CONTENT_TYPE: FieldSpec =
    FieldSpec::optional("content_type", TEXT, "the media type of its payload");

pub(super) const COMMANDS: &[CommandSpec] = &[CommandSpec {
    name: "statement.register",
    doc: "Registers a signed statement by its hash, after the signer has verified its signature. Open to every party.",
    fields: &[HASH, ISSUER_KID, SUBJECT, CONTENT_TYPE],
}];

pub(super) const EVENTS: &[EventSpec] = &[EventSpec {
    name: "statement.registered",
    doc: "A statement was registered.",
    fields: &[
        HASH,
        FieldSpec::required("issuer", FieldType::Party, "the party of the issuer's key"),
        ISSUER_KID,
        SUBJECT,
        CONTENT_TYPE,
    ],
}];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[StateKeySpec {
    key: "statement/<registrar><statement-hash>",
    value: "[entry: hash, height: uint, issuer: hash, issuer-kid: hash, subject: tstr / null, content-type: tstr / null]",
    doc: "By which entry, when, and whose statement this registrar registered.",
}];
