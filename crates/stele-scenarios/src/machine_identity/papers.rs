//! The papers of a station: a certificate of make from its maker, a title from the authority's register.

use serde_json::{Map, Value as Json, json};
use stele_credentials::jose::Signer as _;
use stele_credentials::sd_jwt::Frame;

use super::Scene;
use super::parties::{MAKERS, Parties, TITLES};
use super::roll::{FLEET, Station};
use super::state::{member_key, party_key, roll_key};
use super::verifier::{Answer, Place, make_fields, title_fields};
use crate::frame::{Block, Cell, Run, ScenarioError};
use crate::kit::{Certificate, Issuer, Office, Question, StatusLists, now_s, receipt_of_state};

/// The kinds of credential.
pub(super) const MAKE_VCT: &str = "https://charging.example/vct/certificate-of-make";
pub(super) const TITLE_VCT: &str = "https://charging.example/vct/title";
/// What a station may keep back of its certificate of make: all.
pub(super) const MAKE_FIELDS: [&str; 8] = [
    "make",
    "model",
    "serial",
    "serial_salt",
    "max_power_kw",
    "connector",
    "firmware",
    "made",
];
const TITLE_FIELDS: [&str; 4] = ["owner", "owner_name", "serial", "site"];

/// Two to this many places in a shard of a status list.
const SHARD_BITS: u8 = 12;
/// So many certificates and titles were issued before.
const CERTIFIED_BEFORE: u64 = 4080;
const TITLED_BEFORE: u64 = 900;
/// Room in the lists for what the story adds beyond the fleet.
const LATER: u64 = 16;

/// Who issues what.
pub(super) fn issuers(parties: &Parties) -> (Issuer, Issuer) {
    let lists = |list, before| StatusLists::new(list, SHARD_BITS, before + FLEET as u64 + LATER);
    let issuer = |office: &Office, vct, scope, list, before| {
        Issuer::new(office.clone(), vct, scope, lists(list, before), before)
    };
    let maker = issuer(
        &parties.certifying,
        MAKE_VCT,
        MAKERS,
        "https://station-works.example/status",
        CERTIFIED_BEFORE,
    );
    let register = issuer(
        &parties.authority,
        TITLE_VCT,
        TITLES,
        "https://titles.charging.example/status",
        TITLED_BEFORE,
    );
    (maker, register)
}

fn object(claims: Json) -> Map<String, Json> {
    match claims {
        Json::Object(claims) => claims,
        _ => Map::new(),
    }
}

/// What a certificate of make says.
pub(super) fn make_claims(serial: &str, salt: &[u8; 32], firmware: &str) -> Map<String, Json> {
    object(json!({
        "make": "Fictional Station Works",
        "model": "Fictional FastPost 150",
        "serial": serial,
        "serial_salt": hex::encode(salt),
        "max_power_kw": 150,
        "connector": "CCS2",
        "firmware": firmware,
        "made": "2026-10-05",
    }))
}

/// Certifies a station for its present key.
pub(super) fn certify_one(
    maker: &mut Issuer,
    station: &Station,
    firmware: &str,
) -> Result<Certificate, ScenarioError> {
    let claims = make_claims(&station.serial, &station.salt, firmware);
    maker.issue(
        &station.key().public_key(),
        claims,
        &Frame::of_names(&MAKE_FIELDS),
        now_s(),
    )
}

/// Gives the title to a station to its owner, for the station's present key.
pub(super) fn title_one(
    register: &mut Issuer,
    station: &Station,
    owner: &Office,
) -> Result<Certificate, ScenarioError> {
    let claims = object(json!({
        "owner": owner.did(),
        "owner_name": owner.name,
        "serial": station.serial,
        "site": format!("Fictional car park {}", station.index),
    }));
    register.issue(
        &station.key().public_key(),
        claims,
        &Frame::of_names(&TITLE_FIELDS),
        now_s(),
    )
}

