"""`flowledger submit`: store a task, and leave it to the engine's processes."""

from __future__ import annotations

from typing import Any

import click

from flowledger.engine.cli.options import context_option, handlers_option, json_option
from flowledger.engine.cli.output import tell_either
from flowledger.engine.cli.session import program_settings
from flowledger.engine.cli.targets import workflows_of
from flowledger.engine.client.engine import Engine, OnDuplicate


@click.command("submit")
@click.argument("target", metavar="TARGET")
@context_option
@handlers_option
@click.option("--key", metavar="TEXT", help="The idempotency key: one task for each key.")
@click.option(
    "--on-duplicate",
    type=click.Choice(["return", "raise"]),
    default="return",
    help="What to do where the task exists: print its id, or fail. Default: return.",
)
@click.option("--priority", type=int, default=0, help="Higher ones go first. Default: 0.")
@json_option("Print one JSON object.")
def submit(  # noqa: PLR0913, PLR0917 - one parameter for each option
    target: str,
    context: Any,
    handlers: str | None,
    key: str | None,
    on_duplicate: OnDuplicate,
    priority: int,
    *,
    as_json: bool,
) -> None:
    """Store a task and print its id; a coordinator and a worker take it on when they run.

    TARGET is a workflow: `module:attribute`, or a file.

    \b
    Example: flowledger submit shop.orders:orders --context '{"id": 7, "cents": 1999}'
    """
    settings = program_settings(quiet=True)
    (workflow,) = workflows_of([target], settings, handlers, 0.0)
    workflow.encode_context(context)
    with Engine.open(roles=(), settings=settings) as engine:
        task = engine.submit(
            workflow,
            context,
            idempotency_key=key,
            on_duplicate=on_duplicate,
            priority=priority,
        )
        found = {"task": str(task.id), "state": task.state.value}
    tell_either(found, found["task"], as_json=as_json)
