"""`flowledger explain`: why a task has not ended, or why a step of it does not run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import click
from rich.text import Text

from flowledger.engine.cli.options import json_option, task_argument
from flowledger.engine.cli.output import say, tell_json
from flowledger.engine.cli.session import program_settings, rules_of, stored_tasks
from flowledger.engine.client.explain import explained
from flowledger.engine.domain.event_text import moment
from flowledger.engine.domain.explain.reasons import Explanation, Reason


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
        found = explained(tasks, rules_of(settings), task_id, step, at)
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
        place = _place(reason)
        if place:
            yield Text(f"  {'':<{wide}}  {place}", "bright_black")
    if not found.reasons:
        yield Text("  nothing that the log knows of keeps it")
    if found.log_only:
        yield Text(f"not in the log: {', '.join(found.unrecorded)}", "bright_black")


def _place(reason: Reason) -> str:
    parts: list[str] = []
    if reason.cause is not None:
        parts.append(f"since event {reason.cause.position}, {reason.cause.topic}")
    if reason.earliest is not None:
        parts.append(f"may change at {moment(reason.earliest)}")
    return "; ".join(parts)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
