"""Writes suite_ml_dsa.json and suite_kid.json, with implementations that share no code with Stele.

Run: python3 -m venv V && V/bin/pip install dilithium-py==1.5.1 cbor2 && V/bin/python make_suite.py
dilithium-py is a plain implementation of FIPS 204 in Python; cbor2 encodes the COSE_Keys.
The seeds and keys are test values, nobody's own.
"""

import hashlib
import json
import pathlib

import cbor2
from dilithium_py.ml_dsa import ML_DSA_65

HERE = pathlib.Path(__file__).parent
PURPOSE = "made by make_suite.py with dilithium-py and cbor2; test values"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def ml_dsa():
    known = []
    for number in range(4):
        seed = bytes([number]) * 31 + bytes([7])
        message = bytes(range(number * 40))
        public, secret = ML_DSA_65.key_derive(seed)
        signature = ML_DSA_65.sign(secret, message, deterministic=True)
        known.append(
            {
                "seed": seed.hex(),
                "message": message.hex(),
                "public_key_sha256": sha256(public),
                "signature_sha256": sha256(signature),
            }
        )
    ML_DSA_65.random_bytes = lambda count: bytes([0x11]) * count
    message = b"a hedged signature"
    full = {
        "public_key": public.hex(),
        "message": message.hex(),
        "hedged_signature": ML_DSA_65.sign(secret, message).hex(),
        "signature_with_context_x": ML_DSA_65.sign(secret, message, ctx=b"x").hex(),
    }
    return {"about": PURPOSE, "deterministic": known, "from_elsewhere": full}


def kid():
    ed25519 = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    p256 = (
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    )
    sm2 = (
        "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020",
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
    )
    ml_dsa_65, _ = ML_DSA_65.key_derive(bytes([3]) * 32)
    keys = {
        "Ed25519": {1: 1, -1: 6, -2: ed25519},
        "ES256": {1: 2, -1: 1, -2: bytes.fromhex(p256[0]), -3: bytes.fromhex(p256[1])},
        "ML-DSA-65": {1: 7, 3: -49, -1: ml_dsa_65},
        "Ed25519+ML-DSA-65": {1: 7, 3: -65600, -1: ed25519 + ml_dsa_65},
        "SM2": {1: 2, -1: -65601, -2: bytes.fromhex(sm2[0]), -3: bytes.fromhex(sm2[1])},
    }
    entries = []
    for suite, key in keys.items():
        encoded = cbor2.dumps(key, canonical=True)
        entries.append({"suite": suite, "cose_key": encoded.hex(), "kid": sha256(encoded)})
    return {"about": PURPOSE, "keys": entries}


for name, value in [("suite_ml_dsa.json", ml_dsa()), ("suite_kid.json", kid())]:
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")
