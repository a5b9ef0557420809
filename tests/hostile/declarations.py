"""What is declared: workflows in Python, their names and policies, and templates in files."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.invariants import require
from hostile.stage import ManualCoordinator
from hostile.submissions import call_with

from flowledger.handlers import Registry, Retry, Workflow, load_workflow_file

ROUND = {"exponential", "fixed"}
POLICIES: dict[str, Oddities] = {
    "retry": {
        "a negative number of attempts": lambda _: {"max_attempts": -1},
        "attempts beyond the database": lambda _: {"max_attempts": 2**40},
        "attempts with a name": lambda _: {"max_attempts": oddities.Priority.HIGH},
        "a growth without end": lambda _: {"factor": float("inf")},
        "an unknown backoff": lambda _: {"backoff": "\x1b"},
        "an unknown category": lambda _: {"categories": ("nope",)},
        "a key that no policy has": lambda _: {"atempts": 3},
        "a wait that is no number": lambda draw: {"base_seconds": draw.odd(oddities.SECONDS)},
    },
    "timeout": oddities.SECONDS,
    "start_timeout": oddities.SECONDS,
    "concurrency": {
        "a limit of nobody": lambda _: {"limit": 0},
        "a limit beyond the database": lambda _: {"limit": 2**40},
        "a limit by a strange key": lambda draw: {"limit": 1, "key": draw.odd(oddities.TEXTS)},
        "a limit that is no mapping": lambda _: 3,
    },
    "rate": {
        "a rate of nobody": lambda _: {"limit": 0, "per_seconds": 1},
        "a rate in no time": lambda draw: {"limit": 1, "per_seconds": draw.odd(oddities.SECONDS)},
        "a burst beyond all": lambda _: {"limit": 1, "per_seconds": 1, "burst": 2**40},
    },
    "system": oddities.TEXTS,
    "when_skipped": {"an unknown word": lambda _: "perhaps"},
    "config": {
        "a configuration with a null character": lambda _: {"a": "\0"},
        "a configuration of many levels": lambda draw: {"a": oddities.nested(draw)},
        "a configuration that is strange": lambda draw: {"a": oddities.json_like(draw)},
        "a configuration that is no mapping": lambda draw: draw.one_of([[1], "a", 7]),
    },
    "description": {
        "a description with a null character": lambda _: "a\0b",
        **oddities.TEXTS,
    },
    "name": oddities.TEXTS,
    "after": {
        "a step that there is not": lambda draw: [draw.odd(oddities.TEXTS)],
        "one text instead of steps": lambda _: "add",
        "what is no step": lambda draw: [draw.one_of([7, None, len])],
        "itself": lambda _: ["do"],
    },
}
HEADS: dict[str, Oddities] = {
    "namespace": oddities.TEXTS,
    "name": oddities.TEXTS,
    "version": {**oddities.TEXTS, **oddities.NUMBERS},
    "description": oddities.TEXTS,
    "identity": {"an unknown strategy": lambda _: "perhaps"},
    "on_failure": {"an unknown end": lambda _: "explode"},
    "deadline": oddities.SECONDS,
}


def head(draw: Draw, stage: ManualCoordinator) -> None:
    """A workflow of a strange name, version, deadline or description."""
    name, value = draw.odd_of(HEADS)
    draw.places = (name, "hostile/", "workflow")
    said: dict[str, Any] = {"namespace": "hostile", "name": "head", "version": str(draw.case.seed)}
    said[name] = value
    flow: Any = Workflow(said.pop("namespace"), said.pop("name"), **said)
    flow.step(name="do")(_nothing)
    stage.engine.register(flow)
    stage.engine.submit(flow, {})


def policy(draw: Draw, stage: ManualCoordinator) -> None:
    """A step of a strange name, dependency, policy or configuration."""
    name, value = draw.odd_of(POLICIES)
    draw.places = (name, "step", "workflow", "Retry")
    flow: Any = Workflow("hostile", "policy", version=str(draw.case.seed))
    given: Any = Retry(**value) if name == "retry" else value
    flow.step(**{"name": "do", name: given})(_nothing)
    stage.engine.register(flow)
    stage.engine.submit(flow, {})


def _nothing() -> None:
    """Done."""


async def _later(context: Any) -> str:
    await asyncio.sleep(0)
    return "done"


def _wrapped(context: Any) -> Any:
    return _later(context)


class _Called:
    def __call__(self, context: Any) -> Any:
        return _later(context)


def _generating(context: Any) -> Any:
    yield context


def _anything(*_: Any, **__: Any) -> None:
    """Takes whatever comes."""


def _unknown(context: Nowhere) -> None:  # type: ignore[name-defined] # noqa: F821
    """Asks for a type that there is not."""


FUNCTIONS: Oddities = {
    "a plain function that returns a coroutine": lambda _: _wrapped,
    "a lambda that returns a coroutine": lambda _: lambda context: _later(dict(context)),
    "a partial coroutine": lambda _: functools.partial(_later),
    "an object that is called": lambda _: _Called(),
    "a generator as a step": lambda _: _generating,
    "a function that takes anything": lambda _: _anything,
    "an annotation that there is not": lambda _: _unknown,
    "a built-in function": lambda draw: draw.one_of([len, print, dict, int]),
    "no function": lambda draw: draw.one_of([7, None, "do", object()]),
}


def function(draw: Draw, stage: ManualCoordinator) -> None:
    """A strange callable as a step: what it returns is awaited, or it is refused."""
    draw.places = ("step", "workflow")
    flow: Any = Workflow("hostile", "function", version=str(draw.case.seed))
    found: Callable[..., Any] = draw.odd(FUNCTIONS)
    flow.step(name="do")(found)
    call = flow.handlers["do"](call_with({"a": 1}))
    if asyncio.iscoroutine(call):
        call = asyncio.run(_awaiting(call))
    require(call in {"done", None, 1}, "a step's coroutine is awaited", call)


async def _awaiting(call: Any) -> Any:
    return await call


FILE = """\
namespace: hostile
name: file
version: "{version}"
description: {description}
steps:
  - name: first
    handler:
      callable: do
      initialization:
        value: {scalar}
    retry:
      max_attempts: {attempts}
  - name: second
    handler: {{callable: do}}
    dependencies: [{after}]
    timeout_seconds: {seconds}
