"""What a handler's exception means, and in which words it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.domain.failures.classification import Classification, StepFault
from flowledger.engine.domain.failures.step_error_from_exception import (
    MESSAGE_CHARACTERS,
    step_error_of,
)
from flowledger.engine.events.step import StepError
from flowledger.handlers.errors import PermanentFault, RateLimitFault


def always(_: Exception) -> bool:
    return True


def never(_: Exception) -> bool:
    return False


class Silent(Exception):
    """Says nothing."""


class Unprintable(Exception):
    """Cannot even be told."""

    def __str__(self) -> str:
        raise ValueError("no words")


def test_an_exception_is_kept_with_its_class_its_words_and_its_meaning() -> None:
    assert step_error_of(ConnectionResetError("x"), "trace") == StepError(
        error_class="ConnectionResetError",
        message="x",
        category="network",
        retryable=True,
        traceback="trace",
    )


def test_what_a_service_asked_for_is_kept_with_a_failure_that_may_be_retried() -> None:
    kept = step_error_of(RateLimitFault("x", retry_after=30), None)

    assert (kept.category, kept.retryable, kept.retry_after_seconds) == ("rate_limit", True, 30)
    assert (
        step_error_of(RateLimitFault(retry_after=30), None, retry_if=never).retry_after_seconds
        is None
    )


def test_a_wish_that_is_no_time_does_not_keep_a_failure_out_of_the_log() -> None:
    assert step_error_of(RateLimitFault(retry_after=float("nan")), None).retry_after_seconds is None
    assert step_error_of(RateLimitFault(retry_after=-1), None).retry_after_seconds == 0


def test_another_classifier_decides() -> None:
    kept = step_error_of(
        ValueError("x"),
        None,
        lambda _: Classification("business", retryable=True, retry_after_seconds=5),
    )

    assert (kept.category, kept.retryable, kept.retry_after_seconds) == ("business", True, 5)


@pytest.mark.parametrize("error", [ValueError("x"), ConnectionError("x"), PermanentFault("x")])
def test_the_steps_own_predicate_has_the_last_word(error: Exception) -> None:
    assert step_error_of(error, None, retry_if=always).retryable
    assert not step_error_of(error, None, retry_if=never).retryable


def test_a_predicate_is_not_asked_about_what_is_no_error() -> None:
    assert step_error_of(KeyboardInterrupt(), None, retry_if=never).retryable


def broken(_: object) -> Any:
    raise LookupError("no table")


@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (broken, "x; the classifier failed: LookupError: no table"),
        (
            lambda _: "transient",
            "x; the classifier failed: TypeError: expected a Classification, got str",
        ),
    ],
    ids=["raises", "answers otherwise"],
)
def test_where_a_classifier_fails_the_default_holds_and_the_message_says_so(
    classifier: Any, words: str
) -> None:
    kept = step_error_of(ConnectionError("x"), None, classifier)

    assert (kept.category, kept.retryable, kept.message) == ("network", True, words)


def test_where_a_predicate_fails_the_classifier_holds_and_the_message_says_so() -> None:
    kept = step_error_of(ConnectionError("x"), None, retry_if=broken)

    assert (kept.retryable, kept.message) == (True, "x; retry_if failed: LookupError: no table")


def test_a_fault_that_cannot_say_what_it_means_is_unknown() -> None:
    class Odd(StepFault):
        category: Any = "weather"

    kept = step_error_of(Odd("x"), None)

    assert (kept.category, kept.retryable) == ("unknown", True)
    assert "the default classifier failed: ValidationError" in kept.message


def test_an_exception_without_words_is_told_by_its_name() -> None:
    assert step_error_of(Silent(), None).message == "Silent"


def test_an_exception_whose_words_cannot_be_had_is_told_by_its_name() -> None:
    assert "Unprintable" in step_error_of(Unprintable(), None).message


def test_a_message_is_bounded() -> None:
    assert step_error_of(ValueError("x" * 10_000), None).message == "x" * MESSAGE_CHARACTERS


def test_a_nested_class_is_named_with_its_place() -> None:
    class Local(Exception):
        pass

    assert step_error_of(Local("x"), None).error_class.endswith("<locals>.Local")


def test_a_message_holds_no_null() -> None:
    assert step_error_of(OSError("a\0b"), None).message == "a\ufffdb"


def test_a_file_name_that_is_no_utf8_does_not_keep_a_failure_out_of_the_log() -> None:
    words = "no such file: report\udcff.txt"

    kept = step_error_of(OSError(words), f"OSError: {words}")

    assert kept.message.encode().startswith(b"no such file: report")
    assert kept.traceback is not None
    assert kept.traceback.encode().startswith(b"OSError: no such file: report")
