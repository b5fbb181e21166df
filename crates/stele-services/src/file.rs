//! The service file: what an authority writes, field by field.
//!
//! JSON, so that any editor with the published schema (docs/services/service.schema.json) helps while it is written. Unknown
//! fields are refused: a misspelt one would otherwise be a rule that nobody applies. Texts that citizens read are in
//! English and German. Nothing in it is about a person.

use serde::{Deserialize, Serialize};

/// The value of `format` that this program reads.
pub const FORMAT: &str = "stele-service/1";
/// The longest service file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// A language of texts and sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
}

/// A text that citizens read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// In English.
    pub en: String,
    /// In German.
    pub de: String,
}

impl Text {
    /// The text in a language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::De => &self.de,
        }
    }
}

/// A service as its authority writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Where an editor finds the schema; not read.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// [`FORMAT`].
    pub format: String,
    /// The service's id, unique for the authority: lower-case letters, digits, hyphens.
    pub id: String,
    /// The version, from 1. A published version never changes.
    pub version: u64,
    /// Who offers it.
    pub authority: Authority,
    /// What citizens call it.
    pub title: Text,
    /// What it is for, in a few sentences.
    pub summary: Text,
    /// The laws that it rests on.
    pub legal_basis: Vec<LegalBasis>,
    /// What it costs; empty when it costs nothing.
    pub fees: Vec<Fee>,
    /// What is asked for as a credential, instead of an upload.
    pub credentials: Vec<CredentialNeed>,
    /// What the applicant fills in.
    pub form: Vec<FormField>,
    /// What has to be uploaded, where no credential exists.
    pub documents: Vec<DocumentNeed>,
    /// Who works on a case.
    pub offices: Vec<Office>,
    /// The way of a case through the offices, in order.
    pub steps: Vec<Step>,
    /// Periods and what follows from them.
    pub periods: Periods,
    /// Public holidays and local time.
    pub calendar: CalendarFile,
    /// What is decided and how one defends oneself against it.
    pub decision: DecisionFile,
}

/// Who offers a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Its name.
    pub name: Text,
    /// Where it acts, such as `DE/BY/Musterstadt`: the scope of its accreditation.
    pub scope: String,
}

/// A law that a service rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// The law's short name.
    pub law: String,
    /// The section.
    pub section: String,
    /// What it says, in plain words.
    pub says: Text,
}

/// A fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Its code, unique among the fees.
    pub code: String,
    /// What it is for.
    pub title: Text,
    /// The amount in hundredths of the currency.
    pub amount_cents: u64,
    /// The currency (ISO 4217).
    pub currency: String,
    /// When it is due; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// A condition on a field of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The code of a `choice` or `yes-no` field.
    pub field: String,
    /// The code of the choice; `yes` or `no`.
    pub is: String,
}

/// A credential that an application needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialNeed {
    /// Its code, unique in the file.
    pub code: String,
    /// What it is.
    pub title: Text,
    /// Why it is asked for; the consent screen shows it.
    pub purpose: Text,
    /// When it is needed; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Credentials that serve, the preferred one first.
    pub accepts: Vec<Accepted>,
    /// The claims that are asked for, and no others: each a path into the credential.
    pub claims: Vec<Vec<String>>,
    /// What the issuer must be accredited for in `identity`; a verifier checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_action: Option<String>,
}

/// A kind of credential that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// How it is encoded.
    pub format: CredentialFormat,
    /// The `vct` values, the VC types, or the one doctype.
    pub types: Vec<String>,
    /// For mdoc: the namespace of the claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// For mdoc: the names of the elements, in the order of the need's claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<String>,
}

/// Credential formats by their names in OpenID4VP 1.0, appendix B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialFormat {
    /// SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc,
    /// ISO mdoc.
    #[serde(rename = "mso_mdoc")]
    Mdoc,
    /// W3C VC with a Data Integrity proof.
    #[serde(rename = "ldp_vc")]
    LdpVc,
}

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// Its code, unique in the file.
    pub code: String,
    /// The question.
    pub title: Text,
    /// What may be answered.
    pub kind: FieldKind,
    /// Whether an application without it is incomplete.
    pub required: bool,
    /// When it is asked; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// The choices, for `choice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// The claim that fills it in by itself (once-only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ClaimSource>,
}

