"""The benchmarks say in a sentence which peer is missing or fails, and measure everyone else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.engines import PATIENCE

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PEERS = ("absurd", "dbos", "pgqueuer", "restate")

NONE_INSTALLED = """
import importlib.metadata

PEERS = {"absurd-sdk", "absurdctl", "dbos", "pgqueuer", "restate-sdk"}
found = importlib.metadata.version


def version(name):
    if name in PEERS:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)


importlib.metadata.version = version
"""


CONTESTANT = """
import sys

import harness
import shapes


def process(child, ends):
    child.stand_by()
    child.end(ends)
    child.halt.wait()
    child.report(())


if __name__ == "__main__":
    crew = harness.Crew(process, 1, (int(sys.argv[1]),), stall_seconds=0.1)
    harness.measure_elsewhere(crew, shapes.BackgroundLoad("single", 2, 1))
"""


@pytest.fixture
def without_peers(tmp_path: Path) -> dict[str, str]:
    """The environment of a process for which no peer is installed."""
    (tmp_path / "sitecustomize.py").write_text(NONE_INSTALLED)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


@pytest.fixture
def with_a_broken_dbos(tmp_path: Path) -> dict[str, str]:
    """The environment of a process whose dbos cannot be imported."""
    (tmp_path / "dbos.py").write_text("raise RuntimeError('a part of it is broken')")
    described = tmp_path / "dbos-0.0.dist-info" / "METADATA"
    described.parent.mkdir()
    described.write_text("Metadata-Version: 2.1\nName: dbos\nVersion: 0.0\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("script", ["idle.py", "latency.py", "throughput.py"])
def test_a_peer_that_is_asked_for_alone_and_missing_is_one_sentence(
    without_peers: Mapping[str, str], script: str
) -> None:
    done = run(without_peers, script, "--peer", "dbos")

    told = "dbos is left out: dbos is not installed (make bench-setup)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


@pytest.mark.postgres
def test_all_peers_are_those_that_are_there(without_peers: Mapping[str, str], server: str) -> None:
    asked = ("--peer", "all", "--shape", "all", "--only-others", "--workers", "1")
    done = run(without_peers, "throughput.py", *asked, "--quick", "--database-url", server)

    assert done.returncode == 0
    told = done.stderr.splitlines()
    assert [line.partition(" is left out: ")[0] for line in told] == [*PEERS]
    assert all(line.endswith("not installed (make bench-setup)") for line in told)
    shapes = ("single", "linear", "diamond", "fanout")
    measured = [(line["shape"], line["engine"]) for line in lines(done)]
    assert measured == [(shape, "raw") for shape in shapes]


@pytest.mark.postgres
def test_a_peer_that_fails_is_told_and_the_others_are_measured(
    with_a_broken_dbos: Mapping[str, str], server: str
) -> None:
    done = run(
        with_a_broken_dbos, "latency.py", "--peer", "dbos", "--quick", "--database-url", server
    )

    told = "dbos is left out: it failed: a part of it is broken\n"
    assert (done.returncode, done.stderr) == (1, told)
    measured = [(line["engine"], line["processes"]) for line in lines(done)]
    assert measured == [("flowledger", "one"), ("flowledger", "apart")]


@pytest.mark.postgres
def test_every_step_that_is_counted_was_started(
    without_peers: Mapping[str, str], server: str
) -> None:
    alone = ("--shape", "single", "--workers", "0")
    done = run(without_peers, "throughput.py", *alone, "--quick", "--database-url", server)

    ours, raw = lines(done)
    assert (ours["engine"], ours["processes"]) == ("flowledger", "1 with all roles")
    assert (ours["steps"], ours["starts_per_step"], raw["starts_per_step"]) == (200, 1.0, 0.0)


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        pytest.param(1, "Stalled: 1 of 2 tasks have ended, and no more do", id="none ends"),
        pytest.param(2, "Uncounted: 0 steps were started, and there are 2", id="none starts"),
    ],
)
def test_a_contestant_that_does_not_run_its_steps_is_refused(
    tmp_path: Path, ends: int, told: str
) -> None:
    script = tmp_path / "contestant.py"
    script.write_text(CONTESTANT)

    done = run({**os.environ, "PYTHONPATH": str(BENCHMARKS)}, str(script), str(ends))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"harness.{told}"


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A benchmark as a process."""
    script, *options = arguments
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(BENCHMARKS / script), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What it printed."""
    return [json.loads(line) for line in done.stdout.splitlines()]
