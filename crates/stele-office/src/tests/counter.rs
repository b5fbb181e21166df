//! Asking for credentials, with a wallet in a few lines.

use super::*;

/// What a wallet with the key 3 answers to the link of a request.
fn answer(counter: &Counter, id: &str, link: &str, credential: &str) -> Answer {
    let link = RequestLink::parse(link, false).unwrap();
    let Body::Text(_, object) = counter.request_object(id, &Form::default(), now()).body else {
        panic!("no request")
    };
    let expectation = RequestExpectation {
        client_id: &link.client_id,
        wallet_nonce: None,
        now: now(),
        skew_seconds: 60,
        allow_http: false,
    };
    let resolver = PartyOf(10);
    let request = Request::verify(&object, &resolver, &expectation).unwrap();
    let held = Held::parse(credential).unwrap();
    let candidate = Candidate {
        format: "dc+sd-jwt",
        claims: held.claims(),
    };
    let choices = request.query.choose(&[candidate]).unwrap();
    let (_, asked) = &choices[0].candidates[0];
    let binding = Binding {
        audience: &request.client_id,
        nonce: &request.nonce,
        issued_at: now(),
    };
    let text = held.present(asked, Some((binding, &holder(3)))).unwrap();
    let form = request.answer(&[("diploma", vec![text])], &mut UnwrapErr(SysRng));
    counter.respond(id, &form.unwrap(), now())
}

/// Resolves the DID of the party with the key of this number.
struct PartyOf(u8);

impl stele_credentials::did::Resolver for PartyOf {
    fn resolve(
        &self,
        did: &stele_credentials::did::Did,
        _: &stele_credentials::did::ResolutionOptions,
    ) -> stele_credentials::did::Resolution {
        use stele_credentials::did::{DidDocument, KeyForm, Relationship, Resolution};
        let kid = key(self.0).public().kid().to_string();
        let relations = &[Relationship::Authentication, Relationship::AssertionMethod];
        let document = DidDocument::new(did.clone()).with_key(
            &kid,
            key(self.0).public_key(),
            KeyForm::JsonWebKey,
            relations,
        );
        Resolution::of(Ok(document))
    }
}

fn asking(issuers: &[String]) -> NewRequest {
    NewRequest {
        key: "university".to_owned(),
        query: Query::one("diploma", VCT, &[ClaimPath::name("ects")]).to_json(),
        issuers: issuers.to_vec(),
        redirect_uri: None,
    }
}

#[test]
fn a_counter_sees_what_was_shown_and_not_what_was_revoked() {
    let Opened { office, world, .. } = &open();
    let counter = Counter::new(BASE, world.clone(), office.clone());
    let made = offer(office, false);
    let credential = Wallet::new(office, &made).receive(&[3]).remove(0);
    let request = asking(&[world.party("university").did()]);
    let started = counter.ask(&request, now()).unwrap();
    let judged = || {
        counter
            .judgement(&started.id, &started.secret, now())
            .unwrap()
    };
    assert!(matches!(judged(), Judgement::Open));
    assert_eq!(
        answer(&counter, &started.id, &started.link, &credential).status,
        200
    );
    let Judgement::Shown(shown) = judged() else {
        panic!("{:?}", judged())
    };
    assert_eq!(shown[0].claims["ects"], 120);
    assert!(!shown[0].claims.contains_key("given_name"));
    assert!(shown[0].status_checked);
    let other = counter.judgement(&started.id, "guessed", now());
    assert_eq!(rule(other).code, "presentation.unknown");

    office
        .set_status("university", &made.id, Status::Invalid, now() * 1000)
        .unwrap();
    let started = counter.ask(&request, now()).unwrap();
    assert_eq!(
        answer(&counter, &started.id, &started.link, &credential).status,
        400
    );
    let judged = counter
        .judgement(&started.id, &started.secret, now())
        .unwrap();
    let Judgement::Refused(refusal) = judged else {
        panic!("{judged:?}")
    };
    assert_eq!(refusal.code(), "status.revoked");
}

/// A diploma of somebody who is no party.
fn foreign(issuer: &SigningKey, name: &str) -> String {
    let bound = holder(3).public_key();
    let issuance = Issuance {
        vct: VCT,
        issuer: Some(name),
        key_id: None,
        issued_at: now(),
        not_before: None,
        expires_at: None,
        holder: Some(&bound),
        status: None,
    };
    let claims = json!({"ects": 300}).as_object().unwrap().clone();
    let frame = Frame::of_names(&["ects"]);
    issuance
        .issue(claims, &frame, issuer, &mut UnwrapErr(SysRng))
        .unwrap()
}

#[test]
fn a_counter_trusts_whom_it_names() {
    let Opened { office, world, .. } = &open();
    let counter = Counter::new(BASE, world.clone(), office.clone());
    let issuer = holder(77);
    let did = did_key::did_of(&issuer.public_key()).to_string();
    let credential = foreign(&issuer, &did);
    for (issuers, status) in [
        (vec![world.party("university").did()], 400),
        (vec![did], 200),
        (vec![], 200),
    ] {
        let started = counter.ask(&asking(&issuers), now()).unwrap();
        let answer = answer(&counter, &started.id, &started.link, &credential);
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            assert_eq!(code(&answer), NOT_TRUSTED.code);
        }
    }
}

#[test]
fn a_counter_knows_the_keys_of_dids() {
    let Opened { office, world, .. } = &open();
    let counter = Counter::new(BASE, world.clone(), office.clone());
    let credential = foreign(&holder(77), "https://university.example");
    let started = counter.ask(&asking(&[]), now()).unwrap();
    let answer = answer(&counter, &started.id, &started.link, &credential);
    assert_eq!(code(&answer), KEY_UNKNOWN.code);
}

#[test]
fn a_counter_is_bounded() {
    let Opened { office, world, .. } = &open();
    let counter = Counter::new(BASE, world.clone(), office.clone());
    let first = counter.ask(&asking(&[]), now()).unwrap();
    for _ in 1..10_000 {
        counter.ask(&asking(&[]), now()).unwrap();
    }
    assert_eq!(rule(counter.ask(&asking(&[]), now())), BUSY);
    // Later there is room again, and the first request is over.
    counter.ask(&asking(&[]), now() + 1201).unwrap();
    let answer = counter.request_object(&first.id, &Form::default(), now());
    assert_eq!(answer.status, 404);
}
