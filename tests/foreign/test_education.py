"""Our diploma supplement against the European Learning Model's own SHACL shapes, by pyshacl."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyshacl import validate
from rdflib import Graph

COURSES = 30


def ask(command: str, question: dict[str, Any]) -> Any:
    program = os.environ.get("STELE_FOREIGN_INTEGRITY")
    if not program or not Path(program).is_file():
        pytest.fail(f"STELE_FOREIGN_INTEGRITY names no program (it is {program!r}); ./test builds it and sets it")
    run = subprocess.run([program, command], input=json.dumps(question), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def shapes() -> Graph:
    data = os.environ.get("STELE_DATA")
    if not data:
        pytest.fail("STELE_DATA names no folder; ./test sets it")
    return Graph().parse(Path(data) / "formats/elm/EDC-generic-no-cv.shacl.ttl")


@pytest.fixture(scope="module")
def contexts() -> dict[str, Any]:
    found = ask("contexts", {})
    assert isinstance(found, dict)
    return found


def graph(document: dict[str, Any], contexts: dict[str, Any]) -> Graph:
    """The document's triples, from the bundled contexts: each name is replaced by what it stands for."""
    inline = [contexts[name]["@context"] for name in document["@context"]]
    return Graph().parse(data=json.dumps({**document, "@context": inline}), format="json-ld")


def conforms(data: Graph, shapes: Graph) -> tuple[bool, str]:
    good, _, report = validate(data, shacl_graph=shapes, inference="none", advanced=True)
    return bool(good), str(report)


def test_the_supplement_conforms_with_all_its_triples(shapes: Graph, contexts: dict[str, Any]) -> None:
    document = ask("elm", {"courses": COURSES})["document"]
    triples = graph(document, contexts)
    # A missing context would leave almost nothing to check, and that would conform.
    assert len(triples) == ask("canonical", {"document": document})["statements"]
    assert len(triples) == 619
    good, report = conforms(triples, shapes)
    assert good, report


@pytest.mark.parametrize("member", ["issued", "credentialProfiles", "displayParameter"])
def test_a_supplement_without_a_required_part_fails(member: str, shapes: Graph, contexts: dict[str, Any]) -> None:
    document = ask("elm", {"courses": 1})["document"]
    del document[member]
    assert not conforms(graph(document, contexts), shapes)[0]


def test_a_credit_without_its_points_fails(shapes: Graph, contexts: dict[str, Any]) -> None:
    document = ask("elm", {"courses": 1})["document"]
    del document["credentialSubject"]["hasClaim"]["hasPart"][0]["specifiedBy"]["creditPoint"]["point"]
    assert not conforms(graph(document, contexts), shapes)[0]
