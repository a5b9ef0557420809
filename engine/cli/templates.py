"""`flowledger templates`: the definitions that are registered, and those in files."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from flowledger.engine.cli.opening import program_settings, stored_tasks
from flowledger.engine.cli.options import handlers_option, json_option
from flowledger.engine.cli.targets import workflows_of
from flowledger.engine.domain.faults import nearest
from flowledger.engine.domain.template import Template
from flowledger.engine.domain.work import WorkflowLike
from flowledger.engine.errors import UnknownTemplate
from flowledger.engine.ports import Tasks
from flowledger.handlers import dump_template

KEY = re.compile(r"([^/@]+)/([^/@]+)@([^/@]+)")


@click.group()
def templates() -> None:
    """List, show and validate definitions of workflows.

    \b
    Example: flowledger templates validate orders.yaml
    """


@templates.command("list")
@json_option("Print one JSON object a line.")
def list_templates(*, as_json: bool) -> None:
    """Print every registered definition with its hash.

    \b
    Example: flowledger templates list
    """
    with stored_tasks(program_settings(quiet=True)) as tasks:
        rows = tasks.templates()
    for namespace, name, version, digest in rows:
        key = f"{namespace}/{name}@{version}"
        click.echo(json.dumps({"template": key, "hash": digest}) if as_json else f"{key}  {digest}")


@templates.command("show")
@click.argument("key", metavar="NAMESPACE/NAME@VERSION")
@json_option("Print JSON, not YAML.")
def show_template(key: str, *, as_json: bool) -> None:
    """Print a registered definition, as a file that can be run again.

    \b
    Example: flowledger templates show fulfilment/process_order@1.0.0
    """
    settings = program_settings(quiet=True)
    with stored_tasks(settings) as tasks:
        template = _registered(tasks, key)
    if as_json:
        click.echo(json.dumps(json.loads(dump_template(template, "json")), ensure_ascii=False))
    else:
        click.echo(dump_template(template, "yaml"), nl=False)


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
        click.echo(json.dumps({"file": target, **found}) if as_json else said)


def _checked(workflow: WorkflowLike[Any], *, with_handlers: bool) -> dict[str, Any]:
    template = workflow.template
    if with_handlers:
        dict(workflow.handlers)  # they are found, or refused, when they are asked for
    return {
        "template": template.key,
        "steps": len(template.steps),
        "hash": template.definition_hash,
    }


def _registered(tasks: Tasks, key: str) -> Template:
    match = KEY.fullmatch(key)
    if match is None:
        raise click.UsageError(f"{key!r} should be written as namespace/name@version")
    namespace, name, version = match.groups()
    known = {f"{row[0]}/{row[1]}@{row[2]}" for row in tasks.templates()}
    if key not in known:
        raise UnknownTemplate(f"there is no template {key}{nearest(key, known)}")
    named = Template.model_construct(namespace=namespace, name=name, version=version)
    return tasks.template(named.template_id)
