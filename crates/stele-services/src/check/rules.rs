//! The rules for service files: codes and hints. docs/services.md lists them.

/// A rule for service files: its code and the next step of whoever broke it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub code: &'static str,
    pub hint: &'static str,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $hint:literal;)*) => {
        $(pub(super) const $name: Rule = Rule { code: $code, hint: $hint };)*
        /// All rules.
        #[cfg(test)]
        pub(super) const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    TOO_LARGE = "service-file.too-large", "Keep the file below 256 KiB; long explanations belong on a web page.";
    NOT_JSON = "service-file.not-json", "Mend the comma, bracket or quotation mark at this place; an editor that knows JSON shows it.";
    BAD_SHAPE = "service-file.bad-shape", "Compare the field with the schema in docs/services/service.schema.json.";
    BAD_FORMAT = "service-file.format", "Write \"stele-service/1\".";
    BAD_ID = "service-file.id", "Write at most 64 lower-case letters, digits and hyphens, such as \"parking-permit\".";
    BAD_VERSION = "service-file.version", "Number versions 1, 2, 3.";
    BAD_SCOPE = "service-file.scope", "Write words joined by slashes, such as \"DE/BY/Musterstadt\".";
    BAD_TEXT = "service-file.text", "Write the text in both languages, each with 1 to 2,000 bytes.";
    NOTHING = "service-file.nothing", "Name at least one.";
    BAD_CODE = "service-file.code", "Write at most 48 lower-case letters, digits and hyphens.";
    CODE_TWICE = "service-file.code-twice", "Give each its own code; credentials, form fields and documents share one list.";
    TOO_MANY = "service-file.too-many", "Ask for less, or split the service.";
    UNKNOWN_OFFICE = "service-file.office", "Name one of the file's offices by its code.";
    STEP_STAYS = "service-file.step-stays", "Join the two steps, or give the second to another office.";
    BAD_WHEN = "service-file.when", "Name a form field of the kind choice or yes-no that is always asked, and one of its choices, \"yes\" or \"no\".";
    BAD_TYPES = "service-file.credential-types", "Name at least one type; for mso_mdoc exactly one doctype, the namespace, and an element for each claim.";
    BAD_CLAIM = "service-file.claim", "Name each claim once, as a path such as [\"address\", \"locality\"], of at most 8 parts.";
    BAD_CHOICES = "service-file.choices", "Give a field of the kind choice at least two choices, and no other field any.";
    UNKNOWN_CLAIM = "service-file.from", "Name one of the file's credentials that is needed whenever the field is asked, and one of the claims asked of it.";
    BAD_DATE = "service-file.date", "Write dates as 2026-12-25, instants as 2026-03-29T01:00:00Z, offsets as +02:00.";
    NOT_ASCENDING = "service-file.not-ascending", "Sort the list by date, each date once.";
    AFTER_CALENDAR = "service-file.after-calendar", "Move `until` to the end of the last year whose holidays you list.";
    NO_WORKING_DAY = "service-file.weekend", "Name each day once and leave at least one working day.";
    BAD_UNIT = "service-file.unit", "Write days, weeks, months or working-days.";
    BAD_LENGTH = "service-file.length", "At least 1, and at most 1830 days, 260 weeks, 60 months or 500 working days; 31 days until notification.";
    NO_PERIOD = "service-file.period", "Give the period that this needs, or take it out.";
    BAD_CURRENCY = "service-file.currency", "Write the three capital letters of ISO 4217, such as \"EUR\".";
}
