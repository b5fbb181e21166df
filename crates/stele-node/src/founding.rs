//! Founding a network among organisations: cards, plans, and what a founder keeps until the network is on its disk.
//!
//! | path in the home | holds |
//! |---|---|
//! | `validator/founder.json` | this founder's card and where its node listens |
//! | `validator/founding.secret` | what its dealing follows from; removed when the network is on its disk |
//! | `validator/founding.cbor` | how far the ceremony came: the plan's hash, the public side of the shares, signatures over block 0 |
//!
//! The steps and why it is safe to be killed between them: [`stele_network::ceremony::Meeting`].

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_core::block::Certificate;
use stele_core::cbor::{Decoder, Encoder};
use stele_core::genesis::{Genesis, Member, SHARING_BYTES_MAX, VALIDATORS_MAX};
use stele_core::id::{RegisterName, TimeMs};
use stele_core::suite::{PublicKey, Suite};
use stele_ledger::ledger::{Ledger, system_time};
use stele_network::ceremony::{
    FoundingFiles, FoundingProgress, FoundingSecret, Kept, Meeting, hold_founding,
};
use stele_network::keys::{NodeKey, PARTIAL_BYTES, Share, Sharing};
use stele_network::{Card, CardError, Founder, FoundingPlan};
use stele_registers::Registry;

use crate::auth::{Keystore, Unlock};
use crate::local_network::{EPOCH_BLOCKS, registers_of};
use crate::seat::{io, write_durably};
use crate::{Bundle, Home, NodeError, OPERATOR_KEY};

/// The first line of a card.
const CARD_FORMAT: &str = "stele-founder-card/1";
/// The first line of a plan.
const PLAN_FORMAT: &str = "stele-founding-plan/1";
/// The largest file of either kind.
pub const FOUNDING_FILE_BYTES_MAX: usize = 1 << 20;
/// How far the time of block 0 may be ahead of this machine's clock.
const AHEAD_MS_MAX: u64 = 60_000;

