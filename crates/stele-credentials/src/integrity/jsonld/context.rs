//! Context processing (JSON-LD 1.1 Processing Algorithms, sections 4.1, 4.2 and 5.2).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::contexts;
use crate::refusal::Refusal;

use super::super::rdf::is_iri;
use super::super::rules::{
    CONTEXT_INVALID, CONTEXT_SWAP, CONTEXT_UNKNOWN, LANGUAGE_INVALID, SYNTAX_UNSUPPORTED,
};

/// Contexts inside contexts inside contexts, at most.
const NESTING_MAX: usize = 16;

/// How the values of a term stand in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// One value or an unordered array.
    Set,
    /// An ordered array.
    List,
    /// An object from language to text.
    Language,
    /// Each value is a graph of its own.
    Graph,
}

/// The meaning of a term.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Definition {
    /// An IRI or a keyword; none if the term is defined to mean nothing.
    pub iri: Option<Rc<str>>,
    /// May stand before the colon of a compact IRI.
    pub prefix: bool,
    pub container: Container,
    /// `@id`, `@vocab`, `@json`, `@none` or a datatype's IRI.
    pub kind: Option<Rc<str>>,
    /// Outer none: not stated. Inner none: explicitly no language.
    pub language: Option<Option<Rc<str>>>,
    /// A scoped context. `null` is one too.
    pub context: Option<Value>,
}

#[derive(Debug, Clone)]
struct Entry {
    definition: Rc<Definition>,
    protected: bool,
}

/// An active context.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    terms: Rc<HashMap<String, Entry>>,
    vocab: Option<Rc<str>>,
    pub language: Option<Rc<str>>,
    /// What applies again inside the next node object.
    pub previous: Option<Rc<Self>>,
}

fn invalid(what: impl fmt::Display) -> Refusal {
    CONTEXT_INVALID.because(what)
}

pub(crate) fn unsupported(what: impl fmt::Display) -> Refusal {
    SYNTAX_UNSUPPORTED.because(what)
}

pub(crate) const KEYWORDS: [&str; 22] = [
    "@base",
    "@container",
    "@context",
    "@direction",
    "@graph",
    "@id",
    "@import",
    "@included",
    "@index",
    "@json",
    "@language",
    "@list",
    "@nest",
    "@none",
    "@prefix",
    "@propagate",
    "@protected",
    "@reverse",
    "@set",
    "@type",
    "@value",
    "@vocab",
];

/// Looks like a keyword: `@` and letters only. Reserved for the future where it is none.
pub(crate) fn has_keyword_form(text: &str) -> bool {
    text.strip_prefix('@')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// How a context is taken in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// A context of a property may redefine protected terms; the issuer of that context wrote it so.
    pub override_protected: bool,
    /// Applies to the nodes below too.
    pub propagate: bool,
}

impl How {
    /// A context written in the document.
    pub const IN_DOCUMENT: Self = Self {
        override_protected: false,
        propagate: true,
    };
    /// A context of a property.
    pub const OF_PROPERTY: Self = Self {
        override_protected: true,
        propagate: true,
    };
    /// A context of a type.
    pub const OF_TYPE: Self = Self {
        override_protected: false,
        propagate: false,
    };
}

impl Context {
    pub fn definition(&self, term: &str) -> Option<&Rc<Definition>> {
        self.terms.get(term).map(|entry| &entry.definition)
    }

    /// This context with `local` on top.
    pub fn with(&self, local: &Value, how: How) -> Result<Self, Refusal> {
        self.extended(local, how, 0)
    }

