"""One network of four for all scenarios: `well` hands it out with all four running, level and without alarms."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from checker import Checker  # noqa: E402
from network import Load, Network  # noqa: E402
from world import Forbidden, World  # noqa: E402

VALIDATORS = 4


def program(name: str) -> Path:
    path = os.environ.get(name)
    if not path or not Path(path).is_file():
        pytest.fail(f"{name} does not name a program (it is {path!r}); ./test netns builds it and sets it")
    return Path(path)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    try:
        made = World(VALIDATORS)
    except Forbidden as reason:
        pytest.skip(f"network namespaces are not permitted here: {reason}")
    yield made
    made.remove()


@pytest.fixture(scope="session")
def network(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    binary = folder / "stele-1"
    # A path of its own for each version, as an installation has it.
    shutil.copy(program("STELE_BIN"), binary)
    made = Network(world, folder, binary, program("STELE_FOUNDER"))
    try:
        made.start()
        yield made
    finally:
        made.kill()
    for node in made.nodes:
        assert not node.panicked(), f"node {node.number} panicked:\n{node.tail()}"


@pytest.fixture(scope="session")
def load(network: Network) -> Load:
    return Load(network)


@pytest.fixture(scope="session")
def checker(network: Network) -> Checker:
    return Checker(network)


@pytest.fixture
def well(network: Network) -> Network:
    network.wait_well()
    return network
