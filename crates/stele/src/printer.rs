//! All output of the program: data on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::Value as Json;

use crate::env;
use crate::failure::Failure;

/// In which form data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value, or one for each line where a command goes on.
    Json,
}

/// Knows what may be printed, and how.
#[derive(Debug, Clone)]
pub struct Printer {
    format: Format,
    quiet: bool,
    verbose: u8,
    colours: Colours,
    progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colours {
    out: bool,
    err: bool,
}

/// What a piece of text means; colour only repeats what the words say.
#[derive(Debug, Clone, Copy)]
pub enum Tone {
    /// As hoped for.
    Good,
    /// Not as hoped for.
    Bad,
    /// A next step, a heading.
    Accent,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Accent => "1;36",
        }
    }
}

impl Printer {
    /// Asks the environment what the streams can do.
    pub fn new(format: Format, quiet: bool, verbose: u8) -> Self {
        let plain = env::text(env::NO_COLOR).is_some() || env::terminal_is_dumb();
        let err_is_terminal = io::stderr().is_terminal();
        Self {
            format,
            quiet,
            verbose,
            colours: Colours {
                out: !plain && io::stdout().is_terminal(),
                err: !plain && err_is_terminal,
            },
            progress: err_is_terminal && !quiet && !env::terminal_is_dumb(),
        }
    }

    /// Whether data is for programs.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// How often `-v` was given.
    pub fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// Whether `-q` was given.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A line of data.
    ///
    /// # Errors
    /// A [`Failure`] when stdout takes no more.
    pub fn data(&self, line: impl Display) -> Result<(), Failure> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Data as it is.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_gone()),
            Err(error) => Err(Failure::unusable("could not write the output").because(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// A JSON value, indented.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn json(&self, value: &Json) -> Result<(), Failure> {
        self.data(format_args!("{value:#}"))
    }

    /// A word of data in colour, where there are colours.
    pub fn word(&self, tone: Tone, word: &str) -> String {
        paint(self.colours.out, tone, word)
    }

    /// Something worth knowing; not with `-q`.
    pub fn note(&self, line: impl Display) {
        if !self.quiet {
            self.err_line(&line.to_string());
        }
    }

    /// A next step; not with `-q`.
    pub fn hint(&self, line: impl Display) {
        self.note(format_args!(
            "{} {line}",
            paint(self.colours.err, Tone::Accent, "hint:")
        ));
    }

    /// Details; only with `-v`.
    pub fn detail(&self, line: impl Display) {
        if self.verbose > 0 {
            self.note(line);
        }
    }

    /// A failure, always.
    pub fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let label = paint(self.colours.err, Tone::Bad, "error:");
        self.err_line(&format!("{label} {}", failure.message));
        for cause in &failure.causes {
            self.err_line(&format!("  caused by: {cause}"));
        }
        for hint in &failure.hints {
            let label = paint(self.colours.err, Tone::Accent, "hint:");
            self.err_line(&format!("{label} {hint}"));
        }
    }

    /// A bar for long work; shows itself only on a terminal.
    pub fn progress(&self) -> Progress {
        Progress {
            visible: self.progress,
            drawn: None,
        }
    }

    fn err_line(&self, line: &str) {
        // Nothing can be said when stderr itself is gone.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

fn paint(colours: bool, tone: Tone, text: &str) -> String {
    if colours {
        format!("\x1b[{}m{text}\x1b[0m", tone.code())
    } else {
        text.to_owned()
    }
}

/// One line on stderr that shows how far work is. It goes away when it is dropped.
#[derive(Debug)]
pub struct Progress {
    visible: bool,
    drawn: Option<(Instant, String)>,
}

const BAR_CELLS: u64 = 24;
const REDRAW_AFTER: Duration = Duration::from_millis(80);

impl Progress {
    /// Says that `done` of `all` is done of a step.
    pub fn update(&mut self, step: &str, done: u64, all: u64) {
        if !self.visible {
            return;
        }
        let due = match &self.drawn {
            Some((when, last)) => last != step || done >= all || when.elapsed() >= REDRAW_AFTER,
            None => true,
        };
        if due {
            self.draw(&bar(step, done, all));
            self.drawn = Some((Instant::now(), step.to_owned()));
        }
    }

    fn draw(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            self.draw("");
        }
    }
}

fn bar(step: &str, done: u64, all: u64) -> String {
    let (done, whole) = (done.min(all), all.max(1));
    let share = |of: u64| (u128::from(done) * u128::from(of) / u128::from(whole)) as usize;
    let full = if all == 0 {
        BAR_CELLS as usize
    } else {
        share(BAR_CELLS)
    };
    let percent = if all == 0 { 100 } else { share(100) };
    let empty = BAR_CELLS as usize - full;
    format!(
        "{step:<24} [{}{}] {percent:>3} %",
        "#".repeat(full),
        ".".repeat(empty)
    )
}

/// Text on one line without control characters, so that a foreign name cannot paint another line.
pub fn clean(text: &str) -> String {
    let shown = |c: char| {
        // Also what reorders text: the bidirectional controls of Unicode.
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| {
            if shown(c) {
                format!("\\u{:04x}", c as u32)
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_stays_within_its_cells() {
        assert_eq!(bar("x", 0, 10).matches('#').count(), 0);
        assert_eq!(bar("x", 5, 10).matches('#').count(), 12);
        assert_eq!(bar("x", 99, 10).matches('#').count(), 24);
        assert!(bar("x", 0, 0).ends_with("100 %"));
        assert!(bar("x", u64::MAX, u64::MAX).ends_with("100 %"));
    }

    #[test]
    fn foreign_text_cannot_paint() {
        assert_eq!(
            clean("a\nVALID\u{1b}[32m\u{202e}b"),
            "a\\u000aVALID\\u001b[32m\\u202eb"
        );
        assert_eq!(clean("Ölmühle"), "Ölmühle");
    }
}
