//! The sentences of the timeline, in English and German.

use stele_registers::service::calendar::Day;

use crate::application::GapKind;
use crate::deadlines::DeadlineKind;
use crate::definition::Definition;
use crate::file::Language::{self, De, En};

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// A date as people write it.
pub(crate) fn date(language: Language, day: Day) -> String {
    let (year, month, date) = day.date();
    let index = usize::try_from(month - 1).unwrap_or(0).min(11);
    match language {
        En => format!("{date} {} {year}", MONTHS_EN[index]),
        De => format!("{date}. {} {year}", MONTHS_DE[index]),
    }
}

/// What keeps an application from being complete.
pub(crate) fn gap(language: Language, kind: GapKind, title: &str) -> String {
    match (language, kind) {
        (En, GapKind::Missing) => format!("“{title}” is missing."),
        (De, GapKind::Missing) => format!("„{title}“ fehlt."),
        (En, GapKind::ClaimMissing) => {
            format!("“{title}” does not show everything that is asked for.")
        }
        (De, GapKind::ClaimMissing) => {
            format!("„{title}“ zeigt nicht alle Angaben, nach denen gefragt wird.")
        }
        (En, GapKind::Invalid) => format!("The answer to “{title}” does not fit the question."),
        (De, GapKind::Invalid) => format!("Die Antwort auf „{title}“ passt nicht zur Frage."),
        (En, GapKind::Differs) => {
            format!("The answer to “{title}” differs from what the credential says.")
        }
        (De, GapKind::Differs) => {
            format!("Die Antwort auf „{title}“ weicht von dem Nachweis ab.")
        }
        (En, GapKind::NotAsked) => format!("“{title}” is not asked for; leave it out."),
        (De, GapKind::NotAsked) => {
            format!("Nach „{title}“ wird nicht gefragt; bitte lassen Sie es weg.")
        }
    }
}

/// What was decided.
pub(crate) fn decision(language: Language, outcome: &str) -> &'static str {
    match (language, outcome) {
        (En, "granted") => "Your application was granted.",
        (De, "granted") => "Ihrem Antrag wurde stattgegeben.",
        (En, "partly") => "Your application was granted in part.",
        (De, "partly") => "Ihrem Antrag wurde teilweise stattgegeben.",
        (En, _) => "Your application was refused.",
        (De, _) => "Ihr Antrag wurde abgelehnt.",
    }
}

/// The last day for an appeal, as a letter says it.
pub(crate) fn appeal_last_day(language: Language, day: Day) -> String {
    let day = date(language, day);
    match language {
        En => format!("The last day is {day}."),
        De => format!("Der letzte Tag ist der {day}."),
    }
}

/// An appeal waits for its decision.
pub(crate) fn appeal_open(language: Language) -> &'static str {
    match language {
        En => "Your appeal is being examined.",
        De => "Ihr Widerspruch wird geprüft.",
    }
}

/// Sentences about a case under one definition, in one language.
#[derive(Clone, Copy)]
pub(crate) struct Says<'a> {
    pub definition: &'a Definition,
    pub language: Language,
}