    fn extended(&self, local: &Value, mut how: How, nesting: usize) -> Result<Self, Refusal> {
        if nesting > NESTING_MAX {
            return Err(invalid("Contexts contain each other."));
        }
        let mut result = self.clone();
        if let Some(propagate) = local.get("@propagate") {
            how.propagate = propagate
                .as_bool()
                .ok_or_else(|| invalid("@propagate is neither true nor false."))?;
        }
        if !how.propagate && result.previous.is_none() {
            result.previous = Some(Rc::new(self.clone()));
        }
        let items = match local {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            match item {
                Value::Null => {
                    if !how.override_protected && result.terms.values().any(|e| e.protected) {
                        return Err(
                            CONTEXT_SWAP.because("a context with protected words is switched off")
                        );
                    }
                    let before = std::mem::take(&mut result);
                    if !how.propagate {
                        result.previous = Some(Rc::new(before));
                    }
                }
                Value::String(url) => {
                    let known =
                        contexts::bundled(url).ok_or_else(|| CONTEXT_UNKNOWN.because(url))?;
                    result = result.extended(known, how, nesting + 1)?;
                }
                Value::Object(map) => result.define_all(map, how)?,
                _ => return Err(invalid("A context is neither a name nor an object.")),
            }
        }
        Ok(result)
    }

    fn define_all(&mut self, map: &Map<String, Value>, how: How) -> Result<(), Refusal> {
        for keyword in ["@import", "@base", "@direction"] {
            if map.contains_key(keyword) {
                return Err(unsupported(keyword));
            }
        }
        if map.get("@version").is_some_and(|v| v.as_f64() != Some(1.1)) {
            return Err(invalid("A context states a version other than 1.1."));
        }
        match map.get("@vocab") {
            None => {}
            Some(Value::Null) => self.vocab = None,
            Some(Value::String(vocab)) => {
                let iri = self.expand_vocab(vocab);
                self.vocab = Some(iri.filter(|iri| is_iri(iri)).ok_or_else(|| {
                    invalid(format_args!(
                        "The vocabulary {vocab:?} is not an absolute IRI."
                    ))
                })?);
            }
            Some(_) => return Err(invalid("@vocab is not a text.")),
        }
        match map.get("@language") {
            None => {}
            Some(Value::Null) => self.language = None,
            Some(language) => self.language = Some(language_tag(language)?),
        }
        let protected = flag(map, "@protected")?.unwrap_or(false);
        let mut defining = Defining {
            local: map,
            state: BTreeMap::new(),
            protected,
            how,
        };
        for term in map.keys() {
            if !matches!(
                term.as_str(),
                "@version" | "@vocab" | "@language" | "@propagate" | "@protected"
            ) {
                defining.define(self, term)?;
            }
        }
        Ok(())
    }

    /// A term, compact IRI or IRI as a property or type; none if it has no meaning here.
    pub fn expand_vocab(&self, value: &str) -> Option<Rc<str>> {
        if KEYWORDS.contains(&value) {
            return Some(value.into());
        }
        if has_keyword_form(value) {
            return None;
        }
        if let Some(entry) = self.terms.get(value) {
            return entry.definition.iri.clone();
        }
        self.compact(value).or_else(|| {
            let vocab = self.vocab.as_ref()?;
            Some(format!("{vocab}{value}").into())
        })
    }

    /// A compact IRI or IRI as an identifier; none if it is relative.
    pub fn expand_id(&self, value: &str) -> Option<Rc<str>> {
        if value.starts_with('@') {
            return None;
        }
        self.compact(value)
    }

    fn compact(&self, value: &str) -> Option<Rc<str>> {
        let (prefix, suffix) = value
            .split_once(':')
            .filter(|(prefix, _)| !prefix.is_empty())?;
        if prefix != "_" && !suffix.starts_with("//") {
            let definition = self.definition(prefix).filter(|d| d.prefix);
            if let Some(iri) = definition.and_then(|d| d.iri.as_ref()) {
                return Some(format!("{iri}{suffix}").into());
            }
        }
        Some(value.into())
    }
}

fn flag(map: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    map.get(name)
        .map(|value| {
            value
                .as_bool()
                .ok_or_else(|| invalid(format_args!("{name} is neither true nor false.")))
        })
        .transpose()
}

/// A well-formed language tag (BCP 47's shape) in lower case.
pub(crate) fn language_tag(value: &Value) -> Result<Rc<str>, Refusal> {
    let bad = || LANGUAGE_INVALID.because(value);
    let tag = value.as_str().ok_or_else(bad)?;
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let fits = |part: &str| (1..=8).contains(&part.len());
    let good = fits(first)
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| fits(part) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if good {
        Ok(tag.to_ascii_lowercase().into())
    } else {
        Err(bad())
    }
}

