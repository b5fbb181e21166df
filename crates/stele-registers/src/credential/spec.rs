//! What `credential` says about itself.

use super::TEXT_BYTES_MAX;
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const TEXT: FieldType = FieldType::Text {
    max: TEXT_BYTES_MAX,
};
const HASH: FieldType = FieldType::Hash;
const ID: FieldType = FieldType::Party;
const UINT: FieldType = FieldType::Uint;

const ISSUER: FieldSpec = FieldSpec::required("issuer", ID, "the issuer");
const COUNT: FieldSpec = FieldSpec::required("count", UINT, "how many credentials stand under it");
const TYPE: FieldSpec = FieldSpec::required(
    "type",
    TEXT,
    "their type: the `vct` of an SD-JWT VC, the type of a W3C credential",
);
const KIND: FieldSpec = FieldSpec::required(
    "kind",
    TEXT,
    "what kind of document it is, such as `ects.learning-agreement`",
);
const COMMITMENT: FieldSpec =
    FieldSpec::required("commitment", HASH, "the salted hash of the document");
const LIST: FieldSpec = FieldSpec::required("list", TEXT, "the list's name at its issuer");
const MADE: FieldSpec = FieldSpec::required("made", UINT, "when it was made, ms since 1970");
const KID: FieldSpec = FieldSpec::required("kid", HASH, "the key's id");
const SINCE: FieldSpec = FieldSpec::required(
    "since",
    UINT,
    "from when on its signatures are doubtful, ms since 1970",
);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "schema.publish",
        doc: "Publishes a version of a schema; it never changes. Open to every party, under its own name.",
        fields: &[
            FieldSpec::required("id", TEXT, "the schema's name at its issuer"),
            FieldSpec::required("version", UINT, "the version"),
            FieldSpec::required("content", HASH, "SHA-256 of the schema's bytes"),
            FieldSpec::optional("uri", TEXT, "where it is published; the hash decides"),
        ],
    },
    CommandSpec {
        name: "issuance.commit",
        doc: "Commits to a batch of issued credentials. By a party that is accredited for `credential/issue` within `scope`, under an active key of its own.",
        fields: &[
            FieldSpec::required(
                "root",
                HASH,
                "the Merkle root (RFC 9162) over the salted commitments of the credentials",
            ),
            COUNT,
            TYPE,
            FieldSpec::required(
                "issuing_kid",
                HASH,
                "the id of the key that signs the credentials",
            ),
            FieldSpec::optional(
                "scope",
                TEXT,
                "within which scope they are issued; left out, the accreditation has none",
            ),
            FieldSpec::optional("schema", TEXT, "the issuer's name of their schema"),
            FieldSpec::optional("schema_version", UINT, "its version; with `schema`"),
        ],
    },
    CommandSpec {
        name: "status.publish",
        doc: "Publishes a version of a status list by the root over its shards. Open to every party, under its own name.",
        fields: &[
            LIST,
            FieldSpec::required(
                "root",
                HASH,
                "the Merkle root (RFC 9162) over the shards; a leaf is SHA-256 of a shard's bytes",
            ),
            FieldSpec::required("shards", UINT, "how many shards it has"),
            FieldSpec::required("shard_entries", UINT, "how many entries each shard has"),
            FieldSpec::required("bits", UINT, "how many bits each entry has: 1, 2, 4 or 8"),
            MADE,
            FieldSpec::optional("uri", TEXT, "where the shards are served"),
        ],
    },
    CommandSpec {
        name: "key.compromised",
        doc: "Reports that a key's signatures are doubtful from a time on. By the key's party, who accredited it to issue, or a steward. What was committed before stays valid.",
        fields: &[
            KID,
            SINCE,
            FieldSpec::optional("reason", TEXT, "why; without personal data"),
        ],
    },
    CommandSpec {
        name: "document.attest",
        doc: "Signs a document by its salted commitment; every countersigner signs it too. A document is replaced by all who signed it.",
        fields: &[
            KIND,
            COMMITMENT,
            FieldSpec::optional("replaces", HASH, "the document that it replaces"),
        ],
    },
];

pub(super) const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: "schema.published",
        doc: "A version of a schema was published.",
        fields: &[
            FieldSpec::required("schema", HASH, "the schema, as state keys name it"),
            ISSUER,
            FieldSpec::required("id", TEXT, "its name at its issuer"),
            FieldSpec::required("version", UINT, "the version"),
            FieldSpec::required("content", HASH, "SHA-256 of its bytes"),
        ],
    },
    EventSpec {
        name: "issuance.committed",
        doc: "An accredited issuer committed to credentials.",
        fields: &[
            ISSUER,
            FieldSpec::required("root", HASH, "the root over the commitments"),
            FieldSpec::required("kid", HASH, "the key that signs them"),
            TYPE,
            COUNT,
            FieldSpec::required(
                "accreditation",
                HASH,
                "the issuer's accreditation that allowed it",
            ),
            FieldSpec::optional("scope", TEXT, "within which scope"),
        ],
    },
    EventSpec {
        name: "status.published",
        doc: "A version of a status list was published.",
        fields: &[
            ISSUER,
            FieldSpec::required("ref", HASH, "the list, as state keys name it"),
            LIST,
            FieldSpec::required("root", HASH, "the root over its shards"),
            MADE,
        ],
    },
    EventSpec {
        name: "key.compromised",
        doc: "A key was reported as compromised.",
        fields: &[
            KID,
            FieldSpec::required("party", ID, "whose key it is"),
            SINCE,
            FieldSpec::required("by", ID, "who reported it"),
        ],
    },
    EventSpec {
        name: "document.attested",
        doc: "A document was signed.",
        fields: &[
            KIND,
            COMMITMENT,
            FieldSpec::required("signer", ID, "who signed the entry"),
            FieldSpec::required("signers", UINT, "how many parties signed"),
            FieldSpec::optional("replaces", HASH, "the document that it replaces"),
        ],
    },
];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[
    StateKeySpec {
        key: "schema/<schema>/<version>",
        value: "[entry: hash, height: uint, content: hash, uri: tstr / null]",
        doc: "a version of a schema; `schema` is SHA-256(\"stele/credential/schema/v1\" || issuer || id), `version` 8 bytes, big-endian",
    },
    StateKeySpec {
        key: "issuance/<issuer><root>",
        value: "[entry: hash, height: uint, time: ms, kid, type: tstr, scope: tstr / null, count: uint, schema-content: hash / null, chain: [+ accreditation]]",
        doc: "that an accredited issuer committed to these credentials, when, for which key, and by which accreditations",
    },
    StateKeySpec {
        key: "status/<list>",
        value: "[number, from, null, [root: hash, shards: uint, shard-entries: uint, bits: uint, made: ms, uri: tstr / null]]",
        doc: "the present version of a status list; `list` is SHA-256(\"stele/credential/status/v1\" || issuer || name)",
    },
    StateKeySpec {
        key: "status/<list>/v/<number>",
        value: "[number, from, until, [..]]",
        doc: "an earlier version of it, which held in the blocks from..until",
    },
    StateKeySpec {
        key: "compromise/<kid>",
        value: "[since: ms, height: uint, by: party]",
        doc: "from when on a key's signatures are doubtful; proven absent, nobody has reported it",
    },
    StateKeySpec {
        key: "document/<commitment>",
        value: "[entry: hash, height: uint, kind: tstr, signers: [+ party], replaces: hash / null, replaced-by: hash / null]",
        doc: "who signed a document, and what replaced it",
    },
];
