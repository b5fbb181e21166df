//! Query parameters: names, values, bounds.

use serde_json::{Map, Value};
use stele_core::id::sha256;

use super::{Condition, Query, QueryError};
use crate::facts::word;
use crate::gs1::match_key;
use stele_core::calendar::parse_date_time;

/// Most parameters of a query.
pub const PARAMETERS_MAX: usize = 64;
/// Most values of a parameter.
pub const VALUES_MAX: usize = 512;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 2_048;
/// Events of a page when `perPage` is not given.
pub const PER_PAGE_DEFAULT: usize = 30;
/// Most events of a page; a larger `perPage` gives this many.
pub const PER_PAGE_MAX: usize = 1_000;

/// What orders the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The order of capture.
    #[default]
    Captured,
    /// `orderBy=eventTime`.
    EventTime,
    /// `orderBy=recordTime`.
    RecordTime,
}

/// Named parameters with their values, whichever way they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(Vec<(String, Vec<String>)>);

impl Parameters {
    /// From a URL's query string, already decoded. Values are separated by `|`; a repeated name adds values.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] above the bounds.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let mut parameters = Self::default();
        for (name, values) in pairs {
            for value in values.split('|') {
                parameters.add(name, value)?;
            }
        }
        Ok(parameters)
    }

    /// From a query document's `query` member.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] above the bounds or for a value that no parameter has.
    pub fn from_json(query: &Map<String, Value>) -> Result<Self, QueryError> {
        let mut parameters = Self::default();
        for (name, value) in query.iter().filter(|(name, _)| *name != "@context") {
            let values = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                match value {
                    Value::String(text) => parameters.add(name, text)?,
                    Value::Number(_) | Value::Bool(_) => {
                        parameters.add(name, &value.to_string())?
                    }
                    // The query schema writes EXISTS_ parameters as null.
                    Value::Null => parameters.add(name, "true")?,
                    _ => {
                        return bad(format!(
                            "the value of `{name}` is neither text, number nor boolean"
                        ));
                    }
                }
            }
            if values.is_empty() {
                return bad(format!("`{name}` has no value"));
            }
        }
        Ok(parameters)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        if value.len() > VALUE_BYTES_MAX || name.len() > VALUE_BYTES_MAX {
            return bad(format!(
                "a value of a parameter has at most {VALUE_BYTES_MAX} bytes"
            ));
        }
        let values = match self.0.iter_mut().position(|(n, _)| n == name) {
            Some(at) => &mut self.0[at].1,
            None if self.0.len() == PARAMETERS_MAX => {
                return bad(format!("a query has at most {PARAMETERS_MAX} parameters"));
            }
            None => {
                self.0.push((name.to_owned(), Vec::new()));
                &mut self.0.last_mut().expect("just pushed").1
            }
        };
        if values.len() == VALUES_MAX {
            return bad(format!("`{name}` has more than {VALUES_MAX} values"));
        }
        values.push(value.to_owned());
        Ok(())
    }

    /// These and others, which must not repeat a name: a stored query with the page that is wanted.
    ///
    /// # Errors
    /// [`QueryError::Parameter`].
    pub fn joined(mut self, others: Self) -> Result<Self, QueryError> {
        for (name, values) in others.0 {
            if self.0.iter().any(|(n, _)| *n == name) {
                return bad(format!("`{name}` stands in the query already"));
            }
            self.0.push((name, values));
        }
        Ok(self)
    }

    /// One more condition, which must hold beside one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), vec![value.to_owned()]));
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The only value of a parameter.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] when there are several.
    pub fn single(&self, name: &str) -> Result<Option<&str>, QueryError> {
        match self.0.iter().find(|(n, _)| n == name) {
            Some((_, values)) => one(name, values).map(Some),
            None => Ok(None),
        }
    }

    /// Names that are not in the list.
    pub fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !known.contains(name))
    }
}

pub(super) fn bad<T>(sentence: String) -> Result<T, QueryError> {
    Err(QueryError::Parameter(sentence))
}

