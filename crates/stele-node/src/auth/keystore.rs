//! The keystore: secret keys in encrypted files, one for each key.
//!
//! ```text
//! keys/<name>.json   {"format": "stele-key/1", "name", "suite", "kid", "public": hex of the COSE_Key,
//!                     "kdf": {"name": "argon2id", "memory_kib", "passes", "lanes", "salt"},
//!                     "cipher": "XChaCha20-Poly1305", "nonce", "ciphertext", "checksum"}
//! ```
//!
//! The file key is argon2id (RFC 9106) of what unlocks the store. A passphrase is guessable, so it costs 64 MiB and three
//! passes for each guess. The node's secret is 32 random bytes: no amount of guessing finds it, so the derivation only has to
//! give each file a key of its own, and 64 KiB with one pass lets a node with many keys start at once.
//!
//! Everything but the checksum is bound to the ciphertext as associated data, so no file can be passed off as another's.
//! The checksum (SHA-256 over the other members) is no protection: it tells a damaged file from a wrong passphrase.
//!
//! Files have mode 0600 and are written beside their place, synced and linked into it: never half there, never over
//! another. Unlocked keys stay in memory until [`Keystore::lock`] or drop, and are wiped then.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stele_core::id::KeyId;
use stele_core::suite::{PublicKey, SigningKey, Suite};
use zeroize::Zeroizing;

const FORMAT: &str = "stele-key/1";
const KDF: &str = "argon2id";
const CIPHER: &str = "XChaCha20-Poly1305";
/// The longest name of a key, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 64;
/// The largest key file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The most memory that a key file may ask for, in KiB: a foreign file must not exhaust the node.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

/// What unlocks a keystore. Wiped when dropped, redacted in `Debug`.
pub enum Unlock {
    /// 32 random bytes, such as the node's secret.
    Secret([u8; 32]),
    /// A passphrase that a person chose.
    Passphrase(String),
}

impl Unlock {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Secret(secret) => secret,
            Self::Passphrase(passphrase) => passphrase.as_bytes(),
        }
    }

    fn cost(&self) -> Cost {
        match self {
            Self::Secret(_) => Cost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
            },
            Self::Passphrase(_) => Cost {
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            },
        }
    }
}

impl Drop for Unlock {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        match self {
            Self::Secret(secret) => secret.zeroize(),
            Self::Passphrase(passphrase) => passphrase.zeroize(),
        }
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(redacted)",
            Self::Passphrase(_) => "Passphrase(redacted)",
        })
    }
}

/// What the keystore tells of a key without unlocking it.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// Its name here.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
}

impl KeyInfo {
    /// Its suite.
    pub fn suite(&self) -> Suite {
        self.public.suite()
    }

    /// Its id.
    pub fn kid(&self) -> KeyId {
        self.public.kid()
    }
}

/// Why the keystore refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The name cannot be one of a key.
    #[error("`{0}` is no name of a key")]
    BadName(String),
    /// There is no key of this name.
    #[error("there is no key `{0}`")]
    Missing(String),
    /// There is a key of this name.
    #[error("there is a key `{0}` already")]
    Exists(String),
    /// The passphrase or secret is not the one under which the key is encrypted.
    #[error("the key `{name}` does not open with this passphrase or secret")]
    WrongPassphrase {
        /// The key.
        name: String,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// What was to be imported is no exported key.
    #[error("this is no exported key: {0}")]
    NotAKey(String),
    /// A file could not be read or written.
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
}

impl KeystoreError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadName(_) => {
                "Use 1 to 64 lower-case letters, digits, dots, hyphens and underscores; begin with a letter or digit."
            }
            Self::Missing(_) => "List the keys with `stele keys list`.",
            Self::Exists(_) => {
                "Choose another name; a key is never written over, for what it signed depends on it."
            }
            Self::WrongPassphrase { .. } => {
                "Check the passphrase. The node's own keys open with the `node.secret` beside them: restore that file."
            }
            Self::Damaged { .. } => {
                "Restore the file from a backup. Without one the key is lost: rotate to another key of the party."
            }
            Self::NotAKey(_) => "Give the JSON that `stele keys export` wrote, unchanged.",
            Self::Io { .. } => {
                "Check that the folder exists, belongs to the node's user, and has space left."
            }
        }
    }

    /// The rule's name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadName(_) => "keystore.bad-name",
            Self::Missing(_) => "keystore.no-such-key",
            Self::Exists(_) => "keystore.key-exists",
            Self::WrongPassphrase { .. } => "keystore.wrong-passphrase",
            Self::Damaged { .. } => "keystore.damaged",
            Self::NotAKey(_) => "keystore.not-a-key",
            Self::Io { .. } => "keystore.io",
        }
    }
}

