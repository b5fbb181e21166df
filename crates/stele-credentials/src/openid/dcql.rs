//! DCQL: which credentials and claims a verifier asks for (OpenID4VP 1.0 section 6).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rules::*;
use crate::refusal::Refusal;
use crate::sd_jwt::ClaimPath;

/// The most items of each list in a query.
const ITEMS_MAX: usize = 64;

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The credentials that are asked for.
    pub credentials: Vec<CredentialQuery>,
    /// Which combinations of them will do; empty for all of them.
    pub sets: Vec<CredentialSet>,
}

/// One credential that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialQuery {
    /// Its name in the answer.
    pub id: String,
    /// Such as `dc+sd-jwt`.
    pub format: String,
    /// Whether several may be presented.
    pub multiple: bool,
    /// The accepted kinds (`vct_values`); empty for any.
    pub vcts: Vec<String>,
    /// Whether the holder has to prove ownership.
    pub require_binding: bool,
    /// The claims that are asked for; none means that nothing is to be disclosed beyond what is always open.
    pub claims: Vec<ClaimQuery>,
    /// Combinations of claims, by position, the best first; empty for all of them.
    pub claim_sets: Vec<Vec<usize>>,
}

/// One claim that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimQuery {
    /// Its name in `claim_sets`.
    pub id: Option<String>,
    /// Where it stands.
    pub path: ClaimPath,
    /// The accepted values; empty for any.
    pub values: Vec<Value>,
}

/// Combinations of credentials, the best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSet {
    /// The combinations, by the credentials' names.
    pub options: Vec<Vec<String>>,
    /// Whether one of them has to be presented.
    pub required: bool,
}

/// A credential that a holder has, as far as queries look into it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Such as `dc+sd-jwt`.
    pub format: &'a str,
    /// All claims, disclosed.
    pub claims: &'a Value,
}

/// How a holder can answer one credential query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The credential query's name.
    pub query: String,
    /// The candidates that fit, by position, each with the claims that it would disclose.
    pub candidates: Vec<(usize, Vec<ClaimPath>)>,
}

impl Query {
    /// A query for one credential of a kind, with key binding and all these claims.
    pub fn one(id: &str, vct: &str, claims: &[ClaimPath]) -> Self {
        let claims = claims.iter().map(|path| ClaimQuery {
            id: None,
            path: path.clone(),
            values: Vec::new(),
        });
        let credential = CredentialQuery {
            id: id.to_owned(),
            format: crate::sd_jwt::TYPE.to_owned(),
            multiple: false,
            vcts: vec![vct.to_owned()],
            require_binding: true,
            claims: claims.collect(),
            claim_sets: Vec::new(),
        };
        Self {
            credentials: vec![credential],
            sets: Vec::new(),
        }
    }