fn one<'a>(name: &str, values: &'a [String]) -> Result<&'a str, QueryError> {
    match values {
        [value] => Ok(value),
        _ => bad(format!("`{name}` takes one value")),
    }
}

impl Query {
    /// Checks parameters.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] for an unknown parameter or a wrong value.
    pub fn parse(parameters: &Parameters) -> Result<Self, QueryError> {
        let mut query = Self {
            conditions: Vec::new(),
            order: Order::Captured,
            descending: false,
            count_limit: None,
            count_max: None,
            per_page: PER_PAGE_DEFAULT,
            token: None,
            fingerprint: [0; 8],
        };
        let (mut ordered, mut direction) = (false, None);
        let mut fingerprint = Vec::new();
        for (name, values) in &parameters.0 {
            if !matches!(name.as_str(), "perPage" | "nextPageToken") {
                fingerprint.push(format!("{name:?}={values:?}"));
            }
            match name.as_str() {
                "perPage" => query.per_page = per_page(name, values)?,
                "nextPageToken" => query.token = Some(one(name, values)?.to_owned()),
                "orderBy" => {
                    ordered = true;
                    query.order = match one(name, values)? {
                        "eventTime" => Order::EventTime,
                        "recordTime" => Order::RecordTime,
                        other => {
                            return bad(format!(
                                "events are ordered by `eventTime` or `recordTime`, not by `{other}`"
                            ));
                        }
                    };
                }
                "orderDirection" => {
                    direction = Some(match one(name, values)? {
                        "ASC" => false,
                        "DESC" => true,
                        _ => return bad("`orderDirection` is ASC or DESC".to_owned()),
                    });
                }
                "eventCountLimit" => query.count_limit = Some(count(name, values)?),
                "maxEventCount" => query.count_max = Some(count(name, values)?),
                _ => query.conditions.extend(condition(name, values)?),
            }
        }
        if query.count_limit.is_some() && query.count_max.is_some() {
            return bad("`eventCountLimit` and `maxEventCount` exclude each other".to_owned());
        }
        if query.count_limit.is_some() && !ordered {
            return bad("`eventCountLimit` needs `orderBy`".to_owned());
        }
        query.descending = direction.unwrap_or(ordered);
        fingerprint.sort();
        let hash = sha256(&[b"stele/epcis/page/v1", fingerprint.join("&").as_bytes()]);
        query.fingerprint.copy_from_slice(&hash[..8]);
        Ok(query)
    }
}

pub(crate) fn per_page(name: &str, values: &[String]) -> Result<usize, QueryError> {
    match one(name, values)?.parse::<u32>() {
        Ok(n) if n > 0 => Ok((n as usize).min(PER_PAGE_MAX)),
        _ => bad("`perPage` is a number above 0".to_owned()),
    }
}

fn count(name: &str, values: &[String]) -> Result<u64, QueryError> {
    match one(name, values)?.parse::<u32>() {
        Ok(n) if n > 0 => Ok(u64::from(n)),
        _ => bad(format!("`{name}` is a number above 0")),
    }
}

fn time(name: &str, values: &[String]) -> Result<i64, QueryError> {
    parse_date_time(one(name, values)?).ok_or_else(|| {
        QueryError::Parameter(format!("`{name}` is a date-time with a zone (RFC 3339)"))
    })
}

