//! What the applicant and anybody may do in a case: opening, supplying, withdrawing, recording silence, closing.

use stele_core::cbor::{Body, BodyBuilder};
use stele_core::id::{Hash, PartyId};

use super::clock::Clock;
use super::state::{
    self, Case, Decision, Definition, Line, LineKind, Status, case_key, case_line_key, case_ref,
    documents_hash,
};
use super::{
    CODE_BYTES_MAX, DECIDE_ACTION, DOCUMENTS_MAX, ITEMS_MAX, case_scope, is_accredited, refusals,
};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

/// A case with the definition that judges it.
pub(super) struct Loaded {
    pub reference: Hash,
    pub case: Case,
    pub definition: Definition,
}

impl Loaded {
    /// Refuses unless the signer is the applicant.
    pub(super) fn by_applicant(&self, context: &Context<'_, '_>) -> Outcome {
        ensure(
            self.case.applicant == context.signer(),
            &refusals::NOT_APPLICANT,
        )
    }

    /// Refuses unless the signer is the office that handles the case and may do so.
    pub(super) fn by_office(&self, context: &Context<'_, '_>) -> Outcome {
        let signer = context.signer();
        ensure(self.case.office == signer, &refusals::NOT_OFFICE)?;
        ensure_office(context, &signer, &self.definition)
    }

    /// Whether the law has granted the application by silence, recorded or not.
    fn is_granted_by_law(&self, context: &Context<'_, '_>) -> bool {
        let rules = &self.definition.rules;
        rules.deemed && self.case.clock.is_over(context.time(), rules)
    }

    /// Refuses unless a decision is still to be made.
    pub(super) fn pending(&self, context: &Context<'_, '_>) -> Outcome {
        ensure(self.case.status.is_pending(), &refusals::NOT_PENDING)?;
        ensure(!self.is_granted_by_law(context), &refusals::GRANTED_BY_LAW)
    }

    /// Adds a line to the history and writes the case.
    pub(super) fn save(
        mut self,
        context: &mut Context<'_, '_>,
        kind: LineKind,
        by: PartyId,
        other: Option<Hash>,
    ) {
        let line = Line {
            kind,
            by,
            other,
            height: context.height(),
            time: context.time(),
        };
        context.put(
            &case_line_key(&self.reference, self.case.lines),
            line.encode(),
        );
        self.case.lines += 1;
        context.put(&case_key(&self.reference), self.case.encode());
    }

    /// The beginning of an event: the case, when, and until when the office decides if that is known.
    pub(super) fn event(&self, context: &Context<'_, '_>) -> BodyBuilder {
        let event = BodyBuilder::new()
            .bytes("case", self.reference.as_bytes())
            .uint("time", context.time().get());
        let due = self.case.clock.due(&self.definition.rules);
        match due.filter(|_| self.case.status.is_pending()) {
            Some(due) => event.uint("due", due.get()),
            None => event,
        }
    }
}

/// The case that a command names.
pub(super) fn named(body: &mut Body<'_>) -> Result<Hash, Stop> {
    Ok(Hash::from_bytes(body.bytes32("case")?))
}

pub(super) fn load(context: &Context<'_, '_>, reference: Hash) -> Result<Loaded, Stop> {
    let case = state::case(context.own(), &reference)?;
    let case = case.ok_or(&refusals::NO_CASE)?;
    let definition = state::definition(context.own(), &case.service, case.version)?;
    // A definition is never deleted.
    let definition = definition.ok_or(&refusals::NO_DEFINITION)?;
    Ok(Loaded {
        reference,
        case,
        definition,
    })
}

pub(super) fn ensure_office(
    context: &Context<'_, '_>,
    office: &PartyId,
    definition: &Definition,
) -> Outcome {
    let scope = case_scope(definition);
    let accredited = is_accredited(context, office, DECIDE_ACTION, &scope)?;
    ensure(accredited, &refusals::OFFICE_NOT_ACCREDITED)
}

/// Codes of items, each once, ascending.
pub(super) fn codes(body: &mut Body<'_>) -> Result<Vec<String>, Stop> {
    let codes = fields::texts(body, "items", 1, ITEMS_MAX, CODE_BYTES_MAX)?;
    let mut codes: Vec<_> = codes.into_iter().map(str::to_owned).collect();
    codes.sort_unstable();
    Ok(codes)
}

