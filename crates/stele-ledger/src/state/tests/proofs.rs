//! A proof is good for its key, its claim and its root, and for nothing else.

use stele_core::state_proof::{StateProof, Terminal};

use super::*;

/// Every proof that differs from `proof` in one place.
fn changed(proof: &StateProof) -> Vec<StateProof> {
    let mut all = Vec::new();
    let mut change = |apply: &dyn Fn(&mut StateProof)| {
        let mut other = proof.clone();
        apply(&mut other);
        if other != *proof {
            all.push(other);
        }
    };
    change(&|p| p.depth += 1);
    change(&|p| p.depth = p.depth.saturating_sub(1));
    change(&|p| p.depth ^= 256);
    change(&|p| p.sibling_bitmap.push(0));
    change(&|p| {
        p.sibling_bitmap
            .truncate(p.sibling_bitmap.len().saturating_sub(1))
    });
    change(&|p| p.siblings.push([1; 32]));
    change(&|p| p.siblings.truncate(p.siblings.len().saturating_sub(1)));
    change(&|p| p.siblings.reverse());
    for index in 0..proof.siblings.len() {
        change(&|p| p.siblings[index][index % 32] ^= 1);
        change(&|p| p.siblings[index] = EMPTY);
        change(&|p| p.siblings = [&p.siblings[..index], &p.siblings[index + 1..]].concat());
    }
    for bit in 0..proof.sibling_bitmap.len() * 8 {
        change(&|p| p.sibling_bitmap[bit / 8] ^= 0x80 >> (bit % 8));
    }
    change(&|p| p.terminal = Terminal::Leaf);
    change(&|p| p.terminal = Terminal::Empty);
    if let Terminal::OtherLeaf { path, value_hash } = proof.terminal {
        for byte in 0..32 {
            let (mut other_path, mut other_hash) = (path, value_hash);
            other_path[byte] ^= 0x10;
            other_hash[byte] ^= 0x10;
            change(&|p| {
                p.terminal = Terminal::OtherLeaf {
                    path: other_path,
                    value_hash,
                }
            });
            change(&|p| {
                p.terminal = Terminal::OtherLeaf {
                    path,
                    value_hash: other_hash,
                }
            });
        }
    } else {
        change(&|p| {
            p.terminal = Terminal::OtherLeaf {
                path: [3; 32],
                value_hash: [4; 32],
            }
        });
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_proof_verifies(batches in prop::collection::vec(batch(), 1..4), asked in path()) {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = open(dir.path());
        let mut model = Model::default();
        for batch in &batches {
            apply(&state, &mut model, batch);
        }
        let some_present = model.values.keys().next().copied();
        for path in some_present.into_iter().chain([asked]) {
            let proven = state.prove(&path).unwrap();
            let value = proven.value.as_ref().map(|value| value_hash(value));
            prop_assert_eq!(proven.proof.verify(&proven.root, &path, value.as_ref()), Ok(()));
            for other in changed(&proven.proof) {
                prop_assert!(
                    other.verify(&proven.root, &path, value.as_ref()).is_err(),
                    "{:?} verifies as well as {:?}", other, proven.proof
                );
            }
            let opposite = if value.is_some() { None } else { Some([9; 32]) };
            prop_assert!(proven.proof.verify(&proven.root, &path, opposite.as_ref()).is_err());
            let mut root = proven.root;
            root[17] ^= 1;
            prop_assert!(proven.proof.verify(&root, &path, value.as_ref()).is_err());
            if let Some(mut hash) = value {
                hash[0] ^= 1;
                prop_assert!(proven.proof.verify(&proven.root, &path, Some(&hash)).is_err());
            }
        }
    }
}

#[test]
fn two_paths_that_differ_in_the_last_bit_are_proven_256_deep() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = open(dir.path());
    let mut model = Model::default();
    let mut twin = [0x33; 32];
    twin[31] ^= 1;
    apply(
        &state,
        &mut model,
        &vec![([0x33; 32], Some(vec![1])), (twin, Some(vec![2]))],
    );
    let proven = state.prove(&twin).unwrap();
    assert_eq!((proven.proof.depth, proven.proof.siblings.len()), (256, 1));
    check(&state, &model);
    // Leaving the run at each of its depths.
    for depth in 0..255usize {
        let mut absent = twin;
        absent[depth / 8] ^= 0x80 >> (depth % 8);
        check_proof(&state, &model, &absent);
        assert_eq!(
            usize::from(state.prove(&absent).unwrap().proof.depth),
            depth + 1
        );
    }
    // And splitting and closing it again there.
    for depth in (0..255usize).step_by(5) {
        let mut third = twin;
        third[depth / 8] ^= 0x80 >> (depth % 8);
        apply(&state, &mut model, &vec![(third, Some(vec![3]))]);
        check_proof(&state, &model, &third);
        apply(&state, &mut model, &vec![(third, None)]);
    }
    check(&state, &model);
}
