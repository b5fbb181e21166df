"""`python -m stele_verify FILE --network network.json [--witness VKEY ...]`: verify one receipt offline.
With `--credential FILE --key JWK [--scope SCOPE]`, FILE is a proof of issuance of that credential.

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
from .credential import CredentialError, key_of_jwk, read_signed
from .issuance import Compromise, IssuanceError, Issued, verify_issuance
from .network import Network, NetworkError
from .receipt import MAX_RECEIPT_BYTES, Moment, Verified, VerifyError, verify
from .suites import CoseKeyError, PublicKey, UnsupportedSuite, did_of
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
    "trust.proof-malformed": "ask the holder for the proof that came with the credential",
    "trust.receipt": "give the descriptor of the network that the proof is of with --network",
    "trust.not-committed": "ask the holder for the proof that belongs to this credential",
    "trust.outside-scope": "ask for a credential of an issuer that is accredited for this field",
    "jose.malformed": "--credential is an SD-JWT; proofs of other credentials are checked in code",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="stele_verify", description="Verify a Stele receipt, or a proof of issuance, offline."
    )
    parser.add_argument("file", metavar="FILE", help="the receipt or the proof; - reads standard input")
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
    parser.add_argument(
        "--credential", metavar="SD-JWT", help="FILE is a proof of issuance of the SD-JWT in this file"
    )
    parser.add_argument(
        "--key", metavar="JWK", help="the issuer's public key, a file with a JWK; with --credential"
    )
    parser.add_argument(
        "--scope",
        help="the field that the issuer must be accredited in, as XX/universities; with --credential",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    try:
        network = Network.load(options.network)
    except (NetworkError, OSError) as error:
        return unusable(f"network descriptor {options.network}: {error}")
    except UnsupportedSuite as error:
        return unusable(f"network descriptor {options.network}: {error}", "use a verifier with this suite")
    if options.credential is not None:
        return check_issuance(options, network)
    if options.key is not None or options.scope is not None:
        return unusable("--key and --scope need --credential")
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


def check_issuance(options: argparse.Namespace, network: Network) -> int:
    if options.key is None:
        return unusable("--credential needs --key")
    if options.witness or options.witnesses_min is not None:
        return unusable("--witness does not go with --credential", "--witness is for receipts")
    try:
        key = read_key(options.key)
        text = read(options.credential).decode("utf-8", "replace")
        proof = read(options.file)
        credential = read_signed(text, key)
        issued = verify_issuance(
            proof,
            credential.signed,
            key,
            network,
            issuer=credential.issuer,
            credential_type=credential.type,
            scope=options.scope,
        )
    except OSError as error:
        return unusable(str(error))
    except CoseKeyError as error:
        return unusable(
            f"the key cannot be used: {error.detail}", "--key is a public JWK of Ed25519 or P-256"
        )
    except UnsupportedSuite as error:
        return unusable(str(error), "use a verifier with this suite; --key is a JWK of Ed25519 or P-256")
    except (CredentialError, IssuanceError) as error:
        report_refused(error, options.format)
        return EXIT_INVALID
    print(json.dumps(issuance_json(issued), indent=2) if options.format == "json" else issuance_text(issued))
    return EXIT_VALID


def read_key(file: str) -> PublicKey:
    try:
        return key_of_jwk(json.loads(read(file)))
    except (ValueError, RecursionError) as error:
        raise CoseKeyError("malformed", f"not JSON: {error}") from None


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


def report_refused(error: CredentialError | IssuanceError, form: str) -> None:
    hint = HINTS.get(error.code, "do not accept it; ask the issuer")
    sentence = error.sentence if isinstance(error, IssuanceError) else error.detail
    if form == "json":
        failure = {"valid": False, "code": error.code, "sentence": sentence, "detail": error.detail}
        print(json.dumps({**failure, "hint": hint}, indent=2))
    else:
        print(f"INVALID  {error.code}: {sentence}")
        print(f"hint: {hint}", file=sys.stderr)


def issuance_json(issued: Issued) -> dict[str, Any]:
    """What a proof of issuance shows, in the shape of vectors/README.md."""
    record, report = issued.record, issued.key_report
    told: dict[str, Any] | None = None
    if isinstance(report, Moment):
        told = {"reported": False, "height": report.height, "time_ms": report.time_ms}
    elif isinstance(report, Compromise):
        told = {
            "reported": True,
            "since_ms": report.since_ms,
            "height": report.height,
            "by": did_of(report.by),
        }
    return {
        "valid": True,
        "network": {"name": issued.network.name, "network_id": issued.network.network_id.hex()},
        "issuer": issued.issuer_did,
        "root": issued.root.hex(),
        "index": issued.index,
        "entry": record.entry.hex(),
        "height": record.height,
        "time_ms": record.time_ms,
        "kid": record.kid.hex(),
        "type": record.type,
        "scope": record.scope,
        "count": record.count,
        "schema": record.schema.hex() if record.schema else None,
        "chain": [link.hex() for link in record.chain],
        "key_report": told,
    }


def issuance_text(issued: Issued) -> str:
    record, report = issued.record, issued.key_report
    if isinstance(report, Moment):
        told = f"none as of {_moment(report)}"
    elif isinstance(report, Compromise):
        since = _moment(Moment(report.height, report.since_ms))
        told = f"doubtful later than this issuance: {since}, reported by {did_of(report.by)}"
    else:
        told = "not asked"
    return "\n".join(
        [
            f"VALID  {clean(issued.network.name)}",
            f"issuer {issued.issuer_did} with key {record.kid.hex()}",
            f"type   {clean(record.type)}",
            f"scope  {'none' if record.scope is None else clean(record.scope)}",
            f"when   {_moment(Moment(record.height, record.time_ms))}",
            f"       entry {record.entry.hex()}, place {issued.index} of {record.count}",
            *(f"       accredited by {link.hex()}" for link in record.chain),
            f"key    reports: {told}",
        ]
    )


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
