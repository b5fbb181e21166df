"""Proofs of issuance, good and bad (section 11), with the credentials that they belong to.

Written from the format page, apart from `stele_verify`. Issuers, students and schemas are fictional.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from build import MS, Chain, Key, Raw, State, build_receipt, enc, fold_path, log_path, log_root, sha256
from gen.world import BLS, EVENTS, HYBRID, P256, commit_entry

ACADEMY = Chain(
    "Granite Academies (fictional)",
    Key("Ed25519", "network granite"),
    registers=("governance", "identity", "credential"),
)
#: Another network that is run with the very same key.
ACADEMY_TWIN = Chain("Basalt Academies (fictional)", ACADEMY.key, registers=ACADEMY.registers)

UNIVERSITY = Key("Ed25519", "Fictional University of Granite")
#: A second key of the university: the party's id stays that of its first one.
DIPLOMA_KEY = Key("ES256", "Fictional University of Granite, diplomas")
HYBRID_KEY = Key("Ed25519+ML-DSA-65", "Fictional University of Granite, archive")
COLLEGE = Key("Ed25519", "Fictional College of Basalt")
MINISTRY = Key("Ed25519", "Fictional Ministry of Granite")

TYPE = "https://granite.example/diploma"
SCOPE = "XX/universities/letters"
#: Time and height of the block that took the commitment; the receipts are of a later block.
ISSUED_AT, ISSUED_HEIGHT = MS + 30_000, 38
GRANT = sha256(b"a fictional accreditation of the university")
#: The longest proof.
MAX_PROOF_BYTES = 65_536

Edits = dict[str, Callable[[Any], Any]]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def jwk(key: Key) -> dict[str, str] | None:
    """The key as a JWK; JOSE has no name for the hybrid suite."""
    if key.suite == "Ed25519":
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.ed_public)}
    if key.suite == "ES256":
        return {"kty": "EC", "crv": "P-256", "x": b64(key.cose[-2]), "y": b64(key.cose[-3])}
    return None


def commitment(salt: bytes, credential: bytes) -> bytes:
    return sha256(b"stele/credential/commitment/v1" + salt + sha256(credential))


@dataclass
class Credential:
    """A credential: what was signed, by which key, what it names as issuer and type, and of an SD-JWT the
    disclosures."""

    signed: bytes
    key: Key
    issuer: str
    type: str
    disclosures: list[str] | None = None


def diploma(
    student: int, *, key: Key = UNIVERSITY, issuer: str | None = UNIVERSITY.did, kind: str = TYPE
) -> Credential:
    """An SD-JWT VC of a fictional student, with two fields that may be withheld."""
    holder = Key("ES256", f"holder {student}")
    disclosures = [
        b64(compact_json([b64(sha256(f"salt {student} {name}".encode())[:16]), name, value]))
        for name, value in (("given_name", f"Fictional Student {student}"), ("final_grade", "1.3"))
    ]
    header = {"alg": "EdDSA" if key.suite == "Ed25519" else "ES256", "typ": "dc+sd-jwt"}
    payload = {
        **({} if issuer is None else {"iss": issuer}),
        "vct": kind,
        "iat": ISSUED_AT // 1000 - 10,
        "cnf": {"jwk": jwk(holder)},
        "_sd_alg": "sha-256",
        "_sd": sorted(b64(sha256(one.encode())) for one in disclosures),
    }
    message = f"{b64(compact_json(header))}.{b64(compact_json(payload))}"
    jwt = f"{message}.{b64(key.sign(message.encode()))}"
    return Credential(jwt.encode(), key, issuer or "", kind, disclosures)


def document(key: Key) -> Credential:
    """A credential of the W3C model in canonical JSON (RFC 8785); whoever verified its signature names the key."""
    kind = "DiplomaCredential"
    text = compact_json(
        {
            "credentialSubject": {"degree": "Fictional Master of Letters"},
            "issuer": UNIVERSITY.did,
            "proof": {"proofValue": "zFictional", "type": "DataIntegrityProof"},
            "type": ["VerifiableCredential", kind],
        }
    )
    return Credential(text, key, UNIVERSITY.did, kind)


def salt(number: int) -> bytes:
    return sha256(b"fictional salt %d" % number)


class Batch:
    """Credentials that were committed to together, and what the network keeps of them."""

    def __init__(self, credentials: list[Credential], **record: Any) -> None:
        self.credentials = credentials
        self.leaves = [sha256(b"\x00" + commitment(salt(place), one.signed)) for place, one in enumerate(credentials)]
        self.root = log_root(self.leaves)
        self.record = record

    def path(self, index: int) -> list[bytes]:
        return log_path(index, self.leaves)


class TallBatch(Batch):
    """2^24 credentials, of which one is real: the hashes beside its path are invented."""

    def __init__(self, credential: Credential, index: int) -> None:
        super().__init__([credential])
        size = 1 << 24
        leaf = sha256(b"\x00" + commitment(salt(index), credential.signed))
        self.root, self.path_of_one = fold_path(
            leaf, index, size, lambda depth: sha256(b"invented commitment %d" % depth)
        )
        self.record = {"count": size}

    def path(self, index: int) -> list[bytes]:
        return self.path_of_one


def record_of(batch: Batch, kid: bytes, edits: Edits) -> bytes:
    """The value of `issuance/<issuer><root>`."""
    own = {"type": TYPE, "scope": SCOPE, "count": len(batch.credentials), "schema": None, "chain": [GRANT]}
    own |= {"time": ISSUED_AT, "height": ISSUED_HEIGHT, **batch.record}
    parts = [sha256(b"the entry of a fictional commitment"), own["height"], own["time"], kid]
    parts += [own["type"], own["scope"], own["count"], own["schema"], own["chain"]]
    return edited(edits, "record_bytes", enc(edited(edits, "record", parts)))


def edited(edits: Edits, stage: str, value: Any) -> Any:
    return edits[stage](value) if stage in edits else value


def report(since: int, height: int = 40) -> bytes:
    """The value of `compromise/<kid>`."""
    return enc([since, height, MINISTRY.party])


@dataclass
class Proof:
    """One proof, the credential it is shown with, and what is asked."""

    data: bytes
    chain: Chain
    credential: Credential
    scope: str | None
    expect: dict[str, Any]


def prove(
    batch: Batch,
    index: int = 0,
    *,
    chain: Chain = ACADEMY,
    network: Chain | None = None,
    reports: bytes | str | None = None,
    scope: str | None = None,
    shown: Credential | None = None,
    key: Key | None = None,
    others: dict[tuple[str, bytes], bytes | None] | None = None,
    claims: Callable[[list[list[Any]]], list[list[Any]]] = lambda claims: claims,
    entry: bool = False,
    witnesses: list[str] | None = None,
    receipt: Edits | None = None,
    edits: Edits | None = None,
) -> Proof:
    """The proof of a credential of a batch. `reports`: None when the receipt does not ask, "none" for a proven
    absence, or the report. `edits` may change it at the stages record, record_bytes, key, salt, index, path,
    receipt, proof, bytes; `receipt` changes the receipt at those of `build_receipt`."""
    edits = edits or {}
    credential = batch.credentials[min(index, len(batch.credentials) - 1)]
    kid = (key or credential.key).kid
    issuance = edited(edits, "key", b"issuance/" + UNIVERSITY.party + batch.root)
    record = record_of(batch, kid, edits)
    compromise = ("credential", b"compromise/" + kid)
    values = {("credential", issuance): record}
    if isinstance(reports, bytes):
        values[compromise] = reports
    values |= {place: value for place, value in (others or {}).items() if value is not None}
    background = {("identity", b"accreditation/" + sha256(b"%d" % i)): sha256(b"fictional %d" % i) for i in range(6)}
    state = State(values | background)
    at = replace(chain, state=state)
    asked = [("credential", issuance), *([compromise] if reports is not None else []), *(others or {})]
    options: dict[str, Any] = {"claims": claims([state.claim(*place) for place in asked])}
    if entry:
        built = commit_entry(at)
        options |= {"record": at.record(built, EVENTS), "entry": built.data, "events": EVENTS}
    data = build_receipt(at, witnesses=witnesses, edits=receipt, **options)
    parts = [
        1,
        edited(edits, "salt", salt(index)),
        edited(edits, "index", index),
        edited(edits, "path", batch.path(index)),
        edited(edits, "receipt", data),
    ]
    encoded = edited(edits, "bytes", enc(edited(edits, "proof", parts)))
    answer = expectation(batch, record, index, reports, at)
    return Proof(encoded, network or chain, shown or credential, scope, answer)


def expectation(batch: Batch, record: bytes, index: int, reports: bytes | str | None, chain: Chain) -> dict[str, Any]:
    own = {"type": TYPE, "scope": SCOPE, "count": len(batch.credentials), "schema": None, "chain": [GRANT]}
    own |= {"time": ISSUED_AT, "height": ISSUED_HEIGHT, **batch.record}
    told: dict[str, Any] | None = None
    if reports == "none":
        told = {"reported": False, "height": chain.height, "time_ms": chain.time}
    elif isinstance(reports, bytes):
        told = {"reported": True, "since_ms": SINCE_LATER, "height": 40, "by": MINISTRY.did}
    return {
        "issuer": UNIVERSITY.did,
        "root": batch.root.hex(),
        "index": index,
        "entry": sha256(b"the entry of a fictional commitment").hex(),
        "height": own["height"],
        "time_ms": own["time"],
        "kid": batch.credentials[min(index, len(batch.credentials) - 1)].key.kid.hex(),
        "type": own["type"],
        "scope": own["scope"],
        "count": own["count"],
        "schema": own["schema"] and own["schema"].hex(),
        "chain": [link.hex() for link in own["chain"]],
        "key_report": told,
    }


#: A report whose time lies just after the commitment.
SINCE_LATER = ISSUED_AT + 1
ONE = Batch([diploma(0)])
FIVE = Batch([diploma(n) for n in range(5)])
SEVEN = Batch([diploma(n) for n in range(7)])


def good() -> list[tuple[str, Proof]]:
    by_es256 = Batch([diploma(n, key=DIPLOMA_KEY) for n in range(3)])
    archive = Batch([document(HYBRID_KEY)], type="DiplomaCredential")
    plain = Batch([diploma(0)], scope=None, chain=[])
    rows = [
        ("batch of one", prove(ONE)),
        ("batch of one, key not reported", prove(ONE, reports="none")),
        ("batch of one, key reported later", prove(ONE, reports=report(SINCE_LATER))),
        *((f"place {n} of five", prove(FIVE, n, reports="none")) for n in range(5)),
        ("last of seven", prove(SEVEN, 6)),
        ("key reported later", prove(FIVE, 3, reports=report(SINCE_LATER))),
        ("last of 2^24", prove(TallBatch(diploma(0), (1 << 24) - 1), (1 << 24) - 1)),
        ("signed by another key of the issuer", prove(by_es256, 1, reports="none")),
        ("a document with a key of the hybrid suite", prove(archive)),
        ("scope asked as it is", prove(ONE, scope=SCOPE)),
        ("scope asked is wider", prove(ONE, scope="XX/universities")),
        ("scope asked is the widest", prove(ONE, scope="XX")),
        ("no scope and no chain", prove(plain)),
        ("schema and a chain of eight", prove(Batch([diploma(0)], schema=sha256(b"a schema"), chain=[GRANT] * 8))),
        ("type and scope of 256 bytes", prove(Batch([diploma(0, kind="t" * 256)], type="t" * 256, scope="ü" * 128))),
        ("of a network of several validators", prove(ONE, chain=BLS, reports="none")),
        ("of a network with a key of ES256", prove(ONE, chain=P256)),
        ("of a network with a hybrid key", prove(ONE, chain=HYBRID)),
        ("an entry beside it", prove(ONE, entry=True)),
        ("claims of other registers before it", prove(ONE, others=OTHERS, claims=lambda c: c[1:] + c[:1])),
        ("report before the issuance", prove(ONE, reports="none", claims=lambda c: c[::-1])),
        ("an absent issuance before it", prove(ONE, others={ABSENT: None}, claims=lambda c: c[::-1])),
        ("another issuance behind it", prove(ONE, others=ANOTHER)),
        ("report of another key beside it", prove(ONE, others=OTHER_REPORT)),
        (
            "in the first block with the commitment",
            prove(Batch([diploma(0)], time=ACADEMY.time, height=ACADEMY.height)),
        ),
        ("witness lines", prove(ONE, witnesses=["not a line"])),
        ("65536 bytes", padded(MAX_PROOF_BYTES)),
    ]
    return [(name.replace(" ", "-").replace(",", "").replace("^", ""), proof) for name, proof in rows]


OTHERS: dict[tuple[str, bytes], bytes | None] = {
    ("trace", b"issuance/" + UNIVERSITY.party + ONE.root): b"another register's",
    ("credential", b"schema/" + sha256(b"a schema") + b"/" + bytes(8)): b"a schema",
}
ABSENT = ("credential", b"issuance/" + COLLEGE.party + sha256(b"never committed to"))
ANOTHER: dict[tuple[str, bytes], bytes | None] = {
    ("credential", b"issuance/" + UNIVERSITY.party + FIVE.root): record_of(FIVE, UNIVERSITY.kid, {})
}
OTHER_REPORT: dict[tuple[str, bytes], bytes | None] = {("credential", b"compromise/" + COLLEGE.kid): report(0)}


def padded(size: int) -> Proof:
    """A proof of exactly so many bytes: its receipt carries a long witness line."""
    rest = size - len(prove(ONE, witnesses=["x" * 60_000]).data)
    proof = prove(ONE, witnesses=["x" * (60_000 + rest)])
    assert len(proof.data) == size
    return proof


def bad() -> list[tuple[str, str, Proof]]:
    """Code, name and proof. `X-before-Y` has both faults."""
    rows = [*malformed(), *receipts(), *not_committed(), *later_rules(), *orders()]
    return [(code, name.replace(" ", "-"), proof) for code, name, proof in rows]


def put(place: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda parts: [*parts[:place], value, *parts[place + 1 :]]


def malformed() -> list[tuple[str, str, Proof]]:
    def of_bytes(change: Callable[[bytes], bytes]) -> Proof:
        return prove(FIVE, 3, edits={"bytes": change})

    def of_parts(change: Callable[[list[Any]], Any]) -> Proof:
        return prove(FIVE, 3, edits={"proof": change})

    def of_record(change: Callable[[list[Any]], Any]) -> Proof:
        return prove(FIVE, 3, edits={"record": change})

    def keyed(key: bytes) -> Proof:
        return prove(FIVE, 3, edits={"key": lambda _: key})

    key = b"issuance/" + UNIVERSITY.party + FIVE.root
    long_head = b"\x98\x05"
    rows = {
        "no bytes": of_bytes(lambda _: b""),
        "cut in half": of_bytes(lambda data: data[: len(data) // 2]),
        "cut short": of_bytes(lambda data: data[:-1]),
        "bytes after": of_bytes(lambda data: data + b"\x00"),
        "long head": of_bytes(lambda data: long_head + data[1:]),
        "of indefinite length": of_bytes(lambda data: b"\x9f" + data[1:] + b"\xff"),
        "tagged": of_bytes(lambda data: b"\xd2" + data),
        "huge claimed path": of_bytes(lambda data: data[:37] + b"\x9b\x00\x00\x01\x00\x00\x00\x00\x00"),
        "65537 bytes": padded(MAX_PROOF_BYTES + 1),
        "a map": of_parts(lambda parts: dict(enumerate(parts))),
        "four parts": of_parts(lambda parts: parts[:4]),
        "six parts": of_parts(lambda parts: [*parts, None]),
        "version 0": of_parts(put(0, 0)),
        "version 2": of_parts(put(0, 2)),
        "version text": of_parts(put(0, "1")),
        "version negative": of_parts(put(0, -1)),
        "salt of 31 bytes": of_parts(put(1, salt(3)[:31])),
        "salt of 33 bytes": of_parts(put(1, salt(3) + b"\x00")),
        "salt text": of_parts(put(1, "s" * 32)),
        "index negative": of_parts(put(2, -1)),
        "index long head": of_parts(put(2, Raw(b"\x18\x03"))),
        "index null": of_parts(put(2, None)),
        "path of 25": of_parts(put(3, [bytes(32)] * 25)),
        "path of short hashes": of_parts(lambda parts: put(3, [node[:31] for node in parts[3]])(parts)),
        "path null": of_parts(put(3, None)),
        "receipt text": of_parts(put(4, "receipt")),
        "receipt null": of_parts(put(4, None)),
        "receipt not wrapped": of_parts(lambda parts: put(4, Raw(parts[4]))(parts)),
        "no issuance in the receipt": prove(FIVE, 3, reports="none", claims=lambda c: c[1:]),
        "issuance absent": prove(FIVE, 3, others={ABSENT: None}, claims=lambda c: c[1:]),
        "issuance of another register": prove(
            FIVE, 3, others={("trace", key): record_of(FIVE, UNIVERSITY.kid, {})}, claims=lambda c: c[1:]
        ),
        "an entry alone": prove(FIVE, 3, entry=True, receipt={"receipt": without_claims}),
        "issuance key short": keyed(key[:-1]),
        "issuance key long": keyed(key + b"\x00"),
        "issuance key in capitals": keyed(b"ISSUANCE/" + key[9:]),
        "record of eight": of_record(lambda parts: parts[:8]),
        "record of ten": of_record(lambda parts: [*parts, None]),
        "record with a text entry": of_record(put(0, "entry")),
        "record with a negative height": of_record(put(1, -1)),
        "record with a negative time": of_record(put(2, -1)),
        "record with a short key id": of_record(put(3, UNIVERSITY.kid[:31])),
        "record without type": of_record(put(4, None)),
        "record with a type of 257 bytes": of_record(put(4, "t" * 257)),
        "record with a scope of 257 bytes": of_record(put(5, "ü" * 128 + "u")),
        "record with a scope of bytes": of_record(put(5, SCOPE.encode())),
        "record with a negative count": of_record(put(6, -1)),
        "record with a short schema": of_record(put(7, bytes(31))),
        "record with a chain of nine": of_record(put(8, [GRANT] * 9)),
        "record with a short accreditation": of_record(put(8, [GRANT[:31]])),
        "record without a chain": of_record(put(8, None)),
        "record empty": prove(FIVE, 3, edits={"record_bytes": lambda _: b""}),
        "record with bytes after": prove(FIVE, 3, edits={"record_bytes": lambda data: data + b"\x00"}),
        "record with a long head": prove(FIVE, 3, edits={"record_bytes": lambda data: b"\x98\x09" + data[1:]}),
        "report of two": prove(FIVE, 3, reports=enc([SINCE_LATER, 40])),
        "report of four": prove(FIVE, 3, reports=enc([SINCE_LATER, 40, MINISTRY.party, None])),
        "report with a negative time": prove(FIVE, 3, reports=enc([-1, 40, MINISTRY.party])),
        "report by nobody": prove(FIVE, 3, reports=enc([SINCE_LATER, 40, None])),
        "report with bytes after": prove(FIVE, 3, reports=report(SINCE_LATER) + b"\x00"),
    }
    return [("trust.proof-malformed", name, proof) for name, proof in rows.items()]


def without_claims(parts: dict[int, Any]) -> dict[int, Any]:
    return {label: part for label, part in parts.items() if label != 3}


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def receipts() -> list[tuple[str, str, Proof]]:
    other_value = record_of(FIVE, COLLEGE.kid, {})
    rows = {
        "receipt empty": prove(FIVE, 3, edits={"receipt": lambda _: b""}),
        "receipt cut": prove(FIVE, 3, edits={"receipt": lambda data: data[:-1]}),
        "receipt of another version": prove(FIVE, 3, receipt={"receipt": put_label(0, "stele-receipt/2")}),
        "receipt signature flipped": prove(FIVE, 3, receipt={"signature": flipped}),
        "receipt of a network with the same key": prove(FIVE, 3, chain=ACADEMY_TWIN, network=ACADEMY),
        "receipt of another network": prove(FIVE, 3, chain=P256, network=ACADEMY),
        "receipt value changed": prove(FIVE, 3, claims=lambda c: [[c[0][0], c[0][1], other_value, c[0][3]]]),
        "receipt key changed": prove(
            FIVE, 3, claims=lambda c: [[c[0][0], b"issuance/" + COLLEGE.party + FIVE.root, *c[0][2:]]]
        ),
        "report hidden as absent": prove(
            FIVE, 3, reports=report(0), claims=lambda c: [c[0], [c[1][0], c[1][1], None, c[1][3]]]
        ),
    }
    return [("trust.receipt", name, proof) for name, proof in rows.items()]


def put_label(label: int, value: Any) -> Callable[[dict[int, Any]], dict[int, Any]]:
    return lambda parts: {**parts, label: value}


def not_committed() -> list[tuple[str, str, Proof]]:
    def changed(**edits: Callable[[Any], Any]) -> Proof:
        return prove(FIVE, 3, edits=edits)

    own = FIVE.credentials[3]
    whole = "~".join([own.signed.decode(), *(own.disclosures or []), ""]).encode()
    with_disclosures = replace(own, signed=whole, disclosures=None)
    altered = replace(own, signed=flipped(own.signed), disclosures=None)
    unsalted = Batch([diploma(0)])
    unsalted.root = sha256(b"\x00" + sha256(ONE.credentials[0].signed))
    no_leaf = Batch([diploma(0)])
    no_leaf.root = commitment(salt(0), ONE.credentials[0].signed)
    rows = {
        "another credential of the batch": prove(FIVE, 3, shown=FIVE.credentials[2]),
        "a credential of nobody's batch": prove(FIVE, 3, shown=diploma(9)),
        "one bit of the credential flipped": prove(FIVE, 3, shown=altered),
        "the credential with its disclosures": prove(FIVE, 3, shown=with_disclosures),
        "salt changed": changed(salt=flipped),
        "salt of a neighbour": changed(salt=lambda _: salt(2)),
        "index of a neighbour": changed(index=lambda _: 2),
        "index is the count": changed(index=lambda _: 5),
        "index 2 to the 64 less 1": changed(index=lambda _: (1 << 64) - 1),
        "path node flipped": changed(path=lambda path: [flipped(path[0]), *path[1:]]),
        "path reversed": changed(path=lambda path: path[::-1]),
        "path cut": changed(path=lambda path: path[:-1]),
        "path empty": changed(path=lambda _: []),
        "path extended": changed(path=lambda path: [*path, bytes(32)]),
        "path in a batch of one": prove(ONE, edits={"path": lambda _: [bytes(32)]}),
        "count 0": prove(Batch([diploma(0)], count=0)),
        "count 4 of five": prove(Batch([diploma(n) for n in range(5)], count=4), 4),
        "count 2 to the 64 less 1": prove(Batch([diploma(0)], count=(1 << 64) - 1)),
        "commitment without salt": prove(unsalted),
        "commitment as a node": prove(no_leaf),
        "the second issuance of the receipt": prove(ONE, others=ANOTHER, claims=lambda c: c[::-1]),
    }
    return [("trust.not-committed", name, proof) for name, proof in rows.items()]


def later_rules() -> list[tuple[str, str, Proof]]:
    def shown(**options: Any) -> Proof:
        return prove(Batch([diploma(0, **options)]))

    def asked(scope: str) -> Proof:
        return prove(ONE, scope=scope)

    without_scope = Batch([diploma(0)], scope=None)
    rows = [
        ("trust.other-key", "another key of the issuer", prove(ONE, key=DIPLOMA_KEY)),
        ("trust.other-key", "a key of another party", prove(ONE, key=COLLEGE)),
        ("trust.other-key", "reported key beside it", prove(ONE, key=COLLEGE, reports="none")),
        ("trust.key-compromised", "since the time of the commitment", prove(ONE, reports=report(ISSUED_AT))),
        ("trust.key-compromised", "since before the commitment", prove(FIVE, 3, reports=report(ISSUED_AT - 1))),
        ("trust.key-compromised", "since ever", prove(ONE, reports=report(0))),
        (
            "trust.key-compromised",
            "reported before the issuance claim",
            prove(ONE, reports=report(0), claims=lambda c: c[::-1]),
        ),
        ("trust.other-issuer", "the credential names another party", shown(issuer=COLLEGE.did)),
        ("trust.other-issuer", "the credential names an address", shown(issuer="https://granite.example")),
        ("trust.other-issuer", "the credential names nobody", shown(issuer=None)),
        ("trust.other-issuer", "the DID in capitals", shown(issuer=UNIVERSITY.did.upper())),
        ("trust.other-type", "another type", shown(kind="https://granite.example/transcript")),
        ("trust.other-type", "a type below it", shown(kind=TYPE + "/honours")),
        ("trust.other-type", "the type in capitals", shown(kind=TYPE.upper())),
        ("trust.other-type", "no type", shown(kind="")),
        ("trust.outside-scope", "another field", asked("XX/hospitals")),
        ("trust.outside-scope", "another country", asked("YY")),
        ("trust.outside-scope", "half a part", asked("XX/uni")),
        ("trust.outside-scope", "a part of the field", asked(SCOPE + "/latin")),
        ("trust.outside-scope", "a slash at the end", asked(SCOPE + "/")),
        ("trust.outside-scope", "nothing", asked("")),
        ("trust.outside-scope", "accredited without a scope", prove(without_scope, scope="XX")),
    ]
    return rows


def orders() -> list[tuple[str, str, Proof]]:
    """Two faults each: the earlier rule names the reason."""
    foreign = diploma(9)
    stranger = Batch([diploma(0, issuer=COLLEGE.did, kind="another type")])
    other_type = Batch([diploma(0, kind="another type")])
    return [
        (
            "trust.proof-malformed",
            "version before receipt",
            prove(FIVE, 3, edits={"proof": put(0, 2)}, receipt={"signature": flipped}),
        ),
        (
            "trust.receipt",
            "receipt before record",
            prove(FIVE, 3, edits={"record": lambda parts: parts[:8]}, receipt={"signature": flipped}),
        ),
        (
            "trust.proof-malformed",
            "record before not committed",
            prove(FIVE, 3, edits={"record": lambda parts: parts[:8]}, shown=foreign),
        ),
        ("trust.not-committed", "not committed before other key", prove(FIVE, 3, key=COLLEGE, shown=foreign)),
        ("trust.not-committed", "not committed before report", prove(FIVE, 3, reports=b"", shown=foreign)),
        ("trust.other-key", "other key before report", prove(ONE, key=COLLEGE, reports=b"")),
        ("trust.proof-malformed", "report before other issuer", prove(stranger, reports=b"")),
        ("trust.key-compromised", "compromised before other issuer", prove(stranger, reports=report(0))),
        ("trust.other-issuer", "other issuer before other type", prove(stranger)),
        ("trust.other-type", "other type before scope", prove(other_type, scope="YY")),
    ]
