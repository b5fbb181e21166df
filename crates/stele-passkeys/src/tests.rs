//! The service as a whole: what it accepts, and one test for each refusal.

use ciborium::Value as Cbor;
use serde_json::{Value, json};

use crate::answer::{ANSWER_BYTES_MAX, encode};
use crate::refusal::*;
use crate::testing::{
    Device, NOW, ada, decode, register, service, settings, start, started_registration,
};
use crate::{Credentials, EnrolmentCodes, Passkeys, SignedIn, Started};

fn finish(
    service: &mut Passkeys,
    started: &Started,
    answer: &Value,
) -> Result<SignedIn, &'static str> {
    let answer = answer.to_string();
    service
        .finish_authentication(&started.ceremony, answer.as_bytes(), NOW)
        .map_err(|refusal| refusal.code())
}

/// Signs in with whatever device.
fn sign_in(service: &mut Passkeys, device: &mut Device) -> Result<SignedIn, &'static str> {
    let started = start(service);
    let answer = device.get(&started.options);
    finish(service, &started, &answer)
}

/// Registers whatever device.
fn enrol(
    service: &mut Passkeys,
    subject: &str,
    device: &mut Device,
) -> Result<String, &'static str> {
    let started = service
        .start_registration(subject, "Fictional Ada", NOW)
        .map_err(|refusal| refusal.code())?;
    let answer = device.create(&started.options).to_string();
    service
        .finish_registration(&started.ceremony, answer.as_bytes(), NOW)
        .map(|record| record.id.clone())
        .map_err(|refusal| refusal.code())
}

#[test]
fn a_person_registers_and_signs_in_named_or_not() {
    let (mut service, mut device) = ada();
    let id = encode(&device.id);
    let signed_in = SignedIn {
        subject: "ada".to_owned(),
        credential: id.clone(),
        backed_up: false,
    };
    assert_eq!(sign_in(&mut service, &mut device), Ok(signed_in.clone()));
    // A device that was told whose passkey is wanted may leave the handle out.
    let started = service.start_authentication(Some("ada"), NOW + 5).unwrap();
    assert_eq!(
        started.options["allowCredentials"],
        json!([{"type": "public-key", "id": id}])
    );
    device.handle = None;
    let mut answer = device.get(&started.options);
    answer["response"]
        .as_object_mut()
        .unwrap()
        .remove("userHandle");
    let answer = answer.to_string();
    let result = service.finish_authentication(&started.ceremony, answer.as_bytes(), NOW + 7);
    assert_eq!(result.unwrap(), signed_in);
    let record = service.credentials().get(&id).unwrap();
    assert_eq!((record.registered_at, record.used_at), (NOW, Some(NOW + 7)));
}

#[test]
fn the_options_ask_for_a_verified_person_and_no_attestation() {
    let (mut service, device) = ada();
    let started = service
        .start_registration("ada", "Fictional Ada", NOW)
        .unwrap();
    let options = &started.options;
    assert_eq!(options["rp"]["id"], "university.example");
    assert_eq!(options["rp"]["name"], "Fictional University");
    assert_eq!(options["user"]["displayName"], "Fictional Ada");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["timeout"], 300_000);
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["requireResidentKey"], true);
    // The device that Ada has need not offer itself, and her second one knows her by the same handle.
    assert_eq!(options["excludeCredentials"][0]["id"], encode(&device.id));
    assert_eq!(
        decode(options["user"]["id"].as_str().unwrap()),
        device.handle.unwrap()
    );
    assert!(
        !options.to_string().contains("\"ada\""),
        "the subject stays here"
    );
    let options = start(&mut service).options;
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["rpId"], "university.example");
    assert_eq!(options["allowCredentials"], json!([]));
}

#[test]
fn a_code_registers_one_passkey() {
    let mut service = service(settings());
    let code = service
        .invite("ada", "Fictional Ada", [7; 10], NOW)
        .unwrap()
        .text();
    // A failed attempt leaves the code as it was.
    let mut device = Device::new(1);
    device.origin = "https://evil.example";
    let started = service.start_enrolment(&code, NOW).unwrap();
    let answer = device.create(&started.options).to_string();
    let refused = service.finish_registration(&started.ceremony, answer.as_bytes(), NOW);
    assert_eq!(refused.unwrap_err().code(), WRONG_ORIGIN.code);
    device = Device::new(1);
    let started = service.start_enrolment(&code.to_lowercase(), NOW).unwrap();
    let answer = device.create(&started.options).to_string();
    let record = service
        .finish_registration(&started.ceremony, answer.as_bytes(), NOW)
        .unwrap();
    assert_eq!(
        (record.subject.as_str(), record.display_name.as_str()),
        ("ada", "Fictional Ada")
    );
    assert!(service.codes().is_empty());
    assert_eq!(sign_in(&mut service, &mut device).unwrap().subject, "ada");
}

