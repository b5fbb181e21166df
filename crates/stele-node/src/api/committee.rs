//! How the network of validators does, seen from this node.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stele_network::{Alarm, Status, upgrade_alarms};
use utoipa::ToSchema;

use super::proposals::{ChangeView, change_view};
use crate::app::SharedApp;

/// One validator of the committee.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ValidatorView {
    /// The member's name.
    pub name: String,
    /// The member's party id, in hex.
    pub party: String,
    /// Its node key, in hex; empty in a network of one validator.
    pub node_key: String,
    /// Where it listens; empty in a network of one validator.
    pub address: String,
    /// Whether it is this node.
    pub me: bool,
    /// Milliseconds since something was heard from it; absent if nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_ms_ago: Option<u64>,
    /// The newest final block that it told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// How many blocks it is behind the newest that this node knows of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

/// Something that the operator should look at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlarmView {
    /// A stable code, such as `network.no-quorum`.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl From<Alarm> for AlarmView {
    fn from(alarm: Alarm) -> Self {
        Self {
            code: alarm.code,
            message: alarm.message,
            hint: alarm.hint,
        }
    }
}

/// How the network of validators does.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommitteeView {
    /// `validator`, `follower`, or `read-only` for a node that was started so and has no part in the network.
    pub role: &'static str,
    /// The engine's epoch; the committee may change between two.
    pub epoch: u64,
    /// The engine's round within it.
    pub view: u64,
    /// The number of the committee in force: 1 for the founders.
    pub committee: u64,
    /// How many validators must sign.
    pub quorum: u64,
    /// The committee's validators.
    pub validators: Vec<ValidatorView>,
    /// The newest final block here.
    pub height: u64,
    /// The newest final block of any node that was heard.
    pub best_height: u64,
    /// From a block's proposal until it is final here, in milliseconds: the median of the last blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality_p50_ms: Option<u64>,
    /// The same, 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality_p99_ms: Option<u64>,
    /// Entries that wait to be ordered.
    pub pool: u64,
    /// The newest change of the committee; absent if there never was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
    /// What the operator should look at.
    pub alarms: Vec<AlarmView>,
}

/// The network of validators: who is heard, how far each is, how fast blocks become final, and what is wrong.
#[utoipa::path(get, path = "/v1/network/status", tag = "network", responses((status = 200, body = CommitteeView)))]
pub async fn status(State(app): State<SharedApp>) -> Json<CommitteeView> {
    Json(match &app.network {
        Some(network) => of_several(&app, network.status()),
        None => of_one(&app),
    })
}

/// A network of one validator, in the same words.
fn of_one(app: &SharedApp) -> CommitteeView {
    let height = app.ledger.head().height().get();
    let member = &app.ledger.genesis().members[0];
    let party = stele_core::id::PartyId::of_first_key(&member.key.kid());
    let read_only = app.ledger.is_read_only();
    // That it was started so is no reason for an alarm.
    let refusing = app.ledger.refusing().filter(|_| !read_only);
    let alarms = refusing.map(|refusal| AlarmView {
        code: refusal.code,
        message: refusal.sentence,
        hint: refusal.hint,
    });
    let due = upgrade_alarms(&app.ledger).into_iter().map(AlarmView::from);
    let alarms = alarms.into_iter().chain(due);
    CommitteeView {
        role: if read_only { "read-only" } else { "validator" },
        epoch: 0,
        view: 0,
        committee: 1,
        quorum: 1,
        validators: vec![ValidatorView {
            name: member.name.clone(),
            party: hex::encode(party.as_bytes()),
            node_key: String::new(),
            address: String::new(),
            me: true,
            heard_ms_ago: Some(0),
            height: Some(height),
            lag: Some(0),
        }],
        height,
        best_height: height,
        finality_p50_ms: None,
        finality_p99_ms: None,
        pool: app.ledger.stats().waiting,
        change: None,
        alarms: alarms.collect(),
    }
}

fn of_several(app: &SharedApp, status: Status) -> CommitteeView {
    let name_of = |party: &str| {
        let mut id = [0; 32];
        hex::decode_to_slice(party, &mut id).ok()?;
        let view =
            stele_registers::View::new(app.ledger.state(), stele_registers::governance::NAME);
        let party = stele_core::id::PartyId::from_bytes(id);
        let member = stele_registers::governance::member(view, &party)
            .ok()
            .flatten()?;
        Some(member.name)
    };
    let validators = status
        .validators
        .into_iter()
        .map(|validator| ValidatorView {
            name: name_of(&validator.party).unwrap_or_else(|| "unknown".to_owned()),
            party: validator.party,
            node_key: validator.node_key,
            address: validator.address,
            me: validator.me,
            heard_ms_ago: validator.heard_ms_ago,
            height: validator.height,
            lag: validator.lag,
        });
    CommitteeView {
        role: status.role,
        epoch: status.epoch,
        view: status.view,
        committee: status.committee,
        quorum: status.quorum as u64,
        validators: validators.collect(),
        height: status.height,
        best_height: status.best_height,
        finality_p50_ms: status.finality_p50_ms,
        finality_p99_ms: status.finality_p99_ms,
        pool: status.pool as u64,
        change: change_view(app),
        alarms: status.alarms.into_iter().map(AlarmView::from).collect(),
    }
}
