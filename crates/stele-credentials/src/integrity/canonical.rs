//! RDF Dataset Canonicalization (W3C RDFC-1.0): one text for one meaning, whatever the order and the labels.
//!
//! Blank nodes get labels `c14n0`, `c14n1`, ... from what surrounds them. Nodes that look alike are told apart by trying
//! orders, which can take exponential time on a document made for it (section 7.1, "dataset poisoning"). So every
//! step is counted over the whole run, recursion included, and the run stops at a limit. That overall count is why this is
//! not a library's: the ones looked at bound one call, not the recursion.

use std::collections::{BTreeMap, HashMap};

use stele_core::id::sha256;

use super::rdf::{Labels, Quad};
use super::rules::TOO_TANGLED;
use crate::refusal::Refusal;

/// A canonical dataset: its lines in order, and the label of each blank node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// Each statement once, with its line end, sorted by code point.
    pub lines: Vec<String>,
    /// From the document's blank node to its canonical label.
    pub labels: Labels,
}

impl Canonical {
    /// The whole text.
    pub fn text(&self) -> String {
        self.lines.concat()
    }

    /// SHA-256 of the text.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[self.text().as_bytes()])
    }
}

/// Canonicalises statements (RDFC-1.0 section 4.4) within `steps_max` steps.
///
/// # Errors
/// `integrity.too-tangled` when the limit is met.
pub fn canonicalise(quads: &[Quad], steps_max: usize) -> Result<Canonical, Refusal> {
    let mut run = Run::new(quads, steps_max);
    let mut by_hash: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (node, hash) in &run.first_degree {
        by_hash.entry(hash.clone()).or_default().push(*node);
    }
    let mut canonical = Issuer::new("c14n");
    for nodes in by_hash.values() {
        if let [node] = nodes[..] {
            canonical.issue(node);
        }
    }
    for nodes in by_hash.values().filter(|nodes| nodes.len() > 1) {
        let mut paths = Vec::new();
        for node in nodes {
            if canonical.get(*node).is_none() {
                let mut issuer = Issuer::new("b");
                issuer.issue(*node);
                paths.push(run.n_degree(*node, &canonical, issuer)?);
            }
        }
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, issuer) in paths {
            for node in issuer.order {
                canonical.issue(node);
            }
        }
    }
    Ok(relabel(quads, canonical.labels))
}

/// The sorted lines of `quads` with these labels, each once.
pub(super) fn relabel(quads: &[Quad], labels: Labels) -> Canonical {
    let mut lines: Vec<String> = quads.iter().map(|quad| quad.labelled(&labels)).collect();
    lines.sort_unstable();
    lines.dedup();
    Canonical { lines, labels }
}

/// Gives out labels in order and remembers it (section 4.5).
#[derive(Debug, Clone)]
struct Issuer {
    prefix: &'static str,
    labels: Labels,
    order: Vec<u32>,
}

impl Issuer {
    fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            labels: Labels::new(),
            order: Vec::new(),
        }
    }

    fn get(&self, node: u32) -> Option<&str> {
        self.labels.get(&node).map(String::as_str)
    }

    fn issue(&mut self, node: u32) -> String {
        let (prefix, order) = (self.prefix, &mut self.order);
        let label = self.labels.entry(node).or_insert_with(|| {
            order.push(node);
            format!("{prefix}{}", order.len() - 1)
        });
        label.clone()
    }
}

struct Run<'a> {
    quads_of: HashMap<u32, Vec<&'a Quad>>,
    first_degree: BTreeMap<u32, String>,
    steps_left: usize,
    steps_max: usize,
}

