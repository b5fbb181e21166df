//! A witness over HTTP, asked by an honest log and by one with two histories (C2SP tlog-witness).
#![allow(missing_docs)]

use std::path::Path;
use std::sync::Arc;

use stele_core::merkle::checkpoint::{Checkpoint, Note, NoteLimits};
use stele_core::merkle::{Frontier, Hash, HashSource, leaf_hash, node_hash, prove_consistency};
use stele_core::suite::{SigningKey, Suite};
use stele_core::witness::{AddCheckpoint, LogKey, WitnessPolicy, note_line};
use stele_witness::{ClientError, Refusal, Store, StoreError, Witness, WitnessClient, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const ORIGIN: &str = "log.example/fictional";
const NAME: &str = "witness.example/neighbour";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Ed25519, &[seed; 32]).unwrap()
}

/// A log that is held in memory, by the definition of its tree.
#[derive(Clone)]
struct Log {
    leaves: Vec<Hash>,
}

impl HashSource for Log {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(self.leaves[index as usize]);
        }
        let (left, right) = (
            self.node(level - 1, 2 * index)?,
            self.node(level - 1, 2 * index + 1)?,
        );
        Ok(node_hash(&left, &right))
    }
}

impl Log {
    fn new(history: &str, size: usize) -> Self {
        let leaf = |at| leaf_hash(format!("{history} {at}").as_bytes());
        Self {
            leaves: (0..size).map(leaf).collect(),
        }
    }

    fn checkpoint(&self, size: usize) -> Checkpoint {
        let mut frontier = Frontier::new();
        self.leaves[..size]
            .iter()
            .for_each(|leaf| frontier.push(*leaf));
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: size as u64,
            root: frontier.root(),
            extensions: Vec::new(),
        }
    }

    fn note(&self, size: usize) -> Note {
        signed(&self.checkpoint(size), &key(1))
    }

    fn proof(&self, old: usize, size: usize) -> Vec<Hash> {
        if old == 0 || old >= size {
            return Vec::new();
        }
        prove_consistency(self, old as u64, size as u64).unwrap()
    }

    fn request(&self, old: usize, size: usize) -> AddCheckpoint {
        AddCheckpoint {
            old_size: old as u64,
            proof: self.proof(old, size),
            note: self.note(size),
        }
    }
}

fn signed(checkpoint: &Checkpoint, key: &SigningKey) -> Note {
    let text = checkpoint.text().unwrap();
    Note {
        signatures: vec![note_line(ORIGIN, key, &text).unwrap()],
        text,
    }
}

fn log_key() -> LogKey {
    LogKey::of_ed25519(ORIGIN, key(1).public()).unwrap()
}

fn open(dir: &Path) -> Witness {
    let store = Store::open(dir, Some(NAME)).unwrap();
    Witness::new(store, [(ORIGIN.to_owned(), log_key())]).unwrap()
}

fn ask(witness: &Witness, request: &AddCheckpoint) -> Result<String, Refusal> {
    witness.add_checkpoint(request.format().unwrap().as_bytes(), 1_000)
}

/// Asks, and checks the cosignature that comes.
fn cosigned(witness: &Witness, request: &AddCheckpoint) {
    let answer = ask(witness, request).unwrap();
    let policy = WitnessPolicy::new(vec![witness.verifier().clone()], 1).unwrap();
    let line = answer.strip_suffix('\n').unwrap();
    let found = policy.cosigners(&request.note.text, [line]);
    assert_eq!((found[0].name.as_str(), found[0].time), (NAME, 1_000));
}

fn size(witness: &Witness) -> Option<u64> {
    witness.logs()[0].1
}

#[test]
fn a_log_that_grows_is_cosigned_step_by_step_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (witness, log) = (open(dir.path()), Log::new("honest", 70));
    assert_eq!(size(&witness), None);
    for (old, new) in [
        (0, 0),
        (0, 3),
        (3, 3),
        (3, 4),
        (4, 7),
        (7, 64),
        (64, 70),
        (70, 70),
    ] {
        cosigned(&witness, &log.request(old, new));
        assert_eq!(size(&witness), Some(new as u64));
    }
}

