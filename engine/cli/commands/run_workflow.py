"""`flowledger run` and `submit`: one workflow to its end, or a task for others to run."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from threading import Event
from time import monotonic
from typing import Any

import click
from rich.console import Console

from flowledger.engine.cli import INTERRUPTED
from flowledger.engine.cli.child_processes import WorkerProcesses
from flowledger.engine.cli.command_setup import program_settings, workflows_of
from flowledger.engine.cli.commands.result import result_lines
from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.cli.options import (
    actor_option,
    context_option,
    dev_option,
    handlers_option,
    json_option,
    submission_options,
    task_id_of,
    time_scale_option,
)
from flowledger.engine.cli.output import tell, tell_either, tell_json
from flowledger.engine.cli.process_control import AGAIN, at_once, unwinding, waiting_for
from flowledger.engine.cli.step_lines import StepLines
from flowledger.engine.cli.task_progress import NAMES_SHOWN, Look, View, view_for
from flowledger.engine.client.engine import ALL_ROLES, Engine
from flowledger.engine.client.step_results_and_errors import error_facts_in, errors_in
from flowledger.engine.client.submission_to_event import OnDuplicate
from flowledger.engine.client.task import StepStatus, TaskHandle
from flowledger.engine.config import Settings
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.machine.transitions import TASK_ENDS, StepState, TaskState
from flowledger.engine.errors import DatabaseUnavailable, DuplicateTask

TASK_FAILED = 1
DONE = StepState.COMPLETE
MOST_RESULTS, LONGEST_RESULT = 20, 1_000
"""So many results, and characters of each, are shown to people; `flowledger result` shows all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended; `ran` is False where it had before it was asked for."""

    task: str
    state: TaskState
    seconds: float
    events: int
    steps: Mapping[str, StepStatus]
    errors: Mapping[str, str]
    error_facts: Mapping[str, Mapping[str, str | None]]
    ran: bool = True

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        steps = {
            name: {"state": step.state, "attempts": step.attempts, **self._error(name)}
            for name, step in self.steps.items()
        }
        found = {"task": self.task, "state": self.state, "ran": self.ran}
        return {
            **found,
            "seconds": round(self.seconds, 3),
            "events": self.events,
            "steps": steps,
            "results": self._results(),
        }

    def as_text(self) -> list[str]:
        """For people: results or what failed, and how it ended, a line each.

        Of very many results some are shown, and of long ones the beginning.
        """
        failed = [f"step {name!r}: {message}" for name, message in self.errors.items()]
        ended = f"task {self.task}: {self.state} after {self.seconds:.2f} s, {self.events} events"
        if not self.ran:
            ended = (
                f"nothing ran: the same was submitted before, as task {self.task},"
                f" which is {self.state}"
            )
        return [*(failed or self._result_lines()), ended]

    def _error(self, step: str) -> dict[str, Any]:
        return {"error": self.error_facts[step]} if step in self.error_facts else {}

    def _results(self) -> dict[str, Any]:
        done = ((name, one) for name, one in self.steps.items() if one.state is DONE)
        return {name: one.result for name, one in done if one.error is None}

    def _result_lines(self) -> list[str]:
        results = self._results()
        lines = [
            line if len(line) <= LONGEST_RESULT else f"{line[: LONGEST_RESULT - 1]}…"
            for line in result_lines(dict(islice(results.items(), MOST_RESULTS)))
        ]
        more = len(results) - len(lines)
        return [*lines, f"and {more} more: flowledger result {self.task}"] if more else lines


@click.command("run")
@click.argument("target", metavar="FILE")
@context_option
@handlers_option
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run the steps in N worker processes beside this one. Default: in this process.",
)
@time_scale_option
@dev_option
@actor_option("runs it")
@json_option("Print one JSON object at the end, and nothing before.")
def run(  # noqa: PLR0913 - one parameter for each option
    target: str,
    context: Any,
    handlers: str | None,
    processes: int | None,
    time_scale: float,
    *,
    dev: bool,
    actor: str,
    as_json: bool,
) -> None:
    """Run one workflow to its end: exit code 0 where it completes, 1 where it fails.

    At the end it prints what the steps returned, or what failed. Where the same was submitted
    before and has ended, nothing runs, and it says so.

    FILE is a task template in YAML or JSON, a recorded run in WfFormat 1.5 JSON, or a workflow in
    Python as `module:attribute`.

    \b
    Example: flowledger run orders.yaml --handlers shop.handlers --context '{"id": 7}'
    """
    settings = program_settings(quiet=True, dev=dev)
    (workflow,) = workflows_of([target], settings, handlers, time_scale)
    _refuse_early(workflow, context)
    options = ["--handlers", handlers] if handlers else []
    options += ["--dev"] if dev else []
    workers = WorkerProcesses(
        processes or 0,
        [*options, "--time-scale", str(time_scale), "--", target],
        settings,
    )
    view = view_for(Console(), settings.cli.refresh_per_second, as_json=as_json)
    with unwinding(), _answer_alone(as_json=as_json):
        beside = workers if processes else None
        outcome = run_to_end(Wanted(workflow, context, actor), settings, beside, view)
    if as_json:
        tell_json(outcome.as_json())
    else:
        for line in outcome.as_text():
            tell(line)
    if outcome.state is not TaskState.COMPLETE:
        sys.exit(TASK_FAILED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The task that is to run, and who runs it."""

    workflow: WorkflowLike[Any]
    context: Any
    actor: str | None = None


