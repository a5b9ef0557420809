"""What a handler sets around itself is not there for the next one on its thread or loop."""

from __future__ import annotations

import decimal
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import pytest

from flowledger.engine import Engine
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

plain = Workflow("surroundings", "plain", version="1")
coroutines = Workflow("surroundings", "coroutines", version="1")

customer: ContextVar[str] = ContextVar("customer", default="nobody")


def seen_and_set(name: str) -> list[str]:
    """What stood there before; and something else stands there from now on."""
    seen = [customer.get(), str(Decimal(1) / Decimal(3)), decimal.getcontext().rounding]
    customer.set(name)
    decimal.getcontext().prec = 3
    decimal.getcontext().rounding = decimal.ROUND_UP
    return seen


@plain.step
def sets(context: dict[str, str]) -> list[str]:
    return seen_and_set(context["name"])


@coroutines.step
async def sets_too(context: dict[str, str]) -> list[str]:
    return seen_and_set(context["name"])


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    """With one thread."""
    return shared_harness.open(plain, coroutines, worker={"concurrency": 1})


@pytest.mark.parametrize("flow", [plain, coroutines], ids=["threads", "loop"])
def test_context_variables_and_decimal_precision_are_each_calls_own(
    engine: Engine, flow: Workflow[dict[str, Any]]
) -> None:
    tasks = [engine.submit(flow, {"name": name}) for name in ("ann", "bob")]

    for task in tasks:
        (seen,) = task.result(PATIENCE).values()
        assert seen == ["nobody", "0." + 28 * "3", decimal.ROUND_HALF_EVEN]
