"""HTTP steps on httpx (extra `http`): answers become results, failures become faults.

`request` and `request_async` are for handlers; `call` is a handler that is all configuration, for
templates in YAML. Each request carries the task's correlation id and the step's idempotency key.
Messages of failures name method, host and path, and quote the answer's beginning; never what else
a URL holds, nor a header.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from types import MappingProxyType
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

import orjson
from pydantic import JsonValue

from flowledger.engine.domain.failures.classification import StepFault, classify
from flowledger.engine.domain.failures.http import (
    SUCCESSES,
    http_date,
    retry_after_seconds,
    status_category,
)
from flowledger.engine.errors import MissingExtra
from flowledger.handlers.context import StepContext
from flowledger.handlers.errors import (
    AuthenticationFault,
    AuthorizationFault,
    ConfigurationFault,
    NetworkFault,
    NotFoundFault,
    PermanentFault,
    RateLimitFault,
    RetryableFault,
    TimeoutFault,
    UnavailableFault,
    ValidationFault,
)
from flowledger.handlers.http.call_options import HttpCall
from flowledger.handlers.http.redacted_url import shown_url

try:
    import httpx
except ImportError as missing:
    raise MissingExtra("HTTP steps need httpx: install flowledger[http]") from missing

CORRELATION_ID = "X-Correlation-ID"
IDEMPOTENCY_KEY = "Idempotency-Key"
TIMEOUT_SECONDS = 30.0
MAX_RESPONSE_BYTES = 1_000_000
EXCERPT_BYTES = 500
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))

BY_STATUS: Mapping[int, type[StepFault]] = MappingProxyType(
    {
        401: AuthenticationFault,
        403: AuthorizationFault,
        404: NotFoundFault,
        410: NotFoundFault,
    }
)
BY_CATEGORY: Mapping[str, type[StepFault]] = MappingProxyType(
    {
        "configuration": ConfigurationFault,
        "network": NetworkFault,
        "permanent": PermanentFault,
        "rate_limit": RateLimitFault,
        "timeout": TimeoutFault,
        "transient": RetryableFault,
        "unavailable": UnavailableFault,
        "unknown": RetryableFault,
        "validation": ValidationFault,
    }
)
# Their words tell of the way to a service; those of others may quote what was sent to it.
TOLD = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
# The body is handed on decoded and whole.
OF_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Options(TypedDict, total=False):
    """What a request may have beside method and URL.

    `timeout_seconds` (30) bounds the exchange as a whole; a plain function notices when something
    arrives, or when nothing did for that long. `max_response_bytes` (1 000 000) counts after
    decompression.
    """

    params: Mapping[str, str | int | float | bool | None]
    headers: Mapping[str, str]
    json: Any
    content: bytes | str
    timeout_seconds: float
    max_response_bytes: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prepared request: `name` is what its failures call it, `request` what httpx is given."""

    name: str
    timeout_seconds: float
    max_response_bytes: int
    request: Mapping[str, Any]


def request(
    step: StepContext,
    method: str,
    url: str,
    client: httpx.Client | None = None,
    **options: Unpack[Options],
) -> httpx.Response:
    """The whole answer, of a status from 200 to 226. Raises a fault for every other end.

    A client of the caller's keeps its settings and its connections; by default each request has a
    new one, and redirects are not followed.
    """
    exchange = _prepared(step, method, url, options)
    deadline = monotonic() + exchange.timeout_seconds
    with (
        _translated(exchange),
        _sync_client(client) as used,
        used.stream(**exchange.request) as response,
    ):
        body = _Body(response, exchange)
        for chunk in response.iter_bytes():
            if monotonic() > deadline:
                raise TimeoutError
            if not body.takes(chunk):
                break
    return body.answer()


async def request_async(
    step: StepContext,
    method: str,
    url: str,
    client: httpx.AsyncClient | None = None,
    **options: Unpack[Options],
) -> httpx.Response:
    """`request` for coroutines."""
    return await _exchanged(_prepared(step, method, url, options), client)


async def call(context: JsonValue, step: StepContext) -> dict[str, JsonValue]:
    """A step that is one request, described by its `initialization` (an `HttpCall`).

    Its result has the answer's `status` and `body`: JSON where the service says that it is, else
    text, None where there is none. Raises a fault.
    """
    what = HttpCall.of(step)
    body = what.body(context, step.results)
    options: Options = {
        "headers": what.all_headers(),
        "timeout_seconds": what.timeout_seconds,
        "max_response_bytes": what.max_response_bytes,
    }
    if what.send != "nothing":
        options["json"] = body
    url = what.filled_url(context, step.results)
    # What was filled in stays out of the name: contexts and results may be secret.
    answer = await _exchanged(_prepared(step, what.method, url, options, shown=what.url), None)
    return {"status": answer.status_code, "body": _content(answer)}


