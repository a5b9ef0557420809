"""The types of the configuration's values, and how environment variables spell them."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

LONGEST_SECONDS = 2_000_000
"""23 days: Postgres counts its timeouts in milliseconds of 32 bits."""

GREATEST_COUNT = 2**31 - 1
"""What Postgres's integer holds."""


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
    if not all(1 <= number <= GREATEST_COUNT for number in value.values()):
        raise ValueError(f"a limit is at least 1 and at most {GREATEST_COUNT}")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Count = Annotated[Whole, Field(ge=1, le=GREATEST_COUNT)]
CountOrNone = Annotated[Whole, Field(ge=0, le=GREATEST_COUNT)]
Seconds = Annotated[
    float,
    BeforeValidator(_no_truth_value),
    Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False),
]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Allotments = Annotated[
    dict[str, int], NoDecode, BeforeValidator(_pairs), AfterValidator(_at_least_one)
]
