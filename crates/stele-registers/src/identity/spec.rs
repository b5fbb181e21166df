//! What `identity` says about itself.

use super::accreditation::{ACTION_BYTES_MAX, SCOPE_BYTES_MAX};
use super::document::PartyKind;
use super::rolls::{PATH_MAX, RECORDS_BYTES_MAX, RollKind};
use super::{GUARDIANS_MAX, KEYS_MAX};
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const HASH: FieldType = FieldType::Hash;
const ID: FieldType = FieldType::Party;
const KIND: FieldType = FieldType::Choice(PartyKind::NAMES);
const NAME: FieldType = FieldType::Text { max: 128 };
const MODEL: FieldType = FieldType::Text { max: 128 };
const ACTION: FieldType = FieldType::Text {
    max: ACTION_BYTES_MAX,
};
const SCOPE: FieldType = FieldType::Text {
    max: SCOPE_BYTES_MAX,
};

const PARTY: FieldSpec = FieldSpec::required("party", ID, "the party");
const DEVICE: FieldSpec = FieldSpec::required("device", ID, "the device");
const RECOVERY: FieldSpec = FieldSpec::required("recovery", HASH, "the key id of the new key");
const REASON: FieldSpec = FieldSpec::optional(
    "reason",
    FieldType::Text { max: 256 },
    "why; without personal data",
);
const NEW_KEY: FieldSpec = FieldSpec::required(
    "new_key",
    FieldType::Key,
    "the new key; it countersigns the entry",
);
const ROLL: FieldSpec = FieldSpec::required("roll", HASH, "the roll");
const INDEX: FieldSpec =
    FieldSpec::required("index", FieldType::Uint, "its place in the roll, from 0");
