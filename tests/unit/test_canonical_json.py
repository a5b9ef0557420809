"""Canonical JSON: RFC 8785's rules, and what has no canonical spelling."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.templates.canonical_json import canonical_json

NUMBERS = [
    (0.0, "0"),
    (-0.0, "0"),
    (1.0, "1"),
    (-1.5, "-1.5"),
    (4.50, "4.5"),
    (2e-3, "0.002"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (1.5e-27, "1.5e-27"),
    (1e21, "1e+21"),
    (1e20, "100000000000000000000"),
    (123456789012345680000.0, "123456789012345680000"),
    (1.2345e22, "1.2345e+22"),
    (333333333.33333329, "333333333.3333333"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (9007199254740992.0, "9007199254740992"),
    (2**53, "9007199254740992"),
    (-(2**53), "-9007199254740992"),
    (True, "true"),
    (None, "null"),
]


@pytest.mark.parametrize(("value", "spelling"), NUMBERS, ids=[text for _, text in NUMBERS])
def test_a_number_is_spelled_as_ecmascript_does(value: float, spelling: str) -> None:
    assert canonical_json(value) == spelling.encode()


def test_keys_are_sorted_by_their_utf_16_code_units() -> None:
    # U+1F600 is a surrogate pair (D83D ...), hence before U+FB33, though its code point is higher.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    spelled = json.loads(canonical_json(dict.fromkeys(keys, 0)))
    assert list(spelled) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_escape_only_what_json_demands() -> None:
    assert (
        canonical_json('€$\x0f\nA\'B"\\\\"/\x7f')
        == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'.encode()
    )


def test_containers_have_no_blanks() -> None:
    assert canonical_json({"b": [1, {}, []], "a": {"x": None}}) == b'{"a":{"x":null},"b":[1,{},[]]}'


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (math.nan, "nan is not a JSON number"),
        (math.inf, "inf is not a JSON number"),
        (2**53 + 1, "beyond 2\\^53"),
        (-(2**53) - 1, "beyond 2\\^53"),
        ("\ud800", "lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        ({1: 2}, "key of a JSON object is not a string"),
        ({"a": {1, 2}}, "set is not a JSON value"),
        (b"x", "bytes is not a JSON value"),
    ],
)
def test_what_has_no_canonical_spelling_is_refused(value: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        canonical_json(value)  # type: ignore[arg-type]


def test_a_value_nested_too_deeply_is_refused_rather_than_overflowing_the_stack() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested deeper"):
        canonical_json(deep)  # type: ignore[arg-type]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(JSON)
def test_canonical_json_is_json_for_the_same_value_and_the_same_when_written_again(
    value: object,
) -> None:
    spelled = canonical_json(value)  # type: ignore[arg-type]
    # As in ECMAScript, where every number is a double: whole ones may be spelled as integers.
    read = json.loads(spelled, parse_int=float)
    assert read == value
    assert canonical_json(read) == spelled


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_keeps_its_value(value: float) -> None:
    assert float(canonical_json(value)) == value
