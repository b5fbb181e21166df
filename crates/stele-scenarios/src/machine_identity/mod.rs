//! `machine-identity`: a charging station proves who made it and who owns it.
//!
//! A fictional maker enrols a year's stations in one roll. Each station claims its place with its own key, gets a certificate of its make,
//! and a title when it is sold. It answers a challenge with that key; the verifier is offline and has the network's key and nothing
//! else. Stations are sold on, get new keys, are forged, and the maker's key is stolen; each refusal is shown with its code and its
//! sentence. docs/scenarios/machine-identity.md is its page.

mod challenge;
mod figures;
mod keys;
mod papers;
mod parties;
mod roll;
mod sale;
mod state;
mod theft;
mod verifier;

use std::time::Duration;

use crate::kit::Issuer;
use crate::{Run, Scenario, ScenarioError};

/// The scenario `machine-identity`.
#[derive(Debug, Clone, Copy)]
pub struct MachineIdentity;

const STEPS: &[&str] = &[
    "register-parties",
    "accredit-maker",
    "enrol-stations",
    "claim-places",
    "certify-stations",
    "sell-to-operator",
    "answer-challenge",
    "refuse-forgeries",
    "verify-fleet",
    "sell-again",
    "rotate-key",
    "retire-station",
    "end-lost-station",
    "steal-maker-key",
    "report-maker-key",
    "refuse-stolen-key",
];

impl Scenario for MachineIdentity {
    fn name(&self) -> &'static str {
        "machine-identity"
    }

    fn title(&self) -> &'static str {
        "A charging station that proves its maker and its owner"
    }

    fn purpose(&self) -> &'static str {
        "A charging station answers a challenge with its own key. The verifier is offline and learns who made the station, that the maker was \
         accredited then, who owns it and since when. It holds through a sale and a new key; a copy, a former owner and a thief with the \
         maker\u{2019}s key are refused."
    }

    fn input(&self) -> &'static str {
        "Generates a fictional authority, a maker, two operators and 8,192 fictional stations, of which 32 are put into service."
    }

    fn steps(&self) -> &'static [&'static str] {
        STEPS
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        let mut measured = Measured::default();
        let parties = parties::register(run)?;
        parties::accredit(run, &parties)?;
        let (roll, mut stations, lost) = roll::enrol(run, &parties, &mut measured)?;
        roll::claim(run, &parties, &roll, &mut stations, &mut measured)?;
        let (maker, register) = papers::issuers(&parties);
        let mut scene = Scene {
            parties,
            roll,
            stations,
            maker,
            register,
        };
        papers::certify(run, &mut scene)?;
        sale::first(run, &mut scene)?;
        challenge::answer_one(run, &scene)?;
        challenge::refuse_forgeries(run, &mut scene)?;
        challenge::verify_fleet(run, &scene, &mut measured)?;
        sale::again(run, &mut scene)?;
        keys::rotate(run, &mut scene)?;
        keys::retire(run, &scene)?;
        let doubtful_from = keys::end_lost(run, &scene, &lost)?;
        let forgery = theft::steal(run, &mut scene)?;
        theft::report(run, &scene, doubtful_from)?;
        theft::refuse(run, &scene, &forgery)?;
        figures::add(run, &measured);
        Ok(())
    }
}

/// What stands while the story goes on.
struct Scene {
    parties: parties::Parties,
    roll: roll::Roll,
    /// Those in service.
    stations: Vec<roll::Station>,
    /// Issues certificates of make.
    maker: Issuer,
    /// Issues titles.
    register: Issuer,
}

impl Scene {
    /// The station of the story.
    fn station(&self) -> &roll::Station {
        &self.stations[0]
    }
}

/// What the steps measured for the figures.
#[derive(Debug, Default)]
struct Measured {
    /// Stations that were enrolled in one entry, and the time until it was final.
    enrolled: usize,
    enrolling: Duration,
    /// Stations that claimed their places, and how long that took.
    claimed: usize,
    claiming: Duration,
    /// How long each offline verification took, and what travelled for it, in bytes.
    verifying: Vec<Duration>,
    answers: Vec<usize>,
    /// What proves a place in the roll apart from the receipts, in bytes.
    places: Vec<usize>,
}
