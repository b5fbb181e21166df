//! The letter of a decision: outcome, reasons by the definition's own grounds, and how to appeal until when.
//!
//! The letter goes from the office to the applicant; its commitment goes on the chain as the `reasons` of `decision.make`.
//! A refusal without a ground that the definition names is no letter (section 39 VwVfG asks for reasons).

use serde::{Deserialize, Serialize};
use stele_core::id::{Hash, TimeMs};
use stele_registers::service::OUTCOMES;

use crate::commitment::commitment;
use crate::definition::Definition;
use crate::file::Language;
use crate::words;

/// The longest explanation, in bytes.
pub const EXPLANATION_BYTES_MAX: usize = 64 * 1024;

/// A decision as an office writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The case's reference on the chain, in hexadecimal.
    pub case: String,
    /// `granted`, `partly` or `refused`.
    pub outcome: String,
    /// Codes of the definition's grounds for refusal; none for a grant.
    pub reasons: Vec<String>,
    /// Why they apply to this case, in the office's words.
    pub explanation: String,
}

/// Why a letter may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the sentences say it")]
pub enum LetterError {
    #[error("“{0}” is no outcome.")]
    UnknownOutcome(String),
    #[error("The definition does not name “{0}” as a ground for refusal.")]
    UnknownReason(String),
    #[error("A refusal needs a ground and an explanation.")]
    NoReason,
    #[error("A full grant has no grounds for refusal.")]
    ReasonForGrant,
    #[error("The explanation is too long.")]
    TooLong,
}

impl LetterError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownOutcome(_) => "service-letter.outcome",
            Self::UnknownReason(_) => "service-letter.unknown-reason",
            Self::NoReason => "service-letter.no-reason",
            Self::ReasonForGrant => "service-letter.reason-for-grant",
            Self::TooLong => "service-letter.too-long",
        }
    }

    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownOutcome(_) => "Write granted, partly or refused.",
            Self::UnknownReason(_) => {
                "Use a code of the definition's refusal_reasons; other grounds the law does not give for this service."
            }
            Self::NoReason => "Name at least one ground and say why it applies.",
            Self::ReasonForGrant => "Leave the grounds out, or decide `partly`.",
            Self::TooLong => "Keep it below 64 KiB; attach what is longer.",
        }
    }
}

impl Letter {
    /// Checks the letter against the definition of its case.
    ///
    /// # Errors
    /// [`LetterError`].
    pub fn check(&self, definition: &Definition) -> Result<(), LetterError> {
        if !OUTCOMES.contains(&self.outcome.as_str()) {
            return Err(LetterError::UnknownOutcome(self.outcome.clone()));
        }
        if self.explanation.len() > EXPLANATION_BYTES_MAX {
            return Err(LetterError::TooLong);
        }
        let grounds = &definition.file().decision.refusal_reasons;
        let known = |code: &String| grounds.iter().any(|ground| ground.code == *code);
        if let Some(stranger) = self.reasons.iter().find(|code| !known(code)) {
            return Err(LetterError::UnknownReason(stranger.clone()));
        }
        match (self.outcome == "granted", self.reasons.is_empty()) {
            (true, false) => Err(LetterError::ReasonForGrant),
            (false, true) => Err(LetterError::NoReason),
            (false, false) if self.explanation.trim().is_empty() => Err(LetterError::NoReason),
            _ => Ok(()),
        }
    }

    /// The bytes that are sent and committed to: compact JSON.
    pub fn bytes(&self) -> Vec<u8> {
        // Four texts and a list of texts always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The `reasons` of `decision.make`.
    pub fn commitment(&self, salt: &[u8; 32]) -> Hash {
        commitment(salt, &self.bytes())
    }

    /// What the applicant reads, for a decision recorded at `decided`.
    pub fn text(&self, definition: &Definition, language: Language, decided: TimeMs) -> String {
        let file = definition.file();
        let last_day = definition.rules().appeal_last_day(decided);
        let mut text = format!(
            "{}\n{}\n\n{}\n",
            file.authority.name.get(language),
            file.title.get(language),
            words::decision(language, &self.outcome),
        );
        let grounds = file.decision.refusal_reasons.iter();
        for ground in grounds.filter(|ground| self.reasons.contains(&ground.code)) {
            text.push_str(&format!("- {}\n", ground.title.get(language)));
        }
        if !self.explanation.is_empty() {
            text.push_str(&format!("\n{}\n", self.explanation));
        }
        if self.outcome != "refused" {
            text.push_str(&format!("\n{}\n", file.decision.grants.get(language)));
        }
        if let Some(day) = last_day {
            let remedy = file.decision.remedy.get(language);
            let until = words::appeal_last_day(language, day);
            text.push_str(&format!("\n{remedy} {until}\n"));
        }
        text
    }
}
