//! What founders make together: a genesis that names their committee and their key, and block 0 under that key.

mod card;

pub use card::{ADDRESS_BYTES_MAX, Card, CardError, MEMBER_NAME_BYTES_MAX};

use std::collections::BTreeSet;

use stele_core::block::Certificate;
use stele_core::genesis::{Committee, Genesis, Member, Validator};
use stele_core::id::{RegisterName, TimeMs, sha256};
use stele_core::suite::PublicKey;

use crate::ceremony::CeremonyError;
use crate::keys::{PARTIAL_BYTES, Share, Sharing, recover, sign_partial};

/// A founding member and its validator.
#[derive(Debug, Clone, PartialEq)]
pub struct Founder {
    /// The member: name, and the key that becomes its party.
    pub member: Member,
    /// The key of its node.
    pub node_key: [u8; 32],
    /// Where its node listens, as `host:port`.
    pub address: String,
}

/// What the founders agree on before they hold a key.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundingPlan {
    /// The network's name.
    pub name: String,
    /// The time of block 0.
    pub time: TimeMs,
    /// How many blocks of the engine make an epoch.
    pub epoch_blocks: u64,
    /// The registers and their versions at the start.
    pub registers: Vec<(RegisterName, u64)>,
    /// The founders.
    pub founders: Vec<Founder>,
}

impl FoundingPlan {
    /// Binds the key ceremony to this plan: founders with different plans come to no key.
    pub fn context(&self) -> [u8; 32] {
        // The genesis fixes all of it; under a key that is nobody's yet it is the plan.
        let nobody = SigningPlaceholder::key();
        let genesis = self.genesis_under(nobody, Vec::new());
        sha256(&[b"stele/founding-plan/1", &genesis.encode()])
    }

    /// The first half of [`FoundingPlan::context`] in groups of four digits: short enough to be read out on the telephone, long enough
    /// that nobody makes two plans with the same one.
    pub fn fingerprint(&self) -> String {
        let context = self.context();
        let groups = context[..16].chunks(2).map(hex::encode);
        groups.collect::<Vec<_>>().join(" ")
    }

    /// Whether a network can begin with this plan.
    ///
    /// # Errors
    /// [`CeremonyError::Participants`] says what is wrong with it.
    pub fn check(&self) -> Result<(), CeremonyError> {
        let wrong = |reason: String| Err(CeremonyError::Participants(reason));
        let count = self.founders.len();
        let distinct = |what: &str, values: BTreeSet<Vec<u8>>| {
            if values.len() == count {
                Ok(())
            } else {
                wrong(format!("two founders have the same {what}"))
            }
        };
        let of = |value: fn(&Founder) -> Vec<u8>| self.founders.iter().map(value).collect();
        distinct("node key", of(|founder| founder.node_key.to_vec()))?;
        distinct("member key", of(|founder| founder.member.key.to_cose_key()))?;
        distinct(
            "name",
            of(|founder| founder.member.name.clone().into_bytes()),
        )?;
        distinct(
            "address",
            of(|founder| founder.address.clone().into_bytes()),
        )?;
        // The rules of a genesis are all of the rest.
        match Genesis::decode(
            &self
                .genesis_under(SigningPlaceholder::key(), Vec::new())
                .encode(),
        ) {
            Ok(_) => Ok(()),
            Err(error) => wrong(format!("no genesis can be made of it: {error}")),
        }
    }

    /// The node keys of the founders.
    pub fn node_keys(&self) -> Vec<[u8; 32]> {
        self.founders
            .iter()
            .map(|founder| founder.node_key)
            .collect()
    }

    /// The genesis, once the ceremony has given the key.
    ///
    /// # Errors
    /// [`CeremonyError::Participants`] if the holders of the shares are not the founders.
    pub fn genesis(&self, sharing: &Sharing) -> Result<Genesis, CeremonyError> {
        let founders: BTreeSet<_> = self.node_keys().into_iter().collect();
        let holders: BTreeSet<_> = sharing.holders().into_iter().collect();
        if founders != holders || founders.len() != self.founders.len() {
            let reason = "the holders of the shares are not the founders".to_owned();
            return Err(CeremonyError::Participants(reason));
        }
        Ok(self.genesis_under(sharing.public_key(), sharing.encode()))
    }