/// Why a card or a plan is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file is not of its form.
    #[error("it is no {expected}: {reason}")]
    Format {
        /// `founder's card` or `founding plan`.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A card does not hold.
    #[error("the card of {name} does not hold")]
    Card {
        /// The name on it.
        name: String,
        /// The cause.
        #[source]
        source: CardError,
    },
    /// The founders do not make a network.
    #[error(transparent)]
    Plan(#[from] stele_network::ceremony::CeremonyError),
    /// This program lacks a register of the plan.
    #[error("the plan begins with {name} version {version}, which this program lacks")]
    Register {
        /// The register.
        name: String,
        /// Its version.
        version: u64,
    },
    /// The network would begin in the future.
    #[error("the network would begin {ahead_s} s after now by this machine's clock")]
    Ahead {
        /// How far ahead, in seconds.
        ahead_s: u64,
    },
}

impl PlanError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Format { .. } => {
                "cards come from `stele network card`, plans from `stele network plan`; send them as they are"
            }
            Self::Card { .. } => {
                "ask that founder for the card again, as `stele network card` wrote it"
            }
            Self::Plan(_) => {
                "make the plan anew with `stele network plan`, one card for each founder"
            }
            Self::Register { .. } => "all founders need the same version of the program",
            Self::Ahead { .. } => "set the clocks right (NTP), or make the plan anew",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    format: String,
    name: String,
    address: String,
    member_key: String,
    node_key: String,
    member_signature: String,
    node_signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    name: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    format: String,
    name: String,
    time_ms: u64,
    epoch_blocks: u64,
    registers: Vec<RegisterFile>,
    founders: Vec<CardFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FounderFile {
    listen: SocketAddr,
    card: CardFile,
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data") + "\n"
}

fn unreadable(expected: &'static str, reason: impl ToString) -> PlanError {
    PlanError::Format {
        expected,
        reason: reason.to_string(),
    }
}

const CARD: &str = "founder's card";
const PLAN: &str = "founding plan";

impl CardFile {
    fn of(card: &Card) -> Self {
        let founder = &card.founder;
        Self {
            format: CARD_FORMAT.to_owned(),
            name: founder.member.name.clone(),
            address: founder.address.clone(),
            member_key: hex::encode(founder.member.key.to_cose_key()),
            node_key: hex::encode(founder.node_key),
            member_signature: hex::encode(&card.member_signature),
            node_signature: hex::encode(&card.node_signature),
        }
    }

    fn card(self) -> Result<Card, PlanError> {
        if self.format != CARD_FORMAT {
            return Err(unreadable(CARD, format!("its format is not {CARD_FORMAT}")));
        }
        let hex = |what: &str, text: &str| {
            hex::decode(text).map_err(|error| unreadable(CARD, format!("{what}: {error}")))
        };
        let key = PublicKey::from_cose_key(&hex("member_key", &self.member_key)?)
            .map_err(|error| unreadable(CARD, format!("member_key: {error}")))?;
        let node_key = hex("node_key", &self.node_key)?;
        let card = Card {
            founder: Founder {
                member: Member {
                    name: self.name.clone(),
                    key,
                },
                node_key: <[u8; 32]>::try_from(&node_key[..])
                    .map_err(|_| unreadable(CARD, "node_key: it has 32 bytes"))?,
                address: self.address.clone(),
            },
            member_signature: hex("member_signature", &self.member_signature)?,
            node_signature: hex("node_signature", &self.node_signature)?,
        };
        let name = self.name;
        match card.verify() {
            Ok(()) => Ok(card),
            Err(source) => Err(PlanError::Card { name, source }),
        }
    }
}

/// The text of a card's file.
pub fn write_card(card: &Card) -> String {
    json(&CardFile::of(card))
}

/// Reads a card's file and checks it.
///
/// # Errors
/// [`PlanError`].
pub fn read_card(bytes: &[u8]) -> Result<Card, PlanError> {
    let file: CardFile = read_json(bytes, CARD)?;
    file.card()
}

fn read_json<T: for<'a> Deserialize<'a>>(
    bytes: &[u8],
    expected: &'static str,
) -> Result<T, PlanError> {
    if bytes.len() > FOUNDING_FILE_BYTES_MAX {
        return Err(unreadable(expected, "it is larger than any"));
    }
    serde_json::from_slice(bytes).map_err(|error| unreadable(expected, error))
}

/// A plan made of cards, with this program's registers, beginning now.
///
/// # Errors
/// [`PlanError::Plan`].
pub fn make_plan(name: &str, cards: Vec<Card>, registry: &Registry) -> Result<Plan, PlanError> {
    let plan = FoundingPlan {
        name: name.to_owned(),
        time: system_time(),
        epoch_blocks: EPOCH_BLOCKS,
        registers: registers_of(registry),
        founders: cards.iter().map(|card| card.founder.clone()).collect(),
    };
    plan.check()?;
    Ok(Plan { plan, cards })
}

/// A founding plan with the cards that its founders have signed.
#[derive(Debug, Clone)]
pub struct Plan {
    plan: FoundingPlan,
    cards: Vec<Card>,
}

impl Plan {
    /// What the founders agree on.
    pub fn agreed(&self) -> &FoundingPlan {
        &self.plan
    }

    /// The text of a plan's file.
    pub fn write(&self) -> String {
        json(&PlanFile {
            format: PLAN_FORMAT.to_owned(),
            name: self.plan.name.clone(),
            time_ms: self.plan.time.get(),
            epoch_blocks: self.plan.epoch_blocks,
            registers: (self.plan.registers.iter())
                .map(|(name, version)| RegisterFile {
                    name: name.as_str().to_owned(),
                    version: *version,
                })
                .collect(),
            founders: self.cards.iter().map(CardFile::of).collect(),
        })
    }

    /// Reads a plan's file, and checks each card and whether a network can begin with it.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn read(bytes: &[u8], registry: &Registry) -> Result<Self, PlanError> {
        let file: PlanFile = read_json(bytes, PLAN)?;
        if file.format != PLAN_FORMAT {
            return Err(unreadable(PLAN, format!("its format is not {PLAN_FORMAT}")));
        }
        let mut registers = Vec::new();
        for RegisterFile { name, version } in file.registers {
            let known = RegisterName::new(&name).ok();
            match known.filter(|_| registry.find(&name, version).is_some()) {
                Some(known) => registers.push((known, version)),
                None => return Err(PlanError::Register { name, version }),
            }
        }
        let cards: Result<Vec<_>, _> = file.founders.into_iter().map(CardFile::card).collect();
        let cards = cards?;
        let plan = FoundingPlan {
            name: file.name,
            time: TimeMs::new(file.time_ms),
            epoch_blocks: file.epoch_blocks,
            registers,
            founders: cards.iter().map(|card| card.founder.clone()).collect(),
        };
        plan.check()?;
        // A validator does not vote for blocks far ahead of its clock, and no block is before block 0.
        let ahead = file.time_ms.saturating_sub(system_time().get());
        if ahead > AHEAD_MS_MAX {
            return Err(PlanError::Ahead {
                ahead_s: ahead / 1_000,
            });
        }
        Ok(Self { plan, cards })
    }
}