impl<'a> Run<'a> {
    fn new(quads: &'a [Quad], steps_max: usize) -> Self {
        let mut quads_of: HashMap<u32, Vec<&Quad>> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for quad in quads {
            // A dataset is a set: a statement made twice counts once.
            let line = quad.labelled(&Labels::new());
            if quad.blanks().next().is_none() || !seen.insert(line) {
                continue;
            }
            let mut nodes: Vec<u32> = quad.blanks().map(|(_, node)| node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            for node in nodes {
                quads_of.entry(node).or_default().push(quad);
            }
        }
        let first_degree = quads_of
            .iter()
            .map(|(node, quads)| (*node, first_degree(*node, quads)))
            .collect();
        Self {
            quads_of,
            first_degree,
            steps_left: steps_max,
            steps_max,
        }
    }

    fn step(&mut self) -> Result<(), Refusal> {
        let left = self.steps_left.checked_sub(1);
        let steps_max = self.steps_max;
        self.steps_left =
            left.ok_or_else(|| TOO_TANGLED.because(format_args!("{steps_max} steps")))?;
        Ok(())
    }

    /// Hash N-Degree Quads (section 4.8): a hash of how `node` is tied to the nodes around it.
    fn n_degree(
        &mut self,
        node: u32,
        canonical: &Issuer,
        mut issuer: Issuer,
    ) -> Result<(String, Issuer), Refusal> {
        let mut related: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let quads = self.quads_of.get(&node).cloned().unwrap_or_default();
        for quad in quads {
            for (place, other) in quad.blanks().filter(|(_, other)| *other != node) {
                self.step()?;
                let hash = self.related(other, quad, place, canonical, &issuer);
                related.entry(hash).or_default().push(other);
            }
        }
        let mut data = String::new();
        for (hash, nodes) in &related {
            data.push_str(hash);
            let mut chosen: Option<(String, Issuer)> = None;
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            loop {
                self.step()?;
                let permuted = order.iter().map(|index| nodes[*index]);
                let best = chosen.as_ref().map(|(path, _)| path.as_str());
                let tried = self.path(permuted, canonical, issuer.clone(), best)?;
                if let Some(found) = tried {
                    chosen = Some(found);
                }
                if !next_permutation(&mut order) {
                    break;
                }
            }
            if let Some((path, next)) = chosen {
                data.push_str(&path);
                issuer = next;
            }
        }
        Ok((hex_hash(&data), issuer))
    }

    /// The path of one order of related nodes, or nothing when it is not smaller than `best`.
    fn path(
        &mut self,
        order: impl Iterator<Item = u32>,
        canonical: &Issuer,
        mut issuer: Issuer,
        best: Option<&str>,
    ) -> Result<Option<(String, Issuer)>, Refusal> {
        // Only a path that is already longer or equal in length may be given up (section 4.8.3, step 5.4.4.3).
        let worse = |path: &str| best.is_some_and(|best| path.len() >= best.len() && path > best);
        let mut path = String::new();
        let mut later = Vec::new();
        for node in order {
            if let Some(label) = canonical.get(node) {
                let _ = std::fmt::Write::write_fmt(&mut path, format_args!("_:{label}"));
            } else {
                if issuer.get(node).is_none() {
                    later.push(node);
                }
                let _ =
                    std::fmt::Write::write_fmt(&mut path, format_args!("_:{}", issuer.issue(node)));
            }
            if worse(&path) {
                return Ok(None);
            }
        }
        for node in later {
            let (hash, result) = self.n_degree(node, canonical, issuer.clone())?;
            let label = issuer.issue(node);
            let _ = std::fmt::Write::write_fmt(&mut path, format_args!("_:{label}<{hash}>"));
            issuer = result;
            if worse(&path) {
                return Ok(None);
            }
        }
        Ok((best.is_none_or(|best| path.as_str() < best)).then_some((path, issuer)))
    }

    /// Hash Related Blank Node (section 4.7).
    fn related(
        &self,
        node: u32,
        quad: &Quad,
        place: char,
        canonical: &Issuer,
        issuer: &Issuer,
    ) -> String {
        let mut data = String::from(place);
        if place != 'g' {
            let _ = std::fmt::Write::write_fmt(&mut data, format_args!("<{}>", quad.predicate));
        }
        match canonical.get(node).or_else(|| issuer.get(node)) {
            Some(label) => {
                let _ = std::fmt::Write::write_fmt(&mut data, format_args!("_:{label}"));
            }
            None => data.push_str(self.first_degree.get(&node).map_or("", String::as_str)),
        }
        hex_hash(&data)
    }
}

/// Hash First Degree Quads (section 4.6): the node is `_:a`, every other blank node `_:z`.
fn first_degree(node: u32, quads: &[&Quad]) -> String {
    let label = |other: u32| if other == node { "a" } else { "z" }.to_owned();
    let mut lines: Vec<String> = quads.iter().map(|quad| quad.line(&label)).collect();
    lines.sort_unstable();
    hex_hash(&lines.concat())
}

fn hex_hash(text: &str) -> String {
    hex(&sha256(&[text.as_bytes()]))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The next order of indexes, or false after the last.
fn next_permutation(order: &mut [usize]) -> bool {
    let Some(pivot) = (1..order.len()).rev().find(|i| order[i - 1] < order[*i]) else {
        return false;
    };
    let above = (pivot..order.len())
        .rev()
        .find(|i| order[*i] > order[pivot - 1])
        .unwrap_or(pivot);
    order.swap(pivot - 1, above);
    order[pivot..].reverse();
    true
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::super::rdf::Term;
    use super::*;

    fn quad(subject: u32, predicate: &str, object: Term) -> Quad {
        Quad {
            subject: Term::Blank(subject),
            predicate: predicate.into(),
            object,
            graph: None,
            origin: "".into(),
        }
    }

    /// Each pair in both directions between `count` nodes: the graph that poisons a canonicaliser without a limit.
    fn clique(count: u32) -> Vec<Quad> {
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        pairs
            .filter(|(a, b)| a != b)
            .map(|(a, b)| quad(a, "urn:p", Term::Blank(b)))
            .collect()
    }

    #[test]
    fn a_poisoned_graph_is_refused_in_time() {
        assert!(canonicalise(&clique(4), 20_000).is_ok());
        let refusal = canonicalise(&clique(12), 20_000).unwrap_err();
        assert_eq!(refusal.code(), TOO_TANGLED.code);
    }

    #[test]
    fn permutations_are_all_tried_once() {
        let mut order = vec![0, 1, 2, 3];
        let mut seen = vec![order.clone()];
        while next_permutation(&mut order) {
            seen.push(order.clone());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 24);
    }

    proptest! {
        /// Isomorphic graphs have one text: labels and order of the statements do not matter.
        #[test]
        fn labels_and_order_do_not_matter(
            edges in proptest::collection::vec((0_u32..5, 0_u32..2, 0_u32..7), 1..12),
            shuffle in Just((0_u32..5).collect::<Vec<_>>()).prop_shuffle(),
            turn in 0_usize..12,
        ) {
            let build = |name: &dyn Fn(u32) -> u32| -> Vec<Quad> {
                edges.iter().map(|(from, property, to)| {
                    let object = match to {
                        0..5 => Term::Blank(name(*to)),
                        _ => Term::Iri(Rc::from(format!("urn:o{to}"))),
                    };
                    quad(name(*from), &format!("urn:p{property}"), object)
                }).collect()
            };
            let first = canonicalise(&build(&|n| n), 200_000);
            let mut turned = build(&|n| shuffle[n as usize] + 40);
            let length = turned.len();
            turned.rotate_left(turn % length);
            let second = canonicalise(&turned, 200_000);
            if let (Ok(first), Ok(second)) = (first, second) {
                prop_assert_eq!(first.lines, second.lines);
            }
        }
    }
}
