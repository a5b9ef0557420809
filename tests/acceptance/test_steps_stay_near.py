"""Where several processes have all roles, each runs the steps of the shards that it leads."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

STEPS = 4
TASKS = 150
chain = Workflow("near", "chain", version="1")
for number in range(STEPS):
    before = [f"s{number - 1}"] if number else []
    chain.step(after=before, name=f"s{number}")(lambda: None)

LED_BY = (
    "select count(distinct leader) from flowledger.shard where lease_until > flowledger.clock()"
)


def test_tasks_of_every_shard_end_where_each_process_leads_one(harness: EngineHarness) -> None:
    engine = harness.open(chain, coordinator={"shards": 2})
    harness.open(chain)
    harness.until(lambda: harness.value(LED_BY) == 2)

    tasks = engine.submit_many(chain, [{"n": n} for n in range(TASKS)])
    results = [task.result(PATIENCE) for task in tasks]

    assert {shard_of(task.id, 2) for task in tasks} == {0, 1}
    assert all(len(result) == STEPS for result in results)
    assert list(engine.verify()) == []


def test_a_process_that_leads_all_shards_takes_the_facts_of_each_in_a_round(
    harness: EngineHarness,
) -> None:
    engine = harness.open(chain, coordinator={"shards": 4})

    tasks = engine.submit_many(chain, [{"n": n} for n in range(TASKS)])
    results = [task.result(PATIENCE) for task in tasks]

    assert {shard_of(task.id, 4) for task in tasks} == {0, 1, 2, 3}
    assert all(len(result) == STEPS for result in results)
    assert list(engine.verify()) == []
