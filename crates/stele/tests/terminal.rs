//! What changes on a terminal: colours and progress bars, and that NO_COLOR and a pipe are obeyed.
#![allow(missing_docs)]

mod support;

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;

use support::{Place, small_node, vectors};

/// A new pseudo-terminal: the program's side, and ours.
fn terminal() -> (OwnedFd, File) {
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: both pointers are to integers that outlive the call; name, settings and size may be null.
    let result = unsafe {
        libc::openpty(
            &mut ours,
            &mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(result, 0, "the system gives a pseudo-terminal");
    // SAFETY: openpty has just made these descriptors and nobody else owns them.
    unsafe { (OwnedFd::from_raw_fd(theirs), File::from_raw_fd(ours)) }
}

/// Runs with stdout and stderr on a terminal and returns what it showed.
fn shown(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let (theirs, mut ours) = terminal();
    let mut command = place.command(arguments);
    command
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
        .stdout(theirs.try_clone().expect("cloned"))
        .stderr(theirs);
    let mut child = command.spawn().expect("the binary starts");
    // The command keeps the terminal's other side open until it is dropped, and we would wait for ever.
    drop(command);
    let mut bytes = Vec::new();
    // Linux ends the stream of a closed pseudo-terminal with an error.
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = ours.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    child.wait().expect("the binary ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn colours_repeat_what_words_say_and_can_be_switched_off() {
    let place = Place::new();
    let receipt = vectors()
        .join("receipts/good-record-alone.receipt")
        .display()
        .to_string();
    let network = vectors().join("network-ed25519.json").display().to_string();
    let arguments = ["verify", receipt.as_str(), "--network", network.as_str()];
    let coloured = shown(&place, &arguments, &[]);
    assert!(coloured.contains("\x1b[1;32mVALID\x1b[0m"), "{coloured:?}");
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let plain = shown(&place, &arguments, &variables);
        assert!(
            plain.contains("VALID") && !plain.contains('\x1b'),
            "{plain:?}"
        );
    }
    let empty = shown(&place, &arguments, &[("NO_COLOR", "")]);
    assert!(
        empty.contains('\x1b'),
        "an empty NO_COLOR does not count: {empty:?}"
    );
    let error = shown(&place, &["verify", "missing", "--network", &network], &[]);
    assert!(error.contains("\x1b[1;31merror:\x1b[0m"), "{error:?}");
    let piped = place.run(&arguments);
    assert!(
        !piped.stdout.contains('\x1b') && piped.stdout.starts_with("VALID"),
        "{}",
        piped.whole()
    );
}

#[test]
fn bars_are_for_terminals_only() {
    let place = Place::new();
    small_node(&place.path().join("node"));
    let on_terminal = shown(&place, &["doctor", "--data", "node"], &[]);
    assert!(
        on_terminal.contains("reading the log") && on_terminal.contains("###"),
        "{on_terminal:?}"
    );
    let quiet = shown(&place, &["doctor", "--data", "node", "-q"], &[]);
    assert!(!quiet.contains("###"), "{quiet:?}");
    let piped = place.run(&["doctor", "--data", "node"]);
    assert_eq!(
        (piped.code, piped.stderr.as_str()),
        (0, ""),
        "{}",
        piped.whole()
    );
}
