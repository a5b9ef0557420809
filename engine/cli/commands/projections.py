"""`flowledger projections`: how read models stand, and what an operator can have done with them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.commands.parked_events import (
    exit_unless,
    indented,
    name_argument,
    parked,
)
from flowledger.engine.cli.options import json_option, task_id_of, word_options
from flowledger.engine.cli.output import tell_either, tell_row
from flowledger.engine.client.projections import Projections
from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.argument_checks import LAST_POSITION
from flowledger.engine.domain.failures.tracebacks import lines_of
from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.ports.projection_admin import ProjectionStatus, Rebuild, RebuildStatus

SOME_TASKS_SECONDS = 30.0
"""So long a rebuild of some tasks' rows is waited for where nothing else is said."""


def status_fields(row: ProjectionStatus) -> dict[str, Any]:
    """A generation as JSON; times are in seconds, rounded to milliseconds."""
    fields = {name: getattr(row, name) for name in ProjectionStatus.__slots__}
    for name in ("lag_seconds", "rate", "seconds_left"):
        value = fields[name]
        fields[name] = None if value is None else round(value, 3)
    return fields


def status_sentence(row: ProjectionStatus) -> str:
    """A generation in a line."""
    kind = "inline" if row.state == "inline" else f"generation {row.generation}"
    built = ", being built" if row.state == "building" else ""
    well = "" if row.healthy else "  NOT WELL"
    return (
        f"{row.name} {row.version} ({kind}{built}): {row.standing.replace('_', ' ')},"
        f" at {row.position} of {row.head}{_behind(row)}{_parked(row)}{_code(row)}{well}"
    )


def status_lines(row: ProjectionStatus, traceback: str | None = None) -> list[str]:
    """A generation in a line, and below it why it stands still and who runs it."""
    return [status_sentence(row), *_details(row, traceback)]


def _behind(row: ProjectionStatus) -> str:
    if not row.behind:
        return ""
    left = "" if row.seconds_left is None else f", about {row.seconds_left:.0f} s left"
    return f", {row.behind} behind ({row.lag_seconds:.1f} s){left}"


def _parked(row: ProjectionStatus) -> str:
    parked = f", {row.parked} parked" if row.parked else ""
    return f"{parked}, {row.skipped} skipped" if row.skipped else parked


def _code(row: ProjectionStatus) -> str:
    return f", code changed since it was built (version {row.version})" if row.code_changed else ""


def _details(row: ProjectionStatus, traceback: str | None) -> list[str]:
    lines: list[str] = []
    if row.failure is not None:
        tried = "once" if row.failures == 1 else f"{row.failures} times"
        lines.append(f"  it failed {tried} at position {row.failed_position}: {row.failure}")
        lines += indented(traceback)
    if row.host is not None:
        lines.append(f"  process {row.pid} on {row.host} runs it")
    if row.rate is not None:
        lines.append(f"  {row.rate:.0f} events/s since {row.created_at}")
    if row.moved_at is not None:
        lines.append(f"  it last moved at {row.moved_at}")
    return lines


@click.group("projections")
def projections() -> None:
    """Read models: what stands where, rebuilds, and events that were put aside.

    \b
    Example: flowledger projections list
    """


@projections.command("list")
@json_option("Print one JSON object a line.")
def list_projections(*, as_json: bool) -> None:
    """Show every projection: how far it is, and why it stands still. Exit code 1: one is not well.

    \b
    Example: flowledger projections list
    """
    with client() as engine:
        rows = engine.projections.list()
    for row in rows:
        tell_row(status_fields(row), status_sentence(row), as_json=as_json)
    exit_unless(all(row.healthy for row in rows))


@projections.command("status")
@name_argument
@click.option("-v", "--verbose", is_flag=True, help="Show where its method raised.")
@json_option("Print one JSON object a line.")
def status(name: str, *, verbose: bool, as_json: bool) -> None:
    """Show one projection, and what is being built of it. Exit code 1: it is not well.

    \b
    Example: flowledger projections status flowledger_history
    """
    with client() as engine:
        engine.projections.status(name)
        rows = [row for row in engine.projections.list() if row.name == name]
        raised = [_traceback(engine.projections, row) if verbose else None for row in rows]
    for row, traceback in zip(rows, raised, strict=True):
        more = {"traceback": lines_of(traceback)} if verbose else {}
        tell_either(status_fields(row) | more, status_lines(row, traceback), as_json=as_json)
    exit_unless(all(row.healthy for row in rows))


def _traceback(found: Projections, row: ProjectionStatus) -> str | None:
    if not row.failed_position:
        return None
    return found.traceback(row.name, generation=row.generation, position=row.failed_position)


@projections.command("pause")
@name_argument
@word_options
@json_option("Print one JSON object.")
def pause(name: str, *, as_json: bool, reason: str, actor: str) -> None:
    """Let a projection stand still until it is resumed.

    \b
    Example: flowledger projections pause customer_spend --reason 'the bank sends nonsense'
    """
    with client() as engine:
        engine.projections.pause(name, actor=actor, reason=reason)
    fields = {"name": name, "paused": True}
    tell_either(fields, f"{name} is paused", as_json=as_json)