#[test]
fn a_code_works_once_and_for_its_person() {
    let mut service = service(settings());
    let code = service
        .invite("ada", "Fictional Ada", [7; 10], NOW)
        .unwrap()
        .text();
    let (first, second) = (
        service.start_enrolment(&code, NOW).unwrap(),
        service.start_enrolment(&code, NOW).unwrap(),
    );
    let answer = Device::new(1).create(&first.options).to_string();
    service
        .finish_registration(&first.ceremony, answer.as_bytes(), NOW)
        .unwrap();
    // The second began while the code was open, and ends after it was spent.
    let answer = Device::new(2).create(&second.options).to_string();
    let refused = service.finish_registration(&second.ceremony, answer.as_bytes(), NOW);
    assert_eq!(refused.unwrap_err().code(), UNKNOWN_CODE.code);
    assert_eq!(service.credentials().len(), 1);
    for code in [code.as_str(), "0000-0000-0000-0000", "", "a code"] {
        assert_eq!(
            service.start_enrolment(code, NOW).unwrap_err().code(),
            UNKNOWN_CODE.code
        );
    }
    service
        .invite("ben", "Fictional Ben", [8; 10], NOW)
        .unwrap();
    assert!(service.withdraw_code("ben") && !service.withdraw_code("ben"));
}

#[test]
fn a_code_ends_with_its_time() {
    let mut service = service(settings());
    let code = service
        .invite("ada", "Fictional Ada", [7; 10], NOW)
        .unwrap()
        .text();
    let end = NOW + settings().code_seconds;
    let started = service.start_enrolment(&code, end - 1).unwrap();
    assert_eq!(
        service.start_enrolment(&code, end).unwrap_err().code(),
        CODE_EXPIRED.code
    );
    // It must be open when the registration ends, not only when it began.
    let answer = Device::new(1).create(&started.options).to_string();
    let refused = service.finish_registration(&started.ceremony, answer.as_bytes(), end);
    assert_eq!(refused.unwrap_err().code(), CODE_EXPIRED.code);
}

#[test]
fn a_ceremony_that_was_never_started_is_unknown() {
    let (mut service, mut device) = ada();
    let started = start(&mut service);
    let answer = device.get(&started.options);
    let unknown = Started {
        ceremony: "0".repeat(32),
        ..started.clone()
    };
    assert_eq!(
        finish(&mut service, &unknown, &answer),
        Err(UNKNOWN_CEREMONY.code)
    );
    // A sign-in does not end a registration, nor the other way round; both go on afterwards.
    let registration = service
        .start_registration("ada", "Fictional Ada", NOW)
        .unwrap();
    assert_eq!(
        finish(&mut service, &registration, &answer),
        Err(UNKNOWN_CEREMONY.code)
    );
    let refused = service.finish_registration(&started.ceremony, b"{}", NOW);
    assert_eq!(refused.unwrap_err().code(), UNKNOWN_CEREMONY.code);
    assert!(finish(&mut service, &started, &answer).is_ok());
}

#[test]
fn an_answer_after_its_time_is_refused() {
    let (mut service, mut device) = ada();
    let started = start(&mut service);
    let answer = device.get(&started.options).to_string();
    let late = NOW + settings().ceremony_seconds;
    let refused = service.finish_authentication(&started.ceremony, answer.as_bytes(), late);
    assert_eq!(refused.unwrap_err().code(), EXPIRED.code);
}

