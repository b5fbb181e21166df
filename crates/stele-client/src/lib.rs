//! Submit, read, prove and watch: what any program needs of a Stele node, over HTTP.
//!
//! A [`Client`] talks to one node. A [`Party`] holds a signing key and submits entries in its name. Nothing the node
//! says is believed without proof where proof is asked for: [`Client::verified_receipt`] checks each receipt under the network's
//! descriptor before it hands it on.
//!
//! ```no_run
//! use stele_client::Client;
//! use stele_core::cbor::BodyBuilder;
//! use stele_core::suite::{SigningKey, Suite};
//!
//! let client = Client::connect("http://127.0.0.1:4180")?;
//! let key = SigningKey::from_seed(Suite::Ed25519, &[7; 32]).expect("32 bytes");
//! let party = client.register_party(key, "organisation", Some("Fictional Olive Mill"))?;
//! let body = BodyBuilder::new().text("name", "Fictional Olive Mill & Sons").build();
//! let done = party.submit("identity", &[("party.rename", body)])?;
//! let (receipt, proven) = client.verified_receipt(&done.entry_id)?;
//! # Ok::<(), stele_client::ClientError>(())
//! ```

mod client;
mod error;
mod party;
mod types;
mod watch;

pub use client::Client;
pub use error::{ClientError, Problem};
pub use party::Party;
pub use types::{Answer, EntrySummary, Final, Head, NetworkInfo, OutcomeSummary, ProvenStates};
pub use watch::{Watch, WatchEvent};
