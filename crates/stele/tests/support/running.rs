//! Processes that run for a while, and what they say meanwhile.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::Place;

/// How long what must come at last may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process whose words go to a file; killed when it is dropped.
pub struct Running {
    child: Child,
    said: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: these tests are about processes that may end without a word.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts the program; `name` names the file of its words.
    pub fn start(place: &Place, name: &str, arguments: &[&str]) -> Self {
        let said = place.path().join(format!("{name}.said"));
        let file = File::create(&said).expect("a file");
        let child = place
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a handle"))
            .stderr(file)
            .spawn()
            .expect("starts");
        Self { child, said }
    }

    /// Starts a node with these arguments of `up`, waits until it serves, and returns its address.
    pub fn node(place: &Place, name: &str, arguments: &[&str]) -> (Self, String) {
        let ready = place.path().join(format!("{name}.ready"));
        let _ = fs::remove_file(&ready);
        let more = ["--ready-file", text(&ready)];
        let mut node = Self::start(place, name, &[arguments, &more].concat());
        let mut url = None;
        node.wait("a node that serves", |_| {
            let told = fs::read(&ready).ok()?;
            let told: serde_json::Value = serde_json::from_slice(&told).ok()?;
            url = Some(told["url"].as_str()?.to_owned());
            Some(())
        });
        (node, url.expect("an address"))
    }

    /// What it has said so far.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.said).expect("a file")
    }

    /// Waits until it has said `words`.
    pub fn wait_for(&mut self, words: &str) {
        self.wait(words, |said| said.contains(words).then_some(()));
    }

    fn wait(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<()>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Before its words are read, so that none of an ended process are missed.
            let ended = self.child.try_wait().expect("a child");
            let said = self.text();
            if wanted(&said).is_some() {
                return;
            }
            assert!(ended.is_none(), "ended without {what}:\n{said}");
            assert!(Instant::now() < deadline, "no {what}:\n{said}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it has ended well.
    pub fn wait_done(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                assert!(status.success(), "{status}:\n{}", self.text());
                return;
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.text());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Asks it to end, and waits until it has ended well.
    pub fn stop(mut self) {
        // SAFETY: kill(2) with the id of our own child, which is not waited for yet, so the id is not another's.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        self.wait_done();
    }
}

/// Addresses on this machine that nobody listens on now.
pub fn free_addresses(count: usize) -> Vec<String> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    // All are held until all are known, so that none is given twice.
    let listeners: Vec<_> = listeners.collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("bound").to_string();
    listeners.iter().map(address).collect()
}

/// A path of a test.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