#[test]
fn two_histories_are_never_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let (witness, log) = (open(dir.path()), Log::new("honest", 20));
    cosigned(&witness, &log.request(0, 8));
    let mut split = log.clone();
    split.leaves[7] = leaf_hash(b"another record");
    // The same size with another root: refused, and kept as evidence.
    let refused = ask(&witness, &split.request(8, 8)).unwrap_err();
    assert_eq!(refused.status(), 422, "{refused}");
    let refused = ask(&witness, &split.request(0, 8)).unwrap_err();
    assert_eq!(refused.status(), 409, "{refused}");
    // A larger tree of the other history: no proof from 8 leads there, right or made up.
    for mut request in [split.request(8, 12), split.request(8, 20)] {
        assert_eq!(ask(&witness, &request).unwrap_err().status(), 422);
        request.proof.clear();
        assert_eq!(ask(&witness, &request).unwrap_err().status(), 422);
        request.proof = log.proof(8, 16);
        assert_eq!(ask(&witness, &request).unwrap_err().status(), 422);
    }
    assert_eq!(size(&witness), Some(8));
    cosigned(&witness, &log.request(8, 20));

    let logs = dir.path().join("logs");
    let folder = std::fs::read_dir(&logs).unwrap().next().unwrap().unwrap();
    let evidence: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "note"))
        .collect();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    // Anybody can see that the log signed it: it stands against the checkpoint of size 8.
    let note = std::fs::read_to_string(&evidence[0]).unwrap();
    let note = Note::parse(&note, &NoteLimits::default()).unwrap();
    let opened = log_key().open(&note).unwrap();
    assert_eq!(opened, split.checkpoint(8));
    assert_ne!(opened.root, log.checkpoint(8).root);
}

#[test]
fn nothing_goes_backwards_and_old_requests_are_answered_with_the_size() {
    let dir = tempfile::tempdir().unwrap();
    let (witness, log) = (open(dir.path()), Log::new("honest", 20));
    let first = log.request(0, 5);
    cosigned(&witness, &first);
    cosigned(&witness, &log.request(5, 12));
    for (request, status) in [
        (first, 409),
        (log.request(5, 12), 409),
        (log.request(0, 20), 409),
        (log.request(12, 5), 400),
        (log.request(20, 20), 409),
    ] {
        let refused = ask(&witness, &request).unwrap_err();
        assert_eq!(refused.status(), status, "{refused}");
        if status == 409 {
            assert!(matches!(refused, Refusal::OtherSize { size: 12 }));
        }
        assert_eq!(size(&witness), Some(12));
    }
}

#[test]
fn what_is_malformed_unknown_or_not_signed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (witness, log) = (open(dir.path()), Log::new("honest", 9));
    let status = |request: &AddCheckpoint| ask(&witness, request).unwrap_err().status();

    let mut request = log.request(0, 5);
    request.proof = vec![[1; 32]];
    assert_eq!(
        status(&request),
        422,
        "nothing is to be proven from nothing"
    );
    request = log.request(0, 5);
    request.note = signed(&log.checkpoint(5), &key(2));
    assert_eq!(status(&request), 403, "another key");
    // A line that claims to be by the trusted key, and is not, spoils the note.
    let good = log.note(5);
    let mut forged = good.clone();
    forged.signatures[0].signature[5] ^= 1;
    request.note = forged.clone();
    assert_eq!(status(&request), 403);
    request.note.signatures.extend(good.signatures.clone());
    assert_eq!(status(&request), 403);
    // Lines of others do not.
    request.note = good;
    let stranger = signed(&log.checkpoint(5), &key(3));
    request.note.signatures.extend(stranger.signatures);
    let mut other = log.checkpoint(5);
    other.origin = "log.example/other".to_owned();
    let unknown = AddCheckpoint {
        note: signed(&other, &key(1)),
        ..request.clone()
    };
    assert_eq!(status(&unknown), 404);
    let empty = Checkpoint {
        size: 0,
        ..log.checkpoint(5)
    };
    let empty = AddCheckpoint {
        note: signed(&empty, &key(1)),
        ..request.clone()
    };
    assert_eq!(status(&empty), 422, "the empty log has one root");
    for body in [&b""[..], b"old 0\n", b"\xff\xfe", b"old 0\n\nnot a note\n"] {
        let refused = witness.add_checkpoint(body, 1).unwrap_err();
        assert_eq!(refused.status(), 400, "{refused}");
    }
    assert_eq!(size(&witness), None);
    cosigned(&witness, &request);
    // What is kept and served has the trusted lines alone, and the cosignature.
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(ORIGIN));
    let kept = witness.checkpoint(&hash).unwrap();
    let kept = Note::parse(&kept, &NoteLimits::default()).unwrap();
    assert_eq!(kept.signatures.len(), 2);
    assert!(log_key().open(&kept).is_ok());
    assert!(
        witness
            .verifier()
            .check(&kept.text, &kept.signatures[1])
            .is_some()
    );
}

