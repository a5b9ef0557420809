"""`flowledger tasks`: tasks by what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from flowledger.engine.cli.columns import Column, rows_that_fit, terminal_width
from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.options import json_option
from flowledger.engine.cli.output import say, tell, tell_json, tell_sentence
from flowledger.engine.cli.task_filter import filter_of, filter_options, tell_of_late_tags
from flowledger.engine.client.task_list import TaskPage
from flowledger.engine.display_text import short
from flowledger.engine.domain.task_query import MOST_TASKS
from flowledger.engine.ports.task_list import ListedTask

NO_STATE = (
    "task {task} is left out: its row says no state; `flowledger repair {task} --reason WHY`"
    " makes it anew from the log"
)


@click.group("tasks")
def tasks() -> None:
    """List tasks by what they are.

    \b
    Example: flowledger tasks list --state error --since 2026-01-31
    """


@tasks.command("list")
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_TASKS),
    default=50,
    show_default=True,
    metavar="N",
    help="So many at most.",
)
@click.option("--after", metavar="CURSOR", help="Those behind the page that named this.")
@json_option("Print one JSON object.")
def list_tasks(limit: int, after: str | None, *, as_json: bool, **options: Any) -> None:
    """Show tasks, the newest first, that are all of what is asked for.

    The last line says how to get the next page, where there is one; in JSON it is `next`. Tags are
    those that the read model flowledger_notes has; standard error says where it is behind the log.

    \b
    Example: flowledger tasks list --state error --state blocked --template shop/order
    """
    filters = filter_of(options)
    with client() as engine:
        page = engine.tasks(limit=limit, after=after, **filters)
        if page.tasks or filters.get("tags") is not None:
            tell_of_late_tags(engine)
    if as_json:
        tell_json(page_fields(page))
        return
    for task in page.unreadable:
        tell(NO_STATE.format(task=task), err=True)
    if page.tasks:
        say(task_lines(page.tasks, terminal_width()))
    elif page.next is None and not page.unreadable:
        tell("there are no such tasks")
    if page.next is not None:
        tell_sentence(f"there are more: the same with --after {page.next}")


def page_fields(page: TaskPage) -> dict[str, Any]:
    """A page as JSON."""
    as_of = page.tags_as_of
    return {
        "tasks": [fields(task) for task in page],
        "next": page.next,
        "tags_as_of": None if as_of is None else as_of.isoformat(),
        "tags_as_of_position": page.tags_as_of_position,
        "unreadable": [str(task) for task in page.unreadable],
    }


def fields(task: ListedTask) -> dict[str, Any]:
    """A task as JSON."""
    return {
        "task": str(task.id),
        "state": task.state.value,
        "paused": task.paused,
        "parked": task.parked,
        "template": None if task.namespace is None else template_of(task),
        "correlation_id": task.correlation_id,
        "tags": task.tags,
        "created_at": task.created_at.isoformat(),
        "ended_at": None if task.ended_at is None else task.ended_at.isoformat(),
    }


def template_of(task: ListedTask) -> str:
    """The task's template as it is written; a dash where it is not known."""
    return "-" if task.namespace is None else f"{task.namespace}/{task.template}@{task.version}"


def state_of(task: ListedTask) -> str:
    """Where the task stands, and what keeps it there."""
    kept = (word for word in ("paused", "parked") if getattr(task, word))
    return ", ".join((task.state.value, *kept))


COLUMNS = (
    Column("task"),
    Column("state"),
    Column("submitted (UTC)"),
    Column("template", second=True),
    Column("correlation", second=True),
    Column("tags", second=True),
)


def task_lines(tasks: Sequence[ListedTask], width: int | None = None) -> Iterator[Text]:
    """A table of tasks below a head: a line for each, or two where the terminal is narrow."""
    return rows_that_fit(COLUMNS, [_cells(task) for task in tasks], width)


def _cells(task: ListedTask) -> tuple[str, ...]:
    own = task.correlation_id == str(task.id)
    return (
        str(task.id),
        state_of(task),
        f"{task.created_at:%Y-%m-%d %H:%M:%S}",
        template_of(task),
        "-" if own else short(task.correlation_id),
        short(" ".join(task.tags)) or "-",
    )
