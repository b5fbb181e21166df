//! One node, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;
use stele_core::cbor::BodyBuilder;
use stele_core::entry::Entry;
use stele_core::id::{EntryId, NetworkId, PartyId};
use stele_core::receipt::{NetworkDescriptor, RECEIPT_BYTES_MAX, Verified, verify};
use stele_core::suite::{PublicKey, SigningKey};
use ureq::Body;
use ureq::http::{Request, Response};

use crate::error::{ClientError, Problem};
use crate::types::{Answer, Final, NetworkInfo, OutcomeSummary, ProvenStates};
use crate::{Party, Watch};

/// The largest answer read into memory, in bytes; receipts and pages are far smaller.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to one node; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) agent: ureq::Agent,
    pub(crate) url: String,
    network: NetworkDescriptor,
    token: Option<String>,
}

impl Client {
    /// Connects and takes the network descriptor on the node's word. Use [`Client::connect_to`] when it is known.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(url: &str) -> Result<Self, ClientError> {
        let agent = agent();
        let url = url.trim_end_matches('/').to_owned();
        let address = format!("{url}/v1/network");
        let response = agent
            .get(&address)
            .call()
            .map_err(|source| unreachable(&address, source))?;
        let info: NetworkInfo = read_json(&address, response)?;
        let network = descriptor(&info).map_err(|reason| ClientError::BadAnswer {
            url: address,
            reason,
        })?;
        Ok(Self::connect_to(&url, network))
    }

    /// A client for a node of a network whose descriptor is known.
    pub fn connect_to(url: &str, network: NetworkDescriptor) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self {
            inner: Arc::new(Inner {
                agent: agent(),
                url,
                network,
                token: None,
            }),
        }
    }

    /// The same client with the node's API token, for calls that need one.
    pub fn with_token(&self, token: &str) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                agent: inner.agent.clone(),
                url: inner.url.clone(),
                network: inner.network.clone(),
                token: Some(token.to_owned()),
            }),
        }
    }

    /// The network under whose key receipts are checked.
    pub fn network(&self) -> &NetworkDescriptor {
        &self.inner.network
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Submits an entry and waits until it is final.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when it was not ordered; a final entry that a rule refused is no error here.
    pub fn submit(&self, entry: &Entry) -> Result<Final, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            log_index: u64,
            height: u64,
            time_ms: u64,
            outcome: OutcomeSummary,
        }
        let bytes = self.send(
            "POST",
            "/v1/entries?wait=final",
            "application/cose",
            entry.bytes().to_vec(),
        )?;
        let answer: Answer =
            serde_json::from_slice(&bytes).map_err(|error| self.bad("/v1/entries", error))?;
        Ok(Final {
            entry_id: entry.id(),
            log_index: answer.log_index,
            height: answer.height,
            time_ms: answer.time_ms,
            outcome: answer.outcome,
        })
    }

    /// Registers `key` as the first key of a new party and returns the party, ready to sign.
    /// A key that is registered already gives its party back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn register_party(
        &self,
        key: SigningKey,
        kind: &str,
        name: Option<&str>,
    ) -> Result<Party, ClientError> {
        let party = Party::new(self.clone(), key);
        if self.exists(&format!("/v1/parties/{}", party.id().did()))? {
            return Ok(party);
        }
        let mut body = BodyBuilder::new().text("kind", kind);
        if let Some(name) = name {
            body = body.text("name", name);
        }
        let body = body
            .bytes_list("keys", &[party.key().public().to_cose_key()])
            .build();
        party.submit("identity", &[("party.register", body)])?;
        Ok(party)
    }

    /// The receipt of a final entry, as bytes; not checked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn receipt(&self, entry: &EntryId) -> Result<Vec<u8>, ClientError> {
        self.get_bytes(&format!("/v1/entries/{entry}/receipt"))
    }

    /// The receipt of a final entry, checked under the network's key.
    ///
    /// # Errors
    /// [`ClientError::BadReceipt`] when it does not verify or is about another entry.
    pub fn verified_receipt(&self, entry: &EntryId) -> Result<(Vec<u8>, Verified), ClientError> {
        let receipt = self.receipt(entry)?;
        let verified = verify(&receipt, &self.inner.network)?;
        match &verified.entry {
            Some(proven) if proven.record.entry_id == *entry => Ok((receipt, verified)),
            _ => Err(self.bad(
                &format!("/v1/entries/{entry}/receipt"),
                "a receipt about something else",
            )),
        }
    }

    /// The value of a state key with its proof, checked: present or absent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn verified_state(
        &self,
        register: &str,
        key: &[u8],
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), ClientError> {
        let path = format!("/v1/state/{register}/{}/receipt", hex::encode(key));
        let receipt = self.get_bytes(&path)?;
        let verified = verify(&receipt, &self.inner.network)?;
        match verified
            .state
            .into_iter()
            .find(|claim| claim.register == register && claim.key == key)
        {
            Some(claim) => Ok((receipt, claim.value)),
            None => Err(self.bad(&path, "a receipt about something else")),
        }
    }

    /// The values of several state keys as of one block, with the one receipt that proves them all.
    ///
    /// # Errors
    /// [`ClientError`]; at most 16 keys.
    pub fn verified_states(&self, keys: &[(&str, &[u8])]) -> Result<ProvenStates, ClientError> {
        let words: Vec<String> = keys
            .iter()
            .map(|(register, key)| format!("{register}/{}", hex::encode(key)))
            .collect();
        let (first, more) = match words.split_first() {
            Some((first, [])) => (first, String::new()),
            Some((first, more)) => (first, format!("?and={}", more.join(","))),
            None => return Err(self.bad("/v1/state", "no key was asked for")),
        };
        let path = format!("/v1/state/{first}/receipt{more}");
        let receipt = self.get_bytes(&path)?;
        let verified = verify(&receipt, &self.inner.network)?;
        let values = keys.iter().map(|(register, key)| {
            let mut claims = verified.state.iter();
            claims
                .find(|claim| claim.register == *register && claim.key == *key)
                .map(|claim| claim.value.clone())
                .ok_or_else(|| self.bad(&path, "a receipt that lacks a key"))
        });
        let values = values.collect::<Result<_, _>>()?;
        Ok(ProvenStates { receipt, values })
    }

    /// The party of a DID, as JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn party(&self, party: &PartyId) -> Result<Json, ClientError> {
        self.get_json(&format!("/v1/parties/{}", party.did()))
    }

    /// Follows final entries from a log index on, gap-free over reconnections.
    pub fn watch(&self, from_log_index: u64) -> Watch {
        Watch::new(self.clone(), from_log_index)
    }

    /// Reads a JSON resource.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get_json(&self, path: &str) -> Result<Json, ClientError> {
        let bytes = self.get_bytes(path)?;
        serde_json::from_slice(&bytes).map_err(|error| self.bad(path, error))
    }

    /// Sends JSON and reads JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn post_json(&self, path: &str, body: &Json) -> Result<Json, ClientError> {
        let bytes = self.send(
            "POST",
            path,
            "application/json",
            body.to_string().into_bytes(),
        )?;
        if bytes.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| self.bad(path, error))
    }

    /// Reads a resource as bytes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.send("GET", path, "", Vec::new())
    }

    /// Sends any request with a body and reads the answer as bytes.
    ///
    /// # Errors
    /// [`ClientError`]; an answer of status 400 or above is [`ClientError::Refused`].
    pub fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ClientError> {
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() {
            &[][..]
        } else {
            &headers
        };
        Ok(self.exchange(method, path, headers, body)?.body)
    }

    /// Sends any request and reads the answer with its headers, for interfaces that put something there.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, ClientError> {
        let url = format!("{}{path}", self.inner.url);
        let mut response = self.call(method, &url, headers, body)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX.max(RECEIPT_BYTES_MAX as u64))
            .read_to_vec()
            .map_err(|source| unreachable(&url, source))?;
        if status >= 400 {
            return Err(refused(status, &body));
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn exists(&self, path: &str) -> Result<bool, ClientError> {
        match self.get_bytes(path) {
            Ok(_) => Ok(true),
            Err(ClientError::Refused(problem)) if problem.status == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Body>, ClientError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.inner.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let bad = |error: String| ClientError::BadAnswer {
            url: url.to_owned(),
            reason: error,
        };
        let result = if method == "GET" {
            self.inner
                .agent
                .run(request.body(()).map_err(|error| bad(error.to_string()))?)
        } else {
            self.inner
                .agent
                .run(request.body(body).map_err(|error| bad(error.to_string()))?)
        };
        result.map_err(|source| unreachable(url, source))
    }

    fn bad(&self, path: &str, reason: impl ToString) -> ClientError {
        ClientError::BadAnswer {
            url: format!("{}{path}", self.inner.url),
            reason: reason.to_string(),
        }
    }
}

fn agent() -> ureq::Agent {
    // Refusals are answers to be read, not errors of the connection.
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(TIMEOUT))
        .build()
        .into()
}

