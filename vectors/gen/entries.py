"""Entry vectors: form (section 3), ids, signatures."""

from __future__ import annotations

from typing import Any

from build import MS, BuiltEntry, Edits, Key, Raw, Tag, Unsorted, build_entry, enc
from gen.world import CARRIER, COMMIT, ED, GROWER, HAND_OVER, LAB, REGISTER, SHOP, commit_entry

NESTED_13: Any = "deep"
for _ in range(13):
    NESTED_13 = [NESTED_13]
NESTED_14 = [NESTED_13]

EVERY_TYPE = {
    "": "empty name",
    "bool": [True, False, None],
    "bytes": [b"", b"\x00" * 3],
    "int": [0, 23, 24, 2**64 - 1, -1, -(2**64)],
    "map": {1: "int key", -1: "negative key", b"k": "bytes key", "t": {}},
    "text": "Müller & 水 𐅑",
}


def good() -> list[dict[str, Any]]:
    n = ED.network
    own_window = {"not_before": MS, "not_after": MS + 3_600_000}
    rows = [
        ok("trace command, Ed25519 (-19)", commit_entry()),
        ok("Ed25519 as EdDSA (-8)", commit_entry(alg=-8)),
        ok("ES256", build_entry(n, CARRIER, commands=[COMMIT])),
        ok("ML-DSA-65", build_entry(n, LAB, commands=[COMMIT])),
        ok("hybrid", build_entry(n, SHOP, commands=[COMMIT])),
        ok("identity register", build_entry(n, GROWER, "identity", [REGISTER])),
        ok("longest window", commit_entry(**own_window)),
        ok("shortest window", commit_entry(not_before=MS, not_after=MS + 1)),
        ok("latest window", commit_entry(not_before=2**64 - 2, not_after=2**64 - 1)),
        ok("nonce of 16 bytes", commit_entry(nonce=bytes(16))),
        ok("one countersignature", commit_entry(commands=[HAND_OVER], countersigners=[CARRIER])),
        ok("two countersignatures", commit_entry(commands=[HAND_OVER], countersigners=[CARRIER, Key("Ed25519", "x")])),
        ok("16 countersignatures", commit_entry(countersigners=[Key("Ed25519", f"c{i}") for i in range(16)])),
        ok("command of another register", commit_entry(commands=[COMMIT, ["identity/device.add", {"name": "gate"}]])),
        ok("own register name as prefix without slash", commit_entry(commands=[["trace", {}], ["tracer/x", {}]])),
        ok("slash first is refused, dash is not", commit_entry(commands=[["-", {}]])),
        ok("name of 64 bytes", commit_entry(commands=[["n" * 64, {}]])),
        ok("every allowed type in a body", commit_entry(commands=[["x", EVERY_TYPE]])),
        ok("16 levels deep", commit_entry(commands=[["x", {"d": NESTED_13}]])),
        ok("register name of 32", build_entry(n, GROWER, "r" + "-" * 31, [["x", {}]])),
        ok("register name of 1", build_entry(n, GROWER, "r", [["x", {}]])),
        ok("algorithm that this verifier may not know", commit_entry(alg=-65601), signature="unknown-algorithm"),
        ok("signature of no bytes", commit_entry(edits={"signature": lambda s: b""}), signature="invalid"),
        ok("signature over another entry", commit_entry(edits={"signature": lambda s: GROWER.sign(b"x")}), signature="invalid"),
    ]
    return rows


def ok(name: str, entry: BuiltEntry, signature: str = "valid") -> dict[str, Any]:
    return {
        "name": name,
        "hex": entry.data.hex(),
        "valid": True,
        "entry_id": entry.id.hex(),
        "envelope_hash": entry.envelope_hash.hex(),
        "register": entry.register,
        "signer": entry.signer.encoded.hex(),
        "signature": signature,
        "countersigners": [key.encoded.hex() for key in entry.countersigners],
    }