#[test]
fn an_answer_counts_once_and_for_its_own_ceremony() {
    let (mut service, mut device) = ada();
    let (first, second) = (start(&mut service), start(&mut service));
    let answer = device.get(&first.options);
    assert_eq!(finish(&mut service, &second, &answer), Err(REPLAYED.code));
    assert!(finish(&mut service, &first, &answer).is_ok());
    assert_eq!(finish(&mut service, &first, &answer), Err(REPLAYED.code));
    // A wrong answer uses the ceremony up too.
    let right = device.get(&second.options);
    assert_eq!(finish(&mut service, &second, &right), Err(REPLAYED.code));
    // The same for registrations.
    let begin = |service: &mut Passkeys| {
        service
            .start_registration("ada", "Fictional Ada", NOW)
            .unwrap()
    };
    let (first, second) = (begin(&mut service), begin(&mut service));
    let answer = Device::new(2).create(&first.options).to_string();
    let refused = service.finish_registration(&second.ceremony, answer.as_bytes(), NOW);
    assert_eq!(refused.unwrap_err().code(), REPLAYED.code);
}

#[test]
fn answers_from_other_websites_are_refused() {
    let (mut service, device) = ada();
    for origin in [
        "https://evil.example",
        "https://university.example",
        "https://a.issuer.university.example",
        "https://issuer.university.example:8443",
        "http://issuer.university.example",
    ] {
        let mut elsewhere = Device {
            origin,
            ..device.clone()
        };
        assert_eq!(
            sign_in(&mut service, &mut elsewhere),
            Err(WRONG_ORIGIN.code),
            "{origin}"
        );
        let mut new = Device {
            origin,
            ..Device::new(2)
        };
        assert_eq!(
            enrol(&mut service, "ada", &mut new),
            Err(WRONG_ORIGIN.code),
            "{origin}"
        );
    }
    let mut framed = Device {
        cross_origin: true,
        ..device.clone()
    };
    assert_eq!(sign_in(&mut service, &mut framed), Err(WRONG_ORIGIN.code));
    let mut framed = Device {
        cross_origin: true,
        ..Device::new(2)
    };
    assert_eq!(
        enrol(&mut service, "ada", &mut framed),
        Err(WRONG_ORIGIN.code)
    );
}

#[test]
fn a_passkey_of_another_site_is_refused() {
    let (mut service, device) = ada();
    let mut other = Device {
        rp_id: "evil.example",
        ..device
    };
    assert_eq!(sign_in(&mut service, &mut other), Err(WRONG_SITE.code));
    let mut other = Device {
        rp_id: "evil.example",
        ..Device::new(2)
    };
    assert_eq!(enrol(&mut service, "ada", &mut other), Err(WRONG_SITE.code));
}

#[test]
fn a_person_whom_the_device_did_not_verify_is_refused() {
    let (mut service, device) = ada();
    for (present, verified) in [(true, false), (false, true), (false, false)] {
        let mut careless = Device {
            present,
            verified,
            ..device.clone()
        };
        assert_eq!(sign_in(&mut service, &mut careless), Err(NOT_VERIFIED.code));
        let mut careless = Device {
            present,
            verified,
            ..Device::new(2)
        };
        assert_eq!(
            enrol(&mut service, "ada", &mut careless),
            Err(NOT_VERIFIED.code)
        );
    }
}

#[test]
fn a_counter_that_does_not_grow_locks_the_passkey() {
    let (mut service, mut device) = ada();
    sign_in(&mut service, &mut device).unwrap();
    let mut copy = device.clone();
    sign_in(&mut service, &mut device).unwrap();
    let changes = service.credentials().changes();
    assert_eq!(sign_in(&mut service, &mut copy), Err(CLONED.code));
    assert!(
        service.credentials().changes() > changes,
        "the lock is to be written"
    );
    // Nobody can tell which of the two is Ada's: neither works any more, until the office removes it.
    assert_eq!(sign_in(&mut service, &mut device), Err(CLONED.code));
    let id = encode(&device.id);
    assert_eq!(service.credentials().get(&id).unwrap().cloned_at, Some(NOW));
    assert!(service.remove("ada", &id) && !service.remove("ada", &id));
    assert_eq!(
        sign_in(&mut service, &mut device),
        Err(UNKNOWN_CREDENTIAL.code)
    );
    assert!(enrol(&mut service, "ada", &mut Device::new(2)).is_ok());
}

#[test]
fn a_copy_is_found_among_sign_ins_that_run_side_by_side() {
    for named in [None, Some("ada")] {
        let (mut service, mut device) = ada();
        let mut copy = device.clone();
        let first = service.start_authentication(named, NOW).unwrap();
        let second = service.start_authentication(named, NOW).unwrap();
        let answer = device.get(&first.options);
        assert!(finish(&mut service, &first, &answer).is_ok());
        let answer = copy.get(&second.options);
        assert_eq!(finish(&mut service, &second, &answer), Err(CLONED.code));
    }
}

