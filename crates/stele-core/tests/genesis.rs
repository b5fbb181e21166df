//! The genesis of both versions: what is written is read again, and every rule of docs/format.md section 8 refuses.

use std::sync::LazyLock;

use proptest::prelude::*;
use stele_core::cbor::ErrorKind;
use stele_core::genesis::{
    Committee, EPOCH_BLOCKS_MAX, Genesis, Member, SHARING_BYTES_MAX, VALIDATORS_MAX, Validator,
};
use stele_core::id::{NetworkId, RegisterName, TimeMs};
use stele_core::suite::{PublicKey, SigningKey, Suite};

fn public(suite: Suite, seed: u8) -> PublicKey {
    let seed = vec![seed; suite.secret_len()];
    SigningKey::from_seed(suite, &seed)
        .unwrap()
        .public()
        .clone()
}

/// The key of a network of several validators.
static SHARED: LazyLock<PublicKey> = LazyLock::new(|| public(Suite::Bls12381, 1));
/// Keys that one holder has alone.
static SINGLE: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    let suites = Suite::ALL.iter().filter(|suite| suite.is_for_parties());
    suites.map(|suite| public(*suite, 2)).collect()
});

fn validator() -> impl Strategy<Value = (usize, [u8; 32], String)> {
    (
        any::<usize>(),
        any::<[u8; 32]>(),
        "[a-z0-9.]{1,60}:[0-9]{1,5}",
    )
}

prop_compose! {
    fn committee(members: usize)(
        epoch_blocks in 2..=EPOCH_BLOCKS_MAX,
        sharing in prop::collection::vec(any::<u8>(), 0..300),
        drawn in prop::collection::vec(validator(), 1..12),
    ) -> Committee {
        let mut validators: Vec<_> = drawn
            .into_iter()
            .map(|(member, node_key, address)| Validator { member: member % members, node_key, address })
            .collect();
        validators.sort_by_key(|validator| validator.node_key);
        validators.dedup_by_key(|validator| validator.node_key);
        Committee { epoch_blocks, sharing, validators }
    }
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let member = ("\\PC{1,20}", 0..SINGLE.len()).prop_map(|(name, number)| Member {
        name,
        key: SINGLE[number].clone(),
    });
    prop::collection::vec(member, 1..6)
}

