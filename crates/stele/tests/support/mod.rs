//! Running the real binary, and comparing what it does with committed snapshots.
#![allow(dead_code, missing_docs)]

pub mod running;

pub mod up;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use stele_core::genesis::{Genesis, Member};
use stele_core::id::{RegisterName, TimeMs};
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::Ledger;
use stele_node::auth::{Keystore, Unlock};
use stele_node::{Home, NETWORK_KEY, OPERATOR_KEY, descriptor_json};
use stele_registers::Registry;

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the checkout")
}

pub fn vectors() -> PathBuf {
    repository().join("vectors")
}

/// A folder of the test's own, in which the program finds nothing of the user's.
pub struct Place {
    dir: tempfile::TempDir,
}

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("writable");
        path
    }

    /// The program with nothing of the caller's environment that it reads.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command
            .env("HOME", self.path().join("user"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[], b"")
    }

    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // A program that does not read its input closes it: no failure of ours.
        let _ = child.stdin.take().expect("piped").write_all(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        let text = |bytes: Vec<u8>| self.plain(&String::from_utf8(bytes).expect("text"));
        Ran {
            command: self.plain(&format!("stele {}", arguments.join(" "))),
            code: output.status.code().expect("no signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Text without what differs from machine to machine.
    fn plain(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "[DIR]")
            .replace(&repository().display().to_string(), "[REPOSITORY]")
            .replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
    }
}

impl Ran {
    /// Command, exit code, stdout and stderr in one text.
    pub fn whole(&self) -> String {
        let mut text = String::new();
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            text,
            "$ {command}\nexit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}"
        )
        .expect("a string");
        text
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", self.whole()))
    }
}

/// Compares runs with `tests/snapshots/NAME.txt`; `STELE_BLESS=1` writes it.
pub fn assert_snapshot(name: &str, runs: &[Ran]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(format!("{name}.txt"));
    let found = runs.iter().map(Ran::whole).collect::<Vec<_>>().join("\n");
    if std::env::var_os("STELE_BLESS").is_some() {
        fs::write(&path, &found).expect("writable");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} differs.\n=== expected\n{expected}\n=== found\n{found}\n=== if that is right: STELE_BLESS=1 cargo nextest run -p stele",
        path.display()
    );
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[seed; 32]).expect("32 bytes")
}

/// A node's folder with a small ledger of a fictional network, made without a node.
pub fn small_node(dir: &Path) -> Home {
    let home = Home::new(dir);
    let registry = Arc::new(Registry::standard());
    let registers = registry.registers().map(|register| {
        (
            RegisterName::new(register.name()).expect("valid"),
            u64::from(register.version()),
        )
    });
    let genesis = Genesis {
        name: "Fictional Harbour".to_owned(),
        time: TimeMs::new(1_767_225_600_000),
        network_key: key(1).public().clone(),
        members: vec![Member {
            name: "Fictional Operator".to_owned(),
            key: key(2).public().clone(),
        }],
        registers: registers.collect(),
        committee: None,
    };
    let store = Keystore::open(
        home.keys(),
        Unlock::Secret(home.secret().expect("a secret")),
    )
    .expect("a keystore");
    store.insert(NETWORK_KEY, key(1)).expect("kept");
    store.insert(OPERATOR_KEY, key(2)).expect("kept");
    Ledger::create(&home.ledger(), &genesis, &*registry, &key(1)).expect("created");
    fs::write(home.descriptor(), descriptor_json(&genesis).to_string()).expect("written");
    home
}
