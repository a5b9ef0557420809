"""Workflows to be disturbed: their handlers fail, dawdle, and note in tables what they did.

`execution` has a row for every call of a handler and no constraint; `effect` is keyed by the
idempotency key, as an outside system would; `transactional` has the rows of transactional steps,
again without a constraint.
"""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from threading import local
from typing import Any

import psycopg

from flowledger.handlers import Retry, StepContext, Workflow

FAILS, DAWDLES = 0.08, 0.04
"""Shares of the calls."""

PATIENT = Retry(max_attempts=50, base_seconds=0.05, cap_seconds=1.0)

_kept = local()


def lot(*parts: object) -> float:
    """A number in [0, 1) that belongs to the parts, so that a run can be told again."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def work(step: StepContext) -> None:
    """What every handler does: note the call, perhaps fail or dawdle, take effect once."""
    connection = _connection()
    try:
        connection.execute(
            "insert into chaos.execution values (%s, %s, %s)",
            (step.idempotency_key, step.task_id, step.attempt),
        )
        share = lot(step.idempotency_key, step.attempt)
        if share < DAWDLES:
            time.sleep(share / DAWDLES)
        elif share < DAWDLES + FAILS:
            raise ConnectionError("the lot fell on this attempt")
        connection.execute(
            "insert into chaos.effect values (%s, %s) on conflict do nothing",
            (step.idempotency_key, step.task_id),
        )
    except psycopg.Error:
        _kept.connection = None
        raise


def _connection() -> psycopg.Connection[Any]:
    found: psycopg.Connection[Any] | None = getattr(_kept, "connection", None)
    if found is None or found.closed:
        url = os.environ["FLOWLEDGER_DATABASE__URL"]
        found = _kept.connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    return found


def flow(name: str) -> Workflow[dict[str, Any]]:
    """An empty workflow whose tasks are told apart by a key, so that submitting can be repeated."""
    return Workflow("chaos", name, version="1", identity="caller_provided")


chain = flow("chain")
for number in range(5):

    @chain.step(name=f"s{number}", after=[f"s{number - 1}"] if number else [], retry=PATIENT)
    def link(context: dict[str, Any], step: StepContext) -> int:
        """One link."""
        work(step)
        return int(context["number"])


diamond = flow("diamond")


@diamond.step(retry=PATIENT)
def start(step: StepContext) -> int:
    """The root."""
    work(step)
    return 1


@diamond.step(after=[start], retry=PATIENT, timeout=20)
def left(start: int, step: StepContext) -> int:
    """One branch."""
    work(step)
    return start + 1


@diamond.step(after=[start], retry=PATIENT, transactional=True)
def right(start: int, step: StepContext, cursor: psycopg.Cursor) -> int:
    """A branch whose row commits with its completion."""
    cursor.execute("insert into chaos.transactional values (%s)", (step.idempotency_key,))
    return start + 2


@diamond.step(after=[left, right], retry=PATIENT)
def join(left: int, right: int, step: StepContext) -> int:
    """The end."""
    work(step)
    return left * right


fan = flow("fan")


@fan.step(retry=PATIENT)
def source(step: StepContext) -> int:
    """The root."""
    work(step)
    return 1


for number in range(8):

    @fan.step(name=f"branch{number}", after=[source], retry=PATIENT)
    def branch(step: StepContext) -> int:
        """One of many."""
        work(step)
        return 1


doomed = flow("doomed")


@doomed.step(retry=PATIENT)
def sound(step: StepContext) -> int:
    """A step that succeeds."""
    work(step)
    return 1


@doomed.step(after=[sound], retry=Retry(max_attempts=3, base_seconds=0.05))
def unsound() -> int:
    """A step that never does."""
    raise ValueError("as it must")


FLOWS = (chain, diamond, fan, doomed)
ENDS = {"chain": "complete", "diamond": "complete", "fan": "complete", "doomed": "error"}
