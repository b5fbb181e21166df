//! Following final entries by server-sent events.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use ureq::BodyReader;

use crate::{Client, ClientError, EntrySummary};

/// How long to wait before a broken connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(300);
const RETRIES_MAX: u32 = 10;

/// Something that became final.
#[derive(Debug, Clone)]
pub struct WatchEvent {
    /// The entry's line.
    pub entry: EntrySummary,
}

/// An endless iterator over final entries. It reconnects by itself and goes on after the last entry seen, so that none is
/// missed and none comes twice; it ends with an error after ten failed attempts in a row.
pub struct Watch {
    client: Client,
    next_index: u64,
    stream: Option<BufReader<BodyReader<'static>>>,
    failures: u32,
}

impl Watch {
    pub(crate) fn new(client: Client, from_log_index: u64) -> Self {
        Self {
            client,
            next_index: from_log_index,
            stream: None,
            failures: 0,
        }
    }

    fn open(&mut self) -> Result<(), ClientError> {
        let url = format!("{}/v1/watch?from={}", self.client.url(), self.next_index);
        let response = self.client.call("GET", &url, &[], Vec::new())?;
        if response.status() != 200 {
            let reason = format!("status {}", response.status());
            return Err(ClientError::BadAnswer { url, reason });
        }
        self.stream = Some(BufReader::new(response.into_body().into_reader()));
        Ok(())
    }

    /// Reads one event's `event` and `data`; `None` when the stream ended.
    fn read_event(&mut self) -> Option<(String, String)> {
        let stream = self.stream.as_mut()?;
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if !data.is_empty() {
                    return Some((event, data));
                }
            } else if let Some(value) = line.strip_prefix("event:") {
                event = value.trim().to_owned();
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push_str(value.trim_start());
            }
        }
    }
}

impl Iterator for Watch {
    type Item = Result<WatchEvent, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.stream.is_none() {
                match self.open() {
                    Ok(()) => {}
                    Err(error) if self.failures >= RETRIES_MAX => return Some(Err(error)),
                    Err(_) => {
                        self.failures += 1;
                        std::thread::sleep(RETRY_PAUSE);
                        continue;
                    }
                }
            }
            let Some((event, data)) = self.read_event() else {
                self.stream = None;
                self.failures += 1;
                if self.failures > RETRIES_MAX {
                    return None;
                }
                continue;
            };
            if event != "entry" {
                continue;
            }
            let Ok(entry) = serde_json::from_str::<EntrySummary>(&data) else {
                self.stream = None;
                continue;
            };
            if entry.log_index < self.next_index {
                continue;
            }
            self.failures = 0;
            self.next_index = entry.log_index + 1;
            return Some(Ok(WatchEvent { entry }));
        }
    }
}