impl Home {
    fn founder_file(&self) -> PathBuf {
        self.seat().join("founder.json")
    }

    fn founding_secret(&self) -> PathBuf {
        self.seat().join("founding.secret")
    }

    fn founding_state(&self) -> PathBuf {
        self.seat().join("founding.cbor")
    }

    /// Whether this home has made a card for a founding that is not over.
    pub fn awaits_founding(&self) -> bool {
        self.founder_file().exists() && !self.has_seat()
    }

    /// Makes this founder's keys, where they are missing, and its card.
    ///
    /// # Errors
    /// [`NodeError::Occupied`] if the home holds a network, and others.
    pub fn make_card(
        &self,
        name: &str,
        address: &str,
        listen: SocketAddr,
    ) -> Result<Card, NodeError> {
        if Ledger::exists(&self.ledger()) || self.has_seat() {
            return Err(NodeError::Occupied(self.dir().to_owned()));
        }
        let keystore = Keystore::open(self.keys(), Unlock::Secret(self.secret()?))?;
        if !keystore.contains(OPERATOR_KEY) {
            keystore.generate(OPERATOR_KEY, Suite::Ed25519)?;
        }
        let member = keystore.unlock(OPERATOR_KEY)?;
        let node_key = self.node_key_or_new()?;
        let founder = Founder {
            member: Member {
                name: name.to_owned(),
                key: member.public().clone(),
            },
            node_key: node_key.public(),
            address: address.to_owned(),
        };
        let card = Card::sign(founder, &member, &node_key)?;
        let file = FounderFile {
            listen,
            card: CardFile::of(&card),
        };
        write_durably(&self.founder_file(), json(&file).as_bytes())?;
        Ok(card)
    }

    fn node_key_or_new(&self) -> Result<NodeKey, NodeError> {
        let path = self.node_key();
        if path.exists() {
            return Ok(NodeKey::load(&path)?);
        }
        let key = NodeKey::generate();
        key.save(&path)?;
        Ok(key)
    }

    /// This home's card, and where its node listens; `None` if it has made none.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn founder(&self) -> Result<Option<(Card, SocketAddr)>, NodeError> {
        let path = self.founder_file();
        if !path.exists() {
            return Ok(None);
        }
        let damaged = || NodeError::Damaged {
            what: path.display().to_string(),
            hint: "write it again with `stele network card`; the keys stay",
        };
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let file: FounderFile = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let card = file.card.card().map_err(|_| damaged())?;
        Ok(Some((card, file.listen)))
    }
}

/// What a founder has after the founding.
#[derive(Debug, Clone)]
pub struct FoundedNetwork {
    /// Genesis and block 0.
    pub bundle: Bundle,
    /// Whether the network was on this disk before: this run only told the others.
    pub before: bool,
}

/// Holds the founding with the other founders of the plan, on the calling thread, until everyone is done; goes on where an
/// earlier run stopped. Where the network is on this disk already, the others are told what they lack.
///
/// # Errors
/// [`NodeError`]: nothing of the network is on the disk, or all of it.
pub fn found_with_others(
    home: &Home,
    plan: &Plan,
    registry: &Arc<Registry>,
    tell: &mut dyn FnMut(FoundingProgress),
) -> Result<FoundedNetwork, NodeError> {
    let founder = home.founder()?.ok_or(NodeError::NoCard)?;
    let (card, listen) = founder;
    if !plan.cards.contains(&card) {
        return Err(NodeError::NotInPlan(card.founder.member.name));
    }
    let context = plan.plan.context();
    let before = home.has_seat();
    let node_key = NodeKey::load(&home.node_key())?;
    let mut files = Files {
        home: home.clone(),
        registry: Arc::clone(registry),
        node_key: node_key.clone(),
        listen,
        context,
    };
    let kept = files.load()?;
    if before && !kept.seated {
        return Err(NodeError::Occupied(home.dir().to_owned()));
    }
    let secret = if kept.seated {
        None
    } else {
        Some(files.secret_or_new()?)
    };
    let machine = Arc::clone(registry) as Arc<dyn stele_core::machine::StateMachine>;
    let meeting = Meeting::new(&node_key, plan.plan.clone(), machine, secret.as_ref(), kept)?;
    let scratch = home.seat().join("founding-runtime");
    let held = hold_founding(&node_key, meeting, listen, &scratch, &mut files, tell);
    // Nothing of value lies there; what cannot be removed does no harm.
    let _ = fs::remove_dir_all(&scratch);
    held?;
    let path = home.bundle();
    let bytes = fs::read(&path).map_err(io("read", &path))?;
    let bundle = Bundle::decode(&bytes).map_err(|_| NodeError::Damaged {
        what: path.display().to_string(),
        hint: "copy `network.bundle` from another founder",
    })?;
    Ok(FoundedNetwork { bundle, before })
}

