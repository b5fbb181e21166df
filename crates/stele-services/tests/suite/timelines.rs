//! What the citizen reads.

use serde_json::json;
use stele_core::id::TimeMs;
use stele_services::timeline::When;
use stele_services::{
    CaseEvent, DeadlineKind, Definition, Fact, Language, deadlines, reminders, replay, timeline,
};

use crate::support::{BUSINESS, PARKING, at, with};

const TRADE: &str = "did:stele:trade";
const ORDER: &str = "did:stele:order";

fn items(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

/// The business registration, with its offices' parties.
fn business() -> Definition {
    let mut file = crate::support::json(BUSINESS);
    file["offices"][0]["party"] = json!(TRADE);
    file["offices"][1]["party"] = json!(ORDER);
    crate::support::read(&file)
}

/// Applied on 1 December 2026, something missing until 10 December, handed over on 14 December.
fn history(definition: &Definition) -> Vec<CaseEvent> {
    let event = |month, day, fact| CaseEvent {
        time: at(definition, 2026, month, day, 10),
        fact,
    };
    vec![
        event(
            12,
            1,
            Fact::Opened {
                version: 1,
                office: TRADE.into(),
            },
        ),
        event(
            12,
            3,
            Fact::Requested {
                items: items(&["tax-clearance", "employees"]),
            },
        ),
        event(
            12,
            8,
            Fact::Supplied {
                items: items(&["employees"]),
            },
        ),
        event(
            12,
            10,
            Fact::Supplied {
                items: items(&["tax-clearance"]),
            },
        ),
        event(12, 14, Fact::HandedOver { to: ORDER.into() }),
    ]
}

fn sentences(
    definition: &Definition,
    events: &[CaseEvent],
    language: Language,
    now: u64,
) -> Vec<String> {
    let lines = timeline(definition, events, language, TimeMs::new(now)).unwrap();
    lines
        .into_iter()
        .map(|line| format!("{} {}", line.date, line.sentence))
        .collect()
}

#[test]
fn a_timeline_in_english_and_german() {
    let definition = business();
    let events = history(&definition);
    let now = at(&definition, 2027, 1, 4, 0);
    assert_eq!(
        sentences(&definition, &events, Language::En, now),
        [
            "2026-12-01 Your application “Business registration with permit: auctioneer” was received. It is with: Trade Office. A decision is due by 1 March 2027.",
            "2026-12-03 Something is missing in your application: Tax clearance certificate and Number of employees. Until it has come, the period for the decision stands still.",
            "2026-12-08 You have supplied: Number of employees. Still missing: 1.",
            "2026-12-10 You have supplied: Tax clearance certificate. Nothing is missing any more. A decision is due by 10 March 2027.",
            "2026-12-14 Your application was handed over. It is now with: Public Order Office. Next: Examination of reliability.",
            "2027-03-10 By 10 March 2027 the office decides; if it does not, your application counts as granted.",
        ]
    );
    assert_eq!(
        sentences(&definition, &events, Language::De, now),
        [
            "2026-12-01 Ihr Antrag „Gewerbeanmeldung mit Erlaubnis: Versteigerer“ ist eingegangen. Er liegt bei: Gewerbeamt. Über ihn ist bis zum 1. März 2027 zu entscheiden.",
            "2026-12-03 In Ihrem Antrag fehlt noch: Bescheinigung in Steuersachen und Zahl der Beschäftigten. Bis dahin ruht die Entscheidungsfrist.",
            "2026-12-08 Sie haben nachgereicht: Zahl der Beschäftigten. Es fehlen noch: 1.",
            "2026-12-10 Sie haben nachgereicht: Bescheinigung in Steuersachen. Es fehlt nichts mehr. Über Ihren Antrag ist bis zum 10. März 2027 zu entscheiden.",
            "2026-12-14 Ihr Antrag wurde übergeben. Er liegt jetzt bei: Ordnungsamt. Nächster Schritt: Prüfung der Zuverlässigkeit.",
            "2027-03-10 Bis zum 10. März 2027 entscheidet die Stelle; andernfalls gilt Ihr Antrag als genehmigt.",
        ]
    );
}

#[test]
fn silence_is_told_before_anybody_records_it() {
    let definition = business();
    let mut events = history(&definition);
    let granted = at(&definition, 2027, 3, 11, 0);
    let before = timeline(&definition, &events, Language::En, TimeMs::new(granted - 1)).unwrap();
    assert_eq!(before.last().unwrap().when, When::Coming);
    let after = timeline(&definition, &events, Language::En, TimeMs::new(granted)).unwrap();
    let last = after.last().unwrap();
    assert_eq!((last.when, last.date.as_str()), (When::ByLaw, "2027-03-11"));
    assert!(
        last.sentence
            .contains("by law your application counts as granted")
    );
    events.push(CaseEvent {
        time: granted + 5,
        fact: Fact::Deemed,
    });
    events.push(CaseEvent {
        time: granted + 9,
        fact: Fact::Closed,
    });
    let lines = sentences(&definition, &events, Language::De, granted + 10);
    assert_eq!(lines.len(), events.len(), "nothing is ahead: {lines:?}");
    assert!(lines[5].ends_with("weil nicht rechtzeitig entschieden wurde."));
}

#[test]
fn a_refusal_and_the_way_of_an_appeal() {
    let definition = with(PARKING, &[]);
    let event = |month, day, fact| CaseEvent {
        time: at(&definition, 2026, month, day, 10),
        fact,
    };
    let mut events = vec![
        event(
            3,
            2,
            Fact::Opened {
                version: 1,
                office: "did:stele:x".into(),
            },
        ),
        event(3, 4, Fact::Confirmed),
        event(3, 5, Fact::Extended { count: 5 }),
        event(
            3,
            18,
            Fact::Decided {
                outcome: "refused".into(),
            },
        ),
    ];
    // Decided on 18 March, notified on 22 March, a month later is 22 April 2026, a Wednesday.
    let now = at(&definition, 2026, 4, 1, 0);
    let lines = sentences(&definition, &events, Language::En, now);
    assert_eq!(
        lines[2],
        "2026-03-05 The period for the decision was lengthened, for stated reasons. A decision is due by 23 March 2026."
    );
    assert_eq!(
        lines[3],
        "2026-03-18 Your application was refused. The letter gives the reasons. You can appeal until 22 April 2026."
    );
    assert_eq!(lines[4], "2026-04-22 Until 22 April 2026 you can appeal.");
    let final_at = at(&definition, 2026, 4, 23, 0);
    let lines = sentences(&definition, &events, Language::De, final_at);
    assert_eq!(
        lines[4],
        "2026-04-23 Die Widerspruchsfrist endete am 22. April 2026; der Bescheid ist bestandskräftig."
    );
    events.push(event(4, 20, Fact::Appealed));
    events.push(event(
        5,
        20,
        Fact::Settled {
            outcome: "allowed".into(),
        },
    ));
    let lines = sentences(&definition, &events, Language::De, now);
    assert!(lines[5].ends_with("Ihrem Widerspruch wurde stattgegeben."));
    let late = [&events[..4], &[event(4, 23, Fact::Appealed)]].concat();
    let error = timeline(&definition, &late, Language::De, TimeMs::new(now)).unwrap_err();
    assert_eq!(
        (error.index, error.illegal.code()),
        (4, "service.appeal.too-late")
    );
}

#[test]
fn deadlines_and_reminders() {
    let definition = business();
    let events = &history(&definition)[..2];
    let case = replay(&definition, events).unwrap();
    // While something is missing only the applicant has a deadline: a month from 3 December, and 3 January is a Sunday.
    let now = TimeMs::new(at(&definition, 2026, 12, 28, 12));
    let found = deadlines(&definition, &case, now);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].kind, found[0].last_day.date(), found[0].days_left),
        (DeadlineKind::Supply, (2027, 1, 4), 7)
    );
    let wanted = reminders(&definition, &case, now);
    assert_eq!(wanted.len(), 1);
    assert_eq!(
        (wanted[0].on.date(), wanted[0].has_come),
        ((2026, 12, 28), true)
    );
    let day_before = reminders(
        &definition,
        &case,
        TimeMs::new(at(&definition, 2026, 12, 27, 23)),
    );
    assert!(!day_before[0].has_come);

    let case = replay(&definition, &history(&definition)).unwrap();
    let wanted = reminders(
        &definition,
        &case,
        TimeMs::new(at(&definition, 2027, 3, 4, 0)),
    );
    let days: Vec<_> = wanted
        .iter()
        .map(|one| (one.on.date(), one.has_come))
        .collect();
    assert_eq!(
        days,
        [
            ((2027, 2, 10), true),
            ((2027, 3, 3), true),
            ((2027, 3, 9), false)
        ]
    );
    let over = TimeMs::new(at(&definition, 2027, 3, 11, 0));
    assert_eq!(reminders(&definition, &case, over), []);
}