impl Says<'_> {
    fn date(&self, day: Day) -> String {
        date(self.language, day)
    }

    fn pick(&self, en: impl Into<String>, de: impl Into<String>) -> String {
        match self.language {
            En => en.into(),
            De => de.into(),
        }
    }

    fn title(&self) -> &str {
        self.definition.file().title.get(self.language)
    }

    /// The office's name, if the definition knows the party.
    fn office(&self, party: &str) -> String {
        let mut offices = self.definition.file().offices.iter();
        match offices.find(|office| office.party.as_deref() == Some(party)) {
            Some(office) => office.title.get(self.language).to_owned(),
            None => self.pick("the responsible office", "die zuständige Stelle"),
        }
    }

    fn items(&self, codes: &[String]) -> String {
        let title = |code: &String| {
            let title = self.definition.item_title(code);
            title
                .map_or(code.as_str(), |title| title.get(self.language))
                .to_owned()
        };
        let titles: Vec<_> = codes.iter().map(title).collect();
        match titles.split_last() {
            None => String::new(),
            Some((last, [])) => last.clone(),
            Some((last, others)) => {
                let and = self.pick("and", "und");
                format!("{} {and} {last}", others.join(", "))
            }
        }
    }

    fn until(&self, due: Option<Day>) -> String {
        match due {
            Some(day) => {
                let day = self.date(day);
                self.pick(
                    format!(" A decision is due by {day}."),
                    format!(" Über ihn ist bis zum {day} zu entscheiden."),
                )
            }
            None => String::new(),
        }
    }

    pub(crate) fn opened(&self, office: &str, due: Option<Day>) -> String {
        let (title, office, until) = (self.title(), self.office(office), self.until(due));
        self.pick(
            format!("Your application “{title}” was received. It is with: {office}.{until}"),
            format!("Ihr Antrag „{title}“ ist eingegangen. Er liegt bei: {office}.{until}"),
        )
    }

    pub(crate) fn requested(&self, items: &[String], stands_still: bool) -> String {
        let items = self.items(items);
        let (still_en, still_de) = if stands_still {
            (
                " Until it has come, the period for the decision stands still.",
                " Bis dahin ruht die Entscheidungsfrist.",
            )
        } else {
            ("", "")
        };
        self.pick(
            format!("Something is missing in your application: {items}.{still_en}"),
            format!("In Ihrem Antrag fehlt noch: {items}.{still_de}"),
        )
    }

    pub(crate) fn supplied(&self, items: &[String], missing: usize, due: Option<Day>) -> String {
        let items = self.items(items);
        if missing > 0 {
            return self.pick(
                format!("You have supplied: {items}. Still missing: {missing}."),
                format!("Sie haben nachgereicht: {items}. Es fehlen noch: {missing}."),
            );
        }
        let until = match due.map(|day| self.date(day)) {
            Some(day) => self.pick(
                format!(" A decision is due by {day}."),
                format!(" Über Ihren Antrag ist bis zum {day} zu entscheiden."),
            ),
            None => String::new(),
        };
        self.pick(
            format!("You have supplied: {items}. Nothing is missing any more.{until}"),
            format!("Sie haben nachgereicht: {items}. Es fehlt nichts mehr.{until}"),
        )
    }

    pub(crate) fn confirmed(&self) -> String {
        self.pick(
            "The office has confirmed that your application is complete.",
            "Die Stelle hat bestätigt, dass Ihr Antrag vollständig ist.",
        )
    }

    pub(crate) fn extended(&self, due: Option<Day>) -> String {
        let day = due.map(|day| self.date(day)).unwrap_or_default();
        self.pick(
            format!("The period for the decision was lengthened, for stated reasons. A decision is due by {day}."),
            format!("Die Entscheidungsfrist wurde mit Begründung verlängert. Über Ihren Antrag ist bis zum {day} zu entscheiden."),
        )
    }

    pub(crate) fn handed_over(&self, to: &str, step: usize) -> String {
        let office = self.office(to);
        let steps = &self.definition.file().steps;
        let is_known = self.definition.file().offices.iter().any(|office| {
            office.party.as_deref() == Some(to)
                && steps
                    .get(step)
                    .is_some_and(|step| step.office == office.code)
        });
        let step = match steps.get(step).filter(|_| is_known) {
            Some(step) => {
                let title = step.title.get(self.language);
                self.pick(
                    format!(" Next: {title}."),
                    format!(" Nächster Schritt: {title}."),
                )
            }
            None => String::new(),
        };
        self.pick(
            format!("Your application was handed over. It is now with: {office}.{step}"),
            format!("Ihr Antrag wurde übergeben. Er liegt jetzt bei: {office}.{step}"),
        )
    }

    pub(crate) fn decided(&self, outcome: &str, appeal: Option<Day>) -> String {
        let mut sentences = decision(self.language, outcome).to_owned();
        if outcome != "granted" {
            let reasons = self.pick(
                " The letter gives the reasons.",
                " Die Gründe stehen im Bescheid.",
            );
            sentences.push_str(&reasons);
        }
        if let Some(day) = appeal.map(|day| self.date(day)) {
            sentences.push_str(&self.pick(
                format!(" You can appeal until {day}."),
                format!(" Sie können bis zum {day} Widerspruch einlegen."),
            ));
        }
        sentences
    }

    pub(crate) fn deemed(&self) -> String {
        self.pick(
            "It was put on record that your application counts as granted, since no decision came in time.",
            "Es wurde festgehalten, dass Ihr Antrag als genehmigt gilt, weil nicht rechtzeitig entschieden wurde.",
        )
    }

    pub(crate) fn granted_by_law(&self) -> String {
        self.pick(
            "The period for the decision has ended: by law your application counts as granted. You can have this put on record.",
            "Die Entscheidungsfrist ist abgelaufen: Ihr Antrag gilt kraft Gesetzes als genehmigt. Sie können das festhalten lassen.",
        )
    }

    pub(crate) fn appealed(&self) -> String {
        self.pick("You have appealed.", "Sie haben Widerspruch eingelegt.")
    }

    pub(crate) fn settled(&self, outcome: &str) -> String {
        match outcome {
            "allowed" => self.pick(
                "Your appeal was allowed.",
                "Ihrem Widerspruch wurde stattgegeben.",
            ),
            "partly" => self.pick(
                "Your appeal was allowed in part. The letter gives the reasons.",
                "Ihrem Widerspruch wurde teilweise stattgegeben. Die Gründe stehen im Bescheid.",
            ),
            _ => self.pick(
                "Your appeal was dismissed. The letter gives the reasons and says which court you can turn to.",
                "Ihr Widerspruch wurde zurückgewiesen. Der Bescheid nennt die Gründe und das Gericht, an das Sie sich wenden können.",
            ),
        }
    }

    pub(crate) fn withdrawn(&self) -> String {
        self.pick(
            "You have taken your application back.",
            "Sie haben Ihren Antrag zurückgenommen.",
        )
    }

    pub(crate) fn closed(&self) -> String {
        self.pick("The case is closed.", "Der Vorgang ist abgeschlossen.")
    }

    pub(crate) fn coming(&self, kind: DeadlineKind, last_day: Day, deemed: bool) -> String {
        let day = self.date(last_day);
        match (kind, deemed) {
            (DeadlineKind::Decide, true) => self.pick(
                format!("By {day} the office decides; if it does not, your application counts as granted."),
                format!("Bis zum {day} entscheidet die Stelle; andernfalls gilt Ihr Antrag als genehmigt."),
            ),
            (DeadlineKind::Decide, false) => self.pick(
                format!("By {day} the office has to decide."),
                format!("Bis zum {day} muss die Stelle entscheiden."),
            ),
            (DeadlineKind::Supply, _) => self.pick(
                format!("Please supply what is missing by {day}."),
                format!("Bitte reichen Sie das Fehlende bis zum {day} nach."),
            ),
            (DeadlineKind::Appeal, _) => self.pick(
                format!("Until {day} you can appeal."),
                format!("Bis zum {day} können Sie Widerspruch einlegen."),
            ),
        }
    }

    pub(crate) fn overdue(&self, kind: DeadlineKind, last_day: Day) -> String {
        let day = self.date(last_day);
        match kind {
            DeadlineKind::Decide => self.pick(
                format!("The office had to decide by {day} and has not. You can ask a court to order a decision."),
                format!("Die Stelle musste bis zum {day} entscheiden und hat es nicht getan. Sie können Untätigkeitsklage erheben."),
            ),
            DeadlineKind::Supply => self.pick(
                format!("You were asked to supply what is missing by {day}. The office may decide without it."),
                format!("Sie wurden gebeten, das Fehlende bis zum {day} nachzureichen. Die Stelle kann auch ohne es entscheiden."),
            ),
            DeadlineKind::Appeal => self.pick(
                format!("The time to appeal ended on {day}; the decision is final."),
                format!("Die Widerspruchsfrist endete am {day}; der Bescheid ist bestandskräftig."),
            ),
        }
    }
}