/// The condition that a parameter sets; nothing when its value says that it sets none.
fn condition(name: &str, values: &[String]) -> Result<Option<Condition>, QueryError> {
    let unknown = || QueryError::Parameter(format!("no such parameter: `{name}`"));
    let time_column = |column, below| -> Result<_, QueryError> {
        Ok(Some(Condition::Time {
            column,
            below,
            ms: time(name, values)?,
        }))
    };
    match name {
        "eventType" => return Ok(Some(Condition::Type(values.to_vec()))),
        "EQ_eventID" => return Ok(Some(Condition::EventId(values.to_vec()))),
        "GE_eventTime" => return time_column("event_ms", false),
        "LT_eventTime" => return time_column("event_ms", true),
        "GE_recordTime" => return time_column("record_ms", false),
        "LT_recordTime" => return time_column("record_ms", true),
        "WD_readPoint" | "WD_bizLocation" => {
            let field = if name == "WD_readPoint" {
                "readPoint~"
            } else {
                "bizLocation~"
            };
            return Ok(Some(Condition::Within {
                field,
                places: values.to_vec(),
            }));
        }
        "EXISTS_errorDeclaration" | "EXISTS_sensorElementList" => {
            return exists(name, &name[7..], values);
        }
        _ => {}
    }
    let (operator, field) = name.split_once('_').ok_or_else(unknown)?;
    match (operator, extension(field)) {
        ("EXISTS", Some(field)) => exists(name, &field, values),
        ("EQ", Some(field)) => Ok(Some(equal_extension(field, values))),
        ("GT" | "GE" | "LT" | "LE", Some(field)) => {
            comparison(name, operator, field, values).map(Some)
        }
        ("EQ", None) => equal(name, field, values).map(Some),
        ("MATCH", None) => matched(field, values).map(Some).ok_or_else(unknown),
        ("GT" | "GE" | "LT" | "LE", None) if is_number(field) || is_time(operator, field) => {
            comparison(name, operator, field.to_owned(), values).map(Some)
        }
        _ => Err(unknown()),
    }
}

/// The field of an extension, `prefix:name` or a URI, with or without `ILMD_` before it.
fn extension(field: &str) -> Option<String> {
    let (kind, name) = match field.strip_prefix("ILMD_") {
        Some(name) => ("ilmd:", name),
        None => ("x:", field),
    };
    let (prefix, _) = name.split_once(':')?;
    // Deeper extension members are not indexed: `INNER_`, `SENSORELEMENT_`, `ERROR_DECLARATION_` and the like.
    let plain = prefix
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+'));
    plain.then(|| format!("{kind}{name}"))
}

fn exists(name: &str, field: &str, values: &[String]) -> Result<Option<Condition>, QueryError> {
    match one(name, values)? {
        "false" | "0" => Ok(None),
        "true" | "1" | "" => Ok(Some(Condition::Term {
            field: "has".to_owned(),
            values: vec![field.to_owned()],
        })),
        _ => bad(format!("`{name}` is true or false")),
    }
}

fn equal_extension(field: String, values: &[String]) -> Condition {
    Condition::Term {
        field,
        values: values.to_vec(),
    }
}

fn equal(name: &str, field: &str, values: &[String]) -> Result<Condition, QueryError> {
    let term = |field: &str, values: Vec<String>| {
        Ok(Condition::Term {
            field: field.to_owned(),
            values,
        })
    };
    let words = || values.iter().map(|v| word(v).to_owned()).collect();
    match field {
        "action" => {
            if let Some(wrong) = values
                .iter()
                .find(|v| !matches!(v.as_str(), "ADD" | "OBSERVE" | "DELETE"))
            {
                return bad(format!(
                    "`EQ_action` is ADD, OBSERVE or DELETE, not `{wrong}`"
                ));
            }
            term(field, values.to_vec())
        }
        "bizStep"
        | "disposition"
        | "persistentDisposition_set"
        | "persistentDisposition_unset"
        | "errorReason" => term(field, words()),
        "type" => term("sensorType", words()),
        "readPoint" | "bizLocation" | "transformationID" => Ok(key(field, values)),
        "correctiveEventID"
        | "deviceID"
        | "dataProcessingMethod"
        | "microorganism"
        | "chemicalSubstance"
        | "bizRules"
        | "stringValue"
        | "hexBinaryValue"
        | "uriValue" => term(field, values.to_vec()),
        "booleanValue" => match one(name, values)? {
            value @ ("true" | "false") => term(field, vec![value.to_owned()]),
            _ => bad("`EQ_booleanValue` is true or false".to_owned()),
        },
        _ if is_number(field) => comparison(name, "EQ", field.to_owned(), values),
        _ => match field.split_once('_') {
            Some((list @ ("bizTransaction" | "source" | "destination"), kind)) => {
                Ok(key(&format!("{list}_{}", word(kind)), values))
            }
            _ => bad(format!("no such parameter: `{name}`")),
        },
    }
}

