"""Canonical JSON (RFC 8785): equal values have equal bytes, and so equal hashes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import cast

from pydantic import JsonValue

LARGEST_INTEGER = 2**53
DEEPEST = 250
"""More than `json_values.MOST_NESTED`: a definition is spelled with what it holds."""


def canonical_json(value: JsonValue) -> bytes:
    """The one UTF-8 spelling of a JSON value: sorted keys, no blanks, numbers as ECMAScript.

    Raises ValueError where there is none: NaN, infinities, integers beyond 2^53 (a double cannot
    tell them apart), lone surrogates, nesting deeper than 250, anything that is not JSON.
    """
    try:
        return "".join(_spell(value, 0)).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds a lone surrogate, which UTF-8 cannot spell") from None


def _spell(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, dict | list | tuple):
        if depth == DEEPEST:
            raise ValueError(f"values are nested deeper than {DEEPEST} levels")
        yield from _nested(cast("object", value), depth)
    else:
        yield _scalar(value)


def _nested(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), depth)
    return _array(cast("list[object]", value), depth)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _double(value)
    raise ValueError(f"{type(value).__name__} is not a JSON value")


def _object(value: dict[object, object], depth: int) -> Iterator[str]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) < len(value):
        raise ValueError("a key of a JSON object is not a string")
    separator = "{"
    for key in sorted(keys, key=_utf16):
        yield f"{separator}{json.dumps(key, ensure_ascii=False)}:"
        yield from _spell(value[key], depth + 1)
        separator = ","
    yield "}" if keys else "{}"


def _array(value: list[object], depth: int) -> Iterator[str]:
    separator = "["
    for item in value:
        yield separator
        yield from _spell(item, depth + 1)
        separator = ","
    yield "]" if value else "[]"


def _utf16(key: str) -> bytes:
    # Beyond the basic plane this order differs from that of code points.
    return key.encode("utf-16-be")


def _integer(value: int) -> str:
    if abs(value) > LARGEST_INTEGER:
        raise ValueError(f"the integer {value} is beyond 2^53; write it as a string")
    return str(int(value))


def _double(value: float) -> str:
    """ECMAScript's Number::toString; Python's repr already has the shortest digits."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    return sign + _place(digits.rstrip("0"), point)


def _place(digits: str, point: int) -> str:
    """Digits with the decimal point after the first `point` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