/// The definitions of one context while they are made: some need others first.
struct Defining<'a> {
    local: &'a Map<String, Value>,
    /// False while a term's definition is under way.
    state: BTreeMap<String, bool>,
    protected: bool,
    how: How,
}

impl Defining<'_> {
    /// Create Term Definition (section 4.2).
    fn define(&mut self, context: &mut Context, term: &str) -> Result<(), Refusal> {
        match self.state.get(term) {
            Some(true) => return Ok(()),
            // Bounded too: a chain of definitions is as long as the context has terms, but deep chains need a stack.
            Some(false) => {
                return Err(invalid(format_args!(
                    "The term {term:?} is defined by itself."
                )));
            }
            None if self.state.values().filter(|done| !**done).count() > 64 => {
                return Err(invalid("Terms are defined by each other too deeply."));
            }
            None => {}
        }
        self.state.insert(term.to_owned(), false);
        if term.is_empty() || has_keyword_form(term) {
            return Err(invalid(format_args!(
                "{term:?} cannot be defined as a term."
            )));
        }
        let mut protected = self.protected;
        let definition = match &self.local[term] {
            Value::Null => self.build(context, term, &Map::new(), Some(&Value::Null), false)?,
            Value::String(iri) => {
                let id = Value::String(iri.clone());
                self.build(context, term, &Map::new(), Some(&id), true)?
            }
            Value::Object(map) => {
                protected = flag(map, "@protected")?.unwrap_or(protected);
                self.build(context, term, map, map.get("@id"), false)?
            }
            _ => {
                return Err(invalid(format_args!(
                    "The term {term:?} has no usable definition."
                )));
            }
        };
        let entry = self.protect(context, term, definition, protected)?;
        Rc::make_mut(&mut context.terms).insert(term.to_owned(), entry);
        self.state.insert(term.to_owned(), true);
        Ok(())
    }

    /// A protected term keeps its definition; the same definition again is no change (section 4.2, step 26).
    fn protect(
        &self,
        context: &Context,
        term: &str,
        definition: Definition,
        protected: bool,
    ) -> Result<Entry, Refusal> {
        let previous = context
            .terms
            .get(term)
            .filter(|entry| entry.protected && !self.how.override_protected);
        match previous {
            Some(previous) if *previous.definition != definition => {
                Err(CONTEXT_SWAP.because(format_args!("{term:?}")))
            }
            Some(previous) => Ok(previous.clone()),
            None => Ok(Entry {
                definition: Rc::new(definition),
                protected,
            }),
        }
    }

    fn build(
        &mut self,
        context: &mut Context,
        term: &str,
        map: &Map<String, Value>,
        id: Option<&Value>,
        simple: bool,
    ) -> Result<Definition, Refusal> {
        for name in map.keys() {
            match name.as_str() {
                "@id" | "@type" | "@container" | "@context" | "@language" | "@prefix"
                | "@protected" => {}
                "@reverse" | "@nest" | "@index" | "@direction" => return Err(unsupported(name)),
                _ => {
                    return Err(invalid(format_args!(
                        "The definition of {term:?} has an unknown part {name:?}."
                    )));
                }
            }
        }
        let (iri, prefix) = self.iri_of(context, term, id, simple)?;
        let kind = match map.get("@type") {
            None => None,
            Some(Value::String(kind)) => Some(self.kind_of(context, term, kind)?),
            Some(_) => return Err(invalid(format_args!("The type of {term:?} is not a text."))),
        };
        Ok(Definition {
            iri,
            prefix: flag(map, "@prefix")?.unwrap_or(prefix),
            container: container_of(term, map.get("@container"))?,
            kind,
            language: match map.get("@language") {
                None => None,
                Some(Value::Null) => Some(None),
                Some(language) => Some(Some(language_tag(language)?)),
            },
            context: map.get("@context").cloned(),
        })
    }

    fn kind_of(
        &mut self,
        context: &mut Context,
        term: &str,
        kind: &str,
    ) -> Result<Rc<str>, Refusal> {
        if matches!(kind, "@id" | "@vocab" | "@json" | "@none") {
            return Ok(kind.into());
        }
        let iri = self.expand(context, kind)?;
        iri.filter(|iri| is_iri(iri))
            .ok_or_else(|| invalid(format_args!("The type {kind:?} of {term:?} is not an IRI.")))
    }

    /// The IRI of a term and whether the term may be a prefix (section 4.2, steps 14 to 18).
    fn iri_of(
        &mut self,
        context: &mut Context,
        term: &str,
        id: Option<&Value>,
        simple: bool,
    ) -> Result<(Option<Rc<str>>, bool), Refusal> {
        let bad = || {
            invalid(format_args!(
                "The term {term:?} stands for something that is not an IRI."
            ))
        };
        match id {
            Some(Value::Null) => return Ok((None, false)),
            Some(Value::String(id)) if id != term => {
                if has_keyword_form(id) && !KEYWORDS.contains(&id.as_str()) {
                    return Err(bad());
                }
                let iri = self.expand(context, id)?.ok_or_else(bad)?;
                let keyword = KEYWORDS.contains(&&*iri) && &*iri != "@context";
                if !keyword && !is_iri(&iri) {
                    return Err(bad());
                }
                // A name that looks like an IRI must not stand for another one.
                let inner_colon = term
                    .char_indices()
                    .any(|(i, c)| c == ':' && i > 0 && i + 1 < term.len());
                if (inner_colon || term.contains('/'))
                    && self.shape(context, term)?.as_ref() != Some(&iri)
                {
                    return Err(bad());
                }
                let ends = iri.ends_with([':', '/', '?', '#', '[', ']', '@']);
                let prefix = !term.contains([':', '/']) && simple && ends;
                return Ok((Some(iri), prefix));
            }
            Some(Value::String(_)) | None => {}
            Some(_) => return Err(bad()),
        }
        let iri = self.shape(context, term)?.ok_or_else(bad)?;
        if is_iri(&iri) {
            Ok((Some(iri), false))
        } else {
            Err(bad())
        }
    }

    /// What a term means by its own form: a compact IRI, an IRI or a word of the vocabulary.
    fn shape(&mut self, context: &mut Context, term: &str) -> Result<Option<Rc<str>>, Refusal> {
        if let Some((prefix, suffix)) = term.split_once(':').filter(|(p, _)| !p.is_empty()) {
            if self.local.contains_key(prefix) && prefix != term {
                self.define(context, prefix)?;
            }
            let iri = context.definition(prefix).and_then(|d| d.iri.clone());
            return Ok(Some(match iri {
                Some(iri) => format!("{iri}{suffix}").into(),
                None => term.into(),
            }));
        }
        let vocab = context.vocab.as_ref();
        Ok(vocab.map(|vocab| format!("{vocab}{term}").into()))
    }

    /// IRI expansion while the context is being made: what the value refers to is defined first.
    fn expand(&mut self, context: &mut Context, value: &str) -> Result<Option<Rc<str>>, Refusal> {
        if !value.starts_with('@') {
            let prefix = value.split_once(':').map_or(value, |(prefix, _)| prefix);
            for needed in [value, prefix] {
                if self.local.contains_key(needed) && self.state.get(needed) != Some(&true) {
                    self.define(context, needed)?;
                }
            }
        }
        Ok(context.expand_vocab(value))
    }
}

fn container_of(term: &str, value: Option<&Value>) -> Result<Container, Refusal> {
    let names: Vec<&str> = match value {
        None => return Ok(Container::Set),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) => Vec::new(),
    };
    let mut kinds: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "@set")
        .collect();
    kinds.sort_unstable();
    match kinds[..] {
        [] if !names.is_empty() => Ok(Container::Set),
        ["@list"] if names.len() == 1 => Ok(Container::List),
        ["@language"] => Ok(Container::Language),
        ["@graph"] => Ok(Container::Graph),
        _ => Err(unsupported(format_args!("the container of {term:?}"))),
    }
}