fn missing(what: &str) -> impl Fn() -> ScenarioError {
    move || ScenarioError::broken(what, "none")
}

/// What a station hands over for a question, with receipts as of now.
pub(super) fn answer(
    run: &Run<'_>,
    scene: &Scene,
    station: &Station,
    question: &Question,
) -> Result<Answer, ScenarioError> {
    let make = station.make.as_ref();
    let make = make.ok_or_else(missing("a certificate of make"))?;
    let key = station.key();
    let title = station.title.as_ref();
    let title = title.map(|title| scene.register.shown(title, key, &title_fields(), question));
    Ok(Answer {
        make: scene.maker.shown(make, key, &make_fields(), question)?,
        title: title.transpose()?,
        place: place(run, &scene.roll, station.index)?,
        document: document(run, &station.office)?,
    })
}

/// A place in a roll, with receipts as of now.
pub(super) fn place(
    run: &Run<'_>,
    roll: &super::roll::Roll,
    index: u64,
) -> Result<Place, ScenarioError> {
    let (record, path) = roll.place(index)?;
    Ok(Place {
        roll: roll.id,
        index,
        record,
        path,
        roll_receipt: receipt_of_state(run, "identity", &roll_key(&roll.id))?.0,
        member_receipt: receipt_of_state(run, "identity", &member_key(&roll.id, index))?.0,
    })
}

/// The receipt of a party's document as of now.
pub(super) fn document(run: &Run<'_>, office: &Office) -> Result<Vec<u8>, ScenarioError> {
    let key = party_key(&office.party.id());
    receipt_of_state(run, "identity", &key).map(|(receipt, _)| receipt)
}

pub(super) fn certify(run: &mut Run<'_>, scene: &mut Scene) -> Result<(), ScenarioError> {
    run.step("certify-stations", |run| {
        for station in &mut scene.stations {
            station.make = Some(certify_one(&mut scene.maker, station, "4.1.0")?);
        }
        let maker = &scene.parties.maker.name;
        let count = scene.stations.len();
        let mut made: Vec<&mut Certificate> = scene.stations.iter_mut().filter_map(|station| station.make.as_mut()).collect();
        let done = scene.maker.commit(run, &mut made, &format!("{maker} committed to {count} certificates of make in {MAKERS}"))?;
        scene.maker.lists.publish(run, &scene.maker.signing, &format!("{maker} published the status of its certificates"))?;
        let rows = scene.stations.iter().take(3).filter_map(|station| {
            let make = station.make.as_ref()?;
            Some(vec![station.serial.as_str().into(), make.number.to_string().into(), format!("{} bytes", make.text.len()).into(), format!("{} bytes", make.proof.len()).into()])
        });
        run.show(Block::Table {
            caption: "The first three certificates, each bound to the key of its station".to_owned(),
            head: vec!["Serial number", "Number", "SD-JWT VC", "Proof of issuance"],
            rows: rows.collect(),
        });
        if let Some(make) = &scene.station().make {
            run.keep("make.sd-jwt", make.text.as_bytes())?;
        }
        for (name, issuer) in [("maker", &scene.maker), ("register", &scene.register)] {
            let key = issuer.signing.party.key().public_key().to_jwk();
            run.keep(&format!("{name}.jwk.json"), key.to_string().as_bytes())?;
        }
        for (shard, text) in scene.maker.lists.shards().iter().enumerate() {
            run.keep(&format!("make-status-{shard}.jwt"), text.as_bytes())?;
        }
        let detail = format!("{count} certificates with {} fields each, under one root in block {}; a station may keep back any field.", MAKE_FIELDS.len(), done.height);
        Ok(((), detail))
    })
}

/// The cells for one station and what is known of it.
pub(super) fn good(name: &str, text: impl Into<String>) -> Vec<Cell> {
    vec![name.into(), Cell::Good(text.into())]
}