/// Settings of argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A key file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    name: String,
    suite: String,
    kid: String,
    public: String,
    kdf: KdfMember,
    cipher: String,
    nonce: String,
    ciphertext: String,
    checksum: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KdfMember {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

/// A folder of encrypted keys.
pub struct Keystore {
    dir: PathBuf,
    unlock: Unlock,
    unlocked: RwLock<HashMap<String, Arc<SigningKey>>>,
}

impl fmt::Debug for Keystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystore")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Keystore {
    /// Opens the folder, which is made if it is missing. Nothing is unlocked yet.
    ///
    /// # Errors
    /// [`KeystoreError::Io`].
    pub fn open(dir: impl Into<PathBuf>, unlock: Unlock) -> Result<Self, KeystoreError> {
        let dir = dir.into();
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir);
        made.map_err(|source| KeystoreError::Io {
            action: "create",
            path: dir.clone(),
            source,
        })?;
        Ok(Self {
            dir,
            unlock,
            unlocked: RwLock::default(),
        })
    }

    /// Whether there is a key of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.exists())
    }

    /// Makes a key and keeps it unlocked.
    ///
    /// # Errors
    /// [`KeystoreError::Exists`], [`KeystoreError::BadName`] or [`KeystoreError::Io`].
    pub fn generate(&self, name: &str, suite: Suite) -> Result<PublicKey, KeystoreError> {
        let key = SigningKey::generate(suite, &mut UnwrapErr(SysRng));
        self.insert(name, key)
    }

    /// Keeps a key that was made elsewhere.
    ///
    /// # Errors
    /// As [`Keystore::generate`].
    pub fn insert(&self, name: &str, key: SigningKey) -> Result<PublicKey, KeystoreError> {
        let path = self.path(name)?;
        if path.exists() {
            return Err(KeystoreError::Exists(name.to_owned()));
        }
        let file = seal(name, &key, &self.unlock);
        self.write(name, &path, &file)?;
        let public = key.public().clone();
        self.unlocked.write().insert(name.to_owned(), Arc::new(key));
        Ok(public)
    }

    /// An owned copy of a key, for a part of the program that keeps its own.
    ///
    /// # Errors
    /// As [`Keystore::signer`].
    pub fn unlock(&self, name: &str) -> Result<SigningKey, KeystoreError> {
        let key = self.signer(name)?;
        let copy = SigningKey::from_secret_bytes(key.suite(), &key.to_secret_bytes());
        Ok(copy.expect("the secret of a key makes that key"))
    }

    /// A key to sign with, unlocked now or before. The first time costs what the passphrase's argon2id costs.
    ///
    /// # Errors
    /// [`KeystoreError::Missing`], [`KeystoreError::WrongPassphrase`], [`KeystoreError::Damaged`] names the file.
    pub fn signer(&self, name: &str) -> Result<Arc<SigningKey>, KeystoreError> {
        if let Some(key) = self.unlocked.read().get(name) {
            return Ok(Arc::clone(key));
        }
        let path = self.path(name)?;
        let file = self.read(name, &path)?;
        let key = match unseal(&file, &self.unlock) {
            Ok(key) => Arc::new(key),
            Err(Unsealed::WrongKey) => {
                return Err(KeystoreError::WrongPassphrase {
                    name: name.to_owned(),
                });
            }
            Err(Unsealed::Damaged(reason)) => return Err(KeystoreError::Damaged { path, reason }),
        };
        self.unlocked
            .write()
            .insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// Forgets all unlocked keys.
    pub fn lock(&self) {
        self.unlocked.write().clear();
    }

    /// The public half of a key, without unlocking it.
    ///
    /// # Errors
    /// [`KeystoreError::Missing`], [`KeystoreError::Damaged`].
    pub fn public(&self, name: &str) -> Result<PublicKey, KeystoreError> {
        if let Some(key) = self.unlocked.read().get(name) {
            return Ok(key.public().clone());
        }
        let path = self.path(name)?;
        let file = self.read(name, &path)?;
        public_of(&file).map_err(|reason| KeystoreError::Damaged { path, reason })
    }

    /// All keys, by name.
    ///
    /// # Errors
    /// [`KeystoreError::Damaged`] for the first file that cannot be read as a key, [`KeystoreError::Io`].
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeystoreError> {
        let failed = |source| KeystoreError::Io {
            action: "list",
            path: self.dir.clone(),
            source,
        };
        let mut names = Vec::new();
        for item in fs::read_dir(&self.dir).map_err(failed)? {
            let file_name = item.map_err(failed)?.file_name();
            if let Some(name) = file_name
                .to_str()
                .and_then(|name| name.strip_suffix(".json"))
                && check_name(name)
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        let info = |name: String| {
            Ok(KeyInfo {
                public: self.public(&name)?,
                name,
            })
        };
        names.into_iter().map(info).collect()
    }

    /// The key as JSON, encrypted under another passphrase, to be carried to another keystore.
    ///
    /// # Errors
    /// As [`Keystore::signer`].
    pub fn export(&self, name: &str, passphrase: &Unlock) -> Result<String, KeystoreError> {
        let key = self.signer(name)?;
        Ok(to_json(&seal(name, &key, passphrase)))
    }

    /// Takes in what [`Keystore::export`] wrote, under the name in it or another one.
    ///
    /// # Errors
    /// [`KeystoreError::NotAKey`], [`KeystoreError::WrongPassphrase`], [`KeystoreError::Exists`].
    pub fn import(
        &self,
        exported: &str,
        passphrase: &Unlock,
        rename: Option<&str>,
    ) -> Result<KeyInfo, KeystoreError> {
        if exported.len() as u64 > FILE_BYTES_MAX {
            return Err(KeystoreError::NotAKey(format!(
                "more than {FILE_BYTES_MAX} bytes"
            )));
        }
        let file: KeyFile = serde_json::from_str(exported)
            .map_err(|error| KeystoreError::NotAKey(error.to_string()))?;
        let key = unseal(&file, passphrase).map_err(|error| match error {
            Unsealed::WrongKey => KeystoreError::WrongPassphrase {
                name: file.name.clone(),
            },
            Unsealed::Damaged(reason) => KeystoreError::NotAKey(reason),
        })?;
        let name = rename.unwrap_or(&file.name).to_owned();
        let public = self.insert(&name, key)?;
        Ok(KeyInfo { name, public })
    }

    /// Removes a key for ever.
    ///
    /// # Errors
    /// [`KeystoreError::Missing`], [`KeystoreError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), KeystoreError> {
        let path = self.path(name)?;
        if !path.exists() {
            return Err(KeystoreError::Missing(name.to_owned()));
        }
        self.unlocked.write().remove(name);
        fs::remove_file(&path)
            .and_then(|()| sync_folder(&self.dir))
            .map_err(|source| KeystoreError::Io {
                action: "remove",
                path,
                source,
            })
    }

    fn path(&self, name: &str) -> Result<PathBuf, KeystoreError> {
        if check_name(name) {
            Ok(self.dir.join(format!("{name}.json")))
        } else {
            Err(KeystoreError::BadName(name.chars().take(80).collect()))
        }
    }

    fn read(&self, name: &str, path: &Path) -> Result<KeyFile, KeystoreError> {
        let damaged = |reason: String| KeystoreError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let mut text = String::new();
        let read = fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        match read {
            Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
                return Err(damaged("it is larger than any key file".to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeystoreError::Missing(name.to_owned()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(damaged("it is not text".to_owned()));
            }
            Err(source) => {
                return Err(KeystoreError::Io {
                    action: "read",
                    path: path.to_owned(),
                    source,
                });
            }
        }
        let file: KeyFile =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if file.name != name {
            return Err(damaged(format!("it holds the key `{}`", file.name)));
        }
        Ok(file)
    }

    fn write(&self, name: &str, path: &Path, file: &KeyFile) -> Result<(), KeystoreError> {
        let mut unique = [0; 8];
        fill(&mut unique);
        let temporary = self.dir.join(format!(".{name}.{}", hex::encode(unique)));
        let write = || {
            let mut out = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            out.write_all(to_json(file).as_bytes())?;
            out.sync_all()?;
            // A link, unlike a rename, does not replace what another process has put there meanwhile.
            fs::hard_link(&temporary, path)
        };
        let written = write();
        // A file left here is ignored: its name is that of no key.
        let _ = fs::remove_file(&temporary);
        match written.and_then(|()| sync_folder(&self.dir)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(KeystoreError::Exists(name.to_owned()))
            }
            Err(source) => Err(KeystoreError::Io {
                action: "write",
                path: path.to_owned(),
                source,
            }),
        }
    }
}

fn sync_folder(dir: &Path) -> std::io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives random bytes");
}