    /// Reads `dcql_query`.
    ///
    /// # Errors
    /// `presentation.query-malformed`.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        let object = object(value)?;
        let credentials = list(object, "credentials")?
            .iter()
            .map(CredentialQuery::from_json);
        let credentials: Vec<CredentialQuery> = credentials.collect::<Result<_, _>>()?;
        if credentials.is_empty() {
            return Err(bad("no credential is asked for"));
        }
        for (position, credential) in credentials.iter().enumerate() {
            if credentials[..position]
                .iter()
                .any(|other| other.id == credential.id)
            {
                return Err(bad(format_args!("{} stands twice", credential.id)));
            }
        }
        let mut sets = Vec::new();
        for set in list(object, "credential_sets")? {
            let set = self::object(set)?;
            let mut options = Vec::new();
            for option in list(set, "options")? {
                let option = texts(option)?;
                if option.is_empty()
                    || option
                        .iter()
                        .any(|id| credentials.iter().all(|one| one.id != *id))
                {
                    return Err(bad("an option names no credential of the query"));
                }
                options.push(option);
            }
            if options.is_empty() {
                return Err(bad("a set has no options"));
            }
            sets.push(CredentialSet {
                options,
                required: flag(set, "required", true)?,
            });
        }
        Ok(Self { credentials, sets })
    }

    /// Writes `dcql_query`.
    pub fn to_json(&self) -> Value {
        let mut query = json!({"credentials": self.credentials.iter().map(CredentialQuery::to_json).collect::<Value>()});
        if !self.sets.is_empty() {
            let sets = self
                .sets
                .iter()
                .map(|set| json!({"options": set.options, "required": set.required}));
            query["credential_sets"] = sets.collect();
        }
        query
    }

    /// How a holder with these credentials can answer: the queries to answer, each with all candidates that fit.
    ///
    /// # Errors
    /// `presentation.unanswerable` if something required cannot be answered.
    pub fn choose(&self, candidates: &[Candidate<'_>]) -> Result<Vec<Choice>, Refusal> {
        let mut choices: BTreeMap<&str, Choice> = BTreeMap::new();
        for query in &self.credentials {
            let fitting = candidates.iter().enumerate();
            let fitting: Vec<_> = fitting
                .filter_map(|(position, one)| Some((position, query.claims_of(one)?)))
                .collect();
            if !fitting.is_empty() {
                choices.insert(
                    &query.id,
                    Choice {
                        query: query.id.clone(),
                        candidates: fitting,
                    },
                );
            }
        }
        let wanted = self.wanted(&|id| choices.contains_key(id))?;
        Ok(wanted
            .into_iter()
            .filter_map(|id| choices.remove(id))
            .collect())
    }

    /// Whether the answered queries are what was asked for.
    ///
    /// # Errors
    /// `presentation.unanswerable`.
    pub fn check_answered(&self, answered: &dyn Fn(&str) -> bool) -> Result<(), Refusal> {
        self.wanted(answered).map(|_| ())
    }

    /// The queries to answer, given those that can be.
    fn wanted(&self, possible: &dyn Fn(&str) -> bool) -> Result<Vec<&str>, Refusal> {
        let missing = |id: &str| UNANSWERABLE.because(id);
        let mut wanted: Vec<&str> = Vec::new();
        if self.sets.is_empty() {
            for query in &self.credentials {
                if !possible(&query.id) {
                    return Err(missing(&query.id));
                }
                wanted.push(&query.id);
            }
        }
        for set in &self.sets {
            match set
                .options
                .iter()
                .find(|option| option.iter().all(|id| possible(id)))
            {
                Some(option) => wanted.extend(option.iter().map(String::as_str)),
                None if set.required => return Err(missing(&set.options[0].join(", "))),
                None => {}
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        Ok(wanted)
    }
}

impl CredentialQuery {
    /// The claims that a candidate would disclose to answer, or `None` if it does not fit.
    pub fn claims_of(&self, candidate: &Candidate<'_>) -> Option<Vec<ClaimPath>> {
        let kind = candidate
            .claims
            .get("vct")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if self.format != candidate.format
            || !(self.vcts.is_empty() || self.vcts.iter().any(|vct| vct == kind))
        {
            return None;
        }
        let fits = |position: usize| {
            self.claims
                .get(position)
                .is_some_and(|claim| claim.is_met_by(candidate.claims))
        };
        let all: Vec<usize> = (0..self.claims.len()).collect();
        let sets = if self.claim_sets.is_empty() {
            std::slice::from_ref(&all)
        } else {
            &self.claim_sets
        };
        let set = sets
            .iter()
            .find(|set| set.iter().all(|position| fits(*position)))?;
        Some(
            set.iter()
                .map(|position| self.claims[*position].path.clone())
                .collect(),
        )
    }

    fn from_json(value: &Value) -> Result<Self, Refusal> {
        let object = object(value)?;
        let mut claims: Vec<ClaimQuery> = Vec::new();
        for claim in list(object, "claims")? {
            let claim = self::object(claim)?;
            let id = claim.get("id").map(name).transpose()?;
            if id.is_some() && claims.iter().any(|other| other.id == id) {
                return Err(bad("a claim's id stands twice"));
            }
            let path = claim
                .get("path")
                .ok_or_else(|| bad("a claim has no path"))?;
            let values = list(claim, "values")?.to_vec();
            if values.iter().any(|value| {
                !(value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64())
            }) {
                return Err(bad("a value is no text, whole number or truth value"));
            }
            claims.push(ClaimQuery {
                id,
                path: ClaimPath::from_json(path).map_err(bad)?,
                values,
            });
        }
        let mut claim_sets = Vec::new();
        for set in list(object, "claim_sets")? {
            let positions = texts(set)?.into_iter().map(|id| {
                let found = claims
                    .iter()
                    .position(|claim| claim.id.as_ref() == Some(&id));
                found.ok_or_else(|| bad(format_args!("claim_sets names {id}, which is no claim")))
            });
            claim_sets.push(positions.collect::<Result<Vec<_>, _>>()?);
        }
        let vcts = match object.get("meta").and_then(|meta| meta.get("vct_values")) {
            Some(vcts) => texts(vcts)?,
            None => Vec::new(),
        };
        Ok(Self {
            id: name(object.get("id").unwrap_or(&Value::Null))?,
            format: object
                .get("format")
                .and_then(Value::as_str)
                .ok_or_else(|| bad("no format"))?
                .to_owned(),
            multiple: flag(object, "multiple", false)?,
            vcts,
            require_binding: flag(object, "require_cryptographic_holder_binding", true)?,
            claims,
            claim_sets,
        })
    }

    fn to_json(&self) -> Value {
        let mut query = json!({"id": self.id, "format": self.format, "meta": {}});
        if !self.vcts.is_empty() {
            query["meta"] = json!({"vct_values": self.vcts});
        }
        if self.multiple {
            query["multiple"] = true.into();
        }
        if !self.require_binding {
            query["require_cryptographic_holder_binding"] = false.into();
        }
        let id = |position: usize| {
            let claim = self.claims.get(position).and_then(|claim| claim.id.clone());
            claim.unwrap_or_else(|| format!("claim-{position}"))
        };
        if !self.claims.is_empty() {
            let claims = self.claims.iter().enumerate().map(|(position, claim)| {
                let mut member = json!({"path": claim.path.to_json()});
                if claim.id.is_some() || !self.claim_sets.is_empty() {
                    member["id"] = id(position).into();
                }
                if !claim.values.is_empty() {
                    member["values"] = claim.values.clone().into();
                }
                member
            });
            query["claims"] = claims.collect();
        }
        if !self.claim_sets.is_empty() {
            let sets = self.claim_sets.iter().map(|set| {
                set.iter()
                    .map(|position| Value::from(id(*position)))
                    .collect::<Value>()
            });
            query["claim_sets"] = sets.collect();
        }
        query
    }
}

impl ClaimQuery {
    fn is_met_by(&self, claims: &Value) -> bool {
        let found = self.path.select(claims);
        !found.is_empty()
            && (self.values.is_empty() || found.iter().any(|value| self.values.contains(value)))
    }
}

fn bad(detail: impl core::fmt::Display) -> Refusal {
    QUERY_MALFORMED.because(detail)
}

fn object(value: &Value) -> Result<&Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| bad("an object is expected"))
}