def run_to_end(
    wanted: Wanted, settings: Settings, workers: WorkerProcesses | None, view: View
) -> Outcome:
    """Submit a task, show its progress until it ends, and say how it ended.

    All roles run in this process; with workers, the coordinator only. Raises what `Engine.open`
    and `Engine.submit` raise.
    """
    roles = ALL_ROLES if workers is None else ("coordinator",)
    with Engine.open(workflows=[wanted.workflow], roles=roles, settings=settings) as engine:
        if workers is None:
            return _submit_and_watch(engine, wanted, None, view)
        with workers:
            return _submit_and_watch(engine, wanted, workers, view)


def _submit_and_watch(
    engine: Engine, wanted: Wanted, workers: WorkerProcesses | None, view: View
) -> Outcome:
    began = monotonic()
    task, ran = _submitted(engine, wanted)
    try:
        with view, _lines_above(engine.settings):
            refresh = engine.settings.cli.refresh_per_second
            _watch(task, wanted.workflow, workers, view, refresh)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, at_once())
        _say_farewell(engine, task, workers)
        sys.exit(INTERRUPTED)
    except SystemExit:
        _say_farewell(engine, task, workers)
        raise
    return _outcome(task, monotonic() - began, ran=ran)


def _submitted(engine: Engine, wanted: Wanted) -> tuple[TaskHandle, bool]:
    """The task, and whether anything of it is left to run."""
    try:
        task = engine.submit(
            wanted.workflow, wanted.context, actor=wanted.actor, on_duplicate="raise"
        )
    except DuplicateTask as stored:
        task = engine.task(stored.task_id)
        return task, task.state not in TASK_ENDS
    return task, True


def _say_farewell(engine: Engine, task: TaskHandle, workers: WorkerProcesses | None) -> None:
    """At once, as what runs has its grace before the program ends."""
    tell(f"stopping; task {task.id} goes on when a worker runs its workflow", err=True)
    if workers is not None:
        tell(f"waiting for the worker processes, at most {workers.drain:g} s; {AGAIN}", err=True)
    elif running := engine.running_steps:
        tell(waiting_for(running, engine.settings.worker.grace_seconds), err=True)


def _watch(
    task: TaskHandle,
    workflow: WorkflowLike[Any],
    workers: WorkerProcesses | None,
    view: View,
    looks_per_second: int,
) -> None:
    began = monotonic()
    ended = Event()
    steps = StepLines(workflow.template)
    with task.on_end(ended.set):
        while not ended.wait(1 / looks_per_second):
            _look(task, workflow, steps, view, monotonic() - began)
            if workers is not None and workers.gone is not None:
                raise click.ClickException(f"the worker processes ended with code {workers.gone}")
    _look(task, workflow, steps, view, monotonic() - began)


def _look(
    task: TaskHandle, workflow: WorkflowLike[Any], steps: StepLines, view: View, seconds: float
) -> None:
    try:
        progress = task.progress(NAMES_SHOWN)
        lines = steps.look(task.history()) if steps.few else ()
    except DatabaseUnavailable:
        return  # the roles go on when it is back, and so does this
    template = workflow.template
    said = progress.steps
    counts = Counter({state: said[state] for state in StepState if state in said})
    counts[StepState.PENDING] += len(template.steps) - counts.total()
    running = tuple(progress.running)
    total = len(template.steps)
    view.show(Look(template.key, task.id, total, dict(counts), running, seconds, lines))


def _outcome(task: TaskHandle, seconds: float, *, ran: bool) -> Outcome:
    history = task.history()
    steps = task.steps()
    unread = {name: one.error for name, one in steps.items() if one.state is DONE and one.error}
    return Outcome(
        task=str(task.id),
        state=task.state,
        seconds=seconds,
        events=len(history),
        steps=steps,
        errors={**errors_in(history), **unread},
        error_facts=error_facts_in(history),
        ran=ran,
    )


def _refuse_early(workflow: WorkflowLike[Any], context: Any) -> Sequence[str]:
    """Everything that can be refused is, before a database is started or a row is stored."""
    workflow.encode_context(context)
    return list(workflow.handlers)


@contextmanager
def _answer_alone(*, as_json: bool) -> Generator[None]:
    """With a JSON answer on standard output, what handlers print goes to standard error."""
    if not as_json:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _lines_above(settings: Settings) -> Generator[None]:
    """Log lines appear above the live progress: rich has replaced standard error by now."""
    configure_program_logging(settings.logging)
    try:
        yield
    finally:
        configure_program_logging(settings.logging, sys.__stderr__)


@click.command("submit")
@click.argument("target", metavar="TARGET")
@context_option
@handlers_option
@click.option("--key", metavar="TEXT", help="The idempotency key: one task for each key.")
@click.option(
    "--on-duplicate",
    type=click.Choice(["return", "raise"]),
    default="return",
    help="What to do where the task exists: print its id, or fail. Default: return.",
)
@click.option(
    "--task-id",
    metavar="TASK",
    callback=task_id_of,
    help="Its id, where an answer was lost: with the same id, submitting twice is submitting once.",
)
@submission_options
@dev_option
@json_option("Print one JSON object.")
def submit(  # noqa: PLR0913 - one parameter for each option
    target: str,
    context: Any,
    handlers: str | None,
    key: str | None,
    on_duplicate: OnDuplicate,
    *,
    dev: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Store a task and print its id; a coordinator and a worker take it on when they run.

    TARGET is a workflow: `module:attribute`, or a file.

    \b
    Example: flowledger submit shop.orders:orders --context '{"id": 7, "cents": 1999}'
    """
    settings = program_settings(quiet=True, dev=dev)
    (workflow,) = workflows_of([target], settings, handlers, 0.0)
    workflow.encode_context(context)
    with Engine.open(roles=(), settings=settings) as engine:
        task = engine.submit(
            workflow,
            context,
            idempotency_key=key,
            on_duplicate=on_duplicate,
            **said,
        )
        found = {"task": str(task.id), "state": task.state.value}
    tell_either(found, found["task"], as_json=as_json)
