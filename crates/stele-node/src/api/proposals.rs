//! What the stewards of a network of several validators decide together, and how its committee is changing.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_core::id::{PartyId, TimeMs};
use stele_registers::governance::{self, Change, Proposal, ProposalStatus};
use stele_registers::{View, body_to_json};
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, SharedApp};
use crate::problem::{Answer, Problem};

/// A member by id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberView {
    /// Its DID.
    pub did: String,
    /// Its name.
    pub name: String,
}

/// A command that is proposed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActionView {
    /// Its name within `governance`.
    pub command: String,
    /// Its body, as JSON; a text that says why where it does not fit the command.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// A proposal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalView {
    /// Its number, from 1.
    pub number: u64,
    /// What it is for, in words.
    pub title: String,
    /// `open`, `over` (its time ended without a decision), `accepted`, `rejected` or `withdrawn`.
    pub status: &'static str,
    /// Who made it.
    pub by: MemberView,
    /// Until when votes are taken, in milliseconds since 1970.
    pub until_ms: u64,
    /// The commands.
    pub actions: Vec<ActionView>,
    /// Stewards that are for it.
    pub approvals: Vec<MemberView>,
    /// Stewards that are against it.
    pub rejections: Vec<MemberView>,
    /// How many approvals of active stewards it needs now.
    pub needed: u64,
    /// The block that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_height: Option<u64>,
}

/// Proposals, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalPage {
    /// The proposals.
    pub items: Vec<ProposalView>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A validator of the next committee.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NextValidatorView {
    /// The member that runs it.
    pub member: MemberView,
    /// Its node key, in hex.
    pub node_key: String,
    /// Where it listens.
    pub address: String,
    /// Whether it belongs to the present committee too.
    pub present: bool,
}

/// The newest change of the committee.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeView {
    /// The number of the round.
    pub round: u64,
    /// `pending`, `done` or `failed`.
    pub status: &'static str,
    /// The number of the committee that deals.
    pub from: u64,
    /// How many of its validators have dealt.
    pub dealt: u64,
    /// How many validators of either committee have confirmed the result.
    pub confirmed: u64,
    /// Until when dealings of silent validators are waited for, in milliseconds since 1970.
    pub deal_until_ms: u64,
    /// The next validators.
    pub validators: Vec<NextValidatorView>,
}

fn member_view(app: &App, party: &PartyId) -> MemberView {
    let view = View::new(app.ledger.state(), governance::NAME);
    let member = governance::member(view, party).ok().flatten();
    MemberView {
        did: party.did(),
        name: member.map_or_else(|| "no member".to_owned(), |member| member.name),
    }
}

fn action_view(app: &App, (command, body): (String, Vec<u8>)) -> ActionView {
    let fields = app
        .registry
        .command(governance::NAME, &command)
        .map_or(&[][..], |spec| spec.fields);
    ActionView {
        body: body_to_json(fields, &body).unwrap_or_else(|error| Value::String(error.to_string())),
        command,
    }
}

fn view(app: &App, number: u64, proposal: Proposal) -> Answer<ProposalView> {
    let needed = governance::proposals::approvals_needed(app.ledger.state())
        .map_err(|error| Problem::internal(&error))?;
    let now: TimeMs = app.ledger.head().time();
    let over = proposal.status == ProposalStatus::Open && now > proposal.until;
    let members = |parties: &[PartyId]| -> Vec<MemberView> {
        parties
            .iter()
            .map(|party| member_view(app, party))
            .collect()
    };
    Ok(ProposalView {
        number,
        status: if over { "over" } else { proposal.status.word() },
        by: member_view(app, &proposal.by),
        until_ms: proposal.until.get(),
        actions: proposal
            .commands()
            .into_iter()
            .map(|action| action_view(app, action))
            .collect(),
        approvals: members(&proposal.approvals),
        rejections: members(&proposal.rejections),
        needed,
        decided_height: proposal.decided.map(|height| height.get()),
        title: proposal.title,
    })
}

/// Which page of proposals.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ProposalQuery {
    /// The highest number wanted; the newest one by default.
    pub from: Option<u64>,
    /// At most so many: 1 to 200, 50 by default.
    pub limit: Option<u32>,
}

/// Proposals, newest first.
#[utoipa::path(get, path = "/v1/network/proposals", tag = "network", params(ProposalQuery), responses((status = 200, body = ProposalPage), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed")))]
pub async fn proposals(
    State(app): State<SharedApp>,
    Query(query): Query<ProposalQuery>,
) -> Answer<Json<ProposalPage>> {
    let state = app.ledger.state();
    let count = governance::proposal_count(state).map_err(|error| Problem::internal(&error))?;
    let limit = u64::from(query.limit.unwrap_or(50).clamp(1, 200));
    let last = query.from.unwrap_or(count).min(count);
    let first = last.saturating_sub(limit - 1).max(1);
    let mut items = Vec::new();
    for number in (first..=last).rev() {
        let proposal =
            governance::proposal(state, number).map_err(|error| Problem::internal(&error))?;
        if let Some(proposal) = proposal {
            items.push(view(&app, number, proposal)?);
        }
    }
    Ok(Json(ProposalPage {
        items,
        next: (first > 1 && last > 0).then(|| first - 1),
    }))
}

/// One proposal.
#[utoipa::path(get, path = "/v1/network/proposals/{number}", tag = "network", params(("number" = u64, Path, description = "Its number")), responses((status = 200, body = ProposalView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed")))]
pub async fn proposal(
    State(app): State<SharedApp>,
    Path(number): Path<u64>,
) -> Answer<Json<ProposalView>> {
    let found = governance::proposal(app.ledger.state(), number);
    let found = found.map_err(|error| Problem::internal(&error))?;
    let found = found.ok_or_else(|| Problem::not_found("proposal with this number"))?;
    Ok(Json(view(&app, number, found)?))
}

/// The newest change of the committee, for the network's status.
pub(super) fn change_view(app: &App) -> Option<ChangeView> {
    let state = app.ledger.state();
    let change: Change = governance::change(state).ok().flatten()?;
    let present = governance::committee_numbered(state, change.from)
        .ok()
        .flatten()?;
    let validators = change.validators.iter().map(|validator| NextValidatorView {
        member: member_view(app, &validator.party),
        node_key: hex::encode(validator.node_key),
        address: validator.address.clone(),
        present: present
            .validators
            .iter()
            .any(|one| one.node_key == validator.node_key),
    });
    Some(ChangeView {
        round: change.round,
        status: change.status.word(),
        from: change.from,
        dealt: change.dealers.len() as u64,
        confirmed: change.confirmed.len() as u64,
        deal_until_ms: change.deal_until.get(),
        validators: validators.collect(),
    })
}
