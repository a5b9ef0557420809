"""The workflows of a simulation: a few shapes with policies that chance sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.domain.templates.template import StepTemplate, Template
from support.builders import step, template

SHAPES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "one": {"a": ()},
    "chain": {"a": (), "b": ("a",), "c": ("b",)},
    "diamond": {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    "wide": {"a": (), "b": (), "c": (), "d": ("a", "b", "c"), "e": ("a",)},
}


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler whose doings the crew makes up."""

    is_async: bool
    needs_context: bool
    needs_results: frozenset[str]
    retry_if: None = None

    def __call__(self, call: StepCall) -> Any:
        """What it was given, so that a wrong input is seen in the result."""
        return {"step": call.step, "from": sorted(call.results)}


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow as a worker needs it."""

    template: Template
    handlers: Mapping[str, Handler]


def flows(random: Random) -> list[Flow]:
    """Some workflows."""
    chosen = random.sample(sorted(SHAPES), random.randint(1, 3))
    return [_flow(name, SHAPES[name], random) for name in chosen]


def _flow(name: str, shape: Mapping[str, tuple[str, ...]], random: Random) -> Flow:
    steps = [_step(each, parents, random) for each, parents in shape.items()]
    made = template(*steps, name=name, **_task_policies(random), **_turns(random))
    handlers = {
        each.name: Handler(
            is_async=random.random() < 0.5,
            needs_context=random.random() < 0.3,
            needs_results=frozenset(each.dependencies if random.random() < 0.5 else ()),
        )
        for each in steps
    }
    return Flow(made, handlers)


def _task_policies(random: Random) -> dict[str, Any]:
    """What a template says of its tasks as a whole."""
    fields = _limits(random, 0.2)
    if random.random() < 0.3:
        fields["on_failure"] = "block"
    if random.random() < 0.15:
        fields["deadline_seconds"] = random.choice((5.0, 60.0, 300.0))
    return fields


def _turns(random: Random) -> dict[str, Any]:
    """Whether tasks take turns; seeds have whatever else they had before that was asked."""
    beside = Random(random.getstate()[1][0])  # noqa: S311
    return {"fairness": {"key": "customer"}} if beside.random() > 0.7 else {}


def _step(name: str, parents: tuple[str, ...], random: Random) -> StepTemplate:
    retry = {
        "max_attempts": random.choice((1, 2, 3, 20)),
        "backoff": random.choice(("none", "fixed", "exponential")),
        "base_seconds": random.choice((0.01, 1.0, 20.0)),
    }
    fields: dict[str, Any] = {"retry": retry, **_limits(random, 0.1)}
    if random.random() < 0.3:
        fields["timeout_seconds"] = random.choice((0.5, 5.0, 30.0))
    if random.random() < 0.1:
        fields["start_timeout_seconds"] = random.choice((1.0, 60.0))
    if random.random() < 0.2:
        fields["when_skipped"] = "stop"
    if random.random() < 0.15:
        fields["system"] = "bank"
    return step(name, *parents, **fields)


def _limits(random: Random, probability: float) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    key = random.choice((None, "customer"))
    if random.random() < probability:
        fields["concurrency"] = {"limit": random.randint(1, 2), "key": key}
    if random.random() < probability:
        fields["rate"] = {"limit": 1, "per_seconds": random.choice((0.5, 5.0)), "key": key}
    return fields