    fn genesis_under(&self, network_key: PublicKey, sharing: Vec<u8>) -> Genesis {
        let founders = self.founders.iter().enumerate();
        let mut validators: Vec<_> = founders
            .map(|(member, founder)| Validator {
                member,
                node_key: founder.node_key,
                address: founder.address.clone(),
            })
            .collect();
        validators.sort_by_key(|validator| validator.node_key);
        Genesis {
            name: self.name.clone(),
            time: self.time,
            network_key,
            members: self
                .founders
                .iter()
                .map(|founder| founder.member.clone())
                .collect(),
            registers: self.registers.clone(),
            committee: Some(Committee {
                epoch_blocks: self.epoch_blocks,
                sharing,
                validators,
            }),
        }
    }
}

/// A key of the right suite whose secret everyone knows. It stands in the plan where the network's key will.
struct SigningPlaceholder;

impl SigningPlaceholder {
    fn key() -> PublicKey {
        use stele_core::suite::{SigningKey, Suite};
        let key =
            SigningKey::from_seed(Suite::Bls12381, &[1; 32]).expect("a scalar below the order");
        key.public().clone()
    }
}

/// A founder's partial signature over block 0.
pub fn sign_block_zero(share: &Share, block: &Certificate) -> [u8; PARTIAL_BYTES] {
    sign_partial(share, &block.message())
}

/// Block 0 with the network's signature, made of founders' partial signatures by index.
///
/// # Errors
/// [`CeremonyError::NoResult`] if they do not combine to the network's signature.
pub fn certify_block_zero(
    sharing: &Sharing,
    mut block: Certificate,
    partials: &[(usize, [u8; PARTIAL_BYTES])],
) -> Result<Certificate, CeremonyError> {
    let signature = recover(sharing, partials);
    let signature = signature.ok_or_else(|| {
        CeremonyError::NoResult("too few founders have signed block 0".to_owned())
    })?;
    block.signature = signature.to_vec();
    let verified = block.verify(&sharing.public_key());
    verified.map_err(|error| CeremonyError::NoResult(error.to_string()))?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use stele_core::suite::{SigningKey, Suite};

    use super::*;

    fn plan() -> FoundingPlan {
        let founder = |number: u8| Founder {
            member: Member {
                name: format!("Fictional Founder {number}"),
                key: SigningKey::from_seed(Suite::Ed25519, &[number; 32])
                    .unwrap()
                    .public()
                    .clone(),
            },
            node_key: crate::keys::NodeKey::from_seed(&[100 + number; 32]).public(),
            address: format!("127.0.0.1:{}", 7_100 + u16::from(number)),
        };
        FoundingPlan {
            name: "Fictional Four".to_owned(),
            time: TimeMs::new(1_767_225_600_000),
            epoch_blocks: 100,
            registers: vec![(RegisterName::new("governance").unwrap(), 1)],
            founders: (1..=4).map(founder).collect(),
        }
    }

    #[test]
    fn a_plan_is_told_from_every_other_by_its_fingerprint() {
        let plan = plan();
        plan.check().unwrap();
        let fingerprint = plan.fingerprint();
        assert_eq!(fingerprint.len(), 8 * 4 + 7);
        let changes: [fn(&mut FoundingPlan); 6] = [
            |plan| plan.name.push('x'),
            |plan| plan.time = TimeMs::new(1),
            |plan| plan.epoch_blocks += 1,
            |plan| plan.registers[0].1 += 1,
            |plan| plan.founders.truncate(3),
            |plan| plan.founders[0].address.push('0'),
        ];
        for change in changes {
            let mut other = plan.clone();
            change(&mut other);
            assert_ne!(other.fingerprint(), fingerprint);
        }
    }

    #[test]
    fn what_no_network_can_begin_with_is_refused() {
        let changes: [fn(&mut FoundingPlan); 7] = [
            |plan| plan.name.clear(),
            |plan| plan.epoch_blocks = 1,
            |plan| plan.founders.clear(),
            |plan| plan.founders[1].node_key = plan.founders[0].node_key,
            |plan| plan.founders[1].member.key = plan.founders[0].member.key.clone(),
            |plan| plan.founders[1].address = plan.founders[0].address.clone(),
            |plan| plan.founders[1].member.name = plan.founders[0].member.name.clone(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut plan = plan();
            change(&mut plan);
            assert!(plan.check().is_err(), "change {number}");
        }
    }
}