/// Finishes a founding from the bundle of another founder: for one who was away when the others ended theirs.
///
/// # Errors
/// [`NodeError`].
pub fn found_from_bundle(
    home: &Home,
    plan: &Plan,
    registry: &Arc<Registry>,
    bundle: &Bundle,
) -> Result<(), NodeError> {
    let (card, listen) = home.founder()?.ok_or(NodeError::NoCard)?;
    if !plan.cards.contains(&card) {
        return Err(NodeError::NotInPlan(card.founder.member.name));
    }
    if home.has_seat() {
        return Err(NodeError::Occupied(home.dir().to_owned()));
    }
    let files = Files {
        home: home.clone(),
        registry: Arc::clone(registry),
        node_key: NodeKey::load(&home.node_key())?,
        listen,
        context: plan.plan.context(),
    };
    let kept = files.load()?;
    let Some((_, sharing)) = kept.share else {
        return Err(NodeError::NoShare);
    };
    if bundle.genesis != plan.plan.genesis(&sharing)? {
        return Err(NodeError::OtherNetwork);
    }
    files.seat(bundle)
}

/// The home of a founder, as the ceremony uses it.
struct Files {
    home: Home,
    registry: Arc<Registry>,
    node_key: NodeKey,
    listen: SocketAddr,
    context: [u8; 32],
}

impl Files {
    /// What an earlier run under the same plan kept.
    fn load(&self) -> Result<Kept, NodeError> {
        let path = self.home.founding_state();
        if !path.exists() {
            return Ok(Kept::default());
        }
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let (context, sharing, partials) =
            decode_state(&bytes).ok_or_else(|| NodeError::Damaged {
                what: path.display().to_string(),
                hint: "restore it from a backup, or begin again under a new plan",
            })?;
        if context != self.context {
            return Ok(Kept::default());
        }
        let share = Share::load(&self.home.share(1))?;
        Ok(Kept {
            share: Some((share, sharing)),
            seated: self.home.has_seat() && !partials.is_empty(),
            partials,
        })
    }

    fn secret_or_new(&self) -> Result<FoundingSecret, NodeError> {
        let path = self.home.founding_secret();
        if path.exists() {
            return Ok(FoundingSecret::load(&path)?);
        }
        let secret = FoundingSecret::generate();
        secret.save(&path)?;
        Ok(secret)
    }

    fn keep_state(
        &self,
        sharing: &Sharing,
        partials: &[[u8; PARTIAL_BYTES]],
    ) -> Result<(), NodeError> {
        let bytes = encode_state(&self.context, sharing, partials);
        write_durably(&self.home.founding_state(), &bytes)
    }

    fn seat(&self, bundle: &Bundle) -> Result<(), NodeError> {
        let share = Share::load(&self.home.share(1))?;
        self.home.take_seat(
            bundle,
            &self.registry,
            &self.node_key,
            Some(&share),
            self.listen,
            &[],
        )?;
        let secret = self.home.founding_secret();
        if secret.exists() {
            fs::remove_file(&secret).map_err(io("remove", &secret))?;
        }
        Ok(())
    }
}

impl FoundingFiles for Files {
    fn keep_share(
        &mut self,
        share: &Share,
        sharing: &Sharing,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        // The state names the plan that the share is of, so it comes last.
        share.save(&self.home.share(1))?;
        self.keep_state(sharing, &[])?;
        Ok(())
    }

