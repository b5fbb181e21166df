//! Where a node keeps its shares of the network key, and the dealings that become its next one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use stele_core::cbor::{DecodeError, Decoder, Encoder};

use super::{KeyError, Share, file};

/// What a validator of the present committee dealt to this node. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Dealing {
    /// The node key of the validator that dealt.
    pub dealer: [u8; 32],
    /// Its public commitment.
    pub commitment: Vec<u8>,
    /// The secret part that is this node's.
    pub share: Vec<u8>,
}

impl std::fmt::Debug for Dealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dealing(of {}, redacted)", hex::encode(self.dealer))
    }
}

impl Dealing {
    fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.array(3)
            .bytes(&self.dealer)
            .bytes(&self.commitment)
            .bytes(&self.share);
        out.into_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array_of(3, "a dealing of three parts")?;
        let dealing = Self {
            dealer: decoder.bytes32()?,
            commitment: decoder.bytes(64 << 10)?.to_vec(),
            share: decoder.bytes(64)?.to_vec(),
        };
        decoder.finish()?;
        Ok(dealing)
    }
}

/// Keeps secrets. What a method has kept is durable when it returns.
pub trait Secrets: Send + Sync {
    /// All shares, by the number of their committee.
    ///
    /// # Errors
    /// [`KeyError`].
    fn shares(&self) -> Result<BTreeMap<u64, Share>, KeyError>;

    /// Keeps the share in a committee.
    ///
    /// # Errors
    /// [`KeyError`].
    fn keep_share(&self, committee: u64, share: &Share) -> Result<(), KeyError>;

    /// Destroys the shares of committees before this one: a quorum of old shares would still sign as the network.
    ///
    /// # Errors
    /// [`KeyError`].
    fn forget_shares_before(&self, committee: u64) -> Result<(), KeyError>;

    /// Whether this node has ever taken part in the engine. Kept apart from the engine's own journal, so that a node knows when that was lost.
    ///
    /// # Errors
    /// [`KeyError`].
    fn has_begun(&self) -> Result<bool, KeyError>;

    /// Notes that this node takes part from now on.
    ///
    /// # Errors
    /// [`KeyError`].
    fn begin(&self) -> Result<(), KeyError>;

    /// The dealings to this node in a round.
    ///
    /// # Errors
    /// [`KeyError`].
    fn dealings(&self, round: u64) -> Result<Vec<Dealing>, KeyError>;

    /// Keeps a dealing, and destroys those of earlier rounds.
    ///
    /// # Errors
    /// [`KeyError`].
    fn keep_dealing(&self, round: u64, dealing: &Dealing) -> Result<(), KeyError>;
}

/// The empty file that says that the node has taken part.
const BEGUN: &str = "begun";

/// Secrets as files that only their owner reads: `share-N.key`, and `dealing-R-KEY.key` for round R and a dealer. `begun` is
/// there once the node has taken part.
#[derive(Debug, Clone)]
pub struct SecretsFolder {
    dir: PathBuf,
}