def big() -> list[dict[str, Any]]:
    """Entries too long to store, as parts: hex as it is, or a byte repeated."""
    overhead = len(commit_entry(commands=[["x", {"d": bytes(65536)}]]).data) - 65536
    rows = []
    for size, valid in ((1_048_576, True), (1_048_577, False)):
        body = bytes(size - overhead)
        entry = commit_entry(commands=[["x", {"d": body}]])
        assert len(entry.data) == size, len(entry.data)
        before, after = entry.data.split(body)
        parts = [{"hex": before.hex()}, {"repeat": "00", "times": len(body)}, {"hex": after.hex()}]
        row = {**ok(f"{size} bytes", entry), "parts": parts}
        del row["hex"]
        if not valid:
            row = {"name": f"{size} bytes", "parts": parts, "valid": False, "code": "too-large"}
        rows.append(row)
    one = enc(["x", {}])
    for count, valid in ((4096, True), (4097, False)):
        entry = commit_entry(commands=[["x", {}]] * count)
        before, _, after = entry.data.partition(one * count)
        parts = [{"hex": before.hex()}, {"repeat": one.hex(), "times": count}, {"hex": after.hex()}]
        row = {**ok(f"{count} commands", entry), "parts": parts}
        del row["hex"]
        if not valid:
            row = {"name": f"{count} commands", "parts": parts, "valid": False, "code": "malformed"}
        rows.append(row)
    rows.append(
        {
            "name": "2 MiB of zeros: length is judged before form",
            "parts": [{"repeat": "00", "times": 2 * 1024 * 1024}],
            "valid": False,
            "code": "too-large",
        }
    )
    return rows


def at(index: int, value: Any) -> Any:
    """An edit that replaces one item of a list."""
    return lambda items: [*items[:index], value, *items[index + 1 :]]


def put(label: Any, value: Any) -> Any:
    return lambda mapping: {**mapping, label: value}


def without(label: Any) -> Any:
    return lambda mapping: {k: v for k, v in mapping.items() if k != label}


def reverse_map(mapping: dict[Any, Any]) -> Unsorted:
    return Unsorted(list(reversed(sorted(mapping.items(), key=lambda p: enc(p[0])))))


def long_head(data: bytes) -> bytes:
    """The encoding with its first head one size too long."""
    return bytes([data[0] & 0xE0 | 24, data[0] & 0x1F]) + data[1:]


