"""Where an exception was raised, as text of a bounded size."""

from __future__ import annotations

import traceback

from flowledger.engine.domain.failures.step_error_from_exception import words_of
from flowledger.engine.domain.failures.untrusted_exception import can_be_followed, name_of
from flowledger.engine.domain.storable_text_check import storable


def bounded_traceback(error: BaseException, limit_bytes: int) -> str | None:
    """The traceback with its causes, as it can be stored: its end, in so many bytes of UTF-8.

    Without its causes where they have no end, or are its own affair. None where the limit is 0, and
    of an exception that cannot be described.
    """
    if not limit_bytes:
        return None
    try:
        lines = traceback.format_exception(error) if can_be_followed(error) else _alone(error)
        text = storable("".join(lines))
    except Exception:  # noqa: BLE001 - the exception is user code
        return None
    return text.encode()[-limit_bytes:].decode("utf-8", "ignore")


def _alone(error: BaseException) -> list[str]:
    raised = vars(BaseException)["__traceback__"].__get__(error)
    return [*traceback.format_tb(raised), f"{name_of(error)}: {words_of(error)}\n"]


def clear_traceback(error: BaseException) -> None:
    """Forget where it was raised: Python adds to that whenever the same object is raised again."""
    vars(BaseException)["__traceback__"].__set__(error, None)


def lines_of(text: str | None) -> list[str]:
    """The lines of a traceback, of what can be printed; none where there is none."""
    lines = (text or "").split("\n")
    return [_printable(line.rstrip()) for line in lines if line.strip()]


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
