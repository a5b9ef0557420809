"""The stored form of an exception that a handler raised: type, message, category, traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from flowledger.engine.domain.failures.classification import (
    UNKNOWN,
    Classification,
    Classifier,
    RetryIf,
    asked_seconds,
    classify,
)
from flowledger.engine.domain.failures.untrusted_exception import is_a, name_of
from flowledger.engine.domain.storable_text_check import storable
from flowledger.engine.events.step import StepError

MESSAGE_CHARACTERS = 2_000
NOTE_CHARACTERS = 200

T = TypeVar("T")


def step_error_of(
    error: BaseException,
    traceback: str | None,
    classifier: Classifier = classify,
    retry_if: RetryIf | None = None,
) -> StepError:
    """What is kept of an exception; a step's `retry_if` has the last word on `retryable`.

    Both are user code. Where one fails, the default classifier's answer holds instead, and the
    message says so.
    """
    notes: list[str] = []
    found = _classification(error, classifier, notes)
    retryable = _is_retryable(error, found, retry_if, notes)
    asked = asked_seconds(found.retry_after_seconds)
    return StepError(
        error_class=storable(name_of(error, "__qualname__")),
        message=storable("; ".join([words_of(error)[:MESSAGE_CHARACTERS], *notes])),
        category=found.category,
        retryable=retryable,
        traceback=None if traceback is None else storable(traceback),
        retry_after_seconds=asked if retryable else None,
    )


def words_of(error: BaseException) -> str:
    """What the exception says; its name where it says nothing or fails in saying it."""
    try:
        return str(error) or name_of(error)
    except BaseException:  # noqa: BLE001 - the words are user code too
        return name_of(error)


def _classification(
    error: BaseException, classifier: Classifier, notes: list[str]
) -> Classification:
    def ask() -> Classification:
        found = cast("object", classifier(error))
        if not isinstance(found, Classification):
            raise TypeError(f"expected a Classification, got {type(found).__name__}")
        return found

    found = _answer(ask, "the classifier", notes)
    return found or _answer(lambda: classify(error), "the default classifier", notes) or UNKNOWN


def _is_retryable(
    error: BaseException, found: Classification, retry_if: RetryIf | None, notes: list[str]
) -> bool:
    if retry_if is None or not is_a(error, Exception):
        return found.retryable
    answer = _answer(lambda: bool(retry_if(cast("Exception", error))), "retry_if", notes)
    return found.retryable if answer is None else answer


def _answer(ask: Callable[[], T], subject: str, notes: list[str]) -> T | None:
    try:
        return ask()
    except BaseException as fault:  # noqa: BLE001 - a failure must be kept whatever sorts it
        notes.append(f"{subject} failed: {name_of(fault)}: {words_of(fault)}"[:NOTE_CHARACTERS])
        return None
