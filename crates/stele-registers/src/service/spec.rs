//! What `service` says about itself.

use super::calendar::{CLOCK_CHANGES_MAX, FREE_DAYS_MAX, Unit};
use super::{
    APPEAL_OUTCOMES, CODE_BYTES_MAX, DOCUMENTS_MAX, ITEMS_MAX, OUTCOMES, SCOPE_BYTES_MAX,
    SERVICE_ID_BYTES_MAX,
};
use crate::spec::{CommandSpec, EventSpec, FieldSpec, FieldType, StateKeySpec};

const UNIT: FieldType = FieldType::Choice(Unit::NAMES);
const CODE: FieldType = FieldType::Text {
    max: CODE_BYTES_MAX,
};

const SERVICE_ID: FieldSpec = FieldSpec::required(
    "service_id",
    FieldType::Text {
        max: SERVICE_ID_BYTES_MAX,
    },
    "the service's id, unique for the authority: lower-case letters, digits, hyphens",
);
const SCOPE: FieldSpec = FieldSpec::required(
    "scope",
    FieldType::Text {
        max: SCOPE_BYTES_MAX,
    },
    "where the service is offered, such as `DE/BY/Musterstadt`: what accreditations must cover",
);
const SERVICE: FieldSpec = FieldSpec::required(
    "service",
    FieldType::Hash,
    "the service: SHA-256 of `stele/service/service/v1`, authority and service id",
);
const VERSION: FieldSpec = FieldSpec::required("version", FieldType::Uint, "the version, from 1");
const DOCUMENT: FieldSpec = FieldSpec::required(
    "document",
    FieldType::Hash,
    "SHA-256 of the service file's bytes",
);
const CASE: FieldSpec = FieldSpec::required(
    "case",
    FieldType::Hash,
    "the case: SHA-256 of `stele/service/case/v1`, applicant and case id",
);
const REASONS: FieldSpec = FieldSpec::required(
    "reasons",
    FieldType::Hash,
    "salted commitment to the letter with its reasons",
);
const OUTCOME: FieldSpec =
    FieldSpec::required("outcome", FieldType::Choice(OUTCOMES), "what is decided");
const APPEAL_OUTCOME: FieldSpec = FieldSpec::required(
    "outcome",
    FieldType::Choice(APPEAL_OUTCOMES),
    "what comes of the appeal",
);
const GROUNDS: FieldSpec = FieldSpec::required(
    "grounds",
    FieldType::Hash,
    "salted commitment to the appeal",
);
const TO: FieldSpec = FieldSpec::required("to", FieldType::Party, "the receiving office");
const FROM: FieldSpec = FieldSpec::required("from", FieldType::Party, "the office before");
const AUTHORITY: FieldSpec =
    FieldSpec::required("authority", FieldType::Party, "whose service it is");
const APPLICANT: FieldSpec = FieldSpec::required(
    "applicant",
    FieldType::Party,
    "who applied, by the pseudonym of this case",
);
const OFFICE: FieldSpec = FieldSpec::required(
    "office",
    FieldType::Party,
    "the office that handles the case",
);
const ITEMS: FieldSpec = FieldSpec::required(
    "items",
    FieldType::List {
        of: &CODE,
        min: 1,
        max: ITEMS_MAX,
    },
    "codes of the definition's items, each once",
);
const MISSING: FieldSpec = FieldSpec::optional(
    "missing",
    FieldType::List {
        of: &CODE,
        min: 0,
        max: ITEMS_MAX,
    },
    "codes of all items that are missing now",
);
const COUNT: FieldSpec =
    FieldSpec::required("count", FieldType::Uint, "by how many units of the period");

const fn documents(min: usize, doc: &'static str) -> FieldSpec {
    FieldSpec {
        name: "documents",
        kind: FieldType::List {
            of: &FieldType::Hash,
            min,
            max: DOCUMENTS_MAX,
        },
        required: min > 0,
        doc,
    }
}

const fn uints(name: &'static str, min: usize, max: usize, doc: &'static str) -> FieldSpec {
    FieldSpec {
        name,
        kind: FieldType::List {
            of: &FieldType::Uint,
            min,
            max,
        },
        required: min > 0,
        doc,
    }
}