"""
PLACES = {
    "version": "1",
    "description": "a file",
    "scalar": "1",
    "attempts": "2",
    "after": "first",
    "seconds": "10",
}
SCALARS: dict[str, Any] = {
    "10:30": "10:30",
    "01234": 1234,
    "no": "no",
    "Off": "Off",
    "010": 10,
    "1_000": "1_000",
    "0o17": 15,
    "2026-01-01": "2026-01-01",
    "0b11": "0b11",
    "~": None,
    "=": "=",
}
"""What YAML 1.2's core schema makes of scalars that YAML 1.1 reads otherwise."""
LINES: Oddities = {
    "a scalar of an older YAML": lambda draw: draw.one_of(sorted(SCALARS)),
    "a tag of Python's": lambda _: "!!python/object/apply:os.getpid []",
    "an anchor that grows": lambda _: "[&a [x,x,x,x,x,x,x,x], *a, *a, *a]",
    "an anchor that contains itself": lambda _: "&a [*a]",
    "an alias of nothing": lambda _: "*nobody",
    "many brackets": lambda draw: "[" * draw.one_of([99, 150, 5_000]),
    "many levels in a file": lambda draw: "[" * 150 + "]" * 150,
    "an infinite number in a file": lambda draw: draw.one_of([".inf", ".nan", "1e999", "9" * 400]),
    "a null character in a file": lambda _: '"a\\0b"',
    "half of a surrogate pair in a file": lambda _: '"\\ud800"',
    "an escape in a file": lambda _: '"\\e[2J\\a"',
    "a quotation that does not end": lambda _: '"abc',
    "a tabulator": lambda _: "\t- a",
    "a second document": lambda _: "1\n---\na: 1",
    "a key twice": lambda _: "{a: 1, a: 2}",
    "keys that are lists": lambda _: "{[1, 2]: 3}",
    "a key that merges": lambda _: "{<<: {a: 1}}",
    "a directive": lambda _: "1\n%YAML 9.9\n---\n",
    "a long text": lambda _: "a" * 100_000,
    "a snowman in a file": lambda _: "☃",
    "nothing in a file": lambda _: "",
}
BYTES: Oddities = {
    "another encoding": lambda _: "latin-1",
    "an encoding of two bytes": lambda _: "utf-16",
    "a mark of bytes' order": lambda _: "utf-8-sig",
}


def file(draw: Draw, stage: ManualCoordinator) -> None:
    """A template in a file, with something strange in one of its places."""
    pool, value = draw.odd_of({"lines": LINES, "more lines": LINES, "bytes": BYTES})
    place = draw.one_of(sorted(PLACES)) if value not in SCALARS else "scalar"
    said = {**PLACES, "version": str(draw.case.seed)}
    if pool != "bytes":
        said[place] = value
    path = stage.folder / f"file-{draw.case.seed}{draw.one_of(['.yaml', '.yml', '.json'])}"
    if value in SCALARS:
        path = path.with_suffix(".yaml")
    text = FILE.format(**said) + ("# é\n" if pool == "bytes" else "")
    path.write_bytes(text.encode(value if pool == "bytes" else "utf-8", "surrogatepass"))
    draw.places = (path.name, "hostile/file")
    flow = load_workflow_file(path, Registry({"do": _nothing}))
    if value in SCALARS:
        found = flow.template.steps[0].handler.initialization["value"]
        right = SCALARS[value]
        require(found == right and type(found) is type(right), f"{value} is as written", found)
    stage.engine.register(flow)
    stage.engine.submit(flow, {})