async def _exchanged(exchange: Exchange, client: httpx.AsyncClient | None) -> httpx.Response:
    with _translated(exchange):
        async with (
            asyncio.timeout(exchange.timeout_seconds),
            _async_client(client) as used,
            used.stream(**exchange.request) as response,
        ):
            body = _Body(response, exchange)
            async for chunk in response.aiter_bytes():
                if not body.takes(chunk):
                    break
    return body.answer()


def _prepared(
    step: StepContext, method: str, url: str, options: Options, shown: str | None = None
) -> Exchange:
    given: dict[str, Any] = {**options}
    seconds = given.pop("timeout_seconds", TIMEOUT_SECONDS)
    limit = given.pop("max_response_bytes", MAX_RESPONSE_BYTES)
    headers = httpx.Headers(
        {
            CORRELATION_ID: quote(step.correlation_id, safe=VISIBLE),
            IDEMPOTENCY_KEY: quote(step.idempotency_key, safe=VISIBLE),
        }
    )
    headers.update(given.pop("headers", None))
    name = f"{method.upper()} {shown_url(url if shown is None else shown)}"
    about = {"method": method, "url": url, "headers": headers, "timeout": seconds}
    return Exchange(name, seconds, limit, {**given, **about})


class _Body:
    """What arrives of an answer, up to its limit; of a failure only what is quoted."""

    def __init__(self, response: httpx.Response, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange
        self._succeeded = response.status_code in SUCCESSES
        self._room = exchange.max_response_bytes if self._succeeded else EXCERPT_BYTES
        self._chunks: list[bytes] = []

    def takes(self, chunk: bytes) -> bool:
        """Keep a piece; False once there is more than there is room for."""
        self._chunks.append(chunk)
        self._room -= len(chunk)
        return self._room >= 0

    def answer(self) -> httpx.Response:
        """The answer with its content. Raises a fault where it is a failure, or too large."""
        content = b"".join(self._chunks)
        if not self._succeeded:
            raise _failure(self._response, content[:EXCERPT_BYTES], self._exchange.name)
        if self._room < 0:
            raise PermanentFault(
                f"{self._exchange.name}: the answer has more than"
                f" {self._exchange.max_response_bytes} bytes (max_response_bytes)"
            )
        headers = [
            pair for pair in self._response.headers.multi_items() if pair[0] not in OF_TRANSFER
        ]
        return httpx.Response(
            self._response.status_code,
            headers=headers,
            content=content,
            request=self._response.request,
        )


def _failure(response: httpx.Response, excerpt: bytes, name: str) -> StepFault:
    status = response.status_code
    category, retryable = status_category(status)
    words = excerpt.decode("utf-8", "replace")
    message = f"{name}: status {status}{f': {words}' if words else ''}"
    kind = BY_STATUS.get(status, BY_CATEGORY[category])
    if not retryable:
        return kind(message)
    now = http_date(response.headers.get("Date", "")) or datetime.now(UTC)
    asked = retry_after_seconds(response.headers.get("Retry-After"), now)
    return kind(message, retry_after=asked)


@contextmanager
def _translated(exchange: Exchange) -> Generator[None]:
    """What httpx raises as what it means for the step."""
    try:
        yield
    except TimeoutError:
        seconds = exchange.timeout_seconds
        raise TimeoutFault(f"{exchange.name}: no whole answer within {seconds:g} s") from None
    except TOLD as error:
        message = f"{exchange.name}: {type(error).__name__}: {error}".removesuffix(": ")
        raise BY_CATEGORY[classify(error).category](message) from error
    except (httpx.RequestError, httpx.InvalidURL) as error:
        message = f"{exchange.name}: {type(error).__name__}"
        raise BY_CATEGORY[classify(error).category](message) from None


def _content(answer: httpx.Response) -> JsonValue:
    if not answer.content:
        return None
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return answer.text
    try:
        found: JsonValue = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise PermanentFault(f"the answer says that it is JSON, and is not: {error}") from error
    return found


def _sync_client(given: httpx.Client | None) -> nullcontext[httpx.Client] | httpx.Client:
    return httpx.Client(verify=_trusted()) if given is None else nullcontext(given)


def _async_client(
    given: httpx.AsyncClient | None,
) -> nullcontext[httpx.AsyncClient] | httpx.AsyncClient:
    return httpx.AsyncClient(verify=_trusted()) if given is None else nullcontext(given)


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: the certificates of all authorities take longer than most requests."""
    return httpx.create_ssl_context()
