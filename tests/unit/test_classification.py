"""What exceptions mean: those that say so, answers of services, the table of types, the others."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import timedelta
from email.message import Message
from importlib import import_module
from typing import Any
from urllib.error import HTTPError, URLError

import httpx
import psycopg
import psycopg_pool
import pytest
from pydantic import TypeAdapter, ValidationError

from flowledger.engine.domain.failures.classification import TYPES, StepFault, asked_seconds
from flowledger.engine.domain.failures.http import FAILURES, status_category
from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.errors import InvalidContext, InvalidResult, UnknownHandler
from flowledger.handlers import Classification, by_type, classify, errors

PERMANENT = Classification("permanent", retryable=False)
INSTALLED = ("asyncio", "builtins", "flowledger", "http", "httpx", "psycopg", "psycopg_pool",
             "pydantic_core", "socket", "ssl", "urllib")  # fmt: skip


def name(value: object) -> str:
    return type(value).__name__ if isinstance(value, BaseException) else str(value)


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python("x")
    return caught.value


@pytest.mark.parametrize(
    ("error", "category", "retryable"),
    [
        (ValueError("x"), "validation", False),
        (json.JSONDecodeError("x", "{", 1), "validation", False),
        (invalid(), "validation", False),
        (InvalidContext("x"), "validation", False),
        (InvalidResult("x"), "validation", False),
        (UnknownHandler("x"), "configuration", False),
        (ModuleNotFoundError("x"), "configuration", False),
        (TypeError("x"), "permanent", False),
        (KeyError("x"), "permanent", False),
        (ZeroDivisionError("x"), "permanent", False),
        (FileNotFoundError("x"), "permanent", False),
        (TimeoutError("x"), "timeout", True),
        (ConnectionResetError("x"), "network", True),
        (ssl.SSLCertVerificationError("x"), "network", True),
        (URLError("x"), "network", True),
        (OSError("x"), "transient", True),
        (MemoryError("x"), "transient", True),
        (asyncio.CancelledError("x"), "transient", True),
        (RuntimeError("x"), "unknown", True),
        (SystemExit(1), "unknown", True),
        (KeyboardInterrupt("x"), "unknown", True),
        (psycopg.OperationalError("x"), "transient", True),
        (psycopg.errors.SerializationFailure("x"), "transient", True),
        (psycopg.errors.QueryCanceled("x"), "timeout", True),
        (psycopg.errors.InvalidPassword("x"), "configuration", False),
        (psycopg.errors.UniqueViolation("x"), "permanent", False),
        (psycopg.errors.UndefinedTable("x"), "permanent", False),
        (psycopg_pool.PoolTimeout("x"), "timeout", True),
        (httpx.ReadTimeout("x"), "timeout", True),
        (httpx.ConnectError("x"), "network", True),
        (httpx.RemoteProtocolError("x"), "network", True),
        (httpx.DecodingError("x"), "network", True),
        (httpx.UnsupportedProtocol("x"), "configuration", False),
        (httpx.InvalidURL("x"), "configuration", False),
        (httpx.TooManyRedirects("x"), "permanent", False),
    ],
    ids=name,
)
def test_the_default_classifier_knows(
    error: BaseException, category: str, *, retryable: bool
) -> None:
    found = classify(error)

    assert (found.category, found.retryable) == (category, retryable)


@pytest.mark.parametrize("known", [one for one in TYPES if one.partition(".")[0] in INSTALLED])
def test_every_type_that_is_named_exists_under_that_name(known: str) -> None:
    module, _, kind = known.rpartition(".")
    found = getattr(import_module(module), kind)

    assert f"{found.__module__}.{found.__qualname__}" == known


def test_the_nearest_class_decides() -> None:
    class Busy(ConnectionError, ValueError):
        """Both are known; the first is nearer."""

    assert classify(Busy()).category == "network"


@pytest.mark.parametrize("fault", [getattr(errors, one) for one in errors.__all__])
def test_a_fault_says_itself_what_it_means(fault: type[StepFault]) -> None:
    assert issubclass(fault, StepFault)
    assert classify(fault("x")) == Classification(fault.category, fault.retryable)
    assert fault.retryable == (not issubclass(fault, errors.PermanentFault))


@pytest.mark.parametrize("wish", [90, 90.0, timedelta(minutes=1.5)])
def test_a_retryable_fault_carries_a_wish(wish: float | timedelta) -> None:
    fault = errors.RateLimitFault("slowly", retry_after=wish)

    assert classify(fault) == Classification("rate_limit", retryable=True, retry_after_seconds=90.0)
    assert str(fault) == "slowly"


def test_an_applications_own_fault_may_have_a_constructor_of_its_own() -> None:
    class CardDeclined(errors.BusinessFault):
        def __init__(self, card: str) -> None:
            Exception.__init__(self, f"card {card} was declined")

    assert classify(CardDeclined("7")) == Classification("business", retryable=False)


@pytest.mark.parametrize("status", [300, 404, 429, 500, 503, 599])
def test_raise_for_status_is_sorted_by_the_status(status: int) -> None:
    request = httpx.Request("GET", "http://shop.example/")
    answer = httpx.Response(status, request=request, headers={"retry-after": "7"})
    found = classify(httpx.HTTPStatusError("x", request=request, response=answer))

    category, retryable = status_category(status)
    assert found == Classification(category, retryable, 7.0 if retryable else None)


def test_an_answer_that_is_the_exception_is_sorted_by_its_status() -> None:
    headers = Message()
    headers["Retry-After"] = "Sun, 06 Nov 1994 08:49:37 GMT"
    headers["Date"] = "Sun, 06 Nov 1994 08:49:00 GMT"

    found = classify(HTTPError("http://shop.example/", 503, "x", headers, None))

    assert found == Classification("unavailable", retryable=True, retry_after_seconds=37.0)


def test_a_status_that_is_no_answers_is_not_looked_at() -> None:
    class Odd(Exception):
        status = 404

    assert classify(Odd()) == Classification("unknown", retryable=True)


def test_every_status_has_a_meaning_and_only_its_own_kind_of_error_is_retried() -> None:
    retried = {status for status in FAILURES if status_category(status)[1]}

    assert retried == {408, 429, *range(500, 600)}


def test_of_a_group_one_that_is_final_decides() -> None:
    group = ExceptionGroup("both", [ConnectionError("x"), KeyError("y")])

    assert classify(group) == PERMANENT


def test_of_a_group_that_may_be_retried_the_longest_wish_is_kept() -> None:
    group = ExceptionGroup(
        "all",
        [
            ConnectionError("x"),
            ExceptionGroup("inner", [errors.RateLimitFault(retry_after=30)]),
            errors.UnavailableFault(retry_after=10),
        ],
    )

    assert classify(group) == Classification("network", retryable=True, retry_after_seconds=30)


def test_types_of_an_application_come_before_the_default() -> None:
    mine = by_type(
        {ValueError: Classification("business", retryable=True), UnicodeError: PERMANENT}
    )

    assert mine(ValueError()) == Classification("business", retryable=True)
    assert mine(UnicodeError()) == PERMANENT
    assert mine(KeyError()) == classify(KeyError())


def test_a_classification_with_a_category_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="permanent"):
        Classification("weather", retryable=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wish", "kept"),
    [
        (None, None),
        (-5, 0.0),
        (3, 3.0),
        (float("nan"), None),
        (float("inf"), LONGEST_SECONDS),
        (float("-inf"), 0.0),
    ],
)
def test_a_wish_is_kept_as_the_log_can_hold_it(wish: float | None, kept: float | None) -> None:
    assert asked_seconds(wish) == kept


@pytest.mark.parametrize(
    ("types", "otherwise", "told"),
    [
        ({"ValueError": Classification("transient", retryable=True)}, classify, "'ValueError': "),
        ({ValueError: "transient"}, classify, "ValueError'>: 'transient'"),
        ({int: Classification("transient", retryable=True)}, classify, "'int'>: "),
        ({}, "transient", "otherwise should be a function that takes an exception .* got str"),
    ],
)
def test_what_sorts_no_exceptions_is_refused(types: Any, otherwise: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        by_type(types, otherwise)
