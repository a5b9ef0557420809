"""Task templates in files: YAML or JSON, with the keys of a Template."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from flowledger.engine.domain.strict_yaml_reader import write_yaml
from flowledger.engine.domain.templates.template import (
    CONTEXT,
    DEFAULT_LIMITS,
    Template,
    TemplateSize,
    parse_template,
)
from flowledger.engine.errors import MissingExtra
from flowledger.handlers.registry import Registry
from flowledger.handlers.template_with_handlers import TemplateWorkflow, workflow_from_template
from flowledger.handlers.wfformat import is_wfformat, wfformat_workflow
from flowledger.handlers.yaml_json_parser import parse_document, read_document


def load_template(path: str | PathLike[str], limits: TemplateSize = DEFAULT_LIMITS) -> Template:
    """The template in a file. Raises InvalidTemplate: `FILE: steps[1].dependencies[0]: …`."""
    return parse_template(read_document(Path(path)), str(path), limits)


def template_from_text(text: str, source: str, limits: TemplateSize = DEFAULT_LIMITS) -> Template:
    """The template in a text, JSON where `source` ends in `.json`, else YAML."""
    return parse_template(parse_document(text, source), source, limits)


def dump_template(template: Template, form: Literal["yaml", "json"]) -> str:
    """A template as the text of a file; reading it gives an equal template."""
    document = _document(template)
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    try:
        return write_yaml(document)
    except ImportError as error:
        raise MissingExtra("YAML needs PyYAML: install flowledger[yaml]") from error


def load_workflow_file(
    path: str | PathLike[str],
    registry: Registry,
    *,
    time_scale: float = 0.0,
    limits: TemplateSize = DEFAULT_LIMITS,
) -> TemplateWorkflow:
    """What a file holds, ready to run: a task template, or a recorded run in WfFormat.

    `registry` finds the handlers of a template; steps of a recorded run sleep their recorded
    seconds times `time_scale`. Raises InvalidTemplate; a handler that is not found is told when
    the workflow's handlers are asked for. Raises TypeError for what is no registry.
    """
    Registry.require(registry)
    data = read_document(Path(path))
    if is_wfformat(data):
        return wfformat_workflow(data, str(path), time_scale, limits)
    return workflow_from_template(parse_template(data, str(path), limits), registry)


def _document(template: Template) -> dict[str, Any]:
    fields = template.model_dump(mode="json")
    schema = fields.pop("context_schema")
    steps = fields.pop("steps")
    return fields | ({CONTEXT: schema} if schema is not None else {}) | {"steps": steps}
