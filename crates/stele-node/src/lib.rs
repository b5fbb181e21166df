//! One node: the ledger behind an HTTP API, with keystore, policies, metrics and the console.
//!
//! [`Node::start`] opens (or founds) what lies in its home, starts the read model and serves. The API is the only way in: the console,
//! the command line and the scenarios are ordinary clients of it.

#![allow(
    clippy::result_large_err,
    reason = "a Problem is made once for a refused request and never on a hot path"
)]

pub mod api;
mod app;
pub mod auth;
mod did_web;
mod epcis;
pub mod founding;
mod index;
mod init;
pub mod local_network;
mod metrics;
mod office;
mod problem;
mod runs;
mod seat;
mod snapshots;
mod witnesses;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use stele_core::suite::{SigningKey, Suite};
use stele_ledger::ledger::{Ledger, LedgerError, LedgerOptions};
use stele_network::{Identity, Network, Seat};
use stele_office::{Counter, Office};
use stele_readmodel::ReadModelError;
use stele_registers::Registry;
use stele_resolver::Resolver;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub use app::{App, SharedApp};
pub use init::{Home, NETWORK_KEY, OPERATOR_KEY, descriptor_json};
pub use problem::Problem;
pub use runs::{RunView, ScenarioInfo, ScenarioProgress, ScenarioRunner};
use seat::io;
pub use seat::{Bundle, SeatFiles};
pub use witnesses::{WitnessEndpoint, WitnessState};

use crate::auth::{
    ApiToken, Gate, GateSettings, Keystore, KeystoreError, Policies, PolicyError, QuotaSettings,
    Unlock,
};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::office::NodeChain;
use crate::runs::Runs;
use crate::snapshots::Snapshots;
use crate::witnesses::Witnesses;

/// After how many blocks a node makes a snapshot, unless told otherwise: about an hour of a busy network.
pub const SNAPSHOT_EVERY: u64 = 50_000;

/// How a node runs.
#[derive(Clone)]
pub struct NodeConfig {
    /// The folder with everything the node keeps.
    pub home: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The name of the network that is founded when the home is empty.
    pub network_name: String,
    /// Whether requests from this machine count as the operator's.
    pub trust_loopback: bool,
    /// Host names, beside its own address, under which the node may be asked.
    pub allowed_hosts: Vec<String>,
    /// The address by which wallets and other machines reach the node, such as `https://registry.example`; without one, where it
    /// listens.
    pub public_url: Option<String>,
    /// Whether the node fetches documents of did:web for whoever asks.
    pub resolve_did_web: bool,
    /// How much each caller may do.
    pub quotas: QuotaSettings,
    /// Outside witnesses that are asked to cosign the log's checkpoints.
    pub witnesses: Vec<WitnessEndpoint>,
    /// After how many blocks the node makes another snapshot for new nodes; 0 makes none.
    pub snapshot_every: u64,
    /// Only serve what is final: take no entries, and have no part in the network.
    pub read_only: bool,
    /// Settings of the ledger.
    pub ledger: LedgerOptions,
}

impl NodeConfig {
    /// The defaults for a home: loopback, port 4180.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 4180)),
            network_name: "Stele on one machine".to_owned(),
            trust_loopback: true,
            allowed_hosts: Vec::new(),
            public_url: None,
            resolve_did_web: false,
            quotas: QuotaSettings::default(),
            witnesses: Vec::new(),
            snapshot_every: SNAPSHOT_EVERY,
            read_only: false,
            ledger: LedgerOptions::default(),
        }
    }
}