fn check_name(name: &str) -> bool {
    let first = name.as_bytes().first().copied().unwrap_or_default();
    name.len() <= KEY_NAME_BYTES_MAX
        && (first.is_ascii_lowercase() || first.is_ascii_digit())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

fn to_json(file: &KeyFile) -> String {
    serde_json::to_string_pretty(file).expect("plain data") + "\n"
}

/// Why a key file did not open.
enum Unsealed {
    WrongKey,
    Damaged(String),
}

fn seal(name: &str, key: &SigningKey, unlock: &Unlock) -> KeyFile {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    fill(&mut salt);
    fill(&mut nonce);
    let cost = unlock.cost();
    let mut file = KeyFile {
        format: FORMAT.to_owned(),
        name: name.to_owned(),
        suite: key.suite().name().to_owned(),
        kid: key.public().kid().to_string(),
        public: hex::encode(key.public().to_cose_key()),
        kdf: KdfMember {
            name: KDF.to_owned(),
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            lanes: cost.lanes,
            salt: hex::encode(salt),
        },
        cipher: CIPHER.to_owned(),
        nonce: hex::encode(nonce),
        ciphertext: String::new(),
        checksum: String::new(),
    };
    let file_key = derive(unlock, cost, &salt).expect("our own settings are valid");
    let secret = key.to_secret_bytes();
    let sealed = XChaCha20Poly1305::new(<&Key>::from(&*file_key)).encrypt(
        <&XNonce>::from(&nonce),
        Payload {
            msg: &secret,
            aad: &bound(&file),
        },
    );
    file.ciphertext = hex::encode(sealed.expect("a short message can be encrypted"));
    file.checksum = checksum(&file);
    file
}

fn unseal(file: &KeyFile, unlock: &Unlock) -> Result<SigningKey, Unsealed> {
    let damaged = |reason: &str| Unsealed::Damaged(reason.to_owned());
    let public = public_of(file).map_err(Unsealed::Damaged)?;
    if file.kdf.name != KDF || file.cipher != CIPHER {
        return Err(damaged("its key derivation or cipher is unknown"));
    }
    let KdfMember {
        memory_kib,
        passes,
        lanes,
        ..
    } = file.kdf;
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(damaged(
            "its key derivation asks for more than 1 GiB, 16 passes or 16 lanes",
        ));
    }
    let decode = |text: &str| hex::decode(text).map_err(|_| damaged("it is not hexadecimal"));
    let nonce: [u8; 24] = decode(&file.nonce)?
        .try_into()
        .map_err(|_| damaged("the nonce has another length"))?;
    let (salt, ciphertext) = (decode(&file.kdf.salt)?, decode(&file.ciphertext)?);
    let cost = Cost {
        memory_kib,
        passes,
        lanes,
    };
    let file_key = derive(unlock, cost, &salt)
        .ok_or_else(|| damaged("the settings of its key derivation are out of range"))?;
    let secret = XChaCha20Poly1305::new(<&Key>::from(&*file_key))
        .decrypt(
            <&XNonce>::from(&nonce),
            Payload {
                msg: &ciphertext,
                aad: &bound(file),
            },
        )
        .map_err(|_| Unsealed::WrongKey)?;
    let secret = Zeroizing::new(secret);
    let key = SigningKey::from_secret_bytes(public.suite(), &secret)
        .map_err(|error| Unsealed::Damaged(error.to_string()))?;
    if *key.public() != public {
        return Err(damaged(
            "its secret and its public key do not belong together",
        ));
    }
    Ok(key)
}

