"""What people note about tasks: `flowledger annotate` and `flowledger tag`."""

from __future__ import annotations

from typing import Any, Unpack
from uuid import UUID

import click

from flowledger.engine.cli.options import json_option, json_value, noting_options, task_argument
from flowledger.engine.cli.output import tell_either
from flowledger.engine.cli.session import client
from flowledger.engine.client.requests import Noting


@click.command("annotate")
@task_argument
@click.argument("kind")
@click.argument("value", metavar="JSON|@FILE", callback=json_value)
@noting_options
@json_option("Print one JSON object.")
def annotate(
    task_id: UUID, kind: str, value: Any, *, as_json: bool, **noting: Unpack[Noting]
) -> None:
    """Attach a JSON value of some kind to a task; its history shows it, and nothing changes.

    \b
    Example: flowledger annotate 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 comment '"call them"'
    """
    with client() as engine:
        engine.task(task_id).annotate(kind, value, **noting)
    _tell({"task": str(task_id), "kind": kind}, f"noted: {kind}", as_json=as_json)


@click.command("tag")
@task_argument
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags from the task.")
@noting_options
@json_option("Print one JSON object.")
def tag(
    task_id: UUID,
    tags: tuple[str, ...],
    *,
    remove: bool,
    as_json: bool,
    **noting: Unpack[Noting],
) -> None:
    """Give a task tags, beside those that it has, or take them from it.

    \b
    Example: flowledger tag 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 urgent vip
    """
    with client() as engine:
        task = engine.task(task_id)
        (task.untag if remove else task.tag)(*tags, **noting)
    words = "no longer tagged" if remove else "tagged"
    key = "untagged" if remove else "tagged"
    _tell({"task": str(task_id), key: tags}, f"{words}: {', '.join(tags)}", as_json=as_json)


def _tell(found: dict[str, Any], said: str, *, as_json: bool) -> None:
    tell_either(found, said, as_json=as_json)
