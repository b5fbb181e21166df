//! What `trace` says about itself.

use super::{ITEMS_MAX, SEVERITIES};
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const EVENT_ID: FieldSpec = FieldSpec::required(
    "event_id",
    FieldType::Text { max: 256 },
    "the event's id, a URI",
);
const COMMITMENT: FieldSpec = FieldSpec::required(
    "commitment",
    FieldType::Hash,
    "SHA-256 of salt and canonical event JSON, made by the event's owner",
);
const RECALL_ID: FieldSpec = FieldSpec::required(
    "recall_id",
    FieldType::Text { max: 128 },
    "the recall's id, unique for its issuer",
);
const SEVERITY: FieldSpec = FieldSpec::required(
    "severity",
    FieldType::Choice(SEVERITIES),
    "how severe it is",
);
const TO: FieldSpec = FieldSpec::required("to", FieldType::Party, "the receiver");
const FROM: FieldSpec = FieldSpec::required("from", FieldType::Party, "the holder");
const BY: FieldSpec = FieldSpec::required("by", FieldType::Party, "the maker");
const LOT: FieldSpec = FieldSpec::required(
    "lot",
    FieldType::Hash,
    "SHA-256 of `stele/trace/lot/v1` and the lot's URI",
);
const ITEMS: FieldSpec = FieldSpec::required(
    "items",
    FieldType::List {
        of: &FieldType::Hash,
        min: 1,
        max: ITEMS_MAX,
    },
    "the items, each once: SHA-256 of `stele/trace/item/v1` and the EPC URI",
);

const fn maybe_items(doc: &'static str) -> FieldSpec {
    let kind = FieldType::List {
        of: &FieldType::Hash,
        min: 0,
        max: ITEMS_MAX,
    };
    FieldSpec::optional("items", kind, doc)
}

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "event.record",
        doc: "Records the commitment to an event of the signer and the items it names. Open to every party.",
        fields: &[
            EVENT_ID,
            COMMITMENT,
            FieldSpec::required(
                "type",
                FieldType::Text { max: 64 },
                "the type, such as `ObjectEvent`",
            ),
            maybe_items("the items that the event names, each once"),
            FieldSpec::optional("time", FieldType::Uint, "when it happened, ms since 1970"),
        ],
    },
    CommandSpec {
        name: "event.correct",
        doc: "Declares an event of the signer wrong (EPCIS error declaration). Once for each event.",
        fields: &[
            EVENT_ID,
            FieldSpec::required(
                "commitment",
                FieldType::Hash,
                "SHA-256 of salt and canonical JSON of the event with its error declaration",
            ),
            FieldSpec::optional("reason", FieldType::Text { max: 256 }, "why"),
            FieldSpec::optional(
                "declared",
                FieldType::Uint,
                "when it was declared, ms since 1970",
            ),
            FieldSpec::optional(
                "corrective_event_ids",
                FieldType::List {
                    of: &FieldType::Text { max: 256 },
                    min: 0,
                    max: 16,
                },
                "the events that take its place",
            ),
        ],
    },
    CommandSpec {
        name: "custody.claim",
        doc: "Claims new items: the signer becomes their maker and first holder. The first claim counts.",
        fields: &[ITEMS],
    },
    CommandSpec {
        name: "custody.offer",
        doc: "Offers items to a party. By their holder.",
        fields: &[ITEMS, TO],
    },
    CommandSpec {
        name: "custody.accept",
        doc: "Accepts offered items: the signer becomes their holder.",
        fields: &[ITEMS, FROM],
    },
    CommandSpec {
        name: "custody.withdraw",
        doc: "Takes offers back. By the holder.",
        fields: &[ITEMS],
    },
    CommandSpec {
        name: "custody.transfer",
        doc: "Hands items over in one entry. By their holder, countersigned by the receiver.",
        fields: &[ITEMS, TO],
    },
    CommandSpec {
        name: "lot.assign",
        doc: "Assigns items to a lot, for ever. By the maker of the lot and of the items.",
        fields: &[LOT, ITEMS],
    },
    CommandSpec {
        name: "recall.issue",
        doc: "Recalls a lot or items. By their maker, or a party accredited for `trace/recall.issue`.",
        fields: &[
            RECALL_ID,
            FieldSpec::optional("lot", FieldType::Hash, "the lot; or `items`"),
            maybe_items("the items, each once; or `lot`"),
            FieldSpec::required(
                "reason",
                FieldType::Text { max: 512 },
                "why; without personal data",
            ),
            SEVERITY,
        ],
    },
    CommandSpec {
        name: "recall.close",
        doc: "Closes a recall of the signer.",
        fields: &[
            RECALL_ID,
            FieldSpec::optional("outcome", FieldType::Text { max: 512 }, "what came of it"),
        ],
    },
];

