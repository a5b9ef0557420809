"""Templates in YAML and JSON: the same workflow as in Python, handlers, and bad files."""

from __future__ import annotations

import builtins
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import (
    InvalidContext,
    InvalidResult,
    InvalidTemplate,
    MissingExtra,
    UnknownHandler,
)
from flowledger.handlers import (
    Rate,
    Registry,
    Retry,
    TemplateWorkflow,
    Workflow,
    load_template,
    load_workflow_file,
    workflow_from_template,
)
from flowledger.handlers.task_template_file import template_from_text


class Order(BaseModel):
    id: int
    cents: int


orders = Workflow("fulfilment", "process_order", version="1.0.0", context=Order)


@orders.step
def validate(context: Order) -> dict[str, Any]:
    return {"valid": context.cents > 0}


@orders.step(after=[validate], retry=Retry(max_attempts=5))
def charge(context: Order, validate: dict[str, Any]) -> dict[str, Any]:
    return {"charged": context.cents, "valid": validate["valid"]}


@orders.step(after=[validate])
async def reserve(context: Order) -> dict[str, Any]:
    return {"reserved": context.id}


@orders.step(after=[charge, reserve])
def ship(charge: dict[str, Any], reserve: dict[str, Any]) -> dict[str, Any]:
    return {"shipped": reserve["reserved"], "paid": charge["charged"]}


ORDERS = """
namespace: fulfilment
name: process_order
version: 1.0.0
description: From the order to the parcel
context:
  type: object
  required: [id, cents]
  properties:
    id: {type: integer}
    cents: {type: integer, minimum: 1}
    card: {type: string, maxLength: 4}
  additionalProperties: false
steps:
  - name: validate
    description: Is it an order at all?
  - name: ship
    dependencies: [reserve, charge]
  - name: charge
    handler: {callable: "shop_handlers:charge"}
    dependencies: [validate]
    retry: {max_attempts: 5}
  - name: reserve
    handler: {callable: reserve, initialization: {}}
    dependencies: [validate]
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    module = ModuleType("shop_handlers")
    vars(module).update(charge=charge, limit=3)
    monkeypatch.setitem(sys.modules, "shop_handlers", module)
    return Registry({"validate": validate, "reserve": reserve, "ship": ship})


def test_python_and_yaml_of_one_workflow_have_one_hash() -> None:
    template = template_from_text(ORDERS, "orders.yaml")
    assert template.definition == orders.template.definition
    assert template.definition_hash == orders.template.definition_hash
    assert template.template_id == orders.template.template_id


GUARDED = """
namespace: shop
name: pay
version: "1"
on_failure: block
deadline_seconds: 7200
concurrency: {limit: 100}
rate: {limit: 10, per_seconds: 0.5, key: customer.id}
steps:
  - name: charge
    timeout_seconds: 30
    start_timeout_seconds: 60
    when_skipped: stop
    system: payments
    concurrency: {limit: 2, key: customer_id}
    rate: {limit: 5, per_seconds: 60}
