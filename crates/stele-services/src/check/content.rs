//! Head, items, offices and decision of a service file.

use std::collections::BTreeSet;

use stele_registers::service::{ITEMS_MAX, SCOPE_BYTES_MAX, SERVICE_ID_BYTES_MAX};

use super::rules::*;
use super::{CLAIM_PARTS_MAX, Checker, is_code};
use crate::definition::item_codes;
use crate::file::{CredentialFormat, CredentialNeed, FORMAT, FieldKind, FormField, When};

fn is_scope(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    text.len() <= SCOPE_BYTES_MAX && text.split('/').all(word)
}

impl Checker<'_> {
    pub(super) fn head(&mut self) {
        let file = self.file;
        let format = file.format == FORMAT;
        self.need(format, BAD_FORMAT, "/format", "This format is not known.");
        let id = is_code(&file.id, SERVICE_ID_BYTES_MAX);
        self.need(id, BAD_ID, "/id", "The id is not written as it must be.");
        let version = file.version > 0;
        self.need(version, BAD_VERSION, "/version", "There is no version 0.");
        let scope = is_scope(&file.authority.scope);
        let sentence = "The scope is not written as it must be.";
        self.need(scope, BAD_SCOPE, "/authority/scope", sentence);
        self.text("/authority/name", &file.authority.name);
        self.text("/title", &file.title);
        self.text("/summary", &file.summary);
        let sentence = "No law is named on which the service rests.";
        self.need(
            !file.legal_basis.is_empty(),
            NOTHING,
            "/legal_basis",
            sentence,
        );
        for (index, basis) in file.legal_basis.iter().enumerate() {
            let path = format!("/legal_basis/{index}");
            self.plain(&format!("{path}/law"), &basis.law);
            self.plain(&format!("{path}/section"), &basis.section);
            self.text(&format!("{path}/says"), &basis.says);
        }
        let fees = file.fees.iter().enumerate();
        self.codes(
            fees.clone()
                .map(|(index, fee)| (format!("/fees/{index}"), fee.code.as_str())),
        );
        for (index, fee) in fees {
            let path = format!("/fees/{index}");
            self.text(&format!("{path}/title"), &fee.title);
            let currency = fee.currency.len() == 3
                && fee.currency.bytes().all(|byte| byte.is_ascii_uppercase());
            let sentence = "This is no currency.";
            self.need(
                currency,
                BAD_CURRENCY,
                &format!("{path}/currency"),
                sentence,
            );
            self.when(&path, fee.when.as_ref());
        }
    }

    pub(super) fn items(&mut self) {
        let file = self.file;
        let place = |list: &str, length: usize| {
            let list = list.to_owned();
            (0..length).map(move |index| format!("/{list}/{index}"))
        };
        let places = place("credentials", file.credentials.len())
            .chain(place("form", file.form.len()))
            .chain(place("documents", file.documents.len()));
        let codes = item_codes(file);
        let many = codes.len() <= ITEMS_MAX;
        let sentence = "An application would need more than 64 items.";
        self.need(many, TOO_MANY, "", sentence);
        self.codes(places.zip(codes));
        for (index, need) in file.credentials.iter().enumerate() {
            self.credential(&format!("/credentials/{index}"), need);
        }
        for (index, field) in file.form.iter().enumerate() {
            self.field(&format!("/form/{index}"), field);
        }
        for (index, need) in file.documents.iter().enumerate() {
            let path = format!("/documents/{index}");
            self.text(&format!("{path}/title"), &need.title);
            self.text(
                &format!("{path}/why_no_credential"),
                &need.why_no_credential,
            );
            self.when(&path, need.when.as_ref());
        }
    }

    fn credential(&mut self, path: &str, need: &CredentialNeed) {
        self.text(&format!("{path}/title"), &need.title);
        self.text(&format!("{path}/purpose"), &need.purpose);
        self.when(path, need.when.as_ref());
        let accepts = format!("{path}/accepts");
        let sentence = "No kind of credential is accepted.";
        self.need(!need.accepts.is_empty(), NOTHING, &accepts, sentence);
        for (index, accepted) in need.accepts.iter().enumerate() {
            let named = accepted.types.iter().all(|name| !name.is_empty());
            let fits = match accepted.format {
                CredentialFormat::Mdoc => {
                    let elements = &accepted.elements;
                    let namespace = accepted.namespace.as_deref().unwrap_or("");
                    accepted.types.len() == 1
                        && !namespace.is_empty()
                        && elements.len() == need.claims.len()
                        && elements.iter().all(|name| !name.is_empty())
                }
                _ => {
                    !accepted.types.is_empty()
                        && accepted.namespace.is_none()
                        && accepted.elements.is_empty()
                }
            };
            let sentence = "The types do not fit the format of the credential.";
            self.need(
                named && fits,
                BAD_TYPES,
                &format!("{accepts}/{index}"),
                sentence,
            );
        }
        let claims = format!("{path}/claims");
        let sentence = "No claim is asked for.";
        self.need(!need.claims.is_empty(), NOTHING, &claims, sentence);
        let once: BTreeSet<_> = need.claims.iter().collect();
        let sentence = "A claim is named twice.";
        self.need(
            once.len() == need.claims.len(),
            BAD_CLAIM,
            &claims,
            sentence,
        );
        for (index, claim) in need.claims.iter().enumerate() {
            let fits = (1..=CLAIM_PARTS_MAX).contains(&claim.len())
                && claim.iter().all(|part| !part.is_empty());
            let sentence = "This is no path to a claim.";
            self.need(fits, BAD_CLAIM, &format!("{claims}/{index}"), sentence);
        }
        if let Some(action) = &need.issuer_action {
            self.plain(&format!("{path}/issuer_action"), action);
        }
    }

    fn field(&mut self, path: &str, field: &FormField) {
        self.text(&format!("{path}/title"), &field.title);
        self.when(path, field.when.as_ref());
        let choices = format!("{path}/choices");
        let fits = match field.kind {
            FieldKind::Choice => field.choices.len() >= 2,
            _ => field.choices.is_empty(),
        };
        let sentence = "The choices do not fit the kind of the field.";
        self.need(fits, BAD_CHOICES, &choices, sentence);
        let all = field.choices.iter().enumerate();
        self.codes(
            all.clone()
                .map(|(index, one)| (format!("{choices}/{index}"), one.code.as_str())),
        );
        for (index, choice) in all {
            self.text(&format!("{choices}/{index}/title"), &choice.title);
        }
        if let Some(from) = &field.from {
            let mut needs = self.file.credentials.iter();
            // A credential that is not always asked for may fill in only what is asked under the same condition.
            let known = needs.any(|need| {
                need.code == from.credential
                    && need.claims.contains(&from.claim)
                    && (need.when.is_none() || need.when == field.when)
            });
            let sentence = "The credential or its claim is not asked for.";
            self.need(known, UNKNOWN_CLAIM, &format!("{path}/from"), sentence);
        }
    }

    pub(super) fn when(&mut self, path: &str, when: Option<&When>) {
        let Some(when) = when else {
            return;
        };
        let field = self.file.form.iter().find(|field| field.code == when.field);
        let known = field.is_some_and(|field| {
            field.when.is_none()
                && match field.kind {
                    FieldKind::YesNo => ["yes", "no"].contains(&when.is.as_str()),
                    FieldKind::Choice => field.choices.iter().any(|one| one.code == when.is),
                    _ => false,
                }
        });
        let sentence = "The condition cannot be judged.";
        self.need(known, BAD_WHEN, &format!("{path}/when"), sentence);
    }

    pub(super) fn offices(&mut self) {
        let file = self.file;
        let offices = file.offices.iter().enumerate();
        let sentence = "No office works on a case.";
        self.need(!file.offices.is_empty(), NOTHING, "/offices", sentence);
        self.codes(
            offices
                .clone()
                .map(|(i, office)| (format!("/offices/{i}"), office.code.as_str())),
        );
        for (index, office) in offices {
            self.text(&format!("/offices/{index}/title"), &office.title);
        }
        let steps = file.steps.iter().enumerate();
        let sentence = "A case has no step.";
        self.need(!file.steps.is_empty(), NOTHING, "/steps", sentence);
        self.codes(
            steps
                .clone()
                .map(|(i, step)| (format!("/steps/{i}"), step.code.as_str())),
        );
        for (index, step) in steps {
            let path = format!("/steps/{index}");
            self.text(&format!("{path}/title"), &step.title);
            let known = file.offices.iter().any(|office| office.code == step.office);
            let sentence = "There is no such office.";
            self.need(known, UNKNOWN_OFFICE, &format!("{path}/office"), sentence);
            let moves = index == 0 || file.steps[index - 1].office != step.office;
            let sentence = "The step before is with the same office.";
            self.need(moves, STEP_STAYS, &format!("{path}/office"), sentence);
        }
    }

    pub(super) fn decision(&mut self) {
        let decision = &self.file.decision;
        self.text("/decision/grants", &decision.grants);
        self.text("/decision/remedy", &decision.remedy);
        let path = "/decision/refusal_reasons";
        let reasons = decision.refusal_reasons.iter().enumerate();
        let sentence = "No ground is named on which the application may be refused.";
        self.need(
            !decision.refusal_reasons.is_empty(),
            NOTHING,
            path,
            sentence,
        );
        self.codes(
            reasons
                .clone()
                .map(|(i, reason)| (format!("{path}/{i}"), reason.code.as_str())),
        );
        for (index, reason) in reasons {
            self.text(&format!("{path}/{index}/title"), &reason.title);
        }
    }
}
