"""What a handler's exception means: whether another attempt may help, in which words it is kept."""

from __future__ import annotations

from flowledger.engine.domain.events import Category, StepError
from flowledger.engine.errors import InvalidContext, InvalidResult, UnknownHandler

PERMANENT: tuple[type[BaseException], ...] = (InvalidContext, InvalidResult, UnknownHandler)
MESSAGE_CHARACTERS = 2_000


def failure(error: BaseException, traceback: str | None) -> StepError:
    """The stored form of an exception; everything but a broken promise of types may be retried."""
    permanent = isinstance(error, PERMANENT)
    return StepError(
        error_class=storable(type(error).__qualname__),
        message=storable(words_of(error)[:MESSAGE_CHARACTERS]),
        category=category(error),
        retryable=not permanent,
        traceback=None if traceback is None else storable(traceback),
    )


def words_of(error: BaseException) -> str:
    """What the exception says; its name where it says nothing or fails in saying it."""
    try:
        return str(error) or type(error).__name__
    except BaseException:  # noqa: BLE001 - the words are user code too
        return type(error).__name__


def storable(text: str) -> str:
    """The text as the log can hold it: valid UTF-8 without null characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def category(error: BaseException) -> Category:
    """The kind of an exception."""
    if isinstance(error, PERMANENT):
        return "validation"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionError):
        return "network"
    return "unknown"
