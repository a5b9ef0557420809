"""An HTTP request as a template's configuration: filled in, sent, its answer the step's result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flowledger.handlers.errors import (
    ConfigurationFault,
    NotFoundFault,
    PermanentFault,
    ValidationFault,
)
from flowledger.handlers.http import call
from support.http_server import HttpServer, reply, step_context, web

__all__ = ["web"]

SECRET = "hunter2"  # noqa: S105 - that it is never told is the point


def called(configuration: dict[str, Any], context: Any = None, **fields: Any) -> dict[str, Any]:
    return asyncio.run(call(context, step_context(configuration, **fields)))


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        (b'{"a": [1, null]}', "application/json; charset=utf-8", {"a": [1, None]}),
        (b'{"title": "x"}', "application/problem+json", {"title": "x"}),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        ("grün".encode("latin-1"), "text/plain; charset=latin-1", "grün"),
        (b"", "application/json", None),
    ],
)
def test_a_called_steps_result_is_status_and_body(
    web: HttpServer, body: bytes, kind: str, found: object
) -> None:
    url = web.answers("/", reply(201, body, Content_Type=kind))

    assert called({"url": url, "method": "POST"}) == {"status": 201, "body": found}


def test_json_that_is_none_is_the_steps_error(web: HttpServer) -> None:
    url = web.answers("/", reply(200, b"{NaN", Content_Type="application/json"))

    with pytest.raises(PermanentFault, match="says that it is JSON, and is not"):
        called({"url": url})


def test_a_called_url_is_filled_in_and_quoted(web: HttpServer) -> None:
    web.answers("/orders/a%2Fb/3", reply(200))
    url = f"{web.url}/orders/{{context.order.id}}/{{results.charge.lines.1}}?gift={{context.gift}}"

    called(
        {"url": url},
        {"order": {"id": "a/b"}, "gift": True},
        results={"charge": {"lines": [1, 3]}},
    )

    assert web.seen[0].path == "/orders/a%2Fb/3?gift=true"


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({}, r"^context\.id is not there$"),
        (None, r"^context\.id is not there$"),
        ({"id": {"a": 1}}, r"^context\.id is a dict, no value"),
        ({"id": None}, r"^context\.id is a NoneType, no value"),
        ({"id": ".."}, r"^context\.id is '\.\.', no value"),
        ({"id": ""}, r"^context\.id is '', no value"),
    ],
)
def test_a_value_that_cannot_stand_in_a_url_is_refused(
    web: HttpServer, context: object, words: str
) -> None:
    with pytest.raises(ValidationFault, match=words):
        called({"url": f"{web.url}/orders/{{context.id}}"}, context)
    assert web.seen == []


def test_what_was_filled_in_is_in_no_message(web: HttpServer) -> None:
    web.answers("/orders/hunter2", reply(404))

    with pytest.raises(NotFoundFault) as caught:
        called({"url": f"{web.url}/orders/{{context.id}}"}, {"id": SECRET})
    assert str(caught.value) == f"GET {web.url}/orders/{{context.id}}: status 404"


@pytest.mark.parametrize(
    ("send", "body"),
    [
        ("context", b'{"id":7}'),
        ("results", b'{"charge":{"paid":true}}'),
        ("nothing", b""),
    ],
)
def test_a_called_step_sends_what_it_is_told_to(web: HttpServer, send: str, body: bytes) -> None:
    url = web.answers("/", reply(200))

    called(
        {"url": url, "method": "PUT", "send": send, "headers": {"X-Own": "1"}},
        {"id": 7},
        results={"charge": {"paid": True}},
    )

    (seen,) = web.seen
    assert (seen.method, seen.headers["x-own"]) == ("PUT", "1")
    assert seen.body.replace(b" ", b"") == body


def test_a_header_may_come_from_the_environment(
    web: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    url = web.answers("/", reply(200))

    called({"url": url, "headers_from_environment": {"Authorization": "SHOP_TOKEN"}})

    assert web.seen[0].headers["authorization"] == SECRET


def test_a_variable_that_is_not_set_is_named(web: HttpServer) -> None:
    with pytest.raises(ConfigurationFault, match="not in the worker's environment: NO_TOKEN"):
        called({"url": web.url, "headers_from_environment": {"Authorization": "NO_TOKEN"}})


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({}, "initialization.url: is missing"),
        ({"url": "ftp://shop.example"}, "initialization.url: a URL is http"),
        ({"url": "/orders"}, "initialization.url: a URL is http"),
        ({"url": "http://[::1"}, "initialization.url: "),
        ({"url": "http://{context.host}/"}, "a URL's host has no placeholders"),
        ({"url": "http://shop/{id}"}, "{id} is neither {context.…} nor {results.step.…}"),
        ({"url": "http://shop/", "method": "BREW"}, "initialization.method: "),
        ({"url": "http://shop/", "timeout_seconds": 0}, "initialization.timeout_seconds: "),
        ({"url": "http://shop/", "retries": 3}, "initialization.retries: unknown key"),
        ({"url": "http://a:hunter2@[shop/", "method": 1}, "initialization."),
    ],
)
def test_an_impossible_configuration_is_the_steps_error(
    configuration: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        called(configuration)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