#[test]
fn a_device_without_a_counter_is_no_copy() {
    let mut service = service(settings());
    let mut device = Device {
        counter: 0,
        step: 0,
        ..Device::new(1)
    };
    register(&mut service, "ada", &mut device, NOW);
    for _ in 0..3 {
        assert!(sign_in(&mut service, &mut device).is_ok());
    }
    // One that has counted cannot stop counting.
    device.counter = 9;
    assert!(sign_in(&mut service, &mut device).is_ok());
    device.counter = 0;
    assert_eq!(sign_in(&mut service, &mut device), Err(CLONED.code));
}

#[test]
fn a_stranger_cannot_lock_a_passkey() {
    let (mut service, mut device) = ada();
    let mut forged = Device {
        id: device.id.clone(),
        handle: device.handle.clone(),
        counter: 0,
        ..Device::new(9)
    };
    assert_eq!(sign_in(&mut service, &mut forged), Err(BAD_SIGNATURE.code));
    assert!(sign_in(&mut service, &mut device).is_ok());
}

#[test]
fn a_passkey_that_is_not_registered_is_refused() {
    let (mut service, mut device) = ada();
    register(&mut service, "ben", &mut Device::new(2), NOW);
    let mut stranger = Device {
        handle: device.handle.clone(),
        ..Device::new(3)
    };
    assert_eq!(
        sign_in(&mut service, &mut stranger),
        Err(UNKNOWN_CREDENTIAL.code)
    );
    let refused = service.start_authentication(Some("cleo"), NOW).unwrap_err();
    assert_eq!(refused.code(), UNKNOWN_CREDENTIAL.code);
    // Ada's passkey does not sign in as Ben, whether he was named or she carries his handle.
    let started = service.start_authentication(Some("ben"), NOW).unwrap();
    let answer = device.get(&started.options);
    assert_eq!(
        finish(&mut service, &started, &answer),
        Err(UNKNOWN_CREDENTIAL.code)
    );
    let of_ben = service.credentials().of("ben").next().unwrap();
    device.handle = Some(of_ben.handle.as_bytes().to_vec());
    assert_eq!(
        sign_in(&mut service, &mut device),
        Err(UNKNOWN_CREDENTIAL.code)
    );
}

#[test]
fn a_changed_answer_is_refused() {
    let (mut service, mut device) = ada();
    let started = start(&mut service);
    let mut answer = device.get(&started.options);
    let mut data = decode(answer["response"]["authenticatorData"].as_str().unwrap());
    *data.last_mut().unwrap() += 1;
    answer["response"]["authenticatorData"] = encode(&data).into();
    assert_eq!(
        finish(&mut service, &started, &answer),
        Err(BAD_SIGNATURE.code)
    );
    let started = start(&mut service);
    let mut answer = device.get(&started.options);
    answer["response"]["signature"] = encode(b"no signature").into();
    assert_eq!(
        finish(&mut service, &started, &answer),
        Err(BAD_SIGNATURE.code)
    );
}

#[test]
fn kinds_of_keys_and_attestations_that_are_not_asked_for_are_refused() {
    let mut service = service(settings());
    let text = |text: &str| Cbor::Text(text.to_owned());
    let certificate = vec![
        (text("alg"), (-7).into()),
        (text("sig"), Cbor::Bytes(vec![0; 70])),
        (text("x5c"), Cbor::Array(vec![Cbor::Bytes(vec![0x30; 40])])),
    ];
    for (format, statement) in [
        ("packed", certificate.clone()),
        ("fido-u2f", certificate),
        ("tpm", Vec::new()),
        ("unheard-of", Vec::new()),
    ] {
        let mut device = Device {
            format,
            statement,
            ..Device::new(1)
        };
        assert_eq!(
            enrol(&mut service, "ada", &mut device),
            Err(UNSUPPORTED.code),
            "{format}"
        );
    }
    // EdDSA was not among the options, RSA with SHA-1 is broken, and the last is nobody's.
    for algorithm in [-8, -65535, -260] {
        let mut device = Device {
            algorithm,
            ..Device::new(1)
        };
        assert_eq!(
            enrol(&mut service, "ada", &mut device),
            Err(UNSUPPORTED.code),
            "{algorithm}"
        );
    }
}