const RECORD: FieldSpec = FieldSpec::required(
    "record",
    FieldType::Bytes { min: 32, max: 64 },
    "its record, as it was enrolled",
);
const PATH: FieldSpec = FieldSpec::optional(
    "path",
    FieldType::List {
        of: &HASH,
        min: 0,
        max: PATH_MAX,
    },
    "the Merkle path from the record to the roll's root, lowest first",
);
const SALT: FieldSpec = FieldSpec::required("salt", HASH, "the salt of the present commitment");
const ROOT_KEY: FieldSpec = FieldSpec::required(
    "root_key",
    FieldType::Key,
    "the root key; it countersigns the entry",
);
const GUARDIANS: FieldSpec = FieldSpec::required(
    "guardians",
    HASH,
    "the part of the commitment that names the guardians",
);
const NEW_COMMITMENT: FieldSpec = FieldSpec::required(
    "new_commitment",
    HASH,
    "the commitment that takes its place, with a fresh salt",
);
const KID: FieldSpec = FieldSpec::required("kid", HASH, "the key's id");

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "party.register",
        doc: "Registers a new party. The first command of an entry that its first key signs and every further key countersigns.",
        fields: &[
            FieldSpec::required(
                "kind",
                KIND,
                "what the party is; a device is registered with `device.register`",
            ),
            FieldSpec::optional("name", NAME, "what it calls itself; never for a person"),
            FieldSpec::required(
                "keys",
                FieldType::List {
                    of: &FieldType::Key,
                    min: 1,
                    max: KEYS_MAX,
                },
                "its keys, the signing one first",
            ),
        ],
    },
    CommandSpec {
        name: "party.rename",
        doc: "Changes the party's own name. Not for persons.",
        fields: &[FieldSpec::required("name", NAME, "what it calls itself")],
    },
    CommandSpec {
        name: "party.deactivate",
        doc: "Ends the signing party for ever: all its keys are revoked.",
        fields: &[REASON],
    },
    CommandSpec {
        name: "key.add",
        doc: "Adds a key to the signing party.",
        fields: &[
            FieldSpec::required(
                "key",
                FieldType::Key,
                "the new key; it countersigns the entry",
            ),
            FieldSpec::optional("purpose", FieldType::Text { max: 64 }, "what it is for"),
        ],
    },
    CommandSpec {
        name: "key.rotate",
        doc: "Replaces a key of the signing party by a new one and revokes the old one.",
        fields: &[
            FieldSpec::required("old", HASH, "the id of the key to replace"),
            NEW_KEY,
        ],
    },
    CommandSpec {
        name: "key.revoke",
        doc: "Revokes a key of the signing party for ever. Not its last one.",
        fields: &[KID, REASON],
    },
    CommandSpec {
        name: "guardians.set",
        doc: "Names who may recover the signing party, and voids open recoveries.",
        fields: &[
            FieldSpec::required(
                "threshold",
                FieldType::Uint,
                "how many guardians must agree; 0 without any",
            ),
            FieldSpec::optional(
                "guardians",
                FieldType::List {
                    of: &FieldType::Party,
                    min: 0,
                    max: GUARDIANS_MAX,
                },
                "the guardians; left out, there are none",
            ),
            FieldSpec::optional(
                "delay_ms",
                FieldType::Uint,
                "how long an agreed recovery can be cancelled; left out, it happens at once",
            ),
        ],
    },
    CommandSpec {
        name: "recovery.open",
        doc: "Opens a recovery of a party to a new key, and approves it. By a guardian.",
        fields: &[PARTY, NEW_KEY],
    },
    CommandSpec {
        name: "recovery.approve",
        doc: "Approves an open recovery. By a guardian. At the threshold all old keys are revoked and the new key takes their place, at once or after the delay.",
        fields: &[PARTY, RECOVERY],
    },
    CommandSpec {
        name: "recovery.finish",
        doc: "Carries out an agreed recovery whose delay has passed. By a guardian.",
        fields: &[PARTY, RECOVERY],
    },
    CommandSpec {
        name: "recovery.cancel",
        doc: "Voids all open recoveries of the signing party.",
        fields: &[],
    },
    CommandSpec {
        name: "device.register",
        doc: "Registers a device as a party that the signer owns. The device's key countersigns.",
        fields: &[
            FieldSpec::required("key", FieldType::Key, "the device's key"),
            FieldSpec::required("model", MODEL, "the device's model"),
            FieldSpec::required(
                "serial_commitment",
                HASH,
                "SHA-256 of salt and serial number",
            ),
        ],
    },
    CommandSpec {
        name: "device.transfer",
        doc: "Hands a device to a new owner. By the owner, countersigned by the new owner.",
        fields: &[DEVICE, FieldSpec::required("to", ID, "the new owner")],
    },
    CommandSpec {
        name: "device.retire",
        doc: "Ends a device for ever: all its keys are revoked. By its owner.",
        fields: &[DEVICE, REASON],
    },
    CommandSpec {
        name: "roll.enrol",
        doc: "Enrols identities under one root. Anchors by an identity provider accredited for `identity/anchor.create`, which answers for one per person; organisations by a registrar accredited for `identity/organisation.enrol`; devices by any party, their owner.",
        fields: &[
            FieldSpec::required("kind", FieldType::Choice(RollKind::NAMES), "what they are"),
            FieldSpec::required(
                "records",
                FieldType::Bytes {
                    min: 32,
                    max: RECORDS_BYTES_MAX,
                },
                "the records, one after the other: an anchor's commitment of 32 bytes; otherwise 32 bytes of an Ed25519 key and 32 bytes of a salted commitment to what it is",
            ),
            FieldSpec::optional(
                "scope",
                SCOPE,
                "within which scope the signer is accredited",
            ),
        ],
    },
    CommandSpec {
        name: "member.claim",
        doc: "Makes a device or an organisation of a roll a party of its own. The first command of an entry that the key in its record signs.",
        fields: &[
            FieldSpec::required("key", FieldType::Key, "the key in the record"),
            ROLL,
            INDEX,
            RECORD,
            PATH,
        ],
    },
    CommandSpec {
        name: "member.end",
        doc: "Ends an identity of a roll for ever. By who enrolled it or a steward.",
        fields: &[REASON, ROLL, INDEX, RECORD, PATH],
    },
    CommandSpec {
        name: "anchor.renew",
        doc: "Opens an anchor for its root key, which countersigns, and puts a new commitment in its place; voids an agreed recovery. Any party may bring the entry.",
        fields: &[
            SALT,
            ROOT_KEY,
            GUARDIANS,
            NEW_COMMITMENT,
            ROLL,
            INDEX,
            RECORD,
            PATH,
        ],
    },
    CommandSpec {
        name: "anchor.end",
        doc: "Ends an anchor for ever, by its root key, which countersigns. Any party may bring the entry.",
        fields: &[SALT, ROOT_KEY, GUARDIANS, ROLL, INDEX, RECORD, PATH],
    },
    CommandSpec {
        name: "anchor.recover",
        doc: "Opens an anchor for its guardians, of whom the threshold countersigns, and puts a new commitment in its place, at once or after the delay that the person chose. Any party may bring the entry.",
        fields: &[
            SALT,
            FieldSpec::required("root_kid", HASH, "the id of the lost root key"),
            FieldSpec::required(
                "threshold",
                FieldType::Uint,
                "how many guardians must agree",
            ),
            FieldSpec::required(
                "delay_ms",
                FieldType::Uint,
                "the delay that the person chose",
            ),
            FieldSpec::required(
                "guardian_kids",
                FieldType::List {
                    of: &HASH,
                    min: 1,
                    max: GUARDIANS_MAX,
                },
                "the ids of all guardians' keys, in the order of the commitment",
            ),
            FieldSpec::required(
                "guardian_keys",
                FieldType::List {
                    of: &FieldType::Key,
                    min: 1,
                    max: GUARDIANS_MAX,
                },
                "the keys of those who countersign",
            ),
            NEW_COMMITMENT,
            ROLL,
            INDEX,
            RECORD,
            PATH,
        ],
    },
    CommandSpec {
        name: "anchor.finish",
        doc: "Carries out an agreed recovery of an anchor whose delay has passed. By any party.",
        fields: &[ROLL, INDEX, RECORD, PATH],
    },
    CommandSpec {
        name: "accreditation.grant",
        doc: "Allows a party to do something. By a steward, or under a delegable accreditation of the signer that covers it.",
        fields: &[
            FieldSpec::required("subject", ID, "who may do it"),
            FieldSpec::required("action", ACTION, "what: `register/what`, or `register/*`"),
            FieldSpec::optional(
                "scope",
                SCOPE,
                "where or for what; `DE/BY` includes `DE/BY/M`; left out, everywhere",
            ),
            FieldSpec::optional(
                "until",
                FieldType::Uint,
                "the last valid moment, ms since 1970; left out, as long as the parent",
            ),
            FieldSpec::optional(
                "delegable",
                FieldType::Bool,
                "whether the subject may grant parts of it to others",
            ),
            FieldSpec::optional(
                "parent",
                HASH,
                "the signer's accreditation to grant under; left out, none for a steward, else the first that fits",
            ),
        ],
    },
    CommandSpec {
        name: "accreditation.revoke",
        doc: "Ends an accreditation, and with it all that were granted under it. By its issuer or a steward.",
        fields: &[FieldSpec::required("id", HASH, "the accreditation"), REASON],
    },
];

