"""A template compiled for deciding: numbers for names, lists of children for edges."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from flowledger.engine.domain.templates.template import StepTemplate, Template


@dataclass(frozen=True, slots=True)
class Plan:
    """The DAG of one template. Steps are numbered as the template lists them.

    `limited` has the steps that must be admitted before they are queued, because of a limit or a
    circuit breaker, `timed` those that may wait for a time although nothing failed, `roots` those
    without parents.
    """

    template: Template
    template_id: UUID
    steps: tuple[StepTemplate, ...]
    numbers: Mapping[str, int]
    children: tuple[tuple[int, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    limited: frozenset[int]
    timed: frozenset[int]
    roots: frozenset[int]


def compile_plan(template: Template, limited_namespaces: Container[str] = ()) -> Plan:
    """The plan of a validated template; every step of one in those namespaces is limited."""
    all_limited = template.namespace in limited_namespaces
    numbers = {step.name: number for number, step in enumerate(template.steps)}
    parents = tuple(
        tuple(numbers[name] for name in dict.fromkeys(step.dependencies)) for step in template.steps
    )
    children: list[list[int]] = [[] for _ in template.steps]
    for child, its_parents in enumerate(parents):
        for parent in its_parents:
            children[parent].append(child)
    limited = frozenset(
        numbers[step.name] for step in template.steps if all_limited or _is_limited(template, step)
    )
    return Plan(
        template,
        template.template_id,
        template.steps,
        MappingProxyType(numbers),
        tuple(map(tuple, children)),
        parents,
        limited,
        limited.union(numbers[step.name] for step in template.steps if _is_timed(step)),
        frozenset(number for number, its_parents in enumerate(parents) if not its_parents),
    )


def _is_limited(template: Template, step: StepTemplate) -> bool:
    limits = (template.concurrency, template.rate, step.concurrency, step.rate, step.system)
    return any(limit is not None for limit in limits)


def _is_timed(step: StepTemplate) -> bool:
    return step.timeout_seconds is not None or step.start_timeout_seconds is not None


def ancestors(plan: Plan, step: str) -> frozenset[str]:
    """The names of all steps that the step depends on, directly or not."""
    found: set[int] = set()
    waiting = list(plan.parents[plan.numbers[step]])
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting.extend(plan.parents[number])
    return frozenset(plan.steps[number].name for number in found)


def levels_of(plan: Plan) -> tuple[int, ...]:
    """For each step, how many the longest way to it from a step without parents has before it."""
    levels = [0] * len(plan.steps)
    missing = [len(its_parents) for its_parents in plan.parents]
    known = [number for number, count in enumerate(missing) if not count]
    for number in known:
        for child in plan.children[number]:
            levels[child] = max(levels[child], levels[number] + 1)
            missing[child] -= 1
            if not missing[child]:
                known.append(child)
    return tuple(levels)
