"""The demand of a step: everything that it must be granted before it is queued.

A limit is identified by a key. Versions of a template share their keys, so that a new version does
not bring new room; each step is admitted by the limit that its own version declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from flowledger.engine.domain.context_value import value_text
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.domain.templates.retry_and_limit_policies import Concurrency, Rate
from flowledger.engine.domain.templates.template import StepTemplate, Template

MICROSECOND = timedelta(microseconds=1)


class SlotLimit(NamedTuple):
    """At most `limit` steps that hold a slot of the key at once."""

    key: str
    limit: int


class RateLimit(NamedTuple):
    """One step of the key each `interval`; after a quiet time `burst` at once."""

    key: str
    interval: timedelta
    burst: int


class Demand(NamedTuple):
    """Everything that a step must be granted. Steps with equal demands take each other's place."""

    template_id: UUID
    system: str | None
    slots: tuple[SlotLimit, ...]
    rates: tuple[RateLimit, ...]


def demand_of(plan: Plan, number: int, context: Any, namespaces: Mapping[str, int]) -> Demand:
    """What the step must be granted; `namespaces` has the most steps at once of some of them."""
    if number not in plan.limited:
        return Demand(plan.template_id, None, (), ())
    template, step = plan.template, plan.steps[number]
    return Demand(
        plan.template_id,
        step.system,
        tuple(_slots(template, step, context, namespaces)),
        tuple(_rates(template, step, context)),
    )


def _slots(
    template: Template, step: StepTemplate, context: Any, namespaces: Mapping[str, int]
) -> Iterator[SlotLimit]:
    if template.namespace in namespaces:
        yield SlotLimit(f"namespace:{template.namespace}", namespaces[template.namespace])
    if template.concurrency is not None:
        key = template_key(template, template.concurrency, context)
        yield SlotLimit(key, template.concurrency.limit)
    if step.concurrency is not None:
        key = step_key(template, step, step.concurrency, context)
        yield SlotLimit(key, step.concurrency.limit)


def _rates(template: Template, step: StepTemplate, context: Any) -> Iterator[RateLimit]:
    if template.rate is not None:
        key = template_key(template, template.rate, context)
        yield RateLimit(key, interval_of(template.rate), template.rate.burst)
    if step.rate is not None:
        key = step_key(template, step, step.rate, context)
        yield RateLimit(key, interval_of(step.rate), step.rate.burst)


def interval_of(rate: Rate) -> timedelta:
    """The time between two steps; never so short that time would stand still."""
    return max(MICROSECOND, timedelta(seconds=rate.per_seconds / rate.limit))


def template_key(template: Template, policy: Concurrency | Rate, context: Any) -> str:
    """The key of a limit of a template: of all its tasks, or of those with one value."""
    name = f"{template.namespace}/{template.name}"
    if policy.key is None:
        return f"template:{name}"
    return f"key:{name}/{policy.key}={value_text(context, policy.key)}"


def step_key(
    template: Template, step: StepTemplate, policy: Concurrency | Rate, context: Any
) -> str:
    """The key of a limit of one step, in all tasks of its template or in those with one value."""
    name = f"{template.namespace}/{template.name}/{step.name}"
    if policy.key is None:
        return f"step:{name}"
    return f"step-key:{name}/{policy.key}={value_text(context, policy.key)}"