const EVENT: FieldSpec = FieldSpec::required("event", FieldType::Hash, "the event's reference");
const RECALL: FieldSpec = FieldSpec::required("recall", FieldType::Hash, "the recall's reference");
const ISSUER: FieldSpec = FieldSpec::required("issuer", FieldType::Party, "who issued it");

pub(super) const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: "event.recorded",
        doc: "An event was recorded.",
        fields: &[EVENT, EVENT_ID, COMMITMENT],
    },
    EventSpec {
        name: "event.corrected",
        doc: "An event was declared wrong.",
        fields: &[EVENT, EVENT_ID, COMMITMENT],
    },
    EventSpec {
        name: "custody.claimed",
        doc: "New items were claimed.",
        fields: &[ITEMS, BY],
    },
    EventSpec {
        name: "custody.offered",
        doc: "Items were offered.",
        fields: &[ITEMS, FROM, TO],
    },
    EventSpec {
        name: "custody.moved",
        doc: "Items changed their holder.",
        fields: &[ITEMS, FROM, TO],
    },
    EventSpec {
        name: "custody.withdrawn",
        doc: "Offers were taken back.",
        fields: &[ITEMS, FROM],
    },
    EventSpec {
        name: "lot.assigned",
        doc: "Items were assigned to a lot.",
        fields: &[
            LOT,
            BY,
            FieldSpec::required("items", FieldType::Uint, "how many items"),
        ],
    },
    EventSpec {
        name: "recall.issued",
        doc: "A lot or items were recalled.",
        fields: &[
            RECALL,
            RECALL_ID,
            ISSUER,
            SEVERITY,
            FieldSpec::optional(
                "lot",
                FieldType::Hash,
                "the lot, unless items were recalled",
            ),
        ],
    },
    EventSpec {
        name: "recall.closed",
        doc: "A recall was closed.",
        fields: &[RECALL, RECALL_ID, ISSUER],
    },
];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[
    StateKeySpec {
        key: "event/<event>",
        value: "[party, event-id: tstr, commitment: hash, type: tstr, time: ms / null, items: uint, height: uint, null / [commitment: hash, reason: tstr / null, declared: ms / null, [* event-id], height: uint]]",
        doc: "an event by its reference SHA-256(`stele/trace/event/v1`, party, event id), and its correction",
    },
    StateKeySpec {
        key: "item/<item>",
        value: "[maker: party / null, holder: party / null, since: uint / null, offered: party / null, lot: hash / null, recall: hash / null, lines: uint]",
        doc: "who made an item, who holds it since which block, and how many lines its history has",
    },
    StateKeySpec {
        key: "item/<item>/<number>",
        value: "[what: \"event\" / \"claim\" / \"hand-over\" / \"lot\" / \"recall\", by: party, other: hash / null, height: uint, time: ms]",
        doc: "a line of an item's history, from 0; `other` is the event, the receiver, the lot or the recall",
    },
    StateKeySpec {
        key: "lot/<lot>",
        value: "[maker: party, items: uint, recall: hash / null, height: uint]",
        doc: "a lot and the last recall that named it",
    },
    StateKeySpec {
        key: "lot/<lot>/<number>",
        value: "[* item]",
        doc: "a page of 256 items of a lot, from 0",
    },
    StateKeySpec {
        key: "recall/<recall>",
        value: "[issuer: party, recall-id: tstr, reason: tstr, severity: tstr, lot: hash / null, items: uint, previous: hash / null, issued: uint, closed: uint / null, outcome: tstr / null]",
        doc: "a recall by its reference SHA-256(`stele/trace/recall/v1`, issuer, recall id); `previous` is the lot's recall before it",
    },
    StateKeySpec {
        key: "recall/<recall>/<number>",
        value: "[* item]",
        doc: "a page of 256 recalled items, from 0",
    },
];