@projections.command("resume")
@name_argument
@word_options
@json_option("Print one JSON object.")
def resume(name: str, *, as_json: bool, reason: str, actor: str) -> None:
    """Let a projection go on; one that waits at an event that failed tries it at once.

    \b
    Example: flowledger projections resume customer_spend --reason 'the bank is well again'
    """
    with client() as engine:
        engine.projections.resume(name, actor=actor, reason=reason)
    fields = {"name": name, "paused": False}
    tell_either(fields, f"{name} goes on", as_json=as_json)


@projections.command("skip")
@name_argument
@click.option(
    "--position",
    type=click.IntRange(1, LAST_POSITION),
    required=True,
    help="Of the event, as `projections status` has it.",
)
@word_options
@json_option("Print one JSON object.")
def skip(name: str, *, position: int, as_json: bool, reason: str, actor: str) -> None:
    """Have a projection pass over the event at which it stands.

    The event stays in `projections parked list`, from where it can be retried. A rebuild of the
    whole projection tries it again.

    \b
    Example: flowledger projections skip customer_spend --position 1234 --reason 'never billed'
    """
    with client() as engine:
        skipped = engine.projections.skip(name, position=position, actor=actor, reason=reason)
    fields = {"name": name, "position": position, **skipped._asdict()}
    task = f" of task {skipped.task_id}" if skipped.task_id else ""
    said = f"{name}: passed over {position}: {skipped.topic}{task}: {on_one_line(skipped.error)}"
    tell_either(fields, said, as_json=as_json)


@projections.command("remove")
@name_argument
@word_options
@json_option("Print one JSON object.")
def remove(name: str, *, as_json: bool, reason: str, actor: str) -> None:
    """Forget a projection that nobody runs any more, with its tables and views.

    A process that has its code makes it anew, from the beginning of the log.

    \b
    Example: flowledger projections remove customer_spend --reason 'nobody reads it'
    """
    with client() as engine:
        engine.projections.remove(name, actor=actor, reason=reason)
    tell_either({"name": name, "removed": True}, f"{name} is removed", as_json=as_json)


@projections.command("rebuild")
@name_argument
@click.option("--task", "task", metavar="TASK", callback=task_id_of, help="Only this task's rows.")
@click.option("--template", metavar="NAMESPACE/NAME@VERSION", help="Only this template's tasks.")
@click.option("--cancel", is_flag=True, help="Give up what is being built.")
@click.option(
    "--wait",
    is_flag=False,
    flag_value=LONGEST_SECONDS,
    type=click.FloatRange(0, LONGEST_SECONDS),
    metavar="[SECONDS]",
    help="Wait until it is done, or so long. Default: 30 for some tasks' rows, else 0.",
)
@click.option("--key", metavar="TEXT", help="With the same key, asking twice is asking once.")
@word_options
@json_option("Print one JSON object.")
def rebuild(  # noqa: PLR0913 - its options
    name: str,
    task: UUID | None,
    template: str | None,
    *,
    cancel: bool,
    wait: float | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Make a projection's rows anew from the log, while the old ones go on serving.

    A process that runs the projection does it; `projections status` shows how far it is. The rows
    of one task, or of one template's tasks, are made anew in place, where the projection can tell
    them apart. With --wait the exit code is 1 where the whole is not built within the time.

    \b
    Example: flowledger projections rebuild customer_spend --reason 'a row is wrong'
    """
    if sum((task is not None, template is not None, cancel)) > 1:
        raise click.UsageError("--task, --template and --cancel exclude one another")
    with client() as engine:
        standing = engine.projections
        if cancel:
            given_up = standing.cancel_rebuild(name, actor=asked["actor"], reason=asked["reason"])
            tell_either(
                {"name": name, "cancelled": given_up}, f"given up: {given_up}", as_json=as_json
            )
            return
        begun = standing.rebuild(name, task=task, template=template, **asked)
        if wait is None and begun.kind == "generation":
            tell_either(_fields(begun), _is_to_be_built(begun), as_json=as_json)
            return
        ended = standing.wait_for_rebuild(begun, SOME_TASKS_SECONDS if wait is None else wait)
    failed = f": {ended.error}" if ended.error else ""
    tell_either(
        _fields(begun) | ended._asdict(), f"{_stands(begun, ended)}{failed}", as_json=as_json
    )
    exit_unless(ended.state == "done" or (ended.state == "asked" and begun.kind == "tasks"))


def _fields(begun: Rebuild) -> dict[str, Any]:
    number = "generation" if begun.kind == "generation" else "rebuild"
    return {"name": begun.projection, number: begun.number}


def _is_to_be_built(begun: Rebuild) -> str:
    name = begun.projection
    return f"{name}: generation {begun.number} is to be built; see `projections status {name}`"


def _stands(begun: Rebuild, ended: RebuildStatus) -> str:
    if begun.kind == "tasks":
        return f"{begun.projection}: {ended.state}, tasks rebuilt: {ended.tasks}"
    if ended.state == "asked":
        return _is_to_be_built(begun)
    return f"{begun.projection}: generation {begun.number}: {ended.state}"


projections.add_command(parked)