def malformed() -> dict[str, Edits]:
    return {
        "no bytes": {"bytes": lambda b: b""},
        "bytes after": {"bytes": lambda b: b + b"\x00"},
        "cut short": {"bytes": lambda b: b[:-1]},
        "untagged": {"tagged": lambda t: t.value},
        "tag 98 (COSE_Sign)": {"tagged": lambda t: Tag(98, t.value)},
        "tag 17 (COSE_Mac0)": {"tagged": lambda t: Tag(17, t.value)},
        "tagged twice": {"tagged": lambda t: Tag(18, t)},
        "three parts": {"parts": lambda p: p[:3]},
        "five parts": {"parts": lambda p: [*p, b""]},
        "protected header is a map, not bytes": {"parts": lambda p: at(0, {1: -19})(p)},
        "payload is nil": {"parts": at(2, None)},
        "signature is nil": {"parts": at(3, None)},
        "unprotected is an array": {"parts": at(1, [])},
        "unknown unprotected label": {"unprotected": put(5, b"")},
        "kid in the unprotected header": {"unprotected": put(4, GROWER.kid)},
        "unknown protected label": {"header": put(3, "application/cbor")},
        "text label in the header": {"header": put("x", 1)},
        "crit in the header": {"header": put(2, [-65537])},
        "alg missing": {"header": without(1)},
        "alg is text": {"header": put(1, "EdDSA")},
        "kid missing": {"header": without(4)},
        "kid of 31 bytes": {"header": put(4, GROWER.kid[:31])},
        "-65537 missing": {"header": without(-65537)},
        "-65537 is a map": {"header": put(-65537, {})},
        "header empty": {"header_bytes": lambda b: b""},
        "four members of -65537": {"own": lambda o: o[:4]},
        "six members of -65537": {"own": lambda o: [*o, 0]},
        "network of 31 bytes": {"own": at(0, ED.network[:31])},
        "network as hex text": {"own": at(0, ED.network.hex())},
        "register in capitals": {"own": at(1, "Trace")},
        "register starting with a digit": {"own": at(1, "1trace")},
        "register of no characters": {"own": at(1, "")},
        "register of 33 characters": {"own": at(1, "r" * 33)},
        "register with a newline": {"own": at(1, "trace\n")},
        "register as bytes": {"own": at(1, b"trace")},
        "not-before negative": {"own": at(2, -1)},
        "not-after as text": {"own": at(3, "2026-01-01T00:00:00Z")},
        "not-before as float": {"own": at(2, Raw(b"\xf9\x3c\x00"))},
        "nonce of 7 bytes": {"own": at(4, bytes(7))},
        "nonce of 17 bytes": {"own": at(4, bytes(17))},
        "nonce as text": {"own": at(4, "12345678")},
        "no commands": {"commands": lambda c: []},
        "commands are a map": {"commands": lambda c: {}},
        "payload empty": {"commands_bytes": lambda b: b""},
        "command of one part": {"commands": lambda c: [["x"]]},
        "command of three parts": {"commands": lambda c: [["x", {}, {}]]},
        "command name empty": {"commands": lambda c: [["", {}]]},
        "command name of 65 bytes": {"commands": lambda c: [["n" * 65, {}]]},
        "command name of 33 characters and 66 bytes": {"commands": lambda c: [["ü" * 33, {}]]},
        "command name as bytes": {"commands": lambda c: [[b"x", {}]]},
        "body is an array": {"commands": lambda c: [["x", []]]},
        "body with an integer key": {"commands": lambda c: [["x", {1: 2}]]},
        "body with a float": {"commands": lambda c: [["x", {"d": Raw(bytes.fromhex("f93c00"))}]]},
        "body with a tag": {"commands": lambda c: [["x", {"d": Tag(1, 0)}]]},
        "body with undefined": {"commands": lambda c: [["x", {"d": Raw(b"\xf7")}]]},
        "body with text that is not UTF-8": {"commands": lambda c: [["x", {"d": Raw(b"\x61\xff")}]]},
        "17 levels deep": {"commands": lambda c: [["x", {"d": NESTED_14}]]},
        "huge claimed array": {"commands_bytes": lambda b: bytes.fromhex("9b7fffffffffffffff")},
        "huge claimed body": {"commands_bytes": lambda b: bytes.fromhex("81826178bb7fffffffffffffff")},
        "bytes after the commands": {"commands_bytes": lambda b: b + b"\x00"},
        "bytes after the header": {"header_bytes": lambda b: b + b"\x00"},
    }


def malformed_countersignatures() -> dict[str, Edits]:
    def each(change: Any) -> Edits:
        return {"countersignatures": lambda items: [change(item) for item in items]}

    return {
        "no countersignatures": {"countersignatures": lambda items: []},
        "17 countersignatures": {"countersignatures": lambda items: items * 17},
        "countersignature not in an array": {"countersignatures": lambda items: items[0]},
        "countersignature of two parts": each(lambda c: c[:2]),
        "countersignature with an unprotected label": each(at(1, {4: b""})),
        "countersignature with another header label": each(at(0, enc({1: -7, 4: CARRIER.kid, 3: 0}))),
        "countersignature without kid": each(at(0, enc({1: -7}))),
        "countersignature with a short kid": each(at(0, enc({1: -7, 4: CARRIER.kid[:20]}))),
        "countersignature signature is nil": each(at(2, None)),
    }


