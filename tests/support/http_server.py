"""A real HTTP server on the loopback, which answers as a test tells it to."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.handlers import StepContext

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer:
    """The server's address, what it saw, and what it does next."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._behaviours: dict[str, deque[Behaviour]] = defaultdict(deque)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answers(self, path: str, *behaviours: Behaviour) -> str:
        """The URL of a path, which answers in this order, and with the last one from then on."""
        self._behaviours[path].extend(behaviours)
        return self.url + path

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Never answer."""
        self.closing.wait()

    def drip(self, status: int) -> Behaviour:
        """Answer a little at a time, and never to the end."""

        def behave(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            request.send_header("Content-Length", "1000000")
            request.end_headers()
            while not self.closing.wait(0.01):
                request.wfile.write(b"." * 100)

        return behave

    def close(self) -> None:
        """Stop; nobody is left waiting."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self, path: str) -> Behaviour:
        left = self._behaviours[path]
        return left.popleft() if len(left) > 1 else left[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                headers = {name.lower(): value for name, value in self.headers.items()}
                web.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
                try:
                    web._next(self.path.partition("?")[0])(self)
                except ConnectionError:
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: the test looks at `seen`."""

        return Handler


def reply(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer with a status, a body and headers (`retry_after="7"`)."""

    def behave(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return behave


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Close the connection instead of answering."""
    request.close_connection = True


def step_context(configuration: dict[str, Any] | None = None, **fields: Any) -> StepContext:
    """What a handler is given, outside of any engine."""
    given: dict[str, Any] = {
        "task_id": UUID(int=1),
        "step_id": UUID(int=2),
        "namespace": "shop",
        "template": "orders",
        "version": "1",
        "step": "charge",
        "attempt": 1,
        "idempotency_key": "key-2",
        "correlation_id": "trace-1",
        "config": configuration or {},
        "context": None,
        "results": {},
        **fields,
    }
    return StepContext.of(StepCall(**given))


@pytest.fixture
def web() -> Generator[HttpServer]:
    """A server of this test's own."""
    found = HttpServer()
    yield found
    found.close()
