//! What a command's description says and what the command reads are the same, for every command of every register.

use stele_core::cbor::Value;
use stele_registers::{FieldSpec, FieldType, Registry};

use crate::world::{World, key};

/// A value that fits the type, as small as it may be.
fn least(kind: FieldType, n: u8) -> Value {
    match kind {
        FieldType::Text { .. } => Value::Text("x".into()),
        FieldType::Choice(choices) => Value::Text(choices[0].into()),
        FieldType::Bytes { min, .. } => Value::Bytes(vec![n; min]),
        FieldType::Hash | FieldType::Party => Value::Bytes(vec![n; 32]),
        FieldType::Key => Value::Bytes(vec![n]),
        FieldType::Uint => Value::Uint(u64::from(n)),
        FieldType::Bool => Value::Bool(true),
        FieldType::List { of, min, .. } => {
            Value::Array((0..min).map(|i| least(*of, i as u8)).collect())
        }
    }
}

/// A value that fits the type, as large as it may be.
fn most(kind: FieldType, n: usize) -> Value {
    match kind {
        FieldType::Text { max } => Value::Text("x".repeat(max)),
        FieldType::Bytes { max, .. } => Value::Bytes(vec![7; max]),
        FieldType::Key => Value::Bytes(vec![7; stele_registers::spec::KEY_BYTES_MAX]),
        FieldType::Uint => Value::Uint(u64::MAX),
        FieldType::Hash | FieldType::Party => {
            let mut bytes = vec![0; 32];
            bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Value::Bytes(bytes)
        }
        FieldType::List { of, max, .. } => Value::Array((0..max).map(|i| most(*of, i)).collect()),
        other => least(other, 1),
    }
}

/// Values that the type does not allow.
fn wrong(kind: FieldType) -> Vec<Value> {
    match kind {
        FieldType::Text { max } => {
            vec![
                Value::Text(String::new()),
                Value::Text("x".repeat(max + 1)),
                Value::Uint(1),
                Value::Null,
            ]
        }
        FieldType::Choice(_) => vec![
            Value::Text("no such choice".into()),
            Value::Text(String::new()),
            Value::Uint(0),
        ],
        FieldType::Bytes { min, max } => {
            let mut values = vec![Value::Bytes(vec![0; max + 1]), Value::Text("x".into())];
            values.extend(min.checked_sub(1).map(|less| Value::Bytes(vec![0; less])));
            values
        }
        FieldType::Hash | FieldType::Party => {
            vec![
                Value::Bytes(vec![0; 31]),
                Value::Bytes(vec![0; 33]),
                Value::Text("0".repeat(32)),
            ]
        }
        FieldType::Key => vec![
            Value::Bytes(vec![]),
            Value::Bytes(vec![0; stele_registers::spec::KEY_BYTES_MAX + 1]),
            Value::Text("x".into()),
        ],
        FieldType::Uint => vec![
            Value::Nint(0),
            Value::Text("1".into()),
            Value::Bytes(vec![1]),
        ],
        FieldType::Bool => vec![Value::Uint(1), Value::Null],
        FieldType::List { of, min, max } => {
            let mut values = vec![
                Value::Array((0..=max).map(|i| most(*of, i)).collect()),
                Value::Null,
            ];
            values.extend(
                min.checked_sub(1)
                    .map(|less| Value::Array((0..less).map(|i| most(*of, i)).collect())),
            );
            values.extend(wrong(*of).into_iter().map(|item| Value::Array(vec![item])));
            values
        }
    }
}

fn body(fields: &[(&str, Value)]) -> Vec<u8> {
    let pairs = fields
        .iter()
        .map(|(name, value)| (Value::Text((*name).into()), value.clone()));
    Value::Map(pairs.collect()).encode()
}

#[test]
fn commands_read_what_they_describe() {
    let mut world = World::new();
    let one = key(1);
    let specs: Vec<_> = Registry::standard()
        .registers()
        .flat_map(|register| {
            register
                .commands()
                .iter()
                .map(|spec| (register.name(), *spec))
        })
        .collect();
    assert!(specs.len() >= 34);
    for (register, spec) in specs {
        let mut refused_as = |fields: &[(&str, Value)]| {
            let entry = world.entry_raw(
                &one,
                &[],
                register,
                vec![(spec.name.to_owned(), body(fields))],
            );
            let before = world.state.clone();
            let code = world.submit(&entry).err().map(|(_, refusal)| refusal.code);
            world.state = before;
            code
        };
        let bad_body = Some(format!("{register}.{}.bad-body", spec.name));
        let full = |value: fn(&FieldSpec) -> Value| -> Vec<(&str, Value)> {
            spec.fields
                .iter()
                .map(|field| (field.name, value(field)))
                .collect()
        };
        let small = full(|field| least(field.kind, 1));
        let large = full(|field| most(field.kind, 1));
        assert_ne!(refused_as(&small), bad_body, "{register}/{}", spec.name);
        assert_ne!(refused_as(&large), bad_body, "{register}/{}", spec.name);
        for (index, field) in spec.fields.iter().enumerate() {
            let mut without = small.clone();
            without.remove(index);
            let code = refused_as(&without);
            assert_eq!(
                code == bad_body,
                field.required,
                "{register}/{} without {}: {code:?}",
                spec.name,
                field.name
            );
            for value in wrong(field.kind) {
                let mut with = small.clone();
                with[index].1 = value.clone();
                assert_eq!(
                    refused_as(&with),
                    bad_body,
                    "{register}/{} {} = {value:?}",
                    spec.name,
                    field.name
                );
            }
        }
    }
}
