"""Handlers bound to their inputs: parameters, types, results, errors that name the place."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import pytest
import structlog
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import InvalidContext, InvalidResult
from flowledger.handlers import From, StepContext, Workflow

TASK = UUID("01890000-0000-7000-8000-000000000000")
STEP = UUID("01890000-0000-8000-8000-000000000001")


class Order(BaseModel):
    id: int
    placed: datetime


class Colour(Enum):
    RED = "red"


def call(context: Any = None, **results: Any) -> StepCall:
    return StepCall(
        task_id=TASK,
        step_id=STEP,
        namespace="shop",
        template="order",
        version="1",
        step="under_test",
        attempt=2,
        idempotency_key="key",
        correlation_id="trace",
        config={"limit": 3},
        context=context,
        results=results,
    )


def run(function: Callable[..., Any], given: StepCall, context: Any = dict[str, Any]) -> Any:
    """The function's JSON result as a step after all steps in the call's results."""
    workflow: Workflow[Any] = Workflow("shop", "order", version="1", context=context)
    for name in given.results:
        workflow.step(name=name)(lambda: None)
    workflow.step(name="under_test", after=given.results)(function)
    handler = workflow.handlers["under_test"]
    result = handler(given)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def fault(function: Callable[..., Any], given: StepCall | None = None) -> str:
    with pytest.raises(InvalidResult) as error:
        run(function, given or call())
    prefix = "workflow shop/order@1, step 'under_test': "
    assert str(error.value).startswith(prefix)
    return str(error.value).removeprefix(prefix)


def test_a_handler_asks_for_what_it_names_and_no_more() -> None:
    workflow = Workflow("shop", "order", version="1", context=Order)
    workflow.step(name="a")(lambda: None)
    workflow.step(name="b")(lambda: None)

    @workflow.step(after=["a", "b"])
    async def both(context: Order, a: Any) -> None: ...

    @workflow.step(after=["a", "b"])
    def neither() -> None: ...

    asks, nothing = workflow.handlers["both"], workflow.handlers["neither"]
    assert (asks.is_async, asks.needs_context, asks.needs_results) == (True, True, {"a"})
    assert (nothing.is_async, nothing.needs_context, nothing.needs_results) == (
        False,
        False,
        frozenset(),
    )


def test_context_results_and_step_context_come_by_name_and_annotation() -> None:
    def step(context: Order, me: StepContext, charge: dict[str, Any]) -> list[Any]:
        return [context.id, context.placed.year, me.attempt, charge["paid"]]

    given = call({"id": 7, "placed": "2024-05-06T07:08:09Z"}, charge={"paid": 3})
    assert run(step, given, Order) == [7, 2024, 2, 3]


def test_an_async_handler_returns_an_awaitable_result() -> None:
    async def step(charge: int) -> int:
        await asyncio.sleep(0)
        return charge + 1

    assert run(step, call(charge=1)) == 2


def test_a_callable_object_and_a_partial_may_be_handlers() -> None:
    class Adder:
        async def __call__(self, charge: int) -> int:
            return charge + 1

    def scaled(charge: int, factor: int) -> int:
        return charge * factor

    assert run(Adder(), call(charge=1)) == 2
    assert run(functools.partial(_times_two), call(charge=4)) == 8
    with pytest.raises(Exception, match="parameter 'factor' is none of its inputs"):
        run(functools.partial(scaled, factor=3), call(charge=4))


def _times_two(charge: Doubled) -> int:
    return charge * 2


Doubled = int  # known in this module only, where a partial's annotations are to be looked up


def test_a_step_whose_name_is_no_identifier_comes_by_from() -> None:
    def step(index: Annotated[list[int], From("bowtie2-build")]) -> int:
        return sum(index)

    given = call()
    given = StepCall(**{**_fields(given), "results": {"bowtie2-build": [1, 2]}})
    assert run(step, given) == 3


def test_the_rest_of_an_annotation_stays_when_from_is_taken_out() -> None:
    def step(index: Annotated[int, Field(gt=5), From("charge")]) -> int:
        return index

    assert fault(step, call(charge=3)) == (
        "parameter 'index': the result of step 'charge' is not what is annotated:"
        " result: should be greater than 5, got int"
    )


def _fields(given: StepCall) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__slots__}


class Pair(NamedTuple):
    left: int
    right: str


class Movie(TypedDict):
    title: str
    year: int


@dataclass(frozen=True)
class Point:
    x: float
    seen: datetime


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    when: datetime
    inner: Order
    name: str = Field(alias="theName")


MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
ROUND_TRIPS: list[tuple[Any, Any]] = [
    (datetime, MOMENT),
    (Decimal, Decimal("0.10")),
    (UUID, TASK),
    (Colour, Colour.RED),
    (Pair, Pair(1, "a")),
    (Movie, Movie(title="t", year=3)),
    (Point, Point(1.5, MOMENT)),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (bytes, b"abc"),
    (float, 1),
    (list[Order], [Order(id=1, placed=MOMENT)]),
    (dict[str, Decimal], {"a": Decimal(1)}),
    (Strict, Strict(when=MOMENT, inner=Order(id=1, placed=MOMENT), theName="x")),
    (Order | None, None),
    (None, None),
    (str, "é"),
]


@pytest.mark.parametrize(("kind", "value"), ROUND_TRIPS, ids=[str(kind) for kind, _ in ROUND_TRIPS])
def test_a_typed_result_comes_back_as_it_was_in_a_dependent_of_the_same_type(
    kind: Any, value: Any
) -> None:
    seen: list[Any] = []

    def produce() -> Any:
        return value

    def consume(charge: Any) -> None:
        seen.append(charge)

    produce.__annotations__["return"] = kind
    consume.__annotations__["charge"] = kind
    stored = run(produce, call())
    run(consume, call(charge=stored))
    assert seen == [value]


def test_a_dictionary_without_types_holds_json_only() -> None:
    def pair() -> dict[str, Any]:
        return {"pair": (1, 2)}

    def moment() -> dict[str, Any]:
        return {"at": MOMENT}

    def order() -> dict[str, Any]:
        return {"orders": [Order(id=1, placed=MOMENT)]}

    assert run(pair, call()) == {"pair": [1, 2]}
    assert fault(moment) == "result.at: datetime is not JSON"
    assert fault(order) == "result.orders[0]: Order is not JSON"


def test_a_stored_result_is_a_copy_that_later_changes_do_not_reach() -> None:
    kept: dict[str, Any] = {"items": [1]}

    def step() -> dict[str, Any]:
        return kept

    stored = run(step, call())
    kept["items"].append(2)
    assert stored == {"items": [1]}


def test_a_result_of_another_type_names_the_place() -> None:
    def step() -> list[Movie]:
        return [{"title": "a", "year": 1}, {"title": "b", "year": "2"}]  # type: ignore[typeddict-item]

    assert fault(step) == "result[1].year: should be a valid integer, got str"


def test_a_result_is_not_silently_turned_into_the_annotated_type() -> None:
    def number() -> int:
        return "3"  # type: ignore[return-value]

    def mapping() -> dict[str, Any]:
        return None  # type: ignore[return-value]

    assert fault(number) == "result: should be a valid integer, got str"
    assert fault(mapping) == "result: should be a mapping, got NoneType"


NOT_JSON: list[tuple[Any, str]] = [
    (math.nan, "result: nan is not JSON"),
    ({"a": [1, math.inf]}, "result.a[1]: inf is not JSON"),
    ({"a": object()}, "result.a: object is not JSON"),
    ({"a": {"b": b"x"}}, "result.a.b: bytes is not JSON"),
    ({1: 2}, "result: the key 1 is not a string"),
    ({"a": {"b": {2: 1}}}, "result.a.b: the key 2 is not a string"),
    ([2**64], "result[0]: an integer of more than 64 bits"),
    ("\ud800", "result: str is not valid UTF-8: surrogates not allowed"),
    ([MOMENT], "result[0]: datetime is not JSON"),
    ({1, 2}, "result: set is not JSON"),
]


@pytest.mark.parametrize(("value", "message"), NOT_JSON, ids=[text for _, text in NOT_JSON])
def test_a_result_that_is_not_json_names_the_place(value: Any, message: str) -> None:
    def step():  # type: ignore[no-untyped-def]
        return value

    assert fault(step) == message


def test_a_result_that_contains_itself_is_refused() -> None:
    def step() -> Any:
        circle: list[Any] = []
        circle.append(circle)
        return circle

    assert fault(step) == ("result[0][0][0]: is nested deeper than 100 levels, or contains itself")


def test_annotated_dictionaries_refuse_what_is_not_json_too() -> None:
    def nan() -> dict[str, Any]:
        return {"a": {"b": math.nan}}

    def unknown() -> dict[str, Any]:
        return {"a": object()}

    def binary() -> bytes:
        return b"\xff"

    assert fault(nan) == "result.a.b: nan is not JSON"
    assert fault(unknown) == "result.a: object is not JSON"
    assert fault(binary).startswith("result: ")


class Measured(BaseModel):
    grams: float
    note: str | None = None
    series: list[float] = []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Measured(grams=math.nan), "result.grams: nan is not JSON"),
        (Measured(grams=1, series=[1, math.inf]), "result.series[1]: inf is not JSON"),
    ],
    ids=["a field", "a list"],
)
def test_a_model_with_a_number_that_json_lacks_is_refused(value: Measured, message: str) -> None:
    def step() -> Measured:
        return value

    assert fault(step) == message


def test_null_beside_numbers_is_no_fault() -> None:
    def step() -> dict[str, Any]:
        return {"a": None, "b": 1.5}

    assert run(step, call()) == {"a": None, "b": 1.5}


def test_a_dependency_of_another_type_names_the_parameter() -> None:
    def step(charge: Order) -> None: ...

    assert fault(step, call(charge={"id": "x", "placed": "2024-05-06T07:08:09Z"})) == (
        "parameter 'charge': the result of step 'charge' is not what is annotated:"
        " result.id: should be a valid integer, unable to parse string as an integer, got str"
    )


def test_a_plain_dictionary_is_demanded_where_it_is_annotated() -> None:
    def step(charge: dict[str, Any]) -> None: ...

    assert fault(step, call(charge=[])).endswith("result: should be a mapping, got list")
    assert "skipped or resolved has none: `| None`" in fault(step, call(charge=None))


def test_a_stored_context_that_does_not_fit_names_the_place() -> None:
    def step(context: Order) -> None: ...

    with pytest.raises(InvalidContext, match=r"step 'under_test': context\.placed: is missing"):
        run(step, call({"id": 1}), Order)


def test_what_the_function_raises_is_not_changed() -> None:
    def step() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        run(step, call())


def test_a_step_context_tells_the_ids_the_configuration_and_the_ancestors() -> None:
    seen: list[StepContext] = []

    def step(me: StepContext) -> None:
        seen.append(me)

    run(step, call(charge=1, other=2))
    me = seen[0]
    assert (me.task_id, me.step_id, me.idempotency_key) == (TASK, STEP, "key")
    assert (me.namespace, me.template, me.version, me.step) == ("shop", "order", "1", "under_test")
    assert me.config == {"limit": 3}
    assert me.results == {"charge": 1, "other": 2}


def test_the_logger_names_the_task_the_step_and_the_attempt() -> None:
    def step(me: StepContext) -> None:
        me.logger.info("weighed", grams=3)

    with structlog.testing.capture_logs() as lines:
        run(step, call())
    assert lines == [
        {
            "event": "weighed",
            "log_level": logging.getLevelName(logging.INFO).lower(),
            "grams": 3,
            "correlation_id": "trace",
            "task_id": str(TASK),
            "step": "under_test",
            "attempt": 2,
        }
    ]
