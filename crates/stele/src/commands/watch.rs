//! `stele watch`: final entries as they come, without gaps.

use crate::cli::WatchArgs;
use crate::commands::read::entry_line;
use crate::failure::{Exit, Failure, Outcome};
use crate::home::connect;
use crate::printer::Printer;

/// Follows entries until the count is reached, the reader has gone, or the node stays away.
///
/// # Errors
/// No node.
pub fn run(args: &WatchArgs, printer: &Printer) -> Outcome {
    let client = connect(&args.node.url, None, printer)?;
    let from = match args.from {
        Some(from) => from,
        None => {
            let network = client.get_json("/v1/network")?;
            network["head"]["log_size"]
                .as_u64()
                .ok_or_else(|| Failure::unusable("the node does not say how long its log is"))?
        }
    };
    printer.note(format_args!(
        "watching {} from log index {from}; Ctrl-C ends",
        client.url()
    ));
    let wanted = args.count.unwrap_or(u64::MAX);
    let mut seen = 0;
    let mut events = client.watch(from);
    while seen < wanted {
        let Some(event) = events.next() else {
            return Err(Failure::unusable("the node does not answer any more"));
        };
        let entry = serde_json::to_value(event?.entry).expect("plain data");
        if printer.is_json() {
            printer.data(&entry)?;
        } else {
            printer.data(entry_line(&entry))?;
        }
        seen += 1;
    }
    Ok(Exit::Done)
}
