"""`python -m stele_verify FILE --network network.json [--witness VKEY ...]`: verify one receipt offline.

Exit status: 0 valid, 1 invalid, 2 unusable input (no such file, a network descriptor or witness key that
is not one, or a network whose suite this verifier does not have). The answer goes to stdout, all else to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from .block import Applied, Refused
from .cbor import Map, Value
from .cbor import encode as encode_cbor
from .network import Network, NetworkError
from .receipt import MAX_RECEIPT_BYTES, Moment, Verified, VerifyError, verify
from .suites import UnsupportedSuite
from .witness import PolicyError, WitnessPolicy

EXIT_VALID, EXIT_INVALID, EXIT_UNUSABLE = 0, 1, 2

HINTS = {
    "too-large": "a receipt has at most 2 MiB; is this the right file?",
    "malformed": "the file is damaged or not a Stele receipt",
    "not-canonical": "the file was encoded again by another tool; use the original bytes",
    "unsupported-version": "a newer version of this verifier may know the format",
    "no-claim": "ask for the receipt of an entry or of a state value",
    "wrong-network": "give the descriptor of the network that issued the receipt with --network",
    "wrong-key": "give the descriptor of the network that issued the receipt with --network",
    "entry-mismatch": "the entry in the file is not the one that the network recorded",
    "events-mismatch": "the events in the file are not those that the network recorded",
    "not-witnessed": "fetch the receipt again in a moment: a newer one may carry more cosignatures",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stele_verify", description="Verify a Stele receipt offline.")
    parser.add_argument("file", metavar="FILE", help="the receipt; - reads standard input")
    parser.add_argument("--network", required=True, metavar="JSON", help="the network descriptor to trust")
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="the key of a witness to trust (name+id+base64); may be repeated",
    )
    parser.add_argument(
        "--witnesses-min", type=int, metavar="N", help="how many of them must have cosigned [default: all]"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    try:
        network = Network.load(options.network)
    except (NetworkError, OSError) as error:
        return unusable(f"network descriptor {options.network}: {error}")
    except UnsupportedSuite as error:
        return unusable(f"network descriptor {options.network}: {error}", "use a verifier with this suite")
    if options.witnesses_min is not None and not options.witness:
        return unusable("--witnesses-min needs --witness")
    try:
        policy = WitnessPolicy(options.witness, options.witnesses_min) if options.witness else None
    except PolicyError as error:
        return unusable(str(error), "a witness publishes its key as name+id+base64")
    try:
        data = read(options.file)
        verified = verify(data, network, policy)
    except OSError as error:
        return unusable(f"receipt {options.file}: {error}")
    except UnsupportedSuite as error:
        return unusable(str(error), "install dilithium-py, or a `cryptography` with OpenSSL 3.5 or later")
    except VerifyError as error:
        report_invalid(error, options.format)
        return EXIT_INVALID
    answer = to_json(verified)
    print(json.dumps(answer, indent=2) if options.format == "json" else to_text(verified))
    return EXIT_VALID


def read(file: str) -> bytes:
    """At most one byte more than a receipt may have, however large the file is."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_RECEIPT_BYTES + 1)
    with open(file, "rb") as stream:
        return stream.read(MAX_RECEIPT_BYTES + 1)


def unusable(message: str, hint: str = "see --help") -> int:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return EXIT_UNUSABLE


def report_invalid(error: VerifyError, form: str) -> None:
    hint = HINTS.get(error.code, "do not rely on what this file says")
    if form == "json":
        failure = {"valid": False, "code": error.code, "step": error.step, "detail": error.detail}
        print(json.dumps({**failure, "hint": hint}, indent=2))
    else:
        print(f"INVALID  {error.code} (step {error.step}): {error.detail}")
        print(f"hint: {hint}", file=sys.stderr)


