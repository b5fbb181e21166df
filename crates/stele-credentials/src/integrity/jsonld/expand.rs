//! Expansion and conversion to RDF in one pass (JSON-LD 1.1 Processing Algorithms, sections 5.1, 7 and 8).

use std::rc::Rc;

use serde_json::{Map, Number, Value};

use crate::refusal::Refusal;

use super::super::json::{self, Limits};
use super::super::rdf::{Quad, RDF_TYPE, Term, XSD_STRING, is_iri};
use super::super::rules::{IRI_INVALID, TERM_UNDEFINED, TOO_LARGE, VALUE_INVALID};
use super::context::{Container, Context, Definition, How, KEYWORDS, language_tag, unsupported};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// The statements of a JSON-LD document.
///
/// # Errors
/// The rules of the module's head; `integrity.too-large` and `integrity.too-deep` beyond `limits`.
pub fn to_rdf(document: &Value, limits: &Limits) -> Result<Vec<Quad>, Refusal> {
    json::check(document, limits)?;
    let Value::Object(map) = document else {
        return Err(unsupported("a document that is not one object"));
    };
    let mut expansion = Expansion {
        quads: Vec::new(),
        blanks: 0,
        limits,
    };
    let root = Place {
        pointer: "".into(),
        graph: None,
    };
    expansion.object(&Rc::new(Context::default()), None, map, &root)?;
    Ok(expansion.quads)
}

/// Where a value stands: in the JSON document, and in which graph.
#[derive(Clone)]
struct Place {
    pointer: Rc<str>,
    graph: Option<Term>,
}

impl Place {
    fn member(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("{}/{escaped}", self.pointer).into(),
            graph: self.graph.clone(),
        }
    }

    fn item(&self, index: usize) -> Self {
        self.member(&index.to_string())
    }

    fn in_graph(&self, graph: Term) -> Self {
        Self {
            pointer: self.pointer.clone(),
            graph: Some(graph),
        }
    }
}

struct Expansion<'a> {
    quads: Vec<Quad>,
    blanks: u32,
    limits: &'a Limits,
}

