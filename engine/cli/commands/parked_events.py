"""`flowledger projections parked`: events that projections put aside, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import click

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.options import json_option, task_id_of, word_options
from flowledger.engine.cli.output import tell, tell_either, tell_row
from flowledger.engine.client.projections import Projections
from flowledger.engine.domain.argument_checks import LAST_POSITION
from flowledger.engine.domain.failures.tracebacks import lines_of
from flowledger.engine.ports.projection_admin import ParkedEvent

F = TypeVar("F", bound=Callable[..., Any])

UNHEALTHY = 1


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


def some_options(command: F) -> F:
    """Which parked events a command is about: one, those of a task, or all."""
    task = click.option("--task", "task", metavar="TASK", callback=task_id_of, help="Of this task.")
    place = click.option(
        "--position", type=click.IntRange(1, LAST_POSITION), help="The one at this position."
    )
    every = click.option("--all", "every", is_flag=True, help="All of them.")
    return task(place(every(command)))


def name_argument(command: F) -> F:
    """The projection that a command is about."""
    return click.argument("name")(command)


def indented(traceback: str | None) -> list[str]:
    """A traceback, to stand beneath what is said of it."""
    return [f"  | {line}" for line in lines_of(traceback)]


def exit_unless(well: bool) -> None:  # noqa: FBT001 - the one thing there is to say
    if not well:
        raise click.exceptions.Exit(UNHEALTHY)


@click.group("parked")
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
        tell_row(parked_fields(row), parked_sentence(row), as_json=as_json)
    if not rows and not as_json:
        tell("nothing is parked")


@parked.command("show")
@name_argument
@click.option(
    "--position", type=click.IntRange(1, LAST_POSITION), required=True, help="Of the event."
)
@json_option("Print one JSON object.")
def show_parked(name: str, *, position: int, as_json: bool) -> None:
    """Show an event that was put aside, with where the method raised. Exit code 1: it was not.

    \b
    Example: flowledger projections parked show customer_spend --position 1234
    """
    with client() as engine:
        standing = engine.projections
        rows = [row for row in standing.parked(name) if row.position == position]
        raised = [
            standing.traceback(name, generation=row.generation, position=position) for row in rows
        ]
    for row, traceback in zip(rows, raised, strict=True):
        fields = parked_fields(row) | {"traceback": lines_of(traceback)}
        tell_either(fields, [parked_sentence(row), *indented(traceback)], as_json=as_json)
    if not rows and not as_json:
        tell(f"nothing is parked at position {position}")
    exit_unless(bool(rows))


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
    exit_unless(every or asked > 0)


def _one_of(task: UUID | None, position: int | None, *, every: bool) -> None:
    given: Sequence[bool] = (task is not None, position is not None, every)
    if sum(given) != 1:
        raise click.UsageError("expected one of --task, --position and --all")
