"""Workflows whose steps do what a test says, while it runs: complete, fail, or wait to be told."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from threading import Event
from typing import Any
from uuid import UUID

from flowledger.engine import Engine, TaskHandle
from flowledger.engine.domain.templates.template import StepTemplate
from flowledger.handlers import Registry, StepContext, workflow_from_template
from support.builders import template
from support.engines import PATIENCE

_numbers = count()


class ControlledSteps:
    """What the steps of one task meet: which of them fail, which wait, what has run."""

    def __init__(self) -> None:
        self.fails: set[str] = set()
        self.waits: set[str] = set()
        self.started: defaultdict[str, Event] = defaultdict(Event)
        self.go: defaultdict[str, Event] = defaultdict(Event)
        self.calls: list[StepContext] = []

    def act(self, step: StepContext) -> str:
        """What a handler does."""
        self.calls.append(step)
        self.started[step.step].set()
        if step.step in self.waits:
            assert self.go[step.step].wait(PATIENCE)
        if step.step in self.fails:
            raise RuntimeError(f"{step.step} is broken")
        return f"{step.step} {step.attempt}"

    @property
    def ran(self) -> list[str]:
        """The steps that ran, in the order in which they began."""
        return [call.step for call in self.calls]


WORLDS: dict[str, ControlledSteps] = {}


def act(context: dict[str, Any], step: StepContext) -> str:
    """The handler of every step."""
    return WORLDS[context["world"]].act(step)


def controlled_steps(*steps: StepTemplate, **fields: Any) -> Any:
    """A workflow of these steps, all of which are led."""
    return workflow_from_template(template(*steps, **fields), Registry({"act": act}))


def begin(
    engine: Engine, flow: Any, *, fails: str = "", waits: str = "", **options: Any
) -> tuple[ControlledSteps, TaskHandle]:
    """A task whose steps of these names, one letter each, fail or wait."""
    number = str(next(_numbers))
    world = WORLDS[number] = ControlledSteps()
    world.fails |= set(fails)
    world.waits |= set(waits)
    return world, engine.submit(flow, {"world": number}, **options)


def stored_together(rows: Any, task_id: UUID) -> list[list[str]]:
    """The topics of a task's events by the transaction that stored them, in log order."""
    found = rows(
        "select xmin::text, array_agg(topic order by notification_id) from flowledger.event"
        " where task_id = %s group by 1 order by min(notification_id)",
        task_id,
    )
    return [topics for _, topics in found]
