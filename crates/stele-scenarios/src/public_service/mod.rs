//! `public-service`: a case with an authority, from the published rule to the settled appeal.
//!
//! A fictional town publishes two services. A citizen applies for a parking permit with credentials instead of uploads; the office asks for
//! what is missing, hands the case over and refuses with reasons; a board allows the appeal. Meanwhile the rule changes, and the
//! running case does not. Another case waits for a statutory period at whose end silence is a grant. The chain keeps the clock and salted
//! commitments; at the end all entries are searched for what must not be there. docs/scenarios/public-service.md is its page.
//!
//! Time is the ledger's. A run takes seconds and the shortest period of the law a day, so a run shows that nobody can claim a grant early; a
//! second run with `--input` of the first one's folder records the grant once the ledger's time is past it.

mod commands;
mod figures;
mod handling;
mod many;
mod offices;
mod search;
mod services;
mod silence;
mod state;
mod story;
mod wallet;

use std::time::Duration;

use stele_core::id::EntryId;

use crate::{Run, Scenario, ScenarioError};

/// The scenario `public-service`.
#[derive(Debug, Clone, Copy)]
pub struct PublicService;

const STEPS: &[&str] = &[
    "register-offices",
    "accredit-offices",
    "publish-services",
    "fill-wallet",
    "apply-once-only",
    "change-rule",
    "check-completeness",
    "hand-over",
    "decide-with-reasons",
    "appeal",
    "tell-citizen",
    "wait-in-silence",
    "decide-many",
    "search-chain",
    "claim-silence",
];

impl Scenario for PublicService {
    fn name(&self) -> &'static str {
        "public-service"
    }

    fn title(&self) -> &'static str {
        "A permit from the phone, by the law\u{2019}s own clock"
    }

    fn purpose(&self) -> &'static str {
        "A citizen applies with credentials instead of uploads. The chain proves when the application came, which rule holds, who is \
         responsible, until when the office has to decide and what it decided; a changed rule does not reach a running case, and nobody\u{2019}s \
         personal data is on the chain."
    }

    fn input(&self) -> &'static str {
        "Generates a fictional town and citizens and takes the service files that ship with Stele. --input DIR, the report of an earlier run on the \
         same network, records the grant by silence of the case that waits there, once its period is over."
    }

    fn steps(&self) -> &'static [&'static str] {
        STEPS
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), ScenarioError> {
        if let Some(folder) = run.input().map(std::path::Path::to_owned) {
            return silence::claim_earlier(run, &folder, STEPS);
        }
        let mut story = Story::default();
        let town = offices::register(run, &mut story)?;
        offices::accredit(run, &mut story, &town)?;
        let services = services::publish(run, &mut story, &town)?;
        let mut registries = wallet::registries(&town);
        let mut wallet = wallet::fill(run, &mut story, &mut registries)?;
        let mut case = wallet::apply(run, &mut story, &town, &services, &registries, &mut wallet)?;
        services::change(run, &mut story, &town, &services, &case)?;
        handling::check(run, &mut story, &town, &services, &mut case)?;
        handling::hand_over(run, &mut story, &town, &mut case)?;
        handling::decide(run, &mut story, &town, &services, &mut case)?;
        handling::appeal(run, &mut story, &town, &mut case)?;
        story::tell(run, &services.parking, &case)?;
        silence::wait(run, &mut story, &town, &services)?;
        many::decide(run, &mut story, &town, &services)?;
        search::all(run, &mut story, &wallet, &case)?;
        run.omit(
            "claim-silence",
            "the period of the waiting case runs for months; a run with --input of this report\u{2019}s folder claims the grant when it is over",
        );
        figures::add(run, &story);
        Ok(())
    }
}

/// What is collected while the story goes on.
#[derive(Debug, Default)]
struct Story {
    /// All entries of the run, in their order.
    entries: Vec<EntryId>,
    /// Those of each simple case.
    simple: Vec<Vec<EntryId>>,
    /// How long all simple cases took together.
    deciding: Duration,
    /// From the application to the decision of each simple case, as the citizen sees it, and in blocks.
    waits: Vec<Duration>,
    blocks: Vec<u64>,
    /// What the entries of each simple case, and of the disputed one, weigh, in bytes.
    simple_bytes: Vec<usize>,
    disputed_bytes: usize,
    /// How long the offline check of an application\u{2019}s credentials took.
    checking: Vec<Duration>,
}
