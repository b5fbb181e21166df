//! What a log asks a witness with.

use std::time::Duration;

use stele_core::merkle::checkpoint::NoteSignature;
use stele_core::witness::{AddCheckpoint, WitnessKey, parse_size_answer};

/// The largest answer read, in bytes: signature lines, or a refusal.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a witness gave no cosignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It could not be reached, or did not answer in time.
    #[error("{url} could not be reached")]
    Unreachable {
        /// The address.
        url: String,
        /// The cause.
        #[source]
        source: Box<ureq::Error>,
    },
    /// It cosigned another size last (409).
    #[error("the witness has the log at size {size}")]
    OtherSize {
        /// That size.
        size: u64,
    },
    /// It refused.
    #[error("the witness refused with status {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its answer.
        detail: String,
    },
    /// Its answer holds no cosignature by its key.
    #[error("the witness's answer holds no cosignature of this checkpoint by {name:?}")]
    NoCosignature {
        /// The key's name.
        name: String,
    },
    /// Something of the request could not be written.
    #[error("the request cannot be written: {0}")]
    Request(String),
}

/// A witness as a log knows it: an address and a key.
#[derive(Debug, Clone)]
pub struct WitnessClient {
    agent: ureq::Agent,
    url: String,
    key: WitnessKey,
}

impl WitnessClient {
    /// A witness whose submission prefix is `url`, over plain HTTP: TLS is a matter of a gateway beside the node.
    pub fn new(url: &str, key: WitnessKey) -> Self {
        // Refusals are answers to be read, not errors of the connection.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .build()
            .into();
        Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            key,
        }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key.
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Asks for a cosignature, and checks it: the line, and when it was made in seconds since 1970.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn add_checkpoint(
        &self,
        request: &AddCheckpoint,
    ) -> Result<(NoteSignature, u64), ClientError> {
        let url = format!("{}/add-checkpoint", self.url);
        let body = request
            .format()
            .map_err(|error| ClientError::Request(error.to_string()))?;
        let unreachable = |source| ClientError::Unreachable {
            url: url.clone(),
            source: Box::new(source),
        };
        let mut response = self
            .agent
            .post(&url)
            .header("content-type", "text/plain; charset=utf-8")
            .send(body)
            .map_err(unreachable)?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let answer = answer.read_to_vec().map_err(unreachable)?;
        let answer = String::from_utf8_lossy(&answer);
        match (status, parse_size_answer(&answer)) {
            (200, _) => self.cosignature(request, &answer),
            (409, Some(size)) => Err(ClientError::OtherSize { size }),
            _ => Err(ClientError::Refused {
                status,
                detail: answer.chars().take(300).collect(),
            }),
        }
    }

    fn cosignature(
        &self,
        request: &AddCheckpoint,
        answer: &str,
    ) -> Result<(NoteSignature, u64), ClientError> {
        // Lines of other keys, such as newer kinds of cosignatures, are passed over.
        let lines = answer.lines().take(64);
        let cosigned = lines
            .filter_map(|line| NoteSignature::parse(line).ok())
            .find_map(|line| Some((self.key.check(&request.note.text, &line)?, line)));
        match cosigned {
            Some((time, line)) => Ok((line, time)),
            None => Err(ClientError::NoCosignature {
                name: self.key.name().to_owned(),
            }),
        }
    }
}
