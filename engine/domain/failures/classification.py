"""Classifies exceptions of handlers: the category, whether to retry, and after which delay.

The default classifier asks first an exception that says so itself (`StepFault`), then the response
that an HTTP client's exception carries, then a table of exception types. The table is by name, so
that libraries are recognised without being imported; of the exception's classes the most specific
one decides. Unknown exceptions are retried: one attempt too many costs less than a task given up
too early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from flowledger.engine.domain.failures.http import (
    FAILURES,
    http_date,
    retry_after_seconds,
    status_category,
)
from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.events.step import Category

RetryIf = Callable[[Exception], bool]
"""A step's own word on whether another attempt may help after that exception."""


@dataclass(frozen=True, slots=True, config=ConfigDict(strict=True))
class Classification:
    """What a failure means. `retry_after_seconds` is what a service asked for.

    Raises pydantic's ValidationError for a category that there is not.
    """

    category: Category
    retryable: bool
    retry_after_seconds: float | None = None


class Classifier(Protocol):
    """Sorts the exceptions that handlers raise."""

    def __call__(self, error: BaseException, /) -> Classification:
        """What the exception means, and nothing else: no I/O, no state."""
        ...


class StepFault(Exception):
    """Base of the exceptions that say themselves what they mean.

    `retry_after` is how long to wait at least before the next attempt: a duration, or seconds.
    """

    category: ClassVar[Category] = "unknown"
    retryable: ClassVar[bool] = True
    retry_after_seconds: float | None = None

    def __init__(self, message: str = "", *, retry_after: timedelta | float | None = None) -> None:
        super().__init__(*([message] if message else []))
        seconds = retry_after.total_seconds() if isinstance(retry_after, timedelta) else retry_after
        self.retry_after_seconds = seconds

    @property
    def classification(self) -> Classification:
        """The exception's own word."""
        return Classification(self.category, self.retryable, self.retry_after_seconds)


def _named(
    category: Category, *names: str, retryable: bool = False
) -> Iterator[tuple[str, Classification]]:
    return ((name, Classification(category, retryable)) for name in names)


UNKNOWN = Classification("unknown", retryable=True)

TYPES: Mapping[str, Classification] = MappingProxyType(
    dict(
        [
            *_named(
                "validation",
                "flowledger.engine.errors.InvalidContext",
                "flowledger.engine.errors.InvalidResult",
                "pydantic_core._pydantic_core.ValidationError",
                "builtins.ValueError",
            ),
            *_named(
                "configuration",
                "flowledger.engine.errors.UnknownHandler",
                "flowledger.engine.errors.MissingExtra",
                "builtins.ImportError",
                "httpx.InvalidURL",
                "httpx.UnsupportedProtocol",
                "psycopg.errors.InvalidPassword",
                "psycopg.errors.InvalidCatalogName",
                "psycopg.errors.InvalidAuthorizationSpecification",
            ),
            *_named(
                "permanent",
                "flowledger.engine.errors.TransactionEnded",
                "flowledger.engine.errors.TransactionReadOnly",
                "builtins.TypeError",
                "builtins.LookupError",
                "builtins.ArithmeticError",
                "builtins.AssertionError",
                "builtins.AttributeError",
                "builtins.NameError",
                "builtins.NotImplementedError",
                "builtins.RecursionError",
                "builtins.SyntaxError",
                "builtins.FileExistsError",
                "builtins.FileNotFoundError",
                "builtins.IsADirectoryError",
                "builtins.NotADirectoryError",
                "builtins.PermissionError",
                "httpx.LocalProtocolError",
                "httpx.TooManyRedirects",
                "psycopg.DataError",
                "psycopg.IntegrityError",
                "psycopg.NotSupportedError",
                "psycopg.ProgrammingError",
                "sqlalchemy.exc.DataError",
                "sqlalchemy.exc.IntegrityError",
                "sqlalchemy.exc.NotSupportedError",
                "sqlalchemy.exc.ProgrammingError",
            ),
            *_named(
                "timeout",
                "builtins.TimeoutError",
                "httpx.TimeoutException",
                "psycopg.errors.ConnectionTimeout",
                "psycopg.errors.QueryCanceled",
                "psycopg_pool.PoolTimeout",
                "requests.exceptions.Timeout",
                "urllib3.exceptions.TimeoutError",
                retryable=True,
            ),
            *_named(
                "network",
                "builtins.ConnectionError",
                "aiohttp.client_exceptions.ClientConnectionError",
                "httpx.DecodingError",
                "httpx.TransportError",
                "http.client.HTTPException",
                "requests.exceptions.ConnectionError",
                "socket.gaierror",
                "ssl.SSLError",
                "urllib.error.URLError",
                "urllib3.exceptions.HTTPError",
                retryable=True,
            ),
            *_named(
                "transient",
                "flowledger.engine.errors.DatabaseUnavailable",
                "flowledger.engine.errors.StepStopRequested",
                "flowledger.engine.errors.StepLost",
                "builtins.MemoryError",
                "builtins.OSError",
                "asyncio.exceptions.CancelledError",
                "psycopg.InterfaceError",
                "psycopg.OperationalError",
                "sqlalchemy.exc.InterfaceError",
                "sqlalchemy.exc.OperationalError",
                retryable=True,
            ),
        ]
    )
)
"""What is known of exceptions by the name of their class, for them and all below them."""


