//! `stele up --validators N`: a network of several validators on this machine, each a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use stele_node::local_network;
use stele_registers::Registry;

use crate::cli::UpArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::of_network;
use crate::printer::{Printer, Tone};

/// How long the processes may take to serve.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long they may take to end before they are killed.
const END_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The processes; they end when this is dropped.
struct Processes {
    children: Vec<Child>,
}

impl Processes {
    /// Whether one has ended, and which.
    fn ended(&mut self) -> Option<usize> {
        self.children
            .iter_mut()
            .position(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Asks all to end, waits, and kills those who do not.
    fn stop(&mut self) {
        for child in &self.children {
            // SAFETY: kill(2) with the id of our own child, which is not waited for yet, so the id is not another's.
            unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
        }
        let deadline = Instant::now() + END_WITHIN;
        for child in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) {
                if Instant::now() >= deadline {
                    let _ = child.kill();
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
        self.children.clear();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Founds the network if need be, starts its validators, and stays until it is told to stop.
///
/// # Errors
/// A validator did not start, or ended by itself.
pub fn run(args: &UpArgs, count: usize, printer: &Printer) -> Outcome {
    let dir = args
        .data
        .clone()
        .unwrap_or_else(|| of_network(&format!("{}-{count}", args.name)));
    let (homes, founded) = local_network::found(&dir, &args.name, count, &Registry::standard())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::unusable("could not start the runtime").because(&error))?;
    // Before anything else: whoever starts us may stop us at any moment.
    let stop = {
        let _inside = runtime.enter();
        super::up::stop_signal()
            .map_err(|error| Failure::unusable("could not listen for signals").because(&error))?
    };
    let ready = tempfile::tempdir()
        .map_err(|error| Failure::unusable("could not make a temporary folder").because(&error))?;
    let mut processes = Processes {
        children: Vec::with_capacity(count),
    };
    let mut files = Vec::with_capacity(count);
    for (number, home) in homes.iter().enumerate() {
        let file = ready.path().join(format!("{number}.json"));
        processes.children.push(start(args, number, home, &file)?);
        files.push(file);
    }
    let nodes = wait_ready(&mut processes, &files, printer)?;
    announce(args, &dir, &nodes, founded, printer)?;
    let mut broken = None;
    runtime.block_on(async {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(Duration::from_millis(500)) => {
                    broken = processes.ended();
                    if broken.is_some() { break; }
                }
            }
        }
    });
    printer.note("stopping");
    processes.stop();
    match broken {
        None => Ok(Exit::Done),
        Some(number) => Err(
            Failure::unusable(format!("validator {} ended by itself", number + 1)).hint(
                "its messages stand above; start it alone with `stele up --data` and its folder",
            ),
        ),
    }
}

fn start(args: &UpArgs, number: usize, home: &Path, ready: &Path) -> Result<Child, Failure> {
    let failed =
        |error: &std::io::Error| Failure::unusable("could not start a validator").because(error);
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command
        .arg("up")
        .arg("--data")
        .arg(home)
        .arg("--ready-file")
        .arg(ready)
        .arg("--quiet");
    match (args.listen, number) {
        (Some(listen), 0) => command.arg("--listen").arg(listen.to_string()),
        (None, 0) => &mut command,
        // The first has the usual address; the others take free ones.
        _ => command.arg("--listen").arg("127.0.0.1:0"),
    };
    if args.no_trust_loopback {
        command.arg("--no-trust-loopback");
    }
    for host in &args.allow_hosts {
        command.arg("--allow-host").arg(host);
    }
    for witness in &args.witnesses {
        let endpoint = format!("{}={}", witness.url, witness.key.format());
        command.arg("--witness").arg(endpoint);
    }
    // A process group of its own: Ctrl-C reaches us alone, and we end the validators in order.
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command.spawn().map_err(|error| failed(&error))
}

/// Waits until every validator serves; returns what each wrote.
fn wait_ready(
    processes: &mut Processes,
    files: &[PathBuf],
    printer: &Printer,
) -> Result<Vec<Json>, Failure> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let ready: Vec<Json> = files
            .iter()
            .filter_map(|file| serde_json::from_slice(&std::fs::read(file).ok()?).ok())
            .collect();
        if ready.len() == files.len() {
            return Ok(ready);
        }
        if let Some(number) = processes.ended() {
            return Err(
                Failure::unusable(format!("validator {} did not start", number + 1))
                    .hint("its messages stand above"),
            );
        }
        if Instant::now() >= deadline {
            printer.note(format_args!(
                "{} of {} validators serve",
                ready.len(),
                files.len()
            ));
            return Err(Failure::unusable("the validators did not start in time"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn announce(
    args: &UpArgs,
    dir: &Path,
    nodes: &[Json],
    founded: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let urls: Vec<_> = nodes
        .iter()
        .map(|node| node["url"].as_str().unwrap_or_default().to_owned())
        .collect();
    let network = &nodes[0]["network"];
    if let Some(path) = &args.ready_file {
        let ready =
            json!({"url": urls[0], "urls": urls, "network": network, "token": nodes[0]["token"]});
        // It holds the token.
        super::write_file(path, format!("{ready:#}\n").as_bytes(), true)?;
    }
    if printer.is_json() {
        printer.data(json!({"url": urls[0], "urls": urls, "data": dir, "network": network, "founded": founded}))?;
    } else if !printer.is_quiet() {
        let state = if founded {
            "founded just now"
        } else {
            "started again"
        };
        let name = crate::printer::clean(network["name"].as_str().unwrap_or_default());
        let mut text = format!(
            "{}  The network \"{name}\" of {} validators: {state}.\n\n",
            printer.word(Tone::Good, "Stele is up."),
            urls.len(),
        );
        for (number, url) in urls.iter().enumerate() {
            text += &format!(
                "  validator {}   {}\n",
                number + 1,
                printer.word(Tone::Accent, url)
            );
        }
        text += &format!(
            "  data          {}\n\nOpen the console of any of them, or try in another terminal:\n  \
             stele network status          who is heard, and how fast blocks become final\n  \
             stele scenario run trace      goods from maker to shop, with receipts\n\n\
             Ctrl-C stops all. What is final stays.",
            dir.display(),
        );
        printer.data(text)?;
    }
    Ok(())
}