/// `quantity`, `value_CEL` and the like.
fn is_number(field: &str) -> bool {
    const NAMES: &[&str] = &[
        "quantity",
        "value",
        "minValue",
        "maxValue",
        "meanValue",
        "sDev",
        "percRank",
        "percValue",
    ];
    let (name, uom) = field.split_once('_').unwrap_or((field, ""));
    let unit = uom.is_empty()
        || (2..=4).contains(&uom.len())
            && uom
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let bare = !field.contains('_');
    NAMES.contains(&name)
        && unit
        && (bare || !uom.is_empty())
        && (!bare || matches!(name, "quantity" | "percRank"))
}

/// Times compare with GE and LT only.
fn is_time(operator: &str, field: &str) -> bool {
    matches!(operator, "GE" | "LT")
        && matches!(
            field,
            "time" | "startTime" | "endTime" | "errorDeclarationTime"
        )
}

fn comparison(
    name: &str,
    operator: &str,
    field: String,
    values: &[String],
) -> Result<Condition, QueryError> {
    let operator = match operator {
        "GT" => ">",
        "GE" => ">=",
        "LT" => "<",
        "LE" => "<=",
        _ => "=",
    };
    if operator != "=" {
        one(name, values)?;
    }
    let number = |text: &String| {
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        number.or_else(|| parse_date_time(text).map(|ms| ms as f64))
    };
    let Some(values) = values.iter().map(number).collect() else {
        return bad(format!("`{name}` is a number or a date-time"));
    };
    Ok(Condition::Number {
        field,
        operator,
        values,
    })
}

fn key(field: &str, values: &[String]) -> Condition {
    Condition::Key {
        field: field.to_owned(),
        keys: values.iter().map(|v| match_key(v)).collect(),
        prefixes: Vec::new(),
    }
}

/// `MATCH_` parameters: URIs in either spelling, and EPC patterns whose last parts are `*`.
fn matched(field: &str, values: &[String]) -> Option<Condition> {
    let field = match field {
        "epc" | "parentID" | "inputEPC" | "outputEPC" | "anyEPC" | "epcClass" | "inputEPCClass"
        | "outputEPCClass" | "anyEPCClass" => field,
        _ => return None,
    };
    let prefixes = values.iter().filter_map(|v| pattern_prefix(v)).collect();
    Some(Condition::Key {
        field: field.to_owned(),
        keys: values.iter().map(|v| match_key(v)).collect(),
        prefixes,
    })
}

