"""`flowledger status`, `history`, `explain`: what became of a task, and why it does not end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from rich.text import Text

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.command_setup import program_settings, rules_of, stored_tasks
from flowledger.engine.cli.options import json_option, optional_task_argument, task_argument
from flowledger.engine.cli.output import say, tell, tell_json
from flowledger.engine.cli.task_progress import COLOURS
from flowledger.engine.cli.timeline import event_facts, table, timeline
from flowledger.engine.client.explain import load_current, load_explanation
from flowledger.engine.client.status_text import Outlook
from flowledger.engine.display_text import moment
from flowledger.engine.domain.event_text import traceback_lines
from flowledger.engine.domain.explain.explain import not_taken_on
from flowledger.engine.domain.explain.reasons import Explanation, Reason
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.errors import UnknownTask
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.client import Tasks
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.engine.store.schema.startup_migration import bring_up_to_date

VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Show where handlers raised.")


@click.command("status")
@task_argument
@VERBOSE
@json_option("Print one JSON object.")
def status(task_id: UUID, *, verbose: bool, as_json: bool) -> None:
    """Show where a task and each of its steps stand.

    \b
    Example: flowledger status 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071
    """
    settings = program_settings(quiet=True)
    with stored_tasks(settings) as tasks:
        found = _status(tasks, rules_of(settings), task_id)
        if verbose:
            _add_errors(found["steps"], tasks.history(task_id))
    if as_json:
        tell_json(found)
    else:
        say(_status_lines(found))


@click.command("history")
@optional_task_argument
@VERBOSE
@click.option("--engine", "of_engine", is_flag=True, help="Of the engine itself, not of a task.")
@click.option("--timeline", "as_timeline", is_flag=True, help="Show steps indented by depth.")
@json_option("Print one JSON object a line.")
def history(
    task_id: UUID | None, *, verbose: bool, of_engine: bool, as_timeline: bool, as_json: bool
) -> None:
    """Show every event of a task: position, time, stream, version, what happened, who wrote it.

    With --engine, what operators did to the engine itself: to projections, shards, parked tasks.

    \b
    Example: flowledger history 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 --json
    """
    if of_engine:
        if task_id is not None or as_timeline:
            raise click.UsageError("--engine excludes a TASK and --timeline")
        history_of_engine(as_json=as_json)
        return
    if task_id is None:
        raise click.UsageError("expected a TASK, or --engine")
    with stored_tasks(program_settings(quiet=True)) as tasks:
        events = tasks.history(task_id)
        if not events and not tasks.known(task_id):
            raise UnknownTask(task_id)
        lines = (
            _timeline(tasks, events, verbose=verbose)
            if as_timeline
            else table(events, verbose=verbose)
        )
    if as_json:
        for recorded in events:
            tell_json(event_facts(recorded))
    else:
        say(lines)


def history_of_engine(*, as_json: bool) -> None:
    """Tell what happened to the engine itself, in the order of the log."""
    settings = program_settings(quiet=True)
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with command_sessions(url, settings) as pool:
        events = list(EngineLog().events(pool))
    if as_json:
        for recorded in events:
            tell_json(event_facts(recorded))
    elif events:
        say(table(events))
    else:
        tell("nothing was done to the engine yet")


def _timeline(tasks: Tasks, events: Iterable[Recorded], *, verbose: bool) -> Iterable[Text]:
    history = list(events)
    created = history[0].event if history else None
    if not isinstance(created, TaskCreated):
        return ()
    plan = compile_plan(tasks.template(created.template_id))
    return timeline(history, plan, verbose=verbose)


def _add_errors(steps: dict[str, Any], events: Iterable[Recorded]) -> None:
    """To each step that stands in error or waits for a retry, how its last attempt failed."""
    last = {
        recorded.event.step: recorded.event
        for recorded in events
        if isinstance(recorded.event, StepAttemptFailed)
    }
    for name, failed in last.items():
        if steps[name]["state"] in {StepState.ERROR, StepState.WAITING_FOR_RETRY}:
            error = failed.error.model_dump(mode="json")
            steps[name]["error"] = {**error, "traceback": traceback_lines(failed)}


def _status(tasks: Tasks, rules: AdmissionRules, task_id: UUID) -> dict[str, Any]:
    present = load_current(tasks, rules, task_id)
    scene, row = present.scene, present.snapshot.task
    if scene is None or row is None:
        parked = present.beside.parked is not None
        told = () if present.faults and not parked else not_taken_on(task_id, None, present.beside)
        return {
            "task": str(task_id),
            "state": TaskState.SUBMITTED if row is None else row.state,
            "words": [*present.untold, *(one.sentence for one in told)],
            "steps": {
                one.step: {"state": one.state, "attempts": one.attempt, "due_at": None, "words": ""}
                for one in present.snapshot.steps
            },
        }
    run, outlook = scene.run, Outlook(scene)
    return {
        "task": str(task_id),
        "state": run.task.state,
        "paused": run.task.paused,
        "template": f"{row.namespace}/{row.template}@{row.version}",
        "correlation_id": row.correlation_id,
        "created_at": row.created_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        **outlook.summary(),
        "words": [*present.faults, *outlook.task()],
        "steps": _steps(run, outlook),
    }


def _steps(run: TaskRun, outlook: Outlook) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, (template, step) in enumerate(zip(run.plan.steps, run.steps, strict=True)):
        timer = run.timers.get(number)
        found[template.name] = {
            "state": step.state,
            "attempts": step.attempt,
            "due_at": timer[1].isoformat() if timer and timer[0] == "retry" else None,
            "words": outlook.step(template.name),
        }
    return found


def _status_lines(found: dict[str, Any]) -> Iterable[Text]:
    paused = ", paused" if found.get("paused") else ""
    for key, value in {**found, "state": f"{found['state']}{paused}"}.items():
        if key not in {"steps", "words", "paused"}:
            yield Text(f"{key.replace('_', ' '):<21} {value if value is not None else '-'}")
    for words in found["words"]:
        yield Text(words, "bold")
    wide = max(map(len, found["steps"]), default=0)
    for name, step in found["steps"].items():
        state = StepState(step["state"])
        yield Text.assemble(
            f"  {name:<{wide}}  ", (f"{state:<17}", COLOURS[state]), f"  {step['words']}"
        )
        for line in step.get("error", {}).get("traceback", ()):
            yield Text(f"{'':>{wide + 2}}  | {line}", "dim")


def _moment(
    context: click.Context, option: click.Parameter, value: str | None
) -> datetime | int | None:
    if value is None:
        return None
    if value.isdecimal():
        return int(value)
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        fault = f"{value!r} is neither a position nor a time such as 2026-01-31T12:00:00Z"
        raise click.BadParameter(fault, context, option) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


@click.command("explain")
@task_argument
@click.argument("step", metavar="[STEP]", required=False)
@click.option(
    "--at",
    callback=_moment,
    metavar="TIME|POSITION",
    help="As of then, from the log alone. A time without a zone is UTC.",
)
@json_option("Print one JSON object.")
def explain(task_id: UUID, step: str | None, *, at: datetime | int | None, as_json: bool) -> None:
    """Say why a task has not ended or, with STEP, why that step does not run.

    The most decisive reason comes first. Each tells the event that it comes from and the earliest
    time at which it can change, where there is one.

    \b
    Example: flowledger explain 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 charge
    """
    settings = program_settings(quiet=True)
    with stored_tasks(settings) as tasks:
        found = load_explanation(tasks, rules_of(settings), task_id, step, at)
    if as_json:
        tell_json(found.as_json(), _text)
    else:
        say(explanation_lines(found))


def explanation_lines(found: Explanation) -> Iterator[Text]:
    """An explanation for people."""
    subject = f"task {found.task_id}" if found.step is None else f"step {found.step}"
    as_of = f", as of position {found.position}" if found.log_only else ""
    yield Text(f"{subject} is {found.state.value}{as_of} ({moment(found.now)})", "bold")
    wide = max((len(reason.kind) for reason in found), default=0)
    for reason in found:
        yield Text.assemble("  ", (f"{reason.kind:<{wide}}", "cyan"), f"  {reason.sentence}")
        place = _place(reason, found.now)
        if place:
            yield Text(f"  {'':<{wide}}  {place}", "bright_black")
    if not found.reasons:
        yield Text("  nothing that the log knows of keeps it")
    if found.log_only:
        yield Text(f"not in the log: {', '.join(found.unrecorded)}", "bright_black")


def _place(reason: Reason, now: datetime) -> str:
    parts: list[str] = []
    if reason.cause is not None:
        parts.append(f"since event {reason.cause.position}, {reason.cause.topic}")
    if reason.earliest is not None:
        due = "due since" if reason.earliest <= now else "may change at"
        parts.append(f"{due} {moment(reason.earliest)}")
    if reason.command is not None:
        parts.append(f"run: {reason.command}")
    return "; ".join(parts)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
