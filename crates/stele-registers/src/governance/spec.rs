//! What `governance` says about itself.

use super::ROLE_BYTES_MAX;
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const NAME: FieldType = FieldType::Text { max: 128 };
const URL: FieldType = FieldType::Text { max: 256 };
const REASON: FieldType = FieldType::Text { max: 256 };
const ROLE: FieldType = FieldType::Text {
    max: ROLE_BYTES_MAX,
};
const REGISTER: FieldType = FieldType::Text { max: 32 };
const PARTY: FieldSpec = FieldSpec::required("party", FieldType::Party, "the member");
const BY: FieldSpec = FieldSpec::required("by", FieldType::Party, "the steward");

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "member.add",
        doc: "Takes a registered party in as a member. By a steward.",
        fields: &[
            PARTY,
            FieldSpec::required("name", NAME, "the organisation's name"),
        ],
    },
    CommandSpec {
        name: "member.describe",
        doc: "Changes the member's own name or address. By the member.",
        fields: &[
            FieldSpec::required("name", NAME, "the organisation's name"),
            FieldSpec::optional(
                "url",
                URL,
                "where people learn more; left out, there is none",
            ),
        ],
    },
    CommandSpec {
        name: "member.suspend",
        doc: "Suspends a member: its roles stop counting. By another member that is a steward.",
        fields: &[
            PARTY,
            FieldSpec::optional("reason", REASON, "why; without personal data"),
        ],
    },
    CommandSpec {
        name: "member.restore",
        doc: "Ends a suspension. By a steward.",
        fields: &[PARTY],
    },
    CommandSpec {
        name: "role.grant",
        doc: "Gives an active member a role. By a steward.",
        fields: &[PARTY, FieldSpec::required("role", ROLE, "the role")],
    },
    CommandSpec {
        name: "role.revoke",
        doc: "Takes a role from a member. By a steward.",
        fields: &[PARTY, FieldSpec::required("role", ROLE, "the role")],
    },
    CommandSpec {
        name: "register.activate",
        doc: "Lets a version of a register judge from a later height on. By a steward. A program without that version stops there.",
        fields: &[
            FieldSpec::required("register", REGISTER, "the register"),
            FieldSpec::required(
                "version",
                FieldType::Uint,
                "the version, above all before it",
            ),
            FieldSpec::required("height", FieldType::Uint, "the first block that it judges"),
        ],
    },
    CommandSpec {
        name: "register.withdraw",
        doc: "Withdraws the last version of a register before it becomes active. By a steward.",
        fields: &[
            FieldSpec::required("register", REGISTER, "the register"),
            FieldSpec::required("version", FieldType::Uint, "the version"),
        ],
    },
];

pub(super) const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: "member.added",
        doc: "A party became a member.",
        fields: &[PARTY, FieldSpec::required("name", NAME, "its name"), BY],
    },
    EventSpec {
        name: "member.described",
        doc: "A member changed its name or address.",
        fields: &[PARTY, FieldSpec::required("name", NAME, "its name")],
    },
    EventSpec {
        name: "member.suspended",
        doc: "A member was suspended.",
        fields: &[PARTY, BY],
    },
    EventSpec {
        name: "member.restored",
        doc: "A suspension ended.",
        fields: &[PARTY, BY],
    },
    EventSpec {
        name: "role.granted",
        doc: "A member got a role.",
        fields: &[PARTY, FieldSpec::required("role", ROLE, "the role"), BY],
    },
    EventSpec {
        name: "role.revoked",
        doc: "A member lost a role.",
        fields: &[PARTY, FieldSpec::required("role", ROLE, "the role"), BY],
    },
    EventSpec {
        name: "register.scheduled",
        doc: "A register version will judge from a height on.",
        fields: &[
            FieldSpec::required("register", REGISTER, "the register"),
            FieldSpec::required("version", FieldType::Uint, "the version"),
            FieldSpec::required("height", FieldType::Uint, "the first block that it judges"),
            BY,
        ],
    },
    EventSpec {
        name: "register.withdrawn",
        doc: "A scheduled version was withdrawn.",
        fields: &[
            FieldSpec::required("register", REGISTER, "the register"),
            FieldSpec::required("version", FieldType::Uint, "the version"),
            BY,
        ],
    },
];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[
    StateKeySpec {
        key: "member/<party>",
        value: "[number, from, null, {name: tstr, ? url: tstr, active: bool, roles: [* tstr]}]",
        doc: "the member's present document",
    },
    StateKeySpec {
        key: "member/<party>/v/<number>",
        value: "[number, from, until, {..}]",
        doc: "an earlier version of it, which held in the blocks from..until",
    },
    StateKeySpec {
        key: "register/<name>",
        value: "[* [version: uint, from: uint]]",
        doc: "the versions of a register and the heights from which they judge, ascending",
    },
    StateKeySpec {
        key: "committee",
        value: "uint",
        doc: "the number of the committee of validators in force; missing in a network of one validator",
    },
    StateKeySpec {
        key: "committee/<number as 8 bytes>",
        value: "[since: uint, sharing: bstr, validators: [+ [party: bstr, node-key: bstr, address: tstr]]]",
        doc: "a committee, in force since a block",
    },
    StateKeySpec {
        key: "epoch-blocks",
        value: "uint",
        doc: "how many blocks of the engine make an epoch",
    },
    StateKeySpec {
        key: "stewards",
        value: "uint",
        doc: "how many active stewards there are",
    },
];