prop_compose! {
    fn genesis()(members in members(), several in any::<bool>())(
        name in "\\PC{1,16}",
        time in any::<u64>(),
        key in 0..SINGLE.len(),
        registers in prop::collection::vec(("[a-z][a-z0-9-]{0,31}", any::<u64>()), 1..5),
        committee in committee(members.len()),
        members in Just(members),
        several in Just(several),
    ) -> Genesis {
        let registers = registers
            .into_iter()
            .map(|(name, version)| (RegisterName::new(&name).unwrap(), version))
            .collect();
        Genesis {
            name,
            time: TimeMs::new(time),
            network_key: if several { SHARED.clone() } else { SINGLE[key].clone() },
            members,
            registers,
            committee: several.then_some(committee),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(genesis in genesis()) {
        let bytes = genesis.encode();
        prop_assert_eq!(&Genesis::decode(&bytes).unwrap(), &genesis);
        prop_assert_eq!(genesis.network_id(), NetworkId::of_genesis(&bytes));
        // An array of six parts, or of seven.
        let head = if genesis.committee.is_some() { [0x87, 2] } else { [0x86, 1] };
        prop_assert_eq!(&bytes[..2], &head[..]);
    }

    /// Either the change is refused, or it is another genesis with an encoding of its own.
    #[test]
    fn a_changed_byte_is_never_read_as_the_same(
        genesis in genesis(), at in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let mut bytes = genesis.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(other) = Genesis::decode(&bytes) {
            prop_assert_ne!(&other, &genesis);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn a_cut_or_longer_genesis_is_refused(genesis in genesis(), cut in any::<prop::sample::Index>()) {
        let mut bytes = genesis.encode();
        prop_assert!(Genesis::decode(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(Genesis::decode(&bytes).is_err());
    }
}

fn several() -> Genesis {
    let member = |number: u8| Member {
        name: format!("Fictional Member {number}"),
        key: public(Suite::Ed25519, 40 + number),
    };
    let validator = |number: u8| Validator {
        member: usize::from(number) % 2,
        node_key: [number; 32],
        address: format!("validator-{number}.example:7100"),
    };
    Genesis {
        name: "Fictional Network".to_owned(),
        time: TimeMs::new(1_700_000_000_000),
        network_key: SHARED.clone(),
        members: vec![member(0), member(1)],
        registers: vec![(RegisterName::new("governance").unwrap(), 1)],
        committee: Some(Committee {
            epoch_blocks: 10_000,
            sharing: vec![7; 300],
            validators: (0..4).map(validator).collect(),
        }),
    }
}

/// What decoding says of a genesis after a change to its committee.
fn refusal_after(change: impl FnOnce(&mut Committee)) -> ErrorKind {
    let mut genesis = several();
    change(genesis.committee.as_mut().unwrap());
    Genesis::decode(&genesis.encode()).unwrap_err().kind
}

#[test]
fn a_committee_stays_within_its_limits() {
    let at_the_limit = |change: &dyn Fn(&mut Committee)| {
        let mut genesis = several();
        change(genesis.committee.as_mut().unwrap());
        assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis));
    };
    at_the_limit(&|committee| committee.epoch_blocks = 2);
    at_the_limit(&|committee| committee.epoch_blocks = EPOCH_BLOCKS_MAX);
    at_the_limit(&|committee| committee.sharing = vec![]);
    at_the_limit(&|committee| committee.sharing = vec![1; SHARING_BYTES_MAX]);
    at_the_limit(&|committee| committee.validators.truncate(1));
    at_the_limit(&|committee| committee.validators[0].address = "a".repeat(255));
    let crowd = |count: usize| {
        let one = |number: usize| Validator {
            member: 0,
            node_key: [number as u8; 32],
            address: "a:1".to_owned(),
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    at_the_limit(&|committee| committee.validators = crowd(VALIDATORS_MAX));

    let epoch = ErrorKind::Expected("an epoch of 2 to 1,000,000 blocks");
    assert_eq!(refusal_after(|committee| committee.epoch_blocks = 1), epoch);
    let too_long = |committee: &mut Committee| committee.epoch_blocks = EPOCH_BLOCKS_MAX + 1;
    assert_eq!(refusal_after(too_long), epoch);
    let sharing = |committee: &mut Committee| committee.sharing = vec![1; SHARING_BYTES_MAX + 1];
    assert_eq!(
        refusal_after(sharing),
        ErrorKind::TooLong(SHARING_BYTES_MAX)
    );
    let none = |committee: &mut Committee| committee.validators.clear();
    assert_eq!(
        refusal_after(none),
        ErrorKind::Expected("a validator at least")
    );
    let many = |committee: &mut Committee| committee.validators = crowd(VALIDATORS_MAX + 1);
    assert_eq!(refusal_after(many), ErrorKind::TooLong(VALIDATORS_MAX));
    let nobody = |committee: &mut Committee| committee.validators[0].member = 2;
    assert_eq!(
        refusal_after(nobody),
        ErrorKind::Expected("the number of a member")
    );
    let ascend = ErrorKind::Expected("node keys that ascend");
    let twice = |committee: &mut Committee| committee.validators[1].node_key = [0; 32];
    assert_eq!(refusal_after(twice), ascend);
    assert_eq!(
        refusal_after(|committee| committee.validators.swap(0, 1)),
        ascend
    );
    let nowhere = |committee: &mut Committee| committee.validators[0].address.clear();
    assert_eq!(
        refusal_after(nowhere),
        ErrorKind::Expected("a name that is not empty")
    );
    let far = |committee: &mut Committee| committee.validators[0].address = "a".repeat(256);
    assert_eq!(refusal_after(far), ErrorKind::TooLong(255));
}

#[test]
fn keys_stand_where_they_belong() {
    let refusal = |genesis: &Genesis| Genesis::decode(&genesis.encode()).unwrap_err().kind;
    let misfit = ErrorKind::Expected("a network key that fits the committee");
    let one = Genesis {
        committee: None,
        ..several()
    };
    assert_eq!(refusal(&one), misfit);
    let own = Genesis {
        network_key: public(Suite::Ed25519, 1),
        ..several()
    };
    assert_eq!(refusal(&own), misfit);

    let mut encoded = vec![0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20, 0x01];
    encoded.extend([0; 31]);
    let weak = PublicKey::from_cose_key(&encoded).unwrap();
    assert!(weak.is_small_order() && !weak.is_for_parties());
    for key in [SHARED.clone(), weak] {
        let mut genesis = several();
        genesis.members[1].key = key;
        let kind = ErrorKind::Expected("a key that a party may sign with");
        assert_eq!(refusal(&genesis), kind);
    }
}

#[test]
fn versions_and_parts_belong_together() {
    let good = several().encode();
    for (parts, version) in [(0x87, 1), (0x87, 3), (0x86, 2), (0x87, 0)] {
        let mut bytes = good.clone();
        bytes[..2].copy_from_slice(&[parts, version]);
        assert!(Genesis::decode(&bytes).is_err(), "{parts:#x}, {version}");
    }
}
