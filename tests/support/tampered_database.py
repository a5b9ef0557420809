"""Two tasks halfway, in every kind of table: what verification finds, tests plant there."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import request_id, step_id
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.shard_positions import SHARDS
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepError
from flowledger.handlers import Retry, Workflow
from support.databases import database_on
from support.engines import EngineHarness, harness_on
from support.manual_coordinator import ManualCoordinator
from support.planted import PLANTED

halfway = Workflow("shop", "order", version="1", identity="strict")
_numbers = iter(range(1_000))
LATER = Retry(
    max_attempts=5, backoff="fixed", base_seconds=3600.0, cap_seconds=3600.0, jitter="none"
)
AWAY = StepError(error_class="OSError", message="away", category="network", retryable=True)


@halfway.step
def first() -> int:
    """Complete."""
    return 1


@halfway.step(after=[first], timeout=3600, concurrency={"limit": 1})
def runs() -> None:
    """In a worker's hands; of the second task held, since the limit is reached."""


@halfway.step(after=[first], retry=LATER, system="bank")
def fails() -> None:
    """Waits for a retry."""


@halfway.step(after=[first], start_timeout=7200)
def queued() -> None:
    """In the queue."""


@halfway.step(after=[runs, fails, queued])
def last() -> None:
    """Not ready."""


def bring_halfway(harness: EngineHarness) -> Mapping[str, Any]:
    """Two tasks, at rest, with nobody at work; returns the ids that statements may name."""
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, halfway)
        tasks = stage.client.submit_many(halfway, [{"number": 1}, {"number": 2}])
        one, two = sorted(task.id for task in tasks)
        stage.settle()
        claims = stage.worker.exchange(limit=2).claims
        stage.worker.exchange([stage.worker.fact(StepCompleted, each, result=1) for each in claims])
        stage.settle()
        taken = {claim.step: claim for claim in stage.worker.exchange(limit=2).claims}
        stage.worker.exchange([stage.worker.fact(StepAttemptFailed, taken["fails"], error=AWAY)])
        cancel = {"reason": "not needed", "actor": "ann", "key": "k", "timeout": 0}
        stage.client.task(two).step("last").cancel(**cancel)
        stage.settle()
    return {
        **{step.name: step_id(one, step.name) for step in halfway.template.steps},
        "held": step_id(two, "runs"),
        "one": one,
        "two": two,
        "request": request_id(two, "k"),
        "template": halfway.template.template_id,
        "nobody": UUID("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"),
        "nobodys_step": UUID("019a2b3c-4d5e-8f60-8a1b-2c3d4e5f6071"),
    }


class TamperedDatabase:
    """A database of such tasks, to tamper with; `names` has what statements may name."""

    def __init__(self, harness: EngineHarness, names: Mapping[str, Any]) -> None:
        self.harness = harness
        self.names = names
        self.engine = harness.open(roles=())

    def plant(self, statements: str) -> None:
        """Change what nobody may change; `{name}` stands for an id of `names`."""
        self.harness.rows("alter table flowledger.event disable trigger user")
        for statement in statements.format(**self.names).split(";"):
            self.harness.rows(statement)
        self.harness.rows("alter table flowledger.event enable trigger user")

    def planted(self, case: str) -> list[Difference]:
        """Plant a case; what was planted is named and nothing else, of one task as of all."""
        statements, expected = PLANTED[case]
        self.plant(statements)
        found = self.differences()
        told = [str(difference) for difference in found]
        for words in expected:
            said = [text for text in told if words.format(**self.names) in text]
            assert said, (told, self.rest())
        assert len(found) == len(expected), told
        for task in (self.names["one"], self.names["two"]):
            its = self.differences(task)
            assert {one.task_id for one in its if one.place != SHARDS} <= {task}
            assert {str(one) for one in its} <= set(told)
        return found

    def rest(self) -> list[tuple[Any, ...]]:
        """What a case may depend on, and when it was looked at: to be shown where one fails."""
        return [
            *self.harness.rows("select now(), * from flowledger.timer"),
            *self.harness.rows("select * from flowledger.waiting_step"),
            *self.harness.rows("select step, state, stream_version, due_at from flowledger.step"),
            *self.harness.rows(
                "select originator_id, originator_version, topic, recorded_at"
                " from flowledger.event order by notification_id"
            ),
        ]

    def differences(self, task: UUID | None = None) -> list[Difference]:
        """What verification finds."""
        return list(self.engine.verify(task))


@pytest.fixture(scope="module")
def stood(server: str, template: str) -> Generator[tuple[str, Mapping[str, Any]]]:
    """The name of a database in which tasks stand halfway, to copy, and what is in it."""
    with database_on(server, f"{template}_repairs", template) as url:
        with harness_on(url) as harness:
            names = bring_halfway(harness)
        yield f"{template}_repairs", names


@pytest.fixture
def standing(server: str, stood: tuple[str, Mapping[str, Any]]) -> Generator[TamperedDatabase]:
    name, names = stood
    with database_on(server, f"{name}_{next(_numbers)}", name) as url, harness_on(url) as harness:
        yield TamperedDatabase(harness, names)