    fn take_seat(
        &mut self,
        genesis: &Genesis,
        block_zero: &Certificate,
        partials: &[[u8; PARTIAL_BYTES]],
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let committee = genesis
            .committee
            .as_ref()
            .expect("founders are a committee");
        self.keep_state(&Sharing::decode(&committee.sharing)?, partials)?;
        self.seat(&Bundle {
            genesis: genesis.clone(),
            block_zero: block_zero.clone(),
        })?;
        Ok(())
    }
}

fn encode_state(
    context: &[u8; 32],
    sharing: &Sharing,
    partials: &[[u8; PARTIAL_BYTES]],
) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(4)
        .uint(1)
        .bytes(context)
        .bytes(&sharing.encode())
        .array(partials.len());
    for partial in partials {
        out.bytes(partial);
    }
    out.into_vec()
}

type State = ([u8; 32], Sharing, Vec<[u8; PARTIAL_BYTES]>);

fn decode_state(bytes: &[u8]) -> Option<State> {
    let mut decoder = Decoder::new(bytes);
    decoder.array_of(4, "four parts").ok()?;
    decoder.exactly(1, "version 1").ok()?;
    let context = decoder.bytes32().ok()?;
    let sharing = Sharing::decode(decoder.bytes(SHARING_BYTES_MAX).ok()?).ok()?;
    let count = decoder.array(VALIDATORS_MAX).ok()?;
    let partials = (0..count).map(|_| {
        let bytes = decoder.bytes(PARTIAL_BYTES).ok()?;
        bytes.try_into().ok()
    });
    let partials: Option<Vec<_>> = partials.collect();
    let partials = partials?;
    decoder.finish().ok()?;
    Some((context, sharing, partials))
}

#[cfg(test)]
mod tests {
    use stele_network::ceremony::found_in_process;

    use super::*;

    #[test]
    fn what_the_ceremony_keeps_is_read_as_it_was_written_or_not_at_all() {
        let keys: Vec<_> = (1..=4).map(|n| NodeKey::from_seed(&[n; 32])).collect();
        let sharing = found_in_process(&keys, &[0; 32]).unwrap().remove(0).sharing;
        for partials in [vec![], vec![[7; PARTIAL_BYTES]; 4]] {
            let bytes = encode_state(&[9; 32], &sharing, &partials);
            let read = decode_state(&bytes).unwrap();
            assert_eq!(read, ([9; 32], sharing.clone(), partials));
            for cut in 0..bytes.len() {
                assert!(decode_state(&bytes[..cut]).is_none());
            }
            assert!(decode_state(&[bytes, vec![0]].concat()).is_none());
        }
    }

    #[test]
    fn a_card_is_read_as_it_was_written_or_refused_in_words() {
        let home = tempfile::tempdir().unwrap();
        let home = Home::new(home.path().join("mill"));
        let listen = SocketAddr::from(([127, 0, 0, 1], 7_100));
        let make = |name: &str| home.make_card(name, "mill.example:7100", listen);
        let card = make("Fictional Mill").unwrap();
        assert_eq!(read_card(write_card(&card).as_bytes()).unwrap(), card);
        assert_eq!(home.founder().unwrap(), Some((card.clone(), listen)));
        assert!(home.awaits_founding());
        // The keys stay when the card is made again; a name that is none changes nothing.
        let again = make("Fictional Mill and Sons").unwrap();
        assert_eq!(again.founder.node_key, card.founder.node_key);
        assert_eq!(again.founder.member.key, card.founder.member.key);
        assert!(matches!(make(""), Err(NodeError::Card(CardError::Name))));
        assert_eq!(home.founder().unwrap().unwrap().0, again);
        let text = write_card(&card);
        let changes = [
            ("stele-founder-card/1", "stele-founder-card/2"),
            ("\"name\"", "\"names\""),
            ("\"node_key\": \"", "\"node_key\": \"zz"),
            ("\"node_key\": \"", "\"node_key\": \"00"),
            ("\"member_key\": \"a", "\"member_key\": \"b"),
            ("mill.example", "bank.example"),
        ];
        for (from, to) in changes {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let error = read_card(changed.as_bytes()).unwrap_err();
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
        }
        let long = vec![b' '; FOUNDING_FILE_BYTES_MAX + 1];
        assert!(matches!(read_card(&long), Err(PlanError::Format { .. })));
    }
}
