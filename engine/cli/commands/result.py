"""`flowledger result`: what the steps of a task returned."""

from __future__ import annotations

import json
from uuid import UUID

import click

from flowledger.engine.cli.command_setup import program_settings, stored_tasks
from flowledger.engine.cli.options import json_option, task_argument
from flowledger.engine.cli.output import tell, tell_either
from flowledger.engine.client.step_results_and_errors import errors_in, results_in
from flowledger.engine.display_text import nearest, on_one_line
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.errors import UnknownStep, UnknownTask
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.client import Snapshot, Tasks

NO_RESULT = 1


@click.command("result")
@task_argument
@click.argument("step", metavar="[STEP]", required=False)
@json_option("Print one JSON value.")
def result(task_id: UUID, step: str | None, *, as_json: bool) -> None:
    """Print the results that a task has so far, a line each or, with STEP, that step's, as JSON.

    It does not wait. Exit code 1 where STEP has no result; where it failed, it says of what.

    \b
    Example: flowledger result 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 charge
    """
    with stored_tasks(program_settings(quiet=True)) as tasks:
        found = tasks.snapshot(task_id)
        if not found.history and not tasks.known(task_id):
            raise UnknownTask(task_id)
        results = results_in(found.history)
        state = None if step is None or step in results else _state_of(step, found, tasks, task_id)
    if state is not None:
        why = errors_in(found.history).get(step or "")
        failed = "" if why is None else f", {on_one_line(why)}"
        tell(f"step {step!r} of task {task_id} has no result: it is {state}{failed}", err=True)
        raise SystemExit(NO_RESULT)
    if step is not None:
        tell_either(results[step], shown(results[step]), as_json=as_json)
        return
    stands = TaskState.SUBMITTED if found.task is None else found.task.state
    nothing = [f"no step has a result yet: the task is {stands}"]
    tell_either(results, result_lines(results) or nothing, as_json=as_json)


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
