"""A parameter and the result that it takes: pairs that never fit are refused at the declaration."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    PlainSerializer,
    RootModel,
    model_serializer,
    model_validator,
)
from typing_extensions import TypedDict

from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers import From, Workflow
from flowledger.handlers.registry import Registry
from flowledger.handlers.result_fits_parameter import never_fits
from flowledger.handlers.template_with_handlers import workflow_from_template
from flowledger.handlers.type_codec import reader, writer
from support.examples import examples


class Money(BaseModel):
    cents: int = 1


class Paid(Money):
    by: str = "ann"


class Parsed(BaseModel):
    cents: int = 1

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return {"cents": value} if isinstance(value, int) else value


class Checked(BaseModel):
    cents: int = 1

    @model_validator(mode="after")
    def check(self) -> Checked:
        return self


class Told(BaseModel):
    cents: int = 1

    @model_serializer
    def told(self) -> int:
        return self.cents


class Cents(RootModel[int]):
    root: int = 1


@dataclasses.dataclass
class Order:
    cents: int = 1


class Row(TypedDict):
    cents: int


class Point(NamedTuple):
    x: int = 1


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Tree(BaseModel):
    kids: list[Tree] = []


TYPES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-9, 9),
    bool: st.booleans(),
    float: st.floats(-9, 9),
    str: st.text(max_size=5),
    None: st.none(),
    Decimal: st.decimals(-9, 9, allow_nan=False),
    datetime: st.datetimes(),
    date: st.dates(),
    UUID: st.uuids(),
    Path: st.just(Path("a")),
    Money: st.just(Money()),
    Paid: st.just(Paid()),
    Parsed: st.just(Parsed()),
    Checked: st.just(Checked()),
    Told: st.just(Told()),
    Cents: st.just(Cents(1)),
    Order: st.just(Order()),
    Row: st.just({"cents": 1}),
    Point: st.just(Point(1)),
    Colour: st.just(Colour.RED),
    Number: st.just(Number.ONE),
    Tree: st.just(Tree(kids=[Tree()])),
    list[int]: st.lists(st.integers(-9, 9), max_size=2),
    list[str]: st.lists(st.text(max_size=3), max_size=2),
    tuple[int, ...]: st.just((1,)),
    set[int]: st.just({1}),
    frozenset[str]: st.just(frozenset({"a"})),
    Sequence[int]: st.just([1]),
    dict[str, int]: st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    dict[str, Any]: st.just({"cents": 1}),
    Any: st.just(7),
    object: st.just("x"),
    JsonValue: st.just([1]),
    Union[int, str]: st.integers() | st.text(max_size=3),  # noqa: UP007 - both forms are read
    int | None: st.none() | st.integers(),
    Money | None: st.just(Money()),
    Literal["1"]: st.just("1"),
    Literal[1]: st.just(1),
    Annotated[int, Field(gt=0)]: st.integers(1, 9),
    Annotated[str, Field(pattern=r"^\d$")]: st.just("7"),
    Annotated[int, BeforeValidator(int)]: st.integers(-9, 9),
    Annotated[int, AfterValidator(abs)]: st.integers(0, 9),
    Annotated[int, PlainSerializer(str)]: st.integers(0, 9),
}

NUMBERS = {int, bool, float, int | None, Annotated[int, Field(gt=0)]}


@settings(max_examples=examples(150))
@given(st.data())
def test_what_would_run_is_not_refused_but_plain_texts_for_numbers(data: st.DataObject) -> None:
    result = data.draw(st.sampled_from(list(TYPES)))
    parameter = data.draw(st.sampled_from(list(TYPES)))
    value = data.draw(TYPES[result])
    try:
        reader(parameter)(writer(result)(value))
    except (ValueError, TypeError):  # which a validator of the user's own may raise
        return

    text_for_number = result is str and parameter in NUMBERS
    assert text_for_number or not never_fits(result, parameter)


def test_every_pair_of_one_type_fits() -> None:
    assert [one for one in TYPES if never_fits(one, one)] == []


NEVER = [
    (str, int),
    (str, bool),
    (str, float | None),
    (str | None, int),
    (int, str),
    (bool, str),
    (float, str),
    (Decimal, None | list[int]),
    (None, int),
    (None, Money),
    (int, None),
    (int, list[int]),
    (int, dict[str, int]),
    (int, Money),
    (int, UUID),
    (Annotated[int, Field(gt=0)], Annotated[str, Field(max_length=3)]),
    (list[int], int),
    (list[int], dict[str, int]),
    (list[Money], Money),
    (tuple[int, int], str),
    (dict[str, int], list[int]),
    (dict[str, int], str),
    (Money, str),
    (Money, int),
    (Money, list[Money]),
    (Tree, str),
    (Order, int),
    (Row, str),
    (datetime, Money),
    (UUID, list[int]),
    (int | float, str),
    (Money | None, str),
]
NOT_SURE = [
    (str, str | int),
    (str, datetime),
    (str, UUID),
    (str, Path),
    (str, Decimal),
    (str, Colour),
    (Decimal, int),
    (Decimal, bool | list[int]),
    (Decimal, float),
    (datetime, str),
    (float, int),
    (int, float),
    (bool, int),
    (int, bool),
    (int | None, int),
    (int | str, int),
    (Money, Paid),
    (Paid, Money),
    (Money, dict[str, Any]),
    (dict[str, Any], Money),
    (Row, Order),
    (list[int], list[str]),
    (list[int], set[int]),
    (set[int], tuple[int, ...]),
    (int, Parsed),
    (int, Cents),
    (Told, int),
    (Point, list[int]),
    (Number, int),
    (Annotated[int, PlainSerializer(str)], str),
    (int, Annotated[str, BeforeValidator(str)]),
    (Annotated[str, Field(pattern=r"^\d$")], int),
    (Any, int),
    (str, Any),
    (str, object),
    (str, JsonValue),
]


@pytest.mark.parametrize(("result", "parameter"), NEVER, ids=str)
def test_a_pair_that_never_fits(result: Any, parameter: Any) -> None:
    assert never_fits(result, parameter)


@pytest.mark.parametrize(("result", "parameter"), NOT_SURE, ids=str)
def test_a_pair_that_may_fit(result: Any, parameter: Any) -> None:
    assert not never_fits(result, parameter)


def flow() -> Workflow[dict[str, Any]]:
    return Workflow("shop", "order", version="1")


REFUSED = (
    r"^workflow shop/order@1, step 'ship': parameter 'charge' is annotated int, but step 'charge'"
    r" returns str; expected types of which the one is read from the other's JSON$"
)


def test_a_parameter_of_another_type_names_both_steps() -> None:
    shop = flow()

    @shop.step
    def charge() -> str:
        return "7"

    with pytest.raises(InvalidTemplate, match=REFUSED):

        @shop.step(after=[charge])
        def ship(charge: int) -> None: ...

    assert list(shop.handlers) == ["charge"]


def test_the_order_of_declarations_does_not_matter() -> None:
    shop = flow()

    @shop.step(after=["charge"])
    def ship(charge: int) -> None: ...

    with pytest.raises(InvalidTemplate, match=REFUSED):

        @shop.step
        async def charge() -> str:
            return "7"


def test_a_step_that_is_taken_by_another_name_is_checked_too() -> None:
    shop = flow()

    @shop.step(name="charge-card")
    def charge() -> dict[str, int]:
        return {}

    with pytest.raises(
        InvalidTemplate, match=r"'paid' is annotated list\[int\], but step 'charge-"
    ):

        @shop.step(after=[charge])
        def ship(paid: Annotated[list[int], From("charge-card")]) -> None: ...


def test_what_is_not_annotated_is_not_compared() -> None:
    shop = flow()

    @shop.step
    def bare():  # type: ignore[no-untyped-def]
        return "7"

    @shop.step
    def told() -> str:
        return "7"

    @shop.step(after=[bare, told])
    def ship(bare: int, told) -> None: ...  # type: ignore[no-untyped-def]

    assert set(shop.handlers) == {"bare", "told", "ship"}


def _charge() -> str:
    return "7"


def _ship(charge: int) -> None: ...


def test_steps_of_a_template_are_held_to_it_as_well() -> None:
    steps = (
        {"name": "ship", "handler": {"callable": "ship"}, "dependencies": ["charge"]},
        {"name": "charge", "handler": {"callable": "charge"}},
    )
    template = Template.model_validate(
        {"namespace": "shop", "name": "order", "version": "1", "steps": steps}
    )
    workflow = workflow_from_template(template, Registry({"charge": _charge, "ship": _ship}))

    with pytest.raises(InvalidTemplate, match=REFUSED.replace("workflow", "template")):
        _ = workflow.handlers
