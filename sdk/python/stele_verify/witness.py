"""Outside witnesses (`docs/format.md` section 9): who cosigned the checkpoint of a receipt's log.

Formats: C2SP signed-note (lines and verifier keys), tlog-checkpoint (the text), tlog-cosignature
(`cosignature/v1`, Ed25519, type 0x04).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import ed25519
from .suites import verify_ed25519

TYPE_COSIGNATURE = 0x04
MAX_KEYS = 64
#: Unicode white space, control characters and `+` are in no name.
NOT_IN_A_NAME = re.compile("[\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]")
LINE_START = "\u2014 "


class PolicyError(Exception):
    """A witness key or a policy that cannot be used."""


@dataclass(frozen=True)
class WitnessKey:
    """A C2SP verifier key `name+id+base64` of a witness."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> WitnessKey:
        """Raises `PolicyError`."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise PolicyError(f"{text!r} is not name+id+key")
        name, key_id, encoded = parts
        material = _base64(encoded)
        if not name or NOT_IN_A_NAME.search(name) or not material:
            raise PolicyError(f"{text!r} is not name+id+key")
        if material[0] != TYPE_COSIGNATURE:
            raise PolicyError(f"the key of {name} is of type {material[0]:#04x}, not 0x04 (cosignatures)")
        key = cls(name, material[1:])
        if len(key.public) != 32 or key.key_id.hex() != key_id:
            raise PolicyError(f"{text!r}: the id does not belong to the key")
        point = ed25519.decompress(key.public)
        if point is None or ed25519.is_identity(ed25519.multiply(8, point)):
            raise PolicyError(f"the key of {name} is no usable Ed25519 key")
        return key

    @property
    def key_id(self) -> bytes:
        of = self.name.encode() + b"\n" + bytes([TYPE_COSIGNATURE]) + self.public
        return hashlib.sha256(of).digest()[:4]

    def cosigned_at(self, checkpoint: str, line: str) -> int | None:
        """When this witness cosigned, in seconds since 1970; None when the line is no cosignature of it."""
        start = f"{LINE_START}{self.name} "
        if not line.startswith(start):
            return None
        signature = _base64(line[len(start) :])
        if signature is None or len(signature) != 4 + 8 + 64 or signature[:4] != self.key_id:
            return None
        time = int.from_bytes(signature[4:12], "big")
        if not 0 < time < 1 << 63:
            return None
        message = f"cosignature/v1\ntime {time}\n{checkpoint}".encode()
        return time if verify_ed25519(self.public, message, signature[12:]) else None


@dataclass(frozen=True)
class Cosigned:
    """A witness of the policy that cosigned, and when: seconds since 1970."""

    name: str
    time: int


class WitnessPolicy:
    """`minimum` of these witnesses must have cosigned; all of them by default."""

    def __init__(self, keys: Sequence[str], minimum: int | None = None) -> None:
        """Takes verifier keys as text. Raises `PolicyError`."""
        self.keys = tuple(map(WitnessKey.parse, keys))
        self.minimum = len(self.keys) if minimum is None else minimum
        if not 1 <= len(self.keys) <= MAX_KEYS:
            raise PolicyError(f"a policy names 1 to {MAX_KEYS} witnesses, not {len(self.keys)}")
        if not 1 <= self.minimum <= len(self.keys):
            raise PolicyError(f"{self.minimum} of {len(self.keys)} witnesses is no policy")
        if len({key.public for key in self.keys}) != len(self.keys):
            raise PolicyError("two witnesses have the same key; a witness counts once")

    def cosigners(self, checkpoint: str, lines: Iterable[str]) -> tuple[Cosigned, ...]:
        """Who cosigned, in the policy's order. All other lines count for nothing and spoil nothing."""
        lines = tuple(lines)
        found = []
        for key in self.keys:
            times = [time for line in lines if (time := key.cosigned_at(checkpoint, line)) is not None]
            if times:
                found.append(Cosigned(key.name, max(times)))
        return tuple(found)


def checkpoint_text(network_id: bytes, tree_size: int, log_root: bytes) -> str:
    """The text that the log signs and witnesses cosign."""
    return f"stele/{network_id.hex()}\n{tree_size}\n{base64.b64encode(log_root).decode()}\n"


def _base64(text: str) -> bytes | None:
    """RFC 4648 section 4, one text for each byte string."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
