"""`flowledger result`: what the steps of a task returned."""

from __future__ import annotations

import json
from uuid import UUID

import click

from flowledger.engine.cli.command_setup import program_settings, stored_tasks
from flowledger.engine.cli.options import json_option, task_argument
from flowledger.engine.cli.output import tell, tell_either
from flowledger.engine.client.step_results_and_errors import (
    errors_in,
    results_in,
    unreadable_of_step,
)
from flowledger.engine.display_text import nearest, on_one_line
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.errors import UnknownStep, UnknownTask
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.unreadable import unreadable_in
from flowledger.engine.ports.client import Snapshot, Tasks

NO_RESULT = 1


@click.command("result")
@task_argument
@click.argument("step", metavar="[STEP]", required=False)
@json_option("Print one JSON value.")
def result(task_id: UUID, step: str | None, *, as_json: bool) -> None:
    """Print the results that a task has so far, a line each or, with STEP, that step's, as JSON.

    It does not wait. Exit code 1 where STEP has no result (where it failed, it says of what), and
    where an event of the task, or of STEP, cannot be read: standard error says which.

    \b
    Example: flowledger result 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 charge
    """
    with stored_tasks(program_settings(quiet=True)) as tasks:
        found = tasks.snapshot(task_id)
        if not found.history and not tasks.known(task_id):
            raise UnknownTask(task_id)
        results = results_in(found.history)
        state = None if step is None or step in results else _state_of(step, found, tasks, task_id)
    if step is None:
        unreadable = unreadable_in(found.history)
        tell_either(results, _lines(results, found, unreadable), as_json=as_json)
    else:
        unreadable = unreadable_of_step(found.history, task_id, step)
        if state is None:
            tell_either(results[step], shown(results[step]), as_json=as_json)
        elif not unreadable:
            why = errors_in(found.history).get(step)
            failed = "" if why is None else f", {on_one_line(why)}"
            tell(f"step {step!r} of task {task_id} has no result: it is {state}{failed}", err=True)
    for sentence in unreadable:
        tell(sentence, err=True)
    if unreadable or state is not None:
        raise SystemExit(NO_RESULT)


def _lines(results: dict[str, object], found: Snapshot, unreadable: list[str]) -> list[str]:
    """The results; where there are none, that it is so, if that is known."""
    stands = TaskState.SUBMITTED if found.task is None else found.task.state
    nothing = "no step has a result yet" if not unreadable else "no result can be read"
    return result_lines(results) or [f"{nothing}: the task is {stands}"]


def result_lines(results: dict[str, object]) -> list[str]:
    """The results of steps, a line each."""
    return [f"{name}: {shown(value)}" for name, value in results.items()]


def shown(value: object) -> str:
    """A result as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def _state_of(step: str, found: Snapshot, tasks: Tasks, task_id: UUID) -> str:
    """Where a step without a result stands. Raises UnknownStep, UnknownTemplate."""
    created = found.history[0].event if found.history else None
    if isinstance(created, TaskCreated):
        names = [one.name for one in tasks.template(created.template_id).steps]
        if step not in names:
            raise UnknownStep(task_id, step, nearest(step, names))
    return next((one.state for one in found.steps if one.step == step), StepState.PENDING)
