//! What a witness keeps on disk.
//!
//! | path in the folder | holds |
//! |---|---|
//! | `witness.key` | the witness's name and the seed of its key; readable by its owner only |
//! | `lock` | held by the one process that runs the witness |
//! | `logs/HASH/checkpoint` | the newest cosigned checkpoint of the log whose origin has this SHA-256, with its signatures |
//! | `logs/HASH/split-ROOT.note` | a checkpoint that the log signed for the same size with another root: evidence |
//!
//! A cosignature leaves the process only after the checkpoint that it stands for is synced to disk, so a witness that comes
//! back after a crash knows all that it ever said.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stele_core::merkle::Hash;
use stele_core::merkle::checkpoint::{
    Checkpoint, KEY_TYPE_COSIGNATURE, Note, NoteLimits, VerifierKey,
};
use stele_core::suite::{SigningKey, Suite};
use stele_core::witness::WitnessKey;
use zeroize::Zeroizing;

/// The most kept pieces of evidence for one log.
const SPLITS_MAX: usize = 16;

/// Why a witness's folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold what it must.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// Another process runs this witness.
    #[error("another process runs the witness in {}", .0.display())]
    Busy(PathBuf),
    /// A new witness needs a name.
    #[error("there is no witness in {} yet, and a new one needs a name", .0.display())]
    NoName(PathBuf),
    /// The name given is not the one that the witness has.
    #[error("the witness in {} is called {found:?}", path.display())]
    OtherName {
        /// The folder.
        path: PathBuf,
        /// Its name.
        found: String,
    },
    /// The name is none of a key.
    #[error("{0:?} is no name for a witness: no spaces, no `+`")]
    BadName(String),
}

impl StoreError {
    /// The next step for the person who runs the witness.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "look at the folder's owner, its rights and the free space",
            Self::Damaged { .. } => {
                "restore the file only from a copy made after the last cosignature; a witness that forgets what it said must get \
                 a new folder and a new key"
            }
            Self::Busy(_) => "stop the other process; one key never runs twice",
            Self::NoName(_) => "give it one with --name, such as `witness.example/city-of-example`",
            Self::OtherName { .. } => {
                "leave --name out, or give another folder for another witness"
            }
            Self::BadName(_) => {
                "take a name like an address without its scheme: `witness.example/city-of-example`"
            }
        }
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}

/// The newest cosigned checkpoint of a log.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub size: u64,
    pub root: Hash,
    /// When it was cosigned, in seconds since 1970.
    pub time: u64,
    /// The note as it is kept and served.
    pub note: String,
}

/// A witness's folder, held by this process.
pub struct Store {
    dir: PathBuf,
    name: String,
    key: SigningKey,
    verifier: WitnessKey,
    /// Dropping it lets another process in.
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a witness's folder; makes a new witness called `name` where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(dir: &Path, name: Option<&str>) -> Result<Self, StoreError> {
        let key_path = dir.join("witness.key");
        if !key_path.exists() {
            let name = name.ok_or_else(|| StoreError::NoName(dir.to_owned()))?;
            witness_key(
                name,
                &SigningKey::from_seed(Suite::Ed25519, &[0; 32]).expect("32 bytes"),
            )?;
            fs::create_dir_all(dir).map_err(io("create", dir))?;
        }
        let lock = lock(dir)?;
        let logs = dir.join("logs");
        if !key_path.exists() {
            // Before the key: a key without this folder is one whose memory was lost.
            fs::create_dir_all(&logs).map_err(io("create", &logs))?;
            create_key(&key_path, name.expect("asked for above"))?;
        }
        if !logs.is_dir() {
            return Err(StoreError::Damaged {
                path: logs,
                reason: "the folder is gone, and with it what this witness cosigned",
            });
        }
        let (found, key) = read_key(&key_path)?;
        if name.is_some_and(|name| name != found) {
            return Err(StoreError::OtherName {
                path: dir.to_owned(),
                found,
            });
        }
        Ok(Self {
            dir: dir.to_owned(),
            verifier: witness_key(&found, &key)?,
            name: found,
            key,
            _lock: lock,
        })
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that verifiers and logs know the witness by.
    pub fn verifier(&self) -> &WitnessKey {
        &self.verifier
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    fn log_dir(&self, origin: &str) -> PathBuf {
        self.dir.join("logs").join(origin_hash(origin))
    }

    /// What was cosigned last for a log; `None` when nothing ever was.
    pub(crate) fn latest(&self, origin: &str) -> Result<Option<Latest>, StoreError> {
        let path = self.log_dir(origin).join("checkpoint");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read", &path)(error)),
        };
        let damaged = |reason| StoreError::Damaged {
            path: path.clone(),
            reason,
        };
        let note = Note::parse(&text, &NoteLimits::default())
            .map_err(|_| damaged("it is no signed note"))?;
        let checkpoint =
            Checkpoint::parse(&note.text).map_err(|_| damaged("it is no checkpoint"))?;
        let ours = |line| self.verifier.check(&note.text, line);
        let time = note.signatures.iter().find_map(ours);
        let time = time.ok_or_else(|| damaged("this witness did not cosign it"))?;
        if checkpoint.origin != origin {
            return Err(damaged("it is of another log"));
        }
        Ok(Some(Latest {
            size: checkpoint.size,
            root: checkpoint.root,
            time,
            note: text,
        }))
    }