def not_canonical() -> dict[str, Edits]:
    def indefinite(b: bytes) -> bytes:
        return b"\xd2\x9f" + b[2:] + b"\xff"

    repeated = Unsorted([("a", 1), ("a", 1)])
    return {
        "long tag": {"bytes": lambda b: b"\xd8\x12" + b[1:]},
        "array of indefinite length": {"bytes": indefinite},
        "long array head": {"bytes": lambda b: b[:1] + long_head(b[1:])},
        "header labels out of order": {"header": reverse_map},
        "header label repeated": {"header": lambda h: Unsorted([(1, h[1]), *h.items()])},
        "long head of alg": {"header": put(1, Raw(b"\x39\x00\x12"))},
        "header of indefinite length": {"header_bytes": lambda b: b"\xbf" + b[1:] + b"\xff"},
        "long head of not-before": {"own": lambda o: [*o[:2], Raw(b"\x1b" + bytes(7) + b"\x01"), 1001, o[4]]},
        "long array head of the commands": {"commands_bytes": long_head},
        "commands of indefinite length": {"commands_bytes": lambda b: b"\x9f" + b[1:] + b"\xff"},
        "body keys out of order": {"commands": lambda c: [["x", Unsorted([("b", 1), ("a", 2)])]]},
        "body key repeated": {"commands": lambda c: [["x", repeated]]},
        "inner map keys out of order": {"commands": lambda c: [["x", {"d": Unsorted([(2, 0), (1, 0)])}]]},
        "body text in chunks": {"commands": lambda c: [["x", {"d": Raw(bytes.fromhex("7f61616162ff"))}]]},
        "body integer in a long head": {"commands": lambda c: [["x", {"d": Raw(b"\x18\x05")}]]},
        "payload in chunks": {"parts": lambda p: at(2, Raw(b"\x5f" + enc(p[2]) + b"\xff"))(p)},
        "empty unprotected header in a long head": {"parts": at(1, Raw(b"\xb8\x00"))},
    }


def judged() -> list[tuple[str, str, dict[str, Any]]]:
    """(name, code, options): the rules of section 3 beside the CDDL."""

    def same_kid(items: list[Any]) -> list[Any]:
        return items * 2

    def window(low: int, high: int) -> dict[str, Any]:
        return {"not_before": low, "not_after": high}

    named = {
        "own register qualified": "trace/event.commit",
        "slash first": "/event.commit",
        "slash last": "identity/",
        "two slashes": "identity/party/register",
        "qualifier in capitals": "Identity/party.register",
    }
    return [
        ("window of no length", "bad-window", window(MS, MS)),
        ("window that ends before it starts", "bad-window", window(MS, MS - 1)),
        ("window one millisecond too long", "bad-window", window(MS, MS + 3_600_001)),
        ("window of all time", "bad-window", window(0, 2**64 - 1)),
        *((name, "bad-command", {"commands": [COMMIT, [command, {}]]}) for name, command in named.items()),
        ("countersigned twice by one key", "bad-countersignature",
         {"countersigners": [CARRIER], "edits": {"countersignatures": same_kid}}),
        ("countersigned by the signer", "bad-countersignature", {"countersigners": [GROWER]}),
        ("window before command", "bad-window", {**window(MS, MS), "commands": [["trace/x", {}]]}),
        ("command before countersignature", "bad-command",
         {"commands": [["trace/x", {}]], "countersigners": [GROWER]}),
    ]  # fmt: skip


def entry_vectors() -> list[dict[str, Any]]:
    rows = [*good(), *big()]
    for code, table in (("malformed", malformed()), ("not-canonical", not_canonical())):
        rows += [bad(name, code, commit_entry(edits=edits)) for name, edits in table.items()]
    for name, edits in malformed_countersignatures().items():
        rows.append(bad(name, "malformed", commit_entry(countersigners=[CARRIER], edits=edits)))
    rows.append(bad("countersignature header out of order", "not-canonical", unsorted_countersignature()))
    rows += [bad(name, code, commit_entry(**options)) for name, code, options in judged()]
    return rows


def unsorted_countersignature() -> BuiltEntry:
    header = enc(Unsorted([(4, CARRIER.kid), (1, CARRIER.alg)]))
    edits: Edits = {"countersignatures": lambda items: [at(0, header)(items[0])]}
    return commit_entry(countersigners=[CARRIER], edits=edits)


def bad(name: str, code: str, entry: BuiltEntry) -> dict[str, Any]:
    return {"name": name, "hex": entry.data.hex(), "valid": False, "code": code}
