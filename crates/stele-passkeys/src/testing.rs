//! An authenticator and a browser for tests, also those of other crates (feature `emulator`): right by default, wrong where a test says so.
#![allow(missing_docs)]

use ciborium::Value as Cbor;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::answer::encode;
use crate::{Credentials, EnrolmentCodes, Passkeys, Settings, Started};

pub const NOW: u64 = 1_790_000_000;
pub const RP_ID: &str = "university.example";
pub const ORIGIN: &str = "https://issuer.university.example";

pub fn settings() -> Settings {
    Settings::new(RP_ID, "Fictional University", &[ORIGIN])
}

pub fn service(settings: Settings) -> Passkeys {
    Passkeys::new(settings, Credentials::new(), EnrolmentCodes::new()).unwrap()
}

/// One passkey on one device, with the browser in front of it.
#[derive(Clone)]
pub struct Device {
    pub key: SigningKey,
    pub id: Vec<u8>,
    pub handle: Option<Vec<u8>>,
    /// The counter of the next answer, and by how much it grows.
    pub counter: u32,
    pub step: u32,
    pub origin: &'static str,
    pub rp_id: &'static str,
    pub present: bool,
    pub verified: bool,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub cross_origin: bool,
    /// What the browser says that it did, if not what it did.
    pub kind: Option<&'static str>,
    /// The algorithm that the key says it has (RFC 9053: ES256 is -7).
    pub algorithm: i64,
    pub format: &'static str,
    pub statement: Vec<(Cbor, Cbor)>,
}

impl Device {
    pub fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            id: vec![seed; 16],
            handle: None,
            counter: 1,
            step: 1,
            origin: ORIGIN,
            rp_id: RP_ID,
            present: true,
            verified: true,
            backup_eligible: false,
            backed_up: false,
            cross_origin: false,
            kind: None,
            algorithm: -7,
            format: "none",
            statement: Vec::new(),
        }
    }

    /// What `credential.toJSON()` gives after `navigator.credentials.create`.
    pub fn create(&mut self, options: &Value) -> Value {
        let handle = options["user"]["id"].as_str().unwrap();
        self.handle = Some(decode(handle));
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let key = Cbor::Map(vec![
            (1.into(), 2.into()),
            (3.into(), self.algorithm.into()),
            ((-1).into(), 1.into()),
            ((-2).into(), Cbor::Bytes(x.to_vec())),
            ((-3).into(), Cbor::Bytes(y.to_vec())),
        ]);
        let mut data = self.authenticator_data(0b0100_0000);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        ciborium::into_writer(&key, &mut data).unwrap();
        let mut object = Vec::new();
        let members = [
            ("fmt", Cbor::Text(self.format.to_owned())),
            ("attStmt", Cbor::Map(self.statement.clone())),
            ("authData", Cbor::Bytes(data)),
        ];
        let members = members.map(|(name, value)| (Cbor::Text(name.to_owned()), value));
        ciborium::into_writer(&Cbor::Map(members.into()), &mut object).unwrap();
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&self.client_data("webauthn.create", options)),
                "attestationObject": encode(&object),
                "transports": ["internal"],
            },
            "clientExtensionResults": {"credProps": {"rk": true}},
        })
    }

    /// What `credential.toJSON()` gives after `navigator.credentials.get`.
    pub fn get(&mut self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(0);
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        let signature: DerSignature = self.key.sign(&signed);
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(&client_data),
                "authenticatorData": encode(&data),
                "signature": encode(signature.as_bytes()),
                "userHandle": self.handle.as_ref().map(|handle| encode(handle)),
            },
            "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let client_data = json!({
            "type": self.kind.unwrap_or(kind),
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        });
        client_data.to_string().into_bytes()
    }

    /// Section 6.1: hash of the RP id, flags, counter.
    fn authenticator_data(&mut self, more_flags: u8) -> Vec<u8> {
        let flags = u8::from(self.present)
            | u8::from(self.verified) << 2
            | u8::from(self.backup_eligible) << 3
            | u8::from(self.backed_up) << 4
            | more_flags;
        let mut data = Sha256::digest(self.rp_id.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        self.counter += self.step;
        data
    }
}

pub fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap()
}

/// Registers a passkey as the service asks for it.
pub fn register(service: &mut Passkeys, subject: &str, device: &mut Device, now: u64) {
    let started = service
        .start_registration(subject, "Fictional Ada", now)
        .unwrap();
    let answer = device.create(&started.options).to_string();
    service
        .finish_registration(&started.ceremony, answer.as_bytes(), now)
        .unwrap();
}

/// A service that knows Ada's device, and the device.
pub fn ada() -> (Passkeys, Device) {
    let (mut service, mut device) = (service(settings()), Device::new(1));
    register(&mut service, "ada", &mut device, NOW);
    (service, device)
}

/// A sign-in that names nobody.
pub fn start(service: &mut Passkeys) -> Started {
    service.start_authentication(None, NOW).unwrap()
}

/// The registration of one more passkey of Ada's.
pub fn started_registration(service: &mut Passkeys) -> Started {
    service
        .start_registration("ada", "Fictional Ada", NOW)
        .unwrap()
}
