"""schemathesis against the node's own OpenAPI document: no 5xx, and answers as documented.

The number of examples is bounded and their choice fixed, so that a failure comes again.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from conftest import Node
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES_PER_OPERATION = 12
#: Event streams do not end, so a client that waits for the end of an answer cannot read them.
STREAMS = r"/watch"


@pytest.fixture(scope="session")
def api(node: Node) -> Any:
    return schemathesis.openapi.from_url(f"{node.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api").exclude(path_regex=STREAMS)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES_PER_OPERATION,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_operation(case: Any, node: Node) -> None:
    """Called by the operator, whose token opens all operations."""
    answer = case.call(headers={"Authorization": f"Bearer {node.token}"}, timeout=30)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    case.validate_response(answer, checks=checks)


def test_every_operation_is_documented_with_its_refusal(node: Node) -> None:
    """Each documented operation that takes a parameter or a body names at least one 4xx answer."""
    document = node.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    operations = [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "delete", "patch")
    ]
    assert len(operations) > 20
    silent = [
        f"{method.upper()} {path}"
        for method, path, operation in operations
        if (operation.get("parameters") or operation.get("requestBody"))
        and not any(status.startswith("4") for status in operation["responses"])
    ]
    assert silent == []


def test_the_node_outlives_the_examples(node: Node) -> None:
    assert node.get("/health").status_code == 200
