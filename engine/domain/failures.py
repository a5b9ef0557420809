"""What a handler's exception means: whether another attempt may help, in which words it is kept."""

from __future__ import annotations

from flowledger.engine.domain.events import Category, StepError
from flowledger.engine.errors import InvalidContext, InvalidResult, UnknownHandler

PERMANENT: tuple[type[BaseException], ...] = (InvalidContext, InvalidResult, UnknownHandler)
MESSAGE_CHARACTERS = 2_000


def failure(error: BaseException, traceback: str | None) -> StepError:
    """The stored form of an exception; everything but a broken promise of types may be retried."""
    permanent = isinstance(error, PERMANENT)
    message = str(error) or type(error).__name__
    return StepError(
        error_class=type(error).__qualname__,
        message=message[:MESSAGE_CHARACTERS].replace("\0", "\ufffd"),
        category=category(error),
        retryable=not permanent,
        traceback=traceback,
    )


def category(error: BaseException) -> Category:
    """The kind of an exception."""
    if isinstance(error, PERMANENT):
        return "validation"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionError):
        return "network"
    return "unknown"
