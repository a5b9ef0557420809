"""`flowledger templates`: the definitions that are registered, and those in files."""

from __future__ import annotations

import json
from typing import Any

import click

from flowledger.engine.cli.columns import Column, rows_that_fit, terminal_width
from flowledger.engine.cli.command_setup import client, program_settings, stored_tasks, workflows_of
from flowledger.engine.cli.options import (
    handlers_option,
    json_option,
    template_argument,
    word_options,
)
from flowledger.engine.cli.output import say, tell, tell_document, tell_either, tell_json
from flowledger.engine.client.operator_requests import template_named
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.handlers import dump_template

COLUMNS = (Column(), Column(second=True), Column(second=True))


@click.group()
def templates() -> None:
    """List, show, validate, pause and resume definitions of workflows.

    \b
    Example: flowledger templates validate orders.yaml
    """


@templates.command("list")
@json_option("Print one JSON object a line.")
def list_templates(*, as_json: bool) -> None:
    """Print every registered definition with its open tasks and its hash.

    \b
    Example: flowledger templates list
    """
    with stored_tasks(program_settings(quiet=True)) as tasks:
        rows, open_tasks = tasks.templates(), tasks.open_tasks()
    found = [(f"{row[0]}/{row[1]}@{row[2]}", row[3]) for row in rows]
    if as_json:
        for key, digest in found:
            tell_json({"template": key, "hash": digest, "open_tasks": open_tasks.get(key, 0)})
    elif found:
        cells = [(key, digest, f"{open_tasks.get(key, 0)} open") for key, digest in found]
        say(rows_that_fit(COLUMNS, cells, terminal_width()))


@templates.command("show")
@template_argument
@json_option("Print JSON, not YAML.")
def show_template(key: str, *, as_json: bool) -> None:
    """Print a registered definition, as a file that can be run again.

    \b
    Example: flowledger templates show fulfilment/process_order@1.0.0
    """
    settings = program_settings(quiet=True)
    with stored_tasks(settings) as tasks:
        template = tasks.template(template_named(tasks, key))
    if as_json:
        tell_json(json.loads(dump_template(template, "json")))
    else:
        tell_document(dump_template(template, "yaml"))


@templates.command("validate")
@click.argument("targets", nargs=-1, required=True, metavar="FILE...")
@handlers_option
@json_option("Print one JSON object a line.")
def validate_templates(targets: tuple[str, ...], handlers: str | None, *, as_json: bool) -> None:
    """Check definitions, and with --handlers that the code of each step is found.

    FILE is what `flowledger run` takes. No database is needed; exit code 2 for the first fault.

    \b
    Example: flowledger templates validate orders.yaml --handlers shop.handlers
    """
    settings = program_settings(quiet=True)
    for target in targets:
        (workflow,) = workflows_of([target], settings, handlers, 0.0)
        found = _checked(workflow, with_handlers=handlers is not None)
        said = f"{target}: {found['template']}, {found['steps']} steps, {found['hash']}"
        tell_either({"file": target, **found}, said, as_json=as_json)


@templates.command("pause")
@template_argument
@word_options
@json_option("Print one JSON object.")
def pause_template(key: str, *, as_json: bool, reason: str, actor: str) -> None:
    """Queue no step of any task of a template until it is resumed. Steps that run go on.

    \b
    Example: flowledger templates pause fulfilment/process_order@1.0.0 --reason 'the bank is down'
    """
    with client() as engine:
        changed = engine.pause_template(key, reason=reason, actor=actor)
    _say(key, "paused", changed=changed, as_json=as_json)


@templates.command("resume")
@template_argument
@word_options
@json_option("Print one JSON object.")
def resume_template(key: str, *, as_json: bool, reason: str, actor: str) -> None:
    """Let the tasks of a paused template go on.

    \b
    Example: flowledger templates resume fulfilment/process_order@1.0.0 --reason 'the bank is back'
    """
    with client() as engine:
        changed = engine.resume_template(key, reason=reason, actor=actor)
    _say(key, "resumed", changed=changed, as_json=as_json)


def _say(key: str, state: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        tell_json({"template": key, "state": state, "changed": changed})
    else:
        tell(f"{key}: {state}{'' if changed else ', as it was before'}")


def _checked(workflow: WorkflowLike[Any], *, with_handlers: bool) -> dict[str, Any]:
    template = workflow.template
    if with_handlers:
        dict(workflow.handlers)  # they are found, or refused, when they are asked for
    return {
        "template": template.key,
        "steps": len(template.steps),
        "hash": template.definition_hash,
    }
