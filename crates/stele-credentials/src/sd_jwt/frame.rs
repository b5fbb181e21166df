//! Which claims an issuer hides, prepared once for many credentials.

use super::{ClaimPath, PathItem};

/// A tree of the claims that become disclosures. Make it once and issue many credentials with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    pub(super) disclosable: bool,
    children: Vec<(PathItem, Frame)>,
    /// Digests without a claim that are added to each object with hidden members, so that their number tells nothing.
    pub(super) decoys: usize,
}

impl Frame {
    /// The frame that hides the claims at these paths. A path may lie below another: then both are disclosed one by one.
    pub fn new(paths: &[ClaimPath]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut node = &mut root;
            for item in path.items() {
                let position = node.children.iter().position(|(found, _)| found == item);
                let position = position.unwrap_or_else(|| {
                    node.children.push((item.clone(), Self::default()));
                    node.children.len() - 1
                });
                node = &mut node.children[position].1;
            }
            node.disclosable = true;
        }
        root
    }

    /// The frame that hides these members of the outermost object.
    pub fn of_names(names: &[&str]) -> Self {
        let paths: Vec<ClaimPath> = names.iter().map(|name| ClaimPath::name(name)).collect();
        Self::new(&paths)
    }

    /// Adds this many decoys to each object that has hidden members.
    #[must_use]
    pub fn with_decoys(mut self, decoys: usize) -> Self {
        self.set_decoys(decoys);
        self
    }

    fn set_decoys(&mut self, decoys: usize) {
        self.decoys = decoys;
        for (_, child) in &mut self.children {
            child.set_decoys(decoys);
        }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let found = self.children.iter();
        found
            .filter_map(|(item, child)| {
                matches!(item, PathItem::Name(own) if own == name).then_some(child)
            })
            .next()
    }

    /// The frame of a list's element: one for its position goes before one for every element.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        let of = |wanted: &PathItem| self.children.iter().find(|(item, _)| item == wanted);
        of(&PathItem::Index(index))
            .or_else(|| of(&PathItem::Every))
            .map(|(_, child)| child)
    }
}