def classify(error: BaseException) -> Classification:
    """The default classifier."""
    if isinstance(error, StepFault):
        return error.classification
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _of_all([classify(one) for one in group.exceptions])
    return _by_answer(error) or _by_name(type(error)) or UNKNOWN


def by_type(
    types: Mapping[type[BaseException], Classification], otherwise: Classifier = classify
) -> Classifier:
    """A classifier for exceptions of these types and below, the nearest of them first.

    Raises TypeError for what is no type of exception, no Classification or no classifier.
    """
    require_classifier("otherwise", otherwise)
    table = dict(types)
    for kind, found in table.items():
        if not _sorts(kind, found):
            raise TypeError(
                "types should be a mapping of types of exceptions to Classifications,"
                f" got {kind!r}: {found!r}"
            )

    def classify_by_type(error: BaseException, /) -> Classification:
        for kind in type(error).__mro__:
            if kind in table:
                return table[kind]
        return otherwise(error)

    return classify_by_type


def require_classifier(name: str, given: object) -> None:
    """Raises TypeError for what cannot be called with an exception."""
    if not callable(given):
        kind = type(given).__name__
        raise TypeError(
            f"{name} should be a function that takes an exception and returns a Classification,"
            f" got {kind}"
        )


def asked_seconds(seconds: float | None) -> float | None:
    """A wish as it can be stored: not below 0, not above ten years, none where it is no number."""
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(float(seconds), 0.0), LONGEST_SECONDS)


def _sorts(kind: object, found: object) -> bool:
    named = isinstance(kind, type) and issubclass(kind, BaseException)
    return named and isinstance(found, Classification)


def _by_name(kind: type[BaseException]) -> Classification | None:
    names = (f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__)
    return next((TYPES[name] for name in names if name in TYPES), None)


def _of_all(parts: list[Classification]) -> Classification:
    """Of failures side by side: one that is final decides, else the longest wait is kept."""
    final = next((part for part in parts if not part.retryable), None)
    if final is not None:
        return final
    asked = [part.retry_after_seconds or 0.0 for part in parts]
    return Classification(parts[0].category, retryable=True, retry_after_seconds=max(asked) or None)


def _by_answer(error: BaseException) -> Classification | None:
    """By the status, where the exception is an answer (aiohttp, urllib) or has one (httpx …)."""
    for answer, attribute in ((getattr(error, "response", None), "status_code"), (error, "status")):
        status: object = getattr(answer, attribute, None)
        if type(status) is int and status in FAILURES and hasattr(answer, "headers"):
            category, retryable = status_category(status)
            return Classification(category, retryable, _asked(answer) if retryable else None)
    return None


def _asked(answer: Any) -> float | None:
    """A date is measured from the answer's own, as there is no clock here."""
    sent = answer.headers.get("Date")
    asked = answer.headers.get("Retry-After")
    return retry_after_seconds(asked, None if sent is None else http_date(sent))
