"""What the values of the configuration may be, and how an environment variable says them."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode


def _no_truth_value(value: object) -> object:
    """YAML reads `yes` as true, and Python counts true as 1: neither is meant as a number."""
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")  # noqa: TRY004  # pydantic's protocol
    return value


def _split(value: object) -> object:
    """An environment variable holds a list as words between commas."""
    if isinstance(value, str):
        return tuple(word for part in value.split(",") if (word := part.strip()))
    return value


def _pairs(value: object) -> object:
    """An environment variable holds a mapping as `name=number` between commas."""
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(",") if part.strip()]
        return {name.strip(): number.strip() for name, _, number in parts}
    if isinstance(value, dict):
        numbers = cast("dict[object, object]", value)
        return {name: _no_truth_value(number) for name, number in numbers.items()}
    return value


def _at_least_one(value: dict[str, int]) -> dict[str, int]:
    if any(number < 1 for number in value.values()):
        raise ValueError("a limit is at least 1")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Count = Annotated[Whole, Field(ge=1)]
CountOrNone = Annotated[Whole, Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(_no_truth_value), Field(gt=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Allotments = Annotated[
    dict[str, int], NoDecode, BeforeValidator(_pairs), AfterValidator(_at_least_one)
]
