"""HTTP requests of steps, against a real server: what is sent, what each answer means."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import socket
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest
import structlog

from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.config.sections import LoggingSettings
from flowledger.engine.domain.failures.classification import StepFault, classify
from flowledger.engine.domain.failures.http import status_category
from flowledger.handlers.errors import (
    AuthenticationFault,
    AuthorizationFault,
    NetworkFault,
    NotFoundFault,
    PermanentFault,
    RateLimitFault,
    TimeoutFault,
    UnavailableFault,
    ValidationFault,
)
from flowledger.handlers.http import request, request_async
from support.engines import PATIENCE
from support.http_server import Behaviour, HttpServer, hang_up, reply, step_context, web

__all__ = ["web"]

Request = Callable[..., httpx.Response]


def from_a_coroutine(*arguments: Any, **options: Any) -> httpx.Response:
    return asyncio.run(request_async(*arguments, **options))


@pytest.fixture(params=[request, from_a_coroutine], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Request:
    """Each test holds for both."""
    found: Request = request.param
    return found


@pytest.fixture
def program_log() -> Generator[io.StringIO]:
    """What the command writes at its most talkative; the tests' own logging comes back."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_program_logging(LoggingSettings(level="debug", format="json"), stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def fault(send: Request, *arguments: Any, **options: Any) -> StepFault:
    with pytest.raises(StepFault) as caught:
        send(step_context(), *arguments, **options)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207, 226])
def test_a_success_is_the_answer(send: Request, web: HttpServer, status: int) -> None:
    url = web.answers("/", reply(status, b"" if status == 204 else b'{"a": 1}'))

    answer = send(step_context(), "GET", url)

    assert answer.status_code == status
    assert status == 204 or answer.json() == {"a": 1}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, PermanentFault),
        (400, ValidationFault),
        (401, AuthenticationFault),
        (402, PermanentFault),
        (403, AuthorizationFault),
        (404, NotFoundFault),
        (405, PermanentFault),
        (406, PermanentFault),
        (408, TimeoutFault),
        (409, PermanentFault),
        (410, NotFoundFault),
        (418, PermanentFault),
        (422, ValidationFault),
        (429, RateLimitFault),
        (500, UnavailableFault),
        (501, UnavailableFault),
        (502, UnavailableFault),
        (503, UnavailableFault),
        (504, TimeoutFault),
        (227, PermanentFault),
        (299, PermanentFault),
    ],
)
def test_a_failure_is_the_fault_of_its_status(
    send: Request, web: HttpServer, status: int, kind: type[StepFault]
) -> None:
    found = fault(send, "get", web.answers("/orders/7", reply(status, b"no such luck")))

    assert type(found) is kind
    assert (found.category, found.retryable) == status_category(status)
    assert str(found) == f"GET {web.url}/orders/7: status {status}: no such luck"


def test_the_correlation_id_and_the_idempotency_key_are_sent(
    send: Request, web: HttpServer
) -> None:
    send(
        step_context(), "POST", web.answers("/", reply(200)), json={"cents": 5}, params={"a": "b c"}
    )

    (seen,) = web.seen
    assert (seen.method, seen.path) == ("POST", "/?a=b+c")
    assert (seen.headers["x-correlation-id"], seen.headers["idempotency-key"]) == (
        "trace-1", "key-2",
    )  # fmt: skip
    assert json.loads(seen.body) == {"cents": 5}


def test_the_callers_headers_come_before_the_engines(send: Request, web: HttpServer) -> None:
    url = web.answers("/", reply(200))
    send(
        step_context(),
        "POST",
        url,
        headers={"idempotency-key": "mine", "X-Own": "1"},
        content="text",
    )

    (seen,) = web.seen
    assert (seen.headers["idempotency-key"], seen.headers["x-own"]) == ("mine", "1")
    assert seen.body == b"text"


