"""Receipts with cosignatures of witnesses, good and bad, and policies that are none (section 9).

The lines are written here by the text of C2SP signed-note and tlog-cosignature, apart from `stele_verify`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from build import Chain, Key, build_receipt, enc, log_root, sha256
from gen.world import ABSENT_KEY, BLS, ED, EVENTS, TWIN, commit_entry

#: 2026-01-01T00:01:01Z, a second after the block that the receipts are of.
TIME = 1_767_225_661
NAMES = ("witness.example/north", "witness.example/east", "oid/1.3.6.1.4.1.99999.3")
KEYS = {name: Key("Ed25519", f"witness {name}") for name in (*NAMES, "witness.example/unknown")}
NORTH, EAST, THIRD = NAMES
UNKNOWN = "witness.example/unknown"
#: Lines change what is signed or written at the stages time, message, signature, bytes, line.
Edits = dict[str, Callable[[Any], Any]]


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def vkey(name: str, kind: int = 4, public: bytes | None = None) -> str:
    public = KEYS[name].ed_public if public is None else public
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def text_of(chain: Chain, *, origin: str | None = None, size: int | None = None, root: bytes | None = None) -> str:
    """The checkpoint of the receipt's block: the log with the grower's record as its leaf 5, or without it."""
    root = log_root(leaves(chain)) if root is None else root
    origin = origin or f"stele/{chain.network.hex()}"
    return f"{origin}\n{chain.tree_size if size is None else size}\n{base64.b64encode(root).decode()}\n"


def leaves(chain: Chain) -> list[bytes]:
    found = chain.other_leaves()
    found[5] = sha256(b"\x00" + enc(chain.record(commit_entry(chain), EVENTS)))
    return found


def line(name: str, text: str, *, time: int = TIME, key: Key | None = None, kind: int = 4, edits: Edits | None = None) -> str:
    edits = edits or {}
    signer = key or KEYS[name]
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    signature = signer.ed.sign(edits.get("message", lambda m: m)(message))
    signature = edits.get("signature", lambda s: s)(signature)
    whole = key_id(name, kind, KEYS[name].ed_public) + time.to_bytes(8, "big") + signature
    encoded = base64.b64encode(edits.get("bytes", lambda b: b)(whole)).decode()
    return edits.get("line", lambda t: t)(f"\u2014 {name} {encoded}")


def receipt(chain: Chain, lines: list[str] | None) -> bytes:
    entry = commit_entry(chain)
    record = chain.record(entry, EVENTS)
    return build_receipt(chain, record=record, entry=entry.data, events=EVENTS, witnesses=lines)


def state_receipt(chain: Chain, lines: list[str]) -> bytes:
    return build_receipt(chain, claims=[chain.state.claim("trace", ABSENT_KEY)], witnesses=lines)


def policy(minimum: int, *names: str) -> dict[str, Any]:
    return {"keys": [vkey(name) for name in names], "min": minimum}


Row = tuple[str, Chain, dict[str, Any], bytes, list[tuple[str, int]]]


def good() -> list[Row]:
    text, bls = text_of(ED), text_of(BLS)
    state = text_of(ED, root=log_root(ED.other_leaves()))
    two_of_three = policy(2, *NAMES)
    north, east, third = (line(name, text) for name in NAMES)
    noise = ["", "not a line", "\u2014 ", "\u2014 witness.example/north", "\u2014 witness.example/north ====", "- a b"]
    later = line(NORTH, text, time=TIME + 60)
    return [
        ("two-of-three", ED, two_of_three, receipt(ED, [north, east]), [(NORTH, TIME), (EAST, TIME)]),
        ("three-of-three", ED, policy(3, *NAMES), receipt(ED, [third, east, north]), [(n, TIME) for n in NAMES]),
        ("one-of-one", ED, policy(1, EAST), receipt(ED, [east]), [(EAST, TIME)]),
        ("beside-an-unknown-witness", ED, policy(1, EAST), receipt(ED, [line(UNKNOWN, text), east]), [(EAST, TIME)]),
        ("beside-malformed-lines", ED, policy(1, NORTH), receipt(ED, [*noise, north]), [(NORTH, TIME)]),
        (
            "beside-a-wrong-line-of-its-own",
            ED,
            policy(1, NORTH),
            receipt(ED, [line(NORTH, text, edits={"signature": flip}), north]),
            [(NORTH, TIME)],
        ),
        ("two-times-the-later-counts", ED, policy(1, NORTH), receipt(ED, [later, north]), [(NORTH, TIME + 60)]),
        ("earliest-time", ED, policy(1, NORTH), receipt(ED, [line(NORTH, text, time=1)]), [(NORTH, 1)]),
        (
            "latest-time",
            ED,
            policy(1, NORTH),
            receipt(ED, [line(NORTH, text, time=2**63 - 1)]),
            [(NORTH, 2**63 - 1)],
        ),
        ("64-lines", ED, policy(1, NORTH), receipt(ED, [line(UNKNOWN, text)] * 63 + [north]), [(NORTH, TIME)]),
        ("state-claim", ED, policy(1, NORTH), state_receipt(ED, [line(NORTH, state)]), [(NORTH, TIME)]),
        (
            "network-of-several-validators",
            BLS,
            two_of_three,
            receipt(BLS, [line(NORTH, bls), line(THIRD, bls)]),
            [(NORTH, TIME), (THIRD, TIME)],
        ),
    ]  # fmt: skip


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def bad() -> list[tuple[str, Chain, dict[str, Any], bytes, int]]:
    text = text_of(ED)
    one = policy(1, NORTH)
    two = policy(2, *NAMES)
    note_signature = KEYS[NORTH].ed.sign(text.encode())
    other_root = log_root(ED.other_leaves())

    def lonely(name: str, **options: Any) -> tuple[str, Chain, dict[str, Any], bytes, int]:
        return name, ED, one, receipt(ED, [line(NORTH, options.pop("text", text), **options)]), 15

    def raw(name: str, data: bytes) -> tuple[str, Chain, dict[str, Any], bytes, int]:
        return lonely(name, edits={"bytes": lambda _: data})

    own_id = key_id(NORTH, 4, KEYS[NORTH].ed_public)
    good_line = line(NORTH, text)
    return [
        ("none", ED, one, receipt(ED, None), 15),
        ("one-of-two", ED, two, receipt(ED, [good_line]), 15),
        ("the-same-witness-twice", ED, two, receipt(ED, [good_line, good_line]), 15),
        ("the-same-witness-at-two-times", ED, two, receipt(ED, [good_line, line(NORTH, text, time=TIME + 1)]), 15),
        ("an-unknown-witness", ED, one, receipt(ED, [line(UNKNOWN, text)]), 15),
        ("an-unknown-witness-beside-one-of-two", ED, two, receipt(ED, [good_line, line(UNKNOWN, text)]), 15),
        lonely("signed-by-another-key", key=KEYS[EAST]),
        lonely("signature-flipped", edits={"signature": flip}),
        lonely("signature-of-63-bytes", edits={"signature": lambda s: s[:-1]}),
        lonely("signature-of-65-bytes", edits={"signature": lambda s: s + b"\x00"}),
        lonely("of-another-origin", text=text_of(ED, origin="stele/" + "00" * 32)),
        lonely("of-a-network-with-the-same-key", text=text_of(TWIN)),
        lonely("of-an-origin-in-capitals", text=text_of(ED, origin="stele/" + ED.network.hex().upper())),
        lonely("of-a-smaller-tree", text=text_of(ED, size=7)),
        lonely("of-a-larger-tree", text=text_of(ED, size=9)),
        lonely("of-a-tree-size-with-a-leading-zero", text=text.replace("\n8\n", "\n08\n")),
        lonely("of-another-root", text=text_of(ED, root=other_root)),
        lonely("of-a-text-with-an-extension-line", text=text + "more\n"),
        lonely("of-a-text-without-its-last-newline", text=text[:-1]),
        lonely("time-changed", edits={"bytes": lambda b: b[:11] + flip(b[11:])}),
        lonely("time-zero", time=0),
        lonely("time-beyond-63-bits", time=2**63),
        lonely("header-of-another-version", edits={"message": lambda m: m.replace(b"/v1", b"/v2")}),
        lonely("message-without-its-header", edits={"message": lambda m: m.split(b"\n", 1)[1]}),
        raw("a-note-signature-instead", own_id + note_signature),
        raw("a-note-signature-under-its-own-id", key_id(NORTH, 1, KEYS[NORTH].ed_public) + note_signature),
        lonely("under-the-id-of-a-note-key", kind=1),
        lonely("under-the-id-of-an-ml-dsa-cosignature", kind=6),
        raw("no-signature", own_id),
        raw("no-bytes", b""),
        ("under-the-name-of-another-witness", ED, policy(1, EAST), receipt(ED, [good_line.replace(NORTH, EAST)]), 15),
        lonely("name-in-capitals", edits={"line": lambda t: t.replace("north", "NORTH")}),
        lonely("hyphen-instead-of-a-dash", edits={"line": lambda t: t.replace("\u2014", "-")}),
        lonely("without-its-start", edits={"line": lambda t: t[2:]}),
        lonely("with-a-newline", edits={"line": lambda t: t + "\n"}),
        lonely("with-two-spaces", edits={"line": lambda t: t.replace(NORTH + " ", NORTH + "  ")}),
        lonely("with-a-space-at-its-end", edits={"line": lambda t: t + " "}),
        lonely("base64-of-urls", edits={"line": url_alphabet}),
        lonely("base64-without-padding", edits={"line": lambda t: t.rstrip("=")}),
        lonely("base64-with-bits-left-over", edits={"line": spoil_padding}),
        lonely("base64-with-a-line-break", edits={"line": lambda t: t[:60] + "\n" + t[60:]}),
        ("two-lines-in-one", ED, two, receipt(ED, [good_line + "\n" + line(EAST, text)]), 15),
        ("state-claim-of-another-root", ED, one, state_receipt(ED, [good_line]), 15),
        ("network-of-several-validators", BLS, one, receipt(BLS, [good_line]), 15),
        ("state-before-witnesses", ED, one, build_receipt(ED, claims=[["trace", b"x", b"y", [0, b"", b"", 1]]]), 14),
    ]  # fmt: skip


def url_alphabet(text: str) -> str:
    start, encoded = text.rsplit(" ", 1)
    changed = encoded.replace("+", "-").replace("/", "_")
    assert changed != encoded
    return f"{start} {changed}"


def spoil_padding(text: str) -> str:
    """76 bytes end in a group of one byte, whose second digit has four unused bits."""
    assert text.endswith("==")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = digits.index(text[-3])
    return text[:-3] + digits[at | 1] + "=="


def unusable() -> list[dict[str, Any]]:
    north = vkey(NORTH)
    name, identifier, encoded = north.split("+", 2)
    identity, no_point = b"\x01" + bytes(31), b"\x02" + bytes(31)
    renamed = vkey("elsewhere.example", public=KEYS[NORTH].ed_public)
    rows: dict[str, tuple[list[str], int]] = {
        "no key": ([], 1),
        "65 keys": ([vkey(f"w{i}", public=Key("Ed25519", f"w{i}").ed_public) for i in range(65)], 1),
        "none of one": ([north], 0),
        "two of one": ([north], 2),
        "the same key twice": ([north, north], 1),
        "the same key under another name": ([north, renamed], 1),
        "a note key (0x01)": ([vkey(NORTH, kind=1)], 1),
        "an ML-DSA-44 key (0x06)": ([vkey(NORTH, kind=6, public=bytes(1312))], 1),
        "31 bytes of key": ([vkey(NORTH, public=KEYS[NORTH].ed_public[:31])], 1),
        "33 bytes of key": ([vkey(NORTH, public=KEYS[NORTH].ed_public + b"\x00")], 1),
        "no point of the curve": ([vkey(NORTH, public=no_point)], 1),
        "a point that anybody signs for": ([vkey(NORTH, public=identity)], 1),
        "an id of another key": ([f"{name}+00000000+{encoded}"], 1),
        "an id in capitals": ([f"{name}+{identifier.upper()}+{encoded}"], 1),
        "no id": ([f"{name}+{encoded}"], 1),
        "no name": ([vkey("", public=KEYS[NORTH].ed_public)], 1),
        "a space in the name": ([vkey("witness example", public=KEYS[NORTH].ed_public)], 1),
        "a no-break space in the name": ([vkey("witness\u00a0example", public=KEYS[NORTH].ed_public)], 1),
        "base64 cut": ([north[:-1]], 1),
        "base64 with too much padding": ([north + "===="], 1),
        "text alone": (["witness.example"], 1),
        "nothing": ([""], 1),
    }
    assert identifier.upper() != identifier
    return [{"name": row, "policy": {"keys": keys, "min": low}} for row, (keys, low) in rows.items()]
