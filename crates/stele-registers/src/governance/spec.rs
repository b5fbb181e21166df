//! What `governance` says about itself.

use stele_core::genesis::{SHARING_BYTES_MAX, VALIDATORS_MAX};

use super::ROLE_BYTES_MAX;
use super::changes::DEALING_BYTES_MAX;
use super::evidence::{KINDS, SUBJECT_BYTES_MAX};
use super::proposals::{ACTION_BYTES_MAX, ACTIONS_MAX};
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
const NUMBER: FieldSpec = FieldSpec::required("number", FieldType::Uint, "the proposal's number");
const NODE_KEY: FieldSpec = FieldSpec::required(
    "node-key",
    FieldType::Hash,
    "the Ed25519 key of the validator's node",
);
const ADDRESS: FieldSpec = FieldSpec::required(
    "address",
    FieldType::Text { max: 255 },
    "where other validators reach it, as host:port",
);
const DEALING_MS: FieldSpec = FieldSpec::optional(
    "dealing-ms",
    FieldType::Uint,
    "how long dealings of silent validators are waited for; left out, one minute",
);
const ROUND: FieldSpec = FieldSpec::required("round", FieldType::Uint, "the round of the change");
const SUBJECT: FieldType = FieldType::Bytes {
    min: 1,
    max: SUBJECT_BYTES_MAX,
};
const SIGNATURE: FieldType = FieldType::Bytes { min: 64, max: 64 };

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
    CommandSpec {
        name: "proposal.open",
        doc: "Proposes commands to the stewards, who decide together where a committee of validators decides: validator.add, validator.remove, committee.refresh, and the commands by a steward. Its proposer is for it. By a steward.",
        fields: &[
            FieldSpec::required(
                "title",
                FieldType::Text { max: 256 },
                "what it is for, in words",
            ),
            FieldSpec::required(
                "actions",
                FieldType::List {
                    of: &FieldType::Bytes {
                        min: 1,
                        max: ACTION_BYTES_MAX,
                    },
                    min: 1,
                    max: ACTIONS_MAX,
                },
                "the commands, each the deterministic encoding of [name, body]",
            ),
            FieldSpec::optional(
                "open-ms",
                FieldType::Uint,
                "how long votes are taken; left out, 30 days",
            ),
        ],
    },
    CommandSpec {
        name: "proposal.vote",
        doc: "Votes for or against a proposal. The vote that makes it pass executes it. By a steward.",
        fields: &[
            NUMBER,
            FieldSpec::required("approve", FieldType::Bool, "whether the steward is for it"),
        ],
    },
    CommandSpec {
        name: "proposal.withdraw",
        doc: "Takes a proposal back. By its proposer.",
        fields: &[NUMBER],
    },
    CommandSpec {
        name: "validator.add",
        doc: "Takes a validator of an active member into the next committee. By a proposal.",
        fields: &[PARTY, NODE_KEY, ADDRESS, DEALING_MS],
    },
    CommandSpec {
        name: "validator.remove",
        doc: "Leaves a validator out of the next committee. By a proposal.",
        fields: &[NODE_KEY, DEALING_MS],
    },
    CommandSpec {
        name: "validator.leave",
        doc: "Takes the member's own validator out of the next committee. By the member that runs it.",
        fields: &[NODE_KEY, DEALING_MS],
    },
    CommandSpec {
        name: "validator.rotate",
        doc: "Gives the member's own validator a new node key, a new address, or both, from the next committee on. By the member that runs it.",
        fields: &[
            NODE_KEY,
            FieldSpec::required(
                "new-node-key",
                FieldType::Hash,
                "its next node key; the same one to change the address alone",
            ),
            ADDRESS,
            DEALING_MS,
        ],
    },
    CommandSpec {
        name: "committee.refresh",
        doc: "Gives the same validators new shares of the network key, so that old ones are worth nothing. By a proposal.",
        fields: &[DEALING_MS],
    },
    CommandSpec {
        name: "committee.deal",
        doc: "Publishes the log of a present validator's dealing. By the member that runs it; its node does this.",
        fields: &[
            ROUND,
            NODE_KEY,
            FieldSpec::required(
                "log",
                FieldType::Bytes {
                    min: 1,
                    max: DEALING_BYTES_MAX,
                },
                "the signed log of the dealing, as the key ceremony wrote it",
            ),
        ],
    },
    CommandSpec {
        name: "committee.confirm",
        doc: "Says which sharing of the network key the dealings give. A quorum of the present and of the next committee puts the next one into force. By the member that runs the validator; its node does this.",
        fields: &[
            ROUND,
            NODE_KEY,
            FieldSpec::optional(
                "sharing",
                FieldType::Bytes {
                    min: 1,
                    max: SHARING_BYTES_MAX,
                },
                "the public polynomial of the new shares; left out, the dealings give none",
            ),
        ],
    },
    CommandSpec {
        name: "evidence.report",
        doc: "Records two votes of a validator that no honest one casts both. Proves itself, so anyone may report it.",
        fields: &[
            FieldSpec::required(
                "committee",
                FieldType::Uint,
                "the number of a committee that the validator belongs to",
            ),
            NODE_KEY,
            FieldSpec::required(
                "first-kind",
                FieldType::Choice(KINDS),
                "what kind of vote the first is",
            ),
            FieldSpec::required(
                "first-subject",
                SUBJECT,
                "what it votes on, in the engine's encoding",
            ),
            FieldSpec::required("first-signature", SIGNATURE, "its signature"),
            FieldSpec::required(
                "second-kind",
                FieldType::Choice(KINDS),
                "what kind of vote the second is",
            ),
            FieldSpec::required(
                "second-subject",
                SUBJECT,
                "what it votes on, in the engine's encoding",
            ),
            FieldSpec::required("second-signature", SIGNATURE, "its signature"),
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
    EventSpec {
        name: "proposal.opened",
        doc: "A steward made a proposal.",
        fields: &[
            NUMBER,
            FieldSpec::required("title", FieldType::Text { max: 256 }, "what it is for"),
            BY,
        ],
    },
    EventSpec {
        name: "proposal.voted",
        doc: "A steward voted.",
        fields: &[
            NUMBER,
            FieldSpec::required("approve", FieldType::Bool, "whether it is for the proposal"),
            BY,
        ],
    },
    EventSpec {
        name: "proposal.closed",
        doc: "A proposal takes no votes any more.",
        fields: &[
            NUMBER,
            FieldSpec::required(
                "status",
                FieldType::Text { max: 16 },
                "accepted, rejected or withdrawn",
            ),
        ],
    },
    EventSpec {
        name: "committee.changing",
        doc: "A change of the committee began.",
        fields: &[
            ROUND,
            FieldSpec::required(
                "committee",
                FieldType::Uint,
                "the number of the committee that deals",
            ),
        ],
    },
    EventSpec {
        name: "committee.dealt",
        doc: "A validator published the log of its dealing.",
        fields: &[ROUND, NODE_KEY],
    },
    EventSpec {
        name: "committee.confirmed",
        doc: "A validator said which sharing the dealings give.",
        fields: &[
            ROUND,
            NODE_KEY,
            FieldSpec::required(
                "sharing-hash",
                FieldType::Hash,
                "SHA-256 of the sharing, or zeros for none",
            ),
        ],
    },
    EventSpec {
        name: "committee.changed",
        doc: "A committee is in force; the engine follows at its next epoch. The network key is the same.",
        fields: &[
            ROUND,
            FieldSpec::required("committee", FieldType::Uint, "its number"),
            FieldSpec::required(
                "node-keys",
                FieldType::List {
                    of: &FieldType::Hash,
                    min: 1,
                    max: VALIDATORS_MAX,
                },
                "its validators",
            ),
        ],
    },
    EventSpec {
        name: "committee.failed",
        doc: "The dealings gave no sharing; the committee stays as it was.",
        fields: &[
            ROUND,
            FieldSpec::required("committee", FieldType::Uint, "its number"),
        ],
    },
    EventSpec {
        name: "evidence.recorded",
        doc: "A validator is proven to have voted twice in one round.",
        fields: &[
            FieldSpec::required(
                "party",
                FieldType::Party,
                "the member that runs the validator",
            ),
            NODE_KEY,
            FieldSpec::required("epoch", FieldType::Uint, "the engine's epoch"),
            FieldSpec::required("view", FieldType::Uint, "the engine's view in it"),
            FieldSpec::required("by", FieldType::Party, "who reported it"),
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
    StateKeySpec {
        key: "proposals",
        value: "uint",
        doc: "how many proposals there were",
    },
    StateKeySpec {
        key: "proposal/<number as 8 bytes>",
        value: "[by: bstr, title: tstr, until: uint, actions: [+ bstr], for: [* bstr], against: [* bstr], status: uint, decided: uint / null]",
        doc: "a proposal; status 0 is open, 1 accepted, 2 rejected, 3 withdrawn",
    },
    StateKeySpec {
        key: "change",
        value: "[round: uint, committee: uint, begun: uint, deal-until: uint, validators: [+ [party: bstr, node-key: bstr, address: tstr]], dealers: [* bstr], confirmed: [* [node-key: bstr, sharing-hash: bstr]], status: uint]",
        doc: "the newest change of the committee; status 0 is pending, 1 done, 2 failed",
    },
    StateKeySpec {
        key: "dealing/<round as 8 bytes><node key>",
        value: "bytes",
        doc: "the log of a dealing in the newest round",
    },
    StateKeySpec {
        key: "evidence/<node key><epoch as 8 bytes><view as 8 bytes>",
        value: "[party: bstr, by: bstr, height: uint]",
        doc: "a validator voted twice in this round",
    },
];
