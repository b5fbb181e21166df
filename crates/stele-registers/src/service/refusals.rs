//! The rules by which `service` refuses.

use crate::spec::rules;

rules! {
    NOT_PUBLISHER = "service.definition.not-accredited", "Only a party accredited for service/publish in this scope may publish the service.",
        "Ask the supervising authority, or a steward, for the accreditation service/publish in the scope.";
    BAD_ID = "service.definition.bad-id", "The service's id or the scope is not written as it must be.",
        "Write the id in lower-case letters, digits and hyphens; the scope in words joined by slashes, such as DE/BY.";
    WRONG_VERSION = "service.definition.wrong-version", "This is not the next version of the service.",
        "Versions are numbered 1, 2, 3 and never change; read service/<service> for the last one.";
    BAD_PERIOD = "service.definition.bad-period", "A period of the definition is too long, or one that it needs is missing.",
        "Silence counts as a grant only where there is a period for the decision; compare the longest periods in the documentation.";
    BAD_ITEMS = "service.definition.bad-items", "The codes of the items are not written as they must be.",
        "Write each code once, in lower-case letters, digits and hyphens.";
    BAD_CALENDAR = "service.definition.bad-calendar", "The calendar of the definition is not in order.",
        "List days ascending and within the calendar's end, leave a working day in each week, and give local time from its beginning.";
    NO_DEFINITION = "service.definition.unknown", "There is no such version of the service.",
        "Check the reference of the service and the number of the version.";
    NOT_AUTHORITY = "service.definition.not-authority", "Only the authority that published the service may withdraw a version.",
        "Let the authority sign.";
    DEFINITION_WITHDRAWN = "service.definition.withdrawn", "This version of the service is withdrawn.",
        "Apply under the newest version; cases that run under this one go on.";
    OTHER_DOCUMENT = "service.case.other-document", "The definition on the chain is not the one that the applicant has read.",
        "Fetch the service file of this version again and compare its hash.";
    CASE_EXISTS = "service.case.exists", "The applicant has opened a case with this id already.",
        "Draw a new random id for each case.";
    CALENDAR_ENDS = "service.case.calendar-ends", "The calendar of the definition ends before the period of the case would.",
        "The authority publishes a new version with the holidays of the coming years.";
    NO_CASE = "service.case.unknown", "There is no such case.",
        "Check the reference of the case.";
    NOT_APPLICANT = "service.case.not-applicant", "Only the applicant may do this.",
        "Sign with the key that opened the case.";
    NOT_OFFICE = "service.case.not-office", "Only the office that handles the case may do this.",
        "Read case/<case> to see who handles it; a case is handed over first.";
    NOT_PENDING = "service.case.not-pending", "The case is no longer waiting for a decision.",
        "Read the history of the case; against a decision there may be an appeal.";
    GRANTED_BY_LAW = "service.case.granted-by-law", "The period has ended without a decision, and the law counts that as a grant.",
        "Record it with case.deem; what was granted so is taken back only as the law allows.";
    OFFICE_NOT_ACCREDITED = "service.office.not-accredited", "The office is not accredited to handle cases of this service.",
        "Ask for the accreditation service/decide in the scope of the service.";
    NO_SUCH_ITEM = "service.items.unknown", "The definition of the case does not know one of these items, or it is named twice.",
        "Only what the definition names may be asked for; see its list of items.";
    NOT_MISSING = "service.items.not-missing", "The office has not asked for one of these items.",
        "Read case/<case> for what is missing.";
    CHECK_OVER = "service.items.too-late", "The time to ask for missing items is over.",
        "Decide on what there is; the definition sets this time so that nobody is asked again and again.";
    COMPLETE = "service.items.complete", "The office has confirmed already that nothing is missing.",
        "Decide on what there is.";
    STILL_MISSING = "service.items.still-missing", "The applicant still owes items that the office asked for.",
        "Wait for them, or decide without them.";
    NOT_DEEMED = "service.deem.not-by-law", "For this service silence is not a grant.",
        "Ask the office; the law may offer an action for failure to act.";
    NOT_DUE = "service.deem.not-due", "The period for the decision has not ended.",
        "The due time stands in the events of the case; while items are missing the clock stands still.";
    NO_EXTENSION = "service.period.no-extension", "The period cannot be lengthened: it has no end, stands still, is over, or was lengthened already, or the definition does not allow so much.",
        "A period is lengthened at most once, before it ends, by at most what the definition says.";
    SAME_OFFICE = "service.handover.same-office", "The case is with this office already.",
        "Name another office.";
    OFFERED = "service.handover.offered", "The case is offered to another office.",
        "Take the offer back with handover.cancel first.";
    NOT_OFFERED = "service.handover.not-offered", "The case is not offered to this office.",
        "The office that handles it offers it with handover.offer; an offer ends when it is accepted or taken back.";
    NOT_COUNTERSIGNED = "service.handover.not-countersigned", "The receiving office has not countersigned.",
        "Let it countersign the entry, or use handover.offer and handover.accept.";
    NO_DECISION = "service.appeal.no-decision", "There is no decision against which an appeal could go.",
        "An appeal follows a decision of the office, once.";
    NO_APPEAL = "service.appeal.not-by-law", "The definition of this service knows no appeal.",
        "The decision itself says which remedy there is.";
    APPEAL_OVER = "service.appeal.too-late", "The time to appeal is over.",
        "Ask the office whether the law lets the time be restored for you.";
    NO_LODGED_APPEAL = "service.appeal.unknown", "There is no open appeal in this case.",
        "The applicant lodges it with appeal.lodge.";
    NOT_APPEAL_BODY = "service.appeal.not-accredited", "Only a party accredited for service/appeal in this scope may decide the appeal.",
        "Ask for the accreditation service/appeal in the scope of the service.";
    CANNOT_CLOSE = "service.case.cannot-close", "The case is not at its end yet.",
        "A case is closed once it is withdrawn, granted by law, its appeal is decided, or the time to appeal is over.";
}
