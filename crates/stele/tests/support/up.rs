//! A node of the program's own, for tests that talk to it.

use std::fs;
use std::process::{Child, ExitStatus, Stdio};

use serde_json::Value as Json;

use super::Place;

/// A running `stele up`, killed when the test fails.
pub struct Up {
    child: Child,
    pub url: String,
    pub token: String,
}

impl Up {
    pub fn start(place: &Place, more: &[&str]) -> Self {
        let ready = place.path().join("ready.json");
        let mut arguments = vec!["up", "--data", "node", "--ready-file", "ready.json"];
        arguments.extend(more);
        let log = fs::File::create(place.path().join("up.log")).expect("writable");
        let mut child = place
            .command(&arguments)
            .stdin(Stdio::null())
            .stdout(fs::File::create(place.path().join("up.out")).expect("writable"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let told: Json = loop {
            if let Ok(told) = fs::read(&ready) {
                break serde_json::from_slice(&told)
                    .expect("the ready file is whole when it is there");
            }
            if let Some(status) = child.try_wait().expect("it is our child") {
                panic!("the node ended with {status}: {}", said(place));
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        let text = |member: &str| told[member].as_str().expect(member).to_owned();
        Self {
            child,
            url: text("url"),
            token: text("token"),
        }
    }

    /// Asks it to stop, as a service manager does.
    pub fn stop(mut self, signal: i32) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: a signal to a process that we started and have not waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        self.child.wait().expect("it ends")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn said(place: &Place) -> String {
    fs::read_to_string(place.path().join("up.log")).unwrap_or_default()
}
