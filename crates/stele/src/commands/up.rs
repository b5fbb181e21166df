//! `stele up`: a node on this machine, until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use stele_node::{Home, Node, NodeConfig, RunningNode};
use tracing_subscriber::EnvFilter;

use super::scenario::GalleryRunner;
use super::write_file;
use crate::cli::{LISTEN_DEFAULT, UpArgs};
use crate::env;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::of_network;
use crate::printer::{Format, Printer, Tone};

/// Runs a node until SIGTERM or SIGINT.
///
/// # Errors
/// It could not start, or not stop well.
pub fn run(args: UpArgs, printer: &Printer) -> Outcome {
    if let Some(count) = args.validators {
        return super::validators::run(&args, usize::from(count), printer);
    }
    let home = args.data.clone().unwrap_or_else(|| of_network(&args.name));
    start_log(args.log_format, printer)?;
    let mut config = NodeConfig {
        listen: listen_address(args.listen, printer)?,
        network_name: args.name.clone(),
        trust_loopback: !args.no_trust_loopback,
        allowed_hosts: allowed_hosts(&args),
        public_url: args.public_url.clone(),
        resolve_did_web: args.resolve_did_web,
        snapshot_every: args.snapshot_every,
        witnesses: args.witnesses.clone(),
        read_only: args.read_only,
        ..NodeConfig::new(&home)
    };
    config.ledger.archive_after_blocks = args.archive_after;
    config.ledger.log.archive_dir = args.archive_dir.as_deref().map(absolute).transpose()?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::unusable("could not start the runtime").because(&error))?;
    runtime.block_on(serve(config, &home, &args, printer))
}

/// The names that were given, and the one of the public address.
fn allowed_hosts(args: &UpArgs) -> Vec<String> {
    let public = args.public_url.as_deref();
    let public = public.and_then(|url| url.split('/').nth(2)?.split(':').next());
    let mut hosts = args.allow_hosts.clone();
    hosts.extend(public.map(str::to_owned));
    hosts
}

/// The catalogue keeps the path, whatever folder the next start comes from.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::io("find", path))
}

async fn serve(config: NodeConfig, home: &Path, args: &UpArgs, printer: &Printer) -> Outcome {
    // Before anything else: whoever starts us may stop us at any moment.
    let stop = stop_signal()
        .map_err(|error| Failure::unusable("could not listen for signals").because(&error))?;
    let scenarios = Arc::new(GalleryRunner {
        reports: Home::new(home).reports(),
    });
    let node = Node::start(config, Some(scenarios)).await?;
    let told = announce(&node, home, args, printer);
    if told.is_ok() {
        stop.await;
        printer.note("stopping");
    }
    // A node that could not announce itself is closed as carefully as one that was told to stop.
    node.shutdown().await?;
    told.map(|()| Exit::Done)
}

pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The address asked for, or the usual one, or a free port where that one is taken.
fn listen_address(given: Option<SocketAddr>, printer: &Printer) -> Result<SocketAddr, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    let usual: SocketAddr = LISTEN_DEFAULT.parse().expect("a valid address");
    match TcpListener::bind(usual) {
        Ok(_) => Ok(usual),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            printer.note(format_args!(
                "note: {usual} is taken, so this node takes a free port; --listen chooses one"
            ));
            Ok(SocketAddr::new(usual.ip(), 0))
        }
        Err(error) => {
            Err(Failure::unusable(format!("could not listen on {usual}")).because(&error))
        }
    }
}

fn announce(
    node: &RunningNode,
    home: &Path,
    args: &UpArgs,
    printer: &Printer,
) -> Result<(), Failure> {
    let url = node.url();
    let network = node.descriptor();
    if let Some(path) = &args.ready_file {
        let ready = json!({"url": url, "network": network, "token": node.token()});
        // It holds the token.
        write_file(path, format!("{ready:#}\n").as_bytes(), true)?;
    }
    let recovered = node.recovered();
    if !node.founded() && (recovered.torn_bytes > 0 || recovered.blocks_executed_again > 0) {
        printer.note(format_args!(
            "note: the last run did not end well; {} blocks executed again, {} bytes of an unfinished block removed, nothing final lost",
            recovered.blocks_executed_again, recovered.torn_bytes
        ));
    }
    if printer.is_json() {
        printer.data(
            json!({"url": url, "data": home, "network": network, "founded": node.founded()}),
        )?;
    } else if !printer.is_quiet() {
        printer.data(greeting(node, home, printer))?;
    }
    if args.open {
        let opened = Command::new("xdg-open")
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if opened.is_err() {
            printer.note(format_args!(
                "note: no browser could be opened; the console is at {url}"
            ));
        }
    }
    Ok(())
}

fn greeting(node: &RunningNode, home: &Path, printer: &Printer) -> String {
    let network = node.descriptor();
    let name = crate::printer::clean(network["name"].as_str().unwrap_or_default());
    let recovered = node.recovered();
    let state = if node.founded() {
        "founded just now".to_owned()
    } else {
        format!(
            "{} entries in {} blocks",
            recovered.entries, recovered.blocks
        )
    };
    let url = node.url();
    let usual = format!("http://{LISTEN_DEFAULT}");
    let elsewhere = if url == usual {
        String::new()
    } else {
        format!("\n  export STELE_URL={url}")
    };
    format!(
        "{}  The network \"{name}\": {state}.\n\n  console   {}\n  data      {}\n\n\
         Open the console, or try in another terminal:{elsewhere}\n  \
         stele scenario run trace      goods from maker to shop, with receipts\n  \
         stele watch                   entries as they become final\n\n\
         Ctrl-C stops the node. What is final stays.",
        printer.word(Tone::Good, "Stele is up."),
        printer.word(Tone::Accent, url),
        home.display(),
    )
}

pub(super) fn start_log(format: Format, printer: &Printer) -> Result<(), Failure> {
    let default = match (printer.is_quiet(), printer.verbosity(), format) {
        (true, ..) => "error",
        (_, 0, Format::Text) => "warn",
        (_, 0 | 1, _) => "info",
        _ => "debug",
    };
    let wanted = env::text(env::LOG).unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::unusable(format!("{} is not a log filter: {wanted}", env::LOG))
            .because(&error)
            .hint("write `info`, `debug`, or `stele_node=debug,warn`")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        Format::Text => log.with_ansi(false).init(),
        Format::Json => log.json().init(),
    }
    Ok(())
}