#[test]
fn a_witness_that_starts_again_knows_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new("honest", 20);
    let before = {
        let witness = open(dir.path());
        cosigned(&witness, &log.request(0, 8));
        // One key never runs twice.
        assert!(matches!(
            Store::open(dir.path(), None),
            Err(StoreError::Busy(_))
        ));
        witness.verifier().format()
    };
    let witness = open(dir.path());
    assert_eq!(witness.verifier().format(), before);
    assert_eq!(size(&witness), Some(8));
    let mut split = log.clone();
    split.leaves[2] = [9; 32];
    assert_eq!(
        ask(&witness, &split.request(0, 9)).unwrap_err().status(),
        409
    );
    assert_eq!(
        ask(&witness, &split.request(8, 9)).unwrap_err().status(),
        422
    );
    // Its clock went back meanwhile: a later cosignature is never of an earlier time.
    let request = log.request(8, 9);
    let line = witness
        .add_checkpoint(request.format().unwrap().as_bytes(), 7)
        .unwrap();
    let policy = WitnessPolicy::new(vec![witness.verifier().clone()], 1).unwrap();
    assert_eq!(
        policy.cosigners(&request.note.text, [line.trim_end()])[0].time,
        1_000
    );
}

#[test]
fn a_folder_that_forgot_or_was_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Store::open(dir.path(), None),
        Err(StoreError::NoName(_))
    ));
    assert!(matches!(
        Store::open(dir.path(), Some("two words")),
        Err(StoreError::BadName(_))
    ));
    cosigned(&open(dir.path()), &Log::new("honest", 9).request(0, 9));
    assert!(matches!(
        Store::open(dir.path(), Some("witness.example/other")),
        Err(StoreError::OtherName { .. })
    ));
    let logs = dir.path().join("logs");
    let folder = std::fs::read_dir(&logs).unwrap().next().unwrap().unwrap();
    let kept = folder.path().join("checkpoint");
    let text = std::fs::read_to_string(&kept).unwrap();
    for damaged in [
        "",
        &text[..text.len() / 2],
        &text.replacen("\n9\n", "\n8\n", 1),
    ] {
        std::fs::write(&kept, damaged).unwrap();
        let store = Store::open(dir.path(), None).unwrap();
        let refused = Witness::new(store, [(ORIGIN.to_owned(), log_key())]);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    }
    std::fs::remove_dir_all(&logs).unwrap();
    assert!(matches!(
        Store::open(dir.path(), None),
        Err(StoreError::Damaged { .. })
    ));
}

/// Serves a witness and runs `work` against its address on a thread that may block.
fn with_server<T: Send + 'static>(
    witness: Witness,
    work: impl FnOnce(String) -> T + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(Arc::new(witness), listener, async {
            let _ = stopped.await;
        }));
        let done = tokio::task::spawn_blocking(move || work(url))
            .await
            .unwrap();
        let _ = stop.send(());
        server.await.unwrap().unwrap();
        done
    })
}

#[test]
fn over_http_the_client_learns_the_size_and_checks_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let witness = open(dir.path());
    let verifier = witness.verifier().clone();
    with_server(witness, move |url| {
        let log = Log::new("honest", 300);
        let client = WitnessClient::new(&url, verifier.clone());
        let (line, time) = client.add_checkpoint(&log.request(0, 100)).unwrap();
        assert_eq!(verifier.check(&log.note(100).text, &line), Some(time));
        assert!(time > 1_700_000_000, "seconds, from the clock");
        let refused = client.add_checkpoint(&log.request(0, 300)).unwrap_err();
        assert!(
            matches!(refused, ClientError::OtherSize { size: 100 }),
            "{refused}"
        );
        client.add_checkpoint(&log.request(100, 300)).unwrap();
        let mut split = log.clone();
        split.leaves[299] = [9; 32];
        let refused = client.add_checkpoint(&split.request(300, 300)).unwrap_err();
        assert!(
            matches!(refused, ClientError::Refused { status: 422, .. }),
            "{refused}"
        );

        // A client that trusts another key takes nothing from this witness.
        let other = tempfile::tempdir().unwrap();
        let other = Store::open(other.path(), Some(NAME)).unwrap();
        let stranger = WitnessClient::new(&url, other.verifier().clone());
        let refused = stranger.add_checkpoint(&log.request(300, 300)).unwrap_err();
        assert!(
            matches!(refused, ClientError::NoCosignature { .. }),
            "{refused}"
        );
        let nobody = WitnessClient::new("http://127.0.0.1:1", verifier);
        let refused = nobody.add_checkpoint(&log.request(0, 1)).unwrap_err();
        assert!(
            matches!(refused, ClientError::Unreachable { .. }),
            "{refused}"
        );
    });
}

#[test]
fn of_requests_at_once_each_step_is_cosigned_once() {
    let dir = tempfile::tempdir().unwrap();
    let witness = open(dir.path());
    let log = Log::new("honest", 40);
    cosigned(&witness, &log.request(0, 10));
    let won = std::thread::scope(|scope| {
        let tries: Vec<_> = (11..=26)
            .map(|new| {
                scope.spawn({
                    let (witness, log) = (&witness, &log);
                    move || ask(witness, &log.request(10, new)).is_ok()
                })
            })
            .collect();
        tries
            .into_iter()
            .map(|one| one.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1, "all but one must have come too late");
}
