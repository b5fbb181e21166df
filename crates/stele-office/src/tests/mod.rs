//! The office over a real ledger, with a wallet in a few lines.

mod counter;
mod people;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use stele_core::id::sha256;
use stele_core::suite::{SigningKey, Suite};
use stele_credentials::Refusal;
use stele_credentials::did::key as did_key;
use stele_credentials::jose::{self, PublicKey, Signer as _};
use stele_credentials::openid::dcql::{Candidate, Query};
use stele_credentials::openid::holder::{Request, RequestExpectation, RequestLink};
use stele_credentials::openid::issuer::GRANT_PRE_AUTHORIZED;
use stele_credentials::openid::{Answer, Body, Form};
use stele_credentials::sd_jwt::{
    Binding, ClaimPath, Expectation, Frame, Held, Issuance, Verified, verify,
};
use stele_credentials::status::{ListExpectation, Status, TokenStatusList};
use stele_credentials::trust::{IssuanceProof, KeyReport};
use stele_refusal::Rule;

use crate::rules::*;
use crate::settings::IssuerSettings;
use crate::testing::*;
use crate::{Counter, Judgement, MadeOffer, NewRequest, OfferState, Office, table};

const VCT: &str = "https://university.example/diploma";

fn holder(n: u8) -> SigningKey {
    SigningKey::from_seed(Suite::Es256, &[n; 32]).unwrap()
}

fn rule<T: core::fmt::Debug>(done: Result<T, Refusal>) -> &'static Rule {
    done.unwrap_err().rule()
}

fn text(answer: &Answer, name: &str) -> String {
    assert!(answer.status < 300, "{answer:?}");
    answer.as_json().unwrap()[name].as_str().unwrap().to_owned()
}

/// The code of a refusal that stands in an error's description.
fn code(answer: &Answer) -> String {
    let description = answer.as_json().unwrap()["error_description"].as_str();
    let (_, code) = description.unwrap().rsplit_once('[').unwrap();
    code.trim_end_matches(']').to_owned()
}

/// A wallet at the issuer `university`.
struct Wallet<'a> {
    office: &'a Office,
    bearer: String,
}

impl<'a> Wallet<'a> {
    fn new(office: &'a Office, offer: &MadeOffer) -> Self {
        let answer = Self::token(office, offer, offer.tx_code.as_deref());
        Self {
            office,
            bearer: text(&answer, "access_token"),
        }
    }

    fn token(office: &Office, offer: &MadeOffer, tx_code: Option<&str>) -> Answer {
        let link = Form::parse(offer.link.split_once('?').unwrap().1).unwrap();
        let found: Value = serde_json::from_str(link.need("credential_offer").unwrap()).unwrap();
        let code = &found["grants"][GRANT_PRE_AUTHORIZED]["pre-authorized_code"];
        let mut parameters = vec![
            ("grant_type", GRANT_PRE_AUTHORIZED),
            ("pre-authorized_code", code.as_str().unwrap()),
        ];
        parameters.extend(tx_code.map(|code| ("tx_code", code)));
        office
            .token("university", &Form::of(&parameters), now())
            .unwrap()
    }

    fn ask(&self, kind: &str, keys: &[u8]) -> Answer {
        let nonce = text(&self.office.nonce("university", now()).unwrap(), "c_nonce");
        let claims = json!({"aud": format!("{BASE}/openid/issuers/university"), "iat": now(), "nonce": nonce});
        let proofs: Vec<String> = keys
            .iter()
            .map(|n| {
                let key = holder(*n);
                let header =
                    json!({"typ": "openid4vci-proof+jwt", "jwk": key.public_key().to_jwk()});
                jose::sign(
                    header.as_object().unwrap(),
                    claims.to_string().as_bytes(),
                    &key,
                )
                .unwrap()
            })
            .collect();
        let request = json!({"credential_configuration_id": kind, "proofs": {"jwt": proofs}});
        self.office
            .credential("university", &self.bearer, &request, now())
            .unwrap()
    }