/// The public key in a file whose checksum and other members agree.
fn public_of(file: &KeyFile) -> Result<PublicKey, String> {
    if file.format != FORMAT {
        return Err(format!("its format is `{}`, not `{FORMAT}`", file.format));
    }
    if checksum(file) != file.checksum {
        return Err("its checksum does not fit its content".to_owned());
    }
    let cose_key = hex::decode(&file.public).map_err(|_| "it is not hexadecimal".to_owned())?;
    let public = PublicKey::from_cose_key(&cose_key).map_err(|error| error.to_string())?;
    if public.kid().to_string() != file.kid || public.suite().name() != file.suite {
        return Err("its key id or suite is not that of its public key".to_owned());
    }
    Ok(public)
}

/// What is bound to the ciphertext: everything that says which key this is.
fn bound(file: &KeyFile) -> Vec<u8> {
    let parts = [
        &file.format,
        &file.name,
        &file.suite,
        &file.kid,
        &file.public,
        &file.kdf.salt,
    ];
    parts
        .map(|part| format!("{}:{part}\n", part.len()))
        .concat()
        .into_bytes()
}

fn checksum(file: &KeyFile) -> String {
    let mut hash = Sha256::new();
    hash.update(bound(file));
    let kdf = &file.kdf;
    hash.update(format!(
        "{} {} {} {}\n",
        kdf.name, kdf.memory_kib, kdf.passes, kdf.lanes
    ));
    hash.update(format!(
        "{}\n{}\n{}\n",
        file.cipher, file.nonce, file.ciphertext
    ));
    hex::encode(hash.finalize())
}

