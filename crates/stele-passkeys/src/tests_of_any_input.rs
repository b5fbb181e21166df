//! Arbitrary and slightly wrong answers: they are refused, and nothing panics.

use ciborium::Value as Cbor;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::answer::encode;
use crate::refusal::{MALFORMED, UNKNOWN_CEREMONY};
use crate::testing::{Device, NOW, RP_ID, ada, decode, start, started_registration};

/// JSON with the names of the answers, and values that are nearly right.
fn nearly() -> impl Strategy<Value = Value> {
    let bytes =
        proptest::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| encode(&bytes).into());
    let text = prop_oneof![
        Just(Value::Null),
        Just("public-key".into()),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        bytes,
        Just(encode(&[1; 16]).into()),
        Just(encode(br#"{"type":"webauthn.get","challenge":"","origin":"https://a"}"#).into()),
    ];
    let response = proptest::collection::vec(text.clone(), 6).prop_map(|mut values| {
        let mut next = || values.pop();
        json!({
            "clientDataJSON": next(), "authenticatorData": next(), "signature": next(),
            "userHandle": next(), "attestationObject": next(), "transports": next(),
        })
    });
    (text.clone(), text.clone(), text, response).prop_map(|(id, raw_id, kind, response)| {
        json!({"id": id, "rawId": raw_id, "type": kind, "response": response})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_refused(answer in proptest::collection::vec(any::<u8>(), 0..300), id in ".{0,40}") {
        both(&answer);
        let (mut service, _) = ada();
        let refused = service.finish_authentication(&id, &answer, NOW).unwrap_err();
        prop_assert_eq!(refused.code(), UNKNOWN_CEREMONY.code);
    }

    #[test]
    fn any_json_is_refused(answer in nearly()) {
        both(answer.to_string().as_bytes());
    }

    /// Behind the right site, flags and counter stands anything: no key, no extensions.
    #[test]
    fn any_tail_of_authenticator_data_is_refused(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        refuses_tail(&tail);
    }

    /// One byte of the answer is another one: it never signs in. A registration without attestation is not signed, so there it
    /// may stand.
    #[test]
    fn a_changed_byte_never_signs_in(place: Index, bits in 1u8.., registration: bool) {
        let (mut service, mut device) = ada();
        let started = if registration { started_registration(&mut service) } else { start(&mut service) };
        let mut answer = if registration { Device::new(2).create(&started.options) } else { device.get(&started.options) };
        let fields: &[&str] = if registration { &["clientDataJSON", "attestationObject"] } else { &["clientDataJSON", "authenticatorData", "signature", "userHandle"] };
        let mut all: Vec<Vec<u8>> = fields.iter().map(|name| decode(answer["response"][name].as_str().unwrap())).collect();
        let length = all.iter().map(Vec::len).sum();
        let mut place = place.index(length);
        for (field, name) in all.iter_mut().zip(fields) {
            if place < field.len() {
                field[place] ^= bits;
                answer["response"][name] = encode(field).into();
                break;
            }
            place -= field.len();
        }
        let answer = answer.to_string();
        if registration {
            let _ = service.finish_registration(&started.ceremony, answer.as_bytes(), NOW);
        } else {
            let result = service.finish_authentication(&started.ceremony, answer.as_bytes(), NOW);
            prop_assert!(result.is_err());
        }
    }
}

/// CBOR that promises more than there is, or is nested without end.
#[test]
fn endless_cbor_is_refused() {
    let promises = [0x5b, 0x7b, 0x9b, 0xbb].map(|head| [&[head][..], &[0xff; 8]].concat());
    let nested = [0x81, 0xa1, 0xc1, 0x9f, 0xbf].map(|head| vec![head; 5000]);
    for cbor in promises.iter().chain(&nested) {
        // As the key; as the extensions; as the whole attestation object.
        let mut tail = vec![0; 18];
        tail[17] = 1;
        tail.push(7);
        tail.extend(cbor);
        refuses_tail(&tail);
        refuses_tail(cbor);
        let (mut service, _) = ada();
        let started = started_registration(&mut service);
        let mut answer = Device::new(2).create(&started.options);
        answer["response"]["attestationObject"] = encode(cbor).into();
        let refused =
            service.finish_registration(&started.ceremony, answer.to_string().as_bytes(), NOW);
        assert_eq!(refused.unwrap_err().code(), MALFORMED.code);
    }
}

/// Both kinds of ceremonies refuse authenticator data with another end.
fn refuses_tail(tail: &[u8]) {
    for flags in [0b0000_0101, 0b0100_0101, 0b1000_0101, 0b1100_0101] {
        let head = [&Sha256::digest(RP_ID)[..], &[flags, 0, 0, 0, 9]].concat();
        let data = [&head, tail].concat();
        let (mut service, mut device) = ada();
        let started = start(&mut service);
        let mut answer = device.get(&started.options);
        answer["response"]["authenticatorData"] = encode(&data).into();
        service
            .finish_authentication(&started.ceremony, answer.to_string().as_bytes(), NOW)
            .unwrap_err();
        let started = started_registration(&mut service);
        let mut answer = Device::new(2).create(&started.options);
        let members = [
            ("fmt", Cbor::Text("none".to_owned())),
            ("attStmt", Cbor::Map(Vec::new())),
            ("authData", Cbor::Bytes(data)),
        ];
        let members = members.map(|(name, value)| (Cbor::Text(name.to_owned()), value));
        let mut object = Vec::new();
        ciborium::into_writer(&Cbor::Map(members.into()), &mut object).unwrap();
        answer["response"]["attestationObject"] = encode(&object).into();
        service
            .finish_registration(&started.ceremony, answer.to_string().as_bytes(), NOW)
            .unwrap_err();
    }
}

/// Both kinds of ceremonies refuse the answer.
fn both(answer: &[u8]) {
    let (mut service, _) = ada();
    let started = start(&mut service);
    service
        .finish_authentication(&started.ceremony, answer, NOW)
        .unwrap_err();
    let started = started_registration(&mut service);
    service
        .finish_registration(&started.ceremony, answer, NOW)
        .unwrap_err();
}
