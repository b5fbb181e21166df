//! What a founder gives to the others before the founding: who it is, under which keys, and where its node listens.

use stele_core::cbor::Encoder;
use stele_core::suite::{PublicKey, SigningKey, SuiteError};

use super::Founder;
use crate::keys::{NodeKey, engine_key};
use crate::peers::address;

/// The longest name of a member, in bytes.
pub const MEMBER_NAME_BYTES_MAX: usize = 128;
/// The longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// Why a card is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The name is empty or too long, or holds what is no letter to be read.
    #[error("a member's name has 1 to {MEMBER_NAME_BYTES_MAX} bytes and no control characters")]
    Name,
    /// The address is none.
    #[error("an address is `host:port`, such as validator.example:7100")]
    Address,
    /// The node key is no Ed25519 key.
    #[error("the node key is no Ed25519 key")]
    NodeKey,
    /// The member's key is not one that a party signs with.
    #[error("the member's key is not one that a party may sign with")]
    MemberKey,
    /// A signature does not verify.
    #[error("the card is not signed by its {signer} key")]
    Signature {
        /// `member` or `node`.
        signer: &'static str,
        /// The cause.
        #[source]
        source: SuiteError,
    },
}

/// A founder, signed by its member key and by its node key: nobody can claim another's key.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The founder.
    pub founder: Founder,
    /// The member key's signature.
    pub member_signature: Vec<u8>,
    /// The node key's signature.
    pub node_signature: Vec<u8>,
}

impl Card {
    /// Makes a card of this node and this member.
    ///
    /// # Errors
    /// [`CardError`] for a name or an address that cannot be one.
    pub fn sign(founder: Founder, member: &SigningKey, node: &NodeKey) -> Result<Self, CardError> {
        let message = message(&founder);
        let card = Self {
            member_signature: member.sign(&message),
            node_signature: node.signing_key().sign(&message),
            founder,
        };
        card.verify().map(|()| card)
    }

    /// Checks everything that one card says.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn verify(&self) -> Result<(), CardError> {
        let founder = &self.founder;
        let name = &founder.member.name;
        if name.is_empty()
            || name.len() > MEMBER_NAME_BYTES_MAX
            || name.trim() != name
            || name.chars().any(char::is_control)
        {
            return Err(CardError::Name);
        }
        if founder.address.len() > ADDRESS_BYTES_MAX || address(&founder.address).is_none() {
            return Err(CardError::Address);
        }
        let member_key = &founder.member.key;
        if !member_key.is_for_parties() {
            return Err(CardError::MemberKey);
        }
        let node_key = engine_key(&founder.node_key).and_then(|_| public_key(&founder.node_key));
        let node_key = node_key.ok_or(CardError::NodeKey)?;
        let message = message(founder);
        let signatures = [
            ("member", member_key, &self.member_signature),
            ("node", &node_key, &self.node_signature),
        ];
        for (signer, key, signature) in signatures {
            let verified = key.verify(key.suite().algorithm(), &message, signature);
            verified.map_err(|source| CardError::Signature { signer, source })?;
        }
        Ok(())
    }
}

/// What both keys sign. It begins with a byte that no message of the engine begins with: there, a length below 128 comes first.
fn message(founder: &Founder) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(5)
        .text("stele/founder-card/1")
        .text(&founder.member.name)
        .raw(&founder.member.key.to_cose_key())
        .bytes(&founder.node_key)
        .text(&founder.address);
    out.into_vec()
}

/// A node key as a key of the suite Ed25519.
fn public_key(node_key: &[u8; 32]) -> Option<PublicKey> {
    // {1: 1, -1: 6, -2: key}: docs/format.md section 2.
    let mut out = Encoder::new();
    out.map(3).int(1).uint(1).int(-1).uint(6);
    out.int(-2).bytes(node_key);
    PublicKey::from_cose_key(&out.into_vec()).ok()
}

#[cfg(test)]
mod tests {
    use stele_core::genesis::Member;
    use stele_core::suite::Suite;

    use super::*;

    fn member(seed: u8) -> SigningKey {
        SigningKey::from_seed(Suite::Ed25519, &[seed; 32]).unwrap()
    }

    fn founder(name: &str, address: &str) -> Founder {
        Founder {
            member: Member {
                name: name.to_owned(),
                key: member(1).public().clone(),
            },
            node_key: NodeKey::from_seed(&[2; 32]).public(),
            address: address.to_owned(),
        }
    }

    #[test]
    fn a_card_holds_for_its_two_keys_and_its_words_alone() {
        let node = NodeKey::from_seed(&[2; 32]);
        let card = Card::sign(
            founder("Fictional Mill", "mill.example:7100"),
            &member(1),
            &node,
        );
        let card = card.unwrap();
        card.verify().unwrap();
        let signer = |card: &Card| match card.verify() {
            Err(CardError::Signature { signer, .. }) => signer,
            other => panic!("{other:?}"),
        };
        let mut renamed = card.clone();
        renamed.founder.member.name = "Fictional Bank".to_owned();
        assert_eq!(signer(&renamed), "member");
        let mut moved = card.clone();
        moved.founder.address = "bank.example:7100".to_owned();
        assert_eq!(signer(&moved), "member");
        // Another's node key under one's own member key, and the other way round.
        let mut claimed = card.clone();
        claimed.founder.node_key = NodeKey::from_seed(&[3; 32]).public();
        claimed.member_signature = member(1).sign(&message(&claimed.founder));
        claimed.node_signature = node.signing_key().sign(&message(&claimed.founder));
        assert_eq!(signer(&claimed), "node");
        let mut claimed = card;
        claimed.founder.member.key = member(9).public().clone();
        claimed.member_signature = member(1).sign(&message(&claimed.founder));
        claimed.node_signature = node.signing_key().sign(&message(&claimed.founder));
        assert_eq!(signer(&claimed), "member");
    }

    #[test]
    fn names_and_addresses_that_are_none_are_refused() {
        let node = NodeKey::from_seed(&[2; 32]);
        let sign = |founder| Card::sign(founder, &member(1), &node).unwrap_err();
        for name in ["", " x", "a\nb", &"x".repeat(129)] {
            assert_eq!(sign(founder(name, "mill.example:7100")), CardError::Name);
        }
        for address in ["", "mill.example", "mill.example:x"] {
            assert_eq!(sign(founder("Fictional Mill", address)), CardError::Address);
        }
        let mut nobody = founder("Fictional Mill", "mill.example:7100");
        let no_point = (0..=255).map(|byte| [byte; 32]);
        nobody.node_key = no_point
            .into_iter()
            .find(|bytes| engine_key(bytes).is_none())
            .unwrap();
        assert_eq!(sign(nobody), CardError::NodeKey);
    }
}
