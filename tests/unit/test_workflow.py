"""Workflows in Python: what the decorator takes, makes and refuses."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType, ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from flowledger.engine.errors import InvalidTemplate, UnknownTemplate
from flowledger.handlers import (
    Concurrency,
    From,
    Rate,
    Retry,
    StepContext,
    Workflow,
    import_workflow,
)


class Order(BaseModel):
    id: int
    cents: int


def orders() -> Workflow[Order]:
    return Workflow("fulfilment", "process_order", version="1.0.0", context=Order)


def test_a_decorated_function_is_returned_unchanged() -> None:
    workflow = orders()

    def validate(context: Order) -> dict[str, Any]:
        return {"valid": context.cents > 0}

    async def reserve() -> None: ...

    assert workflow.step(validate) is validate
    assert workflow.step(after=[validate])(reserve) is reserve
    assert validate(Order(id=1, cents=2)) == {"valid": True}


def test_the_template_has_what_the_decorators_say() -> None:
    workflow = Workflow("shop", "order", version="2", description="All of it", identity="strict")

    @workflow.step
    def first() -> None:
        """Does the first thing.

        And explains it.
        """

    @workflow.step(
        name="last-one",
        after=[first],
        retry=Retry(max_attempts=7),
        timeout=timedelta(minutes=2),
        config={"url": "x"},
        description="The end",
    )
    def last() -> None: ...

    template = workflow.template
    assert (template.key, template.description, template.identity) == (
        "shop/order@2",
        "All of it",
        "strict",
    )
    one, two = template.steps
    assert (one.name, one.description, one.dependencies) == ("first", "Does the first thing.", ())
    assert (two.name, two.description, two.dependencies) == ("last-one", "The end", ("first",))
    assert two.retry.max_attempts == 7
    assert two.timeout_seconds == 120
    assert two.handler.initialization == {"url": "x"}
    assert workflow.handlers.keys() == {"first", "last-one"}


def test_the_context_schema_is_recorded_beside_the_definition() -> None:
    workflow = orders()
    workflow.step(name="a")(lambda: None)
    assert workflow.template.context_schema == Order.model_json_schema()


def test_the_template_has_the_policies_of_the_workflow_and_of_its_steps() -> None:
    workflow = Workflow(
        "shop",
        "order",
        version="1",
        on_failure="block",
        deadline=timedelta(hours=2),
        concurrency=Concurrency(limit=100),
        rate={"limit": 10, "per_seconds": 0.5, "key": "customer.id"},
    )
    workflow.step(
        name="a",
        start_timeout=timedelta(minutes=1),
        when_skipped="stop",
        system="payments",
        concurrency=MappingProxyType({"key": "customer_id", "limit": 2}),
        rate=Rate(limit=5, per_seconds=60),
    )(lambda: None)

    template = workflow.template
    (step,) = template.steps

    assert (template.on_failure, template.deadline_seconds) == ("block", 7200)
    assert template.concurrency == Concurrency(limit=100)
    assert template.rate == Rate(limit=10, per_seconds=0.5, key="customer.id")
    assert (step.start_timeout_seconds, step.when_skipped, step.system) == (60, "stop", "payments")
    assert step.concurrency == Concurrency(key="customer_id", limit=2)
    assert step.rate == Rate(limit=5, per_seconds=60)


def test_a_timeout_may_be_seconds() -> None:
    workflow = orders()
    workflow.step(name="a", timeout=1.5, start_timeout=2)(lambda: None)
    (step,) = workflow.template.steps
    assert (step.timeout_seconds, step.start_timeout_seconds) == (1.5, 2)


def test_a_step_added_after_the_template_was_read_is_in_the_next_reading() -> None:
    workflow = orders()
    workflow.step(name="a")(lambda: None)
    assert len(workflow.template.steps) == 1
    workflow.step(name="b", after=["a"])(lambda: None)
    assert len(workflow.template.steps) == 2


def test_local_types_of_the_functions_around_resolve() -> None:
    @dataclass
    class Outer:
        x: int

    def declare() -> Workflow[dict[str, Any]]:
        @dataclass
        class Inner:
            y: int

        workflow = Workflow("a", "b", version="1")

        @workflow.step
        def first() -> Outer:
            return Outer(1)

        @workflow.step(after=[first])
        def second(first: Outer) -> Inner:
            return Inner(first.x)

        return workflow

    assert Outer(1)
    assert declare().handlers["second"].needs_results == {"first"}


def step_of(workflow: Workflow[Any], **options: Any) -> Any:
    return workflow.step(**options)


def refused(declare: Any) -> str:
    """The error for declaring a step named `second` after `first`, beside `other`."""
    workflow = orders()
    workflow.step(name="first")(lambda: None)
    workflow.step(name="other")(lambda: None)
    with pytest.raises(InvalidTemplate) as error:
        workflow.step(name="second", after=["first"])(declare)
    return str(error.value)


WHERE = "workflow fulfilment/process_order@1.0.0, step 'second': "


def test_an_unknown_parameter_is_refused_with_what_was_expected() -> None:
    def second(frist: int) -> None: ...

    assert refused(second) == (
        f"{WHERE}parameter 'frist' is none of its inputs; expected 'context', a StepContext, or a"
        " dependency: first; did you mean 'first'?"
    )


def test_a_parameter_with_a_default_is_refused_as_well() -> None:
    def second(limit: int = 3) -> None: ...

    assert "parameter 'limit' is none of its inputs" in refused(second)


def test_a_step_that_is_not_in_after_is_refused_as_such() -> None:
    def second(other: Any) -> None: ...

    assert refused(second) == (
        f"{WHERE}parameter 'other' names the step 'other', which is not in its `after`"
    )


def test_an_unknown_step_in_from_is_refused() -> None:
    def second(x: Annotated[int, From("frist")]) -> None: ...

    assert "parameter 'x' takes unknown step 'frist'" in refused(second)


def test_parameters_that_take_anything_are_refused() -> None:
    def stars(*args: Any) -> None: ...
    def double(**kwargs: Any) -> None: ...
    def slash(first: Any, /) -> None: ...

    assert refused(stars) == f"{WHERE}parameter '*args' takes anything; name each input"
    assert refused(double) == f"{WHERE}parameter '**kwargs' takes anything; name each input"
    assert refused(slash) == f"{WHERE}parameter 'first' is positional-only; inputs come by name"


def test_a_context_of_another_type_is_refused() -> None:
    def second(context: int) -> None: ...

    assert refused(second) == f"{WHERE}parameter 'context' is annotated int, expected Order"


def test_an_annotation_that_does_not_resolve_is_refused_by_the_name_of_its_parameter() -> None:
    def second(first: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    def result() -> Missing: ...  # type: ignore[name-defined]  # noqa: F821

    assert refused(second) == (
        f"{WHERE}annotation of parameter 'first' cannot be resolved: Missing:"
        " name 'Missing' is not defined"
    )
    assert "return annotation cannot be resolved: Missing" in refused(result)


def test_an_annotation_that_is_no_type_of_data_is_refused() -> None:
    class Socket: ...

    def second(first: Socket) -> None: ...
    def result() -> Socket: ...

    assert "parameter 'first' is annotated with no type of data" in refused(second)
    assert "its result is annotated with no type of data" in refused(result)


def test_a_callable_without_readable_parameters_is_refused() -> None:
    assert "its parameters cannot be read" in refused(dict)


def test_what_is_no_function_or_has_no_name_is_refused() -> None:
    class Adder:
        def __call__(self) -> int:
            return 1

    for wrong in (3, "charge", Adder()):
        with pytest.raises(InvalidTemplate, match="a step is a function"):
            step_of(orders())(wrong)
    orders().step(name="adder")(Adder())


def test_a_generator_is_refused() -> None:
    def second() -> Any:
        yield 1

    assert refused(second) == f"{WHERE}a generator has no result; return one value"


def test_two_step_contexts_are_refused() -> None:
    def second(a: StepContext, b: StepContext) -> None: ...

    assert "parameter 'b' is a second StepContext beside 'a'" in refused(second)


def test_a_duplicate_step_is_refused() -> None:
    workflow = orders()
    workflow.step(name="a")(lambda: None)
    with pytest.raises(InvalidTemplate, match="step 'a': duplicate step"):
        workflow.step(name="a")(lambda: None)


def test_a_step_named_context_is_refused() -> None:
    with pytest.raises(InvalidTemplate, match="'context' is reserved"):
        orders().step(name="context")(lambda: None)


def test_a_function_of_no_step_or_another_workflow_in_after_is_refused() -> None:
    def stranger() -> None: ...

    other = orders()
    other.step(stranger)
    with pytest.raises(InvalidTemplate, match="step 'a': `after` has stranger, no step of this"):
        orders().step(name="a", after=[stranger])(lambda: None)


def test_a_function_of_two_steps_in_after_must_be_named() -> None:
    def work() -> None: ...

    workflow = orders()
    workflow.step(name="a")(work)
    workflow.step(name="b")(work)
    with pytest.raises(InvalidTemplate, match="several steps; name one of a, b"):
        workflow.step(name="c", after=[work])(lambda: None)


def test_an_unknown_name_in_after_and_a_cycle_are_told_by_the_template() -> None:
    workflow = orders()
    workflow.step(name="pay", after=["chek"])(lambda: None)
    workflow.step(name="check")(lambda: None)
    with pytest.raises(InvalidTemplate, match="unknown step 'chek'; did you mean 'check'"):
        assert workflow.template
    circle = orders()
    circle.step(name="a", after=["b"])(lambda: None)
    circle.step(name="b", after=["a"])(lambda: None)
    with pytest.raises(InvalidTemplate, match="cycle: a -> b -> a"):
        assert circle.template


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"namespace": "a b"}, "namespace: string should match"),
        ({"name": ""}, "name: string should match"),
        ({"version": "1/2"}, "version: string should match"),
        ({"identity": "sometimes"}, "identity: should be 'always_unique'"),
        ({"on_failure": "wait"}, "on_failure: should be 'fail' or 'block'"),
        ({"deadline": 0}, "deadline_seconds: should be greater than 0"),
        ({"concurrency": {"limit": 0}}, "concurrency.limit: should be greater than or equal to 1"),
        ({"rate": {"limit": 1}}, "rate.per_seconds: is missing"),
        ({"context": ModuleType}, "context is no type of data"),
    ],
)
def test_a_workflow_that_cannot_be_is_refused_where_it_is_made(
    fields: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidTemplate, match=fault):
        Workflow(**{"namespace": "a", "name": "b", "version": "1", **fields})


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"timeout": -1}, "timeout_seconds: should be greater than 0"),
        ({"start_timeout": 0}, "start_timeout_seconds: should be greater than 0"),
        ({"when_skipped": "wait"}, "when_skipped: should be 'continue' or 'stop'"),
        ({"system": "two words"}, "system: string should match"),
        ({"concurrency": {"limit": 1, "keys": "a"}}, "concurrency.keys: unknown key"),
        ({"rate": {"limit": 1, "per_seconds": 0}}, "rate.per_seconds: should be greater than 0"),
        ({"concurrency": {"limit": 1, "key": "a b"}}, "concurrency.key: string should match"),
        ({"config": {"x": float("nan")}}, "handler.initialization.x: nan is not JSON"),
        ({"config": {"x": object()}}, "handler.initialization.x"),
    ],
)
def test_options_that_cannot_be_are_refused_where_the_step_is_declared(
    options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidTemplate, match=f"step 'a': {fault}"):
        step_of(orders(), name="a", **options)(lambda: None)


def test_a_workflow_is_imported_by_its_module_and_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("shop_flows")
    monkeypatch.setitem(sys.modules, "shop_flows", module)
    code = "from flowledger.handlers import Workflow\nflow = Workflow('a', 'b', version='1')\n"
    exec(code, vars(module))  # noqa: S102 - a module as a user would write it

    assert import_workflow("shop_flows:flow") is module.flow


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("__main__:flow", "runs in its own process only"),
        ("json", "'json' should be written as module:attribute"),
        ("no_such_module:flow", "module 'no_such_module' cannot be imported: ModuleNotFoundError"),
        ("json:dunps", "module 'json' has no 'dunps'; did you mean 'dump"),
        ("json:dumps", "'json:dumps' is a function, expected a workflow"),
    ],
)
def test_a_workflow_that_cannot_be_imported_is_told_why(name: str, fault: str) -> None:
    with pytest.raises(UnknownTemplate, match=fault):
        import_workflow(name)
