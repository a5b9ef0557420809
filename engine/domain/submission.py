"""What a caller may say of a task beside its context.

Each task's events and rows are stored together with those of others, so a value that a row cannot
hold must be refused here: later it would hold up every task, not only its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowledger.engine.errors import InvalidSubmission

PRIORITIES = range(-(2**31), 2**31)
"""What Postgres's integer holds."""

LONGEST_TEXT = 1_000
"""Characters: these texts stand in many rows and in every log line of the task."""

DUPLICATES = ("return", "raise")


def check_submission(
    template: str, priority: object, on_duplicate: object, texts: Mapping[str, object]
) -> None:
    """Refuse what cannot be stored; `texts` are named by their parameters, None is none given.

    Raises InvalidSubmission, which names the template and the parameter.
    """
    if isinstance(priority, bool) or not isinstance(priority, int) or priority not in PRIORITIES:
        raise InvalidSubmission(
            f"{template}: priority should be a whole number from {PRIORITIES[0]} to"
            f" {PRIORITIES[-1]}, got {priority!r}"
        )
    if on_duplicate not in DUPLICATES:
        raise InvalidSubmission(
            f"{template}: on_duplicate should be {' or '.join(DUPLICATES)}, got {on_duplicate!r}"
        )
    for name, text in texts.items():
        fault = _fault(text)
        if fault:
            raise InvalidSubmission(f"{template}: {name} {fault}")


def _fault(text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        return f"should be a string, got {type(text).__name__}"
    if not 0 < len(text) <= LONGEST_TEXT:
        return f"should have 1 to {LONGEST_TEXT} characters, got {len(text)}"
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        return f"should be text that Postgres can store, got {text[:40]!a}"
    return None