const PUBLISH: &[FieldSpec] = &[
    SERVICE_ID,
    VERSION,
    DOCUMENT,
    SCOPE,
    FieldSpec::required(
        "decide_count",
        FieldType::Uint,
        "length of the period for the decision; 0 where no law limits it",
    ),
    FieldSpec::required("decide_unit", UNIT, "its unit"),
    FieldSpec::optional(
        "deemed",
        FieldType::Bool,
        "whether silence until then is a grant",
    ),
    FieldSpec::optional(
        "restart",
        FieldType::Bool,
        "whether the period begins anew with the complete documents; else it goes on after standing still",
    ),
    FieldSpec::required(
        "check_count",
        FieldType::Uint,
        "within which time after receipt the office may ask for missing items; 0 for no limit",
    ),
    FieldSpec::required("check_unit", UNIT, "its unit"),
    FieldSpec::optional(
        "extension_max",
        FieldType::Uint,
        "by how many units the office may lengthen the period for the decision, once",
    ),
    FieldSpec::required(
        "appeal_count",
        FieldType::Uint,
        "length of the period for an appeal; 0 where there is none",
    ),
    FieldSpec::required("appeal_unit", UNIT, "its unit"),
    FieldSpec::optional(
        "notice_days",
        FieldType::Uint,
        "on which day after the decision it counts as notified, up to 31",
    ),
    FieldSpec::optional(
        "items",
        FieldType::List {
            of: &CODE,
            min: 0,
            max: ITEMS_MAX,
        },
        "codes of all items that an application may need, each once",
    ),
    uints(
        "weekend",
        0,
        6,
        "days of every week on which no period ends, 1 for Monday to 7 for Sunday",
    ),
    uints(
        "free_days",
        0,
        FREE_DAYS_MAX,
        "public holidays as days since 1970-01-01, ascending",
    ),
    FieldSpec::required(
        "calendar_until",
        FieldType::Uint,
        "the last day for which the holidays are known, as days since 1970-01-01",
    ),
    uints(
        "clock_from",
        1,
        CLOCK_CHANGES_MAX,
        "instants at which local time changes, ms since 1970, ascending",
    ),
    uints(
        "clock_offset",
        1,
        CLOCK_CHANGES_MAX,
        "from each of them on: minutes east of UTC, plus 1440",
    ),
];

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "definition.publish",
        doc: "Publishes the next version of a service of the signer. By a party accredited for `service/publish` in the scope.",
        fields: PUBLISH,
    },
    CommandSpec {
        name: "definition.withdraw",
        doc: "Ends a version for new cases; running ones go on under it. By the authority that published it.",
        fields: &[SERVICE, VERSION],
    },
    CommandSpec {
        name: "case.open",
        doc: "Applies under one exact version: the signer becomes the applicant, and the time of the block is the time of receipt. Open to every party.",
        fields: &[
            FieldSpec::required(
                "case_id",
                FieldType::Hash,
                "32 random bytes that the applicant draws",
            ),
            SERVICE,
            VERSION,
            DOCUMENT,
            FieldSpec::required(
                "application",
                FieldType::Hash,
                "salted commitment to the application",
            ),
            documents(
                0,
                "salted commitments to what is presented with it, each once",
            ),
            FieldSpec::optional(
                "office",
                FieldType::Party,
                "the office that shall handle it, accredited for `service/decide`; the authority if absent",
            ),
        ],
    },
    CommandSpec {
        name: "case.supply",
        doc: "Supplies items that the office asked for. With the last of them the clock goes on. By the applicant.",
        fields: &[
            CASE,
            ITEMS,
            documents(1, "salted commitments to what is supplied, each once"),
        ],
    },
    CommandSpec {
        name: "case.withdraw",
        doc: "Takes the application back. By the applicant, before a decision.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "case.deem",
        doc: "Records that the period has ended in silence and the law counts that as a grant. Anybody may, once the block's time is past it.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "case.close",
        doc: "Closes a case in which nothing more can happen. By the office that handles it.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "items.request",
        doc: "Asks the applicant for items that are missing; the clock stands still. By the office that handles the case.",
        fields: &[CASE, ITEMS],
    },
    CommandSpec {
        name: "items.confirm",
        doc: "Confirms that nothing is missing; afterwards nothing may be asked for. By the office that handles the case.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "period.extend",
        doc: "Lengthens the period for the decision, once. By the office that handles the case.",
        fields: &[CASE, COUNT, REASONS],
    },
    CommandSpec {
        name: "decision.make",
        doc: "Decides. By the office that handles the case, accredited for `service/decide`.",
        fields: &[CASE, OUTCOME, REASONS],
    },
    CommandSpec {
        name: "handover.offer",
        doc: "Offers a case to another office. By the office that handles it or the authority whose service it is.",
        fields: &[CASE, TO],
    },
    CommandSpec {
        name: "handover.accept",
        doc: "Takes over an offered case: the signer becomes the office that handles it.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "handover.cancel",
        doc: "Takes an offer back. By the office that handles the case or the authority whose service it is.",
        fields: &[CASE],
    },
    CommandSpec {
        name: "handover.transfer",
        doc: "Hands a case over in one entry, countersigned by the receiving office. By the office that handles it or the authority whose service it is.",
        fields: &[CASE, TO],
    },
    CommandSpec {
        name: "appeal.lodge",
        doc: "Appeals against the decision. By the applicant, until the end of the time for appeals.",
        fields: &[CASE, GROUNDS],
    },
    CommandSpec {
        name: "appeal.decide",
        doc: "Decides the appeal. By a party accredited for `service/appeal` in the scope of the service.",
        fields: &[CASE, APPEAL_OUTCOME, REASONS],
    },
];

