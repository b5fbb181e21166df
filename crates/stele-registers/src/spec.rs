//! What a register says about itself: commands, events, state keys and refusals.
//!
//! One description serves the mapping between JSON and CBOR, the reference pages under `docs/registers/`, the OpenAPI
//! document and the console's forms.

use stele_core::machine::Refusal;

use crate::register::Stop;

/// A command that a register executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandSpec {
    /// Its name within the register: lower-case words joined by dots.
    pub name: &'static str,
    /// What it does and who may give it, in one or two sentences.
    pub doc: &'static str,
    /// The fields of its body.
    pub fields: &'static [FieldSpec],
}

/// An event that a register emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSpec {
    /// Its name within the register; in a record it stands as `register/name`.
    pub name: &'static str,
    /// When it is emitted.
    pub doc: &'static str,
    /// The fields of its body.
    pub fields: &'static [FieldSpec],
}

/// A field of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// The key in the body's map.
    pub name: &'static str,
    /// What it may hold.
    pub kind: FieldType,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

impl FieldSpec {
    /// A field that must be there.
    pub const fn required(name: &'static str, kind: FieldType, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            required: true,
            doc,
        }
    }

    /// A field that may be left out.
    pub const fn optional(name: &'static str, kind: FieldType, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            doc,
        }
    }
}

/// What a field may hold, with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A text of 1 to `max` bytes. JSON: a string.
    Text {
        /// Most bytes.
        max: usize,
    },
    /// One of these texts. JSON: a string.
    Choice(&'static [&'static str]),
    /// A byte string. JSON: hexadecimal.
    Bytes {
        /// Least bytes.
        min: usize,
        /// Most bytes.
        max: usize,
    },
    /// A hash or key id, 32 bytes. JSON: hexadecimal.
    Hash,
    /// A party id, 32 bytes. JSON: its DID; hexadecimal is read too.
    Party,
    /// A public key: the deterministic encoding of a COSE_Key in a byte string. JSON: hexadecimal.
    Key,
    /// An unsigned integer. JSON: a number; above 2^53-1 a string of digits.
    Uint,
    /// `true` or `false`; an optional flag that is left out means `false`.
    Bool,
    /// An array of `min` to `max` items of one type. JSON: an array.
    List {
        /// The type of each item; not a list.
        of: &'static FieldType,
        /// Least items.
        min: usize,
        /// Most items.
        max: usize,
    },
}

/// The longest COSE_Key that a body may hold, in bytes.
pub const KEY_BYTES_MAX: usize = 4096;

impl core::fmt::Display for FieldType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text { max } => write!(f, "text of 1 to {max} bytes"),
            Self::Choice(choices) => {
                let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
                write!(f, "one of {}", quoted.join(", "))
            }
            Self::Bytes { min, max } => write!(f, "{min} to {max} bytes"),
            Self::Hash => f.write_str("hash"),
            Self::Party => f.write_str("party"),
            Self::Key => f.write_str("COSE_Key"),
            Self::Uint => f.write_str("unsigned integer"),
            Self::Bool => f.write_str("flag"),
            Self::List { of, min, max } => write!(f, "list of {min} to {max}: {of}"),
        }
    }
}

/// A family of state keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateKeySpec {
    /// The key: text as it stands, `<name>` for raw bytes of a named kind.
    pub key: &'static str,
    /// The layout of the value, in CDDL.
    pub value: &'static str,
    /// What it answers.
    pub doc: &'static str,
}

/// A rule that refuses, in the words that the user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalSpec {
    /// The rule's name, such as `trace.custody.not-holder`.
    pub code: &'static str,
    /// One plain sentence.
    pub sentence: &'static str,
    /// The next step.
    pub hint: &'static str,
}

impl RefusalSpec {
    /// Describes a rule.
    pub const fn new(code: &'static str, sentence: &'static str, hint: &'static str) -> Self {
        Self {
            code,
            sentence,
            hint,
        }
    }

    /// The refusal as it stands.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(self.code, self.sentence, self.hint)
    }

    /// The refusal with the case at hand added to its sentence, as `sentence (detail)`.
    pub fn about(&self, detail: impl core::fmt::Display) -> Stop {
        Stop::Refused(Refusal::new(
            self.code,
            format!("{} ({detail})", self.sentence),
            self.hint,
        ))
    }
}

impl From<&RefusalSpec> for Stop {
    fn from(spec: &RefusalSpec) -> Self {
        Self::Refused(spec.refusal())
    }
}

/// Returns with the refusal unless the condition holds.
pub(crate) fn ensure(condition: bool, otherwise: &RefusalSpec) -> Result<(), Stop> {
    if condition {
        Ok(())
    } else {
        Err(otherwise.into())
    }
}

/// The rules of a register as constants, and all of them as `ALL`: `NAME = code, sentence, hint;`.
macro_rules! rules {
    ($($name:ident = $code:literal, $sentence:literal, $hint:literal;)*) => {
        $(#[doc = $sentence] pub const $name: $crate::spec::RefusalSpec = $crate::spec::RefusalSpec::new($code, $sentence, $hint);)*
        /// All of them.
        pub const ALL: &[&$crate::spec::RefusalSpec] = &[$(&$name),*];
    };
}
pub(crate) use rules;
