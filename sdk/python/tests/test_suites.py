"""Where ML-DSA comes from, and what happens without it."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
from build import Key
from vectors import FOLDER

from stele_verify import PublicKey, UnsupportedSuite, suites
from stele_verify.__main__ import main

MESSAGE = b"fictional message"


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes modules look as if they were not installed."""
    real = builtins.__import__

    def apply(*names: str) -> None:
        def fake(name: str, *rest: Any, **options: Any) -> Any:
            if any(name.startswith(hidden) for hidden in names):
                raise ImportError(name)
            return real(name, *rest, **options)

        monkeypatch.setattr(builtins, "__import__", fake)

    return apply


OPENSSL, PURE = "cryptography.hazmat.primitives.asymmetric.mldsa", "dilithium_py"


@pytest.mark.parametrize("hidden", [OPENSSL, PURE])
def test_both_ml_dsa_implementations_agree(hide: Any, hidden: str) -> None:
    key = Key("ML-DSA-65", "two implementations")
    signature = key.sign(MESSAGE)
    hide(hidden)
    assert suites.verify_ml_dsa_65(key.pq_public, MESSAGE, signature)
    for index in (0, 100, 3308):
        wrong = signature[:index] + bytes([signature[index] ^ 1]) + signature[index + 1 :]
        assert not suites.verify_ml_dsa_65(key.pq_public, MESSAGE, wrong)
    for wrong in (b"", signature[:-1], signature + b"\0"):
        assert not suites.verify_ml_dsa_65(key.pq_public, MESSAGE, wrong)


@pytest.mark.parametrize("suite", ["ML-DSA-65", "Ed25519+ML-DSA-65"])
def test_without_ml_dsa_nothing_is_called_invalid(hide: Any, suite: str) -> None:
    key = Key(suite, "no implementation")
    signature = bytes(len(key.sign(MESSAGE)))
    hide(OPENSSL, PURE)
    with pytest.raises(UnsupportedSuite):
        PublicKey.from_cose_key(key.encoded).verify(key.alg, MESSAGE, signature)


def test_without_ml_dsa_the_command_says_unusable(hide: Any, capsys: pytest.CaptureFixture[str]) -> None:
    hide(OPENSSL, PURE)
    network = FOLDER / "network-hybrid.json"
    status = main([str(FOLDER / "receipts/good-network-hybrid.receipt"), "--network", str(network)])
    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    assert "unsupported-suite" in told.err and "hint: " in told.err


def test_control_characters_cannot_paint_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    descriptor = json.loads((FOLDER / "network-ed25519.json").read_text(encoding="utf-8"))
    descriptor["name"] = "x\nrule   forged\x1b[2J"
    network = tmp_path / "network.json"
    network.write_text(json.dumps(descriptor))
    assert main([str(FOLDER / "receipts/good-state-present.receipt"), "--network", str(network)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "VALID  x\\u000arule   forged\\u001b[2J"
