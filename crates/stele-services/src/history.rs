//! The events of a case, and why a history cannot be.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Something that happened in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEvent {
    /// When, in ms since 1970: the time of the block.
    pub time: u64,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Fact {
    /// The application was received.
    Opened {
        /// Under which version.
        version: u64,
        /// The office's DID.
        office: String,
    },
    /// The office asked for items.
    Requested {
        /// Their codes.
        items: Vec<String>,
    },
    /// The applicant supplied items.
    Supplied {
        /// Their codes.
        items: Vec<String>,
    },
    /// The office confirmed that nothing is missing.
    Confirmed,
    /// The office lengthened the period.
    Extended {
        /// By how many units.
        count: u64,
    },
    /// Another office handles the case.
    HandedOver {
        /// Its DID.
        to: String,
    },
    /// The office decided.
    Decided {
        /// `granted`, `partly` or `refused`.
        outcome: String,
    },
    /// It was recorded that silence has granted the application.
    Deemed,
    /// The applicant appealed.
    Appealed,
    /// The appeal was decided.
    Settled {
        /// `allowed`, `partly` or `dismissed`.
        outcome: String,
    },
    /// The applicant took the application back.
    Withdrawn,
    /// The case was closed.
    Closed,
}

impl CaseEvent {
    /// Reads an event of the register from its name (`service/...`) and its body in JSON; `None` for events that do not
    /// change a case, and for what is not such an event.
    pub fn from_register(name: &str, body: &Json) -> Option<Self> {
        let text = |field: &str| Some(body.get(field)?.as_str()?.to_owned());
        let uint = |field: &str| body.get(field)?.as_u64();
        let items = || -> Option<Vec<String>> {
            let items = body.get("items")?.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let fact = match name.strip_prefix("service/")? {
            "case.opened" => Fact::Opened {
                version: uint("version")?,
                office: text("office")?,
            },
            "items.requested" => Fact::Requested { items: items()? },
            "items.supplied" => Fact::Supplied { items: items()? },
            "items.confirmed" => Fact::Confirmed,
            "period.extended" => Fact::Extended {
                count: uint("count")?,
            },
            "case.handed-over" => Fact::HandedOver { to: text("to")? },
            "decision.made" => Fact::Decided {
                outcome: text("outcome")?,
            },
            "case.deemed" => Fact::Deemed,
            "appeal.lodged" => Fact::Appealed,
            "appeal.decided" => Fact::Settled {
                outcome: text("outcome")?,
            },
            "case.withdrawn" => Fact::Withdrawn,
            "case.closed" => Fact::Closed,
            _ => return None,
        };
        Some(Self {
            time: uint("time")?,
            fact,
        })
    }
}

/// Why an event cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the sentences say it")]
pub enum Illegal {
    #[error("The history does not begin with the receipt of an application, or has two.")]
    NotOneBeginning,
    #[error("The case was opened under version {case}, this is version {definition}.")]
    OtherVersion { case: u64, definition: u64 },
    #[error("The event is older than the one before it.")]
    TimeRunsBack,
    #[error("The case is no longer waiting for a decision.")]
    NotPending,
    #[error("The period has ended without a decision, and the law counts that as a grant.")]
    GrantedByLaw,
    #[error("The definition does not ask for “{0}”, or it is named twice.")]
    UnknownItem(String),
    #[error("The office has not asked for “{0}”.")]
    NotMissing(String),
    #[error("The time to ask for missing items is over.")]
    CheckOver,
    #[error("The office has confirmed already that nothing is missing.")]
    Complete,
    #[error("The applicant still owes items.")]
    StillMissing,
    #[error("The period cannot be lengthened so.")]
    NoExtension,
    #[error("The case is with this office already.")]
    SameOffice,
    #[error("“{0}” is no outcome.")]
    UnknownOutcome(String),
    #[error("For this service silence is not a grant.")]
    NotDeemed,
    #[error("The period for the decision has not ended.")]
    NotDue,
    #[error("There is no decision against which an appeal could go.")]
    NoDecision,
    #[error("The definition knows no appeal.")]
    NoAppeal,
    #[error("The time to appeal is over.")]
    AppealOver,
    #[error("There is no open appeal.")]
    NoOpenAppeal,
    #[error("The case is not at its end yet.")]
    CannotClose,
}

impl Illegal {
    /// A stable code. Where the register refuses by the same rule, it is the register's.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOneBeginning => "service.history.beginning",
            Self::OtherVersion { .. } => "service.history.other-version",
            Self::TimeRunsBack => "service.history.time-runs-back",
            Self::UnknownOutcome(_) => "service.history.unknown-outcome",
            Self::NotPending => "service.case.not-pending",
            Self::GrantedByLaw => "service.case.granted-by-law",
            Self::UnknownItem(_) => "service.items.unknown",
            Self::NotMissing(_) => "service.items.not-missing",
            Self::CheckOver => "service.items.too-late",
            Self::Complete => "service.items.complete",
            Self::StillMissing => "service.items.still-missing",
            Self::NoExtension => "service.period.no-extension",
            Self::SameOffice => "service.handover.same-office",
            Self::NotDeemed => "service.deem.not-by-law",
            Self::NotDue => "service.deem.not-due",
            Self::NoDecision => "service.appeal.no-decision",
            Self::NoAppeal => "service.appeal.not-by-law",
            Self::AppealOver => "service.appeal.too-late",
            Self::NoOpenAppeal => "service.appeal.unknown",
            Self::CannotClose => "service.case.cannot-close",
        }
    }

    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotOneBeginning | Self::TimeRunsBack => {
                "Fetch the events of the case again, all of them and in the order of the chain."
            }
            Self::OtherVersion { .. } => {
                "Fetch the service file of the version that the case names."
            }
            Self::UnknownOutcome(_) => "Use a program that knows this version of the register.",
            _ => {
                "Fetch the events again with their receipts: the chain would have refused this one."
            }
        }
    }
}

/// An event of a history that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {index} of the case")]
pub struct ReplayError {
    /// Its place, from 0.
    pub index: usize,
    /// Why.
    #[source]
    pub illegal: Illegal,
}
