//! The registers: what commands they take, in a form that tools and the console build forms from.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::{Value, json};
use stele_registers::Register;
use stele_registers::spec::{FieldSpec, FieldType};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::problem::{Answer, Problem};

/// A field of a command.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    /// Its name.
    pub name: &'static str,
    /// `text`, `choice`, `bytes`, `hash`, `party`, `key`, `uint`, `bool` or `list`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its limits, or the type of a list's items.
    #[schema(value_type = Object)]
    pub limits: Value,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

/// A command.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandSpecView {
    /// Its name.
    pub name: &'static str,
    /// What it does and who may give it.
    pub doc: &'static str,
    /// The fields of its body.
    pub fields: Vec<FieldView>,
}

/// A rule that refuses.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusalView {
    /// Its name.
    pub code: &'static str,
    /// One plain sentence.
    pub sentence: &'static str,
    /// The next step.
    pub hint: &'static str,
}

/// A register.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegisterView {
    /// Its name.
    pub name: &'static str,
    /// The version of its rules.
    pub version: u32,
    /// What it holds.
    pub about: &'static str,
    /// Its entries so far, refused ones included.
    pub entries: u64,
    /// Refused entries.
    pub refused: u64,
    /// Its commands.
    pub commands: Vec<CommandSpecView>,
    /// The rules by which it refuses.
    pub refusals: Vec<RefusalView>,
}

fn field_type(kind: &FieldType) -> (&'static str, Value) {
    match kind {
        FieldType::Text { max } => ("text", json!({"max_bytes": max})),
        FieldType::Choice(choices) => ("choice", json!({"choices": choices})),
        FieldType::Bytes { min, max } => ("bytes", json!({"min_bytes": min, "max_bytes": max})),
        FieldType::Hash => ("hash", json!({})),
        FieldType::Party => ("party", json!({})),
        FieldType::Key => ("key", json!({})),
        FieldType::Uint => ("uint", json!({})),
        FieldType::Bool => ("bool", json!({})),
        FieldType::List { of, min, max } => {
            let (kind, limits) = field_type(of);
            (
                "list",
                json!({"of": kind, "of_limits": limits, "min": min, "max": max}),
            )
        }
    }
}

fn field_view(field: &FieldSpec) -> FieldView {
    let (kind, limits) = field_type(&field.kind);
    FieldView {
        name: field.name,
        kind,
        limits,
        required: field.required,
        doc: field.doc,
    }
}

fn register_view(register: &dyn Register, counts: &HashMap<String, (u64, u64)>) -> RegisterView {
    let (applied, refused) = counts.get(register.name()).copied().unwrap_or_default();
    let commands = register.commands().iter().map(|command| CommandSpecView {
        name: command.name,
        doc: command.doc,
        fields: command.fields.iter().map(field_view).collect(),
    });
    let refusals = register.refusals().iter().map(|rule| RefusalView {
        code: rule.code,
        sentence: rule.sentence,
        hint: rule.hint,
    });
    RegisterView {
        name: register.name(),
        version: register.version(),
        about: register.about(),
        entries: applied + refused,
        refused,
        commands: commands.collect(),
        refusals: refusals.collect(),
    }
}

fn counts(app: &SharedApp) -> Answer<HashMap<String, (u64, u64)>> {
    let rows = app
        .index
        .model()
        .registers()
        .map_err(|error| Problem::internal(&error))?;
    Ok(rows
        .into_iter()
        .map(|row| (row.register, (row.applied, row.refused)))
        .collect())
}

/// All registers with their commands.
#[utoipa::path(get, path = "/v1/registers", tag = "registers",
    responses((status = 200, body = Vec<RegisterView>), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn registers(State(app): State<SharedApp>) -> Answer<Json<Vec<RegisterView>>> {
    let counts = counts(&app)?;
    let names: std::collections::BTreeSet<_> =
        app.registry.registers().map(Register::name).collect();
    let latest = names
        .into_iter()
        .filter_map(|name| app.registry.latest(name));
    Ok(Json(
        latest
            .map(|register| register_view(register, &counts))
            .collect(),
    ))
}

/// One register.
#[utoipa::path(get, path = "/v1/registers/{name}", tag = "registers", params(("name" = String, Path)),
    responses((status = 200, body = RegisterView), (status = "4XX", body = Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn register(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Answer<Json<RegisterView>> {
    let register = app
        .registry
        .latest(&name)
        .ok_or_else(|| Problem::not_found("register of this name"))?;
    Ok(Json(register_view(register, &counts(&app)?)))
}
