//! Counters of the API, and everything that is measured as Prometheus text (exposition format 0.0.4).
//!
//! Labels are bounded: routes are templates of the router, methods those that HTTP names, and problem codes beyond the first 128
//! different ones are counted as `other`. Figures of the ledger are read when they are asked for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use crate::app::{App, SharedApp};
use crate::witnesses::WitnessState;

/// Upper ends of the latency classes, in seconds.
const CLASSES: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// Problem codes counted apart.
const CODES_MAX: usize = 128;
/// Longest problem code counted apart, in bytes.
const CODE_BYTES_MAX: usize = 96;

/// Counters of the API since the node started.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: BTreeMap<(String, &'static str, u16), u64>,
    latency: BTreeMap<(String, &'static str), Latency>,
    problems: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Latency {
    classes: [u64; CLASSES.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts an answered request. `template` is the route, empty for a file of the console; `code` that of a problem.
    pub fn count(
        &self,
        method: &Method,
        template: &str,
        status: StatusCode,
        took: Duration,
        code: Option<&str>,
    ) {
        let route = if template.is_empty() {
            "console"
        } else {
            template
        };
        let method = known_method(method);
        let mut counters = self.0.lock();
        *counters
            .requests
            .entry((route.to_owned(), method, status.as_u16()))
            .or_default() += 1;
        let latency = counters
            .latency
            .entry((route.to_owned(), method))
            .or_default();
        let seconds = took.as_secs_f64();
        latency.count += 1;
        latency.seconds += seconds;
        if let Some(class) = CLASSES.iter().position(|end| seconds <= *end) {
            latency.classes[class] += 1;
        }
        if let Some(code) = code {
            let room = counters.problems.len() < CODES_MAX && code.len() <= CODE_BYTES_MAX;
            let code = if room || counters.problems.contains_key(code) {
                code
            } else {
                "other"
            };
            *counters.problems.entry(code.to_owned()).or_default() += 1;
        }
    }

    fn write(&self, out: &mut Text) {
        let counters = self.0.lock();
        out.family(
            "stele_http_requests_total",
            "counter",
            "Requests answered, by route and status.",
        );
        for ((route, method, status), count) in &counters.requests {
            let status = status.to_string();
            out.sample(
                "",
                &[("route", route), ("method", method), ("status", &status)],
                *count as f64,
            );
        }
        out.family(
            "stele_http_problems_total",
            "counter",
            "Requests refused, by the rule that refused.",
        );
        for (code, count) in &counters.problems {
            out.sample("", &[("code", code)], *count as f64);
        }
        out.family(
            "stele_http_request_duration_seconds",
            "histogram",
            "Time to the head of the answer; a stream goes on after it.",
        );
        for ((route, method), latency) in &counters.latency {
            let labels = [("route", route.as_str()), ("method", *method)];
            let mut below = 0;
            for (end, count) in CLASSES.iter().zip(latency.classes) {
                below += count;
                let end = end.to_string();
                out.sample(
                    "_bucket",
                    &[labels[0], labels[1], ("le", &end)],
                    below as f64,
                );
            }
            out.sample(
                "_bucket",
                &[labels[0], labels[1], ("le", "+Inf")],
                latency.count as f64,
            );
            out.sample("_sum", &labels, latency.seconds);
            out.sample("_count", &labels, latency.count as f64);
        }
    }
}

fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// A page of metrics in the making.
#[derive(Default)]
struct Text {
    page: String,
    name: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = write!(self.page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.page, "{}{suffix}", self.name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let text = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.page, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.page, "{close} {value}");
    }

    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample("", &[], value);
    }
}

/// Everything measured, as text.
pub fn render(app: &App) -> String {
    let mut out = Text::default();
    let (stats, head) = (app.ledger.stats(), app.ledger.head());
    out.family(
        "stele_entries_final_total",
        "counter",
        "Final entries since the start, by outcome.",
    );
    out.sample("", &[("outcome", "applied")], stats.entries_applied as f64);
    out.sample("", &[("outcome", "refused")], stats.entries_refused as f64);
    let mut counter = |name, help, value: f64| out.one(name, "counter", help, value);
    counter(
        "stele_admissions_refused_total",
        "Entries refused before they were ordered, since the start.",
        stats.admissions_refused as f64,
    );
    counter(
        "stele_blocks_final_total",
        "Blocks made final since the start.",
        stats.blocks as f64,
    );
    let seconds = |micros: u64| micros as f64 / 1e6;
    counter(
        "stele_execute_seconds_total",
        "Time spent executing blocks.",
        seconds(stats.execute_micros),
    );
    counter(
        "stele_persist_seconds_total",
        "Time spent writing and syncing blocks.",
        seconds(stats.persist_micros),
    );
    let mut gauge = |name, help, value: u64| out.one(name, "gauge", help, value as f64);
    gauge(
        "stele_entries_waiting",
        "Entries taken in and not final yet.",
        stats.waiting,
    );
    gauge(
        "stele_height",
        "Height of the newest final block.",
        head.height().get(),
    );
    gauge(
        "stele_head_time_ms",
        "Time of the newest final block, in ms since 1970.",
        head.time().get(),
    );
    gauge(
        "stele_log_entries",
        "Entries in the log.",
        head.log_size().get(),
    );
    gauge(
        "stele_state_keys",
        "Keys in the state.",
        app.ledger.state_keys(),
    );
    let lag = head.log_size().get().saturating_sub(app.index.next_index());
    gauge(
        "stele_index_lag_entries",
        "Final entries that the read model has still to take in.",
        lag,
    );
    let accepting = u64::from(app.ledger.refusing().is_none());
    gauge(
        "stele_accepting",
        "1 while the node takes entries, 0 while it only reads.",
        accepting,
    );
    if let Some(bytes) = resident_bytes() {
        gauge(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM.",
            bytes,
        );
    }
    witnesses(&mut out, &app.witnesses.states());
    app.metrics.write(&mut out);
    out.page
}

