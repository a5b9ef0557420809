"""HTTP steps through the engine: a service that fails first, then answers; and one that refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowledger.engine import TaskNotCompleted
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepFailed,
    StepRetryScheduled,
    StepStarted,
)
from flowledger.handlers import Registry, Retry, StepContext, Workflow, load_workflow_file
from flowledger.handlers.http import request, request_async
from support.engines import PATIENCE, EngineHarness, of_kind
from support.http_server import HttpServer, reply, web

__all__ = ["web"]

TEMPLATE = """
namespace: shop
name: order_by_http
version: "1"
steps:
  - name: charge
    retry: {{backoff: none}}
    handler:
      callable: "flowledger.handlers.http:call"
      initialization:
        method: POST
        url: "{url}/orders/{{context.id}}/charges"
        send: context
        timeout_seconds: 5.0
  - name: receipt
    dependencies: [charge]
    handler:
      callable: "flowledger.handlers.http:call"
      initialization: {{url: "{url}/receipts/{{results.charge.body.receipt}}"}}
"""


def test_a_template_in_yaml_calls_a_service_until_it_answers(
    harness: EngineHarness, web: HttpServer, tmp_path: Path
) -> None:
    web.answers(
        "/orders/7/charges",
        reply(503, b"closed", Retry_After="90"),
        reply(500),
        reply(201, b'{"receipt": "r/1"}', Content_Type="application/json"),
    )
    web.answers("/receipts/r%2F1", reply(200, b"paid"))
    file = tmp_path / "order.yaml"
    file.write_text(TEMPLATE.format(url=web.url), "utf-8")
    flow = load_workflow_file(file, Registry())
    task = harness.open(flow).submit(flow, {"id": 7}, correlation_id="trace-7")

    harness.until(lambda: of_kind(task.history(), StepRetryScheduled))
    harness.move_clock("90 seconds")

    assert task.result(PATIENCE) == {
        "charge": {"status": 201, "body": {"receipt": "r/1"}},
        "receipt": {"status": 200, "body": "paid"},
    }
    failed = of_kind(task.history(), StepAttemptFailed)
    assert [
        (event.error.error_class, event.error.message, event.error.retry_after_seconds)
        for event in failed
    ] == [
        (
            "UnavailableFault",
            f"POST {web.url}/orders/{{context.id}}/charges: status 503: closed",
            90.0,
        ),
        (
            "UnavailableFault",
            f"POST {web.url}/orders/{{context.id}}/charges: status 500",
            None,
        ),
    ]
    charges = [seen for seen in web.seen if seen.method == "POST"]
    assert {seen.headers["idempotency-key"] for seen in charges} == {
        str(event.originator_id) for event in of_kind(task.history(), StepStarted, "charge")
    }
    assert {seen.headers["x-correlation-id"] for seen in web.seen} == {"trace-7"}


refused = Workflow("shop", "refused_by_http", version="1")


@refused.step(retry=Retry(backoff="none"))
def plain(context: dict[str, str], step: StepContext) -> None:
    request(step, "GET", context["url"])


@refused.step(retry=Retry(backoff="none"))
async def coroutine(context: dict[str, str], step: StepContext) -> None:
    await request_async(step, "GET", context["url"])


def test_a_service_that_refuses_is_asked_once(harness: EngineHarness, web: HttpServer) -> None:
    url = web.answers("/orders", reply(403, b"not you"))

    with pytest.raises(TaskNotCompleted) as caught:
        harness.open(refused).submit(refused, {"url": f"{url}?key=hunter2"}).result(PATIENCE)

    words = f"AuthorizationFault: GET {url}: status 403: not you"
    assert caught.value.errors == {"plain": words, "coroutine": words}
    assert len(web.seen) == 2


def test_no_secret_of_a_url_is_in_the_log(harness: EngineHarness, web: HttpServer) -> None:
    web.answers("/orders", reply(403))
    url = f"{web.url.replace('//', '//ada:hunter2@')}/orders?key=hunter2"
    task = harness.open(refused).submit(refused, {"url": url})
    task.wait(PATIENCE)

    history = task.history()
    attempts, ends = of_kind(history, StepAttemptFailed), of_kind(history, StepFailed)
    assert len(attempts) == len(ends) == 2
    assert [one for one in (*attempts, *ends) if "hunter2" in one.model_dump_json()] == []
