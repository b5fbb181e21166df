//! A signed supplement and its receipt in few bytes: DEFLATE over deterministic CBOR.
//!
//! The code carries the plain struct, the proof's members and the receipt's bytes. The reader makes the credential of the
//! European Learning Model again ([`super::elm`]) and verifies the signature over it, so the short form can add or lose
//! nothing unnoticed. Layout: one byte [`VERSION`], then raw DEFLATE (RFC 1951) of the CBOR array `[student and diploma texts,
//! courses, proof, receipt]`.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::{Map, Value};
use stele_core::cbor::{DecodeError, Decoder, Encoder};

use crate::integrity::json::jcs;
use crate::refusal::Refusal;

use super::elm;
use super::model::{Course, DiplomaSupplement, Institution, Student};
use super::rules::{COMPACT_MALFORMED, COMPACT_TOO_LARGE, COMPACT_UNFAITHFUL};

/// First byte of a code.
pub const VERSION: u8 = 1;
/// Bytes that one QR code of version 40 with error correction L holds.
pub const QR_BYTES_MAX: usize = 2_953;
/// Bytes of a code, at most: two QR codes.
pub const CODE_BYTES_MAX: usize = 2 * QR_BYTES_MAX;
/// Bytes that a code may unpack to.
pub const UNPACKED_BYTES_MAX: usize = 64 << 10;
const TEXT_BYTES_MAX: usize = 2_048;
const COURSES_MAX: usize = 400;
const MEMBERS_MAX: usize = 16;

/// What a code held.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpacked {
    /// The plain struct.
    pub supplement: DiplomaSupplement,
    /// The signed credential, made again. Its signature is not verified yet.
    pub credential: Value,
    /// The receipt's bytes, as they were given.
    pub receipt: Vec<u8>,
}

/// The credential of a supplement with a proof's members put back.
fn with_proof(supplement: &DiplomaSupplement, proof: &Map<String, Value>) -> Value {
    let mut credential = elm::credential(supplement);
    credential["proof"] = Value::Object(proof.clone());
    credential
}

/// Packs a supplement, its signed credential and a receipt.
///
/// # Errors
/// `education.compact-unfaithful` if the credential is not that of the supplement with one proof of plain texts;
/// `education.compact-too-large` beyond two QR codes.
pub fn pack(
    supplement: &DiplomaSupplement,
    signed: &Value,
    receipt: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let proof = signed.get("proof").and_then(Value::as_object);
    let proof = proof.ok_or_else(|| COMPACT_UNFAITHFUL.because("not one proof"))?;
    if jcs(&with_proof(supplement, proof))? != jcs(signed)? {
        return Err(COMPACT_UNFAITHFUL.because("it is not made from this supplement"));
    }
    let mut cbor = Encoder::new();
    let texts = texts(supplement);
    cbor.array(4).array(texts.len());
    for text in texts {
        cbor.text(text);
    }
    cbor.array(supplement.courses.len());
    for course in &supplement.courses {
        cbor.array(3)
            .text(&course.title)
            .uint(course.tenths.into())
            .text(&course.grade);
    }
    cbor.array(2 * proof.len());
    for (name, value) in proof {
        let text = value.as_str();
        let text =
            text.ok_or_else(|| COMPACT_UNFAITHFUL.because(format_args!("{name} is not a text")))?;
        cbor.text(name).text(text);
    }
    cbor.bytes(receipt);
    let mut deflate = DeflateEncoder::new(vec![VERSION], Compression::best());
    let written = deflate
        .write_all(cbor.as_slice())
        .and_then(|()| deflate.finish());
    let code = written.map_err(|error| COMPACT_MALFORMED.because(error))?;
    if code.len() > CODE_BYTES_MAX {
        return Err(COMPACT_TOO_LARGE.because(format_args!("{} bytes", code.len())));
    }
    // What cannot be read again must not be handed out.
    unpack(&code)?;
    Ok(code)
}

fn texts(of: &DiplomaSupplement) -> [&str; 11] {
    let (issuer, student) = (&of.issuer, &of.student);
    [
        &of.id,
        &of.title,
        &of.issued,
        &of.grade,
        &issuer.id,
        &issuer.name,
        &issuer.legal_id,
        &issuer.country,
        &student.id,
        &student.given,
        &student.family,
    ]
}

/// Reads a code. The credential in it still has to be verified.
///
/// # Errors
/// `education.compact-malformed` and `education.compact-too-large`.
pub fn unpack(code: &[u8]) -> Result<Unpacked, Refusal> {
    let Some((&VERSION, deflated)) = code.split_first() else {
        return Err(COMPACT_MALFORMED.because("another kind of code"));
    };
    if code.len() > CODE_BYTES_MAX {
        return Err(COMPACT_TOO_LARGE.because(format_args!("{} bytes", code.len())));
    }
    let mut bytes = Vec::new();
    DeflateDecoder::new(deflated)
        .take(UNPACKED_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| COMPACT_MALFORMED.because(error))?;
    if bytes.len() > UNPACKED_BYTES_MAX {
        return Err(COMPACT_TOO_LARGE.refuse());
    }
    read(&bytes).map_err(|error| COMPACT_MALFORMED.because(error))
}