impl Expansion<'_> {
    fn blank(&mut self) -> Term {
        self.blanks += 1;
        Term::Blank(self.blanks - 1)
    }

    fn emit(
        &mut self,
        subject: &Term,
        predicate: &Rc<str>,
        object: Term,
        place: &Place,
    ) -> Result<(), Refusal> {
        if self.quads.len() >= self.limits.statements_max {
            let max = self.limits.statements_max;
            return Err(TOO_LARGE.because(format_args!("more than {max} statements")));
        }
        self.quads.push(Quad {
            subject: subject.clone(),
            predicate: predicate.clone(),
            object,
            graph: place.graph.clone(),
            origin: place.pointer.clone(),
        });
        Ok(())
    }

    /// A node object or value object, as a term. Statements about a node are emitted on the way.
    fn object(
        &mut self,
        context: &Rc<Context>,
        property: Option<&Definition>,
        map: &Map<String, Value>,
        place: &Place,
    ) -> Result<Term, Refusal> {
        let context = entered(context, property, map)?;
        let scoped = typed(&context, map)?;
        let means = |name: &str| scoped.expand_vocab(name);
        if map
            .keys()
            .any(|name| means(name).as_deref() == Some("@value"))
        {
            return value_object(&scoped, map, place);
        }
        let node = node_id(&scoped, map, place)?;
        let node = node.unwrap_or_else(|| self.blank());
        for (name, value) in map {
            if name == "@context" {
                continue;
            }
            let here = place.member(name);
            let meaning = means(name).ok_or_else(|| undefined(name, place))?;
            match &*meaning {
                "@id" => {}
                "@type" => self.types(&context, &node, value, place)?,
                keyword if KEYWORDS.contains(&keyword) => return Err(unsupported(keyword)),
                iri if is_iri(iri) => {
                    let definition = scoped.definition(name).cloned();
                    self.property(
                        &scoped,
                        definition.as_deref(),
                        &node,
                        &meaning,
                        value,
                        &here,
                    )?;
                }
                iri if !iri.contains(':') => return Err(undefined(name, place)),
                iri => return Err(IRI_INVALID.because(iri)),
            }
        }
        Ok(node)
    }

    /// Types are read in the context before that of the types themselves (section 5.1.2, step 13.4.4).
    fn types(
        &mut self,
        context: &Context,
        node: &Term,
        value: &Value,
        place: &Place,
    ) -> Result<(), Refusal> {
        let predicate: Rc<str> = RDF_TYPE.into();
        for name in texts(value).ok_or_else(|| VALUE_INVALID.because("a type is not a text"))? {
            let meaning = context.expand_vocab(name);
            let iri = meaning.ok_or_else(|| undefined(name, place))?;
            if !iri.contains(':') {
                return Err(undefined(name, place));
            }
            let iri = checked(iri)?;
            self.emit(node, &predicate, Term::Iri(iri), place)?;
        }
        Ok(())
    }

    fn property(
        &mut self,
        context: &Rc<Context>,
        definition: Option<&Definition>,
        node: &Term,
        predicate: &Rc<str>,
        value: &Value,
        place: &Place,
    ) -> Result<(), Refusal> {
        if definition.and_then(|d| d.kind.as_deref()) == Some("@json") {
            let literal = literal(json::jcs(value)?, format!("{RDF}JSON"));
            return self.emit(node, predicate, literal, place);
        }
        let container = definition.map_or(Container::Set, |d| d.container);
        match (container, value) {
            (Container::Language, Value::Object(languages)) => {
                self.languages(node, predicate, languages, place)
            }
            (Container::List, value) => {
                let mut items = Vec::new();
                self.flatten(context, definition, value, place, &mut items)?;
                self.list(node, predicate, items, place)
            }
            (_, Value::Array(values)) => {
                for (index, value) in values.iter().enumerate() {
                    let here = place.item(index);
                    self.property(context, definition, node, predicate, value, &here)?;
                }
                Ok(())
            }
            (Container::Graph, value) => {
                let graph = self.blank();
                let inside = place.in_graph(graph.clone());
                self.value(context, definition, value, &inside)?;
                self.emit(node, predicate, graph, place)
            }
            (Container::Set | Container::Language, value) => {
                if let Some(items) = explicit_list(context, value) {
                    let mut terms = Vec::new();
                    self.flatten(context, definition, items, place, &mut terms)?;
                    return self.list(node, predicate, terms, place);
                }
                let object = self.value(context, definition, value, place)?;
                self.emit(node, predicate, object, place)
            }
        }
    }

    /// One value that is not an array, as a term.
    fn value(
        &mut self,
        context: &Rc<Context>,
        definition: Option<&Definition>,
        value: &Value,
        place: &Place,
    ) -> Result<Term, Refusal> {
        match value {
            Value::Object(map) => self.object(context, definition, map, place),
            Value::Null => Err(VALUE_INVALID.because(format_args!("nothing at {}", place.pointer))),
            Value::Array(_) => Err(unsupported("an array in an array")),
            scalar => match definition.and_then(|d| d.context.as_ref()) {
                Some(local) => {
                    scalar_term(&context.with(local, How::OF_PROPERTY)?, definition, scalar)
                }
                None => scalar_term(context, definition, scalar),
            },
        }
    }

    fn flatten(
        &mut self,
        context: &Rc<Context>,
        definition: Option<&Definition>,
        value: &Value,
        place: &Place,
        out: &mut Vec<Term>,
    ) -> Result<(), Refusal> {
        let one = std::slice::from_ref(value);
        let values = value.as_array().map_or(one, Vec::as_slice);
        for (index, value) in values.iter().enumerate() {
            let here = if value.is_array() {
                place.clone()
            } else {
                place.item(index)
            };
            out.push(self.value(context, definition, value, &here)?);
        }
        Ok(())
    }

    /// `rdf:first` and `rdf:rest` (section 8.3). The cells belong to the whole list: it is shown as one or not at all.
    fn list(
        &mut self,
        node: &Term,
        predicate: &Rc<str>,
        items: Vec<Term>,
        place: &Place,
    ) -> Result<(), Refusal> {
        let (first, rest): (Rc<str>, Rc<str>) =
            (format!("{RDF}first").into(), format!("{RDF}rest").into());
        let mut tail = Term::Iri(format!("{RDF}nil").into());
        for item in items.into_iter().rev() {
            let cell = self.blank();
            self.emit(&cell, &first, item, place)?;
            self.emit(&cell, &rest, tail, place)?;
            tail = cell;
        }
        self.emit(node, predicate, tail, place)
    }

    /// A language map (section 5.1.2, step 13.7).
    fn languages(
        &mut self,
        node: &Term,
        predicate: &Rc<str>,
        languages: &Map<String, Value>,
        place: &Place,
    ) -> Result<(), Refusal> {
        for (name, value) in languages {
            let language = match name.as_str() {
                "@none" => None,
                _ => Some(language_tag(&Value::String(name.clone()))?),
            };
            let here = place.member(name);
            let texts = texts(value).ok_or_else(|| {
                VALUE_INVALID.because(format_args!("no text at {}", here.pointer))
            })?;
            for (index, text) in texts.into_iter().enumerate() {
                let here = if value.is_array() {
                    here.item(index)
                } else {
                    here.clone()
                };
                self.emit(node, predicate, tagged(text, language.clone()), &here)?;
            }
        }
        Ok(())
    }
}