#[test]
fn histories_that_cannot_be() {
    let definition = business();
    let good = history(&definition);
    let cases = [
        (Vec::new(), 0, "service.history.beginning"),
        (good[1..].to_vec(), 0, "service.history.beginning"),
        (
            [&good[..], &good[..1]].concat(),
            5,
            "service.history.time-runs-back",
        ),
        (
            [&good[..2], &good[..1]].concat(),
            2,
            "service.history.time-runs-back",
        ),
        (
            [&good[..1], &good[2..]].concat(),
            1,
            "service.items.not-missing",
        ),
    ];
    for (events, index, code) in cases {
        let error = replay(&definition, &events).unwrap_err();
        assert_eq!((error.index, error.illegal.code()), (index, code));
        assert!(!error.illegal.hint().is_empty());
    }
    let mut twice = good[..1].to_vec();
    twice.push(good[0].clone());
    assert_eq!(
        replay(&definition, &twice).unwrap_err().illegal.code(),
        "service.history.beginning"
    );
    let json = serde_json::to_value(&good).unwrap();
    assert_eq!(
        json[1],
        json!({"time": good[1].time, "what": "requested", "items": ["tax-clearance", "employees"]})
    );
    assert_eq!(
        serde_json::from_value::<Vec<CaseEvent>>(json).unwrap(),
        good
    );
}
