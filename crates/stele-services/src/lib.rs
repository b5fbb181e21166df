//! Public services as files: checking them, what an application needs, deadlines, and a case's timeline for the citizen.
//!
//! A service is a JSON file that a clerk can read ([`mod@file`]): legal basis, fees, form, needed credentials, offices, periods,
//! calendar. [`check()`] says what is wrong with one; [`Definition`] is one in which nothing is. The register `service`
//! of `stele-registers` keeps the hash of the file and the rules that the chain applies; [`publish`] makes its command.
//!
//! Everything here is a pure function of the definition, the events of a case and the time; nothing reads a clock, a file
//! or a network. The counting of days and the clock of a case are the register's own, so that a phone and the chain
//! name the same day. How to write a service: docs/services.md; why it is so: docs/design/0014-public-services.md.
//!
//! - [`mod@file`]: the service file
//! - [`check()`], [`finding`]: what is wrong with a file, with line and hint
//! - [`definition`], [`publish`]: a checked file, its rules, and the command that publishes it
//! - [`query`]: the credentials of an application as a DCQL query for OpenID4VP
//! - [`application`]: what comes from credentials by itself, and what is still missing
//! - [`history`], [`case`]: the events of a case, and the case that they make
//! - [`letter`], [`mod@commitment`]: the decision's letter, and what the chain gets instead of papers
//! - [`mod@deadlines`]: deadlines and reminders, derived
//! - [`mod@timeline`]: all of it in plain sentences, English and German

pub mod application;
pub mod case;
mod check;
pub mod commitment;
mod dates;
pub mod deadlines;
pub mod definition;
pub mod file;
pub mod finding;
pub mod history;
pub mod letter;
mod lines;
pub mod publish;
pub mod query;
pub mod timeline;
mod words;

pub use application::{Application, Gap, GapKind, gaps, prefill};
pub use case::{Case, choices, replay};
pub use check::check;
pub use commitment::commitment;
pub use deadlines::{Addressee, Deadline, DeadlineKind, Reminder, deadlines, reminders};
pub use definition::Definition;
pub use file::{Language, ServiceFile};
pub use finding::Finding;
pub use history::{CaseEvent, Fact, Illegal, ReplayError};
pub use letter::Letter;
pub use publish::{Opening, open_command, publish_command};
pub use query::dcql;
pub use timeline::{TimelineLine, timeline};