fn read(bytes: &[u8]) -> Result<Unpacked, DecodeError> {
    let mut cbor = Decoder::new(bytes);
    let text = |cbor: &mut Decoder<'_>| cbor.text(TEXT_BYTES_MAX).map(str::to_owned);
    cbor.array_of(4, "a packed supplement")?;
    cbor.array_of(11, "the texts of a supplement")?;
    let mut supplement = DiplomaSupplement {
        id: text(&mut cbor)?,
        title: text(&mut cbor)?,
        issued: text(&mut cbor)?,
        grade: text(&mut cbor)?,
        issuer: Institution {
            id: text(&mut cbor)?,
            name: text(&mut cbor)?,
            legal_id: text(&mut cbor)?,
            country: text(&mut cbor)?,
        },
        student: Student {
            id: text(&mut cbor)?,
            given: text(&mut cbor)?,
            family: text(&mut cbor)?,
        },
        courses: Vec::new(),
    };
    for _ in 0..cbor.array(COURSES_MAX)? {
        cbor.array_of(3, "a course")?;
        supplement.courses.push(Course {
            title: text(&mut cbor)?,
            // More than fits is no number of credits; the sum of all courses is what the signature covers.
            tenths: u32::try_from(cbor.uint()?).unwrap_or(u32::MAX),
            grade: text(&mut cbor)?,
        });
    }
    let mut proof = Map::new();
    for _ in 0..cbor.array(2 * MEMBERS_MAX)? / 2 {
        let name = text(&mut cbor)?;
        proof.insert(name, Value::String(text(&mut cbor)?));
    }
    let receipt = cbor.bytes(UNPACKED_BYTES_MAX)?.to_vec();
    cbor.finish()?;
    Ok(Unpacked {
        credential: with_proof(&supplement, &proof),
        supplement,
        receipt,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use stele_core::suite::SigningKey;

    use super::*;
    use crate::education::model::fictional;
    use crate::integrity::keys::did_key_document;
    use crate::integrity::{
        Expectation, Limits, ProofKey, ProofOptions, Suite, suites, time, verify_credential,
    };
    use crate::jose::Signer as _;

    fn signed(courses: usize) -> (DiplomaSupplement, Value) {
        let key = SigningKey::from_seed(stele_core::suite::Suite::Ed25519, &[4; 32]).unwrap();
        let public = ProofKey::Signature(key.public_key());
        let mut supplement = fictional(courses);
        supplement.issuer.id = public.did();
        let options =
            ProofOptions::assertion(public.did_url(), time::parse(&supplement.issued).unwrap());
        let document = elm::credential(&supplement);
        let document = suites::sign(
            &document,
            Suite::EddsaRdfc2022,
            &options,
            &key,
            &Limits::default(),
        )
        .unwrap();
        (supplement, document)
    }

    /// Bytes that do not compress, as hashes and signatures are.
    fn receipt(bytes: usize) -> Vec<u8> {
        let blocks =
            (0..bytes.div_ceil(32)).map(|index| stele_core::id::sha256(&[&index.to_be_bytes()]));
        blocks.flatten().take(bytes).collect()
    }

    #[test]
    fn thirty_courses_and_a_receipt_fit_one_qr_code() {
        let (supplement, document) = signed(30);
        let code = pack(&supplement, &document, &receipt(1_200)).unwrap();
        let bare = pack(&supplement, &document, &[]).unwrap();
        println!(
            "credential {} bytes of JSON, packed {}, with a receipt of 1,200 bytes {}",
            document.to_string().len(),
            bare.len(),
            code.len()
        );
        assert!(code.len() <= QR_BYTES_MAX);
        let unpacked = unpack(&code).unwrap();
        assert_eq!(
            (&unpacked.supplement, unpacked.receipt),
            (&supplement, receipt(1_200))
        );
        let now = time::parse(&supplement.issued).unwrap();
        verify_credential(
            &unpacked.credential,
            &did_key_document,
            &Expectation::at(now),
            &Limits::default(),
        )
        .unwrap();
    }

    #[test]
    fn refuses_to_shorten_another_document() {
        let (supplement, mut document) = signed(2);
        document["credentialSubject"]["hasClaim"]["title"]["en"] = json!("Master of Science");
        assert_eq!(
            pack(&supplement, &document, &[]).unwrap_err().code(),
            COMPACT_UNFAITHFUL.code
        );
    }

    #[test]
    fn refuses_a_code_that_unpacks_to_too_much() {
        let mut deflate = DeflateEncoder::new(vec![VERSION], Compression::best());
        deflate.write_all(&vec![0; 1 << 20]).unwrap();
        let bomb = deflate.finish().unwrap();
        assert!(bomb.len() < CODE_BYTES_MAX);
        assert_eq!(unpack(&bomb).unwrap_err().code(), COMPACT_TOO_LARGE.code);
        let (supplement, document) = signed(2);
        let receipt = receipt(CODE_BYTES_MAX);
        assert_eq!(
            pack(&supplement, &document, &receipt).unwrap_err().code(),
            COMPACT_TOO_LARGE.code
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), inside in any::<bool>()) {
            let code = if inside {
                let mut deflate = DeflateEncoder::new(vec![VERSION], Compression::fast());
                deflate.write_all(&bytes).unwrap();
                deflate.finish().unwrap()
            } else {
                bytes
            };
            if let Err(refusal) = unpack(&code) {
                prop_assert_eq!(refusal.code(), COMPACT_MALFORMED.code);
            }
        }
    }
}
