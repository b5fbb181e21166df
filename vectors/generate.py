"""Make all vectors of this folder again, byte for byte: `python vectors/generate.py [FOLDER]`.

Needs the test dependencies of sdk/python. Keys come from labels, signatures are deterministic, and
neither clock nor randomness is read. With FOLDER the files go there, for a comparison.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SDK = HERE.parent / "sdk" / "python"
sys.path[:0] = [str(HERE), str(SDK), str(SDK / "tests")]

from build import Chain, Key  # noqa: E402
from gen import issuance  # noqa: E402
from gen.entries import entry_vectors  # noqa: E402
from gen.receipts_bad import bad_receipts  # noqa: E402
from gen.receipts_good import good_receipts  # noqa: E402
from gen.simple import cbor_vectors, ed25519_vectors, key_vectors, state_vectors  # noqa: E402
from gen.witnesses import bad, good, unusable  # noqa: E402
from gen.world import BLS, ED, NETWORKS, SMALL  # noqa: E402

CODES = (
    "too-large malformed not-canonical unsupported-version no-claim wrong-network wrong-key wrong-tree-size "
    "bad-inclusion-proof bad-signature record-mismatch entry-mismatch events-mismatch bad-state-proof "
    "not-witnessed"
).split()
#: Longer receipts are described by parts instead of being stored.
STORED_BYTES_MAX = 60_000
MAX_RECEIPT_BYTES = 2 * 1024 * 1024
ALL_NETWORKS = {**NETWORKS, "network-credentials.json": issuance.ACADEMY}


def receipt_vectors() -> dict[str, bytes | list[dict[str, Any]]]:
    """File name to bytes, and the table that names them all."""
    network_file = {chain.network: name for name, chain in NETWORKS.items()}
    files: dict[str, bytes | list[dict[str, Any]]] = {}
    table: list[dict[str, Any]] = []
    for good in good_receipts():
        name = f"good-{good.name.replace(' ', '-').replace('^', '').replace('+', 'plus')}"
        row = {"name": name, **stored(name, good.data, files), "network": network_file[good.chain.network]}
        table.append({**row, "valid": True, "expect": good.answer()})
    for name, step, chain, data in bad_receipts():
        name = f"bad-{step:02}-{name}"
        row = {"name": name, **stored(name, data, files), "network": network_file[chain.network]}
        table.append({**row, "valid": False, "step": step, "code": CODES[step - 1]})
    table += too_large()
    names = [row["name"] for row in table]
    assert len(set(names)) == len(names), "a name twice"
    files["receipts.json"] = table
    return files


def witness_vectors() -> dict[str, bytes | list[dict[str, Any]]]:
    """As `receipt_vectors`, for receipts under a policy of witnesses."""
    network_file = {chain.network: name for name, chain in NETWORKS.items()}
    files: dict[str, bytes | list[dict[str, Any]]] = {}
    table: list[dict[str, Any]] = []
    for name, chain, policy, data, cosigned in good():
        file = f"witnesses/good-{name}.receipt"
        files[file] = data
        row = {"name": f"good-{name}", "file": file, "network": network_file[chain.network], "policy": policy}
        table.append({**row, "valid": True, "witnessed": [{"name": by, "time": time} for by, time in cosigned]})
    for name, chain, policy, data, step in bad():
        file = f"witnesses/bad-{step}-{name}.receipt"
        files[file] = data
        row = {"name": f"bad-{step}-{name}", "file": file, "network": network_file[chain.network], "policy": policy}
        table.append({**row, "valid": False, "step": step, "code": CODES[step - 1]})
    files["witnesses.json"] = table
    files["witness-policies.json"] = unusable()
    return files


def issuance_vectors() -> dict[str, bytes | list[dict[str, Any]]]:
    """As `receipt_vectors`, for proofs of issuance and the credentials that they are shown with."""
    network_file = {chain.network: name for name, chain in ALL_NETWORKS.items()}
    files: dict[str, bytes | list[dict[str, Any]]] = {}
    table: list[dict[str, Any]] = []
    rows = [(f"good-{name}", None, proof) for name, proof in issuance.good()]
    rows += [(f"bad-{code.removeprefix('trust.')}-{name}", code, proof) for code, name, proof in issuance.bad()]
    for name, code, proof in rows:
        credential, key = proof.credential, proof.credential.key
        row = {"name": name, **stored_proof(name, proof.data, files), "network": network_file[proof.chain.network]}
        row |= {"credential": credential.signed.decode()}
        row |= {"disclosures": credential.disclosures} if credential.disclosures else {}
        row |= {"key": key.encoded.hex()} | ({"jwk": issuance.jwk(key)} if issuance.jwk(key) else {})
        row |= {"issuer": credential.issuer, "type": credential.type}
        row |= {} if proof.scope is None else {"scope": proof.scope}
        table.append(row | ({"valid": True, "expect": proof.expect} if code is None else {"valid": False, "code": code}))
    names = [row["name"] for row in table]
    assert len(set(names)) == len(names), "a name twice"
    files["issuance.json"] = table
    return files


def stored_proof(name: str, data: bytes, files: dict[str, Any]) -> dict[str, Any]:
    if len(data) <= STORED_BYTES_MAX:
        files[f"issuance/{name}.proof"] = data
        return {"file": f"issuance/{name}.proof"}
    start = data.index(b"x" * 60_000)
    rest = data[start:].lstrip(b"x")
    times = len(data) - start - len(rest)
    return {"parts": [{"hex": data[:start].hex()}, {"repeat": "78", "times": times}, {"hex": rest.hex()}]}


def stored(name: str, data: bytes, files: dict[str, Any]) -> dict[str, Any]:
    if len(data) <= STORED_BYTES_MAX:
        files[f"receipts/{name}.receipt"] = data
        return {"file": f"receipts/{name}.receipt"}
    before, after = data.split(bytes(1024 * 1024), 1)
    return {"parts": [{"hex": before.hex()}, {"repeat": "00", "times": 1024 * 1024}, {"hex": after.hex()}]}


def too_large() -> list[dict[str, Any]]:
    rows = []
    for name, size, step in (
        ("bad-01-one-byte-above-2-mib", MAX_RECEIPT_BYTES + 1, 1),
        ("bad-01-16-mib", 16 * 1024 * 1024, 1),
        ("bad-02-zeros-of-2-mib", MAX_RECEIPT_BYTES, 2),
    ):
        parts = [{"repeat": "00", "times": size}]
        row = {"name": name, "parts": parts, "network": "network-ed25519.json"}
        rows.append({**row, "valid": False, "step": step, "code": CODES[step - 1]})
    return rows


def no_party_keys() -> dict[str, dict[int, Any]]:
    """Keys that verify signatures and that no party may sign with."""
    hybrid = Key("Ed25519+ML-DSA-65", "Fictional half").cose
    small = SMALL.key.cose
    return {
        "of small order": small,
        "of small order, in another encoding": {**small, -2: bytes.fromhex("ee" + "ff" * 30 + "7f")},
        "a hybrid whose half is of small order": {**hybrid, -1: small[-2] + hybrid[-1][32:]},
        "of BLS12-381": BLS.key.cose,
    }


def founded_by(cose: dict[int, Any]) -> dict[str, str]:
    """The descriptor of a network whose only founding member has the key."""
    return Chain(ED.name, ED.key, members=[["Fictional Harbour Office", cose]]).descriptor()


def unusable_networks() -> list[dict[str, Any]]:
    """Descriptors that a verifier must refuse to use."""
    good = ED.descriptor()
    sm2 = next(row for row in key_vectors() if row.get("suite") == "SM2")
    bad_network = {
        "format missing": {k: v for k, v in good.items() if k != "format"},
        "another format": {**good, "format": "stele-network/2"},
        "no network id": {k: v for k, v in good.items() if k != "network_id"},
        "network id is not the hash of the genesis": {**good, "network_id": "00" * 32},
        "network id of 31 bytes": {**good, "network_id": good["network_id"][:-2]},
        "key is not that of the genesis": {**good, "key": NETWORKS["network-es256.json"].descriptor()["key"]},
        "key is not hex": {**good, "key": "zz"},
        "key is no COSE_Key": {**{k: v for k, v in good.items() if k != "genesis"}, "key": "a0"},
        **{f"a founding member's key is {what}": founded_by(key) for what, key in no_party_keys().items()},
        "genesis with bytes after": {**good, "genesis": good["genesis"] + "00"},
    }
    rows = [{"name": n, "descriptor": d, "usable": False, "code": "bad-network"} for n, d in bad_network.items()]
    without_genesis = {k: v for k, v in good.items() if k != "genesis"}
    rows.append({"name": "without genesis", "descriptor": without_genesis, "usable": True})
    unknown = {**without_genesis, "key": sm2["cose_key"]}
    row = {"name": "key of SM2", "descriptor": unknown, "usable": False, "code": "unsupported-suite"}
    return [*rows, {**row, "feature": "sm"}]


def all_files() -> dict[str, bytes]:
    """Every generated file by its name relative to this folder."""
    files: dict[str, Any] = receipt_vectors()
    files |= witness_vectors()
    files |= issuance_vectors()
    files |= {name: chain.descriptor() for name, chain in ALL_NETWORKS.items()}
    files["networks.json"] = unusable_networks()
    files["entries.json"] = entry_vectors()
    files["cbor.json"] = cbor_vectors()
    files["keys.json"] = key_vectors()
    files["state.json"] = state_vectors()
    files["ed25519.json"] = ed25519_vectors()
    return {name: data if isinstance(data, bytes) else as_json(data) for name, data in files.items()}


def as_json(data: Any) -> bytes:
    """One row a line for tables, so that a change reads well in a diff."""
    if isinstance(data, list):
        return ("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in data) + "\n]\n").encode()
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    files = all_files()
    for folder, ending in (("receipts", "receipt"), ("witnesses", "receipt"), ("issuance", "proof")):
        (target / folder).mkdir(parents=True, exist_ok=True)
        for old in (target / folder).glob(f"*.{ending}"):
            if f"{folder}/{old.name}" not in files:
                old.unlink()
    for name, data in files.items():
        (target / name).write_bytes(data)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