fn derive(unlock: &Unlock, cost: Cost, salt: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(unlock.bytes(), salt, &mut *key)
        .ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn store() -> (tempfile::TempDir, Keystore) {
        let dir = tempfile::tempdir().unwrap();
        let store = Keystore::open(dir.path().join("keys"), Unlock::Secret(SECRET)).unwrap();
        (dir, store)
    }

    fn again(dir: &tempfile::TempDir, unlock: Unlock) -> Keystore {
        Keystore::open(dir.path().join("keys"), unlock).unwrap()
    }

    #[test]
    fn every_suite_survives_a_restart() {
        let (dir, store) = store();
        for suite in Suite::ALL {
            let name = suite.name().to_lowercase().replace('+', "-");
            let public = store.generate(&name, *suite).unwrap();
            let reopened = again(&dir, Unlock::Secret(SECRET));
            let key = reopened.unlock(&name).unwrap();
            assert_eq!(*key.public(), public);
            assert!(
                public
                    .verify(suite.algorithm(), b"m", &key.sign(b"m"))
                    .is_ok()
            );
        }
        let listed = again(&dir, Unlock::Secret([8; 32])).list().unwrap();
        assert_eq!(listed.len(), Suite::ALL.len(), "listing needs no secret");
        assert!(listed.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn files_are_for_their_owner_only_and_hold_no_secret() {
        let (dir, store) = store();
        store.generate("a", Suite::Ed25519).unwrap();
        let secret = hex::encode(&*store.signer("a").unwrap().to_secret_bytes());
        let files: Vec<_> = fs::read_dir(dir.path().join("keys")).unwrap().collect();
        assert_eq!(files.len(), 1, "no temporary file is left");
        let path = files[0].as_ref().unwrap().path();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let folder = fs::metadata(dir.path().join("keys")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        assert!(!fs::read_to_string(path).unwrap().contains(&secret));
        // The folder's random name may hold any digit, so the bytes are looked for as they would be shown.
        let shown = format!("{store:?}{:?}", Unlock::Secret(SECRET));
        assert!(!shown.contains("7, 7") && !shown.contains("0707"));
    }

    #[test]
    fn a_key_is_never_written_over() {
        let (dir, store) = store();
        let first = store.generate("a", Suite::Ed25519).unwrap();
        assert!(matches!(
            store.generate("a", Suite::Es256),
            Err(KeystoreError::Exists(_))
        ));
        // Another process that has looked before the file was there meets it when it links.
        let path = dir.path().join("keys/a.json");
        let other = seal(
            "a",
            &SigningKey::from_seed(Suite::Ed25519, &[1; 32]).unwrap(),
            &store.unlock,
        );
        assert!(matches!(
            store.write("a", &path, &other),
            Err(KeystoreError::Exists(_))
        ));
        assert_eq!(
            again(&dir, Unlock::Secret(SECRET)).public("a").unwrap(),
            first
        );
    }

    #[test]
    fn names_stay_inside_the_folder() {
        let (_dir, store) = store();
        for name in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            ".a",
            "A",
            "ä",
            "a\0",
            &"a".repeat(65),
        ] {
            assert!(
                matches!(
                    store.generate(name, Suite::Ed25519),
                    Err(KeystoreError::BadName(_))
                ),
                "{name}"
            );
            assert!(!store.contains(name));
        }
        store.generate(&"a".repeat(64), Suite::Ed25519).unwrap();
    }

    #[test]
    fn a_wrong_secret_and_a_damaged_file_are_told_apart() {
        let (dir, store) = store();
        store.generate("a", Suite::Ed25519).unwrap();
        let wrong = again(&dir, Unlock::Secret([8; 32]));
        assert!(matches!(
            wrong.signer("a"),
            Err(KeystoreError::WrongPassphrase { .. })
        ));
        assert!(matches!(wrong.signer("b"), Err(KeystoreError::Missing(_))));

        let path = dir.path().join("keys/a.json");
        let good = fs::read_to_string(&path).unwrap();
        let bytes = good.as_bytes();
        for at in (0..bytes.len()).step_by(7) {
            let mut bad = bytes.to_vec();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            match again(&dir, Unlock::Secret(SECRET)).signer("a") {
                Err(KeystoreError::Damaged { path: named, .. }) => assert_eq!(named, path),
                // White space and the case of nothing that matters.
                Ok(key) => assert_eq!(key.public().kid(), store.public("a").unwrap().kid()),
                other => panic!("byte {at}: {other:?}"),
            }
        }
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let cut = again(&dir, Unlock::Secret(SECRET));
        assert!(matches!(cut.list(), Err(KeystoreError::Damaged { .. })));
    }

    #[test]
    fn a_file_cannot_pass_for_another_key() {
        let (dir, store) = store();
        store.generate("a", Suite::Ed25519).unwrap();
        store.generate("b", Suite::Ed25519).unwrap();
        let folder = dir.path().join("keys");
        let a = fs::read_to_string(folder.join("a.json")).unwrap();
        fs::write(folder.join("b.json"), &a).unwrap();
        let reopened = again(&dir, Unlock::Secret(SECRET));
        assert!(matches!(
            reopened.signer("b"),
            Err(KeystoreError::Damaged { .. })
        ));
        // Renamed and with a fitting checksum, it still does not open.
        let mut file: KeyFile = serde_json::from_str(&a).unwrap();
        file.name = "b".to_owned();
        file.checksum = checksum(&file);
        fs::write(folder.join("b.json"), to_json(&file)).unwrap();
        assert!(matches!(
            reopened.signer("b"),
            Err(KeystoreError::WrongPassphrase { .. })
        ));
    }

    #[test]
    fn a_file_cannot_ask_for_endless_work() {
        let (dir, store) = store();
        store.generate("a", Suite::Ed25519).unwrap();
        let path = dir.path().join("keys/a.json");
        let mut file: KeyFile = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        file.kdf.memory_kib = u32::MAX;
        file.checksum = checksum(&file);
        fs::write(&path, to_json(&file)).unwrap();
        let reopened = again(&dir, Unlock::Secret(SECRET));
        assert!(matches!(
            reopened.signer("a"),
            Err(KeystoreError::Damaged { .. })
        ));
    }

    #[test]
    fn a_key_travels_under_a_passphrase() {
        let (_dir, store) = store();
        let (other_dir, other) = self::store();
        let public = store.generate("a", Suite::Es256).unwrap();
        let passphrase = || Unlock::Passphrase("correct horse".to_owned());
        let exported = store.export("a", &passphrase()).unwrap();
        let wrong = Unlock::Passphrase("wrong horse".to_owned());
        assert!(matches!(
            other.import(&exported, &wrong, None),
            Err(KeystoreError::WrongPassphrase { .. })
        ));
        assert!(matches!(
            other.import("{}", &wrong, None),
            Err(KeystoreError::NotAKey(_))
        ));
        assert_eq!(
            other
                .import(&exported, &passphrase(), Some("b"))
                .unwrap()
                .public,
            public
        );
        let reopened = again(&other_dir, Unlock::Secret(SECRET));
        assert_eq!(*reopened.signer("b").unwrap().public(), public);
        reopened.remove("b").unwrap();
        assert!(matches!(
            reopened.signer("b"),
            Err(KeystoreError::Missing(_))
        ));
        assert!(matches!(
            reopened.remove("b"),
            Err(KeystoreError::Missing(_))
        ));
    }
}