const OWNER: FieldSpec = FieldSpec::required("owner", ID, "its owner");
const SUBJECT: FieldSpec = FieldSpec::required("subject", ID, "who holds it");

pub(super) const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: "party.registered",
        doc: "A party registered itself.",
        fields: &[
            PARTY,
            FieldSpec::required("kind", KIND, "what it is"),
            FieldSpec::optional("name", NAME, "what it calls itself"),
        ],
    },
    EventSpec {
        name: "party.renamed",
        doc: "A party changed its name.",
        fields: &[PARTY, FieldSpec::required("name", NAME, "the new name")],
    },
    EventSpec {
        name: "party.deactivated",
        doc: "A party ended itself.",
        fields: &[PARTY],
    },
    EventSpec {
        name: "key.added",
        doc: "A party added a key.",
        fields: &[PARTY, KID],
    },
    EventSpec {
        name: "key.rotated",
        doc: "A party replaced a key.",
        fields: &[
            PARTY,
            FieldSpec::required("old", HASH, "the revoked key"),
            FieldSpec::required("new", HASH, "the new key"),
        ],
    },
    EventSpec {
        name: "key.revoked",
        doc: "A party revoked a key.",
        fields: &[PARTY, KID],
    },
    EventSpec {
        name: "guardians.set",
        doc: "A party named its guardians.",
        fields: &[
            PARTY,
            FieldSpec::required("threshold", FieldType::Uint, "how many must agree"),
            FieldSpec::required("guardians", FieldType::Uint, "how many there are"),
        ],
    },
    EventSpec {
        name: "recovery.opened",
        doc: "A guardian opened a recovery.",
        fields: &[PARTY, KID],
    },
    EventSpec {
        name: "recovery.approved",
        doc: "A guardian approved a recovery.",
        fields: &[
            PARTY,
            KID,
            FieldSpec::required("guardian", ID, "the guardian"),
        ],
    },
    EventSpec {
        name: "recovery.done",
        doc: "A party was recovered to a new key.",
        fields: &[PARTY, KID],
    },
    EventSpec {
        name: "recovery.cancelled",
        doc: "A party voided its open recoveries.",
        fields: &[PARTY],
    },
    EventSpec {
        name: "device.registered",
        doc: "A device was registered.",
        fields: &[
            DEVICE,
            OWNER,
            FieldSpec::required("model", MODEL, "its model"),
        ],
    },
    EventSpec {
        name: "device.transferred",
        doc: "A device changed its owner.",
        fields: &[
            DEVICE,
            FieldSpec::required("from", ID, "the old owner"),
            FieldSpec::required("to", ID, "the new owner"),
        ],
    },
    EventSpec {
        name: "device.retired",
        doc: "A device was ended.",
        fields: &[PARTY],
    },
    EventSpec {
        name: "roll.enrolled",
        doc: "Identities were enrolled.",
        fields: &[
            ROLL,
            FieldSpec::required("issuer", ID, "who enrolled them"),
            FieldSpec::required("kind", FieldType::Choice(RollKind::NAMES), "what they are"),
            FieldSpec::required("count", FieldType::Uint, "how many"),
            FieldSpec::required("root", HASH, "the root over their records"),
        ],
    },
    EventSpec {
        name: "member.claimed",
        doc: "A member of a roll became a party.",
        fields: &[ROLL, INDEX, PARTY],
    },
    EventSpec {
        name: "member.ended",
        doc: "A member of a roll was ended.",
        fields: &[ROLL, INDEX],
    },
    EventSpec {
        name: "anchor.renewed",
        doc: "An anchor has a new commitment, by its root key.",
        fields: &[ROLL, INDEX],
    },
    EventSpec {
        name: "anchor.recovery-agreed",
        doc: "The guardians of an anchor agreed on a recovery, which the root key can still void.",
        fields: &[ROLL, INDEX],
    },
    EventSpec {
        name: "anchor.recovered",
        doc: "An anchor has a new commitment, by its guardians.",
        fields: &[ROLL, INDEX],
    },
    EventSpec {
        name: "accreditation.granted",
        doc: "A party was allowed to do something.",
        fields: &[
            FieldSpec::required("id", HASH, "the accreditation"),
            FieldSpec::required("issuer", ID, "who granted it"),
            SUBJECT,
            FieldSpec::required("action", ACTION, "what it allows"),
            FieldSpec::optional("scope", SCOPE, "where or for what"),
            FieldSpec::optional(
                "until",
                FieldType::Uint,
                "its last valid moment, ms since 1970",
            ),
        ],
    },
    EventSpec {
        name: "accreditation.revoked",
        doc: "An accreditation was ended.",
        fields: &[
            FieldSpec::required("id", HASH, "the accreditation"),
            SUBJECT,
            FieldSpec::required("by", ID, "who revoked it"),
        ],
    },
];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[
    StateKeySpec {
        key: "party/<party>",
        value: "[number, from, null, {kind: tstr, active: bool, keys: [* kid], ? name: tstr, ? owner: party, ? model: tstr, ? serial: hash, ? guardians: [* party], ? threshold: uint, ? delay_ms: uint, ? round: uint}]",
        doc: "the party's present document",
    },
    StateKeySpec {
        key: "party/<party>/v/<number>",
        value: "[number, from, until, {..}]",
        doc: "an earlier version of it, which held in the blocks from..until",
    },
    StateKeySpec {
        key: "key/<kid>",
        value: "[party, revoked: uint / null, added: uint, purpose: tstr / null, cose-key: bstr]",
        doc: "whose key it is, and the blocks that added and revoked it",
    },
    StateKeySpec {
        key: "recovery/<party>/<kid>",
        value: "[round: uint, ripe-ms: uint / null, approvals: [* party], cose-key: bstr]",
        doc: "a recovery to a new key; void unless `round` is that of the party's document",
    },
    StateKeySpec {
        key: "roll/<roll>",
        value: "[issuer: party, kind: tstr, count: uint, root: hash, height: uint, time: ms]",
        doc: "identities enrolled together, by the root over their records",
    },
    StateKeySpec {
        key: "member/<roll>/<index>",
        value: "[number, from, null, [ended: uint / null, party: party / null, commitment: hash / null, recovery-to: hash / null, recovery-ripe: ms / null]]",
        doc: "what happened to a member since it was enrolled; proven absent, nothing did",
    },
    StateKeySpec {
        key: "member/<roll>/<index>/v/<number>",
        value: "[number, from, until, [..]]",
        doc: "what had happened to it, as it held in the blocks from..until",
    },
    StateKeySpec {
        key: "accreditation/<id>",
        value: "[issuer: party, subject: party, action: tstr, scope: tstr / null, until: ms / null, delegable: bool, parent: id / null, depth: uint, granted: uint, revoked: uint / null]",
        doc: "an accreditation, and the blocks that granted and revoked it",
    },
    StateKeySpec {
        key: "holds/<party>/<action>",
        value: "[* id]",
        doc: "the accreditations that a party holds for exactly this action, without revoked ones",
    },
];
