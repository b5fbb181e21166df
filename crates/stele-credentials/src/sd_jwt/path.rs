//! Paths to claims, as DCQL and SD-JWT VC write them: names, positions, or every element of a list.

use core::fmt;

use serde_json::Value;

use super::rules::*;
use crate::refusal::Refusal;

/// The most steps of a path.
const STEPS_MAX: usize = 16;

/// One step of a path (OpenID4VP 1.0 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathItem {
    /// A member of an object.
    Name(String),
    /// An element of a list, from 0.
    Index(usize),
    /// Every element of a list; `null` in JSON.
    Every,
}

/// A path to claims.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ClaimPath(Vec<PathItem>);

impl ClaimPath {
    /// The path of these steps.
    pub const fn new(items: Vec<PathItem>) -> Self {
        Self(items)
    }

    /// The path to a member of the outermost object.
    pub fn name(name: &str) -> Self {
        Self(vec![PathItem::Name(name.to_owned())])
    }

    /// Reads a list of texts, whole numbers and nulls.
    ///
    /// # Errors
    /// `credential.path` for anything else, and for an empty or very long list.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        let bad = || PATH.because(value);
        let items = value.as_array().ok_or_else(bad)?;
        if items.is_empty() || items.len() > STEPS_MAX {
            return Err(bad());
        }
        let items = items.iter().map(|item| match item {
            Value::String(name) => Ok(PathItem::Name(name.clone())),
            Value::Null => Ok(PathItem::Every),
            item => item
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .map(PathItem::Index)
                .ok_or_else(bad),
        });
        Ok(Self(items.collect::<Result<_, _>>()?))
    }

    /// Writes the list.
    pub fn to_json(&self) -> Value {
        let items = self.0.iter().map(|item| match item {
            PathItem::Name(name) => Value::String(name.clone()),
            PathItem::Index(index) => (*index).into(),
            PathItem::Every => Value::Null,
        });
        items.collect()
    }

    /// The steps.
    pub fn items(&self) -> &[PathItem] {
        &self.0
    }

    /// This path with one more step.
    pub fn join(&self, item: PathItem) -> Self {
        let mut items = self.0.clone();
        items.push(item);
        Self(items)
    }

    /// Whether this path leads to `other` or above it; [`PathItem::Every`] stands for each position.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| matches(a, b))
    }

    /// The values that the path leads to in `value`; none if it leads nowhere.
    pub fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![value];
        for item in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| match (item, value) {
                    (PathItem::Name(name), Value::Object(object)) => {
                        object.get(name).into_iter().collect()
                    }
                    (PathItem::Index(index), Value::Array(items)) => {
                        items.get(*index).into_iter().collect()
                    }
                    (PathItem::Every, Value::Array(items)) => items.iter().collect(),
                    _ => Vec::new(),
                })
                .collect();
        }
        found
    }
}

fn matches(a: &PathItem, b: &PathItem) -> bool {
    a == b
        || matches!(
            (a, b),
            (PathItem::Every, PathItem::Index(_)) | (PathItem::Index(_), PathItem::Every)
        )
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            match item {
                PathItem::Name(name) if position == 0 => f.write_str(name)?,
                PathItem::Name(name) => write!(f, ".{name}")?,
                PathItem::Index(index) => write!(f, "[{index}]")?,
                PathItem::Every => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(value: Value) -> ClaimPath {
        ClaimPath::from_json(&value).unwrap()
    }

    /// The example of OpenID4VP 1.0 section 7.3.
    #[test]
    fn selects_as_the_specification_says() {
        let value = json!({
            "name": "Fictional Arthur",
            "address": {"street_address": "42 Market Street", "locality": "Milliways"},
            "degrees": [{"type": "Bachelor", "university": "U1"}, {"type": "Master", "university": "U2"}],
        });
        for (steps, expected) in [
            (json!(["name"]), json!(["Fictional Arthur"])),
            (
                json!(["address", "street_address"]),
                json!(["42 Market Street"]),
            ),
            (
                json!(["degrees", null, "type"]),
                json!(["Bachelor", "Master"]),
            ),
            (json!(["degrees", 1, "university"]), json!(["U2"])),
            (json!(["degrees", 2]), json!([])),
            (json!(["name", "x"]), json!([])),
        ] {
            let found: Vec<Value> = path(steps.clone())
                .select(&value)
                .into_iter()
                .cloned()
                .collect();
            assert_eq!(Value::from(found), expected, "{steps}");
            assert_eq!(path(steps.clone()).to_json(), steps);
        }
        assert_eq!(
            path(json!(["degrees", null, "type"])).to_string(),
            "degrees[].type"
        );
    }

    #[test]
    fn refuses_paths_that_lead_nowhere() {
        for value in [
            json!([]),
            json!("a"),
            json!([-1]),
            json!([1.5]),
            json!([{}]),
            json!(vec!["a"; 17]),
        ] {
            assert_eq!(ClaimPath::from_json(&value).unwrap_err().rule(), PATH);
        }
    }
}