/// What a field of the form may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Any text, of at most 2,000 bytes.
    Text,
    /// A date, as `2026-12-25`.
    Date,
    /// A whole number from 0.
    Number,
    /// One of the choices, by its code.
    Choice,
    /// `true` or `false`.
    YesNo,
}

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its code, unique in the field.
    pub code: String,
    /// What citizens read.
    pub title: Text,
}

/// A claim of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimSource {
    /// The credential's code.
    pub credential: String,
    /// One of its claims.
    pub claim: Vec<String>,
}

/// A document that has to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentNeed {
    /// Its code, unique in the file.
    pub code: String,
    /// What it is.
    pub title: Text,
    /// Why no credential serves; read by those who improve the service.
    pub why_no_credential: Text,
    /// When it is needed; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// An office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    /// Its code, unique among the offices.
    pub code: String,
    /// Its name.
    pub title: Text,
    /// Its DID, so that the timeline can name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
}

/// A step on a case's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its code, unique among the steps.
    pub code: String,
    /// What is done.
    pub title: Text,
    /// The code of the office that does it. The next step is another office's: between them lies a hand-over.
    pub office: String,
}

/// Periods of the law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Within which time the office decides; absent where no law says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide: Option<Span>,
    /// What silence until then means.
    pub silence: Silence,
    /// What happens to the period while the applicant owes something.
    pub missing_items: MissingItems,
    /// Within which time after receipt the office may ask for missing items; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Span>,
    /// By how many units of `decide` the office may lengthen the period, once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub extension_max: u64,
    /// Within which time the applicant shall supply what is asked for; a reminder, no forfeit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply: Option<Span>,
    /// Within which time after notification one may appeal; absent where there is no appeal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appeal: Option<Span>,
    /// On which day after the decision it counts as notified.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub notified_after_days: u64,
    /// Reminders before the ends of periods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminders: Vec<ReminderFile>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A length of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// How many.
    pub count: u64,
    /// `days`, `weeks`, `months` or `working-days`.
    pub unit: String,
    /// The law that says so.
    pub law: String,
}

/// What silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// The application is granted (section 42a VwVfG, where a law orders it).
    Grants,
    /// Nothing by itself.
    MeansNothing,
}

/// What missing items do to the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingItems {
    /// It stands still and then goes on.
    Suspend,
    /// It begins with the complete application.
    Restart,
}

/// A reminder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReminderFile {
    /// The end of which period.
    pub of: RemindOf,
    /// How many days before its last day.
    pub days_before: u64,
}

/// A period that reminders may precede.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemindOf {
    /// The office's, to decide.
    Decide,
    /// The applicant's, to supply.
    Supply,
    /// The applicant's, to appeal.
    Appeal,
}

/// Public holidays and local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarFile {
    /// The days of every week on which no period ends.
    pub weekend: Vec<Weekday>,
    /// The last day for which the holidays are known.
    pub until: String,
    /// The public holidays of the place, ascending.
    pub holidays: Vec<Holiday>,
    /// Local time, ascending; the first also holds before it begins.
    pub local_time: Vec<LocalTime>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday = 1,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A public holiday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Its date, as `2026-12-25`.
    pub date: String,
    /// Its name.
    pub name: String,
}

/// A change of local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalTime {
    /// The first instant, as `2026-03-29T01:00:00Z`.
    pub from: String,
    /// Local time from then on, as `+02:00`.
    pub offset: String,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionFile {
    /// What the applicant gets when it is granted.
    pub grants: Text,
    /// The type of the credential that is issued then; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issues: Option<String>,
    /// Grounds on which it may be refused.
    pub refusal_reasons: Vec<RefusalReason>,
    /// How one defends oneself: where, in which form.
    pub remedy: Text,
}

/// A ground for refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalReason {
    /// Its code, unique among the reasons.
    pub code: String,
    /// The ground, in plain words, with its law.
    pub title: Text,
}