impl SecretsFolder {
    /// In this folder, which is made when something is kept.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn share(&self, committee: u64) -> PathBuf {
        self.dir.join(format!("share-{committee}.key"))
    }

    /// Files named `prefix-NUMBER...key`, with their numbers.
    fn files(&self, prefix: &str) -> Result<Vec<(u64, PathBuf)>, KeyError> {
        let io = |source| KeyError::Io {
            action: "read",
            path: self.dir.clone(),
            source,
        };
        let listed = match fs::read_dir(&self.dir) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut found = Vec::new();
        for entry in listed {
            let path = entry.map_err(io)?.path();
            let number = path.file_name().and_then(|name| {
                let rest = name.to_str()?.strip_prefix(prefix)?.strip_suffix(".key")?;
                rest.split('-').next()?.parse().ok()
            });
            if let Some(number) = number {
                found.push((number, path));
            }
        }
        found.sort();
        Ok(found)
    }

    fn forget(&self, prefix: &str, before: u64) -> Result<(), KeyError> {
        for (number, path) in self.files(prefix)? {
            if number < before {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), KeyError> {
    fs::remove_file(path).map_err(|source| KeyError::Io {
        action: "remove",
        path: path.to_owned(),
        source,
    })
}

impl Secrets for SecretsFolder {
    fn shares(&self) -> Result<BTreeMap<u64, Share>, KeyError> {
        let files = self.files("share-")?.into_iter();
        files
            .map(|(number, path)| Ok((number, Share::load(&path)?)))
            .collect()
    }

    fn keep_share(&self, committee: u64, share: &Share) -> Result<(), KeyError> {
        share.save(&self.share(committee))
    }

    fn forget_shares_before(&self, committee: u64) -> Result<(), KeyError> {
        self.forget("share-", committee)
    }

    fn has_begun(&self) -> Result<bool, KeyError> {
        Ok(self.dir.join(BEGUN).exists())
    }

    fn begin(&self) -> Result<(), KeyError> {
        file::write(&self.dir.join(BEGUN), b"")
    }

    fn dealings(&self, round: u64) -> Result<Vec<Dealing>, KeyError> {
        let mut dealings = Vec::new();
        for (number, path) in self.files("dealing-")? {
            if number == round {
                let bytes = file::read(&path)?;
                let dealing = Dealing::decode(&bytes).map_err(|_| KeyError::Damaged {
                    path,
                    expected: "a dealing of a change of the committee",
                })?;
                dealings.push(dealing);
            }
        }
        Ok(dealings)
    }

    fn keep_dealing(&self, round: u64, dealing: &Dealing) -> Result<(), KeyError> {
        let name = format!("dealing-{round}-{}.key", hex::encode(dealing.dealer));
        file::write(&self.dir.join(name), &dealing.encode())?;
        self.forget("dealing-", round)
    }
}

/// Secrets in memory: for benchmarks and simulations, whose nodes come back in the same process.
#[derive(Debug, Default)]
pub struct MemorySecrets {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    begun: bool,
    shares: BTreeMap<u64, Share>,
    dealings: BTreeMap<(u64, [u8; 32]), Dealing>,
}

impl MemorySecrets {
    /// With these shares.
    pub fn new(shares: BTreeMap<u64, Share>) -> Self {
        let kept = Kept {
            shares,
            ..Kept::default()
        };
        Self {
            kept: Mutex::new(kept),
        }
    }
}

impl Secrets for MemorySecrets {
    fn shares(&self) -> Result<BTreeMap<u64, Share>, KeyError> {
        Ok(self.kept.lock().shares.clone())
    }

    fn keep_share(&self, committee: u64, share: &Share) -> Result<(), KeyError> {
        self.kept.lock().shares.insert(committee, share.clone());
        Ok(())
    }

    fn forget_shares_before(&self, committee: u64) -> Result<(), KeyError> {
        let mut kept = self.kept.lock();
        kept.shares = kept.shares.split_off(&committee);
        Ok(())
    }

    fn has_begun(&self) -> Result<bool, KeyError> {
        Ok(self.kept.lock().begun)
    }

    fn begin(&self) -> Result<(), KeyError> {
        self.kept.lock().begun = true;
        Ok(())
    }

    fn dealings(&self, round: u64) -> Result<Vec<Dealing>, KeyError> {
        let kept = self.kept.lock();
        let of_round = kept.dealings.iter().filter(|((at, _), _)| *at == round);
        Ok(of_round.map(|(_, dealing)| dealing.clone()).collect())
    }

    fn keep_dealing(&self, round: u64, dealing: &Dealing) -> Result<(), KeyError> {
        let mut kept = self.kept.lock();
        kept.dealings.retain(|(at, _), _| *at >= round);
        let key = (round, dealing.dealer);
        kept.dealings.insert(key, dealing.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::found_from_seed;
    use crate::keys::NodeKey;

    fn contract(secrets: &dyn Secrets) {
        let node = NodeKey::from_seed(&[1; 32]);
        let founded = found_from_seed(&[node], &[9; 32], 1).unwrap();
        let share = &founded[0].share;
        assert!(secrets.shares().unwrap().is_empty());
        secrets.keep_share(1, share).unwrap();
        secrets.keep_share(2, share).unwrap();
        assert_eq!(secrets.shares().unwrap().len(), 2);
        secrets.forget_shares_before(2).unwrap();
        let left: Vec<_> = secrets.shares().unwrap().into_keys().collect();
        assert_eq!(left, [2]);
        let dealing = |dealer: u8| Dealing {
            dealer: [dealer; 32],
            commitment: vec![1; 96],
            share: vec![dealer; 32],
        };
        for dealer in [1, 2] {
            secrets.keep_dealing(3, &dealing(dealer)).unwrap();
        }
        assert_eq!(
            secrets.dealings(3).unwrap(),
            [dealing(1), dealing(2)].to_vec()
        );
        assert!(!secrets.has_begun().unwrap());
        secrets.begin().unwrap();
        assert!(secrets.has_begun().unwrap());
        secrets.keep_dealing(4, &dealing(1)).unwrap();
        assert!(secrets.dealings(3).unwrap().is_empty());
        assert_eq!(secrets.dealings(4).unwrap(), [dealing(1)].to_vec());
    }

    #[test]
    fn secrets_are_kept_and_forgotten_alike() {
        contract(&MemorySecrets::default());
        let dir = tempfile::tempdir().unwrap();
        contract(&SecretsFolder::new(dir.path().join("validator")));
    }

    #[test]
    fn a_damaged_dealing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dealing-1-00.key"), b"junk").unwrap();
        let error = SecretsFolder::new(dir.path()).dealings(1).unwrap_err();
        assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
    }
}