/// Why a node did not start or stop well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A file could not be used.
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
    #[error("{what} is damaged")]
    Damaged {
        /// The file.
        what: String,
        /// The next step.
        hint: &'static str,
    },
    /// The address is taken or not this machine's.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A snapshot that the ledger was to begin from.
    #[error(transparent)]
    Snapshot(#[from] stele_ledger::snapshot::SnapshotError),
    /// The keystore.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The policies of the API.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The read model.
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    /// The EPCIS repository.
    #[error(transparent)]
    Epcis(#[from] stele_epcis::StoreError),
    /// The office's file.
    #[error("the office could not be opened: {0}")]
    Office(stele_credentials::Refusal),
    /// A node key or a share of the network key.
    #[error(transparent)]
    Key(#[from] stele_network::keys::KeyError),
    /// The committee of the network.
    #[error(transparent)]
    Committee(#[from] stele_network::CommitteeError),
    /// The key ceremony.
    #[error(transparent)]
    Ceremony(#[from] stele_network::ceremony::CeremonyError),
    /// A founding with others.
    #[error(transparent)]
    Founding(#[from] stele_network::ceremony::FoundingError),
    /// A founder's card.
    #[error(transparent)]
    Card(#[from] stele_network::CardError),
    /// The home has made a founder's card, and its network is not founded yet.
    #[error("the network of {} is not founded yet", .0.display())]
    NotFounded(PathBuf),
    /// The home holds a network already.
    #[error("{} holds a network already", .0.display())]
    Occupied(PathBuf),
    /// The home has no founder's card.
    #[error("this folder has no founder's card")]
    NoCard,
    /// The plan names this founder not, or by another card.
    #[error("the plan does not hold the card of {0} that is in this folder")]
    NotInPlan(String),
    /// The founding was not so far that this founder held its share.
    #[error("this folder holds no share of the network's key under this plan")]
    NoShare,
    /// The bundle is of another network.
    #[error("the bundle is of another network than the one that was founded here")]
    OtherNetwork,
    /// There is no ledger to be read.
    #[error("{} holds no network to be read", .0.display())]
    NothingToRead(PathBuf),
    /// The network has several validators, and this home has no seat in it.
    #[error("the network has several validators, and {} holds no seat in it", .0.display())]
    NoSeat(PathBuf),
}

impl NodeError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Damaged { hint, .. } => Some(hint),
            Self::Listen { .. } => Some(
                "give another address with --listen, for instance --listen 127.0.0.1:0 for a free port",
            ),
            Self::Ledger(error) => error.hint(),
            Self::Snapshot(error) => error.hint(),
            Self::Keystore(error) => Some(error.hint()),
            Self::Policy(_) => Some(
                "correct policies.cedar in the node's folder, or remove it to use the built-in policies; docs/security.md explains the words",
            ),
            Self::ReadModel(_) => {
                Some("the read model can be removed (index.db): it is filled again from the log")
            }
            Self::Epcis(_) => Some(
                "captured documents (epcis.db) are kept nowhere else: restore the file from a backup",
            ),
            Self::Office(_) => Some(
                "issued credentials (offices.db) are kept nowhere else: restore the file from a backup",
            ),
            Self::Key(_) => Some(
                "restore the folder `validator` from a backup; a share can only be made anew by a resharing",
            ),
            Self::NoSeat(_) => Some(
                "restore the folder `validator` from a backup, or join as a follower with `stele network join`",
            ),
            Self::NotFounded(_) => Some(
                "hold the founding with `stele network new`; another folder (--data) can hold a network of its own meanwhile",
            ),
            Self::Occupied(_) => Some("give another folder with --data"),
            Self::NothingToRead(_) => Some(
                "give the folder of a node with --data; without --read-only a network is founded",
            ),
            Self::NoCard => Some("make one with `stele network card`"),
            Self::NotInPlan(_) => Some(
                "have the plan made anew with the card in `validator/founder.json`, or give the folder that the card is from with --data",
            ),
            Self::NoShare => Some(
                "the others have gone on without this folder's share: restore the folder `validator` from a backup",
            ),
            Self::OtherNetwork => Some("take `network.bundle` from a founder of the same plan"),
            Self::Card(_) => Some("correct the words and make the card again"),
            Self::Ceremony(_) | Self::Founding(_) => Some(
                "settle it with the founder who is named, and run the command again; what was made so far is kept",
            ),
            Self::Committee(_) | Self::Io { .. } => None,
        }
    }
}

/// Starts nodes.
pub struct Node;

/// A node that serves.
pub struct RunningNode {
    url: String,
    app: SharedApp,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    founded: bool,
}

impl Node {
    /// Opens or founds the network in the home and serves.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start(
        config: NodeConfig,
        scenarios: Option<Arc<dyn ScenarioRunner>>,
    ) -> Result<RunningNode, NodeError> {
        let listener =
            TcpListener::bind(config.listen)
                .await
                .map_err(|source| NodeError::Listen {
                    address: config.listen,
                    source,
                })?;
        let address = listener.local_addr().map_err(|source| NodeError::Listen {
            address: config.listen,
            source,
        })?;
        let url = format!("http://{address}");
        let address_of_node = url.clone();
        let opened =
            tokio::task::spawn_blocking(move || open(&config, scenarios, address_of_node)).await;
        let (app, founded) = opened.expect("opening does not panic")?;
        let app = Arc::new(app);
        app.chain.set(&app);
        let (stop, stopped) = oneshot::channel::<()>();
        let router =
            api::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let server = tokio::spawn(async move { serve.await });
        Ok(RunningNode {
            url,
            app,
            stop,
            server,
            founded,
        })
    }
}

fn open(
    config: &NodeConfig,
    scenarios: Option<Arc<dyn ScenarioRunner>>,
    url: String,
) -> Result<(App, bool), NodeError> {
    let home = Home::new(&config.home);
    let registry = Arc::new(Registry::standard());
    if config.read_only && !Ledger::exists(&home.ledger()) {
        return Err(NodeError::NothingToRead(home.dir().to_owned()));
    }
    if home.awaits_founding() {
        return Err(NodeError::NotFounded(home.dir().to_owned()));
    }
    let secret = home.secret()?;
    let keystore = Keystore::open(home.keys(), Unlock::Secret(secret))?;
    let seat = home.read_seat()?;
    let founded =
        seat.is_none() && home.found_network(&config.network_name, &keystore, &registry)?;
    let policies = Policies::load(&home.policies())?;
    let settings = GateSettings {
        trust_loopback: config.trust_loopback,
        allowed_hosts: config.allowed_hosts.clone(),
        quotas: config.quotas,
    };
    let (ledger, network) = if config.read_only {
        (open_read_only(&home, &registry, &config.ledger)?, None)
    } else {
        open_ledger(&home, &registry, &keystore, seat, &config.ledger)?
    };
    let (moved, heads) = watch::channel(ledger.head().height().get());
    ledger.on_head(move |head| {
        moved.send_replace(head.height().get());
    });
    // A node that is only read makes no snapshots and asks no witnesses.
    let (snapshot_every, asked) = if config.read_only {
        (0, &[][..])
    } else {
        (config.snapshot_every, &config.witnesses[..])
    };
    let snapshots = Snapshots::start(home.snapshots(), &ledger, snapshot_every);
    let model = Index::open(&home.index())?;
    let index = Index::start(model, Arc::clone(&ledger), Arc::clone(&registry));
    let operator = if config.read_only && !keystore.contains(OPERATOR_KEY) {
        // A copy without keys can be read all the same: nothing is signed.
        SigningKey::generate(Suite::Ed25519, &mut UnwrapErr(SysRng))
    } else {
        keystore.unlock(OPERATOR_KEY)?
    };
    let epcis = Arc::new(epcis::open(&home.epcis(), Arc::clone(&ledger), operator)?);
    if !config.read_only {
        resume_captures(&epcis);
    }
    let path = home.rolls();
    let resolver = Resolver::open(Arc::clone(&ledger), &path).map_err(io("open", &path))?;
    let log_key = Arc::new(witnesses::log_key(&secret));
    let chain = Arc::new(NodeChain::default());
    let base = config.public_url.as_deref().unwrap_or(&url);
    let now = stele_ledger::ledger::system_time().get() / 1000;
    let office = Office::open(&home.offices(), base, chain.clone(), now);
    let office = Arc::new(office.map_err(NodeError::Office)?);
    let app = App {
        counter: Counter::new(base, chain.clone(), office.clone()),
        office,
        chain,
        witnesses: Witnesses::start(&ledger, Arc::clone(&log_key), asked),
        log_key,
        network,
        snapshots,
        resolver,
        web_documents: config.resolve_did_web.then(did_web::WebDocuments::new),
        ledger,
        registry,
        index,
        keystore,
        token: ApiToken::of_secret(&secret),
        gate: Gate::new(settings, policies),
        epcis,
        runs: Runs::new(scenarios),
        metrics: Metrics::default(),
        url,
        heads,
    };
    Ok((app, founded))
}

/// Opens the ledger, and takes this node's seat where the network has several validators.
fn open_ledger(
    home: &Home,
    registry: &Arc<Registry>,
    keystore: &Keystore,
    seat: Option<SeatFiles>,
    options: &LedgerOptions,
) -> Result<(Arc<Ledger>, Option<Network>), NodeError> {
    let (dir, machine) = (home.ledger(), registry.clone());
    // A snapshot that was fetched, and whose putting in place was cut short.
    stele_ledger::snapshot::adopt(&dir)?;
    let Some(files) = seat else {
        if Ledger::read_genesis(&dir)?.committee.is_some() {
            return Err(NodeError::NoSeat(home.dir().to_owned()));
        }
        let network_key = keystore.unlock(NETWORK_KEY)?;
        let ledger = Ledger::open(&dir, machine, network_key, options.clone())?;
        return Ok((Arc::new(ledger), None));
    };
    let seat = Seat::default();
    let ledger = Ledger::open_network(&dir, machine, seat.certifier(), options.clone())?;
    let ledger = Arc::new(ledger);
    let identity = Identity {
        node_key: files.node_key,
        // What the node itself puts on the chain is signed by the member that runs it.
        member: Some(Arc::new(keystore.unlock(OPERATOR_KEY)?)),
        secrets: Arc::new(files.secrets),
    };
    let network = Network::start(seat, Arc::clone(&ledger), identity, files.options)?;
    Ok((ledger, Some(network)))
}

/// Opens the ledger to be read. Nobody orders anything for it, so that nothing is ever added; what a crash left is put in order.
fn open_read_only(
    home: &Home,
    registry: &Arc<Registry>,
    options: &LedgerOptions,
) -> Result<Arc<Ledger>, NodeError> {
    let options = LedgerOptions {
        read_only: true,
        ..options.clone()
    };
    let nobody = Seat::default().certifier();
    let ledger = Ledger::open_network(&home.ledger(), registry.clone(), nobody, options)?;
    Ok(Arc::new(ledger))
}

/// Takes up what a crash left between a captured document and its entries.
fn resume_captures(epcis: &Arc<stele_epcis::EpcisService>) {
    let epcis = Arc::clone(epcis);
    let work = move || {
        if let Err(problem) = epcis.resume() {
            tracing::error!(problem = ?problem, "captures that were under way could not be taken up again");
        }
    };
    std::thread::Builder::new()
        .name("stele-epcis".to_owned())
        .spawn(work)
        .expect("the system starts a thread");
}

impl RunningNode {
    /// The node's address, such as `http://127.0.0.1:4180`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The operator's token.
    pub fn token(&self) -> &str {
        self.app.token.reveal()
    }

    /// The network descriptor (docs/format.md section 8).
    pub fn descriptor(&self) -> serde_json::Value {
        descriptor_json(self.app.ledger.genesis())
    }

    /// The keys under which this node's checkpoints verify, as C2SP verifier keys: what a witness is given.
    pub fn log_keys(&self) -> Vec<String> {
        self.app.log_keys()
    }

    /// How the log's witnesses do.
    pub fn witnesses(&self) -> Vec<WitnessState> {
        self.app.witnesses.states()
    }

    /// Whether the network was founded by this start.
    pub fn founded(&self) -> bool {
        self.founded
    }

    /// What opening the ledger had to do.
    pub fn recovered(&self) -> stele_ledger::ledger::Recovered {
        self.app.ledger.recovered()
    }

    /// Finishes the requests under way, makes final what waits, and closes the files.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn shutdown(self) -> Result<(), NodeError> {
        let _ = self.stop.send(());
        // Streams of watchers end with their connections, not by themselves: they are cut off after a moment.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), self.server).await;
        self.app.index.stop();
        let app = self.app;
        let closed = tokio::task::spawn_blocking(move || drop(app)).await;
        closed.expect("closing does not panic");
        Ok(())
    }
}
