//! What each kind of caller may do, as Cedar policies.
//!
//! The vocabulary is `schema.cedarschema`, the rules are `default.cedar` or the node's own `policies.cedar`. Both are checked against
//! each other when the node starts, so a misspelt action is an error then and not a hole later. What no policy permits is refused.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use stele_core::id::PartyId;

const SCHEMA: &str = include_str!("schema.cedarschema");
/// The policies of a node that has none of its own.
pub const DEFAULT_POLICIES: &str = include_str!("default.cedar");
/// The rule that refuses what no policy permits.
pub const NOT_PERMITTED: &str = "not-permitted";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The node's operator.
    Operator(OperatorBy),
    /// A party whose registered key signed the request.
    Party(PartyId),
}

/// What shows that the caller is the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorBy {
    /// The API token.
    Token,
    /// The request comes from this machine.
    Loopback,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("an anonymous caller"),
            Self::Operator(_) => f.write_str("the operator"),
            Self::Party(party) => write!(f, "the party {}", party.did()),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What a request wants to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in policies.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

actions! {
    /// Read entries, blocks, state, parties, the console.
    Read = "read";
    /// Get receipts, tree proofs and tiles.
    Prove = "prove";
    /// Follow final entries.
    Watch = "watch";
    /// Submit a signed entry or statement.
    Submit = "submit";
    /// Query captured EPCIS events.
    QueryEvents = "query-events";
    /// Capture EPCIS events.
    CaptureEvents = "capture-events";
    /// See which keys the node holds.
    ListKeys = "list-keys";
    /// Make a key in the node.
    CreateKey = "create-key";
    /// Sign with a key that the node holds.
    SignWithNodeKey = "sign-with-node-key";
    /// Make a key and register a party with it.
    RegisterParty = "register-party";
    /// Take a key out of the node, encrypted.
    ExportKey = "export-key";
    /// Remove a key from the node.
    RemoveKey = "remove-key";
    /// Receive credentials from the node's issuers, and answer its requests for credentials: what a person's wallet does.
    UseWallet = "use-wallet";
    /// Make issuers, offer, revoke, and ask for credentials.
    RunOffice = "run-office";
    /// Start a scenario.
    RunScenario = "run-scenario";
    /// Read the node's figures.
    ReadMetrics = "read-metrics";
}

impl Action {
    /// Whether it changes something: on the network, or in the node's own files.
    pub const fn changes(self) -> bool {
        match self {
            Self::Submit
            | Self::CaptureEvents
            | Self::CreateKey
            | Self::SignWithNodeKey
            | Self::RegisterParty
            | Self::RemoveKey
            | Self::UseWallet
            | Self::RunOffice
            | Self::RunScenario => true,
            Self::Read
            | Self::Prove
            | Self::Watch
            | Self::QueryEvents
            | Self::ListKeys
            | Self::ExportKey
            | Self::ReadMetrics => false,
        }
    }
}

/// What the action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A route, as its template.
    Endpoint(&'a str),
    /// A register.
    Register(&'a str),
    /// A key of the node.
    Key(&'a str),
}

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not Cedar.
    #[error("the policies are not Cedar: {0}")]
    Syntax(String),
    /// A policy uses words that the API does not have.
    #[error("the policies do not fit the API: {0}")]
    Schema(String),
    /// Two policies have one id, or one has none.
    #[error("each policy needs an @id of its own: {0}")]
    Id(String),
}

/// Refused by a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The ids of the policies that forbid, or [`NOT_PERMITTED`].
    pub rule: String,
    /// One sentence.
    pub detail: String,
}

/// The policies of a node.
pub struct Policies {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    actions: HashMap<Action, EntityUid>,
    types: Types,
}

struct Types {
    anonymous: EntityUid,
    token: EntityUid,
    loopback: EntityUid,
    party: EntityTypeName,
    endpoint: EntityTypeName,
    register: EntityTypeName,
    key: EntityTypeName,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self
            .policies
            .policies()
            .map(|policy| policy.id().to_string())
            .collect();
        f.debug_struct("Policies")
            .field("ids", &ids)
            .finish_non_exhaustive()
    }
}

