//! The node's office: its ledger, its keystore and its resolver, as issuers and verifiers of credentials need them.

use std::sync::{OnceLock, Weak};

use serde_json::Value;
use stele_credentials::Refusal;
use stele_credentials::did::{Did, Relationship, ResolutionOptions, Resolver as _, SelfContained};
use stele_credentials::jose::PublicKey;
use stele_office::rules::{CHAIN, KEY, KEY_UNKNOWN};
use stele_office::{Chain, SigningParty};
use stele_registers::context::View;
use stele_registers::{credential, identity};
use stele_resolver::SteleDid;

use crate::api::commands::{CommandRequest, CommandsRequest, sign_and_submit};
use crate::app::{App, SharedApp, Submitted};
use crate::init::NETWORK_KEY;

/// The node behind its office. The office is part of the node, so the way back is a weak one.
#[derive(Default)]
pub struct NodeChain(OnceLock<Weak<App>>);

impl NodeChain {
    /// Ties the office to its node, once.
    pub fn set(&self, app: &SharedApp) {
        let _ = self.0.set(SharedApp::downgrade(app));
    }

    fn app(&self) -> Result<SharedApp, Refusal> {
        let app = self.0.get().and_then(Weak::upgrade);
        app.ok_or_else(|| CHAIN.because("the node is closing"))
    }
}

impl Chain for NodeChain {
    fn signer(&self, name: &str) -> Result<SigningParty, Refusal> {
        if name == NETWORK_KEY {
            return Err(KEY.because("the network's key signs blocks and nothing else"));
        }
        let app = self.app()?;
        let key = app
            .keystore
            .signer(name)
            .map_err(|error| KEY.because(error))?;
        PublicKey::from_core(key.public())
            .map_err(|_| KEY.because(format_args!("{name} is of {}", key.suite().name())))?;
        let view = || View::new(app.ledger.state(), identity::NAME);
        let record = identity::key_record(view(), &key.public().kid());
        let record = record.map_err(|fault| KEY.because(fault))?;
        let party = record
            .filter(|record| record.revoked.is_none())
            .ok_or_else(|| KEY.because(format_args!("{name} is no active key of a party")))?
            .party;
        let document = identity::document(view(), &party).map_err(|fault| KEY.because(fault))?;
        let name = document.and_then(|document| document.name);
        Ok(SigningParty { key, party, name })
    }

    /// Waits for the entry: only for threads that may block.
    fn submit(&self, key: &str, command: &str, body: Value) -> Result<(), Refusal> {
        let app = self.app()?;
        let request = CommandsRequest {
            key: key.to_owned(),
            cosigners: Vec::new(),
            register: credential::NAME.to_owned(),
            commands: vec![CommandRequest {
                register: None,
                name: command.to_owned(),
                body,
            }],
            wait: None,
        };
        let submitted =
            tokio::runtime::Handle::current().block_on(sign_and_submit(&app, request, true));
        match submitted {
            Err(problem) => {
                Err(CHAIN.because(format_args!("{}: {}", problem.code, problem.detail)))
            }
            Ok(Submitted::Final(done)) => match done.refusal {
                None => Ok(()),
                Some(refusal) => {
                    Err(CHAIN.because(format_args!("{}: {}", refusal.code, refusal.sentence)))
                }
            },
            Ok(Submitted::Admitted(_)) => Err(CHAIN.because("the entry is not final yet")),
        }
    }

    fn receipt(&self, keys: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (credential::NAME, key.as_slice()))
            .collect();
        let receipt = self.app()?.state_receipt(&keys);
        receipt
            .map(|receipt| receipt.encode())
            .map_err(|error| CHAIN.because(error))
    }

    fn assertion_key(&self, did: &str, key_id: Option<&str>) -> Result<PublicKey, Refusal> {
        let did = Did::parse(did)?;
        let document = if did.method() == "stele" {
            let name = SteleDid::parse(&did)?;
            let found = self.app()?.resolver.resolve(&did, &name, None);
            let found = found.map_err(|error| KEY_UNKNOWN.because(error))?;
            found.ok_or_else(|| KEY_UNKNOWN.because(&did))?.document
        } else if let ("web", Some(documents)) = (did.method(), &self.app()?.web_documents) {
            documents.fetch(&did)?
        } else {
            SelfContained
                .resolve(&did, &ResolutionOptions::default())
                .document
                .map_err(|error| KEY_UNKNOWN.because(error))?
        };
        document
            .key_for(Relationship::AssertionMethod, key_id.unwrap_or_default())
            .cloned()
    }
}
