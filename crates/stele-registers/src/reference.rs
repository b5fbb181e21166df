//! The reference tables of a register, in Markdown, for `docs/registers/`.
//!
//! The pages carry hand-written prose and, between two markers, these tables; a test fails when they drift apart.

use core::fmt::Write;

use crate::register::Register;
use crate::spec::{FieldSpec, RefusalSpec};

/// Opens the generated part of a page.
pub const BEGIN: &str = "<!-- generated: begin -->";
/// Closes the generated part of a page.
pub const END: &str = "<!-- generated: end -->";

/// Tables of commands, events, state keys and refusals.
pub fn tables(register: &dyn Register) -> String {
    let mut out = String::new();
    let name = register.name();
    line(
        &mut out,
        format_args!(
            "Version {} (`{name}@{0}`). {1}\n",
            register.version(),
            register.about()
        ),
    );
    if !register.reads().is_empty() {
        let reads: Vec<_> = register
            .reads()
            .iter()
            .map(|other| format!("`{other}`"))
            .collect();
        line(&mut out, format_args!("Reads: {}.\n", reads.join(", ")));
    }
    line(&mut out, format_args!("## Commands\n"));
    for command in register.commands() {
        line(
            &mut out,
            format_args!("### `{}`\n\n{}\n", command.name, command.doc),
        );
        fields(&mut out, command.fields);
    }
    line(&mut out, format_args!("## Events\n"));
    line(
        &mut out,
        format_args!("In a record an event's name is preceded by `{name}/`.\n"),
    );
    line(
        &mut out,
        format_args!("| event | when | fields |\n|---|---|---|"),
    );
    for event in register.events() {
        let names: Vec<_> = event.fields.iter().map(optional_name).collect();
        line(
            &mut out,
            format_args!(
                "| `{}` | {} | {} |",
                event.name,
                event.doc,
                names.join(", ")
            ),
        );
    }
    line(
        &mut out,
        format_args!("\n## State\n\n| key | value (CDDL) | meaning |\n|---|---|---|"),
    );
    for key in register.state_keys() {
        let value = key.value.replace('|', "\\|");
        line(
            &mut out,
            format_args!("| `{}` | `{value}` | {} |", key.key, key.doc),
        );
    }
    line(&mut out, format_args!("\n## Refusals\n"));
    line(
        &mut out,
        format_args!(
            "Besides these, `{name}.<command>.bad-body` refuses a body that does not fit its command.\n"
        ),
    );
    refusals(&mut out, register.refusals());
    out
}

/// A table of refusals.
pub fn refusals(out: &mut String, refusals: &[&RefusalSpec]) {
    line(
        out,
        format_args!("| code | sentence | hint |\n|---|---|---|"),
    );
    for refusal in refusals {
        line(
            out,
            format_args!(
                "| `{}` | {} | {} |",
                refusal.code, refusal.sentence, refusal.hint
            ),
        );
    }
}

fn fields(out: &mut String, fields: &[FieldSpec]) {
    if fields.is_empty() {
        return line(out, format_args!("No fields.\n"));
    }
    line(
        out,
        format_args!("| field | type | meaning |\n|---|---|---|"),
    );
    for field in fields {
        line(
            out,
            format_args!(
                "| {} | {} | {} |",
                optional_name(field),
                field.kind,
                field.doc
            ),
        );
    }
    out.push('\n');
}

fn optional_name(field: &FieldSpec) -> String {
    if field.required {
        format!("`{}`", field.name)
    } else {
        format!("`{}` (optional)", field.name)
    }
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}
