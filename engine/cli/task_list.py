"""`flowledger tasks`: tasks by what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.options import json_option
from flowledger.engine.cli.output import say, tell, tell_json
from flowledger.engine.cli.task_filter import filter_of, filter_options, tell_of_late_tags
from flowledger.engine.domain.task_query import MOST_TASKS
from flowledger.engine.ports.task_list import ListedTask
from flowledger.engine.text import short


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

    The last line says how to get the next page, where there is one; in JSON it is `next`.

    \b
    Example: flowledger tasks list --state error --state blocked --template shop/order
    """
    filters = filter_of(options)
    with client() as engine:
        page = engine.tasks(limit=limit, after=after, **filters)
        tell_of_late_tags(engine, filters)
    if as_json:
        tell_json({"tasks": [fields(task) for task in page], "next": page.next})
    elif not page.tasks:
        tell("there are no such tasks")
    else:
        say(task_lines(page.tasks))
        if page.next is not None:
            tell(f"there are more: the same with --after {page.next}")


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


def task_lines(tasks: Sequence[ListedTask]) -> Iterator[Text]:
    """A table of tasks: a line for each, below a head."""
    rows = [_cells(task) for task in tasks]
    head = ("task", "state", "submitted (UTC)", "template", "correlation", "tags")
    wide = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide, strict=True))
        yield Text(line.rstrip(), "bold" if row is head else "")


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