const TIME: FieldSpec = FieldSpec::required(
    "time",
    FieldType::Uint,
    "when, ms since 1970: the time of the block",
);
const DUE: FieldSpec = FieldSpec::optional(
    "due",
    FieldType::Uint,
    "the first instant after the period for the decision, ms since 1970; absent while it stands still or has no end",
);

pub(super) const EVENTS: &[EventSpec] = &[
    EventSpec {
        name: "definition.published",
        doc: "A version of a service was published.",
        fields: &[SERVICE, AUTHORITY, SERVICE_ID, VERSION, DOCUMENT, SCOPE],
    },
    EventSpec {
        name: "definition.withdrawn",
        doc: "A version was withdrawn for new cases.",
        fields: &[SERVICE, VERSION],
    },
    EventSpec {
        name: "case.opened",
        doc: "An application was received.",
        fields: &[CASE, TIME, DUE, SERVICE, VERSION, APPLICANT, OFFICE],
    },
    EventSpec {
        name: "items.requested",
        doc: "The office asked for missing items.",
        fields: &[CASE, TIME, DUE, ITEMS, MISSING],
    },
    EventSpec {
        name: "items.supplied",
        doc: "The applicant supplied items.",
        fields: &[CASE, TIME, DUE, ITEMS, MISSING],
    },
    EventSpec {
        name: "items.confirmed",
        doc: "The office confirmed that nothing is missing.",
        fields: &[CASE, TIME, DUE],
    },
    EventSpec {
        name: "period.extended",
        doc: "The period for the decision was lengthened.",
        fields: &[CASE, TIME, DUE, COUNT, REASONS],
    },
    EventSpec {
        name: "case.offered",
        doc: "A case was offered to another office.",
        fields: &[CASE, TIME, DUE, TO],
    },
    EventSpec {
        name: "case.offer-cancelled",
        doc: "An offer was taken back.",
        fields: &[CASE, TIME, DUE],
    },
    EventSpec {
        name: "case.handed-over",
        doc: "Another office handles the case.",
        fields: &[CASE, TIME, DUE, FROM, TO],
    },
    EventSpec {
        name: "decision.made",
        doc: "The office decided.",
        fields: &[
            CASE,
            TIME,
            OUTCOME,
            REASONS,
            FieldSpec::optional(
                "appeal_due",
                FieldType::Uint,
                "the first instant at which an appeal is late, ms since 1970",
            ),
        ],
    },
    EventSpec {
        name: "case.deemed",
        doc: "It was recorded that silence has granted the application.",
        fields: &[
            CASE,
            TIME,
            FieldSpec::required("since", FieldType::Uint, "since when, ms since 1970"),
        ],
    },
    EventSpec {
        name: "appeal.lodged",
        doc: "The applicant appealed.",
        fields: &[CASE, TIME, GROUNDS],
    },
    EventSpec {
        name: "appeal.decided",
        doc: "The appeal was decided.",
        fields: &[CASE, TIME, APPEAL_OUTCOME, REASONS],
    },
    EventSpec {
        name: "case.withdrawn",
        doc: "The applicant took the application back.",
        fields: &[CASE, TIME],
    },
    EventSpec {
        name: "case.closed",
        doc: "A case was closed.",
        fields: &[CASE, TIME],
    },
];

pub(super) const STATE_KEYS: &[StateKeySpec] = &[
    StateKeySpec {
        key: "service/<service>",
        value: "[authority: party, service-id: tstr, versions: uint]",
        doc: "a service by its reference SHA-256(`stele/service/service/v1`, authority, service id), and how many versions it has",
    },
    StateKeySpec {
        key: "service/<service>/<version>",
        value: "[authority: party, service-id: tstr, document: hash, scope: tstr, published: uint, withdrawn: uint / null, [decide: period, deemed: bool, restart: bool, check: period, extension-max: uint, appeal: period, notice-days: uint, items: [* tstr], [weekend: [* uint], free-days: [* uint], until: uint, clock: [+ [from: ms, offset: uint]]]]]; period = [count: uint, unit: tstr]",
        doc: "a version: the hash of its service file and the rules that the chain applies; after it is published only `withdrawn` changes, once",
    },
    StateKeySpec {
        key: "case/<case>",
        value: "[applicant: party, service: hash, version: uint, office: party, offered: party / null, application: hash, opened: ms, received: ms, status: tstr, missing: [* tstr], complete: bool, [started: ms, stopped: ms / null, suspended: uint, counted: uint, extension: uint], null / [by: party / null, outcome: tstr, reasons: hash / null, time: ms], lines: uint]",
        doc: "a case by its reference SHA-256(`stele/service/case/v1`, applicant, case id): where it stands, who handles it, its clock, its decision",
    },
    StateKeySpec {
        key: "case/<case>/<number>",
        value: "[what: tstr, by: party, other: hash / null, height: uint, time: ms]",
        doc: "a line of a case's history, from 0; `other` is a commitment of the command, the hash of its documents, or the receiving office",
    },
];