/// What EPC URNs start with that a pattern such as `urn:epc:idpat:sgtin:9999999.000001.*` covers.
fn pattern_prefix(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix("urn:epc:idpat:")?;
    let (fixed, stars) = rest.split_once('*')?;
    let only_stars = stars.split('.').all(|part| part.is_empty() || part == "*");
    (only_stars && (fixed.ends_with('.') || fixed.ends_with(':')))
        .then(|| format!("urn:epc:id:{fixed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Query, QueryError> {
        Query::parse(&Parameters::from_pairs(pairs.iter().copied())?)
    }

    #[test]
    fn parameters_of_the_standard_are_known() {
        for (name, value) in [
            ("eventType", "ObjectEvent|AggregationEvent"),
            ("GE_eventTime", "2024-01-01T00:00:00Z"),
            ("LT_recordTime", "2024-01-01T00:00:00+01:00"),
            ("EQ_action", "ADD"),
            ("EQ_bizStep", "shipping|receiving"),
            ("EQ_persistentDisposition_set", "recalled"),
            ("WD_readPoint", "urn:epc:id:sgln:9999999.00001.0"),
            ("EQ_transformationID", "urn:x"),
            ("MATCH_anyEPC", "urn:epc:idpat:sgtin:9999999.*.*"),
            ("MATCH_outputEPCClass", "urn:x"),
            ("EQ_quantity", "4"),
            ("GE_quantity_KGM", "4.5"),
            ("EQ_eventID", "urn:x"),
            ("EXISTS_errorDeclaration", "true"),
            ("GE_errorDeclarationTime", "2024-01-01T00:00:00Z"),
            ("EQ_errorReason", "incorrect_data"),
            ("EQ_correctiveEventID", "urn:x"),
            ("EQ_bizTransaction_po", "urn:x"),
            ("EQ_source_owning_party", "urn:x"),
            ("EQ_destination_location", "urn:x"),
            ("EQ_type", "Temperature"),
            ("EQ_booleanValue", "true"),
            ("GT_value_CEL", "8"),
            ("GE_startTime", "2024-01-01T00:00:00Z"),
            ("EQ_ex:size", "7"),
            ("EXISTS_ex:size", "true"),
            ("GE_ILMD_ex:expiry", "2024-01-01T00:00:00Z"),
            ("orderBy", "eventTime"),
            ("perPage", "5"),
            ("maxEventCount", "3"),
        ] {
            parse(&[(name, value)]).expect(name);
        }
    }

    #[test]
    fn others_are_refused() {
        for pairs in [
            &[("nonsense", "1")][..],
            &[("EQ_nonsense", "1")],
            &[("MATCH_nonsense", "1")],
            &[("GE_bizStep", "1")],
            &[("EQ_action", "SELL")],
            &[("GE_eventTime", "yesterday")],
            &[("GE_eventTime", "2024-01-01T00:00:00Z|2025-01-01T00:00:00Z")],
            &[("EQ_INNER_ex:size", "1")],
            &[("EQ_HASATTR_ex:size", "1")],
            &[("orderBy", "bizStep")],
            &[("orderDirection", "UP")],
            &[("eventCountLimit", "1")],
            &[
                ("eventCountLimit", "1"),
                ("orderBy", "eventTime"),
                ("maxEventCount", "2"),
            ],
            &[("perPage", "0")],
            &[("perPage", "-1")],
            &[("EQ_quantity", "much")],
            &[("EQ_quantity", "NaN")],
            &[("", "")],
            &[("EQ_", "")],
            &[("EQ_value_", "1")],
        ] {
            assert!(
                matches!(parse(pairs), Err(QueryError::Parameter(_))),
                "{pairs:?}"
            );
        }
        let many: Vec<String> = (0..600).map(|i| i.to_string()).collect();
        assert!(parse(&[("EQ_bizStep", &many.join("|"))]).is_err());
        assert!(parse(&[("EQ_bizStep", &"x".repeat(3_000))]).is_err());
    }

    #[test]
    fn patterns_and_json() {
        assert_eq!(
            pattern_prefix("urn:epc:idpat:sgtin:9999999.000001.*").as_deref(),
            Some("urn:epc:id:sgtin:9999999.000001.")
        );
        assert_eq!(pattern_prefix("urn:epc:idpat:sgtin:9999999.*.7"), None);
        let body = serde_json::json!({"EQ_bizStep": ["shipping", "receiving"], "EXISTS_errorDeclaration": null, "EQ_quantity": 4});
        let from_json =
            Parameters::from_json(body.as_object().expect("an object")).expect("parameters");
        let from_url = Parameters::from_pairs([
            ("EQ_bizStep", "shipping|receiving"),
            ("EXISTS_errorDeclaration", "true"),
            ("EQ_quantity", "4"),
        ]);
        assert_eq!(from_json, from_url.expect("parameters"));
    }

    proptest::proptest! {
        #[test]
        fn any_parameter_is_judged(name in "(EQ_|GE_|MATCH_|EXISTS_|WD_)?(value_|ILMD_|source_)?[a-zA-Z:_\\PC]{0,12}", value in "\\PC{0,20}") {
            if let Ok(parameters) = Parameters::from_pairs([(name.as_str(), value.as_str())]) {
                let _ = Query::parse(&parameters);
            }
        }
    }
}
