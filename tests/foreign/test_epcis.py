"""Verdicts on EPCIS documents by PyPI jsonschema with GS1's schema, against stele-epcis's.

Both judge GS1's example documents and systematic mutations of them: each member removed, each value replaced by values of
other types and forms, lists emptied and doubled, unknown members added, event types swapped. By default a sample of a few
hundred; `STELE_EPCIS_MUTATIONS=all` judges every one. Formats are asserted: `uri` by rfc3986-validator, `date-time` by
rfc3339-validator. The deliberate differences are tests of their own (docs/epcis.md lists them).
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("STELE_DATA", ROOT.parent / "shared" / "data")) / "formats" / "epcis"
SAMPLE_PER_DOCUMENT = 40
BUILD_SECONDS_MAX = 1800


def example(name: str) -> Path:
    """The path of a built example of stele-epcis."""
    command = ["cargo", "build", "-q", "-p", "stele-epcis", "--example", name, "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=BUILD_SECONDS_MAX, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    pytest.fail(f"cargo built no example {name}")


@pytest.fixture(scope="session")
def validator() -> Path:
    return example("epcis_validate")


@pytest.fixture(scope="session")
def documents() -> dict[str, Any]:
    found = {path.name: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.jsonld"))}
    if not found:
        pytest.fail(f"no EPCIS documents in {FOLDER}: set STELE_DATA to the data sets of the scenarios")
    return found


@pytest.fixture(scope="session")
def oracle() -> Draft7Validator:
    schema = json.loads((FOLDER / "schema" / "EPCIS-JSON-Schema.json").read_bytes())
    checker = Draft7Validator.FORMAT_CHECKER
    missing = {"uri", "date-time"} - set(checker.checkers)
    assert not missing, f"jsonschema cannot assert {missing}: rfc3986-validator and rfc3339-validator are not installed"
    return Draft7Validator(schema, format_checker=checker)


def our_verdicts(validator: Path, values: list[Any], *arguments: str) -> list[str]:
    """`valid ...` or `invalid ...` for each value."""
    lines = "".join(json.dumps(value) + "\n" for value in values)
    judged = subprocess.run([validator, *arguments], input=lines.encode(), capture_output=True, timeout=300, check=True)
    verdicts = judged.stdout.decode().splitlines()
    assert len(verdicts) == len(values)
    return verdicts


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside, the whole included."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*path, index))


REPLACEMENTS: list[Any] = [
    None, True, 0, -1.5, "", "word", "two words", "ext1:name", "https://example.org/a", "urn:epc:id:sgtin:9999999.000001.1",
    "urn:epcglobal:cbv:bizstep:shipping", "https://ns.gs1.org/cbv/BizStep-shipping", "https://gs1.org/voc/Temperature",
    "2024-02-30T00:00:00Z", "2024-02-29T23:59:59.5+14:00", "+14:00", "+14:01", "-09:60", "KG", "kgm", "2.0.1", "2.", "0aF", "xyz",
    "OBSERVE", "ADD", "DELETE", "shipping", "in_transit", "Temperature", "ALARM_CONDITION", "po", "location", "latitude",
    "did_not_occur", "http://[::1]/", "http://[zz]/", "a:%zz", "a:%20", [], {}, [""], ["https://example.org/a"], [{}],
    {"id": "https://example.org/a"}, {"id": "no uri"}, [1, 1.0], [["x"]],
]  # fmt: skip
TYPES = ["ObjectEvent", "AggregationEvent", "AssociationEvent", "TransactionEvent", "TransformationEvent", "ext1:Own", "Own"]


def mutations(document: Any) -> Iterator[Any]:
    """Documents that differ from this one in one place."""

    def changed(path: tuple[Any, ...], change: Any) -> Any:
        copied = copy.deepcopy(document)
        if not path:
            return change(copied)
        parent = copied
        for step in path[:-1]:
            parent = parent[step]
        if change is None:
            del parent[path[-1]]
        else:
            parent[path[-1]] = change(parent[path[-1]])
        return copied

    for path in places(document):
        value = document
        for step in path:
            value = value[step]
        if path:
            yield changed(path, None)
        for replacement in REPLACEMENTS:
            yield changed(path, lambda _, new=replacement: copy.deepcopy(new))
        if path and path[-1] == "type":
            for name in TYPES:
                yield changed(path, lambda _, new=name: new)
        if isinstance(value, list) and value:
            yield changed(path, lambda items: [*items, copy.deepcopy(items[0])])
        if isinstance(value, dict):
            for name in ("bogus", "ext9:more", "ilmd", "persistentDisposition", "transformationID", "parentID", "@context"):
                yield changed(path, lambda members, new=name: {**members, new: "https://example.org/x"})
            yield changed(path, lambda members: {**members, "quantityList": []})
            yield changed(path, lambda members: {**members, "ilmd": {"ext1:a": 1}})
        if isinstance(value, str):
            yield changed(path, lambda text: text + " ")
            yield changed(path, lambda text: text.upper())


def whole_forms(documents: dict[str, Any]) -> Iterator[Any]:
    """The documents, each event alone with and without its context, and each document's events as a query's result."""
    for document in documents.values():
        yield document
        events = document["epcisBody"]["eventList"]
        for event in events:
            yield event
            yield {**event, "@context": document["@context"]}
        results = {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": events}}
        for body in ({"queryResults": results}, {"queryResults": {**results, "ext1:x": 1}}, {"queryResults": {}}, {}):
            yield {
                "@context": document["@context"],
                "type": "EPCISQueryDocument",
                "schemaVersion": "2.0",
                "creationDate": "2024-01-01T00:00:00Z",
                "epcisBody": body,
            }


def differences(validator: Path, oracle: Draft7Validator, values: list[Any]) -> list[str]:
    found = []
    for value, verdict in zip(values, our_verdicts(validator, values), strict=True):
        if oracle.is_valid(value) != verdict.startswith("valid "):
            errors = [f"{list(error.path)} {error.message[:150]}" for error in oracle.iter_errors(value)]
            found.append(f"ours: {verdict[:300]}\nschema: {errors[:3]}\n{json.dumps(value)[:600]}")
    return found


def test_documents_and_their_forms(validator: Path, oracle: Draft7Validator, documents: dict[str, Any]) -> None:
    for name, verdict in zip(documents, our_verdicts(validator, list(documents.values())), strict=True):
        assert verdict == "valid Document", name
    values = list(whole_forms(documents))
    assert not differences(validator, oracle, values)


def test_mutations(validator: Path, oracle: Draft7Validator, documents: dict[str, Any]) -> None:
    everything = os.environ.get("STELE_EPCIS_MUTATIONS") == "all"
    values = []
    for name, document in documents.items():
        mutated = list(mutations(document))
        values += mutated if everything else random.Random(name).sample(mutated, SAMPLE_PER_DOCUMENT)
    accepted = sum(oracle.is_valid(value) for value in values)
    assert 0.02 < accepted / len(values) < 0.98, "the mutations are of both kinds"
    found = differences(validator, oracle, values)
    print(f"\n{len(values)} mutations, {accepted} valid by the schema, {len(found)} judged otherwise by stele-epcis")
    assert not found, "\n\n".join(found[:5])


# A text or document that the two judge differently on purpose, and what the schema says. docs/epcis.md gives the reasons.
@pytest.mark.parametrize(
    ("path", "value"),
    [
        # Python's $ matches before a final line feed.
        (("epcisBody", "eventList", 0, "eventTimeZoneOffset"), "+02:00\n"),
        (("schemaVersion",), "2.0\n"),
        (("creationDate",), "2024-01-01T00:00:00Z\n"),
        # Python's \d matches every script's digits.
        (("schemaVersion",), "٢.٠"),
    ],
)
def test_deliberate_differences(
    validator: Path, oracle: Draft7Validator, documents: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    document = copy.deepcopy(documents["Example_9.6.1-ObjectEvent.jsonld"])
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    assert oracle.is_valid(document)
    assert our_verdicts(validator, [document])[0].startswith("invalid ")


@pytest.mark.parametrize("text", ['{"type":"x","type":"x"}', "NaN", "[" * 40 + "]" * 40, '{"a":1', "\ufeff{}"])
def test_texts_that_are_refused_before_the_schema(validator: Path, text: str) -> None:
    judged = subprocess.run([validator], input=(text + "\n").encode(), capture_output=True, timeout=60, check=True)
    assert judged.stdout.decode().startswith("invalid ")


def test_generated_documents_and_answers(validator: Path, oracle: Draft7Validator) -> None:
    """Fictional documents, and what a repository answers after capturing them, by the schema and in the strict profile."""
    generate = example("epcis_generate")
    for seed in ("1", "2026"):
        made = subprocess.run([generate, seed, "--answers"], capture_output=True, timeout=120, check=True)
        values = [json.loads(line) for line in made.stdout.splitlines()]
        assert [value["type"] for value in values] == ["EPCISDocument"] * 9 + ["EPCISQueryDocument"] * 4
        for value in values:
            assert not list(oracle.iter_errors(value)), value["type"]
        assert all(verdict.startswith("valid ") for verdict in our_verdicts(validator, values, "--strict"))
