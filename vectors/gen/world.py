"""The fictional networks, parties and entries that the vectors are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from build import BuiltEntry, Chain, Key, State, build_entry, enc, sha256

GROWER = Key("Ed25519", "Fictional Orchard Cooperative")
CARRIER = Key("ES256", "Fictional Coastline Carriers")
SHOP = Key("Ed25519+ML-DSA-65", "Fictional Corner Shop")
LAB = Key("ML-DSA-65", "Fictional Residue Laboratory")

LOT = b"urn:epc:class:lgtin:9521321.012345.LOT-7"
HOLDER_KEY = b"holder/" + LOT
STATE = State(
    {("trace", HOLDER_KEY): GROWER.party, ("trace", b"recall/none"): b""}
    | {("trace", b"lot/%d" % i): sha256(b"fictional lot %d" % i) for i in range(24)}
    | {("identity", b"party/" + key.party): key.encoded for key in (GROWER, CARRIER)}
)
ABSENT_KEY = b"recall/" + LOT

ED = Chain("Northwind Harbour (fictional)", Key("Ed25519", "network northwind"), STATE)
#: Another network that is run with the very same key: only the network id tells them apart.
TWIN = Chain("Southwind Harbour (fictional)", ED.key, STATE)
P256 = Chain("Eastwind Harbour (fictional)", Key("ES256", "network eastwind"), STATE)
PQ = Chain("Polar Harbour (fictional)", Key("ML-DSA-65", "network polar"), STATE)
#: A network of several validators: its key is one of BLS12-381.
BLS = Chain("Lagoon Harbour (fictional)", Key("BLS12-381", "network lagoon"), STATE)
HYBRID = Chain("Estuary Harbour (fictional)", Key("Ed25519+ML-DSA-65", "network estuary"), STATE)


class SmallOrderKey(Key):
    """A network key of small order (a hostile operator's): ZIP-215 accepts it, and any message with it."""

    def _cose(self) -> dict[int, Any]:
        return {1: 1, -1: 6, -2: bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")}

    def sign(self, message: bytes) -> bytes:
        # R = identity in a non-canonical encoding (y = p + 1), S = 0
        return bytes.fromhex("ee" + "ff" * 30 + "7f") + bytes(32)


SMALL = Chain("Wreckers' Cove (fictional)", SmallOrderKey("Ed25519", "network wreckers"), STATE)

NETWORKS = {
    "network-ed25519.json": ED,
    "network-ed25519-twin.json": TWIN,
    "network-es256.json": P256,
    "network-ml-dsa-65.json": PQ,
    "network-hybrid.json": HYBRID,
    "network-small-order.json": SMALL,
    "network-bls12-381.json": BLS,
}

COMMIT = ["event.commit", {"kind": "ObjectEvent", "lot": LOT.decode(), "commitment": sha256(b"fictional event 1")}]
HAND_OVER = ["custody.hand-over", {"lot": LOT.decode(), "to": CARRIER.party, "place": "Fictional Quay 3"}]
REGISTER = [
    "party.register",
    {"kind": "organisation", "name": "Fictional Orchard Cooperative", "keys": [GROWER.encoded]},
]
COMMITTED: list[Any] = [["event.committed", {"lot": LOT.decode(), "by": GROWER.party}]]
EVENTS = enc(COMMITTED)
NO_EVENTS = enc([])


def commit_entry(chain: Chain = ED, **options: Any) -> BuiltEntry:
    """The grower commits a supply-chain event."""
    options.setdefault("commands", [COMMIT])
    return build_entry(chain.network, GROWER, **options)


def sized(chain: Chain, tree_size: int, state: State | None = None) -> Chain:
    """The same network at a block with another log size (and state)."""
    return replace(chain, tree_size=tree_size, state=state or chain.state)