fn undefined(name: &str, place: &Place) -> Refusal {
    let pointer = if place.pointer.is_empty() {
        "the top"
    } else {
        &place.pointer
    };
    TERM_UNDEFINED.because(format_args!("{name:?} at {pointer}"))
}

fn checked(iri: Rc<str>) -> Result<Rc<str>, Refusal> {
    if iri.starts_with("_:") {
        return Err(unsupported("a label of a blank node"));
    }
    if is_iri(&iri) {
        Ok(iri)
    } else {
        Err(IRI_INVALID.because(iri))
    }
}

/// The context inside an object (section 5.1.2, steps 7 to 9).
fn entered(
    context: &Rc<Context>,
    property: Option<&Definition>,
    map: &Map<String, Value>,
) -> Result<Rc<Context>, Refusal> {
    let mut active = context.clone();
    if let Some(previous) = &context.previous {
        let means = |name: &String| context.expand_vocab(name);
        let is_value = map
            .keys()
            .any(|name| means(name).as_deref() == Some("@value"));
        let only_id =
            map.len() == 1 && map.keys().all(|name| means(name).as_deref() == Some("@id"));
        if !is_value && !only_id {
            active = previous.clone();
        }
    }
    if let Some(local) = property.and_then(|d| d.context.as_ref()) {
        active = Rc::new(active.with(local, How::OF_PROPERTY)?);
    }
    if let Some(local) = map.get("@context") {
        active = Rc::new(active.with(local, How::IN_DOCUMENT)?);
    }
    Ok(active)
}

/// The context with those of the object's types, in the order of the types' names (section 5.1.2, steps 10 and 11).
fn typed(context: &Rc<Context>, map: &Map<String, Value>) -> Result<Rc<Context>, Refusal> {
    let mut names: Vec<&String> = map.keys().collect();
    names.sort_unstable();
    let mut active = context.clone();
    for name in names {
        if context.expand_vocab(name).as_deref() != Some("@type") {
            continue;
        }
        let mut types = texts(&map[name]).unwrap_or_default();
        types.sort_unstable();
        for kind in types {
            let local = context.definition(kind).and_then(|d| d.context.as_ref());
            if let Some(local) = local {
                active = Rc::new(active.with(local, How::OF_TYPE)?);
            }
        }
    }
    Ok(active)
}

/// The node's identifier, if it has one.
fn node_id(
    context: &Context,
    map: &Map<String, Value>,
    place: &Place,
) -> Result<Option<Term>, Refusal> {
    let is_id = |name: &&String| context.expand_vocab(name).as_deref() == Some("@id");
    let mut ids = map.keys().filter(is_id);
    let Some(name) = ids.next() else {
        return Ok(None);
    };
    if ids.next().is_some() {
        return Err(VALUE_INVALID.because(format_args!("two identifiers at {}", place.pointer)));
    }
    let text = map[name]
        .as_str()
        .ok_or_else(|| VALUE_INVALID.because("an identifier is not a text"))?;
    named(context, text).map(Some)
}

fn named(context: &Context, text: &str) -> Result<Term, Refusal> {
    let iri = context
        .expand_id(text)
        .ok_or_else(|| IRI_INVALID.because(text))?;
    checked(iri).map(Term::Iri)
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The items of `{"@list": [...]}`.
fn explicit_list<'a>(context: &Context, value: &'a Value) -> Option<&'a Value> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let (name, items) = map.iter().next()?;
    (context.expand_vocab(name).as_deref() == Some("@list")).then_some(items)
}

