"""An engine belongs to the process that opened it: a fork is told so, and harms nobody."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import AsyncEngine, Engine, TaskHandle
from flowledger.engine.client.projections import Projections
from flowledger.engine.client.task import StepHandle
from flowledger.engine.errors import EngineForked
from flowledger.engine.ports.projection_admin import Rebuild, Word
from flowledger.engine.store.connection.forks import _connections
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

ASKING = {"reason": "test", "actor": "ada"}
SESSIONS = "select pid from pg_stat_activity where application_name = 'forked' order by pid"

counted = Workflow("forks", "counted", version="1")


@counted.step
def count(context: dict[str, Any]) -> int:
    return int(context["number"]) + 1


def forked(work: Callable[[], object]) -> str:
    """What `work` answers in a fork of this process, which ends as a program does."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads
        child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:  # noqa: BLE001 - the parent reads it
            said = f"{type(error).__name__}: {error}"
        gc.collect()
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as answer:
        said = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def told(verb: Callable[[], object]) -> bool:
    """Whether a verb says that it is called in a fork."""
    try:
        verb()
    except EngineForked:
        return True
    return False


def verbs_of_engine(engine: Engine) -> Mapping[str, Callable[[], object]]:
    task = uuid4()
    return {
        "submit": lambda: engine.submit(counted, {"number": 1}),
        "submit_many": lambda: engine.submit_many(counted, []),
        "task": lambda: engine.task(task),
        "explain": lambda: engine.explain(task),
        "cancel_many": lambda: engine.cancel_many([task], reason="r", actor="a"),
        "reset_many": lambda: engine.reset_many([task], reason="r", actor="a"),
        "pause_template": lambda: engine.pause_template("forks/counted@1", reason="r", actor="a"),
        "resume_template": lambda: engine.resume_template("forks/counted@1", reason="r", actor="a"),
        "register": lambda: engine.register(counted),
        "verify": engine.verify,
        "on_worker_stuck": lambda: engine.on_worker_stuck(lambda: None),
        "health": lambda: engine.health,
        "running_steps": lambda: engine.running_steps,
        "health_report": engine.health_report,
        "tasks": engine.tasks,
        "repair": lambda: engine.repair(reason="r", actor="a"),
    }


def verbs_of_task(task: TaskHandle) -> Mapping[str, Callable[[], object]]:
    asked = ("cancel", "pause", "resume", "resolve", "reset", "fail")
    return {
        "state": lambda: task.state,
        "paused": lambda: task.paused,
        "wait": task.wait,
        "end_state": task.end_state,
        "result": task.result,
        "explain": task.explain,
        "annotate": lambda: task.annotate("kind", 1, actor="ada"),
        "tag": lambda: task.tag("one", actor="ada"),
        "untag": lambda: task.untag("one", actor="ada"),
        "history": task.history,
        "replay": task.replay,
        "steps": task.steps,
        "progress": task.progress,
        "verify": lambda: list(task.verify()),
        **{name: lambda name=name: getattr(task, name)(**ASKING) for name in asked},
    }


def verbs_of_step(step: StepHandle) -> Mapping[str, Callable[[], object]]:
    asked = ("cancel", "reset", "resolve", "complete", "skip")
    return {
        "status": lambda: step.status,
        "explain": step.explain,
        **{name: lambda name=name: getattr(step, name)(**ASKING) for name in asked},
    }


def verbs_of_projections(projections: Projections) -> Mapping[str, Callable[[], object]]:
    named = ("status", "wait_for", "reached", "parked")
    changing = ("pause", "resume", "rebuild", "cancel_rebuild", "remove")
    settling = ("retry_parked", "drop_parked")
    word: Word = {"actor": "ann", "reason": "a test"}
    asked = Rebuild("x", "generation", 2)
    return {
        "list": projections.list,
        "wanted": lambda: projections.wanted(None),
        "rebuild_state": lambda: projections.rebuild_state(asked),
        "wait_for_rebuild": lambda: projections.wait_for_rebuild(asked, 30.0),
        "skip": lambda: projections.skip("x", position=1, **word),
        "traceback": lambda: projections.traceback("x", generation=1, position=1),
        **{name: lambda name=name: getattr(projections, name)("x") for name in named},
        **{
            name: lambda name=name: getattr(projections, name)("x", **word)
            for name in changing + settling
        },
    }


