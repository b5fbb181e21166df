//! The verifier: a roaming partner's back office, offline, with the network's key and nothing else.

use serde_json::Value as Json;
use stele_core::id::PartyId;
use stele_core::merkle;
use stele_core::receipt::NetworkDescriptor;
use stele_core::suite;
use stele_credentials::jose::PublicKey;
use stele_credentials::sd_jwt::ClaimPath;
use stele_credentials::trust::rules;

use super::papers::{MAKE_VCT, TITLE_VCT};
use super::parties::{MAKERS, TITLES};
use super::roll::serial_commitment;
use super::state::{Member, PartyDocument, RollRoot, member_key, party_key, roll_key};
use crate::kit::{Accepted, Paper, PaperRule, Question, Refused, judge_paper, one_claim};

/// What a verifier wants to see of a certificate of make.
pub(super) const MAKE_ASKED: [&str; 4] = ["make", "model", "serial", "serial_salt"];
/// What it wants to see of a title.
pub(super) const TITLE_ASKED: [&str; 2] = ["owner", "serial"];

/// Everything that a station hands over. None of it has to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The certificate of make.
    pub make: Paper,
    /// The title, once the station is sold.
    pub title: Option<Paper>,
    /// Its place in a roll, with receipts of the roll and of what happened to the member.
    pub place: Place,
    /// A receipt of the station's document: its present keys and its owner.
    pub document: Vec<u8>,
}

/// A place in a roll.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub roll: [u8; 32],
    pub index: u64,
    pub record: [u8; 64],
    pub path: Vec<merkle::Hash>,
    pub roll_receipt: Vec<u8>,
    pub member_receipt: Vec<u8>,
}

impl Answer {
    /// All that travels, in bytes.
    pub fn bytes(&self) -> usize {
        let place = &self.place;
        self.make.bytes()
            + self.title.as_ref().map_or(0, Paper::bytes)
            + place.record.len()
            + 32 * place.path.len()
            + place.roll_receipt.len()
            + place.member_receipt.len()
            + self.document.len()
    }
}

/// What the verifier knows now.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The station.
    pub station: PartyId,
    pub serial: String,
    pub model: String,
    /// Who made it, and what is known of that.
    pub maker: PartyId,
    pub make: Accepted,
    /// When it was enrolled, in milliseconds since 1970.
    pub enrolled_ms: u64,
    /// Who owns it, by title and by document; `None` where no title was asked for.
    pub owner: Option<(PartyId, Accepted)>,
    /// When the document was known to say so, in milliseconds since 1970.
    pub document_as_of_ms: u64,
}

fn fields(names: &[&str]) -> Vec<ClaimPath> {
    names.iter().map(|name| ClaimPath::name(name)).collect()
}

pub(super) fn make_fields() -> Vec<ClaimPath> {
    fields(&MAKE_ASKED)
}

pub(super) fn title_fields() -> Vec<ClaimPath> {
    fields(&TITLE_ASKED)
}

fn text<'a>(paper: &'a Accepted, name: &str) -> &'a str {
    paper
        .claims
        .get(name)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

fn unreadable(error: impl core::fmt::Display) -> Refused {
    rules::PROOF_MALFORMED.because(error).into()
}

fn other_device() -> Refused {
    Refused::new(
        "machine.other-device",
        "What was shown belongs to two different stations.",
    )
}

