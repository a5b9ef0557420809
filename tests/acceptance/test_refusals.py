"""What is refused leaves nothing behind, and says which place is wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flowledger.engine import (
    DefinitionChanged,
    Engine,
    InvalidContext,
    InvalidSubmission,
    InvalidTemplate,
    MissingIdempotencyKey,
    UnknownHandler,
)
from flowledger.handlers import Registry, Retry, Workflow, load_workflow_file
from support.engines import EngineHarness

TEMPLATE = """
namespace: refusals
name: from_file
version: "1"
context:
  type: object
  required: [id]
  properties: {id: {type: integer}}
steps:
  - name: first
    handler: {callable: known}
  - name: second
    handler: {callable: HANDLER}
    dependencies: [first]
"""


class Order(BaseModel):
    id: int
    cents: int


def step() -> None:
    """Nothing."""


def orders(version: str = "1", **policy: Any) -> Workflow[Order]:
    workflow = Workflow("refusals", "order", version=version, context=Order)
    workflow.step(name="charge", **policy)(step)
    return workflow


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    """An engine that knows version 1 of the orders."""
    return harness.open(orders(), roles=())


def test_a_changed_definition_under_the_same_version_is_refused(
    client: Engine, harness: EngineHarness
) -> None:
    before = harness.counts()
    changed = orders(retry=Retry(max_attempts=7))

    with pytest.raises(DefinitionChanged, match="refusals/order@1") as caught:
        client.submit(changed, Order(id=1, cents=1))

    assert harness.counts() == before
    assert "-" in caught.value.difference
    assert any(
        line.startswith("+") and "max_attempts" in line and "7" in line
        for line in caught.value.difference.splitlines()
    )


def test_a_changed_definition_is_refused_when_the_engine_is_opened(
    client: Engine, harness: EngineHarness
) -> None:
    before = harness.counts()

    with pytest.raises(DefinitionChanged, match="give the change a new version"):
        harness.open(orders(timeout=5))

    assert harness.counts() == before


def test_a_changed_definition_with_a_new_version_is_another_template(
    client: Engine, harness: EngineHarness
) -> None:
    client.register(orders(version="2", retry=Retry(max_attempts=7)))

    assert harness.value("select count(*) from flowledger.template") == 2


def test_the_same_definition_is_registered_once(client: Engine, harness: EngineHarness) -> None:
    before = harness.counts()

    harness.open(orders(), roles=())
    client.register(orders())

    assert harness.counts() == before


@pytest.mark.parametrize(
    ("context", "place"),
    [
        ({"id": "seven", "cents": 1}, r"context\.id"),
        ({"id": 7}, r"context\.cents"),
        (7, "context"),
        (None, "context"),
        (object(), "context"),
    ],
    ids=["wrong-type", "missing-field", "number", "nothing", "object"],
)
def test_a_wrong_context_is_refused_with_its_place(
    client: Engine, harness: EngineHarness, context: Any, place: str
) -> None:
    before = harness.counts()

    with pytest.raises(InvalidContext, match=place):
        client.submit(orders(), context)

    assert harness.counts() == before


@pytest.mark.parametrize("value", [math.nan, [math.inf], "\ud800"])
def test_a_context_that_is_not_json_is_refused(
    client: Engine, harness: EngineHarness, value: Any
) -> None:
    anything = Workflow("refusals", "anything", version="1")
    anything.step(name="only")(step)
    client.register(anything)
    before = harness.counts()

    with pytest.raises(InvalidContext, match=r"context\.value"):
        client.submit(anything, {"value": value})

    assert harness.counts() == before


def test_a_context_that_is_too_large_is_refused_before_anything_is_stored(
    harness: EngineHarness,
) -> None:
    client = harness.open(roles=(), submit={"max_context_bytes": 100})
    before = harness.counts()
    large = Workflow("refusals", "large", version="1")
    large.step(name="only")(step)

    with pytest.raises(InvalidContext, match=r"has 1\d\d bytes.*submit\.max_context_bytes is 100"):
        client.submit(large, {"text": "x" * 99})

    assert harness.counts() == before


def test_a_missing_key_is_refused_before_anything_is_stored(harness: EngineHarness) -> None:
    client = harness.open(roles=())
    before = harness.counts()
    by_key = Workflow("refusals", "by_key", version="1", identity="caller_provided")
    by_key.step(name="only")(step)

    with pytest.raises(MissingIdempotencyKey, match="refusals/by_key@1"):
        client.submit(by_key, {})

    assert harness.counts() == before


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"priority": 2**31}, "priority"),
        ({"priority": -(2**31) - 1}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": True}, "priority"),
        ({"correlation_id": "a\0b"}, "correlation_id"),
        ({"correlation_id": "\ud800"}, "correlation_id"),
        ({"correlation_id": "x" * 1_001}, "correlation_id"),
        ({"correlation_id": 5}, "correlation_id"),
        ({"actor": "a\0b"}, "actor"),
        ({"idempotency_key": "\ud800"}, "idempotency_key"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"on_duplicate": "ignore"}, "on_duplicate"),
    ],
    ids=lambda value: value if isinstance(value, str) else ascii(value)[:40],
)
def test_what_the_rows_of_a_task_cannot_hold_is_refused_before_anything_is_stored(
    client: Engine, harness: EngineHarness, options: dict[str, Any], place: str
) -> None:
    before = harness.counts()

    with pytest.raises(InvalidSubmission, match=f"^refusals/order@1: {place} "):
        client.submit(orders(), Order(id=1, cents=1), **options)

    assert harness.counts() == before


@pytest.mark.parametrize("roles", [["wroker"], "worker"], ids=["misspelt", "text"])
def test_an_unknown_role_is_refused(harness: EngineHarness, roles: Any) -> None:
    with pytest.raises(ValueError, match="expected coordinator or worker"):
        harness.open(orders(), roles=roles)


def test_a_refused_submission_in_a_transaction_leaves_it_usable(
    client: Engine, harness: EngineHarness
) -> None:
    before = harness.counts()
    wrong: Any = {"id": "seven"}
    with harness.connect() as connection:
        with pytest.raises(InvalidContext):
            client.submit(orders(), wrong, connection=connection)
        assert connection.execute("select 1").fetchone() == (1,)

    assert harness.counts() == before


def test_an_unknown_handler_is_told_when_the_engine_is_opened(
    harness: EngineHarness, tmp_path: Path
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(TEMPLATE.replace("HANDLER", "knwon"))
    workflow = load_workflow_file(file, Registry({"known": step}))
    before = harness.counts()

    with pytest.raises(UnknownHandler, match=r"step 'second': handler 'knwon'.*'known'"):
        harness.open(workflow)

    assert harness.counts() == before


def test_a_context_is_checked_by_the_schema_of_a_template(
    harness: EngineHarness, tmp_path: Path
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(TEMPLATE.replace("HANDLER", "known"))
    workflow = load_workflow_file(file, Registry({"known": step}))
    client = harness.open(workflow, roles=())
    before = harness.counts()

    with pytest.raises(InvalidContext, match="context: 'id' is a required property"):
        client.submit(workflow, {})
    with pytest.raises(InvalidContext, match=r"context\.id: should be of type integer"):
        client.submit(workflow, {"id": "seven"})

    assert harness.counts() == before


def test_a_cycle_is_refused_by_name_when_the_engine_is_opened(harness: EngineHarness) -> None:
    workflow = Workflow("refusals", "cycle", version="1")
    workflow.step(name="a", after=["b"])(step)
    workflow.step(name="b", after=["a"])(step)
    before = harness.counts()

    with pytest.raises(InvalidTemplate, match=r"a -> b -> a|b -> a -> b"):
        harness.open(workflow)

    assert harness.counts() == before