# What asks nobody anything, closes or opens.
INNER = frozenset(
    {"on_end", "taken_on", "answer_seconds", "moved", "tell_refusals", "behind", "look_seconds"}
)
ASIDE = INNER | {"open", "close", "settings", "projections", "id", "step"}


def of_all(engine: Engine, task: TaskHandle) -> list[tuple[type, Mapping[str, Any]]]:
    return [
        (Engine, verbs_of_engine(engine)),
        (TaskHandle, verbs_of_task(task)),
        (StepHandle, verbs_of_step(task.step("count"))),
        (Projections, verbs_of_projections(engine.projections)),
    ]


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")} - ASIDE


def test_every_verb_tells_a_fork_what_it_is_and_the_parent_goes_on(harness: EngineHarness) -> None:
    engine = harness.open(counted, database={"application_name": "forked"})
    task = engine.submit(counted, {"number": 1})
    assert task.result(PATIENCE) == {"count": 2}
    before = harness.rows(SESSIONS)
    verbs = of_all(engine, task)

    named = [(kind, *item) for kind, table in verbs for item in table.items()]
    calls = [(f"{kind.__name__}.{name}", call) for kind, name, call in named]
    untold = forked(lambda: [name for name, call in calls if not told(call)])

    assert untold == "[]"
    assert [(kind, public(kind) ^ set(table)) for kind, table in verbs] == [
        (kind, set()) for kind, _ in verbs
    ]
    assert {*before} <= {*harness.rows(SESSIONS)}
    assert engine.submit(counted, {"number": 2}).result(PATIENCE) == {"count": 3}


def test_the_sentence_names_both_processes(harness: EngineHarness) -> None:
    engine = harness.open(counted, roles=())

    said = forked(lambda: engine.submit(counted, {"number": 1}))

    assert said.startswith(f"EngineForked: this engine was opened in process {os.getpid()}, and")
    assert said.endswith("open an engine in each process, after the fork")


def test_nothing_that_a_fork_closes_or_forgets_reaches_the_parents_sessions(
    harness: EngineHarness,
) -> None:
    """Closing, collecting, and every connection closed by hand."""
    engine = harness.open(counted, database={"application_name": "forked"})
    before = harness.rows(SESSIONS)

    def end() -> str:
        engine.close()
        for connection in [*_connections]:
            connection.close()
        return "ended"

    assert [forked(end) for _ in range(3)] == ["ended"] * 3
    assert {*before} <= {*harness.rows(SESSIONS)}
    assert engine.submit(counted, {"number": 1}).result(PATIENCE) == {"count": 2}


def test_a_fork_may_open_an_engine_of_its_own(harness: EngineHarness) -> None:
    engine = harness.open(counted)

    def own() -> object:
        with Engine.open(roles=(), settings=harness.settings()) as mine:
            return mine.submit(counted, {"number": 4}).result(PATIENCE)

    assert forked(own) == "{'count': 5}"
    assert engine.submit(counted, {"number": 2}).result(PATIENCE) == {"count": 3}


def test_a_fork_is_told_on_an_event_loop_too(harness: EngineHarness) -> None:
    engine = AsyncEngine(harness.open(counted, roles=()))
    asyncio.run(engine.submit(counted, {"number": 1}))

    async def submit() -> object:
        return await engine.submit(counted, {"number": 1})

    assert forked(lambda: asyncio.run(submit())).startswith("EngineForked")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")
def test_a_forked_process_of_multiprocessing_ends_without_a_trace(harness: EngineHarness) -> None:
    import multiprocessing  # noqa: PLC0415

    engine = harness.open(counted, database={"application_name": "forked"})
    before = harness.rows(SESSIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = multiprocessing.get_context("fork").Process(target=engine.close)
        child.start()
    child.join(PATIENCE)

    assert child.exitcode == 0
    assert {*before} <= {*harness.rows(SESSIONS)}
    assert engine.submit(counted, {"number": 1}).result(PATIENCE) == {"count": 2}
