"""The same asked of many tasks: of those that are named, or of all that a filter finds.

Each task is asked by itself, so none keeps the others from their answer. All requests are stored
before the first answer is waited for: the coordinators answer them together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, cast

import click

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.output import tell, tell_json
from flowledger.engine.cli.request_answers import (
    NOT_DONE,
    about_task,
    asked,
    awaited,
    stands,
    tell_answer,
    telling_why_it_waits,
)
from flowledger.engine.cli.task_filter import filter_of, says_anything, tell_of_late_tags
from flowledger.engine.client.engine import Engine
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.client.stored_request import Request
from flowledger.engine.client.task_list import TaskFilter
from flowledger.engine.domain.argument_checks import check_request, task_id_of
from flowledger.engine.domain.machine.transitions import TASK_TRANSITIONS, TaskState
from flowledger.engine.errors import InvalidRequest, LogCorrupt, TaskNotCreated, UnknownTask
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.task import (
    TaskCancelled,
    TaskPaused,
    TaskReopened,
    TaskResolvedManually,
    TaskResumed,
)

A_PAGE = 1_000

OUTCOMES: Mapping[str, type[TaskEvent]] = MappingProxyType(
    {
        "cancel": TaskCancelled,
        "pause": TaskPaused,
        "resume": TaskResumed,
        "reset": TaskReopened,
        "resolve": TaskResolvedManually,
    }
)
PAUSED: Mapping[str, bool] = MappingProxyType({"pause": False, "resume": True})


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one task: as JSON, as a line, and whether it went as was asked."""

    facts: dict[str, Any]
    line: str
    well: bool = True


def ask_tasks(verb: str, tasks: Sequence[str], options: dict[str, Any]) -> None:
    """Ask it of the tasks, or of those that the options find; exit with 1 where it is not done.

    One task that is named is told of as it always was, and is bad input where there is none.
    """
    as_json, dry_run, yes, limit = (
        options.pop(name) for name in ("as_json", "dry_run", "yes", "limit")
    )
    filters, asking = filter_of(options), cast("RequestOptions", options)
    tasks = tuple(dict.fromkeys(tasks))
    _check_usage(tasks, filters, limit)
    if not dry_run:
        _check_asking(verb, asking)
    alone = task_id_of(tasks[0]) if len(tasks) == 1 and not dry_run else None
    with client() as engine:
        if alone is not None:
            task = engine.task(alone)
            with telling_why_it_waits(engine, alone, asking):
                answer = asked(getattr(task, verb), asking)
            tell_answer(answer, about_task(task), as_json=as_json)
            return
        found = None if tasks else found_by(engine, verb, filters, limit)
        if found is not None and not (dry_run or yes) and not _confirmed(verb, found, as_json):
            raise SystemExit(NOT_DONE)
        if dry_run:
            told = named(engine, verb, tasks) if found is None else (would(verb, f) for f in found)
        else:
            names = tasks if found is None else [about["task"] for about in found]
            told = asked_each(engine, verb, names, asking)
        well, ill = tell_all(told, as_json=as_json)
    if not as_json:
        tell(_summary(verb, well, ill, dry_run=dry_run))
    if ill:
        raise SystemExit(NOT_DONE)


def _check_usage(tasks: Sequence[str], filters: TaskFilter, limit: int | None) -> None:
    if tasks and (says_anything(filters) or limit is not None):
        raise click.UsageError("expected TASKs, or options that find some, and not both")
    if not tasks and not says_anything(filters):
        raise click.UsageError("expected a TASK, or options that find some, such as --state")


def _check_asking(verb: str, asking: RequestOptions) -> None:
    """Refuse words that no request can have, before the first one is stored."""
    words: dict[str, Any] = {**asking}
    if words["reason"] is None:
        context = click.get_current_context()
        raise click.MissingParameter(ctx=context, param_hint="'--reason'", param_type="option")
    check_request(verb, {name: words[name] for name in ("reason", "actor")}, words["key"])


def _confirmed(verb: str, found: Sequence[object], as_json: bool) -> bool:  # noqa: FBT001 - passed on
    """Whether so many are meant. Raises UsageError where nobody can be asked."""
    if not found:
        return True
    if as_json or not sys.stdin.isatty():
        raise click.UsageError(
            f"this would {verb} {_tasks(len(found))}: say --yes, or look at them with --dry-run"
        )
    return click.confirm(f"{verb} {_tasks(len(found))}?", err=True)


