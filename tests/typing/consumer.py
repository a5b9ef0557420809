"""A user's program: what is right here must pass strict type checkers; what is wrong must not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypedDict, assert_type

from pydantic import BaseModel

from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.handlers import (
    Concurrency,
    From,
    Rate,
    Registry,
    Retry,
    StepContext,
    Workflow,
    load_workflow_file,
)


class Order(BaseModel):
    id: int
    cents: int


orders = Workflow("fulfilment", "process_order", version="1.0.0", context=Order)
assert_type(orders, Workflow[Order])


@orders.step
def validate(context: Order) -> dict[str, Any]:
    return {"valid": context.cents > 0}


@orders.step(after=[validate], retry=Retry(max_attempts=5))
def charge(context: Order, validate: dict[str, Any]) -> dict[str, Any]:
    return {"charged": context.cents, "valid": validate["valid"]}


@orders.step(after=[validate])
async def reserve(context: Order) -> dict[str, Any]:
    return {"reserved": context.id}


@orders.step(after=[charge, reserve])
def ship(charge: dict[str, Any], reserve: dict[str, Any]) -> dict[str, Any]:
    return {"shipped": reserve["reserved"], "paid": charge["charged"]}


@orders.step(
    after=[ship, "charge"],
    name="say-so",
    timeout=timedelta(seconds=3),
    start_timeout=60,
    when_skipped="stop",
    system="mail",
    concurrency={"key": "customer_id", "limit": 2},
    rate=Rate(limit=10, per_seconds=0.5),
    config={"urls": ["a"]},
)
async def notify(me: StepContext, paid: Annotated[dict[str, Any], From("charge")]) -> int:
    me.logger.info("notified", urls=me.config["urls"])
    return len(paid) + me.attempt


# The decorated functions are what they were.
validated: Callable[[Order], dict[str, Any]] = validate
reserved: Callable[[Order], Coroutine[Any, Any, dict[str, Any]]] = reserve
assert_type(charge(Order(id=1, cents=2), {"valid": True}), dict[str, Any])


@dataclass
class Execution:
    path: str


class Row(TypedDict):
    id: int


jobs = Workflow("batch", "job", version="1", context=Execution)
rows = Workflow("batch", "row", version="1", context=Row)
plain = Workflow(
    "batch",
    "plain",
    version="1",
    on_failure="block",
    deadline=timedelta(hours=1),
    concurrency=Concurrency(limit=3),
    rate={"limit": 10, "per_seconds": 0.5},
)
mapping = Workflow("batch", "mapping", version="1", context=dict[str, Any], identity="strict")
assert_type(jobs, Workflow[Execution])
assert_type(rows, Workflow[Row])
assert_type(plain, Workflow[dict[str, Any]])
assert_type(mapping, Workflow[dict[str, Any]])

runnable: WorkflowLike[Order] = orders
from_file: WorkflowLike[Any] = load_workflow_file("orders.yaml", Registry({"ship": ship}))
orders.encode_context(Order(id=1, cents=2))
plain.encode_context({"x": 1})

# Each of these is a mistake that the checker must see: an unused ignore is an error as well.
orders.encode_context(Execution(path="x"))  # type: ignore[arg-type]
orders.step(timeout="1s")  # type: ignore[call-overload]
orders.step(when_skipped="wait")  # type: ignore[call-overload]
orders.step(concurrency=2)  # type: ignore[call-overload]
orders.step(3)  # type: ignore[call-overload]
validate("order")  # type: ignore[arg-type]
Workflow("a", "b", version="1", identity="never")  # type: ignore[call-overload]
Workflow("a", "b", version="1", on_failure="wait")  # type: ignore[call-overload]
wrong: WorkflowLike[Order] = jobs  # type: ignore[assignment]
