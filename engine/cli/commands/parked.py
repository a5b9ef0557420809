"""`flowledger parked`: tasks that the coordinators leave alone, and having them tried again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import click

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.command_setup import program_settings
from flowledger.engine.cli.options import json_option, word_options
from flowledger.engine.cli.output import tell, tell_json, tell_row
from flowledger.engine.display_text import on_one_line
from flowledger.engine.store.parked_task_admin_store import ParkedTask, PostgresParked
from flowledger.engine.store.schema.startup_migration import bring_up_to_date

NOT_PARKED = 1


@click.group("parked", invoke_without_command=True)
@json_option("Print one JSON object a line.")
@click.pass_context
def parked(context: click.Context, *, as_json: bool) -> None:
    """Show the tasks that are left alone since they cannot be taken in or decided on.

    \b
    Example: flowledger parked
    """
    if context.invoked_subcommand is not None:
        return
    with _stored() as stored:
        rows = stored.tasks()
    for row in rows:
        tell_row(fields(row), sentence(row), as_json=as_json)
    if not rows and not as_json:
        tell("nothing is parked")


@parked.command("retry")
@click.argument("task", nargs=-1, type=click.UUID)
@word_options
@json_option("Print one JSON object.")
def retry(task: tuple[UUID, ...], *, as_json: bool, reason: str, actor: str) -> None:
    """Have parked tasks tried again: each TASK, or all where none is given.

    Exit code 1 where none of them is parked.

    \b
    Example: flowledger parked retry --reason 'the template is registered again'
    """
    with _stored() as stored:
        found = stored.retry(task or None, actor=actor, reason=reason)
    if as_json:
        tell_json({"tasks": [str(one) for one in found]})
    else:
        what = "task is" if len(found) == 1 else "tasks are"
        tell(f"{len(found)} parked {what} tried again")
    if task and not found:
        raise SystemExit(NOT_PARKED)


@contextmanager
def _stored() -> Generator[PostgresParked]:
    settings = program_settings(quiet=True)
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with command_sessions(url, settings) as pool:
        yield PostgresParked(pool)


def fields(row: ParkedTask) -> dict[str, object]:
    """A parked task as JSON."""
    return {
        "task": str(row.task_id),
        "template": row.template,
        "reason": row.reason,
        "parked_at": row.parked_at.isoformat(),
        "tried_at": row.tried_at.isoformat(),
        "wanted": row.wanted,
    }


def sentence(row: ParkedTask) -> str:
    """A parked task in words."""
    of = f" of {row.template}" if row.template else ""
    since = row.parked_at.isoformat(timespec="seconds")
    return f"{row.task_id}{of}: parked since {since}: {on_one_line(row.reason)}"
