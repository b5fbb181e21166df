"""schemathesis against the node's own OpenAPI document: no 5xx, and answers as documented.

The number of examples is bounded and their choice fixed, so that a failure comes again.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from conftest import Node
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)



@schemathesis.serializer("application/cose")
def write_cose(_context: Any, value: Any) -> Any:
    """Bytes as they are: schemathesis makes random ones, which the node must refuse in good order."""
    return value


EXAMPLES_PER_OPERATION = 12
#: Event streams do not end, so a client that waits for the end of an answer cannot read them.
STREAMS = r"/watch"


@pytest.fixture(scope="session")
def api(node: Node) -> Any:
    return schemathesis.openapi.from_url(f"{node.url}/openapi.json")


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=EXAMPLES_PER_OPERATION,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_operations(api: Any, node: Node, subtests: pytest.Subtests) -> None:
    """Each operation, called by the operator, whose token opens all of them.

    Driven by the strategies themselves: the pytest loader of schemathesis 4.32 reaches into an
    attribute that pytest 9.2 no longer has.
    """
    called = 0
    for found in api.exclude(path_regex=STREAMS).get_all_operations():
        operation = found.ok()
        called += 1
        with subtests.test(f"{operation.method.upper()} {operation.path}"):
            call_with_examples(operation, node)
    assert called > 20


def call_with_examples(operation: Any, node: Node) -> None:
    @BOUNDED
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {node.token}"}, timeout=30)
        case.validate_response(answer, checks=CHECKS)

    check()


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