#[test]
fn a_passkey_whose_backup_rule_changed_is_refused() {
    let (mut service, mut device) = ada();
    device.backup_eligible = true;
    assert_eq!(sign_in(&mut service, &mut device), Err(CHANGED.code));
    // Being copied now is no change of the rule for one that may be copied.
    let mut synced = Device {
        backup_eligible: true,
        ..Device::new(2)
    };
    register(&mut service, "ada", &mut synced, NOW);
    synced.backed_up = true;
    assert!(sign_in(&mut service, &mut synced).unwrap().backed_up);
}

#[test]
fn a_passkey_is_registered_once() {
    let (mut service, device) = ada();
    for subject in ["ada", "ben"] {
        let mut again = device.clone();
        assert_eq!(
            enrol(&mut service, subject, &mut again),
            Err(ALREADY_REGISTERED.code)
        );
    }
    assert_eq!(service.credentials().len(), 1);
}

#[test]
fn a_person_has_a_bounded_number_of_passkeys() {
    let mut few = settings();
    few.credentials_per_subject_max = 2;
    let mut service = service(few);
    // Two registrations that began before the last place was taken.
    let (first, second) = (
        service
            .start_registration("ada", "Fictional Ada", NOW)
            .unwrap(),
        service
            .start_registration("ada", "Fictional Ada", NOW)
            .unwrap(),
    );
    register(&mut service, "ada", &mut Device::new(1), NOW);
    for (started, seed, expected) in [(first, 2, None), (second, 3, Some(TOO_MANY.code))] {
        let answer = Device::new(seed).create(&started.options).to_string();
        let result = service.finish_registration(&started.ceremony, answer.as_bytes(), NOW);
        assert_eq!(result.err().map(|refusal| refusal.code()), expected);
    }
    assert_eq!(
        enrol(&mut service, "ada", &mut Device::new(4)),
        Err(TOO_MANY.code)
    );
    assert!(enrol(&mut service, "ben", &mut Device::new(4)).is_ok());
}

#[test]
fn the_store_of_credentials_is_bounded() {
    let mut small = settings();
    small.credentials_max = 1;
    let mut service = service(small);
    register(&mut service, "ada", &mut Device::new(1), NOW);
    assert_eq!(
        enrol(&mut service, "ben", &mut Device::new(2)),
        Err(FULL.code)
    );
}

#[test]
fn ceremonies_are_bounded_and_free_themselves() {
    let mut small = settings();
    small.ceremonies_max = 2;
    let mut service = service(small);
    register(&mut service, "ada", &mut Device::new(1), NOW);
    start(&mut service);
    let busy = service.start_authentication(None, NOW).unwrap_err();
    assert_eq!(busy.code(), BUSY.code);
    let busy = service
        .start_registration("ada", "Fictional Ada", NOW)
        .unwrap_err();
    assert_eq!(busy.code(), BUSY.code);
    assert!(service.start_authentication(None, NOW + 300).is_ok());
    assert!(service.ceremonies() <= 2);
}

