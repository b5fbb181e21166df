"""Cosignatures that other implementations made: `interop/tlog` of the shared test data (SOURCES.md there)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from stele_verify import WitnessPolicy

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / os.environ.get("STELE_DATA", "../shared/data")
SUNLIGHT = DATA / "interop/tlog/sunlight/cmd/skylight/testdata"
ROME = "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706"


def key(file: str) -> str:
    return str(json.loads((SUNLIGHT / file).read_text())["verifier_keys"][0])


def note(folder: str) -> tuple[str, list[str]]:
    text, lines = (SUNLIGHT / folder / "checkpoint").read_text(encoding="utf-8").rsplit("\n\n", 1)
    return text + "\n", lines.splitlines()


def test_sunlight_witnesses_and_the_split_view_between_them() -> None:
    witness, mirror = key("witness/witness.v0.json"), key("witness/mirror/mirror.v0.json")
    policy = WitnessPolicy([witness, mirror, key("witness2/witness.v0.json")], 1)
    (seen, by_witness), (mirrored, by_mirror) = note(f"witness/{ROME}"), note(f"witness/mirror/{ROME}")
    assert [by.name for by in policy.cosigners(seen, by_witness)] == [witness.split("+")[0]]
    assert [by.name for by in policy.cosigners(mirrored, by_mirror)] == [mirror.split("+")[0]]
    # One origin, one size, two roots: neither cosignature is of the other.
    assert seen.splitlines()[:2] == mirrored.splitlines()[:2] and seen != mirrored
    assert policy.cosigners(seen, by_mirror) == policy.cosigners(mirrored, by_witness) == ()
    changed = seen.replace("\n300\n", "\n301\n")
    assert changed != seen and policy.cosigners(changed, by_witness) == ()