/// Checks the certificate of make, the station's document and key, its place in the maker's roll, its serial number and its title, in
/// this order.
///
/// # Errors
/// The first rule that something breaks.
pub(super) fn judge(
    answer: &Answer,
    question: &Question,
    network: &NetworkDescriptor,
) -> Result<Known, Refused> {
    let required = make_fields();
    let rule = |vcts, scope, required| PaperRule {
        vcts,
        scope,
        required,
        audience: question.audience,
        nonce: &question.nonce,
        now: question.now,
    };
    let make = judge_paper(&answer.make, &rule(&[MAKE_VCT], MAKERS, &required), network)?;

    let place = &answer.place;
    let (station, enrolled_ms) = judge_place(place, &make.issued.issuer, network)?;
    let (document, document_as_of_ms) = judge_document(&answer.document, &station, network)?;
    judge_key(&document, &make.holder)?;
    let serial = text(&make, "serial");
    judge_serial(place, serial, text(&make, "serial_salt"))?;

    let owner = match &answer.title {
        None => None,
        Some(title) => {
            let required = title_fields();
            let title = judge_paper(title, &rule(&[TITLE_VCT], TITLES, &required), network)?;
            if title.holder != make.holder || text(&title, "serial") != serial {
                return Err(other_device());
            }
            let named = PartyId::from_did(text(&title, "owner")).map_err(unreadable)?;
            if document.owner != Some(named) {
                return Err(Refused::new(
                    "machine.other-owner",
                    "The title names another owner than the ledger does.",
                ));
            }
            Some((named, title))
        }
    };
    Ok(Known {
        station,
        serial: serial.to_owned(),
        model: text(&make, "model").to_owned(),
        maker: make.issued.issuer,
        make,
        enrolled_ms,
        owner,
        document_as_of_ms,
    })
}

/// Which party a place in a roll became, if the one who certifies the station enrolled it; and when it was enrolled.
fn judge_place(
    place: &Place,
    maker: &PartyId,
    network: &NetworkDescriptor,
) -> Result<(PartyId, u64), Refused> {
    let not_enrolled = || {
        Refused::new(
            "machine.not-enrolled",
            "The station does not stand at this place of the roll.",
        )
    };
    let claim = one_claim(
        &place.roll_receipt,
        "identity",
        &roll_key(&place.roll),
        network,
    )?;
    let roll = RollRoot::decode(claim.value.as_deref().ok_or_else(not_enrolled)?);
    let roll = roll.map_err(unreadable)?;
    let leaf = merkle::leaf_hash(&place.record);
    let led_to = merkle::root_from_inclusion(&leaf, place.index, roll.count, &place.path);
    if led_to.ok() != Some(roll.root) {
        return Err(not_enrolled());
    }
    if roll.issuer != *maker {
        return Err(Refused::new(
            "machine.other-maker",
            "The station was enrolled by somebody else than the maker that certifies it.",
        ));
    }
    let key = member_key(&place.roll, place.index);
    let claim = one_claim(&place.member_receipt, "identity", &key, network)?;
    let member = Member::decode(claim.value.as_deref().ok_or_else(not_enrolled)?);
    let member = member.map_err(unreadable)?;
    let key = place.record.first_chunk().ok_or_else(not_enrolled)?;
    let enrolled = suite::PublicKey::from_ed25519(key).map_err(unreadable)?;
    let station = PartyId::of_first_key(&enrolled.kid());
    if member.ended || member.party != Some(station) {
        return Err(not_enrolled());
    }
    Ok((station, roll.time_ms))
}

/// The station's document, and when it was known to say so.
fn judge_document(
    receipt: &[u8],
    station: &PartyId,
    network: &NetworkDescriptor,
) -> Result<(PartyDocument, u64), Refused> {
    let claim = one_claim(receipt, "identity", &party_key(station), network)?;
    let document = PartyDocument::decode(claim.value.as_deref().unwrap_or_default());
    let document = document.map_err(unreadable)?;
    if !document.active {
        return Err(Refused::new(
            "machine.retired",
            "The station was taken out of service.",
        ));
    }
    Ok((document, claim.time.get()))
}

/// Whether the key that answered is one of the station's present keys.
fn judge_key(document: &PartyDocument, holder: &PublicKey) -> Result<(), Refused> {
    let kid = holder.to_core().kid();
    if document.keys.contains(kid.as_bytes()) {
        return Ok(());
    }
    Err(Refused::new(
        "machine.key-replaced",
        "The key that answered is not, or no longer, the station\u{2019}s key.",
    ))
}

/// Whether the serial number is the one that the maker committed to when it enrolled the station.
fn judge_serial(place: &Place, serial: &str, salt: &str) -> Result<(), Refused> {
    let salt = hex::decode(salt).ok();
    let salt = salt.as_deref().and_then(<[u8]>::first_chunk);
    let committed = salt.map(|salt| serial_commitment(salt, serial));
    if committed.is_some_and(|found| found == place.record[32..]) {
        Ok(())
    } else {
        Err(Refused::new(
            "machine.other-serial",
            "The serial number is not the one with which the station was enrolled.",
        ))
    }
}
