"""The DAGs that are timed, as plain edges that every contestant can run, and as workflows of ours.

Each step notes when it was started and returns 100 bytes of JSON: what is timed is the engine. Of
every contestant, the notes are how it is known that every step ran, and how far apart.
"""

from __future__ import annotations

import json
import time
from array import array
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

NAMESPACE = "bench"
RESULT = {"r": "x" * 92}
"""100 bytes once it is JSON."""

STARTS = array("d")
"""When steps were started in this process: seconds of the machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A DAG: each step's name with the names of the steps that it waits for."""

    name: str
    parents: dict[str, tuple[str, ...]]

    @property
    def steps(self) -> int:
        """How many steps one task has."""
        return len(self.parents)

    @property
    def is_chain(self) -> bool:
        """Whether every wave is one step wide."""
        return all(len(wave) == 1 for wave in self.waves())

    def waves(self) -> list[list[str]]:
        """The steps by depth: each wave needs only what is in the waves before it."""
        sorter = TopologicalSorter(self.parents)
        sorter.prepare()
        waves = []
        while ready := sorter.get_ready():
            waves.append(sorted(ready))
            sorter.done(*ready)
        return waves


def chain(name: str, length: int) -> Shape:
    """One step after another."""
    return Shape(name, {f"s{i}": (f"s{i - 1}",) if i else () for i in range(length)})


def fork_join(name: str, width: int) -> Shape:
    """One step, then `width` at once, then one that needs them all."""
    branches = tuple(f"b{i}" for i in range(width))
    return Shape(name, {"first": (), **dict.fromkeys(branches, ("first",)), "last": branches})


SHAPES = {
    shape.name: shape
    for shape in (
        chain("single", 1),
        chain("linear", 8),
        fork_join("diamond", 2),
        fork_join("fanout", 50),
    )
}


def named(name: str) -> Shape:
    """A shape by its name, or the DAG of a WfFormat file by its path.

    Raises SystemExit with one sentence where it is neither.
    """
    if name in SHAPES:
        return SHAPES[name]
    if Path(name).is_file():
        return from_wfformat(Path(name))
    raise SystemExit(f"--shape {name}: expected {', '.join(SHAPES)} or a WfFormat file")


def from_wfformat(path: Path) -> Shape:
    """The DAG of a recorded run, without its running times."""
    tasks = json.loads(path.read_bytes())["workflow"]["specification"]["tasks"]
    return Shape(path.stem, {task["id"]: tuple(task.get("parents", ())) for task in tasks})


@dataclass(frozen=True, slots=True)
class BackgroundLoad:
    """What is to be run: so many tasks of a shape (see `named`), by so many processes."""

    shape: str
    tasks: int
    workers: int

    @property
    def dag(self) -> Shape:
        """The shape itself."""
        return named(self.shape)

    @property
    def steps(self) -> int:
        """The steps of all tasks."""
        return self.tasks * self.dag.steps


def no_operation() -> dict[str, Any]:
    """What every step runs."""
    STARTS.append(time.monotonic())
    return RESULT
