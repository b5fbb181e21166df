//! People who sign in with a passkey.

use super::*;

/// A wallet's own address for answers, which the office knows.
fn wallet() -> String {
    format!("{BASE}/wallet")
}

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// The wallet's request: the handle under which it waits for its person.
fn waiting(office: &Office) -> String {
    let challenge = stele_credentials::json::to_base64url(sha256(&[VERIFIER.as_bytes()]));
    let wallet = wallet();
    let query = Form::of(&[
        ("response_type", "code"),
        ("client_id", &wallet),
        ("redirect_uri", &wallet),
        ("scope", "diploma"),
        ("state", "s-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let answer = office.authorize("university", &query, now()).unwrap();
    let (_, location) = answer.headers.first().unwrap();
    let start = format!("{BASE}/sign-in#/authorise?issuer=university&request=");
    location.strip_prefix(&start).unwrap().to_owned()
}

/// A person's device, enrolled at an issuer.
fn enrolled(office: &Office, name: &str, reference: &str) -> stele_passkeys::testing::Device {
    let mut device = stele_passkeys::testing::Device {
        origin: BASE,
        rp_id: "registry.example",
        ..stele_passkeys::testing::Device::new(reference.len() as u8)
    };
    let invitation = office
        .invite(name, reference, "Fictional Ada", now())
        .unwrap();
    assert!(
        invitation
            .link
            .starts_with(&format!("{BASE}/sign-in#/enrol?issuer={name}&code="))
    );
    let started = office.start_enrolment(&invitation.code, now()).unwrap();
    let answer = device.create(&started.options).to_string();
    office
        .finish_enrolment(&started.ceremony, answer.as_bytes(), now())
        .unwrap();
    let again = office.start_enrolment(&invitation.code, now());
    assert_eq!(
        rule(again).code,
        "passkey.unknown-code",
        "a code is good once"
    );
    device
}

#[test]
fn a_person_signs_in_and_collects() {
    let Opened {
        office,
        world,
        folder,
    } = open();
    let mut device = enrolled(&office, "university", "F-1815");
    drop(office);
    // Passkeys outlive a restart; running requests do not.
    let office = &reopen(&world, &folder);
    offer(office, false);
    let request = waiting(office);
    let started = office.start_sign_in("university", &request, now()).unwrap();
    assert_eq!(
        (started.issuer.as_str(), &started.kinds[..]),
        (
            "Fictional University",
            &["Fictional diploma".to_owned()][..]
        )
    );
    let answer = device.get(&started.started.options).to_string();
    let ceremony = &started.started.ceremony;
    let location = office
        .finish_sign_in("university", &request, ceremony, answer.as_bytes(), now())
        .unwrap();
    let query = Form::parse(location.strip_prefix(&format!("{}?", wallet())).unwrap()).unwrap();
    assert_eq!(query.get("state"), Some("s-1"));
    let wallet = wallet();
    let token = Form::of(&[
        ("grant_type", "authorization_code"),
        ("code", query.need("code").unwrap()),
        ("client_id", &wallet),
        ("redirect_uri", &wallet),
        ("code_verifier", VERIFIER),
    ]);
    let token = office.token("university", &token, now()).unwrap();
    let wallet = Wallet {
        office,
        bearer: text(&token, "access_token"),
    };
    // Nothing is offered to her as a transcript, and the token does not cover it.
    assert_eq!(wallet.ask("transcript", &[3]).status, 400);
    let claims = verified(&wallet.receive(&[3])[0]).claims;
    assert_eq!(claims["given_name"], "Fictional Ada");
    assert_eq!(code(&wallet.ask("diploma", &[3])), NOT_READY.code);
    let over = office.start_sign_in("university", &request, now());
    assert_eq!(rule(over).code, REQUEST_OVER.code);
    let replayed =
        office.finish_sign_in("university", &request, ceremony, answer.as_bytes(), now());
    assert_eq!(rule(replayed).code, "passkey.replayed");
    let refused = office
        .refuse_sign_in("university", &waiting(office), now())
        .unwrap();
    assert!(refused.contains("error=access_denied"), "{refused}");
}

#[test]
fn a_passkey_of_another_issuer_collects_nothing() {
    let Opened { office, .. } = &open();
    office.put_issuer("college", settings()).unwrap();
    let mut device = enrolled(office, "college", "F-1815");
    offer(office, false);
    let request = waiting(office);
    let started = office
        .start_sign_in("university", &request, now())
        .unwrap()
        .started;
    let answer = device.get(&started.options).to_string();
    let answer = office.finish_sign_in(
        "university",
        &request,
        &started.ceremony,
        answer.as_bytes(),
        now(),
    );
    assert_eq!(rule(answer).code, NOT_YOURS.code);
}

#[test]
fn an_address_that_is_a_number_has_no_passkeys() {
    let Opened {
        world,
        folder,
        office,
    } = open();
    drop(office);
    let path = folder.path().join("offices.db");
    let office = Office::open(&path, "http://127.0.0.1:4180", world, now()).unwrap();
    let invited = office.invite("university", "F-1", "Fictional Ada", now());
    assert_eq!(rule(invited).code, NO_PASSKEYS.code);
}
