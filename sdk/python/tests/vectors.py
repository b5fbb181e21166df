"""Read the published vectors. A missing file is an error, never a skipped test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "vectors"


def table(name: str) -> list[dict[str, Any]]:
    rows = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(rows, list) and rows, f"{name} holds no vectors"
    return rows


def payload(row: dict[str, Any]) -> bytes:
    """The bytes of a row: from its file, its hex, or its parts."""
    if "file" in row:
        return (FOLDER / row["file"]).read_bytes()
    if "hex" in row:
        return bytes.fromhex(row["hex"])
    return b"".join(
        bytes.fromhex(p["hex"]) if "hex" in p else bytes.fromhex(p["repeat"]) * p["times"]
        for p in row["parts"]
    )


def name_of(row: dict[str, Any]) -> str:
    return str(row["name"])