impl Policies {
    /// The policies in `file` when it is there, else [`DEFAULT_POLICIES`].
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn load(file: &Path) -> Result<Self, PolicyError> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::parse(DEFAULT_POLICIES)
            }
            Err(source) => Err(PolicyError::Io {
                path: file.to_owned(),
                source,
            }),
        }
    }

    /// Parses policies and checks them against the schema.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("our own schema");
        let parsed =
            PolicySet::from_str(text).map_err(|error| PolicyError::Syntax(error.to_string()))?;
        let mut policies = PolicySet::new();
        for policy in parsed.policies() {
            let id = policy.annotation("id").filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| PolicyError::Id(policy.to_string()))?;
            let named = policy.new_id(PolicyId::new(id));
            policies
                .add(named)
                .map_err(|_| PolicyError::Id(id.to_owned()))?;
        }
        if parsed.templates().next().is_some() {
            return Err(PolicyError::Schema(
                "templates are not used here".to_owned(),
            ));
        }
        let validated = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = validated.validation_errors().next() {
            return Err(PolicyError::Schema(error.to_string()));
        }
        let entities = schema.action_entities().expect("our own schema");
        let uid = |kind: &str, id: &str| {
            EntityUid::from_type_name_and_id(type_name(kind), EntityId::new(id))
        };
        Ok(Self {
            authorizer: Authorizer::new(),
            policies,
            entities,
            actions: Action::ALL
                .iter()
                .map(|action| (*action, uid("Action", action.name())))
                .collect(),
            types: Types {
                anonymous: uid("Anonymous", "anonymous"),
                token: uid("Operator", "token"),
                loopback: uid("Operator", "loopback"),
                party: type_name("Party"),
                endpoint: type_name("Endpoint"),
                register: type_name("Register"),
                key: type_name("Key"),
            },
        })
    }

    /// Judges a request.
    ///
    /// # Errors
    /// [`Denied`] names the rule.
    pub fn judge(
        &self,
        caller: &Caller,
        action: Action,
        resource: Resource<'_>,
        loopback: bool,
    ) -> Result<(), Denied> {
        let principal = match caller {
            Caller::Anonymous => self.types.anonymous.clone(),
            Caller::Operator(OperatorBy::Token) => self.types.token.clone(),
            Caller::Operator(OperatorBy::Loopback) => self.types.loopback.clone(),
            Caller::Party(party) => EntityUid::from_type_name_and_id(
                self.types.party.clone(),
                EntityId::new(party.did()),
            ),
        };
        let (kind, id) = match resource {
            Resource::Endpoint(id) => (&self.types.endpoint, id),
            Resource::Register(id) => (&self.types.register, id),
            Resource::Key(id) => (&self.types.key, id),
        };
        let target = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let context = [(
            "loopback".to_owned(),
            RestrictedExpression::new_bool(loopback),
        )];
        let context = Context::from_pairs(context).expect("one key, once");
        let request = Request::new(
            principal,
            self.actions[&action].clone(),
            target,
            context,
            None,
        )
        .expect("without a schema every request is well-formed");
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &self.entities);
        if response.decision() == Decision::Allow {
            return Ok(());
        }
        let mut rules: Vec<_> = response
            .diagnostics()
            .reason()
            .map(ToString::to_string)
            .collect();
        rules.sort_unstable();
        let what = action.name();
        if rules.is_empty() {
            let detail = format!("No policy permits {caller} to {what} here.");
            return Err(Denied {
                rule: NOT_PERMITTED.to_owned(),
                detail,
            });
        }
        let rule = rules.join(", ");
        let detail = format!("The policy `{rule}` forbids {caller} to {what} here.");
        Err(Denied { rule, detail })
    }
}

fn type_name(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("our own names")
}