pub(super) fn open(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let case_id = Hash::from_bytes(body.bytes32("case_id")?);
    let service = Hash::from_bytes(body.bytes32("service")?);
    let version = body.uint("version")?;
    let document = Hash::from_bytes(body.bytes32("document")?);
    let application = Hash::from_bytes(body.bytes32("application")?);
    let documents = fields::hashes(body, "documents", 0, DOCUMENTS_MAX)?;
    let office = body.opt_bytes32("office")?.map(PartyId::from_bytes);

    let definition = state::definition(context.own(), &service, version)?;
    let definition = definition.ok_or(&refusals::NO_DEFINITION)?;
    ensure(
        definition.withdrawn.is_none(),
        &refusals::DEFINITION_WITHDRAWN,
    )?;
    ensure(definition.document == document, &refusals::OTHER_DOCUMENT)?;
    let applicant = context.signer();
    let reference = case_ref(&applicant, &case_id);
    ensure(
        context.get(&case_key(&reference))?.is_none(),
        &refusals::CASE_EXISTS,
    )?;
    let office = office.unwrap_or(definition.authority);
    ensure_office(context, &office, &definition)?;
    let now = context.time();
    let clock = Clock::start(now, &definition.rules);
    let calendar = &definition.rules.calendar;
    let last = clock
        .last_day(&definition.rules)
        .unwrap_or(calendar.day_of(now));
    ensure(last <= calendar.until, &refusals::CALENDAR_ENDS)?;

    let loaded = Loaded {
        reference,
        case: Case {
            applicant,
            service,
            version,
            office,
            offered: None,
            application,
            opened: now,
            received: now,
            status: Status::Open,
            missing: Vec::new(),
            complete: false,
            clock,
            decision: None,
            lines: 0,
        },
        definition,
    };
    let event = loaded
        .event(context)
        .bytes("service", service.as_bytes())
        .uint("version", version)
        .bytes("applicant", applicant.as_bytes())
        .bytes("office", office.as_bytes())
        .build();
    let documents = documents_hash(&documents);
    loaded.save(context, LineKind::Opened, applicant, Some(documents));
    context.emit("case.opened", event);
    Ok(())
}

pub(super) fn supply(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;
    let items = codes(body)?;
    let documents = fields::hashes(body, "documents", 1, DOCUMENTS_MAX)?;

    let mut loaded = load(context, reference)?;
    loaded.by_applicant(context)?;
    loaded.pending(context)?;
    let case = &mut loaded.case;
    for code in &items {
        let place = case.missing.iter().position(|missing| missing == code);
        case.missing.remove(place.ok_or(&refusals::NOT_MISSING)?);
    }
    if case.missing.is_empty() {
        case.status = Status::Open;
        case.received = context.time();
        case.clock.resume(context.time(), &loaded.definition.rules);
    }
    let event = loaded
        .event(context)
        .text_list("items", &items)
        .text_list("missing", &loaded.case.missing)
        .build();
    let (by, documents) = (context.signer(), documents_hash(&documents));
    loaded.save(context, LineKind::Supplied, by, Some(documents));
    context.emit("items.supplied", event);
    Ok(())
}

pub(super) fn withdraw(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let mut loaded = load(context, reference)?;
    loaded.by_applicant(context)?;
    loaded.pending(context)?;
    loaded.case.status = Status::Withdrawn;
    loaded.case.offered = None;
    let event = loaded.event(context).build();
    let by = context.signer();
    loaded.save(context, LineKind::Withdrawn, by, None);
    context.emit("case.withdrawn", event);
    Ok(())
}

pub(super) fn deem(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let mut loaded = load(context, reference)?;
    ensure(loaded.case.status.is_pending(), &refusals::NOT_PENDING)?;
    ensure(loaded.definition.rules.deemed, &refusals::NOT_DEEMED)?;
    let due = loaded.case.clock.due(&loaded.definition.rules);
    let due = due.ok_or(&refusals::NOT_DUE)?;
    ensure(context.time() >= due, &refusals::NOT_DUE)?;
    loaded.case.status = Status::Deemed;
    loaded.case.offered = None;
    loaded.case.decision = Some(Decision {
        by: None,
        outcome: "granted".to_owned(),
        reasons: None,
        time: context.time(),
    });
    let event = loaded.event(context).uint("since", due.get()).build();
    let by = context.signer();
    loaded.save(context, LineKind::Deemed, by, None);
    context.emit("case.deemed", event);
    Ok(())
}

pub(super) fn close(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = named(body)?;

    let mut loaded = load(context, reference)?;
    ensure(
        loaded.case.office == context.signer(),
        &refusals::NOT_OFFICE,
    )?;
    let now = context.time();
    let at_end = match (loaded.case.status, &loaded.case.decision) {
        (Status::Withdrawn | Status::Deemed | Status::Settled, _) => true,
        (Status::Decided, Some(decision)) => loaded
            .definition
            .rules
            .appeal_due(decision.time)
            .is_none_or(|due| now >= due),
        _ => false,
    };
    ensure(at_end, &refusals::CANNOT_CLOSE)?;
    loaded.case.status = Status::Closed;
    let event = loaded.event(context).build();
    let by = context.signer();
    loaded.save(context, LineKind::Closed, by, None);
    context.emit("case.closed", event);
    Ok(())
}
