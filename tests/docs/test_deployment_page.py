"""The connections that the page on deployment tells of are those that there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from flowledger.engine.client.engine import Role
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness, harness

__all__ = ["harness"]

POOL, LISTENER, TRANSACTIONAL, PROJECTING = 3, 1, 2, 1
COUNT = "select count(*) from pg_stat_activity where application_name = %s"
MOST: dict[tuple[Role, ...], int] = {
    (): POOL + LISTENER,
    ("coordinator",): POOL + LISTENER,
    ("worker",): POOL + LISTENER + TRANSACTIONAL,
    ("projector",): POOL + LISTENER + PROJECTING,
    ("coordinator", "worker", "projector"): POOL + LISTENER + TRANSACTIONAL + PROJECTING,
}

flow = Workflow("deployed", "flow", version="1")


@flow.step(transactional=True)
def only(context: dict[str, Any], cursor: psycopg.Cursor[Any]) -> int:
    return int(context["number"])


@pytest.mark.parametrize("roles", MOST, ids="+".join)
def test_a_process_has_no_more_connections_than_the_page_says(
    harness: EngineHarness, roles: tuple[Role, ...]
) -> None:
    name = "counted " + "+".join(roles)
    counted = harness.open(
        flow,
        roles=roles,
        projections=BUILTIN if "projector" in roles else (),
        database={"application_name": name, "pool_max_size": POOL},
        worker={"transactional_connections": TRANSACTIONAL},
    )
    others = tuple(role for role in ("coordinator", "worker") if role not in roles)
    if others:
        harness.open(flow, roles=others)
    tasks = counted.submit_many(flow, [{"number": number} for number in range(20)])
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda task: task.result(PATIENCE), tasks))

    assert len(results) == 20
    assert 0 < harness.value(COUNT, name) <= MOST[roles]
