"""Four validators under load while things go wrong, one scenario after the other on the same chain.

Each scenario ends with the whole check: nothing acknowledged is lost, nothing counts twice, all nodes have the same chain.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from checker import Checker
from network import Load, Network, wait_until
from world import command

#: Entries that must become final before, during or after a fault, to count as progress.
SOME = 8
#: Below this much free space a node takes nothing new (docs/operations.md).
RESERVE = 64 << 20


def test_all_is_well_before_anything_goes_wrong(well: Network, load: Load, checker: Checker) -> None:
    with load:
        load.wait_for(4 * SOME)
    checker.check(load)


def test_one_is_killed_under_load_and_comes_back(well: Network, load: Load, checker: Checker) -> None:
    with load:
        load.wait_for(SOME)
        well.nodes[3].kill()
        load.wait_for(2 * SOME)
        wait_until("its silence is noticed", lambda: "network.validator-silent" in well.nodes[0].alarms())
        well.nodes[3].start()
        load.wait_for(SOME)
    checker.check(load)


def test_halves_stop_safely_and_resume_by_themselves(well: Network, load: Load, checker: Checker) -> None:
    with load:
        load.wait_for(SOME)
        well.world.partition(2, 3)
        for node in well.nodes:
            wait_until(f"node {node.number} says that it is stalled", lambda node=node: node.health() == "stalled")
        # Nothing becomes final on either side. What was on its way when the cut came has had its time by now.
        before = [(node.height(), node.json("/v1/network")["head"]["hash"]) for node in well.nodes]
        time.sleep(2)
        for node, was in zip(well.nodes, before, strict=True):
            assert (node.height(), node.json("/v1/network")["head"]["hash"]) == was, f"node {node.number} went on alone"
            # Reads are served, proofs too.
            assert node.json("/v1/blocks/1")["height"] == 1
            assert node.get(f"/v1/entries/{checker.entries[0].hex()}/receipt").status_code == 200
            assert node.get("/ready").status_code == 503
            assert "network.no-quorum" in node.alarms()
        well.world.heal()
        load.wait_for(SOME)
    well.wait_well()
    assert all(node.health() == "ok" for node in well.nodes)
    checker.check(load)


def test_three_go_on_without_the_one_cut_off(well: Network, load: Load, checker: Checker) -> None:
    with load:
        well.world.partition(1)
        wait_until("the one says that it is stalled", lambda: well.nodes[1].health() == "stalled")
        cut_off = well.nodes[1].height()
        load.wait_for(2 * SOME)
        assert well.nodes[1].height() == cut_off, "the one that is cut off went on alone"
        assert well.nodes[0].height() > cut_off
        well.world.heal()
        load.wait_for(SOME)
    well.wait_well()
    checker.check(load)


def test_a_slow_and_lossy_link_holds_up_nobody(well: Network, load: Load, checker: Checker) -> None:
    well.world.slow(2, kilobits=256)
    well.world.lossy(2, percent=2)
    try:
        with load:
            load.wait_for(3 * SOME)
    finally:
        well.world.fast(2)
        well.world.lossless(2)
    checker.check(load)


def test_a_full_disk_stops_one_node_and_is_survived(well: Network, load: Load, checker: Checker, tmp_path: Path) -> None:
    node = well.nodes[0]
    node.stop()
    # A disk of its own, with little more than the reserve and what the node holds.
    moved = node.home.with_name("moved")
    node.home.rename(moved)
    node.home.mkdir()
    held = sum(file.stat().st_blocks * 512 for file in moved.rglob("*") if file.is_file())
    command("mount", "-t", "tmpfs", "-o", f"size={held + RESERVE + (96 << 20)}", "stele-test", str(node.home))
    try:
        shutil.copytree(moved, node.home, dirs_exist_ok=True)
        node.start()
        well.wait_well()
        with load:
            load.wait_for(SOME)
            filler = node.home / "filler"
            with filler.open("wb") as file:
                while shutil.disk_usage(node.home).free > RESERVE // 2:
                    file.write(bytes(1 << 20))
                    file.flush()
            wait_until("the node says that its disk is full", lambda: "node.disk-full" in node.alarms())
            load.wait_for(2 * SOME)
            assert node.json("/v1/blocks/1")["height"] == 1, "reads go on"
            filler.unlink()
            wait_until("the node goes on by itself", lambda: "node.disk-full" not in node.alarms())
            load.wait_for(SOME)
        checker.check(load)
        node.stop()
        shutil.copytree(node.home, moved, dirs_exist_ok=True)
    finally:
        if node.process is not None:
            node.kill()
        command("umount", str(node.home))
    node.home.rmdir()
    moved.rename(node.home)
    node.start()
    well.wait_well()
    checker.check(load)


def test_a_clock_that_is_wrong_neither_stops_the_others_nor_moves_their_time(
    well: Network, load: Load, checker: Checker
) -> None:
    node = well.nodes[1]
    try:
        for offset in (4, -4):
            node.stop()
            node.start(clock=f"{offset:+d}s")
            # Less than two seconds of it are the rounding of the answer and its way.
            assert abs(node.clock_ahead_seconds() - offset) < 2, "the clock is not wrong: nothing is tested"
            with load:
                load.wait_for(2 * SOME)
                newest = well.nodes[0].json("/v1/network")["head"]["time_ms"]
                # Of three whose clocks are right one had to vote: none of them is ahead by more than half a second.
                assert newest <= time.time() * 1000 + 500, "the wrong clock moved the network's time"
            checker.check(load)
    finally:
        node.stop()
        node.start()
    well.wait_well()


def test_all_are_restarted_in_turn_under_load(well: Network, load: Load, checker: Checker) -> None:
    with load:
        for node in well.nodes:
            node.stop()
            load.wait_for(SOME)
            node.start()
            well.wait_well()
            load.wait_for(SOME)
    checker.check(load)


def test_all_are_upgraded_in_turn_under_load(well: Network, load: Load, checker: Checker) -> None:
    newer = well.nodes[0].binary.with_name("stele-2")
    shutil.copy(well.nodes[0].binary, newer)
    with load:
        for node in well.nodes:
            node.stop()
            node.binary = newer
            node.start()
            well.wait_well()
            load.wait_for(SOME)
    checker.check(load)


def test_all_are_killed_at_once_and_come_back(well: Network, load: Load, checker: Checker) -> None:
    with load:
        load.wait_for(SOME)
        for node in well.nodes:
            node.kill()
        for node in well.nodes:
            node.start()
        load.wait_for(SOME)
    well.wait_well()
    checker.check(load)
