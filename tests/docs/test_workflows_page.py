"""The page on writing workflows: its blocks run, and its tables have every key of the models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from flowledger.engine import Engine
from flowledger.engine.domain.strict_yaml_reader import read_yaml
from flowledger.engine.domain.templates.retry_and_limit_policies import (
    Concurrency,
    Fairness,
    Rate,
    Retry,
)
from flowledger.engine.domain.templates.template import (
    CONTEXT,
    HandlerRef,
    StepTemplate,
    Template,
    difference,
    parse_template,
)
from flowledger.handlers import Registry, Workflow, load_workflow_file
from support.cli import PATIENCE, Command
from support.engines import EngineHarness, harness

__all__ = ["harness"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text("utf-8")
MODELS: dict[str, type[BaseModel]] = {
    "The template": Template,
    "A step": StepTemplate,
    "`handler`": HandlerRef,
    "`retry`": Retry,
    "`concurrency`": Concurrency,
    "`rate`": Rate,
    "`fairness`": Fairness,
}
SAID_IN_WORDS = {("A step", "handler"), ("A step", "retry"), ("`handler`", "callable")}


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[number]


def table(heading: str) -> dict[str, list[str]]:
    """The rows under a heading: type, default and meaning of each key."""
    text = PAGE.partition(f"### {heading}\n")[2].partition("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def keys(model: type[BaseModel]) -> dict[str, Any]:
    return {
        CONTEXT if name == "context_schema" else name: field
        for name, field in model.model_fields.items()
    }


@pytest.mark.parametrize("heading", MODELS)
def test_the_table_has_every_key_and_no_other(heading: str) -> None:
    assert set(table(heading)) == set(keys(MODELS[heading]))
    assert all(len(row) == 3 and all(row) for row in table(heading).values())


@pytest.mark.parametrize("heading", MODELS)
def test_the_table_has_the_defaults(heading: str) -> None:
    for key, field in keys(MODELS[heading]).items():
        if (heading, key) in SAID_IN_WORDS:
            continue
        said = table(heading)[key][1]
        if field.default is PydanticUndefined:
            assert said == "needed", key
            continue
        value: Any = [] if field.default == () else field.default
        plain = value if isinstance(value, str) and value else json.dumps(value)
        assert said == f"`{plain}`", key


def test_the_example_in_python_runs(harness: EngineHarness) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(block("python"), names)  # noqa: S102 - our own page
    flow: Workflow[dict[str, Any]] = names["payments"]
    engine: Engine = harness.open(flow)

    task = engine.submit(flow, {"customer_id": 7, "cents": 1999})

    assert task.result(PATIENCE)["charge"] == "charged 1999"


def test_the_example_in_yaml_shows_every_key() -> None:
    document: Any = read_yaml(block("yaml"))

    steps: list[dict[str, Any]] = document["steps"]
    assert set(document) == set(keys(Template))
    assert {key for step in steps for key in step} == set(keys(StepTemplate))
    assert {key for step in steps for key in step.get("retry", {})} == set(keys(Retry))
    assert set(document["rate"]) == set(keys(Rate))
    assert set(document["concurrency"]) == set(keys(Concurrency))
    assert parse_template(document, "payment.yaml")


def test_the_commands_run(command: Command) -> None:
    command.write("payment.yaml", block("yaml"))
    command.write("payment_steps.py", block("python", 1))

    assert command("templates", "validate", "payment.yaml").code == 0
    assert "run payment.yaml --handlers payment_steps" in block("sh")
    context = re.findall(r"--context '(.*?)'", block("sh"))[0]
    done = command(
        *("run", "payment.yaml", "--handlers", "payment_steps", "--context", context, "--json")
    )
    assert done.code == 0, done.out + done.error


def test_the_line_in_python_loads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "payment.yaml").write_text(block("yaml"))
    (tmp_path / "payment_steps.py").write_text(block("python", 1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    flow = load_workflow_file("payment.yaml", Registry.of_module("payment_steps"))

    assert set(flow.handlers) == {"load", "check-fraud", "charge"}


def test_both_examples_are_one_definition() -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(block("python"), names)  # noqa: S102 - our own page
    in_python: Template = names["payments"].template
    in_yaml = parse_template(read_yaml(block("yaml")), "payment.yaml")

    assert in_python.key == in_yaml.key
    assert difference(in_python, in_yaml) == ""
    assert in_python.definition_hash == in_yaml.definition_hash