    /// Makes a checkpoint the newest of its log, on disk, before anybody hears of it.
    pub(crate) fn keep(&self, origin: &str, note: &str) -> Result<(), StoreError> {
        let dir = self.log_dir(origin);
        if !dir.is_dir() {
            fs::create_dir_all(&dir).map_err(io("create", &dir))?;
            sync_dir(&self.dir.join("logs"))?;
        }
        write_synced(&dir, "checkpoint", note)
    }

    /// Keeps a checkpoint that contradicts the newest one, as evidence; nothing where enough is kept already.
    pub(crate) fn keep_split(
        &self,
        origin: &str,
        root: &Hash,
        note: &str,
    ) -> Result<(), StoreError> {
        let dir = self.log_dir(origin);
        let name = format!("split-{}.note", hex::encode(&root[..8]));
        let entries = fs::read_dir(&dir).map_err(io("read", &dir))?.flatten();
        let kept = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("split-"))
            .count();
        if kept >= SPLITS_MAX || dir.join(&name).exists() {
            return Ok(());
        }
        write_synced(&dir, &name, note)
    }
}

/// The name of a log's folder: SHA-256 of its origin, in hexadecimal.
pub(crate) fn origin_hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}

fn witness_key(name: &str, key: &SigningKey) -> Result<WitnessKey, StoreError> {
    let cose = key.public().to_cose_key();
    let verifier = VerifierKey {
        name: name.to_owned(),
        key_type: KEY_TYPE_COSIGNATURE,
        public_key: cose[cose.len() - 32..].to_vec(),
    };
    WitnessKey::parse(&verifier.format()).map_err(|_| StoreError::BadName(name.to_owned()))
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

fn create_key(path: &Path, name: &str) -> Result<(), StoreError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).expect("the system gives random bytes");
    let text = Zeroizing::new(format!("{name}\n{}\n", hex::encode(*seed)));
    let dir = path.parent().expect("a file in the witness's folder");
    write_synced(dir, "witness.key", &text)
}

fn read_key(path: &Path) -> Result<(String, SigningKey), StoreError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(io("read", path))?);
    let parsed = text.strip_suffix('\n').and_then(|text| {
        let (name, seed) = text.split_once('\n')?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(seed, &mut *bytes).ok()?;
        let key = SigningKey::from_seed(Suite::Ed25519, &*bytes).ok()?;
        Some((name.to_owned(), key))
    });
    parsed.ok_or_else(|| StoreError::Damaged {
        path: path.to_owned(),
        reason: "it is not a name and a seed of 64 hexadecimal digits",
    })
}

/// Replaces a file so that a crash leaves the old or the new one, and returns once the new one is on disk.
fn write_synced(dir: &Path, name: &str, text: &str) -> Result<(), StoreError> {
    let (path, next) = (dir.join(name), dir.join(format!("{name}.new")));
    let written = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(io("write", &next))?;
    fs::rename(&next, &path).map_err(io("replace", &path))?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("sync", dir))
}

/// What is kept of all these logs, by origin.
pub(crate) fn read_all(
    store: &Store,
    origins: impl Iterator<Item = String>,
) -> Result<HashMap<String, Option<Latest>>, StoreError> {
    origins
        .map(|origin| Ok((origin.clone(), store.latest(&origin)?)))
        .collect()
}
