"""What operators ask of tasks, and note on them."""

from __future__ import annotations

from typing import Any

from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.stage import ManualCoordinator, plain
from hostile.submissions import FAR

TASK_VERBS = ("cancel", "pause", "resume", "resolve", "reset", "fail")
STEP_VERBS = ("cancel", "reset", "resolve", "complete", "skip")
WAITS: Oddities = {**oddities.SECONDS}


def _task(draw: Draw, stage: ManualCoordinator) -> Any:
    """A task that waits for its time, taken on by the coordinator."""
    task = stage.engine.submit(plain, {"case": str(draw.case)}, start_at=FAR)
    stage.harness.until(lambda: task.state != "submitted")
    stage.mark()
    return task


def ask(draw: Draw, stage: ManualCoordinator) -> None:
    """A request with a strange reason, actor, key, wait, step or result."""
    task = _task(draw, stage)
    said: dict[str, Any] = {"reason": "strange", "actor": "hostile"}
    name, value = draw.odd_of(
        {
            "reason": {**oddities.TEXTS, **oddities.OBJECTS},
            "actor": oddities.TEXTS,
            "key": {**oddities.TEXTS, **oddities.NUMBERS},
            "wait": oddities.SECONDS,
            "step": {**oddities.TEXTS, **oddities.OBJECTS},
            "result": {**oddities.TEXTS, **oddities.NUMBERS, **oddities.OBJECTS},
        }
    )
    draw.places = (name, str(task.id))
    if name == "result":
        task.step("do").complete(oddities.within(value, draw), **said)
    elif name == "step":
        getattr(task.step(value), draw.one_of(STEP_VERBS))(**said)
    else:
        getattr(task, draw.one_of(TASK_VERBS))(**{**said, name: value})


def note(draw: Draw, stage: ManualCoordinator) -> None:
    """An annotation or tags."""
    task = _task(draw, stage)
    name, value = draw.odd_of(
        {
            "kind": oddities.TEXTS,
            "value": {**oddities.TEXTS, **oddities.NUMBERS, **oddities.OBJECTS},
            "actor": oddities.TEXTS,
            "reason": oddities.TEXTS,
            "key": oddities.TEXTS,
            "no actor": {"no actor": lambda _: None},
        }
    )
    draw.places = (name, "actor") if name == "no actor" else (name,)
    said: dict[str, Any] = {"kind": "strange", "value": 1, "actor": "hostile", name: value}
    if name == "no actor":
        said = {"kind": "strange", "value": 1}
    if name == "value":
        said["value"] = oddities.within(value, draw)
    task.annotate(said.pop("kind"), said.pop("value"), **said)


def tag(draw: Draw, stage: ManualCoordinator) -> None:
    """Tags given to a task, and taken from it."""
    task = _task(draw, stage)
    draw.places = ("tag",)
    given = oddities.tags(draw)
    many = list(given)[:20_000] if hasattr(given, "__iter__") else [given]
    getattr(task, draw.one_of(["tag", "untag"]))(*many, actor="hostile")


def look(draw: Draw, stage: ManualCoordinator) -> None:
    """Questions about a task at strange times and places."""
    task = _task(draw, stage)
    name, value = draw.odd_of(
        {
            "step": oddities.TEXTS,
            "at": {**oddities.TIMES, **oddities.NUMBERS},
            "timeout": oddities.SECONDS,
        }
    )
    draw.places = (name, "at", str(task.id))
    if name == "timeout":
        task.cancel(reason="to end it", actor="hostile")
        stage.mark()
        task.wait(value)
    else:
        task.explain(**{name: value})


def template(draw: Draw, stage: ManualCoordinator) -> None:
    """Templates paused by strange names, for strange reasons."""
    name, value = draw.odd_of(
        {"key": oddities.TEXTS, "reason": oddities.TEXTS, "actor": oddities.TEXTS}
    )
    draw.places = (name, "template", "namespace/name@version")
    said: dict[str, Any] = {"key": plain.template.key, "reason": "strange", "actor": "hostile"}
    said[name] = value
    try:
        stage.engine.pause_template(said.pop("key"), **said)
    finally:
        stage.mark()
        stage.engine.resume_template(plain.template.key, reason="done", actor="hostile")
        stage.mark()


def projection(draw: Draw, stage: ManualCoordinator) -> None:
    """Read models of strange names."""
    draw.places = ("projection",)
    name = draw.odd({**oddities.TEXTS, **oddities.OBJECTS})
    verb = draw.one_of(["status", "pause", "resume", "rebuild", "remove", "parked"])
    getattr(stage.engine.projections, verb)(name)