def to_json(verified: Verified) -> dict[str, Any]:
    """The answer as JSON: ids, keys and values in hex, bodies as JSON and as hex of their CBOR."""
    what, record = verified.what, verified.when.record
    judged = {} if verified.cosigned is None else {"witnessed": [vars(by) for by in verified.cosigned]}
    return {
        "valid": True,
        "network": {"name": verified.network.name, "network_id": verified.network.network_id.hex()},
        "who": verified.who
        and {
            "party": verified.who.did,
            "party_id": verified.who.party_id.hex(),
            "kid": verified.who.kid.hex() if verified.who.kid else None,
        },
        "what": {
            "register": what.register,
            "entry_id": what.entry_id.hex() if what.entry_id else None,
            "outcome": _outcome_json(what.outcome),
            "commands": None
            if what.commands is None
            else [{"register": c.register, "name": c.name, **_body_json(c.body)} for c in what.commands],
            "events": None
            if what.events is None
            else [{"name": e.name, **_body_json(e.body)} for e in what.events],
            "state": [
                {
                    "register": s.register,
                    "key": s.key.hex(),
                    "value": None if s.value is None else s.value.hex(),
                }
                for s in what.state
            ],
        },
        "when": {
            "record": record and {"height": record.height, "time_ms": record.time_ms},
            "certificate": {
                "height": verified.when.certificate.height,
                "time_ms": verified.when.certificate.time_ms,
            },
        },
        "rule": verified.rule,
        "witnesses": list(verified.witnesses),
        **judged,
    }


def _body_json(body: Map) -> dict[str, Any]:
    return {"body": plain(body), "body_hex": encode_cbor(body).hex()}


def _outcome_json(outcome: Applied | Refused | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    if isinstance(outcome, Applied):
        return {"applied": True, "events_hash": outcome.events_hash.hex()}
    return {"applied": False, "command_index": outcome.command_index, "code": outcome.code}


def plain(value: Value) -> Any:
    """CBOR for a reader: byte strings become hex, keys that are not text their JSON text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Map):
        return {k if isinstance(k, str) else json.dumps(plain(k)): plain(v) for k, v in value}
    return value


def to_text(verified: Verified) -> str:
    what, lines = verified.what, [f"VALID  {clean(verified.network.name)}"]
    if verified.who:
        signer = f" with key {verified.who.kid.hex()}" if verified.who.kid else ""
        lines.append(f"who    {verified.who.did}{signer}")
    if what.register is not None:
        outcome = "applied" if isinstance(what.outcome, Applied) else "refused"
        if isinstance(what.outcome, Refused):
            outcome += f" by {clean(what.outcome.code)} at command {what.outcome.command_index}"
        lines.append(f"what   entry {(what.entry_id or b'').hex()} in {what.register}: {outcome}")
    for command in what.commands or ():
        lines.append(
            f"       command {command.register}/{clean(command.name)} {json.dumps(plain(command.body))}"
        )
    for event in what.events or ():
        lines.append(f"       event {clean(event.name)} {json.dumps(plain(event.body))}")
    for item in what.state:
        held = "absent" if item.value is None else item.value.hex() or "empty"
        lines.append(f"       state {item.register} {item.key.hex()} = {held}")
    if verified.when.record:
        lines.append(f"when   {_moment(verified.when.record)}")
    lines.append(f"       certified at {_moment(verified.when.certificate)}")
    if verified.rule:
        lines.append(f"rule   {clean(verified.rule)}")
    if verified.cosigned is None:
        lines += [f"witness (not judged) {json.dumps(line)}" for line in verified.witnesses]
    for by in verified.cosigned or ():
        lines.append(f"witness {clean(by.name)} cosigned at {_seconds(by.time)}")
    return "\n".join(lines)


def clean(text: str) -> str:
    """Text on one line without control characters, so that a name cannot paint another line."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _seconds(time: int) -> str:
    try:
        return datetime.fromtimestamp(time, timezone.utc).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{time} s"


def _moment(moment: Moment) -> str:
    try:
        time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=moment.time_ms)
        return f"height {moment.height}, {time.isoformat(timespec='milliseconds')}"
    except OverflowError:
        return f"height {moment.height}, {moment.time_ms} ms"


if __name__ == "__main__":
    sys.exit(main())
