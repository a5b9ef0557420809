"""`flowledger projections`: how read models stand, and what an operator can have done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import click

from flowledger.engine.cli.options import json_option, task_id_of, word_options
from flowledger.engine.cli.output import tell, tell_either
from flowledger.engine.cli.session import client
from flowledger.engine.client.projections import Projections
from flowledger.engine.domain.submission import LAST_POSITION
from flowledger.engine.ports.projections import ParkedEvent, ProjectionStatus
from flowledger.engine.text import on_one_line

F = TypeVar("F", bound=Callable[..., Any])

UNHEALTHY = 1


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
        f" at {row.position} of {row.head}{_behind(row)}{_parked(row)}{well}"
    )


def status_lines(row: ProjectionStatus) -> list[str]:
    """A generation in a line, and below it why it stands still and who runs it."""
    return [status_sentence(row), *_details(row)]


def _behind(row: ProjectionStatus) -> str:
    if not row.behind:
        return ""
    left = "" if row.seconds_left is None else f", about {row.seconds_left:.0f} s left"
    return f", {row.behind} behind ({row.lag_seconds:.1f} s){left}"


def _parked(row: ProjectionStatus) -> str:
    parked = f", {row.parked} parked" if row.parked else ""
    return f"{parked}, {row.skipped} skipped" if row.skipped else parked


def _details(row: ProjectionStatus) -> list[str]:
    lines: list[str] = []
    if row.failure is not None:
        tried = "once" if row.failures == 1 else f"{row.failures} times"
        lines.append(f"  it failed {tried} at position {row.failed_position}: {row.failure}")
    if row.host is not None:
        lines.append(f"  process {row.pid} on {row.host} runs it")
    if row.rate is not None:
        lines.append(f"  {row.rate:.0f} events/s since {row.created_at}")
    if row.moved_at is not None:
        lines.append(f"  it last moved at {row.moved_at}")
    return lines


def parked_fields(row: ParkedEvent) -> dict[str, Any]:
    """A parked event as JSON."""
    return {name: getattr(row, name) for name in ParkedEvent.__slots__}


def parked_sentence(row: ParkedEvent) -> str:
    """A parked event in a line."""
    wanted = (
        f" (to be {'retried' if row.requested_action == 'retry' else 'dropped'})"
        if row.requested_action
        else ""
    )
    task = f" of task {row.task_id}" if row.task_id else ""
    skipped = " (skipped)" if row.skipped_at else ""
    return f"{row.position}: {row.topic}{task}{skipped}{wanted}: {row.error}"


def name_argument(command: F) -> F:
    """The projection that a command is about."""
    return click.argument("name")(command)


def some_options(command: F) -> F:
    """Which parked events a command is about: one, those of a task, or all."""
    task = click.option("--task", "task", metavar="TASK", callback=task_id_of, help="Of this task.")
    place = click.option(
        "--position", type=click.IntRange(1, LAST_POSITION), help="The one at this position."
    )
    every = click.option("--all", "every", is_flag=True, help="All of them.")
    return task(place(every(command)))


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
        tell_either(status_fields(row), status_sentence(row), as_json=as_json)
    _exit(all(row.healthy for row in rows))


@projections.command("status")
@name_argument
@json_option("Print one JSON object a line.")
def status(name: str, *, as_json: bool) -> None:
    """Show one projection, and what is being built of it. Exit code 1: it is not well.

    \b
    Example: flowledger projections status flowledger_history
    """
    with client() as engine:
        engine.projections.status(name)
        rows = [row for row in engine.projections.list() if row.name == name]
    for row in rows:
        tell_either(status_fields(row), status_lines(row), as_json=as_json)
    _exit(all(row.healthy for row in rows))


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
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for some tasks' rows.",
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
    wait: float,
    as_json: bool,
    **asked: Any,
) -> None:
    """Make a projection's rows anew from the log, while the old ones go on serving.

    A process that runs the projection does it; `projections status` shows how far it is. The rows
    of one task, or of one template's tasks, are made anew in place, where the projection can tell
    them apart.

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
        number = standing.rebuild(name, task=task, template=template, **asked)
        if task is None and template is None:
            sentence = (
                f"{name}: generation {number} is to be built; see `projections status {name}`"
            )
            tell_either({"name": name, "generation": number}, sentence, as_json=as_json)
            return
        state, tasks, error = standing.wait_for_rebuild(number, wait)
    fields = {"name": name, "rebuild": number, "state": state, "tasks": tasks, "error": error}
    failed = f": {error}" if error else ""
    tell_either(fields, f"{name}: {state}, tasks rebuilt: {tasks}{failed}", as_json=as_json)
    _exit(state in {"asked", "done"})


@projections.group("parked")
def parked() -> None:
    """Events that a projection put aside because its methods failed on them.

    \b
    Example: flowledger projections parked list customer_spend
    """


@parked.command("list")
@name_argument
@json_option("Print one JSON object a line.")
def list_parked(name: str, *, as_json: bool) -> None:
    """Show what was put aside, or passed over by `projections skip`, in the order of the log.

    \b
    Example: flowledger projections parked list customer_spend
    """
    with client() as engine:
        rows = engine.projections.parked(name)
    for row in rows:
        tell_either(parked_fields(row), parked_sentence(row), as_json=as_json)
    if not rows and not as_json:
        tell("nothing is parked")


@parked.command("retry")
@name_argument
@some_options
@word_options
@json_option("Print one JSON object.")
def retry(name: str, **asked: Any) -> None:
    """Have events applied that were put aside, in the order of the log.

    \b
    Example: flowledger projections parked retry customer_spend --all --reason 'the rule is mended'
    """
    _settle("retried", lambda standing: standing.retry_parked, name, **asked)


@parked.command("drop")
@name_argument
@some_options
@word_options
@json_option("Print one JSON object.")
def drop(name: str, **asked: Any) -> None:
    """Have events forgotten that were put aside; the log keeps them.

    \b
    Example: flowledger projections parked drop customer_spend --position 1234 --reason 'a test'
    """
    _settle("dropped", lambda standing: standing.drop_parked, name, **asked)


def _settle(  # noqa: PLR0913 - the options of two commands
    done: str,
    verb: Callable[[Projections], Callable[..., int]],
    name: str,
    *,
    task: UUID | None,
    position: int | None,
    every: bool,
    as_json: bool,
    **word: str,
) -> None:
    _one_of(task, position, every=every)
    with client() as engine:
        asked = verb(engine.projections)(name, task=task, position=position, **word)
    if asked:
        said = f"to be {done}: {asked}; see `projections parked list {name}`"
    else:
        where = f" of task {task}" if task else f" at position {position}" if position else ""
        said = f"nothing is parked{where}"
    tell_either({"name": name, done: asked}, said, as_json=as_json)
    _exit(every or asked > 0)


def _one_of(task: UUID | None, position: int | None, *, every: bool) -> None:
    given: Sequence[bool] = (task is not None, position is not None, every)
    if sum(given) != 1:
        raise click.UsageError("expected one of --task, --position and --all")


def _exit(well: bool) -> None:  # noqa: FBT001 - the one thing there is to say
    if not well:
        raise click.exceptions.Exit(UNHEALTHY)