/// How the log's witnesses do.
fn witnesses(out: &mut Text, states: &[WitnessState]) {
    if states.is_empty() {
        return;
    }
    out.family(
        "stele_witness_cosigned_size",
        "gauge",
        "Size of the log that the witness cosigned last for this node; 0 for none.",
    );
    for state in states {
        let size = state.cosigned.map_or(0, |(size, _)| size);
        out.sample("", &[("witness", state.key.name())], size as f64);
    }
    out.family(
        "stele_witness_failing",
        "gauge",
        "1 when the witness gave nothing the last time it was asked.",
    );
    for state in states {
        let failing = u8::from(state.problem.is_some());
        out.sample("", &[("witness", state.key.name())], f64::from(failing));
    }
}

/// From the kernel's own account (proc(5), `VmRSS`); `None` where there is no such file.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The figures of this node's part of a network of several validators.
fn network(network: &stele_network::Network) -> String {
    let mut out = Text::default();
    let status = network.status();
    let mut gauge = |name, help, value: u64| out.one(name, "gauge", help, value as f64);
    gauge("stele_network_epoch", "The engine's epoch.", status.epoch);
    gauge(
        "stele_network_view",
        "The engine's round within its epoch.",
        status.view,
    );
    gauge(
        "stele_network_committee",
        "The number of the committee in force.",
        status.committee,
    );
    gauge(
        "stele_network_lag_blocks",
        "Blocks that this node is behind.",
        status.best_height - status.height,
    );
    gauge(
        "stele_network_pool_entries",
        "Entries that wait to be ordered.",
        status.pool as u64,
    );
    gauge(
        "stele_network_alarms",
        "Alarms now.",
        status.alarms.len() as u64,
    );
    if let Some(p50) = status.finality_p50_ms {
        gauge(
            "stele_network_finality_p50_milliseconds",
            "From proposal to final, median of the last blocks.",
            p50,
        );
    }
    if let Some(p99) = status.finality_p99_ms {
        gauge(
            "stele_network_finality_p99_milliseconds",
            "From proposal to final, 99th percentile of the last blocks.",
            p99,
        );
    }
    out.family(
        "stele_network_peer_faults_total",
        "counter",
        "What peers sent that no honest node sends, by node key.",
    );
    for (peer, faults) in network.faults() {
        out.sample("", &[("peer", &hex::encode(peer))], faults.count as f64);
    }
    out.page
}

/// The node's figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "network", responses(
    (status = 200, body = String, content_type = "text/plain; version=0.0.4"),
    (status = "4XX", body = crate::Problem, content_type = "application/problem+json", description = "Refused; nothing changed"),
        (status = "5XX", body = crate::Problem, content_type = "application/problem+json", description = "The node cannot do it now")))]
pub async fn metrics(State(app): State<SharedApp>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        render(&app)
            + &app
                .network
                .as_ref()
                .map(crate::metrics::network)
                .unwrap_or_default(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics) -> String {
        let mut out = Text::default();
        metrics.write(&mut out);
        out.page
    }

    #[test]
    fn requests_are_counted_in_cumulative_classes() {
        let metrics = Metrics::default();
        let count = |millis| {
            let took = Duration::from_millis(millis);
            metrics.count(&Method::GET, "/v1/network", StatusCode::OK, took, None);
        };
        [1, 3, 3, 9_000].into_iter().for_each(count);
        let page = page(&metrics);
        let labels = "route=\"/v1/network\",method=\"GET\"";
        for line in [
            format!("stele_http_requests_total{{{labels},status=\"200\"}} 4"),
            format!("stele_http_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 1"),
            format!("stele_http_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 3"),
            format!("stele_http_request_duration_seconds_bucket{{{labels},le=\"5\"}} 3"),
            format!("stele_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
            format!("stele_http_request_duration_seconds_count{{{labels}}} 4"),
            format!("stele_http_request_duration_seconds_sum{{{labels}}} 9.007"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        let mut families = page.lines().filter(|line| line.starts_with("# TYPE"));
        assert_eq!(families.clone().count(), 3);
        assert!(families.all(|line| line.split(' ').count() == 4));
    }

    #[test]
    fn labels_are_bounded_and_escaped() {
        let metrics = Metrics::default();
        for n in 0..1_000 {
            let method = Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
            let code = format!("code-{n}");
            metrics.count(
                &method,
                "",
                StatusCode::FORBIDDEN,
                Duration::ZERO,
                Some(&code),
            );
        }
        let page = page(&metrics);
        assert!(page.lines().count() < 200, "{} lines", page.lines().count());
        assert!(page.contains("route=\"console\",method=\"other\",status=\"403\"} 1000"));
        assert!(page.contains("stele_http_problems_total{code=\"other\"} 872"));
        let mut out = Text {
            page: String::new(),
            name: "x",
        };
        out.sample("", &[("a", "q\"b\\n\n")], 1.0);
        assert_eq!(out.page, "x{a=\"q\\\"b\\\\n\\n\"} 1\n");
    }
}
