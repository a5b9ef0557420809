"""What a handler's exception means, and in which words it is kept."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.failures import MESSAGE_CHARACTERS, failure
from flowledger.engine.errors import InvalidContext, InvalidResult, UnknownHandler


class Silent(Exception):
    """Says nothing."""


class Unprintable(Exception):
    """Cannot even be told."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "category", "retryable"),
    [
        (ValueError("x"), "unknown", True),
        (TimeoutError("x"), "timeout", True),
        (ConnectionResetError("x"), "network", True),
        (InvalidContext("x"), "validation", False),
        (InvalidResult("x"), "validation", False),
        (UnknownHandler("x"), "validation", False),
        (KeyboardInterrupt("x"), "unknown", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_exception_has_a_category(error: Exception, category: str, *, retryable: bool) -> None:
    kept = failure(error, "trace")

    assert (kept.category, kept.retryable) == (category, retryable)
    assert (kept.error_class, kept.message, kept.traceback) == (type(error).__name__, "x", "trace")


def test_an_exception_without_words_is_told_by_its_name() -> None:
    assert failure(Silent(), None).message == "Silent"


def test_an_exception_whose_words_cannot_be_had_is_told_by_its_name() -> None:
    assert "Unprintable" in failure(Unprintable(), None).message


def test_a_message_is_bounded() -> None:
    assert failure(ValueError("x" * 10_000), None).message == "x" * MESSAGE_CHARACTERS


def test_a_nested_class_is_named_with_its_place() -> None:
    class Local(Exception):
        pass

    assert failure(Local("x"), None).error_class.endswith("<locals>.Local")


def test_a_message_holds_no_null() -> None:
    assert failure(OSError("a\0b"), None).message == "a\ufffdb"


def test_a_file_name_that_is_no_utf8_does_not_keep_a_failure_out_of_the_log() -> None:
    words = "no such file: report\udcff.txt"

    kept = failure(OSError(words), f"OSError: {words}")

    assert kept.message.encode().startswith(b"no such file: report")
    assert kept.traceback is not None
    assert kept.traceback.encode().startswith(b"OSError: no such file: report")