fn unreachable(url: &str, source: ureq::Error) -> ClientError {
    ClientError::Unreachable {
        url: url.to_owned(),
        source: Box::new(source),
    }
}

fn refused(status: u16, body: &[u8]) -> ClientError {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        title: "The node refused".to_owned(),
        status,
        detail: String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned(),
        code: format!("http.{status}"),
        hint: String::new(),
    });
    problem.status = status;
    ClientError::Refused(problem)
}

fn read_json<T: for<'de> Deserialize<'de>>(
    url: &str,
    mut response: Response<Body>,
) -> Result<T, ClientError> {
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec();
    let body = body.map_err(|source| unreachable(url, source))?;
    if status >= 400 {
        return Err(refused(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer {
        url: url.to_owned(),
        reason: error.to_string(),
    })
}

fn descriptor(info: &NetworkInfo) -> Result<NetworkDescriptor, String> {
    let network: NetworkId = info
        .network_id
        .parse()
        .map_err(|_| "network_id is not 64 hex digits")?;
    let key = hex::decode(&info.key).map_err(|_| "key is not hex")?;
    let key = PublicKey::from_cose_key(&key).map_err(|error| error.to_string())?;
    Ok(NetworkDescriptor {
        name: info.name.clone(),
        network,
        key,
    })
}