/// The action of a request by its method and the template of its route.
///
/// `None` for a route that is not in this table: such a request is refused, and a test fails.
pub fn action_of(method: &str, template: &str) -> Option<Action> {
    let reading = matches!(method, "GET" | "HEAD");
    let posting = method == "POST";
    let action = match template {
        "/v1/entries" | "/entries" if posting => Action::Submit,
        "/v1/commands" if posting => Action::SignWithNodeKey,
        "/v1/parties" if posting => Action::RegisterParty,
        "/v1/keys" if posting => Action::CreateKey,
        "/v1/keys" if reading => Action::ListKeys,
        "/v1/keys/{name}/export" if posting => Action::ExportKey,
        "/v1/keys/{name}" if method == "DELETE" => Action::RemoveKey,
        "/v1/scenarios/{name}/runs" if posting => Action::RunScenario,
        "/v1/issuers" | "/v1/issuers/{name}" | "/v1/presentations/{id}" if reading => Action::Read,
        path if path == "/v1/presentations" || path.starts_with("/v1/issuers/") => {
            Action::RunOffice
        }
        path if path.starts_with("/openid/") && (posting || reading || method == "OPTIONS") => {
            Action::UseWallet
        }
        path if path.starts_with("/.well-known/o") && reading => Action::Read,
        "/metrics" if reading => Action::ReadMetrics,
        "/v1/watch" if reading => Action::Watch,
        "/entries/{id}" if reading => Action::Prove,
        "/1.0/identifiers/{did}" if reading => Action::Read,
        "/.well-known/scitt-keys" | "/.well-known/scitt-keys/{kid}" if reading => Action::Read,
        path if path.starts_with("/log/") && reading => Action::Prove,
        path if path.starts_with("/epcis/capture") && (posting || method == "PUT") => {
            Action::CaptureEvents
        }
        // Subscriptions would make the node call other machines.
        path if path.starts_with("/epcis/") && posting => Action::CaptureEvents,
        path if path.starts_with("/epcis/") && method == "DELETE" => Action::CaptureEvents,
        path if path.starts_with("/epcis/") && (reading || method == "OPTIONS") => {
            Action::QueryEvents
        }
        "/epcis" if reading || method == "OPTIONS" => Action::QueryEvents,
        path if path.ends_with("/receipt") && reading => Action::Prove,
        "/health" | "/ready" | "/openapi.json" if reading => Action::Read,
        path if path.starts_with("/v1/") && reading => Action::Read,
        _ => return None,
    };
    Some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLERS: [Caller; 4] = [
        Caller::Anonymous,
        Caller::Operator(OperatorBy::Token),
        Caller::Operator(OperatorBy::Loopback),
        Caller::Party(PartyId::from_bytes([7; 32])),
    ];

    #[test]
    fn the_defaults_for_every_action_and_caller() {
        let policies = Policies::parse(DEFAULT_POLICIES).unwrap();
        use Action::{Prove, QueryEvents, Read, Submit, UseWallet, Watch};
        for action in Action::ALL {
            for caller in CALLERS {
                let open = matches!(
                    action,
                    Read | Prove | Watch | Submit | QueryEvents | UseWallet
                );
                let expected = open || matches!(caller, Caller::Operator(_));
                let resource = Resource::Endpoint("/v1/x");
                let found = policies.judge(&caller, *action, resource, false).is_ok();
                assert_eq!(found, expected, "{action:?} {caller:?}");
            }
        }
    }

    #[test]
    fn the_network_key_signs_nothing_else_for_anyone() {
        let policies = Policies::parse(DEFAULT_POLICIES).unwrap();
        for caller in CALLERS {
            let key = Resource::Key("network");
            let denied = policies
                .judge(&caller, Action::SignWithNodeKey, key, true)
                .unwrap_err();
            assert_eq!(denied.rule, "network-key-signs-blocks-only");
        }
        let key = Resource::Key("operator");
        assert!(
            policies
                .judge(&CALLERS[1], Action::SignWithNodeKey, key, false)
                .is_ok()
        );
        let denied = policies
            .judge(&CALLERS[0], Action::SignWithNodeKey, key, false)
            .unwrap_err();
        assert_eq!(denied.rule, NOT_PERMITTED);
        assert_eq!(
            denied.detail,
            "No policy permits an anonymous caller to sign-with-node-key here."
        );
    }

    #[test]
    fn own_policies_take_the_place_of_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policies.cedar");
        let did = PartyId::from_bytes([7; 32]).did();
        let text = format!(
            "@id(\"carrier\") permit (principal == Party::\"{did}\", action == Action::\"submit\", resource == Register::\"trace\");\n\
             @id(\"here\") permit (principal, action == Action::\"read\", resource) when {{ context.loopback }};"
        );
        std::fs::write(&file, text).unwrap();
        let policies = Policies::load(&file).unwrap();
        let trace = Resource::Register("trace");
        assert!(
            policies
                .judge(&CALLERS[3], Action::Submit, trace, false)
                .is_ok()
        );
        assert!(
            policies
                .judge(
                    &CALLERS[3],
                    Action::Submit,
                    Resource::Register("identity"),
                    false
                )
                .is_err()
        );
        assert!(
            policies
                .judge(&CALLERS[0], Action::Submit, trace, false)
                .is_err()
        );
        assert!(
            policies
                .judge(&CALLERS[0], Action::Read, trace, true)
                .is_ok()
        );
        assert!(
            policies
                .judge(&CALLERS[1], Action::Read, trace, false)
                .is_err()
        );
        assert!(Policies::load(&dir.path().join("absent")).is_ok());
    }

    #[test]
    fn mistakes_are_found_when_the_node_starts() {
        for (text, wanted) in [
            ("permit (principal, action, resource)", "Syntax"),
            ("permit (principal, action, resource);", "Id"),
            (
                "@id(\"a\") permit (principal, action == Action::\"raed\", resource);",
                "Schema",
            ),
            (
                "@id(\"a\") permit (principal is Admin, action, resource);",
                "Schema",
            ),
            (
                "@id(\"a\") permit (principal, action, resource) when { context.role == 1 };",
                "Schema",
            ),
            (
                "@id(\"a\") permit (principal == ?principal, action, resource);",
                "Schema",
            ),
            (
                "@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, resource);",
                "Id",
            ),
        ] {
            let error = Policies::parse(text).unwrap_err();
            assert!(
                format!("{error:?}").starts_with(wanted),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn methods_that_a_route_does_not_have_have_no_action() {
        assert_eq!(action_of("GET", "/v1/entries"), Some(Action::Read));
        assert_eq!(action_of("HEAD", "/v1/entries"), Some(Action::Read));
        assert_eq!(action_of("POST", "/v1/entries"), Some(Action::Submit));
        assert_eq!(action_of("DELETE", "/v1/entries"), None);
        assert_eq!(action_of("POST", "/v1/anything"), None);
        assert_eq!(
            action_of("GET", "/v1/state/{register}/{key}/receipt"),
            Some(Action::Prove)
        );
        assert_eq!(action_of("GET", "/other"), None);
    }
}
