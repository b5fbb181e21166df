//! RDF statements and their canonical text (N-Quads of RDF 1.1, in the canonical form of RDFC-1.0 section 5).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

/// The datatype of plain text.
pub(crate) const XSD_STRING: &str = "http://www.w3.org/2001/XMLSchema#string";
/// The predicate between a node and its types.
pub(crate) const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// A subject, object or graph name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// A named node.
    Iri(Rc<str>),
    /// A node without a name, by its number within the document.
    Blank(u32),
    /// A value. A text in a language has no datatype of its own here: it is always `rdf:langString`.
    Literal {
        /// The characters.
        text: Rc<str>,
        /// The datatype's IRI.
        datatype: Rc<str>,
        /// The language tag in lower case.
        language: Option<Rc<str>>,
    },
}

/// One statement, with the place in the JSON document it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quad {
    /// What the statement is about.
    pub subject: Term,
    /// The property's IRI.
    pub predicate: Rc<str>,
    /// The property's value.
    pub object: Term,
    /// The graph; none is the default graph.
    pub graph: Option<Term>,
    /// JSON Pointer (RFC 6901) of the value, or for a type that of its node.
    pub origin: Rc<str>,
}

/// The label of each blank node, without `_:`.
pub type Labels = BTreeMap<u32, String>;

impl Quad {
    /// The blank nodes of the statement with their position: `s`, `o` or `g`.
    pub(super) fn blanks(&self) -> impl Iterator<Item = (char, u32)> {
        let graph = self.graph.as_ref();
        let places = [
            ('s', Some(&self.subject)),
            ('o', Some(&self.object)),
            ('g', graph),
        ];
        places.into_iter().filter_map(|(place, term)| match term {
            Some(Term::Blank(number)) => Some((place, *number)),
            _ => None,
        })
    }

    /// One line of canonical N-Quads with its line end; `label` names the blank nodes.
    pub(super) fn line(&self, label: &dyn Fn(u32) -> String) -> String {
        let mut line = String::with_capacity(160);
        write_term(&self.subject, label, &mut line);
        let _ = write!(line, " <{}> ", self.predicate);
        write_term(&self.object, label, &mut line);
        if let Some(graph) = &self.graph {
            line.push(' ');
            write_term(graph, label, &mut line);
        }
        line.push_str(" .\n");
        line
    }

    /// The line with labels from a map. A node that the map lacks keeps its number, which no canonical label looks like.
    pub(super) fn labelled(&self, labels: &Labels) -> String {
        self.line(&|number| {
            labels
                .get(&number)
                .cloned()
                .unwrap_or_else(|| format!("n{number}"))
        })
    }
}

fn write_term(term: &Term, label: &dyn Fn(u32) -> String, out: &mut String) {
    match term {
        Term::Iri(iri) => {
            let _ = write!(out, "<{iri}>");
        }
        Term::Blank(number) => {
            let _ = write!(out, "_:{}", label(*number));
        }
        Term::Literal {
            text,
            datatype,
            language,
        } => {
            out.push('"');
            write_escaped(text, out);
            out.push('"');
            if let Some(language) = language {
                let _ = write!(out, "@{language}");
            } else if &**datatype != XSD_STRING {
                let _ = write!(out, "^^<{datatype}>");
            }
        }
    }
}

/// The escapes of canonical N-Quads (RDF 1.1 N-Quads, "Canonical form", as RDFC-1.0 refines it).
fn write_escaped(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}

/// Whether a text can stand between `<` and `>`: it has a scheme, and no character that N-Quads forbids there.
pub(super) fn is_iri(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !text
            .chars()
            .any(|c| c <= ' ' || c == '\u{7f}' || c.is_whitespace() || "<>\"{}|^`\\".contains(c))
}