def _summary(verb: str, well: int, ill: int, *, dry_run: bool) -> str:
    if not well + ill:
        return "there are no such tasks"
    if dry_run:
        return f"{_tasks(well + ill)}; nothing was asked"
    return f"{verb}: {well} of {_tasks(well + ill)}"


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def states_for(verb: str) -> tuple[TaskState, ...]:
    """The states in which a task can be asked for it; what is only submitted is pending soon."""
    if verb == "fail":
        return (TaskState.BLOCKED,)
    states = {state for state, event in TASK_TRANSITIONS if event is OUTCOMES[verb]}
    if TaskState.PENDING in states:
        states.add(TaskState.SUBMITTED)
    return tuple(sorted(states))


def found_by(
    engine: Engine, verb: str, filters: TaskFilter, limit: int | None
) -> Sequence[dict[str, Any]]:
    """The tasks that the filter finds, and where they stand, the newest first, at most so many.

    Where it says nothing of states, only those are meant that can be asked for it.
    """
    if filters.get("states") is None:
        filters = {**filters, "states": states_for(verb)}
        if filters.get("paused") is None:
            filters["paused"] = PAUSED.get(verb)
    found: list[dict[str, Any]] = []
    after: str | None = None
    while limit is None or len(found) < limit:
        size = A_PAGE if limit is None else min(A_PAGE, limit - len(found))
        page = engine.tasks(limit=size, after=after, **filters)
        found += [
            {"task": str(task.id), "state": task.state.value, "paused": task.paused}
            for task in page
        ]
        after = page.next
        if after is None:
            break
    if filters.get("tags") is not None:
        tell_of_late_tags(engine)
    return found


def named(engine: Engine, verb: str, tasks: Iterable[str]) -> Iterator[Told]:
    """Where the named tasks stand that would be asked; nothing is stored."""
    for task in tasks:
        try:
            about = about_task(engine.task(task))
        except (InvalidRequest, LogCorrupt, UnknownTask) as error:
            yield _wrong(task, error)
        else:
            yield would(verb, about)


def would(verb: str, about: dict[str, Any]) -> Told:
    """A task that would be asked, and whether it could be granted as it stands now."""
    paused = PAUSED.get(verb, about["paused"])
    fits = TaskState(about["state"]) in states_for(verb) and about["paused"] is paused
    line = f"would {verb}" if fits else f"would {verb}, and be refused"
    return Told({**about, "dry_run": True, "grantable": fits}, f"{line}: {stands(about)}")


def asked_each(
    engine: Engine, verb: str, tasks: Sequence[str], asking: RequestOptions
) -> Iterator[Told]:
    """Ask each of the tasks, and tell what was answered, in their order."""
    stored = [_store(engine, verb, task, asking) for task in tasks]
    timeout = asking.get("timeout")
    seconds = engine.settings.submit.request_timeout_seconds if timeout is None else timeout
    deadline = monotonic() + seconds
    first = True
    for request in stored:
        if isinstance(request, Told):
            yield request
            continue
        with telling_why_it_waits(engine, request.task_id, asking) if first else nullcontext():
            answer = awaited(request, seconds, max(0.0, deadline - monotonic()))
        first = False
        about = about_task(engine.task(request.task_id))
        line = f"task {request.task_id}: {answer.said}" if answer.failed else stands(about)
        word = answer.answer if answer.failed else answer.said
        yield Told(answer.facts(about), f"{word}: {line}", not answer.failed)


def tell_all(told: Iterable[Told], *, as_json: bool) -> tuple[int, int]:
    """Print a line for each task; how many went well, and how many did not."""
    counts = [0, 0]
    for one in told:
        if as_json:
            tell_json(one.facts)
        else:
            tell(one.line, err=not one.well)
        counts[0 if one.well else 1] += 1
    return counts[0], counts[1]


def _store(engine: Engine, verb: str, task: str, asking: RequestOptions) -> Request | Told:
    try:
        found: Request = getattr(engine.task(task), verb)(**{**asking, "timeout": 0})
    except (InvalidRequest, TaskNotCreated, UnknownTask) as error:
        return _wrong(task, error)
    return found


def _wrong(task: str, error: Exception) -> Told:
    facts = {"task": task, "answer": "error", "message": str(error)}
    return Told(facts, f"error: {error}", well=False)
