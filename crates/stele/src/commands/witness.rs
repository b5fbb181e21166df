//! `stele witness`: being an outside witness of logs, and how a node's witnesses do (docs/design/0009-witnesses.md).

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use stele_core::witness::LogKey;
use stele_witness::{Store, StoreError, Witness, serve};
use tokio::net::TcpListener;

use super::up::{start_log, stop_signal};
use super::write_file;
use crate::cli::{WitnessArgs, WitnessWhat};
use crate::failure::{Exit, Failure, Outcome};
use crate::home::connect;
use crate::printer::{Format, Printer, Tone, clean};
use crate::time::utc;

/// Runs `witness`.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: WitnessArgs, printer: &Printer) -> Outcome {
    match args.what {
        WitnessWhat::Status { node } => status(&node.url, printer),
        WitnessWhat::Up {
            dir,
            name,
            listen,
            logs,
            ready_file,
        } => {
            start_log(Format::Text, printer)?;
            let store = Store::open(&dir, name.as_deref()).map_err(|error| unusable(&error))?;
            let witness = Witness::new(store, logs).map_err(|error| unusable(&error))?;
            let runtime = tokio::runtime::Runtime::new();
            let runtime = runtime.map_err(|error| {
                Failure::unusable("could not start the runtime").because(&error)
            })?;
            runtime.block_on(up(
                Arc::new(witness),
                listen,
                ready_file.as_deref(),
                printer,
            ))
        }
    }
}

fn unusable(error: &StoreError) -> Failure {
    Failure::unusable("the witness could not start")
        .because(error)
        .hint(error.hint())
}

async fn up(
    witness: Arc<Witness>,
    listen: SocketAddr,
    ready_file: Option<&Path>,
    printer: &Printer,
) -> Outcome {
    // Before anything else: whoever starts us may stop us at any moment.
    let stop = stop_signal()
        .map_err(|error| Failure::unusable("could not listen for signals").because(&error))?;
    let failed = |error: std::io::Error| {
        Failure::unusable(format!("could not listen on {listen}"))
            .because(&error)
            .hint("give another address with --listen, for instance --listen 127.0.0.1:0 for a free port")
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let key = witness.verifier().format();
    if let Some(path) = ready_file {
        let ready = json!({"url": url, "key": key});
        write_file(path, format!("{ready:#}\n").as_bytes(), false)?;
    }
    if printer.is_json() {
        printer.data(json!({"url": url, "key": key, "logs": witness.logs()}))?;
    } else if !printer.is_quiet() {
        printer.data(greeting(&witness, &url, printer))?;
    }
    let served = serve(witness, listener, stop).await;
    served.map_err(|error| Failure::unusable("the witness stopped serving").because(&error))?;
    Ok(Exit::Done)
}

fn greeting(witness: &Witness, url: &str, printer: &Printer) -> String {
    let mut text = format!(
        "{}  Logs and verifiers know it by this key:\n\n  key       {}\n  address   {}\n",
        printer.word(Tone::Good, "The witness is up."),
        witness.verifier().format(),
        printer.word(Tone::Accent, url),
    );
    for (origin, size) in witness.logs() {
        let size = size.map_or("nothing cosigned yet".to_owned(), |size| {
            format!("cosigned at size {size}")
        });
        text += &format!("  log       {} ({size})\n", clean(&origin));
    }
    text + &format!(
        "\nA node asks it with\n  stele up --witness {url}={}\n\nCtrl-C stops it. Keep its folder: a witness must not forget.",
        witness.verifier().format()
    )
}

fn status(url: &str, printer: &Printer) -> Outcome {
    let client = connect(url, None, printer)?;
    let status = client.get_json("/log/witnesses")?;
    let witnesses = status["witnesses"].as_array().cloned().unwrap_or_default();
    if printer.is_json() {
        printer.json(&status)?;
    } else {
        printer.data(table(&status, &witnesses, printer))?;
    }
    let failed = witnesses.iter().any(|one| !one["problem"].is_null());
    Ok(if failed { Exit::No } else { Exit::Done })
}

fn table(status: &Json, witnesses: &[Json], printer: &Printer) -> String {
    let text = |value: &Json| clean(value.as_str().unwrap_or_default());
    let origin = text(&status["origin"]);
    let mut lines =
        vec!["What a witness of this log is given; one of the keys is enough:".to_owned()];
    let keys = status["keys"].as_array().cloned().unwrap_or_default();
    for key in &keys {
        let key = key.as_str().unwrap_or_default();
        let kind = match LogKey::parse(key) {
            Ok(key) if key.is_of_certificates() => "block certificates, under the network key",
            // A node that holds the network key signs with nothing else.
            Ok(_) if keys.len() == 1 => "Ed25519, by the network key",
            Ok(_) => "Ed25519, by this node's log key",
            Err(_) => "of a kind that this program does not know",
        };
        lines.push(format!("  --log {origin}={}", clean(key)));
        lines.push(format!("        {kind}"));
    }
    lines.push(String::new());
    if witnesses.is_empty() {
        lines.push("This node asks no witnesses; `stele up --witness` names them.".to_owned());
    }
    for witness in witnesses {
        let name = text(&witness["name"]);
        let said = match (
            witness["cosigned_size"].as_u64(),
            witness["cosigned_time"].as_u64(),
        ) {
            (Some(size), Some(time)) => {
                format!("cosigned size {size} at {}", utc(time.saturating_mul(1000)))
            }
            _ => "has cosigned nothing yet".to_owned(),
        };
        let state = match witness["problem"].as_str() {
            Some(problem) => printer.word(Tone::Bad, &clean(problem)),
            None => printer.word(Tone::Good, "well"),
        };
        lines.push(format!("  {name}  {said}  {state}"));
        lines.push(format!("        {}", text(&witness["key"])));
    }
    lines.join("\n")
}
