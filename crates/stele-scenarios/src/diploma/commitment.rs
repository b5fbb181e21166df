//! One root over all diplomas of the year, and the proof that each graduate takes home.

use stele_core::cbor::BodyBuilder;
use stele_core::id::KeyId;
use stele_credentials::trust::{Batch, IssuanceProof, commitment};

use super::Measured;
use super::offices::{Offices, SCOPE, submit};
use super::papers::{VCT, Wallet};
use crate::frame::{Run, ScenarioError};

/// A batch that is committed to.
pub(super) struct Committed {
    pub tree: Batch,
    /// The state key of the issuance, and that of a report about its key.
    pub issuance_key: Vec<u8>,
    pub report_key: Vec<u8>,
    /// The time of the block that took the commitment, in milliseconds since 1970.
    pub time_ms: u64,
}

/// The body of `issuance.commit`.
pub(super) fn commit_body(root: &[u8; 32], count: u64, kid: &KeyId, scope: &str) -> Vec<u8> {
    BodyBuilder::new()
        .bytes("root", root)
        .uint("count", count)
        .text("type", VCT)
        .bytes("issuing_kid", kid.as_bytes())
        .text("scope", scope)
        .build()
}

pub(super) fn commit(
    run: &mut Run<'_>,
    offices: &Offices,
    wallets: &mut [Wallet],
) -> Result<Committed, ScenarioError> {
    run.step("commit-batch", |run| {
        let mut tree = Batch::new();
        for wallet in wallets.iter() {
            tree.push(&commitment(&wallet.salt, wallet.signed().as_bytes()));
        }
        let root = tree.root();
        let kid = offices.issuing.party.key().public().kid();
        let claim = format!(
            "{} committed to {} diplomas in {SCOPE}",
            offices.faculty.name,
            tree.count()
        );
        let body = commit_body(&root, tree.count(), &kid, SCOPE);
        let command = ("issuance.commit", body);
        let (done, _) = submit(run, &offices.faculty, &[], "credential", command, &claim)?;
        let [issuance_key, report_key] =
            IssuanceProof::state_keys(&offices.faculty.party.id(), &root, &kid);
        let committed = Committed {
            tree,
            issuance_key,
            report_key,
            time_ms: done.time_ms,
        };
        let detail = format!(
            "{claim}, in block {}: one hash on the chain for all of them.",
            done.height
        );
        Ok((committed, detail))
    })
}

pub(super) fn hand_over(
    run: &mut Run<'_>,
    batch: &Committed,
    wallets: &mut [Wallet],
    measured: &mut Measured,
) -> Result<(), ScenarioError> {
    run.step("hand-over-proofs", |run| {
        let (receipt, value) = run
            .client()
            .verified_state("credential", &batch.issuance_key)
            .map_err(ScenarioError::client("reading the receipt of the batch"))?;
        run.check(value.is_some(), "the batch in the state", || "none".to_owned())?;
        run.evidence("The batch of diplomas, its issuer, key, time and accreditations stand in the state", &receipt)?;
        for (index, wallet) in (0..).zip(wallets.iter_mut()) {
            let path = batch.tree.path(index);
            let path = path.ok_or_else(|| ScenarioError::broken("a path for each diploma", "none"))?;
            let proof = IssuanceProof { salt: wallet.salt, index, path, receipt: receipt.clone() };
            wallet.proof = proof.encode();
            measured.proofs.push(wallet.proof.len());
        }
        if let Some(first) = wallets.first() {
            run.keep("first-diploma.proof", &first.proof)?;
        }
        let detail = format!(
            "{} graduates got salt, path and the one receipt that all of them share: at most {} bytes beside the diploma.",
            wallets.len(),
            measured.proofs.iter().copied().max().unwrap_or(0)
        );
        Ok(((), detail))
    })
}