    fn receive(&self, keys: &[u8]) -> Vec<String> {
        credentials(&self.ask("diploma", keys))
    }
}

fn credentials(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.as_json().unwrap()["credentials"].as_array().unwrap();
    list.iter()
        .map(|one| one["credential"].as_str().unwrap().to_owned())
        .collect()
}

fn offer(office: &Office, wants_code: bool) -> MadeOffer {
    let made = office.offer("university", vec![ada(wants_code)], now());
    made.unwrap().remove(0)
}

fn university() -> PublicKey {
    key(10).public_key()
}

fn verified(text: &str) -> Verified {
    verify(text, &university(), &Expectation::at(now())).unwrap()
}

fn status_of(office: &Office, verified: &Verified) -> Status {
    let reference = verified.status.as_ref().unwrap();
    let (base, shard) = reference.uri.rsplit_once('/').unwrap();
    assert_eq!(base, format!("{BASE}/openid/issuers/university/status"));
    let list = office.status_list("university", shard.parse().unwrap(), now());
    let expectation = ListExpectation {
        uri: &reference.uri,
        now: now(),
        skew_seconds: 60,
    };
    let list = TokenStatusList::verify_jwt(&list.unwrap().unwrap(), &university(), &expectation);
    list.unwrap().status(reference.index).unwrap()
}

#[test]
fn what_is_issued_holds_and_is_proven_to_be_issued() {
    let Opened { world, office, .. } = &open();
    let made = offer(office, true);
    assert_eq!(made.tx_code.as_ref().unwrap().len(), 6);
    assert_eq!(
        Wallet::token(office, &made, Some("000")).status,
        400,
        "a wrong code"
    );
    let copies = Wallet::new(office, &made).receive(&[3, 4, 5]);
    let mut places = std::collections::HashSet::new();
    for (copy, n) in copies.iter().zip([3, 4, 5]) {
        let found = verified(copy);
        assert_eq!(found.claims["given_name"], "Fictional Ada");
        assert_eq!(found.claims["ects"], 120);
        assert_eq!(found.vct.as_deref(), Some(VCT));
        assert_eq!(found.issuer, Some(world.party("university").did()));
        assert_eq!(found.holder, Some(holder(n).public_key()));
        assert_eq!(status_of(office, &found), Status::Valid);
        assert!(
            places.insert(found.status.unwrap().index),
            "a place of its own"
        );

        let signed = copy.split('~').next().unwrap();
        let proof = office.proof("university", &sha256(&[signed.as_bytes()]));
        let proof = IssuanceProof::decode(&proof.unwrap().unwrap()).unwrap();
        let issued = proof
            .verify(signed.as_bytes(), key(10).public(), &world.descriptor)
            .unwrap();
        issued
            .require(&world.party("university").did(), VCT)
            .unwrap();
        issued.require_scope(SCOPE).unwrap();
        assert!(matches!(issued.key_report, KeyReport::NoneAsOf(..)));
    }
    let hidden = copies[0].split('~').next().unwrap();
    let open = jose::Jws::parse(hidden).unwrap();
    let open = open
        .claims(stele_credentials::json::JsonLimits::default())
        .unwrap();
    assert!(open.contains_key("degree") && !open.contains_key("given_name"));
    assert!(office.proof("university", &[0; 32]).unwrap().is_none());
    let listed = office.issued("university", 0, 10).unwrap();
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|row| row.reference.as_deref() == Some("F-1815"))
    );
}