def test_a_correlation_id_that_is_no_header_is_quoted(web: HttpServer) -> None:
    request(step_context(correlation_id="ä b\r\nX-Evil: 1"), "GET", web.answers("/", reply(200)))

    assert web.seen[0].headers["x-correlation-id"] == "%C3%A4%20b%0D%0AX-Evil:%201"
    assert "x-evil" not in web.seen[0].headers


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"retry_after": "soon"}, None),
        ({}, None),
        ({"RETRY_AFTER": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_what_the_service_asks_for_is_in_the_fault(
    send: Request, web: HttpServer, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    found = fault(send, "GET", web.answers("/", reply(status, **headers)))

    assert classify(found).retry_after_seconds == seconds


def test_a_date_is_measured_by_the_services_own_clock(send: Request, web: HttpServer) -> None:
    def in_another_time(request: Any) -> None:
        request.send_response_only(503)
        request.send_header("Date", "Sun, 06 Nov 1994 08:49:00 GMT")
        request.send_header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")
        request.send_header("Content-Length", "0")
        request.end_headers()

    found = fault(send, "GET", web.answers("/", in_another_time))

    assert found.retry_after_seconds == 37


def test_a_refused_connection_is_a_network_fault(send: Request) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        found = fault(send, "GET", url)

    assert type(found) is NetworkFault
    assert str(found).startswith(f"GET {url}: ConnectError: ")


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (hang_up, "RemoteProtocolError"),
        (reply(200, b"not gzip", Content_Encoding="gzip"), "DecodingError"),
    ],
    ids=["no answer", "no body"],
)
def test_a_broken_answer_is_a_network_fault(
    send: Request, web: HttpServer, behaviour: Behaviour, name: str
) -> None:
    found = fault(send, "GET", web.answers("/", behaviour))

    assert type(found) is NetworkFault
    assert str(found).startswith(f"GET {web.url}/: {name}")


def test_a_service_that_does_not_answer_is_a_timeout(send: Request, web: HttpServer) -> None:
    found = fault(send, "GET", web.answers("/", web.hang), timeout_seconds=0.05)

    assert type(found) is TimeoutFault


def test_a_service_that_never_comes_to_an_end_is_a_timeout(send: Request, web: HttpServer) -> None:
    found = fault(send, "GET", web.answers("/", web.drip(200)), timeout_seconds=0.2)

    assert (type(found), str(found)) == (
        TimeoutFault, f"GET {web.url}/: no whole answer within 0.2 s",
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_is_bounded_as_it_is_after_decompression(
    send: Request, web: HttpServer, encoding: str
) -> None:
    body = b"x" * 10_000
    packed = gzip.compress(body) if encoding == "gzip" else body
    url = web.answers("/", reply(200, packed, Content_Encoding=encoding))

    assert send(step_context(), "GET", url, max_response_bytes=10_000).content == body
    found = fault(send, "GET", url, max_response_bytes=9_999)
    assert (type(found), found.retryable) == (PermanentFault, False)
    assert "more than 9999 bytes" in str(found)


@pytest.mark.parametrize(("status", "kind"), [(200, PermanentFault), (500, UnavailableFault)])
def test_what_is_too_much_is_not_waited_for(
    send: Request, web: HttpServer, status: int, kind: type[StepFault]
) -> None:
    url = web.answers("/", web.drip(status))

    found = fault(send, "GET", url, max_response_bytes=10, timeout_seconds=PATIENCE)

    assert type(found) is kind


def test_of_a_failures_body_only_the_beginning_is_told(send: Request, web: HttpServer) -> None:
    found = fault(send, "GET", web.answers("/", reply(500, b"\xff" + b"x" * 100_000)))

    assert str(found).endswith(f"status 500: \ufffd{'x' * 499}")


SECRET = "hunter2"  # noqa: S105 - that it is never told is the point


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:hunter2@127.0.0.1:{port}/a?key=hunter2#hunter2",
        "http://ada:hunter2@127.0.0.1:99999/a",
        "http://nowhere.invalid:12/hunter2@127.0.0.1:{port}/a",
        "ftp://ada:hunter2@127.0.0.1/a?key=hunter2",
        "http://ada:hunter2@[::1/a",
        "http://ada:hunter2@127.0.0.1:{port}/a\nb?hunter2",
        "http://ada:hunter2@nowhere.invalid/a?key=hunter2",
    ],
)
def test_secrets_of_a_url_are_in_no_message(send: Request, web: HttpServer, url: str) -> None:
    web.answers("/a", reply(403))
    found = fault(send, "GET", url.format(port=web.url.rpartition(":")[2]), timeout_seconds=5.0)

    assert SECRET not in told(found)


def test_a_header_that_cannot_be_sent_is_in_no_message(send: Request, web: HttpServer) -> None:
    headers = {"Authorization": "Bearer hunter2\nX: 1"}
    found = fault(send, "GET", web.answers("/", reply(200)), headers=headers)

    assert not found.retryable
    assert SECRET not in told(found)


def told(error: BaseException | None) -> str:
    """The words of an exception and of all that its traceback would show with it."""
    if error is None:
        return ""
    hidden = error.__suppress_context__
    return f"{error} {told(error.__cause__ if hidden else error.__context__)}"


def test_secrets_of_a_url_are_in_no_log_line_of_the_program(
    send: Request, web: HttpServer, program_log: io.StringIO
) -> None:
    send(step_context(), "GET", f"{web.answers('/', reply(200))}?key={SECRET}")
    logging.getLogger("shop").info("sent")

    assert "sent" in program_log.getvalue()
    assert SECRET not in program_log.getvalue()


def test_a_clients_base_url_is_used(web: HttpServer) -> None:
    web.answers("/orders/7", reply(404))

    with httpx.Client(base_url=web.url) as client, pytest.raises(NotFoundFault) as caught:
        request(step_context(), "GET", "/orders/7?key=hunter2", client)
    assert str(caught.value) == "GET /orders/7: status 404"


def test_connections_of_a_given_client_are_used_again(web: HttpServer) -> None:
    url = web.answers("/", reply(200))
    with httpx.Client(headers={"X-App": "shop"}) as client:
        request(step_context(), "GET", url, client)
        request(step_context(), "GET", url, client)
        assert not client.is_closed

    assert [seen.headers["x-app"] for seen in web.seen] == ["shop", "shop"]


def test_a_coroutines_client_is_left_open(web: HttpServer) -> None:
    url = web.answers("/", reply(200))

    async def twice() -> bool:
        async with httpx.AsyncClient() as client:
            await request_async(step_context(), "GET", url, client)
            await request_async(step_context(), "GET", url, client)
            return client.is_closed

    assert not asyncio.run(twice())
    assert len(web.seen) == 2


def test_a_coroutine_that_is_cancelled_is_not_a_timeout(web: HttpServer) -> None:
    url = web.answers("/", web.hang)

    async def cancelled() -> None:
        waiting = asyncio.create_task(request_async(step_context(), "GET", url))
        await asyncio.to_thread(until_seen, web)
        waiting.cancel()
        await waiting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def until_seen(web: HttpServer) -> None:
    while not web.seen:
        web.closing.wait(0.01)
