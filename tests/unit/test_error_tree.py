"""Errors are of one tree: what is invalid is a ValueError, what is unknown a LookupError."""

from __future__ import annotations

import inspect

import pytest

from flowledger.engine import errors

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.EngineError)
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_name_of_an_error_says_what_else_it_is(kind: type[Exception]) -> None:
    name = kind.__name__

    assert issubclass(kind, ValueError) or not name.startswith("Invalid")
    assert issubclass(kind, LookupError) or not name.startswith("Unknown")