fn literal(text: impl Into<Rc<str>>, datatype: impl Into<Rc<str>>) -> Term {
    Term::Literal {
        text: text.into(),
        datatype: datatype.into(),
        language: None,
    }
}

fn tagged(text: &str, language: Option<Rc<str>>) -> Term {
    match language {
        None => literal(text, XSD_STRING),
        Some(language) => Term::Literal {
            text: text.into(),
            datatype: format!("{RDF}langString").into(),
            language: Some(language),
        },
    }
}

/// `{"@value": ..., "@type": ..., "@language": ...}` (section 5.1.2, step 14).
fn value_object(
    context: &Context,
    map: &Map<String, Value>,
    place: &Place,
) -> Result<Term, Refusal> {
    let (mut value, mut kind, mut language) = (None, None, None);
    for (name, content) in map.iter().filter(|(name, _)| *name != "@context") {
        match context.expand_vocab(name).as_deref() {
            Some("@value") => value = Some(content),
            Some("@type") => kind = Some(content),
            Some("@language") => language = Some(language_tag(content)?),
            _ => return Err(undefined(name, place)),
        }
    }
    let value = value.unwrap_or(&Value::Null);
    let kind = match kind {
        None => None,
        Some(Value::String(kind)) => Some(
            context
                .expand_vocab(kind)
                .ok_or_else(|| undefined(kind, place))?,
        ),
        Some(_) => return Err(VALUE_INVALID.because("a datatype is not a text")),
    };
    match (kind, language, value) {
        (Some(kind), None, value) if &*kind == "@json" => {
            Ok(literal(json::jcs(value)?, format!("{RDF}JSON")))
        }
        (None, Some(language), Value::String(text)) => Ok(tagged(text, Some(language))),
        (kind, None, Value::String(_) | Value::Bool(_) | Value::Number(_)) => {
            let kind = kind.map(checked).transpose()?;
            native(value, kind)
        }
        _ => Err(VALUE_INVALID.because(format_args!("at {}", place.pointer))),
    }
}

/// Value expansion (section 5.3.2) and object to RDF conversion (section 8.2).
fn scalar_term(
    context: &Context,
    definition: Option<&Definition>,
    value: &Value,
) -> Result<Term, Refusal> {
    let kind = definition.and_then(|d| d.kind.clone());
    match (kind.as_deref(), value) {
        (Some("@id"), Value::String(text)) => named(context, text),
        (Some("@vocab"), Value::String(text)) => {
            let meaning = context.expand_vocab(text);
            let iri = meaning.ok_or_else(|| TERM_UNDEFINED.because(text))?;
            checked(iri).map(Term::Iri)
        }
        (Some("@none") | None, Value::String(text)) => {
            let stated = definition.and_then(|d| d.language.clone());
            Ok(tagged(
                text,
                stated.unwrap_or_else(|| context.language.clone()),
            ))
        }
        (Some("@id" | "@vocab" | "@none"), value) => native(value, None),
        (_, value) => native(value, kind),
    }
}

/// A JSON scalar as a literal (section 8.2.2, steps 8 to 11).
fn native(value: &Value, kind: Option<Rc<str>>) -> Result<Term, Refusal> {
    let or = |name: &str| {
        kind.clone()
            .unwrap_or_else(|| format!("{XSD}{name}").into())
    };
    Ok(match value {
        Value::String(text) => literal(text.as_str(), or("string")),
        Value::Bool(truth) => literal(truth.to_string(), or("boolean")),
        Value::Number(number) => {
            let double = kind.as_deref() == Some("http://www.w3.org/2001/XMLSchema#double");
            let (text, is_double) = number_literal(number, double)?;
            literal(text, or(if is_double { "double" } else { "integer" }))
        }
        _ => return Err(VALUE_INVALID.because("a value is neither text, number nor truth")),
    })
}

fn number_literal(number: &Number, as_double: bool) -> Result<(String, bool), Refusal> {
    let value = json::safe_double(number)?;
    if !as_double && value.fract() == 0.0 && value.abs() < 1e21 {
        // Minus zero is zero.
        return Ok((format!("{:.0}", value + 0.0), false));
    }
    let text = format!("{value:.15e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0');
    let zero = if mantissa.ends_with('.') { "0" } else { "" };
    Ok((format!("{mantissa}{zero}E{exponent}"), true))
}