"""


def test_python_and_yaml_of_the_same_policies_have_one_hash() -> None:
    workflow = Workflow(
        "shop",
        "pay",
        version="1",
        on_failure="block",
        deadline=timedelta(hours=2),
        concurrency={"limit": 100},
        rate=Rate(limit=10, per_seconds=0.5, key="customer.id"),
    )
    workflow.step(
        name="charge",
        timeout=30,
        start_timeout=timedelta(minutes=1),
        when_skipped="stop",
        system="payments",
        concurrency={"key": "customer_id", "limit": 2},
        rate={"limit": 5, "per_seconds": 60},
    )(lambda: None)

    template = template_from_text(GUARDED, "pay.yaml")
    assert template.definition == workflow.template.definition
    assert template.definition_hash == workflow.template.definition_hash


def call(context: Any, **results: Any) -> StepCall:
    return StepCall(
        task_id=UUID(int=1),
        step_id=UUID(int=2),
        namespace="a",
        template="b",
        version="1",
        step="s",
        attempt=1,
        idempotency_key="k",
        correlation_id="c",
        config={},
        context=context,
        results=results,
    )


def test_handlers_of_a_template_are_bound_as_in_python(registry: Registry) -> None:
    workflow = workflow_from_template(template_from_text(ORDERS, "orders.yaml"), registry)
    handlers = workflow.handlers
    assert handlers.keys() == orders.handlers.keys()
    assert {name for name, handler in handlers.items() if handler.is_async} == {"reserve"}
    charged = handlers["charge"](call({"id": 7, "cents": 5}, validate={"valid": True}))
    assert charged == {"charged": 5, "valid": True}
    with pytest.raises(InvalidContext, match=r"step 'charge': context\.id: is missing"):
        handlers["charge"](call({}, validate={"valid": True}))
    with pytest.raises(InvalidResult, match="parameter 'validate'"):
        handlers["charge"](call({"id": 7, "cents": 5}, validate=[]))


def workflow_of(text: str, registry: Registry | None = None) -> TemplateWorkflow:
    return workflow_from_template(template_from_text(text, "t.yaml"), registry or Registry())


ONE = "{namespace: a, name: b, version: '1', steps: [{name: %s, handler: {callable: %s}}]}"


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("shp", "handler 'shp' is not registered; did you mean 'ship'?"),
        ("xyz", "handler 'xyz' is not registered; registered are reserve, ship, validate"),
        ("no_such:f", "handler 'no_such:f': module 'no_such' cannot be imported: ModuleNotFound"),
        ("shop_handlers:chrge", "module 'shop_handlers' has no 'chrge'; did you mean 'charge'?"),
        ("shop_handlers:limit", "handler 'shop_handlers:limit' is a int, not a callable"),
        ("':f'", "':f' should be written as module:attribute"),
    ],
)
def test_an_unknown_handler_is_told_before_any_step_runs(
    handler: str, message: str, registry: Registry
) -> None:
    with pytest.raises(UnknownHandler) as error:
        assert workflow_of(ONE % ("pay", handler), registry).handlers
    assert str(error.value).startswith("template a/b@1, step 'pay': handler ")
    assert message in str(error.value)


def test_where_no_handlers_are_registered_the_way_out_is_told() -> None:
    with pytest.raises(UnknownHandler) as error:
        assert workflow_of(ONE % ("pay", "pay"), Registry()).handlers
    assert str(error.value) == (
        "template a/b@1, step 'pay': handler 'pay' is not registered; nothing is: name the module"
        ' that has them (--handlers MODULE), or in the file handler: {callable: "module:attribute"}'
    )


def test_a_handler_whose_parameters_do_not_fit_is_told_before_any_step_runs() -> None:
    def pay(validate: Any) -> None: ...

    with pytest.raises(InvalidTemplate, match=r"template a/b@1, step 'pay': parameter 'validate'"):
        assert workflow_of(ONE % ("pay", "pay"), Registry({"pay": pay})).handlers


def test_a_template_can_be_submitted_where_its_handlers_are_not_known() -> None:
    assert workflow_of(ONE % ("pay", "elsewhere")).encode_context({"x": 1}) == {"x": 1}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"id": 7}, "context: 'cents' is a required property"),
        ({"id": "hunter2", "cents": 1}, "context.id: should be of type integer, got str"),
        ({"id": 7, "cents": 0}, "context.cents: should have minimum 1, got int"),
        (
            {"id": 7, "cents": 1, "card": "hunter2"},
            "context.card: should have maxLength 4, got str",
        ),
        ({"id": 7, "cents": 1, "x": 1}, "context: Additional properties are not allowed"),
        ([], "context: should be of type object, got list"),
        ({"id": float("nan")}, "context.id: nan is not JSON"),
        pytest.param(object(), "context: object is not JSON", id="no JSON"),
    ],
    ids=str,
)
def test_a_context_is_checked_against_the_schema(context: Any, message: str) -> None:
    with pytest.raises(InvalidContext) as error:
        workflow_of(ORDERS).encode_context(context)
    assert str(error.value).startswith(f"fulfilment/process_order@1.0.0: {message}")
    assert "hunter2" not in str(error.value)


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidTemplate, match=r"context\.type: 'objct' is not valid"):
        workflow_of(ONE.replace("steps", "context: {type: objct}, steps") % ("a", "a"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_schema_that_points_outside_is_refused_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **_: fetched.append(args))
    outside = ONE.replace("steps", "context: {$ref: 'http://127.0.0.1:1/x'}, steps") % ("a", "a")
    with pytest.raises(InvalidTemplate, match=r"context\.\$ref: 'http://127\.0\.0\.1:1/x' is not"):
        workflow_of(outside)
    assert fetched == []


BAD_FILES: list[tuple[str, str, str]] = [
    ("t.yaml", "", "is empty, expected a template"),
    ("t.yaml", " \n# nothing\n", "is empty, expected a template"),
    ("t.json", "\n", "is empty, expected a template"),
    ("t.yaml", "name: [1, 2\nx: 3\n", "line 2, column 2: broken YAML: expected ',' or ']'"),
    ("t.yaml", "a: 1\n\tb: 2\n", "line 2, column 1: broken YAML: found character '\\t'"),
    (
        "t.yaml",
        "a: !!python/object:os.system x",
        "line 1, column 4: a: unknown tag '!!python/object:os.system'",
    ),
    ("t.yaml", "--- {}\n--- {}\n", "line 2, column 1: broken YAML: but found another document"),
    ("t.yaml", "a: \x07", "broken YAML: unacceptable character"),
    ("t.yaml", "name: a\nname: b\n", "line 2, column 1: duplicate key 'name'"),
    ("t.yaml", "{[1]: 2}", "line 1, column 2: a key should be a word"),
    ("t.yaml", "{1: 2}", "line 1, column 2: the key 1 should be a word; put it in quotes"),
    ("t.yaml", "a:\n- null: 2", "line 2, column 3: a[0]: the key null should be a word"),
    ("t.yaml", "a: &x {b: 1}\nc: {<<: *x}", "line 2, column 5: c: YAML 1.2 has no merge keys"),
    ("t.yaml", "a: !!timestamp 2024-01-01", "line 1, column 4: a: unknown tag '!!timestamp'"),
    ("t.yaml", "a: !!int x", "line 1, column 4: 'x' is no int"),
    ("t.yaml", "a: {b: " + "9" * 5000 + "}", "line 1, column 8: a.b: a number of more than 400"),
    ("t.yaml", "a: [{b: 1, b: 2}]", "line 1, column 12: a[0]: duplicate key 'b'"),
    ("t.yaml", "a: &x [*x]\n", "line 1, column 4: a[0]: an alias contains itself"),
    ("t.yaml", "[" * 5000, "is nested too deeply"),
    ("t.json", '{"name": "a",}', "line 1, column 14: broken JSON: "),
    ("t.json", '{"name": 1, "name": 2}', "duplicate key 'name'"),
    ("t.json", '{"name": NaN}', "broken JSON: NaN is no JSON number"),
    ("t.json", "[" * 100_000, "is nested too deeply"),
    ("t.yaml", "- 1\n", "should be a mapping, got [1] (list)"),
    ("t.yaml", "just words", "should be a mapping, got 'just words' (str)"),
    (
        "t.yaml",
        "{namespace: a, name: b, version: 1.0, steps: [{name: x}]}",
        "version: should be a valid string, got 1.0 (float)",
    ),
    (
        "t.yaml",
        "{namespace: a, name: b, version: '1', steps: [{name: x}, {name: y, dependencies: [z]}]}",
        "steps[1].dependencies[0]: step 'y' depends on unknown step 'z'",
    ),
    (
        "t.yaml",
        "{namespace: a, name: b, version: '1', steps: [{name: x, handler: {init: {}}}]}",
        "steps[0].handler.init: unknown key",
    ),
]


@pytest.mark.parametrize(
    ("name", "text", "message"), BAD_FILES, ids=[f"{n}-{m[:40]}" for n, _, m in BAD_FILES]
)
def test_a_bad_file_is_refused_with_its_name_and_the_place(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InvalidTemplate) as error:
        load_workflow_file(path, Registry())
    assert str(error.value).startswith(f"{path}: {message}")


def test_aliases_that_grow_without_measure_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InvalidTemplate, match="holds more than 1000000 values"):
        template_from_text("\n".join(lines), "bomb.yaml")


def test_anchors_may_share_a_policy() -> None:
    template = template_from_text(
        "namespace: a\nname: b\nversion: '1'\nsteps:\n"
        "- {name: x, retry: &policy {max_attempts: 9}}\n- {name: y, retry: *policy}\n",
        "t.yaml",
    )
    assert [step.retry.max_attempts for step in template.steps] == [9, 9]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidTemplate, match=r"none\.yaml: there is no such file"):
        load_template(tmp_path / "none.yaml")
    with pytest.raises(InvalidTemplate, match="cannot be read: Is a directory"):
        load_template(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(InvalidTemplate, match=r"latin\.yaml: is not UTF-8"):
        load_template(tmp_path / "latin.yaml")


@pytest.mark.parametrize("missing", ["yaml", "jsonschema"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == missing:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"install flowledger\[yaml\]"):
        workflow_of(ORDERS)


def test_a_registry_takes_the_public_functions_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_code")
    monkeypatch.setitem(sys.modules, "shop_code", module)
    exec(  # noqa: S102 - a module as a user would write it
        "from json import dumps\ndef pay(): ...\nasync def ship(): ...\ndef _hidden(): ...\nx = 1",
        vars(module),
    )
    assert Registry.of_module("shop_code").names == {"pay", "ship"}
    with pytest.raises(UnknownHandler, match="handlers of 'no_such': the module cannot be import"):
        Registry.of_module("no_such")


def test_a_registry_refuses_a_second_handler_of_a_name_and_what_is_no_callable() -> None:
    registry = Registry({"ship": ship})
    registry.register("ship", ship)
    with pytest.raises(ValueError, match="handler 'ship' is already registered"):
        registry.register("ship", charge)
    with pytest.raises(TypeError, match="handler 'x' is a int"):
        registry.register("x", 3)  # type: ignore[arg-type]
