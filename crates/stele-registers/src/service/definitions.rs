//! Publishing definitions, and withdrawing them for new cases.

use stele_core::cbor::{Body, BodyBuilder, Decoder};
use stele_core::id::{Hash, TimeMs};

use super::calendar::{CLOCK_CHANGES_MAX, Calendar, ClockChange, Day, FREE_DAYS_MAX, Period, Unit};
use super::clock::{NOTICE_DAYS_MAX, Rules};
use super::state::{self, Definition, Service, definition_key, service_key, service_ref};
use super::{
    CODE_BYTES_MAX, ITEMS_MAX, PUBLISH_ACTION, SCOPE_BYTES_MAX, SERVICE_ID_BYTES_MAX,
    is_accredited, refusals,
};
use crate::context::Context;
use crate::fields;
use crate::register::Stop;
use crate::spec::ensure;

type Outcome = Result<(), Stop>;

fn period(body: &mut Body<'_>, count: &'static str, unit: &'static str) -> Result<Period, Stop> {
    let count = body.uint(count)?;
    let unit = fields::choice(body, unit, Unit::NAMES)?;
    // The choice is one of the names.
    let unit = Unit::from_name(unit).unwrap_or(Unit::Days);
    Ok(Period { count, unit })
}

fn uints(
    body: &mut Body<'_>,
    name: &'static str,
    min: usize,
    max: usize,
) -> Result<Vec<u64>, Stop> {
    Ok(fields::list(body, name, min, max, Decoder::uint)?)
}

fn rules(body: &mut Body<'_>) -> Result<Rules, Stop> {
    let decide = period(body, "decide_count", "decide_unit")?;
    let deemed = body.flag("deemed")?;
    let restart = body.flag("restart")?;
    let check = period(body, "check_count", "check_unit")?;
    let extension_max = body.opt_uint("extension_max")?.unwrap_or(0);
    let appeal = period(body, "appeal_count", "appeal_unit")?;
    let notice_days = body.opt_uint("notice_days")?.unwrap_or(0);
    let items = fields::texts(body, "items", 0, ITEMS_MAX, CODE_BYTES_MAX)?;
    let weekend = uints(body, "weekend", 0, 6)?;
    let free_days = uints(body, "free_days", 0, FREE_DAYS_MAX)?;
    let until = Day::new(body.uint("calendar_until")?);
    let clock_from = uints(body, "clock_from", 1, CLOCK_CHANGES_MAX)?;
    let clock_offset = uints(body, "clock_offset", 1, CLOCK_CHANGES_MAX)?;
    ensure(
        clock_from.len() == clock_offset.len(),
        &refusals::BAD_CALENDAR,
    )?;
    let clock = clock_from.into_iter().zip(clock_offset);
    Ok(Rules {
        decide,
        deemed,
        restart,
        check,
        extension_max,
        appeal,
        notice_days,
        items: items.into_iter().map(str::to_owned).collect(),
        calendar: Calendar {
            weekend,
            free_days: free_days.into_iter().map(Day::new).collect(),
            until,
            clock: clock
                .map(|(from, offset_biased)| ClockChange {
                    from: TimeMs::new(from),
                    offset_biased,
                })
                .collect(),
        },
    })
}

/// Whether a text is made of lower-case letters, digits and hyphens.
pub(super) fn is_code(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether a text is words joined by slashes: what an accreditation's scope may cover.
fn is_scope(text: &str) -> bool {
    text.split('/').all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    })
}

fn check_rules(rules: &Rules) -> Outcome {
    let lengthened = Period {
        count: rules.decide.count.saturating_add(rules.extension_max),
        unit: rules.decide.unit,
    };
    let periods = [lengthened, rules.check, rules.appeal];
    let allowed = periods.into_iter().all(Period::is_allowed)
        && rules.notice_days <= NOTICE_DAYS_MAX
        && (rules.decide.count > 0 || !rules.deemed && rules.extension_max == 0);
    ensure(allowed, &refusals::BAD_PERIOD)?;
    let mut codes = rules.items.clone();
    codes.sort_unstable();
    let once = codes.windows(2).all(|pair| pair[0] != pair[1]);
    ensure(
        once && codes.iter().all(|code| is_code(code)),
        &refusals::BAD_ITEMS,
    )?;
    ensure(rules.calendar.is_sound(), &refusals::BAD_CALENDAR)
}

pub(super) fn publish(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let service_id = body.text("service_id", SERVICE_ID_BYTES_MAX)?;
    let version = body.uint("version")?;
    let document = Hash::from_bytes(body.bytes32("document")?);
    let scope = body.text("scope", SCOPE_BYTES_MAX)?;
    let rules = rules(body)?;

    ensure(is_code(service_id) && is_scope(scope), &refusals::BAD_ID)?;
    let authority = context.signer();
    let accredited = is_accredited(context, &authority, PUBLISH_ACTION, scope)?;
    ensure(accredited, &refusals::NOT_PUBLISHER)?;
    check_rules(&rules)?;
    let reference = service_ref(&authority, service_id);
    let published = state::service(context.own(), &reference)?.map_or(0, |found| found.versions);
    ensure(version == published + 1, &refusals::WRONG_VERSION)?;

    let service = Service {
        authority,
        service_id: service_id.to_owned(),
        versions: version,
    };
    let definition = Definition {
        authority,
        service_id: service_id.to_owned(),
        document,
        scope: scope.to_owned(),
        published: context.height(),
        withdrawn: None,
        rules,
    };
    context.put(&service_key(&reference), service.encode());
    context.put(&definition_key(&reference, version), definition.encode());
    let event = BodyBuilder::new()
        .bytes("service", reference.as_bytes())
        .bytes("authority", authority.as_bytes())
        .text("service_id", service_id)
        .uint("version", version)
        .bytes("document", document.as_bytes())
        .text("scope", scope);
    context.emit("definition.published", event.build());
    Ok(())
}

pub(super) fn withdraw(context: &mut Context<'_, '_>, body: &mut Body<'_>) -> Outcome {
    let reference = Hash::from_bytes(body.bytes32("service")?);
    let version = body.uint("version")?;

    let found = state::definition(context.own(), &reference, version)?;
    let mut definition = found.ok_or(&refusals::NO_DEFINITION)?;
    let allowed = definition.authority == context.signer();
    ensure(allowed, &refusals::NOT_AUTHORITY)?;
    ensure(
        definition.withdrawn.is_none(),
        &refusals::DEFINITION_WITHDRAWN,
    )?;
    definition.withdrawn = Some(context.height());
    context.put(&definition_key(&reference, version), definition.encode());
    let event = BodyBuilder::new()
        .bytes("service", reference.as_bytes())
        .uint("version", version);
    context.emit("definition.withdrawn", event.build());
    Ok(())
}