#[test]
fn a_credential_is_issued_once_for_each_offer() {
    let Opened { office, folder, .. } = &open();
    let made = offer(office, false);
    let wallet = Wallet::new(office, &made);
    wallet.receive(&[3]);
    let again = wallet.ask("diploma", &[3]);
    assert_eq!(
        (again.status, code(&again)),
        (400, NOT_READY.code.to_owned())
    );
    assert_eq!(office.issued("university", 0, 10).unwrap().len(), 1);
    let offers = office.offers("university", 0, 10).unwrap();
    assert_eq!(offers[0].state, OfferState::Collected);
    // The person is gone from the file, free pages included.
    let bytes: Vec<u8> = ["offices.db", "offices.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default())
        .collect();
    assert!(bytes.windows(6).any(|window| window == b"F-1815"));
    let checkpointed = rusqlite::Connection::open(folder.path().join("offices.db")).unwrap();
    checkpointed
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let bytes = std::fs::read(folder.path().join("offices.db")).unwrap();
    assert!(!bytes.windows(13).any(|window| window == b"Fictional Ada"));
}

#[test]
fn nothing_is_issued_that_the_ledger_refuses() {
    let Opened { office, .. } = &open();
    let stranger = IssuerSettings {
        key: "stranger".to_owned(),
        ..settings()
    };
    office.put_issuer("university", stranger).unwrap();
    let wallet = Wallet::new(office, &offer(office, false));
    let answer = wallet.ask("diploma", &[3]);
    assert_eq!((answer.status, code(&answer)), (400, CHAIN.code.to_owned()));
    assert!(office.issued("university", 0, 10).unwrap().is_empty());
    let offers = office.offers("university", 0, 10).unwrap();
    assert_eq!(offers[0].state, OfferState::Ready);
    // With the accredited key the same wallet gets what it was offered.
    office.put_issuer("university", settings()).unwrap();
    assert_eq!(wallet.receive(&[3]).len(), 1);
}

#[test]
fn a_revoked_credential_stands_in_the_list() {
    let Opened { office, world, .. } = &open();
    let (kept, lost) = (offer(office, false), offer(office, false));
    let kept = verified(&Wallet::new(office, &kept).receive(&[3])[0]);
    let copies = Wallet::new(office, &lost).receive(&[4, 5]);
    assert_eq!(status_of(office, &verified(&copies[0])), Status::Valid);
    let now_ms = now() * 1000;
    for (at, status) in [
        (1, Status::Suspended),
        (2, Status::Valid),
        (3, Status::Invalid),
    ] {
        office
            .set_status("university", &lost.id, status, now_ms + at)
            .unwrap();
        for copy in &copies {
            assert_eq!(status_of(office, &verified(copy)), status);
        }
        assert_eq!(status_of(office, &kept), Status::Valid);
    }
    let list = sha256(&[
        b"stele/credential/status/v1",
        world.party("university").as_bytes(),
        format!("{BASE}/openid/issuers/university/status").as_bytes(),
    ]);
    let published = [b"status/".as_slice(), &list].concat();
    let receipt = crate::Chain::receipt(&**world, &[published]).unwrap();
    let found = stele_core::receipt::verify(&receipt, &world.descriptor).unwrap();
    assert!(found.state[0].value.is_some(), "its root is on the chain");
    let refused = office.set_status("university", "nothing", Status::Invalid, now_ms);
    assert_eq!(rule(refused), ISSUED_UNKNOWN);
    assert_eq!(office.status_list("university", 1, now()).unwrap(), None);
}

#[test]
fn an_offer_can_be_withdrawn_once() {
    let Opened { office, .. } = &open();
    let made = offer(office, false);
    office.withdraw("university", &made.id, now()).unwrap();
    assert_eq!(Wallet::token(office, &made, None).status, 400);
    assert_eq!(
        rule(office.withdraw("university", &made.id, now())),
        OFFER_UNKNOWN
    );
    // A wallet that has its token already comes too late as well.
    let made = offer(office, false);
    let wallet = Wallet::new(office, &made);
    office.withdraw("university", &made.id, now()).unwrap();
    assert_eq!(code(&wallet.ask("diploma", &[3])), NOT_READY.code);
}

#[test]
fn offers_outlive_a_restart_and_not_their_time() {
    let Opened {
        office,
        world,
        folder,
    } = open();
    let made = offer(&office, true);
    drop(office);
    let office = reopen(&world, &folder);
    assert_eq!(Wallet::new(&office, &made).receive(&[3]).len(), 1);
    let late = offer(&office, false);
    office
        .offer("university", vec![ada(false)], late.expires_at)
        .unwrap();
    let states: Vec<_> = office
        .offers("university", 0, 10)
        .unwrap()
        .iter()
        .map(|row| (row.id == late.id, row.state))
        .collect();
    assert!(states.contains(&(true, OfferState::Expired)));
}

#[test]
fn what_is_issued_by_hand_waits_for_a_clerk() {
    let Opened { office, .. } = &open();
    let mut transcript = ada(false);
    transcript.kind = "transcript".to_owned();
    transcript.claims.retain(|name, _| name == "given_name");
    let made = office
        .offer("university", vec![transcript], now())
        .unwrap()
        .remove(0);
    let wallet = Wallet::new(office, &made);
    let answer = wallet.ask("transcript", &[3]);
    assert_eq!(answer.status, 202);
    let asked = json!({"transaction_id": text(&answer, "transaction_id")});
    let again = || {
        office
            .deferred("university", &wallet.bearer, &asked, now())
            .unwrap()
    };
    assert_eq!(again().status, 202);
    office.approve("university", &made.id).unwrap();
    assert_eq!(credentials(&again()).len(), 1);
    assert_eq!(rule(office.approve("university", &made.id)), OFFER_UNKNOWN);
}

#[test]
fn refuses_settings_that_do_not_hold() {
    let Opened { office, .. } = &open();
    let good = serde_json::to_value(settings()).unwrap();
    let changes: [(&str, Value); 9] = [
        ("/display_name", json!(" ")),
        ("/offer_days", json!(0)),
        ("/copies_max", json!(33)),
        ("/kinds", json!([])),
        ("/kinds/0/id", json!("transcript")),
        ("/kinds/0/id", json!("../etc")),
        ("/kinds/0/claims/0/name", json!("cnf")),
        ("/kinds/0/claims/0/name", json!("degree")),
        ("/kinds/0/claims", json!([])),
    ];
    for (place, value) in changes {
        let mut wrong = good.clone();
        *wrong.pointer_mut(place).unwrap() = value;
        let wrong: IssuerSettings = serde_json::from_value(wrong).unwrap();
        assert_eq!(
            rule(office.put_issuer("university", wrong)),
            SETTINGS,
            "{place}"
        );
    }
    assert_eq!(rule(office.put_issuer("a/b", settings())), SETTINGS);
    let mut fewer = settings();
    fewer.kinds.pop();
    assert_eq!(rule(office.put_issuer("university", fewer)), SETTINGS);
    assert_eq!(office.issuers(), [("university".to_owned(), settings())]);
}

#[test]
fn refuses_a_key_that_cannot_sign_credentials() {
    let Opened { office, .. } = &open();
    let unknown = IssuerSettings {
        key: "nobody".to_owned(),
        ..settings()
    };
    assert_eq!(rule(office.put_issuer("other", unknown)), KEY);
}

#[test]
fn refuses_an_unknown_issuer() {
    let Opened { office, .. } = &open();
    assert_eq!(rule(office.metadata("other")), ISSUER_UNKNOWN);
    assert_eq!(
        rule(office.offer("other", vec![ada(false)], now())),
        ISSUER_UNKNOWN
    );
}

#[test]
fn refuses_offers_that_do_not_fit() {
    let Opened { office, .. } = &open();
    let refused = |change: &dyn Fn(&mut crate::NewOffer)| {
        let mut wrong = ada(false);
        change(&mut wrong);
        // The good row before it is not offered either.
        rule(office.offer("university", vec![ada(false), wrong], now()))
    };
    assert_eq!(
        refused(&|offer| offer.kind = "other".to_owned()),
        KIND_UNKNOWN
    );
    for (name, value) in [
        ("ects", json!("many")),
        ("ects", json!(1.5)),
        ("awarded", json!("2026-02-30")),
        ("awarded", json!("30.9.2026")),
        ("given_name", json!("")),
        ("surname", json!("Fictional")),
    ] {
        let change = |offer: &mut crate::NewOffer| {
            offer.claims.insert(name.to_owned(), value.clone());
        };
        assert_eq!(refused(&change), CLAIM, "{name}");
    }
    assert_eq!(refused(&|offer| drop(offer.claims.remove("degree"))), CLAIM);
    assert_eq!(
        refused(&|offer| offer.reference = Some("x".repeat(129))),
        CLAIM
    );
    assert!(office.offers("university", 0, 10).unwrap().is_empty());
}

#[test]
fn a_table_becomes_offers() {
    let settings = settings();
    let kind = settings.kind("diploma").unwrap();
    let csv = "\u{feff}Reference,Given name,degree,ects,awarded,grade\r\n\
        F-1,Fictional Ada,\"Master, of Science\",120,2026-09-30,1.3\r\n\
        F-2, Fictional Bob ,Bachelor,180,2026-09-30,\r\n";
    let offers = table::read(csv.as_bytes(), kind, true).unwrap();
    assert_eq!(offers.len(), 2);
    assert_eq!(offers[0].claims["degree"], "Master, of Science");
    assert_eq!(offers[0].claims["grade"], 1.3);
    assert_eq!(offers[1].claims["given_name"], "Fictional Bob");
    assert!(!offers[1].claims.contains_key("grade"));
    assert_eq!(offers[1].reference.as_deref(), Some("F-2"));
    let Opened { office, .. } = &open();
    assert_eq!(office.offer("university", offers, now()).unwrap().len(), 2);
}

#[test]
fn refuses_tables_that_do_not_fit() {
    let settings = settings();
    let kind = settings.kind("diploma").unwrap();
    let refused = |csv: &[u8]| table::read(csv, kind, false).unwrap_err();
    for csv in [
        &b""[..],
        b"given_name,degree,ects,awarded\n",
        b"given_name,colour\nFictional Ada,red\n",
        b"given_name,degree,ects,awarded\nFictional Ada,Master\n",
        b"given_name,degree,ects,awarded\n\xff\xfe,Master,1,2026-09-30\n",
    ] {
        assert_eq!(
            refused(csv).rule(),
            TABLE_UNREADABLE,
            "{}",
            String::from_utf8_lossy(csv)
        );
    }
    let late = b"given_name,degree,ects,awarded\nA,B,1,2026-09-30\nA,B,many,2026-09-30\n";
    let refusal = refused(late);
    assert_eq!(refusal.rule(), CLAIM);
    assert!(
        refusal.detail().unwrap().starts_with("line 3, ects"),
        "{refusal}"
    );
}

proptest::proptest! {
    #[test]
    fn random_tables_never_panic(text in "(?s).{0,200}") {
        let settings = settings();
        let _ = table::read(text.as_bytes(), settings.kind("diploma").unwrap(), true);
    }
}

#[test]
fn the_file_can_be_damaged() {
    let Opened {
        world,
        folder,
        office,
    } = open();
    drop(office);
    let path = folder.path().join("offices.db");
    std::fs::write(
        &path,
        b"this is no database, and long enough to be read as one".repeat(100),
    )
    .unwrap();
    let opened = Office::open(&path, BASE, world, now());
    assert_eq!(rule(opened.map(drop)), KEEPING);
}

#[test]
fn each_rule_has_its_own_code_and_a_test_that_names_it() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    stele_refusal::check::tables([TABLE], &sources);
}

#[test]
fn the_refusals_page_is_the_table() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/credentials/office-refusals.md");
    let page = format!(
        "# Refusals of offices\n\nIssuers and counters of a node ([issuing](../issuing.md)). Each refusal has a code that never changes its \
         meaning, a sentence and a hint; the last column names the test that shows it.\nThe page is written from the table in \
         `crates/stele-office` by `STELE_WRITE_PAGES=1 cargo nextest run -p stele-office refusals_page`.\n\n{}",
        stele_refusal::rows(TABLE)
    );
    stele_refusal::check::page(&file, &page);
}
