"""The options that say which tasks a command is about, by what they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowledger.engine.cli.options import time_option
from flowledger.engine.cli.output import tell
from flowledger.engine.client.engine import Engine
from flowledger.engine.client.task_list import TaskFilter
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.errors import UnknownProjection

F = TypeVar("F", bound=Callable[..., Any])
TEMPLATE = re.compile(r"([^/@]+)(?:/([^/@]+)(?:@([^/@]+))?)?")
OPTIONS = frozenset(
    {"states", "template", "tags", "correlation_id", "since", "until", "paused", "parked"}
)
"""What these options are called as arguments."""

NOTES = "flowledger_notes"


def filter_options(command: F) -> F:
    """What tasks must all be for the command to be about them."""
    for option in (
        click.option("--parked/--not-parked", default=None, help="Left alone by a coordinator."),
        click.option("--paused/--not-paused", default=None, help="Paused by an operator."),
        time_option("--until", "Submitted before then."),
        time_option("--since", "Submitted then or later."),
        click.option("--correlation-id", metavar="TEXT", help="Belonging to that."),
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="With all these tags."),
        click.option(
            "--template",
            callback=_template,
            metavar="NAMESPACE[/NAME[@VERSION]]",
            help="Of this namespace, template or version.",
        ),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([state.value for state in TaskState]),
            help="In one of these states; may be given often.",
        ),
    ):
        command = option(command)
    return command


def filter_of(options: dict[str, Any]) -> TaskFilter:
    """The filter that the options say; those are taken out of what is given."""
    given = {name: options.pop(name) for name in OPTIONS}
    namespace, template, version = given["template"] or (None, None, None)
    said: TaskFilter = {
        "namespace": namespace,
        "template": template,
        "version": version,
        "states": given["states"] or None,
        "tags": given["tags"] or None,
        "correlation_id": given["correlation_id"],
        "created_after": given["since"],
        "created_before": given["until"],
        "paused": given["paused"],
        "parked": given["parked"],
    }
    return said


def says_anything(filters: TaskFilter) -> bool:
    """Whether it leaves out any task."""
    return any(value is not None for value in filters.values())


def tell_of_late_tags(engine: Engine) -> None:
    """Say where tags may be missing: a read model has them, which may be behind the log."""
    try:
        behind = engine.projections.status(NOTES).behind
    except UnknownProjection:
        tell(f"no projector has run, so no tag is known: see {NOTES}", err=True)
        return
    if behind:
        tell(f"tags may be missing: {NOTES} is {behind} events behind the log", err=True)


def _template(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[str | None, ...] | None:
    if value is None:
        return None
    found = TEMPLATE.fullmatch(value)
    if found is None:
        fault = (
            f"{value!r} should be written as namespace, namespace/name or namespace/name@version"
        )
        raise click.BadParameter(fault, context, option)
    return found.groups()