/// A list that is left out or has at least one item.
fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], Refusal> {
    match object.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if (1..=ITEMS_MAX).contains(&items.len()) => Ok(items),
        Some(_) => Err(bad(format_args!("{name} is no list of 1 to {ITEMS_MAX}"))),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, Refusal> {
    let items = value
        .as_array()
        .filter(|items| items.len() <= ITEMS_MAX)
        .ok_or_else(|| bad("a list is expected"))?;
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| bad("a text is expected"))
}

fn flag(object: &Map<String, Value>, name: &str, default: bool) -> Result<bool, Refusal> {
    match object.get(name) {
        None => Ok(default),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| bad(format_args!("{name} is no truth value"))),
    }
}

/// Names are letters, digits, `_` and `-` (section 6.1).
fn name(value: &Value) -> Result<String, Refusal> {
    let text = value.as_str().unwrap_or_default();
    let good = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if good {
        Ok(text.to_owned())
    } else {
        Err(bad("an id is made of letters, digits, _ and -"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(value: Value) -> Query {
        let query = Query::from_json(&value).unwrap();
        assert_eq!(Query::from_json(&query.to_json()).unwrap(), query);
        query
    }

    fn diploma() -> Value {
        json!({"vct": "diploma", "given_name": "Fictional Ada", "grade": 2, "address": {"city": "Nowhere"}})
    }

    fn choose(value: Value, credentials: &[Value]) -> Result<Vec<Choice>, Refusal> {
        let candidates: Vec<_> = credentials
            .iter()
            .map(|claims| Candidate {
                format: "dc+sd-jwt",
                claims,
            })
            .collect();
        query(value).choose(&candidates)
    }

    fn asked(id: &str, vct: &str, claims: Value) -> Value {
        json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims})
    }

    #[test]
    fn finds_the_credential_and_its_claims() {
        let claims = json!([{"path": ["given_name"]}, {"path": ["address", "city"], "values": ["Elsewhere", "Nowhere"]}]);
        let wanted = json!({"credentials": [asked("a", "diploma", claims)]});
        let choices = choose(wanted, &[json!({"vct": "x"}), diploma()]).unwrap();
        assert_eq!(choices.len(), 1);
        assert_eq!(choices[0].candidates[0].0, 1);
        let paths: Vec<String> = choices[0].candidates[0]
            .1
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(paths, ["given_name", "address.city"]);
    }

    #[test]
    fn refuses_queries_that_nothing_answers() {
        for claims in [
            json!([{"path": ["salary"]}]),
            json!([{"path": ["grade"], "values": [1, "2"]}]),
        ] {
            let wanted = json!({"credentials": [asked("a", "diploma", claims)]});
            assert_eq!(
                choose(wanted, &[diploma()]).unwrap_err().rule(),
                UNANSWERABLE
            );
        }
        let other = json!({"credentials": [{"id": "a", "format": "mso_mdoc"}]});
        assert_eq!(
            choose(other, &[diploma()]).unwrap_err().rule(),
            UNANSWERABLE
        );
    }

    #[test]
    fn the_first_claim_set_that_fits_is_taken() {
        let mut wanted = asked(
            "a",
            "diploma",
            json!([{"id": "x", "path": ["salary"]}, {"id": "y", "path": ["grade"]}, {"id": "z", "path": ["given_name"]}]),
        );
        wanted["claim_sets"] = json!([["x", "z"], ["y"], ["z"]]);
        let choices = choose(json!({"credentials": [wanted]}), &[diploma()]).unwrap();
        assert_eq!(choices[0].candidates, [(0, vec![ClaimPath::name("grade")])]);
    }

    #[test]
    fn sets_of_credentials() {
        let claims = json!([{"path": ["vct"]}]);
        let credentials = json!([
            asked("pid", "pid", claims.clone()),
            asked("diploma", "diploma", claims.clone()),
            asked("card", "card", claims)
        ]);
        let with = |sets: Value| json!({"credentials": credentials, "credential_sets": sets});
        let ids = |choices: Vec<Choice>| {
            choices
                .into_iter()
                .map(|choice| choice.query)
                .collect::<Vec<_>>()
        };
        let either = with(
            json!([{"options": [["pid", "card"], ["diploma"]]}, {"options": [["card"]], "required": false}]),
        );
        assert_eq!(
            ids(choose(either.clone(), &[diploma()]).unwrap()),
            ["diploma"]
        );
        let all = [diploma(), json!({"vct": "pid"}), json!({"vct": "card"})];
        assert_eq!(ids(choose(either, &all).unwrap()), ["card", "pid"]);
        let needed = with(json!([{"options": [["pid"]]}]));
        assert_eq!(
            choose(needed.clone(), &[diploma()]).unwrap_err().rule(),
            UNANSWERABLE
        );
        assert!(
            query(needed.clone())
                .check_answered(&|id| id == "pid")
                .is_ok()
        );
        assert_eq!(
            query(needed)
                .check_answered(&|id| id == "card")
                .unwrap_err()
                .rule(),
            UNANSWERABLE
        );
    }

    #[test]
    fn refuses_bad_queries() {
        let good = asked("a", "diploma", json!([{"path": ["x"]}]));
        let with = |name: &str, value: Value| {
            let mut credential = good.clone();
            credential[name] = value;
            json!({"credentials": [credential]})
        };
        for bad in [
            json!([]),
            json!({}),
            json!({"credentials": []}),
            json!({"credentials": [good, good]}),
            with("id", json!("")),
            with("id", json!("a b")),
            with("format", json!(1)),
            with("claims", json!([])),
            with("claims", json!([{"path": []}])),
            with("claims", json!([{"path": ["x"], "values": [1.5]}])),
            with(
                "claims",
                json!([{"id": "x", "path": ["x"]}, {"id": "x", "path": ["y"]}]),
            ),
            with("claim_sets", json!([["nothing"]])),
            with("multiple", json!("yes")),
            with("meta", json!({"vct_values": "diploma"})),
            json!({"credentials": [good], "credential_sets": [{"options": [["b"]]}]}),
            json!({"credentials": [good], "credential_sets": [{"options": []}]}),
        ] {
            assert_eq!(
                Query::from_json(&bad).unwrap_err().rule(),
                QUERY_MALFORMED,
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn random_queries_never_panic(text in "[\\[\\]{}\":,a-z]{0,60}", id in "\\PC{0,5}", path in proptest::collection::vec("[a-z]{0,3}", 0..4)) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = Query::from_json(&value);
            }
            let value = json!({"credentials": [{"id": id, "format": "dc+sd-jwt", "claims": [{"path": path}]}]});
            if let Ok(query) = Query::from_json(&value) {
                let _ = query.choose(&[Candidate { format: "dc+sd-jwt", claims: &diploma() }]);
            }
        }
    }
}
