//! The reference page of the command line, docs/cli.md, made from the definition in `cli`.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::env;
use crate::failure::Exit;

/// The page.
pub fn page() -> String {
    let mut out = String::from(
        "# The command line\n\nGenerated from the program (`crates/stele/src/cli.rs`); a test fails when this page and the program differ. \
         To write it anew: `STELE_BLESS=1 cargo nextest run -p stele reference`.\n\n\
         Data goes to stdout, everything else to stderr: notes, `hint:` lines, progress bars (only on a terminal), and errors as `error: ...` \
         with their causes. A flag goes before its environment variable, a variable before the default.\n\n## Exit codes\n\n| code | meaning |\n|--:|---|\n",
    );
    for (code, meaning) in Exit::ALL {
        put(&mut out, format_args!("| {code} | {meaning} |"));
    }
    out.push_str("\n## Environment\n\n| variable | meaning |\n|---|---|\n");
    for (name, meaning) in env::ALL {
        put(&mut out, format_args!("| `{name}` | {meaning} |"));
    }
    let mut command = Cli::command();
    command.build();
    out.push_str("\n## Options of every command\n\n| option | meaning |\n|---|---|\n");
    for argument in command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
    {
        argument_row(&mut out, argument);
    }
    out.push_str("\n## Commands\n");
    for inner in visible(&command) {
        section(&mut out, inner, &format!("stele {}", inner.get_name()));
    }
    out
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
}

fn section(out: &mut String, command: &Command, full_name: &str) {
    let usage = command
        .clone()
        .bin_name(full_name)
        .render_usage()
        .to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    put(
        out,
        format_args!("\n### `{full_name}`\n\n{}\n\n    {usage}\n", about(command)),
    );
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| !is_everywhere(argument) && !argument.is_hide_set())
        .collect();
    if !arguments.is_empty() {
        out.push_str("| argument | meaning |\n|---|---|\n");
        arguments
            .into_iter()
            .for_each(|argument| argument_row(out, argument));
    }
    for inner in visible(command) {
        section(out, inner, &format!("{full_name} {}", inner.get_name()));
    }
}

fn is_everywhere(argument: &clap::Arg) -> bool {
    ["help", "version", "format", "quiet", "verbose"].contains(&argument.get_id().as_str())
}

fn about(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about());
    text.map(ToString::to_string).unwrap_or_default()
}

fn argument_row(out: &mut String, argument: &clap::Arg) {
    let takes_value = argument.get_action().takes_values();
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map_or_else(
            || argument.get_id().as_str().to_uppercase(),
            ToString::to_string,
        );
    let mut names: Vec<String> = Vec::new();
    names.extend(argument.get_short().map(|short| format!("-{short}")));
    names.extend(argument.get_long().map(|long| format!("--{long}")));
    let mut shown = names.join(", ");
    if shown.is_empty() {
        shown = value;
    } else if takes_value {
        shown = format!("{shown} {value}");
    }
    let help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut meaning = help.replace('|', "\\|");
    let choices: Vec<_> = argument
        .get_possible_values()
        .iter()
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    if takes_value && !choices.is_empty() {
        put_inline(
            &mut meaning,
            format_args!("; one of {}", choices.join(", ")),
        );
    }
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if takes_value && !defaults.is_empty() {
        put_inline(
            &mut meaning,
            format_args!("; default `{}`", defaults.join(", ")),
        );
    }
    if let Some(variable) = argument.get_env() {
        put_inline(
            &mut meaning,
            format_args!("; variable `{}`", variable.to_string_lossy()),
        );
    }
    put(out, format_args!("| `{shown}` | {meaning} |"));
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a string takes everything");
}

fn put_inline(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_reference_page_is_that_of_the_program() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let page = super::page();
        if std::env::var_os("STELE_BLESS").is_some() {
            std::fs::write(&path, &page).expect("docs is writable");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == page,
            "docs/cli.md and the program differ; write it anew with: STELE_BLESS=1 cargo nextest run -p stele reference"
        );
    }
}