#[test]
fn malformed_answers_are_refused() {
    let (mut service, mut device) = ada();
    let good = |service: &mut Passkeys, device: &mut Device| {
        let started = start(service);
        let answer = device.get(&started.options);
        (started, answer)
    };
    type Change = fn(&mut Value);
    let changes: [Change; 8] = [
        |answer| *answer = json!([]),
        |answer| answer["type"] = "password".into(),
        |answer| answer["id"] = "AAAA".into(),
        |answer| answer["rawId"] = "".into(),
        |answer| answer["response"]["clientDataJSON"] = encode(b"{").into(),
        |answer| answer["response"]["authenticatorData"] = "AAAA".into(),
        |answer| answer["response"]["signature"] = "not base64!".into(),
        |answer| answer["response"]["userHandle"] = Value::Null,
    ];
    for (place, change) in changes.iter().enumerate() {
        let (started, mut answer) = good(&mut service, &mut device);
        change(&mut answer);
        assert_eq!(
            finish(&mut service, &started, &answer),
            Err(MALFORMED.code),
            "{place}"
        );
    }
    let (started, answer) = good(&mut service, &mut device);
    let mut long = answer.to_string();
    long.push_str(&" ".repeat(ANSWER_BYTES_MAX + 1 - long.len()));
    let refused = service.finish_authentication(&started.ceremony, long.as_bytes(), NOW);
    assert_eq!(refused.unwrap_err().code(), MALFORMED.code);
    // What was signed for the one purpose is nothing for the other.
    let mut confused = Device {
        kind: Some("webauthn.create"),
        ..device.clone()
    };
    assert_eq!(sign_in(&mut service, &mut confused), Err(MALFORMED.code));
    let mut confused = Device {
        kind: Some("webauthn.get"),
        ..Device::new(2)
    };
    assert_eq!(
        enrol(&mut service, "ada", &mut confused),
        Err(MALFORMED.code)
    );
    // A registration's answer is none to a sign-in, and ids that differ are found.
    let (started, _) = good(&mut service, &mut device);
    let answer = Device::new(2).create(&started_registration(&mut service).options);
    assert_eq!(finish(&mut service, &started, &answer), Err(MALFORMED.code));
    let started = started_registration(&mut service);
    let mut answer = Device::new(2).create(&started.options);
    answer["id"] = "AAAA".into();
    answer["rawId"] = "AAAA".into();
    let answer = answer.to_string();
    let refused = service.finish_registration(&started.ceremony, answer.as_bytes(), NOW);
    assert_eq!(refused.unwrap_err().code(), MALFORMED.code);
    for (subject, name) in [
        ("", "Fictional"),
        ("ada", ""),
        ("a\nb", "x"),
        ("ada", &"x".repeat(257)),
    ] {
        let refused = service.start_registration(subject, name, NOW).unwrap_err();
        assert_eq!(refused.code(), MALFORMED.code);
    }
}

#[test]
fn credentials_survive_their_text() {
    let (mut service, mut device) = ada();
    register(&mut service, "ada", &mut Device::new(2), NOW + 1);
    register(&mut service, "ben", &mut Device::new(3), NOW + 2);
    sign_in(&mut service, &mut device).unwrap();
    let copy = device.clone();
    let mut locked = Device {
        counter: 1,
        ..device.clone()
    };
    let text = serde_json::to_string(service.credentials()).unwrap();
    let read: Credentials = serde_json::from_str(&text).unwrap();
    assert_eq!((read.len(), read.changes()), (3, 0));
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    let ids: Vec<&str> = read.of("ada").map(|record| record.id.as_str()).collect();
    assert_eq!(ids, [encode(&[1; 16]), encode(&[2; 16])]);
    let mut again = Passkeys::new(settings(), read, EnrolmentCodes::new()).unwrap();
    assert!(sign_in(&mut again, &mut device).is_ok());
    // Counter and lock are in the text.
    assert_eq!(sign_in(&mut again, &mut locked), Err(CLONED.code));
    let text = serde_json::to_string(again.credentials()).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    let mut again = Passkeys::new(settings(), read, EnrolmentCodes::new()).unwrap();
    assert_eq!(sign_in(&mut again, &mut copy.clone()), Err(CLONED.code));
}

#[test]
fn credentials_that_contradict_themselves_are_not_read() {
    let (mut service, _) = ada();
    register(&mut service, "ben", &mut Device::new(2), NOW);
    let good = serde_json::to_value(service.credentials()).unwrap();
    let (ada, ben) = (encode(&[1; 16]), encode(&[2; 16]));
    let read = |value: &Value| serde_json::from_value::<Credentials>(value.clone());
    assert!(read(&good).is_ok());
    let mut other = good.clone();
    other["version"] = 2.into();
    assert!(read(&other).unwrap_err().to_string().contains("version 2"));
    let mut other = good.clone();
    other["credentials"][&ada]["id"] = ben.clone().into();
    assert!(read(&other).is_err());
    let mut other = good.clone();
    other["credentials"][&ada]["passkey"] = good["credentials"][&ben]["passkey"].clone();
    assert!(read(&other).is_err());
    let mut other = good.clone();
    other["credentials"][&ada]["handle"] = good["credentials"][&ben]["handle"].clone();
    assert!(read(&other).is_err());
}

#[test]
fn an_attestation_by_the_key_itself_is_verified() {
    let mut service = service(settings());
    let text = |text: &str| Cbor::Text(text.to_owned());
    let statement = vec![
        (text("alg"), (-7).into()),
        (text("sig"), Cbor::Bytes(vec![0; 70])),
    ];
    let mut device = Device {
        format: "packed",
        statement,
        ..Device::new(1)
    };
    let refused = enrol(&mut service, "ada", &mut device);
    assert_eq!(refused, Err(BAD_SIGNATURE.code));
}
